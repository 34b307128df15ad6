//! A fetcher that answers from what was recorded. It has no client: nothing it does can leave this machine.
//!
//! An origin whose robots.txt was not recorded has no rules. What a recorded one allows counts; what it wishes about pace does
//! not, because nobody is asked. Anything else that was not recorded is a failure of its own kind, which is never tried
//! again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;

use super::{FetchError, Fetcher, Outgoing, Purpose};
use crate::clock::Clock;
use crate::response::{FailureKind, Response};
use crate::store::bodies::Bodies;
use crate::url::CanonicalUrl;

/// URLs of missing answers that are remembered.
const MOST_NAMED: usize = 20;

/// Lines of a robots.txt that say when and how fast to come.
const WISHES: [&[u8]; 3] = [b"crawl-delay", b"request-rate", b"visit-time"];

/// Replays recorded answers. Clones share their count of what is missing.
#[derive(Debug, Clone)]
pub struct Replay {
    bodies: Arc<Bodies>,
    clock: Clock,
    missing: Arc<Mutex<Missing>>,
}

/// What was asked for and not recorded.
#[derive(Debug, Clone, Default)]
pub struct Missing {
    /// Requests.
    pub count: u64,
    /// The first 20 of them.
    pub first: Vec<CanonicalUrl>,
}

impl Replay {
    /// Answers from `bodies`; all answers bear the time of `clock`.
    #[must_use]
    pub fn new(bodies: Arc<Bodies>, clock: Clock) -> Self {
        Self { bodies, clock, missing: Arc::default() }
    }

    /// What was asked for so far and not recorded.
    #[must_use]
    pub fn missing(&self) -> Missing {
        self.count().clone()
    }

    fn count(&self) -> MutexGuard<'_, Missing> {
        // A count and a list: there is no half-way.
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_recorded(&self, url: &CanonicalUrl, reason: &str) -> FetchError {
        let mut missing = self.count();
        missing.count += 1;
        if missing.first.len() < MOST_NAMED {
            missing.first.push(url.clone());
        }
        FetchError::new(FailureKind::NotRecorded, reason)
    }
}

impl Fetcher for Replay {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let (bodies, key) = (Arc::clone(&self.bodies), outgoing.request.fingerprint());
        let url = outgoing.request.url;
        let found = tokio::task::spawn_blocking(move || bodies.get(key)).await;
        let response = match (found, outgoing.purpose) {
            (Ok(Ok(Some(recorded))), _) => recorded.response,
            (_, Purpose::Robots) => Response::of(url, StatusCode::NOT_FOUND, ""),
            (Ok(Ok(None)), _) => return Err(self.not_recorded(&url, "a run with a network would ask for it")),
            (Ok(Err(error)), _) => return Err(self.not_recorded(&url, &error.to_string())),
            (Err(error), _) => return Err(self.not_recorded(&url, &error.to_string())),
        };
        let response = match outgoing.purpose {
            Purpose::Robots => Response { body: without_wishes(&response.body), ..response },
            _ => response,
        };
        let now = self.clock.now();
        Ok(Response { started: now, first_byte: now, ended: now, ..response })
    }
}

/// A robots.txt in which the lines about pace are comments.
fn without_wishes(robots: &[u8]) -> Bytes {
    let mut body = robots.to_vec();
    for line in body.split_mut(|byte| matches!(byte, b'\n' | b'\r')) {
        let key = line.trim_ascii_start();
        let is_wish = |wish: &&[u8]| key.get(..wish.len()).is_some_and(|key| key.eq_ignore_ascii_case(wish));
        if WISHES.iter().any(is_wish) {
            line.fill(b'#');
        }
    }
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    #[test]
    fn wishes_about_pace_are_taken_out_of_a_robots_txt_and_nothing_else_is() {
        let robots =
            b"User-agent: *\r\n crawl-delay: 9\nDisallow: /crawl-delay\nVisit-Time: 1-2\nRequest-rate: 1/9";
        let left =
            b"User-agent: *\r\n###############\nDisallow: /crawl-delay\n###############\n#################";
        assert_eq!(without_wishes(robots), left[..]);
    }

    #[tokio::test]
    async fn only_what_was_recorded_is_answered_and_the_rest_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let bodies = Bodies::open(dir.path(), 1 << 20).unwrap();
        let url = |text| CanonicalUrl::parse(text).unwrap();
        let known = Request::get(url("http://a.example/"));
        bodies.put(&known, &Response::of(known.url.clone(), StatusCode::OK, "page")).unwrap();
        let replay = Replay::new(Arc::new(bodies), Clock::start());
        assert_eq!(replay.fetch(Outgoing::new(known)).await.unwrap().body, "page");

        let robots = Request::get(url("http://a.example/robots.txt"));
        let robots = Outgoing { purpose: Purpose::Robots, ..Outgoing::new(robots) };
        assert_eq!(replay.fetch(robots).await.unwrap().status, StatusCode::NOT_FOUND);
        assert_eq!(replay.missing().count, 0);

        let other = Outgoing::new(Request::get(url("http://a.example/other")));
        let error = replay.fetch(other).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::NotRecorded);
        assert!(error.to_string().starts_with("not recorded: "), "{error}");
        assert_eq!(replay.missing().first, [url("http://a.example/other")]);
    }
}
