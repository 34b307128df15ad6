//! Wishes that are not in RFC 9309 but in many files: `Crawl-delay`, `Request-rate` and `Visit-time`.
//! What cannot be read is ignored, as if the line were not there.

use std::time::Duration;

/// The longest delay that is told apart; whatever is longer counts as this.
const LONGEST: Duration = Duration::from_secs(1_000_000_000);

/// `Request-rate: 3/1m 0900-1700`: at most so many requests in so many seconds, perhaps only in a part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// Requests permitted in the interval; at least 1.
    pub requests: u64,
    /// The interval in seconds; at least 1. Units `s`, `m`, `h` and `d` have been multiplied in.
    pub seconds: u64,
    /// The part of the day for which the rate was given; always if none.
    pub window: Option<VisitTime>,
}

impl RequestRate {
    /// The interval divided by the requests: the even distance between two requests.
    #[must_use]
    pub fn delay(&self) -> Duration {
        let micros =
            u128::from(self.seconds).saturating_mul(1_000_000).div_ceil(u128::from(self.requests.max(1)));
        u64::try_from(micros).map_or(LONGEST, Duration::from_micros).min(LONGEST)
    }
}

/// `Visit-time: 0600-0845`: the part of the day, in UTC, in which visits are welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitTime {
    /// First minute of the part, counted from midnight UTC: 0 to 1,439.
    pub start_minute: u16,
    /// Last minute of the part, counted alike; less than the start if the part spans midnight.
    pub end_minute: u16,
}

impl VisitTime {
    /// Whether a minute of the day (UTC, from 0) lies in the part; both ends are in it.
    #[must_use]
    pub fn contains(&self, minute: u16) -> bool {
        if self.start_minute <= self.end_minute {
            (self.start_minute..=self.end_minute).contains(&minute)
        } else {
            minute >= self.start_minute || minute <= self.end_minute
        }
    }
}

/// Decimal seconds; nothing if negative, not finite or not a number.
pub(super) fn crawl_delay(value: &[u8]) -> Option<Duration> {
    let seconds: f64 = text(value)?.parse().ok()?;
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).map_or(LONGEST, |delay| delay.min(LONGEST)))
}

/// `n/s`, `n/1m`, `n/s hhmm-hhmm`. An unreadable part of the day leaves a rate for the whole day.
pub(super) fn request_rate(value: &[u8]) -> Option<RequestRate> {
    let mut words = text(value)?.split_ascii_whitespace();
    let (requests, interval) = words.next()?.split_once('/')?;
    let (number, unit) = match interval.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => interval.split_at(at),
        None => (interval, "s"),
    };
    let unit_seconds = match unit {
        "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 3_600,
        "d" | "D" => 86_400,
        _ => return None,
    };
    let requests = whole_number(requests)?;
    let seconds = whole_number(number)?.saturating_mul(unit_seconds);
    let window = words.next().and_then(|period| visit_time(period.as_bytes()));
    (requests > 0 && seconds > 0).then_some(RequestRate { requests, seconds, window })
}

/// `hhmm-hhmm`, with a blank in place of the hyphen too.
pub(super) fn visit_time(value: &[u8]) -> Option<VisitTime> {
    let (start, end) = text(value)?.split_once(['-', ' '])?;
    Some(VisitTime { start_minute: minute_of_day(start.trim())?, end_minute: minute_of_day(end.trim())? })
}

fn minute_of_day(time: &str) -> Option<u16> {
    if !(3..=4).contains(&time.len()) {
        return None;
    }
    let number = u16::try_from(whole_number(time)?).ok()?;
    let (hour, minute) = (number / 100, number % 100);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn whole_number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crawl_delay_is_decimal_seconds() {
        assert_eq!(crawl_delay(b"10"), Some(Duration::from_secs(10)));
        assert_eq!(crawl_delay(b"0.5"), Some(Duration::from_millis(500)));
        assert_eq!(crawl_delay(b".5"), Some(Duration::from_millis(500)));
        assert_eq!(crawl_delay(b"0"), Some(Duration::ZERO));
        assert_eq!(crawl_delay(b"1e300"), Some(LONGEST));
        for wrong in ["", "-1", "NaN", "inf", "1e999", "10s", "10 s", "1,5", "x", "\u{662}"] {
            assert_eq!(crawl_delay(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(crawl_delay(b"1\xFF"), None);
    }

    #[test]
    fn a_request_rate_is_requests_over_an_interval() {
        let delay = |value: &str| request_rate(value.as_bytes()).map(|rate| rate.delay());
        assert_eq!(delay("1/10"), Some(Duration::from_secs(10)));
        assert_eq!(delay("1/10s"), Some(Duration::from_secs(10)));
        assert_eq!(delay("30/1m"), Some(Duration::from_secs(2)));
        assert_eq!(delay("3600/1H"), Some(Duration::from_secs(1)));
        assert_eq!(delay("1/1d"), Some(Duration::from_secs(86_400)));
        assert_eq!(delay("1/99999999999999999999d"), Some(LONGEST));
        assert_eq!(delay("3/1"), Some(Duration::from_micros(333_334)));
        for wrong in ["", "1", "0/1", "1/0", "1/", "/1", "-1/5", "1/5x", "1/5ms", "a/b", "1/1/1", "1/é"] {
            assert_eq!(delay(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_rate_may_have_a_part_of_the_day() {
        let rate = request_rate(b"1/10 0900-1730").unwrap();
        assert_eq!(rate.window, Some(VisitTime { start_minute: 540, end_minute: 1_050 }));
        assert_eq!(request_rate(b"1/10 9am").unwrap().window, None);
    }

    #[test]
    fn a_visit_time_may_span_midnight() {
        let night = visit_time(b"2200-0630").unwrap();
        assert!(night.contains(1_320) && night.contains(0) && night.contains(390));
        assert!(!night.contains(391) && !night.contains(1_319));
        let morning = visit_time(b"600 845").unwrap();
        assert!(morning.contains(360) && morning.contains(525) && !morning.contains(526));
        for wrong in ["", "0600", "2400-0100", "0160-0200", "6-8", "06:00-08:00", "0600-"] {
            assert_eq!(visit_time(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
