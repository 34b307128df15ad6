//! Whether a page belonged to the crawl, by the scope that the journal has.
//!
//! A queue is gone on with by later runs of its round, whose crawler file may have changed. So a page belongs if the scope of
//! its own run, or of an earlier run of the same round, lets it in.

use super::JournalFault;
use super::record::{Found, RunStart, ScopeLine};
use crate::request::Request;
use crate::scope::{HostPattern, Scope, UrlLimits, UrlPattern};
use crate::url::CanonicalUrl;

/// Scopes of one round that are told apart; a round of more runs with a new scope each forgets the oldest.
const MAX_SCOPES: usize = 16;

/// The scopes of a round.
#[derive(Debug, Default)]
pub(super) struct Belonging {
    round: u32,
    /// The last is that of the run.
    scopes: Vec<Scope>,
    /// Hosts that files may come from, by all runs of the round.
    file_hosts: Vec<HostPattern>,
    /// Whether earlier runs of the round may have had a scope that is not known.
    incomplete: bool,
    /// The scope of a page that is asked for beside the crawl; it holds for that page alone.
    beside: Option<Scope>,
}

impl Belonging {
    pub(super) fn run_starts(&mut self, start: &RunStart) {
        self.beside = (start.found == Found::Beside).then(|| empty_scope(start));
        if self.beside.is_some() {
            return;
        }
        let same_round = self.round == start.round;
        if !same_round {
            self.scopes.clear();
            self.file_hosts.clear();
        }
        self.incomplete = start.found == Found::Unfinished && (!same_round || self.incomplete);
        self.round = start.round;
        self.scopes.push(empty_scope(start));
        if self.scopes.len() > MAX_SCOPES {
            self.scopes.remove(0);
            self.incomplete = true;
        }
    }

    pub(super) fn line(&mut self, line: &ScopeLine) -> Result<(), JournalFault> {
        if let ScopeLine::FileHost(text) = line {
            let host = HostPattern::parse(text).map_err(unreadable)?;
            if !self.file_hosts.contains(&host) {
                self.file_hosts.push(host);
            }
            return Ok(());
        }
        let scope = self.beside.as_mut().or(self.scopes.last_mut()).ok_or(JournalFault::Order)?;
        match line {
            ScopeLine::Host(text) => scope.hosts.push(HostPattern::parse(text).map_err(unreadable)?),
            ScopeLine::Include(text) => scope.include.push(UrlPattern::parse(text).map_err(unreadable)?),
            ScopeLine::FileHost(_) => {}
            ScopeLine::Exclude(text) => scope.exclude.push(UrlPattern::parse(text).map_err(unreadable)?),
        }
        Ok(())
    }

    /// Why a file does not belong, in words; `Ok` if it does or if that cannot be known.
    pub(super) fn judge_file(&self, url: &CanonicalUrl) -> Result<(), String> {
        if self.incomplete || self.file_hosts.iter().any(|host| host.matches(url)) {
            return Ok(());
        }
        Err("is a file of a host that no file may come from".to_owned())
    }

    /// Why a page does not belong, in words; `Ok` if it does or if that cannot be known.
    pub(super) fn judge(&self, url: &CanonicalUrl, depth: u32) -> Result<(), String> {
        let mut request = Request::get(url.clone());
        request.depth = depth;
        if let Some(scope) = &self.beside {
            return scope.judge(&request).map_err(|why| format!("is out of scope: {why}"));
        }
        let mut why = None;
        for scope in self.scopes.iter().rev() {
            match scope.judge(&request) {
                Ok(()) => return Ok(()),
                Err(error) => why = why.or(Some(error)),
            }
        }
        match why {
            Some(why) if !self.incomplete => Err(format!("is out of scope: {why}")),
            _ => Ok(()),
        }
    }
}

/// The scope of a run before its lines are read.
fn empty_scope(start: &RunStart) -> Scope {
    let count = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let [bytes, segments, in_a_row, in_all, parameters] = start.url_limits.map(count);
    let limits = UrlLimits { bytes, segments, in_a_row, in_all, parameters };
    Scope { max_depth: start.max_depth, limits, ..Scope::default() }
}

fn unreadable(reason: String) -> JournalFault {
    JournalFault::Unreadable { what: "a pattern of the scope", reason }
}
