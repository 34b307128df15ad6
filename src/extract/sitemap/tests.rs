use proptest::prelude::*;

use super::*;

fn read(body: impl AsRef<[u8]>) -> Sitemap {
    let url = CanonicalUrl::parse("http://a.example/dir/sitemap.xml").unwrap();
    Sitemap::read(&url, body.as_ref(), None)
}

fn locs(body: impl AsRef<[u8]>) -> Vec<String> {
    let sitemap = read(body);
    sitemap.entries.into_iter().chain(sitemap.children).map(|entry| entry.loc).collect()
}

fn one(inner: &str) -> Vec<String> {
    locs(format!("<urlset><url><loc>{inner}</loc></url></urlset>"))
}

#[test]
fn a_page_comes_with_everything_that_is_said_of_it() {
    let sitemap = read(
        "<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:x='urn:x'><url><loc>http://a.example/</loc>\
         <lastmod>2026-11-22</lastmod><changefreq>daily</changefreq><priority>0.8</priority>\
         <x:link rel='alternate' hreflang='de' href='/de?a&amp;b'/><x:link rel='stylesheet' href='/css'/></url></urlset>",
    );
    assert_eq!(sitemap.kind, Kind::UrlSet);
    assert_eq!(sitemap.problem, None);
    let said = |text: &str| Some(text.to_owned());
    let entry = Entry {
        loc: "http://a.example/".to_owned(),
        lastmod: said("2026-11-22"),
        changefreq: said("daily"),
        priority: said("0.8"),
        alternates: vec!["/de?a&b".to_owned()],
    };
    assert_eq!(sitemap.entries, [entry]);
    assert_eq!(sitemap.entries[0].modified(), Some(Timestamp::from_secs(1_795_305_600)));
}

#[test]
fn an_index_lists_sitemaps_and_no_pages() {
    let sitemap = read(
        "<sitemapindex><sitemap><loc>/1.xml</loc></sitemap><sitemap><loc>2.xml.gz</loc></sitemap></sitemapindex>",
    );
    assert_eq!((sitemap.kind.clone(), sitemap.entries.len()), (Kind::Index, 0));
    let urls: Vec<_> = sitemap.sitemaps().map(|request| request.url.to_string()).collect();
    assert_eq!(urls, ["http://a.example/1.xml", "http://a.example/dir/2.xml.gz"]);
    assert!(sitemap.sitemaps().all(|request| !request.kind.is_page()));
}

#[test]
fn text_that_entities_split_is_one_text() {
    assert_eq!(one("http://a.example/?a=1&amp;b=2&#38;c=&#x33;"), ["http://a.example/?a=1&b=2&c=3"]);
    assert_eq!(one("http://a.example/?a=1&b=2&c=3"), ["http://a.example/?a=1&b=2&c=3"]);
    assert_eq!(one("\n http://a.example/<!-- no -->x<![CDATA[?a=1&b=2]]> "), ["http://a.example/x?a=1&b=2"]);
}

#[test]
fn entities_of_a_document_stand_for_nothing() {
    let bomb: String =
        (1..40).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let body = format!(
        "<!DOCTYPE urlset [<!ENTITY l0 \"lol\">{bomb}<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
         <urlset><url><loc>http://a.example/&l39;&f;x</loc></url></urlset>"
    );
    assert_eq!(locs(body), ["http://a.example/x"]);
}

#[test]
fn a_namespace_may_be_wrong_absent_or_a_prefix() {
    for body in [
        "<urlset xmlns='urn:wrong'><url><loc>/a</loc></url></urlset>",
        "<URLSET><Url xmlns=''><Loc>/a</Loc></Url></URLSET>",
        "<s:urlset xmlns:s='urn:s'><s:url><s:loc>/a</s:loc></s:url></s:urlset>",
        "\n\n<?xml version='1.0'?>\n<urlset><url><loc>/a</loc><loc>/b</loc></url></urlset>",
    ] {
        assert_eq!(locs(body), ["/a"], "{body}");
    }
}

#[test]
fn the_location_of_an_image_is_not_that_of_its_page() {
    let image = "<i:image xmlns:i='urn:i'><i:loc>/i.png</i:loc><i:title>t</i:title></i:image>";
    assert_eq!(locs(format!("<urlset><url>{image}<loc>/a</loc></url><url>{image}</url></urlset>")), ["/a"]);
}

