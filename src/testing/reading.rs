//! Reading a scenario from a file: whatever is wrong with it is told with its line and its key.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use toml::de::{DeTable, DeValue};

use super::limit::{Latency, ServerModel};
use super::scenario::{CrawlModel, Scenario};
use super::site::Site;
use crate::url::CanonicalUrl;

/// A scenario file is never longer than this.
const MOST_BYTES: usize = 1 << 20;
/// Pages of a site, and sites of a table.
const MOST_PAGES: RangeInclusive<f64> = 0.0..=1e6;
const MOST_SITES: RangeInclusive<f64> = 1.0..=1e5;
/// Seconds of an answer or a delay.
const A_DAY: RangeInclusive<f64> = 0.0..=86_400.0;
/// Hours that a simulation may take: more than a year.
const HOURS: RangeInclusive<f64> = 0.001..=10_000.0;

/// Why a text is no scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misreading {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key in full, as in `site[0].limit.seconds`; empty if it is none of a key.
    pub key: String,
    /// What is wrong and what to write.
    pub message: String,
}

impl std::error::Error for Misreading {}

impl fmt::Display for Misreading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A key of the file and where it stands.
struct Place {
    name: String,
    key: Range<usize>,
    value: Range<usize>,
}

/// A value that cannot be meant: its key and why.
type Fault = (String, String);

/// Reads a scenario and checks it.
pub(super) fn read(text: &str) -> Result<Scenario, Misreading> {
    if text.len() > MOST_BYTES {
        return Err(misread(text, 0, String::new(), "a scenario has at most 1 MiB".to_owned()));
    }
    let scenario: Scenario = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        misread(text, at, key_at(text, at), error.message().to_owned())
    })?;
    match check(&scenario) {
        Ok(()) => Ok(scenario),
        Err((key, message)) => Err(misread(text, place_of(text, &key), key, message)),
    }
}

fn misread(text: &str, at: usize, key: String, message: String) -> Misreading {
    let before = &text[..text.floor_char_boundary(at.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Misreading {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        key,
        message,
    }
}

/// The innermost key that stands at a byte, or has its value there.
fn key_at(text: &str, byte: usize) -> String {
    let holds = |place: &&Place| place.key.contains(&byte) || place.value.contains(&byte);
    let length = |place: &&Place| place.key.len().min(place.value.len());
    let places = places(text);
    let found = places.iter().filter(holds).min_by_key(length);
    found.map_or_else(String::new, |place| place.name.clone())
}

/// Where a key stands; if it is missing, where the table is that it belongs to.
fn place_of(text: &str, key: &str) -> usize {
    let places = places(text);
    let mut wanted = key;
    loop {
        if let Some(place) = places.iter().find(|place| place.name == wanted) {
            return place.value.start;
        }
        match wanted.rfind(['.', '[']) {
            Some(end) => wanted = &wanted[..end],
            None => return 0,
        }
    }
}

/// Every key of the file.
fn places(text: &str) -> Vec<Place> {
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        look_into(table.get_ref(), "", &mut found);
    }
    found
}

fn look_into(table: &DeTable<'_>, above: &str, found: &mut Vec<Place>) {
    for (key, value) in table {
        let dot = if above.is_empty() { "" } else { "." };
        let name = format!("{above}{dot}{}", key.get_ref());
        look_at(value.get_ref(), &name, found);
        found.push(Place { name, key: key.span(), value: value.span() });
    }
}

fn look_at(value: &DeValue<'_>, name: &str, found: &mut Vec<Place>) {
    match value {
        DeValue::Table(table) => look_into(table, name, found),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let name = format!("{name}[{index}]");
                look_at(item.get_ref(), &name, found);
                found.push(Place { name, key: item.span(), value: item.span() });
            }
        }
        _ => {}
    }
}

fn check(scenario: &Scenario) -> Result<(), Fault> {
    check_crawl(&scenario.crawl)?;
    if scenario.sites.is_empty() {
        return Err(fault("site", "a scenario needs a [[site]]"));
    }
    for (index, site) in scenario.sites.iter().enumerate() {
        check_site(site).map_err(|(key, message)| (format!("site[{index}].{key}"), message))?;
    }
    Ok(())
}

fn fault(key: &str, message: impl Into<String>) -> Fault {
    (key.to_owned(), message.into())
}

fn within(key: &str, number: f64, bounds: &RangeInclusive<f64>) -> Result<(), Fault> {
    if bounds.contains(&number) {
        return Ok(());
    }
    Err(fault(key, format!("{number} is not in {} to {}", bounds.start(), bounds.end())))
}

