//! One suite for every store: what a `Store` promises, in memory and on disk.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

use std::path::Path;
use std::time::Duration;

use crawl::cookies::{Cookie, CookieChange, Jar};
use crawl::history::{Occasion, Sight, judge};
use crawl::politeness::HostState;
use crawl::request::Request;
use crawl::robots::{RobotsAnswer, RobotsCopy, RobotsRecord};
use crawl::sink::Position;
use crawl::store::disk::{DiskOptions, DiskStore};
use crawl::store::memory::MemoryStore;
use crawl::store::{
    Batch, FailedRecord, LoginRecord, Memory, PageChange, Pending, QueueKey, RunRecord, Store, StoreError,
};
use crawl::time::Timestamp;
use crawl::url::{CanonicalUrl, HostKey, Origin};
use proptest::prelude::*;

fn get(url: &str) -> Request {
    Request::get(CanonicalUrl::parse(url).unwrap())
}

fn origin(url: &str) -> Origin {
    CanonicalUrl::parse(url).unwrap().origin()
}

fn links(urls: &[&str]) -> Batch {
    Batch { links: urls.iter().map(|url| get(url)).collect(), ..Batch::default() }
}

fn open(dir: &Path) -> DiskStore {
    DiskStore::open(dir, DiskOptions::default()).unwrap()
}

/// Runs a test on each kind of store.
fn on_each(test: impl Fn(&mut dyn Store)) {
    test(&mut MemoryStore::default());
    let dir = tempfile::tempdir().unwrap();
    test(&mut open(dir.path()));
}

fn urls(pending: &[Pending]) -> Vec<&str> {
    pending.iter().map(|pending| pending.request.url.as_str()).collect()
}

const A: &str = "http://a.example";

#[test]
fn a_new_store_knows_nothing() {
    on_each(|store| {
        let recovered = store.recover().unwrap();
        let held = store.holdings().unwrap();
        assert!(recovered.run.is_none() && held.queues.is_empty() && held.hosts.is_empty());
        assert!(recovered.warnings.is_empty());
        assert!(store.pending(&origin(A), None, 9).unwrap().is_empty());
        assert!(store.failed().unwrap().is_empty());
    });
}

#[test]
fn what_was_found_in_this_round_is_known_waiting_or_done() {
    on_each(|store| {
        let page = get("http://a.example/x");
        assert!(!store.knows(&page).unwrap());
        let batch = Batch { links: vec![page.clone()], ..Batch::default() };
        let key = store.commit(batch).unwrap().fresh[0].key;
        assert!(store.knows(&page).unwrap());
        store.commit(Batch { done: vec![(origin(A), key)], ..Batch::default() }).unwrap();
        assert!(store.knows(&page).unwrap());
        store.begin_round(RunRecord::default(), Memory::Keeps).unwrap();
        assert!(!store.knows(&page).unwrap());
    });
}

#[test]
fn who_only_asks_sees_what_was_committed_in_this_round() {
    on_each(|store| {
        let seen = store.seen().unwrap();
        let (once, never) = (get("http://a.example/x"), get("http://a.example/y").always());
        assert!(!seen.contains(once.fingerprint()));
        store.commit(Batch { links: vec![once.clone(), never.clone()], ..Batch::default() }).unwrap();
        assert!(seen.contains(once.fingerprint()) && !seen.contains(never.fingerprint()));
        store.begin_round(RunRecord::default(), Memory::Keeps).unwrap();
        assert!(!seen.contains(once.fingerprint()));
        store.commit(Batch { links: vec![once.clone()], ..Batch::default() }).unwrap();
        assert!(seen.contains(once.fingerprint()));
    });
}

/// What a server at `A` sets.
fn set(jar: &mut Jar, field: &str) -> Vec<CookieChange> {
    jar.receive(&get("http://a.example/").url, field, Timestamp::ZERO)
}

fn names(store: &mut dyn Store) -> Vec<String> {
    let mut names: Vec<_> = store.recover().unwrap().cookies.into_iter().map(|cookie| cookie.name).collect();
    names.sort_unstable();
    names
}

