//! The work of a bench: links into the store, leases out of the frontier, settled pages back into the store.
//!
//! It is what the engine does, in the same order and in the same batches, but for the network and the page: every answer is a 200,
//! and [`RATE`] of them come in a second. Time is simulated: when nobody may be asked, it is the moment at which the next one may.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use super::meter::{self, RunQueue, Span};
use super::world::{Place, World};
use crate::cli::args::FrontierArgs;
use crate::cli::exit::Failure;
use crate::clock::Stopwatch;
use crate::engine::restore::{self, WithQueues};
use crate::frontier::{Frontier, Lease, Settings, Settlement, Step, WakeRequest};
use crate::history::{Occasion, PageRecord, Sight, judge};
use crate::politeness::{Class, Outcome, Policy};
use crate::request::Pending;
use crate::robots::{ProductToken, RobotsAnswer, RobotsRecord};
use crate::sink::Position;
use crate::store::disk::{DiskOptions, DiskStore};
use crate::store::seen::SeenView;
use crate::store::{Batch, Memory, PageChange, RunRecord, Store, StoreError};
use crate::time::Timestamp;

/// Settled pages of a commit.
const GROUP: usize = 64;
/// Answers in a second, as a fast machine gets them.
const RATE: u32 = 2_000;
/// Links of a commit while the queues are filled.
const LINKS: u64 = 1_000;
/// As the engine makes commits survive a power cut.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// When the crawl begins: a day in 2026.
const START: Timestamp = Timestamp::from_secs(1_795_000_000);
/// The round that is crawled.
const ROUND: u32 = 1;

/// What each kind of call has cost.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Commits of links alone.
    pub(super) add: Span,
    /// Commits of settled pages with their links.
    pub(super) commit: Span,
    /// Looking up what is known of the pages of a commit.
    pub(super) look_up: Span,
    /// Links into the frontier.
    pub(super) admit: Span,
    /// Asking for the next request, until there is one.
    pub(super) next: Span,
    /// Reading a part of a queue.
    pub(super) load: Span,
    /// Looking up what is known of hosts that sleep.
    pub(super) wake: Span,
    /// Writing down what is known of hosts that go to sleep.
    pub(super) naps: Span,
    /// Handing an answer over.
    pub(super) settle: Span,
    /// Leaving out the links that are known.
    pub(super) known: Span,
    /// Bringing to the disk what was committed.
    pub(super) sync: Span,
    /// The bench's own part: links that a page would have given.
    pub(super) own: Span,
}

/// A frontier, its store, and the world that they know.
pub(super) struct Work {
    pub(super) store: DiskStore,
    pub(super) frontier: Frontier,
    pub(super) world: World,
    pub(super) spans: Spans,
    /// Pages that are settled and committed.
    pub(super) done: u64,
    /// The most that the database's journals took.
    pub(super) journals: u64,
    /// A page that the last commit has settled, and a link that it has brought.
    pub(super) samples: [Option<Place>; 2],
    pub(super) links: u32,
    /// What a worker asks before it hands a link on.
    seen: SeenView,
    now: Timestamp,
    run: RunRecord,
    queue: RunQueue,
    synced: Stopwatch,
}

impl Work {
    /// Begins a state in `dir`.
    pub(super) fn begin(dir: &Path, args: &FrontierArgs) -> Result<Self, StoreError> {
        let mut store = DiskStore::open(dir, DiskOptions::default())?;
        let run = RunRecord { round: ROUND, started: START, plan: plan(), ..RunRecord::default() };
        if store.recover()?.run.is_none() {
            store.begin_round(run.clone(), Memory::Keeps)?;
        }
        let seen = store.seen().expect("a store on disk lets others look");
        Ok(Self {
            store,
            seen,
            frontier: frontier(),
            world: World::new(args.hosts, args.urls, args.seed),
            spans: Spans::default(),
            done: 0,
            journals: 0,
            samples: [None; 2],
            links: args.links,
            now: START,
            run,
            queue: RunQueue::of_this_process(),
            synced: Stopwatch::start(),
        })
    }

