//! The cache of a state that no crawl has: what is in it, and forgetting some of it.
//!
//! The state is locked meanwhile, so that no crawl begins. Whatever is forgotten costs a full fetch and nothing else.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::record::Pointer;
use super::{CacheOptions, SledCache, refused};
use crate::store::StoreError;
use crate::store::cache::{CacheEntry, ValidatorCache};
use crate::store::lock::{StateDir, io_error};
use crate::time::Timestamp;
use crate::url::{Fingerprint, HostKey};

/// A cache and the lock of its state.
pub struct IdleCache {
    cache: SledCache,
    dir: PathBuf,
    _state: StateDir,
}

/// What is in a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Entries that can be read.
    pub entries: u64,
    /// Those among them with an ETag or a Last-Modified: their pages can be asked whether they have changed.
    pub with_validators: u64,
    /// Entries that cannot be read, or are of another version. They are absent for a crawl.
    pub unreadable: u64,
    /// Bytes of all entries together.
    pub entry_bytes: u64,
    /// Bytes of the folder. The database reuses what is freed inside, and gives little of it back; the log of
    /// entries is at most about twice as large as what is in it, and a file.
    pub disk_bytes: u64,
    /// When each entry was last confirmed, in no order.
    pub checked: Vec<Timestamp>,
    /// Entries and their bytes by host, the largest first.
    pub hosts: Vec<(HostKey, u64, u64)>,
}

impl IdleCache {
    /// Opens the cache in the folder `name` of a state directory; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while a crawl has the state; else as for [`SledCache::open`].
    pub fn open(state: &Path, name: &str) -> Result<Option<Self>, StoreError> {
        let held = StateDir::take(state)?;
        let dir = state.join(name);
        if !dir.exists() {
            return Ok(None);
        }
        // Whoever looks at it pushes nothing out.
        let options = CacheOptions { max_entries: u64::MAX, ..CacheOptions::default() };
        let cache = SledCache::open(&dir, options)?;
        Ok(Some(Self { cache, dir, _state: held }))
    }

    /// Counts everything.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn survey(&self) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        let mut hosts: HashMap<HostKey, (u64, u64)> = HashMap::new();
        self.each(|_, bytes, entry| {
            survey.entry_bytes += bytes;
            let Some(entry) = entry else {
                survey.unreadable += 1;
                return;
            };
            survey.entries += 1;
            survey.with_validators += u64::from(!entry.validators.is_empty());
            survey.checked.push(entry.checked);
            let host = hosts.entry(entry.host).or_default();
            *host = (host.0 + 1, host.1 + bytes);
        })?;
        survey.disk_bytes = folder_bytes(&self.dir)?;
        survey.hosts = hosts.into_iter().map(|(host, (entries, bytes))| (host, entries, bytes)).collect();
        survey.hosts.sort_unstable_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        Ok(survey)
    }

    /// Forgets entries that were confirmed before a moment, then the oldest ones until at most so many are left, and all that
    /// cannot be read. Says how many are gone.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn prune(&self, before: Timestamp, max_entries: Option<u64>) -> Result<u64, StoreError> {
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        self.each(|key, bytes, entry| match entry {
            Some(entry) if entry.checked >= before => kept.push((entry.checked, key.get(), bytes)),
            _ => gone.push(key),
        })?;
        let most = max_entries.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        if kept.len() > most {
            kept.sort_unstable_by(|a, b| b.cmp(a));
            gone.extend(kept.drain(most..).map(|(_, key, _)| Fingerprint::from_bits(key)));
        }
        gone.iter().for_each(|key| self.cache.remove(*key));
        self.cache.index.drop_unreadable().map_err(|reason| refused(&self.dir, reason))?;
        self.cache.tidy_all(kept.iter().map(|(_, _, bytes)| bytes).sum());
        self.cache.flush();
        Ok(gone.len() as u64)
    }

    /// Shows every entry, with its bytes, to `visit`.
    fn each(&self, mut visit: impl FnMut(Fingerprint, u64, Option<CacheEntry>)) -> Result<(), StoreError> {
        self.cache.settle(&mut self.cache.writing());
        let read = self.cache.index.each(|key, pointer| {
            let entry = pointer.and_then(|pointer| self.cache.load(key, pointer));
            let bytes = pointer.map_or(0, |pointer| stored(pointer, entry.as_ref()));
            visit(Fingerprint::from_bits(key), bytes, entry);
        });
        read.map_err(|reason| refused(&self.dir, reason))
    }
}

/// Removes the cache in the folder `name` of a state directory, without reading it. Gives the bytes that it took; `None` if
/// there is none.
///
/// # Errors
/// [`StoreError::InUse`] while a crawl has the state, [`StoreError::Io`] if the file system refuses.
pub fn remove(state: &Path, name: &str) -> Result<Option<u64>, StoreError> {
    let _held = StateDir::take(state)?;
    let dir = state.join(name);
    if !dir.exists() {
        return Ok(None);
    }
    let bytes = folder_bytes(&dir)?;
    fs::remove_dir_all(&dir).map_err(|error| io_error(&dir, &error))?;
    Ok(Some(bytes))
}

