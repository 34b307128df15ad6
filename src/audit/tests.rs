use super::record::*;
use super::*;
use crate::response::FailureKind;

/// Milliseconds after the first run began.
const START: u64 = 1_790_000_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

/// A journal in the making: one host, one origin `http://a.example`, delay 1 s.
struct Script(Vec<Record>);

impl Script {
    /// A run that begins now and has robots.txt answered 404 at 100 ms.
    fn open() -> Self {
        Self::new(Found::Nothing, 0, pace()).robots(0, 100, Reply::Whole(404), Verdict::AllowAll)
    }

    fn new(found: Found, began: u64, pace: Pace) -> Self {
        Self(Vec::new()).run(1, found, began, pace)
    }

    fn run(mut self, round: u32, found: Found, began: u64, pace: Pace) -> Self {
        self.0.push(Record::RunStart(RunStart {
            at: at(began),
            program: "0.1.0".to_owned(),
            round,
            found,
            agent: "mybot".to_owned(),
            max_in_flight: 256,
            min_interval_ms: None,
            max_depth: Some(3),
            url_limits: [2_083, 20, 2, 4, 12],
        }));
        self.0.push(Record::Host(HostLine { name: "a.example".to_owned(), pace }));
        self.0.push(Record::Origin(OriginLine { host: 0, text: "http://a.example".to_owned() }));
        self
    }

    fn begin(mut self, what: What, path: &str, began: u64) -> Self {
        let (method, path) = (Method::Get, path.to_owned());
        self.0.push(Record::Begin(Begin {
            at: at(began),
            origin: 0,
            what,
            method,
            path,
            depth: 1,
            rule: Ruling::NoLine,
        }));
        self
    }

    fn page(self, path: &str, began: u64) -> Self {
        self.begin(What::Page, path, began)
    }

    fn end(self, request: u64, ended: u64) -> Self {
        self.ends(request, ended, Reply::Whole(200), Wait::None, None)
    }

    fn ends(mut self, request: u64, ended: u64, reply: Reply, wait: Wait, location: Option<&str>) -> Self {
        let location = location.map(str::to_owned);
        self.0.push(Record::End(End { request, at: at(ended), reply, wait, location }));
        self
    }

    /// The first request of a run: robots.txt, its answer, and what follows from it.
    fn robots(self, began: u64, ended: u64, reply: Reply, verdict: Verdict) -> Self {
        let asked = self.begin(What::Robots(0), "/robots.txt", began);
        asked.ends(0, ended, reply, Wait::None, None).rules(Some(0), ended, verdict)
    }

    fn rules(mut self, answer_to: Option<u64>, came: u64, verdict: Verdict) -> Self {
        let until = at(came + 86_400_000);
        self.0.push(Record::Robots(RobotsLine { origin: 0, answer_to, at: at(came), until, verdict }));
        self
    }

    fn text(mut self, text: &str) -> (Self, Verdict) {
        let digest = Fingerprint::of(text.as_bytes()).get();
        self.0.push(Record::Body(BodyPart { digest, last: true, bytes: text.as_bytes().to_vec() }));
        (self, Verdict::Text(digest))
    }

    fn findings(self) -> Findings {
        let mut auditor = Auditor::new();
        for record in self.0 {
            auditor.take(record).unwrap();
        }
        auditor.finish()
    }

    fn broken(self) -> Vec<Rule> {
        self.findings().breaches.iter().map(|breach| breach.rule).collect()
    }
}

fn pace() -> Pace {
    Pace {
        delay_ms: 1_000,
        max_concurrency: 1,
        max_crawl_delay_ms: 300_000,
        bucket: None,
        rule: "fixed".to_owned(),
    }
}

fn with(text: &str) -> Script {
    let (script, verdict) = Script::new(Found::Nothing, 0, pace()).text(text);
    script.robots(0, 100, Reply::Whole(200), verdict)
}

#[test]
fn a_polite_run_breaks_nothing_and_its_gaps_are_told() {
    let script = Script::open().page("/", 1_100).end(1, 1_200).page("/1", 2_250).end(2, 2_300);
    let findings = script.findings();
    assert_eq!((findings.broken, findings.requests, findings.notes.len()), (0, 3, 0));
    let host = &findings.hosts[0];
    assert_eq!((host.shortest_rest_ms, host.most_at_once, host.robots), (Some(1_000), 1, 1));
    assert_eq!(findings.checks()[&Rule::Delay], 2);
}

