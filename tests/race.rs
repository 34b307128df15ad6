//! The race beside other crawlers (`benches/peers`) is not run here, for it takes minutes. But its scripts can be read, its judge
//! judges rightly, and what it tells this crawler to do is a crawler file of this version.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

/// The files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => files(&path, ending),
        false => Vec::from_iter((path.extension().is_some_and(|found| found == ending)).then_some(path)),
    };
    entries.flat_map(of).collect()
}

/// Python on the race's folder, which it leaves as it is; `None` where there is no Python.
fn python(arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("python3");
    command.args(arguments).current_dir(folder()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("CRAWL_BIN", env!("CARGO_BIN_EXE_crawl")).output().ok()
}

#[track_caller]
fn passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn its_scripts_can_be_read() {
    let scripts = files(&folder(), "sh");
    assert!(scripts.len() >= 2, "{scripts:?}");
    for script in scripts {
        passed(&Command::new("bash").arg("-n").arg(script).output().unwrap());
    }
    let sources = files(&folder(), "py");
    assert!(sources.len() >= 6, "{sources:?}");
    for source in sources {
        let read = "import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])";
        match python(&["-c", read, &source.to_string_lossy()]) {
            Some(output) => passed(&output),
            None => return eprintln!("skipped: python3 is not installed"),
        }
    }
}

#[test]
fn its_judge_judges_known_logs_rightly() {
    match python(&["-m", "unittest", "-q", "test_race"]) {
        Some(output) => passed(&output),
        None => eprintln!("skipped: python3 is not installed"),
    }
}

/// Writes the crawler file of every crawler of ours, with and without a delay, and prints where it is.
const WRITE: &str = r"
import pathlib, sys, crawlers
for number, ours in enumerate([crawlers.Ours, crawlers.OursSelectors] * 2):
    folder = pathlib.Path(sys.argv[1]) / str(number)
    folder.mkdir()
    task = crawlers.Task(['http://127.0.0.1:1/a'], folder, delay=number / 2, careful=number > 1)
    print(ours('crawl', folder).command(task)[-1])
";

#[test]
fn what_it_tells_this_crawler_is_a_crawler_file() {
    let place = tempfile::tempdir().unwrap();
    let Some(output) = python(&["-c", WRITE, &place.path().to_string_lossy()]) else {
        eprintln!("skipped: python3 is not installed");
        return;
    };
    passed(&output);
    let names = String::from_utf8(output.stdout).unwrap();
    assert_eq!(names.lines().count(), 4);
    for file in names.lines() {
        passed(&Command::new(env!("CARGO_BIN_EXE_crawl")).args(["check", file]).output().unwrap());
    }
}
