//! Outputs as a user meets them: the demo site is crawled into files, which other programs read.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Books and authors of the demo site; each test adds its sinks.
const CRAWLER: &str = r#"
seeds = ["demo:", "demo:/books/1007", "demo:/books/1042", "demo:/authors/"]
state-dir = "state"
[politeness]
delay = "5ms"
jitter = 0
pace = "fixed"
[scope]
max-depth = 2
max-pages = 40
[[extract]]
kind = "book"
scope = "article.book"
fields = { title = { css = "h1.title", required = true }, price = ".price" }
[[extract]]
kind = "author"
pages = ["/authors/*"]
fields = { name = { css = "h1", required = true } }
"#;

struct Desk(TempDir);

impl Desk {
    fn new(sinks: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.path("shop.toml"), format!("{CRAWLER}{sinks}")).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `crawl` and tells its code, its standard output and what it said.
    fn crawl(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(args).current_dir(self.0.path()).env_remove("RUST_LOG").stdin(Stdio::null());
        let ran = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ran.status.code().unwrap(), text(ran.stdout), text(ran.stderr))
    }

    /// Runs the crawler file until its page limit.
    fn run(&self, more: &[&str]) -> String {
        let (code, out, said) = self.crawl(&[&["run", "shop.toml"], more].concat());
        assert_eq!(code, 3, "{said}");
        out
    }

    /// The finished files below a folder, by name.
    fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    /// What a program prints; `None` if it is not on this machine.
    fn other(&self, program: &str, args: &[&str]) -> Option<String> {
        let Ok(ran) = Command::new(program).args(args).current_dir(self.0.path()).output() else {
            eprintln!("skipped: there is no {program} here");
            return None;
        };
        assert!(ran.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        Some(String::from_utf8(ran.stdout).unwrap())
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn several_sinks_of_one_kind_get_what_each_has_chosen() {
    let desk = Desk::new(
        r#"
[[sink.jsonl]]
path = "out/{name}-books.jsonl"
kinds = ["book"]
fields = ["price", "title", "url"]
rename = { title = "name" }
where = { title = "e" }
[[sink.jsonl]]
path = "out/all.jsonl"
[sink.csv]
path = "out/authors.csv"
kinds = ["author"]
separator = ";"
quote = "all"
bom = true
"#,
    );
    desk.run(&[]);
    let all = lines(&desk.text("out/all.jsonl"));
    let books = lines(&desk.text("out/shop-books.jsonl"));
    assert!(!books.is_empty());
    for book in &books {
        let keys: Vec<_> = book.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["price", "name", "url"]);
        assert!(book["url"].as_str().unwrap().contains("/catalogue/"));
    }
    let fits = |item: &&Value| item["kind"] == "book" && item["title"].as_str().unwrap().contains('e');
    assert_eq!(books.len(), all.iter().filter(fits).count());
    let authors = desk.text("out/authors.csv");
    assert!(authors.starts_with("\u{feff}\"name\"\n"), "{authors}");
    assert_eq!(authors.lines().count() - 1, all.iter().filter(|item| item["kind"] == "author").count());
}

#[test]
fn files_by_kind_and_a_json_list_hold_every_item() {
    let desk = Desk::new("[sink.csv]\npath = \"out/{kind}.csv\"\n[sink.json]\npath = \"out.json\"\n");
    desk.run(&[]);
    assert_eq!(desk.files("out"), ["author.csv", "book.csv"]);
    assert!(desk.text("out/author.csv").starts_with("name\n"));
    assert!(desk.text("out/book.csv").starts_with("title,price\n"));
    let list: Vec<Value> = serde_json::from_str(&desk.text("out.json")).unwrap();
    let count = |kind: &str| list.iter().filter(|item| item["kind"] == kind).count();
    for kind in ["author", "book"] {
        let rows = ::csv::Reader::from_path(desk.path(&format!("out/{kind}.csv"))).unwrap().records().count();
        assert_eq!(rows, count(kind), "{kind}");
    }
    let script = "import json; print(len(json.load(open('out.json'))))";
    if let Some(said) = desk.other("python3", &["-c", script]) {
        assert_eq!(said.trim(), list.len().to_string());
    }
}

#[test]
fn parts_are_closed_compressed_and_read_by_others() {
    let desk = Desk::new(
        "[[sink.jsonl]]\npath = \"out/items-{part}.jsonl.gz\"\nrotate-items = 10\n\
         [[sink.jsonl]]\npath = \"plain.jsonl\"\n",
    );
    desk.run(&[]);
    let plain = lines(&desk.text("plain.jsonl")).len();
    let files = desk.files("out");
    assert_eq!(files.len(), plain.div_ceil(10), "{files:?}");
    assert!(files.iter().all(|name| name.ends_with(".jsonl.gz")), "{files:?}");
    for name in &files {
        desk.other("gzip", &["-t", &format!("out/{name}")]);
    }
    let (code, _, said) =
        desk.crawl(&["export", "out/items-0001.jsonl.gz", "first.csv", "--fields", "kind,title"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(::csv::Reader::from_path(desk.path("first.csv")).unwrap().records().count(), 10);
}

#[test]
fn an_interrupted_crawl_goes_on_in_its_compressed_file() {
    // The address of the site is another one each time.
    let fields = "fields = [\"kind\", \"title\", \"price\", \"name\"]\n";
    let desk = Desk::new(&format!("[sink.json]\npath = \"items.json.zst\"\n{fields}"));
    desk.run(&["--limit", "9"]);
    assert!(!desk.path("items.json.part").exists());
    desk.run(&["--limit", "20"]);
    let whole = Desk::new(&format!("[sink.json]\npath = \"items.json\"\n{fields}"));
    whole.run(&["--limit", "20"]);
    let (code, out, said) = desk.crawl(&["export", "items.json.zst", "-", "--to", "jsonl"]);
    assert_eq!(code, 0, "{said}");
    let expected: Vec<Value> = serde_json::from_str(&whole.text("items.json")).unwrap();
    let (mut found, mut expected) = (lines(&out), expected);
    for list in [&mut found, &mut expected] {
        list.sort_by_key(Value::to_string);
    }
    assert_eq!(found, expected);
}

#[test]
fn what_is_there_stays_if_the_file_says_so() {
    let desk = Desk::new("[sink.jsonl]\npath = \"items.jsonl\"\nexists = \"fail\"\n");
    fs::write(desk.path("items.jsonl"), "{\"mine\":1}").unwrap();
    for _again in 0..2 {
        let (code, _, said) = desk.crawl(&["run", "shop.toml", "--limit", "3"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("`items.jsonl` is there already: move it away"), "{said}");
        assert_eq!(desk.text("items.jsonl"), "{\"mine\":1}");
    }
    let append = ["--set", "sink.jsonl.exists=append", "--limit", "5"];
    desk.run(&append);
    let items = lines(&desk.text("items.jsonl"));
    assert_eq!(items[0], json!({"mine": 1}));
    assert!(items.len() > 1 && items[1]["kind"].is_string());
}

#[test]
fn out_is_written_by_its_ending_and_may_be_given_several_times() {
    let desk = Desk::new("[sink.csv]\npath = \"unused.csv\"\n");
    let outs = ["a.jsonl", "a.tsv", "a.json.gz", "b.ndjson"];
    let flags: Vec<_> = outs.iter().flat_map(|out| ["--out", out]).collect();
    desk.run(&[&["--limit", "9"], &flags[..]].concat());
    assert!(!desk.path("unused.csv").exists());
    assert_eq!(desk.text("a.jsonl"), desk.text("b.ndjson"));
    assert_eq!(desk.text("a.tsv").lines().next(), Some("title\tprice\tname"));
    let (code, out, said) = desk.crawl(&["export", "a.json.gz", "-"]);
    assert_eq!((code, out), (0, desk.text("a.jsonl")), "{said}");
    let list = desk.run(&["--limit", "12", "--fresh", "--out", "-", "--set", "sink.jsonl.fields=title"]);
    assert!(lines(&list).iter().all(|item| item.as_object().unwrap().len() <= 1));
}

#[test]
fn cells_are_read_by_the_csv_of_python_as_they_were() {
    let desk = Desk::new("");
    let item =
        json!({"a": "x,\"y\"\r\nz", "b": "=1+1", "c": [1, {"d": null}], "e": -2.5, "f": null, "g": "ä🐴;\t"});
    fs::write(desk.path("in.jsonl"), format!("{item}\n")).unwrap();
    for (set, delimiter) in [("separator=,", ","), ("separator=;", ";"), ("separator=\"\\t\"", "\\t")] {
        let (code, _, said) = desk.crawl(&["export", "in.jsonl", "out.csv", "--force", "--set", set]);
        assert_eq!(code, 0, "{said}");
        let script = format!(
            "import csv,json; print(json.dumps(list(csv.reader(open('out.csv',newline='',encoding='utf-8'),delimiter='{delimiter}'))))"
        );
        let Some(said) = desk.other("python3", &["-c", &script]) else { return };
        let rows: Value = serde_json::from_str(&said).unwrap();
        let cells = ["x,\"y\"\r\nz", "'=1+1", "[1,{\"d\":null}]", "-2.5", "", "ä🐴;\t"];
        assert_eq!(rows, json!([["a", "b", "c", "e", "f", "g"], cells]));
    }
    fs::remove_file(desk.path("in.jsonl")).unwrap();
    let (code, out, said) =
        desk.crawl(&["export", "out.csv", "-", "--separator", "\t", "--types", "--to", "jsonl"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(lines(&out), [item]);
}

#[test]
fn an_export_says_what_is_wrong_with_its_input_and_keeps_the_output() {
    let desk = Desk::new("");
    fs::write(desk.path("good.jsonl"), "{\"a\":1}\n\n{\"a\":2}\n").unwrap();
    fs::write(desk.path("bad.jsonl"), "{\"a\":1}\n\n{\"a\": tru}\n").unwrap();
    fs::write(desk.path("bad.csv"), "a,b\n1,2\n3\n").unwrap();
    fs::write(desk.path("bad.json"), "[{\"a\":1},\n{\"a\":2},\n3]").unwrap();
    fs::write(desk.path("what.txt"), "").unwrap();
    let says = |args: &[&str], code: i32, text: &str| {
        let (ended, _, said) = desk.crawl(args);
        assert_eq!(ended, code, "{args:?}: {said}");
        assert!(said.contains(text), "{args:?}: {said}");
    };
    says(&["export", "good.jsonl", "out.csv"], 0, "2 items from 1 file to out.csv (CSV)");
    says(&["export", "good.jsonl", "out.csv"], 2, "`out.csv` is there already");
    says(&["export", "bad.jsonl", "out.csv", "--force"], 2, "`bad.jsonl`, line 3: ");
    says(&["export", "bad.csv", "out.csv", "--force"], 2, "`bad.csv`, line 3: 1 cells under 2 columns");
    says(&["export", "bad.json", "out.csv", "--force"], 2, "`bad.json`, line 3: expected an object, found 3");
    assert_eq!(desk.text("out.csv"), "a\n1\n2\n", "a conversion that failed changes nothing");
    says(&["export", "out.csv", "out.csv", "--force"], 2, "is read and written");
    says(&["export", "good.jsonl", "what.xyz"], 2, "say what it shall be with --to");
    says(&["export", "what.txt", "a.csv"], 2, "say what it is with --from (jsonl, json, csv)");
    says(&["export", "good.jsonl", "a.csv", "--set", "seperator=;"], 2, "did you mean `separator`?");
    says(&["export", "missing.jsonl", "a.csv"], 1, "cannot use `missing.jsonl`");
    says(&["export", "good.jsonl", "bad.csv", "b.json", "--from", "jsonl"], 2, "`bad.csv`, line 1");
}

#[test]
fn mistakes_in_sinks_are_told_with_their_places() {
    let desk = Desk::new(
        r#"
[[sink.jsonl]]
path = "a.jsonl"
kinds = ["boook"]
[[sink.jsonl]]
path = "./a.jsonl"
where = { titel = "(" }
[sink.csv]
path = "{month}.csv"
rotate-items = 0
separator = "ab"
compres = "gzip"
"#,
    );
    let (code, _, said) = desk.crawl(&["check", "shop.toml"]);
    assert_eq!(code, 2, "{said}");
    for text in [
        "`sink.jsonl[0].kinds[0]`: no [[extract]] gives items of the kind \"boook\"",
        "did you mean \"book\"?",
        "`sink.jsonl[1].path`: [sink.jsonl[0]] writes to this file: give each its own",
        "`sink.jsonl[1].where.titel`: no [[extract]] has a field \"titel\"",
        "`sink.csv.path`: {month} stands for nothing",
        "`sink.csv.rotate-items`: expected more than 0",
        "`sink.csv.separator`: expected one ASCII character",
        "did you mean `compress`?",
        "--> shop.toml:27:",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    let stdout = Desk::new("[sink.jsonl]\npath = \"-\"\nrotate-size = \"1MB\"\n");
    let (code, _, said) = stdout.crawl(&["check", "shop.toml"]);
    assert_eq!(code, 2);
    assert!(said.contains("the standard output is one plain stream"), "{said}");
    assert!(Path::new(&desk.path("shop.toml")).exists());
}
