//! The command line.

#[cfg(unix)]
mod bench;
mod doctor;
mod export;
mod failed;
mod fetch;
mod look;
mod reading;
mod report;
mod shell;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::changes::ChangesArgs;
use super::exit;
use crate::config::Loader;
#[cfg(unix)]
pub(super) use bench::{BenchCommand, FrontierArgs};
pub(super) use doctor::{DoctorArgs, RepairArgs};
pub(super) use export::ExportArgs;
pub(super) use failed::{FailedArgs, RetryArgs, WhichArgs};
pub(super) use fetch::FetchArgs;
pub(super) use look::{ArticleForm, LookArgs};
pub(super) use reading::{AuditArgs, CacheCommand, ExplainArgs, PruneArgs, RobotsCommand, StateArgs};
pub(super) use report::ReportArgs;
pub(super) use shell::ShellArgs;

const EXAMPLES: &str = "\
Examples:
  crawl run crawlers/site.toml      run a crawler file; again: ask only for what has changed
  crawl run --seed https://example.com/ --set identity.contact=me@example.com --limit 9
                                    print URL, status and title of nine pages
  crawl check crawlers/site.toml    what it would do, and everything that is wrong with it
  crawl try crawlers/site.toml demo:
                                    one page, and what the rules take from it
  crawl new mycrawler               a crawler of your own, in Rust";

const RUN_EXAMPLES: &str = "\
Examples:
  crawl run crawlers/site.toml
  crawl run crawlers/site.toml --limit 50 --out sample.csv
  crawl run crawlers/site.toml --set politeness.delay=2s --set 'scope.exclude=[\"/private/\"]'
  crawl run --seed https://example.com/ --set identity.contact=me@example.com | head

An interrupted crawl goes on where it was. A complete one begins its next round: what has not
changed is not sent again.
Ctrl-C ends it in order, a second Ctrl-C at once; both times nothing is lost.";

const TEST_EXAMPLES: &str = "\
Exit codes:
    0  everything is as expected
    1  a page gives something else
    2  there are no pages, or there is no snapshot

Examples:
  crawl test crawlers/shop.toml --record https://shop.example/ --update
  crawl test crawlers/shop.toml --from-state 10 --update
  crawl test crawlers/shop.toml

Pages lie in crawlers/shop.pages, what is expected of them in crawlers/shop.items.jsonl.";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  crawl simulate crawlers/site.toml --scenario limited.toml
  crawl simulate crawlers/site.toml --scenario limited.toml --hours 6 --seed 2 --transcript log.txt

docs/simulate.md has a scenario to begin with. Nothing leaves this machine, and neither state nor output of the crawler file is touched. The same files
and the same --seed print the same every time. A crawl that parks itself is run again when its wait is over.
Exit code 1: a rule of politeness was broken, or the scenario's [expect] was not met.";

/// A polite web crawler: keeps to robots.txt, waits when told to, goes on where it was
#[derive(Debug, Parser)]
#[command(name = "crawl", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = long_help())]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) voice: Voice,
    #[command(subcommand)]
    pub(super) command: Command,
}

fn long_help() -> String {
    format!("{EXAMPLES}\n\n{}", exit::table())
}

