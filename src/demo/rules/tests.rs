//! The rules of the shop under simulated time, without a socket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use url::Url;

use super::*;

const BASE: &str = "http://127.0.0.1:8000";
const DEAD: &str = "/staff-picks-2019.html";

struct Visit {
    shop: Shop,
    memory: Memory,
    now_ms: u64,
}

impl Visit {
    fn new() -> Self {
        Self { shop: Shop::open(BASE), memory: Memory::default(), now_ms: 0 }
    }

    fn ask(&mut self, path: &str) -> Response<Bytes> {
        self.ask_with(&Method::GET, path, None, None)
    }

    fn ask_with(
        &mut self,
        method: &Method,
        path: &str,
        tags: Option<&str>,
        date: Option<&str>,
    ) -> Response<Bytes> {
        let asked =
            Asked { method, path, if_none_match: tags, if_modified_since: date, cookie: None, body: b"" };
        self.shop.answer(&mut self.memory, &asked, self.now_ms)
    }
}

fn header<'a>(reply: &'a Response<Bytes>, name: &str) -> &'a str {
    reply.headers().get(name).map_or("", |v| v.to_str().unwrap())
}

fn text(reply: &Response<Bytes>) -> String {
    String::from_utf8(reply.body().to_vec()).unwrap()
}

fn links(html: &str, from: &Url) -> Vec<Url> {
    let hrefs =
        html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"));
    hrefs.map(|href| from.join(&href).unwrap()).filter(|url| url.scheme() == "http").collect()
}

/// Walks the whole shop by its links, slowly, and returns each path's last status and content type. The closed section is
/// answered too, but not entered.
fn walk() -> BTreeMap<String, (u16, String)> {
    let mut visit = Visit::new();
    let mut seen = BTreeMap::new();
    let mut queue = VecDeque::from([Url::parse(BASE).unwrap()]);
    while let Some(mut url) = queue.pop_front() {
        assert!(url.as_str().starts_with(BASE), "{url} leads out of the shop");
        url.set_fragment(None);
        if seen.contains_key(url.path()) {
            continue;
        }
        let mut reply = visit.ask(url.path());
        if reply.status() == StatusCode::SERVICE_UNAVAILABLE {
            reply = visit.ask(url.path());
        }
        visit.now_ms += 1000;
        seen.insert(
            url.path().to_owned(),
            (reply.status().as_u16(), header(&reply, "content-type").to_owned()),
        );
        if reply.status().is_redirection() {
            queue.push_back(url.join(header(&reply, "location")).unwrap());
        } else if reply.status().is_success() && !url.path().starts_with(CLOSED) {
            queue.extend(links(&text(&reply), &url));
        }
    }
    seen
}

fn with_status(status: u16) -> BTreeSet<String> {
    walk().into_iter().filter(|(_, (s, _))| *s == status).map(|(path, _)| path).collect()
}

#[test]
fn every_link_of_every_page_leads_to_a_page_but_one() {
    assert_eq!(with_status(404), BTreeSet::from([DEAD.to_owned()]));
    assert_eq!(with_status(302).len(), CLASSICS.len());
    assert_eq!(with_status(301), BTreeSet::from(["/index.html".to_owned()]));
    assert_eq!(with_status(308), BTreeSet::from(["/shop/".to_owned()]));
    let known = [200, 301, 302, 308, 404];
    assert!(walk().values().all(|(status, _)| known.contains(status)));
}

#[test]
fn as_many_pages_are_reached_by_links_as_the_shop_promises() {
    let reached = walk();
    let open = reached
        .iter()
        .filter(|(path, (status, kind))| *status == 200 && kind == HTML && !path.starts_with(CLOSED));
    assert_eq!(open.count(), pages());
    assert!((290..=310).contains(&pages()), "{}", pages());
    assert_eq!(books(), 240);
}

#[test]
fn the_sitemap_lists_every_book_and_nothing_that_links_do_not_reach() {
    let reached = with_status(200);
    let sitemap = text(&Visit::new().ask("/sitemap.xml"));
    let listed: BTreeSet<_> = sitemap
        .split("<loc>")
        .skip(1)
        .map(|s| s.split('<').next().unwrap().strip_prefix(BASE).unwrap().to_owned())
        .collect();
    assert_eq!(listed.len(), books());
    assert!(listed.is_subset(&reached));
    assert_eq!(sitemap.matches("<lastmod>").count(), books());
}

#[test]
fn two_starts_at_the_same_address_serve_the_same_bytes() {
    let (one, two) = (Shop::open(BASE), Shop::open(BASE));
    assert_eq!(one.shelves.len(), two.shelves.len());
    for (path, resource) in &one.shelves {
        assert_eq!(resource.body, two.shelves[path].body, "{path}");
    }
}

