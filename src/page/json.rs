//! Reads JSON that a server sent into a value of bounded size.
//!
//! A few bytes of JSON can stand for hundreds of bytes of memory (`{"":1}`), so values are weighed while they are read, and
//! what is heavier than [`MAX_WEIGHT`] is an error like broken JSON is. Depth is bounded by serde_json, at 128.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Most values of one document: each counts for one, an object for `OBJECT_WEIGHT`. Above what 10 MiB of common JSON hold.
pub const MAX_WEIGHT: usize = 2_000_000;

/// What an object weighs beside its members.
const OBJECT_WEIGHT: usize = 6;

/// Reads one JSON document.
///
/// # Errors
/// If it is no JSON, nested deeper than 128, or heavier than [`MAX_WEIGHT`].
pub fn read(text: &str) -> Result<Value, serde_json::Error> {
    read_weighed(text, &Cell::new(0))
}

/// As [`read`], for documents that share one limit: `weight` is what those before weighed.
pub(crate) fn read_weighed(text: &str, weight: &Cell<usize>) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let value = Weighed(weight).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Whether a body without a `Content-Type` begins like a JSON object or array.
pub(crate) fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Builds a value and counts what it weighs.
#[derive(Clone, Copy)]
struct Weighed<'w>(&'w Cell<usize>);

impl Weighed<'_> {
    fn add<E: Error>(self, weight: usize) -> Result<(), E> {
        self.0.set(self.0.get() + weight);
        if self.0.get() > MAX_WEIGHT {
            return Err(E::custom(format!(
                "more than {MAX_WEIGHT} values, which is more than is kept in memory"
            )));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Weighed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.add(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Weighed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = elements.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.add(OBJECT_WEIGHT)?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            object.insert(name, members.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            "null",
            "-3",
            "18446744073709551615",
            "0.1",
            "1e300",
            r#" {"z": [1, {"a": "\u00e9\n"}, true, []], "a": {}} "#,
            r#"{"a": 1, "a": 2}"#,
        ] {
            assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for text in ["", "{", "[1,]", "{'a': 1}", "1 2", "nul", "\"\u{1}\""] {
            assert_eq!(
                read(text).unwrap_err().to_string(),
                serde_json::from_str::<Value>(text).unwrap_err().to_string(),
                "{text}"
            );
        }
    }

    #[test]
    fn neither_depth_nor_number_of_values_is_the_servers_choice() {
        assert!(read(&"[".repeat(100_000)).unwrap_err().to_string().contains("recursion limit"));
        let many = format!("[{}0]", "{},".repeat(MAX_WEIGHT / OBJECT_WEIGHT));
        assert!(read(&many).unwrap_err().to_string().contains("more than 2000000 values"));
        let enough = format!("[{}0]", "0,".repeat(MAX_WEIGHT / 2));
        assert!(read(&enough).is_ok());
    }

    #[test]
    fn a_body_that_begins_with_a_brace_or_bracket_looks_like_json() {
        for body in ["{\"a\": 1}", " \n[1]", "\u{feff}{}"] {
            assert!(looks_like_json(body.as_bytes()), "{body}");
        }
        for body in ["", "<p>{", "callback({})", "1"] {
            assert!(!looks_like_json(body.as_bytes()), "{body}");
        }
    }
}
