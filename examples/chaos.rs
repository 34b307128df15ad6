//! A spider that does everything wrong that code can do: it panics, returns errors, never returns, and prints where items go.
//! Each costs its own page. The summary names every call that went wrong; the items on the standard output stay whole.
//!
//! ```sh
//! cargo run --example chaos -- run examples/chaos.toml
//! ```

use std::process::ExitCode;

use crawl::cli::Registry;
use crawl::prelude::*;
use crawl::spider::Failure;

struct Chaos;

impl Spider for Chaos {
    fn name(&self) -> &str {
        "chaos"
    }

    // The seeds stand in the crawler file.
    fn seeds(&self) -> Vec<Request> {
        Vec::new()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let Some(number) = page.request().data::<Option<usize>>()? else {
            for (number, href) in page.select(".book-card a.book-link")?.attrs("href").into_iter().enumerate()
            {
                harvest.follow(page.follow(href)?.with_data(&number)?);
            }
            return Ok(());
        };
        print!("\u{1b}[31mprinted by the spider, without an end");
        let title = page.text_of("h1.title")?;
        match number {
            0 => panic!("no \u{1b}[31mtitle in {title:?}"),
            1 => Err(ExtractError::new("this page makes no sense")),
            2 => loop {
                std::thread::park(); // never comes back
            },
            3 => {
                harvest.follow(page.follow("/no-such-page")?);
                Ok(())
            }
            _ => Ok(harvest.item(&serde_json::json!({ "title": title }))?),
        }
    }

    fn failed(&self, request: &Request, _: &Failure, _: &mut Harvest) {
        assert!(!request.url.as_str().ends_with("/no-such-page"), "there is no such page");
    }
}

fn main() -> ExitCode {
    crawl::cli::main(Registry::builtin().spider("chaos", || Chaos))
}
