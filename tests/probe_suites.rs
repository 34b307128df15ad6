//! The suites of others, asked as their READMEs say: line by line through `crawl probe`. Skipped where they are not at hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod suites;

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use suites::{cases, octets};

/// Asks all lines at once.
fn probe(op: &str, lines: &[Value]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["probe", op]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let answers = output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let answers: Vec<Value> = answers.map(|line| serde_json::from_slice(line).unwrap()).collect();
    assert_eq!(answers.len(), lines.len());
    answers
}

/// Settings of Scrapy's own, which its README says to skip.
fn is_scrapys_own(case: &Value) -> bool {
    let keys = ["proxy", "dont_redirect", "handle_httpstatus_list", "handle_httpstatus_all"];
    keys.iter().any(|key| !case["request"]["meta"][key].is_null())
        || !case["request"]["headers"]["Proxy-Authorization"].is_null()
        || case["test"].as_str().is_some_and(|name| name.ends_with("test_spider_handling"))
}

/// Method, URL, body and header names of a request; URLs in normal form.
fn essence(request: &Value) -> (String, String, String, Vec<String>) {
    let url = url::Url::parse(request["url"].as_str().unwrap()).unwrap().to_string();
    let headers = request["headers"].as_object().unwrap();
    let mut names: Vec<String> = headers.keys().map(|name| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&request["method"]), url, text(&request["body"]["b64"]), names)
}

/// Where this crawler is stricter than Scrapy. A `Cookie` field goes on to another port, and from http to https: here no credential
/// leaves its origin. A `Referer` is made for every redirect: here none is ever made, and one that the user wrote stays at its origin.
/// A URL keeps its fragment: here no URL has one.
fn deviates(case: &Value, answer: &Value) -> bool {
    let plain = |request: &Value| {
        let (method, url, body, mut names) = essence(request);
        names.retain(|name| !["cookie", "referer"].contains(&name.as_str()));
        (method, url.split('#').next().unwrap().to_owned(), body, names)
    };
    let origin = |of: &Value| url::Url::parse(of["url"].as_str().unwrap()).unwrap().origin();
    let headers = answer["headers"].as_object().unwrap();
    let is_home = origin(&case["request"]) == origin(&case["redirect"]);
    let leaks = !is_home && ["cookie", "referer"].iter().any(|name| headers.contains_key(*name));
    !leaks && plain(&case["redirect"]) == plain(answer)
}

fn redirects(file: &str) -> Option<(usize, usize)> {
    let all = cases::<Vec<Value>>(&format!("redirect-scrapy/{file}"))?;
    let chosen: Vec<_> = all.into_iter().filter(|case| !is_scrapys_own(case)).collect();
    let (mut wrong, mut deviations) = (Vec::new(), 0);
    for (case, answer) in chosen.iter().zip(probe("redirect", &chosen)) {
        let right = match &case["redirect"] {
            Value::Null => answer["stop"].is_string(),
            next => answer["request"].is_object() && essence(&answer["request"]) == essence(next),
        };
        if !right
            && case["redirect"].is_object()
            && answer["request"].is_object()
            && deviates(case, &answer["request"])
        {
            deviations += 1;
        } else if !right {
            wrong.push(format!("{}\n  {answer}\n  {}", case["test"], case["redirect"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), chosen.len(), wrong.join("\n"));
    Some((chosen.len(), deviations))
}

#[test]
fn redirects_go_where_scrapys_advisories_want_them() {
    if let Some(judged) = redirects("redirect.json") {
        assert_eq!(judged, (79, 8));
    }
}

#[test]
fn refreshes_go_where_scrapys_advisories_want_them() {
    if let Some(judged) = redirects("meta_refresh.json") {
        assert_eq!(judged, (89, 2));
    }
}

#[test]
fn cookies_are_sent_as_the_ietf_has_them() {
    let Some(all) = cases::<Vec<Value>>("cookies-httpstate/parser.json") else { return };
    let name = |case: &Value| case["test"].as_str().unwrap().to_owned();
    let chosen: Vec<_> = all.into_iter().filter(|case| !name(case).starts_with("DISABLED_")).collect();
    let lines = chosen.iter().map(|case| {
        let from = format!("http://home.example.org:8888/cookie-parser?{}", name(case));
        let to = case["sent-to"].as_str().unwrap_or("/cookie-parser-result");
        let to = url::Url::parse(&from).unwrap().join(to).unwrap();
        json!({ "set_cookie": case["received"], "from": from, "to": to.as_str(), "now": 1_302_825_600 })
    });
    let lines: Vec<_> = lines.collect();
    for (case, answer) in chosen.iter().zip(probe("cookies", &lines)) {
        assert_eq!(answer["sent"], case["sent"], "{}", name(case));
    }
    assert_eq!(chosen.len(), 218);
}

#[test]
fn packed_bodies_are_unpacked_or_refused() {
    let Some(page) = octets("compressed-scrapy/html-gzip.bin") else { return };
    let line = |encoding: &str, body: &[u8], max: Option<u64>| json!({ "content_encoding": encoding, "body_b64": STANDARD.encode(body), "max": max });
    let sample = |name: &str| octets(&format!("compressed-scrapy/{name}")).unwrap();
    let mut lines = vec![
        line("gzip", &page, None),
        line("br", &sample("html-br.bin"), None),
        line("gzip, deflate", &sample("html-gzip-deflate.bin"), None),
        line("deflate", &sample("html-rawdeflate.bin"), None),
        line("deflate", &sample("html-zlibdeflate.bin"), None),
        line("zstd", &sample("html-zstd-static-content-size.bin"), None),
        line("zstd", &sample("html-zstd-static-no-content-size.bin"), None),
        line("zstd", &sample("html-zstd-streaming-no-content-size.bin"), None),
    ];
    let whole = lines.len();
    for coding in ["br", "deflate", "gzip", "zstd"] {
        lines.push(line(coding, &sample(&format!("bomb-{coding}.bin")), None));
    }
    lines.push(line("gzip", &page, Some(1000)));
    for name in ["truncated-crc-error.gz", "truncated-crc-error-short.gz", "unexpected-eof.gz"] {
        lines.push(line("gzip", &sample(name), None));
    }
    let answers = probe("decode", &lines);
    for answer in &answers[..whole] {
        assert!((74_837..=74_840).contains(&answer["length"].as_u64().unwrap()), "{answer}");
        assert_eq!(answer["sha256"].as_str().unwrap().len(), 64);
    }
    for answer in &answers[whole..] {
        assert!(answer["error"].is_string() && answer["length"].is_null(), "{answer}");
        assert!(answer["kept"]["length"].as_u64().unwrap() > 0, "{answer}");
    }
}
