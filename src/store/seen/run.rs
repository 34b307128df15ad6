//! A run: fingerprints of a stretch of the log, sorted, in a file that never changes.
//!
//! `header | filter | pages | first of each page`. A page is 4 KiB: 511 fingerprints and a check. In memory are the first
//! fingerprint of each page and the filter, once it is loaded; so a look-up reads one page at most.
//!
//! A run is derived: whatever is wrong with it, its stretch of the log has the same fingerprints. It is tied to this stretch by
//! a digest of the log's bytes at its end. It is written under another name and gets its own when all of it is on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::filter::{Filter, FilterWriter, Shape};
use super::names::RunName;

const MAGIC: &[u8; 8] = b"crawlrun";
const FORMAT: u64 = 1;
const HEADER: usize = 13 * 8;
const PAGE: usize = 4_096;
const ENTRIES: usize = PAGE / 8 - 1;
const BUFFER: usize = 256 << 10;

/// What a run says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: RunName,
    /// Digest of the log's bytes before the end of the stretch.
    pub(super) tie: u64,
    pub(super) entries: u64,
    pub(super) filter: Shape,
    filter_digest: u64,
    firsts_digest: u64,
}

/// A run on disk.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) path: PathBuf,
    pub(super) head: Head,
    file: File,
    /// The first fingerprint of each page.
    firsts: Box<[u64]>,
    /// A page did not read back.
    is_damaged: AtomicBool,
}

impl Head {
    fn pages(&self) -> u64 {
        self.entries.div_ceil(ENTRIES as u64)
    }

    /// Where page `number` begins.
    fn page(&self, number: u64) -> u64 {
        PAGE as u64 + self.filter.bytes(0).next_multiple_of(PAGE as u64) + number * PAGE as u64
    }

    fn length(&self) -> u64 {
        self.page(self.pages()) + 8 * self.pages()
    }

    fn to_bytes(self) -> [u8; HEADER] {
        let numbers = [
            u64::from_le_bytes(*MAGIC),
            FORMAT,
            u64::from(self.name.log),
            self.name.from,
            self.name.to,
            self.tie,
            self.entries,
            self.filter.blocks,
            u64::from(self.filter.probes),
            self.filter_digest,
            self.firsts_digest,
            self.length(),
        ];
        let mut bytes = [0; HEADER];
        for (bytes, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        let check = xxh3_64(&bytes[..HEADER - 8]);
        bytes[HEADER - 8..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let mut numbers = bytes.chunks_exact(8).map(number);
        let mut next = || numbers.next().expect("the header has so many numbers");
        let known = next() == u64::from_le_bytes(*MAGIC) && next() == FORMAT;
        let name = RunName { log: u32::try_from(next()).ok()?, from: next(), to: next() };
        let (tie, entries) = (next(), next());
        let filter = Shape { blocks: next(), probes: u32::try_from(next()).ok()? };
        let (filter_digest, firsts_digest) = (next(), next());
        let head = Self { name, tie, entries, filter, filter_digest, firsts_digest };
        let check = number(&bytes[HEADER - 8..]);
        (known && check == xxh3_64(&bytes[..HEADER - 8]) && next() == head.length()).then_some(head)
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a run of the seen-set does not read back")
}

impl Run {
    /// Opens a run; an error if it is not whole, or not what its name says.
    pub(super) fn open(path: PathBuf, name: RunName) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let head = Head::read(&header).filter(|head| head.name == name).ok_or_else(damaged)?;
        if file.metadata()?.len() != head.length() {
            return Err(damaged());
        }
        file.seek(SeekFrom::Start(head.page(head.pages())))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if xxh3_64(&bytes) != head.firsts_digest {
            return Err(damaged());
        }
        let firsts = bytes.chunks_exact(8).map(number).collect();
        Ok(Self { path, head, file, firsts, is_damaged: AtomicBool::new(false) })
    }

    /// Memory in use but for the filter, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        (self.firsts.len() * size_of::<u64>()) as u64
    }

    /// Reads the filter, folded so often.
    pub(super) fn filter(&self, folds: u32) -> io::Result<Filter> {
        let bytes = At { file: &self.file, place: PAGE as u64 };
        let filter = Filter::read(bytes, self.head.filter, folds, self.head.filter_digest)?;
        filter.ok_or_else(damaged)
    }

    /// Whether the run holds the fingerprint: reads a page at most.
    pub(super) fn contains(&self, fingerprint: u64) -> io::Result<bool> {
        let behind = self.firsts.partition_point(|first| *first <= fingerprint);
        let Some(number) = behind.checked_sub(1) else {
            return Ok(false);
        };
        let mut page = [0; PAGE];
        let read = At { file: &self.file, place: self.head.page(number as u64) }.read_exact(&mut page);
        let held = read.and_then(|()| self.entries(number as u64, &page));
        let held = held.inspect_err(|_| self.is_damaged.store(true, Ordering::Relaxed))?;
        Ok(find(held, fingerprint))
    }

    /// Whether a page did not read back so far.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    pub(super) fn note_damage(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
    }

    /// All fingerprints in their order, read from the start.
    pub(super) fn sorted(&self) -> Sorted<'_> {
        let pages = At { file: &self.file, place: self.head.page(0) };
        let input = BufReader::with_capacity(BUFFER, pages);
        Sorted { run: self, input, page: [0; PAGE], next_page: 0, at: 0, end: 0 }
    }

    /// The bytes of the fingerprints of a page, if its check is right.
    fn entries<'a>(&self, number: u64, page: &'a [u8; PAGE]) -> io::Result<&'a [u8]> {
        let (entries, check) = page.split_at(PAGE - 8);
        if check != page_check(entries, number) {
            return Err(damaged());
        }
        let left = self.head.entries - number * ENTRIES as u64;
        Ok(&entries[..8 * usize::try_from(left).map_or(ENTRIES, |left| left.min(ENTRIES))])
    }
}

