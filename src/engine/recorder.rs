//! Writes the journal: what the loop is about to do, before it does it.
//!
//! The recorder decides nothing. It gives hosts and origins their numbers, says once in a run what is configured for them and
//! which robots.txt is in force, and turns leases and outcomes into records. If it fails the run ends: no request leaves
//! unrecorded.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use http::Method as HttpMethod;

use super::report::End as EndOfRun;
use crate::audit::record::{
    Begin, BodyPart, Bucket, End, Found, HostLine, Method, OriginLine, Pace, Record, Reply, RobotsLine,
    Ruling, RunEnd, RunStart, ScopeLine, Verdict, Wait, What,
};
use crate::frontier::{ControlLease, Lease, RobotsLease, Settings, Stored};
use crate::politeness::{Class, Outcome, PaceRule, Policy};
use crate::request::Kind;
use crate::robots::{RobotsAnswer, RobotsRecord};
use crate::scope::{HostPattern, Scope};
use crate::store::journal::{JournalError, JournalWriter, Journals};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint, HostKey, Origin};

/// Bytes of a robots.txt in one record.
const PART: usize = 8 * 1024;
/// What is kept of a Location field: more than any URL that is accepted.
const MAX_LOCATION: usize = 8_300;
/// What is kept of a line of robots.txt.
const MAX_RULE: usize = 200;

/// The journal's name for a request that has left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket(u64);

/// A run that begins.
pub(super) struct Opening<'a> {
    pub(super) at: Timestamp,
    pub(super) round: u32,
    pub(super) found: Found,
    pub(super) settings: &'a Settings,
    pub(super) scope: &'a Scope,
    /// Hosts that files may come from.
    pub(super) file_hosts: &'a [HostPattern],
}

/// A request that is about to leave.
pub(super) struct Leaving<'a> {
    pub(super) at: Timestamp,
    pub(super) url: &'a CanonicalUrl,
    pub(super) method: &'a HttpMethod,
    pub(super) depth: u32,
    pub(super) errand: Errand,
    /// The line of robots.txt that allows it.
    pub(super) rule: Option<&'a str>,
}

/// What a request is for.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    /// A page.
    Page,
    /// A file.
    File,
    /// robots.txt of this origin.
    Robots(Origin),
    /// A page asked once more.
    Control,
}

/// Writes the journal of a run, if one is kept.
pub(super) struct Recorder(Option<Book>);

/// There may be millions of hosts: they are known by 64 bits of their names, under a key that nobody can know.
struct Book {
    writer: JournalWriter,
    marks: RandomState,
    hosts: HashMap<u64, u32>,
    origins: HashMap<u64, OriginEntry>,
    texts: HashSet<u64>,
    kept: HashMap<Origin, RobotsRecord>,
    begun: u64,
}

struct OriginEntry {
    number: u32,
    /// The line that allowed the request before.
    rule: Option<Box<str>>,
}

impl Recorder {
    /// Begins the journal of a run.
    pub(super) fn start(journals: Option<&Journals>, opening: &Opening<'_>) -> Result<Self, JournalError> {
        let Some(journals) = journals else {
            return Ok(Self(None));
        };
        let mut writer = match opening.found {
            Found::Beside => journals.begin_beside(opening.round)?,
            _ => journals.begin(opening.round)?,
        };
        writer.write(Record::RunStart(run_start(opening)))?;
        let files = opening.file_hosts.iter().map(|host| ScopeLine::FileHost(host.to_string()));
        for line in ScopeLine::of(opening.scope).into_iter().chain(files) {
            writer.write(Record::Scope(line))?;
        }
        Ok(Self(Some(Book {
            writer,
            marks: RandomState::new(),
            hosts: HashMap::new(),
            origins: HashMap::new(),
            texts: HashSet::new(),
            kept: HashMap::new(),
            begun: 0,
        })))
    }

    /// A verdict that an earlier run has left.
    pub(super) fn keep(&mut self, origin: &Origin, record: &RobotsRecord) {
        if let Some(book) = &mut self.0 {
            book.kept.insert(origin.clone(), record.clone());
        }
    }

    /// The same of hosts that are woken for the first time in this run.
    pub(super) fn keep_first(&mut self, woken: &[Stored]) {
        for stored in woken.iter().filter(|stored| stored.nap.is_none()) {
            for origin in &stored.origins {
                origin.robots.iter().for_each(|record| self.keep(&origin.origin, record));
            }
        }
    }

