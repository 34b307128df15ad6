//! Notices a write that does not come back.
//!
//! The database makes whoever writes wait while it has too much to sort into files, without an end: a full disk, a disk that
//! hangs or a fault of its own would look like a crawl that has gone quiet. So a thread looks now and then whether the write of
//! last time is still the write of this time, and says so. Nothing is lost by it: what is not committed did not happen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Looks at one and the same write until it is told of; told again each time that they have doubled.
const LOOKS: u32 = 10;

/// Looks after the writes of one thread.
pub(super) struct Watch {
    writes: Arc<Writes>,
    thread: Option<JoinHandle<()>>,
}

/// Writes begun and ended, and the end of looking.
#[derive(Default)]
struct Writes {
    begun: AtomicU64,
    ended: AtomicU64,
    over: Mutex<bool>,
    wake: Condvar,
}

impl Watch {
    /// Looks every so often; a write that was there ten times is told, with how long it has taken so far.
    pub(super) fn start(every: Duration, mut tell: impl FnMut(Duration) + Send + 'static) -> Self {
        let writes = Arc::<Writes>::default();
        let seen = Arc::clone(&writes);
        let thread = std::thread::Builder::new().name("store:watch".to_owned());
        // Without a thread to spare the crawl goes on unwatched.
        let thread = thread.spawn(move || seen.look(every, &mut tell)).ok();
        Self { writes, thread }
    }

    /// Does a write, and looks after it.
    pub(super) fn over<T>(&self, write: impl FnOnce() -> T) -> T {
        self.writes.begun.fetch_add(1, Ordering::Relaxed);
        let done = write();
        self.writes.ended.fetch_add(1, Ordering::Relaxed);
        done
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.writes.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.writes.wake.notify_all();
        // What it would have told is of no use any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Writes {
    fn look(&self, every: Duration, tell: &mut dyn FnMut(Duration)) {
        let (mut write, mut looks, mut told_at) = (0, 0_u32, LOOKS);
        while !self.is_over_after(every) {
            let (ended, begun) = (self.ended.load(Ordering::Relaxed), self.begun.load(Ordering::Relaxed));
            if begun == ended || begun != write {
                (write, looks, told_at) = (begun, 0, LOOKS);
                continue;
            }
            looks = looks.saturating_add(1);
            if looks == told_at {
                told_at = told_at.saturating_mul(2);
                tell(every.saturating_mul(looks));
            }
        }
    }

    fn is_over_after(&self, wait: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(over, wait, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn a_write_that_does_not_come_back_is_told_and_told_again() {
        let (tell, told) = mpsc::channel();
        let watch = Watch::start(SOON, move |time| tell.send(time).unwrap_or_default());
        watch.over(|| {
            assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), SOON * 10);
            assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), SOON * 20);
        });
    }

    #[test]
    fn many_short_writes_are_no_long_one() {
        let (tell, told) = mpsc::channel();
        let watch = Watch::start(SOON * 10, move |time| tell.send(time).unwrap_or_default());
        for _ in 0..200 {
            watch.over(|| std::thread::park_timeout(SOON));
        }
        drop(watch);
        assert_eq!(told.try_iter().count(), 0);
    }

    #[test]
    fn it_ends_at_once_with_its_owner() {
        drop(Watch::start(Duration::from_hours(1), |_| {}));
    }
}
