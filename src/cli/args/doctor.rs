//! The arguments of `crawl doctor` and `crawl repair`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// The state directory, or the crawler file that it belongs to
    #[arg(value_name = "STATE")]
    pub(in crate::cli) place: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RepairArgs {
    /// The state directory, or the crawler file that it belongs to
    #[arg(value_name = "STATE")]
    pub(in crate::cli) place: PathBuf,
    /// Do it; without this it is asked on a terminal, and elsewhere only said what is wrong
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
