//! `crawl cache`: what is kept of pages between rounds, and forgetting some of it.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::args::{CacheCommand, PruneArgs, StateArgs};
use super::crawling::CACHE;
use super::exit::{Exit, Failure};
use super::render::{bytes, counted, duration, print, print_json, safe};
use super::state::{Place, now};
use crate::store::cache::{IdleCache, Survey, remove_cache};
use crate::time::Timestamp;

/// Hosts that are listed.
const MOST_HOSTS: usize = 10;
/// Ages that pages are counted by: within an hour, a day, a week, thirty days.
const AGES: [(&str, u64); 4] = [("1h", 3_600), ("1d", 86_400), ("7d", 7 * 86_400), ("30d", 30 * 86_400)];

pub(super) fn cache(command: &CacheCommand) -> Result<Exit, Failure> {
    match command {
        CacheCommand::Stats(args) => stats(args)?,
        CacheCommand::Prune(args) => prune(args)?,
        CacheCommand::Clear(args) => clear(args)?,
    }
    Ok(Exit::COMPLETE)
}

fn stats(args: &StateArgs) -> Result<(), Failure> {
    let place = begun(args)?;
    let stats = Stats::of(&place, &open(&place)?.survey()?, now()?);
    if args.json { print_json(&stats) } else { print(&stats.text()) }
}

fn prune(args: &PruneArgs) -> Result<(), Failure> {
    let before = match &args.older_than {
        Some(text) => {
            let age = crate::config::time(text)
                .map_err(|reason| Failure::Usage(format!("--older-than {text}: {reason}")))?;
            now()? - age
        }
        None => Timestamp::ZERO,
    };
    let place = begun(&args.state)?;
    let cache = open(&place)?;
    let forgotten = cache.prune(before, args.max_entries)?;
    let left = cache.survey()?.entries;
    if args.state.json {
        return print_json(&Pruned { forgotten, left });
    }
    print(&format!("forgot {}, {left} left\n", counted(forgotten, "page")))
}

fn clear(args: &StateArgs) -> Result<(), Failure> {
    let place = begun(args)?;
    let freed = remove_cache(&place.dir, CACHE)?.ok_or_else(|| none_in(&place))?;
    if args.json {
        return print_json(&Cleared { freed_bytes: freed });
    }
    print(&format!("forgot all pages, {} freed\n", bytes(freed)))
}

/// A state that is there.
fn begun(args: &StateArgs) -> Result<Place, Failure> {
    let place = Place::of(args)?;
    place.must_be_begun()?;
    Ok(place)
}

fn open(place: &Place) -> Result<IdleCache, Failure> {
    IdleCache::open(&place.dir, CACHE)?.ok_or_else(|| none_in(place))
}

fn none_in(place: &Place) -> Failure {
    Failure::Usage(format!(
        "there is no cache in `{}`: a run with [cache] enabled = true makes one",
        place.dir.display()
    ))
}

/// What `prune --json` prints.
#[derive(Serialize)]
struct Pruned {
    forgotten: u64,
    left: u64,
}

/// What `clear --json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cleared {
    freed_bytes: u64,
}

/// What `stats` shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Stats {
    state_dir: String,
    pages: u64,
    with_validators: u64,
    without_validators: u64,
    unreadable: u64,
    entry_bytes: u64,
    disk_bytes: u64,
    /// Seconds since the page that was confirmed last, and first.
    newest_s: Option<u64>,
    oldest_s: Option<u64>,
    /// Pages by the age of their confirmation.
    ages: Vec<Age>,
    hosts: Vec<HostShare>,
    more_hosts: usize,
}

/// Pages that were confirmed no longer ago than this.
#[derive(Debug, Serialize)]
struct Age {
    within: &'static str,
    pages: u64,
}

/// What one host takes.
#[derive(Debug, Serialize)]
struct HostShare {
    host: String,
    pages: u64,
    bytes: u64,
}

impl Stats {
    fn of(place: &Place, survey: &Survey, now: Timestamp) -> Self {
        let ages: Vec<u64> = survey.checked.iter().map(|at| now.since(*at).as_secs()).collect();
        let within = |most: u64| ages.iter().filter(|age| **age <= most).count() as u64;
        let share = |(host, pages, bytes): &(crate::url::HostKey, u64, u64)| HostShare {
            host: host.to_string(),
            pages: *pages,
            bytes: *bytes,
        };
        Self {
            state_dir: place.dir.display().to_string(),
            pages: survey.entries,
            with_validators: survey.with_validators,
            without_validators: survey.entries - survey.with_validators,
            unreadable: survey.unreadable,
            entry_bytes: survey.entry_bytes,
            disk_bytes: survey.disk_bytes,
            newest_s: ages.iter().min().copied(),
            oldest_s: ages.iter().max().copied(),
            ages: AGES.map(|(name, most)| Age { within: name, pages: within(most) }).into(),
            hosts: survey.hosts.iter().take(MOST_HOSTS).map(share).collect(),
            more_hosts: survey.hosts.len().saturating_sub(MOST_HOSTS),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: &str| {
            writeln!(text, "{name:<10} {}", safe(value)).expect("a String takes everything");
        };
        row("state", &self.state_dir);
        row(
            "pages",
            &format!(
                "{}, {} with validators, {} without",
                self.pages, self.with_validators, self.without_validators
            ),
        );
        row("size", &format!("{} on disk, {} of entries", bytes(self.disk_bytes), bytes(self.entry_bytes)));
        if let (Some(newest), Some(oldest)) = (self.newest_s, self.oldest_s) {
            let ago = |seconds| duration(Duration::from_secs(seconds));
            row("confirmed", &format!("the first {} ago, the last {} ago", ago(oldest), ago(newest)));
            let ages = self.ages.iter().map(|age| format!("{} within {}", age.pages, age.within));
            row("", &ages.collect::<Vec<_>>().join(", "));
        }
        for host in &self.hosts {
            row("host", &format!("{}: {}, {}", host.host, counted(host.pages, "page"), bytes(host.bytes)));
        }
        if self.more_hosts > 0 {
            row("", &format!("and {} more", counted(self.more_hosts as u64, "host")));
        }
        if self.unreadable > 0 {
            let lost = counted(self.unreadable, "entry").replace("entrys", "entries");
            row(
                "unreadable",
                &format!("{lost}: these pages are fetched in full; `crawl cache prune` drops them"),
            );
        }
        text
    }
}
