//! What a source finds, and the raw value that it is before it is cleaned.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use super::clean::{charge, weight};
use super::facts::Facts;
use super::rule::{FieldRule, JsonSource, Many, Query, Reach, Root, Take, WhiteSpace};
use crate::extract::ExtractError;
use crate::page::Page;
use crate::page::element::{Element, fold};
use crate::page::tree::MAX_DEPTH;

/// Where on a page fields are looked for, or a link stands.
#[derive(Clone, Copy)]
pub(super) enum Place<'f> {
    /// Anywhere.
    Page,
    /// At this element.
    Element(Element<'f>),
    /// In this value of JSON.
    Value(&'f Value),
}

impl<'f> Place<'f> {
    /// The place itself as something found: of a page its root element, or its body where that is JSON.
    pub(super) fn found(self, facts: &'f Facts<'_>) -> Option<Found<'f>> {
        match self {
            Self::Page if facts.page().is_html() => facts.page().root().map(Found::Element),
            Self::Page => facts.root(&Root::Scope).map(|value| Found::Value(Cow::Borrowed(value))),
            Self::Element(element) => Some(Found::Element(element)),
            Self::Value(value) => Some(Found::Value(Cow::Borrowed(value))),
        }
    }

    /// Whether a selector is asked of the whole document, where `<html>` itself may match too.
    pub(super) fn is_whole(self, page: &Page) -> bool {
        match self {
            Self::Page => page.is_html(),
            Self::Element(element) => element.name() == "html",
            Self::Value(_) => false,
        }
    }
}

/// What a source finds.
pub(super) enum Found<'f> {
    Page,
    Element(Element<'f>),
    Value(Cow<'f, Value>),
}

impl Found<'_> {
    pub(super) fn made(value: Value) -> Self {
        Found::Value(Cow::Owned(value))
    }

    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Found::Page => Place::Page,
            Found::Element(element) => Place::Element(*element),
            Found::Value(value) => Place::Value(value),
        }
    }
}

/// What a query finds. Where a list is wanted and the query names one value, which is a list, its entries are found.
pub(super) fn queried<'f>(
    facts: &'f Facts<'_>,
    source: &JsonSource,
    place: Place<'f>,
    many: Many,
) -> Result<Vec<Found<'f>>, ExtractError> {
    let root = match (&source.root, place) {
        (Root::Scope, Place::Value(value)) => Some(value),
        (Root::Scope, Place::Element(_)) => None,
        (root, _) => facts.root(root),
    };
    let asked: Vec<&Value> = match (source.reach, root) {
        (_, None) => Vec::new(),
        (Reach::Entries, Some(Value::Array(entries))) => entries.iter().collect(),
        (_, Some(root)) => vec![root],
    };
    let mut found = Vec::new();
    for root in asked {
        found.extend(opened(source.query.path.find_within(root, facts.steps())?, &source.query, many));
    }
    Ok(found.into_iter().map(|value| Found::Value(Cow::Borrowed(value))).collect())
}

/// The entries of a list that stands for them.
fn opened<'v>(found: Vec<&'v Value>, query: &Query, many: Many) -> Vec<&'v Value> {
    match found[..] {
        [Value::Array(entries)] if (query.finds, many) == (Many::First, Many::All) => {
            entries.iter().collect()
        }
        _ => found,
    }
}

/// What a query finds in the text of something found, or why it cannot be asked.
pub(super) fn staged(
    facts: &Facts<'_>,
    take: &Take,
    found: &Found<'_>,
    query: &Query,
    many: Many,
    left: &mut usize,
) -> Result<Vec<Value>, String> {
    let read = match found {
        Found::Value(value) => match &**value {
            Value::String(text) => crate::page::json::read(text),
            other => Ok(other.clone()),
        },
        Found::Element(element) => match markup(take, *element, *left) {
            Some(text) => {
                charge(left, text.len());
                crate::page::json::read(&text)
            }
            None => return Ok(Vec::new()),
        },
        Found::Page => crate::page::json::read(facts.page().text()),
    };
    let value = read.map_err(|error| format!("expected JSON: {error}"))?;
    let found = query.path.find_within(&value, facts.steps()).map_err(|error| error.to_string())?;
    let found = opened(found, query, many);
    let most = if many == Many::First { 1 } else { usize::MAX };
    let fits = |value: &&&Value| charge(left, weight(value, MAX_DEPTH));
    Ok(found.iter().take(most).take_while(fits).map(|value| (*value).clone()).collect())
}

/// The value of something found, tidied; `None` if there is none.
pub(super) fn raw(take: &Take, found: Found<'_>, field: &FieldRule, left: &mut usize) -> Option<Value> {
    let value = match found {
        Found::Element(element) => {
            let text = markup(take, element, *left)?;
            // Inside HTML white space can matter: only the ends are cut.
            let text = match (field.white_space, take) {
                (WhiteSpace::Keep, _) => text,
                (WhiteSpace::Trim, Take::Html) => text.trim().to_owned(),
                (WhiteSpace::Trim, _) => fold(&text),
            };
            *left = left.saturating_sub(text.len());
            Value::String(text)
        }
        Found::Value(value) => {
            if !charge(left, weight(&value, MAX_DEPTH)) {
                return None;
            }
            match (value.into_owned(), field.white_space) {
                (Value::String(text), WhiteSpace::Trim) => Value::String(fold(&text)),
                (value, _) => value,
            }
        }
        Found::Page => return None,
    };
    match (value, &field.regex) {
        (Value::String(text), Some(regex)) => part(regex, &text).map(Value::from),
        (value, _) => Some(value),
    }
}

/// What the field takes of an element. A URL in `href` and `src` is made absolute.
fn markup(take: &Take, element: Element<'_>, most: usize) -> Option<String> {
    match take {
        Take::Html => Some(element.html()),
        Take::Attribute(name) => {
            let url = matches!(name.as_str(), "href" | "src").then(|| element.url(name)).flatten();
            url.map(String::from).or_else(|| element.attr(name).map(str::to_owned))
        }
        Take::Text => Some(element.raw_text_up_to(most)),
    }
}

/// Group 1 if the expression has one, else the whole match.
fn part(regex: &Regex, text: &str) -> Option<String> {
    let found = regex.captures(text)?;
    let part = if regex.captures_len() > 1 { found.get(1)? } else { found.get(0)? };
    Some(part.as_str().to_owned())
}
