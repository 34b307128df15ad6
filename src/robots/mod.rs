//! robots.txt (RFC 9309): what a host asks crawlers to leave alone, and how fast they may be.
//!
//! Pure: octets and a name in, verdicts out. Fetching the file, keeping it and waiting are for others. What survives
//! a restart is the body itself: store what was read of it (512 KiB suffice, see `MAX_BYTES`) and parse it again, which
//! takes about as long as decoding a stored form would, and lets a better reader see the old file.
//!
//! # How the crate `texting_robots` is used
//! It decides (matching, the longest rule first, allow on a tie) and reads nothing that a site wrote. Reading lines, choosing
//! groups and percent-encoding are done here, as it deviates from RFC 9309 in each. It gets one group for `*` in the
//! common form of `pattern.rs`, without a `$`: the end of a path is a character like any other there. That keeps it away
//! from its regular expressions, whose size limit would fail a whole file and whose cost a hostile file could choose.
//! A file with more rules and stars than `PREPARED_WORK` is decided by `pattern::matches` alone, rule by rule from the longest,
//! which is as exact and has no cost per rule beyond a search.
//!
//! # Deviations from Google's parser
//! - `%62%61%7A` in a rule matches `baz` (RFC 9309 section 2.2.2), and a raw `*`, `$` or `'` in a URL counts as its
//!   `%XX` (section 2.2.3), so `/*%` covers it.
//! - An `Allow` for `/dir/index.html` says nothing about `/dir/`.
//! - A raw character outside ASCII in a URL is percent-encoded before it is compared, as the URL standard does.
//! - No line that begins after `MAX_BYTES` is read.
//! - UTF-16 with a byte order mark is read; a NUL ends a line, not the reading of it; `Disallow /a:b` is a rule for
//!   `/a:b`.

mod access;
mod extension;
mod group;
mod pattern;
mod reader;
mod record;
mod token;

pub use access::{
    Access, CACHE_LIFETIME, ForbiddenPolicy, MAX_REDIRECTS, MIN_LIFETIME, access, access_after_redirects,
    lifetime,
};
pub use extension::{RequestRate, VisitTime};
pub use group::MAX_SITEMAPS;
pub use reader::MAX_LINE_BYTES;
pub use record::{RobotsAnswer, RobotsCopy, RobotsRecord};
pub use token::{ProductToken, ProductTokenError};

use group::{Effect, File, Rule};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;
use texting_robots::Robot;
use token::Agent;
use url::{Position, Url};

/// Lines that begin within so many octets are parsed: the 500 KiB of RFC 9309 section 2.5. A line is never cut in two there,
/// as half a `Disallow: /private` could close a whole site.
pub const MAX_BYTES: usize = 500 * 1024;

/// Rules and stars of a file up to which `texting_robots` decides about it.
const PREPARED_WORK: usize = 4_096;

/// What one robots.txt says to one crawler. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RobotsRules(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    judge: Judge,
    /// The most specific first, `Allow` before `Disallow` of the same length.
    file: File,
}

#[derive(Debug)]
enum Judge {
    /// Nothing is allowed.
    Closed,
    /// `texting_robots` decides.
    Prepared(Box<Robot>),
    /// The first matching rule decides.
    InOrder,
}

/// Whether a URL may be fetched, and because of which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotsVerdict {
    /// Whether it may be fetched.
    pub allowed: bool,
    /// The rule that decided; none if no rule matches, or for /robots.txt itself.
    pub rule: Option<MatchedRule>,
}

/// A line of robots.txt that decided about a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRule {
    /// Its line number, from 1.
    pub line: u32,
    /// The rule, for example `Disallow: /private/`; the key in its usual spelling, the pattern as it was written.
    pub text: String,
}

/// The line as it stands in the file, with its number.
impl std::fmt::Display for MatchedRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (robots.txt line {})", self.text, self.line)
    }
}

impl RobotsRules {
    /// Reads a body for the crawler of that name. Never fails: what cannot be read is ignored (RFC 9309 section 2.3.1.5).
    #[must_use]
    pub fn parse(body: &[u8], agent: &ProductToken) -> Self {
        Self::parse_for(body, Agent::Token(agent))
    }

    /// Reads a body for a crawler of any name, for questions about others. What follows a slash in the name is ignored;
    /// a name that is no [`ProductToken`] then is addressed by lines that hold the whole of it, which one with white
    /// space in it never is: it belongs to `*`.
    #[must_use]
    pub fn parse_for_name(body: &[u8], name: &str) -> Self {
        let name = name.split('/').next().unwrap_or_default();
        match ProductToken::parse(name) {
            Ok(token) => Self::parse(body, &token),
            Err(_) => Self::parse_for(body, Agent::Name(name)),
        }
    }

    fn parse_for(body: &[u8], agent: Agent<'_>) -> Self {
        let text = reader::decode(body);
        let mut file = group::file_for(reader::records(&text, MAX_BYTES), agent);
        file.group.rules.sort_by_key(|rule| (Reverse(rule.pattern.len()), rule.effect == Effect::Disallow));
        let judge = prepared(&file.group.rules).map_or(Judge::InOrder, Judge::Prepared);
        Self(Arc::new(Parsed { judge, file }))
    }

