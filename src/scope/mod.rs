//! May this URL belong to this crawl?

use crate::request::Request;
use crate::url::CanonicalUrl;

/// What belongs to a crawl. Judged on every link, seed and redirect hop.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Hosts that belong: a name, `*.name` for the name and everything below it, or an address. Empty: every host.
    pub hosts: Vec<HostPattern>,
    /// If not empty, a URL must match one of these.
    pub include: Vec<UrlPattern>,
    /// A URL that matches one of these does not belong, whatever `include` says.
    pub exclude: Vec<UrlPattern>,
    /// Most links from a seed.
    pub max_depth: Option<u32>,
}

/// Why a URL does not belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutOfScope {
    /// Its host is not in `hosts`.
    Host,
    /// No pattern of `include` matches.
    NotIncluded,
    /// This pattern of `exclude` matches.
    Excluded(String),
    /// More links from a seed than `max-depth`.
    TooDeep,
}

impl Scope {
    /// Whether `request` belongs to the crawl.
    ///
    /// # Errors
    /// The first rule that speaks against it.
    pub fn judge(&self, request: &Request) -> Result<(), OutOfScope> {
        if self.max_depth.is_some_and(|most| request.depth > most) {
            return Err(OutOfScope::TooDeep);
        }
        Ok(())
    }
}

/// A host name, `*.name`, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// In words, if it is no host name.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// A pattern over whole URLs: a path prefix or glob that begins with `/`, a glob over the whole URL, or `re:` and a regex.
#[derive(Debug, Clone)]
pub struct UrlPattern(regex::Regex);

impl UrlPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// In words, if it cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        regex::Regex::new(&regex::escape(text))
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Whether the URL matches.
    #[must_use]
    pub fn matches(&self, url: &CanonicalUrl) -> bool {
        self.0.is_match(url.as_str())
    }
}
