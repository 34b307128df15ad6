//! kill -9 with every kind of output at once, at the start, in the middle and at the end of two rounds: afterwards each output
//! says what that of an undisturbed run says, and what the site has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "warc/archive.rs"]
#[expect(dead_code, reason = "shared with a test that needs more of it")]
mod archive;
#[cfg(all(unix, feature = "postgres"))]
#[path = "postgres/server.rs"]
#[expect(dead_code, reason = "shared with a test that needs more of it")]
mod server;
#[expect(dead_code, reason = "shared with a test that needs more of it")]
mod toscrape;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json};
use toscrape::{Site, books, sorted};

/// Ten of the fifty lists: 200 books on 210 pages.
const BOOKS: usize = 200;
const PAGES: usize = 210;
const KILLS_A_ROUND: usize = 10;
/// Outputs that are watched: who kills at the moment when one of them is written, kills between outputs and state.
const WATCHED: [&str; 4] = ["out/books.jsonl", "out/book.csv", "out/rows.sqlite", "out/keyed.sqlite-wal"];

const CRAWLER: &str = r##"
state-dir = "state"
[scope]
exclude = ['re:/page-(1[1-9]|[2-5]\d)\.html']
[politeness]
delay = "2ms"
jitter = 0
pace = "fixed"

[[extract]]
label = "book"
kind = "book"
scope = "article.product_page"
[extract.fields]
title = { css = "h1", required = true }
price = { css = ".product_main .price_color", type = "decimal" }
stock = { css = ".product_main .availability", type = "integer" }
upc = { xpath = ".//th[.='UPC']/following-sibling::td" }
description = "#product_description ~ p"
facts = { css = "tr", list = true, fields = { name = "th", value = "td" } }
url = { url = true }

[[extract]]
kind = "list"
scope = "section"
fields = { titles = { css = "h3 a", list = true }, place = ".current" }

[[follow]]
css = "article.product_pod h3"
label = "book"
[[follow]]
css = "li.next"

[[sink.jsonl]]
path = "out/all-{part}.jsonl.gz"
rotate-items = 23
[[sink.jsonl]]
path = "out/books.jsonl"
kinds = ["book"]
[sink.json]
path = "out/all.json.zst"
finish = "rename"
[sink.csv]
path = "out/{kind}.csv"
[[sink.sqlite]]
path = "out/keyed.sqlite"
kinds = ["book"]
key = ["upc"]
[[sink.sqlite]]
path = "out/rows.sqlite"
[sink.warc]
path = "archive"
rotate-size = "64KiB"
"##;

#[cfg(feature = "parquet")]
const PARQUET: &str = "[sink.parquet]\npath = \"out/{kind}.parquet\"\nrotate-items = 60\nrow-group = 25\n";
#[cfg(not(feature = "parquet"))]
const PARQUET: &str = "";

/// A folder with a crawler file, and the site that it crawls.
struct Desk {
    folder: tempfile::TempDir,
    site: Site,
    database: Option<String>,
}

