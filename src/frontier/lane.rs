//! One origin's queue: a small head in memory, the rest in the store.
//!
//! The invariant that everything rests on: **every waiting request whose key is not behind the cursor is in memory** (in the
//! head, among the delayed, or aside because it is out or held); what lies behind the cursor is only in the store and is
//! loaded when the head runs low. Memory is a cache of the front of the queue; losing it loses nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::request::{Pending, QueueKey};
use crate::time::Timestamp;

/// Delayed requests kept in memory; more stay in the store and are read again later.
const MAX_DELAYED: usize = 4_096;

/// The queue of one origin.
#[derive(Debug)]
pub(super) struct Lane {
    head: BTreeMap<QueueKey, Pending>,
    delayed: BTreeMap<(Timestamp, QueueKey), Pending>,
    aside: BTreeSet<QueueKey>,
    cursor: Option<QueueKey>,
    rest: Rest,
    waiting: u64,
}

/// What is known about the part of the queue that is not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing: memory holds the whole queue.
    None,
    /// Something lies behind the cursor.
    Behind,
    /// Delayed requests were left out; the queue is to be read again from its start when the others are through.
    Skipped,
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
            cursor: None,
            rest: Rest::None,
            waiting: 0,
        }
    }

    /// A queue of which `count` requests are in the store and none in memory.
    pub(super) fn stored(count: u64) -> Self {
        Self {
            rest: if count > 0 { Rest::Behind } else { Rest::None },
            waiting: count,
            ..Self::new()
        }
    }

    /// All requests that are not settled, those in flight included.
    pub(super) const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Whether anything could be asked, now or later, once robots.txt allows it.
    pub(super) fn has_work(&self) -> bool {
        !self.head.is_empty() || !self.delayed.is_empty() || self.rest != Rest::None
    }

    /// A request has entered the store's queue.
    pub(super) fn admit(&mut self, pending: Pending, room: usize) {
        self.waiting += 1;
        match self.rest {
            Rest::None if self.head.len() < room => self.insert(pending),
            Rest::None => self.rest = Rest::Behind,
            _ if self.cursor.is_some_and(|cursor| pending.key < cursor) => self.insert(pending),
            _ => {}
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

    fn insert(&mut self, pending: Pending) {
        self.cursor = self.cursor.max(Some(pending.key));
        if self.aside.contains(&pending.key) {
            return;
        }
        match pending.request.not_before {
            Some(moment) => self.delay(pending, moment),
            None => drop(self.head.insert(pending.key, pending)),
        }
    }

    fn delay(&mut self, pending: Pending, until: Timestamp) {
        self.aside.insert(pending.key);
        self.delayed.insert((until, pending.key), pending);
        if self.delayed.len() > MAX_DELAYED
            && let Some(((_, key), _)) = self.delayed.pop_last()
        {
            self.aside.remove(&key);
            if self.rest == Rest::None {
                self.rest = Rest::Skipped;
            }
        }
    }

    /// Whether the head has run low and the store holds more.
    pub(super) fn needs_load(&self) -> bool {
        let more = match self.rest {
            Rest::Behind => true,
            Rest::Skipped => self.delayed.is_empty(),
            Rest::None | Rest::Loading => false,
        };
        more && self.head.is_empty()
    }

    /// What to read from the store, if something is to be. The caller must answer with [`Lane::load`].
    pub(super) fn wants_load(&mut self) -> Option<LoadFrom> {
        if !self.needs_load() {
            return None;
        }
        let from = if self.rest == Rest::Skipped {
            None
        } else {
            self.cursor
        };
        self.rest = Rest::Loading;
        Some(LoadFrom(from))
    }

    /// What the store held behind the cursor; `asked` is how much was asked for.
    pub(super) fn load(&mut self, requests: Vec<Pending>, asked: usize) {
        self.rest = if requests.len() < asked {
            Rest::None
        } else {
            Rest::Behind
        };
        for pending in requests {
            self.insert(pending);
        }
    }

    /// When the first request may be asked for its own part; `None` if there is none in memory.
    pub(super) fn ready_at(&self) -> Option<Timestamp> {
        if !self.head.is_empty() {
            return Some(Timestamp::ZERO);
        }
        self.delayed.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Takes the next request out. It stays aside until [`Lane::settle`] or [`Lane::put_back`].
    ///
    /// A request that waits for its second refusal lets the others go first: if the host refuses this page alone, the rest
    /// of the queue must not wait behind it.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Pending> {
        let due = self.delayed.first_entry().filter(|entry| entry.key().0 <= now);
        let due = due.filter(|entry| self.head.is_empty() || entry.get().refusals < 2);
        let pending = match due {
            Some(entry) => entry.remove(),
            None => self.head.pop_first()?.1,
        };
        self.aside.insert(pending.key);
        Some(pending)
    }

    /// A request that was taken has left the queue for good.
    pub(super) fn settle(&mut self, key: QueueKey) {
        self.aside.remove(&key);
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// A request that was taken comes back, not to be asked before `until`.
    pub(super) fn put_back(&mut self, pending: Pending, until: Timestamp) {
        self.delay(pending, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::url::CanonicalUrl;

    fn pending(priority: i8, seq: u64) -> Pending {
        let url = CanonicalUrl::parse(&format!("http://a.example/{seq}")).unwrap();
        Pending {
            key: QueueKey::new(priority, seq),
            tries: 0,
            refusals: 0,
            request: Request::get(url).priority(priority),
        }
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
        let rest: Vec<_> = (10..20)
            .map(|s| pending(3, s))
            .chain((0..3).map(|s| pending(0, s)))
            .collect();
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
        lane.put_back(out, Timestamp::from_secs(5));
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
        lane.put_back(refused, Timestamp::ZERO);
        let mut again = lane.take(Timestamp::ZERO).unwrap();
        assert_eq!(again.key.seq, 1, "once may be bad luck");
        again.refusals = 2;
        lane.put_back(again, Timestamp::ZERO);
        assert_eq!(lane.take(Timestamp::ZERO).unwrap().key.seq, 2);
    }
}