/// How much is said on the standard error, and in which form.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct Voice {
    /// Say more: every request (-v), every detail (-vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Say nothing but errors and the summary
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Form of log lines: text, or json with one object on each line
    #[arg(long, global = true, value_name = "FORM", default_value = "text", hide_possible_values = true)]
    pub(super) log: LogForm,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogForm {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a crawl, or go on with it
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Go on with an interrupted crawl; an error if there is nothing to go on with
    Resume(ResumeArgs),
    /// Check crawler files and say what they would do, without asking any host
    Check(CheckArgs),
    /// Fetch one page politely and show what the rules take from it
    Try(TryArgs),
    /// Ask for one page politely, over a state: asked again, only whether it has changed
    #[command(after_help = fetch::EXAMPLES)]
    Fetch(FetchArgs),
    /// Look at a page by hand: expressions, rules and links, one after the other
    #[command(after_help = shell::EXAMPLES)]
    Shell(ShellArgs),
    /// Read recorded pages and compare what the rules take from them with what they took before
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArgs),
    /// List the pages of a sitemap, and of those that an index leads to
    Sitemap(SitemapArgs),
    /// Show how far a crawl is, from its state directory
    Status(StateArgs),
    /// Look whether a state is sound, and what a crash or a bad disk has left of it; changes nothing
    Doctor(DoctorArgs),
    /// Mend a damaged state: what is damaged is kept aside, what can be read is kept, what is lost is told
    Repair(RepairArgs),
    /// Convert stored items into another kind of file
    #[command(after_help = export::EXAMPLES)]
    Export(ExportArgs),
    /// List what was given up in the last round, and why
    Failed(FailedArgs),
    /// Ask again for what was given up in the last round
    #[command(after_help = failed::RETRY_EXAMPLES)]
    RetryFailed(RetryArgs),
    /// Check from the journal of a crawl that it kept every rule
    Audit(AuditArgs),
    /// Show what is kept of pages between rounds, or forget some of it
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Show what a round has found to be new, changed or gone
    Changes(ChangesArgs),
    /// Show how each host stands, what it waits for and what to do about it
    Hosts(StateArgs),
    /// Say why a URL was fetched or not, and what it waits for
    Explain(ExplainArgs),
    /// Estimate how long a crawl takes, host by host
    Plan(StateArgs),
    /// Run a crawler file against a simulated server and measure how it behaves
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArgs),
    /// Measure on this machine what a large crawl costs, without network
    #[cfg(unix)]
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Ask a robots.txt file what it allows
    #[command(subcommand)]
    Robots(RobotsCommand),
    /// Begin a crawler of your own, in Rust
    New(NewArgs),
    /// Show every value in force, and where it comes from
    Config(ConfigArgs),
    /// Print the JSON Schema of crawler files, for editors
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Answer questions as JSON lines, one thin wrapper of a library function each
    #[command(hide = true)]
    Probe {
        /// Which question
        op: ProbeOp,
    },
}

/// A crawler file and what is laid over it.
#[derive(Debug, Args)]
pub(super) struct Layers {
    /// Start at this URL instead of the seeds of FILE; may be repeated
    #[arg(long = "seed", value_name = "URL")]
    pub(super) seeds: Vec<String>,
    /// Start at the URLs of this file, one a line, instead of the seeds of FILE
    #[arg(long, value_name = "FILE")]
    pub(super) seeds_file: Option<PathBuf>,
    /// Keep the crawl's state in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Write items to this file: its ending says as what (.jsonl, .json, .csv, .tsv, with .gz or .zst on top; .sqlite, .db,
    /// .parquet); `-` is the standard output; .warc.gz archives what is asked and answered; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) out: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) sets: Sets,
    /// Stop after this many pages (scope.max-pages)
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u64>,
}

/// Assignments over a crawler file.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Sets {
    /// Set a key of the crawler file, as in politeness.delay=2s; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
}

impl Sets {
    /// The file, if there is one, and the assignments.
    pub(super) fn over(&self, file: Option<&PathBuf>) -> Loader {
        self.laid_over(file.map_or_else(Loader::new, |file| Loader::new().file(file)))
    }

    /// These assignments on top of other layers.
    pub(super) fn laid_over(&self, loader: Loader) -> Loader {
        self.sets.iter().fold(loader, Loader::set)
    }
}

impl Layers {
    /// Everything as layers, the flags uppermost.
    pub(super) fn over(&self, file: Option<&PathBuf>) -> Loader {
        let file = file.map_or_else(Loader::new, |file| Loader::new().file(file));
        // Before the assignments, which may say more of these outputs.
        let loader = self.out.iter().fold(file, Loader::out);
        let mut loader = self.seeds.iter().fold(self.sets.laid_over(loader), Loader::seed);
        if let Some(list) = &self.seeds_file {
            loader = loader.seeds_file(list);
        }
        if let Some(state) = &self.state {
            loader = loader.state(state);
        }
        if let Some(limit) = self.limit {
            loader = loader.flag("--limit", format!("scope.max-pages={limit}"));
        }
        loader
    }
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The crawler file; without it, --seed says where to start
    #[arg(required_unless_present_any = ["seeds", "seeds_file"])]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) layers: Layers,
    /// Forget what was crawled and begin anew; waits that hosts have asked for are kept
    #[arg(long)]
    pub(super) fresh: bool,
    /// Keep going: ask each known page again when it is due by its own history; only news is written
    #[arg(long, conflicts_with = "fresh")]
    pub(super) watch: bool,
    /// Ask no host: read the pages that were recorded with [cache] bodies = true once more
    #[arg(long, conflicts_with_all = ["fresh", "watch"])]
    pub(super) offline: bool,
    /// Do not ask for pages that were fetched or found unchanged less than this ago (cache.max-age)
    #[arg(long, value_name = "DURATION", conflicts_with = "fresh")]
    pub(super) max_age: Option<String>,
    #[command(flatten)]
    pub(super) ending: ReportArgs,
}

