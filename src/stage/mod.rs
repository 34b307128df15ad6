//! What happens to an item between the page that gave it and the sinks: checked, cleaned, kept or dropped.
//!
//! A [`Stage`] takes one item and gives it back, changed or not, or says why it is dropped. Stages are applied in their order, on
//! the thread that read the page, before it is judged whether the page's items are others than before. So they see one item at a
//! time and may remember nothing: what several items have to do with each other is decided by their [keys](Remarks::key), where
//! the state is written.
//!
//! Pure: no clock, no I/O, no shared state.

pub mod rule;
pub mod tally;
pub mod template;
pub mod value;

use std::fmt;

use crate::item::Item;
use crate::url::Fingerprint;

/// Takes an item on its way to the sinks. Closures of the same shape are stages too.
///
/// ```
/// use crawl::item::Item;
/// use crawl::stage::{Dropped, Stage};
/// # use crawl::url::CanonicalUrl;
/// # let item = |price: f64| Item {
/// #     url: CanonicalUrl::parse("https://shop.example/1").unwrap(),
/// #     kind: None,
/// #     fields: serde_json::Map::from_iter([("price".to_owned(), price.into())]),
/// #     seen: None,
/// # };
///
/// let in_cents = |mut item: Item| {
///     let price = item.fields.get("price").and_then(|price| price.as_f64());
///     let price = price.ok_or_else(|| Dropped::invalid("price", "is no number"))?;
///     item.fields.insert("cents".to_owned(), ((price * 100.0).round() as i64).into());
///     Ok(item)
/// };
/// let stage: Box<dyn Stage> = Box::new(in_cents);
/// assert_eq!(stage.apply(item(1.99)).unwrap().fields["cents"], 199);
/// ```
pub trait Stage: Send + Sync + 'static {
    /// Gives the item back, changed or not.
    ///
    /// # Errors
    /// [`Dropped`] if it goes no further; the page and its other items do.
    fn apply(&self, item: Item) -> Result<Item, Dropped>;

    /// As [`Stage::apply`], with room for remarks: what was wrong with an item that is kept, and its key. The engine calls this
    /// one; without an implementation of its own it is `apply`.
    ///
    /// # Errors
    /// As for [`Stage::apply`].
    fn apply_noting(&self, item: Item, remarks: &mut Remarks) -> Result<Item, Dropped> {
        let _ = remarks;
        self.apply(item)
    }
}

impl<F> Stage for F
where
    F: Fn(Item) -> Result<Item, Dropped> + Send + Sync + 'static,
{
    fn apply(&self, item: Item) -> Result<Item, Dropped> {
        self(item)
    }
}

/// That an item goes no further, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Dropped {
    /// Why. Drops are counted by it: it should not hold what differs from item to item.
    pub reason: Reason,
}

/// Why an item is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A field does not hold what it should.
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it, as in `is no number`.
        why: String,
    },
    /// Another item of the round has its key.
    Duplicate,
    /// It is not wanted; by which rule.
    Unwanted(String),
}

impl Dropped {
    /// A field does not hold what it should.
    #[must_use]
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { reason: Reason::Invalid { field: field.into(), why: why.into() } }
    }

    /// The item is not wanted; by which rule.
    #[must_use]
    pub fn unwanted(rule: impl Into<String>) -> Self {
        Self { reason: Reason::Unwanted(rule.into()) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, why } => write!(f, "{field} {why}"),
            Self::Duplicate => f.write_str("another item has its key"),
            Self::Unwanted(rule) => f.write_str(rule),
        }
    }
}

/// What stages say of an item that they do not drop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    notes: Vec<Note>,
    keys: Vec<Fingerprint>,
}

/// What was wrong with a field, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was done about it.
    pub cure: Cure,
    /// The field.
    pub field: String,
    /// What was wrong with it.
    pub why: String,
}

/// What was done about a field that does not hold what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// It is null now.
    Nulled,
    /// It was left as it is.
    Kept,
}

impl Remarks {
    /// Notes what was wrong with the item.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Gives the item a key. In a round only the first item with a key is written, over all pages, restarts included; who comes
    /// later is dropped as [`Reason::Duplicate`]. A page that is visited again in the round keeps its items. Keys are looked at
    /// after the last stage: an item that is dropped takes none.
    pub fn key(&mut self, key: Fingerprint) {
        self.keys.push(key);
    }

    /// What was wrong with the item.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &[Fingerprint] {
        &self.keys
    }
}

/// Sends an item through all stages.
///
/// # Errors
/// The first [`Dropped`]; no stage behind it sees the item.
pub fn through<S: AsRef<dyn Stage>>(
    stages: &[S],
    item: Item,
    remarks: &mut Remarks,
) -> Result<Item, Dropped> {
    stages.iter().try_fold(item, |item, stage| stage.as_ref().apply_noting(item, remarks))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::url::CanonicalUrl;

    fn item(fields: &serde_json::Value) -> Item {
        let url = CanonicalUrl::parse("https://a.example/").unwrap();
        Item { url, kind: None, fields: fields.as_object().unwrap().clone(), seen: None }
    }

    #[test]
    fn stages_are_applied_in_order_and_none_behind_a_drop() {
        let add = |name: &'static str| -> Arc<dyn Stage> {
            Arc::new(move |mut item: Item| {
                item.fields.insert(name.to_owned(), item.fields.len().into());
                Ok(item)
            })
        };
        let drop: Arc<dyn Stage> = Arc::new(|_: Item| Err(Dropped::unwanted("all")));
        let panics: Arc<dyn Stage> = Arc::new(|_: Item| panic!("no item comes here"));
        let mut remarks = Remarks::default();
        let both = through(&[add("a"), add("b")], item(&json!({})), &mut remarks).unwrap();
        assert_eq!(serde_json::Value::Object(both.fields), json!({"a": 0, "b": 1}));
        let error = through(&[add("a"), drop, panics], item(&json!({})), &mut remarks).unwrap_err();
        assert_eq!(error.to_string(), "all");
    }

    #[test]
    fn reasons_say_the_field_and_what_is_wrong() {
        assert_eq!(Dropped::invalid("price", "is no decimal").to_string(), "price is no decimal");
    }
}
