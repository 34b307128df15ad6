//! Arguments of the commands that look at a state or a robots.txt and ask no host.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Sets;

const AUDIT_HELP: &str = "\
Exit codes:
    0  every rule was kept
    1  a rule was broken; the first breach stands first
    2  there is no journal, or no such host in it
    9  a journal is damaged: what stands behind the damage could not be judged

Examples:
  crawl audit .crawl/site
  crawl audit .crawl/site --host example.com --json";

/// Which crawl's state to read.
#[derive(Debug, Args)]
pub(in crate::cli) struct StateArgs {
    /// The crawler file; without it, --state says where to look
    #[arg(required_unless_present = "state")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// The state directory, if it is not the one of FILE
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) sets: Sets,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CacheCommand {
    /// Show how many pages it knows, of which hosts, how old and how large it is
    Stats(StateArgs),
    /// Forget old pages: they are fetched in full the next time, nothing else is lost
    Prune(PruneArgs),
    /// Forget all pages
    Clear(StateArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PruneArgs {
    #[command(flatten)]
    pub(in crate::cli) state: StateArgs,
    /// Forget pages that were last confirmed longer ago than this, as in 30d
    #[arg(long, value_name = "DURATION", required_unless_present = "max_entries")]
    pub(in crate::cli) older_than: Option<String>,
    /// Keep no more pages than this, those that were confirmed last
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_entries: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = AUDIT_HELP)]
pub(in crate::cli) struct AuditArgs {
    /// The state directory of the crawl
    pub(in crate::cli) state: PathBuf,
    /// Tell only of this host, to hand it to its owner
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) host: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// The crawler file, then the URL; a URL alone needs --state
    #[arg(required = true, num_args = 1..=2, value_names = ["FILE", "URL"])]
    pub(in crate::cli) file_and_url: Vec<String>,
    /// The state directory, if it is not the one of FILE
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) sets: Sets,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RobotsCommand {
    /// Say for each URL whether AGENT may fetch it, and which line decides. Exit code 0: all allowed, 1: any disallowed
    Check {
        /// A robots.txt file; `-` is the standard input
        file: PathBuf,
        /// The crawler's name, as in `mybot`
        agent: String,
        /// URLs, or paths of the site
        #[arg(required = true)]
        urls: Vec<String>,
    },
}
