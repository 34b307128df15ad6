//! The built-in demo site: a bookshop of invented books that the crawler serves itself, over real HTTP on a loopback port.
//!
//! With it a newcomer sees a whole crawl without internet, and tests and examples have a real server to talk to. Besides its
//! books ([`books`](crate::demo::books()) of all [`pages`](crate::demo::pages())) the shop has the troubles that a crawler
//! meets outside:
//!
//! | path | what it does |
//! |---|---|
//! | `/robots.txt` | closes `/basket/`, asks for a crawl delay of 0.05 s, names `/sitemap.xml` |
//! | `/basket/` | linked from every page, and closed to robots |
//! | `/new-arrivals/` | answers 429 with `Retry-After: 2` when it is asked too fast |
//! | `/news.html` | answers 503 the first time |
//! | `/books/1007`, `/books/1042`, `/books/1133` | 302 to a book, with an absolute `Location` |
//! | `/index.html`, `/shop/` | 301 and 308, with relative ones |
//! | `/staff-picks-2019.html` | linked, and gone: 404 |
//! | `/covers/` | a picture for each book, which its page shows |
//! | `/quotes/` | a small site of its own that nothing in the shop links to: [`quotes`](crate::demo::quotes()) with author and tags, ten to a page, and their authors, in the markup of quotes.toscrape.com |
//! | `/members/` | linked from nowhere; for those who have logged in at `/members/login` as `reader` with `paper heron` |
//!
//! All pages have an `ETag` and a `Last-Modified` and answer conditional requests. The pages are the same at every start, except
//! for the address in their absolute links.
//!
//! The rules are a pure function (`rules`); this file only speaks HTTP and keeps the log. It never listens beyond the address
//! that it is given and reads nothing from the disk.

mod catalogue;
mod conditional;
pub mod facts;
mod members;
mod pages;
mod quotes;
mod rules;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

pub use quotes::quotes;
use rules::{Asked, Memory, Shop};
pub use rules::{books, pages};

/// How many requests the log keeps; the oldest are forgotten first.
const LOG_LENGTH: usize = 100_000;

/// How many bytes of a path or a header the log keeps.
const LOGGED_BYTES: usize = 1024;

/// How many bytes of a body are read.
const MOST_BODY: usize = 16 * 1024;

/// How many connections are served at once; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 256;

/// How long [`DemoSite::stop`] waits for answers that are under way.
const GRACE: Duration = Duration::from_secs(1);

/// A running demo shop. Dropping it stops it at once.
#[derive(Debug)]
pub struct DemoSite {
    addr: SocketAddr,
    desk: Arc<Desk>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// One request as the demo shop saw it. Times are milliseconds since the shop was started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DemoRequest {
    /// When the head of the request had been read.
    pub arrived_ms: u64,
    /// When the whole answer was ready and handed to the connection; the client has its end no earlier than this.
    pub answered_ms: u64,
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query as they were sent.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The `User-Agent` header, if one was sent.
    pub user_agent: Option<String>,
    /// The `If-None-Match` header, if one was sent.
    pub if_none_match: Option<String>,
    /// The `If-Modified-Since` header, if one was sent.
    pub if_modified_since: Option<String>,
    /// The `Cookie` header, if one was sent.
    pub cookie: Option<String>,
}

impl DemoSite {
    /// Opens the shop on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Whatever keeps the system from listening on the loopback address.
    pub async fn start() -> io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Opens the shop on the given address; port 0 takes a free one. Absolute links and the sitemap name exactly this address,
    /// so it must be one that clients can use.
    ///
    /// # Errors
    ///
    /// Whatever keeps the system from listening there, such as a port in use.
    pub async fn start_on(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let desk = Arc::new(Desk::open(addr));
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, Arc::clone(&desk), stopped));
        Ok(Self { addr, desk, stop, serving })
    }

    /// The address of the home page, such as `http://127.0.0.1:40123/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// Where the shop listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The last requests, at most 100,000, in the order of their answers.
    #[must_use]
    pub fn log(&self) -> Vec<DemoRequest> {
        self.desk.book().log.iter().cloned().collect()
    }

    /// How many requests came to `/new-arrivals/` while its `Retry-After` had not yet passed. A polite crawler makes none,
    /// except for what it had already sent when the refusal reached it.
    #[must_use]
    pub fn breaches(&self) -> usize {
        self.desk.book().memory.breaches()
    }

    /// Closes the shop: accepts nothing more, ends idle connections, and lets answers that are under way finish within a
    /// second.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // Whatever is still open after the grace is cut off by the drop that follows.
        drop(tokio::time::timeout(GRACE, &mut self.serving).await);
    }
}

