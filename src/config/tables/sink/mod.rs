//! `[sink.…]`: where items go, and (`[sink.warc]`, in a file of its own) what was asked and answered.
//!
//! Each kind of sink has a table of its own, which may be given several times (`[[sink.jsonl]]`). A new kind is a module with a
//! table made by `sink_table!`, a field of [`SinkTable`] and a line in [`SinkTable::build`].

mod shared;
mod table;
mod text;

use schemars::JsonSchema;
use serde::Deserialize;

use super::warc::WarcTable;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::sink::jsonl::JsonlOptions;
use crate::sink::{Form, Target};

pub(in crate::config) use shared::Around;
use table::{ParquetTable, PostgresTable, SqliteTable};
use text::{CsvTable, JsonTable, JsonlTable};

/// Where items go. Each kind may be given several times. Without a sink they are written to the standard output as JSON lines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Sinks")]
pub(in crate::config) struct SinkTable {
    /// One JSON object a line.
    #[schemars(with = "OneOrMany<JsonlTable>")]
    jsonl: Vec<JsonlTable>,
    /// One JSON list.
    #[schemars(with = "OneOrMany<JsonTable>")]
    json: Vec<JsonTable>,
    /// Comma-separated values with fixed columns.
    #[schemars(with = "OneOrMany<CsvTable>")]
    csv: Vec<CsvTable>,
    /// A SQLite database with a table for each kind of item.
    #[schemars(with = "OneOrMany<SqliteTable>")]
    sqlite: Vec<SqliteTable>,
    /// A PostgreSQL database with a table for each kind of item. Needs a program that is built with it.
    #[schemars(with = "OneOrMany<PostgresTable>")]
    postgres: Vec<PostgresTable>,
    /// Parquet files: columns with types. Needs a program that is built with them.
    #[schemars(with = "OneOrMany<ParquetTable>")]
    parquet: Vec<ParquetTable>,
    /// An archive of everything that is asked and answered.
    #[schemars(with = "WarcTable")]
    pub(super) warc: Vec<WarcTable>,
}

/// A table, or several of them; the reader of the file takes one for a list of one.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "only its schema is of use")]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// A table that says where items go.
trait Table {
    /// The sink, or `None` if what is wrong was reported. `place` is that of the table.
    fn build(self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target>;
}

impl SinkTable {
    pub(in crate::config) fn build(self, around: &Around<'_>, check: &mut Check<'_>) -> Vec<Target> {
        let mut gathered = Gathered { asked: !self.warc.is_empty(), ..Gathered::default() };
        gathered.take("jsonl", self.jsonl, around, check);
        gathered.take("json", self.json, around, check);
        gathered.take("csv", self.csv, around, check);
        gathered.take("sqlite", self.sqlite, around, check);
        gathered.take("postgres", self.postgres, around, check);
        gathered.take("parquet", self.parquet, around, check);
        gathered.targets(check)
    }
}

/// The sinks so far, with the places of their tables.
#[derive(Default)]
struct Gathered {
    sinks: Vec<(Path, Target)>,
    asked: bool,
}

impl Gathered {
    fn take<T: Table>(&mut self, kind: &str, tables: Vec<T>, around: &Around<'_>, check: &mut Check<'_>) {
        self.asked |= !tables.is_empty();
        let places = check.items(&Path::of(&["sink", kind]));
        for (table, place) in tables.into_iter().zip(places) {
            self.sinks.extend(table.build(&place, around, check).map(|target| (place, target)));
        }
    }

    /// All of them. Two that write to one file or database would write into each other.
    fn targets(self, check: &mut Check<'_>) -> Vec<Target> {
        for (index, (place, target)) in self.sinks.iter().enumerate() {
            let same = |(_, other): &&(Path, Target)| is_same_file(other, target);
            if let Some((first, _)) = self.sinks[..index].iter().find(same) {
                let (key, what) =
                    if target.form.path().is_some() { ("path", "file") } else { ("url", "database") };
                check.wrong(&place.key(key), format!("[{first}] writes to this {what}: give each its own"));
            }
        }
        if !self.asked {
            return vec![Target::of(Form::Jsonl(JsonlOptions::to("-")))];
        }
        self.sinks.into_iter().map(|(_, target)| target).collect()
    }
}

fn is_same_file(one: &Target, other: &Target) -> bool {
    match (one.form.path(), other.form.path()) {
        // `./a` and `a` are one file.
        (Some(one), Some(other)) => {
            let parts = |path| std::path::Path::components(path).filter(|part| part.as_os_str() != ".");
            parts(one).eq(parts(other))
        }
        #[cfg(feature = "postgres")]
        _ => match (&one.form, &other.form) {
            (Form::Postgres(one), Form::Postgres(other)) => one.place() == other.place(),
            _ => false,
        },
        #[cfg(not(feature = "postgres"))]
        _ => false,
    }
}
