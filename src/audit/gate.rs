//! R1 and R2: what one origin's robots.txt allowed, and when that was known.
//!
//! The crawler's own verdict is not believed: it must follow from the answer that the journal has, by the table of RFC 9309
//! 2.3.1, and what it allows is read from the stored text.

use std::time::Duration;

use super::finding::Rule;
use super::pace::Fault;
use super::record::{End, Reply, RobotsLine, Verdict};
use crate::robots::RobotsRules;
use crate::time::Timestamp;
use crate::url::{Canon, CanonicalUrl, Origin};

/// How long a robots.txt may be relied on (RFC 9309 2.4).
const LIFETIME: Duration = Duration::from_hours(24);
/// Redirects after which there is none (RFC 9309 2.3.1.2).
const HOPS: u32 = 5;
const ROUNDING: Duration = Duration::from_millis(1);

/// What stands between an origin's pages and the wire, as the journal tells it.
#[derive(Debug)]
pub(super) struct OriginGate {
    /// Its host's number.
    pub(super) host: usize,
    origin: Origin,
    open: Option<Open>,
    /// What it asks for is more than we are configured to keep.
    too_slow: Option<Duration>,
    /// The last verdict, over all runs.
    known: Option<(Timestamp, Verdict)>,
    asked: Option<Asked>,
    answer: Option<Answer>,
}

#[derive(Debug)]
struct Open {
    rules: RobotsRules,
    since: Timestamp,
    until: Timestamp,
}

/// The last request for robots.txt of this origin.
#[derive(Debug)]
struct Asked {
    request: u64,
    url: CanonicalUrl,
    hops: u32,
}

/// What came back for it.
#[derive(Debug)]
struct Answer {
    request: u64,
    at: Timestamp,
    reply: Reply,
    /// Where it points, if that is a place to go on at.
    next: Option<CanonicalUrl>,
    hops: u32,
}

impl OriginGate {
    pub(super) fn new(host: usize, origin: Origin) -> Self {
        Self { host, origin, open: None, too_slow: None, known: None, asked: None, answer: None }
    }

    /// A new run has nothing in force until it says so.
    pub(super) fn run_starts(&mut self) {
        (self.open, self.too_slow, self.asked, self.answer) = (None, None, None, None);
    }

    /// robots.txt is asked for.
    pub(super) fn ask(&mut self, request: u64, url: &CanonicalUrl) -> Option<Fault> {
        let before = self.asked.take();
        let next = self.answer.as_ref().and_then(|answer| answer.next.as_ref());
        let hops = match before {
            // A chain may lead back to where it began: that is one hop more, not a new beginning.
            Some(asked) if next == Some(url) => Some(asked.hops + 1),
            _ if *url == self.origin.robots_url() => Some(0),
            // A hop that was put off is asked again.
            Some(asked) if asked.url == *url => Some(asked.hops),
            _ => None,
        };
        self.asked = Some(Asked { request, url: url.clone(), hops: hops.unwrap_or(0) });
        if hops.is_some() {
            return None;
        }
        let what = format!("was asked for as robots.txt of {}, which did not point there", self.origin);
        Some((Rule::RobotsFirst, what))
    }

    /// An answer to [`OriginGate::ask`].
    pub(super) fn answered(&mut self, end: &End) {
        let Some(asked) = self.asked.as_ref().filter(|asked| asked.request == end.request) else {
            return;
        };
        let is_redirect = matches!(end.reply, Reply::Whole(300..=303 | 305..=399));
        let location = end.location.as_deref().filter(|_| is_redirect);
        let next = location.and_then(|location| Canon::default().join(asked.url.as_url(), location).ok());
        self.answer = Some(Answer {
            request: end.request,
            at: end.at,
            reply: end.reply,
            next: next.filter(|next| *next != asked.url),
            hops: asked.hops,
        });
    }

