//! The files of an archive: which comes next, which is open, and how far it is committed.
//!
//! A file that is being written ends in `.open`. It loses that ending only when all of it is committed, so whatever has its own name
//! is finished for ever: it is never cut, never written to and never removed by us, and may be moved away. Only `.open` files are
//! cut back after a crash. Files are counted on over all runs, and a new one never takes the name of another.
//!
//! Two crawls that write the same files would destroy each other's work, so an open file is locked.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::mend;
use super::record::Packing;
use crate::sink::line_file::refused;
use crate::sink::{Position, SinkError};
use crate::time::Timestamp;

/// Gathered bytes are handed over at this size, also without a flush.
const BUFFER: usize = 256 << 10;
/// The ending of a file that is being written.
const OPEN: &str = ".open";

/// How the files of an archive are called.
#[derive(Debug, Clone)]
pub(super) struct Names {
    folder: PathBuf,
    stem: String,
    ending: &'static str,
    dated: bool,
}

impl Names {
    /// `{prefix}-{timestamp}-{serial}.warc.gz` in a folder.
    pub(super) fn dated(folder: &Path, prefix: &str, packing: Packing) -> Self {
        let (folder, stem) = (folder.to_owned(), prefix.to_owned());
        Self { folder, stem, ending: ending(packing), dated: true }
    }

    /// One file, and beyond its size `{name}-{serial}.warc.gz` beside it.
    pub(super) fn single(file: &Path, packing: Packing) -> Self {
        let ending = ending(packing);
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let stem = name.strip_suffix(ending).unwrap_or(name).to_owned();
        Self { folder: file.parent().unwrap_or(Path::new("")).to_owned(), stem, ending, dated: false }
    }

    fn name(&self, serial: u32, at: Timestamp) -> String {
        let Self { stem, ending, .. } = self;
        let date: String = at.to_string().chars().filter(char::is_ascii_digit).collect();
        match serial {
            _ if self.dated => format!("{stem}-{date}-{serial:05}{ending}"),
            1 => format!("{stem}{ending}"),
            _ => format!("{stem}-{serial:05}{ending}"),
        }
    }

    /// The number of a file that is called so, if it is one of these.
    fn serial(&self, name: &str) -> Option<u32> {
        let rest = name.strip_prefix(&self.stem)?.strip_suffix(self.ending)?;
        if rest.is_empty() && !self.dated {
            return Some(1);
        }
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let rest = rest.strip_prefix('-')?;
        let serial = match self.dated {
            true => rest.split_once('-').filter(|(date, _)| date.len() == 17 && digits(date))?.1,
            false => rest,
        };
        (serial.len() >= 5 && digits(serial)).then(|| serial.parse().ok())?
    }

    /// All files that are there, in order.
    fn found(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.place())? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let (closed, is_open) = match name.strip_suffix(OPEN) {
                Some(closed) => (closed, true),
                None => (name, false),
            };
            if let Some(serial) = self.serial(closed) {
                found.push(Found { serial, path: self.folder.join(closed), is_open });
            }
        }
        found.sort_by_key(|found| found.serial);
        Ok(found)
    }

    fn place(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }
}

/// The ending of a file.
pub(super) const fn ending(packing: Packing) -> &'static str {
    match packing {
        Packing::Gzip => ".warc.gz",
        Packing::Plain => ".warc",
    }
}

/// A file of an archive.
struct Found {
    serial: u32,
    /// Without the ending of an open file.
    path: PathBuf,
    is_open: bool,
}

/// A file that is being written.
struct Part {
    serial: u32,
    /// Where it will lie.
    path: PathBuf,
    file: File,
    /// Bytes that were handed over.
    length: u64,
}

impl Part {
    /// Makes a file. `None` if there is one of that name.
    fn begin(serial: u32, path: PathBuf) -> Result<Option<Self>, SinkError> {
        let open = open_name(&path);
        if path.exists() {
            return Ok(None);
        }
        match File::options().read(true).write(true).create_new(true).open(&open) {
            Ok(file) => Self::locked(Self { serial, path, file, length: 0 }).map(Some),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(refused(&open, error)),
        }
    }

    /// Takes up a file that an earlier run has left open.
    fn take_up(found: Found) -> Result<Self, SinkError> {
        let open = open_name(&found.path);
        let file =
            File::options().read(true).write(true).open(&open).map_err(|error| refused(&open, error))?;
        let length = file.metadata().map_err(|error| refused(&open, error))?.len();
        Self::locked(Self { serial: found.serial, path: found.path, file, length })
    }

    fn locked(part: Self) -> Result<Self, SinkError> {
        match part.file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(SinkError::InUse { path: open_name(&part.path) }),
            // Where files cannot be locked nothing can be done about it.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(part),
        }
    }

    fn cut(&mut self, length: u64) -> Result<(), SinkError> {
        let path = open_name(&self.path);
        if self.length < length {
            return Err(SinkError::Shortened { path, expected: length, found: self.length });
        }
        let cut = self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::Start(length)));
        self.length = cut.map_err(|error| refused(&path, error))?;
        Ok(())
    }

    /// Writes all or, as far as the file system lets us, nothing.
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        if let Err(error) = self.file.write_all(bytes) {
            // The first error is the one to tell; if the cut fails too, the next rewind does it.
            drop(self.cut(self.length));
            return Err(refused(&open_name(&self.path), error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> Result<(), SinkError> {
        self.file.sync_data().map_err(|error| refused(&open_name(&self.path), error))
    }

    /// Gives the file its own name.
    fn close(self) -> Result<(), SinkError> {
        self.sync()?;
        drop(self.file);
        fs::rename(open_name(&self.path), &self.path).map_err(|error| refused(&self.path, error))
    }

    /// Cuts it behind its last whole record and gives it its own name.
    fn mend(mut self, packing: Packing) -> Result<(), SinkError> {
        let whole = mend::whole_length(&self.file, packing);
        match whole.map_err(|error| refused(&open_name(&self.path), error))? {
            0 => self.remove(),
            length => {
                self.cut(length)?;
                self.close()
            }
        }
    }

    fn remove(self) -> Result<(), SinkError> {
        let open = open_name(&self.path);
        drop(self.file);
        fs::remove_file(&open).map_err(|error| refused(&open, error))
    }
}

fn open_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OPEN);
    name.into()
}

