//! What is remembered of a host between runs. Plain data: it is stored with every answer of the host.

use serde::{Deserialize, Serialize};

use super::block::WatchState;
use super::pace::Learned;
use super::wait::Wait;
use crate::time::Timestamp;

/// What is remembered of a host between runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostState {
    /// No request before this moment, whatever its kind.
    pub not_before: Timestamp,
    /// Whether the host is well or has pushed back.
    pub phase: Phase,
    /// Failures in a row that accuse the host (name, connection, no answer).
    pub failures: u32,
    /// Pages fetched in the round named beside it, for budgets.
    pub pages: u64,
    /// The round that `pages` counts.
    pub round: u32,
    /// All requests that went out to the host.
    pub requests: u64,
    /// Answers 429 and 503.
    pub throttled: u64,
    /// Milliseconds of waiting that its refusals have cost.
    pub throttled_ms: u64,
    /// The last status, if there was an answer.
    pub last_status: Option<u16>,
    /// How we stand with it, and what that rests on.
    pub watch: WatchState,
    /// A page that was there: asked again before the host is accused of shutting us out.
    pub good_page: Option<String>,
    /// What it waits for until `not_before`.
    pub waits_for: Wait,
    /// What its server was seen to bear.
    pub learned: Learned,
}

/// Whether a host is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing speaks against the next request but its delay.
    #[default]
    Open,
    /// It has pushed back. One request probes after `until`; the rest follows after its success.
    Backoff {
        /// The end of the wait.
        until: Timestamp,
        /// Push-backs without a success in between, a burst counted once.
        strikes: u32,
    },
}

impl HostState {
    /// Counts a page of this round.
    pub(crate) fn count_page(&mut self, round: u32) {
        self.pages = self.pages_in(round) + 1;
        self.round = round;
    }

    /// Pages fetched in this round.
    #[must_use]
    pub const fn pages_in(&self, round: u32) -> u64 {
        if self.round == round { self.pages } else { 0 }
    }
}
