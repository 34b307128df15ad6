//! Pages that bring nothing: what they lead to goes behind everything else, and whose pattern has enough of them is told.

use super::Loop;
use crate::engine::event::Event;
use crate::engine::worker::PageDone;
use crate::engine::writer::Change;
use crate::fetch::Fetcher;
use crate::request::Request;
use crate::trap::Novelty;

impl<F: Fetcher> Loop<F> {
    /// Lets the frontier look at a page that was read.
    pub(super) fn look(&mut self, request: &Request, page: &mut PageDone, change: &mut Change) {
        if request.kind.is_sitemap() && self.frontier.look_at_sitemap(request, &page.harvest.links) {
            tracing::warn!(
                host = %request.host(), example = %request.url,
                todo = "name the sitemaps of use in sitemap.follow, or ask for all of them with scope.traps.alike = 0",
                "sitemaps name nothing but sitemaps: the others are not asked for"
            );
        }
        let Some(look) = page.harvest.look else { return };
        let leads: Vec<_> = page.harvest.links.iter().map(|link| &link.url).collect();
        let Some(notice) = self.frontier.look(request, look, &leads) else { return };
        if let Novelty::Nothing(_) = notice.novelty {
            change.totals.alike += 1;
            for link in &mut page.harvest.links {
                link.priority = link.priority.saturating_sub(1);
            }
        }
        if let Some(parked) = notice.parked {
            let host = request.host();
            tracing::warn!(
                %host, pattern = parked.pattern, pages = parked.pages, why = parked.why.as_str(), example = parked.examples.last(),
                todo = "leave it out with scope.exclude, or ask for all of it with scope.traps.alike = 0",
                "pages of a pattern bring nothing new: the others are not asked for"
            );
            self.voice.event(Event::PatternParked { host, pattern: parked.pattern, why: parked.why });
        }
    }
}
