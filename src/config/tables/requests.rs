//! `[[requests]]`: many requests of one shape.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::content::{ContentKeys, MethodWord};
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::request::Request;
use crate::spider::declarative::{BodyRule, Ids, RequestRule, SeedError, Values, places};
use crate::url::Canon;

/// Many requests of one shape: for ids from a list or a file, and for every combination of some values. Places such as `{ids}` and
/// `{year}` may stand in the path and query of `url`, in `body`, and in the texts of `json`, `form` and `data`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Requests")]
pub(in crate::config) struct RequestTable {
    /// The URL, with its places.
    url: Option<String>,
    /// The ids for `{ids}`.
    #[schemars(with = "Option<Vec<Value>>")]
    ids: Option<Vec<Value>>,
    /// A file of ids, one a line, relative to the current directory. It is read while the crawl begins, and never held in memory.
    ids_file: Option<PathBuf>,
    /// Ids of one request. Default 1; then `{id}` may be written too.
    #[schemars(range(min = 1))]
    batch: Option<usize>,
    /// What stands between the ids of one request. In `json` a text that is `{ids}` alone becomes a list. Default ",".
    join: Option<String>,
    /// Names of places, and their values: a range of numbers such as "2001..2024" (both included) or a list. Every combination is
    /// asked for.
    #[serde(rename = "for", deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, Value>")]
    ranges: Vec<(String, Value)>,
    /// The label of the answers: `[[extract]]`, `[[follow]]` and `[[paginate]]` can ask for it.
    label: Option<String>,
    /// -128 to 127; higher is asked earlier within a host. Default 0.
    priority: Option<i8>,
    /// "GET" or "POST". Default: GET, with a body POST.
    method: Option<MethodWord>,
    /// Header fields of these requests alone. Credentials belong in `[hosts."name".headers]`.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    headers: Vec<(String, String)>,
    /// The body as text; its `Content-Type` belongs in `headers`.
    body: Option<String>,
    /// The body as JSON.
    #[schemars(with = "Option<Value>")]
    json: Option<Value>,
    /// The body as the fields of a form.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    form: Vec<(String, String)>,
    /// Values that become fields of the items of their pages.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, Value>")]
    data: Vec<(String, Value)>,
}

/// A rule with its place in the file, and the first of its requests.
pub(in crate::config) struct Shape {
    pub(in crate::config) place: Path,
    pub(in crate::config) rule: RequestRule,
    /// None where there is nothing to ask for, and at the demo site, which has no URL yet.
    pub(in crate::config) first: Option<Request>,
}

pub(in crate::config) fn build(
    tables: Vec<RequestTable>,
    canon: &Canon,
    check: &mut Check<'_>,
) -> Vec<Shape> {
    let places = check.items(&Path::of(&["requests"]));
    let shapes = tables.into_iter().zip(places);
    shapes.filter_map(|(table, place)| table.build(place, canon, check)).collect()
}

impl RequestTable {
    fn build(self, place: Path, canon: &Canon, check: &mut Check<'_>) -> Option<Shape> {
        let Some(url) = self.url else {
            check.missing(&place.key("url"), "where to? Write a url, with places such as {ids} in it");
            return None;
        };
        let ids = ids(self.ids, self.ids_file, &place, check);
        let batch = self.batch.unwrap_or(1);
        check.must(batch > 0, &place.key("batch"), "expected 1 or more");
        check.must(
            self.batch.is_none() || ids.is_some(),
            &place.key("batch"),
            "ids of what? Write `ids` or `ids-file`",
        );
        check.must(
            self.join.is_none() || ids.is_some(),
            &place.key("join"),
            "ids of what? Write `ids` or `ids-file`",
        );
        let Self { method, headers, body, json, form, .. } = self;
        let content = ContentKeys { method, headers, body, json, form }.build(&place, check);
        let rule = RequestRule {
            url,
            canon: canon.clone(),
            method: content.method,
            headers: content.headers,
            body: content.body,
            ids,
            batch,
            join: self.join.unwrap_or_else(|| ",".to_owned()),
            ranges: ranges(self.ranges, &place.key("for"), check),
            label: self.label,
            priority: self.priority.unwrap_or_default(),
            data: Map::from_iter(self.data),
        };
        check_places(&rule, &place, check);
        let first = first(&rule, &place, check);
        Some(Shape { place, rule, first })
    }
}

fn ids(list: Option<Vec<Value>>, file: Option<PathBuf>, place: &Path, check: &mut Check<'_>) -> Option<Ids> {
    if list.is_some() && file.is_some() {
        check.wrong(&place.key("ids-file"), "keep either `ids` or `ids-file`");
    }
    if let Some(list) = list {
        check.must(!list.is_empty(), &place.key("ids"), "there are no ids: nothing would be asked for");
        return Some(Ids::List(words(&list, &place.key("ids"), check)));
    }
    file.map(Ids::File)
}

