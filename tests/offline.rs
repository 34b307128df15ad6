//! What a crawl has recorded, read again without a network: the same items, nothing changed, nothing lost by a kill.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crawl::config::{Loader, Reader};
use crawl::request::Request;
use crawl::response::Response;
use crawl::spider::declarative::Declarative;
use crawl::store::bodies::Bodies;
use crawl::testing::Recorded;
use crawl::testing::replay::Readings;
use crawl::url::CanonicalUrl;

const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crawlers/site.toml");
const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages/site.pages");

/// A part of the demo shop, without its troubles.
const SMALL: [&str; 8] = [
    "--set",
    "politeness.jitter=0",
    "--set",
    "politeness.delay=5ms",
    "--set",
    "scope.max-depth=2",
    "--set",
    "scope.exclude=[\"/basket/\", \"/new-arrivals/\", \"/news.html\", \"/authors/\"]",
];
const KEEP: [&str; 2] = ["--set", "cache.bodies=true"];

fn command(folder: &Path, args: &[&[&str]]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(args.concat()).current_dir(folder).env_remove("RUST_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn crawl(folder: &Path, args: &[&[&str]], code: i32) -> Output {
    let output = command(folder, args).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", error(&output));
    output
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run(out: &'static str) -> [&'static str; 6] {
    ["run", SITE, "--state", "state", "--out", out]
}

/// Every file below a folder with what is in it.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    files
}

/// The lines of a file in an order of their own.
fn lines(file: &Path) -> Vec<String> {
    let mut lines: Vec<_> = fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_same_items_come_out_of_what_was_recorded_and_the_state_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    crawl(at, &[&run("online.jsonl"), &SMALL, &KEEP], 0);
    // The demo site ended with the run that served it.
    let before = tree(&at.join("state"));
    crawl(at, &[&run("offline.jsonl"), &SMALL, &["--offline"]], 0);
    let items = lines(&at.join("online.jsonl"));
    assert!(items.len() > 20, "{}", items.len());
    assert_eq!(lines(&at.join("offline.jsonl")), items);
    crawl(at, &[&run("again.jsonl"), &SMALL, &["--offline"]], 0);
    assert_eq!(fs::read(at.join("again.jsonl")).unwrap(), fs::read(at.join("offline.jsonl")).unwrap());

    let tried =
        crawl(at, &[&["try", SITE, "demo:", "--set", "state-dir=\"state\"", "--offline", "--json"]], 0);
    let tried: serde_json::Value = serde_json::from_slice(&tried.stdout).unwrap();
    assert_eq!((&tried["status"], &tried["exit-code"]), (&200.into(), &0.into()));
    assert_eq!(tree(&at.join("state")), before);

    // One page less: robots.txt is no page.
    let bodies = Bodies::read_only(at.join("state/bodies")).unwrap();
    let lost = bodies.keys().unwrap().into_iter().find(|key| {
        let url = bodies.get(*key).unwrap().unwrap().request.url;
        url.path_and_query().starts_with("/catalogue/") && url.path_and_query().ends_with("-1.html")
    });
    let name = format!("{:016x}", lost.unwrap().get());
    fs::remove_file(at.join("state/bodies").join(&name[..2]).join(name)).unwrap();
    let output = crawl(at, &[&run("less.jsonl"), &SMALL, &["--offline"]], 3);
    assert!(error(&output).contains("1 page not recorded"), "{}", error(&output));
    let less = lines(&at.join("less.jsonl"));
    assert!(less.len() < items.len() && less.iter().all(|item| items.contains(item)));
}

#[test]
fn a_kill_leaves_whole_answers_only_and_the_next_run_completes_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let bodies = at.join("state/bodies");
    for kill_at in [3, 12] {
        let mut child = command(at, &[&run("online.jsonl"), &SMALL, &KEEP]).spawn().unwrap();
        while !bodies.is_dir() || Bodies::read_only(&bodies).unwrap().keys().unwrap().len() < kill_at {
            assert!(child.try_wait().unwrap().is_none(), "it was too quick to be killed");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = Bodies::read_only(&bodies).unwrap();
        for key in kept.keys().unwrap() {
            assert!(kept.get(key).unwrap().is_some());
        }
    }
    crawl(at, &[&run("online.jsonl"), &SMALL, &KEEP], 0);
    crawl(at, &[&run("offline.jsonl"), &SMALL, &["--offline"]], 0);
    assert_eq!(lines(&at.join("offline.jsonl")), lines(&at.join("online.jsonl")));
}

#[test]
fn what_was_crawled_before_it_was_recorded_is_asked_for_in_full_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let shallow = ["--set", "scope.max-depth=1"];
    let unrecorded = crawl(at, &[&run("0.jsonl"), &SMALL, &shallow, &["--offline"]], 2);
    assert!(error(&unrecorded).contains("bodies = true"), "{}", error(&unrecorded));
    let unchanged = |output: &Output| error(output).contains("unchanged");
    assert!(!unchanged(&crawl(at, &[&run("1.jsonl"), &SMALL, &shallow], 0)));
    crawl(at, &[&run("2.jsonl"), &SMALL, &shallow, &KEEP], 0);
    let before = tree(&at.join("state/bodies"));
    assert!(unchanged(&crawl(at, &[&run("3.jsonl"), &SMALL, &shallow, &KEEP], 0)));
    assert_eq!(tree(&at.join("state/bodies")), before, "a 304 leaves what was recorded");
    crawl(at, &[&run("4.jsonl"), &SMALL, &shallow, &["--offline"]], 0);
    assert_eq!(lines(&at.join("4.jsonl")), lines(&at.join("2.jsonl")));
}

