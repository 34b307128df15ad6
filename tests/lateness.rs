//! Delays hold when the crawler does not keep up: a simulated clock that jumps, and a process that gets a tenth of its time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::clock::Clock;
use crawl::engine::{Crawl, Execution};
use crawl::extract::ExtractError;
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::response::Response;
use crawl::spider::Spider;
use crawl::time::Timestamp;
use crawl::url::CanonicalUrl;
use http::StatusCode;

const HOSTS: usize = 20;
const PAGES: usize = 6;

/// Moments at which hosts were asked, in their order.
type Log = Arc<Mutex<HashMap<String, Vec<u64>>>>;

/// The shortest time between two requests to one host, in the log's unit.
fn shortest_gap(log: &Log) -> u64 {
    let log = log.lock().unwrap();
    let gaps = log.values().flat_map(|moments| moments.windows(2).map(|pair| pair[1] - pair[0]));
    gaps.min().unwrap()
}

/// While some of its answers are on their way, seconds pass in which nothing else of the crawler runs.
struct Lurching {
    clock: Clock,
    log: Log,
    asked: AtomicUsize,
}

impl Fetcher for Lurching {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let started = self.clock.now();
        let host = outgoing.request.host().to_string();
        self.log.lock().unwrap().entry(host).or_default().push(started.as_millis());
        let lurches = self.asked.fetch_add(1, Ordering::SeqCst) % 7 == 3;
        tokio::time::advance(Duration::from_millis(if lurches { 2_700 } else { 3 })).await;
        let robots = outgoing.request.url.as_url().path() == "/robots.txt";
        let status = if robots { StatusCode::NOT_FOUND } else { StatusCode::OK };
        let ended = self.clock.now_up();
        Ok(Response { started, first_byte: ended, ended, ..Response::of(outgoing.request.url, status, "") })
    }
}

struct Pages;

impl Spider for Pages {
    fn name(&self) -> &str {
        "pages"
    }

    fn seeds(&self) -> Vec<Request> {
        let url = |n: usize| format!("http://h{}.example/{}", n % HOSTS, n / HOSTS);
        (0..HOSTS * PAGES).map(|n| Request::get(CanonicalUrl::parse(&url(n)).unwrap())).collect()
    }

    fn parse(&self, _: &Page, _: &mut Harvest) -> Result<(), ExtractError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_late_by_more_than_the_delay_asks_no_host_too_soon() {
    let clock = Clock::starting_at(Timestamp::from_secs(1_000_000));
    let log = Log::default();
    let fetcher = Lurching { clock: clock.clone(), log: log.clone(), asked: AtomicUsize::new(0) };
    let policy = Policy { jitter: 0.0, ..Policy::fixed(Duration::from_secs(1)) };
    let crawl = Crawl::builder().identity("late", "https://crawler.example/").spider(Pages).policy(policy);
    let crawl = crawl.clock(clock).execution(Execution::Inline);
    let report = crawl.build_with(fetcher).unwrap().run().await.unwrap();
    assert_eq!(report.totals.pages as usize, HOSTS * PAGES);
    assert!(shortest_gap(&log) >= 1_000, "{} ms", shortest_gap(&log));
}

/// The program itself, stopped and let go on by signals.
#[cfg(unix)]
mod starved {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    const DELAY: Duration = Duration::from_millis(120);
    /// A tenth of the time it runs.
    const RUNS: Duration = Duration::from_millis(6);
    const STANDS: Duration = Duration::from_millis(54);
    /// What was asked until then is judged.
    const AT_MOST: Duration = Duration::from_secs(40);

    /// Answers on a loopback address of its own, and notes when a request is there.
    fn serve(listener: &TcpListener, host: &str, log: &Log, since: Instant) {
        for stream in listener.incoming() {
            let (log, host) = (log.clone(), host.to_owned());
            std::thread::spawn(move || {
                // Whoever is killed leaves in the middle.
                let _ = converse(&stream.unwrap(), &host, &log, since);
            });
        }
    }

    fn converse(stream: &TcpStream, host: &str, log: &Log, since: Instant) -> std::io::Result<()> {
        let (mut reader, mut line) = (BufReader::new(stream), String::new());
        while reader.read_line(&mut line)? > 0 {
            if line.ends_with("\r\n\r\n") {
                let micros = since.elapsed().as_micros();
                log.lock().unwrap().entry(host.to_owned()).or_default().push(micros as u64);
                (&*stream).write_all(answer(&line).as_bytes())?;
                line.clear();
            }
        }
        Ok(())
    }

    fn answer(head: &str) -> String {
        let (status, body) = match head.split(' ').nth(1) {
            Some("/robots.txt") => ("404 Not Found", String::new()),
            _ => ("200 OK", (0..PAGES).map(|page| format!("<a href='/{page}'>{page}</a>")).collect()),
        };
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}")
    }

    /// As many hosts as there are, each with its URL.
    #[expect(clippy::disallowed_methods, reason = "a server's log is in real time")]
    fn open_hosts(log: &Log) -> Vec<String> {
        let since = Instant::now();
        let open = |number: usize| {
            let listener = TcpListener::bind(format!("127.0.7.{}:0", number + 1)).unwrap();
            let url = format!("http://{}/0", listener.local_addr().unwrap());
            let (log, host) = (log.clone(), url.clone());
            std::thread::spawn(move || serve(&listener, &host, &log, since));
            url
        };
        (0..HOSTS).map(open).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "the process stands still in real time")]
    fn starve(child: &mut Child) {
        let pid = Pid::from_child(child);
        let rounds = AT_MOST.as_millis() / (RUNS + STANDS).as_millis();
        for _ in 0..rounds {
            if child.try_wait().unwrap().is_some() {
                return;
            }
            kill_process(pid, Signal::STOP).unwrap();
            std::thread::sleep(STANDS);
            kill_process(pid, Signal::CONT).unwrap();
            std::thread::sleep(RUNS);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_program_that_runs_a_tenth_of_the_time_asks_no_host_too_soon() {
        let log = Log::default();
        let seeds = open_hosts(&log);
        let desk = tempfile::tempdir().unwrap();
        let text = format!(
            "seeds = {seeds:?}\n[politeness]\ndelay = \"{}ms\"\njitter = 0\npace = \"fixed\"\n[sink.jsonl]\npath = \"out\"\n",
            DELAY.as_millis()
        );
        std::fs::write(desk.path().join("late.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(["run", "late.toml"]).current_dir(desk.path()).env_remove("RUST_LOG");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        starve(&mut child);
        let asked: usize = log.lock().unwrap().values().map(Vec::len).sum();
        println!("{asked} requests, the shortest gap {} us", shortest_gap(&log));
        assert!(asked > HOSTS * 2, "{asked} requests are too few to judge");
        // The crawler counts in whole milliseconds and rounds waits up.
        assert!(shortest_gap(&log) >= DELAY.as_micros() as u64, "{} us", shortest_gap(&log));
    }
}
