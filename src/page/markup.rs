//! Feeds a document to the tokenizer with the attributes of over-long tags cut off.
//!
//! The tokenizer compares each attribute with all before it in the same tag, so a tag with 100,000 of them costs seconds.
//! Where a tag begins and ends depends on what came before (comments, scripts, text areas) and only the tree builder
//! knows that; so this scan runs ahead of the tokenizer by the tokenizer's own rules and asks the `Gate` after each tag
//! that may switch to raw text. One pass, no backtracking.

use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tokenizer, TokenizerOpts};

use super::tree::{Document, Gate, Limit, MAX_DEPTH, Mode};

/// Attributes of one tag that are read; the rest of the tag is dropped.
pub const MAX_ATTRIBUTES: usize = 1_000;

/// Words of eight bytes that are looked at one by one: what is sought between tags is near most times.
const NEAR: usize = 3;

/// Start tags after which the tokenizer may read raw text instead of markup.
const MAY_BE_RAW: [&[u8]; 11] = [
    b"iframe",
    b"listing",
    b"noembed",
    b"noframes",
    b"noscript",
    b"plaintext",
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
];

/// Builds the tree of `text`, bounded in depth, size and attributes.
#[must_use]
pub fn parse(text: &str) -> Document {
    parse_within(text, MAX_DEPTH)
}

/// As [`parse`], with so many elements in one another at most.
pub(super) fn parse_within(text: &str, most_depth: usize) -> Document {
    let mut feeder = Feeder::new(text, most_depth);
    while feeder.at < text.len() && !feeder.tokenizer.sink.is_full() {
        match feeder.tokenizer.sink.mode() {
            Mode::Markup => feeder.markup(),
            Mode::Raw(name) => feeder.raw(&name),
            Mode::Plaintext => feeder.feed_to(text.len()),
        }
    }
    feeder.tokenizer.end();
    let mut document = feeder.tokenizer.sink.finish();
    if feeder.cut_attributes {
        document.limits.push(Limit::Attributes);
    }
    document
}

struct Feeder<'t> {
    text: &'t str,
    /// Everything before this byte has been fed or cut.
    at: usize,
    cut_attributes: bool,
    queue: BufferQueue,
    tokenizer: Tokenizer<Gate>,
}

impl<'t> Feeder<'t> {
    fn new(text: &'t str, most_depth: usize) -> Self {
        Self {
            text,
            at: 0,
            cut_attributes: false,
            queue: BufferQueue::default(),
            tokenizer: Tokenizer::new(Gate::new(most_depth), TokenizerOpts::default()),
        }
    }

    fn feed_to(&mut self, end: usize) {
        let text = self.text;
        self.feed(&text[self.at..end]);
        self.at = end;
    }

    fn feed(&self, text: &str) {
        self.queue.push_back(StrTendril::from_slice(text));
        self.run();
    }

    fn run(&self) {
        while !matches!(self.tokenizer.feed(&self.queue), TokenizerResult::Done) {}
    }

    /// Reads markup up to the next place where the tokenizer must be asked how to go on.
    fn markup(&mut self) {
        let bytes = self.text.as_bytes();
        let mut scan = self.at;
        while let Some(start) = find(bytes, scan, b'<') {
            match construct(bytes, start) {
                Construct::Plain(end) => scan = end,
                Construct::Switching(end) => return self.feed_to(end),
                Construct::LongTag { kept, end } => {
                    self.feed_to(kept);
                    self.feed(">");
                    self.at = end;
                    self.cut_attributes = true;
                    return;
                }
                Construct::CData => {
                    self.feed_to(start);
                    return self.cdata(start);
                }
            }
        }
        self.feed_to(bytes.len());
    }

    /// `<![CDATA[` is a section inside SVG and MathML, and a comment up to `>` elsewhere.
    fn cdata(&mut self, start: usize) {
        let end = if self.tokenizer.sink.is_foreign() {
            find_text(self.text, start, "]]>").unwrap_or(self.text.len())
        } else {
            past(self.text.as_bytes(), start, b'>')
        };
        self.feed_to(end);
    }

    /// Reads raw text up to an end tag of `name`; in a script that end tag may turn out to be text.
    fn raw(&mut self, name: &str) {
        let bytes = self.text.as_bytes();
        let Some(start) = find_end_tag(bytes, self.at, name.as_bytes()) else {
            return self.feed_to(bytes.len());
        };
        let name_end = start + 2 + name.len();
        self.feed_to(name_end);
        self.feed(">");
        self.at = if self.tokenizer.sink.mode() == Mode::Markup {
            attributes(bytes, name_end).0
        } else {
            (name_end + 1).min(bytes.len())
        };
    }
}

/// What begins at a `<`.
enum Construct {
    /// Something that ends before this byte and leaves the tokenizer in markup.
    Plain(usize),
    /// A tag that ends before this byte, after which raw text may come.
    Switching(usize),
    /// A tag with too many attributes: up to `kept` it is read, the next thing begins at `end`.
    LongTag { kept: usize, end: usize },
    /// `<![CDATA[`.
    CData,
}

