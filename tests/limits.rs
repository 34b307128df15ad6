//! Limits that a crawler file sets are the limits that hold, and what was left out is told with the key that left it out.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[path = "loopback/answer.rs"]
mod answer;
mod loopback;

use std::io::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex};

use loopback::{field, head, listen, path, serve};

/// `/hop/3` leads to `/hop/2` and so on to `/hop/0`; the home page has six links. Gives what was asked for, in order, and what was said.
fn crawl(settings: &[&str]) -> (Vec<String>, String) {
    let (listener, origin) = listen("127.0.0.1");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    serve(listener, move |mut stream| {
        while let Some(head) = head(&stream) {
            let path = path(&head).to_owned();
            let (status, fields, body) = match path.strip_prefix("/hop/").map(str::parse::<u32>) {
                Some(Ok(hop)) if hop > 0 => {
                    ("302 Found", format!("Location: /hop/{}\r\n", hop - 1), String::new())
                }
                _ if path == "/robots.txt" => ("404 Not Found", String::new(), String::new()),
                _ if path == "/" => ("200 OK", cookies(), links()),
                _ if path == "/deep" => {
                    ("200 OK", String::new(), "<div>".repeat(100) + "<p><a href=/below>below</a>")
                }
                _ if path == "/packed" => ("200 OK", "Content-Encoding: gzip\r\n".into(), String::new()),
                _ => ("200 OK", String::new(), format!("<title>{path}</title>")),
            };
            let body = if path == "/packed" { PACKED.to_vec() } else { body.into_bytes() };
            let sent = field(&head, "cookie").filter(|_| path == "/deep");
            log.lock().unwrap().push(sent.map_or(path.clone(), |cookies| format!("{path} with {cookies}")));
            if stream.write_all(&answer::page(status, &fields, &body)).is_err() {
                return;
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    let file = format!("seeds = [\"{origin}/\"]\n[[extract]]\nfields = {{ text = \"p\" }}\n");
    std::fs::write(dir.path().join("a.toml"), file).unwrap();
    command.args(["run", "a.toml"]).current_dir(dir.path());
    let settings = ["politeness.delay=0ms", "politeness.pace=fixed"].iter().chain(settings);
    command.args(settings.flat_map(|setting| ["--set", setting]));
    let output = command.output().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    let failed = command.args(["failed", "a.toml"]).current_dir(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&failed.stdout);
    let said = said.into_owned();
    let asked = asked.lock().unwrap().clone();
    (asked, said)
}

fn links() -> String {
    (0..5).map(|page| format!("<a href=/{page}>{page}</a> ")).collect::<String>()
        + "<a href=/hop/3>on</a> <a href=/deep>deep</a> <a href=/packed>packed</a>"
}

fn cookies() -> String {
    ["first=1", "second=2", "third=3", "quite-long=4"].map(|pair| format!("Set-Cookie: {pair}\r\n")).concat()
}

/// `<a href=/unpacked>on</a>`, packed with gzip.
const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xb3\x49\x54\xc8\x28\x4a\x4d\xb3\xd5\x2f\xcd\x2b\x48\x4c\xce\x4e\x4d\xb1\xcb\xcf\xb3\xd1\x4f\xb4\x03\x00\x0f\x93\x26\x0a\x18\x00\x00\x00";

#[test]
fn by_default_all_links_are_read_and_all_redirects_followed() {
    let (asked, said) = crawl(&[]);
    let mut asked: Vec<_> = asked.iter().map(String::as_str).collect();
    asked.sort_unstable();
    let with_all = "/deep with first=1; second=2; third=3; quite-long=4";
    let wanted = [
        "/",
        "/0",
        "/1",
        "/2",
        "/3",
        "/4",
        "/below",
        with_all,
        "/hop/0",
        "/hop/1",
        "/hop/2",
        "/hop/3",
        "/packed",
        "/robots.txt",
        "/unpacked",
    ];
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
    assert!(said.contains("6 links were not read") && said.contains("http.max-links"), "{said}");
}

#[test]
fn a_page_deeper_than_the_file_says_is_flattened_and_its_links_are_read() {
    let (asked, said) = crawl(&["http.max-element-depth=50"]);
    assert!(asked.iter().any(|path| path == "/below"), "{asked:?}");
    assert!(said.contains("nested deeper than 50 (`http.max-element-depth`)"), "{said}");
    let (_, said) = crawl(&[]);
    assert!(!said.contains("nested deeper"), "{said}");
}

#[test]
fn a_body_with_more_codings_than_the_file_says_stays_as_it_came() {
    let (asked, said) = crawl(&["http.max-codings=0", "retry.tries=1"]);
    assert!(asked.iter().any(|path| path == "/packed"), "{asked:?}");
    assert!(!asked.iter().any(|path| path == "/unpacked"), "{asked:?}");
    assert!(said.contains("/packed  truncated") && said.contains("body not whole (coding)"), "{said}");
}

#[test]
fn cookies_beyond_the_limits_of_the_file_are_not_sent() {
    let (asked, said) = crawl(&["cookies.max-per-domain=2", "cookies.max-bytes=8"]);
    assert!(asked.iter().any(|path| path == "/deep with second=2; third=3"), "{asked:?}\n{said}");
}

#[test]
fn limits_that_make_no_sense_are_refused_with_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    for (setting, told) in [
        ("http.max-element-depth=513", "expected 16 to 512"),
        ("http.max-element-depth=2", "expected 16 to 512"),
        ("http.max-codings=3", "expected 0, 1 or 2"),
        ("cookies.max-per-domain=0", "expected 1 to 1000"),
        ("cookies.max-bytes=1MiB", "64KiB"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        let output =
            command.args(["run", "--seed", "demo:", "--set", setting]).current_dir(dir.path()).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{setting}: {said}");
        let key = setting.split('=').next().unwrap();
        assert!(said.contains(key) && said.contains(told), "{setting}: {said}");
    }
}
