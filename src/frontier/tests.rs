//! The frontier against a store, by hand and at random.
//!
//! The random test plays the writer too: what is committed and loaded happens in order but late, and what comes back is
//! delivered late again, as with the writer on a thread of its own.

mod control;
mod groups;
mod missing;
mod ready;
mod robots;
mod sleep;
mod stored;
mod visit;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::politeness::{BlockPolicy, Class, Outcome, PaceRule, Reaction, Verdict};
use crate::request::{QueueKey, Request};
use crate::response::FailureKind;
use crate::robots::{ProductToken, RobotsAnswer};
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Store};
use crate::url::CanonicalUrl;

/// Addresses make no difference, so that nobody asks for them.
fn settings() -> Settings {
    let sharing = Sharing { address_concurrency: None, ..Sharing::default() };
    Settings { sharing, ..Settings::new(ProductToken::parse("simbot").unwrap()) }
}

fn policy() -> Policy {
    Policy { jitter: 0.0, pace: PaceRule::Fixed, ..Policy::default() }
}

fn frontier(settings: Settings, policy: Policy) -> Frontier {
    Frontier::new(settings, Box::new(move |_| policy.clone()), 1, 0)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn request(url: &str) -> Request {
    Request::get(CanonicalUrl::parse(url).unwrap())
}

fn pending(url: &str, seq: u64) -> Pending {
    let request = request(url);
    Pending::new(QueueKey::new(request.priority, seq), request)
}

fn outcome(class: Class, now: Timestamp) -> Outcome {
    Outcome { class, status: None, told: None, announced: Default::default(), began: now, ended: now }
}

fn answer(status: u16, body: &'static str) -> RobotsReply {
    RobotsReply::Answer {
        status,
        body: Bytes::from_static(body.as_bytes()),
        location: None,
        cache_control: None,
        validators: Vec::new(),
    }
}

fn fetch(step: Step) -> Lease {
    match step {
        Step::Fetch(lease) => lease,
        other => panic!("{other:?}"),
    }
}

fn robots(step: Step) -> RobotsLease {
    match step {
        Step::Robots(lease) => lease,
        other => panic!("{other:?}"),
    }
}

/// Answers the robots.txt that is asked next.
fn open(frontier: &mut Frontier, now: Timestamp, reply: &RobotsReply) {
    let lease = robots(frontier.next(now));
    let _ = frontier.settle_robots(now, lease, &outcome(Class::Fetched, now), reply);
}

#[test]
fn an_empty_frontier_is_finished() {
    assert!(matches!(frontier(settings(), policy()).next(at(0)), Step::Finished));
}

#[test]
fn robots_comes_first_then_the_delay_then_the_page() {
    let mut frontier = frontier(settings(), policy());
    frontier.admit(at(0), pending("http://a.example/x", 1));
    let lease = robots(frontier.next(at(0)));
    assert_eq!(lease.url().as_str(), "http://a.example/robots.txt");
    assert!(matches!(frontier.next(at(0)), Step::AwaitFetches));
    let settled = frontier.settle_robots(at(0), lease, &outcome(Class::Gone, at(0)), &answer(404, ""));
    assert!(settled.record.is_some());
    assert!(matches!(frontier.next(at(0)), Step::WaitUntil(moment) if moment == at(1_000)));
    let lease = fetch(frontier.next(at(1_000)));
    assert_eq!(lease.request().url.path_and_query(), "/x");
    assert_eq!(frontier.in_flight(), 1);
    let settled = frontier.settle(at(1_000), lease, &outcome(Class::Fetched, at(1_000)), None);
    assert_eq!(settled.verdict, Verdict::Done);
    assert!(matches!(frontier.next(at(1_000)), Step::Finished));
}

#[test]
fn what_robots_forbids_is_dropped_without_being_asked() {
    let mut frontier = frontier(settings(), policy());
    for (path, seq) in [("x", 1), ("secret", 2), ("y", 3)] {
        frontier.admit(at(0), pending(&format!("http://a.example/{path}"), seq));
    }
    open(&mut frontier, at(0), &answer(200, "User-agent: *\nDisallow: /secret"));
    for (now, path) in [(1_000, "/x"), (2_000, "/y")] {
        let lease = fetch(frontier.next(at(now)));
        assert_eq!(lease.request().url.path_and_query(), path);
        let _ = frontier.settle(at(now), lease, &outcome(Class::Fetched, at(now)), None);
    }
    let dropped = frontier.take_dropped();
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0].failure.reason, "Disallow: /secret (robots.txt line 2)");
    assert!(matches!(frontier.next(at(9_000)), Step::Finished));
}

