//! From the tree to the typed mirror of the file, past every problem on the way.
//!
//! serde stops at the first error. Here a value that does not fit is reported, taken out of the tree, and the reading begins
//! again, until what is left can be read; unknown keys are noted and skipped. So one reading finds them all.

mod number;

use std::cell::RefCell;
use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::path::{Path, Step};
use super::problem::{Finding, Spot, did_you_mean};
use super::tree::{Node, Origin, Value};

/// After so many values that do not fit, the rest of the file is not looked at.
const MOST_FAULTS: usize = 50;

/// Further unknown keys are skipped without a word.
const MOST_UNKNOWN: usize = 100;

/// Structs that may be written as one value: the name of the struct, and the key that the value then stands for.
const SHORT_FORMS: [(&str, &str); 3] = [("Seed", "url"), ("Field", "css"), ("Step", "step")];

/// Reads the tree; what could not be read is taken out of it and reported.
pub(super) fn read<T: DeserializeOwned + Default>(tree: &mut Node) -> (T, Vec<Finding>) {
    let mut findings = Vec::new();
    while findings.len() < MOST_FAULTS {
        let unknown = RefCell::default();
        let reader = Reader { node: tree, path: Path::default(), unknown: &unknown };
        let fault = match T::deserialize(reader) {
            Ok(value) => {
                findings.extend(unknown.into_inner());
                return (value, findings);
            }
            Err(fault) => fault,
        };
        let path = fault.path.unwrap_or_default();
        findings.push(Finding {
            suggestion: fault.suggestion,
            ..Finding::at(Spot::Value(path.clone()), fault.message)
        });
        tree.spoil(&path);
    }
    (T::default(), findings)
}

/// A value that does not fit.
#[derive(Debug)]
struct Fault {
    message: String,
    suggestion: Option<String>,
    path: Option<Path>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None, path: None }
    }

    /// Keeps the innermost place.
    fn under(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.clone());
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Str(_) => "a string",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        Self::new(format!("expected {expected}, found {found}"))
    }
}

#[derive(Clone)]
struct Reader<'a> {
    node: &'a Node,
    path: Path,
    unknown: &'a RefCell<Vec<Finding>>,
}

impl<'a> Reader<'a> {
    fn child(&self, node: &'a Node, path: Path) -> Self {
        Self { node, path, unknown: self.unknown }
    }

    fn expected(&self, what: &str) -> Fault {
        Fault::new(format!("expected {what}, found {}", self.node.value.kind())).under(&self.path)
    }

