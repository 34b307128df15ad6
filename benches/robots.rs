//! What robots.txt costs: a file read once a day for each origin, a verdict for every URL.
//!
//! `cargo bench --bench robots`. The files: a small one of five lines; a typical one, of a shop with some sixty rules; and hostile
//! ones of 500 KiB, the most that is read, made to be as expensive as they can: only rules for everybody, patterns of many stars,
//! a group for each of many names, one line. For those not the time of a verdict is of interest, but that it has a bound.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::fmt::Write as _;

use crawl::robots::{MAX_BYTES, ProductToken, RobotsRules};
use divan::{Bencher, black_box};
use url::Url;

const SMALL: &str = "User-agent: *\nDisallow: /search\nDisallow: /basket/\nCrawl-delay: 2\nSitemap: https://a.example/sitemap.xml\n";

/// The kinds of files, by name.
const FILES: [&str; 7] = [
    "small",
    "typical",
    "hostile: rules",
    "hostile: stars",
    "hostile: one prefix",
    "hostile: groups",
    "hostile: one line",
];

fn typical() -> String {
    let mut text = String::from(
        "# The shop's rules\nUser-agent: badbot\nDisallow: /\n\nUser-agent: otherbot\nUser-agent: mybot\nCrawl-delay: 1\n",
    );
    for name in
        ["cart", "checkout", "account", "wishlist", "compare", "review", "search", "api", "internal", "print"]
    {
        writeln!(text, "Disallow: /{name}/\nDisallow: /*?{name}=\nDisallow: /*/{name}$\nAllow: /{name}/help")
            .unwrap();
    }
    for language in ["en", "de", "fr", "it", "es", "nl", "pl", "cs", "sv", "da"] {
        writeln!(text, "Disallow: /{language}/search\nDisallow: /{language}/*&sort=").unwrap();
    }
    text + "\nUser-agent: *\nDisallow: /private/\n\nSitemap: https://shop.example/sitemap.xml\n"
}

/// A file of [`MAX_BYTES`], of lines that depend on their number.
fn filled(begin: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = String::from(begin);
    for number in 0.. {
        let next = line(number);
        if text.len() + next.len() > MAX_BYTES {
            break;
        }
        text.push_str(&next);
    }
    text
}

fn file(name: &str) -> Vec<u8> {
    let everybody = "User-agent: *\n";
    let text = match name {
        "small" => SMALL.to_owned(),
        "typical" => typical(),
        "hostile: rules" => filled(everybody, |n| format!("Disallow: /{n:x}\n")),
        "hostile: stars" => filled(everybody, |n| format!("Disallow: /*a*a*a*a*a*a*a*a*{n}$\n")),
        "hostile: one prefix" => filled(everybody, |n| format!("Disallow: /catalogue/books/poetry/{n}*x\n")),
        "hostile: groups" => filled("", |n| format!("User-agent: bot-{n}\nDisallow: /\n")) + SMALL,
        "hostile: one line" => format!("{everybody}Disallow: /{}", "a*".repeat(MAX_BYTES / 2)),
        other => panic!("{other}"),
    };
    text.into_bytes()
}

fn agent() -> ProductToken {
    ProductToken::parse("mybot").unwrap()
}

#[divan::bench(args = FILES)]
fn parse(bencher: Bencher, name: &str) {
    let (body, agent) = (file(name), agent());
    bencher.bench_local(|| RobotsRules::parse(black_box(&body), &agent));
}

/// URLs as a shop has them: most are allowed, some closed by a prefix, some by a star.
fn urls() -> Vec<Url> {
    let url = |number: usize| match number % 8 {
        0 => format!("https://shop.example/en/search?q={number}"),
        1 => format!("https://shop.example/catalogue/books/poetry/{number}?review=all"),
        2 => format!("https://shop.example/{}", "a".repeat(60 + number)),
        _ => format!("https://shop.example/catalogue/books/poetry/item-{number}.html?page={number}"),
    };
    (0..64).map(|number| Url::parse(&url(number)).unwrap()).collect()
}

/// The answer that the frontier asks for, one URL.
#[divan::bench(args = FILES)]
fn verdict(bencher: Bencher, name: &str) {
    let (rules, urls) = (RobotsRules::parse(&file(name), &agent()), urls());
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % urls.len();
        rules.allows(black_box(&urls[next]))
    });
}

/// The same with the line that decided, as `crawl explain` shows it.
#[divan::bench(args = ["small", "typical"])]
fn verdict_explained(bencher: Bencher, name: &str) {
    let (rules, urls) = (RobotsRules::parse(&file(name), &agent()), urls());
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % urls.len();
        rules.verdict(black_box(&urls[next]))
    });
}

fn main() {
    divan::main();
}
