//! `[politeness]`, `[robots]`, `[backoff]`, `[retry]`: how fast, how often, and when not at all.

use std::time::Duration;

use ::url::Host;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::wire::network;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Time;
use crate::frontier::{Grouping, Sharing, content_networks};
use crate::host::parse_host;
use crate::politeness::{Backoff, Guard, PaceRule, Policy, PostRetry, Rate, Retry};
use crate::robots::ForbiddenPolicy;
use crate::spider::declarative::{Nofollow, Noindex};

/// How fast and how much at once. A site's own Crawl-delay can only lengthen the delay.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Politeness")]
pub(in crate::config) struct PolitenessTable {
    /// Least time from the end of one answer of a host to the next request to it. Default "1s".
    delay: Option<Time>,
    /// Share of the delay that is added at random, 0 to 1; it only lengthens. Default 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    jitter: Option<f64>,
    /// "adaptive": the delay is a floor, and each host learns the pace that its server bears. "fixed": the delay alone, for
    /// one's own servers; waits after refusals hold all the same. Default "adaptive".
    pace: Option<PaceWord>,
    /// Whether a host that answers more slowly than it used to is asked less often: "on" or "off". Default "on".
    latency_guard: Option<GuardWord>,
    /// Requests in flight to one host at once; with an adaptive pace the most that is learned. Default 1.
    #[schemars(range(min = 1))]
    max_concurrency: Option<u32>,
    /// Requests of one host in a time, robots.txt included: "5/s", "30/min" or "100/h". Takes the place of the default delay;
    /// a delay that stands beside it, a Crawl-delay and all waits still count. Default: the delay alone.
    rate: Option<String>,
    /// Requests that may follow each other at once after a pause, with `rate`. Default 1: they are spread evenly.
    #[schemars(range(min = 1, max = 10_000))]
    burst: Option<u32>,
    /// Requests in flight at once over all hosts. Default 256.
    #[schemars(range(min = 1))]
    max_in_flight: Option<u32>,
    /// Requests of the whole crawl, robots.txt included: "10/s", "100/min" or "1000/h". Default: as many as the hosts allow.
    max_rate: Option<String>,
    /// A host whose Crawl-delay is longer than this is parked and reported, never visited faster. Default "300s".
    max_crawl_delay: Option<Time>,
    /// Which hosts share one pace, one Retry-After and one set of requests in flight: each "host" for itself, all hosts of a
    /// registrable "domain", or all hosts that lead to one address ("ip"). Default "host".
    group: Option<GroupWord>,
    /// Domains under which every name is a customer's, beside those that the program knows (wordpress.com, substack.com …) and
    /// those of the public suffix list: their hosts stay single, with 8 requests in flight per domain. Default: none.
    multi_tenant: Option<Vec<String>>,
    /// Requests in flight to one address over all names that lead to it. A host with a larger `max-concurrency` may have as many
    /// while it is alone there. Default 2.
    #[schemars(range(min = 1))]
    address_concurrency: Option<u32>,
    /// Requests in a time to one address over all names that lead to it, as in "20/s". Default: no limit.
    address_rate: Option<String>,
    /// Networks whose addresses stand for many machines, so that no limit by address counts there and `group = "ip"` leaves
    /// hosts single; "cdn" stands for the published networks of Cloudflare and Fastly. Default ["cdn"].
    address_exempt: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Group")]
enum GroupWord {
    Host,
    Domain,
    Ip,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Pace")]
pub(super) enum PaceWord {
    Adaptive,
    Fixed,
}

impl From<PaceWord> for PaceRule {
    fn from(word: PaceWord) -> Self {
        match word {
            PaceWord::Adaptive => Self::Adaptive,
            PaceWord::Fixed => Self::Fixed,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LatencyGuard")]
pub(super) enum GuardWord {
    On,
    Off,
}

impl From<GuardWord> for Guard {
    fn from(word: GuardWord) -> Self {
        match word {
            GuardWord::On => Self::On,
            GuardWord::Off => Self::Off,
        }
    }
}

/// What robots.txt and its kin mean where the standards leave a choice.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Robots")]
pub(in crate::config) struct RobotsTable {
    /// What a robots.txt answered with 401 or 403 means: "allow" (no restrictions, RFC 9309 2.3.1.3) or "deny"
    /// (nothing is fetched). Default "allow".
    forbidden: Option<Forbidden>,
    /// Tries of an unreachable robots.txt in one run; then the host is left for a later run. Until it is read, nothing else
    /// of the host is fetched. Default 3.
    #[schemars(range(min = 1))]
    tries: Option<u32>,
    /// Links marked nofollow (`rel`, `<meta name=robots>`, X-Robots-Tag): "honour" does not follow them, "ignore" does.
    /// Default "honour".
    nofollow: Option<NofollowWord>,
    /// Pages marked noindex (`<meta name=robots>`, X-Robots-Tag): "ignore" takes their items, "skip" does not; their links are followed.
    /// Default "ignore".
    noindex: Option<NoindexWord>,
}

impl RobotsTable {
    pub(in crate::config) fn nofollow(&self) -> Nofollow {
        match self.nofollow {
            Some(NofollowWord::Ignore) => Nofollow::Ignore,
            Some(NofollowWord::Honour) | None => Nofollow::Honour,
        }
    }

    pub(in crate::config) fn noindex(&self) -> Noindex {
        match self.noindex {
            Some(NoindexWord::Skip) => Noindex::Skip,
            Some(NoindexWord::Ignore) | None => Noindex::Ignore,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Noindex")]
enum NoindexWord {
    Ignore,
    Skip,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Nofollow")]
enum NofollowWord {
    Honour,
    Ignore,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Forbidden {
    Allow,
    Deny,
}

/// How long a host is left alone after 429 or 503 without a Retry-After. A Retry-After is always waited out in full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Backoff")]
pub(in crate::config) struct BackoffTable {
    /// The first wait. Default "5s".
    base: Option<Time>,
    /// Each wait is so many times longer than the one before. Default 2.
    #[schemars(range(min = 1.0))]
    factor: Option<f64>,
    /// The longest of these waits. Default "15min".
    cap: Option<Time>,
    /// The longest wait that a run sits through with nothing else to do; hosts that must wait longer are then parked and
    /// reported. Default "60s".
    patience: Option<Time>,
}

/// Tries of a URL that failed for its own reasons (5xx, timeout, reset). Refusals such as 429 do not count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Retry")]
pub(in crate::config) struct RetryTable {
    /// Tries in all. Default 3.
    #[schemars(range(min = 1))]
    tries: Option<u8>,
    /// Wait before the second try; it doubles from there. Default "5s".
    base: Option<Time>,
    /// Least time until a page that was there in an earlier round, and now is answered 404 or 410, is asked for once more before
    /// that is believed. Default "10s".
    confirm_gone: Option<Time>,
    /// Whether a POST that may have been carried out (an error or no answer came back) is sent again: "once" or "again". Default
    /// "once" (RFC 9110 9.2.2).
    post: Option<PostWord>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "PostRetry")]
enum PostWord {
    Once,
    Again,
}

impl From<PostWord> for PostRetry {
    fn from(word: PostWord) -> Self {
        match word {
            PostWord::Once => Self::Once,
            PostWord::Again => Self::Again,
        }
    }
}

/// What holds for all hosts.
pub(in crate::config) struct Pace {
    /// The policy of hosts without a table of their own.
    pub(in crate::config) policy: Policy,
    pub(in crate::config) max_in_flight: u32,
    pub(in crate::config) max_rate: Option<Rate>,
    pub(in crate::config) sharing: Sharing,
}

/// The four tables together.
pub(in crate::config) fn build(
    politeness: &PolitenessTable,
    robots: &RobotsTable,
    backoff: &BackoffTable,
    retry: &RetryTable,
    check: &mut Check<'_>,
) -> Pace {
    let top = Path::of(&["politeness"]);
    let own_rate = politeness.rate(check);
    let delay_counts = own_rate.is_none() || check.is_given(&top.key("delay"));
    let policy = Policy {
        delay: if delay_counts { politeness.delay.unwrap_or_default().0 } else { Duration::ZERO },
        jitter: politeness.jitter.unwrap_or_default(),
        pace: politeness.pace.map(Into::into).unwrap_or_default(),
        latency_guard: politeness.latency_guard.map(Into::into).unwrap_or_default(),
        max_concurrency: politeness.max_concurrency.unwrap_or(1),
        rate: own_rate,
        burst: politeness.burst.unwrap_or(1),
        max_crawl_delay: politeness.max_crawl_delay.unwrap_or_default().0,
        backoff: backoff.build(check),
        retry: retry.build(check),
        forbidden_robots: match robots.forbidden {
            Some(Forbidden::Deny) => ForbiddenPolicy::Deny,
            Some(Forbidden::Allow) | None => ForbiddenPolicy::Allow,
        },
        robots_tries: robots.tries.unwrap_or(1),
        ..Policy::default()
    };
    let in_flight = politeness.max_in_flight.unwrap_or(1);
    must_be_a_share(policy.jitter, &top.key("jitter"), check);
    must_be_some(policy.max_concurrency, &top.key("max-concurrency"), check);
    must_be_some(policy.robots_tries, &Path::of(&["robots", "tries"]), check);
    must_be_some(in_flight, &top.key("max-in-flight"), check);
    must_be_a_burst(policy.burst, &top.key("burst"), check);
    Pace {
        policy,
        max_in_flight: in_flight,
        max_rate: rate(politeness.max_rate.as_deref(), &top.key("max-rate"), check),
        sharing: politeness.sharing(check),
    }
}

impl PolitenessTable {
    fn rate(&self, check: &mut Check<'_>) -> Option<Rate> {
        rate(self.rate.as_deref(), &Path::of(&["politeness", "rate"]), check)
    }

    fn sharing(&self, check: &mut Check<'_>) -> Sharing {
        let top = Path::of(&["politeness"]);
        let (at_once, exempt) = (self.address_concurrency.unwrap_or(1), top.key("address-exempt"));
        must_be_some(at_once, &top.key("address-concurrency"), check);
        let networks = check.each(&exempt, self.address_exempt.as_deref().unwrap_or_default(), networks);
        let tenants = self.multi_tenant.as_deref().unwrap_or_default();
        Sharing {
            group: match self.group {
                Some(GroupWord::Domain) => Grouping::Domain,
                Some(GroupWord::Ip) => Grouping::Ip,
                Some(GroupWord::Host) | None => Grouping::Host,
            },
            multi_tenant: check.each(&top.key("multi-tenant"), tenants, domain),
            address_concurrency: Some(at_once),
            address_rate: rate(self.address_rate.as_deref(), &top.key("address-rate"), check),
            address_exempt: networks.into_iter().flatten().collect(),
        }
    }
}

/// Reads one entry of `address-exempt`.
fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    if text == "cdn" {
        return Ok(content_networks());
    }
    network(text).map(|network| vec![network]).map_err(|expected| format!("{expected}, or \"cdn\""))
}

/// Reads one entry of `multi-tenant`.
fn domain(text: &str) -> Result<String, &'static str> {
    match parse_host(text.trim_start_matches("*.")) {
        Some(Host::Domain(name)) => Ok(name),
        _ => Err("expected a domain such as \"pages.example\""),
    }
}

/// Reads a rate such as `10/s`, if there is one.
pub(super) fn rate(text: Option<&str>, path: &Path, check: &mut Check<'_>) -> Option<Rate> {
    text.and_then(|text| check.taken(path, text.parse()))
}

pub(super) fn must_be_a_burst(burst: u32, path: &Path, check: &mut Check<'_>) {
    check.must((1..=10_000).contains(&burst), path, "expected 1 to 10000 requests at once");
}

pub(super) fn must_be_a_share(jitter: f64, path: &Path, check: &mut Check<'_>) {
    check.must((0.0..=1.0).contains(&jitter), path, "expected a share of the delay from 0 to 1");
}

pub(super) fn must_be_some(count: u32, path: &Path, check: &mut Check<'_>) {
    check.must(count > 0, path, "expected 1 or more: with 0 nothing would be fetched");
}

impl BackoffTable {
    fn build(&self, check: &mut Check<'_>) -> Backoff {
        let top = Path::of(&["backoff"]);
        let backoff = Backoff {
            base: self.base.unwrap_or_default().0,
            factor: self.factor.unwrap_or(1.0),
            cap: self.cap.unwrap_or_default().0,
            patience: self.patience.unwrap_or_default().0,
        };
        check.must(
            backoff.factor >= 1.0,
            &top.key("factor"),
            "expected 1 or more: a wait never gets shorter",
        );
        check.must(
            backoff.cap >= backoff.base || self.cap.is_none(),
            &top.key("cap"),
            "the longest wait is shorter than `base`, the first one",
        );
        backoff
    }
}

impl RetryTable {
    fn build(&self, check: &mut Check<'_>) -> Retry {
        let tries = self.tries.unwrap_or(1);
        check.must(tries > 0, &Path::of(&["retry", "tries"]), "expected 1 or more: the first try counts");
        let (base, confirm) = (self.base.unwrap_or_default().0, self.confirm_gone.unwrap_or_default().0);
        Retry { tries, base, confirm, post: self.post.map(Into::into).unwrap_or_default() }
    }
}
