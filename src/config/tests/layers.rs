//! Which layer wins, what is told of it, and the files that come with the crawler.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{DEFAULTS, Plan, Reader, Start};
use super::{Loader, loader};
use crate::engine::{Lastmod, RobotsSitemaps, Sitemaps, Unlinked};
use crate::fetch::Limits;
use crate::fetch::http::HttpOptions;
use crate::frontier::{Grouping, Settings, content_networks};
use crate::politeness::Policy;
use crate::request::Request;
use crate::robots::ProductToken;
use crate::scope::{Scope, UrlLimits};
use crate::sink::csv::CsvOptions;
use crate::sink::jsonl::JsonlOptions;
use crate::sink::{Choice, Form, Target, Wants};
use crate::spider::declarative::{SeedFile, Source, Take};
use crate::url::{Canon, CanonicalUrl, HostKey};

const DEMO: &str = "seeds = [\"demo:\"]\n";

fn plan(text: &str) -> Plan {
    loader(text).load().unwrap_or_else(|error| panic!("{error}"))
}

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

fn in_scope(scope: &Scope, text: &str) -> bool {
    scope.judge(&Request::get(url(text))).is_ok()
}

fn origin_of(plan: &Plan, key: &str) -> (String, String) {
    let entry = plan.explain().iter().find(|entry| entry.key == key);
    entry.map(|entry| (entry.value.clone(), entry.origin.clone())).unwrap()
}

#[test]
fn the_defaults_file_says_what_the_rooms_have_as_their_defaults() {
    let plan = plan(DEMO);
    assert_eq!(plan.policy(&HostKey::of("a.example")), Policy::default());
    assert_eq!(plan.limits, Limits::default());
    assert_eq!(plan.canon, Canon::default());
    assert_eq!(plan.scope.limits, UrlLimits::default());
    assert_eq!(plan.sitemaps, Sitemaps::default());
    let http =
        HttpOptions { user_agent: format!("crawl/{}", env!("CARGO_PKG_VERSION")), ..HttpOptions::default() };
    assert_eq!(format!("{:?}", plan.http), format!("{http:?}"));
    let mut tuned = Settings::new(ProductToken::parse("crawl").unwrap());
    let expected = tuned.clone();
    plan.tune(&mut tuned);
    assert_eq!(format!("{tuned:?}"), format!("{expected:?}"));
    assert_eq!(plan.sinks, [Target::of(Form::Jsonl(JsonlOptions::to("-")))]);
    assert_eq!(plan.state_dir.to_str(), Some(".crawl/a"));
    assert!(DEFAULTS.contains("delay = \"1s\""));
}

#[test]
fn a_later_layer_wins_and_every_value_knows_its_own() {
    let text = format!(
        "{DEMO}state-dir = \"s\"\n[politeness]\ndelay = \"2s\"\njitter = 0\n[sink.csv]\npath = \"x\"\n"
    );
    let plan = loader(&text)
        .set("politeness.delay=200ms")
        .set("net.allow=127.0.10.0/24")
        .set("hosts.\"a.example\".delay=3s")
        .set("identity.version=1.10")
        .set("politeness.max-rate=30/min")
        .flag("--limit", "scope.max-pages=10")
        .state("dir")
        .out("items.jsonl")
        .load()
        .unwrap();
    let policy = plan.policy(&HostKey::of("b.example"));
    assert_eq!((policy.delay, policy.jitter), (Duration::from_millis(200), 0.0));
    assert_eq!(plan.policy(&HostKey::of("a.example")).delay, Duration::from_secs(3));
    assert!(plan.http.addresses.permits("127.0.10.9".parse().unwrap()));
    assert_eq!(plan.identity.user_agent, "crawl/1.10");
    assert_eq!(plan.max_rate.unwrap().requests.get(), 30);
    assert_eq!(plan.state_dir.to_str(), Some("dir"));
    assert_eq!(plan.sinks, [Target::of(Form::Jsonl(JsonlOptions::to("items.jsonl")))]);
    for (key, value, origin) in [
        ("politeness.delay", "\"200ms\"", "--set"),
        ("politeness.jitter", "0", "a.toml:5"),
        ("politeness.max-concurrency", "1", "default"),
        ("scope.max-pages", "10", "--limit"),
        ("hosts.\"a.example\".delay", "\"3s\"", "--set"),
        ("sink.jsonl.path", "\"items.jsonl\"", "--out"),
        ("state-dir", "\"dir\"", "--state"),
    ] {
        assert_eq!(origin_of(&plan, key), (value.to_owned(), origin.to_owned()), "{key}");
    }
    assert!(!plan.effective_values().contains_key("sink.csv.path"));
}

