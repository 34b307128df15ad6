//! The promise of every sink that can be cut back, and what its files look like.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

mod kills;

use super::csv::{CsvOptions, CsvSink, Dialect, Quote, harmless};
use super::files::{Exists, FileOptions};
use super::json::{JsonOptions, JsonSink};
use super::jsonl::{JsonlOptions, JsonlSink};
use super::memory::Collect;
use super::{Choice, Chosen, Condition, Ended, Form, NO_KIND, Position, Sink, SinkError, Target};
use crate::item::{Item, Seen};
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

fn item(fields: Value) -> Item {
    let url = CanonicalUrl::parse("https://example.com/a").unwrap();
    let Value::Object(fields) = fields else { panic!("an item's fields are an object") };
    Item { url, kind: None, fields, seen: None }
}

fn jsonl(path: &Path) -> JsonlSink {
    JsonlSink::open(&JsonlOptions::to(path)).unwrap()
}

fn csv(path: &Path, columns: &[&str]) -> CsvSink {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    CsvSink::open(&CsvOptions::to(path, columns)).unwrap()
}

/// The text of a CSV file after these items.
fn csv_of(columns: &[&str], items: &[Item]) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.csv");
    let mut sink = csv(&path, columns);
    sink.rewind(Position(0)).unwrap();
    items.iter().for_each(|item| sink.write(item).unwrap());
    sink.flush().unwrap();
    fs::read_to_string(path).unwrap()
}

/// Writes `n` items over several runs, each of which dies with items that were handed over or gathered but not committed.
fn runs_that_die<S: Sink>(path: &Path, open: impl Fn() -> S) -> String {
    let mut committed = Position(0);
    for run in 0..4 {
        let mut sink = open();
        sink.rewind(committed).unwrap();
        sink.write(&item(json!({"n": run, "text": "zwei\nZeilen"}))).unwrap();
        committed = sink.flush().unwrap();
        sink.write(&item(json!({"n": "handed over, not committed"}))).unwrap();
        sink.flush().unwrap();
        sink.write(&item(json!({"n": "gathered"}))).unwrap();
        drop(sink);
        let torn = fs::read_to_string(path).unwrap() + "{\"n\": \"to";
        fs::write(path, torn).unwrap();
    }
    open().rewind(committed).unwrap();
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_json_line_is_there_exactly_once_after_crashes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/folders/items.jsonl");
    let text = runs_that_die(&path, || jsonl(&path));
    let numbers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].clone()).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    assert!(text.ends_with('\n'));
}

#[test]
fn every_csv_record_is_there_exactly_once_after_crashes_and_the_header_too() {
    let expected = "n,text\n0,\"zwei\nZeilen\"\n1,\"zwei\nZeilen\"\n2,\"zwei\nZeilen\"\n3,\"zwei\nZeilen\"\n";
    for columns in [&["n", "text"][..], &[]] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("items.csv");
        assert_eq!(runs_that_die(&path, || csv(&path, columns)), expected);
    }
}

#[test]
fn a_file_that_was_shortened_is_not_gone_on_with() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.jsonl");
    let gone = jsonl(&path).rewind(Position(7));
    assert!(matches!(gone, Err(SinkError::Shortened { expected: 7, found: 0, .. })));
    let mut sink = jsonl(&path);
    sink.rewind(Position(0)).unwrap();
    sink.write(&item(json!({"a": 1}))).unwrap();
    let committed = sink.flush().unwrap();
    fs::write(&path, "{}").unwrap();
    assert!(matches!(jsonl(&path).rewind(committed), Err(SinkError::Shortened { .. })));
    sink.write(&item(json!({"a": 2}))).unwrap();
    assert!(matches!(sink.flush(), Err(SinkError::Shortened { .. })), "also while it is written");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}", "nothing is repaired silently");
}

