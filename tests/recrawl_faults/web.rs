//! A small web that changes between rounds, and a spider for it. Pages can be told apart by their ETag.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crawl::clock::Clock;
use crawl::extract::ExtractError;
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::request::Request;
use crawl::response::Response;
use crawl::spider::Spider;
use crawl::url::{CanonicalUrl, Fingerprint};
use http::{HeaderValue, StatusCode, header};

use super::mortal::Fate;

pub const A: &str = "http://a.example";
pub const B: &str = "http://b.example";

/// What a URL is answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Page { title: &'static str, links: Vec<&'static str>, kept: Kept },
    Status(u16),
    Moved(&'static str),
}

/// What the server says about keeping a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    ByEtag,
    /// Nothing to ask with.
    Plain,
    NoStore,
}

pub fn page(title: &'static str) -> Answer {
    linking(title, &[])
}

pub fn linking(title: &'static str, links: &[&'static str]) -> Answer {
    Answer::Page { title, links: links.to_vec(), kept: Kept::ByEtag }
}

pub type Pages = BTreeMap<String, Answer>;

/// What a request got: URL and status.
pub type Line = (String, u16);

/// The web. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Web {
    pub clock: Clock,
    pub fate: Fate,
    state: Arc<Mutex<(Pages, Vec<Line>)>>,
}

impl Web {
    pub fn new(clock: Clock, fate: Fate) -> Self {
        Self { clock, fate, state: Arc::default() }
    }

    pub fn show(&self, pages: &Pages) {
        self.state.lock().unwrap().0.clone_from(pages);
    }

    /// What was asked since the last look.
    pub fn log(&self) -> Vec<Line> {
        std::mem::take(&mut self.state.lock().unwrap().1)
    }

    fn answer(&self, outgoing: &Outgoing) -> Response {
        let url = outgoing.request.url.clone();
        let mut state = self.state.lock().unwrap();
        let answer = state.0.get(url.as_str()).cloned().unwrap_or(Answer::Status(404));
        let sent = outgoing.headers.iter().find(|(name, _)| name == "if-none-match");
        let response = respond(&url, answer, sent.map(|(_, etag)| etag.as_str()));
        state.1.push((url.to_string(), response.status.as_u16()));
        response
    }
}

fn respond(url: &CanonicalUrl, answer: Answer, condition: Option<&str>) -> Response {
    let empty = |status: u16| Response::of(url.clone(), StatusCode::from_u16(status).unwrap(), "");
    let (title, links, kept) = match answer {
        Answer::Page { title, links, kept } => (title, links, kept),
        Answer::Status(status) => return empty(status),
        Answer::Moved(to) => {
            let mut response = empty(301);
            response.headers.insert(header::LOCATION, HeaderValue::from_static(to));
            return response;
        }
    };
    let anchors: String = links.iter().map(|link| format!("<a href=\"{link}\">x</a>")).collect();
    let body = format!("<h1>{title}</h1>{anchors}");
    let etag = format!("\"{:x}\"", Fingerprint::of(body.as_bytes()).get());
    let same = kept == Kept::ByEtag && condition == Some(etag.as_str());
    let mut response = if same { empty(304) } else { Response::of(url.clone(), StatusCode::OK, body) };
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    match kept {
        Kept::ByEtag => drop(response.headers.insert(header::ETAG, etag.parse().unwrap())),
        Kept::NoStore => {
            drop(response.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        }
        Kept::Plain => {}
    }
    response
}

impl Fetcher for Web {
    async fn fetch(&self, outgoing: Outgoing) -> Result<Response, FetchError> {
        let started = self.clock.now();
        self.clock.sleep_until(started + Duration::from_millis(5)).await;
        let mut response = self.answer(&outgoing);
        // The server has answered, and nobody is there any more to hear it.
        if self.fate.step().is_err() {
            return std::future::pending().await;
        }
        let ended = self.clock.now_up();
        (response.started, response.first_byte, response.ended) = (started, ended, ended);
        Ok(response)
    }
}

/// One item a page; every link is followed. Begins at the home pages of these hosts.
pub struct Titles(pub Vec<String>);

impl Spider for Titles {
    fn name(&self) -> &str {
        "titles"
    }

    fn seeds(&self) -> Vec<Request> {
        self.0.iter().map(|host| Request::get(CanonicalUrl::parse(host).unwrap())).collect()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        // A number that comes back as another one wherever it is read in haste.
        let number = 44.647_709_179_607_524;
        let title = page.text_of("h1")?;
        harvest.item(&serde_json::json!({ "url": page.request().url, "title": title, "number": number }))?;
        for href in page.select("a")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}
