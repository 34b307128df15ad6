//! What is remembered of one origin's robots.txt between runs.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ProductToken, RobotsRules};
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// The last word about an origin's robots.txt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotsRecord {
    /// When it came.
    pub fetched_at: Timestamp,
    /// Asked again before the next page after this moment (RFC 9309 2.4: at most 24 h later).
    pub expires_at: Timestamp,
    /// What it was.
    pub answer: RobotsAnswer,
    /// What can be confirmed when it is asked again.
    pub copy: Option<RobotsCopy>,
}

/// A robots.txt that was read: a 304 to a request with its validators confirms it (RFC 9309 2.4, RFC 9110 13.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotsCopy {
    /// Where it was in the end. The validators are of no use anywhere else.
    pub source: CanonicalUrl,
    /// Its ETag and Last-Modified as conditional request fields.
    pub validators: Vec<(String, String)>,
    /// Its text, if that is not the answer beside it: robots.txt has been out of reach since.
    pub text: Option<Bytes>,
}

/// What a robots.txt came to (RFC 9309 2.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RobotsAnswer {
    /// The file's text, cut at the size limit.
    Text(Bytes),
    /// There is none (4xx): everything is allowed.
    AllowAll,
    /// Refused (401, 403) and configured to mean that nothing is allowed.
    DenyAll,
    /// 5xx or no answer: nothing may be fetched until it is asked again at `retry_at`.
    Unreachable {
        /// Tries so far.
        tries: u32,
        /// Not asked again before.
        retry_at: Timestamp,
        /// Why, in words.
        reason: String,
    },
}

impl RobotsAnswer {
    /// What our group of it asks for. A file that is out of reach closes the origin.
    #[must_use]
    pub fn rules(&self, agent: &ProductToken) -> RobotsRules {
        match self {
            Self::Text(body) => RobotsRules::parse(body, agent),
            Self::AllowAll => RobotsRules::allow_all(),
            Self::DenyAll | Self::Unreachable { .. } => RobotsRules::deny_all(),
        }
    }
}
