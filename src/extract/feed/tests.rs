use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::request::Request;
use crate::response::Response;
use crate::url::CanonicalUrl;

fn page(kind: &str, body: impl Into<Bytes>) -> Page {
    let url = CanonicalUrl::parse("http://a.example/blog/feed").unwrap();
    let mut response = Response::of(url.clone(), StatusCode::OK, body);
    response.headers.append("content-type", kind.parse().unwrap());
    Page::new(Arc::new(Request::get(url)), response)
}

fn read(body: &str) -> Feed {
    feed(&page("application/xml", body.to_owned())).unwrap()
}

fn why_not(body: &str) -> String {
    feed(&page("application/xml", body.to_owned())).unwrap_err().to_string()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn rss_gives_all_that_it_says() {
    let feed = read(
        r#"<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
          xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>A &amp; B</title><link>http://a.example/</link>
        <item><guid isPermaLink="false">g1</guid><title>One &lt;b&gt;two&lt;/b&gt;</title><link>/one</link>
          <pubDate>Sun, 22 Nov 2026 10:00:00 +0100</pubDate><description>short</description>
          <content:encoded><![CDATA[<p>long</p>]]></content:encoded><dc:creator>Ann</dc:creator>
          <category>x</category><category>y</category>
          <enclosure url="/a.mp3" type="audio/mpeg" length="12"/></item>
        <item><title>Without a guid</title></item></channel></rss>"#,
    );
    assert_eq!((feed.title, feed.link), (some("A & B"), some("http://a.example/")));
    let enclosure = Enclosure {
        url: "http://a.example/a.mp3".to_owned(),
        media_type: some("audio/mpeg"),
        length: Some(12),
    };
    let expected = FeedEntry {
        id: some("g1"),
        title: some("One two"),
        link: some("http://a.example/one"),
        published: some("2026-11-22T09:00:00Z"),
        updated: None,
        summary: some("short"),
        content: some("<p>long</p>"),
        authors: vec!["Ann".to_owned()],
        categories: vec!["x".to_owned(), "y".to_owned()],
        enclosures: vec![enclosure],
    };
    assert_eq!(feed.entries[0], expected);
    assert_eq!(feed.entries[1], FeedEntry { title: some("Without a guid"), ..FeedEntry::default() });
}

#[test]
fn atom_gives_the_page_and_not_the_feed_itself() {
    let feed = read(
        r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://b.example/x/"><title type="html">T &amp;amp; U</title>
        <link rel="self" href="feed.xml"/><link href="./"/><id>f</id><updated>2026-11-22T09:00:00Z</updated>
        <entry><id>e1</id><title>One</title><link rel="edit" href="edit"/><link href="one"/>
          <link rel="enclosure" href="a.pdf" type="application/pdf" length="5"/>
          <updated>2026-11-22T09:00:00.5+01:00</updated><published>2026-11-21T00:00:00Z</published>
          <author><name>Ann</name></author><category term="c" label="C"/><summary>s</summary>
          <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>x</p></div></content></entry></feed>"#,
    );
    assert_eq!((feed.title, feed.link), (some("T & U"), some("http://b.example/x/")));
    let entry = &feed.entries[0];
    assert_eq!((entry.id.clone(), entry.link.clone()), (some("e1"), some("http://b.example/x/one")));
    assert_eq!(entry.updated, some("2026-11-22T08:00:00.500Z"));
    assert_eq!(entry.content, some("<p>x</p>"));
    assert_eq!(
        (entry.authors.clone(), entry.categories.clone()),
        (vec!["Ann".to_owned()], vec!["C".to_owned()])
    );
    assert_eq!(entry.enclosures[0].url, "http://b.example/x/a.pdf");
    assert_eq!(entry.enclosures.len(), 1);
}

#[test]
fn json_feed_gives_the_same() {
    let body = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "T", "home_page_url": "http://a.example/",
        "items": [{"id": "1", "url": "/one", "title": "One", "content_html": "<p>x</p>", "tags": ["t"],
        "date_published": "2026-11-22T10:00:00+01:00", "authors": [{"name": "Ann"}],
        "attachments": [{"url": "http://a.example/a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 9}]}]}"#;
    let feed = feed(&page("application/feed+json", body)).unwrap();
    assert_eq!((feed.title, feed.link), (some("T"), some("http://a.example/")));
    let entry = &feed.entries[0];
    assert_eq!(entry.link, some("http://a.example/one"));
    assert_eq!(
        (entry.published.clone(), entry.content.clone()),
        (some("2026-11-22T09:00:00Z"), some("<p>x</p>"))
    );
    assert_eq!(
        (entry.categories.clone(), entry.authors.clone()),
        (vec!["t".to_owned()], vec!["Ann".to_owned()])
    );
    assert_eq!(entry.enclosures[0].url, "http://a.example/a.mp3");
}

#[test]
fn rss_of_any_version_is_read() {
    for root in [
        "<rss>",
        "<rss version='2'>",
        "<rss version=\"0.93\">",
        "<rss\n version='2.0.1' x='>'>",
        "<rss version='2.0'>",
    ] {
        let body = format!("\n{root}<channel><title>T</title><item><title>x</title></item></channel></rss>");
        assert_eq!(read(&body).entries.len(), 1, "{root}");
    }
    let rdf = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
        <channel><title>T</title><link>x</link><description>d</description></channel>
        <item><title>x</title><link>http://a.example/1</link></item></rdf:RDF>"#;
    assert_eq!(read(rdf).entries[0].link, some("http://a.example/1"));
}

#[test]
fn the_encoding_is_the_one_that_the_page_is_read_in() {
    let body = |encoding: &str| {
        format!(
            "<?xml version='1.0' encoding='{encoding}'?><rss version='2.0'><channel><title>caf\u{e9}</title></channel></rss>"
        )
    };
    let latin: Vec<u8> = body("iso-8859-1").chars().map(|c| c as u8).collect();
    assert_eq!(feed(&page("application/xml", latin)).unwrap().title, some("caf\u{e9}"));
    assert_eq!(feed(&page("text/xml; charset=utf-8", body("iso-8859-1"))).unwrap().title, some("caf\u{e9}"));
}

#[test]
fn the_same_feed_gives_the_same_twice() {
    let body = "<rss version='2.0'><channel><item><description>no title, no link</description></item></channel></rss>";
    assert_eq!(read(body), read(body));
    assert_eq!(read(body).entries[0].id, None);
}

#[test]
fn what_is_no_feed_is_an_error() {
    for body in [
        "",
        "<html><p>x</p></html>",
        "{}",
        "{\"version\": 1}",
        "<rss version='2.0'>",
        "<rss",
        "plain",
        "<feed>&#xd800;</feed>",
    ] {
        let error = why_not(body);
        assert!(error.starts_with("not a feed of RSS, Atom or JSON Feed: "), "{body}: {error}");
    }
}

#[test]
fn a_feed_made_to_cost_is_refused_before_it_does() {
    let names =
        |count: usize, name: &str| (0..count).map(|at| format!(" {name}{at}='x'")).collect::<String>();
    for (body, reason) in [
        (format!("<rss version='2.0'><channel>{}", "<item/>".repeat(500_000)), "20000 entries"),
        (format!("<rss version='2.0'><channel>{}", "<a/>".repeat(500_000)), "300000 elements"),
        (format!("<rss version='2.0'>{}", "<a>".repeat(100_000)), "128 elements inside"),
        (format!("<rss version='2.0'><channel{}>", names(100_000, "a")), "128 attributes"),
        (
            format!("<rss version='2.0'>{}", format!("<a{}/>", names(100, "xmlns:n")).repeat(2)),
            "128 namespaces",
        ),
        (format!("<feed xml:base='http://a.example/{}'/>", "x".repeat(100_000)), "1024 bytes in an xml:base"),
        (format!("<feed>{}", "<a xml:base='x/'>".repeat(100)), "4 xml:base attributes"),
        (
            format!(
                "{{\"version\": \"https://jsonfeed.org/version/1\", \"items\": [{}0]}}",
                "0,".repeat(30_000)
            ),
            "20000 entries",
        ),
    ] {
        let error = why_not(&body);
        assert!(error.contains(reason), "{error}");
    }
    let lol = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><rss version='2.0'><channel><title>&b;</title></channel></rss>";
    assert_eq!(read(lol).title, some("&b;"));
}

#[test]
fn the_largest_feed_takes_a_moment() {
    let clock = crate::clock::Clock::start();
    let item = "<item><title>a &amp;lt;b&amp;gt; c</title><link>/x</link><pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate>\
        <category>x</category><category>y</category><description>some words</description></item>";
    for (name, inside) in [
        ("items", item.repeat(20_000)),
        ("long date", format!("<item><pubDate>{}</pubDate></item>", "22 Nov 2026 10:00:00 ".repeat(200_000))),
        ("long link", format!("<item><link>http://a.example/{}</link></item>", "../a ".repeat(500_000))),
        ("categories", format!("<item>{}</item>", "<category>x</category>".repeat(100_000))),
        (
            "media",
            format!(
                "<item xmlns:m='http://search.yahoo.com/mrss/'>{}</item>",
                "<m:group><m:content url='http://a/'/></m:group>".repeat(50_000)
            ),
        ),
        ("cdata", format!("<item><description>{}</description></item>", "<![CDATA[x]]>".repeat(500_000))),
        ("entities", format!("<item><title>{}</title></item>", "&amp;".repeat(300_000))),
    ] {
        let began = clock.now();
        let page = page("application/xml", format!("<rss version='2.0'><channel>{inside}</channel></rss>"));
        let read = feed(&page).map(|feed| feed.entries.len());
        let took = clock.now().since(began);
        eprintln!("{name}: {took:?}, {read:?}");
        assert!(took.as_secs() < 60, "{name}: {took:?}");
    }
}

proptest! {
    #[test]
    fn no_feed_makes_it_panic(body in "(<rss version='2.0'><channel>|<feed>|\\{)?(<(item|entry|title|link|author|media:group|enclosure|pubDate|content)( url=x| href='::'| type='[a-z/;]{0,6}'| xml:base='[a:/]{0,5}')?/?>|</[a-z]{1,7}>|[0-9: ]{0,4}|&[a#x0-9;]{0,4}|<!\\[CDATA\\[|\\]\\]>){0,20}") {
        let _ = feed(&page("application/xml", body));
    }
}
