//! Where the time of a run goes: how long each stage took, how busy everybody was, and what that says.
//!
//! Whoever works notes what it took, in counters that all share: two readings of the clock and two additions a stage, about a
//! microsecond a page in all. What is simulated is measured by the simulated clock, so that it is the same every time.

mod histogram;
pub(super) mod limit;
pub(super) mod load;
pub(super) mod machine;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::clock::Clock;
use crate::fetch::timing::Times;
use crate::response::Response;
use histogram::Histogram;
use load::Connections;

/// How long the stages of a run took, in the order in which a page passes them.
///
/// Times of all pages are added up: with a hundred requests at a time, a second of the run has a hundred seconds of waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StageTimes {
    /// From names to addresses; counts questions, most of which are answered from memory.
    pub dns: StageTime,
    /// From addresses to open connections, with TLS; counts exchanges that waited for a connection of their own.
    pub connect: StageTime,
    /// From an open connection to the head of the answer: the server, and the way there and back.
    pub wait: StageTime,
    /// From the head to the last byte of the body. Of a file, with its way to the disk.
    pub download: StageTime,
    /// Undoing content codings (gzip and others) of bodies that have one.
    pub decode: StageTime,
    /// From bytes to a document: text, markup, JSON, sitemaps.
    pub parse: StageTime,
    /// What the spider does with it: fields, links, their scope, and stages of items.
    pub extract: StageTime,
    /// The rest of what the writer does: judging pages, keys, the batch, the cache. Counts groups of pages.
    pub store: StageTime,
    /// Handing items, changes and exchanges to their outputs. Counts calls.
    pub sink: StageTime,
}

/// One stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageTime {
    /// All of it, added up.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub total: Duration,
    /// How often.
    pub count: u64,
    /// How it spreads, where that is taken down: for `wait`.
    #[serde(flatten)]
    pub spread: Option<Spread>,
}

/// How lengths spread. They are told up to an eighth too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// Half are no longer.
    #[serde(rename = "median-s", serialize_with = "as_seconds")]
    pub median: Duration,
    /// Nineteen of twenty are no longer.
    #[serde(rename = "p95-s", serialize_with = "as_seconds")]
    pub p95: Duration,
}

impl StageTime {
    /// The average; zero if there were none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        match u32::try_from(self.count) {
            Ok(0) => Duration::ZERO,
            Ok(count) => self.total / count,
            Err(_) => Duration::from_secs_f64(self.total.as_secs_f64() / self.count as f64),
        }
    }
}

impl StageTimes {
    /// All stages by name, in order.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, StageTime); 9] {
        [
            ("dns", self.dns),
            ("connect", self.connect),
            ("wait", self.wait),
            ("download", self.download),
            ("decode", self.decode),
            ("parse", self.parse),
            ("extract", self.extract),
            ("store", self.store),
            ("sink", self.sink),
        ]
    }
}

/// What is taken down, each by whoever does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Dns,
    Connect,
    Wait,
    Download,
    Decode,
    Parse,
    /// Everything on a parse thread, parsing included.
    Reading,
    Sink,
    /// Everything on the writer thread, sinks included.
    Writing,
    /// The loop waits because the writer is behind.
    Blocked,
}

/// As many as there are marks.
const MARKS: usize = Mark::Blocked as usize + 1;

/// What all who work share.
#[derive(Debug)]
pub(super) struct Stopwatch {
    clock: Clock,
    counters: [Counter; MARKS],
    waits: Histogram,
    new: AtomicU64,
    reused: AtomicU64,
}

#[derive(Debug, Default)]
struct Counter {
    nanos: AtomicU64,
    count: AtomicU64,
}

impl Stopwatch {
    pub(super) fn new(clock: Clock) -> Self {
        let (counters, waits) = (Default::default(), Histogram::default());
        Self { clock, counters, waits, new: AtomicU64::new(0), reused: AtomicU64::new(0) }
    }

    /// A reading to count from.
    pub(super) fn begin(&self) -> Duration {
        self.clock.elapsed()
    }

    /// What began at this reading has ended.
    pub(super) fn end(&self, mark: Mark, from: Duration) {
        self.add(mark, self.clock.elapsed().saturating_sub(from));
    }

    pub(super) fn add(&self, mark: Mark, spent: Duration) {
        let Counter { nanos, count } = &self.counters[mark as usize];
        nanos.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
        if mark == Mark::Wait {
            self.waits.add(spent);
        }
    }