#[test]
fn robots_txt_closes_the_basket_and_every_page_links_to_it() {
    let mut visit = Visit::new();
    let robots = text(&visit.ask("/robots.txt"));
    assert_eq!(
        robots,
        format!("User-agent: *\nDisallow: /basket/\nCrawl-delay: 0.05\n\nSitemap: {BASE}/sitemap.xml\n")
    );
    let in_shop = |path: &str| !path.starts_with("/quotes/");
    let pages = visit.shop.shelves.iter().filter(|(path, r)| r.kind == HTML && in_shop(path));
    assert!(pages.into_iter().all(|(_, r)| String::from_utf8_lossy(&r.body).contains("href=\"/basket/\"")));
    assert_eq!(visit.ask("/basket/add/1").status(), StatusCode::OK);
}

#[test]
fn a_book_page_shows_its_facts_twice_for_people_and_for_machines() {
    let books = catalogue::stock();
    let book = books.iter().find(|b| b.title.contains('&')).unwrap();
    let html = text(&Visit::new().ask(&book.path()));
    assert!(html.contains(&format!("<h1 class=\"title\">{}</h1>", book.title.replace('&', "&amp;"))));
    assert!(html.contains(&format!("<p class=\"price\">{}</p>", book.price())));
    assert!(html.contains(&format!("In stock ({} available)", book.stock)));
    let script = html.split("ld+json\">").nth(1).unwrap().split("</script>").next().unwrap();
    let facts: serde_json::Value = serde_json::from_str(script).unwrap();
    assert_eq!(facts["name"], book.title.as_str());
    assert_eq!(facts["url"], format!("{BASE}{}", book.path()));
    assert_eq!(facts["offers"]["price"], book.amount());
}

#[test]
fn a_page_that_the_client_knows_is_not_sent_again() {
    let mut visit = Visit::new();
    let full = visit.ask("/about.html");
    let (tag, date) = (header(&full, "etag").to_owned(), header(&full, "last-modified").to_owned());
    assert!(tag.starts_with('"') && date.ends_with(" GMT"), "{tag} {date}");
    let again = visit.ask_with(&Method::GET, "/about.html", Some(&tag), None);
    assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(header(&again, "etag"), tag);
    let again = visit.ask_with(&Method::HEAD, "/about.html", None, Some(&date));
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let other = visit.ask_with(&Method::GET, "/about.html", Some("\"other\""), Some(&date));
    assert_eq!(other.status(), StatusCode::OK);
    let missing = visit.ask_with(&Method::GET, DEAD, Some("*"), None);
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[test]
fn the_news_fail_once_without_a_word_about_when_to_come_back() {
    let mut visit = Visit::new();
    let first = visit.ask(HICCUP);
    assert_eq!((first.status(), header(&first, "retry-after")), (StatusCode::SERVICE_UNAVAILABLE, ""));
    assert_eq!(visit.ask(HICCUP).status(), StatusCode::OK);
    assert_eq!(visit.ask(HICCUP).status(), StatusCode::OK);
}

#[test]
fn only_get_and_head_are_answered() {
    let mut visit = Visit::new();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let reply = visit.ask_with(&method, HICCUP, None, None);
        assert_eq!((reply.status(), header(&reply, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    }
    assert_eq!(visit.ask(HICCUP).status(), StatusCode::SERVICE_UNAVAILABLE, "a refused method is no visit");
}

/// Asks for the whole throttled section at the given pace in a shop that has just opened, and waits when told; returns how often it
/// was refused.
fn refusals_at(visit: &mut Visit, pace_ms: u64) -> usize {
    (visit.memory, visit.now_ms) = (Memory::default(), 0);
    let mut queue: VecDeque<_> = (1..=WEEKS).map(|n| format!("{THROTTLED}week-{n}.html")).collect();
    queue.push_front(THROTTLED.to_owned());
    let mut refusals = 0;
    while let Some(path) = queue.pop_front() {
        let reply = visit.ask(&path);
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            refusals += 1;
            visit.now_ms += header(&reply, "retry-after").parse::<u64>().unwrap() * 1000;
            queue.push_front(path);
        } else {
            assert_eq!(reply.status(), StatusCode::OK);
            visit.now_ms += pace_ms;
        }
    }
    assert_eq!(visit.memory.breaches(), 0, "whoever waits as told breaks no rule");
    refusals
}

#[test]
fn a_client_that_waits_as_told_is_refused_a_few_times_only() {
    let mut visit = Visit::new();
    for pace_ms in 0..=1000 {
        let refusals = refusals_at(&mut visit, pace_ms);
        assert!(refusals <= 2, "{refusals} at {pace_ms} ms");
        assert!(refusals >= 1 || pace_ms > 150, "a client at {pace_ms} ms should meet the throttle");
    }
    assert_eq!(refusals_at(&mut visit, 334), 0);
}

#[test]
fn whoever_asks_while_told_to_wait_is_counted_and_refused() {
    let mut visit = Visit::new();
    while visit.ask(THROTTLED).status() == StatusCode::OK {}
    visit.now_ms += 1500;
    let early = visit.ask(THROTTLED);
    assert_eq!((early.status(), header(&early, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    assert_eq!(visit.memory.breaches(), 1);
    assert_eq!(visit.ask("/").status(), StatusCode::OK, "the other pages stay open");
    visit.now_ms += 500;
    assert_eq!(visit.ask(THROTTLED).status(), StatusCode::OK);
    assert_eq!(visit.memory.breaches(), 1);
}
