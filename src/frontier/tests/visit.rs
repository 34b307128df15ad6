//! The hours of Visit-time, a delay that is longer than they are, and a robots.txt that does not live as long.

use super::*;

/// Six minutes a day, and ten from one request to the next.
const HOURS: &str = "User-agent: *\nCrawl-delay: 600\nVisit-time: 0400-0405";
/// When they begin, in seconds.
const OPENS: u64 = 4 * 3_600;
const DAY: u64 = 86_400;

fn living(cache_control: &str, body: &'static str) -> RobotsReply {
    let RobotsReply::Answer { status, body, location, validators, .. } = answer(200, body) else {
        unreachable!("it is an answer")
    };
    let cache_control = Some(cache_control.to_owned());
    RobotsReply::Answer { status, body, location, cache_control, validators }
}

/// A frontier with three pages of a host that may be asked as slowly as it wishes.
fn slow(policy: &Policy) -> Frontier {
    let mut frontier = empty(policy);
    for seq in 0..3 {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
    }
    frontier
}

fn empty(policy: &Policy) -> Frontier {
    let patience = Duration::from_hours(10_000);
    frontier(
        Settings { patience, ..settings() },
        Policy { max_crawl_delay: Duration::from_hours(1), ..policy.clone() },
    )
}

/// The seconds at which the first requests go out, each answered at once; robots.txt with this.
fn course(frontier: &mut Frontier, reply: &RobotsReply, most: usize) -> Vec<(u64, &'static str)> {
    let (mut now, mut course) = (at(0), Vec::new());
    while course.len() < most {
        match frontier.next(now) {
            Step::WaitUntil(moment) => now = moment,
            Step::Robots(lease) => {
                let _ = frontier.settle_robots(now, lease, &outcome(Class::Fetched, now), reply);
                course.push((now.as_secs(), "robots"));
            }
            Step::Fetch(lease) => {
                let _ = frontier.settle(now, lease, &outcome(Class::Fetched, now), None);
                course.push((now.as_secs(), "page"));
            }
            Step::Finished => break,
            other => panic!("{other:?}"),
        }
    }
    course
}

#[test]
fn robots_that_would_be_too_old_in_the_hours_is_renewed_one_delay_before_them() {
    for cache_control in ["max-age=3600", "no-store", "max-age=86400"] {
        let course = course(&mut slow(&policy()), &living(cache_control, HOURS), 9);
        let mut expected = vec![(0, "robots")];
        if cache_control != "max-age=86400" {
            expected.push((OPENS - 600, "robots"));
        }
        expected.push((OPENS, "page"));
        for day in 1..3 {
            let opens = OPENS + day * DAY;
            expected.extend([(opens - 600, "robots"), (opens, "page")]);
        }
        assert_eq!(course, expected, "{cache_control}");
    }
}

#[test]
fn jitter_does_not_make_the_page_miss_its_hours() {
    let course = course(&mut slow(&Policy { jitter: 0.5, ..policy() }), &living("no-store", HOURS), 9);
    let pages: Vec<u64> = course.iter().filter(|(_, what)| *what == "page").map(|(at, _)| *at).collect();
    assert_eq!(pages, [OPENS, OPENS + DAY, OPENS + 2 * DAY]);
    assert_eq!(course.len(), 7, "{course:?}");
}

#[test]
fn a_robots_txt_that_lives_less_than_a_delay_lasts_until_a_page_has_followed() {
    let course = course(&mut slow(&policy()), &living("no-store", "User-agent: *\nCrawl-delay: 600"), 9);
    let expected = [
        (0, "robots"),
        (600, "page"),
        (1_200, "robots"),
        (1_800, "page"),
        (2_400, "robots"),
        (3_000, "page"),
    ];
    assert_eq!(course, expected);
}

#[test]
fn a_page_that_is_due_later_in_the_hours_finds_robots_renewed_too() {
    let mut frontier = empty(&policy());
    let due = OPENS + DAY + 120;
    let mut later = pending("http://a.example/", 1);
    later.request.not_before = Some(Timestamp::from_secs(due));
    frontier.admit(at(0), later);
    let course = course(&mut frontier, &living("max-age=3600", HOURS), 9);
    assert_eq!(course, [(0, "robots"), (due - 600, "robots"), (due, "page")]);
}

#[test]
fn robots_is_not_renewed_for_pages_beyond_the_limit_of_the_host() {
    let mut limited = slow(&Policy { max_pages: Some(1), ..policy() });
    let course = course(&mut limited, &living("no-store", HOURS), 9);
    assert_eq!(course, [(0, "robots"), (OPENS - 600, "robots"), (OPENS, "page")]);
}
