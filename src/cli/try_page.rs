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
use super::look::rules::{Rules, Taken};
use super::look::table::{self, Look, Paint};
use super::render::{bytes, counted, print, print_json, safe};
use super::{Registry, crawling, offline, setup};
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
use crate::spider::Spider;
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
    let seen = shown(seen, &report, exit);
    match args.json {
        true => print_json(&seen.json())?,
        false => print(&seen.text(exit, Look { items: args.items, paint: Paint::of_output() }))?,
    }
    Ok(exit)
}

async fn fetch(
    plan: &mut Plan,
    label: Option<&str>,
    registry: &Registry,
) -> Result<(Report, Vec<Seen>), Failure> {
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
) -> Result<(Report, Vec<Seen>), Failure> {
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
        let known = DiskStore::open(dir, Default::default())?.holdings()?;
        store.commit(Batch { hosts: known.hosts, ..Batch::default() })?;
    }
    Ok(builder.store(store))
}

/// What was seen of a page, or of a URL that gave none.
#[derive(Debug)]
struct Seen {
    /// What is known of it without the rules.
    facts: Value,
    taken: Option<Taken>,
}

/// What came of the page: the last thing seen, and where it was redirected before.
fn shown(mut seen: Vec<Seen>, report: &Report, exit: Exit) -> Seen {
    let mut last = seen.pop().unwrap_or_else(|| {
        let host = report.hosts.iter().find_map(|host| host.shut.clone());
        Seen { facts: json!({ "failure": { "class": exit.meaning(), "reason": host } }), taken: None }
    });
    last.facts["redirects"] = json!(report.totals.redirects);
    last.facts["requests"] = json!(report.totals.requests);
    last.facts["exit-code"] = json!(exit.0);
    last
}

impl Seen {
    fn json(self) -> Value {
        let mut answer = self.facts;
        if let Some(taken) = &self.taken {
            taken.add_to(&mut answer);
        }
        answer
    }

    fn text(&self, exit: Exit, look: Look) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            if !value.is_empty() {
                text.push_str(&format!("{name:<8} {}\n", safe(&value)));
            }
        };
        let said = |name: &str| self.facts.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = |name: &str| self.facts.get(name).and_then(Value::as_u64);
        row("url", said("url"));
        if let Some(status) = count("status") {
            let size = count("bytes").map(|count| format!(", {}", bytes(count))).unwrap_or_default();
            let kind = said("content-type");
            let kind = if kind.is_empty() { kind } else { format!(", {kind}") };
            row("answer", format!("{status}{kind}{size}"));
        }
        row("label", said("label"));
        let redirects = count("redirects").filter(|count| *count > 0);
        let redirects =
            redirects.map(|count| format!(", {}", counted(count, "redirect"))).unwrap_or_default();
        row("asked", format!("{}{redirects}", counted(count("requests").unwrap_or(0), "request")));
        if let Some(failure) = self.facts.get("failure") {
            let part = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let reason = part("reason");
            let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
            row("failure", format!("{}{reason}", part("class")));
        }
        if exit != Exit::COMPLETE {
            row("", format!("exit code {}: {}", exit.0, exit.meaning()));
        }
        if let Some(taken) = &self.taken {
            text.push_str(&table::text(taken, look));
        }
        text
    }
}

/// A spider that looks at one page and follows nothing but redirects.
struct OnePage {
    rules: Rules,
    seeds: Vec<Request>,
    seen: Mutex<Vec<Seen>>,
}

impl OnePage {
    fn of(plan: &mut Plan, label: Option<&str>, registry: &Registry) -> Result<Self, Failure> {
        let rules = Rules::of(plan, registry)?;
        let seeds = rules.spider().seeds().into_iter().take(1);
        let seeds = seeds.map(|seed| label.map_or(seed.clone(), |label| seed.label(label))).collect();
        Ok(Self { rules, seeds, seen: Mutex::default() })
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, facts: Value, taken: Option<Taken>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { facts, taken });
    }
}

impl Spider for OnePage {
    fn name(&self) -> &str {
        self.rules.spider().name()
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let (taken, parsed) = self.rules.read(page);
        taken.problems.iter().for_each(|problem| harvest.problem(problem));
        let facts = json!({
            "url": page.url().to_string(),
            "status": page.status().as_u16(),
            "content-type": page.header("content-type"),
            "bytes": page.response().body.len(),
            "label": page.request().label,
        });
        self.note(facts, Some(taken));
        parsed
    }

    fn failed(&self, request: &Request, failure: &PageFailure, _harvest: &mut Harvest) {
        if failure.class == crate::response::FailureClass::Parse {
            return;
        }
        let facts = json!({
            "url": request.url.to_string(),
            "status": failure.status,
            "failure": { "class": failure.class.as_str(), "reason": failure.reason },
        });
        self.note(facts, None);
    }
}
