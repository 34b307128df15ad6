//! Brings the database's journal to the disk while nobody waits for it.
//!
//! When the database begins to sort a full memtable, it first brings its journal to the disk, and lets nobody write meanwhile. With
//! all that a fast crawl writes between two of its own syncs, that is a pause of some tenths of a second. So another thread does it
//! beforehand, a few megabytes at a time, past the database's lock: then little is left when the lock is held. It promises nothing
//! about power cuts, and whatever goes wrong here goes wrong again where it is told.
//!
//! It is the same with the files into which memtables are sorted and merged. The database brings each to the disk as a whole when it
//! is written, and whatever else has to be on the disk meanwhile waits for that: the list of files above all, before which nobody
//! reads or writes. So these files too are brought to the disk a part at a time while they grow.

use std::collections::HashMap;
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

/// So much of a table may be left.
const TABLE_PART: u64 = 2 << 20;
/// How often is looked how far tables have grown, as long as some grow.
const TABLES_GROW: Duration = Duration::from_millis(40);
/// Looks without a table that has grown until it is looked seldom.
const PATIENCE: u32 = 25;

/// The threads that do it.
pub(super) struct WriteBehind {
    left: Arc<Left>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Left {
    bytes: AtomicU64,
    over: Mutex<bool>,
    wake: Condvar,
}

impl WriteBehind {
    /// Looks after the journals and the tables of the database in `folder`.
    pub(super) fn start(folder: PathBuf) -> Self {
        let left = Arc::<Left>::default();
        let (journals, tables) = (Arc::clone(&left), Arc::clone(&left));
        let place = folder.clone();
        // Without a thread to spare there are longer pauses, and nothing else.
        let threads = [
            thread("store:behind").spawn(move || journals.follow(&folder)),
            thread("store:tables").spawn(move || tables.follow_tables(&place)),
        ];
        Self { left, threads: threads.into_iter().flatten().collect() }
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
        for thread in self.threads.drain(..) {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

fn thread(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.to_owned())
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

    fn follow_tables(&self, folder: &Path) {
        let (mut tables, mut quiet) = (Tables::default(), PATIENCE);
        while !self.is_over_after(if quiet < PATIENCE { TABLES_GROW } else { AT_MOST }, || true) {
            quiet = if tables.follow(folder) { 0 } else { quiet.saturating_add(1) };
        }
    }

    /// Waits as long as there is nothing to do, `at_most` so long.
    fn is_over_after(&self, at_most: Duration, rests: impl Fn() -> bool) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(over, at_most, |over| !*over && rests());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The tables that are being written.
#[derive(Debug, Default)]
struct Tables {
    all: HashMap<PathBuf, Table>,
}

/// How much of a table there is.
#[derive(Debug, Default)]
struct Table {
    length: u64,
    /// Of this, what was brought to the disk.
    synced: u64,
    /// Looks since it was seen to grow.
    quiet: u32,
}

impl Tables {
    /// Brings to the disk what has been added to tables; tells whether anything was.
    fn follow(&mut self, folder: &Path) -> bool {
        let mut found = HashMap::with_capacity(self.all.len());
        let mut has_grown = false;
        for path in tables(folder) {
            let mut table = self.all.remove(&path).unwrap_or_default();
            has_grown |= table.follow(&path);
            found.insert(path, table);
        }
        self.all = found;
        has_grown
    }
}

impl Table {
    fn follow(&mut self, path: &Path) -> bool {
        // A table that is finished never changes any more.
        if self.quiet >= PATIENCE {
            return false;
        }
        let length = fs::metadata(path).map_or(0, |meta| meta.len());
        let has_grown = length > self.length;
        self.length = length;
        self.quiet = if has_grown { 0 } else { self.quiet + 1 };
        if length >= self.synced + TABLE_PART {
            self.synced = length;
            let _ = File::open(path).and_then(|file| file.sync_data());
        }
        has_grown
    }
}

/// The tables of all key spaces.
fn tables(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    entries(folder.join("keyspaces"))
        .flat_map(move |space| entries(space.path().join("tables")))
        .map(|file| file.path())
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
    fn tables_are_followed_as_long_as_they_grow() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keyspaces/1/tables");
        fs::create_dir_all(&folder).unwrap();
        let write = |bytes: u64| fs::write(folder.join("7"), vec![1; bytes as usize]).unwrap();
        let mut tables = Tables::default();
        let synced = |tables: &Tables| tables.all.values().map(|table| table.synced).collect::<Vec<_>>();
        assert!(!tables.follow(dir.path()) && tables.all.is_empty());
        write(TABLE_PART - 1);
        assert!(tables.follow(dir.path()));
        assert_eq!(synced(&tables), [0]);
        write(TABLE_PART);
        assert!(tables.follow(dir.path()) && !tables.follow(dir.path()));
        assert_eq!(synced(&tables), [TABLE_PART]);
        assert!((0..PATIENCE).all(|_| !tables.follow(dir.path())));
        // It is finished, and nobody looks at it any more.
        write(TABLE_PART + 1);
        assert!(!tables.follow(dir.path()));
        fs::remove_file(folder.join("7")).unwrap();
        assert!(!tables.follow(dir.path()) && tables.all.is_empty());
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
