//! A wait that a server asks for is kept to, in every form and at every place, in one run and over a kill -9.
//!
//! Each case is a host of its own on loopback. All of them refuse at the same moment, so that all windows are open together.
//! Judge is the log of the servers: nothing arrives inside a window, the first request within a second after its end, and
//! every page is there in the end.

#![cfg(target_os = "linux")] // Elsewhere only 127.0.0.1 of the loopback network has an interface.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crawl::clock::Clock;
use crawl::time::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::time::timeout;

/// What a refusal asks for. A date has whole seconds, so that up to one less is left of it.
const WINDOW: Duration = Duration::from_secs(4);
/// How far into the windows the crawl is killed: what it was told is on the disk long before.
const KILLED_AFTER: Duration = Duration::from_secs(1);
/// How late the first request after a window may come.
const AT_MOST_LATE: Duration = Duration::from_secs(1);
/// The resolution of the clocks on both sides.
const GRAIN: Duration = Duration::from_millis(5);
/// How wrong the clock of a server is that sends a `Date`: an hour slow.
const SLOW: Duration = Duration::from_secs(3600);
/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(50);

const PATHS: [&str; 6] = ["/robots.txt", "/", "/from", "/to", "/map.xml", "/page"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How the wait is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Seconds,
    Imf,
    Rfc850,
    Asctime,
    WrongWeekday,
}

/// How a host refuses, and what.
#[derive(Debug, Clone, Copy)]
struct Case {
    status: u16,
    form: Form,
    path: &'static str,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for status in [429, 503] {
        for form in [Form::Seconds, Form::Imf, Form::Rfc850, Form::Asctime, Form::WrongWeekday] {
            for path in ["/page", "/robots.txt", "/map.xml", "/to"] {
                cases.push(Case { status, form, path });
            }
        }
    }
    cases
}

impl Form {
    fn write(self, date: Timestamp) -> String {
        let (text, days) = (date.to_string(), date.as_secs() / 86_400);
        let (year, day, time) = (&text[..4], &text[8..10], &text[11..19]);
        let month = MONTHS[text[5..7].parse::<usize>().unwrap() - 1];
        // The epoch was a Thursday.
        let weekday = WEEKDAYS[(days as usize + 4 + usize::from(self == Self::WrongWeekday)) % 7];
        let short = &weekday[..3];
        match self {
            Self::Seconds => WINDOW.as_secs().to_string(),
            Self::Imf | Self::WrongWeekday => format!("{short}, {day} {month} {year} {time} GMT"),
            Self::Rfc850 => format!("{weekday}, {day}-{month}-{} {time} GMT", &year[2..]),
            Self::Asctime => format!("{short} {month} {:>2} {time} {year}", day.trim_start_matches('0')),
        }
    }
}

/// A window as its server means it.
struct Window {
    end: Timestamp,
    /// The last moment at which it may end for somebody who knows the answer alone: a `Date` has whole seconds too.
    read_as: Timestamp,
}

/// One host.
struct Site {
    case: Case,
    address: SocketAddr,
    has_refused: AtomicBool,
    window: OnceLock<Window>,
}

struct Arrival {
    site: usize,
    path: String,
    at: Timestamp,
    refused: bool,
}

struct Web {
    clock: Clock,
    sites: Vec<Site>,
    /// All hosts that are about to refuse, and the test.
    about_to_refuse: Barrier,
    log: Mutex<Vec<Arrival>>,
}

