//! The validator cache on disk: one sled tree behind a small cache in memory.
//!
//! Whatever is wrong with it, the crawl goes on: an entry that does not read back is absent, a database that does not open
//! is put aside and an empty one takes its place. Every entry carries its version and its own checksum. When the cache is full,
//! the entry that was confirmed longest ago among a few neighbours goes; keys are hashes, so neighbours are a random draw. What
//! was written in the last second before a kill or a power cut may be lost: sled writes behind.

pub(super) mod upkeep;

use std::fs;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::cache::{CacheEntry, ValidatorCache};
use super::lock::io_error;
use super::{StoreError, codec};
use crate::url::Fingerprint;

/// How often, and how far apart, a lock is asked for that this process may be about to let go of.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The first byte of every entry. One of another version is absent, and is written over when its page is fetched.
const ENTRY_VERSION: u8 = 3;
/// Behind the version.
const CHECK_BYTES: usize = 8;
/// What moka needs for an entry beside its value.
const ENTRY_OVERHEAD: usize = 350;
/// How many neighbours are looked at to find one to drop.
const DRAW: usize = 8;
/// The count is written down once in so many changes, and at the end.
const COUNT_EVERY: u64 = 1_024;
/// Not a fingerprint: those have eight bytes.
const COUNT_KEY: &[u8] = b"count";
/// Damaged folders that are kept; the next one is removed.
const KEPT_ASIDE: u32 = 3;

/// How much the validator cache may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Memory for sled's pages, in bytes; sled takes it as a wish. 64 MiB.
    pub page_bytes: u64,
    /// Memory for the entries in front of sled, in bytes. 32 MiB.
    pub front_bytes: u64,
    /// Larger entries are not kept, in bytes. 8 MiB: a full sitemap with its 50,000 locations.
    pub max_entry_bytes: usize,
    /// More entries push out old ones. 2,000,000: beyond that sled's memory and start-up grow too far.
    pub max_entries: u64,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { page_bytes: 64 << 20, front_bytes: 32 << 20, max_entry_bytes: 8 << 20, max_entries: 2_000_000 }
    }
}

/// Keys are fingerprints: they are hashed already.
#[derive(Debug, Clone, Copy, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Validators on disk, in sled.
pub struct SledCache {
    database: sled::Db,
    front: moka::sync::Cache<u64, Arc<CacheEntry>, BuildHasherDefault<Hashed>>,
    /// About how many there are: a crash may leave it off by up to [`COUNT_EVERY`].
    count: AtomicU64,
    options: CacheOptions,
}

impl SledCache {
    /// Opens the cache in `dir`, or makes one. A cache that does not open is put aside as `<dir>.damaged-N`.
    ///
    /// # Errors
    /// [`StoreError::Io`] if there can be none: another process has it, or the file system refuses.
    pub fn open(dir: &Path, options: CacheOptions) -> Result<Self, StoreError> {
        let database = match open_when_free(dir, &options) {
            Ok(database) => database,
            Err(reason) if is_locked(&reason) => return Err(refused(dir, reason)),
            Err(reason) => {
                let aside = put_aside(dir)?;
                tracing::warn!(cache = %dir.display(), aside = %aside.display(), reason, "validator cache does not open: going on with an empty one");
                open_database(dir, &options).map_err(|reason| refused(dir, reason))?
            }
        };
        let weigh = |_: &u64, entry: &Arc<CacheEntry>| weight(entry);
        Ok(Self {
            count: AtomicU64::new(read_count(&database)),
            database,
            front: moka::sync::Cache::builder()
                .max_capacity(options.front_bytes)
                .weigher(weigh)
                .build_with_hasher(BuildHasherDefault::default()),
            options,
        })
    }

    fn read(&self, key: Fingerprint) -> Option<CacheEntry> {
        let bytes = guarded(|| self.database.get(key.get().to_be_bytes()))
            .map_err(|reason| tracing::warn!(reason, "validator cache cannot be read"))
            .ok()??;
        open_entry(&bytes)
    }

    fn write(&self, key: Fingerprint, bytes: Vec<u8>) {
        match guarded(|| self.database.insert(key.get().to_be_bytes(), bytes)) {
            Ok(Some(_)) => {}
            Ok(None) => self.grown(key.get()),
            Err(reason) => tracing::warn!(reason, "validator cache cannot be written"),
        }
    }

