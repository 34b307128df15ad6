//! From a URL's origin to an open connection: straight or through the proxy, encrypted where the scheme says so.
//!
//! The rules kept here: the guarded resolver says where a name leads, certificates are checked against the system's roots, and
//! the whole of it must be there in time. A connection never takes more than [`MOST_AT_ONCE`] bytes in one read, because the layer
//! above makes its buffer as large as the largest read and keeps it as long as the connection is open: ten thousand hosts wait
//! most of the time.

use std::error::Error;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::{Scheme, Uri};
use http::{Extensions, HeaderValue};
use hyper::rt::{Read, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector, HttpInfo};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tower_service::Service;
use url::Url;

use super::credentials;
use super::resolver::GuardedResolver;

/// Just below the size at which hyper doubles its buffer, so that it stays at 16 KiB.
const MOST_AT_ONCE: u64 = (16 << 10) - 1;
/// What is offered in the handshake, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

type BoxError = Box<dyn Error + Send + Sync>;
type Plain = HttpConnector<GuardedResolver>;

/// Where all requests go instead of their own hosts.
#[derive(Clone)]
pub(super) struct Proxy {
    address: Uri,
    /// What it wants to see before it does anything for us.
    pub(super) credentials: Option<HeaderValue>,
}

impl Proxy {
    /// `None` unless it is an http or https URL with a host.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let credentials = credentials::take(&mut url);
        Some(Self { address: url.as_str().parse().ok()?, credentials })
    }
}

/// Makes connections. Clones share the resolver and the sessions of TLS.
#[derive(Clone)]
pub(super) struct Connector {
    road: Road,
    /// How long it may take, handshakes included.
    within: Duration,
}

#[derive(Clone)]
enum Road {
    Straight(HttpsConnector<Plain>),
    Proxied {
        proxy: Uri,
        /// Plain requests are handed to the proxy as they are.
        near: HttpsConnector<Plain>,
        /// Of encrypted ones it sees the name of the host alone.
        through: Box<HttpsConnector<Tunnel<HttpsConnector<Plain>>>>,
    },
}

impl Connector {
    pub(super) fn new(
        resolver: GuardedResolver,
        proxy: Option<&Proxy>,
        within: Duration,
    ) -> Result<Self, rustls::Error> {
        let mut plain = HttpConnector::new_with_resolver(resolver);
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_connect_timeout(Some(within));
        let bare = ClientConfig::builder().with_platform_verifier()?.with_no_client_auth();
        let mut offering = bare.clone();
        offering.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        let road = match proxy {
            None => Road::Straight(HttpsConnector::from((plain, offering))),
            Some(proxy) => {
                let near = HttpsConnector::from((plain, bare));
                let tunnel = Tunnel::new(proxy.address.clone(), near.clone());
                let tunnel = match &proxy.credentials {
                    Some(credentials) => tunnel.with_auth(credentials.clone()),
                    None => tunnel,
                };
                let through = Box::new(HttpsConnector::from((tunnel, offering)));
                Road::Proxied { proxy: proxy.address.clone(), near, through }
            }
        };
        Ok(Self { road, within })
    }
}

impl Road {
    async fn lead(self, to: Uri) -> Result<Line, BoxError> {
        match self {
            Self::Straight(mut connector) => Ok(Line::of(connector.call(to).await?)),
            Self::Proxied { mut through, .. } if to.scheme() == Some(&Scheme::HTTPS) => {
                Ok(Line::of(through.call(to).await?))
            }
            Self::Proxied { proxy, mut near, .. } => {
                Ok(Line { is_proxied: true, ..Line::of(near.call(proxy).await?) })
            }
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Line>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (road, within) = (self.road.clone(), self.within);
        Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            let line = tokio::time::timeout(within, road.lead(to)).await.map_err(late)??;
            Ok(TokioIo::new(line))
        })
    }
}

/// What a connection runs over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Whom a connection was made to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// An open connection.
pub(super) struct Line {
    io: Take<Box<dyn Stream>>,
    peer: Option<Peer>,
    is_h2: bool,
    is_proxied: bool,
}

impl Line {
    fn of<T>(stream: MaybeHttpsStream<T>) -> Self
    where
        T: Read + Write + Connection + Send + Unpin + 'static,
    {
        let connected = stream.connected();
        let mut known = Extensions::new();
        connected.get_extras(&mut known);
        let io: Box<dyn Stream> = match stream {
            MaybeHttpsStream::Http(plain) => Box::new(TokioIo::new(plain)),
            MaybeHttpsStream::Https(secured) => Box::new(secured.into_inner()),
        };
        Self {
            io: io.take(MOST_AT_ONCE),
            peer: known.get::<HttpInfo>().map(|info| Peer(info.remote_addr())),
            is_h2: connected.is_negotiated_h2(),
            is_proxied: false,
        }
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_proxied);
        let connected = if self.is_h2 { connected.negotiated_h2() } else { connected };
        match self.peer {
            Some(peer) => connected.extra(peer),
            None => connected,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.set_limit(MOST_AT_ONCE);
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.get_ref().is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_and_keeps_its_password_to_itself() {
        let proxy = Proxy::parse("http://me:se%63ret@proxy.example:3128").unwrap();
        assert_eq!(proxy.address, "http://proxy.example:3128/");
        assert_eq!(proxy.credentials.unwrap(), "Basic bWU6c2VjcmV0");
        for bad in ["http://", "proxy.example:3128", "socks5://proxy.example", "/"] {
            assert!(Proxy::parse(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_read_takes_no_more_than_its_share_of_what_is_there() {
        let plenty = vec![7; 100_000];
        let io: Box<dyn Stream> = Box::new(tokio::io::join(io::Cursor::new(plenty), tokio::io::sink()));
        let mut line = Line { io: io.take(MOST_AT_ONCE), peer: None, is_h2: false, is_proxied: false };
        let (mut into, mut read) = (vec![0; 100_000], Vec::new());
        while let Ok(bytes @ 1..) = line.read(&mut into).await {
            read.push(bytes as u64);
        }
        assert_eq!(read.iter().sum::<u64>(), 100_000);
        assert_eq!(read.iter().max(), Some(&MOST_AT_ONCE));
    }
}
