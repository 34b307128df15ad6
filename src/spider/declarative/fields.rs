//! From extract rules to items.

use serde_json::{Map, Value};

use super::clean::{Texts, charge, cleaned, weight};
use super::facts::{Facts, MAX_STEPS};
use super::report::Notes;
use super::rule::{ExtractRule, FieldRule, ItemScope, Many, Presence, Source, Take};
use super::trace::Tracer;
use super::typed::Kind;
use super::values::{Found, Place, queried, raw, staged};
use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::Page;
use crate::page::tree::MAX_DEPTH;

/// Bytes of text that the rules may take from one page: nested scopes can repeat a page's text many times.
const MAX_TAKEN: usize = 64 * 1024 * 1024;

/// What an empty field is counted for: a page may have very many scopes with nothing in them.
const FIELD_BYTES: usize = 32;

/// Items that one page may give.
const MAX_ITEMS: usize = 100_000;

/// Adds the items of all rules that speak on this page.
pub(super) fn extract(
    rules: &[ExtractRule],
    page: &Page,
    harvest: &mut Harvest,
    tracer: &mut Option<Tracer>,
) -> Result<(), ExtractError> {
    let rules: Vec<_> = rules.iter().enumerate().filter(|(_, rule)| speaks_on(rule, page)).collect();
    let roots = rules.iter().filter_map(|(_, rule)| rule.scope.json()).map(|source| &source.root);
    let facts = Facts::new(page, roots, rules.iter().map(|(_, rule)| rule.fields.as_slice()));
    let mut taker = Taker { tracer: tracer.take(), ..Taker::new(&facts) };
    let mut added = Ok(());
    for (index, rule) in rules {
        if !facts.suit(rule) {
            taker.traced(|tracer| tracer.unsuited(index));
        } else if added.is_ok() {
            added = taker.take(index, rule, harvest);
        }
    }
    *tracer = taker.tracer.take();
    added?;
    taker.report(harvest);
    Ok(())
}

pub(super) fn speaks_on(rule: &ExtractRule, page: &Page) -> bool {
    let label = page.request().label.as_deref();
    (rule.label.is_none() || rule.label.as_deref() == label)
        && (rule.pages.is_empty() || rule.pages.iter().any(|pattern| pattern.matches(page.url())))
}

/// The fields at one place of a page, for what travels with a link; empty if a required one is not there.
pub(super) fn at<'f>(fields: &'f [FieldRule], facts: &'f Facts<'f>, place: Place<'_>) -> Map<String, Value> {
    Taker::new(facts).record(fields, place).unwrap_or_default()
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
    facts: &'p Facts<'p>,
    left: usize,
    items: usize,
    /// Names of the fields whose tables are being filled.
    within: Vec<&'p str>,
    notes: Notes,
    /// Only if somebody wants to know what was found where.
    tracer: Option<Tracer>,
}

impl<'p> Taker<'p> {
    fn new(facts: &'p Facts<'p>) -> Self {
        Self {
            page: facts.page(),
            facts,
            left: MAX_TAKEN,
            items: 0,
            within: Vec::new(),
            notes: Notes::default(),
            tracer: None,
        }
    }

    /// Takes the items of one rule, which is the one at this place of the file.
    fn take(
        &mut self,
        index: usize,
        rule: &'p ExtractRule,
        harvest: &mut Harvest,
    ) -> Result<(), ExtractError> {
        for scope in self.scopes(rule) {
            if self.is_spent() {
                break;
            }
            let record = self.record(&rule.fields, scope.place());
            self.traced(|tracer| tracer.place(index, record.is_some()));
            if let Some(record) = record {
                add(rule, &with_url(record, self.page), harvest)?;
                self.items += 1;
            }
        }
        Ok(())
    }

    /// Tells the tracer, if there is one and this is a field of an item and not of a table in it.
    fn traced(&mut self, tell: impl FnOnce(&mut Tracer)) {
        if let Some(tracer) = self.tracer.as_mut().filter(|_| self.within.is_empty()) {
            tell(tracer);
        }
    }

    fn is_spent(&self) -> bool {
        self.left == 0 || self.items >= MAX_ITEMS || self.facts.steps().get() == 0
    }

    fn report(mut self, harvest: &mut Harvest) {
        self.facts.problems().into_iter().for_each(|problem| self.notes.failed(problem));
        let url = self.page.url();
        self.notes.tell(url, harvest);
        if self.is_spent() {
            harvest.problem(format!(
                "{url}: more than {MAX_ITEMS} items, {MAX_TAKEN} bytes of text or {MAX_STEPS} steps of queries, the rest was left"
            ));
        }
    }