#[test]
fn a_wait_beyond_patience_is_left_and_a_delay_beyond_it_is_not() {
    let slow = Policy { delay: Duration::from_secs(100), ..policy() };
    let mut frontier = frontier(settings(), slow);
    frontier.admit(at(0), pending("http://a.example/x", 1));
    open(&mut frontier, at(0), &answer(404, ""));
    assert!(matches!(frontier.next(at(0)), Step::WaitUntil(moment) if moment == at(100_000)));
    let lease = fetch(frontier.next(at(100_000)));
    let refused =
        Outcome { told: Some(Duration::from_secs(3_600)), ..outcome(Class::Throttled, at(100_000)) };
    let settled = frontier.settle(at(100_000), lease, &refused, None);
    assert!(matches!(settled.verdict, Verdict::RetryAt(moment) if moment == at(3_700_000)));
    assert!(matches!(frontier.next(at(100_000)), Step::OnlyParkedLeft { until } if until == at(3_700_000)));
}

#[test]
fn the_page_limit_counts_what_is_out() {
    let limited = Settings { max_pages: Some(1), ..settings() };
    let quick = Policy { jitter: 0.0, max_concurrency: 4, ..Policy::fixed(Duration::ZERO) };
    let mut frontier = frontier(limited, quick);
    for seq in 0..3 {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
    }
    open(&mut frontier, at(0), &answer(404, ""));
    let lease = fetch(frontier.next(at(0)));
    assert!(matches!(frontier.next(at(0)), Step::AwaitFetches), "it may become the last page");
    let _ = frontier.settle(at(0), lease, &outcome(Class::Gone, at(0)), None);
    let lease = fetch(frontier.next(at(0)));
    let _ = frontier.settle(at(0), lease, &outcome(Class::Fetched, at(0)), None);
    assert!(matches!(frontier.next(at(0)), Step::LimitReached));
}

#[test]
fn no_more_is_in_flight_than_configured() {
    let narrow = Settings { max_in_flight: 2, ..settings() };
    let mut frontier = frontier(narrow, policy());
    for seq in 0..3 {
        frontier.admit(at(0), pending(&format!("http://h{seq}.example/"), seq));
    }
    let leases = [robots(frontier.next(at(0))), robots(frontier.next(at(0)))];
    assert!(matches!(frontier.next(at(0)), Step::AwaitFetches));
    for lease in leases {
        let _ = frontier.settle_robots(at(0), lease, &outcome(Class::Gone, at(0)), &answer(404, ""));
    }
    let third = robots(frontier.next(at(0)));
    assert_eq!(third.url().host(), "h2.example");
}

#[test]
fn a_redirected_robots_txt_is_asked_at_the_pace_of_the_host_it_leads_to() {
    let mut frontier = frontier(settings(), policy());
    frontier.admit(at(0), pending("http://b.example/", 1));
    open(&mut frontier, at(0), &answer(404, ""));
    frontier.admit(at(500), pending("http://a.example/", 2));
    let lease = robots(frontier.next(at(500)));
    let RobotsReply::Answer { body, .. } = answer(302, "") else {
        unreachable!("it is an answer");
    };
    let moved = RobotsReply::Answer {
        status: 302,
        body,
        location: Some("http://b.example/rules".to_owned()),
        cache_control: None,
        validators: Vec::new(),
    };
    let _ = frontier.settle_robots(at(500), lease, &outcome(Class::Redirected, at(500)), &moved);
    assert!(matches!(frontier.next(at(500)), Step::WaitUntil(moment) if moment == at(1_000)));
    let hop = robots(frontier.next(at(1_000)));
    assert_eq!(hop.url().as_str(), "http://b.example/rules");
}

