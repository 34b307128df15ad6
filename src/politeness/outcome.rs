//! What came back from one request, classified once, for every room above.
//!
//! An outcome is data, never an `Err`: a refused connection is as much a fact about the host as a 200. The classes follow
//! RFC 9110 section 15 and RFC 6585 section 4.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::headers::challenge::challenge;
use crate::headers::rate_limit::{Announced, announced};
use crate::headers::retry_after::of_headers;
use crate::response::{FailureKind, Response, Truncation};
use crate::time::Timestamp;

/// What one request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The class.
    pub class: Class,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The wait that the server asked for, measured from `ended`.
    pub told: Option<Duration>,
    /// What it tells of its limits.
    pub announced: Announced,
    /// When the request left.
    pub began: Timestamp,
    /// When the last byte was read or the failure was noticed.
    pub ended: Timestamp,
}

/// What an answer means for its URL and its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// 2xx with a whole body.
    Fetched,
    /// 304.
    NotModified,
    /// 301, 302, 303, 307, 308.
    Redirected,
    /// 4xx that says the page is not there: not tried again, and a sign of health of the host.
    Gone,
    /// 401, 403: not tried at once; may be the beginning of a block.
    Forbidden,
    /// A page that wants a browser or a human proved instead of the page that was asked: treated like [`Class::Forbidden`].
    Challenge,
    /// 408, 425: the request came at a bad moment.
    Transient,
    /// 429, 503: the *host* is to be left alone.
    Throttled,
    /// Other 5xx.
    ServerError,
    /// 2xx whose body is not whole.
    Truncated(Truncation),
    /// No answer.
    Unreachable(FailureKind),
}

impl Class {
    /// The class of an answer with this status and a whole body.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            304 => Self::NotModified,
            301 | 302 | 303 | 307 | 308 => Self::Redirected,
            401 | 403 => Self::Forbidden,
            408 | 425 => Self::Transient,
            429 | 503 => Self::Throttled,
            200..=299 => Self::Fetched,
            500..=599 => Self::ServerError,
            _ => Self::Gone,
        }
    }

    /// Whether the host is shown to be well by it.
    #[must_use]
    pub const fn is_health(self) -> bool {
        matches!(self, Self::Fetched | Self::NotModified | Self::Redirected | Self::Gone | Self::Truncated(_))
    }

    /// Whether it says that we are not welcome, as 401 and 403 do.
    #[must_use]
    pub const fn is_forbidden(self) -> bool {
        matches!(self, Self::Forbidden | Self::Challenge)
    }

    /// The class as it stands in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::NotModified => "not-modified",
            Self::Redirected => "redirected",
            Self::Gone => "gone",
            Self::Forbidden => "forbidden",
            Self::Challenge => "challenge",
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::ServerError => "server-error",
            Self::Truncated(_) => "truncated",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

impl Outcome {
    /// Classifies an answer.
    #[must_use]
    pub fn of(response: &Response) -> Self {
        let class = match (Class::of_status(response.status), response.truncated) {
            // Who says "later" is asked later, whatever stands on the page.
            (Class::Throttled, _) => Class::Throttled,
            _ if challenge(response.status, &response.headers, &response.body).is_some() => Class::Challenge,
            // What was cut at our own limit is what we wanted of it; only a body that broke off is worth another try.
            (
                Class::Fetched,
                Some(cut @ (Truncation::Disconnect | Truncation::Time | Truncation::Coding)),
            ) => Class::Truncated(cut),
            (class, _) => class,
        };
        Self {
            class,
            status: Some(response.status.as_u16()),
            told: told(response, class),
            announced: announced(&response.headers, response.ended),
            began: response.started,
            ended: response.ended,
        }
    }

