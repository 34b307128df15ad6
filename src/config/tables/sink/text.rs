//! `[sink.jsonl]` and `[sink.csv]`: files of lines.

use super::Table;
use super::shared::{self, Around, sink_table};
use crate::config::check::Check;
use crate::config::path::Path;
use crate::sink::csv::{CsvOptions, Dialect, Quote};
use crate::sink::json::JsonOptions;
use crate::sink::jsonl::JsonlOptions;
use crate::sink::template::Template;
use crate::sink::{Choice, Form, SEEN, Target, ending};

sink_table! {
    files:
    /// One JSON object a line.
    JsonlTable as "Jsonl" {
        /// Whether each line ends with the fields `first_seen`, `last_changed` (of the page, and of its items) and `round` (in which
        /// they changed), unless the item has a field of that name. Default false.
        seen: Option<bool>,
    }
}

sink_table! {
    files:
    /// One JSON list of objects, whole after each commit.
    JsonTable as "Json" {
        /// As in `[sink.jsonl]`. Default false.
        seen: Option<bool>,
    }
}

sink_table! {
    files:
    /// Comma-separated values with fixed columns.
    CsvTable as "Csv" {
        /// The columns in order. Default: `fields`, else the fields of all `[[extract]]` in their order, else those of
        /// the first item. "kind" is the item's kind; "first_seen", "last_changed" and "round" are those of `[sink.jsonl] seen`.
        columns: Option<Vec<String>>,
        /// One character between two cells. Default ",", with the ending .tsv a tab.
        separator: Option<String>,
        /// Which cells are put in quotes: `"needed"` or `"all"`. Default "needed".
        quote: Option<QuoteChoice>,
        /// Whether each file begins with the names of its columns. Default true.
        header: Option<bool>,
        /// Whether each file begins with a byte order mark, by which Excel knows UTF-8. Default false.
        bom: Option<bool>,
    }
}

/// Which cells are put in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Quote")]
enum QuoteChoice {
    /// Those that need it.
    #[default]
    Needed,
    /// All.
    All,
}

impl Table for JsonlTable {
    fn build(mut self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target> {
        let choice = self.take_choice().build(place, around, check);
        let (path, files) = self.take_files().build(place, around, check)?;
        let seen = self.seen.unwrap_or_default();
        Some(Target { form: Form::Jsonl(JsonlOptions { path, files, seen }), choice })
    }
}

impl Table for JsonTable {
    fn build(mut self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target> {
        let choice = self.take_choice().build(place, around, check);
        let (path, files) = self.take_files().build(place, around, check)?;
        let seen = self.seen.unwrap_or_default();
        Some(Target { form: Form::Json(JsonOptions { path, files, seen }), choice })
    }
}

impl Table for CsvTable {
    fn build(mut self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Option<Target> {
        let choice = self.take_choice().build(place, around, check);
        let files = self.take_files().build(place, around, check);
        let dialect = self.dialect(files.as_ref().map(|(path, _)| path.as_path()), place, check);
        let renamed = |name: &str| choice.name_of(name).to_owned();
        let own: Vec<_> = around.fields(&[]).into_iter().map(renamed).collect();
        let is_seen = |column: &String| SEEN.contains(&column.as_str()) && !own.contains(column);
        let seen = self.columns.iter().flatten().any(is_seen);
        if let Some(columns) = &self.columns {
            check_columns(columns, &choice, &own, (place, around), check);
        }
        let mut columns_of = Vec::new();
        let columns = match self.columns {
            Some(columns) => columns,
            None if choice.fields.is_empty() => {
                for kind in around.kinds() {
                    let of_kind = around.fields(&[kind.to_owned()]);
                    columns_of.push((kind.to_owned(), of_kind.into_iter().map(renamed).collect()));
                }
                around.fields(&choice.kinds).into_iter().map(renamed).collect()
            }
            None => choice.fields.iter().map(|name| renamed(name)).collect(),
        };
        let (path, files) = files?;
        if !Template::parse(&path).is_ok_and(|template| template.is_by_kind()) {
            columns_of.clear();
        }
        Some(Target {
            form: Form::Csv(CsvOptions { path, columns, columns_of, files, dialect, seen }),
            choice,
        })
    }
}

/// A column that no item has would be empty from top to bottom.
fn check_columns(
    columns: &[String],
    choice: &Choice,
    own: &[String],
    (place, around): (&Path, &Around<'_>),
    check: &mut Check<'_>,
) {
    let key = place.key("columns");
    if !choice.fields.is_empty() {
        check.wrong(&key, "`fields` has the columns and their order already: remove one of the two");
    }
    for (column, place) in columns.iter().zip(check.items(&key)) {
        if !own.contains(column) {
            around.check_field(column, &place, check);
        }
    }
}

impl CsvTable {
    fn dialect(&self, path: Option<&std::path::Path>, place: &Path, check: &mut Check<'_>) -> Dialect {
        let by_name = if path.is_some_and(ending::is_tabbed) { b'\t' } else { b',' };
        let separator = match self.separator.as_deref().map(str::as_bytes) {
            None => by_name,
            Some(&[byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => byte,
            Some(_) => {
                let what =
                    "expected one ASCII character that is no quote and no line end, as in \";\" or \"\\t\"";
                check.wrong(&place.key("separator"), what);
                by_name
            }
        };
        Dialect {
            separator,
            quote: match self.quote.unwrap_or_default() {
                QuoteChoice::Needed => Quote::Needed,
                QuoteChoice::All => Quote::All,
            },
            header: self.header.unwrap_or(true),
            bom: self.bom.unwrap_or_default(),
        }
    }
}
