//! The loop itself: dispatch what may go out, then wait for the next thing to happen.

mod again;
mod login;
mod open;
mod out;
mod settle;
mod stored;
mod traps;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use again::Again;
use login::Gate;
use out::{Done, Out};

use super::CrawlError;
use super::event::Event;
use super::expect::Expectations;
use super::plant;
use super::recorder::Recorder;
use super::report::{End, HostReport, Report, Unlisted};
use super::sitemap::Quota;
use super::stages::limit::limit;
use super::stages::load::{Sight, Watch};
use super::stop::Stop;
use super::survey::{Awake, Survey};
use super::tell::Voice;
use super::totals::Totals;
use super::worker::{Context, Execution};
use super::writer::{Change, Job, Reply, WriterDoor};
use crate::clock::Clock;
use crate::fetch::Fetcher;
use crate::frontier::{Frontier, Step};
use crate::stage::tally::ItemTally;
use crate::store::RunRecord;
use crate::time::Timestamp;

/// How long requests in flight are waited for after a stop.
const DRAIN: Duration = Duration::from_secs(8);

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
    recorder: Recorder,
    uncommitted: usize,
    clock: Clock,
    voice: Voice,
    run: Totals,
    round: u32,
    gate: Gate,
    /// Whether the spiders' requests beyond their seeds are still to be planted.
    has_more: bool,
    again: Again,
    quota: Quota,
    /// The first problem that a page had.
    problem: Option<String>,
    expect: Expectations,
    watch: Watch,
}

/// What the loop was woken by.
enum Woken {
    Stop,
    Reply(Option<Reply>),
    Back(Result<(Id, Done), JoinError>),
    Time,
}

impl<F: Fetcher> Loop<F> {
    async fn run(
        mut self,
        mut stop: watch::Receiver<Stop>,
        started: Timestamp,
        round: u32,
    ) -> Result<Report, CrawlError> {
        let driven = self.drive(&mut stop).await;
        match driven.and_then(|end| Ok(self.recorder.run_ends(self.clock.now(), end)?)) {
            Ok(end) => self.finish(end, started, round).await,
            Err(error) => {
                self.writer.close().await;
                Err(error)
            }
        }
    }

    /// Goes round until the crawl ends.
    async fn drive(&mut self, stop: &mut watch::Receiver<Stop>) -> Result<End, CrawlError> {
        self.begin().await;
        self.plan_known().await;
        let mut deadline = None;
        loop {
            let wait = match deadline {
                Some(_) if self.out.is_empty() && self.uncommitted == 0 => return Ok(End::Interrupted),
                Some(deadline) => Wait::Until(deadline),
                None => {
                    if self.has_more && self.is_open() {
                        self.has_more = false;
                        self.plant_more(stop).await?;
                    }
                    self.next_wait().await?
                }
            };
            if let Wait::End(end) = wait {
                return Ok(end);
            }
            self.voice.progress(&self.run, &self.frontier);
            if self.take_all_that_came(deadline).await? {
                continue;
            }
            self.writer.hand_over().await;
            let until = if let Wait::Until(moment) = wait { moment } else { Timestamp::MAX };
            self.watch.sleeps(self.clock.elapsed(), self.sight(until));
            let woken = tokio::select! {
                biased;
                Ok(()) = stop.changed(), if deadline.is_none() => Woken::Stop,
                reply = self.writer.reply() => Woken::Reply(reply),
                Some(done) = self.workers.join_next_with_id() => Woken::Back(done),
                () = self.clock.sleep_until(until) => Woken::Time,
            };
            self.watch.wakes(self.clock.elapsed());
            match woken {
                Woken::Stop => deadline = Some(self.clock.now() + DRAIN),
                Woken::Reply(reply) => self.written(reply.ok_or(CrawlError::WriterGone)?).await?,
                Woken::Back(done) => self.came_back(done).await?,
                Woken::Time => self.drop_what_is_late(deadline),
            }
        }
    }

    /// What stands in the way of further requests, if nothing goes out before `until`.
    fn sight(&self, until: Timestamp) -> Sight {
        let soonest = self.frontier.next_wake().filter(|_| until < Timestamp::MAX);
        Sight {
            waiting: self.frontier.hosts_waiting(),
            in_line: self.frontier.hosts_in_line(),
            in_trouble: self.voice.hosts_in_trouble(),
            is_full: self.frontier.is_full(),
            is_due: soonest.is_some_and(|soonest| soonest < until && soonest <= self.clock.now()),
        }
    }

