//! Making room in the log: what is still wanted of its oldest file goes to the end, and the file goes.

use super::SledCache;
use super::record::Pointer;
use crate::store::cache::{CacheEntry, Packed};

impl SledCache {
    /// Removes the oldest file if about half of the log is of no use any more, and if that is a whole file's worth.
    pub(super) fn tidy_if_worthwhile(&self, unused: &mut u64) {
        if *unused < self.log.file_bytes() || *unused < self.log.total() / 2 {
            return;
        }
        let Some(oldest) = self.log.oldest() else { return };
        let freed = self.tidy(oldest, unused);
        *unused = unused.saturating_sub(freed);
        if freed < self.log.file_bytes() / 4 {
            // Less is unused than was thought: no more of this before more has been written.
            *unused /= 2;
        }
    }

    /// Removes files, the oldest first, until at most a quarter of the log is of no use. `wanted` are the bytes that are.
    pub(super) fn tidy_all(&self, wanted: u64) {
        let mut unused = self.writing();
        let share = |log: u64| log / 4;
        if self.log.total().saturating_sub(wanted) > share(self.log.total())
            && let Err(error) = self.log.begin()
        {
            tracing::warn!(%error, "validator cache cannot be made smaller");
        }
        let (last, _) = self.log.end();
        while self.log.total().saturating_sub(wanted) > share(self.log.total())
            && let Some(oldest) = self.log.oldest().filter(|oldest| *oldest < last)
        {
            self.tidy(oldest, &mut unused);
        }
        *unused = self.log.total().saturating_sub(wanted);
    }

    /// Removes a file after what is wanted of it has been appended; gives the bytes that this has freed.
    fn tidy(&self, file: u32, unused: &mut u64) -> u64 {
        let before = self.log.total();
        for key in self.log.keys(file) {
            let Some(pointer) = self.pointer(key) else { continue };
            let Some(entry) = self.load(key, pointer) else { continue };
            let harvest = entry.harvest.place().map(|kept| kept.frame.place.file);
            if pointer.place.file == file || harvest == Some(file) {
                self.move_to_the_end(key, entry, unused);
            }
        }
        // The database writes behind: after a kill it must not point to a file that is gone.
        self.bring_to_the_disk();
        if let Err(error) = self.log.remove(file) {
            tracing::warn!(%error, "validator cache cannot be made smaller");
        }
        before.saturating_sub(self.log.total())
    }

    /// Writes an entry again, as one piece. If that fails it is absent from now on.
    fn move_to_the_end(&self, key: u64, entry: CacheEntry, unused: &mut u64) {
        let checked = entry.checked;
        let harvest = Packed::unkept(entry.harvest.bytes().clone());
        match self.append(key, &CacheEntry { harvest, ..entry }) {
            Ok(Some((place, _))) => {
                self.point(key, Some(Pointer { checked, place }), unused);
                // What it takes the place of is about to go with its file.
                *unused = unused.saturating_sub(u64::from(place.length));
            }
            Ok(None) => {}
            Err(reason) => tracing::warn!(reason, "validator cache cannot keep an entry"),
        }
    }
}
