//! Every example is a program that ends well and says what it should.

use std::path::PathBuf;
use std::process::Command;

/// Runs an example; its standard output.
fn run(name: &str) -> String {
    run_with(name, &[])
}

fn run_with(name: &str, arguments: &[&str]) -> String {
    let binary = binary_of(name);
    let output = Command::new(&binary)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error} (run `cargo build --examples` first)", binary.display()));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

fn binary_of(name: &str) -> PathBuf {
    examples().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Cargo builds examples beside the binary before it runs integration tests.
fn examples() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_crawl"));
    binary.parent().expect("a binary lies in a directory").join("examples")
}

#[test]
fn a_spider_takes_its_shelf_along_to_every_book() {
    let out = run("custom_spider");
    assert!(out.contains("\"shelf\":\"Poetry\""), "{out}");
    assert!(out.ends_with("22 books on 25 pages\n"), "{out}");
}

#[test]
fn extractors_are_put_together() {
    assert!(run("custom_extractor").starts_with("11 pages, the last one: "));
}

#[test]
fn scrapys_tutorial_takes_thirty_lines() {
    let out = run("quotes");
    assert!(out.starts_with("20 pages\n"), "{out}");
    let items: Vec<serde_json::Value> =
        out.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let (authors, quotes): (Vec<_>, Vec<_>) = items.iter().partition(|item| item["bio"].is_string());
    assert_eq!((quotes.len(), authors.len()), (100, 10));
    assert!(quotes.iter().all(|quote| quote["text"].as_str().unwrap().starts_with('“')));
    assert!(quotes.iter().all(|quote| !quote["tags"].as_array().unwrap().is_empty()));
    let ada = authors.iter().find(|author| author["name"] == "Ottilie Varnham").unwrap();
    assert_eq!((&ada["born"], &ada["place"]), (&"1921-01-03".into(), &"a lighthouse near Kirkenmoor".into()));
    assert!(include_str!("../examples/quotes.rs").lines().count() <= 30);
}

#[test]
fn every_book_is_a_struct_with_all_its_fields() {
    let out = run("books");
    let (books, count) = out.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(count, "240 books on 270 pages, 0 problems");
    let book = books.lines().next().unwrap();
    let book: serde_json::Value = serde_json::from_str(book).unwrap();
    assert!(book["price"].as_f64().unwrap() > 4.0, "{book}");
    assert!((1..=5).contains(&book["rating"].as_u64().unwrap()), "{book}");
    assert_eq!((book["upc"].as_str().unwrap().len(), book["related"].as_array().unwrap().len()), (12, 5));
    assert!(book["author"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{book}");
    assert_eq!(book["currency"], "GBP");
}

#[test]
fn a_sink_that_wraps_a_sink_changes_and_drops_items() {
    let out = run("custom_sink");
    assert!(out.contains("\"price\":593"), "{out}");
    assert!(out.ends_with("2 of 12 books are cheap\n"), "{out}");
}

#[test]
fn a_fetcher_that_wraps_a_fetcher_sees_every_answer() {
    assert!(run("custom_fetcher").starts_with("5 pages, "));
}

#[test]
fn a_crawl_is_stopped_and_gone_on_with_inside_of_a_program() {
    let out = run("embedded");
    assert!(out.contains("exit code 130"), "{out}");
    // 27 pages and one robots.txt, in both runs together: nothing was asked twice.
    assert!(out.ends_with("resumed: 27 pages in all, 28 requests\n"), "{out}");
}

#[test]
fn a_login_comes_before_the_crawl_and_fails_it() {
    let out = run("login");
    assert!(out.starts_with("6 letters, 2 cookies\nwith another password: the answer has nothing"), "{out}");
}

#[test]
fn a_binary_of_ones_own_runs_a_crawler_file_that_names_its_spider() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().display().to_string();
    let file = "examples/own_binary.toml";
    let out = run_with("own_binary", &["run", file, "--state", &state, "-q"]);
    assert_eq!(out.lines().count(), 4, "{out}");
    assert!(out.starts_with("{\"pence\":3905,"), "{out}");
}

#[test]
fn code_that_goes_wrong_costs_its_page_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let output = Command::new(binary_of("chaos"))
        .args(["run", "examples/chaos.toml", "--state"])
        .arg(folder.path().join("state"))
        .arg("--report")
        .arg(&report)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{err}");
    // What the spider has printed is elsewhere.
    let items: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(items.len() == 6 && items.iter().all(|item| item["title"].is_string()), "{out}");
    assert!(err.contains("printed by the spider"), "{err}");
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let faults = told["code"].as_array().unwrap().iter();
    let faults: Vec<_> = faults
        .map(|fault| {
            (fault["callback"].as_str().unwrap(), fault["misdeed"].as_str().unwrap(), &fault["count"])
        })
        .collect();
    assert_eq!(
        faults,
        [
            ("parse", "error", &1.into()),
            ("parse", "panic", &1.into()),
            ("parse", "stuck", &1.into()),
            ("failed", "panic", &1.into())
        ]
    );
    assert!(err.contains("`parse` of `chaos` did not return in time on 1 page, first http://"), "{err}");
    assert!(err.contains("`failed` of `chaos` panicked on 1 page"), "{err}");
}

#[test]
fn every_example_is_run_here_and_short() {
    let here = include_str!("examples.rs");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(here.contains(&format!("(\"{name}\"")), "{name} is not run");
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 90, "{name} has {lines} lines");
    }
}
