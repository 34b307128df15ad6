//! Quotes and, from pages of their own, who said them: the task of Scrapy's tutorial. `cargo run --example quotes`
use crawl::{demo::DemoSite, prelude::*, sink::memory::Collect};

#[derive(Item, serde::Serialize)]
#[item(scope = ".quote", kind = "quote", css(text = ".text", author = ".author", tags = ".tag"))]
struct Quote {
    text: String,
    author: String,
    tags: Vec<String>,
}
#[derive(Item, serde::Serialize)]
#[item(kind = "author", css(name = "h3", born = ".author-born-date", bio = ".author-description"))]
struct Author {
    name: String,
    born: Date,
    #[item(css = ".author-born-location", regex = "in (.+)")]
    place: String,
    bio: String,
}
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (site, found) = (DemoSite::start().await?, Collect::default());
    let lists = Router::new("quotes").start(site.url() + "quotes/")?.pages(Quote::harvest);
    let lists = lists.pages(Follow::css("li.next")?).pages(Follow::css(".author + a")?.label("author"));
    let policy = Policy::fixed(std::time::Duration::ZERO); // our own machine bears more than one page a second
    let crawl = Crawl::builder().policy(policy).spider(lists.on("author", Author::harvest));
    println!("{} pages", crawl.sink(found.clone()).build()?.run().await?.totals.pages);
    found.items().iter().for_each(|item| println!("{}", serde_json::json!(item.fields)));
    Ok(())
}
