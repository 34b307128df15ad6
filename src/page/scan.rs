//! Reads the gist of a document from its tags in passing, without a tree.
//!
//! It follows the tokenizer's rules (HTML standard 13.2.5) to the letter: comments, quoted attributes, raw text. What it does not
//! do is to build a tree, so wherever the tree builder might leave a tag out, move it, or read what follows in another way, it
//! gives up and the tree decides: inside of `<select>`, `<template>` and framesets, between the cells of a table, in drawings
//! and formulas that are more than shapes. On the pages of ordinary sites that is rare. A document that is too large for a whole tree
//! is read to its end.

use memchr::memmem;

use super::gist::{Anchor, Gist, Meta, Piece, has_word};
use super::markup::{
    MAX_ATTRIBUTES, comment_end, find, find_end_tag, in_attribute_name, in_tag_name, is_space, past, skip,
};
use super::written::{piece, title};

/// The gist of `text`, or `None` if only a tree can tell.
pub(super) fn gist(text: &str) -> Option<Gist> {
    // The tree builder drops or replaces these, depending on where they stand.
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return None;
    }
    let mut scan = Scan { text, bytes: text.as_bytes(), ..Scan::default() };
    let mut at = 0;
    while let Some(start) = find(scan.bytes, at, b'<') {
        if scan.noscript == Noscript::Inside {
            scan.text_without_scripts(at, start);
        }
        at = scan.construct(start)?;
    }
    Some(scan.gist)
}

/// What is open around the place that is read.
#[derive(Default)]
struct Scan<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// Elements of the drawing or formula that is open, its own first.
    foreign: Vec<&'t str>,
    in_select: bool,
    /// What `<noscript>` is open around us.
    noscript: Noscript,
    /// For each open table whether we are between its cells.
    tables: Vec<bool>,
    gist: Gist,
}

/// Whether what is read stands in `<noscript>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Noscript {
    #[default]
    Outside,
    Inside,
    /// Something came that may have ended it before its end tag.
    Maybe,
}

/// What the scan makes of a start tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Anchor,
    Base,
    Canonical,
    Meta,
    Title,
    /// Raw text follows up to the end tag.
    Raw,
    Script,
    Foreign,
    Noscript,
    Select,
    Table,
    /// A part of a table that holds no content itself.
    Rows,
    Cell,
    /// Only a tree can tell what comes of it.
    Unsure,
    Plain,
}

impl Name {
    /// Whether something is wanted of what its attributes say.
    const fn has_attributes(self) -> bool {
        matches!(self, Self::Anchor | Self::Base | Self::Canonical | Self::Meta)
    }

    fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let any = |others: &[&str]| others.iter().any(|other| is(other));
        match name.as_bytes()[0].to_ascii_lowercase() {
            b'a' if any(&["a", "area"]) => Self::Anchor,
            b'b' if is("base") => Self::Base,
            b'c' if is("caption") => Self::Cell,
            b'c' if any(&["col", "colgroup"]) => Self::Rows,
            b'f' if any(&["frameset", "frame"]) => Self::Unsure,
            b'i' if is("iframe") => Self::Raw,
            b'l' if is("link") => Self::Canonical,
            b'm' if is("meta") => Self::Meta,
            b'm' if is("math") => Self::Foreign,
            b'n' if is("noscript") => Self::Noscript,
            b'n' if any(&["noembed", "noframes"]) => Self::Raw,
            b'p' if is("plaintext") => Self::Unsure,
            b's' if is("script") => Self::Script,
            b's' if is("style") => Self::Raw,
            b's' if is("select") => Self::Select,
            b's' if is("svg") => Self::Foreign,
            b't' if any(&["td", "th"]) => Self::Cell,
            b't' if any(&["tr", "tbody", "thead", "tfoot"]) => Self::Rows,
            b't' if is("table") => Self::Table,
            b't' if is("title") => Self::Title,
            b't' if is("textarea") => Self::Raw,
            b't' if is("template") => Self::Unsure,
            b'x' if is("xmp") => Self::Raw,
            _ => Self::Plain,
        }
    }
}

