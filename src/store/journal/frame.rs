//! How a journal is written down: a first line that says what it is, then one frame for each record.
//!
//! A frame is `length (one byte below 128, else two) | check u32 | record`. The record is postcard; its moments are written as
//! the difference to the moment before, so that most take two bytes. The check covers the record and its place in the file.
//!
//! A file that ends in the middle of a frame was cut by a crash: that is normal, and what stands before is whole. A frame that
//! is wrong although others follow it is damage; what stands behind it cannot be read, because moments build on each other.

use std::io::{self, Read};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::audit::record::Record;
use crate::time::Timestamp;

/// The first line of every journal.
pub(super) const FIRST_LINE: &[u8] = b"crawl journal 1\n";
/// What the first line of another version begins with.
const ANY_FIRST_LINE: &[u8] = b"crawl journal ";
/// The longest record.
pub(super) const MAX_RECORD: usize = (1 << 14) - 1;
const MAX_FRAME: usize = 2 + 4 + MAX_RECORD;
const CHUNK: usize = 1 << 16;

/// Packs records for one file.
#[derive(Debug, Default)]
pub(super) struct Packer {
    place: u64,
    last: Timestamp,
}

impl Packer {
    /// A packer for a file that has its first line.
    pub(super) fn new() -> Self {
        Self { place: FIRST_LINE.len() as u64, last: Timestamp::ZERO }
    }

    /// The frame of the next record; `None` if the record is too long for one.
    pub(super) fn pack(&mut self, mut record: Record) -> Option<Vec<u8>> {
        let mut last = self.last;
        for moment in record.moments() {
            let now = *moment;
            *moment = difference(last, now);
            last = now;
        }
        let bytes = postcard::to_stdvec(&record).ok().filter(|bytes| bytes.len() <= MAX_RECORD)?;
        let mut frame = Vec::with_capacity(6 + bytes.len());
        match u8::try_from(bytes.len()) {
            Ok(short @ ..0x80) => frame.push(short),
            _ => frame.extend([bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8]),
        }
        frame.extend(check(&bytes, self.place));
        frame.extend(bytes);
        self.place += frame.len() as u64;
        self.last = last;
        Some(frame)
    }
}

/// The difference as a number that is small whichever way it goes.
fn difference(from: Timestamp, to: Timestamp) -> Timestamp {
    let ahead = to.as_millis().wrapping_sub(from.as_millis()) as i64;
    Timestamp::from_millis(((ahead << 1) ^ (ahead >> 63)) as u64)
}

/// Undoes [`difference`].
fn sum(from: Timestamp, difference: Timestamp) -> Timestamp {
    let packed = difference.as_millis();
    let ahead = (packed >> 1) ^ (packed & 1).wrapping_neg();
    Timestamp::from_millis(from.as_millis().wrapping_add(ahead))
}

fn check(record: &[u8], place: u64) -> [u8; 4] {
    (xxh3_64_with_seed(record, place) as u32).to_le_bytes()
}

/// Why a journal cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalFlaw {
    /// It ends in the middle of a record: normal after a crash.
    #[error("the last record is cut off, as a crash leaves it")]
    CutTail,
    /// Bytes were changed after they were written.
    #[error("damaged at byte {at}: what follows cannot be judged")]
    Damaged {
        /// Where the first wrong record begins.
        at: u64,
    },
    /// Written by another version.
    #[error("written by another version of this program: judge it with that version")]
    Version,
    /// The file system refused.
    #[error("cannot be read: {0}")]
    Io(String),
}

/// Reads a journal record by record. Ends after the first flaw.
pub struct JournalReader {
    input: Box<dyn Read + Send>,
    window: Vec<u8>,
    /// Where in the window the next frame begins.
    at: usize,
    /// Where in the file it begins.
    place: u64,
    last: Timestamp,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Reading,
    Over,
}

impl JournalReader {
    /// Reads the journal that begins where `input` stands.
    pub fn new(input: impl Read + Send + 'static) -> Self {
        Self {
            input: Box::new(input),
            window: Vec::new(),
            at: 0,
            place: 0,
            last: Timestamp::ZERO,
            state: State::Fresh,
        }
    }

    /// Has at least `bytes` in the window, if the file has so many.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        if self.window.len() - self.at < bytes {
            self.window.drain(..self.at);
            self.at = 0;
            let more = (bytes.max(CHUNK) - self.window.len()) as u64;
            self.input.by_ref().take(more).read_to_end(&mut self.window)?;
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.place += bytes as u64;
    }

    fn first_line(&mut self) -> Result<(), JournalFlaw> {
        self.fill(FIRST_LINE.len()).map_err(|error| JournalFlaw::Io(error.to_string()))?;
        let found = &self.window[self.at..];
        if found.starts_with(FIRST_LINE) {
            self.advance(FIRST_LINE.len());
            return Ok(());
        }
        Err(match found {
            _ if FIRST_LINE.starts_with(found) => JournalFlaw::CutTail,
            _ if found.starts_with(ANY_FIRST_LINE) => JournalFlaw::Version,
            _ => JournalFlaw::Damaged { at: 0 },
        })
    }

    fn record(&mut self) -> Result<Option<Record>, JournalFlaw> {
        if self.state == State::Fresh {
            self.first_line()?;
            self.state = State::Reading;
        }
        self.fill(2 * MAX_FRAME).map_err(|error| JournalFlaw::Io(error.to_string()))?;
        let left = &self.window[self.at..];
        if left.is_empty() {
            return Ok(None);
        }
        let Some((record, length)) = frame_at(left, self.place) else {
            return Err(self.flaw());
        };
        let decoded = postcard::from_bytes::<Record>(record);
        let mut record = decoded.map_err(|_| JournalFlaw::Damaged { at: self.place })?;
        for moment in record.moments() {
            *moment = sum(self.last, *moment);
            self.last = *moment;
        }
        self.advance(length);
        Ok(Some(record))
    }

    /// Tells a cut tail from damage: behind damage there are bytes of more than one record, or a record that is whole.
    fn flaw(&self) -> JournalFlaw {
        let left = &self.window[self.at..];
        let places = (1..left.len()).zip(self.place + 1..);
        let more = left.len() > MAX_FRAME
            || places.into_iter().any(|(at, place)| frame_at(&left[at..], place).is_some());
        if more { JournalFlaw::Damaged { at: self.place } } else { JournalFlaw::CutTail }
    }
}

/// The record at the start of `bytes` and the length of its frame, if it is whole and its check is right.
fn frame_at(bytes: &[u8], place: u64) -> Option<(&[u8], usize)> {
    let (length, head) = match *bytes {
        [short @ 1..0x80, ..] => (usize::from(short), 1),
        [low @ 0x80..=0xff, high @ 1..0x80, ..] => (usize::from(low & 0x7f) | usize::from(high) << 7, 2),
        _ => return None,
    };
    let expected = bytes.get(head..head + 4)?;
    let record = bytes.get(head + 4..head + 4 + length)?;
    (check(record, place) == expected).then_some((record, head + 4 + length))
}

impl Iterator for JournalReader {
    type Item = Result<Record, JournalFlaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Over {
            return None;
        }
        let next = self.record().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Over;
        }
        next
    }
}
