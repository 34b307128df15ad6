//! A JSON server on this machine that answers by a function and notes what it was asked, and the command with one state.

#[path = "../loopback/mod.rs"]
mod loopback;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    head: String,
    pub body: String,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        loopback::field(&self.head, name)
    }

    /// A parameter of the query as a number.
    pub fn number(&self, name: &str) -> Option<usize> {
        let (_, query) = self.path.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    }
}

/// Status, content type and body.
pub type Answer = (u16, &'static str, String);

pub fn json(value: &Value) -> Answer {
    (200, "application/json", value.to_string())
}

pub fn html(text: &str) -> Answer {
    (200, "text/html", text.to_owned())
}

pub fn missing() -> Answer {
    (404, "text/plain", "nothing here".to_owned())
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server, and everything that was asked of it but robots.txt.
#[derive(Clone)]
pub struct Server {
    origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let server = Self { origin, asked: Arc::default() };
        let asked = Arc::clone(&server.asked);
        // A client that goes away is no concern of the server.
        loopback::serve(listener, move |stream| answer(&stream, &asked, &script));
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// As another host, which is the same machine.
    pub fn url_as_localhost(&self, path: &str) -> String {
        self.url(path).replace("127.0.0.1", "localhost")
    }

    /// All that was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics inside").clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }
}

fn answer(mut stream: &TcpStream, asked: &Mutex<Vec<Asked>>, script: &Script) -> std::io::Result<()> {
    let Some(head) = loopback::head(stream) else { return Ok(()) };
    let length = loopback::field(&head, "content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let method = head.split(' ').next().unwrap_or_default().to_owned();
    let path = loopback::path(&head).to_owned();
    let request = Asked { method, path, head, body: String::from_utf8_lossy(&body).into_owned() };
    let (status, kind, body) = match request.path.as_str() {
        "/robots.txt" => missing(),
        _ => {
            asked.lock().expect("no test panics inside").push(request.clone());
            script(&request)
        }
    };
    let etag = format!("\"{:x}\"", crawl::url::Fingerprint::of(body.as_bytes()).get());
    let (status, body) = match request.field("if-none-match") {
        Some(known) if known == etag => (304, String::new()),
        _ => (status, body),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: {kind}\r\netag: {etag}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// Makes it quick on this machine.
const QUICK: &str = "
[politeness]
delay = \"1ms\"
jitter = 0
pace = \"fixed\"

[retry]
base = \"1ms\"

[sink.jsonl]
path = \"items.jsonl\"
";

/// A folder with a crawler file, a state and its items.
pub struct Desk(tempfile::TempDir);

impl Desk {
    /// With this crawler file, made quick.
    pub fn with(file: &str) -> Self {
        let desk = Self(tempfile::tempdir().expect("there is room"));
        desk.write("api.toml", &format!("{file}{QUICK}"));
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("there is room");
    }

    fn command(&self, env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(["run", "api.toml", "--state", "state"]).current_dir(self.folder());
        command.env_remove("RUST_LOG").envs(env.iter().copied()).stdin(Stdio::null());
        command
    }

    pub fn run(&self) -> Output {
        self.run_with(&[])
    }

    pub fn run_with(&self, env: &[(&str, &str)]) -> Output {
        self.command(env).output().expect("the command is built")
    }

    /// What the audit says of all that was asked, and whether it is content.
    pub fn audit(&self) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        let ran = command.args(["audit", "state"]).current_dir(self.folder()).output();
        let ran = ran.expect("the command is built");
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    pub fn start(&self) -> Child {
        self.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command is built")
    }

    /// The items that were written, in order.
    pub fn items(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("items.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("every line is whole")).collect()
    }
}
