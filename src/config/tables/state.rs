//! `[state]`: how much memory what is known of the crawl may take.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Size;
use crate::store::disk::DiskOptions;

/// Less makes a file of some ten thousand URLs, and another, and another.
const LEAST: u64 = 1 << 20;

/// The crawl's state, which is kept in the state directory.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "State")]
pub(in crate::config) struct StateTable {
    /// Memory for the set of URLs that were seen; what is beyond it is kept in sorted files of the state directory. At least
    /// "1MiB". Default "256MiB": the first 6 million URLs stay in memory.
    seen_memory: Option<Size>,
}

impl StateTable {
    /// How much the store may use.
    pub(in crate::config) fn build(&self, check: &mut Check<'_>) -> DiskOptions {
        let seen_bytes = self.seen_memory.map_or(LEAST, |size| size.0);
        let place = Path::of(&["state", "seen-memory"]);
        check.must(
            seen_bytes >= LEAST,
            &place,
            "expected \"1MiB\" or more: URLs beyond it are kept on the disk",
        );
        DiskOptions { seen_bytes, ..DiskOptions::default() }
    }
}
