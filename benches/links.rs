//! What it costs to find the links of a page: by reading its tags in passing, and by building a tree.
//!
//! `cargo bench --bench links` prints the CPU time per page over 2,000 pages (`PAGES` sets another number) of those in `tests/pages`, all
//! pages of the demo shop's home and shelves among them, and of a page of a manual with many links. A crawl that takes no fields never
//! builds a tree; one selector is enough to need it.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use crawl::config::{Loader, Reader};
use crawl::prelude::*;
use crawl::response::Response;
use crawl::spider::declarative::Declarative;
use divan::{Bencher, black_box};
use http::{HeaderValue, StatusCode};

/// Clock ticks of `/proc` in a second.
const TICKS: f64 = 100.0;

/// A page and where it was.
struct Sample {
    url: CanonicalUrl,
    body: Bytes,
}

impl Sample {
    fn page(&self) -> Page {
        let mut response = Response::of(self.url.clone(), StatusCode::OK, self.body.clone());
        response.headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
        Page::new(Arc::new(Request::get(self.url.clone())), response)
    }

    /// As `crawl test` records it: fields, an empty line, the body.
    fn recorded(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/site.pages");
        let text = std::fs::read_to_string(folder.join(format!("{name}.page"))).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let url = head.lines().find_map(|line| line.strip_prefix("url: ")).unwrap();
        Self { url: CanonicalUrl::parse(url).unwrap(), body: Bytes::from(body.to_owned()) }
    }

    /// As manuals made by a generator: an index with so many links, of which many lead to places of one page.
    fn manual(links: usize) -> Self {
        let mut body = String::from(
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>Index</title><link rel=stylesheet href=style.css>\
             <script>if (a < b && document.write) { index(\"<a href='none'>\"); }</script></head><body><!-- index --><nav>",
        );
        for link in 0..links {
            let page = link / 3;
            write!(
                body,
                "<li class=\"toctree-l{}\"><a class=\"reference internal\" href=\"../module/class-{page}.html#method-{link}\">\
                 <code>class-{page}.<span class=name>method-{link}</span></code></a> &ndash; what <b>it</b> does &amp; returns</li>",
                link % 4
            )
            .unwrap();
        }
        body.push_str("</nav></body></html>");
        Self {
            url: CanonicalUrl::parse("https://docs.example.com/manual/index.html").unwrap(),
            body: body.into(),
        }
    }

    fn named(name: &str) -> Self {
        match name.strip_prefix("manual, ") {
            Some(links) => Self::manual(links.split(' ').next().unwrap().parse().unwrap()),
            None => Self::recorded(name),
        }
    }
}

const SAMPLES: [&str; 5] = ["home", "poetry", "book", "manual, 100 links", "manual, 1000 links"];

/// A spider that follows every link and takes what these lines say.
fn spider(lines: &str) -> Declarative {
    let file = format!("seeds = [\"demo:\"]\n{lines}");
    let plan = Loader::new().text("bench.toml", file).load().unwrap_or_else(|error| panic!("{error}"));
    match plan.reader {
        Reader::Recipe(recipe) => Declarative::new(recipe),
        Reader::Spider(name) => panic!("{name}"),
    }
}

fn harvest(spider: &Declarative, page: &Page) -> Harvest {
    let mut harvest = Harvest::new();
    spider.parse(page, &mut harvest).unwrap();
    harvest
}

/// User and system time of this process, in microseconds. Knows only Linux.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 1e6 / TICKS
}

fn measure<T>(name: &str, pages: usize, mut step: impl FnMut() -> T) -> f64 {
    let began = cpu();
    (0..pages).for_each(|_| {
        black_box(step());
    });
    let each = (cpu() - began) / pages as f64;
    println!("  {name:<40} {each:>8.1} us CPU a page");
    each
}

fn compare(name: &str) {
    let pages = std::env::var("PAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let sample = Sample::named(name);
    let (bare, fields) = (spider(""), spider("[[extract]]\nfields = { heading = \"h1\" }"));
    let links = harvest(&bare, &sample.page()).requests().len();
    println!("{name}: {:.1} kB, leads to {links} places", sample.body.len() as f64 / 1e3);
    let scan = measure("tags read in passing", pages, || sample.page().title());
    let tree = measure("tree", pages, || sample.page().html().errors.len());
    measure("links and an item, without a field", pages, || harvest(&bare, &sample.page()));
    measure("links and an item, with one selector", pages, || harvest(&fields, &sample.page()));
    measure("links with their texts, from the tree", pages, || sample.page().links());
    println!("  the tree costs {:.1} times the tags alone", tree / scan);
}

/// Title, base, links and robots metas in one go.
#[divan::bench(args = SAMPLES)]
fn scan(bencher: Bencher, name: &str) {
    let sample = Sample::named(name);
    bencher.bench_local(|| sample.page().title());
}

#[divan::bench(args = SAMPLES)]
fn tree(bencher: Bencher, name: &str) {
    let sample = Sample::named(name);
    bencher.bench_local(|| sample.page().html().errors.len());
}

/// What a crawl does with a page if nothing but its links is asked for.
#[divan::bench(args = SAMPLES)]
fn followed(bencher: Bencher, name: &str) {
    let (sample, spider) = (Sample::named(name), spider(""));
    bencher.bench_local(|| harvest(&spider, &sample.page()));
}

fn main() {
    SAMPLES.iter().for_each(|name| compare(name));
    divan::main();
}
