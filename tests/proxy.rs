//! A proxy that the crawler file names: it gets every request and alone its password, hosts keep their pace behind it, and one that
//! refuses or is not there costs no page. The environment's proxies are not looked at.
#![expect(clippy::disallowed_methods, reason = "a test measures the time that passes outside of the program")]
#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[path = "loopback/answer.rs"]
mod answer;
mod loopback;

use std::io::Write as _;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use loopback::{field, head, listen, path, serve};

/// What came in: where it wanted to go, the password for the proxy, and when.
type Log = Arc<Mutex<Vec<(String, Option<String>, Instant)>>>;

/// A proxy that gives a page of two links itself, whatever host is named; or refuses all the same with this line.
fn proxy(refusal: Option<&'static str>) -> (String, Log) {
    let (listener, origin) = listen("127.0.0.1");
    let log = Log::default();
    let noted = Arc::clone(&log);
    serve(listener, move |mut stream| {
        while let Some(head) = head(&stream) {
            let target = path(&head).to_owned();
            let secret = field(&head, "proxy-authorization").map(str::to_owned);
            noted.lock().unwrap().push((target.clone(), secret, Instant::now()));
            let body = if target.ends_with("/robots.txt") { "" } else { "<a href=/1>1</a> <a href=/2>2</a>" };
            if stream.write_all(&answer::page(refusal.unwrap_or("200 OK"), "", body)).is_err() {
                return;
            }
        }
    });
    (origin, log)
}

fn crawl(proxy: &str, environment: &[(&str, &str)]) -> (Output, String) {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "seeds = [\"http://a.example/\"]\n[identity]\ncontact = \"me@a.example\"\n[politeness]\ndelay = \"300ms\"\njitter = 0\n\
         [backoff]\npatience = \"0s\"\n[retry]\ntries = 1\n{proxy}"
    );
    std::fs::write(dir.path().join("a.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["run", "-v", "a.toml"]).current_dir(dir.path()).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let words = words.into_owned();
    (output, words)
}

fn with_password(origin: &str) -> String {
    format!("[http]\nproxy = \"{}\"\n", origin.replace("http://", "http://me:hush@"))
}

#[test]
fn every_request_goes_through_it_at_the_pace_of_its_host() {
    let (origin, log) = proxy(None);
    let (output, words) = crawl(&with_password(&origin), &[]);
    assert_eq!(output.status.code(), Some(0), "{words}");
    let log = log.lock().unwrap();
    let targets: Vec<&str> = log.iter().map(|(target, ..)| target.as_str()).collect();
    let wanted =
        ["http://a.example/robots.txt", "http://a.example/", "http://a.example/1", "http://a.example/2"];
    assert_eq!(targets, wanted, "{words}");
    assert!(log.iter().all(|(_, secret, _)| secret.as_deref() == Some("Basic bWU6aHVzaA==")), "{log:?}");
    let gaps = log.windows(2).map(|pair| (pair[1].2 - pair[0].2).as_millis());
    assert!(gaps.clone().all(|gap| gap >= 280), "{:?}", gaps.collect::<Vec<_>>());
    assert!(!words.contains("hush"), "{words}");
}

#[test]
fn one_that_refuses_or_is_not_there_costs_no_page_and_is_told() {
    let closed = listen("127.0.0.1").1;
    let refusing = ["407 Proxy Authentication Required\r\nProxy-Authenticate: Basic", "502 Bad Gateway"];
    for origin in refusing.map(|line| proxy(Some(line)).0).into_iter().chain([closed]) {
        let (output, words) = crawl(&with_password(&origin), &[]);
        assert_ne!(output.status.code(), Some(0), "{words}");
        assert!(words.contains("pages         0"), "{words}");
        assert!(!words.contains("hush"), "{words}");
    }
}

#[test]
fn the_proxies_of_the_environment_are_not_looked_at() {
    let (origin, log) = proxy(None);
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    crawl("", &names.map(|name| (name, origin.as_str())));
    assert!(log.lock().unwrap().is_empty());
}
