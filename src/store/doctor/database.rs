//! All records of a database as far as they can be read, whatever is in the way of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::cookies::Cookie;
use crate::history::PageRecord;
use crate::politeness::HostState;
use crate::robots::RobotsRecord;
use crate::sink::Position;
use crate::stage::tally::ItemTally;
use crate::store::codec::{decode, decode_pending};
use crate::store::disk::DiskOptions;
use crate::store::frame::Frame;
use crate::store::frontier::{Frontier, Way};
use crate::store::keys::{self, Era, Generation, Kind};
use crate::store::step::Head;
use crate::store::{FailedRecord, StoreError};
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Counters,
    Run,
    Hosts,
    Robots,
    Outputs,
    Cookies,
    Origins,
    Requests,
    Failed,
    Items,
    Pages,
    /// Where nothing can be read, nobody knows what was there.
    Unknown,
}

impl About {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counters => "the counters",
            Self::Run => "the record of the run",
            Self::Hosts => "what is known of hosts, and their waits",
            Self::Robots => "answers of robots.txt",
            Self::Outputs => "how far outputs were written",
            Self::Cookies => "cookies",
            Self::Origins => "names of origins",
            Self::Requests => "requests that wait",
            Self::Failed => "the failed list",
            Self::Items => "counts and keys of items",
            Self::Pages => "the history of pages",
            Self::Unknown => "what nobody knows",
        }
    }

    /// Whether pages of the round may be among what is lost.
    pub(super) const fn loses_requests(self) -> bool {
        matches!(self, Self::Counters | Self::Run | Self::Origins | Self::Requests | Self::Unknown)
    }
}

/// Records that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) about: About,
    /// How many; unknown for a stretch of the database.
    pub(super) count: Option<u64>,
    pub(super) reason: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = self.about.as_str();
        match self.count {
            None => write!(f, "a part of {about} ({})", self.reason),
            Some(count) => write!(f, "{count} of {about} ({})", self.reason),
        }
    }
}

/// What a database holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) head: Option<Head>,
    pub(super) records: u64,
    pub(super) waiting: u64,
    pub(super) pages: u64,
    pub(super) gaps: Vec<Gap>,
    pub(super) last_seen: Option<Timestamp>,
    pub(super) longest_wait: Option<(String, Timestamp)>,
    /// Origins of the round by number.
    pub(super) origins: BTreeMap<u32, String>,
    /// Requests that wait and can be read, by the number of their origin.
    pub(super) queues: BTreeMap<u32, u64>,
    pub(super) generation: u32,
    pub(super) era: u32,
    pub(super) next_failed: u64,
    pub(super) next_seq: u64,
    counted: BTreeMap<u32, u64>,
    bad: BTreeMap<About, u64>,
}

