//! What the README and `docs/` say is true: their commands run, their files load, their tables are those of the code, and every
//! test and file that they name is there. Their Rust code is compiled by `cargo test --doc`.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crawl::config::Loader;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README and everything in `docs/`: path and text.
fn pages() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_string_lossy()));
    let names = names.filter(|name| name.ends_with(".md")).chain(["README.md".to_owned()]);
    names.map(|name| (name.clone(), read(&name))).collect()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    let parts = text.split(&open).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The cells of all table rows.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let cells = |row: &str| -> Vec<String> {
        let inner = row.trim().trim_matches('|');
        inner.split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// Everything between backticks, outside of code blocks.
fn quoted(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn crawl(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(arguments).current_dir(root()).output().unwrap()
}

#[test]
fn the_first_command_leaves_as_many_books_as_the_readme_says() {
    let readme = read("README.md");
    let sh = blocks(&readme, "sh").concat();
    let line = sh.lines().find_map(|line| line.strip_prefix("cargo run --release -- ")).unwrap();
    let command: Vec<_> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(command, ["run", "crawlers/site.toml"]);

    let folder = tempfile::tempdir().unwrap();
    let (state, out) = (folder.path().join("state"), folder.path().join("books.jsonl"));
    // Only where state and output go is changed, and the random part of the delay left out.
    let elsewhere = [
        "--state",
        &state.to_string_lossy(),
        "--out",
        &out.to_string_lossy(),
        "--set",
        "politeness.jitter=0",
    ]
    .map(str::to_owned);
    let arguments: Vec<&str> = command.into_iter().chain(elsewhere.iter().map(String::as_str)).collect();
    let output = crawl(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let books = fs::read_to_string(&out).unwrap().lines().count();
    assert!(readme.contains(&format!("leaves {books} books in `crawlers/out/books.jsonl`")), "{books}");
    assert!(read("crawlers/site.toml").contains("path = \"crawlers/out/books.jsonl\""));
}

#[test]
fn every_crawler_file_on_a_page_loads() {
    let mut loaded = 0;
    for (name, text) in pages() {
        for block in blocks(&text, "toml") {
            // A part of a file has no seeds.
            let file = if block.contains("seeds =") {
                block.clone()
            } else {
                format!("seeds = [\"demo:\"]\n{block}")
            };
            if let Err(error) = Loader::new().text("page.toml", file).load() {
                panic!("{name}:\n{block}\n{error}");
            }
            loaded += 1;
        }
    }
    assert!(loaded > 10, "{loaded}");
}

#[test]
fn the_exit_codes_are_those_of_the_command() {
    let help = String::from_utf8(crawl(&["--help"]).stdout).unwrap();
    let told = help.split("Exit codes:\n").nth(1).unwrap();
    let told: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    let table: Vec<_> =
        rows(&read("README.md")).into_iter().filter(|row| row[0].parse::<u8>().is_ok()).collect();
    assert_eq!(table.len(), 11);
    for row in table {
        assert_eq!(told.get(row[0].as_str()), Some(&row[1].as_str()), "exit code {}", row[0]);
    }
}

#[test]
fn every_default_of_a_crawler_file_is_the_one_in_force() {
    let plan = Loader::new().text("page.toml", "seeds = [\"demo:\"]").load().unwrap();
    let mut told = BTreeMap::new();
    let page = read("docs/crawler-file.md");
    for part in page.split("\n## ").flat_map(|part| part.split("\n### ")) {
        let table = part.trim_start_matches("`[").split(']').next().unwrap_or_default();
        for row in rows(part).iter().filter(|row| row.len() > 1) {
            let (key, value) = (row[0].trim_matches('`'), row[1].trim_matches('`'));
            told.insert(format!("{table}.{key}"), value.to_owned());
            told.insert(key.to_owned(), value.to_owned());
        }
    }
    let in_force = plan.explain().iter().filter(|entry| entry.origin == "default");
    // These two depend on the program and on the file.
    let own = ["identity.version", "state-dir"];
    for entry in in_force.filter(|entry| !own.contains(&entry.key.as_str())) {
        let value = told.get(&entry.key).unwrap_or_else(|| panic!("`{}` is not told", entry.key));
        assert_eq!(value, &entry.value, "{}", entry.key);
    }
}

#[test]
fn every_key_of_a_crawler_file_is_told() {
    let page = read("docs/crawler-file.md");
    let schema = crawl::config::schema();
    let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let keys = tables.filter_map(|table| table["properties"].as_object());
    for key in keys.flat_map(|properties| properties.keys()) {
        let told = [format!("`{key}`"), format!(".{key}`"), format!("[{key}"), format!(".{key}]")];
        assert!(told.iter().any(|told| page.contains(told)), "`{key}` is not told");
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut named = 0;
    for (page, text) in pages() {
        for word in quoted(&text).iter().filter(|word| word.contains(".rs::")) {
            let (file, test) = word.split_once("::").unwrap();
            let there = read(file).contains(&format!("fn {test}("));
            assert!(there, "{page} names {word}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn every_file_that_is_named_is_there() {
    for (page, text) in pages() {
        let folder = root().join(&page).parent().map(Path::to_path_buf).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{page} links to {link}");
        }
        let words = quoted(&text);
        let files = words.iter().filter(|word| {
            ["tests/", "src/", "examples/", "crawlers/"].iter().any(|top| word.starts_with(top))
        });
        for word in files.filter(|word| !word.starts_with("crawlers/out")) {
            let file = word.split("::").next().unwrap_or_default();
            assert!(root().join(file).exists(), "{page} names {word}");
        }
    }
}

#[test]
fn every_command_that_is_named_is_there() {
    let mut commands = BTreeSet::new();
    for (_, text) in pages() {
        let lines = quoted(&text);
        let named = lines.iter().filter_map(|line| line.strip_prefix("crawl "));
        commands.extend(named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned));
    }
    assert!(commands.len() > 4, "{commands:?}");
    for command in &commands {
        assert!(crawl(&[command, "--help"]).status.success(), "crawl {command}");
    }
}
