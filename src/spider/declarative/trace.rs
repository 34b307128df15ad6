//! What each rule did on one page, for people who write rules.
//!
//! A trace is made only when it is asked for, by [`Declarative::traced`](super::Declarative::traced). It goes the road of every other
//! page, so that what it tells is what a crawl does. Of each rule the first [`MAX_TRACED`] places are kept in full, all are counted.

use serde::Serialize;
use serde_json::Value;

use super::report::{origin_of, ways};
use super::rule::{ExtractRule, FieldRule, ItemScope, Presence};
use super::{FollowRule, Recipe};
use crate::page::Page;
use crate::request::Request;

/// Places of one rule that are told field by field.
pub const MAX_TRACED: usize = 100;

/// What the rules of a recipe did on one page.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trace {
    /// Each `[[extract]]`, in the order of the file.
    pub extract: Vec<RuleTrace>,
    /// Each `[[follow]]`, in the order of the file.
    pub follow: Vec<FollowTrace>,
    /// What led to each request of the harvest, in its order.
    #[serde(skip)]
    pub led: Vec<Led>,
    /// Whether a `[[paginate]]` speaks on this page.
    pub is_list: bool,
}

/// What one `[[extract]]` did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleTrace {
    /// Its place in the file, from 1.
    pub rule: usize,
    /// The kind that its items carry.
    pub kind: Option<String>,
    /// What gives an item each, as in ``css `.book` ``; `None`: the page.
    pub scope: Option<String>,
    /// Why it does not speak on this page; `None` if it does.
    pub silent: Option<String>,
    /// Places that its scope has found.
    pub places: usize,
    /// Places that gave an item.
    pub items: usize,
    /// Each field, and how many places had a value for it.
    pub filled: Vec<Filled>,
    /// The first places, field by field.
    pub first: Vec<PlaceTrace>,
}

/// How many places had a value for a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filled {
    /// The field's name.
    pub field: String,
    /// Places that had one, defaults not counted.
    pub places: usize,
}

/// One place of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PlaceTrace {
    /// Whether there is no item because a required field is not there.
    pub dropped: bool,
    /// Its fields, in the order of the rule.
    pub fields: Vec<FieldTrace>,
}

/// One field at one place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldTrace {
    /// Its name.
    pub field: String,
    /// Its value; `None` if it has none and no default.
    pub value: Option<Value>,
    /// What it is read as, as in `decimal`; `None`: as it is.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// The expression that gave the value; without one, all that were tried. `default` if that was taken.
    pub from: String,
    /// Which of the expressions of the field that was, from 1; `None` if none gave a value.
    pub way: Option<usize>,
    /// How many expressions the field has.
    pub ways: usize,
    /// Elements or values that the expression found; of all that were tried, where none gave a value.
    pub matched: usize,
    /// Whether an item without it is dropped.
    pub required: bool,
    /// Why something that was found could not be read.
    pub problem: Option<String>,
}

impl FieldTrace {
    /// Whether the item is dropped for it.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.required && self.value.is_none()
    }
}

/// What one `[[follow]]` is bound to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FollowTrace {
    /// Its place in the file, from 1.
    pub rule: usize,
    /// Where its links stand, as in ``css `li.next` ``.
    pub place: String,
    /// The label of the pages behind them.
    pub label: Option<String>,
    /// Why it does not speak on this page; `None` if it does.
    pub silent: Option<String>,
}

/// What led to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Led {
    /// A `[[follow]]`, by its place in the file, from 1.
    Follow(usize),
    /// No rule: there are none, and every link is followed.
    EveryLink,
    /// The next page of a list, by `[[paginate]]`.
    Paginate,
    /// The page sends its readers there, or names it as its original.
    Detour,
}

impl Led {
    /// A word for it, as in `follow 2`.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::Follow(rule) => format!("follow {rule}"),
            Self::EveryLink => "every link".to_owned(),
            Self::Paginate => "paginate".to_owned(),
            Self::Detour => "detour".to_owned(),
        }
    }
}

/// Writes a [`Trace`] while a page is read.
#[derive(Debug, Default)]
pub(super) struct Tracer {
    trace: Trace,
    /// The place that is looked at.
    place: PlaceTrace,
    /// What the expressions of the field that is looked at have found, one after the other.
    looked: Vec<usize>,
    problem: Option<String>,
}

