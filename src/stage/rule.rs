//! `[[stage]]` of a crawler file, compiled.
//!
//! One stage does its parts in this order: `drop-if` and `keep-if` decide whether the item is wanted, `validate` whether it is
//! right, then `rename`, `set` and `remove` give it its form, and `key` says which items are the same one. Whoever wants another
//! order writes two stages.

use regex::Regex;
use serde_json::{Map, Value};

use super::template::{Template, as_text};
use super::value::ValueRule;
use super::{Cure, Dropped, Note, Remarks, Stage};
use crate::item::Item;
use crate::url::Fingerprint;

/// One `[[stage]]`.
#[derive(Debug, Clone, Default)]
pub struct StageRule {
    /// Only items of these kinds; empty: all.
    pub kinds: Vec<String>,
    /// An item is dropped if one of these finds something in its field.
    pub drop_if: Vec<(String, Regex)>,
    /// An item is dropped unless each of these finds something in its field.
    pub keep_if: Vec<(String, Regex)>,
    /// What fields must be.
    pub validate: Vec<FieldCheck>,
    /// New names of fields: from, to. The field keeps its place; one that had the new name is gone.
    pub rename: Vec<(String, String)>,
    /// New values of fields.
    pub set: Vec<(String, NewValue)>,
    /// Fields that are taken out.
    pub remove: Vec<String>,
    /// Fields whose values together are the item's key; empty: it has none.
    pub key: Vec<String>,
}

/// What a field must be, and what becomes of an item in which it is not.
#[derive(Debug, Clone)]
pub struct FieldCheck {
    /// The field.
    pub field: String,
    /// What it must be.
    pub rule: ValueRule,
    /// What is done about it; `None`: the item is dropped.
    pub cure: Option<Cure>,
}

/// What a field is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum NewValue {
    /// This, always.
    Constant(Value),
    /// This, with the values of other fields.
    Template(Template),
}

impl Stage for StageRule {
    fn apply(&self, item: Item) -> Result<Item, Dropped> {
        self.apply_noting(item, &mut Remarks::default())
    }

    fn apply_noting(&self, mut item: Item, remarks: &mut Remarks) -> Result<Item, Dropped> {
        if !self.speaks_of(item.kind.as_deref()) {
            return Ok(item);
        }
        self.want(&item.fields)?;
        self.check(&mut item.fields, remarks)?;
        self.form(&mut item.fields);
        self.key_of(&item).into_iter().for_each(|key| remarks.key(key));
        Ok(item)
    }
}

impl StageRule {
    /// Whether items of this kind are its business.
    #[must_use]
    pub fn speaks_of(&self, kind: Option<&str>) -> bool {
        self.kinds.is_empty() || kind.is_some_and(|kind| self.kinds.iter().any(|own| own == kind))
    }

    fn want(&self, fields: &Map<String, Value>) -> Result<(), Dropped> {
        let finds = |(field, regex): &&(String, Regex)| {
            regex.is_match(&fields.get(field).map(as_text).unwrap_or_default())
        };
        if let Some((field, regex)) = self.drop_if.iter().find(finds) {
            return Err(Dropped::unwanted(format!("drop-if {field} matches {regex}")));
        }
        match self.keep_if.iter().find(|test| !finds(test)) {
            Some((field, regex)) => Err(Dropped::unwanted(format!("keep-if {field} does not match {regex}"))),
            None => Ok(()),
        }
    }

    fn check(&self, fields: &mut Map<String, Value>, remarks: &mut Remarks) -> Result<(), Dropped> {
        for FieldCheck { field, rule, cure } in &self.validate {
            let Some(why) = rule.fault(fields.get(field)) else { continue };
            let Some(cure) = *cure else {
                return Err(Dropped::invalid(field, why));
            };
            if cure == Cure::Nulled {
                fields.insert(field.clone(), Value::Null);
            }
            remarks.note(Note { cure, field: field.clone(), why });
        }
        Ok(())
    }

    fn form(&self, fields: &mut Map<String, Value>) {
        if !self.rename.is_empty() {
            *fields = self.renamed(std::mem::take(fields));
        }
        for (field, value) in &self.set {
            let value = match value {
                NewValue::Constant(value) => value.clone(),
                NewValue::Template(template) => template.fill(fields),
            };
            fields.insert(field.clone(), value);
        }
        for field in &self.remove {
            fields.shift_remove(field);
        }
    }

    /// The fields under their new names, each in its place.
    fn renamed(&self, fields: Map<String, Value>) -> Map<String, Value> {
        let new_name = |name: &str| self.rename.iter().find(|(from, _)| from == name).map(|(_, to)| to);
        let taken: Vec<_> = fields.keys().filter_map(|name| new_name(name)).cloned().collect();
        let named = fields.into_iter().filter_map(|(name, value)| match new_name(&name) {
            Some(to) => Some((to.clone(), value)),
            None => (!taken.contains(&name)).then_some((name, value)),
        });
        named.collect()
    }

