//! What to crawl and what to take from it.

pub mod declarative;
pub mod router;

use std::any::Any;

use crate::extract::ExtractError;
use crate::extract::sitemap::Sitemap;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
pub use crate::response::{Failure, FailureClass};
pub use crate::store::files::Downloaded;
pub use declarative::SeedError;

/// A crawl's own code: where it starts, and what each page gives.
///
/// Parsing is sync: it runs off the async threads, one page at a time per thread. An error, a panic or a call that does not return
/// in time ([`CallLimits`](crate::engine::CallLimits)) fails that page only.
pub trait Spider: Any + Send + Sync + 'static {
    /// A name for logs, state and `spider = "…"` in a crawler file.
    fn name(&self) -> &str;

    /// Where the crawl starts.
    fn seeds(&self) -> Vec<Request>;

    /// Where it starts beside its [`seeds`](Spider::seeds), one request after the other: for more of them than should be in memory at
    /// once. They are asked for anew by every run, and what was asked for before in its round is not asked again. Default: none.
    fn more_seeds(&self) -> Box<dyn Iterator<Item = Result<Request, SeedError>> + Send + '_> {
        Box::new(std::iter::empty())
    }

    /// Takes items and links from a page. [`Request::label`] of `page.request()` says which kind of page it is.
    ///
    /// # Errors
    /// An [`ExtractError`] fails this page only; it is counted and reported.
    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError>;

    /// Chooses from a sitemap what to ask for: everything that it lists, unless the spider knows better. `request` is the one
    /// that led to it, with its label and data.
    fn sitemap(&self, _request: &Request, sitemap: &Sitemap, harvest: &mut Harvest) {
        sitemap.follow(harvest);
    }

    /// Called when a file has come whole, or was found unchanged. It may yield items and requests. `file` is there until the
    /// process ends, but under its name in the manifest only after this call.
    fn downloaded(&self, _request: &Request, _file: &Downloaded, _harvest: &mut Harvest) {}

    /// Called when a request was given up for good. It may still yield items and requests.
    fn failed(&self, _request: &Request, _failure: &Failure, _harvest: &mut Harvest) {}
}
