//! Where the time of a run goes, and what the report says of it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crawl::address::AddressPolicy;
use crawl::clock::Clock;
use crawl::engine::{Crawl, Execution, LimitedBy, Report};
use crawl::fetch::http::HttpOptions;
use crawl::politeness::Policy;
use crawl::testing::{FollowAll, Latency, SimWeb, Site};
use crawl::time::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

/// The least that a page is waited for.
const WAIT: Duration = Duration::from_millis(150);
const PAGES: u32 = 4;
const STAGES: [&str; 9] =
    ["dns", "connect", "wait", "download", "decode", "parse", "extract", "store", "sink"];

/// Answers a request for a page when its gate lets it, and says that it was asked.
#[derive(Clone)]
struct Server {
    asked: mpsc::UnboundedSender<()>,
    gate: Arc<Semaphore>,
}

impl Server {
    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().answer(stream));
        }
    }

    /// One answer after the other, over the same connection.
    async fn answer(self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            let is_robots = head.starts_with(b"GET /robots.txt");
            if !is_robots {
                self.asked.send(()).unwrap();
                self.gate.acquire().await.unwrap().forget();
            }
            let body = if is_robots { Vec::new() } else { page() };
            let status = if is_robots { "404 Not Found" } else { "200 OK" };
            let (length, coding) = (body.len(), if is_robots { "" } else { "content-encoding: gzip\r\n" });
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/html\r\n{coding}content-length: {length}\r\n\r\n"
            );
            stream.write_all(&[answer.into_bytes(), body].concat()).await?;
        }
    }
}

