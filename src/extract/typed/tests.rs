//! Typed items as a spider's author writes them.

use http::HeaderValue;
use serde::Serialize;
use serde_json::{Value, json};

use crate::prelude::*;
use crate::testing::{answered, page};

const LIST: &str = "<title>Quotes</title><base href='http://a.example/q/'>
<div class=quote data-id=7><span class=text> “To be  kind.” </span><small class=author>Ada</small>
  <a href=by/ada>about</a><i class=tag>life</i><i class=tag> </i><i class=tag>love</i></div>
<div class=quote data-id=x><span class=text></span><small class=author>Bo</small></div>
<div class=quote data-id=9><span class=text>Three</span><small class=author>Cy</small><b class=top></b></div>";

#[derive(Debug, PartialEq, Item, Serialize)]
#[item(scope = ".quote", kind = "quote", css(author = ".author"))]
struct Quote {
    #[item(css = ".text")]
    text: String,
    author: String,
    #[item(css = ".tag")]
    tags: Vec<String>,
    #[item(css = "a::attr(href)")]
    about: Option<Url>,
    #[item(css = "b.top", exists)]
    top: bool,
}

#[derive(Debug, PartialEq, Item, Serialize)]
struct Lists {
    #[item(css = "title")]
    title: String,
    #[item(nested)]
    quotes: Vec<Quote>,
    #[item(nested)]
    first: Quote,
    #[item(css = ".quote", attr = "data-id")]
    ids: Vec<u8>,
}

fn list() -> Page {
    page("http://a.example/", LIST)
}

fn json_page(value: &Value) -> Page {
    let request = Request::get(CanonicalUrl::parse("http://a.example/api").unwrap());
    let mut response =
        crate::response::Response::of(request.url.clone(), http::StatusCode::OK, value.to_string());
    response.headers.insert("content-type", HeaderValue::from_static("application/json"));
    Page::new(std::sync::Arc::new(request), response)
}

#[track_caller]
fn has_problem(harvest: &Harvest, part: &str) {
    let problems = harvest.problems();
    assert!(problems.iter().any(|problem| problem.contains(part)), "{problems:#?}");
}

fn told<T: std::fmt::Debug>(read: Result<T, ExtractError>) -> String {
    read.unwrap_err().to_string()
}

#[test]
fn each_place_of_the_scope_is_an_item_and_the_broken_one_is_dropped_and_told() {
    let mut harvest = Harvest::new();
    let quotes = harvest.items_of::<Quote>(&list()).unwrap();
    assert_eq!(quotes.len(), 2);
    assert_eq!(quotes[0].text, "“To be kind.”");
    assert_eq!(quotes[0].tags, ["life", "love"]);
    assert_eq!(quotes[0].about.as_ref().unwrap().as_str(), "http://a.example/q/by/ada");
    assert_eq!((quotes[1].about.is_none(), quotes[0].top, quotes[1].top), (true, false, true));
    assert_eq!(harvest.items()[1].0.as_deref(), Some("quote"));
    assert_eq!(harvest.items()[1].1["author"], "Cy");
    assert_eq!(
        harvest.problems(),
        [
            "http://a.example/: `Quote[1].text` (selector `.text`) is not there: make it an Option or give it a default if \
          a page may lack it; 1 entry was dropped"
        ]
    );
}

#[test]
fn asked_for_as_values_what_is_broken_is_an_error_that_names_page_struct_field_and_selector() {
    assert!(
        told(list().items::<Quote>())
            .starts_with("http://a.example/: `Quote[1].text` (selector `.text`) is not")
    );
    assert_eq!(list().item::<Quote>().unwrap().author, "Ada");
    assert!(
        told(list().item::<Lists>())
            .starts_with("http://a.example/: `Lists.quotes[1].text` (selector `.text`) is")
    );
    let list = list();
    let second = list.select(".quote").unwrap().iter().nth(2).unwrap();
    assert!(second.items::<Quote>().unwrap().is_empty(), "the scope lies below the element");
    assert!(
        told(page("http://a.example/", "").item::<Quote>())
            .contains("`Quote` (selector `.quote`) is not there")
    );
}

#[test]
fn a_broken_entry_of_a_list_is_dropped_and_not_the_item_around_it() {
    let mut harvest = Harvest::new();
    let lists = harvest.items_of::<Lists>(&list()).unwrap();
    assert_eq!((lists[0].quotes.len(), lists[0].first.author.as_str()), (2, "Ada"));
    assert_eq!(lists[0].ids, [7, 9]);
    let [first, second] = harvest.problems() else { panic!("{:?}", harvest.problems()) };
    assert!(
        first.contains("`Lists.ids[1]` (selector `.quote`, attribute `data-id`) cannot be read: "),
        "{first}"
    );
    assert!(second.contains("`Lists.quotes[1].text` (selector `.text`) is not there"), "{second}");
}

