//! Where items, changes and exchanges go: which item to which sink, and how far each of them reaches.

use std::sync::Arc;

use super::changes::{ChangeLog, Judge, Visit};
use super::download::{FileLine, FileLog};
use super::stages::{Mark, Stopwatch};
use super::totals::Totals;
use crate::history::Shift;
use crate::item::Item;
use crate::sink::warc::{Exchange, Warc};
use crate::sink::{Ended, Position, Sink, SinkError, Wants};
use crate::store::StoreError;
use crate::store::files::FileError;
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// Why the writer had to stop.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Files(#[from] FileError),
}

/// What is written beside items.
pub(super) struct Beside {
    pub(super) changes: Option<ChangeLog>,
    pub(super) archive: Option<Warc>,
    pub(super) files: Option<FileLog>,
}

/// All sinks of a crawl, its archive, and the list of its changes.
pub(super) struct Output {
    sinks: Vec<Box<dyn Sink>>,
    changes: Option<ChangeLog>,
    archive: Option<Warc>,
    files: Option<FileLog>,
    /// Whether only news is written, whatever a sink wants: the output of a crawl that watches would grow with every visit.
    only_news: bool,
    /// What is to be added to the counts: items that a sink refused.
    pub(super) totals: Totals,
    stopwatch: Arc<Stopwatch>,
}

impl Output {
    pub(super) fn new(
        sinks: Vec<Box<dyn Sink>>,
        beside: Beside,
        only_news: bool,
        stopwatch: Arc<Stopwatch>,
    ) -> Self {
        let Beside { changes, archive, files } = beside;
        Self { sinks, changes, archive, files, only_news, totals: Totals::default(), stopwatch }
    }

    /// Takes an exchange.
    pub(super) fn archive(&mut self, exchange: &Exchange) -> Result<(), SinkError> {
        let Some(archive) = &mut self.archive else { return Ok(()) };
        let began = self.stopwatch.begin();
        archive.write(exchange)?;
        self.stopwatch.end(Mark::Sink, began);
        Ok(())
    }

    /// Finishes the files of the archive, once everything is committed and durable. Gives what is to be committed of that.
    pub(super) fn close(&mut self) -> Result<Vec<(String, Position)>, SinkError> {
        let Some(archive) = &mut self.archive else { return Ok(Vec::new()) };
        archive.close()?;
        Ok(vec![(archive.name().to_owned(), archive.flush()?)])
    }

    /// Gives a file its name and its line.
    pub(super) fn file(&mut self, file: FileLine) -> Result<(), WriteError> {
        let Some(files) = &mut self.files else { return Ok(()) };
        let began = self.stopwatch.begin();
        files.write(file)?;
        self.stopwatch.end(Mark::Sink, began);
        Ok(())
    }

    /// What was flushed is committed.
    pub(super) fn committed(&mut self) {
        if let Some(files) = &mut self.files {
            files.committed();
        }
    }

    /// Takes a visit: its page is judged, the judgement goes to the list of changes and its items to the sinks.
    pub(super) fn take(
        &mut self,
        mut visit: Visit,
        judge: &mut Judge<'_>,
    ) -> Result<Option<(CanonicalUrl, Shift)>, WriteError> {
        let (judged, known) = judge.hear(&mut visit)?;
        let began = self.stopwatch.begin();
        if let Some(changes) = &mut self.changes {
            changes.write(&visit, &judged, known.as_ref())?;
        }
        match judged.new_items {
            true => self.write(&visit.items, Wants::Changes)?,
            false if self.only_news => {}
            false => self.write(&visit.items, Wants::Everything)?,
        }
        self.stopwatch.end(Mark::Sink, began);
        Ok(judged.shift.map(|shift| (visit.request.url, shift)))
    }

    /// Writes items to the sinks that want them: news goes to all, the rest to those that want everything. An item that a
    /// format cannot hold is counted and left out; an output that cannot be written ends the run.
    pub(super) fn write(&mut self, items: &[Item], least: Wants) -> Result<(), SinkError> {
        for item in items {
            for sink in self.sinks.iter_mut().filter(|sink| sink.wants() >= least) {
                match sink.write(item) {
                    Err(SinkError::Item { reason, .. }) => {
                        self.totals.items_refused += 1;
                        tracing::warn!(url = %item.url, sink = sink.name(), reason, "item left out");
                    }
                    result => result?,
                }
            }
        }
        Ok(())
    }

    /// Makes what was handed over survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), WriteError> {
        let began = self.stopwatch.begin();
        self.sinks.iter_mut().try_for_each(Sink::sync)?;
        self.archive.as_mut().map_or(Ok(()), Warc::sync)?;
        self.files.as_mut().map_or(Ok(()), FileLog::sync)?;
        self.changes.as_mut().map_or(Ok(()), ChangeLog::sync)?;
        self.stopwatch.end(Mark::Sink, began);
        Ok(())
    }

    /// Says what time it is.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(|sink| sink.tick(now))
    }

    /// The run has ended, and everything is committed.
    pub(super) fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        let began = self.stopwatch.begin();
        self.sinks.iter_mut().try_for_each(|sink| sink.finish(ended))?;
        self.stopwatch.end(Mark::Sink, began);
        Ok(())
    }

    /// Hands everything over and tells how far each output reaches.
    pub(super) fn flush(&mut self) -> Result<Vec<(String, Position)>, SinkError> {
        let began = self.stopwatch.begin();
        let mut positions = Vec::new();
        for sink in &mut self.sinks {
            positions.push((sink.name().to_owned(), sink.flush()?));
            positions.extend(notes_of(&mut **sink));
        }
        if let Some(archive) = &mut self.archive {
            positions.push((archive.name().to_owned(), archive.flush()?));
        }
        if let Some(changes) = &mut self.changes {
            positions.push(changes.flush()?);
        }
        if let Some(files) = &mut self.files {
            positions.push(files.flush()?);
        }
        self.stopwatch.end(Mark::Sink, began);
        Ok(positions)
    }
}

/// What stands between a sink's name and that of its note.
const NOTE: char = '\n';

/// The sink's notes, as they are kept beside its position.
pub(super) fn notes_of(sink: &mut dyn Sink) -> Vec<(String, Position)> {
    let notes = sink.notes();
    let keyed = |(note, value)| (format!("{}{NOTE}{note}", sink.name()), Position(value));
    notes.into_iter().map(keyed).collect()
}

/// The position and the notes of a sink, out of all that were committed.
pub(super) fn committed_of(
    name: &str,
    committed: &[(String, Position)],
) -> (Option<Position>, Vec<(String, u64)>) {
    let position = committed.iter().find(|(key, _)| key == name).map(|(_, position)| *position);
    let notes = committed.iter().filter_map(|(key, value)| {
        let note = key.strip_prefix(name)?.strip_prefix(NOTE)?;
        Some((note.to_owned(), value.0))
    });
    (position, notes.collect())
}
