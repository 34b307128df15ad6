//! `[[follow]]`, `[[paginate]]`, `[[requests]]` and seeds with bodies: what they become, and every wrong combination in its words.

use http::Method;

use super::loader;
use crate::config::{Plan, Reader};
use crate::spider::declarative::{Next, Numbers, Place, Recipe, Stop};

const HEAD: &str = "[identity]\ncontact = \"me@a.example\"\n";

fn plan(text: &str) -> Plan {
    loader(text).load().unwrap()
}

fn recipe(text: &str) -> Recipe {
    match plan(text).reader {
        Reader::Recipe(recipe) => recipe,
        Reader::Spider(name) => panic!("{name}"),
    }
}

/// Whether the file is refused with all of these words.
fn refused(text: &str, words: &[&str]) {
    let said = loader(text).load().unwrap_err().to_string();
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in\n{said}");
    }
    assert!(said.contains("\n1 problem;"), "one slip, one problem:\n{said}");
}

fn follow(keys: &str) -> String {
    format!("seeds = [\"demo:\"]\n[[follow]]\n{keys}\n")
}

fn paginate(keys: &str) -> String {
    format!("seeds = [\"demo:\"]\n[[paginate]]\n{keys}\n")
}

fn requests(keys: &str) -> String {
    format!("{HEAD}[[requests]]\n{keys}\n")
}

