//! Which hosts are in trouble in this run, for the progress line and for log lines that are said once.
//!
//! Hosts that are well and never refused are not kept. Every answer costs at most two look-ups, however many hosts there are.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::standing::{learned_rate, standing_of};
use crate::politeness::{HostState, Standing};
use crate::url::HostKey;

/// Hosts in trouble, counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trouble {
    /// Hosts that have pushed back and have not answered well since.
    pub limited: usize,
    /// Hosts that do not work.
    pub down: usize,
    /// Hosts that may have shut us out.
    pub suspected: usize,
    /// Hosts that have shut us out.
    pub blocked: usize,
    /// Waiting that refusals have cost in this run, all hosts added up.
    pub throttled: Duration,
    /// Of the hosts that have refused, the one that is asked least often, with its requests per second.
    pub slowest: Option<(HostKey, f64)>,
}

/// What was last heard of hosts in trouble.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    hosts: HashMap<HostKey, Heard>,
    /// Learned rates in requests per 1,000 s, the lowest first.
    rates: BTreeSet<(u64, HostKey)>,
    counts: Trouble,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    standing: Standing,
    throttled_ms: u64,
    rate: Option<u64>,
}

impl Heard {
    fn of(state: &HostState) -> Self {
        Self {
            standing: standing_of(state),
            throttled_ms: state.throttled_ms,
            rate: learned_rate(state).map(|rate| (rate * 1e3) as u64),
        }
    }
}

impl Troubles {
    /// A host as the run found it: what it cost before is no cost of this run.
    pub(super) fn remember(&mut self, key: &HostKey, state: &HostState) {
        self.hear(key, state);
        self.counts.throttled = Duration::ZERO;
    }

    /// A host after an answer. Tells its standing before, if it has changed.
    pub(super) fn hear(&mut self, key: &HostKey, state: &HostState) -> Option<Standing> {
        let now = Heard::of(state);
        if now.standing == Standing::Ok && state.throttled == 0 && !self.hosts.contains_key(key) {
            return None;
        }
        let before = self.hosts.insert(key.clone(), now);
        let cost = now.throttled_ms.saturating_sub(before.map_or(0, |before| before.throttled_ms));
        self.counts.throttled = self.counts.throttled.saturating_add(Duration::from_millis(cost));
        let rate = before.and_then(|before| before.rate);
        if rate != now.rate {
            if let Some(rate) = rate {
                self.rates.remove(&(rate, key.clone()));
            }
            self.rates.extend(now.rate.map(|rate| (rate, key.clone())));
        }
        let standing = before.map_or(Standing::Ok, |before| before.standing);
        if standing == now.standing {
            return None;
        }
        if let Some(count) = self.count(standing) {
            *count -= 1;
        }
        if let Some(count) = self.count(now.standing) {
            *count += 1;
        }
        Some(standing)
    }

    fn count(&mut self, standing: Standing) -> Option<&mut usize> {
        match standing {
            Standing::Ok => None,
            Standing::Limited => Some(&mut self.counts.limited),
            Standing::Down => Some(&mut self.counts.down),
            Standing::Suspected => Some(&mut self.counts.suspected),
            Standing::Blocked => Some(&mut self.counts.blocked),
        }
    }

    /// Hosts that pushed back, do not work or may have shut us out.
    pub(super) const fn hosts(&self) -> usize {
        let Trouble { limited, down, suspected, blocked, .. } = &self.counts;
        *limited + *down + *suspected + *blocked
    }

    /// How it stands now.
    pub(super) fn counts(&self) -> Trouble {
        let slowest = self.rates.first().map(|(rate, key)| (key.clone(), *rate as f64 / 1e3));
        Trouble { slowest, ..self.counts.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::politeness::Phase;
    use crate::time::Timestamp;

    fn limited(throttled_ms: u64) -> HostState {
        let phase = Phase::Backoff { until: Timestamp::ZERO, strikes: 1 };
        HostState { phase, throttled: 1, throttled_ms, ..HostState::default() }
    }

    #[test]
    fn a_host_is_counted_while_it_is_in_trouble_and_its_change_is_told_once() {
        let mut troubles = Troubles::default();
        let key = HostKey::of("a.example");
        assert_eq!(troubles.hear(&key, &limited(500)), Some(Standing::Ok));
        assert_eq!(troubles.hear(&key, &limited(900)), None);
        assert_eq!(troubles.counts().limited, 1);
        assert_eq!(
            troubles.hear(&key, &HostState { phase: Phase::Open, ..limited(900) }),
            Some(Standing::Limited)
        );
        assert_eq!(
            troubles.counts(),
            Trouble { throttled: Duration::from_millis(900), ..Trouble::default() }
        );
    }

    #[test]
    fn hosts_that_are_well_cost_nothing() {
        let mut troubles = Troubles::default();
        assert_eq!(troubles.hear(&HostKey::of("a.example"), &HostState::default()), None);
        assert!(troubles.hosts.is_empty());
    }

    #[test]
    fn what_earlier_runs_waited_is_no_cost_of_this_one() {
        let mut troubles = Troubles::default();
        let key = HostKey::of("a.example");
        troubles.remember(&key, &limited(60_000));
        troubles.hear(&key, &limited(61_000));
        assert_eq!(troubles.counts().throttled, Duration::from_secs(1));
        assert_eq!(troubles.counts().limited, 1);
    }
}
