//! Rounds over a site that changes between them: real connections, real state, real cache.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod loopback;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::engine::{Builder, Crawl, End, Report, Start, Unlinked};
use crawl::extract::ExtractError;
use crawl::fetch::http::HttpFetcher;
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::{Policy, Retry};
use crawl::request::Request;
use crawl::sink::csv::{CsvOptions, CsvSink};
use crawl::sink::jsonl::{JsonlOptions, JsonlSink};
use crawl::sink::memory::Collect;
use crawl::sink::{Choice, Chosen, Position, Sink, SinkError, Wants};
use crawl::spider::Spider;
use crawl::url::CanonicalUrl;
use serde_json::Value;

/// One answer of the site.
#[derive(Clone, PartialEq)]
enum Answer {
    Page {
        title: String,
        links: Vec<String>,
    },
    Status(u16),
    Moved(String),
    /// The connection is closed without a word.
    Nothing,
}

/// What a request was answered with.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    path: String,
    status: u16,
    conditional: bool,
    body: usize,
}

/// A site whose pages can be changed; everything has an ETag.
#[derive(Clone)]
struct Site {
    origin: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    log: Arc<Mutex<Vec<Line>>>,
}

impl Site {
    /// A home page that links to so many pages, each of which links to the next.
    fn of(pages: usize) -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let site = Self { origin, answers: Arc::default(), log: Arc::default() };
        let paths: Vec<_> = (0..pages).map(|number| format!("/{number}")).collect();
        site.page("/", "home", &paths);
        paths.iter().for_each(|path| site.page(path, path, &[]));
        let server = site.clone();
        loopback::serve(listener, move |stream| server.serve(stream));
        site
    }

    fn page(&self, path: &str, title: &str, links: &[String]) {
        self.set(path, Answer::Page { title: title.to_owned(), links: links.to_vec() });
    }

    fn set(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn log(&self) -> Vec<Line> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let Some(head) = loopback::head(&stream) else { return };
        let path = loopback::path(&head).to_owned();
        let condition = loopback::field(&head, "if-none-match");
        let answer = self.answers.lock().unwrap().get(&path).cloned().unwrap_or(Answer::Status(404));
        let (status, fields, body) = match answer {
            Answer::Page { title, links } => {
                let mut body = format!("<title>{title}</title><h1>{title}</h1>");
                links.iter().for_each(|link| write!(body, "<a href=\"{link}\">x</a>").unwrap());
                let etag = format!("\"{}\"", body.len() * 31 + title.bytes().map(usize::from).sum::<usize>());
                let same = condition == Some(etag.as_str());
                (
                    if same { 304 } else { 200 },
                    format!("ETag: {etag}\r\n"),
                    if same { String::new() } else { body },
                )
            }
            Answer::Status(status) => (status, String::new(), "sorry".to_owned()),
            Answer::Moved(to) => (301, format!("Location: {to}\r\n"), String::new()),
            Answer::Nothing => return,
        };
        let line = Line { path, status, conditional: condition.is_some(), body: body.len() };
        self.log.lock().unwrap().push(line);
        let length =
            if status == 304 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let answer = format!(
            "HTTP/1.1 {status} X\r\n{fields}Content-Type: text/html\r\n{length}Connection: close\r\n\r\n{body}"
        );
        drop(stream.write_all(answer.as_bytes()));
    }
}

/// One item a page; every link is followed.
struct Titles(String);

impl Spider for Titles {
    fn name(&self) -> &str {
        "titles"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(CanonicalUrl::parse(&self.0).unwrap())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        harvest.item(&serde_json::json!({ "url": page.request().url, "title": page.text_of("h1")? }))?;
        for href in page.select("a")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}

/// Takes only what is news.
#[derive(Clone, Default)]
struct News(Collect);

impl Sink for News {
    fn name(&self) -> &str {
        "news"
    }
    fn wants(&self) -> Wants {
        Wants::Changes
    }
    fn write(&mut self, item: &crawl::item::Item) -> Result<(), SinkError> {
        self.0.write(item)
    }
    fn flush(&mut self) -> Result<Position, SinkError> {
        self.0.flush()
    }
    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.0.rewind(to)
    }
}

/// What a round came to.
struct Round {
    report: Report,
    items: BTreeSet<String>,
    news: usize,
    log: Vec<Line>,
    changes: Vec<(String, String)>,
}

