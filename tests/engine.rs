//! The engine over the built-in demo site, over real HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crawl::address::AddressPolicy;
use crawl::clock::Clock;
use crawl::demo::{self, DemoSite};
use crawl::engine::{Crawl, End};
use crawl::extract::ExtractError;
use crawl::fetch::Fetcher;
use crawl::fetch::http::{HttpFetcher, HttpOptions};
use crawl::item::Harvest;
use crawl::page::Page;
use crawl::politeness::Policy;
use crawl::request::Request;
use crawl::sink::memory::Collect;
use crawl::spider::Spider;
use crawl::url::{Canon, CanonicalUrl, HostKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

/// A server that takes its time and counts how many requests it has at once.
#[derive(Clone, Default)]
struct Counting {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counting {
    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().answer(stream));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a slow server waits in real time")]
    async fn answer(self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let now_open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now_open, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.open.fetch_sub(1, Ordering::SeqCst);
        let status = if head.starts_with(b"GET /robots.txt") { "404 Not Found" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Pages of several hosts, none of which links anywhere.
struct Pages(Vec<String>);

impl Spider for Pages {
    fn name(&self) -> &str {
        "pages"
    }

    fn seeds(&self) -> Vec<Request> {
        self.0.iter().map(|url| Request::get(CanonicalUrl::parse(url).expect("it is a URL"))).collect()
    }

    fn parse(&self, _page: &Page, _harvest: &mut Harvest) -> Result<(), ExtractError> {
        Ok(())
    }
}

/// How many requests two names of one address have in flight there together, at most.
async fn most_at_once(cap: Option<u32>) -> usize {
    let http = HttpOptions {
        user_agent: "test/1.0".to_owned(),
        addresses: AddressPolicy::new(
            ["127.0.0.0/8", "::1/128"].map(|net| net.parse().expect("it is a network")).into(),
        ),
        ..HttpOptions::default()
    };
    let fetcher = HttpFetcher::new(http.clone(), Clock::start()).expect("the options are right");
    let address = fetcher.resolve(&HostKey::of("localhost")).await.expect("localhost leads somewhere");
    let listener = TcpListener::bind((address, 0)).await.expect("loopback has free ports");
    let home = listener.local_addr().expect("it is bound");
    let server = Counting::default();
    tokio::spawn(server.clone().serve(listener));
    let of = |host: String| (0..8).map(move |page| format!("http://{host}/{page}"));
    let pages = of(format!("localhost:{}", home.port())).chain(of(home.to_string())).collect();
    let policy = Policy { max_concurrency: 2, ..Policy::fixed(Duration::ZERO) };
    let crawl = Crawl::builder()
        .spider(Pages(pages))
        .policy(policy)
        .http(http)
        .settings(move |settings| settings.sharing.address_concurrency = cap);
    let report = crawl.build().expect("it has a spider").run().await.expect("memory does not fail");
    assert_eq!((report.totals.pages, report.totals.failed), (16, 0));
    println!("{cap:?}: {:?}", report.took);
    server.most.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_names_of_one_address_share_its_cap() {
    assert!(most_at_once(Some(2)).await <= 2);
    assert!(most_at_once(None).await > 2, "without the cap there are more: the test can tell");
}
