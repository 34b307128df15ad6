//! What is in the files, read back by a reader of columns.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::sink::files::{Exists, Rotate};
use crate::sink::table::column::ColumnType;
use crate::sink::{Ended, Position, Round, Sink};
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

fn item(fields: Value) -> Item {
    let url = CanonicalUrl::parse("https://example.com/a").unwrap();
    let Value::Object(fields) = fields else { panic!("an item's fields are an object") };
    Item { url, kind: None, fields, seen: None }
}

fn sink(
    options: &ParquetOptions,
    number: u32,
    committed: Option<Position>,
    notes: &[(String, u64)],
) -> ParquetSink {
    let mut sink = ParquetSink::open(options).unwrap();
    let started = Timestamp::from_secs(u64::from(number));
    sink.begin(&Round { number, started, now: started, committed, notes }).unwrap();
    sink.rewind(committed.unwrap_or_default()).unwrap();
    sink
}

/// One run of one round, from its beginning to its end.
fn write(options: &ParquetOptions, items: &[Value]) {
    let mut sink = sink(options, 1, None, &[]);
    items.iter().for_each(|fields| sink.write(&item(fields.clone())).unwrap());
    sink.flush().unwrap();
    sink.finish(Ended::Complete).unwrap();
}

fn rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

/// Each row as text, which shows the types too.
fn shown(path: &Path) -> Vec<String> {
    rows(path).iter().map(Row::to_string).collect()
}

fn options(folder: &TempDir) -> ParquetOptions {
    ParquetOptions::to(folder.path().join("new/items.parquet"))
}

#[test]
fn columns_have_the_types_that_their_values_have_in_common() {
    let folder = TempDir::new().unwrap();
    let options = options(&folder);
    write(
        &options,
        &[
            json!({"n": 1, "price": 2, "ok": true, "tags": ["a", null], "none": null, "mixed": 1, "deep": {"x": [1]}, "sizes": []}),
            json!({"n": -5, "price": 2.5, "tags": [], "mixed": "x", "deep": null, "sizes": [1, 2.5], "late": "é"}),
        ],
    );
    let rows = rows(&options.path);
    let fields = |row: usize| {
        rows[row].get_column_iter().map(|(name, field)| (name.as_str(), field.clone())).collect::<Vec<_>>()
    };
    let text = |text: &str| Field::Str(text.to_owned());
    let first = fields(0);
    assert_eq!(
        first[0..3],
        [("n", Field::Long(1)), ("price", Field::Double(2.0)), ("ok", Field::Bool(true))]
    );
    assert_eq!(first[3].1.to_string(), "[\"a\", null]");
    assert_eq!(first[4..6], [("mixed", text("1")), ("deep", text("{\"x\":[1]}"))]);
    assert_eq!((first[6].0, first[6].1.to_string()), ("sizes", "[]".to_owned()));
    assert_eq!(first[7], ("late", Field::Null));
    let second = fields(1);
    assert_eq!((second[2].1.clone(), second[3].1.to_string()), (Field::Null, "[]".to_owned()));
    assert_eq!((second[6].1.to_string(), second[7].1.clone()), ("[1.0, 2.5]".to_owned(), text("é")));
}

#[test]
fn declared_types_hold_and_an_item_that_does_not_fit_is_refused() {
    let folder = TempDir::new().unwrap();
    let types = vec![
        Declared::field("day", ColumnType::Date),
        Declared::field("at", ColumnType::DateTime),
        Declared::field("price", ColumnType::Decimal),
        Declared::field("days", ColumnType::Date),
        Declared::field("never", ColumnType::Integer),
    ];
    let options = ParquetOptions { types, ..options(&folder) };
    let mut sink = sink(&options, 1, None, &[]);
    let good =
        json!({"day": "1969-12-31", "at": "1970-01-01T00:00:01.5+00:00", "price": 5, "days": ["1970-01-02"]});
    sink.write(&item(good)).unwrap();
    assert!(matches!(sink.write(&item(json!({"day": "soon"}))), Err(SinkError::Item { .. })));
    sink.write(&item(json!({"day": null}))).unwrap();
    sink.flush().unwrap();
    sink.finish(Ended::Complete).unwrap();
    let rows = rows(&options.path);
    let fields: Vec<_> = rows[0].get_column_iter().map(|(_, field)| field.clone()).collect();
    assert_eq!(fields[..3], [Field::Date(-1), Field::TimestampMillis(1500), Field::Double(5.0)]);
    assert_eq!((fields[3].to_string(), fields[4].clone()), ("[1970-01-02]".to_owned(), Field::Null));
    assert_eq!(rows.len(), 2);
}

