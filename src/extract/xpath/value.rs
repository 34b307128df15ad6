//! What an expression comes to, and how one type becomes another (XPath 3.2, 4.2 to 4.4).

/// A value: one of XPath's four types.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nodes in document order, each once.
    Nodes(Vec<u32>),
    Number(f64),
    Text(String),
    Boolean(bool),
}

impl Value {
    /// As a boolean: a number that is not zero, a text that is not empty, any node.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nodes(nodes) => !nodes.is_empty(),
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Boolean(is_true) => *is_true,
        }
    }
}

/// A text as a number: digits with at most one dot, a `-` before them and white space around them; anything else is NaN.
pub(super) fn number_of(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if is_number { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// A number as text: never with an exponent, and whole numbers without a dot.
pub(super) fn text_of_number(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number == 0.0 {
        "0".to_owned()
    } else {
        number.to_string()
    }
}

/// The nearest whole number, of two the greater (XPath 4.4).
pub(super) fn round(number: f64) -> f64 {
    let floor = number.floor();
    if number - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// XML's white space.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
