//! `crawl explain`: why a URL was fetched or not, and what it waits for.
//!
//! Everything is read from the state; no host is asked, and the verdicts are those of the rooms that decide in a run: `url`,
//! `scope`, `robots`, `store`.

mod scope;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::args::ExplainArgs;
use super::crawling::CACHE;
use super::exit::{Exit, Failure};
use super::hosts::{HostRow, HostWaitShown};
use super::render::{print, print_json};
use super::state::{Known, KnownHost, Place};
use super::{Registry, demo_site};
use crate::engine::wait_of;
use crate::politeness::HostState;
use crate::request::{Pending, Request};
use crate::robots::{RobotsAnswer, RobotsRecord, RobotsRules};
use crate::store::cache::{SledCache, ValidatorCache};
use crate::store::{FailedRecord, Store};
use crate::time::Timestamp;
use crate::url::{Canon, CanonChange, CanonicalUrl};
use scope::ScopeSaid;

/// Requests of a queue that are read at a time.
const PART: usize = 1_000;

pub(super) fn explain(args: &ExplainArgs, registry: &Registry) -> Result<Exit, Failure> {
    let (file, url) = match args.file_and_url.as_slice() {
        [file, url] => (Some(PathBuf::from(file)), url),
        [url, ..] => (None, url),
        [] => return Err(Failure::Usage("which URL? write `crawl explain FILE URL`".to_owned())),
    };
    let place = Place::at(file.as_ref(), args.state.as_ref(), &args.sets)?;
    let mut known = place.open()?;
    known.adopt(registry)?;
    let said = Question { url, dir: &place.dir, known: &mut known }.answer()?;
    if args.json {
        print_json(&said)?;
    } else {
        print(&said.text())?;
    }
    Ok(Exit::COMPLETE)
}

/// What is asked, and where the answer is looked for.
struct Question<'a> {
    url: &'a str,
    dir: &'a Path,
    known: &'a mut Known,
}

/// Everything that can be said of a URL.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Said {
    /// As it was typed.
    asked: String,
    /// In normal form.
    url: String,
    /// What made the one of the other.
    changes: Vec<ChangeSaid>,
    verdict: Verdict,
    because: String,
    scope: ScopeSaid,
    robots: RobotsSaid,
    /// The key of the seen-set, in hexadecimal.
    fingerprint: String,
    /// Whether the seen-set of this round has it.
    seen: bool,
    round: u32,
    queue: Option<QueueSaid>,
    failed: Option<FailedSaid>,
    kept: Option<KeptSaid>,
    host: HostRow,
    waits: Vec<WaitSaid>,
}

/// What became of a URL in this round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Waiting,
    Fetched,
    /// Asked, and nothing of it is kept.
    Done,
    Failed,
    Disallowed,
    OutOfScope,
    NeverFound,
}

