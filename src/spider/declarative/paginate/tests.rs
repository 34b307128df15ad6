use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::*;
use crate::item::Harvest;
use crate::request::Kind;
use crate::response::{Failure, FailureClass, Response};
use crate::spider::Spider;
use crate::spider::declarative::{
    Declarative, ExtractRule, FieldRule, FollowRule, ItemScope, Recipe, carrying,
};

fn path(text: &str) -> JsonPath {
    JsonPath::parse(text).unwrap()
}

fn rule(next: Next) -> PaginateRule {
    PaginateRule {
        on: None,
        next,
        stop: vec![Stop::NoItems, Stop::Repeated],
        until_empty: None,
        max_pages: None,
    }
}

fn by_number(name: &str) -> PaginateRule {
    rule(Next::Number(Place::Parameter(name.to_owned()), Numbers { from: 1, step: 1, to: None }))
}

fn get(url: &str) -> Request {
    Request::get(CanonicalUrl::parse(url).unwrap())
}

fn page(request: Request, body: &str) -> Page {
    let mut response = Response::of(request.url.clone(), StatusCode::OK, body.to_owned());
    let content_type = if body.starts_with(['{', '[']) { "application/json" } else { "text/html" };
    response.headers.insert("content-type", content_type.parse().unwrap());
    Page::new(Arc::new(request), response)
}

/// An item for each `<li>`; links are items where `links` is said.
fn spider(rule: PaginateRule) -> Declarative {
    let field = FieldRule { name: "text".to_owned(), ..FieldRule::default() };
    let extract = ExtractRule {
        label: None,
        pages: Vec::new(),
        kind: None,
        scope: ItemScope::Css(Css::parse("li").unwrap()),
        fields: vec![field],
    };
    Declarative::new(Recipe { paginate: vec![rule], extract: vec![extract], ..Recipe::default() })
}

fn harvest(spider: &Declarative, request: Request, body: &str) -> Harvest {
    let mut harvest = Harvest::new();
    spider.parse(&page(request, body), &mut harvest).unwrap();
    harvest
}

fn next(spider: &Declarative, request: Request, body: &str) -> Option<Request> {
    harvest(spider, request, body).requests().last().cloned()
}

/// Walks over these bodies, and tells the URLs that were asked after the first.
fn walk(spider: &Declarative, from: Request, bodies: &[&str]) -> Vec<String> {
    let (mut asked, mut now) = (Vec::new(), from);
    for body in bodies {
        let Some(request) = next(spider, now, body) else { break };
        asked.push(request.url.path_and_query().to_owned());
        now = request;
    }
    asked
}

#[test]
fn pages_are_counted_until_one_gives_no_items() {
    let found =
        walk(&spider(by_number("page")), get("http://a.example/?q=x"), &["<li>1", "<li>2", "<p>none"]);
    assert_eq!(found, ["/?q=x&page=2", "/?q=x&page=3"]);
}

#[test]
fn counting_goes_on_from_the_number_that_the_first_page_has() {
    let found = walk(&spider(by_number("page")), get("http://a.example/?page=7&q=x"), &["<li>1"]);
    assert_eq!(found, ["/?page=8&q=x"]);
}

#[test]
fn a_page_that_gives_what_the_page_before_gave_ends_the_list() {
    let found =
        walk(&spider(by_number("p")), get("http://a.example/"), &["<li>1", "<li>2", "<p>x<li>2", "<li>3"]);
    assert_eq!(found, ["/?p=2", "/?p=3"]);
    let free = PaginateRule { stop: Vec::new(), ..by_number("p") };
    assert_eq!(walk(&spider(free), get("http://a.example/"), &["<li>1", "<li>1", "x"]).len(), 3);
}

#[test]
fn offsets_have_a_first_a_step_and_a_last() {
    let numbers = Numbers { from: 0, step: 50, to: Some(100) };
    let rule = rule(Next::Number(Place::Parameter("offset".to_owned()), numbers));
    let found = walk(&spider(rule), get("http://a.example/"), &["<li>1", "<li>2", "<li>3", "<li>4"]);
    assert_eq!(found, ["/?offset=50", "/?offset=100"]);
}

#[test]
fn a_number_can_stand_anywhere_in_a_url() {
    let url = Place::Url("/list/{n}.html".to_owned());
    let rule = rule(Next::Number(url, Numbers { from: 1, step: 1, to: None }));
    let found = walk(&spider(rule), get("http://a.example/list/"), &["<li>1", "<li>2", "-"]);
    assert_eq!(found, ["/list/2.html", "/list/3.html"]);
}

#[test]
fn a_list_has_no_more_pages_than_are_wanted() {
    let rule = PaginateRule { max_pages: Some(2), ..by_number("p") };
    assert_eq!(walk(&spider(rule), get("http://a.example/"), &["<li>1", "<li>2", "<li>3"]), ["/?p=2"]);
}

