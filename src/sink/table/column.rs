//! What a column holds, and whether a value fits.

use std::borrow::Cow;

use serde_json::Value;

use super::date;

/// What a column of a table holds. Every column may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Text. Takes every value: numbers as they are written, lists and tables as JSON.
    Text,
    /// Whole numbers of 64 bits.
    Integer,
    /// Floating-point numbers of 64 bits.
    Decimal,
    /// True or false.
    Boolean,
    /// A date: text like `2026-11-22`.
    Date,
    /// A moment: RFC 3339 text like `2026-11-22T09:30:00Z`.
    DateTime,
    /// Any value, as JSON.
    Json,
}

/// A column's type that the crawler file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// For items of this kind (`Some(None)`: those without one); `None`: of every kind.
    pub kind: Option<Option<String>>,
    /// The field.
    pub field: String,
    /// What its column holds.
    pub holds: ColumnType,
}

impl Declared {
    /// This field of items of every kind.
    #[must_use]
    pub fn field(field: &str, holds: ColumnType) -> Self {
        Self { kind: None, field: field.to_owned(), holds }
    }
}

/// What is declared for this field of this kind; a word about the kind comes before one about all.
pub(in crate::sink) fn declared(all: &[Declared], kind: Option<&str>, field: &str) -> Option<ColumnType> {
    let of_field = || all.iter().filter(|declared| declared.field == field);
    let of_kind = of_field().find(|declared| declared.kind.as_ref().is_some_and(|of| of.as_deref() == kind));
    of_kind.or_else(|| of_field().find(|declared| declared.kind.is_none())).map(|declared| declared.holds)
}

/// A value in its place in a row.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sink) enum Cell {
    Null,
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    /// Also a date or a moment.
    Text(String),
    Json(Value),
}

impl ColumnType {
    pub(in crate::sink) const ALL: [Self; 7] =
        [Self::Text, Self::Integer, Self::Decimal, Self::Boolean, Self::Date, Self::DateTime, Self::Json];

    /// In a word, for messages.
    pub(in crate::sink) const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Json => "json",
        }
    }

    /// The value as this column holds it; `None` if it does not fit.
    pub(in crate::sink) fn fit(self, value: &Value) -> Option<Cell> {
        Some(match (self, value) {
            (_, Value::Null) => Cell::Null,
            (Self::Text, Value::String(text)) => Cell::Text(storable(text).into_owned()),
            (Self::Text, other) => Cell::Text(other.to_string()),
            (Self::Json, value) => Cell::Json(storable_json(value)),
            (Self::Integer, value) => Cell::Integer(whole(value)?),
            (Self::Decimal, value) => Cell::Decimal(value.as_f64()?),
            (Self::Boolean, value) => Cell::Boolean(value.as_bool()?),
            (Self::Date, Value::String(text)) => date::days(text).map(|_| Cell::Text(text.clone()))?,
            (Self::DateTime, Value::String(text)) => date::millis(text).map(|_| Cell::Text(text.clone()))?,
            (Self::Date | Self::DateTime, _) => return None,
        })
    }

    /// The type that a value has by itself; `None` for null, which says nothing.
    pub(in crate::sink) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Boolean),
            Value::Number(number) if number.is_i64() => Some(Self::Integer),
            Value::Number(_) => Some(Self::Decimal),
            Value::String(_) => Some(Self::Text),
            Value::Array(_) | Value::Object(_) => Some(Self::Json),
        }
    }

    /// The narrowest type that holds what both hold.
    pub(in crate::sink) fn widened(self, with: Self) -> Self {
        match (self, with) {
            (one, other) if one == other => one,
            (Self::Integer, Self::Decimal) | (Self::Decimal, Self::Integer) => Self::Decimal,
            (Self::Json, _) | (_, Self::Json) => Self::Json,
            _ => Self::Text,
        }
    }
}

/// A whole number, also where it is written `5.0`.
fn whole(value: &Value) -> Option<i64> {
    /// Up to here floating-point numbers tell every whole number from the next.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let near = || value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
    value.as_i64().or_else(|| if value.is_u64() { None } else { near().map(|float| float as i64) })
}

/// Text as every database takes it: without NUL.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// The same for all text inside. The depth of a value is bounded by whoever has read it.
fn storable_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text).into_owned()),
        Value::Array(list) => list.iter().map(storable_json).collect(),
        Value::Object(table) => {
            table.iter().map(|(key, value)| (storable(key).into_owned(), storable_json(value))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_fits_its_own_type_and_null_fits_all() {
        for value in
            [json!(1), json!(-1.5), json!(true), json!("x\0"), json!([1, {"a\0": "\0"}]), json!(u64::MAX)]
        {
            assert!(ColumnType::of(&value).unwrap().fit(&value).is_some(), "{value}");
        }
        assert!(ColumnType::ALL.iter().all(|column| column.fit(&Value::Null) == Some(Cell::Null)));
        assert_eq!(ColumnType::of(&Value::Null), None);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (column, value) in [
            (ColumnType::Integer, json!(1.5)),
            (ColumnType::Integer, json!("1")),
            (ColumnType::Integer, json!(u64::MAX)),
            (ColumnType::Integer, json!(1e300)),
            (ColumnType::Decimal, json!("1.5")),
            (ColumnType::Boolean, json!(1)),
            (ColumnType::Date, json!("yesterday")),
            (ColumnType::Date, json!(5)),
            (ColumnType::DateTime, json!("2026-11-22")),
        ] {
            assert_eq!(column.fit(&value), None, "{value} as {}", column.word());
        }
        assert_eq!(ColumnType::Integer.fit(&json!(5.0)), Some(Cell::Integer(5)));
        assert_eq!(ColumnType::Text.fit(&json!([1])), Some(Cell::Text("[1]".to_owned())));
        assert_eq!(ColumnType::Text.fit(&json!("a\0b")), Some(Cell::Text("a\u{fffd}b".to_owned())));
        assert_eq!(ColumnType::Json.fit(&json!({"\0": 1})), Some(Cell::Json(json!({"\u{fffd}": 1}))));
    }

    #[test]
    fn a_widened_type_holds_what_both_held() {
        let values = [json!(1), json!(1.5), json!(true), json!("x"), json!([1])];
        for one in &values {
            for other in &values {
                let wide = ColumnType::of(one).unwrap().widened(ColumnType::of(other).unwrap());
                assert!(wide.fit(one).is_some() && wide.fit(other).is_some(), "{one} {other}");
            }
        }
    }

    #[test]
    fn a_word_about_the_kind_comes_before_one_about_all() {
        let of_book =
            Declared { kind: Some(Some("book".to_owned())), ..Declared::field("n", ColumnType::Integer) };
        let all = [Declared::field("n", ColumnType::Text), of_book];
        assert_eq!(declared(&all, Some("book"), "n"), Some(ColumnType::Integer));
        assert_eq!(declared(&all, None, "n"), Some(ColumnType::Text));
        assert_eq!(declared(&all, None, "m"), None);
    }
}