impl Scan {
    /// Opens the database in `path`, which is a copy, and reads all of it.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::read(&Frontier::open(path, &DiskOptions::default())?))
    }

    /// Reads all of a database.
    pub(super) fn read(frontier: &Frontier) -> Self {
        let mut scan = Self::default();
        let head = frontier.get(keys::HEAD).ok().flatten();
        scan.head = head.and_then(|head| decode(&head).ok());
        (scan.generation, scan.era) = match scan.head {
            Some(head) => (head.generation, head.era),
            None => (last_number(frontier, b'g'), last_number(frontier, b'p')),
        };
        let origins = Generation(scan.generation).all(Kind::Origin);
        let known = &mut scan.origins;
        // What is wrong here is found again below.
        let _ = frontier.walk(prefix(&origins), Way::Up, &mut |key, value| {
            known.extend(keys::number(key).zip(decode::<String>(value).ok()));
        });
        let starts = scan.starts();
        scan.gaps = read_all(frontier, &starts, &mut |key, value| scan.take(key, value));
        if scan.head.is_none() {
            scan.bad.insert(About::Counters, 1);
        }
        scan.count_what_is_missing();
        let reason = "they do not read back";
        let bad = std::mem::take(&mut scan.bad).into_iter();
        scan.gaps.extend(bad.map(|(about, count)| Gap {
            about,
            count: Some(count),
            reason: reason.to_owned(),
        }));
        scan
    }

    pub(super) fn steps(&self) -> u64 {
        self.head.map_or(0, |head| head.steps)
    }

    /// Whether requests may be lost.
    pub(super) fn loses_requests(&self) -> bool {
        self.gaps.iter().any(|gap| gap.about.loses_requests())
    }

    /// Whether a record is to be kept, or what it was about if it does not read back.
    pub(super) fn judge(&self, key: &[u8], value: &[u8]) -> Result<Keep, About> {
        let about = about(key);
        let is_good = match (about, key.get(5)) {
            (About::Counters, _) => reads::<Head>(value),
            (About::Run, _) if key == keys::RUN => reads::<Frame>(value),
            (About::Run, _) if key == keys::TOTALS => reads::<BTreeMap<String, u64>>(value),
            (About::Hosts, _) => reads::<HostState>(value),
            (About::Robots, _) => reads::<RobotsRecord>(value),
            (About::Outputs, _) => reads::<Position>(value),
            (About::Cookies, _) => reads::<Cookie>(value),
            (About::Pages, _) if key[0] == b'd' => true,
            (About::Pages, _) if !self.is_of_era(key) => return Ok(Keep::Not),
            (About::Pages, _) => reads::<PageRecord>(value),
            (_, Some(_)) if key[0] == b'g' && !self.is_of_round(key) => return Ok(Keep::Not),
            (About::Origins, Some(b'o')) => reads::<String>(value),
            (About::Origins, _) => return if reads::<u64>(value) { Ok(Keep::Not) } else { Err(about) },
            (About::Requests, _) => self.is_request(key, value),
            (About::Failed, _) => reads::<FailedRecord>(value),
            (About::Items, Some(b't')) => reads::<ItemTally>(value),
            (About::Items, _) => reads::<u64>(value),
            _ => true,
        };
        if is_good { Ok(Keep::Yes) } else { Err(about) }
    }

    fn is_of_round(&self, key: &[u8]) -> bool {
        key.get(1..5) == Some(&self.generation.to_be_bytes()[..])
    }

    fn is_of_era(&self, key: &[u8]) -> bool {
        let era = key.get(1..5);
        era == Some(&self.era.to_be_bytes()[..]) || era == Some(&Era::BESIDE.0.to_be_bytes()[..])
    }

    fn is_request(&self, key: &[u8], value: &[u8]) -> bool {
        let origin = keys::number(key).and_then(|id| self.origins.get(&id));
        let place = keys::queue_key(key);
        place.zip(origin).is_some_and(|(place, origin)| decode_pending(place, value, origin).is_ok())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        match self.judge(key, value) {
            Ok(Keep::Yes) => self.learn(key, value),
            Ok(Keep::Not) if about(key) == About::Origins && self.is_of_round(key) => {
                self.counted.extend(keys::number(key).zip(decode::<u64>(value).ok()));
            }
            Ok(Keep::Not) => {}
            Err(about) => *self.bad.entry(about).or_default() += 1,
        }
    }

    fn learn(&mut self, key: &[u8], value: &[u8]) {
        match about(key) {
            About::Requests => {
                self.waiting += 1;
                *self.queues.entry(keys::number(key).unwrap_or_default()).or_default() += 1;
                let seq = keys::queue_key(key).map_or(0, |place| place.seq);
                self.next_seq = self.next_seq.max(seq.saturating_add(1));
            }
            About::Failed => {
                let number = key.last_chunk::<8>().map_or(0, |bits| u64::from_be_bytes(*bits));
                self.next_failed = self.next_failed.max(number.saturating_add(1));
                self.saw(decode::<FailedRecord>(value).ok().map(|record| record.at));
            }
            About::Pages if key[0] == b'p' => {
                self.pages += 1;
                self.saw(decode::<PageRecord>(value).ok().map(|record| record.checked));
            }
            About::Hosts => {
                let name = String::from_utf8_lossy(&key[1..]).into_owned();
                let until = decode::<HostState>(value).map_or(Timestamp::ZERO, |state| state.not_before);
                if self.longest_wait.as_ref().is_none_or(|(_, longest)| *longest < until) {
                    self.longest_wait = Some((name, until));
                }
            }
            _ => {}
        }
    }

    fn saw(&mut self, moment: Option<Timestamp>) {
        self.last_seen = self.last_seen.max(moment);
    }

    /// Requests that are counted and not there, and those that are there and not counted.
    fn count_what_is_missing(&mut self) {
        let ids: BTreeSet<_> = self.counted.keys().chain(self.queues.keys()).copied().collect();
        let of = |counts: &BTreeMap<u32, u64>, id: &u32| counts.get(id).copied().unwrap_or_default();
        let missing: u64 = ids.iter().map(|id| of(&self.counted, id).abs_diff(of(&self.queues, id))).sum();
        let known = self.bad.get(&About::Requests).copied().unwrap_or_default();
        if missing > known {
            self.bad.insert(About::Requests, missing);
        }
    }

    /// Keys from which on reading may begin again: wherever another kind of record or another queue begins.
    pub(super) fn starts(&self) -> Vec<Vec<u8>> {
        let round = Generation(self.generation);
        let kinds = [Kind::Count, Kind::Failed, Kind::ItemKey, Kind::Origin, Kind::Queue, Kind::Tally];
        let queues = self.origins.keys().map(|id| round.whole_queue(*id));
        let tags = [b'c', b'd', b'g', b'h', b'm', b'p', b'r', b's'].map(|tag| vec![tag]);
        let page = |first: u8| Era(self.era).page(Fingerprint::from_bits(u64::from(first) << 56));
        let mut starts: Vec<_> = tags.into_iter().collect();
        starts.extend(kinds.map(|kind| round.all(kind)));
        starts.extend(queues);
        starts.extend((0..=u8::MAX).map(page));
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

/// Whether a record goes into a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Yes,
    /// It is of an earlier round, or is counted anew.
    Not,
}

