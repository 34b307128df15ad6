//! `[[requests]]`: many requests of one shape, for ids in a list or a file and for ranges of values.
//!
//! They are made one after the other while the crawl takes them, so that a file of a million ids costs no more memory than one of ten.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value};

use super::fill::fill;
use super::lines::Lines;
use super::luggage::Luggage;
use crate::request::Request;
use crate::url::{Canon, CanonicalUrl, UrlError, escaped};

/// Stands in front of a path of the demo site.
const DEMO: &str = "demo:";

/// `[[requests]]`: a request with places, and what is put there.
#[derive(Debug, Clone)]
pub struct RequestRule {
    /// The URL, with places such as `{ids}` and `{year}`.
    pub url: String,
    /// How its URLs come into normal form.
    pub canon: Canon,
    /// The method.
    pub method: Method,
    /// Header fields of these requests.
    pub headers: Vec<(String, String)>,
    /// The body, with places.
    pub body: Option<BodyRule>,
    /// Where `{id}` and `{ids}` come from.
    pub ids: Option<Ids>,
    /// Ids of one request. 1 or more.
    pub batch: usize,
    /// What stands between the ids of one request, but in JSON, where they are a list.
    pub join: String,
    /// Names of places, and the values that each of them takes; every combination is asked for.
    pub ranges: Vec<(String, Values)>,
    /// The label of the answers.
    pub label: Option<String>,
    /// Their priority.
    pub priority: i8,
    /// What travels along; texts may have places.
    pub data: Map<String, Value>,
}

/// A body with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyRule {
    /// Text.
    Text(String),
    /// Fields of a form, in order.
    Form(Vec<(String, String)>),
    /// JSON: a text that is `{ids}` alone becomes the list of them.
    Json(Value),
}

/// Where ids come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// From the crawler file.
    List(Vec<String>),
    /// From a file: one a line, empty lines left out.
    File(PathBuf),
}

/// The values of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// These.
    List(Vec<String>),
    /// All numbers from the first to the second, both included.
    Range(u64, u64),
}

/// Why requests that a crawl starts with cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// A file of ids or of seeds cannot be read.
    #[error("{}: {what} cannot be read: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it is to hold, in words.
        what: &'static str,
        /// What is wrong.
        source: io::Error,
    },
    /// A line of a file of seeds is no URL.
    #[error("{}:{line}: {reason}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: UrlError,
    },
    /// What came out of a URL with places is none.
    #[error("a request of [[requests]] has no URL: {0}")]
    Url(#[from] UrlError),
}

impl Values {
    /// The number of values.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::List(list) => list.len() as u64,
            Self::Range(from, to) if to < from => 0,
            Self::Range(from, to) => (to - from).saturating_add(1),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, index: u64) -> String {
        match self {
            Self::List(list) => list[usize::try_from(index).unwrap_or(usize::MAX)].clone(),
            Self::Range(from, _) => (from + index).to_string(),
        }
    }
}

impl RequestRule {
    /// All requests, one after the other. After an error there are no more.
    pub fn requests(&self) -> impl Iterator<Item = Result<Request, SeedError>> + Send + '_ {
        let mut failed = false;
        let all = Combinations::of(&self.ranges).flat_map(move |values| {
            let batches = Batches::open(self.ids.as_ref(), self.batch);
            batches.map(move |ids| self.request(&values, &ids?))
        });
        all.take_while(move |made| !std::mem::replace(&mut failed, made.is_err()))
    }

    /// Whether it asks the built-in demo site, whose address is known when it runs.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.url.starts_with(DEMO)
    }

    /// Asks the demo site at this address, if it is to ask the demo site.
    pub fn place_demo(&mut self, home: &CanonicalUrl) -> bool {
        let Some(path) = self.url.strip_prefix(DEMO) else { return false };
        self.url = format!("{}{path}", home.origin());
        true
    }

    /// The request for one combination of values and some ids.
    fn request(&self, values: &[(&str, String)], ids: &[String]) -> Result<Request, SeedError> {
        let ranged =
            |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let joined = |name: &str, ids: &[String]| {
            matches!(name, "id" | "ids").then(|| ids.join(&self.join)).or_else(|| ranged(name))
        };
        let plain = |text: &str| fill(text, |name| joined(name, ids));
        let in_query = |text: &str| {
            let ids: Vec<String> = ids.iter().map(|id| escaped(id)).collect();
            fill(text, |name| {
                joined(name, &ids).map(|value| if ranged(name).is_some() { escaped(&value) } else { value })
            })
        };
        let body = self.body.as_ref().map(|body| body.filled(ids, &plain));
        let mut request = Request::get(self.canon.parse(&in_query(&self.url))?).priority(self.priority);
        request.method = self.method.clone();
        request.headers.clone_from(&self.headers);
        request.body = body;
        request.label = self.label.as_deref().map(Into::into);
        let data = self.data.iter().map(|(name, value)| (name.clone(), filled(value, ids, &plain)));
        Ok(Luggage::with(data.collect()).put(request))
    }
}

