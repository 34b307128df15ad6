//! What crawler files take from pages, key by key: a file is loaded, a page is read, and the items are looked at.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use crawl::config::{Loader, Reader};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::request::Request;
use crawl::response::Response;
use crawl::spider::Spider;
use crawl::spider::declarative::Declarative;
use crawl::url::CanonicalUrl;
use serde_json::{Value, json};

const BOOK: &str = r##"<!doctype html><html><head><title>Sand | Shop</title>
<meta name="Description" content="A dry book">
<meta property="og:title" content="Sand"><meta property="og:image" content="/1.png"><meta property="og:image" content="/2.png">
<link rel="canonical" href="/sand">
<meta name="state" content='{"stock": 3}'>
<script type="application/ld+json">{"@type": "Organization", "name": "Shop"}</script>
<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Product", "name": "Sand", "offers": {"price": "12.50", "currency": "EUR"}}</script>
<script>window.__STATE__ = {"items": [{"id": 1, "name": "Sand"}, {"id": 2, "name": "Salt"}], "page": 4};</script>
</head><body>
<h1> Sand
  and stone </h1>
<p class="price">£1,051.77</p> <p class="comma">1.234 €</p> <p class="stock">In stock (22 available)</p> <p class="free">free</p>
<p class="new">yes</p> <time>November 08, 1832</time> <span class="when">2024-05-03 10:00</span> <i class="eu">08.11.1832</i>
<p class="tags">red, green,blue</p> <p class="rate">Three</p> <a class="more" href="/more?a=1">more</a> <b class="link">../other</b>
<div class="row" data-p='{"n": 5, "parts": [{"k": "x"}, {"k": "y"}]}'><u>1</u><s>a</s></div><div class="row"><u>two</u><s>b</s></div>
<div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Micro</span></div>
</body></html>"##;

fn page_of(content_type: &str, body: &str) -> Page {
    page_at("http://a.example/books/1", content_type, body)
}

fn page_at(url: &str, content_type: &str, body: &str) -> Page {
    let request = Request::get(CanonicalUrl::parse(url).unwrap());
    let mut response = Response::of(request.url.clone(), http::StatusCode::OK, body.to_owned());
    response.headers.insert("content-type", content_type.parse().unwrap());
    response.headers.insert("last-modified", "Fri, 03 May 2024 10:00:00 GMT".parse().unwrap());
    Page::new(Arc::new(request), response)
}

/// Items and problems of a page under the rules of a file.
fn harvest(file: &str, page: &Page) -> (Vec<Value>, Vec<String>) {
    let file = format!("seeds = [\"demo:\"]\n{file}");
    let plan = Loader::new().text("a.toml", file).load().unwrap_or_else(|error| panic!("{error}"));
    let Reader::Recipe(recipe) = plan.reader else { panic!("no recipe") };
    let mut harvest = Harvest::new();
    Declarative::new(recipe).parse(page, &mut harvest).unwrap();
    let items = harvest.items().iter().map(|(_, fields)| Value::Object(fields.clone())).collect();
    (items, harvest.problems().to_vec())
}

fn rules(extract: &str, fields: &str) -> String {
    format!("[[extract]]\n{extract}\n[extract.fields]\n{fields}\n")
}

/// The field `f` of the only item.
fn field(written: &str) -> Value {
    field_of(written, &page_of("text/html; charset=utf-8", BOOK)).0
}

fn field_of(written: &str, page: &Page) -> (Value, Vec<String>) {
    let (items, problems) = harvest(&rules("", &format!("f = {written}")), page);
    assert_eq!(items.len(), 1, "{written}: {items:?} {problems:?}");
    (items[0]["f"].clone(), problems)
}

