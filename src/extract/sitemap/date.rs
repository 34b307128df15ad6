//! W3C dates (the profile of ISO 8601 that sitemaps.org demands), read as they are met.
//!
//! `2026`, `2026-11`, `2026-11-22`, and behind a day a time with or without seconds, a fraction and a zone. What is missing
//! is its beginning. A space may stand for the `T`, single digits for two, and no zone means UTC. What cannot be a date is
//! refused, never guessed; nothing lies before 1970. A date that says less means a span of time, of which both ends can be had.

use crate::time::Timestamp;

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// Reads a W3C date; `None` if the text is not one.
///
/// ```
/// use crawl::extract::sitemap::w3c_date;
///
/// let date = w3c_date("2026-11-22T10:15:30.5+01:00").unwrap();
/// assert_eq!(date.to_string(), "2026-11-22T09:15:30.500Z");
/// assert_eq!(w3c_date("2026-02-30"), None);
/// ```
#[must_use]
pub fn w3c_date(text: &str) -> Option<Timestamp> {
    span(text).map(|(first, _)| first)
}

/// The first and the last moment that a W3C date may mean.
pub(super) fn span(text: &str) -> Option<(Timestamp, Timestamp)> {
    let text = text.trim();
    let (day, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let (days, count) = days(day)?;
    let (millis, length) = if time.is_empty() { (0, count * DAY) } else { time_of_day(time)? };
    let first = days.checked_mul(DAY)?.checked_add_signed(millis)?;
    Some((Timestamp::from_millis(first), Timestamp::from_millis(first.saturating_add(length - 1))))
}

/// Days from 1970 to `2026`, `2026-11` or `2026-11-22`, and how many it lasts.
fn days(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4).filter(|year| *year >= 1970)?;
    let said = [parts.next(), parts.next()];
    let rest = |part: Option<&str>| part.map_or(Some(1), |part| number(part, 2));
    let (month, day) = (rest(said[0])?, rest(said[1])?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let lasts = match said {
        [None, _] => 337 + days_in_month(year, 2),
        [_, None] => days_in_month(year, month),
        _ => 1,
    };
    Some((years + (1..month).map(|month| days_in_month(year, month)).sum::<u64>() + day - 1, lasts))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Milliseconds from midnight UTC to `09:15`, `09:15:30.5Z` or `10:15+01:00`, negative if that is the day before, and how many it
/// lasts.
fn time_of_day(text: &str) -> Option<(i64, u64)> {
    let end = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = (text[..end].trim_end(), &text[end..]);
    let (clock, fraction) =
        clock.split_once(['.', ',']).map_or((clock, None), |(clock, part)| (clock, Some(part)));
    let lasts = match (fraction, clock.matches(':').count()) {
        (Some(digits), _) => [1_000, 100, 10].get(digits.len()).copied().unwrap_or(1),
        (None, 1) => 60_000,
        (None, _) => 1_000,
    };
    let mut parts = clock.split(':').map(|part| number(part, 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let in_range = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    let seconds = (hour * 3_600 + minute * 60 + second) as i64;
    let millis = (seconds - offset(zone)?) * 1_000 + thousandths(fraction.unwrap_or("0"))?;
    in_range.then_some((millis, lasts))
}

/// The first three digits behind the point.
fn thousandths(digits: &str) -> Option<i64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let mut padded = digits.bytes().chain(std::iter::repeat(b'0'));
    all_digits.then(|| (0..3).fold(0, |sum, _| sum * 10 + i64::from(padded.next().unwrap_or(b'0') - b'0')))
}

/// Seconds east of UTC of `Z`, `+01:00`, `-0530` or `+01`; of nothing, 0.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.bytes().next() {
        None | Some(b'Z' | b'z') => return (zone.len() < 2).then_some(0),
        Some(b'-') => -1,
        Some(_) => 1,
    };
    let rest = &zone[1..];
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some(parts), _) => parts,
        (None, 4) => rest.split_at_checked(2)?,
        (None, _) => (rest, "0"),
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60) as i64)
}

/// A run of 1 to `most` decimal digits; of exactly four where four are asked for.
fn number(text: &str, most: usize) -> Option<u64> {
    let fits = if most == 4 { text.len() == 4 } else { (1..=most).contains(&text.len()) };
    (fits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        w3c_date(text).map(|date| date.to_string())
    }

    #[test]
    fn what_a_date_does_not_say_is_its_beginning() {
        for (text, date) in [
            ("2026", "2026-01-01T00:00:00.000Z"),
            ("2026-11", "2026-11-01T00:00:00.000Z"),
            ("2026-11-22", "2026-11-22T00:00:00.000Z"),
            ("2026-11-22T09:15Z", "2026-11-22T09:15:00.000Z"),
            ("2004-02-29T23:59:59.123456+00:00", "2004-02-29T23:59:59.123Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(date), "{text}");
        }
    }

    #[test]
    fn a_date_lasts_as_long_as_what_it_does_not_say() {
        for (text, last) in [
            ("2026", "2026-12-31T23:59:59.999Z"),
            ("2024-02", "2024-02-29T23:59:59.999Z"),
            ("2026-11-22", "2026-11-22T23:59:59.999Z"),
            ("2026-11-22T10:15+01:00", "2026-11-22T09:15:59.999Z"),
            ("2026-11-22T09:15:30Z", "2026-11-22T09:15:30.999Z"),
            ("2026-11-22T09:15:30.5Z", "2026-11-22T09:15:30.599Z"),
            ("2026-11-22T09:15:30.1234Z", "2026-11-22T09:15:30.123Z"),
        ] {
            assert_eq!(span(text).unwrap().1.to_string(), last, "{text}");
        }
    }

    #[test]
    fn zones_are_counted_back_over_midnight() {
        assert_eq!(read("2026-01-01T00:30+01:00").as_deref(), Some("2025-12-31T23:30:00.000Z"));
        assert_eq!(read("2026-12-31T23:30-0530").as_deref(), Some("2027-01-01T05:00:00.000Z"));
        assert_eq!(read("2026-01-01T00:30+01").as_deref(), Some("2025-12-31T23:30:00.000Z"));
    }

    #[test]
    fn what_is_met_in_the_wild_is_read() {
        for text in [
            "2026-1-2",
            " 2026-01-02 ",
            "2026-01-02 00:00:00",
            "2026-01-02t00:00:00z",
            "2026-01-02 00:00:00 +0000",
        ] {
            assert_eq!(read(text).as_deref(), Some("2026-01-02T00:00:00.000Z"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_date_is_none() {
        for text in [
            "",
            "yesterday",
            "26-01-02",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-01-00",
            "2026-01-02T25:00",
            "1969-12-31",
            "2026-01-02T",
            "2026-01-02T10",
            "2026-01-02-03",
            "1970-01-01T00:00+01:00",
            "2026-01-02T10:00ZZ",
            "2026-01-02T10:00+1:0:0",
        ] {
            let expected = (text == "2026-01-02T").then_some("2026-01-02T00:00:00.000Z");
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9TtZz:+. ,-]{0,40}|\\PC{0,30}") {
            if let Some((first, last)) = span(&text) {
                prop_assert!(first <= last);
            }
        }
    }
}
