//! Which files are wanted: by type, before anything of them is read, and by size.

use std::fmt;

use super::Naming;

/// What files are wanted, and how they are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRules {
    /// How they are named.
    pub naming: Naming,
    /// Bytes of the largest file that is kept. Default 50 MB.
    pub max_size: u64,
    /// Bytes of all files of a round; `None`: no limit, the default.
    pub max_total: Option<u64>,
    /// If not empty, a file's type must be one of these.
    pub types: Vec<MediaRange>,
}

impl Default for FileRules {
    fn default() -> Self {
        Self { naming: Naming::default(), max_size: 50_000_000, max_total: None, types: Vec::new() }
    }
}

impl FileRules {
    /// Whether files of this type are wanted. What has no type is `application/octet-stream` (RFC 9110 8.3).
    #[must_use]
    pub fn wants(&self, essence: Option<&str>) -> bool {
        let essence = essence.unwrap_or("application/octet-stream");
        self.types.is_empty() || self.types.iter().any(|range| range.matches(essence))
    }

    /// The types that are asked for, as an `Accept` field has them.
    #[must_use]
    pub fn accept(&self) -> String {
        let types: Vec<_> = self.types.iter().map(ToString::to_string).collect();
        if types.is_empty() { "*/*".to_owned() } else { types.join(", ") }
    }
}

/// Types of files: `image/png`, or `image/*` for all images (RFC 9110 12.5.1, without parameters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange {
    kind: String,
    /// `None` for all.
    subkind: Option<String>,
}

impl MediaRange {
    /// Reads a range.
    ///
    /// # Errors
    /// In words, if it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("{text:?} is no type of files: write \"image/png\", or \"image/*\" for all images");
        let lower = text.trim().to_ascii_lowercase();
        let (kind, subkind) = lower.split_once('/').ok_or_else(expected)?;
        let is_token = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
        };
        if !is_token(kind) || subkind != "*" && !is_token(subkind) {
            return Err(expected());
        }
        Ok(Self { kind: kind.to_owned(), subkind: (subkind != "*").then(|| subkind.to_owned()) })
    }

    /// Whether a type in lower case, without parameters, is one of these.
    #[must_use]
    pub fn matches(&self, essence: &str) -> bool {
        essence.split_once('/').is_some_and(|(kind, subkind)| {
            kind == self.kind && self.subkind.as_ref().is_none_or(|wanted| wanted == subkind)
        })
    }
}

impl fmt::Display for MediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.subkind.as_deref().unwrap_or("*"))
    }
}
