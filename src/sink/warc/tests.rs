use std::fs;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use proptest::prelude::*;

use super::record::RecordId;
use super::*;
use crate::request::Request;
use crate::response::{Response, Truncation};
use crate::url::CanonicalUrl;

const AT: Timestamp = Timestamp::from_millis(1_709_164_800_123);

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn exchange(target: &str, body: &str) -> Exchange {
    Exchange {
        target: target.to_owned(),
        method: Method::GET,
        sent: headers(&[("user-agent", "crawl/1"), ("host", "a.example")]),
        asked: None,
        peer: Some([192, 0, 2, 7].into()),
        at: AT,
        version: Version::HTTP_11,
        status: StatusCode::OK,
        reason: None,
        headers: headers(&[("content-type", "text/html")]),
        body: Bytes::copy_from_slice(body.as_bytes()),
        form: BodyForm::Coded,
        truncated: None,
    }
}

fn pair(exchange: &Exchange) -> Pair<'_> {
    let digest = DigestKind::Sha1;
    let payload = digest.of(&[&exchange.body]);
    Pair { exchange, digest, answer: RecordId::of(1), request: RecordId::of(2), payload }
}

fn text(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    record.write(&mut out, Packing::Plain);
    String::from_utf8(out).unwrap()
}

fn answer_head(exchange: &Exchange) -> String {
    String::from_utf8(head::of_answer(exchange, Secrets::Removed)).unwrap()
}

#[test]
fn a_response_and_its_request_are_these_bytes() {
    let exchange = exchange("http://a.example/p?q", "<p>");
    let answer = head::of_answer(&exchange, Secrets::Removed);
    assert_eq!(
        text(&pair(&exchange).response(&answer)),
        "WARC/1.1\r\n\
         WARC-Type: response\r\n\
         WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000001>\r\n\
         WARC-Date: 2024-02-29T00:00:00.123Z\r\n\
         WARC-Target-URI: http://a.example/p?q\r\n\
         WARC-IP-Address: 192.0.2.7\r\n\
         WARC-Payload-Digest: sha1:MOW2KXALUIJKLMPY2WTQREDYR4AJOK7U\r\n\
         WARC-Block-Digest: sha1:3OXZKZOJ4U6LN2XKV7NETYFZJ4K7JSGT\r\n\
         Content-Type: application/http; msgtype=response\r\n\
         Content-Length: 66\r\n\
         \r\n\
         HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>\r\n\r\n"
    );
    let request = head::of_request(&exchange, Secrets::Removed);
    assert_eq!(
        text(&pair(&exchange).request(&request, &[])),
        "WARC/1.1\r\n\
         WARC-Type: request\r\n\
         WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000002>\r\n\
         WARC-Date: 2024-02-29T00:00:00.123Z\r\n\
         WARC-Target-URI: http://a.example/p?q\r\n\
         WARC-IP-Address: 192.0.2.7\r\n\
         WARC-Concurrent-To: <urn:uuid:00000000-0000-4000-8000-000000000001>\r\n\
         WARC-Block-Digest: sha1:4CWHRYZMACWM7WPCCIIGUFMVMDITIQQM\r\n\
         Content-Type: application/http; msgtype=request\r\n\
         Content-Length: 59\r\n\
         \r\n\
         GET /p?q HTTP/1.1\r\nuser-agent: crawl/1\r\nhost: a.example\r\n\r\n\r\n\r\n"
    );
}

