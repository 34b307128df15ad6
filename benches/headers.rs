//! What the header fields of an answer cost: each rule by itself, and all of them together as an ordinary answer meets them.
//!
//! `cargo bench --bench headers`. Every fetched page pays for all of them once.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use crawl::cookies::Jar;
use crawl::headers::charset::ContentType;
use crawl::headers::directives::PageDirectives;
use crawl::headers::freshness::{Lifetime, forbids_storing};
use crawl::headers::rate_limit::announced;
use crawl::headers::retry_after::retry_after;
use crawl::headers::validators::Validators;
use crawl::headers::vary::Selecting;
use crawl::page::charset::{encoding, prescan};
use crawl::time::Timestamp;
use crawl::url::CanonicalUrl;
use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderName, HeaderValue};

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

/// What a shop behind a content network answers.
fn ordinary() -> HeaderMap {
    fields(&[
        ("content-type", "text/html; charset=utf-8"),
        ("date", "Wed, 18 Nov 2026 11:06:40 GMT"),
        ("server", "nginx"),
        ("cache-control", "private, max-age=300, must-revalidate"),
        ("expires", "Wed, 18 Nov 2026 11:11:40 GMT"),
        ("etag", "W/\"5f3a9c10-35f4\""),
        ("last-modified", "Tue, 17 Nov 2026 08:00:00 GMT"),
        ("vary", "accept-encoding, cookie"),
        ("set-cookie", "session=3b1f9f0c2a; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-ratelimit-limit", "600"),
        ("x-ratelimit-remaining", "417"),
        ("x-ratelimit-reset", "41"),
        ("x-robots-tag", "noarchive"),
    ])
}

#[divan::bench(args = ["120", "Wed, 18 Nov 2026 11:08:40 GMT", "Wednesday, 18-Nov-26 11:08:40 GMT", "1.5, 30", "soon"])]
fn retry_after_field(value: &str) -> Option<std::time::Duration> {
    retry_after([black_box(value)], Some("Wed, 18 Nov 2026 11:06:40 GMT"), NOW)
}

#[divan::bench]
fn rate_limit_none(bencher: Bencher) {
    let headers = fields(&[("content-type", "text/html"), ("date", "Wed, 18 Nov 2026 11:06:40 GMT")]);
    bencher.bench_local(|| announced(black_box(&headers), NOW));
}

#[divan::bench]
fn rate_limit_dialect(bencher: Bencher) {
    let headers = ordinary();
    bencher.bench_local(|| announced(black_box(&headers), NOW));
}

#[divan::bench]
fn rate_limit_draft(bencher: Bencher) {
    let headers = fields(&[
        ("ratelimit-policy", "\"burst\";q=100;w=60, \"daily\";q=1000;w=86400"),
        ("ratelimit", "\"burst\";r=50;t=30, \"daily\";r=900;t=40000"),
    ]);
    bencher.bench_local(|| announced(black_box(&headers), NOW));
}

#[divan::bench]
fn cache_control(bencher: Bencher) {
    let headers = ordinary();
    bencher.bench_local(|| {
        let headers = black_box(&headers);
        (forbids_storing(headers), Lifetime::read(headers).fresh_until(NOW))
    });
}

#[divan::bench]
fn validators(bencher: Bencher) {
    let headers = ordinary();
    bencher.bench_local(|| Validators::read(black_box(&headers)).conditions());
}

#[divan::bench]
fn vary(bencher: Bencher) {
    let (answer, sent) = (ordinary(), fields(&[("accept-encoding", "gzip, br, zstd"), ("cookie", "a=1")]));
    bencher.bench_local(|| Selecting::of(black_box(&answer), || sent.clone()));
}

#[divan::bench(args = ["text/html; charset=utf-8", "Text/HTML;Charset=\"latin1\"", "application/json", "text"])]
fn content_type(value: &str) -> Option<ContentType> {
    ContentType::parse(black_box(value))
}

/// The first kilobyte of a page: a declaration at once, one behind comments, none at all.
#[divan::bench(args = ["<!doctype html><html><head><meta charset=utf-8>", "<!-- --><!-- --><title>x</title>\
    <meta http-equiv=content-type content='text/html; charset=shift_jis'>", "<p>"])]
fn charset_prescan(bencher: Bencher, head: &str) {
    let body = format!("{head}{}", "<p class='text other'>Words &amp; words. ".repeat(60)).into_bytes();
    bencher.bench_local(|| prescan(black_box(&body)));
}

#[divan::bench]
fn charset_of_an_answer(bencher: Bencher) {
    let body = "<!doctype html><html><head><meta charset=utf-8><title>Words</title>".repeat(20).into_bytes();
    let told = ContentType::parse("text/html");
    bencher.bench_local(|| encoding(black_box(told.as_ref()), black_box(&body)));
}

#[divan::bench]
fn page_directives(bencher: Bencher) {
    let headers = ordinary();
    bencher.bench_local(|| PageDirectives::of_headers(black_box(&headers), "mybot"));
}

fn shop(page: usize) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("https://www.shop.example/catalogue/{page}")).unwrap()
}

/// A jar of so many cookies of one site, in which one is set anew.
#[divan::bench(args = [0, 10, 50])]
fn cookie_set(bencher: Bencher, cookies: usize) {
    let (mut jar, url) = (jar(cookies), shop(1));
    let field = "session=3b1f9f0c2a; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax";
    bencher.bench_local(|| jar.receive(&url, black_box(field), NOW));
}

#[divan::bench(args = [0, 10, 50])]
fn cookie_header(bencher: Bencher, cookies: usize) {
    let (mut jar, url) = (jar(cookies), shop(1));
    bencher.bench_local(|| jar.header(black_box(&url), NOW));
}

fn jar(cookies: usize) -> Jar {
    let mut jar = Jar::default();
    for number in 0..cookies {
        jar.receive(&shop(1), &format!("name-{number}=value; Path=/; Max-Age=86400"), NOW);
    }
    jar
}

/// What an answer costs in all.
#[divan::bench]
fn whole_answer(bencher: Bencher) {
    let (headers, url, mut jar) = (ordinary(), shop(1), jar(3));
    bencher.bench_local(|| {
        let headers = black_box(&headers);
        for field in headers.get_all("set-cookie") {
            black_box(jar.receive(&url, field.to_str().unwrap(), NOW));
        }
        black_box(announced(headers, NOW));
        black_box(forbids_storing(headers));
        black_box(Lifetime::read(headers).fresh_until(NOW));
        black_box(Validators::read(headers));
        black_box(PageDirectives::of_headers(headers, "mybot"));
        black_box(ContentType::parse(headers["content-type"].to_str().unwrap()));
    });
}

fn main() {
    divan::main();
}