    /// Settles all that is back by now, to be written in one go. `false` if nothing is.
    async fn take_all_that_came(&mut self, deadline: Option<Timestamp>) -> Result<bool, CrawlError> {
        if self.context.execution == Execution::Inline || deadline.is_some() {
            return Ok(false);
        }
        let mut any = false;
        while let Some(done) = self.workers.try_join_next_with_id() {
            any = true;
            self.came_back(done).await?;
        }
        Ok(any)
    }

    /// Lets everything go out that may, and tells what to wait for then.
    async fn next_wait(&mut self) -> Result<Wait, CrawlError> {
        if let Some(wait) = self.end_at_the_gate() {
            return Ok(wait);
        }
        self.queue_due().await;
        let wait = match self.dispatch().await? {
            Wait::End(end) => self.at_the_end(end).await,
            wait => wait,
        };
        Ok(match wait {
            Wait::Until(moment) => Wait::Until(self.again.soonest(moment)),
            Wait::Answer => Wait::Until(self.again.soonest(Timestamp::MAX)),
            Wait::End(end) => Wait::End(end),
        })
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

    /// Plants what spiders bring beyond their seeds, some at a time: the next ones are made when these are in their queues.
    async fn plant_more(&mut self, stop: &watch::Receiver<Stop>) -> Result<(), CrawlError> {
        let context = Arc::clone(&self.context);
        for (index, spider) in context.spiders.iter().enumerate() {
            let mut more = spider.more_seeds();
            while !stop.has_changed().unwrap_or(false)
                && let Some(change) = plant::some(&context, index, &mut *more)?
            {
                self.commit(change).await;
                self.writer.hand_over().await;
                while self.uncommitted > 0 {
                    self.watch.sleeps(self.clock.elapsed(), Sight::default());
                    let reply = self.writer.reply().await.ok_or(CrawlError::WriterGone)?;
                    self.watch.wakes(self.clock.elapsed());
                    self.written(reply).await?;
                }
            }
        }
        Ok(())
    }

    /// Lets everything go out that may.
    async fn dispatch(&mut self) -> Result<Wait, CrawlError> {
        loop {
            let step = self.frontier.next(self.clock.now());
            self.commit_drops().await;
            self.commit_naps().await;
            self.plant_sitemaps().await;
            match step {
                Step::Fetch(lease) => match self.context.fresh(lease.request(), self.clock.now()) {
                    Some(page) => self.settle_stored(lease, page).await,
                    None => self.fetch(lease)?,
                },
                Step::Robots(lease) => self.ask_robots(lease)?,
                Step::Control(lease) => self.ask_control(lease)?,
                Step::Load(load) => self.ask_writer(Job::Load(load)).await,
                Step::Wake(request) => self.ask_writer(Job::Wake(request)).await,
                Step::Resolve(request) => self.ask_address(request),
                Step::WaitUntil(moment) => return Ok(Wait::Until(moment)),
                Step::AwaitFetches => return Ok(Wait::Answer),
                Step::OnlyParkedLeft { until } => return Ok(Wait::End(End::Parked { until })),
                Step::LimitReached => return Ok(Wait::End(End::Limit)),
                Step::Finished => return Ok(Wait::End(End::Complete)),
            }
        }
    }

    async fn commit_drops(&mut self) {
        let drops = self.frontier.take_dropped();
        if drops.is_empty() {
            return;
        }
        let mut change = Change::default();
        self.take_drops(&mut change, drops);
        self.commit(change).await;
    }

    /// Hosts that went to sleep are written down before anybody asks for them.
    async fn commit_naps(&mut self) {
        let naps = self.frontier.take_naps();
        if !naps.is_empty() {
            self.commit(Change { naps, ..Change::default() }).await;
        }
    }

    /// Takes in the sitemaps of every robots.txt that is new to this run.
    async fn plant_sitemaps(&mut self) {
        if !self.is_open() {
            return;
        }
        let opened = self.frontier.take_opened();
        if !opened.is_empty() {
            self.commit(plant::sitemaps(&self.context, opened)).await;
        }
    }

    async fn commit(&mut self, mut change: Change) {
        self.quota.trim(&mut change);
        self.run.add(&change.totals);
        self.problem = self.problem.take().or(change.problem.take());
        self.ask_writer(Job::Commit(Box::new(change))).await;
    }

    /// Hands a job over whose answer is waited for.
    async fn ask_writer(&mut self, job: Job) {
        self.uncommitted += 1;
        self.writer.send(job).await;
    }

    async fn written(&mut self, reply: Reply) -> Result<(), CrawlError> {
        let now = self.clock.now();
        match reply {
            Reply::Committed { fresh, changes, shifts, totals, due } => {
                self.uncommitted -= changes;
                self.run.add(&totals);
                shifts.into_iter().for_each(|(url, shift)| self.voice.event(Event::Judged { url, shift }));
                fresh.into_iter().for_each(|pending| self.frontier.admit(now, pending));
                due.into_iter().for_each(|moment| self.again.note_due(moment));
            }
            Reply::Due(queued, next) => {
                self.uncommitted -= 1;
                queued.into_iter().for_each(|pending| self.frontier.admit(now, pending));
                self.again = Again::DueAt(next.unwrap_or(Timestamp::MAX));
            }
            Reply::Loaded(load, found) => {
                self.uncommitted -= 1;
                self.frontier.load(now, load, found);
            }
            Reply::Unmet(found, next) => {
                self.uncommitted -= 1;
                self.take_unmet(found, next).await;
            }
            Reply::Woken(request, found) => {
                self.uncommitted -= 1;
                self.recorder.keep_first(&found);
                self.frontier.wake(now, request, found);
            }
            Reply::Surveyed(_) | Reply::Finished(..) => {}
            Reply::Fatal(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn finish(mut self, end: End, started: Timestamp, round: u32) -> Result<Report, CrawlError> {
        let Survey { hosts, unlisted } = self.survey(round).await?;
        let nothing_left = hosts.iter().all(|host| host.waiting == 0) && unlisted.waiting == 0;
        let completed = (end == End::Complete && nothing_left).then(|| self.clock.now());
        self.writer.send(Job::Finish { completed }).await;
        let (record, tally) = self.last_word().await?;
        self.writer.close().await;
        let took = self.clock.now().since(started);
        let totals = Totals::from_map(&record.totals);
        let missed = self.expect.missed(end, &totals, &tally);
        let stopwatch = &self.context.stopwatch;
        let (stages, load) = (stopwatch.times(), self.watch.end(self.clock.elapsed(), stopwatch));
        let asked = hosts.iter().filter(|host| host.pages > 0 || host.waiting > 0).count();
        let limited_by = limit(&stages, &load, asked);
        let problem = self.problem;
        Ok(Report {
            end,
            round,
            started,
            took,
            totals,
            problem,
            code: self.context.calls.told(),
            tally,
            missed,
            stages,
            load,
            limited_by,
            hosts,
            unlisted,
        })
    }

    /// The hosts of the report: all of them, or those that matter if there are many.
    async fn survey(&mut self, round: u32) -> Result<Survey, CrawlError> {
        let hosts: Vec<_> = self.frontier.hosts().map(|view| HostReport::of(&view, round)).collect();
        if self.frontier.all_awake() {
            return Ok(Survey { hosts, unlisted: Unlisted::default() });
        }
        let parked = self.frontier.parked_asleep().map(|(host, parked)| (host, parked.to_vec())).collect();
        let awake = Awake { hosts, shut: self.frontier.shut_asleep().collect(), parked };
        self.writer.send(Job::Survey(Box::new(awake))).await;
        loop {
            match self.writer.reply().await {
                Some(Reply::Surveyed(survey)) => return Ok(*survey),
                Some(Reply::Fatal(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err(CrawlError::WriterGone),
            }
        }
    }

    /// At the end of a crawl: gives up the pages that were held back; `false` if there are none.
    async fn gives_up_held(&mut self) -> bool {
        let held = self.frontier.release_held();
        if held.is_empty() {
            return false;
        }
        let mut change = Change::default();
        for drop in held {
            // Nothing has shown since that the host is well: it may be the host that shuts us out, not the page.
            change.totals.failed += 1;
            self.list_failure(&mut change, &drop.pending, &drop.failure);
            self.give_up(&mut change, drop);
        }
        self.commit(change).await;
        true
    }

    /// Waits for the writer's last answer.
    async fn last_word(&mut self) -> Result<(RunRecord, ItemTally), CrawlError> {
        self.writer.hand_over().await;
        loop {
            match self.writer.reply().await {
                Some(Reply::Finished(record, tally)) => return Ok((record, tally)),
                Some(Reply::Fatal(error)) => return Err(error.into()),
                Some(_) => {}
                None => return Err(CrawlError::WriterGone),
            }
        }
    }
}
