//! The machine by its specification.

use super::*;
use crate::response::FailureKind;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A host whose refusals come after pauses that the test names.
#[derive(Default)]
struct Case {
    watch: Watch,
    now: Timestamp,
    policy: BlockPolicy,
}

impl Case {
    fn refuse(&mut self, kind: RefusalKind, status: u16, pause: Duration, told: Option<Duration>) -> Finding {
        let began = self.now + pause;
        self.now = began + Duration::from_millis(200);
        let refusal =
            Refusal { kind, status: Some(status), told, pause, began, ended: self.now, headers: None };
        self.watch.refused(&refusal, &self.policy)
    }

    fn throttle(&mut self, pause: Duration) -> Finding {
        self.refuse(RefusalKind::Throttled, 429, pause, None)
    }

    fn forbid(&mut self) -> Finding {
        self.refuse(RefusalKind::Forbidden, 403, Duration::from_secs(1), None)
    }

    fn fail(&mut self) -> Finding {
        self.refuse(RefusalKind::Failure, 502, Duration::from_secs(5), None)
    }

    fn answer(&mut self, page: u64) -> Finding {
        self.now = self.now + MINUTE;
        self.watch.answered(page, self.now)
    }

    fn control(&mut self, answer: ControlAnswer) -> Finding {
        self.watch.control(Control { at: self.now, asked: "GET /".to_owned(), answer })
    }

    fn standing(&self) -> Standing {
        self.watch.standing()
    }

    fn suspected() -> Self {
        let mut case = Self::default();
        while case.standing() != Standing::Suspected {
            case.throttle(HOUR);
        }
        case
    }

    fn blocked() -> Self {
        let mut case = Self::suspected();
        while case.standing() != Standing::Blocked {
            case.throttle(HOUR);
        }
        case
    }
}

#[test]
fn seven_refusals_after_pauses_of_a_minute_make_a_suspicion() {
    let mut case = Case::default();
    case.throttle(Duration::from_secs(1));
    for _ in 0..6 {
        assert_eq!(case.throttle(MINUTE), Finding::Nothing);
        assert_eq!(case.standing(), Standing::Limited);
    }
    assert_eq!(case.throttle(MINUTE), Finding::Suspected);
    assert_eq!(case.watch.state().evidence.refusals, 8);
}

#[test]
fn refusals_after_short_pauses_are_no_evidence() {
    let mut case = Case::default();
    for _ in 0..100 {
        assert_eq!(case.throttle(Duration::from_secs(59)), Finding::Nothing);
    }
    assert_eq!(case.standing(), Standing::Limited);
}

#[test]
fn one_healthy_answer_ends_a_limit() {
    let mut case = Case::default();
    for _ in 0..6 {
        case.throttle(HOUR);
    }
    assert_eq!(case.answer(1), Finding::Nothing);
    assert_eq!(*case.watch.state(), WatchState::default());
}

#[test]
fn a_burst_counts_once() {
    let mut case = Case::default();
    case.throttle(HOUR);
    let began = case.now - Duration::from_millis(100);
    for late in 0..50 {
        let ended = case.now + Duration::from_millis(late);
        let refusal = Refusal {
            kind: RefusalKind::Throttled,
            status: Some(429),
            told: None,
            pause: HOUR,
            began,
            ended,
            headers: None,
        };
        case.watch.refused(&refusal, &case.policy);
    }
    let evidence = &case.watch.state().evidence;
    assert_eq!((evidence.refusals, evidence.tested), (1, 1));
    assert_eq!(evidence.statuses[&429], 51, "they are written down");
}

#[test]
fn a_retry_after_is_no_evidence_before_it_has_passed() {
    let mut case = Case::default();
    for _ in 0..7 {
        assert_eq!(case.refuse(RefusalKind::Throttled, 429, HOUR, Some(HOUR)), Finding::Nothing);
    }
    assert_eq!(case.watch.state().evidence.tested, 6, "the seventh wait is not over");
    assert_eq!(case.throttle(HOUR), Finding::Suspected);
}

#[test]
fn a_refusal_within_a_wait_that_was_told_is_our_own_fault() {
    let mut case = Case::default();
    case.refuse(RefusalKind::Throttled, 429, HOUR, Some(DAY));
    for _ in 0..20 {
        assert_eq!(case.throttle(HOUR), Finding::Nothing);
    }
    assert_eq!(case.watch.state().evidence.tested, 0);
}

