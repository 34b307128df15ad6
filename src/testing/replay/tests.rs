use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::*;
use crate::extract::ExtractError;

/// One item for each `li`, following all links.
struct Lists;

impl Spider for Lists {
    fn name(&self) -> &str {
        "lists"
    }

    fn seeds(&self) -> Vec<Request> {
        Vec::new()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let label = page.request().label.as_deref().map(str::to_owned);
        for entry in page.select("li")?.iter() {
            harvest.item(&json!({ "text": entry.text(), "label": label }))?;
        }
        for href in page.select("a[href]")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        if page.select("li")?.iter().next().is_none() {
            harvest.problem("no list");
        }
        Ok(())
    }
}

fn read(pages: &[(&str, &str)]) -> Readings {
    let dir = tempfile::tempdir().unwrap();
    for (url, html) in pages {
        let request = Request::get(CanonicalUrl::parse(url).unwrap());
        let response = Response::of(request.url.clone(), StatusCode::OK, (*html).to_owned());
        Recorded::add(dir.path(), &request, &response).unwrap();
    }
    Recorded::open(dir.path()).unwrap().run(&Lists)
}

#[test]
fn a_page_is_written_as_text_and_read_back_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let url = CanonicalUrl::parse("http://me:secret@a.example/books/7?x=../y").unwrap();
    let request = Request::get(url.clone()).label("book").with_data(&json!({ "n": 1 })).unwrap();
    let mut response = Response::of(url, StatusCode::OK, &b"<h1>\xff</h1>\r\n\n\nend"[..]);
    response.headers.insert("content-type", HeaderValue::from_static("text/html"));
    response.headers.insert("set-cookie", HeaderValue::from_static("session=1"));
    let path = Recorded::add(dir.path(), &request, &response).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("books-7-x----y-") && path.parent() == Some(dir.path()), "{name}");

    let text = fs::read(&path).unwrap();
    let head = "url: http://a.example/books/7?x=../y\nlabel: book\ndata: {\"n\":1}\nstatus: 200\ncontent-type: text/html\n\n";
    assert!(text.starts_with(head.as_bytes()), "{}", text.escape_ascii());
    let recorded = Recorded::open(dir.path()).unwrap();
    let (back, answer) = &recorded.pages[0];
    assert_eq!(
        (back.label.as_deref(), back.data::<serde_json::Value>().unwrap()),
        (Some("book"), json!({ "n": 1 }))
    );
    assert_eq!(answer.body, response.body);
    assert_eq!(answer.headers.len(), 1);
}

#[test]
fn a_file_that_is_no_page_is_named_with_its_reason() {
    for (text, reason) in [
        ("url: http://a.example/", "no empty line"),
        ("status: 200\n\n", "no `url`"),
        ("url: nonsense\n\n", "not a URL"),
        ("url: http://a.example/\nstatus: many\n\n", "`status: many`"),
        ("url: http://a.example/\nwhat\n\n", "name: value"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.page"), text).unwrap();
        let error = Recorded::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("x.page"), "{error}");
    }
}

#[test]
fn the_text_is_sorted_by_page_and_reads_back() {
    let readings = read(&[
        ("http://a.example/2", "<li>b<li>c<a href=/x>x</a><a href=/x#y>x</a>"),
        ("http://a.example/1", "<p>nothing"),
    ]);
    let text = readings.to_jsonl();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"page":"http://a.example/1","items":0,"links":0,"problems":["no list"]}"#,
            r#"{"page":"http://a.example/2","items":2,"links":1}"#,
            r#"{"page":"http://a.example/2","item":{"text":"b","label":null}}"#,
            r#"{"page":"http://a.example/2","item":{"text":"cxx","label":null}}"#,
        ]
    );
    assert_eq!(Readings::from_jsonl(&text).unwrap(), readings);
    assert!(readings.differences(&readings).is_empty());
    let orphan = lines[2];
    assert_eq!(Readings::from_jsonl(orphan).unwrap_err().line, 1);
}

#[test]
fn a_difference_names_the_page_the_field_and_both_values() {
    let before = read(&[
        ("http://a.example/1", "<li>b<li>c"),
        ("http://a.example/2", "<li>same"),
        ("http://a.example/3", "<li>gone"),
    ]);
    let now = read(&[
        ("http://a.example/1", "<li>B<a href=/x></a>"),
        ("http://a.example/2", "<li>same"),
        ("http://a.example/4", "<li>new"),
    ]);
    let differences = before.differences(&now);
    let told: Vec<_> = differences.iter().map(|page| (page.url.as_str(), page.lines.clone())).collect();
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            (
                "http://a.example/1",
                lines(&[
                    "items: expected 2, got 1",
                    "links: expected 0, got 1",
                    "item 1, text: expected \"b\", got \"B\"",
                    "item 2: missing {\"text\":\"c\",\"label\":null}",
                ])
            ),
            ("http://a.example/3", lines(&["expected, and not among the recorded pages"])),
            ("http://a.example/4", lines(&["recorded, and not in the snapshot"])),
        ]
    );
}
