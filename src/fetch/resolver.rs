//! From names to addresses that may be contacted.
//!
//! The guard sits where the connection is made: whatever a name resolved to a moment ago, only addresses that the policy permits
//! *now* are handed to the connector, so a name that changes its mind (DNS rebinding) finds no gap between check and use.
//! Of several addresses the one that was first stays first as long as the name has it: what was counted against an address
//! a while ago still goes there. The connector begins with the first, and whichever it got through to is first from then on.
//! Address literals in a URL never come here; the fetcher checks them itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::timing::{Lap, Part};
use crate::address::AddressPolicy;

/// Names that are remembered.
const MOST_NAMES: u64 = 10_000;
/// How long the first address of a name stays first.
const FIRST_STAYS: Duration = Duration::from_hours(2);
/// Addresses of one name that are remembered and tried.
const MOST_ADDRESSES: usize = 16;

/// Why a name leads nowhere.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ResolveError {
    /// All its addresses are outside the policy.
    #[error(
        "`{host}` leads to {address}, which is not a public address: name its network in `[net] allow` to permit it"
    )]
    Refused { host: Box<str>, address: IpAddr },
    /// The system's resolver gave no address.
    #[error("no address for `{host}`: {reason}")]
    NotFound { host: Box<str>, reason: Box<str> },
}

/// The system's resolver, remembered for a while and filtered by the policy. Clones are the same resolver.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    /// Look-ups of one name that run at the same time share one question; failures are not remembered.
    known: Cache<Box<str>, Arc<[IpAddr]>>,
    /// The address that a connection to a name begins with.
    first: Cache<Box<str>, IpAddr>,
    /// `None`: every address is permitted, because the only name that is ever asked is the configured proxy's.
    policy: Option<AddressPolicy>,
}

impl GuardedResolver {
    pub(super) fn new(policy: Option<AddressPolicy>, remembered: Duration) -> Self {
        let known = Cache::builder().max_capacity(MOST_NAMES).time_to_live(remembered).build();
        let first = Cache::builder().max_capacity(MOST_NAMES).time_to_idle(FIRST_STAYS).build();
        Self { known, first, policy }
    }

    /// The address that a connection to `host` begins with, if there is a permitted one.
    pub(super) async fn first(&self, host: &str) -> Option<IpAddr> {
        let found = self.addresses(host).await.ok()?;
        let mut kept = permitted(host, &found, self.policy.as_ref()).ok()?;
        kept.next().map(|address| address.ip())
    }

    /// A connection to `host` was made to this address, which need not be the first: the others may be out of reach.
    pub(super) async fn met(&self, host: &str, peer: IpAddr) {
        if self.first.get(host).await.is_some_and(|first| first != peer) {
            self.first.insert(host.into(), peer).await;
        }
    }

    async fn addresses(&self, host: &str) -> Result<Arc<[IpAddr]>, ResolveError> {
        let key: Box<str> = host.into();
        let found = self.known.try_get_with_by_ref(&key, look_up(host)).await;
        let found = found.map_err(|error| ResolveError::clone(&error))?;
        match self.first.get(host).await {
            Some(first) if found.contains(&first) => Ok(led_by(first, &found)),
            _ => {
                self.first.insert(host.into(), found[0]).await;
                Ok(found)
            }
        }
    }
}

/// The addresses with this one in front.
fn led_by(first: IpAddr, found: &Arc<[IpAddr]>) -> Arc<[IpAddr]> {
    let at = found.iter().position(|address| *address == first).unwrap_or(0);
    if at == 0 {
        return Arc::clone(found);
    }
    let mut addresses = found.to_vec();
    addresses[..=at].rotate_right(1);
    addresses.into()
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let lap = Lap::begin(Part::Dns);
            let found = resolver.addresses(name.as_str()).await?;
            drop(lap);
            Ok(permitted(name.as_str(), &found, resolver.policy.as_ref())?)
        })
    }
}

async fn look_up(host: &str) -> Result<Arc<[IpAddr]>, ResolveError> {
    let not_found = |reason: &str| ResolveError::NotFound { host: host.into(), reason: reason.into() };
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| not_found(&error.to_string()))?;
    let addresses: Arc<[IpAddr]> = found.map(|address| address.ip()).take(MOST_ADDRESSES).collect();
    if addresses.is_empty() {
        return Err(not_found("the answer is empty"));
    }
    Ok(addresses)
}

fn permitted(host: &str, found: &[IpAddr], policy: Option<&AddressPolicy>) -> Result<Addrs, ResolveError> {
    let permits = |address: &IpAddr| policy.is_none_or(|policy| policy.permits(address.to_canonical()));
    let kept: Vec<SocketAddr> =
        found.iter().filter(|address| permits(address)).map(|address| SocketAddr::new(*address, 0)).collect();
    match (kept.is_empty(), found.first()) {
        (true, Some(&address)) => Err(ResolveError::Refused { host: host.into(), address }),
        _ => Ok(Box::new(kept.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(93, 184, 216, 34));

    fn mapped(address: [u8; 4]) -> IpAddr {
        std::net::Ipv4Addr::from(address).to_ipv6_mapped().into()
    }

    fn kept(found: &[IpAddr]) -> Option<Vec<IpAddr>> {
        let addresses = permitted("a.example", found, Some(&AddressPolicy::default())).ok()?;
        Some(addresses.map(|address| address.ip()).collect())
    }

    #[test]
    fn of_several_addresses_only_the_permitted_ones_are_tried() {
        assert_eq!(kept(&[PRIVATE, PUBLIC]), Some(vec![PUBLIC]));
    }

    #[test]
    fn a_name_that_leads_only_to_private_addresses_is_refused() {
        assert_eq!(kept(&[PRIVATE]), None);
        assert_eq!(kept(&[mapped([127, 0, 0, 1])]), None);
    }

    #[tokio::test]
    async fn a_refusal_follows_the_policy_of_now_and_not_the_remembered_answer() {
        let resolver = GuardedResolver::new(Some(AddressPolicy::default()), Duration::from_mins(5));
        resolver.known.insert("a.example".into(), Arc::from([PRIVATE])).await;
        let answer = resolver.resolve("a.example".parse().unwrap()).await;
        let error = answer.err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(ResolveError::Refused { .. })));
    }

    #[tokio::test]
    async fn the_address_that_was_first_stays_first_as_long_as_the_name_has_it() {
        let other = IpAddr::V4(std::net::Ipv4Addr::new(93, 184, 216, 35));
        let resolver = GuardedResolver::new(None, Duration::from_mins(5));
        for (answer, first) in [
            (vec![PUBLIC, other], PUBLIC),
            (vec![other, PRIVATE, PUBLIC], PUBLIC),
            (vec![PRIVATE, other], PRIVATE),
            (vec![other, PRIVATE], PRIVATE),
        ] {
            resolver.known.insert("a.example".into(), answer.into()).await;
            assert_eq!(resolver.first("a.example").await, Some(first));
            let mut connected = resolver.resolve("a.example".parse().unwrap()).await.ok().unwrap();
            assert_eq!(connected.next().unwrap().ip(), first);
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_not_found_and_not_remembered() {
        let resolver = GuardedResolver::new(None, Duration::from_mins(5));
        let answer = resolver.resolve("no-such-name.invalid".parse().unwrap()).await;
        let error = answer.err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(ResolveError::NotFound { .. })));
        assert!(!resolver.known.contains_key("no-such-name.invalid"));
    }
}
