//! An entry in bytes: the pointer to it in the database, and its head in the log.

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

/// The first byte of every pointer. One of another version is absent, and is written over when its page is fetched.
const VERSION: u8 = 4;
/// Version, moment, three numbers of a place, check.
const LENGTH: usize = 1 + 8 + 3 * 4 + 4;

/// Where an entry lies, and when it was last confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) checked: Timestamp,
    pub(super) place: Place,
}

impl Pointer {
    pub(super) fn seal(&self, key: u64) -> [u8; LENGTH] {
        let mut bytes = [VERSION; LENGTH];
        bytes[1..9].copy_from_slice(&self.checked.as_millis().to_le_bytes());
        bytes[9..13].copy_from_slice(&self.place.file.to_le_bytes());
        bytes[13..17].copy_from_slice(&self.place.offset.to_le_bytes());
        bytes[17..21].copy_from_slice(&self.place.length.to_le_bytes());
        let check = check(key, &bytes[..21]);
        bytes[21..].copy_from_slice(&check);
        bytes
    }

    /// The pointer of this key, if these bytes are one.
    pub(super) fn open(key: u64, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        if bytes[0] != VERSION || check(key, &bytes[..21]) != bytes[21..] {
            return None;
        }
        let number = |at: usize| Some(u32::from_le_bytes(*bytes[at..].first_chunk()?));
        let place = Place { file: number(9)?, offset: number(13)?, length: number(17)? };
        let checked = Timestamp::from_millis(u64::from_le_bytes(*bytes[1..].first_chunk()?));
        Some(Self { checked, place })
    }
}

fn check(key: u64, bytes: &[u8]) -> [u8; 4] {
    (xxh3_64_with_seed(bytes, key) as u32).to_le_bytes()
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
