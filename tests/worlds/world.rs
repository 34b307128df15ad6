//! Worlds of many hosts and few connections, driven through the real frontier on simulated time.
//!
//! How long each page takes is drawn from its host and number alone, so that every order of the same pages is the same work and
//! the bound is exact. There is no engine and no store: queues are made up when the frontier asks for them.

use std::collections::BTreeMap;
use std::time::Duration;

use crawl::frontier::{Frontier, Lease, LoadRequest, RobotsLease, RobotsReply, Settings, Sharing, Step};
use crawl::politeness::{Class, Outcome, PaceRule, Policy};
use crawl::request::{Pending, QueueKey, Request};
use crawl::robots::{ProductToken, RobotsAnswer, RobotsRecord};
use crawl::time::Timestamp;
use crawl::url::{CanonicalUrl, Origin};

/// When every world begins.
const BEGIN: Timestamp = Timestamp::from_secs(1_790_000_000);
/// Mean seconds of a page, and how much they vary.
pub const MEAN: f64 = 0.39;
pub const SIGMA: f64 = 0.6;
/// Connections and hosts at full size.
const CONNECTIONS: f64 = 500.0;
const HOSTS: f64 = 100_000.0;
/// Pages of the host of rank 1 where sizes go by Zipf's law, and the most that a host has where they are capped.
const ZIPF: f64 = 130_000.0;
const CAP: f64 = 2_000.0;
/// The parts of all pages whose moment is told.
pub const PARTS: [f64; 3] = [0.5, 0.9, 0.99];

/// Hosts, their pages, and what asks for them.
#[derive(Clone)]
pub struct World {
    /// Requests in flight over all hosts.
    pub connections: usize,
    /// Between two requests to a host, in seconds.
    pub delay: f64,
    /// The pages of each host.
    pub sizes: Vec<u32>,
    /// How pages become known.
    pub found: Found,
}

/// How pages become known.
#[derive(Clone, Copy, PartialEq)]
pub enum Found {
    /// They are all in the queues at the beginning, as from a list of seeds or a sitemap.
    AtOnce,
    /// Each host begins with one, and each page brings so many more.
    OnPages(f64),
}

/// What no order of the pages can undercut, in seconds.
#[derive(Debug)]
pub struct Bound {
    /// All work, spread over all connections.
    pub work: f64,
    /// The host that takes longest when it never waits for a connection.
    pub chain: f64,
    /// The soonest moments for each of [`PARTS`].
    pub parts: [f64; 3],
}

/// How it went, in seconds.
#[derive(Debug)]
pub struct Ran {
    /// The end of the last page.
    pub makespan: f64,
    /// When each of [`PARTS`] was there.
    pub parts: [f64; 3],
    /// The end of the last page that is not of the first host.
    pub others: f64,
    /// The longest time that a host could be asked and was not.
    pub longest_wait: f64,
    /// Pages.
    pub pages: u64,
}

impl World {
    /// A world by its letter, `scale` times its full size: hosts and connections alike. `None` if there is none.
    pub fn named(name: &str, scale: f64) -> Option<Self> {
        let hosts = (HOSTS * scale) as u32;
        let zipf = |most: f64| (1..=hosts).map(|rank| pages_of(rank, scale, most)).collect::<Vec<_>>();
        let giant = |pages: f64, hosts: f64| {
            let others = std::iter::repeat_n(10, (hosts * scale) as usize);
            std::iter::once((pages * scale) as u32).chain(others).collect()
        };
        let (delay, sizes, found) = match name {
            "A" => (1.0, vec![20; hosts as usize], Found::AtOnce),
            "B" => (1.0, zipf(CAP), Found::AtOnce),
            "C" => (5.0, zipf(CAP), Found::AtOnce),
            "D" => (1.0, zipf(f64::INFINITY), Found::AtOnce),
            "E" => (1.0, giant(1e6, 1e5), Found::AtOnce),
            "F" => (1.0, zipf(CAP), Found::OnPages(6.5)),
            "F50" => (1.0, zipf(CAP), Found::OnPages(50.0)),
            "F1" => (1.0, zipf(CAP), Found::OnPages(1.0)),
            "G" => (1.0, giant(1e7, 1e6), Found::AtOnce),
            _ => return None,
        };
        let connections = (CONNECTIONS * scale) as usize;
        Some(Self { connections, delay, sizes: shuffled(sizes), found })
    }

    /// The same without its first host.
    pub fn without_the_giant(&self) -> Self {
        Self { sizes: self.sizes[1..].to_vec(), ..self.clone() }
    }

