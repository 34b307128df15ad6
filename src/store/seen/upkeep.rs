//! What is done to runs in the background, one thing at a time: build a damaged one again, make filters smaller that take too
//! much memory, merge.

use std::fs;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::filter::Filter;
use super::limits::{folds, to_merge};
use super::names::RunName;
use super::open::bytes_of;
use super::run::Run;
use super::set::SeenSet;
use super::work::{self, Built, Held, Work};

/// A piece of upkeep on its way.
pub(super) enum Chore {
    /// Some runs become one.
    Merge(Work<Run>),
    /// The filter of a run is loaded.
    Load(RunName, Work<Option<Filter>>),
    /// A run is built again from the log.
    Rebuild(RunName, Work<Built>),
}

impl Chore {
    fn is_finished(&self) -> bool {
        match self {
            Self::Merge(work) => work.is_finished(),
            Self::Load(_, work) => work.is_finished(),
            Self::Rebuild(_, work) => work.is_finished(),
        }
    }

    /// Waits for the end of work that was told to stop. What came of it does not matter any more.
    pub(super) fn give_up(self) {
        match self {
            Self::Merge(work) => drop(work::end(work)),
            Self::Load(_, work) => drop(work::end(work)),
            Self::Rebuild(_, work) => drop(work::end(work)),
        }
    }
}

impl Held {
    pub(super) fn filter_bytes(&self) -> u64 {
        self.filter.as_ref().map_or(0, Filter::bytes)
    }
}

impl SeenSet {
    /// Memory of runs, in bytes.
    pub(super) fn run_bytes(&self) -> u64 {
        bytes_of(&self.runs)
    }

    /// Takes in what a chore has brought.
    pub(super) fn take_chore(&mut self) -> io::Result<()> {
        match self.chore.take_if(|chore| chore.is_finished()) {
            None => Ok(()),
            Some(Chore::Merge(work)) => self.take_merged(work::end(work)),
            Some(Chore::Load(name, work)) => {
                self.take_filter(name, work::end(work));
                Ok(())
            }
            Some(Chore::Rebuild(name, work)) => {
                self.take_built(name, work::end(work)?);
                Ok(())
            }
        }
    }

    /// Begins what is most urgent, if nothing is being done.
    pub(super) fn begin_chore(&mut self) -> io::Result<()> {
        if self.chore.is_some() {
            return Ok(());
        }
        if let Some(held) = self.runs.iter().find(|held| held.run.is_damaged()) {
            let run = Arc::clone(&held.run);
            return self.begin_rebuild(&run);
        }
        if self.room_beside(|_| false) < self.runs.iter().map(Held::filter_bytes).sum() {
            return self.begin_folding();
        }
        let entries: Vec<u64> = self.runs.iter().map(|held| held.run.head.entries).collect();
        match to_merge(&entries) {
            Some(range) if self.not_merged != self.runs.len() => self.begin_merge(range),
            _ => Ok(()),
        }
    }

    /// Bytes for filters that those of the others, given by their places, leave.
    fn room_beside(&self, others: impl Fn(usize) -> bool) -> u64 {
        let room = self.limits.filters(self.runs.iter().map(|held| held.run.bytes()).sum());
        let others = self.runs.iter().enumerate().filter(|(at, _)| others(*at));
        room.saturating_sub(others.map(|(_, held)| held.filter_bytes()).sum())
    }

    fn begin_rebuild(&mut self, run: &Arc<Run>) -> io::Result<()> {
        let (place, name) = (self.place.clone(), run.head.name);
        tracing::warn!(run = %run.path.display(), "a run of the seen-set does not read back: it is built again from its log");
        // What is sorted at a time comes on top of the tables, so it is little.
        let piece = self.limits.piece(self.run_bytes()) / 8;
        let path = run.path.clone();
        let rebuild = move || {
            // If it stays, its damage is met again after the next opening.
            let _ = fs::remove_file(&path);
            place.build(name.from..name.to, piece)
        };
        self.chore = Some(Chore::Rebuild(name, work::begin(rebuild)?));
        Ok(())
    }

    fn take_built(&mut self, name: RunName, built: Built) {
        if built.unreadable > 0 {
            let bytes = built.unreadable;
            tracing::warn!(bytes, "the seen log does not read back either: some pages may be fetched again");
        }
        if let Some(at) = self.position(name) {
            self.runs.splice(at..=at, built.runs);
        }
    }

    /// Makes the largest filter smaller, or lets it go.
    fn begin_folding(&mut self) -> io::Result<()> {
        let largest = (0..self.runs.len()).max_by_key(|at| self.runs[*at].filter_bytes());
        largest.map_or(Ok(()), |at| self.begin_load(at, Vec::new()))
    }

    /// Loads the filter of the run at `at` as there is room for it, after the one that it has, and `old` runs with their files,
    /// are gone. Meanwhile every look-up that comes to this run reads a page.
    fn begin_load(&mut self, at: usize, old: Vec<Held>) -> io::Result<()> {
        let room = self.room_beside(|other| other != at);
        let held = &mut self.runs[at];
        let (run, smaller) = (Arc::clone(&held.run), held.filter.take());
        let folds = folds(run.head.filter, room);
        let load = move || {
            drop(smaller);
            for held in old {
                // If it stays, it is removed when the log is opened.
                let _ = fs::remove_file(&held.run.path);
            }
            folds.map(|folds| run.filter(folds)).transpose()
        };
        self.chore = Some(Chore::Load(self.runs[at].run.head.name, work::begin(load)?));
        Ok(())
    }

    fn take_filter(&mut self, name: RunName, loaded: io::Result<Option<Filter>>) {
        let Some(at) = self.position(name) else { return };
        match loaded {
            Ok(filter) => self.runs[at].filter = filter,
            Err(_) => self.runs[at].run.note_damage(),
        }
    }

    fn begin_merge(&mut self, range: Range<usize>) -> io::Result<()> {
        let entries = |runs: &[Held]| runs.iter().map(|held| u128::from(held.run.head.entries)).sum::<u128>();
        // Each run has its share; a quarter is left for those that come until the next merge.
        let share = u128::from(self.room_beside(|_| false)) * entries(&self.runs[range.clone()])
            / entries(&self.runs).max(1);
        let room = self.room_beside(|other| !range.contains(&other));
        let filter_bytes = room.min(u64::try_from(share).unwrap_or(room)) / 4 * 3;
        let runs: Vec<_> = self.runs[range].iter().map(|held| Arc::clone(&held.run)).collect();
        let place = self.place.clone();
        self.chore = Some(Chore::Merge(work::begin(move || place.merge(&runs, filter_bytes))?));
        Ok(())
    }

    fn take_merged(&mut self, merged: io::Result<Run>) -> io::Result<()> {
        let run = match merged {
            Ok(run) => run,
            Err(error) => {
                tracing::warn!(%error, "runs of the seen-set cannot be merged: looking up is slower");
                self.not_merged = self.runs.len();
                return Ok(());
            }
        };
        self.not_merged = 0;
        let name = run.head.name;
        let is_old = |held: &Held| name.from <= held.run.head.name.from && held.run.head.name.to <= name.to;
        let Some(at) = self.runs.iter().position(is_old) else { return Ok(()) };
        let count = self.runs.iter().filter(|held| is_old(held)).count();
        let merged = Held { run: Arc::new(run), filter: None };
        let old = self.runs.splice(at..at + count, [merged]).collect();
        self.begin_load(at, old)
    }

    fn position(&self, name: RunName) -> Option<usize> {
        self.runs.iter().position(|held| held.run.head.name == name)
    }
}
