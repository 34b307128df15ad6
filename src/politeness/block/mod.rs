//! Whether a host that refuses is merely busy, or has shut us out.
//!
//! A server seldom says which it is; time does. A limit passes, a block persists through pauses that grow from a minute to an
//! hour. So a refusal is evidence only if it came after such a pause, and seven of them in a row make a suspicion: if half of
//! all limits outlast a pause and a block refuses 98 of 100 requests, this is where Wald's sequential test is sure to one in a
//! hundred (ln 99 / ln(0.98 / 0.5) = 6.8).
//!
//! ```text
//! Ok -> Limited -> Suspected -> Blocked      refusals; two healthy answers on different pages lead back from the last two
//! Ok -> Down                                 failures, or nothing but 503; any healthy answer leads back
//! ```
//!
//! - A `Retry-After` is no evidence before it has passed: a refusal that tells a wait counts when the next one is refused too.
//! - 401, 403, 451 and challenge pages may be about a page or a section. A control request decides: to a page of the host
//!   that was there before. See [`Sections`] for what is a section.
//! - Errors of the server and of the network lead to [`Standing::Down`], never to a suspicion; so do rows of nothing but 503.
//!
//! Pure: no clock, no waiting, no requests. What is asked, and when, is the host machine's and the frontier's business.

mod evidence;
mod sections;
#[cfg(test)]
mod tests;
mod watch;

use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

pub use evidence::{Control, ControlAnswer, Evidence};
pub use sections::{Sections, section};
pub use watch::{Watch, WatchState};

use super::{Class, Outcome};
use crate::time::Timestamp;

/// When refusals become a suspicion, and a suspicion a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPolicy {
    /// Refusals in a row, each after a pause of at least `min_pause`, that make a suspicion. Default 7.
    pub suspect_after: u32,
    /// The shortest pause after which a refusal is evidence, and the first that is kept once refusals persist. Default 60 s.
    pub min_pause: Duration,
    /// The longest pause before a suspicion, and the time between the probes of a suspected host. Default 1 h.
    pub max_pause: Duration,
    /// Least time from the first refusal to the verdict [`Standing::Blocked`]. Default 24 h.
    pub blocked_after: Duration,
    /// Least number of refusals after pauses for that verdict. Default 20.
    pub blocked_refusals: u32,
    /// Time between the probes of a blocked host. Default 24 h.
    pub daily: Duration,
    /// Probes of a blocked host, after which it is left alone for good. Default 7.
    pub daily_probes: u32,
    /// Forbidden pages in a row after which a control is wanted. Default 3.
    pub control_after: u32,
    /// Forbidden pages in a row after which a section is shut. Default 5.
    pub section_after: u32,
    /// Failures in a row (5xx but 503, no answer) after which a host is down. Default 10.
    pub down_after: u32,
}

impl Default for BlockPolicy {
    fn default() -> Self {
        Self {
            suspect_after: 7,
            min_pause: Duration::from_secs(60),
            max_pause: Duration::from_hours(1),
            blocked_after: Duration::from_hours(24),
            blocked_refusals: 20,
            daily: Duration::from_hours(24),
            daily_probes: 7,
            control_after: 3,
            section_after: 5,
            down_after: 10,
        }
    }
}

/// How we stand with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It answers.
    #[default]
    Ok,
    /// It has refused; the usual waits apply.
    Limited,
    /// It has refused through all pauses: only single probes go out.
    Suspected,
    /// It has done so for a day: a probe a day for a week, then none.
    Blocked,
    /// It is broken or away, for everybody as far as can be told.
    Down,
}

impl Standing {
    /// The word as it stands in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Suspected => "suspected",
            Self::Blocked => "blocked",
            Self::Down => "down",
        }
    }

    /// Whether nothing but single probes may go out.
    #[must_use]
    pub const fn only_probes(self) -> bool {
        matches!(self, Self::Suspected | Self::Blocked)
    }
}

/// What an answer has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing that anybody needs to be told.
    Nothing,
    /// The control was answered: it is the page or the section, not the host.
    Section,
    /// It became [`Standing::Suspected`].
    Suspected,
    /// It became [`Standing::Blocked`].
    Blocked,
    /// It became [`Standing::Down`].
    Down,
    /// It was suspected, blocked or down, and is well again.
    Cleared,
}

/// What kind of refusal an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// 429, 503: come back later.
    Throttled,
    /// 401, 403, 451, a challenge page: not for you.
    Forbidden,
    /// Other 5xx, no answer: nobody is served.
    Failure,
}

impl RefusalKind {
    /// The kind of refusal that an outcome is, if it is one. A 451 is [`Class::Gone`] for its page and still a refusal of
    /// the host, so ask this before [`Class::is_health`].
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Option<Self> {
        match outcome.class {
            Class::Throttled => Some(Self::Throttled),
            _ if outcome.is_forbidden() => Some(Self::Forbidden),
            Class::ServerError => Some(Self::Failure),
            Class::Unreachable(kind) if kind.is_transient() => Some(Self::Failure),
            _ => None,
        }
    }
}

/// A request that was refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// In which way.
    pub kind: RefusalKind,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The wait that the server asked for, measured from `ended`.
    pub told: Option<Duration>,
    /// For how long the host had been left alone when the request left.
    pub pause: Duration,
    /// When the request left.
    pub began: Timestamp,
    /// When the answer had been read, or the failure was noticed.
    pub ended: Timestamp,
    /// The fields of the answer; a few of them are kept as evidence.
    pub headers: Option<&'a HeaderMap>,
}

impl<'a> Refusal<'a> {
    /// The refusal that an outcome is, if it is one. `pause` is the time for which the host was left alone before.
    #[must_use]
    pub fn of(outcome: &Outcome, pause: Duration, headers: Option<&'a HeaderMap>) -> Option<Self> {
        RefusalKind::of(outcome).map(|kind| Self {
            kind,
            status: outcome.status,
            told: outcome.told,
            pause,
            began: outcome.began,
            ended: outcome.ended,
            headers,
        })
    }
}
