//! Opening a state: beginning one, making good what a crash or a power cut left, removing what earlier rounds left behind.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::{DiskOptions, DiskStore};
use crate::store::StoreError;
use crate::store::frontier::Frontier;
use crate::store::handed::Handed;
use crate::store::lock::{StateDir, io_error};
use crate::store::read_back::{only_head, read_head, read_pending, read_queues};
use crate::store::seen::{self, SeenSet};
use crate::store::step::{Head, mark};

impl DiskStore {
    /// Opens the state in `dir`, or begins one there. Files that are not the store's are left alone.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has it, [`StoreError::Version`] if it is of another version,
    /// [`StoreError::Damaged`] if it cannot be read, [`StoreError::Io`] if the file system refuses.
    #[expect(clippy::needless_pass_by_value, reason = "options are given away once, at the start")]
    pub fn open(dir: &Path, options: DiskOptions) -> Result<Self, StoreError> {
        let dir = StateDir::take(dir)?;
        if !dir.frontier().exists() {
            begin(&dir, &options)?;
        }
        let frontier = Frontier::open(&dir.frontier(), &options)?;
        let head = read_head(&frontier, &dir.frontier())?;
        let queues = read_queues(&frontier, head.keys(), &dir.frontier())?;
        let (frame, handed) = (None, Handed::default());
        let log = dir.seen_log(head.log);
        let (seen, report) = SeenSet::open(&log, head.log, head.log_length, options.seen_bytes)?;
        let lost = dir.synced().saturating_sub(head.steps);
        let lost = lost.max(report.ahead.saturating_sub(1));
        let mut store = Self {
            frontier,
            seen,
            head,
            queues,
            handed,
            frame,
            session: head.steps,
            warnings: report.warnings(lost),
            broken: false,
            dir,
        };
        if report.needs_repair() {
            store.repair()?;
            store.see_what_is_done()?;
        }
        if lost > 0 {
            store.dir.note_synced(head.steps)?;
        }
        store.sweep()?;
        Ok(store)
    }

    /// Marks what waits as seen and writes a new log with all that is known.
    fn repair(&mut self) -> Result<(), StoreError> {
        let path = self.dir.frontier();
        let mut waiting = Vec::new();
        self.each_origin(|id, origin| {
            let prefix = self.head.keys().whole_queue(id);
            self.frontier.each(&prefix, |key, value| {
                let pending = read_pending(&path, &origin, key, value)?;
                waiting.extend(mark(&pending.request));
                Ok(())
            })?;
            Ok(ControlFlow::Continue(()))
        })?;
        let number = self.next_log()?;
        self.seen.rewrite(&self.dir.seen_log(number), number, &waiting)?;
        self.dir.sync()?;
        self.head.log = number;
        self.head.log_length = self.seen.length();
        // A page that the log has lost is new to it, and was seen.
        self.head.looks_back = true;
        self.frontier.write(only_head(&path, &self.head)?)?;
        self.frontier.sync()
    }

    /// A number that no log has or had.
    pub(super) fn next_log(&self) -> Result<u32, StoreError> {
        let taken = self.dir.seen_logs()?.into_iter().chain([self.head.log]);
        Ok(taken.max().unwrap_or_default().wrapping_add(1))
    }

    /// Removes what an earlier round left behind.
    pub(super) fn sweep(&mut self) -> Result<(), StoreError> {
        for number in self.dir.seen_logs()? {
            let path = self.dir.seen_log(number);
            if path != self.seen.path() {
                fs::remove_file(&path).map_err(|error| io_error(&path, &error))?;
            }
        }
        seen::sweep(self.dir.path(), self.seen.number())
            .map_err(|error| io_error(self.dir.path(), &error))?;
        if self.head.swept < self.head.generation {
            self.frontier.sweep(self.head.keys().earlier())?;
            self.head.swept = self.head.generation;
            self.frontier.write(only_head(&self.dir.frontier(), &self.head)?)?;
        }
        if self.head.swept_era < self.head.era {
            for range in self.head.pages().earlier() {
                self.frontier.sweep(range)?;
            }
            self.head.swept_era = self.head.era;
            self.frontier.write(only_head(&self.dir.frontier(), &self.head)?)?;
        }
        Ok(())
    }
}

/// Makes the database beside its place and moves it there, so that it is never half there.
fn begin(dir: &StateDir, options: &DiskOptions) -> Result<(), StoreError> {
    if !dir.seen_logs()?.is_empty() {
        return Err(StoreError::Damaged { path: dir.frontier(), reason: "the folder is missing".to_owned() });
    }
    let fresh = dir.path().join("frontier.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| io_error(&fresh, &error))?;
    }
    let frontier = Frontier::open(&fresh, options)?;
    frontier.write(only_head(&fresh, &Head::FIRST)?)?;
    frontier.sync()?;
    drop(frontier);
    fs::rename(&fresh, dir.frontier()).map_err(|error| io_error(&fresh, &error))?;
    dir.sync()
}
