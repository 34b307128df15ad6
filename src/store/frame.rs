//! The run's record in two parts: what seldom changes, and the totals, which every batch changes.
//!
//! The plan has some ninety values. Written with every batch it would be most of what a slow crawl writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunRecord;
use crate::time::Timestamp;

/// All of a [`RunRecord`] but its totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frame {
    round: u32,
    started: Timestamp,
    completed: Option<Timestamp>,
    plan: BTreeMap<String, String>,
}

impl Frame {
    pub(super) fn of(run: &RunRecord) -> Self {
        let RunRecord { round, started, completed, plan, .. } = run;
        Self { round: *round, started: *started, completed: *completed, plan: plan.clone() }
    }

    /// Whether this is the run's frame.
    pub(super) fn holds(&self, run: &RunRecord) -> bool {
        let times = (self.round, self.started, self.completed);
        times == (run.round, run.started, run.completed) && self.plan == run.plan
    }

    /// The same round, over since this moment.
    pub(super) fn ended(self, at: Timestamp) -> Self {
        Self { completed: self.completed.or(Some(at)), ..self }
    }

    pub(super) fn with(self, totals: BTreeMap<String, u64>) -> RunRecord {
        let Self { round, started, completed, plan } = self;
        RunRecord { round, started, completed, plan, totals }
    }
}
