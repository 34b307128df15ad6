//! What travels with the requests of a recipe: values for the items behind them, and where a walk over pages stands.
//!
//! It is the request's own data, so it survives a restart and follows redirects. Its size is bounded: a page may have thousands of
//! links, and each of them takes its own copy along.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::request::Request;

/// Bytes of values that travel with one link.
pub(super) const MAX_WEIGHT: usize = 16 * 1024;

/// What a request of a recipe carries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Luggage {
    /// Become fields of the items of its page.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) values: Map<String, Value>,
    /// Where it stands in its list, behind the list's first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) walk: Option<Walk>,
    /// Another page has said that this one is the original: it is believed, whatever this one says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_original: bool,
}

/// How far a walk over the pages of a list has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Walk {
    /// Pages before this one.
    pub(super) turned: u64,
    /// The number of this page, where pages are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
    /// Digest of what the page before gave, if it gave something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gave: Option<u64>,
    /// Digest of the body of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<u64>,
    /// Pages in a row before this one that could not be had.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) lost: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_none(count: &u8) -> bool {
    *count == 0
}

impl Luggage {
    /// What `request` carries; nothing if it carries none of ours.
    pub(super) fn of(request: &Request) -> Self {
        request.data::<Option<Self>>().ok().flatten().unwrap_or_default()
    }

    /// Values alone.
    pub(super) fn with(values: Map<String, Value>) -> Self {
        Self { values, ..Self::default() }
    }

    /// Gives it to `request`. Nothing is written where there is nothing to carry.
    pub(super) fn put(&self, request: Request) -> Request {
        if *self == Self::default() {
            return request;
        }
        request.with_data(self).expect("names are strings")
    }
}

/// Lets `values` become fields of the items of the page that `request` asks for, and of the pages of its list.
#[must_use]
pub fn carrying(request: Request, values: Map<String, Value>) -> Request {
    Luggage::with(values).put(request)
}

/// About how many bytes values take.
pub(super) fn weight(values: &Map<String, Value>) -> usize {
    values.iter().map(|(name, value)| name.len() + weight_of(value)).sum()
}

fn weight_of(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight_of).sum(),
        Value::Object(members) => weight(members),
        _ => 0,
    };
    inner + 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::CanonicalUrl;

    fn request() -> Request {
        Request::get(CanonicalUrl::parse("http://a.example/").unwrap())
    }

    #[test]
    fn what_travels_comes_back_and_nothing_weighs_nothing() {
        assert_eq!(Luggage::default().put(request()), request());
        let walk = Walk { turned: 3, gave: Some(u64::MAX), ..Walk::default() };
        let mut luggage = Luggage { walk: Some(walk), is_original: true, ..Luggage::default() };
        luggage.values.insert("category".to_owned(), "tea".into());
        assert_eq!(Luggage::of(&luggage.put(request())), luggage);
    }

    #[test]
    fn the_data_of_others_is_no_luggage() {
        for data in [serde_json::json!(7), serde_json::json!("x"), serde_json::json!(null)] {
            assert_eq!(Luggage::of(&request().with_data(&data).unwrap()), Luggage::default());
        }
    }

    #[test]
    fn values_weigh_what_they_hold() {
        let values = serde_json::json!({ "ab": "xyz", "c": [1, { "d": "ef" }] });
        assert_eq!(weight(values.as_object().unwrap()), 2 + 11 + 1 + 8 + 8 + 8 + 1 + 10);
    }
}
