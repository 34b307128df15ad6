//! Requests that are no pages: robots.txt, and controls that only ask whether a host still answers.

use std::any::TypeId;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::archiving::Archived;
use super::calls::Callback;
use super::stages::Mark;
use super::worker::{Context, Execution};
use crate::fetch::http::HttpFetcher;
use crate::fetch::timing::Timing;
use crate::fetch::{FetchError, Fetcher, Limits, Outgoing, Purpose};
use crate::frontier::RobotsReply;
use crate::headers::validators::Validators;
use crate::politeness::{Class, Outcome};
use crate::request::Request;
use crate::response::{FailureKind, Response, Truncation};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, HostKey};

/// robots.txt is a small file: a host that needs longer for it is not well, and nothing else is asked meanwhile.
const ROBOTS_TIME: Duration = Duration::from_secs(20);
/// robots.txt is read this far (RFC 9309 2.5 asks for 500 KiB at least).
const ROBOTS_BYTES: u64 = 512 * 1024;

/// A control page is read this far: enough to know a challenge page.
const CONTROL_BYTES: u64 = 16 * 1024;

/// What a request for robots.txt came to.
pub(super) struct RobotsDone {
    pub(super) outcome: Outcome,
    pub(super) reply: RobotsReply,
    /// What was asked and answered, for the archive.
    pub(super) exchange: Option<Box<Archived>>,
}

impl<F: Fetcher> Context<F> {
    /// One exchange, and what it took.
    pub(super) async fn ask(&self, mut outgoing: Outgoing) -> Result<Response, FetchError> {
        let timing = Arc::new(Timing::new(self.clock.clone()));
        outgoing.timing = Some(Arc::clone(&timing));
        let answer = self.in_time(outgoing).await;
        self.stopwatch.exchange(timing.times(), answer.as_ref().ok());
        answer
    }

    /// A fetcher keeps its limits itself. One that is not ours and does not come back long after them is not waited for.
    async fn in_time(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let keeps_limits = TypeId::of::<F>() == TypeId::of::<HttpFetcher>();
        if keeps_limits || self.execution == Execution::Inline || outgoing.purpose == Purpose::File {
            return self.fetcher.fetch(outgoing).await;
        }
        let (request, time) =
            (outgoing.request.clone(), 2 * (outgoing.limits.connect + outgoing.limits.total));
        let answer = self.calls.within(time, self.fetcher.fetch(outgoing)).await;
        answer.unwrap_or_else(|lost| {
            Err(FetchError::new(FailureKind::ResponseTimeout, self.lost(Callback::Fetch, &request, lost)))
        })
    }

    /// The address of a host, and how long it took to find it.
    pub(super) async fn address(&self, host: &HostKey) -> Option<IpAddr> {
        let began = self.stopwatch.begin();
        let address = self.fetcher.resolve(host).await;
        self.stopwatch.end(Mark::Dns, began);
        address
    }

    /// Asks for a page once more, only to see whether the host still answers: nothing is read from it.
    pub(super) async fn control(&self, url: CanonicalUrl, method: Method) -> Outcome {
        let began = self.clock.now();
        let mut request = Request::get(url);
        request.method = method;
        let headers = (self.host_headers)(&request.host());
        let limits = Limits { body: CONTROL_BYTES, total: ROBOTS_TIME, ..self.limits };
        let purpose = Purpose::Control;
        match self.ask(Outgoing { headers, limits, purpose, ..Outgoing::new(request) }).await {
            Ok(response) => Outcome::of(&response),
            Err(error) => Outcome::failed(error.kind, began, self.clock.now_up()),
        }
    }

    /// Asks for robots.txt.
    pub(super) async fn robots(
        self: &Arc<Self>,
        request: Request,
        validators: Vec<(String, String)>,
        pause: Duration,
    ) -> RobotsDone {
        let began = self.clock.now();
        let total = self.limits.total.min(ROBOTS_TIME);
        let limits = Limits { body: ROBOTS_BYTES, total, ..self.limits };
        let mut headers = (self.host_headers)(&request.host());
        headers.extend(validators);
        let purpose = Purpose::Robots;
        let outgoing = Outgoing { headers, limits, purpose, pause, ..Outgoing::new(request) };
        match self.fetch(outgoing).await {
            Ok((response, exchange)) => {
                let (outcome, reply) = robots_reply(response);
                RobotsDone { outcome, reply, exchange }
            }
            Err(error) => RobotsDone::failed(error.kind, began, self.clock.now_up()),
        }
    }
}

impl RobotsDone {
    /// No answer came.
    pub(super) fn failed(kind: FailureKind, began: Timestamp, ended: Timestamp) -> Self {
        let outcome = Outcome::failed(kind, began, ended);
        Self { outcome, reply: RobotsReply::None(kind), exchange: None }
    }
}

fn robots_reply(response: Response) -> (Outcome, RobotsReply) {
    let outcome = Outcome::of(&response);
    // A file that goes on past our limit is read up to there; one that broke off is not the site's word.
    let whole = matches!(response.truncated, None | Some(Truncation::Length | Truncation::Ratio));
    if !whole {
        return (outcome, RobotsReply::None(FailureKind::Reset));
    }
    let reply = RobotsReply::Answer {
        // A challenge page is no robots.txt: it is refused.
        status: if outcome.class == Class::Challenge { 403 } else { response.status.as_u16() },
        location: response.location().map(Cow::into_owned),
        cache_control: response.header("cache-control").map(str::to_owned),
        validators: Validators::read(&response.headers).conditions(),
        body: response.body,
    };
    (outcome, reply)
}
