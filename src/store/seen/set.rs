//! The seen-set as its writer has it: the log, the tables in memory and the runs on disk, and what moves from one to the other.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SeenView;
use super::limits::Limits;
use super::log::{self, Log, LogReport, Rewriter};
use super::open::Opened;
use super::table::{Frozen, SeenTable};
use super::upkeep::Chore;
use super::work::{self, Held, Place, Work};
use crate::store::StoreError;
use crate::store::lock::io_error;

/// Everything that was seen in a round.
pub(in crate::store) struct SeenSet {
    pub(super) log: Log,
    pub(super) place: Place,
    pub(super) limits: Limits,
    table: Arc<SeenTable>,
    /// Where the stretch of the log begins whose numbers are in the table that is not frozen.
    hot_from: u64,
    /// In the order of their stretches.
    pub(super) runs: Vec<Held>,
    freezing: Option<Freezing>,
    pub(super) chore: Option<Chore>,
    /// Runs that were there when merging failed: it is tried again when there are others.
    pub(super) not_merged: usize,
}

/// Whether to wait for a run that is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Never,
    /// Memory is full.
    Full,
}

/// What is frozen, and is being written.
struct Freezing {
    /// Where its stretch of the log begins.
    from: u64,
    frozen: Arc<Frozen>,
    /// `None` when it could not be begun or came to nothing.
    work: Option<Work<Held>>,
}

impl SeenSet {
    /// Opens or makes log number `number`, takes in `recorded` bytes of it and drops what is behind them. At most
    /// `most_bytes` of memory are used.
    pub(in crate::store) fn open(
        path: &Path,
        number: u32,
        recorded: u64,
        most_bytes: u64,
    ) -> Result<(Self, LogReport), StoreError> {
        let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        let stop = Arc::new(AtomicBool::new(false));
        let place = Place { dir, log: path.to_owned(), number, stop };
        let opened = Opened::read(&place, recorded, Limits::of(most_bytes));
        let opened = opened.map_err(|error| io_error(path, &error))?;
        let set = Self {
            log: opened.log,
            place,
            limits: Limits::of(most_bytes),
            table: Arc::new(opened.table),
            hot_from: opened.hot_from,
            runs: opened.runs,
            freezing: None,
            chore: None,
            not_merged: 0,
        };
        Ok((set, opened.report))
    }

    /// The same for another round, which has its own log.
    pub(in crate::store) fn begin(&self, path: &Path, number: u32) -> Result<Self, StoreError> {
        Ok(Self::open(path, number, 0, self.limits.total())?.0)
    }

    /// Goes on, new and empty, where `old` was: its views show this from now on.
    pub(in crate::store) fn take_views_of(&mut self, mut old: Self) {
        old.stop();
        old.table.clear();
        self.table = Arc::clone(&old.table);
    }

    /// Moves to a new log that has everything that is known, and `more`.
    pub(in crate::store) fn rewrite(
        &mut self,
        path: &Path,
        number: u32,
        more: &[u64],
    ) -> Result<(), StoreError> {
        let length = self.write_all(path, more).map_err(|error| io_error(path, &error))?;
        *self = Self::open(path, number, length, self.limits.total())?.0;
        Ok(())
    }

    fn write_all(&self, path: &Path, more: &[u64]) -> io::Result<u64> {
        let mut out = Rewriter::create(path)?;
        for held in &self.runs {
            if held.run.sorted().try_for_each(|number| out.add(number?)).is_err() {
                let name = held.run.head.name;
                log::read(self.log.path(), name.from..name.to, |record| {
                    record.fingerprints().try_for_each(|number| out.add(number))
                })?;
            }
        }
        let mut in_memory = Vec::new();
        self.table.for_each(|number| in_memory.push(number));
        in_memory.iter().chain(more).try_for_each(|number| out.add(*number))?;
        out.finish()
    }

    pub(in crate::store) fn path(&self) -> &Path {
        self.log.path()
    }

    pub(in crate::store) fn number(&self) -> u32 {
        self.place.number
    }

    pub(in crate::store) fn length(&self) -> u64 {
        self.log.length()
    }

    /// For those who only ask.
    pub(in crate::store) fn view(&self) -> SeenView {
        SeenView::of(&self.table)
    }

    /// Whether the fingerprint was seen. Reads a page of one run, seldom of two, if memory cannot tell.
    pub(in crate::store) fn contains(&self, fingerprint: u64) -> Result<bool, StoreError> {
        Ok(self.table.contains(fingerprint) || self.is_in_runs(fingerprint)?)
    }