fn page_check(entries: &[u8], number: u64) -> [u8; 8] {
    xxh3_64_with_seed(entries, number).to_le_bytes()
}

/// Binary search in the bytes of a page.
fn find(entries: &[u8], fingerprint: u64) -> bool {
    let (mut from, mut to) = (0, entries.len() / 8);
    while from < to {
        let middle = from.midpoint(to);
        match number(&entries[8 * middle..8 * middle + 8]).cmp(&fingerprint) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => from = middle + 1,
            std::cmp::Ordering::Greater => to = middle,
        }
    }
    false
}

/// Reads a file that others read too, from a place on.
struct At<'a> {
    file: &'a File,
    place: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(self.file, bytes, self.place)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(self.file, bytes, self.place)?;
        self.place += read as u64;
        Ok(read)
    }
}

/// The fingerprints of a run in their order.
pub(super) struct Sorted<'a> {
    run: &'a Run,
    input: BufReader<At<'a>>,
    page: [u8; PAGE],
    next_page: u64,
    at: usize,
    end: usize,
}

impl Sorted<'_> {
    fn turn_page(&mut self) -> io::Result<()> {
        self.input.read_exact(&mut self.page)?;
        self.end = self.run.entries(self.next_page, &self.page)?.len();
        self.next_page += 1;
        self.at = 0;
        Ok(())
    }
}

impl Iterator for Sorted<'_> {
    type Item = io::Result<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.end {
            if self.next_page == self.run.head.pages() {
                return None;
            }
            if let Err(error) = self.turn_page() {
                self.run.note_damage();
                self.next_page = self.run.head.pages();
                return Some(Err(error));
            }
        }
        let entry = number(&self.page[self.at..self.at + 8]);
        self.at += 8;
        Some(Ok(entry))
    }
}

/// Writes a run from fingerprints in their order.
pub(super) struct RunWriter<'a> {
    dir: &'a Path,
    name: RunName,
    filter: FilterWriter<BufWriter<File>>,
    shape: Shape,
    out: BufWriter<File>,
    page: Vec<u8>,
    firsts: Vec<u8>,
    entries: u64,
    last: Option<u64>,
}

impl<'a> RunWriter<'a> {
    /// Begins a run that takes `entries` at most, with a filter of this shape.
    pub(super) fn create(dir: &'a Path, name: RunName, shape: Shape) -> io::Result<Self> {
        let path = dir.join(name.unfinished());
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let mut filter = BufWriter::with_capacity(BUFFER, OpenOptions::new().write(true).open(&path)?);
        filter.seek(SeekFrom::Start(PAGE as u64))?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        out.seek(SeekFrom::Start(PAGE as u64 + shape.bytes(0).next_multiple_of(PAGE as u64)))?;
        Ok(Self {
            dir,
            name,
            filter: FilterWriter::new(filter, shape),
            shape,
            out,
            page: Vec::with_capacity(PAGE),
            firsts: Vec::new(),
            entries: 0,
            last: None,
        })
    }

    /// Takes the next fingerprint, which is not less than the one before; the same again counts once.
    pub(super) fn add(&mut self, fingerprint: u64) -> io::Result<()> {
        if self.last == Some(fingerprint) {
            return Ok(());
        }
        self.last = Some(fingerprint);
        self.filter.add(fingerprint)?;
        if self.page.is_empty() {
            self.firsts.extend(fingerprint.to_le_bytes());
        }
        self.page.extend(fingerprint.to_le_bytes());
        self.entries += 1;
        if self.page.len() == PAGE - 8 {
            self.end_page()?;
        }
        Ok(())
    }

    fn end_page(&mut self) -> io::Result<()> {
        self.page.resize(PAGE - 8, u8::MAX);
        let number = self.entries.div_ceil(ENTRIES as u64) - 1;
        self.page.extend(page_check(&self.page, number));
        self.out.write_all(&self.page)?;
        self.page.clear();
        Ok(())
    }

    /// Brings all of it to the disk and gives it its name.
    pub(super) fn finish(mut self, tie: u64) -> io::Result<Run> {
        if !self.page.is_empty() {
            self.end_page()?;
        }
        self.out.write_all(&self.firsts)?;
        let head = Head {
            name: self.name,
            tie,
            entries: self.entries,
            filter: self.shape,
            filter_digest: self.filter.finish()?,
            firsts_digest: xxh3_64(&self.firsts),
        };
        let mut file = self.out.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head.to_bytes())?;
        file.sync_all()?;
        let path = self.dir.join(self.name.finished());
        fs::rename(self.dir.join(self.name.unfinished()), &path)?;
        Run::open(path, self.name)
    }
}

/// What ties a run to the log: a digest of the bytes before its end.
pub(super) fn tie(log: &Path, end: u64) -> io::Result<u64> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(end.saturating_sub(PAGE as u64)))?;
    let mut bytes = Vec::new();
    file.take(end.min(PAGE as u64)).read_to_end(&mut bytes)?;
    let mut hasher = Xxh3::with_seed(end);
    hasher.update(&bytes);
    Ok(hasher.digest())
}
