//! Where the entries themselves lie: files that only grow, beside the database that says where in them each entry is.
//!
//! A file is a row of frames: `check u64 | key u64 | moment u64 | length of head u32 | length of rest u32 | head | rest`, little-endian. The
//! check covers all that follows and the place, so that a frame is only ever read as what it was written as, for the key that it
//! was written for. A frame that does not read back is absent. No number of a file is used twice.
//!
//! What a frame means, and whether it is still wanted, is not known here.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::time::Timestamp;

/// A file that has grown to this is followed by another. 128 MiB: two million pages want some thirty open files.
pub(super) const FILE_BYTES: u64 = 128 << 20;
pub(super) const HEADER: usize = 32;
const CHECK: usize = 8;

/// Tells the logs of this process apart, and a log before it was emptied from the same log after.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Place {
    pub(super) file: u32,
    pub(super) offset: u32,
    /// Bytes of the whole frame.
    pub(super) length: u32,
}

/// One frame and no other: where it lies, and its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct FrameName {
    pub(super) place: Place,
    pub(super) check: u64,
}

/// A frame that was read back.
pub(super) struct Frame {
    pub(super) name: FrameName,
    pub(super) key: u64,
    /// The moment that it was given.
    pub(super) at: Timestamp,
    pub(super) head: Bytes,
    pub(super) rest: Bytes,
}

/// The end of the log, as it is noted in the database.
pub(super) type End = (u32, u64);

/// The files.
pub(super) struct Log {
    dir: PathBuf,
    files: RwLock<Files>,
    /// A file of this many bytes is full.
    file_bytes: u64,
}

struct Files {
    id: u64,
    all: BTreeMap<u32, Arc<File>>,
    /// The file that grows.
    last: u32,
    length: u64,
    /// Bytes of all files.
    total: u64,
}

impl Log {
    /// Opens what is in the folder, making it if there is none. If the last file does not end where it was noted to, it was torn,
    /// and a new one is begun.
    pub(super) fn open(dir: &Path, file_bytes: u64, noted: Option<End>) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (mut all, mut total, mut end) = (BTreeMap::new(), 0, None);
        for found in fs::read_dir(dir)? {
            let found = found?;
            if let Some(number) = found.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) {
                let file = OpenOptions::new().read(true).write(true).open(found.path())?;
                let length = file.metadata()?.len();
                total += length;
                end = end.max(Some((number, length)));
                all.insert(number, Arc::new(file));
            }
        }
        let (last, length) = end.unwrap_or_default();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut files = Files { id, all, last, length, total };
        if end.is_none() || end != noted {
            files.begin(dir)?;
        }
        Ok(Self { dir: dir.to_owned(), files: RwLock::new(files), file_bytes })
    }

    /// Files are added and removed in one step: whoever panicked has left them whole.
    fn files(&self) -> RwLockReadGuard<'_, Files> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn files_mut(&self) -> RwLockWriteGuard<'_, Files> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self) -> u64 {
        self.files().id
    }

    /// A file of so many bytes is full.
    pub(super) const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    #[cfg(test)]
    pub(super) const fn set_file_bytes(&mut self, bytes: u64) {
        self.file_bytes = bytes;
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.files().total
    }

    pub(super) fn end(&self) -> End {
        let files = self.files();
        (files.last, files.length)
    }

    /// The oldest file, unless it is the one that grows.
    pub(super) fn oldest(&self) -> Option<u32> {
        let files = self.files();
        files.all.keys().next().copied().filter(|number| *number != files.last)
    }

    /// Whether the file with this frame is still there.
    pub(super) fn holds(&self, place: Place) -> bool {
        self.files().all.contains_key(&place.file)
    }

    /// Hands a frame to the kernel. Its head is not empty.
    pub(super) fn append(&self, key: u64, at: Timestamp, head: &[u8], rest: &[u8]) -> io::Result<FrameName> {
        let too_large = || io::Error::from(ErrorKind::FileTooLarge);
        let length = u32::try_from(HEADER + head.len() + rest.len()).map_err(|_| too_large())?;
        let mut frame = Vec::with_capacity(length as usize);
        frame.extend([0; CHECK]);
        frame.extend(key.to_le_bytes());
        frame.extend(at.as_millis().to_le_bytes());
        frame.extend((head.len() as u32).to_le_bytes());
        frame.extend((rest.len() as u32).to_le_bytes());
        frame.extend(head);
        frame.extend(rest);
        let mut files = self.files_mut();
        if files.length >= self.file_bytes {
            files.begin(&self.dir)?;
        }
        let offset = u32::try_from(files.length).map_err(|_| too_large())?;
        let place = Place { file: files.last, offset, length };
        let check = check(place, &frame[CHECK..]);
        frame[..CHECK].copy_from_slice(&check.to_le_bytes());
        let file = files.all.get(&files.last).ok_or(ErrorKind::NotFound)?;
        // What a failed write has left is written over by the next.
        write_at(file, &frame, files.length)?;
        files.length += u64::from(length);
        files.total += u64::from(length);
        Ok(FrameName { place, check })
    }

    /// The frame of this key at this place, if it reads back.
    pub(super) fn read(&self, key: u64, place: Place) -> Option<Frame> {
        let file = Arc::clone(self.files().all.get(&place.file)?);
        read_frame(&file, place).filter(|frame| frame.key == key)
    }

    /// Shows what was appended from there on, in its order. What does not read back is passed over.
    pub(super) fn since(&self, (number, offset): End, mut visit: impl FnMut(&Frame)) {
        let files: Vec<_> = self.files().all.range(number..).map(|(it, file)| (*it, file.clone())).collect();
        for (file_number, file) in files {
            let mut offset = if file_number == number { offset } else { 0 };
            while let Some(header) = header_at(&file, offset) {
                let place = place_of(file_number, offset, &header);
                if let Some(frame) = place.and_then(|place| read_frame(&file, place)) {
                    visit(&frame);
                }
                offset += header.length();
            }
        }
    }

    /// The keys of all frames of a file, in their order. It ends where a frame cannot be told from the next.
    pub(super) fn keys(&self, number: u32) -> impl Iterator<Item = u64> + use<> {
        let file = self.files().all.get(&number).cloned();
        let mut offset = 0_u64;
        std::iter::from_fn(move || {
            let header = header_at(file.as_deref()?, offset)?;
            offset += header.length();
            Some(header.key)
        })
    }

    /// Removes a file; gives its bytes.
    pub(super) fn remove(&self, number: u32) -> io::Result<u64> {
        let mut files = self.files_mut();
        let Some(file) = files.all.remove(&number) else { return Ok(0) };
        let bytes = file.metadata()?.len();
        files.total = files.total.saturating_sub(bytes);
        fs::remove_file(path(&self.dir, number))?;
        Ok(bytes)
    }

    /// Goes on in a new file.
    pub(super) fn begin(&self) -> io::Result<()> {
        self.files_mut().begin(&self.dir)
    }

    /// Removes everything.
    pub(super) fn clear(&self) -> io::Result<()> {
        let mut files = self.files_mut();
        files.id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        files.begin(&self.dir)?;
        let last = files.last;
        let old: Vec<u32> = files.all.keys().copied().filter(|number| *number != last).collect();
        for number in old {
            files.all.remove(&number);
            fs::remove_file(path(&self.dir, number))?;
        }
        files.total = 0;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let files = self.files();
        files.all.get(&files.last).map_or(Ok(()), |file| file.sync_data())
    }
}

