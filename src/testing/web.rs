//! The simulated web: answers by its sites and writes down who came when.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::answer::{Answer, SiteState, What};
use super::measure::Felt;
use super::site::Site;
use super::transcript::{Arrival, Transcript};
use crate::clock::Clock;
use crate::fetch::{FetchError, Fetcher, Outgoing};
use crate::response::{FailureKind, Response};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, HostKey, Origin};

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
    /// The site of every origin that has none.
    everywhere: Option<Arc<Site>>,
    seed: u64,
    arrivals: Vec<Arrival>,
}

impl State {
    /// The site at this origin; made now if it is one of those everywhere.
    fn site(&mut self, origin: &str) -> Option<&mut SiteState> {
        if !self.sites.contains_key(origin) {
            let state = SiteState::new(self.everywhere.as_ref()?, origin.to_owned(), self.seed);
            self.sites.insert(Arc::clone(&state.origin), state);
        }
        self.sites.get_mut(origin)
    }
}

impl SimWeb {
    /// A web of these sites that begins now. `seed` is that of all latencies.
    #[must_use]
    pub fn new(sites: impl IntoIterator<Item = Site>, clock: Clock, seed: u64) -> Self {
        let (mut states, mut names, mut everywhere) = (HashMap::new(), HashMap::new(), None);
        for site in sites.into_iter().map(Arc::new) {
            if site.is_everywhere() {
                everywhere = Some(Arc::clone(&site));
            }
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
            state: Arc::new(Mutex::new(State {
                sites: states,
                names,
                everywhere,
                seed,
                arrivals: Vec::new(),
            })),
        }
    }

    /// Whether anybody answers at this origin.
    #[must_use]
    pub fn has(&self, origin: &Origin) -> bool {
        let state = self.state();
        state.everywhere.is_some() || state.sites.contains_key(origin.as_str())
    }

    /// All sites by origin, those everywhere only where somebody has come.
    pub(super) fn sites(&self) -> BTreeMap<Arc<str>, Arc<Site>> {
        let state = self.state();
        let sites = state.sites.iter().map(|(origin, known)| (Arc::clone(origin), Arc::clone(&known.site)));
        sites.collect()
    }

    /// Everything that has arrived so far.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        Transcript { began: self.began, arrivals: self.state().arrivals.clone() }
    }

    /// What others felt of servers that they share with the crawl, by origin.
    pub(super) fn felt(&self) -> BTreeMap<String, Felt> {
        let state = self.state();
        let felt = state.sites.iter().filter_map(|(origin, site)| Some((origin.to_string(), site.felt()?)));
        felt.collect()
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
        let (known_as, host, answer) = match state.site(origin.as_str()) {
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
        let body = if outgoing.request.method == Method::HEAD { String::new() } else { reply.body };
        let mut response = Response::of(outgoing.request.url, reply.status, Bytes::from(body));
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
