//! `crawl status`: how far a crawl is, read from its state directory while no run holds it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::StateArgs;
use super::exit::{Exit, Failure};
use super::items;
use super::render::{counted, duration, print, print_json, safe};
use super::state::Place;
use crate::politeness::{HostState, Phase};
use crate::robots::{RobotsAnswer, RobotsRecord};
use crate::stage::tally::ItemTally;
use crate::store::{FailedRecord, Holdings, Recovered, RunRecord, Store};
use crate::time::Timestamp;
use crate::url::Origin;

/// Hosts and failed URLs that the text lists; JSON lists all.
const MOST_LINES: usize = 20;

pub(super) fn status(args: &StateArgs) -> Result<Exit, Failure> {
    let status = read(&Place::of(args)?)?;
    if args.json {
        print_json(&status)?;
    } else {
        print(&status.text())?;
    }
    Ok(Exit::COMPLETE)
}

fn read(place: &Place) -> Result<Status, Failure> {
    let mut known = place.open()?;
    let failed = known.store.failed()?;
    Ok(Status::of(&place.dir, known.recovered, &known.held, &failed, known.now))
}

/// What a state directory says of its crawl.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    state_dir: PathBuf,
    /// `never run`, `complete` or `unfinished`.
    phase: &'static str,
    round: u32,
    started: Option<String>,
    completed: Option<String>,
    waiting: u64,
    totals: BTreeMap<String, u64>,
    /// What the items hold, and what became of those that were not written.
    items: ItemTally,
    hosts: Vec<HostStatus>,
    robots: Vec<RobotsStatus>,
    failed: Vec<FailedStatus>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct HostStatus {
    host: String,
    /// `open`, or `backoff` after push-back.
    phase: &'static str,
    /// Seconds until it may be asked again; 0 if it may be asked now.
    wait_s: f64,
    not_before: Option<String>,
    strikes: u32,
    waiting: u64,
    requests: u64,
    throttled: u64,
    last_status: Option<u16>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct RobotsStatus {
    origin: String,
    /// `rules`, `allows all`, `allows nothing` or `unreachable`.
    says: &'static str,
    /// When it is asked again.
    until: String,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct FailedStatus {
    url: String,
    class: String,
    status: Option<u16>,
    reason: String,
}

impl Status {
    fn of(dir: &Path, known: Recovered, held: &Holdings, failed: &[FailedRecord], now: Timestamp) -> Self {
        let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
        for (origin, count) in &held.queues {
            *waiting.entry(origin.host_key().to_string()).or_default() += count;
        }
        let run = known.run.unwrap_or_default();
        let mut hosts: Vec<_> = held
            .hosts
            .iter()
            .map(|(key, state)| HostStatus::of(key.as_str(), state, waiting.remove(key.as_str()), now))
            .collect();
        // Hosts that were found and never asked have a queue and no state.
        let unasked = waiting
            .into_iter()
            .map(|(host, count)| HostStatus::of(&host, &HostState::default(), Some(count), now));
        hosts.extend(unasked);
        Self {
            state_dir: dir.to_owned(),
            phase: phase(&run),
            round: run.round,
            started: (run.round > 0).then(|| run.started.to_string()),
            completed: run.completed.filter(|_| run.round > 0).map(|at| at.to_string()),
            waiting: held.queues.iter().map(|(_, count)| count).sum(),
            totals: run.totals,
            items: known.tally,
            hosts,
            robots: held.robots.iter().map(|(origin, record)| RobotsStatus::of(origin, record)).collect(),
            failed: failed.iter().map(FailedStatus::of).collect(),
            warnings: known.warnings,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: &str| {
            writeln!(text, "{name:<9} {}", safe(value)).expect("a String takes everything");
        };
        row("state", &self.state_dir.display().to_string());
        let started = self.started.as_deref().unwrap_or("-");
        row("round", &format!("{}, begun {started}, {}", self.round, self.phase));
        row("waiting", &counted(self.waiting, "request"));
        let totals: Vec<_> = self.totals.iter().map(|(name, count)| format!("{name} {count}")).collect();
        row("totals", &totals.join(", "));
        for (place, line) in items::remarks(&self.items).iter().enumerate() {
            row(if place == 0 { "of items" } else { "" }, line);
        }
        for (place, line) in items::coverage(&self.items).iter().enumerate() {
            row(if place == 0 { "fields" } else { "" }, line);
        }
        self.hosts.iter().take(MOST_LINES).for_each(|host| row("host", &host.text()));
        for robots in self.robots.iter().filter_map(|robots| Some((&robots.origin, robots.reason.as_ref()?)))
        {
            row("robots", &format!("{} is out of reach: {}", robots.0, robots.1));
        }
        for failed in self.failed.iter().take(MOST_LINES) {
            row("failed", &format!("{} ({}: {})", failed.url, failed.class, failed.reason));
        }
        let more = self.hosts.len().saturating_sub(MOST_LINES) + self.failed.len().saturating_sub(MOST_LINES);
        if more > 0 {
            row("", &format!("and {more} more: --json lists all"));
        }
        self.warnings.iter().for_each(|warning| row("warning", warning));
        text
    }
}

fn phase(run: &RunRecord) -> &'static str {
    match (run.round, run.completed) {
        (0, _) => "never run",
        (_, Some(_)) => "complete",
        (_, None) => "unfinished",
    }
}

impl HostStatus {
    fn of(host: &str, state: &HostState, waiting: Option<u64>, now: Timestamp) -> Self {
        let wait = state.not_before.since(now);
        let (phase, strikes) = match state.phase {
            Phase::Open => ("open", 0),
            Phase::Backoff { strikes, .. } => ("backoff", strikes),
        };
        Self {
            host: host.to_owned(),
            phase,
            wait_s: wait.as_secs_f64(),
            not_before: (!wait.is_zero()).then(|| state.not_before.to_string()),
            strikes,
            waiting: waiting.unwrap_or(0),
            requests: state.requests,
            throttled: state.throttled,
            last_status: state.last_status,
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}, {} waiting, {}",
            self.host,
            self.phase,
            self.waiting,
            counted(self.requests, "request")
        );
        if let Some(until) = &self.not_before {
            let wait = duration(std::time::Duration::from_secs_f64(self.wait_s));
            write!(text, ", not asked before {until} (in {wait})").expect("a String takes everything");
        }
        if self.throttled > 0 {
            write!(text, ", pushed back {} times", self.throttled).expect("a String takes everything");
        }
        text
    }
}

impl RobotsStatus {
    fn of(origin: &Origin, record: &RobotsRecord) -> Self {
        let (says, until, reason) = match &record.answer {
            RobotsAnswer::Text(_) => ("rules", record.expires_at, None),
            RobotsAnswer::AllowAll => ("allows all", record.expires_at, None),
            RobotsAnswer::DenyAll => ("allows nothing", record.expires_at, None),
            RobotsAnswer::Unreachable { retry_at, reason, .. } => {
                ("unreachable", *retry_at, Some(reason.clone()))
            }
        };
        Self { origin: origin.to_string(), says, until: until.to_string(), reason }
    }
}

impl FailedStatus {
    fn of(record: &FailedRecord) -> Self {
        Self {
            url: record.request.url.to_string(),
            class: record.class.clone(),
            status: record.status,
            reason: record.reason.clone(),
        }
    }
}
