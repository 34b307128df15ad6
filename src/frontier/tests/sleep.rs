//! Hosts that sleep: what is kept of them, and when they are woken.

use super::*;

/// A frontier whose hosts sleep whenever they can, and its store.
struct Drowse {
    frontier: Frontier,
    store: MemoryStore,
    seq: u64,
}

impl Drowse {
    fn new(policy: Policy) -> Self {
        Self {
            frontier: frontier(Settings { awake: 0, ..settings() }, policy),
            store: MemoryStore::default(),
            seq: 0,
        }
    }

    fn link(&mut self, now: Timestamp, url: &str) {
        self.seq += 1;
        let batch = Batch { links: vec![request(url)], ..Batch::default() };
        for pending in self.store.commit(batch).unwrap().fresh {
            self.frontier.admit(now, pending);
        }
    }

    /// The next step that is not between frontier and store.
    fn next(&mut self, now: Timestamp) -> Step {
        loop {
            let step = self.frontier.next(now);
            let naps = self.frontier.take_naps();
            self.store.commit(Batch { naps, ..Batch::default() }).unwrap();
            match step {
                Step::Wake(request) => {
                    let hosts = request.hosts().iter();
                    let found =
                        hosts.map(|host| self.store.wake(&host.key, &host.origins, request.head).unwrap());
                    let found = found.collect();
                    self.frontier.wake(now, request, found);
                }
                Step::Load(load) => {
                    let found = self.store.pending(&load.origin, load.after, load.limit).unwrap();
                    self.frontier.load(now, load, found);
                }
                other => return other,
            }
        }
    }

    fn answer_robots(&mut self, now: Timestamp, reply: &RobotsReply) {
        let lease = robots(self.next(now));
        let settled = self.frontier.settle_robots(now, lease, &outcome(Class::Fetched, now), reply);
        let (hosts, robots) = (vec![settled.host], settled.record.into_iter().collect());
        self.store.commit(Batch { hosts, robots, ..Batch::default() }).unwrap();
    }

    fn answer(&mut self, now: Timestamp, lease: Lease, outcome: &Outcome) -> Settlement {
        let settled = self.frontier.settle(now, lease, outcome, None);
        let place = (settled.origin.clone(), settled.pending.key);
        let mut batch = Batch { hosts: vec![settled.host.clone()], ..Batch::default() };
        match &settled.verdict {
            Verdict::RetryAt(_) => batch.retry.push((settled.origin.clone(), settled.pending.clone())),
            _ => batch.done.push(place),
        }
        self.store.commit(batch).unwrap();
        settled
    }

