//! Known pages that are asked again without a link that leads to them: at the end of a round those that it has not met, and in a
//! crawl that watches each of them when it is due.

use super::Loop;
use crate::engine::start::Unlinked;
use crate::engine::writer::Job;
use crate::fetch::Fetcher;
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// When the next known page is due.
#[derive(Debug, Clone, Copy)]
pub(super) enum NextDue {
    At(Timestamp),
    /// The writer has been asked.
    Asked,
}

/// How far the search for known pages that no link has led to has come. It begins when nothing else is left.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sweep {
    /// It goes on behind this page.
    From(Option<Fingerprint>),
    /// It is done, or not wanted.
    Over,
}

impl Sweep {
    /// In the first round there is no page of an earlier one.
    pub(super) fn begin(unlinked: Unlinked, round: u32) -> Self {
        if unlinked == Unlinked::Ask && round > 1 { Self::From(None) } else { Self::Over }
    }
}

impl<F: Fetcher> Loop<F> {
    /// Has the pages planned that earlier runs have met.
    pub(super) async fn plan_known(&mut self) {
        if self.watch.is_some() {
            self.watch = Some(NextDue::Asked);
            self.uncommitted += 1;
            self.writer.send(Job::Plan).await;
        }
    }

    /// Has the pages queued that are due by now.
    pub(super) async fn queue_due(&mut self) {
        let now = self.clock.now();
        if matches!(self.watch, Some(NextDue::At(due)) if due <= now) {
            self.watch = Some(NextDue::Asked);
            self.uncommitted += 1;
            self.writer.send(Job::Due(now)).await;
        }
    }

    /// Takes over when a page is due; what the writer was asked it answers itself.
    pub(super) fn note_due(&mut self, moment: Timestamp) {
        if let Some(NextDue::At(due)) = &mut self.watch {
            *due = moment.min(*due);
        }
    }

    /// Looks for pages that are known and that no link of this round has led to; `false` if there are no more of them.
    pub(super) async fn sweeps_on(&mut self) -> bool {
        let Sweep::From(after) = self.sweep else {
            return false;
        };
        self.uncommitted += 1;
        self.writer.send(Job::Unmet(after)).await;
        true
    }
}
