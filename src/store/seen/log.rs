//! The log of the seen-set: a file that only grows, and the truth of what was seen.
//!
//! One record per commit that brought something new: `count u32 | check u32 | count × fingerprint u64`, little-endian. The
//! check covers count, fingerprints and the record's place in the file. The store records how long the file is in the same
//! atomic step as the queues; on opening, the file is cut back to that length. So after kill -9 both tell the same story.
//!
//! Bytes that do not read back are left out and counted, the records behind them are found again: a fingerprint that is
//! lost means a page that may be fetched twice, never one that is missed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::store::StoreError;
use crate::store::lock::io_error;

const HEADER: usize = 8;
/// Fingerprints of one record at most: bounds what one bad byte can take with it.
const MAX_COUNT: usize = 4_096;
/// Set in the count of all records of a commit but the last.
const GOES_ON: u32 = 1 << 31;
const CHUNK: usize = 1 << 20;

/// The open file.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

/// What was not as recorded when the file was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct LogReport {
    /// Bytes that should be there and are not.
    pub(in crate::store) missing: u64,
    /// Bytes that are there and do not read back.
    pub(in crate::store) unreadable: u64,
    /// Complete commits behind the recorded length. One is normal after a kill: its batch did not happen.
    pub(in crate::store) ahead: u64,
}

impl LogReport {
    /// What the user should know: bytes of the log and whole steps that are gone.
    pub(in crate::store) fn warnings(&self, steps: u64) -> Vec<String> {
        let bytes = self.missing + self.unreadable;
        let log = format!(
            "{bytes} bytes of the seen log are missing or unreadable: pages that were fetched may be fetched again"
        );
        let lost = format!(
            "the state is {steps} steps older than it was: the pages of these steps are fetched again"
        );
        let log = (bytes > 0).then_some(log);
        log.into_iter().chain((steps > 0).then_some(lost)).collect()
    }

    pub(in crate::store) fn needs_repair(&self) -> bool {
        self.missing + self.unreadable > 0
    }
}

impl Log {
    /// Opens or makes the file; it is as long as it is until it is cut.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Drops what is behind a place.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.length = length;
        self.file.set_len(length)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Hands the fingerprints of a commit to the kernel and tells how long the file is then.
    ///
    /// They count when [`Log::confirm`] is called; without it the next commit is written over them.
    pub(super) fn append(&mut self, fingerprints: &[u64]) -> Result<u64, StoreError> {
        if fingerprints.is_empty() {
            return Ok(self.length);
        }
        let bytes = records(fingerprints, self.length);
        let start = self.file.seek(SeekFrom::Start(self.length));
        if let Err(error) = start.and_then(|_| self.file.write_all(&bytes)) {
            // Gives the space back, if that can be done: the recorded length makes the bytes void in any case.
            let _ = self.file.set_len(self.length);
            return Err(io_error(&self.path, &error));
        }
        Ok(self.length + bytes.len() as u64)
    }

    /// What was appended counts, and the file is this long.
    pub(super) fn confirm(&mut self, length: u64) {
        self.length = length;
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The bytes of one commit at this place of the file.
fn records(fingerprints: &[u64], place: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(fingerprints.len() * 8 + HEADER);
    let mut parts = fingerprints.chunks(MAX_COUNT).peekable();
    while let Some(part) = parts.next() {
        let goes_on = if parts.peek().is_some() { GOES_ON } else { 0 };
        let start = out.len();
        out.extend((part.len() as u32 | goes_on).to_le_bytes());
        out.extend([0; 4]);
        out.extend(part.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
        let check = check(&out[start..], place + start as u64);
        out[start + 4..start + HEADER].copy_from_slice(&check);
    }
    out
}

/// The check of a record: over its count and its fingerprints, seeded with its place.
fn check(record: &[u8], place: u64) -> [u8; 4] {
    let count = u32::from_le_bytes(record[..4].try_into().expect("four bytes"));
    let hash = xxh3_64_with_seed(&record[HEADER..], place ^ (u64::from(count) << 32));
    (hash as u32).to_le_bytes()
}

/// Writes a log anew.
pub(super) struct Rewriter {
    file: File,
    length: u64,
    part: Vec<u64>,
}

impl Rewriter {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)?, length: 0, part: Vec::new() })
    }

    pub(super) fn add(&mut self, fingerprint: u64) -> io::Result<()> {
        self.part.push(fingerprint);
        if self.part.len() < CHUNK / 8 {
            return Ok(());
        }
        self.write()
    }

    /// Brings it to the disk and tells how long it is.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.write()?;
        self.file.sync_data()?;
        Ok(self.length)
    }

    fn write(&mut self) -> io::Result<()> {
        let bytes = records(&self.part, self.length);
        self.file.write_all(&bytes)?;
        self.length += bytes.len() as u64;
        self.part.clear();
        Ok(())
    }
}

