//! URLs: three lines, a base, a reference and a text. The first byte of the text chooses the steps of canonicalisation.

use std::net::IpAddr;
use std::sync::OnceLock;

use crawl::address::{AddressPolicy, address_of};
use crawl::host::{host_facts, parse_host, registrable_domain};
use crawl::redirect::{self, MAX_HOPS};
use crawl::request::Request;
use crawl::scope::{HostPattern, UrlLimits, UrlPattern};
use crawl::url::{Canon, CanonStep, CanonicalUrl, parameter, set_parameter};
use url::Host;

use super::input::{text_line, url};

pub fn check(bytes: &[u8]) {
    let (base, rest) = text_line(bytes);
    let (reference, rest) = text_line(rest);
    let (text, _) = text_line(rest);
    let chosen = usize::from(text.as_bytes().first().copied().unwrap_or_default());
    let steps = CanonStep::ALL.into_iter().enumerate().filter(|(at, _)| chosen >> (at % 8) & 1 == 1);
    let canons =
        [Canon::default(), Canon::of(CanonStep::ALL), Canon::of([]), Canon::of(steps.map(|(_, step)| step))];
    for canon in &canons {
        let found = canon.parse(&base).ok();
        let base = found.clone().unwrap_or_else(home);
        let joined = canon.join(base.as_url(), &reference).ok();
        let legacy = canon.join_with_encoding(base.as_url(), &reference, encoding_rs::SHIFT_JIS).ok();
        for url in [&found, &joined, &legacy].into_iter().flatten() {
            stays_as_it_is(canon, url);
        }
        if let Some(joined) = &joined {
            brings_no_password(canon, &base, joined);
        }
    }
    a_url_has_its_parts(&base);
    a_parameter_is_what_it_was_set_to(&reference, &text);
    hosts_are_read_once(&text);
    redirects_keep_credentials_at_home(&reference);
    patterns_judge_every_url(&text, &reference);
}

fn home() -> CanonicalUrl {
    static HOME: OnceLock<CanonicalUrl> = OnceLock::new();
    HOME.get_or_init(|| url("http://me:secret@a.example/dir/page?x=1")).clone()
}

/// The normal form of a normal form is itself, however it is asked for.
fn stays_as_it_is(canon: &Canon, url: &CanonicalUrl) {
    assert!(matches!(url.as_url().scheme(), "http" | "https"), "{url:?}");
    assert!(url.as_url().fragment().is_none() && url.as_url().has_host(), "{url:?}");
    assert_eq!(canon.accept(url.as_url().clone()).as_ref(), Ok(url), "accepted");
    if url.as_str().len() > crawl::url::MAX_URL_BYTES {
        return;
    }
    assert_eq!(canon.parse(url.as_str()).as_ref(), Ok(url), "parsed again");
    let (traced, changes) = canon.trace(url.as_str()).expect("it was parsed before");
    assert_eq!((&traced, changes.len()), (url, 0), "traced");
    let written = serde_json::to_string(url).expect("a URL is text");
    let read: CanonicalUrl = serde_json::from_str(&written).expect("what was written is read");
    assert_eq!(&read, url, "written and read");
    assert_eq!(read.fingerprint(), url.fingerprint());
}

fn brings_no_password(canon: &Canon, base: &CanonicalUrl, joined: &CanonicalUrl) {
    let secrets =
        |url: &CanonicalUrl| (url.as_url().username().to_owned(), url.as_url().password().map(str::to_owned));
    if canon.applies(CanonStep::Userinfo) && secrets(joined) != (String::new(), None) {
        assert_eq!((secrets(joined), joined.origin()), (secrets(base), base.origin()), "{joined:?}");
    }
}

