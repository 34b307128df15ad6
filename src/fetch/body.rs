//! The body as it comes in, under the limits on time.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{FetchError, Limits, failure};
use crate::clock::Clock;
use crate::response::FailureKind;
use crate::time::Timestamp;

/// How long a body may be slower than the least speed before it is cut.
const SPEED_GRACE: Duration = Duration::from_secs(10);

/// A body on its way.
pub(super) struct Wire {
    pub(super) body: Incoming,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    /// When the head was there.
    pub(super) since: Timestamp,
    /// When the whole exchange must be over.
    pub(super) deadline: Timestamp,
    /// Bytes per second.
    pub(super) least_speed: u64,
    /// Bytes that came in so far.
    pub(super) received: u64,
}

impl Wire {
    /// The pieces as they come in. If the body does not come to its end, the last piece is an error that holds a [`FetchError`].
    pub(super) fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::unfold(Some(self), |wire| async move {
            let mut wire = wire?;
            match wire.next().await {
                Ok(piece) => piece.map(|piece| (Ok(piece), Some(wire))),
                Err(error) => Some((Err(io::Error::other(error)), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let piece = loop {
            let left = self.deadline.since(self.clock.now());
            if left.is_zero() {
                return Err(late("the total time was up"));
            }
            let wait = left.min(self.limits.between_bytes);
            let frame = tokio::time::timeout(wait, self.body.frame())
                .await
                .map_err(|_| late("no piece of the body in time"))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(failure::of_body(&error)),
                // Trailers say nothing that is kept.
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        break piece;
                    }
                }
            }
        };
        self.received += piece.len() as u64;
        if self.is_too_slow() {
            return Err(late("the body came slower than the least speed"));
        }
        Ok(Some(piece))
    }

    fn is_too_slow(&self) -> bool {
        let spent = self.clock.now().since(self.since);
        is_below(self.least_speed, self.received, spent)
    }
}

fn is_below(speed: u64, received: u64, spent: Duration) -> bool {
    spent >= SPEED_GRACE && received < speed.saturating_mul(spent.as_secs())
}

fn late(detail: &str) -> FetchError {
    FetchError::new(FailureKind::BodyTimeout, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_body_is_cut_only_after_its_grace() {
        assert!(!is_below(1_000, 1, Duration::from_millis(9_999)));
        assert!(is_below(1_000, 9_999, Duration::from_secs(10)));
        assert!(!is_below(1_000, 10_000, Duration::from_secs(10)));
        assert!(is_below(1_000, 10_000, Duration::from_secs(11)));
    }
}
