//! The command `crawl` as a user meets it: what it prints, where, and with which exit code it ends.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "shared with tests that read fields")]
mod loopback;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crawl::demo::DemoSite;
use serde_json::{Value, json};
use tempfile::TempDir;

const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crawlers/site.toml");

/// Makes the demo site quick: its own Crawl-delay of 50 ms stays.
const QUICK: [&str; 8] = [
    "--set",
    "politeness.delay=5ms",
    "--set",
    "politeness.jitter=0",
    "--set",
    "politeness.pace=fixed",
    "--set",
    "backoff.base=100ms",
];

/// The demo shop's home page and what it links to.
const SMALL: [&str; 6] = ["run", "--seed", "demo:", "--set", "scope.max-depth=1", "--state"];

/// A place for one test, and the command in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(args).current_dir(self.path()).env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Runs with these lines as the standard input.
    fn ask(&self, args: &[&str], lines: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    first.iter().chain(more).copied().collect()
}

fn same(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("cli");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the log line that holds `word`, and gives the rest of the log back to be read.
fn wait_for_log(child: &mut Child, word: &str) -> BufReader<impl Read + use<>> {
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the log ended without {word:?}");
    }
    log
}

#[test]
fn help_reads_well() {
    let desk = Desk::new();
    same("help", &desk.run(&["--help"]).ends_with(0).out);
    same("help-run", &desk.run(&["run", "--help"]).ends_with(0).out);
    same("help-fetch", &desk.run(&["fetch", "--help"]).ends_with(0).out);
    same("help-shell", &desk.run(&["shell", "--help"]).ends_with(0).out);
    same("help-try", &desk.run(&["try", "--help"]).ends_with(0).out);
    assert!(desk.run(&["--version"]).ends_with(0).out.starts_with("crawl "));
    desk.run(&["run"]).ends_with(2);
    desk.run(&["fly"]).ends_with(2);
}

#[test]
fn check_says_what_a_file_would_do() {
    let ran = Desk::new().run(&["check", SITE]).ends_with(0);
    same("check-site", &ran.out.replace(SITE, "crawlers/site.toml"));
}

#[test]
fn check_tells_every_problem_of_every_file() {
    let desk = Desk::new();
    desk.write("bad.toml", "seeds = [\"demo:\"]\n\n[politeness]\ndely = \"1s\"\njitter = 7\n");
    desk.write("spider.toml", "spider = \"quotes\"\n");
    let ran = desk.run(&["check", "bad.toml", SITE, "spider.toml"]).ends_with(2);
    same("check-problems", &ran.err);
    assert!(ran.out.contains(": ok"));
    desk.run(&["run", "bad.toml"]).ends_with(2);
    assert!(!desk.path().join(".crawl").exists());
}

#[test]
fn config_tells_where_every_value_comes_from() {
    let desk = Desk::new();
    desk.write("a.toml", "seeds = [\"demo:\"]\n[politeness]\ndelay = \"2s\"\n");
    let args = ["config", "a.toml", "--origin", "--set", "politeness.jitter=0.1", "--limit", "7", "--json"];
    let ran = desk.run(&args).ends_with(0).json();
    assert_eq!(ran["politeness.delay"], json!({ "value": "\"2s\"", "origin": "a.toml:3" }));
    assert_eq!(ran["politeness.jitter"]["origin"], "--set");
    assert_eq!(ran["scope.max-pages"], json!({ "value": "7", "origin": "--limit" }));
    assert_eq!(ran["retry.tries"]["origin"], "default");
    let text = desk.run(&["config", "a.toml", "--origin"]).ends_with(0).out;
    let line = text.lines().find(|line| line.starts_with("politeness.delay")).unwrap();
    assert!(line.ends_with("# a.toml:3"), "{line}");
}

#[test]
fn schema_is_that_of_the_library() {
    assert_eq!(Desk::new().run(&["schema"]).ends_with(0).json(), crawl::config::schema());
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Desk::new().run(&["completions", shell]).ends_with(0).out.contains("resume"));
    }
}

