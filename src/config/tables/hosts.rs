//! `[hosts."name"]`: what is different for one host, or for a name and everything below it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ordered::ordered;
use super::pace::{GuardWord, PaceWord, must_be_a_burst, must_be_a_share, must_be_some, rate};
use super::wire::check_headers;
use crate::config::check::Check;
use crate::config::overrides::{HostOverride, Overrides};
use crate::config::path::Path;
use crate::config::units::Time;
use crate::scope::HostPattern;

/// What is different for one host (`[hosts."a.example"]`), or for a name and everything below it (`[hosts."*.a.example"]`).
/// The more exact table wins key by key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Host")]
pub(in crate::config) struct HostTable {
    /// As `[politeness] delay`.
    delay: Option<Time>,
    /// As `[politeness] jitter`.
    #[schemars(range(min = 0.0, max = 1.0))]
    jitter: Option<f64>,
    /// As `[politeness] pace`.
    pace: Option<PaceWord>,
    /// As `[politeness] latency-guard`.
    latency_guard: Option<GuardWord>,
    /// As `[politeness] max-concurrency`.
    #[schemars(range(min = 1))]
    max_concurrency: Option<u32>,
    /// As `[politeness] rate`: takes the place of the delay, unless this table has one too.
    rate: Option<String>,
    /// As `[politeness] burst`.
    #[schemars(range(min = 1, max = 10_000))]
    burst: Option<u32>,
    /// As `[politeness] max-crawl-delay`.
    max_crawl_delay: Option<Time>,
    /// As `[scope] max-pages-per-host`.
    #[schemars(range(min = 1))]
    max_pages: Option<u64>,
    /// Header fields of every request to this host, on top of `[http.headers]`. The place for credentials.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    headers: Vec<(String, String)>,
}

pub(in crate::config) fn build(tables: Vec<(String, HostTable)>, check: &mut Check<'_>) -> Overrides {
    let list = tables.into_iter().map(|(name, table)| {
        let place = Path::of(&["hosts", &name]);
        if let Err(reason) = HostPattern::parse(&name) {
            check.wrong(&place, reason);
        } else if has_port(&name) {
            check.wrong(&place, "leave the port out: all ports of a host share one pace");
        }
        let over = table.build(&place, check);
        (name, over)
    });
    Overrides::new(list.collect())
}

fn has_port(name: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(front, port)| {
        let inside_address = front.contains(':') && !front.ends_with(']');
        !inside_address && port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl HostTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> HostOverride {
        must_be_a_share(self.jitter.unwrap_or_default(), &place.key("jitter"), check);
        must_be_some(self.max_concurrency.unwrap_or(1), &place.key("max-concurrency"), check);
        must_be_a_burst(self.burst.unwrap_or(1), &place.key("burst"), check);
        check.must(
            self.max_pages != Some(0),
            &place.key("max-pages"),
            "expected 1 or more: leave the host out of [scope] if nothing of it is wanted",
        );
        check_headers(&self.headers, &place.key("headers"), check);
        HostOverride {
            delay: self.delay.map(|time| time.0),
            jitter: self.jitter,
            pace: self.pace.map(Into::into),
            latency_guard: self.latency_guard.map(Into::into),
            max_concurrency: self.max_concurrency,
            rate: rate(self.rate.as_deref(), &place.key("rate"), check),
            burst: self.burst,
            max_crawl_delay: self.max_crawl_delay.map(|time| time.0),
            max_pages: self.max_pages,
            headers: self.headers,
        }
    }
}
