//! What the tables of a SQLite database look like, and that every item is in them exactly once.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod tables;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crawl::item::{Item, Seen};
use crawl::sink::sqlite::SqliteOptions;
use crawl::sink::table::column::{ColumnType, Declared};
use crawl::sink::table::{Earlier, LONGEST_KEY, MOST_COLUMNS, MOST_TABLES, TableOptions};
use crawl::sink::{Position, Round, Sink, SinkError};
use crawl::time::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use serde_json::{Map, Value, json};
use tables::item;
use tempfile::TempDir;

/// A database in a folder of its own, and how it is written.
struct Place {
    folder: TempDir,
    tables: TableOptions,
}

impl Place {
    fn new(tables: TableOptions) -> Self {
        Self { folder: TempDir::new().unwrap(), tables }
    }

    fn keyed(key: &[&str]) -> Self {
        Self::new(tables::keyed(key))
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("new/items.sqlite")
    }

    fn sink(&self, round: &str) -> impl Sink + use<> {
        let patience = Duration::from_millis(50);
        let options =
            SqliteOptions { tables: self.tables.clone(), patience, ..SqliteOptions::to(self.path()) };
        let mut sink = options.sink();
        let number = round.parse().unwrap();
        let (started, now) = (Timestamp::from_secs(u64::from(number)), Timestamp::ZERO);
        sink.begin(&Round { number, started, now, committed: None, notes: &[] }).unwrap();
        sink
    }

    /// Writes items in one run of this round and flushes once.
    fn write(&self, round: &str, items: &[Item]) -> Position {
        tables::write(self.sink(round), items)
    }

    fn database(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn rows(&self, table: &str) -> Vec<BTreeMap<String, Value>> {
        rows(&self.path(), table)
    }

    /// All values, as the texts that they stay when a column widens.
    fn texts(&self) -> [Vec<Vec<String>>; 2] {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let row = |row: BTreeMap<String, Value>| row.values().map(text).collect();
        ["items", "b"].map(|table| self.rows(table).into_iter().map(row).collect())
    }

    /// One column of all rows.
    fn column(&self, table: &str, column: &str) -> Vec<Value> {
        self.rows(table).iter().map(|row| row.get(column).cloned().unwrap_or_default()).collect()
    }
}

/// What is not null, in the order of `_id`.
fn rows(path: &Path, table: &str) -> Vec<BTreeMap<String, Value>> {
    let database = Connection::open(path).unwrap();
    let Ok(mut statement) = database.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY _id")) else {
        return Vec::new();
    };
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let read = |row: &rusqlite::Row<'_>| {
        let mut shown = BTreeMap::new();
        for (place, name) in names.iter().enumerate() {
            let value = match row.get(place)? {
                Stored::Integer(number) => number.into(),
                Stored::Real(number) => number.into(),
                Stored::Text(text) => text.into(),
                _ => continue,
            };
            shown.insert(name.clone(), value);
        }
        Ok(shown)
    };
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}

