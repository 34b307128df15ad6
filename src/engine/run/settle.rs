//! What answers become: verdicts of the frontier turned into one change for the writer.

use super::Loop;
use crate::cookies::CookieChange;
use crate::engine::CrawlError;
use crate::engine::changes::Visit;
use crate::engine::download::FileDone;
use crate::engine::errand::RobotsDone;
use crate::engine::event::Event;
use crate::engine::recorder::Ticket;
use crate::engine::sieve::{Crop, staged};
use crate::engine::worker::PageDone;
use crate::engine::writer::Change;
use crate::fetch::Fetcher;
use crate::frontier::{ControlLease, Drop, Lease, RobotsLease};
use crate::history::Sight;
use crate::item::Harvest;
use crate::politeness::{Class, Outcome, Verdict};
use crate::request::{Dedup, Kind, Pending, Request};
use crate::response::{Failure, FailureClass};
use crate::store::FailedRecord;
use crate::time::Timestamp;
use crate::url::Fingerprint;

impl<F: Fetcher> Loop<F> {
    pub(super) async fn settle(
        &mut self,
        lease: Lease,
        ticket: Ticket,
        mut page: PageDone,
    ) -> Result<(), CrawlError> {
        self.recorder.ended(ticket, &page.outcome, page.location.as_deref())?;
        page.refuse_broken_disk()?;
        let settled = self.frontier.settle(self.clock.now(), lease, &page.outcome, page.refusal.as_ref());
        self.voice.page(&settled.pending.request, &page);
        self.voice.host(&settled.host, settled.reaction);
        let request = &settled.pending.request;
        let mut change = Change { host: Some(settled.host.clone()), ..Change::default() };
        change.exchange = page.exchange.take();
        page.count(&mut change.totals, request.kind);
        change.cookies = self.keep_cookies(request, &mut page);
        if request.kind == Kind::Login {
            self.settle_login(settled, page, change).await;
            return Ok(());
        }
        match settled.verdict {
            Verdict::Done => {
                change.done.push((settled.origin.clone(), settled.pending.key));
                self.look(request, &mut page, &mut change);
                self.reap(&mut change, &settled.pending, page);
            }
            Verdict::RetryAt(_) => {
                change.totals.retries += 1;
                change.retry = Some((settled.origin.clone(), settled.pending.clone()));
            }
            Verdict::Held => {}
            Verdict::Dropped(mut failure) => {
                change.cache = page.cache;
                if let Some(detail) = page.detail {
                    failure.reason = detail;
                }
                let drop = Drop { origin: settled.origin.clone(), pending: settled.pending.clone(), failure };
                self.give_up(&mut change, drop);
            }
        }
        self.take_drops(&mut change, settled.released);
        self.commit(change).await;
        Ok(())
    }

    /// Puts the cookies of an answer into the jar, and tells what is to be written down of it.
    ///
    /// Who comes without a cookie is often sent round to get one. So a redirect that brings one which was not sent is followed even
    /// if it leads where we have been.
    fn keep_cookies(&self, request: &Request, page: &mut PageDone) -> Vec<CookieChange> {
        let Some(jar) = self.context.cookies.as_ref().filter(|_| !page.cookies.is_empty()) else {
            return Vec::new();
        };
        let (now, mut jar) = (self.clock.now(), jar.open());
        let changes: Vec<_> =
            page.cookies.iter().flat_map(|field| jar.receive(&request.url, field, now)).collect();
        if page.has_new_cookie && !changes.is_empty() && page.outcome.class == Class::Redirected {
            page.harvest.links.iter_mut().for_each(|next| next.dedup = Dedup::Never);
        }
        changes
    }

    /// Takes over what a page gave.
    pub(super) fn reap(&self, change: &mut Change, pending: &Pending, page: PageDone) {
        let request = &pending.request;
        let sight = sight(&page, self.context.rules);
        let harvest = page.harvest;
        change.totals.items_dropped += harvest.dropped;
        change.tally.add_remarks(&harvest.tally);
        change.totals.problems += harvest.problems.len() as u64;
        change.problem = harvest.problems.first().cloned();
        change.totals.out_of_scope += harvest.out_of_scope;
        // Where problems are read on their own they begin with the page.
        let begins = format!("{}: ", request.url);
        for problem in &harvest.problems {
            let problem = problem.strip_prefix(&begins).unwrap_or(problem);
            tracing::warn!(url = %request.url, problem, "page has a problem");
        }
        let failure = match (harvest.error, page.dead_end, &page.file) {
            (Some(reason), ..) => Some((FailureClass::Parse, reason)),
            (None, Some(reason), _) => Some((FailureClass::Redirect, reason)),
            (None, None, Some(FileDone::Unwanted(reason))) => Some((FailureClass::Unwanted, reason.clone())),
            (None, None, _) => None,
        };
        if let Some((class, reason)) = failure {
            let failure = Failure { class, status: page.outcome.status, reason };
            self.note_failure(change, pending, &failure);
        } else if request.kind == Kind::Download {
            change.note_file(request, page.file, &page.outcome, &harvest.links);
            change.crops.push((request.fingerprint(), Crop { items: harvest.items, keys: harvest.keys }));
        } else if request.kind.is_page() {
            let (request, at, status) = (request.clone(), page.outcome.ended, page.outcome.status);
            let pace = self.frontier.rate(&request.host());
            change.visits.push(Visit {
                request,
                is_first: pending.is_first(),
                at,
                sight,
                status,
                reason: None,
                items: harvest.items,
                keys: harvest.keys,
                pace,
            });
        }
        change.links.extend(harvest.links);
        change.cache = page.cache;
    }

