//! A look at all entries of a cache, in a copy of its folder: opening writes.

use std::path::Path;

use super::record::{self, Pointer};
use super::{CacheOptions, Log, guarded, open_database};
use crate::store::codec;

/// How many entries of the copy in `dir` read back, and how many do not.
///
/// # Errors
/// What the database says if it does not open, or stops in the middle.
pub(in crate::store) fn inspect(dir: &Path) -> Result<(u64, u64), String> {
    let (database, log, _) = open_database(dir, &CacheOptions::default())?;
    let (mut good, mut bad) = (0, 0);
    let mut pairs = database.iter();
    while let Some((key, value)) = guarded(|| pairs.next().transpose())? {
        // What is no fingerprint is a note.
        let Some(key) = <[u8; 8]>::try_from(key.as_ref()).ok().map(u64::from_be_bytes) else { continue };
        match is_whole(&log, key, &value) {
            true => good += 1,
            false => bad += 1,
        }
    }
    Ok((good, bad))
}

fn is_whole(log: &Log, key: u64, value: &[u8]) -> bool {
    let Some(frame) = Pointer::open(key, value).and_then(|pointer| log.read(key, pointer.place)) else {
        return false;
    };
    match codec::decode::<record::Head>(&frame.head) {
        Ok(record::Head { harvest: Some(name), .. }) => {
            log.read(key, name.place).is_some_and(|it| it.name == name)
        }
        Ok(_) => true,
        Err(_) => false,
    }
}
