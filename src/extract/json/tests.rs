use std::cell::Cell;
use std::sync::Arc;

use http::StatusCode;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::page::Page;
use crate::request::Request;
use crate::response::Response;
use crate::url::CanonicalUrl;

fn page(body: &str) -> Page {
    let url = CanonicalUrl::parse("http://a.example/dir/page").unwrap();
    Page::new(Arc::new(Request::get(url.clone())), Response::of(url, StatusCode::OK, body.to_owned()))
}

fn script(text: &str) -> Page {
    page(&format!("<title>x</title><script>{text}</script>"))
}

fn found(path: &str, value: &Value) -> Vec<Value> {
    JsonPath::parse(path).unwrap().find(value).unwrap().into_iter().cloned().collect()
}

#[test]
fn a_query_finds_all_values_in_the_order_of_the_document() {
    let value = json!({"b": {"id": 1, "c": [{"id": 2}, {"id": 3}]}, "id": 4});
    assert_eq!(found("$.b.c[*].id", &value), [json!(2), json!(3)]);
    let mut everywhere = found("$..id", &value);
    everywhere.sort_by_key(Value::as_u64);
    assert_eq!(everywhere, [json!(1), json!(2), json!(3), json!(4)]);
    assert_eq!(found("$.b.c[-1:].id", &value), [json!(3)]);
    assert_eq!(found("$.b.c[?@.id > 2]", &value), [json!({"id": 3})]);
    assert_eq!(found("$.nothing", &value), Vec::<Value>::new());
}

#[test]
fn the_root_may_be_left_out() {
    let value = json!({"a": [{"b": 7}]});
    for path in ["$.a[0].b", "a[0].b", ".a[0].b", " $['a'][0]['b']"] {
        assert_eq!(found(path, &value), [json!(7)], "{path}");
    }
    assert_eq!(found("[0]", &json!([8])), [json!(8)]);
    assert_eq!(found("$", &json!(9)), [json!(9)]);
}

