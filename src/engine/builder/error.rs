//! Why a crawl cannot be built.

use crate::fetch::http::OptionsError;
use crate::robots::ProductTokenError;
use crate::store::StoreError;

/// Why a crawl cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A name that robots.txt cannot know us by.
    #[error(transparent)]
    Name(#[from] ProductTokenError),
    /// No contact, and seeds beyond this machine.
    #[error("a crawl beyond this machine needs a contact: say `.identity(\"name\", \"mail or URL\")`")]
    NoContact,
    /// No spider.
    #[error("a crawl needs a spider: say `.spider(...)`")]
    NoSpider,
    /// A login that would be forgotten at once.
    #[error("a crawl that logs in keeps cookies: leave out `.without_cookies()`")]
    NoCookies,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Http(#[from] OptionsError),
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
