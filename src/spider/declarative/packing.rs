//! The values that travel with a link: those that its rule takes from the page, and those that it takes over.
//!
//! Each place of the page is read once, however many links stand in it, what the page tells of itself is worked out once for all of
//! them, and a page gives [`MAX_READ`] bytes that are read and [`MAX_SENT`] that travel.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::facts::Facts;
use super::links::Region;
use super::luggage::{MAX_WEIGHT, weight};
use super::values::Place;
use super::{ExtractRule, FieldRule, FollowRule, ItemScope, Recipe, fields};
use crate::extract::xpath::{Found, XPath};
use crate::page::Page;
use crate::page::tree::NodeId;

/// Bytes of values that are read from one page for its links.
const MAX_READ: usize = 8 * 1024 * 1024;

/// Bytes of values that travel with all links of one page.
const MAX_SENT: usize = 8 * 1024 * 1024;

/// Where a list of fields was read (`None`: on the whole page), and which list it was.
type Spot = (*const FieldRule, Option<NodeId>);

/// Packs what travels with the links of one page.
pub(super) struct Packing<'r, 'p> {
    page: &'p Page,
    facts: Facts<'p>,
    extract: &'r [ExtractRule],
    /// What has travelled to this page.
    brought: &'r Map<String, Value>,
    read: RefCell<HashMap<Spot, Option<Map<String, Value>>>>,
    scopes: Vec<OnceCell<HashSet<NodeId>>>,
    spent: Cell<usize>,
    sent: Cell<usize>,
    left_behind: Cell<usize>,
}

impl<'r, 'p> Packing<'r, 'p> {
    pub(super) fn new(page: &'p Page, recipe: &'r Recipe, brought: &'r Map<String, Value>) -> Self {
        let extract = recipe.extract.as_slice();
        let of_items = extract.iter().map(|rule| rule.fields.as_slice());
        let of_links = recipe.follow.iter().map(|rule| rule.data.as_slice());
        Self {
            page,
            facts: Facts::new(page, std::iter::empty(), of_items.chain(of_links)),
            extract,
            brought,
            read: RefCell::default(),
            scopes: extract.iter().map(|_| OnceCell::new()).collect(),
            spent: Cell::new(0),
            sent: Cell::new(0),
            left_behind: Cell::new(0),
        }
    }

    /// What goes along with a link of this rule: nothing where it would be too much.
    pub(super) fn pack(
        &self,
        rule: &FollowRule,
        region: Option<&Region>,
        near: Place<'p>,
    ) -> Map<String, Value> {
        let values = self.gathered(rule, region, near).and_then(|values| {
            let heavy = weight(&values);
            let sent = self.sent.get() + heavy;
            (heavy <= MAX_WEIGHT && sent <= MAX_SENT).then(|| {
                self.sent.set(sent);
                values
            })
        });
        values.unwrap_or_else(|| {
            self.left_behind.set(self.left_behind.get() + 1);
            Map::new()
        })
    }

    fn gathered(
        &self,
        rule: &FollowRule,
        region: Option<&Region>,
        near: Place<'p>,
    ) -> Option<Map<String, Value>> {
        let mut values = Map::new();
        for name in &rule.carry {
            values.extend(self.known(name, near)?.map(|value| (name.clone(), value)));
        }
        if !rule.data.is_empty() {
            let place = match (near, region) {
                (Place::Element(element), Some(region)) => {
                    element.closest(&region.elements).map_or(Place::Page, Place::Element)
                }
                (Place::Value(_), _) => near,
                _ => Place::Page,
            };
            values.extend(self.values(&rule.data, place)?);
        }
        Some(values)
    }

    /// Links whose values did not travel because there was too much of them.
    pub(super) fn left_behind(&self) -> usize {
        self.left_behind.get()
    }

    /// A value by its name: of the JSON object around the link, of an item around the link or of the page, or brought along.
    /// `None` where it is too much.
    fn known(&self, name: &str, near: Place<'p>) -> Option<Option<Value>> {
        if let Place::Value(object) = near
            && let Some(value) = object.get(name)
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
    fn field(&self, index: usize, name: &str, near: Place<'p>) -> Option<(&'r [FieldRule], Place<'p>)> {
        let rule = &self.extract[index];
        let field = rule.fields.iter().find(|field| field.name == name)?;
        if !fields::speaks_on(rule, self.page) {
            return None;
        }
        let scope = match (&rule.scope, near) {
            (ItemScope::Page, _) => Place::Page,
            (ItemScope::Css(css), Place::Element(element)) => {
                let ids = || self.page.matches(css).map(|element| element.id()).collect();
                Place::Element(element.closest(self.scopes[index].get_or_init(ids))?)
            }
            (ItemScope::XPath(path), Place::Element(element)) => {
                let ids = || elements(path, self.page);
                Place::Element(element.closest(self.scopes[index].get_or_init(ids))?)
            }
            (ItemScope::Json(_), Place::Value(_)) => near,
            _ => return None,
        };
        Some((std::slice::from_ref(field), scope))
    }

    /// The fields at one place; `None` where they are too much to travel, or enough of the page was read or looked at.
    fn values(&self, rules: &[FieldRule], place: Place<'p>) -> Option<Map<String, Value>> {
        let id = if let Place::Element(element) = place { Some(element.id()) } else { None };
        let spot = (rules.as_ptr(), id);
        let is_one_place = !matches!(place, Place::Value(_));
        if let Some(known) = self.read.borrow().get(&spot).filter(|_| is_one_place) {
            return known.clone();
        }
        let mut values = None;
        if self.spent.get() < MAX_READ && self.facts.steps().get() > 0 {
            let found = fields::at(rules, &self.facts, place);
            self.spent.set(self.spent.get() + weight(&found));
            values = Some(found).filter(|found| weight(found) <= MAX_WEIGHT);
        }
        if is_one_place {
            self.read.borrow_mut().insert(spot, values.clone());
        }
        values
    }
}

/// The elements that an expression finds on a page; none where it cannot be asked.
fn elements(path: &XPath, page: &Page) -> HashSet<NodeId> {
    let found = path.evaluate(page, None).unwrap_or_default().into_iter();
    found
        .filter_map(|found| if let Found::Element(element) = found { Some(element.id()) } else { None })
        .collect()
}
