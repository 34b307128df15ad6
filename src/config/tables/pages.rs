//! `[[extract]]`: what is taken from a page.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::fields::{self, FieldTable};
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::page::css::Css;
use crate::scope::UrlPattern;
use crate::spider::declarative::{ExtractRule, FieldSelector};

/// What to take from which pages.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Extract")]
pub(in crate::config) struct ExtractTable {
    /// Only on pages that were reached with this label. Default: on all.
    label: Option<String>,
    /// Only on pages whose URL matches one of these, written as in `[scope] include`. Default: on all.
    pages: Option<Vec<String>>,
    /// The kind that its items carry, for crawls with several.
    kind: Option<String>,
    /// A CSS selector: one item for each element that matches. Default: one item for the page.
    scope: Option<String>,
    /// The item's fields, in order: name = "css" or name = { css = "…", … }.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, FieldTable>")]
    fields: Vec<(String, FieldTable)>,
}

pub(in crate::config) fn build_extract(tables: Vec<ExtractTable>, check: &mut Check<'_>) -> Vec<ExtractRule> {
    let places = check.items(&Path::of(&["extract"]));
    let rules = tables.into_iter().zip(places);
    rules.map(|(table, place)| table.build(&place, check)).collect()
}

impl ExtractTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> ExtractRule {
        if self.fields.is_empty() {
            check.missing(
                &place.key("fields"),
                "an item needs fields: write [extract.fields] below it, with lines such as title = \"h1\"",
            );
        }
        ExtractRule {
            pages: patterns(self.pages, &place.key("pages"), check),
            scope: css(self.scope.as_deref(), &place.key("scope"), check),
            fields: fields::build(self.fields, &place.key("fields"), check),
            label: self.label,
            kind: self.kind,
        }
    }
}

pub(super) fn patterns(words: Option<Vec<String>>, path: &Path, check: &mut Check<'_>) -> Vec<UrlPattern> {
    check.each(path, &words.unwrap_or_default(), UrlPattern::parse)
}

pub(super) fn css(text: Option<&str>, path: &Path, check: &mut Check<'_>) -> Option<Css> {
    let selected = check.taken(path, FieldSelector::parse(text?))?;
    if selected.take.is_some() {
        check.wrong(path, "write the selector alone: `::text` and `::attr()` only mean something in a field");
    }
    selected.css
}
