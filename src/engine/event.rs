//! Things that happened, as data: for logs, progress displays and whoever listens.

use crate::history::Shift;
use crate::politeness::Class;
use crate::politeness::block::Standing;
use crate::response::Failure;
use crate::time::Timestamp;
use crate::trap::Why;
use crate::url::{CanonicalUrl, HostKey, Origin};

/// Something that happened in a crawl. Broadcast; a listener that is too slow loses the oldest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A page or a sitemap was answered.
    Answered {
        /// Its URL.
        url: CanonicalUrl,
        /// The status, if there was an answer.
        status: Option<u16>,
        /// What it means.
        class: Class,
        /// Items that it gave.
        items: usize,
        /// New or known links that it gave, those out of scope not counted.
        links: usize,
        /// Digest of its decoded body, or of the body that is still its own after "not modified".
        digest: Option<u64>,
    },
    /// It is known and written down how a page stands to what earlier rounds saw of it.
    Judged {
        /// Its URL.
        url: CanonicalUrl,
        /// How it stands.
        shift: Shift,
    },
    /// A request was given up.
    GivenUp {
        /// Its URL.
        url: CanonicalUrl,
        /// Why.
        failure: Failure,
    },
    /// A host is left alone until a moment.
    HostWaits {
        /// The host.
        host: HostKey,
        /// The end of the wait.
        until: Timestamp,
        /// Whether the server named it.
        told: bool,
    },
    /// A host that had pushed back answers well again.
    HostRecovered {
        /// The host.
        host: HostKey,
    },
    /// We stand differently with a host: it is suspected of shutting us out, known to, or down; or it is well again.
    HostStands {
        /// The host.
        host: HostKey,
        /// How we stand now.
        standing: Standing,
    },
    /// Too many pages of a pattern brought nothing new: its others are not asked for.
    PatternParked {
        /// The host.
        host: HostKey,
        /// Which URLs: `#` is a piece with a digit in it, `*` any piece, `**` anything.
        pattern: String,
        /// Why most of them brought nothing.
        why: Why,
    },
    /// robots.txt of an origin was asked.
    RobotsAsked {
        /// The origin.
        origin: Origin,
        /// The status, if there was an answer.
        status: Option<u16>,
    },
}
