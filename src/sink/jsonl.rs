//! Items as JSON lines.

use std::path::PathBuf;

/// `[sink.jsonl]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonlOptions {
    /// The file; its folder is made if need be. `-` is standard output.
    pub path: PathBuf,
}
