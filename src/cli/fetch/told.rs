//! What a page came to, for people and for scripts. The keys are stable; docs/cache.md has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::exit::Exit;
use super::super::render::{bytes, counted, duration, safe};
use super::waits::{self, Parked, Waited};
use super::witness::Exchange;
use super::{Ended, recorded};
use crate::config::Plan;
use crate::engine::{End, Event};
use crate::fetch::Purpose;
use crate::history::Shift;
use crate::politeness::Class;
use crate::request::Request;
use crate::response::Response;
use crate::robots::{RobotsAnswer, RobotsRules};
use crate::url::CanonicalUrl;

/// The answer of the command.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Told {
    url: String,
    final_url: Option<String>,
    status: Option<u16>,
    pub(in crate::cli) from_cache: bool,
    asked: usize,
    revalidated: bool,
    validators_sent: BTreeMap<String, String>,
    stored: bool,
    shift: Option<&'static str>,
    digest: Option<String>,
    bytes: u64,
    items: Vec<Value>,
    links: usize,
    waits: Vec<Waited>,
    total_wait_s: f64,
    parked: Option<Parked>,
    robots: Robots,
    redirects: Vec<Hop>,
    pub(super) body: Option<BodyPlace>,
    error: Option<Fault>,
    pub(in crate::cli) exit_code: u8,
    #[serde(skip)]
    page: Page,
}

/// What the page comes from.
#[derive(Debug)]
struct Page {
    request: Request,
    digest: Option<u64>,
    answer: Option<Response>,
}

/// What robots.txt says of the page.
#[derive(Debug, Serialize)]
struct Robots {
    /// `allowed`, `disallowed`, `unreachable`, or `unknown`.
    verdict: &'static str,
    line: Option<String>,
    asked: usize,
}

#[derive(Debug, Serialize)]
struct Hop {
    url: String,
    status: u16,
    location: Option<String>,
}

/// Where the body was written.
#[derive(Debug, Serialize)]
pub(super) struct BodyPlace {
    pub(super) file: PathBuf,
    pub(super) bytes: usize,
}

/// Why there is no page.
#[derive(Debug, Serialize)]
struct Fault {
    class: String,
    reason: String,
}

/// The last answer, as the loop has judged it.
#[derive(Default)]
struct Last<'a> {
    url: Option<&'a CanonicalUrl>,
    class: Option<Class>,
    status: Option<u16>,
    links: usize,
    digest: Option<u64>,
    shift: Option<Shift>,
}

impl<'a> Last<'a> {
    fn of(events: &'a [Event]) -> Self {
        let mut last = Self::default();
        for event in events {
            match event {
                Event::Answered { url, status, class, links, digest, .. } => {
                    let (url, class) = (Some(url), Some(*class));
                    last = Self { url, class, status: *status, links: *links, digest: *digest, shift: None };
                }
                Event::GivenUp { url, .. } if last.url != Some(url) => {
                    last = Self { url: Some(url), ..Self::default() };
                }
                Event::Judged { url, shift } if last.url == Some(url) => last.shift = Some(*shift),
                _ => {}
            }
        }
        last
    }
}

