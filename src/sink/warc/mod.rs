//! Archives of what was asked and answered, as WARC 1.1 (ISO 28500:2017): what wget, Heritrix and Browsertrix write, and what pywb and
//! the Wayback Machine read.
//!
//! Every exchange is a `response` (or `revisit`) record and the `request` that it belongs to. A body that lies in the archive already
//! is not written twice, and neither is one that its server says has not changed: a `revisit` record names the record that has
//! it. Each file begins with a `warcinfo` record that says who crawls.
//!
//! The archive is written by the thread that writes items, and cut back like they are: after kill -9 a response is in it exactly
//! once, and every record is whole. It is never begun anew: rounds, and crawls that start over, go on with files of their own.

mod digest;
mod exchange;
mod head;
mod known;
mod mend;
mod parts;
mod record;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;
use http::StatusCode;

use digest::Digest;
use known::{Capture, Known};
use parts::{Names, Parts};
use record::{Info, Pair, Record, RecordId};

pub use digest::DigestKind;
pub use exchange::{BodyForm, Exchange};
pub use head::Secrets;
pub use record::Packing;

use super::{Position, SinkError};
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// `[sink.warc]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarcOptions {
    /// A folder, which is made if need be; or one file, if the name ends in `.warc` or `.warc.gz`.
    pub path: PathBuf,
    /// How the names of files in a folder begin. Default `crawl`.
    pub prefix: String,
    /// A file that has so many bytes is followed by the next one. Default 1 GB.
    pub rotate_size: u64,
    /// How records lie in a file. Default: gzip, unless the name of the file ends in `.warc`.
    pub packing: Packing,
    /// Whether robots.txt files are archived. Default: they are.
    pub robots: bool,
    /// What becomes of secrets in requests. Default: they are removed.
    pub secrets: Secrets,
    /// How records are digested. Default: SHA-1.
    pub digest: DigestKind,
}

impl WarcOptions {
    /// Everything to this folder or file.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            prefix: "crawl".to_owned(),
            rotate_size: 1_000_000_000,
            packing: packing_of(&path).unwrap_or_default(),
            robots: true,
            secrets: Secrets::default(),
            digest: DigestKind::default(),
            path,
        }
    }
}

/// How records lie in a file of this name; `None` if it is no name of an archive, and so that of a folder.
#[must_use]
pub fn packing_of(path: &Path) -> Option<Packing> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    [Packing::Gzip, Packing::Plain].into_iter().find(|packing| name.ends_with(parts::ending(*packing)))
}

/// What the head of each file says of the crawl.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The User-Agent of all requests.
    pub user_agent: String,
    /// Where the operator can be reached.
    pub contact: Option<String>,
    /// From this the names of records are drawn, together with the name of their file.
    pub seed: u64,
}

/// Writes an archive. A crawl is given it with `Crawl::builder().archive(…)`.
///
/// ```
/// use crawl::request::Request;
/// use crawl::response::Response;
/// use crawl::sink::warc::{Exchange, Warc, WarcOptions};
/// use crawl::url::CanonicalUrl;
///
/// let dir = tempfile::tempdir()?;
/// let mut warc = Warc::open(&WarcOptions::to(dir.path().join("one.warc.gz")))?;
/// let request = Request::get(CanonicalUrl::parse("https://example.com/")?);
/// let mut answer = Response::of(request.url.clone(), http::StatusCode::OK, "<title>Example</title>");
/// warc.write(&Exchange::of(&request, &mut answer, http::HeaderMap::new))?;
/// warc.flush()?; // what this gives is committed, and after a crash given to `rewind`
/// warc.close()?;
/// assert!(dir.path().join("one.warc.gz").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Warc {
    name: String,
    options: WarcOptions,
    about: About,
    parts: Parts,
    known: Known,
    ids: Option<Rng>,
}

impl Warc {
    /// Makes the folder. Nothing is written before the first exchange.
    ///
    /// # Errors
    /// If the folder cannot be made or read.
    pub fn open(options: &WarcOptions) -> Result<Self, SinkError> {
        let WarcOptions { path, prefix, packing, rotate_size, .. } = options;
        let (name, names) = match packing_of(path) {
            Some(_) => (format!("warc:{}", path.display()), Names::single(path, *packing)),
            None => (format!("warc:{}:{prefix}", path.display()), Names::dated(path, prefix, *packing)),
        };
        Ok(Self {
            name,
            parts: Parts::open(names, *packing, *rotate_size)?,
            options: options.clone(),
            about: About::default(),
            known: Known::default(),
            ids: None,
        })
    }

    /// What the heads of files say from now on.
    pub fn introduce(&mut self, about: About) {
        self.about = about;
    }

