//! Items as comma-separated values with fixed columns, quoted as in RFC 4180 (line ends are a bare LF).
//!
//! One header line, then one record for each item. Columns are those of the options; without any, those of the first item with
//! fields, and after a restart those of the file's own header line. What an item has beyond them is left out; what it lacks, and null, is an
//! empty cell. Lists and objects are JSON text.
//!
//! The text comes from web sites, and a spreadsheet takes a cell that begins with `=`, `+`, `-`, `@` (in full width too), TAB, CR or LF
//! for a formula.
//! Such a cell gets a leading `'`, unless it is a plain number. What a terminal would obey (control characters, marks that reorder a
//! line) is written as JSON escapes it, for who looks into the file; JSON lines and tables of databases have the text as it was.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::FileOptions;
use super::line_file::refused;
use super::parts::Found;
use super::text::{Format, TextSink};
use super::{SinkError, is_obeyed_by_terminals, shown_kind, shown_seen};
use crate::item::Item;

/// The column that shows an item's kind, unless the item has a field of this name.
const KIND: &str = "kind";

/// What a cell that a spreadsheet computes may begin with. The letters of full width are those of East Asian keyboards.
const BEGIN_A_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The byte order mark in UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// A header line longer than this was not written by us.
const MAX_HEADER: u64 = 1 << 20;

/// `[sink.csv]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The file; its folder is made if need be. `-` is standard output.
    pub path: PathBuf,
    /// Columns in order; every item has exactly these. Empty: the fields of the first item. `kind` is the item's kind.
    pub columns: Vec<String>,
    /// The columns of files that hold items of one kind, where they are others.
    pub columns_of: Vec<(String, Vec<String>)>,
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
        Self {
            path: path.into(),
            columns,
            columns_of: Vec::new(),
            files: FileOptions::default(),
            dialect: Dialect::default(),
            seen: false,
        }
    }
}

/// Writes CSV. Its position is a byte offset in a part, for a stream a number of lines.
pub type CsvSink = TextSink<Csv>;

/// Fixed columns.
#[derive(Debug, Clone)]
pub struct Csv {
    wanted: Vec<String>,
    /// The columns of the header line, once they are known.
    columns: Option<Vec<String>>,
    dialect: Dialect,
    seen: bool,
}

impl CsvSink {
    /// Opens the output without changing what is in it; new items follow what is there until
    /// [`Sink::rewind`](super::Sink::rewind) says otherwise.
    ///
    /// # Errors
    /// If the file or its folder cannot be made or opened for writing.
    pub fn open(options: &CsvOptions) -> Result<Self, SinkError> {
        let CsvOptions { path, columns, files, dialect, seen, .. } = options;
        let (wanted, columns) = (columns.clone(), None);
        let mut format = Csv { wanted, columns, dialect: *dialect, seen: *seen };
        format.forget();
        Self::over(path, *files, format)
    }
}

impl Csv {
    /// What an item shows in a column, what is known of its page included if that is asked for.
    fn shown<'a>(&self, item: &'a Item, column: &str) -> Cow<'a, str> {
        match self.seen.then(|| shown_seen(item, column)).flatten() {
            Some(Value::String(text)) => Cow::Owned(text),
            Some(value) => Cow::Owned(value.to_string()),
            None => cell(item, column),
        }
    }

    fn read_header(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut start = BufReader::new(File::open(path)?.take(MAX_HEADER));
        if start.fill_buf()?.starts_with(BOM) {
            start.consume(BOM.len());
        }
        let mut header = csv::StringRecord::new();
        let there = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(self.dialect.separator)
            .from_reader(start)
            .read_record(&mut header)?;
        if !there {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no header line"));
        }
        Ok(header.iter().map(str::to_owned).collect())
    }
}

impl Format for Csv {
    const KIND: &'static str = "csv";