impl Desk {
    fn new(database: Option<String>) -> Self {
        let (folder, site) = (tempfile::tempdir().unwrap(), Site::start(books::pages(0)));
        let mut text = format!("seeds = [\"{}/\"]\n{CRAWLER}{PARQUET}", site.origin());
        if database.is_some() {
            text += "[sink.postgres]\nurl = \"${SHOP}\"\nkey = [\"upc\"]\nkinds = [\"book\"]\n";
        }
        fs::write(folder.path().join("shop.toml"), text).unwrap();
        Self { folder, site, database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, command: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_crawl"))
            .args([command, "shop.toml", "--quiet"])
            .current_dir(self.folder.path())
            .env("SHOP", self.database.as_deref().unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("said")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Lets a run end, and tells its exit code.
    fn end(&self, command: &str) -> i32 {
        let mut crawl = self.start(command);
        assert!(waited(|| crawl.try_wait().unwrap().is_some(), 60), "it does not end");
        crawl.wait().unwrap().code().unwrap()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("said")).unwrap()
    }

    /// A round with kills from its first moment to its last.
    fn round_with_kills(&self, round: usize, rng: &mut fastrand::Rng) {
        let before = self.site.answered();
        let mut killed = 0;
        for kill in 0..KILLS_A_ROUND {
            // A round that has begun is gone on with; `run` would begin another one behind its end.
            let mut crawl = self.start(if self.site.answered() > before { "resume" } else { "run" });
            let answers = before + PAGES * kill.min(KILLS_A_ROUND - 2) / (KILLS_A_ROUND - 2);
            let mut over = || crawl.try_wait().unwrap().is_some();
            waited(|| over() || self.site.answered() >= answers, 30);
            match (kill + round) % 2 {
                0 => pause(rng.u64(0..if kill == 0 { 150 } else { 60 })),
                _ => self.wait_for_a_write(WATCHED[kill / 2 % WATCHED.len()], over),
            }
            killed += usize::from(crawl.try_wait().unwrap().is_none());
            crawl.kill().unwrap();
            crawl.wait().unwrap();
        }
        assert!(killed > KILLS_A_ROUND / 2, "it was over after {killed} kills");
        let begun = self.site.answered() > before;
        let code = self.end(if begun { "resume" } else { "run" });
        // The last kill may have come when the round was complete and only its process was not.
        let complete = code == 2 && self.said().contains("nothing to resume");
        assert!(begun && (code == 0 || complete), "exit code {code}: {}", self.said());
    }

    /// Returns at the moment when a file is written, or after a second.
    #[expect(clippy::disallowed_methods, reason = "another process is watched in real time")]
    fn wait_for_a_write(&self, name: &str, mut over: impl FnMut() -> bool) {
        let seen = || {
            let found = fs::metadata(self.path(name)).ok()?;
            Some((found.len(), found.modified().unwrap()))
        };
        let (before, begun) = (seen(), Instant::now());
        while seen() == before && begun.elapsed() < Duration::from_secs(1) && !over() {}
    }

    /// What each output says, without the address of the site.
    fn outputs(&self) -> BTreeMap<&'static str, Vec<Value>> {
        let mut outputs = BTreeMap::from([
            ("jsonl.gz", self.packed_lines()),
            ("jsonl", lines(&fs::read_to_string(self.path("out/books.jsonl")).unwrap())),
            ("json", self.list()),
            ("csv, books", self.table("out/book.csv")),
            ("csv, lists", self.table("out/list.csv")),
            ("sqlite with key", self.rows("out/keyed.sqlite", "book")),
            ("sqlite, books", self.rows("out/rows.sqlite", "book")),
            ("sqlite, lists", self.rows("out/rows.sqlite", "list")),
            ("warc", self.archived()),
            ("files", self.files("out").into_iter().map(Value::from).collect()),
        ]);
        if cfg!(feature = "parquet") {
            outputs.insert("parquet", self.exported("parquet"));
        }
        #[cfg(all(unix, feature = "postgres"))]
        if let Some(url) = &self.database {
            let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
            let rows = client.query("SELECT (to_jsonb(t) - '_id')::text FROM book t", &[]).unwrap();
            outputs.insert(
                "postgres",
                rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect(),
            );
        }
        let origin = self.site.origin();
        let anywhere = |value: &Value| serde_json::from_str(&value.to_string().replace(&origin, "")).unwrap();
        for output in outputs.values_mut() {
            *output = sorted(output.iter().map(anywhere).collect());
        }
        outputs
    }

    /// The names of a folder's files. Those that begin with a dot are the crawler's own.
    fn files(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    fn packed_lines(&self) -> Vec<Value> {
        let parts = self.files("out").into_iter().filter(|name| name.ends_with(".jsonl.gz"));
        let read = |name: String| {
            let (mut text, file) = (String::new(), fs::File::open(self.path("out").join(name)).unwrap());
            MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
            lines(&text)
        };
        parts.flat_map(read).collect()
    }

    fn list(&self) -> Vec<Value> {
        let packed = fs::read(self.path("out/all.json.zst")).unwrap();
        serde_json::from_slice(&zstd::decode_all(&packed[..]).unwrap()).unwrap()
    }

    fn table(&self, name: &str) -> Vec<Value> {
        let mut reader = csv::Reader::from_path(self.path(name)).unwrap();
        let records = reader.deserialize::<BTreeMap<String, String>>();
        records.map(|record| json!(record.unwrap())).collect()
    }

    fn rows(&self, name: &str, table: &str) -> Vec<Value> {
        let database = rusqlite::Connection::open(self.path(name)).unwrap();
        let one = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(one("PRAGMA integrity_check"), "ok");
        assert_eq!(one("SELECT count(*) || '' FROM _crawl_undo"), "0", "{name}");
        let mut query = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let names: Vec<_> = query.column_names().map(str::to_owned).collect();
        let cell = |row: &rusqlite::Row<'_>, at: usize| match row.get_unwrap(at) {
            rusqlite::types::Value::Null => Value::Null,
            rusqlite::types::Value::Integer(number) => number.into(),
            rusqlite::types::Value::Real(number) => number.into(),
            rusqlite::types::Value::Text(text) => text.into(),
            rusqlite::types::Value::Blob(_) => panic!("no item has bytes"),
        };
        let row = |row: &rusqlite::Row<'_>| {
            let cells = names.iter().enumerate().map(|(at, name)| (name.clone(), cell(row, at)));
            Ok(Value::Object(cells.filter(|(name, _)| name != "_id").collect::<Map<_, _>>()))
        };
        query.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    fn exported(&self, ending: &str) -> Vec<Value> {
        let files: Vec<_> = self.files("out").into_iter().filter(|name| name.ends_with(ending)).collect();
        let mut export = Command::new(env!("CARGO_BIN_EXE_crawl"));
        let ran = export.arg("export").args(&files).args(["-", "--to", "jsonl"]);
        let ran = ran.current_dir(self.path("out")).output().unwrap();
        assert!(ran.status.success(), "{files:?}: {}", String::from_utf8_lossy(&ran.stderr));
        lines(&String::from_utf8(ran.stdout).unwrap())
    }

    /// Kind, address, status and digest of every record that has an address.
    fn archived(&self) -> Vec<Value> {
        let files = self.files("archive");
        assert!(files.iter().all(|name| name.ends_with(".warc.gz")), "{files:?}");
        let entries = archive::entries(&self.path("archive"));
        let told = entries.iter().filter(|entry| entry.kind() != "warcinfo").map(|entry| {
            let status = if entry.kind() == "request" { "" } else { entry.status() };
            json!([entry.kind(), entry.field("WARC-Target-URI"), status, entry.body().len()])
        });
        told.collect()
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("every line is whole")).collect()
}

#[expect(clippy::disallowed_methods, reason = "the moment of a kill is real time")]
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Whether something came to be in time.
#[expect(clippy::disallowed_methods, reason = "another process is waited for in real time")]
fn waited(mut done: impl FnMut() -> bool, seconds: u64) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        if done() {
            return true;
        }
        pause(2);
    }
    false
}

