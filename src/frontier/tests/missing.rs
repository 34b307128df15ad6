//! Pages that were there and now are answered 404 or 410.

use super::*;

fn known(path: &str) -> Frontier {
    let quick = Policy { jitter: 0.0, ..Policy::fixed(Duration::from_secs(1)) };
    let mut frontier = frontier(settings(), quick);
    frontier.admit(at(0), Pending { known: true, ..pending(&format!("http://a.example/{path}"), 1) });
    open(&mut frontier, at(0), &answer(404, ""));
    frontier
}

/// Lets the next page answer this, and gives its verdict and its counts of tries and of times that it was missing.
fn answered(frontier: &mut Frontier, now: u64, class: Class, status: u16) -> (Verdict, u8, u8) {
    let lease = fetch(frontier.next(at(now)));
    let outcome = Outcome { status: Some(status), ..outcome(class, at(now)) };
    let settled = frontier.settle(at(now), lease, &outcome, None);
    (settled.verdict, settled.pending.tries, settled.pending.missing)
}

#[test]
fn a_page_that_was_there_is_asked_once_more_before_it_is_gone() {
    let mut frontier = known("x");
    assert_eq!(answered(&mut frontier, 1_000, Class::Gone, 404), (Verdict::RetryAt(at(11_000)), 0, 1));
    assert!(matches!(frontier.next(at(10_999)), Step::WaitUntil(moment) if moment == at(11_000)));
    let (verdict, tries, _) = answered(&mut frontier, 11_000, Class::Gone, 410);
    assert!(matches!(verdict, Verdict::Dropped(failure) if failure.status == Some(410)));
    assert_eq!(tries, 0);
    assert!(matches!(frontier.next(at(11_000)), Step::Finished));
}

#[test]
fn only_two_in_a_row_count() {
    let mut frontier = known("x");
    assert_eq!(answered(&mut frontier, 1_000, Class::Gone, 404).2, 1);
    let (verdict, tries, missing) = answered(&mut frontier, 11_000, Class::ServerError, 500);
    assert!(matches!(verdict, Verdict::RetryAt(_)));
    assert_eq!((tries, missing), (1, 0));
    let (verdict, tries, missing) = answered(&mut frontier, 60_000, Class::Gone, 404);
    assert_eq!((verdict, tries, missing), (Verdict::RetryAt(at(70_000)), 1, 1));
    assert_eq!(answered(&mut frontier, 70_000, Class::Fetched, 200), (Verdict::Done, 1, 0));
}
