//! Files as part of a crawl: which are wanted, how an answer becomes a file, and the manifest.
//!
//! A file is a request like any other: it enters by the front door, waits for its host's robots.txt and pace, is retried and survives
//! a crash. Its answer goes to the disk and not to a spider, and it counts as no page. Its URL belongs to the crawl by a rule of its
//! own, for images often lie on other hosts than pages.
//!
//! A file gets its name, its line in the manifest and its place among what is done in one step; see [`crate::store::files`].

mod fetch;
mod manifest;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub(super) use manifest::{FileLine, FileLog};

use super::CrawlError;
use super::worker::Context;
use crate::fetch::{Fetcher, Limits};
use crate::item::Item;
use crate::request::{Kind, Request};
use crate::scope::{HostPattern, OutOfScope, Scope};
use crate::sink::Position;
use crate::store::RunRecord;
use crate::store::files::{Arrived, FileError, FileRules, Files};
use crate::url::{Canon, Fingerprint};

/// Which files are downloaded, and where they go.
#[derive(Debug, Clone)]
pub struct Downloads {
    /// The folder: files, and `manifest.jsonl`.
    pub folder: PathBuf,
    /// Sizes, types and names.
    pub rules: FileRules,
    /// Fields of items that hold URLs of files.
    pub fields: Vec<FileField>,
    /// Hosts that files may come from.
    pub hosts: FileHosts,
    /// For the whole of one file. Default 1 h; the least speed and the longest pause between two pieces hold as for pages.
    pub time: Duration,
}

impl Downloads {
    /// All files that spiders ask for, from the hosts of the crawl, into this folder.
    #[must_use]
    pub fn into(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            rules: FileRules::default(),
            fields: Vec::new(),
            hosts: FileHosts::default(),
            time: Duration::from_hours(1),
        }
    }
}

/// Hosts that files may come from. `include`, `exclude` and depth are about pages, and are not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileHosts {
    /// Those of the crawl, and these.
    Crawl {
        /// Further ones.
        and: Vec<HostPattern>,
    },
    /// All hosts of the web that may be contacted.
    Any,
}

impl Default for FileHosts {
    fn default() -> Self {
        Self::Crawl { and: Vec::new() }
    }
}

impl FileHosts {
    /// The hosts as patterns.
    pub(super) fn patterns(&self, scope: &Scope) -> Vec<HostPattern> {
        match self {
            Self::Crawl { and } if !scope.hosts.is_empty() => {
                scope.hosts.iter().chain(and).cloned().collect()
            }
            _ => vec![HostPattern::parse("*").expect("it stands for every host")],
        }
    }
}

/// A field of items, all of them or those of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileField {
    kind: Option<String>,
    name: String,
}

impl FileField {
    /// Reads `field` or `kind.field`.
    ///
    /// # Errors
    /// In words, if a name is empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('.') {
            Some((kind, name)) => (Some(kind.to_owned()), name),
            None => (None, text),
        };
        if name.is_empty() || kind.as_deref() == Some("") {
            return Err(format!(
                "{text:?} names no field: write \"image\", or \"book.image\" for items of the kind \"book\""
            ));
        }
        Ok(Self { kind, name: name.to_owned() })
    }

    /// The kind of its items, if it is of one kind.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The name of the field.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the field of an item holds, if it is one of these items.
    fn of<'i>(&self, item: &'i Item) -> &'i [Value] {
        let speaks = self.kind.is_none() || self.kind == item.kind;
        match item.fields.get(&self.name).filter(|_| speaks) {
            Some(Value::Array(all)) => all,
            Some(Value::Null) | None => &[],
            Some(one) => std::slice::from_ref(one),
        }
    }
}

/// Why a file is not asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWanted {
    #[error(transparent)]
    Scope(#[from] OutOfScope),
    #[error("its host is neither one of the crawl nor of `hosts` in [download]")]
    Host,
    #[error("{NO_FOLDER}")]
    NoFolder,
}

const NO_FOLDER: &str =
    "the crawl has no folder for files: give it one with [download] or `Builder::downloads`";

/// What came of a request for a file.
pub(super) enum FileDone {
    Arrived(Box<Arrived>),
    Unwanted(String),
    /// The disk could not be written: the end of the run.
    Failed(FileError),
}

/// What all workers share of files.
pub(super) struct Desk {
    hosts: Vec<HostPattern>,
    fields: Vec<FileField>,
    time: Duration,
    files: Arc<Files>,
    digest: u64,
}

