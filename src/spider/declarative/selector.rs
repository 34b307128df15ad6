//! Selectors as Scrapy users write them: CSS with what to take at the end.

use super::Take;
use crate::extract::ExtractError;
use crate::page::css::Css;

/// A selector and what it says to take.
///
/// `h1::text` takes the text, `a::attr(href)` an attribute. Other than in Scrapy `::text` is the whole text with that of
/// the elements inside, not each text node for itself. `::text` alone means the scope's own element.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::spider::declarative::{FieldSelector, Take};
/// let read = FieldSelector::parse("li a::attr(href)")?;
/// assert_eq!(read.css.unwrap().as_str(), "li a");
/// assert!(matches!(read.take, Some(Take::Attribute(name)) if name == "href"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FieldSelector {
    /// Which elements; `None` for the scope's own.
    pub css: Option<Css>,
    /// What of them, if the selector says so.
    pub take: Option<Take>,
}

impl FieldSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`ExtractError::Selector`] if it is no CSS, or ends in something else than `::text` or `::attr(name)`.
    pub fn parse(text: &str) -> Result<Self, ExtractError> {
        let text = text.trim();
        let (css, take) = split(text)?;
        let css = css.trim();
        Ok(Self { css: if css.is_empty() && take.is_some() { None } else { Some(Css::parse(css)?) }, take })
    }
}

fn split(text: &str) -> Result<(&str, Option<Take>), ExtractError> {
    if let Some(css) = text.strip_suffix("::text") {
        return Ok((css, Some(Take::Text)));
    }
    let attribute = text.strip_suffix(')').and_then(|rest| rest.rsplit_once("::attr("));
    let Some((css, name)) = attribute else {
        return Ok((text, None));
    };
    let name = name.trim().trim_matches(['"', '\'']);
    if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || "()[]".contains(letter)) {
        return Err(ExtractError::Selector {
            selector: text.to_owned(),
            reason: "write the attribute's name in the brackets, as in ::attr(href)".to_owned(),
        });
    }
    Ok((css, Some(Take::Attribute(name.to_ascii_lowercase()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_css_says_nothing_of_what_to_take() {
        let read = FieldSelector::parse("h1.title").unwrap();
        assert_eq!(read.css.unwrap().as_str(), "h1.title");
        assert!(read.take.is_none());
    }

    #[test]
    fn text_alone_is_the_scope_itself() {
        let read = FieldSelector::parse("::text").unwrap();
        assert!(read.css.is_none());
        assert!(matches!(read.take, Some(Take::Text)));
    }

    #[test]
    fn what_is_no_selector_is_refused_with_its_text() {
        for text in ["", "h1::attr()", "h1::attr(a b)", "h1::html", "h1[", "a::text::text"] {
            let error = FieldSelector::parse(text).unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")) || text.contains("text"), "{error}");
        }
    }

    #[test]
    fn selectors_with_brackets_of_their_own_stay_whole() {
        let read = FieldSelector::parse("li:nth-child(2)").unwrap();
        assert_eq!(read.css.unwrap().as_str(), "li:nth-child(2)");
    }
}
