//! A file that is not whole yet: what has come of it, and what is needed to ask for the rest.
//!
//! Beside a part lies its note: of which URL it is, and by what its server tells one version of the file from another. Only a
//! strong ETag, or a Last-Modified that is a second older than the answer, does that to the byte (RFC 9110 8.8.2.2, 13.1.5). Without
//! one, a part is of no use and is not kept.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{FileError, Saved, must_be_plain, refused};
use crate::headers::date;
use crate::headers::validators::Validators;
use crate::time::Timestamp;

/// Notes are short.
const MAX_NOTE: u64 = 64 << 10;

/// What lies beside a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Of which URL it is.
    pub(super) url: String,
    /// What `If-Range` is asked with.
    pub(super) version: Option<String>,
    /// Bytes of the whole file, if its server has told.
    pub(super) total: Option<u64>,
    /// The whole file, once it has come.
    pub(super) saved: Option<Saved>,
}

impl Note {
    /// The note of this URL, if there is one that can be read.
    pub(super) fn read(path: &Path, url: &str) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        if !found.is_file() || found.len() > MAX_NOTE {
            return None;
        }
        let note: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (note.url == url).then_some(note)
    }

    /// Writes it beside its place and moves it there, so that it is never half there.
    pub(super) fn write(&self, path: &Path) -> Result<(), FileError> {
        let fresh = path.with_extension("new");
        must_be_plain(&fresh)?;
        let text = serde_json::to_vec(self).expect("texts and numbers can be written as JSON");
        let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path));
        written.map_err(|source| refused(path, source))
    }
}

/// What tells this version of a file from all others, to the byte.
pub(super) fn version(headers: &HeaderMap, now: Timestamp) -> Option<String> {
    let Validators { etag, last_modified } = Validators::read(headers);
    let is_strong = |etag: &String| etag.starts_with('"') && etag.ends_with('"') && etag.len() > 1;
    if let Some(etag) = etag {
        // Beside a weak tag a date is no stronger.
        return Some(etag).filter(is_strong);
    }
    let modified = date::parse(last_modified.as_deref()?, now)?;
    let answered = date::parse(headers.get(http::header::DATE)?.to_str().ok()?, now)?;
    (answered >= modified + Duration::from_secs(1)).then_some(last_modified).flatten()
}

/// `Content-Range: bytes 100-199/200` (RFC 9110 14.4): first byte, last byte, length of the whole.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let text = headers.get(http::header::CONTENT_RANGE)?.to_str().ok()?;
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (unit.eq_ignore_ascii_case("bytes") && first <= last && last < total).then_some((first, last, total))
}
