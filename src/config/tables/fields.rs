//! `[extract.fields]`: the fields of an item.
//!
//! A field is written in four parts, each of them optional: where it comes from (see [`super::sources`]), what of an element is
//! taken, how the text is cleaned, and what it is read as. What does not go together is reported at the key that should go.

use std::collections::BTreeMap;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::clean::{self, StepTable};
use super::ordered::ordered;
use super::seeds::or_text;
use super::sources::{ArticleName, Ground, SourceKey};
use super::words::Words;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::extract::convert::{DateFormat, DecimalSign, NumberStyle};
use crate::spider::declarative::{FieldRule, Kind, Many, Presence, Query, Source, Take, WhiteSpace};

/// What becomes a field: a CSS selector alone, or a table with more about it. A selector may end in `::text` or
/// `::attr(name)`; an empty one means the element of the scope itself. A field has one source (`css`, `xpath`, `json`, `script`,
/// `json-ld`, `microdata`, `og`, `meta`, `canonical`, `article`, `feed`, `header`, `status`, `url`, `value`) and takes one thing of an
/// element (`attr`, `text`, `html` or `fields`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename = "Field", rename_all = "kebab-case")]
#[schemars(rename = "Field", transform = or_text)]
pub(in crate::config) struct FieldTable {
    /// Which elements, as a CSS selector below the scope. Of a list the first that gives a value counts. Default: the element
    /// of the scope itself.
    pub(super) css: Option<Words>,
    /// Which elements or texts, as an XPath 1.0 expression that begins at the scope. Of a list the first that gives a value counts.
    pub(super) xpath: Option<Words>,
    /// Which values, as a JSONPath (RFC 9535): of the scope's value, or of an answer that is JSON; with `css`, `xpath`, `script`, `meta`,
    /// `og` or `header` of the JSON in the text that they find.
    pub(super) json: Option<String>,
    /// A value in a script: the name that it is assigned to, the script's `id`, or a media type for all scripts of it. `json` says
    /// what of it. Default: all of it.
    pub(super) script: Option<String>,
    /// A JSONPath into what the page describes as JSON-LD.
    pub(super) json_ld: Option<String>,
    /// A JSONPath into what the page describes as microdata.
    pub(super) microdata: Option<String>,
    /// A property of Open Graph, with or without `og:` in front.
    pub(super) og: Option<String>,
    /// The content of `<meta name>`.
    pub(super) meta: Option<String>,
    /// The URL that the page wants to be known by. Default false.
    pub(super) canonical: Option<bool>,
    /// A part of the page's main text, found by how pages are usually built.
    pub(super) article: Option<ArticleName>,
    /// A JSONPath into the feed, or into the entry where the scope is one.
    pub(super) feed: Option<String>,
    /// A header field of the answer.
    pub(super) header: Option<String>,
    /// The status code of the answer. Default false.
    pub(super) status: Option<bool>,
    /// Takes the URL of the page. Default false.
    pub(super) url: Option<bool>,
    /// Always this value.
    #[schemars(with = "Option<Value>")]
    pub(super) value: Option<Value>,
    /// Takes this attribute; `href` and `src` are made absolute. Default: the text.
    pub(super) attr: Option<String>,
    /// Takes the text of the element with that of everything inside. This is the default.
    pub(super) text: Option<bool>,
    /// Takes the inner HTML. Default false.
    pub(super) html: Option<bool>,
    /// Takes all elements or values as a list. Default false: the first.
    pub(super) list: Option<bool>,
    /// An item without this field is dropped and reported; in a nested table that entry is. Default false.
    pub(super) required: Option<bool>,
    /// The value if nothing matches, or what matches cannot be read as its type. Default: null.
    #[schemars(with = "Option<Value>")]
    pub(super) default: Option<Value>,
    /// White space is cut at both ends and folded inside. Default true for what comes out of elements, false for JSON and the like.
    pub(super) trim: Option<bool>,
    /// A regular expression on the text: group 1 if there is one, else the whole match.
    pub(super) regex: Option<String>,
    /// What is done to the text after that, step by step. Default: nothing.
    pub(super) clean: Option<Vec<StepTable>>,
    /// What the text is read as. Default: text stays text, values out of JSON stay what they are.
    pub(super) r#type: Option<FieldType>,
    /// The sign before the fraction of a number. Default: by rule, where `1,234.5` and `1.234,5` are the same number, a single comma
    /// before three digits groups and any other single sign is the decimal sign.
    pub(super) decimal_sign: Option<DecimalSignName>,
    /// How a date is written, with `%d`, `%m`, `%Y` and so on. Default: `2024-05-03`, `May 3, 2024`, `3 May 2024`, RFC 3339 and RFC 2822.
    pub(super) format: Option<String>,
    /// Makes a table of each element or value, with these fields.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, FieldTable>")]
    pub(super) fields: Vec<(String, FieldTable)>,
}

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FieldType {
    /// Text.
    Text,
    /// A whole number: the first in the text.
    Integer,
    /// A number: the first in the text.
    Decimal,
    /// True or false: `true`, `yes`, `on`, `1` and their opposites.
    Boolean,
    /// A day, given as `2024-05-03`.
    Date,
    /// A moment, given as `2024-05-03T10:00:00Z`.
    Datetime,
    /// A URL, made absolute.
    Url,
    /// JSON.
    Json,
}