#[test]
fn a_page_refused_with_403_is_dropped_by_the_next_success_or_at_the_end() {
    let mut frontier = frontier(settings(), policy());
    for seq in 0..3 {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
    }
    open(&mut frontier, at(0), &answer(404, ""));
    let classes = [Class::Forbidden, Class::Fetched, Class::Forbidden];
    let mut released = Vec::new();
    for (class, now) in classes.into_iter().zip([1_000, 2_000, 3_000]) {
        let lease = fetch(frontier.next(at(now)));
        released.push(frontier.settle(at(now), lease, &outcome(class, at(now)), None).released.len());
    }
    assert_eq!(released, [0, 1, 0]);
    assert_eq!(frontier.release_held().len(), 1);
    assert_eq!(frontier.hosts().next().unwrap().waiting, 0);
}

#[test]
fn of_too_many_forbidden_pages_the_oldest_is_given_up() {
    let block = BlockPolicy { control_after: u32::MAX, ..BlockPolicy::default() };
    let mut frontier = frontier(settings(), Policy { block, ..policy() });
    let most = super::host::MAX_HELD as u64;
    for seq in 0..=most {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
    }
    open(&mut frontier, at(0), &answer(404, ""));
    let mut released = Vec::new();
    let mut now = 1_000;
    while released.is_empty() {
        match frontier.next(at(now)) {
            Step::Fetch(lease) => {
                let settled = frontier.settle(at(now), lease, &outcome(Class::Forbidden, at(now)), None);
                released.extend(settled.released.into_iter().map(|drop| drop.pending.key.seq));
            }
            Step::Load(load) => {
                let rest = (0..=most).map(|seq| pending(&format!("http://a.example/{seq}"), seq));
                let behind: Vec<_> = rest.filter(|one| Some(one.key) > load.after).take(load.limit).collect();
                frontier.load(at(now), load, behind);
            }
            _ => now += 1_000,
        }
    }
    assert_eq!((released, frontier.release_held().len() as u64), (vec![0], most));
}

/// A request in a store, by a key that stays the same over all its tries.
type Place = (Origin, QueueKey);

/// Something for the writer to do.
enum Job {
    Commit(Box<Batch>),
    Load(LoadRequest),
    Wake(WakeRequest),
}

/// What the writer brings back.
enum Reply {
    Fresh(Vec<Pending>),
    Loaded(LoadRequest, Vec<Pending>),
    Woken(WakeRequest, Vec<Stored>),
}

/// What is in flight.
enum Out {
    Page(Lease),
    Robots(RobotsLease),
    Control(ControlLease),
    Address(AddressRequest),
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Waiting,
    Out,
    Held,
    Settled,
}

/// A frontier, a store behind a slow writer, and what must be true of them.
struct World {
    frontier: Frontier,
    cap: u32,
    sharing: Sharing,
    now: Timestamp,
    store: MemoryStore,
    jobs: VecDeque<Job>,
    replies: VecDeque<Reply>,
    out: Vec<Out>,
    stands: BTreeMap<Place, (Stand, Option<Timestamp>)>,
    /// Before these moments a host may not be asked.
    rests: BTreeMap<HostKey, Timestamp>,
    offered: u32,
}

#[derive(Debug, Clone)]
enum Op {
    Offer { host: u8, port: u16, priority: i8, wait: Option<u16> },
    Pump,
    Settle { which: usize, class: Class, told: Option<u8> },
    Write,
    Deliver,
    Pass(u16),
}

fn ops() -> impl Strategy<Value = Op> {
    let classes = prop::sample::select(vec![
        Class::Fetched,
        Class::Fetched,
        Class::Gone,
        Class::Redirected,
        Class::Forbidden,
        Class::Throttled,
        Class::ServerError,
        Class::Unreachable(FailureKind::Reset),
        Class::Unreachable(FailureKind::Connect),
    ]);
    prop_oneof![
        6 => (0..3_u8, 0..2_u16, -2..3_i8, prop::option::weighted(0.3, 0..5_000_u16)).prop_map(
            |(host, port, priority, wait)| Op::Offer { host, port, priority, wait }
        ),
        4 => Just(Op::Pump),
        3 => (any::<usize>(), classes, prop::option::weighted(0.2, 1..30_u8))
            .prop_map(|(which, class, told)| Op::Settle { which, class, told }),
        4 => Just(Op::Write),
        4 => Just(Op::Deliver),
        2 => (0..3_000_u16).prop_map(Op::Pass),
    ]
}

