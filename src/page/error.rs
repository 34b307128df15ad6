//! Why a page could not be read.

use crate::url::{CanonicalUrl, UrlError};

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
    /// A field of a typed item that cannot be filled.
    #[error(transparent)]
    Field(#[from] Box<FieldError>),
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

/// A field of a typed item that cannot be filled from a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{page}: `{field}` ({selector}) {fault}")]
#[non_exhaustive]
pub struct FieldError {
    /// The page.
    pub page: CanonicalUrl,
    /// The struct and the field, through all nested structs, with the places in lists counted from 0: `Shelf.books[2].title`.
    pub field: String,
    /// Where the value was looked for, in words.
    pub selector: String,
    /// What is wrong.
    pub fault: FieldFault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// Nothing was found, or what was found is empty.
    #[error("is not there: make it an Option or give it a default if a page may lack it")]
    Missing,
    /// What was found is not what the field's type wants.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// What was found, and what is wanted.
        reason: String,
    },
    /// The page repeats itself without end.
    #[error("is left out: more than {limit} of one page are not read")]
    TooMuch {
        /// What there is too much of.
        limit: String,
    },
}
