//! `crawl run` and `crawl resume`.

use std::convert::Infallible;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::runtime::Runtime;

use super::args::{LogForm, ReportArgs, ResumeArgs, RunArgs};
use super::demo_site::Demo;
use super::exit::{Exit, Failure};
use super::render::{json_text, tell};
use super::{Registry, Stage, failed, profile, progress, setup, signals, summary};
use crate::clock::Clock;
use crate::config::{Loader, Plan, Reader};
use crate::engine::{Builder, Crawl, CrawlError, Progress, Report, Start};
use crate::fetch::http::HttpFetcher;
use crate::fetch::record::Recording;
use crate::fetch::{Fetcher, LOOK_UPS_AT_ONCE};
use crate::sink::stdout::keep_for_items;
use crate::sink::warc::Warc;
use crate::store::bodies::Bodies;
use crate::store::cache::{NoCache, SledCache, ValidatorCache};
use crate::store::disk::DiskStore;
use crate::store::journal::Journals;

/// The folder of a state directory that the journal lies in.
pub(super) const JOURNAL: &str = "journal";
/// The folder of a state directory that recorded answers lie in.
pub(super) const BODIES: &str = "bodies";

/// The folder of a state directory that the lists of changes lie in.
pub(super) const CHANGES: &str = "changes";
/// The folder of a state directory that the validator cache lies in.
pub(super) const CACHE: &str = "cache";

/// What is run, and how.
struct Job<'a> {
    start: Start,
    watches: bool,
    ending: &'a ReportArgs,
    stage: &'a Stage,
}

/// A run that came to its end.
pub(super) struct Ended {
    pub(super) report: Report,
    /// Counts of this run alone.
    pub(super) last: Progress,
}

pub(super) fn run(args: &RunArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let job = Job {
        start: if args.fresh { Start::Fresh } else { Start::Continue },
        watches: args.watch,
        ending: &args.ending,
        stage,
    };
    job.run(args.over(), registry)
}

pub(super) fn resume(args: &ResumeArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    go_on(args.layers.over(args.file.as_ref()), &args.ending, stage, registry)
}

/// Goes on with a round that is open.
pub(super) fn go_on(
    loader: Loader,
    ending: &ReportArgs,
    stage: &Stage,
    registry: &Registry,
) -> Result<Exit, Failure> {
    Job { start: Start::Resume, watches: false, ending, stage }.run(loader, registry)
}

/// Lets the process open as many files as the system allows it to: each host keeps a connection between two of its pages,
/// and the usual limit of 1,024 is soon used up.
fn allow_many_connections() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        if let Err(error) = raised {
            tracing::debug!(%error, "the limit on open files stays as it is");
        }
    }
}

/// Keeps the journal that the plan asks for.
pub(super) fn with_journal(builder: Builder<HttpFetcher>, plan: &Plan) -> Builder<HttpFetcher> {
    match plan.journal_rounds {
        Some(keep) => builder.journals(Journals::in_dir(plan.state_dir.join(JOURNAL), keep)),
        None => builder.without_journal(),
    }
}

