//! What a `Set-Cookie` field says (RFC 6265 5.2), as leniently as servers need it: anything that is not understood is left out.

use std::time::Duration;

use super::date;
use crate::time::Timestamp;

/// Bytes of an attribute's value; a longer one is left out (RFC 6265bis 5.6).
const MAX_ATTRIBUTE: usize = 1024;

/// The parts of a field that count. Nothing is said yet of whether its sender may set it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SetCookie<'t> {
    pub(super) name: &'t str,
    pub(super) value: &'t str,
    /// Lower case, without the dot in front; none if absent or empty.
    pub(super) domain: Option<String>,
    /// None if absent or not absolute.
    pub(super) path: Option<&'t str>,
    pub(super) secure: bool,
    /// `Some` is the moment from which on it does not hold; the outer `None` means for the session.
    pub(super) expires: Option<Timestamp>,
}

impl<'t> SetCookie<'t> {
    /// Reads a field, whose name and value have `most` bytes together; `None` if it sets nothing.
    pub(super) fn parse(text: &'t str, now: Timestamp, most: usize) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return None;
        }
        let (pair, rest) = text.split_once(';').unwrap_or((text, ""));
        let mut cookie = Self::pair(pair, most)?;
        let (mut max_age, mut expires) = (None, None);
        for attribute in rest.split(';') {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (name, value) = (trimmed(name), trimmed(value));
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            match name.to_ascii_lowercase().as_str() {
                "expires" => expires = date::parse(value).or(expires),
                "max-age" => max_age = until(value, now).or(max_age),
                "domain" => cookie.domain = domain(value).or(cookie.domain.take()),
                "path" => cookie.path = Some(value).filter(|path| path.starts_with('/')),
                "secure" => cookie.secure = true,
                _ => {}
            }
        }
        cookie.expires = max_age.or(expires);
        Some(cookie)
    }

    /// Reads `name=value`.
    pub(super) fn pair(text: &'t str, most: usize) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        let (name, value) = (trimmed(name), trimmed(value));
        let fits = !name.is_empty() && name.len() + value.len() <= most;
        fits.then(|| Self { name, value, ..Self::default() })
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// An empty domain says nothing, also of one that came before it (RFC 6265 5.2.3).
fn domain(value: &str) -> Option<String> {
    let name = value.strip_prefix('.').unwrap_or(value);
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// The end of a `Max-Age`: digits, which may have a minus in front.
fn until(value: &str, now: Timestamp) -> Option<Timestamp> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() < value.len() {
        return Some(Timestamp::ZERO);
    }
    match digits.parse() {
        Ok(0) => Some(Timestamp::ZERO),
        Ok(seconds) => Some(now + Duration::from_secs(seconds)),
        Err(_) => Some(Timestamp::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn read(text: &str) -> Option<SetCookie<'_>> {
        SetCookie::parse(text, NOW, 4_096)
    }

    #[test]
    fn the_last_of_several_attributes_counts() {
        let cookie = read("a=b; Path=/x; path=/y; DOMAIN=.A.example; secure").unwrap();
        assert_eq!(
            (cookie.path, cookie.domain.as_deref(), cookie.secure),
            (Some("/y"), Some("a.example"), true)
        );
        assert!(read("a=b; domain=a.example; domain=").unwrap().domain.is_some());
        assert_eq!(read("a=b; path=/x; path=y").unwrap().path, None);
    }

    #[test]
    fn max_age_wins_over_expires_in_either_order() {
        let date = "Expires=Wed, 01 Jan 2020 00:00:00 GMT";
        for text in [format!("a=b; Max-Age=5; {date}"), format!("a=b; {date}; Max-Age=5")] {
            assert_eq!(read(&text).unwrap().expires, Some(Timestamp::from_secs(1_005)), "{text}");
        }
        let over = Some(Timestamp::ZERO);
        assert_eq!(read("a=b; max-age=-5").unwrap().expires, over);
        assert_eq!(read("a=b; max-age=99999999999999999999999").unwrap().expires, Some(Timestamp::MAX));
        assert_eq!(read("a=b; max-age=2.5").unwrap().expires, None);
    }

    #[test]
    fn a_pair_needs_a_name_and_has_an_end() {
        for text in ["", "a", "=b", " = b", "a; b=c", "a=b\u{0}c"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("a={}", "x".repeat(4_096))), None);
        assert!(read(&format!("a={}", "x".repeat(4_095))).is_some());
    }
}
