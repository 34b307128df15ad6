//! A record that a spider yields, and the harvest of one page.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::request::Request;
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// One record on its way to the sinks: named fields in the order they were set.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The page it was found on.
    pub url: CanonicalUrl,
    /// What kind of record it is, where a crawl yields several (`book`, `author`).
    pub kind: Option<String>,
    /// Field name to value.
    pub fields: Map<String, Value>,
    /// What is known of its page from all rounds; filled in on the way to the sinks.
    pub seen: Option<Seen>,
}

/// Since when a page and its items are what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When the page was first answered.
    pub first_seen: Timestamp,
    /// When the page's items were last found to be others than before; `first_seen` if they never were.
    pub last_changed: Timestamp,
    /// The round in which they were: an item that has not changed is the same in every round.
    pub round: u32,
}

/// Items and links of one page, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Harvest {
    items: Vec<(Option<String>, Map<String, Value>)>,
    follow: Vec<Request>,
    problems: Vec<String>,
}

impl Harvest {
    /// An empty harvest.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Yields a record. A value that is not a JSON object becomes the field `value`.
    ///
    /// # Errors
    /// If `record` cannot be written as JSON.
    pub fn item<T: Serialize>(&mut self, record: &T) -> Result<(), serde_json::Error> {
        self.push(None, serde_json::to_value(record)?);
        Ok(())
    }

    /// Yields a record of a named kind, for crawls with several kinds.
    ///
    /// # Errors
    /// If `record` cannot be written as JSON.
    pub fn item_of<T: Serialize>(&mut self, kind: &str, record: &T) -> Result<(), serde_json::Error> {
        self.push(Some(kind.to_owned()), serde_json::to_value(record)?);
        Ok(())
    }

    fn push(&mut self, kind: Option<String>, value: Value) {
        let fields = match value {
            Value::Object(fields) => fields,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        self.items.push((kind, fields));
    }

    /// Asks for another page. Its depth is set by the engine; scope, robots and pace are kept there too.
    pub fn follow(&mut self, request: Request) {
        self.follow.push(request);
    }

    /// Makes room for so many requests more.
    pub(crate) fn make_room(&mut self, requests: usize) {
        self.follow.reserve(requests);
    }

    /// Gives every record so far these fields, where it has none of that name or a null.
    pub(crate) fn complete(&mut self, fields: &Map<String, Value>) {
        for (_, record) in &mut self.items {
            for (name, value) in fields {
                let place = record.entry(name.as_str()).or_insert(Value::Null);
                if place.is_null() {
                    place.clone_from(value);
                }
            }
        }
    }

    /// Drops every record so far.
    pub(crate) fn forget_items(&mut self) {
        self.items.clear();
    }

    /// Asks for a file: it goes to the folder of files ([`Builder::downloads`](crate::engine::Builder::downloads)), with a line in
    /// its manifest that names this page.
    pub fn download(&mut self, url: CanonicalUrl) {
        self.follow.push(Request::download(url));
    }

    /// Notes something that was wrong with the page without failing it (a required field that is not there).
    pub fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    /// The records so far: kind and fields.
    #[must_use]
    pub fn items(&self) -> &[(Option<String>, Map<String, Value>)] {
        &self.items
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.follow
    }

    /// What was wrong with the page, in words.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Takes the harvest apart: items of `url`, requests, problems.
    #[must_use]
    pub fn into_parts(self, url: &CanonicalUrl) -> (Vec<Item>, Vec<Request>, Vec<String>) {
        let items = self
            .items
            .into_iter()
            .map(|(kind, fields)| Item { url: url.clone(), kind, fields, seen: None })
            .collect();
        (items, self.follow, self.problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_the_order_of_its_fields() {
        let mut harvest = Harvest::new();
        harvest.item(&serde_json::json!({"z": 1, "a": 2})).unwrap();
        let names: Vec<_> = harvest.items()[0].1.keys().collect();
        assert_eq!(names, ["z", "a"]);
    }

    #[test]
    fn a_bare_value_becomes_the_field_value() {
        let mut harvest = Harvest::new();
        harvest.item(&"x").unwrap();
        assert_eq!(harvest.items()[0].1["value"], "x");
    }
}
