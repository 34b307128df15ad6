//! May this URL belong to this crawl?
//!
//! One question, asked of every seed, link and redirect hop: [`Scope::judge`]. Robots rules, addresses and budgets are
//! other rooms' questions. Pure: the answer depends on the request and the configuration alone.

mod host_pattern;
mod hosts;
mod limits;
mod pattern;

use crate::request::Request;

pub use host_pattern::HostPattern;
pub use hosts::HostPatterns;
pub use limits::{UrlLimits, UrlTrap};
pub use pattern::UrlPattern;

/// What belongs to a crawl. Judged on every link, seed and redirect hop.
///
/// The default has no hosts and so lets **every host of the web** in: a crawl that names none should use
/// [`Scope::of_seeds`].
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Hosts that belong: a name, `*.name` for the name and everything below it, or an address. Empty: every host.
    pub hosts: HostPatterns,
    /// If not empty, a URL must match one of these.
    pub include: Vec<UrlPattern>,
    /// A URL that matches one of these does not belong, whatever `include` says.
    pub exclude: Vec<UrlPattern>,
    /// Most links from a seed.
    pub max_depth: Option<u32>,
    /// Shapes of URLs that only a trap has.
    pub limits: UrlLimits,
}

/// Why a URL does not belong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// Its host is not in `hosts`.
    #[error("its host is not one of `hosts` in [scope]")]
    Host,
    /// No pattern of `include` matches.
    #[error("no pattern of `include` in [scope] matches it")]
    NotIncluded,
    /// This pattern of `exclude` matches.
    #[error("`exclude` in [scope] has a pattern that matches it: {0}")]
    Excluded(String),
    /// More links from a seed than `max-depth`.
    #[error("it is more links away from a seed than `max-depth` in [scope] says")]
    TooDeep,
    /// It looks like one of endlessly many.
    #[error("it looks like a trap: {0}")]
    Trap(#[from] UrlTrap),
}

impl Scope {
    /// The hosts of the seeds, by their exact names, over all schemes and ports. Without seeds: every host.
    #[must_use]
    pub fn of_seeds(seeds: &[Request]) -> Self {
        let mut hosts: Vec<HostPattern> = seeds.iter().map(|seed| HostPattern::exactly(&seed.url)).collect();
        hosts.sort();
        hosts.dedup();
        Self { hosts: hosts.into(), ..Self::default() }
    }

    /// Whether `request` belongs to the crawl. Of a sitemap neither `include` nor depth is asked: they are about pages.
    ///
    /// # Errors
    /// The first rule that speaks against it: host, `exclude`, `include`, depth, shape.
    pub fn judge(&self, request: &Request) -> Result<(), OutOfScope> {
        let url = &request.url;
        if !self.hosts.is_empty() && !self.hosts.matches(url) {
            return Err(OutOfScope::Host);
        }
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.matches(url)) {
            return Err(OutOfScope::Excluded(pattern.as_str().to_owned()));
        }
        if !request.kind.is_sitemap() {
            self.judge_page(request)?;
        }
        Ok(self.limits.judge(url)?)
    }

    /// What is asked of pages alone. A sitemap of `/docs/` lies at `/sitemap.xml`.
    fn judge_page(&self, request: &Request) -> Result<(), OutOfScope> {
        let included = self.include.iter().any(|pattern| pattern.matches(&request.url));
        if !self.include.is_empty() && !included {
            return Err(OutOfScope::NotIncluded);
        }
        if self.max_depth.is_some_and(|most| request.depth > most) {
            return Err(OutOfScope::TooDeep);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::CanonicalUrl;

    fn request(url: &str) -> Request {
        Request::get(CanonicalUrl::parse(url).unwrap())
    }

    fn pattern(text: &str) -> UrlPattern {
        UrlPattern::parse(text).unwrap()
    }

    #[test]
    fn the_seeds_hosts_belong_and_no_other() {
        let scope = Scope::of_seeds(&[
            request("https://a.example/x"),
            request("http://a.example:8080/"),
            request("http://127.0.10.3/"),
        ]);
        assert_eq!(scope.hosts.len(), 2);
        for url in ["http://a.example./y", "https://A.example:1/", "https://127.0.10.3/"] {
            assert_eq!(scope.judge(&request(url)), Ok(()), "{url}");
        }
        for url in ["http://www.a.example/", "http://127.0.10.4/", "http://a.example.b.example/"] {
            assert_eq!(scope.judge(&request(url)), Err(OutOfScope::Host), "{url}");
        }
    }

    #[test]
    fn exclude_wins_over_include() {
        let scope = Scope {
            include: vec![pattern("/docs/"), pattern("/blog/")],
            exclude: vec![pattern("/docs/private")],
            ..Scope::default()
        };
        assert_eq!(scope.judge(&request("http://a.example/docs/x")), Ok(()));
        assert_eq!(scope.judge(&request("http://a.example/")), Err(OutOfScope::NotIncluded));
        let refused = scope.judge(&request("http://a.example/docs/private/x")).unwrap_err();
        assert_eq!(refused, OutOfScope::Excluded("/docs/private".to_owned()));
        assert!(refused.to_string().ends_with("matches it: /docs/private"));
    }

    #[test]
    fn a_sitemap_belongs_if_its_host_does_and_nothing_excludes_it() {
        let scope = Scope {
            include: vec![pattern("/docs/")],
            exclude: vec![pattern("/old.xml")],
            ..Scope::of_seeds(&[request("http://a.example/docs/")])
        };
        let judge = |url: &str| scope.judge(&Request::sitemap(CanonicalUrl::parse(url).unwrap()));
        assert_eq!(judge("http://a.example/sitemap.xml"), Ok(()));
        assert_eq!(judge("http://b.example/sitemap.xml"), Err(OutOfScope::Host));
        assert!(matches!(judge("http://a.example/old.xml"), Err(OutOfScope::Excluded(_))));
    }

    #[test]
    fn a_page_at_the_most_depth_belongs_and_its_links_do_not() {
        let scope = Scope { max_depth: Some(2), ..Scope::default() };
        let at = |depth| {
            let mut request = request("http://a.example/");
            request.depth = depth;
            request
        };
        assert_eq!(scope.judge(&at(2)), Ok(()));
        assert_eq!(scope.judge(&at(3)), Err(OutOfScope::TooDeep));
    }

    #[test]
    fn a_trap_does_not_belong_and_is_named() {
        let refused = Scope::default().judge(&request("http://a.example/x/x/x/")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "it looks like a trap: `x` stands 3 times in a row in its path, more than 2"
        );
    }
}
