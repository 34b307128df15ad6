//! Where items go.
//!
//! A sink is written by one thread only and can be cut back: after a crash the store knows up to which [`Position`] its
//! output was committed, and [`Sink::rewind`] drops what was written after that. So an item is in the output exactly once,
//! also after kill -9.
//!
//! [`Target`] says what a crawler file can say of a sink: which items of which fields ([`Choice`]) go into what ([`Form`]). The
//! forms that are text share their files ([`files::FileOptions`]): placeholders in paths, parts, compression.

mod by_kind;
mod choice;
pub mod csv;
pub mod ending;
pub mod files;
mod form;
pub mod json;
pub mod jsonl;
mod line_file;
pub mod memory;
mod pack;
#[cfg(feature = "parquet")]
pub mod parquet;
mod parts;
mod places;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod read;
pub mod sqlite;
pub mod stdout;
pub mod table;
pub mod template;
mod text;
pub mod warc;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::item::Item;
use crate::time::Timestamp;

pub use choice::{Choice, Chosen, Condition, NO_KIND};
pub use form::{Form, Target};

/// How far a sink's output reaches: a byte offset, a row number, whatever the sink can cut back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Bits that hold the place within a part: 16 TiB.
    const PLACE_BITS: u32 = 44;
    /// The last part that a position can tell.
    pub const LAST_PART: u32 = (1 << (u64::BITS - Self::PLACE_BITS)) - 1;

    /// A place in one of the parts of an output, counted from 0. In part 0 it is the place itself, so that an output of one
    /// file and the first part of an output of many have the same positions. A later position is always the greater one.
    #[must_use]
    pub const fn of_part(part: u32, at: u64) -> Self {
        Self((part as u64) << Self::PLACE_BITS | at & ((1 << Self::PLACE_BITS) - 1))
    }

    /// The part, from 0.
    #[must_use]
    pub const fn part(self) -> u32 {
        (self.0 >> Self::PLACE_BITS) as u32
    }

    /// The place within the part.
    #[must_use]
    pub const fn at(self) -> u64 {
        self.0 & ((1 << Self::PLACE_BITS) - 1)
    }
}

/// The round that a sink is about to be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// When it began; the same after an interruption.
    pub started: Timestamp,
    /// What time it is.
    pub now: Timestamp,
    /// What this sink has committed of it so far; `None`: nothing, the round begins here.
    pub committed: Option<Position>,
    /// The [`Sink::notes`] that were committed with it, in no order.
    pub notes: &'a [(String, u64)],
}

/// How a run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The round is complete.
    Complete,
    /// The round goes on with the next run.
    Unfinished,
}

/// Takes items.
///
/// The engine calls `begin` and `rewind` once before the first `write`: with the committed position if a crawl is continued,
/// with `Position(0)` if a round begins. It calls `flush` before every commit of its state and stores the position with it.
/// A run that is not killed ends with `finish`. A sink that wraps a sink hands on every one of these calls.
///
/// ```
/// use crawl::item::Item;
/// use crawl::sink::{Position, Sink, SinkError};
///
/// /// Counts items and keeps nothing.
/// #[derive(Default)]
/// struct Count(u64);
///
/// impl Sink for Count {
///     fn name(&self) -> &str {
///         "count"
///     }
///     fn write(&mut self, _item: &Item) -> Result<(), SinkError> {
///         self.0 += 1;
///         Ok(())
///     }
///     fn flush(&mut self) -> Result<Position, SinkError> {
///         Ok(Position(self.0))
///     }
///     fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
///         self.0 = to.0;
///         Ok(())
///     }
/// }
/// ```
pub trait Sink: Send + 'static {
    /// A name that stays the same between runs: its position is stored under it.
    fn name(&self) -> &str;

    /// Which items it is given. Default: [`Wants::Everything`].
    fn wants(&self) -> Wants {
        Wants::Everything
    }

    /// Hears of the round, before [`Sink::rewind`] and before anything is changed. Default: nothing.
    ///
    /// # Errors
    /// If the round must not be written here: an output that may not be replaced is there. Nothing has begun then.
    fn begin(&mut self, _round: &Round<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    /// Hears what time it is, before a flush. Default: nothing.
    ///
    /// # Errors
    /// As for [`Sink::write`].
    fn tick(&mut self, _now: Timestamp) -> Result<(), SinkError> {
        Ok(())
    }

    /// Named numbers that are to be committed with the position of the last flush, and come back with [`Sink::begin`]: those
    /// that are others than when this was last asked. Default: none.
    fn notes(&mut self) -> Vec<(String, u64)> {
        Vec::new()
    }

    /// Takes one item. It may be buffered until [`Sink::flush`].
    ///
    /// # Errors
    /// If the output cannot be written; the run stops without losing the page.
    fn write(&mut self, item: &Item) -> Result<(), SinkError>;

    /// Hands everything to the operating system and tells how far the output reaches now.
    ///
    /// # Errors
    /// As for [`Sink::write`].
    fn flush(&mut self) -> Result<Position, SinkError>;

    /// Makes what was flushed survive a power cut. Called about once a second, before the same is done for the state: the
    /// output may never be shorter than the state says. Default: nothing.
    ///
    /// # Errors
    /// As for [`Sink::write`].
    fn sync(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Drops everything after `to`.
    ///
    /// # Errors
    /// If the output is shorter than `to` (somebody changed it) or cannot be cut.
    fn rewind(&mut self, to: Position) -> Result<(), SinkError>;

    /// The run ends in order, and everything is committed. Brings the output into its final form. Default: nothing.
    ///
    /// # Errors
    /// As for [`Sink::write`]; nothing is lost, and the next run can do it.
    fn finish(&mut self, _ended: Ended) -> Result<(), SinkError> {
        Ok(())
    }

    /// Lets go of what can be had again, such as an open file. Called after a flush, if many sinks are open. Default: nothing.
    fn rest(&mut self) {}
}

/// A sink that was boxed.
impl<S: Sink + ?Sized> Sink for Box<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn wants(&self) -> Wants {
        (**self).wants()
    }

    fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        (**self).begin(round)
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        (**self).tick(now)
    }

    fn notes(&mut self) -> Vec<(String, u64)> {
        (**self).notes()
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        (**self).write(item)
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        (**self).flush()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        (**self).sync()
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        (**self).rewind(to)
    }

    fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        (**self).finish(ended)
    }

    fn rest(&mut self) {
        (**self).rest();
    }
}

