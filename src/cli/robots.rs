//! `crawl robots check`: what a robots.txt file allows.

use std::io::Read;
use std::path::Path;

use url::Url;

use super::exit::{Exit, Failure};
use super::render::{print, safe};
use crate::robots::RobotsRules;

/// Prints a line for each URL: the verdict, the URL and the line that decided.
pub(super) fn check(file: &Path, agent: &str, urls: &[String]) -> Result<Exit, Failure> {
    let body =
        read(file).map_err(|error| Failure::Usage(format!("cannot read `{}`: {error}", file.display())))?;
    let rules = RobotsRules::parse_for_name(&body, agent);
    let mut all_allowed = true;
    for text in urls {
        let url = site_url(text).ok_or_else(|| {
            Failure::Usage(format!("{text:?} is neither a URL nor a path: write https://… or /…"))
        })?;
        let verdict = rules.verdict(&url);
        let word = if verdict.allowed { "allowed" } else { "disallowed" };
        let reason = verdict.rule.map_or_else(|| "no rule matches".to_owned(), |rule| rule.to_string());
        print(&format!("{word}\t{}\t{}\n", safe(text), safe(&reason)))?;
        all_allowed &= verdict.allowed;
    }
    Ok(if all_allowed { Exit::COMPLETE } else { Exit::FAILED })
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    let mut body = Vec::new();
    std::io::stdin().lock().read_to_end(&mut body)?;
    Ok(body)
}

/// A URL in full, or a path of some site. Robots rules look at no more than path and query.
pub(super) fn site_url(text: &str) -> Option<Url> {
    match Url::parse(text) {
        Ok(url) => Some(url),
        Err(_) if text.starts_with('/') => Url::parse(&format!("http://site.invalid{text}")).ok(),
        Err(_) => None,
    }
}