impl<'t> Scan<'t> {
    /// Reads what begins with the `<` at `start`; gives where the next thing begins.
    fn construct(&mut self, start: usize) -> Option<usize> {
        match self.bytes.get(start + 1) {
            Some(byte) if byte.is_ascii_alphabetic() => self.start_tag(start + 1),
            Some(b'/') => match self.bytes.get(start + 2) {
                Some(byte) if byte.is_ascii_alphabetic() => self.end_tag(start + 2),
                Some(_) => Some(past(self.bytes, start + 2, b'>')),
                None => Some(self.bytes.len()),
            },
            Some(b'!') if self.bytes[start..].starts_with(b"<!--") => {
                Some(comment_end(self.bytes, start + 4))
            }
            Some(b'!') if !self.foreign.is_empty() => None,
            Some(b'!' | b'?') => Some(past(self.bytes, start, b'>')),
            _ => {
                self.text_without_scripts(start, start + 1);
                Some(start + 1)
            }
        }
    }

    /// In the head, text ends `<noscript>`.
    fn text_without_scripts(&mut self, from: usize, to: usize) {
        if self.noscript == Noscript::Inside && !self.bytes[from..to].iter().all(|byte| is_space(*byte)) {
            self.noscript = Noscript::Maybe;
        }
    }

    fn name(&self, start: usize) -> &'t str {
        let end = skip(self.bytes, start, in_tag_name);
        &self.text[start..end]
    }

    fn start_tag(&mut self, start: usize) -> Option<usize> {
        let written = self.name(start);
        let name = Name::of(written);
        let behind = start + written.len();
        let mut tag = name.has_attributes().then(Tag::default);
        let (end, closes_itself) = match &mut tag {
            Some(tag) => read_tag(self.bytes, behind, |at, found| tag.take(self.text, name, at, found))?,
            None => pass_tag(self.bytes, behind)?,
        };
        // Markup that ends inside of a tag gives no tag.
        if end > self.bytes.len() {
            return Some(self.bytes.len());
        }
        if !self.foreign.is_empty() {
            self.inside_drawing(written, name, closes_itself)?;
            return Some(end);
        }
        if self.in_select && !matches!(name, Name::Plain | Name::Script) {
            return None;
        }
        let between_cells = self.tables.last() == Some(&true);
        if between_cells
            && matches!(name, Name::Anchor | Name::Base | Name::Canonical | Name::Meta | Name::Title)
        {
            return None;
        }
        if self.noscript == Noscript::Inside && !matches!(name, Name::Meta | Name::Canonical) {
            self.noscript = Noscript::Maybe;
        }
        match tag {
            Some(tag) => self.note(name, tag)?,
            None if name == Name::Foreign && !closes_itself => self.foreign.push(written),
            None => return self.enter(name, written, end),
        }
        Some(end)
    }

    /// Takes what a tag says.
    fn note(&mut self, name: Name, tag: Tag) -> Option<()> {
        match name {
            Name::Anchor => {
                if let Some(href) = tag.href {
                    let nofollow = has_word(tag.rel.as_ref().map(|rel| rel.of(self.text)), "nofollow");
                    self.gist.anchor(Anchor { href, nofollow });
                }
            }
            Name::Base => self.gist.base(tag.href),
            Name::Canonical if has_word(tag.rel.as_ref().map(|rel| rel.of(self.text)), "canonical") => {
                self.gist.canonical.extend(tag.href);
            }
            Name::Meta if self.noscript == Noscript::Maybe && tag.meta.http_equiv.is_some() => return None,
            Name::Meta => {
                let without_scripts = self.noscript == Noscript::Inside;
                self.gist.meta(Meta { without_scripts, ..tag.meta });
            }
            _ => {}
        }
        Some(())
    }

    /// What follows a tag whose attributes say nothing; gives where it begins.
    fn enter(&mut self, name: Name, written: &'t str, end: usize) -> Option<usize> {
        match name {
            Name::Noscript => {
                self.noscript = match self.noscript {
                    Noscript::Outside => Noscript::Inside,
                    _ => Noscript::Maybe,
                }
            }
            Name::Title => return self.title(end),
            Name::Raw => return Some(self.after_raw(end, written)),
            Name::Script => return self.script(end, written),
            Name::Select => self.in_select = true,
            Name::Table => self.tables.push(true),
            Name::Rows | Name::Cell => {
                if let Some(between) = self.tables.last_mut() {
                    *between = name == Name::Rows;
                }
            }
            Name::Unsure => return None,
            Name::Anchor | Name::Base | Name::Canonical | Name::Meta | Name::Foreign | Name::Plain => {}
        }
        Some(end)
    }

    /// Shapes and groups of a drawing are let by; anything that might end it, or hold HTML, is not for us.
    fn inside_drawing(&mut self, written: &'t str, name: Name, closes_itself: bool) -> Option<()> {
        let is_known = has_word(Some(SHAPES), written);
        if name != Name::Plain && name != Name::Foreign || !is_known {
            return None;
        }
        if !closes_itself {
            self.foreign.push(written);
        }
        Some(())
    }

    fn end_tag(&mut self, start: usize) -> Option<usize> {
        let written = self.name(start);
        let (end, _) = pass_tag(self.bytes, start + written.len())?;
        if end > self.bytes.len() {
            return Some(self.bytes.len());
        }
        if let Some(open) = self.foreign.last() {
            if !open.eq_ignore_ascii_case(written) {
                return None;
            }
            self.foreign.pop();
            return Some(end);
        }
        let name = Name::of(written);
        if self.noscript == Noscript::Inside {
            // What has ended it before may have put its end tag somewhere else, too.
            self.noscript = if name == Name::Noscript { Noscript::Outside } else { Noscript::Maybe };
        }
        match name {
            Name::Select => self.in_select = false,
            Name::Table => {
                self.tables.pop();
            }
            Name::Rows | Name::Cell => {
                if let Some(between) = self.tables.last_mut() {
                    *between = true;
                }
            }
            _ => {}
        }
        Some(end)
    }

    fn title(&mut self, from: usize) -> Option<usize> {
        let end = find_end_tag(self.bytes, from, b"title").unwrap_or(self.bytes.len());
        let inside = &self.text[from..end];
        self.gist.title(&title(inside));
        Some(self.after_raw(from, "title"))
    }

    fn script(&self, from: usize, name: &str) -> Option<usize> {
        let end = find_end_tag(self.bytes, from, name.as_bytes()).unwrap_or(self.bytes.len());
        // A script inside of a comment inside of a script may hide the end tag.
        if memmem::find(&self.bytes[from..end], b"<!--").is_some() {
            return None;
        }
        Some(self.after_raw(from, name))
    }

    /// Where the end tag of raw text ends.
    fn after_raw(&self, from: usize, name: &str) -> usize {
        let Some(start) = find_end_tag(self.bytes, from, name.as_bytes()) else {
            return self.bytes.len();
        };
        pass_tag(self.bytes, start + 2 + name.len())
            .map_or(self.bytes.len(), |(end, _)| end.min(self.bytes.len()))
    }
}