fn a_url_has_its_parts(text: &str) {
    let Ok(url) = CanonicalUrl::parse(text) else { return };
    let origin = url.origin();
    assert_eq!(origin.robots_url().origin(), origin);
    assert_eq!(origin.robots_url().as_url().path(), "/robots.txt");
    assert_eq!(url.host_key(), origin.host_key());
    assert!(!url.as_str().contains(|letter: char| letter.is_control() || letter == ' '), "{url:?}");
    let shown = url.to_string();
    match url.as_url().password() {
        None => assert_eq!(shown, url.as_str()),
        Some(_) => assert!(shown.contains(":***@"), "a password is shown"),
    }
    let facts = host_facts(url.host());
    let _ = format!("{facts:?}");
    if let Some(domain) = registrable_domain(url.host()) {
        assert!(url.host().trim_end_matches('.').ends_with(domain.trim_end_matches('.')), "{domain}");
    }
    let _ = UrlLimits::default().judge(&url);
}

fn a_parameter_is_what_it_was_set_to(query: &str, value: &str) {
    let mut page = home().as_url().clone();
    page.set_query(Some(query));
    let before = page.query().unwrap_or_default().to_owned();
    for name in ["page", value] {
        let set = set_parameter(&before, name, "7&8 =é");
        page.set_query(Some(&set));
        assert_eq!(parameter(&page, name).as_deref(), Some("7&8 =é"), "{name:?} in {set:?}");
        assert_eq!(set_parameter(&set, name, "7&8 =é"), set, "set twice");
    }
}

/// The guard of addresses reads a host as the client does that connects to it: otherwise it could be told one and shown another.
fn hosts_are_read_once(text: &str) {
    let policy = AddressPolicy::new(Vec::new());
    let parsed = parse_host(text);
    if let Some(host) = &parsed {
        let again = parse_host(&host.to_string());
        assert_eq!(again.as_ref(), Some(host), "a host is written as it is read");
        if let Some(address) = address_of(host) {
            assert_eq!(policy.judge_host(host).is_ok(), policy.permits(address));
        }
    }
    let Ok(url) = CanonicalUrl::parse(&format!("http://{text}/")) else { return };
    let literal = match url.as_url().host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    let host = url.as_url().host().expect("http has a host");
    if let Some(address) = literal {
        assert_eq!(policy.judge_host(&host).is_ok(), policy.permits(address), "{host}");
        if let IpAddr::V4(address) = address {
            let mapped = IpAddr::V6(address.to_ipv6_mapped());
            assert_eq!(policy.permits(mapped), policy.permits(IpAddr::V4(address)), "{mapped}");
        }
    }
}

fn redirects_keep_credentials_at_home(location: &str) {
    let mut asked = Request::post(home(), "secret body");
    let secrets = [("authorization", "Basic x"), ("cookie", "a=b"), ("Content-Type", "text/plain")];
    asked.headers = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    for status in [301, 303, 307] {
        let Ok(next) = redirect::follow(&asked, status, Some(location), &Canon::default(), MAX_HOPS) else {
            continue;
        };
        assert_eq!(next.hops, 1);
        assert_eq!(next.body.is_some(), status == 307);
        let carries = |name: &str| next.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name));
        if next.origin() != asked.origin() {
            assert!(!carries("authorization") && !carries("cookie"), "{}", next.url);
            assert!(next.url.as_url().password().is_none(), "{}", next.url);
        }
        assert_eq!(carries("content-type"), status == 307);
    }
}

fn patterns_judge_every_url(pattern: &str, path: &str) {
    let asked = Canon::default().join(home().as_url(), path).unwrap_or_else(|_| home());
    if let Ok(pattern) = UrlPattern::parse(pattern) {
        let again = UrlPattern::parse(pattern.as_str()).expect("it was parsed before");
        assert_eq!(pattern.matches(&asked), again.matches(&asked));
    }
    if let Ok(pattern) = HostPattern::parse(pattern) {
        let again = HostPattern::parse(&pattern.to_string()).expect("it was parsed before");
        assert_eq!(pattern.matches(&asked), again.matches(&asked), "{pattern}");
    }
}
