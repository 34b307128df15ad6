use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::request::Request;
use crate::response::Response;
use crate::url::CanonicalUrl;

fn page(body: &str) -> Page {
    let url = CanonicalUrl::parse("http://a.example/dir/page").unwrap();
    let mut response = Response::of(url.clone(), StatusCode::OK, body.to_owned());
    response.headers.append("content-type", "text/html; charset=utf-8".parse().unwrap());
    Page::new(Arc::new(Request::get(url)), response)
}

/// What is found: texts as they are, elements as `name#id`.
fn found(body: &str, expression: &str) -> Vec<String> {
    let page = page(body);
    let found = XPath::parse(expression).unwrap().evaluate(&page, None).unwrap();
    found.iter().map(shown).collect()
}

fn shown(found: &Found<'_>) -> String {
    match found {
        Found::Element(element) => match element.attr("id") {
            Some(id) => format!("{}#{id}", element.name()),
            None => element.name().to_owned(),
        },
        Found::Text(text) => text.clone(),
    }
}

fn value(body: &str, expression: &str) -> String {
    let found = found(body, expression);
    assert_eq!(found.len(), 1, "{expression}: {found:?}");
    found[0].clone()
}

const SHOP: &str = r##"<!DOCTYPE html><html lang="en-GB"><head><title>Shop</title></head><body>
<div id="top" class="a x b"><a href="/one" id="a1">One</a> and <a href="/two" id="a2">Two</a></div>
<div id="list" class="xx">
  <ul id="u"><li id="l1">1</li><li id="l2" class="x">2<b id="b">bold</b></li><li id="l3">3</li></ul>
  <table id="t"><tr id="r1"><th>Weight</th><td id="w">2 kg</td><td id="w2">3 kg</td></tr>
  <tr id="r2"><th> Colour
  </th><td id="c">red</td></tr></table>
</div>
<p id="p1" lang="de">eins</p><p id="p2">  two
 words </p><svg id="s"><linearGradient id="g" viewBox="0 0 1 1"/><a xlink:href="#g" id="sa"/></svg></body></html>"##;

#[test]
fn what_people_bring_works() {
    for (expression, expected) in [
        ("//div[@class='a x b']//a/@href", vec!["/one", "/two"]),
        ("//*[contains(concat(' ', normalize-space(@class), ' '), ' x ')]", vec!["div#top", "li#l2"]),
        ("//*[has-class('x')]", vec!["div#top", "li#l2"]),
        ("//*[has-class(\"b\", \"x\")]", vec!["div#top"]),
        ("//th[.='Weight']/following-sibling::td[1]", vec!["td#w"]),
        ("//th[normalize-space(.)='Colour']/following-sibling::td", vec!["td#c"]),
        ("//li[last()]", vec!["li#l3"]),
        ("//li[position() < 3]", vec!["li#l1", "li#l2"]),
        ("(//li)[2]", vec!["li#l2"]),
        ("//li[2]/text()", vec!["2"]),
        ("//p | //title", vec!["title", "p#p1", "p#p2"]),
        ("//a[re:test(@href, '^/t')]", vec!["a#a2"]),
        ("//a[re:test(text(), '^ONE$', 'i')]", vec!["a#a1"]),
        ("re:match(//td[1], '[0-9]+')", vec!["2"]),
        ("//a[text()='Two']/@href", vec!["/two"]),
        ("//tr[td[@id='c']]", vec!["tr#r2"]),
        ("//*[@id='l2']/..", vec!["ul#u"]),
        ("count(//li)", vec!["3"]),
        ("string(//title)", vec!["Shop"]),
        ("boolean(//nothing)", vec!["false"]),
        ("normalize-space(//p[2])", vec!["two words"]),
        ("//tbody/tr/@id", vec!["r1", "r2"]),
        ("//table/tr", vec![]),
        ("/html/body/div[1]/a[2]", vec!["a#a2"]),
        ("/", vec!["html"]),
        ("/. | //title", vec!["title"]),
        ("./body/p[2] | head/title", vec!["title", "p#p2"]),
        ("id('l3 l1')", vec!["li#l1", "li#l3"]),
        ("id('l2')/b", vec!["b#b"]),
        ("//li[not(@class)][2]", vec!["li#l3"]),
        ("//li[2][not(@class)]", vec![]),
        ("//@lang", vec!["en-GB", "de"]),
    ] {
        assert_eq!(found(SHOP, expression), expected, "{expression}");
    }
}

