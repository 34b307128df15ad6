//! Items as one JSON list, an object a line: `[`, the items with commas between, `]`.
//!
//! The closing bracket is written over with every flush, so that the file is whole JSON after each commit and can be cut back to
//! any of them. A stream gets it when the run ends.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::files::FileOptions;
use super::jsonl::object;
use super::line_file::refused;
use super::parts::Found;
use super::text::{Format, TextSink};
use super::{SinkError, pack};
use crate::item::Item;

/// The end of a list is looked for in so many bytes of a file.
const MOST_END: u64 = 1 << 10;

/// `[sink.json]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonOptions {
    /// The file; its folder is made if need be. `-` is standard output.
    pub path: PathBuf,
    /// Parts, compression, and what becomes of files that are there.
    pub files: FileOptions,
    /// Whether each object ends with what is known of its page, as in [`JsonlOptions::seen`](super::jsonl::JsonlOptions::seen).
    pub seen: bool,
}

impl JsonOptions {
    /// All items, and nothing but them, to this file.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), files: FileOptions::default(), seen: false }
    }
}

/// Writes a JSON list. Its position is a byte offset in a part, without the closing bracket; for a stream a number of lines.
pub type JsonSink = TextSink<JsonList>;

/// One JSON list a file.
#[derive(Debug, Clone, Copy)]
pub struct JsonList {
    seen: bool,
}

impl JsonSink {
    /// Opens the output without changing what is in it; new items follow those that are there until
    /// [`Sink::rewind`](super::Sink::rewind) says otherwise.
    ///
    /// # Errors
    /// If the file or its folder cannot be made or opened for writing.
    pub fn open(options: &JsonOptions) -> Result<Self, SinkError> {
        Self::over(&options.path, options.files, JsonList { seen: options.seen })
    }
}

impl Format for JsonList {
    const KIND: &'static str = "json";
    const TAIL: &'static [u8] = b"\n]\n";
    const BETWEEN: &'static [u8] = b",";

    fn head(&self) -> Vec<u8> {
        b"[".to_vec()
    }

    fn record(&self, item: &Item) -> Result<Vec<u8>, String> {
        let mut line = vec![b'\n'];
        line.extend(object(item, self.seen)?);
        Ok(line)
    }

    /// A list that somebody else has closed is gone on with before its bracket.
    fn go_on(&mut self, path: &Path, found: Found, end: u64) -> Result<u64, SinkError> {
        if found == Found::Ours {
            return Ok(end);
        }
        let place = last_bracket(path).map_err(|source| refused(path, source))?;
        place.ok_or_else(|| SinkError::Path {
            path: path.to_owned(),
            reason: "what is there is no JSON list that more could be added to: write exists = \"overwrite\", or to another file"
                .to_owned(),
        })
    }
}

/// Where the last element of a list ends, if the file is one.
fn last_bracket(path: &Path) -> std::io::Result<Option<u64>> {
    let mut first = [0];
    pack::open_plain(path)?.read_exact(&mut first)?;
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let from = file.seek(SeekFrom::Start(length.saturating_sub(MOST_END)))?;
    let mut end = Vec::new();
    file.take(MOST_END).read_to_end(&mut end)?;
    let list = end.trim_ascii_end().strip_suffix(b"]").map(<[u8]>::trim_ascii_end);
    Ok(list.filter(|list| first == *b"[" && !list.is_empty()).map(|list| from + list.len() as u64))
}
