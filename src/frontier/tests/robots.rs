//! robots.txt asked again: what is at hand is confirmed where that is possible, and only there.

use super::*;

const DAY: u64 = 86_400_000;

type Fields = Vec<(String, String)>;

fn tag(value: &str) -> Fields {
    vec![("if-none-match".to_owned(), value.to_owned())]
}

fn tagged(status: u16, body: &'static str, fields: &Fields) -> RobotsReply {
    let RobotsReply::Answer { status, body, .. } = answer(status, body) else { unreachable!() };
    RobotsReply::Answer { status, body, location: None, cache_control: None, validators: fields.clone() }
}

fn moved(location: &str) -> RobotsReply {
    let RobotsReply::Answer { body, .. } = answer(301, "") else { unreachable!() };
    let location = Some(location.to_owned());
    RobotsReply::Answer { status: 301, body, location, cache_control: None, validators: Vec::new() }
}

/// A frontier with pages of a.example that robots.txt may forbid or not.
fn with_pages() -> Frontier {
    let mut frontier = frontier(settings(), Policy { jitter: 0.0, ..Policy::fixed(Duration::from_secs(1)) });
    for seq in 0..9 {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
    }
    frontier
}

/// The robots.txt that is asked next, at the moment when it may be asked: where, with which conditions, and what is stored when
/// the answer is this.
fn hear(
    frontier: &mut Frontier,
    now: &mut u64,
    reply: &RobotsReply,
) -> (String, Fields, Option<RobotsRecord>) {
    let lease = loop {
        match frontier.next(at(*now)) {
            Step::WaitUntil(moment) => *now = moment.as_millis(),
            Step::Robots(lease) => break lease,
            other => panic!("{other:?}"),
        }
    };
    let asked = (lease.url().to_string(), lease.validators().to_vec());
    let class = match reply {
        RobotsReply::Answer { status: 200, .. } => Class::Fetched,
        RobotsReply::Answer { status: 304, .. } => Class::NotModified,
        RobotsReply::Answer { status: 301, .. } => Class::Redirected,
        _ => Class::ServerError,
    };
    let settled = frontier.settle_robots(at(*now), lease, &outcome(class, at(*now)), reply);
    (asked.0, asked.1, settled.record.map(|(_, record)| record))
}

/// Whether a page may go out now, rather than robots.txt.
fn lets_a_page_out(frontier: &mut Frontier, now: &mut u64) -> bool {
    loop {
        match frontier.next(at(*now)) {
            Step::WaitUntil(moment) => *now = moment.as_millis(),
            Step::Fetch(lease) => {
                let _ = frontier.settle(at(*now), lease, &outcome(Class::Fetched, at(*now)), None);
                return true;
            }
            Step::Finished => return false,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_day_later_a_304_renews_the_rules_for_another_day() {
    let (mut frontier, mut now) = (with_pages(), 0);
    let (_, conditions, _) =
        hear(&mut frontier, &mut now, &tagged(200, "User-agent: *\nDisallow: /1", &tag("\"a\"")));
    assert_eq!(conditions, []);
    assert!(lets_a_page_out(&mut frontier, &mut now));
    now = DAY;
    let (_, conditions, record) = hear(&mut frontier, &mut now, &tagged(304, "", &tag("\"b\"")));
    assert_eq!(conditions, tag("\"a\""));
    let record = record.unwrap();
    assert_eq!(record.answer, RobotsAnswer::Text("User-agent: *\nDisallow: /1".into()));
    assert_eq!(record.expires_at, at(2 * DAY));
    assert!(lets_a_page_out(&mut frontier, &mut now));
    assert_eq!(frontier.take_dropped().len(), 1, "its rules hold");
    now = 2 * DAY;
    assert_eq!(
        hear(&mut frontier, &mut now, &answer(200, "")).1,
        tag("\"b\""),
        "a 304 may name a new version"
    );
    now = 3 * DAY;
    assert!(lets_a_page_out(&mut frontier, &mut { 2 * DAY + 1_000 }));
    assert_eq!(hear(&mut frontier, &mut now, &answer(404, "")).1, [], "what was read last has no validators");
}

#[test]
fn what_is_at_hand_outlives_a_time_out_of_reach_and_a_restart() {
    let (mut frontier, mut now) = (with_pages(), 0);
    hear(&mut frontier, &mut now, &tagged(200, "User-agent: *\nDisallow: /0", &tag("\"a\"")));
    now = DAY;
    let (_, _, record) = hear(&mut frontier, &mut now, &answer(503, ""));
    let record = record.unwrap();
    assert!(matches!(record.answer, RobotsAnswer::Unreachable { .. }));
    let mut restarted = self::frontier(settings(), policy());
    restarted.restore_robots(request("http://a.example/").origin(), record);
    restarted.admit(at(now), pending("http://a.example/0", 0));
    for frontier in [&mut frontier, &mut restarted] {
        let mut now = now;
        let (_, conditions, record) = hear(frontier, &mut now, &answer(304, ""));
        assert_eq!(conditions, tag("\"a\""));
        assert_eq!(record.unwrap().answer, RobotsAnswer::Text("User-agent: *\nDisallow: /0".into()));
        let _ = lets_a_page_out(frontier, &mut now);
        assert_eq!(frontier.take_dropped().len(), 1, "its rules hold");
    }
}

#[test]
fn a_304_that_nobody_asked_for_is_asked_again_without_conditions_and_only_once() {
    let (mut frontier, mut now) = (with_pages(), 0);
    let (_, _, record) = hear(&mut frontier, &mut now, &tagged(304, "", &tag("\"x\"")));
    assert_eq!(record, None);
    let (url, conditions, record) = hear(&mut frontier, &mut now, &answer(304, ""));
    assert_eq!((url.as_str(), conditions), ("http://a.example/robots.txt", Vec::new()));
    assert!(now < 5_000, "the first is no failure");
    let RobotsAnswer::Unreachable { retry_at, .. } = record.unwrap().answer else {
        panic!("no rules are known")
    };
    assert!(retry_at > at(now));
    hear(&mut frontier, &mut now, &answer(200, ""));
    assert!(lets_a_page_out(&mut frontier, &mut now));
}

#[test]
fn validators_go_only_to_the_url_that_gave_them() {
    let (mut frontier, mut now) = (with_pages(), 0);
    hear(&mut frontier, &mut now, &moved("http://b.example/rules"));
    let (url, conditions, record) =
        hear(&mut frontier, &mut now, &tagged(200, "User-agent: *\nDisallow: /0", &tag("\"b\"")));
    assert_eq!((url.as_str(), conditions), ("http://b.example/rules", Vec::new()));
    assert_eq!(record.unwrap().copy.unwrap().source.as_str(), "http://b.example/rules");
    now = DAY;
    for (reply, url, conditions) in [
        (moved("http://c.example/"), "http://a.example/robots.txt", Vec::new()),
        (moved("http://b.example/rules"), "http://c.example/", Vec::new()),
        (answer(304, ""), "http://b.example/rules", tag("\"b\"")),
    ] {
        let asked = hear(&mut frontier, &mut now, &reply);
        assert_eq!((asked.0.as_str(), asked.1), (url, conditions));
    }
    let _ = lets_a_page_out(&mut frontier, &mut now);
    assert_eq!(frontier.take_dropped().len(), 1, "its rules hold");
    now = 2 * DAY;
    let misled = hear(&mut frontier, &mut now, &answer(304, ""));
    assert_eq!((misled.1, misled.2), (Vec::new(), None), "a 304 of another URL confirms nothing");
    assert_eq!(hear(&mut frontier, &mut now, &answer(200, "")).1, []);
}
