//! What a server gives us to ask "has it changed?" (RFC 9110 8.8 and 13.1).
//!
//! ETag and Last-Modified are opaque: they are kept and sent back verbatim, quotes and `W/` included, and never compared or
//! reformatted here. Both are sent when both are known; the server decides by If-None-Match first. Values that could not be sent
//! back safely are left out, which only costs a full fetch.
//!
//! Which answers are stored, and what a 304 brings back, is not decided here.

use http::HeaderMap;
use http::header::{ETAG, HeaderName, LAST_MODIFIED};
use serde::{Deserialize, Serialize};

/// Longer values are left out: sent back, they could make a request too large for its server.
const MAX_LEN: usize = 1024;

/// The validators of one stored answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The ETag field, verbatim.
    pub etag: Option<String>,
    /// The Last-Modified field, verbatim.
    pub last_modified: Option<String>,
}

impl Validators {
    /// The validators among these fields, whatever the answer's status. Empty, control and non-ASCII values count as absent.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        Self {
            etag: text(headers, &ETAG).filter(|etag| names_one_version(etag)),
            last_modified: text(headers, &LAST_MODIFIED),
        }
    }

    /// Takes over what a 304 says anew (RFC 9111 3.2); what it does not name stays. A 304 with another strong ETag than the one
    /// that is stored speaks of another version, and changes nothing (RFC 9111 4.3.4).
    pub fn update(&mut self, headers: &HeaderMap) {
        let new = Self::read(headers);
        if let (Some(stored), Some(told)) = (&self.etag, &new.etag)
            && is_strong(stored)
            && is_strong(told)
            && stored != told
        {
            return;
        }
        self.etag = new.etag.or(self.etag.take());
        self.last_modified = new.last_modified.or(self.last_modified.take());
    }

    /// Whether there is nothing to ask with.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// The fields that make a GET or HEAD conditional.
    #[must_use]
    pub fn conditions(&self) -> Vec<(String, String)> {
        let field = |name: &str, value: &Option<String>| Some((name.to_owned(), value.clone()?));
        [field("if-none-match", &self.etag), field("if-modified-since", &self.last_modified)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A field's value if it can be sent back as it is.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    let sendable = !value.trim().is_empty() && value.len() <= MAX_LEN && !value.contains(char::is_control);
    sendable.then(|| value.to_owned())
}

/// Whether an ETag stands for one version. A bare `*` would match every version and turn each later answer into a 304.
fn names_one_version(etag: &str) -> bool {
    let opaque = etag.trim().trim_start_matches("W/");
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains('"')) || !opaque.contains('*')
}

fn is_strong(etag: &str) -> bool {
    !etag.trim_start().starts_with("W/")
}

/// Whether a field of a request asks "has it changed?" (RFC 9110 13.1.2, 13.1.3): the crawler writes these itself.
#[must_use]
pub fn is_condition(name: &str) -> bool {
    ["if-none-match", "if-modified-since"].iter().any(|condition| name.eq_ignore_ascii_case(condition))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(fields: &[(&'static str, &[u8])]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &[u8])| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        };
        fields.iter().map(field).collect()
    }

    fn etag(value: &[u8]) -> Option<String> {
        Validators::read(&headers(&[("etag", value)])).etag
    }

    #[test]
    fn both_are_kept_verbatim_and_sent_back_verbatim() {
        let read = Validators::read(&headers(&[("etag", b"W/\"a-1\""), ("last-modified", DATE.as_bytes())]));
        let sent = read.conditions();
        assert_eq!(sent[0], ("if-none-match".into(), "W/\"a-1\"".into()));
        assert_eq!(sent[1], ("if-modified-since".into(), DATE.into()));
        assert_eq!(etag(b"no-quotes").as_deref(), Some("no-quotes"));
    }

    #[test]
    fn without_validators_there_is_no_condition() {
        let none = Validators::read(&HeaderMap::new());
        assert!(none.is_empty());
        assert!(none.conditions().is_empty());
    }

    #[test]
    fn values_that_cannot_be_sent_back_are_left_out() {
        for value in [b"".as_slice(), b"  ", b"\"a\tb\"", b"\"\xff\"", &[b'x'; 1025]] {
            assert_eq!(etag(value), None, "{value:?}");
        }
    }

    #[test]
    fn an_etag_that_would_match_everything_is_left_out() {
        for value in [b"*".as_slice(), b" * ", b"W/*", b"\"a\", *, \"b\""] {
            assert_eq!(etag(value), None, "{value:?}");
        }
        assert_eq!(etag(b"\"*\"").as_deref(), Some("\"*\""));
    }

    #[test]
    fn a_304_replaces_what_it_names_and_nothing_else() {
        let mut stored = Validators { etag: Some("\"a\"".into()), last_modified: Some(DATE.into()) };
        stored.update(&headers(&[("etag", b"W/\"b\"")]));
        assert_eq!(stored.etag.as_deref(), Some("W/\"b\""));
        assert_eq!(stored.last_modified.as_deref(), Some(DATE));
    }

    #[test]
    fn a_304_with_another_strong_etag_changes_nothing() {
        let stored = Validators { etag: Some("\"a\"".into()), last_modified: Some(DATE.into()) };
        let mut updated = stored.clone();
        updated.update(&headers(&[("etag", b"\"b\""), ("last-modified", b"Mon, 07 Nov 1994 08:49:37 GMT")]));
        assert_eq!(updated, stored);
        updated.update(&headers(&[("etag", b"\"a\""), ("last-modified", b"Mon, 07 Nov 1994 08:49:37 GMT")]));
        assert_ne!(updated, stored);
    }
}
