//! A body on its way to the disk.
//!
//! The rule kept: of a body no more than a piece is in memory, whatever its length. The disk is waited for, off the async threads,
//! and so is the connection in its turn: a slow disk slows the server down and fills no buffer.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode};
use tokio::io::AsyncBufReadExt;
use tokio_util::io::StreamReader;

use super::FetchError;
use super::decode::{Bounds, Decoded, Layers, cause_of, codings, content_encoding};
use crate::response::{Response, Truncation};
use crate::store::files::{Arrived, Coding, End, FileError, Head, Intake, Landed, Next};
use crate::time::Timestamp;

/// Bytes that are written at once.
const PIECE: usize = 256 << 10;
/// The ratio counts only after this many unpacked bytes.
const FREE_OF_RATIO: u64 = 1 << 20;

/// Where a file goes that is fetched. Clones go to the same place.
///
/// A fetcher that knows it writes the body of a 2xx answer there and gives a response without one. One that does not know it gives
/// the body as always, and the engine writes it.
#[derive(Clone)]
pub struct Landing(Arc<Mutex<Place>>);

struct Place {
    intake: Intake,
    /// Why the disk could not be written.
    failure: Option<FileError>,
}

impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Landing")
    }
}

impl Landing {
    pub(crate) fn new(intake: Intake) -> Self {
        Self(Arc::new(Mutex::new(Place { intake, failure: None })))
    }

    /// After a panic in the middle of a piece the file does not end well, and is asked for again.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The header fields that ask for what is missing of it.
    pub(crate) fn conditions(&self) -> Vec<(String, String)> {
        self.place().intake.conditions()
    }

    /// Whether the fetcher has seen to the answer.
    pub(crate) fn has_begun(&self) -> bool {
        self.place().intake.has_begun()
    }

    /// Takes a body that lies in memory.
    pub(crate) fn take(&self, response: &Response) {
        let head = Head { status: response.status, headers: &response.headers, at: response.ended };
        self.step(|intake| match intake.begin(head, Coding::None)? {
            Next::Read => intake.write(&response.body),
            Next::Enough => Ok(Next::Enough),
        });
    }

    /// What became of it. The body has ended so, as far as the response knows.
    pub(crate) fn land(&self, truncated: Option<Truncation>) -> Result<Landed, FileError> {
        let mut place = self.place();
        let end = if truncated.is_none() { End::Whole } else { End::Cut };
        match place.failure.take() {
            Some(failure) => Err(failure),
            None => place.intake.end(end),
        }
    }

    /// What a 304 says of the file that is there.
    pub(crate) fn unchanged(&self, response: &Response) -> Option<Arrived> {
        let head = Head { status: response.status, headers: &response.headers, at: response.ended };
        self.place().intake.unchanged(head)
    }

    /// What is there is of no use.
    pub(crate) fn forget(&self) {
        self.place().intake.forget();
    }

    fn step(&self, step: impl FnOnce(&mut Intake) -> Result<Next, FileError>) -> Next {
        let mut place = self.place();
        match step(&mut place.intake) {
            Ok(next) => next,
            Err(failure) => {
                place.failure = Some(failure);
                Next::Enough
            }
        }
    }

    /// The same, off the async threads.
    async fn aside(
        &self,
        step: impl FnOnce(&mut Intake) -> Result<Next, FileError> + Send + 'static,
    ) -> Next {
        let landing = self.clone();
        tokio::task::spawn_blocking(move || landing.step(step)).await.unwrap_or(Next::Enough)
    }

    /// Writes a body as it comes. The response of it has none.
    pub(super) async fn receive<S>(
        &self,
        pieces: S,
        (status, headers): (StatusCode, &HeaderMap),
        (at, bounds): (Timestamp, Bounds),
    ) -> Result<Decoded, FetchError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let (codings, known) = codings(&content_encoding(headers), bounds.codings);
        let coding = match codings.is_empty() {
            _ if !known => Coding::Unknown,
            true => Coding::None,
            false => Coding::Undone,
        };
        let told = headers.clone();
        let begun = move |intake: &mut Intake| intake.begin(Head { status, headers: &told, at }, coding);
        if self.aside(begun).await == Next::Enough {
            return Ok(NOTHING);
        }
        let wire = AtomicU64::new(0);
        let counted = pieces.inspect(|piece| {
            let length = piece.as_ref().map_or(0, Bytes::len);
            wire.fetch_add(length as u64, Ordering::Relaxed);
        });
        let mut layers = Layers::new(StreamReader::new(counted), bounds);
        let ended = match layers.undo(&codings).await {
            Ok(()) => self.pour(&mut layers, &wire, bounds).await,
            Err(error) => Err(error),
        };
        let truncated = match ended {
            Ok(limit) => limit,
            Err(error) => cause_of(error).0,
        };
        Ok(Decoded { truncated, wire_bytes: wire.load(Ordering::Relaxed), ..NOTHING })
    }

    async fn pour(
        &self,
        layers: &mut Layers<'_>,
        wire: &AtomicU64,
        bounds: Bounds,
    ) -> io::Result<Option<Truncation>> {
        let reader = layers.reader();
        let (mut piece, mut written) = (Vec::with_capacity(PIECE), 0_u64);
        loop {
            let (taken, failed) = match reader.fill_buf().await {
                Ok(fresh) => {
                    piece.extend_from_slice(fresh);
                    (fresh.len(), None)
                }
                Err(error) => (0, Some(error)),
            };
            reader.consume(taken);
            if piece.len() >= PIECE || taken == 0 {
                written += piece.len() as u64;
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE));
                if self.aside(move |intake| intake.write(&full)).await == Next::Enough {
                    return Ok(None);
                }
            }
            match failed {
                Some(error) => return Err(error),
                None if taken == 0 => return Ok(None),
                None => {}
            }
            if written > FREE_OF_RATIO && written > wire.load(Ordering::Relaxed).saturating_mul(bounds.ratio)
            {
                return Ok(Some(Truncation::Ratio));
            }
        }
    }
}

const NOTHING: Decoded = Decoded { body: Bytes::new(), truncated: None, wire_bytes: 0 };
