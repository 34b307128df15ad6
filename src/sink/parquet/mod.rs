//! Items as Parquet files: columns with types, compressed with zstd, in groups of rows.
//!
//! A Parquet file means nothing before its last byte is written. So items wait as JSON lines in a file beside it, whose name ends
//! in `.part` and which can be cut back like every text output; when the part is full, or the round complete, the Parquet file is
//! made of it at once, under another name, and gets its own by a rename. Killed on the way, it is made again. A run that is
//! interrupted leaves the lines, and the next one goes on with them.
//!
//! Types: what the crawler file declares, else what the part's values have in common. An item with a value that is not of its
//! declared type is refused; where nothing is declared nothing is refused, for the whole part is known when its columns are
//! made. Text, whole numbers (64 bits), floating-point numbers (64 bits), yes or no, dates, moments (milliseconds, UTC), and lists
//! of each; everything else is JSON text.

mod columns;
mod make;
mod read;
mod schema;

use std::path::PathBuf;

use self::make::Plan;
use super::SinkError;
use super::files::{Compress, FileOptions, Finish};
use super::jsonl::object;
use super::table::column::{Declared, declared};
use super::text::{Format, TextSink};
use crate::item::Item;

pub use self::read::each_row;

/// Rows of a group, if nothing else is said.
pub const ROW_GROUP: usize = 50_000;

/// `[sink.parquet]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetOptions {
    /// The file; its folder is made if need be.
    pub path: PathBuf,
    /// Parts, and what becomes of files that are there. Compression and the way of finishing are Parquet's own.
    pub files: FileOptions,
    /// What columns hold.
    pub types: Vec<Declared>,
    /// Whether the columns `first_seen`, `last_changed` and `round` tell what is known of an item's page.
    pub seen: bool,
    /// Rows of a group: what a reader takes at once. Default: [`ROW_GROUP`].
    pub row_group: usize,
}

impl ParquetOptions {
    /// All items to this file.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        let files = FileOptions::default();
        Self { path: path.into(), files, types: Vec::new(), seen: false, row_group: ROW_GROUP }
    }
}

/// Writes Parquet. Its position is a byte offset in the lines of a part.
pub type ParquetSink = TextSink<Waiting>;

/// Items that wait for their part to be full, one JSON object a line.
#[derive(Debug, Clone)]
pub struct Waiting {
    types: Vec<Declared>,
    seen: bool,
}

impl ParquetSink {
    /// Opens the output without changing what is in it.
    ///
    /// # Errors
    /// If its path says nothing of use.
    pub fn open(options: &ParquetOptions) -> Result<Self, SinkError> {
        let ParquetOptions { path, files, types, seen, row_group } = options;
        let files = FileOptions { compress: Some(Compress::None), finish: Finish::Rename, ..*files };
        let plan = Plan { types: types.clone(), row_group: (*row_group).max(1) };
        let waiting = Waiting { types: types.clone(), seen: *seen };
        Self::made(path, files, waiting, Box::new(move |lines, out| plan.make(lines, out)))
    }
}

impl Format for Waiting {
    const KIND: &'static str = "parquet";

    fn record(&self, item: &Item) -> Result<Vec<u8>, String> {
        for (field, value) in &item.fields {
            let holds = declared(&self.types, item.kind.as_deref(), field);
            if let Some(holds) = holds.filter(|holds| !schema::fits(*holds, value)) {
                return Err(format!("`{field}` is declared as {}, and is not", holds.word()));
            }
        }
        let mut line = object(item, self.seen)?;
        line.push(b'\n');
        Ok(line)
    }
}

#[cfg(test)]
mod tests;