/// Texts and numbers as texts.
fn words(list: &[Value], place: &Path, check: &mut Check<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for (value, place) in list.iter().zip(check.items(place)) {
        match value {
            Value::String(text) => words.push(text.clone()),
            Value::Number(number) => words.push(number.to_string()),
            _ => check.wrong(&place, "expected a text or a number"),
        }
    }
    words
}

fn ranges(ranges: Vec<(String, Value)>, place: &Path, check: &mut Check<'_>) -> Vec<(String, Values)> {
    let all = ranges.into_iter().map(|(name, value)| {
        let place = place.key(&name);
        let is_taken = matches!(name.as_str(), "id" | "ids");
        check.must(!is_taken, &place, "this place is for `ids`: give it another name");
        let values = match &value {
            Value::Array(list) => Some(Values::List(words(list, &place, check))),
            Value::String(text) => range(text),
            _ => None,
        };
        match &values {
            None => check.wrong(&place, "expected a range such as \"2001..2024\", or a list of values"),
            Some(values) if values.is_empty() => {
                check.wrong(&place, "there is no value in it: nothing would be asked for");
            }
            Some(_) => {}
        }
        (name, values.unwrap_or(Values::List(Vec::new())))
    });
    all.collect()
}

fn range(text: &str) -> Option<Values> {
    let (from, to) = text.split_once("..")?;
    Some(Values::Range(from.trim().parse().ok()?, to.trim().parse().ok()?))
}

/// Each place has its values, and all values have a place.
fn check_places(rule: &RequestRule, place: &Path, check: &mut Check<'_>) {
    let mut used: Vec<&str> = places(&rule.url).collect();
    for name in &used {
        let is_id = matches!(*name, "id" | "ids") && rule.ids.is_some();
        if !is_id && !rule.ranges.iter().any(|(known, _)| known == name) {
            let message = match *name {
                "id" | "ids" => "{ids} has no values: write `ids` or `ids-file`".to_owned(),
                name => format!("{{{name}}} has no values: write for = {{ {name} = [\"…\"] }}"),
            };
            check.wrong(&place.key("url"), message);
        }
    }
    let mut texts: Vec<&str> = Vec::new();
    match &rule.body {
        Some(BodyRule::Text(text)) => texts.push(text),
        Some(BodyRule::Form(fields)) => texts.extend(fields.iter().map(|(_, value)| value.as_str())),
        Some(BodyRule::Json(value)) => texts_of(value, &mut texts),
        None => {}
    }
    rule.data.values().for_each(|value| texts_of(value, &mut texts));
    used.extend(texts.into_iter().flat_map(places));
    let ids_at =
        if rule.ids.as_ref().is_some_and(|ids| matches!(ids, Ids::File(_))) { "ids-file" } else { "ids" };
    let has_ids = used.iter().any(|name| matches!(*name, "id" | "ids"));
    check.must(
        rule.ids.is_none() || has_ids,
        &place.key(ids_at),
        "no place for them: write {ids} where they go",
    );
    if rule.batch > 1 && used.contains(&"id") {
        check.wrong(&place.key("batch"), "{id} is one id: write {ids} where several go");
    }
    for (name, _) in rule.ranges.iter().filter(|(name, _)| !used.contains(&name.as_str())) {
        check.wrong(&place.key("for").key(name), format!("no place for it: write {{{name}}} where it goes"));
    }
}

fn texts_of<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(list) => list.iter().for_each(|inner| texts_of(inner, texts)),
        Value::Object(members) => members.values().for_each(|inner| texts_of(inner, texts)),
        _ => {}
    }
}

/// The first request; what is wrong with it is wrong with all.
fn first(rule: &RequestRule, place: &Path, check: &mut Check<'_>) -> Option<Request> {
    let behind_scheme = rule.url.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let host = behind_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    if places(host).next().is_some() {
        check.wrong(&place.key("url"), "a host cannot have places: write a [[requests]] for each host");
        return None;
    }
    if rule.is_demo() {
        check.must(
            rule.url.starts_with("demo:/"),
            &place.key("url"),
            "write `demo:/path` for a page of the demo site",
        );
        return None;
    }
    match rule.requests().next()? {
        Ok(request) => Some(request),
        Err(error) => {
            let key = if matches!(error, SeedError::File { .. }) { "ids-file" } else { "url" };
            check.wrong(&place.key(key), error.to_string());
            None
        }
    }
}
