//! The entries that were used last, in memory, if any are wanted there.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::cache::CacheEntry;

/// What an entry needs in memory beside its value: moka's part, and the head that was read with its harvest.
const ENTRY_OVERHEAD: usize = 600;

/// Keys are fingerprints: they are hashed already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Entries by the number of their key.
pub(super) type Front = moka::sync::Cache<u64, Arc<CacheEntry>, BuildHasherDefault<Hashed>>;

/// Room for so many bytes of entries.
pub(super) fn front(bytes: u64) -> Front {
    let weigh = |_: &u64, entry: &Arc<CacheEntry>| weight(entry);
    let front = moka::sync::Cache::builder().max_capacity(bytes).weigher(weigh);
    front.build_with_hasher(BuildHasherDefault::default())
}

/// The bytes that an entry takes in front of sled.
pub(super) fn weight(entry: &CacheEntry) -> u32 {
    u32::try_from(entry.weight().saturating_add(ENTRY_OVERHEAD)).unwrap_or(u32::MAX)
}
