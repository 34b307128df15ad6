//! The manifest: which URL each file is of, one line for each.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::engine::output::WriteError;
use crate::item::Item;
use crate::request::Request;
use crate::sink::jsonl::{JsonlOptions, JsonlSink};
use crate::sink::{Position, Sink, SinkError};
use crate::store::files::{Arrived, Files};
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint};

/// What the manifest's position is stored under, wherever the folder lies.
const NAME: &str = "file-manifest";

/// One line of the manifest.
#[derive(Debug)]
pub(in crate::engine) enum FileLine {
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
pub(in crate::engine) struct FileLog {
    files: Arc<Files>,
    lines: JsonlSink,
    /// Named since the last commit.
    fresh: Vec<Fingerprint>,
}

impl FileLog {
    /// Opens the manifest, cut back to what was committed.
    pub(in crate::engine) fn open(
        files: Arc<Files>,
        committed: &[(String, Position)],
    ) -> Result<Self, SinkError> {
        let mut lines = JsonlSink::open(&JsonlOptions::to(files.manifest()))?;
        let position = committed.iter().find(|(name, _)| name == NAME);
        lines.rewind(position.map_or(Position::default(), |(_, position)| *position))?;
        Ok(Self { files, lines, fresh: Vec::new() })
    }

    pub(in crate::engine) fn write(&mut self, line: FileLine) -> Result<(), WriteError> {
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
    pub(in crate::engine) fn flush(&mut self) -> Result<(String, Position), SinkError> {
        Ok((NAME.to_owned(), self.lines.flush()?))
    }

    /// The batch is written.
    pub(in crate::engine) fn committed(&mut self) {
        self.fresh.drain(..).for_each(|request| self.files.settled(request));
    }

    /// Makes what was handed over survive a power cut.
    pub(in crate::engine) fn sync(&mut self) -> Result<(), WriteError> {
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
