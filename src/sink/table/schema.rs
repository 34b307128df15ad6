//! From an item to a row: which table, which columns, and what has to be added to the schema for it.
//!
//! A table grows with what is found: a field that is new gets a column, a column of another type than the value is widened,
//! unless the crawler file declares what it holds. Both are bounded, for what is found comes from web sites: fields beyond
//! [`MOST_COLUMNS`] share the column `_more`, as JSON.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::TableOptions;
use super::column::{Cell, ColumnType, declared};
use super::database::Found;
use super::name::{apart, fitting};
use crate::item::Item;

/// Columns of one table at most, those of its own (`_id` and so on) not counted. PostgreSQL's rows hold little more if every
/// one is filled.
pub const MOST_COLUMNS: usize = 200;
/// Tables at most.
pub const MOST_TABLES: usize = 50;
/// Bytes of a key at most: what an index takes.
pub const LONGEST_KEY: usize = 2_000;

/// The column for what has no column of its own.
const MORE: &str = "_more";
/// What every row can tell beside its fields, if it is asked for.
const SEEN: [(&str, ColumnType); 4] = [
    ("_url", ColumnType::Text),
    ("_first_seen", ColumnType::DateTime),
    ("_last_changed", ColumnType::DateTime),
    ("_round", ColumnType::Integer),
];

/// Something to change in the database before rows are put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Growth {
    /// The crawl writes this table; it is made if it is not there.
    Table(String),
    Column {
        table: String,
        column: String,
        holds: ColumnType,
    },
    Widened {
        table: String,
        column: String,
        to: ColumnType,
    },
    /// No two rows with the same key from now on.
    Key {
        table: String,
        columns: Vec<String>,
    },
}

/// A table as it will be once its growth is done.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<Found>,
    /// Field to the place of its column.
    fields: HashMap<String, usize>,
    key_is_made: bool,
}

/// An item in its place.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<Cell>,
    /// The key's cells as text; empty without a key.
    pub(super) key: String,
}

/// The name of the table for items of this kind.
pub(super) fn table_name(options: &TableOptions, kind: Option<&str>) -> String {
    let kind = kind.unwrap_or(&options.table);
    let is_taken = ["_crawl", "sqlite_", "pg_"].iter().any(|front| kind.to_lowercase().starts_with(front));
    let front = if is_taken { "items_" } else { "" };
    fitting(&format!("{front}{kind}{}", options.suffix))
}

impl Table {
    /// A table as the database describes it; without columns it will have to be made.
    pub(super) fn new(name: String, columns: Vec<Found>) -> Self {
        Self { name, columns, fields: HashMap::new(), key_is_made: false }
    }

    /// The item as a row. What that asks of the schema is added to `growth`; an item that cannot be held is told why.
    pub(super) fn row(
        &mut self,
        item: &Item,
        options: &TableOptions,
        growth: &mut Vec<Growth>,
    ) -> Result<Row, String> {
        let kind = item.kind.as_deref();
        let of = |field: &str| declared(&options.types, kind, field);
        check(item, options, &of)?;
        let mut row = Row { columns: Vec::new(), cells: Vec::new(), key: String::new() };
        let mut more = Map::new();
        for (field, value) in &item.fields {
            let is_key = options.key.contains(field);
            let room = if is_key { Room::Always } else { Room::WhileThereIs };
            match self.place(field, of(field).or_else(|| ColumnType::of(value)), room, growth) {
                Placed::Column(place) => {
                    let cell = self.cell(place, value, is_key, growth)?;
                    row.push(&self.columns[place].name, cell);
                }
                Placed::Nowhere => {}
                Placed::More => drop(more.insert(field.clone(), value.clone())),
            }
        }
        if self.has(MORE) || !more.is_empty() {
            self.own(MORE, ColumnType::Json, growth);
            let more = if more.is_empty() { Value::Null } else { Value::Object(more) };
            row.push(MORE, ColumnType::Json.fit(&more).unwrap_or(Cell::Null));
        }
        if options.seen {
            self.seen(item, &mut row, growth);
        }
        self.key(&mut row, options, growth);
        Ok(row)
    }

    /// What is known of the item's page.
    fn seen(&mut self, item: &Item, row: &mut Row, growth: &mut Vec<Growth>) {
        let seen = item.seen.as_ref();
        let time = |time: Option<String>| time.map_or(Cell::Null, Cell::Text);
        let cells = [
            Cell::Text(item.url.as_str().to_owned()),
            time(seen.map(|seen| seen.first_seen.to_string())),
            time(seen.map(|seen| seen.last_changed.to_string())),
            seen.map_or(Cell::Null, |seen| Cell::Integer(seen.round.into())),
        ];
        for ((name, holds), cell) in SEEN.into_iter().zip(cells) {
            self.own(name, holds, growth);
            row.push(name, cell);
        }
    }

