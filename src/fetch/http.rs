//! The real fetcher: reqwest, one exchange, no redirects, no retries.
//!
//! Rules kept here: the answer's head and body stay within [`Limits`] and [`HttpOptions`]; no address is contacted that the
//! policy refuses; every request carries the same User-Agent; credentials stand in no error text. Certificates are checked
//! against the system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured); there is no switch to accept an invalid one. Single
//! hosts may have authorities and pins of their own ([`Trust`]).
//!
//! What is absent on purpose: redirects, repetition, cookies and caching belong to the rooms above.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use reqwest::Client;
use rustls::ClientConfig;
use url::Host;

use super::body::Wire;
use super::decode::{self, Bounds, Decoded};
use super::raw::{Notes, Tap};
use super::resolver::GuardedResolver;
use super::room::Room;
use super::timing::{self, Part, Timing, noted};
use super::trust::Trust;
use super::{FetchError, Fetcher, Limits, Outgoing, client, directory, failure};
use crate::address::AddressPolicy;
use crate::clock::Clock;
use crate::response::{FailureKind, Response};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, HostKey};

/// What a browser asks for, shortened to what a crawler can read: HTML first.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
/// What is read of an answer that stands in the place of a file.
const REFUSAL_BYTES: u64 = 64 << 10;
/// The largest body for which room is made before it is there. The system counts memory only from the first byte written into it.
const MOST_EXPECTED: u64 = 8 << 20;
/// The same where the body is packed: its length tells the least that it unpacks to.
const MOST_PACKED: u64 = 256 << 10;
/// Different connect limits that are served at the same time; each has connections of its own.
const MOST_CLIENTS: u64 = 4;
/// These frame the message, name its sender or its target: the fetcher writes them itself.
const RESERVED: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::USER_AGENT,
];

/// What the fetcher is built with.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The User-Agent of every request: `name/version (+contact)`.
    pub user_agent: String,
    /// Header fields of every request. A request's own field of the same name takes their place.
    pub headers: Vec<(String, String)>,
    /// A proxy for all requests (`http://user:password@host:port`). The environment's proxies are not used. Names are then
    /// resolved by the proxy, so only addresses that stand in a URL themselves are checked against [`HttpOptions::addresses`].
    pub proxy: Option<String>,
    /// Which addresses may be contacted.
    pub addresses: AddressPolicy,
    /// Authorities and pins of single hosts, over the roots of the machine that hold for all. Default: none.
    pub trust: Vec<Trust>,
    /// How long a connection without a request is kept open. Default 15 s; more than the politeness delay keeps one
    /// connection per host alive between its pages.
    pub keep_alive: Duration,
    /// How long the addresses of a name are remembered. Default 5 min.
    pub remember_names: Duration,
    /// Header fields an answer may have. Default 256: more than the 100 that real pages rarely pass, because above the limit the
    /// whole answer is refused.
    pub header_fields: usize,
    /// Bytes that the header fields of an answer may have together. Default 64 KiB.
    pub header_bytes: usize,
    /// Content codings on one body that are undone. Default 2, which is also the most; with 0 servers are asked for plain bodies.
    pub codings: usize,
    /// Bytes per second that a body must bring on the average once 10 s have passed. Default 1,000.
    pub least_speed: u64,
    /// Whether answers carry [`Response::raw`], for an archive. Default: they do not.
    pub keep_raw: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            user_agent: String::new(),
            headers: Vec::new(),
            proxy: None,
            addresses: AddressPolicy::default(),
            trust: Vec::new(),
            keep_alive: Duration::from_secs(15),
            remember_names: Duration::from_mins(5),
            header_fields: 256,
            header_bytes: 64 << 10,
            codings: decode::MOST_CODINGS,
            least_speed: 1_000,
            keep_raw: false,
        }
    }
}

