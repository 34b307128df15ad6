//! What a feed would cost, before it is read into memory.
//!
//! A `<item/>` of seven bytes stands for more than a kilobyte of memory, the XML reader compares each attribute with all before
//! it in the same tag, resolves each name against all namespaces in scope, and copies the `xml:base` in scope for each
//! element. So there are limits for each of them; feeds that people read are far below. Entities of a feed's own are not
//! expanded by the reader at all.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

use super::MAX_ENTRIES;
use crate::page::json;

/// Elements of a feed.
const MAX_ELEMENTS: usize = 300_000;

/// Elements inside of each other, those of XHTML content counted.
const MAX_DEPTH: usize = 128;

/// Attributes of one tag.
const MAX_ATTRIBUTES: usize = 128;

/// Namespaces declared in one feed.
const MAX_NAMESPACES: usize = 128;

/// Bytes of one base URL, and how many there may be in one feed.
const MAX_BASE: usize = 1_024;
const MAX_BASES: usize = 4;

/// Versions of RSS that the reader knows by name; others are read as 2.0.
const VERSIONS: [&str; 3] = ["2.0", "0.91", "0.92"];

/// Whether a JSON Feed may be read, or what is wrong with it.
pub(super) fn json(text: &str) -> Result<(), String> {
    let value = json::read(text).map_err(|error| error.to_string())?;
    let entries = value.get("items").and_then(Value::as_array).map_or(0, Vec::len);
    too_many(entries, MAX_ENTRIES, "entries")
}

/// An XML feed as it may be read, or what is wrong with it. The declaration of an encoding is left out: it is a text by now.
/// RSS without a version is given one.
pub(super) fn xml(text: &str) -> Result<String, String> {
    let text = without_declaration(text);
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    (config.check_end_names, config.allow_unmatched_ends, config.allow_dangling_amp) = (false, true, true);
    let mut counted = Counted::default();
    let mut rss = None;
    loop {
        let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                rss = rss.or_else(|| counted.root(&tag, start));
                counted.open(&tag)?;
            }
            Ok(Event::Empty(tag)) => {
                counted.open(&tag)?;
                counted.depth -= 1;
            }
            Ok(Event::End(_)) => counted.depth = counted.depth.saturating_sub(1),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                return Err(format!("not well-formed at byte {}: {error}", reader.error_position()));
            }
        }
    }
    Ok(match rss {
        Some(name_ends) => with_version(text, name_ends),
        None => text.to_owned(),
    })
}

#[derive(Default)]
struct Counted {
    elements: usize,
    entries: usize,
    depth: usize,
    namespaces: usize,
    bases: usize,
}

impl Counted {
    /// If this is the root and it is RSS of no version that is known by name: the byte where its name ends.
    fn root(&self, tag: &BytesStart<'_>, start: usize) -> Option<usize> {
        if self.elements > 0 || tag.name().as_ref() as &str != "rss" {
            return None;
        }
        let mut attributes = tag.attributes();
        let version = attributes
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.as_ref() as &str == "version");
        let is_known = version.is_some_and(|version| VERSIONS.contains(&version.value.as_ref()));
        (!is_known).then_some(start + "<rss".len())
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        self.elements += 1;
        self.depth += 1;
        self.entries += usize::from(matches!(tag.local_name().as_ref() as &str, "item" | "entry"));
        too_many(self.elements, MAX_ELEMENTS, "elements")?;
        too_many(self.entries, MAX_ENTRIES, "entries")?;
        too_many(self.depth, MAX_DEPTH, "elements inside of each other")?;
        let mut count = 0;
        for attribute in tag.attributes().with_checks(false) {
            count += 1;
            too_many(count, MAX_ATTRIBUTES, "attributes in a tag")?;
            let Ok(attribute) = attribute else {
                continue;
            };
            let key: &str = attribute.key.as_ref();
            self.namespaces += usize::from(key.starts_with("xmlns"));
            if key == "xml:base" {
                self.bases += 1;
                too_many(attribute.value.len(), MAX_BASE, "bytes in an xml:base")?;
                too_many(self.bases, MAX_BASES, "xml:base attributes")?;
            }
        }
        too_many(self.namespaces, MAX_NAMESPACES, "namespaces")
    }
}

fn too_many(count: usize, most: usize, what: &str) -> Result<(), String> {
    if count > most { Err(format!("it has more than {most} {what}")) } else { Ok(()) }
}

fn without_declaration(text: &str) -> &str {
    let declared = text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    declared.map_or(text, |(_, rest)| rest)
}

/// The text with a version in its root, whose name ends at this byte. A version of its own keeps another name.
fn with_version(text: &str, name_ends: usize) -> String {
    let Some((before, after)) = text.split_at_checked(name_ends) else {
        return text.to_owned();
    };
    let tag_ends = after.find('>').unwrap_or(after.len());
    let (attributes, rest) = after.split_at(tag_ends);
    let attributes = attributes.replace(" version", " its-version");
    format!("{before} version=\"2.0\"{attributes}{rest}")
}
