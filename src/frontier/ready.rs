//! When hosts are due, and who of them goes first when connections are scarce.
//!
//! As long as there is a connection for everybody who is due, order makes no difference. Where there is not, a crawl lasts as long
//! as its work spread over all connections, or as its longest host if that never waits for a connection, and longer by every
//! wait of a host that has as much before it as the crawl itself. So what is due stands in one of two bands: hosts whose known
//! backlog takes a good part of the time that the whole crawl still takes, and all others. The first band goes first, but
//! leaves one lease in eight to the second; within a band the turn goes round: who was due first goes first. So nobody
//! starves, whatever the other band holds.
//!
//! This is about order alone: nothing here makes anybody ready before his time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::host::HostEntry;
use super::{Due, Frontier};
use crate::time::Timestamp;

/// A host is long if its backlog takes this part of the time that the crawl takes. What is known is often a part of what there
/// is, so this is well below one; the lower it is, the longer the others wait.
const PART: f64 = 0.25;
/// Of so many leases one is for the other hosts.
const SHARE: u32 = 8;
/// Seconds of work below which a crawl has no long hosts: there is nothing to be gained.
const SHORT: f64 = 120.0;
/// Mean seconds from request to answer that a crawl begins with, and the answers that this counts as.
const TYPICAL: f64 = 0.4;
const TYPICAL_COUNTS: u32 = 8;
/// Answers that the mean goes back over.
const MEMORY: u32 = 256;

/// A host or a group in the timetable: its moment, and its turn among those of the same moment.
pub(super) type Entry = (Timestamp, u64, Due);

/// Who is due when. What is due has been put into its band.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    later: BTreeSet<Entry>,
    long: BTreeSet<Entry>,
    others: BTreeSet<Entry>,
    /// Leases of the long band since the others had one or there were none.
    long_in_a_row: u32,
    /// The same before the last entry was taken.
    before: u32,
}

/// The bands of those that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Band {
    /// Those that may decide how long the crawl takes.
    Long,
    /// All others.
    Others,
}

impl Timetable {
    pub(super) fn insert(&mut self, entry: Entry) {
        self.later.insert(entry);
    }

    pub(super) fn remove(&mut self, entry: Entry) {
        let bands = [&mut self.later, &mut self.others, &mut self.long];
        let _found = bands.into_iter().any(|band| band.remove(&entry));
    }

    /// Everybody in it.
    pub(super) fn len(&self) -> usize {
        self.later.len() + self.long.len() + self.others.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.later.iter().chain(&self.long).chain(&self.others)
    }

    /// The soonest moment in it.
    pub(super) fn soonest(&self) -> Option<Timestamp> {
        let firsts = [self.later.first(), self.long.first(), self.others.first()];
        firsts.into_iter().flatten().map(|(at, ..)| *at).min()
    }

    /// Takes out somebody who has become due, to be given back with his band.
    fn call(&mut self, now: Timestamp) -> Option<Entry> {
        self.later.first().filter(|(at, ..)| *at <= now)?;
        self.later.pop_first()
    }

    fn make_ready(&mut self, entry: Entry, band: Band) {
        match band {
            Band::Long => self.long.insert(entry),
            Band::Others => self.others.insert(entry),
        };
    }

    /// Who is next: of those in the bands, or else the first that will be due.
    pub(super) fn first(&self) -> Option<Entry> {
        let (long, others) = (self.long.first(), self.others.first());
        let ready = if self.long_in_a_row + 1 >= SHARE { others.or(long) } else { long.or(others) };
        ready.or_else(|| self.later.first()).copied()
    }

    /// Takes out who is next.
    pub(super) fn take(&mut self, entry: Entry) {
        self.before = self.long_in_a_row;
        if self.others.remove(&entry) || self.others.is_empty() {
            self.long_in_a_row = 0;
        } else {
            self.long_in_a_row += 1;
        }
        self.long.remove(&entry);
    }

    /// Who was taken had nothing to ask: his band has not had its turn.
    pub(super) fn nobody_went(&mut self) {
        self.long_in_a_row = self.before;
    }
}

/// What is still to be done, as far as it is known.
#[derive(Debug)]
pub(super) struct Work {
    /// Requests that wait at all hosts.
    requests: u64,
    /// Mean seconds from request to answer.
    mean: f64,
    answers: u32,
}

impl Default for Work {
    fn default() -> Self {
        Self { requests: 0, mean: TYPICAL, answers: TYPICAL_COUNTS }
    }
}

impl Work {
    /// So many requests more wait.
    pub(super) fn grow(&mut self, requests: u64) {
        self.requests += requests;
    }

    /// So many wait no more.
    pub(super) fn shrink(&mut self, requests: u64) {
        self.requests -= requests;
    }

    /// An answer has taken so long.
    pub(super) fn hear(&mut self, took: Duration) {
        self.answers = (self.answers + 1).min(MEMORY);
        self.mean += (took.as_secs_f64() - self.mean) / f64::from(self.answers);
    }
}

impl HostEntry {
    /// The requests that wait here, as far as the limit of pages lets them.
    fn backlog(&self, round: u32) -> u64 {
        let most =
            self.policy.max_pages.map(|most| most.saturating_sub(self.machine.state().pages_in(round)));
        self.waiting().min(most.unwrap_or(u64::MAX))
    }

