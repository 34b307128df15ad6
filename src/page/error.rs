//! Why a page could not be read.

use crate::url::UrlError;

/// Why a page could not be read. Fails the page, never the run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A field or value that is not what the spider expects.
    #[error("{0}")]
    Unexpected(String),
    /// An item that cannot be written as JSON, or data of another shape.
    #[error("not JSON of the expected shape: {0}")]
    Json(#[from] serde_json::Error),
    /// A reference that leads nowhere.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A selector that is not valid CSS.
    #[error("`{selector}` is not a CSS selector: {reason}")]
    Selector {
        /// The selector as written.
        selector: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ExtractError {
    /// An error in the spider's own words.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self::Unexpected(what.into())
    }
}
