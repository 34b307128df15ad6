//! Kill -9 at random moments: what was acknowledged is there, and every batch is there as a whole or not at all.
//!
//! The test starts itself again as a child (the two `child_…` tests, which do nothing without their variable), reads its
//! acknowledgements from a pipe, kills it and looks at what it left.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crawl::request::Request;
use crawl::sink::Position;
use crawl::store::disk::{DiskOptions, DiskStore};
use crawl::store::{Batch, Memory, RunRecord, Store, StoreError};
use crawl::url::{CanonicalUrl, Origin};

const DIR: &str = "CRAWL_TEST_STATE";
const HOSTS: u64 = 5;
const KILLS: u64 = 8;

fn get(batch: u64, page: u64) -> Request {
    let host = batch % HOSTS;
    let url = CanonicalUrl::parse(&format!("http://h{host}.example/{batch}/{page}")).unwrap();
    // Page 0 goes to the front, so that the next batch of this host finds it there.
    Request::get(url).priority(i8::from(page == 0))
}

fn origin(batch: u64) -> Origin {
    get(batch % HOSTS, 0).origin()
}

/// Small, so that the database moves its files about while it is killed.
fn open(dir: &Path) -> DiskStore {
    let options = DiskOptions { memtable_bytes: 64 << 10, seen_bytes: 32 << 10, ..DiskOptions::default() };
    DiskStore::open(dir, options).unwrap()
}

fn acknowledge(number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {number}").and_then(|()| out.flush()).unwrap();
}

/// How many batches a state holds.
fn batches(store: &mut DiskStore) -> u64 {
    let recovered = store.recover().unwrap();
    assert_eq!(recovered.warnings, Vec::<String>::new());
    recovered.sinks.first().map_or(0, |(_, position)| position.0)
}

/// Starts a child, kills it after `acks` acknowledgements and a roll of the dice, and gives the last acknowledgement.
fn run_and_kill(dir: &Path, child: &str, acks: u64, extra_work: u64) -> Option<u64> {
    let mut running = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let number = |line: &str| line.split("ack ").nth(1)?.parse::<u64>().ok();
    let mut last = None;
    let mut left = acks;
    while left > 0 {
        let line = lines.next().expect("the child runs until it is killed").unwrap();
        if let Some(acknowledged) = number(&line) {
            last = Some(acknowledged);
            left -= 1;
        }
    }
    // Lets some microseconds pass, to meet the child in the middle of a step.
    (0..extra_work).for_each(|round| drop(std::hint::black_box(vec![round; 64])));
    running.kill().unwrap();
    running.wait().unwrap();
    let late = lines.map_while(Result::ok).filter_map(|line| number(&line)).last();
    late.or(last)
}

#[test]
fn child_commits_batches() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut store = open(Path::new(&dir));
    for number in batches(&mut store) + 1.. {
        let front = store.pending(&origin(number), None, 1).unwrap();
        let batch = Batch {
            links: (0..3).map(|page| get(number, page)).collect(),
            done: front.iter().map(|pending| (origin(number), pending.key)).collect(),
            sinks: vec![("out".into(), Position(number))],
            ..Batch::default()
        };
        assert_eq!(store.commit(batch).unwrap().fresh.len(), 3);
        acknowledge(number);
        if number.is_multiple_of(500) {
            store.sync().unwrap();
        }
    }
}

