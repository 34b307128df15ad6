//! What the frontier and its store take for one step each: a link in, a request out and its answer in, a page committed.
//!
//! `cargo bench --bench frontier`. The whole of it at size, with memory, disk and pauses, is `crawl bench frontier`
//! (docs/frontier.md).

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::time::Duration;

use crawl::frontier::{Frontier, Lease, Settings, Sharing, Step};
use crawl::history::{Occasion, Sight, judge};
use crawl::politeness::{Class, Outcome, Policy};
use crawl::request::{Pending, QueueKey, Request};
use crawl::robots::{ProductToken, RobotsAnswer, RobotsRecord};
use crawl::store::disk::{DiskOptions, DiskStore};
use crawl::store::{Batch, PageChange, Store};
use crawl::time::Timestamp;
use crawl::url::CanonicalUrl;
use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::TempDir;

const HOSTS: [u32; 2] = [1_000, 100_000];
const LINKS: u64 = 62;
const NEW: u64 = 6;
const START: Timestamp = Timestamp::from_secs(1_795_000_000);

fn request(host: u32, page: u64) -> Request {
    let url = format!("https://www.host-{host}.example/catalogue/section-{}/item-{page}.html", page % 7);
    Request::get(CanonicalUrl::parse(&url).unwrap())
}

/// A frontier in which nothing but the hosts' own pace counts, with one page of each host.
fn frontier(hosts: u32) -> Frontier {
    let sharing = Sharing { address_concurrency: None, ..Sharing::default() };
    let settings = Settings { sharing, ..Settings::new(ProductToken::parse("bench").unwrap()) };
    let mut frontier = Frontier::new(settings, Box::new(|_| Policy::default()), 1, 0);
    for host in 0..hosts {
        let home = request(host, 0);
        let expires_at = START + Duration::from_hours(24);
        let answer = RobotsAnswer::AllowAll;
        frontier.restore_robots(
            home.origin(),
            RobotsRecord { fetched_at: START, expires_at, answer, copy: None },
        );
        frontier.admit(START, pending(home, host.into()));
    }
    frontier
}

fn pending(request: Request, seq: u64) -> Pending {
    Pending::new(QueueKey::new(0, seq), request)
}

fn lease(frontier: &mut Frontier, now: &mut Timestamp) -> Lease {
    loop {
        match frontier.next(*now) {
            Step::Fetch(lease) => return lease,
            Step::WaitUntil(moment) => *now = moment,
            other => panic!("{other:?}"),
        }
    }
}

fn fetched(now: Timestamp) -> Outcome {
    let announced = Default::default();
    Outcome { class: Class::Fetched, status: Some(200), told: None, announced, began: now, ended: now }
}

/// A link to a host that is known.
#[divan::bench(args = HOSTS)]
fn admit(bencher: Bencher, hosts: u32) {
    let mut frontier = frontier(hosts);
    let mut seq = u64::from(hosts);
    bencher
        .with_inputs(|| {
            seq += 1;
            pending(request((seq % u64::from(hosts)) as u32, seq), seq)
        })
        .bench_local_values(|pending| frontier.admit(START, pending));
}

/// The next request, its answer, and a new link that takes its place.
#[divan::bench(args = HOSTS)]
fn next_and_settle(bencher: Bencher, hosts: u32) {
    let (mut frontier, mut now, mut seq) = (frontier(hosts), START, u64::from(hosts));
    bencher.bench_local(|| {
        let lease = lease(&mut frontier, &mut now);
        seq += 1;
        let next = pending(lease.request().clone(), seq);
        let settled = frontier.settle(now, lease, &fetched(now), None);
        frontier.admit(now, next);
        settled
    });
}

/// A state on disk with the pages that are linked to.
struct Shop {
    store: DiskStore,
    waiting: Vec<Pending>,
    known: u64,
    _dir: TempDir,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DiskStore::open(dir.path(), DiskOptions::default()).unwrap();
        let known = 20_000;
        let links = (0..known).map(|page| request((page % 100) as u32, page)).collect();
        let waiting = store.commit(Batch { links, ..Batch::default() }).unwrap().fresh;
        Self { store, waiting, known, _dir: dir }
    }

    /// What one settled page changes: 6 links are new, the others known.
    fn page(&mut self) -> Batch {
        let done = self.waiting.pop().unwrap();
        let first = self.known;
        self.known += NEW;
        let new = (first..self.known).map(|page| request((page % 100) as u32, page));
        let old = (0..LINKS - NEW).map(|link| {
            let page = (first * 7 + link * 131) % first;
            request((page % 100) as u32, page)
        });
        let page = done.request.fingerprint();
        let sight = Sight::Page { digest: 1, items: 2, rules: 3 };
        let now = judge(None, sight, Occasion { request: &done.request, at: START, round: 1 }).record;
        Batch {
            links: new.chain(old).collect(),
            pages: vec![PageChange { page, before: None, now }],
            done: vec![(done.request.origin(), done.key)],
            ..Batch::default()
        }
    }
}

/// A batch of one page, as a slow crawl makes them, and of 64, as a fast one does; for a page.
#[divan::bench(args = [1, 64], sample_count = 20)]
fn commit_on_disk(bencher: Bencher, pages: usize) {
    let shop = std::cell::RefCell::new(Shop::open());
    bencher
        .counter(ItemsCount::new(pages))
        .with_inputs(|| {
            let mut all = Batch::default();
            for _ in 0..pages {
                let batch = shop.borrow_mut().page();
                all.links.extend(batch.links);
                all.pages.extend(batch.pages);
                all.done.extend(batch.done);
            }
            all
        })
        .bench_local_values(|batch| {
            let mut shop = shop.borrow_mut();
            let fresh = shop.store.commit(batch).unwrap().fresh;
            shop.waiting.extend(fresh);
        });
}

fn main() {
    divan::main();
}
