use std::collections::HashSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::log::LogReport;
use super::set::SeenSet;
use crate::url::Fingerprint;

/// So little that a table is frozen after some two thousand entries.
const LITTLE: u64 = 64 << 10;
const PLENTY: u64 = 64 << 20;

fn log_path(dir: &Path) -> PathBuf {
    dir.join("seen-0001.log")
}

fn open(dir: &Path, recorded: u64, most_bytes: u64) -> (SeenSet, LogReport) {
    SeenSet::open(&log_path(dir), 1, recorded, most_bytes).unwrap()
}

fn commit(set: &mut SeenSet, fingerprints: &[u64]) -> u64 {
    let length = set.append(fingerprints).unwrap();
    set.confirm(fingerprints, length);
    length
}

/// Lets all work come to its end.
fn settle(set: &mut SeenSet) {
    set.append(&[]).unwrap();
    while set.is_busy() {
        std::thread::yield_now();
        set.append(&[]).unwrap();
    }
}

fn random(seed: u64, count: usize) -> Vec<u64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u64(..)).take(count).collect()
}

fn run_files(dir: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> = all.filter(|path| path.extension().is_some_and(|kind| kind == "run")).collect();
    runs.sort();
    runs
}

/// A closed set of 8,000 numbers in runs, and how long its log is.
fn built(dir: &Path) -> (Vec<u64>, u64) {
    let numbers = random(5, 8_000);
    let (mut set, _) = open(dir, 0, LITTLE);
    let mut length = 0;
    for part in numbers.chunks(100) {
        length = commit(&mut set, part);
    }
    settle(&mut set);
    (numbers, length)
}

fn has_exactly(set: &SeenSet, numbers: &[u64]) {
    assert!(numbers.iter().all(|number| set.contains(*number).unwrap()));
    assert!(!random(6, 2_000).iter().any(|number| set.contains(*number).unwrap()));
}

#[test]
fn with_little_memory_it_agrees_with_a_set_over_any_number_of_openings() {
    for (seed, most_bytes) in [(1, LITTLE), (2, LITTLE / 2), (3, PLENTY)] {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut model, mut all) = (HashSet::new(), vec![0]);
        let (mut set, _) = open(dir.path(), 0, most_bytes);
        let mut length = 0;
        for _ in 0..400 {
            let mut fresh = Vec::new();
            for _ in 0..rng.usize(..300) {
                let number = if rng.bool() { all[rng.usize(..all.len())] } else { rng.u64(..) };
                assert_eq!(
                    set.contains(number).unwrap(),
                    model.contains(&number) && !fresh.contains(&number)
                );
                if model.insert(number) {
                    fresh.push(number);
                    all.push(number);
                }
            }
            length = commit(&mut set, &fresh);
            // A commit is looked at when it is done, and a run that is being built has its filter already.
            assert!(set.bytes() <= most_bytes + 12_288, "{} bytes", set.bytes());
            if rng.u8(..) < 8 {
                drop(set);
                let (opened, report) = open(dir.path(), length, most_bytes);
                assert_eq!(report, LogReport::default());
                set = opened;
            }
        }
        assert!(model.iter().all(|number| set.contains(*number).unwrap()));
        assert_eq!(set.length(), length);
        settle(&mut set);
        assert_eq!(run_files(dir.path()).is_empty(), most_bytes == PLENTY);
        assert!(run_files(dir.path()).len() <= 7);
    }
}

#[test]
fn who_only_asks_is_never_told_of_what_was_not_committed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut set, _) = open(dir.path(), 0, LITTLE);
    let (view, numbers) = (set.view(), random(1, 10_000));
    let knows = |number: &u64| view.contains(Fingerprint::from_bits(*number));
    for part in numbers.chunks(100) {
        let length = set.append(part).unwrap();
        assert!(!part.iter().any(knows));
        set.confirm(part, length);
        assert!(part.iter().all(knows));
    }
    settle(&mut set);
    // What only the disk knows is known again when the store was asked.
    let old = numbers.iter().find(|number| !knows(number)).unwrap();
    assert!(set.contains(*old).unwrap() && knows(old));
    let next = set.begin(&dir.path().join("seen-0002.log"), 2).unwrap();
    let before = std::mem::replace(&mut set, next);
    set.take_views_of(before);
    assert!(!numbers.iter().any(knows));
    commit(&mut set, &[7]);
    assert!(knows(&7));
}

#[test]
fn runs_answer_and_only_the_rest_of_the_log_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (numbers, length) = built(dir.path());
    let runs = run_files(dir.path());
    assert!((1..=7).contains(&runs.len()), "{runs:?}");
    // Nobody looks at the log where a run has it: but for its last page.
    let mut log = fs::read(log_path(dir.path())).unwrap();
    log[..4_000].fill(0);
    fs::write(log_path(dir.path()), log).unwrap();
    for most_bytes in [LITTLE, PLENTY] {
        let (set, report) = open(dir.path(), length, most_bytes);
        assert_eq!(report, LogReport::default());
        has_exactly(&set, &numbers);
    }
    assert_eq!(run_files(dir.path()), runs);
}

