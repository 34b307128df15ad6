//! When a window ends, by form and size: seconds, `1h2m3s`, a second or millisecond of the epoch, an HTTP or ISO 8601 date.

use std::time::Duration;

use http::HeaderMap;
use http::header::DATE;

use super::{LONGEST_RESET, MOST_REQUESTS};
use crate::headers::date;
use crate::time::Timestamp;

/// A number from here on is a second of the epoch (September 2001); no wait is so long.
const EPOCH_SECONDS: u64 = 1_000_000_000;
/// A number from here on is a millisecond of the epoch.
const EPOCH_MILLIS: u64 = 1_000_000_000_000;

/// What a moment is measured against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// The `Date` of the answer; our own time if it has none.
    servers: Timestamp,
    /// Our own time at the end of the answer.
    ours: Timestamp,
}

impl Clocks {
    pub(super) fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let date = headers.get(DATE).and_then(|date| date::parse(date.to_str().ok()?, now));
        Self { servers: date.unwrap_or(now), ours: now }
    }

    /// The time left until what a value says; zero if it has passed.
    pub(super) fn until(self, value: &str) -> Option<Duration> {
        let left = |end: Timestamp| end.since(self.servers);
        let date = || date::iso_8601(value).or_else(|| date::parse(value, self.ours));
        match thousandths(value).and_then(epoch) {
            Some(end) => sensible(left(end)),
            None => Self::wait(value).or_else(|| sensible(left(date()?))),
        }
    }

    /// The wait that a value is, in seconds or in `1h2m3s`.
    pub(super) fn wait(value: &str) -> Option<Duration> {
        thousandths(value).map(Duration::from_millis).or_else(|| spelled(value)).and_then(sensible)
    }
}

fn sensible(wait: Duration) -> Option<Duration> {
    (wait <= LONGEST_RESET).then_some(wait)
}

/// The moment that a number of thousandths is too large not to be.
fn epoch(thousandths: u64) -> Option<Timestamp> {
    match thousandths / 1000 {
        EPOCH_MILLIS.. => Some(Timestamp::from_millis(thousandths.div_ceil(1000))),
        EPOCH_SECONDS.. => Some(Timestamp::from_millis(thousandths)),
        _ => None,
    }
}

/// Thousandths of a number without sign or exponent, rounded up.
pub(super) fn thousandths(value: &str) -> Option<u64> {
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), "0"));
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    let whole: u64 = is_number.then(|| whole.parse().ok()).flatten()?;
    let fraction = date::thousandths(fraction)?;
    (whole <= MOST_REQUESTS).then(|| whole * 1000 + fraction)
}

/// `1h2m3s`, `6m0s`, `1.5s`, `250ms`.
fn spelled(value: &str) -> Option<Duration> {
    let mut wait = Duration::ZERO;
    let mut rest = value;
    while !rest.is_empty() {
        let (number, tail) = split_where(rest, |c| c.is_ascii_alphabetic());
        let (unit, tail) = split_where(tail, |c| !c.is_ascii_alphabetic());
        let millis = thousandths(number)?.checked_mul(millis_of(unit)?)?.div_ceil(1000);
        wait += Duration::from_millis(millis);
        rest = tail;
    }
    (!value.is_empty()).then_some(wait)
}

fn split_where(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

fn millis_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "d" => 86_400_000,
        "h" => 3_600_000,
        "m" => 60_000,
        "s" => 1000,
        "ms" => 1,
        _ => return None,
    })
}
