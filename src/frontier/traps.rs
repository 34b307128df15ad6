//! Evidence of traps, host by host: what pages bring goes in, and requests of parked patterns do not go out.

use super::Frontier;
use super::host::HostEntry;
use crate::request::{Kind, Request};
use crate::response::{Failure, FailureClass};
use crate::trap::{Impression, Novelty, Parked, Seen, SitemapNames, Traps};
use crate::url::CanonicalUrl;

/// Pages of a host in a round before anybody looks: most hosts have fewer, and cost nothing.
const FREE_PAGES: u64 = 8;

/// Digests of pages that are remembered over all hosts: about 64 MiB. Beyond it further hosts are not looked at, and
/// the others forget their own pages first.
const MOST_REMEMBERED: usize = 1_000_000;

/// What a page came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it brought.
    pub novelty: Novelty,
    /// The pattern that is parked because of it.
    pub parked: Option<Parked>,
}

/// Whether a request is one that may be left out: found on a page, for nothing but a page. Seeds and what a sitemap lists were asked for.
fn is_found(request: &Request) -> bool {
    request.depth > 0 && request.kind == Kind::Page && request.method == http::Method::GET
}

/// Whether a request is for a sitemap that an index named.
fn is_below_index(request: &Request) -> bool {
    matches!(request.kind, Kind::Sitemap { level: 1.. })
}

impl Frontier {
    /// Whether anybody wants to know what pages of this host look like.
    #[must_use]
    pub fn looks_at(&self, request: &Request) -> bool {
        if self.settings.traps.alike == 0 || !is_found(request) {
            return false;
        }
        let entry = self.index.get(&request.host()).map(|&host| &self.hosts[host]);
        entry.is_some_and(|entry| {
            entry.traps.is_some()
                || entry.machine.state().pages_in(self.round) >= FREE_PAGES
                    && self.remembered < MOST_REMEMBERED
        })
    }

    /// Takes in what a page looked like, with its links that may be new.
    pub fn look(&mut self, request: &Request, look: Impression, leads: &[&CanonicalUrl]) -> Option<Notice> {
        let entry = &mut self.hosts[*self.index.get(&request.host())?];
        let is_over = leads.is_empty() && entry.waiting() == 0;
        let traps = entry.traps.get_or_insert_default();
        let before = traps.known();
        if self.remembered >= MOST_REMEMBERED {
            traps.forget_pages();
        }
        let seen = Seen { url: &request.url, depth: request.depth, look, leads };
        let (novelty, place) = traps.see(&seen, &self.settings.traps);
        let parked = place.map(|place| traps.parked()[place].clone());
        // The last page of a host: what is known of it makes room for others.
        if is_over {
            traps.forget_pages();
        }
        self.remembered = (self.remembered + traps.known()).saturating_sub(before);
        Some(Notice { novelty, parked })
    }

    /// Takes in a sitemap that an index named, by what it names that may be new. Gives whether it shows that there is no end of them:
    /// then no other of the host is asked for.
    pub fn look_at_sitemap(&mut self, request: &Request, links: &[Request]) -> bool {
        let names = match links {
            links if links.iter().any(|link| link.kind.is_page()) => SitemapNames::Pages,
            _ if links.is_empty() => return false,
            _ => SitemapNames::Sitemaps,
        };
        let host = self.index.get(&request.host()).filter(|_| is_below_index(request));
        let Some(entry) = host.map(|&host| &mut self.hosts[host]) else { return false };
        entry.traps.get_or_insert_default().see_sitemap(names, &self.settings.traps)
    }

    /// What was known of the pages of a host is gone with it.
    pub(super) fn forget_look(&mut self, traps: Option<&Traps>) {
        self.remembered = self.remembered.saturating_sub(traps.map_or(0, Traps::known));
    }
}

impl HostEntry {
    /// The patterns that are parked.
    pub(super) fn parked(&self) -> &[Parked] {
        self.traps.as_deref().map_or(&[], Traps::parked)
    }
}

/// Why a request is not made, if its pattern is parked.
pub(super) fn parked(traps: Option<&mut Traps>, request: &Request) -> Option<Failure> {
    if is_below_index(request) {
        let reason = traps?.no_more_sitemaps()?;
        return Some(Failure { class: FailureClass::Trap, status: None, reason });
    }
    let traps = traps.filter(|traps| !traps.parked().is_empty() && is_found(request))?;
    let place = traps.parked_by(&request.url)?;
    Some(Failure { class: FailureClass::Trap, status: None, reason: traps.skip(place) })
}
