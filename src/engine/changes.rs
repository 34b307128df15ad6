//! The change report of a round: what is new, changed, gone, or not to be known.
//!
//! The judgement is made where state is written, so that a report and what it reports are one step: a page is reported once, also
//! if the process is killed in between. The list is a sink like any other, one file a round; what has not changed is only counted.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::schedule::Schedule;
use super::totals::Totals;
use crate::history::{Due, Judgement, Occasion, PageRecord, Shift, Sight, judge};
use crate::item::{Item, Seen};
use crate::request::Request;
use crate::sink::jsonl::{JsonlOptions, JsonlSink};
use crate::sink::{Position, Sink, SinkError};
use crate::store::{PageChange, Store, StoreError};
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// Fields that a line of the list has at most.
const MOST_FIELDS: usize = 9;

/// Rounds whose lists are kept, the one that runs included.
const KEPT: u32 = 10;

/// What the list's position is stored under, wherever the state lies.
const NAME: &str = "change-list";

/// What a request came to, as far as its page is concerned.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) request: Request,
    /// Whether the request has never come back before in this round.
    pub(super) is_first: bool,
    pub(super) at: Timestamp,
    pub(super) sight: Sight,
    pub(super) status: Option<u16>,
    /// Why the page could not be had, in words.
    pub(super) reason: Option<String>,
    pub(super) items: Vec<Item>,
    /// Keys that items have, each with the place of its item.
    pub(super) keys: Vec<(usize, Fingerprint)>,
    /// Requests a second at which the host is asked now.
    pub(super) pace: f64,
}

/// The visits of one batch, judged one after the other.
pub(super) struct Judge<'a> {
    store: &'a dyn Store,
    round: u32,
    /// Plans the next visit, if the crawl watches.
    schedule: Option<&'a mut Schedule>,
    /// The soonest moment at which a page of this batch is due again.
    pub(super) soonest: Option<Timestamp>,
    /// Pages of this batch that were judged already: a page may come twice.
    places: HashMap<Fingerprint, usize>,
    pub(super) pages: Vec<PageChange>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(store: &'a dyn Store, round: u32, schedule: Option<&'a mut Schedule>) -> Self {
        Self { store, round, schedule, soonest: None, places: HashMap::new(), pages: Vec::new() }
    }

    /// Judges a visit by what was known of its page, and writes the page's history into the items.
    pub(super) fn hear(&mut self, visit: &mut Visit) -> Result<(Judgement, Option<PageRecord>), StoreError> {
        let page = visit.request.fingerprint();
        let place = match self.places.get(&page) {
            Some(&place) => place,
            None => {
                let store = self.store;
                let before = if visit.is_first { store.page_at_first(page) } else { store.page(page) }?;
                self.pages.push(PageChange { page, now: before.clone(), before });
                self.places.insert(page, self.pages.len() - 1);
                self.pages.len() - 1
            }
        };
        let occasion = Occasion { request: &visit.request, at: visit.at, round: self.round };
        let known = self.pages[place].now.take();
        let mut judged = judge(known.clone(), visit.sight, occasion);
        self.plan(known.as_ref(), &mut judged, visit);
        self.pages[place].now.clone_from(&judged.record);
        let seen = judged.record.as_ref().map(seen);
        visit.items.iter_mut().for_each(|item| item.seen = seen);
        Ok((judged, known))
    }
}

impl Judge<'_> {
    /// Plans the next visit of a page, if the crawl watches.
    fn plan(&mut self, known: Option<&PageRecord>, judged: &mut Judgement, visit: &Visit) {
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        schedule.note_pace(&visit.request, visit.pace);
        known.into_iter().for_each(|known| schedule.forget(known));
        let Some(record) = &mut judged.record else {
            return;
        };
        let rate = schedule.remember(record);
        let due = schedule.due(&record.request, rate, visit.at);
        record.due = Due::At(due);
        self.soonest = Some(self.soonest.map_or(due, |soonest| soonest.min(due)));
    }
}

fn seen(record: &PageRecord) -> Seen {
    let items = &record.items;
    Seen { first_seen: record.first_seen, last_changed: items.last_changed, round: items.changed_in }
}

