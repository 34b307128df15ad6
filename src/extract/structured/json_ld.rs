//! JSON-LD: `<script type="application/ld+json">` (W3C JSON-LD 1.1, section 7).

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::extract::json::script;
use crate::headers::charset::ContentType;
use crate::page::Page;

/// `@graph`s inside of each other that are opened.
const MAX_GRAPHS: usize = 8;

/// The JSON-LD of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Blocks {
    /// The objects, in the order of the document.
    pub values: Vec<Value>,
    /// What is wrong with blocks that could not be read, one text each.
    pub problems: Vec<String>,
}

/// The objects of all JSON-LD blocks of a page, in the order of the document; broken blocks are skipped.
///
/// Lists and `@graph`s are opened, so that each value is one object. An object out of a `@graph` gets the `@context` around
/// it if it has none of its own.
#[must_use]
pub fn json_ld(page: &Page) -> Vec<Value> {
    json_ld_blocks(page).values
}

/// As [`json_ld`], with what is wrong with the blocks that were skipped.
#[must_use]
pub fn json_ld_blocks(page: &Page) -> Blocks {
    let (mut blocks, weight) = (Blocks::default(), Cell::new(0));
    for element in page.named("script") {
        let kind = element.attr("type").and_then(ContentType::parse);
        if kind.is_none_or(|kind| kind.essence != "application/ld+json") {
            continue;
        }
        let text = element.raw_text();
        match script::whole(&text, &weight) {
            Ok(value) => flatten(value, None, 0, &mut blocks.values),
            Err(_) if text.trim().is_empty() => {}
            Err(error) => blocks.problems.push(format!("a JSON-LD block is no JSON: {error}")),
        }
    }
    blocks
}

fn flatten(value: Value, context: Option<&Value>, depth: usize, values: &mut Vec<Value>) {
    match value {
        Value::Array(list) if depth <= MAX_GRAPHS => {
            list.into_iter().for_each(|inner| flatten(inner, context, depth + 1, values));
        }
        Value::Object(mut object) => {
            let graph = object.get("@graph").is_some_and(|graph| graph.is_array() || graph.is_object());
            if graph && depth <= MAX_GRAPHS {
                let graph = object.shift_remove("@graph").unwrap_or_default();
                let around = object.get("@context").or(context);
                flatten(graph, around, depth + 1, values);
            }
            if says_something(&object) {
                values.push(Value::Object(with_context(object, context)));
            }
        }
        _ => {}
    }
}

/// Whether there is more in an object than what its graph belongs to.
fn says_something(object: &Map<String, Value>) -> bool {
    object.keys().any(|name| name != "@context" && name != "@id")
}

fn with_context(mut object: Map<String, Value>, context: Option<&Value>) -> Map<String, Value> {
    // A context is small where it is a URL; one that is written out is not copied to every object.
    if let Some(context) = context.filter(|context| context.is_string() && !object.contains_key("@context")) {
        object.shift_insert(0, "@context".to_owned(), context.clone());
    }
    object
}
