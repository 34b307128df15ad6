//! From the errors of the layers below to one [`FailureKind`].
//!
//! The layers wrap each other's errors, so the whole chain is searched, and the most telling cause decides: an address that was
//! refused, then a failed handshake, then time, then what became of the connection.

use std::error::Error;
use std::io;

use super::FetchError;
use super::resolver::ResolveError;
use super::verifier::Refusal;
use crate::response::FailureKind;

/// Why no head of an answer came.
pub(super) fn of_exchange(error: reqwest::Error) -> FetchError {
    let secure = error.url().is_some_and(|url| url.scheme() == "https");
    let error = error.without_url();
    if let Some(refusal) = find::<rustls::Error>(&error).and_then(Refusal::of) {
        return FetchError::new(FailureKind::Tls, refusal.to_string());
    }
    let kind = before_sending(&error)
        .or_else(|| while_connecting(&error, secure))
        .unwrap_or_else(|| of_connection(&error));
    FetchError::new(kind, words(&error))
}

/// Why the body ended before its end.
pub(super) fn of_body(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    FetchError::new(of_connection(&error), words(&error))
}

fn before_sending(error: &reqwest::Error) -> Option<FailureKind> {
    if let Some(cause) = find::<ResolveError>(error) {
        return Some(match cause {
            ResolveError::Refused { .. } => FailureKind::Address,
            ResolveError::NotFound { .. } => FailureKind::Dns,
        });
    }
    if error.is_builder() {
        return Some(FailureKind::Request);
    }
    error.is_dns().then_some(FailureKind::Dns)
}

fn while_connecting(error: &reqwest::Error, secure: bool) -> Option<FailureKind> {
    if find::<rustls::Error>(error).is_some() {
        return Some(FailureKind::Tls);
    }
    if !error.is_connect() {
        return None;
    }
    Some(if error.is_timeout() {
        FailureKind::ConnectTimeout
    } else if secure && any_io(error, broke_off) {
        // The connection was there, so it was the handshake that broke off.
        FailureKind::Tls
    } else {
        FailureKind::Connect
    })
}

fn broke_off(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | InvalidData | UnexpectedEof)
}

fn of_connection(error: &reqwest::Error) -> FailureKind {
    let wrong_framing = find::<io::Error>(error).is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    });
    match find::<hyper::Error>(error) {
        Some(cause) if cause.is_parse() || cause.is_parse_too_large() || cause.is_parse_status() => {
            FailureKind::Protocol
        }
        Some(cause) if cause.is_user() => FailureKind::Request,
        _ if error.is_timeout() => FailureKind::ResponseTimeout,
        _ if wrong_framing => FailureKind::Protocol,
        _ => FailureKind::Reset,
    }
}

/// The error and what it wraps, outermost first. An `io::Error` hides its inner error from `source`, so it is asked apart.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// Whether one of the io errors in the chain is such: they are often wrapped in one another.
fn any_io(error: &(dyn Error + 'static), is_such: impl Fn(&io::Error) -> bool) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_such)
}

/// All words of the chain, each said once.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error).map(ToString::to_string) {
        if !said.iter().any(|words| words.contains(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let inner = ResolveError::NotFound { host: "a.example".into(), reason: "no record".into() };
        let outer = io::Error::other(io::Error::other(inner));
        assert!(find::<ResolveError>(&outer).is_some());
        assert_eq!(words(&outer).matches("a.example").count(), 1);
    }
}
