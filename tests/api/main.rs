//! Crawls of JSON servers and of lists of pages, with the command as its user has it and the server as the judge.

mod server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json as value};

use server::{Asked, Desk, Server, html, json, missing};

/// Ends with this code, or tells why not.
fn ends_with(code: i32, ran: &std::process::Output) {
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(code), "{said}");
}

/// What of a list stands on page `page` of `pages`, with `size` on each.
fn list(page: usize, pages: usize, size: usize) -> Vec<Value> {
    if page > pages {
        return Vec::new();
    }
    (0..size)
        .map(|n| value!({ "id": (page - 1) * size + n, "url": format!("/item/{}", (page - 1) * size + n) }))
        .collect()
}

#[test]
fn a_page_counter_walks_to_the_empty_page_and_not_beyond() {
    let server =
        Server::start(|asked| json(&value!({ "items": list(asked.number("page").unwrap_or(1), 4, 2) })));
    let desk = Desk::with(&format!(
        r#"seeds = [{{ url = "{}", label = "list" }}]
[[paginate]]
on = "list"
param = "page"
stop = []
until-empty = "$.items"
"#,
        server.url("/items?q=tea")
    ));
    ends_with(0, &desk.run());
    let expected = [
        "/items?q=tea",
        "/items?q=tea&page=2",
        "/items?q=tea&page=3",
        "/items?q=tea&page=4",
        "/items?q=tea&page=5",
    ];
    assert_eq!(server.paths(), expected);
}

/// Answers a cursor with five ids and the next cursor, up to this many pages.
fn by_cursor(asked: &Asked, pages: usize) -> server::Answer {
    let page = asked.number("after").unwrap_or(1);
    let next = (page < pages).then(|| (page + 1).to_string());
    json(&value!({ "page": page, "items": list(page, pages, 5), "next": next }))
}

const CURSOR: &str = r#"
[[paginate]]
on = "list"
param = "after"
cursor = "$.next"

[[follow]]
on = "list"
json = "$.items[*]"
carry = ["id"]
label = "item"
"#;

