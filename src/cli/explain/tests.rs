//! One fixture for each thing that can have become of a URL.

use super::*;
use crate::config::Loader;
use crate::headers::freshness::Lifetime;
use crate::headers::validators::Validators;
use crate::headers::vary::Selecting;
use crate::politeness::Phase;
use crate::store::cache::{CacheEntry, Packed};
use crate::store::disk::DiskStore;
use crate::store::{Batch, RunRecord};
use crate::url::HostKey;

const NOW: Timestamp = Timestamp::from_secs(10_000);
const A: &str = "http://a.example";
const RULES: &str = "User-agent: *\nDisallow: /private/\n";

/// A state with what a test puts into it.
struct Fixture {
    dir: tempfile::TempDir,
    batch: Batch,
    file: String,
}

impl Fixture {
    fn new() -> Self {
        let run = RunRecord { round: 1, started: Timestamp::from_secs(9_000), ..RunRecord::default() };
        let dir = tempfile::tempdir().unwrap();
        Self { dir, batch: Batch { run: Some(run), ..Batch::default() }, file: String::new() }
    }

    /// With this behind `[scope]` in its crawler file.
    fn scope(mut self, scope: &str) -> Self {
        self.file = format!("[scope]\n{scope}\n");
        self
    }

    fn link(mut self, path: &str) -> Self {
        self.batch.links.push(get(path));
        self
    }

    fn robots(mut self, answer: RobotsAnswer) -> Self {
        let expires_at = NOW + Duration::from_hours(1);
        let record = RobotsRecord { fetched_at: NOW, expires_at, answer, copy: None };
        self.batch.robots.push((get("/").origin(), record));
        self
    }

    fn rules(self) -> Self {
        self.robots(RobotsAnswer::Text(RULES.into()))
    }

    fn host(mut self, state: HostState) -> Self {
        self.batch.hosts.push((HostKey::of("a.example"), state));
        self
    }

    fn open(self) -> (Known, tempfile::TempDir) {
        let mut store = DiskStore::open(self.dir.path(), Default::default()).unwrap();
        store.commit(self.batch).unwrap();
        let (recovered, held) = (store.recover().unwrap(), store.holdings().unwrap());
        let head = "seeds = [\"http://a.example/\"]\n[identity]\ncontact = \"me@a.example\"";
        let plan = Loader::new().text("a.toml", format!("{head}\n{}", self.file)).load().unwrap();
        (Known { store, recovered, held, now: NOW, plan: Some(plan) }, self.dir)
    }

    /// The same after the first request of the queue was settled.
    fn settle(self, batch: impl FnOnce(&Pending) -> Batch) -> (Known, tempfile::TempDir) {
        let (mut known, dir) = self.open();
        let origin = get("/").origin();
        let first = known.store.pending(&origin, None, 1).unwrap().remove(0);
        let done = vec![(origin, first.key)];
        known.store.commit(Batch { done, ..batch(&first) }).unwrap();
        known.recovered = known.store.recover().unwrap();
        known.held = known.store.holdings().unwrap();
        (known, dir)
    }
}

fn get(path: &str) -> Request {
    Request::get(CanonicalUrl::parse(&format!("{A}{path}")).unwrap())
}

fn ask((mut known, dir): (Known, tempfile::TempDir), url: &str) -> Said {
    Question { url, dir: dir.path(), known: &mut known }.answer().unwrap()
}

