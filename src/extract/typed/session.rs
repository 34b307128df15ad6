//! The reading of one page: what it may cost, the JSON in it, and what was dropped.
//!
//! Structs can lie in structs, and selectors can overlap, so that a page may repeat its own text many times over. What is
//! read from one page is therefore bounded as a whole: [`MAX_TEXT`], [`MAX_ENTRIES`] and [`MAX_NESTING`]. JSON that stands in
//! an element is read once, however many fields look into it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::fault::Fault;
use super::shape::Take;
use crate::page::tree::NodeId;
use crate::page::{FieldError, FieldFault, Page, json};

/// Bytes of text that are taken from one page.
pub const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Values of JSON that are read from the elements of one page: twice as many as one document may have.
const MAX_JSON: usize = 2 * json::MAX_WEIGHT;

/// Structs and entries of lists that are read from one page.
pub const MAX_ENTRIES: usize = 250_000;

/// Structs inside of structs.
pub const MAX_NESTING: usize = 64;

/// What is done with a broken entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It fails the struct that it lies in.
    Fails,
    /// It is left out and remembered.
    IsDropped,
}

/// The reading of one page: its budget, and what was dropped.
pub(super) struct Session<'a> {
    pub(super) page: &'a Page,
    broken: Broken,
    text_left: Cell<usize>,
    entries_left: Cell<usize>,
    /// The structs around what is being read: their fields' names, with the places in lists.
    path: RefCell<Vec<(&'static str, Option<usize>)>>,
    dropped: RefCell<BTreeMap<String, Dropped>>,
    json: Shelf<Value>,
    /// Where on the shelf the JSON of an element is; `None` if it has none.
    json_of: RefCell<HashMap<(NodeId, Take), Option<usize>>>,
    json_left: Cell<usize>,
}

/// Entries that were dropped for the same reason.
pub(super) struct Dropped {
    pub(super) first: Box<FieldError>,
    pub(super) count: usize,
}

impl<'a> Session<'a> {
    pub(super) fn new(page: &'a Page, broken: Broken) -> Self {
        Self {
            page,
            broken,
            text_left: Cell::new(MAX_TEXT),
            entries_left: Cell::new(MAX_ENTRIES),
            path: RefCell::default(),
            dropped: RefCell::default(),
            json: Shelf::default(),
            json_of: RefCell::default(),
            json_left: Cell::new(MAX_JSON),
        }
    }

    /// Counts an entry.
    pub(super) fn begin_entry(&self) -> Result<(), Fault> {
        let left = self.entries_left.get().checked_sub(1);
        self.entries_left.set(left.ok_or_else(|| too_much(format!("{MAX_ENTRIES} entries")))?);
        Ok(())
    }

    /// Goes into a struct of this name or in this field; what `read` gives comes back when it is left.
    pub(super) fn nested<T>(
        &self,
        name: &'static str,
        entry: Option<usize>,
        read: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.path.borrow().len() >= MAX_NESTING {
            return Err(too_much(format!("{MAX_NESTING} structs inside of each other")));
        }
        self.path.borrow_mut().push((name, entry));
        let read = read();
        self.path.borrow_mut().pop();
        read
    }

    /// The error of something that is named `name` in what is being read.
    pub(super) fn error(
        &self,
        (name, entry): (&'static str, Option<usize>),
        selector: String,
        fault: FieldFault,
    ) -> Box<FieldError> {
        let path = self.path.borrow();
        let steps = path.iter().copied().chain(std::iter::once((name, entry)));
        let field = steps.map(|(name, entry)| match entry {
            Some(index) => format!("{name}[{index}]"),
            None => name.to_owned(),
        });
        let field = field.collect::<Vec<_>>().join(".");
        Box::new(FieldError { page: self.page.url().clone(), field, selector, fault })
    }

    /// Remembers a broken entry, or gives the error back if it fails what it lies in.
    pub(super) fn drop_entry(&self, error: Box<FieldError>) -> Result<(), Box<FieldError>> {
        if self.broken == Broken::Fails || matches!(error.fault, FieldFault::TooMuch { .. }) {
            return Err(error);
        }
        let mut all = self.dropped.borrow_mut();
        let dropped = all.entry(reason(&error)).or_insert(Dropped { first: error, count: 0 });
        dropped.count += 1;
        Ok(())
    }

    /// What was dropped, one entry for each field and fault.
    pub(super) fn into_dropped(self) -> impl Iterator<Item = Dropped> {
        self.dropped.into_inner().into_values()
    }

    /// Bytes of text that may still be taken.
    pub(super) fn text_left(&self) -> usize {
        self.text_left.get()
    }

    /// Counts bytes of text.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Fault> {
        let left = self.text_left.get();
        if left == 0 {
            return Err(too_much(format!("{MAX_TEXT} bytes of text")));
        }
        self.text_left.set(left.saturating_sub(bytes));
        Ok(())
    }

