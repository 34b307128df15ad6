//! What a crawl says while it runs: log lines, events, progress.
//!
//! A host that pushes back is one line per burst, at INFO: it is the web's daily business, not an error.

use tokio::sync::{broadcast, watch};

use super::event::Event;
use super::run::Progress;
use super::totals::Totals;
use super::worker::PageDone;
use crate::clock::Clock;
use crate::frontier::Frontier;
use crate::politeness::{HostState, Reaction, Standing};
use crate::request::Request;
use crate::response::Failure;
use crate::url::HostKey;

/// Speaks for the loop. Whoever listens or not, the crawl goes on.
pub(super) struct Voice {
    pub(super) events: broadcast::Sender<Event>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) clock: Clock,
}

impl Voice {
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
        });
    }

    /// Says once per burst that a host pushes back.
    pub(super) fn host(&self, (host, state): &(HostKey, HostState), reaction: Reaction) {
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
            Reaction::Stands(standing) => self.stands(host, state, standing),
            Reaction::Cleared => {
                tracing::info!(%host, "host is well again");
                self.event(Event::HostStands { host: host.clone(), standing: Standing::Ok });
            }
            Reaction::SectionRefuses => {
                tracing::info!(%host, "host refuses some pages only: others are answered");
            }
            Reaction::None => {}
        }
    }

    /// Says once what a host is suspected of, and on what grounds.
    fn stands(&self, host: &HostKey, state: &HostState, standing: Standing) {
        let evidence = &state.watch.evidence;
        let (first, last) = (evidence.first.unwrap_or_default(), evidence.last.unwrap_or_default());
        let (status, headers, until) = (evidence.last_status, &evidence.last_headers, state.not_before);
        let refusals = evidence.statuses.values().sum::<u32>();
        match standing {
            Standing::Blocked => tracing::error!(
                %host, refusals, %first, %last, status, ?headers,
                "host has shut us out: a probe a day for a week, then none; ask its owner"
            ),
            Standing::Suspected => tracing::warn!(
                %host, refusals, %first, %last, status, ?headers, %until,
                "host seems to have shut us out: parked, one probe an hour, its queue is kept"
            ),
            _ => {
                tracing::warn!(%host, %until, standing = standing.as_str(), "host is out of order: left alone")
            }
        }
        self.event(Event::HostStands { host: host.clone(), standing });
    }

    /// Shows how far the run is.
    pub(super) fn progress(&self, run: &Totals, frontier: &Frontier) {
        self.progress.send_replace(Progress {
            run: run.clone(),
            in_flight: frontier.in_flight(),
            hosts_waiting: frontier.hosts_waiting(),
            next_wake: frontier.next_wake(),
        });
    }
}