#[test]
fn what_can_be_read_of_a_broken_file_is_read() {
    for (body, found) in [
        ("<urlset><url><loc>/a</loc></url><url><loc>/b</loc><lastmod>20", vec!["/a", "/b"]),
        ("<urlset><url><loc>/a</loc></url><url><loc>/b", vec!["/a"]),
        ("<urlset><url><loc>/a</loc></url><url <loc", vec!["/a"]),
        ("<urlset><url><loc>/a</loc></url></urlset><", vec!["/a"]),
        ("<urlset><url><loc>/a</loc></url><!-- never ends", vec!["/a"]),
    ] {
        assert_eq!(locs(body), found, "{body}");
        assert!(read(body).problem.is_some(), "{body}");
    }
    let unclosed = "<urlset><url><loc>/a<loc></url><url><loc>/b</loc></x></url></urlset>";
    assert_eq!(locs(unclosed), ["/a", "/b"]);
}

#[test]
fn a_page_of_html_is_no_sitemap() {
    let sitemap = read("<!doctype html><html><body><a href=/x>x</a>");
    assert_eq!((sitemap.kind, sitemap.entries.len()), (Kind::Other("html".into()), 0));
    assert_eq!(sitemap.problem.as_deref(), Some("<html> is the root element of no sitemap"));
    assert!(
        read("").problem.is_some()
            && read("not found").problem.is_some()
            && read("<!-- -->").problem.is_some()
    );
}

#[test]
fn text_has_a_url_on_each_line() {
    let sitemap = read("\u{feff}http://a.example/1\r\n\r\n# a note\r\n HTTPS://a.example/2 \r\n/3\n");
    assert_eq!((sitemap.kind, sitemap.problem), (Kind::Text, None));
    let urls: Vec<_> = sitemap.entries.into_iter().map(|entry| entry.loc).collect();
    assert_eq!(urls, ["http://a.example/1", "HTTPS://a.example/2"]);
}

#[test]
fn feeds_are_read_in_all_their_dialects() {
    let rss = read(
        "<rss version='2.0'><channel><link>/home</link><item><title>t</title><a:link xmlns:a='urn:a' rel='self' href='/no'/><link>/1</link>\
         <pubDate>Sun, 22 Nov 2026 00:00:00 GMT</pubDate></item><item><link><![CDATA[/2]]></link></item></channel></rss>",
    );
    assert_eq!(rss.kind, Kind::Rss);
    assert_eq!(rss.entries.iter().map(|entry| entry.loc.as_str()).collect::<Vec<_>>(), ["/1", "/2"]);
    assert_eq!(rss.entries[0].modified(), Some(Timestamp::from_secs(1_795_305_600)));
    let rdf = "<rdf:RDF xmlns:rdf='urn:r'><channel><link>/home</link></channel><item><link>/1</link></item></rdf:RDF>";
    assert_eq!(locs(rdf), ["/1"]);
    let atom = read(
        "<feed><link href='/home'/><entry><link rel='edit' href='/edit'/><link rel='alternate' href='/1'/>\
         <updated>2026-11-22T00:00:00Z</updated></entry><entry><link href='/2'/></entry></feed>",
    );
    assert_eq!(atom.kind, Kind::Atom);
    assert_eq!(atom.entries.iter().map(|entry| entry.loc.as_str()).collect::<Vec<_>>(), ["/1", "/2"]);
    assert_eq!(atom.entries[0].modified(), Some(Timestamp::from_secs(1_795_305_600)));
}

#[test]
fn legacy_encodings_and_utf_16_are_read() {
    let declared = b"<?xml version='1.0' encoding='iso-8859-1'?><urlset><url><loc>/\xe9</loc></url></urlset>";
    assert_eq!(locs(declared), ["/\u{e9}"]);
    let text = "<?xml version='1.0' encoding='utf-16'?><urlset><url><loc>/\u{e9}</loc></url></urlset>";
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(locs(&utf_16), ["/\u{e9}"]);
    assert_eq!(locs([&b"\xff\xfe"[..], &utf_16].concat()), ["/\u{e9}"]);
    let url = CanonicalUrl::parse("http://a.example/").unwrap();
    let by_header =
        Sitemap::read(&url, b"<urlset><url><loc>/\xe4</loc></url></urlset>", Some(encoding_rs::WINDOWS_1252));
    assert_eq!(by_header.entries[0].loc, "/\u{e4}");
    assert_eq!(one("/\u{e9}"), ["/\u{e9}"]);
}

#[test]
fn what_is_too_much_is_counted_and_not_kept() {
    let url = "<url><loc>/a</loc></url>";
    let sitemap = read(format!("<urlset>{}</urlset>", url.repeat(MAX_ENTRIES + 3)));
    assert_eq!((sitemap.entries.len(), sitemap.unread), (MAX_ENTRIES, 3));
    let text = read("http://a.example/\n".repeat(MAX_ENTRIES + 3));
    assert_eq!((text.entries.len(), text.unread), (MAX_ENTRIES, 3));
    let link = "<link rel='alternate' href='/de'/>";
    let entry = format!("<url><loc>/a</loc>{}</url>", link.repeat(MAX_ALTERNATES + 3));
    assert_eq!(read(format!("<urlset>{entry}</urlset>")).entries[0].alternates.len(), MAX_ALTERNATES);
    assert_eq!(one(&"x".repeat(9_000)), Vec::<String>::new());
    assert_eq!(one(&format!("{}/a{}", " ".repeat(9_000), " ".repeat(9_000))), ["/a"]);
    let deep = read("<urlset>".repeat(1_000_000));
    assert_eq!(deep.problem.as_deref(), Some("elements are nested more than 64 deep"));
}

