//! A server on this machine that answers what it is told to answer and notes what it was asked; and `crawl fetch` over one state.

#[path = "../loopback/mod.rs"]
mod loopback;

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::Value;

/// What the server says once.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    fields: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

impl Answer {
    pub fn of(status: u16, fields: &[(&'static str, &'static str)]) -> Self {
        Self { status, fields: fields.to_vec(), body: "" }
    }

    pub fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    /// The answer on the wire. `{+60}` and `{-60}` in a field stand for the date of so many seconds from now.
    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.fields {
            head += &format!("{name}: {}\r\n", dated(value));
        }
        let tells_length = self.fields.iter().any(|(name, _)| *name == "content-length");
        if !tells_length && self.status != 304 {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        head += self.body;
        head.into_bytes()
    }
}

fn dated(value: &str) -> String {
    let Some((before, rest)) = value.split_once('{') else { return value.to_owned() };
    let (offset, after) = rest.split_once('}').expect("a brace is closed");
    format!("{before}{}{after}", http_date(offset.parse().expect("seconds from now")))
}

/// The date so many seconds from now (RFC 9110 5.6.7).
#[expect(clippy::disallowed_methods, reason = "the server's dates are those of the machine")]
fn http_date(offset: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
    let second = now.as_secs().checked_add_signed(offset).expect("it is later than 1970");
    let text = crawl::time::Timestamp::from_secs(second).to_string();
    let (date, time) = text.split_once('T').expect("a date has a T");
    let parts: Vec<&str> = date.split('-').collect();
    let month = MONTHS[parts[1].parse::<usize>().expect("a number") - 1];
    let day = DAYS[usize::try_from(second / 86_400 % 7).expect("a small number")];
    format!("{day}, {} {month} {} {} GMT", parts[2], parts[0], &time[..8])
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    head: String,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        loopback::field(&self.head, name)
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server, and everything that was asked of it but robots.txt.
pub struct Server {
    origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    robots: Arc<Mutex<u32>>,
}

impl Server {
    pub fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_robots(Answer::of(404, &[]), script)
    }

    pub fn with_robots(robots: Answer, script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let server = Self { origin, asked: Arc::default(), robots: Arc::default() };
        let (asked, count) = (server.asked.clone(), server.robots.clone());
        // A client that goes away is no concern of the server.
        loopback::serve(listener, move |stream| answer(stream, &asked, &count, &robots, &script));
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// What was asked since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().expect("no test panics inside"))
    }

    /// How often robots.txt was asked.
    pub fn robots(&self) -> u32 {
        *self.robots.lock().expect("no test panics inside")
    }
}

fn answer(
    mut stream: TcpStream,
    asked: &Mutex<Vec<Asked>>,
    count: &Mutex<u32>,
    robots: &Answer,
    script: &Script,
) -> std::io::Result<()> {
    let Some(head) = loopback::head(&stream) else { return Ok(()) };
    let path = loopback::path(&head).to_owned();
    if path == "/robots.txt" {
        *count.lock().expect("no test panics inside") += 1;
        return stream.write_all(&robots.bytes());
    }
    let request = Asked { path, head };
    asked.lock().expect("no test panics inside").push(request.clone());
    stream.write_all(&script(&request).bytes())
}

/// A directory with a state in it.
pub struct Desk(tempfile::TempDir);

/// Makes it quick on this machine.
const QUICK: [&str; 4] =
    ["politeness.delay=1ms", "politeness.jitter=0", "politeness.pace=fixed", "retry.confirm-gone=1ms"];

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(args).current_dir(self.0.path()).env_remove("RUST_LOG");
        command.output().expect("the command is built")
    }

    /// As [`Desk::run`], on the state and at once.
    pub fn quick(&self, args: &[&str]) -> Output {
        let state = self.state();
        let mut all = args.to_vec();
        all.extend(["--state", state.to_str().expect("a plain path")]);
        all.extend(QUICK.iter().flat_map(|set| ["--set", set]));
        self.run(&all)
    }

    /// Fetches a URL and reads the answer, whatever it is.
    pub fn fetch(&self, url: &str, more: &[&str]) -> Value {
        let ran = self.quick(&[&["fetch", url, "--json"], more].concat());
        serde_json::from_slice(&ran.stdout)
            .unwrap_or_else(|_| panic!("{url}: {}", String::from_utf8_lossy(&ran.stderr)))
    }
}
