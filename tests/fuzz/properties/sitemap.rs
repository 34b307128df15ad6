//! Sitemaps and feeds: any bytes.

use crawl::extract::feed;
use crawl::extract::sitemap::{Entry, Kind, MAX_ALTERNATES, MAX_ENTRIES, Sitemap};

use super::input::{NOW, page, url};

pub fn check(bytes: &[u8]) {
    let home = url("http://a.example/maps/sitemap.xml");
    let sitemap = Sitemap::read(&home, bytes, None);
    is_bounded(&sitemap);
    dates_are_spans(&sitemap);
    order_and_choice_keep_what_they_should(&sitemap);
    let text = str::from_utf8(bytes).ok().filter(|text| !text.starts_with('\u{feff}'));
    if let Some(text) = text.filter(|text| !names_an_encoding(text)) {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let wide = Sitemap::read(&home, &[&b"\xff\xfe"[..], &units].concat(), None);
        let declared = Sitemap::read(&home, bytes, Some(encoding_rs::UTF_8));
        assert_eq!(wide, declared, "the encoding changes nothing");
    }
    for kind in [&b"application/rss+xml"[..], b"application/feed+json"] {
        let Ok(feed) = feed::feed(&page(&home, kind, bytes)) else { continue };
        assert!(feed.entries.len() <= feed::MAX_ENTRIES);
        let links = feed.entries.iter().filter_map(|entry| entry.link.as_deref());
        for link in links.chain(feed.link.as_deref()) {
            assert!(url::Url::parse(link).is_ok(), "{link:?} is not absolute");
        }
    }
}

fn names_an_encoding(text: &str) -> bool {
    text.to_ascii_lowercase().contains("encoding")
}

fn is_bounded(sitemap: &Sitemap) {
    assert!(sitemap.entries.len() <= MAX_ENTRIES && sitemap.children.len() <= MAX_ENTRIES);
    assert!(sitemap.children.is_empty() || sitemap.kind == Kind::Index);
    let all = || sitemap.entries.iter().chain(&sitemap.children);
    assert!(all().all(|entry| !entry.loc.is_empty()));
    assert!(all().map(|entry| entry.alternates.len()).sum::<usize>() <= MAX_ALTERNATES);
    assert!(sitemap.pages().count() <= sitemap.entries.len());
    for request in sitemap.pages().chain(sitemap.sitemaps()) {
        assert!(matches!(request.url.as_url().scheme(), "http" | "https"), "{}", request.url);
    }
}

fn dates_are_spans(sitemap: &Sitemap) {
    for entry in &sitemap.entries {
        assert!(entry.modified() <= entry.unchanged_since(), "{entry:?}");
        assert_eq!(entry.modified().is_some(), entry.unchanged_since().is_some(), "{entry:?}");
        assert!(entry.every().is_none_or(|every| !every.is_zero()));
    }
}

fn order_and_choice_keep_what_they_should(sitemap: &Sitemap) {
    let mut ordered = sitemap.clone();
    ordered.newest_first();
    let sorted = |sitemap: &Sitemap| {
        let mut locations: Vec<String> = sitemap.entries.iter().map(|entry| entry.loc.clone()).collect();
        locations.sort_unstable();
        locations
    };
    assert_eq!(sorted(&ordered), sorted(sitemap), "the order loses nothing");
    let mut recent = sitemap.clone();
    recent.keep_since(NOW);
    let is_recent = |entry: &&Entry| entry.unchanged_since().is_none_or(|moment| moment >= NOW);
    assert_eq!(recent.entries.len(), sitemap.entries.iter().filter(is_recent).count());
}
