//! Forms, filled in and sent as a browser would without scripts (HTML standard 4.10.21, "form submission").
//!
//! A [`Form`] is a copy of what the page has: fields can be [`set`](Form::set) and a button [`click`](Form::click)ed, and
//! [`request`](Form::request) makes the request of it, which goes through the frontier like any link. Hidden fields go along as
//! they are: that is how tokens against forged requests come back to their server. Files are never sent.
//!
//! What is set here is part of the request: it lies in the queue on the disk until it is asked. Passwords have a way of their own,
//! [`Login`](crate::engine::Login), which writes none down.

mod body;
mod read;

use http::Method;
use url::Url;

pub(crate) use body::{Entry, Submission};
pub(crate) use read::Reader;

use crate::request::Request;
use crate::url::{Canon, UrlError};

/// A form of a page.
///
/// ```
/// use std::sync::Arc;
/// # use crawl::{page::Page, request::Request, response::Response, url::CanonicalUrl};
/// let body = r#"<form id=find action=/search>
///     <input name=q> <input type=hidden name=lang value=en>
///     <select name=sort><option>date<option selected>rank</select> <button name=go value=1>Find</button></form>"#;
/// let url = CanonicalUrl::parse("https://shop.example/").unwrap();
/// let page = Page::new(Arc::new(Request::get(url.clone())), Response::of(url, http::StatusCode::OK, body));
///
/// let form = page.form("#find").unwrap().expect("the page has a search form");
/// let request = form.set("q", "green tea").set("sort", "date").request().unwrap();
/// assert_eq!(request.url.as_str(), "https://shop.example/search?q=green+tea&lang=en&sort=date&go=1");
/// ```
#[derive(Debug, Clone)]
pub struct Form {
    id: Option<String>,
    name: Option<String>,
    /// How it is sent where the button does not say otherwise.
    way: Way,
    fields: Vec<Field>,
    buttons: Vec<Button>,
    press: Press,
    encoding: &'static encoding_rs::Encoding,
    canon: Canon,
    spider: u16,
}

/// A field as it stands in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What it is.
    pub kind: FieldKind,
    /// Whether it is sent: an unchecked box is not.
    pub is_on: bool,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A line or several lines of text, or anything else that is typed in.
    Text,
    /// A password.
    Password,
    /// What the page sends without showing it.
    Hidden,
    /// A check box, a radio button or an option: one of several values, or none.
    Choice,
    /// A file: it is sent as if none were chosen.
    File,
}

/// How a form is sent.
#[derive(Debug, Clone)]
struct Way {
    /// Absolute, of any scheme; none if it is no URL.
    action: Option<Url>,
    method: FormMethod,
    coding: Coding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormMethod {
    Get,
    Post,
    /// Nothing is sent: a script would look at it.
    Dialog,
}

/// How fields become a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Coding {
    Url,
    Multipart,
    Plain,
}

#[derive(Debug, Clone)]
struct Button {
    name: String,
    value: String,
    is_image: bool,
    action: Option<Option<Url>>,
    method: Option<FormMethod>,
    coding: Option<Coding>,
}

/// What sends the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    /// The enter key: the first button, if there is one.
    Enter,
    /// This button.
    Button(usize),
    /// A button that the form does not have.
    Missing,
}

/// Why a form cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Its action is no URL.
    #[error("the form's action is no URL: its page must have a script that sends it")]
    NoAction,
    /// Its action leads where the crawler does not go.
    #[error("the form's action cannot be asked for: {0}")]
    Action(#[from] UrlError),
    /// It has no button of this name.
    #[error("the form has no button of this name that is not disabled: see Form::buttons for what it has")]
    NoButton,
    /// Its method is `dialog`.
    #[error("the form sends nothing by itself (method=dialog): a script would read it")]
    Dialog,
}

impl Form {
    /// Its `id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its `name`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// All its fields that are not disabled, in the order of the page.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The names of its buttons that send it, in the order of the page; empty for those that have none.
    pub fn buttons(&self) -> impl Iterator<Item = &str> {
        self.buttons.iter().map(|button| button.name.as_str())
    }

