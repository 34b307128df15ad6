//! The state on disk: queues in a database, fingerprints in a log beside it, both moved by one step.
//!
//! A commit first hands its new fingerprints to the log and then writes the database batch, which records how long the log
//! is. On opening, the log is cut back to that length, so after kill -9 a batch is there as a whole or not at all. After a
//! power cut the log may have lost its end: then what waits in the queues is marked as seen, and pages that are done may be
//! fetched once more.
//!
//! `sync` brings the log to the disk first and the database second, so that the database is never ahead for long.

mod opening;
mod seeing;

use std::ops::{Bound, ControlFlow};

use serde::de::DeserializeOwned;

use super::codec::{self, CodecError};
use super::frame::Frame;
use super::frontier::Frontier;
use super::handed::Handed;
use super::keys::{self, Era, Kind};
use super::lock::StateDir;
pub use super::options::DiskOptions;
use super::queues::{Queue, Queues};
use super::read_back::{damaged, each_origin, empty, origin_of, read_pending};
use super::seen::{SeenSet, SeenView};
use super::step::{Before, Head, Step, StepError};
use super::{
    Batch, Committed, FailedRecord, Memory, Pending, QueueKey, Recovered, RunRecord, Store, StoreError, Visit,
};
use crate::cookies::Cookie;
use crate::frontier::Nap;
use crate::history::PageRecord;
use crate::politeness::HostState;
use crate::request::Request;
use crate::robots::RobotsRecord;
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey, Origin};

/// Keeps the state in a directory.
pub struct DiskStore {
    frontier: Frontier,
    seen: SeenSet,
    head: Head,
    queues: Queues,
    /// Which opening of the state this is: naps of an earlier one mean nothing any more.
    session: u64,
    /// Places whose requests were handed out and wait until they are done. Saves reading them again.
    handed: Handed,
    /// The run's frame, once this process has written it.
    frame: Option<Frame>,
    warnings: Vec<String>,
    /// The database refused a write: whether that batch is there is only known after opening again.
    broken: bool,
    /// Last, so that it is let go last.
    dir: StateDir,
}