#[test]
fn cookies_of_the_session_hold_for_a_round_and_the_others_for_their_time() {
    on_each(|store| {
        let mut jar = Jar::default();
        let fields = ["session=1", "short=1; Max-Age=10", "long=1; Max-Age=1000", "gone=1"];
        let mut cookies: Vec<_> = fields.iter().flat_map(|field| set(&mut jar, field)).collect();
        cookies.extend(set(&mut jar, "gone=1; Max-Age=0"));
        store.commit(Batch { cookies, ..Batch::default() }).unwrap();
        assert_eq!(names(store), ["long", "session", "short"]);
        let run = |seconds| RunRecord { started: Timestamp::from_secs(seconds), ..RunRecord::default() };
        store.begin_round(run(50), Memory::Keeps).unwrap();
        assert_eq!(names(store), ["long"]);
        store.begin_round(run(60), Memory::Forgets).unwrap();
        assert!(names(store).is_empty());
    });
}

#[test]
fn cookies_and_the_login_are_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut jar = Jar::default();
    let login = LoginRecord { round: 1, at: Timestamp::from_secs(5), rules: 7 };
    let batch =
        Batch { cookies: set(&mut jar, "a=1; Path=/x"), login: Some(login.clone()), ..Batch::default() };
    open(dir.path()).commit(batch).unwrap();
    let recovered = open(dir.path()).recover().unwrap();
    let kept: Vec<&Cookie> = jar.cookies().collect();
    assert_eq!((recovered.cookies.iter().collect::<Vec<_>>(), recovered.login), (kept, Some(login)));
}

#[test]
fn a_link_enters_once_also_within_one_batch() {
    on_each(|store| {
        let first =
            store.commit(links(&["http://a.example/1", "http://a.example/2", "http://a.example/1"])).unwrap();
        assert_eq!(urls(&first.fresh), ["http://a.example/1", "http://a.example/2"]);
        assert_eq!(first.known, 1);
        let again = store.commit(links(&["http://a.example/2", "http://a.example/3"])).unwrap();
        assert_eq!(urls(&again.fresh), ["http://a.example/3"]);
        assert_eq!(store.holdings().unwrap().queues, [(origin(A), 3)]);
    });
}

#[test]
fn a_link_that_is_done_does_not_come_back() {
    on_each(|store| {
        let fresh = store.commit(links(&["http://a.example/1"])).unwrap().fresh;
        let batch = Batch { done: vec![(origin(A), fresh[0].key)], ..links(&["http://a.example/1"]) };
        assert_eq!(store.commit(batch).unwrap().fresh.len(), 0);
        assert!(store.holdings().unwrap().queues.is_empty());
        assert!(store.pending(&origin(A), None, 9).unwrap().is_empty());
    });
}

/// A page that was asked for and is done.
fn visit(store: &mut dyn Store, page: &Request) {
    let key = store.commit(Batch { links: vec![page.clone()], ..Batch::default() }).unwrap().fresh[0].key;
    let sight = Sight::Page { digest: 1, items: 2, rules: 3 };
    let now = judge(None, sight, Occasion { request: page, at: Timestamp::from_secs(9), round: 1 }).record;
    let change = PageChange { page: page.fingerprint(), before: None, now };
    let done = vec![(page.origin(), key)];
    store.commit(Batch { pages: vec![change], done, ..Batch::default() }).unwrap();
}

#[test]
fn what_is_known_of_a_page_is_told_at_its_first_answer_of_a_later_round_too() {
    on_each(|store| {
        let page = get("http://a.example/x");
        assert!(store.page_at_first(page.fingerprint()).unwrap().is_none());
        visit(store, &page);
        store.begin_round(RunRecord::default(), Memory::Keeps).unwrap();
        let batch = Batch { links: vec![page.clone()], ..Batch::default() };
        assert!(store.commit(batch).unwrap().fresh[0].known);
        let told = store.page_at_first(page.fingerprint()).unwrap();
        assert!(told.is_some() && told == store.page(page.fingerprint()).unwrap());
        store.begin_round(RunRecord::default(), Memory::Forgets).unwrap();
        assert!(store.page_at_first(page.fingerprint()).unwrap().is_none());
    });
}

