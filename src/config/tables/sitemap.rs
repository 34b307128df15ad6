//! `[sitemap]`: which sitemaps are read.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::words::Words;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::engine::{Lastmod, RobotsSitemaps, Sitemaps};
use crate::extract::sitemap::w3c_date;
use crate::url::{Canon, CanonicalUrl};

/// Which sitemaps are read. The pages that they list are asked for as if they were seeds, if they are in scope.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Sitemap")]
pub(in crate::config) struct SitemapTable {
    /// `"robots"`: those that the robots.txt of a visited host names; a URL or a list of URLs: these; `["robots", "https://…"]`:
    /// both. Default "off"; "robots" for a crawl without a crawler file.
    #[serde(deserialize_with = "follow")]
    follow: Option<Words>,
    /// Most sitemaps of one host that are read in a run. Default 500.
    max_sitemaps: Option<u32>,
    /// Only what a sitemap says to have changed since this date, such as "2026-11-22", and what it says nothing about.
    /// Default: everything.
    since: Option<String>,
    /// What becomes of what a sitemap says of changes. "order": of each sitemap the pages that changed last are asked for first.
    /// "skip": also, what has not changed since it was fetched or found unchanged is not asked for. "ignore": nobody looks at it.
    /// Default "order".
    lastmod: Option<LastmodWord>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Lastmod")]
enum LastmodWord {
    Ignore,
    Order,
    Skip,
}

impl From<LastmodWord> for Lastmod {
    fn from(word: LastmodWord) -> Self {
        match word {
            LastmodWord::Ignore => Self::Ignore,
            LastmodWord::Order => Self::Order,
            LastmodWord::Skip => Self::Skip,
        }
    }
}

fn follow<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Words>, D::Error> {
    Words::read(input, "\"robots\", \"off\", the URL of a sitemap, or a list of these").map(Some)
}

impl SitemapTable {
    /// What is to be read, and for each URL where it stands.
    pub(in crate::config) fn build(self, canon: &Canon, check: &mut Check<'_>) -> (Sitemaps, Vec<Path>) {
        let top = Path::of(&["sitemap"]);
        let (urls, places): (Vec<_>, Vec<_>) =
            self.urls(&top.key("follow"), canon, check).into_iter().unzip();
        let since_key = top.key("since");
        let since = self.since.as_deref().and_then(|text| {
            let date =
                w3c_date(text).ok_or("expected a date such as \"2026-11-22\" or \"2026-11-22T09:15:00Z\"");
            check.taken(&since_key, date)
        });
        let sitemaps = Sitemaps {
            robots: if self.has("robots") { RobotsSitemaps::Read } else { RobotsSitemaps::Ignore },
            urls,
            max_per_host: self.max_sitemaps.unwrap_or_default(),
            since,
            lastmod: self.lastmod.map_or_else(Lastmod::default, Into::into),
        };
        (sitemaps, places)
    }

    fn words(&self) -> &[String] {
        self.follow.as_ref().map_or(&[], |words| &words.0)
    }

    fn has(&self, word: &str) -> bool {
        self.words().iter().any(|found| found == word)
    }

    fn urls(&self, key: &Path, canon: &Canon, check: &mut Check<'_>) -> Vec<(CanonicalUrl, Path)> {
        let mut urls = Vec::new();
        for (word, place) in self.words().iter().zip(check.items(key)) {
            match word.as_str() {
                "off" if self.words().len() > 1 => {
                    check.wrong(&place, "\"off\" stands alone: remove it or the rest");
                }
                "off" | "robots" => {}
                word if !word.contains(':') => {
                    check.wrong(&place, "expected \"robots\", \"off\" or the URL of a sitemap in full, as in https://example.com/sitemap.xml");
                }
                word => urls.extend(check.taken(&place, canon.parse(word)).map(|url| (url, place))),
            }
        }
        urls
    }
}
