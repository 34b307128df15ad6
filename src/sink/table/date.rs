//! Dates and moments as text: whether they are ones, and which.
//!
//! A date is `2026-11-22`, a moment is RFC 3339 (`2026-11-22T09:30:00Z`, with a fraction or an offset if need be). Years are
//! those from 1 to 9999, which every database has.

const MS_PER_DAY: i64 = 86_400_000;

/// Days from 1970-01-01 to this date; `None` if the text is no date.
pub(in crate::sink) fn days(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let has_form = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
    if !has_form {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    let is_date = year >= 1 && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
    is_date.then(|| days_of(year, month, day))
}

/// Milliseconds from the epoch to this moment; `None` if the text is no moment.
pub(in crate::sink) fn millis(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() < 20 || !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let days = days(&text[..10])?;
    let (clock, rest) = text[11..].split_at(8);
    let has_form = clock.as_bytes()[2] == b':' && clock.as_bytes()[5] == b':';
    let (hour, minute, second) = (number(&clock[..2])?, number(&clock[3..5])?, number(&clock[6..])?);
    if !has_form || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = fraction(rest)?;
    let of_day = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    Some(days * MS_PER_DAY + of_day - offset(zone)? * 60_000)
}

/// The date that lies so many days after 1970-01-01.
#[cfg(feature = "parquet")]
pub(in crate::sink) fn shown_days(days: i64) -> String {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The moment that lies so many milliseconds after the epoch.
#[cfg(feature = "parquet")]
pub(in crate::sink) fn shown_millis(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", shown_days(days))
}

/// Milliseconds of `.123`, which need not be there, and what is behind it.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(behind) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = behind.find(|letter: char| !letter.is_ascii_digit())?;
    let (digits, rest) = behind.split_at(end);
    let ms = number(&format!("{digits:0<3}")[..3]).filter(|_| !digits.is_empty())?;
    Some((ms, rest))
}

/// Minutes that a zone is ahead of UTC. The widest in use is 14 hours.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let is_two = |text: &str| text.len() == 2;
    let (hours, minutes) =
        (number(hours).filter(|_| is_two(hours))?, number(minutes).filter(|_| is_two(minutes))?);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// A number of digits only: no sign, no blank.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counted in years that begin on the first of March, so that the odd day is the last of its year.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let whole_years = 365 * year + year / 4 - year / 100 + year / 400;
    whole_years + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn every_moment_that_is_printed_is_read() {
        for ms in [0, 1, 951_782_400_000, 1_709_164_800_123, 4_102_444_799_999] {
            let text = Timestamp::from_millis(ms).to_string();
            assert_eq!(millis(&text), Some(i64::try_from(ms).unwrap()), "{text}");
            assert_eq!(days(&text[..10]), Some(i64::try_from(ms).unwrap() / MS_PER_DAY));
        }
        assert_eq!(days("1969-12-31"), Some(-1));
        assert_eq!(days("1832-11-08"), Some(-50_092));
        assert_eq!(millis("1970-01-01T01:30:00.5+01:30"), Some(500));
        assert_eq!(millis("1969-12-31 23:00:00-01:00"), Some(0));
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn every_moment_that_was_read_is_shown_as_it_was() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "1832-11-08T23:59:59.999Z",
            "2024-02-29T12:30:00.001Z",
            "0001-01-01T00:00:00.000Z",
        ] {
            assert_eq!(shown_millis(millis(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-02-29",
            "0000-01-01",
            "2026-13-01",
            "2026-1-01",
            "2026-00-10",
            "+026-01-01",
            "２026-01-0",
        ] {
            assert_eq!(days(text), None, "{text}");
        }
        for text in [
            "2026-01-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+15:00",
            "2026-01-01T00:00:00+1:0",
            "2026-01-01T00:00:00.5",
            "2026-01-01T0:000:00Z",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
