//! A text output that grows by whole lines and can be cut back to a byte.
//!
//! Lines are gathered in memory and handed over only as a whole, so that somebody who reads the file meanwhile never sees half a
//! line of ours (except in the middle of one write of the operating system). A tail, such as the closing bracket of a list, stands
//! behind the last line after each flush and is written over by the next one; it does not count. The file itself is never read here.
//!
//! Standard output, pipes and devices cannot be cut back: for them a position counts lines, and a rewind only goes on counting.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::SinkError;

/// Gathered bytes are handed over at this size, also without a flush.
const BUFFER: usize = 64 << 10;

pub(super) struct LineFile {
    path: PathBuf,
    target: Target,
    /// Bytes (of a file) or lines (of a stream) that were handed over.
    written: u64,
    gathered: Vec<u8>,
    lines_gathered: u64,
    /// What stands behind the last line.
    tail: &'static [u8],
    /// Whether it does.
    has_tail: bool,
    /// Whether this process has added anything.
    is_touched: bool,
}

enum Target {
    /// Closed while it rests.
    File(Option<File>),
    Stream(Box<dyn Write + Send>),
}

impl LineFile {
    /// Opens a file without changing what is in it, or makes it with its folders. `-` is standard output.
    pub(super) fn open(path: &Path, tail: &'static [u8]) -> Result<Self, SinkError> {
        let target = Target::open(path).map_err(|source| refused(path, source))?;
        let mut file = Self {
            path: path.to_owned(),
            target,
            written: 0,
            gathered: Vec::new(),
            lines_gathered: 0,
            tail,
            has_tail: false,
            is_touched: false,
        };
        file.written = file.length()?;
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the output lives in a file, which can be read again and cut back.
    pub(super) const fn is_file(&self) -> bool {
        matches!(self.target, Target::File(_))
    }

    /// Whether nothing was written or gathered yet; of a stream, in this process.
    pub(super) const fn is_at_start(&self) -> bool {
        match self.target {
            Target::File(_) => self.written == 0 && self.gathered.is_empty(),
            Target::Stream(_) => !self.is_touched,
        }
    }

    /// How long it is with what is gathered, without the tail; of a stream the bytes that are gathered.
    pub(super) const fn size(&self) -> u64 {
        match self.target {
            Target::File(_) => self.written + self.gathered.len() as u64,
            Target::Stream(_) => self.gathered.len() as u64,
        }
    }

    /// Adds one record, given with its line end.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), SinkError> {
        self.is_touched = true;
        self.gathered.extend_from_slice(line);
        self.lines_gathered += 1;
        if self.gathered.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands over what is gathered and tells how far the output reaches.
    pub(super) fn flush(&mut self) -> Result<u64, SinkError> {
        let lacks_tail = self.is_file() && !self.has_tail && !self.tail.is_empty();
        if !self.gathered.is_empty() || lacks_tail && !self.is_at_start() {
            self.check_length()?;
            self.hand_over().map_err(|source| refused(&self.path, source))?;
            self.written += match self.target {
                Target::File(_) => self.gathered.len() as u64,
                Target::Stream(_) => self.lines_gathered,
            };
            self.forget_gathered();
        }
        Ok(self.written)
    }

    /// Makes what was handed over survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        match &self.target {
            Target::File(Some(file)) => file.sync_data().map_err(|source| refused(&self.path, source)),
            Target::File(None) | Target::Stream(_) => Ok(()),
        }
    }

    /// Cuts the output back. What was gathered and not flushed is dropped too.
    pub(super) fn rewind(&mut self, to: u64) -> Result<(), SinkError> {
        self.forget_gathered();
        if self.is_file() {
            let found = self.length()?;
            if found < to {
                return Err(self.shortened(to, found));
            }
            let cut = self.file().and_then(|file| file.set_len(to));
            cut.map_err(|source| refused(&self.path, source))?;
            self.has_tail = false;
        }
        self.written = to;
        Ok(())
    }

    /// Goes on at this byte of a file whose end, behind it, counts as a tail.
    pub(super) const fn go_on_at(&mut self, at: u64) {
        self.written = at;
    }

    /// Ends a stream: nothing follows.
    pub(super) fn end(&mut self) -> Result<(), SinkError> {
        self.flush()?;
        if let Target::Stream(stream) = &mut self.target {
            let ended = stream.write_all(self.tail).and_then(|()| stream.flush());
            ended.map_err(|source| refused(&self.path, source))?;
        }
        Ok(())
    }

    /// Closes the file until it is needed again. To be called after a flush.
    pub(super) fn rest(&mut self) -> Result<(), SinkError> {
        self.sync()?;
        if let Target::File(file) = &mut self.target {
            *file = None;
        }
        Ok(())
    }

    fn forget_gathered(&mut self) {
        self.gathered.clear();
        self.lines_gathered = 0;
    }

    /// Refuses to go on with a file that somebody has cut.
    fn check_length(&mut self) -> Result<(), SinkError> {
        if !self.is_file() {
            return Ok(());
        }
        let (expected, found) = (self.written, self.length()?);
        if found < expected { Err(self.shortened(expected, found)) } else { Ok(()) }
    }

    fn shortened(&self, expected: u64, found: u64) -> SinkError {
        SinkError::Shortened { path: self.path.clone(), expected, found }
    }

    /// Bytes of the file; 0 of a stream.
    fn length(&mut self) -> Result<u64, SinkError> {
        if !self.is_file() {
            return Ok(0);
        }
        let metadata = self.file().and_then(|file| file.metadata());
        Ok(metadata.map_err(|source| refused(&self.path, source))?.len())
    }

    /// The file, opened again if it was resting.
    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.target {
            Target::File(Some(file)) => Ok(file),
            Target::File(resting) => Ok(resting.insert(File::options().write(true).open(&self.path)?)),
            Target::Stream(_) => Err(io::Error::from(io::ErrorKind::NotSeekable)),
        }
    }

    /// Writes all or, as far as the file system lets us, nothing: after a full disk the file still ends with a whole line.
    fn hand_over(&mut self) -> io::Result<()> {
        if let Target::Stream(stream) = &mut self.target {
            stream.write_all(&self.gathered)?;
            return stream.flush();
        }
        let (at, tail) = (self.written, self.tail);
        let mut lines = std::mem::take(&mut self.gathered);
        let bare = lines.len();
        lines.extend_from_slice(tail);
        let file = self.file()?;
        let mut written = file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&lines));
        if !tail.is_empty() && written.is_ok() {
            // What a tail of somebody else's had beyond ours.
            written = file.set_len(at + lines.len() as u64);
        }
        if written.is_err() {
            // The first error is the one to tell; if the cut fails too, the next rewind does it.
            let _ = file.set_len(at);
        }
        lines.truncate(bare);
        (self.gathered, self.has_tail) = (lines, written.is_ok());
        written
    }
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stream(super::stdout::open()?));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let can_be_cut = file.metadata()?.is_file();
        Ok(if can_be_cut { Self::File(Some(file)) } else { Self::Stream(Box::new(file)) })
    }
}

/// The file system's refusal as a sink error.
pub(super) fn refused(path: &Path, source: io::Error) -> SinkError {
    SinkError::Io { path: path.to_owned(), source }
}
