//! Which addresses may be contacted: the guard against being sent to private networks.
//!
//! Everything outside the public unicast internet is refused unless the user has opened its network. The table follows
//! the IANA special-purpose registries (RFC 6890 and what was registered since). A v4 address inside a v6 one is judged
//! as what it is, so that no notation leads around the table. A *name* can lead anywhere: what it resolves to must be
//! judged when the connection is made, by [`AddressPolicy::permits`].
//!
//! Pure: nothing is resolved here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

/// Addresses outside the public internet are refused unless one of these networks holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// In their order, without overlap: an address is looked for in few steps, however many there are.
    allow: Vec<IpNet>,
}

/// Why an address or a host is not contacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target} is never contacted: {reason} ({source_of_rule}); open its network with `allow` in [net]")]
pub struct Refused {
    target: String,
    reason: &'static str,
    source_of_rule: &'static str,
}

impl AddressPolicy {
    /// Public addresses and those inside `allow`.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        // A network of v4-mapped addresses (`::ffff:10.0.0.0/104`) opens the v4 addresses that it is made of.
        let inner: Vec<IpNet> = allow.iter().filter_map(unmapped).collect();
        Self { allow: IpNet::aggregate(&[allow, inner].concat()) }
    }

    /// Opens these addresses too.
    #[must_use]
    pub fn and(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.allow.extend(addresses.into_iter().map(IpNet::from));
        Self::new(self.allow)
    }

    /// Whether a request may go to `address`.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        self.judge(address).is_ok()
    }

    /// Whether a request may go to `address`.
    ///
    /// # Errors
    /// [`Refused`] with the network that the address is in, and the standard that sets it apart.
    pub fn judge(&self, address: IpAddr) -> Result<(), Refused> {
        let carried = carried_v4(address);
        if self.opens(address) || carried.is_some_and(|inner| self.opens(inner.into())) {
            return Ok(());
        }
        let reserved = match (address, carried) {
            (_, Some(inner)) => find_v4(inner),
            (IpAddr::V4(address), None) => find_v4(address),
            (IpAddr::V6(address), None) => find_v6(address),
        };
        match reserved {
            None => Ok(()),
            Some((reason, source)) => Err(refused(&address, reason, source)),
        }
    }

    /// Whether the host of a URL may be contacted, as far as can be said before its name is resolved.
    ///
    /// An address is judged in any notation. The names of the machine itself are judged as its loopback addresses. The
    /// names of private networks are refused as long as no network is opened; then their addresses decide.
    ///
    /// # Errors
    /// [`Refused`] in words for the user.
    pub fn judge_host<S: AsRef<str>>(&self, host: &Host<S>) -> Result<(), Refused> {
        if let Some(address) = address_of(host) {
            return self.judge(address);
        }
        let Host::Domain(name) = host else { return Ok(()) };
        let name = name.as_ref().trim_end_matches('.');
        if is_below(name, LOOPBACK_NAMES) && !self.opens_loopback() {
            return Err(refused(&name, "this machine", "RFC 6761 6.3"));
        }
        if is_below(name, PRIVATE_NAMES) && self.allow.is_empty() {
            return Err(refused(&name, "a name of private networks", "RFC 6762, RFC 8375, ICANN .internal"));
        }
        Ok(())
    }

    fn opens(&self, address: IpAddr) -> bool {
        let behind = self.allow.partition_point(|network| network.network() <= address);
        behind.checked_sub(1).is_some_and(|last| self.allow[last].contains(&address))
    }

    fn opens_loopback(&self) -> bool {
        self.opens(Ipv4Addr::LOCALHOST.into()) || self.opens(Ipv6Addr::LOCALHOST.into())
    }
}

/// The address that a host stands for, if it is not a name. Dots at its end do not make it one.
#[must_use]
pub fn address_of<S: AsRef<str>>(host: &Host<S>) -> Option<IpAddr> {
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
        Host::Domain(name) => {
            let name = name.as_ref().strip_suffix('.')?.trim_end_matches('.');
            match Host::parse(name).ok()? {
                Host::Ipv4(address) => IpAddr::V4(address),
                Host::Ipv6(_) | Host::Domain(_) => return None,
            }
        }
    };
    Some(address.to_canonical())
}

fn refused(target: &dyn fmt::Display, reason: &'static str, source_of_rule: &'static str) -> Refused {
    Refused { target: target.to_string(), reason, source_of_rule }
}

