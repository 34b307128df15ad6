//! The files of a sink, one after the other: which part is open, when the next one begins, and what becomes of closed ones.
//!
//! Each file has a name under which it is written and one under which it is finished. Where nothing speaks against it they are
//! one. They differ if a file is compressed, if it shall get its name only when it is complete, or if its name tells when the part
//! began: then the file is written as `.part`, and **a closed part is finished only when the state knows what lies behind it**: two
//! `sync`s later, or at the end of the run. So what is finished is never needed again, and whoever reads it may move it away.
//! The open part of a run that ended in order is the exception: the next run brings it back.
//!
//! After a crash [`Parts::rewind`] cuts the part of the committed position, removes the parts behind it and finishes those before
//! it that were not. The names of parts that nobody has committed must be known for that: under the name of writing stands the
//! round's date, never the part's.
//!
//! Knows nothing of what is in the lines, and no clock.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use super::files::{Exists, FileOptions, Finish};
use super::line_file::{LineFile, refused};
use super::pack::Maker;
use super::places::{Places, remove_if_there};
use super::{Ended, Position, Round, SinkError, pack};
use crate::time::Timestamp;

/// The note of the items in the open part.
const ITEMS: &str = "items";
/// The notes of when parts began; behind it the part's number.
const SINCE: &str = "since.";
/// The note of a sink that must know that it has begun.
const BEGUN: &str = "begun";

pub(super) struct Parts {
    places: Places,
    /// Makes files of another form of closed parts.
    maker: Option<Maker>,
    tail: &'static [u8],
    now: Timestamp,
    /// Whether the state knows a position.
    is_committed: bool,
    /// The open part, and how many items are in it.
    part: u32,
    items: u64,
    open: Option<LineFile>,
    /// How far the open part reaches while its file is not open.
    reaches: u64,
    /// Closed parts that are not finished.
    closed: VecDeque<u32>,
    /// The part of the last flush, and that of the last flush which the state is known to have.
    flushed: u32,
    durable: u32,
    notes: Vec<(String, u64)>,
    told_items: u64,
}

impl Parts {
    /// Describes the files. One whose name is certain is opened at once, without changing what is in it.
    pub(super) fn open(path: &Path, files: FileOptions, tail: &'static [u8]) -> Result<Self, SinkError> {
        let places = Places::of(path, files)?;
        let open = if places.is_plain() { Some(LineFile::open(path, tail)?) } else { None };
        Ok(Self {
            places,
            maker: None,
            tail,
            now: Timestamp::ZERO,
            is_committed: false,
            part: 0,
            items: 0,
            open,
            reaches: 0,
            closed: VecDeque::new(),
            flushed: 0,
            durable: 0,
            notes: Vec::new(),
            told_items: 0,
        })
    }

    /// Describes files of another form, which are made of closed parts.
    #[cfg(feature = "parquet")]
    pub(super) fn made(path: &Path, files: FileOptions, maker: Maker) -> Result<Self, SinkError> {
        Ok(Self { maker: Some(maker), ..Self::open(path, files, b"")? })
    }

    /// The file that is written to, or would be.
    pub(super) fn path(&self) -> PathBuf {
        self.open.as_ref().map_or_else(|| self.places.work(self.part), |open| open.path().to_owned())
    }

