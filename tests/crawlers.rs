//! The crawler file that a newcomer runs first, against the demo site that it is written for.

use std::collections::BTreeSet;

use crawl::config::{Loader, Reader};
use crawl::demo::{self, DemoSite};
use crawl::engine::{Crawl, End};
use crawl::sink::memory::Collect;
use crawl::spider::declarative::Declarative;
use crawl::url::CanonicalUrl;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_crawl_brings_every_book_once_with_all_its_fields() {
    let site = DemoSite::start().await.unwrap();
    let loader = Loader::new().file(concat!(env!("CARGO_MANIFEST_DIR"), "/crawlers/site.toml"));
    let mut plan = loader
        .set("politeness.delay=0")
        .set("politeness.jitter=0")
        .set("politeness.pace=fixed")
        .load()
        .unwrap();
    plan.place_demo(&CanonicalUrl::parse(&site.url()).unwrap());
    let Reader::Recipe(recipe) = plan.reader.clone() else { panic!("the file has rules of its own") };
    let (items, values, whole) = (Collect::default(), plan.effective_values(), plan.clone());
    let crawl = Crawl::builder()
        .spider(Declarative::new(recipe))
        .scope(plan.scope.clone())
        .http(plan.http.clone())
        .plan(values)
        .settings(move |settings| whole.tune(settings))
        .policies(move |host| plan.policy(host))
        .sink(items.clone());
    let report = crawl.build().unwrap().run().await.unwrap();
    assert_eq!((report.end, report.exit_code()), (End::Complete, 0));
    assert_eq!(site.breaches(), 0);
    // Everything is walked but the style sheet, the sitemap and what robots.txt closes.
    assert_eq!(report.totals.pages as usize, demo::pages());
    let items = items.items().clone();
    let upcs: BTreeSet<_> = items.iter().map(|item| item.fields["upc"].as_str().unwrap()).collect();
    assert_eq!((items.len(), upcs.len()), (demo::books(), demo::books()));
    for item in &items {
        assert_eq!(item.kind.as_deref(), Some("book"));
        let names: Vec<_> = item.fields.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["title", "author", "price", "stock", "rating", "upc", "category", "description", "url"]
        );
        assert!(
            item.fields.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())),
            "{item:?}"
        );
        assert!(item.fields["price"].as_str().unwrap().parse::<f64>().unwrap() > 1.0);
        assert!((1..=5).contains(&item.fields["rating"].as_str().unwrap().parse::<u8>().unwrap()));
    }
}