#[test]
fn robots_check_tells_the_line_that_decides() {
    let desk = Desk::new();
    desk.write("robots.txt", "User-agent: *\nDisallow: /private/\n");
    let both = desk
        .run(&["robots", "check", "robots.txt", "mybot", "https://a.example/", "/private/x"])
        .ends_with(1);
    assert_eq!(
        both.out,
        "allowed\thttps://a.example/\tno rule matches\n\
         disallowed\t/private/x\tDisallow: /private/ (robots.txt line 2)\n"
    );
    desk.run(&["robots", "check", "robots.txt", "mybot", "/a"]).ends_with(0);
    desk.run(&["robots", "check", "absent.txt", "mybot", "/a"]).ends_with(2);
    desk.run(&["robots", "check", "robots.txt", "mybot", "nowhere"]).ends_with(2);
}

#[test]
fn probe_answers_every_line_in_order_and_never_ends_on_a_bad_one() {
    let lines = "{\"input\": \"b\", \"base\": \"http://a.example/\"}\nbad\n{}\n{\"input\": \"//[\"}\n";
    let ran = Desk::new().ask(&["probe", "url"], lines).ends_with(0);
    let answers: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0], json!({ "href": "http://a.example/b" }));
    assert!(answers[1]["error"].is_string() && answers[2]["error"].is_string());
    assert_eq!(answers[3], json!({ "failure": true }));
    Desk::new().ask(&["probe", "nothing"], "").ends_with(2);
}

#[test]
fn new_makes_a_project_that_can_be_read() {
    let desk = Desk::new();
    desk.run(&["new", "my-shop", "--path", env!("CARGO_MANIFEST_DIR")]).ends_with(0);
    let manifest = desk.read("my-shop/Cargo.toml");
    assert!(manifest.contains("name = \"my-shop\"") && manifest.contains("crawl = { path = "), "{manifest}");
    assert!(desk.read("my-shop/src/main.rs").contains("spider(\"my-shop\", || MyShop)"));
    desk.run(&["config", "my-shop/crawlers/my-shop.toml"]).ends_with(0);
    let sources =
        ["src/main.rs", "src/lib.rs", "tests/pages.rs"].map(|file| desk.path().join("my-shop").join(file));
    match Command::new("rustfmt").args(["--check", "--edition", "2024"]).args(sources).output() {
        Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
        Err(_) => eprintln!("skipped: there is no rustfmt"),
    }
    desk.run(&["new", "my-shop"]).ends_with(2);
    desk.run(&["new", "../elsewhere"]).ends_with(2);
}

#[test]
fn a_crawler_file_runs_and_its_second_run_asks_only_for_what_has_changed() {
    let desk = Desk::new();
    let run =
        with(&["run", SITE, "--state", "state", "--out", "out.jsonl", "--report", "report.json"], &QUICK);
    desk.run(&run).ends_with(0);
    let first = desk.read("out.jsonl");
    assert_eq!(first.lines().count(), 240);

    let second = desk.run(&run).ends_with(0);
    let report: Value = serde_json::from_str(&desk.read("report.json")).unwrap();
    assert_eq!([&report["round"], &report["exit-code"]], [2, 0]);
    let totals = &report["totals"];
    assert_eq!(totals["items"], 240);
    assert_eq!(totals["unchanged"], totals["pages"], "{totals}");
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&first), sorted(&desk.read("out.jsonl")));
    assert!(second.out.is_empty() && second.err.contains("site: complete in"), "{second:?}");

    let status = desk.run(&["status", SITE, "--state", "state", "--json"]).ends_with(0).json();
    assert_eq!([&status["phase"], &status["hosts"][0]["phase"]], ["complete", "open"]);
    desk.run(&["resume", SITE, "--state", "state"]).ends_with(2);
}

