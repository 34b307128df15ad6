//! `[sink.jsonl]` and `[sink.csv]`: where items go. `[sink.warc]` is in a file of its own.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::warc::WarcTable;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::SinkPlan;
use crate::config::problem::closest;
use crate::sink::csv::CsvOptions;
use crate::sink::jsonl::JsonlOptions;
use crate::sink::{SEEN, Wants};
use crate::spider::declarative::ExtractRule;

/// The column that every item has.
const KIND: &str = "kind";

/// Where items go, and exchanges. Without a sink items are written to the standard output as JSON lines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Sinks")]
pub(in crate::config) struct SinkTable {
    /// One JSON object a line.
    jsonl: Option<JsonlTable>,
    /// Comma-separated values with fixed columns.
    csv: Option<CsvTable>,
    /// An archive of everything that is asked and answered.
    pub(super) warc: Option<WarcTable>,
}

/// One JSON object a line.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Jsonl")]
struct JsonlTable {
    /// The file, relative to the current directory; its folder is made if need be. "-" is the standard output.
    path: Option<PathBuf>,
    /// `"all"`: every round writes the items of every page; `"changed"`: only those of new pages and of pages whose items are
    /// others than at the last visit. Default "all".
    items: Option<ItemChoice>,
    /// Whether each line ends with the fields `first_seen`, `last_changed` (of the page, and of its items) and `round` (in which they
    /// changed), unless the item has a field of that name. Default false.
    seen: Option<bool>,
}

/// Which items are written when pages are visited again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Items")]
enum ItemChoice {
    /// Those of every page.
    #[default]
    All,
    /// Those of new pages, and of pages whose items are others than at the last visit.
    Changed,
}

impl ItemChoice {
    const fn wants(self) -> Wants {
        match self {
            Self::All => Wants::Everything,
            Self::Changed => Wants::Changes,
        }
    }
}

/// Comma-separated values with fixed columns.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Csv")]
struct CsvTable {
    /// The file, relative to the current directory; its folder is made if need be.
    path: Option<PathBuf>,
    /// The columns in order. Default: the fields of all `[[extract]]` in their order, else those of
    /// the first item. "kind" is the item's kind; "first_seen", "last_changed" and "round" are those of `[sink.jsonl] seen`.
    columns: Option<Vec<String>>,
    /// As in `[sink.jsonl]`. Default "all".
    items: Option<ItemChoice>,
}

impl SinkTable {
    pub(in crate::config) fn build(self, extract: &[ExtractRule], check: &mut Check<'_>) -> Vec<SinkPlan> {
        let top = Path::of(&["sink"]);
        let nothing_asked = self.jsonl.is_none() && self.csv.is_none() && self.warc.is_none();
        let mut sinks = Vec::new();
        if let Some(table) = self.jsonl {
            let path = needed(table.path, &top.key("jsonl").key("path"), check);
            let wants = table.items.unwrap_or_default().wants();
            let seen = table.seen.unwrap_or_default();
            sinks.extend(path.map(|path| SinkPlan::Jsonl(JsonlOptions { path, wants, seen })));
        }
        if let Some(table) = self.csv {
            sinks.extend(table.build(extract, check).map(SinkPlan::Csv));
        }
        if let [SinkPlan::Jsonl(jsonl), SinkPlan::Csv(csv)] = &sinks[..]
            && jsonl.path == csv.path
        {
            check.wrong(&top.key("csv").key("path"), "[sink.jsonl] writes to this file: give each its own");
        }
        if nothing_asked {
            sinks.push(SinkPlan::Jsonl(JsonlOptions::to("-")));
        }
        sinks
    }
}

impl CsvTable {
    fn build(self, extract: &[ExtractRule], check: &mut Check<'_>) -> Option<CsvOptions> {
        let top = Path::of(&["sink", "csv"]);
        let mut fields: Vec<&str> = Vec::new();
        for field in extract.iter().flat_map(|rule| &rule.fields) {
            if !fields.contains(&field.name.as_str()) {
                fields.push(&field.name);
            }
        }
        let is_seen = |column: &String| SEEN.contains(&column.as_str()) && !fields.contains(&column.as_str());
        let seen = self.columns.iter().flatten().any(is_seen);
        let wants = self.items.unwrap_or_default().wants();
        let columns = match self.columns {
            Some(columns) => {
                check_columns(&columns, &fields, check);
                columns
            }
            None => fields.iter().map(|name| (*name).to_owned()).collect(),
        };
        let path = needed(self.path, &top.key("path"), check)?;
        Some(CsvOptions { path, columns, wants, seen })
    }
}

/// A column that no item has would be empty from top to bottom. A spider in code may yield any field.
fn check_columns(columns: &[String], fields: &[&str], check: &mut Check<'_>) {
    let places = check.items(&Path::of(&["sink", "csv", "columns"]));
    for (column, place) in columns.iter().zip(places) {
        let is_known = column == KIND || SEEN.contains(&column.as_str());
        if !is_known && !fields.is_empty() && !fields.contains(&column.as_str()) {
            let hint = closest(column, fields).map(|meant| format!("did you mean \"{meant}\"?"));
            check.wrong_with(&place, format!("no [[extract]] has a field {column:?}"), hint);
        }
    }
}

fn needed(path: Option<PathBuf>, place: &Path, check: &mut Check<'_>) -> Option<PathBuf> {
    if path.as_ref().is_none_or(|path| path.as_os_str().is_empty()) {
        check.missing(place, "write the file that the items go to");
        return None;
    }
    path
}