impl BodyRule {
    /// A body without places, as it is sent.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.filled(&[], &str::to_owned)
    }

    /// What it is by its `Content-Type`.
    #[must_use]
    pub const fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Text(_) => None,
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
            Self::Json(_) => Some("application/json"),
        }
    }

    fn filled(&self, ids: &[String], fill: &dyn Fn(&str) -> String) -> Bytes {
        match self {
            Self::Text(text) => fill(text).into(),
            Self::Form(fields) => {
                let pairs =
                    fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(&fill(value))));
                pairs.collect::<Vec<_>>().join("&").into()
            }
            Self::Json(value) => filled(value, ids, fill).to_string().into(),
        }
    }
}

/// JSON with its texts filled in; a text that is `{ids}` and nothing else becomes the list.
fn filled(value: &Value, ids: &[String], fill: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) if text == "{ids}" && !ids.is_empty() => {
            ids.iter().cloned().map(Value::from).collect()
        }
        Value::String(text) => Value::from(fill(text)),
        Value::Array(list) => list.iter().map(|inner| filled(inner, ids, fill)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, inner)| (name.clone(), filled(inner, ids, fill)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// Every combination of the values of some places, the last place changing first.
struct Combinations<'r> {
    ranges: &'r [(String, Values)],
    next: Option<Vec<u64>>,
}

impl<'r> Combinations<'r> {
    fn of(ranges: &'r [(String, Values)]) -> Self {
        let is_possible = ranges.iter().all(|(_, values)| !values.is_empty());
        Self { ranges, next: is_possible.then(|| vec![0; ranges.len()]) }
    }
}

