//! Which items go into a sink, and what of them: a sink that wraps a sink.

use regex::Regex;
use serde_json::{Map, Value};

use super::{Ended, Position, Round, SEEN, Sink, SinkError, Wants, shown_seen};
use crate::item::Item;
use crate::time::Timestamp;

/// How items without a kind are called where a kind is asked for.
pub const NO_KIND: &str = "item";

/// Which items go into a sink, and what of them. The default is all of everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Which items are written when pages are visited again.
    pub wants: Wants,
    /// Only items of these kinds; empty: of all. Items without a kind are [`NO_KIND`].
    pub kinds: Vec<String>,
    /// Only items that meet all of these.
    pub conditions: Vec<Condition>,
    /// Only these fields, in this order; empty: all as they come. What an item lacks is left out. Beside its own fields an item
    /// has `kind`, `url` (of its page), `first_seen`, `last_changed` and `round`.
    pub fields: Vec<String>,
    /// Fields that are called otherwise in the output: name, and name there.
    pub rename: Vec<(String, String)>,
}

/// A field that must match.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The field's name.
    pub field: String,
    /// What its text must match somewhere; the text of what is no string is its JSON, that of a field that is not there is empty.
    pub pattern: Regex,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.field == other.field && self.pattern.as_str() == other.pattern.as_str()
    }
}

impl Eq for Condition {}

impl Condition {
    fn holds(&self, item: &Item) -> bool {
        match value_of(item, &self.field) {
            Some(Value::String(text)) => self.pattern.is_match(&text),
            Some(Value::Null) | None => self.pattern.is_match(""),
            Some(value) => self.pattern.is_match(&value.to_string()),
        }
    }
}

impl Choice {
    /// Whether the item belongs into the sink.
    #[must_use]
    pub fn admits(&self, item: &Item) -> bool {
        let kind = item.kind.as_deref().unwrap_or(NO_KIND);
        let is_wanted = self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind);
        is_wanted && self.conditions.iter().all(|condition| condition.holds(item))
    }

    /// What of this choice must be seen before items part into files of their kinds, and what comes after.
    pub(super) fn split(&self) -> (Self, Self) {
        let Self { wants, kinds, conditions, fields, rename } = self.clone();
        let (before, after) = (Self::default(), Self::default());
        (Self { wants, kinds, conditions, ..before }, Self { fields, rename, ..after })
    }

    /// Whether items are written as they are.
    const fn keeps_fields(&self) -> bool {
        self.fields.is_empty() && self.rename.is_empty()
    }

    /// The item as it is written.
    fn shaped(&self, item: &Item) -> Item {
        let mut fields = Map::new();
        let mut kind = item.kind.clone();
        if self.fields.is_empty() {
            for (name, value) in &item.fields {
                fields.insert(self.name_of(name).to_owned(), value.clone());
            }
        } else {
            for name in &self.fields {
                if let Some(value) = value_of(item, name) {
                    fields.insert(self.name_of(name).to_owned(), value);
                }
            }
            kind = None;
        }
        Item { url: item.url.clone(), kind, fields, seen: item.seen }
    }

    /// What a field is called in the output.
    #[must_use]
    pub fn name_of<'a>(&'a self, field: &'a str) -> &'a str {
        self.rename.iter().find(|(name, _)| name == field).map_or(field, |(_, there)| there)
    }
}

/// A field of the item, or what is known of it beside its fields.
fn value_of(item: &Item, name: &str) -> Option<Value> {
    let beside = || match name {
        "kind" => item.kind.clone().map(Value::from),
        "url" => Some(item.url.as_str().into()),
        _ => SEEN.contains(&name).then(|| shown_seen(item, name)).flatten(),
    };
    item.fields.get(name).cloned().or_else(beside)
}

/// Hands on only the chosen items, with the chosen fields.
///
/// ```
/// use crawl::sink::memory::Collect;
/// use crawl::sink::{Choice, Chosen, Sink};
///
/// let books = Collect::default();
/// let choice = Choice { fields: vec!["title".to_owned()], ..Choice::default() };
/// let mut sink = Chosen::new(books.clone(), choice);
/// # let url = crawl::url::CanonicalUrl::parse("https://example.com/").unwrap();
/// # let fields = serde_json::json!({"price": 9, "title": "Emma"}).as_object().unwrap().clone();
/// # let item = crawl::item::Item { url, kind: None, fields, seen: None };
/// sink.write(&item)?;
/// assert_eq!(serde_json::to_string(&books.items()[0].fields).unwrap(), r#"{"title":"Emma"}"#);
/// # Ok::<(), crawl::sink::SinkError>(())
/// ```
pub struct Chosen<S> {
    inner: S,
    choice: Choice,
    keeps_kind: bool,
}

impl<S: Sink> Chosen<S> {
    /// Puts the choice before a sink.
    pub const fn new(inner: S, choice: Choice) -> Self {
        Self { inner, choice, keeps_kind: false }
    }

    /// The same for a sink that has a place for each kind: items keep theirs whatever fields are chosen.
    pub(super) const fn with_kinds(inner: S, choice: Choice) -> Self {
        Self { inner, choice, keeps_kind: true }
    }
}

impl<S: Sink> Sink for Chosen<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn wants(&self) -> Wants {
        self.choice.wants.min(self.inner.wants())
    }

    fn begin(&mut self, round: &Round<'_>) -> Result<(), SinkError> {
        self.inner.begin(round)
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), SinkError> {
        self.inner.tick(now)
    }

    fn notes(&mut self) -> Vec<(String, u64)> {
        self.inner.notes()
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        if !self.choice.admits(item) {
            return Ok(());
        }
        if self.choice.keeps_fields() {
            return self.inner.write(item);
        }
        let shaped = self.choice.shaped(item);
        match self.keeps_kind {
            true => self.inner.write(&Item { kind: item.kind.clone(), ..shaped }),
            false => self.inner.write(&shaped),
        }
    }

    fn flush(&mut self) -> Result<Position, SinkError> {
        self.inner.flush()
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        self.inner.sync()
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.inner.rewind(to)
    }

    fn finish(&mut self, ended: Ended) -> Result<(), SinkError> {
        self.inner.finish(ended)
    }

    fn rest(&mut self) {
        self.inner.rest();
    }
}