/// The addresses of two databases of one server.
#[cfg(all(unix, feature = "postgres"))]
fn databases(server: Option<&server::Server>) -> [Option<String>; 2] {
    let Some(server) = server else { return [None, None] };
    ["calm", "stormy"].map(|name| {
        server.client().batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        Some(server.url().replace("/postgres", &format!("/{name}")))
    })
}

fn assert_same(found: &BTreeMap<&str, Vec<Value>>, wanted: &BTreeMap<&str, Vec<Value>>, round: usize) {
    for (name, wanted) in wanted {
        let found = &found[name];
        let odd = found.iter().zip(wanted).find(|(found, wanted)| found != wanted);
        assert!(odd.is_none(), "round {round}, {name}: {odd:?}");
        assert_eq!(found.len(), wanted.len(), "round {round}, {name}");
    }
}

#[test]
fn killed_at_any_moment_of_two_rounds_every_output_is_that_of_an_undisturbed_run() {
    #[cfg(all(unix, feature = "postgres"))]
    let server = server::Server::start();
    #[cfg(all(unix, feature = "postgres"))]
    let [calm, stormy] = databases(server.as_ref());
    #[cfg(not(all(unix, feature = "postgres")))]
    let [calm, stormy] = [None, None];
    let (calm, stormy) = (Desk::new(calm), Desk::new(stormy));
    let mut rng = fastrand::Rng::with_seed(12);
    for round in 0..2 {
        [&calm, &stormy].iter().for_each(|desk| desk.site.change(books::pages(round)));
        assert_eq!(calm.end("run"), 0, "{}", calm.said());
        stormy.round_with_kills(round, &mut rng);
        let (found, wanted) = (stormy.outputs(), calm.outputs());
        assert_same(&found, &wanted, round);
        for output in ["jsonl", "csv, books", "sqlite with key", "sqlite, books"] {
            assert_eq!(found[output].len(), BOOKS, "{output}");
        }
        let names = ["title", "price", "stock", "upc", "description", "url"];
        let told = |items: &[Value]| {
            let facts = items.iter().map(|item| names.map(|name| item[name].clone()));
            sorted(facts.map(Value::from_iter).collect())
        };
        assert_eq!(told(&found["jsonl"]), told(&books::items("", round, BOOKS)));
        assert_eq!(told(&found["sqlite with key"]), told(&found["jsonl"]), "the second round replaces");
    }
}
