//! New pages for `crawl test`: from the web, one polite request each, or from what a crawl has recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::args::TestArgs;
use super::super::crawling::{self, BODIES};
use super::super::demo_site::Demo;
use super::super::exit::{Exit, Failure};
use super::super::render::{safe, tell};
use super::super::{Registry, setup, try_page};
use super::tell_recorded;
use crate::clock::Clock;
use crate::config::{Loader, Plan};
use crate::engine::{Report, Sitemaps, Start};
use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::{Failure as PageFailure, FailureClass};
use crate::spider::Spider;
use crate::store::bodies::{Bodies, Exchange};
use crate::testing::Recorded;

/// Recorded answers that are looked at to find different ones.
const LOOKED_AT: usize = 2_000;

/// Records what was asked for; `None` if nothing was.
pub(super) fn record(args: &TestArgs, pages: &Path, registry: &Registry) -> Result<Option<Exit>, Failure> {
    let mut exit = None;
    if let Some(count) = args.from_state {
        copy(args, pages, count, registry)?;
        exit = Some(Exit::COMPLETE);
    }
    if !args.record.is_empty() {
        exit = Some(fetch(args, pages)?);
    }
    Ok(exit)
}

fn fetch(args: &TestArgs, pages: &Path) -> Result<Exit, Failure> {
    let loader = args.record.iter().fold(args.sets.over(Some(&args.file)), Loader::seed);
    let mut plan = loader.load()?;
    let runtime = crawling::runtime()?;
    let report = runtime.block_on(ask(&mut plan, args.label.as_deref(), pages));
    runtime.shutdown_background();
    Ok(Exit(report?.exit_code()))
}

async fn ask(plan: &mut Plan, label: Option<&str>, pages: &Path) -> Result<Report, Failure> {
    let demo = Demo::place(plan).await?;
    let labelled = |seed: Request| label.map_or(seed.clone(), |label| seed.label(label));
    let taker = Arc::new(Taker {
        seeds: plan.requests().into_iter().map(labelled).collect(),
        pages: pages.to_owned(),
        failed: Mutex::new(None),
    });
    let clock = Clock::start();
    let builder = setup::describe(plan, Arc::clone(&taker) as Arc<dyn Spider>, &clock)?;
    let builder = try_page::keep_waits(builder, &plan.state_dir)?;
    let report = builder.start(Start::Fresh).sitemaps(Sitemaps::default()).build()?.run().await;
    if let Some(demo) = demo {
        demo.close().await;
    }
    match taker.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(failure) => Err(failure),
        None => Ok(report?),
    }
}

/// A spider that writes its pages down and follows nothing but redirects.
struct Taker {
    seeds: Vec<Request>,
    pages: PathBuf,
    /// Why a page could not be written.
    failed: Mutex<Option<Failure>>,
}

impl Spider for Taker {
    fn name(&self) -> &str {
        "record"
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn parse(&self, page: &Page, _harvest: &mut Harvest) -> Result<(), ExtractError> {
        match Recorded::add(&self.pages, page.request(), page.response()) {
            Ok(path) => tell_recorded(page.url().as_str(), &path),
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(error.into());
            }
        }
        Ok(())
    }

    fn failed(&self, request: &Request, failure: &PageFailure, _harvest: &mut Harvest) {
        if failure.class != FailureClass::Parse {
            let (url, reason) = (request.url.to_string(), safe(&failure.reason));
            tell(&format!("{}: {} ({reason})", safe(&url), failure.class));
        }
    }
}

/// Copies pages that a crawl has recorded: as many kinds of them as there are, by label and by what they give.
fn copy(args: &TestArgs, pages: &Path, count: usize, registry: &Registry) -> Result<(), Failure> {
    let plan = args.sets.over(Some(&args.file)).load()?;
    let spider = registry.of(&plan)?;
    let dir = args.state.as_ref().unwrap_or(&plan.state_dir).join(BODIES);
    if !dir.is_dir() {
        return Err(Failure::Usage(format!(
            "nothing was recorded in `{}`: write bodies = true under [cache] and run the crawl",
            dir.display()
        )));
    }
    let mut kinds: BTreeMap<_, Vec<Exchange>> = BTreeMap::new();
    for exchange in some_pages(&Bodies::read_only(dir)?, count)? {
        let kind = (exchange.request.label.clone(), gives_items(&*spider, &exchange));
        let alike = kinds.entry(kind).or_default();
        if alike.len() < count {
            alike.push(exchange);
        }
    }
    let mut kinds: Vec<_> = kinds.into_values().map(Vec::into_iter).collect();
    let mut left = count;
    while left > 0 && kinds.iter().any(|kind| kind.len() > 0) {
        for exchange in kinds.iter_mut().filter_map(Iterator::next).take(left) {
            let path = Recorded::add(pages, &exchange.request, &exchange.response)?;
            tell_recorded(&exchange.response.url.to_string(), &path);
            left -= 1;
        }
    }
    Ok(())
}

/// Some of the recorded pages. Fingerprints have no order that means anything, so the first are as good as any.
fn some_pages(bodies: &Bodies, count: usize) -> Result<impl Iterator<Item = Exchange> + use<'_>, Failure> {
    let mut keys = bodies.keys()?;
    keys.sort_unstable();
    let read = keys.into_iter().take(LOOKED_AT.max(count)).map(|key| bodies.get(key));
    // A damaged one is as good as none.
    let there = read.filter_map(|exchange| exchange.ok().flatten());
    let pages = there.filter(|exchange| {
        let is_rules = exchange.request.url.path_and_query() == "/robots.txt";
        exchange.request.kind.is_page() && exchange.response.status.is_success() && !is_rules
    });
    Ok(pages)
}

fn gives_items(spider: &dyn Spider, exchange: &Exchange) -> bool {
    let page = Page::new(Arc::new(exchange.request.clone()), exchange.response.clone());
    let mut harvest = Harvest::new();
    spider.parse(&page, &mut harvest).is_ok() && !harvest.items().is_empty()
}
