//! The validator cache as a crawl uses it: what is asked in the second round, and what is not asked at all.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::clock::Clock;
use crawl::engine::{Crawl, Execution, Freshness, Lastmod, Report, Sitemaps};
use crawl::extract::ExtractError;
use crawl::fetch::http::{HttpFetcher, HttpOptions};
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::response::{Response, Truncation};
use crawl::sink::memory::Collect;
use crawl::spider::Spider;
use crawl::store::cache::{CacheEntry, MemoryCache, Packed, ValidatorCache};
use crawl::time::Timestamp;
use crawl::url::CanonicalUrl;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_secs(1_790_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn url(path: &str) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap()
}

/// Takes the URL of each page, and walks the paths that stand on it.
#[derive(Clone)]
struct Walker(Vec<Request>);

impl Walker {
    fn at(path: &str) -> Self {
        Self(vec![Request::get(url(path))])
    }
}

impl Spider for Walker {
    fn name(&self) -> &str {
        "walker"
    }

    fn seeds(&self) -> Vec<Request> {
        self.0.clone()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let text = String::from_utf8_lossy(&page.response().body);
        harvest.item(&json!({ "path": page.request().url.path_and_query(), "text": text }))?;
        let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
        paths.for_each(|path| harvest.follow(Request::get(url(path))));
        Ok(())
    }
}

/// Answers a request that leaves with these fields at this second.
type Answers = dyn Fn(&Outgoing, &HeaderMap, u64) -> Response + Send + Sync;

/// A server, and everything that was asked of it but robots.txt.
#[derive(Clone)]
struct Server {
    answers: Arc<Answers>,
    clock: Clock,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Fetcher for Server {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let now = self.clock.now();
        let path = outgoing.request.url.path_and_query().to_owned();
        let mut answer = if path == "/robots.txt" {
            reply(404, &[], "")
        } else {
            let sent = self.headers(&outgoing);
            let answer = (self.answers)(&outgoing, &sent, now.since(START).as_secs());
            self.asked.lock().unwrap().push((path, sent));
            answer
        };
        answer.url = outgoing.request.url;
        (answer.started, answer.first_byte, answer.ended) = (now, now, now);
        Ok(answer)
    }
}

