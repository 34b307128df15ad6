//! Limits, bans, outages, forbidden sections and real blocks, thousands of each over two days: who is suspected, and when?
//!
//! A simulation of the rules alone, without a network or a clock. What real limits last is an assumption: 55 % have a median
//! of 30 s, 30 % of 10 min, 12 % last about 50 min and 3 % up to a day; half of them tell a `Retry-After`, and of these 15 %
//! are too short. A block lets 1 % of the requests pass. One control in ten of a host with forbidden sections tells nothing.

use std::time::Duration;

use crawl::politeness::block::{Control, ControlAnswer, Refusal, RefusalKind, Sections};
use crawl::politeness::{Backoff, BlockPolicy, Finding, Standing, Watch};
use crawl::time::Timestamp;
use fastrand::Rng;

const HOSTS: u64 = 2_000;
const START: Timestamp = Timestamp::from_secs(1_000_000);
const DELAY: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_millis(300);
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
/// Healthy pages after which a host has nothing more to tell.
const WELL: u32 = 20;
/// Pages of a section of a host that forbids sections.
const SECTION: u64 = 60;

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
enum Server {
    /// It refuses until then.
    Limited { until: Timestamp, tells: Tells },
    /// Each try before the end makes the ban last so long again.
    Ban { until: Timestamp, again: Duration },
    /// Broken until then.
    Outage { until: Timestamp },
    /// Nothing but 503 until then.
    Maintenance { until: Timestamp },
    /// Every third section answers 97 % of its pages with 403.
    Sections,
    /// 99 % refused, for good.
    Blocks { with: Refused, tells: Tells },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Tells {
    Nothing,
    /// What is left of the wait, or this share of it.
    Share(f64),
    /// The same short wait every time.
    Always(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Refused {
    kind: RefusalKind,
    status: Option<u16>,
    told: Option<Duration>,
}

impl Refused {
    const fn new(kind: RefusalKind, status: u16) -> Self {
        Self { kind, status: Some(status), told: None }
    }
}

const LIMIT: Refused = Refused::new(RefusalKind::Throttled, 429);
const FORBIDDEN: Refused = Refused::new(RefusalKind::Forbidden, 403);

impl Server {
    /// `None` is a healthy answer.
    fn answer(&mut self, page: u64, now: Timestamp, rng: &mut Rng) -> Option<Refused> {
        match self {
            Self::Limited { until, tells } => (now < *until).then(|| tells.on(LIMIT, until.since(now))),
            Self::Ban { until, again } => (now < *until).then(|| {
                *until = now + *again;
                LIMIT
            }),
            Self::Outage { until } => (now < *until).then(|| match rng.u8(0..5) {
                0 => Refused { status: None, ..Refused::new(RefusalKind::Failure, 0) },
                1 => Refused::new(RefusalKind::Throttled, 503),
                other => Refused::new(RefusalKind::Failure, [500, 502, 504][usize::from(other) - 2]),
            }),
            Self::Maintenance { until } => (now < *until).then(|| Refused::new(RefusalKind::Throttled, 503)),
            Self::Sections => (page / SECTION % 3 == 1 && rng.f64() < 0.97).then_some(FORBIDDEN),
            Self::Blocks { with, tells } => {
                (rng.f64() < 0.99).then(|| tells.on(*with, Duration::from_hours(1)))
            }
        }
    }

    /// What the page that was there before answers.
    fn control(&self, rng: &mut Rng) -> ControlAnswer {
        match self {
            Self::Blocks { .. } if rng.f64() < 0.99 => ControlAnswer::Refused(403),
            // The page may be gone by now, or the answer late.
            Self::Sections if rng.f64() < 0.1 => ControlAnswer::Inconclusive,
            _ => ControlAnswer::Passed,
        }
    }
}

impl Tells {
    fn on(self, refused: Refused, left: Duration) -> Refused {
        let told = match self {
            Self::Nothing => None,
            Self::Share(share) => Some(left.mul_f64(share)),
            Self::Always(seconds) => Some(Duration::from_secs(seconds)),
        };
        Refused { told, ..refused }
    }
}

/// One host and its crawler.
struct Run {
    server: Server,
    rng: Rng,
    policy: BlockPolicy,
    watch: Watch,
    sections: Sections,
    now: Timestamp,
    last_end: Timestamp,
    strikes: u32,
    page: u64,
    well: u32,
    requests: u32,
    refused: u32,
    dropped: u32,
    /// Requests and time until each finding came first.
    suspected: Option<(u32, Duration)>,
    blocked: Option<(u32, Duration)>,
    down: bool,
}

impl Run {
    fn new(server: Server, seed: u64) -> Self {
        Self {
            server,
            rng: Rng::with_seed(seed),
            policy: BlockPolicy::default(),
            watch: Watch::default(),
            sections: Sections::default(),
            now: START,
            last_end: START,
            strikes: 0,
            page: 0,
            well: 0,
            requests: 0,
            refused: 0,
            dropped: 0,
            suspected: None,
            blocked: None,
            down: false,
        }
    }

    fn until(mut self, end: Duration) -> Self {
        let pages = SECTION * 9;
        while self.now < START + end && self.well < WELL && self.page < pages * 10 {
            let path = format!("/{}/{}", self.page / SECTION, self.page);
            if self.sections.is_shut(&path, &self.policy) {
                self.dropped += 1;
                self.page += 1;
                continue;
            }
            let wait = self.ask(&path);
            let Some(pause) = self.watch.pause(&self.policy, self.rng.f64()) else { break };
            self.now = self.last_end + wait.max(pause);
            if matches!(self.server, Server::Sections) && self.page >= pages {
                break;
            }
        }
        self
    }

    /// One request. Gives the wait after it.
    fn ask(&mut self, path: &str) -> Duration {
        let (began, pause) = (self.now, self.now.since(self.last_end));
        self.requests += 1;
        self.last_end = began + ANSWER;
        self.page += 1;
        let Some(refused) = self.server.answer(self.page - 1, began, &mut self.rng) else {
            self.sections.fine(path);
            let finding = self.watch.answered(self.page, began);
            self.hear(finding);
            self.strikes = 0;
            self.well += u32::from(!matches!(self.server, Server::Sections | Server::Blocks { .. }));
            return DELAY;
        };
        self.well = 0;
        self.refused += 1;
        let Refused { kind, status, told } = refused;
        let ended = self.last_end;
        let refusal = Refusal { kind, status, told, pause, began, ended, headers: None };
        let finding = self.watch.refused(&refusal, &self.policy);
        self.hear(finding);
        if kind == RefusalKind::Forbidden {
            self.sections.forbidden(path);
            self.control();
        }
        let usual = self.usual_wait(refused);
        usual.max(self.watch.stretch(&self.policy).unwrap_or_default())
    }

    fn usual_wait(&mut self, refused: Refused) -> Duration {
        self.strikes += 1;
        let roll = self.rng.f64();
        match refused.kind {
            RefusalKind::Throttled => Backoff::default().wait(self.strikes, refused.told, roll).max(DELAY),
            RefusalKind::Failure if self.strikes > 3 => Backoff::default().wait(self.strikes - 3, None, roll),
            RefusalKind::Failure | RefusalKind::Forbidden => refused.told.unwrap_or(DELAY),
        }
    }

    fn control(&mut self) {
        if !self.watch.wants_control(&self.policy) {
            return;
        }
        let answer = self.server.control(&mut self.rng);
        // HEAD, and GET to confirm a refusal.
        self.requests += if matches!(answer, ControlAnswer::Refused(_)) { 2 } else { 1 };
        self.last_end = self.last_end + DELAY + ANSWER;
        match answer {
            ControlAnswer::Passed => self.sections.confirm(),
            ControlAnswer::Refused(_) => self.sections.forget(),
            ControlAnswer::Inconclusive => {}
        }
        let control = Control { at: self.last_end, asked: "GET /".to_owned(), answer };
        let finding = self.watch.control(control);
        self.hear(finding);
    }

    fn hear(&mut self, finding: Finding) {
        let so_far = (self.requests, self.last_end.since(START));
        match finding {
            Finding::Suspected => {
                self.suspected.get_or_insert(so_far);
            }
            Finding::Blocked => {
                self.blocked.get_or_insert(so_far);
            }
            Finding::Down => self.down = true,
            Finding::Nothing | Finding::Section | Finding::Cleared => {}
        }
    }
}

fn log_normal(median: f64, sigma: f64, rng: &mut Rng) -> f64 {
    let normal = (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    median * (sigma * normal).exp()
}

fn after(seconds: f64) -> Timestamp {
    START + Duration::from_secs_f64(seconds)
}

fn limited(rng: &mut Rng) -> Server {
    let seconds = match rng.f64() {
        share if share < 0.55 => log_normal(30.0, 0.8, rng),
        share if share < 0.85 => log_normal(10.0 * MINUTE, 0.6, rng),
        share if share < 0.97 => log_normal(50.0 * MINUTE, 0.2, rng),
        _ => HOUR * 24_f64.powf(rng.f64()),
    };
    let tells = match rng.f64() {
        share if share < 0.5 => Tells::Nothing,
        share if share < 0.575 => Tells::Share(0.1 + 0.8 * rng.f64()),
        _ => Tells::Share(1.0),
    };
    Server::Limited { until: after(seconds), tells }
}

fn ban(rng: &mut Rng) -> Server {
    let again = Duration::from_secs([60, 300, 600][rng.usize(0..3)]);
    Server::Ban { until: START + again, again }
}

fn outage(rng: &mut Rng) -> Server {
    Server::Outage { until: after(log_normal(HOUR, 1.5, rng).min(36.0 * HOUR)) }
}

fn maintenance(rng: &mut Rng) -> Server {
    Server::Maintenance { until: after(log_normal(HOUR, 1.5, rng).min(36.0 * HOUR)) }
}

fn sections(_: &mut Rng) -> Server {
    Server::Sections
}

fn blocks_with_429(rng: &mut Rng) -> Server {
    let tells = if rng.f64() < 0.3 { Tells::Always(rng.u64(1..120)) } else { Tells::Nothing };
    Server::Blocks { with: LIMIT, tells }
}

fn blocks_with_403(_: &mut Rng) -> Server {
    Server::Blocks { with: FORBIDDEN, tells: Tells::Nothing }
}

/// What became of the hosts of one kind.
struct Row {
    name: &'static str,
    runs: Vec<Run>,
}

impl Row {
    fn new(name: &'static str, kind: fn(&mut Rng) -> Server) -> Self {
        let run = |seed| {
            let mut rng = Rng::with_seed(seed);
            Run::new(kind(&mut rng), seed + 1_000_000).until(Duration::from_hours(48))
        };
        Self { name, runs: (0..HOSTS).map(run).collect() }
    }

    fn share(&self, of: impl Fn(&Run) -> bool) -> f64 {
        self.runs.iter().filter(|run| of(run)).count() as f64 / self.runs.len() as f64 * 100.0
    }

    fn median(&self, of: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.runs.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// As it stands in docs/blocks.md.
    fn print(&self) -> String {
        let shown =
            |value: Option<f64>, places| value.map_or("-".into(), |value| format!("{value:.places$}"));
        format!(
            "| {} | {:.1} | {:.1} | {:.1} | {} | {} | {} |",
            self.name,
            self.share(|run| run.suspected.is_some()),
            self.share(|run| run.blocked.is_some()),
            self.share(|run| run.down),
            shown(self.median(|run| run.suspected.map(|(requests, _)| f64::from(requests))), 0),
            shown(self.median(|run| run.suspected.map(|(_, time)| time.as_secs_f64() / HOUR)), 1),
            shown(self.median(|run| Some(f64::from(run.refused))), 0),
        )
    }
}

#[test]
fn only_a_block_is_suspected() {
    let rows = [
        Row::new("rate limit", limited),
        Row::new("ban that each try extends", ban),
        Row::new("outage (5xx, timeouts)", outage),
        Row::new("maintenance (nothing but 503)", maintenance),
        Row::new("forbidden sections", sections),
        Row::new("block with 429", blocks_with_429),
        Row::new("block with 403 or challenge pages", blocks_with_403),
    ];
    let table: Vec<String> = rows.iter().map(Row::print).collect();
    println!("{}", table.join("\n"));

    let [limit, innocent @ .., throttles, forbids] = &rows;
    assert!(limit.share(|run| run.suspected.is_some()) <= 2.0);
    assert_eq!(limit.share(|run| run.blocked.is_some()), 0.0);
    assert!(limit.runs.iter().all(|run| run.watch.standing() == Standing::Ok), "all are well in the end");
    for row in innocent {
        assert_eq!(row.share(|run| run.suspected.is_some()), 0.0, "{}", row.name);
    }
    for (row, most) in [(throttles, 13.0), (forbids, 8.0)] {
        assert_eq!(row.share(|run| run.suspected.is_some()), 100.0, "{}", row.name);
        assert!(row.share(|run| run.blocked.is_some()) >= 99.0, "{}", row.name);
        assert!(row.median(|run| run.suspected.map(|(requests, _)| f64::from(requests))).unwrap() <= most);
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/blocks.md")).unwrap();
    for row in table {
        assert!(page.contains(&row), "docs/blocks.md lacks this row:\n{row}");
    }
}

#[test]
fn pages_of_a_forbidden_section_are_spared_and_the_others_are_not() {
    let row = Row::new("forbidden sections", sections);
    for run in &row.runs {
        assert!(run.dropped > 60, "{} of 180 forbidden pages spared", run.dropped);
        assert!(run.dropped < 180, "{} dropped", run.dropped);
    }
}

#[test]
fn a_host_that_blocks_for_ever_is_left_alone_in_the_end() {
    for seed in 0..200 {
        let server = Server::Blocks { with: LIMIT, tells: Tells::Nothing };
        let run = Run::new(server, seed).until(Duration::from_hours(24 * 60));
        let silent = run.watch.pause(&run.policy, 0.0).is_none();
        assert!(silent || run.watch.standing() == Standing::Ok, "{:?}", run.watch.standing());
        assert!(run.requests < 80, "{}", run.requests);
    }
}
