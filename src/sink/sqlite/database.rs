//! How a SQLite database runs statements and puts rows.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, OptionalExtension, ToSql, params_from_iter};
use serde_json::{Map, Value, json};

use crate::sink::table::column::{Cell, ColumnType};
use crate::sink::table::database::{ADD_UNDO, Bound, Database, Fault, Found, Rows, Undo};
use crate::sink::table::name::{listed, quoted};

/// A file, open or not.
pub(super) struct Sqlite {
    path: PathBuf,
    place: String,
    patience: Duration,
    open: Option<Connection>,
}

impl Sqlite {
    pub(super) fn new(path: PathBuf, patience: Duration) -> Self {
        Self { place: path.display().to_string(), path, patience, open: None }
    }

    fn connection(&self) -> Result<&Connection, Fault> {
        self.open.as_ref().ok_or_else(|| Fault::Lost("it is not open".to_owned()))
    }

    fn opened(&self) -> Result<Connection, Fault> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| Fault::Refused(error.to_string()))?;
        }
        let connection = Connection::open(&self.path).map_err(told)?;
        connection.busy_timeout(self.patience).map_err(told)?;
        // Readers and the writer do not wait for each other. What this costs at a power cut is made up for by `settle`.
        connection
            .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
            .and_then(|()| connection.execute_batch("PRAGMA synchronous = NORMAL"))
            .map_err(told)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }
}

/// SQLite's error in our words.
fn told(error: Error) -> Fault {
    match error {
        Error::SqliteFailure(failure, reason) => {
            let reason = reason.unwrap_or_else(|| failure.to_string());
            match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Fault::Busy(reason),
                ErrorCode::NotADatabase => {
                    Fault::Refused("the file is there and is no SQLite database: name another".to_owned())
                }
                _ => Fault::Refused(reason),
            }
        }
        other => Fault::Refused(other.to_string()),
    }
}

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Integer(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Decimal(number) => ToSqlOutput::Borrowed(ValueRef::Real(*number)),
            Self::Boolean(truth) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*truth))),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Json(value) => ToSqlOutput::Owned(Stored::Text(value.to_string())),
        })
    }
}

impl Database for Sqlite {
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const FOR_UPDATE: &'static str = "";
    const ID: &'static str = "_id INTEGER PRIMARY KEY";

    fn place(&self) -> &str {
        &self.place
    }

    fn connect(&mut self) -> Result<(), Fault> {
        self.open = Some(self.opened()?);
        Ok(())
    }

    fn run(&mut self, sql: &str, values: &[Bound]) -> Result<(), Fault> {
        let connection = self.connection()?;
        let mut statement = connection.prepare_cached(sql).map_err(told)?;
        statement.execute(params_from_iter(values)).map(drop).map_err(told)
    }

    fn rows(&mut self, sql: &str, values: &[Bound]) -> Result<Vec<Vec<Bound>>, Fault> {
        let mut statement = self.connection()?.prepare_cached(sql).map_err(told)?;
        let width = statement.column_count();
        let bound = |value: Stored| match value {
            Stored::Integer(number) => Bound::Integer(number),
            Stored::Text(text) => Bound::Text(text),
            _ => Bound::Null,
        };
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|place| row.get(place).map(bound)).collect();
        let found = statement.query_map(params_from_iter(values), row).map_err(told)?;
        found.collect::<Result<_, _>>().map_err(told)
    }

    fn columns(&mut self, table: &str) -> Result<Vec<Found>, Fault> {
        let rows = self.rows("SELECT name, type FROM pragma_table_info($1)", &[table.into()])?;
        let text = |value: &Bound| value.text().unwrap_or_default().to_owned();
        Ok(rows.iter().map(|row| Found { name: text(&row[0]), holds: holds(&text(&row[1])) }).collect())
    }

    fn type_name(holds: ColumnType) -> &'static str {
        match holds {
            ColumnType::Text => "TEXT",
            ColumnType::Integer => "INTEGER",
            ColumnType::Decimal => "REAL",
            ColumnType::Boolean => "BOOLEAN",
            // With the second word the values stay text, whatever they look like.
            ColumnType::Date => "DATE TEXT",
            ColumnType::DateTime => "DATETIME TEXT",
            ColumnType::Json => "JSON TEXT",
        }
    }

    /// SQLite cannot change a column's type, so its values go into a new one.
    fn widen(&mut self, table: &str, column: &str, to: ColumnType) -> Result<(), Fault> {
        let (table, old, new) = (quoted(table), quoted(column), quoted("_crawl_widened"));
        let values = if to == ColumnType::Decimal { old.clone() } else { format!("CAST({old} AS TEXT)") };
        let steps = [
            format!("ALTER TABLE {table} ADD COLUMN {new} {}", Self::type_name(to)),
            format!("UPDATE {table} SET {new} = {values}"),
            format!("ALTER TABLE {table} DROP COLUMN {old}"),
            format!("ALTER TABLE {table} RENAME COLUMN {new} TO {old}"),
        ];
        steps.iter().try_for_each(|sql| self.run(sql, &[]))
    }

    fn put(&mut self, rows: &Rows, undo: &mut Undo) -> Result<Vec<i64>, Fault> {
        put(self.connection()?, rows, undo).map_err(told)
    }

    fn restore(&mut self, table: &str, id: i64, before: &str) -> Result<(), Fault> {
        let spoilt = |_| Fault::Refused("its table _crawl_undo was changed by another program".to_owned());
        let before: Map<String, Value> = serde_json::from_str(before).map_err(spoilt)?;
        let columns = before.keys().map(|column| format!("{} = ?", quoted(column)));
        let sql =
            format!("UPDATE {} SET {} WHERE _id = ?", quoted(table), columns.collect::<Vec<_>>().join(", "));
        let values = before.values().map(stored).chain([Stored::Integer(id)]);
        let mut statement = self.connection()?.prepare(&sql).map_err(told)?;
        statement.execute(params_from_iter(values)).map(drop).map_err(told)
    }

    /// The commits so far need not be on the disk; one that waits for the disk takes them with it.
    fn settle(&mut self, last: &mut dyn FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.run("PRAGMA synchronous = FULL", &[])?;
        let done = last(self);
        done.and(self.run("PRAGMA synchronous = NORMAL", &[]))
    }
}

