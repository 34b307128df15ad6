//! What speaks for a block: counts, times and a few header fields, small enough to be stored with every host.
//!
//! Everything is bounded, because what is kept here is chosen by the server.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{Refusal, RefusalKind};
use crate::time::Timestamp;

/// Different statuses that are counted.
const MAX_STATUSES: usize = 8;
/// Controls that are remembered.
const MAX_CONTROLS: usize = 4;
/// Characters of a value that are kept.
const MAX_VALUE: usize = 200;

/// The header fields that tell who refused, and why.
const TELLING: [&str; 14] = [
    "cf-mitigated",
    "cf-ray",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "server",
    "via",
    "www-authenticate",
    "x-amz-cf-id",
    "x-amzn-waf-action",
    "x-datadome",
    "x-iinfo",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// What is known of a host's refusals since it last was well.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Refusals in a row that speak against the host; a burst counts once.
    pub refusals: u32,
    /// Those that came after a pause long enough to be evidence, 503 apart.
    pub tested: u32,
    /// 503 after such a pause: a sign of an outage rather than of a block.
    pub unavailable: u32,
    /// Forbidden pages since the last healthy answer or control.
    pub forbidden: u32,
    /// Failures in a row: 5xx but 503, no answer.
    pub failures: u32,
    /// How often each status came, late answers of a burst too. At most eight statuses.
    pub statuses: BTreeMap<u16, u32>,
    /// When the first refusal had ended.
    pub first: Option<Timestamp>,
    /// When the last refusal had ended.
    pub last: Option<Timestamp>,
    /// When the last failure was noticed.
    pub last_failure: Option<Timestamp>,
    /// The status of the last refusal or failure, if it had one.
    pub last_status: Option<u16>,
    /// Telling header fields of the last refusal, their values cut and without control characters.
    pub last_headers: Vec<(String, String)>,
    /// The last four controls, the latest last.
    pub controls: Vec<Control>,
    /// Probes since the host is suspected.
    pub probes: u32,
    /// Those of them since it is blocked.
    pub daily: u32,
    /// The page whose healthy answer was the first after refusals.
    pub well: Option<u64>,
    /// A refusal that told a wait until then: no evidence yet.
    pub(super) unripe: Option<Unripe>,
    /// Controls in a row that were answered.
    pub(super) passed: u32,
}

/// A refusal that becomes evidence if the first request after its wait is refused as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unripe {
    /// The end of the wait that it told.
    pub(super) until: Timestamp,
    /// Its status.
    pub(super) status: Option<u16>,
    /// Whether it came after a pause long enough.
    pub(super) paused: bool,
}

/// A request to a page that was there before, made to tell a forbidden section from a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// When it was answered.
    pub at: Timestamp,
    /// What was asked: method and path.
    pub asked: String,
    /// What came of it.
    pub answer: ControlAnswer,
}

/// What came of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlAnswer {
    /// The page is there: the host is well disposed.
    Passed,
    /// A GET of it was refused, with this status.
    Refused(u16),
    /// Neither: an error, no answer, or no page that could be asked.
    Inconclusive,
}

impl Evidence {
    /// Writes a refusal down, whether it counts or not. Failures are no refusals: they leave the times alone.
    pub(super) fn note(&mut self, refusal: &Refusal<'_>) {
        if refusal.kind == RefusalKind::Failure {
            self.last_failure = self.last_failure.max(Some(refusal.ended));
        } else {
            self.first.get_or_insert(refusal.ended);
            self.last = self.last.max(Some(refusal.ended));
        }
        self.last_status = refusal.status;
        self.last_headers = refusal.headers.map(telling).unwrap_or_default();
        if let Some(status) = refusal.status
            && (self.statuses.contains_key(&status) || self.statuses.len() < MAX_STATUSES)
        {
            let count = self.statuses.entry(status).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Writes a control down.
    pub(super) fn note_control(&mut self, mut control: Control) {
        if self.controls.len() >= MAX_CONTROLS {
            self.controls.remove(0);
        }
        control.asked = printable(&control.asked);
        self.controls.push(control);
    }

    /// Whether the last control said nothing, so that nobody knows whether the host or a section forbids.
    pub(super) fn is_unsure(&self) -> bool {
        self.controls.last().is_some_and(|control| control.answer == ControlAnswer::Inconclusive)
    }
}

fn telling(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |name: &&str| {
        let value = headers.get(*name)?;
        Some(((*name).to_owned(), printable(&String::from_utf8_lossy(value.as_bytes()))))
    };
    TELLING.iter().filter_map(value).collect()
}

/// Cut, and safe to print on a terminal.
fn printable(value: &str) -> String {
    let safe = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    value.chars().take(MAX_VALUE).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refusal(status: u16, headers: Option<&HeaderMap>) -> Refusal<'_> {
        Refusal {
            kind: RefusalKind::Throttled,
            status: Some(status),
            told: None,
            pause: Duration::ZERO,
            began: Timestamp::ZERO,
            ended: Timestamp::from_secs(u64::from(status)),
            headers,
        }
    }

    #[test]
    fn what_a_server_sends_cannot_make_the_evidence_grow() {
        let mut headers = HeaderMap::new();
        for name in TELLING {
            headers.insert(name, "x".repeat(60_000).parse().unwrap());
        }
        let mut evidence = Evidence::default();
        for status in 400..500 {
            evidence.note(&refusal(status, Some(&headers)));
            let control = Control {
                at: Timestamp::ZERO,
                asked: "/a".repeat(5_000),
                answer: ControlAnswer::Refused(status),
            };
            evidence.note_control(control);
        }
        assert_eq!((evidence.statuses.len(), evidence.controls.len()), (8, 4));
        assert_eq!(evidence.last_headers.len(), TELLING.len());
        assert!(evidence.last_headers.iter().all(|(_, value)| value.len() <= 200));
        assert!(serde_json::to_string(&evidence).unwrap().len() < 6_000);
    }

    #[test]
    fn header_values_are_safe_to_print_and_only_telling_ones_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("server", http::HeaderValue::from_bytes(b"ng\tinx\xff").unwrap());
        headers.insert("set-cookie", "secret=1".parse().unwrap());
        let mut evidence = Evidence::default();
        evidence.note(&refusal(429, Some(&headers)));
        assert_eq!(evidence.last_headers, [("server".to_owned(), "ng\u{fffd}inx\u{fffd}".to_owned())]);
    }

    #[test]
    fn first_and_last_refusal_are_kept_with_their_times() {
        let mut evidence = Evidence::default();
        evidence.note(&refusal(429, None));
        evidence.note(&refusal(503, None));
        evidence.note(&refusal(403, None));
        assert_eq!(evidence.first, Some(Timestamp::from_secs(429)));
        assert_eq!(
            evidence.last,
            Some(Timestamp::from_secs(503)),
            "a late answer does not set the clock back"
        );
        assert_eq!(evidence.last_status, Some(403));
    }
}
