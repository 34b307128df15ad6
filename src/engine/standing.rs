//! How a host stands and at which rate it is asked, read from what is stored of it.
//!
//! The one place where reports, log lines and commands learn it: they agree because they ask here. Nothing is decided here.

use std::fmt::Write as _;

use serde::Serialize;

use crate::politeness::block::{ControlAnswer, Evidence};
use crate::politeness::{HostState, Phase, Standing, Wait};
use crate::time::Timestamp;

/// Header fields of a refusal that are told in words; reports have all that are kept.
const TOLD_FIELDS: usize = 3;

/// Requests per second that the host was found to bear; none while nothing was learned, and the configured delay alone counts.
#[must_use]
pub const fn learned_rate(state: &HostState) -> Option<f64> {
    state.learned.rate
}

/// The standing that is stored with a host.
#[must_use]
pub fn standing_of(state: &HostState) -> Standing {
    match (state.watch.standing, state.phase) {
        (standing, _) if standing != Standing::Ok => standing,
        (_, Phase::Open) => Standing::Ok,
        (_, Phase::Backoff { .. }) => Standing::Limited,
    }
}

/// What speaks for the standing of a host that is in worse trouble than a limit.
#[must_use]
pub fn evidence_of(state: &HostState) -> Option<&Evidence> {
    let watch = &state.watch;
    (gravity(watch.standing) > gravity(Standing::Limited)).then_some(&watch.evidence)
}

/// How bad a standing is: the worst host is shown first.
#[must_use]
pub const fn gravity(standing: Standing) -> u8 {
    match standing {
        Standing::Ok => 0,
        Standing::Limited => 1,
        Standing::Down => 2,
        Standing::Suspected => 3,
        Standing::Blocked => 4,
    }
}

/// What the user can do about it; nothing needs to be done if it is [`Standing::Ok`].
#[must_use]
pub const fn advice(standing: Standing) -> &'static str {
    match standing {
        Standing::Ok => "",
        Standing::Limited => "wait: it is asked again after that; if this returns, raise politeness.delay",
        Standing::Down => "see whether the site works in a browser, and run it again when it does",
        Standing::Suspected => {
            "leave it alone for now; ask its owner, or see whether the site has an API or a dump"
        }
        Standing::Blocked => {
            "write to the owner of the site and wait for an answer, or use its API; nothing is tried to get around it"
        }
    }
}

/// The evidence in one line: how many refusals, of which kind, from when to when, and what the last one said.
#[must_use]
pub fn told(evidence: &Evidence) -> String {
    let counts = [(evidence.refusals, "refusals"), (evidence.failures, "failures")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, noun)| format!("{count} {noun}")).collect();
    let mut text = match counts.len() {
        // Forbidden pages are counted apart until a control has shown what they mean.
        0 => "refused".to_owned(),
        _ => format!("{} in a row", counts.join(" and ")),
    };
    let statuses: Vec<_> =
        evidence.statuses.iter().map(|(status, count)| format!("{count} x {status}")).collect();
    let mut add = |part: std::fmt::Arguments<'_>| text.write_fmt(part).expect("a String takes everything");
    if !statuses.is_empty() {
        add(format_args!(" ({})", statuses.join(", ")));
    }
    if let (Some(first), Some(last)) = (evidence.first, evidence.last.max(evidence.last_failure)) {
        add(format_args!(", from {first} to {last}"));
    }
    if let Some(control) = evidence.controls.last() {
        let answer = match control.answer {
            ControlAnswer::Passed => "answered".to_owned(),
            ControlAnswer::Refused(status) => format!("refused with {status}"),
            ControlAnswer::Inconclusive => "not answered clearly".to_owned(),
        };
        add(format_args!(", control {} {answer}", control.asked));
    }
    for (name, value) in evidence.last_headers.iter().take(TOLD_FIELDS) {
        add(format_args!(", {name}: {value}"));
    }
    text
}