/// What a column of this declared type holds.
fn holds(type_name: &str) -> Option<ColumnType> {
    ColumnType::ALL.into_iter().find(|holds| Sqlite::type_name(*holds).eq_ignore_ascii_case(type_name))
}

fn put(connection: &Connection, rows: &Rows, undo: &mut Undo) -> rusqlite::Result<Vec<i64>> {
    let (table, places) = (quoted(&rows.table), rows.key_places());
    let columns = listed(rows.columns.iter().map(String::as_str));
    let marks = vec!["?"; rows.columns.len()].join(", ");
    let mut insert = match rows.columns.is_empty() {
        true => connection.prepare_cached(&format!("INSERT INTO {table} DEFAULT VALUES"))?,
        false => connection.prepare_cached(&format!("INSERT INTO {table} ({columns}) VALUES ({marks})"))?,
    };
    let mut new = Vec::new();
    for cells in &rows.rows {
        let old = if places.is_empty() { None } else { find(connection, rows, cells, &places)? };
        match old {
            Some((id, before)) => {
                let at = params_from_iter(undo_entry(undo, &rows.table, id, before));
                connection.prepare_cached(ADD_UNDO)?.execute(at)?;
                undo.entry += 1;
                replace(connection, rows, cells, id)?;
            }
            None => new.push(insert.insert(params_from_iter(cells))?),
        }
    }
    Ok(new)
}

fn undo_entry(undo: &Undo, table: &str, id: i64, before: String) -> [Bound; 7] {
    let Undo { crawl, position, entry } = undo;
    [
        crawl.as_str().into(),
        (*position).into(),
        (*entry).into(),
        table.into(),
        id.into(),
        id.into(),
        Bound::Text(before),
    ]
}

/// The row with the same key: its `_id`, and what is in the columns that will be replaced.
fn find(
    connection: &Connection,
    rows: &Rows,
    cells: &[Cell],
    places: &[usize],
) -> rusqlite::Result<Option<(i64, String)>> {
    let columns = listed(rows.columns.iter().map(String::as_str));
    let same: Vec<_> = rows.key.iter().map(|column| format!("{} = ?", quoted(column))).collect();
    let sql = format!("SELECT _id, {columns} FROM {} WHERE {}", quoted(&rows.table), same.join(" AND "));
    let key = places.iter().map(|place| &cells[*place]);
    let read = |row: &rusqlite::Row<'_>| {
        let named = rows.columns.iter().enumerate();
        let before = named.map(|(place, column)| Ok((column.clone(), as_json(row.get(place + 1)?))));
        let before = before.collect::<rusqlite::Result<Map<String, Value>>>()?;
        Ok((row.get(0)?, Value::Object(before).to_string()))
    };
    connection.prepare_cached(&sql)?.query_row(params_from_iter(key), read).optional()
}

fn replace(connection: &Connection, rows: &Rows, cells: &[Cell], id: i64) -> rusqlite::Result<()> {
    let set: Vec<_> = rows.columns.iter().map(|column| format!("{} = ?", quoted(column))).collect();
    let sql = format!("UPDATE {} SET {} WHERE _id = ?", quoted(&rows.table), set.join(", "));
    let values: Vec<&dyn ToSql> =
        cells.iter().map(|cell| cell as &dyn ToSql).chain([&id as &dyn ToSql]).collect();
    connection.prepare_cached(&sql)?.execute(&values[..]).map(drop)
}

/// A stored value as JSON that [`stored`] reads back; bytes, which only others write, as a list of numbers.
fn as_json(value: Stored) -> Value {
    match value {
        Stored::Null => Value::Null,
        Stored::Integer(number) => number.into(),
        Stored::Real(number) => number.into(),
        Stored::Text(text) => text.into(),
        Stored::Blob(bytes) => json!(bytes),
    }
}

fn stored(value: &Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Bool(truth) => Stored::Integer(i64::from(*truth)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Stored::Integer(whole),
            (None, Some(float)) => Stored::Real(float),
            (None, None) => Stored::Null,
        },
        Value::String(text) => Stored::Text(text.clone()),
        Value::Array(bytes) => {
            let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            Stored::Blob(bytes.iter().filter_map(byte).collect())
        }
        Value::Object(_) => Stored::Text(value.to_string()),
    }
}
