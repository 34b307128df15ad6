//! Arguments of `crawl failed` and `crawl retry-failed`.

use std::path::PathBuf;

use clap::Args;

use super::{Layers, ReportArgs, StateArgs};
use crate::config::Loader;

pub(super) const RETRY_EXAMPLES: &str = "\
Examples:
  crawl failed crawlers/site.toml
  crawl retry-failed crawlers/site.toml
  crawl retry-failed crawlers/site.toml --class timeout,5xx --url /books/

The round goes on, complete or not: what succeeds leaves the list, what fails again comes back.";

/// Which failures are meant.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct WhichArgs {
    /// Only failures of these classes: server-error, unreachable, timeout, parse, 503, 5xx and so on
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub(in crate::cli) class: Vec<String>,
    /// Only URLs that match this pattern, written as in [scope] include; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(in crate::cli) url: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FailedArgs {
    #[command(flatten)]
    pub(in crate::cli) state: StateArgs,
    #[command(flatten)]
    pub(in crate::cli) which: WhichArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    /// The crawler file; without it, the --seed of the run
    #[arg(required_unless_present_any = ["seeds", "seeds_file"])]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) which: WhichArgs,
    #[command(flatten)]
    pub(in crate::cli) layers: Layers,
    #[command(flatten)]
    pub(in crate::cli) ending: ReportArgs,
}

impl RetryArgs {
    /// Everything as layers, the flags uppermost.
    pub(in crate::cli) fn over(&self) -> Loader {
        self.layers.over(self.file.as_ref())
    }
}
