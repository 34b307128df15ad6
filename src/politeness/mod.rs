//! How fast, how many at once, and when not at all: the rules of one host.

mod policy;

use serde::{Deserialize, Serialize};

pub use policy::{Backoff, ForbiddenRobots, Policy, Retry};

use crate::time::Timestamp;

/// What is remembered of a host between runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostState {
    /// No request before this moment, whatever its kind.
    pub not_before: Timestamp,
}
