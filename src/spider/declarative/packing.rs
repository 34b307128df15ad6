//! The values that travel with a link: those that its rule takes from the page, and those that it takes over.
//!
//! Each place of the page is read once, however many links stand in it, and a page gives [`MAX_SPENT`] bytes in all.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::links::{Near, Region};
use super::luggage::is_too_heavy;
use super::{ExtractRule, FieldRule, FollowRule, fields};
use crate::page::Page;
use crate::page::element::Element;
use crate::page::tree::NodeId;

/// Bytes of values that are read from one page for its links.
const MAX_SPENT: usize = 8 * 1024 * 1024;

/// Where a list of fields was read, and which list it was.
type Spot = (*const FieldRule, NodeId);

/// Packs what travels with the links of one page.
pub(super) struct Packing<'r, 'p> {
    page: &'p Page,
    extract: &'r [ExtractRule],
    /// What has travelled to this page.
    brought: &'r Map<String, Value>,
    read: RefCell<HashMap<Spot, Option<Map<String, Value>>>>,
    scopes: Vec<OnceCell<HashSet<NodeId>>>,
    spent: Cell<usize>,
    left_behind: Cell<usize>,
}

impl<'r, 'p> Packing<'r, 'p> {
    pub(super) fn new(page: &'p Page, extract: &'r [ExtractRule], brought: &'r Map<String, Value>) -> Self {
        Self {
            page,
            extract,
            brought,
            read: RefCell::default(),
            scopes: extract.iter().map(|_| OnceCell::new()).collect(),
            spent: Cell::new(0),
            left_behind: Cell::new(0),
        }
    }

    /// What goes along with a link of this rule: nothing where it would be too much.
    pub(super) fn pack(
        &self,
        rule: &FollowRule,
        region: Option<&Region>,
        near: Near<'p>,
    ) -> Map<String, Value> {
        let values = self.gathered(rule, region, near).filter(|values| !is_too_heavy(values));
        values.unwrap_or_else(|| {
            self.left_behind.set(self.left_behind.get() + 1);
            Map::new()
        })
    }

    fn gathered(
        &self,
        rule: &FollowRule,
        region: Option<&Region>,
        near: Near<'p>,
    ) -> Option<Map<String, Value>> {
        let mut values = Map::new();
        for name in &rule.carry {
            values.extend(self.known(name, near)?.map(|value| (name.clone(), value)));
        }
        if !rule.data.is_empty() {
            let scope = match (near, region) {
                (Near::Element(element), Some(region)) => element.closest(&region.elements),
                _ => self.page.root(),
            };
            if let Some(scope) = scope {
                values.extend(self.values(&rule.data, scope)?);
            }
        }
        Some(values)
    }

    /// Links whose values did not travel because there was too much of them.
    pub(super) fn left_behind(&self) -> usize {
        self.left_behind.get()
    }

    /// A value by its name: of the JSON object around the link, of an item around the link or of the page, or brought along.
    /// `None` where it is too much.
    fn known(&self, name: &str, near: Near<'p>) -> Option<Option<Value>> {
        if let Near::Object(members) = near
            && let Some(value) = members.get(name)
        {
            return Some(Some(value.clone()));
        }
        for index in 0..self.extract.len() {
            if let Some((fields, scope)) = self.field(index, name, near) {
                let found = self.values(fields, scope)?.remove(name).filter(|value| !value.is_null());
                if found.is_some() {
                    return Some(found);
                }
            }
        }
        Some(self.brought.get(name).cloned())
    }

    /// The field of this name of the item in whose scope the link stands, and the scope.
    fn field(&self, index: usize, name: &str, near: Near<'p>) -> Option<(&'r [FieldRule], Element<'p>)> {
        let rule = &self.extract[index];
        let field = rule.fields.iter().find(|field| field.name == name)?;
        if !fields::speaks_on(rule, self.page) {
            return None;
        }
        let scope = match (&rule.scope, near) {
            (None, _) => self.page.root()?,
            (Some(css), Near::Element(element)) => {
                let ids = || self.page.matches(css).map(|element| element.id()).collect();
                element.closest(self.scopes[index].get_or_init(ids))?
            }
            (Some(_), _) => return None,
        };
        Some((std::slice::from_ref(field), scope))
    }

    /// The fields of one element; `None` where they are too much to travel, or the page has given enough.
    fn values(&self, rules: &[FieldRule], scope: Element<'p>) -> Option<Map<String, Value>> {
        let spot = (rules.as_ptr(), scope.id());
        if let Some(known) = self.read.borrow().get(&spot) {
            return known.clone();
        }
        let mut values = None;
        if self.spent.get() < MAX_SPENT {
            let found = fields::of_element(rules, self.page, scope);
            self.spent.set(self.spent.get() + weight(&found));
            values = Some(found).filter(|found| !is_too_heavy(found));
        }
        self.read.borrow_mut().insert(spot, values.clone());
        values
    }
}

fn weight(values: &Map<String, Value>) -> usize {
    serde_json::to_string(values).map_or(0, |text| text.len())
}