    /// Settles by what the row can be found again.
    fn key(&mut self, row: &mut Row, options: &TableOptions, growth: &mut Vec<Growth>) {
        if options.key.is_empty() {
            return;
        }
        let columns = self.key_columns(options);
        let place = |name: &String| row.columns.iter().position(|column| column == name);
        let cells: Vec<_> = columns.iter().filter_map(place).map(|place| &row.cells[place]).collect();
        row.key = format!("{cells:?}");
        if !self.key_is_made {
            growth.push(Growth::Key { table: self.name.clone(), columns });
            self.key_is_made = true;
        }
    }

    /// The columns of the key; every one has its place once a row was made.
    pub(super) fn key_columns(&self, options: &TableOptions) -> Vec<String> {
        let name = |field: &String| self.fields.get(field).map(|place| self.columns[*place].name.clone());
        options.key.iter().filter_map(name).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// A column of the table's own.
    fn own(&mut self, name: &str, holds: ColumnType, growth: &mut Vec<Growth>) {
        if !self.has(name) {
            self.add(name.to_owned(), holds, growth);
        }
    }

    fn add(&mut self, name: String, holds: ColumnType, growth: &mut Vec<Growth>) -> usize {
        let (table, column) = (self.name.clone(), name.clone());
        growth.push(Growth::Column { table, column, holds });
        self.columns.push(Found { name, holds: Some(holds) });
        self.columns.len() - 1
    }

    /// Where a field's value goes. A field that never had a value and of which nothing is declared has no place yet.
    fn place(
        &mut self,
        field: &str,
        holds: Option<ColumnType>,
        room: Room,
        growth: &mut Vec<Growth>,
    ) -> Placed {
        if let Some(place) = self.fields.get(field) {
            return Placed::Column(*place);
        }
        let known = self.columns.iter().map(|column| column.name.as_str());
        let name = apart(own_name(field), known);
        let found = self.columns.iter().position(|column| column.name == name);
        let is_full = room == Room::WhileThereIs && self.columns.len() >= MOST_COLUMNS + SEEN.len() + 2;
        let place = match (found, holds) {
            (Some(place), _) => place,
            (None, None) => return Placed::Nowhere,
            (None, Some(_)) if is_full => return Placed::More,
            (None, Some(holds)) => self.add(name, holds, growth),
        };
        self.fields.insert(field.to_owned(), place);
        Placed::Column(place)
    }

    /// The value as its column holds it; the column is widened if need be.
    fn cell(
        &mut self,
        place: usize,
        value: &Value,
        is_key: bool,
        growth: &mut Vec<Growth>,
    ) -> Result<Cell, String> {
        let column = &mut self.columns[place];
        let Some(own) = ColumnType::of(value) else {
            return Ok(Cell::Null);
        };
        let Some(holds) = column.holds else {
            return own.fit(value).ok_or_else(|| format!("`{value}` has no type"));
        };
        if let Some(cell) = holds.fit(value) {
            return Ok(cell);
        }
        if is_key {
            return Err(format!(
                "the key's column `{}` holds {}, not {value}: declare its type with `types`",
                column.name,
                holds.word()
            ));
        }
        let to = holds.widened(own);
        column.holds = Some(to);
        growth.push(Growth::Widened { table: self.name.clone(), column: column.name.clone(), to });
        to.fit(value).ok_or_else(|| format!("{value} does not fit a column of {}", to.word()))
    }
}

/// Whether a field gets a column of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Always,
    WhileThereIs,
}

/// Where a field goes.
enum Placed {
    Column(usize),
    Nowhere,
    More,
}

impl Row {
    fn push(&mut self, column: &str, cell: Cell) {
        self.columns.push(column.to_owned());
        self.cells.push(cell);
    }
}

/// The column's name of a field; those of the table's own are not to be had.
fn own_name(field: &str) -> String {
    let is_own = field == "_id" || field == MORE || SEEN.iter().any(|(name, _)| *name == field);
    if is_own { fitting(&format!("{field}\0")) } else { fitting(field) }
}

/// Whether everything that is declared fits, and the key is there.
fn check(
    item: &Item,
    options: &TableOptions,
    of: &impl Fn(&str) -> Option<ColumnType>,
) -> Result<(), String> {
    for (field, value) in &item.fields {
        if let Some(holds) = of(field).filter(|holds| holds.fit(value).is_none()) {
            return Err(format!("`{field}` is declared as {}, not {}", holds.word(), shortened(value)));
        }
    }
    let mut length = 0;
    for field in &options.key {
        match item.fields.get(field) {
            None | Some(Value::Null) => return Err(format!("it has no `{field}`, which is its key")),
            Some(Value::String(text)) => length += text.len(),
            Some(other) => length += other.to_string().len(),
        }
    }
    match length {
        0..=LONGEST_KEY => Ok(()),
        _ => Err(format!("its key has {length} bytes, {LONGEST_KEY} are the most")),
    }
}

/// A value for a message.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
