//! Whether what stands in quotes is what it is meant to be: a selector, a pattern, a JSONPath, the format of a date.
//!
//! The same libraries as at run time judge here, so that what compiles can be relied on there.

use chrono::format::{Item, StrftimeItems};
use proc_macro2::Span;
use syn::{Error, LitStr, Result};

/// A selector in two parts: which elements, and the attribute that `::attr(name)` at its end asks for.
pub(crate) struct Selector {
    /// `None`: the scope's own element.
    pub(crate) css: Option<String>,
    /// What of it, if the selector says so.
    pub(crate) take: Option<Take>,
}

/// What a selector says to take.
pub(crate) enum Take {
    /// `::text`.
    Text,
    /// `::attr(name)`.
    Attribute(String),
}

/// Reads the selector of a field, in the same form as in crawler files.
pub(crate) fn field_selector(literal: &LitStr) -> Result<Selector> {
    let text = literal.value();
    let (css, take) = split(text.trim(), literal.span())?;
    let css = css.trim();
    if css.is_empty() && take.is_some() {
        return Ok(Selector { css: None, take });
    }
    css_at(css, literal.span())?;
    Ok(Selector { css: Some(css.to_owned()), take })
}

fn split(text: &str, span: Span) -> Result<(&str, Option<Take>)> {
    if let Some(css) = text.strip_suffix("::text") {
        return Ok((css, Some(Take::Text)));
    }
    let attribute = text.strip_suffix(')').and_then(|rest| rest.rsplit_once("::attr("));
    let Some((css, name)) = attribute else {
        return Ok((text, None));
    };
    let name = name.trim().trim_matches(['"', '\'']);
    attribute_name(name, span)?;
    Ok((css, Some(Take::Attribute(name.to_ascii_lowercase()))))
}

/// Judges an attribute's name.
pub(crate) fn attribute_name(name: &str, span: Span) -> Result<()> {
    if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || "()[]=<>".contains(letter)) {
        return Err(Error::new(span, format!("`{name}` is no attribute's name: write it as in `href`")));
    }
    Ok(())
}

/// Judges a selector of elements.
pub(crate) fn css(literal: &LitStr) -> Result<()> {
    css_at(&literal.value(), literal.span())
}

fn css_at(text: &str, span: Span) -> Result<()> {
    let judged = scraper::Selector::parse(text);
    judged.map(drop).map_err(|error| {
        let told = format!("`{text}` is not a CSS selector: {error}");
        let remedy = if text.contains("::") {
            "; of the `::` forms there are `::text` and `::attr(name)`, at the end of a field's `css`"
        } else {
            ""
        };
        Error::new(span, told + remedy)
    })
}

/// Judges a pattern. More than one group would leave open which part is meant.
pub(crate) fn regex(literal: &LitStr) -> Result<()> {
    let text = literal.value();
    let pattern = regex::Regex::new(&text).map_err(|error| {
        Error::new(literal.span(), format!("`{text}` is not a regular expression: {error}"))
    })?;
    if pattern.captures_len() > 2 {
        let told = "one group at most, the part that is taken: make the others `(?:…)`";
        return Err(Error::new(literal.span(), told));
    }
    Ok(())
}

/// Judges a JSONPath (RFC 9535).
pub(crate) fn json_path(literal: &LitStr) -> Result<()> {
    let text = literal.value();
    if !text.starts_with('$') {
        let told = format!("`{text}` is not a JSONPath: it begins with `$`, as in `$.a[0].b`");
        return Err(Error::new(literal.span(), told));
    }
    let judged = serde_json_path::JsonPath::parse(&text);
    judged
        .map(drop)
        .map_err(|error| Error::new(literal.span(), format!("`{text}` is not a JSONPath: {error}")))
}

/// Judges the format of a date.
pub(crate) fn date_format(literal: &LitStr) -> Result<()> {
    let text = literal.value();
    if !text.contains('%') || StrftimeItems::new(&text).any(|item| item == Item::Error) {
        let told = format!("`{text}` is not the format of a date: write it as in `%d.%m.%Y`");
        return Err(Error::new(literal.span(), told));
    }
    Ok(())
}

/// Judges a decimal sign.
pub(crate) fn decimal_sign(literal: &LitStr) -> Result<()> {
    if [".", ","].contains(&literal.value().as_str()) {
        return Ok(());
    }
    Err(Error::new(literal.span(), "a decimal sign is \".\" or \",\""))
}
