//! The one owner of store, sinks and cache: what is written, and in which order.
//!
//! A group of settled pages is one step: items to the sinks, exchanges to the archive, both flushed, then one batch that holds the pages, their links,
//! their hosts *and* the positions of sinks and archive; the validator cache comes last. A crash before the batch undoes the items on the
//! next start (the sinks are cut back); a crash after it costs at most a few cache entries.

mod door;

use std::sync::Arc;
use std::time::Duration;

pub(super) use door::WriterDoor;

use super::archiving::Archived;
use super::changes::{self, Judge, Visit};
use super::download::FileLine;
use super::output::{Output, WriteError};
use super::recall::Memo;
use super::schedule::{Schedule, revisit};
use super::sieve::{Crop, Sieve};
use super::stages::{Mark, Stopwatch};
use super::survey::{self, Awake, Survey};
use super::totals::Totals;
use super::worker::Context;
use crate::clock::Clock;
use crate::cookies::CookieChange;
use crate::frontier::{LoadRequest, Nap, Stored, WakeRequest};
use crate::history::{Due, PageRecord, Shift};
use crate::politeness::HostState;
use crate::request::{Kind, Request};
use crate::revisit::Revisit;
use crate::robots::RobotsRecord;
use crate::sink::{Ended, Wants};
use crate::stage::tally::ItemTally;
use crate::store::cache::ValidatorCache;
use crate::store::{
    Batch, FailedRecord, LoginRecord, PageChange, Pending, QueueKey, RunRecord, Store, StoreError,
};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint, HostKey, Origin};

/// Settled pages that are committed together at most.
pub(super) const GROUP: usize = 256;
/// How often what was committed is made to survive a power cut as well.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Something to write.
#[derive(Debug)]
pub(super) enum Job {
    /// A settled request, or the seeds.
    Commit(Box<Change>),
    /// Read a part of a queue.
    Load(LoadRequest),
    /// Look up what is known of hosts that sleep.
    Wake(WakeRequest),
    /// Look through all hosts for the report.
    Survey(Box<Awake>),
    /// Look for pages behind this one that are known and were not met in this round.
    Unmet(Option<Fingerprint>),
    /// Plan the known pages that are not planned.
    Plan,
    /// Queue the pages that are due by now.
    Due(Timestamp),
    /// The run ends; `completed` if nothing is left to do.
    Finish { completed: Option<Timestamp> },
}

/// Everything that one settled request changes.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// What was seen of pages, with what they gave.
    pub(super) visits: Vec<Visit>,
    /// Items of pages that could not be had.
    pub(super) crops: Vec<(Fingerprint, Crop)>,
    /// What stages have said of items.
    pub(super) tally: ItemTally,
    pub(super) links: Vec<Request>,
    pub(super) done: Vec<(Origin, QueueKey)>,
    pub(super) retry: Option<(Origin, Pending)>,
    pub(super) host: Option<(HostKey, HostState)>,
    /// Hosts that went to sleep.
    pub(super) naps: Vec<(HostKey, Nap)>,
    pub(super) robots: Option<(Origin, RobotsRecord)>,
    pub(super) failed: Vec<FailedRecord>,
    pub(super) cookies: Vec<CookieChange>,
    pub(super) login: Option<LoginRecord>,
    pub(super) cache: Option<Memo>,
    /// What was asked and answered, for the archive.
    pub(super) exchange: Option<Box<Archived>>,
    /// Files that have come, and those that lie elsewhere.
    pub(super) files: Vec<FileLine>,
    pub(super) totals: Totals,
    /// One of the problems that the page had, for the summary.
    pub(super) problem: Option<String>,
}

/// What the writer answers.
#[derive(Debug)]
pub(super) enum Reply {
    /// `changes` of the jobs are durable.
    Committed {
        /// The links that are new.
        fresh: Vec<Pending>,
        changes: usize,
        /// How the pages stand, and what that adds to the counts.
        shifts: Vec<(CanonicalUrl, Shift)>,
        totals: Box<Totals>,
        /// The soonest moment at which one of the pages is due again.
        due: Option<Timestamp>,
    },
    /// Pages that were due, and when the next one is.
    Due(Vec<Pending>, Option<Timestamp>),
    /// Known pages that were not met in this round, and where to look on; `None` at the end.
    Unmet(Vec<Request>, Option<Fingerprint>),
    /// What a queue held.
    Loaded(LoadRequest, Vec<Pending>),
    /// What is known of hosts that sleep.
    Woken(WakeRequest, Vec<Stored>),
    /// The hosts of the report.
    Surveyed(Box<Survey>),
    /// Everything is written; the run's record as it stands now, and the items of the round.
    Finished(RunRecord, ItemTally),
    /// Nothing can be written any more.
    Fatal(WriteError),
}

/// Owns store, output and cache.
pub(super) struct Writer {
    store: Box<dyn Store>,
    out: Output,
    sieve: Sieve,
    cache: Arc<dyn ValidatorCache>,
    run: RunRecord,
    rules: u64,
    totals: Totals,
    /// Plans the next visit of each page, if the crawl watches.
    schedule: Option<Schedule>,
    /// No page is due before this moment. Saves walking over the remains of what was.
    due_from: Timestamp,
    clock: Clock,
    synced: Timestamp,
    stopwatch: Arc<Stopwatch>,
}

