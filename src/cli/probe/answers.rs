//! What follows from an answer: where a redirect leads, which cookies go on, what a packed body holds.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Answer, BASE64, fields, headers, octets, octets_of, optional_text, text};
use crate::cookies::{Jar, date};
use crate::fetch::decode::{Bounds, Decoded, MOST_CODINGS, decode};
use crate::item::Harvest;
use crate::page::Page;
use crate::redirect::{self, MAX_HOPS};
use crate::request::Request;
use crate::response::{Response, Truncation};
use crate::spider::Spider;
use crate::spider::declarative::{Declarative, Recipe};
use crate::url::{Canon, CanonicalUrl};
use base64::Engine;

/// What bodies are unpacked to, and how far, where a line does not say. BEHAVIOUR: 10 MiB, 1:200.
const BODY: u64 = 10 << 20;
const RATIO: u64 = 200;

/// The request that follows from an answer, by its Location or by the refresh in its page; or why none does.
pub(super) fn redirected(asked: &Value) -> Answer {
    let (told, answer) = (part(asked, "request")?, part(asked, "response")?);
    let from = text(told, "url")?;
    if let Err(error) = CanonicalUrl::parse(from) {
        return Ok(json!({ "stop": format!("`url`: {error}") }));
    }
    let request = request(told)?;
    let status = fields::status(answer)?.ok_or("`response.status` is missing")?;
    let next = if status.is_redirection() {
        let mut response = Response::of(request.url.clone(), status, Bytes::new());
        response.headers = octet_headers(answer.get("headers"))?;
        let location = response.location();
        redirect::follow(&request, status.as_u16(), location.as_deref(), &Canon::default(), MAX_HOPS)
            .map_err(|stop| stop.to_string())
    } else {
        refreshed(request, status, answer)?
    };
    Ok(next.map_or_else(|stop| json!({ "stop": stop }), |next| json!({ "request": shown(&next) })))
}

fn part<'a>(asked: &'a Value, key: &str) -> Result<&'a Value, String> {
    asked.get(key).filter(|value| value.is_object()).ok_or_else(|| format!("`{key}` is no object"))
}

/// Header fields whose letters stand for one octet each, as far as there are such octets.
fn octet_headers(asked: Option<&Value>) -> Result<HeaderMap, String> {
    let mut headers = headers(asked)?;
    for value in headers.values_mut() {
        let octets = std::str::from_utf8(value.as_bytes()).ok().map(|text| text.chars().map(u8::try_from));
        if let Some(octets) = octets.and_then(|octets| octets.collect::<Result<Vec<_>, _>>().ok()) {
            *value = HeaderValue::from_bytes(&octets).map_err(|error| error.to_string())?;
        }
    }
    Ok(headers)
}

/// A request as the suite writes it. `meta.redirect_ttl` is the number of redirects that may still follow.
fn request(told: &Value) -> Result<Request, String> {
    let mut request = Request::get(url(told, "url")?);
    if let Some(method) = optional_text(told, "method")? {
        request.method = method.parse::<Method>().map_err(|_| format!("{method:?} is no method"))?;
    }
    for (name, value) in &headers(told.get("headers"))? {
        let value = value.to_str().map_err(|_| format!("header {name} is no text"))?;
        request = request.header(name.as_str(), value);
    }
    let body = told.get("body").filter(|body| !body.is_null());
    let body = body.map(|_| octets(told, "body")).transpose()?;
    request.body = body.filter(|body| !body.is_empty()).map(Bytes::from);
    let left = told.pointer("/meta/redirect_ttl").and_then(Value::as_u64).unwrap_or(u64::from(MAX_HOPS));
    request.hops = MAX_HOPS - u8::try_from(left).unwrap_or(MAX_HOPS).min(MAX_HOPS);
    Ok(request)
}

/// What the page of a good answer asks a browser to go to at once. A page without a type is taken for HTML.
fn refreshed(
    request: Request,
    status: StatusCode,
    answer: &Value,
) -> Result<Result<Request, String>, String> {
    let body = answer.get("body").map_or(Ok(Vec::new()), |_| octets(answer, "body"))?;
    let mut response = Response::of(request.url.clone(), status, body);
    response.headers = headers(answer.get("headers"))?;
    response.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/html"));
    let came_by = request.hops;
    let mut harvest = Harvest::new();
    let page = Page::new(Arc::new(request), response);
    Declarative::new(Recipe::default()).parse(&page, &mut harvest).map_err(|error| error.to_string())?;
    let next = harvest.requests().iter().find(|request| request.hops > came_by).cloned();
    Ok(next.ok_or_else(|| "the answer leads nowhere else".to_owned()))
}

/// A request as the suite writes it.
fn shown(request: &Request) -> Value {
    let mut headers = serde_json::Map::new();
    for (name, value) in &request.headers {
        let lines = headers.entry(name.clone()).or_insert_with(|| json!([]));
        lines.as_array_mut().expect("it was made as a list").push(value.as_str().into());
    }
    let body = BASE64.encode(request.body.as_deref().unwrap_or_default());
    json!({
        "url": request.url, "method": request.method.as_str(), "headers": headers,
        "body": { "b64": body },
    })
}

