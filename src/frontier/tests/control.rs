//! Controls: what is asked before a host is accused, and what becomes of the pages that it refused.

use super::*;
use crate::politeness::Standing;

fn control(step: Step) -> ControlLease {
    match step {
        Step::Control(lease) => lease,
        other => panic!("{other:?}"),
    }
}

fn answered(class: Class, status: u16, now: Timestamp) -> Outcome {
    Outcome { status: Some(status), ..outcome(class, now) }
}

/// A host that gave a page in an earlier run and forbids three now.
fn refusing(good: &str, robots_txt: &'static str, path: &str) -> (Frontier, u64) {
    let mut frontier = frontier(settings(), Policy { delay: Duration::ZERO, ..policy() });
    let state = HostState { good_page: Some(good.to_owned()), ..HostState::default() };
    frontier.restore_host(at(0), &HostKey::of("a.example"), state);
    for seq in 0..9 {
        frontier.admit(at(0), pending(&format!("http://a.example{path}{seq}"), seq));
    }
    open(&mut frontier, at(0), &answer(200, robots_txt));
    for now in 1..=3 {
        let lease = fetch(frontier.next(at(now)));
        let _ = frontier.settle(at(now), lease, &answered(Class::Forbidden, 403, at(now)), None);
    }
    (frontier, 4)
}

#[test]
fn after_three_forbidden_pages_one_that_was_there_is_asked_with_head_and_then_with_get() {
    let (mut frontier, now) = refusing("http://a.example/good", "", "/");
    let lease = control(frontier.next(at(now)));
    assert_eq!((lease.url().as_str(), lease.method().as_str()), ("http://a.example/good", "HEAD"));
    assert!(matches!(frontier.next(at(now)), Step::AwaitFetches), "nothing else goes out meanwhile");
    let _ = frontier.settle_control(at(now), lease, &answered(Class::Forbidden, 403, at(now)));
    let lease = control(frontier.next(at(now)));
    assert_eq!(lease.method(), "GET", "some servers refuse every HEAD");
    let settled = frontier.settle_control(at(now), lease, &answered(Class::Forbidden, 403, at(now)));
    assert_eq!(settled.reaction, Reaction::Stands(Standing::Suspected));
    assert!(settled.released.is_empty(), "its pages stay in the queue");
    assert_eq!(frontier.hosts().next().unwrap().waiting, 9);
}

#[test]
fn a_control_that_is_answered_acquits_the_host_and_gives_the_pages_up() {
    let (mut frontier, now) = refusing("http://a.example/good", "", "/");
    let lease = control(frontier.next(at(now)));
    let settled = frontier.settle_control(at(now), lease, &answered(Class::Fetched, 200, at(now)));
    assert_eq!((settled.reaction, settled.released.len()), (Reaction::SectionRefuses, 3));
}

#[test]
fn a_control_of_451_is_a_refusal() {
    let (mut frontier, now) = refusing("http://a.example/good", "", "/");
    for _ in 0..2 {
        let lease = control(frontier.next(at(now)));
        let _ = frontier.settle_control(at(now), lease, &answered(Class::Gone, 451, at(now)));
    }
    assert_eq!(frontier.hosts().next().unwrap().state.watch.standing, Standing::Suspected);
}

#[test]
fn a_control_keeps_to_robots_txt_as_it_is_now_and_to_the_origins_that_it_covers() {
    for good in ["http://a.example/secret/page", "http://a.example:8080/page"] {
        let (mut frontier, now) = refusing(good, "User-agent: *\nDisallow: /secret", "/");
        let lease = control(frontier.next(at(now)));
        assert_eq!(
            (lease.url().as_str(), lease.method().as_str()),
            ("http://a.example/robots.txt", "GET"),
            "{good}"
        );
    }
}

#[test]
fn a_section_is_shut_after_a_control_of_its_own_and_not_on_the_strength_of_an_old_one() {
    let (mut frontier, mut now) = refusing("http://a.example/good", "", "/private/");
    let mut controls = 0;
    let mut asked = 3;
    loop {
        now += 1;
        match frontier.next(at(now)) {
            Step::Control(lease) => {
                controls += 1;
                let _ = frontier.settle_control(at(now), lease, &answered(Class::Fetched, 200, at(now)));
            }
            Step::Fetch(lease) => {
                asked += 1;
                let _ = frontier.settle(at(now), lease, &answered(Class::Forbidden, 403, at(now)), None);
            }
            _ => break,
        }
    }
    assert_eq!((controls, asked, frontier.take_dropped().len()), (1, 5, 4));
}

#[test]
fn a_page_that_is_refused_for_ever_is_given_up_only_if_the_host_gives_another() {
    let mut frontier = frontier(settings(), Policy { delay: Duration::ZERO, ..policy() });
    let state = HostState { good_page: Some("http://a.example/good".to_owned()), ..HostState::default() };
    frontier.restore_host(at(0), &HostKey::of("a.example"), state);
    frontier.admit(at(0), pending("http://a.example/1", 1));
    open(&mut frontier, at(0), &answer(404, ""));
    let mut now = 1;
    let lease = loop {
        match frontier.next(at(now)) {
            Step::Fetch(lease) => {
                let refused = answered(Class::Throttled, 429, at(now));
                assert!(!matches!(
                    frontier.settle(at(now), lease, &refused, None).verdict,
                    Verdict::Dropped(_)
                ));
            }
            Step::Control(lease) => break lease,
            Step::WaitUntil(moment) | Step::OnlyParkedLeft { until: moment } => now = moment.as_millis(),
            other => panic!("{other:?}"),
        }
    };
    let settled = frontier.settle_control(at(now), lease, &answered(Class::Fetched, 200, at(now)));
    assert_eq!(settled.released.len(), 1);
    assert!(matches!(frontier.next(at(now)), Step::Finished));
}
