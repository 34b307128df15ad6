//! The crawler file: from TOML to a checked [`Plan`].
//!
//! Four layers lie over each other: the embedded defaults (`defaults.toml`, the one place of these numbers), the crawler file,
//! `--set key=value`, and flags. They are merged as a tree in which every value knows its origin; then the tree is read into
//! the mirror of the file, and the mirror is built into the types of the rooms below. Whatever is wrong is collected on the
//! way and told at once, in the order of the file, with line, column and what may have been meant.
//!
//! Relative paths in a crawler file are relative to the current directory, as those of the command line are. Strings may refer
//! to the environment (`${NAME}`); what came from there is never printed. This room reads one file and the environment, and
//! nothing else: it starts no demo site, opens no sink and asks no host.

mod build;
mod check;
mod environment;
mod loader;
mod overrides;
mod path;
mod plan;
mod problem;
mod raw;
mod read;
mod schema;
mod tables;
mod tree;
mod units;

pub use loader::{DEFAULTS, Loader};
pub use plan::{Budget, Effective, Identity, LoginPlan, MissingContact, Plan, Reader, Seed, Start};
pub use problem::{ConfigError, Problem};
pub use schema::schema;

/// A time as it stands in a crawler file, or why it is none.
pub(crate) fn time(text: &str) -> Result<std::time::Duration, String> {
    units::Time::parse(text).map(|time| time.0)
}

#[cfg(test)]
mod tests;