/// Two hosts lead to one address; where the third leads nobody knows.
fn address(host: &HostKey) -> Option<IpAddr> {
    (!host.as_str().starts_with("h2")).then_some(IpAddr::from([10, 0, 0, 1]))
}

fn sharing() -> impl Strategy<Value = Sharing> {
    let groups = prop::sample::select(vec![Grouping::Host, Grouping::Domain, Grouping::Ip]);
    let rate = prop::option::weighted(0.3, Just("3/s".parse().unwrap()));
    (groups, prop::option::of(1..3_u32), rate).prop_map(|(group, address_concurrency, address_rate)| {
        Sharing { group, address_concurrency, address_rate, ..Sharing::default() }
    })
}

impl World {
    fn new(head: usize, awake: usize, cap: u32, sharing: Sharing) -> Self {
        let settings = Settings {
            head,
            awake,
            sharing: sharing.clone(),
            max_in_flight: 5,
            patience: Duration::from_hours(10_000),
            ..settings()
        };
        let policy = Policy { delay: Duration::from_millis(100), max_concurrency: cap, ..policy() };
        Self {
            frontier: frontier(settings, policy),
            cap,
            sharing,
            now: at(1_000),
            store: MemoryStore::default(),
            jobs: VecDeque::new(),
            replies: VecDeque::new(),
            out: Vec::new(),
            stands: BTreeMap::new(),
            rests: BTreeMap::new(),
            offered: 0,
        }
    }

    fn act(&mut self, op: &Op) {
        match op {
            Op::Offer { host, port, priority, wait } => {
                self.offered += 1;
                let url = format!("http://h{host}.one.example:{}/{}", 8080 + port, self.offered);
                let mut request = request(&url).priority(*priority);
                request.not_before = wait.map(|wait| self.now + Duration::from_millis(wait.into()));
                self.jobs
                    .push_back(Job::Commit(Box::new(Batch { links: vec![request], ..Batch::default() })));
            }
            Op::Pump => drop(self.pump()),
            Op::Settle { which, class, told } if !self.out.is_empty() => {
                let out = self.out.swap_remove(which % self.out.len());
                self.settle(out, *class, told.map(|told| Duration::from_secs(told.into())));
            }
            Op::Settle { .. } => {}
            Op::Write => self.write(),
            Op::Deliver => self.deliver(),
            Op::Pass(millis) => self.now = self.now + Duration::from_millis((*millis).into()),
        }
    }

    /// Takes what may go out, and returns the step that said that nothing more may.
    fn pump(&mut self) -> Step {
        loop {
            let step = self.frontier.next(self.now);
            assert!(self.frontier.take_dropped().is_empty(), "robots.txt forbids nothing here");
            let naps = self.frontier.take_naps();
            if !naps.is_empty() {
                self.jobs.push_back(Job::Commit(Box::new(Batch { naps, ..Batch::default() })));
            }
            match step {
                Step::Fetch(lease) => {
                    self.leased(&lease);
                    self.out.push(Out::Page(lease));
                }
                Step::Robots(lease) => {
                    self.rested(&lease.url().host_key());
                    self.out.push(Out::Robots(lease));
                }
                Step::Wake(request) => self.jobs.push_back(Job::Wake(request)),
                Step::Control(lease) => self.out.push(Out::Control(lease)),
                Step::Load(load) => self.jobs.push_back(Job::Load(load)),
                Step::Resolve(request) => self.out.push(Out::Address(request)),
                other => return other,
            }
        }
    }

