//! The fetcher against servers on loopback that misbehave.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use crawl::address::AddressPolicy;
use crawl::clock::Clock;
use crawl::fetch::http::{HttpFetcher, HttpOptions, OptionsError};
use crawl::fetch::{FetchError, Fetcher, Limits, Outgoing};
use crawl::request::Request;
use crawl::response::{FailureKind, Response, Truncation};
use crawl::url::CanonicalUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const AGENT: &str = "test-crawler/1.0 (+https://crawler.example/about)";

/// What a server does with a connection once it has read a request.
#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    /// One piece after the other, with a pause, until the client goes.
    Drip(Vec<u8>, Duration),
    /// Says nothing until the client goes.
    Hold,
    Close,
    Reset,
}

struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let server = Self {
            address: listener.local_addr().expect("it is bound"),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (server.requests.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, steps.clone(), requests.clone()));
            }
        });
        server
    }

    async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![Step::Send(answer.into())]).await
    }

    /// Says this and closes.
    async fn ending(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![Step::Send(answer.into()), Step::Close]).await
    }

    fn url(&self, path: &str) -> CanonicalUrl {
        url(&format!("http://{}{path}", self.address))
    }

    fn heard(&self) -> Vec<String> {
        self.requests.lock().expect("no test panics inside").clone()
    }

    async fn get(&self) -> Result<Response, FetchError> {
        fetcher().fetch(patient(Request::get(self.url("/")))).await
    }

    async fn get_in_haste(&self) -> Result<Response, FetchError> {
        fetcher().fetch(hasty(Request::get(self.url("/")))).await
    }

    async fn failure(&self) -> FailureKind {
        self.get().await.expect_err("it must fail").kind
    }
}

