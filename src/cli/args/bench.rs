//! Arguments of `crawl bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What stands below the help.
pub(in crate::cli) const FRONTIER_EXAMPLES: &str = "\
Examples:
  crawl bench frontier
  crawl bench frontier --urls 10000000 --hosts 100000 --kill
  crawl bench frontier --urls 100000000 --hosts 1000000 --json

Nothing leaves this machine. A tenth of all URLs are of one host, the others by Zipf's law. CPU time
and pauses do not count what other programs do meanwhile. What is measured how: docs/frontier.md
Exit code 1: a figure is worse than its bar.";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BenchCommand {
    /// What URLs and pages cost the frontier and its store: memory, disk, CPU, pauses, opening
    #[command(after_help = FRONTIER_EXAMPLES)]
    Frontier(FrontierArgs),
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct FrontierArgs {
    /// URLs that are known in the end
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(in crate::cli) urls: u64,
    /// Hosts that they are of
    #[arg(long, value_name = "M", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..))]
    pub(in crate::cli) hosts: u32,
    /// Links of a page; a tenth of them are new
    #[arg(long, value_name = "L", default_value_t = 62)]
    pub(in crate::cli) links: u32,
    /// Pages that are leased and settled; a twentieth of the URLs, but no more than a million
    #[arg(long, value_name = "P")]
    pub(in crate::cli) pages: Option<u64>,
    /// Keep the state in this directory, which must be new; without it, it is removed at the end
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state: Option<PathBuf>,
    /// First kill the same work in the middle (kill -9), open what is left and see that nothing is lost
    #[arg(long)]
    pub(in crate::cli) kill: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Seed of all random draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// Work in --state and say after each commit what is in it: for whoever kills this
    #[arg(long, hide = true, requires = "state")]
    pub(in crate::cli) acknowledge: bool,
}

impl FrontierArgs {
    /// Pages that are leased and settled.
    pub(in crate::cli) fn pages(&self) -> u64 {
        self.pages.unwrap_or((self.urls / 20).min(1_000_000))
    }
}
