//! Sites that never end, each with articles that are wanted: the real program comes to an end, has read the articles early, and says
//! what it has left out.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[path = "loopback/answer.rs"]
mod answer;
#[expect(dead_code, reason = "what this test does not need")]
mod loopback;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use loopback::{head, listen, path, serve};

/// Articles that hang on the end of a chain of sections: nobody reads them who goes astray before.
const ARTICLES: usize = 12;

/// What a run came to.
struct Run {
    code: Option<i32>,
    said: String,
    report: serde_json::Value,
    /// Paths in the order in which they were asked for.
    asked: Vec<String>,
}

impl Run {
    /// The place of the last article among all requests.
    fn last_article(&self) -> usize {
        let articles: HashSet<_> = self.asked.iter().filter(|path| path.starts_with("/article/")).collect();
        assert_eq!(articles.len(), ARTICLES, "{:?}", self.asked.len());
        self.asked.iter().rposition(|path| path.starts_with("/article/")).unwrap()
    }

    fn parked(&self) -> Vec<String> {
        let hosts = self.report["hosts"].as_array().unwrap();
        let parked = hosts.iter().flat_map(|host| host["parked"].as_array().unwrap());
        parked.map(|parked| parked["pattern"].as_str().unwrap().to_owned()).collect()
    }
}

/// A page with these links, and a text of its own outside of them.
fn page(title: &str, text: &str, links: &[String]) -> String {
    let mut page =
        format!("<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p><nav><a href=/>home</a>");
    for link in links {
        write!(page, " <a href=\"{link}\">{link}</a>").unwrap();
    }
    page
}

/// Pages of the site that is beside the trap: sections with articles whose texts have nothing in common.
fn real(path: &str) -> Option<String> {
    if let Some(section) = path.strip_prefix("/section/") {
        let section: usize = section.parse().ok()?;
        let next = (section < 3).then(|| format!("/section/{}", section + 1));
        let each = ARTICLES / 4;
        let articles = (section * each..(section + 1) * each).map(|n| format!("/article/{n}"));
        let links: Vec<_> = articles.chain(next).collect();
        return Some(page("section", &"chapter ".repeat(section + 1), &links));
    }
    let article: usize = path.strip_prefix("/article/")?.parse().ok()?;
    Some(page("article", &"a story of its own ".repeat(article + 2), &[]))
}