#[test]
fn changes_are_told_of_any_round_also_while_a_crawl_runs() {
    let desk = Desk::new();
    let state = ["changes", "--state", "state"];
    assert!(desk.run(&state).ends_with(2).err.contains("there is no state"));
    let run = with(&with(&SMALL, &["state"]), &with(&QUICK, &["--report", "report.json"]));
    let report = || serde_json::from_str::<Value>(&desk.read("report.json")).unwrap();
    let first = desk.run(&run).ends_with(0);
    let new = report()["totals"]["new"].as_u64().unwrap();
    assert!(!first.err.contains("changes"), "all is new, which is no news: {}", first.err);
    let second = desk.run(&run).ends_with(0);
    let line = format!("\n  changes       0 new, 0 changed, {new} unchanged, 0 gone, 0 unknown\n");
    assert!(second.err.contains(&line) && !second.err.contains("change list"), "{}", second.err);
    assert!(report().get("change-list").is_none());

    let last = desk.run(&state).ends_with(0).out;
    let head = "state     state\nround     2; there are lists of 1, 2\nchanges   0 new, 0 changed, 0 gone, 0 unknown\n";
    assert_eq!(last, head);
    let all = desk.run(&with(&state, &["--round", "1"])).ends_with(0).out;
    assert!(all.contains(&format!("\nchanges   {new} new, 0 changed")), "{all}");
    assert_eq!(all.lines().filter(|line| line.starts_with("new ")).count() as u64, new);
    let json = desk.run(&with(&state, &["--round", "1", "--only", "new,gone", "--json"])).ends_with(0).out;
    let json: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(json.len() as u64 == new && json.iter().all(|line| line["change"] == "new"));
    assert!(desk.run(&with(&state, &["--round", "1", "--only", "gone", "--json"])).out.is_empty());
    assert!(desk.run(&with(&state, &["--round", "7"])).ends_with(2).err.contains("those of 1, 2"));
    desk.run(&with(&state, &["--only", "nothing"])).ends_with(2);

    let slow = with(&run, &["--fresh", "--set", "politeness.delay=30s", "-v"]);
    let mut child = desk.start(&slow);
    let log = wait_for_log(&mut child, "fetch");
    desk.run(&["status", "--state", "state"]).ends_with(8);
    assert!(desk.run(&state).ends_with(0).out.contains("\nround     3; there are lists of 1, 2, 3\n"));
    signal(&child, "-KILL");
    child.wait().unwrap();
    drop(log);
}

#[test]
fn nothing_that_stands_in_a_list_of_changes_is_obeyed_by_a_terminal() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path().join("state/changes")).unwrap();
    desk.write("state/FORMAT", "");
    let line = json!({"change": "gone", "url": "http://a.example/\u{202e}", "at": "\u{9b}1m", "reason": "\u{1b}]0;x\n"});
    desk.write("state/changes/round-1.jsonl", &format!("{line}\n"));
    for args in [&["changes", "--state", "state"][..], &["changes", "--state", "state", "--json"]] {
        let out = desk.run(args).ends_with(0).out;
        assert!(out.contains("a.example/\\u202e"), "{out}");
        assert!(
            !out.chars().any(|letter| letter == '\u{202e}' || letter.is_control() && letter != '\n'),
            "{out:?}"
        );
    }
}

