//! What a journal says: one record for everything that bears on whether a crawl was polite.
//!
//! Plain data, in the order in which it happened. Moments are absolute here; how they are packed is the business of whoever
//! writes them down. Hosts and origins are named once in a run and meant by number from then on; the numbers count from 0 in
//! the order in which the records stand. So do requests.

use serde::{Deserialize, Serialize};

use crate::response::FailureKind;
use crate::scope::Scope;
use crate::time::Timestamp;

/// One thing that happened, or one fact that what happened is measured by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A run begins. The first record of every journal.
    RunStart(RunStart),
    /// A line of the scope; all of them stand before the first request.
    Scope(ScopeLine),
    /// A host is asked for the first time in this run.
    Host(HostLine),
    /// An origin is asked for the first time in this run.
    Origin(OriginLine),
    /// A part of a robots.txt text.
    Body(BodyPart),
    /// A robots.txt verdict comes into force.
    Robots(RobotsLine),
    /// A request is about to leave.
    Begin(Begin),
    /// Its answer is here, or is known not to come.
    End(End),
    /// The run ends in order.
    RunEnd(RunEnd),
}

/// Who crawls, since when, and what holds for the whole crawl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStart {
    /// When the run began.
    pub at: Timestamp,
    /// The version of the program.
    pub program: String,
    /// The round, counted from 1.
    pub round: u32,
    /// What the run found.
    pub found: Found,
    /// The name that robots.txt knows the crawler by.
    pub agent: String,
    /// Requests in flight over all hosts at most.
    pub max_in_flight: u64,
    /// The shortest time in milliseconds between any two requests, if the crawl as a whole is bounded.
    pub min_interval_ms: Option<u64>,
    /// Most links from a seed.
    pub max_depth: Option<u32>,
    /// The limits on shapes of URLs: bytes, segments, one in a row, one in all, parameters.
    pub url_limits: [u64; 5],
}

/// What a run found in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// Nothing: there never was a run.
    Nothing,
    /// Earlier rounds; this run begins one of its own.
    Rounds,
    /// A round that was begun before and is gone on with: its queue comes from earlier runs.
    Unfinished,
    /// A crawl that is none of its business: a single page is asked for beside it.
    Beside,
}

/// A pattern of the scope, as a crawler file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeLine {
    /// A host that belongs.
    Host(String),
    /// A URL must match one of these, if there are any.
    Include(String),
    /// A URL must match none of these.
    Exclude(String),
    /// A host that files may come from.
    FileHost(String),
}

impl ScopeLine {
    /// The patterns of a scope, in its order.
    #[must_use]
    pub fn of(scope: &Scope) -> Vec<Self> {
        let hosts = scope.hosts.iter().map(|host| Self::Host(host.to_string()));
        let include = scope.include.iter().map(|pattern| Self::Include(pattern.as_str().to_owned()));
        let exclude = scope.exclude.iter().map(|pattern| Self::Exclude(pattern.as_str().to_owned()));
        hosts.chain(include).chain(exclude).collect()
    }
}

/// A host and the pace that is configured for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLine {
    /// Its name.
    pub name: String,
    /// What is configured for it.
    pub pace: Pace,
}

/// The configured pace of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Least time between two requests, in milliseconds: from the end of an answer to the next request where one request is
    /// in flight at a time, else from request to request.
    pub delay_ms: u64,
    /// Requests in flight at most.
    pub max_concurrency: u32,
    /// A Crawl-delay above this, in milliseconds, closes the origin.
    pub max_crawl_delay_ms: u64,
    /// A bucket of tokens that requests are taken from, if one is configured.
    pub bucket: Option<Bucket>,
    /// The rule by which the crawler learns its pace, by name. Whatever it learns, it may not go below the rest of this.
    pub rule: String,
}

/// So many requests in so much time, with so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Requests.
    pub requests: u32,
    /// The time for them, in milliseconds.
    pub per_ms: u64,
    /// Tokens that a full bucket holds.
    pub burst: u32,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginLine {
    /// The number of its host.
    pub host: u32,
    /// The origin as text, without a final slash.
    pub text: String,
}

/// A part of a text; the parts of one text stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyPart {
    /// The digest of the whole text.
    pub digest: u64,
    /// Whether the text ends here.
    pub last: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A robots.txt verdict, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotsLine {
    /// The number of the origin that it holds for.
    pub origin: u32,
    /// The request whose answer it is; `None` if it was kept by an earlier run.
    pub answer_to: Option<u64>,
    /// When it came.
    pub at: Timestamp,
    /// Until when it is relied on, or when it is asked again if it could not be had.
    pub until: Timestamp,
    /// What it says.
    pub verdict: Verdict,
}

/// What a robots.txt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The text with this digest.
    Text(u64),
    /// There is none: everything is allowed.
    AllowAll,
    /// Nothing is allowed.
    DenyAll,
    /// It could not be had: nothing is asked.
    Unreachable,
}

/// A request that is about to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// When it was let go: never later than it left.
    pub at: Timestamp,
    /// The number of the origin that is asked.
    pub origin: u32,
    /// What for.
    pub what: What,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Links from a seed.
    pub depth: u32,
    /// The line of robots.txt that allowed it, if one did.
    pub rule: Ruling,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A page, or anything else that a link or a seed names.
    Page,
    /// robots.txt of the origin with this number, or where it was redirected to.
    Robots(u32),
    /// A page asked once more, to tell a host that shuts us out from a page that is forbidden.
    Control,
    /// A file that is downloaded. Its URL belongs by a rule of its own.
    File,
}

/// A method in one byte, but for the rare ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// Another one, by its name.
    Other(String),
}

impl Method {
    /// The method of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What the crawler held to allow a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ruling {
    /// No line of robots.txt matched, or none was needed.
    NoLine,
    /// The same line as for the request to this origin before.
    AsBefore,
    /// This line.
    Line(String),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its number: the first request of the run is 0.
    pub request: u64,
    /// When its last byte was read, or the failure was noticed.
    pub at: Timestamp,
    /// What came.
    pub reply: Reply,
    /// What the answer asks for.
    pub wait: Wait,
    /// Where a redirect points.
    pub location: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// An answer with this status.
    Whole(u16),
    /// An answer with this status whose body broke off.
    Broken(u16),
    /// No answer.
    Failed(FailureKind),
}

/// How long the host asks to be left alone, in milliseconds from the end of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wait {
    /// No word.
    None,
    /// Its `Retry-After`.
    Told(u64),
    /// No request is left in a window that ends then.
    Exhausted(u64),
}

/// The end of a run that was not killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// When.
    pub at: Timestamp,
    /// Why, in a word.
    pub why: String,
}

impl Record {
    /// The moments in the record, for whoever packs them.
    pub fn moments(&mut self) -> Vec<&mut Timestamp> {
        match self {
            Self::RunStart(line) => vec![&mut line.at],
            Self::Robots(line) => vec![&mut line.at, &mut line.until],
            Self::Begin(line) => vec![&mut line.at],
            Self::End(line) => vec![&mut line.at],
            Self::RunEnd(line) => vec![&mut line.at],
            Self::Scope(_) | Self::Host(_) | Self::Origin(_) | Self::Body(_) => Vec::new(),
        }
    }
}
