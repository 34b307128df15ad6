//! Files as part of a crawl: which are wanted, how an answer becomes a file, and the manifest.
//!
//! A file is a request like any other: it enters by the front door, waits for its host's robots.txt and pace, is retried and survives
//! a crash. Its answer goes to the disk and not to a spider, and it counts as no page. Its URL belongs to the crawl by a rule of its
//! own, for images often lie on other hosts than pages.
//!
//! A file gets its name, its line in the manifest and its place among what is done in one step; see [`crate::store::files`].

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use super::recall::{Memo, Recalled};
use super::worker::{Context, Execution, PageDone, Yield, panic_text};
use super::writer::{Change, WriteError};
use crate::fetch::{Fetcher, Landing, Limits, Purpose};
use crate::item::{Harvest, Item};
use crate::politeness::{Class, Outcome};
use crate::request::{Kind, Request};
use crate::response::{Response, Truncation};
use crate::scope::{HostPattern, OutOfScope, Scope};
use crate::sink::jsonl::{JsonlOptions, JsonlSink};
use crate::sink::{Position, Sink, SinkError};
use crate::store::cache::{CacheEntry, Packed};
use crate::store::files::{Arrived, Downloaded, FileError, FileRules, Files, Landed, Saved};
use crate::time::Timestamp;
use crate::url::{Canon, CanonicalUrl, Fingerprint};

