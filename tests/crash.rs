//! kill -9 at random moments, again and again, with the server's own log as the judge.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod loopback;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::demo::{self, DemoRequest, DemoSite};

const KILLS: usize = 8;

fn start(seed: &str, dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args([
            "run",
            "--seed",
            seed,
            "--set",
            "politeness.delay=10ms",
            "--set",
            "politeness.jitter=0",
            "--set",
            "politeness.pace=fixed",
            "--set",
            "retry.confirm-gone=300ms",
            "--set",
            "sink.json.rotate-items=9",
        ])
        .arg("--state")
        .arg(dir.join("state"))
        .arg("--out")
        .arg(dir.join("pages.jsonl"))
        .arg("--out")
        .arg(dir.join("parts/pages-{part}.json.gz"))
        .arg("--out")
        .arg(dir.join("kinds/{kind}.csv.zst"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How often each path was answered with this status.
fn answered(log: &[DemoRequest], status: u16) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for request in log.iter().filter(|request| request.status == status) {
        *counts.entry(request.path.as_str()).or_default() += 1;
    }
    counts
}

/// URLs of the output, each with the number of its lines. Every line must be whole.
fn items(dir: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(dir.join("pages.jsonl")).unwrap().lines() {
        let item: serde_json::Value = serde_json::from_str(line).expect("every line is whole");
        *counts.entry(item["url"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

/// The URLs of a folder's files, each with its number of records, as `crawl export` reads them.
fn exported(folder: &Path) -> BTreeMap<String, usize> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| !file.ends_with(".crawl-kinds-_kind_.csv.zst")).collect();
    files.sort();
    let mut export = Command::new(env!("CARGO_BIN_EXE_crawl"));
    let ran = export.arg("export").args(&files).args(["-", "--to", "jsonl"]).output().unwrap();
    assert!(ran.status.success(), "{files:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(ran.stdout).unwrap().lines() {
        let item: serde_json::Value = serde_json::from_str(line).unwrap();
        *counts.entry(item["url"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
async fn killed_again_and_again_a_crawl_loses_nothing_and_doubles_nothing() {
    let site = DemoSite::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..KILLS {
        let mut crawl = start(&site.url(), dir.path());
        tokio::time::sleep(Duration::from_millis(rng.u64(300..2500))).await;
        crawl.kill().unwrap();
        crawl.wait().unwrap();
    }
    let mut last = start(&site.url(), dir.path());
    let ended = tokio::task::spawn_blocking(move || last.wait().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(90), ended).await;
    assert_eq!(ended.expect("the last run ends by itself").unwrap().code(), Some(0));

    let log = site.log();
    let fetched = answered(&log, 200);
    let again: usize = fetched.iter().filter(|(path, _)| **path != "/robots.txt").map(|(_, n)| n - 1).sum();
    assert!(again <= KILLS, "{again} pages fetched again, one in flight at each kill is excused");
    assert_eq!(fetched["/robots.txt"], 1, "a verdict is kept over a kill");
    assert_eq!(site.breaches(), 0, "a Retry-After holds over a kill");
    let items = items(dir.path());
    assert!(items.len() >= demo::pages(), "{} of {} pages have their item", items.len(), demo::pages());
    assert!(items.values().all(|lines| *lines == 1), "an item is there twice");
    let parts = std::fs::read_dir(dir.path().join("parts")).unwrap().count();
    assert_eq!(parts, items.len().div_ceil(9), "each part is full but the last, and nothing else is left");
    assert_eq!(exported(&dir.path().join("parts")), items);
    assert_eq!(exported(&dir.path().join("kinds")), items);
    let pages = fetched.keys().filter(|path| !matches!(**path, "/robots.txt" | "/sitemap.xml")).count();
    assert_eq!(items.len(), pages, "every page that was fetched has its item");
}

/// A site whose pages can be changed. Everything has an ETag; `/` links to all the others.
#[derive(Clone)]
struct Shelf {
    origin: String,
    /// Path to title; what is not in it is answered 404.
    pages: Arc<Mutex<BTreeMap<String, String>>>,
    /// Path and status of every answer.
    log: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Shelf {
    fn of(pages: usize) -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let shelf = Self { origin, pages: Arc::default(), log: Arc::default() };
        shelf.put("/".to_owned(), (0..pages).map(|page| format!("<a href=\"/{page}\">x</a>")).collect());
        (0..pages).for_each(|page| shelf.put(format!("/{page}"), format!("first {page}")));
        let server = shelf.clone();
        loopback::serve(listener, move |stream| server.serve(stream));
        shelf
    }

    fn put(&self, path: String, title: String) {
        self.pages.lock().unwrap().insert(path, title);
    }

    fn remove(&self, path: &str) {
        self.pages.lock().unwrap().remove(path);
    }

    fn log(&self) -> Vec<(String, u16)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let Some(head) = loopback::head(&stream) else { return };
        let path = loopback::path(&head).to_owned();
        let title = self.pages.lock().unwrap().get(&path).cloned();
        let body = title.map_or_else(|| "sorry".to_owned(), |title| format!("<title>{title}</title>{title}"));
        let etag = format!("\"{:x}\"", crawl::url::Fingerprint::of(body.as_bytes()).get());
        let (status, body) = match body.as_str() {
            "sorry" => (404, body),
            _ if loopback::field(&head, "if-none-match") == Some(&etag) => (304, String::new()),
            _ => (200, body),
        };
        self.log.lock().unwrap().push((path, status));
        let length =
            if status == 304 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nETag: {etag}\r\nContent-Type: text/html\r\n{length}Connection: close\r\n\r\n{body}"
        );
        drop(stream.write_all(answer.as_bytes()));
    }

    /// URL and title of every page: what an output must hold.
    fn truth(&self) -> BTreeSet<(String, String)> {
        let pages = self.pages.lock().unwrap();
        let leaves = pages.iter().filter(|(path, _)| *path != "/");
        leaves.map(|(path, title)| (format!("{}{path}", self.origin), title.clone())).collect()
    }
}

/// URL and title of each line of the output but that of the home page, and nothing twice.
fn titles(dir: &Path) -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(dir.join("pages.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let pairs: BTreeSet<_> = lines.iter().map(|line| (text(line, "url"), text(line, "title"))).collect();
    assert_eq!(pairs.len(), lines.len(), "an item is there twice");
    pairs.into_iter().filter(|(url, _)| !url.ends_with('/')).collect()
}

/// Change and URL of each line of a round's list, in order.
fn changes(dir: &Path, round: u32) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(dir.join(format!("state/changes/round-{round}.jsonl"))).unwrap();
    let lines = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("every line is whole");
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("change"), text("url"))
    });
    let mut changes: Vec<_> = lines.collect();
    changes.sort_unstable();
    changes
}

/// Runs it to its end.
fn finish(seed: &str, dir: &Path) -> Option<i32> {
    start(seed, dir).wait().unwrap().code()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
fn killed_in_the_second_round_it_loses_nothing_behind_a_304_and_reports_every_change_once() {
    const PAGES: usize = 120;
    let shelf = Shelf::of(PAGES);
    let (seed, dir) = (format!("{}/", shelf.origin), tempfile::tempdir().unwrap());
    assert_eq!(finish(&seed, dir.path()), Some(0));
    assert_eq!(titles(dir.path()), shelf.truth());
    let changed: Vec<_> = (0..PAGES).step_by(6).collect();
    let gone: Vec<_> = (1..PAGES).step_by(30).collect();
    changed.iter().for_each(|page| shelf.put(format!("/{page}"), format!("second {page}")));
    gone.iter().for_each(|page| shelf.remove(&format!("/{page}")));
    let line = |change: &str, page: &usize| (change.to_owned(), format!("{}/{page}", shelf.origin));
    let mut wanted: Vec<_> = changed.iter().map(|page| line("changed", page)).collect();
    wanted.extend(gone.iter().map(|page| line("gone", page)));
    wanted.sort_unstable();

    shelf.log();
    let mut rng = fastrand::Rng::with_seed(5);
    let mut killed = 0;
    while killed < KILLS {
        let mut crawl = start(&seed, dir.path());
        std::thread::sleep(Duration::from_millis(rng.u64(120..700)));
        if crawl.try_wait().unwrap().is_some() {
            break;
        }
        crawl.kill().unwrap();
        crawl.wait().unwrap();
        killed += 1;
    }
    assert!(killed > 2, "it was over after {killed} kills");
    // A kill may have come when the round was complete and only its process was not: then this is the third.
    let round = |number: u32| dir.path().join(format!("state/changes/round-{number}.jsonl")).exists();
    assert_eq!(finish(&seed, dir.path()), Some(0));
    let log = shelf.log();
    assert_eq!(titles(dir.path()), shelf.truth());
    assert_eq!(changes(dir.path(), 2), wanted);
    let unchanged: BTreeSet<_> =
        log.iter().filter(|(_, status)| *status == 304).map(|(path, _)| path.clone()).collect();
    assert!(unchanged.len() > PAGES / 2, "{} answers 304", unchanged.len());
    let found = titles(dir.path());
    let has_item = |path: &String| path == "/" || found.iter().any(|(url, _)| url.ends_with(path.as_str()));
    assert!(unchanged.iter().all(has_item), "a page is missing behind its 304");

    if !round(3) {
        assert_eq!(finish(&seed, dir.path()), Some(0));
        assert_eq!(titles(dir.path()), shelf.truth());
    }
    assert_eq!(changes(dir.path(), 3), []);
}
