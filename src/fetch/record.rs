//! A fetcher that keeps what another one brings.
//!
//! What a spider reads is kept whole; redirects, pages that are not there and pages that are closed to us are kept without their
//! bodies. What says nothing about the page (429, 5xx, a challenge, a body that broke off) is not kept, and what was
//! recorded before stays. So does it after a 304. Writing goes on beside the async threads, a few files at a time, and is
//! waited for: a page that is done has been recorded.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::HeaderMap;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{FetchError, Fetcher, Outgoing, Purpose};
use crate::headers::validators::is_condition;
use crate::politeness::{Class, Outcome};
use crate::request::Request;
use crate::response::Response;
use crate::store::StoreError;
use crate::store::bodies::{Bodies, Kept};
use crate::url::HostKey;

/// Answers that are packed at once.
const WRITERS: usize = 4;

/// Records the answers of the fetcher that it wraps.
///
/// A page that is not recorded yet is asked for in full, also where the crawl would ask only whether it has changed.
#[derive(Debug)]
pub struct Recording<F> {
    inner: F,
    bodies: Arc<Bodies>,
    writers: Semaphore,
    /// Whether it was said that answers are not kept.
    told: AtomicBool,
}

impl<F: Fetcher> Recording<F> {
    /// Keeps what `inner` brings in `bodies`.
    #[must_use]
    pub fn new(inner: F, bodies: Arc<Bodies>) -> Self {
        Self { inner, bodies, writers: Semaphore::new(WRITERS), told: AtomicBool::new(false) }
    }

    /// Whether a 304 would leave us without the page.
    async fn is_missing(&self, outgoing: &Outgoing) -> bool {
        if self.bodies.is_full() || !outgoing.headers.iter().any(|(name, _)| is_condition(name)) {
            return false;
        }
        let (bodies, key) = (Arc::clone(&self.bodies), outgoing.request.fingerprint());
        let looked = tokio::task::spawn_blocking(move || bodies.holds(key)).await;
        looked.is_ok_and(|held| !held)
    }

    async fn keep(&self, request: Request, response: Response) {
        let _turn = self.writers.acquire().await;
        let bodies = Arc::clone(&self.bodies);
        let url = response.url.clone();
        let put = tokio::task::spawn_blocking(move || bodies.put(&request, &response)).await;
        match put {
            Ok(Ok(Kept::Full)) => self.tell_once("there is no more room: raise `max-bodies` in [cache]"),
            Ok(Err(StoreError::Io { path, reason })) => {
                self.tell_once(&format!("cannot use `{}`: {reason}", path.display()));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%url, %error, "the answer was not recorded"),
            Err(error) => tracing::warn!(%url, %error, "the answer was not recorded"),
        }
    }

    fn tell_once(&self, reason: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "from now on not every answer is recorded");
        }
    }
}

impl<F: Fetcher> Fetcher for Recording<F> {
    async fn fetch(&self, mut outgoing: Outgoing) -> Result<Response, FetchError> {
        if matches!(outgoing.purpose, Purpose::Control | Purpose::Login | Purpose::File) {
            return self.inner.fetch(outgoing).await;
        }
        if self.is_missing(&outgoing).await {
            outgoing.headers.retain(|(name, _)| !is_condition(name));
        }
        let request = outgoing.request.clone();
        let response = self.inner.fetch(outgoing).await?;
        if let Some(kept) = worth_keeping(&response) {
            self.keep(request, kept).await;
        }
        Ok(response)
    }

    async fn resolve(&self, host: &HostKey) -> Option<IpAddr> {
        self.inner.resolve(host).await
    }

    fn headers(&self, outgoing: &Outgoing) -> HeaderMap {
        self.inner.headers(outgoing)
    }
}

/// What is kept of an answer, if anything is.
fn worth_keeping(response: &Response) -> Option<Response> {
    match Outcome::of(response).class {
        Class::Fetched => Some(response.clone()),
        Class::Redirected | Class::Gone | Class::Forbidden => {
            Some(Response { body: Bytes::new(), truncated: None, ..response.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::{HeaderValue, StatusCode};

    use super::*;
    use crate::response::Truncation;
    use crate::url::CanonicalUrl;

    /// Gives the same answer every time and remembers what it was asked.
    struct Always(Response, Arc<Mutex<Vec<Outgoing>>>);

    impl Fetcher for Always {
        async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
            self.1.lock().unwrap().push(outgoing);
            Ok(self.0.clone())
        }
    }

    fn answer(status: u16, body: &'static str) -> Response {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        Response::of(url, StatusCode::from_u16(status).unwrap(), body)
    }

    async fn record(bodies: &Arc<Bodies>, response: Response, outgoing: Outgoing) -> Outgoing {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let recording = Recording::new(Always(response, Arc::clone(&asked)), Arc::clone(bodies));
        recording.fetch(outgoing).await.unwrap();
        let mut asked = asked.lock().unwrap();
        asked.pop().unwrap()
    }

    fn home() -> Outgoing {
        Outgoing::new(Request::get(answer(200, "").url))
    }

    #[tokio::test]
    async fn what_a_spider_reads_is_kept_whole_and_the_rest_in_short() {
        let mut broken = answer(200, "half");
        broken.truncated = Some(Truncation::Disconnect);
        let table = [
            (answer(200, "page"), Some("page")),
            (answer(404, "not here"), Some("")),
            (answer(302, "there"), Some("")),
            (answer(403, "no"), Some("")),
            (answer(304, ""), None),
            (answer(429, "later"), None),
            (answer(500, "sorry"), None),
            (broken, None),
        ];
        for (response, kept) in table {
            let dir = tempfile::tempdir().unwrap();
            let bodies = Arc::new(Bodies::open(dir.path(), 1 << 20).unwrap());
            record(&bodies, response.clone(), home()).await;
            let recorded = bodies.get(home().request.fingerprint()).unwrap();
            let body = recorded.map(|recorded| recorded.response.body);
            assert_eq!(body, kept.map(Bytes::from), "{}", response.status);
        }
    }

    #[tokio::test]
    async fn a_page_that_is_not_recorded_is_asked_for_in_full() {
        let dir = tempfile::tempdir().unwrap();
        let bodies = Arc::new(Bodies::open(dir.path(), 1 << 20).unwrap());
        let mut conditional = home();
        conditional.headers = vec![("If-None-Match".into(), "\"1\"".into()), ("x".into(), "y".into())];
        let asked = record(&bodies, answer(200, "page"), conditional.clone()).await;
        assert_eq!(asked.headers, [("x".to_owned(), "y".to_owned())]);
        let asked = record(&bodies, answer(304, ""), conditional.clone()).await;
        assert_eq!(asked.headers, conditional.headers);
        assert!(bodies.holds(home().request.fingerprint()));
    }

    #[tokio::test]
    async fn a_control_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let bodies = Arc::new(Bodies::open(dir.path(), 1 << 20).unwrap());
        let mut response = answer(200, "page");
        response.headers.insert("content-type", HeaderValue::from_static("text/html"));
        record(&bodies, response, Outgoing { purpose: Purpose::Control, ..home() }).await;
        assert!(bodies.keys().unwrap().is_empty());
    }
}