impl Tracer {
    /// Before a page is read.
    pub(super) fn of(recipe: &Recipe, page: &Page) -> Self {
        let extract = recipe.extract.iter().enumerate().map(|(index, rule)| rule_trace(index, rule, page));
        let follow = recipe.follow.iter().enumerate().map(|(index, rule)| FollowTrace {
            rule: index + 1,
            place: place_of(rule),
            label: rule.label.clone(),
            silent: silent(rule, page),
        });
        let trace = Trace { extract: extract.collect(), follow: follow.collect(), ..Trace::default() };
        Self { trace, ..Self::default() }
    }

    pub(super) fn done(self) -> Trace {
        self.trace
    }

    pub(super) fn led(&mut self, by: Led) {
        self.trace.led.push(by);
    }

    pub(super) fn is_list(&mut self, is_list: bool) {
        self.trace.is_list = is_list;
    }

    /// A rule cannot take anything from an answer of this form.
    pub(super) fn unsuited(&mut self, rule: usize) {
        self.trace.extract[rule].silent = Some("not on an answer of this form".to_owned());
    }

    /// So many elements or values were found by an expression.
    pub(super) fn looked(&mut self, found: usize) {
        self.looked.push(found);
    }

    pub(super) fn unread(&mut self, reason: &str) {
        self.problem.get_or_insert_with(|| reason.to_owned());
    }

    /// A field was looked at; `own` is what its source gave.
    pub(super) fn field(&mut self, field: &FieldRule, own: Option<&Value>) {
        let looked = std::mem::take(&mut self.looked);
        let ways = ways(field);
        let way = own.map(|_| looked.len().clamp(1, ways.len().max(1)));
        let from = match (way, own.or(field.default.as_ref())) {
            (Some(way), _) => ways.get(way - 1).cloned().unwrap_or_default(),
            (None, Some(_)) => "default".to_owned(),
            (None, None) => ways.join(" or "),
        };
        self.place.fields.push(FieldTrace {
            field: field.name.clone(),
            value: own.or(field.default.as_ref()).cloned(),
            kind: field.kind.word(),
            from,
            way,
            ways: ways.len(),
            matched: if way.is_some() { looked.last().copied().unwrap_or(0) } else { looked.iter().sum() },
            required: field.presence == Presence::Required,
            problem: self.problem.take(),
        });
    }

    /// A place of a rule was looked at.
    pub(super) fn place(&mut self, rule: usize, gave_item: bool) {
        let mut place = std::mem::take(&mut self.place);
        let rule = &mut self.trace.extract[rule];
        rule.places += 1;
        rule.items += usize::from(gave_item);
        for (count, field) in rule.filled.iter_mut().zip(&place.fields) {
            count.places += usize::from(field.way.is_some());
        }
        if rule.first.len() < MAX_TRACED {
            place.dropped = !gave_item;
            rule.first.push(place);
        }
    }
}

fn rule_trace(index: usize, rule: &ExtractRule, page: &Page) -> RuleTrace {
    let label = page.request().label.as_deref();
    let by_label = rule.label.as_deref().filter(|wanted| label != Some(wanted)).map(only_on);
    let fits = rule.pages.is_empty() || rule.pages.iter().any(|pattern| pattern.matches(page.url()));
    let filled = rule.fields.iter().map(|field| Filled { field: field.name.clone(), places: 0 });
    RuleTrace {
        rule: index + 1,
        kind: rule.kind.clone(),
        scope: match &rule.scope {
            ItemScope::Page => None,
            ItemScope::Css(css) => Some(format!("css `{}`", css.as_str())),
            ItemScope::XPath(path) => Some(format!("xpath `{}`", path.as_str())),
            ItemScope::Json(source) => Some(origin_of(source)),
        },
        silent: by_label.or_else(|| (!fits).then(|| "not on this URL, by its `pages`".to_owned())),
        filled: filled.collect(),
        ..RuleTrace::default()
    }
}

/// Why a rule takes no links here.
fn silent(rule: &FollowRule, page: &Page) -> Option<String> {
    let Request { label, depth, .. } = page.request();
    let by_label = rule.on.as_deref().filter(|on| label.as_deref() != Some(on)).map(only_on);
    let most = rule.depth.filter(|most| depth >= most);
    by_label.or_else(|| most.map(|most| format!("not on a page as deep as this, by its `depth` of {most}")))
}

fn only_on(label: &str) -> String {
    format!("only on pages with label `{label}`")
}

