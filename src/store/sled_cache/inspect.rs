//! A look at all entries of a cache, in a copy of its folder: opening writes.

use std::collections::HashMap;
use std::path::Path;

use super::log::Place;
use super::{CacheOptions, GONE, Log, Opened, open_database, record};
use crate::store::codec;

/// How many entries of the copy in `dir` read back, and how many do not.
///
/// # Errors
/// What the database says if it does not open, or stops in the middle.
pub(in crate::store) fn inspect(dir: &Path) -> Result<(u64, u64), String> {
    let Opened { index, log, .. } = open_database(dir, &CacheOptions::default())?;
    let (mut good, mut bad) = (0, 0);
    let mut latest = HashMap::new();
    log.since(index.checkpoint(), |frame| {
        latest.insert(frame.key, (frame.head != GONE).then_some(frame.name.place));
    });
    let mut count = |is_good| *(if is_good { &mut good } else { &mut bad }) += 1;
    index.each(|key, pointer| match pointer {
        // Counted below.
        Some(_) if latest.contains_key(&key) => {}
        pointer => count(pointer.is_some_and(|pointer| is_whole(&log, key, pointer.place))),
    })?;
    latest
        .into_iter()
        .filter_map(|(key, place)| Some((key, place?)))
        .for_each(|(key, place)| count(is_whole(&log, key, place)));
    Ok((good, bad))
}

fn is_whole(log: &Log, key: u64, place: Place) -> bool {
    let Some(frame) = log.read(key, place) else {
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
