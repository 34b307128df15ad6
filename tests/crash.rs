//! kill -9 at random moments, again and again, with the server's own log as the judge.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crawl::demo::{self, DemoRequest, DemoSite};

const KILLS: usize = 8;

fn start(site: &DemoSite, dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args([
            "run",
            "--seed",
            &site.url(),
            "--set",
            "politeness.delay=10ms",
            "--set",
            "politeness.jitter=0",
            "--set",
            "politeness.pace=fixed",
        ])
        .arg("--state")
        .arg(dir.join("state"))
        .arg("--out")
        .arg(dir.join("pages.jsonl"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How often each path was answered with this status.
fn answered(log: &[DemoRequest], status: u16) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for request in log.iter().filter(|request| request.status == status) {
        *counts.entry(request.path.as_str()).or_default() += 1;
    }
    counts
}

/// URLs of the output, each with the number of its lines. Every line must be whole.
fn items(dir: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(dir.join("pages.jsonl")).unwrap().lines() {
        let item: serde_json::Value = serde_json::from_str(line).expect("every line is whole");
        *counts.entry(item["url"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
async fn killed_again_and_again_a_crawl_loses_nothing_and_doubles_nothing() {
    let site = DemoSite::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..KILLS {
        let mut crawl = start(&site, dir.path());
        tokio::time::sleep(Duration::from_millis(rng.u64(300..2500))).await;
        crawl.kill().unwrap();
        crawl.wait().unwrap();
    }
    let mut last = start(&site, dir.path());
    let ended = tokio::task::spawn_blocking(move || last.wait().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(90), ended).await;
    assert_eq!(ended.expect("the last run ends by itself").unwrap().code(), Some(0));

    let log = site.log();
    let fetched = answered(&log, 200);
    let again: usize = fetched.iter().filter(|(path, _)| **path != "/robots.txt").map(|(_, n)| n - 1).sum();
    assert!(again <= KILLS, "{again} pages fetched again, one in flight at each kill is excused");
    assert_eq!(fetched["/robots.txt"], 1, "a verdict is kept over a kill");
    assert_eq!(site.breaches(), 0, "a Retry-After holds over a kill");
    let items = items(dir.path());
    assert!(items.len() >= demo::pages(), "{} of {} pages have their item", items.len(), demo::pages());
    assert!(items.values().all(|lines| *lines == 1), "an item is there twice");
    assert_eq!(
        items.len(),
        fetched.len() - 1,
        "every page that was fetched has its item, robots.txt has none"
    );
}