/// Elements of drawings that hold nothing but their like.
const SHAPES: &str = "svg g path rect circle ellipse line polyline polygon use defs symbol mask clippath \
    lineargradient radialgradient stop filter pattern animate animatetransform image";

/// What the scan wants of a tag.
#[derive(Default)]
struct Tag {
    href: Option<Piece>,
    rel: Option<Piece>,
    meta: Meta,
}

/// Where a tag ends of which nothing is wanted, and whether it closes itself; as [`read_tag`] says.
#[inline]
fn pass_tag(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    // Most tags have no attributes.
    if bytes.get(from) == Some(&b'>') {
        return Some((from + 1, false));
    }
    read_tag(bytes, from, |_, _| {})
}

/// Reads the attributes of a tag from `from` on, and shows each with the byte at which it begins. Gives the byte behind the tag, or one
/// behind the end if it never ends, and whether it closes itself; `None` if it has too many attributes.
#[inline]
fn read_tag(bytes: &[u8], from: usize, mut show: impl FnMut(usize, &Attribute)) -> Option<(usize, bool)> {
    let (mut at, mut count) = (from, 0);
    loop {
        let before = at;
        at = skip(bytes, at, |byte| is_space(byte) || byte == b'/');
        match bytes.get(at) {
            None => return Some((bytes.len() + 1, false)),
            // A `/` at the end of a value without quotes is part of the value.
            Some(b'>') => return Some((at + 1, at > before && bytes[at - 1] == b'/')),
            Some(_) => {}
        }
        count += 1;
        if count > MAX_ATTRIBUTES {
            return None;
        }
        let Some(attribute) = Attribute::at(bytes, at) else {
            return Some((bytes.len() + 1, false));
        };
        show(at, &attribute);
        at = attribute.end;
    }
}