impl Files {
    /// Begins the next file. The one before is brought to the disk by then: nobody will do it later.
    fn begin(&mut self, dir: &Path) -> io::Result<()> {
        if let Some(file) = self.all.get(&self.last) {
            file.sync_data()?;
        }
        let next = self.last.checked_add(1).ok_or(ErrorKind::FileTooLarge)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path(dir, next))?;
        self.all.insert(next, Arc::new(file));
        (self.last, self.length) = (next, 0);
        Ok(())
    }
}

/// What stands in front of a frame.
struct Header {
    check: u64,
    key: u64,
    at: Timestamp,
    head: u32,
    rest: u32,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (check, bytes) = bytes.split_first_chunk()?;
        let (key, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let at = Timestamp::from_millis(u64::from_le_bytes(*at));
        let (head, bytes) = bytes.split_first_chunk()?;
        let (rest, _) = bytes.split_first_chunk()?;
        let (check, key) = (u64::from_le_bytes(*check), u64::from_le_bytes(*key));
        Some(Self { check, key, at, head: u32::from_le_bytes(*head), rest: u32::from_le_bytes(*rest) })
    }

    fn length(&self) -> u64 {
        HEADER as u64 + u64::from(self.head) + u64::from(self.rest)
    }
}

/// What stands at this place of a file. What has no head is none: a file may end with zeros after a power cut.
fn header_at(file: &File, offset: u64) -> Option<Header> {
    let mut bytes = [0; HEADER];
    read_at(file, &mut bytes, offset).ok()?;
    Header::of(&bytes).filter(|header| header.head > 0)
}

fn place_of(file: u32, offset: u64, header: &Header) -> Option<Place> {
    let (offset, length) = (u32::try_from(offset).ok()?, u32::try_from(header.length()).ok()?);
    Some(Place { file, offset, length })
}

fn read_frame(file: &File, place: Place) -> Option<Frame> {
    // A length that is wrong must not cost its memory.
    let fits = u64::from(place.offset) + u64::from(place.length) <= file.metadata().ok()?.len();
    let mut bytes = vec![0; if fits { place.length as usize } else { 0 }];
    read_at(file, &mut bytes, u64::from(place.offset)).ok()?;
    let header = Header::of(&bytes)?;
    if header.length() != u64::from(place.length) || check(place, &bytes[CHECK..]) != header.check {
        return None;
    }
    let bytes = Bytes::from(bytes);
    let behind = HEADER + header.head as usize;
    let name = FrameName { place, check: header.check };
    let (head, rest) = (bytes.slice(HEADER..behind), bytes.slice(behind..));
    Some(Frame { name, key: header.key, at: header.at, head, rest })
}

fn check(place: Place, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, u64::from(place.file) << 32 | u64::from(place.offset))
}

fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}"))
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[count..];
        offset += count as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[count..];
        offset += count as u64;
    }
    Ok(())
}
