//! The spider crate in the race: see `crawlers.py` for the RACE_ variables. A `Website` is one host, so there is one for each seed;
//! all of them share a client, without which each would take some 10 MB.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spider::tokio::sync::broadcast::error::RecvError;
use spider::tokio::{self, task::JoinSet};
use spider::website::Website;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn variable(name: &str) -> String {
    std::env::var(format!("RACE_{name}")).unwrap_or_default()
}

/// The text of the first `<title>`, as far as the head of a page goes.
fn title(page: &[u8]) -> String {
    let head = String::from_utf8_lossy(&page[..page.len().min(16 << 10)]);
    let text = head.split_once("<title").and_then(|(_, rest)| rest.split_once('>'));
    let text = text.and_then(|(_, rest)| rest.split_once("</title")).map(|(text, _)| text);
    text.unwrap_or_default().trim().to_owned()
}

fn website(seed: &str) -> Website {
    let mut builder = Website::new(seed);
    builder
        .with_respect_robots_txt(true)
        .with_user_agent(Some("race-spider/1.0 (+http://127.0.0.1/)"))
        .with_delay((variable("DELAY").parse::<f64>().unwrap() * 1000.0) as u64)
        .with_request_timeout(Some(Duration::from_secs(60)))
        .with_no_control_thread(true)
        .with_concurrency_limit(Some(variable("PER_HOST").parse().unwrap()));
    if let Ok(retries) = variable("RETRIES").parse() {
        builder.with_retry(retries);
    }
    builder.build().unwrap_or_else(|_| panic!("{seed} is no seed"))
}

async fn race() {
    let seeds = fs::read_to_string(variable("SEEDS")).unwrap();
    let file = OpenOptions::new().append(true).create(true).open(variable("OUT")).unwrap();
    let out = Arc::new(Mutex::new(BufWriter::new(file)));
    let seeds: Vec<&str> = seeds.split_whitespace().collect();
    let client = website(seeds[0]).configure_http_client();
    // Whole pages wait in the channel: with many hosts it must be short.
    let capacity = if seeds.len() > 1 { 64 } else { 1024 };
    let mut hosts = JoinSet::new();
    for seed in seeds {
        let (mut site, out) = (website(seed), Arc::clone(&out));
        site.set_http_client(client.clone());
        let mut pages = site.subscribe(capacity);
        hosts.spawn(async move {
            let writer = tokio::spawn(async move {
                loop {
                    match pages.recv().await {
                        Ok(page) if page.status_code.as_u16() == 200 => {
                            let title = title(page.get_html_bytes_u8());
                            writeln!(out.lock().unwrap(), "{{\"url\":{:?},\"title\":{title:?}}}", page.get_url()).unwrap();
                        }
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => break,
                    }
                }
            });
            site.crawl().await;
            site.unsubscribe();
            writer.await.unwrap();
        });
    }
    while hosts.join_next().await.is_some() {}
    out.lock().unwrap().flush().unwrap();
}

fn main() {
    // One core: a second thread would only cost.
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(race());
}
