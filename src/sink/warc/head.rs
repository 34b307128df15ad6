//! The heads of a request and of an answer as HTTP/1.1 writes them.
//!
//! The rule kept: what stands in the head is true to the bytes that are archived with it. The transfer coding is undone before we
//! see a body, so its field is kept under another name, and so is a length or a content coding that the stored bytes have not. A
//! line break in a value, which a folded field may leave behind, never becomes one in the archive.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION};
use http::header::{HeaderName, SET_COOKIE, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};

use super::exchange::{BodyForm, Exchange};

/// What becomes of secrets in the heads of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// `[removed]` stands in the place of cookies, passwords and keys.
    #[default]
    Removed,
    /// They are archived.
    Kept,
}

/// What stands where a secret was.
const REMOVED: &[u8] = b"[removed]";
/// Before the names of fields that are not true to the stored bytes.
const RENAMED: &str = "x-crawler-";

/// Request line and fields, with the empty line.
pub(super) fn of_request(exchange: &Exchange, secrets: Secrets) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", exchange.method, exchange.path()).into_bytes();
    for (name, value) in &exchange.sent {
        let removed = secrets == Secrets::Removed && is_secret(name);
        field(&mut head, name.as_str(), if removed { REMOVED } else { value.as_bytes() });
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Status line and fields, with the empty line.
pub(super) fn of_answer(exchange: &Exchange, secrets: Secrets) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    // There is no form in which HTTP/2 could be written down; this is how it is usually done.
    head.extend_from_slice(if exchange.version < Version::HTTP_11 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    head.extend_from_slice(exchange.status.as_str().as_bytes());
    head.push(b' ');
    let usual = exchange.status.canonical_reason().unwrap_or_default().as_bytes();
    line(&mut head, exchange.reason.as_deref().unwrap_or(usual));
    let length = has_body(exchange).then(|| exchange.body.len().to_string());
    let mut is_framed = length.is_none();
    for (name, value) in &exchange.headers {
        let is_true = match *name {
            TRANSFER_ENCODING => false,
            CONTENT_ENCODING => exchange.form == BodyForm::Coded || exchange.body.is_empty(),
            CONTENT_LENGTH => match &length {
                Some(length) => !is_framed && value.as_bytes() == length.as_bytes(),
                None => true,
            },
            _ => true,
        };
        is_framed |= is_true && *name == CONTENT_LENGTH;
        if !is_true {
            head.extend_from_slice(RENAMED.as_bytes());
        }
        match *name == SET_COOKIE && secrets == Secrets::Removed {
            true => field(&mut head, name.as_str(), &without_value(value.as_bytes())),
            false => field(&mut head, name.as_str(), value.as_bytes()),
        }
    }
    if let Some(length) = length.filter(|_| !is_framed) {
        field(&mut head, CONTENT_LENGTH.as_str(), length.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A cookie that is set, with its name and how long and where it holds.
fn without_value(field: &[u8]) -> Vec<u8> {
    let end = field.iter().position(|byte| *byte == b';').unwrap_or(field.len());
    let name = field[..end].iter().position(|byte| *byte == b'=').map_or(0, |place| place + 1);
    [&field[..name], REMOVED, &field[end..]].concat()
}

/// Whether content follows the head (RFC 9110 6.4.1). Where it does not, a length is that of another answer.
fn has_body(exchange: &Exchange) -> bool {
    let silent = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&exchange.status);
    exchange.method != Method::HEAD && !silent
}

fn is_secret(name: &HeaderName) -> bool {
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name)
        || ["auth", "token", "secret", "session", "passw", "api-key", "apikey"]
            .iter()
            .any(|part| name.as_str().contains(part))
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    line(head, value);
}

fn line(head: &mut Vec<u8>, text: &[u8]) {
    let breaks = |byte: u8| matches!(byte, b'\r' | b'\n' | 0);
    head.extend(text.iter().map(|byte| if breaks(*byte) { b' ' } else { *byte }));
    head.extend_from_slice(b"\r\n");
}
