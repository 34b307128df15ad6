//! How long a server vouches for its answer (RFC 9111 4.2): `Cache-Control` and `Expires`, measured by `Date` and `Age`.
//!
//! Only what is said counts: there is no heuristic freshness, and `immutable` alone promises no time. We are a private cache,
//! so `s-maxage`, `proxy-revalidate` and `private` do not concern us. What is unclear counts as not fresh: that costs one
//! question. The arithmetic is that of the crate `http-cache-semantics`; this room hands it fields that it can bear.
//!
//! Whether anybody goes by it is not decided here: by default the crawler asks for every page, fresh or not.

use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A longer field is not kept.
const MAX_LEN: usize = 1024;
/// An older answer is not fresh by any measure: ten years, in seconds.
const OLDEST: u64 = 10 * 365 * 86_400;
/// Stands for a Cache-Control that we cannot read: what it forbids is unknown.
const UNREADABLE: &str = "no-cache";

/// What an answer says about its freshness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// All lines as one, in lower case: names of directives have no case.
    cache_control: Option<String>,
    expires: Option<String>,
    date: Option<String>,
    /// Seconds that the answer had spent in other caches.
    age: u64,
}

impl Lifetime {
    /// What these fields say.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        Self {
            cache_control: cache_control(headers),
            // A date that cannot be read lies in the past (RFC 9111 5.3).
            expires: headers.get(EXPIRES).map(|value| text(value).unwrap_or_else(|| "0".to_owned())),
            date: headers.get(DATE).and_then(text),
            age: age(headers),
        }
    }

    /// Takes over what a 304 says anew (RFC 9111 3.2, 4.3.4); what it does not name stays. Date and age are those of the 304.
    pub fn update(&mut self, headers: &HeaderMap) {
        let new = Self::read(headers);
        self.cache_control = new.cache_control.or(self.cache_control.take());
        self.expires = new.expires.or(self.expires.take());
        self.date = new.date;
        self.age = new.age;
    }

    /// Until when an answer that came at `received` may be used without asking; `received` itself if it may not.
    #[must_use]
    pub fn fresh_until(&self, received: Timestamp) -> Timestamp {
        if self.cache_control.is_none() && self.expires.is_none() {
            return received;
        }
        let came = SystemTime::UNIX_EPOCH + Duration::from_millis(received.as_millis().min(LAST_MILLI));
        let options = CacheOptions {
            shared: false,
            cache_heuristic: 0.0,
            immutable_min_time_to_live: Duration::ZERO,
            ignore_cargo_cult: false,
        };
        let policy = CachePolicy::new_options(&Request::new(()), &self.as_answer(), came, options);
        received + policy.time_to_live(came)
    }

    /// A 200 with these fields.
    fn as_answer(&self) -> Response<()> {
        let mut answer = Response::new(());
        let age = Some(self.age).filter(|age| *age > 0).map(|age| age.to_string());
        let fields: [(HeaderName, Option<&str>); 4] = [
            (CACHE_CONTROL, self.cache_control.as_deref()),
            (EXPIRES, self.expires.as_deref()),
            (DATE, self.date.as_deref()),
            (AGE, age.as_deref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer
    }

    /// Bytes of its texts.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        [&self.cache_control, &self.expires, &self.date].into_iter().flatten().map(String::len).sum()
    }
}

/// The last millisecond of the year 9999: beyond it a [`SystemTime`] need not exist.
const LAST_MILLI: u64 = 253_402_300_799_999;

/// Whether an answer with these fields must not be kept at all (RFC 9111 5.2.2.5).
#[must_use]
pub fn forbids_storing(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter().map(HeaderValue::as_bytes);
    let mut names = lines.flat_map(|line| line.split(|byte| matches!(byte, b',' | b'=' | b';')));
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"no-store"))
}

fn cache_control(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
    if lines.is_empty() {
        return None;
    }
    let lines: Option<Vec<&str>> = lines.into_iter().map(|line| line.to_str().ok()).collect();
    let whole = lines.map(|lines| lines.join(",").to_ascii_lowercase());
    Some(whole.filter(|whole| whole.len() <= MAX_LEN).unwrap_or_else(|| UNREADABLE.to_owned()))
}

fn text(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    (!text.is_empty() && text.len() <= MAX_LEN).then(|| text.to_owned())
}

