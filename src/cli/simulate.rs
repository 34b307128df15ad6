//! `crawl simulate`: a crawler file against a simulated server, on simulated time.
//!
//! The real engine runs with the file's own seeds, scope, pace and rules; only the web, the clock, the store and the sinks are
//! others. So nothing is asked, nothing is written, a day takes seconds, and what a hidden limit made of it can be measured.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::args::SimulateArgs;
use super::exit::{Exit, Failure};
use super::render::{counted, duration, print, print_json, safe};
use super::{Registry, Stage, setup};
use crate::config::{Loader, Plan};
use crate::engine::{Crawl, End, Execution, HostReport, Start};
use crate::politeness::Policy;
use crate::spider::Spider;
use crate::testing::{
    Adapted, Counts, Felt, HostMeasures, Measures, Operator, Parked, Scenario, ScenarioError, ScenarioRun,
    SimWeb, Simulation,
};
use crate::url::HostKey;

/// Hours of a simulation if nobody says otherwise.
const A_DAY: f64 = 24.0;
/// Most hours of a simulation: more than a year.
const MOST_HOURS: f64 = 10_000.0;
/// Hosts, hours and faults that are listed.
const MOST_LINES: usize = 48;

/// Everything that is simulated.
struct Trial<'a> {
    scenario: &'a Scenario,
    plan: &'a Plan,
    spider: Arc<dyn Spider>,
    hours: f64,
    seed: u64,
}

pub(super) fn simulate(args: &SimulateArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let mut scenario = read(&args.scenario)?;
    scenario.for_crawler_file();
    let loader = scenario.crawl.seeds.iter().fold(args.sets.over(Some(&args.file)), Loader::seed);
    let mut plan = loader.load()?;
    refuse_demo(&plan, &args.scenario)?;
    let spider = setup::spider(&mut plan, registry)?;
    let trial = Trial {
        hours: hours(args, &scenario)?,
        seed: args.seed.unwrap_or(scenario.crawl.seed),
        scenario: &scenario,
        plan: &plan,
        spider,
    };
    let run = match stage.voice.verbose {
        // Log lines bear the machine's time, and the figures below say what they would.
        0 => tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::new(), || trial.run(args)),
        _ => trial.run(args),
    }?;
    if let Some(file) = &args.transcript {
        std::fs::write(file, run.transcript.to_text()).map_err(Failure::file(file))?;
    }
    if args.json {
        print_json(&trial.record(&run))?;
    } else {
        print(&trial.describe(&run))?;
    }
    Ok(if run.faults.is_empty() { Exit::COMPLETE } else { Exit::FAILED })
}

fn read(file: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", file.display())))?;
    Scenario::parse(&text).map_err(|error| match error {
        ScenarioError::File(told) => {
            let key = if told.key.is_empty() { String::new() } else { format!("`{}`: ", told.key) };
            let place = format!("{}:{}:{}", file.display(), told.line, told.column);
            Failure::Usage(format!("{key}{}\n --> {place}", told.message))
        }
        error => error.into(),
    })
}

fn refuse_demo(plan: &Plan, scenario: &Path) -> Result<(), Failure> {
    if !plan.needs_demo() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "`demo:` is a server on the machine's own clock and cannot be simulated\n  = write `seeds = [\"http://a.example/\"]` under [crawl] in {}, and a [[site]] for it",
        scenario.display()
    )))
}

fn hours(args: &SimulateArgs, scenario: &Scenario) -> Result<f64, Failure> {
    let hours = args.hours.or(scenario.crawl.hours).unwrap_or(A_DAY);
    if hours > 0.0 && hours <= MOST_HOURS {
        return Ok(hours);
    }
    Err(Failure::Usage(format!("--hours {hours}: write a number of hours up to {MOST_HOURS}")))
}