#[test]
fn sinks_say_which_items_they_take_and_columns_of_what_is_known_are_known() {
    let text = format!(
        "{DEMO}[[extract]]\nfields = {{ a = \"a\" }}\n[revisit]\nunlinked = \"leave\"\n[sink.jsonl]\npath = \"a\"\n\
         items = \"changed\"\nseen = true\n[sink.csv]\npath = \"b\"\ncolumns = [\"a\", \"last_changed\"]\n"
    );
    let plan = loader(&text).load().unwrap();
    assert_eq!(plan.unlinked, Unlinked::Leave);
    let jsonl = Form::Jsonl(JsonlOptions { seen: true, ..JsonlOptions::to("a") });
    let choice = Choice { wants: Wants::Changes, ..Choice::default() };
    let columns = ["a", "last_changed"].map(str::to_owned).to_vec();
    let csv = CsvOptions { seen: true, ..CsvOptions::to("b", columns) };
    assert_eq!(plan.sinks, [Target { form: jsonl, choice }, Target::of(Form::Csv(csv))]);

    let own = format!("{DEMO}[[extract]]\nfields = {{ round = \"a\" }}\n[sink.csv]\npath = \"b\"\n");
    for more in ["", "columns = [\"round\"]\n"] {
        let plan = loader(&format!("{own}{more}")).load().unwrap();
        assert_eq!(plan.unlinked, Unlinked::Ask);
        assert_eq!(plan.sinks, [Target::of(Form::Csv(CsvOptions::to("b", vec!["round".to_owned()])))]);
    }
}

#[test]
fn a_rate_takes_the_place_of_the_default_delay_and_not_of_a_written_one() {
    for (lines, millis) in [("rate = \"5/s\"", 0), ("rate = \"5/s\"\ndelay = \"2s\"", 2_000)] {
        let text = format!("{DEMO}[politeness]\n{lines}\nburst = 10\n");
        let policy = loader(&text).load().unwrap().policy(&HostKey::of("a.example"));
        assert_eq!(policy.rate, "5/s".parse().ok());
        assert_eq!((policy.delay, policy.burst), (Duration::from_millis(millis), 10), "{lines}");
    }
}

#[test]
fn what_hosts_share_is_read() {
    let lines = "group = \"domain\"\nmulti-tenant = [\"Pages.Example\"]\naddress-concurrency = 4\n\
                 address-rate = \"20/s\"\naddress-exempt = [\"cdn\", \"203.0.113.0/24\"]\n";
    let sharing = loader(&format!("{DEMO}[politeness]\n{lines}")).load().unwrap().sharing;
    assert_eq!(sharing.group, Grouping::Domain);
    assert_eq!(sharing.multi_tenant, ["pages.example"]);
    assert_eq!((sharing.address_concurrency, sharing.address_rate), (Some(4), "20/s".parse().ok()));
    assert_eq!(sharing.address_exempt.len(), content_networks().len() + 1);
    let none = loader(&format!("{DEMO}[politeness]\naddress-exempt = []\n")).load().unwrap().sharing;
    assert!(none.address_exempt.is_empty());
}