impl Round {
    /// New, changed, unchanged, gone, unknown.
    fn shifts(&self) -> [u64; 5] {
        let totals = &self.report.totals;
        [totals.new, totals.changed, totals.unchanged, totals.gone, totals.unknown]
    }

    fn listed(&self, change: &str) -> Vec<&str> {
        let of = self.changes.iter().filter(|(kind, _)| kind == change);
        let mut paths: Vec<_> = of.map(|(_, path)| path.as_str()).collect();
        paths.sort_unstable();
        paths
    }
}

/// How the rounds of a test are run.
#[derive(Clone, Copy, Default)]
struct Rounds {
    start: Start,
    unlinked: Unlinked,
    max_pages: Option<u64>,
}

impl Rounds {
    /// The crawl of a round; where items go is left to the caller.
    fn of(self, site: &Site, state: &Path) -> Builder<HttpFetcher> {
        let retry =
            Retry { confirm: Duration::from_millis(50), base: Duration::from_millis(20), ..Retry::default() };
        let policy = Policy { retry, jitter: 0.0, ..Policy::fixed(Duration::ZERO) };
        Crawl::builder()
            .spider(Titles(format!("{}/", site.origin)))
            .policy(policy)
            .settings(move |settings| settings.max_pages = self.max_pages)
            .state_dir(state)
            .start(self.start)
            .unlinked(self.unlinked)
    }

    async fn run(self, site: &Site, state: &Path) -> Round {
        site.log();
        let (items, news) = (Collect::default(), News::default());
        let crawl = self.of(site, state).sink(items.clone()).sink(news.clone());
        let report = crawl.build().unwrap().run().await.unwrap();
        let changes =
            std::fs::read_to_string(state.join(format!("changes/round-{}.jsonl", report.round))).unwrap();
        let change = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let path = line["url"].as_str().unwrap().replace(&site.origin, "");
            (line["change"].as_str().unwrap().to_owned(), path)
        };
        let shown = |item: &crawl::item::Item| format!("{:?} {:?}", item.fields, item.seen);
        Round {
            items: items.items().iter().map(shown).collect(),
            news: news.0.items().len(),
            log: site.log(),
            changes: changes.lines().map(change).collect(),
            report,
        }
    }
}

