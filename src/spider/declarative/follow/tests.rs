use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::extract::json::JsonPath;
use crate::extract::xpath::XPath;
use crate::page::css::Css;
use crate::response::Response;
use crate::spider::Spider;
use crate::spider::declarative::{
    Declarative, ExtractRule, FieldRule, FieldSelector, ItemScope, JsonSource, Noindex, Originals, Root,
    Source, carrying,
};

const SHOP: &str = r#"<html><body><h1>Tea</h1>
    <ul id="all"><li data-url="/one">One <a href="/1">Green</a> <b class="price">3</b></li>
    <li data-url="/two">Two <a href="/2">Black</a> <b class="price">4</b></li></ul>
    <img src="/cup.png"><a href="/about" rel="nofollow">About</a><a href="/next">Next page</a></body></html>"#;

fn request(url: &str) -> Request {
    Request::get(CanonicalUrl::parse(url).unwrap())
}

fn page(request: Request, content_type: &str, body: &str) -> Page {
    let mut response = Response::of(request.url.clone(), StatusCode::OK, body.to_owned());
    response.headers.insert("content-type", content_type.parse().unwrap());
    Page::new(Arc::new(request), response)
}

fn shop() -> Page {
    page(request("http://a.example/"), "text/html", SHOP)
}

fn field(name: &str, selector: &str) -> FieldRule {
    let selector = FieldSelector::parse(selector).unwrap();
    FieldRule { name: name.to_owned(), source: Source::Css(vec![selector]), ..FieldRule::default() }
}

fn harvest(recipe: Recipe, page: &Page) -> Harvest {
    let mut harvest = Harvest::new();
    Declarative::new(recipe).parse(page, &mut harvest).unwrap();
    harvest
}

fn paths(rule: FollowRule, page: &Page) -> Vec<String> {
    let harvest = harvest(Recipe { follow: vec![rule], ..Recipe::default() }, page);
    harvest.requests().iter().map(|request| request.url.path_and_query().to_owned()).collect()
}

/// Path of each request with the values that travel along.
fn carried(recipe: Recipe, page: &Page) -> Vec<(String, Value)> {
    let values = |request: &Request| Value::Object(Luggage::of(request).values);
    let harvest = harvest(recipe, page);
    let all = harvest.requests().iter();
    all.map(|request| (request.url.path_and_query().to_owned(), values(request))).collect()
}

fn css(text: &str) -> Option<Css> {
    Some(Css::parse(text).unwrap())
}

#[test]
fn links_are_chosen_by_their_text() {
    let text = Some(regex::Regex::new("^(?i)next").unwrap());
    assert_eq!(paths(FollowRule { text, ..FollowRule::default() }, &shop()), ["/next"]);
}

