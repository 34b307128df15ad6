//! Control requests: before a host is accused of shutting us out, it is asked once more for a page that it gave before.
//!
//! First with HEAD, which costs the server least. Some servers refuse every HEAD, so a refusal is confirmed with GET; only that
//! one counts. A control request is leased, paced and counted like any other request to its host.

use http::Method;

use super::groups::Pass;
use super::lease::Drop;
use crate::politeness::block::ControlAnswer;
use crate::politeness::{HostState, Outcome, Reaction};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, HostKey};

/// How far a control is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Control {
    /// None is called for.
    #[default]
    None,
    /// One may go out.
    Head,
    /// HEAD was refused, which GET must confirm.
    Get,
    /// It is out.
    Out,
}

impl Control {
    /// The method of the request that is to go out, if one is.
    pub(super) fn method(self) -> Option<Method> {
        match self {
            Self::Head => Some(Method::HEAD),
            Self::Get => Some(Method::GET),
            Self::None | Self::Out => None,
        }
    }

    /// What an answer shows; `None` if it has to be confirmed.
    pub(super) fn judge(method: &Method, outcome: &Outcome) -> Option<ControlAnswer> {
        if outcome.is_forbidden() {
            let refused = ControlAnswer::Refused(outcome.status.unwrap_or(0));
            return (*method != Method::HEAD).then_some(refused);
        }
        Some(if outcome.is_health() { ControlAnswer::Passed } else { ControlAnswer::Inconclusive })
    }
}

/// Proof that a control request may go out.
#[must_use = "a lease that is not settled blocks its host"]
#[derive(Debug)]
pub struct ControlLease {
    pub(super) host: usize,
    pub(super) pass: Pass,
    pub(super) url: CanonicalUrl,
    pub(super) method: Method,
    pub(super) began: Timestamp,
}

impl ControlLease {
    /// What to ask.
    #[must_use]
    pub const fn url(&self) -> &CanonicalUrl {
        &self.url
    }

    /// How to ask: HEAD, or GET to confirm.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// When it was handed out.
    #[must_use]
    pub const fn began(&self) -> Timestamp {
        self.began
    }
}

/// What a control request came to.
#[derive(Debug)]
pub struct ControlSettlement {
    /// The host as it is to be stored.
    pub host: (HostKey, HostState),
    /// What it did to the host.
    pub reaction: Reaction,
    /// Pages that were held back and are given up, now that it is known that the host refuses them alone.
    pub released: Vec<Drop>,
}
