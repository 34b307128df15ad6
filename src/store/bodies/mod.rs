//! Exchange answers: what a crawl was given, kept so that pages can be read again without asking for them again.
//!
//! One file for each answer, named by the fingerprint of its request and spread over 256 folders, so that no URL ever becomes
//! a path. A file is written under another name and moved to its place: whoever is killed leaves the old answer or the new
//! one, and a checksum tells what a power cut has torn. An answer that is lost is asked for again; the crawl's state does not
//! depend on it.
//!
//! Why files and no pack with an index: a page that has changed takes the place of the old one and leaves nothing to clean
//! up, reading needs neither a lock nor a log to be replayed, and both can go on while a crawl writes.

mod frame;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use frame::telling_headers;
use frame::{FrameError, Head};

use super::StoreError;
use crate::request::Request;
use crate::response::Response;
use crate::url::Fingerprint;

/// Where files are written before they are moved to their places.
const UNFINISHED: &str = "unfinished";
/// The least that a file takes on most file systems.
const BLOCK: u64 = 4_096;

/// A recorded answer, and what was asked.
///
/// Of the request its headers and its body are missing, which may hold credentials; of the response all header fields that
/// say nothing about the page, cookies among them. All its moments are the one in which its last byte had been read.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// What came back.
    pub response: Response,
}

/// What became of an answer that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was written.
    Written,
    /// It was there already, as it is.
    Same,
    /// It was cut at a limit, and what is there is more of the page.
    Shorter,
    /// There is no room for it.
    Full,
}

/// The recorded answers of one crawl.
#[derive(Debug)]
pub struct Bodies {
    dir: PathBuf,
    limit: u64,
    used: AtomicU64,
    full: AtomicBool,
    /// Numbers the unfinished files.
    next: AtomicU64,
}

impl Bodies {
    /// Opens the folder for writing, making it if there is none. Answers are kept until they take `limit` bytes
    /// on the disk together.
    ///
    /// # Errors
    /// If the folder cannot be made or read.
    pub fn open(dir: impl Into<PathBuf>, limit: u64) -> Result<Self, StoreError> {
        let bodies = Self::at(dir.into(), limit);
        let unfinished = bodies.dir.join(UNFINISHED);
        fs::create_dir_all(&unfinished).map_err(refused(&unfinished))?;
        for file in files(&unfinished)? {
            fs::remove_file(&file).map_err(refused(&file))?;
        }
        let sizes = bodies.paths()?.into_iter().map(|file| fs::metadata(file).map_or(0, |file| file.len()));
        bodies.used.store(sizes.map(on_disk).sum(), Ordering::Relaxed);
        Ok(bodies)
    }

    /// Opens the folder for reading only: nothing in it is changed.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn read_only(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let bodies = Self::at(dir.into(), 0);
        fs::read_dir(&bodies.dir).map_err(refused(&bodies.dir))?;
        Ok(bodies)
    }

    fn at(dir: PathBuf, limit: u64) -> Self {
        let (used, full, next) = (AtomicU64::new(0), AtomicBool::new(false), AtomicU64::new(0));
        Self { dir, limit, used, full, next }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes that all answers take on the disk, counted in whole blocks of 4 KiB.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether an answer found no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// The answer to the request with this fingerprint, if it was recorded.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn get(&self, key: Fingerprint) -> Result<Option<Exchange>, StoreError> {
        let path = self.path(key);
        let file = read(&path)?;
        file.map(|file| frame::unpack(&file)).transpose().map_err(damaged(&path))
    }

    /// Whether there is a whole answer to the request with this fingerprint.
    #[must_use]
    pub fn holds(&self, key: Fingerprint) -> bool {
        let file = read(&self.path(key)).ok().flatten();
        file.is_some_and(|file| frame::open(&file).is_ok())
    }

    /// Keeps an answer in the place of an earlier one.
    ///
    /// An answer that is as it was is not written again, and one that was cut at a limit does not take the place of a longer
    /// one.
    ///
    /// # Errors
    /// If it cannot be written; the earlier one is then still there.
    pub fn put(&self, request: &Request, response: &Response) -> Result<Kept, StoreError> {
        let path = self.path(request.fingerprint());
        let head = Head::of(request, response);
        let before = read(&path)?;
        // What is damaged is written anew.
        if let Some((known, _)) = before.as_deref().and_then(|file| frame::open(file).ok()) {
            if head.says_the_same_as(&known) {
                return Ok(Kept::Same);
            }
            if head.truncated.is_some() && known.length > head.length {
                return Ok(Kept::Shorter);
            }
        }
        let file = frame::pack(&head, &response.body).map_err(damaged(&path))?;
        self.replace(&path, before.map_or(0, |file| file.len() as u64), &file)
    }

    /// The fingerprints of all answers, in no order that means anything.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn keys(&self) -> Result<Vec<Fingerprint>, StoreError> {
        let paths = self.paths()?;
        let named = |path: &PathBuf| u64::from_str_radix(path.file_name()?.to_str()?, 16).ok();
        Ok(paths.iter().filter_map(named).map(Fingerprint::from_bits).collect())
    }

    fn replace(&self, path: &Path, before: u64, file: &[u8]) -> Result<Kept, StoreError> {
        let (before, size) = (on_disk(before), on_disk(file.len() as u64));
        let fits = |used: u64| {
            let after = used.saturating_sub(before).saturating_add(size);
            (after <= self.limit).then_some(after)
        };
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            self.full.store(true, Ordering::Relaxed);
            return Ok(Kept::Full);
        }
        self.write(path, file).inspect_err(|_| {
            let undone = |used: u64| Some(used.saturating_add(before).saturating_sub(size));
            let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, undone);
        })?;
        Ok(Kept::Written)
    }

    fn write(&self, path: &Path, file: &[u8]) -> Result<(), StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.dir.join(UNFINISHED).join(number.to_string());
        let written = File::create(&unfinished).and_then(|mut out| out.write_all(file));
        let moved = written.and_then(|()| move_to(&unfinished, path));
        moved.map_err(|error| {
            // It holds nothing that is needed, and the next start removes it too.
            let _ = fs::remove_file(&unfinished);
            refused(path)(error)
        })
    }

    fn path(&self, key: Fingerprint) -> PathBuf {
        let name = format!("{:016x}", key.get());
        self.dir.join(&name[..2]).join(name)
    }

    fn paths(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut paths = Vec::new();
        for shard in 0..=u8::MAX {
            paths.extend(files(&self.dir.join(format!("{shard:02x}")))?);
        }
        Ok(paths)
    }
}

/// What a file of this length takes on the disk.
fn on_disk(length: u64) -> u64 {
    length.next_multiple_of(BLOCK)
}

/// Moves a file to its place, whose folder may be missing.
fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(to.parent().unwrap_or(to))?;
            fs::rename(from, to)
        }
        moved => moved,
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(path)(error)),
    }
}

/// What lies in a folder; nothing if there is none.
fn files(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refused(dir))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(refused(dir))
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Io { path, reason: error.to_string() }
}

fn damaged(path: &Path) -> impl FnOnce(FrameError) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Damaged { path, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
