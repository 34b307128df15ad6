//! CSS selectors, compiled once.

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
        Ok(Self {
            text: text.to_owned(),
            selector,
        })
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
