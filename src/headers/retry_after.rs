//! How long a server asks us to wait (RFC 9110 10.2.3).
//!
//! The rule: a readable wait is never shortened, and what cannot be read counts as absent, never as "at once". Seconds may
//! have spaces, leading zeros, a `+` and decimals (rounded up); a date may have any form that [`super::date`] reads. A date is
//! measured against the answer's own `Date`, so that a wrong clock on either side does no harm. If there are several values,
//! on several lines or joined by commas, the longest counts.
//!
//! Pure: no clock. What is done with the wait is decided elsewhere.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};

use super::date;
use crate::time::Timestamp;

/// The longest wait that can be told: as much as a [`Timestamp`] can hold. More digits than that mean this.
pub const LONGEST: Duration = Duration::from_millis(u64::MAX);

/// The wait that the `Retry-After` among these fields asks for, as [`retry_after`] reads it.
#[must_use]
pub fn of_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let values = headers.get_all(RETRY_AFTER);
    retry_after(values.iter().map(HeaderValue::as_bytes), date, now)
}

/// The wait that the lines of a `Retry-After` field ask for, counted from the end of the answer.
///
/// `values` are the field's lines as received, `date` is the `Date` field of the same answer, `now` the end of the answer.
/// `None` if there is no wait of more than zero: the caller then waits by its own rule.
///
/// ```
/// use std::time::Duration;
/// use crawl::headers::retry_after::retry_after;
/// use crawl::time::Timestamp;
///
/// let wait = |value: &str| retry_after([value], None, Timestamp::ZERO);
/// assert_eq!(wait("120"), Some(Duration::from_secs(120)));
/// assert_eq!(wait("1.5"), Some(Duration::from_secs(2)));
/// assert_eq!(wait("0"), None);
/// ```
pub fn retry_after<V: AsRef<[u8]>>(
    values: impl IntoIterator<Item = V>,
    date: Option<&str>,
    now: Timestamp,
) -> Option<Duration> {
    let measured_from = date.and_then(|text| date::parse(text, now)).unwrap_or(now);
    values.into_iter().filter_map(|value| longest(value.as_ref(), measured_from, now)).max()
}

/// The longest wait on one line. A date falls into two at its comma, and its second half is a date without a weekday.
fn longest(line: &[u8], measured_from: Timestamp, now: Timestamp) -> Option<Duration> {
    str::from_utf8(line)
        .ok()?
        .split(',')
        .filter_map(|value| seconds(value.trim_ascii()).or_else(|| until(value, measured_from, now)))
        .filter(|wait| !wait.is_zero())
        .max()
}

/// Delta-seconds, rounded up to whole ones.
fn seconds(value: &str) -> Option<Duration> {
    let number = value.strip_prefix('+').unwrap_or(value).trim_ascii_start();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let round_up = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    // Only an overflow can fail here: a number too large to hold is the longest wait, not none.
    let whole = whole.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(whole.saturating_add(round_up)).min(LONGEST))
}

/// The time left until a date; `None` if it has passed.
fn until(value: &str, measured_from: Timestamp, now: Timestamp) -> Option<Duration> {
    date::parse(value, now).map(|date| date.since(measured_from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Mon, 3 Jun 2019 11:00:00 GMT.
    const NOW: Timestamp = Timestamp::from_secs(1_559_559_600);

    fn wait(value: &str) -> Option<Duration> {
        retry_after([value], None, NOW)
    }

    const fn secs(secs: u64) -> Option<Duration> {
        Some(Duration::from_secs(secs))
    }

    #[test]
    fn seconds_are_read_in_every_spelling() {
        for value in ["120", " 120\t", "000120", "+120", "120.0", "120.", "119.1"] {
            assert_eq!(wait(value), secs(120), "{value}");
        }
        assert_eq!(wait("0.001"), secs(1), "a decimal rounds up");
    }

    #[test]
    fn a_date_is_a_wait_from_now() {
        assert_eq!(wait("Mon, 03 Jun 2019 11:30:12 GMT"), secs(1812));
        assert_eq!(wait("Fri, 03 Jun 2019 11:30:12 GMT"), secs(1812), "wrong weekday");
        assert_eq!(wait("Mon Jun  3 11:30:12 2019"), secs(1812));
    }

    #[test]
    fn a_date_is_measured_against_the_date_of_the_answer() {
        let value = ["Mon, 03 Jun 2019 11:30:12 GMT"];
        let servers_clock = Some("Mon, 03 Jun 2019 11:30:00 GMT");
        assert_eq!(retry_after(value, servers_clock, NOW), secs(12));
        assert_eq!(retry_after(value, Some("yesterday"), NOW), secs(1812));
        assert_eq!(retry_after(["60"], servers_clock, NOW), secs(60));
    }

    #[test]
    fn the_longest_of_several_values_counts() {
        assert_eq!(retry_after(["10", "30", "soon", "20"], None, NOW), secs(30));
        assert_eq!(wait("10, 30,20"), secs(30));
        assert_eq!(wait("10, Mon, 03 Jun 2019 11:00:12 GMT"), secs(12));
    }

    #[test]
    fn zero_negative_past_and_unreadable_are_as_absent() {
        for value in [
            "",
            "0",
            "0.0",
            "-1",
            "+",
            ".",
            "+-1",
            "1e3",
            "1.2.3",
            "soon",
            "²",
            "Fri, 31 Dec 1999 23:59:59 GMT",
            "Mon, 03 Jun 2019 11:00:00 GMT",
        ] {
            assert_eq!(wait(value), None, "{value}");
        }
        assert_eq!(retry_after([b"1\xff".as_slice()], None, NOW), None);
        assert_eq!(retry_after([] as [&str; 0], None, NOW), None);
    }

    #[test]
    fn an_absurd_wait_is_kept_and_can_be_added_to_a_timestamp() {
        for value in ["99999999999999999999999999999999", "18446744073709551615.9"] {
            assert_eq!(wait(value), Some(LONGEST));
        }
        assert_eq!(NOW + LONGEST, Timestamp::MAX);
        assert_eq!(wait("31536000"), secs(31_536_000), "a year is a year");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(lines: Vec<Vec<u8>>, date: Option<String>, now: u64) {
            let _ = retry_after(&lines, date.as_deref(), Timestamp::from_millis(now));
        }

        #[test]
        fn more_seconds_never_mean_a_shorter_wait(a in "[0-9]{1,25}", b in "[0-9]{1,25}") {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            let (small, big) = if (a.len(), a) < (b.len(), b) { (a, b) } else { (b, a) };
            prop_assert!(wait(small) <= wait(big));
        }

        #[test]
        fn one_value_more_never_means_a_shorter_wait(lines in prop::collection::vec("[0-9.]{0,6}", 0..5), more in "\\PC{0,30}") {
            let before = retry_after(&lines, None, NOW);
            let after = retry_after(lines.iter().chain([&more]), None, NOW);
            prop_assert!(before <= after);
        }
    }
}