/// Crawls a site whose home page leads into `trap`, which answers everything but the articles.
fn crawl(entries: &[&str], trap: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Run {
    let (listener, origin) = listen("127.0.0.1");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let entries: Vec<_> =
        entries.iter().map(|entry| (*entry).to_owned()).chain(["/section/0".to_owned()]).collect();
    serve(listener, move |mut stream| {
        while let Some(head) = head(&stream) {
            let path = path(&head).to_owned();
            log.lock().unwrap().push(path.clone());
            let body = match path.as_str() {
                "/robots.txt" => None,
                "/" => Some(page("home", "welcome", &entries)),
                path => real(path).or_else(|| trap(path)),
            };
            let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
            if stream.write_all(&answer::page(status, "", body.unwrap_or_default())).is_err() {
                return;
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let (code, said, report) = run(&origin, dir.path());
    let asked = asked.lock().unwrap().clone();
    Run { code, said, report, asked }
}

fn run(origin: &str, dir: &Path) -> (Option<i32>, String, serde_json::Value) {
    let report = dir.join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["run", "--seed", origin, "--state"])
        .arg(dir.join("state"))
        .arg("--out")
        .arg(dir.join("items.jsonl"))
        .arg("--report")
        .arg(&report)
        .args([
            "--set",
            "politeness.delay=1ms",
            "--set",
            "politeness.jitter=0",
            "--set",
            "politeness.pace=fixed",
        ])
        // If nothing else ends it.
        .args(["--limit", "4000"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = std::fs::read_to_string(report).unwrap_or_else(|_| panic!("no report: {said}"));
    (output.status.code(), said, serde_json::from_str(&report).unwrap())
}

/// What holds for every trap: the run ends by itself and early, the articles came before the depths of the trap, and the user is told.
fn is_mastered(run: &Run, most: usize, last_article: usize) {
    assert!(run.asked.len() <= most, "{} requests\n{}", run.asked.len(), run.said);
    assert!(run.last_article() <= last_article, "the last article came as request {}", run.last_article());
    assert_eq!(run.code, Some(3), "{}", run.said);
    assert!(!run.parked().is_empty(), "{}", run.said);
    for pattern in run.parked() {
        assert!(run.said.contains(&pattern), "{pattern} is not in\n{}", run.said);
    }
    assert!(run.said.contains("scope.traps.alike = 0"), "{}", run.said);
}

fn numbers(text: &str) -> Vec<i64> {
    let digits = text.split(|c: char| !c.is_ascii_digit());
    digits.filter(|piece| !piece.is_empty()).map(|piece| piece.parse().unwrap()).collect()
}

fn month(year: i64, month: i64, link: impl Fn(i64, i64) -> String) -> String {
    let next = link(year + month / 12, month % 12 + 1);
    let before = link(year - i64::from(month == 1), (month + 10) % 12 + 1);
    page("calendar", &format!("events of {year}-{month}: none"), &[next, before])
}

#[test]
fn a_calendar_whose_months_are_in_the_path_ends() {
    let run = crawl(&["/cal/2026/11/"], |path| {
        let [year, m] = numbers(path)[..] else { return None };
        Some(month(year, m, |year, month| format!("/cal/{year}/{month}/")))
    });
    is_mastered(&run, 200, 100);
    assert_eq!(run.parked(), ["/cal/#/#/"]);
}

#[test]
fn a_calendar_whose_months_are_in_the_query_ends() {
    let run = crawl(&["/events?y=2026&m=11"], |path| {
        let [year, m] = numbers(path)[..] else { return None };
        Some(month(year, m, |year, month| format!("/events?y={year}&m={month}")))
    });
    is_mastered(&run, 200, 100);
    assert_eq!(run.parked(), ["/events?m=*&y=*"]);
}

#[test]
fn a_calendar_with_a_page_for_each_day_ends() {
    let run = crawl(&["/cal/2026/11"], |path| match numbers(path)[..] {
        [year, m] => {
            let mut page = month(year, m, |year, month| format!("/cal/{year}/{month}"));
            (1..=28).for_each(|day| write!(page, "<a href=/cal/{year}/{m}/{day}>{day}</a>").unwrap());
            Some(page)
        }
        [year, m, day] => Some(page(
            "day",
            &format!("{year}-{m}-{day}: nothing"),
            &[format!("/cal/{year}/{m}"), format!("/cal/{year}/{m}/{}", day + 1)],
        )),
        _ => None,
    });
    is_mastered(&run, 600, 160);
}

#[test]
fn session_ids_in_the_path_end() {
    let count = std::sync::atomic::AtomicU64::new(0);
    let run = crawl(&["/shop;jsessionid=0A"], move |path| {
        let name = path.strip_prefix('/')?.split(';').next()?.to_owned();
        let next = || format!("{:X}F", 7_919 * count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let words = ["shop", "cart", "about", "terms", "help"];
        let place = words.iter().position(|word| *word == name)?;
        let links: Vec<_> = words.iter().map(|word| format!("/{word};jsessionid={}", next())).collect();
        Some(page(&name, &"what it is about ".repeat(place + 1), &links))
    });
    is_mastered(&run, 200, 100);
    assert_eq!(run.parked(), ["**;jsessionid=*"]);
}

#[test]
fn facets_of_six_keys_in_any_order_end() {
    let run = crawl(&["/list?color=1"], |path| {
        let query = path.strip_prefix("/list?")?;
        let keys = ["color", "size", "brand", "price", "sort", "view"];
        let more =
            keys.iter().flat_map(|key| (1..=4).map(move |value| format!("/list?{key}={value}&{query}")));
        Some(page("list", "nothing fits", &more.collect::<Vec<_>>()))
    });
    is_mastered(&run, 200, 100);
    assert_eq!(run.parked(), ["/list?**"]);
}

#[test]
fn pages_that_are_not_there_and_say_so_with_status_200_end() {
    let run = crawl(&["/blog/"], |path| {
        let end = path.strip_prefix("/blog/")?;
        let word = |n: usize| char::from(b'a' + (n % 26) as u8);
        let links: Vec<_> = (0..9).map(|n| format!("/blog/{}{}", word(n + end.len()), end)).collect();
        Some(page("Page not found", &format!("there is no page {path}, at {} o'clock", end.len()), &links))
    });
    is_mastered(&run, 250, 100);
    assert_eq!(run.report["hosts"][0]["parked"][0]["why"], "not-found");
}

#[test]
fn five_thousand_copies_of_one_page_end() {
    let run = crawl(&["/copies"], |path| match path {
        "/copies" => {
            Some(page("copies", "all of them", &(0..5_000).map(|n| format!("/copy/{n}")).collect::<Vec<_>>()))
        }
        _ if path.starts_with("/copy/") => Some(page("copy", "always the same", &[])),
        _ => None,
    });
    is_mastered(&run, 120, 100);
    let parked = &run.report["hosts"][0]["parked"][0];
    assert_eq!((parked["pattern"].as_str(), parked["pages"].as_u64()), (Some("/copy/#"), Some(50)));
    assert!(parked["skipped"].as_u64().unwrap() > 4_900, "{parked}");
}

#[test]
fn nothing_is_left_out_of_a_site_whose_pages_differ_in_a_number() {
    let run = crawl(&["/p/0"], |path| {
        let n: u64 = path.strip_prefix("/p/")?.parse().ok()?;
        let links = (n * 3 + 1..n * 3 + 4).filter(|n| *n < 600).map(|n| format!("/p/{n}"));
        (n < 600).then(|| page(&format!("page {n}"), "text", &links.collect::<Vec<_>>()))
    });
    let pages: HashSet<_> = run.asked.iter().filter(|path| path.starts_with("/p/")).collect();
    assert_eq!((pages.len(), run.code), (600, Some(0)), "{}", run.said);
    assert!(run.parked().is_empty());
}

#[test]
fn lists_that_go_on_and_lead_to_articles_are_read_to_their_end() {
    let run = crawl(&["/list?page=1"], |path| {
        if let Some(page_no) = path.strip_prefix("/list?page=") {
            let n: u64 = page_no.parse().ok()?;
            let next = (n < 120).then(|| format!("/list?page={}", n + 1));
            let products = (0..5).map(|k| format!("/product/{}", n * 5 + k));
            return Some(page("products", "all of them", &products.chain(next).collect::<Vec<_>>()));
        }
        let n: u64 = path.strip_prefix("/product/")?.parse().ok()?;
        Some(page(&format!("product {n}"), &format!("{n} pieces"), &[]))
    });
    let products: HashSet<_> = run.asked.iter().filter(|path| path.starts_with("/product/")).collect();
    assert_eq!((products.len(), run.code), (600, Some(0)), "{}", run.said);
}