#[test]
fn each_kind_has_its_table_and_each_field_its_column() {
    let place = Place::new(TableOptions::default());
    let book = json!({"title": "T", "price": 5.5, "stock": 3, "new": true, "tags": ["a"], "none": null});
    place.write(
        "1",
        &[item(Some("book"), book), item(None, json!({"x": 1})), item(Some("book"), json!({"title": "U"}))],
    );
    let types: Vec<(String, String)> = {
        let database = place.database();
        let mut statement = database.prepare("SELECT name, type FROM pragma_table_info('book')").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let shown: Vec<_> = types.iter().map(|(name, holds)| format!("{name} {holds}")).collect();
    let wanted =
        ["_id INTEGER", "title TEXT", "price REAL", "stock INTEGER", "new BOOLEAN", "tags JSON TEXT"];
    assert_eq!(shown, wanted);
    assert_eq!(
        Value::from_iter(place.rows("book")[0].clone()),
        json!({"_id": 1, "new": 1, "price": 5.5, "stock": 3, "tags": "[\"a\"]", "title": "T"})
    );
    assert_eq!(place.column("items", "x"), [1]);
    assert_eq!(place.column("book", "title"), ["T", "U"]);
}

#[test]
fn a_column_grows_and_widens_with_what_is_found_also_after_a_restart() {
    let place = Place::new(TableOptions { earlier: Earlier::Kept, ..TableOptions::default() });
    for (round, value) in [json!(1), json!("007"), json!([1]), json!(2.5)].into_iter().enumerate() {
        place.write(&round.to_string(), &[item(None, json!({"a": value, "z": round}))]);
    }
    assert_eq!(place.column("items", "a"), ["1", "007", "[1]", "2.5"]);
    place.write("9", &[item(None, json!({"n": 1})), item(None, json!({"n": 1.5, "b": 3}))]);
    assert_eq!(place.column("items", "n")[4..], [json!(1.0), json!(1.5)]);
    assert_eq!(place.column("items", "b")[5], 3);
}

#[test]
fn what_does_not_fit_its_declared_type_is_refused_and_named() {
    let types = vec![Declared::field("price", ColumnType::Decimal), Declared::field("day", ColumnType::Date)];
    let place = Place::new(TableOptions { types, ..TableOptions::default() });
    let mut sink = place.sink("1");
    sink.rewind(Position(0)).unwrap();
    sink.write(&item(None, json!({"price": 5, "day": "2024-02-29"}))).unwrap();
    let error = sink.write(&item(None, json!({"price": "5 €"}))).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "item of https://example.com/a does not fit `sqlite:{}`: `price` is declared as decimal, not \"5 €\"",
            place.path().display()
        )
    );
    assert!(matches!(sink.write(&item(None, json!({"day": "2023-02-29"}))), Err(SinkError::Item { .. })));
    sink.write(&item(None, json!({"price": null}))).unwrap();
    sink.flush().unwrap();
    assert_eq!(place.column("items", "price"), [json!(5.0), Value::Null]);
}

#[test]
fn an_item_from_the_web_cannot_make_a_thousand_columns_or_tables() {
    let place = Place::new(TableOptions::default());
    let wide: Map<String, Value> = (0..1000).map(|n| (format!("f{n}"), n.into())).collect();
    let mut sink = place.sink("1");
    sink.rewind(Position(0)).unwrap();
    sink.write(&item(None, Value::Object(wide))).unwrap();
    sink.write(&item(None, json!({"f1": 7}))).unwrap();
    for n in 0..MOST_TABLES - 1 {
        sink.write(&item(Some(&format!("kind {n}")), json!({"a": 1}))).unwrap();
    }
    let refused = sink.write(&item(Some("one more"), json!({"a": 1})));
    assert!(matches!(refused, Err(SinkError::Item { .. })));
    sink.flush().unwrap();
    let rows = place.rows("items");
    let more: Map<String, Value> = serde_json::from_str(rows[0]["_more"].as_str().unwrap()).unwrap();
    assert!((MOST_COLUMNS..MOST_COLUMNS + 8).contains(&(rows[0].len() - 2)), "{}", rows[0].len());
    assert_eq!(rows[0].len() - 2 + more.len(), 1000, "nothing is lost");
    assert_eq!(Value::from_iter(rows[1].clone()), json!({"_id": 2, "f1": 7}));
}

#[test]
fn names_from_the_web_are_names_and_nothing_else() {
    let place = Place::new(TableOptions::default());
    let fields = json!({"a\"; DROP TABLE items; --": 1, "Title": 2, "title": 3, "_id": 4, "": 5, "select": 6, "x\0y": 7});
    for _run in 0..2 {
        place.write(
            "1",
            &[item(Some("we\"ird"), fields.clone()), item(Some("sqlite_master"), json!({"a": 1}))],
        );
    }
    let rows = place.rows("we\"\"ird");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].len(), &rows[0]["_id"]), (8, &json!(1)), "{rows:?}");
    assert_eq!(place.rows("items_sqlite_master").len(), 1);
}

