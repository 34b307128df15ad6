//! Records of the database read back: those of which there are many, one after the other, and what is wrong with those that
//! cannot be read.

use std::ops::ControlFlow;
use std::path::Path;

use super::codec::{self, CodecError};
use super::frontier::Frontier;
use super::keys::{self, Generation, Kind};
use super::queues::{Queue, Queues};
use super::step::Head;
use super::writes::Writes;
use super::{Pending, QueueKey, StoreError};
use crate::url::{CanonicalUrl, Origin};

/// The writes of a step that changes nothing but the counters.
pub(super) fn only_head(path: &Path, head: &Head) -> Result<Writes, StoreError> {
    let bytes = codec::encode(head).map_err(|error| damaged(path, "the head", &error))?;
    let mut writes = Writes::default();
    writes.set(keys::HEAD, bytes);
    Ok(writes)
}

/// The counters.
pub(super) fn read_head(frontier: &Frontier, path: &Path) -> Result<Head, StoreError> {
    let bytes = frontier.get(keys::HEAD)?;
    codec::decode(bytes.as_deref().unwrap_or_default()).map_err(|error| damaged(path, "the head", &error))
}

/// All origins of a round with their numbers.
pub(super) fn each_origin(
    frontier: &Frontier,
    keys: Generation,
    path: &Path,
    mut visit: impl FnMut(u32, Origin) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    frontier.each_until(&keys.all(Kind::Origin), |key, value| {
        let text: String = codec::decode(value).map_err(|error| damaged(path, "an origin", &error))?;
        let origin = origin_of(path, &text)?;
        keys::number(key).map_or(Ok(ControlFlow::Continue(())), |id| visit(id, origin))
    })
}

/// The queues of all origins of a round.
pub(super) fn read_queues(frontier: &Frontier, keys: Generation, path: &Path) -> Result<Queues, StoreError> {
    let mut queues = Queues::new();
    frontier.each(&keys.all(Kind::Origin), |key, value| {
        let text: String = codec::decode(value).map_err(|error| damaged(path, "an origin", &error))?;
        keys::number(key).into_iter().for_each(|id| queues.put(&text, Queue::new(id)));
        Ok(())
    })?;
    frontier.each(&keys.all(Kind::Count), |key, value| {
        let queue = keys::number(key).map(|id| read_count(id, value)).transpose();
        let queue = queue.map_err(|error| damaged(path, "a count", &error))?;
        match queue.is_none_or(|queue| queues.fill(queue)) {
            true => Ok(()),
            false => Err(StoreError::Damaged {
                path: path.to_owned(),
                reason: "requests wait for an origin that is not known".to_owned(),
            }),
        }
    })?;
    Ok(queues)
}

/// How many wait, and where the first may be. Older states do not say where.
pub(super) fn read_count(id: u32, value: &[u8]) -> Result<Queue, CodecError> {
    match codec::decode::<(u64, u8, u64)>(value) {
        Ok((count, band, seq)) => Ok(Queue { id, count, first: QueueKey { band, seq } }),
        Err(_) => Ok(Queue { count: codec::decode(value)?, ..Queue::new(id) }),
    }
}

/// The origin that some text is.
pub(super) fn origin_of(path: &Path, text: &str) -> Result<Origin, StoreError> {
    let origin = CanonicalUrl::parse(text).ok().map(|url| url.origin());
    origin
        .filter(|origin| origin.as_str() == text)
        .ok_or_else(|| damaged(path, "an origin", &CodecError::Text))
}

/// A request that waits.
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

/// A record that cannot be read.
pub(super) fn damaged(path: &Path, what: &str, error: &CodecError) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), reason: format!("{what}: {error}") }
}