    /// A page is about to leave. `policy` is that of its host.
    pub(super) fn page_leaves(&mut self, lease: &Lease, policy: &Policy) -> Result<Ticket, JournalError> {
        let request = lease.request();
        let leaving = Leaving {
            at: lease.began(),
            url: &request.url,
            method: &request.method,
            depth: request.depth,
            errand: if request.kind == Kind::Download { Errand::File } else { Errand::Page },
            rule: lease.rule(),
        };
        self.leaves(&leaving, policy)
    }

    /// A request for robots.txt is about to leave. `policy` is that of the host that is asked.
    pub(super) fn robots_leaves(
        &mut self,
        lease: &RobotsLease,
        policy: &Policy,
    ) -> Result<Ticket, JournalError> {
        let leaving = Leaving {
            at: lease.began(),
            url: lease.url(),
            method: &HttpMethod::GET,
            depth: 0,
            errand: Errand::Robots(lease.origin()),
            rule: None,
        };
        self.leaves(&leaving, policy)
    }

    /// A control request is about to leave. `policy` is that of its host.
    pub(super) fn control_leaves(
        &mut self,
        lease: &ControlLease,
        policy: &Policy,
    ) -> Result<Ticket, JournalError> {
        let leaving = Leaving {
            at: lease.began(),
            url: lease.url(),
            method: lease.method(),
            depth: 0,
            errand: Errand::Control,
            rule: None,
        };
        self.leaves(&leaving, policy)
    }

    fn leaves(&mut self, leaving: &Leaving<'_>, policy: &Policy) -> Result<Ticket, JournalError> {
        match &mut self.0 {
            Some(book) => book.leaves(leaving, policy),
            None => Ok(Ticket(0)),
        }
    }

    /// The answer to a request is here, or it is known not to come.
    pub(super) fn ended(
        &mut self,
        ticket: Ticket,
        outcome: &Outcome,
        location: Option<&str>,
    ) -> Result<(), JournalError> {
        let Some(book) = &mut self.0 else {
            return Ok(());
        };
        book.writer.write(Record::End(End {
            request: ticket.0,
            at: outcome.ended,
            reply: reply(outcome),
            wait: wait(outcome),
            location: location.map(|location| cut(location, MAX_LOCATION)),
        }))
    }

    /// The answer to a request for robots.txt has settled it.
    pub(super) fn robots_ruled(
        &mut self,
        ticket: Ticket,
        ruled: Option<&(Origin, RobotsRecord)>,
    ) -> Result<(), JournalError> {
        match (&mut self.0, ruled) {
            (Some(book), Some((origin, record))) => book.ruled(Some(ticket), origin, record),
            _ => Ok(()),
        }
    }

    /// The run is over.
    pub(super) fn run_ends(&mut self, at: Timestamp, end: EndOfRun) -> Result<EndOfRun, JournalError> {
        if let Some(book) = &mut self.0 {
            book.writer.write(Record::RunEnd(RunEnd { at, why: end.as_str().to_owned() }))?;
        }
        Ok(end)
    }
}

impl Book {
    fn leaves(&mut self, leaving: &Leaving<'_>, policy: &Policy) -> Result<Ticket, JournalError> {
        let asked = leaving.url.origin();
        let origin = self.origin(&asked, policy)?;
        let what = match &leaving.errand {
            Errand::Page | Errand::File => {
                self.take_over(&asked, leaving.at)?;
                if matches!(leaving.errand, Errand::File) { What::File } else { What::Page }
            }
            Errand::Robots(of) => What::Robots(self.origin(of, policy)?),
            Errand::Control => What::Control,
        };
        let rule = self.ruling(&asked, leaving.rule);
        self.writer.write(Record::Begin(Begin {
            at: leaving.at,
            origin,
            what,
            method: Method::of(leaving.method.as_str()),
            path: leaving.url.path_and_query().to_owned(),
            depth: leaving.depth,
            rule,
        }))?;
        self.begun += 1;
        Ok(Ticket(self.begun - 1))
    }

    /// The number of an origin. The first time, it is said who it is and what is configured for its host.
    fn origin(&mut self, origin: &Origin, policy: &Policy) -> Result<u32, JournalError> {
        let mark = self.marks.hash_one(origin.as_str());
        if let Some(entry) = self.origins.get(&mark) {
            return Ok(entry.number);
        }
        let host = self.host(&origin.host_key(), policy)?;
        let number = self.origins.len() as u32;
        self.writer.write(Record::Origin(OriginLine { host, text: origin.as_str().to_owned() }))?;
        self.origins.insert(mark, OriginEntry { number, rule: None });
        Ok(number)
    }

    fn host(&mut self, key: &HostKey, policy: &Policy) -> Result<u32, JournalError> {
        let mark = self.marks.hash_one(key.as_str());
        if let Some(number) = self.hosts.get(&mark) {
            return Ok(*number);
        }
        let number = self.hosts.len() as u32;
        let line = HostLine { name: key.as_str().to_owned(), pace: pace(policy) };
        self.writer.write(Record::Host(line))?;
        self.hosts.insert(mark, number);
        Ok(number)
    }

