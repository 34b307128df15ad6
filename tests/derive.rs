//! What the compiler says about structs that cannot be read from pages, and where it points. Which errors there are is tested in
//! the derive's own crate; here a few go through the real compiler, against the library that cargo has just built.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The errors of `rustc` for this source; `None` if there is no compiler to ask.
fn errors_of(source: &str) -> Option<String> {
    let deps = PathBuf::from(env!("CARGO_BIN_EXE_crawl")).with_file_name("deps");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spider.rs");
    std::fs::write(&file, source).unwrap();
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--color=never"])
        .arg("--extern")
        .arg(format!("crawl={}", library(&deps).display()))
        .arg("-L")
        .arg(format!("dependency={}", deps.display()))
        .arg("--out-dir")
        .arg(folder.path())
        .arg(&file)
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no rustc here");
        return None;
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(told)
}

/// The library: of several that lie there, from builds with other features, the last.
fn library(deps: &Path) -> PathBuf {
    let files = std::fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path());
    let ours = files.filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with("libcrawl-") && name.ends_with(".rlib")
    });
    ours.max_by_key(|file| file.metadata().unwrap().modified().unwrap())
        .expect("cargo builds it before its tests")
}

/// Every part stands in the errors; the parts with `-->` say where: `--> line:column`.
#[track_caller]
fn says(source: &str, parts: &[&str]) {
    let Some(told) = errors_of(source) else { return };
    for part in parts {
        let part = part.replace("--> ", "spider.rs:");
        assert!(told.contains(&part), "{told}\nlacks\n{part}");
    }
}

#[test]
fn a_struct_that_is_all_right_compiles() {
    let source = r##"
use crawl::prelude::*;

#[derive(Item)]
#[item(scope = ".quote")]
pub struct Quote {
    #[item(css = ".text")]
    pub text: String,
    #[item(css = ".row")]
    pub rows: Vec<Row>,
}

#[derive(Item)]
pub struct Row {
    #[item(css = "a::attr(href)")]
    pub link: Option<Url>,
}
"##;
    assert_eq!(errors_of(source).unwrap_or_default(), "");
}

#[test]
fn a_wrong_selector_is_an_error_where_it_stands() {
    let source = r##"
use crawl::prelude::*;

#[derive(Item)]
struct Quote {
    #[item(css = ".text[")]
    text: String,
    #[item(css = ".author", regex = "(")]
    author: String,
}
"##;
    says(
        source,
        &[
            "error: `.text[` is not a CSS selector:",
            "--> 6:18",
            "error: `(` is not a regular expression:",
            "--> 8:37",
        ],
    );
}

#[test]
fn a_type_that_cannot_be_read_is_an_error_at_the_field_that_says_what_helps() {
    let source = r##"
use crawl::prelude::*;

struct When;

#[derive(Item)]
struct Quote {
    #[item(css = "time")]
    when: When,
}
"##;
    says(
        source,
        &[
            "`When` cannot be read from a page",
            "--> 9:11",
            "name a parser: `#[item(css = \"…\", with = \"function\")]`",
        ],
    );
}

#[test]
fn a_parser_of_another_shape_is_an_error_at_its_name() {
    let source = r##"
use crawl::prelude::*;

fn stars(text: String) -> u8 {
    text.len() as u8
}

#[derive(Item)]
struct Quote {
    #[item(css = ".rating", with = "stars")]
    rating: u8,
}
"##;
    says(source, &["`with` wants a function of an element or of its text", "--> 10:36"]);
}
