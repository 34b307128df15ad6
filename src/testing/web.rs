//! The simulated web: answers by its sites and writes down who came when.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::answer::{Answer, SiteState, What};
use super::site::Site;
use super::transcript::{Arrival, Transcript};
use crate::clock::Clock;
use crate::fetch::{FetchError, Fetcher, Outgoing};
use crate::response::{FailureKind, Response};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, HostKey};

/// A web of simulated sites. Clones are the same web.
///
/// ```
/// use crawl::clock::Clock;
/// use crawl::engine::{Crawl, Execution};
/// use crawl::testing::{FollowAll, SimWeb, Site, Yardstick};
/// use crawl::time::Timestamp;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Clock::starting_at(Timestamp::from_secs(1_790_000_000));
/// let site = Site { pages: 9, ..Site::at("http://a.example") };
/// let web = SimWeb::new([site], clock.clone(), 7);
/// let crawl = Crawl::builder()
///     .identity("mybot", "mail@example.com")
///     .spider(FollowAll::new("all", ["http://a.example/"]))
///     .clock(clock)
///     .execution(Execution::Inline)
///     .build_with(web.clone())?;
/// let report = crawl.run().await?;
/// assert_eq!(report.totals.pages, 10);
/// web.transcript().assert_polite(&Yardstick::default());
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(example())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SimWeb {
    clock: Clock,
    began: Timestamp,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    sites: HashMap<Arc<str>, SiteState>,
    names: HashMap<HostKey, IpAddr>,
    arrivals: Vec<Arrival>,
}

impl SimWeb {
    /// A web of these sites that begins now. `seed` is that of all latencies.
    #[must_use]
    pub fn new(sites: impl IntoIterator<Item = Site>, clock: Clock, seed: u64) -> Self {
        let (mut states, mut names) = (HashMap::new(), HashMap::new());
        for site in sites.into_iter().map(Arc::new) {
            for origin in site.origins() {
                let name = CanonicalUrl::parse(&origin).map(|url| url.host_key());
                names.extend(name.ok().zip(site.address));
                let state = SiteState::new(&site, origin, seed);
                states.insert(Arc::clone(&state.origin), state);
            }
        }
        Self {
            began: clock.now(),
            clock,
            state: Arc::new(Mutex::new(State { sites: states, names, arrivals: Vec::new() })),
        }
    }

    /// Everything that has arrived so far.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        Transcript { began: self.began, arrivals: self.state().arrivals.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is written under the lock is one arrival at a time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the arrival down and finds its answer.
    fn arrive(&self, outgoing: &Outgoing) -> (Open<'_>, Answer) {
        let (start, url) = (self.clock.now(), &outgoing.request.url);
        let (origin, path) = (url.origin(), url.path_and_query());
        let mut state = self.state();
        let (known_as, host, answer) = match state.sites.get_mut(origin.as_str()) {
            Some(site) => {
                let answer = site.answer(path, start.since(self.began).as_secs_f64());
                (Arc::clone(&site.origin), Arc::clone(&site.host), answer)
            }
            None => (
                origin.as_str().into(),
                url.host_key().as_str().into(),
                Answer { latency: Duration::ZERO, what: What::Failure(FailureKind::Dns) },
            ),
        };
        let place = state.arrivals.len();
        state.arrivals.push(Arrival {
            start,
            end: None,
            origin: known_as,
            host,
            method: outgoing.request.method.clone(),
            path: path.into(),
            status: None,
            location: None,
            not_before: None,
        });
        (Open { web: self, place }, answer)
    }
}

/// An arrival whose answer is not at its end. Cut off by the client if it is dropped as it is.
struct Open<'a> {
    web: &'a SimWeb,
    place: usize,
}

impl Open<'_> {
    fn close(&self, note: impl FnOnce(&mut Arrival)) {
        let mut state = self.web.state();
        note(&mut state.arrivals[self.place]);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let now = self.web.clock.now();
        self.close(|arrival| {
            arrival.end.get_or_insert(now);
        });
    }
}

impl Fetcher for SimWeb {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let (open, answer) = self.arrive(&outgoing);
        let (started, limits) = (self.clock.now(), outgoing.limits);
        let patience = limits.first_byte.min(limits.total);
        self.clock.sleep_until(started + answer.latency.min(patience)).await;
        let what =
            if answer.latency > patience { What::Failure(FailureKind::ResponseTimeout) } else { answer.what };
        let mut reply = match what {
            What::Failure(kind) => return Err(FetchError::new(kind, "simulated")),
            What::Reply(reply) => reply,
        };
        let ended = self.clock.now_up();
        let told = reply.tell_wait(ended);
        let mut response = Response::of(outgoing.request.url, reply.status, Bytes::from(reply.body));
        response.headers = reply.headers;
        (response.started, response.first_byte, response.ended) = (started, ended, ended);
        open.close(|arrival| {
            arrival.end = Some(ended);
            arrival.status = Some(response.status.as_u16());
            arrival.not_before = told;
            arrival.location = response.header("location").map(Into::into);
        });
        Ok(response)
    }

    async fn resolve(&self, host: &HostKey) -> Option<IpAddr> {
        self.state().names.get(host).copied()
    }
}