    /// Fills the queues with links until `urls` are known.
    pub(super) fn fill(&mut self, urls: u64) -> Result<(), StoreError> {
        while self.world.known() < urls {
            let count = LINKS.min(urls - self.world.known());
            let world = &mut self.world;
            let places: Vec<_> = self.spans.own.compute(|| (0..count).map(|_| world.discover()).collect());
            let batch = self.spans.own.compute(|| Batch {
                links: places.iter().map(|place| place.request()).collect(),
                robots: places.iter().filter(|place| place.page == 0).map(robots).collect(),
                ..Batch::default()
            });
            // A host that sleeps finds its record in the store.
            if self.frontier.sleeping() == 0 {
                for (origin, record) in &batch.robots {
                    self.frontier.restore_robots(origin.clone(), record.clone());
                }
            }
            let store = &mut self.store;
            let committed = self.spans.add.wait(&mut self.queue, || store.commit(batch))?;
            self.samples = [None, places.last().copied()];
            self.admit(committed.fresh);
            self.sync_now_and_then()?;
        }
        Ok(())
    }

    /// Leases, settles and commits a group of pages.
    pub(super) fn step(&mut self) -> Result<(), Failure> {
        let leases = self.leases()?;
        let mut batch = Batch::default();
        let store = &self.store;
        let look_up =
            || leases.iter().map(|lease| store.page_at_first(lease.request().fingerprint())).collect();
        let known: Result<Vec<_>, StoreError> = self.spans.look_up.wait(&mut self.queue, look_up);
        for (lease, known) in leases.into_iter().zip(known?) {
            self.settle(lease, known, &mut batch);
        }
        let pages = batch.done.len() as u64;
        self.now = self.now + Duration::from_secs(1) * pages as u32 / RATE;
        *self.run.totals.entry("pages".to_owned()).or_default() += pages;
        *self.run.totals.entry("requests".to_owned()).or_default() += pages;
        batch.run = Some(self.run.clone());
        let written = Position(self.done * 400);
        batch.sinks = vec![("pages.jsonl".to_owned(), written), ("change-list".to_owned(), written)];
        let store = &mut self.store;
        let committed = self.spans.commit.wait(&mut self.queue, || store.commit(batch))?;
        self.done += pages;
        self.samples[1] = committed.fresh.last().and_then(|pending| Place::of(&pending.request.url));
        self.admit(committed.fresh);
        Ok(self.sync_now_and_then()?)
    }

    /// As many leases as go into a commit, or as there are at this moment.
    fn leases(&mut self) -> Result<Vec<Lease>, Failure> {
        let mut leases = Vec::with_capacity(GROUP);
        while leases.len() < GROUP {
            let (frontier, now) = (&mut self.frontier, self.now);
            let step = self.spans.next.compute(|| frontier.next(now));
            self.write_naps()?;
            match step {
                Step::Wake(request) => self.wake(request)?,
                Step::Fetch(lease) => leases.push(lease),
                Step::Load(load) => {
                    let store = &mut self.store;
                    let ask = || store.pending(&load.origin, load.after, load.limit);
                    let found = self.spans.load.wait(&mut self.queue, ask)?;
                    self.frontier.load(now, load, found);
                }
                Step::Resolve(request) => {
                    let address = address(request.host().as_str());
                    self.frontier.resolved(now, request, Some(address));
                }
                Step::AwaitFetches if !leases.is_empty() => break,
                Step::WaitUntil(moment) | Step::OnlyParkedLeft { until: moment } => {
                    self.now = moment.max(now);
                }
                step => {
                    return Err(Failure::Usage(format!(
                        "nothing is left to lease ({step:?}): use fewer --pages"
                    )));
                }
            }
        }
        Ok(leases)
    }

    /// What is known of hosts that went to sleep, before anybody asks for it.
    fn write_naps(&mut self) -> Result<(), StoreError> {
        let naps = self.frontier.take_naps();
        if naps.is_empty() {
            return Ok(());
        }
        let store = &mut self.store;
        let batch = Batch { naps, ..Batch::default() };
        self.spans.naps.wait(&mut self.queue, || store.commit(batch)).map(drop)
    }

    fn wake(&mut self, request: WakeRequest) -> Result<(), StoreError> {
        let store = &mut self.store;
        let mut ask = || {
            let hosts = request.hosts().iter();
            hosts.map(|host| store.wake(&host.key, &host.origins, request.head)).collect::<Result<_, _>>()
        };
        let found = self.spans.wake.wait(&mut self.queue, &mut ask)?;
        let (frontier, now) = (&mut self.frontier, self.now);
        self.spans.next.compute(|| frontier.wake(now, request, found));
        Ok(())
    }

