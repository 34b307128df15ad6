//! The audit over real journals: simulated crawls, crawls of the demo site by the binary, kills; and the same journals with one
//! thing changed, each of which must be seen.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crawl::audit::record::{End, Record, Reply, ScopeLine, Verdict, Wait, What};
use crawl::audit::{Auditor, Breach, Findings, Rule};
use crawl::store::journal::Journals;
use crawl::testing::Scenario;
use crawl::time::Timestamp;

/// Two hosts: one with a refusal in the middle, one with rules and a Crawl-delay. Killed once.
const SCENARIO: &str = r#"
about = "a journal of everything"

[crawl]
max-depth = 3
kill-at = [7.5]

[[site]]
origin = "http://a.example"
pages = 6
[[site.rule]]
path = "/3"
times = 1
status = 429
retry-after = 10

[[site]]
origin = "http://b.example"
pages = 4
robots = "User-agent: *\nCrawl-delay: 5\nDisallow: /private/\n"
wish = 5.0

[expect]
"#;

/// The journals of a simulated crawl, run by run.
fn simulated() -> Vec<Vec<Record>> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let run = runtime.block_on(Scenario::parse(SCENARIO).unwrap().run()).unwrap();
    assert!(run.faults.is_empty(), "{:?}", run.faults);
    records(&run.journals)
}

fn records(journals: &Journals) -> Vec<Vec<Record>> {
    let parts = journals.read().unwrap();
    parts.into_iter().map(|part| part.records.map(Result::unwrap).collect()).collect()
}

fn audit(runs: Vec<Vec<Record>>) -> Findings {
    let mut auditor = Auditor::new();
    runs.into_iter().flatten().for_each(|record| auditor.take(record).unwrap());
    auditor.finish()
}

/// Places of the records of a run that `is` picks.
fn places(run: &[Record], is: impl Fn(&Record) -> bool) -> Vec<usize> {
    (0..run.len()).filter(|place| is(&run[*place])).collect()
}

/// Pages of the host with this number in the journal, in the order of their requests.
fn pages(run: &[Record], host: u32) -> Vec<usize> {
    let origins: Vec<u32> = run
        .iter()
        .filter_map(|record| match record {
            Record::Origin(line) => Some(line.host),
            _ => None,
        })
        .collect();
    places(run, |record| match record {
        Record::Begin(begin) => begin.what == What::Page && origins[begin.origin as usize] == host,
        _ => false,
    })
}

/// The number of a host by its name.
fn host(run: &[Record], name: &str) -> u32 {
    let hosts = run.iter().filter_map(|record| match record {
        Record::Host(line) => Some(line.name.as_str()),
        _ => None,
    });
    hosts.into_iter().position(|known| known == name).unwrap() as u32
}

/// When the request at this place left.
fn left(run: &mut [Record], place: usize) -> &mut Timestamp {
    match &mut run[place] {
        Record::Begin(begin) => &mut begin.at,
        other => panic!("{other:?} is no request"),
    }
}

/// The first breach of a changed journal. It must be of this rule, at this host.
fn seen(runs: Vec<Vec<Record>>, rule: Rule, host: &str) -> Breach {
    let findings = audit(runs);
    let first = findings.breaches.into_iter().next().expect("the change is seen");
    assert_eq!((first.rule, first.host.as_str()), (rule, host), "{first}");
    assert!(first.at > Timestamp::from_secs(1_790_000_000));
    first
}

#[test]
fn a_simulated_crawl_with_a_kill_and_a_wait_passes() {
    let findings = audit(simulated());
    assert_eq!((findings.runs, findings.broken), (2, 0), "{:?}", findings.breaches);
    assert_eq!(findings.hosts.len(), 2);
    assert_eq!(findings.hosts[0].shortest_rest_ms, Some(1_000));
    assert_eq!(findings.hosts[0].waits, 1);
    assert!(findings.hosts[1].shortest_rest_ms >= Some(5_000), "{:?}", findings.hosts[1]);
    for rule in [Rule::RobotsFirst, Rule::Disallowed, Rule::Concurrency, Rule::Delay, Rule::Wait, Rule::Scope]
    {
        assert!(findings.checks()[&rule] > 3, "{rule}");
    }
}

#[test]
fn fifty_milliseconds_too_early_are_seen() {
    let mut runs = simulated();
    let place = pages(&runs[0], host(&runs[0], "a.example"))[2];
    let at = left(&mut runs[0], place);
    *at = *at - Duration::from_millis(50);
    let breach = seen(runs, Rule::Delay, "a.example");
    assert!(breach.what.contains("0.950 s after the end of the answer"), "{breach}");
}

