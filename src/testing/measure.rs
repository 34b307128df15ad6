//! How well a crawl did by its servers: refusals by the hour, pages against what the hidden limits bore, time to adapt.
//!
//! Measured from the server's side, out of the transcript and the models of the sites; the crawler is not asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::limit::ServerModel;
use super::site::Site;
use super::transcript::{Arrival, Transcript};
use crate::politeness::Policy;
use crate::time::Timestamp;

const HOUR: f64 = 3_600.0;
/// Seconds over which a pace is measured at least, and the requests that it must hold to be one.
const WINDOW: f64 = 120.0;
const WINDOW_REQUESTS: f64 = 30.0;
/// Part of that at whose beginning a lower limit must be kept already.
const AT_ONCE: f64 = 0.2;
/// Seconds that the pace at the end is taken from.
const LAST: f64 = 600.0;
/// A pace is not above a limit up to this share of it.
const BORNE: f64 = 1.1;
/// A pace has found a higher limit from this share of it on.
const USED: f64 = 0.8;

/// Figures of a whole crawl. Rates are per hour; shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measures {
    /// Simulated hours.
    pub hours: f64,
    /// All hosts together.
    pub total: HostMeasures,
    /// By the hour, from the first.
    pub by_hour: Vec<Counts>,
    /// Each host, by name.
    pub hosts: BTreeMap<String, HostMeasures>,
    /// What others felt of servers that they share with the crawl, by origin.
    pub others: BTreeMap<String, Felt>,
}

/// How long others waited for a server that they share with the crawl.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Felt {
    /// Mean seconds from request to answer.
    pub seconds: f64,
    /// What they would be without the crawl.
    pub alone: f64,
}

/// What came, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Requests, robots.txt included.
    pub requests: u64,
    /// Pages that were served.
    pub pages: u64,
    /// Answers 429 and 503.
    pub throttled: u64,
    /// Answers 401 and 403.
    pub forbidden: u64,
    /// Requests without an answer.
    pub unanswered: u64,
}

/// Figures of one host, or of all.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostMeasures {
    /// Everything together.
    #[serde(flatten)]
    pub counts: Counts,
    /// Answers 429 and 503 in the first hour.
    pub throttled_first_hour: u64,
    /// The same per hour afterwards; `None` if it was over by then.
    pub throttled_per_hour_after_first: Option<f64>,
    /// Pages against what limit and own pace allowed together.
    pub efficiency: Option<f64>,
    /// The same without the first hour.
    pub efficiency_after_first_hour: Option<f64>,
    /// Requests a second at the end: over the last ten minutes in which it was asked.
    pub last_rate: Option<f64>,
    /// Each change of the limit.
    pub adapted: Vec<Adapted>,
}

/// How a change of the limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Adapted {
    /// The second of the change.
    pub at: f64,
    /// Requests a second that the server bears from then on.
    pub rate: f64,
    /// Seconds until the crawl kept within a lower limit, or used a higher one; `None` if it never did.
    pub seconds: Option<f64>,
}

/// What a crawl is measured by.
pub(super) struct Measure<'a> {
    pub(super) transcript: &'a Transcript,
    /// All sites by origin.
    pub(super) sites: &'a BTreeMap<Arc<str>, Arc<Site>>,
    /// What is configured for a host.
    pub(super) policy: &'a dyn Fn(&str) -> Policy,
    /// When it was over.
    pub(super) ended: Timestamp,
    /// Hosts of which everything was asked: they are measured up to their last answer.
    pub(super) finished: &'a dyn Fn(&str) -> bool,
}

/// One host's arrivals with the models behind it.
struct Visit<'a> {
    transcript: &'a Transcript,
    arrivals: Vec<&'a Arrival>,
    sites: Vec<&'a Site>,
    /// Requests a second that our own pace allows.
    floor: f64,
    /// Seconds over which it is measured.
    end: f64,
}

