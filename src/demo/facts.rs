//! What there is to find at the demo site, told from its stock: the answer key for crawls of it.
//!
//! A crawl that finds exactly this has read every page right. Nothing here is read from pages, so a mistake of the
//! extraction cannot be on both sides.
//!
//! Pure: no clock, no I/O. Knows nothing of HTML.

use serde_json::{Value, json};

use super::catalogue::{AUTHORS, Book, stock};

/// Every book of the shop, as JSON objects: `title`, `author`, `price` (pounds, as a number), `stock`, `rating`, `upc`,
/// `category`, `published` (the year), `description` and `path`, the path of its page.
///
/// ```
/// let books = crawl::demo::facts::books();
/// assert_eq!(books.len(), crawl::demo::books());
/// assert!(books[0]["price"].as_f64().is_some_and(|pounds| pounds > 4.0));
/// ```
#[must_use]
pub fn books() -> Vec<Value> {
    stock().iter().map(book).collect()
}

fn book(book: &Book) -> Value {
    json!({
        "title": book.title,
        "author": book.author().name,
        "price": book.amount().parse::<f64>().expect("an amount is a number"),
        "stock": book.stock,
        "rating": book.rating,
        "upc": book.upc,
        "category": book.category().name,
        "published": book.published,
        "description": book.description,
        "path": book.path(),
    })
}

/// Every quote of the site under `/quotes/`, as JSON objects: `text` with its quotation marks, `author` and `tags`.
#[must_use]
pub fn quotes() -> Vec<Value> {
    let said = (0..super::quotes()).map(super::quotes::said);
    said.map(|(text, author, tags)| json!({ "text": text, "author": author.name, "tags": tags })).collect()
}

/// Everyone who is quoted there, as JSON objects: `name`, `born` (a date such as `1921-01-03`), `place` and `bio`.
#[must_use]
pub fn authors() -> Vec<Value> {
    (0..AUTHORS.len()).map(author).collect()
}

fn author(number: usize) -> Value {
    let (year, month, day) = super::quotes::born(number);
    json!({
        "name": AUTHORS[number].name,
        "born": format!("{year}-{month:02}-{day:02}"),
        "place": AUTHORS[number].home,
        "bio": super::quotes::life(number),
    })
}
