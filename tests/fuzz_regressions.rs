//! What the fuzzer tests, without the fuzzer: its properties (`tests/fuzz/properties`) on every input that is kept, on pieces of
//! them put together at random, and on any bytes.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "fuzz/properties/mod.rs"]
mod properties;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use properties::{ALL, Property};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The inputs of a target: those that were written by hand, and those that once broke something.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = ["seeds", "regressions"].map(|kind| folder().join(kind).join(target));
    let files = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The words of a target's dictionary, as libFuzzer writes them: a line each, in quotes, with `\xNN`.
fn words(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder().join(format!("dictionaries/{target}.dict"))).unwrap_or_default();
    text.lines().map(|line| unescaped(line.trim_matches('"'))).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    bytes
}

fn holds(property: Property, input: &[u8]) -> Result<(), TestCaseError> {
    let run = catch_unwind(AssertUnwindSafe(|| property(input)));
    run.map_err(|_| TestCaseError::fail(format!("does not hold for {}", input.escape_ascii())))
}

/// Inputs made of words, pieces of seeds, and single bytes.
fn made_up(property: Property, pieces: &[Vec<u8>], cases: u32) {
    let piece = prop_oneof![
        4 => any::<Index>().prop_map(|index| pieces[index.index(pieces.len())].clone()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    let input = prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&input, |input| holds(property, &input)).unwrap();
}

#[test]
fn every_input_that_is_kept_holds() {
    for (target, property) in ALL {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target} has no seeds");
        for (path, input) in inputs {
            assert!(holds(property, &input).is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_seed_may_end_anywhere() {
    for (target, property) in ALL {
        for (path, input) in inputs(target) {
            let step = (input.len() / 40).max(1);
            for end in (0..input.len()).step_by(step) {
                assert!(holds(property, &input[..end]).is_ok(), "{} cut at {end}", path.display());
            }
        }
    }
}

#[test]
fn pieces_of_seeds_in_any_order_hold() {
    for (target, property) in ALL {
        let seeds = inputs(target).into_iter().flat_map(|(_, seed)| {
            let lines: Vec<Vec<u8>> =
                seed.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            lines
        });
        let pieces: Vec<Vec<u8>> = words(target).into_iter().chain(seeds).collect();
        made_up(property, &pieces, 150);
    }
}

#[test]
fn every_target_is_built_by_the_fuzzer() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for (target, _) in ALL {
        assert!(
            manifest.contains(&format!("path = \"targets/{target}.rs\"")),
            "{target} is not in the manifest"
        );
        let source = fs::read_to_string(folder().join(format!("targets/{target}.rs"))).unwrap();
        assert!(
            source.contains(&format!("properties::{target}::check(")),
            "targets/{target}.rs runs something else"
        );
    }
}
