//! What to crawl and what to take from it.

pub mod declarative;

use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::FailureKind;

/// A crawl's own code: where it starts, and what each page gives.
///
/// Parsing is sync: it runs off the async threads, one page at a time per thread, and a panic fails that page only.
pub trait Spider: Send + Sync + 'static {
    /// A name for logs, state and `spider = "…"` in a crawler file.
    fn name(&self) -> &str;

    /// Where the crawl starts.
    fn seeds(&self) -> Vec<Request>;

    /// Takes items and links from a page. [`Request::label`] of `page.request()` says which kind of page it is.
    ///
    /// # Errors
    /// An [`ExtractError`] fails this page only; it is counted and reported.
    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError>;

    /// Called when a request was given up for good. It may still yield items and requests.
    fn failed(&self, _request: &Request, _failure: &Failure, _harvest: &mut Harvest) {}
}

/// Why a request was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// The last status, if there was an answer.
    pub status: Option<u16>,
    /// In words.
    pub reason: String,
}

/// Why a request was given up, in classes that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// robots.txt forbids it, or could not be read.
    Robots,
    /// 404, 410 and other 4xx: it is not there.
    Gone,
    /// 401, 403: we may not see it.
    Forbidden,
    /// 5xx after all tries.
    ServerError,
    /// No answer after all tries.
    Unreachable(FailureKind),
    /// A redirect that leads nowhere: loop, too many hops, no or unusable Location.
    Redirect,
    /// The body could not be read whole.
    Truncated,
    /// The spider failed on it.
    Parse,
}
