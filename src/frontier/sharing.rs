//! What hosts may share, and how much of it: a domain, an address.
//!
//! Plain settings and the two tables behind their defaults. Who waits for whom is [`super::groups`]'s business.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use crate::host::registrable_domain;
use crate::politeness::Rate;
use crate::url::HostKey;

/// Which hosts share one pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// Each host has its own.
    #[default]
    Host,
    /// All hosts of a registrable domain, by the public suffix list with its private part.
    Domain,
    /// All hosts that lead to one address.
    Ip,
}

/// What holds for hosts that belong together.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// Which hosts share one pace. Default: none, each host has its own.
    pub group: Grouping,
    /// Domains under which every name is a customer's, beside [`MULTI_TENANT`]: their hosts stay single, and at most
    /// [`TENANTS_IN_FLIGHT`] requests of such a domain are in flight. Default: none.
    pub multi_tenant: Vec<String>,
    /// Requests in flight to one address over all names that lead to it. One host alone may have as many as its own
    /// concurrency allows. Default 2; `None`: no limit.
    pub address_concurrency: Option<u32>,
    /// Requests in a time to one address over all names that lead to it. Default: no limit.
    pub address_rate: Option<Rate>,
    /// Networks whose addresses stand for many machines, so that neither these limits nor [`Grouping::Ip`] count there.
    /// Default: [`content_networks`].
    pub address_exempt: Vec<IpNet>,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            group: Grouping::Host,
            multi_tenant: Vec::new(),
            address_concurrency: Some(2),
            address_rate: None,
            address_exempt: content_networks(),
        }
    }
}

impl Sharing {
    /// Whether the address of a host makes any difference.
    pub(super) const fn needs_addresses(&self) -> bool {
        matches!(self.group, Grouping::Ip)
            || self.address_concurrency.is_some()
            || self.address_rate.is_some()
    }

    /// The address as the limits know it; `None` if they do not count there.
    pub(super) fn counted(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        let exempt = self.address_exempt.iter().any(|network| network.contains(&address));
        (!exempt).then_some(address)
    }

    /// The multi-tenant domain that a host is a customer's name of.
    pub(super) fn landlord<'a>(&self, host: &'a HostKey) -> Option<&'a str> {
        let name = host.as_str();
        let mut parents = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
        parents.find(|parent| {
            MULTI_TENANT.contains(parent)
                || self.multi_tenant.iter().any(|own| own.eq_ignore_ascii_case(parent))
        })
    }

    /// The domain that the hosts of one owner share.
    pub(super) fn domain(host: &HostKey) -> Option<&str> {
        registrable_domain(host.as_str())
    }
}

/// Requests in flight to all hosts of a multi-tenant domain together: they share machines, if not an owner.
pub const TENANTS_IN_FLIGHT: u32 = 8;

/// Domains under which every name is a customer's and that the public suffix list does not know as such: large hosts of
/// blogs, shops and wikis. A domain that makes it into the list is taken out here.
pub const MULTI_TENANT: &[&str] = &[
    "bandcamp.com",
    "bigcartel.com",
    "deviantart.com",
    "fandom.com",
    "ghost.io",
    "jimdofree.com",
    "libsyn.com",
    "livejournal.com",
    "medium.com",
    "neocities.org",
    "over-blog.com",
    "podbean.com",
    "squarespace.com",
    "substack.com",
    "tumblr.com",
    "weebly.com",
    "wikidot.com",
    "wordpress.com",
];

/// The published networks of content-delivery networks: an address there is a front door to thousands of machines.
/// Sources: <https://www.cloudflare.com/ips/> and <https://api.fastly.com/public-ip-list>, both as of 2026.
#[must_use]
pub fn content_networks() -> Vec<IpNet> {
    let read = |text: &&str| text.parse().expect("a test reads every line of the table");
    CLOUDFLARE.iter().chain(FASTLY).map(read).collect()
}

const CLOUDFLARE: &[&str] = &[
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "108.162.192.0/18",
    "131.0.72.0/22",
    "141.101.64.0/18",
    "162.158.0.0/15",
    "172.64.0.0/13",
    "173.245.48.0/20",
    "188.114.96.0/20",
    "190.93.240.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "2400:cb00::/32",
    "2405:8100::/32",
    "2405:b500::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

const FASTLY: &[&str] = &[
    "23.235.32.0/20",
    "43.249.72.0/22",
    "103.244.50.0/24",
    "103.245.222.0/23",
    "103.245.224.0/24",
    "104.156.80.0/20",
    "140.248.64.0/18",
    "140.248.128.0/17",
    "146.75.0.0/17",
    "151.101.0.0/16",
    "157.52.64.0/18",
    "167.82.0.0/17",
    "167.82.128.0/20",
    "167.82.160.0/20",
    "167.82.224.0/20",
    "172.111.64.0/18",
    "185.31.16.0/22",
    "199.27.72.0/21",
    "199.232.0.0/16",
    "2a04:4e40::/32",
    "2a04:4e42::/32",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_content_network_does_not_count() {
        let sharing = Sharing::default();
        let counted = |text: &str| sharing.counted(text.parse().unwrap());
        assert_eq!(counted("104.16.1.2"), None);
        assert_eq!(counted("::ffff:151.101.1.69"), None);
        assert_eq!(counted("2606:4700::6810:1"), None);
        assert_eq!(counted("::ffff:198.51.100.7"), Some("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn customers_of_a_multi_tenant_domain_are_known_and_the_domain_itself_is_none() {
        let sharing = Sharing { multi_tenant: vec!["Pages.Example".to_owned()], ..Sharing::default() };
        let landlord = |host: &str| sharing.landlord(&HostKey::of(host)).map(str::to_owned);
        assert_eq!(landlord("me.wordpress.com").as_deref(), Some("wordpress.com"));
        assert_eq!(landlord("a.b.pages.example").as_deref(), Some("pages.example"));
        for host in ["wordpress.com", "notwordpress.com", "a.example", "127.0.0.1", "[::1]"] {
            assert_eq!(landlord(host), None, "{host}");
        }
    }

    #[test]
    fn no_domain_of_the_table_is_in_the_public_suffix_list() {
        for domain in MULTI_TENANT {
            let name = HostKey::of(&format!("customer.{domain}"));
            assert_eq!(Sharing::domain(&name), Some(*domain), "take it out: each host is a domain by itself");
        }
        assert!(MULTI_TENANT.is_sorted());
    }
}
