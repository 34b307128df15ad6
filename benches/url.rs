//! What a link costs on its way from a page to the frontier: joined with its page, brought into normal form, judged, hashed.
//!
//! `cargo bench --bench url` prints the CPU time per link of each step over a million links (`LINKS` sets another number) of a page
//! like those of manuals and shops, then what divan measures of single URLs. A page has some hundred links, so a microsecond
//! here is a tenth of a millisecond a page.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use crawl::request::Request;
use crawl::scope::{HostPattern, Scope, UrlPattern};
use crawl::url::{Canon, CanonStep, CanonicalUrl, Fingerprint, HostKey};
use divan::{Bencher, black_box};
use url::Url;

/// Clock ticks of `/proc` in a second.
const TICKS: f64 = 100.0;

const PAGE: &str = "https://docs.example.com/manual/reference/en/index.html?view=full";

/// References as pages have them.
const HREFS: [&str; 12] = [
    "sql-select.html",
    "sql-select.html#SQL-FROM",
    "../images/plan.html",
    "/manual/",
    "#top",
    "?view=short&page=2",
    "./a/b/../c.html",
    "https://docs.example.com/manual/reference/en/sql-insert.html",
    "//docs.example.com:443/manual/old",
    "HTTPS://Docs.Example.COM/%7euser/%e4%bd%a0",
    "https://other.example/shop/item?id=17&utm_source=mail&colour=red",
    "straße/größe.html?wort=\u{e4}rger",
];

/// User and system time of this process, in microseconds. Knows only Linux.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 1e6 / TICKS
}

fn measure<T>(name: &str, links: usize, mut step: impl FnMut(usize) -> T) {
    let began = cpu();
    (0..links).for_each(|number| {
        black_box(step(number));
    });
    println!("{name:<46} {:>8.3} us CPU a link", (cpu() - began) / links as f64);
}

fn page() -> Url {
    Url::parse(PAGE).unwrap()
}

fn scope() -> Scope {
    let hosts = ["docs.example.com", "*.shop.example"].map(|host| HostPattern::parse(host).unwrap());
    let patterns = |texts: &[&str]| texts.iter().map(|text| UrlPattern::parse(text).unwrap()).collect();
    Scope {
        hosts: hosts.into(),
        include: patterns(&["/manual/", "/shop/**.html$"]),
        exclude: patterns(&["/manual/old", "/**.pdf$", "re:[?&]sort="]),
        max_depth: Some(12),
        ..Scope::default()
    }
}

fn all() -> Canon {
    use CanonStep::{DuplicateSlashes, SessionIds, SortQuery, TrackingParameters};
    Canon::of(
        Canon::default()
            .steps()
            .chain([SessionIds, TrackingParameters, SortQuery, DuplicateSlashes])
            .collect::<Vec<_>>(),
    )
}

/// The whole way, step by step.
fn per_link() {
    let links = std::env::var("LINKS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let (base, canon, all, scope) = (page(), Canon::default(), all(), scope());
    let href = |number: usize| HREFS[number % HREFS.len()];
    let urls: Vec<CanonicalUrl> = HREFS.iter().map(|href| canon.join(&base, href).unwrap()).collect();
    let requests: Vec<Request> = urls.iter().cloned().map(Request::get).collect();
    measure("joined and in normal form", links, |number| canon.join(&base, href(number)));
    measure("the same with every step that there is", links, |number| all.join(&base, href(number)));
    measure("fingerprint", links, |number| requests[number % HREFS.len()].fingerprint());
    measure("judged by a scope of seven patterns", links, |number| {
        scope.judge(&requests[number % HREFS.len()])
    });
    let only_hosts = Scope::of_seeds(&requests[..1]);
    measure("judged by the hosts of the seeds", links, |number| {
        only_hosts.judge(&requests[number % HREFS.len()])
    });
    measure("its host and its origin", links, |number| {
        let url = &urls[number % HREFS.len()];
        (url.host_key(), url.origin())
    });
    measure("all of it", links, |number| {
        let request = Request::get(canon.join(&base, href(number)).unwrap());
        scope.judge(&request).is_ok().then(|| (request.fingerprint(), request.url.host_key()))
    });
}

#[divan::bench(args = HREFS)]
fn join(bencher: Bencher, href: &str) {
    let (base, canon) = (page(), Canon::default());
    bencher.bench_local(|| canon.join(&base, black_box(href)));
}

/// Parsed from nothing, as a seed or a line of a sitemap is.
#[divan::bench(args = [PAGE, HREFS[9], HREFS[10], "http://[2001:db8::1]:8080/a"])]
fn parse(url: &str) -> CanonicalUrl {
    CanonicalUrl::parse(black_box(url)).unwrap()
}

#[divan::bench(args = [64, 512, 2_048])]
fn parse_long(bencher: Bencher, bytes: usize) {
    let url = format!("https://docs.example.com/{}", "a/b-c%20".repeat(bytes / 8));
    bencher.bench_local(|| CanonicalUrl::parse(black_box(&url)));
}

#[divan::bench(args = [64, 512, 2_048])]
fn fingerprint(bencher: Bencher, bytes: usize) {
    let url = vec![b'a'; bytes];
    bencher.bench_local(|| Fingerprint::of(black_box(&url)));
}

#[divan::bench]
fn host_key(bencher: Bencher) {
    bencher.bench_local(|| HostKey::of(black_box("docs.example.com")));
}

#[divan::bench(args = ["/manual/", "/docs/*/edit", "/docs/**.html$", "https://*.example.com/docs/", "re:[?&]page=\\d+"])]
fn scope_pattern(bencher: Bencher, pattern: &str) {
    let (pattern, url) = (UrlPattern::parse(pattern).unwrap(), CanonicalUrl::parse(PAGE).unwrap());
    bencher.bench_local(|| pattern.matches(black_box(&url)));
}

fn main() {
    per_link();
    divan::main();
}
