//! Begin, go on, or begin again: what a run makes of the state that it finds.

use std::collections::BTreeMap;
use std::path::Path;

use super::CrawlError;
use super::changes::ChangeLog;
use super::output::{committed_of, notes_of};
use super::recorder::Recorder;
use super::restore::WithQueues;
use crate::audit::record::Found;
use crate::cookies::CookieJar;
use crate::frontier::Frontier;
use crate::politeness::HostState;
use crate::sink::{Position, Round, Sink};
use crate::stage::tally::ItemTally;
use crate::store::{Batch, LoginRecord, Memory, Recovered, RunRecord, Store, StoreError, outlives};
use crate::time::Timestamp;
use crate::url::{HostKey, Origin};

/// What to make of an earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Finish what is pending; if nothing is, begin the next round, which asks "has it changed?" for every known page.
    #[default]
    Continue,
    /// Only finish what is pending; an error if there is nothing.
    Resume,
    /// Go on with the last round, complete or not: a crawl that watches has no other end.
    Reopen,
    /// Forget pages and items and begin anew. Waits that hosts have asked for, and robots.txt verdicts, are kept.
    Fresh,
    /// Ask for what a spider starts with, and neither begin a round nor go on with one. For a
    /// [`Beside`](crate::store::beside::Beside): a crawl's own store would take this for a run of it.
    Beside,
}

/// What becomes of known pages to which no link of the round has led. Only of a round that is complete otherwise, and only of
/// pages that were read by the same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unlinked {
    /// They are asked at the end: only their server can say whether they are gone.
    #[default]
    Ask,
    /// They are left alone, and stay known.
    Leave,
}

/// A setting that is not what it was when the state was written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PlanChange {
    /// The key in the crawler file.
    key: String,
    /// Its value then, if it had one.
    before: Option<String>,
    /// Its value now, if it has one.
    now: Option<String>,
}

/// Where a run begins.
pub(super) struct Beginning {
    pub(super) past: Past,
    pub(super) run: RunRecord,
    /// The items of the round so far.
    pub(super) tally: ItemTally,
    pub(super) changes: Option<ChangeLog>,
}

/// What earlier runs have left.
pub(super) struct Past {
    recovered: Recovered,
    /// Whether there never was a run in this state.
    is_empty: bool,
    queues: WithQueues,
    start: Start,
}

impl Past {
    /// What the run finds, in the journal's words.
    pub(super) fn found(&self, run: &RunRecord, now: Timestamp) -> Found {
        match self.is_empty {
            _ if self.start == Start::Beside => Found::Beside,
            true => Found::Nothing,
            false if run.started == now => Found::Rounds,
            false => Found::Unfinished,
        }
    }

    /// How far an output was committed.
    pub(super) fn position(&self, name: &str) -> Position {
        let committed = self.recovered.sinks.iter().find(|(sink, _)| sink == name);
        committed.map_or(Position::default(), |(_, position)| *position)
    }

    /// Whether an earlier run of this round has logged in by these rules.
    pub(super) fn is_logged_in(&self, round: u32, rules: u64) -> bool {
        let is_ours = |login: &LoginRecord| login.round == round && login.rules == rules;
        !self.is_empty && self.recovered.login.as_ref().is_some_and(is_ours)
    }

    /// The queues that wait in the store: whoever takes them puts them into the frontier.
    pub(super) fn take_queues(&mut self, store: &dyn Store) -> Result<Vec<(Origin, u64)>, StoreError> {
        self.queues = WithQueues::No;
        super::restore::queues(store)
    }

    /// How far outputs reach that were committed.
    pub(super) fn positions(&self) -> &[(String, Position)] {
        &self.recovered.sinks
    }

    /// Brings a new frontier, the journal and the jar to where the last run was. Tells which hosts are in trouble.
    pub(super) fn restore(
        self,
        store: &dyn Store,
        frontier: &mut Frontier,
        recorder: &mut Recorder,
        cookies: Option<&CookieJar>,
        now: Timestamp,
    ) -> Result<Vec<(HostKey, HostState)>, StoreError> {
        if let Some(jar) = cookies {
            jar.open().restore(self.recovered.cookies, now);
        }
        if !self.is_empty {
            frontier.resume(now);
        }
        let mut keep = |origin: &_, record: &_| recorder.keep(origin, record);
        super::restore::hosts(store, frontier, &mut keep, self.queues, now)
    }
}

