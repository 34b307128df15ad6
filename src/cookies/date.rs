//! The date of an `Expires` attribute (RFC 6265 5.1.1), which is read by other rules than the dates of HTTP: whatever stands
//! between its parts, the first thing that looks like a time is the time, then day, month and year are looked for.

use crate::headers::date::{MONTHS, moment};
use crate::time::Timestamp;

/// Reads the date of a cookie; `None` if it is none, so that the attribute is as good as absent. A moment before 1970 comes out as
/// the first of 1970: it is over in any case.
///
/// ```
/// use crawl::cookies::date::parse;
/// use crawl::time::Timestamp;
///
/// assert_eq!(parse("WillyWonka , 18-Apr-07 22:50:12"), Some(Timestamp::from_secs(1_176_936_612)));
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let mut parts = Parts::default();
    text.split(is_delimiter).filter(|word| !word.is_empty()).for_each(|word| parts.take(word));
    parts.moment()
}

fn is_delimiter(letter: char) -> bool {
    matches!(letter, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

/// What was found so far; the first of each kind counts.
#[derive(Default)]
struct Parts {
    seconds: Option<[u64; 3]>,
    day: Option<u64>,
    month: Option<u64>,
    year: Option<u64>,
}

impl Parts {
    fn take(&mut self, word: &str) {
        if self.seconds.is_none()
            && let Some(found) = time_of_day(word)
        {
            self.seconds = Some(found);
        } else if self.day.is_none()
            && let Some(found) = number(word, 1..=2)
        {
            self.day = Some(found);
        } else if self.month.is_none()
            && let Some(found) = month(word)
        {
            self.month = Some(found);
        } else if self.year.is_none() {
            self.year = number(word, 2..=4);
        }
    }

    fn moment(self) -> Option<Timestamp> {
        let ([hour, minute, second], day, month) = (self.seconds?, self.day?, self.month?);
        let year = match self.year? {
            year @ 70..=99 => 1900 + year,
            year @ 0..=69 => 2000 + year,
            year => year,
        };
        let in_range = (1..=31).contains(&day) && year >= 1601 && hour <= 23 && minute <= 59 && second <= 59;
        // The calendar repeats itself every 400 years: a date before 1970 must exist as well.
        let era = if year < 1970 { year + 400 } else { year };
        let date = moment(era, month, day, hour * 3600 + minute * 60 + second, 0).filter(|_| in_range)?;
        Some(if year < 1970 { Timestamp::ZERO } else { date })
    }
}

/// Digits at the beginning of a word, and not one more of them behind.
fn number(word: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let count = word.bytes().take_while(u8::is_ascii_digit).count();
    if digits.contains(&count) { word[..count].parse().ok() } else { None }
}

/// Hour, minute and second of `8:49:37`; what follows the seconds does not matter.
fn time_of_day(word: &str) -> Option<[u64; 3]> {
    let mut fields = word.splitn(3, ':');
    let mut whole = || fields.next().filter(|field| field.bytes().all(|byte| byte.is_ascii_digit()));
    let (hour, minute) = (number(whole()?, 1..=2)?, number(whole()?, 1..=2)?);
    Some([hour, minute, number(fields.next()?, 1..=2)?])
}

fn month(word: &str) -> Option<u64> {
    let start = word.get(..3)?;
    let index = MONTHS.iter().position(|name| start.eq_ignore_ascii_case(&name[..3]))?;
    Some(index as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_wherever_they_stand() {
        let day = Some(Timestamp::from_secs(1_197_306_144));
        for text in
            ["Mon, 10-Dec-2007 17:02:24 GMT", "17:02:24 10 december 07", "x;10/Dec/2007@17:02:24abc (EST)"]
        {
            assert_eq!(parse(text), day, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_absent() {
        for text in [
            "",
            "tomorrow",
            "31 Feb 2026 10:00:00",
            "1 Jan 1600 10:00:00",
            "1 Jan 150 10:00:00",
            "1 Jan 2026 24:00:00",
            "1 Jan 2026",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("29 Feb 1960 10:00:00"), Some(Timestamp::ZERO));
    }
}
