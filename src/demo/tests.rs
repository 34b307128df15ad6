//! The shop behind a real socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A bare client on one connection.
struct Client(TcpStream);

impl Client {
    async fn new(site: &DemoSite) -> Self {
        Self(TcpStream::connect(site.addr()).await.unwrap())
    }

    /// Sends a head and returns the head and the body of the answer.
    async fn ask(&mut self, request: &str, headers: &str) -> (String, String) {
        let head = format!("{request} HTTP/1.1\r\nHost: shop\r\nUser-Agent: tester\r\n{headers}\r\n");
        self.0.write_all(head.as_bytes()).await.unwrap();
        let head = self.until(|text| text.find("\r\n\r\n").map(|end| end + 4)).await;
        let length =
            head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let length = if request.starts_with("HEAD") || head.contains(" 304 ") { 0 } else { length };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    async fn until(&mut self, done: impl Fn(&str) -> Option<usize>) -> String {
        let mut text = String::new();
        while done(&text).is_none() {
            text.push(self.0.read_u8().await.unwrap() as char);
        }
        text
    }
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_the_log_has_them_all() {
    let site = DemoSite::start().await.unwrap();
    let mut client = Client::new(&site).await;
    let (head, body) = client.ask("GET /?from=test", "").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ndate: "), "{head}");
    assert!(
        body.contains(&format!("href=\"{}about.html\"", site.url())),
        "absolute links name the bound address"
    );
    let tag = head.lines().find_map(|l| l.strip_prefix("etag: ")).unwrap().to_owned();
    let (again, _) = client.ask("GET /", &format!("If-None-Match: \"x\"\r\nIf-None-Match: {tag}\r\n")).await;
    assert!(again.starts_with("HTTP/1.1 304 "), "{again}");
    let (bare, _) = client.ask("HEAD /", "").await;
    assert!(bare.contains(&format!("content-length: {}\r\n", body.len())), "{bare}");
    let (moved, _) = client.ask("GET /books/1007", "").await;
    assert!(moved.starts_with("HTTP/1.1 302 ") && moved.contains(&site.url()), "{moved}");

    let log = site.log();
    let lines: Vec<_> = log.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.status)).collect();
    assert_eq!(
        lines,
        [("GET", "/?from=test", 200), ("GET", "/", 304), ("HEAD", "/", 200), ("GET", "/books/1007", 302)]
    );
    assert_eq!(log[1].if_none_match, Some(format!("\"x\", {tag}")));
    assert_eq!(log[0].user_agent.as_deref(), Some("tester"));
    assert!(log.is_sorted_by_key(|r| r.arrived_ms) && log.iter().all(|r| r.arrived_ms <= r.answered_ms));
    assert_eq!(site.breaches(), 0);
}

#[tokio::test]
async fn a_post_is_refused_and_the_next_request_still_answered() {
    let site = DemoSite::start().await.unwrap();
    let mut client = Client::new(&site).await;
    let (head, _) = client.ask("POST /basket/add/1", "Content-Length: 0\r\n").await;
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD\r\n"), "{head}");
    assert!(client.ask("GET /nowhere", "").await.0.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_stopped_shop_closes_idle_connections_and_accepts_no_more() {
    let site = DemoSite::start().await.unwrap();
    let addr = site.addr();
    let mut used = Client::new(&site).await;
    used.ask("GET /style.css", "").await;
    site.stop().await;
    assert_eq!(used.0.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_dropped_shop_is_gone() {
    let site = DemoSite::start().await.unwrap();
    let mut client = Client::new(&site).await;
    client.ask("GET /", "").await;
    drop(site);
    assert!(matches!(client.0.read(&mut [0; 8]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn noise_ends_its_own_connection_only() {
    let site = DemoSite::start().await.unwrap();
    let mut noise = Client::new(&site).await;
    noise.0.write_all(b"\x16\x03\x01 not http at all\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    noise.0.read_to_end(&mut rest).await.ok();
    assert!(Client::new(&site).await.ask("GET /", "").await.0.starts_with("HTTP/1.1 200 "));
}

#[test]
fn the_log_forgets_the_oldest_requests_and_clips_long_ones() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let desk = Desk::open(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    let ask = |path: &str| desk.answer(&Request::get(path).body(()).unwrap().into_parts().0, b"");
    ask("/first");
    for _ in 1..LOG_LENGTH {
        ask("/style.css");
    }
    assert_eq!(desk.book().log[0].path, "/first");
    ask(&format!("/{}", "x".repeat(5000)));
    let book = desk.book();
    assert_eq!(book.log.len(), LOG_LENGTH);
    assert_eq!(book.log[0].path, "/style.css");
    assert_eq!(book.log[LOG_LENGTH - 1].path.len(), LOGGED_BYTES);
}