fn construct(bytes: &[u8], start: usize) -> Construct {
    match bytes.get(start + 1) {
        Some(byte) if byte.is_ascii_alphabetic() => tag(bytes, start + 1),
        Some(b'/') => match bytes.get(start + 2) {
            Some(byte) if byte.is_ascii_alphabetic() => tag(bytes, start + 2),
            Some(_) => Construct::Plain(past(bytes, start + 2, b'>')),
            None => Construct::Plain(bytes.len()),
        },
        Some(b'!') if bytes[start..].starts_with(b"<!--") => Construct::Plain(comment_end(bytes, start + 4)),
        Some(b'!') if bytes[start..].starts_with(b"<![CDATA[") => Construct::CData,
        Some(b'!' | b'?') => Construct::Plain(past(bytes, start, b'>')),
        _ => Construct::Plain(start + 1),
    }
}

fn tag(bytes: &[u8], name_start: usize) -> Construct {
    let name_end = skip(bytes, name_start, in_tag_name);
    let (end, cut) = attributes(bytes, name_end);
    if let Some(kept) = cut {
        return Construct::LongTag { kept, end };
    }
    let name = &bytes[name_start..name_end];
    if MAY_BE_RAW.iter().any(|raw| raw.eq_ignore_ascii_case(name)) {
        Construct::Switching(end)
    } else {
        Construct::Plain(end)
    }
}

/// Reads attributes up to the end of the tag: where the next thing begins, and where to cut if there are too many.
fn attributes(bytes: &[u8], from: usize) -> (usize, Option<usize>) {
    let (mut at, mut count, mut cut) = (from, 0, None);
    loop {
        at = skip(bytes, at, |byte| is_space(byte) || byte == b'/');
        match bytes.get(at) {
            None => return (bytes.len(), cut),
            Some(b'>') => return (at + 1, cut),
            Some(_) => {}
        }
        if count == MAX_ATTRIBUTES {
            cut = Some(at);
        }
        count += 1;
        at = attribute(bytes, at);
    }
}

/// Reads one attribute that begins at `at`; a `=` in first place belongs to the name.
fn attribute(bytes: &[u8], at: usize) -> usize {
    let name_end = skip(bytes, at + 1, in_attribute_name);
    let equals = skip(bytes, name_end, is_space);
    if bytes.get(equals) != Some(&b'=') {
        return name_end;
    }
    let value = skip(bytes, equals + 1, is_space);
    match bytes.get(value) {
        Some(quote @ (b'"' | b'\'')) => past(bytes, value + 1, *quote),
        _ => skip(bytes, value, |byte| !is_space(byte) && byte != b'>'),
    }
}

/// Where a comment ends whose text begins at `from`: after `-->` or `--!>`, or at once for `<!-->` and `<!--->`.
pub(super) fn comment_end(bytes: &[u8], from: usize) -> usize {
    let rest = &bytes[from..];
    if rest.starts_with(b">") {
        return from + 1;
    }
    if rest.starts_with(b"->") {
        return from + 2;
    }
    let mut at = from;
    while let Some(close) = find(bytes, at, b'>') {
        let before = &bytes[from..close];
        if before.ends_with(b"--") || before.ends_with(b"--!") {
            return close + 1;
        }
        at = close + 1;
    }
    bytes.len()
}

pub(super) fn find_end_tag(bytes: &[u8], from: usize, name: &[u8]) -> Option<usize> {
    let mut at = from;
    while let Some(start) = find(bytes, at, b'<') {
        let after = start + 2 + name.len();
        let named = bytes.get(start + 1) == Some(&b'/')
            && bytes.get(start + 2..after).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if named && bytes.get(after).is_some_and(|byte| is_space(*byte) || matches!(byte, b'/' | b'>')) {
            return Some(start);
        }
        at = start + 1;
    }
    None
}

#[inline]
pub(super) fn find(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let (words, _) = rest.as_chunks::<8>();
    let near = words.len().min(NEAR);
    for (place, word) in words[..near].iter().enumerate() {
        if let Some(at) = in_word(*word, wanted) {
            return Some(from + 8 * place + at);
        }
    }
    memchr::memchr(wanted, &rest[8 * near..]).map(|at| from + 8 * near + at)
}

/// Where in a word a byte stands first. What is taken from a byte that is not 0 borrows nothing from the next one, so the lowest
/// mark is the right one.
#[inline]
const fn in_word(word: [u8; 8], wanted: u8) -> Option<usize> {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let zero_if_found = u64::from_le_bytes(word) ^ u64::from_le_bytes([wanted; 8]);
    let marks = zero_if_found.wrapping_sub(LOW) & !zero_if_found & HIGH;
    if marks == 0 { None } else { Some(marks.trailing_zeros() as usize / 8) }
}

