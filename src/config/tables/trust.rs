//! `[[net.trust]]`: authorities and pins of single hosts.
//!
//! The file that `ca` names is read here, so that what is wrong with it is told before anything is asked.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path as FilePath, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::fetch::trust::Trust;
use crate::scope::HostPattern;

/// More than all authorities of the world together have.
const MOST_BYTES: u64 = 4 << 20;

/// Whom to believe about some hosts, over the roots of the machine that hold for all; may be given several times.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Trust")]
pub(in crate::config) struct TrustTable {
    /// The hosts: names, `*.name` for a name and everything below it, or addresses.
    hosts: Vec<String>,
    /// A PEM file, relative to the current directory: its certificates are roots for these hosts and no other, beside those of the
    /// machine. A certificate that signed itself is its own authority.
    ca: Option<PathBuf>,
    /// One certificate of a good chain must have one of these keys: "sha256/" and the SHA-256 of its SubjectPublicKeyInfo in
    /// base64 (RFC 7469 2.4).
    pins: Vec<String>,
}

pub(super) fn build(tables: &[TrustTable], check: &mut Check<'_>) -> Vec<Trust> {
    let places = check.items(&Path::of(&["net", "trust"]));
    tables.iter().zip(places).map(|(table, place)| table.build(&place, check)).collect()
}

impl TrustTable {
    fn build(&self, place: &Path, check: &mut Check<'_>) -> Trust {
        if self.hosts.is_empty() {
            check.missing(&place.key("hosts"), "for which hosts? write hosts = [\"intranet.example\"]");
        }
        if self.ca.is_none() && self.pins.is_empty() && !check.has_unknown_key(place) {
            check.missing(
                &place.key("ca"),
                "nothing to trust: write ca = \"authority.pem\", or pins = [\"sha256/…\"], or both",
            );
        }
        let trust = Trust::new(check.each(&place.key("hosts"), &self.hosts, host));
        let mut trust = match &self.ca {
            Some(file) => check.taken(&place.key("ca"), with_authorities(&trust, file)).unwrap_or(trust),
            None => trust,
        };
        check.each(&place.key("pins"), &self.pins, |pin| trust.clone().pin(pin).map(|pinned| trust = pinned));
        trust
    }
}

fn host(text: &str) -> Result<HostPattern, String> {
    let pattern = HostPattern::parse(text)?;
    match pattern.port() {
        Some(port) => Err(format!("leave `:{port}` out: a certificate is that of a name, on every port")),
        None => Ok(pattern),
    }
}

fn with_authorities(trust: &Trust, file: &FilePath) -> Result<Trust, String> {
    let name = file.display();
    let pem = read(file).map_err(|error| {
        format!("the file `{name}` cannot be read: {error} (its path is relative to the current directory)")
    })?;
    trust.clone().authorities(&pem).map_err(|error| format!("the file `{name}`: {error}"))
}

/// Of an ordinary file, so that none is waited for.
fn read(path: &FilePath) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if read as u64 > MOST_BYTES {
        return Err(io::Error::other("it has more than 4 MiB"));
    }
    Ok(bytes)
}
