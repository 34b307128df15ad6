//! A sink of text: a [`Format`] says how an item is written, [`Parts`] where.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::files::FileOptions;
use super::line_file::refused;
#[cfg(feature = "parquet")]
use super::pack::Maker;
use super::parts::{Found, Parts};
use super::{Ended, Position, Round, Sink, SinkError};
use crate::item::Item;
use crate::time::Timestamp;

/// How items are written.
pub trait Format: Send + 'static {
    /// What such a sink is called: its table in a crawler file.
    const KIND: &'static str;
    /// What stands behind the last item of a file.
    const TAIL: &'static [u8] = b"";
    /// What stands between two items, beside their own line ends.
    const BETWEEN: &'static [u8] = b"";

    /// Hears of the first item before it is written.
    fn prepare(&mut self, _first: &Item) {}

    /// Whether it is known what a file begins with. If not, an item that shows something tells.
    fn is_ready(&self) -> bool {
        true
    }

    /// What a file begins with.
    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    /// One item, or why it does not fit.
    fn record(&self, item: &Item) -> Result<Vec<u8>, String>;

    /// Goes on with a file that has something in it, at this byte; `Foreign` content ends there.
    fn go_on(&mut self, _path: &Path, _found: Found, end: u64) -> Result<u64, SinkError> {
        Ok(end)
    }

    /// Forgets what files of other rounds had.
    fn forget(&mut self) {}
}

/// Writes items as text. Its position is a part and a byte in it, for a stream a number of lines.
pub struct TextSink<F> {
    name: String,
    format: F,
    parts: Parts,
    found: Found,
    /// Whether an item is in the open part.
    has_items: bool,
}

impl<F: Format> TextSink<F> {
    pub(super) fn over(path: &Path, files: FileOptions, format: F) -> Result<Self, SinkError> {
        Self::of(path, Parts::open(path, files, F::TAIL)?, format)
    }

    /// Of each part a file of another form is made when it is finished.
    #[cfg(feature = "parquet")]
    pub(super) fn made(path: &Path, files: FileOptions, format: F, maker: Maker) -> Result<Self, SinkError> {
        Self::of(path, Parts::made(path, files, maker)?, format)
    }

    fn of(path: &Path, parts: Parts, format: F) -> Result<Self, SinkError> {
        let found = parts.found();
        let name = format!("{}:{}", F::KIND, path.display());
        Ok(Self { name, format, parts, found, has_items: false })
    }

    /// Goes on with what is in the open part.
    fn take_up(&mut self) -> Result<(), SinkError> {
        let found = std::mem::replace(&mut self.found, Found::Nothing);
        if found == Found::Nothing {
            return Ok(());
        }
        let (path, end) = (self.parts.path(), self.parts.size());
        let at = self.format.go_on(&path, found, end)?;
        self.has_items = at > self.format.head().len() as u64;
        let line = self.parts.line()?;
        line.go_on_at(at);
        if found == Found::Foreign && F::TAIL.is_empty() && !ends_with_a_line(&path)? {
            line.push(b"\n")?;
        }
        Ok(())
    }

    /// Begins a file, if it is known with what.
    fn begin_file(&mut self) -> Result<(), SinkError> {
        self.has_items = false;
        let head = self.format.head();
        if head.is_empty() { Ok(()) } else { self.parts.line()?.push(&head) }
    }
}

impl<F: Format> Sink for TextSink<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        self.parts.begin(round)
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        self.parts.tick(now)
    }

    fn notes(&mut self) -> Vec<(String, u64)> {
        self.parts.notes()
    }

    /// Writes one item. One without any field that comes before the columns of a CSV are known has nothing to show and is left out.
    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        self.take_up()?;
        self.format.prepare(item);
        if !self.format.is_ready() {
            return Ok(());
        }
        let record = self.format.record(item);
        let record = record.map_err(|reason| SinkError::item(&self.name, item, reason))?;
        self.parts.make_room(record.len() + F::BETWEEN.len())?;
        if self.parts.is_at_start() {
            self.begin_file()?;
        }
        let line = match self.has_items {
            true => [F::BETWEEN, &record].concat(),
            false => record,
        };
        self.parts.line()?.push(&line)?;
        self.parts.count_item();
        self.has_items = true;
        Ok(())
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        self.parts.flush()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.parts.sync()
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.format.forget();
        self.has_items = false;
        self.found = self.parts.rewind(to)?;
        if self.found != Found::Nothing {
            return self.take_up();
        }
        // A crawl without any item still tells its columns.
        if self.parts.is_first() && self.parts.is_at_start() { self.begin_file() } else { Ok(()) }
    }

    fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        self.parts.finish(ended)
    }

    fn rest(&mut self) {
        self.parts.rest();
    }
}

fn ends_with_a_line(path: &Path) -> Result<bool, SinkError> {
    let last = || {
        let mut file = File::open(path)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(last == [b'\n'])
    };
    last().map_err(|source| refused(path, source))
}