async fn converse(mut stream: TcpStream, steps: Vec<Step>, requests: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().expect("no test panics inside").push(request);
        for step in &steps {
            let went_on = match step {
                Step::Send(bytes) => stream.write_all(bytes).await.is_ok(),
                Step::Drip(bytes, pause) => drip(&mut stream, bytes, *pause).await,
                Step::Hold => stream.read_u8().await.is_ok(),
                Step::Close => false,
                Step::Reset => stream.set_zero_linger().is_err(),
            };
            if !went_on {
                return;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow server waits in real time")]
async fn drip(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> bool {
    while stream.write_all(bytes).await.is_ok() {
        tokio::time::sleep(pause).await;
    }
    false
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut text = String::from_utf8(head).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("hyper writes numbers"))];
    stream.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).expect("tests write good URLs")
}

fn options() -> HttpOptions {
    let loopback = "127.0.0.1/32".parse().expect("a network");
    HttpOptions {
        user_agent: AGENT.into(),
        addresses: AddressPolicy::new(vec![loopback]),
        ..HttpOptions::default()
    }
}

fn fetcher() -> HttpFetcher {
    HttpFetcher::new(options(), Clock::start()).expect("the options are good")
}

/// With time enough for a busy machine.
fn patient(request: Request) -> Outgoing {
    Outgoing { limits: Limits { body: 1 << 20, ratio: 50, ..Limits::default() }, ..Outgoing::new(request) }
}

/// For servers that are too slow on purpose.
fn hasty(request: Request) -> Outgoing {
    let mut outgoing = patient(request);
    outgoing.limits.connect = Duration::from_millis(300);
    outgoing.limits.first_byte = Duration::from_millis(300);
    outgoing.limits.between_bytes = Duration::from_millis(300);
    outgoing.limits.total = Duration::from_millis(1_000);
    outgoing
}

fn ok(fields: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

async fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(plain).await.expect("memory takes it");
    encoder.shutdown().await.expect("memory takes it");
    encoder.into_inner()
}

#[tokio::test]
async fn a_whole_answer_comes_with_its_head_its_body_and_its_times() {
    let server = Server::saying(ok("Content-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n", b"hello")).await;
    let response = server.get().await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(&response.body[..], b"hello");
    assert_eq!(response.headers.get_all("x-a").iter().count(), 2);
    assert_eq!((response.truncated, response.wire_bytes), (None, 5));
    assert_eq!(response.remote_addr, Some(server.address));
    assert!(response.started <= response.first_byte && response.first_byte <= response.ended);
}

#[tokio::test]
async fn two_requests_to_a_host_share_a_connection_and_one_user_agent() {
    let server = Server::saying(ok("Content-Length: 2\r\n", b"ok")).await;
    let fetcher = fetcher();
    for path in ["/a", "/b"] {
        fetcher.fetch(patient(Request::get(server.url(path)))).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let heard = server.heard();
    assert_eq!(heard.len(), 2);
    for request in heard {
        assert!(request.contains(&format!("user-agent: {AGENT}\r\n")), "{request}");
        assert!(request.contains("accept: text/html,"), "{request}");
        assert!(request.contains("accept-encoding: gzip, br, zstd, deflate\r\n"), "{request}");
        assert!(!request.contains("referer"), "{request}");
    }
}

#[tokio::test]
async fn a_connection_is_kept_over_a_short_pause_and_given_up_before_a_long_one() {
    let server = Server::saying(ok("Content-Length: 2\r\n", b"ok")).await;
    let fetcher = fetcher();
    let keep_alive = options().keep_alive;
    for (pause, connections) in
        [(keep_alive / 2, 1), (keep_alive / 2, 1), (keep_alive, 1), (keep_alive * 4, 2), (Duration::ZERO, 3)]
    {
        let outgoing = Outgoing { pause, ..patient(Request::get(server.url("/"))) };
        fetcher.fetch(outgoing).await.unwrap();
        assert_eq!(server.connections.load(Ordering::SeqCst), connections, "{pause:?}");
    }
    let told: Vec<bool> = server.heard().iter().map(|head| head.contains("connection: close\r\n")).collect();
    assert_eq!(told, [false, false, true, true, false]);
}

#[tokio::test]
async fn as_many_connections_as_requests_at_once_are_enough_for_all_that_follow() {
    let server = Server::saying(ok("Content-Length: 2\r\n", b"ok")).await;
    let fetcher = fetcher();
    for _ in 0..5 {
        let get = || fetcher.fetch(patient(Request::get(server.url("/"))));
        for answer in futures_util::future::join_all((0..64).map(|_| get())).await {
            answer.unwrap();
        }
    }
    assert_eq!(server.heard().len(), 5 * 64);
    assert!(server.connections.load(Ordering::SeqCst) <= 64, "{}", server.connections.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_more_special_header_wins_and_method_and_body_are_sent() {
    let server = Server::saying(ok("Content-Length: 0\r\n", b"")).await;
    let mut request = Request::post(server.url("/form"), "q=1");
    request.headers = vec![("X-One".into(), "request".into()), ("X-Two".into(), "request".into())];
    let mut outgoing = patient(request);
    outgoing.headers = vec![("x-two".into(), "outgoing".into())];
    let common = |name: &str| (name.to_owned(), "crawl".to_owned());
    let options = HttpOptions { headers: vec![common("X-One"), common("X-Zero")], ..options() };
    let fetcher = HttpFetcher::new(options, Clock::start()).unwrap();
    fetcher.fetch(outgoing).await.unwrap();
    let heard = server.heard().remove(0);
    assert!(heard.starts_with("POST /form HTTP/1.1\r\n") && heard.ends_with("\r\n\r\nq=1"), "{heard}");
    for line in ["x-zero: crawl", "x-one: request", "x-two: outgoing"] {
        assert_eq!(heard.matches(&line[..6]).count(), 1, "{heard}");
        assert!(heard.contains(line), "{heard}");
    }
}

#[tokio::test]
async fn a_redirect_is_handed_over_and_not_followed() {
    let server = Server::saying("HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n").await;
    let response = server.get().await.unwrap();
    assert_eq!((response.status.as_u16(), response.header("location")), (302, Some("/next")));
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn answers_without_content_have_no_body_whatever_their_head_says() {
    let head = Server::saying(ok("Content-Length: 5000\r\nContent-Encoding: gzip\r\n", b"")).await;
    let mut request = Request::get(head.url("/"));
    request.method = http::Method::HEAD;
    let response = fetcher().fetch(patient(request)).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (0, None));
    let unchanged = Server::saying("HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\n\r\n").await;
    let response = unchanged.get().await.unwrap();
    assert_eq!((response.status.as_u16(), response.truncated), (304, None));
}

#[tokio::test]
async fn credentials_of_a_url_go_to_its_origin_as_a_field_and_into_no_error() {
    let server = Server::saying(ok("Content-Length: 0\r\n", b"")).await;
    let with_password = |address: SocketAddr| url(&format!("http://me:secret@{address}/"));
    fetcher().fetch(patient(Request::get(with_password(server.address)))).await.unwrap();
    let heard = server.heard().remove(0);
    assert!(heard.contains("authorization: Basic bWU6c2VjcmV0\r\n"), "{heard}");
    assert!(!heard.contains("secret"), "{heard}");
    let closed = closed_port().await;
    let error = fetcher().fetch(patient(Request::get(with_password(closed)))).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    listener.local_addr().expect("it is bound")
}

/// Says this to everybody who connects and hangs up.
async fn greeting(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(words).await.expect("the client still listens");
        }
    });
    address
}

#[tokio::test]
async fn a_request_that_cannot_be_written_never_leaves() {
    let server = Server::saying(ok("Content-Length: 0\r\n", b"")).await;
    for (name, value) in
        [("X-A", "a\r\nX-B: b"), ("a b", "c"), ("Host", "other.example"), ("User-Agent", "x")]
    {
        let mut request = Request::get(server.url("/"));
        request.headers.push((name.into(), value.into()));
        let error = fetcher().fetch(patient(request)).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Request, "{name}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn options_that_cannot_be_sent_are_refused_at_once() {
    let with = |change: fn(&mut HttpOptions)| {
        let mut options = options();
        change(&mut options);
        HttpFetcher::new(options, Clock::start()).err()
    };
    assert!(matches!(with(|o| o.user_agent.clear()), Some(OptionsError::UserAgent)));
    assert!(matches!(with(|o| o.user_agent.push('\n')), Some(OptionsError::UserAgent)));
    assert!(matches!(
        with(|o| o.headers.push(("Host".into(), "x".into()))),
        Some(OptionsError::Header { .. })
    ));
    assert!(matches!(with(|o| o.proxy = Some("http://".into())), Some(OptionsError::Proxy)));
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_notation_before_a_connection_is_made() {
    let server = Server::saying(ok("Content-Length: 0\r\n", b"")).await;
    let strict = HttpOptions { addresses: AddressPolicy::default(), ..options() };
    let fetcher = HttpFetcher::new(strict, Clock::start()).unwrap();
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LOCALHOST",
    ];
    for host in hosts {
        let target = url(&format!("http://{host}:{}/", server.address.port()));
        let error = fetcher.fetch(patient(Request::get(target))).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Address, "{host}: {error}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_a_permitted_address_is_connected() {
    let server = Server::saying(ok("Content-Length: 2\r\n", b"ok")).await;
    let target = url(&format!("http://localhost:{}/", server.address.port()));
    let mut outgoing = patient(Request::get(target));
    outgoing.limits.connect = Duration::from_secs(5);
    assert_eq!(fetcher().fetch(outgoing).await.unwrap().remote_addr, Some(server.address));
}

#[tokio::test]
async fn what_keeps_a_connection_from_being_made_is_told_apart() {
    let closed = closed_port().await;
    let plain = greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let hanging_up = greeting(b"").await;
    let cases = [
        (format!("http://{closed}/"), FailureKind::Connect),
        ("http://no-such-name.invalid/".to_owned(), FailureKind::Dns),
        (format!("https://{plain}/"), FailureKind::Tls),
        (format!("https://{hanging_up}/"), FailureKind::Tls),
    ];
    for (target, kind) in cases {
        let mut outgoing = patient(Request::get(url(&target)));
        outgoing.limits = Limits::default();
        let error = fetcher().fetch(outgoing).await.unwrap_err();
        assert_eq!(error.kind, kind, "{target}: {error}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_is_a_connection_that_never_came() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = url(&format!("https://{}/", silent.local_addr().unwrap()));
    let mut outgoing = hasty(Request::get(target));
    outgoing.limits.first_byte = Duration::from_secs(5);
    outgoing.limits.total = Duration::from_secs(5);
    let error = fetcher().fetch(outgoing).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::ConnectTimeout, "{error}");
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_head_is_a_reset() {
    for steps in [vec![Step::Close], vec![Step::Reset, Step::Close]] {
        assert_eq!(Server::start(steps).await.failure().await, FailureKind::Reset);
    }
    let half = Server::ending("HTTP/1.1 200 OK\r\nContent-").await;
    assert_eq!(half.failure().await, FailureKind::Reset);
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    let answers: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00 SSH-2.0-nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello wor",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nnope\r\n",
    ];
    for answer in answers {
        let kind = Server::ending(answer).await.failure().await;
        assert_eq!(kind, FailureKind::Protocol, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn a_head_of_150_fields_is_read_and_one_over_the_limits_is_refused() {
    let fields = |count: usize| (0..count).map(|n| format!("X-{n}: v\r\n")).collect::<String>();
    let server = Server::saying(ok(&(fields(150) + "Content-Length: 2\r\n"), b"ok")).await;
    assert_eq!(server.get().await.unwrap().headers.len(), 151);
    let many = Server::saying(ok(&(fields(300) + "Content-Length: 2\r\n"), b"ok")).await;
    assert_eq!(many.failure().await, FailureKind::Protocol);
    for size in [70_000, 2_000_000] {
        let big = format!("X-Big: {}\r\nContent-Length: 2\r\n", "y".repeat(size));
        let server = Server::saying(ok(&big, b"ok")).await;
        assert_eq!(server.failure().await, FailureKind::Protocol, "{size}");
    }
}

#[tokio::test]
async fn a_field_that_is_not_one_does_not_cost_the_page() {
    let server = Server::saying(ok("X A: b\r\n: c\r\nno colon\r\nContent-Length: 2\r\n", b"ok")).await;
    assert_eq!(&server.get().await.unwrap().body[..], b"ok");
}

#[tokio::test]
async fn no_head_in_time_ends_the_wait_whatever_the_server_does_meanwhile() {
    let early_hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
    let servers = [
        vec![Step::Hold],
        vec![Step::Drip(early_hints, Duration::ZERO)],
        vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec()),
            Step::Drip(b"x".to_vec(), Duration::from_millis(10)),
        ],
    ];
    for steps in servers {
        let error = Server::start(steps).await.get_in_haste().await.unwrap_err();
        assert_eq!(error.kind, FailureKind::ResponseTimeout, "{error}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_kept_and_marked() {
    let head = ok("Content-Length: 100000\r\n", b"<p>half");
    for steps in [vec![Step::Send(head.clone()), Step::Close], vec![Step::Send(head), Step::Hold]] {
        let held = matches!(steps[1], Step::Hold);
        let response = Server::start(steps).await.get_in_haste().await.unwrap();
        assert_eq!(&response.body[..], b"<p>half");
        let mark = if held { Truncation::Time } else { Truncation::Disconnect };
        assert_eq!(response.truncated, Some(mark));
    }
    let chunks = ok("Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\nZZZ\r\nnope\r\n");
    let response = Server::ending(chunks).await.get().await.unwrap();
    assert_eq!((&response.body[..], response.truncated), (&b"hello"[..], Some(Truncation::Disconnect)));
}

#[tokio::test]
async fn a_success_of_which_nothing_came_is_a_failure_but_a_refusal_keeps_its_head() {
    let head = "Content-Length: 10\r\nRetry-After: 60\r\n";
    let lost = Server::ending(ok(head, b"")).await;
    assert_eq!(lost.failure().await, FailureKind::Reset);
    let stalled = Server::start(vec![Step::Send(ok(head, b"")), Step::Hold]).await;
    let error = stalled.get_in_haste().await.unwrap_err();
    assert_eq!(error.kind, FailureKind::BodyTimeout);
    let refusal = Server::ending(format!("HTTP/1.1 429 Slow Down\r\n{head}\r\n")).await;
    let response = refusal.get().await.unwrap();
    assert_eq!(response.header("retry-after"), Some("60"));
    assert_eq!(response.truncated, Some(Truncation::Disconnect));
}

#[tokio::test]
async fn a_drip_is_cut_by_the_total_time() {
    let pause = Duration::from_millis(20);
    let server = Server::start(vec![
        Step::Send(ok("Content-Length: 100000\r\n", b"")),
        Step::Drip(b"x".to_vec(), pause),
    ]);
    let response = server.await.get_in_haste().await.unwrap();
    assert_eq!(response.truncated, Some(Truncation::Time));
    let spent = response.ended.since(response.started);
    assert!((1_000..2_500).contains(&spent.as_millis()), "{spent:?}");
    assert!(!response.body.is_empty());
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit_and_its_connection_closed() {
    let server = Server::start(vec![
        Step::Send(ok("Connection: close\r\n", b"")),
        Step::Drip(vec![b'z'; 65_536], Duration::ZERO),
    ])
    .await;
    let response = server.get().await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (1 << 20, Some(Truncation::Length)));
    assert!(response.wire_bytes < 4 << 20, "{}", response.wire_bytes);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let server = Server::saying(ok("Content-Length: 1048576\r\n", &vec![b'z'; 1 << 20])).await;
    let response = server.get().await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (1 << 20, None));
}

#[tokio::test]
async fn a_packed_body_is_unpacked_and_both_sizes_are_known() {
    let plain = "<p>the same again</p>".repeat(100);
    let packed = gzip(plain.as_bytes()).await;
    let fields = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len());
    let response = Server::saying(ok(&fields, &packed)).await.get().await.unwrap();
    assert_eq!((&response.body[..], response.truncated), (plain.as_bytes(), None));
    assert_eq!(response.wire_bytes, packed.len() as u64);
    assert_eq!(response.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_bomb_is_cut_by_its_ratio() {
    let packed = gzip(&vec![0; 8 << 20]).await;
    let fields = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len());
    let server = Server::saying(ok(&fields, &packed)).await;
    let mut outgoing = patient(Request::get(server.url("/")));
    outgoing.limits.body = 100 << 20;
    let response = fetcher().fetch(outgoing).await.unwrap();
    assert_eq!(response.truncated, Some(Truncation::Ratio));
    assert!(response.body.len() < 2 << 20, "{}", response.body.len());
}

#[tokio::test]
async fn a_proxy_gets_every_request_and_alone_gets_its_password() {
    let proxy = Server::saying(ok("Content-Length: 2\r\n", b"ok")).await;
    let options = HttpOptions {
        proxy: Some(format!("http://me:secret@{}", proxy.address)),
        addresses: AddressPolicy::default(),
        ..options()
    };
    let fetcher = HttpFetcher::new(options, Clock::start()).unwrap();
    fetcher.fetch(patient(Request::get(url("http://a.example/page")))).await.unwrap();
    let heard = proxy.heard().remove(0);
    assert!(heard.starts_with("GET http://a.example/page HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n"), "{heard}");
    let literal = fetcher.fetch(patient(Request::get(url("http://127.0.0.1/")))).await.unwrap_err();
    assert_eq!(literal.kind, FailureKind::Address);
}