/// One record of the file.
pub(super) struct Record<'a> {
    bytes: &'a [u8],
    /// Where it ends.
    pub(super) end: u64,
}

impl Record<'_> {
    pub(super) fn fingerprints(&self) -> impl Iterator<Item = u64> {
        let fingerprints = self.bytes[HEADER..].chunks_exact(8);
        fingerprints.map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }
}

/// What was there when a part of the file was read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) unreadable: u64,
    pub(super) commits: u64,
}

/// Reads the records between two places, a window at a time; behind bad bytes it looks for the next good record.
pub(super) fn read(
    path: &Path,
    places: Range<u64>,
    each: impl FnMut(Record<'_>) -> io::Result<()>,
) -> io::Result<Tally> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(places.start))?;
    read_from(file.take(places.end.saturating_sub(places.start)), places.start, each)
}

/// Reads the records of a stretch of the file that begins at `place`, to the end of `input`.
fn read_from(
    mut input: impl Read,
    mut place: u64,
    mut each: impl FnMut(Record<'_>) -> io::Result<()>,
) -> io::Result<Tally> {
    let (mut window, mut at) = (Vec::new(), 0);
    let mut read = Tally::default();
    loop {
        if window.len() - at < HEADER + 8 * MAX_COUNT {
            window.drain(..at);
            at = 0;
            input.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
        }
        let left = &window[at..];
        if left.is_empty() {
            return Ok(read);
        }
        let step = if let Some(bytes) = record_at(left, place) {
            each(Record { bytes, end: place + bytes.len() as u64 })?;
            read.commits += u64::from(bytes[3] & 0x80 == 0);
            bytes.len()
        } else {
            let skipped = left.len().min(8);
            read.unreadable += skipped as u64;
            skipped
        };
        at += step;
        place += step as u64;
    }
}

/// The fingerprints that a whole log of these bytes holds, and how many of its bytes do not read back.
pub(crate) fn fingerprints_in(log: &[u8]) -> io::Result<(Vec<u64>, u64)> {
    let mut found = Vec::new();
    let tally = read_from(log, 0, |record| {
        found.extend(record.fingerprints());
        Ok(())
    })?;
    Ok((found, tally.unreadable))
}

/// The record at the start of `bytes`, if it is whole and its check is right.
fn record_at(bytes: &[u8], place: u64) -> Option<&[u8]> {
    let head = bytes.first_chunk::<HEADER>()?;
    let count = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) & !GOES_ON;
    let length = HEADER + 8 * usize::try_from(count).ok()?;
    let record = bytes.get(..length)?;
    let fits = (1..=MAX_COUNT as u32).contains(&count);
    (fits && check(record, place) == head[4..]).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(log: &mut Log, fingerprints: &[u64]) -> u64 {
        let length = log.append(fingerprints).unwrap();
        log.confirm(length);
        length
    }

    fn all(path: &Path, places: Range<u64>) -> (Vec<u64>, Tally) {
        let mut found = Vec::new();
        let tally = read(path, places, |record| {
            found.extend(record.fingerprints());
            Ok(())
        });
        (found, tally.unwrap())
    }

    #[test]
    fn it_gives_back_what_was_confirmed_from_every_record_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&path).unwrap();
        let many: Vec<u64> = (0..10_000).collect();
        let first = commit(&mut log, &many);
        assert_eq!(first, 3 * 8 + 10_000 * 8);
        let length = commit(&mut log, &[77_777]);
        assert_eq!(all(&path, 0..first).0, many);
        assert_eq!(all(&path, first..length).0, [77_777]);
        assert_eq!(all(&path, 0..length).1.commits, 2);
    }

    #[test]
    fn what_was_not_confirmed_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&path).unwrap();
        log.append(&[1, 2, 3]).unwrap();
        let length = commit(&mut log, &[4]);
        assert_eq!(all(&path, 0..length).0, [4]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_it_as_it_was() {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = Log { path: PathBuf::from("/dev/full"), file, length: 0 };
        assert!(matches!(log.append(&[1]), Err(StoreError::Io { .. })));
        assert_eq!(log.length(), 0);
    }
}