/// Reads the state and brings store and sinks to where the run begins.
pub(super) fn begin(
    store: &mut dyn Store,
    sinks: &mut [Box<dyn Sink>],
    changes: Option<&Path>,
    start: Start,
    plan: BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Beginning, CrawlError> {
    let mut recovered = store.recover()?;
    for warning in &recovered.warnings {
        tracing::warn!(warning, "the state was mended");
    }
    let last = recovered.run.take();
    let is_empty = last.is_none();
    let going_on = match (&last, start) {
        (None, _) | (_, Start::Fresh | Start::Beside) => false,
        (Some(_), Start::Reopen) => true,
        (Some(run), Start::Continue | Start::Resume) => run.completed.is_none(),
    };
    if start == Start::Resume && !going_on {
        let reason = if last.is_some() { "the last run was complete" } else { "there is no earlier run" };
        return Err(CrawlError::NothingToResume { reason });
    }
    let begun = |round| RunRecord {
        round,
        started: now,
        completed: None,
        plan: plan.clone(),
        totals: BTreeMap::new(),
    };
    let is_new = !going_on && start != Start::Beside;
    let run = match last {
        last if start == Start::Beside => begun(last.map_or(0, |run| run.round)),
        Some(run) if going_on => {
            explain(&run.plan, &plan);
            RunRecord { plan, completed: None, ..run }
        }
        last => begun(last.map_or(1, |run| run.round + 1)),
    };
    if is_new {
        recovered.sinks.clear();
        recovered.tally = ItemTally::default();
    }
    for sink in &mut *sinks {
        let (committed, notes) = committed_of(sink.name(), &recovered.sinks);
        // Before the round begins: a sink may refuse it.
        sink.begin(&Round { number: run.round, started: run.started, now, committed, notes: &notes })?;
    }
    if is_new {
        let memory = if start == Start::Fresh { Memory::Forgets } else { Memory::Keeps };
        store.begin_round(run.clone(), memory)?;
        recovered.cookies.retain(|cookie| outlives(cookie, memory, now));
    }
    rewind(store, sinks, &recovered.sinks)?;
    let changes = changes.map(|dir| ChangeLog::open(dir, run.round, &recovered.sinks)).transpose()?;
    let tally = std::mem::take(&mut recovered.tally);
    let past = Past { recovered, is_empty, queues: WithQueues::Yes, start };
    Ok(Beginning { past, run, tally, changes })
}

/// Brings the sinks to where they were, and commits what they say of it.
fn rewind(
    store: &mut dyn Store,
    sinks: &mut [Box<dyn Sink>],
    committed: &[(String, Position)],
) -> Result<(), CrawlError> {
    let mut said = Vec::new();
    for sink in &mut *sinks {
        sink.rewind(committed_of(sink.name(), committed).0.unwrap_or_default())?;
        let notes = notes_of(&mut **sink);
        if !notes.is_empty() {
            // Whoever says something at the beginning wants it to be known before anything is written.
            said.push((sink.name().to_owned(), sink.flush()?));
            said.extend(notes);
        }
    }
    if !said.is_empty() {
        store.commit(Batch { sinks: said, ..Batch::default() })?;
    }
    Ok(())
}

/// Says what has changed since the state was written, and what that means.
fn explain(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) {
    for change in changes(before, now) {
        let PlanChange { key, before, now } = change;
        tracing::warn!(
            key,
            before = before.as_deref().unwrap_or("-"),
            now = now.as_deref().unwrap_or("-"),
            "the crawler file has changed since this crawl began: the new value holds from now on, pages already done \
             are not asked again (--fresh starts over)"
        );
    }
}

/// The settings in which two plans differ, by key.
#[must_use]
fn changes(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<PlanChange> {
    let keys: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let differs = keys.into_iter().filter(|key| before.get(*key) != now.get(*key));
    differs
        .map(|key| PlanChange {
            key: key.clone(),
            before: before.get(key).cloned(),
            now: now.get(key).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    fn plan(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn start(store: &mut MemoryStore, start: Start) -> Result<RunRecord, CrawlError> {
        begin(store, &mut [], None, start, BTreeMap::new(), Timestamp::ZERO).map(|beginning| beginning.run)
    }

    fn complete(store: &mut MemoryStore, run: RunRecord) {
        let run = RunRecord { completed: Some(Timestamp::ZERO), ..run };
        store.commit(crate::store::Batch { run: Some(run), ..Default::default() }).unwrap();
    }

    #[test]
    fn an_unfinished_round_is_gone_on_with_and_a_finished_one_is_followed_by_the_next() {
        let mut store = MemoryStore::default();
        assert_eq!(start(&mut store, Start::Continue).unwrap().round, 1);
        let run = start(&mut store, Start::Continue).unwrap();
        assert_eq!(run.round, 1);
        complete(&mut store, run);
        assert_eq!(start(&mut store, Start::Continue).unwrap().round, 2);
    }

    #[test]
    fn resume_refuses_where_there_is_nothing_to_resume() {
        let mut store = MemoryStore::default();
        assert!(matches!(start(&mut store, Start::Resume), Err(CrawlError::NothingToResume { .. })));
        let run = start(&mut store, Start::Continue).unwrap();
        assert!(start(&mut store, Start::Resume).is_ok());
        complete(&mut store, run);
        assert!(matches!(start(&mut store, Start::Resume), Err(CrawlError::NothingToResume { .. })));
    }

    #[test]
    fn fresh_begins_a_round_whatever_is_pending() {
        let mut store = MemoryStore::default();
        start(&mut store, Start::Continue).unwrap();
        assert_eq!(start(&mut store, Start::Fresh).unwrap().round, 2);
    }

    #[test]
    fn every_changed_key_is_named_with_both_values() {
        let changes = changes(&plan(&[("a", "1"), ("b", "2")]), &plan(&[("b", "3"), ("c", "4")]));
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.key.as_str(), change.before.as_deref(), change.now.as_deref()))
            .collect();
        assert_eq!(told, [("a", Some("1"), None), ("b", Some("2"), Some("3")), ("c", None, Some("4"))]);
    }
}