    /// The value that is sent under this name, the first of several.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.is_on && field.name == name).map(|field| field.value.as_str())
    }

    /// Whether it asks for a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.fields.iter().any(|field| field.kind == FieldKind::Password)
    }

    /// Sends `value` under this name, in the place of all values that it has: a text is filled in, a box checked, an option
    /// chosen. A name that the form does not have is added at its end.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        let (mut first, mut chosen) = (None, None);
        for (place, field) in self.fields.iter_mut().enumerate().filter(|(_, field)| field.name == name) {
            field.is_on = false;
            first.get_or_insert(place);
            if field.kind == FieldKind::Choice && field.value == value {
                chosen.get_or_insert(place);
            }
        }
        match chosen.or(first).map(|place| &mut self.fields[place]) {
            Some(field) => (field.value, field.is_on) = (value, true),
            None => return self.add(name, value),
        }
        self
    }

    /// Sends one more value under this name, after all others.
    #[must_use]
    pub fn add(mut self, name: &str, value: impl Into<String>) -> Self {
        let (name, value) = (name.to_owned(), value.into());
        self.fields.push(Field { name, value, kind: FieldKind::Text, is_on: true });
        self
    }

    /// Sends nothing under this name: a box is unchecked, an option not chosen, anything else left out.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.fields.iter_mut().filter(|field| field.name == name).for_each(|field| field.is_on = false);
        self
    }

    /// Sends the form with the first button of this name. Without a click it is sent as by the enter key: with its first button.
    #[must_use]
    pub fn click(mut self, name: &str) -> Self {
        let found = self.buttons.iter().position(|button| button.name == name);
        self.press = found.map_or(Press::Missing, Press::Button);
        self
    }

    /// The request that the form makes: GET with its fields as the query, or POST with them as the body.
    ///
    /// # Errors
    /// [`FormError`] if it cannot be sent.
    pub fn request(&self) -> Result<Request, FormError> {
        let (way, submission) = self.submission()?;
        let action = way.action.ok_or(FormError::NoAction)?;
        self.request_of(action, way.method, &submission)
    }

    /// As [`Form::request`], with fields of these names left out of the body: they are filled in when the request leaves.
    pub(crate) fn request_without(&self, names: &[&str]) -> Result<(Request, Submission), FormError> {
        let (way, mut submission) = self.submission()?;
        submission.withhold(names);
        let action = way.action.ok_or(FormError::NoAction)?;
        Ok((self.request_of(action, way.method, &submission)?, submission))
    }

    fn request_of(
        &self,
        mut action: Url,
        method: FormMethod,
        sent: &Submission,
    ) -> Result<Request, FormError> {
        action.set_fragment(None);
        if method == FormMethod::Get {
            action.set_query(Some(&sent.query()));
        }
        let mut request = Request::get(self.canon.accept(action)?);
        request.spider = self.spider;
        if method == FormMethod::Post {
            request = request.header("Content-Type", sent.content_type());
            (request.method, request.body) = (Method::POST, Some(sent.body().into()));
        }
        Ok(request)
    }

    /// Where and how it is sent, and what.
    fn submission(&self) -> Result<(Way, Submission), FormError> {
        let button = match self.press {
            Press::Missing => return Err(FormError::NoButton),
            Press::Button(place) => self.buttons.get(place),
            Press::Enter => self.buttons.first(),
        };
        let mut way = self.way.clone();
        if let Some(button) = button {
            way.action = button.action.clone().unwrap_or(way.action);
            way.method = button.method.unwrap_or(way.method);
            way.coding = button.coding.unwrap_or(way.coding);
        }
        if way.method == FormMethod::Dialog {
            return Err(FormError::Dialog);
        }
        let fields = self.fields.iter().filter(|field| field.is_on);
        let mut entries: Vec<_> = fields.map(|field| self.entry(field)).collect();
        entries.extend(button.into_iter().flat_map(Button::entries));
        let coding = if way.method == FormMethod::Get { Coding::Url } else { way.coding };
        Ok((way, Submission::new(entries, coding, self.encoding)))
    }

    fn entry(&self, field: &Field) -> Entry {
        // This name asks for the encoding that the form is sent in.
        let is_charset = field.kind == FieldKind::Hidden && field.name.eq_ignore_ascii_case("_charset_");
        let value = if is_charset { self.encoding.name().to_owned() } else { field.value.clone() };
        Entry { name: field.name.clone(), value: Some(value), is_file: field.kind == FieldKind::File }
    }
}

impl Button {
    /// What is sent of a button that was clicked: of a picture, where.
    fn entries(&self) -> Vec<Entry> {
        let entry = |name: String, value: &str| Entry { name, value: Some(value.to_owned()), is_file: false };
        if !self.is_image {
            let named = (!self.name.is_empty()).then(|| entry(self.name.clone(), &self.value));
            return named.into_iter().collect();
        }
        let dot = if self.name.is_empty() { "" } else { "." };
        ["x", "y"].map(|axis| entry(format!("{}{dot}{axis}", self.name), "0")).into()
    }
}

#[cfg(test)]
mod tests;
