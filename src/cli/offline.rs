//! `--offline`: a crawl over what was recorded, without a socket.
//!
//! The real engine runs with the file's own seeds, scope, limits and rules; only the fetcher is another one, which has no
//! client. State and validators are in memory, there is no journal, and the state directory is only read. Nothing leaves,
//! so nothing waits: the runtime's clock stands still and jumps over every pause. One page follows the other, so that two
//! runs write the same items in the same order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::args::{LogForm, RunArgs};
use super::crawling::{self, BODIES, Ended};
use super::exit::{Exit, Failure};
use super::render::{counted, safe, tell};
use super::{Registry, Stage, demo_site, setup, summary};
use crate::clock::Clock;
use crate::config::Plan;
use crate::engine::{Builder, Execution};
use crate::fetch::http::HttpFetcher;
use crate::fetch::replay::{Missing, Replay};
use crate::politeness::{BlockPolicy, Guard, Policy, Retry};
use crate::sink::Target;
use crate::sink::ending::compression_of;
use crate::spider::Spider;
use crate::store::bodies::Bodies;

/// No wait is longer than this; it takes no time.
const ANY_WAIT: Duration = Duration::from_hours(24 * 36_500);
/// Two runs draw the same numbers.
const SEED: u64 = 1;
/// Missing URLs that are listed.
const MOST_LINES: usize = 5;

pub(super) fn run(args: &RunArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let mut plan = args.layers.over(args.file.as_ref()).load()?;
    if args.layers.out.is_empty() {
        plan.sinks.iter_mut().for_each(move_aside);
    }
    // What is replayed was archived when it was asked.
    plan.archive = None;
    let bodies = open(&mut plan)?;
    // Outside of the runtime whose time stands still.
    let clock = Clock::start();
    let began = clock.now();
    let (mut ended, missing) = runtime()?.block_on(crawl(&mut plan, bodies, stage, registry))?;
    ended.report.took = clock.now().since(began);
    let exit = Exit(ended.report.exit_code());
    match stage.voice.log {
        LogForm::Text => {
            tell(&summary::counts(&plan, &ended.report, &ended.last));
            tell_missing(&missing);
        }
        LogForm::Json => summary::event(&plan, &ended.report, exit, None),
    }
    args.ending.tell_profile(&ended.report, stage);
    if let Some(file) = &args.ending.report {
        crawling::write_report(file, &plan, &ended.report, None)?;
    }
    Ok(exit)
}

async fn crawl(
    plan: &mut Plan,
    bodies: Bodies,
    stage: &Stage,
    registry: &Registry,
) -> Result<(Ended, Missing), Failure> {
    let spider = setup::spider(plan, registry)?;
    let clock = Clock::start();
    let replay = Replay::new(Arc::new(bodies), clock.clone());
    let mut builder = describe(plan, spider, &clock)?.expect(plan.expect.clone());
    for sink in setup::sinks(plan)? {
        builder = builder.boxed_sink(sink);
    }
    let ended = crawling::watch(builder.build_with(replay.clone())?, stage, clock).await?;
    Ok((ended, replay.missing()))
}

/// The recorded answers of a plan, whose `demo:` seeds are placed where the demo site was.
pub(super) fn open(plan: &mut Plan) -> Result<Bodies, Failure> {
    let dir = plan.state_dir.join(BODIES);
    let nothing = |what: &str| {
        Failure::Usage(format!(
            "{what}: write bodies = true under [cache] and run it once without --offline, or name the state with --state"
        ))
    };
    if !dir.is_dir() {
        return Err(nothing(&format!("nothing was recorded in `{}`", dir.display())));
    }
    if plan.needs_demo() {
        let home = demo_site::known_home(&plan.state_dir);
        let home = home.ok_or_else(|| nothing("the demo site was not recorded here"))?;
        plan.place_demo(&home);
    }
    Ok(Bodies::read_only(dir)?)
}

/// A runtime on one thread whose time passes at once.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|source| Failure::System { what: "a runtime", source })
}

/// Describes the crawl of a plan as one that harms nobody: it may go as fast as it can, and refusals have no consequences.
pub(super) fn describe(
    plan: &Plan,
    spider: Arc<dyn Spider>,
    clock: &Clock,
) -> Result<Builder<HttpFetcher>, Failure> {
    let whole = plan.clone();
    let builder = setup::describe(plan, spider, clock)?.execution(Execution::Inline);
    Ok(builder.policies(move |host| unhurt(&whole.policy(host))).settings(|settings| {
        settings.patience = ANY_WAIT;
        settings.max_rate = None;
        settings.max_in_flight = 1;
        settings.seed = SEED;
    }))
}

/// What the policy says about pages stays; what it says about pace is of no use here.
fn unhurt(policy: &Policy) -> Policy {
    let never = u32::MAX;
    Policy {
        jitter: 0.0,
        latency_guard: Guard::Off,
        max_pages: policy.max_pages,
        max_crawl_delay: policy.max_crawl_delay,
        forbidden_robots: policy.forbidden_robots,
        retry: Retry { tries: 1, ..policy.retry },
        block: BlockPolicy {
            suspect_after: never,
            control_after: never,
            section_after: never,
            down_after: never,
            ..policy.block
        },
        ..Policy::fixed(Duration::ZERO)
    }
}

/// The crawl's own output stays as it is: an unfinished round goes on behind its end. Items go beside it.
fn move_aside(sink: &mut Target) {
    match &mut sink.form {
        #[cfg(feature = "postgres")]
        crate::sink::Form::Postgres(options) => options.tables.set_aside("offline"),
        form => {
            if let Some(path) = form.path_mut() {
                *path = beside(path);
            }
        }
    }
}

/// `out/books.jsonl` becomes `out/books.offline.jsonl`.
fn beside(path: &Path) -> PathBuf {
    if path.as_os_str() == "-" {
        return path.to_owned();
    }
    if compression_of(path).is_some() {
        let on_top = path.extension().unwrap_or_default();
        return beside(&path.with_extension("")).with_added_extension(on_top);
    }
    let ending = path.extension().map(|ending| format!(".{}", ending.display())).unwrap_or_default();
    path.with_extension(format!("offline{ending}"))
}

fn tell_missing(missing: &Missing) {
    if missing.count == 0 {
        return;
    }
    let mut text = format!(
        "{} not recorded; the next run without --offline asks for them:",
        counted(missing.count, "page")
    );
    for url in missing.first.iter().take(MOST_LINES) {
        text.push_str("\n  ");
        text.push_str(&safe(&url.to_string()));
    }
    let more = missing.count.saturating_sub(MOST_LINES as u64);
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    tell(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_go_beside_the_output_of_the_crawl() {
        for (path, aside) in [
            ("out/books.jsonl", "out/books.offline.jsonl"),
            ("books", "books.offline"),
            ("a.b/books.2.csv", "a.b/books.2.offline.csv"),
            ("books.json.gz", "books.offline.json.gz"),
            ("-", "-"),
        ] {
            assert_eq!(beside(Path::new(path)), Path::new(aside));
        }
    }
}
