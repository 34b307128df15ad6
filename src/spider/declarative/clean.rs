//! The steps that a text goes through before it is read as its type.
//!
//! Steps are applied in the order of the file, to each text of a list. `split` makes a list of a text and `join` a text of a list. A
//! value that is a number or a truth value is its text for them; tables pass through as they are. What the steps may produce is
//! bounded by a number of bytes that is handed in, because a short text can be made long by a replacement.

use regex::Regex;
use serde_json::Value;

use crate::page::element::fold;
use crate::page::tree::MAX_DEPTH;
use crate::page::{markup_text, unescaped};

/// Texts that a split gives.
const MAX_PARTS: usize = 100_000;

/// What a value costs in memory, a table beside its members, and a member beside name and value.
const VALUE_BYTES: usize = 32;
const TABLE_BYTES: usize = 128;
const MEMBER_BYTES: usize = 48;

/// One step.
#[derive(Debug, Clone)]
pub enum Step {
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
    /// Character references (`&amp;`) become the characters.
    Unescape,
    /// What matches becomes another text, in which `$1` is a group.
    Replace(Regex, String),
    /// Parts between a separator, the empty ones left out.
    Split(String),
    /// One text of all, with a separator between.
    Join(String),
    /// Texts in front and behind.
    Surround(String, String),
    /// A text that is one of these becomes the value; others stay.
    Map(Vec<(String, Value)>),
    /// At most so many characters.
    Take(usize),
}

/// A step that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CleanError {
    /// A replacement names a group that its expression does not have.
    #[error("the expression has no group `{group}`: write $$ for a dollar sign, ${{1}} for a group")]
    Group {
        /// The name or number.
        group: String,
    },
}

impl Step {
    /// A replacement whose groups are all there.
    ///
    /// # Errors
    /// [`CleanError::Group`] if `with` names another group: it would silently become nothing.
    pub fn replace(regex: Regex, with: String) -> Result<Self, CleanError> {
        let plain = with.replace("$$", "");
        let has = |name: &str| match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|known| known == name),
        };
        for rest in plain.split('$').skip(1) {
            let name = match rest.strip_prefix('{') {
                Some(inner) => inner.split('}').next().unwrap_or_default(),
                None => {
                    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
                }
            };
            if !name.is_empty() && !has(name) {
                return Err(CleanError::Group { group: name.to_owned() });
            }
        }
        Ok(Self::Replace(regex, with))
    }
}

/// Values on their way through the steps: how many, and whether they are a list.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) values: Vec<Value>,
    pub(super) is_list: bool,
}

impl Texts {
    /// A single list stands for its entries.
    pub(super) fn opened(self) -> Self {
        match <[Value; 1]>::try_from(self.values) {
            Ok([Value::Array(values)]) => Self { values, is_list: true },
            Ok([value]) => Self { values: vec![value], ..self },
            Err(values) => Self { values, ..self },
        }
    }
}

/// Applies all steps. `left` are the bytes that may be made; when they are used up, what is left out is absent.
pub(super) fn cleaned(mut texts: Texts, steps: &[Step], left: &mut usize) -> Texts {
    for step in steps {
        texts = apply(texts, step, left);
    }
    texts
}

fn apply(texts: Texts, step: &Step, left: &mut usize) -> Texts {
    let Texts { values, is_list } = texts;
    match step {
        Step::Split(by) => Texts { values: split(&values, by, left), is_list: true },
        Step::Join(with) => {
            Texts { values: joined(&values, with, left).into_iter().collect(), is_list: false }
        }
        Step::Map(map) => {
            let values = values.into_iter().map(|value| mapped(value, map));
            Texts { values: values.take_while(|value| charge(left, size(value))).collect(), is_list }
        }
        _ => Texts { values: each(values, step, left), is_list },
    }
}

fn each(values: Vec<Value>, step: &Step, left: &mut usize) -> Vec<Value> {
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        let made = match as_text(&value) {
            Some(text) => changed(&text, step, *left).map(Value::from),
            None => Some(value),
        };
        let weight = made.as_ref().map_or(usize::MAX, size);
        if !charge(left, weight) {
            break;
        }
        all.extend(made);
    }
    all
}

/// One text after a step that works on texts for themselves; `None` if it would be longer than `most` bytes.
fn changed(text: &str, step: &Step, most: usize) -> Option<String> {
    Some(match step {
        Step::Trim => text.trim().to_owned(),
        Step::Collapse => fold(text),
        Step::Lower => text.to_lowercase(),
        Step::Upper => text.to_uppercase(),
        Step::StripTags => markup_text(text),
        Step::Unescape => unescaped(text),
        Step::Replace(regex, with) => return replaced(text, regex, with, most),
        Step::Surround(prefix, suffix) => format!("{prefix}{text}{suffix}"),
        Step::Take(letters) => text.chars().take(*letters).collect(),
        Step::Split(_) | Step::Join(_) | Step::Map(_) => text.to_owned(),
    })
}

fn replaced(text: &str, regex: &Regex, with: &str, most: usize) -> Option<String> {
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for found in regex.captures_iter(text) {
        let whole = found.get(0)?;
        made.push_str(&text[done..whole.start()]);
        found.expand(with, &mut made);
        done = whole.end();
        if made.len() > most {
            return None;
        }
    }
    made.push_str(&text[done..]);
    Some(made)
}