    /// The key of an item. One without any value has none: nobody knows which item it is.
    fn key_of(&self, item: &Item) -> Option<Fingerprint> {
        let values: Vec<_> = self.key.iter().map(|field| item.fields.get(field)).collect();
        if values.iter().all(|value| value.is_none_or(super::value::is_empty)) {
            return None;
        }
        let mut digest = Fingerprint::hasher();
        digest.update(item.kind.as_deref().unwrap_or_default().as_bytes());
        for value in values {
            // A zero keeps the values apart; it stands in no JSON.
            digest.update(&[0]);
            digest.update(value.unwrap_or(&Value::Null).to_string().as_bytes());
        }
        Some(Fingerprint::from_hasher(&digest))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::value::ValueType;
    use super::*;
    use crate::url::CanonicalUrl;

    fn item(kind: Option<&str>, fields: Value) -> Item {
        let url = CanonicalUrl::parse("https://a.example/").unwrap();
        let Value::Object(fields) = fields else { panic!("no table") };
        Item { url, kind: kind.map(str::to_owned), fields, seen: None }
    }

    fn regex(field: &str, regex: &str) -> (String, Regex) {
        (field.to_owned(), Regex::new(regex).unwrap())
    }

    fn told(rule: &StageRule, fields: Value) -> String {
        match rule.apply(item(None, fields)) {
            Ok(item) => Value::Object(item.fields).to_string(),
            Err(dropped) => dropped.to_string(),
        }
    }

    #[test]
    fn other_kinds_pass_untouched() {
        let rule = StageRule {
            kinds: vec!["book".to_owned()],
            drop_if: vec![regex("title", "")],
            ..StageRule::default()
        };
        assert!(rule.apply(item(Some("author"), json!({}))).is_ok());
        assert!(rule.apply(item(None, json!({}))).is_ok());
        assert!(rule.apply(item(Some("book"), json!({}))).is_err());
    }

    #[test]
    fn drop_if_and_keep_if_look_at_the_text_of_a_field_and_a_missing_one_is_empty() {
        let rule = StageRule {
            drop_if: vec![regex("title", "^$")],
            keep_if: vec![regex("price", "^[0-9]"), regex("title", "a")],
            ..StageRule::default()
        };
        assert_eq!(told(&rule, json!({"price": 3})), "drop-if title matches ^$");
        assert_eq!(told(&rule, json!({"title": "b", "price": 3})), "keep-if title does not match a");
        assert_eq!(told(&rule, json!({"title": "a", "price": 3})), r#"{"title":"a","price":3}"#);
        assert_eq!(told(&rule, json!({"title": "a"})), "keep-if price does not match ^[0-9]");
    }

    #[test]
    fn what_does_not_fit_is_dropped_nulled_or_kept_and_noted() {
        let check = |cure| StageRule {
            validate: vec![FieldCheck {
                field: "price".to_owned(),
                rule: ValueRule { of: Some(ValueType::Decimal), ..ValueRule::default() },
                cure,
            }],
            ..StageRule::default()
        };
        assert_eq!(told(&check(None), json!({"price": "x"})), "price is no decimal");
        assert_eq!(told(&check(Some(Cure::Nulled)), json!({"price": "x"})), r#"{"price":null}"#);
        assert_eq!(told(&check(Some(Cure::Kept)), json!({"price": "x"})), r#"{"price":"x"}"#);
        let mut remarks = Remarks::default();
        check(Some(Cure::Kept)).apply_noting(item(None, json!({"price": "x"})), &mut remarks).unwrap();
        assert_eq!(remarks.notes()[0].why, "is no decimal");
    }

    #[test]
    fn fields_are_renamed_in_their_place_then_set_then_removed() {
        let template = |text: &str| NewValue::Template(Template::parse(text).unwrap());
        let rule = StageRule {
            rename: vec![("a".to_owned(), "b".to_owned())],
            set: vec![
                ("both".to_owned(), template("{b}/{c}")),
                ("source".to_owned(), NewValue::Constant(json!("books"))),
            ],
            remove: vec!["c".to_owned()],
            ..StageRule::default()
        };
        assert_eq!(
            told(&rule, json!({"z": 0, "a": 1, "b": 2, "c": 3, "y": 4})),
            r#"{"z":0,"b":1,"y":4,"both":"1/3","source":"books"}"#
        );
    }

    #[test]
    fn names_can_be_swapped() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let rule = StageRule { rename: vec![pair("a", "b"), pair("b", "a")], ..StageRule::default() };
        assert_eq!(told(&rule, json!({"a": 1, "b": 2})), r#"{"b":1,"a":2}"#);
    }

    #[test]
    fn a_key_is_made_of_values_in_their_form_at_the_end_and_of_the_kind() {
        let rule = StageRule { key: vec!["a".to_owned(), "b".to_owned()], ..StageRule::default() };
        let key = |kind, fields| rule.key_of(&item(kind, fields));
        assert_eq!(key(None, json!({"a": 1, "b": 2, "c": 3})), key(None, json!({"a": 1, "b": 2})));
        assert_ne!(key(None, json!({"a": "1", "b": 2})), key(None, json!({"a": 1, "b": 2})));
        assert_ne!(key(None, json!({"a": "xy"})), key(None, json!({"a": "x", "b": "y"})));
        assert_ne!(key(Some("book"), json!({"a": 1})), key(None, json!({"a": 1})));
        assert_eq!(key(None, json!({"a": null, "b": ""})), None);
        assert_eq!(StageRule::default().key_of(&item(None, json!({"a": 1}))), None);
    }
}
