//! What a crawl downloads.

use super::Builder;
use crate::engine::Downloads;
use crate::fetch::Fetcher;

impl<F: Fetcher> Builder<F> {
    /// Which files are downloaded, and where they go. Default: none.
    pub fn downloads(mut self, downloads: Downloads) -> Self {
        self.downloads = Some(downloads);
        self
    }
}
