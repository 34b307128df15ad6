//! `[cache]`: what is kept of pages between rounds.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::{Size, Time};
use crate::engine::Freshness;
use crate::store::cache::CacheOptions;

/// What is kept of pages beside the crawl's state.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Cache")]
pub(in crate::config) struct CacheTable {
    /// Whether validators, links and items of pages are kept in the folder `cache` of the state directory, so that the next
    /// round asks only what has changed. Default true.
    enabled: Option<bool>,
    /// Pages that were fetched or found unchanged less than this ago are not asked for. Default: every page is.
    max_age: Option<Time>,
    /// `"revalidate"`: every page is asked whether it has changed; `"declared"`: not while its server vouches for it with
    /// `Cache-Control` or `Expires`. Default "revalidate".
    freshness: Option<DeclaredFreshness>,
    /// Most pages of which something is kept; beyond it, those that were confirmed longest ago go. Default 2,000,000.
    #[schemars(range(min = 1))]
    max_entries: Option<u64>,
    /// Memory for what was used last. A page is mostly asked for once in a round. Default 0: none.
    front: Option<Size>,
    /// Of a page that gives more than this, nothing is kept. Default "8MiB".
    max_entry: Option<Size>,
    /// Whether every answer that is read is kept in the folder `bodies` of the state directory, to be read again with
    /// `crawl run FILE --offline`. Default false.
    bodies: Option<bool>,
    /// Most bytes of the folder `bodies`; what is beyond is not kept. Default "10GiB".
    max_bodies: Option<Size>,
}

/// Whether the servers' own word on freshness counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum DeclaredFreshness {
    /// Every page is asked whether it has changed.
    #[default]
    Revalidate,
    /// A page is not asked for while its server vouches for it.
    Declared,
}

impl CacheTable {
    /// How much the cache may use; `None` if nothing is kept.
    pub(in crate::config) fn options(&self, check: &mut Check<'_>) -> Option<CacheOptions> {
        let top = Path::of(&["cache"]);
        let max_entries = self.max_entries.unwrap_or(1);
        check.must(
            max_entries > 0,
            &top.key("max-entries"),
            "expected 1 or more: enabled = false keeps none",
        );
        let bytes = |size: Option<Size>| size.unwrap_or_default().0;
        let max_entry_bytes = usize::try_from(bytes(self.max_entry)).unwrap_or(usize::MAX);
        let none = self.max_entry == Some(Size(0));
        check.must(!none, &top.key("max-entry"), "expected more than 0 bytes: enabled = false keeps nothing");
        let options = CacheOptions {
            front_bytes: bytes(self.front),
            max_entry_bytes,
            max_entries,
            ..CacheOptions::default()
        };
        (self.enabled != Some(false)).then_some(options)
    }

    /// When a page is not asked for.
    pub(in crate::config) fn freshness(&self) -> Freshness {
        Freshness {
            max_age: self.max_age.map(|age| age.0),
            obey: self.freshness == Some(DeclaredFreshness::Declared),
        }
    }

    /// Most bytes of recorded answers; `None` if none are kept.
    pub(in crate::config) fn bodies(&self, check: &mut Check<'_>) -> Option<u64> {
        let most = self.max_bodies.map_or(1, |size| size.0);
        let place = Path::of(&["cache", "max-bodies"]);
        check.must(most > 0, &place, "expected more than 0 bytes: bodies = false keeps none");
        (self.bodies == Some(true)).then_some(most)
    }
}
