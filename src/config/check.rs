//! Collects what is wrong with values that could be read but make no sense.

use std::fmt::Display;

use super::path::Path;
use super::problem::{Finding, Spot};
use super::tree::{Node, Origin, Value};

/// Further problems are not reported.
const MOST_FINDINGS: usize = 500;

/// The tree that the values came from, and what was found wrong so far.
pub(super) struct Check<'a> {
    tree: &'a Node,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    pub(super) fn new(tree: &'a Node, findings: Vec<Finding>) -> Self {
        Self { tree, findings }
    }

    /// Reports the value at `path`.
    pub(super) fn wrong(&mut self, path: &Path, message: impl Into<String>) {
        self.report(Finding::at(Spot::Value(path.clone()), message));
    }

    fn report(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// Reports the value at `path` with a hint of what may have been meant.
    pub(super) fn wrong_with(&mut self, path: &Path, message: impl Into<String>, hint: Option<String>) {
        self.report(Finding { suggestion: hint, ..Finding::at(Spot::Value(path.clone()), message) });
    }

    /// Reports that nothing is at `key`, which the value at `near` calls for; unless something was, and has been reported.
    pub(super) fn missing_for(&mut self, key: &Path, near: &Path, message: impl Into<String>) {
        if !self.tree.nearest(key).is_spoilt() {
            let (key, near) = (key.clone(), near.clone());
            self.findings.push(Finding::at(Spot::Absent { key, near }, message));
        }
    }

    /// Whether a key of this name was found where it does not belong.
    pub(super) fn is_misplaced(&self, name: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| matches!(&finding.spot, Spot::Key(path) if path.last_key() == Some(name)))
    }

    /// Whether the table at `place` has a key that does not belong there.
    pub(super) fn has_unknown_key(&self, place: &Path) -> bool {
        let stands_there =
            |finding: &Finding| matches!(&finding.spot, Spot::Key(path) if path.parent() == *place);
        self.findings.iter().any(stands_there)
    }

    /// Reports that nothing is at `path`, unless something was and has been reported.
    pub(super) fn missing(&mut self, path: &Path, message: impl Into<String>) {
        if !self.tree.nearest(path).is_spoilt() {
            self.wrong(path, message);
        }
    }

    /// Reports the value at `path` unless `right`.
    pub(super) fn must(&mut self, right: bool, path: &Path, message: &str) {
        if !right {
            self.wrong(path, message);
        }
    }

    /// Takes the value, or reports why there is none.
    pub(super) fn taken<T, E: Display>(&mut self, path: &Path, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.wrong(path, one_line(&error.to_string()))).ok()
    }

    /// Reads every word of the list at `path`.
    pub(super) fn each<T, E: Display>(
        &mut self,
        path: &Path,
        words: &[String],
        mut read: impl FnMut(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let places = self.items(path);
        words.iter().zip(places).filter_map(|(word, place)| self.taken(&place, read(word))).collect()
    }

    /// The paths of the values that were read from the list at `path`, in order.
    pub(super) fn items(&self, path: &Path) -> Vec<Path> {
        match self.tree.find(path).map(|node| &node.value) {
            Some(Value::List(items)) => (0..items.len())
                .filter(|index| !items[*index].is_spoilt())
                .map(|index| path.index(index))
                .collect(),
            Some(_) => vec![path.clone()],
            None => Vec::new(),
        }
    }

    /// The text at `path`, as it was written.
    pub(super) fn text(&self, path: &Path) -> Option<&'a str> {
        match &self.tree.find(path)?.value {
            Value::Text { text, written } => Some(written.as_ref().unwrap_or(text)),
            _ => None,
        }
    }

    /// Whether the value at `path` was given by the user, although it has a default.
    pub(super) fn is_given(&self, path: &Path) -> bool {
        self.tree.find(path).is_some_and(|node| !matches!(node.origin, Origin::Default))
    }

    /// Whether the value at `path` was given beside the file, by flags or the program.
    pub(super) fn is_from_flags(&self, path: &Path) -> bool {
        self.tree.find(path).is_some_and(|node| matches!(node.origin, Origin::Given(_)))
    }

    /// Whether something stands in the table at `path`, be it wrong.
    pub(super) fn has_entries(&self, path: &Path) -> bool {
        self.tree
            .find(path)
            .is_some_and(|node| matches!(&node.value, Value::Table(entries) if !entries.is_empty()))
    }

    /// Whether there is a value at `path`. One without a default was written by the user.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        self.tree.find(path).is_some()
    }
}

/// Regular expressions explain themselves over several lines, the last of which says what is wrong.
fn one_line(message: &str) -> String {
    match (message.lines().next(), message.lines().last()) {
        (Some(first), Some(last)) if first != last => {
            let first = first.trim_end_matches("regex parse error:").trim_end();
            format!("{first} {}", last.trim_start_matches("error: "))
        }
        _ => message.to_owned(),
    }
}
