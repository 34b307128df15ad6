//! What is sent with a seed or with `[[requests]]`: method, header fields and body.

use http::Method;
use http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::wire::{check_headers, is_credential};
use crate::config::check::Check;
use crate::config::path::Path;
use crate::spider::declarative::BodyRule;

/// A crawl reads: these are the methods that it asks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Method")]
pub(in crate::config) enum MethodWord {
    /// The usual one.
    #[serde(rename = "GET")]
    Get,
    /// With a body.
    #[serde(rename = "POST")]
    Post,
}

/// The keys of a table that say what is sent.
#[derive(Debug)]
pub(super) struct ContentKeys {
    pub(super) method: Option<MethodWord>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Value>,
    pub(super) form: Vec<(String, String)>,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) method: Method,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<BodyRule>,
}

impl ContentKeys {
    pub(super) fn build(self, place: &Path, check: &mut Check<'_>) -> Content {
        self.check(place, check);
        let mut headers = self.headers;
        let body = match (self.json, self.form, self.body) {
            (Some(json), ..) => Some(BodyRule::Json(json)),
            (None, form, _) if !form.is_empty() => Some(BodyRule::Form(form)),
            (None, _, Some(text)) => Some(BodyRule::Text(text)),
            (None, _, None) => None,
        };
        let is_told = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
        if let Some(said) = body.as_ref().and_then(BodyRule::content_type).filter(|_| !is_told) {
            headers.push((CONTENT_TYPE.to_string(), said.to_owned()));
        }
        let method = match self.method {
            Some(MethodWord::Get) => Method::GET,
            Some(MethodWord::Post) => Method::POST,
            None if body.is_some() => Method::POST,
            None => Method::GET,
        };
        Content { method, headers, body }
    }

    fn check(&self, place: &Path, check: &mut Check<'_>) {
        let bodies =
            [("json", self.json.is_some()), ("form", !self.form.is_empty()), ("body", self.body.is_some())];
        let given: Vec<&str> = bodies.iter().filter(|(_, is_there)| *is_there).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given[..] {
            check.wrong(
                &place.key(second),
                format!("a request has one body: keep either `{first}` or `{second}`"),
            );
        }
        let Some(first) = given.first() else {
            check.must(
                self.method != Some(MethodWord::Post),
                &place.key("method"),
                "a POST needs a body: give it one with `json`, `form` or `body`",
            );
            return self.check_headers(place, check);
        };
        check.must(
            self.method != Some(MethodWord::Get),
            &place.key("method"),
            &format!("a GET has no body: write method = \"POST\", or remove `{first}`"),
        );
        self.check_headers(place, check);
    }

    /// Requests wait on the disk with their header fields: no secret may be among them.
    fn check_headers(&self, place: &Path, check: &mut Check<'_>) {
        let table = place.key("headers");
        check_headers(&self.headers, &table, check);
        let why = "would be kept on the disk with the request: put it under [hosts.\"name\".headers]";
        for (name, value) in &self.headers {
            let place = table.key(name);
            if check.text(&place).is_some_and(|written| written != value) {
                // What is said at a value from the environment is not shown.
                check.wrong(&table, format!("the value of {name} comes from the environment and {why}"));
            } else if is_credential(name) {
                check.wrong(&place, format!("a credential here {why}"));
            }
        }
    }
}
