//! `[[stage]]`, `[expect]` and `[failed]`: what they become, and what is said of those that make no sense.

use insta::assert_snapshot;

use super::loader;
use crate::config::Plan;
use crate::sink::Form;

const BOOKS: &str = r#"seeds = ["demo:"]
[[extract]]
kind = "book"
fields = { title = "h1", price = ".price", upc = ".upc" }
[[extract]]
kind = "author"
fields = { name = "h1" }
"#;

fn plan(text: &str) -> Plan {
    loader(&format!("{BOOKS}{text}")).load().unwrap()
}

/// Everything that is said, without the source lines.
fn problems(text: &str) -> String {
    let error = loader(&format!("{BOOKS}{text}")).load().unwrap_err();
    let told = error.problems.iter().map(|problem| {
        let hint = problem.suggestion.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{} {}: {}{hint}\n", problem.line - 7, problem.column, problem.key, problem.message)
    });
    told.collect()
}

#[test]
fn stages_stand_in_the_order_of_the_file_and_columns_follow_them() {
    let plan = plan(
        r#"
[[stage]]
kinds = ["book"]
rename = { title = "name" }
set = { source = "demo", "price-eur" = "{price} EUR" }
remove = ["price"]
[[stage]]
kinds = ["book"]
key = ["price-eur", "name"]
[sink.csv]
path = "out.csv"
[failed]
path = "failed.jsonl"
[expect]
min-items = 1
coverage = { name = 0.5, "book.upc" = 1, url = 1, "author.name" = 0 }
"#,
    );
    assert_eq!(plan.stages.len(), 2);
    assert_eq!(plan.stages[1].key, ["price-eur", "name"]);
    assert_eq!(plan.failed.as_deref().unwrap().to_str(), Some("failed.jsonl"));
    assert_eq!((plan.expect.min_items, plan.expect.coverage.len()), (Some(1), 4));
    let Form::Csv(csv) = &plan.sinks[0].form else { panic!("no table") };
    assert_eq!(csv.columns, ["name", "upc", "source", "price-eur"]);
}

#[test]
fn a_spider_in_code_may_yield_any_field() {
    let text = "spider = \"mine\"\nseeds = [\"demo:\"]\n[[stage]]\nkinds = [\"x\"]\nkey = [\"y\"]\n[expect]\ncoverage = { z = 1 }\n";
    assert!(loader(text).load().is_ok());
    let without = text.replace("spider = \"mine\"\n", "");
    assert!(loader(&without).load().is_ok(), "without [[extract]] fields are those of the default");
}

#[test]
fn names_that_no_item_has_are_told_where_they_stand() {
    let text = r#"[[stage]]
kinds = ["bok"]
key = ["title"]
[[stage]]
kinds = ["book"]
drop-if = { titel = "x" }
validate = { name = { required = true } }
set = { label = "{prize}" }
remove = ["title"]
[[stage]]
key = ["title", "label"]
rename = { title = "name" }
[expect]
coverage = { "book.title" = 1, "book.label" = 1, "author.label" = 1 }
"#;
    assert_snapshot!(problems(text), @r##"
    2:10 stage[0].kinds[0]: no [[extract]] has the kind "bok" (did you mean "book"?)
    6:21 stage[1].drop-if.titel: no item has a field "titel" here (did you mean "title"?)
    7:21 stage[1].validate.name: no item has a field "name" here
    8:17 stage[1].set.label: no item has a field "prize" here (did you mean "price"?)
    11:8 stage[2].key[0]: no item has a field "title" here
    12:20 stage[2].rename.title: no item has a field "title" here
    14:29 expect.coverage."book.title": no item has a field "book.title" at the end
    14:67 expect.coverage."author.label": no item has a field "author.label" at the end (did you mean "author.name"?)
    "##);
}

#[test]
fn values_that_make_no_sense_are_told_with_what_to_write() {
    let text = r#"[[stage]]
[[stage]]
on-error = "drop"
kinds = []
drop-if = { title = "(" }
[[stage]]
on-error = "ignore"
validate.title = { type = "text", min = 1 }
validate.price = { type = "decimal", min = 2, max = 1, min-length = 3 }
validate.upc = { on-error = "keep" }
[[stage]]
validate.upc = { type = "hex", one-of = [] }
rename = { title = "name", price = "name", upc = "" }
set = { a = "{price", b = "}", c = "{}" }
[failed]
path = "-"
[expect]
min-items = 3
max-items = 2
max-error-rate = 5
coverage = { title = 95 }
"#;
    assert_snapshot!(problems(text), @r##"
    1:1 stage[0]: a stage does something: write drop-if, keep-if, validate, rename, set, remove or key
    3:12 stage[1].on-error: this is for `validate`, and there is none: add it, or remove this
    4:9 stage[1].kinds: an empty list says nothing: name something, or remove it
    5:21 stage[1].drop-if.title: not a regular expression: unclosed group
    7:12 stage[2].on-error: expected "drop" or "null" or "keep", found "ignore"
    8:41 stage[2].validate.title.min: only numbers have a range: see `min-length`
    9:44 stage[2].validate.price.min: nothing is that large and that small: `min` is above `max`
    9:69 stage[2].validate.price.min-length: only texts and lists have a length: see `min`
    10:16 stage[2].validate.upc: say what the field must be, as in { type = "decimal", min = 0 } or { required = true }
    12:25 stage[3].validate.upc.type: expected "text" or "integer" or "decimal" or "boolean" or "url" or "date" or "list" or "table", found "hex" (did you mean "text"?)
    12:41 stage[3].validate.upc.one-of: an empty list allows nothing: name the values
    13:36 stage[3].rename.price: another field becomes "name" too: give each its own name
    13:50 stage[3].rename.upc: expected the new name of the field
    14:13 stage[3].set.a: `{` is never closed: write {field}, or {{ for a brace
    14:27 stage[3].set.b: `}` closes nothing: write }} for a brace
    14:36 stage[3].set.c: expected the name of a field between the braces
    16:8 failed.path: write the file that the list goes to; `crawl failed` prints it
    18:13 expect.min-items: no number of items is right: `min-items` is above `max-items`
    20:18 expect.max-error-rate: expected a share from 0 to 1: 0.95 is 95 %
    21:22 expect.coverage.title: expected a share from 0 to 1: 0.95 is 95 %
    21:22 expect.coverage.title: no item has a field "title" at the end
    "##);
}

#[test]
fn the_failed_list_has_a_file_of_its_own() {
    let text = "[sink.jsonl]\npath = \"a.jsonl\"\n[failed]\npath = \"a.jsonl\"\n";
    assert!(problems(text).contains("items go to this file: give the list its own"));
}
