//! A PostgreSQL server of our own, in a folder and on a socket in it: what is in the tables after kills, lost connections and
//! restarts. Skips with a word where PostgreSQL is not installed.
#![cfg(all(unix, feature = "postgres"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "postgres/server.rs"]
mod server;
mod tables;

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crawl::demo::{self, DemoSite};
use crawl::item::{Item, Seen};
use crawl::sink::postgres::PostgresOptions;
use crawl::sink::table::column::{ColumnType, Declared};
use crawl::sink::table::{Earlier, TableOptions};
use crawl::sink::{Position, Round, Sink, SinkError};
use crawl::time::Timestamp;
use serde_json::{Value, json};
use server::{NOBODY, Server, pause};
use tables::{item, keyed, killed_in_a_round};

/// What the tests do with a server.
impl Server {
    fn sink(&self, tables: TableOptions, round: u32) -> impl Sink + use<> {
        let mut options = PostgresOptions::to(&self.url()).unwrap();
        options.tables = tables;
        let mut sink = options.sink();
        let started = Timestamp::from_secs(u64::from(round));
        sink.begin(&Round { number: round, started, now: started, committed: None, notes: &[] }).unwrap();
        sink
    }

    /// Writes items in one run of this round and flushes once.
    fn write(&self, tables: &TableOptions, round: u32, items: &[Item]) -> Position {
        tables::write(self.sink(tables.clone(), round), items)
    }

    /// All rows of a table as JSON, in the order of `_id`, without nulls.
    fn rows(&self, table: &str) -> Vec<Value> {
        let mut client = self.client();
        let sql = format!("SELECT jsonb_strip_nulls(to_jsonb(t))::text FROM {table} t ORDER BY _id");
        let rows = client.query(&sql, &[]).unwrap_or_default();
        rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
    }

    fn column(&self, table: &str, column: &str) -> Vec<Value> {
        self.rows(table).iter().map(|row| row[column].clone()).collect()
    }
}