#[test]
fn hosts_explain_and_plan_tell_what_a_state_knows() {
    let desk = Desk::new();
    let state = ["--state", "state"];
    desk.run(&with(&with(&SMALL, &["state", "--limit", "12"]), &QUICK)).ends_with(3);

    let hosts = desk.run(&with(&["hosts"], &state)).ends_with(0).out;
    let rows: Vec<_> = hosts.lines().collect();
    assert!(rows[0].starts_with("host ") && rows[1].starts_with("127.0.0.1 "), "{hosts}");
    assert!(rows.iter().all(|row| row.chars().count() <= 100), "{hosts}");
    let all = desk.run(&with(&["hosts", "--json"], &state)).ends_with(0).json();
    assert_eq!([&all[0]["standing"], &all[0]["decided-by"]], ["ok", "crawl-delay"]);
    assert_eq!(all[0]["pages"], 12);

    let explain = |url: &str| desk.run(&with(&["explain", url], &state)).ends_with(0).out;
    assert!(explain("demo:/new-arrivals/?#top").contains("it was fetched, or found unchanged, in round 1"));
    let shut = explain("demo:/basket/");
    assert!(shut.contains("robots.txt forbids it: Disallow: /basket/ (robots.txt line "), "{shut}");
    let away = explain("https://elsewhere.example/");
    assert!(away.contains("out: the hosts of the seeds: its host is not one of"), "{away}");
    let home = desk.run(&with(&["explain", "demo:", "--json"], &state)).ends_with(0).json();
    assert_eq!(
        [&home["verdict"], &home["seen"], &home["robots"]["allowed"]],
        [&json!("fetched"), &json!(true), &json!(true)]
    );

    let plan = desk.run(&with(&["plan"], &state)).ends_with(0).out;
    assert!(
        plan.contains("127.0.0.1 decides, at 3 requests a second") && plan.contains("not known: links"),
        "{plan}"
    );
    let first = desk.run(&["plan", SITE, "--state", "absent", "--json"]).ends_with(0).json();
    assert_eq!([&first["from"], &first["pages"]], [&json!("seeds"), &json!(1)]);

    desk.run(&["hosts", "--state", "absent"]).ends_with(2);
    desk.run(&["plan", "--state", "absent"]).ends_with(2);
    desk.run(&["explain", "https://a.example/"]).ends_with(2);
    desk.run(&with(&["explain", "nowhere"], &state)).ends_with(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_alone_gives_url_status_and_title_on_the_standard_output() {
    let site = DemoSite::start().await.unwrap();
    let desk = Desk::new();
    let url = site.url();
    let ran = desk.run(&with(&["run", "--seed", &url, "--limit", "5"], &QUICK)).ends_with(3);
    let items: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items.len(), 5);
    assert_eq!(items[0], json!({ "url": url, "status": 200, "title": "Paper Heron Books" }));
    assert!(ran.err.contains("exit code 3") && ran.err.contains("raise --limit"), "{}", ran.err);
    site.stop().await;
}

#[test]
fn try_shows_one_page_and_writes_nothing() {
    let desk = Desk::new();
    let args = with(&["try", SITE, "demo:/new-arrivals/", "--label", "book", "--json"], &QUICK[..4]);
    let page = desk.run(&args).ends_with(0).json();
    assert_eq!([&page["status"], &page["requests"], &page["exit-code"]], [200, 2, 0]);
    assert_eq!(page["label"], "book");
    let shut = desk.run(&with(&["try", "demo:/basket/", "--json"], &QUICK[..4])).ends_with(4).json();
    assert_eq!(shut["failure"]["class"], "robots");
    let told = desk.run(&with(&["try", "demo:/basket/"], &QUICK[..4])).ends_with(4).out;
    assert!(told.contains("failure  robots: Disallow: /basket/"), "{told}");
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 0);
}

#[test]
fn there_must_be_something_to_resume_and_a_state_to_look_at() {
    let desk = Desk::new();
    let ran = desk.run(&["resume", SITE, "--state", "state"]).ends_with(2);
    assert!(ran.err.contains("nothing to resume"), "{}", ran.err);
    desk.run(&["status", "--state", "state"]).ends_with(2);
    assert!(!desk.path().join("state").exists());
}

#[test]
fn two_runs_do_not_share_a_state() {
    let desk = Desk::new();
    let run = with(&SMALL, &["state"]);
    let mut first = desk.start(&with(&run, &["-v"]));
    // Whoever asks listens to signals.
    let mut log = wait_for_log(&mut first, "answer");
    let second = desk.run(&run).ends_with(8);
    let pid = format!("process {}", first.id());
    assert!(second.err.contains(&pid), "{}", second.err);
    assert!(desk.run(&["status", "--state", "state"]).ends_with(8).err.contains(&pid));
    signal(&first, "-TERM");
    assert_eq!(first.wait().unwrap().code(), Some(130));
    log.read_to_string(&mut String::new()).unwrap();
}

#[test]
fn an_interrupted_run_says_so_and_goes_on_without_loss() {
    let desk = Desk::new();
    let more = with(&["state", "--out", "out.jsonl"], &QUICK);
    let mut child = desk.start(&with(&with(&SMALL, &more), &["-v"]));
    let mut log = wait_for_log(&mut child, "answer");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("go on with: crawl resume --seed demo:"), "{rest}");

    let mut resume = with(&SMALL, &more);
    resume[0] = "resume";
    let ran = desk.run(&resume);
    let urls: Vec<_> = desk.read("out.jsonl").lines().map(str::to_owned).collect();
    let mut once = urls.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), urls.len());
    assert!(urls.len() > 20, "{}", ran.err);
    assert!(ran.err.contains("complete in"), "{}", ran.err);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let desk = Desk::new();
    let mut child = desk.start(&with(&with(&SMALL, &["state", "-q"]), &QUICK));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"url\""));
    let ran = Ran::of(child.wait_with_output().unwrap()).ends_with(130);
    assert_eq!(ran.err, "");
}