#[test]
fn fifty_milliseconds_too_early_is_a_breach_and_one_of_rounding_is_none() {
    assert_eq!(Script::open().page("/", 1_050).broken(), [Rule::Delay]);
    assert!(Script::open().page("/", 1_099).broken().is_empty());
}

#[test]
fn two_at_once_are_a_breach_by_the_order_and_by_the_moments() {
    let order = Script::open().page("/", 1_100).page("/1", 2_300).end(1, 1_200);
    assert!(order.broken().contains(&Rule::Concurrency));
    let wide = Pace { max_concurrency: 2, delay_ms: 0, ..pace() };
    let robots =
        || Script::new(Found::Nothing, 0, wide.clone()).robots(0, 100, Reply::Whole(404), Verdict::AllowAll);
    let moments = robots().page("/", 200).page("/1", 300).end(1, 900).page("/2", 400);
    assert_eq!(moments.broken(), [Rule::Concurrency]);
    let fine = robots().page("/", 200).page("/1", 300).end(1, 350).page("/2", 400);
    assert!(fine.broken().is_empty());
}

#[test]
fn above_one_at_once_the_delay_counts_from_request_to_request() {
    let wide = Pace { max_concurrency: 2, ..pace() };
    let script = Script::new(Found::Nothing, 0, wide).robots(0, 900, Reply::Whole(404), Verdict::AllowAll);
    assert!(script.page("/", 1_000).page("/1", 2_000).broken().is_empty());
}

#[test]
fn a_crawl_delay_counts_from_the_answer_that_told_it_and_leaves_one_at_a_time() {
    let text = "User-agent: *\nCrawl-delay: 7\n";
    assert!(with(text).page("/", 7_100).end(1, 7_200).page("/1", 14_200).broken().is_empty());
    assert_eq!(with(text).page("/", 3_000).broken(), [Rule::CrawlDelay]);
    assert_eq!(with("User-agent: *\nRequest-rate: 1/7\n").page("/", 3_000).broken(), [Rule::CrawlDelay]);
    assert_eq!(with("User-agent: *\nCrawl-delay: 301\n").page("/", 400_000).broken(), [Rule::CrawlDelay]);
    assert!(with("User-agent: other\nCrawl-delay: 7\n").page("/", 1_100).broken().is_empty());
}

#[test]
fn what_robots_txt_disallows_is_read_from_its_text() {
    let text = "User-agent: *\nDisallow: /private/\nVisit-time: 1200-1300\n";
    // 1,790,000,000 seconds after the epoch it is 14:13 UTC.
    let broken = with(text).page("/private/x", 2_000).broken();
    assert_eq!(broken, [Rule::Disallowed, Rule::VisitTime]);
    let breach = &with(text).page("/private/x", 2_000).findings().breaches[0];
    assert!(breach.what.contains("Disallow: /private/ (robots.txt line 2)"), "{breach}");
}

#[test]
fn a_verdict_must_follow_from_its_answer() {
    let begun = || Script::new(Found::Nothing, 0, pace());
    let opened = |reply, verdict| begun().robots(0, 100, reply, verdict).broken();
    for reply in [Reply::Whole(503), Reply::Whole(429), Reply::Failed(FailureKind::Reset), Reply::Broken(404)]
    {
        assert_eq!(opened(reply, Verdict::AllowAll), [Rule::RobotsFirst], "{reply:?}");
    }
    assert!(opened(Reply::Whole(403), Verdict::DenyAll).is_empty());
    assert!(opened(Reply::Whole(503), Verdict::Unreachable).is_empty());
    let shut = begun().robots(0, 100, Reply::Whole(503), Verdict::Unreachable).page("/", 2_000);
    assert_eq!(shut.broken(), [Rule::RobotsFirst]);
}

