//! What was asked and what was answered: the two halves of a pair of records.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use url::Position;

use crate::request::Request;
use crate::response::{Response, Truncation};
use crate::time::Timestamp;

/// One exchange, ready to be archived.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The URL that was asked, without name and password.
    pub target: String,
    /// The method.
    pub method: Method,
    /// The header fields that the request left with, in order.
    pub sent: HeaderMap,
    /// What the request carried.
    pub asked: Option<Bytes>,
    /// The address that answered, if it is known.
    pub peer: Option<IpAddr>,
    /// When the answer was there.
    pub at: Timestamp,
    /// The version of the protocol.
    pub version: Version,
    /// The status of the answer.
    pub status: StatusCode,
    /// The words behind the status, if they are not the usual ones.
    pub reason: Option<Bytes>,
    /// The header fields of the answer.
    pub headers: HeaderMap,
    /// The body of the answer.
    pub body: Bytes,
    /// What `body` is.
    pub form: BodyForm,
    /// Why the body is not whole, if it is not.
    pub truncated: Option<Truncation>,
}

/// How far the codings of a body are undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// As it came, but for the transfer coding.
    Coded,
    /// Its content codings are undone.
    Decoded,
}

impl Exchange {
    /// The exchange of a request and its answer. If the fetcher has not kept [`Response::raw`], `sent` is called for the header
    /// fields of the request, and the body is archived as it was decoded.
    #[must_use]
    pub fn of(request: &Request, response: &mut Response, sent: impl FnOnce() -> HeaderMap) -> Self {
        let url = request.url.as_url();
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let target = format!("{}://{authority}{}", url.scheme(), request.url.path_and_query());
        let exchange = Self {
            target,
            method: request.method.clone(),
            sent: HeaderMap::new(),
            asked: request.body.clone(),
            peer: response.remote_addr.map(|peer| peer.ip().to_canonical()),
            at: response.ended,
            version: Version::HTTP_11,
            status: response.status,
            reason: None,
            headers: response.headers.clone(),
            body: response.body.clone(),
            form: BodyForm::Decoded,
            truncated: response.truncated,
        };
        match response.raw.take() {
            Some(raw) => Self {
                sent: raw.sent,
                peer: raw.peer,
                version: raw.version,
                reason: raw.reason,
                body: raw.body,
                form: BodyForm::Coded,
                truncated: raw.truncated,
                ..exchange
            },
            None => Self { sent: with_host(sent(), authority), ..exchange },
        }
    }

    /// Path and query, as the request line has them.
    pub(super) fn path(&self) -> &str {
        let behind = self.target.find("://").map_or(0, |scheme| scheme + 3);
        self.target[behind..].find('/').map_or("/", |path| &self.target[behind + path..])
    }

    /// Bytes of memory that it holds on to, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        const HEADS: usize = 4 << 10;
        self.body.len() + self.asked.as_ref().map_or(0, Bytes::len) + HEADS
    }
}

fn with_host(mut sent: HeaderMap, authority: &str) -> HeaderMap {
    if let Ok(host) = HeaderValue::from_str(authority) {
        sent.entry(header::HOST).or_insert(host);
    }
    sent
}