    /// A verdict comes into force. `rules` is what it allows. Returns what is wrong with it.
    pub(super) fn rule(
        &mut self,
        line: &RobotsLine,
        rules: RobotsRules,
        max_wish: Duration,
    ) -> Option<Fault> {
        let fault = match line.answer_to {
            Some(request) => self.unfounded(request, line.verdict),
            None => None,
        };
        let heard = self.answer.as_ref().filter(|answer| Some(answer.request) == line.answer_to);
        let since = heard.map_or(line.at, |answer| answer.at.max(line.at));
        let opens = matches!(line.verdict, Verdict::Text(_) | Verdict::AllowAll) && fault.is_none();
        self.too_slow = rules.min_delay().filter(|wish| opens && *wish > max_wish);
        let until = line.until.min(line.at + LIFETIME);
        self.open = opens.then_some(Open { rules, since, until });
        self.known = Some((line.at, line.verdict));
        fault
    }

    /// Whether a kept verdict is one that the journal knows.
    pub(super) fn remembers(&self, line: &RobotsLine) -> bool {
        self.known == Some((line.at, line.verdict))
    }

    /// The delay that it asks for and that is to be kept.
    pub(super) fn wish(&self) -> Option<Duration> {
        let rules = self.open.as_ref().map(|open| &open.rules).filter(|_| self.too_slow.is_none());
        rules.and_then(RobotsRules::min_delay)
    }

    /// Why the verdict does not follow from the answer.
    fn unfounded(&self, request: u64, verdict: Verdict) -> Option<Fault> {
        let answer = self.answer.as_ref().filter(|answer| answer.request == request);
        let founded = match (verdict, answer.map(|answer| answer.reply)) {
            (Verdict::DenyAll | Verdict::Unreachable, _) => true,
            (Verdict::Text(_), Some(Reply::Whole(200..=299))) => true,
            (Verdict::Text(_), Some(Reply::Whole(304))) => match self.known {
                Some((_, Verdict::Text(_))) => self.known.map(|(_, known)| known) == Some(verdict),
                _ => true,
            },
            (Verdict::AllowAll, Some(Reply::Whole(429))) => false,
            (Verdict::AllowAll, Some(Reply::Whole(400..=499))) => true,
            (Verdict::AllowAll, Some(Reply::Whole(300..=399))) => {
                answer.is_some_and(|answer| answer.hops >= HOPS || answer.next.is_none())
            }
            _ => false,
        };
        let what = || "opened its origin, and no answer allows that".to_owned();
        (!founded).then(|| (Rule::RobotsFirst, what()))
    }

    /// A page is asked.
    pub(super) fn page(&self, url: &CanonicalUrl, at: Timestamp) -> Vec<Fault> {
        let Some(open) = &self.open else {
            return vec![(Rule::RobotsFirst, "left before robots.txt had its answer".to_owned())];
        };
        let mut faults = Vec::new();
        if at + ROUNDING < open.since {
            let what = format!("left before robots.txt had its answer at {}", open.since);
            faults.push((Rule::RobotsFirst, what));
        }
        if at > open.until {
            let what = format!("relied on a robots.txt that was good until {}", open.until);
            faults.push((Rule::RobotsFirst, what));
        }
        let verdict = open.rules.verdict(url.as_url());
        if !verdict.allowed {
            let line = verdict.rule.map_or_else(|| "all of it".to_owned(), |rule| rule.to_string());
            faults.push((Rule::Disallowed, format!("is disallowed by {line}")));
        }
        let minute = (at.as_millis() / 60_000 % 1_440) as u16;
        if open.rules.visit_time().is_some_and(|window| !window.contains(minute)) {
            faults.push((Rule::VisitTime, "left outside of the Visit-time of robots.txt".to_owned()));
        }
        if let Some(wish) = self.too_slow {
            let what = format!("is of a site that asks for {} s, more than max-crawl-delay", wish.as_secs());
            faults.push((Rule::CrawlDelay, what));
        }
        faults
    }

    /// Whether a page has a Visit-time to keep to.
    pub(super) fn has_visit_time(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.rules.visit_time().is_some())
    }
}
