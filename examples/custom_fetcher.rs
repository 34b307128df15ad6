//! A fetcher that wraps the HTTP fetcher: it sees every request that leaves and every answer that comes, and can change both.
//!
//! It is asked through the same frontier as every fetcher. So it cannot skip robots.txt, scope, pace or a `Retry-After`: when
//! `fetch` is called, the time for this one request has come.
//!
//! Run it with `cargo run --example custom_fetcher`. It crawls the built-in demo bookshop; nothing leaves this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crawl::address::AddressPolicy;
use crawl::clock::Clock;
use crawl::demo::DemoSite;
use crawl::engine::Crawl;
use crawl::extract::ExtractError;
use crawl::fetch::http::{HttpFetcher, HttpOptions};
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::response::Response;
use crawl::spider::Spider;
use crawl::url::CanonicalUrl;

/// Asks for English pages and counts what came over the wire.
struct Counted<F> {
    inner: F,
    bytes: Arc<AtomicU64>,
}

impl<F: Fetcher> Fetcher for Counted<F> {
    async fn fetch(&self, mut outgoing: Outgoing) -> Result<Response, FetchError> {
        outgoing
            .headers
            .push(("accept-language".to_owned(), "en".to_owned()));
        let response = self.inner.fetch(outgoing).await?;
        self.bytes.fetch_add(response.wire_bytes, Ordering::Relaxed);
        Ok(response)
    }
}

/// Visits the home page and the pages in its main menu.
struct Menu(CanonicalUrl);

impl Spider for Menu {
    fn name(&self) -> &str {
        "menu"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.0.clone())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        for href in page.select("nav.main-nav a")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let addresses = AddressPolicy::new(vec!["127.0.0.1/32".parse()?]);
    let options = HttpOptions {
        user_agent: "crawl/1.0".to_owned(),
        addresses,
        ..Default::default()
    };
    let bytes = Arc::new(AtomicU64::new(0));
    let fetcher = Counted {
        inner: HttpFetcher::new(options, Clock::start())?,
        bytes: Arc::clone(&bytes),
    };
    let policy = Policy {
        delay: std::time::Duration::ZERO,
        ..Default::default()
    };
    let crawl = Crawl::builder()
        .spider(Menu(CanonicalUrl::parse(&site.url())?))
        .policy(policy)
        .build_with(fetcher)?;
    let report = crawl.run().await?;
    println!(
        "{} pages, {} forbidden by robots.txt",
        report.totals.pages, report.totals.disallowed
    );
    println!(
        "{} bytes on the wire, robots.txt included",
        bytes.load(Ordering::Relaxed)
    );
    assert_eq!(
        (report.totals.pages, report.totals.disallowed),
        (5, 1),
        "the basket is closed to robots"
    );
    assert!(site.log().iter().all(|asked| !asked.path.starts_with("/basket/")));
    Ok(())
}
