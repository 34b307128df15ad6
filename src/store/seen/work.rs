//! What is done to runs on threads of their own, so that nobody waits for it: writing, merging, building again from the log.
//!
//! Each piece of work is given up within a page when it is told to stop; what it leaves then is an unfinished file, which is swept
//! when the log is opened.

use std::fs::{self, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use super::filter::{Filter, Shape};
use super::log;
use super::names::RunName;
use super::run::{self, Run, RunWriter};
use super::table::Frozen;

/// Numbers between two looks at whether to stop.
const STRIDE: usize = 4_096;

/// Where the log is, and what else all work has to know.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) number: u32,
    /// Whoever owns the runs is gone.
    pub(super) stop: Arc<AtomicBool>,
}

/// A run, and its filter if there is room for it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) run: Arc<Run>,
    pub(super) filter: Option<Filter>,
}

/// Runs that were built from a stretch of the log.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub(super) runs: Vec<Held>,
    pub(super) unreadable: u64,
}

/// Work on its way.
pub(super) type Work<T> = JoinHandle<io::Result<T>>;

/// Begins work on a thread of its own.
pub(super) fn begin<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<Work<T>> {
    Builder::new().name("seen-run".to_owned()).spawn(work)
}

/// Waits until work is done.
pub(super) fn end<T>(work: Work<T>) -> io::Result<T> {
    work.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the seen-set gave up")))
}

impl Place {
    pub(super) fn name(&self, stretch: Range<u64>) -> RunName {
        RunName { log: self.number, from: stretch.start, to: stretch.end }
    }

    fn go_on(&self) -> io::Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the seen-set was closed")),
            false => Ok(()),
        }
    }

    /// Writes a run from numbers in their order. The log is on the disk before the run counts.
    fn write(
        &self,
        stretch: Range<u64>,
        shape: Shape,
        sorted: impl Iterator<Item = io::Result<u64>>,
    ) -> io::Result<Run> {
        let name = self.name(stretch);
        let run = self.try_write(name, shape, sorted);
        // What the disk was too full for takes no room.
        run.inspect_err(|_| drop(fs::remove_file(self.dir.join(name.unfinished()))))
    }

    fn try_write(
        &self,
        name: RunName,
        shape: Shape,
        sorted: impl Iterator<Item = io::Result<u64>>,
    ) -> io::Result<Run> {
        let tie = run::tie(&self.log, name.to)?;
        let mut writer = RunWriter::create(&self.dir, name, shape)?;
        for (number, fingerprint) in sorted.enumerate() {
            if number.is_multiple_of(STRIDE) {
                self.go_on()?;
            }
            writer.add(fingerprint?)?;
        }
        OpenOptions::new().write(true).open(&self.log)?.sync_data()?;
        writer.finish(tie)
    }

    /// Writes what was frozen.
    pub(super) fn store(&self, stretch: Range<u64>, frozen: &Frozen) -> io::Result<Held> {
        let shape = Shape::of(frozen.entries(), u64::MAX / 8);
        let run = self.write(stretch, shape, frozen.sorted().flatten().map(Ok))?;
        let filter = Some(run.filter(0)?);
        Ok(Held { run: Arc::new(run), filter })
    }

    /// Writes one run in the place of some that follow each other. Its filter is not loaded: there is no room for both.
    pub(super) fn merge(&self, runs: &[Arc<Run>], filter_bytes: u64) -> io::Result<Run> {
        let stretch = runs.iter().map(|run| run.head.name).reduce(|all, next| RunName { to: next.to, ..all });
        let stretch = stretch.map_or(0..0, |name| name.from..name.to);
        let entries = runs.iter().map(|run| run.head.entries).sum();
        let mut sources: Vec<_> = runs.iter().map(|run| run.sorted()).collect();
        let mut firsts =
            sources.iter_mut().map(|source| source.next().transpose()).collect::<io::Result<Vec<_>>>()?;
        let sorted = std::iter::from_fn(|| {
            let least =
                firsts.iter().enumerate().filter_map(|(at, first)| first.map(|first| (first, at))).min();
            let (least, at) = least?;
            match sources[at].next().transpose() {
                Ok(next) => firsts[at] = next,
                Err(error) => return Some(Err(error)),
            }
            Some(Ok(least))
        });
        self.write(stretch, Shape::of(entries, filter_bytes), sorted)
    }

    /// Builds runs of `piece` numbers each from a stretch of the log.
    pub(super) fn build(&self, stretch: Range<u64>, piece: usize) -> io::Result<Built> {
        let (mut built, mut from, mut numbers) = (Built::default(), stretch.start, Vec::new());
        let mut end = stretch.start;
        let tally = log::read(&self.log, stretch.clone(), |record| {
            numbers.extend(record.fingerprints());
            end = record.end;
            if numbers.len() >= piece.max(1) {
                built.runs.push(self.sort(from..end, &mut numbers)?);
                from = end;
            }
            self.go_on()
        })?;
        if !numbers.is_empty() {
            built.runs.push(self.sort(from..stretch.end, &mut numbers)?);
        }
        built.unreadable = tally.unreadable;
        Ok(built)
    }

    fn sort(&self, stretch: Range<u64>, numbers: &mut Vec<u64>) -> io::Result<Held> {
        numbers.sort_unstable();
        let shape = Shape::of(numbers.len() as u64, u64::MAX / 8);
        let run = self.write(stretch, shape, numbers.drain(..).map(Ok))?;
        let filter = Some(run.filter(0)?);
        Ok(Held { run: Arc::new(run), filter })
    }
}
