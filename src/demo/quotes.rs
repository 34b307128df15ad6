//! A small site beside the shop: quotes by its authors, ten to a page, in the markup of quotes.toscrape.com, the site on
//! which many tutorials are written.
//!
//! Nothing in the shop links here and nothing here links to the shop. All of it follows from a quote's number.
//!
//! Pure: no clock, no I/O. Knows nothing of requests and status codes.

use super::catalogue::{AUTHORS, Author, OPENED};
use super::pages::{Page, escape};
use crate::headers::date::MONTHS;

/// How many quotes one page lists.
const PAGE_LENGTH: usize = 10;

const BEGINNINGS: [&str; 10] = [
    "A good book",
    "Every lighthouse",
    "The shortest road",
    "An honest map",
    "A borrowed umbrella",
    "The second cup",
    "Whoever mends a clock",
    "A letter that is never sent",
    "The last page",
    "An empty shelf",
];

const ENDINGS: [&str; 10] = [
    "knows the way home.",
    "asks for nothing & gets it.",
    "is heavier than it looks.",
    "keeps one secret back.",
    "was never meant for rain.",
    "begins with somebody else’s mistake.",
    "outlives its maker by a week.",
    "can be read in both directions.",
    "forgives slowly.",
    "says \"later\" and means it.",
];

const TAGS: [&str; 12] = [
    "books", "home", "humour", "life", "love", "maps", "patience", "rain", "reading", "simile", "time",
    "truth",
];

/// How many quotes the site under `/quotes/` of the demo site has, ten to a page.
#[must_use]
pub const fn quotes() -> usize {
    BEGINNINGS.len() * ENDINGS.len()
}

/// Every page: the lists, the tags, the authors.
pub(super) fn pages() -> Vec<Page> {
    let lists = (1..=quotes() / PAGE_LENGTH).map(list);
    let tags = TAGS.iter().map(|tag| tagged(tag));
    lists.chain(tags).chain((0..AUTHORS.len()).map(about)).collect()
}

/// A quote as it is printed: its text, who said it, its tags.
pub(super) fn said(number: usize) -> (String, &'static Author, Vec<&'static str>) {
    let text = format!("“{} {}”", BEGINNINGS[number % 10], ENDINGS[number / 10]);
    (text, &AUTHORS[author(number)], tags(number).collect())
}

/// Year, month and day of an author's birth.
pub(super) const fn born(author: usize) -> (usize, usize, usize) {
    (1921 + author * 6, author * 5 % 12 + 1, 3 + author * 2)
}

/// What an author's page says about its author.
pub(super) fn life(number: usize) -> String {
    let Author { name, home, .. } = &AUTHORS[number];
    let said = (0..self::quotes()).filter(|quote| author(*quote) == number).count();
    format!("{name} is quoted {said} times here, and has said most of it in {home}.")
}

fn author(number: usize) -> usize {
    (number * 7 + number / 10) % AUTHORS.len()
}

/// One to three, all different.
fn tags(number: usize) -> impl Iterator<Item = &'static str> {
    (0..=number % 3).map(move |i| TAGS[(number * 5 + i * 7) % TAGS.len()])
}

fn list(page: usize) -> Page {
    let first = (page - 1) * PAGE_LENGTH;
    let quotes: String = (first..first + PAGE_LENGTH).map(quote).collect();
    let mut pager = String::new();
    if page > 1 {
        pager.push_str(&format!(
            "<li class=\"previous\"><a href=\"{}\">← Previous</a></li>\n",
            address(page - 1)
        ));
    }
    if page < self::quotes() / PAGE_LENGTH {
        pager.push_str(&format!("<li class=\"next\"><a href=\"{}\">Next →</a></li>\n", address(page + 1)));
    }
    framed(&address(page), &format!("{quotes}<nav>\n<ul class=\"pager\">\n{pager}</ul>\n</nav>\n"))
}

fn address(page: usize) -> String {
    if page == 1 { "/quotes/".to_owned() } else { format!("/quotes/page/{page}/") }
}

fn quote(number: usize) -> String {
    let (text, Author { name, slug, .. }, tags) = said(number);
    let links = tags.iter().map(|tag| format!("<a class=\"tag\" href=\"/quotes/tag/{tag}/\">{tag}</a>\n"));
    let tags: String = links.collect();
    format!(
        "<div class=\"quote\">\n<span class=\"text\">{}</span>\n\
         <span>by <small class=\"author\">{}</small> <a href=\"/quotes/author/{slug}/\">(about)</a></span>\n\
         <div class=\"tags\">Tags:\n{tags}</div>\n</div>\n",
        escape(&text),
        escape(name)
    )
}

fn tagged(tag: &str) -> Page {
    let quotes: String =
        (0..self::quotes()).filter(|number| tags(*number).any(|own| own == tag)).map(quote).collect();
    framed(
        &format!("/quotes/tag/{tag}/"),
        &format!("<h3>Viewing tag: <a href=\"./\">{tag}</a></h3>\n{quotes}"),
    )
}

fn about(number: usize) -> Page {
    let Author { name, slug, home } = &AUTHORS[number];
    let (year, month, day) = born(number);
    let born = format!("{} {day:02}, {year}", MONTHS[month - 1]);
    let details = format!(
        "<div class=\"author-details\">\n<h3 class=\"author-title\">{}</h3>\n\
         <p><strong>Born:</strong> <span class=\"author-born-date\">{born}</span> \
         <span class=\"author-born-location\">in {home}</span></p>\n<p><strong>Description:</strong></p>\n\
         <div class=\"author-description\">\n{}\n</div>\n</div>\n",
        escape(name),
        escape(&life(number))
    );
    framed(&format!("/quotes/author/{slug}/"), &details)
}

fn framed(path: &str, main: &str) -> Page {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Paper Heron Quotes</title>\n</head>\n\
         <body>\n<div class=\"container\">\n<h1><a href=\"/quotes/\">Paper Heron Quotes</a></h1>\n{main}</div>\n</body>\n</html>\n"
    );
    Page { path: path.to_owned(), html, modified: OPENED }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ten_pages_of_ten_quotes_follow_each_other_and_no_quote_is_there_twice() {
        let pages = pages();
        let mut texts = BTreeSet::new();
        for (index, page) in pages[..10].iter().enumerate() {
            assert_eq!(page.html.matches("class=\"quote\"").count(), 10, "{}", page.path);
            assert_eq!(page.html.contains("class=\"next\""), index < 9, "{}", page.path);
            let found =
                page.html.split("class=\"text\">").skip(1).map(|rest| rest.split('<').next().unwrap());
            texts.extend(found.map(str::to_owned));
        }
        assert_eq!(texts.len(), quotes());
    }

    #[test]
    fn every_link_leads_to_a_page_of_the_site_and_every_page_is_linked() {
        let pages = pages();
        let paths: BTreeSet<_> = pages.iter().map(|page| page.path.as_str()).collect();
        let linked: BTreeSet<_> = pages
            .iter()
            .flat_map(|page| page.html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()))
            .filter(|href| *href != "./")
            .collect();
        assert_eq!(linked, paths);
        assert_eq!(paths.len(), 10 + TAGS.len() + AUTHORS.len());
    }

    #[test]
    fn the_tags_of_a_quote_differ() {
        for number in 0..quotes() {
            assert_eq!(tags(number).collect::<BTreeSet<_>>().len(), number % 3 + 1, "{number}");
        }
    }
}
