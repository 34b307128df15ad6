//! The database under the queues: fjall, with the settings that bound its memory and its replay after a crash.
//!
//! A write reaches the kernel before it returns, so it survives kill -9; only [`Frontier::sync`] makes it survive a power
//! cut. Whatever the database says or does with bytes that are not its own, a panic included, comes back as a typed error.

use std::ops::{ControlFlow, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fjall::compaction::Leveled;
use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
    PartitioningPolicy,
};
use fjall::{
    AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode,
};

use super::disk::DiskOptions;
use super::let_go::LetGo;
use super::watch::Watch;
use super::write_behind::WriteBehind;
use super::writes::Writes;
use super::{StoreError, before_opening};
use crate::clock::nap;

const BLOCK_BYTES: u32 = 8 * 1024;
const FILTER_BITS: f32 = 10.0;
const SWEEP_BATCH: usize = 10_000;
/// Files of the first level until they are merged into the second, which is as large as so many files of [`TABLE_BYTES`]: all of it
/// is written anew each time, so the more there is to merge into it the better. Who reads a queue looks into each of them.
const FIRST_LEVEL: u8 = 8;
/// Bytes of a file of the other levels. Small ones: while one is brought to the disk, whoever changes the list of files waits.
const TABLE_BYTES: u64 = 16 << 20;
/// Full memtables that wait to be sorted into files at most. With one more the database itself would stop whoever writes, for a
/// tenth of a second at a time and without an end.
const MEMTABLES: usize = 3;
/// How often it is looked whether there is room again, and how many times: a minute.
const NAP: Duration = Duration::from_millis(1);
const NAPS: u32 = 60_000;
/// How often it is looked whether a write comes back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// In which order keys are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// The open database.
pub(super) struct Frontier {
    path: PathBuf,
    /// Before the database, so that it is let go first.
    watch: Watch,
    behind: WriteBehind,
    let_go: LetGo,
    space: Keyspace,
    database: Database,
    naps: u32,
}

/// Who sorts what is written into files, and how long they are waited for.
#[derive(Clone, Copy)]
struct Threads {
    /// Threads of the database.
    sorting: usize,
    naps: u32,
}

impl Default for Threads {
    /// Three: one only sorts, and of two the other would hand its next task to and fro with the first as long as it merges.
    fn default() -> Self {
        Self { sorting: 3, naps: NAPS }
    }
}

impl Frontier {
    /// Opens or makes the database.
    pub(super) fn open(path: &Path, options: &DiskOptions) -> Result<Self, StoreError> {
        Self::open_with(path, options, Threads::default())
    }

    fn open_with(path: &Path, options: &DiskOptions, threads: Threads) -> Result<Self, StoreError> {
        before_opening::check(path)?;
        let open = || -> fjall::Result<(Database, Keyspace)> {
            let database = Database::builder(path)
                .cache_size(options.cache_bytes)
                .max_journaling_size(options.journal_bytes.max(64 << 20))
                .max_cached_files(Some(options.open_files.max(10)))
                .worker_threads_unchecked(threads.sorting)
                .open()?;
            let space = database.keyspace("state", || settings(options))?;
            Ok((database, space))
        };
        let (database, space) = guarded(path, open)?;
        let (place, seen, owner) = (path.to_owned(), space.clone(), database.clone());
        let watch = Watch::start(LOOK_EVERY, move |time| tell_slow(&place, &seen, &owner, time));
        let behind = WriteBehind::start(path.to_owned());
        let let_go = LetGo::start();
        Ok(Self { path: path.to_owned(), watch, behind, let_go, space, database, naps: threads.naps })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<fjall::Slice>, StoreError> {
        guarded(&self.path, || self.space.get(key))
    }

    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        guarded(&self.path, || self.space.contains_key(key))
    }

