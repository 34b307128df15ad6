//! `<meta>` elements: names and values, and those of Open Graph (ogp.me) and its kin.

use serde_json::{Map, Value};

use crate::page::Page;
use crate::page::element::fold;

/// What the names of Open Graph and of cards begin with.
const VOCABULARIES: [&str; 9] =
    ["og:", "article:", "book:", "music:", "product:", "profile:", "twitter:", "video:", "fb:"];

/// What a page says of itself with `<meta>`: the value of each `name` and `http-equiv`, both in lower case, and `charset`.
/// A name that comes again has a list.
#[must_use]
pub fn meta(page: &Page) -> Map<String, Value> {
    let mut found = Map::new();
    for element in page.named("meta") {
        let content = element.attr("content");
        for name in [element.attr("name"), element.attr("http-equiv")].into_iter().flatten() {
            add(&mut found, name, content);
        }
        add(&mut found, "charset", element.attr("charset"));
    }
    found
}

/// What a page says of itself in Open Graph and its kin: `og:`, `article:`, `book:`, `music:`, `product:`, `profile:`,
/// `twitter:`, `video:` and `fb:`. Names are in lower case and with their prefix; a name that comes again has a list.
#[must_use]
pub fn open_graph(page: &Page) -> Map<String, Value> {
    let mut found = Map::new();
    for element in page.named("meta") {
        // `property` is the standard; `name` is as frequent.
        for name in [element.attr("property"), element.attr("name")].into_iter().flatten() {
            let of_these = |word: &&str| {
                VOCABULARIES.iter().any(|prefix| {
                    word.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
                })
            };
            if let Some(word) = name.split_ascii_whitespace().find(of_these) {
                add(&mut found, word, element.attr("content"));
                break;
            }
        }
    }
    found
}

/// Adds a value under a name; a second one makes a list of it.
fn add(found: &mut Map<String, Value>, name: &str, content: Option<&str>) {
    let name = name.trim().to_ascii_lowercase();
    let value = fold(content.unwrap_or_default());
    if name.is_empty() || value.is_empty() {
        return;
    }
    match found.get_mut(&name) {
        None => drop(found.insert(name, Value::String(value))),
        Some(Value::Array(list)) => list.push(Value::String(value)),
        Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
    }
}
