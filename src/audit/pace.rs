//! R3, R4 and R5: how often one host was asked.
//!
//! Knows the moments of the journal and the configured pace, nothing of how the crawler keeps it.

use std::collections::HashMap;
use std::time::Duration;

use super::finding::{HostFinding, Rule};
use super::record::{Bucket, End, Pace, Wait};
use crate::time::Timestamp;

/// Moments are whole milliseconds: ends are rounded up, beginnings down.
const ROUNDING: Duration = Duration::from_millis(1);

/// A request may leave while a refusal is on its way through the crawler; not longer than this.
const UNHEARD: Duration = Duration::from_secs(1);

/// One host over all runs.
#[derive(Debug, Default)]
pub(super) struct HostPace {
    pub(super) finding: HostFinding,
    pace: Option<Pace>,
    /// Requests whose end is not known yet: number and beginning.
    open: Vec<(u64, Timestamp)>,
    /// Ends that are later than the last beginning.
    fading: Vec<Timestamp>,
    last_begin: Option<Timestamp>,
    last_end: Option<Timestamp>,
    /// Until when it wants to be left alone.
    wait: Option<Timestamp>,
    /// Tokens left in the configured bucket, and when they were counted.
    tokens: Option<(f64, Timestamp)>,
    /// Delays that its origins ask for, by the origin's number.
    wishes: HashMap<usize, Duration>,
}

/// A rule that a request broke, and how.
pub(super) type Fault = (Rule, String);

impl HostPace {
    pub(super) fn new(name: String) -> Self {
        Self { finding: HostFinding { host: name, ..HostFinding::default() }, ..Self::default() }
    }

    /// A new run: whatever was out has ended by now. A clock that was set back must not make a gap look short.
    pub(super) fn run_starts(&mut self, now: Timestamp) {
        self.finding.unanswered += self.open.len() as u64;
        if !self.open.is_empty() {
            self.last_end = Some(now);
        }
        self.open.clear();
        self.fading.clear();
        self.wishes.clear();
        self.last_end = self.last_end.map(|end| end.min(now));
        self.last_begin = self.last_begin.map(|begin| begin.min(now));
        self.tokens = self.tokens.map(|(tokens, at)| (tokens, at.min(now)));
    }

    /// Nothing more is read.
    pub(super) fn finish(mut self) -> HostFinding {
        self.finding.unanswered += self.open.len() as u64;
        self.finding
    }

    pub(super) fn configure(&mut self, pace: Pace) {
        self.finding.delay_ms = pace.delay_ms;
        self.pace = Some(pace);
    }

    /// The longest Crawl-delay with which an origin of this host is visited at all.
    pub(super) fn max_wish(&self) -> Duration {
        Duration::from_millis(self.pace.as_ref().map_or(u64::MAX, |pace| pace.max_crawl_delay_ms))
    }

    /// What an origin of this host asks for from now on.
    pub(super) fn wish(&mut self, origin: usize, wish: Option<Duration>) {
        match wish {
            Some(wish) => {
                let millis = u64::try_from(wish.as_millis()).unwrap_or(u64::MAX);
                self.finding.crawl_delay_ms = self.finding.crawl_delay_ms.max(Some(millis));
                self.wishes.insert(origin, wish);
            }
            None => {
                self.wishes.remove(&origin);
            }
        }
    }

    fn wished(&self) -> Duration {
        self.wishes.values().max().copied().unwrap_or_default()
    }

    fn cap(&self) -> usize {
        let configured = self.pace.as_ref().map_or(1, |pace| pace.max_concurrency.max(1) as usize);
        if self.wished().is_zero() { configured } else { 1 }
    }

