//! Everything that a crawler file can say of one sink.

use std::path::{Path, PathBuf};

use super::csv::{CsvOptions, CsvSink};
use super::jsonl::{JsonlOptions, JsonlSink};
#[cfg(feature = "parquet")]
use super::parquet::{ParquetOptions, ParquetSink};
#[cfg(feature = "postgres")]
use super::postgres::{PostgresOptions, PostgresSink};
use super::sqlite::{SqliteOptions, SqliteSink};
use super::{Choice, Chosen, Sink, SinkError};

/// One place that items go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What they are written into.
    pub form: Form,
    /// Which items, and what of them.
    pub choice: Choice,
}

/// What items are written into.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// `[sink.jsonl]`.
    Jsonl(JsonlOptions),
    /// `[sink.csv]`.
    Csv(CsvOptions),
    /// `[sink.sqlite]`.
    Sqlite(SqliteOptions),
    /// `[sink.postgres]`.
    #[cfg(feature = "postgres")]
    Postgres(PostgresOptions),
    /// `[sink.parquet]`.
    #[cfg(feature = "parquet")]
    Parquet(ParquetOptions),
}

impl Target {
    /// Everything, into this.
    #[must_use]
    pub fn of(form: Form) -> Self {
        Self { form, choice: Choice::default() }
    }

    /// Opens it without changing what is there.
    ///
    /// # Errors
    /// If the output cannot be made or opened for writing.
    pub fn open(&self) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(Chosen::new(self.form.open()?, self.choice.clone())))
    }
}

impl Form {
    fn open(&self) -> Result<Box<dyn Sink>, SinkError> {
        Ok(match self {
            Self::Jsonl(options) => Box::new(JsonlSink::open(options)?),
            Self::Csv(options) => Box::new(CsvSink::open(options)?),
            Self::Sqlite(options) => Box::new(SqliteSink::new(options)),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => Box::new(PostgresSink::new(options)),
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Box::new(ParquetSink::open(options)?),
        })
    }

    /// The file, with its placeholders; `-` is the standard output. `None` if it is no file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Jsonl(options) => Some(&options.path),
            Self::Csv(options) => Some(&options.path),
            Self::Sqlite(options) => Some(&options.path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Some(&options.path),
        }
    }

    /// As [`Form::path`], to write to another one.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Jsonl(options) => Some(&mut options.path),
            Self::Csv(options) => Some(&mut options.path),
            Self::Sqlite(options) => Some(&mut options.path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Some(&mut options.path),
        }
    }

    /// What it is called in messages.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Jsonl(_) => "JSON lines",
            Self::Csv(_) => "CSV",
            Self::Sqlite(_) => "SQLite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "PostgreSQL",
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => "Parquet",
        }
    }
}
