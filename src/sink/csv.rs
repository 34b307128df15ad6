//! Items as comma-separated values with fixed columns.

use std::path::PathBuf;

/// `[sink.csv]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The file; its folder is made if need be.
    pub path: PathBuf,
    /// Columns in order; every item has exactly these.
    pub columns: Vec<String>,
}