    /// Up to `limit` pairs of a range, in order.
    pub(super) fn range(
        &self,
        range: impl RangeBounds<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<fjall::KvPair>, StoreError> {
        guarded(&self.path, || {
            let pairs = self.space.range(range).take(limit);
            pairs.map(fjall::Guard::into_inner).collect()
        })
    }

    /// All pairs whose keys begin with `prefix`, one after the other.
    pub(super) fn each(
        &self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_until(prefix, |key, value| visit(key, value).map(|()| ControlFlow::Continue(())))
    }

    /// The same, until the visitor breaks off.
    pub(super) fn each_until(
        &self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut pairs = guarded(&self.path, || Ok(self.space.prefix(prefix)))?;
        while let Some((key, value)) =
            guarded(&self.path, || pairs.next().map(fjall::Guard::into_inner).transpose())?
        {
            if visit(&key, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The pairs of a range, one after the other, until one cannot be read.
    pub(super) fn walk(
        &self,
        range: impl RangeBounds<Vec<u8>>,
        way: Way,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let mut pairs = guarded(&self.path, || Ok(self.space.range(range)))?;
        let mut next = || match way {
            Way::Up => pairs.next(),
            Way::Down => pairs.next_back(),
        };
        while let Some((key, value)) =
            guarded(&self.path, || next().map(fjall::Guard::into_inner).transpose())?
        {
            visit(&key, &value);
        }
        Ok(())
    }

    /// Writes everything or nothing; it is in the kernel when this returns.
    pub(super) fn write(&self, writes: Writes) -> Result<(), StoreError> {
        let (bytes, writes) = (writes.bytes(), writes.in_order());
        let write = || {
            let batch = OwnedWriteBatch::with_capacity(self.database.clone(), writes.len());
            let mut batch = batch.durability(Some(PersistMode::Buffer));
            for (key, value) in writes {
                match value {
                    Some(value) => batch.insert(&self.space, key, value),
                    None => batch.remove(&self.space, key),
                }
            }
            batch.commit()?;
            let tree = &self.space.tree;
            self.let_go.memtable(tree.active_memtable());
            let version = tree.current_version();
            self.let_go.version(version.id(), version, tree.version_free_list_len() as u64);
            Ok(())
        };
        self.watch.over(|| {
            self.await_room()?;
            guarded(&self.path, write)?;
            self.behind.wrote(bytes as u64);
            Ok(())
        })
    }

    /// Waits while too much is written and not sorted. Who waits here is behind the disk, or the database has stopped.
    fn await_room(&self) -> Result<(), StoreError> {
        for _ in 0..self.naps {
            if self.space.sealed_memtable_count() < MEMTABLES {
                return Ok(());
            }
            nap(NAP);
        }
        Err(StoreError::Io {
            path: self.path.clone(),
            reason: "the database has stopped: see whether the disk works, and start again".to_owned(),
        })
    }

    /// Removes a range, a part at a time. Not atomic: for what nobody looks at any more.
    pub(super) fn sweep(&self, range: std::ops::RangeInclusive<Vec<u8>>) -> Result<(), StoreError> {
        let (mut from, to) = range.into_inner();
        loop {
            let part = self.range(from.clone()..=to.clone(), SWEEP_BATCH)?;
            let Some((last, _)) = part.last() else {
                return Ok(());
            };
            from = last.to_vec();
            from.push(0);
            let mut writes = Writes::default();
            part.iter().for_each(|(key, _)| writes.remove(key));
            self.write(writes)?;
        }
    }

    /// Bytes of the journals on disk.
    pub(super) fn journal_bytes(&self) -> Result<u64, StoreError> {
        guarded(&self.path, || self.database.journal_disk_space())
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        guarded(&self.path, || self.database.persist(PersistMode::SyncData))?;
        self.behind.synced();
        Ok(())
    }
}

/// A write does not come back: says so, with what the database waits for.
fn tell_slow(path: &Path, space: &Keyspace, database: &Database, time: Duration) {
    tracing::warn!(
        state = %path.display(),
        seconds = time.as_secs(),
        memtables = space.sealed_memtable_count(),
        flushes = database.outstanding_flushes(),
        "the database does not take a write: is the disk full, slow or broken? If this goes on, stop the run and start it \
         again: nothing is lost"
    );
}

/// Filters, since it is asked of pages that are not there whether something is known of them; everything compressed, since paths
/// of a site are alike.
fn settings(options: &DiskOptions) -> KeyspaceCreateOptions {
    let filter = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(FILTER_BITS));
    let levels = Leveled::default().with_l0_threshold(FIRST_LEVEL).with_table_target_size(TABLE_BYTES);
    KeyspaceCreateOptions::default()
        .max_memtable_size(options.memtable_bytes)
        .compaction_strategy(Arc::new(levels))
        .filter_policy(FilterPolicy::all(filter))
        // In pieces: a filter as a whole is larger than a cache may be.
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
}

/// Runs a database call; its errors and panics become ours.
fn guarded<T>(path: &Path, call: impl FnOnce() -> fjall::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| store_error(path, &error)),
        Err(_) => Err(StoreError::Damaged {
            path: path.to_owned(),
            reason: "the database gave up on its files".to_owned(),
        }),
    }
}

fn store_error(path: &Path, error: &fjall::Error) -> StoreError {
    let path = path.to_owned();
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            io_or_damage(path, error)
        }
        fjall::Error::Poisoned => StoreError::Io {
            path,
            reason: "an earlier write failed, so no more is written: start again".to_owned(),
        },
        fjall::Error::Locked => {
            StoreError::Io { path, reason: "another program has the database open".to_owned() }
        }
        other => StoreError::Damaged { path, reason: plainly(&format!("{other:?}")) },
    }
}

