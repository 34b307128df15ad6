//! How the bytes of an input become what a property needs: lines at the front, the rest behind them. So an input can be read and
//! written by hand.

use std::sync::Arc;

use crawl::page::Page;
use crawl::request::Request;
use crawl::response::Response;
use crawl::time::Timestamp;
use crawl::url::CanonicalUrl;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Sun, 22 Nov 2026 12:00:00 GMT.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_348_800);

/// The first line and what stands behind it.
pub fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, b""),
    }
}

/// As [`line`], as text.
pub fn text_line(bytes: &[u8]) -> (String, &[u8]) {
    let (line, rest) = line(bytes);
    (String::from_utf8_lossy(line).into_owned(), rest)
}

/// Lines `name: value` up to an empty one, and what stands behind it. What is no field is left out, as on the wire.
pub fn fields(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let (mut headers, mut rest) = (HeaderMap::new(), bytes);
    while !rest.is_empty() {
        let (field, behind) = line(rest);
        rest = behind;
        if field.is_empty() {
            break;
        }
        let mut parts = field.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value =
            parts.next().map(<[u8]>::trim_ascii).and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}

/// A URL that is one.
pub fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).expect("written here")
}

/// The answer to `url` with this `Content-Type` and body.
pub fn page(url: &CanonicalUrl, content_type: &[u8], body: &[u8]) -> Page {
    let mut response = Response::of(url.clone(), StatusCode::OK, body.to_vec());
    if let Ok(value) = HeaderValue::from_bytes(content_type) {
        response.headers.insert(http::header::CONTENT_TYPE, value);
    }
    Page::new(Arc::new(Request::get(url.clone())), response)
}

/// A page of HTML in UTF-8.
pub fn html(body: &[u8]) -> Page {
    page(&url("http://a.example/dir/page?x=1"), b"text/html; charset=utf-8", body)
}
