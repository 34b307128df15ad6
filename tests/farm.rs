//! Servers that misbehave, and a referee who reads what they were asked: every scenario of the farm that comes to its end soon.
//!
//! The farm is a set of Python programs beside this repository (`../shared/farm`); without it, or without Python, these tests say so
//! and pass.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[expect(dead_code, reason = "what this test does not need")]
mod loopback;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One at a time: a referee who measures waits wants a machine that is not busy with other tests.
static TURN: Mutex<()> = Mutex::new(());

/// How long a server may take to come up.
const COMES_UP: Duration = Duration::from_secs(30);

/// How long nobody looks whether it has.
const PAUSE: Duration = Duration::from_millis(50);

fn farm() -> Option<PathBuf> {
    let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/farm");
    let has_python = Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_ok();
    if farm.join("faultd.py").exists() && has_python {
        return Some(farm);
    }
    eprintln!("skipped: there is no ../shared/farm, or no python3");
    None
}

/// A server of the farm; ends with the test.
struct Server {
    child: Child,
    urls: Vec<(String, String)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(farm: &Path, dir: &Path, log: &str, only: &str) -> Self {
        let port = loopback::listen("127.0.0.1").1.rsplit(':').next().unwrap().to_owned();
        let ready = dir.join(format!("{log}.ready"));
        let child = Command::new("python3")
            .arg(farm.join("faultd.py"))
            .args(["--port", &port, "--only", only, "--max-seconds", "300", "--log"])
            .arg(dir.join(log))
            .arg("--ready")
            .arg(&ready)
            .spawn()
            .unwrap();
        let mut server = Self { child, urls: Vec::new() };
        let mut left = COMES_UP;
        while server.urls.is_empty() {
            std::thread::park_timeout(PAUSE);
            left = left.checked_sub(PAUSE).expect("the farm does not come up");
            let text = std::fs::read_to_string(&ready).unwrap_or_default();
            if text.ends_with('\n') {
                let lines = text.lines().filter_map(|line| line.split_once(' '));
                server.urls = lines.map(|(name, url)| (name.to_owned(), url.to_owned())).collect();
            }
        }
        server
    }

    fn url(&self, name: &str) -> &str {
        &self.urls.iter().find(|(scenario, _)| scenario == name).unwrap().1
    }
}

/// What a crawl of one scenario came to.
struct Run {
    code: Option<i32>,
    said: String,
}

fn crawl(dir: &Path, url: &str, more: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["run", "--seed", url, "--state"])
        .arg(dir.join("state"))
        .arg("--out")
        .arg(dir.join("items.jsonl"))
        .args([
            "--set",
            "politeness.delay=20ms",
            "--set",
            "politeness.pace=fixed",
            "--set",
            "retry.base=50ms",
        ])
        .args(["--set", "net.allow=127.0.10.0/24", "--set", "identity.contact=me@example.com"])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Run { code: output.status.code(), said }
}

/// What the referee says about a log.
fn verdict(farm: &Path, arguments: &[&Path]) -> String {
    let output = Command::new("python3")
        .arg(farm.join("referee.py"))
        .args(arguments)
        .args(["--contact", "--tol", "0.05"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Crawls a scenario; the referee must have nothing to say against it.
fn is_clean(scenario: &str, code: i32, more: &[&str]) -> Option<Run> {
    let farm = farm()?;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let hosts = if scenario == "leak" { "leak,leak-sink" } else { scenario };
    let server = Server::start(&farm, dir.path(), "log.jsonl", hosts);
    let run = crawl(dir.path(), server.url(scenario), more);
    let verdict = verdict(&farm, &[&dir.path().join("log.jsonl")]);
    assert!(verdict.contains("\n0 violation(s)"), "{scenario}: {verdict}\n{}", run.said);
    assert_eq!(run.code, Some(code), "{scenario}: {}", run.said);
    Some(run)
}

#[test]
fn what_a_server_announces_is_kept_to_the_second() {
    for scenario in ["ra-seconds", "ra-date", "ra-503", "limit-x", "limit-ietf", "crawl-delay"] {
        is_clean(scenario, 0, &[]);
    }
}

#[test]
fn robots_txt_is_heeded_whatever_its_form() {
    for scenario in ["baseline", "robots-429", "robots-404", "robots-redirect", "robots-bytes"] {
        is_clean(scenario, 0, &[]);
    }
}

#[test]
fn robots_txt_that_cannot_be_had_closes_its_host() {
    for scenario in ["robots-503", "robots-rst", "tls-expired", "tls-wrong-host"] {
        if let Some(run) = is_clean(scenario, 4, &["--set", "robots.tries=1"]) {
            assert!(run.said.contains("shut (robots.txt"), "{scenario}: {}", run.said);
        }
    }
}

#[test]
fn a_host_that_shuts_us_out_is_left_alone() {
    if let Some(run) = is_clean("block-403", 5, &[]) {
        assert!(run.said.contains("suspected"), "{}", run.said);
    }
}

#[test]
fn bodies_and_heads_without_bound_are_cut_and_told() {
    for (scenario, code, told) in [
        ("bombs", 0, "http.max-ratio"),
        ("endless", 0, "http.max-body"),
        ("big-page", 0, "only 10000 of a page are"),
        ("huge-head", 3, "crawl failed"),
        ("wire", 3, "crawl failed"),
    ] {
        if let Some(run) = is_clean(scenario, code, &[]) {
            assert!(run.said.contains(told), "{scenario}: {}", run.said);
        }
    }
}

#[test]
fn redirects_and_links_lead_nowhere_forbidden() {
    for scenario in ["redirects", "ssrf", "leak", "nofollow"] {
        is_clean(scenario, 0, &[]);
    }
}

#[test]
fn a_trap_ends_and_its_articles_are_read() {
    if let Some(run) = is_clean("trap", 3, &[]) {
        for pattern in ["/cal/#/#?day=*", "/list?**", "/s?sid=*", "/cal/#/#:"] {
            assert!(run.said.contains(pattern), "{pattern}: {}", run.said);
        }
    }
}

#[test]
fn sitemaps_without_end_are_left() {
    is_clean("sitemap-bomb", 3, &[]);
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let Some(farm) = farm() else { return };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    // The second round asks where the first did, so the place must be the same.
    let server = Server::start(&farm, dir.path(), "one.jsonl", "conditional");
    let url = server.url("conditional").to_owned();
    assert_eq!(crawl(dir.path(), &url, &[]).code, Some(0));
    let first = std::fs::read(dir.path().join("one.jsonl")).unwrap();
    let run = crawl(dir.path(), &url, &[]);
    assert!(run.said.contains("unchanged"), "{}", run.said);
    let both = std::fs::read(dir.path().join("one.jsonl")).unwrap();
    let sites = String::from_utf8_lossy(&first)
        .lines()
        .filter(|line| line.contains("\"site\""))
        .collect::<Vec<_>>()
        .join("\n");
    let rest = [sites.as_bytes(), b"\n", &both[first.len()..]].concat();
    let (one, two) = (dir.path().join("first.jsonl"), dir.path().join("second.jsonl"));
    std::fs::write(&one, &first).unwrap();
    std::fs::write(&two, rest).unwrap();
    let verdict = verdict(&farm, &[&one, Path::new("--second"), &two]);
    assert!(verdict.contains("\n0 violation(s)"), "{verdict}");
}
