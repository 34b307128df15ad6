//! `crawl fetch`: one page, asked for politely over a state, again and again.
//!
//! The page goes the road of a run: scope, robots.txt, waits and pace of its host, journal, validator cache, commit. It goes
//! beside the crawl that the state may hold (see [`crate::store::beside`]): no round is begun or ended, nothing leaves or enters
//! its queue, and its output stays as it is. So a page that was asked for before is asked whether it has changed, however often.

mod told;
mod waits;
mod witness;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::broadcast::Receiver;

use super::args::FetchArgs;
use super::crawling::{self, BODIES};
use super::demo_site::Demo;
use super::exit::{Exit, Failure};
use super::look::{self, Looks};
use super::render::{bytes, counted, json_text, print, safe, tell, unprintable};
use super::{Registry, Stage, setup};
use crate::clock::Clock;
use crate::config::Plan;
use crate::engine::{Builder, Event, Report, Sitemaps, Start};
use crate::fetch::http::HttpFetcher;
use crate::fetch::record::Recording;
use crate::item::Item;
use crate::page::Page;
use crate::politeness::Policy;
use crate::request::Request;
use crate::response::Response;
use crate::robots::ProductToken;
use crate::sink::memory::Collect;
use crate::sink::warc::{Warc, WarcOptions};
use crate::store::beside::{Beside, Facts};
use crate::store::bodies::Bodies;
use crate::url::{Canon, Fingerprint};
use told::BodyPlace;
pub(super) use told::Told;
use witness::{Exchange, Exchanges, Reading, Shelf, Witness};

/// Everything that is known once the page is there, or is known not to come.
struct Ended {
    request: Request,
    report: Report,
    events: Vec<Event>,
    exchanges: Vec<Exchange>,
    facts: Facts,
    items: Vec<Item>,
    /// Whether what was answered is in the cache.
    kept: bool,
    agent: ProductToken,
    policy: Policy,
    max_redirects: u8,
}

/// What is wanted of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whether it has changed.
    News,
    /// All of it: where no body was kept it is asked for in full, changed or not.
    Whole,
}

/// A page that was asked for.
pub(super) struct Got {
    pub(super) told: Told,
    /// The answer with its body, or the one that was recorded before and still is the page's.
    pub(super) answer: Option<Response>,
    canon: Canon,
}

impl Got {
    /// The page, if there is one.
    pub(super) fn page(&self) -> Option<Page> {
        Some(look::page_of(self.answer.clone()?).with_canon(self.canon.clone()))
    }
}

pub(super) fn fetch(args: &FetchArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let looks = Looks::of(&args.look)?;
    if let Some(place) = &args.from {
        local(args, place, &looks)?;
        return Ok(Exit::COMPLETE);
    }
    let wanted = if looks.any() { Wanted::Whole } else { Wanted::News };
    let mut got = get(args, wanted, stage, registry)?;
    if let (Some(place), Some(answer)) = (&args.body, &got.answer) {
        got.told.body = Some(write_body(place, &answer.body)?);
    }
    let text = answer_text(args, &got, &looks)?;
    match args.body.as_deref().is_some_and(is_standard) {
        true => tell(text.trim_end()),
        false => print(&text)?,
    }
    Ok(Exit(got.told.exit_code))
}

/// Asks for a page and waits until it is there, or is known not to come.
pub(super) fn get(
    args: &FetchArgs,
    wanted: Wanted,
    stage: &Stage,
    registry: &Registry,
) -> Result<Got, Failure> {
    let mut plan = args.over().load()?;
    registry.of(&plan)?;
    let runtime = crawling::runtime()?;
    let reading = reading(args, wanted, &plan);
    let ended = runtime.block_on(one_page(&mut plan, args, reading, stage, registry));
    runtime.shutdown_background();
    let mut told = Told::of(&ended?);
    let answer = told.take_answer(&plan);
    Ok(Got { told, answer, canon: plan.canon })
}

fn reading(args: &FetchArgs, wanted: Wanted, plan: &Plan) -> Reading {
    let keeps_no_body = plan.max_bodies.is_none() && !args.names_an_age();
    match args.fresh || wanted == Wanted::Whole && keeps_no_body {
        true => Reading::Nothing,
        false => Reading::Usual,
    }
}

fn answer_text(args: &FetchArgs, got: &Got, looks: &Looks) -> Result<String, Failure> {
    let page = if looks.any() { got.page() } else { None };
    if args.json {
        let mut all = serde_json::to_value(&got.told).map_err(|error| Failure::Usage(error.to_string()))?;
        if looks.any() {
            all["look"] = page.map(|page| looks.json(&page)).unwrap_or_default();
        }
        return json_text(&all);
    }
    let mut text = got.told.text(args.body.as_deref());
    match page {
        Some(page) => text.push_str(&looks.text(&page)?),
        None if looks.any() => {
            text.push_str(
                "\nthere is no page to look at: --fresh asks for it, [cache] bodies = true keeps it\n",
            );
        }
        None => {}
    }
    Ok(text)
}

