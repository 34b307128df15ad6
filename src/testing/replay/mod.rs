//! Recorded pages, and what a spider takes from them: a spider is pinned to pages that do not change.
//!
//! Pages lie in a folder, one file for each, which can be read, edited and kept under version control:
//!
//! ```text
//! url: https://shop.example/books/7
//! label: book
//! status: 200
//! content-type: text/html; charset=utf-8
//!
//! <h1>A book</h1>
//! ```
//!
//! Above the empty line stand what was asked and what the answer's header says, below it the body, byte for byte. `crawl
//! test FILE --record URL` writes such files, as [`Recorded::add`] does. What is taken from them is a [`Readings`], which can be
//! written as JSON lines and compared. Nothing here opens a socket.

mod difference;
mod file;
mod readings;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use difference::Difference;
pub use readings::{Misread, Reading, Readings};

use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::Response;
use crate::spider::Spider;
use crate::url::{Canon, CanonicalUrl};

/// The ending of a page's file.
const ENDING: &str = "page";

/// The recorded pages of one folder.
///
/// ```
/// use crawl::extract::ExtractError;
/// use crawl::item::Harvest;
/// use crawl::page::Page;
/// use crawl::request::Request;
/// use crawl::spider::Spider;
/// use crawl::testing::Recorded;
///
/// struct Titles;
///
/// impl Spider for Titles {
///     fn name(&self) -> &str {
///         "titles"
///     }
///     fn seeds(&self) -> Vec<Request> {
///         Vec::new()
///     }
///     fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
///         harvest.item(&serde_json::json!({ "title": page.text_of("h1")? }))?;
///         Ok(())
///     }
/// }
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("7.page"), "url: https://shop.example/7\n\n<h1>A book</h1>")?;
///
/// let readings = Recorded::open(folder.path())?.run(&Titles);
/// assert_eq!(readings.items()[0].fields["title"], "A book");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorded {
    pages: Vec<(Arc<Request>, Response)>,
    canon: Canon,
}

/// Why recorded pages cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordedError {
    /// The file system refused.
    #[error("cannot use `{}`: {source}", .path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no recorded page.
    #[error("`{}` is no recorded page: {reason}; record it anew", .path.display())]
    Page {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Recorded {
    /// Reads all pages of a folder: the files that end in `.page`.
    ///
    /// # Errors
    /// If there is no such folder, or one of its files is no page.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, RecordedError> {
        let dir = dir.as_ref();
        let mut pages = Vec::new();
        for entry in fs::read_dir(dir).map_err(refused(dir))? {
            let path = entry.map_err(refused(dir))?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                let text = fs::read(&path).map_err(refused(&path))?;
                let (request, response) =
                    file::read(&text).map_err(|reason| RecordedError::Page { path, reason })?;
                pages.push((Arc::new(request), response));
            }
        }
        pages.sort_by(|(one, _), (other, _)| one.url.cmp(&other.url));
        Ok(Self { pages, canon: Canon::default() })
    }

    /// Writes a page into a folder, in the place of an earlier one of the same request. Returns its file.
    ///
    /// Of the answer's header only the fields that decide what the page means are written; name and password in its URL are
    /// not.
    ///
    /// # Errors
    /// If the file cannot be written, or the request's label has a line break.
    pub fn add(
        dir: impl AsRef<Path>,
        request: &Request,
        response: &Response,
    ) -> Result<PathBuf, RecordedError> {
        let dir = dir.as_ref();
        let path = dir.join(format!("{}.{ENDING}", file::name(request)));
        let text = file::write(request, response)
            .map_err(|reason| RecordedError::Page { path: path.clone(), reason })?;
        fs::create_dir_all(dir).map_err(refused(dir))?;
        fs::write(&path, text).map_err(refused(&path))?;
        Ok(path)
    }

    /// Brings links into normal form by these steps instead of the default ones.
    #[must_use]
    pub fn with_canon(mut self, canon: Canon) -> Self {
        self.canon = canon;
        self
    }

    /// The URLs of the pages, in order.
    pub fn urls(&self) -> impl Iterator<Item = &CanonicalUrl> {
        self.pages.iter().map(|(request, _)| &request.url)
    }

    /// What `spider` takes from each page. As in a crawl, a page on which it fails gives nothing but its error.
    #[must_use]
    pub fn run(&self, spider: &(impl Spider + ?Sized)) -> Readings {
        let read = |(request, response): &(Arc<Request>, Response)| {
            let page = Page::new(Arc::clone(request), response.clone()).with_canon(self.canon.clone());
            let mut harvest = Harvest::new();
            match spider.parse(&page, &mut harvest) {
                Ok(()) => Reading::of(page.url(), harvest),
                Err(error) => Reading::failed(page.url(), &error),
            }
        };
        Readings { pages: self.pages.iter().map(read).collect() }
    }
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> RecordedError {
    let path = path.to_owned();
    move |source| RecordedError::File { path, source }
}

#[cfg(test)]
mod tests;
