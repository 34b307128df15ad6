//! `crawl fetch`: one page over a state, beside the crawl that the state may hold.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "http_cache/server.rs"]
mod server;

use std::fs;

use crawl::audit::record::{
    Begin, End, Found, HostLine, Method, OriginLine, Pace, Record, Reply, RobotsLine, Ruling, RunStart,
    ScopeLine, Verdict, Wait, What,
};
use crawl::audit::{Auditor, Rule};
use crawl::store::journal::Journals;
use crawl::time::Timestamp;
use serde_json::{Value, json};

use server::{Answer, Asked, Desk, Server};

/// One version of a page: 304 to whoever has it.
fn page(asked: &Asked, etag: &'static str, body: &'static str) -> Answer {
    match asked.field("if-none-match") == Some(etag) {
        true => Answer::of(304, &[("etag", etag)]),
        false => Answer::of(200, &[("etag", etag), ("content-type", "text/html")]).body(body),
    }
}

/// A home page that links to three others.
fn site(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/" => page(asked, "\"home\"", "<title>home</title><a href=/a>a</a><a href=/b>b</a><a href=/c>c</a>"),
        "/a" => page(asked, "\"a\"", "<title>a</title>"),
        "/b" => page(asked, "\"b\"", "<title>b</title>"),
        "/c" => page(asked, "\"c\"", "<title>c</title>"),
        _ => Answer::of(404, &[]),
    }
}