    fn leased(&mut self, lease: &Lease) {
        let place = (lease.origin.clone(), lease.pending.key);
        let (stand, not_before) = self.stands.get_mut(&place).expect("only what was admitted is leased");
        // A page is held no more when its host is suspected.
        assert!(matches!(stand, Stand::Waiting | Stand::Held), "{}: {stand:?}", lease.request().url);
        assert!(not_before.is_none_or(|moment| moment <= self.now), "{}", lease.request().url);
        *stand = Stand::Out;
        let host = lease.request().host();
        let of_host = self.frontier.hosts().find(|view| *view.key == host).unwrap();
        assert!(of_host.in_flight <= self.cap);
        self.rested(&host);
        self.judge_groups(&host);
    }

    /// Whoever is asked has had his rest, asleep or awake.
    fn rested(&self, host: &HostKey) {
        let rest = self.rests.get(host).copied().unwrap_or_default();
        assert!(rest <= self.now, "{host} is asked at {}, not before {rest}", self.now);
    }

    fn rest(&mut self, host: &HostKey, outcome: &Outcome) {
        let delay = if self.cap == 1 { Duration::from_millis(100) } else { Duration::ZERO };
        let until = outcome.ended + delay.max(outcome.told.unwrap_or_default());
        let rest = self.rests.entry(host.clone()).or_default();
        *rest = until.max(*rest);
    }

    /// How many are out together with a host, by what the settings say.
    fn judge_groups(&self, host: &HostKey) {
        let out = |near: &dyn Fn(&HostKey) -> bool| {
            let together = self.frontier.hosts().filter(|view| view.in_flight > 0 && near(view.key));
            together.fold((0, 0), |(hosts, requests), view| (hosts + 1, requests + view.in_flight))
        };
        let (_, of_domain) = out(&|_| true);
        let (names, of_address) = out(&|other| address(other) == address(host));
        match self.sharing.group {
            Grouping::Domain => assert!(of_domain <= self.cap),
            Grouping::Ip => assert!(address(host).is_none() || of_address <= self.cap),
            Grouping::Host => {}
        }
        if let (Some(most), Some(_)) = (self.sharing.address_concurrency, address(host)) {
            assert!(names == 1 || of_address <= most);
        }
    }

    fn settle(&mut self, out: Out, class: Class, told: Option<Duration>) {
        let outcome =
            Outcome { told: told.filter(|_| class == Class::Throttled), ..outcome(class, self.now) };
        let lease = match out {
            Out::Page(lease) => lease,
            Out::Address(request) => {
                let found = address(request.host());
                return self.frontier.resolved(self.now, request, found);
            }
            Out::Robots(lease) => {
                self.rest(&lease.url().host_key(), &outcome);
                let settled = self.frontier.settle_robots(self.now, lease, &outcome, &answer(404, ""));
                let (hosts, robots) = (vec![settled.host], settled.record.into_iter().collect());
                self.jobs.push_back(Job::Commit(Box::new(Batch { hosts, robots, ..Batch::default() })));
                return;
            }
            Out::Control(lease) => {
                self.rest(&lease.url().host_key(), &outcome);
                let settled = self.frontier.settle_control(self.now, lease, &outcome);
                let mut batch = Batch { hosts: vec![settled.host], ..Batch::default() };
                self.release(settled.released, &mut batch);
                self.jobs.push_back(Job::Commit(Box::new(batch)));
                return;
            }
        };
        self.rest(&lease.request().host(), &outcome);
        let settled = self.frontier.settle(self.now, lease, &outcome, None);
        let place = (settled.origin.clone(), settled.pending.key);
        let mut batch = Batch { hosts: vec![settled.host], ..Batch::default() };
        let stand = match settled.verdict {
            Verdict::Done | Verdict::Dropped(_) => {
                batch.done.push(place.clone());
                (Stand::Settled, None)
            }
            Verdict::RetryAt(moment) => {
                batch.retry.push((settled.origin, settled.pending));
                (Stand::Waiting, Some(moment))
            }
            Verdict::Held => (Stand::Held, None),
        };
        assert_eq!(self.stands.insert(place, stand).map(|(stand, _)| stand), Some(Stand::Out));
        self.release(settled.released, &mut batch);
        self.jobs.push_back(Job::Commit(Box::new(batch)));
    }

