//! Days and moments as people write them.

use std::sync::LazyLock;

use chrono::format::{Item, Parsed, StrftimeItems};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, SecondsFormat, TimeZone, Utc};
use regex::{Captures, Regex};

use super::{ConvertError, Wanted};
use crate::headers::date::MONTHS;

static YEAR_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^0-9])([0-9]{4})([-/.])([0-9]{1,2})([-/.])([0-9]{1,2})(?:[^0-9]|$)")
        .expect("a fixed expression compiles")
});

static TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[^0-9:])([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9})[0-9]*)?)?(?:\s?([AaPp])\.?[Mm]\b\.?)?(?:\s?(Z|UTC|GMT)\b|\s?([+\-−])([0-9]{2}):?([0-9]{2})\b)?",
    )
    .expect("a fixed expression compiles")
});

/// How dates are written, as a pattern of `%d`, `%m`, `%Y` and so on.
///
/// The letters are those of `strptime`; the page of the crate `chrono` about `strftime` lists them all. `%s` are seconds since
/// 1970. Names of months and days are English.
#[derive(Debug, Clone)]
pub struct DateFormat {
    text: String,
    items: Vec<Item<'static>>,
}

impl DateFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it has an unknown letter behind a `%`, or no `%` at all.
    ///
    /// ```
    /// use crawl::extract::convert::{DateFormat, date};
    /// let german = DateFormat::parse("%d.%m.%Y")?;
    /// assert_eq!(date("08.11.1832", Some(&german))?, "1832-11-08");
    /// assert!(DateFormat::parse("dd.mm.yyyy").is_err());
    /// # Ok::<(), crawl::extract::convert::ConvertError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ConvertError> {
        let fault = |reason: &str| ConvertError::new(Wanted::Format, text, reason);
        if !text.contains('%') {
            return Err(fault("write it with %d, %m, %Y, %H, %M, %S, as in \"%d/%m/%Y\""));
        }
        let items = StrftimeItems::new(text)
            .parse_to_owned()
            .map_err(|_| fault("a letter behind % has no meaning; write it as in \"%d/%m/%Y %H:%M\""))?;
        Ok(Self { text: text.to_owned(), items })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn read(&self, wanted: Wanted, text: &str) -> Result<Parsed, ConvertError> {
        let mut parsed = Parsed::new();
        chrono::format::parse(&mut parsed, text.trim(), self.items.iter())
            .map_err(|error| self.fault(wanted, text, &error.to_string()))?;
        Ok(parsed)
    }

    fn fault(&self, wanted: Wanted, text: &str, reason: &str) -> ConvertError {
        ConvertError::new(wanted, text, format!("it is not written as \"{}\" ({reason})", self.text))
    }
}

/// Reads a day and gives it as ISO 8601 text, `1832-11-08`.
///
/// With a `format` the whole text must be written so. Without one the first of these in the text counts: year, month and day in
/// figures with the year in front (`1832-11-08`, also the beginning of a RFC 3339 moment), or an English month's name with day and
/// four-digit year around it (`November 08, 1832`, `8 Nov 1832`, `8th of November 1832`, RFC 2822). Figures with the year at the
/// end (`03/04/2024`) mean different days in different countries and need a format.
///
/// # Errors
/// If no day can be read, or there is none such in the calendar.
pub fn date(text: &str, format: Option<&DateFormat>) -> Result<String, ConvertError> {
    let day = match format {
        Some(format) => {
            let parsed = format.read(Wanted::Date, text)?;
            let day = parsed.to_naive_date().or_else(|_| {
                let moment = parsed.to_datetime_with_timezone(&Utc)?;
                Ok(moment.date_naive())
            });
            day.map_err(|error: chrono::ParseError| format.fault(Wanted::Date, text, &error.to_string()))?
        }
        None => first_day(text).ok_or_else(|| no_day(Wanted::Date, text))?,
    };
    in_range(day).then(|| day.format("%Y-%m-%d").to_string()).ok_or_else(|| no_day(Wanted::Date, text))
}

