//! `crawl probe`: JSON lines in, one JSON answer for each, in the same order. Every question is a thin wrapper of a public
//! function of the library, so that test suites in any language can ask it.
//!
//! An answer is written out before the next line is read. A line that cannot be answered gets `{"error": …}`; only the end of
//! the input ends it.

mod answers;
mod fields;

use std::io::{self, BufRead, Read, Write};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, UTF_8};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::args::ProbeOp;
use super::exit::{Exit, Failure};
use super::render::unprintable;
use super::{robots, sitemap};
use crate::extract::facts::describe;
use crate::host::host_facts;
use crate::robots::RobotsRules;
use crate::url::{Canon, CanonicalUrl, resolve};

/// Longer lines are not kept, only answered.
const MOST_BYTES: u64 = 64 << 20;

/// Base64 as it stands in JSON (RFC 4648 section 4); padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

type Answer = Result<Value, String>;

/// Answers the standard input line by line.
pub(super) fn probe(op: ProbeOp) -> Result<Exit, Failure> {
    answer_all(op, &mut io::stdin().lock(), &mut io::stdout().lock()).map_err(unprintable)?;
    Ok(Exit::COMPLETE)
}

fn answer_all(op: ProbeOp, input: &mut impl BufRead, out: &mut impl Write) -> io::Result<()> {
    while let Some(line) = next_line(input)? {
        let asked =
            line.and_then(|line| serde_json::from_slice(&line).map_err(|error| format!("not JSON: {error}")));
        let answer = asked
            .and_then(|question: Value| answer(op, &question))
            .unwrap_or_else(|error| json!({ "error": error }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// The next line without its end; `None` at the end of the input.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let mut line = Vec::new();
    if input.by_ref().take(MOST_BYTES).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == MOST_BYTES && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
        return Ok(Some(Err(format!("a line has at most {MOST_BYTES} bytes"))));
    }
    Ok(Some(Ok(line)))
}

fn answer(op: ProbeOp, asked: &Value) -> Answer {
    match op {
        ProbeOp::Robots => robots_rules(asked),
        ProbeOp::Url => url(asked),
        ProbeOp::Canon => canon(asked),
        ProbeOp::Host => as_json(&host_facts(text(asked, "host")?)),
        ProbeOp::Page => page(asked),
        ProbeOp::Headers => fields::told(asked),
        ProbeOp::Sfv => fields::structured(asked),
        ProbeOp::Redirect => answers::redirected(asked),
        ProbeOp::Cookies => answers::cookies(asked),
        ProbeOp::Decode => answers::decoded(asked),
        ProbeOp::Sitemap => sitemap::probed(optional_text(asked, "url")?, octets(asked, "body")?),
    }
}

fn robots_rules(asked: &Value) -> Answer {
    let rules = RobotsRules::parse_for_name(&octets(asked, "robots")?, text(asked, "agent")?);
    let url = optional_text(asked, "url")?.and_then(robots::site_url);
    let url = url.unwrap_or_else(|| robots::site_url("/").expect("a path is always accepted"));
    let verdict = rules.verdict(&url);
    Ok(json!({
        "allowed": verdict.allowed,
        "crawl_delay": rules.crawl_delay().map(|delay| delay.as_secs_f64()),
        "request_rate": rules.request_rate().map(|rate| rate.delay().as_secs_f64()),
        "sitemaps": rules.sitemaps(),
        "matched_rule": verdict.rule.map(|rule| json!({ "line": rule.line, "text": rule.text })),
    }))
}

fn url(asked: &Value) -> Answer {
    let failure = || json!({ "failure": true });
    let base = match optional_text(asked, "base")?.map(Url::parse) {
        Some(Err(_)) => return Ok(failure()),
        base => base.and_then(Result::ok),
    };
    let encoding = match optional_text(asked, "encoding")? {
        None => UTF_8,
        Some(label) => {
            Encoding::for_label(label.as_bytes()).ok_or_else(|| format!("{label:?} is no encoding"))?
        }
    };
    let resolved = resolve(text(asked, "input")?, base.as_ref(), encoding);
    Ok(resolved.map_or_else(|_| failure(), |url| json!({ "href": url.as_str() })))
}

fn canon(asked: &Value) -> Answer {
    match Canon::default().parse(text(asked, "url")?) {
        Ok(url) => Ok(json!({ "url": url })),
        Err(error) => Err(error.to_string()),
    }
}

fn page(asked: &Value) -> Answer {
    let url = CanonicalUrl::parse(text(asked, "url")?).map_err(|error| error.to_string())?;
    let body = match asked.get("b64") {
        Some(_) => octets_of(asked),
        None => octets(asked, "body"),
    };
    let agent = optional_text(asked, "agent")?.unwrap_or_default();
    as_json(&describe(&url, headers(asked.get("headers"))?, body?, agent))
}

/// Header fields: an object of names with one value or a list of values, or a list of pairs.
fn headers(asked: Option<&Value>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    match asked {
        None | Some(Value::Null) => {}
        Some(Value::Object(fields)) => {
            for (name, values) in fields {
                for value in values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice) {
                    add_field(&mut headers, name, value)?;
                }
            }
        }
        Some(Value::Array(pairs)) => {
            for pair in pairs {
                let pair = pair.as_array().map(Vec::as_slice);
                let Some([Value::String(name), value]) = pair else {
                    return Err("a header is a pair of name and value".to_owned());
                };
                add_field(&mut headers, name, value)?;
            }
        }
        Some(_) => return Err("`headers` is no object and no list".to_owned()),
    }
    Ok(headers)
}

fn add_field(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), String> {
    let field = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header name"))?;
    let value = value.as_str().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
    headers.append(field, value.ok_or_else(|| format!("header {name:?} has no such value"))?);
    Ok(())
}

fn text<'a>(asked: &'a Value, key: &str) -> Result<&'a str, String> {
    optional_text(asked, key)?.ok_or_else(|| format!("`{key}` is missing"))
}

