//! One origin's queue: a small head in memory, the rest in the store.
//!
//! The invariant that everything rests on: **every waiting request whose key is not behind the cursor is in memory** (in the
//! head, among the delayed, or aside because it is out or held), but for delayed ones that were left out, which is
//! remembered. What lies behind the cursor is only in the store and is loaded when the head runs low; what was left out is
//! found by reading the queue from its start again. Memory is a cache of the queue; losing it loses nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::request::{Kind, Pending, QueueKey};
use crate::time::Timestamp;

/// Delayed requests kept in memory for each place in the head; more are left in the store and read again later.
const DELAYED_PER_PLACE: usize = 64;

/// The queue of one origin.
#[derive(Debug)]
pub(super) struct Lane {
    head: BTreeMap<QueueKey, Pending>,
    delayed: BTreeMap<(Timestamp, QueueKey), Pending>,
    /// Known and not in the head: delayed, out or held. A load must not bring them a second time.
    aside: BTreeSet<QueueKey>,
    /// No longer aside, but the load under way may still have seen them.
    parting: Vec<QueueKey>,
    cursor: Option<QueueKey>,
    rest: Rest,
    /// Delayed requests were left out: the queue is to be read again from its start when the others are through.
    left_out: bool,
    waiting: u64,
}

/// What is known about the part of the queue behind the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// There is none.
    None,
    /// Something lies there.
    Behind,
    /// A load is under way.
    Loading,
}

/// A part of the queue to read from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadFrom(pub(super) Option<QueueKey>);

impl Lane {
    /// An empty queue.
    pub(super) const fn new() -> Self {
        Self {
            head: BTreeMap::new(),
            delayed: BTreeMap::new(),
            aside: BTreeSet::new(),
            parting: Vec::new(),
            cursor: None,
            rest: Rest::None,
            left_out: false,
            waiting: 0,
        }
    }

    /// A queue of which `count` requests are in the store and none in memory.
    pub(super) fn stored(count: u64) -> Self {
        Self { rest: if count > 0 { Rest::Behind } else { Rest::None }, waiting: count, ..Self::new() }
    }

    /// A queue of which `count` requests are in the store, and the first of them at hand.
    pub(super) fn begun(count: u64, first: Vec<Pending>, room: usize) -> Self {
        let mut lane = Self::stored(count);
        let at_hand = first.len() as u64;
        if at_hand > 0 {
            first.into_iter().for_each(|pending| lane.insert(pending, room));
            lane.rest = if at_hand < count { Rest::Behind } else { Rest::None };
        }
        lane
    }

    /// Whether all that it knows is in the store too: nothing is out or held, no load is under way, and no request is one of
    /// memory alone.
    pub(super) fn may_sleep(&self) -> bool {
        let mut all = self.head.values().chain(self.delayed.values());
        self.rest != Rest::Loading
            && self.parting.is_empty()
            && self.aside.len() == self.delayed.len()
            && all.all(|pending| pending.request.kind != Kind::Login)
    }

    /// Whether a file may be among its requests, as far as is known: they stand in front.
    pub(super) fn may_hold_files(&self) -> bool {
        let is_unread = self.cursor.is_none() && self.rest == Rest::Behind;
        is_unread || self.file_ready_at().is_some()
    }

    /// All requests that are not settled, those in flight included.
    pub(super) const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Whether anything could be asked, now or later, once robots.txt allows it.
    pub(super) fn has_work(&self) -> bool {
        !self.head.is_empty() || !self.delayed.is_empty() || self.rest != Rest::None || self.left_out
    }

    /// A request has entered the store's queue. The head has `room`.
    pub(super) fn admit(&mut self, pending: Pending, room: usize) {
        self.waiting += 1;
        let in_front = self.cursor.is_some_and(|cursor| pending.key < cursor);
        match self.rest {
            Rest::None if self.head.len() < room => self.insert(pending, room),
            _ if in_front => self.insert(pending, room),
            Rest::None => self.rest = Rest::Behind,
            Rest::Behind | Rest::Loading => {}
        }
        self.shrink(room * 2);
    }

    /// Forgets the end of a head that priorities have made too long.
    fn shrink(&mut self, most: usize) {
        if self.rest == Rest::Loading {
            return;
        }
        while self.head.len() > most {
            self.head.pop_last();
            self.cursor = self.head.last_key_value().map(|(key, _)| *key);
            self.rest = Rest::Behind;
        }
    }