impl Measure<'_> {
    pub(super) fn take(&self) -> Measures {
        let end = self.transcript.seconds(self.ended);
        let visits = self.visits(end);
        let mut total = Sum::default();
        let mut hosts = BTreeMap::new();
        for (host, visit) in &visits {
            let own = visit.sum();
            hosts.insert((*host).to_owned(), own.figures(end));
            total.add(own);
        }
        Measures {
            hours: end / HOUR,
            total: total.figures(end),
            by_hour: self.by_hour(end),
            hosts,
            others: BTreeMap::new(),
        }
    }

    fn visits(&self, end: f64) -> BTreeMap<&str, Visit<'_>> {
        let mut visits: BTreeMap<&str, Visit<'_>> = BTreeMap::new();
        for arrival in &self.transcript.arrivals {
            let empty = || Visit {
                transcript: self.transcript,
                arrivals: Vec::new(),
                sites: Vec::new(),
                floor: 0.0,
                end,
            };
            let visit = visits.entry(&arrival.host).or_insert_with(empty);
            visit.arrivals.push(arrival);
            if let Some(site) = self.sites.get(&arrival.origin)
                && !visit.sites.iter().any(|known| std::ptr::eq(*known, Arc::as_ptr(site)))
            {
                visit.sites.push(site);
            }
        }
        for (host, visit) in &mut visits {
            visit.floor = visit.own_pace(&(self.policy)(host));
            if (self.finished)(host) {
                let last = visit.arrivals.iter().filter_map(|arrival| arrival.end).max();
                visit.end = last.map_or(end, |last| self.transcript.seconds(last));
            }
        }
        visits
    }

    fn by_hour(&self, end: f64) -> Vec<Counts> {
        // The last answers may come shortly after the end of an hour; that is none of its own.
        let mut hours = vec![Counts::default(); (end / HOUR - 0.01).ceil().max(1.0) as usize];
        let last = hours.len() - 1;
        for arrival in &self.transcript.arrivals {
            let hour = (self.transcript.seconds(arrival.start) / HOUR) as usize;
            hours[hour.min(last)].count(arrival);
        }
        hours
    }
}

impl Counts {
    fn count(&mut self, arrival: &Arrival) {
        self.requests += 1;
        match arrival.status {
            Some(429 | 503) => self.throttled += 1,
            Some(401 | 403) => self.forbidden += 1,
            None => self.unanswered += 1,
            _ => self.pages += u64::from(arrival.is_page()),
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.pages += other.pages;
        self.throttled += other.throttled;
        self.forbidden += other.forbidden;
        self.unanswered += other.unanswered;
    }
}

/// What adds up over hosts.
#[derive(Default)]
struct Sum {
    counts: Counts,
    first_hour: Counts,
    /// Pages that were possible in all, and in the first hour.
    possible: (f64, f64),
    /// Requests a second at the end.
    rate: f64,
    adapted: Vec<Adapted>,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.first_hour.add(&other.first_hour);
        self.possible.0 += other.possible.0;
        self.possible.1 += other.possible.1;
        self.rate += other.rate;
        self.adapted.extend(other.adapted);
    }

    fn figures(&self, end: f64) -> HostMeasures {
        let (all, first) = (&self.counts, &self.first_hour);
        let later_hours = end / HOUR - 1.0;
        let later = (all.throttled - first.throttled) as f64;
        let share = |pages: u64, possible: f64| (possible >= 1.0).then(|| pages as f64 / possible);
        HostMeasures {
            counts: *all,
            throttled_first_hour: first.throttled,
            throttled_per_hour_after_first: (later_hours > 0.0).then(|| later / later_hours),
            efficiency: share(all.pages, self.possible.0),
            efficiency_after_first_hour: share(all.pages - first.pages, self.possible.0 - self.possible.1),
            last_rate: (self.rate > 0.0).then_some(self.rate),
            adapted: self.adapted.clone(),
        }
    }
}

