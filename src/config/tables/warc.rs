//! `[sink.warc]`: the archive of everything that is asked and answered.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::sink::SinkTable;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Size;
use crate::sink::warc::{DigestKind, Packing, Secrets, WarcOptions, packing_of};

/// Files smaller than this are no use to anybody.
const LEAST_SIZE: u64 = 64 << 10;
/// A file may not be longer than its position can say.
const MOST_SIZE: u64 = 1 << 39;

/// An archive of everything that is asked and answered, as WARC 1.1.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Warc")]
pub(in crate::config) struct WarcTable {
    /// A folder, relative to the current directory, which is made if need be; or one file, if the name ends in `.warc.gz` or `.warc`.
    path: Option<PathBuf>,
    /// How the names of files in a folder begin: `{prefix}-{time}-{number}.warc.gz`. Default: the name of the crawl.
    prefix: Option<String>,
    /// A file that has so many bytes is followed by the next one. Default "1GB".
    rotate_size: Option<Size>,
    /// Whether each record is a gzip member. Default true; a path that names a file says it with its ending.
    compress: Option<bool>,
    /// Whether robots.txt files are archived. Default true.
    robots: Option<bool>,
    /// `"remove"`: `[removed]` stands in the place of cookies, passwords and keys of requests; `"keep"`: they are archived. Default
    /// "remove".
    secrets: Option<SecretsChoice>,
    /// `"sha1"`, which all tools read, or `"sha256"`. Default "sha1".
    digest: Option<DigestChoice>,
}

/// What becomes of secrets in requests.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Secrets")]
enum SecretsChoice {
    /// `[removed]` stands in their place.
    Remove,
    /// They are archived.
    Keep,
}

/// How records are digested.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Digest")]
enum DigestChoice {
    /// What all tools read.
    Sha1,
    /// For archives that must stand up to forgery.
    Sha256,
}

impl SinkTable {
    /// The archive of the crawl `name`, if there is one.
    pub(in crate::config) fn archive(&self, name: &str, check: &mut Check<'_>) -> Option<WarcOptions> {
        let places = check.items(&Path::of(&["sink", "warc"]));
        if let [_, second, ..] = &places[..] {
            check.wrong(second, "one archive has everything: remove this one");
        }
        self.warc.first()?.build(name, places.first()?, check)
    }
}

impl WarcTable {
    fn build(&self, name: &str, top: &Path, check: &mut Check<'_>) -> Option<WarcOptions> {
        let Some(path) = self.path.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
            check.missing(
                &top.key("path"),
                "write the folder that the archive goes to, or a file such as \"a.warc.gz\"",
            );
            return None;
        };
        let defaults = WarcOptions::to(path);
        let prefix = self.prefix.as_deref().unwrap_or(name);
        let usable = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
        let is_name = !prefix.is_empty() && prefix.chars().all(usable);
        check.must(
            is_name || self.prefix.is_none(),
            &top.key("prefix"),
            "expected the beginning of a file name: letters, digits, `-`, `_` and `.`",
        );
        let rotate_size = self.rotate_size.map_or(defaults.rotate_size, |size| size.0);
        check.must(
            (LEAST_SIZE..=MOST_SIZE).contains(&rotate_size),
            &top.key("rotate-size"),
            "expected a size from \"64KiB\" to \"500GB\"",
        );
        Some(WarcOptions {
            prefix: prefix.replace(|letter| !usable(letter), "-"),
            rotate_size,
            packing: self.packing(path, &top.key("compress"), check),
            robots: self.robots.unwrap_or(defaults.robots),
            secrets: match self.secrets {
                Some(SecretsChoice::Keep) => Secrets::Kept,
                Some(SecretsChoice::Remove) | None => Secrets::Removed,
            },
            digest: match self.digest {
                Some(DigestChoice::Sha256) => DigestKind::Sha256,
                Some(DigestChoice::Sha1) | None => DigestKind::Sha1,
            },
            ..defaults
        })
    }

    fn packing(&self, path: &std::path::Path, place: &Path, check: &mut Check<'_>) -> Packing {
        let told = self.compress.map(|gzip| if gzip { Packing::Gzip } else { Packing::Plain });
        let named = packing_of(path);
        if let (Some(told), Some(named)) = (told, named) {
            check.must(
                told == named,
                place,
                "the ending of `path` says otherwise: `.warc.gz` is compressed, `.warc` is not",
            );
        }
        named.or(told).unwrap_or_default()
    }
}