    pub(super) fn give_up(&self, change: &mut Change, drop: Drop) {
        let Drop { origin, pending, failure } = drop;
        change.done.push((origin, pending.key));
        self.note_failure(change, &pending, &failure);
    }

    /// Counts a failure, tells the spider and keeps what it makes of it.
    fn note_failure(&self, change: &mut Change, pending: &Pending, failure: &Failure) {
        let request = &pending.request;
        let totals = &mut change.totals;
        *match failure.class {
            FailureClass::Robots => &mut totals.disallowed,
            FailureClass::Gone => &mut totals.missing,
            FailureClass::Forbidden => &mut totals.forbidden,
            FailureClass::Redirect => &mut totals.dead_ends,
            FailureClass::Parse => &mut totals.parse_errors,
            FailureClass::Unwanted => &mut totals.unwanted,
            FailureClass::Trap => &mut totals.parked,
            _ => &mut totals.failed,
        } += 1;
        // Of what was not asked on purpose nothing is to be known.
        if request.kind.is_page() && failure.class != FailureClass::Trap {
            let pace = self.frontier.rate(&request.host());
            change.visits.push(unseen(pending, failure, self.clock.now(), pace));
        }
        self.voice.given_up(request, failure);
        let harvest = self.context.of_failure(request, failure).unwrap_or_else(|error| {
            tracing::error!(url = %request.url, error, "what the spider makes of a failure is not known");
            Harvest::new()
        });
        let gained = self.context.judged(request, harvest);
        let gained = staged(&self.context.stages, &request.url, gained);
        if let Some(error) = &gained.error {
            tracing::error!(url = %request.url, error, "what the spider made of a failure is lost");
        }
        change.totals.items_dropped += gained.dropped;
        change.tally.add_remarks(&gained.tally);
        change.crops.push((request.fingerprint(), Crop { items: gained.items, keys: gained.keys }));
        change.links.extend(gained.links);
        // Whoever has the item wants to know why its file is not there, also if nothing is lost.
        if failure.class.is_loss() || request.kind == Kind::Download {
            self.list_failure(change, pending, failure);
        }
    }

    /// Puts a request on the failed list, to be made again by whoever reads it.
    pub(super) fn list_failure(&self, change: &mut Change, pending: &Pending, failure: &Failure) {
        change.failed.push(FailedRecord {
            request: pending.request.clone(),
            at: self.clock.now(),
            class: failure.class.as_str().to_owned(),
            cause: match failure.class {
                FailureClass::Unreachable(kind) => Some(kind),
                _ => None,
            },
            status: failure.status,
            reason: failure.reason.clone(),
            // The last one is no longer counted there.
            tries: pending.tries.saturating_add(1),
        });
    }

    pub(super) async fn settle_robots(
        &mut self,
        lease: RobotsLease,
        ticket: Ticket,
        robots: RobotsDone,
    ) -> Result<(), CrawlError> {
        let RobotsDone { outcome, reply, exchange } = robots;
        self.recorder.ended(ticket, &outcome, reply.location())?;
        let settled = self.frontier.settle_robots(self.clock.now(), lease, &outcome, &reply);
        self.recorder.robots_ruled(ticket, settled.record.as_ref())?;
        tracing::debug!(origin = %settled.origin, status = outcome.status, "robots.txt");
        self.voice.host(&settled.host, settled.reaction);
        self.voice.event(Event::RobotsAsked { origin: settled.origin, status: outcome.status });
        let mut change =
            Change { host: Some(settled.host), robots: settled.record, exchange, ..Change::default() };
        change.totals.requests = 1;
        change.totals.robots = 1;
        change.totals.throttled = u64::from(outcome.class == Class::Throttled);
        self.commit(change).await;
        Ok(())
    }

    pub(super) async fn settle_control(
        &mut self,
        lease: ControlLease,
        ticket: Ticket,
        outcome: Outcome,
    ) -> Result<(), CrawlError> {
        self.recorder.ended(ticket, &outcome, None)?;
        tracing::debug!(url = %lease.url(), method = %lease.method(), status = outcome.status, "control");
        let settled = self.frontier.settle_control(self.clock.now(), lease, &outcome);
        self.voice.host(&settled.host, settled.reaction);
        let mut change = Change { host: Some(settled.host), ..Change::default() };
        change.totals.requests = 1;
        change.totals.controls = 1;
        change.totals.throttled = u64::from(outcome.class == Class::Throttled);
        self.take_drops(&mut change, settled.released);
        self.commit(change).await;
        Ok(())
    }
}

/// What was seen of a page that was answered.
fn sight(page: &PageDone, rules: u64) -> Sight {
    match (page.outcome.class, page.digest) {
        (Class::Redirected, _) => {
            let place = page.location.as_deref().unwrap_or_default();
            Sight::Moved { digest: Fingerprint::of(place.as_bytes()).get() }
        }
        (_, Some(digest)) => {
            let items = page.harvest.items_digest;
            match page.outcome.status {
                Some(_) => Sight::Page { digest, items, rules },
                None => Sight::Kept { digest, items, rules },
            }
        }
        (_, None) => Sight::Unclear,
    }
}

/// What was seen of a page that could not be had.
fn unseen(pending: &Pending, failure: &Failure, at: Timestamp, pace: f64) -> Visit {
    let sight = match (failure.class, failure.status) {
        (FailureClass::Gone, Some(404 | 410)) => Sight::Missing,
        (FailureClass::Robots, _) => Sight::Barred,
        _ => Sight::Unclear,
    };
    let (status, reason) = (failure.status, Some(failure.reason.clone()));
    let (request, is_first) = (pending.request.clone(), pending.is_first());
    Visit { request, is_first, at, sight, status, reason, items: Vec::new(), keys: Vec::new(), pace }
}
