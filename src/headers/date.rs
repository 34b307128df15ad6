//! HTTP dates as servers really send them (RFC 9110 5.6.7, read leniently), and those of ISO 8601.
//!
//! All three forms are read: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and
//! `Sun Nov  6 08:49:37 1994`. Because an unreadable `Retry-After` would mean *no* wait, whatever is unambiguous is accepted:
//! a weekday that is wrong, misspelt or missing, any letter case, one-digit days, extra spaces, full month names, `UTC`, `Z`
//! or a numeric offset in place of `GMT`, no zone at all (read as UTC), and a leap second. What cannot be a date (31 February,
//! hour 25, anything before 1970) is refused, never guessed.
//!
//! Pure: `now` is a parameter and only decides the century of two-digit years.

use std::time::Duration;

use crate::time::Timestamp;

/// How far in the future a two-digit year may lie before it means the past (RFC 9110 5.6.7): 50 years of 365.25 days.
const FIFTY_YEARS: Duration = Duration::from_secs(50 * 31_557_600);

/// The months by their English names; three letters of one are its short name.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Reads an HTTP date in any of its forms; `None` if the text is not one.
///
/// ```
/// use crawl::headers::date::parse;
/// use crawl::time::Timestamp;
///
/// // It is a Monday, and still it must be read.
/// let date = parse("Thu, 16 Nov 2026 10:00:00 GMT", Timestamp::ZERO);
/// assert_eq!(date, Some(Timestamp::from_secs(1_794_823_200)));
/// ```
#[must_use]
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let mut parts = Parts::default();
    let words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        parts.take(word, index)?;
    }
    parts.into_timestamp(now)
}

/// Reads a date and time of day in the form of ISO 8601 and RFC 3339: `2026-11-16T10:00:00.5+02:00`; `None` if the text is not
/// one. A space may stand in place of the `T`, seconds may be missing, no zone is UTC, and fractions round up to a millisecond.
///
/// ```
/// use crawl::headers::date::iso_8601;
/// use crawl::time::Timestamp;
///
/// assert_eq!(iso_8601("2026-11-16T10:00:00Z"), Some(Timestamp::from_secs(1_794_823_200)));
/// ```
#[must_use]
pub fn iso_8601(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let (year, rest) = date.split_once('-').filter(|(year, _)| year.len() == 4)?;
    let (month, day) = rest.split_once('-')?;
    let month = digits(month).filter(|month| (1..=12).contains(month))?;
    let is_zone = |c: char| !matches!(c, '0'..='9' | ':' | '.');
    let (clock, zone_name) = time.split_at(time.find(is_zone).unwrap_or(time.len()));
    let offset = if zone_name.is_empty() { 0 } else { zone(zone_name.trim())? };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let second = moment(digits(year)?, month, digits(day)?, time_of_day(clock)?, offset)?;
    Some(second + Duration::from_millis(thousandths(fraction)?))
}

/// Thousandths of the digits behind a decimal point, rounded up: 1000 of `9999`. None of them is 0.
pub(super) fn thousandths(fraction: &str) -> Option<u64> {
    let is_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let (kept, rest) = fraction.split_at_checked(3).unwrap_or((fraction, ""));
    let round_up = u64::from(rest.bytes().any(|digit| digit != b'0'));
    is_digits.then(|| format!("{kept:0<3}").parse().ok()).flatten().map(|kept: u64| kept + round_up)
}

/// What the words of a date have told so far. Each part may come once.
#[derive(Default)]
struct Parts {
    day: Option<u64>,
    month: Option<u64>,
    year: Option<Year>,
    seconds: Option<u64>,
    offset: Option<i64>,
}

#[derive(Clone, Copy)]
enum Year {
    Full(u64),
    TwoDigits(u64),
}

impl Parts {
    /// Files one word where it belongs; `None` if it belongs nowhere.
    fn take(&mut self, word: &str, index: usize) -> Option<()> {
        if let Some(offset) = zone(word) {
            set(&mut self.offset, offset)
        } else if word.contains(':') {
            set(&mut self.seconds, time_of_day(word)?)
        } else if let Some(month) = month(word) {
            set(&mut self.month, month)
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
            self.take_number(word)
        } else if word.contains('-') {
            word.split('-').try_for_each(|piece| self.take_of_hyphened(piece))
        } else {
            // The weekday says nothing that the date does not say, so its spelling is not checked.
            let is_weekday = index == 0 && word.chars().all(|c| c.is_alphabetic() || c == '.');
            is_weekday.then_some(())
        }
    }

    /// One piece of `06-Nov-94`.
    fn take_of_hyphened(&mut self, piece: &str) -> Option<()> {
        match month(piece) {
            Some(month) => set(&mut self.month, month),
            None => self.take_number(piece),
        }
    }

    /// The day comes before the year in all three forms.
    fn take_number(&mut self, word: &str) -> Option<()> {
        let number = digits(word)?;
        match (word.len(), self.day) {
            (1 | 2, None) => set(&mut self.day, number),
            (2, Some(_)) => set(&mut self.year, Year::TwoDigits(number)),
            (4, _) => set(&mut self.year, Year::Full(number)),
            _ => None,
        }
    }