    fn scopes(&mut self, rule: &'p ExtractRule) -> Vec<Found<'p>> {
        match &rule.scope {
            ItemScope::Page => vec![Found::Page],
            ItemScope::Css(css) => self.page.matches(css).map(Found::Element).collect(),
            ItemScope::XPath(path) => self.told(self.facts.evaluated(path, Place::Page)),
            ItemScope::Json(source) => self.told(queried(self.facts, source, Place::Page, Many::All)),
        }
    }

    /// What was found, or nothing and a note.
    fn told<'f>(&mut self, found: Result<Vec<Found<'f>>, ExtractError>) -> Vec<Found<'f>> {
        found.unwrap_or_else(|error| {
            self.notes.failed(error.to_string());
            Vec::new()
        })
    }

    /// All fields of one scope; `None` if a required one is absent.
    fn record(&mut self, fields: &'p [FieldRule], place: Place<'_>) -> Option<Map<String, Value>> {
        if let Place::Element(element) = place {
            self.facts.charge(element.nodes() * fields.len());
        }
        charge(&mut self.left, FIELD_BYTES * fields.len());
        let mut record = Map::new();
        for (index, field) in fields.iter().enumerate() {
            let own = self.field(field, place);
            self.traced(|tracer| tracer.field(field, own.as_ref()));
            let value = own.or_else(|| field.default.clone());
            if value.is_none() && field.presence == Presence::Required {
                self.notes.missing(&self.within, field);
                self.trace_others(&fields[index + 1..], place);
                return None;
            }
            record.insert(field.name.clone(), value.unwrap_or_else(|| nothing(field.many)));
        }
        Some(record)
    }

    /// Whoever looks at a dropped item wants to see all that it lacks at once. What is reported stays the same.
    fn trace_others(&mut self, fields: &'p [FieldRule], place: Place<'_>) {
        if self.tracer.is_none() || !self.within.is_empty() {
            return;
        }
        let notes = std::mem::take(&mut self.notes);
        for field in fields {
            let own = self.field(field, place);
            self.traced(|tracer| tracer.field(field, own.as_ref()));
        }
        self.notes = notes;
    }

    fn field(&mut self, field: &'p FieldRule, place: Place<'_>) -> Option<Value> {
        let (page, facts) = (self.page, self.facts);
        match &field.source {
            Source::Constant(value) => charge(&mut self.left, value.to_string().len()).then(|| value.clone()),
            Source::Scope => self.values(field, &field.take, place.found(facts).into_iter()),
            Source::Css(selectors) => selectors.iter().find_map(|selector| {
                let take = selector.take.as_ref().unwrap_or(&field.take);
                match (&selector.css, place) {
                    (None, place) => self.values(field, take, place.found(facts).into_iter()),
                    (Some(css), place) if place.is_whole(page) => {
                        self.values(field, take, page.matches(css).map(Found::Element))
                    }
                    (Some(css), Place::Element(element)) => {
                        self.values(field, take, element.matches(css).map(Found::Element))
                    }
                    (Some(_), _) => {
                        self.traced(|tracer| tracer.looked(0));
                        None
                    }
                }
            }),
            Source::XPath(paths) => paths.iter().find_map(|path| {
                let found = self.told(facts.evaluated(path, place));
                self.values(field, &field.take, found.into_iter())
            }),
            Source::Json(source) => {
                let found = self.told(queried(facts, source, place, field.many));
                self.values(field, &field.take, found.into_iter())
            }
            Source::Page(fact) => {
                let found = facts.of_page(fact).into_iter().map(Found::made);
                self.values(field, &field.take, found)
            }
        }
    }

    /// Of the first thing that was found, or of all.
    fn values<'f>(
        &mut self,
        field: &'p FieldRule,
        take: &'p Take,
        mut found: impl Iterator<Item = Found<'f>>,
    ) -> Option<Value> {
        let mut values = Vec::new();
        let mut looked = 0;
        for found in found.by_ref().take(if field.many == Many::First { 1 } else { usize::MAX }) {
            looked += 1;
            let found = match &field.json {
                Some(query) => self.staged(field, take, &found, query),
                None => vec![found],
            };
            values.extend(found.into_iter().filter_map(|found| self.value(field, take, found)));
        }
        self.traced(|tracer| tracer.looked(looked + found.count()));
        if field.fields.is_empty() {
            return self.finished(field, values);
        }
        listed(Texts { values, is_list: field.many == Many::All })
    }

    /// The values that the field's query finds in the text of what was found.
    fn staged(
        &mut self,
        field: &'p FieldRule,
        take: &Take,
        found: &Found<'_>,
        query: &super::rule::Query,
    ) -> Vec<Found<'p>> {
        match staged(self.facts, take, found, query, field.many, &mut self.left) {
            Ok(values) => values.into_iter().map(Found::made).collect(),
            Err(reason) => {
                self.traced(|tracer| tracer.unread(&reason));
                self.notes.unread(&self.within, field, reason);
                Vec::new()
            }
        }
    }

    fn value(&mut self, field: &'p FieldRule, take: &'p Take, found: Found<'_>) -> Option<Value> {
        if self.left == 0 {
            return None;
        }
        if !field.fields.is_empty() {
            self.within.push(&field.name);
            let record = self.record(&field.fields, found.place());
            self.within.pop();
            return record.map(Value::Object);
        }
        raw(take, found, field, &mut self.left)
    }

    /// After cleaning, each value as its type; what is none is noted and absent.
    fn finished(&mut self, field: &FieldRule, values: Vec<Value>) -> Option<Value> {
        let mut texts = Texts { values, is_list: field.many == Many::All };
        if !field.clean.is_empty() {
            texts = cleaned(texts.opened(), &field.clean, &mut self.left);
        }
        let given = texts.values.into_iter().filter(|value| !is_nothing(value));
        let values = given.filter_map(|value| self.typed(field, value)).collect();
        listed(Texts { values, is_list: texts.is_list })
    }

    fn typed(&mut self, field: &FieldRule, value: Value) -> Option<Value> {
        match field.kind.read(value, self.page) {
            // A few bytes of JSON can be a large value.
            Ok(value) if matches!(field.kind, Kind::Json) => {
                charge(&mut self.left, weight(&value, MAX_DEPTH)).then_some(value)
            }
            Ok(value) => Some(value),
            Err(reason) => {
                self.traced(|tracer| tracer.unread(&reason));
                self.notes.unread(&self.within, field, reason);
                None
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// All as a list or the first; nothing if there are none.
fn listed(texts: Texts) -> Option<Value> {
    if texts.is_list {
        return (!texts.values.is_empty()).then_some(Value::Array(texts.values));
    }
    texts.values.into_iter().next()
}

/// Whether "nothing" is a list or null.
fn nothing(many: Many) -> Value {
    match many {
        Many::First => Value::Null,
        Many::All => Value::Array(Vec::new()),
    }
}
