//! `[[extract]]` and `[[follow]]`: what is taken from a page, and which links are walked.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::fields::{self, FieldTable};
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::plan::Seed;
use crate::config::problem::closest;
use crate::page::css::Css;
use crate::scope::UrlPattern;
use crate::spider::declarative::{ExtractRule, FieldSelector, FollowRule};

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

/// Which links are walked. Without any `[[follow]]` every link in scope is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Follow")]
pub(in crate::config) struct FollowTable {
    /// Only on pages that were reached with this label. Default: on all.
    on: Option<String>,
    /// Only links inside elements that match this CSS selector. Default: links anywhere.
    css: Option<String>,
    /// Only links that match one of these, written as in `[scope] include`. Default: all.
    allow: Option<Vec<String>>,
    /// Not links that match one of these. Default: none.
    deny: Option<Vec<String>>,
    /// The label of the pages behind these links.
    label: Option<String>,
    /// -128 to 127; higher is asked earlier within a host. Default 0.
    priority: Option<i8>,
}

pub(in crate::config) fn build_extract(tables: Vec<ExtractTable>, check: &mut Check<'_>) -> Vec<ExtractRule> {
    let places = check.items(&Path::of(&["extract"]));
    let rules = tables.into_iter().zip(places);
    rules.map(|(table, place)| table.build(&place, check)).collect()
}

pub(in crate::config) fn build_follow(tables: Vec<FollowTable>, check: &mut Check<'_>) -> Vec<FollowRule> {
    let places = check.items(&Path::of(&["follow"]));
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

impl FollowTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> FollowRule {
        FollowRule {
            css: css(self.css.as_deref(), &place.key("css"), check),
            allow: patterns(self.allow, &place.key("allow"), check),
            deny: patterns(self.deny, &place.key("deny"), check),
            on: self.on,
            label: self.label,
            priority: self.priority.unwrap_or_default(),
        }
    }
}

fn patterns(words: Option<Vec<String>>, path: &Path, check: &mut Check<'_>) -> Vec<UrlPattern> {
    check.each(path, &words.unwrap_or_default(), UrlPattern::parse)
}

fn css(text: Option<&str>, path: &Path, check: &mut Check<'_>) -> Option<Css> {
    let selected = check.taken(path, FieldSelector::parse(text?))?;
    if selected.take.is_some() {
        check.wrong(path, "write the selector alone: `::text` and `::attr()` only mean something in a field");
    }
    selected.css
}

/// Reports labels that are asked for and never given: such a rule would silently never apply.
pub(in crate::config) fn check_labels(
    seeds: &[(Path, Seed)],
    extract: &[ExtractRule],
    follow: &[FollowRule],
    check: &mut Check<'_>,
) {
    let given: BTreeSet<&str> = follow
        .iter()
        .filter_map(|rule| rule.label.as_deref())
        .chain(seeds.iter().filter_map(|(_, seed)| seed.label.as_deref()))
        .collect();
    let given: Vec<&str> = given.into_iter().collect();
    let asked = [
        ("extract", "label", extract.iter().map(|rule| rule.label.as_deref()).collect::<Vec<_>>()),
        ("follow", "on", follow.iter().map(|rule| rule.on.as_deref()).collect()),
    ];
    for (table, key, labels) in asked {
        let places = check.items(&Path::of(&[table]));
        for (label, place) in labels.into_iter().zip(places) {
            let Some(label) = label.filter(|label| !given.contains(label)) else {
                continue;
            };
            let hint = closest(label, &given).map(|meant| format!("did you mean \"{meant}\"?"));
            check.wrong_with(&place.key(key), "no seed and no [[follow]] gives this label", hint);
        }
    }
}
