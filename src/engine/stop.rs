//! Stopping a crawl from outside.

use tokio::sync::watch;

/// Stops a running crawl. Clones stop the same crawl.
#[derive(Debug, Clone)]
pub struct StopHandle(watch::Sender<Stop>);

/// How far a crawl is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    Run,
    Drain,
}

impl StopHandle {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Stop::Run))
    }

    /// Asks the crawl to stop: nothing new is asked, what is in flight is waited for (8 s at most), everything is written.
    /// The state stays resumable.
    pub fn stop(&self) {
        self.0.send_replace(Stop::Drain);
    }

    /// Whether the crawl was asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() >= Stop::Drain
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Stop> {
        let mut stop = self.0.subscribe();
        if self.is_stopping() {
            // What was asked before the crawl began counts as well.
            stop.mark_changed();
        }
        stop
    }
}
