//! `[sink.sqlite]`, `[sink.postgres]` and `[sink.parquet]`: outputs with columns that have types.

use std::path::PathBuf;

use super::Table;
use super::shared::{self, Around, ExistsChoice, sink_table};
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Time;
use crate::sink::sqlite::SqliteOptions;
use crate::sink::table::column::{ColumnType, Declared};
use crate::sink::table::{Earlier, TableOptions};
use crate::sink::{Choice, Form, Target};

sink_table! {
    /// A SQLite database with a table for each kind of item.
    SqliteTable as "Sqlite" {
        /// The file, relative to the current directory; its folder is made if need be.
        path: Option<PathBuf>,
        /// The table of items without a kind. Default "items".
        table: Option<String>,
        /// Fields by which an item takes the place of an earlier one. Default: none, every item is a row of its own.
        key: Vec<String>,
        /// What columns hold: field = "text", "integer", "decimal", "boolean", "date", "datetime", "url" or "json". An item that
        /// does not fit is left out and counted. Default: by the first value, and widened if a later one does not fit.
        #[serde(deserialize_with = "crate::config::tables::ordered::ordered")]
        #[schemars(with = "std::collections::BTreeMap<String, TypeChoice>")]
        types: Vec<(String, TypeChoice)>,
        /// Whether the columns `_url`, `_first_seen`, `_last_changed` and `_round` tell what is known of an item's page. Default
        /// false.
        seen: Option<bool>,
        /// What becomes of rows that are there when a round begins: `"overwrite"` (the tables are emptied), `"append"` or `"fail"`.
        /// Default "overwrite"; with a key "append", for items that are met again replace their rows.
        exists: Option<ExistsChoice>,
        /// How long another program may hold the file before the run ends. Default "10s".
        patience: Option<Time>,
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ColumnType")]
pub(super) enum TypeChoice {
    /// Text.
    Text,
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Decimal,
    /// True or false.
    Boolean,
    /// Dates, as in 2026-11-22.
    Date,
    /// Moments, as in 2026-11-22T09:30:00Z.
    Datetime,
    /// URLs: text.
    Url,
    /// Anything, as JSON.
    Json,
}

impl TypeChoice {
    const fn holds(self) -> ColumnType {
        match self {
            Self::Text | Self::Url => ColumnType::Text,
            Self::Integer => ColumnType::Integer,
            Self::Decimal => ColumnType::Decimal,
            Self::Boolean => ColumnType::Boolean,
            Self::Date => ColumnType::Date,
            Self::Datetime => ColumnType::DateTime,
            Self::Json => ColumnType::Json,
        }
    }
}

/// The keys of [`TableOptions`], out of a table.
struct TableKeys {
    table: Option<String>,
    key: Vec<String>,
    types: Vec<(String, TypeChoice)>,
    seen: Option<bool>,
    exists: Option<ExistsChoice>,
}

impl TableKeys {
    /// `place` is that of the table.
    fn build(self, choice: &Choice, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> TableOptions {
        for (field, place) in self.key.iter().zip(check.items(&place.key("key"))) {
            check_column(field, choice, &place, around, check);
        }
        let types = declared(self.types, choice, place, around, check);
        check.must(self.table.as_deref() != Some(""), &place.key("table"), "expected the name of a table");
        let kept = if self.key.is_empty() { Earlier::Emptied } else { Earlier::Kept };
        TableOptions {
            crawl: around.name.to_owned(),
            table: self.table.unwrap_or_else(|| "items".to_owned()),
            key: self.key,
            types,
            seen: self.seen.unwrap_or_default(),
            earlier: match self.exists {
                None => kept,
                Some(ExistsChoice::Overwrite) => Earlier::Emptied,
                Some(ExistsChoice::Append) => Earlier::Kept,
                Some(ExistsChoice::Fail) => Earlier::Refused,
            },
            suffix: String::new(),
        }
    }
}

/// The types that columns have by the file.
fn declared(
    types: Vec<(String, TypeChoice)>,
    choice: &Choice,
    place: &Path,
    around: &Around<'_>,
    check: &mut Check<'_>,
) -> Vec<Declared> {
    let place = place.key("types");
    types
        .into_iter()
        .map(|(field, holds)| {
            check_column(&field, choice, &place.key(&field), around, check);
            Declared::field(&field, holds.holds())
        })
        .collect()
}

/// A column that no item has would never be there; one that `fields` leaves out neither.
fn check_column(column: &str, choice: &Choice, place: &Path, around: &Around<'_>, check: &mut Check<'_>) {
    let renamed = |field: &str| choice.name_of(field) == column;
    if !choice.fields.is_empty() && !choice.fields.iter().any(|field| renamed(field)) {
        check.wrong(place, format!("`fields` leaves {column:?} out: add it there"));
    } else if !around.fields(&[]).into_iter().any(renamed) {
        around.check_field(column, place, check);
    }
}

impl Table for SqliteTable {
    fn build(mut self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target> {
        let choice = self.take_choice().build(place, around, check);
        let Self { table, key, types, seen, exists, .. } = self;
        let keys = TableKeys { table, key, types, seen, exists };
        let tables = keys.build(&choice, place, around, check);
        let path = file_of(self.path, &place.key("path"), around, check)?;
        let options = SqliteOptions::to(path);
        let patience = self.patience.map_or(options.patience, |time| time.0);
        Some(Target { form: Form::Sqlite(SqliteOptions { tables, patience, ..options }), choice })
    }
}

/// The path of one file, in which only `{name}` can stand for something.
fn file_of(
    path: Option<PathBuf>,
    place: &Path,
    around: &Around<'_>,
    check: &mut Check<'_>,
) -> Option<PathBuf> {
    let path = shared::path_of(path, place, around, check)?;
    let text = path.to_string_lossy();
    if text == "-" {
        check.wrong(place, "a database cannot be written to the standard output: name a file");
    } else if text.contains(['{', '}']) {
        check.wrong(place, "a database is one file: only {name} can stand in its path");
    }
    Some(path)
}
