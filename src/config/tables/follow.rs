//! `[[follow]]`: which links are walked, and what travels with them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::fields::{self, FieldTable, compiled};
use super::ordered::ordered;
use super::pages::{css, patterns};
use super::sources::Ground;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::extract::json::JsonPath;
use crate::extract::xpath::XPath;
use crate::spider::declarative::FollowRule;

/// Which links are walked. Without any `[[follow]]` and `[[paginate]]` every link in scope is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Follow")]
pub(in crate::config) struct FollowTable {
    /// Only on pages that were reached with this label. Default: on all.
    on: Option<String>,
    /// Only links inside elements that match this CSS selector. Default: links anywhere.
    css: Option<String>,
    /// Only links inside elements that this XPath finds, or the URLs that it finds (`//li/a/@href`). Default: links anywhere.
    xpath: Option<String>,
    /// In a JSON answer: a JSONPath to URLs, or to objects with a URL in one of the members that `attrs` names.
    json: Option<String>,
    /// The pages behind the entries of a feed (RSS, Atom, JSON Feed). Default false.
    feed: Option<bool>,
    /// Which elements are links. Default: `a` and `area`; with `attrs` all that have one of these.
    tags: Option<Vec<String>>,
    /// Which attributes hold URLs; with `json` which members of an object do. Default: `href`, and `url` with `json`.
    attrs: Option<Vec<String>>,
    /// Only links whose text matches this regular expression; for a feed that is the entry's title. Default: all.
    text: Option<String>,
    /// Only links that match one of these, written as in `[scope] include`. Default: all.
    allow: Option<Vec<String>>,
    /// Not links that match one of these. Default: none.
    deny: Option<Vec<String>>,
    /// The label of the pages behind these links.
    label: Option<String>,
    /// -128 to 127; higher is asked earlier within a host. Default 0.
    priority: Option<i8>,
    /// Most links between a seed and the pages behind these. Default: no limit but `[scope] max-depth`.
    #[schemars(range(min = 1))]
    depth: Option<u32>,
    /// Most links of one page; the first ones are taken. Default: no limit.
    #[schemars(range(min = 1))]
    limit: Option<usize>,
    /// Values of this page that become fields of the items behind these links, written as `[extract.fields]`. They are looked for inside
    /// the element of `css` or `xpath` that holds the link; where there is none, on the whole page.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, FieldTable>")]
    data: Vec<(String, FieldTable)>,
    /// Names of values that become fields of the items behind these links: members of the JSON object that holds the link, fields of the
    /// item that holds it, or values that have travelled to this page themselves.
    carry: Option<Vec<String>>,
}

pub(in crate::config) fn build(tables: Vec<FollowTable>, check: &mut Check<'_>) -> Vec<FollowRule> {
    let places = check.items(&Path::of(&["follow"]));
    let rules = tables.into_iter().zip(places);
    rules.map(|(table, place)| table.build(&place, check)).collect()
}

impl FollowTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> FollowRule {
        self.check(place, check);
        let ground = self.ground();
        FollowRule {
            css: css(self.css.as_deref(), &place.key("css"), check),
            xpath: self.xpath.and_then(|text| check.taken(&place.key("xpath"), XPath::parse(&text))),
            json: self.json.and_then(|text| check.taken(&place.key("json"), JsonPath::parse(&text))),
            feed: self.feed == Some(true),
            tags: self.tags.unwrap_or_default(),
            attrs: self.attrs.unwrap_or_default(),
            text: self.text.and_then(|text| check.taken(&place.key("text"), compiled(&text))),
            allow: patterns(self.allow, &place.key("allow"), check),
            deny: patterns(self.deny, &place.key("deny"), check),
            on: self.on,
            label: self.label,
            priority: self.priority.unwrap_or_default(),
            depth: self.depth,
            limit: self.limit,
            data: fields::build(self.data, ground, &place.key("data"), check),
            carry: self.carry.unwrap_or_default(),
        }
    }

    /// What the values that travel are read from.
    fn ground(&self) -> Ground {
        if self.json.is_some() {
            return Ground::Value;
        }
        match self.css.is_some() || self.xpath.is_some() {
            true => Ground::Element,
            false => Ground::Page,
        }
    }

    fn check(&self, place: &Path, check: &mut Check<'_>) {
        let is_feed = self.feed == Some(true);
        check.must(
            self.css.is_none() || self.xpath.is_none(),
            &place.key("xpath"),
            "one rule, one place: keep either `css` or `xpath`",
        );
        let of_markup =
            [("css", self.css.is_some()), ("xpath", self.xpath.is_some()), ("tags", self.tags.is_some())];
        for (key, _) in of_markup.iter().filter(|(_, is_there)| *is_there) {
            check.must(
                self.json.is_none(),
                &place.key(key),
                "JSON has no elements: the rule's `json` alone says where the links are",
            );
            check.must(!is_feed, &place.key(key), "a feed has entries and no elements: remove it, or `feed`");
        }
        check.must(!(is_feed && self.json.is_some()), &place.key("json"), "keep either `json` or `feed`");
        check.must(
            !(is_feed && self.attrs.is_some()),
            &place.key("attrs"),
            "the links of a feed's entries are known: remove `attrs`",
        );
        check.must(
            !(self.text.is_some() && self.json.is_some()),
            &place.key("text"),
            "a URL in JSON has no text: choose with a filter in the JSONPath, as in $.items[?@.kind == 'a'].url",
        );
        check.must(
            self.depth != Some(0),
            &place.key("depth"),
            "expected 1 or more: a link is one link from its page",
        );
        check.must(
            self.limit != Some(0),
            &place.key("limit"),
            "expected 1 or more: with 0 the rule takes nothing",
        );
        for key in ["tags", "attrs", "carry"] {
            for name in check.items(&place.key(key)) {
                check.must(check.text(&name) != Some(""), &name, "expected a name");
            }
        }
    }
}
