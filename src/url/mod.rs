//! URLs in one normal form, and the three units that are cut out of them: host, origin and fingerprint.
//!
//! The URL standard's parser (crate `url`, see [`resolve`]) already lower-cases scheme and host, drops default ports and
//! resolves dot segments; [`Canon`] adds the switchable steps on top, listed in the table at [`CanonStep`]. Only http and
//! https exist here: every other scheme is refused at the door, so no later room has to think of `file:` or
//! `javascript:`.
//!
//! Whether an address may be contacted and whether a URL belongs to the crawl is judged elsewhere.

mod canon;
mod keyed;
mod query;
mod standard;
mod steps;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;
use xxhash_rust::xxh3::Xxh3;

pub use canon::{Canon, CanonChange, CanonStep};
pub(crate) use keyed::{ByFingerprint, Keys};
pub use query::{escaped, parameter, set_parameter};
pub use standard::resolve;
pub(crate) use steps::normal_escapes;

/// URLs longer than this are refused.
pub const MAX_URL_BYTES: usize = 8_192;

/// An absolute http or https URL in normal form, without a fragment.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanonicalUrl(Url);

/// Why a string is not a URL that can be crawled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not a URL by the URL standard.
    #[error("`{url}` is not a URL ({reason}): write it in full, as in https://example.com/")]
    Invalid {
        /// The text, cut to a printable length.
        url: String,
        /// The parser's words.
        reason: String,
    },
    /// A scheme that the crawler never opens.
    #[error("`{scheme}:` URLs are never opened: use http or https")]
    Scheme {
        /// The scheme found.
        scheme: String,
    },
    /// Longer than [`MAX_URL_BYTES`].
    #[error("the URL has {length} bytes: at most {MAX_URL_BYTES} are accepted")]
    TooLong {
        /// Bytes it has.
        length: usize,
    },
}

impl CanonicalUrl {
    /// Parses with the default steps.
    ///
    /// # Errors
    /// As [`Canon::parse`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Canon::default().parse(text)
    }

    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The host name or address, without port, as it stands in the URL; IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The unit of politeness: the host over all schemes and ports, a final dot dropped.
    #[must_use]
    pub fn host_key(&self) -> HostKey {
        HostKey::of(self.host())
    }

    /// Scheme, host and port: the unit of robots.txt, cookies and credentials.
    #[must_use]
    pub fn origin(&self) -> Origin {
        if self.0.username().is_empty() && self.0.password().is_none() {
            // Nothing stands between scheme and host: it is the beginning of the URL.
            return Origin(self.0[..url::Position::BeforePath].into());
        }
        let port = self.0.port().map(|port| format!(":{port}")).unwrap_or_default();
        Origin(format!("{}://{}{port}", self.0.scheme(), self.host()).into())
    }

    /// The digest of the whole URL.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.as_str().as_bytes())
    }

    /// Path and query, as the request line carries them.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

/// As `Display`, in quotes.
impl fmt::Debug for CanonicalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Prints the URL with a password, if there is one, replaced by `***`.
impl fmt::Display for CanonicalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.password().is_none() {
            return f.write_str(self.as_str());
        }
        let mut shown = self.0.clone();
        shown.set_password(Some("***")).map_err(|()| fmt::Error)?;
        f.write_str(shown.as_str())
    }
}

impl Serialize for CanonicalUrl {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

/// What was written in normal form is read back as it stands, whatever steps are switched on by now.
impl<'de> Deserialize<'de> for CanonicalUrl {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Canon::of([]).parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The unit of politeness: one host name or address, over all schemes and ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostKey(Arc<str>);

impl HostKey {
    /// The key of a host name in ASCII form; a final dot is dropped.
    #[must_use]
    pub fn of(host: &str) -> Self {
        let host = host.strip_suffix('.').unwrap_or(host);
        match host.bytes().any(|letter| letter.is_ascii_uppercase()) {
            true => Self(host.to_ascii_lowercase().into()),
            false => Self(host.into()),
        }
    }

    /// The host name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Scheme, host and port, as in `https://example.com` or `http://127.0.0.1:8080`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The origin as text, without a final slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where this origin's robots.txt is (RFC 9309 2.3).
    #[must_use]
    pub fn robots_url(&self) -> CanonicalUrl {
        CanonicalUrl(Url::parse(&format!("{}/robots.txt", self.0)).expect("an origin was cut out of a URL"))
    }

    /// The host of this origin.
    #[must_use]
    pub fn host_key(&self) -> HostKey {
        let name = self.0.split_once("://").map_or(&*self.0, |(_, name)| name);
        // A colon is in front of a port, or inside of an address in brackets.
        let name =
            name.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(name, |(name, _)| name);
        HostKey::of(name)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of the seen-set: 64 bits that are the same on every machine and in every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The hash function to feed, piece by piece.
    #[must_use]
    pub fn hasher() -> Xxh3 {
        Xxh3::new()
    }

    /// The digest of what was fed.
    #[must_use]
    pub fn from_hasher(hasher: &Xxh3) -> Self {
        Self(hasher.digest())
    }

    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(bytes))
    }

    /// The 64 bits.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The fingerprint with these bits, as read from disk.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canon(text: &str) -> String {
        CanonicalUrl::parse(text).unwrap().as_str().to_owned()
    }

    #[test]
    fn the_fragment_is_no_part_of_a_page() {
        assert_eq!(canon("http://A.example:80/x/../y#top"), "http://a.example/y");
    }

    #[test]
    fn only_http_and_https_come_in() {
        for text in ["file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "ftp://a.example/"] {
            assert!(matches!(CanonicalUrl::parse(text), Err(UrlError::Scheme { .. })), "{text}");
        }
    }

    #[test]
    fn one_host_is_one_unit_of_politeness_whatever_its_port() {
        let (a, b) = (
            CanonicalUrl::parse("http://a.example:8080/").unwrap(),
            CanonicalUrl::parse("https://A.example./").unwrap(),
        );
        assert_eq!(a.host_key(), b.host_key());
        assert_ne!(a.origin(), b.origin());
        assert_eq!(a.origin().robots_url().as_str(), "http://a.example:8080/robots.txt");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_whatever_else_there_is() {
        for (url, origin) in [
            ("https://a.example/x?y", "https://a.example"),
            ("https://a.example:443/", "https://a.example"),
            ("http://[::1]:8080/x", "http://[::1]:8080"),
            ("https://me@a.example/", "https://a.example"),
            ("https://me:secret@a.example:8443/", "https://a.example:8443"),
            ("https://:secret@a.example/", "https://a.example"),
        ] {
            assert_eq!(CanonicalUrl::parse(url).unwrap().origin().as_str(), origin);
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let url = CanonicalUrl::parse("http://me:secret@a.example/").unwrap();
        assert!(!url.to_string().contains("secret"));
        assert!(!format!("{url:?}").contains("secret"));
        let error = CanonicalUrl::parse("http://me:secret@a b/x@y").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`http://***@a b/x@y` is not a URL (invalid international domain name): write it in full, as in \
             https://example.com/"
        );
    }
}
