//! Google's own test cases for robots.txt against `crawl::robots`. The suite lies beside the crate and is skipped if absent.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod suites;

use crawl::robots::{ProductToken, RobotsRules};
use serde_json::Value;
use url::Url;

/// Cases that are answered otherwise, and why: test, part of the URL, part of the file, reason.
const DEVIATIONS: [(&str, &str, &str, &str); 4] = [
    (
        "GoogleOnly_IndexHTMLisDirectory",
        "http://foo.com/allowed-slash/",
        "index.html",
        "RFC 9309 knows no directory index: a rule for /dir/index.html says nothing about /dir/",
    ),
    (
        "ID_Encoding",
        "http://foo.bar/foo/bar/ツ",
        "Allow: /foo/bar/ツ",
        "the URL standard percent-encodes the URL before any comparison",
    ),
    (
        "ID_Encoding",
        "http://foo.bar/foo/bar/ツ",
        "Allow: /foo/bar/%E3%83%84",
        "the URL standard percent-encodes the URL before any comparison",
    ),
    (
        "ID_Encoding",
        "http://foo.bar/foo/bar/baz",
        "Allow: /foo/bar/%62%61%7A",
        "RFC 9309 section 2.2.2: an encoded unreserved character is that character",
    ),
];

fn suite() -> Option<Value> {
    suites::cases("robots-google/cases.json")
}

fn list<'a>(suite: &'a Value, name: &str) -> &'a [Value] {
    suite[name].as_array().unwrap()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap()
}

/// A file is text, or base64 when it is not UTF-8.
fn octets(robots: &Value) -> Vec<u8> {
    match (robots.as_str(), robots["text"].as_str(), robots["b64"].as_str()) {
        (Some(text), ..) | (_, Some(text), _) => text.as_bytes().to_vec(),
        (.., encoded) => base64(encoded.unwrap()),
    }
}

fn base64(encoded: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut octets, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in encoded.bytes().filter(|&digit| digit != b'=') {
        let value = DIGITS.iter().position(|&known| known == digit).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push(u8::try_from((bits >> held) & 0xFF).unwrap());
        }
    }
    octets
}

fn rules(body: &[u8], agent: &str) -> RobotsRules {
    RobotsRules::parse_for_name(body, agent)
}

/// Google's tests also ask about texts that are no URLs; those have the path `/`.
fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|_| Url::parse("http://foo.bar/").unwrap())
}

fn deviation(case: &Value) -> Option<usize> {
    let robots = case["robots"].as_str()?;
    DEVIATIONS.iter().position(|&(test, url, part, _)| {
        text(case, "test") == test && text(case, "url") == url && robots.contains(part)
    })
}

#[test]
fn google_s_verdicts_are_ours_but_for_the_stated_deviations() {
    let Some(suite) = suite() else { return };
    let (mut wrong, mut used) = (Vec::new(), [false; DEVIATIONS.len()]);
    for case in list(&suite, "allow") {
        let found = rules(&octets(&case["robots"]), text(case, "agent")).allows(&url(text(case, "url")));
        let agrees = found == case["allowed"].as_bool().unwrap();
        match deviation(case) {
            Some(index) => used[index] |= !agrees,
            None if agrees => {}
            None => wrong.push(case),
        }
    }
    assert!(wrong.is_empty(), "{} wrong verdicts: {wrong:#?}", wrong.len());
    for (deviation, used) in DEVIATIONS.iter().zip(used) {
        assert!(used, "no deviation any more: {deviation:?}");
    }
}

#[test]
fn a_configured_name_is_valid_when_google_says_so() {
    let Some(suite) = suite() else { return };
    for case in list(&suite, "user_agent_token") {
        assert_eq!(
            ProductToken::parse(text(case, "token")).is_ok(),
            case["valid"].as_bool().unwrap(),
            "{case}"
        );
    }
}

/// Only whole http URLs reach a verdict; of the path of those that Google lists, `Disallow: PATH$` has to match all.
#[test]
fn the_compared_part_of_a_url_is_google_s() {
    let Some(suite) = suite() else { return };
    let whole = list(&suite, "path_of_url").iter().filter(|case| text(case, "url").starts_with("http"));
    let mut seen = 0;
    for case in whole {
        let body = format!("User-agent: *\nDisallow: {}$\n", text(case, "path"));
        assert!(!rules(body.as_bytes(), "FooBot").allows(&url(text(case, "url"))), "{case}");
        seen += 1;
    }
    assert!(seen >= 5);
}

/// A pattern and its escaped form have to cover the same paths, in both directions.
#[test]
fn an_escaped_pattern_covers_what_the_pattern_covers() {
    let Some(suite) = suite() else { return };
    for case in list(&suite, "escape_pattern") {
        let (pattern, escaped) = (text(case, "pattern"), text(case, "escaped"));
        for (rule, path) in [(pattern, escaped), (escaped, pattern), (escaped, escaped)] {
            let body = format!("User-agent: *\nDisallow: /{rule}$\n");
            let url = url(&format!("http://foo.bar/{path}"));
            assert!(!rules(body.as_bytes(), "FooBot").allows(&url), "{rule} {path}");
        }
    }
}

/// The number of a line is what a verdict tells: the last rule of a file has to be on the last line that Google counts,
/// unless Google counts an empty line after it.
#[test]
fn lines_are_counted_as_google_counts_them() {
    let Some(suite) = suite() else { return };
    for case in list(&suite, "line_stats").iter().filter(|case| case["sitemap"] == "") {
        let body = octets(&case["robots"]);
        let rules = ["foo", "bar"].map(|agent| rules(&body, agent));
        let found = rules.iter().flat_map(|rules| {
            ["http://x/AnyValue", "http://x/some/path", "http://x/"]
                .map(|path| rules.verdict(&url(path)).rule)
        });
        let last = found.flatten().map(|rule| u64::from(rule.line)).max();
        let unknown = case["unknown_directives"] == 1;
        assert_eq!(last, (!unknown).then(|| case["last_line"].as_u64().unwrap()), "{case}");
    }
}

#[test]
fn sitemaps_are_found_where_google_finds_them() {
    let Some(suite) = suite() else { return };
    for case in list(&suite, "line_stats").iter().filter(|case| case["sitemap"] != "") {
        assert_eq!(rules(&octets(&case["robots"]), "foo").sitemaps(), [text(case, "sitemap")], "{case}");
    }
}
