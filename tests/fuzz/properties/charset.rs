//! The encoding of a page: the first line is its `Content-Type`, the rest the body.

use crawl::headers::charset::ContentType;
use crawl::page::charset::{PRESCAN_BYTES, encoding, prescan};
use encoding_rs::UTF_8;

use super::input::{line, page, url};

pub fn check(bytes: &[u8]) {
    let (kind, body) = line(bytes);
    let beginning = &body[..body.len().min(PRESCAN_BYTES)];
    assert_eq!(prescan(body), prescan(beginning), "only the beginning declares an encoding");
    let declared = str::from_utf8(kind).ok().and_then(ContentType::parse);
    let found = encoding(declared.as_ref(), body);
    assert_eq!(found, encoding(declared.as_ref(), body));
    let home = url("http://a.example/");
    let read = page(&home, kind, body);
    assert!(read.text().len() <= 3 * body.len() + 3, "{} bytes became {}", body.len(), read.text().len());
    let by_hand = read.encoding().decode_with_bom_removal(body).0;
    assert_eq!(read.text(), by_hand, "read as {}", read.encoding().name());
    let as_utf_8 = page(&home, b"text/html; charset=utf-8", read.text().as_bytes());
    if !read.text().starts_with('\u{feff}') {
        assert_eq!(
            (as_utf_8.text(), as_utf_8.encoding()),
            (read.text(), UTF_8),
            "written as UTF-8, and read again"
        );
    }
}