#[derive(Debug, PartialEq, Item, Serialize)]
struct Facts {
    #[item(css = ".price")]
    price: f64,
    #[item(css = ".price", decimal_sign = ",")]
    cents: f64,
    #[item(css = ".stock")]
    stock: u32,
    #[item(css = ".stock", regex = r"^(\w+) stock")]
    word: String,
    #[item(css = ".yes")]
    yes: bool,
    #[item(css = ".born")]
    born: Date,
    #[item(css = ".died", format = "%d.%m.%Y")]
    died: Date,
    #[item(css = "time::attr(datetime)")]
    seen: DateTime,
    #[item(css = ".body", html)]
    body: String,
    #[item(css = "script", json = "$.a[1].b")]
    b: i64,
    #[item(css = ".data::attr(data-x)", json = "$.y")]
    y: Value,
    #[item(url)]
    page: CanonicalUrl,
    #[item(url, regex = "example/(.+)")]
    path: String,
    #[item(css = ".none", default)]
    none: u8,
    #[item(css = ".none", default = "n/a")]
    text: String,
    #[item(css = ".none", default = 1.0 / 2.0)]
    half: f32,
    #[item(skip)]
    own: Option<String>,
}

const FACTS: &str = "<p class=price>€ 1.234</p><p class=stock>In stock (22 available)</p><p class=yes>Yes</p>
<p class=born>November 08, 1832</p><p class=died>06.12.1901</p><time datetime='2026-11-22T09:00:00Z'></time>
<div class=body> <b>x</b> y </div><script type=application/json>{\"a\": [0, {\"b\": -3}]}</script>
<i class=data data-x='{\"y\": [1, \"z\"]}'></i>";

#[test]
fn every_key_does_what_it_says() {
    let facts = page("http://a.example/f", FACTS).item::<Facts>().unwrap();
    assert_eq!(
        json!(facts),
        json!({
            "price": 1.234, "cents": 1234.0, "stock": 22, "word": "In", "yes": true, "born": "1832-11-08",
            "died": "1901-12-06", "seen": "2026-11-22T09:00:00Z", "body": "<b>x</b> y", "b": -3, "y": [1, "z"],
            "page": "http://a.example/f", "path": "f", "none": 0, "text": "n/a", "half": 0.5, "own": null,
        })
    );
}

#[derive(Debug, Item, Serialize)]
#[item(scope_json = "$.books[*]")]
struct Row {
    #[item(json = "$.title")]
    title: String,
    #[item(json = "$.price")]
    price: f64,
    #[item(json = "$.id")]
    id: String,
    #[item(json = "$.tags[*]")]
    tags: Vec<String>,
    #[item(json = "$.by")]
    by: Option<By>,
    #[item(url)]
    page: String,
}

#[derive(Debug, Item, Serialize)]
struct By {
    #[item(json = "$.name")]
    name: String,
}

#[test]
fn a_json_answer_is_read_by_json_paths() {
    let answer = json!({ "books": [
        { "title": " Sand ", "price": 1.234, "id": 7, "tags": ["a", null, ""], "by": { "name": "Ada" } },
        { "title": "Salt", "price": "£1,234.50", "id": "8", "by": null },
        { "title": "Silt", "price": {}, "id": [] },
    ] });
    let mut harvest = Harvest::new();
    let rows = harvest.items_of::<Row>(&json_page(&answer)).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].title.as_str(), rows[0].price, rows[0].id.as_str()), ("Sand", 1.234, "7"));
    assert_eq!((rows[0].tags.len(), rows[0].by.as_ref().unwrap().name.as_str()), (1, "Ada"));
    assert_eq!((rows[1].price, rows[1].by.is_none()), (1234.5, true));
    assert_eq!(rows[1].page, "http://a.example/api");
    assert_eq!(harvest.problems().len(), 1, "`null` is nothing, and no broken struct");
    has_problem(&harvest, "`Row[2].price` (JSONPath `$.price`) cannot be read: expected a number");
    assert!(list().items::<Row>().unwrap().is_empty(), "HTML is no JSON");
}

#[derive(Debug, Item, Serialize)]
#[item(scope = "script[type='application/ld+json']", scope_json = "$")]
struct Structured {
    #[item(json = "$.name")]
    name: String,
}

#[test]
fn white_space_inside_of_json_stays_as_it_is() {
    let html = "<script type=application/ld+json>\n{ \"name\":\n \"two  spaces\" }\n</script>";
    assert_eq!(page("http://a.example/", html).item::<Structured>().unwrap().name, "two  spaces");
}

