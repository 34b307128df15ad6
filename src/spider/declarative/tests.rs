use std::sync::Arc;

use http::StatusCode;

use super::*;
use crate::response::Response;
use crate::url::CanonicalUrl;

const SHOP: &str = "<title>Shop</title>
<nav><a href=/book/1>One</a> <a href=/about rel='me NoFollow'>About</a></nav>
<ol>
  <li class=book><h2> One  of
    us </h2><a href=/book/1>go</a><span class=price>Price: 1.50 EUR</span><i>x</i><i>y</i></li>
  <li class=book><h2>Two</h2><a href=book/2?a=1#top>go</a><img src=2.png></li>
</ol>
<a href='mailto:me@a.example'>mail</a> <a href='http://b.example/'>b</a>";

fn page(request: Request, content_type: &str, body: &str) -> Page {
    let mut response = Response::of(request.url.clone(), StatusCode::OK, body.to_owned());
    response.headers.insert("content-type", content_type.parse().unwrap());
    Page::new(Arc::new(request), response)
}

fn shop() -> Page {
    page(at("http://a.example/list"), "text/html", SHOP)
}

fn at(url: &str) -> Request {
    Request::get(CanonicalUrl::parse(url).unwrap())
}

fn harvest(recipe: Recipe, page: &Page) -> Harvest {
    let mut harvest = Harvest::new();
    Declarative::new(recipe).parse(page, &mut harvest).unwrap();
    harvest
}

fn field(name: &str, selector: &str) -> FieldRule {
    let selector = FieldSelector::parse(selector).unwrap();
    FieldRule { name: name.to_owned(), source: Source::Css(vec![selector]), ..FieldRule::default() }
}

fn rule(scope: Option<&str>, fields: Vec<FieldRule>) -> ExtractRule {
    let scope = scope.map(|css| ItemScope::Css(Css::parse(css).unwrap())).unwrap_or_default();
    ExtractRule { scope, fields, ..ExtractRule::default() }
}

fn items(rules: Vec<ExtractRule>, page: &Page) -> (Vec<Value>, Harvest) {
    let harvest = harvest(Recipe { extract: rules, ..Recipe::default() }, page);
    let items = harvest.items().iter().map(|(_, fields)| Value::Object(fields.clone()));
    (items.collect(), harvest)
}

fn followed(recipe: Recipe, page: &Page) -> Vec<(String, Option<String>)> {
    let harvest = harvest(recipe, page);
    let requests = harvest.requests().iter();
    requests
        .map(|request| (request.url.as_str().to_owned(), request.label.as_deref().map(str::to_owned)))
        .collect()
}

fn follow_rules(follow: Vec<FollowRule>) -> Recipe {
    Recipe { follow, ..Recipe::default() }
}

fn pattern(text: &str) -> Vec<UrlPattern> {
    vec![UrlPattern::parse(text).unwrap()]
}

#[test]
fn without_rules_a_page_gives_url_status_and_title() {
    let harvest = harvest(Recipe::default(), &shop());
    let (_, fields) = &harvest.items()[0];
    assert_eq!(
        Value::Object(fields.clone()),
        serde_json::json!({"url": "http://a.example/list", "status": 200, "title": "Shop"})
    );
    assert_eq!(fields.keys().next().unwrap(), "url");
}

#[test]
fn each_scope_gives_an_item_with_the_url_in_front() {
    let (items, _) =
        items(vec![rule(Some("li.book"), vec![field("name", "h2"), field("to", "a::attr(href)")])], &shop());
    assert_eq!(
        items,
        [
            serde_json::json!({"url": "http://a.example/list", "name": "One of us", "to": "http://a.example/book/1"}),
            serde_json::json!({"url": "http://a.example/list", "name": "Two", "to": "http://a.example/book/2?a=1#top"}),
        ]
    );
    assert_eq!(items[0].as_object().unwrap().keys().next().unwrap(), "url");
}

#[test]
fn a_rule_may_name_a_field_url_itself() {
    let (items, _) = items(vec![rule(Some("li.book"), vec![field("url", "a::attr(href)")])], &shop());
    assert_eq!(items[0], serde_json::json!({"url": "http://a.example/book/1"}));
}

#[test]
fn a_rule_without_scope_gives_one_item_for_the_page() {
    let mut all = field("names", "h2");
    all.many = Many::All;
    let (items, _) = items(vec![rule(None, vec![all, field("src", "img::attr(src)")])], &shop());
    assert_eq!(
        items,
        [
            serde_json::json!({"url": "http://a.example/list", "names": ["One of us", "Two"], "src": "http://a.example/2.png"})
        ]
    );
}

