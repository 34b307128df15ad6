//! Reading back what sinks have written: records one after the other, however long the file is.
//!
//! A file may be packed; that is seen from how it begins. One record is held in memory at a time, and none may be longer than
//! [`MOST_RECORD`], so that a stray quote or bracket in a large file is an error and no memory. A further kind of file is a variant
//! of [`Kind`] and a function here.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::csv::unguarded;
use super::{ending, pack};

/// Most bytes of one record.
pub const MOST_RECORD: u64 = 64 << 20;

/// The byte order mark in UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// One JSON object a line.
    Jsonl,
    /// One JSON list of objects, or one object.
    Json,
    /// Records under a header line.
    Csv {
        /// Between two cells.
        separator: u8,
        /// What cells are.
        cells: Cells,
    },
}

/// What the cells of a CSV are, which says nothing of it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cells {
    /// Text as it stands there.
    #[default]
    Text,
    /// What is JSON is that: numbers, true and false, lists, objects; an empty cell is null.
    Typed,
}

impl Kind {
    /// The kinds of sinks whose files can be read.
    pub const NAMES: [&'static str; 3] = ["jsonl", "json", "csv"];

    /// The kind of this name, as [`ending::kind_of`] gives it; `path` tells tabs from commas.
    #[must_use]
    pub fn named(name: &str, path: &Path, cells: Cells) -> Option<Self> {
        let separator = if ending::is_tabbed(path) { b'\t' } else { b',' };
        match name {
            "jsonl" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv { separator, cells }),
            _ => None,
        }
    }
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A record is not what it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// The line that it was noticed in, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Whoever takes the records wants no more.
    #[error("the records are not taken any more")]
    Taker(E),
}

/// Gives every record of a file to `take`, in order.
///
/// ```
/// use crawl::sink::read::{Cells, Kind, each_record};
///
/// let text: &[u8] = b"title,price\nEmma,9\n";
/// let mut prices = Vec::new();
/// let kind = Kind::Csv { separator: b',', cells: Cells::Typed };
/// each_record(text, kind, |record| Ok::<_, ()>(prices.push(record["price"].clone()))).unwrap();
/// assert_eq!(prices, [9]);
/// ```
///
/// # Errors
/// If it cannot be read, a record is none, or `take` fails.
pub fn each_record<E>(
    file: impl Read + Send + 'static,
    kind: Kind,
    take: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let left = Rc::new(Cell::new(0));
    let mut file = BufReader::new(Bounded { file: pack::plain(file)?, left: Rc::clone(&left) });
    left.set(MOST_RECORD);
    if file.fill_buf()?.starts_with(BOM) {
        file.consume(BOM.len());
    }
    match kind {
        Kind::Jsonl => each_line(file, &left, take),
        Kind::Json => each_element(file, &left, take),
        Kind::Csv { separator, cells } => each_row(file, &left, (separator, cells), take),
    }
}

/// Ends a file in which one record takes too long.
struct Bounded<R> {
    file: R,
    /// Bytes that may still be read for the record.
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        let left = left.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, too_long()))?;
        self.left.set(left);
        Ok(read)
    }
}

fn too_long() -> String {
    format!("a record of more than {} MiB: is a quote or a bracket missing?", MOST_RECORD >> 20)
}

fn object(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Array(_) => {
            Err("expected an object, found a list (is the file .json and not .jsonl?)".to_owned())
        }
        other => Err(format!("expected an object, found {other:.40}")),
    }
}

fn each_line<E>(
    mut file: impl BufRead,
    left: &Cell<u64>,
    mut take: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        left.set(MOST_RECORD);
        let read = file.read_until(b'\n', &mut text);
        if read.map_err(|error| at(line, error))? == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let value = serde_json::from_slice(&text).map_err(|error| plain(&error));
        let fields = value.and_then(object).map_err(|reason| ReadError::Line { line, reason })?;
        take(fields).map_err(ReadError::Taker)?;
    }
    Ok(())
}

