//! Records of the database as they are read, and what is said where they cannot be.

use std::collections::HashMap;
use std::path::Path;

use crate::store::codec::{self, CodecError};
use crate::store::frontier::{Frontier, Writes};
use crate::store::keys::{self, Generation, Kind};
use crate::store::step::{Head, Queue};
use crate::store::{Pending, StoreError};
use crate::url::{CanonicalUrl, Origin};

pub(super) fn only_head(path: &Path, head: &Head) -> Result<Writes, StoreError> {
    let bytes = codec::encode(head).map_err(|error| damaged(path, "the head", &error))?;
    Ok(Writes::from([(keys::HEAD.to_vec(), Some(bytes))]))
}

pub(super) fn read_head(frontier: &Frontier, path: &Path) -> Result<Head, StoreError> {
    let bytes = frontier.get(keys::HEAD)?;
    codec::decode(bytes.as_deref().unwrap_or_default()).map_err(|error| damaged(path, "the head", &error))
}

/// All origins of a round with their counts.
pub(super) fn read_queues(
    frontier: &Frontier,
    keys: Generation,
    path: &Path,
) -> Result<HashMap<Origin, Queue>, StoreError> {
    let mut counts: HashMap<u32, u64> = HashMap::new();
    frontier.each(&keys.all(Kind::Count), |key, value| {
        let count = codec::decode(value).map_err(|error| damaged(path, "a count", &error))?;
        counts.extend(keys::number(key).map(|id| (id, count)));
        Ok(())
    })?;
    let mut queues = HashMap::new();
    frontier.each(&keys.all(Kind::Origin), |key, value| {
        let text: String = codec::decode(value).map_err(|error| damaged(path, "an origin", &error))?;
        let origin = origin_of(path, &text)?;
        if let Some(id) = keys::number(key) {
            let count = counts.remove(&id).unwrap_or_default();
            let first = Queue::FRONT;
            queues.insert(origin, Queue { id, count, first });
        }
        Ok(())
    })?;
    match counts.is_empty() {
        true => Ok(queues),
        false => Err(StoreError::Damaged {
            path: path.to_owned(),
            reason: "requests wait for an origin that is not known".to_owned(),
        }),
    }
}

pub(super) fn origin_of(path: &Path, text: &str) -> Result<Origin, StoreError> {
    let origin = CanonicalUrl::parse(text).ok().map(|url| url.origin());
    origin
        .filter(|origin| origin.as_str() == text)
        .ok_or_else(|| damaged(path, "an origin", &CodecError::Text))
}

pub(super) fn read_pending(
    path: &Path,
    origin: &Origin,
    key: &[u8],
    value: &[u8],
) -> Result<Pending, StoreError> {
    let place = keys::queue_key(key).ok_or(CodecError::Short);
    place
        .and_then(|place| codec::decode_pending(place, value, origin.as_str()))
        .map_err(|error| damaged(path, &format!("the queue of {origin}"), &error))
}

/// Requests are said to wait, and none is there.
pub(super) fn empty(path: &Path, origin: &Origin) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), reason: format!("the queue of {origin} is gone") }
}

pub(super) fn damaged(path: &Path, what: &str, error: &CodecError) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), reason: format!("{what}: {error}") }
}
