//! Every book of a shop, from its own page, with the fields that books.toscrape.com has: a struct says where each stands and
//! what it is, and the compiler checks the selectors.
//!
//! Run it with `cargo run --example books`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::demo::DemoSite;
use crawl::prelude::*;
use crawl::sink::memory::Collect;
use serde::Serialize;

#[derive(Item, Serialize)]
#[item(kind = "book")]
struct Book {
    #[item(css = ".book h1")]
    title: String,
    #[item(css = ".book .price")]
    price: f64, // of "£12.34"
    #[item(css = ".upc")]
    upc: String,
    #[item(css = ".stock")]
    available: u32, // of "In stock (22 available)"
    #[item(css = ".book .rating", with = "stars")]
    rating: usize,
    #[item(css = ".facts .category")]
    category: String,
    #[item(css = ".description")]
    description: Option<String>,
    #[item(css = ".author", attr = "href")]
    author: Url, // made absolute
    #[item(css = "script[type='application/ld+json']", json = "$.offers.priceCurrency")]
    currency: String,
    #[item(css = ".related .book-card")]
    related: Vec<Related>,
    #[item(url)]
    url: CanonicalUrl,
}

/// A book that the page recommends.
#[derive(Item, Serialize)]
struct Related {
    #[item(css = ".book-link")]
    title: String,
    #[item(css = ".price")]
    price: f64,
}

fn stars(rating: &str) -> Result<usize, &'static str> {
    let stars = rating.chars().filter(|letter| *letter == '★').count();
    if (1..=5).contains(&stars) { Ok(stars) } else { Err("expected one to five stars") }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = DemoSite::start().await?;
    let spider = Router::new("books")
        .start(shop.url() + "catalogue/")?
        .pages(Follow::css(".category-list")?)
        .pages(Follow::css("a.next")?)
        .pages(Follow::css(".book-list")?.label("book"))
        .on("book", Book::harvest);
    let books = Collect::default();
    // Our own machine needs no second between two pages. The demo site asks for 50 ms, and that is kept.
    let policy = Policy::fixed(std::time::Duration::ZERO);
    let report = Crawl::builder().spider(spider).policy(policy).sink(books.clone()).build()?.run().await?;
    let books = books.items();
    for book in books.iter() {
        println!("{}", serde_json::to_string(&book.fields)?);
    }
    println!("{} books on {} pages, {} problems", books.len(), report.totals.pages, report.totals.problems);
    assert_eq!(books.len(), crawl::demo::books());
    Ok(())
}
