//! Where items and changes go: which item to which sink, and how far each of them reaches.

use super::changes::{ChangeLog, Judge, Visit};
use super::totals::Totals;
use crate::history::Shift;
use crate::item::Item;
use crate::sink::{Ended, Position, Sink, SinkError, Wants};
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

use super::writer::WriteError;

/// All sinks of a crawl, and the list of its changes.
pub(super) struct Output {
    sinks: Vec<Box<dyn Sink>>,
    changes: Option<ChangeLog>,
    /// Whether only news is written, whatever a sink wants: the output of a crawl that watches would grow with every visit.
    only_news: bool,
    /// What is to be added to the counts: items that a sink refused.
    pub(super) totals: Totals,
}

impl Output {
    pub(super) fn new(sinks: Vec<Box<dyn Sink>>, changes: Option<ChangeLog>, only_news: bool) -> Self {
        Self { sinks, changes, only_news, totals: Totals::default() }
    }

    /// Takes a visit: its page is judged, the judgement goes to the list of changes and its items to the sinks.
    pub(super) fn take(
        &mut self,
        mut visit: Visit,
        judge: &mut Judge<'_>,
    ) -> Result<Option<(CanonicalUrl, Shift)>, WriteError> {
        let (judged, known) = judge.hear(&mut visit)?;
        if let Some(changes) = &mut self.changes {
            changes.write(&visit, &judged, known.as_ref())?;
        }
        match judged.new_items {
            true => self.write(&visit.items, Wants::Changes)?,
            false if self.only_news => {}
            false => self.write(&visit.items, Wants::Everything)?,
        }
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
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(Sink::sync)?;
        self.changes.as_mut().map_or(Ok(()), ChangeLog::sync)
    }

    /// Says what time it is.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(|sink| sink.tick(now))
    }

    /// The run has ended, and everything is committed.
    pub(super) fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(|sink| sink.finish(ended))
    }

    /// Hands everything over and tells how far each output reaches.
    pub(super) fn flush(&mut self) -> Result<Vec<(String, Position)>, SinkError> {
        let mut positions = Vec::new();
        for sink in &mut self.sinks {
            positions.push((sink.name().to_owned(), sink.flush()?));
            positions.extend(notes_of(&mut **sink));
        }
        if let Some(changes) = &mut self.changes {
            positions.push(changes.flush()?);
        }
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
