//! One file on its way in: from the head of its answer to a digest and a name.
//!
//! Every answer is judged before a byte of it is kept. A 206 must continue exactly what is there: same version, same length, first
//! byte the one that was asked for. If it does not, nothing of it is used and the file is asked for anew; a server that
//! counts wrongly must not make a file that never was.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

use super::part::{Note, content_range, version};
use super::{Arrived, FileError, Files, Naming, Saved, is_file_of, must_be_plain, name, refused};
use crate::headers::charset::ContentType;
use crate::headers::validators::Validators;
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint};

/// Bytes that are read at once, to work out the digest of what is there.
const PIECE: usize = 256 << 10;

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// When it came.
    pub at: Timestamp,
}

/// What to do with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read on.
    Read,
    /// Nothing more of it is wanted.
    Enough,
}

/// What became of a file.
#[derive(Debug)]
pub enum Landed {
    /// It is whole, and waits for its name.
    Whole(Box<Arrived>),
    /// It is not wanted, for this reason. Nothing of it is kept.
    Unwanted(String),
    /// It is not whole. What is there is kept if the rest of it can be asked for.
    Cut,
}

/// A file on its way in.
pub struct Intake {
    files: Arc<Files>,
    request: Fingerprint,
    url: CanonicalUrl,
    part: PathBuf,
    note: PathBuf,
    from: From,
    body: Option<Body>,
    begun: bool,
    /// Why it is not wanted, once that is known.
    unwanted: Option<String>,
    /// Bytes that count to the round until the file has landed.
    spent: u64,
}

/// What is there already.
#[derive(Debug, Clone)]
enum From {
    Nothing,
    /// The first bytes, of this version.
    Part {
        length: u64,
        version: String,
        total: Option<u64>,
    },
    /// All of it.
    Whole(Box<Saved>),
}

/// The body while it is written.
struct Body {
    file: File,
    digest: Sha256,
    length: u64,
    /// Bytes that it must have in the end, if that is known.
    total: Option<u64>,
    /// Whether the rest of it can be asked for.
    resumable: bool,
    content_type: Option<String>,
    validators: Validators,
    status: StatusCode,
    at: Timestamp,
}

impl Intake {
    pub(super) fn open(
        files: Arc<Files>,
        request: Fingerprint,
        url: &CanonicalUrl,
        kept: Option<Saved>,
    ) -> Result<Self, FileError> {
        let (part, note) = (files.part(request), files.note(request));
        must_be_plain(&part)?;
        let found = fs::symlink_metadata(&part).map_or(0, |found| found.len());
        let from = match Note::read(&note, url.as_str()) {
            // Its batch was lost with the process.
            Some(Note { saved: Some(saved), .. }) if is_file_of(&part, saved.size) || files.holds(&saved) => {
                From::Whole(Box::new(saved))
            }
            Some(Note { version: Some(version), total, saved: None, .. }) if found > 0 => {
                // Of a part that is whole the last byte is asked for again: there is no range behind it.
                let length = total.map_or(found, |total| found.min(total.saturating_sub(1)));
                From::Part { length, version, total }
            }
            _ => kept
                .filter(|saved| files.holds(saved))
                .map_or(From::Nothing, |saved| From::Whole(Box::new(saved))),
        };
        let url = url.clone();
        Ok(Self { files, request, url, part, note, from, body: None, begun: false, unwanted: None, spent: 0 })
    }

    /// The fields that ask for what is missing, or whether it has changed.
    #[must_use]
    pub fn conditions(&self) -> Vec<(String, String)> {
        match &self.from {
            From::Nothing => Vec::new(),
            From::Part { length, version, .. } => {
                vec![
                    ("range".to_owned(), format!("bytes={length}-")),
                    ("if-range".to_owned(), version.clone()),
                ]
            }
            From::Whole(saved) => saved.validators.conditions(),
        }
    }