#[test]
fn what_is_known_of_a_page_is_told_at_the_first_answer_of_one_more_request_of_the_round() {
    on_each(|store| {
        let page = get("http://a.example/x");
        visit(store, &page);
        let mut again = page.clone();
        again.dedup = crawl::request::Dedup::Never;
        store.commit(Batch { links: vec![again], ..Batch::default() }).unwrap();
        assert!(store.page_at_first(page.fingerprint()).unwrap().is_some());
    });
}

#[test]
fn a_request_without_dedup_always_enters_and_marks_nothing() {
    on_each(|store| {
        let always = || Batch { links: vec![get("http://a.example/login").always()], ..Batch::default() };
        assert_eq!(store.commit(always()).unwrap().fresh.len(), 1);
        assert_eq!(store.commit(always()).unwrap().fresh.len(), 1);
        assert_eq!(store.commit(links(&["http://a.example/login"])).unwrap().fresh.len(), 1);
        assert_eq!(store.holdings().unwrap().queues, [(origin(A), 3)]);
    });
}

#[test]
fn higher_priority_comes_first_and_equals_come_in_their_order() {
    on_each(|store| {
        let request = |path: &str, priority| get(&format!("http://a.example/{path}")).priority(priority);
        let batch = Batch {
            links: vec![request("low", -128), request("1", 0), request("top", 127), request("2", 0)],
            ..Batch::default()
        };
        store.commit(batch).unwrap();
        let pending = store.pending(&origin(A), None, 9).unwrap();
        let paths: Vec<_> = urls(&pending).iter().map(|url| &url[17..]).collect();
        assert_eq!(paths, ["top", "1", "2", "low"]);
    });
}

#[test]
fn a_better_request_is_seen_after_the_front_was_read() {
    on_each(|store| {
        store.commit(links(&["http://a.example/1"])).unwrap();
        assert_eq!(store.pending(&origin(A), None, 9).unwrap().len(), 1);
        let better = Batch { links: vec![get("http://a.example/2").priority(1)], ..Batch::default() };
        store.commit(better).unwrap();
        let pending = store.pending(&origin(A), None, 1).unwrap();
        assert_eq!(urls(&pending), ["http://a.example/2"]);
    });
}

#[test]
fn a_queue_is_read_in_parts() {
    on_each(|store| {
        let all: Vec<_> = (0..10).map(|number| format!("http://a.example/{number}")).collect();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        store.commit(links(&all)).unwrap();
        let head = store.pending(&origin(A), None, 4).unwrap();
        let rest = store.pending(&origin(A), Some(head[3].key), 9).unwrap();
        assert_eq!([urls(&head), urls(&rest)].concat(), all);
        assert!(store.pending(&origin(A), Some(rest[5].key), 9).unwrap().is_empty());
        assert!(store.pending(&origin(A), None, 0).unwrap().is_empty());
    });
}

#[test]
fn origins_have_queues_of_their_own() {
    on_each(|store| {
        let all = ["http://a.example/", "https://a.example/", "http://a.example:8080/"];
        store.commit(links(&all)).unwrap();
        for url in all {
            let pending = store.pending(&origin(url), None, 9).unwrap();
            assert_eq!(urls(&pending), [url]);
        }
    });
}

#[test]
fn a_retry_keeps_its_place() {
    on_each(|store| {
        let fresh = store.commit(links(&["http://a.example/1", "http://a.example/2"])).unwrap().fresh;
        let request = fresh[0].request.clone().not_before(Timestamp::from_secs(60));
        let again = Pending { tries: 1, refusals: 2, missing: 1, ..Pending::new(fresh[0].key, request) };
        let batch = Batch { retry: vec![(origin(A), again.clone())], ..Batch::default() };
        store.commit(batch).unwrap();
        let pending = store.pending(&origin(A), None, 9).unwrap();
        assert_eq!(pending, [again, fresh[1].clone()]);
        assert_eq!(store.holdings().unwrap().queues, [(origin(A), 2)]);
    });
}

