//! A batch on its way to the disk: worked out in full before anything is written, forgotten if the write fails.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::codec::{self, CodecError};
use super::frame::Frame;
use super::frontier::Frontier;
use super::handed::Handed;
use super::keys::{self, Era, Generation, Kind};
use super::queues::{Queue, Queues, Touched};
use super::seen::SeenSet;
use super::writes::Writes;
use super::{Batch, Committed, FailedRecord, PageChange, Pending, QueueKey, RunRecord, StoreError};
use crate::cookies::CookieChange;
use crate::request::{Dedup, Request};
use crate::url::{Fingerprint, Origin};

/// Requests of a queue of which the next is asked soon.
const SHORT: u64 = 64;

/// The counters, written with every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Steps written so far, over all rounds.
    pub(super) steps: u64,
    /// Which keys belong to this round.
    pub(super) generation: u32,
    /// Generations before this one are swept up.
    pub(super) swept: u32,
    /// Number of the seen log.
    pub(super) log: u32,
    /// How long the seen log is, in bytes.
    pub(super) log_length: u64,
    /// Which keys of pages count.
    pub(super) era: u32,
    /// Eras before this one are swept up.
    pub(super) swept_era: u32,
    /// Something may be known of a page that is new to the seen-set. If not, nobody looks.
    pub(super) looks_back: bool,
    /// For the next request that enters; never falls.
    pub(super) next_seq: u64,
    /// For the next origin that is new.
    pub(super) next_origin: u32,
    /// For the next URL that is given up.
    pub(super) next_failed: u64,
}

impl Head {
    /// The counters of a state without anything.
    pub(super) const FIRST: Self = Self {
        steps: 0,
        generation: 1,
        swept: 1,
        log: 1,
        log_length: 0,
        era: 1,
        swept_era: 1,
        looks_back: false,
        next_seq: 0,
        next_origin: 0,
        next_failed: 0,
    };

    pub(super) fn keys(self) -> Generation {
        Generation(self.generation)
    }

    pub(super) fn pages(self) -> Era {
        Era(self.era)
    }
}

/// Why a batch cannot be worked out.
pub(super) enum StepError {
    Store(StoreError),
    Codec(CodecError),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CodecError> for StepError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

/// What will be written, and what will be remembered once it is.
pub(super) struct Step {
    pub(super) writes: Writes,
    /// Where records are written, one after the other.
    room: Vec<u8>,
    /// Requests that enter with this step have this number or a higher one.
    first_seq: u64,
    /// Places that are left (`false`) or written to again.
    moved: HashMap<Spot, bool>,
    pub(super) head: Head,
    /// Where what is known of pages goes.
    pub(super) era: Era,
    /// Queues as they will be.
    pub(super) queues: Touched,
    /// Which opening of the state this is.
    session: u64,
    /// The run's frame, if it is another than it was.
    pub(super) frame: Option<Frame>,
    /// Places of requests that came into short queues, whose turn is soon.
    pub(super) came: Vec<Spot>,
    /// Places that nothing waits at any more.
    pub(super) left: Vec<Spot>,
    /// New in the seen-set.
    pub(super) fingerprints: Vec<u64>,
    /// The same, to know a link that comes twice in one batch.
    offered: HashSet<u64>,
}

/// What a batch is worked out against.
pub(super) struct Before<'a> {
    pub(super) frontier: &'a Frontier,
    pub(super) seen: &'a SeenSet,
    pub(super) queues: &'a Queues,
    pub(super) frame: Option<&'a Frame>,
    /// Places at which something waits for sure, though not all of them.
    pub(super) handed: &'a Handed,
}

/// A place in the queue of this number.
pub(super) type Spot = (u32, QueueKey);

impl Step {
    pub(super) fn new(head: Head, session: u64) -> Self {
        Self {
            writes: Writes::default(),
            room: Vec::new(),
            first_seq: head.next_seq,
            moved: HashMap::new(),
            era: head.pages(),
            head,
            queues: Touched::new(),
            session,
            frame: None,
            came: Vec::new(),
            left: Vec::new(),
            fingerprints: Vec::new(),
            offered: HashSet::new(),
        }
    }

    /// Works a batch out.
    pub(super) fn take(&mut self, batch: Batch, before: &Before<'_>) -> Result<Committed, StepError> {
        let mut committed = Committed::default();
        self.note(&batch)?;
        self.writes.reserve(2 * batch.links.len() + 4 * batch.done.len() + 8);
        self.links(batch.links, &mut committed, before)?;
        for request in batch.revisits {
            committed.fresh.push(self.enqueue(request, true, before)?);
        }
        for change in &batch.pages {
            self.learn(change)?;
        }
        for (origin, key) in &batch.done {
            self.done(origin, *key, before)?;
        }
        for (origin, pending) in &batch.retry {
            self.retry(origin, pending, before)?;
        }
        self.counts()?;
        for failed in &batch.failed {
            let key = self.head.keys().failed(self.head.next_failed);
            self.put(key, failed)?;
            self.head.next_failed += 1;
        }
        self.unfail(&batch.unfailed, before)?;
        for (key, page) in &batch.item_keys {
            self.put(self.head.keys().item_key(*key), &page.get())?;
        }
        if let Some(tally) = &batch.tally {
            self.put(self.head.keys().all(Kind::Tally), tally)?;
        }
        if let Some(run) = &batch.run {
            self.run(run, before.frame)?;
        }
        Ok(committed)
    }