fn optional_text<'a>(asked: &'a Value, key: &str) -> Result<Option<&'a str>, String> {
    match asked.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` is no string")),
    }
}

/// Octets: a string, `{"text": …}` or `{"b64": …}`.
fn octets(asked: &Value, key: &str) -> Result<Vec<u8>, String> {
    match asked.get(key) {
        None => Err(format!("`{key}` is missing")),
        Some(Value::String(text)) => Ok(text.clone().into_bytes()),
        Some(value) => octets_of(value).map_err(|error| format!("`{key}`: {error}")),
    }
}

fn octets_of(value: &Value) -> Result<Vec<u8>, String> {
    if let Some(text) = optional_text(value, "text")? {
        return Ok(text.as_bytes().to_vec());
    }
    let encoded = text(value, "b64")?;
    BASE64.decode(encoded).map_err(|error| format!("`b64` is not base64: {error}"))
}

fn as_json(value: &impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(op: ProbeOp, lines: &str) -> Vec<Value> {
        let mut out = Vec::new();
        answer_all(op, &mut lines.as_bytes(), &mut out).unwrap();
        let answers = out.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        answers.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn a_bad_line_gets_an_error_and_the_next_one_its_answer() {
        let lines = "nonsense\n\n[]\n{\"host\": 3}\n\u{ff}\n{\"host\": \"A.example.co.uk\"}";
        let answers = ask(ProbeOp::Host, lines);
        assert_eq!(answers.len(), 6);
        assert!(answers[..5].iter().all(|answer| answer["error"].is_string()));
        assert_eq!(answers[5]["registrable_domain"], "example.co.uk");
    }

    #[test]
    fn robots_are_text_or_octets_and_a_url_may_be_a_path_or_empty() {
        let lines = [
            r#"{"robots": "User-agent: a\nDisallow: /x\nCrawl-delay: 2.5", "agent": "a", "url": "/x/y"}"#,
            r#"{"robots": {"text": "User-agent: *\nDisallow: /"}, "agent": "a", "url": ""}"#,
            r#"{"robots": {"b64": "VXNlci1hZ2VudDogKgpEaXNhbGxvdzogLw=="}, "agent": "a", "url": "http://a.example/robots.txt"}"#,
        ];
        let answers = ask(ProbeOp::Robots, &lines.join("\n"));
        assert_eq!(
            [&answers[0]["allowed"], &answers[1]["allowed"], &answers[2]["allowed"]],
            [false, false, true]
        );
        assert_eq!(answers[0]["crawl_delay"], 2.5);
        assert_eq!(answers[0]["matched_rule"]["line"], 2);
        assert_eq!(answers[1]["crawl_delay"], Value::Null);
    }

    #[test]
    fn urls_are_resolved_by_the_standard_and_brought_into_normal_form() {
        let lines = [
            r#"{"input": "../b?ü", "base": "http://a.example/x/y", "encoding": "windows-1252"}"#,
            r#"{"input": "http://[", "base": null}"#,
            r#"{"input": "/x", "base": "nowhere"}"#,
        ];
        let answers = ask(ProbeOp::Url, &lines.join("\n"));
        assert_eq!(answers[0]["href"], "http://a.example/b?%FC");
        assert_eq!([&answers[1]["failure"], &answers[2]["failure"]], [true, true]);
        let canon = ask(ProbeOp::Canon, r#"{"url": "HTTP://A.example:80/%7ea?#x"}"#);
        assert_eq!(canon[0]["url"], "http://a.example/~a");
    }

    #[test]
    fn octets_are_base64_with_or_without_padding() {
        let octets = |encoded: &str| octets_of(&json!({ "b64": encoded }));
        // RFC 4648 section 10.
        for (encoded, text) in [("", ""), ("Zg==", "f"), ("Zg", "f"), ("Zm8=", "fo"), ("Zm9vYmFy", "foobar")]
        {
            assert_eq!(octets(encoded).as_deref(), Ok(text.as_bytes()), "{encoded}");
        }
        for encoded in ["Zm9v!", "Z", "Zm 9v"] {
            assert!(octets(encoded).is_err(), "{encoded}");
        }
    }

    #[test]
    fn header_fields_tell_a_class_a_wait_and_limits() {
        let lines = [
            r#"{"status": 429, "now": 1700000000, "headers": [["Retry-After", "64.2"], ["RateLimit", "\"a\";r=0;t=10"], ["RateLimit-Policy", "\"a\";q=5;w=60, \"b\";q=9;qu=\"content-bytes\""]]}"#,
            r#"{"now": 1700000000.5, "headers": {"X-RateLimit-Reset": "1700000030"}}"#,
            r#"{"headers": [["a"]]}"#,
        ];
        let answers = ask(ProbeOp::Headers, &lines.join("\n"));
        let told = json!({
            "class": "throttled", "retry_after_s": 65, "limit": 5, "remaining": 0, "reset_s": 10,
            "policies": [{ "name": "a", "q": 5, "w": 60 }],
        });
        assert_eq!(answers[0], told);
        assert_eq!((&answers[1]["class"], &answers[1]["reset_s"]), (&Value::Null, &json!(30)), "rounded up");
        assert!(answers[2]["error"].is_string());
    }

    #[test]
    fn structured_fields_are_shown_with_their_types() {
        let lines = [
            r#"{"type": "item", "value": "1.0;a=tok;b=:Zm9vYg==:;c=@-1;d=%\"%c3%bc\";e"}"#,
            r#"{"type": "list", "raw": ["\"x\"", "(1 ?0);p"]}"#,
            r#"{"type": "dictionary", "raw": ["a=1, b", "a=2"]}"#,
            r#"{"type": "list", "value": "a,"}"#,
            r#"{"type": "set", "value": "a"}"#,
        ];
        let answers = ask(ProbeOp::Sfv, &lines.join("\n"));
        let typed = |kind, value: Value| json!({ "__type": kind, "value": value });
        let params = json!([
            ["a", typed("token", "tok".into())],
            ["b", typed("binary", "MZXW6YQ=".into())],
            ["c", typed("date", json!(-1))],
            ["d", typed("displaystring", "ü".into())],
            ["e", true],
        ]);
        assert_eq!(answers[0], json!([1.0, params]));
        assert_eq!(answers[1], json!([["x", []], [[[1, []], [false, []]], [["p", true]]]]));
        assert_eq!(answers[2], json!([["a", [2, []]], ["b", [true, []]]]));
        assert!(answers[3..].iter().all(|answer| answer["error"].is_string()));
    }

    #[test]
    fn a_page_is_described_from_its_octets() {
        let line = r#"{"url": "http://a.example/", "headers": {"content-type": "text/html", "x-robots-tag": ["noindex", "nofollow"]}, "body": {"b64": "PGJhc2UgaHJlZj0vZC8+PGEgaHJlZj14PnQ8L2E+"}}"#;
        let answers = ask(ProbeOp::Page, line);
        assert_eq!(answers[0]["base"], "http://a.example/d/");
        assert_eq!(answers[0]["links"][0]["url"], "http://a.example/d/x");
        assert_eq!(answers[0]["encoding"], "windows-1252");
    }
}
