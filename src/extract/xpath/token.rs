//! Cuts an expression into tokens (XPath 3.7).
//!
//! `*`, `and`, `or`, `mod` and `div` are operators if something stands before them that an operator can follow, and names
//! if not.

use super::expr::{Comparison, Operator};

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, with its prefix if it has one; `a:*` too.
    Name(String),
    /// `*` as a name.
    Star,
    Literal(String),
    Number(f64),
    Operator(Operator),
    Slash,
    DoubleSlash,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Dot,
    DoubleDot,
    At,
    Comma,
    /// `::`
    Axis,
}

impl Token {
    /// Whether an operator may follow: it ends an operand.
    fn ends_operand(&self) -> bool {
        !matches!(
            self,
            Self::At
                | Self::Axis
                | Self::Open
                | Self::OpenBracket
                | Self::Comma
                | Self::Operator(_)
                | Self::Slash
                | Self::DoubleSlash
        )
    }
}

/// The tokens of an expression, each with the character it begins at, from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut found: Vec<(usize, Token)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return Ok(found);
        }
        let place = text[..text.len() - rest.len()].chars().count() + 1;
        let after_operand = found.last().is_some_and(|(_, token)| token.ends_operand());
        let (token, length) =
            next(rest, after_operand).map_err(|reason| format!("{reason} at character {place}"))?;
        found.push((place, token));
        rest = &rest[length..];
    }
}

fn next(rest: &str, after_operand: bool) -> Result<(Token, usize), String> {
    let first = rest.chars().next().unwrap_or_default();
    let digit_follows = rest[first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
    match first {
        '"' | '\'' => literal(rest, first),
        '0'..='9' => Ok(number(rest)),
        '.' if digit_follows => Ok(number(rest)),
        '*' if after_operand => Ok((Token::Operator(Operator::Times), 1)),
        '*' => Ok((Token::Star, 1)),
        '$' => Err("there are no variables: write the value itself".to_owned()),
        _ if is_name_start(first) => name(rest, after_operand),
        _ => sign(rest).ok_or_else(|| format!("unexpected `{first}`")),
    }
}

fn sign(rest: &str) -> Option<(Token, usize)> {
    let compare = |comparison| Token::Operator(Operator::Compare(comparison));
    let double = match rest.get(..2) {
        Some("//") => Some(Token::DoubleSlash),
        Some("..") => Some(Token::DoubleDot),
        Some("::") => Some(Token::Axis),
        Some("!=") => Some(compare(Comparison::Differs)),
        Some("<=") => Some(compare(Comparison::AtMost)),
        Some(">=") => Some(compare(Comparison::AtLeast)),
        _ => None,
    };
    if let Some(token) = double {
        return Some((token, 2));
    }
    let token = match rest.chars().next()? {
        '/' => Token::Slash,
        '(' => Token::Open,
        ')' => Token::Close,
        '[' => Token::OpenBracket,
        ']' => Token::CloseBracket,
        '.' => Token::Dot,
        '@' => Token::At,
        ',' => Token::Comma,
        '|' => Token::Operator(Operator::Union),
        '+' => Token::Operator(Operator::Plus),
        '-' => Token::Operator(Operator::Minus),
        '=' => compare(Comparison::Equal),
        '<' => compare(Comparison::Less),
        '>' => compare(Comparison::Greater),
        _ => return None,
    };
    Some((token, 1))
}

fn literal(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let inner = &rest[1..];
    let end = inner.find(quote).ok_or_else(|| format!("a text without its closing {quote}"))?;
    Ok((Token::Literal(inner[..end].to_owned()), end + 2))
}

fn number(rest: &str) -> (Token, usize) {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut length = digits(rest);
    if rest[length..].starts_with('.') {
        length += 1;
        length += digits(&rest[length..]);
    }
    // Digits with at most one dot among them are always a number to `parse`.
    (Token::Number(rest[..length].parse().unwrap_or(f64::NAN)), length)
}

fn name(rest: &str, after_operand: bool) -> Result<(Token, usize), String> {
    let length = name_length(rest);
    let word = &rest[..length];
    if after_operand {
        let operator = match word {
            "and" => Operator::And,
            "or" => Operator::Or,
            "mod" => Operator::Mod,
            "div" => Operator::Div,
            _ => return Err(format!("`{word}` stands where an operator is expected")),
        };
        return Ok((Token::Operator(operator), length));
    }
    let after = &rest[length..];
    let length = match after.strip_prefix(':') {
        Some(local) if local.starts_with('*') => length + 2,
        Some(local) if local.starts_with(is_name_start) => length + 1 + name_length(local),
        _ => length,
    };
    Ok((Token::Name(rest[..length].to_owned()), length))
}

fn name_length(text: &str) -> usize {
    text.len()
        - text.trim_start_matches(|c: char| is_name_start(c) || "-.".contains(c) || c.is_numeric()).len()
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}
