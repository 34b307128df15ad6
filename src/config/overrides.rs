//! What is different for single hosts.
//!
//! All tables whose name fits a host count: `*.example` before `*.a.example` before `a.example`, each key by itself, so that
//! the most exact table that has the key wins.

use std::time::Duration;

use crate::politeness::{Guard, PaceRule, Policy, Rate};
use crate::url::{CanonicalUrl, HostKey};

/// One `[hosts."name"]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct HostOverride {
    pub(super) delay: Option<Duration>,
    pub(super) jitter: Option<f64>,
    pub(super) pace: Option<PaceRule>,
    pub(super) latency_guard: Option<Guard>,
    pub(super) max_concurrency: Option<u32>,
    pub(super) rate: Option<Rate>,
    pub(super) burst: Option<u32>,
    pub(super) max_crawl_delay: Option<Duration>,
    pub(super) max_pages: Option<u64>,
    pub(super) headers: Vec<(String, String)>,
}

/// All of them, the least exact first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Overrides(Vec<(Pattern, HostOverride)>);

/// Exactness is the order: a name below something is less exact than a name, a short suffix less than a long one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    Below { length: usize, suffix: String },
    Exact(HostKey),
}

impl Pattern {
    fn parse(name: &str) -> Self {
        match name.strip_prefix("*.") {
            Some(suffix) => Self::Below { length: suffix.len(), suffix: key(suffix).as_str().to_owned() },
            None => Self::Exact(key(name)),
        }
    }

    fn fits(&self, host: &HostKey) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below { suffix, .. } => host
                .as_str()
                .strip_suffix(suffix.as_str())
                .is_some_and(|front| front.is_empty() || front.ends_with('.')),
        }
    }
}

/// The key that URLs of this host have, whatever the notation: letters outside ASCII, IPv6 with or without brackets.
fn key(name: &str) -> HostKey {
    let in_brackets = |_| CanonicalUrl::parse(&format!("http://[{name}]/"));
    CanonicalUrl::parse(&format!("http://{name}/"))
        .or_else(in_brackets)
        .map_or_else(|_| HostKey::of(name), |url| url.host_key())
}

impl Overrides {
    pub(super) fn new(tables: Vec<(String, HostOverride)>) -> Self {
        let mut list: Vec<_> = tables.into_iter().map(|(name, over)| (Pattern::parse(&name), over)).collect();
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(list)
    }

    fn of<'a>(&'a self, host: &'a HostKey) -> impl Iterator<Item = &'a HostOverride> {
        self.0.iter().filter(|(pattern, _)| pattern.fits(host)).map(|(_, over)| over)
    }

    /// `base` with what is different for `host`.
    pub(super) fn policy(&self, base: &Policy, host: &HostKey) -> Policy {
        let mut policy = base.clone();
        for over in self.of(host) {
            // A rate takes the place of the delays of less exact tables.
            let delay = if over.rate.is_some() { Duration::ZERO } else { policy.delay };
            policy.delay = over.delay.unwrap_or(delay);
            policy.rate = over.rate.or(policy.rate);
            policy.burst = over.burst.unwrap_or(policy.burst);
            policy.jitter = over.jitter.unwrap_or(policy.jitter);
            policy.pace = over.pace.unwrap_or(policy.pace);
            policy.latency_guard = over.latency_guard.unwrap_or(policy.latency_guard);
            policy.max_concurrency = over.max_concurrency.unwrap_or(policy.max_concurrency);
            policy.max_crawl_delay = over.max_crawl_delay.unwrap_or(policy.max_crawl_delay);
            policy.max_pages = over.max_pages.or(policy.max_pages);
        }
        policy
    }

    /// Header fields for `host` alone.
    pub(super) fn headers(&self, host: &HostKey) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in self.of(host).flat_map(|over| &over.headers) {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(seconds: u64) -> HostOverride {
        HostOverride { delay: Some(Duration::from_secs(seconds)), ..HostOverride::default() }
    }

    #[test]
    fn a_rate_takes_the_place_of_the_delay_unless_the_delay_stands_beside_it() {
        let rated = HostOverride { rate: "5/s".parse().ok(), burst: Some(10), ..HostOverride::default() };
        let both = HostOverride { rate: "5/s".parse().ok(), ..delay(3) };
        let overrides = Overrides::new(vec![("a.example".to_owned(), rated), ("b.example".to_owned(), both)]);
        let policy = |host: &str| overrides.policy(&Policy::default(), &HostKey::of(host));
        assert_eq!((policy("a.example").delay, policy("a.example").burst), (Duration::ZERO, 10));
        assert_eq!((policy("b.example").delay, policy("b.example").burst), (Duration::from_secs(3), 1));
        assert_eq!(policy("c.example").rate, None);
    }

    #[test]
    fn the_most_exact_table_wins_key_by_key() {
        let pages = HostOverride { max_pages: Some(7), ..delay(2) };
        let overrides = Overrides::new(vec![
            ("w.a.example".to_owned(), delay(4)),
            ("*.example".to_owned(), pages),
            ("*.a.example".to_owned(), delay(3)),
        ]);
        let seconds = |host: &str| overrides.policy(&Policy::default(), &HostKey::of(host)).delay.as_secs();
        let pages = |host: &str| overrides.policy(&Policy::default(), &HostKey::of(host)).max_pages;
        assert_eq!(seconds("w.a.example"), 4);
        assert_eq!(seconds("a.example"), 3);
        assert_eq!(seconds("b.example"), 2);
        assert_eq!(seconds("ba.example"), 2);
        assert_eq!(seconds("other.test"), 1);
        assert_eq!(pages("w.a.example"), Some(7));
        assert_eq!(pages("other.test"), Policy::default().max_pages);
    }
}
