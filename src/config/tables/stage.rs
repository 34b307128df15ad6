//! `[[stage]]`: what happens to items between the page and the sinks.

use std::collections::BTreeMap;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::fields::compiled;
use super::names::Names;
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::stage::Cure;
use crate::stage::rule::{FieldCheck, NewValue, StageRule};
use crate::stage::template::Template;
use crate::stage::value::{ValueRule, ValueType};

/// What happens to items before they are written. Stages are applied in the order of the file; within one the order is `drop-if`,
/// `keep-if`, `validate`, `rename`, `set`, `remove`, `key`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Stage")]
pub(in crate::config) struct StageTable {
    /// Only items of these kinds. Default: all.
    kinds: Option<Vec<String>>,
    /// Fields with a regular expression each: an item is dropped if one of them is found. A field that is not there is empty.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    drop_if: Vec<(String, String)>,
    /// Fields with a regular expression each: an item is dropped unless all of them are found.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    keep_if: Vec<(String, String)>,
    /// Fields, and what each must be.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, CheckTable>")]
    validate: Vec<(String, CheckTable)>,
    /// What becomes of an item with a field that is not what it must be, unless `validate` says otherwise for the field. Default
    /// "drop".
    on_error: Option<OnError>,
    /// Fields and their new names: old = "new".
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    rename: Vec<(String, String)>,
    /// Fields and their new values. In a text, `{field}` stands for the value of a field, and alone copies it with its type; `{{`
    /// is a brace.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, Value>")]
    set: Vec<(String, Value)>,
    /// Fields that are taken out.
    remove: Option<Vec<String>>,
    /// Fields whose values together say which item it is: of all items of a round with the same key only the first is written.
    key: Option<Vec<String>>,
}

/// What a field must be. What is null or empty is not judged, unless it is `required`; of a list every element is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "FieldCheck")]
struct CheckTable {
    /// Whether it must have a value. Default false.
    required: Option<bool>,
    /// The type of its value; the text of a number is a number.
    #[serde(rename = "type")]
    of: Option<TypeName>,
    /// The least number.
    min: Option<f64>,
    /// The greatest number.
    max: Option<f64>,
    /// Least length: characters of a text, elements of a list.
    min_length: Option<u64>,
    /// Greatest length.
    max_length: Option<u64>,
    /// A regular expression that must be found in its text; `^` and `$` are its ends.
    pattern: Option<String>,
    /// The only values that it may have, as texts.
    one_of: Option<Vec<String>>,
    /// As in `[[stage]]`, for this field.
    on_error: Option<OnError>,
}

/// What becomes of an item with a field that is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum OnError {
    /// It is dropped.
    Drop,
    /// The field is null.
    Null,
    /// The field is left as it is, and it is reported.
    Keep,
}

impl OnError {
    const fn cure(self) -> Option<Cure> {
        match self {
            Self::Drop => None,
            Self::Null => Some(Cure::Nulled),
            Self::Keep => Some(Cure::Kept),
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum TypeName {
    /// A text.
    Text,
    /// A whole number, or the text of one.
    Integer,
    /// A number, or the text of one.
    Decimal,
    /// True or false, or the text of it.
    Boolean,
    /// The text of an http or https URL.
    Url,
    /// A date as in "2026-11-22", alone or with a time behind it.
    Date,
    /// A list.
    List,
    /// A table.
    Table,
}

impl TypeName {
    const fn of(self) -> ValueType {
        match self {
            Self::Text => ValueType::Text,
            Self::Integer => ValueType::Integer,
            Self::Decimal => ValueType::Decimal,
            Self::Boolean => ValueType::Boolean,
            Self::Url => ValueType::Url,
            Self::Date => ValueType::Date,
            Self::List => ValueType::List,
            Self::Table => ValueType::Table,
        }
    }

    const fn has_length(self) -> bool {
        matches!(self, Self::Text | Self::Url | Self::Date | Self::List)
    }

    const fn has_range(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal)
    }
}

/// The stages in their order, and what the items have behind the last. Each must speak of fields that are there by then.
pub(in crate::config) fn build(
    tables: Vec<StageTable>,
    mut names: Names,
    check: &mut Check<'_>,
) -> (Names, Vec<StageRule>) {
    let places = check.items(&Path::of(&["stage"]));
    let tables = tables.into_iter().zip(places);
    let stages = tables.map(|(table, place)| table.build(&place, &mut names, check)).collect();
    (names, stages)
}

impl StageTable {
    fn build(self, place: &Path, names: &mut Names, check: &mut Check<'_>) -> StageRule {
        self.check(place, check);
        let kinds = self.kinds.unwrap_or_default();
        for (kind, at) in kinds.iter().zip(check.items(&place.key("kinds"))) {
            names.check_kind(kind, &at, check);
        }
        let mut at = Fields { place, names, kinds: &kinds };
        let drop_if = at.patterns("drop-if", self.drop_if, check);
        let keep_if = at.patterns("keep-if", self.keep_if, check);
        let on_error = self.on_error.unwrap_or(OnError::Drop);
        let validate = at.checks(self.validate, on_error, check);
        let rename = at.renames(self.rename, check);
        let set = at.values(self.set, check);
        let remove = at.list("remove", self.remove, check);
        at.names.remove(&kinds, &remove);
        let key = at.list("key", self.key, check);
        StageRule { kinds, drop_if, keep_if, validate, rename, set, remove, key }
    }

    fn check(&self, place: &Path, check: &mut Check<'_>) {
        let does_nothing = self.drop_if.is_empty()
            && self.keep_if.is_empty()
            && self.validate.is_empty()
            && self.rename.is_empty()
            && self.set.is_empty()
            && self.remove.is_none()
            && self.key.is_none();
        if does_nothing {
            let keys = "drop-if, keep-if, validate, rename, set, remove or key";
            check.missing(place, format!("a stage does something: write {keys}"));
        }
        if self.on_error.is_some() && self.validate.is_empty() {
            check.wrong(
                &place.key("on-error"),
                "this is for `validate`, and there is none: add it, or remove this",
            );
        }
        for list in ["kinds", "remove", "key"] {
            let given = match list {
                "kinds" => &self.kinds,
                "remove" => &self.remove,
                _ => &self.key,
            };
            if given.as_ref().is_some_and(Vec::is_empty) {
                check.wrong(&place.key(list), "an empty list says nothing: name something, or remove it");
            }
        }
    }
}

/// A stage's fields, as they stand in the file and as the items have them.
struct Fields<'a> {
    place: &'a Path,
    names: &'a mut Names,
    kinds: &'a [String],
}

impl Fields<'_> {
    fn must_be_there(&self, field: &str, at: &Path, check: &mut Check<'_>) {
        self.names.check_field(self.kinds, field, at, check);
    }