    fn release(&mut self, released: Vec<Drop>, batch: &mut Batch) {
        for drop in released {
            let place = (drop.origin, drop.pending.key);
            let before = self.stands.insert(place.clone(), (Stand::Settled, None));
            assert_eq!(before.map(|(stand, _)| stand), Some(Stand::Held));
            batch.done.push(place);
        }
    }

    fn write(&mut self) {
        match self.jobs.pop_front() {
            Some(Job::Commit(batch)) => {
                let fresh = self.store.commit(*batch).unwrap().fresh;
                self.replies.push_back(Reply::Fresh(fresh));
            }
            Some(Job::Load(load)) => {
                let found = self.store.pending(&load.origin, load.after, load.limit).unwrap();
                self.replies.push_back(Reply::Loaded(load, found));
            }
            Some(Job::Wake(request)) => {
                let hosts = request.hosts().iter();
                let found =
                    hosts.map(|host| self.store.wake(&host.key, &host.origins, request.head).unwrap());
                let found = found.collect();
                self.replies.push_back(Reply::Woken(request, found));
            }
            None => {}
        }
    }

    fn deliver(&mut self) {
        match self.replies.pop_front() {
            Some(Reply::Fresh(fresh)) => {
                for pending in fresh {
                    let place = (pending.request.origin(), pending.key);
                    self.stands.insert(place, (Stand::Waiting, pending.request.not_before));
                    self.frontier.admit(self.now, pending);
                }
            }
            Some(Reply::Loaded(load, found)) => self.frontier.load(self.now, load, found),
            Some(Reply::Woken(request, found)) => self.frontier.wake(self.now, request, found),
            None => {}
        }
    }

    /// Lets everything come to its end.
    fn finish(&mut self) {
        for _round in 0..100_000 {
            while !(self.jobs.is_empty() && self.replies.is_empty()) {
                self.write();
                self.deliver();
            }
            match self.pump() {
                Step::WaitUntil(moment) if self.out.is_empty() => {
                    assert!(moment > self.now);
                    self.now = moment;
                }
                Step::Finished if self.out.is_empty() && self.jobs.is_empty() => return self.check(),
                Step::OnlyParkedLeft { .. } | Step::LimitReached => {
                    panic!("nothing is parked or limited here")
                }
                _ => {}
            }
            for out in std::mem::take(&mut self.out) {
                self.settle(out, Class::Fetched, None);
            }
        }
        panic!("it does not end");
    }

    fn check(&mut self) {
        let held = self.frontier.release_held();
        self.release(held, &mut Batch::default());
        let lost: Vec<_> = self.stands.iter().filter(|(_, (stand, _))| *stand != Stand::Settled).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert_eq!(self.stands.len() as u32, self.offered);
        assert_eq!(self.frontier.hosts().map(|view| view.waiting).sum::<u64>(), 0);
        assert_eq!(self.frontier.sleeping(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_leased_until_it_is_settled_and_none_is_lost(
        head in 1..4_usize,
        awake in prop::sample::select(vec![0, 1, 2, 20_000]),
        cap in 1..4_u32,
        sharing in sharing(),
        ops in prop::collection::vec(ops(), 1..250),
    ) {
        let mut world = World::new(head, awake, cap, sharing);
        ops.iter().for_each(|op| world.act(op));
        world.finish();
    }
}

#[test]
fn more_waiting_moments_than_fit_in_memory_are_kept_all_the_same() {
    let mut world = World::new(1, 0, 1, settings().sharing);
    for number in 0..400_u16 {
        world.act(&Op::Offer {
            host: 0,
            port: 0,
            priority: (number % 3) as i8,
            wait: (number % 4 > 0).then_some(60_000 - number),
        });
        world.write();
        world.deliver();
        drop(world.pump());
    }
    world.finish();
}

#[test]
fn a_queue_longer_than_the_head_is_read_in_order() {
    let mut world = World::new(2, 20_000, 1, settings().sharing);
    for _number in 0..20 {
        world.act(&Op::Offer { host: 0, port: 0, priority: 0, wait: None });
    }
    world.finish();
    assert_eq!(world.stands.len(), 20);
}
