//! The layout of the database: one key space, so that whatever a crash leaves of it is a prefix of its history.
//!
//! `h` host · `n` host that sleeps · `r` origin · `s` sink · `c` cookie · `m` name: what holds across rounds, and the head. `g` generation kind …: what belongs
//! to one round. A new round is a new generation; the old one is out of sight at once and swept up afterwards. `p` era
//! fingerprint, `d` era moment fingerprint: what is known of pages, and when each is due. Who begins anew begins a new era.

use std::ops::{Bound, RangeInclusive};

use super::QueueKey;
use crate::time::Timestamp;
use crate::url::Fingerprint;

pub(super) const HEAD: &[u8] = b"mhead";
pub(super) const RUN: &[u8] = b"mrun";
pub(super) const TOTALS: &[u8] = b"mtotals";
pub(super) const LOGIN: &[u8] = b"mlogin";
pub(super) const HOSTS: u8 = b'h';
pub(super) const NAPS: u8 = b'n';
pub(super) const ROBOTS: u8 = b'r';
pub(super) const SINKS: u8 = b's';
pub(super) const COOKIES: u8 = b'c';
const GENERATIONS: u8 = b'g';
const PAGES: u8 = b'p';
const DUE: u8 = b'd';

/// What a generation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Number of an origin to its text.
    Origin = b'o',
    /// Number of an origin to how many requests wait, and where the first of them may be.
    Count = b'n',
    /// Place in a queue to the request.
    Queue = b'q',
    /// Number to a URL that was given up.
    Failed = b'f',
    /// Key of an item to the page that has it.
    ItemKey = b'k',
    /// The counts of items.
    Tally = b't',
}

/// The keys of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u32);

impl Generation {
    /// What all keys of this kind begin with.
    pub(super) fn all(self, kind: Kind) -> Vec<u8> {
        let mut key = Vec::with_capacity(19);
        key.push(GENERATIONS);
        key.extend(self.0.to_be_bytes());
        key.push(kind as u8);
        key
    }

    pub(super) fn origin(self, id: u32) -> Vec<u8> {
        with(self.all(Kind::Origin), &id.to_be_bytes())
    }

    pub(super) fn count(self, id: u32) -> Vec<u8> {
        with(self.all(Kind::Count), &id.to_be_bytes())
    }

    pub(super) fn queue(self, id: u32, key: QueueKey) -> Vec<u8> {
        with(with(self.whole_queue(id), &[key.band]), &key.seq.to_be_bytes())
    }

    pub(super) fn failed(self, number: u64) -> Vec<u8> {
        with(self.all(Kind::Failed), &number.to_be_bytes())
    }

    pub(super) fn item_key(self, key: Fingerprint) -> Vec<u8> {
        with(self.all(Kind::ItemKey), &key.get().to_be_bytes())
    }

    /// What all places of a queue begin with.
    pub(super) fn whole_queue(self, id: u32) -> Vec<u8> {
        with(self.all(Kind::Queue), &id.to_be_bytes())
    }

    /// All keys of the generations before this one.
    pub(super) fn earlier(self) -> RangeInclusive<Vec<u8>> {
        let before = self.0.wrapping_sub(1);
        let last = with(with(vec![GENERATIONS], &before.to_be_bytes()), &[u8::MAX; 16]);
        vec![GENERATIONS]..=last
    }
}

/// The keys of what is known of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Era(pub(super) u32);

impl Era {
    /// What is known of pages that were asked for beside the crawl. No crawl comes to it, and none sweeps it up.
    pub(super) const BESIDE: Self = Self(u32::MAX);

    pub(super) fn page(self, page: Fingerprint) -> Vec<u8> {
        with(self.of(PAGES), &page.get().to_be_bytes())
    }

    pub(super) fn due(self, moment: Timestamp, page: Fingerprint) -> Vec<u8> {
        with(self.due_from(moment), &page.get().to_be_bytes())
    }

    /// Where the pages begin that are due at `moment` or later.
    pub(super) fn due_from(self, moment: Timestamp) -> Vec<u8> {
        with(self.of(DUE), &moment.as_millis().to_be_bytes())
    }

    /// All pages behind `after`.
    pub(super) fn pages(self, after: Option<Fingerprint>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let from = after.map_or(Bound::Included(self.of(PAGES)), |after| Bound::Excluded(self.page(after)));
        (from, Bound::Included(self.page(Fingerprint::from_bits(u64::MAX))))
    }

    /// All keys of the eras before this one.
    pub(super) fn earlier(self) -> [RangeInclusive<Vec<u8>>; 2] {
        let before = Self(self.0.wrapping_sub(1));
        [PAGES, DUE].map(|kind| vec![kind]..=with(before.of(kind), &[u8::MAX; 17]))
    }

    fn of(self, kind: u8) -> Vec<u8> {
        let mut key = Vec::with_capacity(21);
        key.push(kind);
        with(key, &self.0.to_be_bytes())
    }
}

/// The page at the end of an era's key.
pub(super) fn page_of(key: &[u8]) -> Option<Fingerprint> {
    key.last_chunk::<8>().map(|bits| Fingerprint::from_bits(u64::from_be_bytes(*bits)))
}

/// The moment and the page of a key of those that are due.
pub(super) fn due_of(key: &[u8]) -> Option<(Timestamp, Fingerprint)> {
    let moment = key.get(5..)?.first_chunk::<8>()?;
    Some((Timestamp::from_millis(u64::from_be_bytes(*moment)), page_of(key)?))
}

/// A key that holds across rounds.
pub(super) fn lasting(tag: u8, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(tag);
    with(key, name.as_bytes())
}

/// The number behind the kind in a generation's key.
pub(super) fn number(key: &[u8]) -> Option<u32> {
    let bytes = key.get(6..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// The place in the queue at the end of a generation's queue key.
pub(super) fn queue_key(key: &[u8]) -> Option<QueueKey> {
    let (band, seq) = key.get(10..)?.split_first()?;
    Some(QueueKey { band: *band, seq: u64::from_be_bytes(seq.try_into().ok()?) })
}

/// The place right behind this one.
pub(super) fn next_place(key: QueueKey) -> Option<QueueKey> {
    match key.seq.checked_add(1) {
        Some(seq) => Some(QueueKey { seq, ..key }),
        None => key.band.checked_add(1).map(|band| QueueKey { band, seq: 0 }),
    }
}

fn with(mut key: Vec<u8>, more: &[u8]) -> Vec<u8> {
    key.extend(more);
    key
}
