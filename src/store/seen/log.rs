//! The seen-set on disk: a file that only grows, and the table that is rebuilt from it.
//!
//! One record per commit that brought something new: `count u32 | check u32 | count × fingerprint u64`, little-endian. The
//! check covers count, fingerprints and the record's place in the file. The store records how long the file is in the same
//! atomic step as the queues; on opening, the file is cut back to that length. So after kill -9 both tell the same story.
//!
//! Bytes that do not read back are left out and counted, the records behind them are found again: a fingerprint that is
//! lost means a page that may be fetched twice, never one that is missed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SeenView;
use super::table::SeenTable;
use crate::store::StoreError;
use crate::store::lock::io_error;

const HEADER: usize = 8;
/// Fingerprints of one record at most: bounds what one bad byte can take with it.
const MAX_COUNT: usize = 4_096;
/// Set in the count of all records of a commit but the last.
const GOES_ON: u32 = 1 << 31;
const CHUNK: usize = 1 << 20;

/// The file and the table.
#[derive(Debug)]
pub(in crate::store) struct SeenLog {
    path: PathBuf,
    file: File,
    length: u64,
    table: Arc<SeenTable>,
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

impl SeenLog {
    /// Opens or makes the file, reads `recorded` bytes of it and drops what is behind them.
    pub(in crate::store) fn open(path: &Path, recorded: u64) -> Result<(Self, LogReport), StoreError> {
        Self::try_open(path, recorded).map_err(|error| io_error(path, &error))
    }

    fn try_open(path: &Path, recorded: u64) -> io::Result<(Self, LogReport)> {
        let mut file = open_file(path)?;
        let found = file.metadata()?.len();
        let there = recorded.min(found);
        let table = Arc::new(SeenTable::for_entries(there / 8));
        let read = read_records(&mut file, 0..there, |fingerprint| {
            table.insert(fingerprint);
        })?;
        let behind = read_records(&mut file, there..found, |_| {})?;
        file.set_len(there)?;
        file.seek(SeekFrom::End(0))?;
        let log = Self { path: path.to_owned(), file, length: there, table };
        let report =
            LogReport { missing: recorded - there, unreadable: read.unreadable, ahead: behind.commits };
        Ok((log, report))
    }

    /// Moves to a new file that holds everything that is known, and `more`.
    pub(in crate::store) fn rewrite(&mut self, path: &Path, more: &[u64]) -> Result<(), StoreError> {
        for fingerprint in more {
            self.table.insert(*fingerprint);
        }
        let (file, length) = write_all(path, &self.table).map_err(|error| io_error(path, &error))?;
        self.path = path.to_owned();
        self.file = file;
        self.length = length;
        Ok(())
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::store) fn length(&self) -> u64 {
        self.length
    }

    pub(in crate::store) fn contains(&self, fingerprint: u64) -> bool {
        self.table.contains(fingerprint)
    }

    /// For those who only ask.
    pub(in crate::store) fn view(&self) -> SeenView {
        SeenView::of(&self.table)
    }

    /// Goes on, new and empty, where `old` was: its views show this from now on.
    pub(in crate::store) fn take_views_of(&mut self, old: Self) {
        old.table.clear();
        self.table.for_each(|fingerprint| {
            old.table.insert(fingerprint);
        });
        self.table = old.table;
    }

