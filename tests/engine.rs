//! The engine over the built-in demo site, over real HTTP.

use crawl::demo::{self, DemoSite};
use crawl::engine::{Crawl, End};
use crawl::extract::ExtractError;
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::sink::memory::Collect;
use crawl::spider::Spider;
use crawl::url::{Canon, CanonicalUrl};

struct Links(String);

impl Spider for Links {
    fn name(&self) -> &str {
        "links"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(CanonicalUrl::parse(&self.0).expect("the seed is a URL"))]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        harvest.item(&serde_json::json!({ "url": page.request().url }))?;
        let text = String::from_utf8_lossy(&page.response().body);
        for part in text.split("href=\"").skip(1) {
            let href = part.split('"').next().unwrap_or_default();
            if let Ok(url) = Canon::default().join(page.request().url.as_url(), href) {
                harvest.follow(Request::get(url));
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_site_is_crawled_whole_and_politely() {
    let site = DemoSite::start().await.unwrap();
    let items = Collect::default();
    let policy = Policy { jitter: 0.0, ..Policy::fixed(std::time::Duration::ZERO) };
    let allow = vec!["127.0.0.1/32".parse().unwrap()];
    let http = crawl::fetch::http::HttpOptions {
        addresses: crawl::address::AddressPolicy::new(allow),
        ..Default::default()
    };
    let crawl = Crawl::builder().spider(Links(site.url())).policy(policy).http(http).sink(items.clone());
    let report = crawl.build().unwrap().run().await.unwrap();
    assert_eq!(report.end, End::Complete);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(site.breaches(), 0);
    // The style sheet and the sitemap are linked too.
    assert_eq!(report.totals.pages as usize, demo::pages() + 2);
    assert_eq!(report.totals.items, report.totals.pages);
    assert!(site.log().iter().all(|request| !request.path.starts_with("/basket/")));
}
