//! The file of one recorded page.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::request::Request;
use crate::response::Response;
use crate::store::bodies::telling_headers;
use crate::url::CanonicalUrl;

/// Letters of a URL that a file's name shows.
const SHOWN: usize = 48;

/// A name that shows where the page is from, and is another one for every request.
pub(super) fn name(request: &Request) -> String {
    let path = request.url.path_and_query().trim_matches('/');
    let path = if path.is_empty() { "home" } else { path };
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let shown: String = path.chars().take(SHOWN).map(letter).collect();
    format!("{shown}-{:016x}", request.fingerprint().get())
}

/// The bytes of a page's file.
pub(super) fn write(request: &Request, response: &Response) -> Result<Vec<u8>, String> {
    let mut lines = vec![("url", without_credentials(&response.url))];
    if let Some(label) = &request.label {
        if label.contains(['\n', '\r']) {
            return Err("its label has a line break".to_owned());
        }
        lines.push(("label", label.to_string()));
    }
    match request.data::<Value>() {
        Ok(Value::Null) | Err(_) => {}
        Ok(data) => lines.push(("data", data.to_string())),
    }
    lines.push(("status", response.status.as_u16().to_string()));
    let headers = telling_headers(&response.headers).filter(|(name, _)| *name != header::ETAG.as_str());
    lines.extend(headers.filter_map(|(name, value)| Some((name, value.to_str().ok()?.to_owned()))));
    let head: String = lines.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    Ok([head.as_bytes(), b"\n", &response.body].concat())
}

fn without_credentials(url: &CanonicalUrl) -> String {
    let mut bare = url.as_url().clone();
    // Neither can fail: the URL has a host.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.into()
}

/// Reads what [`write`] has written, or somebody by hand.
pub(super) fn read(file: &[u8]) -> Result<(Request, Response), String> {
    let (head, body) = split(file).ok_or("there is no empty line behind its head")?;
    let head = std::str::from_utf8(head).map_err(|_| "its head is not text")?;
    let mut fields = Vec::new();
    for line in head.lines() {
        let field = line.split_once(':').ok_or_else(|| format!("expected `name: value`, found {line:?}"))?;
        fields.push((field.0.trim(), field.1.trim()));
    }
    let url = fields.iter().find(|(name, _)| *name == "url").ok_or("it has no `url`")?.1;
    let url = CanonicalUrl::parse(url).map_err(|error| error.to_string())?;
    let body = Bytes::copy_from_slice(body);
    let mut page = (Request::get(url.clone()), Response::of(url, StatusCode::OK, body));
    for (name, value) in fields {
        page = with_field(page, name, value)?;
    }
    Ok(page)
}

fn with_field(
    (mut request, mut response): (Request, Response),
    name: &str,
    value: &str,
) -> Result<(Request, Response), String> {
    let wrong = || format!("`{name}: {value}` cannot be read");
    match name {
        "url" => {}
        "label" => request = request.label(value),
        "data" => {
            let data: Value = serde_json::from_str(value).map_err(|_| wrong())?;
            request = request.with_data(&data).map_err(|_| wrong())?;
        }
        "status" => response.status = value.parse().map_err(|_| wrong())?,
        name => {
            let name: HeaderName = name.parse().map_err(|_| wrong())?;
            response.headers.append(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
        }
    }
    Ok((request, response))
}

/// What is above and what is below the first empty line, whichever way lines end.
fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    while let Some(length) = file[start..].iter().position(|byte| *byte == b'\n') {
        let line = &file[start..start + length];
        let next = start + length + 1;
        if line.is_empty() || line == b"\r" {
            return Some((&file[..start], &file[next..]));
        }
        start = next;
    }
    None
}
