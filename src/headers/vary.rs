//! Which request made this answer: the fields that `Vary` names (RFC 9110 12.5.5, RFC 9111 4.1).
//!
//! A stored answer speaks for a request only if both would leave with the same values in these fields. The values are kept as
//! one digest: among them may be credentials. `Vary: *`, and a Vary that cannot be read, mean that nothing which leaves tells
//! the answers apart, so that none may be kept.

use http::HeaderMap;
use http::header::{HeaderName, VARY};
use serde::{Deserialize, Serialize};

use crate::url::Fingerprint;

/// An answer that names more fields is not kept: it varies by nearly anything.
const MOST_FIELDS: usize = 32;

/// The fields that an answer varies by, and what they held in the request that it answers. Default: it varies by none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selecting {
    /// In lower case, sorted, each once.
    names: Vec<String>,
    /// Of names and values together; 0 if there are none.
    digest: u64,
}

impl Selecting {
    /// What tells the answer with these fields from others to the same URL, if its request left with `sent`. None if nothing
    /// does: the answer must not be used again.
    #[must_use]
    pub fn of(answer: &HeaderMap, sent: impl FnOnce() -> HeaderMap) -> Option<Self> {
        let mut names = Vec::new();
        for line in answer.get_all(VARY) {
            for name in line.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                if name == "*" || names.len() == MOST_FIELDS {
                    return None;
                }
                names.push(name.parse::<HeaderName>().ok()?.as_str().to_owned());
            }
        }
        names.sort_unstable();
        names.dedup();
        let digest = if names.is_empty() { 0 } else { digest(&names, &sent()) };
        Some(Self { names, digest })
    }

    /// Whether a request that leaves with `sent` would get this answer.
    #[must_use]
    pub fn matches(&self, sent: impl FnOnce() -> HeaderMap) -> bool {
        self.names.is_empty() || digest(&self.names, &sent()) == self.digest
    }

    /// What a request that leaves with `sent` is selected by, if its answer varies by the same fields.
    #[must_use]
    pub fn sibling(&self, sent: impl FnOnce() -> HeaderMap) -> Self {
        let digest = if self.names.is_empty() { 0 } else { digest(&self.names, &sent()) };
        Self { names: self.names.clone(), digest }
    }

    /// Whether `other` is an answer to another request of the same URL: it varies by the same fields, with other values.
    #[must_use]
    pub fn is_sibling(&self, other: &Self) -> bool {
        self.names == other.names && self.digest != other.digest
    }

    /// The fields, in lower case.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A key of its own for this one among the answers that are kept under `url`.
    #[must_use]
    pub fn key(&self, url: Fingerprint) -> Fingerprint {
        let mut key = Fingerprint::hasher();
        key.update(b"vary\0");
        key.update(&url.get().to_be_bytes());
        key.update(&self.digest.to_be_bytes());
        Fingerprint::from_hasher(&key)
    }
}

/// Names and values, each behind its length so that they cannot run into each other.
fn digest(names: &[String], sent: &HeaderMap) -> u64 {
    let mut digest = Fingerprint::hasher();
    let mut part = |bytes: &[u8]| {
        digest.update(&(bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    for name in names {
        part(name.as_bytes());
        let values: Vec<&[u8]> = sent.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
        // A field that is absent is not one that is empty.
        part(&(values.len() as u64).to_be_bytes());
        values.iter().for_each(|value| part(value.trim_ascii()));
    }
    Fingerprint::from_hasher(&digest).get()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn of(vary: &[&'static str], sent: &[(&'static str, &'static str)]) -> Option<Selecting> {
        let lines: Vec<_> = vary.iter().map(|line| ("vary", *line)).collect();
        Selecting::of(&headers(&lines), || headers(sent))
    }

    #[test]
    fn an_answer_without_vary_speaks_for_every_request() {
        let any = of(&[], &[("accept", "text/html")]).unwrap();
        assert_eq!(any, Selecting::default());
        assert!(any.matches(|| unreachable!("nothing is to be compared")));
    }

    #[test]
    fn a_star_speaks_for_no_other_request() {
        for vary in [&["*"][..], &["accept, *"], &["accept", " * "]] {
            assert_eq!(of(vary, &[]), None, "{vary:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_a_star() {
        assert_eq!(of(&["accept language"], &[]), None);
        let names: Vec<String> = (0..40).map(|n| format!("x-{n}")).collect();
        let mut many = HeaderMap::new();
        many.insert("vary", HeaderValue::from_str(&names.join(",")).unwrap());
        assert_eq!(Selecting::of(&many, HeaderMap::new), None);
        many.insert("vary", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        assert_eq!(Selecting::of(&many, HeaderMap::new), None);
    }

    #[test]
    fn only_the_named_fields_count() {
        let stored = of(&["Accept-Language"], &[("accept-language", "de"), ("accept", "a/b")]).unwrap();
        assert!(stored.matches(|| headers(&[("accept-language", "de"), ("accept", "c/d")])));
        for other in [&[("accept-language", "fr")][..], &[("accept-language", "")], &[]] {
            assert!(!stored.matches(|| headers(other)), "{other:?}");
        }
    }

    #[test]
    fn neither_order_nor_case_nor_lines_of_the_names_matter() {
        let sent = [("cookie", "a=1"), ("accept", "x")];
        let stored = of(&["Cookie, ACCEPT"], &sent);
        assert_eq!(stored, of(&["accept", "cookie,accept,"], &sent));
        assert_eq!(stored.unwrap().names(), ["accept", "cookie"]);
    }

    #[test]
    fn values_of_one_field_do_not_run_into_those_of_another() {
        let names = &["a, b"];
        assert_ne!(of(names, &[("a", "xy"), ("b", "z")]), of(names, &[("a", "x"), ("b", "yz")]));
        assert_ne!(of(names, &[("a", "x"), ("a", "y")]), of(names, &[("a", "x"), ("b", "y")]));
        assert_ne!(of(names, &[("a", "")]), of(names, &[]));
    }

    #[test]
    fn another_value_has_a_key_of_its_own() {
        let (de, fr) = (
            of(&["accept-language"], &[("accept-language", "de")]).unwrap(),
            of(&["accept-language"], &[("accept-language", "fr")]).unwrap(),
        );
        let page = Fingerprint::of(b"page");
        assert!(de.is_sibling(&fr) && !de.is_sibling(&de));
        assert_eq!(de.sibling(|| headers(&[("accept-language", "fr")])), fr);
        assert_ne!(de.key(page), fr.key(page));
        assert_ne!(de.key(page), page);
        assert_ne!(de.key(page), de.key(Fingerprint::of(b"other")));
    }

    #[test]
    fn no_value_is_kept_in_clear() {
        let stored = of(&["authorization"], &[("authorization", "Basic c2VjcmV0")]).unwrap();
        assert!(!serde_json::to_string(&stored).unwrap().contains("c2VjcmV0"));
    }
}