/// One attribute as it is written.
struct Attribute {
    /// Where its name ends.
    name_end: usize,
    /// Its value, if it has one: where it begins with its quotes, and from where to where it stands.
    value: Option<(usize, usize, usize)>,
    end: usize,
}

impl Attribute {
    /// Reads one attribute; a `=` in first place belongs to its name. `None` if its quotes never close.
    #[inline]
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let name_end = skip(bytes, at + 1, in_attribute_name);
        let equals = skip(bytes, name_end, is_space);
        if bytes.get(equals) != Some(&b'=') {
            return Some(Self { name_end, value: None, end: name_end });
        }
        let value = skip(bytes, equals + 1, is_space);
        let (from, to, end) = match bytes.get(value) {
            Some(quote @ (b'"' | b'\'')) => {
                let close = find(bytes, value + 1, *quote)?;
                (value + 1, close, close + 1)
            }
            _ => {
                let end = skip(bytes, value, |byte| !is_space(byte) && byte != b'>');
                (value, end, end)
            }
        };
        Some(Self { name_end, value: Some((value, from, to)), end })
    }
}

impl Tag {
    /// Takes an attribute that begins at this byte, if it is wanted and the first of its name.
    fn take(&mut self, text: &str, name: Name, at: usize, attribute: &Attribute) {
        let place = self.place(&text.as_bytes()[at..attribute.name_end], name);
        if let Some(place) = place.filter(|place| place.is_none()) {
            *place = Some(match attribute.value {
                Some((written, from, to)) => piece(text, from, to, written),
                None => Piece::Span(at, at),
            });
        }
    }