#[test]
fn all_axes_look_where_they_say() {
    for (expression, expected) in [
        ("//b/ancestor::*[1]", vec!["li#l2"]),
        ("//b/ancestor-or-self::*[@id][2]", vec!["li#l2"]),
        ("//b/ancestor::node()[last()]", vec!["html"]),
        ("//b/ancestor::node()[last()]/html", vec!["html"]),
        ("//li[3]/preceding-sibling::li[1]", vec!["li#l2"]),
        ("//li[3]/preceding-sibling::li", vec!["li#l1", "li#l2"]),
        ("(//li[3]/preceding-sibling::li)[1]", vec!["li#l1"]),
        ("//b/following::*[1]", vec!["li#l3"]),
        ("//b/following::td", vec!["td#w", "td#w2", "td#c"]),
        ("//b/preceding::*[@id][1]", vec!["li#l1"]),
        ("//b/preceding::*[@id]", vec!["div#top", "a#a1", "a#a2", "li#l1"]),
        ("//ul/descendant::b", vec!["b#b"]),
        ("//ul/descendant-or-self::*[1]", vec!["ul#u"]),
        ("//ul/child::li[1]/self::li", vec!["li#l1"]),
        ("//ul/child::li[1]/self::b", vec![]),
        ("//li[@class]/attribute::*", vec!["x", "l2"]),
        ("//li[2]/@class/..", vec!["li#l2"]),
        ("//li[2]/@class/following::*[1]", vec!["b#b"]),
        ("//li[2]/@id/following-sibling::*", vec![]),
        ("//li/namespace::*", vec![]),
        ("//comment() | //processing-instruction('x')", vec![]),
        ("//ul/parent::div/@id", vec!["list"]),
        ("//li/ancestor::ul", vec!["ul#u"]),
    ] {
        assert_eq!(found(SHOP, expression), expected, "{expression}");
    }
}

#[test]
fn a_compiled_query_can_be_shared_by_threads() {
    fn is_shared<T: Send + Sync + Clone + 'static>() {}
    is_shared::<XPath>();
    is_shared::<crate::extract::json::JsonPath>();
}

#[test]
fn a_long_expression_of_real_life_is_read() {
    let body = "<dl><dt>Price</dt><dd> 12,50&nbsp;EUR </dd><dt>Stock</dt><dd>3</dd></dl>";
    for (expression, expected) in [
        (
            "translate(substring-before(normalize-space(//dt[.='Price']/following-sibling::dd[1]), '\u{a0}'), ',', '.')",
            "12.50",
        ),
        ("number(//dt[contains(., 'Stock')]/following-sibling::dd[1]) * 2", "6"),
        ("//dd[preceding-sibling::dt[1] = 'Stock']/text()", "3"),
        ("count(//dt[starts-with(normalize-space(), 'S') or not(following-sibling::dt)])", "1"),
        ("string(//dl/*[position() mod 2 = 0][last()])", "3"),
        ("re:match(//dd[1], '[0-9]+,[0-9]+')", "12,50"),
        ("concat(//dt[1], ': ', normalize-space(translate(//dd[1], '\u{a0}', ' ')))", "Price: 12,50 EUR"),
    ] {
        assert_eq!(value(body, expression), expected, "{expression}");
    }
}

#[test]
fn a_place_behind_two_slashes_is_one_among_siblings() {
    let body = "<div><p id=1><p id=2></div><div><p id=3></div>";
    assert_eq!(found(body, "//p[1]"), ["p#1", "p#3"]);
    assert_eq!(found(body, "/descendant::p[1]"), ["p#1"]);
    assert_eq!(found(body, "//p[last()]"), ["p#2", "p#3"]);
    assert_eq!(found(body, "//p[position() = count(../p)]"), ["p#2", "p#3"]);
    assert_eq!(found(body, "//div[p[2]]//p[number('1')]"), ["p#1"]);
}