#[test]
fn a_redirected_robots_txt_is_followed_and_nothing_else_is_asked_in_its_name() {
    let asked = || Script::new(Found::Nothing, 0, pace()).begin(What::Robots(0), "/robots.txt", 0);
    let moved = || asked().ends(0, 100, Reply::Whole(302), Wait::None, Some("/rules.txt"));
    let there = moved().begin(What::Robots(0), "/rules.txt", 1_100).ends(
        1,
        1_200,
        Reply::Whole(404),
        Wait::None,
        None,
    );
    assert!(there.rules(Some(1), 1_200, Verdict::AllowAll).page("/", 2_200).broken().is_empty());
    assert_eq!(moved().begin(What::Robots(0), "/secret", 1_100).broken(), [Rule::RobotsFirst]);
    assert_eq!(moved().rules(Some(0), 100, Verdict::AllowAll).broken(), [Rule::RobotsFirst]);
    let nowhere = asked().ends(0, 100, Reply::Whole(302), Wait::None, None);
    assert!(nowhere.rules(Some(0), 100, Verdict::AllowAll).broken().is_empty());
}

#[test]
fn a_robots_txt_is_good_for_a_day() {
    assert!(Script::open().page("/", 86_400_000).broken().is_empty());
    assert_eq!(Script::open().page("/", 86_400_200).broken(), [Rule::RobotsFirst]);
}

#[test]
fn a_told_wait_is_kept_by_the_run_and_by_the_next() {
    let refused = |wait| Script::open().page("/", 1_100).ends(1, 1_200, Reply::Whole(429), wait, None);
    assert_eq!(refused(Wait::Told(60_000)).page("/1", 40_000).broken(), [Rule::Wait]);
    assert_eq!(refused(Wait::Exhausted(60_000)).page("/1", 40_000).broken(), [Rule::Wait]);
    assert!(refused(Wait::Told(60_000)).page("/1", 61_200).broken().is_empty());
    let again = refused(Wait::Told(60_000)).run(1, Found::Unfinished, 5_000, pace());
    let again = again.rules(None, 100, Verdict::AllowAll).page("/1", 40_000).findings();
    assert_eq!(again.breaches[0].rule, Rule::Wait);
    assert_eq!((again.breaches[0].run, again.breaches[0].request), (2, 0));
}

#[test]
fn what_leaves_while_a_refusal_is_on_its_way_is_excused_for_a_second() {
    let wide = Pace { max_concurrency: 4, delay_ms: 0, ..pace() };
    let refused_at = |next: u64| {
        let script = Script::new(Found::Nothing, 0, wide.clone());
        let script =
            script.robots(0, 100, Reply::Whole(404), Verdict::AllowAll).page("/", 200).page("/1", next);
        script.ends(1, 300, Reply::Whole(429), Wait::Told(60_000), None).broken()
    };
    assert!(refused_at(310).is_empty());
    assert_eq!(refused_at(1_400), [Rule::Wait]);
}

#[test]
fn a_request_without_an_end_has_ended_when_the_next_run_begins() {
    let killed = || {
        let script = Script::open().page("/", 1_100).run(1, Found::Unfinished, 1_500, pace());
        script.rules(None, 100, Verdict::AllowAll)
    };
    let fine = killed().page("/", 2_500).end(0, 2_600).findings();
    assert_eq!((fine.broken, fine.hosts[0].unanswered), (0, 1));
    assert_eq!(killed().page("/", 2_000).broken(), [Rule::Delay]);
}

#[test]
fn a_clock_that_was_set_back_accuses_nobody() {
    let late = Script::new(Found::Nothing, 900_000, pace());
    let late = late
        .robots(900_000, 900_100, Reply::Whole(404), Verdict::AllowAll)
        .page("/", 901_100)
        .end(1, 901_200);
    let again =
        late.run(1, Found::Unfinished, 0, pace()).robots(1_000, 1_100, Reply::Whole(404), Verdict::AllowAll);
    assert!(again.page("/1", 2_100).broken().is_empty());
}