    /// Whether an answer was taken in, wanted or not.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Looks at the head of a 2xx answer.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn begin(&mut self, head: Head<'_>, coding: Coding) -> Result<Next, FileError> {
        self.begun = true;
        let essence = essence(head.headers);
        if !self.files.rules.wants(essence.as_deref()) {
            let shown = essence.as_deref().unwrap_or("without a type");
            return Ok(self.refuse(format!("its type is not wanted: {shown}")));
        }
        if coding == Coding::Unknown {
            return Ok(self.refuse("its content coding is not known".to_owned()));
        }
        let (at, total) = match (head.status.as_u16(), self.continues(head)) {
            (206, Some((length, total))) if coding == Coding::None => (length, Some(total)),
            (206, _) => {
                self.forget();
                return Ok(Next::Enough);
            }
            (200 | 203, _) => (0, content_length(head.headers).filter(|_| coding == Coding::None)),
            (status, _) => return Ok(self.refuse(format!("status {status} brings no file"))),
        };
        let most = self.files.rules.max_size;
        if let Some(total) = total.filter(|total| *total > most) {
            return Ok(self.refuse(format!("it has {total} bytes, more than `max-size` ({most})")));
        }
        self.body = Some(self.open_body(head, at, total, coding)?);
        Ok(self.count(at))
    }

    /// Where a 206 goes on, and how long the whole is; `None` if it does not continue what is there.
    fn continues(&self, head: Head<'_>) -> Option<(u64, u64)> {
        let From::Part { length, version: before, total } = &self.from else { return None };
        let (first, last, whole) = content_range(head.headers)?;
        let told = Validators::read(head.headers);
        let other_tag = told.etag.as_ref().is_some_and(|etag| before.starts_with('"') && etag != before);
        let other_date =
            told.last_modified.as_ref().is_some_and(|date| !before.starts_with('"') && date != before);
        let fits = first == *length && last + 1 == whole && total.is_none_or(|total| total == whole);
        (fits && !other_tag && !other_date).then_some((*length, whole))
    }

    /// Opens the part: cut back to what is gone on with, its digest worked out so far.
    fn open_body(
        &self,
        head: Head<'_>,
        length: u64,
        total: Option<u64>,
        coding: Coding,
    ) -> Result<Body, FileError> {
        let io = |source| refused(&self.part, source);
        must_be_plain(&self.part)?;
        let open = File::options().create(true).truncate(false).read(true).write(true).open(&self.part);
        let mut file = open.map_err(io)?;
        file.set_len(length).map_err(io)?;
        let digest = digest_of(&mut file).map_err(io)?;
        file.seek(SeekFrom::Start(length)).map_err(io)?;
        let told = version(head.headers, head.at).filter(|_| coding == Coding::None);
        let version = match &self.from {
            From::Part { version, .. } if length > 0 => Some(version.clone()),
            _ => told,
        };
        let resumable = version.is_some();
        // The part was emptied or continues what its note says: at no moment are there bytes of another version than noted.
        Note { url: self.url.as_str().to_owned(), version, total, saved: None }.write(&self.note)?;
        Ok(Body {
            file,
            digest,
            length,
            total,
            resumable,
            content_type: essence(head.headers),
            validators: Validators::read(head.headers),
            status: head.status,
            at: head.at,
        })
    }

    /// Takes a piece of the body.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, piece: &[u8]) -> Result<Next, FileError> {
        let most = self.files.rules.max_size;
        let Some(body) = &mut self.body else { return Ok(Next::Enough) };
        let bytes = piece.len() as u64;
        if body.total.is_some_and(|total| body.length + bytes > total) {
            // More than was announced: nobody knows what it is.
            (body.resumable, body.total) = (false, Some(u64::MAX));
            return Ok(Next::Enough);
        }
        if body.length + bytes > most {
            return Ok(self.refuse(format!("it has more bytes than `max-size` ({most})")));
        }
        body.file.write_all(piece).map_err(|source| refused(&self.part, source))?;
        body.digest.update(piece);
        body.length += bytes;
        Ok(self.count(bytes))
    }

    /// Counts bytes to the round.
    fn count(&mut self, bytes: u64) -> Next {
        self.spent += bytes;
        if self.files.spend(bytes) {
            return Next::Read;
        }
        let most = self.files.rules.max_total.unwrap_or_default();
        self.refuse(format!("the files of the round are more than `max-total` ({most} bytes)"))
    }

    fn refuse(&mut self, why: String) -> Next {
        self.unwanted = Some(why);
        Next::Enough
    }

    /// What is there is of no use.
    pub fn forget(&mut self) {
        self.body = None;
        self.from = From::Nothing;
        self.files.settled(self.request);
    }

    /// The body has come to its end, or was cut off.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn end(&mut self, end: End) -> Result<Landed, FileError> {
        if let Some(why) = self.unwanted.take() {
            self.forget();
            return Ok(Landed::Unwanted(why));
        }
        let Some(body) = self.body.take() else { return Ok(Landed::Cut) };
        let is_whole = end == End::Whole && body.total.is_none_or(|total| total == body.length);
        if !is_whole {
            if !body.resumable {
                self.forget();
            }
            return Ok(Landed::Cut);
        }
        body.file.sync_all().map_err(|source| refused(&self.part, source))?;
        let saved = self.saved(&body);
        let note = Note { url: self.url.as_str().to_owned(), saved: Some(saved.clone()), ..Note::default() };
        note.write(&self.note)?;
        // From here on its bytes stay counted.
        self.spent = 0;
        let (status, at) = (body.status.as_u16(), body.at);
        Ok(Landed::Whole(Box::new(self.arrived(saved, status, at))))
    }

    fn saved(&self, body: &Body) -> Saved {
        let sha256 = hexadecimal(&body.digest.clone().finalize());
        let ending = name::ending(body.content_type.as_deref().unwrap_or_default(), &self.url);
        let file = match self.files.rules.naming {
            Naming::Content => name::by_content(&sha256, &ending),
            Naming::Url => name::by_url(&self.url, &ending),
        };
        Saved {
            file,
            sha256,
            size: body.length,
            content_type: body.content_type.clone(),
            fetched_at: body.at,
            validators: body.validators.clone(),
        }
    }

    /// The file that is there, after a 304; `None` if there is none that it could speak of.
    #[must_use]
    pub fn unchanged(&self, head: Head<'_>) -> Option<Arrived> {
        let From::Whole(saved) = &self.from else { return None };
        let mut saved = Saved::clone(saved);
        saved.validators.update(head.headers);
        self.files.spend(saved.size);
        Some(self.arrived(saved, head.status.as_u16(), head.at))
    }

    fn arrived(&self, saved: Saved, status: u16, checked_at: Timestamp) -> Arrived {
        Arrived { request: self.request, url: self.url.clone(), saved, status, checked_at }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.files.give_back(self.spent);
    }
}

/// Whether a body is unpacked on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// It is written as it comes.
    None,
    /// It is unpacked: its length is not known, and no part of it can be asked for.
    Undone,
    /// It cannot be unpacked, and as it is it is not the file.
    Unknown,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It has come to its end.
    Whole,
    /// It was cut off.
    Cut,
}

fn digest_of(file: &mut File) -> io::Result<Sha256> {
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest),
            read => digest.update(&piece[..read]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn essence(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    ContentType::parse(said).map(|said| said.essence)
}

/// The length that was announced. Of several that differ none counts.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths =
        headers.get_all(header::CONTENT_LENGTH).iter().map(|value| value.to_str().ok()?.trim().parse().ok());
    let first: Option<u64> = lengths.next()?;
    lengths.all(|other| other == first).then_some(first).flatten()
}