fn split(values: &[Value], by: &str, left: &mut usize) -> Vec<Value> {
    let texts = values.iter().filter_map(as_text);
    let mut parts = Vec::new();
    for text in texts {
        for part in text.split(by).map(str::trim).filter(|part| !part.is_empty()) {
            if parts.len() >= MAX_PARTS || !charge(left, part.len()) {
                return parts;
            }
            parts.push(Value::from(part));
        }
    }
    parts
}

fn joined(values: &[Value], with: &str, left: &mut usize) -> Option<Value> {
    let mut text = String::new();
    for (at, part) in values.iter().filter_map(as_text).enumerate() {
        if at > 0 {
            text.push_str(with);
        }
        text.push_str(&part);
        if text.len() > *left {
            return None;
        }
    }
    let fits = charge(left, text.len());
    (fits && !text.is_empty()).then(|| Value::from(text))
}

fn mapped(value: Value, map: &[(String, Value)]) -> Value {
    let text = as_text(&value);
    let found = text.and_then(|text| map.iter().find(|(from, _)| *from == text));
    found.map_or(value, |(_, to)| to.clone())
}

/// Texts, numbers and truth values as text; lists, tables and null are none.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Bytes that a value is counted for. A value from the crawler file is never deep.
fn size(value: &Value) -> usize {
    weight(value, MAX_DEPTH)
}

/// Bytes of memory that a value is counted for, down to a depth that no JSON reader exceeds.
pub(super) fn weight(value: &Value, depth: usize) -> usize {
    let below = |value: &Value| if depth == 0 { 0 } else { weight(value, depth - 1) };
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(below).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| MEMBER_BYTES + name.len() + below(value))
            .sum::<usize>()
            .saturating_add(TABLE_BYTES),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    VALUE_BYTES + inside
}

/// Takes `bytes` off what is left; `false` and nothing left if that is less.
pub(super) fn charge(left: &mut usize, bytes: usize) -> bool {
    let fits = bytes <= *left;
    *left = left.saturating_sub(bytes);
    fits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn clean(value: Value, steps: &[Step]) -> Vec<Value> {
        cleaned(Texts { values: vec![value], is_list: false }, steps, &mut 100_000).values
    }

    fn replace(regex: &str, with: &str) -> Step {
        Step::replace(Regex::new(regex).unwrap(), with.to_owned()).unwrap()
    }

    #[test]
    fn each_step_does_what_its_name_says() {
        for (step, before, after) in [
            (Step::Trim, "  a  b ", "a  b"),
            (Step::Collapse, "  a \n b ", "a b"),
            (Step::Lower, "ÄB", "äb"),
            (Step::Upper, "straße", "STRASSE"),
            (Step::StripTags, "<p>a &amp; <b>b</b><script>x</script></p>", "a & b"),
            (Step::Unescape, "  a &lt;b&gt; &amp;amp; &eacute;&#8364; <i>", "  a <b> &amp; é€ <i>"),
            (replace("[0-9]+", ""), "a1b22", "ab"),
            (replace("(?<y>[0-9]+)-([0-9]+)", "$2/${y}$$"), "24-05", "05/24$"),
            (Step::Surround("<".into(), ">".into()), "a", "<a>"),
            (Step::Take(3), "äöüß", "äöü"),
        ] {
            assert_eq!(clean(json!(before), std::slice::from_ref(&step)), [json!(after)], "{step:?}");
        }
    }

    #[test]
    fn split_makes_a_list_of_which_later_steps_see_each_and_join_makes_a_text() {
        let steps = [Step::Split(",".into()), Step::Upper];
        assert_eq!(clean(json!("a, b,,c"), &steps), [json!("A"), json!("B"), json!("C")]);
        let steps = [Step::Split(",".into()), Step::Join("/".into())];
        assert_eq!(clean(json!("a, b"), &steps), [json!("a/b")]);
    }

    #[test]
    fn a_map_gives_values_and_leaves_what_it_does_not_know() {
        let map = Step::Map(vec![("One".into(), json!(1)), ("yes".into(), json!(true))]);
        assert_eq!(clean(json!("One"), std::slice::from_ref(&map)), [json!(1)]);
        assert_eq!(clean(json!("Two"), &[map]), [json!("Two")]);
    }

    #[test]
    fn numbers_are_their_text_and_tables_pass_through() {
        let steps = [Step::Surround("n".into(), String::new())];
        assert_eq!(clean(json!(5), &steps), [json!("n5")]);
        assert_eq!(clean(json!({"a": 1}), &steps), [json!({"a": 1})]);
    }

    #[test]
    fn a_replacement_names_only_groups_that_are_there() {
        let regex = Regex::new("a").unwrap();
        for with in ["$1", "${x}", "$1a"] {
            assert!(Step::replace(regex.clone(), with.to_owned()).is_err(), "{with}");
        }
        assert!(Step::replace(Regex::new("(a)").unwrap(), "$0 ${1} $$5".to_owned()).is_ok());
    }

    #[test]
    fn steps_cannot_make_a_text_of_any_length() {
        let text = json!("a".repeat(50_000));
        let long = "x".repeat(1_000);
        let steps = [replace("a", &long), Step::Surround(long.clone(), long)];
        assert!(clean(text.clone(), &steps).is_empty());
        let mut left = 100;
        let texts = Texts { values: vec![text], is_list: false };
        assert!(cleaned(texts, &[Step::Trim], &mut left).values.is_empty());
        assert_eq!(left, 0);
    }
}
