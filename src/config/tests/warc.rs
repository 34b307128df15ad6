//! `[sink.warc]`.

use std::path::Path;

use insta::assert_snapshot;

use super::loader;
use crate::config::Plan;
use crate::sink::warc::{DigestKind, Packing, Secrets, WarcOptions};

fn plan(sink: &str) -> Plan {
    loader(&format!("seeds = [\"demo:\"]\n{sink}")).load().unwrap()
}

#[test]
fn an_archive_alone_takes_the_place_of_the_standard_output() {
    let plan = plan("[sink.warc]\npath = \"kept\"\n");
    assert_eq!(plan.archive, Some(WarcOptions { prefix: "a".to_owned(), ..WarcOptions::to("kept") }));
    assert!(plan.sinks.is_empty());
}

#[test]
fn every_key_of_an_archive_counts() {
    let keys = "path = \"kept\"\nprefix = \"p\"\nrotate-size = \"1MB\"\ncompress = false\nrobots = false\n\
                secrets = \"keep\"\ndigest = \"sha256\"\n";
    let options = WarcOptions {
        path: "kept".into(),
        prefix: "p".to_owned(),
        rotate_size: 1_000_000,
        packing: Packing::Plain,
        robots: false,
        secrets: Secrets::Kept,
        digest: DigestKind::Sha256,
    };
    assert_eq!(plan(&format!("[sink.warc]\n{keys}[sink.csv]\npath = \"x\"\n")).archive, Some(options));
}

#[test]
fn out_takes_an_archive_by_its_ending() {
    for (name, packing) in [("x/a.warc.gz", Packing::Gzip), ("a.warc", Packing::Plain)] {
        let plan = loader("seeds = [\"demo:\"]\n[sink.csv]\npath = \"x\"\n").out(name).load().unwrap();
        let archive = plan.archive.unwrap();
        assert_eq!((archive.path.as_path(), archive.packing), (Path::new(name), packing));
        assert!(plan.sinks.is_empty());
    }
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    let text = r#"seeds = ["demo:"]
[[sink.warc]]
prefix = "a/b"
rotate-size = "1kB"
path = "a.warc"
compress = true
[[sink.warc]]
path = "b"
"#;
    assert_snapshot!(loader(text).load().unwrap_err().to_string(), @r#"
    error: `sink.warc[0].prefix`: expected the beginning of a file name: letters, digits, `-`, `_` and `.`
     --> a.toml:3:10
      |
    3 | prefix = "a/b"
      |          ^^^^^

    error: `sink.warc[0].rotate-size`: expected a size from "64KiB" to "500GB"
     --> a.toml:4:15
      |
    4 | rotate-size = "1kB"
      |               ^^^^^

    error: `sink.warc[0].compress`: the ending of `path` says otherwise: `.warc.gz` is compressed, `.warc` is not
     --> a.toml:6:12
      |
    6 | compress = true
      |            ^^^^

    error: `sink.warc[1]`: one archive has everything: remove this one
     --> a.toml:7:1
      |
    7 | [[sink.warc]]
      | ^^^^^^^^^^^^^

    4 problems; nothing was started
    "#);
}

#[test]
fn an_archive_without_a_path_is_told() {
    let text = "seeds = [\"demo:\"]\n[sink.warc]\n";
    assert_snapshot!(loader(text).load().unwrap_err().to_string(), @r#"
    error: `sink.warc.path`: write the folder that the archive goes to, or a file such as "a.warc.gz"
     --> a.toml:2:7
      |
    2 | [sink.warc]
      |       ^^^^

    1 problem; nothing was started
    "#);
}
