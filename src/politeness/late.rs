//! Answers that did not come in time, and what they have cost.
//!
//! Nothing costs a crawl more than an answer that does not come: half a minute each, three times for a page. So a host has a debt: it
//! grows by the time that was waited in vain, and each good answer works some of it off. While it owes, what is late is not tried
//! again. A host that is well pays for the odd slow page in a moment; one of nothing but slow pages costs each of them once.
//!
//! Pure: no clock. A debt is of one run.

use serde::{Deserialize, Serialize};

use super::{Class, Outcome};
use crate::response::{FailureKind, Truncation};

/// Milliseconds that a good answer works off: after three of them the usual wait in vain is forgotten.
const WORKED_OFF: u32 = 10_000;

/// What a host owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Late {
    /// In milliseconds.
    debt: u32,
}

impl Late {
    /// Takes an answer, or that none came.
    pub(super) fn hear(&mut self, outcome: &Outcome) {
        if outcome.is_late() {
            let waited = outcome.ended.since(outcome.began).as_millis();
            self.debt = self.debt.saturating_add(u32::try_from(waited).unwrap_or(u32::MAX));
        } else if outcome.is_health() {
            self.debt = self.debt.saturating_sub(WORKED_OFF);
        }
    }

    /// Whether more was waited in vain than good answers have made up for.
    pub(super) const fn is_owed(self) -> bool {
        self.debt > 0
    }
}

impl Outcome {
    /// Whether it was waited for until the time was up: for its head, or for the rest of its body.
    #[must_use]
    pub const fn is_late(&self) -> bool {
        matches!(
            self.class,
            Class::Unreachable(FailureKind::ResponseTimeout | FailureKind::BodyTimeout)
                | Class::Truncated(Truncation::Time)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn heard(late: &mut Late, class: Class, seconds: u64) -> bool {
        late.hear(&Outcome {
            class,
            status: Some(200),
            told: None,
            announced: Default::default(),
            began: Timestamp::ZERO,
            ended: Timestamp::from_secs(seconds),
        });
        late.is_owed()
    }

    #[test]
    fn three_good_answers_make_up_for_half_a_minute_in_vain() {
        let mut late = Late::default();
        assert!(heard(&mut late, Class::Unreachable(FailureKind::ResponseTimeout), 30));
        assert_eq!([1, 1, 1].map(|seconds| heard(&mut late, Class::Fetched, seconds)), [true, true, false]);
    }

    #[test]
    fn a_body_that_was_cut_by_the_time_is_late_and_works_nothing_off() {
        let mut late = Late::default();
        assert!(heard(&mut late, Class::Truncated(Truncation::Time), 10));
        assert!(heard(&mut late, Class::Unreachable(FailureKind::BodyTimeout), 10));
        assert!(heard(&mut late, Class::Fetched, 1));
        assert!(!heard(&mut late, Class::Gone, 1));
    }

    #[test]
    fn what_failed_at_once_owes_nothing() {
        let mut late = Late::default();
        for class in [Class::Unreachable(FailureKind::Reset), Class::ServerError, Class::Throttled] {
            assert!(!heard(&mut late, class, 20), "{class:?}");
        }
    }
}
