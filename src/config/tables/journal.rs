//! `[journal]`: what is written down for the audit.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;

/// The journal of every request, which `crawl audit` judges. It lies in the folder `journal` of the state directory.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Journal")]
pub(in crate::config) struct JournalTable {
    /// Whether it is written. Default true.
    enabled: Option<bool>,
    /// Rounds that are kept, the one that runs included. Default 2.
    #[schemars(range(min = 1))]
    keep: Option<u32>,
}

impl JournalTable {
    /// Rounds that are kept; `None` if no journal is written.
    pub(in crate::config) fn build(&self, check: &mut Check<'_>) -> Option<u32> {
        let keep = self.keep.unwrap_or(1);
        let place = Path::of(&["journal", "keep"]);
        check.must(
            keep > 0,
            &place,
            "expected 1 or more: the round that runs counts; enabled = false writes none",
        );
        (self.enabled != Some(false)).then_some(keep)
    }
}