#[test]
fn a_revisit_names_the_record_that_has_the_body() {
    let exchange = exchange("http://a.example/2", "<p>");
    let pair = pair(&exchange);
    let before = Capture {
        id: RecordId::of(9),
        target: "http://a.example/1".to_owned(),
        at: Timestamp::ZERO,
        payload: pair.payload,
    };
    let head = head::of_answer(&exchange, Secrets::Removed);
    let same = text(&pair.same_payload(&head, &before));
    assert!(same.contains(
        "WARC-Profile: http://netpreserve.org/warc/1.1/revisit/identical-payload-digest\r\n\
         WARC-Refers-To: <urn:uuid:00000000-0000-4000-8000-000000000009>\r\n\
         WARC-Refers-To-Target-URI: http://a.example/1\r\n\
         WARC-Refers-To-Date: 1970-01-01T00:00:00.000Z\r\n\
         WARC-Truncated: length\r\n\
         WARC-Payload-Digest: sha1:MOW2KXALUIJKLMPY2WTQREDYR4AJOK7U\r\n"
    ));
    assert!(same.ends_with("Content-Length: 63\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n\r\n\r\n"));
    let not_modified = text(&pair.not_modified(Some(&before)));
    assert!(not_modified.contains("/server-not-modified\r\nWARC-Refers-To: "));
    assert!(not_modified.ends_with("Content-Length: 0\r\n\r\n\r\n\r\n"));
    assert!(text(&pair.not_modified(None)).contains("\r\nWARC-Refers-To-Target-URI: http://a.example/2\r\n"));
}

#[test]
fn a_cut_body_says_why_it_is_cut() {
    for (why, word) in [
        (Truncation::Length, "length"),
        (Truncation::Ratio, "length"),
        (Truncation::Time, "time"),
        (Truncation::Disconnect, "disconnect"),
        (Truncation::Coding, "unspecified"),
    ] {
        let exchange = Exchange { truncated: Some(why), ..exchange("http://a.example/", "<p>") };
        assert!(text(&pair(&exchange).response(&[])).contains(&format!("\r\nWARC-Truncated: {word}\r\n")));
    }
}

