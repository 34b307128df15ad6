//! A state of many hosts, opened by a crawl that has few of them awake: what that costs.
//!
//! `HOSTS=1000000 cargo test --release --test many_hosts -- --nocapture` prints the figures for a million.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::ops::ControlFlow;

use crawl::frontier::{Frontier, Settings, Step};
use crawl::politeness::{HostState, Policy};
use crawl::request::Request;
use crawl::robots::ProductToken;
use crawl::store::disk::DiskStore;
use crawl::store::{Batch, Store};
use crawl::time::Timestamp;
use crawl::url::{CanonicalUrl, HostKey};

const AWAKE: usize = 1_000;

/// Resident memory in KiB, and processor time in hundredths of a second; zero where the system does not say.
fn used() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let rss = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
    (rss, ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

fn told(what: &str, hosts: u64, before: (u64, u64)) -> (u64, u64) {
    let now = used();
    let bytes = now.0.saturating_sub(before.0) * 1024 / hosts;
    println!("{what}: {bytes} bytes a host, {:.2} s", (now.1 - before.1) as f64 / 100.0);
    now
}

fn request(host: u64, page: u64) -> Request {
    let url = format!("https://www.site-number-{host}.example/articles/{page}");
    Request::get(CanonicalUrl::parse(&url).unwrap())
}

#[test]
fn of_many_hosts_only_names_and_times_are_in_memory_and_a_run_begins_at_once() {
    let hosts: u64 = std::env::var("HOSTS").ok().and_then(|hosts| hosts.parse().ok()).unwrap_or(20_000);
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_secs(1_790_000_000);
    let mut store = DiskStore::open(dir.path(), Default::default()).unwrap();
    for first in (0..hosts).step_by(1_000) {
        let some = first..hosts.min(first + 1_000);
        let state = HostState { requests: 3, not_before: now, ..HostState::default() };
        let key = |host| HostKey::of(&format!("www.site-number-{host}.example"));
        store
            .commit(Batch {
                links: some.clone().flat_map(|host| [request(host, 1), request(host, 2)]).collect(),
                hosts: some.map(|host| (key(host), state.clone())).collect(),
                ..Batch::default()
            })
            .unwrap();
    }
    drop(store);
    let before = used();
    let mut store = DiskStore::open(dir.path(), Default::default()).unwrap();
    store.recover().unwrap();
    let opened = told("the store", hosts, before);
    let settings = Settings { awake: AWAKE, ..Settings::new(ProductToken::parse("simbot").unwrap()) };
    let mut frontier = Frontier::new(settings, Box::new(|_| Policy::default()), 1, 0);
    frontier.resume(now);
    store
        .each_queue(&mut |origin, count| {
            frontier.restore_asleep(now, &origin, count);
            ControlFlow::Continue(())
        })
        .unwrap();
    store
        .each_host(&mut |key, state| {
            frontier.restore_due(&key, &state);
            ControlFlow::Continue(())
        })
        .unwrap();
    told("the frontier", hosts, opened);
    assert_eq!(frontier.sleeping() as u64, hosts);
    assert!(matches!(frontier.next(now), Step::WaitUntil(_)));
    wakes_some(&mut frontier, &mut store, now);
}

/// A second later all are due; as many are woken as may be.
fn wakes_some(frontier: &mut Frontier, store: &mut DiskStore, now: Timestamp) {
    let later = now + std::time::Duration::from_secs(2);
    let before = used();
    let mut woken = 0_u64;
    while woken < AWAKE as u64 {
        let Step::Wake(request) = frontier.next(later) else { break };
        woken += request.hosts().len() as u64;
        let found = request.hosts().iter().map(|host| store.wake(&host.key, &host.origins, request.head));
        let found = found.collect::<Result<_, _>>().unwrap();
        frontier.wake(later, request, found);
    }
    told("of those that are awake", woken.max(1), before);
    assert_eq!(woken, AWAKE as u64);
}
