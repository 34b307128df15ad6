//! Has the page changed since the client last saw it? Validators and the conditional requests of RFC 9110 section 13.
//!
//! `If-None-Match` wins: where it is present, `If-Modified-Since` is not even looked at (13.2.2). A date that cannot be read is
//! as good as no date. Of the three date formats only the preferred one is read: the shop never sends another one.
//!
//! Pure: no clock, no I/O. Written apart from the crawler's own reading of these headers, so that each can test the other.

use xxhash_rust::xxh3::xxh3_64;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: u64 = 86_400;

/// What a page can be recognised by.
pub(super) struct Validators {
    /// Strong, with its quotes.
    pub(super) etag: String,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

impl Validators {
    /// The validators of a page with this content.
    pub(super) fn of(body: &[u8], modified: u64) -> Self {
        Self { etag: format!("\"{:016x}\"", xxh3_64(body)), modified }
    }

    /// Whether a GET or HEAD with these headers is to be answered with 304.
    pub(super) fn met(&self, if_none_match: Option<&str>, if_modified_since: Option<&str>) -> bool {
        match (if_none_match, if_modified_since) {
            (Some(tags), _) => lists(tags, &self.etag),
            (None, Some(date)) => parse_date(date).is_some_and(|seen| self.modified <= seen),
            (None, None) => false,
        }
    }
}

/// Weak comparison (RFC 9110 section 8.8.3.2) with each member of a list, or with `*`.
fn lists(tags: &str, etag: &str) -> bool {
    if tags.trim() == "*" {
        return true;
    }
    let mut rest = tags;
    // A tag may hold commas, so the list is cut at quotes: whatever stands before an opening quote is `W/`, comma or space.
    while let Some(opening) = rest.find('"') {
        let Some(length) = rest[opening + 1..].find('"') else {
            return false;
        };
        let closing = opening + 1 + length;
        if &rest[opening..=closing] == etag {
            return true;
        }
        rest = &rest[closing + 1..];
    }
    false
}

/// The preferred format of RFC 9110 section 5.6.7, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / DAY);
    // 1970-01-01 was a Thursday, the fourth day of a week that begins on Monday.
    let weekday = DAYS[((seconds / DAY + 3) % 7) as usize];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let month = MONTHS[month as usize - 1];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// The date alone, such as `1994-11-06`, as sitemaps and book pages print it.
pub(super) fn plain_date(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

fn parse_date(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.trim().splitn(6, ' ').collect();
    let &[_, day, month, year, time, "GMT"] = words.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|m| *m == month)? as u64 + 1;
    let clock: Vec<&str> = time.splitn(3, ':').collect();
    let &[hour, minute, second] = clock.as_slice() else {
        return None;
    };
    let (day, year) = (number(day, 31)?, number(year, 9999)?);
    let (hour, minute, second) = (number(hour, 23)?, number(minute, 59)?, number(second, 60)?);
    Some(days(year, month, day)? * DAY + hour * 3600 + minute * 60 + second)
}

fn number(digits: &str, most: u64) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|n| plain && *n <= most)
}

/// Days since 1970 of a date of the Gregorian calendar, or nothing before 1970. March is the first month of the computation,
/// so that the leap day comes last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month < 3))?;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day;
    (365 * year + year / 4 - year / 100 + year / 400 + day_of_year).checked_sub(719_469)
}

/// Year, month and day of a count of days since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Validators {
        Validators { etag: "\"a,b\"".into(), modified: 784_111_777 }
    }

    #[test]
    fn a_date_is_written_and_read_as_in_the_rfc() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(plain_date(784_111_777), "1994-11-06");
        assert_eq!(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }

    #[test]
    fn every_day_comes_back_as_it_went_out() {
        for day in 0..60_000 {
            let seconds = day * DAY + 3_723;
            assert_eq!(parse_date(&http_date(seconds)), Some(seconds));
        }
    }

    #[test]
    fn a_date_that_makes_no_sense_is_no_date() {
        for odd in [
            "",
            "now",
            "Sun, 06 Nov 1994",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            assert_eq!(parse_date(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_tag_matches_weakly_in_a_list_and_by_a_star() {
        for tags in ["\"a,b\"", "W/\"a,b\"", "\"x\", W/\"y\" ,\"a,b\"", "*", " * "] {
            assert!(page().met(Some(tags), None), "{tags}");
        }
        for tags in ["", "\"a\"", "\"a,b", "a,b", "\"b\",\"a\"", "W/"] {
            assert!(!page().met(Some(tags), None), "{tags}");
        }
    }

    #[test]
    fn a_tag_wins_over_a_date() {
        let later = http_date(784_111_778);
        assert!(!page().met(Some("\"other\""), Some(&later)));
        assert!(page().met(None, Some(&later)));
    }

    #[test]
    fn a_page_is_unchanged_from_its_own_date_on() {
        assert!(page().met(None, Some(&http_date(784_111_777))));
        assert!(!page().met(None, Some(&http_date(784_111_776))));
        assert!(!page().met(None, Some("yesterday")));
        assert!(!page().met(None, None));
    }
}
