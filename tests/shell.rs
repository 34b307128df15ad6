//! `crawl shell` and `crawl try` as a person meets them: what a page is asked, and what is answered.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "http_cache/server.rs"]
#[expect(dead_code, reason = "these tests do not look at every field that was asked")]
mod server;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use server::{Answer, Asked, Server};
use tempfile::TempDir;

const PAGE: &str = "<!doctype html><title>Two books</title><meta name=description content=Books>\
    <script type='application/ld+json'>{\"@type\": \"Shop\", \"name\": \"Heron\"}</script>\
    <div class=book><h2>One</h2><b class=price>\u{a3}7.50</b><a href=/one>more</a></div>\
    <div class=book><h2>Two</h2><i class=cost>9</i><a href=/two>more</a></div>\
    <div class=book><b class=price>1</b></div><a class=next href='?page=2'>next</a>";

const FILE: &str = r#"
seeds = ["SEED"]
state-dir = "state"
[identity]
contact = "me@example.com"
[politeness]
delay = "1ms"
jitter = 0
pace = "fixed"
[[extract]]
kind = "book"
scope = ".book"
[extract.fields]
title = { css = "h2", required = true }
price = { css = [".price", ".cost"], regex = '[0-9.]+', type = "decimal" }
[[extract]]
label = "book"
[extract.fields]
name = "h1"
[[follow]]
css = ".book"
label = "book"
[[follow]]
css = "nav"
[[paginate]]
next = "a.next"
"#;

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the command in a folder, with these lines as its standard input.
fn run(at: &Path, args: &[&str], lines: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(args).current_dir(at).env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that ended before it has read all is no surprise.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A folder with a page in it.
fn desk() -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("page.html"), PAGE).unwrap();
    desk
}

/// What the shell answers on the page in the folder.
fn typed(lines: &str) -> Ran {
    let desk = desk();
    run(desk.path(), &["shell", "--from", "page.html", "https://shop.example/books/"], lines)
}

fn site(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/" => {
            let fields = [("content-type", "text/html; charset=utf-8"), ("etag", "\"home\"")];
            match asked.field("if-none-match") {
                Some("\"home\"") => Answer::of(304, &fields[1..]),
                _ => Answer::of(200, &fields).body(PAGE),
            }
        }
        "/one" => {
            Answer::of(200, &[("content-type", "text/html")]).body("<title>One</title><h1>Book one</h1>")
        }
        _ => Answer::of(404, &[]),
    }
}

/// A folder with a crawler file for the server.
fn site_desk(server: &Server) -> TempDir {
    let desk = desk();
    fs::write(desk.path().join("shop.toml"), FILE.replace("SEED", &server.url("/"))).unwrap();
    desk
}

#[test]
fn every_expression_is_answered_with_numbered_matches() {
    let ran = typed("css h2\ncss .book a::attr(href)\nxpath //h2/text()\nre href=(/\\w+)\njson $.a\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(
        ran.out,
        "css `h2`: 2 matches\n   1  One\n   2  Two\n\
         css `.book a::attr(href)`: 2 matches\n   1  https://shop.example/one\n   2  https://shop.example/two\n\
         xpath `//h2/text()`: 2 matches\n   1  One\n   2  Two\n\
         regex `href=(/\\w+)`: 2 matches\n   1  /one\n   2  /two\n\
         json `$.a`: 0 matches\n      the answer is not JSON (text/html); what a page says in JSON-LD is structured data\n"
    );
}

