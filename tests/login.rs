//! Cookies and logins, as servers see them: the real program and the real fetcher against servers on this machine, whose logs are
//! the judge.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod loopback;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::demo::{DemoRequest, DemoSite};

/// What a server was asked.
#[derive(Debug, Clone, Default)]
struct Asked {
    path: String,
    cookie: Option<String>,
    condition: Option<String>,
}

type Answer = Arc<dyn Fn(&Asked) -> String + Send + Sync>;

/// A server that answers by a function and remembers what it was asked.
#[derive(Clone)]
struct Server {
    origin: String,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: Answer,
}

impl Server {
    fn at(address: &str, answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        let (listener, origin) = loopback::listen(address);
        let server = Self { origin, log: Arc::default(), answer: Arc::new(answer) };
        let serving = server.clone();
        loopback::serve(listener, move |stream| serving.serve(stream));
        server
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let Some(head) = loopback::head(&stream) else { return };
        let field = |name: &str| loopback::field(&head, name).map(str::to_owned);
        let asked = Asked {
            path: loopback::path(&head).to_owned(),
            cookie: field("cookie"),
            condition: field("if-none-match"),
        };
        let answer = (self.answer)(&asked);
        self.log.lock().unwrap().push(asked);
        let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
        let head = head.replace('\n', "\r\n");
        let length = body.len();
        let _ =
            write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    }

    fn log(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Paths and cookies of everything but robots.txt.
    fn cookies(&self) -> Vec<(String, Option<String>)> {
        let pages = self.log().into_iter().filter(|asked| asked.path != "/robots.txt");
        pages.map(|asked| (asked.path, asked.cookie)).collect()
    }
}

const QUICK: &str = "[politeness]\ndelay = \"20ms\"\njitter = 0\npace = \"fixed\"\n";

/// The program with a crawler file in a folder of its own. What it prints is kept.
fn crawl(dir: &Path, command: &str, file: &str, password: &str) -> Child {
    program(dir, command, file, password).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn program(dir: &Path, command: &str, file: &str, password: &str) -> Command {
    let sink = format!("[sink.jsonl]\npath = {:?}\n", dir.join("items.jsonl"));
    std::fs::write(dir.join("members.toml"), format!("{file}\n{sink}")).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_crawl"));
    program.args([command, "members.toml", "-vv"]).env("TEST_USER", "reader").env("TEST_PASSWORD", password);
    program.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    program
}

/// Waits for the end: exit code and everything that was printed.
fn end(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn members(site: &DemoSite, delay: &str, more: &str) -> String {
    let home = site.url();
    format!(
        "seeds = [\"{home}members/\"]\n[scope]\ninclude = [\"/members/\", \"/x\"]\nexclude = [\"/members/logout\"]\n\
         [politeness]\ndelay = \"{delay}\"\njitter = 0\npace = \"fixed\"\n\
         [login]\nurl = \"{home}members/login\"\ncheck = \"a.logout\"\n\
         fields = {{ username = \"${{TEST_USER}}\", password = \"${{TEST_PASSWORD}}\" }}\n\
         [cache]\nbodies = true\n{more}"
    )
}

const PASSWORD: &str = "paper heron";

/// Everything in a folder, and what was printed, as one heap of bytes.
fn heap(dir: &Path, printed: &str) -> Vec<u8> {
    let mut heap = printed.as_bytes().to_vec();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                heap.extend(path.to_string_lossy().bytes());
                heap.extend(std::fs::read(path).unwrap());
            }
        }
    }
    heap
}

fn holds(heap: &[u8], text: &str) -> bool {
    heap.windows(text.len()).any(|window| window == text.as_bytes())
}

fn paths(log: &[DemoRequest], status: u16) -> Vec<&str> {
    let answered = log.iter().filter(|asked| asked.status == status && asked.path.starts_with("/members/"));
    answered.map(|asked| asked.path.as_str()).collect()
}

