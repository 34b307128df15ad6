//! `[[paginate]]`: from one page of a list to the next.
//!
//! Where the walk stands travels with its requests, so a crash costs at most the page in flight. A walk has an end whatever the server
//! says: a page that gives nothing, or the same as the page before, ends it; the seen-set ends a circle; and beyond
//! [`MAX_WALK`] pages it is reported and left.

use http::header::CONTENT_TYPE;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::fill::fill;
use super::luggage::{Luggage, Walk};
use crate::extract::ExtractError;
use crate::extract::json::JsonPath;
use crate::page::Page;
use crate::page::css::Css;
use crate::page::turn::again;
use crate::request::Request;
use crate::url::{Canon, CanonicalUrl, Fingerprint, UrlError, escaped, parameter, set_parameter};

/// Pages of one list, unless the rule says how many.
pub const MAX_WALK: u64 = 10_000;

/// Bytes of a cursor.
const MAX_CURSOR: usize = 8 * 1024;

/// Numbered pages in a row that may fail before the walk ends.
const MAX_LOST: u8 = 3;

/// `[[paginate]]`: how the next page of a list is found, and where the list ends.
#[derive(Debug, Clone)]
pub struct PaginateRule {
    /// On pages that were reached with this label; `None`: on those that were reached without one.
    pub on: Option<String>,
    /// Where the next page is.
    pub next: Next,
    /// What ends the walk beside a next page that is not there.
    pub stop: Vec<Stop>,
    /// It ends at a JSON answer in which all that this finds is empty.
    pub until_empty: Option<JsonPath>,
    /// Pages of one list in all; `None`: as many as there are, and beyond [`MAX_WALK`] that is a problem.
    pub max_pages: Option<u64>,
}

/// Where the next page of a list is.
#[derive(Debug, Clone)]
pub enum Next {
    /// Where the page says so with `rel=next`, in its `Link` header field or in its document.
    Named,
    /// The first link in an element that matches.
    Link(Css),
    /// A URL in a JSON answer.
    Json(JsonPath),
    /// One number further.
    Number(Place, Numbers),
    /// What the JSON answer says to ask for next.
    Cursor(Place, JsonPath),
}

/// Where a number or a cursor stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this parameter of the query.
    Parameter(String),
    /// In this URL, at `{n}` or `{cursor}`.
    Url(String),
    /// In the request's body: a member of a JSON object (`variables.after`), or a field of a form.
    Body(String),
}

/// The numbers of a list's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Of the first page, where the page itself does not say.
    pub from: u64,
    /// From one page to the next.
    pub step: u64,
    /// Of the last page.
    pub to: Option<u64>,
}

/// What ends a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A page that gives no items; where no rule takes items from it, one that gives no links.
    NoItems,
    /// A page that gives what the page before gave, or has its body.
    Repeated,
}

/// What a page of a list gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gave {
    /// Items or links.
    pub(super) count: usize,
    /// Over them.
    pub(super) digest: u64,
}

/// Why the next page cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error("what should be its URL is none: {0}")]
    Url(#[from] UrlError),
    #[error("the cursor has {0} bytes, at most {MAX_CURSOR} are sent back")]
    LongCursor(usize),
    #[error(
        "the request has no body that is a JSON object or a form: give the seed one with `json` or `form`"
    )]
    NoBody,
    #[error("it has more than {MAX_WALK} pages: set `max-pages` in [[paginate]] if that is right")]
    TooLong,
}

/// The next page of the list that `page` is a part of.
pub(super) fn turn(
    rules: &[PaginateRule],
    page: &Page,
    luggage: &Luggage,
    gave: impl FnOnce() -> Gave,
) -> Result<Option<Request>, TurnError> {
    let Some(rule) = rule_for(rules, page.request()) else {
        return Ok(None);
    };
    let walk = luggage.walk.unwrap_or_default();
    let gave = gave();
    let body = Fingerprint::of(&page.response().body).get();
    if rule.max_pages.is_some_and(|most| walk.turned + 1 >= most) || rule.ends_at(page, walk, gave, body)? {
        return Ok(None);
    }
    let Some((request, number)) = rule.next.after(page, walk)? else {
        return Ok(None);
    };
    if request.fingerprint() == page.request().fingerprint() {
        return Ok(None);
    }
    if rule.max_pages.is_none() && walk.turned + 1 >= MAX_WALK {
        return Err(TurnError::TooLong);
    }
    let gave = (gave.count > 0).then_some(gave.digest);
    let walk = Walk { turned: walk.turned + 1, number, gave, body: Some(body), lost: 0 };
    let luggage = Luggage { walk: Some(walk), is_original: false, ..luggage.clone() };
    Ok(Some(luggage.put(request)))
}

/// The page behind one that could not be had, where pages are numbered: one that fails does not take the rest of its list with it.
pub(super) fn turn_past(rules: &[PaginateRule], request: &Request) -> Option<Request> {
    let rule = rule_for(rules, request)?;
    let Next::Number(place, numbers) = &rule.next else { return None };
    let luggage = Luggage::of(request);
    let walk = luggage.walk.unwrap_or_default();
    let is_over = rule.max_pages.is_some_and(|most| walk.turned + 1 >= most) || walk.lost + 1 >= MAX_LOST;
    if is_over || walk.turned + 1 >= MAX_WALK {
        return None;
    }
    let number = numbers.after(walk.number.or_else(|| place.number(request)))?;
    let accept = |url: Url| CanonicalUrl::parse(url.as_str());
    let next = place.put(request, &Value::from(number), &accept).ok()?;
    let walk = Walk { turned: walk.turned + 1, number: Some(number), lost: walk.lost + 1, ..walk };
    Some(Luggage { walk: Some(walk), ..luggage }.put(next))
}