/// The sign before the fraction of a number.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum DecimalSignName {
    /// As in `1,234.50`.
    #[serde(rename = ".")]
    Point,
    /// As in `1.234,50`.
    #[serde(rename = ",")]
    Comma,
}

/// The rules of the fields that stand at `path`, below a scope of this kind.
pub(in crate::config) fn build(
    fields: Vec<(String, FieldTable)>,
    ground: Ground,
    path: &Path,
    check: &mut Check<'_>,
) -> Vec<FieldRule> {
    fields
        .into_iter()
        .filter_map(|(name, field)| {
            let place = path.key(&name);
            field.build(name, ground, &place, check)
        })
        .collect()
}

impl FieldTable {
    fn build(self, name: String, ground: Ground, place: &Path, check: &mut Check<'_>) -> Option<FieldRule> {
        let from = self.from(place, check)?;
        from.check_ground(ground, place, check);
        let source = from.source(&self, ground, place, check)?;
        self.check_takes(&from, &source, ground, place, check);
        self.check_text(&from, place, check);
        let regex = match &self.regex {
            Some(regex) => Some(check.taken(&place.key("regex"), compiled(regex))?),
            None => None,
        };
        let json = match (&self.json, &source) {
            (None, _) | (_, Source::Json(_)) => None,
            (Some(json), _) => Some(check.taken(&place.key("json"), Query::parse(json))?),
        };
        let of_markup = json.is_none() && matches!(source, Source::Scope | Source::Css(_) | Source::XPath(_));
        let white_space = match self.trim.unwrap_or(of_markup) {
            true => WhiteSpace::Trim,
            false => WhiteSpace::Keep,
        };
        let kind = self.kind(place, check)?;
        let fields = if from.has_parts() || json.is_some() { self.fields } else { Vec::new() };
        let below = if json.is_some() { Ground::Value } else { from.ground_below(ground) };
        Some(FieldRule {
            name,
            json,
            regex,
            white_space,
            many: if self.list == Some(true) { Many::All } else { Many::First },
            presence: if self.required == Some(true) { Presence::Required } else { Presence::Optional },
            default: self.default.clone(),
            kind,
            clean: clean::build(self.clean.unwrap_or_default(), &place.key("clean"), check),
            fields: build(fields, below, &place.key("fields"), check),
            take: match (self.attr, self.html) {
                (Some(name), _) => Take::Attribute(name.trim().to_ascii_lowercase()),
                (None, Some(true)) => Take::Html,
                _ => Take::Text,
            },
            source,
        })
    }