#[test]
fn a_suspicion_becomes_a_verdict_after_a_day_and_twenty_refusals() {
    let mut case = Case::suspected();
    let mut findings = vec![];
    while findings.last() != Some(&Finding::Blocked) {
        findings.push(case.throttle(HOUR));
    }
    let evidence = &case.watch.state().evidence;
    assert!(evidence.tested >= 20, "{}", evidence.tested);
    assert!(case.now.since(evidence.first.unwrap()) >= DAY);
    assert!(findings.len() < 20, "{}", findings.len());
}

#[test]
fn a_suspected_host_gets_a_probe_an_hour_and_a_blocked_one_a_probe_a_day_for_a_week() {
    let mut case = Case::suspected();
    assert_eq!(case.watch.pause(&case.policy, 0.0), Some(HOUR));
    case = Case::blocked();
    for _ in 0..7 {
        assert_eq!(case.watch.pause(&case.policy, 0.0), Some(DAY));
        case.throttle(DAY);
    }
    assert_eq!(case.watch.pause(&case.policy, 0.0), None);
}

#[test]
fn jitter_only_lengthens_the_pause_of_a_probe() {
    let case = Case::suspected();
    assert_eq!(case.watch.pause(&case.policy, 1.0), Some(HOUR + HOUR / 10));
    assert_eq!(case.watch.pause(&case.policy, f64::NAN.max(0.0)), Some(HOUR));
}

#[test]
fn two_healthy_answers_in_a_row_on_different_pages_clear_a_host() {
    for mut case in [Case::suspected(), Case::blocked()] {
        let before = case.standing();
        assert_eq!(case.answer(1), Finding::Nothing);
        assert_eq!(case.answer(1), Finding::Nothing, "the same page twice");
        assert_eq!(case.standing(), before);
        assert_eq!(case.answer(2), Finding::Cleared);
        assert_eq!(*case.watch.state(), WatchState::default());
    }
}

#[test]
fn a_leak_does_not_reopen_a_blocked_host() {
    let mut case = Case::blocked();
    for page in 0..5 {
        assert_eq!(case.answer(page), Finding::Nothing);
        assert_eq!(case.watch.pause(&case.policy, 0.0), Some(HOUR), "but the next probe comes sooner");
        assert_eq!(case.throttle(HOUR), Finding::Nothing);
    }
    assert_eq!(case.standing(), Standing::Blocked);
}

