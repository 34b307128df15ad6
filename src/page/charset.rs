//! In which encoding a document is written.
//!
//! In this order: byte order mark, the charset of the `Content-Type` field, what the document declares of itself in its
//! first 1,024 bytes (HTML standard 13.2.3.2, prescan), and where nothing is declared windows-1252 for HTML, as the HTML
//! standard's own test suite demands. Nothing is guessed from the bytes of HTML: a guess changes from page to page, and a
//! record that once read `é` must not read `Ã©` tomorrow. JSON and XML are UTF-8 unless they say otherwise; other text is
//! UTF-8 if all of it is valid UTF-8.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::headers::charset::{ContentType, encoding_in_document};

/// Bytes in which a document may declare its encoding.
pub const PRESCAN_BYTES: usize = 1_024;

/// The encoding of a body, given what its `Content-Type` says.
#[must_use]
pub fn encoding(content_type: Option<&ContentType>, body: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding;
    }
    if let Some(declared) = content_type.and_then(|read| read.charset) {
        return declared;
    }
    match content_type {
        Some(read) if read.is_json() => UTF_8,
        Some(read) if read.is_xml() => prescan(body).unwrap_or(UTF_8),
        Some(read) if !read.is_html() => of_plain_text(body),
        _ => prescan(body).unwrap_or(WINDOWS_1252),
    }
}

fn of_plain_text(body: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(body).is_ok() { UTF_8 } else { WINDOWS_1252 }
}

/// The encoding that a document declares in its first [`PRESCAN_BYTES`], by `<meta>` or by an XML declaration.
#[must_use]
pub fn prescan(body: &[u8]) -> Option<&'static Encoding> {
    let bytes = &body[..body.len().min(PRESCAN_BYTES)];
    if bytes.starts_with(b"<\0?\0x\0") {
        return Some(UTF_16LE);
    }
    if bytes.starts_with(b"\0<\0?\0x") {
        return Some(UTF_16BE);
    }
    Scan { bytes, at: 0 }.run().or_else(|| xml_declaration(bytes))
}

/// `<?xml version="1.0" encoding="…"?>` at the very beginning.
fn xml_declaration(bytes: &[u8]) -> Option<&'static Encoding> {
    let rest = bytes.strip_prefix(b"<?xml")?;
    let declaration = &rest[..rest.iter().position(|byte| *byte == b'>')?];
    let name = declaration.windows(8).position(|window| window == b"encoding")?;
    let value = declaration[name + 8..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let label = &value[..value.iter().position(|byte| byte == quote)?];
    encoding_in_document(std::str::from_utf8(label).ok()?)
}

/// The prescan. Every reader answers `None` where the bytes end: what is cut off in the middle declares nothing.
struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
}

#[derive(Default)]
struct Meta {
    names: Vec<Vec<u8>>,
    pragma: bool,
    need_pragma: Option<bool>,
    charset: Option<&'static Encoding>,
    unknown: bool,
}

impl<'b> Scan<'b> {
    fn run(mut self) -> Option<&'static Encoding> {
        while self.at < self.bytes.len() {
            let rest = self.rest();
            if rest.starts_with(b"<!--") {
                self.comment()?;
            } else if is_meta(rest) {
                self.at += 5;
                if let Some(encoding) = self.meta()? {
                    return Some(encoding);
                }
            } else if is_tag(rest) {
                self.tag()?;
            } else if rest.starts_with(b"<!") || rest.starts_with(b"</") || rest.starts_with(b"<?") {
                self.to(b'>')?;
            }
            self.at += 1;
        }
        None
    }

    fn rest(&self) -> &'b [u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    /// Moves to the next `byte`.
    fn to(&mut self, byte: u8) -> Option<()> {
        self.at += self.rest().iter().position(|found| *found == byte)?;
        Some(())
    }

    /// Moves to the `>` of the next `-->`, whose dashes may be those of the beginning.
    fn comment(&mut self) -> Option<()> {
        let from = self.at + 2;
        let end = self.bytes[from..].windows(3).position(|window| window == b"-->")?;
        self.at = from + end + 2;
        Some(())
    }

    fn tag(&mut self) -> Option<()> {
        let name = self.rest().iter().position(|byte| is_space(*byte) || *byte == b'>')?;
        self.at += name;
        while self.attribute()?.is_some() {}
        Some(())
    }

    /// Reads the attributes of a `<meta`; the inner answer is `None` if they declare no encoding.
    fn meta(&mut self) -> Option<Option<&'static Encoding>> {
        let mut meta = Meta::default();
        while let Some((name, value)) = self.attribute()? {
            meta.note(name, &value);
        }
        Some(meta.verdict())
    }

    /// Reads one attribute in lower case; the inner answer is `None` at the end of the tag.
    fn attribute(&mut self) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
        self.skip(|byte| is_space(byte) || byte == b'/')?;
        if self.peek()? == b'>' {
            return Some(None);
        }
        let mut name = Vec::new();
        loop {
            match self.peek()? {
                b'=' if !name.is_empty() => break,
                byte if is_space(byte) => {
                    self.skip(is_space)?;
                    if self.peek()? != b'=' {
                        return Some(Some((name, Vec::new())));
                    }
                    break;
                }
                b'/' | b'>' => return Some(Some((name, Vec::new()))),
                byte => name.push(byte.to_ascii_lowercase()),
            }
            self.at += 1;
        }
        self.at += 1;
        let value = self.value()?;
        Some(Some((name, value)))
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        self.skip(is_space)?;
        let mut value = Vec::new();
        let first = self.peek()?;
        if matches!(first, b'"' | b'\'') {
            self.at += 1;
            while self.peek()? != first {
                value.push(self.peek()?.to_ascii_lowercase());
                self.at += 1;
            }
            self.at += 1;
            return Some(value);
        }
        loop {
            match self.peek()? {
                b'>' => return Some(value),
                byte if is_space(byte) => return Some(value),
                byte => value.push(byte.to_ascii_lowercase()),
            }
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, mut wanted: impl FnMut(u8) -> bool) -> Option<()> {
        while wanted(self.peek()?) {
            self.at += 1;
        }
        Some(())
    }
}