#[test]
fn types_tables_and_names_are_those_of_the_items() {
    let Some(server) = Server::start() else { return };
    let types = vec![
        Declared::field("day", ColumnType::Date),
        Declared::field("at", ColumnType::DateTime),
        Declared::field("price", ColumnType::Decimal),
    ];
    let tables = TableOptions { types, seen: true, ..TableOptions::default() };
    let fields = json!({
        "day": "2024-02-29", "at": "2024-02-29T12:00:00+01:00", "price": 5, "stock": 3, "new": true, "tags": ["a\0", {"b": null}],
        "a\"; DROP TABLE items; --": "x\0y", "Title": 1, "title": 2, "_id": "own", "": "nameless"
    });
    let seen =
        Some(Seen { first_seen: Timestamp::from_secs(1), last_changed: Timestamp::from_secs(2), round: 3 });
    server.write(&tables, 1, &[Item { seen, ..item(Some("Book's"), fields) }, item(None, json!({}))]);
    let row = server.rows("\"Book's\"").remove(0);
    assert_eq!(
        (&row["day"], &row["price"], &row["stock"], &row["new"]),
        (&json!("2024-02-29"), &json!(5), &json!(3), &json!(true))
    );
    assert_eq!(row["tags"], json!(["a\u{fffd}", {}]), "nulls were stripped by this test");
    assert_eq!(row["a\"; DROP TABLE items; --"], "x\u{fffd}y");
    assert_eq!((&row["Title"], &row["_id"], &row["_round"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!(row.as_object().unwrap().len(), 16, "{row}");
    assert_eq!(server.rows("items").len(), 1, "an item without fields is a row too");
    let sql = "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'Book''s'";
    let types: String = server.client().query_one(sql, &[]).unwrap().get(0);
    assert!(
        types.starts_with("bigint,date,timestamp with time zone,double precision,bigint,boolean,jsonb,text"),
        "{types}"
    );
    let mut sink = server.sink(tables, 1);
    sink.rewind(Position(0)).unwrap();
    assert!(matches!(sink.write(&item(None, json!({"day": "0000-01-01"}))), Err(SinkError::Item { .. })));
}

#[test]
fn a_column_widens_with_what_is_found() {
    let Some(server) = Server::start() else { return };
    let tables = TableOptions { earlier: Earlier::Kept, ..TableOptions::default() };
    for (round, value) in [json!(1), json!(2.5), json!("007"), json!([1])].into_iter().enumerate() {
        server.write(&tables, u32::try_from(round).unwrap() + 1, &[item(None, json!({"a": value}))]);
    }
    assert_eq!(server.column("items", "a"), ["1", "2.5", "007", "[1]"]);
    server.write(&tables, 9, &[item(None, json!({"n": 1})), item(None, json!({"n": {"x": 1}}))]);
    assert_eq!(server.column("items", "n")[4..], [json!(1), json!({"x": 1})]);
}

#[test]
fn an_item_with_the_key_of_another_takes_its_place_and_is_taken_back_with_its_step() {
    let Some(server) = Server::start() else { return };
    let tables = keyed(&["upc", "shop"]);
    let book = |upc: &str, price: u32| {
        item(None, json!({"upc": upc, "shop": 1, "price": price, "more": {"x": [1.5]}}))
    };
    let first = server.write(&tables, 1, &[book("a", 1), book("b", 2), book("a", 3)]);
    assert_eq!(server.column("items", "price"), [3, 2]);
    let before = server.rows("items");
    let mut sink = server.sink(tables.clone(), 1);
    sink.rewind(first).unwrap();
    sink.write(&book("b", 4)).unwrap();
    sink.write(&book("c", 5)).unwrap();
    sink.write(&item(None, json!({"upc": "b", "shop": 1, "new": 6}))).unwrap();
    sink.flush().unwrap();
    assert_eq!(server.column("items", "price"), [3, 4, 5]);
    assert_eq!(server.column("items", "new")[1], 6);
    drop(sink);
    server.sink(tables.clone(), 1).rewind(first).unwrap();
    assert_eq!(server.rows("items"), before);
    server.write(&tables, 2, &[book("b", 7)]);
    assert_eq!(server.column("items", "price"), [3, 7], "rows of earlier rounds stay");
}

#[test]
fn killed_at_any_moment_the_tables_are_what_the_state_knows() {
    let Some(server) = Server::start() else { return };
    let kept = TableOptions {
        table: "kept".to_owned(),
        crawl: "kept".to_owned(),
        earlier: Earlier::Kept,
        ..TableOptions::default()
    };
    let emptied =
        TableOptions { table: "emptied".to_owned(), crawl: "emptied".to_owned(), ..TableOptions::default() };
    for (seed, tables) in [keyed(&["k"]), kept, emptied].into_iter().enumerate() {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        for round in 1..3 {
            let begin = || server.sink(tables.clone(), round);
            killed_in_a_round(50, &mut rng, begin, || server.rows(&tables.table), any_item);
        }
        assert!(server.rows(&tables.table).len() > 3);
    }
}

fn any_item(rng: &mut fastrand::Rng) -> Item {
    let (k, value) = (rng.u8(..6), json!({"deep": [rng.u8(..)]}));
    item(None, if rng.bool() { json!({"k": k, "v": value}) } else { json!({"k": k, "w": rng.u8(..)}) })
}

#[test]
fn a_connection_that_is_lost_is_made_anew_and_a_server_that_is_gone_loses_nothing() {
    let Some(mut server) = Server::start() else { return };
    let tables = keyed(&["k"]);
    let mut sink = server.sink(tables.clone(), 1);
    sink.rewind(Position(0)).unwrap();
    sink.write(&item(None, json!({"k": 1}))).unwrap();
    let killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crawl'";
    assert_eq!(server.client().query(killed, &[]).unwrap().len(), 1);
    let committed = sink.flush().unwrap();
    assert_eq!(server.column("items", "k"), [1]);

    server.stop();
    sink.write(&item(None, json!({"k": 2}))).unwrap();
    let error = sink.flush().unwrap_err();
    assert!(matches!(error, SinkError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    drop(sink);
    server.run();
    let mut sink = server.sink(tables, 1);
    sink.rewind(committed).unwrap();
    sink.write(&item(None, json!({"k": 2}))).unwrap();
    sink.flush().unwrap();
    assert_eq!(server.column("items", "k"), [1, 2]);
}

#[test]
fn encrypted_it_is_only_with_a_server_whose_certificate_is_trusted() {
    let Some(mut server) = Server::start() else { return };
    let made = |args: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(server.data()).stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        command.args(new).args(args).output().is_ok_and(|made| made.status.success())
    };
    let leaf = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    let is_made = made(&["-subj", "/CN=test", "-keyout", "ca.key", "-out", "ca.crt"])
        && made(
            &[
                &[
                    "-CA",
                    "ca.crt",
                    "-CAkey",
                    "ca.key",
                    "-subj",
                    "/CN=localhost",
                    "-keyout",
                    "server.key",
                    "-out",
                    "server.crt",
                ],
                &leaf[..],
            ]
            .concat(),
        );
    if !is_made {
        eprintln!("skipped: openssl 3 is not there");
        return;
    }
    server.stop();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!("\nssl = on\nport = {port}\n");
    let path = server.data().join("postgresql.auto.conf");
    std::fs::write(&path, settings).unwrap();
    let mut command = server.program("postgres");
    let socket = format!("unix_socket_directories={}", server.folder.path().display());
    command.arg("-D").arg(server.data()).args(["-c", &socket, "-c", "listen_addresses=127.0.0.1"]);
    server.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let certificate = server.data().join("ca.crt");
    let write = |url: &str| {
        let mut sink = PostgresOptions::to(url).unwrap().sink();
        sink.rewind(Position(0))?;
        sink.write(&item(None, json!({"a": 1})))?;
        sink.flush()
    };
    let base = format!("postgres://crawl@localhost:{port}/postgres?sslmode=verify-full");
    let trusted = format!("{base}&sslrootcert={}", certificate.display());
    let answered = (0..200).any(|_| {
        write(&trusted).is_ok() || {
            pause(50);
            false
        }
    });
    assert!(answered, "{:?}", write(&trusted));
    let error = write(&base).unwrap_err().to_string();
    assert!(error.contains("certificate") || error.contains("TLS"), "{error}");
}

/// The command, killed again and again.
#[test]
fn a_crawl_of_the_command_ends_with_every_item_once_and_never_tells_the_password() {
    let Some(server) = Server::start() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = runtime.block_on(DemoSite::start()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, format!("seeds = [\"{}\"]\n{CRAWL}", site.url())).unwrap();
    let mut said = String::new();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_crawl"))
            .arg("run")
            .arg(&file)
            .current_dir(folder.path())
            .env("SHOP_DATABASE", server.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..6 {
        let mut crawl = start();
        pause(rng.u64(300..1500));
        crawl.kill().unwrap();
        said += &text_of(crawl);
    }
    let last = start().wait_with_output().unwrap();
    said += &String::from_utf8_lossy(&last.stderr);
    assert_eq!(last.status.code(), Some(0), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let rows = server.rows("page");
    let mut urls: Vec<_> = rows.iter().map(|row| row["url"].as_str().unwrap()).collect();
    let all = urls.len();
    urls.sort_unstable();
    urls.dedup();
    assert!(all >= demo::pages() && urls.len() == all, "{all} rows, {} of them different", urls.len());
    let state = Command::new("grep").args(["-r", "-l", "s3cret"]).arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&state.stdout), "", "the password is in the state");
}

const CRAWL: &str = r#"
[politeness]
delay = "10ms"
jitter = 0
pace = "fixed"

[retry]
confirm-gone = "300ms"

[[follow]]

[[extract]]
kind = "page"
fields = { title = "title" }

[sink.postgres]
url = "${SHOP_DATABASE}"
types = { title = "text" }
"#;

fn text_of(mut crawl: Child) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    let _ = crawl.stderr.take().unwrap().read_to_string(&mut text);
    crawl.wait().unwrap();
    text
}
