//! Items as rows of a database: one table for each kind, with columns that grow.
//!
//! What is the same for every database is here: `schema` makes rows of items, `ledger` knows how far a crawl has come and
//! how to take its last steps back, and `TableSink` puts one flush into one transaction. A database itself only says how it
//! runs a statement and how it puts rows (`database`).
//!
//! **Exactly once.** A transaction carries the number of its step and how to undo it; [`Sink::rewind`] takes back what the
//! crawl's state does not know of. Nothing is kept in memory over a flush but names of columns.

pub mod column;
pub(super) mod database;
pub(super) mod date;
mod ledger;
pub(super) mod name;
mod schema;

use std::collections::HashMap;

pub use schema::{LONGEST_KEY, MOST_COLUMNS, MOST_TABLES};

use self::column::Declared;
use self::database::{Database, Fault, Rows, Undo};
use self::ledger::Mark;
use self::name::{listed, quoted};
use self::schema::{Growth, Row, Table};
use super::{Ended, Position, Round, Sink, SinkError};
use crate::item::Item;
use crate::url::Fingerprint;

/// What holds for tables in every database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// The crawl's name: under it the database remembers how far it has come.
    pub crawl: String,
    /// The table of items without a kind; others have the table of their kind's name.
    pub table: String,
    /// Fields by which an item takes the place of an earlier one. None: every item is a row of its own.
    pub key: Vec<String>,
    /// What columns hold. The type of any other is that of its first value, and widened if a later one does not fit.
    pub types: Vec<Declared>,
    /// Whether the columns `_url`, `_first_seen`, `_last_changed` and `_round` tell what is known of an item's page.
    pub seen: bool,
    /// What becomes of the rows of earlier rounds when a round begins.
    pub earlier: Earlier,
    /// Put behind the name of each table.
    pub suffix: String,
}

impl Default for TableOptions {
    /// Items without a kind go to `items`, and a new round begins with empty tables.
    fn default() -> Self {
        Self {
            crawl: "crawl".to_owned(),
            table: "items".to_owned(),
            key: Vec::new(),
            types: Vec::new(),
            seen: false,
            earlier: Earlier::Emptied,
            suffix: String::new(),
        }
    }
}

impl TableOptions {
    /// Writes to other tables, whose names end in `_` and this word, as another crawl.
    pub fn set_aside(&mut self, word: &str) {
        self.crawl = format!("{}.{word}", self.crawl);
        self.suffix = format!("{}_{word}", self.suffix);
    }
}

/// What becomes of the rows of earlier rounds when a round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Earlier {
    /// The crawl's tables are emptied.
    #[default]
    Emptied,
    /// They stay; with a key, those that are met again are replaced.
    Kept,
    /// The round does not begin if there are any.
    Refused,
}

/// A sink into tables of a database. Its position is the number of its last step.
pub(super) struct TableSink<D> {
    name: String,
    db: D,
    options: TableOptions,
    /// Which round this is, unmistakably: its number and the moment at which it began.
    round: String,
    /// Where the database stands; `None` until it was asked.
    mark: Option<Mark>,
    tables: Vec<Table>,
    /// Kind to the place of its table.
    kinds: HashMap<Option<String>, usize>,
    growth: Vec<Growth>,
    gathered: Gathered,
    /// The step at the last sync: by the next one the state has followed it for good.
    synced: Option<u64>,
}

/// Rows that wait for the next flush, in order.
#[derive(Default)]
struct Gathered {
    batches: Vec<Rows>,
    /// Table and columns to the batch that takes more of them.
    open: HashMap<(usize, Vec<String>), usize>,
    /// Table and key to batch and row.
    keys: HashMap<(usize, String), (usize, usize)>,
}

impl Gathered {
    /// Adds a row; one with the key of an earlier row takes its place.
    fn push(&mut self, table: usize, name: &str, key: &[String], row: Row) {
        let Row { columns, cells, key: text } = row;
        let found = self.keys.get(&(table, text.clone())).filter(|_| !key.is_empty()).copied();
        if let Some((batch, place)) = found {
            if self.batches[batch].columns == columns {
                self.batches[batch].rows[place] = cells;
                return;
            }
            // It has other columns, so both are put, one after the other: what follows may not come before it.
            self.open.retain(|(of, _), _| *of != table);
        }
        let at = (table, columns);
        let batch = self.open.get(&at).copied().unwrap_or_else(|| {
            let columns = at.1.clone();
            self.batches.push(Rows { table: name.to_owned(), key: key.to_vec(), columns, rows: Vec::new() });
            self.batches.len() - 1
        });
        self.open.insert(at, batch);
        self.batches[batch].rows.push(cells);
        if !key.is_empty() {
            self.keys.insert((table, text), (batch, self.batches[batch].rows.len() - 1));
        }
    }
}

impl<D: Database> TableSink<D> {
    pub(super) fn new(name: String, db: D, options: TableOptions) -> Self {
        Self {
            name,
            db,
            options,
            round: String::new(),
            mark: None,
            tables: Vec::new(),
            kinds: HashMap::new(),
            growth: Vec::new(),
            gathered: Gathered::default(),
            synced: None,
        }
    }