#[test]
fn a_cursor_is_sent_back_and_what_an_object_holds_travels_to_its_page() {
    let server = Server::start(|asked| match asked.path.strip_prefix("/item/") {
        Some(id) => html(&format!("<title>item {id}</title>")),
        None => by_cursor(asked, 3),
    });
    let extract = "[[extract]]\nlabel = \"item\"\nfields = { title = \"title\" }\n";
    let seed = format!(
        r#"seeds = [{{ url = "{}", label = "list", data = {{ shop = "east" }} }}]"#,
        server.url("/v1")
    );
    let desk = Desk::with(&format!("{seed}{CURSOR}{extract}"));
    ends_with(0, &desk.run());
    let items = desk.items();
    assert_eq!(items.len(), 15);
    for item in &items {
        assert_eq!(item["title"], format!("item {}", item["id"]), "{item}");
    }
    assert_eq!(server.paths().iter().filter(|path| path.starts_with("/v1")).count(), 3);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
fn killed_in_the_middle_of_a_cursor_walk_it_loses_and_doubles_nothing() {
    const PAGES: usize = 60;
    const KILLS: usize = 5;
    let server = Server::start(|asked| match asked.path.strip_prefix("/item/") {
        Some(id) => html(&format!("<title>item {id}</title>")),
        None => {
            std::thread::sleep(Duration::from_millis(5));
            by_cursor(asked, PAGES)
        }
    });
    let extract = "[[extract]]\nlabel = \"item\"\nfields = { title = \"title\" }\n";
    let seed = format!(r#"seeds = [{{ url = "{}", label = "list" }}]"#, server.url("/v1"));
    let desk = Desk::with(&format!("{seed}{CURSOR}{extract}"));
    let mut rng = fastrand::Rng::with_seed(7);
    let mut is_done = false;
    for _ in 0..KILLS {
        let mut crawl = desk.start();
        std::thread::sleep(Duration::from_millis(rng.u64(200..900)));
        // Where the machine is fast a run may be done before it is killed, and the next one would begin a round of its own.
        is_done = crawl.try_wait().unwrap().is_some();
        if is_done {
            break;
        }
        crawl.kill().unwrap();
        crawl.wait().unwrap();
    }
    if !is_done {
        ends_with(0, &desk.run());
    }
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    for item in desk.items() {
        *seen.entry(item["id"].as_u64().unwrap()).or_default() += 1;
    }
    assert_eq!(seen.len(), PAGES * 5, "every item is there");
    assert!(seen.values().all(|times| *times == 1), "no item is there twice");
    let asked = server.paths().len();
    assert!(
        asked <= PAGES * 6 + KILLS,
        "{asked} requests for {} pages: one in flight at each kill is excused",
        PAGES * 6
    );
}

#[test]
fn ids_of_a_file_go_out_in_posts_of_so_many_and_once() {
    let server = Server::start(|asked| json(&serde_json::from_str(&asked.body).unwrap()));
    let desk = Desk::with(&format!(
        r#"[[requests]]
url = "{}"
ids-file = "ids.txt"
batch = 50
json = {{ ids = "{{ids}}", kind = "full" }}
label = "item"
"#,
        server.url("/lookup")
    ));
    let ids: Vec<String> = (0..120).map(|n| format!("id-{n}")).collect();
    desk.write("ids.txt", &ids.join("\n"));
    ends_with(0, &desk.run());
    let asked = server.asked();
    let bodies: Vec<Value> = asked.iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    let sizes: Vec<usize> = bodies.iter().map(|body| body["ids"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    assert!(
        asked
            .iter()
            .all(|asked| asked.method == "POST" && asked.field("content-type") == Some("application/json"))
    );
    let sent: Vec<&str> = bodies
        .iter()
        .flat_map(|body| body["ids"].as_array().unwrap())
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(sent, ids);
}

#[test]
fn ranges_are_asked_for_in_every_combination_and_travel_along() {
    let server = Server::start(|asked| html(&format!("<title>{}</title>", asked.path)));
    let desk = Desk::with(&format!(
        r#"[[requests]]
url = "{}"
for = {{ year = "2023..2024", kind = ["a", "b c"] }}
label = "year"
data = {{ year = "{{year}}" }}

[[extract]]
label = "year"
fields = {{ title = "title" }}
"#,
        server.url("/{year}/list?kind={kind}")
    ));
    ends_with(0, &desk.run());
    let expected =
        ["/2023/list?kind=a", "/2023/list?kind=b%20c", "/2024/list?kind=a", "/2024/list?kind=b%20c"];
    assert_eq!(server.paths(), expected);
    let years: Vec<_> = desk.items().iter().map(|item| item["year"].clone()).collect();
    assert_eq!(years, ["2023", "2023", "2024", "2024"]);
}

#[test]
fn a_secret_of_the_environment_goes_to_its_host_alone_and_never_to_the_disk() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/a" => html("<a href=/b>b</a>"),
        _ => html("<title>b</title>"),
    });
    let desk = Desk::with(&format!(
        r#"seeds = ["{}", "{}"]
[hosts."127.0.0.1".headers]
Authorization = "Bearer ${{API_TOKEN}}"
"#,
        server.url("/a"),
        server.url_as_localhost("/a")
    ));
    ends_with(0, &desk.run_with(&[("API_TOKEN", "s3cret-t0ken")]));
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    for asked in &asked {
        let expected = asked.field("host").unwrap().starts_with("127.").then_some("Bearer s3cret-t0ken");
        assert_eq!(asked.field("authorization"), expected, "{asked:?}");
    }
    let mut folders = vec![desk.folder().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    let found = bytes.windows(12).any(|part| part == b"s3cret-t0ken");
                    assert!(!found, "{}", entry.path().display());
                }
            }
        }
    }
}

#[test]
fn the_same_post_is_asked_once_and_another_body_is_another_request() {
    let server = Server::start(|_| json(&value!({})));
    let url = server.url("/search");
    let desk = Desk::with(&format!(
        r#"seeds = [
    {{ url = "{url}", json = {{ q = "tea" }} }},
    {{ url = "{url}", json = {{ q = "tea" }}, label = "again" }},
    {{ url = "{url}", json = {{ q = "cup" }} }},
    {{ url = "{url}", form = {{ q = "tea and", page = "1" }} }},
    "{url}",
]
"#
    ));
    ends_with(0, &desk.run());
    let mut bodies: Vec<String> =
        server.asked().into_iter().map(|asked| asked.method + " " + &asked.body).collect();
    bodies.sort();
    assert_eq!(bodies, ["GET ", "POST q=tea%20and&page=1", r#"POST {"q":"cup"}"#, r#"POST {"q":"tea"}"#]);
}

#[test]
fn a_cursor_in_the_body_of_a_post_walks_a_graphql_list() {
    let server = Server::start(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let page = body["variables"]["after"].as_str().map_or(1, |after| after.parse().unwrap());
        let info =
            value!({ "hasNextPage": page < 4, "endCursor": (page < 4).then(|| (page + 1).to_string()) });
        json(&value!({ "data": { "nodes": list(page, 4, 2), "pageInfo": info } }))
    });
    let desk = Desk::with(&format!(
        r#"[[paginate]]
body = "variables.after"
cursor = "$.data.pageInfo.endCursor"

[[requests]]
url = "{}"
json = {{ query = "query($after: String) {{ nodes {{ id }} }}", variables = {{ first = 2 }} }}
"#,
        server.url("/graphql")
    ));
    ends_with(0, &desk.run());
    let asked = server.asked();
    let bodies: Vec<Value> = asked.iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    let cursors: Vec<_> = bodies.iter().map(|body| body["variables"]["after"].as_str()).collect();
    assert_eq!(cursors, [None, Some("2"), Some("3"), Some("4")]);
    assert!(bodies.iter().all(|body| body["query"] == "query($after: String) { nodes { id } }"));
}