/// Why a host is left alone until a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostWait {
    /// The end of the wait.
    pub until: Timestamp,
    /// What it is for, in words.
    pub reason: String,
}

/// The wait that a host is in at `now`, if it is in one.
#[must_use]
pub fn wait_of(state: &HostState, now: Timestamp) -> Option<HostWait> {
    let until = state.not_before;
    let reason = match state.phase {
        _ if until <= now => return None,
        Phase::Backoff { .. } if matches!(state.waits_for, Wait::Standing | Wait::AnnouncedLimit) => {
            reason(state.waits_for).to_owned()
        }
        Phase::Backoff { strikes, .. } => match state.last_status {
            Some(status @ (429 | 503)) => format!("it answered {status}, push-back {strikes} in a row"),
            _ => format!("it did not answer as it should, push-back {strikes} in a row"),
        },
        Phase::Open => reason(state.waits_for).to_owned(),
    };
    Some(HostWait { until, reason })
}

/// What a wait is for, in words.
const fn reason(wait: Wait) -> &'static str {
    match wait {
        Wait::Delay => "the pause between two requests",
        Wait::CrawlDelay => "the pause that its robots.txt asks for",
        Wait::LearnedPace => "the pace that it was seen to bear",
        Wait::AnnouncedLimit => "the limit that it announces",
        Wait::RetryAfter => "the time that it named",
        Wait::OwnBackoff => "it refused without naming a time",
        Wait::Failures => "it failed several times in a row",
        Wait::Standing => "it goes on refusing or failing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::politeness::block::Control;

    fn refused(status: u16) -> HostState {
        let until = Timestamp::from_secs(90);
        HostState {
            not_before: until,
            phase: Phase::Backoff { until, strikes: 2 },
            last_status: Some(status),
            ..HostState::default()
        }
    }

    #[test]
    fn a_host_that_pushed_back_is_limited_until_it_answers() {
        assert_eq!(standing_of(&HostState::default()), Standing::Ok);
        assert_eq!(standing_of(&refused(429)), Standing::Limited);
    }

    #[test]
    fn a_wait_is_told_with_its_reason_until_it_is_over() {
        let reason = |state: &HostState| wait_of(state, Timestamp::from_secs(30)).unwrap().reason;
        assert_eq!(reason(&refused(429)), "it answered 429, push-back 2 in a row");
        assert_eq!(reason(&refused(200)), "it did not answer as it should, push-back 2 in a row");
        let paced = HostState { not_before: Timestamp::from_secs(31), ..HostState::default() };
        assert_eq!(reason(&paced), "the pause between two requests");
        assert_eq!(wait_of(&refused(429), Timestamp::from_secs(90)), None);
    }

    #[test]
    fn every_trouble_comes_with_advice() {
        let all = [Standing::Limited, Standing::Down, Standing::Suspected, Standing::Blocked];
        assert!(all.iter().all(|standing| advice(*standing).len() > 20));
        assert!(all.map(gravity).is_sorted());
    }

    #[test]
    fn what_a_control_came_to_is_told() {
        let mut evidence = Evidence::default();
        evidence.statuses = [(403, 3)].into();
        let (at, asked) = (Timestamp::ZERO, "GET /".to_owned());
        evidence.controls = vec![Control { at, asked, answer: ControlAnswer::Refused(403) }];
        assert_eq!(told(&evidence), "refused (3 x 403), control GET / refused with 403");
    }

    #[test]
    fn evidence_reads_well_in_one_line() {
        let mut evidence = Evidence::default();
        evidence.refusals = 21;
        evidence.statuses = [(403, 1), (429, 20)].into();
        evidence.first = Some(Timestamp::ZERO);
        evidence.last = Some(Timestamp::from_secs(90_000));
        evidence.last_headers = vec![("server".to_owned(), "x".to_owned())];
        assert_eq!(
            told(&evidence),
            "21 refusals in a row (1 x 403, 20 x 429), from 1970-01-01T00:00:00.000Z to 1970-01-02T01:00:00.000Z, server: x"
        );
    }
}