async fn run(site: &Site, state: &Path) -> Round {
    Rounds::default().run(site, state).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_site_costs_headers_only_and_gives_the_same_items() {
    let (site, state) = (Site::of(40), tempfile::tempdir().unwrap());
    let first = run(&site, state.path()).await;
    assert_eq!((first.shifts(), first.news, first.items.len()), ([41, 0, 0, 0, 0], 41, 41));
    let second = run(&site, state.path()).await;
    assert_eq!((second.shifts(), second.news, second.report.round), ([0, 0, 41, 0, 0], 0, 2));
    assert_eq!(second.items, first.items);
    let pages: Vec<_> = second.log.iter().filter(|line| line.path != "/robots.txt").collect();
    assert_eq!(pages.len(), 41);
    assert!(pages.iter().all(|line| line.status == 304 && line.conditional && line.body == 0), "{pages:?}");
    assert!(second.changes.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_is_changed_and_what_its_server_says_is_gone_is_gone() {
    let (site, state) = (Site::of(40), tempfile::tempdir().unwrap());
    run(&site, state.path()).await;
    (0..7).for_each(|number| site.page(&format!("/{number}"), "other", &[]));
    site.set("/20", Answer::Status(404));
    site.set("/21", Answer::Status(410));
    let second = run(&site, state.path()).await;
    assert_eq!(second.shifts(), [0, 7, 32, 2, 0]);
    assert_eq!(second.news, 7);
    assert_eq!(second.listed("gone"), ["/20", "/21"]);
    let asked = |path: &str| second.log.iter().filter(|line| line.path == path).count();
    assert_eq!((asked("/20"), asked("/21")), (2, 2), "what is gone is asked once more before it is believed");
    let third = run(&site, state.path()).await;
    assert_eq!(third.shifts(), [0, 0, 39, 0, 0], "what is gone is gone once");
    assert_eq!(third.report.totals.missing, 2);
}

/// Files that take only what is news, and tell since when a page is known.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a round; both files have the same items then, told by their titles.
    async fn run(&self, rounds: Rounds, site: &Site) -> Vec<Value> {
        let jsonl = JsonlOptions { seen: true, ..JsonlOptions::to(self.path("a.jsonl")) };
        let columns = ["title", "first_seen", "last_changed", "round"].map(str::to_owned).to_vec();
        let csv = CsvOptions { seen: true, ..CsvOptions::to(self.path("a.csv"), columns) };
        let news = || Choice { wants: Wants::Changes, ..Choice::default() };
        let crawl = rounds.of(site, &self.path("state"));
        let crawl = crawl
            .sink(Chosen::new(JsonlSink::open(&jsonl).unwrap(), news()))
            .sink(Chosen::new(CsvSink::open(&csv).unwrap(), news()));
        crawl.build().unwrap().run().await.unwrap();
        let text = |name| std::fs::read_to_string(self.path(name)).unwrap();
        let lines: Vec<Value> =
            text("a.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let cells = |line: &Value| {
            let [title, first, last] =
                ["title", "first_seen", "last_changed"].map(|name| line[name].as_str().unwrap());
            format!("{title},{first},{last},{}\n", line["round"])
        };
        let expected: String = lines.iter().map(cells).collect();
        assert_eq!(text("a.csv"), format!("title,first_seen,last_changed,round\n{expected}"));
        lines
    }

    /// What a process leaves that dies after it has handed over more than it committed.
    fn tear(&self) {
        for name in ["a.jsonl", "a.csv", "state/changes/round-2.jsonl"] {
            let mut file = std::fs::File::options().append(true).open(self.path(name)).unwrap();
            file.write_all(b"{\"title\": \"handed over, not committed\"}\n{\"to").unwrap();
        }
    }

    fn listed(&self) -> usize {
        std::fs::read_to_string(self.path("state/changes/round-2.jsonl")).unwrap().lines().count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_of_changes_is_the_news_of_its_round_with_dates() {
    let (site, files) = (Site::of(5), Files::new());
    let first = files.run(Rounds::default(), &site).await;
    assert_eq!(first.len(), 6);
    assert!(first.iter().all(|line| line["round"] == 1 && line["first_seen"] == line["last_changed"]));
    assert!(files.run(Rounds::default(), &site).await.is_empty());
    site.page("/1", "other", &[]);
    site.page("/2", "/2", &["/new".to_owned()]);
    site.page("/new", "new", &[]);
    let third = files.run(Rounds::default(), &site).await;
    let titles: BTreeSet<_> = third.iter().map(|line| line["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["new", "other"].into(), "another link is no other item");
    let changed = third.iter().find(|line| line["title"] == "other").unwrap();
    let before = first.iter().find(|line| line["title"] == "/1").unwrap();
    assert_eq!((&changed["first_seen"], &changed["round"]), (&before["first_seen"], &Value::from(3)));
    assert!(changed["last_changed"].as_str() > changed["first_seen"].as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_handed_over_and_not_committed_is_cut_off_and_news_are_written_once() {
    let (site, files) = (Site::of(8), Files::new());
    files.run(Rounds::default(), &site).await;
    (0..8).for_each(|number| site.page(&format!("/{number}"), "other", &[]));
    for max_pages in [2, 5, 7] {
        files.run(Rounds { max_pages: Some(max_pages), ..Rounds::default() }, &site).await;
        files.tear();
    }
    let news = files.run(Rounds::default(), &site).await;
    let urls: BTreeSet<_> = news.iter().map(|line| line["url"].as_str().unwrap()).collect();
    assert_eq!((news.len(), urls.len(), files.listed()), (8, 8, 8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_changes_that_is_lost_does_not_stop_its_round() {
    let (site, files) = (Site::of(4), Files::new());
    files.run(Rounds::default(), &site).await;
    (0..4).for_each(|number| site.page(&format!("/{number}"), "other", &[]));
    files.run(Rounds { max_pages: Some(3), ..Rounds::default() }, &site).await;
    std::fs::remove_dir_all(files.path("state/changes")).unwrap();
    assert_eq!(files.run(Rounds::default(), &site).await.len(), 4);
    assert_eq!(files.listed(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_link_is_not_gone_and_a_page_that_comes_back_in_time_is_not_either() {
    let (site, state) = (Site::of(3), tempfile::tempdir().unwrap());
    site.page("/0", "/0", &["/never".to_owned()]);
    let first = run(&site, state.path()).await;
    assert_eq!((first.shifts(), first.report.totals.missing), ([4, 0, 0, 0, 0], 1));
    site.set("/2", Answer::Status(404));
    let (racing, origin) = (site.clone(), site.clone());
    let back = std::thread::spawn(move || {
        while !racing.log.lock().unwrap().iter().any(|line| line.path == "/2" && line.status == 404) {
            std::thread::yield_now();
        }
        racing.page("/2", "/2", &[]);
    });
    let second = run(&origin, state.path()).await;
    back.join().unwrap();
    assert_eq!(second.shifts(), [0, 0, 4, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_page_that_nobody_links_to_any_more_is_asked_at_the_end() {
    let (site, state) = (Site::of(5), tempfile::tempdir().unwrap());
    run(&site, state.path()).await;
    site.page("/", "home", &["/0".to_owned(), "/1".to_owned()]);
    site.set("/4", Answer::Status(404));
    let second = run(&site, state.path()).await;
    assert_eq!(second.shifts(), [0, 1, 4, 1, 0]);
    assert_eq!(second.listed("gone"), ["/4"]);
    let left = Rounds { unlinked: Unlinked::Leave, ..Rounds::default() }.run(&site, state.path()).await;
    assert_eq!(left.shifts(), [0, 0, 3, 0, 0]);
    let again = run(&site, state.path()).await;
    assert_eq!(again.shifts(), [0, 0, 5, 0, 0], "what was left alone stays known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_and_a_refusal_make_nothing_gone() {
    let (site, state) = (Site::of(5), tempfile::tempdir().unwrap());
    run(&site, state.path()).await;
    for answer in [Answer::Status(500), Answer::Nothing, Answer::Status(403)] {
        let before: BTreeMap<_, _> = site.answers.lock().unwrap().clone();
        ["/1", "/2"].iter().for_each(|path| site.set(path, answer.clone()));
        let round = run(&site, state.path()).await;
        assert_eq!((round.shifts()[3], round.listed("gone").len()), (0, 0));
        assert_eq!(round.listed("failed"), ["/1", "/2"], "{:?}", round.report.totals);
        *site.answers.lock().unwrap() = before;
        let well = run(&site, state.path()).await;
        assert_eq!(well.shifts(), [0, 0, 6, 0, 0], "nothing was forgotten");
    }
    let all: Vec<_> = site.answers.lock().unwrap().keys().cloned().collect();
    all.iter().for_each(|path| site.set(path, Answer::Nothing));
    let outage = run(&site, state.path()).await;
    assert_eq!(outage.shifts()[3], 0);
    assert_ne!(outage.report.exit_code(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_ours_makes_nothing_gone() {
    let (site, state) = (Site::of(5), tempfile::tempdir().unwrap());
    run(&site, state.path()).await;
    let short = Rounds { max_pages: Some(2), ..Rounds::default() }.run(&site, state.path()).await;
    assert_eq!((short.report.end, short.shifts()), (End::Limit, [0, 0, 2, 0, 0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_moves_has_changed_once() {
    let (site, state) = (Site::of(2), tempfile::tempdir().unwrap());
    run(&site, state.path()).await;
    site.set("/1", Answer::Moved("/new".to_owned()));
    site.page("/new", "new", &[]);
    let second = run(&site, state.path()).await;
    assert_eq!(second.shifts(), [1, 1, 2, 0, 0]);
    assert_eq!((second.listed("new"), second.listed("changed")), (vec!["/new"], vec!["/1"]));
    assert_eq!(run(&site, state.path()).await.shifts(), [0, 0, 4, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_cache_costs_full_pages_and_neither_items_nor_history() {
    let (site, state) = (Site::of(10), tempfile::tempdir().unwrap());
    let first = run(&site, state.path()).await;
    std::fs::remove_dir_all(state.path().join("cache")).unwrap();
    let second = run(&site, state.path()).await;
    assert_eq!(second.shifts(), [0, 0, 11, 0, 0]);
    assert_eq!(second.items, first.items);
    assert!(second.log.iter().all(|line| line.status == 200 || line.path == "/robots.txt"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fresh_knows_nothing_of_earlier_rounds() {
    let (site, state) = (Site::of(3), tempfile::tempdir().unwrap());
    run(&site, state.path()).await;
    let fresh = Rounds { start: Start::Fresh, ..Rounds::default() }.run(&site, state.path()).await;
    assert_eq!((fresh.shifts(), fresh.report.round), ([4, 0, 0, 0, 0], 2));
    assert!(fresh.log.iter().all(|line| !line.conditional));
    assert_eq!(run(&site, state.path()).await.shifts(), [0, 0, 4, 0, 0]);
}
