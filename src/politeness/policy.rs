//! The numbers that a user sets: how long to wait, how often to try, how much at once.

use std::time::Duration;

use serde::Deserialize;

use super::{BlockPolicy, Rate};
use crate::robots::ForbiddenPolicy;

/// Everything about pace that is configured rather than learned, for one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Least time from the end of one answer to the start of the next request. Default 1 s.
    pub delay: Duration,
    /// Share of the delay that is added at random, 0 to 1; it only lengthens. Default 0.5.
    pub jitter: f64,
    /// Whether the host's own pace is learned. Default: it is.
    pub pace: PaceRule,
    /// Whether slow answers slow the crawler down. Default: they do.
    pub latency_guard: Guard,
    /// Requests in flight to the host. Default 1.
    pub max_concurrency: u32,
    /// Requests of the host in a time, robots.txt included, counted beside the delay. Default: the delay alone.
    pub rate: Option<Rate>,
    /// Requests that may follow each other at once after a pause, under [`Policy::rate`]. Default 1: they are spread evenly.
    pub burst: u32,
    /// Pages of the host in one round; more stay in its queue. Default 100,000.
    pub max_pages: Option<u64>,
    /// A Crawl-delay above this parks the host instead of being shortened. Default 300 s.
    pub max_crawl_delay: Duration,
    /// Waits after push-back.
    pub backoff: Backoff,
    /// Tries of one URL.
    pub retry: Retry,
    /// When refusals become a suspicion, and a suspicion a verdict.
    pub block: BlockPolicy,
    /// Tries of an unreachable robots.txt in one run, after which the host is left for a later run. Default 3.
    pub robots_tries: u32,
    /// What a robots.txt answered with 401 or 403 means.
    pub forbidden_robots: ForbiddenPolicy,
}

impl Policy {
    /// This delay and nothing else, for a server of one's own: nothing is learned. Waits after refusals hold all the same.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use crawl::politeness::{PaceRule, Policy};
    ///
    /// assert_eq!(Policy::fixed(Duration::ZERO).pace, PaceRule::Fixed);
    /// ```
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self { delay, pace: PaceRule::Fixed, ..Self::default() }
    }
}

impl Policy {
    /// The rule of pace in force: whoever configures a rate for a host has decided how fast it may be asked.
    #[must_use]
    pub const fn pace_rule(&self) -> PaceRule {
        if self.rate.is_some() { PaceRule::Fixed } else { self.pace }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            jitter: 0.5,
            pace: PaceRule::Adaptive,
            latency_guard: Guard::On,
            max_concurrency: 1,
            rate: None,
            burst: 1,
            max_pages: Some(100_000),
            max_crawl_delay: Duration::from_secs(300),
            backoff: Backoff::default(),
            retry: Retry::default(),
            block: BlockPolicy::default(),
            robots_tries: 3,
            forbidden_robots: ForbiddenPolicy::Allow,
        }
    }
}

/// How the pace of a host comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaceRule {
    /// The delay is a floor. Above it each host learns the rate and the concurrency that its server bears.
    #[default]
    Adaptive,
    /// The delay and nothing else, for one's own servers. Waits after refusals and announced limits hold all the same.
    Fixed,
}

/// Whether slow answers slow the crawler down; only under [`PaceRule::Adaptive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guard {
    /// They do.
    #[default]
    On,
    /// Only refusals do.
    Off,
}

/// How long a host is left alone after it has pushed back; see [`Backoff::wait`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// First wait without a word of the server. Default 5 s.
    pub base: Duration,
    /// Factor from one strike to the next. Default 2.
    pub factor: f64,
    /// Longest wait of our own. Default 15 min. A server's Retry-After is not cut by it.
    pub cap: Duration,
    /// Longest wait that a run sits through with nothing else to do; a host that must wait longer is parked. Default 60 s.
    pub patience: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(5),
            factor: 2.0,
            cap: Duration::from_secs(15 * 60),
            patience: Duration::from_secs(60),
        }
    }
}

/// Tries of one URL that failed for its own reasons (5xx, timeout, reset). Throttled answers do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all. Default 3.
    pub tries: u8,
    /// Wait before the second try; doubles from there. Default 5 s.
    pub base: Duration,
    /// Least time until a page that was there in an earlier round, and now is answered 404 or 410, is asked for once more before
    /// that is believed. Uses up no try. Default 10 s.
    pub confirm: Duration,
    /// Whether a POST that may have been carried out is sent again. Default: it is not.
    pub post: PostRetry,
}

impl Default for Retry {
    fn default() -> Self {
        let post = PostRetry::default();
        Self { tries: 3, base: Duration::from_secs(5), confirm: Duration::from_secs(10), post }
    }
}

/// What becomes of a request of a method that is not idempotent (POST, PATCH), when it may have been carried out although its answer
/// was lost, not whole or an error (RFC 9110 9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PostRetry {
    /// It is given up, and stands in the failed list. What a server certainly has not carried out is sent again: no connection
    /// came about, or it said "later" (408, 425, 429, 503).
    #[default]
    Once,
    /// It is tried again as a GET is: for servers whose POST only asks.
    Again,
}