#[test]
fn done_twice_is_done_once() {
    on_each(|store| {
        let fresh = store.commit(links(&["http://a.example/1", "http://a.example/2"])).unwrap().fresh;
        let done =
            || Batch { done: vec![(origin(A), fresh[0].key), (origin(A), fresh[0].key)], ..Batch::default() };
        store.commit(done()).unwrap();
        store.commit(done()).unwrap();
        let stranger = Batch { done: vec![(origin("http://b.example"), fresh[1].key)], ..Batch::default() };
        store.commit(stranger).unwrap();
        assert_eq!(store.holdings().unwrap().queues, [(origin(A), 1)]);
    });
}

#[test]
fn the_last_word_of_a_batch_counts() {
    on_each(|store| {
        let host = HostKey::of("a.example");
        let batch = Batch {
            hosts: vec![(host.clone(), waiting(1)), (host.clone(), waiting(2))],
            sinks: vec![("out".into(), Position(1)), ("out".into(), Position(2))],
            ..Batch::default()
        };
        store.commit(batch).unwrap();
        let recovered = store.recover().unwrap();
        let held = store.holdings().unwrap();
        assert_eq!(held.hosts, [(host, waiting(2))]);
        assert_eq!(recovered.sinks, [("out".to_owned(), Position(2))]);
    });
}

fn waiting(seconds: u64) -> HostState {
    let mut state = HostState::default();
    state.not_before.clone_from(&Timestamp::from_secs(seconds));
    state
}

/// A batch with everything in it.
fn full() -> Batch {
    let verdict = RobotsRecord {
        fetched_at: Timestamp::from_secs(1),
        expires_at: Timestamp::ZERO + Duration::from_hours(24),
        answer: RobotsAnswer::Text("User-agent: *".into()),
        copy: Some(RobotsCopy {
            source: get("http://a.example/robots.txt").url,
            validators: vec![("if-none-match".into(), "\"x\"".into())],
            text: None,
        }),
    };
    let failed = FailedRecord {
        request: get("http://a.example/gone"),
        at: Timestamp::from_secs(5),
        class: "server-error".into(),
        cause: None,
        status: Some(500),
        reason: "500 three times".into(),
        tries: 3,
    };
    let run =
        RunRecord { round: 1, plan: [("delay".to_owned(), "2 s".to_owned())].into(), ..RunRecord::default() };
    Batch {
        hosts: vec![(HostKey::of("a.example"), waiting(99))],
        robots: vec![(origin(A), verdict)],
        sinks: vec![("jsonl".into(), Position(1_234))],
        failed: vec![failed.clone(), failed],
        run: Some(run),
        ..links(&["http://a.example/1"])
    }
}

fn holds_all(store: &mut dyn Store) {
    let (recovered, held, batch) = (store.recover().unwrap(), store.holdings().unwrap(), full());
    assert_eq!(held.hosts, batch.hosts);
    assert_eq!(held.robots, batch.robots);
    assert_eq!(recovered.sinks, batch.sinks);
    assert_eq!(recovered.run, batch.run);
    assert_eq!(held.queues, [(origin(A), 1)]);
    assert_eq!(store.failed().unwrap(), batch.failed);
}

#[test]
fn everything_in_a_batch_is_kept() {
    on_each(|store| {
        store.commit(full()).unwrap();
        holds_all(store);
    });
}

#[test]
fn everything_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).commit(full()).unwrap();
    let mut store = open(dir.path());
    holds_all(&mut store);
    assert_eq!(store.commit(links(&["http://a.example/1"])).unwrap().known, 1);
}

#[test]
fn a_new_round_forgets_pages_and_keeps_hosts() {
    on_each(|store| {
        store.commit(full()).unwrap();
        let last = store.pending(&origin(A), None, 1).unwrap()[0].key;
        let run = RunRecord { round: 2, ..RunRecord::default() };
        store.begin_round(run.clone(), Memory::Keeps).unwrap();
        let recovered = store.recover().unwrap();
        let held = store.holdings().unwrap();
        assert_eq!(recovered.run, Some(run));
        assert_eq!(held.hosts, full().hosts);
        assert_eq!(held.robots, full().robots);
        assert!(held.queues.is_empty() && recovered.sinks.is_empty());
        assert!(store.failed().unwrap().is_empty());
        assert!(store.pending(&origin(A), None, 9).unwrap().is_empty());
        let fresh = store.commit(links(&["http://a.example/1"])).unwrap().fresh;
        assert!(fresh[0].key.seq > last.seq);
    });
}