fn check_crawl(crawl: &CrawlModel) -> Result<(), Fault> {
    within("crawl.delay", crawl.delay, &A_DAY)?;
    within("crawl.patience", crawl.patience, &(0.0..=1e7))?;
    within("crawl.jitter", crawl.jitter, &(0.0..=1.0))?;
    within("crawl.time-of-day", crawl.time_of_day as f64, &A_DAY)?;
    within("crawl.hours", crawl.hours.unwrap_or(1.0), &HOURS)?;
    let kills = crawl.kill_at.iter().enumerate();
    for (index, at) in kills {
        within(&format!("crawl.kill-at[{index}]"), *at, &(0.0..=1e7))?;
    }
    for (key, seeds) in [("seeds", &crawl.seeds)].into_iter().chain(others(crawl)) {
        for (index, seed) in seeds.iter().enumerate() {
            let url = seed.split(' ').next().unwrap_or_default();
            let key = format!("crawl.{key}[{index}]");
            CanonicalUrl::parse(url).map_err(|error| (key, error.to_string()))?;
        }
    }
    Ok(())
}

fn others(crawl: &CrawlModel) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
    crawl.other_spiders.iter().map(|seeds| ("other-spiders", seeds))
}

fn check_site(site: &Site) -> Result<(), Fault> {
    check_origin(site)?;
    within("pages", site.pages.into(), &MOST_PAGES)?;
    if !site.prefix().starts_with('/') {
        return Err(fault("prefix", "paths begin with `/`"));
    }
    match site.latency {
        Latency::Fixed(seconds) => within("latency", seconds, &A_DAY)?,
        Latency::LogNormal { median, sigma } => {
            within("latency.median", median, &A_DAY)?;
            within("latency.sigma", sigma, &(0.0..=3.0))?;
        }
    }
    within("wish", site.wish, &A_DAY)?;
    if let Some(limit) = &site.limit {
        check_limit(limit).map_err(|(key, message)| (format!("limit.{key}"), message))?;
    }
    for (index, rule) in site.rules.iter().enumerate() {
        within(&format!("rule[{index}].latency"), rule.latency.unwrap_or_default(), &A_DAY)?;
    }
    Ok(())
}

fn check_limit(limit: &ServerModel) -> Result<(), Fault> {
    let some_time = 0.001..=1e7;
    within("seconds", limit.seconds, &some_time)?;
    within("ban", limit.ban.unwrap_or(1.0), &some_time)?;
    within("leak", limit.leak, &(0.0..=1.0))?;
    let mut last = 0.0;
    for (index, step) in limit.steps.iter().enumerate() {
        within(&format!("steps[{index}].factor"), step.factor, &(1e-6..=1e6))?;
        within(&format!("steps[{index}].from"), step.from, &(last..=1e9))?;
        last = step.from;
    }
    if let Some(load) = limit.load {
        within("load.capacity", load.capacity, &(0.001..=1e6))?;
        within("load.others", load.others, &(0.0..=0.99))?;
    }
    Ok(())
}

fn check_origin(site: &Site) -> Result<(), Fault> {
    if site.is_everywhere() {
        return Ok(());
    }
    if site.origin.contains("{}") {
        within("count", site.count.into(), &MOST_SITES)?;
    }
    let first = site.origin.replace("{}", "1");
    let url = CanonicalUrl::parse(&first).map_err(|error| fault("origin", error.to_string()))?;
    let origin = url.origin();
    if origin.as_str() == first {
        return Ok(());
    }
    Err(fault("origin", format!("an origin is scheme, host and port: write `{}`", origin.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    const SITE: &str = "[[site]]\norigin = \"http://a.example\"\n";

    #[test]
    fn a_site_is_a_whole_scenario() {
        assert_eq!(read(SITE).unwrap().sites.len(), 1);
    }

    #[test]
    fn a_mistake_is_told_with_line_and_key() {
        assert_eq!(
            wrong(&format!("{SITE}pages = \"ten\"\n")),
            "line 3, column 9: `site[0].pages`: invalid type: string \"ten\", expected u32"
        );
        let unknown = wrong(&format!("{SITE}page = 1\n"));
        assert!(unknown.starts_with("line 3, column 1: `site[0].page`: unknown field `page`"), "{unknown}");
        assert_eq!(
            wrong(&format!("[crawl]\nhours = -1\n{SITE}")),
            "line 2, column 9: `crawl.hours`: -1 is not in 0.001 to 10000"
        );
        assert_eq!(
            wrong(&format!("{SITE}[[site]]\norigin = \"http://b.example/\"\n")),
            "line 4, column 10: `site[1].origin`: an origin is scheme, host and port: write `http://b.example`"
        );
        assert!(
            wrong("[[site]]\norigin = \"http://a{}.example\"\n").contains("`site[0].count`: 0 is not in")
        );
        assert!(wrong("about = \"nothing\"\n").contains("site"));
        assert!(wrong("= 1").starts_with("line 1, column 1: "));
    }

    #[test]
    fn no_number_makes_it_panic() {
        for latency in ["nan", "-1", "inf", "1e300", "{ median = 1, sigma = 1e9 }"] {
            let told = wrong(&format!("{SITE}latency = {latency}\n"));
            assert!(told.contains("`site[0].latency"), "{told}");
        }
    }
}
