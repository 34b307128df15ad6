//! The crawler's own name as robots.txt knows it (RFC 9309 section 2.2.1).

use serde::{Deserialize, Serialize};
use std::fmt;

/// The product token: the name that a `User-agent` line addresses (RFC 9309 section 2.2.1).
///
/// Only ASCII letters, `_` and `-`. It is compared without regard to case and as a whole: `Foo` is not
/// addressed by a line for `FooBot`. It has to be part of the `User-Agent` header that the crawler sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductToken(Box<str>);

/// Why a name cannot be used as a product token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductTokenError {
    /// The name is empty.
    #[error("the crawler's name is empty: give it a name of letters, `-` and `_`, for example `examplebot`")]
    Empty,
    /// The name holds a character that RFC 9309 section 2.2.1 does not permit.
    #[error(
        "the crawler's name {name:?} holds {found:?}, but robots.txt can only address letters, `-` and `_`: \
         leave out versions, digits and spaces, for example `examplebot`"
    )]
    Character {
        /// The name as given.
        name: String,
        /// The first character that is not permitted.
        found: char,
    },
}

impl ProductToken {
    /// Accepts `[A-Za-z_-]+` and nothing else, as RFC 9309 section 2.2.1 writes it.
    ///
    /// # Errors
    /// [`ProductTokenError`] when the name is empty or holds any other character.
    pub fn parse(name: &str) -> Result<Self, ProductTokenError> {
        if name.is_empty() {
            return Err(ProductTokenError::Empty);
        }
        match name.chars().find(|&c| !u8::try_from(c).is_ok_and(is_token_octet)) {
            None => Ok(Self(name.into())),
            Some(found) => Err(ProductTokenError::Character { name: name.to_owned(), found }),
        }
    }

    /// The token as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value of a `User-agent` line names this token. What follows the first octet that
    /// cannot be part of a token is not looked at: `FooBot/2.1` and `FooBot beta` name `FooBot`.
    pub(super) fn is_named_by(&self, value: &[u8]) -> bool {
        let end = value.iter().position(|&octet| !is_token_octet(octet)).unwrap_or(value.len());
        value[..end].eq_ignore_ascii_case(self.0.as_bytes())
    }
}

/// For whom a file is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Agent<'a> {
    /// A crawler with a valid token.
    Token(&'a ProductToken),
    /// A crawler whose name is no valid token, without what follows a slash.
    Name(&'a str),
}

impl Agent<'_> {
    /// Whether the value of a `User-agent` line addresses the agent by name. A name that is no token is compared whole
    /// with what stands before a slash or white space.
    pub(super) fn is_named_by(self, value: &[u8]) -> bool {
        let name = match self {
            Self::Token(token) => return token.is_named_by(value),
            Self::Name(name) => name.as_bytes(),
        };
        let is_end = |octet: &u8| *octet == b'/' || octet.is_ascii_whitespace();
        let end = value.iter().position(is_end).unwrap_or(value.len());
        !name.is_empty() && value[..end].eq_ignore_ascii_case(name)
    }
}

fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphabetic() || octet == b'-' || octet == b'_'
}

impl fmt::Display for ProductToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ProductToken {
    type Error = ProductTokenError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<ProductToken> for String {
    fn from(token: ProductToken) -> Self {
        token.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_letters_hyphen_and_underscore() {
        for name in ["Foobot", "Foobot-Bar", "Foo_Bar", "-", "_"] {
            assert_eq!(ProductToken::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(ProductToken::parse(""), Err(ProductTokenError::Empty));
        for name in ["ツ", "Foobot*", " Foobot ", "Foobot/2.1", "Foobot Bar", "bot1", "a\0"] {
            assert!(ProductToken::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_error_says_what_to_write_instead() {
        let said = ProductToken::parse("Foobot/2.1").unwrap_err().to_string();
        assert!(said.contains("'/'") && said.contains("leave out versions"), "{said}");
    }

    #[test]
    fn a_line_names_the_whole_token_in_any_case() {
        let token = ProductToken::parse("FooBot").unwrap();
        for value in ["foobot", "FOOBOT", "FooBot/2.1", "foobot beta", "FooBot*", "foobot,barbot", "foobot9"]
        {
            assert!(token.is_named_by(value.as_bytes()), "{value}");
        }
        for value in ["", "*", "foo", "foobots", "foobot-x", "*foobot", "x foobot", "/foobot"] {
            assert!(!token.is_named_by(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_name_that_is_no_token_is_compared_whole() {
        for value in ["Rule1Bot", "rule1bot/2.0", "RULE1BOT beta"] {
            assert!(Agent::Name("Rule1Bot").is_named_by(value.as_bytes()), "{value}");
        }
        for value in ["", "Rule", "Rule1", "Rule1Bots", "Rule2Bot"] {
            assert!(!Agent::Name("Rule1Bot").is_named_by(value.as_bytes()), "{value}");
        }
        assert!(!Agent::Name("Foo Bar").is_named_by(b"Foo Bar") && !Agent::Name("").is_named_by(b""));
    }
}