/// Why the fetcher cannot be built. Always a matter of configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The User-Agent cannot stand in a header field.
    #[error("the user agent is empty or has characters that no header field may have: use printable ASCII")]
    UserAgent,
    /// A header field of every request is not one.
    #[error("header `{name}` cannot be sent with every request: {reason}")]
    Header {
        /// Its name as configured.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The proxy's address, which may hold a password and is not repeated.
    #[error("the proxy is not a URL: write it as http://user:password@host:port")]
    Proxy,
    /// TLS could not be set up.
    #[error("the HTTP client cannot be set up: check that the system's certificates can be read")]
    Client {
        /// The library's words.
        source: reqwest::Error,
    },
    /// The checks of certificates could not be set up.
    #[error("certificates cannot be checked: see that the system's certificates can be read")]
    Tls {
        /// The library's words.
        source: rustls::Error,
    },
}

/// Fetches over HTTP/1.1 and, where the server offers it in the handshake, HTTP/2.
///
/// Build it inside of the runtime that uses it. The head of an answer may take [`Limits::first_byte`], and what it took to connect.
pub struct HttpFetcher {
    options: HttpOptions,
    headers: HeaderMap,
    clock: Clock,
    resolver: Arc<GuardedResolver>,
    /// By their limit on connecting, which reqwest knows only for a client as a whole.
    clients: Cache<Duration, Client>,
    /// How they make a connection safe, where that is not left to reqwest.
    tls: Option<ClientConfig>,
    room: Room,
}

impl HttpFetcher {
    /// A fetcher with no connection open.
    ///
    /// # Errors
    /// [`OptionsError`] if an option cannot be used.
    pub fn new(options: HttpOptions, clock: Clock) -> Result<Self, OptionsError> {
        let headers = common_headers(&options)?;
        let policy = options.proxy.is_none().then(|| options.addresses.clone());
        let resolver = Arc::new(GuardedResolver::new(directory::usual(), policy, options.remember_names));
        let tls = client::tls(&options)?;
        let fetcher = Self {
            options,
            tls,
            headers,
            clock,
            resolver,
            clients: Cache::builder()
                .max_capacity(MOST_CLIENTS)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            room: Room::default(),
        };
        let usual = Limits::default().connect;
        let client = client::build(&fetcher.options, fetcher.resolver.clone(), usual, fetcher.tls.as_ref())?;
        fetcher.clients.insert(usual, client);
        Ok(fetcher)
    }

    fn client(&self, connect: Duration) -> Result<Client, FetchError> {
        self.clients
            .try_get_with(connect, || {
                client::build(&self.options, self.resolver.clone(), connect, self.tls.as_ref())
            })
            .map_err(|error| FetchError::new(FailureKind::Request, error.to_string()))
    }

