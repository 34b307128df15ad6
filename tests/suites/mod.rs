//! Cases that others wrote. They lie beside the repository; where they are not there, their tests skip with a word.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The folder of all suites.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/suites")
}

/// A file of a suite; none where it is not at hand.
pub fn octets(path: &str) -> Option<Vec<u8>> {
    let path = folder().join(path);
    std::fs::read(&path).inspect_err(|_| eprintln!("skipped: {} is not there", path.display())).ok()
}

/// The cases in a file of a suite; none where it is not at hand.
pub fn cases<T: DeserializeOwned>(path: &str) -> Option<T> {
    octets(path).map(|json| serde_json::from_slice(&json).expect("a suite is JSON"))
}