#[test]
fn a_seed_may_have_a_method_header_fields_a_body_and_data() {
    let text = r#"seeds = [
    { url = "http://127.0.0.1/a", json = { q = "tea", n = [1, 2] }, headers = { X-Page = "1" }, data = { shop = "east" } },
    { url = "http://127.0.0.1/b", form = { q = "a b" } },
    { url = "http://127.0.0.1/c", body = "<q/>", headers = { Content-Type = "text/xml" } },
    "http://127.0.0.1/d",
]"#;
    let requests = plan(text).requests();
    let json = &requests[0];
    assert_eq!((&json.method, json.body.as_deref()), (&Method::POST, Some(&br#"{"q":"tea","n":[1,2]}"#[..])));
    assert_eq!(json.headers.len(), 2);
    assert_eq!(json.data::<serde_json::Value>().unwrap()["values"]["shop"], "east");
    assert_eq!(requests[1].body.as_deref(), Some(&b"q=a%20b"[..]));
    assert_eq!(requests[2].headers, [("Content-Type".to_owned(), "text/xml".to_owned())]);
    assert_eq!((&requests[3].method, &requests[3].body), (&Method::GET, &None));
}

#[test]
fn a_request_has_one_body_and_a_method_that_fits() {
    let seed = |keys: &str| format!("seeds = [{{ url = \"demo:\", {keys} }}]");
    refused(&seed("json = 1, body = \"x\""), &["seeds[0].body", "keep either `json` or `body`"]);
    refused(&seed("method = \"GET\", body = \"x\""), &["seeds[0].method", "a GET has no body"]);
    refused(&seed("method = \"POST\""), &["seeds[0].method", "a POST needs a body"]);
    refused(&seed("method = \"DELETE\""), &["seeds[0].method"]);
}

#[test]
fn a_secret_does_not_go_to_the_disk_with_its_request() {
    let named = "seeds = [{ url = \"demo:\", headers = { Authorization = \"Bearer x\" } }]";
    refused(named, &["kept on the disk", "put it under [hosts.\"name\".headers]"]);
    let both = "seeds = [{ url = \"demo:\", headers = { Authorization = \"Bearer ${TOKEN}\" } }]";
    refused(both, &["the value of Authorization comes from the environment", "kept on the disk"]);
    let from_outside = "seeds = [{ url = \"demo:\", headers = { X-Page = \"${NONE:-x}\" } }]";
    refused(from_outside, &["kept on the disk"]);
}

#[test]
fn wrong_combinations_of_follow_are_told_at_their_keys() {
    for (keys, words) in [
        ("css = \"a\"\nxpath = \"//a\"", ["follow[0].xpath", "keep either `css` or `xpath`"]),
        ("json = \"$.a\"\ncss = \"a\"", ["follow[0].css", "JSON has no elements"]),
        ("json = \"$.a\"\ntags = [\"a\"]", ["follow[0].tags", "JSON has no elements"]),
        ("json = \"$.a\"\ntext = \"x\"", ["follow[0].text", "a URL in JSON has no text"]),
        ("json = \"$.a\"\ndata = { a = \"b\" }", ["follow[0].data.a", "has no elements"]),
        ("json = \"$.a\"\nfeed = true", ["follow[0].json", "keep either `json` or `feed`"]),
        ("feed = true\ncss = \"a\"", ["follow[0].css", "a feed has entries and no elements"]),
        ("feed = true\nattrs = [\"a\"]", ["follow[0].attrs", "remove `attrs`"]),
        ("json = \"$.a[\"", ["follow[0].json", "is not a JSONPath query"]),
        ("xpath = \"//a[\"", ["follow[0].xpath", "is not an XPath expression"]),
        ("text = \"(\"", ["follow[0].text", "unclosed group"]),
        ("depth = 0", ["follow[0].depth", "expected 1 or more"]),
        ("limit = 0", ["follow[0].limit", "expected 1 or more"]),
        ("attrs = [\"\"]", ["follow[0].attrs[0]", "expected a name"]),
    ] {
        refused(&follow(keys), &words);
    }
}

#[test]
fn a_name_in_carry_must_be_given_by_something() {
    let text = follow("carry = [\"pric\"]\n[[extract]]\nfields = { price = \"b\" }");
    refused(&text, &["follow[0].carry[0]", "nothing has this name", "did you mean \"price\"?"]);
    recipe(&follow("json = \"$[*]\"\ncarry = [\"anything\"]"));
}

#[test]
fn a_label_of_paginate_must_be_given_by_something() {
    refused(&paginate("on = \"lst\"\nnext = \"auto\""), &["paginate[0].on", "gives this label"]);
}

#[test]
fn the_next_page_is_named_linked_counted_or_asked_for() {
    let next = |keys: &str| recipe(&paginate(keys)).paginate.remove(0).next;
    assert!(matches!(next("next = \"auto\""), Next::Named));
    assert!(matches!(next("next = \"li.next a\""), Next::Link(_)));
    assert!(matches!(next("next = \"$.next\""), Next::Json(_)));
    let Next::Number(place, numbers) = next("param = \"page\"\nto = 9") else { panic!("it is counted") };
    assert_eq!(place, Place::Parameter("page".to_owned()));
    assert_eq!(numbers, Numbers { from: 1, step: 1, to: Some(9) });
    assert!(matches!(next("url = \"/p/{n}\"\nfrom = 0"), Next::Number(Place::Url(_), _)));
    assert!(matches!(next("body = \"a.b\"\ncursor = \"$.c\""), Next::Cursor(Place::Body(_), _)));
}

#[test]
fn where_pages_are_counted_a_page_without_items_ends_the_list() {
    let stop = |keys: &str| recipe(&paginate(keys)).paginate.remove(0).stop;
    assert_eq!(stop("param = \"page\""), [Stop::NoItems, Stop::Repeated]);
    assert_eq!(stop("next = \"auto\""), [Stop::Repeated]);
    assert_eq!(stop("next = \"auto\"\nstop = [\"no-items\"]"), [Stop::NoItems]);
}

#[test]
fn wrong_combinations_of_paginate_are_told_at_their_keys() {
    for (keys, words) in [
        ("", ["paginate[0].next", "where is the next page?"]),
        ("next = \"auto\"\nparam = \"p\"", ["paginate[0].param", "keep either `next` or `param`"]),
        ("next = \"auto\"\nfrom = 2", ["paginate[0].from", "with `next` the page says what comes"]),
        ("param = \"p\"\ncursor = \"$.c\"\nstep = 2", ["paginate[0].step", "a cursor is not counted"]),
        ("url = \"/p\"", ["paginate[0].url", "write {n} where"]),
        ("url = \"/p/{n}\"\ncursor = \"$.c\"", ["paginate[0].url", "write {cursor} where"]),
        ("param = \"p\"\nstep = 0", ["paginate[0].step", "the same page again"]),
        ("param = \"p\"\nto = 0", ["paginate[0].to", "the last page comes before the first"]),
        ("param = \"\"", ["paginate[0].param", "expected a name"]),
        ("param = \"p\"\nstop = []", ["paginate[0].stop", "nothing ends this list"]),
        ("param = \"p\"\nmax-pages = 0", ["paginate[0].max-pages", "the first page counts"]),
        ("next = \"li >\"", ["paginate[0].next", "selector"]),
        ("next = \"$.a[\"", ["paginate[0].next", "is not a JSONPath query"]),
        ("next = \"auto\"\nstop = [\"never\"]", ["paginate[0].stop[0]", "never"]),
        ("param = \"p\"\nstop = [\"never\"]", ["paginate[0].stop[0]", "never"]),
        ("param = \"p\"\nurl = \"/x\"", ["paginate[0].url", "keep either `param` or `url`"]),
        ("next = \"auto\"\n[[paginate]]\nparam = \"p\"", ["paginate[1]", "speaks of the same pages"]),
    ] {
        refused(&paginate(keys), &words);
    }
}

#[test]
fn wrong_combinations_of_requests_are_told_at_their_keys() {
    let url = "url = \"https://a.example/x\"";
    let ids = "url = \"https://a.example/{ids}\"";
    for (keys, words) in [
        ("ids = [\"a\"]".to_owned(), ["requests[0].url", "where to?"]),
        (ids.to_owned(), ["requests[0].url", "{ids} has no values"]),
        ("url = \"https://a.example/{year}\"".to_owned(), ["requests[0].url", "write for = { year ="]),
        (format!("{url}\nids = [\"a\"]"), ["requests[0].ids", "no place for them"]),
        (format!("{url}\nbatch = 3"), ["requests[0].batch", "ids of what?"]),
        (format!("{ids}\nids = []"), ["requests[0].ids", "there are no ids"]),
        (format!("{ids}\nids = [true]"), ["requests[0].ids[0]", "a text or a number"]),
        (format!("{ids}\nids = [\"a\"]\nbatch = 0"), ["requests[0].batch", "expected 1 or more"]),
        (format!("{ids}\nids-file = \"/none/there\""), ["requests[0].ids-file", "the ids cannot be read"]),
        (format!("{url}\nfor = {{ year = \"2001..2002\" }}"), ["requests[0].for.year", "no place for it"]),
        (
            format!("{url}{{a}}\nfor = {{ a = \"2..1\" }}").replace("x\"{a}", "{a}\""),
            ["requests[0].for.a", "no value in it"],
        ),
        (
            "url = \"https://a.example/{a}\"\nfor = { a = \"x\" }".to_owned(),
            ["requests[0].for.a", "such as \"2001..2024\""],
        ),
        (
            "url = \"https://{a}.example/\"\nfor = { a = [\"x\"] }".to_owned(),
            ["requests[0].url", "a host cannot have places"],
        ),
        (
            "url = \"https://a.example/{id}\"\nids = [\"a\", \"b\"]\nbatch = 2".to_owned(),
            ["requests[0].batch", "{id} is one id"],
        ),
    ] {
        refused(&requests(&keys), &words);
    }
    refused(
        &format!("{HEAD}[[requests]]\nurl = \"x{{ids}}\"\nids = [1]\n"),
        &["requests[0].url", "is not a URL"],
    );
}

#[test]
fn requests_are_starts_as_seeds_are() {
    let plan = plan(&requests("url = \"https://a.example/{n}\"\nfor = { n = \"1..3\" }"));
    assert!(plan.scope.judge(&plan.shapes()[0].requests().next().unwrap().unwrap()).is_ok());
    assert_eq!(plan.scope.hosts.len(), 1);
    assert_eq!(plan.shapes()[0].requests().count(), 3);
    refused("[[requests]]\nurl = \"https://a.example/\"\n", &["identity.contact"]);
    refused(
        &format!("{HEAD}[scope]\nexclude = [\"/x\"]\n[[requests]]\nurl = \"https://a.example/x\"\n"),
        &["requests[0]", "out of scope"],
    );
    refused(
        "spider = \"x\"\n[[requests]]\nurl = \"http://127.0.0.1/\"\n",
        &["requests[0]", "remove either `spider`"],
    );
}

#[test]
fn what_travels_is_a_column_of_a_table() {
    let text = "seeds = [{ url = \"demo:\", data = { shop = \"east\" } }]\n[[follow]]\ndata = { price = \"b\" }\n\
                [[extract]]\nfields = { title = \"h1\" }\n[sink.csv]\npath = \"a.csv\"\ncolumns = [\"title\", \"shop\", \"price\"]\n";
    plan(text);
}
