//! Items as comma-separated values with fixed columns, quoted as in RFC 4180 (line ends are a bare LF).
//!
//! One header line, then one record for each item. Columns are those of the options; without any, those of the first item with
//! fields, and after a restart those of the file's own header line. What an item has beyond them is left out; what it lacks, and null, is an
//! empty cell. Lists and objects are JSON text.
//!
//! The text comes from web sites, and a spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, TAB or CR for a formula.
//! Such a cell gets a leading `'`, unless it is a plain number.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use serde_json::Value;

use super::files::FileOptions;
use super::line_file::{LineFile, refused};
use super::{Position, Sink, SinkError, shown_kind, shown_seen};
use crate::item::Item;

/// The column that shows an item's kind, unless the item has a field of this name.
const KIND: &str = "kind";

/// A header line longer than this was not written by us.
const MAX_HEADER: u64 = 1 << 20;

/// `[sink.csv]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The file; its folder is made if need be. `-` is standard output.
    pub path: PathBuf,
    /// Columns in order; every item has exactly these. Empty: the fields of the first item. `kind` is the item's kind.
    pub columns: Vec<String>,
    /// Parts, compression, and what becomes of files that are there.
    pub files: FileOptions,
    /// How it is written.
    pub dialect: Dialect,
    /// Whether the columns `first_seen`, `last_changed` and `round` show what is known of an item's page from all rounds, where
    /// the item has no field of that name.
    pub seen: bool,
}

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between two cells: one ASCII character.
    pub separator: u8,
    /// Which cells are put in quotes.
    pub quote: Quote,
    /// Whether each file begins with the names of its columns.
    pub header: bool,
    /// Whether each file begins with a byte order mark, by which some spreadsheets know UTF-8.
    pub bom: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { separator: b',', quote: Quote::default(), header: true, bom: false }
    }
}

/// Which cells are put in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quote {
    /// Those that need it (RFC 4180).
    #[default]
    Needed,
    /// All.
    All,
}

impl CsvOptions {
    /// All items, with these columns, to this file.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>, columns: Vec<String>) -> Self {
        Self { path: path.into(), columns, files: FileOptions::default(), dialect: Dialect::default(), seen: false }
    }
}

/// Writes CSV. Its position is a byte offset, for a stream a number of lines.
pub struct CsvSink {
    name: String,
    file: LineFile,
    wanted: Vec<String>,
    /// The columns of the header line, once they are known.
    columns: Option<Vec<String>>,
    seen: bool,
}

impl CsvSink {
    /// Opens the output without changing what is in it; new items follow what is there until [`Sink::rewind`] says otherwise.
    ///
    /// # Errors
    /// If the file or its folder cannot be made or opened for writing.
    pub fn open(options: &CsvOptions) -> Result<Self, SinkError> {
        Ok(Self {
            name: format!("csv:{}", options.path.display()),
            file: LineFile::open(&options.path)?,
            wanted: options.columns.clone(),
            columns: None,
            seen: options.seen,
        })
    }

    /// Fixes the columns and writes them as the header line.
    fn begin(&mut self, columns: Vec<String>) -> Result<(), SinkError> {
        let line = record(columns.iter().map(|name| guarded(name.into())));
        self.columns = Some(columns);
        self.file.push(&line)
    }

    /// Goes on with the columns of the file's own header line, which must be those of the options if these name any.
    fn go_on(&mut self) -> Result<(), SinkError> {
        let found = self.read_header().map_err(|source| refused(self.file.path(), source))?;
        let as_written = self.wanted.iter().map(|name| guarded(name.into()));
        if !self.wanted.is_empty() && !as_written.eq(found.iter().map(Cow::from)) {
            return Err(SinkError::Columns {
                path: self.file.path().to_owned(),
                expected: self.wanted.clone(),
                found,
            });
        }
        self.columns = Some(found);
        Ok(())
    }

    fn read_header(&self) -> io::Result<Vec<String>> {
        let start = File::open(self.file.path())?.take(MAX_HEADER);
        let mut header = csv::StringRecord::new();
        let there =
            csv::ReaderBuilder::new().has_headers(false).from_reader(start).read_record(&mut header)?;
        if !there {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no header line"));
        }
        Ok(header.iter().map(str::to_owned).collect())
    }

    /// What an item shows in a column, what is known of its page included if that is asked for.
    fn shown<'a>(&self, item: &'a Item, column: &str) -> Cow<'a, str> {
        match self.seen.then(|| shown_seen(item, column)).flatten() {
            Some(Value::String(text)) => Cow::Owned(text),
            Some(value) => Cow::Owned(value.to_string()),
            None => cell(item, column),
        }
    }

    /// Settles the columns before the first record of this run.
    fn ensure_columns(&mut self, first: &Item) -> Result<(), SinkError> {
        if self.columns.is_some() {
            Ok(())
        } else if self.file.is_file() && !self.file.is_empty() {
            self.go_on()
        } else if self.wanted.is_empty() {
            let kind = shown_kind(first).map(|_| KIND.to_owned());
            let columns: Vec<_> = kind.into_iter().chain(first.fields.keys().cloned()).collect();
            if columns.is_empty() { Ok(()) } else { self.begin(columns) }
        } else {
            self.begin(self.wanted.clone())
        }
    }
}

impl Sink for CsvSink {
    fn name(&self) -> &str {
        &self.name
    }

    /// Writes one record. An item without any field that comes before the columns are known has nothing to show and is left out.
    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        self.ensure_columns(item)?;
        let Some(columns) = &self.columns else {
            return Ok(());
        };
        let line = record(columns.iter().map(|column| self.shown(item, column)));
        self.file.push(&line)
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        self.file.flush()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.file.sync()
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.file.rewind(to)?;
        self.columns = None;
        if to > Position(0) && self.file.is_file() {
            self.go_on()
        } else if self.wanted.is_empty() {
            Ok(())
        } else {
            // A crawl without any item still tells its columns.
            self.begin(self.wanted.clone())
        }
    }
}

/// One record with its line end.
fn record<'a>(cells: impl IntoIterator<Item = Cow<'a, str>>) -> Vec<u8> {
    let mut line = Vec::new();
    let mut writer = csv::WriterBuilder::new().buffer_capacity(1024).from_writer(&mut line);
    cells
        .into_iter()
        .try_for_each(|cell| writer.write_field(cell.as_bytes()))
        .and_then(|()| writer.write_record(None::<&[u8]>))
        .and_then(|()| writer.flush().map_err(csv::Error::from))
        .expect("memory takes every record");
    drop(writer);
    line
}

/// What an item shows in a column.
fn cell<'a>(item: &'a Item, column: &str) -> Cow<'a, str> {
    // A name that was read back from the header line may carry the mark of a guarded cell.
    let bare = || column.strip_prefix('\'').filter(|bare| guarded((*bare).into()) == column);
    match item.fields.get(column).or_else(|| item.fields.get(bare()?)) {
        Some(Value::String(text)) => guarded(text.into()),
        Some(Value::Null) => Cow::Borrowed(""),
        Some(value) => Cow::Owned(value.to_string()),
        None if column == KIND => guarded(item.kind.as_deref().unwrap_or_default().into()),
        None => Cow::Borrowed(""),
    }
}

/// The text as a spreadsheet may see it.
fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(&text) {
        Cow::Owned(format!("'{text}"))
    } else {
        text
    }
}

/// Whether the text is a plain decimal number. `inf` and `nan` are not.
fn is_number(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.chars().all(plain) && text.parse::<f64>().is_ok()
}
