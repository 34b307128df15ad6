//! Ctrl-C and SIGTERM: the first one ends the crawl in order, the second one at once.

use std::convert::Infallible;
use std::future::Future;
use std::io;

use super::exit::{Exit, Failure};
use crate::engine::StopHandle;

/// Listens from now on. The future that comes back never ends by itself; it stops `crawl` at the first signal.
pub(super) fn listen(crawl: StopHandle) -> Result<impl Future<Output = Infallible>, Failure> {
    let mut signals =
        Signals::new().map_err(|source| Failure::System { what: "to listen for signals", source })?;
    Ok(async move {
        signals.next().await;
        crawl.stop();
        tracing::warn!(
            "stopping: requests in flight are waited for, 8 s at most; once more ends at once, and nothing is lost"
        );
        signals.next().await;
        std::process::exit(i32::from(Exit::INTERRUPTED.0));
    })
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // There is no such signal here: nothing will ever come.
            std::future::pending::<()>().await;
        }
    }
}