/// The byte after the next `wanted`, or the end.
pub(super) fn past(bytes: &[u8], from: usize, wanted: u8) -> usize {
    find(bytes, from, wanted).map_or(bytes.len(), |at| at + 1)
}

fn find_text(text: &str, from: usize, wanted: &str) -> Option<usize> {
    text[from..].find(wanted).map(|at| from + at + wanted.len())
}

#[inline]
pub(super) fn skip(bytes: &[u8], from: usize, mut while_true: impl FnMut(u8) -> bool) -> usize {
    let mut at = from.min(bytes.len());
    while let Some(byte) = bytes.get(at)
        && while_true(*byte)
    {
        at += 1;
    }
    at
}

#[inline]
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

/// Whether a byte is part of the name of a tag; looked up, as it is asked for every other byte of markup.
#[inline]
pub(super) const fn in_tag_name(byte: u8) -> bool {
    IN_TAG_NAME[byte as usize]
}

/// Whether a byte is part of the name of an attribute, but for its first one.
#[inline]
pub(super) const fn in_attribute_name(byte: u8) -> bool {
    IN_TAG_NAME[byte as usize] && byte != b'='
}

const IN_TAG_NAME: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = !(is_space(byte as u8) || matches!(byte as u8, b'/' | b'>'));
        byte += 1;
    }
    table
};

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use scraper::Html;

    /// What an unbounded parser makes of the same text; we keep no comments.
    fn reference(text: &str) -> String {
        let mut html = Html::parse_document(text);
        let comments = html.tree.nodes().filter(|node| node.value().is_comment());
        for id in comments.map(|node| node.id()).collect::<Vec<_>>() {
            html.tree.get_mut(id).unwrap().detach();
        }
        html.html()
    }

    /// Pieces that make ordinary documents, whole and not so whole.
    pub(in crate::page) const PIECES: [&str; 40] = [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<a href='/x>y'>",
        "</a>",
        "<div class=\"a b\" id=c>",
        "</div>",
        "<script>",
        "</script>",
        "<style>",
        "</STYLE >",
        "<title>",
        "</title/>",
        "<textarea>",
        "</textarea a=\"</b>\">",
        "<svg>",
        "</svg>",
        "<![CDATA[",
        "]]>",
        "<!--c-->",
        "<!doctype html>",
        "<?pi?>",
        "</>",
        "</ x>",
        "<table>",
        "<td>",
        "</table>",
        "<select>",
        "<option>",
        "</select>",
        "text ",
        "&amp;",
        "a<b",
        "<br/>",
        "<i x=1 y='2\"' z>",
        "'",
        "\"",
        "<iframe>",
        "</iframe>",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

        #[test]
        fn ordinary_documents_give_the_tree_that_the_plain_parser_gives(
            picks in prop::collection::vec(0..PIECES.len(), 0..24),
        ) {
            let text: String = picks.iter().map(|pick| PIECES[*pick]).collect();
            prop_assert_eq!(parse(&text).html.html(), reference(&text));
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands_first() {
        for length in 0..60 {
            for from in 0..=length + 1 {
                for at in 0..length {
                    let mut bytes = vec![b'>' + 1; length];
                    (bytes[at], bytes[length - 1]) = (b'>', b'>');
                    let first =
                        if at >= from { Some(at) } else { Some(length - 1).filter(|last| *last >= from) };
                    assert_eq!(find(&bytes, from, b'>'), first, "{length} {from} {at}");
                }
            }
        }
        assert_eq!(find(b"\x00\xff=\x80>\x01>x", 0, b'>'), Some(4));
    }

    #[test]
    fn what_is_inside_noscript_is_part_of_the_document() {
        let html = parse("<noscript><a href=/plain>x</a></noscript>").html.html();
        assert!(html.contains("<a href=\"/plain\">x</a>"), "{html}");
    }

    #[test]
    fn comments_are_not_kept() {
        assert!(!parse("a<!-- secret -->b").html.html().contains("secret"));
    }

    #[test]
    fn a_tag_keeps_its_first_thousand_attributes() {
        let many: String = (0..5_000).map(|n| format!(" a{n}=\">\"")).collect();
        let html = parse(&format!("<p{many}>in</p><i>after</i>")).html;
        let p = html.select(&scraper::Selector::parse("p").unwrap()).next().unwrap();
        assert_eq!(p.value().attrs().count(), MAX_ATTRIBUTES);
        assert_eq!(p.inner_html(), "in");
        assert_eq!(html.select(&scraper::Selector::parse("i").unwrap()).count(), 1);
    }

    #[test]
    fn a_script_in_a_script_ends_where_the_tokenizer_ends_it() {
        let html = parse("<script><!--<script></script>x--></script><p>y").html.html();
        assert_eq!(html, reference("<script><!--<script></script>x--></script><p>y"));
    }
}
