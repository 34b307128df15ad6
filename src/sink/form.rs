//! Everything that a crawler file can say of one sink.

use std::path::{Path, PathBuf};

use super::by_kind::ByKind;
use super::csv::{CsvOptions, CsvSink};
use super::files::{FileOptions, Finish};
use super::json::{JsonOptions, JsonSink};
use super::jsonl::{JsonlOptions, JsonlSink};
#[cfg(feature = "parquet")]
use super::parquet::{ParquetOptions, ParquetSink};
#[cfg(feature = "postgres")]
use super::postgres::PostgresOptions;
use super::sqlite::SqliteOptions;
use super::template::Template;
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
    /// `[sink.json]`.
    Json(JsonOptions),
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
        let Some((template, files)) = self.form.parts_by_kind()? else {
            let chosen = match self.form.has_tables() {
                true => Chosen::with_kinds(self.form.open()?, self.choice.clone()),
                false => Chosen::new(self.form.open()?, self.choice.clone()),
            };
            return Ok(Box::new(chosen));
        };
        let (before, after) = self.choice.split();
        let form = self.form.clone();
        let open = move |kind: &str, path: &Path| -> Result<Box<dyn Sink>, SinkError> {
            Ok(Box::new(Chosen::new(form.of_kind(kind, path).open()?, after.clone())))
        };
        let name = format!("{}:{}", self.form.kind(), template.as_path().display());
        Ok(Box::new(Chosen::new(ByKind::new(name, template, files, Box::new(open)), before)))
    }
}

impl Form {
    fn open(&self) -> Result<Box<dyn Sink>, SinkError> {
        Ok(match self {
            Self::Jsonl(options) => Box::new(JsonlSink::open(options)?),
            Self::Json(options) => Box::new(JsonSink::open(options)?),
            Self::Csv(options) => Box::new(CsvSink::open(options)?),
            Self::Sqlite(options) => Box::new(options.sink()),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => Box::new(options.sink()),
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Box::new(ParquetSink::open(options)?),
        })
    }

    /// Parts, compression and the like; `None` if there is one file that is none of text, or no file.
    #[must_use]
    pub const fn files(&self) -> Option<&FileOptions> {
        match self {
            Self::Jsonl(options) => Some(&options.files),
            Self::Json(options) => Some(&options.files),
            Self::Csv(options) => Some(&options.files),
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Some(&options.files),
            _ => None,
        }
    }

    /// As [`Form::files`], to change them.
    pub const fn files_mut(&mut self) -> Option<&mut FileOptions> {
        match self {
            Self::Jsonl(options) => Some(&mut options.files),
            Self::Json(options) => Some(&mut options.files),
            Self::Csv(options) => Some(&mut options.files),
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Some(&mut options.files),
            _ => None,
        }
    }

    /// The path and the files, if items of several kinds go to several files.
    fn parts_by_kind(&self) -> Result<Option<(Template, FileOptions)>, SinkError> {
        let (Some(path), Some(files)) = (self.path(), self.files().copied()) else {
            return Ok(None);
        };
        let template = Template::parse(path)
            .map_err(|error| SinkError::Path { path: path.to_owned(), reason: error.to_string() })?;
        Ok(template.is_by_kind().then_some((template, files)))
    }

    /// Whether items of several kinds go to several tables, whatever their fields are.
    const fn has_tables(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
            _ => false,
        }
    }

    /// Where items go, to be shown: the file, or the database. Never with a password.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => options.place(),
            other => other.path().map_or_else(String::new, |path| path.display().to_string()),
        }
    }

    /// The form of the files of one kind.
    fn of_kind(&self, kind: &str, path: &Path) -> Self {
        let mut form = self.clone();
        if let Some(own) = form.path_mut() {
            *own = path.to_owned();
        }
        if let Self::Csv(options) = &mut form
            && let Some((_, columns)) = options.columns_of.iter().find(|(of, _)| of == kind)
        {
            options.columns = columns.clone();
        }
        form
    }

    /// Its table in a crawler file: `[sink.KIND]`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Jsonl(_) => "jsonl",
            Self::Json(_) => "json",
            Self::Csv(_) => "csv",
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgres",
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => "parquet",
        }
    }

    /// The file, with its placeholders; `-` is the standard output. `None` if it is no file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Jsonl(options) => Some(&options.path),
            Self::Json(options) => Some(&options.path),
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
            Self::Json(options) => Some(&mut options.path),
            Self::Csv(options) => Some(&mut options.path),
            Self::Sqlite(options) => Some(&mut options.path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            #[cfg(feature = "parquet")]
            Self::Parquet(options) => Some(&mut options.path),
        }
    }

    /// Whether its last file appears only when the round is complete, and waits beside it as `.part` until then.
    #[must_use]
    pub fn waits_for_the_end(&self) -> bool {
        let waits = |files: &FileOptions| files.finish == Finish::Rename;
        match self {
            Self::Jsonl(options) => waits(&options.files),
            Self::Json(options) => waits(&options.files),
            Self::Csv(options) => waits(&options.files),
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => false,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => true,
        }
    }

    /// What it is called in messages.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Jsonl(_) => "JSON lines",
            Self::Json(_) => "JSON",
            Self::Csv(_) => "CSV",
            Self::Sqlite(_) => "SQLite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "PostgreSQL",
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => "Parquet",
        }
    }
}