#[test]
fn the_expression_takes_its_first_group() {
    let mut price = field("price", ".price");
    price.regex = Some(regex::Regex::new(r"([\d.]+)").unwrap());
    let mut currency = field("currency", ".price");
    currency.regex = Some(regex::Regex::new("[A-Z]{3}").unwrap());
    let (items, _) = items(vec![rule(Some("li.book"), vec![price, currency])], &shop());
    assert_eq!(items[0]["price"], "1.50");
    assert_eq!(items[0]["currency"], "EUR");
    assert_eq!(items[1]["price"], Value::Null);
}

#[test]
fn an_absent_field_is_its_default_or_null_or_an_empty_list() {
    let mut with_default = field("price", ".price");
    with_default.default = Some(Value::from(0));
    let mut list = field("list", "i");
    list.many = Many::All;
    let (items, _) =
        items(vec![rule(Some("li.book"), vec![with_default, list, field("none", "u")])], &shop());
    assert_eq!(items[1]["price"], 0);
    assert_eq!(items[1]["list"], serde_json::json!([]));
    assert_eq!(items[0]["list"], serde_json::json!(["x", "y"]));
    assert_eq!(items[1]["none"], Value::Null);
}

#[test]
fn an_item_without_a_required_field_is_dropped_and_reported() {
    let mut price = field("price", ".price");
    price.presence = Presence::Required;
    let (items, harvest) = items(vec![rule(Some("li.book"), vec![price])], &shop());
    assert_eq!(items.len(), 1);
    assert_eq!(
        harvest.problems(),
        ["http://a.example/list: 1 item was dropped without `price` (selector `.price`)"]
    );
}

#[test]
fn nested_fields_give_tables() {
    let mut books = field("books", "li.book");
    books.many = Many::All;
    books.fields = vec![field("name", "h2"), field("src", "img::attr(src)")];
    let (items, _) = items(vec![rule(None, vec![books])], &shop());
    assert_eq!(
        items[0]["books"],
        serde_json::json!([{"name": "One of us", "src": null}, {"name": "Two", "src": "http://a.example/2.png"}])
    );
}

#[test]
fn html_the_url_and_raw_white_space_can_be_taken() {
    let (mut inner, mut url, mut raw) = (field("inner", "nav"), field("here", "nav"), field("raw", "h2"));
    inner.take = Take::Html;
    url.source = Source::Page(PageFact::Url);
    raw.white_space = WhiteSpace::Keep;
    let (items, _) = items(vec![rule(None, vec![inner, url, raw])], &shop());
    assert!(items[0]["inner"].as_str().unwrap().starts_with("<a href=\"/book/1\">One</a>"));
    assert_eq!(items[0]["here"], "http://a.example/list");
    assert_eq!(items[0]["raw"], " One  of\n    us ");
}

#[test]
fn rules_speak_by_label_and_by_page() {
    let mut labelled = rule(None, vec![field("a", "title")]);
    labelled.label = Some("book".to_owned());
    labelled.kind = Some("book".to_owned());
    let mut paged = rule(None, vec![field("b", "title")]);
    paged.pages = pattern("/other");
    let rules = vec![labelled, paged];
    let (on_list, _) = items(rules.clone(), &shop());
    assert!(on_list.is_empty());
    let book = page(at("http://a.example/x").label("book"), "text/html", SHOP);
    let (_, harvest) = items(rules.clone(), &book);
    assert_eq!(harvest.items()[0].0.as_deref(), Some("book"));
    let (other, _) = items(rules, &page(at("http://a.example/other"), "text/html", SHOP));
    assert_eq!(other.len(), 1);
}

#[test]
fn without_follow_rules_every_link_is_followed_once_but_for_nofollow() {
    let urls: Vec<_> = followed(Recipe::default(), &shop()).into_iter().map(|(url, _)| url).collect();
    assert_eq!(urls, ["http://a.example/book/1", "http://a.example/book/2?a=1", "http://b.example/"]);
}

#[test]
fn nofollow_can_be_ignored() {
    let recipe = Recipe { nofollow: Nofollow::Ignore, ..Recipe::default() };
    assert!(followed(recipe, &shop()).iter().any(|(url, _)| url == "http://a.example/about"));
}

#[test]
fn a_page_that_says_nofollow_gives_no_links() {
    for (robots, agent, expected) in
        [("nofollow", "", 0), ("crawl: none", "crawl", 0), ("crawl: none", "other", 3)]
    {
        let mut response = Response::of(at("http://a.example/list").url, StatusCode::OK, SHOP);
        response.headers.insert("content-type", "text/html".parse().unwrap());
        response.headers.insert("x-robots-tag", robots.parse().unwrap());
        let page = Page::new(Arc::new(at("http://a.example/list")), response);
        let recipe = Recipe { agent: agent.to_owned(), ..Recipe::default() };
        assert_eq!(followed(recipe, &page).len(), expected, "{robots} for {agent}");
    }
}

