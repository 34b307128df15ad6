//! Reading back what is in a SQLite database: the rows of all tables, as the items that they were.

use std::path::Path;

use rusqlite::types::Value as Stored;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::{Map, Value};

use crate::sink::read::ReadError;
use crate::sink::table::name::quoted;

/// The tables that are none of the database's own or of the crawl's memory.
const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                      AND name NOT LIKE '\\_crawl%' ESCAPE '\\' ORDER BY rowid";

/// Gives the rows of every table to `take`, table by table. What has a table of its own gets the table's name as its `kind`, unless
/// that is `items`; columns that begin with `_` are left out, and those of JSON have what was in them.
///
/// # Errors
/// If it is no database that can be read, or `take` fails.
pub fn each_row<E>(
    path: &Path,
    mut take: impl FnMut(Map<String, Value>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(told)?;
    let mut tables = database.prepare(TABLES).map_err(told)?;
    let names = tables.query_map([], |row| row.get(0)).map_err(told)?;
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(told)?;
    for table in names {
        let mut all = database.prepare(&format!("SELECT * FROM {}", quoted(&table))).map_err(told)?;
        let columns = columns(&database, &table).map_err(told)?;
        let mut rows = all.query([]).map_err(told)?;
        while let Some(row) = rows.next().map_err(told)? {
            take(record(&table, &columns, row).map_err(told)?).map_err(ReadError::Taker)?;
        }
    }
    Ok(())
}

/// Names and declared types, in order.
fn columns(database: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut info = database.prepare("SELECT name, type FROM pragma_table_info(?)")?;
    info.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn record(table: &str, columns: &[(String, String)], row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
    let mut record = Map::new();
    if table != "items" {
        record.insert("kind".to_owned(), table.into());
    }
    for (place, (name, holds)) in columns.iter().enumerate() {
        let value = value(row.get(place)?, holds);
        match (name.as_str(), value) {
            ("_more", Value::Object(more)) => record.extend(more),
            (name, _) if name.starts_with('_') => {}
            (name, value) => drop(record.insert(name.to_owned(), value)),
        }
    }
    Ok(record)
}

fn value(stored: Stored, holds: &str) -> Value {
    match stored {
        Stored::Null => Value::Null,
        Stored::Integer(number) if holds == "BOOLEAN" => (number != 0).into(),
        Stored::Integer(number) => number.into(),
        Stored::Real(number) => number.into(),
        Stored::Text(text) if holds.starts_with("JSON") => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        Stored::Text(text) => text.into(),
        Stored::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    }
}

fn told<E>(error: rusqlite::Error) -> ReadError<E> {
    ReadError::Io(std::io::Error::other(error))
}
