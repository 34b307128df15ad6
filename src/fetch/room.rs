//! Room for large bodies: how much of them may be in memory at a time.
//!
//! Most pages are small, and a few are as large as a hundred others. When several of these come at once they come one after the other:
//! a large body is not read before there is room, and meanwhile its server waits, as it does for any slow reader. Nothing fails for
//! want of room: after [`PATIENCE`] a body is read all the same, and the time it has waited does not count against its limits.
//!
//! What is large is told by `Content-Length`; a body that does not say it is read at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Smaller bodies need no room.
const LARGE: u32 = 1 << 20;
/// Bytes of large bodies that are in memory at a time.
const ROOM: u32 = 8 << 20;
/// How long room is waited for: less than any server waits for its reader.
const PATIENCE: Duration = Duration::from_secs(5);

/// What there is for all bodies of a fetcher.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

/// The room that a body takes, until whoever has asked for it lets go.
#[derive(Debug, Default)]
pub struct Hold(Mutex<Option<OwnedSemaphorePermit>>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM as usize)))
    }
}

impl Room {
    /// Waits until there is room for so many bytes, and takes it.
    pub(super) async fn take(&self, bytes: usize, hold: &Hold) {
        let bytes = u32::try_from(bytes).unwrap_or(ROOM).min(ROOM);
        if bytes < LARGE {
            return;
        }
        let free = Arc::clone(&self.0).acquire_many_owned(bytes);
        if let Ok(Ok(taken)) = tokio::time::timeout(PATIENCE, free).await {
            *hold.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const MIB: usize = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn small_bodies_need_no_room_and_large_ones_wait_for_it() {
        let (room, large) = (Room::default(), Hold::default());
        room.take(100 * MIB, &large).await;
        let clock = Clock::start();
        room.take(MIB - 1, &Hold::default()).await;
        assert_eq!(clock.elapsed(), Duration::ZERO);
        let late = Hold::default();
        tokio::join!(room.take(MIB, &late), async {
            tokio::time::advance(Duration::from_secs(1)).await;
            drop(large);
        });
        assert_eq!(clock.elapsed(), Duration::from_secs(1));
        assert!(late.0.lock().unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_fails_for_want_of_room() {
        let (room, large) = (Room::default(), Hold::default());
        room.take(8 * MIB, &large).await;
        let clock = Clock::start();
        room.take(2 * MIB, &Hold::default()).await;
        assert_eq!(clock.elapsed(), PATIENCE);
    }
}
