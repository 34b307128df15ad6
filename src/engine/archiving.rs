//! How exchanges get from the workers to the archive.
//!
//! An exchange travels with its page to the writer, and is committed with it. On the way it holds a body, so only so many bytes are
//! let out at a time: a worker whose exchange finds no room waits, with its connection closed and its answer complete, until the writer has
//! written others. The writer never waits for a worker, so there is no circle in it.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fetch::Purpose;
use crate::request::Request;
use crate::response::Response;
use crate::sink::warc::{Exchange, WarcOptions};

/// KiB of exchanges that are on their way at once.
const ROOM: u32 = 64 << 10;

/// Takes exchanges in.
pub(super) struct Intake {
    room: Arc<Semaphore>,
    robots: bool,
}

/// An exchange on its way to the archive.
#[derive(Debug)]
pub(super) struct Archived {
    pub(super) exchange: Exchange,
    /// Given back when it was written.
    _room: Option<OwnedSemaphorePermit>,
}

impl Intake {
    pub(super) fn new(options: &WarcOptions) -> Self {
        Self { room: Arc::new(Semaphore::new(ROOM as usize)), robots: options.robots }
    }

    /// Whether answers of this purpose are archived. Only what a reader of the archive would ask for is.
    pub(super) const fn takes(&self, purpose: Purpose) -> bool {
        matches!(purpose, Purpose::Spider) || self.robots && matches!(purpose, Purpose::Robots)
    }

    /// Takes an answer and its request. `sent` gives the header fields of the request if the fetcher has not noted them.
    pub(super) async fn take(
        &self,
        request: &Request,
        response: &mut Response,
        sent: impl FnOnce() -> HeaderMap,
    ) -> Box<Archived> {
        let exchange = Exchange::of(request, response, sent);
        let weight = u32::try_from(exchange.weight() >> 10).unwrap_or(ROOM).clamp(1, ROOM);
        // The semaphore is never closed; without it there would be no bound, and nothing else would be wrong.
        let room = Arc::clone(&self.room).acquire_many_owned(weight).await.ok();
        Box::new(Archived { exchange, _room: room })
    }
}
