//! Why a host is not asked now, in a word: for reports and for the store.

use serde::{Deserialize, Serialize};

/// What a host waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// The configured delay.
    #[default]
    Delay,
    /// The delay that its robots.txt asks for.
    CrawlDelay,
    /// The pace that its server was seen to bear.
    LearnedPace,
    /// The pace that its server announces, or the end of the announced window.
    AnnouncedLimit,
    /// The time that the server named.
    RetryAfter,
    /// A wait of our own after a refusal without a word.
    OwnBackoff,
    /// A wait of our own after failures in a row.
    Failures,
    /// A pause of our own: it is suspected of shutting us out, known to, or down, or it refuses persistently.
    Standing,
}
