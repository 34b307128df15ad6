//! From a page to items and links.
//!
//! What a page costs is bounded here and not left to the page: a document deeper than [`tree::MAX_DEPTH`] is flattened, a
//! tree ends at [`tree::MAX_WEIGHT`] elements, a tag keeps [`markup::MAX_ATTRIBUTES`], and [`links::MAX_LINKS`] links are
//! read. Every pass is linear.

pub mod charset;
pub mod css;
pub mod element;
pub mod facts;
pub mod links;
pub mod markup;
pub(crate) mod reference;
pub mod refresh;
pub(crate) mod sniff;
pub mod tree;

use crate::item::Harvest;
use crate::page::Page;
use crate::url::UrlError;

/// Takes something from a page. Closures of the same shape are extractors too.
///
/// ```
/// use crawl::extract::{ExtractError, Extractor};
/// use crawl::item::Harvest;
/// use crawl::page::Page;
///
/// fn titles(page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
///     harvest.item(&serde_json::json!({ "title": page.title() }))?;
///     Ok(())
/// }
/// let extractor: Box<dyn Extractor> = Box::new(titles);
/// ```
pub trait Extractor: Send + Sync + 'static {
    /// Adds what it finds on `page` to `harvest`.
    ///
    /// # Errors
    /// Fails this page only.
    fn extract(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError>;
}

impl<F> Extractor for F
where
    F: Fn(&Page, &mut Harvest) -> Result<(), ExtractError> + Send + Sync + 'static,
{
    fn extract(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        self(page, harvest)
    }
}

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
