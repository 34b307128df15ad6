//! Who knows the addresses of names.
//!
//! The rule kept: no more than [`AT_ONCE`] names are looked up at the same time, because the system's resolver takes a thread for
//! each of them for as long as it waits, and a server of names that does not answer keeps it for many seconds. Nothing is
//! remembered here and no address is judged: that is the guarded resolver's part.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use tokio::sync::Semaphore;

/// Look-ups that run at the same time.
pub(crate) const AT_ONCE: usize = 32;

/// A look-up on its way.
pub(super) type LookingUp<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds the addresses of a name.
pub(super) trait Directory: Send + Sync {
    fn look_up<'a>(&'a self, host: &'a str) -> LookingUp<'a>;
}

/// The system's resolver, with its files and its search rules.
pub(super) struct System(Semaphore);

impl System {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Directory for System {
    fn look_up<'a>(&'a self, host: &'a str) -> LookingUp<'a> {
        Box::pin(async move {
            let _turn = self.0.acquire().await.expect("it is never closed");
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_this_machine_and_not_every_name() {
        let system = System::new();
        let found = system.look_up("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
        assert!(system.look_up("no-such-name.invalid").await.is_err());
        assert_eq!(system.0.available_permits(), AT_ONCE);
    }
}
