//! Hosts that belong to a crawl, as they are written in a crawler file.

use std::fmt;

use url::Host;

use super::hosts::plain;
use crate::url::CanonicalUrl;

/// A host name, `*.name` for the name and everything below it, an address, or `*` for every host; with `:port` only that
/// port. Names are compared in ASCII form, without letter case and without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    host: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Hosts {
    All,
    One(String),
    /// This name and all that end with a dot and it.
    Tree(String),
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// In words, if it is no host name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return Err(format!("`{text}` is a URL: write the host alone, as in `{host}`"));
        }
        if let Some((host, _)) = text.split_once('/') {
            return Err(format!("`{text}` has a path: write `{host}` here and the path in `include`"));
        }
        let (name, port) = split_port(text)?;
        let host = match name.strip_prefix("*.") {
            _ if name == "*" => Hosts::All,
            Some(parent) => Hosts::Tree(domain(parent)?),
            None => Hosts::One(ascii(name)?),
        };
        Ok(Self { host, port })
    }

    /// The host of this URL and no other, on every port.
    pub(super) fn exactly(url: &CanonicalUrl) -> Self {
        Self { host: Hosts::One(url.host_key().as_str().to_owned()), port: None }
    }

    /// The name of the one host, if it is one on every port.
    pub(super) fn name(&self) -> Option<&str> {
        match (&self.host, self.port) {
            (Hosts::One(name), None) => Some(name),
            _ => None,
        }
    }

    /// Whether the URL's host belongs.
    #[must_use]
    pub fn matches(&self, url: &CanonicalUrl) -> bool {
        if self.port.is_some() && self.port != url.as_url().port_or_known_default() {
            return false;
        }
        self.matches_name(plain(url))
    }

    /// The port, if it is for one alone.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the host belongs on some port: a name in ASCII, in small letters and without a final dot, or an address.
    pub(crate) fn matches_name(&self, host: &str) -> bool {
        match &self.host {
            Hosts::All => true,
            Hosts::One(name) => host == name,
            Hosts::Tree(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'))
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Hosts::All => f.write_str("*")?,
            Hosts::One(name) => f.write_str(name)?,
            Hosts::Tree(name) => write!(f, "*.{name}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A v6 address has colons of its own: with a port it stands in brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    if text.parse::<std::net::Ipv6Addr>().is_ok() || text.ends_with(']') {
        return Ok((text, None));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Ok((text, None));
    };
    match port.parse() {
        Ok(port) => Ok((host, Some(port))),
        Err(_) => Err(format!("`{port}` in `{text}` is no port: write a number from 0 to 65535")),
    }
}

fn domain(parent: &str) -> Result<String, String> {
    let name = ascii(parent)?;
    match Host::parse(&name) {
        Ok(Host::Domain(_)) => Ok(name),
        _ => Err(format!("`*.{parent}` is no pattern: an address has nothing below it, write `{parent}`")),
    }
}

/// The form in which the name stands in a canonical URL, without a final dot.
fn ascii(name: &str) -> Result<String, String> {
    if name.contains('*') {
        return Err(format!(
            "`{name}` is no host: a `*` can only stand alone or in front, as in `*.example.com`"
        ));
    }
    if let Ok(address) = name.parse::<std::net::Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    let plain = name.strip_suffix('.').unwrap_or(name);
    let refused = |reason: &str| {
        format!("`{name}` is no host name ({reason}): write it as in `example.com` or `*.example.com`")
    };
    let host = Host::parse(plain).map_err(|error| refused(&error.to_string()))?.to_string();
    // What is left of `a..` would be written as `a.` and be read as `a` again.
    if host.ends_with('.') { Err(refused("empty label")) } else { Ok(host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, url: &str) -> bool {
        HostPattern::parse(pattern).unwrap().matches(&CanonicalUrl::parse(url).unwrap())
    }

    #[test]
    fn a_name_is_that_host_and_nothing_below_it() {
        assert!(matches("Example.com.", "https://example.com:8443/x"));
        assert!(!matches("example.com", "https://www.example.com/"));
        assert!(!matches("example.com", "https://notexample.com/"));
    }

    #[test]
    fn a_star_and_a_name_is_the_name_and_everything_below_it() {
        for url in ["http://example.com/", "http://www.example.com/", "http://a.b.example.com./"] {
            assert!(matches("*.example.com", url), "{url}");
        }
        for url in ["http://notexample.com/", "http://example.com.b.example/", "http://com/"] {
            assert!(!matches("*.example.com", url), "{url}");
        }
    }

    #[test]
    fn a_port_narrows_and_without_one_every_port_belongs() {
        assert!(matches("example.com:443", "https://example.com/"));
        assert!(!matches("example.com:443", "http://example.com/"));
        assert!(matches("*.example.com:8080", "http://www.example.com:8080/"));
        assert!(matches("[::1]:8080", "http://[::1]:8080/"));
        assert!(!matches("[::1]:8080", "http://[::1]/"));
    }

    #[test]
    fn addresses_and_foreign_letters_are_compared_in_normal_form() {
        assert!(matches("::1", "http://[0::1]/"));
        assert!(matches("127.0.0.1", "http://0x7f.1/"));
        assert!(matches("bücher.example", "http://xn--bcher-kva.example/"));
        assert!(matches("*", "http://anything.example/"));
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_remedy() {
        for (text, remedy) in [
            ("https://a.example/x", "write the host alone, as in `a.example`"),
            ("a.example/x", "write `a.example` here and the path in `include`"),
            ("www.*.example", "as in `*.example.com`"),
            ("a.example:http", "write a number"),
            ("*.127.0.0.1", "write `127.0.0.1`"),
            ("a b", "no host name"),
            ("", "no host name"),
            ("a.example..", "no host name"),
        ] {
            let error = HostPattern::parse(text).unwrap_err();
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }

    #[test]
    fn it_prints_as_it_can_be_read_again() {
        for text in ["*", "example.com", "*.example.com:80", "[::1]:8080", "127.0.0.1"] {
            let pattern = HostPattern::parse(text).unwrap();
            assert_eq!(pattern.to_string(), text);
        }
    }
}
