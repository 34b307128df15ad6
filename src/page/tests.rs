use bytes::Bytes;
use proptest::prelude::*;

use super::css::Css;
use super::*;

fn with_headers(url: &str, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Page {
    let url = CanonicalUrl::parse(url).unwrap();
    let mut response = Response::of(url.clone(), StatusCode::OK, body);
    for (name, value) in headers {
        response.headers.append(*name, value.parse().unwrap());
    }
    Page::new(Arc::new(Request::get(url)), response)
}

fn page(body: impl Into<Bytes>) -> Page {
    with_headers("http://a.example/dir/page?q", &[("content-type", "text/html;charset=utf-8")], body)
}

fn urls(page: &Page) -> Vec<String> {
    page.links().links.iter().map(|link| link.url.as_str().to_owned()).collect()
}

#[test]
fn a_page_can_go_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Page>();
}

#[test]
fn text_is_decoded_by_the_declared_charset() {
    let html = [("content-type", "text/html; charset=latin1")];
    assert_eq!(with_headers("http://a.example/", &html, &b"caf\xe9"[..]).text(), "caf\u{e9}");
    assert_eq!(with_headers("http://a.example/", &html, &b"\xef\xbb\xbfcaf\xc3\xa9"[..]).text(), "caf\u{e9}");
}

#[test]
fn the_title_is_that_of_the_document_and_not_of_a_drawing() {
    let page = page("<svg><title>Drawing</title></svg><title></title><title> The\n page </title>");
    assert_eq!(page.title().as_deref(), Some("The page"));
    assert_eq!(super::tests::page("<p>x").title(), None);
}

#[test]
fn the_first_base_with_an_href_counts() {
    for (body, expected) in [
        ("<base target=x><base href=/b/><base href=/c/><a href=x>", "http://a.example/b/x"),
        ("<base href='//b.example'><a href=x>", "http://b.example/x"),
        ("<base href='javascript:1'><base href=/c/><a href=x>", "http://a.example/dir/x"),
        ("<base href='http://['><a href=x>", "http://a.example/dir/x"),
        ("<base href=../up/><a href=?y>", "http://a.example/up/?y"),
    ] {
        assert_eq!(urls(&page(body)), [expected], "{body}");
    }
}

#[test]
fn links_are_those_of_a_and_area() {
    let body =
        "<a href=1>one</a><area href=2><link href=3><img src=4><iframe src=5></iframe><a name=6>six</a>
        <A HREF=' /7&amp;x '>s<b>even</b></A><!-- <a href=8> --><script>'<a href=9>'</script>";
    assert_eq!(
        urls(&page(body)),
        ["http://a.example/dir/1", "http://a.example/dir/2", "http://a.example/7&x"]
    );
    assert_eq!(page(body).links().links[2].text, "seven");
}

#[test]
fn links_to_elsewhere_than_the_web_are_left_out() {
    assert_eq!(
        urls(&page("<a href=javascript:x()><a href=mailto:x@y><a href='http://['><a href=data:,x>")),
        [""; 0]
    );
}

#[test]
fn a_link_knows_its_fragment_and_nofollow() {
    let page = page("<a href=x#part rel='external NOFOLLOW'>x</a><a href=x rel=nofollowing>");
    let links = page.links().links;
    assert_eq!(links[0].fragment.as_deref(), Some("part"));
    assert_eq!(links[0].url, links[1].url);
    assert_eq!((links[0].nofollow, links[1].nofollow), (true, false));
}

#[test]
fn queries_are_written_in_the_charset_of_the_page() {
    let page = with_headers(
        "http://a.example/",
        &[("content-type", "text/html;charset=euc-jp")],
        &b"<a href='?q=\xb5\xfe'>"[..],
    );
    assert_eq!(urls(&page), ["http://a.example/?q=%B5%FE"]);
}

#[test]
fn the_canonical_url_is_made_absolute() {
    assert_eq!(page("<link rel='x CANONICAL' href=/c>").canonical().unwrap().as_str(), "http://a.example/c");
    assert_eq!(page("<link rel=canonical href='javascript:x'>").canonical(), None);
}

#[test]
fn directives_of_headers_and_of_the_document_add_up() {
    let page = with_headers(
        "http://a.example/",
        &[
            ("content-type", "text/html"),
            ("x-robots-tag", "crawl: noarchive"),
            ("x-robots-tag", "otherbot: nosnippet"),
        ],
        "<meta name=Robots content='NoIndex'><meta name=CRAWL content=nofollow><meta name=otherbot content=nosnippet>",
    );
    let asked = page.directives("crawl");
    assert!(asked.noindex && asked.nofollow && asked.noarchive && !asked.nosnippet, "{asked:?}");
    assert!(!page.directives("").nofollow);
}