/// Which cookies of the answers of `from` go with a request to `to`; or, for a line with `date`, the moment that it means.
pub(super) fn cookies(asked: &Value) -> Answer {
    if let Some(date) = optional_text(asked, "date")? {
        return Ok(json!({ "expires": date::parse(date).map(|moment| moment.as_millis() / 1000) }));
    }
    let (from, to, now) = (url(asked, "from")?, url(asked, "to")?, fields::now(asked)?);
    let lines = match asked.get("set_cookie") {
        Some(Value::Array(lines)) => lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
        line => line.and_then(Value::as_str).map(|line| vec![line]),
    };
    let mut jar = Jar::default();
    for line in lines.ok_or("`set_cookie` is a string or a list of strings")? {
        jar.receive(&from, line, now);
    }
    let header = jar.header(&to, now);
    let pairs = header.iter().flat_map(|header| header.split("; "));
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let sent: Vec<_> = pairs.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    Ok(json!({ "sent": sent }))
}

/// How long a body is without its codings, and its digest; an error if it is not whole, with what was kept of it.
pub(super) fn decoded(asked: &Value) -> Answer {
    let body = match optional_text(asked, "body_b64")? {
        Some(encoded) => octets_of(&json!({ "b64": encoded }))?,
        None => octets(asked, "body")?,
    };
    let most = asked.get("max").filter(|max| !max.is_null());
    let most = most.map(|max| max.as_u64().ok_or("`max` is no number of bytes")).transpose()?;
    let bounds = Bounds { body: most.unwrap_or(BODY), ratio: RATIO, codings: MOST_CODINGS };
    let encoding = optional_text(asked, "content_encoding")?.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let unpacked = runtime.block_on(decode(encoding, body.into(), bounds));
    let Decoded { body, truncated, .. } = unpacked;
    let facts = json!({ "length": body.len(), "sha256": hex(&Sha256::digest(&body)) });
    Ok(match truncated {
        None => facts,
        Some(why) => json!({ "error": reason(why), "truncated": why, "kept": facts }),
    })
}

const fn reason(why: Truncation) -> &'static str {
    match why {
        Truncation::Length => "it unpacks to more bytes than the limit",
        Truncation::Ratio => "it unpacks to more than 200 times its size",
        Truncation::Coding => "its content coding cannot be undone to its end",
        Truncation::Time | Truncation::Disconnect => "it ended before its time",
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn url(asked: &Value, key: &str) -> Result<CanonicalUrl, String> {
    CanonicalUrl::parse(text(asked, key)?).map_err(|error| format!("`{key}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_the_next_request_or_the_reason_for_none() {
        let line = |status: u16, location: &str| {
            json!({
                "request": { "url": "https://a.example/x", "method": "POST", "body": { "b64": "Zm9v" },
                    "headers": { "Authorization": ["Bearer x"], "Content-Type": ["text/plain"], "A": "B" } },
                "response": { "status": status, "headers": { "Location": [location] } },
            })
        };
        let next = redirected(&line(302, "https://b.example/y")).unwrap();
        let told = json!({ "url": "https://b.example/y", "method": "GET", "headers": { "a": ["B"] }, "body": { "b64": "" } });
        assert_eq!(next, json!({ "request": told }));
        assert_eq!(redirected(&line(307, "/y")).unwrap()["request"]["body"]["b64"], "Zm9v");
        assert_eq!(redirected(&line(302, " ")).unwrap()["stop"], "redirect without a Location");
        assert!(redirected(&json!({ "request": 3 })).is_err());
    }

    #[test]
    fn a_page_that_sends_on_is_a_redirect_too() {
        let page = r#"<meta http-equiv="refresh" content="0;url=/b">"#;
        let mut line =
            json!({ "request": { "url": "http://a.example/" }, "response": { "status": 200, "body": page } });
        assert_eq!(redirected(&line).unwrap()["request"]["url"], "http://a.example/b");
        line["request"]["meta"] = json!({ "redirect_ttl": 0 });
        assert!(redirected(&line).unwrap()["stop"].is_string());
    }

    #[test]
    fn cookies_are_told_as_pairs_and_dates_as_moments() {
        let line = json!({ "set_cookie": ["a=1; Path=/", "b=2; Path=/x", "c=3; Max-Age=0"], "now": 1_302_825_600,
            "from": "http://a.example/", "to": "http://a.example/y" });
        assert_eq!(cookies(&line).unwrap(), json!({ "sent": [{ "name": "a", "value": "1" }] }));
        let line = json!({ "set_cookie": "a", "from": "http://a.example/", "to": "http://a.example/" });
        assert_eq!(cookies(&line).unwrap(), json!({ "sent": [] }));
        let date = json!({ "date": "Sat, 15-Apr-17 21:01:22 GMT" });
        assert_eq!(cookies(&date).unwrap()["expires"], 1_492_290_082);
    }

    #[test]
    fn a_body_that_is_not_whole_is_an_error_with_what_was_kept() {
        let line = json!({ "body_b64": "Zm9v", "max": 2 });
        let told = decoded(&line).unwrap();
        assert_eq!((&told["truncated"], &told["kept"]["length"]), (&json!("length"), &json!(2)));
        let whole = decoded(&json!({ "body_b64": "Zm9v", "content_encoding": "identity" })).unwrap();
        let digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        assert_eq!(whole, json!({ "length": 3, "sha256": digest }));
    }
}