    /// Seconds from one request to the next if none waits for a connection.
    fn interval(&self, mean: f64) -> f64 {
        let rest = self.longest_rest().as_secs_f64();
        match self.machine.permits(&self.policy) {
            0 | 1 => rest + mean,
            permits => rest.max(mean / f64::from(permits)),
        }
    }
}

impl Frontier {
    /// Puts everybody who has become due into his band.
    pub(super) fn sort_due(&mut self, now: Timestamp) {
        while let Some(entry) = self.timetable.call(now) {
            let band = self.band(entry.2);
            self.timetable.make_ready(entry, band);
        }
    }

    /// Takes in how much waits at a host now.
    pub(super) fn count(&mut self, host: usize) {
        let entry = &mut self.hosts[host];
        let backlog = entry.backlog(self.round);
        let before = std::mem::replace(&mut entry.counted, backlog);
        if backlog != before {
            self.work.requests = self.work.requests - before + backlog;
            self.groups.count(host, backlog);
        }
    }

    fn band(&self, due: Due) -> Band {
        let is_long = |crawl: f64| self.takes(due) >= crawl * PART;
        if self.crawl_takes().is_some_and(is_long) { Band::Long } else { Band::Others }
    }

    /// Whether a host may decide how long the crawl takes.
    pub(super) fn is_long(&self, host: usize) -> bool {
        self.band(Due::Host(host)) == Band::Long
    }

    /// Seconds that all connections together need for everything that waits; `None` if no host can make it longer: a short
    /// crawl, or one that ends at a number of pages, whosever they are.
    fn crawl_takes(&self) -> Option<f64> {
        let most = self.settings.max_pages.map(|most| most.saturating_sub(self.pages));
        if most.is_some_and(|most| most < self.work.requests) {
            return None;
        }
        let ceiling = self.settings.max_rate.map_or(0.0, |rate| rate.interval().as_secs_f64());
        let each = (self.work.mean / self.settings.max_in_flight.max(1) as f64).max(ceiling);
        Some(self.work.requests as f64 * each).filter(|seconds| *seconds > SHORT)
    }

    /// Seconds that a host or a group needs for what waits there, if it never waits for a connection.
    fn takes(&self, due: Due) -> f64 {
        let mean = self.work.mean;
        let host = match due {
            Due::Host(host) => host,
            Due::Group(group) => match self.groups.head(group) {
                Some(host) => host,
                None => return 0.0,
            },
        };
        let entry = &self.hosts[host];
        let interval = entry.interval(mean);
        let pass = self.groups.of(host);
        let together = [pass.group, pass.address].into_iter().flatten();
        let together = together.map(|group| self.groups.takes(group, interval, mean));
        together.fold(entry.counted as f64 * interval, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    /// A timetable of hosts that are due, by band.
    fn due(long: &[usize], others: &[usize]) -> Timetable {
        let mut timetable = Timetable::default();
        for (band, hosts) in [(Band::Long, long), (Band::Others, others)] {
            for (turn, host) in hosts.iter().enumerate() {
                timetable.make_ready((at(1), turn as u64, Due::Host(*host)), band);
            }
        }
        timetable
    }

    fn taken(timetable: &mut Timetable) -> Option<usize> {
        let entry = timetable.first()?;
        timetable.take(entry);
        match entry.2 {
            Due::Host(host) => Some(host),
            Due::Group(_) => panic!("there are none here"),
        }
    }

    #[test]
    fn long_hosts_go_first_and_leave_one_lease_in_eight_to_the_others() {
        let long: Vec<usize> = (0..20).collect();
        let mut timetable = due(&long, &[100, 101, 102]);
        let order: Vec<_> = std::iter::from_fn(|| taken(&mut timetable)).collect();
        let others: Vec<_> = order.iter().enumerate().filter(|(_, host)| **host >= 100).collect();
        assert_eq!(others, [(7, &100), (15, &101), (22, &102)]);
        assert_eq!(order.len(), 23);
    }

    #[test]
    fn within_a_band_who_was_due_first_goes_first() {
        let mut timetable = Timetable::default();
        for (seconds, turn, host) in [(3, 1, 0), (1, 3, 1), (1, 2, 2), (9, 4, 3)] {
            timetable.insert((at(seconds), turn, Due::Host(host)));
        }
        while let Some(entry) = timetable.call(at(5)) {
            timetable.make_ready(entry, Band::Others);
        }
        assert_eq!(timetable.soonest(), Some(at(1)));
        let order: Vec<_> = std::iter::from_fn(|| taken(&mut timetable)).take(3).collect();
        assert_eq!(order, [2, 1, 0]);
        assert_eq!((timetable.len(), timetable.soonest()), (1, Some(at(9))), "what is not due is not ready");
    }

    #[test]
    fn a_turn_without_a_request_is_not_spent() {
        let long: Vec<usize> = (0..20).collect();
        let mut timetable = due(&long, &[100, 101, 102]);
        let before: Vec<_> = (0..7).map(|_| taken(&mut timetable)).collect();
        assert_eq!(before.len(), 7);
        assert_eq!(taken(&mut timetable), Some(100));
        timetable.nobody_went();
        assert_eq!(taken(&mut timetable), Some(101), "the first had nothing to ask");
        assert_eq!(taken(&mut timetable), Some(7));
    }

    #[test]
    fn the_mean_follows_the_answers() {
        let mut work = Work::default();
        (0..2_000).for_each(|_| work.hear(Duration::from_secs(3)));
        assert!((work.mean - 3.0).abs() < 0.01, "{}", work.mean);
    }
}