#[test]
fn a_page_that_was_asked_before_the_refusal_says_nothing() {
    let mut case = Case::suspected();
    let before = case.now - Duration::from_millis(1);
    assert_eq!(case.watch.answered(1, before), Finding::Nothing);
    assert_eq!(case.watch.state().evidence.well, None);
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_the_machine() {
    let mut case = Case::suspected();
    case.now = case.now - DAY;
    case.answer(1);
    assert_eq!(case.answer(2), Finding::Cleared);
}

#[test]
fn a_host_that_forbids_is_not_down() {
    let mut case = Case::default();
    while case.standing() != Standing::Down {
        case.fail();
    }
    for _ in 0..3 {
        case.forbid();
    }
    assert_eq!(case.standing(), Standing::Limited);
    assert!(case.watch.wants_control(&case.policy));
}

#[test]
fn errors_of_the_server_and_the_network_make_it_down_and_never_suspected() {
    let mut case = Case::default();
    for _ in 0..9 {
        assert_eq!(case.fail(), Finding::Nothing);
    }
    assert_eq!(case.fail(), Finding::Down);
    for _ in 0..100 {
        assert_eq!(case.refuse(RefusalKind::Failure, 500, HOUR, None), Finding::Nothing);
    }
    assert_eq!(case.standing(), Standing::Down);
    assert_eq!(case.answer(1), Finding::Cleared);
}

#[test]
fn nothing_but_503_is_an_outage() {
    let mut case = Case::default();
    let findings: Vec<_> =
        (0..50).map(|_| case.refuse(RefusalKind::Throttled, 503, HOUR, Some(MINUTE))).collect();
    assert_eq!(findings.iter().filter(|finding| **finding == Finding::Down).count(), 1);
    assert!(!findings.contains(&Finding::Suspected));
    assert_eq!(case.standing(), Standing::Down);
}

#[test]
fn a_503_among_failures_does_not_hide_an_outage() {
    let mut case = Case::default();
    let mut findings = vec![];
    for _ in 0..5 {
        case.refuse(RefusalKind::Throttled, 503, MINUTE, None);
        findings.extend([case.fail(), case.fail()]);
    }
    assert_eq!(findings.last(), Some(&Finding::Down));
    assert_eq!(case.throttle(MINUTE), Finding::Nothing);
    assert_eq!(case.watch.state().evidence.failures, 0, "who limits us is there");
}

#[test]
fn a_limit_after_an_outage_is_a_limit() {
    let mut case = Case::default();
    while case.standing() != Standing::Down {
        case.refuse(RefusalKind::Throttled, 503, HOUR, None);
    }
    assert_eq!(case.throttle(HOUR), Finding::Nothing);
    assert_eq!(case.standing(), Standing::Limited);
}

#[test]
fn a_host_that_is_down_is_asked_ever_more_seldom() {
    let mut case = Case::default();
    while case.standing() != Standing::Down {
        case.fail();
    }
    let pauses: Vec<_> = (0..8)
        .map(|_| {
            let pause = case.watch.pause(&case.policy, 0.0).unwrap();
            case.fail();
            pause.as_secs() / 60
        })
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn three_forbidden_pages_want_a_control() {
    let mut case = Case::default();
    for _ in 0..2 {
        case.forbid();
        assert!(!case.watch.wants_control(&case.policy));
    }
    case.forbid();
    assert!(case.watch.wants_control(&case.policy));
    case.answer(1);
    assert!(!case.watch.wants_control(&case.policy), "a healthy answer starts anew");
}

#[test]
fn a_control_that_passes_means_a_section() {
    let mut case = Case::default();
    for _ in 0..3 {
        case.forbid();
    }
    assert_eq!(case.control(ControlAnswer::Passed), Finding::Section);
    assert_eq!(case.standing(), Standing::Ok);
    assert!(!case.watch.wants_control(&case.policy));
}

#[test]
fn controls_that_pass_are_asked_ever_more_seldom() {
    let mut case = Case::default();
    let mut between = vec![];
    for _ in 0..8 {
        let mut pages = 0;
        while !case.watch.wants_control(&case.policy) {
            case.forbid();
            pages += 1;
        }
        between.push(pages);
        case.control(ControlAnswer::Passed);
    }
    assert_eq!(between, [3, 6, 12, 24, 48, 96, 96, 96]);
}

#[test]
fn a_control_that_is_refused_makes_a_suspicion_at_once() {
    let mut case = Case::default();
    for _ in 0..3 {
        assert_eq!(case.forbid(), Finding::Nothing);
    }
    assert_eq!(case.control(ControlAnswer::Refused(403)), Finding::Suspected);
    assert!(!case.watch.wants_control(&case.policy));
    assert_eq!(case.watch.pause(&case.policy, 0.0), Some(HOUR));
}

#[test]
fn forbidden_pages_alone_never_make_a_suspicion() {
    let mut case = Case::default();
    for _ in 0..100 {
        assert_eq!(case.refuse(RefusalKind::Forbidden, 403, HOUR, None), Finding::Nothing);
        if case.watch.wants_control(&case.policy) {
            case.control(ControlAnswer::Passed);
        }
    }
    assert_eq!(case.standing(), Standing::Ok);
}

#[test]
fn where_no_control_can_tell_forbidden_pages_count_like_limits() {
    let mut case = Case::default();
    for _ in 0..3 {
        case.forbid();
    }
    assert_eq!(case.control(ControlAnswer::Inconclusive), Finding::Nothing);
    assert!(!case.watch.wants_control(&case.policy));
    let findings: Vec<_> = (0..7).map(|_| case.refuse(RefusalKind::Forbidden, 403, MINUTE, None)).collect();
    assert_eq!(findings[6], Finding::Suspected);
    assert_eq!(findings[..6], [Finding::Nothing; 6]);
}

#[test]
fn a_control_that_told_nothing_is_soon_repeated() {
    let mut case = Case::default();
    for _ in 0..3 {
        case.forbid();
    }
    case.control(ControlAnswer::Inconclusive);
    case.refuse(RefusalKind::Forbidden, 403, MINUTE, None);
    assert!(case.watch.wants_control(&case.policy));
    assert_eq!(case.control(ControlAnswer::Passed), Finding::Section);
    assert_eq!(case.watch.state().evidence.tested, 0, "what was counted meanwhile was the section");
}

#[test]
fn refusals_that_persist_stretch_the_wait_from_a_minute_to_an_hour() {
    let mut case = Case::default();
    assert_eq!(case.watch.stretch(&case.policy), None);
    case.throttle(Duration::from_secs(1));
    case.throttle(Duration::from_secs(5));
    assert_eq!(case.watch.stretch(&case.policy), None, "the usual waits may do");
    case.throttle(Duration::from_secs(10));
    let mut waits = vec![];
    for _ in 0..7 {
        let wait = case.watch.stretch(&case.policy).unwrap();
        waits.push(wait.as_secs() / 60);
        case.throttle(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60]);
    assert_eq!(case.standing(), Standing::Suspected, "after ten requests");
}

#[test]
fn waits_stretch_under_retry_after_as_well() {
    let mut case = Case::default();
    let mut waits = vec![];
    for _ in 0..6 {
        let wait = case.watch.stretch(&case.policy).unwrap_or(Duration::from_secs(1));
        waits.push(wait.as_secs());
        case.refuse(RefusalKind::Throttled, 429, wait, Some(Duration::from_secs(1)));
    }
    assert_eq!(waits, [1, 1, 1, 60, 120, 240]);
}

#[test]
fn what_is_stored_comes_back() {
    let mut case = Case::blocked();
    case.answer(3);
    let stored = serde_json::to_string(case.watch.state()).unwrap();
    assert!(stored.contains("\"standing\":\"blocked\""), "{stored}");
    let back = Watch::resume(serde_json::from_str(&stored).unwrap());
    assert_eq!(back, case.watch);
}

#[test]
fn counts_that_are_full_do_no_harm() {
    let mut case = Case::default();
    let evidence = Evidence {
        refusals: u32::MAX,
        tested: u32::MAX,
        unavailable: u32::MAX,
        forbidden: u32::MAX,
        failures: u32::MAX,
        probes: u32::MAX,
        daily: u32::MAX,
        passed: u32::MAX,
        ..Evidence::default()
    };
    for standing in [Standing::Ok, Standing::Limited, Standing::Suspected, Standing::Blocked, Standing::Down]
    {
        case.watch = Watch::resume(WatchState { standing, evidence: evidence.clone() });
        case.throttle(HOUR);
        case.forbid();
        case.fail();
        case.control(ControlAnswer::Passed);
        assert!(case.watch.stretch(&case.policy).is_none_or(|wait| wait <= HOUR));
        assert!(case.watch.pause(&case.policy, 1.0).is_none_or(|wait| wait <= 2 * DAY));
    }
}

#[test]
fn every_outcome_is_a_refusal_of_one_kind_or_none() {
    let kinds = [
        (Class::Throttled, 429, Some(RefusalKind::Throttled)),
        (Class::Throttled, 503, Some(RefusalKind::Throttled)),
        (Class::Forbidden, 403, Some(RefusalKind::Forbidden)),
        (Class::Challenge, 200, Some(RefusalKind::Forbidden)),
        (Class::Gone, 451, Some(RefusalKind::Forbidden)),
        (Class::Gone, 404, None),
        (Class::ServerError, 500, Some(RefusalKind::Failure)),
        (Class::Unreachable(FailureKind::Connect), 0, Some(RefusalKind::Failure)),
        (Class::Unreachable(FailureKind::Address), 0, None),
        (Class::Fetched, 200, None),
        (Class::Transient, 408, None),
    ];
    for (class, status, expected) in kinds {
        let outcome = Outcome {
            class,
            status: Some(status),
            told: None,
            announced: crate::headers::rate_limit::Announced::default(),
            began: Timestamp::ZERO,
            ended: Timestamp::ZERO,
        };
        assert_eq!(RefusalKind::of(&outcome), expected, "{class:?} {status}");
    }
}
