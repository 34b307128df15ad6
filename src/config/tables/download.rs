//! `[download]`: which files are downloaded, and where they go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::words::Words;
use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::{Size, Time};
use crate::engine::{Downloads, FileField, FileHosts};
use crate::scope::HostPattern;
use crate::spider::declarative::ExtractRule;
use crate::store::files::{FileRules, MediaRange, Naming};

/// Files and images that items link to. Without this table none is downloaded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Download")]
pub(in crate::config) struct DownloadTable {
    /// Fields of items whose values are URLs of files, one or a list of them; `"kind.field"` for items of one kind. A spider in code may
    /// ask for files itself, and then this may be left out.
    fields: Option<Vec<String>>,
    /// The folder, relative to the current directory, for the files and their `manifest.jsonl`. It belongs to one crawl.
    folder: Option<PathBuf>,
    /// Hosts that files may come from: `"crawl"`, those of the crawl; `"any"`; or a list of hosts beside those of the crawl.
    /// Default "crawl".
    #[serde(deserialize_with = "host_words")]
    hosts: Option<Words>,
    /// Larger files are cut off and reported, and nothing of them is kept. Default "50MB".
    max_size: Option<Size>,
    /// Most bytes of all files of a round; further ones are reported. Default: no limit.
    max_total: Option<Size>,
    /// Types of files, by `Content-Type`, such as "image/*" or "application/pdf"; others are reported. Default: all.
    types: Option<Vec<String>>,
    /// `"content"`: `ab/cd/<sha256>.<ending>`, the same content being one file; `"url"`: `host/path`. Default "content".
    names: Option<Names>,
    /// For the whole of one file, in the place of `total-timeout` in [http]. Default "1h".
    time: Option<Time>,
}

fn host_words<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Words>, D::Error> {
    Words::read(input, "\"crawl\", \"any\", or a list of hosts").map(Some)
}

/// How files are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "FileNames")]
enum Names {
    #[default]
    Content,
    Url,
}

impl From<Names> for Naming {
    fn from(names: Names) -> Self {
        match names {
            Names::Content => Self::Content,
            Names::Url => Self::Url,
        }
    }
}

impl DownloadTable {
    /// What is downloaded; `None` if nothing is.
    pub(in crate::config) fn build(
        self,
        extract: &[ExtractRule],
        spider: Option<&str>,
        check: &mut Check<'_>,
    ) -> Option<Downloads> {
        let top = Path::of(&["download"]);
        let given = ["fields", "folder", "hosts", "max-size", "max-total", "types", "names", "time"];
        if !given.iter().any(|key| check.is_given(&top.key(key))) {
            return None;
        }
        if self.fields.is_none() && spider.is_none() {
            check.missing(
                &top,
                "[download] needs `fields`: the names of the fields whose values are URLs of files",
            );
        }
        let fields = check.each(&top.key("fields"), &self.fields.unwrap_or_default(), FileField::parse);
        check_fields(&fields, extract, spider, check);
        let bytes = |size: Option<Size>| size.map(|size| size.0);
        for (key, size) in [("max-size", bytes(self.max_size)), ("max-total", bytes(self.max_total))] {
            check.must(
                size != Some(0),
                &top.key(key),
                "expected more than 0 bytes: without [download] nothing is downloaded",
            );
        }
        check.must(
            self.time.is_none_or(|time| !time.0.is_zero()),
            &top.key("time"),
            "expected more than 0 seconds",
        );
        let rules = FileRules {
            naming: self.names.unwrap_or_default().into(),
            max_size: bytes(self.max_size).unwrap_or_default(),
            max_total: bytes(self.max_total),
            types: check.each(&top.key("types"), &self.types.unwrap_or_default(), MediaRange::parse),
        };
        let hosts = hosts(self.hosts, &top.key("hosts"), check);
        let folder = self.folder.unwrap_or_default();
        check.must(!folder.as_os_str().is_empty(), &top.key("folder"), "expected the name of a folder");
        let time = self.time.unwrap_or_default().0;
        Some(Downloads { fields, hosts, rules, time, ..Downloads::into(folder) })
    }
}

/// A field that no rule takes would leave the folder empty without a word.
fn check_fields(fields: &[FileField], extract: &[ExtractRule], spider: Option<&str>, check: &mut Check<'_>) {
    if spider.is_some() {
        return;
    }
    let places = check.items(&Path::of(&["download", "fields"]));
    for (field, place) in fields.iter().zip(places) {
        let is_taken = |rule: &&ExtractRule| rule.fields.iter().any(|known| known.name == field.name());
        let kinds: Vec<_> = extract.iter().filter(is_taken).map(|rule| rule.kind.as_deref()).collect();
        if kinds.is_empty() {
            let name = field.name();
            check.wrong(
                &place,
                format!("no [[extract]] has a field `{name}`: add it there, or remove it here"),
            );
        } else if let Some(kind) = field.kind().filter(|kind| !kinds.contains(&Some(*kind))) {
            let name = field.name();
            check.wrong(&place, format!("no [[extract]] of the kind `{kind}` has a field `{name}`: write {name:?} for items of every kind"));
        }
    }
}

fn hosts(words: Option<Words>, place: &Path, check: &mut Check<'_>) -> FileHosts {
    let words = words.map(|words| words.0).unwrap_or_default();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["any"] => return FileHosts::Any,
        [] | ["crawl"] => return FileHosts::default(),
        _ => {}
    }
    let read = |word: &str| match word {
        "any" | "crawl" => {
            Err(format!("{word:?} stands alone; a list is of hosts beside those of the crawl"))
        }
        word => HostPattern::parse(word),
    };
    FileHosts::Crawl { and: check.each(place, &words, read) }
}