/// What the manifest's position is stored under, wherever the folder lies.
const NAME: &str = "file-manifest";

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
    /// Takes the folder; `spent` bytes of the round are in it.
    pub(super) fn open(downloads: Downloads, scope: &Scope, spent: u64) -> Result<Self, FileError> {
        let Downloads { folder, rules, fields, hosts, time } = downloads;
        let digest = Fingerprint::of(format!("files {rules:?}").as_bytes()).get();
        let files = Arc::new(Files::open(&folder, rules, spent)?);
        Ok(Self { hosts: hosts.patterns(scope), fields, time, files, digest })
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
                        problems.push(format!("field `{}` holds no URL of a file: {error}", field.name))
                    }
                    None => {
                        problems.push(format!("field `{}` holds no URL of a file, but {value}", field.name))
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

    /// Fetches a file.
    pub(super) async fn file(self: &Arc<Self>, request: Request) -> PageDone {
        let began = self.clock.now();
        let Some(desk) = &self.files else {
            return PageDone::without_file(FileDone::Unwanted(NO_FOLDER.to_owned()), began);
        };
        let recalled = self.recall(&request);
        let kept = recalled.entry.as_ref().and_then(saved_in);
        let (files, key, url) = (desk.files(), request.fingerprint(), request.url.clone());
        let intake = self.aside(move || files.intake(key, &url, kept)).await;
        let landing = match intake {
            Some(Ok(intake)) => Landing::new(intake),
            Some(Err(error)) => return PageDone::without_file(FileDone::Failed(error), began),
            None => return PageDone::lost(began, self.clock.now_up()),
        };
        let mut outgoing = self.outgoing(request.clone());
        outgoing.headers.extend(landing.conditions());
        (outgoing.purpose, outgoing.landing) = (Purpose::File, Some(landing.clone()));
        match self.fetcher.fetch(outgoing).await {
            Ok(response) => self.file_answered(request, response, recalled, landing).await,
            Err(error) => PageDone {
                detail: Some(error.to_string()),
                ..PageDone::of(Outcome::failed(error.kind, began, self.clock.now_up()))
            },
        }
    }

    async fn file_answered(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        recalled: Recalled,
        landing: Landing,
    ) -> PageDone {
        let outcome = Outcome::of(&response);
        let mut done = PageDone { bytes: response.wire_bytes, ..PageDone::of(outcome) };
        match outcome.class {
            Class::Fetched | Class::Truncated(_) => {
                self.file_came(request, response, recalled, landing, &mut done).await;
            }
            Class::NotModified => self.file_stayed(request, &response, recalled, &landing, &mut done).await,
            Class::Redirected => {
                self.redirected(&request, &response, &mut done);
                if done.harvest.links.is_empty() && done.dead_end.is_none() {
                    let to = done.location.as_deref().unwrap_or_default();
                    done.file =
                        Some(FileDone::Unwanted(format!("it redirects to {to}: {}", NotWanted::Host)));
                }
            }
            // Nothing lies behind what is there, so that it is of another file.
            Class::Gone if response.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                landing.forget();
                done.begin_again("status 416 for the rest of a part");
            }
            Class::Gone => {
                done.cache = recalled.forget();
                done.refusal = Some(response.headers);
            }
            _ => {
                if landing.has_begun() {
                    landing.forget();
                }
                done.refusal = Some(response.headers);
            }
        }
        done
    }

    async fn file_came(
        self: &Arc<Self>,
        request: Request,
        response: Response,
        recalled: Recalled,
        landing: Landing,
        done: &mut PageDone,
    ) {
        let response = Arc::new(response);
        let landed = {
            let response = Arc::clone(&response);
            self.aside(move || {
                if !landing.has_begun() {
                    landing.take(&response);
                }
                landing.land(response.truncated)
            })
            .await
        };
        match landed {
            Some(Ok(Landed::Whole(arrived))) => {
                done.cache = self.file_memo(&request, &response, &recalled, &arrived.saved);
                done.outcome.class = Class::Fetched;
                self.file_is_here(request, arrived, done).await;
            }
            Some(Ok(Landed::Unwanted(why))) => {
                done.outcome.class = Class::Fetched;
                done.cache = recalled.forget();
                done.file = Some(FileDone::Unwanted(why));
            }
            Some(Ok(Landed::Cut)) => {
                if done.outcome.class == Class::Fetched {
                    done.outcome.class =
                        Class::Truncated(response.truncated.unwrap_or(Truncation::Disconnect));
                    done.detail = Some("the answer is not the file, or not all of it".to_owned());
                }
            }
            Some(Err(error)) => done.file = Some(FileDone::Failed(error)),
            None => done.outcome.class = Class::Truncated(Truncation::Disconnect),
        }
    }

    async fn file_stayed(
        self: &Arc<Self>,
        request: Request,
        response: &Response,
        recalled: Recalled,
        landing: &Landing,
        done: &mut PageDone,
    ) {
        let Some(arrived) = landing.unchanged(response) else {
            if let Some(memo) = recalled.forget() {
                memo.write(&*self.cache);
            }
            landing.forget();
            done.begin_again("status 304 for a file that is not there");
            return;
        };
        let is_of_it = recalled
            .entry
            .as_ref()
            .and_then(saved_in)
            .is_some_and(|saved| saved.sha256 == arrived.saved.sha256);
        done.cache = if is_of_it { self.renewed(&request, response, recalled) } else { recalled.forget() };
        self.file_is_here(request, Box::new(arrived), done).await;
    }

    /// What the cache is told of a file: a part that was continued is as good as a whole.
    fn file_memo(
        &self,
        request: &Request,
        response: &Response,
        recalled: &Recalled,
        saved: &Saved,
    ) -> Option<Memo> {
        let whole = Response { status: StatusCode::OK, truncated: None, ..response.clone() };
        let digest = Fingerprint::of(saved.sha256.as_bytes()).get();
        let kept = self.keepable(request, &whole, recalled, digest).and_then(|(place, mut entry)| {
            entry.harvest = Packed::of(&[], &[(None, serde_json::to_string(saved).ok()?)])?;
            Some(Memo::Keep(place, Box::new(entry)))
        });
        kept.or_else(|| recalled.forget())
    }

    /// Tells the spider.
    async fn file_is_here(self: &Arc<Self>, request: Request, arrived: Box<Arrived>, done: &mut PageDone) {
        let context = Arc::clone(self);
        let told = arrived.clone();
        done.harvest = self.aside(move || context.tell_of_file(&request, &told)).await.unwrap_or_default();
        done.file = Some(FileDone::Arrived(arrived));
    }

    fn tell_of_file(&self, request: &Request, arrived: &Arrived) -> Yield {
        let (Some(desk), spider) = (&self.files, &self.spiders[usize::from(request.spider)]) else {
            return Yield::default();
        };
        let file = seen_by_spider(request, arrived, &desk.files);
        let mut harvest = Harvest::new();
        match catch_unwind(AssertUnwindSafe(|| spider.downloaded(request, &file, &mut harvest))) {
            Ok(()) => self.judged(request, harvest),
            Err(panic) => {
                let problem = format!("the spider panicked in `downloaded`: {}", panic_text(panic.as_ref()));
                Yield { problems: vec![problem], ..Yield::default() }
            }
        }
    }

    /// Works off the async threads; `None` after a panic.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.execution {
            Execution::Inline => Some(work()),
            Execution::Threads => tokio::task::spawn_blocking(work).await.ok(),
        }
    }
}

impl PageDone {
    /// No request has left.
    fn without_file(file: FileDone, now: Timestamp) -> Self {
        Self { file: Some(file), ..Self::of(super::recall::untold(now)) }
    }

    /// What cannot be written ends the run; the request stays in its queue.
    pub(super) fn refuse_broken_disk(&mut self) -> Result<(), FileError> {
        match self.file.take() {
            Some(FileDone::Failed(error)) => Err(error),
            file => {
                self.file = file;
                Ok(())
            }
        }
    }

    /// The answer says nothing, and the request is asked again without conditions.
    fn begin_again(&mut self, why: &str) {
        self.outcome.class = Class::Transient;
        self.detail = Some(why.to_owned());
    }
}