fn posts(log: &[DemoRequest]) -> usize {
    log.iter().filter(|asked| asked.method == "POST").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_sees_the_members_pages_and_the_password_is_written_nowhere() {
    let site = DemoSite::start().await.unwrap();
    let other = Server::at("127.0.0.2", |_| "200 OK\nContent-Type: text/html\n\n<p>elsewhere".to_owned());
    let dir = tempfile::tempdir().unwrap();
    let file =
        members(&site, "20ms", "").replacen("seeds = [", &format!("seeds = [\"{}/x\", ", other.origin), 1);
    let child = crawl(dir.path(), "run", &file, PASSWORD);
    let (code, printed) = tokio::task::spawn_blocking(|| end(child)).await.unwrap();
    assert_eq!(code, 0, "{printed}");

    let log = site.log();
    assert_eq!((log[0].path.as_str(), log[1].path.as_str()), ("/robots.txt", "/members/login"));
    assert_eq!(log[0].cookie, None);
    assert_eq!((posts(&log), paths(&log, 303)), (1, vec!["/members/login"]));
    let mut seen = paths(&log, 200);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 8, "the form, the index and six letters: {seen:?}");
    assert!(paths(&log, 302).is_empty() && !log.iter().any(|asked| asked.path == "/members/logout"));
    let items = std::fs::read_to_string(dir.path().join("items.jsonl")).unwrap();
    assert_eq!(items.lines().count(), 8, "seven pages and the one elsewhere; the login gives none");
    assert!(other.log().iter().all(|asked| asked.cookie.is_none()), "{:?}", other.log());

    let heap = heap(dir.path(), &printed);
    for secret in [PASSWORD, "paper+heron", "paper%20heron", "token="] {
        assert!(!holds(&heap, secret), "{secret}");
    }
    assert!(holds(&heap, "logging in before anything else is asked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_sent_once_and_nothing_else_is_asked() {
    let site = DemoSite::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let child = crawl(dir.path(), "run", &members(&site, "20ms", ""), "wr0ng-one");
    let (code, printed) = tokio::task::spawn_blocking(|| end(child)).await.unwrap();
    assert_eq!(code, 3, "{printed}");
    assert!(printed.contains("are name and password right?"), "{printed}");
    let log = site.log();
    let asked: Vec<_> = log.iter().map(|asked| (asked.method.as_str(), asked.path.as_str())).collect();
    assert_eq!(asked, [("GET", "/robots.txt"), ("GET", "/members/login"), ("POST", "/members/login")]);
    assert!(!holds(&heap(dir.path(), &printed), "wr0ng-one"));

    // With the right one the same round goes on.
    let child = crawl(dir.path(), "run", &members(&site, "20ms", ""), PASSWORD);
    let (code, printed) = tokio::task::spawn_blocking(|| end(child)).await.unwrap();
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("round 1"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
async fn killed_in_the_middle_a_crawl_goes_on_logged_in() {
    let site = DemoSite::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = members(&site, "200ms", "");
    for letters in 1..=3 {
        let word = if letters == 1 { "run" } else { "resume" };
        let mut child = program(dir.path(), word, &file, PASSWORD).spawn().unwrap();
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if paths(&site.log(), 200).iter().filter(|path| path.contains("letter")).count() >= letters {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let child = crawl(dir.path(), "resume", &file, PASSWORD);
    let (code, printed) = tokio::task::spawn_blocking(|| end(child)).await.unwrap();
    assert_eq!(code, 0, "{printed}");
    let log = site.log();
    assert_eq!(posts(&log), 1, "who is in does not log in again");
    assert!(paths(&log, 302).is_empty());
    let items = std::fs::read_to_string(dir.path().join("items.jsonl")).unwrap();
    let mut urls: Vec<_> = items
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["url"].to_string())
        .collect();
    urls.sort_unstable();
    urls.dedup();
    assert_eq!((items.lines().count(), urls.len()), (7, 7));
    assert!(!holds(&heap(dir.path(), &printed), "paper+heron"));

    // The next round is another session.
    let child = crawl(dir.path(), "run", &file, PASSWORD);
    let (code, printed) = tokio::task::spawn_blocking(|| end(child)).await.unwrap();
    assert_eq!((code, posts(&site.log())), (0, 2), "{printed}");
}

#[test]
fn a_login_that_robots_txt_forbids_is_not_asked_for() {
    let server = Server::at("127.0.0.1", |asked| match asked.path.as_str() {
        "/robots.txt" => "200 OK\n\nUser-agent: *\nDisallow: /login".to_owned(),
        _ => "200 OK\nContent-Type: text/html\n\n<p>x".to_owned(),
    });
    let dir = tempfile::tempdir().unwrap();
    let home = &server.origin;
    let file = format!(
        "seeds = [\"{home}/\"]\n{QUICK}[login]\nurl = \"{home}/login\"\nfields = {{ p = \"${{TEST_PASSWORD}}\" }}\n"
    );
    let (code, printed) = end(crawl(dir.path(), "run", &file, "x"));
    assert!(code == 3 && printed.contains("robots.txt forbids the login page"), "{printed}");
    assert_eq!(server.cookies(), []);
}

#[test]
fn a_form_that_leads_elsewhere_is_not_sent() {
    let thief = Server::at("127.0.0.2", |_| "200 OK\n\n".to_owned());
    let action = format!("{}/steal", thief.origin);
    let server = Server::at("127.0.0.1", move |asked| {
        match asked.path.as_str() {
        "/robots.txt" => "404 None\n".to_owned(),
        "/307" => "200 OK\nContent-Type: text/html\n\n<form method=post action=/moved><input type=password name=p></form>".to_owned(),
        "/moved" => format!("307 There\nLocation: {action}\n"),
        _ => format!("200 OK\nContent-Type: text/html\n\n<form method=post action=\"{action}\"><input type=password name=p></form>"),
    }
    });
    for path in ["login", "307"] {
        let dir = tempfile::tempdir().unwrap();
        let home = &server.origin;
        let file = format!(
            "seeds = [\"{home}/\"]\n[scope]\nhosts = [\"127.0.0.1\", \"127.0.0.2\"]\n[net]\nallow = [\"127.0.0.2\"]\n{QUICK}\
             [login]\nurl = \"{home}/{path}\"\nfields = {{ p = \"${{TEST_PASSWORD}}\" }}\n"
        );
        let (code, printed) = end(crawl(dir.path(), "run", &file, "x"));
        assert!(code == 3 && printed.contains("leads to another origin"), "{path}: {printed}");
    }
    assert!(thief.log().is_empty());
}

#[test]
fn cookies_go_back_to_their_host_over_redirects_and_with_conditions() {
    let server = Server::at("127.0.0.1", |asked| {
        let known = asked.cookie.as_deref().is_some_and(|cookie| cookie.contains("id=1"));
        match (asked.path.as_str(), known) {
            ("/robots.txt", _) => "200 OK\nSet-Cookie: robots=1\n\n".to_owned(),
            ("/", false) => "302 Again\nLocation: /\nSet-Cookie: id=1; Path=/\n".to_owned(),
            ("/", true) => "200 OK\nContent-Type: text/html\n\n<a href=/a>a</a><a href=/b>b</a>".to_owned(),
            _ if asked.condition.is_some() => "304 Same\nSet-Cookie: late=é; Path=/\n".to_owned(),
            _ => "200 OK\nContent-Type: text/html\nETag: \"1\"\nVary: Cookie\n\n<p>x".to_owned(),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let file = format!(
        "seeds = [\"{}/\"]\n{QUICK}[cookies]\nset = {{ \"127.0.0.1\" = \"given=${{TEST_PASSWORD}}\" }}\n",
        server.origin
    );
    let (code, printed) = end(crawl(dir.path(), "run", &file, "s3cret"));
    assert_eq!(code, 0, "{printed}");
    let both = Some("given=s3cret; id=1".to_owned());
    let page = |path: &str, cookie: Option<String>| (path.to_owned(), cookie);
    let given = Some("given=s3cret".to_owned());
    assert_eq!(
        server.cookies(),
        [page("/", given), page("/", both.clone()), page("/a", both.clone()), page("/b", both)]
    );
    assert!(server.log().iter().all(|asked| asked.path != "/robots.txt" || asked.cookie.is_none()));
    assert!(!holds(&heap(dir.path(), &printed), "s3cret"));
}

#[test]
fn a_crawl_that_keeps_no_cookies_sends_none() {
    let server = Server::at("127.0.0.1", |_| {
        "200 OK\nContent-Type: text/html\nSet-Cookie: id=1\n\n<a href=/a>a</a>".to_owned()
    });
    let dir = tempfile::tempdir().unwrap();
    let file = format!("seeds = [\"{}/\"]\n{QUICK}[cookies]\nkeep = false\n", server.origin);
    let (code, printed) = end(crawl(dir.path(), "run", &file, "x"));
    assert_eq!(
        (code, server.cookies()),
        (0, vec![("/".to_owned(), None), ("/a".to_owned(), None)]),
        "{printed}"
    );
}
