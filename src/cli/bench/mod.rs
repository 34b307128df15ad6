//! `crawl bench`: what the crawler's own machinery costs on this machine, without network.

mod acknowledged;
mod figures;
mod frontier;
mod meter;
mod work;
mod world;

use super::Stage;
use super::args::BenchCommand;
use super::exit::{Exit, Failure};

pub(super) fn bench(command: &BenchCommand, stage: &Stage) -> Result<Exit, Failure> {
    match command {
        BenchCommand::Frontier(args) => frontier::frontier(args, stage),
    }
}
