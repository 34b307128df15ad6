//! What a value is read as.

use serde_json::{Number, Value};

use super::clean::as_text;
use crate::extract::convert::{DateFormat, NumberStyle, boolean, date, datetime, decimal, integer};
use crate::page::Page;

/// What a value is read as.
#[derive(Debug, Clone, Default)]
pub enum Kind {
    /// Text stays text, values out of JSON stay what they are.
    #[default]
    Any,
    /// Text.
    Text,
    /// A whole number.
    Integer(NumberStyle),
    /// A number.
    Decimal(NumberStyle),
    /// True or false.
    Boolean,
    /// A day, as ISO 8601 text.
    Date(Option<DateFormat>),
    /// A moment, as RFC 3339 text.
    DateTime(Option<DateFormat>),
    /// A URL, made absolute.
    Url,
    /// JSON: text is read as such.
    Json,
}

impl Kind {
    /// What it is called; `None` for [`Kind::Any`].
    pub(super) const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Text => Some("text"),
            Self::Integer(_) => Some("integer"),
            Self::Decimal(_) => Some("decimal"),
            Self::Boolean => Some("boolean"),
            Self::Date(_) => Some("date"),
            Self::DateTime(_) => Some("datetime"),
            Self::Url => Some("url"),
            Self::Json => Some("json"),
        }
    }

    /// Reads a value, or says why it is none of this kind.
    pub(super) fn read(&self, value: Value, page: &Page) -> Result<Value, String> {
        match (self, value) {
            (Self::Any, value) => Ok(value),
            (Self::Json, Value::String(text)) => crate::page::json::read(&text)
                .map_err(|error| format!("expected JSON, found {:?}: {error}", shortened(&text))),
            (Self::Json, value) => Ok(value),
            (Self::Integer(_), Value::Number(number)) => whole(&number),
            (Self::Decimal(_), value @ Value::Number(_)) | (Self::Boolean, value @ Value::Bool(_)) => {
                Ok(value)
            }
            (_, value) => match as_text(&value) {
                Some(text) => self.of_text(&text, page),
                None => Err(format!(
                    "expected one value, found a list or a table: {}",
                    shortened(&value.to_string())
                )),
            },
        }
    }

    fn of_text(&self, text: &str, page: &Page) -> Result<Value, String> {
        let read = match self {
            Self::Any | Self::Json | Self::Text => Ok(Value::from(text)),
            Self::Integer(style) => integer(text, style).map(Value::from),
            Self::Decimal(style) => decimal(text, style).map(Value::from),
            Self::Boolean => boolean(text).map(Value::from),
            Self::Date(format) => date(text, format.as_ref()).map(Value::from),
            Self::DateTime(format) => datetime(text, format.as_ref()).map(Value::from),
            Self::Url => {
                let url = page.absolute(text.trim());
                return url
                    .map(|url| Value::from(String::from(url)))
                    .ok_or_else(|| format!("expected a URL, found {:?}", shortened(text)));
            }
        };
        read.map_err(|error| error.to_string())
    }
}

/// `3` and `3.0` are whole.
fn whole(number: &Number) -> Result<Value, String> {
    if number.is_i64() || number.is_u64() {
        return Ok(Value::Number(number.clone()));
    }
    let exact = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < 9e15);
    exact
        .map(|value| Value::from(value as i64))
        .ok_or_else(|| format!("expected a whole number, found {number}"))
}

fn shortened(text: &str) -> String {
    let cut = text.floor_char_boundary(60);
    if cut < text.len() { format!("{}…", &text[..cut]) } else { text.to_owned() }
}
