//! What the derive has read off a struct: where its items stand, and where each field comes from.
//!
//! Built once for a type. Selectors, paths and patterns were judged when the struct was compiled; building a shape from other
//! texts by hand panics on those that are wrong.

use std::fmt;

use regex::Regex;

use crate::extract::convert::{DateFormat, DecimalSign, NumberStyle};
use crate::extract::json::JsonPath;
use crate::page::css::Css;

/// The description of a struct that is read from pages.
#[derive(Debug)]
pub struct Shape {
    name: &'static str,
    kind: Option<&'static str>,
    scope: Option<Scope>,
    fields: Vec<Field>,
}

/// Where items stand: elements, or values of JSON.
#[derive(Debug, Default)]
pub struct Scope {
    pub(super) way: Way,
}

/// The way to a value: the elements that a selector finds, and in them the values that a JSONPath finds.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) css: Option<Css>,
    pub(super) json: Option<JsonPath>,
}

/// Where a field comes from.
#[derive(Debug)]
pub struct Field {
    pub(super) name: &'static str,
    pub(super) way: Way,
    pub(super) take: Take,
    pub(super) regex: Option<Regex>,
    pub(super) numbers: NumberStyle,
    pub(super) format: Option<DateFormat>,
}

/// What of an element becomes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Take {
    Text,
    Attribute(&'static str),
    Html,
    /// Nothing of the element: the page's URL.
    PageUrl,
}

impl Shape {
    /// A struct of this name, without fields.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, kind: None, scope: None, fields: Vec::new() }
    }

    /// Its items carry this kind.
    #[must_use]
    pub fn of_kind(mut self, kind: &'static str) -> Self {
        self.kind = Some(kind);
        self
    }

    /// An item for each element that matches.
    #[must_use]
    pub fn scope_css(mut self, css: &str) -> Self {
        self.scope.get_or_insert_default().way.css = Some(judged_css(css));
        self
    }

    /// An item for each value that the JSONPath finds.
    #[must_use]
    pub fn scope_json(mut self, path: &str) -> Self {
        self.scope.get_or_insert_default().way.json = Some(judged_path(path));
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// The struct's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The kind of its items.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    /// Where its items stand; `None` if the whole page is one.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// The field with this number, in the order in which they were added.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn at(&self, index: usize) -> &Field {
        &self.fields[index]
    }
}

impl Field {
    /// A field of this name that takes the text of its scope.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let numbers = NumberStyle::default();
        Self { name, way: Way::default(), take: Take::Text, regex: None, numbers, format: None }
    }

    /// Takes the elements that match.
    #[must_use]
    pub fn css(mut self, css: &str) -> Self {
        self.way.css = Some(judged_css(css));
        self
    }

    /// Takes the values that the JSONPath finds.
    #[must_use]
    pub fn json(mut self, path: &str) -> Self {
        self.way.json = Some(judged_path(path));
        self
    }

    /// Takes an attribute instead of the text.
    #[must_use]
    pub fn attribute(mut self, name: &'static str) -> Self {
        self.take = Take::Attribute(name);
        self
    }

    /// Takes the HTML inside instead of the text.
    #[must_use]
    pub fn html(mut self) -> Self {
        self.take = Take::Html;
        self
    }

    /// Takes the page's URL.
    #[must_use]
    pub fn page_url(mut self) -> Self {
        self.take = Take::PageUrl;
        self
    }

    /// Takes what the pattern matches: its group if it has one, else the whole match.
    ///
    /// # Panics
    /// If it is no pattern.
    #[must_use]
    pub fn regex(mut self, pattern: &str) -> Self {
        self.regex = Some(Regex::new(pattern).expect("the derive has judged the pattern"));
        self
    }

    /// Reads numbers with this sign before the fraction.
    #[must_use]
    pub fn decimal_sign(mut self, sign: &str) -> Self {
        let sign = if sign == "," { DecimalSign::Comma } else { DecimalSign::Point };
        self.numbers = NumberStyle { decimal_sign: Some(sign) };
        self
    }

    /// Reads dates that are written so.
    ///
    /// # Panics
    /// If it is no format.
    #[must_use]
    pub fn format(mut self, format: &str) -> Self {
        self.format = Some(DateFormat::parse(format).expect("the derive has judged the format"));
        self
    }
}

fn judged_css(css: &str) -> Css {
    Css::parse(css).expect("the derive has judged the selector")
}

fn judged_path(path: &str) -> JsonPath {
    JsonPath::parse(path).expect("the derive has judged the JSONPath")
}

/// In words, as errors name it: ``selector `a`, attribute `href` ``.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::from_iter(self.way.words());
        match self.take {
            Take::Attribute(name) => parts.push(format!("attribute `{name}`")),
            Take::Html => parts.push("HTML".to_owned()),
            Take::PageUrl => parts.push("the page's URL".to_owned()),
            Take::Text => {}
        }
        parts.extend(self.regex.as_ref().map(|regex| format!("pattern `{regex}`")));
        if parts.is_empty() {
            parts.push("its scope".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Vec::from_iter(self.way.words()).join(", "))
    }
}

impl Way {
    fn words(&self) -> impl Iterator<Item = String> {
        let css = self.css.as_ref().map(|css| format!("selector `{}`", css.as_str()));
        let json = self.json.as_ref().map(|path| format!("JSONPath `{}`", path.as_str()));
        css.into_iter().chain(json)
    }
}
