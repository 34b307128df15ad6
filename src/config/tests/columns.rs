//! What columns hold, as the fields of items say.

use super::loader;
use crate::sink::Form;
use crate::sink::table::column::{ColumnType, Declared};

fn types(file: &str) -> Vec<Declared> {
    let plan = loader(&format!("seeds = [\"demo:\"]\n{file}")).load().unwrap();
    match &plan.sinks[0].form {
        Form::Sqlite(options) => options.tables.types.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_column_holds_what_its_field_is_read_as_unless_the_output_says_otherwise() {
    let file = "[[extract]]\nkind = \"book\"\n[extract.fields]\n\
        price = { css = \"b\", type = \"decimal\" }\n\
        stock = { css = \"i\", type = \"integer\" }\n\
        day = { css = \"time\", type = \"date\", default = \"unknown\" }\n\
        tags = { css = \"a\", type = \"text\", list = true }\n\
        parts = { css = \"p\", type = \"text\", clean = [{ split = \",\" }] }\n\
        note = \"u\"\n\
        [sink.sqlite]\npath = \"a.sqlite\"\nrename = { price = \"cost\" }\ntypes = { stock = \"text\" }\n";
    let price = Declared {
        kind: Some(Some("book".to_owned())),
        field: "cost".to_owned(),
        holds: ColumnType::Decimal,
    };
    assert_eq!(types(file), [Declared::field("stock", ColumnType::Text), price]);
}

#[test]
fn a_field_that_two_rules_read_in_two_ways_is_left_to_its_values() {
    let rule =
        |kind: &str| format!("[[extract]]\nfields = {{ price = {{ css = \"b\", type = \"{kind}\" }} }}\n");
    let file = format!("{}{}[sink.sqlite]\npath = \"a.sqlite\"\n", rule("decimal"), rule("text"));
    assert_eq!(types(&file), []);
}