    /// The JSON in an element or in its attribute, whose text `text` gives; `None` if there is no text.
    pub(super) fn json_of(
        &self,
        place: (NodeId, Take),
        text: impl FnOnce() -> Result<Option<String>, Fault>,
    ) -> Result<Option<&Value>, Fault> {
        let known = self.json_of.borrow().get(&place).copied();
        if let Some(known) = known {
            return Ok(known.and_then(|index| self.json.get(index)));
        }
        let value = text()?.map(|text| json::read(&text)).transpose().map_err(Fault::unreadable)?;
        let index = value.map(|value| self.keep(value)).transpose()?;
        self.json_of.borrow_mut().insert(place, index);
        Ok(index.and_then(|index| self.json.get(index)))
    }

    fn keep(&self, value: Value) -> Result<usize, Fault> {
        let left = self.json_left.get().checked_sub(weight(&value).1);
        self.json_left.set(left.ok_or_else(|| too_much(format!("{MAX_JSON} values of JSON")))?);
        Ok(self.json.push(value))
    }
}

/// Bytes of text in a value, and the number of values that it is made of.
pub(super) fn weight(value: &Value) -> (usize, usize) {
    let sum = |(bytes, count): (usize, usize), value: &Value| {
        let (more, values) = weight(value);
        (bytes + more, count + values)
    };
    match value {
        Value::String(text) => (text.len(), 1),
        Value::Array(list) => list.iter().fold((0, 1), sum),
        Value::Object(object) => {
            let names = object.keys().map(String::len).sum();
            object.values().fold((names, 1), sum)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => (8, 1),
    }
}

/// Values that are only ever added, so that what was given out stays where it is. Each row is twice as long as the one before.
struct Shelf<T> {
    rows: [OnceCell<Box<[OnceCell<T>]>>; 32],
    len: Cell<usize>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { rows: std::array::from_fn(|_| OnceCell::new()), len: Cell::new(0) }
    }
}

impl<T> Shelf<T> {
    /// Adds a value; gives its number.
    fn push(&self, value: T) -> usize {
        let index = self.len.replace(self.len.get() + 1);
        let (row, place) = position(index);
        let row =
            self.rows[row].get_or_init(|| std::iter::repeat_with(OnceCell::new).take(1 << row).collect());
        row[place].get_or_init(|| value);
        index
    }

    fn get(&self, index: usize) -> Option<&T> {
        let (row, place) = position(index);
        self.rows.get(row)?.get()?.get(place)?.get()
    }
}

fn position(index: usize) -> (usize, usize) {
    let row = (index + 1).ilog2() as usize;
    (row, index + 1 - (1 << row))
}

fn too_much(limit: String) -> Fault {
    Fault::from(FieldFault::TooMuch { limit })
}

/// The field without its places in lists, and the kind of fault.
fn reason(error: &FieldError) -> String {
    let outside = |part: &str| part.split_once(']').map_or(part, |(_, rest)| rest).to_owned();
    let field: String = error.field.split('[').map(outside).collect();
    format!("{field} {:?}", std::mem::discriminant(&error.fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_shelf_stays_there_under_its_number() {
        let shelf = Shelf::default();
        let first = shelf.push(0);
        let kept = shelf.get(first).unwrap();
        for number in 1..100 {
            assert_eq!(shelf.push(number), number);
        }
        assert_eq!((kept, shelf.get(99), shelf.get(100)), (&0, Some(&99), None));
    }

    #[test]
    fn the_weight_of_a_value_counts_its_text_and_its_values() {
        assert_eq!(weight(&serde_json::json!({ "ab": ["cde", null] })), (2 + 3 + 8, 4));
    }
}
