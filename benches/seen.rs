//! What it costs to ask whether a URL was seen, in a set of a million (`ENTRIES` sets another number).
//!
//! `cargo bench --bench seen`. In memory, through runs on disk (with a memory limit that a quarter of the URLs fit), and as a
//! worker asks, by the view. A page has some sixty links, most of them known: at 0.3 microseconds a link, that is a hundredth
//! of what its TLS and HTML cost.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::sync::LazyLock;

use crawl::request::Request;
use crawl::store::disk::{DiskOptions, DiskStore};
use crawl::store::seen::SeenView;
use crawl::store::{Batch, Store};
use crawl::url::CanonicalUrl;
use divan::Bencher;
use tempfile::TempDir;

/// Links of one commit.
const COMMIT: u64 = 1_000;
const WHERE: [Where; 2] = [Where::Memory, Where::Runs];

static MEMORY: LazyLock<Built> = LazyLock::new(|| Built::with(192 << 20));
static RUNS: LazyLock<Built> = LazyLock::new(|| Built::with(entries() * 4));

/// Where the set is.
#[derive(Debug, Clone, Copy)]
enum Where {
    Memory,
    Runs,
}

/// A store that has seen so much. Benches of one set take turns.
struct Built {
    dir: TempDir,
    seen_bytes: u64,
}

fn entries() -> u64 {
    std::env::var("ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

fn link(number: u64) -> Request {
    let (host, page) = (number % 1_000, number / 1_000);
    Request::get(CanonicalUrl::parse(&format!("https://h{host}.example/{page}")).unwrap())
}

impl Built {
    fn with(seen_bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let built = Self { dir, seen_bytes };
        let mut store = built.open();
        for first in (0..entries()).step_by(COMMIT as usize) {
            let links = (first..first + COMMIT).map(link).collect();
            let batch = Batch { links, ..Batch::default() };
            store.commit(batch).unwrap();
        }
        built
    }

    fn open(&self) -> DiskStore {
        let options = DiskOptions { seen_bytes: self.seen_bytes, ..DiskOptions::default() };
        DiskStore::open(self.dir.path(), options).unwrap()
    }
}

impl Where {
    fn store(self) -> DiskStore {
        match self {
            Self::Memory => MEMORY.open(),
            Self::Runs => RUNS.open(),
        }
    }
}

/// Requests at random: known ones, or such that nobody has seen.
fn some(first: u64) -> Vec<Request> {
    let mut rng = fastrand::Rng::with_seed(1);
    (0..10_000).map(|_| link(first + rng.u64(..entries()))).collect()
}

fn ask(bencher: Bencher<'_, '_>, at: Where, requests: &[Request]) {
    let store = at.store();
    let mut all = requests.iter().cycle();
    bencher.bench_local(|| store.knows(all.next().unwrap()).unwrap());
}

fn ask_view(bencher: Bencher<'_, '_>, at: Where, requests: &[Request]) {
    let store = at.store();
    // Those on disk are known to the view once the store was asked.
    requests.iter().for_each(|request| drop(store.knows(request)));
    let seen: SeenView = store.seen().unwrap();
    let fingerprints: Vec<_> = requests.iter().map(Request::fingerprint).collect();
    let mut all = fingerprints.iter().cycle();
    bencher.bench_local(|| seen.contains(*all.next().unwrap()));
}

#[divan::bench(args = WHERE)]
fn a_known_link(bencher: Bencher<'_, '_>, at: Where) {
    ask(bencher, at, &some(0));
}

#[divan::bench(args = WHERE)]
fn a_new_link(bencher: Bencher<'_, '_>, at: Where) {
    ask(bencher, at, &some(entries()));
}

#[divan::bench(args = WHERE)]
fn a_known_link_by_the_view(bencher: Bencher<'_, '_>, at: Where) {
    ask_view(bencher, at, &some(0));
}

#[divan::bench(args = WHERE)]
fn a_new_link_by_the_view(bencher: Bencher<'_, '_>, at: Where) {
    ask_view(bencher, at, &some(entries()));
}

/// Nothing but looking at a request, to be taken off the others.
#[divan::bench]
fn the_fingerprint_alone(bencher: Bencher<'_, '_>) {
    let requests = some(0);
    let mut all = requests.iter().cycle();
    bencher.bench_local(|| all.next().unwrap().fingerprint());
}

fn main() {
    divan::main();
}
