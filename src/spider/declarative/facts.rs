//! What is known of a page beside its elements, each worked out once and only if a field asks for it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::rule::{ArticlePart, ExtractRule, FieldRule, ItemScope, JsonSource, PageFact, Root, Source};
use super::values::{Found, Place};
use crate::extract::ExtractError;
use crate::extract::json::script::whole;
use crate::extract::json::script_value;
use crate::extract::xpath::{self, XPath};
use crate::extract::{article, feed, structured};
use crate::page::Page;

/// Depth of tables in tables down to which rules are looked through; a crawler file is never that deep.
const MAX_NESTING: usize = 128;

/// Steps that all queries together may take on one page, with a step for each node that each field may look at in each scope: scopes
/// inside of each other, or a scope for each element times an expression that begins at the root, are quadratic in the page.
pub(super) const MAX_STEPS: u64 = 50_000_000;

/// The facts of one page.
pub(super) struct Facts<'p> {
    page: &'p Page,
    /// The scripts that rules ask for.
    scripts: HashMap<String, OnceCell<Option<Value>>>,
    json_ld: OnceCell<Value>,
    microdata: OnceCell<Value>,
    open_graph: OnceCell<Map<String, Value>>,
    meta: OnceCell<Map<String, Value>>,
    article: OnceCell<Option<article::Article>>,
    feed: OnceCell<Option<Value>>,
    /// Steps that queries may still take.
    steps: Cell<u64>,
    problems: RefCell<Vec<String>>,
}

impl<'p> Facts<'p> {
    /// The facts that scopes with these roots, and these fields, may ask for.
    pub(super) fn new<'r>(
        page: &'p Page,
        roots: impl Iterator<Item = &'r Root>,
        fields: impl Iterator<Item = &'r [FieldRule]>,
    ) -> Self {
        let mut scripts = HashMap::new();
        roots.for_each(|root| note_script(root, &mut scripts));
        fields.for_each(|fields| note_scripts(fields, &mut scripts, MAX_NESTING));
        Self {
            page,
            scripts,
            json_ld: OnceCell::new(),
            microdata: OnceCell::new(),
            open_graph: OnceCell::new(),
            meta: OnceCell::new(),
            article: OnceCell::new(),
            feed: OnceCell::new(),
            steps: Cell::new(MAX_STEPS),
            problems: RefCell::default(),
        }
    }

    pub(super) fn page(&self) -> &'p Page {
        self.page
    }

    /// Steps that queries may still take.
    pub(super) fn steps(&self) -> &Cell<u64> {
        &self.steps
    }

    /// Counts steps that are not those of a query.
    pub(super) fn charge(&self, steps: usize) {
        self.steps.set(self.steps.get().saturating_sub(steps as u64));
    }

    /// What was wrong with the page's own data, of that which was asked for.
    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.take()
    }

    fn problem(&self, problem: String) {
        self.problems.borrow_mut().push(problem);
    }

    /// Whether the rule can take anything from an answer of this form.
    pub(super) fn suit(&self, rule: &ExtractRule) -> bool {
        match &rule.scope {
            ItemScope::Css(_) | ItemScope::XPath(_) => self.page.is_html(),
            ItemScope::Json(source) => self.has_root(source),
            ItemScope::Page => {
                let suits: Vec<_> = rule.fields.iter().filter_map(|field| self.suits(field)).collect();
                suits.is_empty() || suits.contains(&true)
            }
        }
    }

    /// Whether the field can be read here; `None` if it can be everywhere.
    fn suits(&self, field: &FieldRule) -> Option<bool> {
        match &field.source {
            Source::Constant(_) => None,
            Source::Page(PageFact::Url | PageFact::Status | PageFact::Header(_)) => None,
            Source::Css(_) | Source::XPath(_) | Source::Page(_) => Some(self.page.is_html()),
            Source::Scope => Some(self.page.is_html() || self.page.is_json()),
            Source::Json(source) => Some(self.has_root(source)),
        }
    }

    fn has_root(&self, source: &JsonSource) -> bool {
        match source.root {
            Root::Scope => self.page.is_json(),
            Root::Script(_) | Root::JsonLd | Root::Microdata => self.page.is_html(),
            Root::Feed => self.feed().is_some(),
        }
    }

    /// What `$` is.
    pub(super) fn root(&self, root: &Root) -> Option<&Value> {
        match root {
            Root::Scope => self.body(),
            Root::Script(name) => {
                let script = self.scripts.get(name)?;
                script.get_or_init(|| script_named(self.page, name)).as_ref()
            }
            Root::JsonLd => Some(self.json_ld.get_or_init(|| Value::Array(self.read_json_ld()))),
            Root::Microdata => {
                Some(self.microdata.get_or_init(|| Value::Array(structured::microdata(self.page))))
            }
            Root::Feed => self.feed(),
        }
    }

    fn body(&self) -> Option<&Value> {
        if !self.page.is_json() {
            return None;
        }
        let read = self.page.json_value().map_err(|error| self.problem(error.to_string()));
        read.ok()
    }

    /// What could be read; blocks that are broken are told.
    fn read_json_ld(&self) -> Vec<Value> {
        let blocks = structured::json_ld_blocks(self.page);
        blocks.problems.into_iter().for_each(|problem| self.problem(problem));
        blocks.values
    }

    fn feed(&self) -> Option<&Value> {
        self.feed.get_or_init(|| self.read_feed()).as_ref()
    }

    /// The feed, if it is one. An answer that says it is one and is not is told.
    fn read_feed(&self) -> Option<Value> {
        let said = self.page.content_type().map_or("", |said| said.essence.as_str());
        let is_feed = ["rss", "atom", "feed"].iter().any(|word| said.contains(word));
        let may_be = is_feed || said.is_empty() || said.contains("xml") || said.contains("json");
        if !may_be || self.page.is_html() {
            return None;
        }
        match feed::feed(self.page) {
            Ok(feed) => serde_json::to_value(feed).ok(),
            Err(error) if is_feed => {
                self.problem(error.to_string());
                None
            }
            Err(_) => None,
        }
    }

    /// What an expression finds from a place.
    pub(super) fn evaluated<'f>(
        &'f self,
        path: &XPath,
        place: Place<'f>,
    ) -> Result<Vec<Found<'f>>, ExtractError> {
        let scope = match place {
            Place::Page if self.page.is_html() => None,
            Place::Element(element) => Some(element),
            Place::Page | Place::Value(_) => return Ok(Vec::new()),
        };
        let found = path.evaluate_within(self.page, scope, &self.steps)?;
        Ok(found
            .into_iter()
            .map(|found| match found {
                xpath::Found::Element(element) => Found::Element(element),
                xpath::Found::Text(text) => Found::made(Value::from(text)),
            })
            .collect())
    }

    /// The values of a fact: one for each time that the page tells it.
    pub(super) fn of_page(&self, fact: &PageFact) -> Vec<Value> {
        let page = self.page;
        match fact {
            PageFact::Url => vec![page.url().as_str().into()],
            PageFact::Status => vec![page.status().as_u16().into()],
            PageFact::Header(name) => self.header(name),
            PageFact::OpenGraph(name) => {
                let told = self.open_graph.get_or_init(|| structured::open_graph(page));
                each(told.get(name).or_else(|| told.get(&format!("og:{name}"))))
            }
            PageFact::Meta(name) => each(self.meta.get_or_init(|| structured::meta(page)).get(name)),
            PageFact::Canonical => page.canonical().map(|url| url.as_str().into()).into_iter().collect(),
            PageFact::Article(part) => {
                let read = self.article.get_or_init(|| article::article(page));
                read.as_ref().and_then(|article| part.of(article)).map(Value::from).into_iter().collect()
            }
        }
    }

    fn header(&self, name: &str) -> Vec<Value> {
        let fields = self.page.response().headers.get_all(name).iter();
        fields.filter_map(|value| value.to_str().ok()).map(Value::from).collect()
    }
}