/// The state is that after exactly `count` batches.
fn holds_exactly(store: &mut DiskStore, count: u64) {
    let held = store.holdings().unwrap();
    let total: u64 = held.queues.iter().map(|(_, waiting)| waiting).sum();
    let mut expected_total = 0;
    for host in 0..HOSTS {
        let numbers = (1..=count).filter(|number| number % HOSTS == host);
        let expected: Vec<_> = numbers
            .clone()
            .filter(|number| number + HOSTS > count)
            .map(|number| get(number, 0))
            .chain(numbers.flat_map(|number| [get(number, 1), get(number, 2)]))
            .collect();
        let found = store.pending(&origin(host), None, usize::MAX).unwrap();
        let found: Vec<_> = found.into_iter().map(|pending| pending.request).collect();
        assert!(found == expected, "host {host}: {} instead of {}", found.len(), expected.len());
        expected_total += expected.len() as u64;
    }
    assert_eq!(total, expected_total);
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged_and_halves_no_batch() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(9);
    let mut before = 0;
    for _ in 0..KILLS {
        let acks = rng.u64(1..1_500);
        let last = run_and_kill(dir.path(), "child_commits_batches", acks, rng.u64(..50_000));
        let mut store = open(dir.path());
        let count = batches(&mut store);
        let last = last.unwrap_or(before);
        assert!((last..=last + 1).contains(&count), "{last} acknowledged, {count} there");
        holds_exactly(&mut store, count);
        before = count;
    }
    let mut store = open(dir.path());
    let known = (1..=before).flat_map(|number| [get(number, 0), get(number, 1), get(number, 2)]);
    let batch = Batch { links: known.chain([get(before + 1, 0)]).collect(), ..Batch::default() };
    let committed = store.commit(batch).unwrap();
    assert_eq!(committed.fresh[0].request, get(before + 1, 0));
    assert_eq!((committed.fresh.len(), committed.known), (1, 3 * before));
}

#[test]
fn child_fills_the_disk() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut store = open(Path::new(&dir));
    for number in batches(&mut store) + 1.. {
        let batch = || Batch {
            links: (0..3).map(|page| get(number, page)).collect(),
            sinks: vec![("out".into(), Position(number))],
            ..Batch::default()
        };
        if let Err(error) = store.commit(batch()) {
            assert!(matches!(error, StoreError::Io { .. }), "{error}");
            // Once the database has failed, nothing more is taken.
            assert!(store.commit(batch()).is_err());
            return;
        }
        acknowledge(number);
    }
}

/// A file size limit stands for the full disk; the shell makes it an error instead of a signal.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_crawl_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_fills_the_disk", "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let acknowledged = said.matches("ack ").count() as u64;
    let mut store = open(dir.path());
    let there = store.recover().unwrap().sinks[0].1.0;
    assert!((acknowledged..=acknowledged + 1).contains(&there), "{acknowledged}, {there}");
    let all = Batch {
        links: (1..=there).flat_map(|number| (0..3).map(move |page| get(number, page))).collect(),
        ..Batch::default()
    };
    assert_eq!(store.commit(all).unwrap().known, 3 * there);
    let waiting: u64 = store.holdings().unwrap().queues.iter().map(|(_, count)| count).sum();
    assert_eq!(waiting, 3 * there);
}

/// The pages of every round are the same.
fn round() -> Batch {
    Batch {
        links: (0..50).map(|page| get(0, page)).collect(),
        sinks: vec![("out".into(), Position(7))],
        ..Batch::default()
    }
}

#[test]
fn child_begins_rounds() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut store = open(Path::new(&dir));
    let reached = store.recover().unwrap().run.unwrap_or_default().round;
    for number in reached + 1.. {
        let run = RunRecord { round: number, ..RunRecord::default() };
        store.begin_round(run, Memory::Keeps).unwrap();
        assert_eq!(store.commit(round()).unwrap().fresh.len(), 50);
        acknowledge(u64::from(number));
    }
}

#[test]
fn a_kill_leaves_the_old_round_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..KILLS {
        let acks = rng.u64(1..20);
        let last = run_and_kill(dir.path(), "child_begins_rounds", acks, rng.u64(..100_000)).unwrap();
        let mut store = open(dir.path());
        let recovered = store.recover().unwrap();
        let held = store.holdings().unwrap();
        assert_eq!(recovered.warnings, Vec::<String>::new());
        let reached = u64::from(recovered.run.unwrap().round);
        assert!((last..=last + 1).contains(&reached));
        let waiting = held.queues.first().map_or(0, |(_, count)| *count);
        assert!(waiting == 50 || (waiting == 0 && reached == last + 1));
        assert_eq!(recovered.sinks.len() as u64, waiting / 50);
        assert_eq!(store.commit(round()).unwrap().known, waiting);
    }
}
