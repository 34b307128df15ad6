//! Pages whose answer is known already: a crawl that has them asks for the others at the same moments as one that has none.

use super::*;
use crate::politeness::Rate;

/// A page of a host: its priority, whether its answer is known, how long else it takes and what it comes to.
#[derive(Debug, Clone)]
struct Sketch {
    host: u8,
    port: u16,
    priority: i8,
    known: bool,
    takes: u64,
    class: Class,
}

/// Pages of several hosts, or of one that refuses some of them. Not both: where a host has nothing but retries that are not due,
/// a known page is what brings it into its group's line, and there it stays.
fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let well = vec![Class::Fetched, Class::Gone, Class::Redirected];
    let refused = vec![Class::Fetched, Class::Throttled, Class::ServerError, Class::Forbidden];
    prop_oneof![some_of(3, well), some_of(1, refused)]
}

fn some_of(hosts: u8, classes: Vec<Class>) -> impl Strategy<Value = Vec<Sketch>> {
    let classes = prop::sample::select(classes);
    let sketch = (0..hosts, 0..2_u16, -1..2_i8, any::<bool>(), 0..3_000_u64, classes);
    let sketch = sketch.prop_map(|(host, port, priority, known, takes, class)| Sketch {
        host,
        port,
        priority,
        known,
        takes,
        class,
    });
    prop::collection::vec(sketch, 1..40)
}

#[derive(Debug, Clone)]
struct Rules {
    settings: Settings,
    policy: Policy,
}

fn rules() -> impl Strategy<Value = Rules> {
    let rate = |text: &'static str| prop::option::weighted(0.3, Just(text.parse::<Rate>().unwrap()));
    let paces = prop::sample::select(vec![PaceRule::Fixed, PaceRule::Adaptive]);
    (sharing(), 1..6_usize, rate("5/s"), rate("2/s"), 1..4_u32, 1..4_u32, paces, any::<u64>()).prop_map(
        |(sharing, max_in_flight, max_rate, rate, burst, max_concurrency, pace, seed)| {
            let patience = Duration::from_hours(10_000);
            let settings = Settings { sharing, max_in_flight, max_rate, seed, patience, ..settings() };
            let delay = Duration::from_millis(400);
            let policy =
                Policy { delay, jitter: 0.5, pace, rate, burst, max_concurrency, ..Policy::default() };
            Rules { settings, policy }
        },
    )
}

/// What went out when; the last word of the hosts; how many pages were known.
type Story = (Vec<(Timestamp, String)>, Vec<String>, u64);

/// Lets a crawl run to its end. `known` says whether the pages with a known answer are part of it.
fn run(sketches: &[Sketch], rules: &Rules, known: bool) -> Story {
    let mut frontier = frontier(rules.settings.clone(), rules.policy.clone());
    let mut now = at(1_000);
    // Those that are asked for come first, so that both crawls find their hosts in the same order.
    for known in if known { &[false, true][..] } else { &[false] } {
        for (sketch, seq) in sketches.iter().zip(0..).filter(|(sketch, _)| sketch.known == *known) {
            let Sketch { host, port, priority, .. } = sketch;
            let url = format!("http://h{host}.one.example:{}/{seq}", 8080 + port);
            let request = request(&url).priority(*priority);
            frontier.admit(now, Pending::new(QueueKey::new(*priority, seq), request));
        }
    }
    let mut out: Vec<(Timestamp, Out)> = Vec::new();
    let (mut log, mut stored) = (Vec::new(), 0);
    for _step in 0..100_000 {
        out.sort_by_key(|(ends, _)| *ends);
        if out.first().is_some_and(|(ends, _)| *ends <= now) {
            let (_, first) = out.remove(0);
            settle(&mut frontier, sketches, first, now);
            continue;
        }
        let until = match frontier.next(now) {
            Step::Fetch(lease) if sketches[lease.pending.key.seq as usize].known => {
                let settled = frontier.settle_stored(now, lease);
                assert_eq!((settled.verdict, settled.reaction), (Verdict::Done, Reaction::None));
                stored += 1;
                continue;
            }
            Step::Fetch(lease) => {
                log.push((now, lease.request().url.to_string()));
                let takes = sketches[lease.pending.key.seq as usize].takes;
                out.push((now + Duration::from_millis(takes), Out::Page(lease)));
                continue;
            }
            Step::Robots(lease) => {
                log.push((now, lease.url().to_string()));
                out.push((now + Duration::from_millis(50), Out::Robots(lease)));
                continue;
            }
            Step::Control(lease) => {
                out.push((now, Out::Control(lease)));
                continue;
            }
            Step::Resolve(request) => {
                out.push((now, Out::Address(request)));
                continue;
            }
            Step::Load(load) => panic!("everything fits in memory: {load:?}"),
            Step::WaitUntil(moment) => Some(moment),
            Step::AwaitFetches => None,
            Step::Finished => {
                let hosts = frontier.hosts().map(|view| {
                    let state = HostState { pages: 0, round: 0, ..view.state.clone() };
                    format!("{} {} {state:?}", view.key, view.in_flight)
                });
                return (log, hosts.collect(), stored);
            }
            other => panic!("{other:?}"),
        };
        let answer = out.first().map(|(ends, _)| *ends);
        now = until.into_iter().chain(answer).min().expect("something is waited for").max(now);
    }
    panic!("it does not end: {log:?}");
}

