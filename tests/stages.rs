//! Stages, coverage, expectations and the failed list, as a user meets them: the command on the demo site and on a small server.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "shared with tests that read fields")]
mod loopback;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crawl::demo::DemoSite;
use crawl::engine::{Crawl, Expectations};
use crawl::item::Item;
use crawl::politeness::Policy;
use crawl::sink::memory::Collect;
use crawl::spider::declarative::{Declarative, Recipe};
use crawl::stage::Dropped;
use serde_json::Value;
use tempfile::TempDir;

const QUICK: &str =
    "[politeness]\ndelay = \"2ms\"\njitter = 0\npace = \"fixed\"\n[backoff]\nbase = \"50ms\"\n";

const SHOP: &str = r#"
seeds = ["demo:"]

[scope]
exclude = ["/basket/"]

[[extract]]
kind = "book"
scope = "article.book"
fields = { title = "h1.title", price = { css = ".price", regex = '[0-9.]+' }, rating = { css = ".rating", attr = "title", regex = '^\d' }, category = ".category", isbn = ".isbn" }

[[follow]]
deny = ["/style.css", "/sitemap.xml"]

[[stage]]
kinds = ["book"]
drop-if = { title = "^The " }
validate = { price = { type = "decimal", min = 20 }, rating = { type = "integer", max = 4, on-error = "null" } }
rename = { category = "shelf" }
set = { source = "demo", price-eur = "{price} EUR", cents = "{price}" }
remove = ["price"]

[[stage]]
key = ["shelf"]

[sink.jsonl]
path = "books.jsonl"

[sink.csv]
path = "books.csv"

[expect]
min-items = 5
coverage = { "book.rating" = 0.99, shelf = 1, isbn = 0 }
"#;

struct Desk(TempDir);