/// The bytes that an entry has in the log, the frame of its harvest included.
fn stored(pointer: Pointer, entry: Option<&CacheEntry>) -> u64 {
    let harvest = entry.and_then(|entry| entry.harvest.place()).map(|kept| kept.frame.place);
    let elsewhere = harvest.filter(|place| *place != pointer.place).map_or(0, |place| place.length);
    u64::from(pointer.place.length) + u64::from(elsewhere)
}

fn folder_bytes(dir: &Path) -> Result<u64, StoreError> {
    let mut sum = 0;
    for found in fs::read_dir(dir).map_err(|error| io_error(dir, &error))? {
        let found = found.map_err(|error| io_error(dir, &error))?;
        match found.metadata() {
            Ok(about) if about.is_dir() => sum += folder_bytes(&found.path())?,
            Ok(about) => sum += about.len(),
            // The database has tidied it away meanwhile.
            Err(_) => {}
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, key};
    use super::*;

    /// A state with a cache of entries that were confirmed at these seconds.
    fn state(seconds: &[u64]) -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        let cache = SledCache::open(&state.path().join("cache"), CacheOptions::default()).unwrap();
        seconds.iter().for_each(|second| cache.put(key(*second), &entry(*second)));
        state
    }

    fn open(state: &tempfile::TempDir) -> IdleCache {
        IdleCache::open(state.path(), "cache").unwrap().unwrap()
    }

    fn left(cache: &IdleCache) -> Vec<u64> {
        let mut seconds: Vec<_> = cache.survey().unwrap().checked.iter().map(|at| at.as_secs()).collect();
        seconds.sort_unstable();
        seconds
    }

    #[test]
    fn a_survey_counts_entries_hosts_and_what_cannot_be_read() {
        let state = state(&[1, 2, 3]);
        let cache = open(&state);
        let mut bare = entry(4);
        bare.validators = Default::default();
        bare.host = HostKey::of("b.example");
        cache.cache.put(key(4), &bare);
        cache.cache.scribble(key(5).get(), b"torn");
        let survey = cache.survey().unwrap();
        assert_eq!((survey.entries, survey.with_validators, survey.unreadable), (4, 3, 1));
        let hosts: Vec<_> = survey.hosts.iter().map(|(host, count, _)| (host.as_str(), *count)).collect();
        assert_eq!(hosts, [("a.example", 3), ("b.example", 1)]);
        assert!(survey.entry_bytes > 0 && survey.disk_bytes > 0);
    }

    #[test]
    fn the_old_go_then_the_oldest_of_the_rest_and_all_that_cannot_be_read() {
        let state = state(&[10, 20, 30, 40, 50]);
        let cache = open(&state);
        cache.cache.scribble(key(99).get(), b"torn");
        assert_eq!(cache.prune(Timestamp::from_secs(20), None).unwrap(), 2);
        assert_eq!(left(&cache), [20, 30, 40, 50]);
        assert_eq!(cache.prune(Timestamp::ZERO, Some(2)).unwrap(), 2);
        assert_eq!(left(&cache), [40, 50]);
        assert_eq!(cache.prune(Timestamp::from_secs(45), Some(9)).unwrap(), 1);
        drop(cache);
        assert_eq!(left(&open(&state)), [50]);
    }

    #[test]
    fn what_was_thinned_out_leaves_the_disk() {
        let state = state(&(0..1_000).collect::<Vec<_>>());
        let cache = open(&state);
        // Some of what is left has its harvest elsewhere.
        for second in 995..1_000 {
            let found = cache.cache.get(key(second)).unwrap();
            cache.cache.put(key(second), &found);
        }
        let before = cache.cache.log.total();
        assert_eq!(cache.prune(Timestamp::ZERO, Some(10)).unwrap(), 990);
        assert!(cache.cache.log.total() < before / 50, "{} of {before}", cache.cache.log.total());
        assert_eq!(left(&cache), (990..1_000).collect::<Vec<_>>());
        drop(cache);
        assert_eq!(left(&open(&state)), (990..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn while_a_crawl_has_the_state_nothing_is_read_or_removed() {
        let state = state(&[1]);
        let held = StateDir::take(state.path()).unwrap();
        assert!(matches!(IdleCache::open(state.path(), "cache").map(drop), Err(StoreError::InUse { .. })));
        assert!(matches!(remove(state.path(), "cache"), Err(StoreError::InUse { .. })));
        drop(held);
        assert_eq!(left(&open(&state)), [1]);
    }

    #[test]
    fn a_cache_is_removed_whole_even_if_it_does_not_open() {
        let state = state(&[1]);
        fs::write(state.path().join("cache/db"), "nothing that sled would know").unwrap();
        assert!(remove(state.path(), "cache").unwrap().unwrap() > 0);
        assert_eq!(remove(state.path(), "cache").unwrap(), None);
        assert!(IdleCache::open(state.path(), "cache").unwrap().is_none());
    }
}
