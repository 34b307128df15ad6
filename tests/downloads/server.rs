//! A server of files on this machine that can be told to misbehave, and counts what it sends.

#[path = "../loopback/mod.rs"]
mod loopback;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub head: String,
    /// How often the path was asked before.
    pub before: usize,
    pub status: u16,
    /// Bytes of body that were sent.
    pub sent: usize,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        loopback::field(&self.head, name)
    }

    /// The first byte that is asked for.
    pub fn from(&self) -> Option<usize> {
        self.field("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Only so many bytes are sent, then the connection is closed.
    pub cut: Option<usize>,
    /// Then the connection is held until the client goes.
    pub held: bool,
    /// Whether the length is announced.
    pub announced: bool,
}

impl Reply {
    pub fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let fields = vec![("Content-Type".to_owned(), kind.to_owned())];
        Self { status: 200, fields, body: body.into(), cut: None, held: false, announced: true }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::of("text/plain", "sorry") }
    }

    pub fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(found, _)| found != name);
        self
    }

    pub fn cut(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), ..self }
    }

    /// Sends so many bytes, and nothing after them until the client goes.
    pub fn hold(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), held: true, ..self }
    }

    /// Answers as a server does that knows conditions and ranges.
    pub fn well(self, asked: &Asked, etag: &str) -> Self {
        let whole = self.field("ETag", etag);
        if asked.field("if-none-match") == Some(etag) {
            return Self { status: 304, body: Vec::new(), ..whole };
        }
        match (asked.from(), asked.field("if-range")) {
            (Some(from), Some(tag)) if tag == etag && from < whole.body.len() => {
                let total = whole.body.len();
                let part = whole.body[from..].to_vec();
                Self { status: 206, body: part, ..whole }
                    .field("Content-Range", format!("bytes {from}-{}/{total}", total - 1))
            }
            (Some(from), Some(tag)) if tag == etag => {
                Self::status(416).field("Content-Range", format!("bytes */{from}"))
            }
            _ => whole,
        }
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A server that runs until the test ends.
#[derive(Clone)]
pub struct Site {
    pub origin: String,
    log: Arc<Mutex<Vec<Asked>>>,
    counts: Arc<Mutex<HashMap<String, usize>>>,
    answer: Answer,
}

impl Site {
    pub fn open(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::open_at("127.0.0.1", answer)
    }

    pub fn open_at(address: &str, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let (listener, origin) = loopback::listen(address);
        let site = Self { origin, log: Arc::default(), counts: Arc::default(), answer: Arc::new(answer) };
        let server = site.clone();
        loopback::serve(listener, move |stream| server.serve(stream));
        site
    }

    /// Everything that was asked but for robots.txt; forgets it.
    pub fn log(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let Some(head) = loopback::head(&stream) else { return };
        let path = loopback::path(&head).to_owned();
        let before = {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let mut asked = Asked { path, head, before, status: 0, sent: 0 };
        let reply = if asked.path == "/robots.txt" { Reply::status(404) } else { (self.answer)(&asked) };
        let mut text = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
        for (name, value) in &reply.fields {
            text += &format!("{name}: {value}\r\n");
        }
        if reply.announced && reply.status != 304 {
            text += &format!("Content-Length: {}\r\n", reply.body.len());
        }
        drop(stream.write_all((text + "\r\n").as_bytes()));
        let most = reply.cut.unwrap_or(usize::MAX).min(reply.body.len());
        for piece in reply.body[..most].chunks(16 << 10) {
            if stream.write_all(piece).is_err() {
                break;
            }
            asked.sent += piece.len();
        }
        asked.status = reply.status;
        if reply.held {
            drop(stream.read(&mut [0]));
        }
        if asked.path != "/robots.txt" {
            self.log.lock().unwrap().push(asked);
        }
    }
}

/// Bytes that are the same every time and nowhere alike.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}
