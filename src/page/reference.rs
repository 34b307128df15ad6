//! References of a page made absolute.
//!
//! The query of a reference on a page in a legacy encoding is percent-encoded in that encoding (URL standard, encoding
//! override): the server that wrote the page expects it so.

use std::borrow::Cow;

use encoding_rs::Encoding;
use url::Url;

use super::Page;
use crate::url::{CanonicalUrl, MAX_URL_BYTES, UrlError};

impl Page {
    /// Makes a reference absolute, of any scheme and with its fragment; `None` if it is no URL or far too long.
    pub(crate) fn absolute(&self, reference: &str) -> Option<Url> {
        resolve(self.base_url(), reference, self.encoding())
    }

    pub(crate) fn accept(&self, url: Url) -> Result<CanonicalUrl, UrlError> {
        self.canon.accept(url)
    }
}

/// Resolves `reference` against `base`; `None` if it is no URL or longer than any that is accepted.
pub(crate) fn resolve(base: &Url, reference: &str, encoding: &'static Encoding) -> Option<Url> {
    let reference = reference.trim();
    if reference.len() > MAX_URL_BYTES {
        return None;
    }
    let encode = query_encoder(encoding);
    Url::options().base_url(Some(base)).encoding_override(Some(&encode)).parse(reference).ok()
}

fn query_encoder(encoding: &'static Encoding) -> impl for<'q> Fn(&'q str) -> Cow<'q, [u8]> {
    move |query| encode_query(query, encoding)
}

/// A letter that the encoding does not have is written as `%26%23…%3B`, a numeric character reference.
fn encode_query<'q>(query: &'q str, encoding: &'static Encoding) -> Cow<'q, [u8]> {
    let (bytes, _, unmappable) = encoding.encode(query);
    if !unmappable {
        return bytes;
    }
    let mut all = Vec::with_capacity(query.len());
    for letter in query.chars() {
        let mut buffer = [0; 4];
        let (bytes, _, unmappable) = encoding.encode(letter.encode_utf8(&mut buffer));
        if unmappable {
            all.extend(format!("%26%23{}%3B", u32::from(letter)).bytes());
        } else {
            all.extend_from_slice(&bytes);
        }
    }
    Cow::Owned(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(reference: &str, label: &str) -> String {
        let base = Url::parse("http://a.example/x/").unwrap();
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        resolve(&base, reference, encoding).unwrap().to_string()
    }

    #[test]
    fn the_query_is_written_in_the_encoding_of_the_page() {
        assert_eq!(resolved("é?q=é", "windows-1252"), "http://a.example/x/%C3%A9?q=%E9");
        assert_eq!(resolved("?q=é", "utf-8"), "http://a.example/x/?q=%C3%A9");
        assert_eq!(resolved("?q=é", "utf-16le"), "http://a.example/x/?q=%C3%A9");
    }

    #[test]
    fn a_letter_that_the_encoding_lacks_becomes_a_character_reference() {
        assert_eq!(resolved("?q=é\u{4eac}", "windows-1252"), "http://a.example/x/?q=%E9%26%2320140%3B");
    }

    #[test]
    fn an_endless_reference_is_none() {
        let base = Url::parse("http://a.example/").unwrap();
        assert_eq!(resolve(&base, &"x".repeat(20_000_000), encoding_rs::UTF_8), None);
    }
}
