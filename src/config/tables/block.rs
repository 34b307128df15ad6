//! `[block]`: when refusals become a suspicion, and a suspicion a verdict.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Time;
use crate::politeness::BlockPolicy;

/// When a host that refuses counts as blocking us. Nothing here makes the crawler ask more often than the server allows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Block")]
pub(in crate::config) struct BlockTable {
    /// Refusals in a row, each after a pause of at least `min-pause`, that make a suspicion. Default 7.
    #[schemars(range(min = 1))]
    suspect_after: Option<u32>,
    /// The shortest pause after which a refusal is evidence; pauses double from there. Default "60s".
    min_pause: Option<Time>,
    /// The longest of these pauses, and the time between the probes of a suspected host. Default "1h".
    max_pause: Option<Time>,
    /// Least time from the first refusal to the verdict that the host blocks us. Default "24h".
    blocked_after: Option<Time>,
    /// Least number of refusals after pauses for this verdict. Default 20.
    #[schemars(range(min = 1))]
    blocked_refusals: Option<u32>,
    /// Time between the probes of a blocked host. Default "24h".
    probe_every: Option<Time>,
    /// Probes of a blocked host, after which it is left alone for good; 0: none. Default 7.
    probes: Option<u32>,
    /// Forbidden pages in a row after which a page that was there before is asked as a control. Default 3.
    #[schemars(range(min = 1))]
    control_after: Option<u32>,
    /// Forbidden pages in a row after which a section of a host is given up. Default 5.
    #[schemars(range(min = 1))]
    section_after: Option<u32>,
    /// Failures in a row (5xx but 503, no answer) after which a host is down. Default 10.
    #[schemars(range(min = 1))]
    down_after: Option<u32>,
}

impl BlockTable {
    pub(in crate::config) fn build(&self, check: &mut Check<'_>) -> BlockPolicy {
        let policy = BlockPolicy {
            suspect_after: self.suspect_after.unwrap_or(1),
            min_pause: self.min_pause.unwrap_or_default().0,
            max_pause: self.max_pause.unwrap_or_default().0,
            blocked_after: self.blocked_after.unwrap_or_default().0,
            blocked_refusals: self.blocked_refusals.unwrap_or(1),
            daily: self.probe_every.unwrap_or_default().0,
            daily_probes: self.probes.unwrap_or_default(),
            control_after: self.control_after.unwrap_or(1),
            section_after: self.section_after.unwrap_or(1),
            down_after: self.down_after.unwrap_or(1),
        };
        must_count(&policy, check);
        self.must_pause(&policy, check);
        policy
    }

    fn must_pause(&self, policy: &BlockPolicy, check: &mut Check<'_>) {
        let top = Path::of(&["block"]);
        check.must(
            !policy.min_pause.is_zero() || self.min_pause.is_none(),
            &top.key("min-pause"),
            "expected more than 0: without a pause a refusal is no evidence",
        );
        check.must(
            policy.max_pause >= policy.min_pause || self.max_pause.is_none(),
            &top.key("max-pause"),
            "the longest pause is shorter than `min-pause`, the shortest one",
        );
        check.must(
            policy.daily >= policy.max_pause || self.probe_every.is_none(),
            &top.key("probe-every"),
            "a blocked host would be asked more often than a suspected one: expected `max-pause` or more",
        );
    }
}

fn must_count(policy: &BlockPolicy, check: &mut Check<'_>) {
    let top = Path::of(&["block"]);
    for (key, count) in [
        ("suspect-after", policy.suspect_after),
        ("blocked-refusals", policy.blocked_refusals),
        ("control-after", policy.control_after),
        ("section-after", policy.section_after),
        ("down-after", policy.down_after),
    ] {
        check.must(count > 0, &top.key(key), "expected 1 or more: a verdict needs evidence");
    }
}
