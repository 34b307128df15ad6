//! Where on a page a struct or a value is read from.

use serde_json::Value;

use super::fault::Fault;
use super::session::{Session, weight};
use super::shape::{Field, Take, Way};
use super::text::{Reading, scalar};
use crate::extract::json::JsonPath;
use crate::page::Page;
use crate::page::css::Css;
use crate::page::element::{Element, fold};

/// A place on a page from which a struct is read: the page, an element, or a value of JSON.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub(super) session: &'a Session<'a>,
    at: At<'a>,
    /// Its number, if it is an entry of a list.
    pub(super) entry: Option<usize>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    Page,
    Element(Element<'a>),
    Json(&'a Value),
}

/// What a field takes from a place.
pub(super) enum Raw<'b> {
    Text(String),
    Json(&'b Value),
}

/// Places, or the reason why there are none.
pub(super) type Spots<'b> = Box<dyn Iterator<Item = Result<Place<'b>, Fault>> + 'b>;

impl<'a> Place<'a> {
    pub(super) fn of_page(session: &'a Session<'a>) -> Self {
        Self { session, at: At::Page, entry: None }
    }

    pub(super) fn of_element(session: &'a Session<'a>, element: Element<'a>) -> Self {
        Self { session, at: At::Element(element), entry: None }
    }

    /// The page that it lies on.
    #[must_use]
    pub fn page(&self) -> &'a Page {
        self.session.page
    }

    /// The element, if it is one; of the page it is `<html>`.
    #[must_use]
    pub fn element(&self) -> Option<Element<'a>> {
        match &self.at {
            At::Page => self.page().root(),
            At::Element(element) => Some(*element),
            At::Json(_) => None,
        }
    }

    /// Whether it is JSON's way to say that there is nothing.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.at, At::Json(value) if value.is_null())
    }

    /// The places to which a way leads from here.
    pub(super) fn walk<'w>(self, way: &'w Way, take: Take) -> Spots<'w>
    where
        'a: 'w,
    {
        let places = match &way.css {
            Some(css) => self.matches(css),
            None => Box::new(std::iter::once(Ok(self))),
        };
        let Some(path) = &way.json else { return places };
        Box::new(places.flat_map(move |place| -> Spots<'w> {
            match place.and_then(|place| place.values(path, take)) {
                Ok(values) => Box::new(values.into_iter().map(Ok)),
                Err(fault) => Box::new(std::iter::once(Err(fault))),
            }
        }))
    }

    fn matches<'w>(self, css: &'w Css) -> Spots<'w>
    where
        'a: 'w,
    {
        let session = self.session;
        let place = move |element| Ok(Place::of_element(session, element));
        match self.at {
            // Where the scope is the whole page, `<html>` itself may match too.
            At::Page => Box::new(session.page.matches(css).map(place)),
            At::Element(element) => Box::new(element.matches(css).map(place)),
            At::Json(_) => Box::new(std::iter::empty()),
        }
    }

    /// The values to which a path leads in the JSON here.
    fn values(self, path: &JsonPath, take: Take) -> Result<Vec<Self>, Fault> {
        let session = self.session;
        let value = match self.at {
            At::Json(value) => Some(value),
            At::Page if session.page.is_json() => Some(session.page.json_value().map_err(Fault::unreadable)?),
            // The text of a whole document is never JSON.
            At::Page => None,
            At::Element(element) => session.json_of((element.id(), take), || self.text_of(element, take))?,
        };
        let found = value.map_or(Ok(Vec::new()), |value| path.find(value)).map_err(Fault::unreadable)?;
        Ok(found.into_iter().map(|value| Self { session, at: At::Json(value), entry: None }).collect())
    }

    /// What a field takes from here; `None` if there is nothing, or nothing but white space.
    pub(super) fn raw(&self, field: &Field) -> Result<Option<Raw<'_>>, Fault> {
        // A JSONPath has used up what the field takes of an element: what is here now is a value.
        if let At::Json(value) = &self.at
            && field.take != Take::PageUrl
        {
            self.session.spend(weight(value).0)?;
            return Ok(raw_json(value, field));
        }
        let Some(text) = self.text(field.take)? else { return Ok(None) };
        Ok(matched(field, text).map(Raw::Text))
    }

    /// The text here, folded, or the attribute or HTML; `None` if there is none.
    fn text(&self, take: Take) -> Result<Option<String>, Fault> {
        if take == Take::PageUrl {
            return Ok(Some(self.page().url().as_str().to_owned()));
        }
        let Some(element) = self.element() else { return Ok(None) };
        let text =
            self.text_of(element, take)?.map(|text| if take == Take::Text { fold(&text) } else { text });
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The text of an element as it stands there, an attribute, or the HTML.
    fn text_of(&self, element: Element<'_>, take: Take) -> Result<Option<String>, Fault> {
        let text = match take {
            Take::Text => Some(element.raw_text_up_to(self.session.text_left())),
            Take::Attribute(name) => element.attr(name).map(|value| value.trim().to_owned()),
            Take::Html => Some(element.html().trim().to_owned()),
            Take::PageUrl => None,
        };
        self.session.spend(text.as_ref().map_or(0, String::len))?;
        Ok(text)
    }

    /// Whether there is what the field looks for.
    pub(super) fn holds(&self, field: &Field) -> bool {
        match field.take {
            Take::Attribute(name) => self.element().is_some_and(|element| element.attr(name).is_some()),
            _ => true,
        }
    }

    pub(super) fn reading<'b>(&'b self, field: &'b Field) -> Reading<'b> {
        Reading { page: self.session.page, numbers: &field.numbers, format: field.format.as_ref() }
    }
}

fn raw_json<'b>(value: &'b Value, field: &Field) -> Option<Raw<'b>> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        value if field.regex.is_some() => matched(field, scalar(value)?).map(Raw::Text),
        value => Some(Raw::Json(value)),
    }
}

/// The part of a text that the field's pattern takes; the whole text without one.
fn matched(field: &Field, text: String) -> Option<String> {
    let Some(regex) = &field.regex else { return Some(text) };
    let found = regex.captures(&text)?;
    let part = found.get(1).or_else(|| found.get(0))?.as_str().trim();
    (!part.is_empty()).then(|| part.to_owned())
}