impl Ended {
    /// Requests for the page and for what it redirects to.
    fn pages(&self) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter().filter(|exchange| exchange.purpose == Purpose::Spider)
    }

    fn rules(&self, url: &CanonicalUrl) -> Option<RobotsRules> {
        match &self.facts.robots.get(&url.origin())?.answer {
            RobotsAnswer::Unreachable { .. } => None,
            answer => Some(answer.rules(&self.agent)),
        }
    }

    /// Whether robots.txt asks for a longer delay than is configured.
    pub(super) fn wishes_more(&self, url: &CanonicalUrl) -> bool {
        let wish = self.rules(url).and_then(|rules| rules.min_delay());
        wish.is_some_and(|wish| wish > self.policy.delay)
    }

    fn robots(&self, url: &CanonicalUrl) -> Robots {
        let asked = self.exchanges.iter().filter(|exchange| exchange.purpose == Purpose::Robots).count();
        let is_known = self.facts.robots.contains_key(&url.origin());
        let Some(rules) = self.rules(url) else {
            return Robots { verdict: if is_known { "unreachable" } else { "unknown" }, line: None, asked };
        };
        let found = rules.verdict(url.as_url());
        let verdict = if found.allowed { "allowed" } else { "disallowed" };
        Robots { verdict, line: found.rule.map(|rule| rule.to_string()), asked }
    }

    /// The exit code: hosts of the crawl that the page has nothing to do with do not count.
    fn exit(&self, last: &CanonicalUrl) -> Exit {
        let mut report = self.report.clone();
        let mut met: Vec<_> =
            self.exchanges.iter().map(|exchange| exchange.url.host_key().to_string()).collect();
        met.extend([self.request.host().to_string(), last.host_key().to_string()]);
        report.hosts.retain(|host| met.contains(&host.host));
        Exit(report.exit_code())
    }

    fn fault(&self, exit: Exit, parked: Option<&Parked>) -> Option<Fault> {
        if exit == Exit::COMPLETE {
            return None;
        }
        let fault = |class: &str, reason: String| Some(Fault { class: class.to_owned(), reason });
        let given_up = self.events.iter().rev().find_map(|event| match event {
            Event::GivenUp { failure, .. } => Some(failure),
            _ => None,
        });
        let shut = self.report.hosts.iter().find_map(|host| host.shut.clone().filter(|_| host.waiting > 0));
        match (self.report.end, parked, given_up) {
            (End::Interrupted, ..) => fault("interrupted", exit.meaning().to_owned()),
            (_, Some(parked), _) => {
                fault("parked", format!("it may be asked after {}: {}", parked.until, parked.reason))
            }
            (.., Some(failure)) => fault(failure.class.as_str(), failure.reason.clone()),
            _ if let Some(reason) = shut => fault("robots", reason),
            _ if let Some(next) = &self.facts.not_followed => fault(
                "redirect",
                format!("more than {} redirects, the next to {}", self.max_redirects, next.url),
            ),
            _ if self.report.totals.out_of_scope > 0 => {
                fault("out-of-scope", "it redirects to a URL that does not belong to the crawl".to_owned())
            }
            _ => fault("failed", exit.meaning().to_owned()),
        }
    }
}

impl Told {
    pub(super) fn of(ended: &Ended) -> Self {
        let last = Last::of(&ended.events);
        let place = last.url.unwrap_or(&ended.request.url);
        let exit = ended.exit(place);
        let (waits, parked) = (waits::waits(ended), waits::parked(ended));
        let (asked, answer) = (ended.pages().count(), ended.pages().next_back());
        let from_cache = last.class == Some(Class::NotModified);
        let fresh = from_cache && last.status.is_none();
        let response = answer.filter(|_| !fresh).and_then(|exchange| exchange.answer.as_ref());
        let whole = response.filter(|_| last.class == Some(Class::Fetched)).cloned();
        Self {
            url: ended.request.url.to_string(),
            final_url: (*place != ended.request.url).then(|| place.to_string()),
            status: last.status,
            from_cache,
            asked,
            revalidated: from_cache && !fresh,
            validators_sent: answer.filter(|_| !fresh).map(conditions).unwrap_or_default(),
            stored: fresh || ended.kept,
            shift: last.shift.map(Shift::as_str),
            digest: last.digest.map(|digest| format!("{digest:016x}")),
            bytes: response.map_or(0, |answer| answer.wire_bytes),
            items: ended
                .items
                .iter()
                .map(|item| json!({ "kind": item.kind, "fields": item.fields }))
                .collect(),
            links: last.links,
            total_wait_s: waits.iter().fold(0.0, |all, wait| all + wait.seconds),
            waits,
            robots: ended.robots(place),
            redirects: hops(ended),
            body: None,
            error: ended.fault(exit, parked.as_ref()),
            parked,
            exit_code: exit.0,
            page: Page {
                request: Request::get(place.clone()),
                digest: last.digest.filter(|_| from_cache),
                answer: whole,
            },
        }
    }