#[test]
fn a_text_is_read_as_its_type() {
    for (written, value) in [
        (r#"{ css = ".price", type = "decimal" }"#, json!(1051.77)),
        (r#"{ css = ".comma", type = "decimal", decimal-sign = "," }"#, json!(1234.0)),
        (r#"{ css = ".comma", type = "integer", decimal-sign = "," }"#, json!(1234)),
        (r#"{ css = ".stock", type = "integer" }"#, json!(22)),
        (r#"{ css = ".new", type = "boolean" }"#, json!(true)),
        (r#"{ css = "time", type = "date" }"#, json!("1832-11-08")),
        (r#"{ css = ".eu", type = "date", format = "%d.%m.%Y" }"#, json!("1832-11-08")),
        (r#"{ css = ".when", type = "datetime" }"#, json!("2024-05-03T10:00:00Z")),
        (r#"{ css = ".link", type = "url" }"#, json!("http://a.example/other")),
        (
            r#"{ css = ".row", attr = "data-p", type = "json" }"#,
            json!({"n": 5, "parts": [{"k": "x"}, {"k": "y"}]}),
        ),
        (r#"{ css = ".stock", type = "text" }"#, json!("In stock (22 available)")),
        (r#"{ css = "u", type = "integer", list = true }"#, json!([1])),
    ] {
        assert_eq!(field(written), value, "{written}");
    }
}

#[test]
fn what_cannot_be_read_as_its_type_is_reported_and_absent() {
    let page = page_of("text/html", BOOK);
    let (value, problems) = field_of(r#"{ css = ".free", type = "decimal", default = 0 }"#, &page);
    assert_eq!(value, json!(0));
    assert_eq!(
        problems,
        [
            r#"http://a.example/books/1: `f` (selector `.free`): expected a number, found "free": there is no digit in it"#
        ]
    );
    let (items, problems) =
        harvest(&rules("scope = \".row\"", r#"n = { css = "u", type = "integer", required = true }"#), &page);
    assert_eq!(items.len(), 1);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[1], "http://a.example/books/1: 1 item was dropped without `n` (selector `u`)");
}

#[test]
fn many_values_that_cannot_be_read_are_one_problem_with_their_number() {
    let page = page_of("text/html", &"<p>x</p>".repeat(50));
    let (_, problems) = field_of(r#"{ css = "p", type = "integer", list = true }"#, &page);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].ends_with("(and 49 more such)"), "{problems:?}");
}

#[test]
fn each_source_gives_its_value() {
    for (written, value) in [
        (r#"{ xpath = "//p[@class='price']" }"#, json!("£1,051.77")),
        (r#"{ xpath = "//a/@href", type = "url" }"#, json!("http://a.example/more?a=1")),
        (r#"{ xpath = "count(//u)", type = "integer" }"#, json!(2)),
        (r#"{ xpath = ["//h7", "//h1"] }"#, json!("Sand and stone")),
        (r#"{ script = "window.__STATE__", json = "$.items[1].name" }"#, json!("Salt")),
        (r#"{ script = "__STATE__", json = "$.page" }"#, json!(4)),
        (r#"{ script = "__STATE__", json = "$.items[*].id", list = true }"#, json!([1, 2])),
        (r#"{ script = "application/ld+json", json = "$[1].name" }"#, json!("Sand")),
        (r#"{ script = "application/ld+json", json = "$.offers.price", type = "decimal" }"#, json!(12.5)),
        (r#"{ json-ld = "$.offers.currency" }"#, json!("EUR")),
        (r#"{ json-ld = "$[?@['@type']=='Product'].name" }"#, json!("Sand")),
        (r#"{ microdata = "$.properties.name[0]" }"#, json!("Micro")),
        (r#"{ microdata = "$[0].properties.name", list = true }"#, json!(["Micro"])),
        (r#"{ og = "title" }"#, json!("Sand")),
        (r#"{ og = "og:image", list = true }"#, json!(["/1.png", "/2.png"])),
        (r#"{ og = "image", type = "url" }"#, json!("http://a.example/1.png")),
        (r#"{ meta = "description" }"#, json!("A dry book")),
        (r#"{ meta = "state", json = "$.stock" }"#, json!(3)),
        (r#"{ canonical = true }"#, json!("http://a.example/sand")),
        (r#"{ header = "Last-Modified", type = "datetime" }"#, json!("2024-05-03T10:00:00Z")),
        (r#"{ status = true }"#, json!(200)),
        (r#"{ url = true }"#, json!("http://a.example/books/1")),
        (r#"{ value = { a = [1, true] } }"#, json!({"a": [1, true]})),
        (r#"{ css = ".row::attr(data-p)", json = "$.n" }"#, json!(5)),
        (r#"{ css = ".row::attr(data-p)", json = "$.parts[*].k", list = true }"#, json!(["x", "y"])),
        (r#"{ css = ["h7", ".nothing", "h1", "title"] }"#, json!("Sand and stone")),
        (r#"{ css = ["a.more::attr(href)", "h1"] }"#, json!("http://a.example/more?a=1")),
    ] {
        assert_eq!(field(written), value, "{written}");
    }
}

#[test]
fn the_main_text_of_a_page_can_be_taken() {
    let text = "A sentence about sand, which is dry, and about stones, which are not. ".repeat(20);
    let body = format!(
        "<title>Sand</title><nav><a href=/>Home</a></nav><article><h1>Sand</h1><p>{text}</p><p>{text}</p></article>"
    );
    let page = page_of("text/html", &body);
    assert!(field_of(r#"{ article = "text" }"#, &page).0.as_str().unwrap().contains("which is dry"));
    assert!(field_of(r#"{ article = "html" }"#, &page).0.as_str().unwrap().contains("<p>"));
    assert!(field_of(r#"{ article = "markdown" }"#, &page).0.is_string());
    assert_eq!(field_of(r#"{ article = "title" }"#, &page).0, json!("Sand"));
    assert_eq!(field_of(r#"{ article = "byline" }"#, &page).0, Value::Null);
}

#[test]
fn cleaning_steps_are_applied_in_their_order() {
    for (written, value) in [
        (r#"{ css = ".stock", clean = ["upper", { remove = " ?\\(.*" }] }"#, json!("IN STOCK")),
        (
            r#"{ css = ".stock", clean = [{ replace = "([0-9]+) (\\w+)", with = "$2: $1" }, "lower"] }"#,
            json!("in stock (available: 22)"),
        ),
        (r#"{ css = ".tags", clean = [{ split = "," }] }"#, json!(["red", "green", "blue"])),
        (r#"{ css = ".tags", clean = [{ split = "," }, { join = " / " }] }"#, json!("red / green / blue")),
        (r#"{ css = ".row s", list = true, clean = [{ join = "+" }] }"#, json!("a+b")),
        (
            r#"{ css = ".row s", list = true, clean = [{ prefix = "<", suffix = ">" }] }"#,
            json!(["<a>", "<b>"]),
        ),
        (r#"{ css = ".rate", clean = [{ map = { One = 1, Three = 3 } }] }"#, json!(3)),
        (r#"{ css = ".rate", clean = [{ map = { Three = "3 of 5" } }], type = "integer" }"#, json!(3)),
        (r#"{ css = "h1", clean = [{ take = 4 }] }"#, json!("Sand")),
        (r#"{ css = "h1", html = true, clean = ["collapse"] }"#, json!("Sand and stone")),
        (r#"{ css = ".row", html = true, clean = ["strip-tags"] }"#, json!("1a")),
        (r#"{ value = "x" }"#, json!("x")),
        (r#"{ css = ".free", clean = [{ remove = "free" }], default = "gone" }"#, json!("gone")),
        (r#"{ script = "__STATE__", json = "$.page", clean = [{ prefix = "p" }] }"#, json!("p4")),
    ] {
        assert_eq!(field(written), value, "{written}");
    }
}

#[test]
fn white_space_is_folded_in_markup_and_kept_in_json() {
    let page = page_of("application/json", r#"{"a": " x\n  y "}"#);
    assert_eq!(field_of(r#"{ json = "$.a" }"#, &page).0, json!(" x\n  y "));
    assert_eq!(field_of(r#"{ json = "$.a", trim = true }"#, &page).0, json!("x y"));
    assert_eq!(field(r#"{ css = "h1", trim = false }"#), json!(" Sand\n  and stone "));
}

#[test]
fn an_answer_that_is_json_gives_items() {
    let body = r#"{"next": 2, "items": [
        {"id": 7, "name": "Sand", "tags": ["a", "b"], "price": "1,050.50", "parts": [{"k": 1}, {"k": 2, "w": 5}]},
        {"id": 8, "name": null}]}"#;
    let page = page_of("application/json", body);
    let file = rules(
        "scope-json = \"$.items[*]\"",
        r#"id = { json = "$.id", required = true }
           name = { json = "name", default = "?" }
           tags = { json = "$.tags", list = true }
           price = { json = "$.price", type = "decimal" }
           parts = { json = "$.parts[*]", list = true, fields = { k = { json = "$.k" }, w = { json = "$.w", required = true } } }
           whole = { type = "json" }"#,
    );
    let (items, problems) = harvest(&file, &page);
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["id"], 7);
    assert_eq!(items[0]["tags"], json!(["a", "b"]));
    assert_eq!(items[0]["price"], json!(1050.5));
    assert_eq!(
        items[0]["parts"],
        json!([{"k": 2, "w": 5}]),
        "a table without its required field is dropped, not the item"
    );
    assert_eq!(items[1]["name"], "?");
    assert_eq!(items[1]["tags"], json!([]));
    assert_eq!(items[1]["whole"], json!({"id": 8, "name": null}));
    assert_eq!(problems, ["http://a.example/books/1: 1 entry was dropped without `parts.w` (json `$.w`)"]);
    assert_eq!(field_of(r#"{ json = "$.next" }"#, &page).0, json!(2));
    let (whole, _) = harvest(&rules("scope-json = \"$.items\"", "id = { json = \"id\" }"), &page);
    assert_eq!(whole.len(), 2, "a list stands for its entries");
}

#[test]
fn values_of_scripts_and_of_structured_data_give_items() {
    let page = page_of("text/html", BOOK);
    let take = |scope: &str| harvest(&rules(scope, "name = { json = \"$.name\" }"), &page).0;
    let state = take("script = \"__STATE__\"\nscope-json = \"$.items[*]\"");
    assert_eq!(state.iter().map(|item| item["name"].clone()).collect::<Vec<_>>(), ["Sand", "Salt"]);
    assert_eq!(take("scope-json-ld = \"$[?@['@type']=='Product']\"")[0]["name"], "Sand");
    assert_eq!(take("scope-json-ld = \"$[*]\"").len(), 2);
    let micro = rules("scope-microdata = \"$[*]\"", "name = { json = \"$.properties.name[0]\" }");
    assert_eq!(harvest(&micro, &page).0[0]["name"], "Micro");
}

#[test]
fn each_entry_of_a_feed_gives_an_item() {
    let body = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>http://a.example/</link>
        <item><title>One &amp; more</title><link>http://a.example/1</link><guid>1</guid><pubDate>Fri, 03 May 2024 10:00:00 GMT</pubDate></item>
        <item><title>Two</title><link>http://a.example/2</link><guid>2</guid></item></channel></rss>"#;
    let page = page_of("application/rss+xml", body);
    let file = rules(
        "scope-feed = true",
        "title = { feed = \"title\" }\nlink = { feed = \"$.link\" }\nwhen = { feed = \"published\", type = \"datetime\" }\nid = { json = \"$.id\" }",
    );
    let (items, problems) = harvest(&file, &page);
    assert_eq!(problems, [""; 0]);
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["title"], "One & more");
    assert_eq!(items[0]["link"], "http://a.example/1");
    assert_eq!(items[0]["when"], "2024-05-03T10:00:00Z");
    assert_eq!(items[1]["when"], Value::Null);
    assert_eq!(field_of(r#"{ feed = "title" }"#, &page).0, "News");
    assert_eq!(
        field_of(r#"{ feed = "$.entries[*].title", list = true }"#, &page).0,
        json!(["One & more", "Two"])
    );
}

#[test]
fn an_xpath_gives_items_and_nested_tables() {
    let page = page_of("text/html", BOOK);
    let (items, _) = harvest(
        &rules(
            "scope-xpath = \"//div[@class='row']\"",
            "n = { xpath = \"./u\" }\nafter = { xpath = \"u/following-sibling::s[1]\" }\ncss = \"s\"",
        ),
        &page,
    );
    assert_eq!(items[1]["n"], "two");
    assert_eq!(items[1]["after"], "b");
    assert_eq!(items[1]["css"], "b");
    let rows = r#"{ xpath = "//div[@class='row']", list = true, fields = { n = { xpath = "u" }, s = "s" } }"#;
    assert_eq!(field(rows), json!([{"n": "1", "s": "a"}, {"n": "two", "s": "b"}]));
    let rows = r#"{ css = ".row", list = true, fields = { p = { attr = "data-p", json = "$.parts[*]", list = true, fields = { k = { json = "$.k" } } } } }"#;
    assert_eq!(field(rows), json!([{"p": [{"k": "x"}, {"k": "y"}]}, {"p": []}]));
}

#[test]
fn a_rule_speaks_only_on_answers_that_it_can_read() {
    let html = rules("", "title = \"h1\"\nstatus = { status = true }");
    let json = rules("", "next = { json = \"$.next\" }");
    let any = rules("", "when = { header = \"last-modified\" }");
    let count =
        |file: &str, content_type: &str, body: &str| harvest(file, &page_of(content_type, body)).0.len();
    for (content_type, body, counts) in [
        ("text/html", BOOK, [1, 0, 1]),
        ("application/json", "{}", [0, 1, 1]),
        ("application/pdf", "%PDF", [0, 0, 1]),
        ("image/png", "", [0, 0, 1]),
    ] {
        let counted = [&html, &json, &any].map(|file| count(file, content_type, body));
        assert_eq!(counted, counts, "{content_type}");
    }
}

#[test]
fn broken_json_is_reported_with_its_page() {
    let (items, problems) = harvest(
        &rules("scope-json = \"$[*]\"", "a = { json = \"$.a\" }"),
        &page_of("application/json", "[{\"a\": 1}"),
    );
    assert!(items.is_empty());
    assert!(
        problems[0].starts_with("http://a.example/books/1: ") && problems[0].contains("JSON"),
        "{problems:?}"
    );
}

/// The page of `docs/extraction.md` is the one of its first block; a comment behind a field is what the field gives.
#[test]
fn the_examples_of_the_page_give_what_they_say() {
    let doc = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/extraction.md")).unwrap();
    let html = doc.split("```html\n").nth(1).unwrap().split("```").next().unwrap();
    let page = page_at("http://shop.example/books/1", "text/html", html);
    let mut examples = 0;
    for block in doc.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        for line in block.lines() {
            let Some((written, told)) = line.rsplit_once("# ") else { continue };
            let (name, _) = written.split_once(" = ").unwrap();
            let told: Value = serde_json::from_str(told).unwrap_or_else(|error| panic!("{line}: {error}"));
            let (items, _) = harvest(&rules("", written), &page);
            assert_eq!(items.first().map(|item| &item[name]), Some(&told), "{line}");
            examples += 1;
        }
    }
    assert!(examples > 50, "{examples}");
}

#[test]
fn scopes_in_scopes_and_paths_from_the_root_are_bounded() {
    let flat = "<p>x</p>".repeat(40_000);
    let deep = format!("{}{}", "<div>".repeat(400), "<img>x".repeat(50_000));
    for (body, scope, field) in [
        (&flat, "scope = \"p\"", "a = { xpath = \"count(//p)\" }"),
        (&deep, "scope = \"div\"", "a = { css = \"b\" }\nb = { css = \"u\" }"),
    ] {
        let (_, problems) = harvest(&rules(scope, field), &page_of("text/html", body));
        assert!(problems.iter().any(|problem| problem.contains("the rest was left")), "{problems:?}");
    }
}

#[test]
fn a_page_cannot_make_the_rules_run_away() {
    let deep = format!("{}1{}", "{\"a\":[".repeat(60), "]}".repeat(60));
    let wide = format!("[{}]", vec![deep; 3_000].join(","));
    let page = page_of("application/json", &wide);
    let (items, problems) = harvest(
        &rules("scope-json = \"$..a\"", "all = { json = \"$..*\", list = true }\nv = { type = \"json\" }"),
        &page,
    );
    assert!(!items.is_empty() && items.len() < 10_000, "{}", items.len());
    assert!(!problems.is_empty());
}