    /// No rules: everything is allowed, as after a 4xx.
    #[must_use]
    pub fn allow_all() -> Self {
        Self(Arc::new(Parsed { judge: Judge::InOrder, file: File::default() }))
    }

    /// Everything but /robots.txt is forbidden, as while the file cannot be reached.
    #[must_use]
    pub fn deny_all() -> Self {
        Self(Arc::new(Parsed { judge: Judge::Closed, file: File::default() }))
    }

    /// Whether a URL may be fetched (RFC 9309 section 2.2.2), without the reason.
    ///
    /// Its path and query are compared; its host is not, nor a fragment.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        is_own_path(url) || self.decide(&path_of(url))
    }

    /// Whether a URL may be fetched, and the line that decided.
    #[must_use]
    pub fn verdict(&self, url: &Url) -> RobotsVerdict {
        if is_own_path(url) {
            return RobotsVerdict { allowed: true, rule: None };
        }
        let path = path_of(url);
        let (allowed, rule) = match &self.0.judge {
            Judge::Closed => (false, None),
            Judge::Prepared(robot) => self.explained(robot.allowed(&path), &path),
            Judge::InOrder => {
                let rule = first_match(&self.0.file.group.rules, &path);
                (is_allowed_by(rule), rule)
            }
        };
        RobotsVerdict { allowed, rule: rule.map(MatchedRule::of) }
    }

    /// The most specific matching rule of the kind that won.
    fn explained(&self, allowed: bool, path: &str) -> (bool, Option<&Rule>) {
        let effect = if allowed { Effect::Allow } else { Effect::Disallow };
        let rules = self.0.file.group.rules.iter().filter(|rule| rule.effect == effect);
        (allowed, first_match(rules, path))
    }

    fn decide(&self, path: &str) -> bool {
        match &self.0.judge {
            Judge::Closed => false,
            Judge::Prepared(robot) => robot.allowed(path),
            Judge::InOrder => is_allowed_by(first_match(&self.0.file.group.rules, path)),
        }
    }

    /// The `Crawl-delay` of our group in seconds, at most 1e9; the last valid one. That of `*` is not taken when
    /// a group names us.
    #[must_use]
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.0.file.group.crawl_delay
    }

    /// The `Request-rate` of our group; the last valid one.
    #[must_use]
    pub fn request_rate(&self) -> Option<RequestRate> {
        self.0.file.group.request_rate
    }

    /// The `Visit-time` of our group, in UTC; the last valid one.
    #[must_use]
    pub fn visit_time(&self) -> Option<VisitTime> {
        self.0.file.group.visit_time
    }

    /// The longer of `Crawl-delay` and the distance that `Request-rate` gives, at every time of the day.
    #[must_use]
    pub fn min_delay(&self) -> Option<Duration> {
        self.crawl_delay().max(self.request_rate().map(|rate| rate.delay()))
    }

    /// The `Sitemap` lines of the whole file as written, at most [`MAX_SITEMAPS`]; they may be relative.
    #[must_use]
    pub fn sitemaps(&self) -> &[String] {
        &self.0.file.sitemaps
    }

    /// The `Content-Usage` lines of our group as written.
    #[must_use]
    pub fn content_usage(&self) -> &[String] {
        &self.0.file.group.content_usage
    }

    /// The preferred host that the last `Host` line names.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.0.file.host.as_deref()
    }

    /// The `Clean-param` lines of the whole file as written.
    #[must_use]
    pub fn clean_params(&self) -> &[String] {
        &self.0.file.clean_params
    }
}

impl MatchedRule {
    fn of(rule: &Rule) -> Self {
        Self { line: rule.line, text: format!("{}: {}", rule.effect.key(), rule.written) }
    }
}

impl Effect {
    fn key(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Disallow => "Disallow",
        }
    }
}

/// /robots.txt is allowed by itself (RFC 9309 section 2.2.2).
fn is_own_path(url: &Url) -> bool {
    url.path() == "/robots.txt" && url.query().is_none()
}

fn path_of(url: &Url) -> String {
    pattern::normal_path(&url[Position::BeforePath..Position::AfterQuery])
}

/// Of rules in order of precedence the one that decides.
fn first_match<'a>(rules: impl IntoIterator<Item = &'a Rule>, path: &str) -> Option<&'a Rule> {
    rules.into_iter().find(|rule| pattern::matches(&rule.pattern, path))
}

fn is_allowed_by(decisive: Option<&Rule>) -> bool {
    decisive.is_none_or(|rule| rule.effect == Effect::Allow)
}

/// The rules as a file that `texting_robots` reads without loss; none if that would cost too much.
fn prepared(rules: &[Rule]) -> Option<Box<Robot>> {
    let stars: usize =
        rules.iter().map(|rule| rule.pattern.bytes().filter(|&octet| octet == b'*').count()).sum();
    if rules.is_empty() || rules.len() + stars > PREPARED_WORK {
        return None;
    }
    let mut text = String::from("User-agent: *\n");
    for rule in rules {
        text.extend([rule.effect.key(), ": ", &rule.pattern, "\n"]);
    }
    Robot::new("*", text.as_bytes()).ok().map(Box::new)
}

#[cfg(test)]
mod tests;
