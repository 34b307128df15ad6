//! What a host name is: its ASCII form, the address it may stand for, and the domain that it is part of.
//!
//! An address can be written in many ways (`2130706433`, `0x7f.1`, `0177.0.0.1`, `[::ffff:127.0.0.1]`, `127.0.0.1.`):
//! all of them come out as the one address. Nothing is looked up here: what a *name* resolves to is judged when the
//! connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use url::Host;

use crate::address::{AddressPolicy, address_of};

/// What can be said of a host without asking the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostFacts {
    /// The host as a URL carries it: lower case, `xn--` labels, IPv6 in brackets. `None` if it is no host.
    pub ascii: Option<String>,
    /// The address that it stands for in whatever notation; a v4 address inside a v6 one comes out as v4.
    pub ip: Option<IpAddr>,
    /// Whether the crawler never contacts it unless told to. Also true of what is no host.
    pub forbidden: bool,
    /// The part that one owner can register, by the public suffix list with its private part. `None` for addresses and
    /// for public suffixes themselves.
    pub registrable_domain: Option<String>,
}

/// Says what there is to say about a host, under the default [`AddressPolicy`].
#[must_use]
pub fn host_facts(host: &str) -> HostFacts {
    let Some(host) = parse_host(host) else {
        return HostFacts { ascii: None, ip: None, forbidden: true, registrable_domain: None };
    };
    let ascii = host.to_string();
    let ip = address_of(&host);
    let domain = registrable_domain(&ascii).filter(|_| ip.is_none());
    HostFacts {
        ip,
        forbidden: AddressPolicy::default().judge_host(&host).is_err(),
        registrable_domain: domain.map(str::to_owned),
        ascii: Some(ascii),
    }
}

/// Reads a host as the URL standard does in an http URL; IPv6 also without its brackets.
#[must_use]
pub fn parse_host(text: &str) -> Option<Host> {
    match text.parse::<Ipv6Addr>() {
        Ok(address) => Some(Host::Ipv6(address)),
        Err(_) => Host::parse(text).ok(),
    }
}

/// The domain that one owner can register, as in `example.co.uk` of `www.example.co.uk`, by the public suffix list with
/// its private part (`me.github.io` is a domain of its own). `host` is as a canonical URL carries it.
///
/// `None` for addresses, which the list would cut in two, and for public suffixes.
#[must_use]
pub fn registrable_domain(host: &str) -> Option<&str> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_address = name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok();
    if is_address { None } else { psl::domain_str(name) }
}

/// Whether a host is this machine itself: a loopback address in any notation, `localhost` or a name below it.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    match parse_host(host) {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_the_same_in_every_notation() {
        for text in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.0.0.1..",
            "2130706433",
            "0x7f000001",
            "0x7F.1",
            "0177.0.0.1",
            "127.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "::ffff:127.0.0.1",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
        ] {
            let facts = host_facts(text);
            assert_eq!(facts.ip, Some("127.0.0.1".parse().unwrap()), "{text}");
            assert!(facts.forbidden, "{text}");
            assert_eq!(facts.registrable_domain, None, "{text}");
        }
        assert_eq!(host_facts("127.66.6").ip, Some("127.66.0.6".parse().unwrap()));
        assert_eq!(host_facts("127.66.6.6.").ip, Some("127.66.6.6".parse().unwrap()));
        assert_eq!(host_facts("[0::1]").ascii.as_deref(), Some("[::1]"));
    }

    #[test]
    fn a_public_address_is_not_forbidden_and_has_no_domain() {
        let facts = host_facts("1.2.3.4");
        assert_eq!(facts.ascii.as_deref(), Some("1.2.3.4"));
        assert!(!facts.forbidden);
        assert_eq!(facts.registrable_domain, None);
    }

    #[test]
    fn names_of_the_machine_itself_and_of_private_networks_are_forbidden() {
        for name in
            ["localhost", "LOCALHOST.", "a.localhost", "printer.local", "vault.internal", "nas.home.arpa"]
        {
            assert!(host_facts(name).forbidden, "{name}");
        }
        for name in ["a.example", "localhost.example", "notlocalhost", "internal.example"] {
            assert!(!host_facts(name).forbidden, "{name}");
        }
    }

    #[test]
    fn the_registrable_domain_follows_the_public_suffix_list_with_its_private_part() {
        for (host, domain) in [
            ("www.example.co.uk", Some("example.co.uk")),
            ("WWW.Example.com.", Some("example.com")),
            ("me.github.io", Some("me.github.io")),
            ("www.bücher.de", Some("xn--bcher-kva.de")),
            ("co.uk", None),
            ("github.io", None),
            ("localhost", None),
        ] {
            assert_eq!(host_facts(host).registrable_domain.as_deref(), domain, "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_never_contacted() {
        for text in ["", "a b", "a/b", "me@a.example", "a.example:80", "[::1", "1.2.3.999", "a%00b"] {
            let facts = host_facts(text);
            assert_eq!(facts.ascii, None, "{text}");
            assert!(facts.forbidden, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_number_that_is_a_v4_address_is_the_same_address_however_it_is_written(bits in any::<u32>()) {
            let address = std::net::Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = address.octets();
            for text in [
                bits.to_string(),
                format!("0x{bits:x}"),
                format!("0{bits:o}"),
                format!("0{a:o}.0x{b:X}.{c}.{d}."),
                format!("{a}.{}", bits & 0xff_ffff),
                format!("[::ffff:{address}]"),
            ] {
                let facts = host_facts(&text);
                prop_assert_eq!(facts.ip, Some(address.into()), "{}", text);
                prop_assert_eq!(facts.forbidden, !AddressPolicy::default().permits(address.into()), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|[a-c0-9x.\\[\\]:%*-]{0,20}") {
            let facts = host_facts(&text);
            prop_assert!(facts.ascii.is_some() || facts.forbidden);
        }
    }
}