#[test]
fn scopes_are_found_in_the_json_of_scripts_too() {
    let html = "<script type=application/ld+json>{\"name\": \"Sand\"}</script>
        <script type=application/ld+json>{\"name</script>";
    let mut harvest = Harvest::new();
    let found = harvest.items_of::<Structured>(&page("http://a.example/", html)).unwrap();
    assert_eq!((found.len(), found[0].name.as_str()), (1, "Sand"));
    has_problem(&harvest, "`Structured[1]` (selector `script[type='application/ld+json']`, JSONPath `$`)");
}

fn length(element: &Element<'_>) -> Result<usize, ExtractError> {
    Ok(element.select("i")?.len())
}

fn upper(text: &str) -> Result<String, String> {
    if text.len() < 5 { Ok(text.to_uppercase()) } else { Err(format!("`{text}` is too long")) }
}

#[derive(Debug, Item, Serialize)]
struct Parsed {
    #[item(css = ".a", with = "length")]
    length: usize,
    #[item(css = ".b", with = upper)]
    first: String,
    #[item(css = ".b", with = "self::upper")]
    all: Vec<String>,
    #[item(css = ".none", with = "upper")]
    none: Option<String>,
    #[item(css = ".none", with = "upper", default = "-")]
    fallback: String,
}

#[test]
fn a_parser_reads_the_element_or_its_text() {
    let html = "<p class=a><i></i><i></i></p><p class=b>one</p><p class=b>endless</p><p class=b>two</p>";
    let mut harvest = Harvest::new();
    let parsed = harvest.items_of::<Parsed>(&page("http://a.example/", html)).unwrap();
    assert_eq!(
        json!(parsed[0]),
        json!({ "length": 2, "first": "ONE", "all": ["ONE", "TWO"], "none": null, "fallback": "-" })
    );
    has_problem(&harvest, "`Parsed.all[1]` (selector `.b`) cannot be read: `endless` is too long");
}

#[derive(Debug, Item, Serialize)]
struct Optional {
    #[item(css = ".n")]
    number: Option<u32>,
    #[item(css = ".n", default = 3)]
    or_three: u32,
}

#[test]
fn what_may_be_absent_and_cannot_be_read_is_reported_and_counts_as_absent() {
    let many = page("http://a.example/", "<p class=n>many</p>");
    let mut harvest = Harvest::new();
    let optional = harvest.items_of::<Optional>(&many).unwrap();
    assert_eq!((optional[0].number, optional[0].or_three), (None, 3));
    assert_eq!(harvest.problems().len(), 2);
    assert!(told(many.item::<Optional>()).contains("`Optional.number` (selector `.n`) cannot be read"));
}

#[derive(Debug, Item, Serialize)]
#[item(scope = ".reply")]
struct Reply {
    #[item(css = "b")]
    by: Option<String>,
    #[item(nested)]
    replies: Vec<Reply>,
}

#[test]
fn a_page_that_repeats_itself_without_end_is_left_after_so_many_entries() {
    // Each reply finds all replies inside of it, at every depth: 2 to the power of 40 of them.
    let html = "<div class=reply>".repeat(40);
    let mut harvest = Harvest::new();
    let replies = harvest.items_of::<Reply>(&page("http://a.example/", &html)).unwrap();
    assert!(replies.len() < 40);
    has_problem(&harvest, "is left out: more than 250000 entries of one page are not read");
    let deep = "<div class=reply>".repeat(100);
    assert!(told(page("http://a.example/", &deep).items::<Reply>()).contains("more than "));
}

#[test]
fn many_broken_entries_are_one_problem() {
    let html = "<div class=quote></div>".repeat(3000);
    let mut harvest = Harvest::new();
    assert!(harvest.items_of::<Quote>(&page("http://a.example/", &html)).unwrap().is_empty());
    assert_eq!(harvest.problems().len(), 1);
    assert!(harvest.problems()[0].ends_with("3000 entries were dropped"));
}

#[test]
fn an_answer_without_a_document_has_no_elements() {
    let request = Request::get(CanonicalUrl::parse("http://a.example/").unwrap());
    assert!(
        told(answered(request, "").item::<Facts>())
            .contains("`Facts.price` (selector `.price`) is not there")
    );
    let no_html = json_page(&json!({ "price": 3 }));
    assert!(told(no_html.item::<Facts>()).contains("`Facts.price` (selector `.price`) is not there"));
}

#[test]
fn no_page_however_broken_makes_it_panic() {
    for html in [LIST, FACTS] {
        let ends: Vec<usize> = html.char_indices().map(|(at, _)| at).collect();
        for (index, end) in ends.iter().enumerate().step_by(7) {
            let start = ends[index / 2];
            let page = page("http://a.example/", &html[start..*end]);
            let mut harvest = Harvest::new();
            harvest.items_of::<Lists>(&page).unwrap();
            harvest.items_of::<Facts>(&page).unwrap();
            harvest.items_of::<Structured>(&page).unwrap();
        }
    }
}
