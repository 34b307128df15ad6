//! The fields of a form as bytes: as a query, or as a body in one of three codings (HTML standard 4.10.21.5 and following).

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::byte_serialize;

use super::Coding;
use crate::url::Fingerprint;

/// A name and a value that are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(super) name: String,
    /// None if it is filled in when the request leaves.
    pub(super) value: Option<String>,
    pub(super) is_file: bool,
}

/// Everything that is sent of a form. Survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submission {
    entries: Vec<Entry>,
    coding: Coding,
    /// The name of an encoding.
    encoding: String,
}

impl Submission {
    pub(super) fn new(entries: Vec<Entry>, coding: Coding, encoding: &'static Encoding) -> Self {
        Self { entries, coding, encoding: encoding.name().to_owned() }
    }

    /// Leaves the values of these names open, those that are not there at the end.
    pub(super) fn withhold(&mut self, names: &[&str]) {
        for name in names {
            let mut places = self.entries.iter().enumerate().filter(|(_, entry)| entry.name == **name);
            let first = places.next().map(|(place, _)| place);
            let open = Entry { name: (*name).to_owned(), value: None, is_file: false };
            match first {
                Some(first) => {
                    self.entries[first] = open;
                    let mut place = 0..;
                    self.entries.retain(|entry| place.next() == Some(first) || entry.name != **name);
                }
                None => self.entries.push(open),
            }
        }
    }

    /// Fills in what was left open.
    pub(crate) fn filled(mut self, secret: impl Fn(&str) -> Option<String>) -> Self {
        for entry in self.entries.iter_mut().filter(|entry| entry.value.is_none()) {
            entry.value = secret(&entry.name);
        }
        self
    }

    /// As a query.
    pub(super) fn query(&self) -> String {
        let pairs = self.entries.iter().map(|entry| {
            format!("{}={}", self.escaped(&lines(&entry.name)), self.escaped(&lines(entry.text())))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// As the body of a POST.
    pub(crate) fn body(&self) -> Vec<u8> {
        match self.coding {
            Coding::Url => self.query().into_bytes(),
            Coding::Plain => self.plain(),
            Coding::Multipart => self.multipart(),
        }
    }

    /// What the body is.
    pub(super) fn content_type(&self) -> String {
        match self.coding {
            Coding::Url => "application/x-www-form-urlencoded".to_owned(),
            Coding::Plain => "text/plain".to_owned(),
            Coding::Multipart => format!("multipart/form-data; boundary={}", self.boundary()),
        }
    }

    fn plain(&self) -> Vec<u8> {
        let text =
            self.entries.iter().map(|entry| format!("{}={}\r\n", lines(&entry.name), lines(entry.text())));
        self.encoded(&text.collect::<String>())
    }

    fn multipart(&self) -> Vec<u8> {
        let (mut body, boundary) = (Vec::new(), self.boundary());
        for entry in &self.entries {
            let file =
                if entry.is_file { "; filename=\"\"\r\nContent-Type: application/octet-stream" } else { "" };
            let name = quoted(&entry.name);
            body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"").into_bytes());
            body.extend(self.encoded(&name));
            body.extend(format!("\"{file}\r\n\r\n").into_bytes());
            body.extend(self.encoded(&lines(entry.text())));
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").into_bytes());
        body
    }

    /// The same fields have the same boundary, so that the same request is known again. What is filled in later does not count:
    /// the header field with the boundary is written before.
    fn boundary(&self) -> String {
        let mut key = Fingerprint::hasher();
        for entry in &self.entries {
            key.update(entry.name.as_bytes());
            key.update(b"\0");
        }
        format!("----crawl-form-{:016x}", Fingerprint::from_hasher(&key).get())
    }

    fn encoding(&self) -> &'static Encoding {
        Encoding::for_label(self.encoding.as_bytes()).unwrap_or(encoding_rs::UTF_8)
    }

    /// A letter that the encoding does not have becomes a character reference.
    fn encoded(&self, text: &str) -> Vec<u8> {
        self.encoding().encode(text).0.into_owned()
    }

    fn escaped(&self, text: &str) -> String {
        byte_serialize(&self.encoded(text)).collect()
    }
}

impl Entry {
    fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

/// Line breaks are sent as CR LF, however they were written.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// A name between quotes in a header field.
fn quoted(name: &str) -> String {
    lines(name).replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
