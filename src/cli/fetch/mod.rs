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
use tokio::sync::broadcast::Receiver;

use super::args::FetchArgs;
use super::crawling::{self, BODIES};
use super::demo_site::Demo;
use super::exit::{Exit, Failure};
use super::render::{json_text, print, tell, unprintable};
use super::{Registry, Stage, setup};
use crate::clock::Clock;
use crate::config::Plan;
use crate::engine::{Builder, Event, Report, Sitemaps, Start};
use crate::fetch::http::HttpFetcher;
use crate::fetch::record::Recording;
use crate::item::Item;
use crate::politeness::Policy;
use crate::request::Request;
use crate::robots::ProductToken;
use crate::sink::memory::Collect;
use crate::sink::warc::{Warc, WarcOptions};
use crate::store::beside::{Beside, Facts};
use crate::store::bodies::Bodies;
use crate::url::Fingerprint;
use told::{BodyPlace, Told};
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

pub(super) fn fetch(args: &FetchArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let mut plan = args.over().load()?;
    registry.of(&plan)?;
    let runtime = crawling::runtime()?;
    let ended = runtime.block_on(one_page(&mut plan, args, stage, registry));
    runtime.shutdown_background();
    let mut told = Told::of(&ended?);
    if let Some(place) = &args.body {
        told.body = told.take_body(&plan).map(|body| write_body(place, &body)).transpose()?;
    }
    let text = if args.json { json_text(&told)? } else { told.text(args.body.as_deref()) };
    match args.body.as_deref().is_some_and(is_standard) {
        true => tell(text.trim_end()),
        false => print(&text)?,
    }
    Ok(Exit(told.exit_code))
}

async fn one_page(
    plan: &mut Plan,
    args: &FetchArgs,
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
    let reading = if args.fresh { Reading::Nothing } else { Reading::Usual };
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

/// The recorded body of a page that has not changed, if it is the one with this digest.
fn recorded(plan: &Plan, request: &Request, digest: u64) -> Option<Bytes> {
    plan.max_bodies?;
    let bodies = Bodies::read_only(plan.state_dir.join(BODIES)).ok()?;
    let body = bodies.get(request.fingerprint()).ok()??.response.body;
    (Fingerprint::of(&body).get() == digest).then_some(body)
}
