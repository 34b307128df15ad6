//! What the validator cache costs a page: one look-up before it is asked, one store after it was answered.
//!
//! `cargo bench --bench cache` prints CPU time per page in a cache of 100,000 entries (`ENTRIES` sets another number; a million
//! takes some minutes), then what divan measures of the single steps. The bar is 20 microseconds of CPU for each page.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::hint::black_box;
use std::sync::LazyLock;

use crawl::headers::freshness::Lifetime;
use crawl::headers::validators::Validators;
use crawl::headers::vary::Selecting;
use crawl::request::Request;
use crawl::store::cache::{CacheEntry, CacheOptions, Packed, SledCache, ValidatorCache};
use crawl::time::Timestamp;
use crawl::url::{CanonicalUrl, Fingerprint, HostKey};
use divan::Bencher;
use http::{HeaderMap, HeaderValue};
use tempfile::TempDir;

/// Links of a page.
static LINKS: LazyLock<usize> =
    LazyLock::new(|| std::env::var("LINKS").map_or(30, |text| text.parse().unwrap()));
/// The bar, in microseconds.
const BAR: f64 = 20.0;
/// Clock ticks of `/proc` in a second.
const TICKS: f64 = 100.0;

fn entries() -> u64 {
    std::env::var("ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

fn key(number: u64) -> Fingerprint {
    Fingerprint::of(&number.to_le_bytes())
}

fn links(page: u64) -> Vec<Request> {
    let url = |link: usize| format!("https://shop.example/catalogue/{page}/item-{link}?view=full");
    (0..*LINKS).map(|link| Request::get(CanonicalUrl::parse(&url(link)).unwrap())).collect()
}

fn item(page: u64) -> (Option<String>, String) {
    let text = "A description of some length, as shops have it. ".repeat(6);
    (Some("product".into()), format!(r#"{{"title":"Product {page}","price":"9.99","text":"{text}"}}"#))
}

fn entry(page: u64, harvest: Packed) -> CacheEntry {
    let mut headers = HeaderMap::new();
    headers.insert("cache-control", HeaderValue::from_static("private, max-age=300"));
    headers.insert("vary", HeaderValue::from_static("accept-encoding"));
    headers.insert("date", HeaderValue::from_static("Sun, 22 Nov 2026 07:00:00 GMT"));
    CacheEntry {
        host: HostKey::of("shop.example"),
        validators: Validators {
            etag: Some(format!("\"{page:016x}\"")),
            last_modified: Some("Sun, 22 Nov 2026 06:00:00 GMT".into()),
        },
        lifetime: Lifetime::read(&headers),
        selecting: Selecting::of(&headers, HeaderMap::new).unwrap(),
        digest: page,
        checked: Timestamp::from_secs(1_795_000_000 + page),
        rules: 7,
        harvest,
    }
}

fn packed(page: u64) -> Packed {
    Packed::of(&links(page), &[item(page)]).unwrap()
}

/// User and system time of this process with all its threads, in microseconds. Knows only Linux.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 1e6 / TICKS
}

/// Prints the CPU that `step` takes for each of the pages.
fn measure(name: &str, pages: u64, mut step: impl FnMut(u64)) -> f64 {
    let began = cpu();
    (0..pages).for_each(&mut step);
    let each = (cpu() - began) / pages as f64;
    println!("{name:<58} {each:>8.2} us CPU a page");
    each
}

/// A cache that is full of pages.
struct Full {
    _dir: TempDir,
    cache: SledCache,
    entries: u64,
}

impl Full {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = SledCache::open(dir.path(), CacheOptions::default()).unwrap();
        let entries = entries();
        let one = packed(0);
        measure("first round: store", entries, |page| cache.put(key(page), &entry(page, one.clone())));
        Self { _dir: dir, cache, entries }
    }

    /// Pages in no order, as hosts in turn ask for them.
    fn shuffled(&self, step: u64) -> u64 {
        step.wrapping_mul(0x9E37_79B9_7F4A_7C15) % self.entries
    }
}

static FULL: LazyLock<Full> = LazyLock::new(Full::new);

/// Whole pages: what the bar is about.
fn whole_pages() {
    let full = &*FULL;
    let pages = full.entries.min(200_000);
    let none = measure("look-up of what is not there", pages, |step| {
        black_box(full.cache.get(key(step + full.entries)));
    });
    let unchanged = measure("second round, 304: look-up and store", pages, |step| {
        let page = full.shuffled(step);
        let found = full.cache.get(key(page)).unwrap();
        full.cache.put(key(page), &CacheEntry { checked: Timestamp::from_secs(step), ..found });
    });
    let one = packed(0);
    let changed = measure("second round, 200: look-up and store of something new", pages, |step| {
        let page = full.shuffled(step);
        black_box(full.cache.get(key(page)));
        full.cache.put(key(page), &entry(page, one.clone()));
    });
    let (requests, items) = (links(1), [item(1)]);
    measure("beside: to pack 30 links and an item (200)", pages.min(20_000), |_| {
        black_box(Packed::of(&requests, &items));
    });
    measure("beside: to unpack them (304)", pages.min(20_000), |_| {
        black_box(one.unpack());
    });
    let worst = none.max(unchanged).max(changed);
    let verdict = if worst <= BAR { "kept" } else { "MISSED" };
    println!("the bar of {BAR} us a page is {verdict}: {worst:.2} us, {} entries", full.entries);
}

#[divan::bench]
fn look_up(bencher: Bencher) {
    let mut step = 0;
    bencher.bench_local(|| {
        step += 1;
        FULL.cache.get(key(FULL.shuffled(step)))
    });
}

#[divan::bench]
fn store(bencher: Bencher) {
    let one = packed(0);
    let mut step = 0;
    bencher.bench_local(|| {
        step += 1;
        let page = FULL.shuffled(step);
        FULL.cache.put(key(page), &entry(page, one.clone()));
    });
}

fn main() {
    whole_pages();
    divan::main();
}
