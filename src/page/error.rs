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
    /// A query that is not valid JSONPath (RFC 9535).
    #[error("`{path}` is not a JSONPath query: {reason}")]
    JsonPath {
        /// The query as written.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An expression that is not valid XPath 1.0.
    #[error("`{expression}` is not an XPath expression: {reason}")]
    XPath {
        /// The expression as written.
        expression: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A page that is read as a feed and is none.
    #[error("not a feed of RSS, Atom or JSON Feed: {reason}")]
    Feed {
        /// What is wrong with it.
        reason: String,
    },
    /// A query that would take too long on this page, which may be made for that.
    #[error("`{query}` takes more than {steps} steps on this page; name more of the way to what is wanted")]
    TooMuch {
        /// The query as written.
        query: String,
        /// The limit that it ran into.
        steps: u64,
    },
}

impl ExtractError {
    /// An error in the spider's own words.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self::Unexpected(what.into())
    }
}
