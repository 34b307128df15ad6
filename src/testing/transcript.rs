//! Who came when: the access log of a simulated web.

use std::sync::Arc;

use http::Method;

use crate::time::Timestamp;
use crate::url::Fingerprint;

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When it came.
    pub start: Timestamp,
    /// When its answer was at an end, or the client was gone; `None` while it is open.
    pub end: Option<Timestamp>,
    /// Scheme, host and port.
    pub origin: Arc<str>,
    /// The host alone.
    pub host: Arc<str>,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: Box<str>,
    /// The status; `None` if there was no whole answer.
    pub status: Option<u16>,
    /// Where the answer pointed.
    pub location: Option<Box<str>>,
    /// Until when the answer asked to be left alone.
    pub not_before: Option<Timestamp>,
}

impl Arrival {
    /// The whole URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// Whether it asked for robots.txt.
    #[must_use]
    pub fn is_robots(&self) -> bool {
        &*self.path == "/robots.txt"
    }

    /// Whether it brought a page: not robots.txt, and not the mere word that a page is still there.
    #[must_use]
    pub fn is_page(&self) -> bool {
        self.is_success() && !self.is_robots() && self.method != Method::HEAD
    }

    /// Whether it brought what was asked for.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// All arrivals, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// When the web began.
    pub began: Timestamp,
    /// The arrivals.
    pub arrivals: Vec<Arrival>,
}

impl Transcript {
    /// A number that is the same for the same arrivals at the same times with the same answers.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = Fingerprint::hasher();
        for arrival in &self.arrivals {
            let end = arrival.end.unwrap_or(Timestamp::MAX);
            digest.update(&arrival.start.as_millis().to_le_bytes());
            digest.update(&end.as_millis().to_le_bytes());
            digest.update(&arrival.status.unwrap_or(0).to_le_bytes());
            for text in [arrival.method.as_str(), &arrival.origin, &arrival.path] {
                digest.update(text.as_bytes());
                digest.update(b"\n");
            }
        }
        Fingerprint::from_hasher(&digest).get()
    }

    /// Seconds from the web's beginning to a moment.
    #[must_use]
    pub fn seconds(&self, moment: Timestamp) -> f64 {
        moment.since(self.began).as_secs_f64()
    }

    /// The log as text, one line per arrival: second, status, URL.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |arrival: &Arrival| {
            let (start, end) = (arrival.start, arrival.end.unwrap_or(Timestamp::MAX));
            let status = arrival.status.map_or("-".to_owned(), |status| status.to_string());
            let (start, end) = (self.seconds(start), self.seconds(end));
            format!("{start:10.3} {end:10.3} {status:>3} {}\n", arrival.url())
        };
        self.arrivals.iter().map(line).collect()
    }
}
