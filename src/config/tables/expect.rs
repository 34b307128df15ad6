//! `[expect]`: what a crawl must come to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::names::Names;
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::problem::did_you_mean;
use crate::engine::Expectations;

/// What a crawl must come to. It is judged when a run has come to its end or its page limit, over all runs of the round; what is
/// missed is told, and the exit code is 7.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Expect")]
pub(in crate::config) struct ExpectTable {
    /// Least number of items written.
    min_items: Option<u64>,
    /// Greatest number of items written.
    max_items: Option<u64>,
    /// Least number of pages fetched or found unchanged.
    min_pages: Option<u64>,
    /// Greatest share of pages that were lost or could not be read, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    max_error_rate: Option<f64>,
    /// Greatest share of items that `[[stage]]` has dropped, duplicates included, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    max_dropped_rate: Option<f64>,
    /// Fields, and the least share of items in which each has a value, 0 to 1: title = 0.95, or "book.title" = 0.95 for one kind.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, f64>")]
    coverage: Vec<(String, f64)>,
}

impl ExpectTable {
    pub(in crate::config) fn build(self, names: &Names, check: &mut Check<'_>) -> Expectations {
        let top = Path::of(&["expect"]);
        check_share(self.max_error_rate, &top.key("max-error-rate"), check);
        check_share(self.max_dropped_rate, &top.key("max-dropped-rate"), check);
        if self.min_items.zip(self.max_items).is_some_and(|(min, max)| min > max) {
            check.wrong(
                &top.key("min-items"),
                "no number of items is right: `min-items` is above `max-items`",
            );
        }
        for (field, least) in &self.coverage {
            let at = top.key("coverage").key(field);
            check_share(Some(*least), &at, check);
            check_name(field, names, &at, check);
        }
        Expectations {
            min_items: self.min_items,
            max_items: self.max_items,
            min_pages: self.min_pages,
            max_error_rate: self.max_error_rate,
            max_dropped_rate: self.max_dropped_rate,
            coverage: self.coverage,
        }
    }
}

fn check_share(share: Option<f64>, at: &Path, check: &mut Check<'_>) {
    let right = share.is_none_or(|share| (0.0..=1.0).contains(&share));
    check.must(right, at, "expected a share from 0 to 1: 0.95 is 95 %");
}

fn check_name(field: &str, names: &Names, at: &Path, check: &mut Check<'_>) {
    let of_a_kind = field.split_once('.').is_some_and(|(kind, name)| names.has(Some(kind), name));
    if of_a_kind || names.has(None, field) {
        return;
    }
    let all = names.all();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let hint = did_you_mean(field, &all);
    check.wrong_with(at, format!("no item has a field {field:?} at the end"), hint);
}
