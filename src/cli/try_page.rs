//! `crawl try`: one page, fetched politely, and what the rules take from it.
//!
//! The page goes the same road as in a run: scope, robots.txt, pace, limits and the guard of addresses. Waits that the crawl's
//! state knows are kept. Nothing is written: state and cache are in memory, items are shown.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::args::TryArgs;
use super::demo_site::Demo;
use super::exit::{Exit, Failure};
use super::render::print_json;
use super::{Registry, crawling, offline, setup, staged};
use crate::clock::Clock;
use crate::config::Plan;
use crate::engine::{Builder, Report, Sitemaps, Start};
use crate::extract::ExtractError;
use crate::fetch::http::HttpFetcher;
use crate::fetch::replay::Replay;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::Failure as PageFailure;
use crate::scope::Scope;
use crate::spider::Spider;
use crate::stage::rule::StageRule;
use crate::store::disk::DiskStore;
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Store};

pub(super) fn try_page(args: &TryArgs, registry: &Registry) -> Result<Exit, Failure> {
    let (file, url) = match args.file_and_url.as_slice() {
        [file, url] => (Some(file.into()), url),
        [url, ..] => (None, url),
        [] => {
            return Err(Failure::Usage(
                "which URL? write `crawl try URL` or `crawl try FILE URL`".to_owned(),
            ));
        }
    };
    let mut plan = args.sets.over(file.as_ref()).seed(url).load()?;
    let label = args.label.as_deref();
    let runtime = if args.offline { offline::runtime()? } else { crawling::runtime()? };
    let seen = runtime.block_on(async {
        match args.offline {
            true => replay(&mut plan, label, registry).await,
            false => fetch(&mut plan, label, registry).await,
        }
    });
    runtime.shutdown_background();
    let (report, seen) = seen?;
    let exit = Exit(report.exit_code());
    print_json(&shown(seen, &report, exit))?;
    Ok(exit)
}

async fn fetch(
    plan: &mut Plan,
    label: Option<&str>,
    registry: &Registry,
) -> Result<(Report, Vec<Value>), Failure> {
    let demo = Demo::place(plan).await?;
    let spider = Arc::new(OnePage::of(plan, label, registry)?);
    let clock = Clock::start();
    let builder = setup::describe(plan, Arc::clone(&spider) as Arc<dyn Spider>, &clock)?;
    let builder = keep_waits(builder, &plan.state_dir)?.start(Start::Fresh).sitemaps(Sitemaps::default());
    let report = builder.build()?.run().await;
    if let Some(demo) = demo {
        demo.close().await;
    }
    Ok((report.map_err(Failure::from)?, spider.seen()))
}

/// As [`fetch`], from what was recorded.
async fn replay(
    plan: &mut Plan,
    label: Option<&str>,
    registry: &Registry,
) -> Result<(Report, Vec<Value>), Failure> {
    let bodies = offline::open(plan)?;
    let spider = Arc::new(OnePage::of(plan, label, registry)?);
    let clock = Clock::start();
    let builder = offline::describe(plan, Arc::clone(&spider) as Arc<dyn Spider>, &clock)?;
    let crawl = builder.sitemaps(Sitemaps::default()).build_with(Replay::new(Arc::new(bodies), clock))?;
    Ok((crawl.run().await.map_err(Failure::from)?, spider.seen()))
}

/// Takes over what the crawl's state knows of hosts: their waits hold here too.
pub(super) fn keep_waits(builder: Builder<HttpFetcher>, dir: &Path) -> Result<Builder<HttpFetcher>, Failure> {
    let mut store = MemoryStore::default();
    if dir.join("FORMAT").exists() {
        let known = DiskStore::open(dir, Default::default())?.recover()?;
        store.commit(Batch { hosts: known.hosts, ..Batch::default() })?;
    }
    Ok(builder.store(store))
}

/// What came of the page: the last thing seen, and where it was redirected before.
fn shown(mut seen: Vec<Value>, report: &Report, exit: Exit) -> Value {
    let mut answer = seen.pop().unwrap_or_else(|| {
        let host = report.hosts.iter().find_map(|host| host.shut.clone());
        json!({ "failure": { "class": exit.meaning(), "reason": host } })
    });
    answer["redirects"] = json!(report.totals.redirects);
    answer["requests"] = json!(report.totals.requests);
    answer["exit-code"] = json!(exit.0);
    answer
}

/// A spider that looks at one page and follows nothing but redirects.
struct OnePage {
    inner: Arc<dyn Spider>,
    seeds: Vec<Request>,
    scope: Scope,
    stages: Vec<StageRule>,
    seen: Mutex<Vec<Value>>,
}

impl OnePage {
    fn of(plan: &mut Plan, label: Option<&str>, registry: &Registry) -> Result<Self, Failure> {
        let inner = setup::spider(plan, registry)?;
        let seeds = inner.seeds().into_iter().take(1);
        Ok(Self {
            seeds: seeds.map(|seed| label.map_or(seed.clone(), |label| seed.label(label))).collect(),
            inner,
            scope: plan.scope.clone(),
            stages: plan.stages.clone(),
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> Vec<Value> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, seen: Value) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    fn link(&self, mut request: Request) -> Value {
        // One link behind a seed.
        request.depth = 1;
        let verdict = self.scope.judge(&request).map_err(|why| why.to_string());
        json!({ "url": request.url.to_string(), "label": request.label, "out-of-scope": verdict.err() })
    }
}

impl Spider for OnePage {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let mut own = Harvest::new();
        let parsed = self.inner.parse(page, &mut own);
        let (items, links, problems) = own.into_parts(page.url());
        let (items, told) = staged::through(&self.stages, items);
        let items: Vec<_> =
            items.into_iter().map(|item| json!({ "kind": item.kind, "fields": item.fields })).collect();
        let links: Vec<_> = links.into_iter().map(|link| self.link(link)).collect();
        for problem in &problems {
            harvest.problem(problem);
        }
        self.note(json!({
            "url": page.url().to_string(),
            "status": page.status().as_u16(),
            "content-type": page.header("content-type"),
            "bytes": page.response().body.len(),
            "label": page.request().label,
            "items": items,
            "stages": told,
            "links": links,
            "problems": problems,
            "error": parsed.as_ref().err().map(ToString::to_string),
        }));
        parsed
    }

    fn failed(&self, request: &Request, failure: &PageFailure, _harvest: &mut Harvest) {
        if failure.class == crate::response::FailureClass::Parse {
            return;
        }
        self.note(json!({
            "url": request.url.to_string(),
            "status": failure.status,
            "failure": { "class": failure.class.as_str(), "reason": failure.reason },
        }));
    }
}