#[test]
fn offsets_end_at_the_404_behind_the_last_page() {
    let server = Server::start(|asked| match asked.number("offset").unwrap_or(0) {
        offset @ 0..150 => json(&value!([offset])),
        _ => missing(),
    });
    let desk = Desk::with(&format!(
        "seeds = [\"{}\"]\n[[paginate]]\nparam = \"offset\"\nfrom = 0\nstep = 50\nstop = [\"repeated\"]\n",
        server.url("/v")
    ));
    ends_with(0, &desk.run());
    assert_eq!(server.paths(), ["/v", "/v?offset=50", "/v?offset=100", "/v?offset=150"]);
}

#[test]
fn a_list_of_html_pages_is_walked_to_the_page_that_repeats_and_its_length_is_no_depth() {
    let server = Server::start(|asked| match asked.path.split_once("/book/") {
        Some((_, number)) => html(&format!("<h1>Book {number}</h1>")),
        None => {
            let page = asked.number("page").unwrap_or(1).min(5);
            html(&format!("<h1>Tea</h1><ul><li><a href=/book/{page}>x</a> <i>{page}0</i></li></ul>"))
        }
    });
    let desk = Desk::with(&format!(
        r#"seeds = [{{ url = "{}", label = "list" }}]
[scope]
max-depth = 1

[[paginate]]
on = "list"
param = "page"

[[follow]]
on = "list"
css = "li"
label = "book"
data = {{ price = "i" }}

[[extract]]
label = "book"
fields = {{ title = "h1" }}
"#,
        server.url("/")
    ));
    ends_with(0, &desk.run());
    let mut items = desk.items();
    items.sort_by_key(|item| item["title"].to_string());
    let told: Vec<_> =
        items.iter().map(|item| (item["title"].as_str().unwrap(), item["price"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [("Book 1", "10"), ("Book 2", "20"), ("Book 3", "30"), ("Book 4", "40"), ("Book 5", "50")]
    );
    let pages = server.paths().iter().filter(|path| !path.starts_with("/book/")).count();
    assert_eq!(pages, 6, "five pages, and one that repeats the fifth");
}

#[test]
fn a_post_that_may_have_been_carried_out_is_not_repeated_unless_it_is_said_to_ask_only() {
    for (post, expected) in [("once", 1), ("again", 2)] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let server = Server::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => (500, "text/plain", "oops".to_owned()),
            _ => json(&value!({})),
        });
        let desk = Desk::with(&format!("seeds = [{{ url = \"{}\", json = {{ q = 1 }} }}]", server.url("/")));
        let file = std::fs::read_to_string(desk.path("api.toml")).unwrap();
        desk.write("api.toml", &file.replace("[retry]", &format!("[retry]\npost = \"{post}\"")));
        let ran = desk.run();
        assert_eq!(count.load(Ordering::SeqCst), expected, "{post}");
        // A request that was lost makes the run say so.
        assert_eq!(ran.status.success(), post == "again", "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn a_numbered_page_that_is_broken_is_told_and_the_pages_behind_it_are_asked() {
    let server = Server::start(|asked| match asked.number("page").unwrap_or(1) {
        2 => (500, "text/plain", "oops".to_owned()),
        page => json(&value!({ "items": list(page, 4, 1) })),
    });
    let desk = Desk::with(&format!(
        "seeds = [\"{}\"]\n[[paginate]]\nparam = \"page\"\nstop = []\nuntil-empty = \"$.items\"\n",
        server.url("/")
    ));
    let ran = desk.run();
    assert!(!ran.status.success(), "page 2 is lost");
    let mut paths = server.paths();
    paths.dedup();
    assert_eq!(paths, ["/", "/?page=2", "/?page=3", "/?page=4", "/?page=5"]);
}

#[test]
fn ids_that_cannot_be_read_stop_the_run_before_it_asks() {
    let server = Server::start(|_| json(&value!({})));
    let desk =
        Desk::with(&format!("[[requests]]\nurl = \"{}\"\nids-file = \"none.txt\"\n", server.url("/{ids}")));
    let ran = desk.run();
    assert_eq!(ran.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        said.contains("requests[0].ids-file") && said.contains("none.txt: the ids cannot be read"),
        "{said}"
    );
    assert!(server.asked().is_empty());
}

#[test]
fn a_round_of_an_api_asks_again_and_values_of_the_list_are_those_of_the_round() {
    let round = Arc::new(AtomicUsize::new(1));
    let now = Arc::clone(&round);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/list" => html(&format!("<h1>round {}</h1><a href=/item>x</a>", now.load(Ordering::SeqCst))),
        _ => html("<title>the item stays as it is</title>"),
    });
    let desk = Desk::with(&format!(
        r#"seeds = [{{ url = "{}", label = "list" }}]
[[follow]]
on = "list"
label = "item"
data = {{ round = "h1" }}

[[extract]]
label = "item"
fields = {{ title = "title" }}
"#,
        server.url("/list")
    ));
    for expected in [1, 2] {
        round.store(expected, Ordering::SeqCst);
        ends_with(0, &desk.run());
        assert_eq!(desk.items()[0]["round"], format!("round {expected}"));
    }
    ends_with(0, &desk.run());
    assert_eq!(
        desk.items()[0]["round"],
        "round 2",
        "a page that has not changed still has what came with it"
    );
}