    fn patterns(
        &self,
        key: &str,
        tests: Vec<(String, String)>,
        check: &mut Check<'_>,
    ) -> Vec<(String, Regex)> {
        let mut read = Vec::new();
        for (field, pattern) in tests {
            let at = self.place.key(key).key(&field);
            self.must_be_there(&field, &at, check);
            read.extend(check.taken(&at, compiled(&pattern)).map(|regex| (field, regex)));
        }
        read
    }

    fn checks(
        &self,
        tables: Vec<(String, CheckTable)>,
        on_error: OnError,
        check: &mut Check<'_>,
    ) -> Vec<FieldCheck> {
        let mut checks = Vec::new();
        for (field, table) in tables {
            let at = self.place.key("validate").key(&field);
            self.must_be_there(&field, &at, check);
            let cure = table.on_error.unwrap_or(on_error).cure();
            checks.push(FieldCheck { field, rule: table.build(&at, check), cure });
        }
        checks
    }

    fn renames(&mut self, pairs: Vec<(String, String)>, check: &mut Check<'_>) -> Vec<(String, String)> {
        let mut new: Vec<&str> = Vec::new();
        for (from, to) in &pairs {
            let at = self.place.key("rename").key(from);
            self.must_be_there(from, &at, check);
            check.must(!to.is_empty(), &at, "expected the new name of the field");
            if new.contains(&to.as_str()) {
                check.wrong(&at, format!("another field becomes {to:?} too: give each its own name"));
            }
            new.push(to);
        }
        self.names.rename(self.kinds, &pairs);
        pairs
    }

    fn values(&mut self, values: Vec<(String, Value)>, check: &mut Check<'_>) -> Vec<(String, NewValue)> {
        let mut read = Vec::new();
        for (field, value) in values {
            let at = self.place.key("set").key(&field);
            let value = match value {
                Value::String(text) => check.taken(&at, Template::parse(&text)).map(NewValue::Template),
                other => Some(NewValue::Constant(other)),
            };
            if let Some(NewValue::Template(template)) = &value {
                template.fields().for_each(|named| self.must_be_there(named, &at, check));
            }
            self.names.add(self.kinds, &field);
            read.extend(value.map(|value| (field, value)));
        }
        read
    }

    fn list(&self, key: &str, fields: Option<Vec<String>>, check: &mut Check<'_>) -> Vec<String> {
        let fields = fields.unwrap_or_default();
        for (field, at) in fields.iter().zip(check.items(&self.place.key(key))) {
            self.must_be_there(field, &at, check);
        }
        fields
    }
}

impl CheckTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> ValueRule {
        self.check(place, check);
        let pattern = self.pattern.and_then(|text| check.taken(&place.key("pattern"), compiled(&text)));
        ValueRule {
            required: self.required == Some(true),
            of: self.of.map(TypeName::of),
            min: self.min,
            max: self.max,
            min_length: self.min_length,
            max_length: self.max_length,
            pattern,
            one_of: self.one_of.unwrap_or_default(),
        }
    }

    fn check(&self, place: &Path, check: &mut Check<'_>) {
        let no_range = self.of.is_some_and(|of| !of.has_range());
        let no_length = self.of.is_some_and(|of| !of.has_length());
        for (key, is_there) in [("min", self.min.is_some()), ("max", self.max.is_some())] {
            check.must(
                !(is_there && no_range),
                &place.key(key),
                "only numbers have a range: see `min-length`",
            );
        }
        for (key, is_there) in
            [("min-length", self.min_length.is_some()), ("max-length", self.max_length.is_some())]
        {
            check.must(
                !(is_there && no_length),
                &place.key(key),
                "only texts and lists have a length: see `min`",
            );
        }
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            check.wrong(&place.key("min"), "nothing is that large and that small: `min` is above `max`");
        }
        if self.min_length.zip(self.max_length).is_some_and(|(min, max)| min > max) {
            check.wrong(
                &place.key("min-length"),
                "nothing is that long and that short: it is above `max-length`",
            );
        }
        let empty = self.one_of.as_ref().is_some_and(Vec::is_empty);
        check.must(!empty, &place.key("one-of"), "an empty list allows nothing: name the values");
        let judges = self.required == Some(true)
            || self.of.is_some()
            || self.min.is_some()
            || self.max.is_some()
            || self.min_length.is_some()
            || self.max_length.is_some()
            || self.pattern.is_some()
            || self.one_of.is_some();
        if !judges {
            check.missing(
                place,
                "say what the field must be, as in { type = \"decimal\", min = 0 } or { required = true }",
            );
        }
    }
}
