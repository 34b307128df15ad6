//! What the items of a round hold, and what became of those that are not written: counted while they pass, kept with the state.
//!
//! Bounded, whatever a site makes of field names and a stage of its reasons: what is beyond the bounds is only counted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::value::is_empty;
use crate::item::Item;
use crate::url::CanonicalUrl;

/// Kinds that are told apart.
const MOST_KINDS: usize = 64;
/// Fields that are told apart, over all kinds.
const MOST_FIELDS: usize = 512;
/// Reasons that are told apart.
const MOST_REMARKS: usize = 128;
/// Longest name, reason or example, in bytes.
const MOST_BYTES: usize = 300;

/// The items of a round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ItemTally {
    /// What was written, kind by kind, in the order in which they were met.
    pub kinds: Vec<KindTally>,
    /// What was dropped or mended, and why.
    pub remarks: Vec<Remark>,
    /// Fields and reasons that were one too many to be told apart, each time that one came.
    pub unlisted: u64,
}

/// The items of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KindTally {
    /// The kind; `None`: items without one.
    pub kind: Option<String>,
    /// How many.
    pub items: u64,
    /// The page of the first one.
    pub first: String,
    /// Their fields, in the order in which they were met.
    pub fields: Vec<FieldTally>,
}

/// One field of the items of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FieldTally {
    /// Its name.
    pub name: String,
    /// Items in which it had a value: neither null nor empty.
    pub filled: u64,
    /// The types of its values.
    pub types: BTreeSet<SeenType>,
    /// A page with an item in which it was empty, if there was one.
    pub empty_on: Option<String>,
}

/// The type of a value that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenType {
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// Another number.
    Decimal,
    /// A text.
    Text,
    /// A list.
    List,
    /// A table.
    Table,
}

impl SeenType {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(number) if number.is_f64() => Some(Self::Decimal),
            Value::Number(_) => Some(Self::Integer),
            Value::String(_) => Some(Self::Text),
            Value::Array(_) => Some(Self::List),
            Value::Object(_) => Some(Self::Table),
        }
    }

    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::List => "list",
            Self::Table => "table",
        }
    }
}

/// Items with which something was wrong, by what and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Remark {
    /// What was done.
    pub done: Done,
    /// Their kind.
    pub kind: Option<String>,
    /// Why.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// The page of the first one.
    pub example: String,
}

/// What was done with an item with which something was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// It was not written.
    Dropped,
    /// A field was made null.
    Nulled,
    /// Nothing.
    Kept,
}

impl Done {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Nulled => "nulled",
            Self::Kept => "kept",
        }
    }
}

impl ItemTally {
    /// Counts an item that goes to the sinks.
    pub fn count(&mut self, item: &Item) {
        let known: usize = self.kinds.iter().map(|kind| kind.fields.len()).sum();
        let Some(kind) = self.kind_of(item) else {
            self.unlisted += 1;
            return;
        };
        let unlisted = kind.count(item, MOST_FIELDS - known);
        self.unlisted += unlisted;
    }

    fn kind_of(&mut self, item: &Item) -> Option<&mut KindTally> {
        let name = item.kind.as_deref().map(cut);
        match self.kinds.iter().position(|kind| kind.kind.as_deref() == name) {
            Some(place) => self.kinds.get_mut(place),
            None if self.kinds.len() >= MOST_KINDS => None,
            None => {
                let (kind, first) = (name.map(str::to_owned), cut(item.url.as_str()).to_owned());
                self.kinds.push(KindTally { kind, first, ..KindTally::default() });
                self.kinds.last_mut()
            }
        }
    }

    /// Counts something that was wrong with an item of a page.
    pub fn remark(&mut self, done: Done, kind: Option<&str>, reason: &str, page: &CanonicalUrl) {
        let (kind, reason) = (kind.map(cut), cut(reason));
        let example = cut(page.as_str());
        self.add_remark(done, kind, reason, 1, example);
    }

    fn add_remark(&mut self, done: Done, kind: Option<&str>, reason: &str, count: u64, example: &str) {
        let same = |remark: &&mut Remark| {
            remark.done == done && remark.kind.as_deref() == kind && remark.reason == reason
        };
        if let Some(known) = self.remarks.iter_mut().find(same) {
            known.count += count;
        } else if self.remarks.len() < MOST_REMARKS {
            let (kind, reason) = (kind.map(str::to_owned), reason.to_owned());
            self.remarks.push(Remark { done, kind, reason, count, example: example.to_owned() });
        } else {
            self.unlisted += count;
        }
    }

    /// Adds what was wrong with other items.
    pub fn add_remarks(&mut self, other: &Self) {
        for Remark { done, kind, reason, count, example } in &other.remarks {
            self.add_remark(*done, kind.as_deref(), reason, *count, example);
        }
        self.unlisted += other.unlisted;
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.remarks.is_empty() && self.unlisted == 0
    }

