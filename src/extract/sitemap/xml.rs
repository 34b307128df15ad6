//! The XML forms of a sitemap, read in one pass: names are compared without their namespace and without regard to case.
//!
//! What is kept in memory is the entry that is being read; the text of a field ends at [`MAX_FIELD`], and the file at elements
//! nested deeper than [`MAX_DEPTH`].

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{Entry, Kind, MAX_ALTERNATES, Sitemap};
use crate::url::MAX_URL_BYTES;

/// Elements inside each other. A sitemap with images and news has six levels.
const MAX_DEPTH: usize = 64;
/// Bytes of text that are read of one field: a location that is longer than a URL may be is still seen to be.
const MAX_FIELD: usize = MAX_URL_BYTES + 4;

/// Reads XML into `sitemap`.
pub(super) fn read(text: &str, sitemap: &mut Sitemap) {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    (config.expand_empty_elements, config.check_end_names) = (true, false);
    (config.allow_unmatched_ends, config.allow_dangling_amp) = (true, true);
    let mut reading =
        Reading { sitemap, depth: 0, root: Root::Missing, entry: None, field: None, alternates: 0 };
    let stop = loop {
        match reader.read_event() {
            Ok(Event::Eof) => break None,
            Ok(event) => {
                if let Err(stop) = reading.take(&event) {
                    break Some(stop);
                }
            }
            Err(error) => {
                let place = reader.error_position();
                break Some(format!("not well-formed at byte {place}: {error}"));
            }
        }
    };
    reading.end(stop);
}

/// What the root element says of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Missing,
    Sitemap,
    Rss,
    Atom,
}

/// A part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Loc,
    LastMod,
    ChangeFreq,
    Priority,
}

/// An element whose text is a part of an entry.
struct Field {
    part: Part,
    text: String,
}

/// An entry that is being read, with the depth and the name (as written) of its element.
struct Open {
    entry: Entry,
    depth: usize,
    name: String,
}

struct Reading<'s> {
    sitemap: &'s mut Sitemap,
    /// Elements that are open.
    depth: usize,
    root: Root,
    entry: Option<Open>,
    field: Option<Field>,
    alternates: usize,
}

