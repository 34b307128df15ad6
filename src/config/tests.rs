//! The language of the problems, the layers, and the files that come with the crawler.

mod columns;
mod following;
mod items;
mod layers;
mod problems;
mod warc;

use super::Loader;

/// A loader of a text named `a.toml`, with an environment of its own.
fn loader(text: &str) -> Loader {
    Loader::new().text("a.toml", text).environment(|name| match name {
        "TOKEN" => Some("s3cret".to_owned()),
        "WORD" => Some("deny".to_owned()),
        "PAGES" => Some("12".to_owned()),
        _ => None,
    })
}
