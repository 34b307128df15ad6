//! What an archive wants to know of an exchange: the request with everything that the client adds, and the body before its
//! content codings are undone.
//!
//! No more of a body is kept than its decoder has asked for, so the limits on bodies hold here too. Nothing is noted unless [`HttpOptions::keep_raw`](super::http::HttpOptions::keep_raw)
//! says so.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_LENGTH, HOST};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Version};
use url::{Position, Url};

use super::decode::Decoded;
use crate::response::{Raw, Truncation};

/// An exchange as far as it has come.
pub(super) struct Notes {
    raw: Raw,
    tap: Tap,
}

impl Notes {
    /// Notes a request that is about to leave. `Host` and `Content-Length` are what the client adds to it, at the end.
    pub(super) fn of_request(headers: &HeaderMap, url: &Url, body: Option<&Bytes>) -> Self {
        let mut sent = headers.clone();
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        if let Ok(host) = HeaderValue::from_str(authority) {
            sent.insert(HOST, host);
        }
        if let Some(body) = body {
            sent.insert(CONTENT_LENGTH, body.len().into());
        }
        let raw = Raw {
            sent,
            version: Version::HTTP_11,
            reason: None,
            peer: None,
            body: Bytes::new(),
            truncated: None,
        };
        Self { raw, tap: Tap::default() }
    }

    /// Notes the head of the answer, and whose it is if that is known.
    pub(super) fn note_head(&mut self, head: &Parts, peer: Option<SocketAddr>) {
        self.raw.version = head.version;
        let reason = head.extensions.get::<hyper::ext::ReasonPhrase>();
        self.raw.reason = reason.map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
        self.raw.peer = peer.map(|peer| peer.ip().to_canonical());
    }

    /// Where the body is noted.
    pub(super) fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// The exchange, once its body was read.
    pub(super) fn complete(self, decoded: &Decoded) -> Raw {
        let tapped = std::mem::take(&mut *self.tap.tapped());
        let (body, truncated) = match tapped.is_on {
            false => (decoded.body.clone(), decoded.truncated),
            true => (tapped.body.freeze(), cut(decoded.truncated, tapped.ended)),
        };
        Raw { body, truncated, ..self.raw }
    }
}

/// A body whose coding could not be undone is whole all the same if it has come to its end.
fn cut(truncated: Option<Truncation>, ended: bool) -> Option<Truncation> {
    truncated.filter(|why| !(ended && *why == Truncation::Coding))
}

/// Notes what flows past. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Tap(Arc<Mutex<Tapped>>);

#[derive(Default)]
struct Tapped {
    is_on: bool,
    ended: bool,
    body: BytesMut,
}

impl Tap {
    fn tapped(&self) -> MutexGuard<'_, Tapped> {
        // Pieces are added whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same pieces, noted as they are pulled.
    pub(super) fn on<S>(self, pieces: S) -> impl Stream<Item = io::Result<Bytes>> + Send
    where
        S: Stream<Item = io::Result<Bytes>> + Send,
    {
        self.tapped().is_on = true;
        let (seen, ending) = (self.clone(), self);
        let noted = pieces.inspect(move |piece| {
            if let Ok(piece) = piece {
                seen.tapped().body.extend_from_slice(piece);
            }
        });
        // A lost connection ends with an error, behind which nothing is pulled.
        noted.chain(stream::poll_fn(move |_| {
            ending.tapped().ended = true;
            Poll::Ready(None)
        }))
    }
}
