//! What a run tells about itself at its end.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct ReportArgs {
    /// Write the report of the run to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) report: Option<PathBuf>,
    /// Show where the time went, stage by stage
    #[arg(long)]
    pub(in crate::cli) profile: bool,
}