#[test]
fn a_rewind_drops_what_was_only_gathered() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.jsonl");
    let mut sink = jsonl(&path);
    sink.write(&item(json!({"a": 1}))).unwrap();
    sink.rewind(Position(0)).unwrap();
    assert_eq!(sink.flush().unwrap(), Position(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn a_new_round_begins_an_empty_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.csv");
    for _round in 0..2 {
        let mut sink = csv(&path, &[]);
        sink.rewind(Position(0)).unwrap();
        sink.write(&item(json!({"a": 1}))).unwrap();
        sink.flush().unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\n1\n");
}

#[test]
fn a_reader_never_sees_half_a_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.jsonl");
    let mut sink = jsonl(&path);
    let big = item(json!({"text": "ä".repeat(5_000)}));
    let mut seen = 0;
    for _ in 0..30 {
        sink.write(&big).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.is_empty() || text.ends_with("\n"));
        seen = text.lines().count();
    }
    assert!(seen > 0, "a full buffer is handed over without a flush");
}

#[test]
fn without_a_rewind_items_follow_what_is_there() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.csv");
    for n in 0..2 {
        let mut sink = csv(&path, &[]);
        sink.write(&item(json!({"n": n}))).unwrap();
        sink.flush().unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "n\n0\n1\n");
}

#[cfg(unix)]
#[test]
fn a_device_is_written_without_being_cut() {
    let mut sink = jsonl(Path::new("/dev/null"));
    sink.rewind(Position(41)).unwrap();
    sink.write(&item(json!({}))).unwrap();
    assert_eq!(sink.flush().unwrap(), Position(42), "its position counts lines");
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_its_path() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/items.jsonl");
    let error = JsonlSink::open(&JsonlOptions::to(path)).err().unwrap();
    assert!(error.to_string().contains("file/items.jsonl"), "{error}");
}

#[test]
fn a_json_line_keeps_order_unicode_and_line_breaks() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.jsonl");
    let mut sink = jsonl(&path);
    let mut book = item(json!({"z": "Žluťoučký 🐴\r\n\u{2028}", "a": [1, null]}));
    book.kind = Some("book".into());
    sink.write(&book).unwrap();
    let mut own = item(json!({"kind": "paperback"}));
    own.kind = Some("book".into());
    sink.write(&own).unwrap();
    sink.flush().unwrap();
    let expected =
        "{\"kind\":\"book\",\"z\":\"Žluťoučký 🐴\\r\\n\u{2028}\",\"a\":[1,null]}\n{\"kind\":\"paperback\"}\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

/// An item whose page is known.
fn seen(fields: Value) -> Item {
    let (first_seen, last_changed) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
    Item { seen: Some(Seen { first_seen, last_changed, round: 3 }), ..item(fields) }
}

#[test]
fn what_is_known_of_a_page_is_told_only_if_asked_for_and_behind_the_fields() {
    let folder = TempDir::new().unwrap();
    let mut texts = Vec::new();
    for seen_too in [false, true] {
        let path = folder.path().join(format!("{seen_too}.jsonl"));
        let mut sink = JsonlSink::open(&JsonlOptions { seen: seen_too, ..JsonlOptions::to(&path) }).unwrap();
        for item in [seen(json!({"a": 1})), seen(json!({"round": "final"})), item(json!({"a": 2}))] {
            sink.write(&item).unwrap();
        }
        sink.flush().unwrap();
        texts.push(fs::read_to_string(path).unwrap());
    }
    assert_eq!(texts[0], "{\"a\":1}\n{\"round\":\"final\"}\n{\"a\":2}\n");
    let dates = "\"first_seen\":\"1970-01-01T00:00:01.000Z\",\"last_changed\":\"1970-01-01T00:00:02.000Z\"";
    let expected = format!("{{\"a\":1,{dates},\"round\":3}}\n{{\"round\":\"final\",{dates}}}\n{{\"a\":2}}\n");
    assert_eq!(texts[1], expected);
}