    /// A request leaves.
    pub(super) fn begin(&mut self, number: u64, at: Timestamp) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check_overlap(at, &mut faults);
        self.check_gap(at, &mut faults);
        self.check_bucket(at, &mut faults);
        self.check_wait(at, &mut faults);
        let finding = &mut self.finding;
        finding.requests += 1;
        finding.first = finding.first.or(Some(at));
        finding.last = finding.last.max(Some(at));
        self.open.push((number, at));
        self.last_begin = self.last_begin.max(Some(at));
        faults
    }

    fn check_overlap(&mut self, at: Timestamp, faults: &mut Vec<Fault>) {
        self.fading.retain(|end| *end > at + ROUNDING);
        let (now, cap) = (self.open.len() + self.fading.len() + 1, self.cap());
        self.checked(Rule::Concurrency);
        self.finding.most_at_once = self.finding.most_at_once.max(now);
        if now > cap {
            faults.push((Rule::Concurrency, format!("was number {now} at the same time, {cap} allowed")));
        }
    }

    fn check_gap(&mut self, at: Timestamp, faults: &mut Vec<Fault>) {
        let one_at_a_time = self.cap() == 1;
        if let Some(begin) = self.last_begin {
            shorten(&mut self.finding.shortest_interval_ms, ahead(begin, at));
        }
        let reference = if one_at_a_time { self.last_end } else { self.last_begin };
        let Some(before) = reference else { return };
        if one_at_a_time && self.open.is_empty() {
            shorten(&mut self.finding.shortest_rest_ms, ahead(before, at));
        }
        let configured = Duration::from_millis(self.pace.as_ref().map_or(0, |pace| pace.delay_ms));
        for (rule, delay) in [(Rule::Delay, configured), (Rule::CrawlDelay, self.wished())] {
            if delay.is_zero() {
                continue;
            }
            self.checked(rule);
            if at + ROUNDING < before + delay {
                let after = if one_at_a_time { "the end of the answer" } else { "the request" };
                let (gap, asked) = (ahead(before, at) as f64 / 1e3, delay.as_secs_f64());
                faults.push((rule, format!("left {gap:.3} s after {after} before it, {asked:.3} s asked")));
            }
        }
    }

    fn check_bucket(&mut self, at: Timestamp, faults: &mut Vec<Fault>) {
        let Some(bucket) = self.pace.as_ref().and_then(|pace| pace.bucket) else {
            return;
        };
        let (full, rate) = (f64::from(bucket.burst.max(1)), per_ms(bucket));
        let (left, since) = self.tokens.unwrap_or((full, at));
        let filled = (left + at.since(since).as_millis() as f64 * rate).min(full);
        self.checked(Rule::Rate);
        // What a millisecond of rounding is worth, and what the arithmetic may be off by.
        if filled + rate + 1e-6 < 1.0 {
            let wait = (1.0 - filled) / rate / 1e3;
            faults.push((Rule::Rate, format!("left {wait:.3} s before the configured rate allowed it")));
        }
        self.tokens = Some((filled - 1.0, at));
    }

    fn check_wait(&mut self, at: Timestamp, faults: &mut Vec<Fault>) {
        let Some(until) = self.wait else { return };
        self.checked(Rule::Wait);
        if at + ROUNDING < until {
            faults
                .push((Rule::Wait, format!("left inside of a wait that the server asked for until {until}")));
        }
    }

    /// An answer is here. Returns the requests that left after it although it asked for a wait.
    pub(super) fn end(&mut self, end: &End) -> Vec<(u64, Timestamp, Fault)> {
        self.open.retain(|(number, _)| *number != end.request);
        self.fading.push(end.at);
        self.last_end = self.last_end.max(Some(end.at));
        let (Wait::Told(wait_ms) | Wait::Exhausted(wait_ms)) = end.wait else {
            return Vec::new();
        };
        let until = end.at + Duration::from_millis(wait_ms);
        self.finding.waits += 1;
        self.finding.longest_wait_ms = self.finding.longest_wait_ms.max(wait_ms);
        self.wait = self.wait.max(Some(until));
        let late = self.open.iter().filter(|(_, begin)| *begin > end.at + UNHEARD && *begin < until);
        late.map(|(number, begin)| {
            let what = format!("left after an answer that asked for a wait until {until}");
            (*number, *begin, (Rule::Wait, what))
        })
        .collect()
    }

    pub(super) fn checked(&mut self, rule: Rule) {
        *self.finding.checks.entry(rule).or_default() += 1;
    }
}

fn per_ms(bucket: Bucket) -> f64 {
    f64::from(bucket.requests.max(1)) / bucket.per_ms.max(1) as f64
}

/// Milliseconds from one moment to the other, negative if it lies before.
pub(super) fn ahead(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millis().wrapping_sub(from.as_millis()) as i64
}

fn shorten(shortest: &mut Option<i64>, gap: i64) {
    *shortest = Some(shortest.map_or(gap, |known| known.min(gap)));
}