    fn insert(&mut self, pending: Pending, room: usize) {
        self.cursor = self.cursor.max(Some(pending.key));
        if self.aside.contains(&pending.key) {
            return;
        }
        match pending.request.not_before {
            Some(moment) => self.delay(pending, moment, room),
            None => drop(self.head.insert(pending.key, pending)),
        }
    }

    fn delay(&mut self, pending: Pending, until: Timestamp, room: usize) {
        self.aside.insert(pending.key);
        self.delayed.insert((until, pending.key), pending);
        if self.delayed.len() > room * DELAYED_PER_PLACE
            && let Some(((_, key), _)) = self.delayed.pop_last()
        {
            self.forget(key);
            self.left_out = true;
        }
    }

    /// A request is not aside any more. A load that is under way may have read it as it was.
    fn forget(&mut self, key: QueueKey) {
        if self.rest == Rest::Loading {
            self.parting.push(key);
        } else {
            self.aside.remove(&key);
        }
    }

    /// Whether the head has run low and the store holds more.
    pub(super) fn needs_load(&self) -> bool {
        let more = match self.rest {
            Rest::Behind => true,
            Rest::None => self.left_out && self.delayed.is_empty(),
            Rest::Loading => false,
        };
        more && self.head.is_empty()
    }

    /// What to read from the store, if something is to be. The caller must answer with [`Lane::load`].
    pub(super) fn wants_load(&mut self) -> Option<LoadFrom> {
        if !self.needs_load() {
            return None;
        }
        if self.rest == Rest::None {
            (self.left_out, self.cursor) = (false, None);
        }
        self.rest = Rest::Loading;
        Some(LoadFrom(self.cursor))
    }

    /// What the store held behind the cursor; `room` is how much was asked for.
    pub(super) fn load(&mut self, requests: Vec<Pending>, room: usize) {
        let is_last = requests.len() < room;
        for pending in requests {
            self.insert(pending, room);
        }
        self.rest = if is_last { Rest::None } else { Rest::Behind };
        for key in std::mem::take(&mut self.parting) {
            self.aside.remove(&key);
        }
    }

    /// When the first request may be asked for its own part; `None` if there is none in memory.
    pub(super) fn ready_at(&self) -> Option<Timestamp> {
        if !self.head.is_empty() {
            return Some(Timestamp::ZERO);
        }
        self.delayed.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// The same for files, which no limit on pages holds back. They stand in front of pages, so that none is behind the cursor.
    pub(super) fn file_ready_at(&self) -> Option<Timestamp> {
        if self.head.values().any(is_file) {
            return Some(Timestamp::ZERO);
        }
        self.delayed.iter().find(|(_, pending)| is_file(pending)).map(|((moment, _), _)| *moment)
    }

    /// Takes the next file out, as [`Lane::take`] does with any request.
    pub(super) fn take_file(&mut self, now: Timestamp) -> Option<Pending> {
        let waits = self.head.iter().find(|(_, pending)| is_file(pending)).map(|(key, _)| *key);
        let pending = match waits {
            Some(key) => self.head.remove(&key),
            None => {
                let due =
                    self.delayed.iter().find(|((moment, _), pending)| *moment <= now && is_file(pending));
                let place = due.map(|(place, _)| *place)?;
                self.delayed.remove(&place)
            }
        }?;
        self.aside.insert(pending.key);
        Some(pending)
    }

    /// Takes the next request out. It stays aside until [`Lane::settle`] or [`Lane::put_back`].
    ///
    /// A request that waits for its second refusal, or has failed, lets the others go first: if it is this page alone, the rest of
    /// the queue must not wait behind it.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Pending> {
        let due = self.delayed.first_entry().filter(|entry| entry.key().0 <= now);
        let due = due.filter(|entry| self.head.is_empty() || !is_doubtful(entry.get()));
        let pending = match due {
            Some(entry) => entry.remove(),
            None => self.head.pop_first()?.1,
        };
        self.aside.insert(pending.key);
        Some(pending)
    }

