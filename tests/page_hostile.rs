//! Pages that want to cost more than they may: each must be read in bounded time, and keep its text and links.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up shall fail")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crawl::page::Page;
use crawl::page::links::MAX_LINKS;
use crawl::page::markup::MAX_ATTRIBUTES;
use crawl::page::tree::{Limit, MAX_DEPTH, MAX_WEIGHT};
use crawl::request::Request;
use crawl::response::Response;
use crawl::url::CanonicalUrl;
use http::StatusCode;

/// Far above what a dev build on a busy machine takes, far below what an unbounded parser takes.
const LIMIT: Duration = Duration::from_secs(20);

fn page(body: impl Into<bytes::Bytes>) -> Page {
    let url = CanonicalUrl::parse("http://a.example/").unwrap();
    let mut response = Response::of(url.clone(), StatusCode::OK, body);
    response.headers.insert("content-type", "text/html; charset=utf-8".parse().unwrap());
    Page::new(Arc::new(Request::get(url)), response)
}

#[expect(clippy::disallowed_methods, reason = "measures how long the parser takes on this machine")]
fn in_time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    let took = started.elapsed();
    eprintln!("{what}: {took:?}");
    assert!(took < LIMIT, "{what} took {took:?}");
    result
}

fn depth(page: &Page) -> usize {
    let nodes = page.html().tree.nodes();
    nodes.map(|node| node.ancestors().count()).max().unwrap_or(0)
}

