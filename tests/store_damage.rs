//! Files that were cut, flipped or zeroed: an error that names the place, or a repair that says so. Never a panic, never
//! a loss in silence.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crawl::request::Request;
use crawl::sink::Position;
use crawl::store::disk::{DiskOptions, DiskStore};
use crawl::store::{Batch, Store, StoreError};
use crawl::url::{CanonicalUrl, Origin};

const BATCHES: u64 = 300;
const LINKS: u64 = 10;

fn get(batch: u64, page: u64) -> Request {
    Request::get(CanonicalUrl::parse(&format!("http://a.example/{batch}/{page}")).unwrap())
}

fn origin() -> Origin {
    get(0, 0).origin()
}

fn links(batch: u64) -> Batch {
    Batch {
        links: (0..LINKS).map(|page| get(batch, page)).collect(),
        sinks: vec![("out".into(), Position(batch))],
        ..Batch::default()
    }
}

fn options(memtable_bytes: u64) -> DiskOptions {
    // A small table goes with small files of the database.
    let seen_bytes = if memtable_bytes < 1 << 20 { 16 << 10 } else { 192 << 20 };
    DiskOptions { memtable_bytes, seen_bytes, ..DiskOptions::default() }
}

/// A state with 300 batches of 10 links, of which the first link of each is done.
fn build(dir: &Path, memtable_bytes: u64) {
    let mut store = DiskStore::open(dir, options(memtable_bytes)).unwrap();
    for number in 1..=BATCHES {
        let fresh = store.commit(links(number)).unwrap().fresh;
        let batch = Batch { done: vec![(origin(), fresh[0].key)], ..Batch::default() };
        store.commit(batch).unwrap();
    }
    store.sync().unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

fn seen_log(dir: &Path) -> PathBuf {
    files(dir).into_iter().find(|path| path.extension().is_some_and(|kind| kind == "log")).unwrap()
}

/// What a damaged state comes to.
#[derive(Debug)]
enum Found {
    Refused(StoreError),
    Open { warnings: Vec<String>, steps: u64, waiting: usize, again: usize },
}

fn look(dir: &Path) -> Found {
    let looked = || -> Result<Found, StoreError> {
        let mut store = DiskStore::open(dir, options(16 << 20))?;
        let recovered = store.recover()?;
        store.holdings()?;
        let waiting = store.pending(&origin(), None, usize::MAX)?.len();
        store.failed()?;
        let all = Batch {
            links: (1..=BATCHES).flat_map(|number| links(number).links).collect(),
            ..Batch::default()
        };
        let again = store.commit(all)?.fresh.len();
        Ok(Found::Open {
            warnings: recovered.warnings,
            steps: recovered.sinks.first().map_or(0, |(_, position)| position.0),
            waiting,
            again,
        })
    };
    looked().unwrap_or_else(Found::Refused)
}

/// Nothing is missing in silence: what is neither waiting nor done enters again.
fn nothing_is_lost(found: &Found, what: &str) {
    let Found::Open { warnings, steps, waiting, again } = found else {
        return;
    };
    let total = (BATCHES * LINKS) as usize;
    let done = *steps as usize;
    assert!(waiting + again + done >= total, "{what}: {found:?}");
    let whole = *steps == BATCHES && *again == 0;
    assert!(whole || !warnings.is_empty(), "{what}: {found:?}");
}

#[derive(Debug, Clone, Copy)]
enum Harm {
    Flip,
    Zero,
    Cut,
    Gone,
}

fn harm(path: &Path, harm: Harm, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    match harm {
        Harm::Flip => bytes[at] ^= 0x5a,
        Harm::Zero => {
            let page = at / 4_096 * 4_096;
            let end = bytes.len().min(page + 4_096);
            bytes[page..end].fill(0);
        }
        Harm::Cut => bytes.truncate(at),
        Harm::Gone => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

/// Where files are harmed: `SEED=7 cargo test --test store_damage` takes other places.
fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(3)
}

fn no_harm_passes_in_silence(memtable_bytes: u64) {
    let root = tempfile::tempdir().unwrap();
    let sound = root.path().join("sound");
    build(&sound, memtable_bytes);
    let mut rng = fastrand::Rng::with_seed(seed());
    for file in files(&sound) {
        let name = file.strip_prefix(&sound).unwrap();
        let length = fs::metadata(&file).unwrap().len() as usize;
        if length == 0 || name.ends_with("lock") {
            continue;
        }
        for kind in [Harm::Flip, Harm::Flip, Harm::Flip, Harm::Zero, Harm::Cut, Harm::Gone] {
            let at = rng.usize(..length);
            let dir = root.path().join("harmed");
            copy(&sound, &dir);
            harm(&dir.join(name), kind, at);
            let what = format!("{kind:?} of {} at {at} of {length}", name.display());
            let found = look(&dir);
            nothing_is_lost(&found, &what);
            fs::remove_dir_all(&dir).unwrap();
        }
    }
}

#[test]
fn no_harm_to_a_young_state_passes_in_silence() {
    no_harm_passes_in_silence(16 << 20);
}

#[test]
fn no_harm_to_a_sorted_state_passes_in_silence() {
    no_harm_passes_in_silence(16 << 10);
}

fn opened(dir: &Path) -> (Vec<String>, usize, usize) {
    match look(dir) {
        Found::Open { warnings, waiting, again, .. } => (warnings, waiting, again),
        Found::Refused(error) => panic!("{error}"),
    }
}

#[test]
fn a_log_that_lost_its_end_means_that_done_pages_come_again() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 16 << 20);
    harm(&seen_log(dir.path()), Harm::Cut, 0);
    let (warnings, waiting, again) = opened(dir.path());
    assert_eq!((warnings.len(), waiting, again), (1, 2_700, 300));
    let (warnings, waiting, again) = opened(dir.path());
    assert_eq!((warnings.len(), waiting, again), (0, 3_000, 0));
}