/// Whether this is the answer to a page of a list.
pub(super) fn speaks(rules: &[PaginateRule], request: &Request) -> bool {
    rule_for(rules, request).is_some()
}

fn rule_for<'r>(rules: &'r [PaginateRule], request: &Request) -> Option<&'r PaginateRule> {
    rules.iter().find(|rule| rule.on.as_deref() == request.label.as_deref())
}

impl PaginateRule {
    fn ends_at(&self, page: &Page, walk: Walk, gave: Gave, body: u64) -> Result<bool, TurnError> {
        let ends = self.stop.iter().any(|stop| match stop {
            Stop::NoItems => gave.count == 0,
            Stop::Repeated => (gave.count > 0 && walk.gave == Some(gave.digest)) || walk.body == Some(body),
        });
        match &self.until_empty {
            Some(path) if !ends => Ok(path.find(page.json_value()?)?.into_iter().all(is_empty)),
            _ => Ok(ends),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Next {
    /// The next page, and its number if pages have one.
    fn after(&self, page: &Page, walk: Walk) -> Result<Option<(Request, Option<u64>)>, TurnError> {
        let linked = |request: Option<Request>| Ok(request.map(|request| (request, None)));
        match self {
            Self::Named => linked(page.next_page()),
            Self::Link(css) => linked(linked_by(css, page).and_then(|url| page.turn_to(url))),
            Self::Json(path) => {
                let Some(text) = first_text(path, page)? else { return Ok(None) };
                linked(page.turn_to(page.join(&text)?))
            }
            Self::Number(place, numbers) => {
                let now = walk.number.or_else(|| place.number(page.request()));
                let Some(number) = numbers.after(now) else { return Ok(None) };
                let accept = |url| page.accept(url);
                Ok(Some((place.put(page.request(), &Value::from(number), &accept)?, Some(number))))
            }
            Self::Cursor(place, path) => {
                let found = path.find(page.json_value()?)?.into_iter().next();
                let Some((cursor, text)) = found.and_then(|value| Some((value, text_of(value)?))) else {
                    return Ok(None);
                };
                if text.len() > MAX_CURSOR {
                    return Err(TurnError::LongCursor(text.len()));
                }
                let accept = |url| page.accept(url);
                Ok(Some((place.put(page.request(), cursor, &accept)?, None)))
            }
        }
    }
}

fn linked_by(css: &Css, page: &Page) -> Option<CanonicalUrl> {
    page.matches(css).find_map(|element| {
        let inside = || element.select("a[href], area[href]").ok()?.first()?.attr("href");
        page.join(element.attr("href").or_else(inside)?).ok()
    })
}

fn first_text(path: &JsonPath, page: &Page) -> Result<Option<String>, TurnError> {
    Ok(path.find(page.json_value()?)?.into_iter().next().and_then(text_of))
}

/// What can be sent back as a cursor; nothing ends the list, however it is written.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Numbers {
    fn after(self, now: Option<u64>) -> Option<u64> {
        let number = now.unwrap_or(self.from).checked_add(self.step)?;
        (self.to.is_none_or(|last| number <= last)).then_some(number)
    }
}

impl Place {
    /// The number that stands there, if one does.
    fn number(&self, request: &Request) -> Option<u64> {
        match self {
            Self::Parameter(name) => parameter(request.url.as_url(), name)?.trim().parse().ok(),
            Self::Url(_) => None,
            Self::Body(path) if is_form(request) => {
                let fields = form_urlencoded::parse(request.body.as_deref()?);
                fields.into_iter().find(|(name, _)| name == path)?.1.parse().ok()
            }
            Self::Body(path) => {
                let body: Value = serde_json::from_slice(request.body.as_deref()?).ok()?;
                path.split('.').try_fold(&body, |value, name| value.get(name))?.as_u64()
            }
        }
    }

    /// The same request with another value there.
    fn put(
        &self,
        request: &Request,
        value: &Value,
        accept: &dyn Fn(Url) -> Result<CanonicalUrl, UrlError>,
    ) -> Result<Request, TurnError> {
        let text = text_of(value).unwrap_or_default();
        match self {
            Self::Parameter(name) => {
                let mut url = request.url.as_url().clone();
                url.set_query(Some(&set_parameter(url.query().unwrap_or_default(), name, &text)));
                Ok(again(request, accept(url)?))
            }
            Self::Url(template) => {
                let here = |name: &str| matches!(name, "n" | "cursor").then(|| escaped(&text));
                let url = fill(template, here);
                let url = Canon::of([]).join(request.url.as_url(), &url)?;
                Ok(again(request, accept(url.as_url().clone())?))
            }
            Self::Body(path) => {
                let body = request.body.as_deref().ok_or(TurnError::NoBody)?;
                let body = if is_form(request) {
                    let form = std::str::from_utf8(body).map_err(|_| TurnError::NoBody)?;
                    set_parameter(form, path, &text)
                } else {
                    with_member(body, path, value.clone()).ok_or(TurnError::NoBody)?
                };
                let mut next = again(request, request.url.clone());
                next.body = Some(body.into());
                Ok(next)
            }
        }
    }
}

fn is_form(request: &Request) -> bool {
    request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())
            && value.starts_with("application/x-www-form-urlencoded")
    })
}

/// A JSON object with one member set; objects on the way to it are made if need be.
fn with_member(body: &[u8], path: &str, value: Value) -> Option<String> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let mut place = &mut body;
    for name in path.split('.') {
        if place.is_null() {
            *place = Value::Object(serde_json::Map::new());
        }
        place = place.as_object_mut()?.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Some(body.to_string())
}

#[cfg(test)]
mod tests;