    /// In how many of how many items a field had a value. `field` is the name of a field, over all kinds that have it, or that of
    /// a kind and one of its fields as in `book.title`.
    #[must_use]
    pub fn filled(&self, field: &str) -> (u64, u64) {
        let all = |kind: Option<&str>, name: &str| {
            let kinds = self.kinds.iter().filter(|own| kind.is_none() || own.kind.as_deref() == kind);
            let found = kinds.filter_map(|own| Some((own.field(name)?.filled, own.items)));
            found.fold((0, 0), |sum, (filled, items)| (sum.0 + filled, sum.1 + items))
        };
        match (all(None, field), field.split_once('.')) {
            ((_, 0), Some((kind, name))) => all(Some(kind), name),
            (found, _) => found,
        }
    }
}

impl KindTally {
    /// One of its fields.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldTally> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Counts an item, and tells how many of its fields were too many.
    fn count(&mut self, item: &Item, mut room: usize) -> u64 {
        let page = || Some(cut(item.url.as_str()).to_owned());
        let mut unlisted = 0;
        for (name, value) in &item.fields {
            let known = self.fields.iter().position(|field| field.name == *name);
            let place = match known {
                Some(place) => place,
                None if room == 0 || name.len() > MOST_BYTES => {
                    unlisted += 1;
                    continue;
                }
                None => {
                    room -= 1;
                    // Items before this one did not have it.
                    let empty_on = (self.items > 0).then(|| self.first.clone());
                    self.fields.push(FieldTally { name: name.clone(), empty_on, ..FieldTally::default() });
                    self.fields.len() - 1
                }
            };
            let field = &mut self.fields[place];
            if !is_empty(value) {
                field.filled += 1;
            }
            field.types.extend(SeenType::of(value));
        }
        self.items += 1;
        for field in self.fields.iter_mut().filter(|field| field.empty_on.is_none()) {
            if item.fields.get(&field.name).is_none_or(is_empty) {
                field.empty_on = page();
            }
        }
        unlisted
    }
}

/// The beginning of a text.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_BYTES)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn url(path: &str) -> CanonicalUrl {
        CanonicalUrl::parse(&format!("https://a.example{path}")).unwrap()
    }

    fn item(path: &str, kind: Option<&str>, fields: &Value) -> Item {
        let fields = fields.as_object().unwrap().clone();
        Item { url: url(path), kind: kind.map(str::to_owned), fields, seen: None }
    }

    #[test]
    fn a_field_is_filled_where_it_has_a_value_and_the_first_page_without_is_told() {
        let mut tally = ItemTally::default();
        tally.count(&item("/1", None, &json!({"title": "x", "price": 1})));
        tally.count(&item("/2", None, &json!({"title": " ", "price": "2"})));
        tally.count(&item("/3", None, &json!({"title": null, "tags": ["a"]})));
        let fields = &tally.kinds[0].fields;
        let told: Vec<_> = fields
            .iter()
            .map(|field| (field.name.as_str(), field.filled, field.empty_on.as_deref().unwrap_or("-")))
            .collect();
        let on = "https://a.example";
        assert_eq!(
            told,
            [
                ("title", 1, format!("{on}/2").as_str()),
                ("price", 2, format!("{on}/3").as_str()),
                ("tags", 1, format!("{on}/1").as_str()),
            ]
        );
        assert_eq!(fields[1].types.iter().map(|t| t.as_str()).collect::<Vec<_>>(), ["integer", "text"]);
        assert_eq!(tally.filled("price"), (2, 3));
    }

    #[test]
    fn a_field_is_asked_for_over_all_kinds_or_of_one() {
        let mut tally = ItemTally::default();
        tally.count(&item("/1", Some("book"), &json!({"title": "x", "price": 1})));
        tally.count(&item("/2", Some("author"), &json!({"title": ""})));
        assert_eq!(tally.filled("title"), (1, 2));
        assert_eq!(tally.filled("price"), (1, 1));
        assert_eq!(tally.filled("book.title"), (1, 1));
        assert_eq!(tally.filled("author.title"), (0, 1));
        assert_eq!(tally.filled("nobody"), (0, 0));
    }

    #[test]
    fn remarks_are_counted_by_what_and_why_with_the_first_page() {
        let mut tally = ItemTally::default();
        tally.remark(Done::Dropped, Some("book"), "price is no decimal", &url("/1"));
        let mut other = ItemTally::default();
        other.remark(Done::Dropped, Some("book"), "price is no decimal", &url("/2"));
        other.remark(Done::Kept, Some("book"), "price is no decimal", &url("/3"));
        tally.add_remarks(&other);
        let told: Vec<_> =
            tally.remarks.iter().map(|one| (one.done, one.count, one.example.as_str())).collect();
        assert_eq!(told, [(Done::Dropped, 2, "https://a.example/1"), (Done::Kept, 1, "https://a.example/3")]);
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut tally = ItemTally::default();
        for number in 0..2_000 {
            tally.count(&item("/", Some(&format!("kind {number}")), &json!({})));
            tally.count(&item("/", Some("kind 1"), &json!({format!("field {number}"): 1})));
            tally.remark(Done::Dropped, None, &format!("{number} {}", "é".repeat(999)), &url("/"));
        }
        assert!(tally.unlisted > 4_000);
        let bytes = serde_json::to_vec(&tally).unwrap().len();
        assert!(bytes < 200_000, "{bytes}");
    }
}