#[test]
fn a_bad_byte_in_the_log_costs_the_pages_of_its_record_at_most() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 16 << 20);
    let log = seen_log(dir.path());
    let middle = fs::metadata(&log).unwrap().len() as usize / 2;
    harm(&log, Harm::Flip, middle);
    let (warnings, waiting, again) = opened(dir.path());
    assert_eq!((warnings.len(), waiting, again), (1, 2_700, 1));
}

#[test]
fn what_a_kill_left_behind_the_recorded_end_is_dropped_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 16 << 20);
    let log = seen_log(dir.path());
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend(b"half a record that was never finished");
    fs::write(&log, bytes).unwrap();
    let (warnings, waiting, again) = opened(dir.path());
    assert_eq!((warnings.len(), waiting, again), (0, 2_700, 0));
}

#[test]
fn steps_that_were_safe_and_are_gone_are_told_once() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 16 << 20);
    let journal = dir.path().join("frontier/0.jnl");
    let length = fs::metadata(&journal).unwrap().len() as usize;
    harm(&journal, Harm::Cut, length - 3);
    let open = || DiskStore::open(dir.path(), options(16 << 20)).unwrap();
    assert_eq!(
        open().recover().unwrap().warnings,
        ["the state is 1 steps older than it was: the pages of these steps are fetched again"]
    );
    assert!(open().recover().unwrap().warnings.is_empty());
}

/// The file that lists the database's files, of the keyspace with the most of them. Lists before the current one may lie beside it.
fn list_of_files(dir: &Path) -> PathBuf {
    let list_of = |current: PathBuf| {
        let number = *fs::read(&current).unwrap().first_chunk().unwrap();
        current.with_file_name(format!("v{}", u64::from_le_bytes(number)))
    };
    files(&dir.join("frontier/keyspaces"))
        .into_iter()
        .filter(|path| path.ends_with("current"))
        .map(list_of)
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap()
}

#[test]
fn no_byte_of_the_list_of_files_is_changed_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 16 << 10);
    let list = list_of_files(dir.path());
    let sound = fs::read(&list).unwrap();
    for at in 0..sound.len() {
        harm(&list, Harm::Flip, at);
        assert!(matches!(look(dir.path()), Found::Refused(StoreError::Damaged { .. })), "byte {at}");
        fs::write(&list, &sound).unwrap();
    }
    assert_eq!(opened(dir.path()), (vec![], 2_700, 0));
}

/// Where a table says how many entries its table of contents has, and where that begins.
fn places_of_counts(table: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let end = table.len() - 38;
    let place = u64::from_le_bytes(*table[end + 22..].first_chunk().unwrap()) as usize;
    (place..place + 8).chain(end..table.len())
}

#[test]
fn no_byte_of_a_table_of_contents_ends_the_process() {
    let root = tempfile::tempdir().unwrap();
    let (sound, harmed) = (root.path().join("sound"), root.path().join("harmed"));
    build(&sound, 16 << 10);
    let is_table = |path: &PathBuf| path.parent().is_some_and(|folder| folder.ends_with("tables"));
    let table = files(&sound).into_iter().rfind(is_table).unwrap();
    for at in places_of_counts(&fs::read(&table).unwrap()) {
        copy(&sound, &harmed);
        harm(&harmed.join(table.strip_prefix(&sound).unwrap()), Harm::Flip, at);
        nothing_is_lost(&look(&harmed), &format!("byte {at} of a table"));
        fs::remove_dir_all(&harmed).unwrap();
    }
}

#[test]
fn a_database_without_its_folder_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 16 << 20);
    fs::remove_dir_all(dir.path().join("frontier")).unwrap();
    assert!(matches!(look(dir.path()), Found::Refused(StoreError::Damaged { .. })));
}
