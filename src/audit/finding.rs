//! What an audit comes to: what was looked at, host by host, and every rule that was broken.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::time::Timestamp;

/// Breaches that are told one by one; all are counted.
pub(super) const MAX_TOLD: usize = 1_000;

/// A rule that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// R1: no page before robots.txt of its origin had its answer (RFC 9309 2.3.1), nor on one that is older than a day (2.4).
    RobotsFirst,
    /// R2: nothing that robots.txt disallows (RFC 9309 2.2.2).
    Disallowed,
    /// R2: nothing outside of the `Visit-time` of robots.txt.
    VisitTime,
    /// R3: no more requests at once than configured; one at a time while a Crawl-delay is in force.
    Concurrency,
    /// R4: no sooner than the configured delay.
    Delay,
    /// R4: no sooner than the `Crawl-delay` or `Request-rate` of robots.txt.
    CrawlDelay,
    /// R4: no more than the configured bucket of tokens gives.
    Rate,
    /// R5: nothing inside of a wait that the server asked for (RFC 9110 10.2.3), also across runs.
    Wait,
    /// Every page belongs to the configured scope.
    Scope,
    /// What is configured for the crawl as a whole: requests in flight, and their rate.
    Crawl,
}

impl Rule {
    /// All rules, in their order.
    pub const ALL: [Self; 10] = [
        Self::RobotsFirst,
        Self::Disallowed,
        Self::VisitTime,
        Self::Concurrency,
        Self::Delay,
        Self::CrawlDelay,
        Self::Rate,
        Self::Wait,
        Self::Scope,
        Self::Crawl,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RobotsFirst => "R1 robots.txt first",
            Self::Disallowed => "R2 disallowed",
            Self::VisitTime => "R2 visit time",
            Self::Concurrency => "R3 at once",
            Self::Delay => "R4 delay",
            Self::CrawlDelay => "R4 crawl delay",
            Self::Rate => "R4 rate",
            Self::Wait => "R5 told wait",
            Self::Scope => "scope",
            Self::Crawl => "whole crawl",
        }
    }

    /// What is compared with what.
    #[must_use]
    pub const fn means(self) -> &'static str {
        match self {
            Self::RobotsFirst => {
                "each page against the answer to robots.txt of its origin, at most a day old"
            }
            Self::Disallowed => "each path against the stored text of robots.txt",
            Self::VisitTime => "each page against the Visit-time of robots.txt",
            Self::Concurrency => {
                "requests in flight against the configured number, or one where robots.txt asks for a delay"
            }
            Self::Delay => "each gap against the configured delay, also across runs",
            Self::CrawlDelay => "each gap against the Crawl-delay or Request-rate of the stored text",
            Self::Rate => "requests against the configured rate and burst",
            Self::Wait => {
                "each request against every Retry-After and every exhausted limit, also across runs"
            }
            Self::Scope => "each page against the hosts and patterns of the crawler file",
            Self::Crawl => "all requests against max-in-flight and max-rate",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Breach {
    /// Which rule.
    pub rule: Rule,
    /// At which host.
    pub host: String,
    /// When the request left.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// What was asked.
    pub url: String,
    /// The run, counted from the first one that was read.
    pub run: usize,
    /// The request's number in its run, from 0.
    pub request: u64,
    /// What happened, in words.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, host, at, url, what, .. } = self;
        write!(f, "{rule}: {host} at {at}: {url} {what}")
    }
}

/// One host as it was treated.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostFinding {
    /// Its name.
    pub host: String,
    /// Requests that left for it.
    pub requests: u64,
    /// Of these, for robots.txt.
    pub robots: u64,
    /// When the first one left.
    #[serde(serialize_with = "as_text_if_any")]
    pub first: Option<Timestamp>,
    /// When the last one left.
    #[serde(serialize_with = "as_text_if_any")]
    pub last: Option<Timestamp>,
    /// The configured delay in milliseconds, as the last run had it.
    pub delay_ms: u64,
    /// The longest `Crawl-delay` (or `Request-rate`) that was kept, in milliseconds.
    pub crawl_delay_ms: Option<u64>,
    /// The shortest time in milliseconds from the end of an answer to the next request, where one is in flight at a time.
    pub shortest_rest_ms: Option<i64>,
    /// The shortest time in milliseconds from one request to the next.
    pub shortest_interval_ms: Option<i64>,
    /// Most requests in flight.
    pub most_at_once: usize,
    /// Answers that asked for a wait.
    pub waits: u64,
    /// The longest of these waits, in milliseconds.
    pub longest_wait_ms: u64,
    /// Requests whose answer is not in the journal: a crash, or they are still out.
    pub unanswered: u64,
    /// Rules broken here.
    pub breaches: u64,
    /// How often each rule was checked.
    pub checks: BTreeMap<Rule, u64>,
}

/// Everything that an audit comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Findings {
    /// Runs that were read.
    pub runs: usize,
    /// Requests that left in them.
    pub requests: u64,
    /// Hosts in the order of their names.
    pub hosts: Vec<HostFinding>,
    /// How often a rule was broken.
    pub broken: u64,
    /// The breaches one by one, the first 1,000 of them.
    pub breaches: Vec<Breach>,
    /// What was not as usual and is no breach.
    pub notes: Vec<String>,
    /// Where journals are damaged: what stands behind could not be judged.
    pub damage: Vec<String>,
}

impl Findings {
    /// Keeps what is about one host.
    #[must_use]
    pub fn of_host(mut self, host: &str) -> Self {
        self.hosts.retain(|finding| finding.host == host);
        self.breaches.retain(|breach| breach.host == host);
        self.requests = self.hosts.iter().map(|finding| finding.requests).sum();
        self.broken = self.hosts.iter().map(|finding| finding.breaches).sum();
        self
    }

    /// How often each rule was checked, over all hosts.
    #[must_use]
    pub fn checks(&self) -> BTreeMap<Rule, u64> {
        let mut sums = BTreeMap::new();
        for (rule, count) in self.hosts.iter().flat_map(|host| &host.checks) {
            *sums.entry(*rule).or_default() += count;
        }
        sums
    }
}

fn as_text<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn as_text_if_any<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => out.collect_str(at),
        None => out.serialize_none(),
    }
}