    /// Takes in those links that are new.
    fn links(
        &mut self,
        links: Vec<Request>,
        committed: &mut Committed,
        before: &Before<'_>,
    ) -> Result<(), StepError> {
        // Most links are known; room for the others at once is cheaper than room bit by bit.
        let likely = links.len() / 8;
        self.fingerprints.reserve(likely);
        self.offered.reserve(likely);
        committed.fresh.reserve(likely);
        let marks: Vec<Option<u64>> = links.iter().map(mark).collect();
        let asked: Vec<u64> = marks.iter().copied().flatten().collect();
        let mut in_memory = before.seen.in_memory(&asked).into_iter();
        for (request, mark) in links.into_iter().zip(marks) {
            if mark.is_some() && in_memory.next().unwrap_or_default() {
                committed.known += 1;
                continue;
            }
            match self.admit(request, mark, before)? {
                Some(pending) => committed.fresh.push(pending),
                None => committed.known += 1,
            }
        }
        Ok(())
    }

    /// Writes down what holds beyond the queues.
    fn note(&mut self, batch: &Batch) -> Result<(), CodecError> {
        for (host, state) in &batch.hosts {
            self.put(keys::lasting(keys::HOSTS, host.as_str()), state)?;
        }
        for (host, nap) in &batch.naps {
            let nap = codec::encode(nap)?;
            self.put(keys::lasting(keys::NAPS, host.as_str()), &(self.session, nap))?;
        }
        for (origin, record) in &batch.robots {
            self.put(keys::lasting(keys::ROBOTS, origin.as_str()), record)?;
        }
        for change in &batch.cookies {
            self.cookie(change)?;
        }
        if let Some(login) = &batch.login {
            self.put(keys::LOGIN, login)?;
        }
        for (name, position) in &batch.sinks {
            self.put(keys::lasting(keys::SINKS, name), position)?;
        }
        Ok(())
    }

    /// Adds the counters: the last thing before writing, when the length of the log is known.
    pub(super) fn seal(&mut self, log_length: u64) -> Result<(), CodecError> {
        self.head.log_length = log_length;
        self.head.steps += 1;
        let head = self.head;
        self.put(keys::HEAD, &head)
    }

    pub(super) fn put<T: Serialize>(&mut self, key: impl AsRef<[u8]>, value: &T) -> Result<(), CodecError> {
        let mut room = std::mem::take(&mut self.room);
        room.clear();
        self.room = codec::encode_behind(value, room)?;
        self.writes.set(key, &self.room);
        Ok(())
    }

    /// Writes the run's totals, and its frame if that is another than `before`.
    pub(super) fn run(&mut self, run: &RunRecord, before: Option<&Frame>) -> Result<(), CodecError> {
        self.put(keys::TOTALS, &run.totals)?;
        if before.is_some_and(|frame| frame.holds(run)) {
            return Ok(());
        }
        let frame = Frame::of(run);
        self.put(keys::RUN, &frame)?;
        self.frame = Some(frame);
        Ok(())
    }

    fn cookie(&mut self, change: &CookieChange) -> Result<(), CodecError> {
        match change {
            CookieChange::Set(cookie) => self.put(keys::lasting(keys::COOKIES, &cookie.key()), cookie),
            CookieChange::Gone(key) => {
                self.writes.remove(keys::lasting(keys::COOKIES, key));
                Ok(())
            }
        }
    }

    /// Puts a request of which memory knows nothing into its queue, if it is new.
    fn admit(
        &mut self,
        request: Request,
        mark: Option<u64>,
        before: &Before<'_>,
    ) -> Result<Option<Pending>, StepError> {
        if let Some(fingerprint) = mark {
            if before.seen.is_in_runs(fingerprint)? || !self.offered.insert(fingerprint) {
                return Ok(None);
            }
            self.fingerprints.push(fingerprint);
        }
        let known = self.is_known(&request, before)?;
        Ok(Some(self.enqueue(request, known, before)?))
    }

    /// Puts a request into its queue.
    fn enqueue(&mut self, request: Request, known: bool, before: &Before<'_>) -> Result<Pending, StepError> {
        // Such a page is asked past the seen-set: a link to it may be new to the set, and the page is not.
        self.head.looks_back |= request.dedup != Dedup::Once;
        let key = QueueKey::new(request.priority, self.head.next_seq);
        self.head.next_seq = self.head.next_seq.saturating_add(1);
        let pending = Pending { known, ..Pending::new(key, request) };
        let origin = pending.request.origin();
        let queue = self.queue(&origin, before)?;
        queue.push(key);
        let (id, is_short) = (queue.id, queue.count <= SHORT);
        self.came.extend(is_short.then_some((id, key)));
        self.write(self.head.keys().queue(id, key), &pending, &origin)?;
        Ok(pending)
    }