fn reads<T: DeserializeOwned>(value: &[u8]) -> bool {
    decode::<T>(value).is_ok()
}

/// What the record of this key is about.
fn about(key: &[u8]) -> About {
    match (key.first(), key.get(5)) {
        (Some(b'm'), _) if key == keys::HEAD => About::Counters,
        (Some(b'm'), _) => About::Run,
        (Some(b'h'), _) => About::Hosts,
        (Some(b'r'), _) => About::Robots,
        (Some(b's'), _) => About::Outputs,
        (Some(b'c'), _) => About::Cookies,
        (Some(b'p' | b'd'), _) => About::Pages,
        (Some(b'g'), Some(b'o' | b'n')) => About::Origins,
        (Some(b'g'), Some(b'q')) => About::Requests,
        (Some(b'g'), Some(b'f')) => About::Failed,
        (Some(b'g'), Some(b'k' | b't')) => About::Items,
        _ => About::Unknown,
    }
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

fn prefix(start: &[u8]) -> Bounds {
    let mut end = start.to_vec();
    end.extend([u8::MAX; 24]);
    (Bound::Included(start.to_vec()), Bound::Included(end))
}

/// The highest number behind this tag; 1 if there is none.
fn last_number(frontier: &Frontier, tag: u8) -> u32 {
    let mut last = 1;
    let beside = Era::BESIDE.0;
    let _ = frontier.walk(prefix(&[tag]), Way::Up, &mut |key, _| {
        let number =
            key.get(1..5).and_then(|bits| bits.first_chunk::<4>()).map(|bits| u32::from_be_bytes(*bits));
        last = last.max(number.filter(|number| *number != beside).unwrap_or_default());
    });
    last
}

/// Shows every record that can be read: from the front as far as that goes, from the end, and in between from every known start.
pub(super) fn read_all(
    frontier: &Frontier,
    starts: &[Vec<u8>],
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Vec<Gap> {
    let mut before = Vec::new();
    let all: Bounds = (Bound::Unbounded, Bound::Unbounded);
    let ended = frontier.walk(all, Way::Up, &mut |key, value| {
        before = key.to_vec();
        visit(key, value);
    });
    let Err(error) = ended else { return Vec::new() };
    let mut behind = None;
    let rest: Bounds = (Bound::Excluded(before.clone()), Bound::Unbounded);
    let _ = frontier.walk(rest, Way::Down, &mut |key, value| {
        behind = Some(key.to_vec());
        visit(key, value);
    });
    let is_between = |key: &&Vec<u8>| **key > before && behind.as_ref().is_none_or(|behind| *key < behind);
    let between: Vec<_> = starts.iter().filter(is_between).collect();
    let gap = |about, error: &StoreError| Gap { about, count: None, reason: super::reason_of(error) };
    let mut gaps = vec![gap(about(&before), &error)];
    for (place, start) in between.iter().enumerate() {
        let end = between.get(place + 1).copied().or(behind.as_ref());
        let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.clone()));
        let stretch: Bounds = (Bound::Included((*start).clone()), end);
        if let Err(error) = frontier.walk(stretch, Way::Up, visit) {
            gaps.push(gap(about(start), &error));
        }
    }
    gaps.dedup();
    gaps
}