fn place_of(rule: &FollowRule) -> String {
    let css = rule.css.as_ref().map(|css| format!("css `{}`", css.as_str()));
    let xpath = || rule.xpath.as_ref().map(|path| format!("xpath `{}`", path.as_str()));
    let json = || rule.json.as_ref().map(|path| format!("json `{}`", path.as_str()));
    let feed = || rule.feed.then(|| "the entries of a feed".to_owned());
    css.or_else(xpath).or_else(json).or_else(feed).unwrap_or_else(|| "anywhere".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::item::Harvest;
    use crate::page::css::Css;
    use crate::response::Response;
    use crate::spider::Spider;
    use crate::spider::declarative::{Declarative, FieldSelector, Source};
    use crate::url::CanonicalUrl;

    const BODY: &str = "<div class=b><h2>One</h2><i>7</i><a href=/1>x</a></div><div class=b><h2>Two</h2><p>2</p></div>\
        <div class=b><p>3</p></div>";

    fn page() -> Page {
        let url = CanonicalUrl::parse("https://a.example/").unwrap();
        let response = Response::of(url.clone(), http::StatusCode::OK, BODY);
        Page::new(Arc::new(Request::get(url)), response)
    }

    fn field(name: &str, css: &[&str], presence: Presence) -> FieldRule {
        let selectors = css.iter().map(|css| FieldSelector::parse(css).unwrap()).collect();
        FieldRule { name: name.to_owned(), source: Source::Css(selectors), presence, ..FieldRule::default() }
    }

    fn spider() -> Declarative {
        let books = ExtractRule {
            scope: ItemScope::Css(Css::parse(".b").unwrap()),
            fields: vec![
                field("title", &["h2"], Presence::Required),
                field("count", &["i", "p"], Presence::Optional),
            ],
            ..ExtractRule::default()
        };
        let other = ExtractRule { label: Some("x".to_owned()), ..ExtractRule::default() };
        Declarative::new(Recipe { extract: vec![books, other], ..Recipe::default() })
    }

    #[test]
    fn each_field_says_which_of_its_expressions_gave_it_and_what_that_found() {
        let (trace, parsed) = spider().traced(&page(), &mut Harvest::new());
        parsed.unwrap();
        let rule = &trace.extract[0];
        assert_eq!((rule.places, rule.items), (3, 2));
        let counts: Vec<_> =
            rule.first.iter().map(|place| (place.fields[1].way, place.fields[1].from.as_str())).collect();
        assert_eq!(counts, [(Some(1), "css `i`"), (Some(2), "css `p`"), (Some(2), "css `p`")]);
        let title = &rule.first[2].fields[0];
        assert!(rule.first[2].dropped && title.is_missed());
        assert_eq!((title.from.as_str(), title.matched, title.way), ("css `h2`", 0, None));
        assert_eq!(rule.first[2].fields[1].value, Some(json!("3")), "what else a dropped item has is told");
        assert_eq!(rule.filled.iter().map(|count| count.places).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(trace.extract[1].silent.as_deref(), Some("only on pages with label `x`"));
        assert_eq!(trace.led, [Led::EveryLink]);
    }

    #[test]
    fn a_rule_for_links_says_why_it_is_silent() {
        let of = |depth, on: Option<&str>| FollowRule {
            depth,
            on: on.map(str::to_owned),
            ..FollowRule::default()
        };
        let follow = vec![of(Some(1), None), of(None, Some("x")), of(Some(2), None)];
        let mut request = page().request().clone();
        request.depth = 1;
        let deep =
            Page::new(Arc::new(request), Response::of(page().url().clone(), http::StatusCode::OK, BODY));
        let spider = Declarative::new(Recipe { follow, ..Recipe::default() });
        let trace = spider.traced(&deep, &mut Harvest::new()).0;
        let silent: Vec<_> = trace.follow.iter().map(|rule| rule.silent.as_deref()).collect();
        let deeper = "not on a page as deep as this, by its `depth` of 1";
        assert_eq!(silent, [Some(deeper), Some("only on pages with label `x`"), None]);
        assert_eq!(trace.led, [Led::Follow(3)]);
    }

    #[test]
    fn a_traced_page_gives_what_it_always_gives() {
        let (mut plain, mut traced) = (Harvest::new(), Harvest::new());
        spider().parse(&page(), &mut plain).unwrap();
        spider().traced(&page(), &mut traced).1.unwrap();
        assert_eq!(plain.items(), traced.items());
        assert_eq!(plain.problems(), traced.problems());
        assert_eq!(plain.requests().len(), traced.requests().len());
    }
}
