//! One request out, one response in.
//!
//! A [`Fetcher`] does exactly one exchange: no redirect is followed and nothing is tried again here, because both must pass
//! through the frontier (scope, robots, pace). [`http::HttpFetcher`] is the real one; tests and simulations bring their own;
//! a wrapper that adds a header or rewrites an answer is a `Fetcher` that holds a `Fetcher`.

mod body;
mod client;
pub mod decode;
mod directory;
mod failure;
pub mod http;
mod landing;
mod raw;
pub mod record;
pub mod replay;
mod resolver;
mod room;
pub mod timing;
pub mod trust;
mod verifier;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

pub(crate) use directory::AT_ONCE as LOOK_UPS_AT_ONCE;
pub use landing::Landing;
pub use room::Hold;

use timing::Timing;

use crate::redirect::MAX_HOPS;
use crate::request::Request;
use crate::response::{FailureKind, Response};
use crate::url::HostKey;

/// A request as it leaves: the crawl's request and what the wire needs on top of it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What to ask.
    pub request: Request,
    /// Header fields beyond the request's own: validators, the crawl's configured headers.
    pub headers: Vec<(String, String)>,
    /// Bounds of this one exchange.
    pub limits: Limits,
    /// Who reads the answer.
    pub purpose: Purpose,
    /// Where the body goes if a file is asked for. A fetcher that keeps it in memory may ignore this.
    pub landing: Option<Landing>,
    /// The body as it leaves, if it holds what is secret. It takes the place of the request's.
    pub secret: Option<SecretBody>,
    /// Where it is noted what takes how long, if somebody wants to know. A fetcher may ignore this.
    pub timing: Option<Arc<Timing>>,
    /// What keeps room for the body for as long as somebody has it, so that only so many large ones are in memory at a time. A fetcher
    /// may ignore this. Default: none, and no room is waited for.
    pub hold: Option<Arc<Hold>>,
    /// How long the host is left alone after this request, as far as is known. Over a pause that is longer than
    /// [`HttpOptions::keep_alive`](http::HttpOptions::keep_alive) the connection is not kept. Default: none.
    pub pause: Duration,
}

/// A body with a password in it. Whoever sends the request needs it, and nobody else: it is not for logs and not for records.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBody(Bytes);

impl SecretBody {
    pub(crate) fn new(body: impl Into<Bytes>) -> Self {
        Self(body.into())
    }

    /// What is sent.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Without a word of it.
impl fmt::Debug for SecretBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBody")
    }
}

impl Outgoing {
    /// A request of a spider with the default limits and no further headers.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self {
            request,
            headers: Vec::new(),
            limits: Limits::default(),
            purpose: Purpose::default(),
            landing: None,
            secret: None,
            timing: None,
            hold: None,
            pause: Duration::ZERO,
        }
    }

    /// The body that leaves.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.secret.as_ref().map(SecretBody::bytes).or(self.request.body.as_ref())
    }

    /// Writes its header fields over those of the same name. What is no header field is left out.
    fn write_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in self.request.headers.iter().chain(&self.headers) {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
            {
                headers.insert(name, value);
            }
        }
    }
}

/// Who reads the answer to a request. It changes nothing on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// A spider: it is a page or a sitemap.
    #[default]
    Spider,
    /// The crawler, for the rules of an origin: a robots.txt, or what it redirects to.
    Robots,
    /// Nobody: only whether there is an answer is of interest.
    Control,
    /// The crawler, to log in: nothing of it is kept.
    Login,
    /// The disk: it is a file. Its body may be long, and what it lands in is kept already.
    File,
}

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To an open (and, for https, verified) connection. Default 10 s.
    pub connect: Duration,
    /// From sending the request to the head of the answer. Default 30 s.
    pub first_byte: Duration,
    /// Between two pieces of the body. Default 15 s.
    pub between_bytes: Duration,
    /// For everything together. Default 60 s.
    pub total: Duration,
    /// Decoded bytes of body that are kept; the rest is not read. Default 10 MiB.
    pub body: u64,
    /// Decoded bytes per wire byte, counted after the first MiB. Default 200.
    pub ratio: u64,
    /// Redirects in a row that are followed. Default 10, which is also the most.
    pub redirects: u8,
    /// Different places that the links of one page may lead to; links behind that are only counted. Default 10,000.
    pub links: usize,
    /// Elements of one page that may stand in one another; deeper ones are flattened. Default 512, which is also the most.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(15),
            total: Duration::from_secs(60),
            body: 10 << 20,
            ratio: 200,
            redirects: MAX_HOPS,
            links: 10_000,
            depth: 512,
        }
    }
}

/// Brings one answer.
///
/// Implementors write `async fn fetch`. The future is dropped when the crawl is stopped at once: nothing may depend on its end.
///
/// ```
/// use crawl::fetch::{FetchError, Fetcher, Outgoing};
/// use crawl::response::Response;
///
/// /// Answers every page with its own URL.
/// struct Echo;
///
/// impl Fetcher for Echo {
///     async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
///         let url = outgoing.request.url;
///         let body = format!("<title>{}</title>", url);
///         Ok(Response::of(url, http::StatusCode::OK, body))
///     }
/// }
/// ```
pub trait Fetcher: Send + Sync + 'static {
    /// Sends the request once and reads the answer within its limits.
    fn fetch(&self, outgoing: Outgoing) -> impl Future<Output = Result<Response, FetchError>> + Send;

    /// The address that requests to this host will go to, asked before the first of them and again from time to time.
    /// `None`, the default: it is not known, and no limit by address counts for the host. A fetcher that wraps another one
    /// passes the question on.
    fn resolve(&self, host: &HostKey) -> impl Future<Output = Option<IpAddr>> + Send {
        let _ = host;
        std::future::ready(None)
    }

    /// The header fields that this request would leave with, those that the fetcher adds to every request included: answers may
    /// differ by them (`Vary`, RFC 9110 12.5.5). Default: the request's own and those of `outgoing`. A fetcher that wraps another
    /// one passes the question on, with what it adds itself.
    fn headers(&self, outgoing: &Outgoing) -> HeaderMap {
        let mut headers = HeaderMap::new();
        outgoing.write_headers(&mut headers);
        headers
    }
}

/// Why no answer came. Never fatal to the run: it becomes an outcome of the URL.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct FetchError {
    /// What kind of failure it was.
    pub kind: FailureKind,
    /// The words of the layer below, without credentials.
    pub detail: String,
}

impl FetchError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}