#[test]
fn one_seed_is_a_crawl() {
    let plan = Loader::new().seed("http://localhost:8080/x").out("a.csv").load().unwrap();
    assert!(in_scope(&plan.scope, "http://localhost:8080/y"));
    assert!(!in_scope(&plan.scope, "http://a.example/"));
    assert!(plan.http.addresses.permits("127.0.0.1".parse().unwrap()));
    assert!(!plan.http.addresses.permits("127.0.0.2".parse().unwrap()));
    assert_eq!(plan.name, "localhost");
    let csv = CsvOptions::to("a.csv", Vec::new());
    assert_eq!(plan.sinks, [Target::of(Form::Csv(csv))]);
    let Reader::Recipe(recipe) = &plan.reader else { panic!("no recipe") };
    assert_eq!(recipe.seeds, plan.requests());
    assert!(recipe.extract.is_empty() && recipe.follow.is_empty());
    let error = Loader::new().seed("https://a.example/").load().unwrap_err();
    assert_eq!(error.problems[0].key, "identity.contact");
    assert_eq!(error.problems[0].path, "--seed https://a.example/");
}

#[test]
fn seeds_of_the_command_line_take_the_place_of_those_in_the_file() {
    let text = "seeds = [\"https://a.example/\"]\nidentity.contact = \"me@a.example\"";
    let plan = loader(text).seed("https://b.example/").seed("https://c.example/").load().unwrap();
    let hosts: Vec<_> = plan.requests().iter().map(|request| request.url.host().to_owned()).collect();
    assert_eq!(hosts, ["b.example", "c.example"]);
    assert!(!in_scope(&plan.scope, "https://a.example/"));
    assert!(plan.identity.user_agent.ends_with(" (+me@a.example)"));
}

#[test]
fn the_demo_site_joins_the_scope_when_its_address_is_known() {
    let mut plan = plan(
        "seeds = [\"demo:\", { url = \"demo:/authors/\", label = \"x\", priority = 3 }]\nscope.hosts = [\"a.example\"]",
    );
    assert!(plan.needs_demo());
    assert_eq!(plan.seeds[1].start, Start::Demo("/authors/".to_owned()));
    plan.place_demo(&url("http://127.0.0.1:4711/"));
    assert!(!plan.needs_demo());
    let requests = plan.requests();
    assert_eq!(requests[1].url.as_str(), "http://127.0.0.1:4711/authors/");
    assert_eq!((requests[1].label.as_deref(), requests[1].priority), (Some("x"), 3));
    assert!(in_scope(&plan.scope, "http://127.0.0.1:4711/z"));
    assert!(in_scope(&plan.scope, "http://a.example/"));
    assert!(plan.http.addresses.permits("127.0.0.1".parse().unwrap()));
}

#[test]
fn a_file_of_seeds_gives_scope_addresses_and_names_its_wrong_lines() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("urls.txt");
    std::fs::write(&list, "# ours\nhttp://127.0.0.2/\nhttp://localhost/a\nhttp://localhost/b\n").unwrap();
    let text = format!("seeds-file = {:?}", list.display().to_string());
    let plan = Loader::new().text("a.toml", &text).load().unwrap();
    let requests: Vec<_> = plan.seed_file.iter().flat_map(SeedFile::requests).map(Result::unwrap).collect();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| plan.scope.judge(request).is_ok()));
    assert!(plan.http.addresses.permits("127.0.0.2".parse().unwrap()));
    assert!(plan.requests().is_empty());

    std::fs::write(&list, "http://localhost/a\nexample.com\n").unwrap();
    let said = Loader::new().text("a.toml", &text).load().unwrap_err().to_string();
    assert!(said.contains("a.toml:1") && said.contains("urls.txt:2: "), "{said}");
    std::fs::write(&list, "https://away.example/\n").unwrap();
    let said = Loader::new().text("a.toml", &text).load().unwrap_err().to_string();
    assert!(said.contains("no contact for the crawl of away.example"), "{said}");
    std::fs::write(&list, "# none\n").unwrap();
    let said = Loader::new().text("a.toml", &text).load().unwrap_err().to_string();
    assert!(said.contains("there is no URL in it"), "{said}");
}

