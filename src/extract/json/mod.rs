//! Values out of JSON: JSONPath queries (RFC 9535), and the JSON that stands in scripts.
//!
//! A query is compiled once. What it costs depends on the document, and the document is the server's: one `..` visits every
//! value, each further `..` visits every value once for each value around it, a query from the root (`$`) inside of a
//! filter is asked again for every value. So the cost is bounded from above before a query runs, and what could exceed
//! [`MAX_STEPS`] is refused.

pub mod script;

pub use script::{script_value, scripts};

use serde_json::Value;

use super::ExtractError;

/// Values that a query may look at in one document.
pub const MAX_STEPS: u64 = 10_000_000;

/// What a regular expression costs beside a plain comparison: it is compiled for every value anew.
const REGEX_WEIGHT: u64 = 50;

/// Brackets inside of each other in a query: its parser goes down with each.
const MAX_NESTED: usize = 24;

/// A compiled JSONPath query that remembers its text.
///
/// ```
/// use crawl::extract::json::JsonPath;
/// # fn main() -> Result<(), crawl::extract::ExtractError> {
/// let cheap = JsonPath::parse("$.books[?@.price < 10].title")?;
/// let shop = serde_json::json!({ "books": [
///     { "title": "Sand", "price": 8.5 },
///     { "title": "Salt", "price": 12 },
/// ] });
/// assert_eq!(cheap.find(&shop)?, ["Sand"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    path: serde_json_path::JsonPath,
    shape: Shape,
}

impl JsonPath {
    /// Compiles a query. A text that does not begin with `$` is read as if `$.` stood before it (`$` before a bracket), as
    /// in `books[0].title`.
    ///
    /// # Errors
    /// [`ExtractError::JsonPath`] with what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, ExtractError> {
        let trimmed = text.trim();
        let full = match trimmed.chars().next() {
            Some('$') | None => trimmed.to_owned(),
            Some('[' | '.') => format!("${trimmed}"),
            Some(_) => format!("$.{trimmed}"),
        };
        let refused = |reason: String| ExtractError::JsonPath { path: text.to_owned(), reason };
        if nesting(&full) > MAX_NESTED {
            return Err(refused(format!("more than {MAX_NESTED} brackets lie inside of each other")));
        }
        let path = serde_json_path::JsonPath::parse(&full).map_err(|error| refused(error.to_string()))?;
        Ok(Self { text: text.to_owned(), path, shape: Shape::of(&full) })
    }

    /// The query as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// All values that the query finds, in the order of the document.
    ///
    /// # Errors
    /// [`ExtractError::TooMuch`] if it could look at more than [`MAX_STEPS`] values.
    pub fn find<'v>(&self, value: &'v Value) -> Result<Vec<&'v Value>, ExtractError> {
        if self.shape.cost(value) > MAX_STEPS {
            return Err(ExtractError::TooMuch { query: self.text.clone(), steps: MAX_STEPS });
        }
        Ok(self.path.query(value).all())
    }
}

/// What in a query makes its cost grow with the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// How often it says `..`.
    descents: u32,
    /// Whether a filter asks for many values from the root.
    searches_root: bool,
    has_regex: bool,
}

impl Shape {
    fn of(query: &str) -> Self {
        let bare = without_quoted(query);
        let inner = bare.get(1..).and_then(|rest| rest.split_once('$')).map(|(_, inner)| inner);
        let is_many = |query: &str| query.contains("..") || query.contains(['*', ':', '?']);
        Self {
            descents: u32::try_from(bare.matches("..").count()).unwrap_or(u32::MAX),
            searches_root: inner.is_some_and(is_many),
            has_regex: bare.contains("match(") || bare.contains("search("),
        }
    }

    /// An upper bound of the values that are looked at.
    fn cost(self, value: &Value) -> u64 {
        if self == (Self { descents: 0, searches_root: false, has_regex: false }) {
            return 0;
        }
        let power = self.descents.saturating_sub(1);
        let (mut count, mut visits) = (0_u64, 0_u64);
        let mut open = vec![(value, 1_u64)];
        while let Some((value, depth)) = open.pop() {
            count += 1;
            visits = visits.saturating_add(depth.saturating_pow(power));
            match value {
                Value::Array(list) => open.extend(list.iter().map(|inner| (inner, depth + 1))),
                Value::Object(object) => open.extend(object.values().map(|inner| (inner, depth + 1))),
                _ => {}
            }
        }
        let searched = if self.searches_root { count } else { 1 };
        let matched = if self.has_regex { REGEX_WEIGHT } else { 1 };
        visits.saturating_mul(searched).saturating_mul(matched)
    }
}

/// How many brackets of a query are open at once.
fn nesting(query: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for c in without_quoted(query).chars() {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// The query with its string literals cut out.
fn without_quoted(query: &str) -> String {
    let mut bare = String::with_capacity(query.len());
    let (mut quote, mut escaped) = (None, false);
    for c in query.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None => bare.push(c),
        }
    }
    bare
}

#[cfg(test)]
mod tests;
