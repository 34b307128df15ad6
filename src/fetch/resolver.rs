//! From names to addresses that may be contacted.
//!
//! The guard sits where the connection is made: whatever a name resolved to a moment ago, only addresses that the policy permits
//! *now* are handed to the connector, so a name that changes its mind (DNS rebinding) finds no gap between check and use.
//! Address literals in a URL never come here; the fetcher checks them itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::AddressPolicy;

/// Names that are remembered.
const MOST_NAMES: u64 = 10_000;
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

/// The system's resolver, remembered for a while and filtered by the policy.
pub(super) struct GuardedResolver {
    /// Look-ups of one name that run at the same time share one question; failures are not remembered.
    known: Cache<Box<str>, Arc<[IpAddr]>>,
    /// `None`: every address is permitted, because the only name that is ever asked is the configured proxy's.
    policy: Option<AddressPolicy>,
}

impl GuardedResolver {
    pub(super) fn new(policy: Option<AddressPolicy>, remembered: Duration) -> Self {
        let known = Cache::builder().max_capacity(MOST_NAMES).time_to_live(remembered).build();
        Self { known, policy }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (known, policy) = (self.known.clone(), self.policy.clone());
        Box::pin(async move {
            let host: Box<str> = name.as_str().into();
            let found = known
                .try_get_with_by_ref(&host, look_up(&host))
                .await
                .map_err(|error| ResolveError::clone(&error))?;
            Ok(permitted(&host, &found, policy.as_ref())?)
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
    async fn a_name_without_an_address_is_not_found_and_not_remembered() {
        let resolver = GuardedResolver::new(None, Duration::from_mins(5));
        let answer = resolver.resolve("no-such-name.invalid".parse().unwrap()).await;
        let error = answer.err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(ResolveError::NotFound { .. })));
        assert!(!resolver.known.contains_key("no-such-name.invalid"));
    }
}
