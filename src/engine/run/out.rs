//! What is out: one task per lease, and what it brings back.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::task::{Id, JoinError};

use super::Loop;
use crate::engine::worker::PageDone;
use crate::fetch::Fetcher;
use crate::frontier::{AddressRequest, Lease, RobotsLease, RobotsReply};
use crate::politeness::Outcome;
use crate::request::Request;
use crate::response::FailureKind;

/// What a task brought back.
pub(super) enum Done {
    Page(Box<PageDone>),
    Robots(Outcome, RobotsReply),
    Address(Option<IpAddr>),
}

/// What a task is out for.
pub(super) enum Out {
    Page(Lease),
    Robots(RobotsLease),
    Address(AddressRequest),
}

impl<F: Fetcher> Loop<F> {
    pub(super) fn fetch(&mut self, lease: Lease) {
        let context = Arc::clone(&self.context);
        let request = lease.request().clone();
        tracing::debug!(host = %request.host(), url = %request.url, attempt = lease.pending().tries + 1, "fetch");
        let task = self.workers.spawn(async move { Done::Page(Box::new(context.page(request).await)) });
        self.out.insert(task.id(), Out::Page(lease));
    }

    pub(super) fn ask_robots(&mut self, lease: RobotsLease) {
        let context = Arc::clone(&self.context);
        let (request, validators) = (Request::get(lease.url().clone()), lease.validators().to_vec());
        let task = self.workers.spawn(async move {
            let (outcome, reply) = context.robots(request, validators).await;
            Done::Robots(outcome, reply)
        });
        self.out.insert(task.id(), Out::Robots(lease));
    }

    pub(super) fn ask_address(&mut self, request: AddressRequest) {
        let context = Arc::clone(&self.context);
        let host = request.host().clone();
        let task = self.workers.spawn(async move { Done::Address(context.fetcher.resolve(&host).await) });
        self.out.insert(task.id(), Out::Address(request));
    }

    pub(super) async fn came_back(&mut self, done: Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        match (self.out.remove(&id), done) {
            (Some(Out::Page(lease)), Some(Done::Page(page))) => self.settle(lease, *page).await,
            (Some(Out::Robots(lease)), Some(Done::Robots(outcome, reply))) => {
                self.settle_robots(lease, outcome, reply).await;
            }
            (Some(Out::Address(request)), done) => {
                let address = if let Some(Done::Address(address)) = done { address } else { None };
                tracing::debug!(host = %request.host(), ?address, "address");
                self.frontier.resolved(self.clock.now(), request, address);
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
            (None, _) => {}
        }
    }
}
