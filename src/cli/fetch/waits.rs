//! What was waited for: the gaps between requests, each with its reason.

use std::time::Duration;

use serde::Serialize;

use super::Ended;
use super::witness::Exchange;
use crate::engine::{End, Event};
use crate::fetch::Purpose;
use crate::politeness::Wait;
use crate::time::Timestamp;
use crate::url::HostKey;

/// A wait that was sat through.
#[derive(Debug, Serialize)]
pub(super) struct Waited {
    /// `robots`, `retry`, or what the host waited for: `delay`, `crawl-delay`, `retry-after`, `own-backoff` …
    #[serde(rename = "for")]
    pub(super) reason: String,
    pub(super) host: String,
    pub(super) seconds: f64,
}

/// A wait that is longer than patience.
#[derive(Debug, Serialize)]
pub(super) struct Parked {
    #[serde(rename = "for")]
    pub(super) reason: String,
    pub(super) until: String,
    pub(super) seconds: f64,
}

/// All waits, in order.
pub(super) fn waits(ended: &Ended) -> Vec<Waited> {
    let mut waits = Vec::new();
    let mut free = ended.report.started;
    let mut before = None;
    for exchange in &ended.exchanges {
        let mut wait = |reason: String, time: Duration| {
            if !time.is_zero() {
                let host = exchange.url.host_key().to_string();
                waits.push(Waited { reason, host, seconds: time.as_secs_f64() });
            }
        };
        wait(reason(ended, before, free, exchange), exchange.began.since(free));
        if exchange.purpose == Purpose::Robots {
            wait("robots".to_owned(), exchange.ended.since(exchange.began));
        }
        (free, before) = (exchange.ended, Some(exchange));
    }
    waits
}

/// What was waited for from `free` on, until a request left.
fn reason(ended: &Ended, before: Option<&Exchange>, free: Timestamp, exchange: &Exchange) -> String {
    let host = exchange.url.host_key();
    if let Some(told) = pause(ended, &host, free, exchange.began) {
        return named(if told { Wait::RetryAfter } else { Wait::OwnBackoff });
    }
    let known = ended.facts.before.get(&host);
    match before {
        None => {
            known.filter(|state| state.not_before > free).map_or(named(Wait::Delay), |s| named(s.waits_for))
        }
        Some(before) if before.url == exchange.url && before.purpose == exchange.purpose => {
            "retry".to_owned()
        }
        Some(_) if ended.wishes_more(&exchange.url) => named(Wait::CrawlDelay),
        Some(_) => named(Wait::Delay),
    }
}

/// Whether the server has named the pause of a host that ended between two moments, if there was one.
fn pause(ended: &Ended, host: &HostKey, from: Timestamp, to: Timestamp) -> Option<bool> {
    ended.events.iter().find_map(|event| match event {
        Event::HostWaits { host: who, until, told } if who == host && *until > from && *until <= to => {
            Some(*told)
        }
        _ => None,
    })
}

/// The wait that the run did not sit through.
pub(super) fn parked(ended: &Ended) -> Option<Parked> {
    let End::Parked { until } = ended.report.end else {
        return None;
    };
    let waits = |host: &&crate::engine::HostReport| host.waiting > 0;
    let host = ended.report.hosts.iter().find(waits).map(|host| HostKey::of(&host.host));
    let state = host.and_then(|host| ended.facts.hosts.get(&host));
    let reason = match state.filter(|state| state.not_before >= until) {
        Some(state) => named(state.waits_for),
        None => "retry".to_owned(),
    };
    let seconds = until.since(ended.report.started + ended.report.took).as_secs_f64();
    Some(Parked { reason, until: until.to_string(), seconds })
}

/// The word that reports and the store have for it.
fn named(wait: Wait) -> String {
    serde_json::to_value(wait).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}