    /// Whether the page was seen before.
    fn is_known(&self, request: &Request, before: &Before<'_>) -> Result<bool, StoreError> {
        Ok(self.head.looks_back
            && before.frontier.contains(&self.head.pages().page(request.fingerprint()))?)
    }

    /// Takes requests off the failed list. Rare enough for a walk over all of it.
    fn unfail(&mut self, requests: &[Fingerprint], before: &Before<'_>) -> Result<(), StepError> {
        if requests.is_empty() {
            return Ok(());
        }
        let requests: HashSet<_> = requests.iter().collect();
        let mut unreadable = None;
        before.frontier.each(&self.head.keys().all(Kind::Failed), |key, value| {
            match codec::decode::<FailedRecord>(value) {
                Ok(record) if requests.contains(&record.request.fingerprint()) => {
                    self.writes.remove(key);
                }
                Ok(_) => {}
                Err(error) => unreadable = Some(error),
            }
            Ok(())
        })?;
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Writes down what is known of a page, and moves it to its place among those that are due.
    fn learn(&mut self, change: &PageChange) -> Result<(), CodecError> {
        let PageChange { page, before, now } = change;
        let keys = self.era;
        if let Some(due) = before.as_ref().and_then(|before| before.due.moment()) {
            self.writes.remove(keys.due(due, *page));
        }
        let Some(now) = now else {
            self.writes.remove(keys.page(*page));
            return Ok(());
        };
        if let Some(due) = now.due.moment() {
            self.writes.set(keys.due(due, *page), []);
        }
        self.put(keys.page(*page), now)
    }

    /// Takes a request out of its queue, if it is there.
    fn done(&mut self, origin: &Origin, key: QueueKey, before: &Before<'_>) -> Result<(), StepError> {
        if !self.queues.contains_key(origin) && before.queues.get(origin).is_none() {
            return Ok(());
        }
        let id = self.queue(origin, before)?.id;
        let place = self.head.keys().queue(id, key);
        if !self.waits((id, key), &place, before)? {
            return Ok(());
        }
        self.writes.remove(place);
        self.moved.insert((id, key), false);
        self.left.push((id, key));
        let queue = self.queue(origin, before)?;
        queue.count = queue.count.saturating_sub(1);
        if queue.first == key {
            queue.first = keys::next_place(key).unwrap_or(key);
        }
        Ok(())
    }

    /// Writes a request to its place, over what is there.
    fn retry(&mut self, origin: &Origin, pending: &Pending, before: &Before<'_>) -> Result<(), StepError> {
        self.head.next_seq = self.head.next_seq.max(pending.key.seq.saturating_add(1));
        let id = self.queue(origin, before)?.id;
        let place = self.head.keys().queue(id, pending.key);
        if !self.waits((id, pending.key), &place, before)? {
            self.queue(origin, before)?.push(pending.key);
        }
        self.moved.insert((id, pending.key), true);
        Ok(self.write(place, pending, origin)?)
    }

    fn write(&mut self, place: Vec<u8>, pending: &Pending, origin: &Origin) -> Result<(), CodecError> {
        let bytes = codec::encode_pending(pending, origin.as_str())?;
        self.writes.set(place, bytes);
        Ok(())
    }

    /// Whether something waits at this place, by now.
    fn waits(&self, spot: Spot, place: &[u8], before: &Before<'_>) -> Result<bool, StoreError> {
        let said = self.moved.get(&spot).copied();
        // What enters with this step is seldom done with it too.
        let came = || (spot.1.seq >= self.first_seq).then(|| self.writes.last_word(place)).flatten();
        match said.or_else(came) {
            Some(waits) => Ok(waits),
            None if before.handed.contains(&spot) => Ok(true),
            None => before.frontier.contains(place),
        }
    }

    /// The queue of an origin as this step leaves it; a new origin gets a number.
    fn queue(&mut self, origin: &Origin, before: &Before<'_>) -> Result<&mut Queue, CodecError> {
        let Self { queues, head, writes, .. } = self;
        let entry = match queues.entry(origin.clone()) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        if let Some(queue) = before.queues.get(origin) {
            return Ok(entry.insert(queue));
        }
        let id = head.next_origin;
        head.next_origin += 1;
        writes.set(head.keys().origin(id), codec::encode(origin)?);
        Ok(entry.insert(Queue::new(id)))
    }

    /// Writes the counts of the queues that were touched, so that opening need not walk over them.
    fn counts(&mut self) -> Result<(), CodecError> {
        let queues = std::mem::take(&mut self.queues);
        let mut write = |queue: &Queue| {
            let key = self.head.keys().count(queue.id);
            if queue.count == 0 {
                self.writes.remove(key);
                return Ok(());
            }
            self.put(key, &(queue.count, queue.first.band, queue.first.seq))
        };
        let written = queues.values().try_for_each(&mut write);
        self.queues = queues;
        written
    }
}

/// The fingerprint under which the seen-set keeps a request; none for those that may come again.
pub(super) fn mark(request: &Request) -> Option<u64> {
    (request.dedup == Dedup::Once).then(|| request.fingerprint().get())
}
