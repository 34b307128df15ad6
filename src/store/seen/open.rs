//! Opening: which runs fit the log, and what of the log has to be read because no run has it.

use std::fs;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::limits::{Limits, folds};
use super::log::{self, Log, LogReport};
use super::names::{self, RunName};
use super::run::{self, Run};
use super::table::SeenTable;
use super::work::{Held, Place};

/// Numbers that are put into the table together.
const AT_ONCE: usize = 1 << 17;

/// A log as it was found.
pub(super) struct Opened {
    pub(super) log: Log,
    pub(super) report: LogReport,
    pub(super) table: SeenTable,
    /// Where the stretch of the log begins that the table has.
    pub(super) hot_from: u64,
    pub(super) runs: Vec<Held>,
}

impl Opened {
    /// Opens or makes the log, takes in `recorded` bytes of it and drops what is behind them.
    pub(super) fn read(place: &Place, recorded: u64, limits: Limits) -> io::Result<Self> {
        let mut log = Log::open(&place.log)?;
        let (found, there) = (log.length(), recorded.min(log.length()));
        let runs = loaded(fitting(place, there)?, limits);
        let behind = log::read(&place.log, there..found, |_| Ok(()))?;
        log.cut(there)?;
        let report = LogReport { missing: recorded - there, unreadable: 0, ahead: behind.commits };
        let mut opened = Self { log, report, table: SeenTable::default(), hot_from: there, runs };
        opened.fill_gaps(place, limits)?;
        Ok(opened)
    }

    /// Reads what no run has. A short rest goes into the table, everything else into runs.
    fn fill_gaps(&mut self, place: &Place, limits: Limits) -> io::Result<()> {
        let mut gaps = gaps(&self.runs, self.log.length());
        let bytes = bytes_of(&self.runs);
        let most = limits.hot_entries(bytes) * 8;
        let is_rest = |gap: &mut Range<u64>| gap.end == self.log.length() && gap.end - gap.start <= most;
        if let Some(rest) = gaps.pop_if(is_rest) {
            self.hot_from = rest.start;
            self.table = SeenTable::for_entries((rest.end - rest.start) / 8);
            let mut numbers = Vec::with_capacity(2 * AT_ONCE);
            let tally = log::read(&place.log, rest, |record| {
                numbers.extend(record.fingerprints());
                if numbers.len() >= AT_ONCE {
                    self.table.insert_all(&mut numbers);
                }
                Ok(())
            })?;
            self.table.insert_all(&mut numbers);
            self.report.unreadable += tally.unreadable;
        }
        for gap in gaps {
            let built = place.build(gap, limits.piece(bytes))?;
            self.runs.extend(built.runs);
            self.report.unreadable += built.unreadable;
        }
        self.runs.sort_unstable_by_key(|held| held.run.head.name.from);
        Ok(())
    }
}

/// The runs that fit the first `length` bytes of the log, no two for the same stretch. The others are removed.
fn fitting(place: &Place, length: u64) -> io::Result<Vec<Run>> {
    let (mut runs, mut end) = (Vec::new(), 0);
    for name in names::runs_of(&place.dir, place.number)? {
        let run = (name.from >= end && name.to <= length).then(|| fit(place, name)).flatten();
        if run.is_none() {
            // If it stays, it does not fit the next time either.
            let _ = fs::remove_file(place.dir.join(name.finished()));
        }
        end = run.as_ref().map_or(end, |_| name.to);
        runs.extend(run);
    }
    Ok(runs)
}

fn fit(place: &Place, name: RunName) -> Option<Run> {
    let run = Run::open(place.dir.join(name.finished()), name).ok()?;
    let tie = run::tie(&place.log, name.to).ok()?;
    (tie == run.head.tie).then_some(run)
}

/// The runs with their filters, those of the smallest first as long as there is room. A run whose filter is damaged is removed.
fn loaded(mut runs: Vec<Run>, limits: Limits) -> Vec<Held> {
    runs.sort_unstable_by_key(|run| run.head.entries);
    let mut room = limits.filters(runs.iter().map(Run::bytes).sum());
    let load = |run: Run| {
        let filter = folds(run.head.filter, room).map(|folds| run.filter(folds)).transpose();
        let filter = filter.inspect_err(|_| drop(fs::remove_file(&run.path))).ok()?;
        let held = Held { run: Arc::new(run), filter };
        room -= held.filter_bytes();
        Some(held)
    };
    let mut loaded: Vec<_> = runs.into_iter().filter_map(load).collect();
    loaded.sort_unstable_by_key(|held| held.run.head.name.from);
    loaded
}

/// Stretches of the log that no run has.
fn gaps(runs: &[Held], length: u64) -> Vec<Range<u64>> {
    let starts = [0].into_iter().chain(runs.iter().map(|held| held.run.head.name.to));
    let ends = runs.iter().map(|held| held.run.head.name.from).chain([length]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).collect()
}

/// Memory of runs, in bytes.
pub(super) fn bytes_of(runs: &[Held]) -> u64 {
    runs.iter().map(|held| held.run.bytes() + held.filter_bytes()).sum()
}
