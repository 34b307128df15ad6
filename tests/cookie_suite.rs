//! Cookies against test suites that others wrote: the IETF's http-state (RFC 6265), and Scrapy's of cookies across redirects.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up shall fail")]

mod suites;

use crawl::cookies::{Jar, date};
use crawl::headers::date as http_date;
use crawl::redirect::{self, MAX_HOPS};
use crawl::request::Request;
use crawl::time::Timestamp;
use crawl::url::{Canon, CanonicalUrl};
use serde_json::Value;
use suites::cases;

/// 2011-04-15: when the suite was written, and its dates were still to come.
const THEN: Timestamp = Timestamp::from_secs(1_302_825_600);

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

/// The `Cookie` field that a case expects.
fn expected(case: &Value) -> Option<String> {
    let pairs = case["sent"].as_array().unwrap().iter();
    let pairs: Vec<_> = pairs
        .map(|pair| format!("{}={}", pair["name"].as_str().unwrap(), pair["value"].as_str().unwrap()))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join("; "))
}

/// No deviations. Tests that the suite itself has switched off are left out.
#[test]
fn cookies_are_kept_and_sent_as_the_ietf_has_them() {
    let Some(cases) = cases::<Vec<Value>>("cookies-httpstate/parser.json") else {
        return;
    };
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in &cases {
        let name = case["test"].as_str().unwrap();
        if name.starts_with("DISABLED_") {
            continue;
        }
        compared += 1;
        let home = url(&format!("http://home.example.org:8888/cookie-parser?{name}"));
        let sent_to = case["sent-to"].as_str().unwrap_or("/cookie-parser-result");
        let target = Canon::default().join(home.as_url(), sent_to).unwrap();
        let mut jar = Jar::default();
        for field in case["received"].as_array().unwrap() {
            jar.receive(&home, field.as_str().unwrap(), THEN);
        }
        let (found, meant) = (jar.header(&target, THEN), expected(case));
        if found != meant {
            wrong.push((name, found, meant));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}: {wrong:#?}", wrong.len());
    assert_eq!(compared, 218);
}

#[test]
fn dates_of_cookies_are_read_as_the_ietf_has_them() {
    for file in ["examples", "bsd-examples"] {
        let Some(cases) = cases::<Vec<Value>>(&format!("cookies-httpstate/dates/{file}.json")) else {
            return;
        };
        for case in &cases {
            let text = case["test"].as_str().unwrap();
            let meant = case["expected"].as_str().map(|text| http_date::parse(text, THEN).unwrap());
            assert_eq!(date::parse(text), meant, "{file}: {text:?}");
        }
    }
}

/// The URL of an end of a redirect, and the status that leads there.
fn end(argument: &Value) -> (CanonicalUrl, u16) {
    match argument.as_str() {
        Some(text) => (url(text), 301),
        None => (
            url(argument["url"].as_str().unwrap()),
            u16::try_from(argument["status"].as_u64().unwrap()).unwrap(),
        ),
    }
}

/// A cookie that a user has for `from`, as Scrapy takes it with a request.
fn jar_of(from: &CanonicalUrl, secure: &Value) -> Jar {
    let (mut jar, host) = (Jar::default(), from.host());
    match secure.as_bool() {
        Some(false) => jar.give(host, "a=b", THEN).unwrap(),
        Some(true) => jar.give(&format!("https://{host}"), "a=b", THEN).unwrap(),
        None if from.as_str().starts_with("https:") => {
            jar.give(&format!("https://{host}"), "a=b", THEN).unwrap();
        }
        None => jar.give(host, "a=b", THEN).unwrap(),
    }
    jar
}

/// `cookies2` of the cases with another scheme says what Scrapy's redirect leaves of a field that it has written into the request
/// itself. Ours is written when a request leaves, so that nothing is left behind by a redirect: what leaves then is `cookies3`.
#[test]
fn cookies_cross_redirects_as_scrapys_advisories_have_it() {
    let Some(cases) = cases::<Vec<Value>>("redirect-scrapy/cookies_across_redirect.json") else {
        return;
    };
    for case in &cases {
        let name = case["test"].as_str().unwrap();
        let flag = |key: &str| case[key].as_bool().unwrap();
        match case["kind"].as_str().unwrap() {
            "cookie_redirect" => {
                let ((from, _), (to, _)) = (end(&case["args"][0]), end(&case["args"][1]));
                let mut jar = jar_of(&from, &Value::Null);
                assert_eq!(jar.header(&from, THEN).is_some(), flag("cookies1"), "{name}");
                assert_eq!(jar.header(&to, THEN).is_some(), flag("cookies2"), "{name}");
            }
            "cookie_header_redirect" => {
                let ((from, _), (to, status)) = (end(&case["args"][0]), end(&case["args"][1]));
                let from = url(&format!("{from}x"));
                let request = Request::get(from).header("Cookie", "a=b");
                let next = redirect::follow(&request, status, Some(to.as_str()), &Canon::default(), MAX_HOPS)
                    .unwrap();
                assert_eq!(!next.headers.is_empty(), flag("cookies2"), "{name}");
            }
            "cookie_redirect_scheme_change" => {
                let [from, to] = ["from_scheme", "to_scheme"]
                    .map(|key| url(&format!("{}://a.example/", case[key].as_str().unwrap())));
                let mut jar = jar_of(&from, &case["secure"]);
                assert_eq!(jar.header(&from, THEN).is_some(), flag("cookies1"), "{name}");
                assert_eq!(jar.header(&to, THEN).is_some(), flag("cookies3"), "{name}");
            }
            kind => panic!("a new kind of case: {kind}"),
        }
    }
    assert_eq!(cases.len(), 14);
}