    /// Takes in what is known of the round. Fails if files are there that must not be replaced.
    pub(super) fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        self.places.settle(round);
        self.now = round.now;
        self.is_committed = round.committed.is_some();
        self.places.moments.clear();
        self.items = 0;
        for (note, value) in round.notes {
            if note == ITEMS {
                self.items = *value;
            } else if let Some(part) = note.strip_prefix(SINCE).and_then(|part| part.parse().ok()) {
                self.places.moments.insert(part, Timestamp::from_millis(*value));
            }
        }
        self.told_items = self.items;
        if self.is_committed { Ok(()) } else { self.places.refuse(0) }
    }

    /// Brings the files to where a round begins or goes on. Whether the open file has something in it, which the caller must
    /// know how to go on with.
    pub(super) fn rewind(&mut self, to: Position) -> Result<Found, SinkError> {
        self.closed.clear();
        self.notes.clear();
        if let Some(open) = self.open.as_mut().filter(|open| !open.is_file()) {
            open.rewind(to.0)?;
            return Ok(Found::Nothing);
        }
        let begins = !self.is_committed && to == Position(0);
        if begins && self.places.files.exists == Exists::Append {
            self.notes.push((BEGUN.to_owned(), 1));
            return self.append();
        }
        self.open = None;
        if begins {
            if self.places.files.exists == Exists::Fail {
                self.notes.push((BEGUN.to_owned(), 1));
            }
            self.places.clear_from(0)?;
        } else {
            self.places.clear_from(to.part() + 1)?;
            self.finish_before(to.part())?;
        }
        (self.part, self.reaches) = (to.part(), to.at());
        (self.flushed, self.durable) = (self.part, self.part);
        self.reopen()?;
        Ok(if to.at() == 0 || self.is_made() { Found::Nothing } else { Found::Ours })
    }

    /// Goes on behind what is there: in the file itself, or in the part behind the last one.
    fn append(&mut self) -> Result<Found, SinkError> {
        self.open = None;
        self.part = self.places.free_part(self.part);
        (self.flushed, self.durable) = (self.part, self.part);
        if self.places.is_aside() {
            // What a killed process has left here was committed by nobody.
            remove_if_there(&self.places.work(self.part))?;
            if !self.places.rotates() && self.places.name(self.part).exists() {
                self.bring_back(u64::MAX)?;
            }
        }
        let work = self.places.work(self.part);
        if !self.places.is_plain() && !work.exists() {
            return Ok(Found::Nothing);
        }
        self.open = Some(LineFile::open(&work, self.tail)?);
        Ok(self.found())
    }

    /// Finishes what a process that was killed has left unfinished.
    fn finish_before(&mut self, part: u32) -> Result<(), SinkError> {
        if !self.places.is_aside() {
            return Ok(());
        }
        let known = self.places.moments.keys().copied().filter(|earlier| *earlier < part);
        let beside = (0..part).rev().take_while(|earlier| self.places.work(*earlier).exists());
        let earlier: BTreeSet<u32> =
            known.chain(beside).filter(|earlier| self.places.work(*earlier).exists()).collect();
        self.closed.extend(earlier);
        self.finish_closed(part)
    }

    /// Opens the file of the open part and cuts it back to where it reaches.
    fn reopen(&mut self) -> Result<(), SinkError> {
        if self.is_made() {
            self.open = None;
            return Ok(());
        }
        let work = self.places.work(self.part);
        if self.places.is_aside() && self.reaches > 0 && !work.exists() {
            self.bring_back(self.reaches)?;
        }
        if self.reaches == 0 && !self.places.is_plain() {
            // It is made with its first line.
            self.open = None;
            return remove_if_there(&work).map(drop);
        }
        let mut open = LineFile::open(&work, self.tail)?;
        open.rewind(self.reaches)?;
        self.open = Some(open);
        Ok(())
    }

    /// Brings back at most this much of the open part, which was finished.
    fn bring_back(&self, length: u64) -> Result<(), SinkError> {
        let name = self.places.name(self.part);
        if self.maker.is_some() && name.exists() {
            return Err(self.complete());
        }
        match pack::bring_back(&name, &self.places.work(self.part), length) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SinkError::Shortened { path: name, expected: length, found: 0 })
            }
            Err(source) => Err(refused(&name, source)),
        }
    }

    fn complete(&self) -> SinkError {
        let reason = "it is complete and cannot be gone on with: write in parts (rotate-…), or start over with --fresh";
        SinkError::Path { path: self.places.name(self.part), reason: reason.to_owned() }
    }

    /// Whether the file of another form was made of the open part already: a process was killed before the state knew.
    fn is_made(&self) -> bool {
        let is_there = || self.places.name(self.part).exists() && !self.places.work(self.part).exists();
        self.maker.is_some() && self.reaches > 0 && is_there()
    }

    /// The open part, for one more line.
    pub(super) fn line(&mut self) -> Result<&mut LineFile, SinkError> {
        if self.open.is_none() && self.reaches > 0 {
            self.reopen()?;
        }
        if self.is_made() {
            return Err(self.complete());
        }
        if self.open.is_none() {
            self.part = self.places.free_part(self.part);
            self.places.refuse(self.part)?;
            let mut open = LineFile::open(&self.places.work(self.part), self.tail)?;
            open.rewind(0)?;
            self.open = Some(open);
        }
        Ok(self.open.as_mut().expect("it was opened above"))
    }

    /// What is in the open part before anything was said of a round.
    pub(super) fn found(&self) -> Found {
        match &self.open {
            Some(open) if open.is_file() && !open.is_at_start() => Found::Foreign,
            _ => Found::Nothing,
        }
    }

    /// Whether the first part is open or next.
    pub(super) const fn is_first(&self) -> bool {
        self.part == 0
    }

    /// Whether nothing is in the open part.
    pub(super) fn is_at_start(&self) -> bool {
        self.open.as_ref().map_or(self.reaches == 0, LineFile::is_at_start)
    }

    /// How much is in the open part, without its tail.
    pub(super) fn size(&self) -> u64 {
        self.open.as_ref().map_or(self.reaches, LineFile::size)
    }

    /// Begins the next part if a record of this length does not fit into the open one. Whether it did.
    pub(super) fn make_room(&mut self, length: usize) -> Result<bool, SinkError> {
        let rotate = self.places.files.rotate;
        if rotate.is_on() && self.is_made() {
            (self.part, self.reaches, self.items) = (self.part + 1, 0, 0);
            return Ok(true);
        }
        let is_full = rotate.items.is_some_and(|most| self.items >= most)
            || rotate.size.is_some_and(|most| self.size() + length as u64 + self.tail.len() as u64 > most)
            || self.is_old();
        if is_full && self.items > 0 { self.close().map(|()| true) } else { Ok(false) }
    }

    fn is_old(&self) -> bool {
        let since = self.places.moment(self.part);
        self.places.files.rotate.every.is_some_and(|every| self.now.since(since) >= every)
    }

    /// Counts an item of the open part.
    pub(super) fn count_item(&mut self) {
        if self.items == 0 && self.places.rotates() {
            self.places.moments.insert(self.part, self.now);
            self.notes.push((format!("{SINCE}{}", self.part), self.now.as_millis()));
        }
        self.items += 1;
    }

    /// Closes the open part; the next line begins another.
    fn close(&mut self) -> Result<(), SinkError> {
        if let Some(mut open) = self.open.take() {
            if !open.is_file() {
                self.open = Some(open);
                return Ok(());
            }
            open.flush()?;
            open.sync()?;
        }
        if self.places.is_aside() {
            self.closed.push_back(self.part);
        }
        if self.part == Position::LAST_PART {
            let reason = "this would be more than a million parts: make them larger".to_owned();
            return Err(SinkError::Path { path: self.places.template.as_path().to_owned(), reason });
        }
        (self.part, self.reaches, self.items) = (self.part + 1, 0, 0);
        Ok(())
    }

    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        self.now = now;
        if self.items > 0 && self.is_old() { self.close() } else { Ok(()) }
    }

    pub(super) fn notes(&mut self) -> Vec<(String, u64)> {
        if self.places.rotates() && self.items != self.told_items {
            self.told_items = self.items;
            self.notes.push((ITEMS.to_owned(), self.items));
        }
        std::mem::take(&mut self.notes)
    }

    pub(super) fn flush(&mut self) -> Result<Position, SinkError> {
        self.flushed = self.part;
        match &mut self.open {
            Some(open) if !open.is_file() => Ok(Position(open.flush()?)),
            Some(open) => {
                self.reaches = open.flush()?;
                Ok(Position::of_part(self.part, self.reaches))
            }
            None => Ok(Position::of_part(self.part, self.reaches)),
        }
    }

    /// Makes lines survive a power cut, and finishes parts that nobody needs any more: the state has a later position since the
    /// last call.
    pub(super) fn sync(&mut self) -> Result<(), SinkError> {
        self.finish_closed(self.durable)?;
        self.durable = self.flushed;
        self.open.as_mut().map_or(Ok(()), LineFile::sync)
    }

    /// Finishes the closed parts before this one.
    fn finish_closed(&mut self, before: u32) -> Result<(), SinkError> {
        while let Some(part) = self.closed.front().copied().filter(|part| *part < before) {
            self.finish_part(part)?;
            self.closed.pop_front();
            self.places.moments.remove(&part);
        }
        Ok(())
    }

    fn finish_part(&self, part: u32) -> Result<(), SinkError> {
        let (work, name) = (self.places.work(part), self.places.name(part));
        let finished = match &self.maker {
            Some(maker) => pack::make(&work, &name, maker),
            None => pack::finish(&work, &name, self.places.compress),
        };
        finished.map_err(|source| refused(&name, source))
    }

    /// The run is over and everything is committed.
    pub(super) fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        self.flush()?;
        self.finish_closed(u32::MAX)?;
        let stays = !self.places.is_aside()
            || ended == Ended::Unfinished && self.places.files.finish == Finish::Rename;
        match &mut self.open {
            Some(open) if !open.is_file() => return open.end(),
            _ if stays => return Ok(()),
            Some(open) => open.sync()?,
            // A part that has not begun needs no file, but an output without items is an empty one.
            None if self.part > 0 || self.reaches > 0 => return Ok(()),
            None => self.line()?.sync()?,
        }
        self.open = None;
        self.finish_part(self.part)
    }

    pub(super) fn rest(&mut self) {
        // What cannot be synced now is told by the next flush.
        let rested = self.open.as_mut().map_or(Ok(()), LineFile::rest);
        drop(rested);
    }
}

/// What a file has in it at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or nothing that counts.
    Nothing,
    /// Lines of this round.
    Ours,
    /// What somebody has put there, or an earlier round: it stays.
    Foreign,
}