#[test]
fn a_new_round_is_still_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for round in 2..5 {
        store.commit(full()).unwrap();
        let run = RunRecord { round, ..RunRecord::default() };
        store.begin_round(run, Memory::Keeps).unwrap();
        drop(store);
        store = open(dir.path());
        let recovered = store.recover().unwrap();
        let held = store.holdings().unwrap();
        assert_eq!(recovered.run.unwrap().round, round);
        assert!(held.queues.is_empty());
    }
    let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let logs = names.filter(|name| name.to_str().unwrap().starts_with("seen-"));
    assert_eq!(logs.count(), 1);
}

#[test]
fn the_second_to_open_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    match DiskStore::open(dir.path(), DiskOptions::default()).map(drop) {
        Err(StoreError::InUse { pid, .. }) => assert_eq!(pid, std::process::id().to_string()),
        other => panic!("{other:?}"),
    }
    drop(first);
    open(dir.path());
}

#[test]
fn another_format_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    std::fs::write(dir.path().join("FORMAT"), "crawl state, format 7\n").unwrap();
    match DiskStore::open(dir.path(), DiskOptions::default()).map(drop) {
        Err(StoreError::Version { found, .. }) => assert_eq!(found, "7"),
        other => panic!("{other:?}"),
    }
    // What no version ever wrote is damage: there is no other version to go on with.
    for text in ["shopping list", "", "crawl state, format", "crawl state,$format 5\n"] {
        std::fs::write(dir.path().join("FORMAT"), text).unwrap();
        match DiskStore::open(dir.path(), DiskOptions::default()).map(drop) {
            Err(StoreError::Damaged { path, .. }) => assert!(path.ends_with("FORMAT")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("out.jsonl"), "{}\n").unwrap();
    let mut store = open(dir.path());
    store.commit(full()).unwrap();
    store.begin_round(RunRecord::default(), Memory::Keeps).unwrap();
    drop(store);
    drop(open(dir.path()));
    assert_eq!(std::fs::read_to_string(dir.path().join("out.jsonl")).unwrap(), "{}\n");
}

#[test]
fn many_origins_and_long_urls_are_no_matter() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let long = "x".repeat(8_000);
    let batch = Batch {
        links: (0..5_000)
            .map(|number| get(&format!("http://h{number}.example/{}", &long[..number])))
            .collect(),
        ..Batch::default()
    };
    assert_eq!(store.commit(batch).unwrap().fresh.len(), 5_000);
    drop(store);
    let mut store = open(dir.path());
    assert_eq!(store.holdings().unwrap().queues.len(), 5_000);
    let pending = store.pending(&origin("http://h4999.example"), None, 9).unwrap();
    assert_eq!(pending[0].request.url.path_and_query().len(), 5_000);
}

/// A step of a random history. Numbers choose among few hosts, pages and places, so that they meet often.
#[derive(Debug, Clone)]
enum Act {
    Links(Vec<(u8, u8, i8, bool)>),
    Done(Vec<(u8, u8)>),
    Retry(u8, u8, u8),
    Other(u8),
    Pending(u8, Option<u8>, u8),
    Round,
    Sync,
    Reopen,
}

fn acts() -> impl Strategy<Value = Act> {
    let link = (0_u8..4, any::<u8>(), -2_i8..3, prop::bool::weighted(0.1));
    prop_oneof![
        8 => prop::collection::vec(link, 0..12).prop_map(Act::Links),
        6 => prop::collection::vec((0_u8..4, 0_u8..40), 0..6).prop_map(Act::Done),
        3 => (0_u8..4, 0_u8..40, any::<u8>()).prop_map(|(host, at, tries)| Act::Retry(host, at, tries)),
        2 => any::<u8>().prop_map(Act::Other),
        6 => (0_u8..4, prop::option::of(0_u8..40), 0_u8..20)
            .prop_map(|(host, at, limit)| Act::Pending(host, at, limit)),
        1 => Just(Act::Round),
        1 => Just(Act::Sync),
        2 => Just(Act::Reopen),
    ]
}

