//! `RateLimit-Limit`, `X-RateLimit-Remaining` and kindred fields: no standard, many forms.
//!
//! A dialect is known by the words around `limit`, `remaining`, `used` and `reset` in its field names. Vendors cannot be told
//! apart further, and need not: what a value means is seen by its form and size. Where a value is a list, or a field has
//! several lines, the least remains and the last window counts; of limits the first, as the drafts before -06 say.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

use super::Announced;
use super::reset::{Clocks, thousandths};

/// A longer line is ignored.
const MAX_LEN: usize = 256;

/// What stands before and after the word, in lower case.
const DIALECTS: [(&str, &str); 5] = [
    ("ratelimit-", ""),
    ("x-ratelimit-", ""),
    ("x-rate-limit-", ""),
    ("x-ratelimit-", "-requests"),
    ("anthropic-ratelimit-requests-", ""),
];

/// Used and limit in one: `32/40`.
const CALL_LIMIT: &str = "x-shopify-shop-api-call-limit";

/// The quotas of all dialects that the fields speak.
pub(super) fn quotas(headers: &HeaderMap, clocks: Clocks) -> impl Iterator<Item = Announced> {
    let call_limit = values(headers, CALL_LIMIT).find_map(used_of_limit);
    // Most answers have no such field at all: they are not searched for every word of every dialect.
    let is_dialect = |name: &HeaderName| DIALECTS.iter().any(|(before, _)| name.as_str().starts_with(before));
    let spoken: &[_] = if headers.keys().any(is_dialect) { &DIALECTS } else { &[] };
    spoken.iter().filter_map(move |dialect| quota(headers, *dialect, clocks)).chain(call_limit)
}

fn quota(headers: &HeaderMap, (before, after): (&str, &str), clocks: Clocks) -> Option<Announced> {
    let name = |word: &str| format!("{before}{word}{after}");
    let limit = values(headers, &name("limit")).find_map(|value| rounded_down(value.split(';').next()?));
    let remaining = values(headers, &name("remaining")).filter_map(rounded_down).min();
    let used = values(headers, &name("used")).filter_map(rounded_up).max();
    let quota = Announced {
        limit: limit.or_else(|| Some(used? + remaining?)),
        remaining: remaining.or_else(|| Some(limit?.saturating_sub(used?))),
        reset: reset(headers, name, clocks),
    };
    (quota != Announced::default()).then_some(quota)
}

/// The longest wait of the first field that tells one: `-reset-after` is a wait, whatever its size.
fn reset(headers: &HeaderMap, name: impl Fn(&str) -> String, clocks: Clocks) -> Option<Duration> {
    let longest = |word: &str, read: &dyn Fn(&str) -> Option<Duration>| {
        values(headers, &name(word)).filter_map(read).max()
    };
    longest("reset-after", &Clocks::wait)
        .or_else(|| longest("reset", &|value| clocks.until(value)))
        .or_else(|| longest("next", &|value| clocks.until(value)))
}

/// The values of a field: all its lines, taken apart at commas. A date falls into two, of which the second is still one.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).into_iter().filter(|line| line.len() <= MAX_LEN);
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

fn rounded_down(value: &str) -> Option<u64> {
    thousandths(value).map(|count| count / 1000)
}

fn rounded_up(value: &str) -> Option<u64> {
    thousandths(value).map(|count| count.div_ceil(1000))
}

fn used_of_limit(value: &str) -> Option<Announced> {
    let (used, limit) = value.split_once('/')?;
    let (used, limit) = (rounded_up(used)?, rounded_down(limit)?);
    Some(Announced { limit: Some(limit), remaining: Some(limit.saturating_sub(used)), reset: None })
}
