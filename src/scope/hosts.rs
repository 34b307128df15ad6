//! The hosts of a crawl, together: judging a link takes the same time whether they are two or ten thousand.

use std::collections::HashSet;
use std::ops::Deref;

use super::HostPattern;
use crate::url::CanonicalUrl;

/// Hosts that belong to a crawl.
///
/// ```
/// use crawl::scope::{HostPattern, HostPatterns};
/// use crawl::url::CanonicalUrl;
///
/// let hosts: HostPatterns = ["a.example", "*.b.example"].map(|text| HostPattern::parse(text).unwrap()).into();
/// assert!(hosts.matches(&CanonicalUrl::parse("https://www.b.example/")?));
/// assert!(!hosts.matches(&CanonicalUrl::parse("https://www.a.example/")?));
/// # Ok::<(), crawl::url::UrlError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct HostPatterns {
    all: Vec<HostPattern>,
    /// Names that stand for one host on every port: they are looked up.
    names: HashSet<Box<str>>,
    /// The others: they are gone through. Places in `all`.
    others: Vec<usize>,
}

impl HostPatterns {
    /// Adds one that is not there yet.
    pub fn push(&mut self, pattern: HostPattern) {
        let is_new = match pattern.name() {
            Some(name) => self.names.insert(name.into()),
            None if self.others.iter().any(|&place| self.all[place] == pattern) => false,
            None => {
                self.others.push(self.all.len());
                true
            }
        };
        if is_new {
            self.all.push(pattern);
        }
    }

    /// Leaves none.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the URL's host belongs to one of them.
    #[must_use]
    pub fn matches(&self, url: &CanonicalUrl) -> bool {
        self.names.contains(plain(url)) || self.others.iter().any(|&place| self.all[place].matches(url))
    }
}

/// The host as patterns write it: without a final dot.
pub(super) fn plain(url: &CanonicalUrl) -> &str {
    let host = url.host();
    host.strip_suffix('.').unwrap_or(host)
}

impl Deref for HostPatterns {
    type Target = [HostPattern];

    fn deref(&self) -> &[HostPattern] {
        &self.all
    }
}

impl FromIterator<HostPattern> for HostPatterns {
    fn from_iter<I: IntoIterator<Item = HostPattern>>(patterns: I) -> Self {
        let mut all = Self::default();
        patterns.into_iter().for_each(|pattern| all.push(pattern));
        all
    }
}

impl From<Vec<HostPattern>> for HostPatterns {
    fn from(patterns: Vec<HostPattern>) -> Self {
        patterns.into_iter().collect()
    }
}

impl<const N: usize> From<[HostPattern; N]> for HostPatterns {
    fn from(patterns: [HostPattern; N]) -> Self {
        patterns.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn together_they_match_what_one_of_them_matches() {
        let texts = ["a.example", "*.b.example", "c.example:8080", "a.example", "127.0.0.1"];
        let patterns = texts.map(|text| HostPattern::parse(text).unwrap());
        let hosts = HostPatterns::from(patterns.clone());
        assert_eq!(hosts.len(), 4, "each once");
        for url in [
            "http://a.example./x",
            "https://a.example:8443/",
            "http://w.a.example/",
            "http://b.example/",
            "http://w.b.example/",
            "http://c.example:8080/",
            "http://c.example/",
            "http://127.0.0.1:1/",
            "http://127.0.0.2/",
        ] {
            let url = CanonicalUrl::parse(url).unwrap();
            assert_eq!(hosts.matches(&url), patterns.iter().any(|one| one.matches(&url)), "{url}");
        }
    }
}
