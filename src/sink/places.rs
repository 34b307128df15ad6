//! What the files of a sink are called, while they are written and afterwards; and which of those that are there may go.
//!
//! Knows nothing of what is in them. Nothing here opens a file to write.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ending::compression_of;
use super::files::{Compress, Exists, FileOptions, Finish};
use super::line_file::refused;
use super::template::{Names, Place, Template, UnknownPlaceholder};
use super::{Position, Round, SinkError, pack};
use crate::time::Timestamp;

/// The files of one sink in one round.
pub(super) struct Places {
    pub(super) template: Template,
    pub(super) files: FileOptions,
    pub(super) compress: Compress,
    round: u32,
    started: Timestamp,
    /// When parts began that are not finished.
    pub(super) moments: BTreeMap<u32, Timestamp>,
}

impl Places {
    pub(super) fn of(path: &Path, files: FileOptions) -> Result<Self, SinkError> {
        let by_name = compression_of(path);
        let compress = files.compress.or(by_name).unwrap_or(Compress::None);
        let named = match compress {
            Compress::None => path.to_owned(),
            compress if by_name == Some(compress) => path.to_owned(),
            compress => path.with_added_extension(compress.ending()),
        };
        let unknown =
            |error: UnknownPlaceholder| SinkError::Path { path: path.to_owned(), reason: error.to_string() };
        let template = Template::parse(&named).map_err(unknown)?;
        let template = if files.rotate.is_on() { template.with_parts() } else { template };
        let (round, started, moments) = (1, Timestamp::ZERO, BTreeMap::new());
        Ok(Self { template, files, compress, round, started, moments })
    }

    /// Which round the files belong to.
    pub(super) const fn settle(&mut self, round: &Round<'_>) {
        (self.round, self.started) = (round.number, round.started);
    }

    /// Whether there are several parts.
    pub(super) const fn rotates(&self) -> bool {
        self.files.rotate.is_on()
    }

    /// When a part began; for one that has not, when the round did.
    pub(super) fn moment(&self, part: u32) -> Timestamp {
        self.moments.get(&part).copied().unwrap_or(self.started)
    }

    /// Whether there is one file, written under its own name.
    pub(super) fn is_plain(&self) -> bool {
        let path = self.template.as_path();
        let is_file = path.as_os_str() != "-" && fs::metadata(path).map_or(true, |found| found.is_file());
        self.template.is_fixed() && !(is_file && self.is_aside())
    }

    /// Whether files are written under another name than their own.
    pub(super) fn is_aside(&self) -> bool {
        let tells_moments = self.template.has(Place::Date) || self.template.has(Place::Time);
        // Which of several files are ours must be seen from their names if others may stand beside them.
        let stays = self.files.exists != Exists::Overwrite;
        self.compress != Compress::None
            || self.files.finish == Finish::Rename
            || self.rotates() && (tells_moments || stays)
    }

    fn names(&self, part: u32, moment: Timestamp) -> PathBuf {
        self.template.path(Names { round: self.round, part, moment })
    }

    /// The name under which a part is finished.
    pub(super) fn name(&self, part: u32) -> PathBuf {
        self.names(part, self.moment(part))
    }

    /// The name under which a part is written. It must be known of parts that nobody has committed, and so has the round's date.
    pub(super) fn work(&self, part: u32) -> PathBuf {
        let name = self.names(part, self.started);
        if self.is_aside() { pack::work_name(&name, self.compress) } else { name }
    }

    /// Fails if a part is there and must not be replaced.
    pub(super) fn refuse(&self, part: u32) -> Result<(), SinkError> {
        if self.files.exists == Exists::Fail && self.is_taken(part) {
            return Err(SinkError::Exists { path: self.name(part) });
        }
        Ok(())
    }

    /// Whether something is there under the name of a part. A file with nothing in it is nothing: no item is lost with it.
    pub(super) fn is_taken(&self, part: u32) -> bool {
        let name = self.name(part);
        let is_hollow = || pack::open_plain(&name).is_ok_and(|mut file| matches!(file.read(&mut [0]), Ok(0)));
        fs::metadata(&name).is_ok_and(|found| found.is_file()) && !is_hollow()
    }

    /// The first part from this one on that has room: in others stands what must stay.
    pub(super) fn free_part(&self, mut part: u32) -> u32 {
        let stays = self.files.exists == Exists::Append && self.rotates();
        while stays && part < Position::LAST_PART && self.is_taken(part) {
            part += 1;
        }
        part
    }

    /// Removes the parts from this one on, as far as they follow each other: nobody has committed them. The first one is left
    /// under its name until another takes its place.
    pub(super) fn clear_from(&self, first: u32) -> Result<(), SinkError> {
        let goes = self.files.exists == Exists::Overwrite;
        let last = if self.rotates() { Position::LAST_PART } else { 0 };
        for part in first..=last {
            let (work, name) = (self.work(part), self.name(part));
            let mut is_there = work != name && remove_if_there(&work)?;
            if part > 0 {
                is_there |= if goes { remove_if_there(&name)? } else { name.exists() };
            }
            if !is_there && part > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Removes the files of a round that shall not be there.
    pub(super) fn remove(&self) -> Result<(), SinkError> {
        self.clear_from(0)?;
        remove_if_there(&self.name(0)).map(drop)
    }
}

/// Whether there was such a file.
pub(super) fn remove_if_there(path: &Path) -> Result<bool, SinkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        result => result.map(|()| true).map_err(|source| refused(path, source)),
    }
}
