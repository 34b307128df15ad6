//! From octets to records: the line syntax of RFC 9309 section 2.2, read as forgivingly as Google's parser
//! reads it (section 2.3.1.5: parse what can be parsed). It knows nothing of groups.
//!
//! - Lines end with LF, CRLF or CR. A NUL ends what stands before it, but does not count as a line.
//! - A byte order mark is skipped; a UTF-16 one means that the text is UTF-16.
//! - Of a line the first [`MAX_LINE_BYTES`] are read.
//! - Keys are compared by their beginning and without regard to case, the frequent misspellings included;
//!   white space stands in for a missing colon when exactly one word follows.

use std::borrow::Cow;

/// Octets of one line that are read; what follows on it is ignored (eight times the longest URL of browsers).
pub const MAX_LINE_BYTES: usize = 2083 * 8 - 1;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    UserAgent,
    Allow,
    Disallow,
    Sitemap,
    CrawlDelay,
    RequestRate,
    VisitTime,
    ContentUsage,
    Host,
    CleanParam,
    Unknown,
}

/// One line with a key and a value; the value has no white space at its ends and no comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub line: u32,
    pub key: Key,
    pub value: &'a [u8],
}

/// Keys that count only when the whole key is this; a blank and a hyphen in them are the same.
const EXTENSIONS: [(&[u8], Key); 6] = [
    (b"crawl-delay", Key::CrawlDelay),
    (b"request-rate", Key::RequestRate),
    (b"visit-time", Key::VisitTime),
    (b"content-usage", Key::ContentUsage),
    (b"host", Key::Host),
    (b"clean-param", Key::CleanParam),
];

/// Keys that count when a key begins with them, in the order in which they are tried.
const BEGINNINGS: [(&[u8], Key); 12] = [
    (b"user-agent", Key::UserAgent),
    (b"useragent", Key::UserAgent),
    (b"user agent", Key::UserAgent),
    (b"allow", Key::Allow),
    (b"disallow", Key::Disallow),
    (b"dissallow", Key::Disallow),
    (b"dissalow", Key::Disallow),
    (b"disalow", Key::Disallow),
    (b"diasllow", Key::Disallow),
    (b"disallaw", Key::Disallow),
    (b"sitemap", Key::Sitemap),
    (b"site-map", Key::Sitemap),
];

/// The text without its byte order mark, as UTF-8 if it was UTF-16.
pub(super) fn decode(body: &[u8]) -> Cow<'_, [u8]> {
    match body {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_be_bytes)),
        _ => Cow::Borrowed(skip_mark(body)),
    }
}

/// Skips a UTF-8 byte order mark, also one of which the end was lost on the way.
fn skip_mark(body: &[u8]) -> &[u8] {
    const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
    let length = body.iter().zip(MARK).take_while(|&(&found, mark)| found == mark).count();
    &body[length..]
}

fn decode_utf16(body: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = body.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.into_bytes()
}

/// The records of the lines that begin within the first `limit` octets.
pub(super) fn records(text: &[u8], limit: usize) -> impl Iterator<Item = Record<'_>> {
    Lines { text, at: 0, limit, line: 0 }.flat_map(|(line, octets)| {
        let octets = &octets[..octets.len().min(MAX_LINE_BYTES)];
        octets.split(|&octet| octet == 0).filter_map(move |part| record(line, part))
    })
}

struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    limit: usize,
    line: u32,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.text.len().min(self.limit) {
            return None;
        }
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|&octet| octet == b'\n' || octet == b'\r').unwrap_or(rest.len());
        let ending = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        self.at += end + ending;
        self.line += 1;
        Some((self.line, &rest[..end]))
    }
}

fn record(line: u32, octets: &[u8]) -> Option<Record<'_>> {
    let end = octets.iter().position(|&octet| octet == b'#').unwrap_or(octets.len());
    let octets = trim(&octets[..end]);
    let (key, value) = match octets.iter().position(|&octet| octet == b':') {
        Some(colon) => colon_record(octets, colon)?,
        None => blank_record(octets)?,
    };
    Some(Record { line, key, value })
}

/// Prose is no record: without a colon the key has to be a known one.
fn blank_record(octets: &[u8]) -> Option<(Key, &[u8])> {
    let (word, value) = two_words(octets)?;
    let key = key_of(word);
    (key != Key::Unknown).then_some((key, value))
}

fn colon_record(octets: &[u8], colon: usize) -> Option<(Key, &[u8])> {
    let name = trim(&octets[..colon]);
    if name.is_empty() {
        return None;
    }
    // `Sitemap https://...` and `Disallow /a:b` lack their colon; the one that was found is part of the value.
    let blank = blank_record(octets).filter(|(_, value)| is_start_of_value(value));
    let colon_in_value = octets[..colon].iter().any(|&octet| is_blank(octet));
    blank.filter(|_| colon_in_value).or_else(|| Some((key_of(name), trim(&octets[colon + 1..]))))
}

fn is_start_of_value(value: &[u8]) -> bool {
    value.starts_with(b"/") || value.starts_with(b"*") || begins_with(value, b"http")
}

/// The two words of a line of exactly two words.
fn two_words(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let gap = octets.iter().position(|&octet| is_blank(octet))?;
    let value = trim(&octets[gap..]);
    (!value.is_empty() && !value.iter().any(|&octet| is_blank(octet))).then_some((&octets[..gap], value))
}

fn key_of(name: &[u8]) -> Key {
    let whole = |word: &[u8]| {
        word.len() == name.len() && word.iter().zip(name).all(|(&want, &is)| want == hyphenated(is))
    };
    let beginning = BEGINNINGS.iter().find(|(word, _)| begins_with(name, word));
    let extension = || EXTENSIONS.iter().find(|(word, _)| whole(word));
    beginning.or_else(extension).map_or(Key::Unknown, |&(_, key)| key)
}

fn hyphenated(octet: u8) -> u8 {
    if octet == b' ' { b'-' } else { octet.to_ascii_lowercase() }
}

fn begins_with(octets: &[u8], word: &[u8]) -> bool {
    octets.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn is_blank(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

/// Takes ASCII white space off both ends, the vertical tab included.
fn trim(mut octets: &[u8]) -> &[u8] {
    let is_space = |octet: u8| octet.is_ascii_whitespace() || octet == 0x0B;
    while let [first, rest @ ..] = octets
        && is_space(*first)
    {
        octets = rest;
    }
    while let [rest @ .., last] = octets
        && is_space(*last)
    {
        octets = rest;
    }
    octets
}
