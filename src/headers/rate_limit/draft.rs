//! The fields of draft-ietf-httpapi-ratelimit-headers: `RateLimit` and `RateLimit-Policy`, structured by RFC 9651.
//!
//! As the draft has it now: `RateLimit: "name";r=50;t=30`, `RateLimit-Policy: "name";q=100;w=60`, lists that may be split over
//! lines. Up to -07 it was `RateLimit: limit=100, remaining=50, reset=50` and a policy without a name: `100;w=60`. A field that
//! is malformed anywhere is ignored as a whole, as RFC 9651 4.2 demands; an item without sense is ignored alone.

use std::time::Duration;

use http::HeaderMap;
use sfv::{BareItem, Dictionary, List, ListEntry, Parameters, Parser};

use super::{Announced, LONGEST_RESET};

/// A longer field, over all its lines, is ignored.
const MAX_LEN: usize = 8192;
/// So many items of a field are read.
const MOST_ITEMS: usize = 64;

/// A quota that a server says it applies (`RateLimit-Policy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name, by which `RateLimit` refers to it; empty in the older form.
    pub name: String,
    /// Units in a window (`q`).
    pub quota: u64,
    /// Length of a window (`w`), if it is told.
    pub window: Option<Duration>,
    /// What is counted (`qu`). Default: requests.
    pub unit: Unit,
}

/// What a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests in a window.
    Requests,
    /// Octets of content in a window.
    ContentBytes,
    /// Requests at the same time.
    ConcurrentRequests,
    /// Something of the server's own.
    Other,
}

/// The policies that the fields tell, whatever they count.
#[must_use]
pub fn policies(headers: &HeaderMap) -> Vec<Policy> {
    let field = field(headers, "ratelimit-policy").unwrap_or_default();
    let items = Parser::new(&field).parse::<List>().unwrap_or_default();
    items.iter().take(MOST_ITEMS).filter_map(policy).collect()
}

/// The quotas of requests that `RateLimit` tells, with their policies' limits.
pub(super) fn quotas(headers: &HeaderMap) -> Vec<Announced> {
    let Some(field) = field(headers, "ratelimit") else { return Vec::new() };
    match Parser::new(&field).parse::<List>() {
        Ok(items) => {
            let policies = policies(headers);
            items.iter().take(MOST_ITEMS).filter_map(|item| quota(item, &policies)).collect()
        }
        Err(_) => {
            Parser::new(&field).parse().ok().and_then(|fields| older_quota(&fields)).into_iter().collect()
        }
    }
}

/// All lines of a field as one.
fn field(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    let len: usize = lines.iter().map(|line| line.len() + 2).sum();
    (!lines.is_empty() && len <= MAX_LEN).then(|| lines.join(b", ".as_slice()))
}

fn policy(entry: &ListEntry) -> Option<Policy> {
    let ListEntry::Item(item) = entry else { return None };
    let (name, quota) = match &item.bare_item {
        BareItem::Integer(_) => (String::new(), count(&item.bare_item)?),
        named => (name(named)?.to_owned(), number(&item.params, "q")?),
    };
    let window = number(&item.params, "w").map(Duration::from_secs);
    Some(Policy { name, quota, window, unit: unit(&item.params) })
}

fn quota(entry: &ListEntry, policies: &[Policy]) -> Option<Announced> {
    let ListEntry::Item(item) = entry else { return None };
    let name = name(&item.bare_item)?;
    let policy = policies.iter().find(|policy| policy.name == name);
    let units = [unit(&item.params), policy.map_or(Unit::Requests, |policy| policy.unit)];
    let remaining = number(&item.params, "r")?;
    let reset = number(&item.params, "t").and_then(window_left);
    let quota = Announced { limit: policy.map(|policy| policy.quota), remaining: Some(remaining), reset };
    (units == [Unit::Requests; 2]).then_some(quota)
}

fn older_quota(fields: &Dictionary) -> Option<Announced> {
    let number = |key: &str| match fields.get(key)? {
        ListEntry::Item(item) => count(&item.bare_item),
        ListEntry::InnerList(_) => None,
    };
    let quota = Announced {
        limit: number("limit"),
        remaining: number("remaining"),
        reset: number("reset").and_then(window_left),
    };
    (quota != Announced::default()).then_some(quota)
}

fn window_left(secs: u64) -> Option<Duration> {
    Some(Duration::from_secs(secs)).filter(|left| *left <= LONGEST_RESET)
}

/// A name is a string; before -09 it was a token.
fn name(item: &BareItem) -> Option<&str> {
    match item {
        BareItem::String(name) => Some(name.as_str()),
        BareItem::Token(name) => Some(name.as_str()),
        _ => None,
    }
}

fn unit(params: &Parameters) -> Unit {
    match params.get("qu").map(name) {
        None | Some(Some("requests")) => Unit::Requests,
        Some(Some("content-bytes")) => Unit::ContentBytes,
        Some(Some("concurrent-requests")) => Unit::ConcurrentRequests,
        Some(_) => Unit::Other,
    }
}

fn number(params: &Parameters, key: &str) -> Option<u64> {
    params.get(key).and_then(count)
}

fn count(item: &BareItem) -> Option<u64> {
    item.as_integer().and_then(|number| u64::try_from(i64::from(number)).ok())
}
