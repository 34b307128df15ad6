//! Which kinds of items a crawler file yields, and which fields each has by now.
//!
//! A name that no item has would be a rule that never speaks. But not always is it known: a spider in code yields what it wants,
//! and without `[[extract]]` the fields are those of the default. Then every name is right.

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::problem::did_you_mean;
use crate::spider::declarative::{ExtractRule, FieldRule};

/// The page's own URL, which items have even if no rule says so.
const URL: &str = "url";

/// Kinds with their fields, as far as they are known.
pub(in crate::config) struct Names {
    /// What the rules yield, changed by the stages that were looked at.
    rules: Vec<ExtractRule>,
    /// Whether the rules tell all names.
    are_known: bool,
}

impl Names {
    /// `travelling` are the names of values that come with a request and become fields of its items.
    pub(in crate::config) fn of(rules: &[ExtractRule], travelling: &[String], spider: Option<&str>) -> Self {
        let told = !rules.is_empty() && rules.iter().all(|rule| !rule.fields.is_empty());
        let mut names = Self { rules: rules.to_vec(), are_known: told && spider.is_none() };
        for rule in &mut names.rules {
            let new = travelling.iter().filter(|name| rule.fields.iter().all(|field| field.name != **name));
            let new: Vec<_> = new.map(|name| unread(name)).collect();
            rule.fields.extend(new);
        }
        names
    }

    /// The rules with the fields that their items have by now.
    pub(in crate::config) fn rules(&self) -> &[ExtractRule] {
        &self.rules
    }

    pub(in crate::config) fn check_kind(&self, kind: &str, at: &Path, check: &mut Check<'_>) {
        let kinds: Vec<_> = self.rules.iter().filter_map(|rule| rule.kind.as_deref()).collect();
        if self.are_known && !kinds.contains(&kind) {
            let hint = did_you_mean(kind, &kinds);
            check.wrong_with(at, format!("no [[extract]] has the kind {kind:?}"), hint);
        }
    }

    /// Reports a field that no item of these kinds has by now; of any kind, if there are none.
    pub(in crate::config) fn check_field(
        &self,
        kinds: &[String],
        field: &str,
        at: &Path,
        check: &mut Check<'_>,
    ) {
        let fields: Vec<_> = self.of_kinds(kinds).flat_map(|rule| &rule.fields).collect();
        let fields: Vec<_> = fields.into_iter().map(|field| field.name.as_str()).collect();
        // A kind that is not there has been reported.
        if self.are_known && !fields.is_empty() && field != URL && !fields.contains(&field) {
            let hint = did_you_mean(field, &fields);
            check.wrong_with(at, format!("no item has a field {field:?} here"), hint);
        }
    }

    /// Whether an item of the kind may have the field, at the end.
    pub(in crate::config) fn has(&self, kind: Option<&str>, field: &str) -> bool {
        let kinds: Vec<_> = kind.map(str::to_owned).into_iter().collect();
        let mut rules = self.of_kinds(&kinds);
        !self.are_known || rules.any(|rule| field == URL || rule.fields.iter().any(|own| own.name == field))
    }

    /// Every name that a field has at the end, and the same behind its kind.
    pub(in crate::config) fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        for rule in &self.rules {
            for field in &rule.fields {
                all.push(field.name.clone());
                all.extend(rule.kind.as_ref().map(|kind| format!("{kind}.{}", field.name)));
            }
        }
        all
    }

    fn of_kinds(&self, kinds: &[String]) -> impl Iterator<Item = &ExtractRule> {
        self.rules.iter().filter(move |rule| is_of(rule, kinds))
    }

    pub(in crate::config) fn rename(&mut self, kinds: &[String], pairs: &[(String, String)]) {
        let to = |name: &str| pairs.iter().find(|(from, _)| from == name).map(|(_, to)| to.clone());
        for rule in self.rules.iter_mut().filter(|rule| is_of(rule, kinds)) {
            let taken: Vec<_> = rule.fields.iter().filter_map(|field| to(&field.name)).collect();
            rule.fields.retain(|field| to(&field.name).is_some() || !taken.contains(&field.name));
            for field in &mut rule.fields {
                field.name = to(&field.name).unwrap_or_else(|| field.name.clone());
            }
        }
    }

    pub(in crate::config) fn add(&mut self, kinds: &[String], name: &str) {
        for rule in self.rules.iter_mut().filter(|rule| is_of(rule, kinds)) {
            match rule.fields.iter_mut().find(|field| field.name == name) {
                Some(field) => *field = unread(name),
                None => rule.fields.push(unread(name)),
            }
        }
    }

    pub(in crate::config) fn remove(&mut self, kinds: &[String], names: &[String]) {
        for rule in self.rules.iter_mut().filter(|rule| is_of(rule, kinds)) {
            rule.fields.retain(|field| !names.contains(&field.name));
        }
    }
}

/// A field that no rule reads from a page: it may hold anything.
fn unread(name: &str) -> FieldRule {
    FieldRule { name: name.to_owned(), ..FieldRule::default() }
}

fn is_of(rule: &ExtractRule, kinds: &[String]) -> bool {
    kinds.is_empty() || rule.kind.as_ref().is_some_and(|kind| kinds.contains(kind))
}