/// Which items a sink is given when pages are visited again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wants {
    /// Those of pages whose items are others than at the last visit, and of new pages.
    Changes,
    /// Those of every page of the round: the output is complete after each round.
    #[default]
    Everything,
}

/// Why an item could not be written. Fatal to the run, which stays resumable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The file system refused.
    #[error("cannot write to `{}`: {source}", .path.display())]
    Io {
        /// The output file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The output is not what the state says it should be.
    #[error("`{}` is shorter than at the last run ({found} of {expected} bytes): restore it, or start over with --fresh", .path.display())]
    Shortened {
        /// The output file.
        path: PathBuf,
        /// Bytes that were committed.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The output was begun with other columns than it should go on with.
    #[error("`{}` has the columns {found:?}, not {expected:?}: put them back, or start over with --fresh", .path.display())]
    Columns {
        /// The output file.
        path: PathBuf,
        /// Columns of the crawler file.
        expected: Vec<String>,
        /// Columns of the file's header line.
        found: Vec<String>,
    },
    /// Another crawl writes the same file.
    #[error("`{}` is being written by another crawl: wait for it, or give each its own name", .path.display())]
    InUse {
        /// The output file.
        path: PathBuf,
    },
    /// Another program holds the database for longer than we wait.
    #[error(
        "`{output}` is held by another program ({reason}): end that one, then go on with the same command"
    )]
    Held {
        /// The database.
        output: String,
        /// What it said.
        reason: String,
    },
    /// The database cannot be reached, or cannot any more.
    #[error(
        "cannot reach `{output}`: {reason}; go on with the same command when it is back, nothing is lost"
    )]
    Unreachable {
        /// The database.
        output: String,
        /// What was said.
        reason: String,
    },
    /// The database refused.
    #[error("cannot write items to `{output}`: {reason}")]
    Database {
        /// The database.
        output: String,
        /// What it said.
        reason: String,
    },
    /// The database stands at another step than the state, and cannot be brought there.
    #[error(
        "`{output}` stands at step {found}, this crawl's state at {expected}: restore the one that was changed, or start over with --fresh"
    )]
    Strayed {
        /// The database.
        output: String,
        /// The step of the state.
        expected: u64,
        /// The step of the database.
        found: u64,
    },
    /// The output is there, and was not to be replaced.
    #[error("`{}` is there already: move it away, or write exists = \"overwrite\" or \"append\"", .path.display())]
    Exists {
        /// The output file.
        path: PathBuf,
    },
    /// A path that says nothing of use.
    #[error("cannot write items to `{}`: {reason}", .path.display())]
    Path {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// An item that this format cannot hold.
    #[error("item of {url} does not fit `{sink}`: {reason}")]
    Item {
        /// The sink's name.
        sink: String,
        /// The page of the item.
        url: String,
        /// What does not fit.
        reason: String,
    },
}

impl SinkError {
    /// An item that the sink of this name cannot hold.
    pub(crate) fn item(sink: &str, item: &Item, reason: String) -> Self {
        Self::Item { sink: sink.to_owned(), url: item.url.to_string(), reason }
    }
}

/// Whether a terminal would obey this character instead of showing it: control characters, and the marks of Unicode that
/// reorder a line. What is printed from the web has them escaped.
pub(crate) fn is_obeyed_by_terminals(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What an item can tell of its page beside its own fields: since when it is known, when its items were found to be others, and
/// in which round. A field of the item's own comes first.
pub(crate) const SEEN: [&str; 3] = ["first_seen", "last_changed", "round"];

/// One of [`SEEN`], as text; for the round a number. `None` if nothing is known of the page, or the item has such a field.
fn shown_seen(item: &Item, name: &str) -> Option<Value> {
    let seen = item.seen.filter(|_| !item.fields.contains_key(name))?;
    match name {
        "first_seen" => Some(seen.first_seen.to_string().into()),
        "last_changed" => Some(seen.last_changed.to_string().into()),
        "round" => Some(seen.round.into()),
        _ => None,
    }
}

/// The kind to show beside an item's fields: a field `kind` of its own comes first.
fn shown_kind(item: &Item) -> Option<&str> {
    item.kind.as_deref().filter(|_| !item.fields.contains_key("kind"))
}

#[cfg(test)]
mod tests;