#[test]
fn rows_come_in_groups_and_files_in_parts() {
    let folder = TempDir::new().unwrap();
    let mut options = ParquetOptions { row_group: 10, ..options(&folder) };
    let items: Vec<_> = (0..45).map(|n| json!({ "n": n })).collect();
    write(&options, &items);
    let reader = SerializedFileReader::new(File::open(&options.path).unwrap()).unwrap();
    let groups: Vec<_> = reader
        .metadata()
        .row_groups()
        .iter()
        .map(parquet::file::metadata::RowGroupMetaData::num_rows)
        .collect();
    assert_eq!(groups, [10, 10, 10, 10, 5]);
    options.files.rotate = Rotate { items: Some(20), ..Rotate::default() };
    write(&options, &items);
    let counts: Vec<_> = ["0001", "0002", "0003"]
        .iter()
        .map(|part| shown(&folder.path().join(format!("new/items-{part}.parquet"))).len())
        .collect();
    assert_eq!(counts, [20, 20, 5]);
}

#[test]
fn a_wide_item_has_its_rest_in_one_column_and_an_empty_file_can_be_read() {
    let folder = TempDir::new().unwrap();
    let options = options(&folder);
    let wide: serde_json::Map<String, Value> = (0..300).map(|n| (format!("f{n}"), n.into())).collect();
    write(&options, &[Value::Object(wide)]);
    let row = rows(&options.path).remove(0);
    let (name, more) = row.get_column_iter().last().unwrap();
    assert_eq!((name.as_str(), row.len()), ("_more", 201));
    assert!(more.to_string().contains("f299"));
    write(&options, &[]);
    assert_eq!(shown(&options.path), Vec::<String>::new());
}

#[test]
fn killed_at_any_moment_the_files_have_every_committed_item_once() {
    for seed in 0..20 {
        let folder = TempDir::new().unwrap();
        let mut options = options(&folder);
        options.files.exists = Exists::Overwrite;
        options.files.rotate = Rotate { items: Some(7), ..Rotate::default() };
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut state = State::default();
        for _run in 0..8 {
            let mut sink = sink(&options, 1, state.position, &state.notes());
            run(&mut sink, &mut state, &mut rng);
        }
        let mut sink = sink(&options, 1, state.position, &state.notes());
        sink.finish(Ended::Complete).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder.path().join("new"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let found: Vec<String> = files.iter().flat_map(|file| shown(file)).collect();
        let wanted: Vec<String> = (0..state.committed).map(|n| format!("{{n: {n}}}")).collect();
        assert_eq!(found, wanted, "seed {seed}");
    }
}

/// The file is made before the state knows that the round is complete.
#[test]
fn killed_right_after_the_file_was_made_the_round_ends_with_it_and_goes_on_only_in_parts() {
    for rotate in [Rotate::default(), Rotate { items: Some(100), ..Rotate::default() }] {
        let folder = TempDir::new().unwrap();
        let mut options = options(&folder);
        options.files.rotate = rotate;
        let mut first = sink(&options, 1, None, &[]);
        first.write(&item(json!({"n": 1}))).unwrap();
        let (committed, notes) = (first.flush().unwrap(), first.notes());
        first.finish(Ended::Complete).unwrap();
        drop(first);
        let mut second = sink(&options, 1, Some(committed), &notes);
        assert_eq!(second.flush().unwrap(), committed);
        second.finish(Ended::Complete).unwrap();
        let name = if rotate.is_on() { "new/items-0001.parquet" } else { "new/items.parquet" };
        assert_eq!(shown(&folder.path().join(name)), ["{n: 1}"]);
        let mut third = sink(&options, 1, Some(committed), &notes);
        let written = third.write(&item(json!({"n": 2})));
        if rotate.is_on() {
            written.unwrap();
            third.flush().unwrap();
            third.finish(Ended::Complete).unwrap();
            assert_eq!(shown(&folder.path().join("new/items-0002.parquet")), ["{n: 2}"]);
        } else {
            assert!(written.unwrap_err().to_string().contains("it is complete"));
        }
    }
}

/// What a crawl's state would know.
#[derive(Default)]
struct State {
    position: Option<Position>,
    notes: std::collections::BTreeMap<String, u64>,
    committed: u32,
}

impl State {
    fn notes(&self) -> Vec<(String, u64)> {
        self.notes.clone().into_iter().collect()
    }
}

/// A run that is killed after some steps, with items that were written and maybe flushed, and not committed.
fn run(sink: &mut ParquetSink, state: &mut State, rng: &mut fastrand::Rng) {
    for _ in 0..rng.u8(..6) {
        let mut next = state.committed;
        for _ in 0..rng.u8(..8) {
            sink.write(&item(json!({ "n": next }))).unwrap();
            next += 1;
        }
        let position = sink.flush().unwrap();
        if rng.u8(..4) == 0 {
            return;
        }
        state.notes.extend(sink.notes());
        (state.position, state.committed) = (Some(position), next);
        sink.sync().unwrap();
    }
    if rng.bool() {
        sink.finish(Ended::Unfinished).unwrap();
    }
}