fn reply(status: u16, fields: &[(&str, &str)], body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let mut answer = Response::of(url("/"), status, body.to_owned());
    for (name, value) in fields {
        let (name, value) = (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        answer.headers.append(name, value);
    }
    answer
}

/// As a server with one version of each page answers: 304 to whoever has it.
fn page(sent: &HeaderMap, etag: &str, fields: &[(&str, &str)], body: &str) -> Response {
    let known = sent.get("if-none-match").is_some_and(|seen| seen == etag);
    let mut answer = if known { reply(304, fields, "") } else { reply(200, fields, body) };
    answer.headers.insert("etag", HeaderValue::from_str(etag).unwrap());
    answer
}

/// A site with a cache that outlives its runs.
struct World {
    cache: Arc<MemoryCache>,
    server: Server,
}

/// What differs from run to run.
#[derive(Clone, Default)]
struct Run {
    freshness: Freshness,
    language: Option<&'static str>,
    lastmod: Lastmod,
    rules: u64,
}

/// What a run came to: the paths and fields asked, the items, the report.
struct Ran {
    asked: Vec<(String, HeaderMap)>,
    items: Vec<Value>,
    report: Report,
}

impl Ran {
    fn paths(&self) -> Vec<&str> {
        self.asked.iter().map(|(path, _)| path.as_str()).collect()
    }

    /// For each request the ETag that it asked with.
    fn etags(&self) -> Vec<Option<&str>> {
        self.asked.iter().map(|(_, sent)| Some(sent.get("if-none-match")?.to_str().unwrap())).collect()
    }
}

impl World {
    fn new(answers: impl Fn(&Outgoing, &HeaderMap, u64) -> Response + Send + Sync + 'static) -> Self {
        let server =
            Server { answers: Arc::new(answers), clock: Clock::starting_at(START), asked: Arc::default() };
        Self { cache: Arc::default(), server }
    }

    async fn run(&self, spider: Walker, run: Run) -> Ran {
        let items = Collect::default();
        let language = run.language;
        let crawl = Crawl::builder()
            .identity("test", "mail@example.com")
            .spider(spider)
            .policy(Policy { jitter: 0.0, ..Policy::default() })
            .host_headers(move |_| {
                language.into_iter().map(|value| ("accept-language".to_owned(), value.to_owned())).collect()
            })
            .cache(self.cache.clone())
            .freshness(run.freshness)
            .sitemaps(Sitemaps { lastmod: run.lastmod, ..Sitemaps::default() })
            .rules_digest(run.rules)
            .clock(self.server.clock.clone())
            .execution(Execution::Inline)
            .sink(items.clone());
        let report = crawl.build_with(self.server.clone()).unwrap().run().await.unwrap();
        let asked = std::mem::take(&mut *self.server.asked.lock().unwrap());
        let items = items.items().iter().map(|item| json!(item.fields)).collect();
        Ran { asked, items, report }
    }

    async fn home(&self, run: Run) -> Ran {
        self.run(Walker::at("/"), run).await
    }

    async fn wait(&self, time: Duration) {
        self.server.clock.sleep_until(self.server.clock.now() + time).await;
    }

    fn entry(&self, path: &str) -> Option<CacheEntry> {
        self.cache.get(Request::get(url(path)).fingerprint())
    }
}

fn within(max_age: Duration) -> Run {
    Run { freshness: Freshness { max_age: Some(max_age), obey: false }, ..Run::default() }
}

fn declared() -> Run {
    Run { freshness: Freshness { max_age: None, obey: true }, ..Run::default() }
}

#[tokio::test(start_paused = true)]
async fn the_second_run_asks_whether_pages_have_changed_and_gives_the_same_items() {
    let world = World::new(|out, sent, _| match out.request.url.path_and_query() {
        "/" => page(sent, "\"home\"", &[], "/b"),
        _ => page(sent, "\"b\"", &[], "end"),
    });
    let first = world.home(Run::default()).await;
    let second = world.home(Run::default()).await;
    assert_eq!(first.etags(), [None, None]);
    assert_eq!(second.etags(), [Some("\"home\""), Some("\"b\"")]);
    assert_eq!(second.items, first.items);
}

#[tokio::test(start_paused = true)]
async fn another_language_is_another_page_and_both_are_kept() {
    let world = World::new(|_, sent, _| {
        let language = sent.get("accept-language").map_or("none", |value| value.to_str().unwrap());
        page(sent, &format!("\"{language}\""), &[("vary", "Accept-Language, Accept-Encoding")], language)
    });
    let speak = |language| world.home(Run { language, ..Run::default() });
    assert_eq!(speak(Some("de")).await.etags(), [None]);
    assert_eq!(speak(Some("fr")).await.etags(), [None], "the German ETag is not for the French page");
    assert_eq!(speak(None).await.etags(), [None]);
    let again = speak(Some("de")).await;
    assert_eq!((again.etags(), again.items[0]["text"].as_str()), (vec![Some("\"de\"")], Some("de")));
    let again = speak(Some("fr")).await;
    assert_eq!((again.etags(), again.items[0]["text"].as_str()), (vec![Some("\"fr\"")], Some("fr")));
    assert_eq!(speak(None).await.etags(), [Some("\"none\"")]);
}

#[tokio::test(start_paused = true)]
async fn what_a_page_does_not_vary_by_does_not_matter() {
    let world = World::new(|_, sent, _| page(sent, "\"one\"", &[("vary", "accept-encoding")], "x"));
    assert_eq!(world.home(Run { language: Some("de"), ..Run::default() }).await.etags(), [None]);
    assert_eq!(world.home(Run { language: Some("fr"), ..Run::default() }).await.etags(), [Some("\"one\"")]);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_kept_is_not() {
    let world = World::new(|out, sent, _| {
        let vary: &[(&str, &str)] = &[("vary", "*")];
        let mut answer = match out.request.url.path_and_query() {
            "/" => page(sent, "\"1\"", &[], "/no-store /star /part /other /cut"),
            "/no-store" => page(sent, "\"2\"", &[("cache-control", "private, No-Store")], "x"),
            "/star" => page(sent, "\"3\"", vary, "x"),
            _ => page(sent, "\"4\"", &[], "x"),
        };
        match out.request.url.path_and_query() {
            "/part" => answer.status = StatusCode::PARTIAL_CONTENT,
            "/other" => answer.status = StatusCode::NON_AUTHORITATIVE_INFORMATION,
            "/cut" => answer.truncated = Some(Truncation::Length),
            _ => {}
        }
        answer
    });
    let first = world.home(Run::default()).await;
    assert_eq!(first.report.totals.pages, 6);
    let again = world.home(Run::default()).await;
    assert_eq!(again.etags(), [Some("\"1\""), None, None, None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_post_is_neither_kept_nor_asked_for_conditionally() {
    let world = World::new(|_, sent, _| page(sent, "\"1\"", &[("cache-control", "max-age=3600")], "x"));
    let form = Walker(vec![Request::post(url("/"), "q=1")]);
    for _ in 0..2 {
        let run = world.run(form.clone(), Run { freshness: within(HOUR).freshness, ..declared() }).await;
        assert_eq!(run.etags(), [None]);
    }
    assert_eq!(world.cache.get(form.0[0].fingerprint()), None);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_kept_any_more_and_what_is_gone_are_forgotten() {
    let world = World::new(|out, sent, second| match (out.request.url.path_and_query(), second) {
        ("/", _) => page(sent, "\"home\"", &[], "/secret /gone"),
        (_, 0..1_000) => page(sent, "\"old\"", &[], "x"),
        ("/secret", _) => reply(200, &[("cache-control", "no-store")], "y"),
        _ => reply(410, &[], ""),
    });
    world.home(Run::default()).await;
    assert!(world.entry("/secret").is_some() && world.entry("/gone").is_some());
    world.wait(HOUR).await;
    world.home(Run::default()).await;
    assert!(world.entry("/secret").is_none() && world.entry("/gone").is_none());
    let third = world.home(within(24 * HOUR)).await;
    assert_eq!(third.paths(), ["/secret", "/gone"], "only the home page is known");
}

#[tokio::test(start_paused = true)]
async fn a_304_that_answers_no_question_is_followed_by_one_request_without_conditions() {
    let world = World::new(|_, _, second| match second {
        0..2 => reply(304, &[("etag", "\"1\"")], ""),
        _ => reply(200, &[("etag", "\"1\"")], "x"),
    });
    let run = world.home(Run::default()).await;
    assert_eq!(run.etags(), [None, None]);
    assert_eq!((run.report.totals.pages, run.report.totals.failed, run.items.len()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_entry_whose_harvest_does_not_read_back_is_dropped_and_the_page_is_fetched_in_full() {
    let world = World::new(|_, sent, _| page(sent, "\"1\"", &[], "x"));
    let first = world.home(Run::default()).await;
    let torn = CacheEntry { harvest: Packed::default(), ..world.entry("/").unwrap() };
    world.cache.put(Request::get(url("/")).fingerprint(), &torn);
    let second = world.home(Run::default()).await;
    assert_eq!(second.etags(), [Some("\"1\""), None]);
    assert_eq!((second.items, second.report.totals.failed), (first.items, 0));
    assert_eq!(world.home(within(HOUR)).await.paths(), [] as [&str; 0]);
    world.cache.put(Request::get(url("/")).fingerprint(), &torn);
    assert_eq!(world.home(within(HOUR)).await.paths(), ["/", "/"], "what does not read back is not fresh");
}

#[tokio::test(start_paused = true)]
async fn a_304_to_a_page_without_validators_is_no_answer() {
    let world = World::new(|_, _, second| match second {
        0..100 => reply(200, &[], "x"),
        3_600..3_700 => reply(304, &[], ""),
        _ => reply(200, &[], "y"),
    });
    world.home(Run::default()).await;
    assert!(world.entry("/").unwrap().validators.is_empty());
    world.wait(HOUR - Duration::from_secs(1)).await;
    let run = world.run(Walker::at("/"), Run::default()).await;
    assert!(run.asked.iter().all(|(_, sent)| !sent.contains_key("if-none-match")));
    assert!(world.entry("/").is_none(), "the server has confirmed nothing");
}

#[tokio::test(start_paused = true)]
async fn a_spider_cannot_ask_conditionally_by_itself() {
    let world = World::new(|_, sent, _| page(sent, "\"1\"", &[], "x"));
    let own = Walker(vec![Request::get(url("/")).header("If-None-Match", "\"1\"")]);
    let run = world.run(own, Run::default()).await;
    assert_eq!((run.etags(), run.items.len()), (vec![None], 1));
}

#[tokio::test(start_paused = true)]
async fn within_max_age_nothing_is_asked_and_everything_is_there() {
    let world = World::new(|out, _, _| match out.request.url.path_and_query() {
        // Without any validator: only its age tells that it need not be asked for.
        "/" => reply(200, &[], "/b /c"),
        _ => reply(200, &[("etag", "\"1\"")], "end"),
    });
    let first = world.home(Run::default()).await;
    let fresh = world.home(within(HOUR)).await;
    assert_eq!(fresh.paths(), [] as [&str; 0]);
    assert_eq!(fresh.items, first.items);
    let totals = &fresh.report.totals;
    assert_eq!((totals.pages, totals.from_cache, totals.unchanged), (3, 3, 0));
    assert_eq!(totals.requests, totals.robots, "pages from the cache are no requests");
    assert_eq!(fresh.report.exit_code(), 0);
    world.wait(HOUR).await;
    assert_eq!(world.home(within(HOUR)).await.paths(), ["/", "/b", "/c"]);
    assert_eq!(world.home(Run::default()).await.paths(), ["/", "/b", "/c"], "by default every page is asked");
}

#[tokio::test(start_paused = true)]
async fn pages_from_the_cache_take_no_time() {
    let links: String = (0..500).map(|n| format!("/{n} ")).collect();
    let world = World::new(move |out, _, _| match out.request.url.path_and_query() {
        "/" => reply(200, &[], &links),
        own => reply(200, &[], &format!("this is the page of {}", own.replace('/', "number "))),
    });
    let first = world.home(Run::default()).await;
    assert!(first.report.took > Duration::from_mins(5));
    let fresh = world.home(within(24 * HOUR)).await;
    assert_eq!(fresh.report.totals.from_cache, 501);
    assert!(fresh.report.took < Duration::from_secs(3), "{:?}", fresh.report.took);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_each_time_and_what_speaks_to_caches_is_asked() {
    let world = World::new(|_, sent, _| page(sent, "\"1\"", &[], "x"));
    let polled = Walker(vec![Request::get(url("/")).always()]);
    let through = Walker(vec![Request::get(url("/")).header("Cache-Control", "no-cache")]);
    world.home(Run::default()).await;
    for spider in [polled, through] {
        assert_eq!(world.run(spider, within(HOUR)).await.etags(), [Some("\"1\"")]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_servers_word_on_freshness_counts_only_where_it_is_asked_for() {
    let world = World::new(|out, sent, _| match out.request.url.path_and_query() {
        "/" => page(sent, "\"1\"", &[("cache-control", "max-age=1800")], "/silent /never"),
        "/silent" => page(sent, "\"2\"", &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], "x"),
        _ => page(sent, "\"3\"", &[("cache-control", "no-cache, max-age=1800")], "x"),
    });
    world.home(Run::default()).await;
    assert_eq!(world.home(Run::default()).await.paths(), ["/", "/silent", "/never"]);
    assert_eq!(world.home(declared()).await.paths(), ["/silent", "/never"]);
    world.wait(HOUR).await;
    assert_eq!(
        world.home(declared()).await.paths(),
        ["/", "/silent", "/never"],
        "it was fresh for half an hour"
    );
    assert_eq!(world.home(declared()).await.paths(), ["/silent", "/never"], "the 304 has renewed it");
}

#[tokio::test(start_paused = true)]
async fn a_variant_that_was_never_asked_for_is_not_fresh() {
    let world = World::new(|_, sent, _| {
        page(sent, "\"x\"", &[("vary", "accept-language"), ("cache-control", "max-age=9999")], "x")
    });
    let speak = |language, run: Run| world.home(Run { language: Some(language), ..run });
    speak("de", Run::default()).await;
    assert_eq!(speak("fr", within(HOUR)).await.paths(), ["/"]);
    assert_eq!(speak("es", declared()).await.paths(), ["/"]);
    assert_eq!(speak("de", within(HOUR)).await.paths(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_its_sitemap_says_to_be_unchanged_is_not_asked_for_where_that_is_wanted() {
    let world = World::new(|_, sent, _| page(sent, "\"1\"", &[], "x"));
    let changed_at = |seconds| {
        let mut request = Request::get(url("/"));
        request.modified = Some(START + Duration::from_secs(seconds));
        Walker(vec![request])
    };
    let skip = || Run { lastmod: Lastmod::Skip, ..Run::default() };
    world.wait(HOUR).await;
    world.run(changed_at(60), skip()).await;
    assert_eq!(world.run(changed_at(60), skip()).await.report.totals.from_cache, 1);
    assert_eq!(world.run(changed_at(60), Run::default()).await.paths(), ["/"], "by default it is asked");
    assert_eq!(world.run(changed_at(7_200), skip()).await.paths(), ["/"], "it has changed since");
    assert_eq!(world.home(skip()).await.paths(), ["/"], "nothing is known of it");
}

#[tokio::test(start_paused = true)]
async fn other_rules_fetch_in_full_whatever_is_fresh() {
    let world = World::new(|_, sent, _| page(sent, "\"1\"", &[], "x"));
    world.home(Run::default()).await;
    let other = world.home(Run { rules: 7, ..within(HOUR) }).await;
    assert_eq!(other.etags(), [None]);
}

#[tokio::test]
async fn the_real_fetcher_tells_every_field_that_answers_may_differ_by() {
    let options = HttpOptions {
        user_agent: "test/1.0".to_owned(),
        headers: vec![("Accept-Language".to_owned(), "de".to_owned())],
        ..HttpOptions::default()
    };
    let fetcher = HttpFetcher::new(options, Clock::start()).unwrap();
    let request = Request::get(url("/")).header("accept", "text/plain");
    let headers =
        vec![("cookie".to_owned(), "a=1".to_owned()), ("Accept-Language".to_owned(), "fr".to_owned())];
    let sent = fetcher.headers(&Outgoing { headers, ..Outgoing::new(request) });
    let told = |name: &str| sent.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(
        ["user-agent", "accept", "accept-language", "cookie"].map(told),
        [Some("test/1.0"), Some("text/plain"), Some("fr"), Some("a=1")]
    );
    assert!(told("accept-encoding").is_some());
}

/// Runs the command on a state directory.
fn crawl(state: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(args).arg("--state").arg(state).env_remove("RUST_LOG").output().unwrap()
}

/// Crawls a few pages of the demo site; gives the totals.
fn crawl_demo(state: &Path, more: &[&str]) -> Value {
    let report = state.with_extension("report.json");
    let mut args =
        vec!["run", "--seed", "demo:", "--set", "scope.max-depth=1", "--report", report.to_str().unwrap()];
    args.extend([
        "--set",
        "politeness.delay=5ms",
        "--set",
        "politeness.jitter=0",
        "--set",
        "politeness.pace=fixed",
    ]);
    args.extend(more);
    let ran = crawl(state, &args);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    report["totals"].clone()
}

fn json_of(ran: &Output) -> Value {
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn the_commands_show_thin_out_and_empty_the_cache_and_a_run_goes_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("s");
    let stats = |state: &Path| json_of(&crawl(state, &["cache", "stats", "--json"]));
    let pages = crawl_demo(&state, &[])["pages"].as_u64().unwrap();
    let before = stats(&state);
    assert_eq!((before["pages"].as_u64(), before["with-validators"].as_u64()), (Some(pages), Some(pages)));
    assert_eq!((&before["ages"][0]["pages"], &before["hosts"][0]["pages"]), (&json!(pages), &json!(pages)));
    let text = crawl(&state, &["cache", "stats"]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains(&format!("{pages} with validators")) && text.contains("127.0.0.1"), "{text}");

    let fresh = crawl_demo(&state, &["--max-age", "1h"]);
    assert_eq!((&fresh["from-cache"], &fresh["pages"]), (&json!(pages), &json!(pages)));

    let pruned = json_of(&crawl(&state, &["cache", "prune", "--max-entries", "2", "--json"]));
    assert_eq!(pruned, json!({ "forgotten": pages - 2, "left": 2 }));
    assert_eq!(crawl_demo(&state, &["--max-age", "1h"])["from-cache"], 2);
    let none = json_of(&crawl(&state, &["cache", "prune", "--older-than", "30d", "--json"]));
    assert_eq!(none["forgotten"], 0);

    assert!(json_of(&crawl(&state, &["cache", "clear", "--json"]))["freed-bytes"].as_u64().unwrap() > 0);
    let empty = crawl(&state, &["cache", "stats"]);
    assert_eq!(empty.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("there is no cache in"));
    assert_eq!(crawl_demo(&state, &["--max-age", "1h"])["from-cache"], 0);
}

#[test]
fn a_cache_that_is_switched_off_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("s");
    for _ in 0..2 {
        let totals = crawl_demo(&state, &["--set", "cache.enabled=false"]);
        assert_eq!(totals["from-cache"], 0);
    }
    assert!(!state.join("cache").exists());
}

#[test]
fn the_commands_refuse_what_is_not_there_and_what_a_crawl_has() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = crawl(&dir.path().join("none"), &["cache", "stats"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("there is no state in"));
    assert!(!dir.path().join("none").exists(), "the question makes no state");

    let state = dir.path().join("s");
    crawl_demo(&state, &[]);
    let lock = fs::File::open(state.join("lock")).unwrap();
    lock.lock().unwrap();
    for args in [&["cache", "stats"][..], &["cache", "prune", "--max-entries", "1"], &["cache", "clear"]] {
        let refused = crawl(&state, args);
        assert_eq!(refused.status.code(), Some(8), "{args:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("in use by another crawl"));
    }
    lock.unlock().unwrap();
    for wrong in [&["cache", "prune"][..], &["cache", "prune", "--older-than", "soon"]] {
        assert_eq!(crawl(&state, wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_cache_that_is_damaged_costs_full_fetches_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("s");
    let pages = crawl_demo(&state, &[])["pages"].clone();
    for harm in [harm_bytes, harm_by_removal, harm_by_another_file] {
        harm(&state.join("cache"));
        let totals = crawl_demo(&state, &[]);
        assert_eq!((&totals["pages"], totals["failed"].as_u64()), (&pages, Some(0)));
        assert_eq!(crawl_demo(&state, &[])["unchanged"], pages, "the round after it finds everything again");
    }
}

fn harm_bytes(cache: &Path) {
    let mut bytes = fs::read(cache.join("db")).unwrap();
    bytes.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
    fs::write(cache.join("db"), bytes).unwrap();
}

fn harm_by_removal(cache: &Path) {
    fs::remove_dir_all(cache).unwrap();
}

fn harm_by_another_file(cache: &Path) {
    fs::remove_dir_all(cache).unwrap();
    fs::write(cache, "a file in its place").unwrap();
}
