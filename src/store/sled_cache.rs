//! The validator cache on disk: a log of entries, and a sled tree that says where in it each entry lies.
//!
//! sled is dear for every value that it is given, so it is given blocks of some dozens of pointers ([`index`]). An entry that is
//! confirmed by a 304 gets a new head in the log; its harvest, which is most of it, stays where it is. When half of the log is of
//! no use any more, what is still wanted of its oldest file goes to the end, and the file goes.
//!
//! Whatever is wrong with it, the crawl goes on: an entry that does not read back is absent, a database that does not open
//! is put aside and an empty one takes its place. Everything carries a checksum over its key and itself. When the cache is full,
//! the entry that was confirmed longest ago among a few neighbours goes; keys are hashes, so neighbours are a random draw. What
//! was not in the database yet when the process was killed is read back from the log. What was written in the last second before
//! a power cut may be lost.

mod front;
mod index;
mod inspect;
pub(super) mod log;
mod record;
mod tidy;
pub(super) mod upkeep;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use front::{Front, front};
use index::Index;
pub(super) use inspect::inspect;
use log::{End, FILE_BYTES, Log, Place};
use record::Pointer;

use super::cache::{CacheEntry, Kept, Packed, ValidatorCache};
use super::lock::io_error;
use super::{StoreError, codec};
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// How often, and how far apart, a lock is asked for that this process may be about to let go of.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The folder of the log, in that of the database.
const LOG: &str = "entries";
/// Not the key of a block: those have eight bytes.
const NOTE_KEY: &[u8] = b"ledger";
/// What stood here before there were blocks: such a cache begins anew.
const OLD_NOTE_KEY: &[u8] = b"note";
/// The head of a frame that says that its key is gone. That of an entry is longer.
const GONE: &[u8] = &[0];
/// Whether a run is on, and from when on entries are as young as the state.
const RUN_KEY: &[u8] = b"run";
/// Damaged folders that are kept; the next one is removed.
const KEPT_ASIDE: u32 = 3;

/// How much the validator cache may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Memory for sled's pages, in bytes; sled takes it as a wish. 8 MiB.
    pub page_bytes: u64,
    /// Memory for the entries in front of sled, in bytes. 0: in a plain crawl nothing is asked for twice.
    pub front_bytes: u64,
    /// Larger entries are not kept, in bytes. 8 MiB: a full sitemap with its 50,000 locations.
    pub max_entry_bytes: usize,
    /// More entries push out old ones. 2,000,000: beyond that the files, and what is read of them at the start, grow too far.
    pub max_entries: u64,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { page_bytes: 8 << 20, front_bytes: 0, max_entry_bytes: 8 << 20, max_entries: 2_000_000 }
    }
}

/// Validators on disk, in sled.
pub struct SledCache {
    database: sled::Db,
    /// The entries that were used last, if any are wanted there.
    front: Option<Front>,
    index: Index,
    log: Log,
    /// About how many bytes of the log are of no use any more. Held by whoever writes: an entry is appended and found in one step.
    unused: Mutex<u64>,
    /// From when on entries are as young as the state, in milliseconds; none before a run has begun.
    whole_from: AtomicU64,
    options: CacheOptions,
}

/// No run has begun.
const NO_RUN: u64 = u64::MAX;

/// What is written down beside the blocks: which end of the log they reach to, where it ends, its unused bytes.
type Note = (End, End, u64);
/// Whether a run is on, and from when on entries are as young as the state.
type RunNote = (bool, Timestamp);

impl SledCache {
    /// Opens the cache in `dir`, or makes one. A cache that does not open is put aside as `<dir>.damaged-N`.
    ///
    /// # Errors
    /// [`StoreError::Io`] if there can be none: another process has it, or the file system refuses.
    pub fn open(dir: &Path, options: CacheOptions) -> Result<Self, StoreError> {
        let opened = match open_when_free(dir, &options) {
            Ok(opened) if opened.is_old() => begin_anew(dir, opened, &options),
            Err(reason) if is_locked(&reason) || is_of_the_system(&reason) => Err(reason),
            Err(reason) => {
                let aside = put_aside(dir)?;
                tracing::warn!(cache = %dir.display(), aside = %aside.display(), reason, "validator cache does not open: going on with an empty one");
                open_database(dir, &options)
            }
            opened => opened,
        };
        let Opened { database, index, log, unused } = opened.map_err(|reason| refused(dir, reason))?;
        let cache = Self {
            unused: Mutex::new(unused),
            whole_from: AtomicU64::new(NO_RUN),
            database,
            index,
            log,
            front: (options.front_bytes > 0).then(|| front(options.front_bytes)),
            options,
        };
        cache.catch_up();
        Ok(cache)
    }

