//! Which URLs of a host lead to nothing but more of the same: calendars without an end, session ids, facets of facets, the
//! same page under thousands of names, pages that say "not found" with status 200.
//!
//! What a URL looks like alone is judged by [`crate::scope`]. Here it is what its pages bring. Each page that brings nothing
//! speaks against the patterns of its URL, and each one that brings something speaks for them, [`NEW_PAYS_FOR`] times as loud.
//! A pattern that has gathered [`TrapPolicy::alike`] is *parked*: its other pages are not asked for, and are told. Of several
//! patterns the narrowest is parked, so that what lies beside a trap is still asked for.
//!
//! The rule kept: **it takes evidence to park, and doubt speaks for the page.** A page with a text of its own is new, whatever
//! its URL; so is one that leads somewhere that is neither known nor of its own kind, unless the last [`SPENT`] pages of the shape
//! that it leads to had texts that were known: kinds of pages that lead to one another under ever new names are no way out. Numbers alone make a text its own, but
//! for two shapes that only machines walk: dates, and chains of more than [`DEEP`] links.
//!
//! Pure and bounded: of a host [`MOST_KNOWN`] digests and [`MOST_PATTERNS`] patterns are remembered at most. Not stored: a run
//! that goes on with a crawl gathers the evidence again.

mod pattern;
mod tally;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::url::{CanonicalUrl, Fingerprint};

pub use pattern::{Pattern, is_counted, is_dated, patterns};
use tally::{Tallies, Tally};

/// What a page that brings something outweighs: so many that bring nothing.
pub const NEW_PAYS_FOR: u32 = 9;

/// Links from a seed behind which pages that differ in numbers only are a chain without an end.
pub const DEEP: u32 = 1_000;

/// Pages of one shape in a row whose texts were known, after which a link to it leads nowhere new.
pub const SPENT: u32 = 50;

/// Digests of pages that are remembered of a host.
pub const MOST_KNOWN: usize = 6_000;

/// Patterns of a host that are weighed.
pub const MOST_PATTERNS: usize = 512;

/// Patterns of a host that are parked at most.
pub const MOST_PARKED: usize = 256;

/// How much of the same is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapPolicy {
    /// Pages of a pattern that bring nothing new, after which the rest of it is parked; twice as many where the pages differ in
    /// dates. 0: nothing is parked. Default 50 ("pages a host with the same body digest").
    pub alike: u32,
}

impl Default for TrapPolicy {
    fn default() -> Self {
        Self { alike: 50 }
    }
}

/// What a page looks like, in digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impression {
    /// Of the whole body.
    pub body: u64,
    /// Of its text outside of links, its attributes and its items: where it leads to does not count.
    pub text: u64,
    /// Of its text outside of links without numbers and attributes.
    pub words: u64,
    /// Its title says that nothing is there.
    pub says_missing: bool,
}

/// Whether it matters what a page says beside its links: not if its URL is one of those of which only copies, byte by byte, are
/// taken to bring nothing.
#[must_use]
pub fn needs_text(url: &CanonicalUrl, depth: u32) -> bool {
    !is_counted(url) || is_dated(url) || depth > DEEP
}

/// A page that was read.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Where it lies.
    pub url: &'a CanonicalUrl,
    /// Links from a seed.
    pub depth: u32,
    /// What it looks like.
    pub look: Impression,
    /// Its links that may be new to the crawl.
    pub leads: &'a [&'a CanonicalUrl],
}

/// Why a page brings nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Another page has the same body, byte by byte.
    SameBody,
    /// Another page says the same, and only the links differ.
    SameText,
    /// It says that nothing is there, as others do, with a status that says that there is.
    NotFound,
    /// It differs from others in numbers only, and its URL in a date.
    Dates,
    /// It differs from others in numbers only, and lies more than [`DEEP`] links away.
    Deep,
}

impl Why {
    /// In words, of many pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameBody => "pages with the same body",
            Self::SameText => "pages that differ in nothing but their links",
            Self::NotFound => "pages that say \"not found\" with status 200",
            Self::Dates => "pages that differ in nothing but dates and numbers",
            Self::Deep => "pages of an endless chain that differ in nothing but numbers",
        }
    }

    /// How much it speaks against a pattern; 2 is a page.
    const fn weight(self) -> u32 {
        match self {
            Self::SameBody | Self::SameText | Self::NotFound => 2,
            Self::Dates | Self::Deep => 1,
        }
    }
}

/// What a page brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// Something.
    New,
    /// Nobody can say: it differs in numbers only, and numbers may be what is wanted.
    Unclear,
    /// Nothing.
    Nothing(Why),
}

/// A pattern whose other pages are not asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parked {
    /// Which URLs.
    pub pattern: String,
    /// Why most of its pages brought nothing.
    pub why: Why,
    /// Pages that brought nothing before it was parked.
    pub pages: u32,
    /// Some of them.
    pub examples: Vec<String>,
    /// Requests that were not made since.
    pub skipped: u64,
}

/// What a sitemap has that an index named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SitemapNames {
    /// Pages, whatever else.
    Pages,
    /// Nothing but further sitemaps.
    Sitemaps,
}

/// What is known of one host.
#[derive(Debug, Default)]
pub struct Traps {
    /// Digests of pages, each with a page that had it: those of late, and those before.
    young: HashMap<u64, Fingerprint>,
    old: HashMap<u64, Fingerprint>,
    tallies: Tallies,
    /// Of each shape, its pages in a row whose texts were known.
    stale: HashMap<String, u32>,
    parked: Vec<Parked>,
    names: HashSet<String>,
    /// Sitemaps in a row that an index named and that named nothing but sitemaps; and whether there were too many.
    indexes: u32,
    has_endless_sitemaps: bool,
}

