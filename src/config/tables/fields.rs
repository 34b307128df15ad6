//! `[extract.fields]`: the fields of an item.

use std::collections::BTreeMap;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::ordered::ordered;
use super::seeds::or_text;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::spider::declarative::{FieldRule, FieldSelector, Many, Presence, Take, WhiteSpace};

/// What becomes a field: a CSS selector alone, or a table with more about it. A selector may end in `::text` or
/// `::attr(name)`; an empty one means the element of the scope itself. `attr`, `html`, `url` and `fields` exclude each other.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename = "Field", rename_all = "kebab-case")]
#[schemars(rename = "Field", transform = or_text)]
pub(in crate::config) struct FieldTable {
    /// Which elements, as a CSS selector below the scope. Default: the element of the scope itself.
    css: Option<String>,
    /// Takes this attribute; `href` and `src` are made absolute. Default: the text.
    attr: Option<String>,
    /// Takes the text of the element with that of everything inside. This is the default.
    text: Option<bool>,
    /// Takes the inner HTML. Default false.
    html: Option<bool>,
    /// Takes the URL of the page. Default false.
    url: Option<bool>,
    /// Takes all elements as a list. Default false: the first.
    list: Option<bool>,
    /// An item without this field is dropped and reported. Default false.
    required: Option<bool>,
    /// The value if nothing matches. Default: null.
    #[schemars(with = "Option<Value>")]
    default: Option<Value>,
    /// White space is cut at both ends and folded inside. Default true.
    trim: Option<bool>,
    /// A regular expression on the text: group 1 if there is one, else the whole match.
    regex: Option<String>,
    /// Makes a table of each element, with these fields.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, FieldTable>")]
    fields: Vec<(String, FieldTable)>,
}

/// The rules of the fields that stand at `path`.
pub(in crate::config) fn build(
    fields: Vec<(String, FieldTable)>,
    path: &Path,
    check: &mut Check<'_>,
) -> Vec<FieldRule> {
    fields
        .into_iter()
        .filter_map(|(name, field)| {
            let place = path.key(&name);
            field.build(name, &place, check)
        })
        .collect()
}

impl FieldTable {
    fn build(self, name: String, place: &Path, check: &mut Check<'_>) -> Option<FieldRule> {
        let css_at = if check.is_there(&place.key("css")) { place.key("css") } else { place.clone() };
        let selected = match self.css.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(css) => Some(check.taken(&css_at, FieldSelector::parse(css))?),
        };
        let (selector, suffix) = selected.map_or((None, None), |selected| (selected.css, selected.take));
        self.check(suffix.is_some(), place, check);
        let regex = match &self.regex {
            Some(regex) => Some(check.taken(&place.key("regex"), compiled(regex))?),
            None => None,
        };
        let (many, presence, white_space) = (self.many(), self.presence(), self.white_space());
        Some(FieldRule {
            name,
            selector,
            regex,
            many,
            presence,
            white_space,
            default: self.default.clone(),
            take: self.take(suffix, place, check),
        })
    }

    fn many(&self) -> Many {
        match self.list {
            Some(true) => Many::All,
            _ => Many::First,
        }
    }

    fn presence(&self) -> Presence {
        match self.required {
            Some(true) => Presence::Required,
            _ => Presence::Optional,
        }
    }

    fn white_space(&self) -> WhiteSpace {
        match self.trim {
            Some(false) => WhiteSpace::Keep,
            _ => WhiteSpace::Trim,
        }
    }

    fn take(self, suffix: Option<Take>, place: &Path, check: &mut Check<'_>) -> Take {
        if !self.fields.is_empty() {
            return Take::Fields(build(self.fields, &place.key("fields"), check));
        }
        match (self.attr, self.html, self.url) {
            (Some(name), ..) => Take::Attribute(name),
            (None, Some(true), _) => Take::Html,
            (None, _, Some(true)) => Take::Url,
            _ => suffix.unwrap_or(Take::Text),
        }
    }

    fn check(&self, has_suffix: bool, place: &Path, check: &mut Check<'_>) {
        let takes = [
            ("::text` or `::attr()", has_suffix),
            ("attr", self.attr.is_some()),
            ("html", self.html == Some(true)),
            ("url", self.url == Some(true)),
            ("text", self.text == Some(true)),
            ("fields", !self.fields.is_empty()),
        ];
        let taken: Vec<_> = takes.iter().filter(|(_, on)| *on).map(|(key, _)| *key).collect();
        if let [first, second, ..] = taken[..] {
            check.wrong(
                &place.key(second),
                format!("a field takes one thing: keep either `{first}` or `{second}`"),
            );
        }
        if self.required == Some(true) && self.default.is_some() {
            check.wrong(
                &place.key("default"),
                "a required field never needs a default: remove one of the two",
            );
        }
        if self.regex.is_some() && !self.fields.is_empty() {
            check.wrong(&place.key("regex"), "a table has no text: put the `regex` on one of its fields");
        }
        check.must(self.attr.as_deref() != Some(""), &place.key("attr"), "expected the name of an attribute");
    }
}

/// A regular expression, or what is wrong with it in one line.
pub(super) fn compiled(regex: &str) -> Result<Regex, String> {
    Regex::new(regex).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        format!("not a regular expression: {}", reason.trim_start_matches("error: "))
    })
}