fn numbered(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

#[test]
fn deep_nesting_is_flattened_and_keeps_its_text_and_links() {
    let body = format!(
        "{}<a href=/deep>deep</a> end{}<p id=after>after",
        "<div>".repeat(100_000),
        "</div>".repeat(100_000)
    );
    let page = page(body);
    let links = in_time("100,000 divs", || page.links());
    assert_eq!(links.links[0].url.as_str(), "http://a.example/deep");
    assert!((MAX_DEPTH - 10..MAX_DEPTH + 200).contains(&depth(&page)), "{}", depth(&page));
    assert_eq!(page.limits(), [Limit::Depth(MAX_DEPTH)]);
    assert_eq!(page.text_of("#after").unwrap().as_deref(), Some("after"));
    assert!(page.text_of("body").unwrap().unwrap().contains("deep end"));
}

#[test]
fn what_comes_after_a_deep_part_has_its_structure_again() {
    let body = format!("{}{}<ul><li><b>x</b></ul>", "<div>".repeat(5_000), "</div>".repeat(5_000));
    assert_eq!(page(body).text_of("ul > li > b").unwrap().as_deref(), Some("x"));
}

#[test]
fn a_million_nested_elements_of_any_kind_are_bounded() {
    for tag in [
        "div",
        "span",
        "b",
        "p",
        "li",
        "ul><li",
        "table><td",
        "svg><style",
        "svg><a",
        "select><option",
        "template",
        "object><a href=x",
        "font size=1",
        "svg><foreignObject",
        "math><mi><b",
        "button",
        "form",
    ] {
        let page = page(format!("<{tag}>").repeat(300_000));
        in_time(tag, || page.links());
        assert!(depth(&page) < 3 * MAX_DEPTH, "{tag}: {}", depth(&page));
    }
}

#[test]
fn formatting_that_is_never_closed_is_not_multiplied() {
    let open = numbered(2_000, |n| format!("<b id=b{n}>"));
    let body = format!("<p>{open}{}", "<p>x".repeat(500_000));
    let page = page(body);
    in_time("reopened formatting", || page.links());
    assert!(page.html().tree.nodes().count() < 3 * MAX_WEIGHT);
}

#[test]
fn formatting_that_grows_with_every_paragraph_is_bounded() {
    let page = page(numbered(200_000, |n| format!("<p><b id=b{n}></p>")));
    in_time("growing formatting", || page.links());
    assert!(depth(&page) < 3 * MAX_DEPTH);
}

#[test]
fn tags_with_too_many_attributes_are_cut() {
    let many = numbered(300_000, |n| format!(" a{n}"));
    for (what, body) in [
        ("in markup", format!("<a href=/x{many}>x</a><a href=/y>")),
        ("in an end tag", format!("<a href=/x></a{many}><a href=/y>")),
        ("behind a comment with a quote", format!("<a href=/x><!-- <a b=\" --><i {many}></i><a href=/y>")),
        (
            "in the title of a drawing",
            format!("<a href=/x><svg><title><a{many}></a></title></svg><a href=/y>"),
        ),
        (
            "in a title that a frameset ignores",
            format!("<a href=/x></a><a href=/y><select><textarea><i{many}></i></select>"),
        ),
        (
            "at the end of a script",
            format!("<a href=/x><script>'<a b=\"'</script{many}><i{many}></i><a href=/y>"),
        ),
        (
            "behind a script in a script",
            format!("<a href=/x><script><!--<script></script a=\"</script><i{many}>\"><a href=/y>"),
        ),
        (
            "in CDATA of a drawing",
            format!("<a href=/x><svg><![CDATA[<a b=\"]]><b{many}></b></svg><a href=/y>"),
        ),
        ("in CDATA outside a drawing", format!("<a href=/x><![CDATA[<a b=\"><b{many}></b><a href=/y>")),
        ("on the root", format!("<a href=/x>{}<a href=/y>", numbered(200_000, |n| format!("<html a{n}>")))),
    ] {
        let page = page(body);
        let links = in_time(what, || page.links());
        assert_eq!(links.links.len(), 2, "{what}: {:?}", links.links);
        let elements = page.html().tree.nodes().filter_map(|node| node.value().as_element());
        let most = elements.map(|element| element.attrs().count()).max();
        assert!(most <= Some(MAX_ATTRIBUTES), "{what}: {most:?}");
    }
}

#[test]
fn a_value_of_twenty_megabytes_is_read() {
    let page = page(format!("<a href=\"/{}\">x</a><a href=/y>y</a>", "x".repeat(20_000_000)));
    let links = in_time("a long value", || page.links());
    assert_eq!(links.links.len(), 1);
}

#[test]
fn unfinished_things_without_end_are_read() {
    for what in [
        "<!--",
        "<!-- --",
        "<",
        "</",
        "<a ",
        "<a href='",
        "&",
        "&a",
        "&#",
        "<!",
        "<?",
        "<![CDATA[",
        "<script>",
        "<title>",
        "<svg><![CDATA[",
        "]]>",
        "\0",
        "<p",
        "</p>",
        "</br>",
        "</x>",
        "\"",
        "<script><!--<script>",
        "<plaintext>",
        "<a b=c",
        "-->",
        "<x/",
        "<base href=x>",
        "\r",
        "<td>",
        "<frameset>",
        "</html><p>",
        "<option>x",
        "<meta name=robots content=x>",
    ] {
        let page = page(what.repeat(1_000_000));
        in_time(what, || {
            (page.links(), page.title(), page.directives("crawl"), page.meta_refresh(), page.canonical())
        });
    }
}

#[test]
fn a_long_entity_is_read() {
    let page = page(format!("<p>&{}", "a".repeat(10_000_000)));
    in_time("a long entity", || page.title());
}

#[test]
fn end_tags_without_start_cost_no_walks_without_bound() {
    let body = format!("<x><div>{}{}", "<span>".repeat(500), "</x>".repeat(1_000_000));
    let page = page(body);
    in_time("end tags", || page.links());
}

#[test]
fn of_a_million_links_the_first_ten_thousand_are_read() {
    let body = numbered(1_000_000, |n| format!("<a href=\"/page/{n:012}\">x</a> "));
    assert!(body.len() > 30_000_000);
    let page = page(body);
    let links = in_time("a million links", || page.links());
    assert_eq!(links.links.len(), MAX_LINKS);
    assert!(links.unread > 400_000);
}
