//! The database under the queues: fjall, with the settings that bound its memory and its replay after a crash.
//!
//! A write reaches the kernel before it returns, so it survives kill -9; only [`Frontier::sync`] makes it survive a power
//! cut. Whatever the database says or does with bytes that are not its own, a panic included, comes back as a typed error.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::StoreError;
use super::disk::DiskOptions;

const BLOCK_BYTES: u32 = 8 * 1024;
const SWEEP_BATCH: usize = 10_000;

/// Keys to write, or with `None` to remove, in one step.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The open database.
pub(super) struct Frontier {
    path: PathBuf,
    space: Keyspace,
    database: Database,
}

impl Frontier {
    /// Opens or makes the database.
    pub(super) fn open(path: &Path, options: &DiskOptions) -> Result<Self, StoreError> {
        let open = || -> fjall::Result<(Database, Keyspace)> {
            let database = Database::builder(path)
                .cache_size(options.cache_bytes)
                .max_journaling_size(options.journal_bytes.max(64 << 20))
                .max_cached_files(Some(options.open_files.max(10)))
                .worker_threads(2)
                .open()?;
            let space = database.keyspace("state", || settings(options))?;
            Ok((database, space))
        };
        let (database, space) = guarded(path, open)?;
        Ok(Self { path: path.to_owned(), space, database })
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

    /// Writes everything or nothing; it is in the kernel when this returns.
    pub(super) fn write(&self, writes: Writes) -> Result<(), StoreError> {
        guarded(&self.path, || {
            let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
            for (key, value) in writes {
                match value {
                    Some(value) => batch.insert(&self.space, key, value),
                    None => batch.remove(&self.space, key),
                }
            }
            batch.commit()
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
            self.write(part.into_iter().map(|(key, _)| (key.to_vec(), None)).collect())?;
        }
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        guarded(&self.path, || self.database.persist(PersistMode::SyncData))
    }
}

/// No filters, since nothing is asked for that is not there; everything compressed, since paths of a site are alike.
fn settings(options: &DiskOptions) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(options.memtable_bytes)
        .filter_policy(FilterPolicy::disabled())
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
        other => StoreError::Damaged { path, reason: format!("{other:?}") },
    }
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