    /// Says which verdict of an earlier run the first page of an origin rests on.
    fn take_over(&mut self, origin: &Origin, now: Timestamp) -> Result<(), JournalError> {
        match self.kept.remove(origin).filter(|record| record.expires_at > now) {
            Some(record) => self.ruled(None, origin, &record),
            None => Ok(()),
        }
    }

    fn ruled(
        &mut self,
        ticket: Option<Ticket>,
        origin: &Origin,
        record: &RobotsRecord,
    ) -> Result<(), JournalError> {
        self.kept.remove(origin);
        let mark = self.marks.hash_one(origin.as_str());
        let Some(number) = self.origins.get(&mark).map(|entry| entry.number) else {
            return Ok(());
        };
        let verdict = match &record.answer {
            RobotsAnswer::Text(text) => Verdict::Text(self.text(text)?),
            RobotsAnswer::AllowAll => Verdict::AllowAll,
            RobotsAnswer::DenyAll => Verdict::DenyAll,
            RobotsAnswer::Unreachable { .. } => Verdict::Unreachable,
        };
        self.writer.write(Record::Robots(RobotsLine {
            origin: number,
            answer_to: ticket.map(|ticket| ticket.0),
            at: record.fetched_at,
            until: record.expires_at,
            verdict,
        }))
    }

    /// The digest of a text. The first time, the text is written.
    fn text(&mut self, text: &[u8]) -> Result<u64, JournalError> {
        let digest = Fingerprint::of(text).get();
        if !self.texts.insert(digest) {
            return Ok(digest);
        }
        let mut parts: Vec<&[u8]> = text.chunks(PART).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let last = parts.len() - 1;
        for (number, bytes) in parts.into_iter().enumerate() {
            let part = BodyPart { digest, last: number == last, bytes: bytes.to_vec() };
            self.writer.write(Record::Body(part))?;
        }
        Ok(digest)
    }

    fn ruling(&mut self, origin: &Origin, rule: Option<&str>) -> Ruling {
        let mark = self.marks.hash_one(origin.as_str());
        let (Some(rule), Some(entry)) = (rule, self.origins.get_mut(&mark)) else {
            return Ruling::NoLine;
        };
        let rule = cut(rule, MAX_RULE);
        if entry.rule.as_deref() == Some(rule.as_str()) {
            return Ruling::AsBefore;
        }
        entry.rule = Some(rule.as_str().into());
        Ruling::Line(rule)
    }
}

fn run_start(opening: &Opening<'_>) -> RunStart {
    let Opening { settings, scope, .. } = opening;
    let limits = &scope.limits;
    RunStart {
        at: opening.at,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        round: opening.round,
        found: opening.found,
        agent: settings.agent.as_str().to_owned(),
        max_in_flight: settings.max_in_flight as u64,
        min_interval_ms: settings.max_rate.map(|rate| (rate.per / rate.requests.get()).as_millis() as u64),
        max_depth: scope.max_depth,
        url_limits: [limits.bytes, limits.segments, limits.in_a_row, limits.in_all, limits.parameters]
            .map(|limit| limit as u64),
    }
}

fn pace(policy: &Policy) -> Pace {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Pace {
        delay_ms: millis(policy.delay),
        max_concurrency: policy.max_concurrency,
        max_crawl_delay_ms: millis(policy.max_crawl_delay),
        bucket: policy.rate.map(|rate| Bucket {
            requests: rate.requests.get(),
            per_ms: millis(rate.per),
            burst: policy.burst,
        }),
        rule: match policy.pace_rule() {
            PaceRule::Adaptive => "adaptive",
            PaceRule::Fixed => "fixed",
        }
        .to_owned(),
    }
}

fn reply(outcome: &Outcome) -> Reply {
    match (outcome.class, outcome.status) {
        (Class::Unreachable(kind), _) => Reply::Failed(kind),
        (Class::Truncated(_), Some(status)) => Reply::Broken(status),
        (_, status) => Reply::Whole(status.unwrap_or(0)),
    }
}

/// A `Retry-After` comes before an announced window.
fn wait(outcome: &Outcome) -> Wait {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match (outcome.told, outcome.announced.remaining, outcome.announced.reset) {
        (Some(told), ..) => Wait::Told(millis(told)),
        (None, Some(0), Some(reset)) => Wait::Exhausted(millis(reset)),
        _ => Wait::None,
    }
}

/// The beginning of a text, cut between two letters.
fn cut(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    text[..end].to_owned()
}
