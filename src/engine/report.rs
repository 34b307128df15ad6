//! What a run came to, for people and for machines.

use std::time::Duration;

use serde::Serialize;

use super::calls::CodeFault;
use super::expect::Missed;
use super::login::LoginFailure;
use super::stages::limit::Limit;
use super::stages::load::Load;
use super::stages::{StageTimes, as_seconds};
use super::standing::{evidence_of, learned_rate, standing_of};
use super::totals::Totals;
use crate::frontier::HostView;
use crate::politeness::block::{Evidence, Standing};
use crate::politeness::{HostState, Phase};
use crate::stage::tally::ItemTally;
use crate::time::Timestamp;
use crate::trap::Parked;
use crate::url::HostKey;

/// The end of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Why it ended.
    pub end: End,
    /// The round, counted from 1.
    pub round: u32,
    /// When this run began.
    pub started: Timestamp,
    /// How long it took.
    #[serde(serialize_with = "as_seconds")]
    pub took: Duration,
    /// Counts of the round over all its runs.
    pub totals: Totals,
    /// The first problem that a page had in this run, as an example of those that are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What spiders, stages and fetchers in code did wrong in this run, by call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<CodeFault>,
    /// What the items of the round hold, field by field, and what became of those that were not written.
    pub tally: ItemTally,
    /// What was expected of the crawl and not met; empty while it has not come to its end.
    pub missed: Vec<Missed>,
    /// How long each stage of the work took in this run.
    pub stages: StageTimes,
    /// How busy everybody was in this run, and what was waited for.
    pub load: Load,
    /// What this run was limited by, as far as that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<Limit>,
    /// Every host, in the order in which it was found; if there are many (see [`Settings::awake`](crate::frontier::Settings::awake)),
    /// the thousand that matter most: those that refuse, those that must wait, those that gave most.
    pub hosts: Vec<HostReport>,
    /// The others, as far as there are any.
    #[serde(skip_serializing_if = "Unlisted::is_empty")]
    pub unlisted: Unlisted,
}

/// Hosts without a line of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unlisted {
    /// How many there are that were asked in this or an earlier round.
    pub hosts: u64,
    /// Requests that are still in their queues, those of hosts that were never asked included.
    pub waiting: u64,
    /// How many have shut us out, as far as can be told.
    pub doubted: u64,
    /// How many are well otherwise, and must wait with requests in their queues.
    pub parked: u64,
    /// How many may not be asked in this run, or not in part, with requests in their queues.
    pub shut: u64,
}

impl Unlisted {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Nothing is left to ask.
    Complete,
    /// The page limit was reached.
    Limit,
    /// All that is left must wait longer than the run's patience.
    Parked {
        /// The soonest end of a wait.
        until: Timestamp,
    },
    /// It was asked to stop.
    Interrupted,
    /// It could not log in, and asked for nothing else.
    LoginFailed(LoginFailure),
}

impl End {
    /// In a word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Limit => "limit",
            Self::Parked { .. } => "parked",
            Self::Interrupted => "interrupted",
            Self::LoginFailed(_) => "login failed",
        }
    }
}

/// One host at the end of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostReport {
    /// Its name.
    pub host: String,
    /// Requests that went out to it, over all rounds.
    pub requests: u64,
    /// Pages of this round.
    pub pages: u64,
    /// Answers 429 and 503, over all rounds.
    pub throttled: u64,
    /// Seconds of waiting that these cost.
    pub throttled_s: u64,
    /// Requests that are still in its queue.
    pub waiting: u64,
    /// Nothing goes out to it before this moment.
    pub not_before: Timestamp,
    /// Push-backs in a row; 0 if it is well.
    pub strikes: u32,
    /// How we stand with it.
    pub standing: Standing,
    /// What that rests on.
    pub evidence: Evidence,
    /// Requests per second that it was found to bear; `None` if nothing was learned.
    pub learned_rate: Option<f64>,
    /// The last status.
    pub last_status: Option<u16>,
    /// Patterns of its URLs whose pages bring nothing new, and which are not asked for in this run.
    pub parked: Vec<Parked>,
    /// Why (a part of) it may not be asked in this run.
    pub shut: Option<String>,
}

impl HostReport {
    pub(super) fn of(view: &HostView<'_>, round: u32) -> Self {
        let row = Self::of_state(view.key, view.state, round);
        Self { waiting: view.waiting, parked: view.parked.to_vec(), shut: view.shut.clone(), ..row }
    }

    /// Whether it must wait at this moment although it is well otherwise.
    pub(super) fn is_parked(&self, now: Timestamp) -> bool {
        self.waiting > 0 && self.not_before > now && self.shut.is_none() && !self.standing.only_probes()
    }

    /// What is known of a host's queues is to be added.
    pub(super) fn of_state(key: &HostKey, state: &HostState, round: u32) -> Self {
        Self {
            host: key.to_string(),
            requests: state.requests,
            pages: state.pages_in(round),
            throttled: state.throttled,
            throttled_s: state.throttled_ms / 1000,
            waiting: 0,
            not_before: state.not_before,
            strikes: match state.phase {
                Phase::Open => 0,
                Phase::Backoff { strikes, .. } => strikes,
            },
            standing: standing_of(state),
            evidence: evidence_of(state).cloned().unwrap_or_default(),
            learned_rate: learned_rate(state),
            last_status: state.last_status,
            parked: Vec::new(),
            shut: None,
        }
    }
}

impl Report {
    /// The process exit code: 0 complete, 3 partial, 4 refused by robots.txt or robots.txt unreachable, 5 a host is
    /// suspected of blocking us or known to, 6 parked beyond patience, 7 an expectation was missed, 130 interrupted. The highest that applies; a host that
    /// is parked because it is suspected counts as 5.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.end {
            End::Interrupted => 130,
            _ if !self.missed.is_empty() => 7,
            End::LoginFailed(_) => 3,
            End::Parked { .. } if self.is_parked_for_a_wait() => 6,
            _ if self.is_doubted() => 5,
            End::Parked { .. } => 6,
            _ if self.is_refused() => 4,
            _ if self.is_partial() => 3,
            _ => 0,
        }
    }

    /// Whether a host that is well otherwise must wait longer than the run's patience.
    fn is_parked_for_a_wait(&self) -> bool {
        self.unlisted.parked > 0 || self.hosts.iter().any(|host| host.is_parked(self.ended()))
    }

    fn ended(&self) -> Timestamp {
        self.started + self.took
    }

    /// Whether a host has shut us out, as far as can be told.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.unlisted.doubted > 0 || self.hosts.iter().any(|host| host.standing.only_probes())
    }

    /// Whether robots.txt stands in the way of everything, or of a whole host because it cannot be had.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let nothing_allowed = self.totals.pages == 0 && self.totals.disallowed > 0;
        nothing_allowed
            || self.unlisted.shut > 0
            || self.hosts.iter().any(|host| host.shut.is_some() && host.waiting > 0)
    }

    /// Whether something that may exist was not got.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let totals = &self.totals;
        let lost = totals.failed + totals.parse_errors + totals.items_refused + totals.parked > 0;
        let left = self.unlisted.waiting > 0 || self.hosts.iter().any(|host| host.waiting > 0);
        lost || left || self.end == End::Limit || totals.pages == 0
    }
}
