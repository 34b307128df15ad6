//! From names to addresses that may be contacted.
//!
//! The guard sits where the connection is made: whatever a name resolved to a moment ago, only addresses that the policy permits
//! *now* are handed to the connector, so a name that changes its mind (DNS rebinding) finds no gap between check and use.
//! Of several addresses the one that was first stays first as long as the name has it: what was counted against an address
//! a while ago still goes there. The connector begins with the first, and whichever it got through to is first from then on.
//! Address literals in a URL never come here; the fetcher checks them itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::directory::{Directory, Found};
use super::timing::{Lap, Part};
use crate::address::AddressPolicy;

/// Names that are remembered.
const MOST_NAMES: u64 = 10_000;
/// How long the first address of a name stays first.
const FIRST_STAYS: Duration = Duration::from_hours(2);
/// An answer that holds for less is remembered for so long all the same: some say that it holds no time at all.
const LEAST_STAYS: Duration = Duration::from_secs(30);
/// How long it is remembered that a name has no address: whoever asks again at once gets the same answer, and who tries again
/// later asks anew.
const FAILURE_STAYS: Duration = Duration::from_secs(3);
/// Addresses of one name that are remembered and tried.
pub(super) const MOST_ADDRESSES: usize = 16;

/// Why a name leads nowhere.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ResolveError {
    /// All its addresses are outside the policy.
    #[error(
        "`{host}` leads to {address}, which is not a public address: name its network in `[net] allow` to permit it"
    )]
    Refused { host: Box<str>, address: IpAddr },
    /// The directory has no address of it.
    #[error("no address for `{host}`: {reason}")]
    NotFound { host: Box<str>, reason: Arc<str> },
}

/// The addresses that may be contacted, without a port.
pub(super) type Permitted = std::vec::IntoIter<SocketAddr>;

/// A directory, remembered for a while and filtered by the policy. Clones are the same resolver.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    directory: Arc<dyn Directory>,
    /// Look-ups of one name that run at the same time share one question.
    known: Cache<Box<str>, Answer>,
    /// The address that a connection to a name begins with.
    first: Cache<Box<str>, IpAddr>,
    /// `None`: every address is permitted, because the only name that is ever asked is the configured proxy's.
    policy: Option<Arc<AddressPolicy>>,
}

/// What was said of a name.
#[derive(Clone)]
enum Answer {
    /// And how long that holds, if it is known.
    Addresses(Arc<[IpAddr]>, Option<Duration>),
    None(Arc<str>),
}

/// How long answers are remembered.
struct Memory {
    longest: Duration,
}

impl Expiry<Box<str>, Answer> for Memory {
    fn expire_after_create(&self, _: &Box<str>, answer: &Answer, _: Instant) -> Option<Duration> {
        let wished = match answer {
            Answer::Addresses(_, holds) => holds.unwrap_or(self.longest).max(LEAST_STAYS),
            Answer::None(_) => FAILURE_STAYS,
        };
        Some(wished.min(self.longest))
    }
}

impl GuardedResolver {
    /// Addresses are remembered for `longest`, or less if the directory says so.
    pub(super) fn new(
        directory: Arc<dyn Directory>,
        policy: Option<AddressPolicy>,
        longest: Duration,
    ) -> Self {
        let memory = Memory { longest };
        let known = Cache::builder().max_capacity(MOST_NAMES).expire_after(memory).build();
        let first = Cache::builder().max_capacity(MOST_NAMES).time_to_idle(FIRST_STAYS).build();
        Self { directory, known, first, policy: policy.map(Arc::new) }
    }

    /// The address that a connection to `host` begins with, if there is a permitted one.
    pub(super) async fn first(&self, host: &str) -> Option<IpAddr> {
        let found = self.addresses(host).await.ok()?;
        let mut kept = permitted(host, &found, self.policy.as_deref()).ok()?;
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
        let found = match self.known.get_with_by_ref(&key, self.ask(host)).await {
            Answer::Addresses(found, _) => found,
            Answer::None(reason) => return Err(ResolveError::NotFound { host: key, reason }),
        };
        match self.first.get(host).await {
            Some(first) if found.contains(&first) => Ok(led_by(first, &found)),
            _ => {
                self.first.insert(host.into(), found[0]).await;
                Ok(found)
            }
        }
    }

    async fn ask(&self, host: &str) -> Answer {
        match self.directory.look_up(host).await {
            Ok(Found { addresses, .. }) if addresses.is_empty() => Answer::None("the answer is empty".into()),
            Ok(Found { mut addresses, holds }) => {
                addresses.truncate(MOST_ADDRESSES);
                Answer::Addresses(addresses.into(), holds)
            }
            Err(error) => Answer::None(error.to_string().into()),
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
            let kept = permitted(name.as_str(), &found, resolver.policy.as_deref())?;
            Ok(Box::new(kept) as Addrs)
        })
    }
}

