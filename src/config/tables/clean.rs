//! `clean = [ … ]`: the steps that a text goes through.

use regex::Regex;
use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::fields::compiled;
use super::ordered::ordered;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::spider::declarative::Step;

/// One step: its name alone, or a table with one of these keys (`with` belongs to `replace`; `prefix` and `suffix` may stand together).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename = "Step", rename_all = "kebab-case")]
#[schemars(rename = "Step", transform = or_name)]
pub(in crate::config) struct StepTable {
    /// A step that has nothing to set.
    step: Option<StepName>,
    /// Takes out what matches this regular expression.
    remove: Option<String>,
    /// What matches this regular expression becomes the text of `with`.
    replace: Option<String>,
    /// What stands in the place of what matches; `$1` is a group, `$$` a dollar sign.
    with: Option<String>,
    /// Makes a list: the parts between this separator, white space around them cut and empty ones left out.
    split: Option<String>,
    /// Makes one text of a list, with this separator between.
    join: Option<String>,
    /// Put in front.
    prefix: Option<String>,
    /// Put behind.
    suffix: Option<String>,
    /// A text that is a key of this table becomes its value; others stay.
    #[serde(deserialize_with = "ordered")]
    #[schemars(with = "std::collections::BTreeMap<String, Value>")]
    map: Vec<(String, Value)>,
    /// Keeps at most so many characters.
    take: Option<usize>,
}

/// Steps that have nothing to set.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StepName {
    /// White space at both ends is cut.
    Trim,
    /// White space at both ends is cut, runs inside become one space.
    Collapse,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
    /// The text of markup, without its tags, scripts and styles.
    StripTags,
    /// Character references such as `&amp;` become the characters.
    Unescape,
}

/// Adds the short form, the name of a step alone, to the schema of a table.
fn or_name(schema: &mut Schema) {
    let table = std::mem::take(schema);
    *schema = json_schema!({ "anyOf": [{ "$ref": "#/$defs/StepName" }, table] });
}

/// The steps of the list at `path`.
pub(in crate::config) fn build(steps: Vec<StepTable>, path: &Path, check: &mut Check<'_>) -> Vec<Step> {
    let places = check.items(path);
    steps.into_iter().zip(places).filter_map(|(step, place)| step.build(&place, check)).collect()
}

impl StepTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> Option<Step> {
        let keys = self.keys();
        match keys[..] {
            [] if check.has_unknown_key(place) => None,
            [] => {
                check.wrong(
                    place,
                    "this step does nothing: name one, such as \"trim\" or { remove = \"regex\" }",
                );
                None
            }
            [_] => self.only(place, check),
            [first, second, ..] => {
                check.wrong(
                    &place.key(second),
                    format!("a step does one thing: write `{first}` and `{second}` as two steps"),
                );
                None
            }
        }
    }

    /// What it does, by its keys; those that belong together count once.
    fn keys(&self) -> Vec<&'static str> {
        let keys = [
            ("step", self.step.is_some()),
            ("remove", self.remove.is_some()),
            ("replace", self.replace.is_some()),
            ("with", self.with.is_some() && self.replace.is_none()),
            ("split", self.split.is_some()),
            ("join", self.join.is_some()),
            ("prefix", self.prefix.is_some()),
            ("suffix", self.suffix.is_some() && self.prefix.is_none()),
            ("map", !self.map.is_empty()),
            ("take", self.take.is_some()),
        ];
        keys.iter().filter(|(_, on)| *on).map(|(key, _)| *key).collect()
    }

    fn only(self, place: &Path, check: &mut Check<'_>) -> Option<Step> {
        if let Some(name) = self.step {
            return Some(name.step());
        }
        if let Some(regex) = &self.remove {
            let regex = check.taken(&place.key("remove"), compiled(regex))?;
            return check.taken(&place.key("remove"), Step::replace(regex, String::new()));
        }
        if let Some(regex) = &self.replace {
            let regex = check.taken(&place.key("replace"), compiled(regex))?;
            return replacement(regex, self.with, place, check);
        }
        if self.with.is_some() {
            check.wrong(
                &place.key("with"),
                "this belongs to a `replace`: name the expression that it stands for",
            );
            return None;
        }
        if let Some(by) = self.split {
            check.must(
                !by.is_empty(),
                &place.key("split"),
                "expected the sign between the parts, such as \",\"",
            );
            return Some(Step::Split(by));
        }
        if let Some(letters) = self.take {
            check.must(letters > 0, &place.key("take"), "expected how many characters are kept, 1 or more");
            return Some(Step::Take(letters));
        }
        if !self.map.is_empty() {
            return Some(Step::Map(self.map));
        }
        Some(match self.join {
            Some(with) => Step::Join(with),
            None => Step::Surround(self.prefix.unwrap_or_default(), self.suffix.unwrap_or_default()),
        })
    }
}

fn replacement(regex: Regex, with: Option<String>, place: &Path, check: &mut Check<'_>) -> Option<Step> {
    let Some(with) = with else {
        check.missing_for(
            &place.key("with"),
            place,
            "write what stands there instead: with = \"…\", or `remove` for nothing",
        );
        return None;
    };
    check.taken(&place.key("with"), Step::replace(regex, with))
}

impl StepName {
    fn step(self) -> Step {
        match self {
            Self::Trim => Step::Trim,
            Self::Collapse => Step::Collapse,
            Self::Lower => Step::Lower,
            Self::Upper => Step::Upper,
            Self::StripTags => Step::StripTags,
            Self::Unescape => Step::Unescape,
        }
    }
}