/// Counts what a page has come to.
pub(super) fn count(totals: &mut Totals, shift: Shift) {
    *match shift {
        Shift::New => &mut totals.new,
        Shift::Changed => &mut totals.changed,
        Shift::Unchanged => &mut totals.unchanged,
        Shift::Gone => &mut totals.gone,
        Shift::Failed => &mut totals.unknown,
    } += 1;
}

/// Digest of items, to see whether they are others.
pub(super) fn digest_of(items: &[Item]) -> u64 {
    let mut digest = Fingerprint::hasher();
    for item in items {
        digest.update(item.kind.as_deref().unwrap_or_default().as_bytes());
        digest.update(&serde_json::to_vec(&item.fields).unwrap_or_default());
        digest.update(&[0]);
    }
    Fingerprint::from_hasher(&digest).get()
}

/// The list of a round's changes, as JSON lines.
pub(super) struct ChangeLog {
    lines: JsonlSink,
    round: u32,
}

impl ChangeLog {
    /// Opens the list of a round, cut back to what was committed. Lists of rounds that are long over are removed.
    pub(super) fn open(dir: &Path, round: u32, committed: &[(String, Position)]) -> Result<Self, SinkError> {
        let mut lines = JsonlSink::open(&JsonlOptions::to(path_of(dir, round)))?;
        let position = committed.iter().find(|(name, _)| name == NAME);
        let position = position.map_or(Position::default(), |(_, position)| *position);
        if let Err(error) = lines.rewind(position) {
            let SinkError::Shortened { path, .. } = error else { return Err(error) };
            // A report is no output: that somebody removed it is no reason to stop.
            tracing::warn!(list = %path.display(), "the list of changes was cut: it begins anew");
            lines.rewind(Position::default())?;
        }
        if let Some(old) = round.checked_sub(KEPT) {
            // What is left of an old list is in nobody's way.
            drop(fs::remove_file(path_of(dir, old)));
        }
        Ok(Self { lines, round })
    }

    /// Takes a page whose standing is news.
    pub(super) fn write(
        &mut self,
        visit: &Visit,
        judged: &Judgement,
        known: Option<&PageRecord>,
    ) -> Result<(), SinkError> {
        let Some(shift) = judged.shift.filter(|shift| *shift != Shift::Unchanged) else {
            return Ok(());
        };
        let record = judged.record.as_ref().or(known);
        let mut fields = Map::with_capacity(MOST_FIELDS);
        let mut say = |name: &str, value: Value| {
            if !value.is_null() {
                fields.insert(name.to_owned(), value);
            }
        };
        say("change", shift.as_str().into());
        // A report is passed on: passwords stay behind.
        say("url", visit.request.url.to_string().into());
        say("status", visit.status.into());
        say("at", visit.at.to_string().into());
        say("round", self.round.into());
        say("first_seen", record.map(|record| record.first_seen.to_string()).into());
        say("last_seen", known.map(|known| known.checked.to_string()).into());
        say("new_items", (shift == Shift::Changed).then_some(judged.new_items).into());
        say("reason", visit.reason.clone().into());
        self.lines.write(&Item { url: visit.request.url.clone(), kind: None, fields, seen: None })
    }

    /// Makes what was handed over survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        self.lines.sync()
    }

    /// Hands everything over; name and position belong into the batch.
    pub(super) fn flush(&mut self) -> Result<(String, Position), SinkError> {
        Ok((NAME.to_owned(), self.lines.flush()?))
    }
}

/// Where the list of a round lies.
#[must_use]
pub fn path_of(dir: &Path, round: u32) -> PathBuf {
    dir.join(format!("round-{round}.jsonl"))
}

/// The rounds whose lists are there, oldest first.
///
/// # Errors
/// If the folder cannot be read; a folder that is not there has none.
pub fn rounds_in(dir: &Path) -> io::Result<Vec<u32>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut rounds = Vec::new();
    for entry in entries {
        rounds.extend(round_of(&entry?.file_name()));
    }
    rounds.sort_unstable();
    Ok(rounds)
}

fn round_of(name: &OsStr) -> Option<u32> {
    name.to_str()?.strip_prefix("round-")?.strip_suffix(".jsonl")?.parse().ok()
}