    /// Takes from the log what a killed process had not brought into the blocks.
    fn catch_up(&self) {
        let mut unused = self.writing();
        self.log.since(self.index.checkpoint(), |frame| {
            let pointer = Pointer { checked: frame.at, place: frame.name.place };
            self.point(frame.key, (frame.head != GONE).then_some(pointer), &mut unused);
        });
    }

    /// Bytes that are counted are counted: whoever panicked has left a number.
    fn writing(&self) -> MutexGuard<'_, u64> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pointer(&self, key: u64) -> Option<Pointer> {
        self.index.get(key).map_err(|reason| tracing::warn!(reason, "validator cache cannot be read")).ok()?
    }

    fn read(&self, key: Fingerprint) -> Option<CacheEntry> {
        let found = self.pointer(key.get())?;
        self.load(key.get(), found).or_else(|| {
            // Its file may have gone between the two looks.
            let moved = self.pointer(key.get()).filter(|again| *again != found)?;
            self.load(key.get(), moved)
        })
    }

    fn load(&self, key: u64, pointer: Pointer) -> Option<CacheEntry> {
        let frame = self.log.read(key, pointer.place)?;
        let head: record::Head = codec::decode(&frame.head).ok()?;
        let (name, harvest) = match head.harvest {
            None => (frame.name, frame.rest),
            Some(name) => {
                let other = self.log.read(key, name.place)?;
                (other.name == name).then_some((name, other.rest))?
            }
        };
        let kept = Kept { log: self.log.id(), key, frame: name };
        Some(head.entry(pointer.checked, Packed::kept(harvest, kept)))
    }

    /// Appends an entry, without its harvest if that is there already. None if it is too large.
    fn append(&self, key: u64, entry: &CacheEntry) -> Result<Option<(Place, Packed)>, String> {
        let here =
            |kept: &Kept| kept.log == self.log.id() && kept.key == key && self.log.holds(kept.frame.place);
        let kept = entry.harvest.place().filter(here);
        let head = record::head(entry, kept.map(|kept| kept.frame)).map_err(|error| error.to_string())?;
        if head.len() + entry.harvest.len() > self.options.max_entry_bytes {
            return Ok(None);
        }
        let rest: &[u8] = if kept.is_some() { &[] } else { entry.harvest.bytes() };
        let frame = self.log.append(key, entry.checked, &head, rest).map_err(|error| error.to_string())?;
        let kept = kept.unwrap_or(Kept { log: self.log.id(), key, frame });
        Ok(Some((frame.place, Packed::kept(entry.harvest.bytes().clone(), kept))))
    }

    /// Says where an entry lies from now on, or that it is gone.
    fn point(&self, key: u64, pointer: Option<Pointer>, unused: &mut u64) {
        match self.index.set(key, pointer, self.log.end()) {
            Ok((more, is_next)) => {
                *unused += more;
                if is_next {
                    self.write_note(*unused);
                }
            }
            Err(reason) => tracing::warn!(reason, "validator cache cannot be written"),
        }
    }

    fn drop_entry(&self, key: u64, unused: &mut u64) {
        if let Some(front) = &self.front {
            front.invalidate(&key);
        }
        let Some(pointer) = self.pointer(key) else { return };
        if let Err(error) = self.log.append(key, pointer.checked, GONE, &[]) {
            tracing::warn!(%error, "validator cache cannot forget an entry for good");
        }
        self.point(key, None, unused);
    }

    /// Brings every pointer into its block.
    fn settle(&self, unused: &mut u64) {
        match self.index.settle(self.log.end()) {
            Ok(more) => *unused += more,
            Err(reason) => tracing::warn!(reason, "validator cache cannot be written"),
        }
        self.write_note(*unused);
    }

    fn write_note(&self, unused: u64) {
        let note: Note = (self.index.checkpoint(), self.log.end(), unused);
        let written = codec::encode(&note).map_err(|error| error.to_string());
        let written = written.and_then(|bytes| guarded(|| self.database.insert(NOTE_KEY, bytes)));
        if let Err(reason) = written {
            tracing::warn!(reason, "validator cache cannot be written");
        }
    }

    /// Whether a run has begun: who only looks at the cache says nothing about its wholeness.
    fn has_begun(&self) -> bool {
        self.whole_from.load(Ordering::Relaxed) != NO_RUN
    }

    /// Writes down whether a run is on.
    fn note_run(&self, is_on: bool) {
        let from = self.whole_from.load(Ordering::Relaxed);
        let note: RunNote = (is_on, Timestamp::from_millis(from));
        let written = codec::encode(&note).map_err(|error| error.to_string());
        if let Err(reason) = written.and_then(|bytes| guarded(|| self.database.insert(RUN_KEY, bytes))) {
            tracing::warn!(reason, "validator cache cannot be written");
        }
    }

    /// The log first: what the database points to is there by then.
    fn bring_to_the_disk(&self) {
        if let Err(error) = self.log.sync() {
            tracing::warn!(%error, "validator cache cannot be written");
        }
        if let Err(reason) = guarded(|| self.database.flush()) {
            tracing::warn!(reason, "validator cache cannot be written");
        }
    }
}