/// An age that cannot be read counts as none (RFC 9111 5.1), a great one as [`OLDEST`].
fn age(headers: &HeaderMap) -> u64 {
    let Some(text) = headers.get(AGE).and_then(text) else { return 0 };
    match text.parse() {
        Ok(age) => OLDEST.min(age),
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => OLDEST,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(784_111_777);
    const DATE_NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const HOUR_AHEAD: &str = "Sun, 06 Nov 1994 09:49:37 GMT";

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    /// Seconds for which an answer with these fields is fresh.
    fn fresh(fields: &[(&'static str, &str)]) -> u64 {
        Lifetime::read(&headers(fields)).fresh_until(NOW).since(NOW).as_secs()
    }

    #[test]
    fn what_says_nothing_is_not_fresh() {
        assert_eq!(fresh(&[]), 0);
        assert_eq!(fresh(&[("date", DATE_NOW), ("last-modified", "Sun, 06 Nov 1984 08:49:37 GMT")]), 0);
        assert_eq!(fresh(&[("cache-control", "public, immutable")]), 0);
    }

    #[test]
    fn max_age_counts_and_beats_expires() {
        assert_eq!(
            fresh(&[("cache-control", "max-age=60"), ("expires", HOUR_AHEAD), ("date", DATE_NOW)]),
            60
        );
        assert_eq!(fresh(&[("cache-control", "private, max-age=\"60\"")]), 60);
        assert_eq!(fresh(&[("cache-control", "Public, MAX-AGE=60")]), 60);
        assert_eq!(fresh(&[("cache-control", "s-maxage=60")]), 0);
        assert_eq!(fresh(&[("cache-control", "s-maxage=1, max-age=60")]), 60);
    }

    #[test]
    fn expires_is_measured_by_the_answers_own_date() {
        assert_eq!(fresh(&[("expires", HOUR_AHEAD), ("date", DATE_NOW)]), 3_600);
        let skewed = "Sun, 06 Nov 1994 09:29:37 GMT";
        assert_eq!(fresh(&[("expires", HOUR_AHEAD), ("date", skewed)]), 1_200);
        assert_eq!(fresh(&[("expires", HOUR_AHEAD)]), 3_600);
        for past in ["0", "-1", "soon", DATE_NOW, "\u{e9}"] {
            assert_eq!(fresh(&[("expires", past), ("date", DATE_NOW)]), 0, "{past}");
        }
    }

    #[test]
    fn no_cache_asks_each_time_and_must_revalidate_only_what_is_stale() {
        for control in ["no-cache, max-age=60", "max-age=60, No-Cache", "no-cache=\"set-cookie\", max-age=60"]
        {
            assert_eq!(fresh(&[("cache-control", control)]), 0, "{control}");
        }
        assert_eq!(fresh(&[("cache-control", "must-revalidate, max-age=60")]), 60);
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("cache-control", "no-cache")]), 0);
    }

    #[test]
    fn time_spent_in_other_caches_counts() {
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "20")]), 40);
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "old")]), 60);
        for age in ["61", "18446744073709551615", "99999999999999999999999"] {
            assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", age)]), 0, "{age}");
        }
    }

    #[test]
    fn what_is_out_of_all_bounds_ends_at_no_wrong_time() {
        for control in
            ["max-age=99999999999999999999999", "max-age=-1", "max-age=", "max-age=1.5", "max-age=x"]
        {
            assert_eq!(fresh(&[("cache-control", control)]), 0, "{control}");
        }
        let most = Lifetime::read(&headers(&[("cache-control", "max-age=18446744073709551615")]));
        assert_eq!(most.fresh_until(NOW), Timestamp::MAX);
        assert_eq!(most.fresh_until(Timestamp::MAX), Timestamp::MAX);
        let long = "x".repeat(2_000);
        assert_eq!(fresh(&[("cache-control", &long), ("expires", HOUR_AHEAD), ("date", DATE_NOW)]), 0);
    }

    #[test]
    fn a_304_renews_the_time_and_changes_what_it_names() {
        let mut stored =
            Lifetime::read(&headers(&[("cache-control", "max-age=60"), ("age", "50"), ("date", DATE_NOW)]));
        assert_eq!(stored.fresh_until(NOW).since(NOW).as_secs(), 10);
        stored.update(&headers(&[("date", HOUR_AHEAD)]));
        assert_eq!(stored.fresh_until(NOW).since(NOW).as_secs(), 60);
        stored.update(&headers(&[("cache-control", "max-age=5")]));
        assert_eq!(stored.fresh_until(NOW).since(NOW).as_secs(), 5);
    }

    #[test]
    fn no_store_is_found_in_any_line_and_case_and_nowhere_else() {
        for control in ["no-store", "private, No-Store", "max-age=0,no-store"] {
            assert!(forbids_storing(&headers(&[("cache-control", control)])), "{control}");
        }
        assert!(forbids_storing(&headers(&[("cache-control", "public"), ("cache-control", "no-store")])));
        for control in ["no-cache", "x-no-store", "private"] {
            assert!(!forbids_storing(&headers(&[("cache-control", control)])), "{control}");
        }
    }
}
