//! What the exit code says, and which one an error has.
//!
//! Scripts rely on these numbers: they stay. A run that lost pages never ends with 0.

use std::io;
use std::path::PathBuf;

use crate::config::{ConfigError, MissingContact};
use crate::engine::{BuildError, CrawlError};
use crate::fetch::http::OptionsError;
use crate::robots::ProductTokenError;
use crate::sink::SinkError;
use crate::store::StoreError;
use crate::store::journal::JournalError;
use crate::testing::ScenarioError;

/// A process exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exit(pub(super) u8);

/// Every code: its number, what it means, and what to do.
const TABLE: [(u8, &str, &str); 11] = [
    (0, "complete", ""),
    (1, "internal failure", "read the error above; the state stays resumable"),
    (2, "usage or crawler file", "correct what is named above; nothing was started"),
    (
        3,
        "partial: a limit was reached, or pages failed",
        "run it again to go on with what is left; `crawl status` names what failed",
    ),
    (
        4,
        "refused: robots.txt forbids everything, or cannot be had",
        "ask the owner of the site, or run it again later if robots.txt was out of reach",
    ),
    (
        5,
        "a host has shut us out, or seems to",
        "`crawl hosts` shows what speaks for it; its queue is kept, and a later run probes. Ask its owner",
    ),
    (6, "parked: all that is left must wait longer than patience", "run it again after the time named above"),
    (
        7,
        "an expectation of the crawler file was missed",
        "look at what is told above: the site, the rules or [expect] must change",
    ),
    (
        8,
        "the state directory is in use by another run",
        "wait for that run, stop it, or give another --state",
    ),
    (
        9,
        "the state is damaged or of another version",
        "`crawl doctor` says what is wrong, `crawl repair` mends what can be mended; or restore it",
    ),
    (130, "interrupted", "go on with `crawl resume`, or with the same `crawl run`"),
];

impl Exit {
    pub(super) const COMPLETE: Self = Self(0);
    pub(super) const FAILED: Self = Self(1);
    pub(super) const USAGE: Self = Self(2);
    pub(super) const PARTIAL: Self = Self(3);
    pub(super) const MISSED: Self = Self(7);
    pub(super) const LOCKED: Self = Self(8);
    pub(super) const DAMAGED: Self = Self(9);
    pub(super) const INTERRUPTED: Self = Self(130);

    /// In a few words.
    pub(super) fn meaning(self) -> &'static str {
        self.entry().1
    }

    /// What to do about it; empty if nothing.
    pub(super) fn remedy(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> (u8, &'static str, &'static str) {
        let found = TABLE.into_iter().find(|(code, ..)| *code == self.0);
        found.unwrap_or((self.0, "unknown", ""))
    }
}

/// The table for `--help`.
pub(super) fn table() -> String {
    let lines = TABLE.iter().map(|(code, meaning, _)| format!("  {code:>3}  {meaning}\n"));
    format!("Exit codes:\n{}", lines.collect::<String>())
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The crawler file or an assignment on top of it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was asked for makes no sense here.
    #[error("{0}")]
    Usage(String),
    /// A crawl could not begin or go on.
    #[error(transparent)]
    Crawl(#[from] CrawlError),
    /// A crawl could not be put together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The file system, apart from state and output.
    #[error("cannot use `{}`: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The machine refused a runtime, a port or a signal.
    #[error("the system refused {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Whoever read our standard output has gone. Nothing is said then.
    #[error("the standard output was closed")]
    Closed,
}

impl Failure {
    /// A file that cannot be used.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The code to end with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Usage(_)
            | Self::Build(
                BuildError::Name(_) | BuildError::NoContact | BuildError::NoSpider | BuildError::NoCookies,
            ) => Exit::USAGE,
            Self::Crawl(
                CrawlError::NothingToResume { .. }
                | CrawlError::Seeds(_)
                | CrawlError::Sink(SinkError::Exists { .. } | SinkError::Path { .. }),
            ) => Exit::USAGE,
            Self::Crawl(CrawlError::Store(error)) | Self::Build(BuildError::Store(error)) => of_store(error),
            Self::Build(BuildError::Http(error)) => of_options(error),
            Self::Closed => Exit::INTERRUPTED,
            _ => Exit::FAILED,
        }
    }

    /// Whether this only says that nobody reads our output any more.
    pub(super) fn is_closed_output(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Crawl(CrawlError::Sink(SinkError::Io { source, path })) => {
                source.kind() == io::ErrorKind::BrokenPipe && path.as_os_str() == "-"
            }
            _ => false,
        }
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::InUse { .. } => Exit::LOCKED,
        StoreError::Damaged { .. } | StoreError::Version { .. } => Exit::DAMAGED,
        _ => Exit::FAILED,
    }
}

/// Only the system's own certificates are no matter of configuration.
fn of_options(error: &OptionsError) -> Exit {
    match error {
        OptionsError::Client { .. } => Exit::FAILED,
        _ => Exit::USAGE,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Crawl(error.into())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Crawl(error.into())
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        Self::Crawl(error.into())
    }
}

impl From<OptionsError> for Failure {
    fn from(error: OptionsError) -> Self {
        Self::Build(error.into())
    }
}

impl From<ProductTokenError> for Failure {
    fn from(error: ProductTokenError) -> Self {
        Self::Build(error.into())
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        match error {
            ScenarioError::Build(error) => error.into(),
            ScenarioError::Crawl(error) => error.into(),
            error => Self::Usage(error.to_string()),
        }
    }
}

impl From<MissingContact> for Failure {
    fn from(error: MissingContact) -> Self {
        Self::Usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_but_success_says_what_to_do() {
        let silent: Vec<_> = TABLE.iter().filter(|(_, _, remedy)| remedy.is_empty()).collect();
        assert_eq!(silent.len(), 1);
        assert_eq!(silent[0].0, 0);
    }

    #[test]
    fn the_state_of_another_run_and_damage_have_codes_of_their_own() {
        let path = PathBuf::from("s");
        let in_use = StoreError::InUse { path: path.clone(), pid: "7".to_owned() };
        let damaged = StoreError::Damaged { path: path.clone(), reason: "torn".to_owned() };
        let full = StoreError::Io { path, reason: "no space".to_owned() };
        let codes = [in_use, damaged, full].map(|error| Failure::from(error).exit().0);
        assert_eq!(codes, [8, 9, 1]);
    }
}
