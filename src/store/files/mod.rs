//! The folder of files: what a crawl downloads, each file under its name, and a manifest that says which URL each one is of.
//!
//! A file comes in piece by piece into `.part`, and its digest is worked out on the way; so memory does not grow with it. It gets
//! its name only with the batch that settles its request. A process that is killed leaves parts behind and nothing else, and
//! what a part has is not asked for again if its server says that the file is still the same (RFC 9110 13.1.5, 14.2).
//!
//! The rule kept: nothing is written outside the folder. Names are plain (see [`name`]), folders on the way are real ones and
//! no links, and what is renamed to its place takes the place of a link and never follows it.
//!
//! Knows nothing of queues and batches: who commits a file says so.

mod intake;
pub mod name;
mod part;
mod rules;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use intake::{Coding, End, Head, Intake, Landed, Next};
pub use name::Naming;
pub use rules::{FileRules, MediaRange};

use crate::headers::validators::Validators;
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint};

/// The manifest's name in the folder.
pub const MANIFEST: &str = "manifest.jsonl";
/// Where files are that are not whole, or whose batch is not written.
const PARTS: &str = ".part";

/// What is known of a file that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Its name, relative to the folder, with slashes.
    pub file: String,
    /// Digest of its content, in hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// Its type without parameters, as its server says.
    pub content_type: Option<String>,
    /// When it came.
    pub fetched_at: Timestamp,
    /// What to ask with whether it has changed.
    pub validators: Validators,
}

/// A file that is to be committed.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Whose file it is: the fingerprint of its request.
    pub request: Fingerprint,
    /// Where it came from, redirects followed.
    pub url: CanonicalUrl,
    /// The file.
    pub saved: Saved,
    /// The status of the last answer: 304 if it was there and has not changed.
    pub status: u16,
    /// When that was.
    pub checked_at: Timestamp,
}

/// A file as a spider sees it, in [`Spider::downloaded`](crate::spider::Spider::downloaded).
#[derive(Debug, Clone)]
pub struct Downloaded {
    /// The URL that was wanted, before redirects.
    pub url: CanonicalUrl,
    /// The page that wanted it first.
    pub page: Option<CanonicalUrl>,
    /// What it will be called, relative to the folder of files.
    pub file: String,
    /// Digest of its content, in hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// Its type without parameters, as its server says.
    pub content_type: Option<String>,
    /// Whether it was there and has not changed.
    pub unchanged: bool,
    /// Where it can be read now.
    pub place: PathBuf,
}

/// Why files cannot be written. Fatal to the run, which stays resumable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file system refused.
    #[error("cannot write files to `{}`: {source}; make room or give rights, then run again", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Another process writes there.
    #[error("the folder of files `{}` is in use by another crawl: give each its own `folder` in [download]", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A link or a device stands where a folder or a file should be.
    #[error("`{}` is neither a plain file nor a plain folder, and nothing is written through it: remove it", .path.display())]
    Foreign {
        /// What is there.
        path: PathBuf,
    },
    /// A file that had come is gone.
    #[error("`{}` was removed while the crawl ran: leave the folder `.part` alone, then run again", .path.display())]
    Lost {
        /// The file.
        path: PathBuf,
    },
}

/// The folder, held as long as this lives.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    rules: FileRules,
    /// Bytes of the files of the round, those on their way included.
    spent: AtomicU64,
    /// Folders in which something was named since the last sync.
    touched: Mutex<BTreeSet<PathBuf>>,
    lock: File,
}

impl Files {
    /// Takes the folder, making it if there is none. The round has `spent` bytes already.
    ///
    /// # Errors
    /// If it cannot be made, or another process has it.
    pub fn open(folder: &Path, rules: FileRules, spent: u64) -> Result<Self, FileError> {
        let parts = folder.join(PARTS);
        fs::create_dir_all(folder).map_err(|source| refused(folder, source))?;
        make_folder(&parts)?;
        let path = parts.join("lock");
        must_be_plain(&path)?;
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|source| refused(&path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::InUse { path: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(refused(&path, source)),
        }
        let (folder, spent) = (folder.to_owned(), AtomicU64::new(spent));
        Ok(Self { folder, rules, spent, touched: Mutex::default(), lock })
    }

    /// Begins to take a file in, or goes on where an earlier process was cut off. `kept` is what a cache knows of it.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn intake(
        self: &Arc<Self>,
        request: Fingerprint,
        url: &CanonicalUrl,
        kept: Option<Saved>,
    ) -> Result<Intake, FileError> {
        Intake::open(Arc::clone(self), request, url, kept)
    }