impl Drop for DemoSite {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Where all connections come together.
struct Desk {
    shop: Shop,
    opened: Instant,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    memory: Memory,
    log: VecDeque<DemoRequest>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Desk").field("opened", &self.opened).finish_non_exhaustive()
    }
}

impl Desk {
    fn open(addr: SocketAddr) -> Self {
        Self { shop: Shop::open(&format!("http://{addr}")), opened: now(), book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics while it holds the book")
    }

    fn elapsed_ms(&self) -> u64 {
        now().duration_since(self.opened).as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Answers a request and writes it down. One lock around both, so that the log stands in the order of the answers.
    fn answer(&self, request: &Parts, body: &[u8]) -> Response<Bytes> {
        let (if_none_match, if_modified_since) =
            (header(&request.headers, &IF_NONE_MATCH), header(&request.headers, &IF_MODIFIED_SINCE));
        let cookie = header(&request.headers, &COOKIE);
        let asked = Asked {
            method: &request.method,
            path: request.uri.path(),
            cookie: cookie.as_deref(),
            body,
            if_none_match: if_none_match.as_deref(),
            if_modified_since: if_modified_since.as_deref(),
        };
        let mut book = self.book();
        let arrived_ms = self.elapsed_ms();
        let reply = self.shop.answer(&mut book.memory, &asked, arrived_ms);
        if book.log.len() == LOG_LENGTH {
            book.log.pop_front();
        }
        book.log.push_back(DemoRequest {
            arrived_ms,
            answered_ms: self.elapsed_ms(),
            method: clipped(request.method.as_str()),
            path: clipped(request.uri.path_and_query().map_or("", |p| p.as_str())),
            status: reply.status().as_u16(),
            user_agent: header(&request.headers, &USER_AGENT).as_deref().map(clipped),
            if_none_match: if_none_match.as_deref().map(clipped),
            if_modified_since: if_modified_since.as_deref().map(clipped),
            cookie: cookie.as_deref().map(clipped),
        });
        reply
    }
}

/// All lines of a header as one list.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn clipped(text: &str) -> String {
    text[..text.floor_char_boundary(LOGGED_BYTES)].to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a server keeps its own time, apart from the crawl's")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a server waits on its own, apart from the crawl")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Accepts connections until it is told to stop, then waits for those that are open.
async fn serve(listener: TcpListener, desk: Arc<Desk>, mut stopped: watch::Receiver<bool>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    open.spawn(converse(stream, Arc::clone(&desk), stopped.clone()));
                }
                // The system is out of file handles, or the client has gone: both pass.
                Err(_) => pause().await,
            },
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Serves one connection to its end. A client that breaks off or speaks no HTTP only ends its own connection.
async fn converse(stream: TcpStream, desk: Arc<Desk>, mut stopped: watch::Receiver<bool>) {
    // Without it small answers could wait for the client's acknowledgement; if it cannot be set they are only slower.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request: Request<Incoming>| {
        let desk = Arc::clone(&desk);
        async move {
            let (head, body) = request.into_parts();
            // What is longer is no form of ours; what breaks off breaks off the connection.
            let body = Limited::new(body, MOST_BODY).collect().await;
            let body = body.map(Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(desk.answer(&head, &body).map(Full::new))
        }
    });
    let mut connection =
        std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await.ok();
}

#[cfg(test)]
mod tests;