impl ArticlePart {
    fn of(self, article: &article::Article) -> Option<String> {
        match self {
            Self::Title => Some(article.title.clone()),
            Self::Text => Some(article.text.clone()),
            Self::Markdown => Some(article.markdown.clone()),
            Self::Html => Some(article.html.clone()),
            Self::Byline => article.byline.clone(),
            Self::Published => article.published.clone(),
        }
    }
}

fn each(told: Option<&Value>) -> Vec<Value> {
    match told {
        None => Vec::new(),
        Some(Value::Array(values)) => values.clone(),
        Some(value) => vec![value.clone()],
    }
}

/// The value of a name, or for a media type the list of all scripts of that type.
fn script_named(page: &Page, name: &str) -> Option<Value> {
    if !name.contains('/') {
        return script_value(page, name);
    }
    let of_type = |said: Option<&str>| {
        let essence = said.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(name)
    };
    let scripts = page.named("script").filter(|script| of_type(script.attr("type")));
    let weight = Cell::new(0);
    let values: Vec<_> = scripts.filter_map(|script| whole(&script.raw_text(), &weight).ok()).collect();
    (!values.is_empty()).then_some(Value::Array(values))
}

fn note_scripts(fields: &[FieldRule], scripts: &mut HashMap<String, OnceCell<Option<Value>>>, depth: usize) {
    for field in fields {
        if let Source::Json(source) = &field.source {
            note_script(&source.root, scripts);
        }
        if let Some(depth) = depth.checked_sub(1) {
            note_scripts(&field.fields, scripts, depth);
        }
    }
}

fn note_script(root: &Root, scripts: &mut HashMap<String, OnceCell<Option<Value>>>) {
    if let Root::Script(name) = root {
        scripts.entry(name.clone()).or_default();
    }
}
