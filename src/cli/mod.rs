//! The command `crawl`: crawler files run, resumed, checked and tried from a terminal.
//!
//! [`main`] is the whole of a binary; give it a [`Registry`] with your own spiders and they have every command too. Items and
//! answers go to the standard output; everything else (log, progress, summary, errors) to the standard error. Nothing here
//! decides about politeness: a command builds a plan into a [`Crawl`](crate::engine::Crawl) and shows what comes of it.

mod args;
mod audit;
#[cfg(unix)]
mod bench;
mod cache;
mod changes;
mod check;
mod command_line;
mod crawling;
mod demo_site;
mod doctor;
mod exit;
mod explain;
mod export;
mod failed;
mod fetch;
mod hosts;
mod items;
mod log;
mod look;
mod new;
mod offline;
mod pace;
mod plan_time;
mod probe;
mod profile;
mod progress;
mod registry;
mod render;
mod robots;
mod settings;
mod setup;
mod shell;
mod signals;
mod simulate;
mod sitemap;
mod staged;
mod state;
mod status;
mod summary;
mod test;
mod try_page;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use indicatif::MultiProgress;

use args::{Cli, Command, LogForm, RobotsCommand, Voice};
use exit::{Exit, Failure};
pub use registry::Registry;

/// Runs the command line of this process and says with which code it ends.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "a binary makes its registry for this call alone")]
pub fn main(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are answers; whether somebody still reads them does not matter.
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { Exit::USAGE.0 } else { Exit::COMPLETE.0 });
        }
    };
    let stage = Stage { voice: cli.voice, screen: progress::screen() };
    let databases = match &cli.command {
        Command::Doctor(_) | Command::Repair(_) => log::Databases::Silent,
        _ => log::Databases::Speak,
    };
    log::start(stage.voice, &stage.screen, databases);
    log::panics_are_lines();
    let exit = obey(cli.command, &stage, &registry).unwrap_or_else(|failure| {
        if failure.is_closed_output() {
            // Whoever read our output had enough: that is no reason to complain.
            return Exit::INTERRUPTED;
        }
        tell_failure(&failure, stage.voice.log);
        failure.exit()
    });
    ExitCode::from(exit.0)
}

/// Where a command is seen, and how much of it.
struct Stage {
    voice: Voice,
    /// What log and progress share.
    screen: MultiProgress,
}

fn obey(command: Command, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) if args.offline => offline::run(&args, stage, registry),
        Command::Run(args) => crawling::run(&args, stage, registry),
        Command::Resume(args) => crawling::resume(&args, stage, registry),
        Command::Check(args) => check::check(&args, registry),
        Command::Try(args) => try_page::try_page(&args, registry),
        Command::Fetch(args) => fetch::fetch(&args, stage, registry),
        Command::Shell(args) => shell::shell(&args, stage, registry),
        Command::Test(args) => test::test(&args, registry),
        Command::Sitemap(args) => sitemap::sitemap(&args),
        Command::Status(args) => status::status(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Repair(args) => doctor::repair_state(&args),
        Command::Export(args) => export::export(&args),
        Command::Failed(args) => failed::failed(&args),
        Command::RetryFailed(args) => failed::retry(&args, stage, registry),
        Command::Audit(args) => audit::audit(&args),
        Command::Cache(command) => cache::cache(&command),
        Command::Changes(args) => changes::changes(&args),
        Command::Hosts(args) => hosts::hosts(&args, registry),
        Command::Explain(args) => explain::explain(&args, registry),
        Command::Plan(args) => plan_time::plan(&args, registry),
        Command::Simulate(args) => simulate::simulate(&args, stage, registry),
        #[cfg(unix)]
        Command::Bench(command) => bench::bench(&command, stage),
        Command::Robots(RobotsCommand::Check { file, agent, urls }) => robots::check(&file, &agent, &urls),
        Command::New(args) => new::new(&args),
        Command::Config(args) => settings::config(&args),
        Command::Schema => settings::schema(),
        Command::Completions { shell } => completions(shell),
        Command::Probe { op } => probe::probe(op),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "crawl", &mut script);
    render::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::COMPLETE)
}

/// Crawler-file problems are laid out by their own room; everything else is one sentence.
fn tell_failure(failure: &Failure, form: LogForm) {
    let mut text = failure.to_string();
    if let Some(remedy) = failure.remedy() {
        text.push_str("\n  ");
        text.push_str(remedy);
    }
    match (form, failure) {
        (LogForm::Json, failure) => {
            tracing::error!(exit_code = failure.exit().0, reason = text, "the command failed");
        }
        (LogForm::Text, Failure::Config(_)) => render::tell(&text),
        (LogForm::Text, _) => {
            let lines: Vec<_> = text.lines().map(render::safe).collect();
            render::tell(&format!("error: {}", lines.join("\n")));
        }
    }
}
