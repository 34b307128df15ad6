//! SQLite and Parquet as a user meets them: the demo site is crawled into them, and other programs read what is there.
//!
//! Python with `pyarrow` and `duckdb` is looked for in `target/outputs-venv`, where tests/run.sh puts it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crawl::demo::{self, DemoSite};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Books and authors; each test adds its seeds and sinks.
const CRAWLER: &str = r#"
state-dir = "state"
[politeness]
delay = "10ms"
jitter = 0
pace = "fixed"
[retry]
confirm-gone = "300ms"
[[follow]]
[[extract]]
fields = { title = "title", headings = { css = "h2", list = true } }
[[extract]]
kind = "author"
pages = ["/authors/*.html"]
fields = { name = { css = "h1", required = true } }
"#;

/// A folder with a crawler file, and the site that it crawls.
struct Desk {
    folder: TempDir,
    site: DemoSite,
    _runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new(sinks: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let site = runtime.block_on(DemoSite::start()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!("seeds = [\"{}\"]\n{CRAWLER}{sinks}", site.url());
        fs::write(folder.path().join("shop.toml"), text).unwrap();
        Self { folder, site, _runtime: runtime }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_crawl"))
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs `crawl` to its end, and tells its code and what it said.
    fn crawl(&self, args: &[&str]) -> (Option<i32>, String) {
        let ran = self.start(args).wait_with_output().unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    }

    /// Kills some runs and lets the last one end.
    #[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
    fn crawl_with_kills(&self, kills: usize) -> String {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..kills {
            let mut crawl = self.start(&["run", "shop.toml"]);
            std::thread::sleep(Duration::from_millis(rng.u64(300..1500)));
            crawl.kill().unwrap();
            crawl.wait().unwrap();
        }
        let (code, said) = self.crawl(&["run", "shop.toml"]);
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// What a Python program prints, as JSON; `None`, with a word, if Python or a package is not there.
    fn python(&self, needs: &str, script: &str) -> Option<Value> {
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/outputs-venv/bin/python");
        let python = if venv.exists() { venv } else { PathBuf::from("python3") };
        let has = Command::new(&python).args(["-c", &format!("import {needs}")]).output();
        if !has.is_ok_and(|ran| ran.status.success()) {
            eprintln!("skipped: there is no Python with {needs} here; tests/run.sh installs it");
            return None;
        }
        let ran =
            Command::new(&python).args(["-c", script]).current_dir(self.folder.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        Some(serde_json::from_slice(&ran.stdout).unwrap())
    }

    /// Pages that were answered with something to read, which the site map and robots.txt are not.
    fn pages(&self) -> usize {
        let log = self.site.log();
        let is_page = |path: &str| !path.ends_with(".xml") && !path.ends_with(".txt");
        let answered = log.iter().filter(|asked| asked.status == 200 && is_page(&asked.path));
        answered.map(|asked| &asked.path).collect::<std::collections::BTreeSet<_>>().len()
    }
}

#[test]
fn killed_again_and_again_a_database_has_every_item_once_and_python_reads_its_types() {
    let desk = Desk::new("[sink.sqlite]\npath = \"out/{name}.sqlite\"\nkey = [\"url\"]\nseen = true\n");
    let said = desk.crawl_with_kills(6);
    assert!(said.contains("out/shop.sqlite"), "{said}");
    let script = r#"
import json, sqlite3
c = sqlite3.connect("out/shop.sqlite")
one = lambda sql: c.execute(sql).fetchone()
print(json.dumps({
    "check": one("PRAGMA integrity_check")[0],
    "types": {r[1]: r[2] for r in c.execute("PRAGMA table_info(items)")},
    "rows": one("SELECT count(*), count(DISTINCT url) FROM items"),
    "authors": one("SELECT count(*), count(DISTINCT name), min(_round), min(typeof(_first_seen)) FROM author"),
    "lists": one("SELECT count(*) FROM items WHERE json_type(headings) = 'array'")[0],
    "undo": one("SELECT count(*) FROM _crawl_undo")[0],
}))"#;
    let Some(found) = desk.python("sqlite3", script) else { return };
    assert_eq!((&found["check"], &found["undo"]), (&json!("ok"), &json!(0)));
    assert_eq!(found["types"]["headings"], "JSON TEXT");
    assert_eq!(found["types"]["_last_changed"], "DATETIME TEXT");
    let pages = desk.pages();
    assert!(pages >= demo::pages());
    assert_eq!(found["rows"], json!([pages, pages]));
    assert_eq!(found["authors"], json!([10, 10, 1, "text"]));
    assert_eq!(found["lists"], pages);

    let (code, said) = desk.crawl(&["run", "shop.toml"]);
    assert_eq!(code, Some(0), "{said}");
    let again = desk.python("sqlite3", script).unwrap();
    assert_eq!(
        (&again["rows"], &again["authors"]),
        (&found["rows"], &found["authors"]),
        "a second round replaces"
    );

    for out in ["rows.jsonl", "copy.db"] {
        let (code, said) = desk.crawl(&["export", "out/shop.sqlite", out]);
        assert_eq!(code, Some(0), "{said}");
    }
    let lines = fs::read_to_string(desk.path("rows.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), pages + 10);
    assert!(lines.lines().any(|line| line.contains(r#""kind":"author""#)));
    let copied = "import json, sqlite3\nc = sqlite3.connect('copy.db')\n\
                  print(json.dumps([c.execute('SELECT count(*) FROM ' + t).fetchone()[0] for t in ['items', 'author']]))";
    assert_eq!(desk.python("sqlite3", copied), Some(json!([pages, 10])));
}

#[test]
fn without_a_key_every_item_is_there_once_too_and_fields_choose_the_columns() {
    let desk = Desk::new("");
    let sink = "sink.sqlite={ path = \"items.db\", fields = [\"url\", \"title\"], rename = { title = \"name of it\" } }";
    fs::write(
        desk.path("shop.toml"),
        fs::read_to_string(desk.path("shop.toml")).unwrap()
            + &format!("[sink]\n{}\n", &sink[5..].replacen('=', " = ", 1)),
    )
    .unwrap();
    desk.crawl_with_kills(4);
    let script = r#"
import json, sqlite3
c = sqlite3.connect("items.db")
print(json.dumps([[r[1] for r in c.execute("PRAGMA table_info(items)")], c.execute("SELECT count(*), count(DISTINCT url) FROM items").fetchone(), c.execute("SELECT count(*) FROM author").fetchone()[0]]))"#;
    let Some(found) = desk.python("sqlite3", script) else { return };
    let pages = desk.pages();
    assert_eq!(found, json!([["_id", "url", "name of it"], [pages, pages], 10]));
}

#[cfg(feature = "parquet")]
#[test]
fn killed_again_and_again_parquet_files_have_every_item_once_and_others_read_their_types() {
    let sinks = "[sink.parquet]\npath = \"out/{kind}.parquet\"\nrotate-items = 40\nseen = true\nrow-group = 15\n\
                 types = { first_seen = \"datetime\" }\n";
    let desk = Desk::new(&sinks.replace("types = { first_seen = \"datetime\" }\n", ""));
    desk.crawl_with_kills(6);
    let left: Vec<_> =
        fs::read_dir(desk.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".part")), "{left:?}");
    let script = r#"
import json, glob, pyarrow.parquet as pq, duckdb
files = sorted(glob.glob("out/item-*.parquet"))
schema = pq.read_schema(files[0])
db = duckdb.connect()
print(json.dumps({
    "files": len(files),
    "groups": [g for g in {pq.ParquetFile(f).metadata.row_group(0).num_rows for f in files}],
    "types": {n: str(schema.field(n).type) for n in schema.names},
    "codec": pq.ParquetFile(files[0]).metadata.row_group(0).column(0).compression,
    "rows": db.execute("SELECT count(*), count(DISTINCT url) FROM read_parquet('out/item-*.parquet', union_by_name = true)").fetchone(),
    "lists": db.execute("SELECT sum(len(headings)) > 10 FROM read_parquet('out/item-*.parquet', union_by_name = true)").fetchone()[0],
    "authors": db.execute("SELECT count(*), count(DISTINCT name), max(round) FROM 'out/author-*.parquet'").fetchone(),
}))"#;
    let Some(found) = desk.python("pyarrow, duckdb", script) else { return };
    let pages = desk.pages();
    assert_eq!(found["rows"], json!([pages, pages]));
    assert_eq!((&found["authors"], &found["lists"]), (&json!([10, 10, 1]), &json!(true)));
    assert_eq!((&found["codec"], &found["files"]), (&json!("ZSTD"), &json!(pages.div_ceil(40))));
    assert_eq!(found["types"]["title"], "string");
    assert_eq!(found["types"]["headings"], "list<element: string>");
    assert_eq!(found["types"]["round"], "int64");
    let (code, said) = desk.crawl(&["export", "out/author-0001.parquet", "authors.csv"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fs::read_to_string(desk.path("authors.csv")).unwrap().lines().count(), 11);
}

#[cfg(feature = "parquet")]
#[test]
fn declared_dates_and_moments_are_dates_and_moments_for_others() {
    let desk = Desk::new("");
    let lines = "{\"day\": \"2024-02-29\", \"at\": \"2024-02-29T12:00:00+01:00\", \"n\": 1, \"deep\": {\"a\": [1]}, \"ok\": true}\n\
                 {\"day\": null, \"n\": 2.5}\n{\"day\": \"soon\"}\n";
    fs::write(desk.path("in.jsonl"), lines).unwrap();
    let types = "types={ day = \"date\", at = \"datetime\" }";
    let (code, said) = desk.crawl(&["export", "in.jsonl", "out.parquet", "--set", types]);
    assert_eq!(code, Some(3), "what does not fit is counted: {said}");
    let script = r#"
import json, duckdb, pyarrow.parquet as pq
s = pq.read_schema("out.parquet")
print(json.dumps([[str(s.field(n).type) for n in s.names], duckdb.sql("SELECT day::text, epoch_ms(t.at), n, deep->>'$.a[0]', ok FROM 'out.parquet' t").fetchall()]))"#;
    let Some(found) = desk.python("pyarrow, duckdb", script) else { return };
    let types = ["date32[day]", "timestamp[ms, tz=UTC]", "double", "string", "bool"];
    assert_eq!(
        found,
        json!([
            types,
            [["2024-02-29", 1_709_204_400_000_u64, 1.0, "1", true], [null, null, 2.5, null, null]]
        ])
    );
}
