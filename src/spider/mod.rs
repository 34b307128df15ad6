//! What to crawl and what to take from it.

pub mod declarative;
pub mod router;

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
/// Parsing is sync: it runs off the async threads unless the spider [is quick](Spider::is_quick), one page at a time per thread, and a
/// panic fails that page only.
pub trait Spider: Send + Sync + 'static {
    /// A name for logs, state and `spider = "…"` in a crawler file.
    fn name(&self) -> &str;

    /// Where the crawl starts.
    fn seeds(&self) -> Vec<Request>;

    /// Where it starts beside its [`seeds`](Spider::seeds), one request after the other: for more of them than should be in memory at
    /// once. They are asked for anew by every run, and what was asked for before in its round is not asked again. Default: none.
    fn more_seeds(&self) -> Box<dyn Iterator<Item = Result<Request, SeedError>> + Send + '_> {
        Box::new(std::iter::empty())
    }

    /// Whether [`parse`](Spider::parse) is done sooner than another thread could be asked to do it: in some microseconds for each kilobyte
    /// of the page, whatever the page holds. Then small pages are parsed where they arrive. Default: no, every page is parsed off
    /// the async threads.
    fn is_quick(&self) -> bool {
        false
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
