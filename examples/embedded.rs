//! A crawl inside of a program of your own: start it, watch it, stop it, go on with it later.
//!
//! Run it with `cargo run --example embedded`. It crawls the built-in demo bookshop; nothing leaves this machine.

use std::path::Path;
use std::time::Duration;

use crawl::demo::DemoSite;
use crawl::engine::{BuildError, End, Event, Start};
use crawl::fetch::http::HttpFetcher;
use crawl::prelude::*;

/// Walks one shelf of the shop.
struct Shelf(CanonicalUrl);

impl Spider for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.0.clone())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        if page.first("article.book")?.is_some() {
            return Ok(()); // a book: we are here for the shelf alone
        }
        for href in page.select(".book-card a, nav.pagination a")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}

/// The same description for both runs. With a state directory the second run knows what the first one did.
fn describe(seed: &CanonicalUrl, state: &Path, start: Start) -> Result<Crawl<HttpFetcher>, BuildError> {
    let crawl = Crawl::builder().spider(Shelf(seed.clone()));
    crawl.policy(quick()).state_dir(state).start(start).build()
}

/// Our own machine needs no second between two pages.
fn quick() -> Policy {
    Policy::fixed(Duration::ZERO)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let seed = CanonicalUrl::parse(&format!("{}catalogue/travel/", site.url()))?;
    let state = std::env::temp_dir().join(format!("crawl-embedded-{}", std::process::id()));

    // Handles are taken before the run begins. Everything on them works from any task or thread.
    let crawl = describe(&seed, &state, Start::Continue)?;
    let (stop, progress, mut events) = (crawl.stop_handle(), crawl.progress(), crawl.events());
    let running = tokio::spawn(crawl.run());
    let mut answers = 0;
    while let Ok(event) = events.recv().await {
        answers += u32::from(matches!(event, Event::Answered { .. }));
        if answers == 5 {
            stop.stop(); // nothing new goes out, what is in flight is waited for, everything is written
        }
    }
    println!("progress when it ended: {} pages", progress.borrow().run.pages);
    let first = running.await??;
    println!("stopped: {} pages, exit code {}", first.totals.pages, first.exit_code());
    assert_eq!(first.end, End::Interrupted);

    let second = describe(&seed, &state, Start::Resume)?.run().await?;
    println!("resumed: {} pages in all, {} requests", second.totals.pages, second.totals.requests);
    std::fs::remove_dir_all(&state)?;
    assert_eq!((second.exit_code(), second.totals.pages), (0, 27)); // 3 list pages, 24 books
    Ok(())
}
