//! What the value of a field must be.
//!
//! Values are judged as they are and never converted: `"12.50"` is a decimal as well as `12.5`, because a page gives text. Of a
//! list every element must fit, unless the type is `list`. What is null, or an empty text, is not there: only `required` minds.

use regex::Regex;
use serde_json::Value;

use super::template::as_text;
use crate::url::CanonicalUrl;

/// What a value must be.
#[derive(Debug, Clone, Default)]
pub struct ValueRule {
    /// Whether there must be one.
    pub required: bool,
    /// Of which type.
    pub of: Option<ValueType>,
    /// The least number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// Least length: characters of a text, elements of a list.
    pub min_length: Option<u64>,
    /// Greatest length.
    pub max_length: Option<u64>,
    /// A regular expression that finds something in its text.
    pub pattern: Option<Regex>,
    /// One of these texts.
    pub one_of: Vec<String>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A text.
    Text,
    /// A whole number, or the text of one.
    Integer,
    /// A number, or the text of one with a decimal point.
    Decimal,
    /// True or false, or the text of it.
    Boolean,
    /// The text of an http or https URL.
    Url,
    /// A date as in `2026-11-22`, alone or with a time behind it (RFC 3339).
    Date,
    /// A list.
    List,
    /// A table.
    Table,
}

impl ValueType {
    const fn wrong(self) -> &'static str {
        match self {
            Self::Text => "is no text",
            Self::Integer => "is no whole number",
            Self::Decimal => "is no decimal",
            Self::Boolean => "is neither true nor false",
            Self::Url => "is no URL",
            Self::Date => "is no date",
            Self::List => "is no list",
            Self::Table => "is no table",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::String(_))
            | (Self::List, Value::Array(_))
            | (Self::Table, Value::Object(_))
            | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer, Value::Number(number)) => {
                !number.is_f64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            (Self::Integer, Value::String(text)) => text.trim().parse::<i128>().is_ok(),
            (Self::Decimal, value) => number(value).is_some(),
            (Self::Boolean, Value::String(text)) => matches!(text.as_str(), "true" | "false"),
            (Self::Url, Value::String(text)) => CanonicalUrl::parse(text).is_ok(),
            (Self::Date, Value::String(text)) => is_date(text),
            _ => false,
        }
    }
}

impl ValueRule {
    /// What is wrong with a value, as in `is no decimal`. `None` if nothing is.
    #[must_use]
    pub fn fault(&self, value: Option<&Value>) -> Option<String> {
        let Some(value) = value.filter(|value| !is_empty(value)) else {
            return self.required.then(|| "is not there".to_owned());
        };
        self.length_fault(value).or_else(|| match value {
            Value::Array(values) if self.of != Some(ValueType::List) => {
                values.iter().find_map(|value| self.one_fault(value))
            }
            value => self.one_fault(value),
        })
    }

    fn length_fault(&self, value: &Value) -> Option<String> {
        let length = match value {
            Value::Array(values) => values.len() as u64,
            Value::String(text) => text.chars().count() as u64,
            _ => return None,
        };
        let short = self.min_length.filter(|min| length < *min).map(|min| format!("is shorter than {min}"));
        short.or_else(|| {
            self.max_length.filter(|max| length > *max).map(|max| format!("is longer than {max}"))
        })
    }

    fn one_fault(&self, value: &Value) -> Option<String> {
        if let Some(of) = self.of
            && !of.fits(value)
        {
            return Some(of.wrong().to_owned());
        }
        self.range_fault(value).or_else(|| self.text_fault(value))
    }

    fn range_fault(&self, value: &Value) -> Option<String> {
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        let Some(number) = number(value) else {
            return Some("is no number".to_owned());
        };
        let low = self.min.filter(|min| number < *min).map(|min| format!("is less than {min}"));
        low.or_else(|| self.max.filter(|max| number > *max).map(|max| format!("is more than {max}")))
    }

    fn text_fault(&self, value: &Value) -> Option<String> {
        if self.pattern.is_none() && self.one_of.is_empty() {
            return None;
        }
        let text = as_text(value);
        let unlike = self.pattern.as_ref().filter(|pattern| !pattern.is_match(&text));
        if let Some(pattern) = unlike {
            return Some(format!("does not match {pattern}"));
        }
        let unknown = !self.one_of.is_empty() && !self.one_of.contains(&text);
        unknown.then(|| "is none of the values that are allowed".to_owned())
    }
}