#[test]
fn a_link_goes_to_the_first_rule_that_takes_it() {
    let rules = vec![
        FollowRule {
            allow: pattern("/book/"),
            deny: pattern("/book/2"),
            label: Some("book".to_owned()),
            priority: 5,
            ..FollowRule::default()
        },
        FollowRule { css: Some(Css::parse("ol").unwrap()), ..FollowRule::default() },
    ];
    assert_eq!(
        followed(follow_rules(rules), &shop()),
        [
            ("http://a.example/book/1".to_owned(), Some("book".to_owned())),
            ("http://a.example/book/2?a=1".to_owned(), None),
        ]
    );
}

#[test]
fn a_link_that_stands_twice_goes_to_the_better_rule() {
    let rules = vec![
        FollowRule {
            css: Some(Css::parse("li a").unwrap()),
            label: Some("book".to_owned()),
            ..FollowRule::default()
        },
        FollowRule::default(),
    ];
    let found = followed(follow_rules(rules), &shop());
    assert_eq!(found[0], ("http://a.example/book/1".to_owned(), Some("book".to_owned())));
    assert_eq!(found.len(), 3);
}

#[test]
fn a_rule_for_a_label_is_silent_on_other_pages() {
    let rules = vec![FollowRule { on: Some("list".to_owned()), ..FollowRule::default() }];
    assert!(followed(follow_rules(rules.clone()), &shop()).is_empty());
    let list = page(at("http://a.example/list").label("list"), "text/html", SHOP);
    assert_eq!(followed(follow_rules(rules), &list).len(), 3);
}

#[test]
fn a_refresh_is_a_link() {
    let body = "<meta http-equiv=Refresh content='0; url=/next'>";
    let found = followed(Recipe::default(), &page(at("http://a.example/"), "text/html", body));
    assert_eq!(found, [("http://a.example/next".to_owned(), None)]);
    let reload = "<meta http-equiv=refresh content=30>";
    assert!(followed(Recipe::default(), &page(at("http://a.example/"), "text/html", reload)).is_empty());
}

#[test]
fn what_is_no_html_gives_no_links_and_no_title() {
    for content_type in
        ["application/json", "image/png", "application/pdf", "text/plain", "application/rss+xml"]
    {
        let page = page(at("http://a.example/x"), content_type, SHOP);
        let harvest = harvest(Recipe::default(), &page);
        assert!(harvest.requests().is_empty(), "{content_type}");
        assert_eq!(harvest.items()[0].1["title"], Value::Null);
        assert_eq!(harvest.items()[0].1["status"], 200);
    }
}

#[test]
fn nested_scopes_cannot_multiply_a_page_without_bound() {
    let body = format!("{}{}", "<div>".repeat(400), "word ".repeat(400_000));
    let page = page(at("http://a.example/"), "text/html", &body);
    let (items, harvest) = items(vec![rule(Some("div"), vec![field("all", "::text")])], &page);
    assert!(items.len() < 40, "{}", items.len());
    assert!(harvest.problems()[0].contains("the rest was left"), "{:?}", harvest.problems());
}

#[test]
fn rules_for_links_anywhere_speak_about_the_pages_of_a_sitemap() {
    let pattern = |text: &str| vec![crate::scope::UrlPattern::parse(text).unwrap()];
    let url = CanonicalUrl::parse("http://a.example/sitemap.xml").unwrap();
    let body = "<urlset><url><loc>/book/1</loc></url><url><loc>/about</loc></url><url><loc>/book/old</loc></url></urlset>";
    let sitemap = Sitemap::read(&url, body.as_bytes(), None);
    let asked = |follow: Vec<FollowRule>| {
        let mut harvest = Harvest::new();
        let spider = Declarative::new(Recipe { follow, ..Recipe::default() });
        spider.sitemap(&Request::sitemap(url.clone()), &sitemap, &mut harvest);
        let requests = harvest.requests().iter();
        requests
            .map(|request| {
                (request.url.path_and_query().to_owned(), request.label.as_deref().map(str::to_owned))
            })
            .collect::<Vec<_>>()
    };
    let unlabelled = |path: &str| (path.to_owned(), None);
    let all = ["/book/1", "/about", "/book/old"].map(unlabelled);
    assert_eq!(asked(Vec::new()), all);
    let bound =
        FollowRule { css: Some(Css::parse("nav").unwrap()), allow: pattern("/x"), ..FollowRule::default() };
    assert_eq!(asked(vec![bound.clone()]), all, "a rule for a part of a page says nothing about a sitemap");
    let books = FollowRule {
        allow: pattern("/book/"),
        deny: pattern("/book/old"),
        label: Some("book".to_owned()),
        ..FollowRule::default()
    };
    assert_eq!(asked(vec![bound, books]), [("/book/1".to_owned(), Some("book".to_owned()))]);
}
