//! Text of a page as a value of a Rust type.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::extract::convert::{self, DateFormat, NumberStyle};
use crate::page::{Page, json};
use crate::url::CanonicalUrl;

/// A value that stands in a page as text: `£51.77` for a number, `November 08, 1832` for a day.
///
/// Implemented for `String`, `bool`, the integers, `f32` and `f64`, [`Url`] and [`CanonicalUrl`] (made absolute),
/// [`Value`] (text that is JSON), [`Date`] and [`DateTime`]; [`convert`] has the rules by which numbers and dates are read.
/// The text has no white space at its ends and is never empty: an empty text is no value.
///
/// ```
/// use crawl::extract::typed::{FromText, Reading, Unreadable};
/// use crawl::prelude::*;
/// use crawl::testing;
///
/// #[derive(Debug, PartialEq)]
/// enum Stock { In, Out }
///
/// impl FromText for Stock {
///     fn from_text(text: &str, _: &Reading<'_>) -> Result<Self, Unreadable> {
///         match text {
///             "In stock" => Ok(Self::In),
///             "Sold out" => Ok(Self::Out),
///             other => Err(Unreadable::new(format!("`{other}` is neither `In stock` nor `Sold out`"))),
///         }
///     }
/// }
///
/// #[derive(Item)]
/// struct Book {
///     #[item(css = ".stock")]
///     stock: Stock,
/// }
///
/// let page = testing::page("https://shop.example/1", "<p class=stock> In   stock </p>");
/// assert_eq!(page.item::<Book>()?.stock, Stock::In);
/// let page = testing::page("https://shop.example/2", "<p class=stock>Perhaps</p>");
/// assert_eq!(
///     page.item::<Book>().err().unwrap().to_string(),
///     "https://shop.example/2: `Book.stock` (selector `.stock`) cannot be read: \
///      `Perhaps` is neither `In stock` nor `Sold out`"
/// );
/// # Ok::<(), ExtractError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a page",
    note = "derive `Item` for it, implement `FromText`, or name a parser: `#[item(css = \"…\", with = \"function\")]`"
)]
pub trait FromText: Sized {
    /// Reads the text.
    ///
    /// # Errors
    /// What was found and what is wanted.
    fn from_text(text: &str, reading: &Reading<'_>) -> Result<Self, Unreadable>;

    /// Reads a value of a JSON answer. Without code of its own, a text, a number and a truth value are read as text.
    ///
    /// # Errors
    /// As [`FromText::from_text`]; and for a list or an object.
    fn from_json(value: &Value, reading: &Reading<'_>) -> Result<Self, Unreadable> {
        match scalar(value) {
            Some(text) => Self::from_text(&text, reading),
            None => {
                Err(Unreadable::new("expected one value, found a list or an object: lengthen the JSONPath"))
            }
        }
    }
}

/// A text, a number or a truth value as text; `None` for everything else.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// How a text is to be read: on which page it stands, and what the field's attributes say.
pub struct Reading<'a> {
    pub(super) page: &'a Page,
    pub(super) numbers: &'a NumberStyle,
    pub(super) format: Option<&'a DateFormat>,
}

impl<'a> Reading<'a> {
    /// The page that the text stands on.
    #[must_use]
    pub fn page(&self) -> &'a Page {
        self.page
    }

    /// How numbers are written: `decimal_sign` of the field.
    #[must_use]
    pub fn numbers(&self) -> &'a NumberStyle {
        self.numbers
    }

    /// How dates are written: `format` of the field.
    #[must_use]
    pub fn format(&self) -> Option<&'a DateFormat> {
        self.format
    }
}

/// Why a text is not what was wanted. Made from every error, so that `?` works in [`FromText::from_text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

impl Unreadable {
    /// Says what was found and what is wanted.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    pub(super) fn into_reason(self) -> String {
        self.0
    }
}

// It is no `Error` itself: then this conversion could not stand beside that of every type into itself.
impl<E: std::error::Error> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A day, as ISO 8601 writes it: `1832-11-08`. Days are ordered as in the calendar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Date(String);

/// A moment, as RFC 3339 writes it, with the offset that the page has: `1994-11-06T08:49:37+01:00`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DateTime(String);

impl Date {
    /// The day as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DateTime {
    /// The moment as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for Date {
    fn from_text(text: &str, reading: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(Self(convert::date(text, reading.format)?))
    }
}

impl FromText for DateTime {
    fn from_text(text: &str, reading: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(Self(convert::datetime(text, reading.format)?))
    }
}

impl FromText for String {
    fn from_text(text: &str, _: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(text.to_owned())
    }
}

impl FromText for bool {
    fn from_text(text: &str, _: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(convert::boolean(text)?)
    }
}

impl FromText for Url {
    fn from_text(text: &str, reading: &Reading<'_>) -> Result<Self, Unreadable> {
        let url = reading.page.absolute(text);
        url.ok_or_else(|| Unreadable::new(format!("expected a URL, found {:?}", shortened(text))))
    }
}

impl FromText for CanonicalUrl {
    fn from_text(text: &str, reading: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(reading.page.join(text)?)
    }
}

impl FromText for Value {
    fn from_text(text: &str, _: &Reading<'_>) -> Result<Self, Unreadable> {
        json::read(text).map_err(|error| Unreadable::new(format!("expected JSON: {error}")))
    }

    fn from_json(value: &Value, _: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(value.clone())
    }
}

/// Integers and floats. A number in JSON is taken as it is, whatever the signs of the page's texts are.
macro_rules! numbers {
    ($($number:ty => $read:ident),* $(,)?) => {$(
        impl FromText for $number {
            fn from_text(text: &str, reading: &Reading<'_>) -> Result<Self, Unreadable> {
                $read(text, reading.numbers)
            }

            fn from_json(value: &Value, reading: &Reading<'_>) -> Result<Self, Unreadable> {
                match value {
                    Value::Number(_) => Ok(Self::deserialize(value)?),
                    other => match scalar(other) {
                        Some(text) => $read(&text, reading.numbers),
                        None => Err(Unreadable::new("expected a number, found a list or an object")),
                    },
                }
            }
        }
    )*};
}

numbers! {
    i8 => whole, i16 => whole, i32 => whole, i64 => whole, isize => whole,
    u8 => whole, u16 => whole, u32 => whole, u64 => whole, usize => whole,
    f32 => float32, f64 => float64,
}

fn whole<T: TryFrom<i64>>(text: &str, style: &NumberStyle) -> Result<T, Unreadable> {
    let number = convert::integer(text, style)?;
    let kind = std::any::type_name::<T>();
    T::try_from(number).map_err(|_| Unreadable::new(format!("{number} is out of the range of {kind}")))
}

fn float64(text: &str, style: &NumberStyle) -> Result<f64, Unreadable> {
    Ok(convert::decimal(text, style)?)
}

#[expect(clippy::cast_possible_truncation, reason = "who asks for an f32 wants the nearest one")]
fn float32(text: &str, style: &NumberStyle) -> Result<f32, Unreadable> {
    Ok(convert::decimal(text, style)? as f32)
}

/// The beginning of a text, for an error.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(80)]
}