#[test]
fn an_item_with_the_key_of_another_takes_its_place_over_all_rounds() {
    let place = Place::keyed(&["upc", "shop"]);
    let book = |upc: &str, price: u32| item(None, json!({"upc": upc, "shop": 1, "price": price}));
    place.write("1", &[book("a", 1), book("b", 2), book("a", 3)]);
    assert_eq!(place.column("items", "price"), [3, 2]);
    place
        .database()
        .execute_batch("ALTER TABLE items ADD COLUMN note TEXT; UPDATE items SET note = 'mine'")
        .unwrap();
    place.write("2", &[book("b", 4), book("c", 5), item(None, json!({"upc": "a", "shop": 1, "new": 6}))]);
    assert_eq!(place.column("items", "price"), [3, 4, 5], "fields that an item does not have are left alone");
    assert_eq!(place.column("items", "_id"), [1, 2, 3]);
    assert_eq!(place.column("items", "new")[0], 6);
    assert_eq!(place.column("items", "note"), [json!("mine"), json!("mine"), Value::Null]);
}

#[test]
fn an_item_without_its_key_or_with_a_huge_one_is_refused() {
    let place = Place::keyed(&["upc"]);
    let mut sink = place.sink("1");
    sink.rewind(Position(0)).unwrap();
    for fields in [json!({"a": 1}), json!({"upc": null}), json!({"upc": "x".repeat(LONGEST_KEY + 1)})] {
        assert!(matches!(sink.write(&item(None, fields)), Err(SinkError::Item { .. })));
    }
    sink.write(&item(None, json!({"upc": 1}))).unwrap();
    let error = sink.write(&item(None, json!({"upc": "007"}))).unwrap_err();
    assert!(error.to_string().contains("declare its type"), "{error}");
}

#[test]
fn a_new_round_begins_with_empty_tables_unless_rows_are_kept() {
    for (earlier, wanted) in [(Earlier::Emptied, vec![json!(2)]), (Earlier::Kept, vec![json!(1), json!(2)])] {
        let place = Place::new(TableOptions { earlier, ..TableOptions::default() });
        place.write("1", &[item(None, json!({"a": 1}))]);
        place.write("2", &[item(None, json!({"a": 2}))]);
        assert_eq!(place.column("items", "a"), wanted);
    }
}

#[test]
fn a_round_that_is_begun_again_takes_back_what_the_state_does_not_know_of() {
    for place in
        [Place::new(TableOptions { earlier: Earlier::Kept, ..TableOptions::default() }), Place::keyed(&["a"])]
    {
        place.write("1", &[item(None, json!({"a": 1, "b": "first"}))]);
        place.write("2", &[item(None, json!({"a": 1, "b": "killed"})), item(None, json!({"a": 2}))]);
        let mut sink = place.sink("2");
        sink.rewind(Position(0)).unwrap();
        assert_eq!(place.column("items", "b"), ["first"]);
        place.write("3", &[]);
        assert_eq!(place.column("items", "b"), ["first"], "the round before is not touched");
    }
}

#[test]
fn what_is_known_of_the_page_is_told_if_asked_for() {
    let place = Place::new(TableOptions { seen: true, ..TableOptions::default() });
    let (first_seen, last_changed) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
    let seen = Some(Seen { first_seen, last_changed, round: 3 });
    place.write(
        "1",
        &[Item { seen, ..item(None, json!({"a": 1, "_url": "own"})) }, item(None, json!({"a": 2}))],
    );
    let rows = place.rows("items");
    assert_eq!(rows[0]["_first_seen"], "1970-01-01T00:00:01.000Z");
    assert_eq!(rows[0]["_last_changed"], "1970-01-01T00:00:02.000Z");
    assert_eq!((&rows[0]["_round"], &rows[0]["_url"]), (&json!(3), &json!("https://example.com/a")));
    assert_eq!(rows[0].len(), 7, "a field of the same name has a column too: {rows:?}");
    assert_eq!(rows[1].len(), 3);
}