/// The verdict, why, and a line that is in the text.
#[track_caller]
fn says(said: &Said, verdict: Verdict, because: &str, line: &str) {
    let text = said.text();
    assert_eq!(said.verdict, verdict, "{text}");
    assert!(said.because.contains(because), "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(line), "{line:?} is not in {text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(serde_json::to_string(said).is_ok());
}

#[test]
fn a_url_that_waits_has_its_place_and_the_time_to_its_turn() {
    let state = Fixture::new().rules().link("/1").link("/2").link("/3").open();
    let said = ask(state, "HTTP://A.example:80/x/../2#top");
    says(&said, Verdict::Waiting, "number 2 of 3", "normal http://a.example/2 (by the URL standard)");
    says(&said, Verdict::Waiting, "number 2", "its turn is about 1.6 s after the crawl goes on");
    assert!(said.seen);
}

#[test]
fn a_url_whose_host_waits_says_why_and_until_when() {
    let until = NOW + Duration::from_secs(200);
    let phase = Phase::Backoff { until, strikes: 2 };
    let state = HostState { not_before: until, phase, last_status: Some(503), ..HostState::default() };
    let said = ask(Fixture::new().rules().link("/1").host(state).open(), "http://a.example/1");
    let line = format!("waits for the host: it answered 503, push-back 2 in a row, until {until}");
    says(&said, Verdict::Waiting, "number 1 of 1", &line);
    says(&said, Verdict::Waiting, "", "its turn is about 3 min 20 s after the crawl goes on");
}

#[test]
fn a_url_that_failed_once_waits_for_its_next_try() {
    let later = NOW + Duration::from_secs(5);
    let state = Fixture::new().rules().link("/1").settle(|first| {
        let request = first.request.clone().not_before(later).priority(3);
        let key = crate::request::QueueKey::new(3, 9);
        let retry = Pending { tries: 1, refusals: 2, ..Pending::new(key, request) };
        Batch { retry: vec![(first.request.origin(), retry)], ..Batch::default() }
    });
    let said = ask(state, "http://a.example/1");
    let line = format!("waits for its own next try, until {later}");
    says(&said, Verdict::Waiting, "number 1 of 1", &line);
    says(&said, Verdict::Waiting, "", "priority 3, depth 0, 1 failed try and 2 refusals;");
}

#[test]
fn a_fetched_url_shows_its_validators() {
    let state = Fixture::new().rules().link("/1").settle(|_| Batch::default());
    let entry = CacheEntry {
        host: HostKey::of("a.example"),
        validators: Validators { etag: Some("\"v1\"".to_owned()), last_modified: None },
        lifetime: Lifetime::default(),
        selecting: Selecting::default(),
        digest: 1,
        checked: Timestamp::from_secs(9_500),
        rules: 1,
        harvest: Packed::of(&[], &[(None, "{}".to_owned())]).unwrap(),
    };
    let cache = SledCache::open(&state.1.path().join("cache"), Default::default()).unwrap();
    cache.put(get("/1").fingerprint(), &entry);
    cache.flush();
    drop(cache);
    let said = ask(state, "http://a.example/1");
    says(
        &said,
        Verdict::Fetched,
        "in round 1",
        "1 item, 0 links, checked 1970-01-01T02:38:20.000Z ETag \"v1\"",
    );
}

#[test]
fn a_url_that_was_asked_and_left_nothing_is_done() {
    let state = Fixture::new().rules().link("/1").settle(|_| Batch::default());
    let said = ask(state, "http://a.example/1");
    says(&said, Verdict::Done, "a dead link (404)", "seen known in round 1");
    assert!(!said.text().contains("kept"));
}

#[test]
fn a_url_that_was_given_up_shows_its_last_failure() {
    let state = Fixture::new().rules().link("/1").settle(|first| {
        let failed = FailedRecord {
            request: first.request.clone(),
            at: NOW,
            class: "server-error".to_owned(),
            cause: None,
            status: Some(500),
            reason: "status 500".to_owned(),
            tries: 3,
        };
        Batch { failed: vec![failed], ..Batch::default() }
    });
    let said = ask(state, "http://a.example/1");
    says(
        &said,
        Verdict::Failed,
        "status 500 (server-error)",
        "failed server-error, status 500: status 500, at",
    );
}

#[test]
fn a_url_that_robots_txt_forbids_shows_the_line_and_when_it_was_read() {
    let said = ask(Fixture::new().rules().open(), "http://a.example/private/x");
    let line = format!("not allowed: Disallow: /private/ (robots.txt line 2); asked at {NOW}, holds until");
    says(&said, Verdict::Disallowed, "Disallow: /private/", &line);
}

#[test]
fn a_url_behind_a_robots_txt_that_is_out_of_reach_waits_for_it() {
    let retry_at = NOW + Duration::from_secs(60);
    let answer =
        RobotsAnswer::Unreachable { tries: 2, retry_at, reason: "robots.txt answered 503".to_owned() };
    let said = ask(Fixture::new().robots(answer).link("/1").open(), "http://a.example/1");
    let line = format!("waits for robots.txt answered 503, until {retry_at}");
    says(&said, Verdict::Waiting, "number 1", &line);
    says(&said, Verdict::Waiting, "", "do nothing is fetched before robots.txt can be read");
}

#[test]
fn outside_the_visit_time_the_window_is_told() {
    let window = RobotsAnswer::Text("User-agent: *\nVisit-time: 0600-0845\n".into());
    let said = ask(Fixture::new().robots(window).link("/1").open(), "http://a.example/1");
    says(&said, Verdict::Waiting, "", "waits for robots.txt asks for visits between 06:00 and 08:45 UTC");
}

#[test]
fn a_url_out_of_scope_names_the_key_and_its_line() {
    let said = ask(Fixture::new().scope("exclude = [\"/x\"]").open(), "http://a.example/x");
    says(
        &said,
        Verdict::OutOfScope,
        "has a pattern that matches it: /x",
        "scope out: scope.exclude (a.toml:5)",
    );
    let said = ask(Fixture::new().open(), "http://b.example/");
    says(&said, Verdict::OutOfScope, "its host", "robots robots.txt of this origin was not asked yet");
}

#[test]
fn a_url_that_nothing_led_to_says_so() {
    let said = ask(Fixture::new().rules().open(), "http://a.example/nowhere");
    says(
        &said,
        Verdict::NeverFound,
        "no page that was read in round 1 led to it yet",
        "seen not known in round 1",
    );
}

#[test]
fn a_limit_that_is_reached_is_a_wait_without_end() {
    let state = HostState { pages: 2, round: 1, ..HostState::default() };
    let fixture = Fixture::new().scope("max-pages-per-host = 2").rules().link("/1").host(state);
    let said = ask(fixture.open(), "http://a.example/1");
    says(&said, Verdict::Waiting, "", "scope.max-pages-per-host = 2 is reached: raise it to go on");
}

#[test]
fn what_is_no_url_is_a_wrong_question() {
    let (mut known, dir) = Fixture::new().open();
    let asked = Question { url: "a.example/x", dir: dir.path(), known: &mut known }.answer();
    assert_eq!(asked.err().map(|failure| failure.exit()), Some(Exit::USAGE));
}

#[test]
fn nothing_in_a_url_reaches_the_terminal_as_a_command() {
    let said = ask(Fixture::new().rules().open(), "http://a.example/\x1b[2J\u{202e}");
    assert!(said.text().chars().all(|letter| letter == '\n' || !letter.is_control()));
    assert!(!said.text().contains('\u{202e}'));
}