/// The files of an archive.
pub(super) struct Parts {
    names: Names,
    packing: Packing,
    rotate_size: u64,
    current: Option<Part>,
    gathered: Vec<u8>,
    /// Full since the last sync, and full at it: these are committed, and lose their ending at the next one.
    full: Vec<Part>,
    settled: Vec<Part>,
    /// The number of the next file.
    next: u32,
}

impl Parts {
    /// Makes the folder and looks what is there.
    pub(super) fn open(names: Names, packing: Packing, rotate_size: u64) -> Result<Self, SinkError> {
        fs::create_dir_all(names.place()).map_err(|error| refused(names.place(), error))?;
        let mut parts = Self {
            names,
            packing,
            rotate_size,
            current: None,
            gathered: Vec::new(),
            full: Vec::new(),
            settled: Vec::new(),
            next: 1,
        };
        parts.next = parts.last()? + 1;
        Ok(parts)
    }

    /// Sees to it that there is a file with room. Tells its name if it was begun for that.
    pub(super) fn make_room(&mut self, at: Timestamp) -> Result<Option<String>, SinkError> {
        if self.reach() >= self.rotate_size {
            self.hand_over()?;
            self.full.extend(self.current.take());
        }
        if self.current.is_some() {
            return Ok(None);
        }
        loop {
            if self.next > Position::LAST_PART {
                let reason = "it has as many files as can be counted: begin another archive".to_owned();
                return Err(SinkError::Path { path: self.names.folder.clone(), reason });
            }
            let name = self.names.name(self.next, at);
            self.current = Part::begin(self.next, self.names.folder.join(&name))?;
            self.next += 1;
            if self.current.is_some() {
                return Ok(Some(name));
            }
        }
    }

    /// Where the next byte of the open file goes.
    pub(super) fn reach(&self) -> u64 {
        self.current.as_ref().map_or(0, |part| part.length + self.gathered.len() as u64)
    }

    /// The name of the open file.
    pub(super) fn name(&self) -> &str {
        let path = self.current.as_ref().map(|part| part.path.as_path());
        path.and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or_default()
    }

    /// Adds a record.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), SinkError> {
        write(&mut self.gathered);
        if self.gathered.len() >= BUFFER { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), SinkError> {
        if let Some(part) = &mut self.current {
            part.write(&self.gathered)?;
        }
        self.gathered.clear();
        Ok(())
    }

    /// Hands everything over and tells how far the archive reaches.
    pub(super) fn flush(&mut self) -> Result<Position, SinkError> {
        self.hand_over()?;
        Ok(match &self.current {
            Some(part) => Position::of_part(part.serial, part.length),
            None => Position::of_part(self.next, 0),
        })
    }

    /// Makes what was flushed survive a power cut. What was full at the last sync gets its own name: since then everything that
    /// was committed before has been made durable as well.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        self.settled.drain(..).try_for_each(Part::close)?;
        self.full.iter().chain(&self.current).try_for_each(Part::sync)?;
        self.settled = std::mem::take(&mut self.full);
        Ok(())
    }

    /// Gives all files their own names. Everything must be committed and durable.
    pub(super) fn close(&mut self) -> Result<(), SinkError> {
        let parts = self.settled.drain(..).chain(self.full.drain(..)).chain(self.current.take());
        parts.into_iter().try_for_each(Part::close)
    }

    /// Cuts back to what was committed.
    ///
    /// Without a position nothing of this crawl is in an open file. What is found open then is a crawl's whose state is gone, or
    /// of a round before: its whole records are kept.
    pub(super) fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.gathered.clear();
        self.current = None;
        let (serial, offset) = (to.part(), to.at());
        let mut is_there = offset == 0;
        for found in self.found()? {
            is_there |= found.serial == serial;
            match found {
                Found { is_open: false, .. } => {}
                found if to == Position::default() => Part::take_up(found)?.mend(self.packing)?,
                found if found.serial == serial && offset > 0 => {
                    let mut part = Part::take_up(found)?;
                    part.cut(offset)?;
                    self.current = Some(part);
                }
                found if found.serial >= serial => Part::take_up(found)?.remove()?,
                // Full and committed, and its process died before it could say so.
                found => Part::take_up(found)?.close()?,
            }
        }
        self.next = serial.max(self.last()? + 1);
        if is_there {
            return Ok(());
        }
        let name = format!("{}-*-{serial:05}{}{OPEN}", self.names.stem, self.names.ending);
        Err(SinkError::Shortened { path: self.names.folder.join(name), expected: offset, found: 0 })
    }

    /// The number of the last file that is there.
    fn last(&self) -> Result<u32, SinkError> {
        Ok(self.found()?.last().map_or(0, |last| last.serial))
    }

    fn found(&self) -> Result<Vec<Found>, SinkError> {
        self.names.found().map_err(|error| refused(self.names.place(), error))
    }
}
