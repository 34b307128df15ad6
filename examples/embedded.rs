//! A crawl inside of a program of your own: start it, watch it, stop it, go on with it later.
//!
//! Run it with `cargo run --example embedded`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::address::AddressPolicy;
use crawl::demo::DemoSite;
use crawl::engine::{Crawl, End, Event, Start};
use crawl::extract::ExtractError;
use crawl::fetch::http::{HttpFetcher, HttpOptions};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::spider::Spider;
use crawl::url::CanonicalUrl;

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
        for href in page.select(".book-card a, nav.pagination a")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}

type Anything = Box<dyn std::error::Error>;

/// The same description for both runs. With a state directory the second run knows what the first one did.
fn describe(
    seed: &CanonicalUrl,
    state: &std::path::Path,
    start: Start,
) -> Result<Crawl<HttpFetcher>, Anything> {
    let http = HttpOptions {
        addresses: AddressPolicy::new(vec!["127.0.0.1/32".parse()?]),
        ..Default::default()
    };
    let policy = Policy {
        delay: std::time::Duration::ZERO,
        ..Default::default()
    };
    let crawl = Crawl::builder()
        .spider(Shelf(seed.clone()))
        .state_dir(state)
        .start(start)
        .policy(policy)
        .http(http);
    Ok(crawl.build()?)
}

#[tokio::main]
async fn main() -> Result<(), Anything> {
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
    println!(
        "stopped: {} pages so far, exit code would be {}",
        first.totals.pages,
        first.exit_code()
    );
    assert_eq!(first.end, End::Interrupted);

    let second = describe(&seed, &state, Start::Resume)?.run().await?;
    println!(
        "resumed: {} pages in all, exit code {}",
        second.totals.pages,
        second.exit_code()
    );
    std::fs::remove_dir_all(&state)?;
    assert_eq!(
        (second.end, second.totals.pages),
        (End::Complete, 27),
        "3 list pages and 24 books, each once"
    );
    Ok(())
}