/// Reads a day with a time of day and gives it as RFC 3339 text, `1994-11-06T08:49:37Z`, with the offset that was written.
///
/// Without a `format` the day is read as [`date`] does, and the time where the first `hours:minutes` stand, with seconds, `am` or
/// `pm` and an offset if they follow; RFC 3339 and RFC 2822 are such. A time without an offset counts as UTC.
///
/// # Errors
/// If no day or no time of day can be read.
pub fn datetime(text: &str, format: Option<&DateFormat>) -> Result<String, ConvertError> {
    let moment = match format {
        Some(format) => formatted(text, format)?,
        None => free(text)?,
    };
    let is_short = in_range(moment.date_naive());
    is_short
        .then(|| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        .ok_or_else(|| no_day(Wanted::DateTime, text))
}

fn formatted(text: &str, format: &DateFormat) -> Result<DateTime<FixedOffset>, ConvertError> {
    let parsed = format.read(Wanted::DateTime, text)?;
    let moment = match (parsed.offset(), parsed.timestamp()) {
        (Some(_), _) => parsed.to_datetime(),
        (None, Some(_)) => parsed.to_datetime_with_timezone(&Utc).map(|moment| moment.fixed_offset()),
        (None, None) => parsed.to_naive_datetime_with_offset(0).map(|moment| moment.and_utc().fixed_offset()),
    };
    moment.map_err(|error| format.fault(Wanted::DateTime, text, &error.to_string()))
}

fn free(text: &str) -> Result<DateTime<FixedOffset>, ConvertError> {
    let exact =
        DateTime::parse_from_rfc3339(text.trim()).or_else(|_| DateTime::parse_from_rfc2822(text.trim()));
    if let Ok(moment) = exact {
        return Ok(moment);
    }
    let day = first_day(text).ok_or_else(|| no_day(Wanted::DateTime, text))?;
    let fault = |reason: &str| ConvertError::new(Wanted::DateTime, text, reason);
    let found = TIME.captures(text).ok_or_else(|| fault("it has no time of day; read it as a date"))?;
    let time = time_of_day(&found).ok_or_else(|| fault("there is no such time of day"))?;
    let offset = offset(&found).ok_or_else(|| fault("there is no such offset from UTC"))?;
    offset.from_local_datetime(&day.and_time(time)).single().ok_or_else(|| fault("there is no such moment"))
}

fn time_of_day(found: &Captures<'_>) -> Option<NaiveTime> {
    let number =
        |group: usize| found.get(group).map_or(Some(0), |digits| digits.as_str().parse::<u32>().ok());
    let half = found.get(5).map(|letter| letter.as_str().to_ascii_lowercase());
    let hour = match (half.as_deref(), number(1)?) {
        (None, hour) => hour,
        (Some("a"), 12) => 0,
        (Some("p"), 12) => 12,
        (Some("a"), hour @ 1..12) => hour,
        (Some("p"), hour @ 1..12) => hour + 12,
        _ => return None,
    };
    let fraction = found.get(4).map_or("", |digits| digits.as_str());
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    NaiveTime::from_hms_nano_opt(hour, number(2)?, number(3)?, nanos)
}

fn offset(found: &Captures<'_>) -> Option<FixedOffset> {
    let Some(sign) = found.get(7) else {
        return FixedOffset::east_opt(0);
    };
    let (hours, minutes): (i32, i32) = (found[8].parse().ok()?, found[9].parse().ok()?);
    let seconds = (hours * 60 + minutes) * 60;
    if minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(if sign.as_str() == "+" { seconds } else { -seconds })
}

fn no_day(wanted: Wanted, text: &str) -> ConvertError {
    let reason = "no day is written as 1832-11-08 or November 8, 1832; say how it is written with a format such as \"%d/%m/%Y\"";
    ConvertError::new(wanted, text, reason)
}

/// Years that ISO 8601 writes with four figures.
fn in_range(day: NaiveDate) -> bool {
    (0..=9999).contains(&day.year())
}

fn first_day(text: &str) -> Option<NaiveDate> {
    in_figures(text).or_else(|| with_month_name(text))
}

fn in_figures(text: &str) -> Option<NaiveDate> {
    let found = YEAR_FIRST.captures(text).filter(|found| found[2] == found[4])?;
    NaiveDate::from_ymd_opt(found[1].parse().ok()?, found[3].parse().ok()?, found[5].parse().ok()?)
}

fn with_month_name(text: &str) -> Option<NaiveDate> {
    let is_word = |word: &&str| {
        !word.is_empty() && !word.eq_ignore_ascii_case("of") && !word.eq_ignore_ascii_case("the")
    };
    let mut words = [""; 4];
    let found = text.split(|c: char| !c.is_alphanumeric()).filter(is_word);
    let ends = std::iter::repeat_n("", 3);
    found.chain(ends).find_map(|word| {
        words.rotate_left(1);
        words[3] = word;
        let [before, name, next, over] = words;
        let month = month(name)?;
        let day_first = day(before).zip(year(next));
        let (day, year) = day_first.or_else(|| day(next).zip(year(over)))?;
        NaiveDate::from_ymd_opt(year, month, day)
    })
}

/// A month by its English name, whole or cut to three letters.
fn month(word: &str) -> Option<u32> {
    let word = if word.eq_ignore_ascii_case("sept") { "sep" } else { word };
    let is = |name: &str| word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(&name[..3]);
    (1..).zip(MONTHS).find(|(_, name)| is(name)).map(|(number, _)| number)
}

/// `8`, `08` or `8th`.
fn day(word: &str) -> Option<u32> {
    let figures = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    let is_short = (1..=2).contains(&figures.len()) && figures.bytes().all(|byte| byte.is_ascii_digit());
    is_short.then(|| figures.parse().ok()).flatten()
}

fn year(word: &str) -> Option<i32> {
    let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    is_year.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> DateFormat {
        DateFormat::parse(text).unwrap()
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        for text in [
            "1832-11-08",
            "1832/11/8",
            "1832.11.08",
            "1832-11-08T23:59:00-11:00",
            "November 08, 1832",
            "Nov 8 1832",
            "8 Nov 1832",
            "8. November 1832",
            "the 8th of November, 1832",
            "Born on November 8, 1832 in Paris, January 1",
            "Thu, 08 Nov 1832 07:00:00 GMT",
            "March and November 08, 1832",
        ] {
            assert_eq!(date(text, None).as_deref(), Ok("1832-11-08"), "{text}");
        }
        assert_eq!(date("1 Sept 2024", None).as_deref(), Ok("2024-09-01"));
    }

    #[test]
    fn figures_that_mean_two_days_need_a_format() {
        let error = date("03/04/2024", None).unwrap_err().to_string();
        assert!(error.contains("%d/%m/%Y"), "{error}");
        assert_eq!(date("03/04/2024", Some(&format("%d/%m/%Y"))).as_deref(), Ok("2024-04-03"));
        assert_eq!(date(" 03/04/2024 ", Some(&format("%m/%d/%Y"))).as_deref(), Ok("2024-03-04"));
    }

    #[test]
    fn days_that_no_calendar_has_are_errors() {
        for text in
            ["2023-02-29", "February 30, 2024", "31 June 2020", "may be 5 of 2020 people", "2024-13-01", ""]
        {
            assert!(date(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_keep_the_offset_that_was_written() {
        for (text, moment) in [
            ("2024-05-03T10:00:00+02:00", "2024-05-03T10:00:00+02:00"),
            ("2024-05-03T10:00:00.250Z", "2024-05-03T10:00:00.250Z"),
            ("Fri, 03 May 2024 10:00:00 GMT", "2024-05-03T10:00:00Z"),
            ("Fri, 03 May 2024 10:00:00 +0530", "2024-05-03T10:00:00+05:30"),
            ("2024-05-03 10:00", "2024-05-03T10:00:00Z"),
            ("2024-05-03 10:00:07 -0300", "2024-05-03T10:00:07-03:00"),
            ("May 3, 2024 at 9:05 pm", "2024-05-03T21:05:00Z"),
            ("3 May 2024, 12:30 a.m.", "2024-05-03T00:30:00Z"),
            ("at 10:00,2024 on May 3, 2024", "2024-05-03T10:00:00Z"),
            ("3 May 2024 10:00 −0330", "2024-05-03T10:00:00-03:30"),
            ("Posted 3 May 2024 23:15 UTC by x", "2024-05-03T23:15:00Z"),
        ] {
            assert_eq!(datetime(text, None).as_deref(), Ok(moment), "{text}");
        }
    }

    #[test]
    fn a_moment_needs_a_time_of_day() {
        let error = datetime("November 8, 1832", None).unwrap_err().to_string();
        assert!(error.contains("no time of day"), "{error}");
        for text in ["2024-05-03 25:00", "2024-05-03 13:00 pm", "2024-05-03 10:00 +99:00"] {
            assert!(datetime(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn formats_read_moments_and_seconds_since_1970() {
        assert_eq!(
            datetime("03.05.2024 10:00", Some(&format("%d.%m.%Y %H:%M"))).as_deref(),
            Ok("2024-05-03T10:00:00Z")
        );
        assert_eq!(datetime("1714730400", Some(&format("%s"))).as_deref(), Ok("2024-05-03T10:00:00Z"));
        assert_eq!(date("1714730400", Some(&format("%s"))).as_deref(), Ok("2024-05-03"));
        assert!(datetime("03.05.2024", Some(&format("%d.%m.%Y"))).is_err());
    }

    #[test]
    fn a_format_that_means_nothing_is_refused_when_it_is_read() {
        for text in ["dd/mm/yyyy", "%Q", "", "%d/%"] {
            assert!(DateFormat::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        let pieces =
            ["2024", "-", "/", "05", "3", "May", " ", ":", "pm", "T", "Z", "+02:00", "ü", "9", "99", "."];
        let mut dice = fastrand::Rng::with_seed(7);
        let own = format("%d %B %Y");
        for _ in 0..20_000 {
            let text: String = (0..dice.usize(0..10)).map(|_| pieces[dice.usize(0..pieces.len())]).collect();
            let _ = (date(&text, None), datetime(&text, None), datetime(&text, Some(&own)));
        }
    }
}
