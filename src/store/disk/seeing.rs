//! Marking as seen what is known by other means, after the seen log has lost a part.

use super::{DiskStore, Step, StoreError};
use crate::store::Store;
use crate::url::Fingerprint;

/// Pages that are read at a time.
const AT_ONCE: usize = 10_000;

impl DiskStore {
    /// Marks as seen every page that this round has dealt with: its record and the failed list say which.
    pub(super) fn see_what_is_done(&mut self) -> Result<(), StoreError> {
        let Some(run) = self.run()? else { return Ok(()) };
        let mut after = None;
        loop {
            let pages = self.pages(after, AT_ONCE)?;
            let Some((last, _)) = pages.last() else { break };
            after = Some(*last);
            let done = pages.iter().filter(|(_, record)| record.checked >= run.started);
            self.see(done.map(|(page, _)| *page).collect())?;
        }
        let failed = self.failed()?;
        self.see(failed.iter().map(|record| record.request.fingerprint()).collect())
    }

    fn see(&mut self, pages: Vec<Fingerprint>) -> Result<(), StoreError> {
        let mut step = Step::new(self.head, self.session);
        for page in pages {
            if !self.seen.contains(page.get())? {
                step.fingerprints.push(page.get());
            }
        }
        if step.fingerprints.is_empty() {
            return Ok(());
        }
        self.write(step)
    }
}
