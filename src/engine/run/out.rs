//! What is out: one task per lease, and what it brings back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError};

use super::Loop;
use crate::engine::CrawlError;
use crate::engine::errand::RobotsDone;
use crate::engine::glance::Glance;
use crate::engine::recorder::Ticket;
use crate::engine::worker::PageDone;
use crate::fetch::Fetcher;
use crate::frontier::{AddressRequest, ControlLease, Lease, RobotsLease};
use crate::politeness::Outcome;
use crate::request::Request;
use crate::response::FailureKind;
use crate::url::HostKey;

/// What a task brought back.
pub(super) enum Done {
    Page(Box<PageDone>),
    Robots(Box<RobotsDone>),
    Control(Outcome),
    Address(Option<IpAddr>),
}

/// What a task is out for.
pub(super) enum Out {
    Page(Lease, Ticket),
    Robots(RobotsLease, Ticket),
    Control(ControlLease, Ticket),
    Address(AddressRequest),
}

impl<F: Fetcher> Loop<F> {
    pub(super) fn fetch(&mut self, lease: Lease) -> Result<(), CrawlError> {
        let ticket = self.recorder.page_leaves(&lease, self.frontier.policy_for(&lease))?;
        let context = Arc::clone(&self.context);
        let request = lease.request().clone();
        let pause = self.pause(&request.host());
        let glance = if self.frontier.looks_at(&request) { Glance::Look } else { Glance::Pass };
        tracing::debug!(host = %request.host(), url = %request.url, attempt = lease.pending().tries + 1, "fetch");
        // Nine kilobytes: in a box the runtime does not copy them a dozen times.
        let task = Box::pin(async move { Done::Page(Box::new(context.page(request, pause, glance).await)) });
        let task = self.workers.spawn(task);
        self.out.insert(task.id(), Out::Page(lease, ticket));
        Ok(())
    }

    pub(super) fn ask_robots(&mut self, lease: RobotsLease) -> Result<(), CrawlError> {
        let ticket = self.recorder.robots_leaves(&lease, self.frontier.policy_for_robots(&lease))?;
        let context = Arc::clone(&self.context);
        let (request, validators) = (Request::get(lease.url().clone()), lease.validators().to_vec());
        let pause = self.pause(&request.host());
        let task =
            Box::pin(async move { Done::Robots(Box::new(context.robots(request, validators, pause).await)) });
        let task = self.workers.spawn(task);
        self.out.insert(task.id(), Out::Robots(lease, ticket));
        Ok(())
    }

    /// How long the host is left alone between two requests.
    fn pause(&self, host: &HostKey) -> Duration {
        Duration::try_from_secs_f64(self.frontier.rate(host).recip()).unwrap_or(Duration::ZERO)
    }

    pub(super) fn ask_control(&mut self, lease: ControlLease) -> Result<(), CrawlError> {
        let ticket = self.recorder.control_leaves(&lease, self.frontier.policy_for_control(&lease))?;
        let context = Arc::clone(&self.context);
        let (url, method) = (lease.url().clone(), lease.method().clone());
        let task = self.workers.spawn(async move { Done::Control(context.control(url, method).await) });
        self.out.insert(task.id(), Out::Control(lease, ticket));
        Ok(())
    }

    pub(super) fn ask_address(&mut self, request: AddressRequest) {
        let context = Arc::clone(&self.context);
        let host = request.host().clone();
        let task = self.workers.spawn(async move { Done::Address(context.address(&host).await) });
        self.out.insert(task.id(), Out::Address(request));
    }

    pub(super) async fn came_back(&mut self, done: Result<(Id, Done), JoinError>) -> Result<(), CrawlError> {
        self.take_back(done).await?;
        self.context.calls.too_many_stuck().map_or(Ok(()), |words| Err(CrawlError::Stuck(words)))
    }

    async fn take_back(&mut self, done: Result<(Id, Done), JoinError>) -> Result<(), CrawlError> {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        match (self.out.remove(&id), done) {
            (Some(Out::Page(lease, ticket)), Some(Done::Page(page))) => {
                self.settle(lease, ticket, *page).await
            }
            (Some(Out::Robots(lease, ticket)), Some(Done::Robots(robots))) => {
                self.settle_robots(lease, ticket, *robots).await
            }
            (Some(Out::Control(lease, ticket)), Some(Done::Control(outcome))) => {
                self.settle_control(lease, ticket, outcome).await
            }
            (Some(Out::Address(request)), done) => {
                let address = if let Some(Done::Address(address)) = done { address } else { None };
                tracing::debug!(host = %request.host(), ?address, "address");
                self.frontier.resolved(self.clock.now(), request, address);
                Ok(())
            }
            // The fetcher panicked. Its request is settled like one that could not be sent.
            (Some(Out::Page(lease, ticket)), _) => {
                let page = PageDone::lost(lease.began(), self.clock.now_up());
                self.settle(lease, ticket, page).await
            }
            (Some(Out::Robots(lease, ticket)), _) => {
                let (began, now) = (lease.began(), self.clock.now_up());
                let robots = RobotsDone::failed(FailureKind::Protocol, began, now);
                self.settle_robots(lease, ticket, robots).await
            }
            (Some(Out::Control(lease, ticket)), _) => {
                let outcome = Outcome::failed(FailureKind::Protocol, lease.began(), self.clock.now_up());
                self.settle_control(lease, ticket, outcome).await
            }
            (None, _) => Ok(()),
        }
    }
}
