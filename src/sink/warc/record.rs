//! Records as WARC 1.1 (ISO 28500:2017) writes them.
//!
//! Pure: everything that stands in a record is given. A record is one gzip member, so that a reader can begin at each of them.
//! What comes from outside stands in blocks; in the fields of a record it cannot break a line.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use flate2::Compression as Level;
use flate2::write::GzEncoder;

use super::digest::{Digest, DigestKind};
use super::exchange::Exchange;
use super::known::Capture;
use crate::response::Truncation;
use crate::time::Timestamp;

/// How records lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Each a gzip member of its own: what tools expect.
    #[default]
    Gzip,
    /// As they are.
    Plain,
}

const VERSION: &str = "WARC/1.1\r\n";
const END: &[u8] = b"\r\n\r\n";
const CONFORMS_TO: &str = "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/";

/// The name of a record: a UUID of version 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordId(u128);

impl RecordId {
    /// An id of random bits (RFC 9562 5.4).
    pub(super) const fn of(bits: u128) -> Self {
        const VERSION_4: u128 = 0x4000 << 64;
        const VARIANT: u128 = 0x8000 << 48;
        Self(bits & !(0xf000 << 64) & !(0xc000 << 48) | VERSION_4 | VARIANT)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "<urn:uuid:{}-{}-{}-", &hex[..8], &hex[8..12], &hex[12..16])?;
        write!(f, "{}-{}>", &hex[16..20], &hex[20..])
    }
}

/// A record: its fields, and its block in two parts.
pub(super) struct Record<'a> {
    fields: String,
    block: [&'a [u8]; 2],
}

impl<'a> Record<'a> {
    fn begin(kind: &str, id: RecordId, at: Timestamp) -> Self {
        let record = Self { fields: VERSION.to_owned(), block: [&[], &[]] };
        record.field("WARC-Type", kind).field("WARC-Record-ID", id).field("WARC-Date", at)
    }

    /// A line break in a value would be a field of the value's own.
    fn field(mut self, name: &str, value: impl fmt::Display) -> Self {
        let start = self.fields.len();
        write!(self.fields, "{name}: {value}").expect("a String takes everything");
        if self.fields[start..].contains(char::is_control) {
            let plain = self.fields[start..].replace(char::is_control, " ");
            self.fields.truncate(start);
            self.fields.push_str(&plain);
        }
        self.fields.push_str("\r\n");
        self
    }

    fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Type, digest, length: what is said of the block.
    fn block(self, kind: &str, digest: DigestKind, block: [&'a [u8]; 2]) -> Self {
        let length = block[0].len() + block[1].len();
        let record = self.field("WARC-Block-Digest", digest.of(&block));
        let record = record.field("Content-Type", kind).field("Content-Length", length);
        Self { block, ..record }
    }

    /// Writes it behind what is there.
    pub(super) fn write(&self, out: &mut Vec<u8>, packing: Packing) {
        let parts = [self.fields.as_bytes(), b"\r\n", self.block[0], self.block[1], END];
        match packing {
            Packing::Plain => parts.iter().for_each(|part| out.extend_from_slice(part)),
            Packing::Gzip => pack(out, &parts).expect("a Vec takes everything"),
        }
    }
}

fn pack(out: &mut Vec<u8>, parts: &[&[u8]]) -> io::Result<()> {
    let mut encoder = GzEncoder::new(out, Level::default());
    parts.iter().try_for_each(|part| encoder.write_all(part))?;
    encoder.finish().map(drop)
}

/// Who has made a file, and how.
pub(super) struct Info<'a> {
    pub(super) id: RecordId,
    pub(super) at: Timestamp,
    pub(super) file: &'a str,
    pub(super) digest: DigestKind,
    /// Field name and value of `application/warc-fields`.
    pub(super) lines: Vec<(&'a str, &'a str)>,
}

