//! The state directory: who holds it, and which format it has.
//!
//! `lock` is held by the operating system's file lock, which ends with its process however that ends; the process id in it
//! is only for the message. `FORMAT` is written before anything else. `synced` tells a loss that nothing else would. Files that are
//! not ours may lie beside ours and are left alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The format that this program reads and writes.
pub(super) const FORMAT: u32 = 5;
const FORMAT_LINE: &str = "crawl state, format ";

/// The directory, held as long as this lives.
#[derive(Debug)]
pub(super) struct StateDir {
    path: PathBuf,
    lock: File,
}

impl StateDir {
    /// Takes the directory, making it if there is none.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(|error| io_error(path, &error))?;
        let dir = Self { path: path.to_owned(), lock: lock(path)? };
        dir.check_format()?;
        Ok(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database of queues is.
    pub(super) fn frontier(&self) -> PathBuf {
        self.path.join("frontier")
    }

    /// Where seen log number `number` is.
    pub(super) fn seen_log(&self, number: u32) -> PathBuf {
        self.path.join(seen_log_name(number))
    }

    /// The numbers of all seen logs that are there.
    pub(super) fn seen_logs(&self) -> Result<Vec<u32>, StoreError> {
        let entries = fs::read_dir(&self.path).map_err(|error| io_error(&self.path, &error))?;
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| io_error(&self.path, &error))?.file_name();
            numbers.extend(name.to_str().and_then(seen_log_number));
        }
        Ok(numbers)
    }

    /// How many steps were safe at the last sync, as far as that is known.
    pub(super) fn synced(&self) -> u64 {
        synced(&self.path)
    }

    /// Writes down how many steps are safe by now. It only serves to notice a loss, so it need not be safe itself.
    pub(super) fn note_synced(&self, steps: u64) -> Result<(), StoreError> {
        let path = self.path.join("synced");
        fs::write(&path, format!("{steps}\n")).map_err(|error| io_error(&path, &error))
    }

    /// Makes new and removed files of the directory survive a power cut.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(|error| io_error(&self.path, &error))
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let file = self.path.join("FORMAT");
        match fs::read(&file) {
            Ok(bytes) => self.read_format(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.begin(&file),
            Err(error) => Err(io_error(&file, &error)),
        }
    }

    fn read_format(&self, text: &str) -> Result<(), StoreError> {
        match format_of(text) {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(StoreError::Version {
                path: self.path.clone(),
                found: found.to_string(),
                expected: FORMAT,
            }),
            // No version ever wrote that.
            None => Err(StoreError::Damaged {
                path: self.path.join("FORMAT"),
                reason: format!(
                    "it does not hold a version; in a state of this program it is `{FORMAT_LINE}{FORMAT}`"
                ),
            }),
        }
    }

    /// Writes `FORMAT` beside its place and moves it there, so that it is never half there.
    fn begin(&self, file: &Path) -> Result<(), StoreError> {
        if self.frontier().exists() || !self.seen_logs()?.is_empty() {
            return Err(StoreError::Damaged {
                path: self.path.clone(),
                reason: "the file FORMAT is missing".to_owned(),
            });
        }
        let fresh = self.path.join("FORMAT.new");
        let written = File::create(&fresh).and_then(|mut out| {
            out.write_all(format!("{FORMAT_LINE}{FORMAT}\n").as_bytes())?;
            out.sync_all()
        });
        written.and_then(|()| fs::rename(&fresh, file)).map_err(|error| io_error(file, &error))
    }
}

/// Lets the directory go by name: a child process that is just being started may still hold a copy of the open file.
impl Drop for StateDir {
    fn drop(&mut self) {
        // If this fails, closing the file does the same.
        let _ = self.lock.unlock();
    }
}

/// How many steps of a state in this directory were safe at the last sync, as far as that is known.
pub(super) fn synced(dir: &Path) -> u64 {
    let text = fs::read_to_string(dir.join("synced")).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

/// Which format a text of the file `FORMAT` names.
pub(super) fn format_of(text: &str) -> Option<u32> {
    text.trim_end().strip_prefix(FORMAT_LINE)?.parse().ok()
}

/// What the file `FORMAT` says of this format.
pub(super) fn format_line() -> String {
    format!("{FORMAT_LINE}{FORMAT}\n")
}

/// Holds the directory alone, without a look at what is in it.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| io_error(&path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { path: dir.to_owned(), pid: written_down(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(io_error(&path, &error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| io_error(&path, &error))?;
    Ok(file)
}

/// The process that holds a state, as it wrote itself down; none if nobody does.
#[must_use]
pub fn holder(dir: &Path) -> Option<String> {
    let mut file = File::open(dir.join("lock")).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Some(written_down(&mut file)),
        // Where files cannot be locked, nobody can hold it.
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn written_down(file: &mut File) -> String {
    let mut text = String::new();
    // The holder may not have written its id yet: then it stays unknown, the lock counts all the same.
    let read = file.take(20).read_to_string(&mut text);
    match text.trim() {
        pid if read.is_ok() && !pid.is_empty() => pid.to_owned(),
        _ => "unknown".to_owned(),
    }
}

pub(super) fn seen_log_name(number: u32) -> String {
    format!("seen-{number:04}.log")
}

fn seen_log_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("seen-")?.strip_suffix(".log")?.parse().ok()?;
    (seen_log_name(number) == name).then_some(number)
}

/// An error of the file system at this path.
pub(super) fn io_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), reason: error.to_string() }
}
