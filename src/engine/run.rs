//! The loop itself: dispatch what may go out, then wait for the next thing to happen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use super::event::Event;
use super::plant;
use super::report::{End, HostReport, Report};
use super::sitemap::{Order, Quota, Reader};
use super::start::{self, Beginning};
use super::stop::Stop;
use super::tell::Voice;
use super::totals::Totals;
use super::worker::{Context, Execution, PageDone};
use super::writer::{Change, Job, Reply, Writer, WriterDoor};
use super::{Crawl, CrawlError};
use crate::clock::Clock;
use crate::fetch::Fetcher;
use crate::frontier::{ControlLease, Drop, Frontier, Lease, RobotsLease, RobotsReply, Step};
use crate::item::Harvest;
use crate::politeness::{Class, Outcome, Verdict};
use crate::request::{Kind, Request};
use crate::response::{Failure, FailureClass, FailureKind};
use crate::store::{FailedRecord, RunRecord};
use crate::time::Timestamp;

/// How long requests in flight are waited for after a stop.
const DRAIN: Duration = Duration::from_secs(8);

/// How far a crawl is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Counts of this run alone.
    pub run: Totals,
    /// Requests in flight.
    pub in_flight: usize,
    /// Hosts that wait for their time.
    pub hosts_waiting: usize,
    /// When the next request may go out, if none may now.
    pub next_wake: Option<Timestamp>,
}

/// What a worker brought back.
enum Done {
    Page(Box<PageDone>),
    Robots(Outcome, RobotsReply),
    Control(Outcome),
}

/// What a worker is out for.
enum Out {
    Page(Lease),
    Robots(RobotsLease),
    Control(ControlLease),
}

/// What the loop waits for.
enum Wait {
    Until(Timestamp),
    Answer,
    End(End),
}

struct Loop<F> {
    context: Arc<Context<F>>,
    frontier: Frontier,
    workers: JoinSet<Done>,
    out: HashMap<Id, Out>,
    writer: WriterDoor,
    uncommitted: usize,
    clock: Clock,
    voice: Voice,
    run: Totals,
    quota: Quota,
}

impl<F: Fetcher> Crawl<F> {
    /// Runs the crawl to its end.
    ///
    /// # Errors
    /// [`CrawlError`] if state or output cannot be read or written. What a server does is never an error.
    pub async fn run(mut self) -> Result<Report, CrawlError> {
        let started = self.clock.now();
        let Beginning { past, run } =
            start::begin(&mut *self.store, &mut self.sinks, self.start, self.plan, started)?;
        if self.start == super::Start::Fresh {
            self.cache.clear();
        }
        let pages = run.totals.get("pages").copied().unwrap_or(0);
        let order = if self.settings.max_pages.is_some() { Order::AsNeeded } else { Order::First };
        let mut frontier = Frontier::new(self.settings, self.policies, run.round, pages);
        past.restore(&mut frontier, started);
        let round = run.round;
        let writer = Writer::new(self.store, self.sinks, Arc::clone(&self.cache), run, self.clock.clone());
        let context = Context {
            fetcher: self.fetcher,
            spiders: self.spiders,
            scope: self.scope,
            sitemaps: Reader { rules: self.sitemaps.clone(), order },
            canon: self.canon,
            limits: self.limits,
            host_headers: self.host_headers,
            cache: self.cache,
            rules: self.rules,
            clock: self.clock.clone(),
            execution: self.execution,
        };
        let engine = Loop {
            context: Arc::new(context),
            frontier,
            workers: JoinSet::new(),
            out: HashMap::new(),
            writer: match self.execution {
                Execution::Threads => WriterDoor::thread(writer),
                Execution::Inline => WriterDoor::inline(writer),
            },
            uncommitted: 0,
            voice: Voice { events: self.events, progress: self.progress, clock: self.clock.clone() },
            clock: self.clock,
            run: Totals::default(),
            quota: Quota::new(self.sitemaps.max_per_host),
        };
        engine.run(self.stop.subscribe(), started, round).await
    }
}

impl<F: Fetcher> Loop<F> {
    async fn run(
        mut self,
        mut stop: watch::Receiver<Stop>,
        started: Timestamp,
        round: u32,
    ) -> Result<Report, CrawlError> {
        match self.drive(&mut stop).await {
            Ok(end) => self.finish(end, started, round).await,
            Err(error) => {
                self.writer.close().await;
                Err(error)
            }
        }
    }