#[test]
fn a_list_without_an_end_is_left_and_reported() {
    let mut request = get("http://a.example/?p=9999");
    let walk = Walk { turned: MAX_WALK - 1, number: Some(9_999), ..Walk::default() };
    request = Luggage { walk: Some(walk), ..Luggage::default() }.put(request);
    let found = harvest(&spider(by_number("p")), request, "<li>1");
    assert!(found.requests().is_empty());
    assert!(found.problems()[0].contains("more than 10000 pages: set `max-pages`"), "{:?}", found.problems());
}

#[test]
fn a_next_page_is_as_its_list_is() {
    let first = get("http://a.example/").label("list").priority(4);
    let first = carrying(first, json!({"category": "tea"}).as_object().unwrap().clone());
    let rule = PaginateRule { on: Some("list".to_owned()), ..by_number("p") };
    let second = next(&spider(rule.clone()), first, "<li>1").unwrap();
    assert_eq!((second.label.as_deref(), second.priority, second.kind), (Some("list"), 4, Kind::NextPage));
    let found = harvest(&spider(rule.clone()), second, "<li>2");
    assert_eq!(found.items()[0].1["category"], "tea");
    assert!(next(&spider(rule), get("http://a.example/"), "<li>1").is_none(), "another label, no list");
}

#[test]
fn the_link_to_the_next_page_is_followed_to_the_last() {
    let linked = rule(Next::Link(Css::parse("li.next").unwrap()));
    let bodies = ["<li class=next><a href=/2>x</a>", "<li class=next><a href=/3>y</a>", "<li>none"];
    assert_eq!(walk(&spider(linked), get("http://a.example/"), &bodies), ["/2", "/3"]);
    let named = rule(Next::Named);
    assert_eq!(
        walk(&spider(named), get("http://a.example/"), &["<li><a rel=next href=/2>x</a>", "<li>"]),
        ["/2"]
    );
}

#[test]
fn a_next_page_that_another_rule_would_take_stays_in_its_list() {
    let recipe = Recipe {
        paginate: vec![PaginateRule { stop: Vec::new(), ..rule(Next::Named) }],
        follow: vec![FollowRule { label: Some("other".to_owned()), ..FollowRule::default() }],
        ..Recipe::default()
    };
    let body = "<a href=/2 rel=next>2</a><a href=/3>3</a>";
    let found = harvest(&Declarative::new(recipe), get("http://a.example/"), body);
    let labels: Vec<_> = found
        .requests()
        .iter()
        .map(|request| (request.url.path_and_query(), request.label.as_deref()))
        .collect();
    assert_eq!(labels, [("/3", Some("other")), ("/2", None)]);
}

#[test]
fn where_no_rule_takes_items_links_are_what_a_page_gives() {
    let recipe = Recipe {
        paginate: vec![by_number("p")],
        follow: vec![FollowRule { css: Some(Css::parse("ul").unwrap()), ..FollowRule::default() }],
        ..Recipe::default()
    };
    let spider = Declarative::new(recipe);
    let bodies = ["<ul><a href=/a>a</a></ul>", "<ul><a href=/b>b</a></ul>", "<a href=/c>c</a>"];
    assert_eq!(walk(&spider, get("http://a.example/"), &bodies), ["/?p=2", "/?p=3"]);
}

#[test]
fn with_paginate_alone_no_other_link_is_followed() {
    let found = harvest(&spider(by_number("p")), get("http://a.example/"), "<li><a href=/a>a</a>");
    assert_eq!(found.requests().len(), 1);
}

