//! Extractors are small pieces that a spider is put together from: a struct for what is used on many sites, a function for
//! what is particular to one.
//!
//! Run it with `cargo run --example custom_extractor`. It crawls the built-in demo bookshop; nothing leaves this machine.

use crawl::address::AddressPolicy;
use crawl::demo::DemoSite;
use crawl::engine::Crawl;
use crawl::extract::css::Css;
use crawl::extract::{ExtractError, Extractor};
use crawl::fetch::http::HttpOptions;
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::sink::memory::Collect;
use crawl::spider::Spider;
use crawl::url::CanonicalUrl;

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
    harvest.item_of(
        "page",
        &serde_json::json!({ "title": page.title(), "description": description }),
    )?;
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
        self.extractors
            .iter()
            .try_for_each(|extractor| extractor.extract(page, harvest))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let spider = Composed {
        seed: CanonicalUrl::parse(&format!("{}authors/", site.url()))?,
        extractors: vec![
            Box::new(Follow(Css::parse("a.author-link")?)),
            Box::new(meta_description),
        ],
    };
    let http = HttpOptions {
        addresses: AddressPolicy::new(vec!["127.0.0.1/32".parse()?]),
        ..Default::default()
    };
    let policy = Policy {
        delay: std::time::Duration::ZERO,
        ..Default::default()
    };
    let pages = Collect::default();
    Crawl::builder()
        .spider(spider)
        .policy(policy)
        .http(http)
        .sink(pages.clone())
        .build()?
        .run()
        .await?;
    for page in pages.items().iter().take(3) {
        println!("{}: {}", page.fields["title"], page.fields["description"]);
    }
    println!("{} pages described", pages.items().len());
    assert_eq!(pages.items().len(), 11, "the list of authors and ten authors");
    Ok(())
}
