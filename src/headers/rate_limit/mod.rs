//! How much a server says it will still answer, before it refuses (draft-ietf-httpapi-ratelimit-headers and its dialects).
//!
//! Read are the structured fields of the draft, its older forms, and what is met under `X-RateLimit` and kindred names. If
//! several quotas are told, the one that leaves the least room counts. What cannot be read, is negative or makes no sense is
//! as absent, and an answer from a cache (`Age` above 0) tells nothing: its numbers are old.
//!
//! Pure: no clock. What is done with the numbers is decided elsewhere; a `Retry-After` is read by [`super::retry_after`] and
//! comes before all of this.

mod dialect;
mod draft;
mod reset;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::time::Duration;

use http::HeaderMap;
use http::header::AGE;

pub use draft::{Policy, Unit, policies};
use reset::Clocks;

use crate::time::Timestamp;

/// A window that ends later than this is nonsense and as absent.
pub const LONGEST_RESET: Duration = Duration::from_secs(7 * 86_400);

/// The largest number of requests that is believed: what an integer of RFC 9651 can hold (section 3.3.1).
pub const MOST_REQUESTS: u64 = 999_999_999_999_999;

/// What an answer tells about the quota of requests that it counted against. Everything is optional: servers tell what they
/// like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    /// Requests in a window.
    pub limit: Option<u64>,
    /// Requests left in this window.
    pub remaining: Option<u64>,
    /// Time from the end of the answer to the end of the window.
    pub reset: Option<Duration>,
}

impl Announced {
    /// How much it slows us down: the pause that spreads what remains over the rest of the window, if it is known, then how
    /// little remains.
    fn tightness(&self) -> (Option<u128>, Reverse<u64>) {
        let pause = |(remaining, reset): (u64, Duration)| reset.as_nanos() / u128::from(remaining.max(2) - 1);
        (self.remaining.zip(self.reset).map(pause), Reverse(self.remaining.unwrap_or(u64::MAX)))
    }
}

/// What the fields of an answer tell of the limits that it counted against.
///
/// `now` is the end of the answer. A moment is measured against the answer's own `Date`, if it has one.
///
/// ```
/// use std::time::Duration;
/// use crawl::headers::rate_limit::announced;
/// use crawl::time::Timestamp;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("ratelimit", http::HeaderValue::from_static("\"default\";r=50;t=30"));
/// let told = announced(&headers, Timestamp::ZERO);
/// assert_eq!((told.remaining, told.reset), (Some(50), Some(Duration::from_secs(30))));
/// ```
#[must_use]
pub fn announced(headers: &HeaderMap, now: Timestamp) -> Announced {
    if is_from_a_cache(headers) {
        return Announced::default();
    }
    let quotas = draft::quotas(headers).into_iter().chain(dialect::quotas(headers, Clocks::of(headers, now)));
    let tighter = |a: Announced, b: Announced| if b.tightness() > a.tightness() { b } else { a };
    quotas.reduce(tighter).unwrap_or_default()
}

/// Whether the answer was kept by a cache on its way (RFC 9111 5.1).
fn is_from_a_cache(headers: &HeaderMap) -> bool {
    let age = headers.get(AGE).map_or(b"".as_slice(), |age| age.as_bytes().trim_ascii());
    age.iter().all(u8::is_ascii_digit) && age.iter().any(|digit| *digit != b'0')
}