/// The v4 network that a network of v4-mapped addresses stands for: `::/0` is none, it opens no v4 address.
fn unmapped(network: &IpNet) -> Option<IpNet> {
    match network {
        IpNet::V6(network) if MAPPED.contains(network) => {
            let first = network.network().to_ipv4_mapped()?;
            Ipv4Net::new(first, network.prefix_len() - MAPPED.prefix_len()).ok().map(IpNet::V4)
        }
        _ => None,
    }
}

fn is_below(name: &str, parents: &[&str]) -> bool {
    parents.iter().any(|parent| {
        let start = name.len().checked_sub(parent.len());
        start.is_some_and(|start| {
            name.is_char_boundary(start)
                && name[start..].eq_ignore_ascii_case(parent)
                && (start == 0 || name[..start].ends_with('.'))
        })
    })
}

/// The v4 address that a v6 address leads to, where the form says so.
fn carried_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let bytes = address.octets();
    let (_, at) = *CARRIERS.iter().find(|(network, _)| network.contains(&address))?;
    Some(Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]))
}

fn find_v4(address: Ipv4Addr) -> Option<(&'static str, &'static str)> {
    let row = RESERVED_V4.iter().find(|(network, ..)| network.contains(&address));
    row.map(|&(_, reason, source)| (reason, source))
}

fn find_v6(address: Ipv6Addr) -> Option<(&'static str, &'static str)> {
    let row = RESERVED_V6.iter().find(|(network, ..)| network.contains(&address));
    match row {
        Some(&(_, reason, source)) => Some((reason, source)),
        None if GLOBAL_UNICAST.contains(&address) => None,
        None => Some(("outside global unicast", "RFC 4291 2.4")),
    }
}

/// Names that stand for the machine itself, and all below them.
const LOOPBACK_NAMES: &[&str] =
    &["localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"];

/// Names that only mean something inside a private network, and all below them.
const PRIVATE_NAMES: &[&str] = &["local", "internal", "home.arpa"];

const MAPPED: Ipv6Net = v6([0, 0, 0, 0, 0, 0xffff], 96);

/// Where global unicast addresses are given out from.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0], 3);

/// Forms of v6 addresses that carry a v4 address, and the octet where it begins.
const CARRIERS: [(Ipv6Net, usize); 4] = [
    (MAPPED, 12),                             // v4-mapped, RFC 4291 2.5.5.2
    (v6([0, 0, 0, 0, 0, 0], 96), 12),         // v4-compatible (also `::` and `::1`), RFC 4291 2.5.5.1
    (v6([0x64, 0xff9b, 0, 0, 0, 0], 96), 12), // NAT64, RFC 6052
    (v6([0x2002, 0, 0, 0, 0, 0], 16), 2),     // 6to4, RFC 3056
];

type Row<N> = (N, &'static str, &'static str);

const RESERVED_V4: [Row<Ipv4Net>; 17] = [
    (v4([0, 0, 0, 0], 8), "this network", "RFC 791 3.2"),
    (v4([10, 0, 0, 0], 8), "a private network", "RFC 1918"),
    (v4([100, 64, 0, 0], 10), "a carrier's shared network", "RFC 6598"),
    (v4([127, 0, 0, 0], 8), "this machine", "RFC 1122 3.2.1.3"),
    (v4([168, 63, 129, 16], 32), "a cloud's own service", "Azure platform address"),
    (v4([169, 254, 0, 0], 16), "link-local, also cloud metadata", "RFC 3927"),
    (v4([172, 16, 0, 0], 12), "a private network", "RFC 1918"),
    (v4([192, 0, 0, 0], 24), "protocol assignments", "RFC 6890 2.1"),
    (v4([192, 0, 2, 0], 24), "documentation", "RFC 5737"),
    (v4([192, 88, 99, 0], 24), "6to4 relays", "RFC 7526"),
    (v4([192, 168, 0, 0], 16), "a private network", "RFC 1918"),
    (v4([198, 18, 0, 0], 15), "benchmarks", "RFC 2544"),
    (v4([198, 51, 100, 0], 24), "documentation", "RFC 5737"),
    (v4([203, 0, 113, 0], 24), "documentation", "RFC 5737"),
    (v4([224, 0, 0, 0], 4), "multicast", "RFC 5771"),
    (v4([255, 255, 255, 255], 32), "broadcast", "RFC 8190"),
    (v4([240, 0, 0, 0], 4), "reserved", "RFC 1112 4"),
];