    /// What files are wanted.
    #[must_use]
    pub const fn rules(&self) -> &FileRules {
        &self.rules
    }

    /// Where the manifest is.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder.join(MANIFEST)
    }

    /// Whether no further byte is wanted in this round.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rules.max_total.is_some_and(|most| self.spent.load(Ordering::Relaxed) >= most)
    }

    /// Whether the file is still there, as far as its size tells.
    #[must_use]
    pub fn holds(&self, saved: &Saved) -> bool {
        is_file_of(&self.folder.join(&saved.file), saved.size)
    }

    /// Where a file that has come can be read: under its name, or before that where it came in.
    #[must_use]
    pub fn place_of(&self, arrived: &Arrived) -> PathBuf {
        let part = self.part(arrived.request);
        if part.is_file() { part } else { self.folder.join(&arrived.saved.file) }
    }

    /// Gives a file its name; one that has it keeps it. The same content twice is one file. Gives the name, which is another one
    /// than planned if a folder has it.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn name(&self, arrived: &Arrived) -> Result<String, FileError> {
        let part = self.part(arrived.request);
        let saved = &arrived.saved;
        let has_come = is_file_of(&part, saved.size);
        let ending = saved.file.rsplit_once('.').map_or("bin", |(_, ending)| ending);
        for file in [saved.file.clone(), name::apart(&arrived.url, ending)] {
            let place = self.folder.join(&file);
            if !has_come && is_file_of(&place, saved.size) {
                return Ok(file);
            }
            if has_come && self.make_folders(&file)? && !is_folder(&place) {
                fs::rename(&part, &place).map_err(|source| refused(&place, source))?;
                self.touch(&place);
                return Ok(file);
            }
        }
        Err(FileError::Lost { path: part })
    }

    /// The batch of a file is written: what was kept to go on with it is not needed any more.
    pub fn settled(&self, request: Fingerprint) {
        // What stays behind is in nobody's way: it is looked at only if the file is asked for again.
        drop(fs::remove_file(self.note(request)));
        drop(fs::remove_file(self.part(request)));
    }

    /// Makes names survive a power cut.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn sync(&self) -> Result<(), FileError> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        touched.into_iter().try_for_each(|folder| {
            File::open(&folder).and_then(|open| open.sync_all()).map_err(|source| refused(&folder, source))
        })
    }

    fn touch(&self, place: &Path) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        // The folder itself, and those above it: they may be new too.
        let above = place.ancestors().skip(1).take_while(|path| path.starts_with(&self.folder));
        touched.extend(above.map(Path::to_owned));
    }

    /// Makes the folders that a name stands in. `false` if a file has the name of one of them.
    fn make_folders(&self, file: &str) -> Result<bool, FileError> {
        let mut path = self.folder.clone();
        let folders = file.rsplit_once('/').map_or("", |(folders, _)| folders);
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            path.push(folder);
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
                return Ok(false);
            }
            make_folder(&path)?;
        }
        Ok(true)
    }

    fn part(&self, request: Fingerprint) -> PathBuf {
        self.folder.join(PARTS).join(format!("{:016x}", request.get()))
    }

    fn note(&self, request: Fingerprint) -> PathBuf {
        self.folder.join(PARTS).join(format!("{:016x}.json", request.get()))
    }

    /// Counts bytes that are to be written. `false` if they are too many for the round.
    fn spend(&self, bytes: u64) -> bool {
        let before = self.spent.fetch_add(bytes, Ordering::Relaxed);
        self.rules.max_total.is_none_or(|most| before.saturating_add(bytes) <= most)
    }

    fn give_back(&self, bytes: u64) {
        self.spent.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Lets the folder go by name: a child process that is just being started may still hold a copy of the open file.
impl Drop for Files {
    fn drop(&mut self) {
        // If this fails, closing the file does the same.
        let _ = self.lock.unlock();
    }
}

/// Makes a folder that is none yet. A link to a folder is none.
fn make_folder(path: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(FileError::Foreign { path: path.to_owned() }),
        Err(_) => match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(path) => Ok(()),
            made => made.map_err(|source| refused(path, source)),
        },
    }
}

/// Refuses to open what is there and is no plain file.
fn must_be_plain(path: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(FileError::Foreign { path: path.to_owned() }),
        _ => Ok(()),
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn is_file_of(path: &Path, size: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == size)
}

fn refused(path: &Path, source: io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
