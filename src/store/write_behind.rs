//! Brings the database's journal to the disk while nobody waits for it.
//!
//! When the database begins to sort a full memtable, it first brings its journal to the disk, and lets nobody write meanwhile. With
//! all that a fast crawl writes between two of its own syncs, that is a pause of some tenths of a second. So another thread does it
//! beforehand, a few megabytes at a time, past the database's lock: then little is left when the lock is held. It promises nothing
//! about power cuts, and whatever goes wrong here goes wrong again where it is told.
//!
//! The files into which memtables are sorted are left alone: to bring them to the disk in parts as well was measured to gain nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// So much may be left.
const PART: u64 = 4 << 20;
/// A call to wake up may come between the look and the sleep: then it is found after this.
const AT_MOST: Duration = Duration::from_millis(250);

/// The thread that does it.
pub(super) struct WriteBehind {
    left: Arc<Left>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Left {
    bytes: AtomicU64,
    over: Mutex<bool>,
    wake: Condvar,
}

impl WriteBehind {
    /// Looks after the journals of the database in `folder`.
    pub(super) fn start(folder: PathBuf) -> Self {
        let left = Arc::<Left>::default();
        let journals = Arc::clone(&left);
        let thread = std::thread::Builder::new().name("store:behind".to_owned());
        // Without a thread to spare there are longer pauses, and nothing else.
        let thread = thread.spawn(move || journals.follow(&folder)).ok();
        Self { left, thread }
    }

    /// So many bytes were written.
    pub(super) fn wrote(&self, bytes: u64) {
        if self.left.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes >= PART {
            self.left.wake.notify_one();
        }
    }

    /// Everything is on the disk.
    pub(super) fn synced(&self) {
        self.left.bytes.store(0, Ordering::Relaxed);
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        *self.left.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.left.wake.notify_all();
        // It has nothing to tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Left {
    fn follow(&self, folder: &Path) {
        while !self.is_over_after(AT_MOST, || self.bytes.load(Ordering::Relaxed) < PART) {
            if self.bytes.load(Ordering::Relaxed) >= PART {
                self.bytes.store(0, Ordering::Relaxed);
                let _ = newest_journal(folder).map(|path| File::open(path).and_then(|file| file.sync_data()));
            }
        }
    }

    /// Waits as long as there is nothing to do, `at_most` so long.
    fn is_over_after(&self, at_most: Duration, rests: impl Fn() -> bool) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(over, at_most, |over| !*over && rests());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Journals are numbered; the last one is written to.
fn newest_journal(folder: &Path) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok();
    let numbered = paths.filter_map(|path| Some((number(&path)?, path)));
    numbered.max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_journal_is_the_one_with_the_highest_number() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(newest_journal(dir.path()), None);
        for name in ["9.jnl", "10.jnl", "keyspaces", "x.jnl", "11.tmp"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(newest_journal(dir.path()), Some(dir.path().join("10.jnl")));
    }

    #[test]
    fn what_was_written_is_brought_to_the_disk_and_the_count_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("0.jnl"), "some").unwrap();
        let behind = WriteBehind::start(dir.path().to_owned());
        behind.wrote(PART - 1);
        assert_eq!(behind.left.bytes.load(Ordering::Relaxed), PART - 1);
        behind.wrote(1);
        let turns = (0..10_000).take_while(|_| {
            std::thread::park_timeout(Duration::from_millis(1));
            behind.left.bytes.load(Ordering::Relaxed) > 0
        });
        assert!(turns.count() < 10_000);
    }
}
