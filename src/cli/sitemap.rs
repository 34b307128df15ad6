//! `crawl sitemap`: what a sitemap lists, with the sitemaps that an index leads to.
//!
//! A URL goes the road of a run: robots.txt, scope, pace, limits, and the waits that the crawl's state knows. A file is read
//! alone. Locations are printed as they are found, so that a listing of millions needs no memory for them.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::SitemapArgs;
use super::demo_site::Demo;
use super::exit::{Exit, Failure};
use super::render::{print, safe, tell};
use super::{crawling, setup, try_page};
use crate::clock::Clock;
use crate::config::Plan;
use crate::engine::{End, Lastmod, Report, Sitemaps, Start, StopHandle};
use crate::extract::ExtractError;
use crate::extract::sitemap::{Entry, MAX_BYTES, Sitemap};
use crate::fetch::Limits;
use crate::fetch::decode::{Bounds, MOST_CODINGS, unpack_gzip};
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::Failure as PageFailure;
use crate::spider::Spider;
use crate::url::CanonicalUrl;

/// Stands for the place of a file, which is not known.
const NOWHERE: &str = "http://file.invalid/";

/// How a location is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The URL, and behind a tab when it changed last.
    Line,
    /// A JSON object on a line.
    Json,
}

pub(super) fn sitemap(args: &SitemapArgs) -> Result<Exit, Failure> {
    let form = if args.json { Form::Json } else { Form::Line };
    let is_url = ["http://", "https://", "demo:"].iter().any(|scheme| args.place.starts_with(scheme));
    if !is_url {
        return list_file(&args.place, form);
    }
    let mut plan = args.sets.over(None).seed(&args.place).load()?;
    let runtime = crawling::runtime()?;
    let report = runtime.block_on(list_url(&mut plan, form));
    runtime.shutdown_background();
    Ok(exit_of(&report?))
}

/// All that was asked for are sitemaps: that no page was fetched is no loss.
fn exit_of(report: &Report) -> Exit {
    let whole = report.end == End::Complete && report.totals.failed == 0;
    let nothing_waits = report.unlisted.waiting == 0 && report.hosts.iter().all(|host| host.waiting == 0);
    if whole && nothing_waits && report.totals.sitemaps > 0 {
        return Exit::COMPLETE;
    }
    Exit(report.exit_code())
}

async fn list_url(plan: &mut Plan, form: Form) -> Result<Report, Failure> {
    let demo = Demo::place(plan).await?;
    let seeds = plan.requests().into_iter().map(|seed| Request::sitemap(seed.url)).collect();
    let lister = Arc::new(Lister { seeds, form, stop: OnceLock::new(), failed: Mutex::new(None) });
    let clock = Clock::start();
    let builder = setup::describe(plan, Arc::clone(&lister) as Arc<dyn Spider>, &clock)?;
    let builder = try_page::keep_waits(builder, &plan.state_dir)?.start(Start::Fresh);
    let crawl = builder
        .sitemaps(Sitemaps {
            max_per_host: plan.sitemaps.max_per_host,
            lastmod: Lastmod::Ignore,
            ..Sitemaps::default()
        })
        .build()?;
    lister.stop.get_or_init(|| crawl.stop_handle());
    let report = crawl.run().await;
    if let Some(demo) = demo {
        demo.close().await;
    }
    match lister.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(failure) => Err(failure),
        None => Ok(report?),
    }
}

/// Prints the pages of sitemaps and follows nothing but indexes.
struct Lister {
    seeds: Vec<Request>,
    form: Form,
    stop: OnceLock<StopHandle>,
    /// Why nothing can be printed any more.
    failed: Mutex<Option<Failure>>,
}

