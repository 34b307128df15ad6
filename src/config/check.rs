//! Collects what is wrong with values that could be read but make no sense.

use std::fmt::Display;

use super::path::Path;
use super::problem::{Finding, Spot};
use super::tree::{Node, Value};

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
        self.findings
            .push(Finding::at(Spot::Value(path.clone()), message));
    }

    /// Reports the value at `path` with a hint of what may have been meant.
    pub(super) fn wrong_with(&mut self, path: &Path, message: impl Into<String>, hint: Option<String>) {
        self.wrong(path, message);
        if let Some(last) = self.findings.last_mut() {
            last.suggestion = hint;
        }
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
        result.map_err(|error| self.wrong(path, error.to_string())).ok()
    }

    /// Reads every word of the list at `path`.
    pub(super) fn each<T, E: Display>(
        &mut self,
        path: &Path,
        words: &[String],
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let places = self.items(path);
        words
            .iter()
            .zip(places)
            .filter_map(|(word, place)| self.taken(&place, read(word)))
            .collect()
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

    /// Whether the value at `path` was written by the user rather than left at its default.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        self.tree.find(path).is_some()
    }
}
