//! WARC: an answer of anything, archived and read again; and an archive that is cut or has anything behind it.
//!
//! The first line is the status and how much is cut off, the second the path; then header fields, an empty line and the body.

use std::fs;
use std::io::Read;
use std::path::Path;

use crawl::request::Request;
use crawl::response::Response;
use crawl::sink::Position;
use crawl::sink::warc::{Exchange, Warc, WarcOptions};
use flate2::read::MultiGzDecoder;
use http::StatusCode;

use super::input::{fields, text_line, url};

pub fn check(bytes: &[u8]) {
    let (numbers, rest) = text_line(bytes);
    let (path, rest) = text_line(rest);
    let (headers, body) = fields(rest);
    let mut numbers = numbers.split(' ').map(|number| number.parse::<u16>().unwrap_or_default());
    let status = StatusCode::from_u16(numbers.next().unwrap_or_default()).unwrap_or(StatusCode::OK);
    let cut = usize::from(numbers.next().unwrap_or_default());
    let base = url("http://me:secret@a.example/");
    let asked = crawl::url::Canon::default().join(base.as_url(), &path).unwrap_or(base);
    let mut request = Request::get(asked);
    request.headers = vec![("authorization".to_owned(), "Bearer a-secret-word".to_owned())];
    let exchange = || {
        let mut response = Response::of(request.url.clone(), status, body.to_vec());
        response.headers = headers.clone();
        Exchange::of(&request, &mut response, || headers.clone())
    };
    for name in ["one.warc", "one.warc.gz"] {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join(name);
        write(&file, &exchange(), 2);
        let records = records(&read(&file));
        assert_eq!(records.len(), 5, "what is said of the file, and two pairs");
        holds_what_was_sent(&records, body, status);
        is_mended(
            &dir.path().join(format!("other-{name}")),
            &fs::read(&file).expect("written"),
            &exchange(),
            cut,
        );
    }
}

fn write(file: &Path, exchange: &Exchange, times: usize) {
    let mut warc = Warc::open(&WarcOptions::to(file)).expect("a folder that can be written");
    for _ in 0..times {
        warc.write(exchange).expect("room");
    }
    warc.flush().expect("room");
    warc.close().expect("room");
}

fn read(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).expect("written");
    if file.extension().is_none_or(|ending| ending != "gz") {
        return bytes;
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).expect("every record is a member");
    plain
}

struct Record {
    fields: Vec<(String, String)>,
    block: Vec<u8>,
}

/// As a reader of WARC sees it (ISO 28500, 4): a line break that came from outside would be seen here.
fn records(mut file: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while !file.is_empty() {
        let end = file.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends");
        let head = str::from_utf8(&file[..end]).expect("a head is text");
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("WARC/1.1"));
        let fields: Vec<_> = lines
            .map(|line| line.split_once(": ").expect("a field has a name"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert!(fields.iter().all(|(_, value)| !value.contains(char::is_control)), "{fields:?}");
        let length = fields.iter().find(|(name, _)| name == "Content-Length").expect("a record has a length");
        let length: usize = length.1.parse().expect("a length is a number");
        let (block, rest) = file[end + 4..].split_at(length);
        records.push(Record { fields, block: block.to_vec() });
        file = rest.strip_prefix(b"\r\n\r\n").expect("a record ends");
    }
    records
}

/// Bodies of pages with longer URLs are not remembered.
const NOTED: usize = 1_000;

fn first_target(records: &[Record]) -> &str {
    let mut fields = records.iter().flat_map(|record| &record.fields);
    fields.find(|(name, _)| name == "WARC-Target-URI").map_or("", |(_, target)| target)
}

fn holds_what_was_sent(records: &[Record], body: &[u8], status: StatusCode) {
    let of_kind = |kind: &str| {
        let is_one =
            |record: &&Record| record.fields.iter().any(|(name, value)| name == "WARC-Type" && value == kind);
        records.iter().filter(is_one).collect::<Vec<_>>()
    };
    assert_eq!((of_kind("warcinfo").len(), of_kind("request").len()), (1, 2));
    if status != StatusCode::NOT_MODIFIED {
        let answers = of_kind("response");
        let first = &answers.first().expect("the first answer is whole").block;
        let end = first.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends");
        assert_eq!(&first[end + 4..], body);
        let target = first_target(records);
        if target.len() <= NOTED {
            assert_eq!(
                of_kind("revisit").len(),
                usize::from(!body.is_empty()),
                "the second has the same body"
            );
        }
    }
    for record in records {
        let holds = |secret: &[u8]| record.block.windows(secret.len()).any(|window| window == secret);
        assert!(!holds(b"a-secret-word") || body.windows(13).any(|window| window == b"a-secret-word"));
    }
    let target = url::Url::parse(first_target(records)).expect("a target is a URL");
    assert!(target.username().is_empty() && target.password().is_none(), "{target}");
}

/// An archive that a crash left open is cut to its whole records and written on.
fn is_mended(file: &Path, whole: &[u8], exchange: &Exchange, cut: usize) {
    let kept = whole.len() - cut % whole.len().max(1);
    let open =
        file.with_file_name(format!("{}.open", file.file_name().expect("it has a name").to_string_lossy()));
    fs::write(&open, &whole[..kept]).expect("room");
    let mut warc = Warc::open(&WarcOptions::to(file)).expect("a folder that can be written");
    warc.rewind(Position::default()).expect("what is found open is mended");
    warc.write(exchange).expect("room");
    warc.flush().expect("room");
    warc.close().expect("room");
    let folder = fs::read_dir(file.parent().expect("in a folder")).expect("a folder");
    let mended = folder.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("other-"));
    let counts: Vec<usize> = mended.map(|entry| records(&read(&entry.path())).len()).collect();
    assert!(counts.iter().all(|count| *count > 0) && counts.contains(&3), "{counts:?}");
}
