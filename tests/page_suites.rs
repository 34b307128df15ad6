//! Pages against test suites that others wrote: encodings (html5lib), refreshes (WPT), links (Scrapy).
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up shall fail")]

mod suites;

use std::collections::BTreeSet;
use std::sync::Arc;

use crawl::extract::facts::describe;
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::request::Request;
use crawl::response::Response;
use crawl::spider::Spider;
use crawl::spider::declarative::{Declarative, Recipe};
use crawl::url::{Canon, CanonStep, CanonicalUrl};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use suites::cases;

/// A body as the suites write it: text, or `{"b64": …}`.
fn bytes(text: &Value, base64: &Value) -> Vec<u8> {
    match text.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64_decoded(base64.as_str().unwrap()),
    }
}

fn base64_decoded(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = alphabet.iter().position(|letter| *letter == byte).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    out
}

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

#[test]
fn encodings_are_found_as_html5lib_finds_them() {
    let Some(cases) = cases::<Vec<Value>>("encoding-html5lib/cases.json") else {
        return;
    };
    let mut wrong = Vec::new();
    for case in &cases {
        let n = case["n"].as_u64().unwrap();
        let body = bytes(&case["text"], &case["b64"]);
        let found = describe(&url("http://a.example/"), HeaderMap::new(), body, "crawl").encoding;
        if !found.eq_ignore_ascii_case(case["encoding"].as_str().unwrap()) {
            wrong.push((n, found));
        }
    }
    // These seven declare their encoding behind the first kilobyte, where only a parser that starts again looks.
    let beyond: Vec<_> = wrong.iter().filter(|(n, _)| (47..=53).contains(n)).collect();
    assert_eq!(wrong.len(), beyond.len(), "{wrong:?}");
    assert_eq!(cases.len() - wrong.len(), 75);
}

#[test]
fn refreshes_are_read_as_browsers_read_them() {
    let Some(cases) = cases::<Vec<Value>>("meta-refresh-wpt/cases.json") else {
        return;
    };
    let here = url("http://a.example/dir/page");
    for case in &cases {
        let content = case["content"].as_str().unwrap();
        let escaped = content.replace('&', "&amp;").replace('"', "&quot;").replace('\r', "&#13;");
        let body = format!("<!doctype html><meta http-equiv=refresh content=\"{escaped}\">");
        let facts = describe(&here, HeaderMap::new(), body, "crawl");
        let found = facts.meta_refresh.as_ref();
        assert_eq!(found.map(|refresh| refresh.seconds), case["seconds"].as_u64(), "{content:?}");
        assert_eq!(found.map(|refresh| refresh.target.as_str()), case["url"].as_str(), "{content:?}");
        if let Some(target) = case["url"].as_str() {
            let meant = Canon::default().join(here.as_url(), target).unwrap();
            assert_eq!(found.unwrap().url.as_ref(), Some(&meant), "{content:?}");
        }
    }
    assert_eq!(cases.len(), 69);
}

/// Where we differ from Scrapy on purpose, by case and URL.
const DEVIATIONS: [(usize, &str, &str); 2] = [
    (21, "http://example.org/photo.jpg", "pictures are filtered by what they are, not by name: see scope"),
    (44, "ftp://www.external.com/", "only http and https are ever opened"),
];

#[test]
fn links_are_found_as_scrapy_finds_them() {
    let Some(cases) = cases::<Vec<Value>>("links-scrapy/extract_links.json") else {
        return;
    };
    let mut compared = 0;
    for (index, case) in cases.iter().enumerate() {
        if !case["ctor_kwargs"].as_object().unwrap().is_empty() {
            continue;
        }
        compared += 1;
        let body = bytes(&case["body"], &case["body"]["b64"]);
        let mut headers = HeaderMap::new();
        let charset = case["encoding"].as_str().unwrap();
        headers.insert("content-type", format!("text/html; charset={charset}").parse().unwrap());
        let facts = describe(&url(case["url"].as_str().unwrap()), headers, body, "crawl");
        let found: BTreeSet<_> =
            facts.links.iter().map(|link| (link.url.as_str().to_owned(), link.nofollow)).collect();
        let meant = case["result"].as_array().unwrap().iter().map(|link| {
            let url = link["url"].as_str().unwrap();
            let plain = Canon::of([CanonStep::PercentCase]).parse(url);
            let url = plain.map_or(url.to_owned(), |url| url.as_str().to_owned());
            (url, link["nofollow"].as_bool().unwrap())
        });
        let meant: BTreeSet<_> = meant.collect();
        for (url, nofollow) in found.symmetric_difference(&meant) {
            let known = DEVIATIONS.iter().any(|(case, address, _)| *case == index && address == url);
            assert!(known, "case {index}: {url} (nofollow {nofollow})");
        }
    }
    assert!(compared >= 10, "{compared}");
}

/// What of a request may not cross an origin.
fn credentials(headers: &Value) -> BTreeSet<String> {
    let names = headers.as_object().into_iter().flat_map(|fields| fields.keys());
    let names = names.map(|name| name.to_ascii_lowercase());
    names.filter(|name| matches!(name.as_str(), "authorization" | "cookie" | "proxy-authorization")).collect()
}

/// The request of a case, and its answer as a page.
fn asked(case: &Value) -> Option<Page> {
    let told = &case["request"];
    let mut request = Request::get(CanonicalUrl::parse(told["url"].as_str()?).ok()?);
    request.method = told["method"].as_str()?.parse().ok()?;
    for name in credentials(&told["headers"]) {
        request = request.header(name, "x");
    }
    let body = bytes(&Value::Null, &case["response"]["body"]["b64"]);
    let mut response = Response::of(request.url.clone(), StatusCode::OK, body);
    response.headers.insert("content-type", "text/html".parse().unwrap());
    Some(Page::new(Arc::new(request), response))
}

#[test]
fn refreshes_are_followed_as_scrapy_follows_them() {
    let Some(cases) = cases::<Vec<Value>>("redirect-scrapy/meta_refresh.json") else {
        return;
    };
    let (mut judged, mut wrong) = (0, Vec::new());
    for (n, case) in cases.iter().enumerate() {
        // Settings of Scrapy's own, and hops that it counts in its own way.
        if case["request"]["meta"].as_object().is_some_and(|meta| !meta.is_empty()) {
            continue;
        }
        let Some(page) = asked(case) else { continue };
        let mut harvest = Harvest::new();
        Declarative::new(Recipe::default()).parse(&page, &mut harvest).unwrap();
        // After a long time it is a link and no redirect.
        let found = harvest.requests().iter().find(|request| request.hops > 0).map(|request| {
            let names = request.headers.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
            (request.url.to_string(), request.method.to_string(), names)
        });
        let expected = case["redirect"].as_object().map(|next| {
            let address = url(next["url"].as_str().unwrap()).to_string();
            (address, next["method"].as_str().unwrap().to_owned(), credentials(&next["headers"]))
        });
        judged += 1;
        if found != expected {
            wrong.push((n, case["test"].clone(), found, expected));
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}: {wrong:#?}", wrong.len());
    assert!(judged > 30, "{judged}");
}