#[test]
fn the_head_of_an_answer_is_true_to_the_stored_body() {
    let told = headers(&[("transfer-encoding", "chunked"), ("content-encoding", "gzip"), ("x", "1")]);
    let coded = Exchange { headers: told, ..exchange("http://a.example/", "xyz") };
    assert_eq!(
        answer_head(&coded),
        "HTTP/1.1 200 OK\r\nx-crawler-transfer-encoding: chunked\r\ncontent-encoding: gzip\r\nx: 1\r\n\
         content-length: 3\r\n\r\n"
    );
    let decoded = Exchange { form: BodyForm::Decoded, ..coded };
    assert!(answer_head(&decoded).contains("\r\nx-crawler-content-encoding: gzip\r\n"));
    let cut = Exchange { headers: headers(&[("content-length", "10")]), ..decoded };
    assert_eq!(
        answer_head(&cut),
        "HTTP/1.1 200 OK\r\nx-crawler-content-length: 10\r\ncontent-length: 3\r\n\r\n"
    );
    let silent = Exchange { method: Method::HEAD, body: Bytes::new(), ..cut };
    assert_eq!(answer_head(&silent), "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
}

#[test]
fn the_status_line_is_the_one_that_came_or_that_of_http_1_1() {
    let mut answer = exchange("http://a.example/", "");
    answer.headers.clear();
    for (version, reason, line) in [
        (Version::HTTP_10, None, "HTTP/1.0 404 Not Found"),
        (Version::HTTP_2, None, "HTTP/1.1 404 Not Found"),
        (Version::HTTP_11, Some("Kaput\r\nx: y"), "HTTP/1.1 404 Kaput  x: y"),
    ] {
        let reason = reason.map(|reason: &str| Bytes::copy_from_slice(reason.as_bytes()));
        let answer = Exchange { version, reason, status: StatusCode::NOT_FOUND, ..answer.clone() };
        assert_eq!(answer_head(&answer), format!("{line}\r\ncontent-length: 0\r\n\r\n"));
    }
}

#[test]
fn secrets_are_removed_unless_they_shall_be_kept() {
    let secret = [("authorization", "Basic abc"), ("cookie", "a=b"), ("x-api-key", "k"), ("accept", "*/*")];
    let asked = Exchange { sent: headers(&secret), ..exchange("http://a.example/", "") };
    let head = |secrets| String::from_utf8(head::of_request(&asked, secrets)).unwrap();
    assert_eq!(
        head(Secrets::Removed),
        "GET / HTTP/1.1\r\nauthorization: [removed]\r\ncookie: [removed]\r\nx-api-key: [removed]\r\naccept: */*\r\n\r\n"
    );
    assert!(head(Secrets::Kept).contains("Basic abc"));
}

#[test]
fn name_and_password_of_a_url_are_in_no_record() {
    let url = CanonicalUrl::parse("http://me:pw@a.example:81/x?y").unwrap();
    let mut answer = Response::of(url.clone(), StatusCode::OK, "body");
    let exchange = Exchange::of(&Request::get(url), &mut answer, HeaderMap::new);
    assert_eq!((exchange.target.as_str(), exchange.path()), ("http://a.example:81/x?y", "/x?y"));
    assert_eq!(exchange.sent["host"], "a.example:81");
}

#[test]
fn the_first_record_says_who_crawls_and_no_value_breaks_a_line() {
    let lines = vec![("operator", "me\r\nWARC-Type: response"), ("http-header-user-agent", "crawl/1")];
    let info = Info { id: RecordId::of(3), at: AT, file: "a\r\nb.warc", digest: DigestKind::Sha1, lines };
    let block = info.block();
    let text = text(&info.record(&block));
    assert!(text.contains("\r\nWARC-Filename: a  b.warc\r\n") && text.contains("robots: obey\r\n"));
    assert!(text.contains("\r\noperator: me  WARC-Type: response\r\nhttp-header-user-agent: crawl/1\r\n"));
}

fn options(dir: &Path) -> WarcOptions {
    WarcOptions { rotate_size: 3_000, ..WarcOptions::to(dir) }
}

/// The targets of all responses, in the order of the files. Every record must be whole.
fn targets(dir: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut targets = Vec::new();
    for file in files {
        let mut text = String::new();
        let bytes = fs::read(&file).unwrap();
        MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        assert!(text.starts_with("WARC/1.1\r\nWARC-Type: warcinfo\r\n"), "{}", file.display());
        assert!(text.ends_with("\r\n\r\n"));
        let mut is_response = false;
        for line in text.lines() {
            is_response =
                if line.starts_with("WARC-Type: ") { line == "WARC-Type: response" } else { is_response };
            let target = line.strip_prefix("WARC-Target-URI: ").filter(|_| is_response);
            targets.extend(target.map(str::to_owned));
        }
    }
    targets
}

fn write(warc: &mut Warc, number: usize) -> String {
    let target = format!("http://a.example/{number:04}");
    let mut rng = fastrand::Rng::with_seed(number as u64);
    let body: String = (0..rng.usize(1..900)).map(|_| rng.alphanumeric()).collect();
    warc.write(&exchange(&target, &body)).unwrap();
    target
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Write,
    Commit,
    Sync,
    /// The process dies; some flushed bytes, and a torn record behind them, are not committed.
    Crash,
    /// The run ends in order.
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Write),
        3 => Just(Step::Commit),
        2 => Just(Step::Sync),
        2 => Just(Step::Crash),
        1 => Just(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whenever_it_is_killed_what_was_committed_is_there_once_and_nothing_else_is(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut warc = Warc::open(&options(dir.path())).unwrap();
        warc.rewind(Position::default()).unwrap();
        let mut committed = warc.flush().unwrap();
        let (mut kept, mut written) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write => written.push(write(&mut warc, number)),
                Step::Commit => {
                    committed = warc.flush().unwrap();
                    kept.append(&mut written);
                }
                Step::Sync if written.is_empty() => warc.sync().unwrap(),
                Step::Sync => {}
                Step::Crash => {
                    warc.flush().unwrap();
                    drop(warc);
                    tear(dir.path());
                    written.clear();
                    warc = Warc::open(&options(dir.path())).unwrap();
                    warc.rewind(committed).unwrap();
                }
                Step::End => {
                    warc.flush().unwrap();
                    kept.append(&mut written);
                    warc.close().unwrap();
                    committed = warc.flush().unwrap();
                }
            }
        }
        drop(warc);
        let mut warc = Warc::open(&options(dir.path())).unwrap();
        warc.rewind(committed).unwrap();
        warc.close().unwrap();
        prop_assert_eq!(targets(dir.path()), kept);
    }
}

