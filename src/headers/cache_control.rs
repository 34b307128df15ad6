//! How long an answer says it may be kept (RFC 9111 5.2.2), as far as the lifetime of a robots.txt needs it.
//!
//! Only `max-age`, `no-cache` and `no-store` are read. `Expires` and heuristics are not: without an explicit word the caller
//! keeps its own lifetime. Quoted arguments of other directives may hold commas; their pieces have no meaning here.

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

/// The explicit lifetime of an answer; `None` if it names none.
///
/// Zero for `no-store`, `no-cache` and a `max-age` that cannot be read (RFC 9111 4.2.1: stale); the smallest word counts.
/// Callers bound it below, or else a `max-age=0` would have them ask before every page.
#[must_use]
pub fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(directive)
        .min()
}

fn directive(text: &str) -> Option<Duration> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        "max-age" => Some(seconds(value.trim().trim_matches('"'))),
        _ => None,
    }
}

fn seconds(value: &str) -> Duration {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // A number that does not fit means "for ever" (RFC 9111 1.2.2), so only an overflow takes the maximum.
    let secs = if is_number { value.parse().unwrap_or(u64::MAX) } else { 0 };
    Duration::from_secs(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&'static str]) -> Option<u64> {
        let line = |line: &&'static str| (CACHE_CONTROL, line.parse().unwrap());
        lifetime(&lines.iter().map(line).collect()).map(|lifetime| lifetime.as_secs())
    }

    #[test]
    fn the_smallest_word_counts() {
        assert_eq!(of(&["public, Max-Age=600"]), Some(600));
        assert_eq!(of(&["max-age=\"600\"", "max-age=60"]), Some(60));
        assert_eq!(of(&["max-age=600, no-cache"]), Some(0));
        assert_eq!(of(&["no-store"]), Some(0));
    }

    #[test]
    fn no_word_is_none_and_a_wrong_word_is_stale() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["public, s-maxage=5"]), None);
        assert_eq!(of(&["max-age=-1"]), Some(0));
        assert_eq!(of(&["max-age"]), Some(0));
        assert_eq!(of(&["max-age=99999999999999999999"]), Some(u64::MAX));
    }
}
