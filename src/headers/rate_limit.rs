//! How much a server says it will still answer, before it refuses (draft-ietf-httpapi-ratelimit-headers and its dialects).
//!
//! Pure: no clock. What is done with the numbers is decided elsewhere.

use std::time::Duration;

/// What an answer tells about the quota of requests that it counted against. Everything is optional: servers tell what they
/// like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    /// Requests in a window.
    pub limit: Option<u64>,
    /// Requests left in this window.
    pub remaining: Option<u64>,
    /// Time from the end of the answer to the end of the window.
    pub reset: Option<Duration>,
}