#[test]
fn a_text_that_is_no_query_is_an_error_that_names_it() {
    for path in ["", "$.", "$[", "$.a[?]", "$..", "a b", "$.a[?@.b = 1]"] {
        let error = JsonPath::parse(path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{path}` is not a JSONPath query: ")), "{error}");
    }
}

#[test]
fn a_document_cannot_make_a_query_run_away() {
    let mut deep = json!(1);
    for _level in 0..100 {
        deep = json!({ "a": deep, "b": [1, 2, 3] });
    }
    let many = Value::Array((0..150_000).map(|id| json!({ "id": id })).collect());
    for (path, value) in
        [("$..*..*..*..*..*", &deep), ("$[?count($..id) > 1]", &many), ("$[?match(@.id, 'a*')]", &many)]
    {
        let refused = JsonPath::parse(path).unwrap().find(value).unwrap_err();
        assert!(matches!(refused, ExtractError::TooMuch { .. }), "{path}");
    }
    assert_eq!(found("$..id", &many).len(), 150_000);
    assert!(!found("$..a..b", &deep).is_empty());
    assert_eq!(found("$[?@.id == $[0].id]", &many), [json!({"id": 0})]);
}

#[test]
fn a_query_nested_without_end_is_refused_at_once() {
    for open in ["(", "[?(", "[?@[", "!(", "$[?"] {
        assert!(JsonPath::parse(&format!("$[?{}", open.repeat(100_000))).is_err());
        assert!(JsonPath::parse(&format!("$[?{}", open.repeat(20))).is_err());
    }
    assert!(JsonPath::parse(&format!("$[?{}@.a{}]", "(".repeat(20), ")".repeat(20))).is_ok());
}

#[test]
fn dots_and_signs_in_a_name_cost_nothing() {
    let plain = Shape { descents: 0, searches_root: false, has_regex: false };
    assert_eq!(Shape::of("$['a..b\\'..$*']"), plain);
    assert_eq!(Shape::of("$.a[?@.b == $.c]"), plain);
    assert_eq!(Shape::of("$..a..b").descents, 2);
    assert!(Shape::of("$[?count($.a[*]) > 1]").searches_root);
}

#[test]
fn the_body_is_read_as_json_once() {
    let page = page("\u{feff} {\"a\": 1}");
    assert!(page.is_json() && !page.is_html());
    assert!(std::ptr::eq(page.json_value().unwrap(), page.json_value().unwrap()));
    let broken = super::tests::page("{\"a\": ");
    assert!(broken.json_value().unwrap_err().to_string().contains("EOF"));
    assert!(broken.json_value().is_err(), "and again");
}

#[test]
fn a_script_gives_the_value_of_a_name() {
    for text in [
        "window.__STATE__ = {\"a\": [1, \"};\"]};",
        "var x = 1; var __STATE__={\"a\":[1,\"};\"]}; y = {\"a\": 2}",
        "window['__STATE__'] = {\"a\": [1, \"};\"]}",
        "self[\"__STATE__\"]\n =\n {\"a\": [1, \"};\"]}",
        "__STATE__ == {\"a\": 3}; __STATE__ = {a: 1}; __STATE__ = {\"a\": [1, \"};\"]}",
        "window.__STATE__ = JSON.parse(\"{\\\"a\\\": [1, \\\"};\\\"]}\");",
        "window.__STATE__ = JSON.parse( '{\"a\": [1, \"\\x7d\\u003b\"]}' )",
        "if (a <= b) { window.__STATE__ = {\"a\": [1, \"};\"]} }",
        "window.__STATE__={open: {}, b: (__STATE__ = {\"a\":[1,\"};\"]})}",
    ] {
        for name in ["window.__STATE__", "__STATE__"] {
            assert_eq!(script_value(&script(text), name), Some(json!({"a": [1, "};"]})), "{text}");
        }
    }
}

#[test]
fn a_name_is_a_whole_name() {
    let page = script("my__STATE__ = {\"a\": 1}; a.__STATE__ = {\"a\": 2}; __STATE__x = {\"a\": 3};");
    assert_eq!(script_value(&page, "__STATE__"), None);
    assert_eq!(script_value(&page, "a.__STATE__"), Some(json!({"a": 2})));
}

#[test]
fn a_script_of_json_is_named_by_its_id() {
    let page = page("<script id=__NEXT_DATA__ type='application/json'>{\"props\": {\"a\": 1}}</script>");
    assert_eq!(script_value(&page, "__NEXT_DATA__"), Some(json!({"props": {"a": 1}})));
    assert_eq!(script_value(&page, "other"), None);
}

#[test]
fn all_json_of_all_scripts_is_found() {
    let page = page(
        "<script type='application/ld+json'><!-- {\"a\": 1} --></script>
        <script>var b = [2], empty = [], f = x => {return [9]}; c = {\"c\": {\"d\": 3}}; d = {\"e\": 1,};</script>
        <script type=text/template>e = [5]</script>
        <script type=module>const state = JSON.parse('[\"it\\'s\"]')</script>",
    );
    assert_eq!(scripts(&page), [json!({"a": 1}), json!([2]), json!({"c": {"d": 3}}), json!(["it's"])]);
}

#[test]
fn surrogate_pairs_survive_both_escapings() {
    let page = script(r#"x = JSON.parse("{\"a\": \"\uD83D\uDE00 \\uD83D\\uDE00\"}")"#);
    assert_eq!(script_value(&page, "x"), Some(json!({"a": "\u{1f600} \u{1f600}"})));
}

#[test]
fn a_script_that_never_closes_is_not_read_again_and_again() {
    let text = "x=[".repeat(300_000);
    assert_eq!(Assignments::of(&text).count(), 0);
    let strings = "x=JSON.parse(\"".repeat(100_000);
    assert_eq!(Assignments::of(&strings).filter(|(_, right)| right.read(&Cell::new(0)).is_ok()).count(), 0);
}

use script::Assignments;

proptest! {
    #[test]
    fn no_script_makes_it_panic(text in "[xé=\\[\\]{}\"'\\\\u0dJSON.parse(), :1-]{0,80}") {
        let page = script(&format!("x={text}"));
        let _ = (scripts(&page), script_value(&page, &text));
        let _ = script::whole(&text, &Cell::new(0));
        let _ = JsonPath::parse(&text).map(|path| path.find(&json!({"x": [1]})).is_ok());
    }
}
