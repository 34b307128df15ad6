//! `[sink.sqlite]`, `[sink.postgres]` and `[sink.parquet]`: outputs with columns that have types.

use std::path::PathBuf;

use super::Table;
use super::shared::{self, Around, ExistsChoice, sink_table};
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Time;
use crate::sink::files::FileOptions;
#[cfg(feature = "parquet")]
use crate::sink::parquet::ParquetOptions;
#[cfg(feature = "postgres")]
use crate::sink::postgres::PostgresOptions;
use crate::sink::sqlite::SqliteOptions;
use crate::sink::table::column::{ColumnType, Declared};
use crate::sink::table::{Earlier, TableOptions};
use crate::sink::{Choice, Form, Target};
use crate::spider::declarative::{FieldRule, Kind, Many, Step};

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
        /// does not fit is left out and counted. Default: as `[extract.fields]` says, else by the first value, and widened if a later
        /// one does not fit.
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

sink_table! {
    /// A PostgreSQL database with a table for each kind of item.
    PostgresTable as "Postgres" {
        /// Where it is: "postgres://user:password@host/database", best as "${DATABASE_URL}" from the environment. The connection
        /// to another machine is encrypted and verified unless the URL ends in "?sslmode=disable".
        url: Option<String>,
        /// As in `[sink.sqlite]`. Default "items".
        table: Option<String>,
        /// As in `[sink.sqlite]`. Default: none.
        key: Vec<String>,
        /// As in `[sink.sqlite]`.
        #[serde(deserialize_with = "crate::config::tables::ordered::ordered")]
        #[schemars(with = "std::collections::BTreeMap<String, TypeChoice>")]
        types: Vec<(String, TypeChoice)>,
        /// As in `[sink.sqlite]`. Default false.
        seen: Option<bool>,
        /// As in `[sink.sqlite]`.
        exists: Option<ExistsChoice>,
    }
}

