//! `[[extract]]`: what is taken from a page.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::fields::{self, FieldTable};
use super::ordered::ordered;
use super::sources::Ground;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::extract::xpath::XPath;
use crate::page::css::Css;
use crate::scope::UrlPattern;
use crate::spider::declarative::{ExtractRule, FieldSelector, ItemScope, JsonSource, Root};

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
    /// An XPath 1.0 expression: one item for each element or text that it finds.
    scope_xpath: Option<String>,
    /// A JSONPath: one item for each value that it finds, in an answer that is JSON or in the value of `script`.
    scope_json: Option<String>,
    /// What `scope-json` is asked of: a value in a script, by the name that it is assigned to, the script's `id`, or a media type for the list of
    /// all scripts of it. Default: the answer.
    script: Option<String>,
    /// A JSONPath into what the page describes as JSON-LD: one item for each value that it finds.
    scope_json_ld: Option<String>,
    /// A JSONPath into what the page describes as microdata: one item for each value that it finds.
    scope_microdata: Option<String>,
    /// One item for each entry of a feed. Default false.
    scope_feed: Option<bool>,
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
        let (scope, ground) = self.scope(place, check);
        ExtractRule {
            pages: patterns(self.pages, &place.key("pages"), check),
            scope,
            fields: fields::build(self.fields, ground, &place.key("fields"), check),
            label: self.label,
            kind: self.kind,
        }
    }

    /// What gives an item each, and what the fields stand below.
    fn scope(&self, place: &Path, check: &mut Check<'_>) -> (ItemScope, Ground) {
        self.check_scope(place, check);
        if let Some(text) = &self.scope {
            let css = css(Some(text), &place.key("scope"), check);
            return (css.map_or(ItemScope::Page, ItemScope::Css), Ground::Element);
        }
        if let Some(text) = &self.scope_xpath {
            let path = check.taken(&place.key("scope-xpath"), XPath::parse(text));
            return (path.map_or(ItemScope::Page, ItemScope::XPath), Ground::Element);
        }
        let script = self.script.as_ref().map_or(Root::Scope, |name| Root::Script(name.clone()));
        let sources = [
            ("scope-json", self.scope_json.as_deref(), script, Ground::Value),
            ("scope-json-ld", self.scope_json_ld.as_deref(), Root::JsonLd, Ground::Value),
            ("scope-microdata", self.scope_microdata.as_deref(), Root::Microdata, Ground::Value),
            (
                "scope-feed",
                (self.scope_feed == Some(true)).then_some("$.entries[*]"),
                Root::Feed,
                Ground::Entry,
            ),
        ];
        for (key, path, root, ground) in sources {
            if let Some(path) = path {
                let source = check.taken(&place.key(key), JsonSource::parse(root, path));
                return (source.map_or(ItemScope::Page, ItemScope::Json), ground);
            }
        }
        (ItemScope::Page, Ground::Page)
    }

    /// There is one scope, and a script only where something is asked of it.
    fn check_scope(&self, place: &Path, check: &mut Check<'_>) {
        let scopes = [
            ("scope", self.scope.is_some()),
            ("scope-xpath", self.scope_xpath.is_some()),
            ("scope-json", self.scope_json.is_some()),
            ("scope-json-ld", self.scope_json_ld.is_some()),
            ("scope-microdata", self.scope_microdata.is_some()),
            ("scope-feed", self.scope_feed == Some(true)),
        ];
        let named: Vec<_> = scopes.iter().filter(|(_, on)| *on).map(|(key, _)| *key).collect();
        if let [first, second, ..] = named[..] {
            check.wrong(
                &place.key(second),
                format!("a rule has one scope: keep either `{first}` or `{second}`"),
            );
        }
        if self.script.is_some() && self.scope_json.is_none() {
            check.wrong(
                &place.key("script"),
                "say which of its values give an item each: scope-json = \"$.items[*]\"",
            );
        }
        let is_empty = self.script.as_ref().is_some_and(|name| name.trim().is_empty());
        check.must(
            !is_empty,
            &place.key("script"),
            "expected the name of a value, the script's id or a media type",
        );
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