impl Trial<'_> {
    fn run(&self, args: &SimulateArgs) -> Result<ScenarioRun, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|source| Failure::System { what: "a runtime", source })?;
        runtime.block_on(async {
            let world = self.scenario.simulation(self.seed);
            self.check_sites(&world, &args.scenario)?;
            let operator = Operator {
                kill_at: self.scenario.crawl.kill_at.clone(),
                stop_at: Some(self.hours * 3_600.0),
                parked: Parked::RunsAgain,
            };
            let course = world.run(&operator, |world| self.crawl(world)).await?;
            Ok(self.scenario.judge(&world, course, |host| self.policy(host)))
        })
    }

    /// A seed that nobody answers at is a slip, not a dead host.
    fn check_sites(&self, world: &Simulation, scenario: &Path) -> Result<(), Failure> {
        let seeds = self.spider.seeds();
        match seeds.iter().map(|seed| seed.url.origin()).find(|origin| !world.web.has(origin)) {
            None => Ok(()),
            Some(origin) => Err(Failure::Usage(format!(
                "no [[site]] of {} is at {}, where the crawl begins\n  = add one, or one that stands for every origin: origin = \"*\"",
                scenario.display(),
                origin.as_str()
            ))),
        }
    }

    fn crawl(&self, world: &Simulation) -> Result<Crawl<SimWeb>, Failure> {
        let seed = self.seed;
        let crawl = setup::describe(self.plan, Arc::clone(&self.spider), &world.clock)?
            .settings(move |settings| settings.seed = seed)
            .store(world.store.clone())
            .start(Start::Continue)
            .execution(Execution::Inline)
            .build_with(world.web.clone())?;
        Ok(crawl)
    }

    fn policy(&self, host: &str) -> Policy {
        self.plan.policy(&HostKey::of(host))
    }
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Record<'a> {
    crawl: &'a str,
    about: &'a str,
    seed: u64,
    end: &'static str,
    exit_code: u8,
    runs: u32,
    items: u64,
    throttled_seconds: u64,
    measures: &'a Measures,
    hosts: &'a [HostReport],
    breaches: Vec<String>,
    faults: &'a [String],
}

impl Trial<'_> {
    fn record<'a>(&'a self, run: &'a ScenarioRun) -> Record<'a> {
        Record {
            crawl: &self.plan.name,
            about: &self.scenario.about,
            seed: self.seed,
            end: end_of(run),
            exit_code: run.report.exit_code(),
            runs: run.runs,
            items: run.report.totals.items,
            throttled_seconds: throttled_seconds(run),
            measures: &run.measures,
            hosts: &run.report.hosts,
            breaches: run.breaches.iter().map(ToString::to_string).collect(),
            faults: &run.faults,
        }
    }

    fn describe(&self, run: &ScenarioRun) -> String {
        let mut text = format!("{}: {}\n", safe(&self.plan.name), headline(run, self.seed));
        for (name, value) in rows(run) {
            row(&mut text, name, &value);
        }
        let hosts = run.report.hosts.iter();
        for host in hosts.take(MOST_LINES) {
            row(&mut text, "host", &host_line(host, run.measures.hosts.get(&host.host)));
        }
        let more = run.report.hosts.len().saturating_sub(MOST_LINES);
        if more > 0 {
            row(&mut text, "", &format!("and {}", counted(more as u64, "host")));
        }
        by_hour(&mut text, &run.measures.by_hour);
        if let Some(hint) = hint(run) {
            writeln!(text, "\n{hint}").expect("a String takes everything");
        }
        faults(&mut text, &run.faults);
        text
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    writeln!(text, "  {name:<13} {}", safe(value)).expect("a String takes everything");
}

fn end_of(run: &ScenarioRun) -> &'static str {
    match run.report.end {
        End::Complete => "complete",
        End::Limit => "stopped at its limit",
        End::Parked { .. } => "parked",
        End::Interrupted => "still running",
        End::LoginFailed(_) => "not logged in",
    }
}

fn headline(run: &ScenarioRun, seed: u64) -> String {
    let took = run.ended.since(run.transcript.began);
    let mut text = format!("{} after {} of simulated time, seed {seed}", end_of(run), duration(took));
    if run.runs > 1 {
        write!(text, ", {}", counted(run.runs.into(), "run")).expect("a String takes everything");
    }
    if run.report.end != End::Interrupted {
        write!(text, ", exit code {}", run.report.exit_code()).expect("a String takes everything");
    }
    text
}

fn rows(run: &ScenarioRun) -> Vec<(&'static str, String)> {
    let (total, totals) = (&run.measures.total, &run.report.totals);
    let mut rows = vec![
        ("pages", total.counts.pages.to_string()),
        ("items", totals.items.to_string()),
        ("requests", format!("{}, {} for robots.txt", total.counts.requests, totals.robots)),
        ("429 and 503", throttled(total)),
    ];
    let counts = [("401 and 403", total.counts.forbidden), ("no answer", total.counts.unanswered)];
    let some = counts.into_iter().filter(|(_, count)| *count > 0);
    rows.extend(some.map(|(name, count)| (name, count.to_string())));
    if let Some(share) = total.efficiency {
        rows.push(("efficiency", efficiency(share, total.efficiency_after_first_hour)));
    }
    rows.extend(total.last_rate.map(|rate| ("pace", format!("{rate:.2} requests a second at the end"))));
    rows.extend(total.adapted.iter().take(MOST_LINES).map(|change| ("adapted", adapted(change))));
    rows.extend(run.measures.others.values().take(MOST_LINES).map(|felt| ("others", others(felt))));
    let waited = std::time::Duration::from_secs(throttled_seconds(run));
    rows.push(("throttled", format!("{} of waiting after refusals", duration(waited))));
    rows.push(("breaches", format!("{} of the rules of politeness", run.breaches.len())));
    rows
}