#[derive(Debug, Serialize)]
struct ChangeSaid {
    step: &'static str,
    url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct RobotsSaid {
    /// `None` while robots.txt of this origin was not asked.
    allowed: Option<bool>,
    /// In words: the line that decides, or why there is none.
    reason: String,
    fetched_at: Option<String>,
    expires_at: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct QueueSaid {
    origin: String,
    /// From 1.
    place: u64,
    of: u64,
    priority: i8,
    depth: u32,
    label: Option<String>,
    tries: u8,
    refusals: u8,
    not_before: Option<String>,
    /// About how long it takes until its turn, once the crawl goes on.
    seconds: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct FailedSaid {
    class: String,
    status: Option<u16>,
    reason: String,
    at: String,
}

/// What the next round has to ask "has it changed?".
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct KeptSaid {
    etag: Option<String>,
    last_modified: Option<String>,
    checked: String,
    items: usize,
    links: usize,
    #[serde(skip)]
    at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct WaitSaid {
    reason: String,
    until: Option<String>,
}

impl Question<'_> {
    fn answer(mut self) -> Result<Said, Failure> {
        let (url, changes) = self.canonical()?;
        let (seat, failed) = (self.seat(&url)?, self.failed(&url)?);
        let Self { known, dir, .. } = self;
        let found = seat.as_ref().map(|(_, pending)| &pending.request);
        let found = found.or(failed.as_ref().map(|failed| &failed.request));
        let request = found.cloned().unwrap_or_else(|| Request::get(url.clone()));
        let scope = ScopeSaid::of(known.plan.as_ref(), &request, found.is_some());
        let hosts = known.hosts();
        let unknown =
            KnownHost { key: url.host_key(), state: HostState::default(), waiting: 0, robots: Vec::new() };
        let host = hosts.iter().find(|host| host.key == unknown.key).unwrap_or(&unknown);
        let record = host.robots.iter().find(|(origin, _)| *origin == url.origin()).map(|(_, record)| record);
        let row = HostRow::of(host, known);
        let mut said = Said {
            asked: self.url.to_owned(),
            url: url.to_string(),
            changes: changes.iter().map(ChangeSaid::of).collect(),
            verdict: Verdict::NeverFound,
            because: String::new(),
            scope,
            robots: RobotsSaid::of(record, &url, known),
            fingerprint: format!("{:016x}", request.fingerprint().get()),
            seen: known.store.knows(&request)?,
            round: known.round(),
            waits: waits(known, host, record, seat.as_ref().map(|(_, pending)| pending)),
            queue: seat.map(|(place, pending)| QueueSaid::of(place, &pending, known, &row)),
            failed: failed.as_ref().map(FailedSaid::of),
            kept: kept(dir, &request)?,
            host: row,
        };
        said.judge(known);
        Ok(said)
    }

    /// The URL in normal form; `demo:` stands for the demo site of this state.
    fn canonical(&self) -> Result<(CanonicalUrl, Vec<CanonChange>), Failure> {
        let canon = self.known.plan.as_ref().map_or_else(Canon::default, |plan| plan.canon.clone());
        let home = self.url.strip_prefix("demo:").zip(demo_site::known_home(self.dir));
        let traced = match home {
            Some((path, home)) => canon.join(home.as_url(), path).map(|url| (url, Vec::new())),
            None => canon.trace(self.url),
        };
        traced.map_err(|error| Failure::Usage(format!("{error}: write the URL in full, as in https://…")))
    }

    /// Its place in its queue, from 0, and what waits there.
    fn seat(&mut self, url: &CanonicalUrl) -> Result<Option<(u64, Pending)>, Failure> {
        let origin = url.origin();
        let (mut after, mut ahead) = (None, 0);
        loop {
            let part = self.known.store.pending(&origin, after, PART)?;
            let found = part.iter().position(|pending| pending.request.url == *url);
            if let Some(at) = found {
                return Ok(part.into_iter().nth(at).map(|pending| (ahead + at as u64, pending)));
            }
            let Some(last) = part.last().filter(|_| part.len() == PART) else {
                return Ok(None);
            };
            (after, ahead) = (Some(last.key), ahead + PART as u64);
        }
    }

    fn failed(&mut self, url: &CanonicalUrl) -> Result<Option<FailedRecord>, Failure> {
        let failed = self.known.store.failed()?;
        Ok(failed.into_iter().rev().find(|record| record.request.url == *url))
    }
}

/// The validators of a page, if there are any. The cache is not made for the question.
fn kept(dir: &Path, request: &Request) -> Result<Option<KeptSaid>, Failure> {
    let cache = dir.join(CACHE);
    if !cache.exists() {
        return Ok(None);
    }
    let entry = SledCache::open(&cache, Default::default())?.get(request.fingerprint());
    Ok(entry.map(|entry| {
        let (links, items) = entry.harvest.unpack().unwrap_or_default();
        KeptSaid {
            etag: entry.validators.etag,
            last_modified: entry.validators.last_modified,
            checked: entry.checked.to_string(),
            items: items.len(),
            links: links.len(),
            at: entry.checked,
        }
    }))
}

/// Everything that keeps a request of this host back now.
fn waits(
    known: &Known,
    host: &KnownHost<'_>,
    record: Option<&RobotsRecord>,
    pending: Option<&Pending>,
) -> Vec<WaitSaid> {
    let mut waits: Vec<_> =
        wait_of(&host.state, known.now).iter().map(|wait| WaitSaid::host(&HostWaitShown::of(wait))).collect();
    match record.map(|record| &record.answer) {
        Some(RobotsAnswer::Unreachable { retry_at, reason, .. }) => {
            waits.push(WaitSaid::until(reason.clone(), *retry_at));
        }
        _ => waits.extend(record.and_then(|record| window(&known.rules(record), known.now))),
    }
    let own = pending.and_then(|pending| pending.request.not_before).filter(|moment| *moment > known.now);
    waits.extend(own.map(|moment| WaitSaid::until("its own next try".to_owned(), moment)));
    waits.extend(budgets(known, host));
    waits
}

/// `Visit-time`, if it is closed.
fn window(rules: &RobotsRules, now: Timestamp) -> Option<WaitSaid> {
    let window = rules.visit_time()?;
    let minute = now.as_secs() / 60 % (24 * 60);
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let (from, to) = (clock(window.start_minute), clock(window.end_minute));
    let closed = !window.contains(u16::try_from(minute).unwrap_or(0));
    closed.then(|| WaitSaid::without_end(format!("robots.txt asks for visits between {from} and {to} UTC")))
}

/// Limits of the crawler file that are used up.
fn budgets(known: &Known, host: &KnownHost<'_>) -> Vec<WaitSaid> {
    let run = known.recovered.run.as_ref();
    let pages = run.and_then(|run| run.totals.get("pages")).copied().unwrap_or(0);
    let most = known.plan.as_ref().and_then(|plan| plan.budget.max_pages);
    let whole = most
        .filter(|most| pages >= *most)
        .map(|most| WaitSaid::without_end(format!("scope.max-pages = {most} is reached: raise it to go on")));
    let of_host =
        known.policy(&host.key).max_pages.filter(|most| host.state.pages_in(known.round()) >= *most);
    let of_host = of_host.map(|most| {
        WaitSaid::without_end(format!("scope.max-pages-per-host = {most} is reached: raise it to go on"))
    });
    whole.into_iter().chain(of_host).collect()
}

impl Said {
    /// Draws the conclusion.
    fn judge(&mut self, known: &Known) {
        let run = known.recovered.run.clone().unwrap_or_default();
        let forbidden = self.robots.allowed == Some(false) && self.robots.expires_at.is_some();
        (self.verdict, self.because) = if let Some(queue) = &self.queue {
            (Verdict::Waiting, format!("it waits, as number {} of {} of its origin", queue.place, queue.of))
        } else if let Some(failed) = &self.failed {
            (Verdict::Failed, format!("it was given up: {} ({})", failed.reason, failed.class))
        } else if let Some(kept) = self.kept.as_ref().filter(|kept| self.seen && kept.at >= run.started) {
            (
                Verdict::Fetched,
                format!("it was fetched, or found unchanged, in round {}: {}", run.round, kept.checked),
            )
        } else if forbidden && (self.seen || self.scope.belongs) {
            (Verdict::Disallowed, format!("robots.txt forbids it: {}", self.robots.reason))
        } else if self.seen {
            (Verdict::Done, DONE.to_owned())
        } else if !self.scope.belongs {
            (Verdict::OutOfScope, self.scope.reason.clone())
        } else {
            (Verdict::NeverFound, never_found(run.round, run.completed.is_some()))
        };
    }
}

const DONE: &str = "it was asked in this round and is done, and left nothing to ask again with: a page without a \
                    validator, a redirect, a dead link (404) or a forbidden page (403)";

fn never_found(round: u32, complete: bool) -> String {
    let yet = if complete { "" } else { " yet" };
    format!(
        "it belongs to the crawl, but no page that was read in round {round} led to it{yet}: no link, a link with \
         nofollow, or one that no [[follow]] takes"
    )
}

impl ChangeSaid {
    fn of(change: &CanonChange) -> Self {
        let step = change.step.map_or("the URL standard", |step| step.name());
        Self { step, url: change.url.to_string() }
    }
}

impl RobotsSaid {
    fn of(record: Option<&RobotsRecord>, url: &CanonicalUrl, known: &Known) -> Self {
        let Some(record) = record else {
            let reason =
                "robots.txt of this origin was not asked yet; it is asked before the first page".to_owned();
            return Self { allowed: None, reason, fetched_at: None, expires_at: None };
        };
        let verdict = known.rules(record).verdict(url.as_url());
        let reason = match (&record.answer, verdict.rule) {
            (_, Some(rule)) => rule.to_string(),
            (RobotsAnswer::Text(_), None) => "no rule matches".to_owned(),
            (RobotsAnswer::AllowAll, None) => "there is none, so everything is allowed".to_owned(),
            (RobotsAnswer::DenyAll, None) => "it was refused, and `robots.forbidden` is \"deny\"".to_owned(),
            (RobotsAnswer::Unreachable { reason, .. }, None) => format!("out of reach ({reason})"),
        };
        let is_read = !matches!(record.answer, RobotsAnswer::Unreachable { .. });
        Self {
            allowed: Some(verdict.allowed),
            reason,
            fetched_at: Some(record.fetched_at.to_string()),
            expires_at: is_read.then(|| record.expires_at.to_string()),
        }
    }
}

impl QueueSaid {
    fn of(ahead: u64, pending: &Pending, known: &Known, host: &HostRow) -> Self {
        let request = &pending.request;
        let origin = request.origin();
        let of = known.held.queues.iter().find(|(name, _)| *name == origin).map_or(0, |(_, count)| *count);
        let wait = Duration::try_from_secs_f64(host.wait_s).unwrap_or_default();
        Self {
            origin: origin.to_string(),
            place: ahead + 1,
            of,
            priority: request.priority,
            depth: request.depth,
            label: request.label.as_deref().map(str::to_owned),
            tries: pending.tries,
            refusals: pending.refusals,
            not_before: request.not_before.map(|moment| moment.to_string()),
            seconds: wait.saturating_add(host.pace.time_for(ahead)).as_secs_f64(),
        }
    }
}

impl FailedSaid {
    fn of(record: &FailedRecord) -> Self {
        Self {
            class: record.class.clone(),
            status: record.status,
            reason: record.reason.clone(),
            at: record.at.to_string(),
        }
    }
}

impl WaitSaid {
    fn host(wait: &HostWaitShown) -> Self {
        Self { reason: format!("the host: {}", wait.reason), until: Some(wait.until.clone()) }
    }

    fn until(reason: String, moment: Timestamp) -> Self {
        Self { reason, until: Some(moment.to_string()) }
    }

    fn without_end(reason: String) -> Self {
        Self { reason, until: None }
    }
}
