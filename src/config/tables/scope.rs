//! `[scope]`: what belongs to the crawl, and how much of it is taken.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::Budget;
use crate::request::Request;
use crate::scope::{HostPattern, Scope, UrlLimits, UrlPattern};
use crate::trap::TrapPolicy;

/// What belongs to the crawl. Judged on every seed, link and redirect.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Scope")]
pub(in crate::config) struct ScopeTable {
    /// Hosts that belong: `a.example`, `*.a.example` (the name and everything below it), or an address. Default: the
    /// hosts of the seeds.
    hosts: Option<Vec<String>>,
    /// If given, a URL must match one of these: a path prefix or glob that begins with `/`, a glob over the whole URL,
    /// or `re:` and a regular expression.
    include: Option<Vec<String>>,
    /// A URL that matches one of these does not belong, whatever `include` says. Written as `include`.
    exclude: Option<Vec<String>>,
    /// Most links between a seed and a page; a redirect counts nothing. Default: no limit.
    max_depth: Option<u32>,
    /// The crawl ends after so many pages. Default: no limit.
    #[schemars(range(min = 1))]
    max_pages: Option<u64>,
    /// Most pages of one host. Default 100,000.
    #[schemars(range(min = 1))]
    max_pages_per_host: Option<u64>,
    traps: TrapTable,
}

/// Endless pages: shapes of URLs that only they have, and how many of them may bring nothing new.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Traps")]
struct TrapTable {
    /// Most bytes of a URL. Default 2,083.
    max_bytes: Option<u32>,
    /// Most segments of a path. Default 20.
    max_segments: Option<u32>,
    /// How often one path segment may stand in a row. Default 2.
    max_in_a_row: Option<u32>,
    /// How often one path segment may stand in a path. Default 4.
    max_in_all: Option<u32>,
    /// Most parameters of a query. Default 12.
    max_parameters: Option<u32>,
    /// Pages of one pattern of URLs that bring nothing new, before its others are no longer asked for; 0: all are. Default 50.
    alike: Option<u32>,
}

impl TrapTable {
    fn build(&self) -> UrlLimits {
        let count = |most: Option<u32>| most.unwrap_or_default() as usize;
        UrlLimits {
            bytes: count(self.max_bytes),
            segments: count(self.max_segments),
            in_a_row: count(self.max_in_a_row),
            in_all: count(self.max_in_all),
            parameters: count(self.max_parameters),
        }
    }
}

impl ScopeTable {
    pub(in crate::config) fn build(self, check: &mut Check<'_>) -> (Scope, Budget) {
        let top = Path::of(&["scope"]);
        let mut list = |key: &str, words: Option<Vec<String>>| {
            check.each(&top.key(key), &words.unwrap_or_default(), UrlPattern::parse)
        };
        let (include, exclude) = (list("include", self.include), list("exclude", self.exclude));
        let hosts = self.hosts.unwrap_or_default();
        let scope = Scope {
            hosts: check.each(&top.key("hosts"), &hosts, HostPattern::parse).into(),
            include,
            exclude,
            max_depth: self.max_depth,
            limits: self.traps.build(),
        };
        let budget = Budget {
            max_pages: self.max_pages,
            max_pages_per_host: self.max_pages_per_host,
            traps: TrapPolicy { alike: self.traps.alike.unwrap_or_default() },
        };
        for (key, most) in
            [("max-pages", budget.max_pages), ("max-pages-per-host", budget.max_pages_per_host)]
        {
            check.must(most != Some(0), &top.key(key), "expected 1 or more: with 0 nothing would be fetched");
        }
        (scope, budget)
    }
}

/// Without hosts of its own a scope has those of the seeds.
pub(in crate::config) fn add_seed_hosts(scope: &mut Scope, seeds: &[Request], check: &mut Check<'_>) {
    if !scope.hosts.is_empty() || check.is_there(&Path::of(&["scope", "hosts"])) {
        return;
    }
    if !seeds.is_empty() {
        scope.hosts = Scope::of_seeds(seeds).hosts;
    }
}