/// What is wrong with a line, without the line's number within itself.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

fn at<E>(line: u64, error: io::Error) -> ReadError<E> {
    match error.kind() {
        io::ErrorKind::InvalidData => ReadError::Line { line, reason: error.to_string() },
        _ => ReadError::Io(error),
    }
}

fn each_element<E>(
    file: impl BufRead,
    left: &Cell<u64>,
    take: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let mut list = serde_json::Deserializer::from_reader(file);
    let mut refused = None;
    let elements = Elements { take, left, refused: &mut refused };
    let read = list.deserialize_any(elements).and_then(|()| list.end());
    match (refused, read) {
        (Some(refused), _) => Err(ReadError::Taker(refused)),
        (None, Err(error))
            if error.io_error_kind().is_some_and(|kind| kind != io::ErrorKind::InvalidData) =>
        {
            Err(ReadError::Io(error.into()))
        }
        (None, Err(error)) => Err(ReadError::Line { line: error.line() as u64, reason: plain(&error) }),
        (None, Ok(())) => Ok(()),
    }
}

/// Takes a list element by element.
struct Elements<'a, F, E> {
    take: F,
    left: &'a Cell<u64>,
    /// Why the taker wants no more.
    refused: &'a mut Option<E>,
}

impl<F: FnMut(Map<String, Value>) -> Result<(), E>, E> Elements<'_, F, E> {
    fn hand_on<X: de::Error>(&mut self, value: Value) -> Result<(), X> {
        self.left.set(MOST_RECORD);
        let fields = object(value).map_err(X::custom)?;
        (self.take)(fields).map_err(|refused| {
            *self.refused = Some(refused);
            X::custom("not taken")
        })
    }
}

impl<'de, F: FnMut(Map<String, Value>) -> Result<(), E>, E> Visitor<'de> for Elements<'_, F, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            self.hand_on(value)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let whole = std::marker::PhantomData::<Value>;
        let value = whole.deserialize(de::value::MapAccessDeserializer::new(map))?;
        self.hand_on(value)
    }
}

fn each_row<E>(
    file: impl BufRead,
    left: &Cell<u64>,
    (separator, cells): (u8, Cells),
    mut take: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let mut rows = csv::ReaderBuilder::new().delimiter(separator).from_reader(file);
    let columns: Vec<String> = rows
        .headers()
        .map_err(|error| in_row(1, error))?
        .iter()
        .map(|name| unguarded(name).to_owned())
        .collect();
    if let Some(twice) = (1..columns.len()).find(|index| columns[..*index].contains(&columns[*index])) {
        let reason = format!("two columns have the name {:?}", columns[twice]);
        return Err(ReadError::Line { line: 1, reason });
    }
    let mut row = csv::StringRecord::new();
    loop {
        left.set(MOST_RECORD);
        let line = rows.position().line();
        if !rows.read_record(&mut row).map_err(|error| in_row(line, error))? {
            return Ok(());
        }
        let named = columns.iter().zip(&row).map(|(name, cell)| (name.clone(), cells.read(cell)));
        take(named.collect()).map_err(ReadError::Taker)?;
    }
}

fn in_row<E>(line: u64, error: csv::Error) -> ReadError<E> {
    let line = error.position().map_or(line, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => at(line, error),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let reason = format!("{len} cells under {expected_len} columns (is --separator right?)");
            ReadError::Line { line, reason }
        }
        csv::ErrorKind::Utf8 { .. } => ReadError::Line { line, reason: "this is not UTF-8".to_owned() },
        other => ReadError::Line { line, reason: format!("{other:?}") },
    }
}