    /// What the command line and the environment give has no type of its own: numbers may be words there.
    fn untyped(&self) -> Option<&'a str> {
        match (&self.node.value, &self.node.origin) {
            (Value::Text { text, .. }, Origin::Given(_)) | (Value::Text { text, written: Some(_) }, _) => {
                Some(text)
            }
            _ => None,
        }
    }

    /// Whether a table here may stand for a list of one: `[sink.jsonl]` is as good as `[[sink.jsonl]]`.
    fn may_stand_alone(&self) -> bool {
        matches!(&self.path.0[..], [Step::Key(table), Step::Key(_)] if table == "sink")
    }

    fn note_unknown(&self, key: &str, known: &'static [&'static str]) {
        let mut unknown = self.unknown.borrow_mut();
        if unknown.len() < MOST_UNKNOWN {
            unknown.push(Finding::unknown_key(&self.path.key(key), known));
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let range = (i64::try_from(<$type>::MIN), i64::try_from(<$type>::MAX));
            let number = number::whole(&self, range.0.unwrap_or(i64::MIN), range.1.unwrap_or(i64::MAX))?;
            let number = <$type>::try_from(number).map_err(|_| self.expected("a whole number"))?;
            visitor.$visit(number).map_err(|fault: Fault| fault.under(&self.path))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text { text, .. } => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float { number, .. } => visitor.visit_f64(*number),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::List(_) => return self.deserialize_seq(visitor),
            Value::Table(_) => return self.deserialize_map(visitor),
            Value::Spoilt => visitor.visit_unit(),
        }
        .map_err(|fault: Fault| fault.under(&self.path))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match (&self.node.value, self.untyped()) {
            (Value::Bool(flag), _) => visitor.visit_bool(*flag),
            (_, Some("true")) => visitor.visit_bool(true),
            (_, Some("false")) => visitor.visit_bool(false),
            _ => Err(self.expected("true or false")),
        }
    }

    whole_numbers!(
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(number::any(&self)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match (&self.node.value, &self.node.origin) {
            (Value::Text { text, .. }, _) => visitor.visit_str(text),
            (Value::Integer(_) | Value::Float { .. } | Value::Bool(_), Origin::Given(_)) => {
                visitor.visit_str(&self.node.value.to_toml())
            }
            _ => Err(self.expected("a string")),
        }
        .map_err(|fault: Fault| fault.under(&self.path))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = match (&self.node.value, &self.node.origin) {
            (Value::List(items), _) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.child(item, self.path.index(index)))
                .collect(),
            (_, Origin::Given(_)) => vec![self],
            (Value::Table(_), _) if self.may_stand_alone() => vec![self],
            (Value::Table(_), _) if self.path.0.len() == 1 => {
                let name = self.path.last_key().unwrap_or_default();
                let message = format!("this table may stand several times: write [[{name}]]");
                return Err(Fault::new(message).under(&self.path));
            }
            _ => return Err(self.expected("a list: write it in [ ]")),
        };
        let items: Vec<_> = items.into_iter().filter(|item| !item.node.is_spoilt()).collect();
        visitor.visit_seq(Items(items.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Table(entries) = &self.node.value else {
            return Err(self.expected("a table"));
        };
        visitor.visit_map(Entries::of(&self, entries, None))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let short = SHORT_FORMS.iter().find(|(of, _)| *of == name);
        match (&self.node.value, short) {
            (Value::Table(entries), _) => visitor.visit_map(Entries::of(&self, entries, Some(fields))),
            (Value::Text { .. }, Some((_, key))) => {
                visitor.visit_map(Entries { rest: vec![(*key, self)].into_iter(), value: None })
            }
            (_, Some(_)) => Err(self.expected("a string or a table")),
            _ => Err(self.expected("a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let choice = match &self.node.value {
            Value::Text { text, .. } => text.as_str(),
            _ => return Err(self.expected("a string")),
        };
        if variants.contains(&choice) {
            let choice: StrDeserializer<'_, Fault> = choice.into_deserializer();
            return visitor.visit_enum(choice);
        }
        if let Value::Text { written: Some(_), .. } = &self.node.value {
            return Err(self.expected(&quoted(variants)));
        }
        Err(Fault {
            suggestion: did_you_mean(choice, variants),
            ..Fault::new(format!("expected {}, found {choice:?}", quoted(variants))).under(&self.path)
        })
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

fn quoted(variants: &[&str]) -> String {
    let list: Vec<_> = variants.iter().map(|variant| format!("\"{variant}\"")).collect();
    list.join(" or ")
}

struct Items<'a>(std::vec::IntoIter<Reader<'a>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|item| {
                let path = item.path.clone();
                seed.deserialize(item).map_err(|fault| fault.under(&path))
            })
            .transpose()
    }
}

struct Entries<'a> {
    rest: std::vec::IntoIter<(&'a str, Reader<'a>)>,
    value: Option<Reader<'a>>,
}

impl<'a> Entries<'a> {
    /// The entries of a table; with `known`, only those, and the others are noted.
    fn of(
        reader: &Reader<'a>,
        entries: &'a [(String, Node)],
        known: Option<&'static [&'static str]>,
    ) -> Self {
        let mut list = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            match known {
                Some(known) if !known.contains(&key.as_str()) => reader.note_unknown(key, known),
                _ if node.is_spoilt() => {}
                _ => list.push((key.as_str(), reader.child(node, reader.path.key(key)))),
            }
        }
        Self { rest: list.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, reader)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(reader);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let reader = self.value.take().expect("serde asks for the key first");
        let path = reader.path.clone();
        seed.deserialize(reader).map_err(|fault| fault.under(&path))
    }
}
