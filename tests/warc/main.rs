//! Archives: what stands in them is what went over the wire, other people's tools read them, and no kill breaks one.
//!
//! The tools are warcio and pywb, in a Python environment in `target/warc-venv`; their test skips with a word where they are not
//! installed. `tests/run.sh` installs them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod archive;
#[path = "../loopback/mod.rs"]
mod loopback;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive::{Entry, entries, files};
use crawl::demo::{DemoRequest, DemoSite};
use crawl::engine::Crawl;
use crawl::extract::ExtractError;
use crawl::fetch::http::HttpOptions;
use crawl::fetch::{FetchError, Fetcher, Limits, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::{Policy, Retry};
use crawl::request::Request;
use crawl::response::Response;
use crawl::sink::warc::{Warc, WarcOptions};
use crawl::spider::Spider;
use crawl::url::CanonicalUrl;

/// Reads these pages and nothing else.
struct Pages(Vec<Request>);

impl Spider for Pages {
    fn name(&self) -> &str {
        "pages"
    }

    fn seeds(&self) -> Vec<Request> {
        self.0.clone()
    }

    fn parse(&self, _page: &Page, _harvest: &mut Harvest) -> Result<(), ExtractError> {
        Ok(())
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Answers with these very bytes, and keeps every request as it came.
struct Server {
    origin: String,
    asked: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Server {
    fn start(answers: BTreeMap<&'static str, Vec<u8>>) -> Self {
        let (listener, origin) = loopback::listen("127.0.0.1");
        let asked: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let log = Arc::clone(&asked);
        loopback::serve(listener, move |mut stream| {
            let Some((path, request)) = request(&stream) else { return };
            let missing =
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
            let answer = answers.get(path.as_str()).unwrap_or(&missing);
            log.lock().unwrap().insert(path, request);
            drop(stream.write_all(answer));
        });
        Self { origin, asked }
    }

    fn asked(&self, path: &str) -> Vec<u8> {
        self.asked.lock().unwrap()[path].clone()
    }

    fn get(&self, path: &str) -> Request {
        Request::get(CanonicalUrl::parse(&format!("{}{path}", self.origin)).unwrap())
    }
}

/// The path of a request, and its head and body.
fn request(mut stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let head = loopback::head(stream)?;
    let length = loopback::field(&head, "content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    Some((loopback::path(&head).to_owned(), [head.into_bytes(), body].concat()))
}

/// An answer with this head, whose connection is closed behind it.
fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [head.replace('\n', "\r\n").as_bytes(), b"Connection: close\r\n\r\n", body].concat()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let (one, two) = body.split_at(body.len() / 2);
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    [chunk(one), chunk(two), b"0\r\n\r\n".to_vec()].concat()
}

fn strange_answers() -> BTreeMap<&'static str, Vec<u8>> {
    let packed = gzip(b"<p>packed</p>");
    let coded = "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: gzip\n";
    BTreeMap::from([
        ("/packed", answer(&format!("{coded}Transfer-Encoding: chunked\n"), &chunked(&packed))),
        ("/again", answer(&format!("{coded}Content-Length: {}\n", packed.len()), &packed)),
        ("/broken", answer(coded, b"no gzip at all")),
        ("/old", answer("HTTP/1.0 200 Fine\nSet-Cookie: a=1\nSet-Cookie: b=2\nX-Fold: a\n b\n", b"old")),
        ("/long", answer("HTTP/1.1 200 OK\nContent-Length: 5000\n", &[b'x'; 5_000])),
        ("/away", answer("HTTP/1.1 302 Found\nLocation: /old\nContent-Length: 2\n", b"go")),
        ("/torn", answer("HTTP/1.1 200 OK\nContent-Length: 500\n", b"torn off")),
        ("/post", answer("HTTP/1.1 200 OK\nContent-Length: 6\n", b"posted")),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_an_archive_is_what_went_over_the_wire() {
    let server = Server::start(strange_answers());
    let dir = tempfile::tempdir().unwrap();
    let mut pages: Vec<_> =
        ["/packed", "/again", "/broken", "/long", "/torn", "/away"].map(|path| server.get(path)).into();
    let mut post = server.get("/post");
    post.method = http::Method::POST;
    post.body = Some("a=b".into());
    post.headers.push(("X-Api-Key".to_owned(), "hush".to_owned()));
    pages.push(post);
    let http = HttpOptions { headers: vec![("X-Common".to_owned(), "1".to_owned())], ..Default::default() };
    let retry = Retry { tries: 1, ..Retry::default() };
    let policy = Policy { retry, ..Policy::fixed(Duration::ZERO) };
    let builder = Crawl::builder().spider(Pages(pages)).policy(policy).http(http);
    let limits = Limits { body: 1_000, ..Limits::default() };
    let archive = Warc::open(&WarcOptions::to(dir.path())).unwrap();
    builder.limits(limits).archive(archive).build().unwrap().run().await.unwrap();

    let entries = entries(dir.path());
    let found = |kind: &str, path: &str| {
        let target = format!("{}{path}", server.origin);
        let is_it = |entry: &&Entry| entry.kind() == kind && entry.field("WARC-Target-URI") == Some(&target);
        entries.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} of {path}"))
    };
    for path in ["/robots.txt", "/packed", "/again", "/broken", "/long", "/torn", "/away", "/old"] {
        let asked = server.asked(path);
        assert_eq!(found("request", path).block, asked, "{}", String::from_utf8_lossy(&asked));
    }
    let asked = String::from_utf8(server.asked("/post")).unwrap();
    let kept = String::from_utf8(found("request", "/post").block.clone()).unwrap();
    assert_eq!(kept, asked.replace("hush", "[removed]"));

    let packed = found("response", "/packed");
    assert_eq!(packed.body(), gzip(b"<p>packed</p>"));
    assert!(packed.head().contains("\r\nx-crawler-transfer-encoding: chunked\r\n"));
    assert!(packed.head().contains("\r\ncontent-encoding: gzip\r\n"));
    let again = found("revisit", "/again");
    assert_eq!(again.field("WARC-Refers-To"), packed.field("WARC-Record-ID"));
    assert_eq!(again.field("WARC-Payload-Digest"), packed.field("WARC-Payload-Digest"));
    let broken = found("response", "/broken");
    assert_eq!((broken.body(), broken.field("WARC-Truncated")), (b"no gzip at all".to_vec(), None));
    let old = found("response", "/old");
    assert!(
        old.head().starts_with(
            "HTTP/1.0 200 Fine\r\nset-cookie: a=[removed]\r\nset-cookie: b=[removed]\r\nx-fold: a"
        )
    );
    assert_eq!((old.head().lines().count(), old.body()), (7, b"old".to_vec()));
    let long = found("response", "/long");
    assert_eq!((long.body().len(), long.field("WARC-Truncated").unwrap()), (1_000, "length"));
    assert!(long.head().contains("\r\nx-crawler-content-length: 5000\r\n"));
    let torn = found("response", "/torn");
    assert_eq!((torn.body(), torn.field("WARC-Truncated").unwrap()), (b"torn off".to_vec(), "disconnect"));
    assert_eq!(found("response", "/away").body(), b"go");
    assert_eq!(found("response", "/robots.txt").status(), "404");
}

/// Says of every page that it was packed, and gives it unpacked.
struct Unpacking;

impl Fetcher for Unpacking {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let mut response = Response::of(outgoing.request.url, http::StatusCode::OK, "unpacked");
        response.headers.insert("content-encoding", http::HeaderValue::from_static("br"));
        Ok(response)
    }
}

#[tokio::test]
async fn what_a_fetcher_of_ones_own_has_decoded_is_not_called_coded() {
    let dir = tempfile::tempdir().unwrap();
    let mut page = Request::get(CanonicalUrl::parse("http://localhost:81/a?b").unwrap());
    page.headers.push(("X-Own".to_owned(), "1".to_owned()));
    let archive = Warc::open(&WarcOptions { robots: false, ..WarcOptions::to(dir.path()) }).unwrap();
    let builder = Crawl::builder().spider(Pages(vec![page])).policy(Policy::fixed(Duration::ZERO));
    builder.archive(archive).build_with(Unpacking).unwrap().run().await.unwrap();
    let entries = entries(dir.path());
    let kinds: Vec<_> = entries.iter().map(Entry::kind).collect();
    assert_eq!(kinds, ["warcinfo", "response", "request"], "without robots.txt");
    let told = "HTTP/1.1 200 OK\r\nx-crawler-content-encoding: br\r\ncontent-length: 8\r\n\r\nunpacked";
    assert_eq!(String::from_utf8_lossy(&entries[1].block), told);
    let asked = "GET /a?b HTTP/1.1\r\nx-own: 1\r\nhost: localhost:81\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&entries[2].block), asked);
}

/// A crawler file over the demo shop with an archive.
fn crawler_file(dir: &Path, seed: &str, more: &str) {
    let text = format!(
        "seeds = [\"{seed}\"]\nstate-dir = \"state\"\n[politeness]\ndelay = \"5ms\"\njitter = 0\npace = \"fixed\"\n\
         [retry]\nconfirm-gone = \"300ms\"\n[sink.jsonl]\npath = \"pages.jsonl\"\n{more}"
    );
    fs::write(dir.join("shop.toml"), text).unwrap();
}

fn start(dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crawl"))
        .args(["run", "shop.toml", "--quiet"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// How often each path of the shop stands in the archive, or in its log, with this status.
fn count<'a>(all: impl Iterator<Item = (&'a str, &'a str)>, status: &str) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for (path, _) in all.filter(|(_, found)| *found == status) {
        *counts.entry(path).or_default() += 1;
    }
    counts
}

const KILLS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
async fn killed_again_and_again_an_archive_has_every_answer_once_and_every_record_whole() {
    let site = DemoSite::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    crawler_file(dir.path(), &site.url(), "[sink.warc]\npath = \"archive\"\nrotate-size = \"64KiB\"\n");
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..KILLS {
        let mut crawl = start(dir.path());
        tokio::time::sleep(Duration::from_millis(rng.u64(250..1_600))).await;
        crawl.kill().unwrap();
        crawl.wait().unwrap();
    }
    let mut last = start(dir.path());
    let ended = tokio::task::spawn_blocking(move || last.wait().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(90), ended).await;
    assert_eq!(ended.expect("the last run ends by itself").unwrap().code(), Some(0));

    let folder = dir.path().join("archive");
    let files = files(&folder);
    assert!(files.len() > 4 && files.iter().all(|file| file.extension().unwrap() == "gz"), "{files:?}");
    let (log, entries) = (site.log(), entries(&folder));
    let of_log = || log.iter().map(|asked: &DemoRequest| (asked.path.as_str(), asked.status.to_string()));
    let home = site.url();
    let of_archive = || {
        let answers = entries.iter().filter(|entry| matches!(entry.kind(), "response" | "revisit"));
        answers.map(|entry| {
            let target = entry.field("WARC-Target-URI").unwrap();
            (&target[home.len() - 1..], entry.status())
        })
    };
    let log: Vec<_> = of_log().collect();
    for status in ["200", "302", "301", "308"] {
        let told = count(log.iter().map(|(path, status)| (*path, status.as_str())), status);
        let kept = count(of_archive(), status);
        assert_eq!(kept.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>(), "{status}");
        assert!(kept.values().all(|times| *times == 1), "{status} twice: {kept:?}");
    }
    let kept = of_archive().count();
    assert!(kept <= log.len() && log.len() <= kept + KILLS, "{kept} of {} answers", log.len());
    check_pairs(&entries);
}

/// Every answer has its request, and no record the name of another.
fn check_pairs(entries: &[Entry]) {
    let mut names: Vec<_> = entries.iter().map(|entry| entry.field("WARC-Record-ID").unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), entries.len(), "a name is there twice");
    let of_kind = |kinds: &'static [&str]| entries.iter().filter(move |entry| kinds.contains(&entry.kind()));
    let mut answers: Vec<_> =
        of_kind(&["response", "revisit"]).map(|entry| entry.field("WARC-Record-ID")).collect();
    let mut asked: Vec<_> = of_kind(&["request"]).map(|entry| entry.field("WARC-Concurrent-To")).collect();
    answers.sort_unstable();
    asked.sort_unstable();
    assert_eq!(answers, asked);
}

/// A program of the Python environment; `None` if it is not there.
fn tool(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/warc-venv/bin").join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there (tests/run.sh installs it)", path.display());
    }
    path.exists().then_some(path)
}

/// What a program prints, which must succeed.
fn printed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_peoples_tools_read_an_archive_and_replay_its_pages() {
    let (Some(warcio), Some(manager), Some(wayback)) = (tool("warcio"), tool("wb-manager"), tool("wayback"))
    else {
        return;
    };
    let site = DemoSite::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let few = "[scope]\nmax-depth = 1\nexclude = [\"/new-arrivals/\", \"/news.html\"]\n";
    crawler_file(dir.path(), &site.url(), &format!("[sink.warc]\npath = \"archive\"\n{few}"));
    for _ in 0..2 {
        let mut crawl = start(dir.path());
        let ended = tokio::task::spawn_blocking(move || crawl.wait().unwrap()).await.unwrap();
        assert_eq!(ended.code(), Some(0));
    }
    let log = site.log();
    let folder = dir.path().to_owned();
    let (page, home) = (format!("{}authors/", site.url()), site.url());
    tokio::task::spawn_blocking(move || {
        let files = files(&folder.join("archive"));
        let told = printed(Command::new(&warcio).args(["check", "-v"]).args(&files));
        assert!(told.contains("digest pass"), "{told}");
        let kinds =
            printed(Command::new(&warcio).args(["index", "-f", "warc-type,http:status"]).args(&files));
        let count = |kind: &str| kinds.lines().filter(|line| line.contains(kind)).count();
        assert_eq!(count("\"response\"") + count("\"revisit\""), log.len(), "{kinds}");
        assert_eq!((count("\"request\""), count("\"warcinfo\"")), (log.len(), 2));
        let unchanged = log.iter().filter(|asked| asked.status == 304).count();
        assert!(unchanged > 5 && count("\"revisit\"") >= unchanged, "{kinds}");

        printed(Command::new(&manager).args(["init", "shop"]).current_dir(&folder));
        printed(Command::new(&manager).args(["add", "shop"]).args(&files).current_dir(&folder));
        let replay = Replay::start(&wayback, &folder);
        for page in [&page, &home] {
            let (original, now) = (body(page), body(&format!("{}/shop/id_/{page}", replay.origin)));
            assert_eq!(String::from_utf8_lossy(&now), String::from_utf8_lossy(&original), "{page}");
        }
    })
    .await
    .unwrap();
}

/// A running pywb.
struct Replay {
    origin: String,
    server: Child,
}

impl Replay {
    #[expect(clippy::disallowed_methods, reason = "another program's start is waited for")]
    fn start(wayback: &Path, folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(wayback);
        command.args(["-b", "127.0.0.1", "-p", &port.to_string()]).current_dir(folder);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let replay = Self { origin: format!("http://127.0.0.1:{port}"), server: quiet.spawn().unwrap() };
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return replay;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("pywb does not answer");
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// The body behind a URL, which must be answered with 200.
fn body(url: &str) -> Vec<u8> {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {authority}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]);
    assert!(head.split(' ').nth(1) == Some("200"), "{url}: {head}");
    answer.split_off(end + 4)
}