#[test]
fn columns_of_what_is_known_are_filled_only_if_asked_for() {
    let items = [seen(json!({"a": 1})), seen(json!({"a": 2, "round": null})), item(json!({"a": 3}))];
    let folder = TempDir::new().unwrap();
    for (seen, expected) in [(false, "a,round\n1,\n2,\n3,\n"), (true, "a,round\n1,3\n2,\n3,\n")] {
        let path = folder.path().join(format!("{seen}.csv"));
        let columns = vec!["a".to_owned(), "round".to_owned()];
        let mut sink = CsvSink::open(&CsvOptions { seen, ..CsvOptions::to(&path, columns) }).unwrap();
        items.iter().for_each(|item| sink.write(item).unwrap());
        sink.flush().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
    }
}

#[test]
fn a_record_has_exactly_the_columns() {
    let items = [
        item(json!({"b": true, "a": 1.5, "more": 1})),
        item(json!({"a": null})),
        item(json!({"a": {"x": [1, "y"]}, "b": [],})),
    ];
    let expected = "a,b\n1.5,true\n,\n\"{\"\"x\"\":[1,\"\"y\"\"]}\",[]\n";
    assert_eq!(csv_of(&["a", "b"], &items), expected);
}

#[test]
fn without_columns_the_first_item_with_fields_gives_them() {
    let mut book = item(json!({"title": "T", "price": 2}));
    book.kind = Some("book".into());
    let items = [item(json!({})), book, item(json!({"price": 3, "new": 1}))];
    assert_eq!(csv_of(&[], &items), "kind,title,price\nbook,T,2\n,,3\n");
}

#[test]
fn a_crawl_without_items_still_tells_its_columns() {
    assert_eq!(csv_of(&["a", "b"], &[]), "a,b\n");
    assert_eq!(csv_of(&[], &[]), "");
}

#[test]
fn a_cell_is_never_a_formula() {
    for (text, cell) in [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49 30 1", "'+49 30 1"),
        ("-", "'-"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("\n=1", "\"'\n=1\""),
        ("＝1+1", "'＝1+1"),
        ("＋49 30", "'＋49 30"),
        ("－2", "'－2"),
        ("＠SUM", "'＠SUM"),
        ("-inf", "'-inf"),
        ("-5", "-5"),
        ("+1.5e-3", "+1.5e-3"),
        ("a=b", "a=b"),
    ] {
        let text = csv_of(&["a"], &[item(json!({ "a": text }))]);
        assert_eq!(text, format!("a\n{cell}\n"));
    }
    assert_eq!(csv_of(&["a"], &[item(json!({"a": "\r=1"}))]), "a\n'\\u000d=1\n");
    assert_eq!(csv_of(&["a"], &[item(json!({"a": -5}))]), "a\n-5\n");
}

#[test]
fn a_column_whose_name_is_guarded_is_found_again_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.csv");
    for _run in 0..2 {
        let mut sink = csv(&path, &[]);
        sink.write(&item(json!({"=x": 1, "y": 2}))).unwrap();
        sink.flush().unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "'=x,y\n1,2\n1,2\n");
}

#[test]
fn other_columns_than_those_of_the_file_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("items.csv");
    let mut sink = csv(&path, &["a"]);
    sink.rewind(Position(0)).unwrap();
    let committed = sink.flush().unwrap();
    let error = csv(&path, &["a", "b"]).rewind(committed).unwrap_err();
    assert!(matches!(error, SinkError::Columns { .. }), "{error}");
    csv(&path, &["a", "b"]).rewind(Position(0)).expect("a new round may have new columns");
}