    /// The answer with its body, or the one that was recorded before and still is the page's.
    pub(super) fn take_answer(&mut self, plan: &Plan) -> Option<Response> {
        let Page { request, digest, answer } = &mut self.page;
        answer.take().or_else(|| recorded(plan, request, (*digest)?))
    }

    /// For people. `body` is where the body was wanted.
    pub(in crate::cli) fn text(&self, body: Option<&Path>) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: &str| {
            writeln!(text, "{name:<9} {}", safe(value)).expect("a String takes everything");
        };
        row("url", &self.url);
        for hop in &self.redirects {
            row("", &format!("{} to {}", hop.status, hop.location.as_deref().unwrap_or("nowhere")));
        }
        row("answer", &self.answer());
        let asked: Vec<_> =
            self.validators_sent.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if !asked.is_empty() {
            row("asked", &asked.join(", "));
        }
        if self.digest.is_some() {
            row("page", &self.page());
        }
        if !self.waits.is_empty() {
            row("waited", &self.waited());
        }
        row("robots", &self.robots.text());
        match (&self.body, body) {
            (Some(place), _) => {
                row("body", &format!("{} to {}", bytes(place.bytes as u64), place.file.display()));
            }
            (None, Some(_)) => row("body", "none: --fresh asks for it, [cache] bodies = true keeps it"),
            (None, None) => {}
        }
        if let Some(fault) = &self.error {
            row("error", &format!("{}: {}", fault.class, fault.reason));
            row("", Exit(self.exit_code).remedy());
        }
        text
    }

    fn answer(&self) -> String {
        match (self.status, self.from_cache) {
            (None, true) => "from the cache, nobody was asked".to_owned(),
            (Some(status), true) => format!("{status}, it has not changed"),
            (Some(status), false) => format!("{status}, {}", bytes(self.bytes)),
            (None, false) => "none".to_owned(),
        }
    }

    fn page(&self) -> String {
        let shift = self.shift.unwrap_or("not judged");
        let kept = if self.stored { "kept in the cache" } else { "not kept" };
        let (items, links) = (counted(self.items.len() as u64, "item"), counted(self.links as u64, "link"));
        format!("{shift}, {kept}, {items}, {links}, digest {}", self.digest.as_deref().unwrap_or("-"))
    }

    fn waited(&self) -> String {
        let time = |seconds| duration(std::time::Duration::from_secs_f64(seconds));
        let parts = self.waits.iter().map(|wait| format!("{} {}", wait.reason, time(wait.seconds)));
        format!("{}: {}", time(self.total_wait_s), parts.collect::<Vec<_>>().join(", "))
    }
}

impl Robots {
    fn text(&self) -> String {
        match &self.line {
            Some(line) => format!("{} by `{line}`", self.verdict),
            None => self.verdict.to_owned(),
        }
    }
}

/// The fields that asked whether the page has changed, as they were sent.
fn conditions(exchange: &Exchange) -> BTreeMap<String, String> {
    let field = |name: http::HeaderName| {
        let value = String::from_utf8_lossy(exchange.sent.get(&name)?.as_bytes()).into_owned();
        Some((name.as_str().to_owned(), value))
    };
    [IF_NONE_MATCH, IF_MODIFIED_SINCE].into_iter().filter_map(field).collect()
}

fn hops(ended: &Ended) -> Vec<Hop> {
    let hop = |exchange: &Exchange| {
        let answer = exchange.answer.as_ref()?;
        let is_redirect = Class::of_status(answer.status) == Class::Redirected;
        let location = answer.location().map(std::borrow::Cow::into_owned);
        let status = answer.status.as_u16();
        is_redirect.then(|| Hop { url: exchange.url.to_string(), status, location })
    };
    ended.pages().filter_map(hop).collect()
}