#[test]
fn seeds_of_flags_stand_for_all_seeds_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, flags) = (dir.path().join("ours.txt"), dir.path().join("flags.txt"));
    std::fs::write(&ours, "http://localhost/ours\n").unwrap();
    std::fs::write(&flags, "http://localhost/flags\n").unwrap();
    let text = format!("seeds = [\"http://localhost/seed\"]\nseeds-file = {:?}", ours.display().to_string());
    let starts = |loader: Loader| {
        let plan = loader.text("a.toml", &text).load().unwrap();
        let listed = plan.seed_file.iter().flat_map(SeedFile::requests).map(Result::unwrap);
        plan.requests()
            .into_iter()
            .chain(listed)
            .map(|seed| seed.url.as_url().path().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(starts(Loader::new()), ["/seed", "/ours"]);
    assert_eq!(starts(Loader::new().seed("http://localhost/x")), ["/x"]);
    assert_eq!(starts(Loader::new().seeds_file(&flags)), ["/flags"]);
    assert_eq!(starts(Loader::new().seeds_file(&flags).seed("http://localhost/x")), ["/x", "/flags"]);
    assert_eq!(starts(Loader::new().seed("http://localhost/x").seeds_file(&flags)), ["/x", "/flags"]);
}

#[test]
fn a_spider_in_code_brings_its_own_seeds() {
    let mut plan = plan("spider = \"quotes\"");
    assert!(matches!(&plan.reader, Reader::Spider(name) if name == "quotes"));
    let away = Request::get(url("https://a.example/"));
    let error = plan.adopt(&[away]).unwrap_err();
    assert!(error.to_string().contains("no contact for the crawl of a.example"));
    plan.adopt(&[Request::get(url("http://127.0.0.7/"))]).unwrap();
    assert!(in_scope(&plan.scope, "http://127.0.0.7/x"));
    assert!(!in_scope(&plan.scope, "http://127.0.0.8/x"));
    assert!(plan.http.addresses.permits("127.0.0.7".parse().unwrap()));
}

#[test]
fn what_comes_from_the_environment_is_used_and_never_shown() {
    let text = r#"
        seeds = ["demo:"]
        scope.max-pages = "${PAGES}"
        robots.forbidden = "${WORD}"
        [http]
        proxy = "http://me:pw@127.0.0.1:1"
        [http.headers]
        x-plain = "see"
        x-key = "k ${TOKEN}"
        authorization = "Basic abc"
        [hosts."a.example".headers]
        cookie = "${NONE:-c}"
    "#;
    let plan = plan(text);
    assert!(plan.http.headers.contains(&("x-key".to_owned(), "k s3cret".to_owned())));
    assert_eq!(plan.budget.max_pages, Some(12));
    let cookie = ("cookie".to_owned(), "c".to_owned());
    assert_eq!(plan.headers_for(&HostKey::of("a.example")), [cookie]);
    assert_eq!(plan.headers_for(&HostKey::of("b.example")), []);
    for (key, value) in [
        ("http.headers.x-plain", "\"see\""),
        ("http.headers.x-key", "\"k ${TOKEN}\""),
        ("http.headers.authorization", "\"***\""),
        ("http.proxy", "\"http://me:***@127.0.0.1:1/\""),
        ("scope.max-pages", "\"${PAGES}\""),
    ] {
        assert_eq!(origin_of(&plan, key).0, value);
    }
    let shown = format!("{plan:?} {:?}", plan.explain());
    for secret in ["s3cret", "Basic abc", "me:pw"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn fields_keep_the_order_of_the_file_and_know_what_to_take() {
    let text = format!(
        "{DEMO}[[extract]]\n[extract.fields]\nz = \"h1::text\"\na = \"a::attr(href)\"\nm = {{ css = \"ul\", list = true, fields = {{ q = \"\", b = {{ html = true }} }} }}\n"
    );
    let plan = plan(&text);
    let Reader::Recipe(recipe) = &plan.reader else { panic!("no recipe") };
    let fields = &recipe.extract[0].fields;
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
    let take = |at: usize| match &fields[at].source {
        Source::Css(selectors) => selectors[0].take.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(take(0), Some(Take::Text)));
    assert!(matches!(take(1), Some(Take::Attribute(name)) if name == "href"));
    let inner = &fields[2].fields;
    assert!(matches!(inner[0].source, Source::Scope) && matches!(inner[1].take, Take::Html));
}

#[test]
fn every_crawler_file_that_comes_along_is_right() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crawlers");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let plan = Loader::new().file(&path).load();
            let plan = plan.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(plan.name, path.file_stem().unwrap().to_str().unwrap());
            files += 1;
        }
    }
    assert!(files >= 4, "{files} files");
}