#[test]
fn a_cursor_goes_back_where_it_belongs_until_there_is_none() {
    let plain = |place: Place| PaginateRule { stop: Vec::new(), ..rule(Next::Cursor(place, path("$.next"))) };
    let parameter = spider(plain(Place::Parameter("after".to_owned())));
    let bodies = [r#"{"next": "a&b="}"#, r#"{"next": 7}"#, r#"{"next": null}"#];
    let found = walk(&parameter, get("http://a.example/x?n=5"), &bodies);
    assert_eq!(found, ["/x?n=5&after=a%26b%3D", "/x?n=5&after=7"]);
    let url = spider(plain(Place::Url("http://a.example/c/{cursor}/".to_owned())));
    assert_eq!(walk(&url, get("http://a.example/x"), &[r#"{"next": "p q"}"#]), ["/c/p%20q/"]);
    for end in [r#"{"next": ""}"#, "{}", r#"{"next": false}"#, r#"{"next": {"a": 1}}"#] {
        assert!(next(&parameter, get("http://a.example/x"), end).is_none(), "{end}");
    }
}

#[test]
fn a_cursor_in_a_body_keeps_all_that_is_there() {
    let place = Place::Body("variables.after".to_owned());
    let rule = PaginateRule { stop: Vec::new(), ..rule(Next::Cursor(place, path("$.cursor"))) };
    let url = CanonicalUrl::parse("http://a.example/graphql").unwrap();
    let first = Request::post(url, r#"{"query": "{ a }", "variables": {"first": 10}}"#);
    let second = next(&spider(rule.clone()), first.clone(), r#"{"cursor": "c1"}"#).unwrap();
    let body = r#"{"query":"{ a }","variables":{"first":10,"after":"c1"}}"#;
    assert_eq!((second.method.as_str(), second.body.as_deref()), ("POST", Some(body.as_bytes())));
    assert_ne!(second.fingerprint(), first.fingerprint());
    let found = harvest(&spider(rule), get("http://a.example/"), r#"{"cursor": "c1"}"#);
    assert!(
        found.problems()[0].contains("no body that is a JSON object or a form"),
        "{:?}",
        found.problems()
    );
}

#[test]
fn a_number_in_a_body_is_counted_in_json_and_in_forms() {
    let place = || Place::Body("page".to_owned());
    let rule = PaginateRule {
        stop: Vec::new(),
        ..rule(Next::Number(place(), Numbers { from: 1, step: 1, to: None }))
    };
    let url = CanonicalUrl::parse("http://a.example/search").unwrap();
    let json = Request::post(url.clone(), r#"{"page": 4}"#);
    assert_eq!(next(&spider(rule.clone()), json, "{}").unwrap().body.unwrap(), r#"{"page":5}"#);
    let form = Request::post(url, "q=a+b&page=4").header("Content-Type", "application/x-www-form-urlencoded");
    let second = next(&spider(rule.clone()), form, "{}").unwrap();
    assert_eq!(second.body.as_ref().unwrap(), "q=a+b&page=5");
    assert_eq!(next(&spider(rule), second, "[]").unwrap().body.unwrap(), "q=a+b&page=6");
}

#[test]
fn an_empty_list_in_the_answer_ends_the_walk() {
    let rule = PaginateRule { stop: Vec::new(), until_empty: Some(path("$.items")), ..by_number("p") };
    let bodies = [r#"{"items": [1]}"#, r#"{"items": []}"#, r#"{"items": [1]}"#];
    assert_eq!(walk(&spider(rule.clone()), get("http://a.example/"), &bodies), ["/?p=2"]);
    assert!(
        next(&spider(rule.clone()), get("http://a.example/"), "{}").is_none(),
        "what is not there is empty"
    );
    let found = harvest(&spider(rule), get("http://a.example/"), "<p>no JSON");
    assert_eq!((found.requests().len(), found.problems().len()), (0, 1));
}

#[test]
fn the_url_of_the_next_page_can_stand_in_json() {
    let rule = PaginateRule { stop: Vec::new(), ..rule(Next::Json(path("$.links.next"))) };
    let spider = spider(rule);
    let body = r#"{"links": {"next": "?page=2"}}"#;
    assert_eq!(walk(&spider, get("http://a.example/v1"), &[body, "{}"]), ["/v1?page=2"]);
    let found = harvest(&spider, get("http://a.example/v1"), r#"{"links": {"next": "ftp://x/"}}"#);
    assert_eq!((found.requests().len(), found.problems().len()), (0, 1));
}

#[test]
fn a_cursor_of_any_length_is_not_sent_back() {
    let place = Place::Parameter("after".to_owned());
    let rule = PaginateRule { stop: Vec::new(), ..rule(Next::Cursor(place, path("$.next"))) };
    let body = json!({ "next": "x".repeat(10_000) }).to_string();
    let found = harvest(&spider(rule), get("http://a.example/"), &body);
    assert!(found.problems()[0].contains("the cursor has 10000 bytes"), "{:?}", found.problems());
}

#[test]
fn a_numbered_page_that_fails_does_not_take_the_rest_of_its_list_with_it() {
    let spider = spider(by_number("p"));
    let failed = |request: &Request, class: FailureClass| {
        let failure = Failure { class, status: Some(500), reason: String::new() };
        let mut harvest = Harvest::new();
        spider.failed(request, &failure, &mut harvest);
        harvest.requests().first().cloned()
    };
    let second = next(&spider, get("http://a.example/"), "<li>1").unwrap();
    let third = failed(&second, FailureClass::ServerError).unwrap();
    assert_eq!(third.url.path_and_query(), "/?p=3");
    let fourth = failed(&third, FailureClass::ServerError).unwrap();
    assert_eq!(failed(&fourth, FailureClass::ServerError), None, "three in a row are the end");
    assert!(next(&spider, fourth, "<li>4").is_some());
    assert_eq!(failed(&second, FailureClass::Gone), None, "a page that is not there is behind the last");
}
