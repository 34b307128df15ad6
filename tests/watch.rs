//! A crawl that watches: a site whose pages change at rates that only the simulation knows, for weeks of simulated time, through
//! the whole loop. How fresh is the copy?

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::clock::Clock;
use crawl::engine::{Crawl, End, Execution, Report};
use crawl::extract::ExtractError;
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::response::Response;
use crawl::revisit::{Bounds, Revisit};
use crawl::sink::memory::Collect;
use crawl::spider::Spider;
use crawl::store::cache::MemoryCache;
use crawl::testing::SharedStore;
use crawl::time::Timestamp;
use crawl::url::CanonicalUrl;
use fastrand::Rng;
use http::StatusCode;

const DAY: f64 = 86_400.0;
const START: Timestamp = Timestamp::from_secs(1_790_035_200);
const DELAY: Duration = Duration::from_secs(120);

/// A page: how often a day it changes, and when it did.
struct Living {
    rate: f64,
    changes: Vec<Timestamp>,
}

impl Living {
    /// Changes like a Poisson process for so many days.
    fn of(rate: f64, days: f64, rng: &mut Rng) -> Self {
        let mut changes = Vec::new();
        let mut day = 0.0;
        loop {
            day += -(1.0 - rng.f64()).ln() / rate;
            if day > days {
                return Self { rate, changes };
            }
            changes.push(after(day));
        }
    }

    /// Changes until a moment: the page's version.
    fn version(&self, at: Timestamp) -> usize {
        self.changes.partition_point(|change| *change <= at)
    }
}

fn after(days: f64) -> Timestamp {
    START + Duration::from_secs_f64(days * DAY)
}

/// A site of such pages, on simulated time, and the log of its visits.
#[derive(Clone)]
struct Site {
    clock: Clock,
    pages: Arc<Vec<Living>>,
    visits: Arc<Mutex<Vec<(Timestamp, String, u16)>>>,
    /// Pages that are no more from a moment on.
    gone: Arc<Mutex<BTreeMap<usize, Timestamp>>>,
}

impl Site {
    /// Pages from one change in two months to twenty a day, evenly in the logarithm.
    fn of(pages: usize, days: f64, clock: Clock) -> Self {
        let mut rng = Rng::with_seed(7);
        let rate = |page: usize| 10_f64.powf(-1.8 + 3.1 * page as f64 / pages as f64);
        let pages = (0..pages).map(|page| Living::of(rate(page), days, &mut rng)).collect();
        Self { clock, pages: Arc::new(pages), visits: Arc::default(), gone: Arc::default() }
    }

    fn answer(&self, path: &str, condition: Option<&str>) -> (StatusCode, String, String) {
        let now = self.clock.now();
        let Some(number) = path.strip_prefix("/p/").and_then(|number| number.parse::<usize>().ok()) else {
            let links: String =
                (0..self.pages.len()).map(|page| format!("<a href='/p/{page}'>x</a>")).collect();
            let body = if path == "/" { links } else { String::new() };
            let status = if path == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
            return (status, String::new(), body);
        };
        if self.gone.lock().unwrap().get(&number).is_some_and(|from| *from <= now) {
            return (StatusCode::GONE, String::new(), String::new());
        }
        let version = self.pages[number].version(now).to_string();
        let etag = format!("\"{version}\"");
        match condition {
            Some(condition) if condition == etag => (StatusCode::NOT_MODIFIED, etag, String::new()),
            _ => (StatusCode::OK, etag, format!("<h1>{number} {version}</h1>")),
        }
    }

    /// When the pages were visited.
    fn visits_of_pages(&self) -> BTreeMap<usize, Vec<Timestamp>> {
        let mut visits: BTreeMap<usize, Vec<Timestamp>> = BTreeMap::new();
        for (at, path, _) in &*self.visits.lock().unwrap() {
            if let Some(number) = path.strip_prefix("/p/") {
                visits.entry(number.parse().unwrap()).or_default().push(*at);
            }
        }
        visits
    }
}

