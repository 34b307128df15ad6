//! What header fields tell, and structured fields as JSON.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use sfv::{BareItem, Dictionary, InnerList, Item, List, ListEntry, Parameters, Parser};

use super::{Answer, headers, text};
use crate::clock::Clock;
use crate::headers::rate_limit::{Policy, Unit, announced, policies};
use crate::headers::retry_after;
use crate::politeness::Class;
use crate::time::Timestamp;

/// The waits and limits among header fields. Whether a wait is heeded depends on the class; here it is only read.
pub(super) fn told(asked: &Value) -> Answer {
    let headers = headers(asked.get("headers"))?;
    let now = now(asked)?;
    let class = status(asked)?.map(Class::of_status);
    let announced = announced(&headers, now);
    let policies = policies(&headers);
    let of_requests = policies.iter().filter(|policy| policy.unit == Unit::Requests);
    Ok(json!({
        "class": class.map(Class::as_str),
        "retry_after_s": retry_after::of_headers(&headers, now).map(whole_secs),
        "limit": announced.limit,
        "remaining": announced.remaining,
        "reset_s": announced.reset.map(whole_secs),
        "policies": of_requests.map(policy).collect::<Vec<_>>(),
    }))
}

/// A structured field, as the suite of the HTTP working group writes it.
pub(super) fn structured(asked: &Value) -> Answer {
    let field = match asked.get("raw") {
        Some(lines) => joined(lines)?,
        None => text(asked, "value")?.to_owned(),
    };
    let parser = Parser::new(&field);
    let read = match text(asked, "type")? {
        "item" => parser.parse::<Item>().map(|item| of_item(&item)),
        "list" => parser.parse::<List>().map(|list| list.iter().map(of_entry).collect()),
        "dictionary" => parser
            .parse::<Dictionary>()
            .map(|fields| fields.iter().map(|(key, entry)| json!([key.as_str(), of_entry(entry)])).collect()),
        other => return Err(format!("`type` is item, list or dictionary, not {other:?}")),
    };
    read.map_err(|error| error.to_string())
}

/// Seconds since the epoch; the machine's time if not given.
pub(super) fn now(asked: &Value) -> Result<Timestamp, String> {
    let Some(now) = asked.get("now").filter(|now| !now.is_null()) else {
        return Ok(Clock::start().now());
    };
    let secs = now.as_f64().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    secs.map(|secs| Timestamp::ZERO + secs).ok_or_else(|| "`now` is no number of seconds".to_owned())
}

pub(super) fn status(asked: &Value) -> Result<Option<StatusCode>, String> {
    let Some(status) = asked.get("status").filter(|status| !status.is_null()) else {
        return Ok(None);
    };
    let code = status.as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    code.map(Some).ok_or_else(|| "`status` is no status code".to_owned())
}

/// Rounded up: no wait is ever shortened.
fn whole_secs(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn policy(policy: &Policy) -> Value {
    json!({ "name": policy.name, "q": policy.quota, "w": policy.window.map(whole_secs) })
}

fn joined(lines: &Value) -> Result<String, String> {
    let lines =
        lines.as_array().and_then(|lines| lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    lines.map(|lines| lines.join(", ")).ok_or_else(|| "`raw` is no list of strings".to_owned())
}

fn of_entry(entry: &ListEntry) -> Value {
    match entry {
        ListEntry::Item(item) => of_item(item),
        ListEntry::InnerList(InnerList { items, params }) => {
            json!([items.iter().map(of_item).collect::<Value>(), of_params(params)])
        }
    }
}

fn of_item(item: &Item) -> Value {
    json!([of_bare_item(&item.bare_item), of_params(&item.params)])
}

fn of_params(params: &Parameters) -> Value {
    params.iter().map(|(key, value)| json!([key.as_str(), of_bare_item(value)])).collect()
}

fn of_bare_item(item: &BareItem) -> Value {
    let typed = |kind: &str, value: Value| json!({ "__type": kind, "value": value });
    match item {
        BareItem::Integer(number) => i64::from(*number).into(),
        BareItem::Decimal(number) => f64::from(*number).into(),
        BareItem::String(text) => text.as_str().into(),
        BareItem::Boolean(truth) => (*truth).into(),
        BareItem::Token(token) => typed("token", token.as_str().into()),
        BareItem::ByteSequence(octets) => typed("binary", base32(octets).into()),
        BareItem::Date(date) => typed("date", i64::from(date.unix_seconds()).into()),
        BareItem::DisplayString(text) => typed("displaystring", text.as_str().into()),
    }
}

/// Base32 with padding (RFC 4648 section 6), as the suite writes octets.
fn base32(octets: &[u8]) -> String {
    let mut text = String::new();
    for group in octets.chunks(5) {
        let bits = (0..5).fold(0_u64, |bits, at| bits << 8 | u64::from(*group.get(at).unwrap_or(&0)));
        let digits = (group.len() * 8).div_ceil(5);
        let digit = |at: usize| {
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits >> (35 - 5 * at) & 31) as usize])
        };
        text.extend((0..8).map(|at| if at < digits { digit(at) } else { '=' }));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 section 10.
    #[test]
    fn base32_is_that_of_the_standard() {
        let vectors = [
            ("", ""),
            ("f", "MY======"),
            ("foo", "MZXW6==="),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI======"),
        ];
        for (text, encoded) in vectors {
            assert_eq!(base32(text.as_bytes()), encoded);
        }
    }
}
