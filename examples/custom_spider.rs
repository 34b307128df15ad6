//! A spider with two kinds of pages: shelves, which go on from page to page, and books, which know their shelf.
//!
//! Run it with `cargo run --example custom_spider`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::demo::DemoSite;
use crawl::prelude::*;
use crawl::sink::memory::Collect;
use serde::{Deserialize, Serialize};

/// What a spider takes with it from a shelf to its books. It is stored with the request, so it survives a restart.
#[derive(Serialize, Deserialize)]
struct Shelf {
    name: String,
    page: u32,
}

struct Books(CanonicalUrl);

impl Spider for Books {
    fn name(&self) -> &str {
        "books"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.0.clone())]
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
    let books = Collect::default();
    // Our own machine needs no second between two pages. The demo site asks for 50 ms, and that is kept.
    let policy = Policy::fixed(std::time::Duration::ZERO);
    let crawl = Crawl::builder().spider(Books(start)).policy(policy).sink(books.clone()).build()?;
    let report = crawl.run().await?;
    println!("{}", serde_json::to_string(&books.items()[0].fields)?);
    println!("{} books on {} pages", books.items().len(), report.totals.pages);
    assert_eq!(books.items().len(), 22, "every book of the shelf, once");
    Ok(())
}