impl Fetcher for Site {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let started = self.clock.now();
        self.clock.sleep_until(started + Duration::from_millis(100)).await;
        let url = outgoing.request.url.clone();
        let path = url.as_url().path().to_owned();
        let condition = self.headers(&outgoing);
        let condition = condition.get("if-none-match").and_then(|value| value.to_str().ok());
        let (status, etag, body) = self.answer(&path, condition);
        self.visits.lock().unwrap().push((started, path, status.as_u16()));
        let mut response = Response::of(url, status, body);
        (response.started, response.first_byte, response.ended) =
            (started, self.clock.now(), self.clock.now());
        response.headers.insert("content-type", "text/html".parse().unwrap());
        if !etag.is_empty() {
            response.headers.insert("etag", etag.parse().unwrap());
        }
        Ok(response)
    }
}

struct Everything;

impl Spider for Everything {
    fn name(&self) -> &str {
        "everything"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(CanonicalUrl::parse("http://127.0.0.1/").unwrap())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        if let Some(text) = page.text_of("h1")? {
            harvest.item(&serde_json::json!({ "text": text }))?;
        }
        for href in page.select("a")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}

/// What outlives a run.
#[derive(Clone, Default)]
struct State {
    store: SharedStore,
    cache: Arc<MemoryCache>,
    items: Collect,
}

fn crawl(site: &Site, state: &State, bounds: Bounds) -> Crawl<Site> {
    Crawl::builder()
        .spider(Everything)
        .policy(Policy { jitter: 0.0, ..Policy::fixed(DELAY) })
        .store(state.store.clone())
        .cache(state.cache.clone())
        .clock(site.clock.clone())
        .execution(Execution::Inline)
        .sink(state.items.clone())
        .watch(Revisit { bounds, share: 0.5 })
        .build_with(site.clone())
        .unwrap()
}

/// Watches until a day, then stops in order or is killed.
async fn watch(site: &Site, state: &State, bounds: Bounds, until: f64, end: Ending) -> Option<Report> {
    let crawl = crawl(site, state, bounds);
    let stop = crawl.stop_handle();
    let mut run = Box::pin(crawl.run());
    tokio::select! {
        biased;
        () = site.clock.sleep_until(after(until)) => {}
        report = &mut run => panic!("it ended by itself: {:?}", report.unwrap().end),
    }
    match end {
        Ending::Killed => None,
        Ending::Stopped => {
            stop.stop();
            Some(run.await.unwrap())
        }
    }
}

#[derive(Clone, Copy)]
enum Ending {
    Stopped,
    Killed,
}

/// The share of pages that are as they were at their last visit, on the average between two days.
fn freshness(site: &Site, from: f64, to: f64) -> f64 {
    let visits = site.visits_of_pages();
    let (steps, mut fresh) = (4_000, 0_usize);
    for step in 0..steps {
        let at = after(from + (to - from) * (f64::from(step) + 0.5) / f64::from(steps));
        for (number, page) in site.pages.iter().enumerate() {
            let seen = &visits[&number];
            let last = seen.partition_point(|visit| *visit <= at);
            fresh += usize::from(last > 0 && page.version(seen[last - 1]) == page.version(at));
        }
    }
    fresh as f64 / (steps as usize * site.pages.len()) as f64
}

/// Time-averaged freshness of a page that changes and is visited so often (Cho and Garcia-Molina).
fn expected(rate: f64, frequency: f64) -> f64 {
    frequency / rate * (1.0 - (-rate / frequency).exp())
}

/// The frequency at which one more visit gains as little as `price`, within the bounds.
fn frequency(rate: f64, price: f64, (least, most): (f64, f64)) -> f64 {
    let gain = |frequency: f64| (1.0 - (1.0 + rate / frequency) * (-rate / frequency).exp()) / rate;
    let (mut low, mut high) = (least, most);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if gain(middle) > price { low = middle } else { high = middle }
    }
    low
}

/// The best freshness that so many visits a day can give, and that of the same number spread evenly.
fn best_and_even(site: &Site, visits: f64, bounds: Bounds) -> (f64, f64) {
    let limits = (DAY / bounds.max.as_secs_f64(), DAY / bounds.min.as_secs_f64());
    let (mut low, mut high) = (1e-9_f64, 1e3_f64);
    for _ in 0..100 {
        let price = (low * high).sqrt();
        let all: f64 = site.pages.iter().map(|page| frequency(page.rate, price, limits)).sum();
        if all > visits { low = price } else { high = price }
    }
    let count = site.pages.len() as f64;
    let best: f64 =
        site.pages.iter().map(|page| expected(page.rate, frequency(page.rate, high, limits))).sum();
    let even: f64 = site.pages.iter().map(|page| expected(page.rate, visits / count)).sum();
    (best / count, even / count)
}