impl Reading<'_> {
    /// Takes an event; an error is what keeps the rest from being read.
    fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(start) => return self.open(start),
            Event::End(end) => self.close(end.name().as_ref()),
            Event::Text(text) => self.text(text),
            Event::CData(text) => self.text(text),
            Event::GeneralRef(reference) => self.reference(reference),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("elements are nested more than {MAX_DEPTH} deep"));
        }
        let name = start.local_name();
        let name: &str = name.as_ref();
        if self.root == Root::Missing {
            return self.open_root(name);
        }
        match &self.entry {
            None if self.begins_entry(name) => {
                self.entry = Some(Open {
                    entry: Entry::default(),
                    depth: self.depth,
                    name: start.name().as_ref().to_owned(),
                });
            }
            Some(open) if self.depth == open.depth + 1 => self.open_part(name, start),
            _ => {}
        }
        Ok(())
    }

    fn open_root(&mut self, name: &str) -> Result<(), String> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let (root, kind) = match name {
            _ if is("urlset") => (Root::Sitemap, Kind::UrlSet),
            _ if is("sitemapindex") => (Root::Sitemap, Kind::Index),
            _ if is("rss") || is("rdf") => (Root::Rss, Kind::Rss),
            _ if is("feed") => (Root::Atom, Kind::Atom),
            _ => {
                let name: String = name.chars().take(40).collect();
                let problem = format!("<{name}> is the root element of no sitemap");
                self.sitemap.kind = Kind::Other(name.into());
                return Err(problem);
            }
        };
        self.root = root;
        self.sitemap.kind = kind;
        Ok(())
    }

    /// In a sitemap everything directly below the root is an entry if it has a location.
    fn begins_entry(&self, name: &str) -> bool {
        match self.root {
            Root::Sitemap => self.depth == 2,
            Root::Rss => name.eq_ignore_ascii_case("item"),
            Root::Atom => name.eq_ignore_ascii_case("entry"),
            Root::Missing => false,
        }
    }

    fn open_part(&mut self, name: &str, start: &BytesStart<'_>) {
        if name.eq_ignore_ascii_case("link") {
            self.link(start);
        }
        if let Some(part) = self.part_of(name) {
            self.field = Some(Field { part, text: String::new() });
        }
    }

    fn part_of(&self, name: &str) -> Option<Part> {
        let names: &[(&str, Part)] = match self.root {
            Root::Sitemap => &[
                ("loc", Part::Loc),
                ("lastmod", Part::LastMod),
                ("changefreq", Part::ChangeFreq),
                ("priority", Part::Priority),
            ],
            Root::Rss => &[("link", Part::Loc), ("pubDate", Part::LastMod), ("date", Part::LastMod)],
            Root::Atom => &[("updated", Part::LastMod), ("published", Part::LastMod)],
            Root::Missing => &[],
        };
        names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, part)| *part)
    }

    /// A link with its target in an attribute: an alternate of a sitemap's page, the page of a feed's entry.
    fn link(&mut self, start: &BytesStart<'_>) {
        let (mut href, mut relation) = (None, None);
        for attribute in start.attributes().with_checks(false).flatten() {
            let name = attribute.key.local_name();
            let name: &str = name.as_ref();
            let value = || attribute.normalized_value(XmlVersion::Implicit1_0).ok();
            match name {
                "href" => href = value(),
                "rel" => relation = value(),
                _ => {}
            }
        }
        let is_alternate =
            relation.as_deref().is_none_or(|relation| relation.eq_ignore_ascii_case("alternate"));
        let (Some(open), Some(href)) = (&mut self.entry, href) else { return };
        let href = href.trim();
        if !is_alternate || href.is_empty() || href.len() > MAX_URL_BYTES {
            return;
        }
        if self.root != Root::Sitemap {
            fill(&mut open.entry, Part::Loc, href.to_owned());
        } else if self.alternates < MAX_ALTERNATES {
            self.alternates += 1;
            open.entry.alternates.push(href.to_owned());
        }
    }

    fn text(&mut self, text: &str) {
        let Some(Field { text: field, .. }) = &mut self.field else { return };
        let text = if field.is_empty() { text.trim_start() } else { text };
        let room = MAX_FIELD.saturating_sub(field.len());
        field.push_str(&text[..text.floor_char_boundary(room)]);
    }

    /// A character, one of the five entities of XML, or nothing. What is no name is text with a bare `&` in it.
    fn reference(&mut self, reference: &BytesRef<'_>) {
        let name: &str = reference;
        let character = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().ok().flatten(),
        };
        if let Some(character) = character {
            self.text(character.encode_utf8(&mut [0; 4]));
        } else if !is_name(name.trim_start_matches('#')) {
            self.text("&");
            self.text(name);
            self.text(";");
        }
    }

    /// The end of an element. That of an entry ends everything that was left open inside of it.
    fn close(&mut self, name: &str) {
        if let Some(open) = &mut self.entry {
            if name == open.name {
                self.depth = self.depth.min(open.depth);
            }
            if self.depth <= open.depth + 1
                && let Some(Field { part, text }) = self.field.take()
            {
                fill(&mut open.entry, part, text);
            }
            if self.depth <= open.depth {
                self.finish_entry();
            }
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn finish_entry(&mut self) {
        if let Some(Open { entry, .. }) = self.entry.take()
            && !entry.loc.is_empty()
        {
            self.sitemap.take(entry);
        }
    }

    /// A field that was cut off is not known; an entry that was cut off behind its location is.
    fn end(mut self, stop: Option<String>) {
        self.finish_entry();
        let cut_off = (self.depth > 0).then(|| "it ends before its root element does".to_owned());
        let empty = (self.root == Root::Missing).then(|| "it has no root element".to_owned());
        self.sitemap.problem = stop.or(empty).or(cut_off);
    }
}

/// Keeps the first word about a part of an entry; a location that is too long for a URL is none.
fn fill(entry: &mut Entry, part: Part, text: String) {
    let text = if text.trim().len() == text.len() { text } else { text.trim().to_owned() };
    match part {
        Part::Loc if entry.loc.is_empty() && text.len() <= MAX_URL_BYTES => entry.loc = text,
        Part::Loc => {}
        Part::LastMod => drop(entry.lastmod.get_or_insert(text)),
        Part::ChangeFreq => drop(entry.changefreq.get_or_insert(text)),
        Part::Priority => drop(entry.priority.get_or_insert(text)),
    }
}

/// Whether an entity could be called so.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_alphanumeric() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':'))
}