#[test]
fn cursors_of_an_earlier_round_are_not_asked_again() {
    let round = Arc::new(AtomicUsize::new(1));
    let now = Arc::clone(&round);
    let server = Server::start(move |asked| {
        let round = now.load(Ordering::SeqCst);
        let page = asked.path.rsplit('p').next().and_then(|page| page.parse().ok()).unwrap_or(1);
        let next = (page < 3).then(|| format!("r{round}p{}", page + 1));
        json(&value!({ "items": list(page, 3, 1), "next": next }))
    });
    let desk = Desk::with(&format!(
        "seeds = [\"{}\"]\n[[paginate]]\nparam = \"c\"\ncursor = \"$.next\"\n",
        server.url("/v")
    ));
    for this in [1, 2] {
        round.store(this, Ordering::SeqCst);
        ends_with(0, &desk.run());
    }
    let expected = ["/v", "/v?c=r1p2", "/v?c=r1p3", "/v", "/v?c=r2p2", "/v?c=r2p3"];
    assert_eq!(server.paths(), expected);
}

#[test]
fn a_refresh_is_a_redirect_and_adds_no_depth_and_the_audit_is_content() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/old" => html("<meta http-equiv=refresh content='0; url=/new'><title>Moved</title>"),
        "/new" => html("<title>New</title><link rel=canonical href=/original>"),
        "/loop" => html("<meta http-equiv=refresh content='1; url=/loop2'>"),
        "/loop2" => html("<meta http-equiv=refresh content='1; url=/loop'>"),
        _ => html("<title>Original</title><link rel=canonical href=/elsewhere>"),
    });
    let desk = Desk::with(&format!(
        "seeds = [\"{}\", \"{}\"]\n[scope]\nmax-depth = 0\n[url]\ncanonical = \"follow\"\n",
        server.url("/old"),
        server.url("/loop")
    ));
    ends_with(0, &desk.run());
    let titles: Vec<_> = desk.items().iter().map(|item| item["title"].clone()).collect();
    assert_eq!(titles, ["Original"]);
    let mut paths = server.paths();
    paths.sort();
    assert_eq!(paths, ["/loop", "/loop2", "/new", "/old", "/original"]);
    let (is_content, told) = desk.audit();
    assert!(is_content, "{told}");
}

#[test]
fn a_crawl_by_posts_passes_its_audit() {
    let server = Server::start(|asked| json(&value!({ "asked": asked.body })));
    let desk = Desk::with(&format!(
        "[[requests]]\nurl = \"{}\"\nids = [1, 2, 3]\njson = {{ id = \"{{id}}\" }}\n",
        server.url("/q")
    ));
    ends_with(0, &desk.run());
    assert_eq!(server.asked().len(), 3);
    let (is_content, told) = desk.audit();
    assert!(is_content, "{told}");
}
