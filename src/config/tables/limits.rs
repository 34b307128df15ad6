//! `[limits]`: how long code that is not ours may take.

use std::num::NonZero;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Time;
use crate::engine::CallLimits;

/// What is done about calls into a spider, an extractor or a stage that do not return.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Limits")]
pub(in crate::config) struct LimitsTable {
    /// Most time for reading one page; then the page is given up and its thread replaced. Default "30s".
    parse_time: Option<Time>,
    /// How many calls that were given up may still be running; with one more the crawl ends. Default 4.
    #[schemars(range(min = 1))]
    stuck_calls: Option<NonZero<usize>>,
}

impl LimitsTable {
    pub(in crate::config) fn build(&self, check: &mut Check<'_>) -> CallLimits {
        let time = self.parse_time.unwrap_or_default().0;
        let none = self.parse_time.is_some_and(|time| time.0.is_zero());
        let place = Path::of(&["limits", "parse-time"]);
        check.must(!none, &place, "expected more than 0: no page is read in no time");
        CallLimits { time, stuck: self.stuck_calls.map_or(1, NonZero::get) }
    }
}
