//! What a database must do for a table sink. The rest is the same SQL for all.

use super::column::{Cell, ColumnType};

/// A value that goes into a statement or comes out of one.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sink) enum Bound {
    Null,
    Integer(i64),
    Text(String),
}

impl Bound {
    pub(in crate::sink) const fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(in crate::sink) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Bound {
    fn from(number: u64) -> Self {
        Self::Integer(number.cast_signed())
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// Why a database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sink) enum Fault {
    /// Another program holds it, for longer than we wait.
    Busy(String),
    /// It cannot be reached, or cannot any more.
    Lost(String),
    /// It refused.
    Refused(String),
}

/// Rows of one table that have the same columns.
#[derive(Debug)]
pub(in crate::sink) struct Rows {
    pub(in crate::sink) table: String,
    /// The columns by which a row takes the place of an earlier one; none: it never does.
    pub(in crate::sink) key: Vec<String>,
    pub(in crate::sink) columns: Vec<String>,
    /// The cells of each row, in the order of the columns. With a key, no two rows have the same.
    pub(in crate::sink) rows: Vec<Vec<Cell>>,
}

impl Rows {
    /// Places of the key's columns.
    pub(in crate::sink) fn key_places(&self) -> Vec<usize> {
        let place = |name| self.columns.iter().position(|column| column == name);
        self.key.iter().filter_map(place).collect()
    }
}

/// A column as the database describes it; `None`: of a type that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sink) struct Found {
    pub(in crate::sink) name: String,
    pub(in crate::sink) holds: Option<ColumnType>,
}

/// Where the entries of one transaction go that say how to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sink) struct Undo {
    pub(in crate::sink) crawl: String,
    pub(in crate::sink) position: u64,
    /// The next entry's number.
    pub(in crate::sink) entry: u64,
}

/// Adds an entry: where it stands (crawl, position, entry), the table, the first and the last row, and what was in the first.
pub(in crate::sink) const ADD_UNDO: &str = "INSERT INTO _crawl_undo (crawl, position, entry, name, first, last, before) \
                                            VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// A database, of which one sink is the owner. Statements have their parameters as `$1`, `$2` in the order of their first use.
pub(in crate::sink) trait Database: Send + 'static {
    /// Begins a transaction that writes.
    const BEGIN: &'static str;
    /// Behind a `SELECT` of what will be updated: keeps others off until the end of the transaction.
    const FOR_UPDATE: &'static str;
    /// The column `_id` with its type: numbers that the database gives out and never changes.
    const ID: &'static str;

    /// What it is called in errors; never with a password.
    fn place(&self) -> &str;

    /// Opens it; if it was open, anew.
    fn connect(&mut self) -> Result<(), Fault>;

    /// Runs a statement.
    fn run(&mut self, sql: &str, values: &[Bound]) -> Result<(), Fault>;

    /// The rows that a statement gives.
    fn rows(&mut self, sql: &str, values: &[Bound]) -> Result<Vec<Vec<Bound>>, Fault>;

    /// The columns of a table; none if it is not there.
    fn columns(&mut self, table: &str) -> Result<Vec<Found>, Fault>;

    /// The type of a column, as `CREATE TABLE` has it.
    fn type_name(holds: ColumnType) -> &'static str;

    /// Makes a column hold what it could not hold so far.
    fn widen(&mut self, table: &str, column: &str, to: ColumnType) -> Result<(), Fault>;

    /// Puts rows into their table, notes how to take back what they replaced, and gives the `_id`s of those that are new.
    fn put(&mut self, rows: &Rows, undo: &mut Undo) -> Result<Vec<i64>, Fault>;

    /// Puts back what was in a row: an object, column to value.
    fn restore(&mut self, table: &str, id: i64, before: &str) -> Result<(), Fault>;

    /// Makes the transactions so far survive a power cut, if [`Database::run`]'s `COMMIT` did not; `last` is one more.
    fn settle(&mut self, last: &mut dyn FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault>
    where
        Self: Sized,
    {
        last(self)
    }
}