impl ValidatorCache for SledCache {
    fn get(&self, key: Fingerprint) -> Option<CacheEntry> {
        if let Some(entry) = self.front.as_ref().and_then(|front| front.get(&key.get())) {
            return Some(CacheEntry::clone(&entry));
        }
        // Not put in front: most are looked up once in a round, and written soon after.
        self.read(key)
    }

    fn put(&self, key: Fingerprint, entry: &CacheEntry) {
        let mut unused = self.writing();
        match self.append(key.get(), entry) {
            Ok(Some((place, harvest))) => {
                if let Some(front) = &self.front {
                    front.insert(key.get(), Arc::new(CacheEntry { harvest, ..entry.clone() }));
                }
                self.point(key.get(), Some(Pointer { checked: entry.checked, place }), &mut unused);
                self.tidy_if_worthwhile(&mut unused);
            }
            // What is kept of the page before would be wrong from now on.
            Ok(None) => self.drop_entry(key.get(), &mut unused),
            Err(reason) => tracing::warn!(reason, "validator cache cannot keep an entry"),
        }
    }

    fn remove(&self, key: Fingerprint) {
        self.drop_entry(key.get(), &mut self.writing());
    }

    fn clear(&self) {
        let mut unused = self.writing();
        *unused = 0;
        if let Some(front) = &self.front {
            front.invalidate_all();
        }
        if let Err(error) = self.log.clear() {
            tracing::warn!(%error, "validator cache cannot be cleared");
        }
        if let Err(reason) = self.index.clear(self.log.end()) {
            tracing::warn!(reason, "validator cache cannot be cleared");
        }
        // At once: what came back after a kill would stand for pages that were to be forgotten.
        self.write_note(*unused);
        self.bring_to_the_disk();
    }

    fn begin(&self, now: Timestamp) -> Timestamp {
        let found = guarded(|| self.database.get(RUN_KEY)).ok().flatten();
        let found: Option<RunNote> = found.and_then(|bytes| codec::decode(&bytes).ok());
        let from = match found {
            // Its last second was not written.
            Some((true, _)) => now,
            Some((false, from)) => from,
            None => Timestamp::ZERO,
        };
        self.whole_from.store(from.as_millis(), Ordering::Relaxed);
        self.note_run(true);
        self.write_note(*self.writing());
        self.bring_to_the_disk();
        from
    }

