//! The tasks of the tutorials: quotes.toscrape.com with its authors, books.toscrape.com with all detail pages, and the same
//! at the demo site. What is found is compared, item by item, with lists that were not read from pages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[expect(dead_code, reason = "shared with a test that needs more of it")]
mod toscrape;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crawl::demo::facts;
use serde_json::{Map, Value, json};
use toscrape::{Site, books, quotes, sorted};

/// Runs a crawler file of the project against another origin, in a folder of its own, and tells what it wrote.
fn run(file: &str, real: &str, site: &Site) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crawlers").join(file)).unwrap();
    let text = text.replace(real, &site.origin()).replace(&real.replace('.', "\\\\."), &site.origin());
    assert!(!text.contains(&format!("\"{real}")), "{text}");
    std::fs::write(folder.path().join(file), text).unwrap();
    let quick = ["politeness.delay=0", "politeness.jitter=0", "politeness.pace=fixed"];
    let ran = Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["run", file])
        .args(quick.iter().flat_map(|set| ["--set", set]))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    folder
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn assert_same(found: Vec<Value>, wanted: Vec<Value>) {
    let (found, wanted) = (sorted(found), sorted(wanted));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len());
}

#[test]
fn the_crawler_file_for_quotes_finds_every_quote_and_every_author() {
    let site = Site::start(quotes::pages());
    let folder = run("quotes.toml", "https://quotes.toscrape.com", &site);
    let found = std::fs::read_to_string(folder.path().join("crawlers/out/quotes.jsonl")).unwrap();
    assert_same(lines(&found), quotes::items(&site.origin()));
}

#[test]
fn the_crawler_file_for_books_finds_every_book_of_every_list() {
    let site = Site::start(books::pages(0));
    let folder = run("books.toml", "https://books.toscrape.com", &site);
    let found = std::fs::read_to_string(folder.path().join("crawlers/out/books.toscrape.jsonl")).unwrap();
    let wanted = books::items(&site.origin(), 0, books::BOOKS);
    assert_same(lines(&found), wanted.clone());
    let mut table = csv::Reader::from_path(folder.path().join("crawlers/out/books.toscrape.csv")).unwrap();
    let records: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!((records.len(), wanted.len()), (books::BOOKS, books::BOOKS));
}

/// What an example writes, an item a line. Its last line, or its first, may be no item.
fn example(name: &str) -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_crawl")).with_file_name("examples");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let ran = Command::new(&program).stdin(Stdio::null()).output();
    let ran = ran.expect("the examples were built (`cargo build --examples`)");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let out = String::from_utf8(ran.stdout).unwrap();
    out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// These members of each object, in this order.
fn only(items: &[Value], names: &[&str]) -> Vec<Value> {
    let pick = |item: &Value| {
        let members = names.iter().map(|name| ((*name).to_owned(), item[*name].clone()));
        Value::Object(members.collect::<Map<_, _>>())
    };
    items.iter().map(pick).collect()
}

#[test]
fn the_example_for_quotes_finds_every_quote_and_every_author_of_the_demo_site() {
    assert_same(example("quotes"), [facts::quotes(), facts::authors()].concat());
}

#[test]
fn the_example_for_books_finds_every_book_of_the_demo_site() {
    let found = example("books");
    let names = ["title", "price", "upc", "rating", "category", "description"];
    assert_same(only(&found, &names), only(&facts::books(), &names));
    let stock =
        |items: &[Value], name: &str| items.iter().map(|item| json!([item["upc"], item[name]])).collect();
    assert_same(stock(&found, "available"), stock(&facts::books(), "stock"));
}

#[test]
fn the_first_crawler_file_finds_every_book_of_the_demo_site() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["run", concat!(env!("CARGO_MANIFEST_DIR"), "/crawlers/site.toml")])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let found = lines(&std::fs::read_to_string(folder.path().join("crawlers/out/books.jsonl")).unwrap());
    let names = ["title", "author", "price", "stock", "rating", "upc", "category", "description"];
    let mut wanted = only(&facts::books(), &names);
    // This file keeps what it finds as text.
    for book in &mut wanted {
        let pounds = format!("{:.2}", book["price"].as_f64().unwrap());
        book["price"] = pounds.into();
        book["stock"] = book["stock"].to_string().into();
        book["rating"] = book["rating"].to_string().into();
    }
    assert_same(only(&found, &names), wanted);
    for book in facts::books() {
        let path = book["path"].as_str().unwrap();
        let url = found.iter().find(|item| item["upc"] == book["upc"]).unwrap()["url"].as_str().unwrap();
        assert!(url.ends_with(path), "{url} {path}");
    }
}