impl Visit<'_> {
    fn sum(&self) -> Sum {
        let mut sum = Sum { possible: (self.possible(self.end), self.possible(HOUR)), ..Sum::default() };
        for arrival in &self.arrivals {
            sum.counts.count(arrival);
            if self.second(arrival) < HOUR {
                sum.first_hour.count(arrival);
            }
        }
        sum.rate = self.last_rate();
        let changes = self.changes();
        let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([self.end]);
        let adapted = changes.iter().zip(ends).map(|((at, fell), end)| self.adapted(*at, *fell, end));
        sum.adapted = adapted.collect();
        sum
    }

    fn second(&self, arrival: &Arrival) -> f64 {
        self.transcript.seconds(arrival.start)
    }

    /// The requests a second that the delay allows, counted as it is: from answers to requests, or with several at the same
    /// time from request to request.
    fn own_pace(&self, policy: &Policy) -> f64 {
        let wish = self.sites.iter().map(|site| site.wish).fold(0.0, f64::max);
        let at_once = if wish > 0.0 { 1 } else { policy.max_concurrency.max(1) };
        let delay = policy.delay.as_secs_f64().max(wish) * (1.0 + policy.jitter / 2.0);
        let latency = self.mean_latency();
        let interval = if at_once == 1 { delay + latency } else { delay.max(latency / f64::from(at_once)) };
        1.0 / interval.max(0.001)
    }

    fn last_rate(&self) -> f64 {
        let last = self.arrivals.last().map_or(0.0, |arrival| self.second(arrival));
        let recent = self.between(last - LAST, last);
        let first = recent.first().map_or(last, |arrival| self.second(arrival));
        recent.len() as f64 / (last - first).max(1.0)
    }

    fn mean_latency(&self) -> f64 {
        let served = self.arrivals.iter().filter(|arrival| arrival.is_success());
        let times = served.filter_map(|arrival| Some(arrival.end?.since(arrival.start)));
        let (count, sum) = times.fold((0_u32, Duration::ZERO), |(count, sum), time| (count + 1, sum + time));
        sum.as_secs_f64() / f64::from(count.max(1))
    }

    /// The pages that could have been served up to a moment: what the limit bears, and not more than our own pace.
    fn possible(&self, end: f64) -> f64 {
        let end = end.min(self.end);
        let mut edges = vec![0.0, end];
        edges.extend(self.limits().flat_map(edges_of));
        edges.retain(|edge| (0.0..=end).contains(edge));
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let stretches = edges.windows(2).map(|edge| (edge[1] - edge[0], self.borne(edge[0], edge[1])));
        stretches.map(|(seconds, borne)| borne.min(self.floor * seconds)).sum()
    }

    /// What all sites of the host bear between two moments.
    fn borne(&self, from: f64, to: f64) -> f64 {
        self.sites
            .iter()
            .map(|site| site.limit.as_ref().map_or(f64::INFINITY, |limit| limit.allowed(from, to)))
            .sum()
    }

    fn limits(&self) -> impl Iterator<Item = &ServerModel> {
        self.sites.iter().filter_map(|site| site.limit.as_ref())
    }

    /// When the limit changed, and whether it fell.
    fn changes(&self) -> Vec<(f64, bool)> {
        let mut moments: Vec<f64> =
            self.limits().flat_map(|limit| &limit.steps).map(|step| step.from).collect();
        moments.retain(|at| *at > 0.0 && *at < self.end);
        moments.sort_by(f64::total_cmp);
        moments.dedup();
        let rate = |at: f64| self.borne(at, at + 1.0);
        moments.iter().map(|at| (*at, rate(*at) < rate(*at - 1.0))).collect()
    }

    fn adapted(&self, at: f64, fell: bool, end: f64) -> Adapted {
        let rate = self.borne(at, at + 1.0);
        let window = WINDOW.max(WINDOW_REQUESTS / rate);
        let keeps = |from: f64, seconds: f64| {
            let inside = self.between(from, from + seconds);
            inside.len() as f64 <= rate * BORNE * seconds
        };
        let meets = |from: f64| {
            if fell {
                keeps(from, window * AT_ONCE) && keeps(from, window)
            } else {
                let inside = self.between(from, from + window);
                let served = inside.iter().filter(|arrival| arrival.is_success()).count();
                served as f64 >= rate.min(self.floor) * USED * window
            }
        };
        let after = self.between(at, end - window).iter().map(|arrival| self.second(arrival));
        let found = std::iter::once(at).chain(after).find(|from| from + window <= end && meets(*from));
        Adapted { at, rate, seconds: found.map(|found| found - at) }
    }

    /// The arrivals between two moments.
    fn between(&self, from: f64, to: f64) -> &[&Arrival] {
        let place = |moment: f64| self.arrivals.partition_point(|arrival| self.second(arrival) < moment);
        let (first, last) = (place(from), place(to));
        &self.arrivals[first..last.max(first)]
    }
}

