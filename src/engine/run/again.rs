//! Known pages that are asked again without a link that leads to them: at the end of a round those that it has not met, and in a
//! crawl that watches each of them when it is due.

use super::{Loop, Wait};
use crate::engine::report::End;
use crate::engine::start::Unlinked;
use crate::engine::writer::Job;
use crate::fetch::Fetcher;
use crate::request::Request;
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// What is left to do with known pages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Again {
    /// Nothing.
    Nothing,
    /// When nothing else is left, those behind this one are looked through for pages that the round has not met.
    Unmet(Option<Fingerprint>),
    /// The crawl watches, and the next one is due at this moment.
    DueAt(Timestamp),
    /// The crawl watches, and the writer has been asked which are due.
    Asked,
}

impl Again {
    /// In the first round there is no page of an earlier one.
    pub(super) fn begin(watches: bool, unlinked: Unlinked, round: u32) -> Self {
        match unlinked {
            _ if watches => Self::DueAt(Timestamp::MAX),
            Unlinked::Ask if round > 1 => Self::Unmet(None),
            Unlinked::Ask | Unlinked::Leave => Self::Nothing,
        }
    }

    /// Whether the crawl has no end but a limit.
    const fn watches(self) -> bool {
        matches!(self, Self::DueAt(_) | Self::Asked)
    }

    /// No later than the next page is due.
    pub(super) fn soonest(self, until: Timestamp) -> Timestamp {
        if let Self::DueAt(due) = self { until.min(due) } else { until }
    }

    /// Takes over when a page is due. What the writer was asked it answers itself.
    pub(super) fn note_due(&mut self, moment: Timestamp) {
        if let Self::DueAt(due) = self {
            *due = moment.min(*due);
        }
    }
}

impl<F: Fetcher> Loop<F> {
    /// What to wait for when the frontier has come to an end: to be sure, everything must be written first.
    pub(super) async fn at_the_end(&mut self, end: End) -> Wait {
        match (end, self.again) {
            _ if self.uncommitted > 0 => Wait::Answer,
            (End::Complete, _) if self.ends_before_the_gate() => Wait::Answer,
            (End::Complete, again) if again.watches() => Wait::Answer,
            (End::Parked { until }, again) if again.watches() => Wait::Until(until),
            (End::Complete, Again::Unmet(after)) => {
                self.ask_writer(Job::Unmet(after)).await;
                Wait::Answer
            }
            // What a spider makes of their failure may bring links.
            (End::Complete, _) if self.gives_up_held().await => Wait::Answer,
            _ => Wait::End(end),
        }
    }

    /// Has the pages planned that earlier runs have met, if the crawl watches.
    pub(super) async fn plan_known(&mut self) {
        if self.again.watches() {
            self.again = Again::Asked;
            self.ask_writer(Job::Plan).await;
        }
    }

    /// Has the pages queued that are due by now, if the crawl watches.
    pub(super) async fn queue_due(&mut self) {
        let now = self.clock.now();
        if self.is_open() && matches!(self.again, Again::DueAt(due) if due <= now) {
            self.again = Again::Asked;
            self.ask_writer(Job::Due(now)).await;
        }
    }

    /// Takes in known pages that the round has not met, and where to look on.
    pub(super) async fn take_unmet(&mut self, found: Vec<Request>, next: Option<Fingerprint>) {
        self.again = next.map_or(Again::Nothing, |page| Again::Unmet(Some(page)));
        self.commit(super::plant::known(&self.context, found)).await;
    }
}
