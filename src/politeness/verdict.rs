//! What becomes of a URL after its answer.
//!
//! A throttled URL keeps its tries: the host was asked to wait, the URL did nothing wrong. Only failures of its own (5xx,
//! a lost connection, a broken body) use them up. A page that was there before is not believed to be gone the first time that
//! its server says so: a bad deployment answers 404 for minutes, and what is taken out of an index is not easily put back.
//! A POST that may have been carried out is not sent again (RFC 9110 9.2.2), unless [`PostRetry`] says that it only asks.

use std::time::Duration;

use http::Method;

use super::{Class, Outcome, PostRetry, Retry};
use crate::response::{Failure, FailureClass, FailureKind};
use crate::time::Timestamp;

/// A URL that is refused this often while its host lets others pass is given up.
const MAX_REFUSALS: u8 = 8;

/// What becomes of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has its answer; it leaves the queue.
    Done,
    /// It stays in the queue and is asked again, not before this moment.
    RetryAt(Timestamp),
    /// 401, 403 or a challenge page: set aside until the host's next success shows whether it was the page or the host.
    Held,
    /// It is given up and leaves the queue for the failed list.
    Dropped(Failure),
}

/// How often a URL has been asked in vain before.
#[derive(Debug, Clone, Copy, Default)]
pub struct History {
    /// Tries that failed for its own reasons.
    pub tries: u8,
    /// Times its host refused it.
    pub refusals: u8,
    /// Times in a row that it was answered 404 or 410.
    pub missing: u8,
    /// Whether the page was there in an earlier round.
    pub known: bool,
    /// Whether its host owes time, so that what is late is not waited for once more; see [`Host::owes_time`](super::Host::owes_time).
    pub owed: bool,
    /// Whether to ask twice may do something else than to ask once, by the method.
    pub repeat: Repeat,
}

/// Whether a request means the same when it is made twice (RFC 9110 9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeat {
    /// It does: GET, HEAD, PUT and their like.
    #[default]
    Idempotent,
    /// It may not: POST, PATCH, and every method that nobody knows.
    Unsafe,
}

impl Repeat {
    /// By the method.
    #[must_use]
    pub fn of(method: &Method) -> Self {
        if method.is_idempotent() { Self::Idempotent } else { Self::Unsafe }
    }
}

impl Verdict {
    /// Judges an outcome. `roll` is the jitter draw in `0.0..=1.0`.
    #[must_use]
    pub fn of(outcome: &Outcome, before: History, retry: &Retry, roll: f64) -> Self {
        match outcome.class {
            Class::Fetched | Class::NotModified | Class::Redirected => Self::Done,
            Class::Gone if outcome.is_missing() && before.known && before.missing == 0 => {
                Self::RetryAt(outcome.ended + retry.confirm)
            }
            Class::Gone => Self::Dropped(answered(FailureClass::Gone, outcome)),
            Class::Forbidden | Class::Challenge => Self::Held,
            Class::Throttled if before.refusals < MAX_REFUSALS => Self::RetryAt(outcome.ended),
            Class::Throttled => Self::Dropped(answered(FailureClass::ServerError, outcome)),
            Class::Transient | Class::ServerError => {
                retry.again(outcome, before, roll, answered(FailureClass::ServerError, outcome))
            }
            Class::Truncated(_) => {
                retry.again(outcome, before, roll, answered(FailureClass::Truncated, outcome))
            }
            Class::Unreachable(kind) => {
                let failure = Failure {
                    class: FailureClass::Unreachable(kind),
                    status: None,
                    reason: kind.to_string(),
                };
                if kind.is_transient() {
                    retry.again(outcome, before, roll, failure)
                } else {
                    Self::Dropped(failure)
                }
            }
        }
    }
}

impl Retry {
    fn again(&self, outcome: &Outcome, before: History, roll: f64, failure: Failure) -> Verdict {
        let is_last = before.tries.saturating_add(1) >= self.tries || before.owed && outcome.is_late();
        if is_last || self.must_not_repeat(outcome.class, before.repeat) {
            return Verdict::Dropped(failure);
        }
        let wait = self.base.mul_f64(f64::from(before.tries.min(16)).exp2() * (1.0 + roll / 2.0));
        Verdict::RetryAt(outcome.ended + wait.min(Duration::from_hours(1)))
    }
}

impl Retry {
    /// Whether to ask again could do again what may have been done (RFC 9110 9.2.2). Who says "later", and who was never reached, has
    /// done nothing.
    fn must_not_repeat(&self, class: Class, repeat: Repeat) -> bool {
        let may_be_done = match class {
            Class::Transient | Class::Throttled => false,
            Class::Unreachable(kind) => matches!(
                kind,
                FailureKind::ResponseTimeout
                    | FailureKind::BodyTimeout
                    | FailureKind::Reset
                    | FailureKind::Protocol
            ),
            _ => true,
        };
        may_be_done && repeat == Repeat::Unsafe && self.post == PostRetry::Once
    }
}

