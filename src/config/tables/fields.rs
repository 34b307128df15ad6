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
use crate::extract::css::Css;
use crate::spider::declarative::{FieldRule, Many, Presence, Take, WhiteSpace};

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
        self.check(place, check);
        let css_at = if check.is_there(&place.key("css")) {
            place.key("css")
        } else {
            place.clone()
        };
        let (css, suffix) = split_suffix(self.css.as_deref().unwrap_or_default());
        if suffix.is_some() && (self.attr.is_some() || self.html == Some(true)) {
            check.wrong(
                &css_at,
                "`::text` or `::attr()` already says what to take: remove it, or `attr` and `html`",
            );
        }
        let selector = match css {
            "" => None,
            css => Some(check.taken(&css_at, Css::parse(css))?),
        };
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

    fn take(self, suffix: Option<String>, place: &Path, check: &mut Check<'_>) -> Take {
        if !self.fields.is_empty() {
            return Take::Fields(build(self.fields, &place.key("fields"), check));
        }
        match (
            self.attr.or(suffix.filter(|name| !name.is_empty())),
            self.html,
            self.url,
        ) {
            (Some(name), ..) => Take::Attribute(name),
            (None, Some(true), _) => Take::Html,
            (None, _, Some(true)) => Take::Url,
            _ => Take::Text,
        }
    }

    fn check(&self, place: &Path, check: &mut Check<'_>) {
        let takes = [
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
            check.wrong(
                &place.key("regex"),
                "a table has no text: put the `regex` on one of its fields",
            );
        }
        check.must(
            self.attr.as_deref() != Some(""),
            &place.key("attr"),
            "expected the name of an attribute",
        );
    }
}

/// Cuts `::text` or `::attr(name)` off a selector; the name of the attribute, empty for the text.
pub(super) fn split_suffix(css: &str) -> (&str, Option<String>) {
    let css = css.trim();
    if let Some(css) = css.strip_suffix("::text") {
        return (css.trim_end(), Some(String::new()));
    }
    let attribute = css.strip_suffix(')').and_then(|css| css.rsplit_once("::attr("));
    match attribute {
        Some((css, name)) if !name.trim().is_empty() => (css.trim_end(), Some(name.trim().to_owned())),
        _ => (css, None),
    }
}

/// A regular expression, or what is wrong with it in one line.
fn compiled(regex: &str) -> Result<Regex, String> {
    Regex::new(regex).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        format!(
            "not a regular expression: {}",
            reason.trim_start_matches("error: ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_may_say_what_it_takes() {
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(split_suffix("h1::text"), ("h1", name("")));
        assert_eq!(
            split_suffix("li.next > a ::attr( href )"),
            ("li.next > a", name("href"))
        );
        assert_eq!(split_suffix("::attr(id)"), ("", name("id")));
        assert_eq!(split_suffix("a:not(.b)"), ("a:not(.b)", None));
    }
}