#[test]
fn sitemaps_are_one_word_or_a_list_and_their_hosts_belong_to_the_crawl() {
    let with = |follow: &str| {
        plan(&format!("{DEMO}[sitemap]\nfollow = {follow}\nsince = \"2026-01-01\"\n")).sitemaps
    };
    assert_eq!(with("\"off\"").robots, RobotsSitemaps::Ignore);
    assert_eq!(with("\"robots\"").robots, RobotsSitemaps::Read);
    let both = with("[\"robots\", \"http://localhost/s.xml\"]");
    assert_eq!((both.robots, both.urls), (RobotsSitemaps::Read, vec![url("http://localhost/s.xml")]));
    assert_eq!(both.since.map(crate::time::Timestamp::as_secs), Some(1_767_225_600));
    let lastmod = |line: &str| plan(&format!("{DEMO}[sitemap]\n{line}")).sitemaps.lastmod;
    assert_eq!((lastmod(""), lastmod("lastmod = \"skip\"\n")), (Lastmod::Order, Lastmod::Skip));
    let alone = plan("[sitemap]\nfollow = \"http://127.0.0.1/s.xml\"\n");
    assert!(in_scope(&alone.scope, "http://127.0.0.1/x") && !in_scope(&alone.scope, "http://a.example/"));
    assert!(alone.http.addresses.permits("127.0.0.1".parse().unwrap()));
    let set = loader(DEMO).set("sitemap.follow=robots").load().unwrap();
    assert_eq!(set.sitemaps.robots, RobotsSitemaps::Read);
}

#[test]
fn what_is_no_sitemap_is_told_with_its_place() {
    for (table, words) in [
        ("follow = \"robot\"", "expected \"robots\", \"off\" or the URL"),
        ("follow = [\"off\", \"robots\"]", "\"off\" stands alone"),
        ("follow = \"ftp://a.example/\"", "use http or https"),
        ("follow = 3", "the URL of a sitemap, or a list of these"),
        ("follow = \"https://a.example/s.xml\"", "no contact for the crawl of a.example"),
        ("since = \"soon\"", "expected a date such as"),
    ] {
        let error = loader(&format!("{DEMO}[sitemap]\n{table}\n")).load().unwrap_err().to_string();
        assert!(error.contains(words), "{table}: {error}");
    }
}

#[test]
fn the_memory_of_the_seen_set_is_set_by_the_file_and_has_a_floor() {
    let bytes = |text: &str| loader(&format!("{DEMO}{text}")).load().map(|plan| plan.disk.seen_bytes);
    assert_eq!(bytes("").unwrap(), crate::store::disk::DiskOptions::default().seen_bytes);
    assert_eq!(bytes("[state]\nseen-memory = \"512MiB\"\n").unwrap(), 512 << 20);
    let error = bytes("[state]\nseen-memory = \"10kB\"\n").unwrap_err().to_string();
    assert!(error.contains("state.seen-memory") && error.contains("expected \"1MiB\" or more"), "{error}");
}