proptest! {
    #[test]
    fn what_is_written_as_csv_is_read_back(rows in prop::collection::vec(prop::array::uniform3("[a-z]?(\\PC|[\",\r\n\t\0'= ]){0,12}"), 1..6)) {
        let items: Vec<_> = rows.iter().map(|[a, b, c]| item(json!({"a": a, "b,\"\n": b, "": c}))).collect();
        let text = csv_of(&[], &items);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        prop_assert_eq!(reader.headers().unwrap(), vec!["a", "b,\"\n", ""]);
        let read: Vec<_> = reader.records().map(Result::unwrap).collect();
        prop_assert_eq!(read.len(), rows.len());
        for (record, row) in read.iter().zip(&rows) {
            for (cell, text) in record.iter().zip(row) {
                let text = &*harmless(text.into());
                prop_assert!(cell == text || cell.strip_prefix('\'') == Some(text), "{cell:?} {text:?}");
            }
        }
    }

    #[test]
    fn what_is_written_as_json_is_read_back(texts in prop::collection::vec("\\PC{0,20}|[\0-\u{1f}]{0,5}", 0..6)) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("items.jsonl");
        let mut sink = jsonl(&path);
        texts.iter().for_each(|text| sink.write(&item(json!({ text: text }))).unwrap());
        let end = sink.flush().unwrap();
        let written = fs::read_to_string(&path).unwrap();
        prop_assert_eq!(end, Position(written.len() as u64));
        let read: Vec<Value> = written.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(read, texts.iter().map(|text| json!({ text: text })).collect::<Vec<_>>());
    }
}

/// What a sink of these options leaves after these items, read while the run goes on and after its end.
fn text_of(mut sink: impl Sink, path: &Path, items: &[Item]) -> [String; 2] {
    sink.rewind(Position(0)).unwrap();
    items.iter().for_each(|item| sink.write(item).unwrap());
    sink.flush().unwrap();
    let meanwhile = fs::read_to_string(path).unwrap();
    sink.finish(Ended::Complete).unwrap();
    [meanwhile, fs::read_to_string(path).unwrap()]
}

#[test]
fn a_json_list_is_whole_after_every_commit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.json");
    let open = || JsonSink::open(&JsonOptions::to(&path)).unwrap();
    for (items, expected) in [
        (vec![], "[\n]\n"),
        (vec![item(json!({"a": 1}))], "[\n{\"a\":1}\n]\n"),
        (vec![item(json!({"a": 1})), item(json!({"b": [2]}))], "[\n{\"a\":1},\n{\"b\":[2]}\n]\n"),
    ] {
        assert_eq!(text_of(open(), &path, &items), [expected, expected]);
    }
    let mut sink = open();
    sink.write(&item(json!({"c": 3}))).unwrap();
    sink.flush().unwrap();
    let more = "[\n{\"a\":1},\n{\"b\":[2]},\n{\"c\":3}\n]\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), more, "without a rewind items follow what is there");
}

#[test]
fn a_json_list_of_somebody_else_is_gone_on_with_and_anything_else_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.json");
    let append = JsonOptions {
        files: FileOptions { exists: Exists::Append, ..FileOptions::default() },
        ..JsonOptions::to(&path)
    };
    for (before, after) in [
        ("[ {\"x\": 1} ]\n\n  \n", "[ {\"x\": 1},\n{\"a\":1}\n]\n"),
        ("[]", "[\n{\"a\":1}\n]\n"),
        ("", "[\n{\"a\":1}\n]\n"),
    ] {
        fs::write(&path, before).unwrap();
        assert_eq!(text_of(JsonSink::open(&append).unwrap(), &path, &[item(json!({"a": 1}))])[1], after);
    }
    for before in ["{\"x\": [1]}", "[1, 2", "text]"] {
        fs::write(&path, before).unwrap();
        let error = JsonSink::open(&append).unwrap().rewind(Position(0)).unwrap_err();
        assert!(error.to_string().contains("no JSON list"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
}

#[test]
fn lines_are_appended_behind_a_last_line_without_an_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "{\"x\":1}").unwrap();
    let files = FileOptions { exists: Exists::Append, ..FileOptions::default() };
    let sink = JsonlSink::open(&JsonlOptions { files, ..JsonlOptions::to(&path) }).unwrap();
    assert_eq!(text_of(sink, &path, &[item(json!({"a": 1}))])[1], "{\"x\":1}\n{\"a\":1}\n");
}