    /// One thing is taken, and of something that has it.
    fn check_takes(
        &self,
        from: &SourceKey,
        source: &Source,
        ground: Ground,
        place: &Path,
        check: &mut Check<'_>,
    ) {
        let has_suffix =
            matches!(source, Source::Css(selectors) if selectors.iter().any(|one| one.take.is_some()));
        let takes = [
            ("::text` or `::attr()", has_suffix),
            ("attr", self.attr.is_some()),
            ("html", self.html == Some(true)),
            ("text", self.text == Some(true)),
            ("fields", !self.fields.is_empty() && self.json.is_none()),
        ];
        let taken: Vec<_> = takes.iter().filter(|(_, on)| *on).map(|(key, _)| *key).collect();
        if let [first, second, ..] = taken[..] {
            check.wrong(
                &place.key(second),
                format!("a field takes one thing: keep either `{first}` or `{second}`"),
            );
            return;
        }
        match taken[..] {
            ["fields"] if !from.has_parts() && self.json.is_none() => {
                let message = format!(
                    "`{}` gives a text, which has no fields of its own: remove one of the two",
                    from.key()
                );
                check.wrong(&place.key("fields"), message);
            }
            [key @ ("attr" | "html" | "text")] if !from.has_elements(ground) => {
                check.wrong(
                    &place.key(key),
                    format!("only elements have this, and `{}` gives none: remove it", from.key()),
                );
            }
            _ => {}
        }
        check.must(self.attr.as_deref() != Some(""), &place.key("attr"), "expected the name of an attribute");
    }

    /// What is said of the text, where there is one.
    fn check_text(&self, from: &SourceKey, place: &Path, check: &mut Check<'_>) {
        if self.required == Some(true) && self.default.is_some() {
            check.wrong(
                &place.key("default"),
                "a required field never needs a default: remove one of the two",
            );
        }
        let of_text = [
            ("regex", self.regex.is_some()),
            ("clean", self.clean.is_some()),
            ("type", self.r#type.is_some()),
            ("trim", self.trim.is_some()),
        ];
        let of_field = [
            ("list", self.list == Some(true)),
            ("required", self.required == Some(true)),
            ("default", self.default.is_some()),
        ];
        for (key, _) in of_text.iter().filter(|(_, on)| *on) {
            if !self.fields.is_empty() {
                check.wrong(
                    &place.key(key),
                    format!("a table has no text: put the `{key}` on one of its fields"),
                );
            }
        }
        if matches!(from, SourceKey::Value) {
            for (key, _) in of_text.iter().chain(&of_field).filter(|(_, on)| *on) {
                check.wrong(&place.key(key), "`value` is always there as it is written: remove this");
            }
        }
    }

    fn kind(&self, place: &Path, check: &mut Check<'_>) -> Option<Kind> {
        let style = NumberStyle {
            decimal_sign: self.decimal_sign.map(|sign| match sign {
                DecimalSignName::Point => DecimalSign::Point,
                DecimalSignName::Comma => DecimalSign::Comma,
            }),
        };
        let is_number = matches!(self.r#type, Some(FieldType::Integer | FieldType::Decimal));
        let is_date = matches!(self.r#type, Some(FieldType::Date | FieldType::Datetime));
        if self.decimal_sign.is_some() && !is_number {
            check.wrong(
                &place.key("decimal-sign"),
                "only numbers have one: add type = \"decimal\" or remove it",
            );
        }
        if self.format.is_some() && !is_date {
            check.wrong(&place.key("format"), "only dates have one: add type = \"date\" or remove it");
        }
        let format = match &self.format {
            Some(format) => Some(check.taken(&place.key("format"), DateFormat::parse(format))?),
            None => None,
        };
        Some(match self.r#type {
            None => Kind::Any,
            Some(FieldType::Text) => Kind::Text,
            Some(FieldType::Integer) => Kind::Integer(style),
            Some(FieldType::Decimal) => Kind::Decimal(style),
            Some(FieldType::Boolean) => Kind::Boolean,
            Some(FieldType::Date) => Kind::Date(format),
            Some(FieldType::Datetime) => Kind::DateTime(format),
            Some(FieldType::Url) => Kind::Url,
            Some(FieldType::Json) => Kind::Json,
        })
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