impl Cells {
    fn read(self, cell: &str) -> Value {
        let text = unguarded(cell);
        match self {
            Self::Typed if text.is_empty() => Value::Null,
            // What stood in quotes in a cell was text.
            Self::Typed if !text.starts_with('"') => {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }
            _ => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &[u8]) -> Result<Vec<String>, String> {
        let mut records = Vec::new();
        let take = |record: Map<String, Value>| {
            records.push(Value::Object(record).to_string());
            Ok::<_, ()>(())
        };
        let file = io::Cursor::new(text.to_vec());
        each_record(file, kind, take).map_err(|error| error.to_string()).map(|()| records)
    }

    const CSV: Kind = Kind::Csv { separator: b',', cells: Cells::Typed };

    #[test]
    fn packed_files_and_marks_at_the_front_are_read_through() {
        let plain = "\u{feff}{\"a\":1}\r\n\n{\"a\":2}".as_bytes();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::copy(&mut &plain[..], &mut gzip).unwrap();
        let twice = [gzip.finish().unwrap(), zstd::encode_all(&b""[..], 0).unwrap()];
        let zstd = zstd::encode_all(plain, 0).unwrap();
        for packed in [plain, &twice[0], &zstd] {
            assert_eq!(read(Kind::Jsonl, packed).unwrap(), ["{\"a\":1}", "{\"a\":2}"]);
        }
        assert_eq!(read(Kind::Jsonl, &twice[1]).unwrap(), Vec::<String>::new());
        assert!(read(Kind::Jsonl, &zstd[..zstd.len() - 3]).is_err(), "half a file is none");
    }

    #[test]
    fn what_is_no_record_is_told_with_its_line() {
        for (kind, text, told) in [
            (Kind::Jsonl, "{}\n{]", "line 2: key must be a string at column 2"),
            (
                Kind::Jsonl,
                "[{}]",
                "line 1: expected an object, found a list (is the file .json and not .jsonl?)",
            ),
            (Kind::Json, "[{},\n{\"a\" 1}]", "line 2: expected `:` at column 6"),
            (Kind::Json, "[{},\n{}", "line 2: EOF while parsing a list at column 2"),
            (Kind::Json, "[{}]\nx", "line 2: trailing characters at column 1"),
            (Kind::Json, "", "line 1: EOF while parsing a value at column 0"),
            (CSV, "a,b\n1,2\n\"x\ny\",2\n3", "line 5: 1 cells under 2 columns (is --separator right?)"),
            (CSV, "a,b,a\n", "line 1: two columns have the name \"a\""),
        ] {
            assert_eq!(read(kind, text.as_bytes()).unwrap_err(), told, "{text}");
        }
        assert!(read(CSV, b"a\n\xff\n").unwrap_err().contains("line 2: this is not UTF-8"));
    }

    #[test]
    fn cells_are_text_unless_types_are_asked_for() {
        let text = b"'=x,b,c,d,e,f\n'=1,1.5,,\"[1,\"\"x\"\"]\",007,true\n";
        let typed = "{\"=x\":\"=1\",\"b\":1.5,\"c\":null,\"d\":[1,\"x\"],\"e\":\"007\",\"f\":true}";
        assert_eq!(read(CSV, text).unwrap(), [typed]);
        let plain = read(Kind::Csv { separator: b',', cells: Cells::Text }, text).unwrap();
        let cells =
            "{\"=x\":\"=1\",\"b\":\"1.5\",\"c\":\"\",\"d\":\"[1,\\\"x\\\"]\",\"e\":\"007\",\"f\":\"true\"}";
        assert_eq!(plain, [cells]);
    }

    #[test]
    fn a_record_without_an_end_is_an_error_and_no_memory() {
        struct Endless(&'static [u8], bool);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if !std::mem::replace(&mut self.1, true) {
                    return self.0.read(buffer);
                }
                buffer.fill(b' ');
                Ok(buffer.len())
            }
        }
        for (kind, start) in [(Kind::Jsonl, "{"), (Kind::Json, "[{\"a\": \""), (CSV, "a\n\"")] {
            let take = |_| Ok::<_, ()>(());
            let error = each_record(Endless(start.as_bytes(), false), kind, take).unwrap_err();
            assert!(error.to_string().contains("more than 64 MiB"), "{error}");
        }
    }
}