    /// Counts a new entry and drops an old one if there are too many.
    fn grown(&self, key: u64) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(COUNT_EVERY) {
            self.write_count();
        }
        if count > self.options.max_entries {
            // Behind the new entry, and so somewhere else each time.
            if let Some(oldest) = self.oldest_behind(key) {
                self.remove(Fingerprint::from_bits(oldest));
            }
        }
    }

    fn oldest_behind(&self, key: u64) -> Option<u64> {
        let behind = self.database.range(key.wrapping_add(1).to_be_bytes()..);
        let around = behind.chain(self.database.range(..key.to_be_bytes()));
        let drawn = around.flatten().filter_map(|(key, value)| {
            let key = u64::from_be_bytes(key.as_ref().try_into().ok()?);
            // A damaged entry counts as the oldest.
            Some((open_entry(&value).map(|entry| entry.checked), key))
        });
        drawn.take(DRAW).min().map(|(_, key)| key)
    }

    /// Sets the count right.
    fn recount(&self, count: u64) {
        self.count.store(count, Ordering::Relaxed);
        self.flush();
    }

    fn write_count(&self) {
        let count = self.count.load(Ordering::Relaxed).to_be_bytes();
        if let Err(reason) = guarded(|| self.database.insert(COUNT_KEY, &count)) {
            tracing::warn!(reason, "validator cache cannot be written");
        }
    }
}

impl ValidatorCache for SledCache {
    fn get(&self, key: Fingerprint) -> Option<CacheEntry> {
        if let Some(entry) = self.front.get(&key.get()) {
            return Some(CacheEntry::clone(&entry));
        }
        // Not put in front: most are looked up once in a round, and written soon after.
        self.read(key)
    }

    fn put(&self, key: Fingerprint, entry: &CacheEntry) {
        match seal_entry(entry) {
            Ok(bytes) if bytes.len() <= self.options.max_entry_bytes => {
                self.front.insert(key.get(), Arc::new(entry.clone()));
                self.write(key, bytes);
            }
            // What is kept of the page before would be wrong from now on.
            Ok(_) => self.remove(key),
            Err(error) => tracing::warn!(%error, "validator cache cannot keep an entry"),
        }
    }

    fn remove(&self, key: Fingerprint) {
        self.front.invalidate(&key.get());
        match guarded(|| self.database.remove(key.get().to_be_bytes())) {
            Ok(Some(_)) => {
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(None) => {}
            Err(reason) => tracing::warn!(reason, "validator cache cannot be written"),
        }
    }

    fn clear(&self) {
        self.front.invalidate_all();
        self.count.store(0, Ordering::Relaxed);
        if let Err(reason) = guarded(|| self.database.clear()) {
            tracing::warn!(reason, "validator cache cannot be cleared");
        }
    }

    fn flush(&self) {
        self.write_count();
        if let Err(reason) = guarded(|| self.database.flush()) {
            tracing::warn!(reason, "validator cache cannot be written");
        }
    }
}

/// Writes down the count and what the last second left in memory.
impl Drop for SledCache {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Opens it, also if this process has closed it a moment ago: its threads let go of the lock a little later.
fn open_when_free(dir: &Path, options: &CacheOptions) -> Result<sled::Db, String> {
    let mut opened = open_database(dir, options);
    for _ in 0..LOCK_TRIES {
        match &opened {
            Err(reason) if is_locked(reason) => std::thread::park_timeout(LOCK_PAUSE),
            _ => break,
        }
        opened = open_database(dir, options);
    }
    opened
}

fn is_locked(reason: &str) -> bool {
    reason.contains("could not acquire lock")
}

fn open_database(dir: &Path, options: &CacheOptions) -> Result<sled::Db, String> {
    guarded(|| {
        sled::Config::new()
            .path(dir)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(options.page_bytes)
            .flush_every_ms(Some(1_000))
            .open()
    })
}

/// Runs a database call; its errors and panics become text.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the database gave up on its files".to_owned()),
    }
}

/// Version, checksum, record.
fn seal_entry(entry: &CacheEntry) -> Result<Vec<u8>, codec::CodecError> {
    let mut bytes = Vec::with_capacity(entry.weight());
    bytes.push(ENTRY_VERSION);
    bytes.extend([0; CHECK_BYTES]);
    let mut bytes = codec::encode_behind(entry, bytes)?;
    let check = xxh3_64(&bytes[1 + CHECK_BYTES..]).to_be_bytes();
    bytes[1..=CHECK_BYTES].copy_from_slice(&check);
    Ok(bytes)
}

