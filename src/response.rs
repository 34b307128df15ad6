//! What came back: a response, or the kind of failure that stood in its place.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// An answer as it was received, its body decoded (gzip, br, zstd) and cut at the limit.
#[derive(Debug, Clone)]
pub struct Response {
    /// The URL that was asked.
    pub url: CanonicalUrl,
    /// The status line's code.
    pub status: StatusCode,
    /// All header fields as received.
    pub headers: HeaderMap,
    /// The decoded body; empty for 304 and HEAD.
    pub body: Bytes,
    /// Why the body is not whole, if it is not.
    pub truncated: Option<Truncation>,
    /// Bytes of body on the wire, before decoding.
    pub wire_bytes: u64,
    /// The address that answered.
    pub remote_addr: Option<SocketAddr>,
    /// When the request left.
    pub started: Timestamp,
    /// When the head of the answer had arrived.
    pub first_byte: Timestamp,
    /// When the last byte of the body had been read. Politeness delays count from here.
    pub ended: Timestamp,
    /// What an archive keeps of the exchange beyond this; only if the fetcher was told to note it.
    pub raw: Option<Box<Raw>>,
}

/// An exchange as it went over the wire.
#[derive(Debug, Clone)]
pub struct Raw {
    /// The header fields that the request left with, those of the HTTP client included, in order.
    pub sent: HeaderMap,
    /// The version of the protocol that was spoken.
    pub version: Version,
    /// The words behind the status code, if they are not the usual ones.
    pub reason: Option<Bytes>,
    /// The address that answered; `None` behind a proxy, where only the proxy's is known.
    pub peer: Option<IpAddr>,
    /// The body without its transfer coding, its content codings not undone.
    pub body: Bytes,
    /// Why `body` is not whole, if it is not.
    pub truncated: Option<Truncation>,
}

impl Response {
    /// A header's value as text, if it is there and readable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The Location field. Octets that are no ASCII, which the field may not have but often has, are percent-encoded: whatever
    /// encoding the server meant, these are the octets that it means in its path.
    #[must_use]
    pub fn location(&self) -> Option<Cow<'_, str>> {
        let value = self.headers.get("location")?;
        if let Ok(text) = value.to_str() {
            return Some(Cow::Borrowed(text));
        }
        let mut text = String::with_capacity(value.len() + 16);
        for byte in value.as_bytes() {
            match byte.is_ascii() {
                true => text.push(char::from(*byte)),
                false => write!(text, "%{byte:02X}").expect("a String takes everything"),
            }
        }
        Some(Cow::Owned(text))
    }

    /// A response for tests and simulations: status and body, no headers, no time passed.
    #[must_use]
    pub fn of(url: CanonicalUrl, status: StatusCode, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            url,
            status,
            headers: HeaderMap::new(),
            wire_bytes: body.len() as u64,
            body,
            truncated: None,
            remote_addr: None,
            started: Timestamp::ZERO,
            first_byte: Timestamp::ZERO,
            ended: Timestamp::ZERO,
            raw: None,
        }
    }
}

/// Why a body is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// It reached the limit on decoded bytes.
    Length,
    /// It unpacked to more than the allowed multiple of its wire size.
    Ratio,
    /// The total time was up.
    Time,
    /// The connection ended before the body did.
    Disconnect,
    /// The content coding could not be undone to its end.
    Coding,
}

/// Why no answer came. Each kind is told apart because each has another cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The name has no address.
    Dns,
    /// The address is private, loopback or otherwise not allowed by `[net] allow`. Never retried.
    Address,
    /// Nothing listens, or the network has no way there.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// The certificate is not valid for this host, or the handshake failed. Never ignored.
    Tls,
    /// No head of an answer in time.
    ResponseTimeout,
    /// The body stalled, dripped or ran over the total time.
    BodyTimeout,
    /// The connection was reset or closed in the middle of the answer.
    Reset,
    /// What came is not HTTP, or its head is over the limits.
    Protocol,
    /// The request could not be built (a header value with a line break, for example). Never retried.
    Request,
    /// No network was asked: only what was recorded is replayed, and this was not. Never retried.
    NotRecorded,
}

impl FailureKind {
    /// Whether asking again later can help.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        !matches!(self, Self::Address | Self::Request | Self::NotRecorded)
    }

    /// Whether it says something about the host as a whole rather than about one page.
    #[must_use]
    pub const fn accuses_host(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::ConnectTimeout | Self::Tls | Self::ResponseTimeout)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "name not found",
            Self::Address => "address not allowed",
            Self::Connect => "connection refused",
            Self::ConnectTimeout => "connection timed out",
            Self::Tls => "TLS failed",
            Self::ResponseTimeout => "no answer in time",
            Self::BodyTimeout => "body too slow",
            Self::Reset => "connection lost",
            Self::Protocol => "not valid HTTP",
            Self::Request => "request not valid",
            Self::NotRecorded => "not recorded",
        })
    }
}

/// Why a request was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// The last status, if there was an answer.
    pub status: Option<u16>,
    /// In words.
    pub reason: String,
}

/// Why a request was given up, in classes that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureClass {
    /// robots.txt forbids it, or could not be read.
    Robots,
    /// 404, 410 and other 4xx: it is not there.
    Gone,
    /// 401, 403: we may not see it.
    Forbidden,
    /// A page that wants a browser or a human proved stood in its place.
    Challenge,
    /// 5xx after all tries.
    ServerError,
    /// No answer after all tries.
    Unreachable(FailureKind),
    /// A redirect that leads nowhere: loop, too many hops, no or unusable Location.
    Redirect,
    /// The body could not be read whole.
    Truncated,
    /// The spider failed on it.
    Parse,
    /// A file of a type or size that is not wanted, or too many of them.
    Unwanted,
}

impl FailureClass {
    /// The class as it stands in reports and in the failed list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Robots => "robots",
            Self::Gone => "gone",
            Self::Forbidden => "forbidden",
            Self::Challenge => "challenge",
            Self::ServerError => "server-error",
            Self::Unreachable(_) => "unreachable",
            Self::Redirect => "redirect",
            Self::Truncated => "truncated",
            Self::Parse => "parse",
            Self::Unwanted => "unwanted",
        }
    }

    /// Whether something that may exist was not got. A page that is not there or that we may not see is not lost.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::Challenge | Self::ServerError | Self::Unreachable(_) | Self::Truncated | Self::Parse
        )
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