    fn into_timestamp(self, now: Timestamp) -> Option<Timestamp> {
        let (day, month, seconds) = (self.day?, self.month?, self.seconds?);
        let at = |year| moment(year, month, day, seconds, self.offset.unwrap_or(0));
        match self.year? {
            Year::Full(year) => at(year),
            Year::TwoDigits(year) => (19..=99)
                .rev()
                .filter_map(|century| at(century * 100 + year))
                .find(|date| *date <= now + FIFTY_YEARS),
        }
    }
}

/// Fills a part that is still empty; a part that comes twice makes the date unreadable.
fn set<T>(part: &mut Option<T>, value: T) -> Option<()> {
    part.replace(value).is_none().then_some(())
}

/// A short run of decimal digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Number of a month from its English name or an abbreviation of at least three letters.
fn month(word: &str) -> Option<u64> {
    let is_prefix = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let index = MONTHS.iter().position(|name| word.len() >= 3 && is_prefix(name))?;
    Some(index as u64 + 1)
}

/// Seconds since midnight of `08:49:37` or `08:49`. Second 60 is the leap second and counts as the next minute's first.
fn time_of_day(word: &str) -> Option<u64> {
    let mut fields = word.split(':');
    let (hour, minute) = (digits(fields.next()?)?, digits(fields.next()?)?);
    let second = fields.next().map_or(Some(0), digits)?;
    let in_range = hour < 24 && minute < 60 && second <= 60 && fields.next().is_none();
    in_range.then_some(hour * 3600 + minute * 60 + second)
}

/// Seconds east of UTC of `GMT`, `+0200` or `-05:00`.
fn zone(word: &str) -> Option<i64> {
    if ["gmt", "utc", "ut", "z"].iter().any(|name| word.eq_ignore_ascii_case(name)) {
        return Some(0);
    }
    let (sign, rest) = match word.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').or_else(|| rest.split_at_checked(2))?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let in_range = hours < 24 && minutes < 60;
    in_range.then_some(sign * (hours * 3600 + minutes * 60) as i64)
}

