//! What can be said of the files of a sink, whatever is written into them.

use std::time::Duration;

/// Parts, compression, and what becomes of files that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileOptions {
    /// When the next part begins.
    pub rotate: Rotate,
    /// How a part is compressed when it is closed; `None`: as the ending of the path says.
    pub compress: Option<Compress>,
    /// What becomes of files that are there when a round begins.
    pub exists: Exists,
    /// When a file gets its name.
    pub finish: Finish,
}

/// When the next part begins. Whatever comes first counts; a part has one item at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotate {
    /// Most bytes of a part, before compression.
    pub size: Option<u64>,
    /// How long a part is written, from its first item on.
    pub every: Option<Duration>,
    /// Most items of a part.
    pub items: Option<u64>,
}

impl Rotate {
    /// Whether there is more than one part.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.size.is_some() || self.every.is_some() || self.items.is_some()
    }
}

/// How a closed part is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compress {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// Not at all, whatever the name ends in.
    None,
}

impl Compress {
    /// Those that a name can ask for.
    pub const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// What the names of such files end in, without the dot.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
            Self::None => "",
        }
    }
}

/// What becomes of files that are there when a round begins. An interrupted round always goes on where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exists {
    /// They are written anew.
    #[default]
    Overwrite,
    /// Items follow what is there; with parts, in a new part.
    Append,
    /// The run ends before it begins.
    Fail,
}

/// When a file gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finish {
    /// It is written under its name; a compressed one gets it when it is closed, or the run ends.
    #[default]
    InPlace,
    /// It is written as `.part` and gets its name when it is closed, the last one when the round is complete.
    Rename,
}