impl Meta {
    fn note(&mut self, name: Vec<u8>, value: &[u8]) {
        if self.names.contains(&name) {
            return;
        }
        let text = String::from_utf8_lossy(value);
        match name.as_slice() {
            b"http-equiv" if value == b"content-type" => self.pragma = true,
            b"content" if self.charset.is_none() && !self.unknown => {
                if let Some(encoding) = charset_in_content(&text).and_then(encoding_in_document) {
                    self.charset = Some(encoding);
                    self.need_pragma = Some(true);
                }
            }
            b"charset" => {
                self.charset = encoding_in_document(&text);
                self.unknown = self.charset.is_none();
                self.need_pragma = Some(false);
            }
            _ => {}
        }
        self.names.push(name);
    }

    fn verdict(&self) -> Option<&'static Encoding> {
        match self.need_pragma? {
            true if !self.pragma => None,
            _ => self.charset,
        }
    }
}

/// `charset=…` inside the content of a `<meta http-equiv=content-type>` (HTML standard 2.5.5).
fn charset_in_content(content: &str) -> Option<&str> {
    let lower = content.to_ascii_lowercase();
    let mut from = 0;
    loop {
        from += lower[from..].find("charset")? + "charset".len();
        let rest = content[from..].trim_ascii_start();
        let Some(value) = rest.strip_prefix('=') else {
            continue;
        };
        let value = value.trim_ascii_start();
        if let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            return value[1..].split_once(quote).map(|(label, _)| label);
        }
        return value.split(|end: char| end == ';' || end.is_ascii_whitespace()).next();
    }
}

fn is_meta(rest: &[u8]) -> bool {
    rest.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case(b"<meta"))
        && rest.get(5).is_some_and(|byte| is_space(*byte) || *byte == b'/')
}

fn is_tag(rest: &[u8]) -> bool {
    match rest {
        [b'<', b'/', letter, ..] | [b'<', letter, ..] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&'static str> {
        prescan(text.as_bytes()).map(Encoding::name)
    }

    fn of(content_type: &str, body: &[u8]) -> &'static str {
        encoding(ContentType::parse(content_type).as_ref(), body).name()
    }

    #[test]
    fn a_mark_beats_the_header_and_the_header_beats_the_document() {
        let meta = b"<meta charset=euc-jp>";
        assert_eq!(of("text/html; charset=koi8-r", meta), "KOI8-R");
        assert_eq!(of("text/html", meta), "EUC-JP");
        assert_eq!(of("text/html; charset=koi8-r", b"\xef\xbb\xbf<meta charset=euc-jp>"), "UTF-8");
        assert_eq!(of("text/html; charset=koi8-r", b"\xff\xfe<\0"), "UTF-16LE");
    }

    #[test]
    fn html_that_declares_nothing_is_windows_1252() {
        assert_eq!(of("text/html", "é".as_bytes()), "windows-1252");
        assert_eq!(of("", b""), "windows-1252");
        assert_eq!(of("text/html; charset=bogus", b"x"), "windows-1252");
    }

    #[test]
    fn json_and_xml_that_declare_nothing_are_utf_8() {
        assert_eq!(of("application/json", b"\"\xe9\""), "UTF-8");
        assert_eq!(of("application/xhtml+xml", b"<html>"), "UTF-8");
        assert_eq!(of("text/plain", "é".as_bytes()), "UTF-8");
        assert_eq!(of("text/plain", b"\xe9"), "windows-1252");
    }

    #[test]
    fn an_xml_declaration_declares() {
        assert_eq!(found("<?xml version='1.0' encoding='iso-8859-2'?><html>"), Some("ISO-8859-2"));
        assert_eq!(found(" <?xml encoding='iso-8859-2'?>"), None);
    }

    #[test]
    fn what_stands_in_a_comment_declares_nothing() {
        assert_eq!(found("<!-- <meta charset=euc-jp> --><meta charset=koi8-r>"), Some("KOI8-R"));
    }

    #[test]
    fn what_lies_behind_the_first_kilobyte_declares_nothing() {
        let late = format!("{}<meta charset=euc-jp>", " ".repeat(1_010));
        assert_eq!(found(&late), None);
    }

    #[test]
    fn utf_16_that_could_be_read_as_ascii_is_utf_8() {
        assert_eq!(found("<meta charset=utf-16>"), Some("UTF-8"));
        assert_eq!(found("<meta charset=x-user-defined>"), Some("windows-1252"));
    }
}