impl Desk {
    /// Takes the folder, if files are wanted, and opens the manifest where the round was.
    pub(super) fn open(
        downloads: Option<Downloads>,
        scope: &Scope,
        run: &RunRecord,
        committed: &[(String, Position)],
    ) -> Result<Option<(Self, FileLog)>, CrawlError> {
        let Some(Downloads { folder, rules, fields, hosts, time }) = downloads else { return Ok(None) };
        let digest = Fingerprint::of(format!("files {rules:?}").as_bytes()).get();
        let spent = run.totals.get("download-bytes").copied().unwrap_or(0);
        let files = Arc::new(Files::open(&folder, rules, spent)?);
        let log = FileLog::open(Arc::clone(&files), committed)?;
        Ok(Some((Self { hosts: hosts.patterns(scope), fields, time, files, digest }, log)))
    }

    pub(super) fn files(&self) -> Arc<Files> {
        Arc::clone(&self.files)
    }

    pub(super) fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// The limits of one exchange.
    fn limits(&self, limits: Limits) -> Limits {
        // One byte more tells a file that is too large from one that just fits.
        Limits { body: self.files.rules().max_size.saturating_add(1), total: self.time, ..limits }
    }

    /// Adds the files that items link to. What is wanted as a file is not asked for as a page too.
    fn add_wanted(
        &self,
        items: &[Item],
        canon: &Canon,
        requests: &mut Vec<Request>,
        problems: &mut Vec<String>,
    ) {
        let (mut urls, mut wanted) = (HashSet::new(), Vec::new());
        for (field, item) in items.iter().flat_map(|item| self.fields.iter().map(move |field| (field, item)))
        {
            for value in field.of(item) {
                match value.as_str().map(|text| canon.join(item.url.as_url(), text)) {
                    Some(Ok(url)) if urls.insert(url.clone()) => wanted.push(Request::download(url)),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        problems.push(format!("field `{}` holds no URL of a file: {error}", field.name));
                    }
                    None => {
                        problems.push(format!("field `{}` holds no URL of a file, but {value}", field.name));
                    }
                }
            }
        }
        requests.retain(|request| request.kind != Kind::Page || !urls.contains(&request.url));
        requests.splice(0..0, wanted);
    }
}

impl<F: Fetcher> Context<F> {
    /// Whether a request belongs to the crawl.
    pub(super) fn judge(&self, request: &Request) -> Result<(), NotWanted> {
        match (request.kind, &self.files) {
            (Kind::Download, None) => Err(NotWanted::NoFolder),
            (Kind::Download, Some(desk)) if desk.hosts.iter().any(|host| host.matches(&request.url)) => {
                Ok(())
            }
            (Kind::Download, Some(_)) => Err(NotWanted::Host),
            _ => Ok(self.scope.judge(request)?),
        }
    }

    /// Adds the files that items link to.
    pub(super) fn add_files(&self, items: &[Item], requests: &mut Vec<Request>, problems: &mut Vec<String>) {
        match &self.files {
            Some(desk) if !desk.fields.is_empty() => desk.add_wanted(items, &self.canon, requests, problems),
            None if requests.iter().any(|request| request.kind == Kind::Download) => {
                problems.push(NO_FOLDER.to_owned());
            }
            _ => {}
        }
    }

    /// What a request for a file leaves with beyond that for a page, and its limits.
    pub(super) fn for_file(&self, request: &mut Request) -> Limits {
        let Some(desk) = &self.files else { return self.limits };
        let taken = ["accept", "accept-encoding", "range", "if-range"];
        request.headers.retain(|(name, _)| !taken.iter().any(|taken| name.eq_ignore_ascii_case(taken)));
        request.headers.push(("accept".to_owned(), desk.files.rules().accept()));
        // Only of bytes as they are a part can be asked for.
        request.headers.push(("accept-encoding".to_owned(), "identity".to_owned()));
        desk.limits(self.limits)
    }

    /// Digest of the rules by which an answer is read.
    pub(super) fn rules_for(&self, kind: Kind) -> u64 {
        match (&self.files, kind) {
            (Some(desk), Kind::Download) => desk.digest,
            _ => self.sitemaps.digest(self.rules, kind),
        }
    }

    /// A file that is not asked for any more, because the round has as much as it may.
    pub(super) fn is_too_much(&self, request: &Request) -> Option<String> {
        let desk = self.files.as_ref().filter(|_| request.kind == Kind::Download)?;
        desk.files.is_full().then(|| "the files of the round have reached `max-total`".to_owned())
    }
}
