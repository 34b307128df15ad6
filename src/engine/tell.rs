//! What a crawl says while it runs: log lines, events, progress.
//!
//! A host that pushes back is one line per burst, at INFO: it is the web's daily business, not an error. A host that may have
//! shut us out is one line at WARN, one that has is one line at ERROR, with the evidence and what to do.

use tokio::sync::{broadcast, watch};

use super::event::Event;
use super::standing::{advice, evidence_of, gravity, standing_of, told};
use super::totals::Totals;
use super::trouble::{Trouble, Troubles};
use super::worker::PageDone;
use crate::clock::Clock;
use crate::frontier::Frontier;
use crate::politeness::{HostState, Reaction, Standing};
use crate::request::Request;
use crate::response::Failure;
use crate::time::Timestamp;
use crate::url::HostKey;

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
    /// Hosts that refuse, and what that costs.
    pub trouble: Trouble,
}

/// Speaks for the loop. Whoever listens or not, the crawl goes on.
pub(super) struct Voice {
    events: broadcast::Sender<Event>,
    progress: watch::Sender<Progress>,
    clock: Clock,
    troubles: Troubles,
}

impl Voice {
    /// Begins with the hosts that are in trouble since an earlier run: all that are not well, or were refused.
    pub(super) fn begin(
        events: broadcast::Sender<Event>,
        progress: watch::Sender<Progress>,
        clock: Clock,
        troubled: &[(HostKey, HostState)],
    ) -> Self {
        let mut voice = Self { events, progress, clock, troubles: Troubles::default() };
        for (host, state) in troubled {
            voice.troubles.remember(host, state);
            if gravity(standing_of(state)) > gravity(Standing::Limited) {
                voice.standing(host, state);
            }
        }
        voice
    }

    /// Passes an event on; nobody may be listening.
    pub(super) fn event(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// Says that a request was given up.
    pub(super) fn given_up(&self, request: &Request, failure: &Failure) {
        tracing::debug!(url = %request.url, class = %failure.class, reason = failure.reason, "given up");
        self.event(Event::GivenUp { url: request.url.clone(), failure: failure.clone() });
    }

    /// Says what a page came to.
    pub(super) fn page(&self, request: &Request, page: &PageDone) {
        let outcome = &page.outcome;
        let wait_ms = outcome.ended.since(outcome.began).as_millis() as u64;
        tracing::debug!(host = %request.host(), url = %request.url, status = outcome.status, class = outcome.class.as_str(), ms = wait_ms, "answer");
        self.event(Event::Answered {
            url: request.url.clone(),
            status: outcome.status,
            class: outcome.class,
            items: page.harvest.items.len(),
            links: page.harvest.links.len(),
            digest: page.digest,
        });
    }

    /// Says what an answer did to its host: once per burst that it pushes back, once that its standing has changed.
    pub(super) fn host(&mut self, (host, state): &(HostKey, HostState), reaction: Reaction) {
        let before = self.troubles.hear(host, state);
        match reaction {
            Reaction::Waits { until, told, first } => {
                if first {
                    let wait_s = until.since(self.clock.now()).as_secs_f64();
                    tracing::info!(%host, status = state.last_status, wait = wait_s, %until, told, "host asks for a pause");
                }
                self.event(Event::HostWaits { host: host.clone(), until, told });
            }
            Reaction::Recovered => {
                tracing::info!(%host, "host answers again");
                self.event(Event::HostRecovered { host: host.clone() });
            }
            // How a host stands is told below, from its state.
            Reaction::Stands(_) | Reaction::Cleared | Reaction::None => {}
            Reaction::SectionRefuses => {
                tracing::info!(%host, "host refuses some pages only: others are answered");
            }
        }
        if before.is_some_and(|before| is_news(before, standing_of(state))) {
            self.standing(host, state);
        }
    }

    /// Says how a host stands, at the weight that it has for the user.
    fn standing(&self, host: &HostKey, state: &HostState) {
        let standing = standing_of(state);
        let evidence = evidence_of(state).map(told);
        let (until, todo) = (state.not_before, advice(standing));
        match standing {
            Standing::Ok | Standing::Limited => tracing::info!(%host, "host is well again"),
            Standing::Down => {
                tracing::warn!(%host, evidence, %until, todo, "host does not work: it is asked seldom");
            }
            Standing::Suspected => {
                tracing::warn!(%host, evidence, %until, todo, "host may have shut us out: only single probes go to it");
            }
            Standing::Blocked => {
                tracing::error!(%host, evidence, %until, todo, "host has shut us out: a probe a day for a week, then none");
            }
        }
        self.event(Event::HostStands { host: host.clone(), standing });
    }

    /// Hosts that are in trouble.
    pub(super) const fn hosts_in_trouble(&self) -> usize {
        self.troubles.hosts()
    }

    /// Shows how far the run is.
    pub(super) fn progress(&self, run: &Totals, frontier: &Frontier) {
        self.progress.send_replace(Progress {
            run: run.clone(),
            in_flight: frontier.in_flight(),
            hosts_waiting: frontier.hosts_waiting(),
            next_wake: frontier.next_wake(),
            trouble: self.troubles.counts(),
        });
    }
}

/// Whether a change of standing is told beside the waits: the way into more than a limit, and the way out of it.
fn is_news(before: Standing, now: Standing) -> bool {
    gravity(before).max(gravity(now)) > gravity(Standing::Limited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_come_and_go_without_a_line_of_their_own() {
        assert!(!is_news(Standing::Ok, Standing::Limited) && !is_news(Standing::Limited, Standing::Ok));
        assert!(is_news(Standing::Limited, Standing::Suspected) && is_news(Standing::Blocked, Standing::Ok));
    }

    #[test]
    fn a_limited_host_is_an_event_and_a_count() {
        let (events, mut heard) = broadcast::channel(8);
        let (progress, _) = watch::channel(Progress::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let clock = runtime.block_on(async { Clock::start() });
        let mut voice = Voice::begin(events, progress, clock, &[]);
        let until = crate::time::Timestamp::from_secs(9);
        let phase = crate::politeness::Phase::Backoff { until, strikes: 1 };
        let state = HostState { phase, throttled: 1, ..HostState::default() };
        let waits = Reaction::Waits { until, told: true, first: false };
        voice.host(&(HostKey::of("a.example"), state), waits);
        assert!(matches!(heard.try_recv(), Ok(Event::HostWaits { told: true, .. })));
        assert!(heard.try_recv().is_err(), "a limit is no standing to be told");
        assert_eq!(voice.troubles.counts().limited, 1);
    }
}