    /// A page came: its links, what becomes of it, and what is known of it from now on.
    fn settle(&mut self, lease: Lease, before: Option<PageRecord>, batch: &mut Batch) {
        let place = Place::of(&lease.request().url).expect("it is a URL of this world");
        let (world, count) = (&mut self.world, self.links);
        let mut links: Vec<_> =
            self.spans.own.compute(|| world.links(place, count).into_iter().map(Place::request).collect());
        let seen = &self.seen;
        self.spans.known.compute(|| {
            seen.leave_out(&mut links, |link| Some(link.fingerprint()));
            batch.links.append(&mut links);
        });
        let outcome = Outcome {
            class: Class::Fetched,
            status: Some(200),
            told: None,
            announced: Default::default(),
            began: lease.began(),
            ended: self.now,
        };
        let (frontier, now) = (&mut self.frontier, self.now);
        let settled = self.spans.settle.compute(|| frontier.settle(now, lease, &outcome, None));
        let Settlement { origin, pending, host, .. } = settled;
        let page = pending.request.fingerprint();
        let sight = Sight::Page { digest: page.get() ^ 1, items: page.get() ^ 2, rules: 7 };
        let occasion = Occasion { request: &pending.request, at: now, round: ROUND };
        let record = judge(before.clone(), sight, occasion).record;
        batch.pages.push(PageChange { page, before, now: record });
        batch.done.push((origin, pending.key));
        batch.hosts.push(host);
        self.samples[0] = Some(place);
    }

    fn admit(&mut self, fresh: Vec<Pending>) {
        let (frontier, now) = (&mut self.frontier, self.now);
        let admitted = fresh.len() as u64;
        self.spans.admit.compute(|| fresh.into_iter().for_each(|pending| frontier.admit(now, pending)));
        self.spans.admit.calls += admitted.saturating_sub(1);
    }

    /// CPU time of what the bench itself has computed and measured.
    pub(super) fn own_cpu(&self) -> Duration {
        self.spans.own.cpu + self.queue.cpu
    }

    fn sync_now_and_then(&mut self) -> Result<(), StoreError> {
        if self.synced.elapsed() < SYNC_EVERY {
            return Ok(());
        }
        self.sync()
    }

    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.synced = Stopwatch::start();
        self.journals = self.journals.max(self.store.journal_bytes()?);
        let store = &mut self.store;
        self.spans.sync.wait(&mut self.queue, || store.sync())
    }
}

/// A frontier with everything that a state in `dir` holds, as a run that goes on has it.
pub(super) fn reopen(dir: &Path) -> Result<(DiskStore, Frontier, u64), StoreError> {
    let mut store = DiskStore::open(dir, DiskOptions::default())?;
    store.recover()?;
    let now = START + Duration::from_hours(24 * 365);
    let mut frontier = frontier();
    frontier.resume(now);
    restore::hosts(&store, &mut frontier, &mut |_, _| {}, WithQueues::Yes, now)?;
    let waiting = store.all_waiting();
    Ok((store, frontier, waiting))
}

/// What opening has cost: CPU of all threads, and time on the wall.
pub(super) fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (cpu, watch) = (meter::process_cpu(), Stopwatch::start());
    let answer = call();
    (answer, meter::process_cpu().saturating_sub(cpu), watch.elapsed())
}

fn frontier() -> Frontier {
    let agent = ProductToken::parse("bench").expect("a word is a product token");
    Frontier::new(Settings::new(agent), Box::new(|_| Policy::default()), ROUND, 0)
}

/// Everything is allowed, and stays so.
fn robots(home: &Place) -> (crate::url::Origin, RobotsRecord) {
    let record = RobotsRecord {
        fetched_at: START,
        expires_at: START + Duration::from_hours(24 * 365),
        answer: RobotsAnswer::AllowAll,
        copy: None,
    };
    (home.request().origin(), record)
}

/// Each host has its own.
fn address(host: &str) -> IpAddr {
    let number = host.rsplit('-').next().and_then(|end| end.split('.').next()?.parse().ok()).unwrap_or(0);
    IpAddr::V4(Ipv4Addr::from_bits(0x1000_0000 + number))
}

/// As many effective values as a crawler file has.
fn plan() -> BTreeMap<String, String> {
    (0..90).map(|key| (format!("section.some-key-{key}"), format!("a value of {key}"))).collect()
}
