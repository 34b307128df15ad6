//! How many large pages are read at once: one for each core.
//!
//! More would not be done sooner, and each thread keeps the memory of the largest page that it has read.

use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// The turns of a crawl's pages.
pub(super) struct Turns(Semaphore);

impl Turns {
    /// As many as there are cores.
    pub(super) fn new() -> Self {
        Self(Semaphore::new(available_parallelism().map_or(1, usize::from)))
    }

    /// Does some work on a thread of its own as soon as there is a turn.
    ///
    /// # Errors
    /// If the work panicked, or the runtime is shutting down.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // Nobody closes it, and without a turn the work is done all the same.
        let _turn = self.0.acquire().await;
        spawn_blocking(work).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_pages_are_read_at_once_than_there_are_cores() {
        let cores = available_parallelism().map_or(1, usize::from);
        let (turns, at_once, most) =
            (Turns::new(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let reads = (0..8 * cores).map(|_| {
            let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
            turns.take(move || {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
            })
        });
        futures_util::future::join_all(reads).await;
        assert!((1..=cores).contains(&most.load(Ordering::SeqCst)));
    }
}
