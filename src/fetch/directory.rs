//! Who knows the addresses of names.
//!
//! The rule kept: no more than [`AT_ONCE`] names are looked up at the same time, because the system's resolver takes a thread for
//! each of them for as long as it waits, and a server of names that does not answer keeps it for many seconds. Nothing is
//! remembered here and no address is judged: that is the guarded resolver's part.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Look-ups that run at the same time.
pub(crate) const AT_ONCE: usize = 32;

/// A look-up on its way.
pub(super) type LookingUp<'a> = Pin<Box<dyn Future<Output = io::Result<Found>> + Send + 'a>>;

/// What a directory says of a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) addresses: Vec<IpAddr>,
    /// How long that holds, if the directory knows.
    pub(super) holds: Option<Duration>,
}

/// Finds the addresses of a name.
pub(super) trait Directory: Send + Sync {
    fn look_up<'a>(&'a self, host: &'a str) -> LookingUp<'a>;
}

/// The directory of this build: hickory if it is built in and the system's configuration can be read, the system's else.
pub(super) fn usual() -> Arc<dyn Directory> {
    #[cfg(feature = "hickory")]
    match Hickory::new() {
        Ok(hickory) => return Arc::new(hickory),
        Err(error) => tracing::warn!(%error, "names are looked up by the system"),
    }
    Arc::new(System::new())
}

/// The system's resolver, with its files and its search rules.
struct System(Semaphore);

impl System {
    fn new() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Directory for System {
    fn look_up<'a>(&'a self, host: &'a str) -> LookingUp<'a> {
        Box::pin(async move {
            let _turn = self.0.acquire().await.expect("it is never closed");
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(Found { addresses: found.map(|address| address.ip()).collect(), holds: None })
        })
    }
}

/// The servers of names that the system is set up with, asked without a thread. What they say is remembered above, not here.
#[cfg(feature = "hickory")]
struct Hickory {
    turns: Semaphore,
    resolver: hickory_resolver::TokioResolver,
}

#[cfg(feature = "hickory")]
impl Hickory {
    fn new() -> Result<Self, hickory_resolver::net::NetError> {
        let mut builder = hickory_resolver::TokioResolver::builder_tokio()?;
        builder.options_mut().cache_size = 0;
        // Without a thread for each there may be more.
        Ok(Self { turns: Semaphore::new(8 * AT_ONCE), resolver: builder.build()? })
    }
}

#[cfg(feature = "hickory")]
impl Directory for Hickory {
    fn look_up<'a>(&'a self, host: &'a str) -> LookingUp<'a> {
        Box::pin(async move {
            let _turn = self.turns.acquire().await.expect("it is never closed");
            let found = self.resolver.lookup_ip(host).await.map_err(io::Error::other)?;
            let least = found.as_lookup().answers().iter().map(|record| record.ttl).min();
            let holds = least.map(|seconds| Duration::from_secs(seconds.into()));
            Ok(Found { addresses: found.iter().collect(), holds })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_this_machine_and_not_every_name() {
        let system = System::new();
        let found = system.look_up("localhost").await.unwrap().addresses;
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
        assert!(system.look_up("no-such-name.invalid").await.is_err());
        assert_eq!(system.0.available_permits(), AT_ONCE);
    }
}