/// Whether a value is as good as none: null, white space, an empty list or table.
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The number that a value is, or that its text says.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// `2026-11-22`, and behind it nothing, or `T` or a space and a time.
fn is_date(text: &str) -> bool {
    let text = text.trim();
    let (Some(day), Some(rest)) = (text.get(..10), text.get(10..)) else { return false };
    let parts: Vec<_> = day.split('-').map(str::len).collect();
    let number = |range: std::ops::Range<usize>| {
        let part = day.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        part.and_then(|part| part.parse::<u16>().ok())
    };
    let (Some(year), Some(month), Some(date)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    let real = parts == [4, 2, 2] && (1..=12).contains(&month) && (1..=last).contains(&date);
    real && (rest.is_empty() || is_time(rest))
}

/// `T12:30`, with seconds, their parts and an offset or not.
fn is_time(text: &str) -> bool {
    let digits = |at: usize| {
        let part = text.get(at..at + 2).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        part.and_then(|part| part.parse::<u8>().ok())
    };
    let known = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'Z' | b'z');
    let clock = digits(1).is_some_and(|hour| hour < 24) && digits(4).is_some_and(|minute| minute < 60);
    text.starts_with(['T', 't', ' '])
        && text.get(3..4) == Some(":")
        && clock
        && text.bytes().skip(6).all(known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(of: ValueType) -> ValueRule {
        ValueRule { of: Some(of), ..ValueRule::default() }
    }

    #[test]
    fn types_take_values_and_their_texts() {
        let cases = [
            (ValueType::Decimal, json!("12.50"), json!("12,50")),
            (ValueType::Decimal, json!(3), json!("NaN")),
            (ValueType::Integer, json!("-7"), json!("7.5")),
            (ValueType::Integer, json!(7.0), json!(7.5)),
            (ValueType::Boolean, json!("true"), json!("yes")),
            (ValueType::Url, json!("https://a.example/"), json!("/relative")),
            (ValueType::Date, json!("2024-02-29"), json!("2026-02-29")),
            (ValueType::Date, json!("2026-11-22T10:30:00Z"), json!("22.11.2026")),
            (ValueType::Date, json!("2026-11-22 10:30"), json!("2026-11-22X")),
            (ValueType::Text, json!("x"), json!(1)),
            (ValueType::List, json!([1]), json!("x")),
            (ValueType::Table, json!({"a": 1}), json!("x")),
        ];
        for (kind, right, wrong) in cases {
            assert_eq!(of(kind).fault(Some(&right)), None, "{kind:?} {right}");
            assert_eq!(of(kind).fault(Some(&wrong)).as_deref(), Some(kind.wrong()), "{kind:?} {wrong}");
        }
    }

    #[test]
    fn of_a_list_every_element_must_fit() {
        assert_eq!(of(ValueType::Integer).fault(Some(&json!(["1", "2"]))), None);
        assert!(of(ValueType::Integer).fault(Some(&json!(["1", "x"]))).is_some());
    }

    #[test]
    fn what_is_not_there_is_only_wrong_where_it_is_required() {
        let rule = ValueRule { min: Some(1.0), ..of(ValueType::Decimal) };
        let required = ValueRule { required: true, ..rule.clone() };
        for nothing in [None, Some(json!(null)), Some(json!("  ")), Some(json!([]))] {
            assert_eq!(rule.fault(nothing.as_ref()), None);
            assert_eq!(required.fault(nothing.as_ref()).as_deref(), Some("is not there"));
        }
    }

    #[test]
    fn ranges_lengths_and_patterns_are_told_with_their_bounds() {
        let rule = ValueRule {
            min: Some(0.0),
            max: Some(10.0),
            min_length: Some(1),
            max_length: Some(3),
            pattern: Some(Regex::new("^[0-9.]+$").unwrap()),
            one_of: vec!["1".to_owned(), "9.5".to_owned()],
            ..ValueRule::default()
        };
        let cases = [
            (json!("9.5"), None),
            (json!(1), None),
            (json!("-1"), Some("is less than 0")),
            (json!("11"), Some("is more than 10")),
            (json!("1.25"), Some("is longer than 3")),
            (json!("1e0"), Some("does not match ^[0-9.]+$")),
            (json!("2"), Some("is none of the values that are allowed")),
            (json!("x"), Some("is no number")),
        ];
        for (value, wanted) in cases {
            assert_eq!(rule.fault(Some(&value)).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn odd_texts_are_no_dates_and_no_panic() {
        for text in
            ["", "é2026-11-2", "2026-11-é1", "20261122", "2026-1-222", "2026-11-22Té:00", "+026-01-01"]
        {
            let _ = is_date(text);
            assert_eq!(of(ValueType::Date).fault(Some(&json!(text))).is_some(), !text.is_empty(), "{text}");
        }
    }
}
