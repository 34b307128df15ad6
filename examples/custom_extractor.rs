//! Extractors are small pieces that a spider is put together from: a struct for what is used on many sites, a function for
//! what is particular to one.
//!
//! Run it with `cargo run --example custom_extractor`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::demo::DemoSite;
use crawl::page::css::Css;
use crawl::prelude::*;
use crawl::sink::memory::Collect;

/// Follows the links inside the elements that match. Its selector is compiled once, not once a page.
struct Follow(Css);

impl Extractor for Follow {
    fn extract(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        for href in page.select(&self.0)?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        Ok(())
    }
}

/// A function of this shape is an extractor too.
fn meta_description(page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
    let description = page.attr_of("meta[name=description]", "content")?;
    harvest.item_of("page", &serde_json::json!({ "title": page.title(), "description": description }))?;
    Ok(())
}

/// A spider that only puts extractors together: every page passes through all of them.
struct Composed {
    seed: CanonicalUrl,
    extractors: Vec<Box<dyn Extractor>>,
}

impl Spider for Composed {
    fn name(&self) -> &str {
        "composed"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.seed.clone())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        self.extractors.iter().try_for_each(|extractor| extractor.extract(page, harvest))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let seed = CanonicalUrl::parse(&format!("{}authors/", site.url()))?;
    let authors = Follow(Css::parse("a.author-link")?);
    let extractors: Vec<Box<dyn Extractor>> = vec![Box::new(authors), Box::new(meta_description)];
    let policy = Policy::fixed(std::time::Duration::ZERO);
    let pages = Collect::default();
    let crawl = Crawl::builder().spider(Composed { seed, extractors });
    crawl.policy(policy).sink(pages.clone()).build()?.run().await?;
    let pages = pages.items();
    println!("{} pages, the last one: {}", pages.len(), pages[10].fields["description"]);
    assert_eq!(pages.len(), 11, "the list of authors and ten authors");
    Ok(())
}
