//! What fields cost: a page parsed, its links read, and ten fields of mixed kinds taken from it.
//!
//! `cargo bench --bench extract` prints CPU time per page over 10,000 pages (`PAGES` sets another number): the book pages of the
//! demo shop, which are small, and pages of a shop's usual size, made here. Then what each kind of field costs by itself on the
//! large page, which divan measures on a page that is parsed already.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crawl::config::{Loader, Reader};
use crawl::demo::DemoSite;
use crawl::prelude::*;
use crawl::response::Response;
use crawl::spider::declarative::Declarative;
use divan::Bencher;
use http::{HeaderValue, StatusCode};

/// Clock ticks of `/proc` in a second.
const TICKS: f64 = 100.0;

/// Nothing is followed, and the one field costs nothing: what a page costs before the first field.
const NONE: &str = "nothing = { value = true }";

/// Ten fields of the demo shop's book pages.
const BOOK: &str = r#"
title = { css = "h1.title", required = true }
author = { xpath = "//*[has-class('author')]" }
price = { css = ".price", type = "decimal" }
stock = { css = ".stock", type = "integer", default = 0 }
rating = { css = ".rating", attr = "title", regex = '^\d', type = "integer" }
upc = { css = ".upc", clean = ["upper"] }
category = { css = [".genre", ".category"] }
description = { css = ".description", clean = [{ take = 200 }] }
links = { css = "a::attr(href)", list = true }
modified = { header = "last-modified", type = "datetime" }
"#;

/// Ten fields of a large page, from ten places.
const PRODUCT: &str = r#"
title = { css = "h1", required = true }
price = { css = ".buy .price", type = "decimal" }
sku = { xpath = "//table[@class='facts']//th[.='SKU']/following-sibling::td[1]" }
rating = { json-ld = "$.aggregateRating.ratingValue", type = "decimal" }
image = { og = "image", type = "url" }
stock = { script = "window.__STATE__", json = "$.product.stock" }
description = { css = ".description p", list = true, clean = [{ join = "\n" }] }
published = { css = "time::attr(datetime)", type = "date" }
reviews = { css = ".review", list = true, fields = { by = ".by", stars = { css = ".stars", type = "integer" }, text = "p" } }
canonical = { canonical = true }
"#;

/// What is not among the ten, for it costs as much as parsing again.
const ARTICLE: &str = "article = { article = \"text\" }";
const MICRODATA: &str = "micro = { microdata = \"$.properties.name\" }";

/// User and system time of this process with all its threads, in microseconds. Knows only Linux.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 1e6 / TICKS
}

fn measure(name: &str, pages: usize, mut step: impl FnMut(usize)) -> f64 {
    let began = cpu();
    (0..pages).for_each(&mut step);
    let each = (cpu() - began) / pages as f64;
    println!("{name:<58} {each:>8.1} us CPU a page");
    each
}

/// A spider that does what these fields say, and follows nothing.
fn spider(fields: &str) -> Declarative {
    let file = format!(
        "seeds = [\"demo:\"]\n[[follow]]\nallow = [\"/no-such-page\"]\n[[extract]]\n[extract.fields]\n{fields}"
    );
    let plan = Loader::new().text("bench.toml", file).load().unwrap_or_else(|error| panic!("{error}"));
    match plan.reader {
        Reader::Recipe(recipe) => Declarative::new(recipe),
        Reader::Spider(name) => panic!("{name}"),
    }
}

/// Keeps the bodies of all book pages.
struct Keep(CanonicalUrl, Arc<Mutex<Vec<Bytes>>>);

impl Spider for Keep {
    fn name(&self) -> &str {
        "keep"
    }
    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.0.clone())]
    }
    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        if page.first("h1.title")?.is_some() {
            self.1.lock().unwrap().push(page.response().body.clone());
        }
        page.links().links.into_iter().for_each(|link| harvest.follow(Request::get(link.url)));
        Ok(())
    }
}

/// The book pages of the demo shop.
fn books() -> Vec<Bytes> {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let site = DemoSite::start().await.unwrap();
        let seed = CanonicalUrl::parse(&site.url()).unwrap();
        let policy = Policy::fixed(Duration::from_millis(1));
        let crawl = Crawl::builder().spider(Keep(seed, kept)).policy(policy).build().unwrap();
        crawl.run().await.unwrap();
    });
    std::mem::take(&mut *bodies.lock().unwrap())
}

