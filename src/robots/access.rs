//! What an answer to /robots.txt permits (RFC 9309 section 2.3.1), and how long it holds (section 2.4).
//! Pure tables: following redirects, waiting and asking again are for the caller.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Redirects of /robots.txt that are followed, also to other hosts (RFC 9309 section 2.3.1.2 asks for at least five).
pub const MAX_REDIRECTS: u32 = 5;

/// How long an answer holds when nothing shortens it: 24 hours (RFC 9309 section 2.4).
pub const CACHE_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The least time that an answer holds, whatever `Cache-Control` says: five minutes, so that a host which marks
/// everything `no-store` is not asked for its rules before every page.
pub const MIN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// What a 401 or 403 for /robots.txt means. RFC 9309 section 2.3.1.3 permits everything then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForbiddenPolicy {
    /// As every other 4xx: there are no rules. This is the default.
    #[default]
    Allow,
    /// The whole site is closed.
    Deny,
}

/// What follows from an answer to /robots.txt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// 2xx: parse the body; its rules hold (section 2.3.1.1).
    Parse,
    /// 304: the copy at hand still holds, for a new lifetime.
    NotModified,
    /// 3xx: ask at the `Location`; the rules found there hold for the first host (section 2.3.1.2). Without a usable
    /// location it is as a 4xx: [`Access::AllowAll`].
    Redirect,
    /// 4xx: there are no rules (section 2.3.1.3).
    AllowAll,
    /// 401 or 403 under [`ForbiddenPolicy::Deny`]: nothing may be fetched.
    DenyAll,
    /// 429: nothing may be fetched now; wait as the answer asks, then ask again.
    Wait,
    /// 5xx, no answer, or an answer cut short: nothing may be fetched (section 2.3.1.4). Ask again with growing distance;
    /// a copy at hand may be used meanwhile.
    Unreachable,
}

/// The table of RFC 9309 section 2.3.1. No status means that no whole answer came: a timeout, a reset, a failed name
/// lookup or handshake, a body cut short.
#[must_use]
pub fn access(status: Option<u16>, forbidden: ForbiddenPolicy) -> Access {
    match (status, forbidden) {
        (Some(200..=299), _) => Access::Parse,
        (Some(304), _) => Access::NotModified,
        (Some(300..=399), _) => Access::Redirect,
        (Some(401 | 403), ForbiddenPolicy::Deny) => Access::DenyAll,
        (Some(429), _) => Access::Wait,
        (Some(400..=499), _) => Access::AllowAll,
        (Some(_) | None, _) => Access::Unreachable,
    }
}

/// What follows from a redirect after so many have been followed: the next one, or, after [`MAX_REDIRECTS`], the
/// same as from a 4xx (section 2.3.1.2). A loop is cut off by the count.
#[must_use]
pub fn access_after_redirects(followed: u32) -> Access {
    if followed < MAX_REDIRECTS { Access::Redirect } else { Access::AllowAll }
}

/// How long an answer holds: [`CACHE_LIFETIME`], or the `max-age` of its `Cache-Control` if that is less, but not less
/// than [`MIN_LIFETIME`], which is also what `no-store`, `no-cache` and an unreadable `max-age` give.
#[must_use]
pub fn lifetime(cache_control: Option<&str>) -> Duration {
    let directives = cache_control.unwrap_or_default().split(',');
    directives.filter_map(directive_lifetime).fold(CACHE_LIFETIME, Duration::min).max(MIN_LIFETIME)
}

fn directive_lifetime(directive: &str) -> Option<Duration> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    let name = name.trim();
    if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
        return Some(MIN_LIFETIME);
    }
    name.eq_ignore_ascii_case("max-age").then(|| max_age(value))
}

fn max_age(value: &str) -> Duration {
    let digits = value.trim().trim_matches('"');
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return MIN_LIFETIME;
    }
    digits.parse().map_or(CACHE_LIFETIME, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_decides_what_may_be_fetched() {
        let table = [
            (Some(200), Access::Parse),
            (Some(204), Access::Parse),
            (Some(301), Access::Redirect),
            (Some(302), Access::Redirect),
            (Some(303), Access::Redirect),
            (Some(307), Access::Redirect),
            (Some(308), Access::Redirect),
            (Some(304), Access::NotModified),
            (Some(400), Access::AllowAll),
            (Some(401), Access::AllowAll),
            (Some(403), Access::AllowAll),
            (Some(404), Access::AllowAll),
            (Some(410), Access::AllowAll),
            (Some(451), Access::AllowAll),
            (Some(429), Access::Wait),
            (Some(500), Access::Unreachable),
            (Some(503), Access::Unreachable),
            (Some(599), Access::Unreachable),
            (Some(999), Access::Unreachable),
            (Some(101), Access::Unreachable),
            (None, Access::Unreachable),
        ];
        for (status, expected) in table {
            assert_eq!(access(status, ForbiddenPolicy::Allow), expected, "{status:?}");
        }
    }

    #[test]
    fn a_forbidden_file_closes_the_site_only_on_request() {
        assert_eq!(access(Some(401), ForbiddenPolicy::Deny), Access::DenyAll);
        assert_eq!(access(Some(403), ForbiddenPolicy::Deny), Access::DenyAll);
        assert_eq!(access(Some(404), ForbiddenPolicy::Deny), Access::AllowAll);
    }

    #[test]
    fn five_redirects_are_followed() {
        assert_eq!(access_after_redirects(0), Access::Redirect);
        assert_eq!(access_after_redirects(4), Access::Redirect);
        assert_eq!(access_after_redirects(5), Access::AllowAll);
    }

    #[test]
    fn cache_control_only_shortens_the_lifetime() {
        let seconds = |value| lifetime(Some(value)).as_secs();
        assert_eq!(lifetime(None), CACHE_LIFETIME);
        assert_eq!(seconds("public"), 86_400);
        assert_eq!(seconds("max-age=3600"), 3_600);
        assert_eq!(seconds("Public, MAX-AGE=\"3600\""), 3_600);
        assert_eq!(seconds("max-age=31536000"), 86_400);
        assert_eq!(seconds("max-age=99999999999999999999999"), 86_400);
        assert_eq!(seconds("max-age=3600, max-age=1800"), 1_800);
        assert_eq!(seconds("s-maxage=600"), 86_400);
    }

    #[test]
    fn a_lifetime_is_at_least_five_minutes() {
        for value in
            ["no-store", "private, no-cache, max-age=3600", "max-age=0", "max-age=x", "max-age=-1", "max-age"]
        {
            assert_eq!(lifetime(Some(value)), MIN_LIFETIME, "{value}");
        }
    }
}