/// Threads for what waits or computes off the async ones: one for each name that is looked up at the same time, and two for
/// each core. More would only wait for a core, each with a stack and a heap of its own.
fn aside_threads() -> usize {
    LOOK_UPS_AT_ONCE + 2 * std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The machinery that a crawl runs on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    allow_many_connections();
    // On a single core a second thread only adds the way to it and back.
    let is_alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if is_alone {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    builder
        .max_blocking_threads(aside_threads())
        .enable_all()
        .build()
        .map_err(|source| Failure::System { what: "threads", source })
}

impl ReportArgs {
    /// Says where the time went, if that is wanted.
    pub(super) fn tell_profile(&self, report: &Report, stage: &Stage) {
        match stage.voice.log {
            _ if !self.profile => {}
            LogForm::Text => tell(&profile::text(report)),
            LogForm::Json => profile::event(report),
        }
    }
}

impl Job<'_> {
    fn run(self, loader: Loader, registry: &Registry) -> Result<Exit, Failure> {
        let stage = self.stage;
        let mut plan = loader.load()?;
        registry.of(&plan)?;
        if self.start == Start::Resume && !plan.state_dir.join("FORMAT").exists() {
            let reason = "there is no earlier run";
            return Err(CrawlError::NothingToResume { reason }.into());
        }
        let runtime = runtime()?;
        let ended = runtime.block_on(self.crawl(&mut plan, registry));
        // A page that is still being parsed after an interruption is not waited for.
        runtime.shutdown_background();
        let ended = ended?;
        failed::write_list(&plan)?;
        let exit = Exit(ended.report.exit_code());
        let list = summary::change_list(&plan, &ended.report);
        match stage.voice.log {
            LogForm::Text => tell(&summary::text(&plan, &ended.report, &ended.last, exit)),
            LogForm::Json => summary::event(&plan, &ended.report, exit, list.as_deref()),
        }
        self.ending.tell_profile(&ended.report, stage);
        if let Some(file) = &self.ending.report {
            write_report(file, &plan, &ended.report, list)?;
        }
        Ok(exit)
    }

    async fn crawl(&self, plan: &mut Plan, registry: &Registry) -> Result<Ended, Failure> {
        let store = DiskStore::open(&plan.state_dir, plan.disk.clone())?;
        let cache = open_cache(plan)?;
        let (demo, start) = open_demo(plan, self.start).await?;
        let spider = setup::spider(plan, registry)?;
        if matches!(plan.reader, Reader::Spider(_)) {
            keep_for_items().map_err(|source| Failure::System { what: "the standard output", source })?;
        }
        let clock = Clock::start();
        let mut builder = setup::describe(plan, spider, &clock)?.store(store).cache(cache).start(start);
        builder = builder.expect(plan.expect.clone());
        builder = builder.changes_in(plan.state_dir.join(CHANGES));
        builder = with_journal(builder, plan);
        if let Some(login) = plan.login() {
            builder = builder.login(login);
        }
        if let Some(downloads) = &plan.downloads {
            builder = builder.downloads(downloads.clone());
        }
        if self.watches {
            builder = builder.watch(plan.revisit);
        }
        for sink in setup::sinks(plan)? {
            builder = builder.boxed_sink(sink);
        }
        if let Some(options) = &plan.archive {
            builder = builder.archive(Warc::open(options)?);
        }
        let ended = match plan.max_bodies {
            None => watch(builder.build()?, self.stage, clock).await,
            Some(most) => {
                let bodies = Arc::new(Bodies::open(plan.state_dir.join(BODIES), most)?);
                let crawl = builder.build_around(|fetcher| Recording::new(fetcher, bodies))?;
                watch(crawl, self.stage, clock).await
            }
        };
        if let Some(demo) = demo {
            demo.close().await;
        }
        ended
    }
}

/// The cache of a plan.
pub(super) fn open_cache(plan: &Plan) -> Result<Arc<dyn ValidatorCache>, Failure> {
    Ok(match &plan.cache {
        Some(options) => Arc::new(SledCache::open(&plan.state_dir.join(CACHE), options.clone())?),
        None => Arc::new(NoCache),
    })
}

/// Runs a crawl under the eyes of the user, who may stop it.
pub(super) async fn watch<F: Fetcher>(
    crawl: Crawl<F>,
    stage: &Stage,
    clock: Clock,
) -> Result<Ended, Failure> {
    let last = crawl.progress();
    let signals = signals::listen(crawl.stop_handle())?;
    let bar = progress::show(&stage.screen, stage.voice, last.clone(), clock);
    // On one of the runtime's own threads: what it starts and what comes back to it need not wake another one.
    let mut running = tokio::spawn(crawl.run());
    let report: Result<Report, CrawlError> = tokio::select! {
        ended = &mut running => ended.unwrap_or_else(|lost| std::panic::resume_unwind(lost.into_panic())),
        never = signals => { let never: Infallible = never; match never {} },
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let last = last.borrow().clone();
    Ok(Ended { report: report?, last })
}

/// Opens the demo site if a seed is there, and says where it is and how the run begins.
async fn open_demo(plan: &mut Plan, start: Start) -> Result<(Option<Demo>, Start), Failure> {
    if !plan.needs_demo() {
        return Ok((None, start));
    }
    let demo = Demo::open_for(&plan.state_dir).await?;
    let home = demo.home();
    plan.place_demo(&home);
    tracing::info!(url = %home, "the demo site is open while this crawl runs");
    let Some(address) = demo.taken else {
        return Ok((Some(demo), start));
    };
    if start == Start::Resume {
        return Err(Failure::Usage(format!(
            "the demo site was at {address}, which another program has now: wait for it, or begin anew with `crawl run --fresh`"
        )));
    }
    tracing::warn!(%address, "another program has the demo site's last address: beginning anew at another one");
    Ok((Some(demo), Start::Fresh))
}

/// What `--report` writes.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written<'a> {
    name: &'a str,
    exit_code: u8,
    meaning: &'static str,
    /// Where what has changed is listed, if something has.
    #[serde(skip_serializing_if = "Option::is_none")]
    change_list: Option<PathBuf>,
    #[serde(flatten)]
    report: &'a Report,
}

pub(super) fn write_report(
    file: &Path,
    plan: &Plan,
    report: &Report,
    change_list: Option<PathBuf>,
) -> Result<(), Failure> {
    let exit = Exit(report.exit_code());
    let written =
        Written { name: &plan.name, exit_code: exit.0, meaning: exit.meaning(), change_list, report };
    std::fs::write(file, json_text(&written)?).map_err(Failure::file(file))
}
