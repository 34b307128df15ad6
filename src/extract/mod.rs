//! From a page to items and links: what user code is given, and the facts that a page tells about itself.
//!
//! What a page is made of (markup, tree, selectors, links) lives in [`crate::page`].

pub mod article;
pub mod convert;
pub mod facts;
pub mod feed;
pub mod json;
pub mod sitemap;
pub mod structured;
pub mod typed;
pub mod xpath;

pub use crate::page::{ExtractError, FieldError, FieldFault};

use crate::item::Harvest;
use crate::page::Page;

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
