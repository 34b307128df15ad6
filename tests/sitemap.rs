//! Sitemaps: Scrapy's test cases, and a site on this machine that is known by its sitemap alone, crawled over real connections.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod loopback;
mod suites;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use crawl::engine::{Crawl, End, Report, RobotsSitemaps, Sitemaps};
use crawl::extract::ExtractError;
use crawl::extract::sitemap::{Entry, Sitemap};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::robots::{ProductToken, RobotsRules};
use crawl::spider::Spider;
use crawl::url::{Canon, CanonicalUrl};
use serde_json::{Value, json};
use suites::cases;
use tokio::io::AsyncWriteExt;

/// Asks the command, which takes octets as the suite writes them.
fn probe(op: &str, questions: &[Value]) -> Vec<Value> {
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["probe", op])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[test]
fn every_case_of_scrapy_gives_what_scrapy_gives() {
    let Some(cases) = cases::<Vec<Value>>("sitemap-scrapy/sitemap.json") else { return };
    let questions: Vec<_> = cases.iter().map(|case| json!({ "body": case["body"] })).collect();
    let answers = probe("sitemap", &questions);
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(answers) {
        assert_eq!(
            (&answer["type"], &answer["result"]),
            (&case["type"], &case["result"]),
            "{}",
            case["test"]
        );
    }
    println!("{} cases", cases.len());
}

#[test]
fn the_sitemaps_of_robots_txt_are_those_that_scrapy_finds() {
    let Some(cases) = cases::<Vec<Value>>("sitemap-scrapy/sitemap_urls_from_robots.json") else { return };
    let questions: Vec<_> =
        cases.iter().map(|case| json!({ "robots": case["args"][0], "agent": "mybot", "url": "/" })).collect();
    for (case, answer) in cases.iter().zip(probe("robots", &questions)) {
        let base = CanonicalUrl::parse(case["kwargs"]["base_url"].as_str().unwrap()).unwrap();
        let join =
            |line: &Value| json!(Canon::default().join(base.as_url(), line.as_str().unwrap()).unwrap());
        let found: Vec<_> = answer["sitemaps"].as_array().unwrap().iter().map(join).collect();
        assert_eq!(json!(found), case["result"], "{}", case["test"]);
    }
    assert!(RobotsRules::parse(b"Sitemap: /s", &ProductToken::parse("x").unwrap()).sitemaps() == ["/s"]);
}

/// A site on this machine. What has an ETag is answered 304 to whoever has it already.
#[derive(Clone)]
struct Site {
    origin: String,
    answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    log: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Site {
    fn open() -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let site = Self { origin, answers: Arc::default(), log: Arc::default() };
        let server = site.clone();
        loopback::serve(listener, move |stream| server.serve(stream));
        site
    }

    fn set(&self, path: &str, body: impl Into<Vec<u8>>) -> &Self {
        self.answers.lock().unwrap().insert(path.to_owned(), body.into());
        self
    }

    /// Answers one request and closes the connection.
    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let Some(head) = loopback::head(&stream) else { return };
        let path = loopback::path(&head).to_owned();
        let known = loopback::field(&head, "if-none-match") == Some("\"v1\"");
        let body = self.answers.lock().unwrap().get(&path).cloned();
        let (status, body) = match body {
            Some(_) if known => (304, Vec::new()),
            Some(body) => (200, body),
            None => (404, Vec::new()),
        };
        self.log.lock().unwrap().push((path, status));
        let head = format!(
            "HTTP/1.1 {status} X\r\nETag: \"v1\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    }

    /// How often each path was answered with this status.
    fn answered(&self, status: u16) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (path, _) in self.log.lock().unwrap().iter().filter(|(_, found)| *found == status) {
            *counts.entry(path.clone()).or_default() += 1;
        }
        counts
    }
}

async fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

/// Four pages that no other page links to, in two packed sitemaps below an index.
async fn hidden_pages() -> Site {
    let site = Site::open();
    let entry = |path: &str, date: &str| format!("<url><loc>{path}</loc><lastmod>{date}</lastmod></url>");
    let one =
        format!("<urlset>{}{}</urlset>", entry("/1?a=1&amp;b=2", "2026-11-01"), entry("/2", "2020-01-01"));
    let two = format!("{0}/3\n{0}/4\nhttp://elsewhere.invalid/5\n", site.origin);
    let index = "<sitemapindex><sitemap><loc>/one.xml.gz</loc></sitemap><sitemap><loc>/two.txt</loc></sitemap></sitemapindex>";
    site.set("/robots.txt", "User-agent: *\nDisallow: /4\nSitemap: /index.xml\n");
    site.set("/index.xml", index).set("/one.xml.gz", gzip(&one).await).set("/two.txt", gzip(&two).await);
    for path in ["/", "/1?a=1&b=2", "/2", "/3", "/4"] {
        site.set(path, format!("<title>{path}</title>"));
    }
    site
}

/// Follows nothing and gives each page's URL; of sitemaps what it is told to.
struct Pages {
    seed: Request,
    wanted: fn(&Entry) -> bool,
}

impl Spider for Pages {
    fn name(&self) -> &str {
        "pages"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![self.seed.clone()]
    }

    fn sitemap(&self, _request: &Request, sitemap: &Sitemap, harvest: &mut Harvest) {
        sitemap.sitemaps().for_each(|request| harvest.follow(request));
        let wanted = sitemap.entries.iter().filter(|entry| (self.wanted)(entry));
        wanted
            .filter_map(|entry| sitemap.resolve(entry).ok())
            .for_each(|url| harvest.follow(Request::get(url)));
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        harvest.item(&json!({ "url": page.url() }))?;
        Ok(())
    }
}