/// A page as shops have them: navigation, facts, description, reviews, things that others bought, data for machines.
fn product(number: usize) -> Bytes {
    let mut page = format!(
        "<!doctype html><html lang=en><head><title>Product {number} | Shop</title><meta property=og:image content=/img/{number}.jpg>\
         <meta name=description content='A product'><link rel=canonical href=https://shop.example/p/{number}>\
         <script type=application/ld+json>{{\"@context\":\"https://schema.org\",\"@type\":\"Product\",\"name\":\"Product {number}\",\
         \"aggregateRating\":{{\"ratingValue\":\"4.{}\",\"reviewCount\":{number}}}}}</script>\
         <script>window.__STATE__ = {{\"user\":null,\"product\":{{\"id\":{number},\"stock\":{},\"variants\":[{}]}}}};</script></head><body><nav><ul>",
        number % 10,
        number % 40,
        vec![r#"{"colour":"red","sizes":["S","M","L"],"price":19.99}"#; 30].join(",")
    );
    for link in 0..120 {
        write!(page, "<li class='item level-2'><a class=nav-link href='/category/{link}?from=nav'>Category {link}</a></li>").unwrap();
    }
    write!(
        page,
        "</ul></nav><main><h1>Product {number}</h1><div class=buy><span class=price>£1,{:03}.50</span></div>\
        <time datetime=2024-05-{:02}>May</time><table class=facts>",
        number % 1_000,
        number % 28 + 1
    )
    .unwrap();
    for row in 0..15 {
        write!(page, "<tr><th>Fact {row}</th><td>Value of fact {row}</td></tr>").unwrap();
    }
    write!(page, "<tr><th>SKU</th><td>SKU-{number}</td></tr></table><div class=description>").unwrap();
    for _ in 0..8 {
        write!(
            page,
            "<p>{}</p>",
            "Some words about the <b>product</b> that nobody reads &amp; nobody misses. ".repeat(8)
        )
        .unwrap();
    }
    page.push_str("</div><section class=reviews>");
    for review in 0..20 {
        write!(page, "<div class=review><span class=by>Reader {review}</span><span class=stars>{} stars</span><p>{}</p></div>",
            review % 5 + 1, "It is what it is. ".repeat(10)).unwrap();
    }
    page.push_str("</section><div class=others>");
    for other in 0..60 {
        write!(page, "<article class=card><a href=/p/{other}><img src=/img/{other}.jpg alt='Product {other}'><h3>Product {other}</h3></a>\
            <p class=price>£{other}.99</p><button class='button button-small' data-id={other}>Add</button></article>").unwrap();
    }
    page.push_str("</div></main></body></html>");
    Bytes::from(page)
}

fn page_of(body: &Bytes) -> Page {
    static URL: LazyLock<CanonicalUrl> =
        LazyLock::new(|| CanonicalUrl::parse("https://shop.example/p/1").unwrap());
    let mut response = Response::of(URL.clone(), StatusCode::OK, body.clone());
    response.headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers.insert("last-modified", HeaderValue::from_static("Fri, 03 May 2024 10:00:00 GMT"));
    Page::new(Arc::new(Request::get(URL.clone())), response)
}

fn harvest(spider: &Declarative, page: &Page) -> Harvest {
    let mut harvest = Harvest::new();
    spider.parse(page, &mut harvest).unwrap();
    harvest
}

/// Parse alone, with its links, with ten fields.
fn compare(name: &str, bodies: &[Bytes], fields: &str) {
    let pages: usize = std::env::var("PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let size = bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len();
    println!("{name}: {} different pages of {:.1} kB", bodies.len(), size as f64 / 1e3);
    let body = |step: usize| &bodies[step % bodies.len()];
    let (none, ten) = (spider(NONE), spider(fields));
    let found = harvest(&ten, &page_of(&bodies[0]));
    assert!(found.problems().is_empty(), "{:?}", found.problems());
    let missing: Vec<_> = found.items()[0].1.iter().filter(|(_, value)| value.is_null()).collect();
    println!("  {} fields, without a value on the first page: {missing:?}", found.items()[0].1.len() - 1);
    let parsed = measure("  parsed", pages, |step| {
        black_box(page_of(body(step)).html());
    });
    let linked = measure("  parsed, links read", pages, |step| {
        black_box(harvest(&none, &page_of(body(step))));
    });
    let taken = measure("  parsed, links read, ten fields taken", pages, |step| {
        black_box(harvest(&ten, &page_of(body(step))));
    });
    println!(
        "  ten fields cost {:.1} us, {:.2} times the parse alone",
        taken - linked,
        (taken - linked) / parsed
    );
}

/// What one field adds to the links of a page that is parsed already; the first line is none.
#[divan::bench(args = [NONE].into_iter().chain(PRODUCT.trim().lines()).chain([ARTICLE, MICRODATA]))]
fn field(bencher: Bencher, line: &str) {
    let (spider, page) = (spider(line), page_of(&product(1)));
    black_box(page.html());
    bencher.bench_local(|| harvest(&spider, &page));
}

fn main() {
    compare("book pages of the demo shop", &books(), BOOK);
    let products: Vec<_> = (0..500).map(product).collect();
    compare("product pages", &products, PRODUCT);
    divan::main();
}