#[test]
fn a_run_that_was_harmed_is_built_again_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (numbers, length) = built(dir.path());
    let mut rng = fastrand::Rng::with_seed(4);
    for round in 0..20 {
        let runs = run_files(dir.path());
        let run = &runs[rng.usize(..runs.len())];
        let mut bytes = fs::read(run).unwrap();
        let at = rng.usize(..bytes.len());
        match round % 5 {
            0 => bytes[at] ^= 1 << rng.u8(..8),
            1 => bytes.truncate(at),
            2 => bytes.push(0),
            3 => bytes[at / 4_096 * 4_096..].fill(0),
            _ => {}
        }
        match round % 5 {
            4 => fs::remove_file(run).unwrap(),
            _ => fs::write(run, bytes).unwrap(),
        }
        let (mut set, report) = open(dir.path(), length, if rng.bool() { LITTLE } else { LITTLE * 4 });
        assert_eq!(report, LogReport::default());
        has_exactly(&set, &numbers);
        settle(&mut set);
        has_exactly(&set, &numbers);
    }
}

#[test]
fn a_page_that_goes_bad_later_is_answered_from_the_log_and_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let (numbers, length) = built(dir.path());
    let (mut set, _) = open(dir.path(), length, LITTLE);
    for run in run_files(dir.path()) {
        let mut file = fs::OpenOptions::new().write(true).open(&run).unwrap();
        let pages = fs::metadata(&run).unwrap().len() / 4_096;
        file.seek(SeekFrom::Start((pages - 2) * 4_096 + 640)).unwrap();
        file.write_all(&[0x5a; 64]).unwrap();
    }
    has_exactly(&set, &numbers);
    assert!(set.runs.iter().any(|held| held.run.is_damaged()));
    settle(&mut set);
    assert!(!set.runs.iter().any(|held| held.run.is_damaged()));
    has_exactly(&set, &numbers);
    drop(set);
    has_exactly(&open(dir.path(), length, LITTLE).0, &numbers);
}

#[test]
fn a_run_that_is_ahead_of_the_store_or_of_another_log_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (numbers, length) = built(dir.path());
    let half = length / 2;
    let (set, report) = open(dir.path(), half, LITTLE);
    assert_eq!((report.missing, report.unreadable), (0, 0));
    has_exactly(&set, &numbers[..4_000]);
    assert!(!numbers[4_000..].iter().any(|number| set.contains(*number).unwrap()));
    drop(set);
    let others = random(8, 10_000);
    fs::remove_file(log_path(dir.path())).unwrap();
    let mut log = super::log::Log::open(&log_path(dir.path())).unwrap();
    for part in others.chunks(100) {
        let length = log.append(part).unwrap();
        log.confirm(length);
    }
    let (set, _) = open(dir.path(), log.length(), LITTLE);
    has_exactly(&set, &others);
    assert!(!numbers.iter().any(|number| set.contains(*number).unwrap()));
}

#[test]
fn work_that_was_broken_off_leaves_nothing_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let numbers = random(5, 20_000);
    let (mut set, mut length) = (open(dir.path(), 0, LITTLE).0, 0);
    for (number, part) in numbers.chunks(100).enumerate() {
        length = commit(&mut set, part);
        if number % 7 == 6 {
            drop(set);
            set = open(dir.path(), length, LITTLE).0;
        }
    }
    drop(set);
    let (set, report) = open(dir.path(), length, LITTLE);
    assert_eq!(report, LogReport::default());
    has_exactly(&set, &numbers);
    super::sweep(dir.path(), 1).unwrap();
    let unfinished = fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "new"));
    assert_eq!(unfinished.count(), 0);
}

#[test]
fn a_log_is_written_anew_from_runs_and_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (numbers, length) = built(dir.path());
    let (mut set, _) = open(dir.path(), length, LITTLE);
    commit(&mut set, &[1, 2]);
    set.rewrite(&dir.path().join("seen-0002.log"), 2, &[2, 3]).unwrap();
    has_exactly(&set, &numbers);
    assert!([1, 2, 3].iter().all(|number| set.contains(*number).unwrap()));
    let length = set.length();
    drop(set);
    let (set, report) = SeenSet::open(&dir.path().join("seen-0002.log"), 2, length, PLENTY).unwrap();
    assert_eq!(report, LogReport::default());
    has_exactly(&set, &numbers);
}

#[test]
fn commits_behind_the_recorded_end_are_counted_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (mut set, _) = open(dir.path(), 0, PLENTY);
    let length = commit(&mut set, &[1]);
    commit(&mut set, &(2..9_000).collect::<Vec<_>>());
    commit(&mut set, &[9_000]);
    let (set, report) = open(dir.path(), length, PLENTY);
    assert_eq!(report.ahead, 2);
    assert!(set.contains(1).unwrap() && !set.contains(2).unwrap() && !set.contains(9_000).unwrap());
    assert_eq!(open(dir.path(), length, PLENTY).1, LogReport::default());
}

#[test]
fn records_behind_bad_bytes_are_found_again() {
    for most_bytes in [LITTLE / 2, PLENTY] {
        let dir = tempfile::tempdir().unwrap();
        let (mut set, _) = open(dir.path(), 0, PLENTY);
        let lengths: Vec<u64> = (0..3_000).map(|number| commit(&mut set, &[number, !number])).collect();
        drop(set);
        let mut bytes = fs::read(log_path(dir.path())).unwrap();
        let (from, to) = (lengths[9] as usize, lengths[499] as usize);
        bytes[from..to].fill(0);
        fs::write(log_path(dir.path()), bytes).unwrap();
        let (set, report) = open(dir.path(), lengths[2_999], most_bytes);
        assert_eq!(report.unreadable, lengths[499] - lengths[9]);
        let known = [9, 10, 499, 500].map(|number| set.contains(number).unwrap());
        assert_eq!(known, [true, false, false, true]);
    }
}