async fn crawl(spider: Pages, sitemaps: Sitemaps, state: Option<PathBuf>) -> Report {
    let policy = Policy { delay: Duration::from_millis(5), jitter: 0.0, ..Policy::default() };
    let mut builder = Crawl::builder().spider(spider).sitemaps(sitemaps).policy(policy);
    if let Some(state) = state {
        builder = builder.state_dir(state);
    }
    builder.build().unwrap().run().await.unwrap()
}

fn url(site: &Site, path: &str) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("{}{path}", site.origin)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_is_known_by_its_sitemap_and_a_second_round_asks_whether_it_has_changed() {
    let (site, dir) = (hidden_pages().await, tempfile::tempdir().unwrap());
    for round in 1..=2 {
        let spider = Pages { seed: Request::get(url(&site, "/")), wanted: |_| true };
        let sitemaps = Sitemaps { robots: RobotsSitemaps::Read, ..Sitemaps::default() };
        let report = crawl(spider, sitemaps, Some(dir.path().join("state"))).await;
        let totals = &report.totals;
        assert_eq!(
            (report.end, totals.sitemaps, totals.pages),
            (End::Complete, 3, 4),
            "round {round}: {totals:?}"
        );
        assert_eq!((totals.disallowed, totals.items), (1, 4), "round {round}");
        // What is remembered of a sitemap are the locations in scope.
        let expected = if round == 1 { (0, 1) } else { (4, 0) };
        assert_eq!((totals.unchanged, totals.out_of_scope), expected, "round {round}");
    }
    let asked = ["/", "/1?a=1&b=2", "/2", "/3", "/index.xml", "/one.xml.gz", "/two.txt"];
    let once: BTreeMap<_, _> = asked.iter().map(|path| ((*path).to_owned(), 1)).collect();
    assert_eq!(site.answered(304), once, "in the second round everything was there already");
    let mut first = site.answered(200);
    assert_eq!(first.remove("/robots.txt"), Some(1));
    assert_eq!(first, once);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crawl_may_start_at_a_sitemap_and_choose_from_it() {
    let site = hidden_pages().await;
    let spider =
        Pages { seed: Request::sitemap(url(&site, "/one.xml.gz")), wanted: |entry| entry.loc != "/2" };
    let report = crawl(spider, Sitemaps::default(), None).await;
    assert_eq!((report.totals.sitemaps, report.totals.pages), (1, 1));
    assert!(!site.answered(200).contains_key("/2") && !site.answered(200).contains_key("/index.xml"));
    let old = crawl::extract::sitemap::w3c_date("2026-01-01");
    let spider = Pages { seed: Request::get(url(&site, "/")), wanted: |_| true };
    let urls = vec![url(&site, "/one.xml.gz")];
    let report = crawl(spider, Sitemaps { urls, since: old, ..Sitemaps::default() }, None).await;
    assert_eq!((report.totals.sitemaps, report.totals.pages), (1, 2));
}

fn command(dir: &Path, args: &[&str]) -> Output {
    let quick = ["--set", "politeness.delay=5ms", "--set", "politeness.jitter=0"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(args).args(quick).current_dir(dir).env_remove("RUST_LOG").stdin(Stdio::null());
    command.output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_what_an_index_leads_to_and_asks_for_no_page() {
    let (site, dir) = (hidden_pages().await, tempfile::tempdir().unwrap());
    let output = command(dir.path(), &["sitemap", &format!("{}/index.xml", site.origin)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let [one, three] = ["/1?a=1&b=2", "/3"].map(|path| format!("{}{path}", site.origin));
    let listed = lines(&output);
    assert_eq!(listed.len(), 5);
    assert!(listed.contains(&format!("{one}\t2026-11-01")) && listed.contains(&three), "{listed:?}");
    assert!(!site.answered(200).keys().any(|path| path == "/3" || path == "/"));
    let none = command(dir.path(), &["sitemap", &format!("{}/none.xml", site.origin)]);
    assert_eq!(none.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&none.stderr).contains("/none.xml: gone (status 404)"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_listed_as_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("s.xml.gz"),
        gzip("<urlset><url><loc>/a</loc><lastmod>2026</lastmod></url>").await,
    )
    .unwrap();
    let output = command(dir.path(), &["sitemap", "s.xml.gz", "--json"]);
    assert_eq!(output.status.code(), Some(1), "it ends too early");
    let line: Value = serde_json::from_str(&lines(&output)[0]).unwrap();
    assert_eq!((&line["loc"], &line["lastmod"]), (&json!("/a"), &json!("2026")));
    assert_eq!(command(dir.path(), &["sitemap", "nothing.xml"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crawler_file_reads_sitemaps_and_its_follow_rules_label_what_they_list() {
    let (site, dir) = (hidden_pages().await, tempfile::tempdir().unwrap());
    let file = format!(
        "seeds = [\"{}/\"]\n[sitemap]\nfollow = \"robots\"\n[[follow]]\nallow = [\"/1\", \"/3\"]\nlabel = \"found\"\n\
         [[extract]]\nlabel = \"found\"\nfields = {{ title = \"title\" }}\n[sink.jsonl]\npath = \"-\"\n",
        site.origin
    );
    std::fs::write(dir.path().join("a.toml"), file).unwrap();
    let output = command(dir.path(), &["run", "a.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut titles: Vec<_> = lines(&output)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["title"].to_string())
        .collect();
    titles.sort();
    assert_eq!(titles, ["\"/1?a=1&b=2\"", "\"/3\""]);
    let listed = format!("sitemap.follow=[\"{}/two.txt\"]", site.origin);
    let output = command(
        dir.path(),
        &["run", "--set", &listed, "--seed", &format!("{}/2", site.origin), "--state", "other"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines(&output).len(), 2, "{:?}", lines(&output));
}
