//! From extract rules to items.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::links::Near;
use super::{ExtractRule, FieldRule, Many, Presence, Take, WhiteSpace};
use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::Page;
use crate::page::element::{Element, fold};

/// Bytes of text that the rules may take from one page: nested scopes can repeat a page's text many times.
const MAX_TAKEN: usize = 64 * 1024 * 1024;

/// Items that one page may give.
const MAX_ITEMS: usize = 100_000;

/// Adds the items of all rules that speak on this page.
pub(super) fn extract(rules: &[ExtractRule], page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
    let mut taker = Taker::new(page);
    for rule in rules.iter().filter(|rule| speaks_on(rule, page)) {
        for scope in scopes(rule, page) {
            if taker.is_spent() {
                break;
            }
            if let Some(record) = taker.record(&rule.fields, scope) {
                add(rule, &with_url(record, page), harvest)?;
                taker.items += 1;
            }
        }
    }
    taker.report(harvest);
    Ok(())
}

pub(super) fn speaks_on(rule: &ExtractRule, page: &Page) -> bool {
    let label = page.request().label.as_deref();
    (rule.label.is_none() || rule.label.as_deref() == label)
        && (rule.pages.is_empty() || rule.pages.iter().any(|pattern| pattern.matches(page.url())))
}

/// The fields at one place of a page, for what travels with a link; empty if a required one is not there.
pub(super) fn at(fields: &[FieldRule], page: &Page, place: Near<'_>) -> Map<String, Value> {
    let scope = match place {
        Near::Page => page.root(),
        Near::Element(element) => Some(element),
        Near::Object(_) => None,
    };
    let record = scope.and_then(|scope| Taker::new(page).record(fields, scope));
    record.unwrap_or_default()
}

fn scopes<'p>(rule: &ExtractRule, page: &'p Page) -> Vec<Element<'p>> {
    match &rule.scope {
        Some(css) => page.matches(css).collect(),
        None => page.root().into_iter().collect(),
    }
}

fn add(rule: &ExtractRule, record: &Map<String, Value>, harvest: &mut Harvest) -> Result<(), ExtractError> {
    match &rule.kind {
        Some(kind) => harvest.item_of(kind, record)?,
        None => harvest.item(record)?,
    }
    Ok(())
}

/// Puts `url` first, unless the rule has a field of that name.
fn with_url(record: Map<String, Value>, page: &Page) -> Map<String, Value> {
    if record.contains_key("url") {
        return record;
    }
    let url = ("url".to_owned(), Value::from(page.url().as_str()));
    std::iter::once(url).chain(record).collect()
}

/// Takes values from one page and remembers what was not there.
struct Taker<'p> {
    page: &'p Page,
    left: usize,
    items: usize,
    missing: BTreeMap<String, usize>,
}

impl<'p> Taker<'p> {
    fn new(page: &'p Page) -> Self {
        Self { page, left: MAX_TAKEN, items: 0, missing: BTreeMap::new() }
    }

    fn is_spent(&self) -> bool {
        self.left == 0 || self.items >= MAX_ITEMS
    }

    fn report(&self, harvest: &mut Harvest) {
        let url = self.page.url();
        for (field, count) in &self.missing {
            let items = if *count == 1 { "1 item was".to_owned() } else { format!("{count} items were") };
            harvest.problem(format!("{url}: {items} dropped without {field}"));
        }
        if self.is_spent() {
            harvest.problem(format!(
                "{url}: more than {MAX_ITEMS} items or {MAX_TAKEN} bytes of text, the rest was left"
            ));
        }
    }

    /// All fields of one scope; `None` if a required one is absent.
    fn record(&mut self, fields: &[FieldRule], scope: Element<'p>) -> Option<Map<String, Value>> {
        let mut record = Map::new();
        for field in fields {
            let value = self.field(field, scope).or_else(|| field.default.clone());
            if value.is_none() && field.presence == Presence::Required {
                *self.missing.entry(shown(field)).or_default() += 1;
                return None;
            }
            record.insert(field.name.clone(), value.unwrap_or_else(|| nothing(field.many)));
        }
        Some(record)
    }

    /// Below the scope; where that is the whole page, `<html>` itself may match too.
    fn field(&mut self, field: &FieldRule, scope: Element<'p>) -> Option<Value> {
        let page = self.page;
        let Some(css) = &field.selector else {
            return self.values(field, std::iter::once(scope));
        };
        if scope.name() == "html" {
            return self.values(field, page.matches(css));
        }
        self.values(field, scope.matches(css))
    }

    /// Of the first element that has the value, or of all that have.
    fn values(
        &mut self,
        field: &FieldRule,
        mut elements: impl Iterator<Item = Element<'p>>,
    ) -> Option<Value> {
        match field.many {
            Many::First => {
                let first = elements.next()?;
                self.value(field, first)
            }
            Many::All => {
                let all: Vec<_> = elements.filter_map(|element| self.value(field, element)).collect();
                (!all.is_empty()).then_some(Value::Array(all))
            }
        }
    }

    fn value(&mut self, field: &FieldRule, element: Element<'p>) -> Option<Value> {
        if self.left == 0 {
            return None;
        }
        let text = match &field.take {
            Take::Fields(fields) => return self.record(fields, element).map(Value::Object),
            Take::Text => tidy(element.raw_text_up_to(self.left), field.white_space),
            Take::Html => html(element, field.white_space),
            Take::Attribute(name) => attribute(element, name, field.white_space)?,
            Take::Url => self.page.url().as_str().to_owned(),
        };
        self.left = self.left.saturating_sub(text.len());
        let text = match &field.regex {
            Some(regex) => part(regex, &text)?,
            None => text,
        };
        (!text.is_empty()).then_some(Value::String(text))
    }
}

/// Whether "nothing" is a list or null.
fn nothing(many: Many) -> Value {
    match many {
        Many::First => Value::Null,
        Many::All => Value::Array(Vec::new()),
    }
}

fn shown(field: &FieldRule) -> String {
    match &field.selector {
        Some(css) => format!("`{}` (selector `{}`)", field.name, css.as_str()),
        None => format!("`{}`", field.name),
    }
}

fn tidy(text: String, white_space: WhiteSpace) -> String {
    match white_space {
        WhiteSpace::Trim => fold(&text),
        WhiteSpace::Keep => text,
    }
}

/// Inside HTML white space can matter: only the ends are cut.
fn html(element: Element<'_>, white_space: WhiteSpace) -> String {
    let html = element.html();
    match white_space {
        WhiteSpace::Trim => html.trim().to_owned(),
        WhiteSpace::Keep => html,
    }
}

fn attribute(element: Element<'_>, name: &str, white_space: WhiteSpace) -> Option<String> {
    if matches!(name, "href" | "src")
        && let Some(url) = element.url(name)
    {
        return Some(url.into());
    }
    Some(tidy(element.attr(name)?.to_owned(), white_space))
}

/// Group 1 if the expression has one, else the whole match.
fn part(regex: &Regex, text: &str) -> Option<String> {
    let found = regex.captures(text)?;
    let part = if regex.captures_len() > 1 { found.get(1)? } else { found.get(0)? };
    Some(part.as_str().to_owned())
}