const BOUNDS: Bounds = Bounds { min: Duration::from_hours(1), max: Duration::from_hours(24 * 15) };

#[tokio::test(start_paused = true)]
async fn a_watched_site_is_nearly_as_fresh_as_it_can_be_for_as_many_requests() {
    let clock = Clock::starting_at(START);
    let (site, state) = (Site::of(300, 60.0, clock), State::default());
    let report = watch(&site, &state, BOUNDS, 60.0, Ending::Stopped).await.unwrap();
    assert_eq!((report.end, report.round), (End::Interrupted, 1));
    let all = site.visits.lock().unwrap().clone();
    let gaps = all.windows(2).map(|pair| pair[1].0.since(pair[0].0));
    assert!(gaps.min().unwrap() >= DELAY, "the pace of the host is kept");
    let measured = after(20.0)..after(60.0);
    let visits = site.visits_of_pages().into_values().flatten().filter(|at| measured.contains(at)).count();
    let a_day = visits as f64 / 40.0;
    let budget = DAY / (DELAY.as_secs_f64() + 0.1) / 2.0;
    assert!((0.8..1.05).contains(&(a_day / budget)), "{a_day} visits a day of {budget}");
    let (ours, (best, even)) = (freshness(&site, 20.0, 60.0), best_and_even(&site, a_day, BOUNDS));
    println!("{a_day:.0} visits a day: fresh {ours:.3}, at best {best:.3}, spread evenly {even:.3}");
    assert!(ours > best * 0.9 && ours > even * 1.03, "{ours} of {best}, spread evenly {even}");
    let news = state.items.items().len() as u64;
    assert_eq!(
        news,
        report.totals.new + report.totals.changed - 1,
        "only news is written, and the home page gives none"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_killed_goes_on_where_it_was_and_visits_no_page_twice_for_it() {
    let clock = Clock::starting_at(START);
    let (site, state) = (Site::of(40, 30.0, clock), State::default());
    for day in 1..15 {
        watch(&site, &state, BOUNDS, f64::from(day) * 1.37, Ending::Killed).await;
    }
    let report = watch(&site, &state, BOUNDS, 25.0, Ending::Stopped).await.unwrap();
    assert_eq!(report.round, 1);
    let visits = site.visits_of_pages();
    assert_eq!(visits.len(), 40);
    for (page, visits) in visits {
        let close = visits.windows(2).filter(|pair| pair[1].since(pair[0]) < BOUNDS.min).count();
        assert!(close <= 1, "page {page} was visited {close} times within an hour of another visit");
        assert!(visits.len() >= 2, "page {page} was visited {} times", visits.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_goes_is_noticed_and_left_alone() {
    let clock = Clock::starting_at(START);
    let (site, state) = (Site::of(20, 30.0, clock), State::default());
    site.gone.lock().unwrap().insert(5, after(10.0));
    let report = watch(&site, &state, BOUNDS, 30.0, Ending::Stopped).await.unwrap();
    assert_eq!(report.totals.gone, 1);
    let all = site.visits.lock().unwrap().clone();
    assert_eq!(
        all.iter().filter(|(_, _, status)| *status == 410).count(),
        2,
        "once, and once more to be sure"
    );
}

#[tokio::test(start_paused = true)]
async fn a_finished_crawl_is_watched_from_then_on_without_a_new_round() {
    let clock = Clock::starting_at(START);
    let (site, state) = (Site::of(20, 30.0, clock), State::default());
    let once = Crawl::builder()
        .spider(Everything)
        .policy(Policy { jitter: 0.0, ..Policy::fixed(DELAY) })
        .store(state.store.clone())
        .cache(state.cache.clone())
        .clock(site.clock.clone())
        .execution(Execution::Inline)
        .build_with(site.clone())
        .unwrap();
    assert_eq!(once.run().await.unwrap().end, End::Complete);
    let before = site.visits.lock().unwrap().len();
    let report = watch(&site, &State { items: Collect::default(), ..state }, BOUNDS, 20.0, Ending::Stopped)
        .await
        .unwrap();
    assert_eq!((report.round, report.totals.new), (1, 21));
    let first_after = site.visits.lock().unwrap()[before].0;
    assert!(first_after.since(START) > BOUNDS.min, "nothing is asked before it is due");
}