    /// Of which of these memory knows that they were seen.
    pub(in crate::store) fn in_memory(&self, fingerprints: &[u64]) -> Vec<bool> {
        self.table.contains_each(fingerprints)
    }

    /// Whether a fingerprint that memory does not know was seen.
    pub(in crate::store) fn is_in_runs(&self, fingerprint: u64) -> Result<bool, StoreError> {
        for held in &self.runs {
            if held.filter.as_ref().is_some_and(|filter| !filter.may_contain(fingerprint)) {
                continue;
            }
            if held.run.contains(fingerprint).or_else(|_| self.is_logged(held, fingerprint))? {
                self.table.confirm(fingerprint, self.limits.recent() as usize);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a damaged run would have said.
    fn is_logged(&self, held: &Held, fingerprint: u64) -> Result<bool, StoreError> {
        let (name, mut found) = (held.run.head.name, false);
        let read = log::read(self.log.path(), name.from..name.to, |record| {
            found |= record.fingerprints().any(|logged| logged == fingerprint);
            Ok(())
        });
        read.map(|_| found).map_err(|error| self.error(&error))
    }

    /// All memory in use, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.table.bytes() + self.run_bytes()
    }

    /// Whether something is being done in the background.
    #[cfg(test)]
    pub(super) fn is_busy(&self) -> bool {
        self.freezing.is_some() || self.chore.is_some()
    }

    /// Hands the fingerprints of a commit to the kernel and tells how long the log is then.
    ///
    /// They count when [`SeenSet::confirm`] is called; without it the next commit is written over them.
    pub(in crate::store) fn append(&mut self, fingerprints: &[u64]) -> Result<u64, StoreError> {
        self.keep_up().map_err(|error| self.error(&error))?;
        self.log.append(fingerprints)
    }

    /// The commit of these fingerprints has happened, and the log is this long.
    pub(in crate::store) fn confirm(&mut self, fingerprints: &[u64], length: u64) {
        self.log.confirm(length);
        for fingerprint in fingerprints {
            self.table.insert(*fingerprint);
        }
    }

    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        self.log.sync().map_err(|error| self.error(&error))
    }

    /// Takes in what was done meanwhile, and begins what has to be done next. Waits only if memory is full.
    fn keep_up(&mut self) -> io::Result<()> {
        self.take_stored(Wait::Never)?;
        self.take_chore()?;
        let (hot, runs) = (self.table.hot_bytes(), self.run_bytes());
        if hot > self.limits.hot(runs) {
            if hot > self.limits.brim(runs) {
                self.take_stored(Wait::Full)?;
            }
            self.freeze()?;
        }
        self.begin_chore()
    }

    /// Freezes the table and has it written, if nothing is frozen.
    fn freeze(&mut self) -> io::Result<()> {
        let freezing = self.freezing.get_or_insert_with(|| Freezing {
            from: std::mem::replace(&mut self.hot_from, self.log.length()),
            frozen: Arc::new(self.table.freeze()),
            work: None,
        });
        if freezing.work.is_none() {
            let (place, frozen) = (self.place.clone(), Arc::clone(&freezing.frozen));
            let stretch = freezing.from..self.hot_from;
            freezing.work = Some(work::begin(move || place.store(stretch, &frozen))?);
        }
        Ok(())
    }

    /// Takes in the run of what was frozen, if it is there, or waits for it.
    fn take_stored(&mut self, wait: Wait) -> io::Result<()> {
        let work = self.freezing.as_mut().map(|freezing| &mut freezing.work);
        let done = work.and_then(|work| work.take_if(|work| wait == Wait::Full || work.is_finished()));
        let Some(done) = done else {
            return Ok(());
        };
        self.runs.push(work::end(done)?);
        self.table.thaw();
        self.freezing = None;
        Ok(())
    }

    /// Has all work given up, and waits until it is.
    fn stop(&mut self) {
        self.place.stop.store(true, Ordering::Relaxed);
        if let Some(work) = self.freezing.take().and_then(|freezing| freezing.work) {
            // What comes of it does not matter any more.
            let _ = work::end(work);
        }
        if let Some(chore) = self.chore.take() {
            chore.give_up();
        }
    }

    fn error(&self, error: &io::Error) -> StoreError {
        io_error(self.log.path(), error)
    }
}

impl Drop for SeenSet {
    fn drop(&mut self) {
        self.stop();
    }
}