/// The moment of a date on the Gregorian calendar; `None` if there is no such day or it lies before 1970.
pub(crate) fn moment(year: u64, month: u64, day: u64, seconds: u64, offset: i64) -> Option<Timestamp> {
    if year < 1970 || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let local = days_since_epoch(year, month, day) * 86_400 + seconds;
    Some(Timestamp::from_secs(local.checked_add_signed(-offset)?))
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01. The year 1970 or later, the month 1 to 12.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let leap_days_before = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let years = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let months: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-21T23:52:00Z.
    const NOW: Timestamp = Timestamp::from_secs(1_795_305_120);
    const NOV_6_1994: Option<Timestamp> = Some(Timestamp::from_secs(784_111_777));
    const NOV_16_2026: Option<Timestamp> = Some(Timestamp::from_secs(1_794_823_200));

    #[test]
    fn all_three_forms_mean_the_same_moment() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse(text, NOW), NOV_6_1994, "{text}");
        }
    }

    #[test]
    fn a_weekday_that_is_wrong_missing_or_foreign_does_no_harm() {
        for text in [
            "Thu, 16 Nov 2026 10:00:00 GMT",
            "16 Nov 2026 10:00:00 GMT",
            "Mo., 16 Nov 2026 10:00:00 GMT",
            "Thu 16 Nov 2026 10:00:00 GMT",
            "Tuesday, 16-Nov-26 10:00:00 GMT",
        ] {
            assert_eq!(parse(text, NOW), NOV_16_2026, "{text}");
        }
    }

    #[test]
    fn spelling_is_forgiven_where_only_one_reading_is_possible() {
        for text in [
            "mon, 16 nov 2026 10:00:00 gmt",
            "MON, 16 NOV 2026 10:00:00 GMT",
            "  Mon,\t16  November   2026 10:00:00   UTC ",
            "Mon,16 Nov 2026 10:00:00 Z",
            "Mon, 16-Nov-2026 10:00 GMT",
            "Mon, 16 Nov 2026 10:00:00",
            "Nov 16 10:00:00 GMT 2026",
        ] {
            assert_eq!(parse(text, NOW), NOV_16_2026, "{text}");
        }
        assert_eq!(parse("Sun, 6 Nov 1994 8:49:37 GMT", NOW), NOV_6_1994, "one digit");
    }

    #[test]
    fn a_numeric_zone_is_counted() {
        for text in [
            "Mon, 16 Nov 2026 10:00:00 +0000",
            "Mon, 16 Nov 2026 12:00:00 +0200",
            "Mon, 16 Nov 2026 05:00:00 -05:00",
            "Mon, 16 Nov 2026 15:30:00 +0530",
        ] {
            assert_eq!(parse(text, NOW), NOV_16_2026, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_first_of_the_next_minute() {
        let leap = parse("Sat, 31 Dec 2016 23:59:60 GMT", NOW);
        assert_eq!(leap, parse("Sun, 01 Jan 2017 00:00:00 GMT", NOW));
        assert!(leap.is_some());
    }

    #[test]
    fn a_two_digit_year_more_than_fifty_years_ahead_means_the_past() {
        let year = |text| parse(text, NOW).map(|date| date.to_string()[..4].to_owned());
        assert_eq!(year("Friday, 20-Nov-76 00:00:00 GMT").as_deref(), Some("2076"));
        assert_eq!(year("Friday, 20-Nov-77 00:00:00 GMT").as_deref(), Some("1977"));
        let in_2090 = Timestamp::from_secs(3_800_000_000);
        let date = parse("Monday, 05-Jan-05 00:00:00 GMT", in_2090).unwrap();
        assert_eq!(&date.to_string()[..4], "2105");
    }

    #[test]
    fn what_cannot_be_a_date_is_refused() {
        for text in [
            "",
            "soon",
            "120",
            "Sun, 31 Feb 2026 00:00:00 GMT",
            "Sun, 29 Feb 2025 00:00:00 GMT",
            "Sun, 00 Feb 2026 00:00:00 GMT",
            "Sun, 06 Nov 2026 25:00:00 GMT",
            "Sun, 06 Nov 2026 10:60:00 GMT",
            "Sun, 06 Nov 2026 10:00:61 GMT",
            "Sun, 06 Nov 2026 10:00:00:00 GMT",
            "Sun, 06 Nov 2026 10:00:00 GMT GMT",
            "Sun, 06 Nov 2026 10:00:00 +2500",
            "Sun, 06 Nov 2026 10:00:00 LOCAL",
            "Sun, 06 Nov 1969 10:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 +0100",
            "Sun, 06 Nov 20261 10:00:00 GMT",
            "Sun, 06 Nov 2026 +1:00:00 GMT",
            "Sun, 06 Now 2026 10:00:00 GMT",
            "--",
            "²",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn a_date_of_iso_8601_is_read_in_every_usual_spelling() {
        for text in [
            "2026-11-16T10:00:00Z",
            " 2026-11-16t10:00:00z ",
            "2026-11-16T10:00:00.000Z",
            "2026-11-16T10:00Z",
            "2026-11-16T10:00:00",
            "2026-11-16 10:00:00 UTC",
            "2026-11-16T12:00:00+02:00",
            "2026-11-16T05:00:00-0500",
        ] {
            assert_eq!(iso_8601(text), NOV_16_2026, "{text}");
        }
        let half_a_second = iso_8601("2026-11-16T10:00:00.4991Z");
        assert_eq!(half_a_second, NOV_16_2026.map(|date| date + Duration::from_millis(500)), "rounded up");
    }

    #[test]
    fn what_cannot_be_a_date_of_iso_8601_is_refused() {
        for text in [
            "",
            "T",
            "2026-11-16",
            "10:00:00Z",
            "26-11-16T10:00:00Z",
            "2026-13-16T10:00:00Z",
            "2026-00-16T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-11-16T24:00:00Z",
            "2026-11-16T10:00:00.Z5",
            "2026-11-16T10:00:00.5.5Z",
            "2026-11-16T10:00:00X",
            "-2026-11-16T10:00:00Z",
            "1969-12-31T23:59:59Z",
            "²026-11-16T10:00:00Z",
        ] {
            assert_eq!(iso_8601(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}", now: u64) {
            let _ = parse(&text, Timestamp::from_millis(now));
            let _ = iso_8601(&text);
        }

        #[test]
        fn what_a_timestamp_prints_is_read_back(millis in 0_u64..253_402_300_800_000) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(iso_8601(&at.to_string()), Some(at));
        }

        #[test]
        fn no_near_date_of_iso_8601_makes_it_panic(text in "[0-9]{1,5}-[0-9]{1,3}-[0-9]{0,3}[Tt ][0-9:.]{0,12}[ +-]?[A-Z0-9:]{0,6}") {
            let _ = iso_8601(&text);
        }

        #[test]
        fn no_near_date_makes_it_panic(text in "[a-zA-Z]{0,4}[, -]{1,2}[0-9:+-]{0,5}[ -][JFMASONDa-z]{3}[ -][0-9]{1,5} [0-9:]{0,9} [+-]?[A-Z0-9:]{0,6}") {
            let _ = parse(&text, NOW);
        }

        #[test]
        fn every_second_is_read_back(secs in 0_u64..253_402_300_800) {
            let at = Timestamp::from_secs(secs);
            let text = at.to_string();
            let month = MONTHS[text[5..7].parse::<usize>().unwrap() - 1];
            let date = format!("Mon, {} {} {} {} GMT", &text[8..10], &month[..3], &text[..4], &text[11..19]);
            prop_assert_eq!(parse(&date, NOW), Some(at));
        }
    }
}