    /// Hands the fingerprints of a commit to the kernel and tells how long the file is then.
    ///
    /// They count when [`SeenLog::confirm`] is called; without it the next commit is written over them.
    pub(in crate::store) fn append(&mut self, fingerprints: &[u64]) -> Result<u64, StoreError> {
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

    /// The commit of these fingerprints has happened, and the file is this long.
    pub(in crate::store) fn confirm(&mut self, fingerprints: &[u64], length: u64) {
        self.length = length;
        for fingerprint in fingerprints {
            self.table.insert(*fingerprint);
        }
    }

    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| io_error(&self.path, &error))
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn write_all(path: &Path, table: &SeenTable) -> io::Result<(File, u64)> {
    let mut file = open_file(path)?;
    file.set_len(0)?;
    let mut all = Vec::new();
    table.for_each(|fingerprint| all.push(fingerprint));
    let mut length = 0;
    for part in all.chunks(CHUNK / 8) {
        let bytes = records(part, length);
        file.write_all(&bytes)?;
        length += bytes.len() as u64;
    }
    file.sync_data()?;
    Ok((file, length))
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

#[derive(Debug, Default)]
struct Tally {
    unreadable: u64,
    commits: u64,
}

/// Reads the records between two places, a window at a time; behind bad bytes it looks for the next good record.
fn read_records(
    file: &mut File,
    places: std::ops::Range<u64>,
    mut each: impl FnMut(u64),
) -> io::Result<Tally> {
    file.seek(SeekFrom::Start(places.start))?;
    let mut input = file.take(places.end - places.start);
    let (mut window, mut at, mut place) = (Vec::new(), 0, places.start);
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
        let step = if let Some(record) = record_at(left, place) {
            for fingerprint in record[HEADER..].chunks_exact(8) {
                each(u64::from_le_bytes(fingerprint.try_into().expect("eight bytes")));
            }
            read.commits += u64::from(record[3] & 0x80 == 0);
            record.len()
        } else {
            let skipped = left.len().min(8);
            read.unreadable += skipped as u64;
            skipped
        };
        at += step;
        place += step as u64;
    }
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

    fn open(path: &Path, recorded: u64) -> (SeenLog, LogReport) {
        SeenLog::open(path, recorded).unwrap()
    }

    fn commit(log: &mut SeenLog, fingerprints: &[u64]) -> u64 {
        let length = log.append(fingerprints).unwrap();
        log.confirm(fingerprints, length);
        length
    }

    #[test]
    fn it_holds_what_was_confirmed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, report) = open(&path, 0);
        assert_eq!(report, LogReport::default());
        let many: Vec<u64> = (0..10_000).collect();
        commit(&mut log, &many);
        let length = commit(&mut log, &[77_777]);
        assert_eq!(length, 3 * 8 + 10_000 * 8 + 8 + 8);
        let (log, report) = open(&path, length);
        assert_eq!(report, LogReport::default());
        assert!((0..10_000).all(|number| log.contains(number)) && log.contains(77_777));
    }

    #[test]
    fn what_was_not_confirmed_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = open(&path, 0);
        log.append(&[1, 2, 3]).unwrap();
        let length = commit(&mut log, &[4]);
        let (log, report) = open(&path, length);
        assert!(log.contains(4) && ![1, 2, 3].iter().any(|number| log.contains(*number)));
        assert_eq!(report, LogReport::default());
    }

    #[test]
    fn commits_behind_the_recorded_end_are_counted_and_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = open(&path, 0);
        let length = commit(&mut log, &[1]);
        commit(&mut log, &(2..9_000).collect::<Vec<_>>());
        commit(&mut log, &[9_000]);
        let (log, report) = open(&path, length);
        assert_eq!(report.ahead, 2);
        assert!(log.contains(1) && !log.contains(2) && !log.contains(9_000));
        assert_eq!(open(&path, length).1, LogReport::default());
    }

    #[test]
    fn records_behind_bad_bytes_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = open(&path, 0);
        let lengths: Vec<u64> = (0..1_000).map(|number| commit(&mut log, &[number, !number])).collect();
        let mut bytes = std::fs::read(&path).unwrap();
        let (from, to) = (lengths[9] as usize, lengths[499] as usize);
        bytes[from..to].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let (log, report) = open(&path, lengths[999]);
        assert_eq!(report.unreadable, lengths[499] - lengths[9]);
        assert!(log.contains(9) && !log.contains(10) && !log.contains(499) && log.contains(500));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_it_as_it_was() {
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = SeenLog { path: PathBuf::from("/dev/full"), file, length: 0, table: Arc::default() };
        assert!(matches!(log.append(&[1]), Err(StoreError::Io { .. })));
        assert!(!log.contains(1) && log.length() == 0);
    }
}