#[test]
fn a_database_that_another_program_holds_is_told_after_a_while_and_nothing_is_lost() {
    let place = Place::new(TableOptions::default());
    let mut sink = place.sink("1");
    sink.rewind(Position(0)).unwrap();
    sink.write(&item(None, json!({"a": 1}))).unwrap();
    let other = place.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = sink.flush().unwrap_err();
    assert!(matches!(error, SinkError::Held { .. }), "{error}");
    other.execute_batch("COMMIT").unwrap();
    sink.flush().unwrap();
    assert_eq!(place.column("items", "a"), [1]);
}

#[test]
fn a_database_that_was_replaced_or_is_written_by_another_run_is_not_gone_on_with() {
    let place = Place::new(TableOptions::default());
    let committed = place.write("1", &[item(None, json!({"a": 1}))]);
    let mut sink = place.sink("1");
    sink.rewind(committed).unwrap();
    place.write("2", &[item(None, json!({"a": 2}))]);
    sink.write(&item(None, json!({"a": 3}))).unwrap();
    let error = sink.flush().unwrap_err();
    assert!(error.to_string().contains("another run of the crawl"), "{error}");
    assert!(matches!(place.sink("1").rewind(committed), Err(SinkError::Strayed { .. })));
    std::fs::remove_file(place.path()).unwrap();
    let gone = place.sink("1").rewind(committed);
    assert!(matches!(gone, Err(SinkError::Strayed { found: 0, .. })), "{gone:?}");
}

#[test]
fn tables_of_others_are_neither_written_nor_emptied() {
    let place = Place::new(TableOptions::default());
    place.write("1", &[]);
    place
        .database()
        .execute_batch("CREATE TABLE items (a); CREATE TABLE mine (_id INTEGER PRIMARY KEY)")
        .unwrap();
    let mut sink = place.sink("1");
    sink.rewind(Position(0)).unwrap();
    let error = sink.write(&item(None, json!({"a": 1}))).unwrap_err();
    assert!(error.to_string().contains("was not made by a crawl"), "{error}");
    let error = sink.write(&item(Some("mine"), json!({"a": 1}))).unwrap_err();
    assert!(error.to_string().contains("which a new round would empty"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_told() {
    let place = Place::new(TableOptions::default());
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    std::fs::write(place.path(), "a long text that is no database at all. ".repeat(100)).unwrap();
    let error = place.sink("1").rewind(Position(0)).unwrap_err();
    assert!(error.to_string().contains("is no SQLite database"), "{error}");
}

/// An item of one of two tables, whose columns widen.
fn any_item(rng: &mut fastrand::Rng) -> Item {
    let kind = ["b", "items"][rng.usize(..2)];
    let (k, value) = (rng.u8(..6), if rng.bool() { json!(rng.u8(..)) } else { json!({"deep": rng.u8(..)}) });
    let fields = if rng.bool() { json!({"k": k, "v": value}) } else { json!({"k": k, "w": rng.u8(..)}) };
    item(Some(kind), fields)
}

#[test]
fn killed_at_any_moment_the_tables_are_what_the_state_knows() {
    let keyed = Place::keyed(&["k"]);
    let kept = Place::new(TableOptions { earlier: Earlier::Kept, ..TableOptions::default() });
    let emptied = Place::new(TableOptions::default());
    for (seed, place) in [&keyed, &kept, &emptied].into_iter().enumerate() {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        for round in 0..4 {
            let begin = || place.sink(&round.to_string());
            tables::killed_in_a_round(120, &mut rng, begin, || place.texts(), any_item);
        }
        assert!(place.rows("items").len() > 3);
    }
}
