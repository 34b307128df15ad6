//! How fast a host is asked, as far as that is known beforehand: for estimates.

use std::time::Duration;

use serde::Serialize;

use crate::politeness::Policy;

/// What an answer is taken to need where nothing is known of it.
pub(super) const ANSWER: Duration = Duration::from_millis(300);

/// The mean distance between two requests to one host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Pace {
    /// From the start of one request to the start of the next.
    #[serde(rename = "interval-s", serialize_with = "as_seconds")]
    pub(super) interval: Duration,
    pub(super) decided_by: Decider,
}

/// What makes it as long as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Decider {
    /// `politeness.delay`.
    Delay,
    /// The wish of robots.txt.
    CrawlDelay,
    /// What the server was found to bear.
    LearnedRate,
}

impl Decider {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "politeness.delay",
            Self::CrawlDelay => "robots.txt",
            Self::LearnedRate => "the learned rate",
        }
    }
}

impl Pace {
    /// `wish` is what robots.txt asks for, `rate` the requests per second that were learned.
    pub(super) fn of(policy: &Policy, wish: Option<Duration>, rate: Option<f64>) -> Self {
        let wish = wish.unwrap_or_default();
        let mean = policy.delay.max(wish).mul_f64(1.0 + policy.jitter / 2.0);
        // One at a time, the delay counts from the end of the answer.
        let one_at_a_time = policy.max_concurrency <= 1 || !wish.is_zero();
        let own = if one_at_a_time { mean + ANSWER } else { mean };
        let learned =
            rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64((1.0 / rate).min(1e9)));
        match learned {
            Some(learned) if learned > own => Self { interval: learned, decided_by: Decider::LearnedRate },
            _ if wish > policy.delay => Self { interval: own, decided_by: Decider::CrawlDelay },
            _ => Self { interval: own, decided_by: Decider::Delay },
        }
    }

    /// How long so many requests take.
    pub(super) fn time_for(&self, requests: u64) -> Duration {
        let seconds = self.interval.as_secs_f64() * requests as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// `1 request every 1.5 s`, or `12 requests a second`.
impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.interval.as_secs_f64();
        match self.interval.as_millis() {
            0 => f.write_str("as fast as it answers"),
            1..500 => write!(f, "{:.0} requests a second", 1.0 / seconds),
            500..60_000 => write!(f, "1 request every {seconds:.1} s"),
            _ => write!(f, "1 request every {:.0} min", seconds / 60.0),
        }
    }
}

/// Whole seconds would hide the pace of a quick host.
pub(super) fn as_seconds<S: serde::Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(delay_ms: u64, jitter: f64, max_concurrency: u32) -> Policy {
        Policy { delay: Duration::from_millis(delay_ms), jitter, max_concurrency, ..Policy::default() }
    }

    #[test]
    fn the_longest_of_delay_wish_and_learned_rate_decides() {
        let delay = policy(1_000, 0.5, 1);
        let pace = |wish: Option<u64>, rate| Pace::of(&delay, wish.map(Duration::from_secs), rate);
        let told = |pace: Pace| (pace.interval.as_millis(), pace.decided_by);
        assert_eq!(told(pace(None, None)), (1_550, Decider::Delay));
        assert_eq!(told(pace(Some(4), Some(1.0))), (5_300, Decider::CrawlDelay));
        assert_eq!(told(pace(Some(4), Some(0.1))), (10_000, Decider::LearnedRate));
        assert_eq!(told(pace(None, Some(0.0))), (1_550, Decider::Delay));
    }

    #[test]
    fn with_several_at_a_time_the_answer_does_not_count_unless_robots_txt_has_a_wish() {
        let many = policy(1_000, 0.0, 4);
        assert_eq!(Pace::of(&many, None, None).interval, Duration::from_secs(1));
        let wish = Some(Duration::from_millis(500));
        assert_eq!(Pace::of(&many, wish, None).interval, Duration::from_millis(1_300));
    }

    #[test]
    fn a_pace_reads_well() {
        let shown = |delay| Pace::of(&policy(delay, 0.0, 2), None, None).to_string();
        assert_eq!(shown(0), "as fast as it answers");
        assert_eq!(shown(50), "20 requests a second");
        assert_eq!(shown(1_500), "1 request every 1.5 s");
        assert_eq!(shown(300_000), "1 request every 5 min");
    }
}