#[test]
fn csv_has_the_dialect_that_is_asked_for_and_is_found_again_with_it() {
    let folder = TempDir::new().unwrap();
    let items = [item(json!({"a": "x;y", "b": 1}))];
    let own = |separator, quote, header, bom| Dialect { separator, quote, header, bom };
    for (name, dialect, expected) in [
        ("semicolon", own(b';', Quote::Needed, true, true), "\u{feff}a;b\n\"x;y\";1\n"),
        ("quoted", own(b'\t', Quote::All, true, false), "\"a\"\t\"b\"\n\"x;y\"\t\"1\"\n"),
        ("bare", own(b',', Quote::Needed, false, false), "x;y,1\n"),
    ] {
        let path = folder.path().join(name);
        let options = CsvOptions { dialect, ..CsvOptions::to(&path, vec!["a".to_owned(), "b".to_owned()]) };
        let texts = text_of(CsvSink::open(&options).unwrap(), &path, &items);
        assert_eq!(texts, [expected, expected]);
        let mut again = CsvSink::open(&options).unwrap();
        again.write(&items[0]).unwrap();
        again.flush().unwrap();
        let rows = fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(rows, expected.lines().count() + 1, "{name}: the header is not written twice");
    }
}

#[test]
fn a_choice_takes_kinds_fields_and_what_matches() {
    let collect = Collect::default();
    let choice = Choice {
        kinds: vec!["book".to_owned(), NO_KIND.to_owned()],
        conditions: vec![Condition { field: "n".to_owned(), pattern: regex::Regex::new("^[12]$").unwrap() }],
        fields: vec!["url".to_owned(), "n".to_owned(), "kind".to_owned(), "none".to_owned()],
        rename: vec![("n".to_owned(), "number".to_owned())],
        ..Choice::default()
    };
    let mut sink = Chosen::new(collect.clone(), choice);
    for (kind, n) in [(Some("book"), 1), (Some("author"), 1), (None, 2), (None, 3)] {
        sink.write(&Item { kind: kind.map(str::to_owned), ..item(json!({"x": 0, "n": n})) }).unwrap();
    }
    let items: Vec<_> =
        collect.items().iter().map(|item| Value::Object(item.fields.clone()).to_string()).collect();
    assert_eq!(
        items,
        [
            "{\"url\":\"https://example.com/a\",\"number\":1,\"kind\":\"book\"}",
            "{\"url\":\"https://example.com/a\",\"number\":2}",
        ]
    );
}

#[test]
fn kinds_beyond_all_measure_are_refused_and_open_few_files() {
    let folder = TempDir::new().unwrap();
    let target = Target::of(Form::Jsonl(JsonlOptions::to(folder.path().join("{kind}.jsonl"))));
    let mut sink = target.open().unwrap();
    sink.rewind(Position(0)).unwrap();
    let of = |kind: usize| Item { kind: Some(format!("k{kind}")), ..item(json!({"n": kind})) };
    for round in 0..2 {
        (0..1_000).for_each(|kind| sink.write(&of(kind)).unwrap());
        assert!(matches!(sink.write(&of(1_000 + round)), Err(SinkError::Item { .. })));
    }
    let open = fs::read_dir("/proc/self/fd").map_or(0, |fds| {
        let ours =
            |fd: &fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|file| file.starts_with(folder.path()));
        fds.flatten().filter(ours).count()
    });
    assert!(open <= 64, "{open} files are open");
    sink.flush().unwrap();
    assert_eq!(
        fs::read_to_string(folder.path().join("k7.jsonl")).unwrap(),
        "{\"kind\":\"k7\",\"n\":7}\n".repeat(2)
    );
}