#[test]
fn one_more_in_flight_is_seen() {
    let mut runs = simulated();
    let run = &mut runs[0];
    let place = pages(run, host(run, "a.example"))[2];
    let before = places(&run[..place], |record| matches!(record, Record::End(_))).pop().unwrap();
    // The answer before comes only after the request has left, in order as in time.
    let request = run.remove(place);
    run.insert(before, request);
    if let Record::Begin(begin) = &run[before] {
        let at = begin.at;
        if let Record::End(end) = &mut run[before + 1] {
            end.at = at + Duration::from_millis(5);
        }
    }
    let name = "a.example";
    let findings = audit(runs);
    assert!(findings.breaches.iter().any(|breach| breach.rule == Rule::Concurrency && breach.host == name));
}

#[test]
fn a_request_inside_of_a_wait_is_seen_in_the_run_and_in_the_next() {
    let mut runs = simulated();
    let (run, place, end) = runs
        .iter()
        .enumerate()
        .find_map(|(run, records)| {
            let place =
                places(records, |record| matches!(record, Record::End(End { wait: Wait::Told(_), .. })));
            let Record::End(end) = &records[*place.first()?] else { return None };
            Some((run, place[0], end.clone()))
        })
        .unwrap();
    let number = host(&runs[run], "a.example");
    let next = pages(&runs[run], number).into_iter().find(|page| *page > place);
    let (run, page) = match next {
        Some(page) => (run, page),
        None => (run + 1, pages(&runs[run + 1], host(&runs[run + 1], "a.example"))[0]),
    };
    *left(&mut runs[run], page) = end.at + Duration::from_millis(9_900);
    let breach = seen(runs, Rule::Wait, "a.example");
    assert!(breach.what.contains("until 2026-"), "{breach}");
}

#[test]
fn a_disallowed_path_is_seen() {
    let mut runs = simulated();
    let place = pages(&runs[0], host(&runs[0], "b.example"))[0];
    if let Record::Begin(begin) = &mut runs[0][place] {
        begin.path = "/private/x".to_owned();
    }
    let breach = seen(runs, Rule::Disallowed, "b.example");
    assert!(breach.what.contains("Disallow: /private/"), "{breach}");
    assert_eq!(breach.url, "http://b.example/private/x");
}

#[test]
fn a_page_out_of_scope_is_seen() {
    let mut deep = simulated();
    let place = pages(&deep[0], 0)[1];
    if let Record::Begin(begin) = &mut deep[0][place] {
        begin.depth = 4;
    }
    let breach = seen(deep, Rule::Scope, "a.example");
    assert!(breach.what.contains("max-depth"), "{breach}");
    let mut elsewhere = simulated();
    for run in &mut elsewhere {
        run.insert(1, Record::Scope(ScopeLine::Host("b.example".to_owned())));
    }
    seen(elsewhere, Rule::Scope, "a.example");
}

#[test]
fn a_page_before_the_answer_of_robots_txt_is_seen() {
    let mut runs = simulated();
    let run = &mut runs[0];
    let page = pages(run, host(run, "b.example"))[0];
    let verdicts = places(&run[..page], |record| matches!(record, Record::Robots(_)));
    let verdict = *verdicts.last().unwrap();
    let line = run.remove(verdict);
    run.insert(page, line);
    seen(runs, Rule::RobotsFirst, "b.example");
}

#[test]
fn a_verdict_that_no_answer_gives_is_seen() {
    let mut runs = simulated();
    let place = places(&runs[0], |record| match record {
        Record::Robots(line) => line.verdict == Verdict::AllowAll,
        _ => false,
    })[0];
    let Record::Robots(line) = runs[0][place].clone() else { unreachable!("it was picked") };
    for record in &mut runs[0] {
        if let Record::End(end) = record
            && Some(end.request) == line.answer_to
        {
            end.reply = Reply::Whole(503);
        }
    }
    seen(runs, Rule::RobotsFirst, "a.example");
}

#[test]
fn a_crawl_delay_that_is_not_kept_is_seen() {
    let mut runs = simulated();
    let place = pages(&runs[0], host(&runs[0], "b.example"))[0];
    let at = left(&mut runs[0], place);
    *at = *at - Duration::from_secs(3);
    let breach = seen(runs, Rule::CrawlDelay, "b.example");
    assert!(breach.what.contains("5.000 s asked"), "{breach}");
}

/// A directory with the state of one crawl.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn crawl(&self, depth: u32) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(["run", "--seed", "demo:", "-v", "--set", "politeness.delay=20ms"]);
        command.args(["--set", "politeness.pace=fixed", "--state"]);
        command.arg(self.state()).arg("--out").arg(self.0.path().join("out.jsonl"));
        command.args(["--set", "politeness.jitter=0", "--set", &format!("scope.max-depth={depth}")]);
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn audit(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.arg("audit").arg(self.state()).args(more).output().unwrap()
    }

    /// The journals, in order.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join("journal")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}\n{errors}");
    text
}