#[test]
fn the_schema_in_the_docs_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crawler.schema.json");
    let current = serde_json::to_string_pretty(&crate::config::schema()).unwrap() + "\n";
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if stored != current {
        let fresh = std::env::temp_dir().join("crawler.schema.json");
        std::fs::write(&fresh, current).unwrap();
        panic!("docs/crawler.schema.json is old: copy {} there", fresh.display());
    }
}

#[test]
fn the_schema_knows_the_short_forms_and_refuses_unknown_keys() {
    let schema = crate::config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Field"]["anyOf"][0]["type"], "string");
    assert_eq!(schema["$defs"]["Politeness"]["additionalProperties"], false);
    assert!(schema["$defs"]["Politeness"]["properties"]["delay"]["description"].is_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", set in "\\PC{0,20}") {
        let _ = loader(&text).set(set).load().map_err(|error| error.to_string());
    }

    #[test]
    fn no_toml_makes_it_panic(lines in proptest::collection::vec(
        ("(\\[\\[?)?(seeds|scope|hosts|politeness|extract|follow|fields|http|headers|sink|csv|path|delay|jitter|max-depth|url|\"a b\"|x)(\\.(fields|y|delay|columns|traps))?(\\]\\]?)?",
         "( = (1|-1|1.5|nan|true|\"\"|\"x\"|\"/a\"|\"demo:\"|\"http://a.example/\"|\"\\$\\{T\\}\"|\\[\\]|\\[1, \"x\", \\{\\}\\]|\\{ css = \"a\" \\}|1979-05-27))?"), 0..9)) {
        let text: String = lines.iter().map(|(key, value)| format!("{key}{value}\n")).collect();
        let _ = loader(&text).load().map_err(|error| error.to_string());
    }

    #[test]
    fn no_field_makes_it_panic(scope in "(scope|scope-xpath|scope-json|scope-feed|script)", keys in proptest::collection::vec(
        ("(css|xpath|json|script|json-ld|og|header|value|attr|clean|type|format|decimal-sign|fields|default|list)",
         "(true|1|\"\"|\"a\"|\"\\$\\[\"|\"//a\"|\"date\"|\"%d\"|\\[\\]|\\[\"a\", 1\\]|\\[\"trim\", \\{ take = 0 \\}, \\{\\}\\]|\\{ b = \\{ css = \"a\", json = \"a\" \\} \\})"), 0..5)) {
        let keys: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let text = format!("{DEMO}[[extract]]\n{scope} = \"a\"\n[extract.fields]\na = {{ {} }}\n", keys.join(", "));
        let _ = loader(&text).load().map_err(|error| error.to_string());
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let opened = format!("seeds = {}", "[".repeat(50_000));
    let dotted = format!("seeds{} = 1", ".a".repeat(50_000));
    let fields = format!("seeds = [\"demo:\"]\n[[extract]]\nfields = {}", "{ a = { fields = ".repeat(5_000));
    for text in [opened, dotted, fields] {
        assert!(loader(&text).load().is_err());
    }
}

#[test]
fn seeds_alone_mean_the_whole_site_with_its_sitemaps() {
    let reads = |more: &[&str]| {
        let seeds = Loader::new().seed("demo:");
        let loader = more.iter().fold(seeds, |loader, assignment| loader.set(*assignment));
        loader.load().unwrap().sitemaps.robots == RobotsSitemaps::Read
    };
    assert!(reads(&[]) && reads(&["politeness.delay=200ms"]));
    for more in ["sitemap.follow=off", "scope.max-depth=1", "scope.max-pages=5"] {
        assert!(!reads(&[more]), "{more}");
    }
}