/// What a writer is made of.
pub(super) struct Parts {
    pub(super) store: Box<dyn Store>,
    pub(super) out: Output,
    pub(super) run: RunRecord,
    /// The items of the round so far.
    pub(super) tally: ItemTally,
    /// How pages are visited again, if the crawl watches.
    pub(super) watch: Option<Revisit>,
}

impl Writer {
    pub(super) fn new<F>(parts: Parts, context: &Context<F>) -> Self {
        let Parts { store, out, run, tally, watch } = parts;
        let (cache, rules, clock) = (Arc::clone(&context.cache), context.rules, context.clock.clone());
        let (sieve, totals) = (Sieve::new(tally), Totals::from_map(&run.totals));
        let schedule = watch.map(Schedule::new);
        let (due_from, synced) = (Timestamp::ZERO, clock.now());
        let stopwatch = Arc::clone(&context.stopwatch);
        Self { store, out, sieve, cache, run, rules, totals, schedule, due_from, synced, clock, stopwatch }
    }

    /// Does some jobs, in order, and says what came of them.
    pub(super) fn work(&mut self, jobs: Vec<Job>) -> Vec<Reply> {
        let began = self.stopwatch.begin();
        let mut replies = Vec::new();
        if let Err(error) = self.each(jobs, &mut replies) {
            replies.push(Reply::Fatal(error));
        }
        self.stopwatch.end(Mark::Writing, began);
        replies
    }

    fn each(&mut self, jobs: Vec<Job>, replies: &mut Vec<Reply>) -> Result<(), WriteError> {
        let mut group = Vec::new();
        for job in jobs {
            match job {
                Job::Commit(change) => group.push(*change),
                other => {
                    self.commit(&mut group, replies)?;
                    self.other(other, replies)?;
                }
            }
        }
        self.commit(&mut group, replies)
    }

    fn other(&mut self, job: Job, replies: &mut Vec<Reply>) -> Result<(), WriteError> {
        match job {
            Job::Load(load) => {
                let found = self.store.pending(&load.origin, load.after, load.limit)?;
                replies.push(Reply::Loaded(load, found));
            }
            Job::Wake(request) => {
                let hosts = request.hosts().iter();
                let found = hosts.map(|host| self.store.wake(&host.key, &host.origins, request.head));
                let found = found.collect::<Result<_, _>>()?;
                replies.push(Reply::Woken(request, found));
            }
            Job::Survey(awake) => {
                let survey = survey::take(&*self.store, *awake, self.run.round, self.clock.now())?;
                replies.push(Reply::Surveyed(Box::new(survey)));
            }
            Job::Unmet(after) => {
                let (found, next) = self.unmet(after)?;
                replies.push(Reply::Unmet(found, next));
            }
            Job::Plan => {
                self.plan_known()?;
                replies.push(Reply::Due(Vec::new(), Some(Timestamp::ZERO)));
            }
            Job::Due(now) => {
                let (queued, next) = self.queue_due(now)?;
                replies.push(Reply::Due(queued, next));
            }
            Job::Finish { completed } => {
                self.finish(completed)?;
                replies.push(Reply::Finished(self.run.clone(), self.sieve.tally().clone()));
            }
            Job::Commit(_) => unreachable!("commits are grouped"),
        }
        Ok(())
    }

    /// Brings everything into its final form. The round is complete only when its output is: a crash before that goes on with it.
    fn finish(&mut self, completed: Option<Timestamp>) -> Result<(), WriteError> {
        self.commit_batch(Batch::default())?;
        self.out.sync()?;
        self.store.sync()?;
        self.cache.flush();
        self.out.finish(if completed.is_some() { Ended::Complete } else { Ended::Unfinished })?;
        // From here on the finished files of an archive may be moved away.
        let sinks = self.out.close()?;
        if completed.is_some() || !sinks.is_empty() {
            self.run.completed = completed;
            self.store.commit(Batch { run: Some(self.run.clone()), sinks, ..Batch::default() })?;
            self.store.sync()?;
        }
        Ok(())
    }