    /// Whether it says that we are not welcome: 401, 403, 451, a challenge page. (A 451 is [`Class::Gone`] for its page.)
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        self.class.is_forbidden() || matches!(self.status, Some(451))
    }

    /// Whether it says that there is no such page (404) or no more (410).
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!((self.class, self.status), (Class::Gone, Some(404 | 410)))
    }

    /// Whether it refuses the request as such: not now, or not for us.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.class.is_forbidden() || matches!(self.class, Class::Throttled)
    }

    /// Whether it shows that the host is well and well disposed.
    #[must_use]
    pub const fn is_health(&self) -> bool {
        self.class.is_health() && !self.is_forbidden()
    }

    /// The outcome of a request that got no answer.
    #[must_use]
    pub const fn failed(kind: FailureKind, began: Timestamp, ended: Timestamp) -> Self {
        let announced = Announced { limit: None, remaining: None, reset: None };
        Self { class: Class::Unreachable(kind), status: None, told: None, announced, began, ended }
    }
}

/// The answer's `Retry-After`, read on every answer that is not a success (RFC 9110 10.2.3).
fn told(response: &Response, class: Class) -> Option<Duration> {
    if matches!(class, Class::Fetched | Class::NotModified | Class::Truncated(_)) {
        return None;
    }
    of_headers(&response.headers, response.ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::CanonicalUrl;

    fn answer(status: u16) -> Response {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        Response::of(url, StatusCode::from_u16(status).unwrap(), "")
    }

    #[test]
    fn every_status_has_its_class() {
        let table = [
            (200, Class::Fetched),
            (204, Class::Fetched),
            (304, Class::NotModified),
            (302, Class::Redirected),
            (300, Class::Gone),
            (404, Class::Gone),
            (410, Class::Gone),
            (451, Class::Gone),
            (401, Class::Forbidden),
            (403, Class::Forbidden),
            (408, Class::Transient),
            (425, Class::Transient),
            (429, Class::Throttled),
            (503, Class::Throttled),
            (500, Class::ServerError),
            (502, Class::ServerError),
            (504, Class::ServerError),
            (522, Class::ServerError),
            (999, Class::Gone),
        ];
        for (status, class) in table {
            assert_eq!(Outcome::of(&answer(status)).class, class, "{status}");
        }
    }

    #[test]
    fn a_body_that_broke_off_is_not_a_page() {
        let mut response = answer(200);
        response.truncated = Some(Truncation::Disconnect);
        assert_eq!(Outcome::of(&response).class, Class::Truncated(Truncation::Disconnect));
        response.truncated = Some(Truncation::Length);
        assert_eq!(Outcome::of(&response).class, Class::Fetched);
    }

    #[test]
    fn a_challenge_page_is_not_the_page_but_who_says_later_is_asked_later() {
        for (status, class) in [
            (200, Class::Challenge),
            (403, Class::Challenge),
            (429, Class::Throttled),
            (503, Class::Throttled),
        ] {
            let url = CanonicalUrl::parse("http://a.example/").unwrap();
            let page = "<html><head><title>Just a moment...</title>";
            let response = Response::of(url, StatusCode::from_u16(status).unwrap(), page);
            assert_eq!(Outcome::of(&response).class, class, "{status}");
        }
        let mut accepted = answer(202);
        accepted.headers.insert("x-amzn-waf-action", http::HeaderValue::from_static("challenge"));
        assert_eq!(Outcome::of(&accepted).class, Class::Challenge);
    }

    #[test]
    fn retry_after_is_read_on_every_refusal_and_on_redirects() {
        for status in [302, 403, 413, 429, 500, 503] {
            let mut response = answer(status);
            response.headers.insert("retry-after", http::HeaderValue::from_static("3"));
            assert_eq!(Outcome::of(&response).told, Some(Duration::from_secs(3)), "{status}");
        }
        let mut fine = answer(200);
        fine.headers.insert("retry-after", http::HeaderValue::from_static("3"));
        assert_eq!(Outcome::of(&fine).told, None);
    }
    #[test]
    fn limits_are_read_on_every_answer() {
        for status in [200, 301, 304, 404, 429, 503] {
            let mut response = answer(status);
            response.headers.insert("ratelimit", http::HeaderValue::from_static("\"a\";r=5;t=10"));
            let announced = Outcome::of(&response).announced;
            assert_eq!(
                (announced.remaining, announced.reset),
                (Some(5), Some(Duration::from_secs(10))),
                "{status}"
            );
        }
    }
}