impl Info<'_> {
    /// The block of a `warcinfo` record.
    pub(super) fn block(&self) -> Vec<u8> {
        let software = concat!("crawl/", env!("CARGO_PKG_VERSION"));
        let fixed = [
            ("software", software),
            ("format", "WARC File Format 1.1"),
            ("conformsTo", CONFORMS_TO),
            ("robots", "obey"),
        ];
        let mut block = String::new();
        for (name, value) in fixed.iter().chain(&self.lines) {
            let value = value.replace(char::is_control, " ");
            write!(block, "{name}: {value}\r\n").expect("a String takes everything");
        }
        block.into_bytes()
    }

    /// The record that stands at the head of a file.
    pub(super) fn record<'a>(&self, block: &'a [u8]) -> Record<'a> {
        Record::begin("warcinfo", self.id, self.at).field("WARC-Filename", self.file).block(
            "application/warc-fields",
            self.digest,
            [block, &[]],
        )
    }
}

/// An exchange on its way into two records.
pub(super) struct Pair<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) digest: DigestKind,
    pub(super) answer: RecordId,
    pub(super) request: RecordId,
    /// Of the body.
    pub(super) payload: Digest,
}

impl Pair<'_> {
    fn begin(&self, kind: &str, id: RecordId) -> Record<'static> {
        let Exchange { target, peer, at, .. } = self.exchange;
        Record::begin(kind, id, *at).field("WARC-Target-URI", target).maybe("WARC-IP-Address", *peer)
    }

    /// The answer with its body.
    pub(super) fn response<'a>(&'a self, head: &'a [u8]) -> Record<'a> {
        self.begin("response", self.answer)
            .maybe("WARC-Truncated", self.exchange.truncated.map(reason))
            .field("WARC-Payload-Digest", self.payload)
            .block(ANSWER, self.digest, [head, &self.exchange.body])
    }

    /// The head of an answer whose body lies in this archive already (6.7.2).
    pub(super) fn same_payload<'a>(&self, head: &'a [u8], before: &Capture) -> Record<'a> {
        self.begin("revisit", self.answer)
            .field("WARC-Profile", "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest")
            .refers_to(before)
            .field("WARC-Truncated", "length")
            .field("WARC-Payload-Digest", self.payload)
            .block(ANSWER, self.digest, [head, &[]])
    }

    /// The answer that nothing has changed since `before`, if that is known (6.7.3).
    ///
    /// It has no block: what replays an archive would show the head of the 304, and not the page that it speaks of.
    pub(super) fn not_modified(&self, before: Option<&Capture>) -> Record<'static> {
        let record = self
            .begin("revisit", self.answer)
            .field("WARC-Profile", "http://netpreserve.org/warc/1.1/revisit/server-not-modified");
        let record = match before {
            Some(before) => record.refers_to(before).field("WARC-Payload-Digest", before.payload),
            None => record.field("WARC-Refers-To-Target-URI", &self.exchange.target),
        };
        record.field("Content-Length", 0)
    }

    /// The request.
    pub(super) fn request<'a>(&self, head: &'a [u8], body: &'a [u8]) -> Record<'a> {
        let payload = (!body.is_empty()).then(|| self.digest.of(&[body]));
        self.begin("request", self.request)
            .field("WARC-Concurrent-To", self.answer)
            .maybe("WARC-Payload-Digest", payload)
            .block("application/http; msgtype=request", self.digest, [head, body])
    }
}

const ANSWER: &str = "application/http; msgtype=response";

impl Record<'_> {
    fn refers_to(self, before: &Capture) -> Self {
        self.field("WARC-Refers-To", before.id)
            .field("WARC-Refers-To-Target-URI", &before.target)
            .field("WARC-Refers-To-Date", before.at)
    }
}

const fn reason(truncation: Truncation) -> &'static str {
    match truncation {
        Truncation::Length | Truncation::Ratio => "length",
        Truncation::Time => "time",
        Truncation::Disconnect => "disconnect",
        Truncation::Coding => "unspecified",
    }
}