    fn waits_until(&mut self, now: Timestamp) -> Timestamp {
        match self.next(now) {
            Step::WaitUntil(moment) | Step::OnlyParkedLeft { until: moment } => moment,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_host_that_slept_keeps_its_delay_its_robots_and_its_retry_after() {
    let mut crawl = Drowse::new(policy());
    for url in ["http://a.example/1", "http://a.example/2", "http://a.example/no/3", "http://a.example/4"] {
        crawl.link(at(0), url);
    }
    crawl.answer_robots(at(0), &answer(200, "User-agent: *\nCrawl-delay: 7\nDisallow: /no/\n"));
    assert_eq!(crawl.waits_until(at(0)), at(7_000));
    assert_eq!((crawl.frontier.sleeping(), crawl.frontier.hosts().count()), (1, 0));
    let lease = fetch(crawl.next(at(7_000)));
    let _ = crawl.answer(at(7_000), lease, &outcome(Class::Fetched, at(7_000)));
    assert_eq!(crawl.waits_until(at(7_000)), at(14_000));
    let lease = fetch(crawl.next(at(14_000)));
    let told = Outcome { told: Some(Duration::from_secs(30)), ..outcome(Class::Throttled, at(14_000)) };
    let _ = crawl.answer(at(14_000), lease, &told);
    assert_eq!(crawl.waits_until(at(14_000)), at(44_000));
    // A link does not bring it nearer.
    crawl.link(at(15_000), "http://a.example/5");
    assert_eq!(crawl.waits_until(at(15_000)), at(44_000));
    let lease = fetch(crawl.next(at(44_000)));
    let _ = crawl.answer(at(44_000), lease, &outcome(Class::Fetched, at(44_000)));
    assert_eq!(crawl.waits_until(at(44_000)), at(51_000));
}

#[test]
fn a_host_with_nothing_to_ask_needs_no_record_and_is_not_new_when_a_link_comes() {
    let mut crawl = Drowse::new(policy());
    crawl.link(at(0), "http://a.example/1");
    crawl.answer_robots(at(0), &answer(404, ""));
    let lease = fetch(crawl.next(at(1_000)));
    let told = Outcome { told: Some(Duration::from_secs(20)), ..outcome(Class::Fetched, at(1_000)) };
    let _ = crawl.answer(at(1_000), lease, &told);
    assert!(matches!(crawl.next(at(1_000)), Step::Finished));
    assert_eq!((crawl.frontier.sleeping(), crawl.frontier.hosts().count()), (0, 0));
    assert!(!crawl.frontier.all_awake());
    crawl.link(at(2_000), "http://a.example/2");
    assert_eq!(crawl.waits_until(at(2_000)), at(21_000));
    assert_eq!(fetch(crawl.next(at(21_000))).request().url.path_and_query(), "/2");
}

#[test]
fn a_robots_txt_that_is_out_of_reach_stays_so_while_its_host_sleeps() {
    let mut crawl = Drowse::new(Policy { robots_tries: 2, ..policy() });
    crawl.link(at(0), "http://a.example/1");
    let mut now = at(0);
    for _ in 0..2 {
        let lease = robots(crawl.next(now));
        let refused = outcome(Class::ServerError, now);
        let settled = crawl.frontier.settle_robots(now, lease, &refused, &answer(500, ""));
        let (hosts, records) = (vec![settled.host], settled.record.into_iter().collect());
        crawl.store.commit(Batch { hosts, robots: records, ..Batch::default() }).unwrap();
        now = match crawl.next(now) {
            Step::WaitUntil(moment) => moment,
            Step::Finished => now,
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(crawl.frontier.shut_asleep().count(), 1);
    // Neither time nor a link makes it ask a third time in this run.
    crawl.link(now, "http://a.example/2");
    assert!(matches!(crawl.next(now + Duration::from_hours(3)), Step::Finished));
}

#[test]
fn a_limit_on_the_pages_of_a_host_counts_those_before_its_sleep() {
    let mut crawl = Drowse::new(Policy { max_pages: Some(2), ..policy() });
    for n in 0..5 {
        crawl.link(at(0), &format!("http://a.example/{n}"));
    }
    crawl.answer_robots(at(0), &answer(404, ""));
    for second in 1..=2 {
        let now = at(second * 1_000);
        let lease = fetch(crawl.next(now));
        let _ = crawl.answer(now, lease, &outcome(Class::Fetched, now));
    }
    assert!(matches!(crawl.next(at(10_000)), Step::Finished));
    crawl.link(at(11_000), "http://a.example/more");
    assert!(matches!(crawl.next(at(12_000)), Step::Finished));
    assert_eq!(crawl.store.all_waiting(), 4);
}

#[test]
fn hosts_that_are_due_last_go_to_sleep_first_and_the_first_to_be_due_are_woken_first() {
    let mut frontier = frontier(Settings { awake: 10, ..settings() }, policy());
    let mut store = MemoryStore::default();
    for n in 0..30 {
        let batch = Batch { links: vec![request(&format!("http://h{n}.example/"))], ..Batch::default() };
        store.commit(batch).unwrap().fresh.into_iter().for_each(|pending| frontier.admit(at(0), pending));
    }
    assert_eq!((frontier.hosts().count(), frontier.sleeping()), (10, 20), "who does not fit begins asleep");
    let mut asked = Vec::new();
    loop {
        let step = frontier.next(at(0));
        let naps = frontier.take_naps();
        store.commit(Batch { naps, ..Batch::default() }).unwrap();
        match step {
            Step::Robots(lease) => {
                asked.push(lease.url().host_key().to_string());
                let _ =
                    frontier.settle_robots(at(0), lease, &outcome(Class::Fetched, at(0)), &answer(404, ""));
            }
            Step::Wake(request) => {
                let hosts = request.hosts().iter();
                let found =
                    hosts.map(|host| store.wake(&host.key, &host.origins, request.head).unwrap()).collect();
                frontier.wake(at(0), request, found);
            }
            Step::Load(load) => {
                let found = store.pending(&load.origin, load.after, load.limit).unwrap();
                frontier.load(at(0), load, found);
            }
            Step::WaitUntil(moment) => break assert_eq!(moment, at(1_000)),
            other => panic!("{other:?}"),
        }
        assert!(frontier.hosts().count() <= 10);
    }
    let expected: Vec<_> = (0..30).map(|n| format!("h{n}.example")).collect();
    assert_eq!(asked, expected, "in the order in which they were found");
}

#[test]
fn after_a_restart_of_many_hosts_nobody_is_asked_before_his_delay_and_his_wait_are_over() {
    let mut frontier = frontier(Settings { awake: 1, ..settings() }, policy());
    let mut store = MemoryStore::default();
    let links = (0..5).map(|n| request(&format!("http://h{n}.example/"))).collect();
    let parked = HostState { not_before: at(60_000), ..HostState::default() };
    let hosts = vec![(HostKey::of("h3.example"), parked)];
    store.commit(Batch { links, hosts, ..Batch::default() }).unwrap();
    frontier.resume(at(10_000));
    let held = store.holdings().unwrap();
    for (origin, count) in &held.queues {
        frontier.restore_asleep(at(10_000), origin, *count);
    }
    for (key, state) in &held.hosts {
        frontier.restore_due(key, state);
    }
    assert!(matches!(frontier.next(at(10_000)), Step::WaitUntil(moment) if moment == at(11_000)));
    let mut crawl = Drowse { frontier, store, seq: 0 };
    for _ in 0..4 {
        crawl.answer_robots(at(11_000), &answer(404, ""));
    }
    assert_eq!(crawl.waits_until(at(11_000)), at(12_000));
    assert_eq!(crawl.frontier.hosts_waiting(), 5);
    let until: Vec<_> =
        (0..4).map(|_| fetch(crawl.next(at(12_000)))).map(|lease| lease.request().host()).collect();
    assert!(!until.contains(&HostKey::of("h3.example")));
}

#[test]
fn a_host_that_is_awake_costs_two_kilobytes_at_most() {
    let lane = size_of::<super::super::host::OriginLane>();
    let entry = size_of::<HostEntry>() + lane + super::super::groups::MEMBER_BYTES;
    println!("entry {}, lane {lane}, in all {entry}", size_of::<HostEntry>());
    // Its name, its origin and its place in the index and the timetable come on top.
    assert!(entry <= 1_800, "{entry}");
}
