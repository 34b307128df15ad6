//! What takes values from a page: the first line is a selector, the rest the page.

use crawl::extract::article::article;
use crawl::extract::convert::{DateFormat, NumberStyle, date, datetime, decimal, integer};
use crawl::extract::json::{JsonPath, script_value, scripts};
use crawl::extract::structured::{json_ld, meta, microdata, open_graph};
use crawl::extract::xpath::{Found, XPath};
use crawl::page::Page;
use crawl::page::css::Css;
use crawl::page::json;

use super::input::{html, text_line};

pub fn check(bytes: &[u8]) {
    let (query, body) = text_line(bytes);
    let page = html(body);
    css(&query, &page);
    xpath(&query, &page);
    if let Ok(text) = str::from_utf8(body) {
        of_json(&query, text);
    }
    structured(&page, &query);
    texts(&query);
}

fn css(query: &str, page: &Page) {
    let Ok(css) = Css::parse(query) else { return };
    let found = page.select(&css).expect("a selector that is one");
    let all = page.select("*").expect("a selector that is one");
    assert!(found.len() <= all.len());
    let first = page.first(&css).expect("a selector that is one");
    assert_eq!(first.map(|element| element.html()), found.first().map(|element| element.html()));
}

fn xpath(query: &str, page: &Page) {
    let Ok(xpath) = XPath::parse(query) else { return };
    assert_eq!(xpath.as_str(), query);
    let told = |found: &[Found<'_>]| -> Vec<String> { found.iter().map(Found::text).collect() };
    match (xpath.evaluate(page, None), xpath.evaluate(page, None)) {
        (Ok(found), Ok(again)) => assert_eq!(told(&found), told(&again)),
        (Err(_), Err(_)) => {}
        _ => panic!("the same query is answered once and once not"),
    }
    if let (Ok(path), Some(root)) = (XPath::parse(&format!("({query})[1]")), page.root())
        && let (Ok(all), Ok(first)) = (xpath.evaluate(page, Some(root)), path.evaluate(page, Some(root)))
    {
        assert!(first.len() <= 1 && first.len() <= all.len(), "{query:?}");
    }
}

/// What is read as JSON is JSON, and is read as serde_json reads it.
fn of_json(query: &str, text: &str) {
    let Ok(value) = json::read(text) else { return };
    let plain: serde_json::Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("it was read");
    assert_eq!(value, plain);
    let written = value.to_string();
    assert_eq!(json::read(&written).expect("what was written is read"), value);
    if let Ok(path) = JsonPath::parse(query) {
        let _ = path.find(&value);
    }
}

fn structured(page: &Page, name: &str) {
    let _ = (json_ld(page), microdata(page), meta(page), open_graph(page), scripts(page));
    let _ = script_value(page, name);
    let _ = article(page);
}

/// A number is the same as a whole one, and what a text is read as is read as itself.
fn texts(text: &str) {
    let style = NumberStyle::default();
    if let (Ok(whole), Ok(number)) = (integer(text, &style), decimal(text, &style)) {
        assert!(
            (whole as f64 - number).abs() <= number.abs() * 1e-9 + 1.0,
            "{text:?} is {whole} and {number}"
        );
    }
    if let Ok(day) = date(text, None) {
        assert_eq!(date(&day, None), Ok(day), "{text:?}");
    }
    if let Ok(moment) = datetime(text, None) {
        assert_eq!(datetime(&moment, None), Ok(moment), "{text:?}");
    }
    if let Ok(format) = DateFormat::parse(text) {
        let _ = (date("3 May 2026", Some(&format)), datetime("3 May 2026 10:00", Some(&format)));
    }
}
