//! Pages that need not be asked for: what is kept of them is fresh enough, and their lease is settled without a request.

use super::Loop;
use crate::engine::worker::PageDone;
use crate::engine::writer::Change;
use crate::fetch::Fetcher;
use crate::frontier::Lease;
use crate::request::Kind;

impl<F: Fetcher> Loop<F> {
    /// Takes the page of a lease from the cache. The host's turn is given back as it was: nothing was asked of it.
    pub(super) async fn settle_stored(&mut self, lease: Lease, page: PageDone) {
        let settled = self.frontier.settle_stored(self.clock.now(), lease);
        self.voice.page(&settled.pending.request, &page);
        let request = &settled.pending.request;
        tracing::debug!(host = %request.host(), url = %request.url, "fresh in the cache");
        let mut change = Change { host: Some(settled.host.clone()), ..Change::default() };
        match request.kind {
            Kind::Page | Kind::NextPage => (change.totals.pages, change.totals.from_cache) = (1, 1),
            Kind::Sitemap { .. } => change.totals.sitemaps = 1,
            Kind::Login | Kind::Download => {}
        }
        change.done.push((settled.origin.clone(), settled.pending.key));
        self.reap(&mut change, &settled.pending, page);
        self.commit(change).await;
    }
}