    fn prepare(&mut self, first: &Item) {
        if self.columns.is_none() {
            let kind = shown_kind(first).map(|_| KIND.to_owned());
            let columns: Vec<_> = kind.into_iter().chain(first.fields.keys().cloned()).collect();
            self.columns = Some(columns).filter(|columns| !columns.is_empty());
        }
    }

    fn is_ready(&self) -> bool {
        self.columns.is_some()
    }

    fn head(&self) -> Vec<u8> {
        let mut head = if self.dialect.bom { BOM.to_vec() } else { Vec::new() };
        if let Some(columns) = self.columns.as_ref().filter(|_| self.dialect.header) {
            head.extend(record(columns.iter().map(|name| guarded(name.into())), self.dialect));
        }
        head
    }

    fn record(&self, item: &Item) -> Result<Vec<u8>, String> {
        let columns = self.columns.iter().flatten();
        Ok(record(columns.map(|column| self.shown(item, column)), self.dialect))
    }

    /// Goes on with the columns of the file's own header line, which must be those of the options if these name any.
    fn go_on(&mut self, path: &Path, _found: Found, end: u64) -> Result<u64, SinkError> {
        if !self.dialect.header {
            return Ok(end);
        }
        let found = self.read_header(path).map_err(|source| refused(path, source))?;
        let as_written = self.wanted.iter().map(|name| guarded(name.into()));
        if !self.wanted.is_empty() && !as_written.eq(found.iter().map(Cow::from)) {
            return Err(SinkError::Columns { path: path.to_owned(), expected: self.wanted.clone(), found });
        }
        self.columns = Some(found);
        Ok(end)
    }

    fn forget(&mut self) {
        self.columns = Some(self.wanted.clone()).filter(|wanted| !wanted.is_empty());
    }
}

/// One record with its line end.
fn record<'a>(cells: impl IntoIterator<Item = Cow<'a, str>>, dialect: Dialect) -> Vec<u8> {
    let mut line = Vec::new();
    let quotes = match dialect.quote {
        Quote::Needed => csv::QuoteStyle::Necessary,
        Quote::All => csv::QuoteStyle::Always,
    };
    let mut builder = csv::WriterBuilder::new();
    builder.buffer_capacity(1024).delimiter(dialect.separator).quote_style(quotes);
    let mut writer = builder.from_writer(&mut line);
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
    match item.fields.get(column).or_else(|| item.fields.get(unguarded(column))) {
        Some(Value::String(text)) => guarded(text.into()),
        Some(Value::Null) => Cow::Borrowed(""),
        Some(value) => harmless(value.to_string().into()),
        None if column == KIND => guarded(item.kind.as_deref().unwrap_or_default().into()),
        None => Cow::Borrowed(""),
    }
}

/// The text as a spreadsheet may see it.
fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.starts_with(BEGIN_A_FORMULA) && !is_number(&text) {
        Cow::Owned(format!("'{}", harmless(text)))
    } else {
        harmless(text)
    }
}

/// The text with everything escaped that a terminal would obey, as JSON escapes it; line ends and TAB stay.
pub(super) fn harmless(text: Cow<'_, str>) -> Cow<'_, str> {
    let stays = |place: usize, letter: char| match letter {
        '\n' | '\t' => true,
        '\r' => text[place + 1..].starts_with('\n'),
        letter => !is_obeyed_by_terminals(letter),
    };
    if text.char_indices().all(|(place, letter)| stays(place, letter)) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for (place, letter) in text.char_indices() {
        if stays(place, letter) {
            shown.push(letter);
        } else {
            write!(shown, "\\u{:04x}", u32::from(letter)).expect("a String takes everything");
        }
    }
    shown.into()
}

/// The text as it was before it was guarded.
pub(super) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|bare| guarded((*bare).into()) == cell).unwrap_or(cell)
}

/// Whether the text is a plain decimal number. `inf` and `nan` are not.
fn is_number(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.chars().all(plain) && text.parse::<f64>().is_ok()
}