fn host(number: u8) -> String {
    format!("http://h{number}.example")
}

/// The place number `at` of a queue, or one that does not exist.
fn place(store: &mut dyn Store, number: u8, at: u8) -> QueueKey {
    let pending = store.pending(&origin(&host(number)), None, 100).unwrap();
    let nowhere = QueueKey::new(0, u64::from(at));
    pending.get(usize::from(at)).map_or(nowhere, |pending| pending.key)
}

fn batch_of(act: &Act, model: &mut MemoryStore) -> Batch {
    let mut batch = Batch::default();
    match act {
        Act::Links(offered) => {
            batch.links.extend(offered.iter().map(|(number, page, priority, always)| {
                let request = get(&format!("{}/{page}", host(*number))).priority(*priority);
                if *always { request.always() } else { request }
            }));
        }
        Act::Done(places) => {
            let places = places.iter();
            batch.done =
                places.map(|(number, at)| (origin(&host(*number)), place(model, *number, *at))).collect();
        }
        Act::Retry(number, at, tries) => {
            let (of, key) = (origin(&host(*number)), place(model, *number, *at));
            let request = get(&format!("{}/retry{at}", host(*number)));
            let pending = Pending { tries: *tries, refusals: *tries / 2, ..Pending::new(key, request) };
            batch.done.push((of.clone(), key));
            batch.retry.push((of, pending));
        }
        Act::Other(number) => {
            let position = Position(u64::from(*number));
            batch.sinks.push((format!("sink{}", number % 3), position));
            batch.hosts.push((HostKey::of(&format!("h{}.example", number % 4)), waiting(1)));
            batch.failed.extend(full().failed);
        }
        _ => {}
    }
    batch
}

fn same(disk: &mut DiskStore, model: &mut MemoryStore) {
    let (found, expected) = (disk.recover().unwrap(), model.recover().unwrap());
    let (held, known) = (disk.holdings().unwrap(), model.holdings().unwrap());
    for origin in held.queues.iter().map(|(origin, _)| origin) {
        assert_eq!(disk.waiting(origin), model.waiting(origin));
    }
    assert_eq!(disk.all_waiting(), model.all_waiting());
    assert_eq!(held.queues, known.queues);
    assert_eq!(found.sinks, expected.sinks);
    assert_eq!(held.hosts, known.hosts);
    assert_eq!(found.run, expected.run);
    assert_eq!(found.warnings, expected.warnings);
    assert_eq!(disk.failed().unwrap(), model.failed().unwrap());
    for number in 0..4 {
        let of = origin(&host(number));
        assert_eq!(disk.pending(&of, None, 1_000).unwrap(), model.pending(&of, None, 1_000).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_does_what_memory_does(history in prop::collection::vec(acts(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, mut model) = (open(dir.path()), MemoryStore::default());
        for act in &history {
            match act {
                Act::Reopen => {
                    drop(disk);
                    disk = open(dir.path());
                }
                Act::Round => {
                    let run = RunRecord { round: 2, ..RunRecord::default() };
                    disk.begin_round(run.clone(), Memory::Keeps).unwrap();
                    model.begin_round(run, Memory::Keeps).unwrap();
                }
                Act::Sync => disk.sync().unwrap(),
                Act::Pending(number, at, limit) => {
                    let of = origin(&host(*number));
                    let after = at.map(|at| place(&mut model, *number, at));
                    prop_assert_eq!(
                        disk.pending(&of, after, usize::from(*limit)).unwrap(),
                        model.pending(&of, after, usize::from(*limit)).unwrap()
                    );
                }
                act => {
                    let (batch, again) = (batch_of(act, &mut model), batch_of(act, &mut model));
                    let (found, expected) = (disk.commit(batch).unwrap(), model.commit(again).unwrap());
                    prop_assert_eq!(found.fresh, expected.fresh);
                    prop_assert_eq!(found.known, expected.known);
                }
            }
        }
        same(&mut disk, &mut model);
        drop(disk);
        same(&mut open(dir.path()), &mut model);
    }
}
