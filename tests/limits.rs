//! Limits that a crawler file sets are the limits that hold, and what was left out is told with the key that left it out.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[path = "loopback/answer.rs"]
mod answer;
#[expect(dead_code, reason = "what this test does not need")]
mod loopback;

use std::io::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex};

use loopback::{head, listen, path, serve};

/// `/hop/3` leads to `/hop/2` and so on to `/hop/0`; the home page has six links. Gives what was asked for, in order, and what was said.
fn crawl(settings: &[&str]) -> (Vec<String>, String) {
    let (listener, origin) = listen("127.0.0.1");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    serve(listener, move |mut stream| {
        while let Some(head) = head(&stream) {
            let path = path(&head).to_owned();
            let (status, location, body) = match path.strip_prefix("/hop/").map(str::parse::<u32>) {
                Some(Ok(hop)) if hop > 0 => {
                    ("302 Found", format!("Location: /hop/{}\r\n", hop - 1), String::new())
                }
                _ if path == "/robots.txt" => ("404 Not Found", String::new(), String::new()),
                _ if path == "/" => ("200 OK", String::new(), links()),
                _ => ("200 OK", String::new(), format!("<title>{path}</title>")),
            };
            log.lock().unwrap().push(path);
            if stream.write_all(&answer::page(status, &location, &body)).is_err() {
                return;
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["run", "--seed", &format!("{origin}/"), "--state", "state"]).current_dir(dir.path());
    let settings = ["politeness.delay=0ms", "politeness.pace=fixed"].iter().chain(settings);
    command.args(settings.flat_map(|setting| ["--set", setting]));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let asked = asked.lock().unwrap().clone();
    (asked, said)
}

fn links() -> String {
    (0..5).map(|page| format!("<a href=/{page}>{page}</a> ")).collect::<String>() + "<a href=/hop/3>on</a>"
}

#[test]
fn by_default_all_links_are_read_and_all_redirects_followed() {
    let (asked, said) = crawl(&[]);
    let mut asked: Vec<_> = asked.iter().map(String::as_str).collect();
    asked.sort_unstable();
    let wanted = ["/", "/0", "/1", "/2", "/3", "/4", "/hop/0", "/hop/1", "/hop/2", "/hop/3", "/robots.txt"];
    assert_eq!(asked, wanted, "{said}");
}

#[test]
fn redirects_in_a_row_end_where_the_file_says() {
    let (asked, said) = crawl(&["http.max-redirects=2"]);
    assert!(
        asked.iter().any(|path| path == "/hop/1") && !asked.iter().any(|path| path == "/hop/0"),
        "{said}"
    );
}

#[test]
fn links_behind_the_limit_of_the_file_are_counted_and_not_read() {
    let (asked, said) = crawl(&["http.max-links=2"]);
    assert_eq!(asked.len(), 4, "{asked:?}\n{said}");
    assert!(said.contains("4 links were not read") && said.contains("http.max-links"), "{said}");
}
