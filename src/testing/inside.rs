//! Readers of bytes that stand behind no public type, for those who test them with bytes of their own (`tests/fuzz`).
//!
//! No part of the crate's interface: what is here changes with what it shows.

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::fetch::decode::{Bounds, Decoded, decode_stream};
use crate::store::seen;

/// The fingerprints in the bytes of a seen log, and how many of these bytes do not read back.
#[must_use]
pub fn seen_log(log: &[u8]) -> (Vec<u64>, u64) {
    seen::fingerprints_in(log).expect("bytes in memory can be read")
}

/// As [`decode`](crate::fetch::decode::decode) of a body that comes in these pieces.
pub async fn decode_pieces(encoding: &str, pieces: Vec<Bytes>, bounds: Bounds) -> Decoded {
    let wire = stream::iter(pieces.into_iter().map(Ok));
    decode_stream(encoding, wire.boxed(), bounds, 0).await.0
}