#[test]
fn a_refresh_knows_where_to() {
    let (refresh, url) =
        page("<meta http-equiv=x><meta http-equiv=REFRESH content='3;URL=next'>").meta_refresh().unwrap();
    assert_eq!((refresh.seconds, url.unwrap().as_str()), (3, "http://a.example/dir/next"));
    let (_, url) = page("<meta http-equiv=refresh content='0;javascript:x'>").meta_refresh().unwrap();
    assert_eq!(url, None);
    assert!(page("<meta http-equiv=refresh content=soon>").meta_refresh().is_none());
}

#[test]
fn what_is_no_html_has_an_empty_document() {
    let page = with_headers(
        "http://a.example/",
        &[("content-type", "application/json")],
        "{\"a\": \"<a href=/x>\"}",
    );
    assert!(!page.is_html());
    assert!(urls(&page).is_empty());
    assert!(page.select("a").unwrap().is_empty());
    assert_eq!(page.json::<serde_json::Value>().unwrap()["a"], "<a href=/x>");
}

#[test]
fn without_a_content_type_the_body_decides() {
    assert!(with_headers("http://a.example/", &[], "<p>x").is_html());
    assert!(!with_headers("http://a.example/", &[], "%PDF-1.4 <p>").is_html());
    assert!(with_headers("http://a.example/", &[("content-type", "nonsense")], "<p>x").is_html());
}

#[test]
fn elements_answer_in_few_words() {
    let page = page("<ul><li class=x id=1>a <b>b</b></li><li>c<br>d<script>e</script></li></ul>");
    let items = page.select("li").unwrap();
    assert_eq!(items.texts(), ["a b", "c d"]);
    assert_eq!(items.attrs("id"), ["1"]);
    assert_eq!((items.len(), items.text().as_deref(), items.attr("class")), (2, Some("a b"), Some("x")));
    let first = items.first().unwrap();
    assert_eq!(first.text_of("b").unwrap().as_deref(), Some("b"));
    assert_eq!((first.name(), first.html().as_str()), ("li", "a <b>b</b>"));
    assert_eq!(page.attr_of(".x", "id").unwrap(), Some("1"));
    assert!(page.select("li[").is_err());
    let css = Css::parse("li").unwrap();
    assert_eq!(page.select(&css).unwrap().into_iter().count(), 2);
}

#[test]
fn a_script_that_is_asked_for_gives_its_text() {
    let page = page("<script type='application/ld+json'>{\"a\": 1}</script>");
    assert_eq!(page.text_of("script").unwrap().as_deref(), Some("{\"a\": 1}"));
}

#[test]
fn following_keeps_the_spider() {
    let url = CanonicalUrl::parse("http://a.example/").unwrap();
    let mut request = Request::get(url.clone());
    request.spider = 3;
    let page = Page::new(Arc::new(request), Response::of(url, StatusCode::OK, ""));
    assert_eq!(page.follow("x").unwrap().spider, 3);
    assert!(page.follow("mailto:x").is_err());
}

const MARKUP: [&str; 32] = [
    "<a href=",
    "'",
    "\"",
    ">",
    "<base href=//[",
    "<meta charset=",
    "utf-16",
    "<meta http-equiv=refresh content=",
    "0;url=",
    "<script>",
    "</script",
    "<!--",
    "-->",
    "<![CDATA[",
    "<svg>",
    "<table>",
    "<td>",
    "<title>",
    "<template>",
    "<b>",
    "</b>",
    "<p>",
    "</p>",
    "&#x",
    "\0",
    "\u{feff}",
    "é",
    "<select>",
    "<frameset>",
    "<meta name=robots content=",
    "charset",
    "http-equiv=content-type content=",
];

fn asks_everything(page: &Page) {
    let _ = (page.text(), page.encoding(), page.is_html(), page.title(), page.base_url(), page.canonical());
    let _ =
        (page.links(), page.directives("crawl"), page.meta_refresh(), page.root().map(|root| root.html()));
    let _ = (page.text_of("p, a"), page.select("*").map(|found| found.texts()), page.json::<u8>());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_bytes_make_a_page_that_answers(body in prop::collection::vec(any::<u8>(), 0..600), kind in 0..4_usize) {
        let kinds = ["text/html", "text/html; charset=utf-16", "application/json", "\t;"];
        asks_everything(&with_headers("http://a.example/", &[("content-type", kinds[kind])], body));
    }

    #[test]
    fn any_markup_makes_a_page_that_answers(picks in prop::collection::vec(0..MARKUP.len(), 0..60)) {
        let body: String = picks.iter().map(|pick| MARKUP[*pick]).collect();
        asks_everything(&page(body.clone()));
        asks_everything(&with_headers("http://a.example/", &[], body));
    }
}
