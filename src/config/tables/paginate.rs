//! `[[paginate]]`: from one page of a list to the next.

use schemars::JsonSchema;
use serde::Deserialize;

use super::pages::css;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::extract::json::JsonPath;
use crate::spider::declarative::{Next, Numbers, PaginateRule, Place, Stop};

/// How the pages of a list are walked. The next page has the label and the data of the page before, and adds no depth. Exactly one
/// of `next`, `param`, `url` and `body` says where it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Paginate")]
pub(in crate::config) struct PaginateTable {
    /// On pages that were reached with this label. Default: on pages without a label.
    on: Option<String>,
    /// The link to the next page: a CSS selector, a JSONPath to its URL (begins with `$`), or "auto" for what the page names with
    /// `rel=next`, in its `Link` header field or in its document.
    next: Option<String>,
    /// The number or cursor of the next page stands in this parameter of the page's own URL.
    param: Option<String>,
    /// The URL of the next page, with `{n}` for its number or `{cursor}`.
    url: Option<String>,
    /// The number or cursor of the next page stands here in the body of the same request: a member of its JSON
    /// (`variables.after`), or a field of its form.
    body: Option<String>,
    /// A JSONPath to what the answer says to ask for next; it goes to `param`, `url` or `body`. Default: pages are counted.
    cursor: Option<String>,
    /// The number of the first page, where it does not say so itself. Default 1.
    from: Option<u64>,
    /// From one number to the next: 1, or for offsets the items of a page. Default 1.
    #[schemars(range(min = 1))]
    step: Option<u64>,
    /// The number of the last page. Default: there is none.
    to: Option<u64>,
    /// What ends the list: "no-items" (a page that gives no items, or no links where no rule takes items from it), "repeated" (a page
    /// that gives what the page before gave). Default: both where pages are counted, else "repeated".
    stop: Option<Vec<StopWord>>,
    /// A JSONPath: the list ends at an answer in which all that it finds is empty.
    until_empty: Option<String>,
    /// Most pages of one list. Default: no limit; a list of more than 10,000 pages is left there and reported.
    #[schemars(range(min = 1))]
    max_pages: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StopRule")]
enum StopWord {
    NoItems,
    Repeated,
}

impl From<StopWord> for Stop {
    fn from(word: StopWord) -> Self {
        match word {
            StopWord::NoItems => Self::NoItems,
            StopWord::Repeated => Self::Repeated,
        }
    }
}

pub(in crate::config) fn build(tables: Vec<PaginateTable>, check: &mut Check<'_>) -> Vec<PaginateRule> {
    let places = check.items(&Path::of(&["paginate"]));
    let mut rules: Vec<PaginateRule> = Vec::new();
    for (table, place) in tables.into_iter().zip(places) {
        if rules.iter().any(|rule| rule.on == table.on) {
            let at = if table.on.is_some() { place.key("on") } else { place.clone() };
            check.wrong(&at, "another [[paginate]] speaks of the same pages: give their seeds or links labels, and each table its `on`");
        }
        rules.extend(table.build(&place, check));
    }
    rules
}

impl PaginateTable {
    fn build(self, place: &Path, check: &mut Check<'_>) -> Option<PaginateRule> {
        let until_empty = path_at(self.until_empty.as_deref(), &place.key("until-empty"), check);
        check.must(
            self.max_pages != Some(0),
            &place.key("max-pages"),
            "expected 1 or more: the first page counts",
        );
        let next = self.next(place, check)?;
        let is_counted = matches!(next, Next::Number(..));
        let stop = match self.stop {
            Some(words) => words.into_iter().map(Into::into).collect(),
            None if is_counted => vec![Stop::NoItems, Stop::Repeated],
            None => vec![Stop::Repeated],
        };
        let is_endless =
            stop.is_empty() && self.to.is_none() && self.max_pages.is_none() && until_empty.is_none();
        if is_counted && is_endless {
            let place = place.key("stop");
            let why = "nothing ends this list: write `to`, `max-pages` or `until-empty`, or leave `stop` out";
            check.missing_for(&place.index(0), &place, why);
        }
        Some(PaginateRule { on: self.on, next, stop, until_empty, max_pages: self.max_pages })
    }

    fn next(&self, place: &Path, check: &mut Check<'_>) -> Option<Next> {
        let ways = [("next", &self.next), ("param", &self.param), ("url", &self.url), ("body", &self.body)];
        let given: Vec<&str> = ways.iter().filter(|(_, way)| way.is_some()).map(|(key, _)| *key).collect();
        match given[..] {
            [] => check.missing(
                &place.key("next"),
                "where is the next page? Write `next`, `param`, `url` or `body`; next = \"auto\" asks the page",
            ),
            [first, second, ..] => {
                check.wrong(&place.key(second), format!("keep either `{first}` or `{second}`"));
                return None;
            }
            [_] => {}
        }
        if let Some(next) = &self.next {
            return self.linked(next, place, check);
        }
        let target = match (&self.param, &self.url, &self.body) {
            (Some(name), ..) => Place::Parameter(name.clone()),
            (None, Some(url), _) => Place::Url(url.clone()),
            (None, None, body) => Place::Body(body.clone()?),
        };
        self.check_place(place, check);
        if self.cursor.is_some() {
            for (key, number) in [("from", self.from), ("step", self.step), ("to", self.to)] {
                check.must(
                    number.is_none(),
                    &place.key(key),
                    "a cursor is not counted: remove it, or `cursor`",
                );
            }
            let path = path_at(self.cursor.as_deref(), &place.key("cursor"), check)?;
            return Some(Next::Cursor(target, path));
        }
        Some(Next::Number(target, self.numbers(place, check)))
    }

    fn linked(&self, next: &str, place: &Path, check: &mut Check<'_>) -> Option<Next> {
        for (key, is_there) in [
            ("cursor", self.cursor.is_some()),
            ("from", self.from.is_some()),
            ("step", self.step.is_some()),
            ("to", self.to.is_some()),
        ] {
            let why = "with `next` the page says what comes: remove it, or write `param`, `url` or `body` instead of `next`";
            check.must(!is_there, &place.key(key), why);
        }
        let at = place.key("next");
        match next.trim() {
            "auto" => Some(Next::Named),
            path if path.starts_with('$') => path_at(Some(path), &at, check).map(Next::Json),
            selector => css(Some(selector), &at, check).map(Next::Link),
        }
    }

    fn numbers(&self, place: &Path, check: &mut Check<'_>) -> Numbers {
        let numbers = Numbers { from: self.from.unwrap_or(1), step: self.step.unwrap_or(1), to: self.to };
        check.must(
            numbers.step > 0,
            &place.key("step"),
            "expected 1 or more: with 0 it is the same page again",
        );
        check.must(
            numbers.to.is_none_or(|last| last >= numbers.from),
            &place.key("to"),
            "the last page comes before the first: expected `from` or more",
        );
        numbers
    }

    fn check_place(&self, place: &Path, check: &mut Check<'_>) {
        let (wanted, message) = match self.cursor {
            Some(_) => ("{cursor}", "write {cursor} where the cursor stands"),
            None => ("{n}", "write {n} where the number of the page stands"),
        };
        let has_place = self.url.as_ref().is_none_or(|url| url.contains(wanted));
        check.must(has_place, &place.key("url"), message);
        for (key, name) in [("param", &self.param), ("body", &self.body)] {
            check.must(name.as_deref() != Some(""), &place.key(key), "expected a name");
        }
    }
}

fn path_at(text: Option<&str>, place: &Path, check: &mut Check<'_>) -> Option<JsonPath> {
    check.taken(place, JsonPath::parse(text?))
}