#[test]
fn a_full_folder_is_told_once_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let few = ["--set", "scope.max-depth=1", "--set", "cache.max-bodies=9kB"];
    let output = crawl(at, &[&run("online.jsonl"), &SMALL, &KEEP, &few], 0);
    assert_eq!(error(&output).matches("not every answer is recorded").count(), 1, "{}", error(&output));
    let sizes = tree(&at.join("state/bodies")).into_values().map(|file| file.len());
    assert!((1..=9_000).contains(&sizes.sum::<usize>()));
    let output = crawl(at, &[&run("offline.jsonl"), &SMALL, &few, &["--offline"]], 3);
    assert!(error(&output).contains("not recorded"), "{}", error(&output));
}

/// Records answers of `http://a.example` by hand: path, status, body.
fn record(state: &Path, answers: &[(&str, u16, &str)]) {
    let bodies = Bodies::open(state.join("bodies"), 1 << 30).unwrap();
    for (path, status, body) in answers {
        let request = Request::get(CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap());
        let status = http::StatusCode::from_u16(*status).unwrap();
        bodies.put(&request, &Response::of(request.url.clone(), status, (*body).to_owned())).unwrap();
    }
}

/// The report of an offline run over such answers, and its exit code.
fn replayed(answers: &[(&str, u16, &str)], code: i32) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    record(&folder.path().join("state"), answers);
    let file = "seeds = [\"http://a.example/\"]\n[identity]\ncontact = \"me@a.example\"\n";
    fs::write(folder.path().join("a.toml"), file).unwrap();
    let run = ["run", "a.toml", "--state", "state", "--offline", "--report", "report.json"];
    crawl(folder.path(), &[&run], code);
    serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap()
}

#[test]
fn pages_that_were_forbidden_stay_so_and_do_no_harm() {
    let links = "<a href=/1>1</a><a href=/2>2</a><a href=/3>3</a><a href=/4>4</a><a href=/5>5</a>";
    let forbidden = [("/1", 403, ""), ("/2", 401, ""), ("/3", 403, ""), ("/4", 401, ""), ("/5", 200, "<p>")];
    let answers: Vec<_> = [("/", 200, links)].into_iter().chain(forbidden).collect();
    let totals = &replayed(&answers, 0)["totals"];
    assert_eq!((&totals["pages"], &totals["forbidden"]), (&2.into(), &4.into()));
    replayed(&[("/", 403, "")], 3);
}

#[test]
fn robots_txt_counts_as_it_was_recorded_and_its_delays_take_no_time() {
    let robots = "User-agent: *\nCrawl-delay: 290\nVisit-time: 0600-0601\nDisallow: /no/\n";
    let links = "<a href=/no/1>1</a><a href=/yes>2</a>";
    let answers = [("/robots.txt", 200, robots), ("/", 200, links), ("/no/1", 200, ""), ("/yes", 200, "<p>")];
    let totals = &replayed(&answers, 0)["totals"];
    assert_eq!((&totals["pages"], &totals["disallowed"]), (&2.into(), &1.into()));
}

#[test]
fn the_recorded_pages_of_the_demo_give_what_they_gave() {
    let folder = tempfile::tempdir().unwrap();
    let test = ["test", SITE, "--pages", PAGES];
    let output = crawl(folder.path(), &[&test], 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3 pages, 1 item, all as expected\n");

    let other =
        ["--set", "extract=[{kind=\"book\",scope=\"article.book\",fields={title=\"h1\",upc=\".stock\"}}]"];
    let output = crawl(folder.path(), &[&test, &other], 1);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.starts_with("3 pages, 1 item; 1 page not as in"), "{told}");
    assert!(told.contains("\n  item 1, price: expected \"") && told.contains(", got nothing\n"), "{told}");
    assert!(!told.contains("title"), "{told}");
}

#[test]
fn a_spider_in_code_is_pinned_in_the_same_way() {
    let plan = Loader::new().file(SITE).load().unwrap();
    let Reader::Recipe(recipe) = plan.reader else { panic!("the file has rules of its own") };
    let got = Recorded::open(PAGES).unwrap().run(&Declarative::new(recipe));
    let snapshot = Path::new(PAGES).with_extension("items.jsonl");
    let expected = Readings::from_jsonl(&fs::read_to_string(snapshot).unwrap()).unwrap();
    assert_eq!(expected.differences(&got), []);
    assert_eq!(got.items()[0].fields["title"], "Tír Fadaun: The Unhurried Tuba");
}

#[test]
fn pages_are_recorded_politely_or_from_a_state_and_updated_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::copy(SITE, at.join("site.toml")).unwrap();
    let test = ["test", "site.toml"];
    let output = crawl(at, &[&test], 2);
    assert!(error(&output).contains("--record"), "{}", error(&output));
    crawl(at, &[&test, &["--record", "demo:", "--record", "demo:/books/1007", "--update"]], 0);
    crawl(at, &[&test], 0);
    assert_eq!(tree(&at.join("site.pages")).len(), 2);
    assert_eq!(fs::read_to_string(at.join("site.items.jsonl")).unwrap().lines().count(), 3);

    crawl(at, &[&run("online.jsonl"), &SMALL, &KEEP], 0);
    crawl(at, &[&test, &["--from-state", "4", "--state", "state"]], 0);
    assert_eq!(tree(&at.join("site.pages")).len(), 6);
    let output = crawl(at, &[&test], 1);
    assert!(String::from_utf8_lossy(&output.stdout).contains("recorded, and not in the snapshot"));
    crawl(at, &[&test, &["--update"]], 0);
    crawl(at, &[&test], 0);
}