/// Answers every connection with the same bytes, until the process ends.
fn serve(answer: &'static [u8]) -> String {
    let (listener, origin) = loopback::listen("127.0.0.1");
    loopback::serve(listener, move |mut stream| {
        let Some(head) = loopback::head(&stream) else { return };
        let answer = match loopback::path(&head) {
            "/robots.txt" => b"HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            _ => answer,
        };
        // The crawler may have gone already.
        let _ = stream.write_all(answer);
    });
    origin + "/"
}

#[test]
fn nothing_that_a_server_says_reaches_the_terminal_as_a_command() {
    const EVIL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n\r\n\
        <title>\x1b[2Jx\x07\xe2\x80\xaey\x00\xc2\x9b1m</title><a href=\"/\x1b]0;evil\x07\">\x1b</a><a href='http://[\x1b[2J'>b</a>";
    let desk = Desk::new();
    let url = serve(EVIL);
    let ran = desk.run(&with(&["run", "--seed", &url, "--limit", "2", "-vv"], &QUICK));
    let tried = desk.run(&with(&["try", &url, "-vv"], &QUICK[..4]));
    let state = ["--state", "looked"];
    let flags = ["--css", "title", "--regex", "(?s).*", "--links", "--structured", "--article", "text"];
    let looked = desk.run(&with(&with(&["fetch", &url], &state), &with(&flags, &QUICK[..4])));
    let typed = "title\ntext\nhtml\nhtml title\nlinks\nheaders\nmeta\nitems\ncss \x1b[2J\n\x1b[2J\n";
    let typed = desk.ask(&with(&with(&["shell", &url], &state), &QUICK[..4]), typed);
    assert!(
        looked.out.contains("css `title`: 1 match") && typed.out.contains("<title>"),
        "{looked:?} {typed:?}"
    );
    let [status, hosts, plan] =
        ["status", "hosts", "plan"].map(|command| desk.run(&[command, "--state", ".crawl/127.0.0.1"]));
    let explained = desk.run(&["explain", &format!("{url}\x1b]0;evil\x07"), "--state", ".crawl/127.0.0.1"]);
    let read = [&status.out, &hosts.out, &plan.out, &explained.out];
    assert!(read.iter().all(|text| !text.is_empty()), "{status:?} {hosts:?} {plan:?} {explained:?}");
    let looked = [&looked.out, &looked.err, &typed.out, &typed.err];
    for text in [&ran.out, &ran.err, &tried.out, &tried.err].into_iter().chain(looked).chain(read) {
        let bad: Vec<_> = text.chars().filter(|letter| letter.is_control() && *letter != '\n').collect();
        assert!(bad.is_empty(), "{bad:?} in {text}");
    }
    assert!(ran.out.contains("title"), "{ran:?}");
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let (listener, origin) = loopback::listen("127.0.0.1");
    // Takes every connection and never answers.
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let desk = Desk::new();
    let mut child = desk.start(&["run", "--seed", &origin, "-vv"]);
    let mut log = wait_for_log(&mut child, "connected to");
    signal(&child, "-INT");
    let mut line = String::new();
    while !line.contains("stopping") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0);
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("interrupted in"), "it was waited for: {rest}");
}

#[test]
fn a_log_in_json_is_json_to_its_last_line() {
    let desk = Desk::new();
    let set = ["--set", "hosts.\"127.0.0.1\".max-pages=3", "--log", "json", "--out", "o.csv"];
    let ran = desk.run(&with(&with(&SMALL, &["state"]), &with(&QUICK, &set))).ends_with(3);
    let events: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!([&last["message"], &last["exit_code"]], [&json!("the run has ended"), &json!(3)]);
    assert_eq!(desk.read("o.csv").lines().count(), 4);
    let wrong = desk.run(&["run", "absent.toml", "--log", "json"]).ends_with(2);
    let event: Value = serde_json::from_str(&wrong.err).unwrap();
    assert_eq!(event["exit_code"], 2);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_ends_the_run_with_its_name() {
    let desk = Desk::new();
    let ran = desk.run(&with(&with(&SMALL, &["state", "--out", "/dev/full"]), &QUICK)).ends_with(1);
    assert!(ran.err.contains("/dev/full"), "{}", ran.err);
}
