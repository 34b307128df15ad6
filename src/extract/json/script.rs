//! JSON in scripts: whole scripts of JSON, and values that JavaScript assigns to a name.
//!
//! JavaScript is not run and not parsed. What is looked for is an assignment (`name =` but not `==` or `=>`) of an object, an
//! array or `JSON.parse("…")`, and the value counts only if it is JSON to the letter: an object literal with bare names
//! (`{a: 1}`) is none. Text that only looks like a value is given up where it ends; how much is looked at for nothing is
//! bounded by a multiple of the script's length.

use std::cell::Cell;

use serde_json::Value;

use crate::page::element::Element;
use crate::page::{Page, json};

/// Longest name on the left of an assignment, in bytes.
const MAX_NAME: usize = 200;

/// How many times a script's own length is looked at, at most.
const MAX_READS: usize = 8;

/// All JSON in the scripts of a page, in the order of the document: scripts whose type is JSON (`application/json`,
/// `application/ld+json`) whole, and in JavaScript every object and array that is assigned to a name and is not empty.
#[must_use]
pub fn scripts(page: &Page) -> Vec<Value> {
    let (mut found, weight) = (Vec::new(), Cell::new(0));
    for script in page.named("script") {
        if is_json(script) {
            found.extend(whole(&script.raw_text(), &weight).ok());
        } else if is_javascript(script) {
            let text = script.raw_text();
            let values = Assignments::of(&text).filter_map(|(_, value)| value.read(&weight).ok());
            found.extend(values.filter(is_filled));
        }
    }
    found
}

/// The value that a script gives to `name`: `script_value(page, "window.__STATE__")`.
///
/// A script of JSON has the name that is its `id`. In JavaScript it is the left side of an assignment: `__STATE__ = {…}`,
/// `var __STATE__ = {…}`, `window.__STATE__ = {…}` and `window["__STATE__"] = {…}` all have the names `__STATE__` and
/// `window.__STATE__`. The first that is JSON counts.
#[must_use]
pub fn script_value(page: &Page, name: &str) -> Option<Value> {
    let (name, weight) = (plain_name(name), Cell::new(0));
    page.named("script").find_map(|script| {
        if is_json(script) {
            let named = script.attr("id").is_some_and(|id| id == name);
            return named.then(|| whole(&script.raw_text(), &weight).ok()).flatten();
        }
        if !is_javascript(script) {
            return None;
        }
        let text = script.raw_text();
        let mut given = Assignments::of(&text).filter(|(target, _)| *target == name);
        given.find_map(|(_, value)| value.read(&weight).ok())
    })
}

/// Reads a script that is JSON as a whole: also in an HTML comment or CDATA section, with junk before and behind, and with
/// line breaks inside of strings.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn whole(text: &str, weight: &Cell<usize>) -> Result<Value, serde_json::Error> {
    let trimmed = text.trim();
    let error = match json::read_weighed(trimmed, weight) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let open = trimmed.replacen("<![CDATA[", " ", 1);
    let body = &open[open.find(['{', '[']).unwrap_or(0)..];
    let body = extent(body).end.map_or(body, |end| &body[..end]);
    let clean: String = body.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    json::read_weighed(&clean, weight).map_err(|_| error)
}

pub(crate) fn is_json(script: Element<'_>) -> bool {
    script
        .attr("type")
        .and_then(crate::headers::charset::ContentType::parse)
        .is_some_and(|kind| kind.is_json())
}

/// A script without a type, or of one that browsers run.
fn is_javascript(script: Element<'_>) -> bool {
    let kind = script.attr("type").unwrap_or_default().trim().to_ascii_lowercase();
    kind.is_empty() || kind == "module" || kind.contains("javascript") || kind.contains("ecmascript")
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

/// The text on the right of an assignment.
pub(super) enum Right<'t> {
    Json(&'t str),
    Quoted(String),
}

impl Right<'_> {
    pub(super) fn read(&self, weight: &Cell<usize>) -> Result<Value, serde_json::Error> {
        match self {
            Self::Json(text) => json::read_weighed(text, weight),
            Self::Quoted(text) => json::read_weighed(text, weight),
        }
    }
}

/// Assignments of what may be JSON, one after the other.
pub(super) struct Assignments<'t> {
    text: &'t str,
    at: usize,
    /// Bytes that may still be looked at.
    left: usize,
}