    /// Goes round until the crawl ends.
    async fn drive(&mut self, stop: &mut watch::Receiver<Stop>) -> Result<End, CrawlError> {
        self.plant_seeds().await;
        let mut deadline = None;
        loop {
            let wait = match deadline {
                Some(_) if self.out.is_empty() && self.uncommitted == 0 => return Ok(End::Interrupted),
                Some(deadline) => Wait::Until(deadline),
                None => self.dispatch().await,
            };
            let wait = match wait {
                Wait::End(end) if self.uncommitted == 0 => return Ok(end),
                Wait::End(_) => Wait::Answer,
                wait => wait,
            };
            self.voice.progress(&self.run, &self.frontier);
            let until = if let Wait::Until(moment) = wait { moment } else { Timestamp::MAX };
            tokio::select! {
                biased;
                Ok(()) = stop.changed(), if deadline.is_none() => deadline = Some(self.clock.now() + DRAIN),
                reply = self.writer.reply() => self.written(reply.ok_or(CrawlError::WriterGone)?)?,
                Some(done) = self.workers.join_next_with_id() => self.came_back(done).await,
                () = self.clock.sleep_until(until) => self.drop_what_is_late(deadline),
            }
        }
    }

    /// After a stop, what has not come back by the deadline stays in its queue.
    fn drop_what_is_late(&mut self, deadline: Option<Timestamp>) {
        if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
            self.workers.abort_all();
            self.out.clear();
        }
    }

    async fn plant_seeds(&mut self) {
        self.commit(plant::seeds(&self.context)).await;
    }

    /// Lets everything go out that may.
    async fn dispatch(&mut self) -> Wait {
        loop {
            let step = self.frontier.next(self.clock.now());
            self.commit_drops().await;
            self.plant_sitemaps().await;
            match step {
                Step::Fetch(lease) => self.fetch(lease),
                Step::Robots(lease) => self.ask_robots(lease),
                Step::Control(lease) => self.ask_control(lease),
                Step::Load(load) => {
                    self.uncommitted += 1;
                    self.writer.send(Job::Load(load)).await;
                }
                Step::WaitUntil(moment) => return Wait::Until(moment),
                Step::AwaitFetches => return Wait::Answer,
                Step::OnlyParkedLeft { until } => return Wait::End(End::Parked { until }),
                Step::LimitReached => return Wait::End(End::Limit),
                Step::Finished => return Wait::End(End::Complete),
            }
        }
    }

    fn fetch(&mut self, lease: Lease) {
        let context = Arc::clone(&self.context);
        let request = lease.request().clone();
        tracing::debug!(host = %request.host(), url = %request.url, attempt = lease.pending().tries + 1, "fetch");
        let task = self.workers.spawn(async move { Done::Page(Box::new(context.page(request).await)) });
        self.out.insert(task.id(), Out::Page(lease));
    }

    fn ask_robots(&mut self, lease: RobotsLease) {
        let context = Arc::clone(&self.context);
        let (request, validators) = (Request::get(lease.url().clone()), lease.validators().to_vec());
        let task = self.workers.spawn(async move {
            let (outcome, reply) = context.robots(request, validators).await;
            Done::Robots(outcome, reply)
        });
        self.out.insert(task.id(), Out::Robots(lease));
    }

    fn ask_control(&mut self, lease: ControlLease) {
        let context = Arc::clone(&self.context);
        let (url, method) = (lease.url().clone(), lease.method().clone());
        let task = self.workers.spawn(async move { Done::Control(context.control(url, method).await) });
        self.out.insert(task.id(), Out::Control(lease));
    }

    async fn came_back(&mut self, done: Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        match (self.out.remove(&id), done) {
            (Some(Out::Page(lease)), Some(Done::Page(page))) => self.settle(lease, *page).await,
            (Some(Out::Robots(lease)), Some(Done::Robots(outcome, reply))) => {
                self.settle_robots(lease, outcome, reply).await;
            }
            (Some(Out::Control(lease)), Some(Done::Control(outcome))) => {
                self.settle_control(lease, outcome).await
            }
            // The fetcher panicked. Its request is settled like one that could not be sent.
            (Some(Out::Page(lease)), _) => {
                let page = PageDone::lost(lease.began(), self.clock.now_up());
                self.settle(lease, page).await;
            }
            (Some(Out::Robots(lease)), _) => {
                let outcome = Outcome::failed(FailureKind::Protocol, lease.began(), self.clock.now_up());
                self.settle_robots(lease, outcome, RobotsReply::None(FailureKind::Protocol)).await;
            }
            (Some(Out::Control(lease)), _) => {
                let outcome = Outcome::failed(FailureKind::Protocol, lease.began(), self.clock.now_up());
                self.settle_control(lease, outcome).await;
            }
            (None, _) => {}
        }
    }

    async fn settle(&mut self, lease: Lease, page: PageDone) {
        let settled = self.frontier.settle(self.clock.now(), lease, &page.outcome, page.refusal.as_ref());
        self.voice.page(&settled.pending.request, &page);
        self.voice.host(&settled.host, settled.reaction);
        let request = &settled.pending.request;
        let mut change = Change { host: Some(settled.host.clone()), ..Change::default() };
        count_answer(&mut change.totals, request.kind, &page);
        match settled.verdict {
            Verdict::Done => {
                change.done.push((settled.origin.clone(), settled.pending.key));
                self.reap(&mut change, request, page);
            }
            Verdict::RetryAt(_) => {
                change.totals.retries += 1;
                change.retry = Some((settled.origin.clone(), settled.pending.clone()));
            }
            Verdict::Held => {}
            Verdict::Dropped(mut failure) => {
                if let Some(detail) = page.detail {
                    failure.reason = detail;
                }
                let drop = Drop { origin: settled.origin.clone(), pending: settled.pending.clone(), failure };
                self.give_up(&mut change, drop);
            }
        }
        for drop in settled.released {
            self.give_up(&mut change, drop);
        }
        self.commit(change).await;
    }

    /// Takes over what a page gave.
    fn reap(&self, change: &mut Change, request: &Request, page: PageDone) {
        let harvest = page.harvest;
        change.totals.items += harvest.items.len() as u64;
        change.totals.problems += harvest.problems.len() as u64;
        change.totals.out_of_scope += harvest.out_of_scope;
        change.totals.unchanged += u64::from(harvest.unchanged && request.kind.is_page());
        for problem in &harvest.problems {
            tracing::warn!(url = %request.url, problem, "page has a problem");
        }
        let failure = match (harvest.error, page.dead_end) {
            (Some(reason), _) => Some((FailureClass::Parse, reason)),
            (None, Some(reason)) => Some((FailureClass::Redirect, reason)),
            (None, None) => None,
        };
        if let Some((class, reason)) = failure {
            let failure = Failure { class, status: page.outcome.status, reason };
            self.note_failure(change, request, &failure);
        }
        change.items.extend(harvest.items);
        change.links.extend(harvest.links);
        change.cache = page.cache;
    }

    fn give_up(&self, change: &mut Change, drop: Drop) {
        let Drop { origin, pending, failure } = drop;
        change.done.push((origin, pending.key));
        self.note_failure(change, &pending.request, &failure);
    }

    /// Counts a failure, tells the spider and keeps what it makes of it.
    fn note_failure(&self, change: &mut Change, request: &Request, failure: &Failure) {
        let totals = &mut change.totals;
        *match failure.class {
            FailureClass::Robots => &mut totals.disallowed,
            FailureClass::Gone => &mut totals.gone,
            FailureClass::Forbidden => &mut totals.forbidden,
            FailureClass::Redirect => &mut totals.dead_ends,
            FailureClass::Parse => &mut totals.parse_errors,
            _ => &mut totals.failed,
        } += 1;
        self.voice.given_up(request, failure);
        let mut harvest = Harvest::new();
        let spider = &self.context.spiders[usize::from(request.spider)];
        let told = std::panic::AssertUnwindSafe(|| spider.failed(request, failure, &mut harvest));
        if std::panic::catch_unwind(told).is_err() {
            tracing::error!(url = %request.url, spider = spider.name(), "the spider panicked in `failed`");
            harvest = Harvest::new();
        }
        let gained = self.context.judged(request, harvest);
        change.totals.items += gained.items.len() as u64;
        change.items.extend(gained.items);
        change.links.extend(gained.links);
        if failure.class.is_loss() {
            self.list_failure(change, request, failure);
        }
    }

    /// Puts a request on the failed list, to be made again by whoever reads it.
    fn list_failure(&self, change: &mut Change, request: &Request, failure: &Failure) {
        change.failed.push(FailedRecord {
            request: request.clone(),
            at: self.clock.now(),
            class: failure.class.as_str().to_owned(),
            status: failure.status,
            reason: failure.reason.clone(),
        });
    }

    async fn settle_robots(&mut self, lease: RobotsLease, outcome: Outcome, reply: RobotsReply) {
        let settled = self.frontier.settle_robots(self.clock.now(), lease, &outcome, &reply);
        tracing::debug!(origin = %settled.origin, status = outcome.status, "robots.txt");
        self.voice.host(&settled.host, settled.reaction);
        self.voice.event(Event::RobotsAsked { origin: settled.origin, status: outcome.status });
        let mut change = Change { host: Some(settled.host), robots: settled.record, ..Change::default() };
        change.totals.requests = 1;
        change.totals.robots = 1;
        change.totals.throttled = u64::from(outcome.class == Class::Throttled);
        self.commit(change).await;
    }

    async fn settle_control(&mut self, lease: ControlLease, outcome: Outcome) {
        tracing::debug!(url = %lease.url(), method = %lease.method(), status = outcome.status, "control");
        let settled = self.frontier.settle_control(self.clock.now(), lease, &outcome);
        self.voice.host(&settled.host, settled.reaction);
        let mut change = Change { host: Some(settled.host), ..Change::default() };
        change.totals.requests = 1;
        change.totals.controls = 1;
        change.totals.throttled = u64::from(outcome.class == Class::Throttled);
        for drop in settled.released {
            self.give_up(&mut change, drop);
        }
        self.commit(change).await;
    }

    async fn commit_drops(&mut self) {
        let drops = self.frontier.take_dropped();
        if drops.is_empty() {
            return;
        }
        let mut change = Change::default();
        for drop in drops {
            self.give_up(&mut change, drop);
        }
        self.commit(change).await;
    }

    /// Takes in the sitemaps of every robots.txt that is new to this run.
    async fn plant_sitemaps(&mut self) {
        let opened = self.frontier.take_opened();
        if !opened.is_empty() {
            self.commit(plant::sitemaps(&self.context, opened)).await;
        }
    }

    async fn commit(&mut self, mut change: Change) {
        self.quota.trim(&mut change);
        self.run.add(&change.totals);
        self.uncommitted += 1;
        self.writer.send(Job::Commit(Box::new(change))).await;
    }

    fn written(&mut self, reply: Reply) -> Result<(), CrawlError> {
        let now = self.clock.now();
        match reply {
            Reply::Committed { fresh, changes } => {
                self.uncommitted -= changes;
                fresh.into_iter().for_each(|pending| self.frontier.admit(now, pending));
            }
            Reply::Loaded(load, found) => {
                self.uncommitted -= 1;
                self.frontier.load(now, load, found);
            }
            Reply::Finished(_) => {}
            Reply::Fatal(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn finish(mut self, end: End, started: Timestamp, round: u32) -> Result<Report, CrawlError> {
        if end != End::Interrupted {
            let mut change = Change::default();
            for drop in self.frontier.release_held() {
                // Nothing has shown since that the host is well: it may be the host that shuts us out, not the page.
                change.totals.failed += 1;
                self.list_failure(&mut change, &drop.pending.request, &drop.failure);
                self.give_up(&mut change, drop);
            }
            self.commit(change).await;
        }
        let hosts: Vec<_> = self.frontier.hosts().map(|view| HostReport::of(&view, round)).collect();
        let nothing_left = hosts.iter().all(|host| host.waiting == 0);
        let completed = (end == End::Complete && nothing_left).then(|| self.clock.now());
        self.writer.send(Job::Finish { completed }).await;
        let record = self.last_word().await?;
        self.writer.close().await;
        let took = self.clock.now().since(started);
        Ok(Report { end, round, started, took, totals: Totals::from_map(&record.totals), hosts })
    }

    /// Waits for the writer's last answer.
    async fn last_word(&mut self) -> Result<RunRecord, CrawlError> {
        loop {
            match self.writer.reply().await {
                Some(Reply::Finished(record)) => return Ok(record),
                Some(Reply::Fatal(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err(CrawlError::WriterGone),
            }
        }
    }
}

/// What an answer adds to the counts, whatever becomes of its URL.
fn count_answer(totals: &mut Totals, kind: Kind, page: &PageDone) {
    totals.requests = 1;
    totals.bytes = page.bytes;
    match page.outcome.class {
        Class::Fetched | Class::NotModified if kind.is_page() => totals.pages = 1,
        Class::Fetched | Class::NotModified => totals.sitemaps = 1,
        Class::Redirected => totals.redirects = 1,
        Class::Throttled => totals.throttled = 1,
        _ => {}
    }
}
