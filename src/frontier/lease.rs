//! What the frontier hands out, and what it says when it gets it back.

use http::Method;

use crate::politeness::{HostState, Reaction, Verdict};
use crate::request::{Pending, QueueKey, Request};
use crate::response::Failure;
use crate::robots::RobotsRecord;
use crate::time::Timestamp;
use crate::trap::Parked;
use crate::url::{CanonicalUrl, HostKey, Origin};

use super::control::ControlLease;
use super::gate::Ask;
use super::groups::Pass;
use super::nap::WakeRequest;
use super::stored::Spent;

/// What is to be done now.
#[derive(Debug)]
pub enum Step {
    /// Send this request.
    Fetch(Lease),
    /// Ask for this robots.txt (or where it was redirected to).
    Robots(RobotsLease),
    /// Ask once more for a page that the host gave before.
    Control(ControlLease),
    /// Read more of a queue from the store.
    Load(LoadRequest),
    /// Look up what the store knows of some hosts.
    Wake(WakeRequest),
    /// Find out which address the requests of this host will go to.
    Resolve(AddressRequest),
    /// Nothing may go out before this moment.
    WaitUntil(Timestamp),
    /// Nothing can go out before an answer or a load is here.
    AwaitFetches,
    /// All that is left must wait longer than the run's patience.
    OnlyParkedLeft {
        /// The soonest end of a wait.
        until: Timestamp,
    },
    /// The page limit is reached; the rest stays in the queues.
    LimitReached,
    /// Nothing is left that may be asked.
    Finished,
}

/// Proof that one request may go out now. Settled exactly once; never copied, never stored.
#[must_use = "a lease that is not settled blocks its host"]
#[derive(Debug)]
pub struct Lease {
    pub(super) host: usize,
    pub(super) pass: Pass,
    pub(super) spent: Box<Spent>,
    pub(super) lane: usize,
    pub(super) origin: Origin,
    pub(super) pending: Pending,
    pub(super) rule: Option<String>,
    pub(super) began: Timestamp,
}

impl Lease {
    /// What to ask.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.pending.request
    }

    /// The request and how often it was tried.
    #[must_use]
    pub const fn pending(&self) -> &Pending {
        &self.pending
    }

    /// When it was handed out.
    #[must_use]
    pub const fn began(&self) -> Timestamp {
        self.began
    }

    /// The line of robots.txt that allowed it, if one did.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}

/// Proof that robots.txt of an origin may be asked now.
#[must_use = "a lease that is not settled blocks its host"]
#[derive(Debug)]
pub struct RobotsLease {
    pub(super) host: usize,
    pub(super) pass: Pass,
    pub(super) owner: (usize, usize),
    pub(super) ask: Ask,
    pub(super) began: Timestamp,
}

impl RobotsLease {
    /// Where to ask.
    #[must_use]
    pub const fn url(&self) -> &CanonicalUrl {
        &self.ask.url
    }

    /// Whose robots.txt it is; a redirect may have led elsewhere.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.ask.home().origin()
    }

    /// Conditional request fields for the copy that is at hand; none at a URL that has not given it.
    #[must_use]
    pub fn validators(&self) -> &[(String, String)] {
        self.ask.conditions()
    }

    /// When it was handed out.
    #[must_use]
    pub const fn began(&self) -> Timestamp {
        self.began
    }
}

/// A part of a queue to read from the store; goes back into [`super::Frontier::load`] with what was found.
#[derive(Debug)]
pub struct LoadRequest {
    pub(super) host: usize,
    pub(super) lane: usize,
    /// Whose queue.
    pub origin: Origin,
    /// Behind this key; from the start if `None`.
    pub after: Option<QueueKey>,
    /// At most so many.
    pub limit: usize,
}

/// A host whose address must be known before it is asked for anything; goes back into [`super::Frontier::resolved`].
#[must_use = "a host whose question is not answered is never asked"]
#[derive(Debug)]
pub struct AddressRequest {
    pub(super) host: usize,
    pub(super) key: HostKey,
}

impl AddressRequest {
    /// Whose address.
    #[must_use]
    pub const fn host(&self) -> &HostKey {
        &self.key
    }
}

/// What a due host has to ask.
#[derive(Debug)]
pub(super) enum Errand {
    /// A page of the origin in this lane.
    Page {
        /// Which lane of the host.
        lane: usize,
        /// The request.
        pending: Pending,
        /// The line of robots.txt that allows it, if one does.
        rule: Option<String>,
    },
    /// robots.txt of an origin, which may live on another host.
    Robots {
        /// Host and lane whose gate waits for it.
        owner: (usize, usize),
        /// Where the attempt stands.
        ask: Ask,
    },
    /// A page that the host gave before, to see whether it still does.
    Control {
        /// The page.
        url: CanonicalUrl,
        /// How to ask.
        method: Method,
    },
}

/// A request that leaves its queue without an answer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// Whose queue.
    pub origin: Origin,
    /// The request.
    pub pending: Pending,
    /// Why.
    pub failure: Failure,
}

/// What became of a request.
#[derive(Debug)]
pub struct Settlement {
    /// What becomes of the URL.
    pub verdict: Verdict,
    /// Whose queue it was in.
    pub origin: Origin,
    /// The request, with its tries and the time of the next one brought up to date.
    pub pending: Pending,
    /// The host as it is to be stored.
    pub host: (HostKey, HostState),
    /// What the answer did to the host.
    pub reaction: Reaction,
    /// Pages held back after a 403, dropped now that the host is seen to be well or that there are too many.
    pub released: Vec<Drop>,
}

/// What became of a request for robots.txt.
#[derive(Debug)]
pub struct RobotsSettlement {
    /// Whose robots.txt it was.
    pub origin: Origin,
    /// The host that was asked, as it is to be stored.
    pub host: (HostKey, HostState),
    /// What the answer did to that host.
    pub reaction: Reaction,
    /// The verdict to store, if it is the last word.
    pub record: Option<(Origin, RobotsRecord)>,
}

/// A host as reports show it.
#[derive(Debug, Clone)]
pub struct HostView<'a> {
    /// Its name.
    pub key: &'a HostKey,
    /// What is remembered of it.
    pub state: &'a HostState,
    /// Requests not settled.
    pub waiting: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Patterns of its URLs that are not asked for.
    pub parked: &'a [Parked],
    /// Why nothing may be asked of (a part of) it, in words.
    pub shut: Option<String>,
}