    fn request(&self, outgoing: &Outgoing, client: &Client) -> Result<reqwest::Request, FetchError> {
        let request = &outgoing.request;
        let mut headers = self.headers.clone();
        for (name, value) in request.headers.iter().chain(&outgoing.headers) {
            let (name, value) = field(name, value).map_err(|reason| {
                FetchError::new(FailureKind::Request, format!("header `{name}`: {reason}"))
            })?;
            headers.insert(name, value);
        }
        if outgoing.pause >= self.options.keep_alive {
            // Over a long pause a connection costs both sides memory, and saves them little.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // The builder takes user and password out of the URL and makes an Authorization field of them.
        let mut builder =
            client.request(request.method.clone(), request.url.as_url().clone()).headers(headers);
        if let Some(body) = outgoing.body() {
            builder = builder.body(body.clone());
        }
        builder.build().map_err(failure::of_exchange)
    }

    /// Sends the request and waits for the head of the answer. With it comes what an archive wants to know, if there is one.
    async fn head(&self, outgoing: &Outgoing) -> Result<(reqwest::Response, Option<Notes>), FetchError> {
        let limits = &outgoing.limits;
        let client = self.client(limits.connect)?;
        let request = self.request(outgoing, &client)?;
        let mut notes = self.options.keep_raw.then(|| Notes::of_request(&request));
        let timing = outgoing.timing.clone().unwrap_or_else(|| Arc::new(Timing::new(self.clock.clone())));
        let answer = timing::head(&timing, limits, client.execute(request))
            .await
            .map_err(|_| FetchError::new(FailureKind::ResponseTimeout, "no head of an answer in time"))?
            .map_err(failure::of_exchange)?;
        self.check_peer(&answer)?;
        self.note_peer(&outgoing.request.url, &answer).await;
        self.check_head(answer.headers())?;
        if let Some(notes) = &mut notes {
            notes.note_head(&answer, answer.remote_addr().filter(|_| self.options.proxy.is_none()));
        }
        Ok((answer, notes))
    }

    /// Refuses a URL whose host is an address outside the policy: literals never reach the resolver.
    fn check_literal(&self, url: &CanonicalUrl) -> Result<(), FetchError> {
        let address = match url.as_url().host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.to_canonical(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.options.addresses.permits(address) {
            return Ok(());
        }
        Err(FetchError::new(
            FailureKind::Address,
            format!("{address} is not a public address: name its network in `[net] allow` to permit it"),
        ))
    }

    /// The second lock: whatever way led there, nothing is read from an address outside the policy.
    fn check_peer(&self, answer: &reqwest::Response) -> Result<(), FetchError> {
        match answer.remote_addr() {
            Some(peer)
                if self.options.proxy.is_none()
                    && !self.options.addresses.permits(peer.ip().to_canonical()) =>
            {
                Err(FetchError::new(FailureKind::Address, format!("the answer came from {}", peer.ip())))
            }
            _ => Ok(()),
        }
    }

    /// Behind a proxy the peer is the proxy, whatever the URL says.
    async fn note_peer(&self, url: &CanonicalUrl, answer: &reqwest::Response) {
        if let (Some(Host::Domain(name)), Some(peer), None) =
            (url.as_url().host(), answer.remote_addr(), &self.options.proxy)
        {
            self.resolver.met(name, peer.ip().to_canonical()).await;
        }
    }

    fn check_head(&self, headers: &HeaderMap) -> Result<(), FetchError> {
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if headers.len() > self.options.header_fields || bytes > self.options.header_bytes {
            let detail = format!("{} header fields of {bytes} bytes are over the limit", headers.len());
            return Err(FetchError::new(FailureKind::Protocol, detail));
        }
        Ok(())
    }

    fn bounds(&self, limits: Limits) -> Bounds {
        Bounds { body: limits.body, ratio: limits.ratio, codings: self.options.codings }
    }

    fn wire(&self, response: reqwest::Response, limits: Limits, started: Timestamp) -> Wire {
        Wire {
            response,
            clock: self.clock.clone(),
            limits,
            since: self.clock.now(),
            deadline: started + limits.total,
            least_speed: self.options.least_speed,
            received: 0,
            timing: None,
        }
    }
}

impl Fetcher for HttpFetcher {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        self.check_literal(&outgoing.request.url)?;
        let started = self.clock.now();
        let (mut answer, notes) = self.head(&outgoing).await?;
        let first_byte = self.clock.now();
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let remote_addr = answer.remote_addr();
        let landing = outgoing.landing.as_ref().filter(|_| status.is_success());
        let decoded = if let Some(landing) = landing {
            let bounds = self.bounds(outgoing.limits);
            let wire = self.wire(answer, outgoing.limits, started);
            let coming = landing.receive(wire.pieces().boxed(), (status, &headers), (first_byte, bounds));
            noted(outgoing.timing.as_deref(), Part::Download, coming).await?
        } else if has_body(&outgoing.request.method, status) {
            // Of a file a refusal is read only as far as it takes to know what it is.
            let most = if outgoing.landing.is_some() { REFUSAL_BYTES } else { u64::MAX };
            let limits = Limits { body: outgoing.limits.body.min(most), ..outgoing.limits };
            let bounds = self.bounds(limits);
            let coming = Coming::of(status, &headers, bounds);
            if let Some(hold) = &outgoing.hold {
                self.room.take(coming.room, hold).await;
            }
            let waited = self.clock.now().since(first_byte);
            let wire = Wire { timing: outgoing.timing, ..self.wire(answer, limits, started + waited) };
            body(wire, bounds, &coming, notes.as_ref().map(Notes::tap)).await?
        } else {
            NO_BODY
        };
        let raw = notes.map(|notes| Box::new(notes.complete(&decoded)));
        Ok(Response {
            raw,
            url: outgoing.request.url,
            status,
            headers,
            body: decoded.body,
            truncated: decoded.truncated,
            wire_bytes: decoded.wire_bytes,
            remote_addr,
            started,
            first_byte,
            ended: self.clock.now_up(),
        })
    }

    /// Behind a proxy nobody but the proxy knows.
    async fn resolve(&self, host: &HostKey) -> Option<IpAddr> {
        if self.options.proxy.is_some() {
            return None;
        }
        let asked = self.resolver.first(host.as_str());
        tokio::time::timeout(Limits::default().connect, asked).await.ok()?
    }

    fn headers(&self, outgoing: &Outgoing) -> HeaderMap {
        let mut headers = self.headers.clone();
        outgoing.write_headers(&mut headers);
        headers
    }
}

const NO_BODY: Decoded = Decoded { body: bytes::Bytes::new(), truncated: None, wire_bytes: 0 };

/// Whether content follows the head (RFC 9110 6.4.1).
fn has_body(method: &Method, status: StatusCode) -> bool {
    *method != Method::HEAD && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// What the head of an answer says of its body.
struct Coming {
    status: StatusCode,
    encoding: String,
    /// The room that the body is likely to need. A server's word is taken within bounds, for room costs nothing until something is in it.
    room: usize,
}

impl Coming {
    fn of(status: StatusCode, headers: &HeaderMap, bounds: Bounds) -> Self {
        let encoding = decode::content_encoding(headers);
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let most = if encoding.is_empty() { MOST_EXPECTED } else { MOST_PACKED };
        let room = usize::try_from(length.unwrap_or(0_u64).min(most).min(bounds.body)).unwrap_or(0);
        Self { status, encoding, room }
    }
}

/// Reads and decodes the body within its limits.
///
/// A success of which nothing arrived is a failure. Any other head says something by itself (a redirect's target, the
/// `Retry-After` of a refusal), so it is kept however its body ends.
async fn body(wire: Wire, bounds: Bounds, coming: &Coming, tap: Option<Tap>) -> Result<Decoded, FetchError> {
    let encoding = &coming.encoding;
    let timing = wire.timing.clone().filter(|_| !encoding.is_empty());
    let began = timing.as_deref().map(Timing::elapsed);
    let pieces = match tap {
        // Without a coding the body is what came over the wire.
        Some(tap) if !encoding.is_empty() => tap.on(wire.pieces()).boxed(),
        _ => wire.pieces().boxed(),
    };
    let decoded = decode::decode_stream(encoding, pieces, bounds, coming.room).await;
    if let (Some(timing), Some(began)) = (timing, began) {
        timing.note_decoded(began);
    }
    match decoded {
        (decoded, Some(lost)) if decoded.body.is_empty() && coming.status.is_success() => Err(lost),
        (decoded, _) => Ok(decoded),
    }
}

fn common_headers(options: &HttpOptions) -> Result<HeaderMap, OptionsError> {
    let user_agent = HeaderValue::from_str(&options.user_agent).map_err(|_| OptionsError::UserAgent)?;
    if user_agent.is_empty() {
        return Err(OptionsError::UserAgent);
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, user_agent);
    headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
    let codings = if options.codings == 0 { "identity" } else { decode::ACCEPTED };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(codings));
    for (name, value) in &options.headers {
        let (key, value) =
            field(name, value).map_err(|reason| OptionsError::Header { name: name.clone(), reason })?;
        headers.insert(key, value);
    }
    Ok(headers)
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| "the name has characters that are not allowed")?;
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| "the value has a line break or a control character")?;
    if RESERVED.contains(&name) {
        return Err("the crawler writes this field itself");
    }
    Ok((name, value))
}