impl Traps {
    /// Takes in a page. Gives what it brings, and the place in [`Traps::parked`] of the pattern that is parked from now on.
    pub fn see(&mut self, seen: &Seen<'_>, policy: &TrapPolicy) -> (Novelty, Option<usize>) {
        let novelty = self.judge(seen);
        let parked = match novelty {
            Novelty::Nothing(why) => self.against(seen.url, why, policy),
            Novelty::New => {
                if !self.tallies.is_empty() {
                    self.tallies.speak_for(&patterns(seen.url));
                }
                None
            }
            Novelty::Unclear => None,
        };
        (novelty, parked)
    }

    fn judge(&mut self, seen: &Seen<'_>) -> Novelty {
        let look = seen.look;
        let page = seen.url.fingerprint();
        let known = [look.body, look.text, look.words].map(|digest| self.meet(digest, page));
        let met_missing = look.says_missing && self.meet(MISSING, page);
        self.note_text(seen.url, known[1]);
        match known {
            [true, ..] => Novelty::Nothing(Why::SameBody),
            _ if met_missing => Novelty::Nothing(Why::NotFound),
            [_, _, false] => Novelty::New,
            _ if self.leads_on(seen) => Novelty::New,
            [_, true, _] if !is_counted(seen.url) => Novelty::Nothing(Why::SameText),
            _ if is_dated(seen.url) => Novelty::Nothing(Why::Dates),
            _ if seen.depth > DEEP => Novelty::Nothing(Why::Deep),
            _ => Novelty::Unclear,
        }
    }

    /// Whether another page had this digest; remembers who has it.
    fn meet(&mut self, digest: u64, page: Fingerprint) -> bool {
        let first = self.young.get(&digest).or_else(|| self.old.get(&digest)).copied();
        if self.young.len() >= MOST_KNOWN / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, first.unwrap_or(page));
        first.is_some_and(|first| first != page)
    }

    /// Counts the pages of a shape in a row that say what others have said.
    fn note_text(&mut self, url: &CanonicalUrl, is_known: bool) {
        let shape = pattern::shape(url);
        if !is_known {
            self.stale.remove(&shape);
        } else if self.stale.len() < MOST_PATTERNS || self.stale.contains_key(&shape) {
            let count = self.stale.entry(shape).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Whether the page has a link that may be new and is of another kind than the page, and of one that still says something.
    fn leads_on(&self, seen: &Seen<'_>) -> bool {
        let own = pattern::Family::of(seen.url);
        let is_spent =
            |link: &CanonicalUrl| self.stale.get(&pattern::shape(link)).is_some_and(|count| *count >= SPENT);
        seen.leads.iter().any(|link| !own.has(link) && !is_spent(link) && self.parked_by(link).is_none())
    }

    fn against(&mut self, url: &CanonicalUrl, why: Why, policy: &TrapPolicy) -> Option<usize> {
        if policy.alike == 0 || self.parked.len() >= MOST_PARKED {
            return None;
        }
        let (pattern, tally) = self.tallies.speak_against(&patterns(url), url, why, policy.alike)?;
        let Tally { pages, examples, whys, .. } = tally;
        let why = whys.into_iter().max_by_key(|(_, count)| *count).map_or(why, |(why, _)| why);
        self.names.insert(pattern.clone());
        self.parked.push(Parked { pattern, why, pages, examples, skipped: 0 });
        Some(self.parked.len() - 1)
    }

    /// Takes in a sitemap that an index named. Gives whether it is the one by which there are too many in a row that name nothing but
    /// sitemaps: sitemaps.org has no index in an index, and who has many of them has no end of them.
    pub fn see_sitemap(&mut self, names: SitemapNames, policy: &TrapPolicy) -> bool {
        self.indexes = match names {
            SitemapNames::Pages => 0,
            SitemapNames::Sitemaps => self.indexes.saturating_add(1),
        };
        let is_news = !self.has_endless_sitemaps && policy.alike > 0 && self.indexes >= policy.alike;
        self.has_endless_sitemaps |= is_news;
        is_news
    }

    /// Why a sitemap that an index named is not read, if too many before it named nothing but sitemaps.
    #[must_use]
    pub fn no_more_sitemaps(&self) -> Option<String> {
        let reason = || format!("not asked: {} sitemaps in a row named nothing but sitemaps", self.indexes);
        self.has_endless_sitemaps.then(reason)
    }

    /// The place of the pattern that stands in the way of a URL, if one does.
    #[must_use]
    pub fn parked_by(&self, url: &CanonicalUrl) -> Option<usize> {
        if self.parked.is_empty() {
            return None;
        }
        let patterns = patterns(url);
        let name = patterns.iter().find(|pattern| self.names.contains(pattern.as_str()))?;
        self.parked.iter().position(|parked| parked.pattern == name.as_str())
    }

    /// One more request of this pattern is not made. Gives the reason in words.
    pub fn skip(&mut self, place: usize) -> String {
        let parked = &mut self.parked[place];
        parked.skipped += 1;
        format!("not asked: {} pages of {} were {}", parked.pages, parked.pattern, parked.why.as_str())
    }

    /// Every pattern that is parked, in the order in which it was.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// Forgets what pages looked like, and keeps what speaks against patterns.
    pub fn forget_pages(&mut self) {
        (self.young, self.old, self.stale) = (HashMap::new(), HashMap::new(), HashMap::new());
    }

    /// Digests that are held in memory.
    #[must_use]
    pub fn known(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// Stands for "a page that says that nothing is there" among the digests.
const MISSING: u64 = 0x6d69_7373_696e_6721;

#[cfg(test)]
mod tests;
