//! Logging in, and a form that is no login.
//!
//! Run it with `cargo run --example login`. It crawls the members' part of the built-in demo bookshop; nothing leaves this machine.

use std::time::Duration;

use crawl::cookies::CookieJar;
use crawl::demo::DemoSite;
use crawl::engine::{End, Login};
use crawl::page::css::Css;
use crawl::prelude::*;
use crawl::sink::memory::Collect;

/// Reads the letters that only members see.
struct Letters(CanonicalUrl);

impl Spider for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn seeds(&self) -> Vec<Request> {
        vec![Request::get(self.0.clone())]
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        if let Some(letter) = page.text_of("h1.letter")? {
            harvest.item(&serde_json::json!({ "letter": letter }))?;
        }
        for href in page.select("a.letter-link")?.attrs("href") {
            harvest.follow(page.follow(href)?);
        }
        // A search form would be sent like this. What is set here lies in the queue: it is no place for a password.
        if let Some(form) = page.form("form[role=search]")? {
            let request = form.set("q", "heron").request();
            harvest.follow(request.map_err(|error| ExtractError::new(error.to_string()))?);
        }
        Ok(())
    }
}

/// Where the form is, what is filled in, and how to tell that it worked. Real secrets come from the environment.
fn login(site: &DemoSite, password: &str) -> Result<Login, Box<dyn std::error::Error>> {
    let form = CanonicalUrl::parse(&format!("{}members/login", site.url()))?;
    let login = Login::new(form).field("username", "reader").field("password", password);
    Ok(login.check(Css::parse("a.logout")?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = DemoSite::start().await?;
    let home = CanonicalUrl::parse(&format!("{}members/", site.url()))?;
    let quick = || Policy::fixed(Duration::ZERO); // our own machine
    let describe = || Crawl::builder().spider(Letters(home.clone())).policy(quick());

    let (letters, jar) = (Collect::default(), CookieJar::default());
    let crawl = describe().login(login(&site, "paper heron")?).cookies(jar.clone()).sink(letters.clone());
    let report = crawl.build()?.run().await?;
    println!("{} letters, {} cookies", letters.items().len(), jar.open().cookies().count());
    assert_eq!((report.exit_code(), report.totals.pages), (0, 7));

    let refused = describe().login(login(&site, "paper crane")?).build()?.run().await?;
    if let End::LoginFailed(why) = refused.end {
        println!("with another password: {why}");
    }
    assert_eq!((refused.exit_code(), refused.totals.pages), (3, 0));
    Ok(())
}