fn permitted(
    host: &str,
    found: &[IpAddr],
    policy: Option<&AddressPolicy>,
) -> Result<Permitted, ResolveError> {
    let permits = |address: &IpAddr| policy.is_none_or(|policy| policy.permits(address.to_canonical()));
    let kept: Vec<SocketAddr> =
        found.iter().filter(|address| permits(address)).map(|address| SocketAddr::new(*address, 0)).collect();
    match (kept.is_empty(), found.first()) {
        (true, Some(&address)) => Err(ResolveError::Refused { host: host.into(), address }),
        _ => Ok(kept.into_iter()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::fetch::directory::LookingUp;

    const PRIVATE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(93, 184, 216, 34));

    /// Says the same of every name, after a while, and counts how often it was asked.
    #[derive(Clone, Default)]
    struct Paper {
        addresses: Vec<IpAddr>,
        asked: Arc<AtomicUsize>,
    }

    impl Paper {
        fn times(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    impl Directory for Paper {
        fn look_up<'a>(&'a self, _: &'a str) -> LookingUp<'a> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(Found { addresses: self.addresses.clone(), holds: None })
            })
        }
    }

    fn resolver(paper: Paper, policy: Option<AddressPolicy>) -> GuardedResolver {
        GuardedResolver::new(Arc::new(paper), policy, Duration::from_mins(5))
    }

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
        let resolver = resolver(Paper::default(), Some(AddressPolicy::default()));
        resolver.known.insert("a.example".into(), Answer::Addresses(Arc::from([PRIVATE]), None)).await;
        let error = resolver.resolve("a.example".parse().unwrap()).await.err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(ResolveError::Refused { .. })));
    }

    #[tokio::test]
    async fn the_address_that_was_first_stays_first_as_long_as_the_name_has_it() {
        let other = IpAddr::V4(std::net::Ipv4Addr::new(93, 184, 216, 35));
        let resolver = resolver(Paper::default(), None);
        for (answer, first) in [
            (vec![PUBLIC, other], PUBLIC),
            (vec![other, PRIVATE, PUBLIC], PUBLIC),
            (vec![PRIVATE, other], PRIVATE),
            (vec![other, PRIVATE], PRIVATE),
        ] {
            resolver.known.insert("a.example".into(), Answer::Addresses(answer.into(), None)).await;
            assert_eq!(resolver.first("a.example").await, Some(first));
            let mut connected = resolver.resolve("a.example".parse().unwrap()).await.ok().unwrap();
            assert_eq!(connected.next().unwrap().ip(), first);
        }
    }

    #[tokio::test]
    async fn however_many_ask_for_a_name_at_once_it_is_looked_up_once() {
        let paper = Paper { addresses: vec![PUBLIC], ..Paper::default() };
        let resolver = resolver(paper.clone(), None);
        let asked = futures_util::future::join_all((0..50).map(|_| resolver.first("a.example"))).await;
        assert_eq!((asked, paper.times()), (vec![Some(PUBLIC); 50], 1));
        assert_eq!(resolver.first("b.example").await, Some(PUBLIC));
        assert_eq!(paper.times(), 2);
    }

    #[tokio::test]
    async fn that_a_name_has_no_address_is_remembered_for_a_moment() {
        let paper = Paper::default();
        let resolver = resolver(paper.clone(), None);
        for _ in 0..2 {
            let error = resolver.resolve("no-such-name.invalid".parse().unwrap()).await.err().unwrap();
            assert!(matches!(error.downcast_ref(), Some(ResolveError::NotFound { .. })));
        }
        assert_eq!(paper.times(), 1);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the cache hands over a moment that is not looked at")]
    fn an_answer_is_remembered_for_as_long_as_it_holds_within_bounds() {
        let memory = Memory { longest: Duration::from_mins(5) };
        let kept = |answer| memory.expire_after_create(&"a.example".into(), &answer, Instant::now()).unwrap();
        let holding =
            |seconds| kept(Answer::Addresses(Arc::from([PUBLIC]), Some(Duration::from_secs(seconds))));
        assert_eq!(kept(Answer::Addresses(Arc::from([PUBLIC]), None)), Duration::from_mins(5));
        assert_eq!([0, 60, 86_400].map(|s| holding(s).as_secs()), [30, 60, 300]);
        assert_eq!(kept(Answer::None("".into())), FAILURE_STAYS);
    }

    #[tokio::test]
    async fn of_a_name_with_very_many_addresses_a_few_are_remembered() {
        let paper = Paper { addresses: vec![PUBLIC; 4_000], ..Paper::default() };
        let found = resolver(paper, None).addresses("a.example").await.unwrap();
        assert_eq!(found.len(), MOST_ADDRESSES);
    }
}
