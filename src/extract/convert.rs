//! Text of pages read as what it stands for: numbers, dates, yes and no.
//!
//! People write numbers and dates for people: `£51.77`, `1.234,50 €`, `In stock (22 available)`, `November 08, 1832`. What
//! such a text means is decided here by rules that can be read ([`numbers`](NumberStyle), [`dates`](date)), never by a
//! guess from other pages: what the rules leave open is an error that says which option decides it.
//!
//! Pure: no page, no locale of the machine, no clock. Every function is linear in its text.

mod dates;
mod numbers;

use std::fmt;

pub use dates::{DateFormat, date, datetime};
pub use numbers::{DecimalSign, NumberStyle, decimal, integer};

/// Letters of a text that an error shows.
const MAX_SHOWN: usize = 60;

/// A text that cannot be read as what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {wanted}, found {found:?}: {reason}")]
#[non_exhaustive]
pub struct ConvertError {
    /// What the text was to be.
    pub wanted: Wanted,
    /// The text, shortened.
    pub found: String,
    /// What is wrong with it, and what helps.
    pub reason: String,
}

impl ConvertError {
    fn new(wanted: Wanted, found: &str, reason: impl Into<String>) -> Self {
        Self { wanted, found: shortened(found), reason: reason.into() }
    }
}

/// What a text was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A day and a time of day.
    DateTime,
    /// A pattern for dates.
    Format,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "a whole number",
            Self::Decimal => "a number",
            Self::Boolean => "true or false",
            Self::Date => "a date",
            Self::DateTime => "a date with a time",
            Self::Format => "a date format",
        })
    }
}

/// Reads `true`, `yes`, `y`, `on` and `1`, or `false`, `no`, `n`, `off` and `0`, in any case and with white space around.
///
/// # Errors
/// If the text is none of these words.
///
/// ```
/// use crawl::extract::convert::boolean;
/// assert_eq!(boolean(" Yes "), Ok(true));
/// assert!(boolean("maybe").is_err());
/// ```
pub fn boolean(text: &str) -> Result<bool, ConvertError> {
    const TRUE: [&str; 5] = ["true", "yes", "y", "on", "1"];
    const FALSE: [&str; 5] = ["false", "no", "n", "off", "0"];
    let word = text.trim();
    let is = |words: [&str; 5]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    match (is(TRUE), is(FALSE)) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(ConvertError::new(
            Wanted::Boolean,
            text,
            "only true, yes, on, 1 and false, no, off, 0 are read; map other words to these",
        )),
    }
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    let text = text.trim();
    let mut shown: String =
        text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_yes_and_no_are_read_in_any_case() {
        for word in ["true", "YES", "y", "On", " 1 "] {
            assert_eq!(boolean(word), Ok(true), "{word}");
        }
        for word in ["False", "no", "N", "off", "0"] {
            assert_eq!(boolean(word), Ok(false), "{word}");
        }
        for word in ["", "truely", "in stock", "10"] {
            assert!(boolean(word).is_err(), "{word}");
        }
    }

    #[test]
    fn an_error_says_what_was_found_and_what_was_wanted() {
        let long = format!("{}\n", "x".repeat(1_000));
        let told = boolean(&long).unwrap_err().to_string();
        assert!(told.starts_with("expected true or false, found \"xxx"), "{told}");
        assert!(told.len() < 250, "{told}");
    }
}
