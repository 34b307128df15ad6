//! How a host stands and at which rate it is asked, read from what is stored of it.
//!
//! The one place where reports, log lines and commands learn it: they agree because they ask here. Nothing is decided here.

use serde::Serialize;

use crate::politeness::{HostState, Phase};
use crate::time::Timestamp;

/// How a host stands, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It answers.
    #[default]
    Ok,
    /// It has pushed back (429, 503, no answer) and has not answered well since.
    Limited,
    /// It does not answer, or only with errors, for a long time.
    Down,
    /// It may have shut us out: single probes go out, nothing else.
    Suspected,
    /// It has shut us out: one probe a day, then none.
    Blocked,
}

impl Standing {
    /// The standing that is stored with a host.
    #[must_use]
    pub const fn of(state: &HostState) -> Self {
        match state.phase {
            Phase::Open => Self::Ok,
            Phase::Backoff { .. } => Self::Limited,
        }
    }

    /// Its name in tables and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Down => "down",
            Self::Suspected => "suspected",
            Self::Blocked => "blocked",
        }
    }

    /// What the user can do about it; nothing needs to be done if it is [`Standing::Ok`].
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Ok => "",
            Self::Limited => "wait: it is asked again after that; if this returns, raise politeness.delay",
            Self::Down => "see whether the site works in a browser, and run it again when it does",
            Self::Suspected => {
                "leave it alone for now; ask its owner, or see whether the site has an API or a dump"
            }
            Self::Blocked => {
                "write to the owner of the site and wait for an answer, or use its API; no other address or name will be tried"
            }
        }
    }
}

/// Requests per second that the host was found to bear; none while nothing was learned, and the configured delay alone counts.
#[must_use]
pub const fn learned_rate(_state: &HostState) -> Option<f64> {
    None
}

/// Why a host is left alone until a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostWait {
    /// The end of the wait.
    pub until: Timestamp,
    /// What it is for, in words.
    pub reason: String,
}

/// The wait that a host is in at `now`, if it is in one.
#[must_use]
pub fn wait_of(state: &HostState, now: Timestamp) -> Option<HostWait> {
    let until = state.not_before;
    let reason = match state.phase {
        _ if until <= now => return None,
        Phase::Backoff { strikes, .. } => match state.last_status {
            Some(status @ (429 | 503)) => format!("it answered {status}, push-back {strikes} in a row"),
            _ => format!("it did not answer as it should, push-back {strikes} in a row"),
        },
        Phase::Open => "the pause between two requests".to_owned(),
    };
    Some(HostWait { until, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> HostState {
        let until = Timestamp::from_secs(90);
        HostState {
            not_before: until,
            phase: Phase::Backoff { until, strikes: 2 },
            last_status: Some(status),
            ..HostState::default()
        }
    }

    #[test]
    fn a_host_that_pushed_back_is_limited_until_it_answers() {
        assert_eq!(Standing::of(&HostState::default()), Standing::Ok);
        assert_eq!(Standing::of(&refused(429)), Standing::Limited);
    }

    #[test]
    fn a_wait_is_told_with_its_reason_until_it_is_over() {
        let reason = |state: &HostState| wait_of(state, Timestamp::from_secs(30)).unwrap().reason;
        assert_eq!(reason(&refused(429)), "it answered 429, push-back 2 in a row");
        assert_eq!(reason(&refused(200)), "it did not answer as it should, push-back 2 in a row");
        let paced = HostState { not_before: Timestamp::from_secs(31), ..HostState::default() };
        assert_eq!(reason(&paced), "the pause between two requests");
        assert_eq!(wait_of(&refused(429), Timestamp::from_secs(90)), None);
    }

    #[test]
    fn every_trouble_comes_with_advice() {
        let all = [Standing::Limited, Standing::Down, Standing::Suspected, Standing::Blocked];
        assert!(all.iter().all(|standing| standing.advice().len() > 20));
        assert!(all.is_sorted() && Standing::Ok < Standing::Limited);
    }
}
