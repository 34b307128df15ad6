//! CSS selectors, compiled once.

use std::borrow::Cow;

use super::ExtractError;

/// A compiled CSS selector that remembers its text.
#[derive(Debug, Clone)]
pub struct Css {
    text: String,
    selector: scraper::Selector,
}

impl Css {
    /// Compiles a selector.
    ///
    /// # Errors
    /// [`ExtractError::Selector`] with the selector and what is wrong.
    pub fn parse(text: &str) -> Result<Self, ExtractError> {
        let selector = scraper::Selector::parse(text).map_err(|error| ExtractError::Selector {
            selector: text.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { text: text.to_owned(), selector })
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
