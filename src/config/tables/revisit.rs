//! `[revisit]`: when pages are asked again, and whether.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Time;
use crate::engine::Unlinked;
use crate::revisit::{Bounds, Revisit};

/// When a page that was fetched is asked again. How often it changes is learned.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Revisit")]
pub(in crate::config) struct RevisitTable {
    /// Least time between two visits of a page, however often it changes. Default "1h".
    min: Option<Time>,
    /// Most time between two visits of a page, whatever was learned about it. Default "30d".
    max: Option<Time>,
    /// Share of a host's pace that revisits may take, above 0 to 1; what is left is for pages not seen yet. Default 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    share: Option<f64>,
    /// What becomes of pages of earlier rounds to which no link of a round has led. `"ask"`: they are asked at its end, for only
    /// their server can say whether they are gone; `"leave"`: they are left alone, and stay known. Default "ask".
    unlinked: Option<UnlinkedPages>,
}

/// What becomes of known pages to which no link leads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum UnlinkedPages {
    /// They are asked at the end of the round.
    #[default]
    Ask,
    /// They are left alone.
    Leave,
}

impl RevisitTable {
    /// What becomes of known pages to which no link leads any more.
    pub(in crate::config) fn unlinked(&self) -> Unlinked {
        match self.unlinked.unwrap_or_default() {
            UnlinkedPages::Ask => Unlinked::Ask,
            UnlinkedPages::Leave => Unlinked::Leave,
        }
    }

    pub(in crate::config) fn build(&self, check: &mut Check<'_>) -> Revisit {
        let top = Path::of(&["revisit"]);
        let revisit = Revisit {
            bounds: Bounds { min: self.min.unwrap_or_default().0, max: self.max.unwrap_or_default().0 },
            share: self.share.unwrap_or_default(),
        };
        let Bounds { min, max } = revisit.bounds;
        check.must(
            !min.is_zero() || self.min.is_none(),
            &top.key("min"),
            "expected more than 0: a page that changes all the time would be asked all the time",
        );
        check.must(
            max >= min || self.max.is_none(),
            &top.key("max"),
            "the longest time between two visits is shorter than `min`, the shortest one",
        );
        check.must(
            revisit.share > 0.0 && revisit.share <= 1.0 || self.share.is_none(),
            &top.key("share"),
            "expected a share of the host's pace, above 0 to 1",
        );
        revisit
    }
}