    /// What no order can undercut.
    pub fn bound(&self) -> Bound {
        let (mut work, mut chain) = (0.0, 0.0_f64);
        for (host, pages) in self.sizes.iter().enumerate() {
            let own: f64 = (0..*pages).map(|page| service(host, page).as_secs_f64()).sum();
            work += own;
            chain = chain.max(own + f64::from(pages - 1) * self.delay);
        }
        let total = self.pages() as f64;
        let connections = self.connections as f64;
        let by = |second: f64| {
            let paced = |pages: &u32| f64::from(*pages).min(1.0 + second / (self.delay + MEAN));
            self.sizes.iter().map(paced).sum::<f64>().min(second * connections * total / work)
        };
        let parts = PARTS.map(|part| soonest(&by, part * total, (work / connections).max(chain) * 2.0));
        Bound { work: work / connections, chain, parts }
    }

    /// All pages of all hosts.
    pub fn pages(&self) -> u64 {
        self.sizes.iter().map(|pages| u64::from(*pages)).sum()
    }

    /// Lets the frontier ask for everything.
    pub fn run(&self) -> Ran {
        let mut course = Course::new(self);
        while course.goes_on() {}
        course.ran
    }

    fn frontier(&self) -> Frontier {
        let agent = ProductToken::parse("simbot").expect("it is a token");
        let sharing = Sharing { address_concurrency: None, ..Sharing::default() };
        let settings = Settings {
            max_in_flight: self.connections,
            patience: Duration::from_hours(24),
            sharing,
            ..Settings::new(agent)
        };
        let delay = Duration::from_secs_f64(self.delay);
        let pace = PaceRule::Fixed;
        let policy = Policy { delay, jitter: 0.0, pace, max_pages: None, ..Policy::default() };
        Frontier::new(settings, Box::new(move |_| policy.clone()), 1, 0)
    }

    fn known_at_first(&self, host: usize) -> u32 {
        if self.found == Found::AtOnce { self.sizes[host] } else { 1 }
    }

    /// The pages of a host that are known when so many of them were read.
    fn known_after(&self, host: usize, read: u32) -> u32 {
        match self.found {
            Found::AtOnce => self.sizes[host],
            Found::OnPages(links) => {
                let met = (1.0 + links * f64::from(read)) as u32;
                met.max(read + 1).min(self.sizes[host])
            }
        }
    }
}

impl Bound {
    /// What the makespan cannot undercut.
    pub fn makespan(&self) -> f64 {
        self.work.max(self.chain)
    }
}

/// A world under way.
struct Course<'a> {
    world: &'a World,
    frontier: Frontier,
    now: Timestamp,
    out: BTreeMap<(Timestamp, u64), Out>,
    leases: u64,
    done: u64,
    read: Vec<u32>,
    known: Vec<u32>,
    /// When each host could be asked again.
    free: Vec<Timestamp>,
    ran: Ran,
}

/// What is in flight.
enum Out {
    Page(usize, Lease),
    Robots(RobotsLease),
}

impl<'a> Course<'a> {
    fn new(world: &'a World) -> Self {
        let mut frontier = world.frontier();
        let known: Vec<u32> = (0..world.sizes.len()).map(|host| world.known_at_first(host)).collect();
        for (host, count) in known.iter().enumerate() {
            let nothing_forbidden = RobotsRecord {
                fetched_at: BEGIN,
                expires_at: BEGIN + Duration::from_hours(24),
                answer: RobotsAnswer::AllowAll,
                copy: None,
            };
            frontier.restore_robots(origin(host), nothing_forbidden);
            frontier.restore_queue(BEGIN, &origin(host), u64::from(*count));
        }
        let ran =
            Ran { makespan: 0.0, parts: [f64::NAN; 3], others: 0.0, longest_wait: 0.0, pages: world.pages() };
        Self {
            world,
            frontier,
            now: BEGIN,
            out: BTreeMap::new(),
            leases: 0,
            done: 0,
            read: vec![0; known.len()],
            free: vec![BEGIN; known.len()],
            known,
            ran,
        }
    }

    /// One step; `false` at the end.
    fn goes_on(&mut self) -> bool {
        let until = match self.frontier.next(self.now) {
            Step::Fetch(lease) => {
                self.fetch(lease);
                return true;
            }
            Step::Robots(lease) => {
                let ends = self.now + Duration::from_secs_f64(MEAN);
                self.send(ends, Out::Robots(lease));
                return true;
            }
            Step::Load(load) => {
                self.load(load);
                return true;
            }
            Step::WaitUntil(moment) => moment,
            Step::AwaitFetches => Timestamp::MAX,
            Step::Finished => return false,
            other => panic!("nothing else happens in these worlds: {other:?}"),
        };
        let answer = self.out.first_key_value().map_or(Timestamp::MAX, |((ends, _), _)| *ends);
        self.now = until.min(answer).max(self.now);
        while let Some(first) = self.out.first_entry().filter(|first| first.key().0 <= self.now) {
            match first.remove() {
                Out::Page(host, lease) => self.settle(host, lease),
                Out::Robots(lease) => self.settle_robots(lease),
            }
        }
        true
    }

