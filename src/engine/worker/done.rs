//! What a page comes to before anything is read from it.

use super::{PageDone, Yield};
use crate::engine::totals::Totals;
use crate::politeness::{Class, Outcome};
use crate::request::Kind;
use crate::response::FailureKind;
use crate::time::Timestamp;

impl PageDone {
    /// A request whose worker was lost.
    pub(in crate::engine) fn lost(began: Timestamp, ended: Timestamp) -> Self {
        let outcome = Outcome::failed(FailureKind::Request, began, ended);
        let detail = Some("the fetcher panicked".to_owned());
        Self { detail, ..Self::of(outcome) }
    }

    /// What the answer adds to the counts, whatever becomes of its URL.
    pub(in crate::engine) fn count(&self, totals: &mut Totals, kind: Kind) {
        totals.requests = 1;
        totals.bytes = self.bytes;
        match self.outcome.class {
            Class::Fetched | Class::NotModified if kind.is_page() => totals.pages = 1,
            // Whether it is a file is known only when it is whole.
            Class::Fetched | Class::NotModified if matches!(kind, Kind::Login | Kind::Download) => {}
            Class::Fetched | Class::NotModified => totals.sitemaps = 1,
            Class::Redirected => totals.redirects = 1,
            Class::Throttled => totals.throttled = 1,
            _ => {}
        }
    }

    /// An outcome that brought nothing yet.
    pub(in crate::engine) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            harvest: Yield::default(),
            digest: None,
            cache: None,
            bytes: 0,
            refusal: None,
            detail: None,
            dead_end: None,
            location: None,
            exchange: None,
            cookies: Vec::new(),
            has_new_cookie: false,
            file: None,
        }
    }
}