impl<'r> Iterator for Combinations<'r> {
    type Item = Vec<(&'r str, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let now = self.next.take()?;
        let pick =
            |((name, values), index): (&'r (String, Values), &u64)| (name.as_str(), values.get(*index));
        let picked = self.ranges.iter().zip(&now).map(pick).collect();
        let mut next = now;
        for (place, (_, values)) in self.ranges.iter().enumerate().rev() {
            next[place] += 1;
            if next[place] < values.len() {
                self.next = Some(next);
                break;
            }
            next[place] = 0;
        }
        Some(picked)
    }
}

/// Ids, some at a time. Without ids there is one request.
enum Batches<'r> {
    Once,
    List(std::slice::Chunks<'r, String>),
    File(&'r Path, Lines, usize),
    Failed(Option<SeedError>),
    Over,
}

impl<'r> Batches<'r> {
    fn open(ids: Option<&'r Ids>, batch: usize) -> Self {
        match ids {
            None => Self::Once,
            Some(Ids::List(list)) => Self::List(list.chunks(batch.max(1))),
            Some(Ids::File(path)) => match Lines::open(path) {
                Ok(lines) => Self::File(path, lines, batch.max(1)),
                Err(error) => Self::Failed(Some(unreadable(path, error))),
            },
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Vec<String>, SeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Once => {
                *self = Self::Over;
                Some(Ok(Vec::new()))
            }
            Self::List(chunks) => chunks.next().map(|ids| Ok(ids.to_vec())),
            Self::File(path, lines, batch) => {
                let ids: io::Result<Vec<_>> =
                    lines.by_ref().take(*batch).map(|line| line.map(|(_, id)| id)).collect();
                match ids {
                    Ok(ids) => (!ids.is_empty()).then_some(Ok(ids)),
                    Err(error) => {
                        let error = unreadable(path, error);
                        *self = Self::Over;
                        Some(Err(error))
                    }
                }
            }
            Self::Failed(error) => error.take().map(Err),
            Self::Over => None,
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> SeedError {
    SeedError::File { path: path.to_owned(), what: "the ids", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(url: &str) -> RequestRule {
        RequestRule {
            url: url.to_owned(),
            canon: Canon::default(),
            method: Method::GET,
            headers: Vec::new(),
            body: None,
            ids: None,
            batch: 1,
            join: ",".to_owned(),
            ranges: Vec::new(),
            label: None,
            priority: 0,
            data: Map::new(),
        }
    }

    fn urls(rule: &RequestRule) -> Vec<String> {
        rule.requests().map(|request| request.unwrap().url.to_string()).collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn ids_go_out_in_batches_and_what_is_no_id_stays() {
        let ids = Some(Ids::List(words(&["a", "b&c", "d"])));
        let rule = RequestRule { ids, batch: 2, ..rule("http://a.example/x?ids={ids}&y={z}") };
        let expected = ["http://a.example/x?ids=a,b%26c&y={z}", "http://a.example/x?ids=d&y={z}"];
        assert_eq!(urls(&rule), expected);
    }

    #[test]
    fn every_combination_of_ranges_is_asked_for() {
        let ranges = vec![
            ("year".to_owned(), Values::Range(2001, 2002)),
            ("kind".to_owned(), Values::List(words(&["a b", "c"]))),
        ];
        let rule = RequestRule { ranges, ..rule("http://a.example/{year}?k={kind}") };
        let expected = ["2001?k=a%20b", "2001?k=c", "2002?k=a%20b", "2002?k=c"];
        assert_eq!(urls(&rule), expected.map(|rest| format!("http://a.example/{rest}")));
    }

    #[test]
    fn in_json_ids_are_a_list_and_braces_of_queries_stay() {
        let json =
            serde_json::json!({ "ids": "{ids}", "first": "{id}!", "query": "{ items { id } }", "n": 3 });
        let rule = RequestRule {
            method: Method::POST,
            body: Some(BodyRule::Json(json)),
            ids: Some(Ids::List(words(&["7"]))),
            ..rule("http://a.example/")
        };
        let request = rule.requests().next().unwrap().unwrap();
        let body = String::from_utf8(request.body.unwrap().to_vec()).unwrap();
        assert_eq!(body, r#"{"ids":["7"],"first":"7!","query":"{ items { id } }","n":3}"#);
    }

    #[test]
    fn a_form_is_escaped_after_it_is_filled_in() {
        let fields = vec![("q".to_owned(), "x={ids}".to_owned())];
        let rule = RequestRule {
            body: Some(BodyRule::Form(fields)),
            ids: Some(Ids::List(words(&["a&b"]))),
            ..rule("http://a.example/")
        };
        assert_eq!(rule.requests().next().unwrap().unwrap().body.unwrap(), "q=x%3Da%26b");
    }

    #[test]
    fn a_file_of_ids_is_read_a_line_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ids.txt");
        std::fs::write(&path, "\u{feff}a\r\n\n  b \nc").unwrap();
        let rule = RequestRule { ids: Some(Ids::File(path)), batch: 2, ..rule("http://a.example/{ids}") };
        assert_eq!(urls(&rule), ["http://a.example/a,b", "http://a.example/c"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_the_last_thing_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ids.txt");
        let rule = RequestRule { ids: Some(Ids::File(path.clone())), ..rule("http://a.example/{ids}") };
        let all: Vec<_> = rule.requests().collect();
        assert!(matches!(&all[..], [Err(SeedError::File { .. })]));
        std::fs::write(&path, format!("a\n{}", "x".repeat(70_000))).unwrap();
        let all: Vec<_> = rule.requests().collect();
        assert!(matches!(&all[..], [Ok(_), Err(SeedError::File { .. })]), "{all:?}");
        std::fs::write(&path, b"\xff\xfe\n").unwrap();
        assert!(rule.requests().next().unwrap().unwrap_err().to_string().contains("not valid UTF-8"));
    }

    #[test]
    fn what_is_put_in_travels_along() {
        let ranges = vec![("year".to_owned(), Values::Range(7, 7))];
        let data = Map::from_iter([("year".to_owned(), Value::from("{year}"))]);
        let rule = RequestRule { ranges, data, ..rule("http://a.example/{year}") };
        let request = rule.requests().next().unwrap().unwrap();
        assert_eq!(Luggage::of(&request).values["year"], "7");
    }
}
