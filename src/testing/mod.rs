//! A made-up web on simulated time: for tests of spiders, and of the crawler itself.
//!
//! Five things, from small to large:
//!
//! - [`page`] and [`harvest`] test a spider on a piece of HTML, without a network and without a runtime.
//! - [`Recorded`] pages pin a spider to what it took from them once.
//! - [`SimWeb`] is a [`Fetcher`](crate::fetch::Fetcher) that answers from a model of some sites and writes down every arrival
//!   in a [`Transcript`], which can be judged: was anybody asked too often, too early or against his robots.txt?
//! - [`Scenario`] is both in a file: the web, the crawl, and what is expected of it. [`Measures`] tell how well the crawl did:
//!   refusals by the hour, pages against what the hidden limits bore, time to adapt to a change.
//! - [`Simulation`] is its world, for a crawl that is put together elsewhere (`crawl simulate`).
//!
//! Time is tokio's. Under a paused runtime (`#[tokio::test(start_paused = true)]`, feature `test-util` of tokio) an hour of
//! crawling takes milliseconds; nothing here pauses it or reads the machine's clock.
//!
//! ```
//! use crawl::extract::ExtractError;
//! use crawl::item::Harvest;
//! use crawl::page::Page;
//! use crawl::request::Request;
//! use crawl::spider::Spider;
//! use crawl::testing;
//!
//! struct Titles;
//!
//! impl Spider for Titles {
//!     fn name(&self) -> &str {
//!         "titles"
//!     }
//!     fn seeds(&self) -> Vec<Request> {
//!         Vec::new()
//!     }
//!     fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
//!         harvest.item(&serde_json::json!({ "title": page.title() }))?;
//!         Ok(())
//!     }
//! }
//!
//! let page = testing::page("https://example.com/", "<title>Hello</title>");
//! let harvest = testing::harvest(&Titles, &page)?;
//! assert_eq!(harvest.items()[0].1["title"], "Hello");
//! # Ok::<(), ExtractError>(())
//! ```

mod answer;
mod expect;
#[doc(hidden)]
pub mod inside;
mod judge;
mod limit;
mod measure;
mod reading;
pub mod replay;
mod scenario;
mod simulation;
mod site;
mod spider;
mod store;
mod transcript;
mod web;

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

pub use expect::{ArrivalExpected, Expected, HostExpected};
pub use judge::{Breach, Yardstick};
pub use limit::{
    Announces, Latency, Load, Outage, RateStep, Ruling, Server, ServerModel, Told, Treatment, Window,
};
pub use measure::{Adapted, Counts, Felt, HostMeasures, Measures};
pub use reading::Misreading;
pub use replay::Recorded;
pub use scenario::{CrawlModel, Scenario, ScenarioError, ScenarioRun};
pub use simulation::{Course, Operator, Parked, Simulation};
pub use site::{Format, Rule, Shape, Site};
pub use spider::FollowAll;
pub use store::SharedStore;
pub use transcript::{Arrival, Transcript};
pub use web::SimWeb;

use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::response::Response;
use crate::spider::Spider;
use crate::url::CanonicalUrl;

/// A page of this HTML, as if it had just been fetched from `url`.
///
/// # Panics
/// If `url` is not an http or https URL.
#[must_use]
pub fn page(url: &str, html: &str) -> Page {
    let url = CanonicalUrl::parse(url).unwrap_or_else(|error| panic!("{error}"));
    answered(Request::get(url), html)
}

/// A page of this HTML as the answer to `request`: for spiders that look at label or data.
#[must_use]
pub fn answered(request: Request, html: &str) -> Page {
    let mut response = Response::of(request.url.clone(), StatusCode::OK, html.to_owned());
    let html_in_utf_8 = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers.insert(header::CONTENT_TYPE, html_in_utf_8);
    Page::new(Arc::new(request), response)
}

/// What `spider` takes from `page`.
///
/// # Errors
/// The spider's own.
pub fn harvest(spider: &impl Spider, page: &Page) -> Result<Harvest, ExtractError> {
    let mut harvest = Harvest::new();
    spider.parse(page, &mut harvest)?;
    Ok(harvest)
}