#[test]
fn a_bad_command_is_told_and_the_next_one_is_read() {
    let ran = typed(
        "css h2[\nxpath //[\nre (\njson $[\nhedaers\ncss\nrule x = { cs = \"h2\" }\nrule y\nitems\nfetch ht!tp://\ntitle\n",
    );
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "Two books\n"));
    for told in [
        "`h2[` is not a CSS selector",
        "`//[` is not an XPath",
        "`(` is not a regular expression",
        "`$[` is not a JSONPath",
        "did you mean `headers`?",
        "`css` needs something behind it",
        "did you mean `css`?",
        "which expression?",
        "there is no crawler file",
    ] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn a_rule_is_tried_and_printed_as_a_line_of_a_crawler_file() {
    let ran = typed(
        "css .book h2\nrule title\nrule price = { css = \".price\", regex = '[0-9.]+', type = \"decimal\" }\nrule bare = h2\n",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for line in [
        "title = \".book h2\"",
        "price = { css = \".price\", regex = '[0-9.]+', type = \"decimal\" }",
        "bare = \"h2\"",
    ] {
        assert!(ran.out.contains(&format!("\n[extract.fields]\n{line}\n")), "{line}: {}", ran.out);
    }
    assert!(ran.out.contains("price  7.5    decimal  css `.price`  2"), "{}", ran.out);
}

#[test]
fn a_page_is_shown_from_all_sides() {
    let desk = desk();
    let args = ["shell", "--from", "page.html", "https://shop.example/books/"];
    let ran = run(
        desk.path(),
        &args,
        "# a remark\n\ntext h2\nhtml .book\nlinks two\nheaders\nmeta\nld\nsave copy.html\nsave copy.html\nhelp\nquit\ntitle\n",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for part in [
        "1  <h2>\nOne\n2  <h2>\nTwo\n",
        "1  <div>\n<h2>One</h2>",
        "1 link\n   1  https://shop.example/two  more\n",
        "200 OK\ncontent-type: text/html\n",
        "\"description\": \"Books\"",
        "1 thing\n{\n  \"@type\": \"Shop\"",
        "rule NAME [= VALUE]",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.out.contains("Two books\n"), "nothing is read behind `quit`");
    assert_eq!(fs::read_to_string(desk.path().join("copy.html")).unwrap(), PAGE);
    assert!(ran.err.contains("`copy.html` is there already"), "{}", ran.err);
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 2, "no history and no state");
}

#[test]
fn pages_are_asked_for_politely_and_one_after_the_other() {
    let server = Server::with_robots(Answer::of(200, &[]).body("User-agent: *\nDisallow: /closed\n"), site);
    let desk = site_desk(&server);
    let lines = "title\nfetch one\ncss h1\nitems book\nfetch /closed\ntitle\nfetch /none\ntitle\n";
    let ran = run(desk.path(), &["shell", "shop.toml", &server.url("/")], lines);
    assert_eq!(ran.code, Some(3), "the last page was not there: {}", ran.err);
    assert!(ran.out.starts_with("Two books\ncss `h1`: 1 match\n   1  Book one\n"), "{}", ran.out);
    assert!(ran.out.contains("[[extract]] 2: 1 item\n"), "{}", ran.out);
    assert!(ran.out.ends_with("One\nOne\n"), "the page before stays: {}", ran.out);
    assert!(ran.err.contains("robots: Disallow: /closed") && ran.err.contains("no page came"), "{}", ran.err);
    let mut paths: Vec<_> = server.asked().into_iter().map(|asked| asked.path).collect();
    paths.dedup();
    assert_eq!(paths, ["/", "/one", "/none"]);
    assert_eq!(server.robots(), 1, "it is known after the first page");
    let audit = run(desk.path(), &["audit", "state"], "");
    assert_eq!(audit.code, Some(0), "{}", audit.out);
}

#[test]
fn a_page_that_has_not_changed_is_there_all_the_same() {
    let server = Server::start(site);
    let desk = site_desk(&server);
    let url = server.url("/");
    for _ in 0..2 {
        let ran = run(desk.path(), &["shell", "shop.toml", &url], "title\n");
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "Two books\n"), "{}", ran.err);
    }
    // Where bodies are kept the server need not send it again.
    let keep = ["fetch", "shop.toml", &url, "--set", "cache.bodies=true", "--css", "h2", "--json"];
    run(desk.path(), &keep, "");
    let kept: Value =
        serde_json::from_str(&run(desk.path(), &[&keep[..], &["--max-age", "1h"]].concat(), "").out).unwrap();
    assert_eq!((&kept["asked"], &kept["from_cache"]), (&json!(0), &json!(true)), "{kept}");
    assert_eq!(kept["look"]["queries"][0]["matches"], json!(["One", "Two"]), "{kept}");
}

#[test]
fn what_cannot_be_begun_ends_with_its_code() {
    let desk = desk();
    assert_eq!(run(desk.path(), &["shell"], "").code, Some(2));
    assert_eq!(run(desk.path(), &["shell", "--from", "none.html"], "").code, Some(2));
    let ran = run(desk.path(), &["shell", "--from", "-", "https://a.example/"], "css a\n");
    assert!(ran.code == Some(2) && ran.err.contains("commands come from the standard input"), "{}", ran.err);
}

#[test]
fn try_shows_each_field_with_the_selector_that_gave_it_and_what_is_missing() {
    let server = Server::start(site);
    let desk = site_desk(&server);
    let ran = run(desk.path(), &["try", "shop.toml", &server.url("/")], "");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for part in [
        "[[extract]] 1, kind book, scope css `.book`: 2 items from 3 places\n",
        "   field  value  type     from                  matched\n   title  One    text     css `h2`              1\n",
        "   price  7.5    decimal  css `.price` (1 of 2)  1\n",
        "   price  9.0    decimal  css `.cost` (2 of 2)  1\n",
        " ! title  -      -        css `h2`              0        MISSING, required\n",
        "   no item: a required field is missing\n",
        "   filled of 3: title 2, price 3\n",
        "[[extract]] 2: silent, only on pages with label `book`\n",
        "   follow 1, css `.book`, label book: 2\n",
        "   follow 2, css `nav`: none\n",
        "   paginate: 1\n",
        "1 problem\n",
    ] {
        let squeezed =
            |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        assert!(squeezed(&ran.out).contains(&squeezed(part)), "{part}: {}", ran.out);
    }
    let told = run(desk.path(), &["try", "shop.toml", &server.url("/"), "--json"], "");
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        (&told["status"], &told["exit-code"], &told["links"][0]["by"]),
        (&json!(200), &json!(0), &json!("follow 1"))
    );
    let price = &told["rules"]["extract"][0]["first"][1]["fields"][1];
    assert_eq!((&price["way"], &price["ways"], &price["value"]), (&json!(2), &json!(2), &json!(9.0)));
    assert_eq!(told["items"].as_array().unwrap().len(), 2);
}

#[test]
fn the_example_of_the_page_gives_what_it_says() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/shell.md")).unwrap();
    let block = |open: &str| text.split(open).nth(1).unwrap().split("\n```").next().unwrap().to_owned();
    let told = block("```text\ncrawl> ");
    let mut commands = String::new();
    let mut answers = String::new();
    for line in format!("crawl> {told}").lines() {
        let (to, line) = match line.strip_prefix("crawl> ") {
            Some(command) => (&mut commands, command),
            None => (&mut answers, line),
        };
        to.push_str(&format!("{line}\n"));
    }
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("page.html"), block("```html\n")).unwrap();
    let ran = run(desk.path(), &["shell", "--from", "page.html", "https://shop.example/"], &commands);
    assert_eq!((ran.code, ran.out), (Some(0), answers), "{}", ran.err);
}