impl RunArgs {
    /// Everything as layers, the flags uppermost.
    pub(super) fn over(&self) -> Loader {
        with_max_age(self.layers.over(self.file.as_ref()), self.max_age.as_deref())
    }
}

/// `--max-age` as the layer above all others.
fn with_max_age(loader: Loader, age: Option<&str>) -> Loader {
    match age {
        Some(age) => loader.flag("--max-age", format!("cache.max-age={age}")),
        None => loader,
    }
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The crawler file; without it, the --seed of the run
    #[arg(required_unless_present_any = ["seeds", "seeds_file"])]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) layers: Layers,
    #[command(flatten)]
    pub(super) ending: ReportArgs,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Crawler files
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) sets: Sets,
}

#[derive(Debug, Args)]
pub(super) struct TryArgs {
    /// The crawler file, then the URL; a URL alone is tried with the defaults
    #[arg(required = true, num_args = 1..=2, value_names = ["FILE", "URL"])]
    pub(super) file_and_url: Vec<String>,
    /// Treat the page as one that was reached with this label
    #[arg(long)]
    pub(super) label: Option<String>,
    /// Ask no host: take the page that was recorded with [cache] bodies = true
    #[arg(long)]
    pub(super) offline: bool,
    /// Show so many items of each rule
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) items: usize,
    #[command(flatten)]
    pub(super) sets: Sets,
    /// Print a JSON object with all of it
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The crawler file
    pub(super) file: PathBuf,
    /// Fetch this page politely and add it to the recorded pages; may be repeated
    #[arg(long, value_name = "URL")]
    pub(super) record: Vec<String>,
    /// The label of the pages that --record fetches
    #[arg(long, requires = "record")]
    pub(super) label: Option<String>,
    /// Add so many pages that a crawl has recorded with [cache] bodies = true, of as many kinds as there are
    #[arg(long, value_name = "N")]
    pub(super) from_state: Option<usize>,
    /// The state directory for --from-state, if it is not the one of FILE
    #[arg(long, value_name = "DIR", requires = "from_state")]
    pub(super) state: Option<PathBuf>,
    /// Take what the rules give now for what they should give
    #[arg(long)]
    pub(super) update: bool,
    /// Where the recorded pages are; FILE with the ending .pages
    #[arg(long, value_name = "DIR")]
    pub(super) pages: Option<PathBuf>,
    #[command(flatten)]
    pub(super) sets: Sets,
}

#[derive(Debug, Args)]
pub(super) struct SitemapArgs {
    /// The sitemap: a URL, which is asked as politely as in a run, or a file; `-` is the standard input
    #[arg(value_name = "URL|FILE")]
    pub(super) place: String,
    /// Print a JSON object for each page
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) sets: Sets,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// The crawler file: its seeds, scope, pace and rules are used as they are
    pub(super) file: PathBuf,
    /// The scenario: which servers there are, what they bear, how they refuse
    #[arg(long, value_name = "S.toml")]
    pub(super) scenario: PathBuf,
    /// Stop after this much simulated time; the scenario's hours, or 24
    #[arg(long, value_name = "N")]
    pub(super) hours: Option<f64>,
    /// Seed of all random draws, the crawler's and the servers'; the scenario's, or 1
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) sets: Sets,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Write every request to this file: second of its arrival and of its answer's end, status, URL
    #[arg(long, value_name = "FILE")]
    pub(super) transcript: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The project's name and directory
    pub(super) name: String,
    /// Use the crate `crawl` in this directory instead of the published one
    #[arg(long, value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The crawler file; without it, the defaults
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) layers: Layers,
    /// Show where each value comes from
    #[arg(long)]
    pub(super) origin: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Which library function [`Command::Probe`] asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProbeOp {
    Robots,
    Url,
    Canon,
    Host,
    Page,
    Headers,
    Sfv,
    Redirect,
    Cookies,
    Decode,
    Sitemap,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