#[test]
fn a_verdict_that_no_journal_has_the_answer_to_is_noted_and_a_known_one_is_not() {
    let foreign = Script::new(Found::Unfinished, 0, pace()).rules(None, 0, Verdict::AllowAll);
    let findings = foreign.page("/", 1_000).end(0, 1_100).findings();
    assert_eq!((findings.broken, findings.notes.len()), (0, 1));
    let known = Script::open().run(1, Found::Unfinished, 5_000, pace()).rules(None, 100, Verdict::AllowAll);
    assert!(known.page("/", 6_000).end(0, 6_100).findings().notes.is_empty());
}

#[test]
fn a_page_belongs_if_a_scope_of_its_round_lets_it_in() {
    let exclude = || Record::Scope(ScopeLine::Exclude("/old/".to_owned()));
    let mut narrow = Script::new(Found::Nothing, 0, pace());
    narrow.0.insert(1, exclude());
    let narrow = narrow.robots(0, 100, Reply::Whole(404), Verdict::AllowAll).page("/old/x", 1_100);
    assert_eq!(narrow.broken(), [Rule::Scope]);
    let goes_on = |round, found| {
        let mut script = Script::open().run(round, found, 5_000, pace());
        script.0.insert(script.0.len() - 2, exclude());
        script.rules(None, 100, Verdict::AllowAll).page("/old/x", 6_000).broken()
    };
    assert!(goes_on(1, Found::Unfinished).is_empty(), "its queue is older than its scope");
    assert_eq!(goes_on(2, Found::Rounds), [Rule::Scope]);
    assert!(goes_on(2, Found::Unfinished).is_empty(), "how the round began is not known");
}

#[test]
fn a_configured_bucket_is_counted() {
    let bucket = Some(Bucket { requests: 1, per_ms: 10_000, burst: 2 });
    let pace = Pace { delay_ms: 0, bucket, ..pace() };
    let robots =
        || Script::new(Found::Nothing, 0, pace.clone()).robots(0, 100, Reply::Whole(404), Verdict::AllowAll);
    assert!(robots().page("/", 200).end(1, 300).page("/1", 10_000).broken().is_empty());
    assert_eq!(robots().page("/", 200).end(1, 300).page("/1", 9_900).broken(), [Rule::Rate]);
}

#[test]
fn the_crawl_as_a_whole_is_bounded() {
    let mut script = Script::open().page("/", 1_100).page("/1", 2_200);
    if let Record::RunStart(start) = &mut script.0[0] {
        (start.max_in_flight, start.min_interval_ms) = (1, Some(1_101));
    }
    let broken = script.broken();
    assert_eq!(broken.iter().filter(|rule| **rule == Rule::Crawl).count(), 1);
}

#[test]
fn records_that_make_no_sense_are_a_fault_and_no_panic() {
    let faults = [
        vec![Record::End(End {
            request: 0,
            at: at(0),
            reply: Reply::Whole(200),
            wait: Wait::None,
            location: None,
        })],
        Script::new(Found::Nothing, 0, pace()).end(7, 100).0,
        Script::new(Found::Nothing, 0, pace()).begin(What::Robots(9), "/robots.txt", 0).0,
        Script::new(Found::Nothing, 0, pace()).rules(None, 0, Verdict::Text(1)).0,
        Script::new(Found::Nothing, 0, pace()).page(".other.example/", 0).0,
        vec![Record::Body(BodyPart { digest: 0, last: true, bytes: Vec::new() })],
    ];
    for records in faults {
        let mut auditor = Auditor::new();
        let shown = format!("{records:?}");
        assert!(records.into_iter().any(|record| auditor.take(record).is_err()), "{shown}");
    }
    let mut changed = Script::new(Found::Nothing, 0, pace());
    changed.0.push(Record::Body(BodyPart { digest: 1, last: true, bytes: b"x".to_vec() }));
    let mut auditor = Auditor::new();
    let faults: Vec<_> = changed.0.into_iter().filter_map(|record| auditor.take(record).err()).collect();
    assert_eq!(faults, [JournalFault::Digest]);
}

#[test]
fn one_host_can_be_told_of_alone() {
    let findings = Script::open().page("/", 500).findings();
    assert_eq!(findings.clone().of_host("a.example").broken, 1);
    let nobody = findings.of_host("b.example");
    assert_eq!((nobody.broken, nobody.requests, nobody.breaches.len()), (0, 0, 0));
}