/// Half a record behind the last open file.
fn tear(dir: &Path) {
    let mut open: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    open.retain(|path| path.extension().is_some_and(|ending| ending == "open"));
    open.sort();
    if let Some(last) = open.last() {
        let mut bytes = fs::read(last).unwrap();
        let half = bytes.len().min(100) / 2;
        bytes.extend_from_within(..half);
        fs::write(last, bytes).unwrap();
    }
}

#[test]
fn what_was_left_open_and_belongs_to_nobody_keeps_its_whole_records() {
    for packing in [Packing::Gzip, Packing::Plain] {
        let dir = tempfile::tempdir().unwrap();
        let options = WarcOptions { packing, ..WarcOptions::to(dir.path()) };
        let mut warc = Warc::open(&options).unwrap();
        write(&mut warc, 1);
        warc.flush().unwrap();
        drop(warc);
        let whole = fs::metadata(only(dir.path())).unwrap().len();
        tear(dir.path());
        let mut warc = Warc::open(&options).unwrap();
        warc.rewind(Position::default()).unwrap();
        let file = only(dir.path());
        assert_eq!(fs::metadata(&file).unwrap().len(), whole, "{packing:?}");
        assert!(file.to_str().unwrap().ends_with(parts::ending(packing)));
        write(&mut warc, 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

fn only(dir: &Path) -> PathBuf {
    fs::read_dir(dir).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn two_crawls_do_not_write_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Warc::open(&options(dir.path())).unwrap();
    write(&mut first, 1);
    let mut second = Warc::open(&options(dir.path())).unwrap();
    let error = second.rewind(Position::default()).unwrap_err();
    assert!(error.to_string().contains("is being written by another crawl"), "{error}");
}

#[test]
fn one_file_is_called_as_told_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let options = WarcOptions::to(dir.path().join("one.warc.gz"));
    for (round, names) in [(1, vec!["one.warc.gz"]), (2, vec!["one-00002.warc.gz", "one.warc.gz"])] {
        let mut warc = Warc::open(&options).unwrap();
        warc.rewind(Position::default()).unwrap();
        write(&mut warc, round);
        warc.flush().unwrap();
        warc.close().unwrap();
        let mut found: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        assert_eq!(found, names);
    }
}

#[test]
fn an_open_file_that_is_gone_or_cut_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut warc = Warc::open(&options(dir.path())).unwrap();
    write(&mut warc, 1);
    let committed = warc.flush().unwrap();
    drop(warc);
    let file = only(dir.path());
    fs::write(&file, b"short").unwrap();
    for _ in 0..2 {
        let mut warc = Warc::open(&options(dir.path())).unwrap();
        let error = warc.rewind(committed).unwrap_err().to_string();
        assert!(error.contains("is shorter than at the last run"), "{error}");
        drop(fs::remove_file(&file));
    }
}

#[test]
fn a_body_is_written_once_and_a_record_is_never_named_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut warc =
        Warc::open(&WarcOptions { packing: Packing::Plain, ..WarcOptions::to(dir.path()) }).unwrap();
    for target in ["http://a.example/1", "http://a.example/2"] {
        warc.write(&exchange(target, "the same")).unwrap();
    }
    let not_modified = Exchange { status: StatusCode::NOT_MODIFIED, ..exchange("http://a.example/2", "") };
    warc.write(&not_modified).unwrap();
    warc.flush().unwrap();
    let text = fs::read_to_string(only(dir.path())).unwrap();
    let count = |what: &str| text.matches(what).count();
    assert_eq!((count("the same"), count("WARC-Type: revisit"), count("WARC-Type: request")), (1, 2, 3));
    assert_eq!(count("WARC-Refers-To-Target-URI: http://a.example/1\r\n"), 2);
    let mut ids: Vec<_> = text.lines().filter(|line| line.starts_with("WARC-Record-ID")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 7);
}
