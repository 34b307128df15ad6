//! The URL standard's own cases (Web Platform Tests), where the suite is at hand.

mod suites;

use crawl::host::host_facts;
use crawl::url::resolve;
use encoding_rs::{Encoding, UTF_8};
use serde_json::Value;
use url::Url;

/// The cases of a file; the texts between them are its headings.
fn cases(name: &str) -> Vec<Value> {
    let all: Vec<Value> = suites::cases(&format!("url-wpt/{name}")).unwrap_or_default();
    all.into_iter().filter(Value::is_object).collect()
}

fn input(case: &Value) -> &str {
    case["input"].as_str().expect("every case has an input")
}

/// The href of a case as we see it; `None` is a failure.
fn href(case: &Value) -> Option<String> {
    let base = match case["base"].as_str() {
        Some(base) => Some(resolve(base, None, UTF_8).ok()?),
        None => None,
    };
    let url = resolve(input(case), base.as_ref(), UTF_8).ok()?;
    Some(url.into())
}

/// Whether input, base or result say http: the rest of the suite is about schemes that are never opened.
fn concerns_http(case: &Value) -> bool {
    ["input", "base", "href"].iter().any(|key| {
        let text = case[key].as_str().unwrap_or_default().trim_start().to_ascii_lowercase();
        text.starts_with("http:") || text.starts_with("https:")
    })
}

/// ASCII labels that begin with `xn--` and are no Punycode, or decode to letters that no name may have. Browsers pass
/// them on as they stand, since 2025; the IDNA of crate `url` refuses them. No such name can be registered, so nothing
/// that could be crawled is lost.
const UNREADABLE_LABELS: [&str; 9] = [
    "xn--pokxncvks",
    "xn--/",
    "xn--a",
    "xn--a.xn--zca",
    "xn--ls8h=",
    "xn--1ug.example",
    "xn--a-yoc",
    "xn--zn7c.com",
    "xn--0.com",
];

fn is_known(input: &str) -> bool {
    let input = input.to_ascii_lowercase();
    UNREADABLE_LABELS.iter().any(|label| input.ends_with(label))
}

/// What is wrong, without the known deviations; their number must not grow.
fn wrong(cases: &[Value], is_right: impl Fn(&Value) -> bool, known: usize) -> Vec<&Value> {
    let all: Vec<&Value> = cases.iter().filter(|case| !is_right(case)).collect();
    let (expected, new): (Vec<_>, Vec<_>) = all.into_iter().partition(|case| is_known(input(case)));
    eprintln!("{} of {} wrong, {} of them known", expected.len() + new.len(), cases.len(), expected.len());
    assert!(expected.len() <= known, "{expected:#?}");
    new
}

#[test]
fn urls_are_read_as_browsers_read_them() {
    let http: Vec<Value> = cases("urltestdata.json").into_iter().filter(concerns_http).collect();
    let wrong = wrong(&http, |case| href(case).as_deref() == case["href"].as_str(), 7);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn host_names_become_ascii_as_in_browsers() {
    let all = cases("toascii.json");
    let ascii = |case: &Value| host_facts(input(case)).ascii;
    let wrong = wrong(&all, |case| ascii(case).as_deref() == case["output"].as_str(), 7);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn queries_are_written_in_the_charset_of_the_page() {
    let base = Url::parse("http://a.example/").unwrap();
    for case in cases("percent-encoding.json") {
        for (label, output) in case["output"].as_object().unwrap() {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            let reference = format!("?{}#", input(&case));
            let url = resolve(&reference, Some(&base), encoding).unwrap();
            assert_eq!(url.query(), output.as_str(), "{} in {label}", case["input"]);
        }
    }
}
