//! A page's links, title and wishes: any bytes as HTML. They are read in passing where that is sure, and from the tree elsewhere;
//! here the same page is read in both ways.

use std::collections::BTreeSet;

use crawl::item::Harvest;
use crawl::page::Page;
use crawl::page::links::MAX_LINKS;
use crawl::spider::Spider;
use crawl::spider::declarative::{Declarative, Nofollow, Recipe};

use super::input::html;

pub fn check(bytes: &[u8]) {
    let passing = html(bytes);
    let tree = html(bytes);
    let _ = tree.html();
    assert_eq!(said(&passing), said(&tree), "read in passing, and from the tree");
    let (followed, unread) = followed(&html(bytes));
    let links = tree.links();
    assert!(links.links.len() <= 2 * MAX_LINKS);
    assert!(links.links.iter().all(|link| link.text.len() <= 1_100), "a text is cut");
    if unread == 0 && links.unread == 0 {
        let places: BTreeSet<_> = links.links.iter().map(|link| link.url.as_str().to_owned()).collect();
        assert_eq!(followed, with_refresh(&tree, places), "links that are followed, and links of the tree");
    }
    forms_can_be_sent(&tree);
}

/// Everything that is known of a page without its tree.
fn said(page: &Page) -> impl PartialEq + std::fmt::Debug + use<> {
    let texts = (page.title(), page.base_url().to_string(), page.canonical(), page.directives("bot"));
    let refresh = page.meta_refresh().map(|(refresh, url)| (refresh.seconds, refresh.target, url));
    (texts, refresh)
}

/// Where a spider goes that follows every link.
fn followed(page: &Page) -> (BTreeSet<String>, usize) {
    let spider = Declarative::new(Recipe { nofollow: Nofollow::Ignore, ..Recipe::default() });
    let mut harvest = Harvest::new();
    spider.parse(page, &mut harvest).expect("a page without rules has no fields that could be missing");
    let urls = harvest.requests().iter().map(|request| request.url.as_str().to_owned());
    (urls.collect(), harvest.problems().len())
}

/// A page that sends its visitors on stands for the other one; if it does so after a while, it has a link more.
fn with_refresh(page: &Page, mut places: BTreeSet<String>) -> BTreeSet<String> {
    let Some((refresh, Some(target))) = page.meta_refresh() else { return places };
    if target != *page.url() {
        if refresh.seconds <= 5 {
            places.clear();
        }
        places.insert(target.as_str().to_owned());
    }
    places
}

fn forms_can_be_sent(page: &Page) {
    for form in page.forms().into_iter().take(20) {
        if let Ok(request) = form.request() {
            assert!(matches!(request.url.as_url().scheme(), "http" | "https"), "{}", request.url);
        }
    }
    if let Some(next) = page.next_page() {
        assert_ne!(next.url, *page.url(), "a page is not its own next one");
    }
}