    /// A request that was taken has left the queue for good.
    pub(super) fn settle(&mut self, key: QueueKey) {
        self.forget(key);
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A request that was taken comes back, not to be asked before `until`.
    pub(super) fn put_back(&mut self, pending: Pending, until: Timestamp, room: usize) {
        self.delay(pending, until, room);
    }
}

/// Whether the page may be the reason that it was not had.
fn is_doubtful(pending: &Pending) -> bool {
    pending.refusals >= 2 || pending.tries > 0
}

fn is_file(pending: &Pending) -> bool {
    pending.request.kind == Kind::Download
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::url::CanonicalUrl;

    fn pending(priority: i8, seq: u64) -> Pending {
        let url = CanonicalUrl::parse(&format!("http://a.example/{seq}")).unwrap();
        Pending::new(QueueKey::new(priority, seq), Request::get(url).priority(priority))
    }

    fn taken(lane: &mut Lane) -> Option<u64> {
        let pending = lane.take(Timestamp::ZERO)?;
        lane.settle(pending.key);
        Some(pending.key.seq)
    }

    #[test]
    fn priority_comes_before_age_and_age_before_nothing() {
        let mut lane = Lane::new();
        for (priority, seq) in [(0, 1), (0, 2), (5, 3), (-1, 4), (5, 5)] {
            lane.admit(pending(priority, seq), 10);
        }
        let order: Vec<_> = std::iter::from_fn(|| taken(&mut lane)).collect();
        assert_eq!(order, [3, 5, 1, 2, 4]);
    }

    #[test]
    fn what_does_not_fit_is_loaded_when_the_head_is_empty() {
        let mut lane = Lane::new();
        for seq in 0..5 {
            lane.admit(pending(0, seq), 2);
        }
        assert_eq!(lane.wants_load(), None);
        assert_eq!((taken(&mut lane), taken(&mut lane)), (Some(0), Some(1)));
        assert_eq!(lane.wants_load(), Some(LoadFrom(Some(QueueKey::new(0, 1)))));
        assert_eq!(lane.wants_load(), None, "one load at a time");
        lane.load((2..4).map(|seq| pending(0, seq)).collect(), 2);
        assert_eq!((taken(&mut lane), taken(&mut lane)), (Some(2), Some(3)));
        assert_eq!(lane.wants_load(), Some(LoadFrom(Some(QueueKey::new(0, 3)))));
        lane.load(vec![pending(0, 4)], 2);
        assert_eq!(taken(&mut lane), Some(4));
        assert!(!lane.has_work());
        assert_eq!(lane.waiting(), 0);
    }

    #[test]
    fn an_urgent_request_overtakes_what_is_in_the_store() {
        let mut lane = Lane::new();
        for seq in 0..5 {
            lane.admit(pending(0, seq), 2);
        }
        lane.admit(pending(9, 9), 2);
        assert_eq!(taken(&mut lane), Some(9));
    }

    #[test]
    fn a_head_that_priorities_made_long_is_cut_and_nothing_is_lost() {
        let mut lane = Lane::new();
        for seq in 0..3 {
            lane.admit(pending(0, seq), 2);
        }
        for seq in 10..20 {
            lane.admit(pending(3, seq), 2);
        }
        let mut order = Vec::new();
        while let Some(seq) = taken(&mut lane) {
            order.push(seq);
        }
        let from = lane.wants_load().unwrap().0.unwrap();
        let rest: Vec<_> = (10..20).map(|s| pending(3, s)).chain((0..3).map(|s| pending(0, s))).collect();
        lane.load(rest.into_iter().filter(|p| p.key > from).collect(), 100);
        order.extend(std::iter::from_fn(|| taken(&mut lane)));
        assert_eq!(order, (10..20).chain(0..3).collect::<Vec<_>>());
    }

    #[test]
    fn a_request_that_is_out_is_not_loaded_a_second_time() {
        let mut lane = Lane::stored(1);
        assert_eq!(lane.wants_load(), Some(LoadFrom(None)));
        lane.load(vec![pending(0, 1)], 2);
        let out = lane.take(Timestamp::ZERO).unwrap();
        lane.put_back(out, Timestamp::from_secs(5), 10);
        assert_eq!(lane.ready_at(), Some(Timestamp::from_secs(5)));
        assert!(lane.take(Timestamp::ZERO).is_none());
        assert_eq!(lane.take(Timestamp::from_secs(5)).unwrap().key.seq, 1);
    }

    #[test]
    fn a_page_that_is_refused_twice_lets_the_others_go_first() {
        let mut lane = Lane::new();
        lane.admit(pending(0, 1), 10);
        lane.admit(pending(0, 2), 10);
        let mut refused = lane.take(Timestamp::ZERO).unwrap();
        refused.refusals = 1;
        lane.put_back(refused, Timestamp::ZERO, 10);
        let mut again = lane.take(Timestamp::ZERO).unwrap();
        assert_eq!(again.key.seq, 1, "once may be bad luck");
        again.refusals = 2;
        lane.put_back(again, Timestamp::ZERO, 10);
        assert_eq!(lane.take(Timestamp::ZERO).unwrap().key.seq, 2);
    }

    #[test]
    fn a_page_that_failed_lets_the_others_go_first() {
        let mut lane = Lane::new();
        lane.admit(pending(0, 1), 10);
        lane.admit(pending(0, 2), 10);
        let mut failed = lane.take(Timestamp::ZERO).unwrap();
        failed.tries = 1;
        lane.put_back(failed, Timestamp::ZERO, 10);
        assert_eq!(
            [lane.take(Timestamp::ZERO), lane.take(Timestamp::ZERO)].map(|p| p.unwrap().key.seq),
            [2, 1]
        );
    }

    #[test]
    fn an_urgent_request_that_finds_the_head_full_is_not_lost() {
        let mut lane = Lane::new();
        for seq in 0..2 {
            lane.admit(pending(0, seq), 2);
        }
        lane.admit(pending(9, 9), 2);
        let order: Vec<_> = std::iter::from_fn(|| taken(&mut lane)).collect();
        assert_eq!(order, [9, 0, 1]);
        assert!(!lane.has_work());
    }

    #[test]
    fn what_is_settled_while_a_load_is_under_way_does_not_come_back_with_it() {
        let mut lane = Lane::new();
        lane.admit(pending(0, 5), 1);
        let out = lane.take(Timestamp::ZERO).unwrap();
        for seq in 6..9 {
            lane.admit(pending(1, seq), 1);
        }
        while taken(&mut lane).is_some() {}
        assert!(lane.wants_load().is_some());
        lane.settle(out.key);
        lane.load(vec![out], 10);
        assert_eq!(taken(&mut lane), None);
    }

    #[test]
    fn delayed_requests_that_do_not_fit_are_read_again_from_the_start() {
        let mut lane = Lane::new();
        let later = |seq| {
            let mut later = pending(0, seq);
            later.request.not_before = Some(Timestamp::from_secs(seq));
            later
        };
        for seq in 1..=66 {
            lane.admit(later(seq), 1);
        }
        let now = Timestamp::from_secs(100);
        let first: Vec<_> = std::iter::from_fn(|| lane.take(now)).collect();
        assert_eq!(first.len(), 64);
        for pending in &first {
            lane.settle(pending.key);
        }
        assert!(lane.has_work());
        assert_eq!(lane.wants_load(), Some(LoadFrom(None)));
        lane.load(vec![later(65), later(66)], 10);
        assert_eq!(std::iter::from_fn(|| lane.take(now)).count(), 2);
    }

    #[test]
    fn what_is_put_back_into_a_full_memory_while_more_lies_behind_is_not_forgotten() {
        let mut store: BTreeMap<_, _> = (0..70).map(|seq| pending(0, seq)).map(|p| (p.key, p)).collect();
        let mut lane = Lane::stored(70);
        for now in [1_u64, 1_000, 2_000].map(Timestamp::from_secs) {
            loop {
                if let Some(LoadFrom(after)) = lane.wants_load() {
                    let behind = store.values().filter(|p| after.is_none_or(|key| p.key > key));
                    lane.load(behind.take(1).cloned().collect(), 1);
                }
                let Some(mut pending) = lane.take(now) else {
                    if lane.needs_load() {
                        continue;
                    }
                    break;
                };
                if pending.tries == 0 {
                    pending.tries = 1;
                    pending.request.not_before = Some(Timestamp::from_secs(500 + pending.key.seq));
                    store.insert(pending.key, pending.clone());
                    lane.put_back(pending, Timestamp::from_secs(500), 1);
                } else {
                    store.remove(&pending.key);
                    lane.settle(pending.key);
                }
            }
        }
        assert!(store.is_empty(), "{} left", store.len());
        assert!(!lane.has_work());
    }
}