impl Desk {
    fn with(text: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.path().join("shop.toml"), text).unwrap();
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn values(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Exit code, standard output and standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(args).current_dir(self.path()).env_remove("RUST_LOG").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

/// Titles by their shelves: the rules of the file, done by hand over all books.
fn first_of_each_shelf(books: &[Value]) -> HashMap<String, usize> {
    let mut shelves = HashMap::new();
    books
        .iter()
        .for_each(|book| *shelves.entry(book["shelf"].as_str().unwrap().to_owned()).or_default() += 1);
    shelves
}

#[test]
fn items_are_checked_formed_and_written_once_for_each_key_and_what_is_missed_is_told() {
    let desk = Desk::with(&format!("{SHOP}{QUICK}"));
    let (code, _, told) = desk.run(&["run", "shop.toml", "--report", "report.json", "-q"]);
    assert_eq!(code, 7, "{told}");
    let books = desk.values("books.jsonl");
    let shelves = first_of_each_shelf(&books);
    assert!(shelves.len() > 5 && shelves.values().all(|count| *count == 1), "{shelves:?}");
    for book in &books {
        let fields: Vec<_> = book.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            ["kind", "url", "title", "rating", "shelf", "isbn", "source", "price-eur", "cents"]
        );
        assert!(!book["title"].as_str().unwrap().starts_with("The "));
        let price: f64 = book["cents"].as_str().unwrap().parse().unwrap();
        assert!(price >= 20.0 && book["price-eur"] == format!("{} EUR", book["cents"].as_str().unwrap()));
        assert_ne!(book["rating"], "5");
    }
    let columns = desk.read("books.csv").lines().next().unwrap().to_owned();
    assert_eq!(columns, "title,rating,shelf,isbn,source,price-eur,cents");

    let report: Value = serde_json::from_str(&desk.read("report.json")).unwrap();
    let totals = &report["totals"];
    assert_eq!(totals["items"], books.len());
    assert_eq!(totals["items"].as_u64().unwrap() + totals["items-dropped"].as_u64().unwrap(), 240);
    let remarks = report["tally"]["remarks"].as_array().unwrap();
    let reasons: Vec<_> = remarks.iter().map(|one| (&one["done"], one["reason"].as_str().unwrap())).collect();
    for wanted in ["drop-if title matches ^The ", "price is less than 20", "another item has its key"] {
        assert!(reasons.iter().any(|(done, reason)| *done == "dropped" && *reason == wanted), "{reasons:?}");
    }
    assert!(reasons.iter().any(|(done, reason)| *done == "nulled" && *reason == "rating is more than 4"));
    let dropped: u64 =
        remarks.iter().filter(|one| one["done"] == "dropped").map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(totals["items-dropped"], dropped);
    assert_eq!(report["missed"][0]["key"], "coverage.book.rating");
    assert_eq!(report["missed"].as_array().unwrap().len(), 1);
    for words in [
        "items dropped",
        "another item has its key (book), as on http://",
        "isbn",
        "coverage.book.rating is",
        "exit code 7",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }

    // Asked again, nothing has changed, and the stages say the same of what is kept.
    let (code, _, told) = desk.run(&["run", "shop.toml", "--report", "again.json", "-q"]);
    let again: Value = serde_json::from_str(&desk.read("again.json")).unwrap();
    assert_eq!((code, &again["totals"]["changed"]), (7, &Value::from(0)), "{told}");
    assert_eq!(again["totals"]["items-dropped"], totals["items-dropped"]);
    assert_eq!(again["tally"]["kinds"][0]["items"], report["tally"]["kinds"][0]["items"]);

    let (_, status, _) = desk.run(&["status", "shop.toml"]);
    assert!(status.contains("fields    book: ") && status.contains("another item has its key"), "{status}");
    let (_, shown, _) = desk.run(&["try", "shop.toml", "demo:/new-arrivals/", "--json"]);
    assert!(shown.contains("\"stages\""), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_in_code_are_applied_in_order_and_what_they_drop_is_counted() {
    let site = DemoSite::start().await.unwrap();
    let items = Collect::default();
    let seed = crawl::url::CanonicalUrl::parse(&format!("{}authors/", site.url())).unwrap();
    let recipe = Recipe { seeds: vec![crawl::request::Request::get(seed)], ..Recipe::default() };
    let report = Crawl::builder()
        .spider(Declarative::new(recipe))
        .policy(Policy::fixed(std::time::Duration::from_millis(2)))
        .settings(|settings| settings.max_pages = Some(20))
        .stage(|mut item: Item| {
            item.fields.insert("length".to_owned(), item.url.as_str().len().into());
            Ok(item)
        })
        .stage(|item: Item| match item.fields["length"].as_u64() {
            Some(length) if length % 2 == 1 => Err(Dropped::unwanted("odd")),
            _ => Ok(item),
        })
        .expect(Expectations { max_items: Some(0), ..Expectations::default() })
        .sink(items.clone())
        .build()
        .unwrap()
        .run()
        .await
        .unwrap();
    site.stop().await;
    let kept = items.items();
    assert!(!kept.is_empty() && kept.iter().all(|item| item.fields["length"].as_u64().unwrap() % 2 == 0));
    assert_eq!(report.totals.items, kept.len() as u64);
    assert_eq!(report.totals.items + report.totals.items_dropped, report.totals.pages);
    assert_eq!((report.tally.remarks[0].reason.as_str(), report.exit_code()), ("odd", 7));
}

/// A server whose pages under `/ill` are answered 500 until it is well. Counts what was asked.
struct Moody {
    url: String,
    well: Arc<AtomicBool>,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Moody {
    fn start() -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let server = Self { url: origin + "/", well: Arc::default(), asked: Arc::default() };
        let (well, asked) = (Arc::clone(&server.well), Arc::clone(&server.asked));
        loopback::serve(listener, move |mut stream| {
            let Some(head) = loopback::head(&stream) else { return };
            let path = loopback::path(&head).to_owned();
            let answer = answer(&path, well.load(Ordering::SeqCst));
            *asked.lock().unwrap().entry(path).or_default() += 1;
            // The crawler may have gone already.
            let _ = stream.write_all(answer.as_bytes());
        });
        server
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }
}

fn answer(path: &str, well: bool) -> String {
    let links = "<a href=/1>1</a><a href=/ill/1>2</a><a href=/ill/2>3</a><a href=/2>4</a>";
    let (status, body) = match path {
        "/robots.txt" => ("404 No", String::new()),
        "/" => ("200 OK", format!("<title>home</title>{links}")),
        path if path.starts_with("/ill") && !well => ("500 Oh", String::new()),
        path => ("200 OK", format!("<title>{path}</title>")),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[test]
fn what_failed_is_listed_and_asked_again_in_its_round_without_asking_for_the_rest() {
    let server = Moody::start();
    let file = format!(
        "seeds = [\"{}\"]\n{QUICK}[retry]\ntries = 2\nbase = \"10ms\"\n[sink.jsonl]\npath = \"out.jsonl\"\n[failed]\npath = \"lists/failed.jsonl\"\n[expect]\nmax-error-rate = 0.5\n",
        server.url
    );
    let desk = Desk::with(&file);
    let (code, _, told) = desk.run(&["run", "shop.toml", "-q"]);
    assert_eq!((code, desk.values("out.jsonl").len()), (3, 3), "{told}");
    let failed = desk.values("lists/failed.jsonl");
    assert_eq!(failed.len(), 2);
    assert_eq!([&failed[0]["status"], &failed[0]["tries"]], [500, 2]);
    assert_eq!([&failed[0]["class"], &failed[0]["method"]], ["server-error", "GET"]);
    assert_eq!(failed[0]["request"]["url"], failed[0]["url"]);
    let (_, listed, _) = desk.run(&["failed", "shop.toml"]);
    assert!(listed.contains("ill/1  server-error, status 500, 2 tries, "), "{listed}");

    // Nothing is meant: nothing is asked.
    let (code, _, told) = desk.run(&["retry-failed", "shop.toml", "--class", "timeout"]);
    assert!(code == 0 && told.contains("nothing to ask again: 2 requests on the list"), "{told}");
    assert_eq!(desk.run(&["retry-failed", "shop.toml", "--class", "nonsense"]).0, 2);

    // Still ill: the one that was asked comes back to the list, with its new time.
    let (code, _, told) = desk.run(&["retry-failed", "shop.toml", "--url", "/ill/1", "-q"]);
    assert_eq!((code, server.asked("/ill/1"), server.asked("/ill/2")), (3, 4, 2), "{told}");
    assert_eq!(desk.values("lists/failed.jsonl").len(), 2);

    server.well.store(true, Ordering::SeqCst);
    let (code, _, told) =
        desk.run(&["retry-failed", "shop.toml", "--class", "5xx", "--report", "r.json", "-q"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(desk.read("lists/failed.jsonl"), "");
    assert_eq!(desk.values("out.jsonl").len(), 5);
    let report: Value = serde_json::from_str(&desk.read("r.json")).unwrap();
    let totals = &report["totals"];
    assert_eq!([&report["round"], &totals["pages"], &totals["items"]], [1, 5, 5]);
    assert_eq!([&totals["failed"], &totals["unknown"], &totals["new"]], [0, 0, 5]);
    assert_eq!([server.asked("/"), server.asked("/1"), server.asked("/2")], [1, 1, 1]);
    let (code, judged, _) = desk.run(&["audit", ".crawl/shop"]);
    assert_eq!(code, 0, "{judged}");
    assert_eq!(desk.run(&["retry-failed", "shop.toml", "--state", "nowhere"]).0, 2);
}