impl Change {
    /// Takes a file over, or where it lies.
    pub(super) fn note_file(
        &mut self,
        request: &Request,
        file: Option<FileDone>,
        outcome: &Outcome,
        next: &[Request],
    ) {
        match (file, next.first()) {
            (Some(FileDone::Arrived(arrived)), _) => {
                self.totals.downloads += 1;
                self.totals.download_bytes += arrived.saved.size;
                self.files.push(FileLine::Arrived(request.clone(), arrived));
            }
            (None, Some(next)) if outcome.class == Class::Redirected => self.files.push(FileLine::Moved {
                request: request.clone(),
                to: next.url.clone(),
                status: outcome.status,
                at: outcome.ended,
            }),
            _ => {}
        }
    }
}

fn seen_by_spider(request: &Request, arrived: &Arrived, files: &Files) -> Downloaded {
    let wanted = request.wanted();
    let saved = &arrived.saved;
    Downloaded {
        url: wanted.as_ref().map_or_else(|| request.url.clone(), |wanted| wanted.url.clone()),
        page: wanted.and_then(|wanted| wanted.page),
        file: saved.file.clone(),
        sha256: saved.sha256.clone(),
        size: saved.size,
        content_type: saved.content_type.clone(),
        unchanged: arrived.status == StatusCode::NOT_MODIFIED.as_u16(),
        place: files.place_of(arrived),
    }
}

/// What an entry of the cache says of a file.
fn saved_in(entry: &CacheEntry) -> Option<Saved> {
    let (_, items) = entry.harvest.unpack()?;
    serde_json::from_str(&items.first()?.1).ok()
}

/// One line of the manifest.
#[derive(Debug)]
pub(super) enum FileLine {
    Arrived(Request, Box<Arrived>),
    /// It lies elsewhere, and that has a line of its own.
    Moved {
        request: Request,
        to: CanonicalUrl,
        status: Option<u16>,
        at: Timestamp,
    },
}

/// Gives files their names and writes the manifest.
pub(super) struct FileLog {
    files: Arc<Files>,
    lines: JsonlSink,
    /// Named since the last commit.
    fresh: Vec<Fingerprint>,
}

impl FileLog {
    /// Opens the manifest, cut back to what was committed.
    pub(super) fn open(files: Arc<Files>, committed: &[(String, Position)]) -> Result<Self, SinkError> {
        let mut lines = JsonlSink::open(&JsonlOptions::to(files.manifest()))?;
        let position = committed.iter().find(|(name, _)| name == NAME);
        lines.rewind(position.map_or(Position::default(), |(_, position)| *position))?;
        Ok(Self { files, lines, fresh: Vec::new() })
    }

    pub(super) fn write(&mut self, line: FileLine) -> Result<(), WriteError> {
        let (request, fields) = match line {
            FileLine::Arrived(request, mut arrived) => {
                arrived.saved.file = self.files.name(&arrived)?;
                self.fresh.push(arrived.request);
                let fields = line_of_file(&request, &arrived);
                (request, fields)
            }
            FileLine::Moved { request, to, status, at } => {
                let mut fields = line_of(&request);
                say(&mut fields, "location", to.as_str().into());
                say(&mut fields, "status", status.into());
                say(&mut fields, "checked_at", at.to_string().into());
                (request, fields)
            }
        };
        Ok(self.lines.write(&Item { url: request.url, kind: None, fields, seen: None })?)
    }

    /// Hands everything over; name and position belong into the batch.
    pub(super) fn flush(&mut self) -> Result<(String, Position), SinkError> {
        Ok((NAME.to_owned(), self.lines.flush()?))
    }

    /// The batch is written.
    pub(super) fn committed(&mut self) {
        self.fresh.drain(..).for_each(|request| self.files.settled(request));
    }

    /// Makes what was handed over survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), WriteError> {
        self.files.sync()?;
        Ok(self.lines.sync()?)
    }
}

fn say(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        fields.insert(name.to_owned(), value);
    }
}

fn line_of(request: &Request) -> Map<String, Value> {
    let mut fields = Map::new();
    let wanted = request.wanted();
    let elsewhere = wanted.as_ref().filter(|wanted| wanted.url != request.url);
    say(&mut fields, "url", request.url.as_str().into());
    say(&mut fields, "wanted", elsewhere.map(|wanted| wanted.url.as_str()).into());
    say(
        &mut fields,
        "page",
        wanted.as_ref().and_then(|wanted| wanted.page.as_ref()).map(CanonicalUrl::as_str).into(),
    );
    fields
}

fn line_of_file(request: &Request, arrived: &Arrived) -> Map<String, Value> {
    let saved = &arrived.saved;
    let mut fields = line_of(request);
    say(&mut fields, "file", saved.file.as_str().into());
    say(&mut fields, "sha256", saved.sha256.as_str().into());
    say(&mut fields, "size", saved.size.into());
    say(&mut fields, "content_type", saved.content_type.as_deref().into());
    say(&mut fields, "status", arrived.status.into());
    say(&mut fields, "fetched_at", saved.fetched_at.to_string().into());
    say(&mut fields, "checked_at", arrived.checked_at.to_string().into());
    say(&mut fields, "etag", saved.validators.etag.as_deref().into());
    say(&mut fields, "last_modified", saved.validators.last_modified.as_deref().into());
    fields
}