    /// What the database said, as the sink's error.
    fn told(&self, fault: Fault) -> SinkError {
        let output = self.db.place().to_owned();
        match fault {
            Fault::Busy(reason) => SinkError::Held { output, reason },
            Fault::Lost(reason) => SinkError::Unreachable { output, reason },
            Fault::Refused(reason) => SinkError::Database { output, reason },
        }
    }

    /// Connects and asks where the database stands, if that is not known.
    fn open(&mut self) -> Result<Mark, SinkError> {
        if let Some(mark) = &self.mark {
            return Ok(mark.clone());
        }
        let crawl = &self.options.crawl;
        let db = &mut self.db;
        let found = db.connect().and_then(|()| {
            ledger::in_one(db, |db| {
                ledger::prepare(db)?;
                ledger::mark(db, crawl)
            })
        });
        let mark = found.map_err(|fault| self.told(fault))?;
        self.mark = Some(mark.clone());
        Ok(mark)
    }

    /// The place of the table for items of this kind. `Ok(Err(…))`: why it can have none.
    fn table(&mut self, kind: Option<&str>) -> Result<Result<usize, String>, SinkError> {
        if let Some(place) = self.kinds.get(&kind.map(str::to_owned)) {
            return Ok(Ok(*place));
        }
        let known = self.tables.iter().map(|table| table.name.as_str());
        let name = name::apart(schema::table_name(&self.options, kind), known);
        let place = match self.tables.iter().position(|table| table.name == name) {
            Some(place) => place,
            None if self.tables.len() >= MOST_TABLES => {
                return Ok(Err(format!(
                    "it is of one more kind than {MOST_TABLES}, the most tables there may be"
                )));
            }
            None => {
                let columns = self.look_up(&name).map_err(|fault| self.told(fault))?;
                self.growth.push(Growth::Table(name.clone()));
                self.tables.push(Table::new(name, columns));
                self.tables.len() - 1
            }
        };
        self.kinds.insert(kind.map(str::to_owned), place);
        Ok(Ok(place))
    }

    /// The columns of a table, if it is one that this crawl may write.
    fn look_up(&mut self, table: &str) -> Result<Vec<database::Found>, Fault> {
        let columns = self.db.columns(table)?;
        if columns.is_empty() {
            return Ok(columns);
        }
        let writers = ledger::writers(&mut self.db, table)?;
        let crawl = self.options.crawl.as_str();
        let own = writers.iter().find(|(writer, _)| writer == crawl);
        let empties = self.options.earlier == Earlier::Emptied;
        let fault = if columns.iter().all(|column| column.name != "_id") {
            Some("was not made by a crawl (it has no column `_id`): name another with `table`".to_owned())
        } else if let Some((_, key)) = own.filter(|(_, key)| *key != self.key_text()) {
            Some(format!("was begun with the key {key}: put it back, or drop the table"))
        } else if own.is_none() && empties {
            Some("holds rows of others, which a new round would empty: name another with `table`, or write exists = \"append\"".to_owned())
        } else {
            None
        };
        fault.map_or(Ok(columns), |why| Err(Fault::Refused(format!("the table `{table}` {why}"))))
    }

    fn key_text(&self) -> String {
        format!("{:?}", self.options.key)
    }

    /// Puts what is gathered into the database as the step after `mark`.
    fn step(&mut self, mark: &Mark) -> Result<(), Fault> {
        let crawl = self.options.crawl.as_str();
        let key = self.key_text();
        let (growth, batches) = (&self.growth, &self.gathered.batches);
        ledger::in_one(&mut self.db, |db| {
            let found = ledger::mark(db, crawl)?;
            if found.position != mark.position || found.round != mark.round {
                return Err(Fault::Refused(format!(
                    "another run of the crawl `{crawl}` writes to it: end one of them"
                )));
            }
            growth.iter().try_for_each(|growth| grow(db, growth, crawl, &key))?;
            let position = mark.position + 1;
            let mut undo = Undo { crawl: crawl.to_owned(), position, entry: 0 };
            for rows in batches {
                let new = db.put(rows, &mut undo)?;
                ledger::note_new(db, &rows.table, &new, &mut undo)?;
            }
            ledger::set_mark(db, crawl, &Mark { position, ..mark.clone() })
        })
    }

    /// The same once more over a new connection, unless the step was done and only the answer got lost.
    fn step_anew(&mut self, mark: &Mark) -> Result<(), Fault> {
        self.db.connect()?;
        let found = ledger::mark(&mut self.db, &self.options.crawl)?;
        if found.position == mark.position + 1 && found.round == mark.round {
            return Ok(());
        }
        self.step(mark)
    }

    /// Makes all steps survive a power cut, and drops how to undo those up to this one.
    fn settle(&mut self, settled: u64) -> Result<(), SinkError> {
        let mark = self.open()?;
        let crawl = self.options.crawl.as_str();
        let done = self.db.settle(&mut |db| ledger::in_one(db, |db| ledger::forget(db, crawl, settled)));
        done.map_err(|fault| self.told(fault))?;
        self.mark = Some(Mark { settled, ..mark });
        Ok(())
    }

