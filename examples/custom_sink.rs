//! A sink that wraps a sink: it changes or drops items on their way and leaves files, positions and crashes to the one inside.
//!
//! Run it with `cargo run --example custom_sink`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::demo::DemoSite;
use crawl::prelude::*;
use crawl::sink::jsonl::{JsonlOptions, JsonlSink};
use crawl::sink::{Position, Sink, SinkError};

/// Turns the price from text into pence, and drops books that cost more than `most`.
struct Cheap<S> {
    inner: S,
    most: u64,
}

impl<S: Sink> Sink for Cheap<S> {
    // The name under which the position is stored: a wrapper has none of its own.
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn write(&mut self, item: &Item) -> Result<(), SinkError> {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let price = item.fields["price"].as_str().unwrap_or_default();
        match digits(price).parse::<u64>() {
            Ok(pence) if pence <= self.most => {
                let mut item = item.clone();
                item.fields.insert("price".to_owned(), pence.into());
                self.inner.write(&item)
            }
            _ => Ok(()),
        }
    }

    // After a crash the output is cut back to the last position that was committed, so both calls must reach the file.
    fn flush(&mut self) -> Result<Position, SinkError> {
        self.inner.flush()
    }

    fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.inner.rewind(to)
    }
}

/// Takes title and price of every book on one list page.
struct Prices(CanonicalUrl);

impl Spider for Prices {
    fn name(&self) -> &str {
        "prices"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.0.clone())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        for card in page.select(".book-card")?.iter() {
            let (title, price) = (card.text_of(".book-link")?, card.text_of(".price")?);
            harvest.item(&serde_json::json!({ "title": title, "price": price }))?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let path = std::env::temp_dir().join(format!("crawl-cheap-books-{}.jsonl", std::process::id()));
    let inner = JsonlSink::open(&JsonlOptions::to(&path))?;
    let sink = Cheap { inner, most: 1_500 };
    let seed = CanonicalUrl::parse(&site.url())?;
    let crawl = Crawl::builder().spider(Prices(seed)).sink(sink).build()?;
    let report = crawl.run().await?;
    let written = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    let cheap = written.lines().count();
    println!("{written}{cheap} of {} books are cheap", report.totals.items);
    assert_eq!((cheap, report.totals.items), (2, 12));
    Ok(())
}