/// A page out of a file: nobody is asked.
fn local(args: &FetchArgs, place: &Path, looks: &Looks) -> Result<(), Failure> {
    let response = look::local::read(place, args.url.as_deref())?;
    let page = look::page_of(response);
    let (size, links) = (page.response().body.len() as u64, page.links().links.len());
    let form = form_of(&page);
    let title = page.title();
    if args.json {
        let facts = json!({
            "url": page.url(), "form": form, "bytes": size, "title": title, "links": links,
            "look": looks.json(&page),
        });
        return print(&json_text(&facts)?);
    }
    let title = title.map(|title| format!("title     {}\n", safe(&title))).unwrap_or_default();
    print(&format!(
        "url       {}\npage      {form}, {}, {}\n{title}{}",
        safe(page.url().as_str()),
        bytes(size),
        counted(links as u64, "link"),
        looks.text(&page)?
    ))
}

fn form_of(page: &Page) -> &'static str {
    match (page.is_html(), page.is_json()) {
        (true, _) => "HTML",
        (false, true) => "JSON",
        (false, false) => "neither HTML nor JSON",
    }
}

async fn one_page(
    plan: &mut Plan,
    args: &FetchArgs,
    reading: Reading,
    stage: &Stage,
    registry: &Registry,
) -> Result<Ended, Failure> {
    let clock = Clock::start();
    let store = Beside::open(&plan.state_dir, args.max_redirects, clock.now())?;
    let known = store.known();
    let demo = if plan.needs_demo() { Some(Demo::open_for(&plan.state_dir).await?) } else { None };
    if let Some(demo) = &demo {
        plan.place_demo(&demo.home());
    }
    let spider = setup::spider(plan, registry)?;
    plan.let_redirects_in();
    let request = spider.seeds().into_iter().next().ok_or_else(|| Failure::Usage("which URL?".to_owned()))?;
    let shelf = Arc::new(Shelf::of(crawling::open_cache(plan)?, reading));
    let items = Collect::default();
    let builder = setup::describe(plan, spider, &clock)?;
    let builder = unlimited(builder, plan).store(store).cache(shelf.clone()).sink(items.clone());
    let builder = match &args.warc {
        Some(path) => builder.archive(Warc::open(&WarcOptions::to(path))?),
        None => builder,
    };
    let (report, events, exchanges) = run(builder, plan, stage, clock).await?;
    if let Some(demo) = demo {
        demo.close().await;
    }
    let (facts, items) = (known.facts().clone(), items.items().clone());
    let policy = plan.policy(&request.host());
    let agent = ProductToken::parse(&plan.identity.token)?;
    let (kept, max_redirects) = (shelf.holds_the_last(), args.max_redirects);
    Ok(Ended { request, report, events, exchanges, facts, items, kept, agent, policy, max_redirects })
}

/// Budgets are the crawl's: a page that is asked for by name is not one of them.
fn unlimited(builder: Builder<HttpFetcher>, plan: &Plan) -> Builder<HttpFetcher> {
    let whole = plan.clone();
    let builder = builder.policies(move |host| Policy { max_pages: None, ..whole.policy(host) });
    let builder = builder.settings(|settings| settings.max_pages = None);
    builder.start(Start::Beside).sitemaps(Sitemaps::default())
}

async fn run(
    builder: Builder<HttpFetcher>,
    plan: &Plan,
    stage: &Stage,
    clock: Clock,
) -> Result<(Report, Vec<Event>, Vec<Exchange>), Failure> {
    let builder = crawling::with_journal(builder, plan);
    let exchanges = Exchanges::default();
    let witness = |fetcher| Witness::of(fetcher, exchanges.clone(), clock.clone());
    let (ended, events) = match plan.max_bodies {
        None => {
            let crawl = builder.build_around(witness)?;
            let events = crawl.events();
            (crawling::watch(crawl, stage, clock.clone()).await?, events)
        }
        Some(most) => {
            let bodies = Arc::new(Bodies::open(plan.state_dir.join(BODIES), most)?);
            let crawl = builder.build_around(|fetcher| Recording::new(witness(fetcher), bodies))?;
            let events = crawl.events();
            (crawling::watch(crawl, stage, clock.clone()).await?, events)
        }
    };
    let exchanges = exchanges.all().clone();
    Ok((ended.report, drained(events), exchanges))
}

/// What has happened: one page makes fewer events than are kept.
fn drained(mut events: Receiver<Event>) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

fn is_standard(place: &Path) -> bool {
    place.as_os_str() == "-"
}

fn write_body(place: &Path, body: &Bytes) -> Result<BodyPlace, Failure> {
    if is_standard(place) {
        let mut out = std::io::stdout().lock();
        std::io::Write::write_all(&mut out, body).map_err(unprintable)?;
    } else {
        std::fs::write(place, body).map_err(Failure::file(place))?;
    }
    Ok(BodyPlace { file: place.to_owned(), bytes: body.len() })
}

/// The recorded answer of a page that has not changed, if its body is the one with this digest.
fn recorded(plan: &Plan, request: &Request, digest: u64) -> Option<Response> {
    plan.max_bodies?;
    let bodies = Bodies::read_only(plan.state_dir.join(BODIES)).ok()?;
    let response = bodies.get(request.fingerprint()).ok()??.response;
    (Fingerprint::of(&response.body).get() == digest).then_some(response)
}
