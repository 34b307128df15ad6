//! Items as rows of a SQLite database.
//!
//! Each kind of item has its table, and items without a kind the table `items`. What tables and columns are like, and why every
//! item is there exactly once, is said in [`table`](super::table). The file can be read while it is written (WAL); another
//! program that writes it for longer than [`SqliteOptions::patience`] ends the run, which can be gone on with.

mod database;
mod read;

use std::path::PathBuf;
use std::time::Duration;

use self::database::Sqlite;
use super::table::{TableOptions, TableSink};
use super::{Ended, Position, Round, Sink, SinkError};
use crate::item::Item;

pub use self::read::each_row;

/// `[sink.sqlite]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The file; its folder is made if need be.
    pub path: PathBuf,
    /// What the tables are like.
    pub tables: TableOptions,
    /// How long another program may hold the file before the run ends. Default: 10 seconds.
    pub patience: Duration,
}

impl SqliteOptions {
    /// All items to this file, in tables that begin empty with every round.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), tables: TableOptions::default(), patience: Duration::from_secs(10) }
    }
}

/// Writes to a SQLite database. Its position is the number of its last transaction.
pub struct SqliteSink(TableSink<Sqlite>);

impl SqliteSink {
    /// A sink to this file, which is opened when it is first needed.
    #[must_use]
    pub fn new(options: &SqliteOptions) -> Self {
        let SqliteOptions { path, tables, patience } = options;
        let name = format!("sqlite:{}", path.display());
        Self(TableSink::new(name, Sqlite::new(path.clone(), *patience), tables.clone()))
    }
}

impl Sink for SqliteSink {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        self.0.begin(round)
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        self.0.write(item)
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        self.0.flush()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.0.sync()
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.0.rewind(to)
    }

    fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        self.0.finish(ended)
    }
}

#[cfg(test)]
mod tests;