fn open_entry(bytes: &[u8]) -> Option<CacheEntry> {
    let (check, record) = bytes.strip_prefix(&[ENTRY_VERSION])?.split_first_chunk::<CHECK_BYTES>()?;
    let whole = xxh3_64(record).to_be_bytes() == *check;
    whole.then(|| codec::decode(record).ok()).flatten()
}

fn read_count(database: &sled::Db) -> u64 {
    let bytes = guarded(|| database.get(COUNT_KEY)).ok().flatten();
    bytes.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// The bytes that an entry takes in front of sled.
fn weight(entry: &CacheEntry) -> u32 {
    u32::try_from(entry.weight().saturating_add(ENTRY_OVERHEAD)).unwrap_or(u32::MAX)
}

/// Moves the folder out of the way and tells where it went.
fn put_aside(dir: &Path) -> Result<PathBuf, StoreError> {
    let name = |number: u32| {
        let mut name = dir.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    };
    let free = (1..=KEPT_ASIDE).map(name).find(|aside| !aside.exists());
    let moved = match &free {
        Some(aside) => fs::rename(dir, aside),
        None if dir.is_dir() => fs::remove_dir_all(dir),
        None => fs::remove_file(dir),
    };
    moved.map_err(|error| io_error(dir, &error))?;
    Ok(free.unwrap_or_else(|| dir.to_owned()))
}

fn refused(dir: &Path, reason: String) -> StoreError {
    StoreError::Io { path: dir.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::freshness::Lifetime;
    use crate::headers::validators::Validators;
    use crate::headers::vary::Selecting;
    use crate::request::Request;
    use crate::store::cache::{MemoryCache, NoCache, Packed};
    use crate::time::Timestamp;
    use crate::url::{CanonicalUrl, HostKey};

    pub(super) fn key(number: u64) -> Fingerprint {
        Fingerprint::of(&number.to_be_bytes())
    }

    pub(super) fn entry(number: u64) -> CacheEntry {
        let url = CanonicalUrl::parse(&format!("http://a.example/{number}")).unwrap();
        let item = (Some("book".into()), r#"{"title":"x"}"#.into());
        CacheEntry {
            host: HostKey::of("a.example"),
            validators: Validators { etag: Some(format!("\"{number}\"")), last_modified: None },
            lifetime: Lifetime::default(),
            selecting: Selecting::default(),
            digest: number,
            checked: Timestamp::from_secs(number),
            rules: 7,
            harvest: Packed::of(&[Request::get(url)], &[item]).unwrap(),
        }
    }

    fn of_size(bytes: usize) -> CacheEntry {
        CacheEntry { harvest: Packed::of(&[], &[(None, "x".repeat(bytes))]).unwrap(), ..entry(1) }
    }

    fn open(dir: &Path) -> SledCache {
        SledCache::open(dir, CacheOptions::default()).unwrap()
    }

    fn keeps_and_forgets(cache: &dyn ValidatorCache) {
        assert_eq!(cache.get(key(1)), None);
        cache.put(key(1), &entry(1));
        cache.put(key(2), &entry(2));
        cache.put(key(2), &entry(3));
        assert_eq!(cache.get(key(1)), Some(entry(1)));
        assert_eq!(cache.get(key(2)), Some(entry(3)));
        cache.remove(key(1));
        assert_eq!(cache.get(key(1)), None);
        cache.clear();
        assert_eq!(cache.get(key(2)), None);
    }

    #[test]
    fn it_keeps_what_it_is_given_and_forgets_what_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        keeps_and_forgets(&open(&dir.path().join("cache")));
        keeps_and_forgets(&MemoryCache::default());
        NoCache.put(key(1), &entry(1));
        assert_eq!(NoCache.get(key(1)), None);
    }

    #[test]
    fn entries_are_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).put(key(1), &entry(1));
        let cache = open(dir.path());
        assert_eq!(cache.get(key(1)), Some(entry(1)));
        assert_eq!(cache.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_entry_that_does_not_read_back_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path());
        let sound = seal_entry(&entry(1)).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            cache.write(key(1), bytes);
            assert_eq!(cache.get(key(1)), None);
        }
        cache.write(key(1), sound[..5].to_vec());
        assert_eq!(cache.get(key(1)), None);
    }

    #[test]
    fn a_folder_that_does_not_open_is_put_aside() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("cache");
        for number in 1..=5_u32 {
            open(&dir).put(key(1), &entry(1));
            fs::remove_file(dir.join("db")).unwrap();
            fs::create_dir(dir.join("db")).unwrap();
            assert_eq!(open(&dir).get(key(1)), None);
            let aside = root.path().join(format!("cache.damaged-{number}"));
            assert_eq!(aside.exists(), number <= KEPT_ASIDE);
        }
    }

    #[test]
    fn harmed_files_cost_entries_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let mut rng = fastrand::Rng::with_seed(1);
        for round in 0..20 {
            let dir = root.path().join(format!("cache{round}"));
            let cache = open(&dir);
            (0..200).for_each(|number| cache.put(key(number), &entry(number)));
            drop(cache);
            let mut bytes = fs::read(dir.join("db")).unwrap();
            for _ in 0..50 {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
            }
            bytes.truncate(rng.usize(bytes.len() / 2..));
            fs::write(dir.join("db"), bytes).unwrap();
            let cache = open(&dir);
            for number in 0..200 {
                assert!(cache.get(key(number)).is_none_or(|found| found == entry(number)));
            }
            cache.put(key(1), &entry(1));
            assert_eq!(cache.get(key(1)), Some(entry(1)));
        }
    }

    #[test]
    fn a_cache_that_another_holds_is_not_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path());
        assert!(matches!(
            SledCache::open(dir.path(), CacheOptions::default()).map(drop),
            Err(StoreError::Io { .. })
        ));
        drop(first);
    }

    #[test]
    fn a_large_entry_is_not_kept_and_takes_the_old_one_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = CacheOptions { max_entry_bytes: 256 << 10, ..CacheOptions::default() };
        let cache = SledCache::open(dir.path(), options).unwrap();
        cache.put(key(1), &entry(1));
        cache.put(key(1), &of_size(300 << 10));
        assert_eq!(cache.get(key(1)), None);
    }

    #[test]
    fn an_entry_of_another_version_is_absent_and_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path());
        for version in [0, ENTRY_VERSION - 1, ENTRY_VERSION + 1, u8::MAX] {
            let mut bytes = seal_entry(&entry(1)).unwrap();
            bytes[0] = version;
            cache.write(key(1), bytes);
            assert_eq!(cache.get(key(1)), None, "{version}");
        }
        cache.put(key(1), &entry(1));
        assert_eq!(cache.read(key(1)), Some(entry(1)));
        assert_eq!(cache.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_lies_in_front_weighs_what_it_holds_and_stays_within_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let options = CacheOptions { front_bytes: 1 << 20, ..CacheOptions::default() };
        let cache = SledCache::open(dir.path(), options).unwrap();
        for number in 0..200 {
            cache.put(key(number), &of_size(50_000));
        }
        cache.put(key(200), &of_size(2 << 20));
        cache.front.run_pending_tasks();
        assert!(cache.front.weighted_size() <= 1 << 20, "{}", cache.front.weighted_size());
        assert!((10..=20).contains(&cache.front.entry_count()), "{}", cache.front.entry_count());
        assert!((0..=200).all(|number| cache.get(key(number)).is_some()), "sled has all of them");
    }

    #[test]
    fn the_weight_of_an_entry_counts_every_text() {
        let plain = entry(1).weight();
        let mut heavy = entry(1);
        heavy.validators.last_modified = Some("x".repeat(100));
        assert_eq!(heavy.weight(), plain + 100);
        heavy.host = HostKey::of(&"a".repeat(9 + 100));
        assert_eq!(heavy.weight(), plain + 200);
        assert!(of_size(100_000).weight() > 100_000);
    }

    #[test]
    fn when_it_is_full_old_entries_go() {
        let dir = tempfile::tempdir().unwrap();
        let options = CacheOptions { max_entries: 500, ..CacheOptions::default() };
        let cache = SledCache::open(dir.path(), options).unwrap();
        (0..1_500).for_each(|number| cache.put(key(number), &entry(number)));
        let kept: Vec<_> = (0..1_500).filter(|number| cache.get(key(*number)).is_some()).collect();
        assert_eq!(kept.len(), 500);
        let young = kept.iter().filter(|number| **number >= 750).count();
        assert!(young > 450, "{young} of 500 are from the younger half");
    }
}