impl<'t> Assignments<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0, left: text.len().saturating_mul(MAX_READS) }
    }

    /// The value that begins at `start`, if one does, and where to go on.
    fn right(&mut self, start: usize) -> Option<Right<'t>> {
        let rest = &self.text[start..];
        if rest.starts_with(['{', '[']) {
            let extent = extent(rest);
            self.left = self.left.saturating_sub(extent.looked_at);
            let end = extent.end?;
            // What is inside belongs to this value, if it is one; else the next assignment may stand inside.
            let is_value = serde_json::from_str::<serde::de::IgnoredAny>(&rest[..end]).is_ok();
            self.at = if is_value { start + end } else { start };
            return is_value.then_some(Right::Json(&rest[..end]));
        }
        let argument = rest.strip_prefix("JSON.parse")?.trim_start().strip_prefix('(')?.trim_start();
        let (text, looked_at) = quoted(argument);
        self.left = self.left.saturating_sub(looked_at);
        text.map(Right::Quoted)
    }
}

impl<'t> Iterator for Assignments<'t> {
    type Item = (String, Right<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            let sign = self.at + self.text[self.at..].find('=')?;
            self.at = sign + 1;
            let after = self.text[self.at..].trim_start();
            self.left = self.left.saturating_sub(1);
            let start = self.text.len() - after.len();
            let name = target(&self.text[..sign]);
            if let Some(name) = name.filter(|_| !after.starts_with(['=', '>']))
                && let Some(right) = self.right(start)
            {
                return Some((name, right));
            }
        }
        None
    }
}

/// The name that ends `before` an equals sign.
fn target(before: &str) -> Option<String> {
    let trimmed = before.trim_end();
    let is_part = |c: char| c.is_alphanumeric() || "_$.[]\"'".contains(c);
    let mut start = trimmed.len();
    for (place, c) in trimmed.char_indices().rev() {
        if !is_part(c) || trimmed.len() - place > MAX_NAME {
            break;
        }
        start = place;
    }
    let name = plain_name(&trimmed[start..]);
    (!name.is_empty()).then_some(name)
}

/// A name with dots instead of brackets, and without the global object before it.
fn plain_name(name: &str) -> String {
    let dotted: String = name.trim().replace("[\"", ".").replace("['", ".").replace(['"', '\'', ']'], "");
    let globals = ["window.", "self.", "globalThis."];
    let local = globals.iter().find_map(|global| dotted.strip_prefix(global)).unwrap_or(&dotted);
    local.trim_matches('.').to_owned()
}

/// How far a value in brackets reaches.
struct Extent {
    /// Behind its last bracket, if that is there.
    end: Option<usize>,
    looked_at: usize,
}

/// Follows brackets, blind to those in strings.
fn extent(text: &str) -> Extent {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Extent { end: Some(place + 1), looked_at: place + 1 },
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Extent { end: None, looked_at: text.len() }
}

/// The text of a JavaScript string literal, and how many bytes were looked at (ECMAScript 12.9.4).
fn quoted(literal: &str) -> (Option<String>, usize) {
    let mut chars = literal.chars();
    let Some(quote) = chars.next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
        return (None, 1);
    };
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(escape(&mut chars)),
            _ if c == quote => return (Some(text), literal.len() - chars.as_str().len()),
            _ => text.push(c),
        }
    }
    (None, literal.len())
}

/// What stands behind a backslash. Halves of a surrogate pair stay escaped, for the JSON reader to join.
fn escape(chars: &mut std::str::Chars<'_>) -> Vec<char> {
    let hex = |chars: &mut std::str::Chars<'_>, digits: usize| {
        let code = chars.as_str().get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        chars.by_ref().take(digits).for_each(drop);
        code
    };
    match chars.next() {
        Some('n') => vec!['\n'],
        Some('r') => vec!['\r'],
        Some('t') => vec!['\t'],
        Some('b') => vec!['\u{8}'],
        Some('f') => vec!['\u{c}'],
        Some('v') => vec!['\u{b}'],
        Some('0') => vec!['\0'],
        Some('\n') | None => Vec::new(),
        Some('x') => hex(chars, 2).and_then(char::from_u32).into_iter().collect(),
        Some('u') => match hex(chars, 4) {
            Some(half @ 0xd800..=0xdfff) => format!("\\u{half:04x}").chars().collect(),
            code => code.and_then(char::from_u32).into_iter().collect(),
        },
        Some(other) => vec![other],
    }
}
