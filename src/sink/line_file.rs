//! A text output that grows by whole lines and can be cut back to a byte.
//!
//! Lines are gathered in memory and handed over only as a whole, so that somebody who reads the file meanwhile never sees half a
//! line of ours (except in the middle of one write of the operating system). The file itself is never read here.
//!
//! Standard output, pipes and devices cannot be cut back: for them a position counts lines, and a rewind only goes on counting.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Position, SinkError};

/// Gathered bytes are handed over at this size, also without a flush.
const BUFFER: usize = 64 << 10;

pub(super) struct LineFile {
    path: PathBuf,
    target: Target,
    /// Bytes (of a file) or lines (of a stream) that were handed over.
    written: u64,
    gathered: Vec<u8>,
    lines_gathered: u64,
}

enum Target {
    File(File),
    Stream(Box<dyn Write + Send>),
}

impl LineFile {
    /// Opens a file without changing what is in it, or makes it with its folders. `-` is standard output.
    pub(super) fn open(path: &Path) -> Result<Self, SinkError> {
        let target = Target::open(path).map_err(|source| refused(path, source))?;
        let mut file =
            Self { path: path.to_owned(), target, written: 0, gathered: Vec::new(), lines_gathered: 0 };
        file.written = file.go_to_end()?;
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the output lives in a file, which can be read again and cut back.
    pub(super) const fn is_file(&self) -> bool {
        matches!(self.target, Target::File(_))
    }

    /// Whether nothing was written or gathered yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.written == 0 && self.gathered.is_empty()
    }

    /// Adds one record, given with its line end.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), SinkError> {
        self.gathered.extend_from_slice(line);
        self.lines_gathered += 1;
        if self.gathered.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands over what is gathered and tells how far the output reaches.
    pub(super) fn flush(&mut self) -> Result<Position, SinkError> {
        if !self.gathered.is_empty() {
            self.check_length(self.written)?;
            self.hand_over().map_err(|source| refused(&self.path, source))?;
            self.written += match self.target {
                Target::File(_) => self.gathered.len() as u64,
                Target::Stream(_) => self.lines_gathered,
            };
            self.forget_gathered();
        }
        Ok(Position(self.written))
    }

    /// Makes what was handed over survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        match &self.target {
            Target::File(file) => file.sync_data().map_err(|source| refused(&self.path, source)),
            Target::Stream(_) => Ok(()),
        }
    }

    /// Cuts the output back. What was gathered and not flushed is dropped too.
    pub(super) fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.forget_gathered();
        self.check_length(to.0)?;
        if let Target::File(file) = &self.target {
            file.set_len(to.0).map_err(|source| refused(&self.path, source))?;
            self.go_to_end()?;
        }
        self.written = to.0;
        Ok(())
    }

    fn forget_gathered(&mut self) {
        self.gathered.clear();
        self.lines_gathered = 0;
    }

    /// Refuses to go on with a file that somebody has cut.
    fn check_length(&self, expected: u64) -> Result<(), SinkError> {
        let Target::File(file) = &self.target else {
            return Ok(());
        };
        let found = file.metadata().map_err(|source| refused(&self.path, source))?.len();
        if found < expected {
            return Err(SinkError::Shortened { path: self.path.clone(), expected, found });
        }
        Ok(())
    }

    fn go_to_end(&mut self) -> Result<u64, SinkError> {
        match &mut self.target {
            Target::File(file) => file.seek(SeekFrom::End(0)).map_err(|source| refused(&self.path, source)),
            Target::Stream(_) => Ok(0),
        }
    }

    /// Writes all or, as far as the file system lets us, nothing: after a full disk the file still ends with a whole line.
    fn hand_over(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Stream(stream) => {
                stream.write_all(&self.gathered)?;
                stream.flush()
            }
            Target::File(file) => file.write_all(&self.gathered).inspect_err(|_| {
                // The first error is the one to tell; if the cut fails too, the next rewind does it.
                let _ = file.set_len(self.written);
                let _ = file.seek(SeekFrom::Start(self.written));
            }),
        }
    }
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stream(Box::new(io::stdout())));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let can_be_cut = file.metadata()?.is_file();
        Ok(if can_be_cut { Self::File(file) } else { Self::Stream(Box::new(file)) })
    }
}

/// The file system's refusal as a sink error.
pub(super) fn refused(path: &Path, source: io::Error) -> SinkError {
    SinkError::Io { path: path.to_owned(), source }
}
