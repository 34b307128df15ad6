//! An entry in bytes: the pointer to it, which lies in a block of the database with others, and its head in the log.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::log::{FrameName, Place};
use crate::headers::freshness::Lifetime;
use crate::headers::validators::Validators;
use crate::headers::vary::Selecting;
use crate::store::cache::{CacheEntry, Packed};
use crate::store::codec::{self, CodecError};
use crate::time::Timestamp;
use crate::url::HostKey;

/// The first byte of every block. One of another version is absent.
const VERSION: u8 = 5;
/// Version, check.
const FRONT: usize = 1 + 4;
/// Key, moment, three numbers of a place.
const LENGTH: usize = 8 + 8 + 3 * 4;
/// A block with more pointers is divided. 64: a page of the database has up to 16 of them, and is read as a whole.
pub(super) const BLOCK_MOST: usize = 64;
/// How many it has then.
pub(super) const BLOCK_USUAL: usize = 40;

/// Where an entry lies, and when it was last confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) checked: Timestamp,
    pub(super) place: Place,
}

/// The bytes of a block of pointers, by their keys, that begins with the key `start`.
pub(super) fn seal(start: u64, records: &[(u64, Pointer)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRONT + LENGTH * records.len());
    bytes.extend([VERSION, 0, 0, 0, 0]);
    for (key, Pointer { checked, place }) in records {
        bytes.extend(key.to_le_bytes());
        bytes.extend(checked.as_millis().to_le_bytes());
        bytes.extend(place.file.to_le_bytes());
        bytes.extend(place.offset.to_le_bytes());
        bytes.extend(place.length.to_le_bytes());
    }
    let check = check(start, &bytes[FRONT..]);
    bytes[1..FRONT].copy_from_slice(&check);
    bytes
}

/// The pointers of the block that begins with this key, if these bytes are one.
pub(super) fn open(start: u64, bytes: &[u8]) -> Option<Vec<(u64, Pointer)>> {
    let (records, _) = whole(start, bytes)?;
    records.iter().map(|record| Some((key_of(record)?, pointer_of(record)?))).collect()
}

/// The pointer of a key in the block that begins with `start`.
pub(super) fn find(start: u64, bytes: &[u8], key: u64) -> Option<Pointer> {
    let (records, _) = whole(start, bytes)?;
    let at = records.binary_search_by_key(&Some(key), key_of).ok()?;
    pointer_of(&records[at])
}

/// The records of a block, and nothing behind them.
fn whole(start: u64, bytes: &[u8]) -> Option<(&[[u8; LENGTH]], &[u8])> {
    let (front, records) = bytes.split_first_chunk::<FRONT>()?;
    let is_whole = front[0] == VERSION && check(start, records) == front[1..];
    is_whole.then_some(records.as_chunks::<LENGTH>()).filter(|(_, behind)| behind.is_empty())
}

fn key_of(record: &[u8; LENGTH]) -> Option<u64> {
    Some(u64::from_le_bytes(*record.first_chunk()?))
}

fn pointer_of(record: &[u8; LENGTH]) -> Option<Pointer> {
    let number = |at: usize| Some(u32::from_le_bytes(*record[at..].first_chunk()?));
    let place = Place { file: number(16)?, offset: number(20)?, length: number(24)? };
    let checked = Timestamp::from_millis(u64::from_le_bytes(*record[8..].first_chunk()?));
    Some(Pointer { checked, place })
}

fn check(start: u64, bytes: &[u8]) -> [u8; 4] {
    (xxh3_64_with_seed(bytes, start) as u32).to_le_bytes()
}

/// An entry without its harvest and the moment of its confirmation.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    host: HostKey,
    validators: Validators,
    lifetime: Lifetime,
    selecting: Selecting,
    digest: u64,
    rules: u64,
    /// The frame that ends with the harvest, if it is another one.
    pub(super) harvest: Option<FrameName>,
}

impl Head {
    pub(super) fn entry(self, checked: Timestamp, harvest: Packed) -> CacheEntry {
        let Self { host, validators, lifetime, selecting, digest, rules, .. } = self;
        CacheEntry { host, validators, lifetime, selecting, digest, checked, rules, harvest }
    }
}

/// The bytes of an entry's [`Head`].
pub(super) fn head(entry: &CacheEntry, harvest: Option<FrameName>) -> Result<Vec<u8>, CodecError> {
    let CacheEntry { host, validators, lifetime, selecting, digest, rules, .. } = entry;
    codec::encode_behind(
        &(host, validators, lifetime, selecting, digest, rules, harvest),
        Vec::with_capacity(256),
    )
}