    fn flush(&self) {
        self.settle(&mut self.writing());
        self.bring_to_the_disk();
        if self.has_begun() {
            // Behind everything else: what is said to be whole is.
            self.note_run(false);
            self.bring_to_the_disk();
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
fn open_when_free(dir: &Path, options: &CacheOptions) -> Result<Opened, String> {
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

/// What says nothing about the files themselves: a full disk, too many open files, no rights. A cache that cannot be read for
/// such a reason is as good as it was.
fn is_of_the_system(reason: &str) -> bool {
    ["os error 28)", "os error 122)", "os error 24)", "os error 23)", "os error 13)", "os error 30)"]
        .iter()
        .any(|code| reason.contains(code))
}

/// What lies in a folder.
struct Opened {
    database: sled::Db,
    index: Index,
    log: Log,
    unused: u64,
}

impl Opened {
    /// Whether it was written before there were blocks.
    fn is_old(&self) -> bool {
        guarded(|| self.database.contains_key(OLD_NOTE_KEY)).unwrap_or(false)
    }
}

fn open_database(dir: &Path, options: &CacheOptions) -> Result<Opened, String> {
    let database = guarded(|| {
        sled::Config::new()
            .path(dir)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(options.page_bytes)
            .flush_every_ms(Some(1_000))
            .open()
    })?;
    let note = guarded(|| database.get(NOTE_KEY))?;
    let note: Option<Note> = note.and_then(|bytes| codec::decode(&bytes).ok());
    let log = Log::open(&dir.join(LOG), FILE_BYTES, note.map(|(_, end, _)| end));
    let log = log.map_err(|error| error.to_string())?;
    let (checkpoint, _, unused) = note.unwrap_or_default();
    let index = Index::open(database.clone(), options.max_entries, checkpoint)?;
    Ok(Opened { database, index, log, unused })
}

/// Makes an empty cache of one that was written before there were blocks: to take it out entry by entry would take minutes.
fn begin_anew(dir: &Path, old: Opened, options: &CacheOptions) -> Result<Opened, String> {
    drop(old);
    tracing::info!(cache = %dir.display(), "validator cache of an earlier version: going on with an empty one");
    fs::remove_dir_all(dir).map_err(|error| error.to_string())?;
    open_when_free(dir, options)
}

/// Runs a database call; its errors and panics become text.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the database gave up on its files".to_owned()),
    }
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

    /// A cache whose log begins another file after so many bytes.
    fn with_files_of(dir: &Path, bytes: u64) -> SledCache {
        let mut cache = open(dir);
        cache.log.set_file_bytes(bytes);
        cache
    }

    impl SledCache {
        /// Writes what is no block in the place of the one that begins with a key.
        pub(super) fn scribble(&self, start: u64, bytes: &[u8]) {
            self.settle(&mut self.writing());
            self.database.insert(start.to_be_bytes(), bytes).unwrap();
        }

        /// The bytes of the first block.
        fn first_block(&self) -> Vec<u8> {
            self.settle(&mut self.writing());
            self.database.get(0_u64.to_be_bytes()).unwrap().unwrap().to_vec()
        }
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
        assert_eq!(cache.index.count(), 1);
    }

    #[test]
    fn an_entry_that_does_not_read_back_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path());
        cache.put(key(1), &entry(1));
        let sound = cache.first_block();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            cache.scribble(0, &bytes);
            assert_eq!(cache.read(key(1)), None);
        }
        cache.scribble(0, &sound[..5]);
        assert_eq!(cache.read(key(1)), None);
        assert!(
            record::open(0, &sound).is_some() && record::open(1, &sound).is_none(),
            "it is of other pages"
        );
    }

    #[test]
    fn a_log_that_does_not_read_back_costs_its_entries() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path());
        cache.put(key(1), &entry(1));
        let found = cache.get(key(1)).unwrap();
        cache.put(key(1), &CacheEntry { checked: Timestamp::from_secs(9), ..found });
        let file = dir.path().join(LOG).join("00000001");
        let sound = fs::read(&file).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
            let read = cache.read(key(1)).map(|entry| entry.harvest);
            assert!(read.is_none_or(|harvest| harvest == entry(1).harvest));
        }
        fs::write(&file, &sound[..sound.len() - 1]).unwrap();
        assert_eq!(cache.read(key(1)), None);
        cache.put(key(1), &entry(1));
        assert_eq!(cache.read(key(1)), Some(entry(1)));
    }

    #[test]
    fn a_page_that_has_not_changed_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(dir.path());
        cache.put(key(1), &of_size(100_000));
        for second in 0..10 {
            let found = cache.read(key(1)).unwrap();
            cache.put(key(1), &CacheEntry { checked: Timestamp::from_secs(second), ..found });
        }
        assert!(cache.log.total() < 103_000, "{} bytes", cache.log.total());
        let confirmed = CacheEntry { checked: Timestamp::from_secs(9), ..of_size(100_000) };
        assert_eq!(cache.read(key(1)), Some(confirmed.clone()));
        drop(cache);
        assert_eq!(open(dir.path()).read(key(1)), Some(confirmed));
    }

    #[test]
    fn a_harvest_is_written_where_it_is_not_yet() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = dirs.each_ref().map(|dir| open(dir.path()));
        one.put(key(1), &entry(1));
        let found = one.get(key(1)).unwrap();
        other.put(key(1), &found);
        other.put(key(2), &found);
        assert_eq!((other.read(key(1)), other.read(key(2))), (Some(entry(1)), Some(entry(1))));
        one.clear();
        assert_eq!(one.get(key(1)), None);
        one.put(key(1), &found);
        assert_eq!(one.read(key(1)), Some(entry(1)));
    }

    #[test]
    fn what_is_written_over_is_removed_from_the_disk_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let cache = with_files_of(dir.path(), 10_000);
        for round in 0..30 {
            for page in 0..100 {
                let again = cache.get(key(page)).filter(|_| page < 50);
                let checked = Timestamp::from_secs(round);
                let new = again.unwrap_or(CacheEntry { digest: round, ..entry(page) });
                cache.put(key(page), &CacheEntry { checked, ..new });
            }
            let bytes = cache.log.total();
            assert!(bytes < 80_000, "{bytes} bytes in round {round}");
        }
        for page in 0..100 {
            let digest = if page < 50 { 0 } else { 29 };
            let expected = CacheEntry { digest, checked: Timestamp::from_secs(29), ..entry(page) };
            assert_eq!(cache.read(key(page)), Some(expected));
        }
    }

    #[test]
    fn a_log_that_was_torn_goes_on_in_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).put(key(1), &entry(1));
        let file = dir.path().join(LOG).join("00000001");
        fs::write(&file, [fs::read(&file).unwrap(), b"half a frame".to_vec()].concat()).unwrap();
        let cache = open(dir.path());
        cache.put(key(2), &entry(2));
        assert_eq!(cache.log.end().0, 2);
        drop(cache);
        let cache = open(dir.path());
        assert_eq!(cache.log.end().0, 2, "what ends as it was noted is gone on with");
        assert_eq!((cache.read(key(1)), cache.read(key(2))), (Some(entry(1)), Some(entry(2))));
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
            let harmed = dir.join(if round % 2 == 0 { "db" } else { "entries/00000001" });
            let mut bytes = fs::read(&harmed).unwrap();
            for _ in 0..50 {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
            }
            bytes.truncate(rng.usize(bytes.len() / 2..));
            fs::write(&harmed, bytes).unwrap();
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
        cache.put(key(1), &entry(1));
        let sound = cache.first_block();
        for version in [0, 3, 4, 6, u8::MAX] {
            let mut bytes = sound.clone();
            bytes[0] = version;
            cache.scribble(0, &bytes);
            assert_eq!(cache.read(key(1)), None, "{version}");
        }
        cache.put(key(1), &entry(1));
        assert_eq!(cache.read(key(1)), Some(entry(1)));
        drop(cache);
        assert_eq!(open(dir.path()).index.count(), 1);
    }

    /// What a process leaves that is killed now.
    fn killed(cache: &SledCache, dir: &Path) -> tempfile::TempDir {
        cache.database.flush().unwrap();
        let copy = tempfile::tempdir().unwrap();
        for (from, to) in [(dir.to_owned(), copy.path().to_owned()), (dir.join(LOG), copy.path().join(LOG))] {
            fs::create_dir_all(&to).unwrap();
            for found in fs::read_dir(from).unwrap().map(Result::unwrap) {
                if found.file_type().unwrap().is_file() {
                    fs::copy(found.path(), to.join(found.file_name())).unwrap();
                }
            }
        }
        copy
    }

    #[test]
    fn what_a_killed_process_had_only_in_memory_is_read_back_from_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = open(dir.path());
        cache.index.set_room(20);
        cache.begin(Timestamp::from_secs(1));
        for number in 0..300 {
            cache.put(key(number), &entry(number));
            cache.put(key(number / 2), &CacheEntry { digest: 77, ..entry(number / 2) });
            if number % 3 == 0 {
                cache.remove(key(number));
            }
        }
        assert!(cache.index.checkpoint() > (1, 0), "some are in blocks");
        let left = killed(&cache, dir.path());
        assert_eq!(inspect(left.path()), Ok((cache.index.count_by_looking(), 0)));
        let again = open(left.path());
        for number in 0..300 {
            assert_eq!(again.get(key(number)), cache.get(key(number)), "{number}");
        }
        assert_eq!(again.get(key(297)), None);
    }

    #[test]
    fn a_cache_from_before_there_were_blocks_begins_anew() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("cache");
        let cache = open(&dir);
        cache.put(key(1), &entry(1));
        cache.database.insert(OLD_NOTE_KEY, b"what stood there").unwrap();
        drop(cache);
        let cache = open(&dir);
        assert_eq!(cache.get(key(1)), None);
        assert!(cache.log.total() == 0 && !root.path().join("cache.damaged-1").exists());
        cache.put(key(1), &entry(1));
        drop(cache);
        assert_eq!(open(&dir).get(key(1)), Some(entry(1)));
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
        let front = cache.front.as_ref().unwrap();
        front.run_pending_tasks();
        assert!(front.weighted_size() <= 1 << 20, "{}", front.weighted_size());
        assert!((10..=20).contains(&front.entry_count()), "{}", front.entry_count());
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