/// Kills a crawl after so many answers.
fn kill_after(desk: &Desk, answers: usize) {
    let mut child = desk.crawl(1).spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let seen =
        log.lines().filter(|line| line.as_ref().is_ok_and(|line| line.contains("answer"))).take(answers);
    assert_eq!(seen.count(), answers);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_crawl_by_the_binary_is_audited_after_kills_and_whatever_is_done_to_its_journal_is_seen() {
    let desk = Desk::new();
    for answers in [3, 6] {
        kill_after(&desk, answers);
    }
    let killed = told(&desk.audit(&[]), 0);
    assert!(killed.contains("every rule was kept"), "{killed}");
    assert!(desk.crawl(1).output().unwrap().status.success());
    let text = told(&desk.audit(&[]), 0);
    for part in ["read      3 runs", "127.0.0.1", "R3 at once", "R4 crawl delay", "asked for by robots.txt"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let host = told(&desk.audit(&["--host", "127.0.0.1", "--json"]), 0);
    let host: serde_json::Value = serde_json::from_str(&host).unwrap();
    assert_eq!((&host["broken"], host["hosts"].as_array().unwrap().len()), (&0.into(), 1));
    told(&desk.audit(&["--host", "b.example"]), 2);

    a_cut_tail_is_noted(&desk);
    a_flipped_byte_is_damage(&desk);
    a_breach_is_told_first(&desk);
}

fn a_cut_tail_is_noted(desk: &Desk) {
    let last = desk.files().pop().unwrap();
    let whole = fs::read(&last).unwrap();
    fs::write(&last, &whole[..whole.len() - 3]).unwrap();
    let text = told(&desk.audit(&[]), 0);
    assert!(text.contains("cut off, as a crash leaves it"), "{text}");
    fs::write(&last, whole).unwrap();
}

fn a_flipped_byte_is_damage(desk: &Desk) {
    let last = desk.files().pop().unwrap();
    let whole = fs::read(&last).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&last, bytes).unwrap();
    let text = told(&desk.audit(&[]), 9);
    assert!(text.contains("damaged at byte"), "{text}");
    fs::write(&last, whole).unwrap();
}

fn a_breach_is_told_first(desk: &Desk) {
    let mut runs = records(&Journals::in_dir(desk.state().join("journal"), 9));
    let place = pages(&runs[2], 0)[3];
    let at = left(&mut runs[2], place);
    *at = *at - Duration::from_millis(50);
    let when = *at;
    let forged = Desk::new();
    write(&forged.state(), runs);
    let text = told(&forged.audit(&[]), 1);
    let broken = text.lines().find(|line| line.starts_with("broken")).unwrap();
    assert!(broken.contains(&when.to_string()) && broken.contains("127.0.0.1"), "{broken}");
    let json: serde_json::Value = serde_json::from_str(&told(&forged.audit(&["--json"]), 1)).unwrap();
    assert_eq!(json["breaches"][0]["host"], "127.0.0.1");
}

/// Writes journals of one round into a state directory.
fn write(state: &Path, runs: Vec<Vec<Record>>) {
    fs::create_dir_all(state).unwrap();
    let journals = Journals::in_dir(state.join("journal"), 9);
    for run in runs {
        let mut writer = journals.begin(1).unwrap();
        run.into_iter().for_each(|record| writer.write(record).unwrap());
    }
}

#[test]
fn a_state_without_a_journal_is_named_and_none_is_written_if_it_is_switched_off() {
    let desk = Desk::new();
    let error = desk.audit(&[]);
    told(&error, 2);
    assert!(String::from_utf8_lossy(&error.stderr).contains("there is no journal in"));
    let ran = desk.crawl(0).args(["--set", "journal.enabled=false"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(desk.state().exists() && !desk.state().join("journal").exists());
}

#[test]
fn no_request_leaves_if_the_journal_cannot_be_written() {
    let desk = Desk::new();
    fs::create_dir_all(desk.state()).unwrap();
    fs::write(desk.state().join("journal"), "a file in its place").unwrap();
    let ran = desk.crawl(1).output().unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{errors}");
    assert!(errors.contains("cannot use the journal") && !errors.contains("answer"), "{errors}");
}

#[test]
fn a_request_of_a_real_crawl_costs_less_than_sixty_bytes() {
    let desk = Desk::new();
    assert!(desk.crawl(1).output().unwrap().status.success());
    let bytes: u64 = desk.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    let runs = records(&Journals::in_dir(desk.state().join("journal"), 9));
    let requests = places(&runs[0], |record| matches!(record, Record::Begin(_))).len() as u64;
    println!("{bytes} bytes for {requests} requests");
    assert!(requests > 10 && (bytes - 600) / requests < 60, "{bytes} bytes for {requests} requests");
}