#[test]
fn what_is_older_than_asked_for_is_left_out_and_what_does_not_tell_stays() {
    let entry = |path: &str, date: &str| format!("<url><loc>{path}</loc><lastmod>{date}</lastmod></url>");
    let body = format!(
        "<urlset>{}{}{}</urlset>",
        entry("/old", "2020-01-01"),
        entry("/new", "2026-01-01"),
        entry("/when", "soon")
    );
    let mut sitemap = read(body);
    sitemap.keep_since(w3c_date("2026-01-01").unwrap());
    assert_eq!(sitemap.entries.iter().map(|entry| entry.loc.as_str()).collect::<Vec<_>>(), ["/new", "/when"]);
}

#[test]
fn a_date_means_its_last_moment_where_nothing_may_be_missed() {
    let body = |date: &str| format!("<urlset><url><loc>/a</loc><lastmod>{date}</lastmod></url></urlset>");
    for (date, last) in [
        ("2026", "2026-12-31T23:59:59.999Z"),
        ("2026-11-22", "2026-11-22T23:59:59.999Z"),
        ("Sun, 22 Nov 2026 09:15:00 GMT", "2026-11-22T09:15:00.999Z"),
    ] {
        let mut sitemap = read(body(date));
        assert_eq!(sitemap.pages().next().unwrap().modified.unwrap().to_string(), last, "{date}");
        sitemap.keep_since(w3c_date("2026-11-22T09:15:00Z").unwrap());
        assert_eq!(sitemap.entries.len(), 1, "{date}");
    }
}

#[test]
fn what_changed_last_comes_first_and_what_does_not_tell_last() {
    let dates = ["", "2026-01-01", "2026-11-22T10:00Z", "2026-11-22", "soon", "2026-01-01"];
    let entries = dates
        .iter()
        .enumerate()
        .map(|(n, date)| format!("<url><loc>/{n}</loc><lastmod>{date}</lastmod></url>"));
    let mut sitemap = read(format!("<urlset>{}</urlset>", entries.collect::<String>()));
    sitemap.newest_first();
    let order: Vec<_> = sitemap.entries.iter().map(|entry| entry.loc.as_str()).collect();
    assert_eq!(order, ["/3", "/2", "/1", "/5", "/0", "/4"]);
}

#[test]
fn how_often_a_page_changes_is_a_hint_on_its_request() {
    for (word, hours) in [
        ("always", Some(1)),
        ("Hourly", Some(1)),
        ("weekly", Some(168)),
        ("yearly", Some(8_760)),
        ("never", None),
        ("2", None),
    ] {
        let body = format!("<urlset><url><loc>/a</loc><changefreq>{word}</changefreq></url></urlset>");
        let every = read(body).pages().next().unwrap().every;
        assert_eq!(every, hours.map(std::time::Duration::from_hours), "{word}");
    }
}

#[test]
fn a_location_is_resolved_against_the_sitemap_and_may_be_no_url() {
    let sitemap = read(
        "<urlset><url><loc>x</loc></url><url><loc>mailto:a@a.example</loc></url><url><loc>http://</loc></url></urlset>",
    );
    let pages: Vec<_> = sitemap.pages().map(|request| request.url.to_string()).collect();
    assert_eq!(pages, ["http://a.example/dir/x"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_octets_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&body);
    }

    #[test]
    fn no_markup_makes_it_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<urlset>", "</urlset>", "<url>", "</url>", "<url/>", "<loc>", "</loc>", "<rss>", "<feed>", "<entry>", "<item>",
                "<link href='", "'/>", "&amp;", "&", ";", "&#x0;", "&#99999999999;", "<![CDATA[", "]]>", "<!--", "-->", "<?", "?>",
                "<!DOCTYPE", "[", "]>", "<", ">", "http://a.example/", "\u{e9}", " ", "\n", "</", "x", "\0", "<a b=c d", "=\"",
            ]),
            0..60,
        ),
    ) {
        let sitemap = read(pieces.concat());
        prop_assert!(sitemap.entries.iter().all(|entry| !entry.loc.is_empty()));
        let _ = sitemap.pages().count() + sitemap.sitemaps().count();
    }
}
