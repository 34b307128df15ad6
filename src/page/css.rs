//! CSS selectors, compiled once.

use std::borrow::Cow;

use scraper::error::SelectorErrorKind;

use super::{ExtractError, find};

/// A compiled CSS selector that remembers its text.
#[derive(Debug, Clone)]
pub struct Css {
    text: String,
    selector: scraper::Selector,
    /// It asks for elements anywhere before an element.
    pub(super) looks_back: bool,
}

impl Css {
    /// Compiles a selector.
    ///
    /// # Errors
    /// [`ExtractError::Selector`] with the selector and what is wrong.
    pub fn parse(text: &str) -> Result<Self, ExtractError> {
        let selector = scraper::Selector::parse(text)
            .map_err(|error| ExtractError::Selector { selector: text.to_owned(), reason: reason(&error) })?;
        Ok(Self { text: text.to_owned(), selector, looks_back: find::looks_back(text) })
    }

    /// The selector as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The compiled form.
    #[must_use]
    pub fn selector(&self) -> &scraper::Selector {
        &self.selector
    }
}

/// What is wrong with a selector. For what it takes for its own mistakes, the library has the names of its cases alone.
fn reason(error: &SelectorErrorKind) -> String {
    let SelectorErrorKind::UnexpectedSelectorParseError(kind) = error else { return error.to_string() };
    let name = format!("{kind:?}");
    let words = match name.split('(').next() {
        Some("DanglingCombinator") => "it ends where another part is expected",
        Some("EmptySelector") => "a part of it is empty",
        Some("UnsupportedPseudoClassOrElement") => {
            "a name behind its `:` is not known; XPath has more, as in //p[contains(., 'text')]"
        }
        _ => name.as_str(),
    };
    words.to_owned()
}

/// What can stand where a selector is asked for: a [`Css`] that was compiled before, or its text.
///
/// Compiling costs some microseconds; a spider that visits many pages keeps its selectors.
pub trait AsCss<'c> {
    /// The compiled selector.
    ///
    /// # Errors
    /// [`ExtractError::Selector`] if the text is no selector.
    fn css(self) -> Result<Cow<'c, Css>, ExtractError>;
}

impl<'c> AsCss<'c> for &'c Css {
    fn css(self) -> Result<Cow<'c, Css>, ExtractError> {
        Ok(Cow::Borrowed(self))
    }
}

impl<'c> AsCss<'c> for &str {
    fn css(self) -> Result<Cow<'c, Css>, ExtractError> {
        Css::parse(self).map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_selector_is_explained_in_words() {
        let told = |text| Css::parse(text).unwrap_err().to_string();
        assert_eq!(told("h1 >"), "`h1 >` is not a CSS selector: it ends where another part is expected");
        assert_eq!(told("a, "), "`a, ` is not a CSS selector: a part of it is empty");
        let jquery = "a name behind its `:` is not known; XPath has more, as in //p[contains(., 'text')]";
        assert_eq!(told("p:contains(\"x\")"), format!("`p:contains(\"x\")` is not a CSS selector: {jquery}"));
    }
}
