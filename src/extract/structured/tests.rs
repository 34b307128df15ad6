use std::sync::Arc;

use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::page::Page;
use crate::request::Request;
use crate::response::Response;
use crate::url::CanonicalUrl;

fn page(body: &str) -> Page {
    let url = CanonicalUrl::parse("http://a.example/dir/page").unwrap();
    let mut response = Response::of(url.clone(), StatusCode::OK, body.to_owned());
    response.headers.append("content-type", "text/html; charset=utf-8".parse().unwrap());
    Page::new(Arc::new(Request::get(url)), response)
}

fn ld(text: &str) -> Blocks {
    json_ld_blocks(&page(&format!("<script type='application/ld+json'>{text}</script>")))
}

#[test]
fn all_blocks_of_json_ld_are_read() {
    let page = page(
        "<script type=application/ld+json>{\"@type\": \"A\"}</script><p>
        <script type='Application/LD+JSON; charset=utf-8'>[{\"@type\": \"B\"}, {\"@type\": \"C\"}]</script>
        <script type=application/json>{\"@type\": \"D\"}</script><script>{\"@type\": \"E\"}</script>",
    );
    assert_eq!(json_ld(&page), [json!({"@type": "A"}), json!({"@type": "B"}), json!({"@type": "C"})]);
}

#[test]
fn a_graph_is_opened_and_its_objects_keep_their_context() {
    let found = ld(
        r#"{"@context": "https://schema.org", "@graph": [{"@type": "A"}, {"@type": "B", "@graph": {"@type": "C"}}]}"#,
    );
    let context = "https://schema.org";
    assert_eq!(
        found.values,
        [
            json!({"@context": context, "@type": "A"}),
            json!({"@context": context, "@type": "C"}),
            json!({"@context": context, "@type": "B"}),
        ]
    );
    assert_eq!(ld(r#"{"@type": "A", "@graph": "x"}"#).values.len(), 1, "a graph that is none is a value");
}

#[test]
fn common_faults_of_json_ld_are_forgiven() {
    for text in [
        "<!-- {\"a\": \"b c\"} -->",
        "//<![CDATA[\n{\"a\": \"b c\"}\n//]]>",
        "/* x */ {\"a\": \"b c\"};",
        "{\"a\": \"b\nc\"}",
        "{\"a\": \"b\tc\"} {\"second\": 1}",
        "\u{feff}{\"a\": \"b c\"}}",
    ] {
        let found = ld(text);
        assert_eq!((found.values, found.problems), (vec![json!({"a": "b c"})], vec![]), "{text}");
    }
}

#[test]
fn a_broken_block_is_told_and_the_others_are_read() {
    let found = json_ld_blocks(&page(
        "<script type=application/ld+json>{\"a\": </script><script type=application/ld+json> </script>
        <script type=application/ld+json>{\"a\": 1}</script>",
    ));
    assert_eq!(found.values, [json!({"a": 1})]);
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].starts_with("a JSON-LD block is no JSON: "), "{:?}", found.problems);
}

#[test]
fn blocks_share_one_limit_of_memory() {
    let block = format!("<script type=application/ld+json>[{}0]</script>", "0,".repeat(900_000));
    assert_eq!(ld("{}").values, Vec::<Value>::new());
    assert_eq!(json_ld_blocks(&page(&block.repeat(4))).problems.len(), 2);
}

#[test]
fn items_have_types_and_properties_as_the_standard_says() {
    let body = r#"<div itemscope itemtype="https://schema.org/Product https://b.example/P" itemid="p/1">
        <h1 itemprop="name title">The
          book</h1><img itemprop=image src="a.png"><a itemprop=url href="/b">x</a>
        <meta itemprop=sku content=" 12 "><data itemprop=gtin value=978>x</data>
        <time itemprop=date datetime=2026-11-22>today</time><time itemprop=date>tomorrow</time>
        <p><span itemprop=tag>a</span><span itemprop=tag>b</span></p>
        <div itemprop=offer itemscope><b itemprop=price>12</b><i itemprop=" ">y</i></div>
        <object itemprop=data data="o"></object><link itemprop=stock href="https://schema.org/InStock">
    </div><div itemscope><p itemprop=a>1</div><p itemprop=outside>x"#;
    let items = microdata(&page(body));
    assert_eq!(
        items,
        [
            json!({
                "type": ["https://schema.org/Product", "https://b.example/P"],
                "id": "http://a.example/dir/p/1",
                "properties": {
                    "name": ["The book"], "title": ["The book"],
                    "image": ["http://a.example/dir/a.png"], "url": ["http://a.example/b"],
                    "sku": [" 12 "], "gtin": ["978"], "date": ["2026-11-22", "tomorrow"], "tag": ["a", "b"],
                    "offer": [{"properties": {"price": ["12"]}}],
                    "data": ["http://a.example/dir/o"], "stock": ["https://schema.org/InStock"],
                }
            }),
            json!({"properties": {"a": ["1"]}}),
        ]
    );
}

#[test]
fn an_item_takes_what_its_itemref_names_in_the_order_of_the_document() {
    let body =
        "<p id=x><b itemprop=a>1</b></p><div itemscope itemref='y x nothing y'><b itemprop=a>2</b></div>
        <p id=y itemprop=a>3</p>";
    assert_eq!(microdata(&page(body)), [json!({"properties": {"a": ["1", "2", "3"]}})]);
}

#[test]
fn a_circle_of_itemrefs_ends() {
    let body = "<div itemscope itemref=a id=t></div>
        <div id=a itemprop=x itemscope itemref=b></div><div id=b itemprop=y itemscope itemref='a b'><i itemprop=z>1</i></div>";
    assert_eq!(
        microdata(&page(body)),
        [json!({"properties": {"x": [{"properties": {"y": [{"properties": {"z": ["1"]}}]}}]}})]
    );
}

#[test]
fn items_that_share_parts_do_not_multiply_without_end() {
    // Each item holds the next one twice: 2^30 items.
    let mut body = "<div itemscope itemref='a0 b0'></div>".to_owned();
    for level in 0..30 {
        for side in ["a", "b"] {
            let next = level + 1;
            body += &format!("<div id={side}{level} itemprop=p itemscope itemref='a{next} b{next}'></div>");
        }
    }
    assert_eq!(microdata(&page(&body)).len(), 1);
    // Every item holds the whole rest of the page.
    let wide = format!("<div id=r>{}</div>", "<i itemprop=p>some text</i>".repeat(20_000))
        + &"<div itemscope itemref=r></div>".repeat(20_000);
    let items = microdata(&page(&wide));
    let values: usize =
        items.iter().filter_map(|item| item["properties"]["p"].as_array()).map(Vec::len).sum();
    assert!((10_000..=50_000).contains(&values), "{values}");
    // A chain of items that is deeper than any stack.
    let chain: String = (0..50_000)
        .map(|level| format!("<div id=c{level} itemprop=p itemscope itemref=c{}></div>", level + 1))
        .collect();
    assert_eq!(microdata(&page(&format!("<p itemscope itemref=c0>{chain}"))).len(), 1);
    // Sixteen names for items with sixteen names for items …
    let names = "a b c d e f g h i j k l m n o p";
    let named = format!("<p itemscope>{}x", format!("<div itemprop='{names}' itemscope>").repeat(30));
    assert!(microdata(&page(&named))[0].to_string().len() < 20_000_000);
    // Text inside of itself.
    let nested = format!("<div itemscope>{}{}", "<div itemprop=a>".repeat(400), "text ".repeat(200_000));
    assert_eq!(microdata(&page(&nested)).len(), 1);
}

#[test]
fn open_graph_is_what_begins_so() {
    let body = "<meta property=og:title content=' A  title '><meta property='OG:image' content=1.png>
        <meta property=og:image content=2.png><meta property=og:image content=3.png>
        <meta name=twitter:card content=summary><meta name=description content=x>
        <meta property='article:tag og:x' content=t><meta property=og:empty content=''><meta property=og:none>
        <meta property=product:price:amount content=12.50>";
    let found = Value::Object(open_graph(&page(body)));
    assert_eq!(
        found,
        json!({"og:title": "A title", "og:image": ["1.png", "2.png", "3.png"], "twitter:card": "summary",
               "article:tag": "t", "product:price:amount": "12.50"})
    );
}

#[test]
fn meta_has_names_pragmas_and_the_charset() {
    let body = "<meta charset=UTF-8><meta name=Description content='About  it'><meta name=robots content=a>
        <meta name=robots content=b><meta http-equiv=Content-Language content=en><meta property=og:title content=x>";
    let found = Value::Object(meta(&page(body)));
    assert_eq!(
        found,
        json!({"charset": "UTF-8", "description": "About it", "robots": ["a", "b"], "content-language": "en"})
    );
}

proptest! {
    #[test]
    fn no_markup_makes_it_panic(body in "(<[ab] (itemscope|itemprop=[pq]|itemref='[xyz] [xyz]'|id=[xyz]| ){0,4}>|</[ab]>|t|<meta (name|property|content)=og:[x]>|<script type=application/ld\\+json>[\\[{\":a]{0,5}</script>){0,16}") {
        let page = page(&body);
        let _ = (json_ld_blocks(&page), microdata(&page), open_graph(&page), meta(&page));
    }
}
