//! A spider with two kinds of pages: shelves, which go on from page to page, and books, which know their shelf.
//!
//! Run it with `cargo run --example custom_spider`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::address::AddressPolicy;
use crawl::demo::DemoSite;
use crawl::engine::Crawl;
use crawl::extract::ExtractError;
use crawl::fetch::http::HttpOptions;
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::request::Request;
use crawl::sink::memory::Collect;
use crawl::spider::Spider;
use crawl::url::CanonicalUrl;
use serde::{Deserialize, Serialize};

/// What a spider takes with it from a shelf to its books. It is stored with the request, so it survives a restart.
#[derive(Serialize, Deserialize)]
struct Shelf {
    name: String,
    page: u32,
}

struct Books {
    start: CanonicalUrl,
}

impl Spider for Books {
    fn name(&self) -> &str {
        "books"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.start.clone())]
    }

    // The label says which kind of page this is. Scope, robots.txt and pace are the engine's business, not yours.
    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        match page.request().label.as_deref() {
            Some("book") => book(page, harvest),
            _ => shelf(page, harvest),
        }
    }
}

fn shelf(page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
    let before: Option<Shelf> = page.request().data()?; // None on the first page
    let number = before.map_or(1, |shelf| shelf.page + 1);
    let name = page.text_of("h1")?.unwrap_or_default();
    let here = Shelf { name, page: number };
    for href in page.select(".book-card a.book-link")?.attrs("href") {
        harvest.follow(page.follow(href)?.label("book").with_data(&here)?);
    }
    if let Some(href) = page.attr_of("nav.pagination a.next", "href")? {
        harvest.follow(page.follow(href)?.priority(1).with_data(&here)?);
    }
    Ok(())
}

fn book(page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
    let shelf: Shelf = page.request().data()?;
    let (title, price) = (page.text_of("h1.title")?, page.text_of(".price")?);
    harvest.item(&serde_json::json!({
        "title": title, "price": price, "shelf": shelf.name, "on_page": shelf.page, "url": page.url(),
    }))?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let start = CanonicalUrl::parse(&format!("{}catalogue/poetry/", site.url()))?;
    // Addresses of one's own network are refused unless they are named; the demo site is on this machine.
    let http = HttpOptions {
        addresses: AddressPolicy::new(vec!["127.0.0.1/32".parse()?]),
        ..Default::default()
    };
    let books = Collect::default();
    let crawl = Crawl::builder()
        .spider(Books { start })
        .policy(quick())
        .http(http)
        .sink(books.clone())
        .build()?;
    let report = crawl.run().await?;
    for book in books.items().iter().take(3) {
        println!(
            "{}: {} ({})",
            book.fields["shelf"], book.fields["title"], book.fields["price"]
        );
    }
    println!("{} books on {} pages", books.items().len(), report.totals.pages);
    assert_eq!(books.items().len(), 22, "every book of the shelf, once");
    Ok(())
}

/// Our own machine needs no second between two pages. The demo site asks for 50 ms, and that is kept.
fn quick() -> crawl::politeness::Policy {
    crawl::politeness::Policy {
        delay: std::time::Duration::ZERO,
        ..Default::default()
    }
}