impl DiskStore {
    /// Bytes of the database's journals: what opening after a crash reads again.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn journal_bytes(&self) -> Result<u64, StoreError> {
        self.frontier.journal_bytes()
    }

    fn damaged(&self, what: &str, error: &CodecError) -> StoreError {
        damaged(&self.dir.frontier(), what, error)
    }

    /// Writes a step: log first, database second, memory last.
    fn write(&mut self, mut step: Step) -> Result<(), StoreError> {
        let length = self.seen.append(&step.fingerprints)?;
        let sealed = step.seal(length);
        sealed.map_err(|error| self.damaged("the head", &error))?;
        let written = self.frontier.write(std::mem::take(&mut step.writes));
        self.broken = written.is_err();
        written?;
        self.seen.confirm(&step.fingerprints, length);
        self.head = step.head;
        step.queues.iter().for_each(|(origin, queue)| self.queues.put(origin.as_str(), *queue));
        self.frame = step.frame.or(self.frame.take());
        step.came.into_iter().for_each(|spot| self.handed.insert(spot));
        for spot in &step.left {
            self.handed.remove(spot);
        }
        Ok(())
    }

    fn usable(&self) -> Result<(), StoreError> {
        if !self.broken {
            return Ok(());
        }
        Err(StoreError::Io {
            path: self.dir.frontier(),
            reason: "an earlier write failed, so no more is written: start again".to_owned(),
        })
    }

    /// As [`Store::commit`], for a page that was asked for beside the crawl: what is known of it is none of the crawl's business.
    pub(super) fn commit_beside(&mut self, batch: Batch) -> Result<(), StoreError> {
        let mut step = Step::new(self.head, self.session);
        step.era = Era::BESIDE;
        self.carry_out(step, batch).map(drop)
    }

    /// What is known of a page that was asked for beside the crawl.
    pub(super) fn page_beside(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        self.page_of(Era::BESIDE, page)
    }

    fn page_of(&self, era: Era, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        let bytes = self.frontier.get(&era.page(page))?;
        let record = bytes.map(|bytes| codec::decode(&bytes)).transpose();
        record.map_err(|error| self.damaged("a page", &error))
    }

    fn carry_out(&mut self, mut step: Step, batch: Batch) -> Result<Committed, StoreError> {
        self.usable()?;
        let Self { frontier, seen, queues, handed, frame, .. } = &*self;
        let before = Before { frontier, seen, queues, handed, frame: frame.as_ref() };
        let committed = step.take(batch, &before).map_err(|error| match error {
            StepError::Store(error) => error,
            StepError::Codec(error) => self.damaged("a record of this step", &error),
        })?;
        self.write(step)?;
        Ok(committed)
    }

    fn run(&self) -> Result<Option<RunRecord>, StoreError> {
        let Some(frame) = self.single::<Frame>(keys::RUN, "the run")? else {
            return Ok(None);
        };
        Ok(Some(frame.with(self.single(keys::TOTALS, "the totals")?.unwrap_or_default())))
    }

    /// A record of which there is one.
    fn single<T: DeserializeOwned>(&self, key: &[u8], what: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.frontier.get(key)?;
        let record = bytes.map(|bytes| codec::decode(&bytes)).transpose();
        record.map_err(|error| self.damaged(what, &error))
    }

    /// All records that hold across rounds and have this tag, by name.
    fn lasting<T: DeserializeOwned>(&self, tag: u8) -> Result<Vec<(String, T)>, StoreError> {
        let mut found = Vec::new();
        self.each_lasting(tag, |name, record| {
            found.push((name.to_owned(), record));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The same, one after the other.
    fn each_lasting<T: DeserializeOwned>(
        &self,
        tag: u8,
        mut visit: impl FnMut(&str, T) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.frontier.each_until(&[tag], |key, value| {
            let name = String::from_utf8_lossy(&key[1..]);
            let record = codec::decode(value).map_err(|error| self.damaged(&name, &error))?;
            visit(&name, record)
        })
    }

    /// All origins of the round with their numbers.
    fn each_origin(
        &self,
        visit: impl FnMut(u32, Origin) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        each_origin(&self.frontier, self.head.keys(), &self.dir.frontier(), visit)
    }
}

impl Store for DiskStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        Ok(Recovered {
            run: self.run()?,
            sinks: self.lasting(keys::SINKS)?,
            cookies: self.lasting(keys::COOKIES)?.into_iter().map(|(_, cookie)| cookie).collect(),
            login: self.single(keys::LOGIN, "the login")?,
            tally: self
                .single(&self.head.keys().all(Kind::Tally), "the counts of items")?
                .unwrap_or_default(),
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    fn each_host(&self, visit: Visit<'_, HostKey, HostState>) -> Result<(), StoreError> {
        self.each_lasting(keys::HOSTS, |name, state| Ok(visit(HostKey::of(name), state)))
    }

    fn each_robots(&self, visit: Visit<'_, Origin, RobotsRecord>) -> Result<(), StoreError> {
        let path = self.dir.frontier();
        self.each_lasting(keys::ROBOTS, |name, record| Ok(visit(origin_of(&path, name)?, record)))
    }

    fn each_queue(&self, visit: Visit<'_, Origin, u64>) -> Result<(), StoreError> {
        self.each_origin(|id, origin| {
            let count = self.queues.by_number(id).map_or(0, |queue| queue.count);
            Ok(if count > 0 { visit(origin, count) } else { ControlFlow::Continue(()) })
        })
    }

    fn host(&self, host: &HostKey) -> Result<Option<HostState>, StoreError> {
        self.single(&keys::lasting(keys::HOSTS, host.as_str()), host.as_str())
    }

    fn nap(&self, host: &HostKey) -> Result<Option<Nap>, StoreError> {
        let found: Option<(u64, Vec<u8>)> =
            self.single(&keys::lasting(keys::NAPS, host.as_str()), host.as_str())?;
        // What another run has written is not even read: it may be of another version.
        let bytes = found.filter(|(session, _)| *session == self.session).map(|(_, bytes)| bytes);
        let nap: Option<Nap> = bytes
            .map(|bytes| codec::decode(&bytes))
            .transpose()
            .map_err(|error| self.damaged("a host that sleeps", &error))?;
        let path = self.dir.frontier();
        nap.iter()
            .flat_map(Nap::origins)
            .try_for_each(|origin| origin_of(&path, origin.as_str()).map(drop))?;
        Ok(nap)
    }

    fn robots(&self, origin: &Origin) -> Result<Option<RobotsRecord>, StoreError> {
        self.single(&keys::lasting(keys::ROBOTS, origin.as_str()), origin.as_str())
    }

    fn waiting(&self, origin: &Origin) -> u64 {
        self.queues.get(origin).map_or(0, |queue| queue.count)
    }

    fn all_waiting(&self) -> u64 {
        self.queues.waiting()
    }

    fn pending(
        &mut self,
        origin: &Origin,
        after: Option<QueueKey>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let Some(queue) = self.queues.get(origin).filter(|queue| queue.count > 0) else {
            return Ok(Vec::new());
        };
        let keys = self.head.keys();
        let from = match after {
            Some(after) if after >= queue.first => Bound::Excluded(keys.queue(queue.id, after)),
            _ => Bound::Included(keys.queue(queue.id, queue.first)),
        };
        let to = Bound::Included(keys.queue(queue.id, Queue::BACK));
        let pairs = self.frontier.range((from, to), limit)?;
        let path = self.dir.frontier();
        let read = |(key, value): &fjall::KvPair| read_pending(&path, origin, key, value);
        let found: Vec<Pending> = pairs.iter().map(read).collect::<Result<_, _>>()?;
        let id = queue.id;
        match (after, found.first()) {
            (None, Some(first)) => self.queues.begins_at(queue, first.key),
            (None, None) if limit > 0 => return Err(empty(&path, origin)),
            _ => {}
        }
        found.iter().for_each(|pending| self.handed.insert((id, pending.key)));
        Ok(found)
    }

    fn knows(&self, request: &Request) -> Result<bool, StoreError> {
        self.seen.contains(request.fingerprint().get())
    }

    fn seen(&self) -> Option<SeenView> {
        Some(self.seen.view())
    }

    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        self.carry_out(Step::new(self.head, self.session), batch)
    }

    fn begin_round(&mut self, run: RunRecord, memory: Memory) -> Result<(), StoreError> {
        self.usable()?;
        let number = self.next_log()?;
        let log = self.seen.begin(&self.dir.seen_log(number), number)?;
        self.dir.sync()?;
        let head = Head {
            generation: self.head.generation + 1,
            era: self.head.era + u32::from(memory == Memory::Forgets),
            looks_back: memory == Memory::Keeps && !self.pages(None, 1)?.is_empty(),
            log: number,
            next_origin: 0,
            next_failed: 0,
            ..self.head
        };
        let mut step = Step::new(head, self.session);
        for (name, _) in self.lasting::<crate::sink::Position>(keys::SINKS)? {
            step.writes.remove(keys::lasting(keys::SINKS, &name));
        }
        for (_, cookie) in self.lasting::<Cookie>(keys::COOKIES)? {
            if !super::outlives(&cookie, memory, run.started) {
                step.writes.remove(keys::lasting(keys::COOKIES, &cookie.key()));
            }
        }
        step.run(&run, None).map_err(|error| self.damaged("the run", &error))?;
        let old = std::mem::replace(&mut self.seen, log);
        if let Err(error) = self.write(step) {
            self.seen = old;
            return Err(error);
        }
        self.seen.take_views_of(old);
        self.queues.clear();
        self.handed.clear();
        // The old log may go only when nothing on the disk refers to it any more.
        self.frontier.sync()?;
        self.sweep()
    }

    fn page(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        self.page_of(self.head.pages(), page)
    }

    fn page_at_first(&self, page: Fingerprint) -> Result<Option<PageRecord>, StoreError> {
        // Every request has entered once, and none of a page that was known.
        if self.head.looks_back { self.page(page) } else { Ok(None) }
    }

    fn pages(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, PageRecord)>, StoreError> {
        let pairs = self.frontier.range(self.head.pages().pages(after), limit)?;
        let read = |(key, value): &fjall::KvPair| {
            Ok((keys::page_of(key).ok_or(CodecError::Short)?, codec::decode(value)?))
        };
        let found: Result<_, CodecError> = pairs.iter().map(read).collect();
        found.map_err(|error| self.damaged("a page", &error))
    }

    fn due(&self, from: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Fingerprint)>, StoreError> {
        let keys = self.head.pages();
        let pairs = self.frontier.range(keys.due_from(from)..keys.due_from(Timestamp::MAX), limit)?;
        let found = pairs.iter().map(|(key, _)| keys::due_of(key));
        let found: Option<Vec<_>> = found.collect();
        found.ok_or_else(|| self.damaged("when a page is due", &CodecError::Short))
    }

    fn failed(&mut self) -> Result<Vec<FailedRecord>, StoreError> {
        let mut found = Vec::new();
        let prefix = self.head.keys().all(Kind::Failed);
        self.frontier.each(&prefix, |_, value| {
            let record = codec::decode(value);
            found.push(record.map_err(|error| self.damaged("the failed list", &error))?);
            Ok(())
        })?;
        Ok(found)
    }

    fn item_key(&self, key: Fingerprint) -> Result<Option<Fingerprint>, StoreError> {
        let bytes = self.frontier.get(&self.head.keys().item_key(key))?;
        let page = bytes.map(|bytes| codec::decode(&bytes)).transpose();
        Ok(page.map_err(|error| self.damaged("the key of an item", &error))?.map(Fingerprint::from_bits))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.seen.sync()?;
        self.frontier.sync()?;
        self.dir.note_synced(self.head.steps)
    }
}