impl Web {
    /// Starts a server for each case, on an address of 127.0.`net`.0/24.
    async fn start(net: u8) -> Arc<Self> {
        let (mut sites, mut listeners) = (Vec::new(), Vec::new());
        for (case, last) in cases().into_iter().zip(1_u8..) {
            let listener = TcpListener::bind((Ipv4Addr::new(127, 0, net, last), 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            sites.push(Site { case, address, has_refused: AtomicBool::new(false), window: OnceLock::new() });
            listeners.push(listener);
        }
        let about_to_refuse = Barrier::new(sites.len() + 1);
        let web = Arc::new(Self { clock: Clock::start(), sites, about_to_refuse, log: Mutex::default() });
        for (site, listener) in listeners.into_iter().enumerate() {
            tokio::spawn(serve(web.clone(), site, listener));
        }
        web
    }

    async fn answer(&self, number: usize, path: &str) -> String {
        let at = self.clock.now();
        let site = &self.sites[number];
        let refused = path == site.case.path && !site.has_refused.swap(true, Ordering::SeqCst);
        self.log.lock().unwrap().push(Arrival { site: number, path: path.to_owned(), at, refused });
        if !refused {
            return site.page(path);
        }
        self.about_to_refuse.wait().await;
        site.refuse(self.clock.now())
    }

    /// Everything in the log that should not be there, or is not.
    fn faults(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let of_site = |number| log.iter().filter(move |arrival| arrival.site == number).collect::<Vec<_>>();
        let mut faults = Vec::new();
        for (number, site) in self.sites.iter().enumerate() {
            let case = site.case;
            faults
                .extend(site.faults(&of_site(number)).into_iter().map(|fault| format!("{case:?}: {fault}")));
        }
        faults
    }
}

impl Site {
    /// A 429 comes from a server whose clock is wrong and says so in its `Date`; a 503 from one without a `Date`.
    fn refuse(&self, now: Timestamp) -> String {
        let Case { status, form, .. } = self.case;
        let wrong_by = if status == 429 { SLOW } else { Duration::ZERO };
        let servers_now = Timestamp::from_secs((now - wrong_by).as_secs());
        let date = servers_now + WINDOW;
        let told = now + WINDOW;
        let window = match (form, status) {
            (Form::Seconds, _) => Window { end: told, read_as: told },
            (_, 429) => Window { end: date + SLOW, read_as: told },
            _ => Window { end: date, read_as: date },
        };
        assert!(self.window.set(window).is_ok(), "a host refuses once");
        let date_line =
            if status == 429 { format!("Date: {}\r\n", Form::Imf.write(servers_now)) } else { String::new() };
        let told = form.write(date);
        format!("HTTP/1.1 {status} No\r\n{date_line}Retry-After: {told}\r\nContent-Length: 0\r\n\r\n")
    }

    fn page(&self, path: &str) -> String {
        let (kind, body) = match path {
            "/robots.txt" => ("text/plain", "User-agent: *\nDisallow: /closed\n".to_owned()),
            "/map.xml" => ("application/xml", "<urlset></urlset>".to_owned()),
            "/" => ("text/html", self.links()),
            _ => ("text/html", "<title>A page</title>".to_owned()),
        };
        let head = if path == "/from" { "302 Found\r\nLocation: /to" } else { "200 OK" };
        format!("HTTP/1.1 {head}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// What is refused is linked first, so that the rest is still to come.
    fn links(&self) -> String {
        let first = if self.case.path == "/to" { "/from" } else { self.case.path };
        let mut paths = ["/from", "/map.xml", "/page"];
        paths.sort_by_key(|path| *path != first);
        paths.iter().map(|path| format!("<a href={path}>it</a>")).collect()
    }

    fn faults(&self, log: &[&Arrival]) -> Vec<String> {
        let Some(window) = self.window.get() else { return vec!["it was never asked".to_owned()] };
        let refusal = log.iter().position(|arrival| arrival.refused).unwrap();
        let after = &log[refusal + 1..];
        let mut faults = Vec::new();
        for arrival in after.iter().filter(|arrival| arrival.at + GRAIN < window.end) {
            let early = window.end.since(arrival.at);
            faults.push(format!("{} came {early:?} before the end of the window", arrival.path));
        }
        let late = after.first().map(|first| first.at.since(window.read_as));
        if late.is_none_or(|late| late > AT_MOST_LATE) {
            faults.push(format!("the first request came {late:?} after the end of the window"));
        }
        let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
        for arrival in log.iter().filter(|arrival| !arrival.refused) {
            *answered.entry(&arrival.path).or_default() += 1;
        }
        let all_once = answered.len() == PATHS.len() && answered.values().all(|times| *times == 1);
        if !all_once {
            faults.push(format!("not every page was got once: {answered:?}"));
        }
        faults
    }
}

async fn serve(web: Arc<Web>, site: usize, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(web.clone(), site, BufReader::new(stream)));
    }
}

async fn converse(web: Arc<Web>, site: usize, mut stream: BufReader<TcpStream>) {
    while let Some(path) = asked_path(&mut stream).await {
        let answer = web.answer(site, &path).await;
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads the head of a GET to its end.
async fn asked_path(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut path = None;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|len| *len > 0)?;
        if line == "\r\n" {
            return path;
        }
        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
    }
}

fn crawl(web: &Web, dir: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["run", "--quiet", "--set", "politeness.delay=10ms", "--set", "politeness.jitter=0"]);
    for site in &web.sites {
        command.arg("--seed").arg(format!("http://{}/", site.address));
    }
    command.arg("--state").arg(dir.join("state")).arg("--out").arg(dir.join("pages.jsonl"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Its exit code, once it has ended by itself.
async fn end_of(mut crawl: Child) -> Option<i32> {
    let ended = tokio::task::spawn_blocking(move || crawl.wait().unwrap());
    timeout(DEADLINE, ended).await.expect("the crawl ends by itself").unwrap().code()
}

async fn all_have_refused(web: &Web) {
    timeout(DEADLINE, web.about_to_refuse.wait()).await.expect("every host is asked for what it refuses");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_kept_to_in_every_form_and_at_every_place() {
    let (web, dir) = (Web::start(1).await, tempfile::tempdir().unwrap());
    let crawl = crawl(&web, dir.path());
    all_have_refused(&web).await;
    assert_eq!(end_of(crawl).await, Some(0), "a complete crawl");
    assert_eq!(web.faults(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_kept_to_over_a_kill() {
    let (web, dir) = (Web::start(2).await, tempfile::tempdir().unwrap());
    let mut first = crawl(&web, dir.path());
    all_have_refused(&web).await;
    web.clock.sleep_until(web.clock.now() + KILLED_AFTER).await;
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(end_of(crawl(&web, dir.path())).await, Some(0), "a complete crawl");
    assert_eq!(web.faults(), [""; 0]);
}
