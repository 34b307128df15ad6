//! The `Content-Type` field: what kind of document an answer is, and the charset it declares (RFC 9110 8.3).

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// A `Content-Type` value, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// `type/subtype` in lower case.
    pub essence: String,
    /// The charset parameter, if it names an encoding of the Encoding standard.
    pub charset: Option<&'static Encoding>,
}

impl ContentType {
    /// Reads a field value; `None` if there is no `type/subtype` in it.
    ///
    /// ```
    /// use crawl::headers::charset::ContentType;
    /// let read = ContentType::parse("Text/HTML; Charset=\"latin1\"").unwrap();
    /// assert_eq!(read.essence, "text/html");
    /// assert_eq!(read.charset.unwrap().name(), "windows-1252");
    /// ```
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subkind) = essence.split_once('/')?;
        if kind.is_empty() || subkind.is_empty() || essence.contains(char::is_whitespace) {
            return None;
        }
        let charset = parts.find_map(charset_parameter).and_then(encoding_of);
        Some(Self { essence, charset })
    }

    /// Whether it says HTML or XHTML.
    #[must_use]
    pub fn is_html(&self) -> bool {
        matches!(self.essence.as_str(), "text/html" | "application/xhtml+xml")
    }

    /// Whether it says JSON, by its own name or as `+json`.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self.essence.as_str(), "application/json" | "text/json") || self.essence.ends_with("+json")
    }

    /// Whether it says XML, by its own name or as `+xml`.
    #[must_use]
    pub fn is_xml(&self) -> bool {
        matches!(self.essence.as_str(), "application/xml" | "text/xml") || self.essence.ends_with("+xml")
    }
}

fn charset_parameter(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
}

/// The encoding of a label (Encoding standard 4.2): `iso-8859-1` is windows-1252, and so on.
#[must_use]
pub fn encoding_of(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
}

/// The encoding that a label means inside a document (HTML standard, prescan): a document whose `<meta>` could be read is
/// not UTF-16, and `x-user-defined` is windows-1252.
#[must_use]
pub fn encoding_in_document(label: &str) -> Option<&'static Encoding> {
    let encoding = encoding_of(label)?;
    Some(match encoding.name() {
        "UTF-16LE" | "UTF-16BE" => UTF_8,
        "x-user-defined" => WINDOWS_1252,
        _ => encoding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset(value: &str) -> Option<&'static str> {
        Some(ContentType::parse(value)?.charset?.name())
    }

    #[test]
    fn the_charset_is_found_in_any_notation() {
        for value in [
            "text/html; charset=iso-8859-2",
            "text/html;charset=\"ISO-8859-2\"",
            "text/html; boundary=x; CHARSET = 'latin2' ",
        ] {
            assert_eq!(charset(value), Some("ISO-8859-2"), "{value}");
        }
    }

    #[test]
    fn a_charset_that_nobody_knows_is_none() {
        assert_eq!(charset("text/html; charset=bogus"), None);
        assert_eq!(charset("text/html; charset="), None);
        assert_eq!(charset("text/html"), None);
    }

    #[test]
    fn a_value_without_a_type_is_no_content_type() {
        for value in ["", "html", "; charset=utf-8", "/", "text/", "a b/c"] {
            assert_eq!(ContentType::parse(value), None, "{value}");
        }
    }

    #[test]
    fn kinds_are_told_apart_by_essence() {
        let is = |value: &str| {
            let read = ContentType::parse(value).unwrap();
            (read.is_html(), read.is_json(), read.is_xml())
        };
        assert_eq!(is("TEXT/HTML"), (true, false, false));
        assert_eq!(is("application/xhtml+xml"), (true, false, true));
        assert_eq!(is("application/ld+json"), (false, true, false));
        assert_eq!(is("application/pdf"), (false, false, false));
    }

    #[test]
    fn utf_16_in_a_document_is_utf_8() {
        assert_eq!(encoding_in_document("utf-16le").unwrap().name(), "UTF-8");
        assert_eq!(encoding_in_document("x-user-defined").unwrap().name(), "windows-1252");
        assert_eq!(encoding_of("utf-16le").unwrap().name(), "UTF-16LE");
    }
}