#[test]
fn elements_and_attributes_can_be_links_that_are_none_by_themselves() {
    let attrs = vec!["data-url".to_owned(), "href".to_owned()];
    let of = |tags: &[&str], css| FollowRule {
        attrs: attrs.clone(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        css,
        ..FollowRule::default()
    };
    assert_eq!(paths(of(&["LI"], None), &shop()), ["/one", "/two"]);
    assert_eq!(paths(of(&[], css("#all")), &shop()), ["/one", "/1", "/two", "/2"]);
    let image =
        FollowRule { tags: vec!["img".to_owned()], attrs: vec!["src".to_owned()], ..FollowRule::default() };
    assert_eq!(paths(image, &shop()), ["/cup.png"]);
}

#[test]
fn nofollow_holds_for_every_kind_of_link() {
    let attrs = vec!["href".to_owned()];
    assert_eq!(paths(FollowRule { attrs, ..FollowRule::default() }, &shop()), ["/1", "/2", "/next"]);
}

#[test]
fn an_xpath_gives_regions_or_urls() {
    let of = |text: &str| FollowRule { xpath: Some(XPath::parse(text).unwrap()), ..FollowRule::default() };
    assert_eq!(paths(of("//ul/li[2]"), &shop()), ["/2"]);
    assert_eq!(paths(of("//li/@data-url"), &shop()), ["/one", "/two"]);
}

#[test]
fn only_the_first_links_of_a_rule_are_taken_where_it_has_a_limit() {
    assert_eq!(paths(FollowRule { limit: Some(2), ..FollowRule::default() }, &shop()), ["/1", "/2"]);
}

#[test]
fn a_rule_with_a_depth_is_silent_on_deeper_pages() {
    let rule = FollowRule { depth: Some(2), ..FollowRule::default() };
    for (depth, expected) in [(0, 3), (1, 3), (2, 0)] {
        let mut request = request("http://a.example/");
        request.depth = depth;
        assert_eq!(paths(rule.clone(), &page(request, "text/html", SHOP)).len(), expected, "{depth}");
    }
}

#[test]
fn urls_in_json_are_links_alone_or_in_objects() {
    let body =
        r#"{"items": [{"url": "/1", "id": 7}, {"self": "2?x=1"}, {"url": 3}, "/4", "mailto:x@a.example"]}"#;
    let answer = page(request("http://a.example/v1/"), "application/json", body);
    let of = |path: &str, attrs: &[&str]| FollowRule {
        json: Some(JsonPath::parse(path).unwrap()),
        attrs: attrs.iter().map(|name| (*name).to_owned()).collect(),
        ..FollowRule::default()
    };
    assert_eq!(paths(of("$.items[*].url", &[]), &answer), ["/1"]);
    assert_eq!(paths(of("$.items[*]", &[]), &answer), ["/1", "/4"]);
    assert_eq!(paths(of("$.items[*]", &["self", "url"]), &answer), ["/1", "/v1/2?x=1", "/4"]);
    assert!(paths(of("$.items[*]", &[]), &shop()).is_empty(), "a page is no JSON answer");
}

#[test]
fn json_that_cannot_be_read_is_a_problem_and_not_a_failure() {
    let rule = FollowRule { json: Some(JsonPath::parse("$.a").unwrap()), ..FollowRule::default() };
    let broken = page(request("http://a.example/"), "application/json", "{");
    let harvest = harvest(Recipe { follow: vec![rule], ..Recipe::default() }, &broken);
    assert_eq!((harvest.requests().len(), harvest.problems().len()), (0, 1));
}

#[test]
fn the_entries_of_a_feed_are_links_and_their_titles_are_what_they_say() {
    let body = "<rss version='2.0'><channel><item><title>Tea time</title><link>http://a.example/1</link></item>\
                <item><title>Cup</title><link>/2</link></item></channel></rss>";
    let rule = FollowRule { feed: true, ..FollowRule::default() };
    let feed = |content_type: &str, body: &str| page(request("http://a.example/feed"), content_type, body);
    assert_eq!(paths(rule.clone(), &feed("application/rss+xml", body)), ["/1", "/2"]);
    let text = Some(regex::Regex::new("Tea").unwrap());
    assert_eq!(paths(FollowRule { text, ..rule.clone() }, &feed("application/xml", body)), ["/1"]);
    assert!(paths(rule.clone(), &shop()).is_empty());
    let none = feed("application/pdf", "%PDF");
    let silent = harvest(Recipe { follow: vec![rule.clone()], ..Recipe::default() }, &none);
    assert!(silent.problems().is_empty());
    let on = FollowRule { on: Some("feed".to_owned()), ..rule };
    let labelled = page(request("http://a.example/feed").label("feed"), "application/pdf", "%PDF");
    assert_eq!(harvest(Recipe { follow: vec![on], ..Recipe::default() }, &labelled).problems().len(), 1);
}

#[test]
fn values_travel_from_the_element_around_a_link_or_from_the_page() {
    let near = FollowRule { css: css("li"), data: vec![field("price", ".price")], ..FollowRule::default() };
    let found = carried(Recipe { follow: vec![near], ..Recipe::default() }, &shop());
    assert_eq!(found, [("/1".to_owned(), json!({"price": "3"})), ("/2".to_owned(), json!({"price": "4"}))]);
    let whole = FollowRule { data: vec![field("category", "h1")], ..FollowRule::default() };
    let found = carried(Recipe { follow: vec![whole], ..Recipe::default() }, &shop());
    assert!(found.iter().all(|(_, values)| *values == json!({"category": "Tea"})) && found.len() == 3);
}

#[test]
fn a_name_carries_the_field_of_the_item_around_the_link_or_what_was_brought_along() {
    let extract = ExtractRule {
        label: None,
        pages: Vec::new(),
        kind: None,
        scope: css("li").map(ItemScope::Css).unwrap_or_default(),
        fields: vec![field("price", ".price")],
    };
    let carry = ["price", "shop", "nothing"].map(str::to_owned).to_vec();
    let follow = vec![FollowRule { css: css("#all"), carry, ..FollowRule::default() }];
    let brought = json!({"shop": "east", "price": "0"}).as_object().unwrap().clone();
    let list = page(carrying(request("http://a.example/"), brought), "text/html", SHOP);
    let found = carried(Recipe { follow, extract: vec![extract], ..Recipe::default() }, &list);
    assert_eq!(found[0], ("/1".to_owned(), json!({"price": "3", "shop": "east"})));
    assert_eq!(found[1], ("/2".to_owned(), json!({"price": "4", "shop": "east"})));
}

#[test]
fn a_name_carries_the_member_of_the_json_object_around_the_link() {
    let body = r#"[{"url": "/1", "id": 7, "tags": ["a"]}, {"url": "/2"}]"#;
    let answer = page(request("http://a.example/"), "application/json", body);
    let carry = vec!["id".to_owned(), "tags".to_owned()];
    let follow =
        vec![FollowRule { json: Some(JsonPath::parse("$[*]").unwrap()), carry, ..FollowRule::default() }];
    let found = carried(Recipe { follow, ..Recipe::default() }, &answer);
    assert_eq!(found[0].1, json!({"id": 7, "tags": ["a"]}));
    assert_eq!(found[1].1, json!({}));
}

#[test]
fn what_travelled_fills_the_gaps_of_the_items_and_goes_no_further_by_itself() {
    let brought = json!({"category": "tea", "title": "list title", "none": "x"}).as_object().unwrap().clone();
    let request = carrying(request("http://a.example/1"), brought);
    let body = "<title>Own title</title><a href=/2>x</a>";
    let extract = ExtractRule {
        label: None,
        pages: Vec::new(),
        kind: None,
        scope: ItemScope::Page,
        fields: vec![field("title", "title"), field("none", "h6")],
    };
    let recipe = Recipe { extract: vec![extract], ..Recipe::default() };
    let harvest = harvest(recipe, &page(request, "text/html", body));
    let item = Value::Object(harvest.items()[0].1.clone());
    let expected = json!({"url": "http://a.example/1", "title": "Own title", "none": "x", "category": "tea"});
    assert_eq!(item, expected);
    assert_eq!(harvest.requests()[0].data::<Value>().unwrap(), Value::Null);
}

#[test]
fn values_that_are_too_long_stay_behind_and_the_link_is_followed() {
    let body = format!("<h1>{}</h1><a href=/1>x</a><a href=/2>y</a>", "long ".repeat(10_000));
    let follow = vec![FollowRule { data: vec![field("all", "h1")], ..FollowRule::default() }];
    let page = page(request("http://a.example/"), "text/html", &body);
    let harvest = harvest(Recipe { follow, ..Recipe::default() }, &page);
    assert_eq!(harvest.requests().len(), 2);
    assert!(
        harvest.problems()[0].contains("the values for 2 links are too long"),
        "{:?}",
        harvest.problems()
    );
}

#[test]
fn many_links_in_one_element_do_not_read_it_again_and_again_nor_multiply_it_without_bound() {
    let links: String = (0..9_000).map(|n| format!("<a href=/{n}>x</a>")).collect();
    let body = |words: usize| format!("<div><p class=x>{}</p>{links}</div>", "word ".repeat(words));
    let data = vec![field("all", ".x"), field("none", "b")];
    let follow = vec![FollowRule { css: css("div"), data, ..FollowRule::default() }];
    let recipe = Recipe { follow, ..Recipe::default() };
    let light = carried(recipe.clone(), &page(request("http://a.example/"), "text/html", &body(20)));
    assert!(light.iter().all(|(_, values)| values["all"].as_str().is_some_and(|text| text.len() == 99)));
    let heavy = page(request("http://a.example/"), "text/html", &body(2_000));
    let found = harvest(recipe, &heavy);
    let with_values = found.requests().iter().filter(|request| request.data_digest() != 0).count();
    assert_eq!((light.len(), found.requests().len()), (9_000, 9_000));
    assert!((500..1_000).contains(&with_values), "{with_values}");
    assert!(found.problems()[0].contains("are too long to travel with them"), "{:?}", found.problems());
}

#[test]
fn what_many_links_ask_of_the_whole_page_is_worked_out_once_and_not_without_bound() {
    let cards: String = (0..5_000).map(|n| format!("<li><a href=/{n}>x</a></li>")).collect();
    let state = format!("<script id=state type=application/json>[7{}]</script>", ",1".repeat(500_000));
    let page = page(request("http://a.example/"), "text/html", &format!("{state}{cards}"));
    let source = Source::Json(JsonSource::parse(Root::Script("state".to_owned()), "$[0]").unwrap());
    let data = vec![FieldRule { name: "n".to_owned(), source, ..FieldRule::default() }];
    let rule = FollowRule { css: css("li"), data, ..FollowRule::default() };
    let found = carried(Recipe { follow: vec![rule], ..Recipe::default() }, &page);
    assert!(found.len() == 5_000 && found.iter().all(|(_, values)| values["n"] == 7));

    let source = Source::XPath(vec![XPath::parse("//li[contains(a, 'x')][last()]/a").unwrap()]);
    let data = vec![FieldRule { name: "n".to_owned(), source, ..FieldRule::default() }];
    let rule = FollowRule { css: css("li"), data, ..FollowRule::default() };
    let found = harvest(Recipe { follow: vec![rule], ..Recipe::default() }, &page);
    assert_eq!(found.requests().len(), 5_000);
    assert!(found.problems()[0].contains("take too long to find"), "{:?}", found.problems());
}

#[test]
fn a_page_that_sends_browsers_on_at_once_gives_nothing_but_the_way() {
    let body = "<meta http-equiv=refresh content='5;url=/new'><title>Old</title><a href=/x>x</a>";
    let mut from = request("http://a.example/old").label("book").header("Authorization", "x");
    from.depth = 3;
    let from = carrying(from, json!({"category": "tea"}).as_object().unwrap().clone());
    let harvest = harvest(Recipe::default(), &page(from, "text/html", body));
    assert!(harvest.items().is_empty());
    let [next] = harvest.requests() else { panic!("one way: {:?}", harvest.requests()) };
    assert_eq!((next.url.path_and_query(), next.label.as_deref(), next.hops), ("/new", Some("book"), 1));
    assert_eq!(Luggage::of(next).values["category"], "tea");
}

#[test]
fn a_refresh_leaves_credentials_behind_becomes_a_get_and_ends_after_ten_hops() {
    let body = "<meta http-equiv=refresh content='0;url=http://b.example/'>";
    let url = CanonicalUrl::parse("http://a.example/").unwrap();
    let mut post = Request::post(url, "q=1").header("Authorization", "x").header("X-Page", "1");
    let found = harvest(Recipe::default(), &page(post.clone(), "text/html", body));
    let next = &found.requests()[0];
    assert_eq!((next.method.as_str(), &next.body), ("GET", &None));
    assert_eq!(next.headers, [("X-Page".to_owned(), "1".to_owned())]);
    post.hops = crate::redirect::MAX_HOPS;
    let found = harvest(Recipe::default(), &page(post, "text/html", body));
    assert!(found.requests().is_empty() && found.problems()[0].contains("more redirects in a row"));
}

#[test]
fn a_refresh_for_readers_of_the_page_is_a_link_and_one_to_itself_is_none() {
    let late = "<meta http-equiv=refresh content='30;url=/new'><title>Old</title>";
    let found = harvest(Recipe::default(), &page(request("http://a.example/"), "text/html", late));
    assert_eq!((found.items().len(), found.requests()[0].hops), (1, 0));
    let reload = "<meta http-equiv=refresh content='0'><a href=/x>x</a>";
    let found = harvest(Recipe::default(), &page(request("http://a.example/"), "text/html", reload));
    assert_eq!((found.items().len(), found.requests().len()), (1, 1));
}

#[test]
fn of_a_copy_the_original_is_asked_for_once_and_only_on_its_own_host() {
    let recipe = Recipe { originals: Originals::Follow, ..Recipe::default() };
    let copy = |target: &str| format!("<link rel=canonical href='{target}'><a href=/x>x</a>");
    let at =
        |request: Request, target: &str| harvest(recipe.clone(), &page(request, "text/html", &copy(target)));
    let found = at(request("http://a.example/?ref=1").label("book"), "/");
    let original = found.requests()[0].clone();
    assert_eq!((found.items().len(), original.url.path_and_query()), (0, "/"));
    assert_eq!(original.label.as_deref(), Some("book"));
    for (request, target) in [
        (original, "/other"),
        (request("http://a.example/"), "http://a.example/"),
        (request("http://a.example/"), "http://b.example/"),
    ] {
        let found = at(request, target);
        assert_eq!((found.items().len(), found.requests().len()), (1, 1), "{target}");
    }
}

#[test]
fn a_page_that_says_noindex_gives_links_and_no_items_where_that_is_wanted() {
    let body = "<meta name=robots content=noindex><a href=/x>x</a>";
    for (noindex, items) in [(Noindex::Ignore, 1), (Noindex::Skip, 0)] {
        let page = page(request("http://a.example/"), "text/html", body);
        let found = harvest(Recipe { noindex, ..Recipe::default() }, &page);
        assert_eq!((found.items().len(), found.requests().len()), (items, 1));
    }
}