fn answered(class: FailureClass, outcome: &Outcome) -> Failure {
    let status = outcome.status;
    let reason = match (outcome.class, status) {
        (Class::Truncated(cut), _) => format!("body not whole ({cut:?})").to_lowercase(),
        (_, Some(status)) => format!("status {status}"),
        (_, None) => outcome.class.as_str().to_owned(),
    };
    Failure { class, status, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(class: Class) -> Outcome {
        Outcome {
            class,
            status: Some(500),
            told: None,
            announced: Default::default(),
            began: Timestamp::ZERO,
            ended: Timestamp::from_secs(10),
        }
    }

    fn judge(class: Class, before: History) -> Verdict {
        Verdict::of(&outcome(class), before, &Retry::default(), 0.0)
    }

    #[test]
    fn a_throttled_url_keeps_its_tries() {
        let before = History { tries: 2, refusals: 5, ..History::default() };
        assert_eq!(judge(Class::Throttled, before), Verdict::RetryAt(Timestamp::from_secs(10)));
    }

    #[test]
    fn a_server_error_is_tried_three_times_with_growing_waits() {
        let verdicts: Vec<_> =
            (0..3).map(|tries| judge(Class::ServerError, History { tries, ..History::default() })).collect();
        assert_eq!(verdicts[0], Verdict::RetryAt(Timestamp::from_secs(15)));
        assert_eq!(verdicts[1], Verdict::RetryAt(Timestamp::from_secs(20)));
        assert!(
            matches!(&verdicts[2], Verdict::Dropped(failure) if failure.class == FailureClass::ServerError)
        );
    }

    #[test]
    fn what_is_late_is_not_tried_again_where_the_host_owes_time() {
        for (owed, class, is_again) in [
            (false, Class::Unreachable(FailureKind::ResponseTimeout), true),
            (true, Class::Unreachable(FailureKind::ResponseTimeout), false),
            (true, Class::Unreachable(FailureKind::BodyTimeout), false),
            (true, Class::Truncated(crate::response::Truncation::Time), false),
            (true, Class::Unreachable(FailureKind::Reset), true),
            (true, Class::ServerError, true),
        ] {
            let verdict = judge(class, History { owed, ..History::default() });
            assert_eq!(matches!(verdict, Verdict::RetryAt(_)), is_again, "{class:?}");
        }
    }

    #[test]
    fn a_post_that_may_have_been_carried_out_is_not_sent_again() {
        let unsafe_one = History { repeat: Repeat::of(&Method::POST), ..History::default() };
        assert_eq!(Repeat::of(&Method::PUT), Repeat::Idempotent);
        for (class, is_repeated) in [
            (Class::ServerError, false),
            (Class::Truncated(crate::response::Truncation::Disconnect), false),
            (Class::Unreachable(FailureKind::ResponseTimeout), false),
            (Class::Unreachable(FailureKind::Reset), false),
            (Class::Unreachable(FailureKind::Connect), true),
            (Class::Unreachable(FailureKind::Dns), true),
            (Class::Transient, true),
            (Class::Throttled, true),
        ] {
            let is_again = |retry: &Retry, before| {
                matches!(Verdict::of(&outcome(class), before, retry, 0.0), Verdict::RetryAt(_))
            };
            assert_eq!(is_again(&Retry::default(), unsafe_one), is_repeated, "{class:?}");
            assert!(is_again(&Retry::default(), History::default()), "{class:?}");
            assert!(is_again(&Retry { post: PostRetry::Again, ..Retry::default() }, unsafe_one), "{class:?}");
        }
    }

    #[test]
    fn what_is_gone_is_not_asked_again() {
        assert!(matches!(judge(Class::Gone, History::default()), Verdict::Dropped(_)));
    }

    #[test]
    fn a_known_page_is_gone_when_it_is_missing_twice_in_a_row() {
        let judge = |status, known, missing| {
            let outcome = Outcome { status: Some(status), ..outcome(Class::Gone) };
            Verdict::of(&outcome, History { missing, known, ..History::default() }, &Retry::default(), 1.0)
        };
        for status in [404, 410] {
            assert_eq!(judge(status, true, 0), Verdict::RetryAt(Timestamp::from_secs(20)), "{status}");
            for (known, missing) in [(true, 1), (false, 0), (false, 1)] {
                let verdict = judge(status, known, missing);
                assert!(matches!(&verdict, Verdict::Dropped(gone) if gone.class == FailureClass::Gone));
            }
        }
        for status in [400, 405, 414, 451] {
            assert!(matches!(judge(status, true, 0), Verdict::Dropped(_)), "{status}");
        }
    }

    #[test]
    fn a_forbidden_page_is_held() {
        assert_eq!(judge(Class::Forbidden, History::default()), Verdict::Held);
    }

    #[test]
    fn an_address_that_is_not_allowed_is_never_tried_again() {
        let verdict = judge(Class::Unreachable(FailureKind::Address), History::default());
        assert!(matches!(verdict, Verdict::Dropped(_)));
        assert!(matches!(
            judge(Class::Unreachable(FailureKind::Reset), History::default()),
            Verdict::RetryAt(_)
        ));
    }
}