/// A page with links to all others.
fn page() -> Vec<u8> {
    let links: String = (1..PAGES).map(|page| format!("<a href=/{page}>{page}</a>")).collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(links.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// Opens the gate for each page once its wait is over.
async fn open(mut asked: mpsc::UnboundedReceiver<()>, gate: Arc<Semaphore>) {
    let clock = Clock::start();
    while asked.recv().await.is_some() {
        clock.sleep_until(clock.now_up() + WAIT).await;
        gate.add_permits(1);
    }
}

async fn crawl_slow_server() -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = format!("http://{}/", listener.local_addr().unwrap());
    let (asked, hears) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    tokio::spawn(Server { asked, gate: Arc::clone(&gate) }.serve(listener));
    tokio::spawn(open(hears, gate));
    let addresses = AddressPolicy::new(vec!["127.0.0.1/32".parse().unwrap()]);
    let crawl = Crawl::builder()
        .spider(FollowAll::new("all", [home]))
        .policy(Policy { jitter: 0.0, ..Policy::fixed(Duration::ZERO) })
        .http(HttpOptions { addresses, ..HttpOptions::default() });
    crawl.build().unwrap().run().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_slow_server_the_wait_is_told_and_that_it_was_the_limit() {
    let report = crawl_slow_server().await;
    assert_eq!((report.totals.pages, report.totals.failed), (PAGES.into(), 0));
    let (stages, load) = (&report.stages, &report.load);
    assert!(stages.wait.total >= WAIT * PAGES, "{stages:?}");
    assert!(stages.wait.spread.is_some_and(|spread| spread.median >= WAIT && spread.p95 >= spread.median));
    let limit = report.limited_by.as_ref().unwrap();
    assert_eq!(limit.by, LimitedBy::Servers, "{limit:?}, {stages:?}, {load:?}");
    assert!(limit.says.starts_with("servers (wait "), "{limit}");
    assert!(limit.share > 0.5, "{limit:?}");

    // robots.txt is an exchange too.
    let exchanges = u64::from(PAGES) + 1;
    let connections = load.connections;
    assert_eq!((stages.wait.count, connections.new + connections.reused), (exchanges, exchanges));
    assert!(connections.new >= 1 && connections.reused >= u64::from(PAGES) - 1, "{connections:?}");
    assert_eq!((stages.connect.count, stages.decode.count), (connections.new, PAGES.into()));
    assert_eq!((stages.parse.count, stages.extract.count), (PAGES.into(), PAGES.into()));
    assert!(load.looping < 0.85 && load.writer < 0.85, "{load:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_as_json_has_every_stage_and_how_busy_everybody_was() {
    let report = serde_json::to_value(crawl_slow_server().await).unwrap();
    let stages = report["stages"].as_object().unwrap();
    assert_eq!(stages.keys().collect::<Vec<_>>(), STAGES);
    for (name, stage) in stages {
        assert!(stage["seconds"].is_number() && stage["count"].is_u64(), "{name}: {stage}");
    }
    assert!(stages["wait"]["median-s"].as_f64() >= Some(WAIT.as_secs_f64()), "{}", stages["wait"]);
    assert!(stages["wait"]["p95-s"].is_number());
    let load = &report["load"];
    for name in ["seconds", "loop", "reading", "writer", "channel-full-s", "cores"] {
        assert!(load[name].is_number(), "{name}: {load}");
    }
    assert!(load["connections"]["reused"].as_u64() > Some(0), "{load}");
    assert!(load["waits"]["delay-s"].is_number(), "{load}");
    if cfg!(unix) {
        assert!(
            load["cpu-user-s"].is_number() && load["peak-memory-bytes"].as_u64() > Some(1 << 20),
            "{load}"
        );
    }
    assert_eq!(report["limited-by"]["by"], "servers");
}

/// Ten hosts with ten pages each, 200 ms an answer, on simulated time.
fn simulated(delay: Duration) -> Report {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::starting_at(Timestamp::from_secs(1_790_000_000));
        let site =
            Site { count: 10, pages: 9, latency: Latency::Fixed(0.2), ..Site::at("http://h{}.example") };
        let web = SimWeb::new([site], clock.clone(), 1);
        let crawl = Crawl::builder()
            .identity("simbot", "tests@example.com")
            .spider(FollowAll::new("all", (1..=10).map(|host| format!("http://h{host}.example/"))))
            .policy(Policy { jitter: 0.0, ..Policy::fixed(delay) })
            .clock(clock)
            .execution(Execution::Inline);
        crawl.build_with(web).unwrap().run().await.unwrap()
    })
}

#[test]
fn what_is_simulated_is_measured_by_the_simulated_clock_and_the_same_every_time() {
    let json = |report: &Report| {
        let report = serde_json::to_value(report).unwrap();
        [report["stages"].clone(), report["load"].clone(), report["limited-by"].clone()]
    };
    let (once, again) = (simulated(Duration::from_secs(1)), simulated(Duration::from_secs(1)));
    assert_eq!(json(&once), json(&again));
    let stages = &once.stages;
    // A hundred pages and ten robots.txt.
    assert_eq!(
        (stages.wait.total + stages.download.total, stages.wait.count),
        (Duration::from_secs(22), 110)
    );
    assert_eq!((stages.parse.total, stages.store.total, stages.sink.total), Default::default());
    assert!(once.load.machine.is_none());
    let limit = once.limited_by.unwrap();
    assert_eq!(limit.by, LimitedBy::Delay);
    assert!(limit.says.starts_with("the delay of 10 hosts (8"), "{limit}");
    assert_eq!(simulated(Duration::from_millis(20)).limited_by.unwrap().by, LimitedBy::Servers);
}

#[test]
fn the_command_says_what_limited_a_run_and_shows_the_table_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let quick = ["politeness.delay=5ms", "politeness.jitter=0", "politeness.pace=fixed", "scope.max-depth=1"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
    command.args(["run", "--seed", "demo:", "--state", "state", "--report", "report.json", "--profile"]);
    command.args(quick.iter().flat_map(|set| ["--set", set])).current_dir(folder.path());
    let output = command.env_remove("RUST_LOG").stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.lines().any(|line| line.starts_with("  limited by    ")), "{told}");
    for stage in STAGES.iter().chain(&["busy", "over", "waits"]) {
        assert!(told.lines().any(|line| line.split_whitespace().next() == Some(stage)), "{stage}: {told}");
    }
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert!(report["stages"]["wait"]["count"].as_u64() > Some(5), "{report}");
    assert!(told.contains(report["limited-by"]["says"].as_str().unwrap()), "{told}");
}