    /// Takes over what an exchange took. Of a fetcher that notes nothing, the moments of the answer count.
    pub(super) fn exchange(&self, times: Times, answer: Option<&Response>) {
        let Times { dns, connect, mut wait, mut download, decode, connections } = times;
        if let Some(answer) = answer.filter(|_| times.is_empty()) {
            wait = Some(answer.first_byte.since(answer.started));
            download = Some(answer.ended.since(answer.first_byte)).filter(|_| !answer.body.is_empty());
        } else if answer.is_some() && connections == 0 {
            self.reused.fetch_add(1, Ordering::Relaxed);
        }
        self.new.fetch_add(connections.into(), Ordering::Relaxed);
        let noted = [
            (Mark::Dns, dns),
            (Mark::Connect, connect),
            (Mark::Wait, wait),
            (Mark::Download, download),
            (Mark::Decode, decode),
        ];
        noted.into_iter().for_each(|(mark, spent)| spent.into_iter().for_each(|spent| self.add(mark, spent)));
    }

    /// What was taken down so far.
    pub(super) fn times(&self) -> StageTimes {
        let spread = Spread { median: self.waits.quantile(0.5), p95: self.waits.quantile(0.95) };
        let (reading, writing) = (self.read(Mark::Reading), self.read(Mark::Writing));
        let (parse, sink) = (self.read(Mark::Parse), self.read(Mark::Sink));
        let rest = |all: StageTime, part: StageTime| StageTime {
            total: all.total.saturating_sub(part.total),
            ..all
        };
        StageTimes {
            dns: self.read(Mark::Dns),
            connect: self.read(Mark::Connect),
            wait: StageTime { spread: Some(spread), ..self.read(Mark::Wait) },
            download: self.read(Mark::Download),
            decode: self.read(Mark::Decode),
            parse,
            extract: rest(reading, parse),
            store: rest(writing, sink),
            sink,
        }
    }

    pub(super) fn connections(&self) -> Connections {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Connections { new: read(&self.new), reused: read(&self.reused) }
    }

    pub(super) fn read(&self, mark: Mark) -> StageTime {
        let Counter { nanos, count } = &self.counters[mark as usize];
        let total = Duration::from_nanos(nanos.load(Ordering::Relaxed));
        StageTime { total, count: count.load(Ordering::Relaxed), spread: None }
    }
}

pub(super) fn as_seconds<S: Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::url::CanonicalUrl;

    const MS: Duration = Duration::from_millis(1);

    fn answer() -> Response {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        let at = Timestamp::from_millis;
        let (started, first_byte, ended) = (at(10), at(17), at(19));
        Response { started, first_byte, ended, ..Response::of(url, http::StatusCode::OK, "page") }
    }

    #[test]
    fn of_a_fetcher_that_notes_nothing_the_moments_of_its_answers_count() {
        let stopwatch = Stopwatch::new(Clock::start());
        stopwatch.exchange(Times::default(), Some(&answer()));
        stopwatch.exchange(Times::default(), None);
        let times = stopwatch.times();
        assert_eq!((times.wait.total, times.wait.count, times.download.total), (7 * MS, 1, 2 * MS));
        assert_eq!(stopwatch.connections(), Connections::default());
    }

    #[test]
    fn connections_are_counted_as_new_or_reused() {
        let stopwatch = Stopwatch::new(Clock::start());
        let reused = Times { wait: Some(MS), ..Times::default() };
        stopwatch.exchange(Times { connect: Some(MS), connections: 1, ..reused }, Some(&answer()));
        stopwatch.exchange(reused, Some(&answer()));
        stopwatch.exchange(reused, Some(&answer()));
        // Nobody listens there.
        stopwatch.exchange(Times { connections: 1, connect: Some(MS), ..Times::default() }, None);
        assert_eq!(stopwatch.connections(), Connections { new: 2, reused: 2 });
        assert_eq!(stopwatch.times().connect, StageTime { total: 2 * MS, count: 2, spread: None });
    }

    #[test]
    fn what_is_inside_of_something_else_is_taken_out_of_it() {
        let stopwatch = Stopwatch::new(Clock::start());
        stopwatch.add(Mark::Parse, 3 * MS);
        stopwatch.add(Mark::Reading, 10 * MS);
        stopwatch.add(Mark::Sink, 2 * MS);
        stopwatch.add(Mark::Writing, 7 * MS);
        let times = stopwatch.times();
        let told = [times.parse, times.extract, times.store, times.sink].map(|stage| stage.total);
        assert_eq!(told, [3 * MS, 7 * MS, 5 * MS, 2 * MS]);
        assert_eq!(times.extract.mean(), 7 * MS);
        assert_eq!(times.dns.mean(), Duration::ZERO);
    }
}