/// What the database says of damage, for somebody who does not know its parts.
fn plainly(said: &str) -> String {
    let is = |word: &str| said.contains(word);
    let plain = match said {
        _ if is("hecksum") => "a checksum does not match: bytes of a file were changed",
        _ if is("InvalidVersion") => "the database does not say its version: a file was cut or changed",
        _ if is("Invalid") || is("UnexpectedEof") || is("Decode") => "a file was cut or changed",
        _ => return said.to_owned(),
    };
    format!("{plain}; {said}")
}

/// Files that end too early, hold nonsense, are not there or should not be there are damage; everything else is the file system's word.
fn io_or_damage(path: PathBuf, error: &std::io::Error) -> StoreError {
    use std::io::ErrorKind::{AlreadyExists, InvalidData, InvalidInput, NotFound, UnexpectedEof};
    let reason = error.to_string();
    match error.kind() {
        AlreadyExists | InvalidData | InvalidInput | NotFound | UnexpectedEof => {
            StoreError::Damaged { path, reason }
        }
        _ => StoreError::Io { path, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMTABLE: u64 = 1 << 20;
    /// Bytes of journals that an opening reads again at most, as docs/frontier.md promises.
    const JOURNALS: u64 = 256 << 20;

    fn open(dir: &Path, threads: Threads) -> Frontier {
        let options = DiskOptions { memtable_bytes: MEMTABLE, ..DiskOptions::default() };
        Frontier::open_with(dir, &options, threads).unwrap()
    }

    fn one(key: u64, bytes: usize) -> Writes {
        let mut rng = fastrand::Rng::with_seed(key);
        let value: Vec<u8> =
            std::iter::repeat_with(|| rng.u64(..)).take(bytes / 8).flat_map(u64::to_le_bytes).collect();
        let mut writes = Writes::default();
        writes.set(key.to_be_bytes(), value);
        writes
    }

    /// The threshold at which the database begins another journal is its own: 64 MB.
    #[test]
    fn journals_stay_bounded_however_much_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let frontier = open(dir.path(), Threads::default());
        let mut most = 0;
        for key in 0..480 {
            frontier.write(one(key, 1 << 20)).unwrap();
            most = most.max(frontier.journal_bytes().unwrap());
        }
        assert!((64_000_000..JOURNALS).contains(&most), "{most}");
        // Nothing is written any more, and no journal stays behind: the next opening has little to read.
        frontier.sync().unwrap();
        drop(frontier);
        let frontier = open(dir.path(), Threads::default());
        assert!(frontier.journal_bytes().unwrap() < JOURNALS);
        assert!(frontier.contains(&0_u64.to_be_bytes()).unwrap());
    }

    #[test]
    fn a_database_that_sorts_nothing_any_more_refuses_writes_instead_of_waiting_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let frontier = open(dir.path(), Threads { sorting: 0, naps: 3 });
        for key in 0..MEMTABLES as u64 {
            frontier.write(one(key, 64)).unwrap();
            assert!(frontier.space.rotate_memtable().unwrap());
        }
        let refused = frontier.write(one(9, 64)).unwrap_err();
        assert!(refused.to_string().contains("the database has stopped"), "{refused}");
        drop(frontier);
        // Opened again, with its threads, it has all of it and goes on.
        let frontier = open(dir.path(), Threads::default());
        assert!((0..MEMTABLES as u64).all(|key| frontier.contains(&key.to_be_bytes()).unwrap()));
        assert!(!frontier.contains(&9_u64.to_be_bytes()).unwrap());
        frontier.write(one(9, 64)).unwrap();
    }
}
