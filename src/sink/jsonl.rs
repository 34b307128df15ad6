//! Items as JSON lines: one object per line, fields in the order in which the spider set them.
//!
//! A kind comes first, as the field `kind`, unless the record has a field of that name itself; what is known of the page comes
//! last, if it is asked for, under the same condition. The file can be read while it is written, and it is cut back by bytes, so
//! that it is never read into memory. Standard output (`-`) and other streams cannot be cut back: after a crash lines that were
//! already printed may be printed again.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::files::FileOptions;
use super::text::{Format, TextSink};
use super::{SEEN, SinkError, is_obeyed_by_terminals, shown_kind, shown_seen};
use crate::item::Item;

/// `[sink.jsonl]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonlOptions {
    /// The file; its folder is made if need be. `-` is standard output.
    pub path: PathBuf,
    /// Parts, compression, and what becomes of files that are there.
    pub files: FileOptions,
    /// Whether each line ends with `first_seen` and `last_changed` (RFC 3339) and `round`: what is known of its page from all
    /// rounds. A field of the item's own comes first.
    pub seen: bool,
}

impl JsonlOptions {
    /// All items, and nothing but them, to this file.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), files: FileOptions::default(), seen: false }
    }
}

/// Writes JSON lines. Its position is a byte offset in a part, for a stream a number of lines.
pub type JsonlSink = TextSink<JsonLines>;

/// One JSON object a line.
#[derive(Debug, Clone, Copy)]
pub struct JsonLines {
    seen: bool,
}

impl JsonlSink {
    /// Opens the output without changing what is in it; new items follow what is there until
    /// [`Sink::rewind`](super::Sink::rewind) says otherwise.
    ///
    /// # Errors
    /// If the file or its folder cannot be made or opened for writing.
    pub fn open(options: &JsonlOptions) -> Result<Self, SinkError> {
        Self::over(&options.path, options.files, JsonLines { seen: options.seen })
    }
}

impl Format for JsonLines {
    const KIND: &'static str = "jsonl";

    fn record(&self, item: &Item) -> Result<Vec<u8>, String> {
        let mut line = object(item, self.seen)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// An item as one JSON object.
pub(super) fn object(item: &Item, seen: bool) -> Result<Vec<u8>, String> {
    let mut text = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Shown);
    Line { item, seen }.serialize(&mut serializer).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Compact JSON that can be shown: what a terminal would obey stands there as an escape, which means the same.
struct Shown;

impl serde_json::ser::Formatter for Shown {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // In nearly all texts there is nothing to look for.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_obeyed_by_terminals(*letter))
        {
            write!(out, "{}\\u{:04x}", &rest[..at], u32::from(letter))?;
            rest = &rest[at + letter.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// An item as it stands on its line.
struct Line<'a> {
    item: &'a Item,
    seen: bool,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(kind) = shown_kind(self.item) {
            map.serialize_entry("kind", kind)?;
        }
        for (name, value) in &self.item.fields {
            map.serialize_entry(name, value)?;
        }
        for name in SEEN.iter().filter(|_| self.seen) {
            if let Some(value) = shown_seen(self.item, name) {
                map.serialize_entry(name, &value)?;
            }
        }
        map.end()
    }
}
