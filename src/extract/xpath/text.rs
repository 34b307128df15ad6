//! The functions of texts (XPath 4.2).

use std::collections::HashMap;

use super::value::{is_space, round};

/// White space at both ends cut, and runs inside folded to one space.
pub(super) fn normalized(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(1_024));
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

/// The characters from a place on, from 1, as many as `length`; both are rounded.
pub(super) fn substring(text: &str, start: f64, length: Option<f64>) -> String {
    let from = round(start);
    let to = length.map_or(f64::INFINITY, |length| from + round(length));
    let is_inside = |place: usize| (place as f64) >= from && (place as f64) < to;
    text.chars().enumerate().filter(|(index, _)| is_inside(index + 1)).map(|(_, c)| c).collect()
}

/// What stands behind the first `part`; nothing if it is not there.
pub(super) fn after<'t>(text: &'t str, part: &str) -> &'t str {
    text.split_once(part).map_or("", |(_, after)| after)
}

/// What stands before the first `part`; nothing if it is not there.
pub(super) fn before<'t>(text: &'t str, part: &str) -> &'t str {
    text.split_once(part).map_or("", |(before, _)| before)
}

/// Each character of `from` replaced by the one at its place in `to`, or left out if there is none.
pub(super) fn translated(text: &str, from: &str, to: &str) -> String {
    let mut table = HashMap::new();
    let mut to = to.chars();
    for c in from.chars() {
        let replacement = to.next();
        table.entry(c).or_insert(replacement);
    }
    text.chars().filter_map(|c| table.get(&c).copied().unwrap_or(Some(c))).collect()
}
