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
use super::Sink;
use super::table::{TableOptions, TableSink};

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

    /// A sink to this file, which is opened when it is first needed. Its position is the number of its last transaction.
    #[must_use]
    pub fn sink(&self) -> impl Sink + use<> {
        let name = format!("sqlite:{}", self.path.display());
        TableSink::new(name, Sqlite::new(self.path.clone(), self.patience), self.tables.clone())
    }
}
