//! What a page says about itself and where it links to: all that a crawl needs of a page that no rule looks into.
//!
//! A tree costs twenty times as much as reading the tags in passing, so a gist is taken by [`super::scan`] wherever that is
//! sure to find what the tree would hold, and from the tree elsewhere. Texts lie in the page; only what had to be decoded is
//! held here.

use super::Page;
use super::element::fold;
use super::scan;

/// Links of a page that are remembered; those behind are counted.
const MAX_ANCHORS: usize = 1_000_000;

/// Links for which room is made with the first.
const LIKELY: usize = 64;

/// `<meta>` elements of a page that are read.
const MAX_METAS: usize = 1_000;

/// A piece of the page's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands in the source, from this byte to that.
    Span(usize, usize),
    /// What it says once its character references are read.
    Own(Box<str>),
}

impl Piece {
    /// The text, given the source that it was taken from.
    pub(crate) fn of<'t>(&'t self, source: &'t str) -> &'t str {
        match self {
            Self::Span(from, to) => &source[*from..*to],
            Self::Own(text) => text,
        }
    }

    fn own(text: &str) -> Self {
        Self::Own(text.into())
    }
}

/// An `<a>` or `<area>` with an `href`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) href: Piece,
    /// Whether its `rel` says `nofollow`.
    pub(crate) nofollow: bool,
}

/// A `<meta>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) name: Option<Piece>,
    pub(crate) http_equiv: Option<Piece>,
    pub(crate) content: Option<Piece>,
    /// Whether it stands in `<noscript>`.
    pub(crate) without_scripts: bool,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gist {
    /// The folded text of the first `<title>` that is not empty.
    pub(crate) title: Option<String>,
    /// `href` of the first `<base>` that has one.
    pub(crate) base: Option<Piece>,
    pub(crate) metas: Vec<Meta>,
    /// `href` of each `<link rel=canonical>`.
    pub(crate) canonical: Vec<Piece>,
    pub(crate) anchors: Vec<Anchor>,
    /// Links behind [`MAX_ANCHORS`].
    pub(crate) unread: usize,
}

impl Gist {
    /// Read in passing, or from the tree where that is not sure to be the same.
    pub(crate) fn of(page: &Page) -> Self {
        if page.document.get().is_none()
            && page.is_html()
            && let Some(gist) = scan::gist(page.text())
        {
            return gist;
        }
        Self::of_tree(page)
    }

    /// From the tree.
    pub(crate) fn of_tree(page: &Page) -> Self {
        let mut gist = Self::default();
        for element in page.elements() {
            match element.name() {
                "a" | "area" => {
                    if let Some(href) = element.attr("href") {
                        let nofollow = has_word(element.attr("rel"), "nofollow");
                        gist.anchor(Anchor { href: Piece::own(href), nofollow });
                    }
                }
                "base" => gist.base(element.attr("href").map(Piece::own)),
                "link" if has_word(element.attr("rel"), "canonical") => {
                    gist.canonical.extend(element.attr("href").map(Piece::own));
                }
                "meta" => {
                    let piece = |name| element.attr(name).map(Piece::own);
                    let (name, content) = (piece("name"), piece("content"));
                    let without_scripts = element.is_inside("noscript");
                    gist.meta(Meta { name, content, http_equiv: piece("http-equiv"), without_scripts });
                }
                "title" if !element.is_in_svg() => gist.title(&element.raw_text()),
                _ => {}
            }
        }
        gist
    }

    pub(super) fn anchor(&mut self, anchor: Anchor) {
        if self.anchors.is_empty() {
            self.anchors.reserve(LIKELY);
        }
        if self.anchors.len() < MAX_ANCHORS {
            self.anchors.push(anchor);
        } else {
            self.unread += 1;
        }
    }

    pub(super) fn meta(&mut self, meta: Meta) {
        if self.metas.len() < MAX_METAS {
            self.metas.push(meta);
        }
    }

    pub(super) fn base(&mut self, href: Option<Piece>) {
        if self.base.is_none() {
            self.base = href;
        }
    }

    pub(super) fn title(&mut self, text: &str) {
        if self.title.is_none() {
            self.title = Some(fold(text)).filter(|title| !title.is_empty());
        }
    }
}

/// Whether a list of words separated by white space holds this one, whatever its case.
pub(super) fn has_word(list: Option<&str>, word: &str) -> bool {
    list.unwrap_or_default().split_ascii_whitespace().any(|found| found.eq_ignore_ascii_case(word))
}
