//! A page out of a file, as if it had been the answer to a URL. Nobody is asked for it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::super::exit::Failure;
use crate::fetch::Limits;
use crate::response::Response;
use crate::url::CanonicalUrl;

/// Stands for the address of a file, where none was named.
const NOWHERE: &str = "http://file.invalid/";

/// Reads a file, or with `-` the standard input, as the answer to `url`.
pub(in crate::cli) fn read(place: &Path, url: Option<&str>) -> Result<Response, Failure> {
    let url = url.unwrap_or(NOWHERE);
    let url = CanonicalUrl::parse(url)
        .map_err(|error| Failure::Usage(format!("`{url}` is no address for a page: {error}")))?;
    let mut response = Response::of(url, StatusCode::OK, body(place)?);
    if let Some(kind) = kind(place) {
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Ok(response)
}

/// As much as would be kept of an answer.
fn body(place: &Path) -> Result<Vec<u8>, Failure> {
    let most = Limits::default().body;
    let mut body = Vec::new();
    let read = match place.as_os_str() == "-" {
        true => io::stdin().lock().take(most + 1).read_to_end(&mut body),
        false => File::open(place).and_then(|file| file.take(most + 1).read_to_end(&mut body)),
    };
    let name = place.display();
    read.map_err(|error| Failure::Usage(format!("cannot read `{name}`: {error}")))?;
    match body.len() as u64 > most {
        true => {
            Err(Failure::Usage(format!("`{name}` has more than {most} bytes, as no page has that is kept")))
        }
        false => Ok(body),
    }
}

/// What the ending of a file's name says; without one it is guessed from how the file begins.
fn kind(place: &Path) -> Option<&'static str> {
    let ending = place.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" | "xhtml" => Some("text/html"),
        "json" => Some("application/json"),
        "xml" => Some("application/xml"),
        "rss" => Some("application/rss+xml"),
        "atom" => Some("application/atom+xml"),
        "txt" => Some("text/plain"),
        _ => None,
    }
}