    /// Brings the database to `to`.
    fn cut(&mut self, mark: &Mark, to: u64) -> Result<Mark, SinkError> {
        // Who names no round begins one whenever everything is dropped.
        let is_new = to == 0 && (mark.round != self.round || self.round.is_empty());
        let to = if to == 0 { mark.began } else { to };
        let empties = self.options.earlier == Earlier::Emptied && (is_new || to == mark.began);
        let strayed = to > mark.position || (to < mark.settled && !empties) || mark.round != self.round;
        if !is_new && strayed {
            return Err(SinkError::Strayed {
                output: self.db.place().to_owned(),
                expected: to,
                found: mark.position,
            });
        }
        let crawl = self.options.crawl.as_str();
        let round = self.round.clone();
        let now = match is_new {
            true => Mark { round, began: mark.position, position: mark.position, settled: mark.position },
            false => Mark { round, began: mark.began, position: to, settled: mark.settled.min(to) },
        };
        let cut = ledger::in_one(&mut self.db, |db| {
            ledger::undo(db, crawl, now.position)?;
            ledger::forget(db, crawl, now.settled)?;
            if empties {
                ledger::empty(db, crawl)?;
            }
            ledger::set_mark(db, crawl, &now)
        });
        cut.map_err(|fault| self.told(fault))?;
        Ok(now)
    }
}

/// Changes the schema.
fn grow<D: Database>(db: &mut D, growth: &Growth, crawl: &str, key: &str) -> Result<(), Fault> {
    match growth {
        Growth::Table(table) => {
            db.run(&format!("CREATE TABLE IF NOT EXISTS {} ({})", quoted(table), D::ID), &[])?;
            ledger::enrol(db, crawl, table, key)
        }
        Growth::Column { table, column, holds } => {
            let sql = format!(
                "ALTER TABLE {} ADD COLUMN {} {}",
                quoted(table),
                quoted(column),
                D::type_name(*holds)
            );
            db.run(&sql, &[])
        }
        Growth::Widened { table, column, to } => db.widen(table, column, *to),
        Growth::Key { table, columns } => {
            let digest = Fingerprint::of(format!("{table}\0{columns:?}").as_bytes()).get();
            let columns = listed(columns.iter().map(String::as_str));
            let table = quoted(table);
            db.run(
                &format!("CREATE UNIQUE INDEX IF NOT EXISTS _crawl_key_{digest:016x} ON {table} ({columns})"),
                &[],
            )
        }
    }
}

impl<D: Database> Sink for TableSink<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        self.round = format!("{}@{}", round.number, round.started);
        let is_new = round.committed.is_none();
        if !is_new || self.options.earlier != Earlier::Refused || self.open()?.round == self.round {
            return Ok(());
        }
        let crawl = self.options.crawl.as_str();
        let found = ledger::filled(&mut self.db, crawl).map_err(|fault| self.told(fault))?;
        found.map_or(Ok(()), |table| {
            let reason = format!(
                "the table `{table}` has rows already: drop it, or write exists = \"overwrite\" or \"append\""
            );
            Err(SinkError::Database { output: self.db.place().to_owned(), reason })
        })
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        self.open()?;
        let table = self.table(item.kind.as_deref())?;
        let row = table.and_then(|place| {
            let row = self.tables[place].row(item, &self.options, &mut self.growth)?;
            Ok((place, row))
        });
        let (place, row) = row.map_err(|reason| SinkError::item(&self.name, item, reason))?;
        let table = &self.tables[place];
        let key = table.key_columns(&self.options);
        self.gathered.push(place, &table.name, &key, row);
        Ok(())
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        let mark = self.open()?;
        if self.gathered.batches.is_empty() {
            return Ok(Position(mark.position));
        }
        let done = match self.step(&mark) {
            Err(Fault::Lost(_)) => self.step_anew(&mark),
            done => done,
        };
        done.map_err(|fault| self.told(fault))?;
        self.gathered = Gathered::default();
        self.growth.clear();
        let position = mark.position + 1;
        self.mark = Some(Mark { position, ..mark });
        Ok(Position(position))
    }

    /// Steps up to that of the sync before this one are known to the state for good: how to undo them is dropped.
    fn sync(&mut self) -> Result<(), SinkError> {
        let mark = self.open()?;
        let before = self.synced.replace(mark.position);
        if before == Some(mark.position) && mark.settled == mark.position {
            return Ok(());
        }
        self.settle(before.unwrap_or(mark.settled).max(mark.settled))
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.mark = None;
        let mark = self.open()?;
        (self.gathered, self.synced) = (Gathered::default(), None);
        self.growth.clear();
        self.tables.clear();
        self.kinds.clear();
        let mark = self.cut(&mark, to.0)?;
        self.mark = Some(mark);
        Ok(())
    }

    /// The state has followed every step, for good.
    fn finish(&mut self, _ended: Ended) -> Result<(), SinkError> {
        let mark = self.open()?;
        if mark.settled == mark.position { Ok(()) } else { self.settle(mark.position) }
    }
}