fn throttled_seconds(run: &ScenarioRun) -> u64 {
    run.report.hosts.iter().map(|host| host.throttled_s).sum()
}

fn throttled(total: &HostMeasures) -> String {
    let all = total.counts.throttled;
    match total.throttled_per_hour_after_first {
        Some(later) => {
            format!("{all}: {} in the first hour, {later:.1} an hour after it", total.throttled_first_hour)
        }
        None => all.to_string(),
    }
}

fn efficiency(share: f64, later: Option<f64>) -> String {
    let later = later.map(|later| format!(", {:.1} % after the first hour", later * 100.0));
    format!(
        "{:.1} % of what the limits and the configured pace allow{}",
        share * 100.0,
        later.unwrap_or_default()
    )
}

fn adapted(change: &Adapted) -> String {
    let Adapted { at, rate, seconds } = change;
    match seconds {
        Some(seconds) => format!("within {seconds:.0} s to {rate:.3}/s at second {at:.0}"),
        None => format!("not to {rate:.3}/s at second {at:.0}"),
    }
}

fn others(felt: &Felt) -> String {
    format!("waited {:.2} s for an answer, {:.2} s without this crawl", felt.seconds, felt.alone)
}

fn host_line(host: &HostReport, measures: Option<&HostMeasures>) -> String {
    let mut text = format!("{}: {}, {}", host.host, host.standing.as_str(), counted(host.pages, "page"));
    let mut add = |part: String| {
        text.push_str(", ");
        text.push_str(&part);
    };
    if host.throttled > 0 {
        add(format!("pushed back {} times", host.throttled));
    }
    if let Some(share) = measures.and_then(|measures| measures.efficiency) {
        add(format!("efficiency {:.1} %", share * 100.0));
    }
    if let Some(rate) = measures.and_then(|measures| measures.last_rate) {
        add(format!("{rate:.2}/s at the end"));
    }
    if host.waiting > 0 {
        add(format!("{} left", counted(host.waiting, "page")));
    }
    if let Some(reason) = &host.shut {
        add(reason.clone());
    }
    text
}

fn by_hour(text: &mut String, hours: &[Counts]) {
    let forbidden = hours.iter().any(|hour| hour.forbidden + hour.unanswered > 0);
    let more = if forbidden { "  401/403  no answer" } else { "" };
    writeln!(text, "\n  hour  requests    pages  429/503{more}").expect("a String takes everything");
    for (hour, counts) in hours.iter().enumerate().take(MOST_LINES) {
        let Counts { requests, pages, throttled, forbidden: refused, unanswered } = counts;
        let more = if forbidden { format!("  {refused:>7}  {unanswered:>9}") } else { String::new() };
        writeln!(text, "  {:>4}  {requests:>8}  {pages:>7}  {throttled:>7}{more}", hour + 1)
            .expect("a String takes everything");
    }
    if hours.len() > MOST_LINES {
        writeln!(text, "  and {} more", counted((hours.len() - MOST_LINES) as u64, "hour"))
            .expect("a String takes everything");
    }
}

/// What probably keeps a crawl from finding its simulated pages.
fn hint(run: &ScenarioRun) -> Option<&'static str> {
    let totals = &run.report.totals;
    match (totals.pages, totals.out_of_scope) {
        (0, 0) if totals.missing > 0 => Some(
            "The seeds are none of the simulated pages: give the [[site]] a `prefix`, or [crawl] `seeds`.",
        ),
        (0 | 1, 1..) => Some("The simulated pages are not in scope: give the [[site]] a `prefix` that is."),
        (1, 0) => {
            Some("The rules took no link of the first page: give the [[site]] a `template` that they fit.")
        }
        _ => None,
    }
}

fn faults(text: &mut String, faults: &[String]) {
    if faults.is_empty() {
        return;
    }
    text.push_str("\nNot as expected:\n");
    for fault in faults.iter().take(MOST_LINES) {
        writeln!(text, "  {}", safe(fault)).expect("a String takes everything");
    }
    if faults.len() > MOST_LINES {
        writeln!(text, "  and {} more", faults.len() - MOST_LINES).expect("a String takes everything");
    }
}
