//! What may stand in the tree of dependencies, as far as Cargo.lock tells it. `.deny.toml` says more, for `cargo deny`.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::Table;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn toml(path: &str) -> Table {
    read(path).parse().unwrap()
}

/// Name, version and source of every package of the lock file.
fn locked() -> Vec<(String, [u64; 3], Option<String>)> {
    let lock = toml("Cargo.lock");
    let packages = lock["package"].as_array().unwrap().iter().map(|package| {
        let text = |key: &str| package.get(key).map(|value| value.as_str().unwrap().to_owned());
        (text("name").unwrap(), numbers(&text("version").unwrap()), text("source"))
    });
    packages.collect()
}

/// `0.4.16` as numbers; what stands behind them (`-rc.1`, `+v1`) does not count.
fn numbers(version: &str) -> [u64; 3] {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = plain.split('.').map(|part| part.parse().unwrap());
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

#[test]
fn what_a_server_could_make_use_of_is_not_locked() {
    // Below these are faults in what reads from the network, or writes what was read to a terminal.
    let floors =
        [("h2", "0.4.16"), ("rustls", "0.23.46"), ("reqwest", "0.13.4"), ("tracing-subscriber", "0.3.20")];
    let locked = locked();
    for (name, floor) in floors {
        let mut found = locked.iter().filter(|(locked, ..)| locked == name).peekable();
        assert!(found.peek().is_some(), "{name} is not there any more: take it off this list");
        for (_, version, _) in found {
            assert!(*version >= numbers(floor), "{name} {version:?} is older than {floor}");
        }
        assert!(read(".deny.toml").contains(&format!("\"{name}:<{floor}\"")), "{name} in .deny.toml");
    }
}

#[test]
fn there_is_one_way_to_tls_and_it_is_not_that_of_the_system() {
    let foreign = ["openssl", "openssl-sys", "native-tls", "boring", "aws-lc-sys"];
    let names: BTreeSet<String> = locked().into_iter().map(|(name, ..)| name).collect();
    for name in foreign {
        assert!(!names.contains(name), "{name} is in the tree");
    }
}

#[test]
fn everything_comes_from_the_registry() {
    for (name, _, source) in locked() {
        let source = source.unwrap_or_else(|| "here".to_owned());
        let is_known = source == "registry+https://github.com/rust-lang/crates.io-index";
        assert!(is_known || ["crawl", "crawl-derive"].contains(&name.as_str()), "{name} comes from {source}");
    }
}

#[test]
fn no_code_of_this_project_is_unsafe() {
    for manifest in ["Cargo.toml", "src/derive/Cargo.toml"] {
        let lints = toml(manifest)["lints"]["rust"].clone();
        assert_eq!(lints["unsafe_code"].as_str(), Some("forbid"), "{manifest}");
    }
}

/// A second version of a crate costs time to build and hides which one is patched: each has a reason.
#[test]
fn a_second_version_of_a_crate_has_a_reason() {
    let deny = toml(".deny.toml");
    let skipped = deny["bans"]["skip"].as_array().unwrap();
    let skipped: BTreeSet<&str> =
        skipped.iter().map(|entry| entry["crate"].as_str().unwrap().split(':').next().unwrap()).collect();
    assert!(skipped.len() <= 20, "{} crates are there twice", skipped.len());
    assert!(deny["bans"]["skip"].as_array().unwrap().iter().all(|entry| entry.get("reason").is_some()));
    let locked = locked();
    for name in skipped {
        let versions = locked.iter().filter(|(locked, ..)| locked == name).count();
        assert!(versions > 1, "{name} is there once only: take it off the list");
    }
}