fn status(desk: &Desk) -> Value {
    let state = desk.state();
    let ran = desk.run(&["status", "--json", "--state", state.to_str().unwrap()]);
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn code(ran: &std::process::Output) -> Option<i32> {
    ran.status.code()
}

fn audited(desk: &Desk) -> Value {
    let state = desk.state();
    let ran = desk.run(&["audit", "--json", state.to_str().unwrap()]);
    assert_eq!(code(&ran), Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn an_unfinished_crawl_stays_as_it_is() {
    let server = Server::start(site);
    let desk = Desk::new();
    let seed = server.url("/");
    let crawl = ["run", "--seed", &seed, "--out", "items.jsonl"];
    assert_eq!(code(&desk.quick(&[&crawl[..], &["--limit", "2"]].concat())), Some(3));
    let (before, items) = (status(&desk), fs::read(desk.path("items.jsonl")).unwrap());
    assert_eq!((&before["phase"], &before["waiting"]), (&json!("unfinished"), &json!(2)));
    for path in ["/", "/b", "/c", "/none"] {
        desk.fetch(&server.url(path), &[]);
    }
    let after = status(&desk);
    for key in ["phase", "round", "started", "waiting", "totals", "failed"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(fs::read(desk.path("items.jsonl")).unwrap(), items);
    server.asked();
    assert_eq!(code(&desk.quick(&crawl)), Some(0));
    let mut rest: Vec<_> = server.asked().into_iter().map(|asked| asked.path).collect();
    rest.sort();
    assert_eq!(rest, ["/b", "/c"], "what was fetched beside it was not its own");
    assert_eq!(status(&desk)["round"], 1);
    audited(&desk);
}

#[test]
fn the_change_report_of_a_crawl_is_the_one_that_it_would_have_been() {
    let second = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = second.clone();
    let server = Server::start(move |asked| {
        match (asked.path.as_str(), flag.load(std::sync::atomic::Ordering::SeqCst)) {
            ("/a", true) => page(asked, "\"a2\"", "<title>other</title>"),
            _ => site(asked),
        }
    });
    let desk = Desk::new();
    let seed = server.url("/");
    let crawl = ["run", "--seed", &seed, "--out", "items.jsonl", "--report", "report.json"];
    assert_eq!(code(&desk.quick(&crawl)), Some(0));
    second.store(true, std::sync::atomic::Ordering::SeqCst);
    // It asks with what the crawl has kept, and keeps what comes for it.
    let told = desk.fetch(&server.url("/a"), &[]);
    assert_eq!(
        (&told["validators_sent"]["if-none-match"], &told["shift"]),
        (&json!("\"a\""), &json!("changed"))
    );
    assert_eq!(desk.fetch(&server.url("/a"), &[])["shift"], "unchanged");
    server.asked();
    assert_eq!(code(&desk.quick(&crawl)), Some(0));
    let asked = server.asked();
    let a = asked.iter().find(|asked| asked.path == "/a").unwrap();
    assert_eq!(a.field("if-none-match"), Some("\"a2\""));
    let report: Value = serde_json::from_str(&fs::read_to_string(desk.path("report.json")).unwrap()).unwrap();
    let totals = &report["totals"];
    assert_eq!((&totals["changed"], &totals["unchanged"], &totals["new"]), (&json!(1), &json!(3), &json!(0)));
    let items = fs::read_to_string(desk.path("items.jsonl")).unwrap();
    assert!(items.contains("other"), "{items}");
}

#[test]
fn a_state_that_begins_with_a_page_is_a_state_for_a_crawl() {
    let server = Server::start(site);
    let desk = Desk::new();
    assert_eq!(desk.fetch(&server.url("/a"), &[])["shift"], "new");
    assert_eq!(
        (status(&desk)["round"].clone(), status(&desk)["phase"].clone()),
        (json!(0), json!("never run"))
    );
    assert_eq!(code(&desk.quick(&["resume", "--seed", &server.url("/")])), Some(2));
    assert_eq!(code(&desk.quick(&["run", "--seed", &server.url("/"), "--out", "items.jsonl"])), Some(0));
    let status = status(&desk);
    assert_eq!((&status["round"], &status["totals"]["new"]), (&json!(1), &json!(4)));
    assert_eq!(server.robots(), 1, "robots.txt is known by then");
    audited(&desk);
}

#[test]
fn a_state_that_a_crawl_has_is_refused() {
    let server = Server::start(site);
    let desk = Desk::new();
    desk.fetch(&server.url("/a"), &[]);
    server.asked();
    let lock = fs::File::open(desk.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let refused = desk.quick(&["fetch", &server.url("/a"), "--json"]);
    assert_eq!((code(&refused), server.asked().len()), (Some(8), 0));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use by another crawl"));
}

#[test]
fn what_robots_txt_forbids_is_not_asked() {
    let robots = Answer::of(200, &[]).body("User-agent: *\nDisallow: /private\n");
    let server = Server::with_robots(robots, site);
    let desk = Desk::new();
    let ran = desk.quick(&["fetch", &server.url("/private/x"), "--json"]);
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((code(&ran), server.asked().len()), (Some(4), 0));
    assert_eq!(
        (&told["robots"]["verdict"], &told["error"]["class"]),
        (&json!("disallowed"), &json!("robots"))
    );
    assert!(told["robots"]["line"].as_str().unwrap().contains("/private"));
    assert_eq!((&told["asked"], &told["status"], &told["exit_code"]), (&json!(0), &Value::Null, &json!(4)));
}

#[test]
fn a_robots_txt_that_fails_closes_the_page() {
    let server = Server::with_robots(Answer::of(500, &[]), site);
    let desk = Desk::new();
    let told = desk.fetch(&server.url("/a"), &[]);
    assert_eq!(
        (&told["exit_code"], &told["robots"]["verdict"]),
        (&json!(4), &json!("unreachable")),
        "{told}"
    );
    assert_eq!(told["error"]["class"], "robots");
    assert!(server.asked().is_empty());
}

#[test]
fn a_wait_beyond_patience_is_told_and_kept_and_a_shorter_one_is_sat_through() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let server = Server::start(move |asked| {
        match (asked.path.as_str(), count.load(std::sync::atomic::Ordering::SeqCst)) {
            ("/busy", _) => Answer::of(429, &[("retry-after", "3600")]),
            ("/short", 0) => {
                count.store(1, std::sync::atomic::Ordering::SeqCst);
                Answer::of(503, &[("retry-after", "1")])
            }
            _ => page(asked, "\"1\"", "x"),
        }
    });
    let desk = Desk::new();
    let short = desk.fetch(&server.url("/short"), &[]);
    assert_eq!((&short["status"], &short["asked"], &short["exit_code"]), (&json!(200), &json!(2), &json!(0)));
    let sat: Vec<_> =
        short["waits"].as_array().unwrap().iter().filter(|wait| wait["for"] == "retry-after").collect();
    assert!(sat.len() == 1 && sat[0]["seconds"].as_f64().unwrap() >= 1.0, "{short}");
    assert!(short["total_wait_s"].as_f64().unwrap() >= 1.0);
    let busy = desk.fetch(&server.url("/busy"), &[]);
    assert_eq!(
        (&busy["status"], &busy["exit_code"], &busy["parked"]["for"]),
        (&json!(429), &json!(6), &json!("retry-after"))
    );
    assert!(busy["parked"]["seconds"].as_f64().unwrap() > 3_500.0);
    server.asked();
    let later = desk.fetch(&server.url("/other"), &[]);
    assert_eq!((&later["exit_code"], &later["error"]["class"]), (&json!(6), &json!("parked")));
    assert!(server.asked().is_empty(), "the pause is one of the host");
    audited(&desk);
}

#[test]
fn redirects_go_the_same_road_as_far_as_is_wanted() {
    let robots = Answer::of(200, &[]).body("User-agent: *\nDisallow: /private\n");
    let server = Server::with_robots(robots, |asked| match asked.path.as_str() {
        "/1" => Answer::of(301, &[("location", "/2")]),
        "/2" => Answer::of(302, &[("location", "/a")]),
        "/secret" => Answer::of(302, &[("location", "/private")]),
        "/round" => Answer::of(302, &[("location", "/round?")]),
        _ => site(asked),
    });
    let desk = Desk::new();
    let told = desk.fetch(&server.url("/1"), &[]);
    assert_eq!((&told["final_url"], &told["status"]), (&json!(server.url("/a")), &json!(200)));
    let hops: Vec<_> =
        told["redirects"].as_array().unwrap().iter().map(|hop| hop["location"].clone()).collect();
    assert_eq!((hops, &told["asked"]), (vec![json!("/2"), json!("/a")], &json!(3)));
    let told = desk.fetch(&server.url("/1"), &["--max-redirects", "1"]);
    assert_eq!(
        (&told["exit_code"], &told["error"]["class"], &told["asked"]),
        (&json!(3), &json!("redirect"), &json!(2))
    );
    let told = desk.fetch(&server.url("/secret"), &[]);
    assert_eq!((&told["exit_code"], &told["error"]["class"]), (&json!(4), &json!("robots")));
    assert!(server.asked().iter().all(|asked| asked.path != "/private"));
    audited(&desk);
}

#[test]
fn the_body_is_written_where_there_is_one() {
    let server = Server::start(site);
    let desk = Desk::new();
    let url = server.url("/a");
    let told = desk.fetch(&url, &["--body", "a.html"]);
    assert_eq!(told["body"], json!({ "file": "a.html", "bytes": 16 }));
    assert_eq!(fs::read_to_string(desk.path("a.html")).unwrap(), "<title>a</title>");
    fs::remove_file(desk.path("a.html")).unwrap();
    let told = desk.fetch(&url, &["--body", "a.html"]);
    assert_eq!((&told["status"], &told["body"]), (&json!(304), &Value::Null));
    assert!(!desk.path("a.html").exists());
    let ran = desk.quick(&["fetch", &url, "--fresh", "--json", "--body", "-"]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "<title>a</title>");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("\"status\": 200"));
    let record = ["--set", "cache.bodies=true", "--body", "a.html"];
    assert_eq!(desk.fetch(&url, &record)["status"], 200, "what is not recorded yet is asked for in full");
    fs::remove_file(desk.path("a.html")).unwrap();
    let told = desk.fetch(&url, &record);
    assert_eq!((&told["status"], &told["body"]["bytes"]), (&json!(304), &json!(16)));
    assert_eq!(fs::read_to_string(desk.path("a.html")).unwrap(), "<title>a</title>");
}

#[test]
fn a_crawler_file_gives_its_rules_and_its_state() {
    let server = Server::start(site);
    let desk = Desk::new();
    let file = format!(
        "seeds = [\"{}\"]\nstate-dir = \"own\"\n[politeness]\ndelay = \"1ms\"\njitter = 0\npace = \"fixed\"\n\
         [[extract]]\nfields = {{ name = \"title\" }}\n[sink.jsonl]\npath = \"out.jsonl\"\n",
        server.url("/")
    );
    fs::write(desk.path("site.toml"), file).unwrap();
    for status in [200, 304] {
        let ran = desk.run(&["fetch", "site.toml", &server.url("/a"), "--json"]);
        let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(
            (&told["status"], &told["items"][0]["fields"]),
            (&json!(status), &json!({ "url": server.url("/a"), "name": "a" }))
        );
    }
    assert!(desk.path("own").exists() && !desk.path("out.jsonl").exists(), "its output is the crawl's");
    let elsewhere =
        desk.run(&["fetch", "site.toml", &server.url("/a"), "--set", "scope.hosts=[\"b.example\"]"]);
    assert_eq!(code(&elsewhere), Some(2));
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("this seed is out of scope"));
}

#[test]
fn people_read_it_in_a_few_lines() {
    let server = Server::start(site);
    let desk = Desk::new();
    let text = |args: &[&str]| String::from_utf8(desk.quick(args).stdout).unwrap();
    let first = text(&["fetch", &server.url("/a")]);
    assert!(first.contains("answer    200, 16 B") && first.contains("new, kept in the cache"), "{first}");
    let second = text(&["fetch", &server.url("/a")]);
    assert!(
        second.contains("304, it has not changed") && second.contains("if-none-match: \"a\""),
        "{second}"
    );
    let third = text(&["fetch", &server.url("/a"), "--max-age", "1h"]);
    assert!(third.contains("nobody was asked"), "{third}");
    let gone = text(&["fetch", &server.url("/none")]);
    assert!(gone.contains("error     gone: status 404"), "{gone}");
}

#[test]
fn other_hosts_of_the_crawl_do_not_decide_how_it_ends() {
    let server =
        Server::start(|asked| match asked.field("host").is_some_and(|host| host.starts_with("localhost")) {
            true => Answer::of(429, &[("retry-after", "86400")]),
            false => site(asked),
        });
    let desk = Desk::new();
    let other = server.url("/").replace("127.0.0.1", "localhost");
    assert_eq!(desk.fetch(&other, &[])["exit_code"], 6);
    let told = desk.fetch(&server.url("/a"), &[]);
    assert_eq!((&told["exit_code"], &told["error"]), (&json!(0), &Value::Null), "{told}");
}

#[test]
fn of_the_journals_of_pages_the_last_five_hundred_are_kept_and_those_of_a_run_always() {
    let dir = tempfile::tempdir().unwrap();
    let journals = Journals::in_dir(dir.path(), 2);
    journals.begin(3).unwrap();
    for _ in 0..510 {
        journals.begin_beside(3).unwrap();
    }
    journals.begin(3).unwrap();
    let names: Vec<_> = journals.read().unwrap().into_iter().map(|part| part.name).collect();
    assert_eq!(
        (names.len(), names[0].as_str(), names[1].as_str()),
        (502, "0003-0001.log", "0003-0012-page.log")
    );
    assert_eq!(names[501], "0003-0512.log");
}

/// A run of round 1 that asks for one page, `/old/x`, with this pattern of its scope excluded.
fn run_that_asks(found: Found, second: u64, exclude: Option<&str>) -> Vec<Record> {
    let at = |more: u64| Timestamp::from_secs(1_790_000_000 + second + more);
    let pace = Pace {
        delay_ms: 1_000,
        max_concurrency: 1,
        max_crawl_delay_ms: 60_000,
        bucket: None,
        rule: "fixed".to_owned(),
    };
    let start = RunStart {
        at: at(0),
        program: "0.1.0".to_owned(),
        round: 1,
        found,
        agent: "mybot".to_owned(),
        max_in_flight: 1,
        min_interval_ms: None,
        max_depth: None,
        url_limits: [2_083, 20, 2, 4, 12],
    };
    let robots =
        RobotsLine { origin: 0, answer_to: None, at: at(0), until: at(86_400), verdict: Verdict::AllowAll };
    let begin = Begin {
        at: at(2),
        origin: 0,
        what: What::Page,
        method: Method::Get,
        path: "/old/x".to_owned(),
        depth: 0,
        rule: Ruling::NoLine,
    };
    let end = End { request: 0, at: at(3), reply: Reply::Whole(200), wait: Wait::None, location: None };
    let mut records = vec![Record::RunStart(start)];
    records.extend(exclude.map(|pattern| Record::Scope(ScopeLine::Exclude(pattern.to_owned()))));
    records.extend([
        Record::Host(HostLine { name: "a.example".to_owned(), pace }),
        Record::Origin(OriginLine { host: 0, text: "http://a.example".to_owned() }),
        Record::Robots(robots),
        Record::Begin(begin),
        Record::End(end),
    ]);
    records
}

#[test]
fn the_scope_of_a_page_is_its_own_and_excuses_nothing_of_the_crawl() {
    let scope_breaches = |runs: &[Vec<Record>]| {
        let mut auditor = Auditor::new();
        runs.iter().flatten().for_each(|record| auditor.take(record.clone()).unwrap());
        let findings = auditor.finish();
        findings
            .breaches
            .iter()
            .filter(|breach| breach.rule == Rule::Scope)
            .map(|breach| breach.run)
            .collect::<Vec<_>>()
    };
    let crawl = |found, second| run_that_asks(found, second, Some("/old/"));
    let page = |second| run_that_asks(Found::Beside, second, None);
    assert_eq!(scope_breaches(&[page(0)]), [] as [usize; 0]);
    assert_eq!(scope_breaches(&[crawl(Found::Nothing, 0), page(10), crawl(Found::Unfinished, 20)]), [1, 3]);
    assert_eq!(scope_breaches(&[run_that_asks(Found::Beside, 0, Some("/old/"))]), [1]);
}

#[test]
fn expressions_are_answered_at_once_and_whole_as_json() {
    let server = Server::start(site);
    let desk = Desk::new();
    let looks =
        ["--css", "a::attr(href)", "--xpath", "//title", "--regex", "href=(.)", "--links", "--structured"];
    let told = desk.fetch(&server.url("/"), &looks);
    assert_eq!(told["exit_code"], 0);
    let queries = &told["look"]["queries"];
    assert_eq!((&queries[0]["by"], &queries[0]["count"]), (&json!("css"), &json!(3)));
    assert_eq!(queries[0]["matches"][2], server.url("/c"));
    assert_eq!((&queries[1]["matches"], &queries[2]["matches"]), (&json!(["home"]), &json!(["/", "/", "/"])));
    assert_eq!(told["look"]["links"][0]["text"], "a");
    assert_eq!(told["look"]["structured"]["json-ld"], json!([]));
    // It is known now, and asked for in full again: there is nothing to look at in "it has not changed".
    let told = desk.fetch(&server.url("/"), &["--css", "title"]);
    assert_eq!(told["look"]["queries"][0]["matches"], json!(["home"]));
    let shown = desk.quick(&["fetch", &server.url("/"), "--css", "a", "--article", "markdown"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("\ncss `a`: 3 matches\n   1  a\n   2  b\n"), "{shown}");
    // Without flags it is the object that it was.
    assert!(desk.fetch(&server.url("/"), &[]).get("look").is_none());
}

#[test]
fn what_is_no_expression_is_told_before_anything_is_asked() {
    let server = Server::start(site);
    let desk = Desk::new();
    for (flag, text, told) in [
        ("--css", "a[", "`a[` is not a CSS selector"),
        ("--xpath", "//a[", "`//a[` is not an XPath expression"),
        ("--json-path", "$[", "`$[` is not a JSONPath query"),
        ("--regex", "(", "`(` is not a regular expression"),
    ] {
        let ran = desk.quick(&["fetch", &server.url("/"), flag, text]);
        let error = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(code(&ran) == Some(2) && error.contains(told), "{error}");
    }
    assert!(server.asked().is_empty() && server.robots() == 0 && !desk.state().exists());
}

#[test]
fn a_page_in_a_file_is_looked_at_without_a_request() {
    let desk = Desk::new();
    fs::write(desk.path("page.html"), "<title>kept</title><a href=next>n</a>").unwrap();
    fs::write(desk.path("list.json"), "{\"items\": [{\"n\": 1}, {\"n\": 2}]}").unwrap();
    let from = |file: &str, more: &[&str]| desk.run(&[&["fetch", "--from", file, "--json"], more].concat());
    let read = |ran: std::process::Output| serde_json::from_slice::<Value>(&ran.stdout).unwrap();
    let told = read(from("page.html", &["--url", "https://a.example/x/", "--css", "a::attr(href)"]));
    assert_eq!((&told["title"], &told["form"], &told["links"]), (&json!("kept"), &json!("HTML"), &json!(1)));
    assert_eq!(told["look"]["queries"][0]["matches"], json!(["https://a.example/x/next"]));
    let told = read(from("list.json", &["--json-path", "$.items[*].n"]));
    assert_eq!(told["look"]["queries"][0]["matches"], json!([1, 2]));
    assert_eq!(code(&from("none.html", &[])), Some(2));
    assert_eq!(code(&from("page.html", &["--url", "mailto:a@b"])), Some(2));
    assert_eq!(code(&desk.run(&["fetch", "--url", "https://a.example/"])), Some(2));
    assert_eq!(fs::read_dir(desk.path("")).unwrap().count(), 2, "nothing is kept of it");
}