    fn send(&mut self, ends: Timestamp, out: Out) {
        self.leases += 1;
        self.out.insert((ends, self.leases), out);
    }

    fn fetch(&mut self, lease: Lease) {
        let host = number(lease.request().url.host());
        let page = u32::try_from(lease.pending().key.seq).expect("pages are few");
        let waited = self.now.since(self.free[host]).as_secs_f64();
        self.ran.longest_wait = self.ran.longest_wait.max(waited);
        self.send(self.now + service(host, page), Out::Page(host, lease));
    }

    fn load(&mut self, load: LoadRequest) {
        let host = number(load.origin.as_str().trim_start_matches("http://"));
        let first = load.after.map_or(0, |key| key.seq as u32 + 1);
        let last = self.known[host].min(first + load.limit as u32);
        let found = (first..last).map(|page| pending(host, page)).collect();
        self.frontier.load(self.now, load, found);
    }

    fn settle(&mut self, host: usize, lease: Lease) {
        let outcome = self.outcome(Class::Fetched, 200, lease.began());
        let _ = self.frontier.settle(self.now, lease, &outcome, None);
        self.read[host] += 1;
        self.free[host] = self.now + Duration::from_secs_f64(self.world.delay);
        let known = self.world.known_after(host, self.read[host]);
        for page in self.known[host]..known {
            self.frontier.admit(self.now, pending(host, page));
        }
        self.known[host] = known;
        self.note(host);
    }

    fn settle_robots(&mut self, lease: RobotsLease) {
        let outcome = self.outcome(Class::Gone, 404, lease.began());
        let none = RobotsReply::Answer {
            status: 404,
            body: Default::default(),
            location: None,
            cache_control: None,
            validators: Vec::new(),
        };
        let _ = self.frontier.settle_robots(self.now, lease, &outcome, &none);
    }

    fn outcome(&self, class: Class, status: u16, began: Timestamp) -> Outcome {
        Outcome {
            class,
            status: Some(status),
            told: None,
            announced: Default::default(),
            began,
            ended: self.now,
        }
    }

    fn note(&mut self, host: usize) {
        let second = self.now.since(BEGIN).as_secs_f64();
        self.done += 1;
        let total = self.ran.pages as f64;
        let ran = &mut self.ran;
        for (moment, part) in ran.parts.iter_mut().zip(PARTS) {
            if moment.is_nan() && self.done as f64 >= part * total {
                *moment = second;
            }
        }
        ran.makespan = second;
        if host > 0 {
            ran.others = second;
        }
    }
}

/// The pages of the host of this rank, by Zipf's law.
fn pages_of(rank: u32, scale: f64, most: f64) -> u32 {
    (ZIPF * scale / f64::from(rank)).min(most).max(1.0) as u32
}

/// The same sizes in no order; the first stays the first.
fn shuffled(mut sizes: Vec<u32>) -> Vec<u32> {
    let mut rng = fastrand::Rng::with_seed(7);
    rng.shuffle(&mut sizes[1..]);
    sizes
}

/// How long a page takes.
fn service(host: usize, page: u32) -> Duration {
    let mut rng = fastrand::Rng::with_seed(((host as u64) << 32) | u64::from(page));
    let (a, b) = (1.0 - rng.f64(), rng.f64());
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    let seconds = MEAN * (SIGMA * normal - SIGMA * SIGMA / 2.0).exp();
    Duration::from_millis((seconds * 1e3).round() as u64)
}

/// The soonest second by which so many pages can be there.
fn soonest(by: &dyn Fn(f64) -> f64, pages: f64, most: f64) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _halving in 0..50 {
        let middle = f64::midpoint(low, high);
        if by(middle) >= pages { high = middle } else { low = middle }
    }
    high
}

fn origin(host: usize) -> Origin {
    url(host, 0).origin()
}

fn url(host: usize, page: u32) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("http://h{host}.example/{page}")).expect("it is a URL")
}

fn pending(host: usize, page: u32) -> Pending {
    Pending::new(QueueKey::new(0, u64::from(page)), Request::get(url(host, page)))
}

/// The number in `h7.example`.
fn number(name: &str) -> usize {
    name[1..].split('.').next().and_then(|digits| digits.parse().ok()).expect("hosts are numbered")
}