    /// A name that stays the same between runs: its position is stored under it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was opened with.
    #[must_use]
    pub fn options(&self) -> &WarcOptions {
        &self.options
    }

    /// Takes an exchange. It may be buffered until [`Warc::flush`].
    ///
    /// # Errors
    /// If the archive cannot be written.
    pub fn write(&mut self, exchange: &Exchange) -> Result<(), SinkError> {
        if let Some(file) = self.parts.make_room(exchange.at)? {
            self.ids = None;
            self.begin_file(&file, exchange.at)?;
        }
        let digest = self.options.digest;
        let payload = digest.of(&[&exchange.body]);
        let (answer, request) = (self.id(), self.id());
        let pair = Pair { exchange, digest, answer, request, payload };
        let head = head::of_answer(exchange, self.options.secrets);
        let written = match self.before(exchange, payload) {
            Before::NotModified(capture) => pair.not_modified(capture.as_deref()),
            Before::Same(capture) => {
                self.known.note(&exchange.target, &capture);
                pair.same_payload(&head, &capture)
            }
            Before::New => {
                self.note(exchange, answer, payload);
                pair.response(&head)
            }
        };
        self.push(&written)?;
        let head = head::of_request(exchange, self.options.secrets);
        let body = exchange.asked.as_deref().unwrap_or_default();
        self.push(&pair.request(&head, body))
    }

    /// Hands everything to the operating system and tells how far the archive reaches now.
    ///
    /// # Errors
    /// As for [`Warc::write`].
    pub fn flush(&mut self) -> Result<Position, SinkError> {
        self.parts.flush()
    }

    /// Makes what was flushed survive a power cut. Everything that was flushed before the last call is taken for committed.
    ///
    /// # Errors
    /// As for [`Warc::write`].
    pub fn sync(&mut self) -> Result<(), SinkError> {
        self.parts.sync()
    }

    /// Drops everything after `to`. Files that are finished are not touched.
    ///
    /// # Errors
    /// If a file is shorter than `to`, cannot be cut, or is being written by another crawl.
    pub fn rewind(&mut self, to: Position) -> Result<(), SinkError> {
        self.ids = None;
        self.known = Known::default();
        self.parts.rewind(to)
    }

    /// Finishes the last file. Everything must be committed. An archive that is written to after that begins another file.
    ///
    /// # Errors
    /// As for [`Warc::write`].
    pub fn close(&mut self) -> Result<(), SinkError> {
        self.parts.close()
    }

    fn push(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let packing = self.options.packing;
        self.parts.push(|out| record.write(out, packing))
    }

    fn begin_file(&mut self, file: &str, at: Timestamp) -> Result<(), SinkError> {
        let id = self.id();
        let About { user_agent, contact, .. } = &self.about;
        let mut lines = vec![("http-header-user-agent", user_agent.as_str())];
        lines.extend(contact.as_deref().map(|contact| ("operator", contact)));
        let info = Info { id, at, file, digest: self.options.digest, lines };
        let block = info.block();
        self.push(&info.record(&block))
    }

    /// What the archive has of this answer already.
    fn before(&self, exchange: &Exchange, payload: Digest) -> Before {
        if exchange.status == StatusCode::NOT_MODIFIED {
            return Before::NotModified(self.known.target(&exchange.target));
        }
        let comparable = !exchange.body.is_empty() && exchange.truncated.is_none();
        match self.known.payload(&payload).filter(|_| comparable) {
            Some(capture) => Before::Same(capture),
            None => Before::New,
        }
    }

    fn note(&mut self, exchange: &Exchange, id: RecordId, payload: Digest) {
        if !exchange.body.is_empty() && exchange.truncated.is_none() {
            let (target, at) = (exchange.target.clone(), exchange.at);
            self.known.note(&exchange.target, &Arc::new(Capture { id, target, at, payload }));
        }
    }

    /// The next name of a record. It depends on where the file was opened, so that no record of a run that was killed has it.
    fn id(&mut self) -> RecordId {
        let (about, parts) = (&self.about, &self.parts);
        let ids = self.ids.get_or_insert_with(|| {
            let place = format!("{} {} {}", about.seed, parts.name(), parts.reach());
            Rng::with_seed(Fingerprint::of(place.as_bytes()).get())
        });
        RecordId::of(ids.u128(..))
    }
}

/// What the archive has of an answer.
enum Before {
    /// Nothing.
    New,
    /// Its body.
    Same(Arc<Capture>),
    /// It says itself that it is not new; here is what it speaks of, if that is known.
    NotModified(Option<Arc<Capture>>),
}

#[cfg(test)]
mod tests;