#[test]
fn a_relative_path_begins_at_its_scope_and_an_absolute_one_at_the_root() {
    let page = page(SHOP);
    let scope = page.first("#list").unwrap();
    let at = |expression: &str| {
        let found = XPath::parse(expression).unwrap().evaluate(&page, scope).unwrap();
        found.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(at(".//li[1]"), ["li#l1"]);
    assert_eq!(at("./ul/li[2]"), ["li#l2"]);
    assert_eq!(at("ul/li[2]/b"), ["b#b"]);
    assert_eq!(at("@class"), ["xx"]);
    assert_eq!(at("."), ["div#list"]);
    assert_eq!(at("//a/@id"), ["a1", "a2", "sa"]);
    assert_eq!(at(".//a"), Vec::<String>::new());
    assert_eq!(at("count(.//td)"), ["3"]);
    assert_eq!(at("following-sibling::p[1]"), ["p#p1"]);
}

#[test]
fn names_are_those_of_html() {
    assert_eq!(found(SHOP, "//lineargradient/@viewbox"), ["0 0 1 1"]);
    assert_eq!(found(SHOP, "//linearGradient/@viewBox"), ["0 0 1 1"]);
    assert_eq!(found(SHOP, "//DIV/@ID"), ["top", "list"]);
    assert_eq!(value(SHOP, "name(//svg/*[1])"), "lineargradient");
    assert_eq!(found(SHOP, "//@xlink:href"), ["#g"]);
    assert_eq!(found(SHOP, "//@xlink:*"), ["#g"]);
    assert_eq!(value(SHOP, "name(//svg//@xlink:href)"), "xlink:href");
    assert_eq!(value(SHOP, "local-name(//svg//@xlink:href)"), "href");
    assert_eq!(found("<o:p id=1>x</o:p><p id=2>", "//o:p"), ["o:p#1"]);
    assert_eq!(found("<o:p id=1>x</o:p><p id=2>", "//p"), ["p#2"]);
}

#[test]
fn the_core_functions_give_what_the_recommendation_says() {
    for (expression, expected) in [
        ("substring('12345', 1.5, 2.6)", "234"),
        ("substring('12345', 0 div 0, 3)", ""),
        ("substring('12345', 1, 0 div 0)", ""),
        ("substring('12345', -42, 1 div 0)", "12345"),
        ("substring('12345', -1 div 0, 1 div 0)", ""),
        ("substring('12345', 2)", "2345"),
        ("substring('äöü', 2, 1)", "ö"),
        ("substring-before('1999/04/01', '/')", "1999"),
        ("substring-after('1999/04/01', '/')", "04/01"),
        ("substring-after('1999', '/')", ""),
        ("translate('bar', 'abc', 'AB')", "BAr"),
        ("translate('--aaa--', 'abc-', 'ABC')", "AAA"),
        ("translate('aa', 'aa', 'xy')", "xx"),
        ("concat('a', 1, true())", "a1true"),
        ("string-length('äöü')", "3"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-2"),
        ("round(0.49999999999999994)", "0"),
        ("floor(-1.5)", "-2"),
        ("ceiling(1.2)", "2"),
        ("1 div 0", "Infinity"),
        ("-1 div 0", "-Infinity"),
        ("0 div 0", "NaN"),
        ("5 mod 2", "1"),
        ("5 mod -2", "1"),
        ("-5 mod 2", "-1"),
        ("1.5 mod 0.5", "0"),
        ("number('  -12.5 ')", "-12.5"),
        ("number('+1')", "NaN"),
        ("number('1e3')", "NaN"),
        ("number('.5')", "0.5"),
        ("number('-')", "NaN"),
        ("string(100000000000000000000)", "100000000000000000000"),
        ("string(0.000001)", "0.000001"),
        ("string(-0)", "0"),
        ("boolean(0 div 0)", "false"),
        ("boolean('false')", "true"),
        ("not('')", "true"),
        ("contains('abc', '')", "true"),
        ("starts-with('abc', 'b')", "false"),
        ("normalize-space('  a \n b\u{a0} ')", "a b\u{a0}"),
        ("sum(//li/text())", "6"),
        ("sum(//nothing)", "0"),
        ("1 div sum(//nothing)", "Infinity"),
        ("sum(//td)", "NaN"),
        ("lang('en')", "true"),
        ("lang('en-GB-x')", "false"),
        ("namespace-uri(//svg)", ""),
        ("name(//nothing)", ""),
        ("string(//li)", "1"),
        ("string(//li[2])", "2bold"),
        ("1 + 2 * 3 - 4 div 2", "5"),
        ("- - 2", "2"),
        ("-(1) + 2", "1"),
        ("2 - -2", "4"),
        ("1 = 1 = 1", "true"),
        ("3 > 2 > 1", "false"),
        ("true() and false() or true()", "true"),
        ("'a' < 'b'", "false"),
        ("'1' < '2'", "true"),
        ("true() = 'x'", "true"),
        ("true() > 0", "true"),
    ] {
        assert_eq!(value(SHOP, expression), expected, "{expression}");
    }
    assert_eq!(found(SHOP, "//p[lang('de')]"), ["p#p1"]);
    assert_eq!(found(SHOP, "//p[lang('EN')]"), ["p#p2"]);
}

#[test]
fn one_node_that_fits_is_enough_for_a_comparison() {
    for (expression, expected) in [
        ("//li = 1", "true"),
        ("//li = '2bold'", "true"),
        ("//li != 1", "true"),
        ("//p[1] != 'eins'", "false"),
        ("//li > 2", "true"),
        ("3 > //li", "true"),
        ("1 > //li", "false"),
        ("1 >= //li", "true"),
        ("//nothing = //nothing", "false"),
        ("//nothing != ''", "false"),
        ("//nothing = false()", "true"),
        ("//li = true()", "true"),
        ("//li[1] = //li", "true"),
        ("//li[1] != //li[1]", "false"),
        ("//li != //li", "true"),
        ("//li < //li", "true"),
        ("//li[3] < //li[1]", "false"),
        ("//li[3] <= //li[3]", "true"),
        ("//td < //td", "false"),
    ] {
        assert_eq!(value(SHOP, expression), expected, "{expression}");
    }
}

#[test]
fn a_word_is_an_operator_only_where_one_can_stand() {
    let body = "<div id=1><or id=2>x</or><mod id=3>7</mod></div>";
    assert_eq!(found(body, "//or | //mod"), ["or#2", "mod#3"]);
    assert_eq!(value(body, "//mod mod 4"), "3");
    assert_eq!(value(body, "//or or //nothing"), "true");
    assert_eq!(value(body, "//div/* = 'x' and //div/*[2] * 2 = 14"), "true");
}

#[test]
fn a_text_that_is_no_expression_is_an_error_that_says_where() {
    for (expression, reason) in [
        ("", "it ends where a name"),
        ("//", "it ends where a name"),
        ("//a[", "it ends where"),
        ("//a[1", "it ends where `]` is expected"),
        ("//a]", "expected nothing more at character 4"),
        ("//a[@x='y]", "without its closing ' at character 8"),
        ("//a/b c", "`c` stands where an operator is expected at character 7"),
        ("$x", "there are no variables"),
        ("lenght(//a)", "there is no function `lenght`"),
        ("norm-space(//a)", "there is no function `norm-space` in XPath 1.0"),
        ("string-lenght(//a)", "did you mean `string-length`, at character 1"),
        ("contains(//a)", "`contains` takes 2 arguments, not 1, at character 1"),
        ("count('a')", "`count` takes a path at character 1"),
        ("'a'/b", "gives no nodes"),
        ("string(//a)[1]", "gives no nodes"),
        ("//a | 'b'", "`|` at character 5 stands between paths only"),
        ("childs::a", "`childs` at character 1 is no axis"),
        ("re:test(., '(')", "`(` is no regular expression"),
        ("//a{1}", "unexpected `{` at character 4"),
        ("a:::b", "expected"),
        ("//a[@]", "expected a name"),
    ] {
        let error = XPath::parse(expression).unwrap_err().to_string();
        let is_named = error.starts_with(&format!("`{expression}` is not an XPath expression: "));
        assert!(is_named && error.contains(reason), "{error}");
    }
}

#[test]
fn an_expression_without_end_is_refused_and_does_not_exhaust_the_stack() {
    for expression in [
        "(".repeat(100_000),
        "-".repeat(100_000),
        "a[".repeat(100_000),
        "not(".repeat(100_000),
        format!("1{}", "+1".repeat(100_000)),
        format!("{}1{}", "(".repeat(300), ")".repeat(300)),
    ] {
        assert!(XPath::parse(&expression).is_err());
    }
    let most = format!("{}1{}", "not(".repeat(MAX_PARTS - 1), ")".repeat(MAX_PARTS - 1));
    assert_eq!(value("", &most), "false");
    assert_eq!(value("", &format!("1{}", "+1".repeat(MAX_PARTS - 1))), MAX_PARTS.to_string());
    let steps = format!("/{}", "/..".repeat(20_000));
    assert_eq!(found("<p>", &steps[1..]), Vec::<String>::new());
}

#[test]
fn a_page_cannot_make_an_expression_run_away() {
    let wide = page(&"<p>1</p>".repeat(30_000));
    for expression in
        ["//p[following::p = 2]", "//p[count(preceding-sibling::p) = -1]", "//*[count(//*) = 1]"]
    {
        let refused = XPath::parse(expression).unwrap().evaluate(&wide, None).map(|found| found.len());
        assert!(matches!(refused, Err(ExtractError::TooMuch { .. })), "{expression}: {refused:?}");
    }
    let deep = page(&format!("{}x", "<div>".repeat(500)).repeat(100));
    for body in [&wide, &deep] {
        for expression in [
            "//p/following-sibling::p",
            "//*/preceding-sibling::*",
            "//*//*//*//*",
            "//*/following::*/preceding::*",
            "//p/following-sibling::p[1]",
            "//p[preceding-sibling::p[1]]",
        ] {
            let found = XPath::parse(expression).unwrap().evaluate(body, None);
            assert!(found.is_ok(), "{expression}");
        }
    }
}

#[test]
fn what_a_page_made_up_as_a_regular_expression_fails_the_page_only() {
    let body = "<p title='a+'>caat</p><p title='('>x</p>";
    assert_eq!(value(body, "re:match(//p[1], //p[1]/@title)"), "aa");
    let page = page(body);
    let broken = XPath::parse("re:test('x', //p[2]/@title)").unwrap().evaluate(&page, None);
    assert!(matches!(broken, Err(ExtractError::XPath { .. })));
}

#[test]
fn an_answer_that_is_no_html_is_an_empty_document() {
    let url = CanonicalUrl::parse("http://a.example/").unwrap();
    let json = Page::new(Arc::new(Request::get(url.clone())), Response::of(url, StatusCode::OK, "{}"));
    let found = XPath::parse("//*/@* | //text() | //*[not(self::html or self::head or self::body)]");
    assert!(found.unwrap().evaluate(&json, None).unwrap().is_empty());
}

#[test]
fn a_page_of_a_megabyte_takes_a_moment() {
    let row = "<tr class='row x'><td><a href='/x'>link</a><td>12.50<td>text of some words</tr>";
    let page = page(&format!("<table>{}</table>", row.repeat(12_000)));
    let clock = crate::clock::Clock::start();
    let began = clock.now();
    let expression = "//tr[contains(concat(' ', normalize-space(@class), ' '), ' x ')]/td[2]/text()";
    assert_eq!(XPath::parse(expression).unwrap().evaluate(&page, None).unwrap().len(), 12_000);
    let took = clock.now().since(began);
    eprintln!("{took:?} for {} bytes", page.text().len());
    assert!(took < Duration::from_secs(5), "{took:?}");
}

proptest! {
    #[test]
    fn no_expression_and_no_page_makes_it_panic(
        expression in "([a-c@./\\[\\]()|*=<0-2' -]|//|::|\\.\\.|last\\(\\)|not\\(|count\\(|self|and|text\\(\\)|following::|preceding::|ancestor::){0,14}",
        body in "(<[abc] id=[0-2]>|</[abc]>|[012 ]|<table>|<svg>){0,20}",
    ) {
        if let Ok(parsed) = XPath::parse(&expression) {
            let page = page(&body);
            let _ = parsed.evaluate(&page, None);
            let _ = parsed.evaluate(&page, page.first("b").unwrap());
        }
    }

    #[test]
    fn every_axis_agrees_with_its_definition(body in "(<[abc]>|</[abc]>|[012]|<ul><li>){0,24}") {
        let page = page(&body);
        let count = |expression: &str| value(&body, &format!("count({expression})"));
        // An element's own axes split the document without gap or overlap (XPath 2.2).
        for element in page.select("*").unwrap() {
            let sizes = ["ancestor::node()", "descendant::node()", "following::node()", "preceding::node()", "."];
            let sum: f64 = sizes.iter().map(|axis| {
                let parsed = XPath::parse(&format!("count({axis})")).unwrap();
                parsed.evaluate(&page, Some(element)).unwrap()[0].text().parse::<f64>().unwrap()
            }).sum();
            prop_assert_eq!(sum.to_string(), count("//node() | /"));
        }
        // What the shortcuts skip is found all the same.
        for (short, long) in [
            ("//b//a", "//b[true()]/descendant-or-self::node()/child::a[position() > 0]"),
            ("//b/following::node()", "//b/following::node()[position() > 0]"),
            ("//b/preceding::node()", "//b/preceding::node()[position() > 0]"),
            ("//*/following-sibling::node()", "//*/following-sibling::node()[position() > 0]"),
            ("//*/preceding-sibling::node()", "//*/preceding-sibling::node()[position() > 0]"),
        ] {
            prop_assert_eq!(count(short), count(long), "{}", short);
        }
    }
}
