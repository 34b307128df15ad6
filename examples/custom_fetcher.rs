//! A fetcher that wraps the HTTP fetcher: it sees every request that leaves and every answer that comes, and can change both.
//!
//! It is asked through the same frontier as every fetcher. So it cannot skip robots.txt, scope, pace or a `Retry-After`: when
//! `fetch` is called, the time for this one request has come.
//!
//! Run it with `cargo run --example custom_fetcher`. It crawls the built-in demo bookshop; nothing leaves this machine.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crawl::address::AddressPolicy;
use crawl::clock::Clock;
use crawl::demo::DemoSite;
use crawl::fetch::http::{HttpFetcher, HttpOptions};
use crawl::fetch::{FetchError, Fetcher, Outgoing};
use crawl::prelude::*;
use crawl::response::Response;
use crawl::url::HostKey;

/// Asks for English pages and counts what came over the wire.
struct Counted<F>(F, Arc<AtomicU64>);

impl<F: Fetcher> Fetcher for Counted<F> {
    async fn fetch(&self, mut outgoing: Outgoing) -> Result<Response, FetchError> {
        outgoing.headers.push(("accept-language".into(), "en".into()));
        let response = self.0.fetch(outgoing).await?;
        self.1.fetch_add(response.wire_bytes, Ordering::Relaxed);
        Ok(response)
    }

    async fn resolve(&self, host: &HostKey) -> Option<IpAddr> {
        self.0.resolve(host).await
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
    let options = HttpOptions {
        user_agent: "crawl/1.0".to_owned(),
        addresses: AddressPolicy::default().and([site.addr().ip()]), // this machine is no public address
        ..Default::default()
    };
    let bytes = Arc::new(AtomicU64::new(0));
    let fetcher = Counted(HttpFetcher::new(options, Clock::start())?, Arc::clone(&bytes));
    let policy = Policy::fixed(std::time::Duration::ZERO);
    let crawl = Crawl::builder().spider(Menu(CanonicalUrl::parse(&site.url())?));
    let report = crawl.policy(policy).build_with(fetcher)?.run().await?;
    println!("{} pages, {} bytes on the wire", report.totals.pages, bytes.load(Ordering::Relaxed));
    assert_eq!((report.totals.pages, report.totals.disallowed), (5, 1));
    // The basket is in the menu, and robots.txt closes it.
    assert!(site.log().iter().all(|asked| !asked.path.starts_with("/basket/")));
    Ok(())
}
