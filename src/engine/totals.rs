//! What a round has come to, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of a round. They add up over its runs: what was committed before a crash stays counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Totals {
    /// Pages fetched or found unchanged.
    pub pages: u64,
    /// Sitemaps fetched or found unchanged; they are no pages.
    pub sitemaps: u64,
    /// Pages, counted above, that no earlier round has seen.
    pub new: u64,
    /// Pages, counted above, whose body is another than it was, and pages that moved.
    pub changed: u64,
    /// Pages, counted above, that the server or their digest called unchanged.
    pub unchanged: u64,
    /// Pages that were there in an earlier round and that their server says are no more. They count as missing too.
    pub gone: u64,
    /// Pages, seen before or not, that could not be had or not be read: nobody knows how they stand.
    pub unknown: u64,
    /// Pages, counted above, that were taken from the cache because it is fresh: nothing was asked for them.
    pub from_cache: u64,
    /// Files that have come or were found unchanged; they are no pages.
    pub downloads: u64,
    /// Bytes of these files.
    pub download_bytes: u64,
    /// Files that were not kept: of another type than is wanted, too large, or too many.
    pub unwanted: u64,
    /// Items written.
    pub items: u64,
    /// Items that stages have dropped, and those whose key another item has.
    pub items_dropped: u64,
    /// Items that a sink's format could not hold.
    pub items_refused: u64,
    /// Problems that spiders noted (a required field that is not there).
    pub problems: u64,
    /// Requests that left, robots.txt included.
    pub requests: u64,
    /// Requests for robots.txt.
    pub robots: u64,
    /// Control requests: a page asked again to see whether the host still answers.
    pub controls: u64,
    /// Bytes of body on the wire.
    pub bytes: u64,
    /// Redirects.
    pub redirects: u64,
    /// Answers 429 and 503.
    pub throttled: u64,
    /// Requests put back to be tried again.
    pub retries: u64,
    /// Pages, counted above, that brought nothing that others had not brought.
    pub alike: u64,
    /// Requests that were not made because too many pages of their pattern brought nothing.
    pub parked: u64,
    /// Links that do not belong to the crawl.
    pub out_of_scope: u64,
    /// Pages that robots.txt forbids; never asked.
    pub disallowed: u64,
    /// Pages that are not there (404, 410 and other 4xx), whether they ever were or not.
    pub missing: u64,
    /// Pages that may not be seen (401, 403).
    pub forbidden: u64,
    /// Redirects that lead nowhere.
    pub dead_ends: u64,
    /// Pages lost: server errors, no answer, broken bodies, after all tries.
    pub failed: u64,
    /// Pages that the spider could not read.
    pub parse_errors: u64,
}

/// Writes down once which name stands for which count.
macro_rules! counts {
    ($($field:ident => $name:literal),* $(,)?) => {
        impl Totals {
            /// Adds other counts to these.
            pub fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }

            /// Counts by name, those that are zero left out.
            #[must_use]
            pub fn to_map(&self) -> BTreeMap<String, u64> {
                let pairs = [$(($name, self.$field)),*];
                pairs.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
            }

            /// Reads counts back; names that this version does not know are left out.
            #[must_use]
            pub fn from_map(map: &BTreeMap<String, u64>) -> Self {
                Self { $($field: map.get($name).copied().unwrap_or(0)),* }
            }
        }
    };
}

counts! {
    pages => "pages",
    sitemaps => "sitemaps",
    new => "new",
    changed => "changed",
    unchanged => "unchanged",
    gone => "gone",
    unknown => "unknown",
    from_cache => "from-cache",
    downloads => "downloads",
    download_bytes => "download-bytes",
    unwanted => "unwanted",
    items => "items",
    items_dropped => "items-dropped",
    items_refused => "items-refused",
    problems => "problems",
    requests => "requests",
    robots => "robots",
    controls => "controls",
    bytes => "bytes",
    redirects => "redirects",
    throttled => "throttled",
    retries => "retries",
    alike => "alike",
    parked => "parked",
    out_of_scope => "out-of-scope",
    disallowed => "disallowed",
    missing => "missing",
    forbidden => "forbidden",
    dead_ends => "dead-ends",
    failed => "failed",
    parse_errors => "parse-errors",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_from_their_names() {
        let totals = Totals { pages: 3, dead_ends: 1, ..Totals::default() };
        assert_eq!(totals.to_map().keys().collect::<Vec<_>>(), ["dead-ends", "pages"]);
        assert_eq!(Totals::from_map(&totals.to_map()), totals);
    }

    #[test]
    fn counts_add_up() {
        let mut sum = Totals { pages: 3, ..Totals::default() };
        sum.add(&Totals { pages: 2, items: 1, ..Totals::default() });
        assert_eq!(sum, Totals { pages: 5, items: 1, ..Totals::default() });
    }
}
