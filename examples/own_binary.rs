//! A program of one's own that has every command of `crawl`: run, resume, check, try, status and the others.
//!
//! A crawler file names the spider and says the rest: seeds, pace, where items go.
//!
//! ```sh
//! cargo run --example own_binary -- run examples/own_binary.toml
//! cargo run --example own_binary -- status examples/own_binary.toml
//! ```

use std::process::ExitCode;

use crawl::cli::Registry;
use crawl::prelude::*;

/// Takes the dearest book of every list page: something that no selector can say.
struct Dearest;

impl Spider for Dearest {
    fn name(&self) -> &str {
        "dearest"
    }

    // The seeds stand in the crawler file.
    fn seeds(&self) -> Vec<Request> {
        Vec::new()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        let mut dearest = (0, String::new());
        for card in page.select(".book-card")?.iter() {
            let price = card.text_of(".price")?.unwrap_or_default();
            let digits: String = price.chars().filter(char::is_ascii_digit).collect();
            let pence: u32 = digits.parse().map_err(|_| ExtractError::new(format!("no price: {price}")))?;
            dearest = dearest.max((pence, card.text_of(".book-link")?.unwrap_or_default()));
        }
        harvest.item(&serde_json::json!({ "pence": dearest.0, "title": dearest.1, "page": page.url() }))?;
        if let Some(next) = page.attr_of("a.next", "href")? {
            harvest.follow(page.follow(next)?);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    crawl::cli::main(Registry::builtin().spider("dearest", || Dearest))
}