    fn place(&mut self, attribute: &[u8], name: Name) -> Option<&mut Option<Piece>> {
        let is = |wanted: &str| attribute.eq_ignore_ascii_case(wanted.as_bytes());
        match name {
            Name::Anchor | Name::Base | Name::Canonical if is("href") => Some(&mut self.href),
            Name::Anchor | Name::Canonical if is("rel") => Some(&mut self.rel),
            Name::Meta if is("name") => Some(&mut self.meta.name),
            Name::Meta if is("content") => Some(&mut self.meta.content),
            Name::Meta if is("http-equiv") => Some(&mut self.meta.http_equiv),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;
    use crate::page::Page;
    use crate::page::markup::tests::PIECES;
    use crate::request::Request;
    use crate::response::Response;
    use crate::url::CanonicalUrl;

    /// A gist in plain words: title, base, canonical, metas, and where links lead, each place once.
    fn told(gist: &Gist, text: &str) -> [Vec<String>; 5] {
        let own = |piece: &Piece| piece.of(text).replace('\r', "\n");
        let metas = gist.metas.iter().map(|meta| {
            let [name, equiv, content] =
                [&meta.name, &meta.http_equiv, &meta.content].map(|piece| piece.as_ref().map(own));
            let without = meta.without_scripts && equiv.is_some();
            format!("{name:?} {equiv:?} {content:?} {without}")
        });
        let mut links = Vec::new();
        for anchor in &gist.anchors {
            let link = format!("{} {}", own(&anchor.href), anchor.nofollow);
            if !links.contains(&link) {
                links.push(link);
            }
        }
        let title = gist.title.iter().cloned().collect();
        let base = gist.base.iter().map(own).collect();
        [title, base, gist.canonical.iter().map(own).collect(), metas.collect(), links]
    }

    fn page(text: &str) -> Page {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        let mut response = Response::of(url.clone(), StatusCode::OK, text.to_owned());
        response.headers.insert("content-type", "text/html; charset=utf-8".parse().unwrap());
        Page::new(Arc::new(Request::get(url)), response)
    }

    /// What concerns a gist, and what a tree puts elsewhere, besides [`PIECES`].
    const MORE_PIECES: [&str; 48] = [
        "<a href=/1>",
        "<a href=\"/2?a=1&amp;b=2\" rel=nofollow>",
        "<A HREF = /3 rel='x NoFollow'>",
        "<script src=x>",
        "<svg viewBox='0 0 1 1'/>",
        "<path d=M0/>",
        "<path d='M0'></path>",
        "<g>",
        "</g>",
        "<!--",
        "-->",
        "<tr>",
        "</td>",
        "</tr>",
        "<th>",
        "<caption>",
        "<noscript>",
        "</noscript>",
        "<base href=/b/>",
        "<base>",
        "<meta name=robots content=nofollow>",
        "<meta http-equiv=refresh content='0; url=/r&#x41;'>",
        "<link rel=canonical href=/c>",
        "<link rel=stylesheet href=/s>",
        "<html>",
        "<head>",
        "</head>",
        "<body>",
        "</body>",
        "</html>",
        "<area href=/area>",
        "<math>",
        "</math>",
        "<mi>",
        "<template>",
        "</template>",
        "<frameset>",
        "<li>",
        "<ul>",
        "</ul>",
        "<button>",
        "</button>",
        "<form>",
        "</form>",
        "<a name=x>",
        "<a href>",
        "<xmp>",
        "</xmp>",
    ];

    /// Crumbs of tags, for what no one writes on purpose.
    const CRUMBS: [&str; 40] = [
        "<",
        "<a",
        "<A ",
        "<a href=",
        "href",
        "=",
        "\"",
        "'",
        ">",
        "/",
        "/>",
        " ",
        "&",
        "&amp;",
        "&amp",
        "&lt;x",
        "&#65;",
        "&copy=",
        "&notin",
        "title",
        "<title>",
        "</title",
        "</",
        "<!",
        "<!-",
        "<!--",
        "--",
        "!>",
        "-->",
        "<svg",
        "<path",
        "</svg>",
        "<base ",
        "<meta ",
        "name=",
        "content",
        "x",
        "\r\n",
        "\u{e9}",
        "<link rel=canonical ",
    ];

    fn check(text: &str) -> Result<(), TestCaseError> {
        let page = page(text);
        if let Some(scanned) = gist(page.text()) {
            prop_assert_eq!(
                told(&scanned, page.text()),
                told(&Gist::of_tree(&page), page.text()),
                "{}",
                text
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

        #[test]
        fn a_scan_finds_what_the_tree_holds_or_gives_up(
            picks in prop::collection::vec(0..PIECES.len() + MORE_PIECES.len(), 0..24),
        ) {
            let pieces = [&PIECES[..], &MORE_PIECES[..]].concat();
            check(&picks.iter().map(|pick| pieces[*pick]).collect::<String>())?;
        }

        #[test]
        fn so_it_does_in_crumbs_of_tags(picks in prop::collection::vec(0..CRUMBS.len(), 0..24)) {
            check(&picks.iter().map(|pick| CRUMBS[*pick]).collect::<String>())?;
        }
    }

    #[test]
    fn text_may_end_noscript_and_what_refreshes_behind_it_is_left_to_the_tree() {
        for between in ["x", "< ", " &nbsp;"] {
            let text = format!("<noscript>{between}<meta http-equiv=refresh content='0; url=/a'>");
            assert_eq!(gist(&text), None, "{text}");
        }
        let scanned = gist("<noscript> \n<meta http-equiv=refresh content='0; url=/a'></noscript>").unwrap();
        assert!(scanned.metas[0].without_scripts);
    }

    /// Pages of the documentation that comes with the compiler, and of the system's packages, where they are installed.
    fn real_pages(most: usize) -> Vec<std::path::PathBuf> {
        let home = std::env::var_os("RUSTUP_HOME").map(std::path::PathBuf::from);
        let home = home.or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".rustup")));
        let mut folders = vec![std::path::PathBuf::from("/usr/share/doc")];
        folders.extend(home.map(|home| home.join("toolchains")));
        let mut pages = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "html" || end == "htm") {
                    pages.push(path);
                }
            }
        }
        pages.sort();
        let step = (pages.len() / most).max(1);
        pages.into_iter().step_by(step).collect()
    }

    #[test]
    fn a_scan_of_real_pages_finds_what_their_trees_hold() {
        let (mut read, mut unsure) = (0, 0);
        for path in real_pages(600) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let page = page(&text);
            read += 1;
            match gist(page.text()) {
                Some(scanned) => {
                    let tree = Gist::of_tree(&page);
                    assert_eq!(told(&scanned, page.text()), told(&tree, page.text()), "{}", path.display());
                }
                None => unsure += 1,
            }
        }
        eprintln!("{read} real pages, {unsure} of them left to the tree");
        if read == 0 {
            eprintln!("skipped: no documentation is installed here");
        }
        assert!(unsure * 10 <= read, "a scan that gives up on every tenth page saves little");
    }
}