/// When a limit may become another.
fn edges_of(limit: &ServerModel) -> impl Iterator<Item = f64> {
    let outages = limit.outages.iter().flat_map(|outage| [outage.from, outage.until]);
    limit.steps.iter().map(|step| step.from).chain(outages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::limit::RateStep;

    /// A page every so many seconds between two moments; answers take no time.
    fn pages(every: f64, from: f64, until: f64, status: u16) -> Vec<Arrival> {
        let moment = |seconds: f64| Timestamp::ZERO + Duration::from_secs_f64(seconds);
        let arrival = |n: u32| {
            let at = moment(from + f64::from(n) * every);
            Arrival {
                start: at,
                end: Some(at),
                origin: "http://a".into(),
                host: "a".into(),
                method: http::Method::GET,
                path: "/1".into(),
                status: Some(status),
                location: None,
                not_before: None,
            }
        };
        (0..((until - from) / every) as u32).map(arrival).collect()
    }

    fn measure(arrivals: Vec<Arrival>, limit: ServerModel, hours: u64) -> Measures {
        let transcript = Transcript { began: Timestamp::ZERO, arrivals };
        let site = Site { limit: Some(limit), ..Site::at("http://a") };
        let policy = Policy { delay: Duration::from_millis(500), jitter: 0.0, ..Policy::default() };
        let measure = Measure {
            transcript: &transcript,
            sites: &BTreeMap::from([("http://a".into(), Arc::new(site))]),
            policy: &|_| policy.clone(),
            ended: Timestamp::ZERO + Duration::from_hours(hours),
            finished: &|_| false,
        };
        measure.take()
    }

    fn close(found: Option<f64>, wanted: f64) {
        assert!(found.is_some_and(|found| (found - wanted).abs() < 0.01), "{found:?}, not {wanted}");
    }

    #[test]
    fn pages_are_held_against_the_limit_or_our_own_pace_whichever_is_lower() {
        let half = || pages(2.0, 0.0, 7_200.0, 200);
        close(measure(half(), ServerModel::bucket(0.5, 10), 2).total.efficiency, 1.0);
        close(measure(half(), ServerModel::bucket(1.0, 10), 2).total.efficiency, 0.5);
        // Our delay of half a second allows two a second.
        close(measure(half(), ServerModel::bucket(100.0, 10), 2).total.efficiency, 0.25);
        close(measure(half(), ServerModel::default(), 2).total.efficiency, 0.25);
    }

    #[test]
    fn refusals_are_told_by_the_hour() {
        let mut arrivals = pages(600.0, 0.0, 3_600.0, 429);
        arrivals.extend(pages(1_200.0, 3_600.0, 10_800.0, 503));
        let measures = measure(arrivals, ServerModel::bucket(1.0, 1), 3);
        assert_eq!(measures.total.throttled_first_hour, 6);
        close(measures.total.throttled_per_hour_after_first, 3.0);
        let by_hour: Vec<u64> = measures.by_hour.iter().map(|hour| hour.throttled).collect();
        assert_eq!(by_hour, [6, 3, 3]);
    }

    #[test]
    fn a_change_of_the_limit_is_met_when_the_pace_fits_it() {
        let steps = vec![RateStep { from: 3_600.0, factor: 0.5 }, RateStep { from: 7_200.0, factor: 1.0 }];
        let limit = ServerModel { steps, ..ServerModel::bucket(1.0, 10) };
        let mut arrivals = pages(1.0, 0.0, 3_700.0, 200);
        arrivals.extend(pages(2.0, 3_700.0, 8_000.0, 200));
        let late = arrivals.clone();
        arrivals.extend(pages(1.0, 8_000.0, 14_400.0, 200));
        let found = measure(arrivals, limit.clone(), 4).total.adapted;
        let seconds: Vec<f64> = found.iter().filter_map(|change| change.seconds).collect();
        // The window may reach a little over the moment of the change itself.
        assert!((90.0..=100.0).contains(&seconds[0]), "{seconds:?}");
        assert!((700.0..=800.0).contains(&seconds[1]), "{seconds:?}");
        let never = measure(late, limit, 4).total;
        assert_eq!(never.adapted[1].seconds, None);
        close(never.last_rate, 0.5);
    }
}