/// What is not in [`GLOBAL_UNICAST`] is refused without a row; rows outside it are here for their words.
const RESERVED_V6: [Row<Ipv6Net>; 10] = [
    (v6([0x64, 0xff9b, 1, 0, 0, 0], 48), "a local translator", "RFC 8215"),
    (v6([0x100, 0, 0, 0, 0, 0], 64), "discard only", "RFC 6666"),
    (v6([0x2001, 0, 0, 0, 0, 0], 23), "protocol assignments, Teredo", "RFC 2928, RFC 4380"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0], 32), "documentation", "RFC 3849"),
    (v6([0x3fff, 0, 0, 0, 0, 0], 20), "documentation", "RFC 9637"),
    (v6([0x5f00, 0, 0, 0, 0, 0], 16), "segment routing", "RFC 9602"),
    (v6([0xfc00, 0, 0, 0, 0, 0], 7), "a private network", "RFC 4193"),
    (v6([0xfe80, 0, 0, 0, 0, 0], 10), "link-local", "RFC 4291 2.5.6"),
    (v6([0xfec0, 0, 0, 0, 0, 0], 10), "site-local", "RFC 3879"),
    (v6([0xff00, 0, 0, 0, 0, 0], 8), "multicast", "RFC 4291 2.7"),
];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// The last two groups of every network of the tables are 0.
const fn v6(groups: [u16; 6], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f] = groups;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(networks: &[&str]) -> AddressPolicy {
        AddressPolicy::new(networks.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn permits(policy: &AddressPolicy, address: &str) -> bool {
        policy.permits(address.parse().unwrap())
    }

    #[test]
    fn nothing_outside_public_unicast_is_contacted() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.66.6.6",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!permits(&AddressPolicy::default(), address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_contacted() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(permits(&AddressPolicy::default(), address), "{address}");
        }
    }

    #[test]
    fn an_opened_network_opens_its_addresses_in_every_form() {
        let policy = open(&["127.0.10.0/24"]);
        for address in ["127.0.10.7", "::ffff:127.0.10.7", "64:ff9b::127.0.10.7", "2002:7f00:a07::"] {
            assert!(permits(&policy, address), "{address}");
        }
        for address in ["127.66.6.6", "::ffff:127.66.6.6", "::1", "10.0.0.1"] {
            assert!(!permits(&policy, address), "{address}");
        }
    }

    #[test]
    fn a_network_of_mapped_addresses_opens_the_v4_addresses_inside() {
        let policy = open(&["::ffff:10.1.0.0/112"]);
        assert!(permits(&policy, "10.1.2.3"));
        assert!(permits(&policy, "::ffff:10.1.2.3"));
        assert!(!permits(&policy, "10.2.0.1"));
    }

    #[test]
    fn all_of_v6_does_not_open_v4() {
        assert!(!permits(&open(&["::/0"]), "10.0.0.1"));
        assert!(permits(&open(&["::/0"]), "fd00::1"));
    }

    #[test]
    fn a_refusal_says_why_and_what_to_do() {
        let refusal = AddressPolicy::default().judge("169.254.169.254".parse().unwrap()).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "169.254.169.254 is never contacted: link-local, also cloud metadata (RFC 3927); open its network with \
             `allow` in [net]"
        );
    }

    #[test]
    fn the_names_of_the_machine_itself_follow_its_loopback_addresses() {
        let judge = |policy: &AddressPolicy, name| policy.judge_host(&Host::Domain(name)).is_ok();
        assert!(!judge(&AddressPolicy::default(), "a.localhost"));
        assert!(!judge(&open(&["10.0.0.0/8"]), "localhost."));
        assert!(judge(&open(&["127.0.0.0/8"]), "localhost"));
        assert!(judge(&open(&["10.0.0.0/8"]), "wiki.internal"));
        assert!(!judge(&AddressPolicy::default(), "wiki.internal"));
    }

    proptest! {
        #[test]
        fn a_v4_address_is_judged_alike_in_all_its_v6_forms(bits in any::<u32>(), opened in any::<u32>(), length in 0u8..=32) {
            let address = Ipv4Addr::from_bits(bits);
            let network = Ipv4Net::new(Ipv4Addr::from_bits(opened), length).unwrap();
            for policy in [AddressPolicy::default(), AddressPolicy::new(vec![network.into()])] {
                let alone = policy.permits(address.into());
                prop_assert_eq!(policy.permits(address.to_ipv6_mapped().into()), alone);
                let [a, b, c, d] = address.octets().map(u16::from);
                let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
                prop_assert_eq!(policy.permits(translated.into()), alone);
            }
        }

        #[test]
        fn the_standard_library_never_knows_a_reserved_v4_address_that_the_table_misses(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            if address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified()
            {
                prop_assert!(!AddressPolicy::default().permits(address.into()));
            }
        }
    }
}