sink_table! {
    files:
    /// Parquet files: columns with types, made when a part is full or the round complete.
    ParquetTable as "Parquet" {
        /// What columns hold, as in `[sink.sqlite]`. Default: as `[extract.fields]` says, else what all values of the file have in
        /// common.
        #[serde(deserialize_with = "crate::config::tables::ordered::ordered")]
        #[schemars(with = "std::collections::BTreeMap<String, TypeChoice>")]
        types: Vec<(String, TypeChoice)>,
        /// Whether the columns `first_seen`, `last_changed` and `round` tell what is known of an item's page. Default false.
        seen: Option<bool>,
        /// Rows of a group, which a reader takes at once. Default 50000.
        #[schemars(range(min = 1, max = 1_000_000))]
        row_group: Option<u32>,
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
    fn build(
        self,
        choice: &Choice,
        place: &Path,
        around: &Around<'_>,
        check: &mut Check<'_>,
    ) -> TableOptions {
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
    let said = types.into_iter().map(|(field, holds)| {
        check_column(&field, choice, &place.key(&field), around, check);
        Declared::field(&field, holds.holds())
    });
    let mut said: Vec<_> = said.collect();
    let read = of_rules(choice, around).into_iter();
    said.extend(read.filter(|column| !check.is_there(&place.key(&column.field))));
    said
}

/// What the rules that items come from say of their fields, where all rules of a kind say the same.
fn of_rules(choice: &Choice, around: &Around<'_>) -> Vec<Declared> {
    let fields =
        around.extract.iter().flat_map(|rule| rule.fields.iter().map(move |field| (&rule.kind, field)));
    let fields: Vec<_> = fields.map(|(kind, field)| (kind, &field.name, holds(field))).collect();
    let agreed = fields.iter().filter(|(kind, name, holds)| {
        fields.iter().filter(|other| (other.0, other.1) == (*kind, *name)).all(|other| other.2 == *holds)
    });
    let declared = agreed.filter_map(|(kind, name, holds)| {
        Some(Declared {
            kind: Some((*kind).clone()),
            field: choice.name_of(name).to_owned(),
            holds: (*holds)?,
        })
    });
    declared.collect()
}

/// What a field's values are in all cases; `None` where it may be a list or a table, or its default something else.
fn holds(field: &FieldRule) -> Option<ColumnType> {
    let may_be_more =
        field.many == Many::All || field.clean.iter().any(|step| matches!(step, Step::Split(_)));
    if may_be_more || !field.fields.is_empty() || field.default.is_some() {
        return None;
    }
    match field.kind {
        Kind::Any => None,
        Kind::Text | Kind::Url => Some(ColumnType::Text),
        Kind::Integer(_) => Some(ColumnType::Integer),
        Kind::Decimal(_) => Some(ColumnType::Decimal),
        Kind::Boolean => Some(ColumnType::Boolean),
        Kind::Date(_) => Some(ColumnType::Date),
        Kind::DateTime(_) => Some(ColumnType::DateTime),
        Kind::Json => Some(ColumnType::Json),
    }
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

impl Table for PostgresTable {
    fn build(mut self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target> {
        let choice = self.take_choice().build(place, around, check);
        let Self { url, table, key, types, seen, exists, .. } = self;
        let keys = TableKeys { table, key, types, seen, exists };
        let tables = keys.build(&choice, place, around, check);
        let place = place.key("url");
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            check.missing(&place, "write where the database is, best as \"${DATABASE_URL}\"");
            return None;
        };
        let form = postgres(&url, tables, &place, check)?;
        Some(Target { form, choice })
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, tables: TableOptions, place: &Path, check: &mut Check<'_>) -> Option<Form> {
    let mut options = check.taken(place, PostgresOptions::to(url))?;
    options.tables = tables;
    Some(Form::Postgres(options))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_url: &str, _tables: TableOptions, place: &Path, check: &mut Check<'_>) -> Option<Form> {
    check.wrong(place, "this program is built without PostgreSQL: build it with `--features postgres`");
    None
}

impl Table for ParquetTable {
    fn build(mut self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target> {
        let choice = self.take_choice().build(place, around, check);
        let files = self.take_files();
        let own_way = "Parquet has its own way of it: remove this key";
        check.must(files.compress.is_none(), &place.key("compress"), own_way);
        check.must(files.finish.is_none(), &place.key("finish"), own_way);
        let is_one =
            files.rotate_size.is_none() && files.rotate_every.is_none() && files.rotate_items.is_none();
        if is_one && files.exists == Some(ExistsChoice::Append) {
            let what =
                "a Parquet file cannot be gone on with: write in parts, with `rotate-items` or another";
            check.wrong(&place.key("exists"), what);
        }
        let (path, files) = files.build(place, around, check)?;
        if path.as_os_str() == "-" {
            check.wrong(&place.key("path"), "Parquet cannot be written to the standard output: name a file");
        }
        let types = declared(self.types, &choice, place, around, check);
        let row_group = self.row_group.unwrap_or(50_000);
        let is_sane = (1..=1_000_000).contains(&row_group);
        check.must(is_sane, &place.key("row-group"), "expected 1 to 1000000 rows");
        let form = parquet(
            Parquet { path, files, types, seen: self.seen.unwrap_or_default(), row_group },
            place,
            check,
        )?;
        Some(Target { form, choice })
    }
}

/// What `[sink.parquet]` says.
#[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "it is only checked"))]
struct Parquet {
    path: PathBuf,
    files: FileOptions,
    types: Vec<Declared>,
    seen: bool,
    row_group: u32,
}

#[cfg(feature = "parquet")]
fn parquet(said: Parquet, _place: &Path, _check: &mut Check<'_>) -> Option<Form> {
    let Parquet { path, files, types, seen, row_group } = said;
    Some(Form::Parquet(ParquetOptions { path, files, types, seen, row_group: row_group as usize }))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_said: Parquet, place: &Path, check: &mut Check<'_>) -> Option<Form> {
    let what = "this program is built without Parquet: build it with `--features parquet`";
    check.wrong(&place.key("path"), what);
    None
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
