//! Header fields: lines `name: value`, then an empty one and a body. The values of fields that are read from text alone stand in
//! `x-text`.

use std::time::Duration;

use crawl::headers::challenge::challenge;
use crawl::headers::charset::ContentType;
use crawl::headers::directives::PageDirectives;
use crawl::headers::freshness::{Lifetime, forbids_storing};
use crawl::headers::rate_limit::{LONGEST_RESET, MOST_REQUESTS, announced, policies};
use crawl::headers::validators::{Validators, is_condition};
use crawl::headers::vary::Selecting;
use crawl::headers::{date, link, retry_after};
use crawl::page::refresh::Refresh;
use crawl::robots::{CACHE_LIFETIME, MIN_LIFETIME, lifetime};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::input::{NOW, fields};

pub fn check(bytes: &[u8]) {
    let (headers, body) = fields(bytes);
    waits(&headers);
    limits(&headers);
    validators(&headers);
    freshness(&headers);
    links(&headers);
    directives(&headers);
    for value in headers.get_all("x-text").iter().filter_map(|value| value.to_str().ok()) {
        texts(value);
    }
    let found = challenge(StatusCode::FORBIDDEN, &headers, body);
    assert_eq!(
        found,
        challenge(StatusCode::FORBIDDEN, &headers, &body[..body.len().min(4_096)]),
        "only the beginning counts"
    );
}

/// A wait is more than nothing, a value more never makes it shorter, and lines are as good as commas.
fn waits(headers: &HeaderMap) {
    let told = retry_after::of_headers(headers, NOW);
    assert_ne!(told, Some(Duration::ZERO));
    let mut more = headers.clone();
    more.append("retry-after", HeaderValue::from_static("3"));
    assert!(retry_after::of_headers(&more, NOW) >= told.max(Some(Duration::from_secs(3))));
    let lines: Vec<&[u8]> = headers.get_all("retry-after").iter().map(HeaderValue::as_bytes).collect();
    if lines.iter().all(|line| str::from_utf8(line).is_ok()) {
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        let joined = lines.join(&b","[..]);
        assert_eq!(retry_after::retry_after([joined], date, NOW), told, "joined by commas");
    }
}

fn limits(headers: &HeaderMap) {
    let told = announced(headers, NOW);
    assert!(told.reset.is_none_or(|reset| reset <= LONGEST_RESET), "{told:?}");
    assert!(told.remaining.is_none_or(|left| left <= MOST_REQUESTS), "{told:?}");
    assert!(told.limit.is_none_or(|limit| limit <= MOST_REQUESTS), "{told:?}");
    assert!(policies(headers).len() <= 1_000);
}

/// What is sent back can be sent, and asks what we ask.
fn validators(headers: &HeaderMap) {
    let mut read = Validators::read(headers);
    for (name, value) in read.conditions() {
        assert!(
            is_condition(&name) && value.len() <= 1_024 && HeaderValue::from_str(&value).is_ok(),
            "{value:?}"
        );
        assert_ne!(value.trim(), "*");
    }
    let before = read.clone();
    read.update(headers);
    assert_eq!(read, before, "a 304 that says the same changes nothing");
    let sent = || headers.clone();
    if let Some(selecting) = Selecting::of(headers, sent) {
        assert!(selecting.matches(sent), "an answer is one to its own request");
        assert_eq!(selecting.sibling(sent), selecting);
        assert!(!selecting.is_sibling(&selecting));
    }
}

fn freshness(headers: &HeaderMap) {
    let mut read = Lifetime::read(headers);
    assert!(read.fresh_until(NOW) >= NOW);
    assert!(read.text_bytes() <= 3 * 1_024, "{read:?}");
    let mut more = headers.clone();
    more.append("cache-control", HeaderValue::from_static("no-store"));
    assert!(forbids_storing(&more), "a line that says so says so whatever the others say");
    let before = read.clone();
    read.update(headers);
    assert_eq!(read, before);
    let control = headers.get("cache-control").and_then(|value| value.to_str().ok());
    assert!((MIN_LIFETIME..=CACHE_LIFETIME).contains(&lifetime(control)), "of robots.txt");
}

/// A target is a piece of one of the lines, and so are the lines in one.
fn links(headers: &HeaderMap) {
    let lines: Vec<String> = headers
        .get_all("link")
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
        .collect();
    for relation in ["next", "canonical", ""] {
        if let Some(target) = link::target(headers, relation) {
            assert!(lines.iter().any(|line| line.contains(&target)), "{target:?}");
        }
    }
}

/// A word more asks for more, never for less; and letter case says nothing.
fn directives(headers: &HeaderMap) {
    let asked = PageDirectives::of_headers(headers, "bot");
    assert_eq!(PageDirectives::of_headers(headers, "BOT"), asked);
    let mut more = headers.clone();
    more.append("x-robots-tag", HeaderValue::from_static("nofollow"));
    let more = PageDirectives::of_headers(&more, "bot");
    assert_eq!(more, PageDirectives { nofollow: true, ..asked.clone() });
    assert_eq!(asked.clone().and(asked.clone()), asked);
}

fn texts(value: &str) {
    if let Some(moment) = date::parse(value, NOW) {
        assert_eq!(date::parse(&format!(" {value}\t"), NOW), Some(moment), "white space around a date");
        let shown = moment.to_string();
        if shown.len() == "2026-11-22T12:00:00.000Z".len() {
            assert_eq!(date::iso_8601(&shown), Some(moment), "a moment is read as it is shown");
        }
    }
    if let Some(moment) = date::iso_8601(value) {
        assert_eq!(date::iso_8601(&moment.to_string()), Some(moment), "a moment is read as it is shown");
    }
    let _ = crawl::cookies::date::parse(value);
    if let Some(kind) = ContentType::parse(value) {
        assert!(!(kind.is_html() && kind.is_json()), "{kind:?}");
    }
    if let Some(refresh) = Refresh::parse(value) {
        assert!(refresh.target.len() <= value.len());
        assert!(!refresh.target.contains(['\t', '\n', '\r']));
    }
}