    fn commit(&mut self, group: &mut Vec<Change>, replies: &mut Vec<Reply>) -> Result<(), WriteError> {
        if group.is_empty() {
            return Ok(());
        }
        let changes = group.len();
        self.out.tick(self.clock.now())?;
        let mut batch = Batch::default();
        let mut cached = Vec::new();
        let mut judge = Judge::new(&*self.store, self.run.round, self.schedule.as_mut());
        let mut shifts = Vec::new();
        let mut sifted = Totals::default();
        for change in group.drain(..) {
            change.exchange.map_or(Ok(()), |archived| self.out.archive(&archived.exchange))?;
            self.sieve.hear(&change.tally);
            for mut visit in change.visits {
                let crop =
                    Crop { items: std::mem::take(&mut visit.items), keys: std::mem::take(&mut visit.keys) };
                let page = visit.request.fingerprint();
                visit.items = self.sieve.sift(&*self.store, page, crop, &mut sifted)?;
                shifts.extend(self.out.take(visit, &mut judge)?);
            }
            for (page, crop) in change.crops {
                let items = self.sieve.sift(&*self.store, page, crop, &mut sifted)?;
                self.out.write(&items, Wants::Changes)?;
            }
            change.files.into_iter().try_for_each(|file| self.out.file(file))?;
            self.totals.add(&change.totals);
            cached.extend(change.cache);
            batch.links.extend(change.links);
            batch.done.extend(change.done);
            batch.retry.extend(change.retry);
            batch.hosts.extend(change.host);
            batch.naps.extend(change.naps);
            batch.robots.extend(change.robots);
            batch.failed.extend(change.failed);
            batch.cookies.extend(change.cookies);
            batch.login = change.login.or(batch.login);
        }
        let due = judge.soonest;
        batch.pages = judge.pages;
        self.due_from = self.due_from.min(due.unwrap_or(Timestamp::MAX));
        let mut totals = std::mem::take(&mut self.out.totals);
        totals.add(&sifted);
        shifts.iter().for_each(|(_, shift)| changes::count(&mut totals, *shift));
        self.totals.add(&totals);
        let fresh = self.commit_batch(batch)?;
        cached.iter().for_each(|memo| memo.write(&*self.cache));
        self.sync_now_and_then()?;
        let totals = Box::new(totals);
        replies.push(Reply::Committed { fresh, changes, shifts, totals, due });
        Ok(())
    }

    fn commit_batch(&mut self, mut batch: Batch) -> Result<Vec<Pending>, WriteError> {
        self.out.tick(self.clock.now())?;
        batch.sinks = self.out.flush()?;
        self.sieve.fill(&mut batch);
        self.run.totals = self.totals.to_map();
        batch.run = Some(self.run.clone());
        let fresh = self.store.commit(batch)?.fresh;
        self.out.committed();
        Ok(fresh)
    }

    /// Puts some of the pages that are due by `now` into their queues, and tells when the next one is.
    fn queue_due(&mut self, now: Timestamp) -> Result<(Vec<Pending>, Option<Timestamp>), WriteError> {
        let mut batch = Batch::default();
        let mut next = None;
        for (due, page) in self.store.due(self.due_from, GROUP)? {
            self.due_from = due;
            next = Some(due);
            if due > now {
                break;
            }
            if let Some(before) = self.store.page(page)? {
                batch.revisits.push(revisit(&before));
                let queued = PageRecord { due: Due::Queued { round: self.run.round }, ..before.clone() };
                batch.pages.push(PageChange { page, before: Some(before), now: Some(queued) });
            }
        }
        let queued = self.commit_batch(batch)?;
        Ok((queued, next))
    }

    /// Takes in what earlier runs know of pages, and plans those that are not planned. What waits in a queue is not.
    fn plan_known(&mut self) -> Result<(), WriteError> {
        let Some(schedule) = &mut self.schedule else {
            return Ok(());
        };
        let now = self.clock.now();
        let mut after = None;
        loop {
            let pages = self.store.pages(after, GROUP)?;
            let Some((last, _)) = pages.last() else {
                return Ok(());
            };
            after = Some(*last);
            let mut batch = Batch::default();
            for (page, record) in pages {
                let rate = schedule.remember(&record);
                let waits = match record.due {
                    Due::At(_) => true,
                    Due::Queued { round } => round == self.run.round,
                    Due::Unplanned => record.round < self.run.round && self.store.knows(&record.request)?,
                };
                if !waits {
                    let due = Due::At(schedule.due(&record.request, rate, record.checked).max(now));
                    let planned = PageRecord { due, ..record.clone() };
                    batch.pages.push(PageChange { page, before: Some(record), now: Some(planned) });
                }
            }
            self.store.commit(batch)?;
        }
    }

    /// Some of the pages behind `after` that are known, were read by the rules of today and were not met in this round; and
    /// where to look on. The next page of a list is only asked on the way through its list: what an old cursor gives is no page.
    fn unmet(&self, after: Option<Fingerprint>) -> Result<(Vec<Request>, Option<Fingerprint>), StoreError> {
        let pages = self.store.pages(after, GROUP)?;
        let next = pages.last().map(|(page, _)| *page);
        let may_be_unmet = |record: &PageRecord| {
            record.round < self.run.round
                && record.items.rules == self.rules
                && record.request.kind != Kind::NextPage
        };
        let mut unmet = Vec::new();
        for (_, record) in pages.into_iter().filter(|(_, record)| may_be_unmet(record)) {
            if !self.store.knows(&record.request)? {
                unmet.push(record.request);
            }
        }
        Ok((unmet, next))
    }

    fn sync_now_and_then(&mut self) -> Result<(), WriteError> {
        let now = self.clock.now();
        if now.since(self.synced) >= SYNC_EVERY {
            self.synced = now;
            self.out.sync()?;
            self.store.sync()?;
        }
        Ok(())
    }
}