impl Spider for Lister {
    fn name(&self) -> &str {
        "sitemap"
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn parse(&self, _page: &Page, _harvest: &mut Harvest) -> Result<(), ExtractError> {
        Ok(())
    }

    fn sitemap(&self, _request: &Request, sitemap: &Sitemap, harvest: &mut Harvest) {
        if let Err(failure) = print_entries(sitemap, &sitemap.entries, self.form) {
            // Nobody reads any more: nothing more is asked.
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.stop.get().inspect(|stop| stop.stop());
            return;
        }
        sitemap.sitemaps().for_each(|request| harvest.follow(request));
    }

    fn failed(&self, request: &Request, failure: &PageFailure, _harvest: &mut Harvest) {
        tell(&format!("{}: {} ({})", safe(&request.url.to_string()), failure.class, safe(&failure.reason)));
    }
}

/// Lists a file. Where it was found on the web is not known: relative locations stay as they are.
fn list_file(name: &str, form: Form) -> Result<Exit, Failure> {
    let mut body = Vec::new();
    let read = match name {
        "-" => io::stdin().lock().take(MAX_BYTES).read_to_end(&mut body),
        name => File::open(name).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut body)),
    };
    read.map_err(|error| {
        Failure::Usage(format!("cannot read `{name}`: {error}; a URL begins with https://"))
    })?;
    let nowhere = CanonicalUrl::parse(NOWHERE).expect("it is a URL");
    let sitemap = read_sitemap(&nowhere, body);
    print_entries(&sitemap, &sitemap.entries, form)?;
    print_entries(&sitemap, &sitemap.children, form)?;
    if let Some(problem) = &sitemap.problem {
        tell(&format!("`{}` could not be read to its end: {}", safe(name), safe(problem)));
    }
    Ok(if sitemap.problem.is_none() { Exit::COMPLETE } else { Exit::FAILED })
}

/// Reads a body that may be packed with gzip.
fn read_sitemap(url: &CanonicalUrl, body: Vec<u8>) -> Sitemap {
    let bounds = Bounds { body: MAX_BYTES, ratio: Limits::default().ratio, codings: MOST_CODINGS };
    let unpacked = unpack_gzip(Bytes::from(body), bounds).now_or_never();
    let (body, cut) = unpacked.expect("what lies in memory is never waited for");
    let mut sitemap = Sitemap::read(url, &body, None);
    if let Some(cut) = cut {
        sitemap.problem.get_or_insert(format!("it cannot be unpacked whole ({cut:?})").to_lowercase());
    }
    sitemap
}

/// A location as [`Form::Json`] shows it.
#[derive(Serialize)]
struct Shown<'a> {
    loc: &'a str,
    lastmod: Option<&'a str>,
    changefreq: Option<&'a str>,
    priority: Option<&'a str>,
    alternates: &'a [String],
    sitemap: &'a CanonicalUrl,
}

fn print_entries(sitemap: &Sitemap, entries: &[Entry], form: Form) -> Result<(), Failure> {
    let on_the_web = sitemap.url.as_str() != NOWHERE;
    // A few at a time: a full sitemap would be a text of many megabytes.
    for some in entries.chunks(1_000) {
        let mut text = String::new();
        for entry in some {
            let url = on_the_web.then(|| sitemap.resolve(entry).ok()).flatten();
            let loc = url.as_ref().map_or(entry.loc.as_str(), CanonicalUrl::as_str);
            text.push_str(&shown(loc, entry, &sitemap.url, form)?);
            text.push('\n');
        }
        print(&text)?;
    }
    Ok(())
}

fn shown(loc: &str, entry: &Entry, sitemap: &CanonicalUrl, form: Form) -> Result<String, Failure> {
    let lastmod = entry.lastmod.as_deref();
    if form == Form::Line {
        let behind = lastmod.map(|date| format!("\t{}", safe(date))).unwrap_or_default();
        return Ok(format!("{}{behind}", safe(loc)));
    }
    let shown = Shown {
        loc,
        lastmod,
        changefreq: entry.changefreq.as_deref(),
        priority: entry.priority.as_deref(),
        alternates: &entry.alternates,
        sitemap,
    };
    let text = serde_json::to_string(&shown).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(safe(&text).into_owned())
}

/// The answer of `crawl probe sitemap`: the form, and the locations as they are written.
pub(super) fn probed(url: Option<&str>, body: Vec<u8>) -> Result<Value, String> {
    let url = CanonicalUrl::parse(url.unwrap_or(NOWHERE)).map_err(|error| error.to_string())?;
    let sitemap = read_sitemap(&url, body);
    let listed = sitemap.entries.iter().chain(&sitemap.children).map(as_written).collect::<Vec<_>>();
    let (unread, problem) = (sitemap.unread, &sitemap.problem);
    Ok(json!({ "type": sitemap.kind.as_str(), "result": listed, "unread": unread, "problem": problem }))
}

/// What is not said is not there.
fn as_written(entry: &Entry) -> Value {
    let mut said = json!({ "loc": entry.loc });
    let parts =
        [("lastmod", &entry.lastmod), ("changefreq", &entry.changefreq), ("priority", &entry.priority)];
    for (name, text) in parts {
        if let Some(text) = text {
            said[name] = json!(text);
        }
    }
    if !entry.alternates.is_empty() {
        said["alternate"] = json!(entry.alternates);
    }
    said
}