fn settle(frontier: &mut Frontier, sketches: &[Sketch], out: Out, now: Timestamp) {
    match out {
        Out::Page(lease) => {
            let sketch = &sketches[lease.pending.key.seq as usize];
            // The second time it is well.
            let class =
                if lease.pending.request.not_before.is_some() { Class::Fetched } else { sketch.class };
            let outcome = Outcome { began: lease.began, ..outcome(class, now) };
            let _ = frontier.settle(now, lease, &outcome, None);
        }
        Out::Robots(lease) => {
            let outcome = Outcome { began: lease.began, ..outcome(Class::Gone, now) };
            let _ = frontier.settle_robots(now, lease, &outcome, &answer(404, ""));
        }
        Out::Control(lease) => {
            let _ = frontier.settle_control(now, lease, &outcome(Class::Fetched, now));
        }
        Out::Address(request) => {
            let found = address(request.host());
            frontier.resolved(now, request, found);
        }
    }
}

/// Leaves out the known pages that none of their origin to be asked for comes behind: a host that has nothing but known pages
/// asks for its robots.txt and stands in line, which one that has no pages does not.
fn with_something_to_ask(sketches: &[Sketch]) -> Vec<Sketch> {
    let key = |place: usize| QueueKey::new(sketches[place].priority, place as u64);
    let leads_to = |place: usize, other: usize| {
        let (one, two) = (&sketches[place], &sketches[other]);
        !two.known && (one.host, one.port) == (two.host, two.port) && key(other) > key(place)
    };
    let stays =
        |place: usize| !sketches[place].known || (0..sketches.len()).any(|other| leads_to(place, other));
    (0..sketches.len()).filter(|place| stays(*place)).map(|place| sketches[place].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn pages_that_are_known_change_no_moment_of_the_others(sketches in sketches(), rules in rules()) {
        let sketches = with_something_to_ask(&sketches);
        let (with, hosts, stored) = run(&sketches, &rules, true);
        let (without, same, _) = run(&sketches, &rules, false);
        prop_assert_eq!(stored as usize, sketches.iter().filter(|one| one.known).count());
        prop_assert_eq!(with, without);
        prop_assert_eq!(hosts, same);
    }
}

/// A crawl of one host with so many pages that are known, after its robots.txt.
fn opened(pages: u64, settings: Settings, policy: Policy) -> Frontier {
    let mut frontier = frontier(settings, policy);
    for seq in 0..pages {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
    }
    open(&mut frontier, at(0), &answer(404, ""));
    frontier
}

#[test]
fn a_known_page_counts_as_a_page_and_not_as_a_request() {
    let settings = Settings { max_pages: Some(2), ..settings() };
    let mut frontier = opened(3, settings, policy());
    for _page in 0..2 {
        let lease = fetch(frontier.next(at(1_000)));
        let settled = frontier.settle_stored(at(1_000), lease);
        assert_eq!((settled.verdict, settled.host.1.requests), (Verdict::Done, 1));
    }
    let view = frontier.hosts().next().unwrap();
    assert_eq!((view.state.pages_in(1), view.waiting, view.in_flight), (2, 1, 0));
    assert!(matches!(frontier.next(at(1_000)), Step::LimitReached));
}

#[test]
fn what_happened_while_a_known_page_was_out_is_not_taken_back() {
    let two = Policy { max_concurrency: 2, jitter: 0.0, ..Policy::fixed(Duration::from_secs(1)) };
    let mut frontier = opened(3, settings(), two);
    let known = fetch(frontier.next(at(1_000)));
    let other = fetch(frontier.next(at(2_000)));
    let _ = frontier.settle_stored(at(2_000), known);
    assert!(matches!(frontier.next(at(2_000)), Step::WaitUntil(moment) if moment == at(3_000)));
    let refused = Outcome { told: Some(Duration::from_mins(1)), ..outcome(Class::Throttled, at(2_500)) };
    let known = fetch(frontier.next(at(3_000)));
    let _ = frontier.settle(at(3_000), other, &refused, None);
    let _ = frontier.settle_stored(at(3_000), known);
    assert!(matches!(frontier.next(at(3_000)), Step::WaitUntil(moment) if moment >= at(62_500)));
}

#[test]
fn ten_thousand_known_pages_hold_no_other_host_up() {
    let mut world = World::new(4, 20_000, 1, settings().sharing);
    for _page in 0..10_000 {
        world.act(&Op::Offer { host: 0, port: 0, priority: 0, wait: None });
    }
    world.act(&Op::Offer { host: 1, port: 0, priority: 0, wait: None });
    let (mut in_a_row, mut stored, mut breaths) = (0, 0, 0);
    for _step in 0..100_000 {
        while !(world.jobs.is_empty() && world.replies.is_empty()) {
            world.write();
            world.deliver();
        }
        match world.frontier.next(world.now) {
            Step::Fetch(lease) if lease.request().host().as_str().starts_with("h0") => {
                let settled = world.frontier.settle_stored(world.now, lease);
                let done = vec![(settled.origin, settled.pending.key)];
                world.jobs.push_back(Job::Commit(Box::new(Batch { done, ..Batch::default() })));
                (in_a_row, stored) = (in_a_row + 1, stored + 1);
            }
            Step::Fetch(lease) => {
                assert!(in_a_row <= 8, "{in_a_row} before the other host");
                let _ = world.frontier.settle(world.now, lease, &outcome(Class::Fetched, world.now), None);
            }
            Step::Robots(lease) => {
                let _ = world.frontier.settle_robots(
                    world.now,
                    lease,
                    &outcome(Class::Gone, world.now),
                    &answer(404, ""),
                );
            }
            Step::Load(load) => world.jobs.push_back(Job::Load(load)),
            Step::WaitUntil(moment) if moment == world.now => breaths += 1,
            Step::WaitUntil(moment) => world.now = moment,
            Step::AwaitFetches => {}
            Step::Finished => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((stored, breaths), (10_000, 10_000 / 256));
}
