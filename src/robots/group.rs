//! From records to the rules that apply to us (RFC 9309 section 2.2.1): the groups that name us, merged; else the groups
//! for `*`, merged; else nothing. It does not match anything.
//!
//! Only `Allow` and `Disallow` end a run of `User-agent` lines; other lines do not, so agents that are separated by
//! a `Crawl-delay` or a misspelt line share the rules below them. The wishes outside the RFC (delays, rates, times) are
//! no rules: they belong to the `User-agent` lines directly above them, and of several valid ones the last holds.

use super::extension::{self, RequestRate, VisitTime};
use super::pattern;
use super::reader::{Key, Record};
use super::token::Agent;
use std::time::Duration;

/// Sitemaps that are kept of one file.
pub const MAX_SITEMAPS: usize = 500;

/// `Content-Usage` and `Clean-param` lines that are kept of one file, each.
const MAX_STATEMENTS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Disallow,
}

/// An `Allow` or `Disallow` line that can match something.
#[derive(Debug)]
pub(super) struct Rule {
    pub line: u32,
    pub effect: Effect,
    /// In the common form; its length is how specific the rule is.
    pub pattern: Box<str>,
    /// As it stands in the file.
    pub written: Box<str>,
}

/// What groups for the same agent say together.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub rules: Vec<Rule>,
    pub crawl_delay: Option<Duration>,
    pub request_rate: Option<RequestRate>,
    pub visit_time: Option<VisitTime>,
    pub content_usage: Vec<String>,
}

/// What one file says to us.
#[derive(Debug, Default)]
pub(super) struct File {
    pub group: Group,
    pub sitemaps: Vec<String>,
    pub host: Option<String>,
    pub clean_params: Vec<String>,
}

/// Reads the records for one agent.
pub(super) fn file_for<'a>(records: impl Iterator<Item = Record<'a>>, agent: Agent<'_>) -> File {
    let mut reading = Reading::of(agent);
    for record in records {
        reading.take(record);
    }
    let group = reading.named.unwrap_or(reading.everyone);
    File { group, ..reading.file }
}

/// Whom the `User-agent` lines of the present run address, as far as it concerns us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Addressee {
    #[default]
    Others,
    Everyone,
    Us,
}

/// A run of `User-agent` lines: open while further lines join it.
#[derive(Debug, Default)]
struct Run {
    addressee: Addressee,
    closed: bool,
}

impl Run {
    fn join(&mut self, addressee: Addressee) {
        let before = if self.closed { Addressee::Others } else { self.addressee };
        *self = Self { addressee: before.max(addressee), closed: false };
    }
}

struct Reading<'a> {
    agent: Agent<'a>,
    named: Option<Group>,
    everyone: Group,
    file: File,
    /// For rules: closed by rules.
    rules: Run,
    /// For wishes: closed by every line but those for the whole site.
    wishes: Run,
}

impl<'a> Reading<'a> {
    fn of(agent: Agent<'a>) -> Self {
        Self {
            agent,
            named: None,
            everyone: Group::default(),
            file: File::default(),
            rules: Run::default(),
            wishes: Run::default(),
        }
    }

    fn take(&mut self, Record { line, key, value }: Record<'_>) {
        match key {
            Key::UserAgent => return self.address(value),
            Key::Sitemap => return keep(&mut self.file.sitemaps, value, MAX_SITEMAPS),
            Key::Host => return self.file.host = some_text(value).or(self.file.host.take()),
            Key::CleanParam => keep(&mut self.file.clean_params, value, MAX_STATEMENTS),
            Key::Allow => self.rule(line, Effect::Allow, value),
            Key::Disallow => self.rule(line, Effect::Disallow, value),
            Key::CrawlDelay | Key::RequestRate | Key::VisitTime | Key::ContentUsage => self.wish(key, value),
            Key::Unknown => {}
        }
        self.wishes.closed = true;
    }

    fn address(&mut self, value: &[u8]) {
        let addressee = self.addressee(value);
        if addressee == Addressee::Us {
            self.named.get_or_insert_default();
        }
        self.rules.join(addressee);
        self.wishes.join(addressee);
    }

    fn addressee(&self, value: &[u8]) -> Addressee {
        match value {
            [b'*'] => Addressee::Everyone,
            [b'*', next, ..] if next.is_ascii_whitespace() => Addressee::Everyone,
            _ if self.agent.is_named_by(value) => Addressee::Us,
            _ => Addressee::Others,
        }
    }

    fn rule(&mut self, line: u32, effect: Effect, value: &[u8]) {
        self.rules.closed = true;
        let addressee = self.rules.addressee;
        let Some(group) = self.group_of(addressee) else {
            return;
        };
        if let Some(pattern) = pattern::normal_pattern(value) {
            group.rules.push(Rule { line, effect, pattern, written: String::from_utf8_lossy(value).into() });
        }
    }

    fn wish(&mut self, key: Key, value: &[u8]) {
        let addressee = self.wishes.addressee;
        let Some(group) = self.group_of(addressee) else {
            return;
        };
        match key {
            Key::CrawlDelay => group.crawl_delay = extension::crawl_delay(value).or(group.crawl_delay),
            Key::RequestRate => group.request_rate = extension::request_rate(value).or(group.request_rate),
            Key::VisitTime => group.visit_time = extension::visit_time(value).or(group.visit_time),
            _ => keep(&mut group.content_usage, value, MAX_STATEMENTS),
        }
    }

    fn group_of(&mut self, addressee: Addressee) -> Option<&mut Group> {
        match addressee {
            Addressee::Us => self.named.as_mut(),
            Addressee::Everyone => Some(&mut self.everyone),
            Addressee::Others => None,
        }
    }
}

fn keep(list: &mut Vec<String>, value: &[u8], most: usize) {
    if list.len() < most {
        list.extend(some_text(value));
    }
}

fn some_text(value: &[u8]) -> Option<String> {
    (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
}
