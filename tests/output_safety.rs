//! A site that puts escape sequences, marks that reorder a line, formulas and secrets wherever a server can put something, and
//! every command that prints some of it.

#![expect(clippy::unwrap_used, reason = "what a test is built from may fail the test")]

#[expect(dead_code, reason = "shared with servers that look at fields")]
mod loopback;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// An escape sequence, a title of a window, a C1 control, a mark that turns the line, and a delete.
const EVIL: &str = "EVIL\u{1b}[31m\u{1b}]0;t\u{7}\u{9b}31m\u{202e}LTR\u{7f}";

/// What of it may stand in a header field that HTTP clients accept.
const EVIL_FIELD: &str = "EVIL\u{9b}31m\u{202e}LTR";

fn page(body: &str, fields: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn redirect(location: &str, fields: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{fields}Content-Length: 0\r\n\r\n")
}

fn home(origin: &str) -> String {
    let host = origin.trim_start_matches("http://");
    let links = [
        format!("/gone{EVIL}"),
        "/status".to_owned(),
        "/head".to_owned(),
        "/moved".to_owned(),
        "/nowhere".to_owned(),
        "/fields".to_owned(),
        format!("/forbidden{EVIL}"),
        "/nonsense".to_owned(),
        format!("http://{EVIL}.example/"),
        format!("http://user:SECRETpassword@{host}/auth"),
        format!("http://user:SECRETpassword@{host}/status"),
        "/loop".to_owned(),
        "/a..%2f..%2f..%2fetc/passwd".to_owned(),
        "/CON".to_owned(),
        "/con".to_owned(),
        "/nul.".to_owned(),
    ];
    let links: String = links.iter().map(|link| format!("<a href=\"{link}\">{EVIL}</a>")).collect();
    format!(
        "<title>{EVIL}\n\t=cmd|' /C calc'!A0</title><h1>=1+1{EVIL}</h1><h2>\t@SUM(1)</h2><h3>\r+cmd|x</h3>{links}"
    )
}

/// What the site says, and nothing of it as it should be.
fn answer(path: &str, origin: &str) -> String {
    match path {
        "/robots.txt" => page(
            &format!("User-agent: *\nDisallow: /x{EVIL}\nSitemap: http://{EVIL}/\nDisallow: /forbidden\n"),
            "",
        ),
        "/" => page(&home(origin), "Set-Cookie: sid=SECRETcookie; Path=/\r\n"),
        "/status" => format!("HTTP/1.1 500 {EVIL_FIELD}\r\nContent-Length: 0\r\n\r\n"),
        "/head" => format!("HTTP/1.1 200 OK\r\nX-{EVIL}: a\r\n\r\n"),
        "/moved" => redirect(&format!("/to{EVIL_FIELD}"), "Set-Cookie: sid=SECRETcookie2; Path=/\r\n"),
        "/nowhere" => redirect(&format!("gopher://{EVIL_FIELD}/"), ""),
        "/loop" => redirect("/loop", ""),
        "/fields" => page(
            &format!("<title>{EVIL}</title>"),
            &format!(
                "ETag: \"{EVIL_FIELD}\"\r\nX-Robots-Tag: {EVIL_FIELD}none\r\nLink: <http://a/{EVIL_FIELD}>; rel=next\r\n"
            ),
        ),
        "/nonsense" => format!("{EVIL}\r\n\r\n"),
        path if path.starts_with("/gone") => {
            format!("HTTP/1.1 404 {EVIL_FIELD}\r\nContent-Length: 0\r\n\r\n")
        }
        path => page(&format!("<title>at {path}{EVIL}</title><h1>-2{EVIL}</h1>"), ""),
    }
}

fn site() -> String {
    let (listener, origin) = loopback::listen("127.0.0.1");
    let known = origin.clone();
    loopback::serve(listener, move |mut stream| {
        while let Some(head) = loopback::head(&stream) {
            stream.write_all(answer(loopback::path(&head), &known).as_bytes()).ok()?;
            if !head.contains("/fields") && loopback::path(&head).len() < 2 {
                continue;
            }
            stream.shutdown(std::net::Shutdown::Write).ok()?;
            stream.read_to_end(&mut Vec::new()).ok()?;
        }
        Some(())
    });
    origin
}

fn file(origin: &str) -> String {
    let host = "127.0.0.1";
    format!(
        "seeds = [\"{origin}/\"]\nstate-dir = \"state\"\n\
         [politeness]\ndelay = \"1ms\"\npace = \"fixed\"\n[retry]\ntries = 1\n[backoff]\nbase = \"10ms\"\n\
         [http.headers]\nAuthorization = \"Bearer SECRETbearer\"\nX-Api-Key = \"SECRETkey\"\n\
         [cookies.set]\n\"{host}\" = \"mine=SECRETown\"\n[cache]\nbodies = true\n\
         [[extract]]\nfields = {{ title = \"title\", one = \"h1\", two = \"h2\", three = \"h3\" }}\n\
         [[follow]]\ncss = \"a\"\n\
         [sink.jsonl]\npath = \"out.jsonl\"\n[[sink.csv]]\npath = \"out.csv\"\n[sink.warc]\npath = \"out.warc.gz\"\n"
    )
}

struct Crawl(PathBuf);

impl Crawl {
    fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let _ = input.write_all(b"title\nlinks\nheaders\ncss h1\nquit\n");
        drop(input);
        child.wait_with_output().unwrap()
    }

    /// Both outputs of a command are clean.
    fn is_clean(&self, arguments: &[&str]) -> Output {
        let output = self.call(arguments);
        for text in [&output.stdout, &output.stderr] {
            must_be_clean(&String::from_utf8_lossy(text), &format!("{arguments:?}"));
        }
        output
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn is_obeyed(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\t')
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Nothing is there that a terminal would obey.
fn must_be_plain(text: &str, what: &str) {
    if let Some(place) = text.find(is_obeyed) {
        let line = text[..place].rsplit('\n').next().unwrap_or_default();
        panic!("{what}: {:?} behind {line:?}", text[place..].chars().next());
    }
}

/// Nor is a secret.
fn must_be_clean(text: &str, what: &str) {
    must_be_plain(text, what);
    let secret = text.lines().find(|line| line.contains("SECRET"));
    assert_eq!(secret, None, "{what}");
}

#[test]
fn what_servers_say_reaches_no_terminal_log_or_report_raw_and_no_secret_is_told() {
    let (root, origin) = (tempfile::tempdir().unwrap(), site());
    let crawl = Crawl(root.path().to_owned());
    fs::write(root.path().join("site.toml"), file(&origin)).unwrap();
    let file = "site.toml";
    let run = crawl.is_clean(&["run", file, "-vv", "--report", "report.json"]);
    assert!(
        String::from_utf8_lossy(&run.stderr).contains("EVIL"),
        "the log shows what came, escaped: {run:?}"
    );
    crawl.is_clean(&["run", file, "--log", "json", "-v"]);
    let auth = format!("{}/auth", origin.replace("://", "://user:SECRETpassword@"));
    let [moved, gone, fields, home] = ["moved", "gone", "fields", ""].map(|path| format!("{origin}/{path}"));
    for arguments in [
        &["status", file][..],
        &["status", file, "--json"],
        &["failed", file],
        &["failed", file, "--json"],
        &["hosts", file],
        &["hosts", file, "--json"],
        &["changes", file],
        &["changes", file, "--json"],
        &["config", file],
        &["plan", file],
        &["audit", file],
        &["audit", "state"],
        &["cache", "stats", file],
        &["doctor", file],
        &["check", file],
        &["explain", file, &moved],
        &["explain", file, &gone],
        &["explain", file, &auth],
        &["explain", file, &auth, "--json"],
        &["try", file, &home],
        &["try", file, &fields],
        &["fetch", file, &moved],
        &["fetch", file, &fields],
        &["fetch", file, &auth],
        &["shell", file, &home],
        &["shell", file, &fields],
        &["sitemap", &home],
    ] {
        crawl.is_clean(arguments);
    }
    must_be_clean(&crawl.read("report.json"), "report.json");
    for name in ["changes/round-1.jsonl", "changes/round-2.jsonl"] {
        must_be_clean(&crawl.read(&format!("state/{name}")), name);
    }
    let journal = fs::read(root.path().join("state/journal/0001-0001.log")).unwrap();
    assert!(!String::from_utf8_lossy(&journal).contains("SECRET"));
    exports_are_clean(&crawl);
    archive_is_clean(root.path());
}

/// JSON escapes what would be obeyed, and so does CSV; no cell is a formula. Items are what the user asked for: where a page is, they say
/// as it is.
fn exports_are_clean(crawl: &Crawl) {
    for kind in ["csv", "tsv", "json", "jsonl"] {
        let name = format!("export.{kind}");
        assert_eq!(crawl.is_clean(&["export", "out.jsonl", &name]).status.code(), Some(0));
        must_be_plain(&crawl.read(&name), &name);
    }
    for name in ["out.jsonl", "out.csv"] {
        must_be_plain(&crawl.read(name), name);
    }
    for (name, separator) in [("out.csv", b','), ("export.csv", b','), ("export.tsv", b'\t')] {
        let text = crawl.read(name);
        let mut rows = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
        let mut formulas = 0;
        for row in rows.records() {
            for cell in &row.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell:?}");
                formulas += usize::from(cell.starts_with('\''));
            }
        }
        assert!(formulas >= 3, "{name}: {text}");
    }
    let item: serde_json::Value =
        serde_json::from_str(crawl.read("out.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(item["one"], format!("=1+1{EVIL}"), "JSON lines have the text as it was");
}

/// The archive has what came, but for secrets.
fn archive_is_clean(root: &Path) {
    let packed = fs::File::open(root.join("out.warc.gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for secret in ["SECRETcookie", "SECRETbearer", "SECRETkey", "SECRETown"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains("set-cookie: sid=[removed]; Path=/"), "{text}");
    for line in text.lines().filter(|line| line.starts_with("WARC-")) {
        must_be_clean(line.trim_end(), "WARC");
    }
}
