//! The exact words of every kind of problem.

use insta::assert_snapshot;

use super::loader;

/// Everything that is said about a text.
fn problems(text: &str) -> String {
    loader(text).load().unwrap_err().to_string()
}

#[test]
fn an_unknown_key_is_shown_with_what_may_have_been_meant() {
    let text = r#"seeds = ["demo:"]

[politeness]
dely = "1s"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `politeness.dely`: no such key in `politeness`
     --> a.toml:4:1
      |
    4 | dely = "1s"
      | ^^^^ did you mean `delay`?

    1 problem; nothing was started
    "#);
}

#[test]
fn a_table_that_does_not_exist_is_an_unknown_key_too() {
    let text = r#"seeds = ["demo:"]
[politenes]
delay = 1
"#;
    assert_snapshot!(problems(text), @r#"
    error: `politenes`: no such key at the top of the file
     --> a.toml:2:2
      |
    2 | [politenes]
      |  ^^^^^^^^^ did you mean `politeness`?

    1 problem; nothing was started
    "#);
}

#[test]
fn a_key_that_is_like_no_other_gets_the_list_of_keys() {
    let text = r#"seeds = ["demo:"]
[retry]
zzz = 1
"#;
    assert_snapshot!(problems(text), @r#"
    error: `retry.zzz`: no such key in `retry`
     --> a.toml:3:1
      |
    3 | zzz = 1
      | ^^^ known keys: base, confirm-gone, post, tries

    1 problem; nothing was started
    "#);
}

#[test]
fn seeds_below_a_table_are_told_where_they_belong() {
    let text = r#"[scope]
max-depth = 3
seeds = ["demo:"]
"#;
    assert_snapshot!(problems(text), @r#"
    error: `scope.seeds`: no such key in `scope`
     --> a.toml:3:1
      |
    3 | seeds = ["demo:"]
      | ^^^^^ move `seeds` above the first [table]: keys below a table's name belong to that table

    1 problem; nothing was started
    "#);
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = r#"seeds = ["demo:"]
[politeness]
delay = "fast"
jitter = 2
max-concurrency = -1
max-in-flight = "many"
speed = 9
[robots]
forbidden = "dney"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `politeness.delay`: expected a time such as "200ms", "1.5s", "5min" or "1h" (a plain number is seconds)
     --> a.toml:3:9
      |
    3 | delay = "fast"
      |         ^^^^^^

    error: `politeness.jitter`: expected a share of the delay from 0 to 1
     --> a.toml:4:10
      |
    4 | jitter = 2
      |          ^

    error: `politeness.max-concurrency`: expected a whole number, 0 to 4294967295; found -1
     --> a.toml:5:19
      |
    5 | max-concurrency = -1
      |                   ^^

    error: `politeness.max-in-flight`: expected a whole number, found a string
     --> a.toml:6:17
      |
    6 | max-in-flight = "many"
      |                 ^^^^^^

    error: `politeness.speed`: no such key in `politeness`
     --> a.toml:7:1
      |
    7 | speed = 9
      | ^^^^^ known keys: address-concurrency, address-exempt, address-rate, burst, delay, group, jitter, latency-guard, max-concurrency, max-crawl-delay, max-in-flight, max-rate, multi-tenant, pace, rate

    error: `robots.forbidden`: expected "allow" or "deny", found "dney"
     --> a.toml:9:13
      |
    9 | forbidden = "dney"
      |             ^^^^^^ did you mean "deny"?

    6 problems; nothing was started
    "#);
}

#[test]
fn what_hosts_share_is_checked() {
    let text = r#"seeds = ["demo:"]
[politeness]
rate = "fast"
burst = 0
group = "network"
multi-tenant = ["1.2.3.4"]
address-concurrency = 0
address-exempt = ["cdn", "all"]
[hosts."a.example"]
rate = "0/s"
"#;
    let told = problems(text);
    for part in [
        "`politeness.rate`: expected a number of requests in a time",
        "`politeness.burst`: expected 1 to 10000",
        "`politeness.group`: expected \"host\" or \"domain\" or \"ip\"",
        "`politeness.multi-tenant[0]`: expected a domain",
        "`politeness.address-concurrency`: expected 1 or more",
        "`politeness.address-exempt[1]`: expected a network such as \"10.0.0.0/8\" or an address such as \"127.0.0.1\", or \"cdn\"",
        "`hosts.\"a.example\".rate`: expected a number of requests",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn what_is_no_toml_is_told_once_a_line() {
    let text = r#"seeds = ["demo:"]
scope = = 3
[a
[b]
[b]
"#;
    assert_snapshot!(problems(text), @r#"
    error: this is not TOML: extra `=`, expected nothing
     --> a.toml:2:9
      |
    2 | scope = = 3
      |         ^

    error: this is not TOML: unclosed table, expected `]`
     --> a.toml:3:3
      |
    3 | [a
      |   ^

    error: this is not TOML: duplicate key
     --> a.toml:5:2
      |
    5 | [b]
      |  ^

    3 problems; nothing was started
    "#);
}

#[test]
fn a_crawl_beyond_this_machine_needs_a_contact() {
    let text = r#"seeds = ["https://a.example/"]
"#;
    assert_snapshot!(problems(text), @r#"
    error: `identity.contact`: no contact for the crawl of a.example: write contact = "https://…" or contact = "you@example.com" under [identity], so that the owner of a site can reach you
     --> a.toml:1:10
      |
    1 | seeds = ["https://a.example/"]
      |          ^^^^^^^^^^^^^^^^^^^^

    1 problem; nothing was started
    "#);
}

#[test]
fn a_crawl_needs_seeds() {
    let text = r#"[identity]
name = "bot/2"
contact = "me"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `seeds`: no seeds: write seeds = ["https://…"] above the first table
     --> a.toml:1:1

    error: `identity.name`: the crawler's name "bot/2" holds '/', but robots.txt can only address letters, `-` and `_`: leave out versions, digits and spaces, for example `examplebot`
     --> a.toml:2:8
      |
    2 | name = "bot/2"
      |        ^^^^^^^

    error: `identity.contact`: expected a web address (https://…) or a mail address (you@example.com)
     --> a.toml:3:11
      |
    3 | contact = "me"
      |           ^^^^

    3 problems; nothing was started
    "#);
}

#[test]
fn seeds_are_checked_one_by_one() {
    let text = r#"seeds = ["demo:", "ftp://a.example/", { label = "x" }, 7, "demo:x"]
"#;
    assert_snapshot!(problems(text), @r#"
    error: `seeds[1]`: `ftp:` URLs are never opened: use http or https
     --> a.toml:1:19
      |
    1 | seeds = ["demo:", "ftp://a.example/", { label = "x" }, 7, "demo:x"]
      |                   ^^^^^^^^^^^^^^^^^^

    error: `seeds[2].url`: a seed needs a URL
     --> a.toml:1:39
      |
    1 | seeds = ["demo:", "ftp://a.example/", { label = "x" }, 7, "demo:x"]
      |                                       ^^^^^^^^^^^^^^^

    error: `seeds[3]`: expected a string or a table, found a whole number
     --> a.toml:1:56
      |
    1 | seeds = ["demo:", "ftp://a.example/", { label = "x" }, 7, "demo:x"]
      |                                                        ^

    error: `seeds[4]`: write `demo:` for the demo site's home page or `demo:/path` for another page of it
     --> a.toml:1:59
      |
    1 | seeds = ["demo:", "ftp://a.example/", { label = "x" }, 7, "demo:x"]
      |                                                           ^^^^^^^^

    4 problems; nothing was started
    "#);
}

#[test]
fn a_seed_out_of_scope_is_a_problem() {
    let text = r#"seeds = ["http://127.0.0.1/private/"]
[scope]
exclude = ["/private/"]
include = ["re:("]
hosts = ["http://a.example/"]
"#;
    assert_snapshot!(problems(text), @r#"
    error: `seeds[0]`: this seed is out of scope and would not be fetched: `exclude` in [scope] has a pattern that matches it: /private/
     --> a.toml:1:10
      |
    1 | seeds = ["http://127.0.0.1/private/"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: `scope.include[0]`: `re:(` cannot be read as a pattern: unclosed group
     --> a.toml:4:12
      |
    4 | include = ["re:("]
      |            ^^^^^^

    error: `scope.hosts[0]`: `http://a.example/` is a URL: write the host alone, as in `a.example`
     --> a.toml:5:10
      |
    5 | hosts = ["http://a.example/"]
      |          ^^^^^^^^^^^^^^^^^^^

    3 problems; nothing was started
    "#);
}

#[test]
fn fields_that_make_no_sense_are_told_with_the_remedy() {
    let text = r#"seeds = ["demo:"]
[[extract]]
scope-json = "$.items[*"
script = ""
[extract.fields]
a = { css = "p" }
b = { json = "$[" }
c = { json = "$.c", attr = "x" }
d = { feed = "title" }
[[extract]]
scope = "p"
scope-feed = true
script = "x"
[extract.fields]
a = { xpath = "//p[" }
b = { css = ["p", "q["] }
c = { css = "p", og = "title" }
d = { json-ld = "$.a", json = "$.b" }
e = { status = true, json = "$.b" }
f = { og = "title", fields = { a = "b" } }
g = { header = "a b" }
h = { value = 1, required = true, clean = ["trim"] }
i = { css = "p", type = "number" }
j = { css = "p", decimal-sign = "," }
k = { css = "p", type = "integer", format = "%d" }
l = { css = "p", type = "date", format = "dd.mm" }
m = { css = "p", decimal-sign = ";" }
n = { fields = { a = "b" }, clean = ["trim"], type = "text" }
o = { json = "" }
p = { css = 1 }
q = { feed = "title" }
r = { article = "body" }
[[extract]]
scope-feed = true
fields = { a = { css = "p" } }
[[extract]]
scope-xpath = "//p[1"
fields = { a = { css = "p::attr(x)", json = "$.a", fields = { b = { json = "$.b" }, c = "p" } } }
"#;
    assert_snapshot!(problems(text), @r#"
    error: `extract[0].scope-json`: `$.items[*` is not a JSONPath query: at position 9, in long-hand segment, expected closing ']'
     --> a.toml:3:14
      |
    3 | scope-json = "$.items[*"
      |              ^^^^^^^^^^^

    error: `extract[0].script`: expected the name of a value, the script's id or a media type
     --> a.toml:4:10
      |
    4 | script = ""
      |          ^^

    error: `extract[0].fields.a.css`: the scope is a value out of JSON and has no elements: write json = "…"
     --> a.toml:6:13
      |
    6 | a = { css = "p" }
      |             ^^^

    error: `extract[0].fields.b.json`: `$[` is not a JSONPath query: at position 1, parser error
     --> a.toml:7:14
      |
    7 | b = { json = "$[" }
      |              ^^^^

    error: `extract[0].fields.c.attr`: only elements have this, and `json` gives none: remove it
     --> a.toml:8:28
      |
    8 | c = { json = "$.c", attr = "x" }
      |                            ^^^

    error: `extract[0].fields.d.feed`: this scope is no feed: write scope-feed = true above, or take the scope away
     --> a.toml:9:14
      |
    9 | d = { feed = "title" }
      |              ^^^^^^^

    error: `extract[1].scope-feed`: a rule has one scope: keep either `scope` or `scope-feed`
     --> a.toml:12:14
       |
    12 | scope-feed = true
       |              ^^^^

    error: `extract[1].script`: say which of its values give an item each: scope-json = "$.items[*]"
     --> a.toml:13:10
       |
    13 | script = "x"
       |          ^^^

    error: `extract[1].fields.a.xpath`: `//p[` is not an XPath expression: it ends where a name, `*`, `.` or `@` is expected
     --> a.toml:15:15
       |
    15 | a = { xpath = "//p[" }
       |               ^^^^^^

    error: `extract[1].fields.b.css[1]`: `q[` is not a CSS selector: Unexpected EOL
     --> a.toml:16:19
       |
    16 | b = { css = ["p", "q["] }
       |                   ^^^^

    error: `extract[1].fields.c.og`: a field has one source: keep either `css` or `og`
     --> a.toml:17:23
       |
    17 | c = { css = "p", og = "title" }
       |                       ^^^^^^^

    error: `extract[1].fields.d.json`: `json-ld` is the path already: remove one of the two
     --> a.toml:18:31
       |
    18 | d = { json-ld = "$.a", json = "$.b" }
       |                               ^^^^^

    error: `extract[1].fields.e.json`: `status` gives no JSON: remove one of the two
     --> a.toml:19:29
       |
    19 | e = { status = true, json = "$.b" }
       |                             ^^^^^

    error: `extract[1].fields.f.fields`: `og` gives a text, which has no fields of its own: remove one of the two
     --> a.toml:20:30
       |
    20 | f = { og = "title", fields = { a = "b" } }
       |                              ^^^^^^^^^^^

    error: `extract[1].fields.g.header`: expected the name of a header field, such as "last-modified"
     --> a.toml:21:16
       |
    21 | g = { header = "a b" }
       |                ^^^^^

    error: `extract[1].fields.h.required`: `value` is always there as it is written: remove this
     --> a.toml:22:29
       |
    22 | h = { value = 1, required = true, clean = ["trim"] }
       |                             ^^^^

    error: `extract[1].fields.h.clean`: `value` is always there as it is written: remove this
     --> a.toml:22:43
       |
    22 | h = { value = 1, required = true, clean = ["trim"] }
       |                                           ^^^^^^^^

    error: `extract[1].fields.i.type`: expected "text" or "integer" or "decimal" or "boolean" or "date" or "datetime" or "url" or "json", found "number"
     --> a.toml:23:25
       |
    23 | i = { css = "p", type = "number" }
       |                         ^^^^^^^^

    error: `extract[1].fields.j.decimal-sign`: only numbers have one: add type = "decimal" or remove it
     --> a.toml:24:33
       |
    24 | j = { css = "p", decimal-sign = "," }
       |                                 ^^^

    error: `extract[1].fields.k.format`: only dates have one: add type = "date" or remove it
     --> a.toml:25:45
       |
    25 | k = { css = "p", type = "integer", format = "%d" }
       |                                             ^^^^

    error: `extract[1].fields.l.format`: expected a date format, found "dd.mm": write it with %d, %m, %Y, %H, %M, %S, as in "%d/%m/%Y"
     --> a.toml:26:42
       |
    26 | l = { css = "p", type = "date", format = "dd.mm" }
       |                                          ^^^^^^^

    error: `extract[1].fields.m.decimal-sign`: expected "." or ",", found ";"
     --> a.toml:27:33
       |
    27 | m = { css = "p", decimal-sign = ";" }
       |                                 ^^^ did you mean "."?

    error: `extract[1].fields.n.clean`: a table has no text: put the `clean` on one of its fields
     --> a.toml:28:37
       |
    28 | n = { fields = { a = "b" }, clean = ["trim"], type = "text" }
       |                                     ^^^^^^^^

    error: `extract[1].fields.n.type`: a table has no text: put the `type` on one of its fields
     --> a.toml:28:54
       |
    28 | n = { fields = { a = "b" }, clean = ["trim"], type = "text" }
       |                                                      ^^^^^^

    error: `extract[1].fields.o.json`: expected a name or a path
     --> a.toml:29:14
       |
    29 | o = { json = "" }
       |              ^^

    error: `extract[1].fields.p.css`: expected a string or a list of strings, found something else
     --> a.toml:30:13
       |
    30 | p = { css = 1 }
       |             ^

    error: `extract[1].fields.q.feed`: this scope is no feed: write scope-feed = true above, or take the scope away
     --> a.toml:31:14
       |
    31 | q = { feed = "title" }
       |              ^^^^^^^

    error: `extract[1].fields.r.article`: expected "title" or "text" or "markdown" or "html" or "byline" or "published", found "body"
     --> a.toml:32:17
       |
    32 | r = { article = "body" }
       |                 ^^^^^^

    error: `extract[2].fields.a.css`: the scope is an entry of a feed and has no elements: write feed = "title" or the like
     --> a.toml:35:24
       |
    35 | fields = { a = { css = "p" } }
       |                        ^^^

    error: `extract[3].scope-xpath`: `//p[1` is not an XPath expression: it ends where `]` is expected
     --> a.toml:37:15
       |
    37 | scope-xpath = "//p[1"
       |               ^^^^^^^

    error: `extract[3].fields.a.fields.c`: the scope is a value out of JSON and has no elements: write json = "…"
     --> a.toml:38:89
       |
    38 | ttr(x)", json = "$.a", fields = { b = { json = "$.b" }, c = "p" } } }
       |                                                             ^^^

    31 problems; nothing was started
    "#);
}

#[test]
fn cleaning_steps_that_make_no_sense_are_told_with_the_remedy() {
    let text = r#"seeds = ["demo:"]
[[extract]]
[extract.fields]
a = { css = "p", clean = ["trimm", "lower"] }
b = { css = "p", clean = [{ remove = "(" }] }
c = { css = "p", clean = [{ replace = "a" }] }
d = { css = "p", clean = [{ replace = "a", with = "$1" }] }
e = { css = "p", clean = [{ with = "a" }] }
f = { css = "p", clean = [{ split = "" }] }
g = { css = "p", clean = [{ take = 0 }, {}, { remove = "a", take = 3 }] }
h = { css = "p", clean = [{ cut = 3 }] }
i = { css = "p", clean = "trim" }
"#;
    assert_snapshot!(problems(text), @r#"
    error: `extract[0].fields.a.clean[0]`: expected "trim" or "collapse" or "lower" or "upper" or "strip-tags" or "unescape", found "trimm"
     --> a.toml:4:27
      |
    4 | a = { css = "p", clean = ["trimm", "lower"] }
      |                           ^^^^^^^ did you mean "trim"?

    error: `extract[0].fields.b.clean[0].remove`: not a regular expression: unclosed group
     --> a.toml:5:38
      |
    5 | b = { css = "p", clean = [{ remove = "(" }] }
      |                                      ^^^

    error: `extract[0].fields.c.clean[0].with`: write what stands there instead: with = "…", or `remove` for nothing
     --> a.toml:6:27
      |
    6 | c = { css = "p", clean = [{ replace = "a" }] }
      |                           ^^^^^^^^^^^^^^^^^

    error: `extract[0].fields.d.clean[0].with`: the expression has no group `1`: write $$ for a dollar sign, ${1} for a group
     --> a.toml:7:51
      |
    7 | d = { css = "p", clean = [{ replace = "a", with = "$1" }] }
      |                                                   ^^^^

    error: `extract[0].fields.e.clean[0].with`: this belongs to a `replace`: name the expression that it stands for
     --> a.toml:8:36
      |
    8 | e = { css = "p", clean = [{ with = "a" }] }
      |                                    ^^^

    error: `extract[0].fields.f.clean[0].split`: expected the sign between the parts, such as ","
     --> a.toml:9:37
      |
    9 | f = { css = "p", clean = [{ split = "" }] }
      |                                     ^^

    error: `extract[0].fields.g.clean[0].take`: expected how many characters are kept, 1 or more
     --> a.toml:10:36
       |
    10 | g = { css = "p", clean = [{ take = 0 }, {}, { remove = "a", take = 3 }] }
       |                                    ^

    error: `extract[0].fields.g.clean[1]`: this step does nothing: name one, such as "trim" or { remove = "regex" }
     --> a.toml:10:41
       |
    10 | g = { css = "p", clean = [{ take = 0 }, {}, { remove = "a", take = 3 }] }
       |                                         ^^

    error: `extract[0].fields.g.clean[2].take`: a step does one thing: write `remove` and `take` as two steps
     --> a.toml:10:68
       |
    10 | ss = "p", clean = [{ take = 0 }, {}, { remove = "a", take = 3 }] }
       |                                                             ^

    error: `extract[0].fields.h.clean[0].cut`: no such key in `extract[0].fields.h.clean[0]`
     --> a.toml:11:29
       |
    11 | h = { css = "p", clean = [{ cut = 3 }] }
       |                             ^^^ known keys: join, map, prefix, remove, replace, split, step, suffix, take, with

    error: `extract[0].fields.i.clean`: expected a list: write it in [ ], found a string
     --> a.toml:12:26
       |
    12 | i = { css = "p", clean = "trim" }
       |                          ^^^^^^

    11 problems; nothing was started
    "#);
}

#[test]
fn rules_for_pages_are_checked() {
    let text = r#"seeds = ["demo:"]
[[extract]]
label = "bok"
[extract.fields]
title = "h1["
price = { css = "p", atr = "x" }
z = { regex = "(" }
y = { attr = "href", html = true }
[[extract]]
[[follow]]
label = "book"
css = "a::attr(href)"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `extract[0].label`: no seed, [[requests]] or [[follow]] gives this label
     --> a.toml:3:9
      |
    3 | label = "bok"
      |         ^^^^^ did you mean "book"?

    error: `extract[0].fields.title`: `h1[` is not a CSS selector: Unexpected EOL
     --> a.toml:5:9
      |
    5 | title = "h1["
      |         ^^^^^

    error: `extract[0].fields.price.atr`: no such key in `extract[0].fields.price`
     --> a.toml:6:22
      |
    6 | price = { css = "p", atr = "x" }
      |                      ^^^ did you mean `attr`?

    error: `extract[0].fields.z.regex`: not a regular expression: unclosed group
     --> a.toml:7:15
      |
    7 | z = { regex = "(" }
      |               ^^^

    error: `extract[0].fields.y.html`: a field takes one thing: keep either `attr` or `html`
     --> a.toml:8:29
      |
    8 | y = { attr = "href", html = true }
      |                             ^^^^

    error: `extract[1].fields`: an item needs fields: write [extract.fields] below it, with lines such as title = "h1"
     --> a.toml:9:1
      |
    9 | [[extract]]
      | ^^^^^^^^^^^

    error: `follow[0].css`: write the selector alone: `::text` and `::attr()` only mean something in a field
     --> a.toml:12:7
       |
    12 | css = "a::attr(href)"
       |       ^^^^^^^^^^^^^^^

    7 problems; nothing was started
    "#);
}

#[test]
fn a_spider_in_code_excludes_rules_in_the_file() {
    let text = r#"seeds = ["demo:"]
spider = "quotes"
[[extract]]
fields = { a = "b" }
"#;
    assert_snapshot!(problems(text), @r#"
    error: `extract[0]`: the spider "quotes" reads the pages: remove either `spider` or [[extract]]
     --> a.toml:3:1
      |
    3 | [[extract]]
      | ^^^^^^^^^^^

    1 problem; nothing was started
    "#);
}

#[test]
fn addresses_sizes_proxies_and_headers_are_checked() {
    let text = r#"seeds = ["demo:"]
[net]
allow = ["10.0.0.0/8", "ten"]
[http]
max-body = "big"
proxy = "nowhere"
headers = { user-agent = "x", "a b" = "c" }
[hosts."a.example:80"]
delay = "1s"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `net.allow[1]`: expected a network such as "10.0.0.0/8" or an address such as "127.0.0.1"
     --> a.toml:3:24
      |
    3 | allow = ["10.0.0.0/8", "ten"]
      |                        ^^^^^

    error: `http.max-body`: expected a size such as "10MiB" or "500kB" (a plain number is bytes)
     --> a.toml:5:12
      |
    5 | max-body = "big"
      |            ^^^^^

    error: `http.proxy`: expected a proxy such as "http://proxy.example:3128"
     --> a.toml:6:9
      |
    6 | proxy = "nowhere"
      |         ^^^^^^^^^

    error: `http.headers.user-agent`: remove it: the User-Agent is made of [identity] name, version and contact
     --> a.toml:7:26
      |
    7 | headers = { user-agent = "x", "a b" = "c" }
      |                          ^^^

    error: `http.headers."a b"`: this is no name of a header field: use letters, digits and `-`
     --> a.toml:7:39
      |
    7 | headers = { user-agent = "x", "a b" = "c" }
      |                                       ^^^

    error: `hosts."a.example:80"`: leave the port out: all ports of a host share one pace
     --> a.toml:8:1
      |
    8 | [hosts."a.example:80"]
      | ^^^^^^^^^^^^^^^^^^^^^^

    6 problems; nothing was started
    "#);
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let text = r#"seeds = ["demo:"]
http.headers.x-key = "Bearer ${MISSING}"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `http.headers.x-key`: the environment variable MISSING is not set: set it, or write ${MISSING:-fallback}
     --> a.toml:2:22
      |
    2 | http.headers.x-key = "Bearer ${MISSING}"
      |                      ^^^^^^^^^^^^^^^^^^^

    1 problem; nothing was started
    "#);
}

#[test]
fn sinks_are_checked_against_the_fields() {
    let text = r#"seeds = ["demo:"]
[[extract]]
fields = { title = "h1" }
[sink.csv]
path = "x"
columns = ["kind", "titel"]
[sink.jsonl]
"#;
    assert_snapshot!(problems(text), @r#"
    error: `sink.csv.columns[1]`: no [[extract]] has a field "titel"
     --> a.toml:6:20
      |
    6 | columns = ["kind", "titel"]
      |                    ^^^^^^^ did you mean "title"?

    error: `sink.jsonl.path`: write the file that the items go to
     --> a.toml:7:7
      |
    7 | [sink.jsonl]
      |       ^^^^^

    2 problems; nothing was started
    "#);
}

#[test]
fn outputs_with_columns_are_checked_against_the_fields() {
    let text = r#"seeds = ["demo:"]
[[extract]]
fields = { title = "h1", price = ".price" }
[[sink.sqlite]]
path = "-"
key = ["titel"]
types = { price = "number" }
[[sink.sqlite]]
path = "{kind}.db"
fields = ["title"]
types = { price = "decimal" }
[sink.parquet]
path = "a.parquet"
compress = "gzip"
exists = "append"
row-group = 0
"#;
    let problems = problems(text);
    for told in [
        "`sink.sqlite[0].path`: a database cannot be written to the standard output: name a file",
        "`sink.sqlite[0].key[0]`: no [[extract]] has a field \"titel\"",
        "`sink.sqlite[0].types.price`: expected \"text\" or",
        "`sink.sqlite[1].path`: a database is one file: only {name} can stand in its path",
        "`sink.sqlite[1].types.price`: `fields` leaves \"price\" out: add it there",
        "`sink.parquet.compress`: Parquet has its own way of it: remove this key",
        "`sink.parquet.exists`: a Parquet file cannot be gone on with: write in parts, with `rotate-items` or another",
        "`sink.parquet.row-group`: expected 1 to 1000000 rows",
    ] {
        assert!(problems.contains(told), "{told}\n{problems}");
    }
}

#[cfg(not(feature = "postgres"))]
#[test]
fn what_the_program_is_built_without_is_told_with_the_way_to_build_it() {
    let text = "seeds = [\"demo:\"]\n[sink.postgres]\nurl = \"postgres://a:s3cret@h/b\"\n";
    let problems = problems(text);
    assert!(problems.contains("`sink.postgres.url`: this program is built without PostgreSQL"), "{problems}");
    assert!(problems.contains("--features postgres"), "{problems}");
}

#[cfg(feature = "postgres")]
#[test]
fn a_database_that_is_none_is_told_without_its_password() {
    let told = |url: &str| problems(&format!("seeds = [\"demo:\"]\n[sink.postgres]\nurl = \"{url}\"\n"));
    assert!(told("").contains("`sink.postgres.url`: write where the database is"));
    let problem = told("postgres://h/b?sslmode=prefer");
    assert!(problem.contains("`sink.postgres.url`: sslmode=prefer is not offered"), "{problem}");
}

#[test]
fn credentials_for_every_host_are_refused() {
    let text = r#"seeds = ["https://a.example/", "https://b.example/"]
identity.contact = "me@a.example"
http.headers.authorization = "x"
"#;
    assert_snapshot!(problems(text), @r#"
    error: `http.headers.authorization`: this would be sent to every host of the crawl: put it under [hosts."name".headers]
     --> a.toml:3:30
      |
    3 | http.headers.authorization = "x"
      |                              ^^^

    1 problem; nothing was started
    "#);
}

#[test]
fn an_assignment_is_shown_as_it_was_given() {
    let given = ["politeness.dely=1", "x", "net.allow=[1", "scope.max-depth=two"];
    let loader = given.iter().fold(loader("seeds = [\"demo:\"]"), |loader, set| loader.set(*set));
    assert_snapshot!(loader.load().unwrap_err(), @r#"
    error: `politeness.dely`: no such key in `politeness`
     --> --set politeness.dely=1
      = did you mean `delay`?

    error: write key=value, as in politeness.delay=200ms or hosts."a.example".delay=2s
     --> --set x

    error: the value is not TOML: unclosed array, expected `]`
     --> --set net.allow=[1

    error: `scope.max-depth`: expected a whole number, found a string
     --> --set scope.max-depth=two

    4 problems; nothing was started
    "#);
}

#[test]
fn a_file_that_is_not_there_is_told_by_its_name() {
    let error = super::Loader::new().file("no/such/file.toml").load().unwrap_err();
    assert_snapshot!(error, @r"
    error: cannot read the crawler file: No such file or directory (os error 2)
     --> no/such/file.toml

    1 problem; nothing was started
    ");
}

#[test]
fn a_secret_never_stands_in_a_message() {
    let text = "seeds = [\"demo:\", \"${TOKEN}\"]\nstate-dir = \"x\"\nhttp.proxy = \"${TOKEN}\"\nscope.max-depth = \"${TOKEN}\"\n\
                robots.forbidden = \"${TOKEN}\"\nscope.hosts = [\"${TOKEN}/\"]\nsink.csv.path = \"x\"\nsink.csv.columns = \"${TOKEN}\"\n";
    let error = loader(text).load().unwrap_err();
    assert!(error.problems.len() >= 5, "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}

#[test]
fn places_are_counted_in_characters_and_control_characters_are_not_printed() {
    let error = loader("seeds = [\"demo:\"]\n[scope]\n\thosts = [\"ä\\u001b\", \"a b\"]").load().unwrap_err();
    let problem = &error.problems[1];
    assert_eq!((problem.line, problem.column), (3, 22), "{error}");
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let error = loader("seeds = [\"demo:\"]\n\"a\\u001b\" = 1").set("b\u{1b}[2J=1").load().unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
}

#[test]
fn a_thousand_problems_end() {
    let text: String = (0..5_000).map(|number| format!("k{number} = 1\n")).collect();
    let shown = problems(&text);
    assert!(shown.lines().count() < 1_000, "{}", shown.lines().count());
}

#[test]
fn numbers_of_block_that_make_no_sense_are_refused() {
    let text = r#"seeds = ["demo:"]
[block]
suspect-after = 0
min-pause = "2h"
probe-every = "30min"
"#;
    let told = problems(text);
    for (key, why) in [
        ("block.suspect-after", "expected 1 or more: a verdict needs evidence"),
        ("block.probe-every", "asked more often than a suspected one"),
    ] {
        assert!(told.contains(key) && told.contains(why), "{told}");
    }
    let told = problems("seeds = [\"demo:\"]\n[block]\nmin-pause = 0\nmax-pause = \"1s\"\n");
    assert!(told.contains("without a pause a refusal is no evidence"), "{told}");
}

#[test]
fn revisits_that_make_no_sense_are_refused() {
    for (keys, why) in [
        ("min = 0", "would be asked all the time"),
        ("max = \"30min\"", "shorter than `min`"),
        ("share = 0", "above 0 to 1"),
        ("share = 1.5", "above 0 to 1"),
    ] {
        let told = problems(&format!("seeds = [\"demo:\"]\n[revisit]\n{keys}\n"));
        assert!(told.contains("`revisit.") && told.contains(why), "{told}");
    }
}

#[test]
fn a_table_that_may_stand_several_times_is_named_with_both_brackets() {
    let told = problems("seeds = [\"demo:\"]\n[extract]\nfields = { title = \"h1\" }\n");
    assert!(told.contains("`extract`: this table may stand several times: write [[extract]]"), "{told}");
}

#[cfg(feature = "postgres")]
#[test]
fn two_outputs_to_one_database_are_refused_as_two_to_one_file_are() {
    let sink = "[[sink.postgres]]\nurl = \"postgres://u@127.0.0.1/db\"\n";
    let told = problems(&format!("seeds = [\"demo:\"]\n{sink}{sink}"));
    let meant = "`sink.postgres[1].url`: [sink.postgres[0]] writes to this database: give each its own";
    assert!(told.contains(meant), "{told}");
}

#[test]
fn a_login_whose_variable_is_not_set_is_told_that_and_nothing_else() {
    let login = "[login]\nurl = \"demo:/members/login\"\nfields = { a = \"${CRAWL_NO_SUCH_VARIABLE}\" }";
    let told = problems(&format!("seeds = [\"demo:\"]\n{login}"));
    assert!(told.contains("is not set") && told.contains("1 problem;"), "{told}");
}

#[test]
fn rules_for_the_labels_of_seeds_are_right_where_flags_give_other_seeds() {
    let file = "seeds = [{ url = \"demo:\", label = \"list\", data = { shop = \"east\" } }]\n\
                [[extract]]\nlabel = \"list\"\nfields = { title = \"h1\" }\n\
                [[follow]]\non = \"list\"\ncss = \"a\"\ncarry = [\"shop\"]\n";
    crate::config::Loader::new().text("a.toml", file).seed("demo:/authors/").load().unwrap();
}

#[test]
fn a_login_says_what_it_lacks() {
    let file = |rest: &str| format!("seeds = [\"http://127.0.0.1/x/\"]\n{rest}");
    for (rest, meant) in [
        ("[login]\nform = \"form\"", "`login.url`: a login needs the `url`"),
        ("[login]\nurl = \"http://127.0.0.1/\"", "`login.fields`: a login fills something in"),
        ("[login]\nurl = \"x\"\nfields = { a = \"1\" }", "`login.url`: `x` is not a URL"),
        (
            "[login]\nurl = \"http://127.0.0.1/\"\nfields = { a = \"\" }",
            "`login.fields.a`: nothing would be filled in",
        ),
        (
            "[login]\nurl = \"http://127.0.0.1/\"\nfields = { a = \"1\" }\ncheck = \"..\"",
            "`login.check`: `..` is not a CSS selector",
        ),
        (
            "[scope]\ninclude = [\"/x/\"]\n[login]\nurl = \"http://127.0.0.1/\"\nfields = { a = \"1\" }",
            "`login.url`: this login page is out of scope",
        ),
        (
            "[cookies]\nkeep = false\n[login]\nurl = \"http://127.0.0.1/\"\nfields = { a = \"1\" }",
            "`cookies.keep`: a crawl that logs in keeps cookies",
        ),
        ("[cookies]\nset = { \"a b\" = \"c=d\" }", "`a b` is no host"),
        ("[cookies]\nset = { \"a.example\" = \"c\" }", "expected cookies such as"),
    ] {
        let told = problems(&file(rest));
        assert!(told.contains(meant), "{rest}\n{told}");
    }
}

#[test]
fn what_is_filled_in_is_never_shown() {
    let text = "seeds = [\"http://127.0.0.1/\"]\n[cookies]\nset = { \"127.0.0.1\" = \"a=s3cret\" }\n[login]\nurl = \"http://127.0.0.1/\"\n\
                fields = { a = \"s3cret\", b = \"${B:-s3cret}\", c = \"${C}\" }";
    let plan = loader(text).environment(|name| (name == "C").then(|| "s3cret".to_owned())).load().unwrap();
    let told = format!("{plan:?} {:?} {:?}", plan.login(), plan.cookie_jar());
    assert!(!told.contains("s3cret") && told.contains("${C}"), "{told}");
}
