//! References resolved by the URL standard, as a browser does it, for any scheme.
//!
//! Two things are added to the parser of crate `url`: the query of a link on a page in a legacy charset is encoded in that
//! charset (URL standard 4.1, "encoding" of the basic URL parser), and a reference with three or more slashes in front is
//! read as one with two (the "special authority ignore slashes" state), which that parser does not do against a base.

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding, UTF_8};
use url::{ParseError, Url};

/// Parses `input` by the URL standard, against `base` if there is one.
///
/// `encoding` is the charset of the page that the reference stands on; only the query depends on it, and only in http,
/// https, ftp and file URLs. The result may have any scheme: [`Canon`](super::Canon) decides what can be crawled.
///
/// # Errors
/// The parser's own error if `input` is no URL.
pub fn resolve(input: &str, base: Option<&Url>, encoding: &'static Encoding) -> Result<Url, ParseError> {
    let input = folded_slashes(input, base);
    let encoding = encoding.output_encoding();
    if encoding == UTF_8 || input.is_ascii() && encoding.is_ascii_compatible() {
        return Url::options().base_url(base).parse(&input);
    }
    let input = without_line_breaks(&input);
    let encode: &dyn Fn(&str) -> Cow<'_, [u8]> = &|query| Cow::Owned(encode_query(query, encoding));
    Url::options().base_url(base).encoding_override(Some(encode)).parse(&input)
}

/// Drops the slashes after the first two where the standard ignores them: in a reference without a scheme of its own,
/// against a base with one of the schemes that always have a host.
fn folded_slashes<'a>(input: &'a str, base: Option<&Url>) -> Cow<'a, str> {
    let first = input.trim_start_matches(is_c0_or_space).chars().next();
    let has_host = base.is_some_and(|base| matches!(base.scheme(), "http" | "https" | "ws" | "wss" | "ftp"));
    if !has_host || !first.is_some_and(is_slash) {
        return Cow::Borrowed(input);
    }
    let plain = without_line_breaks(input.trim_matches(is_c0_or_space));
    let rest = plain.trim_start_matches(is_slash);
    if plain.len() - rest.len() < 3 {
        return Cow::Borrowed(input);
    }
    Cow::Owned(format!("//{rest}"))
}

fn is_slash(letter: char) -> bool {
    matches!(letter, '/' | '\\')
}

fn is_c0_or_space(letter: char) -> bool {
    letter <= ' '
}

fn is_line_break(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r')
}

/// Tabs and line breaks are no part of a URL wherever they stand (URL standard 4.4).
fn without_line_breaks(input: &str) -> Cow<'_, str> {
    if input.contains(is_line_break) {
        Cow::Owned(input.replace(is_line_break, ""))
    } else {
        Cow::Borrowed(input)
    }
}

/// The bytes of a query in `encoding`; what it cannot express becomes a percent-encoded `&#123;` (URL standard 1.3).
fn encode_query(query: &str, encoding: &'static Encoding) -> Vec<u8> {
    let mut encoder = encoding.new_encoder();
    let mut bytes = Vec::with_capacity(query.len() * 2);
    let mut rest = query;
    loop {
        let room =
            encoder.max_buffer_length_from_utf8_without_replacement(rest.len()).expect("a URL is short");
        bytes.reserve(room.min(MOST_BYTES_A_STEP));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return bytes,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(letter) => {
                bytes.extend_from_slice(format!("%26%23{}%3B", u32::from(letter)).as_bytes());
            }
        }
    }
}

/// Room made in front of each call of the encoder. A constant, so that a query of nothing but letters that cannot be
/// encoded does not reserve its whole length again for each of them.
const MOST_BYTES_A_STEP: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn in_charset(reference: &str, encoding: &'static Encoding) -> String {
        let base = Url::parse("http://a.example/page").unwrap();
        resolve(reference, Some(&base), encoding).unwrap().into()
    }

    #[test]
    fn the_query_is_encoded_in_the_charset_of_the_page_and_the_path_in_utf_8() {
        assert_eq!(
            in_charset("/ä?ä=ä#ä", encoding_rs::WINDOWS_1252),
            "http://a.example/%C3%A4?%E4=%E4#%C3%A4"
        );
    }

    #[test]
    fn a_letter_that_the_charset_does_not_have_becomes_a_character_reference() {
        assert_eq!(
            in_charset("?q=€日", encoding_rs::WINDOWS_1252),
            "http://a.example/page?q=%80%26%2326085%3B"
        );
    }

    #[test]
    fn a_page_in_utf_16_sends_its_queries_in_utf_8() {
        assert_eq!(in_charset("?ä", encoding_rs::UTF_16LE), "http://a.example/page?%C3%A4");
    }

    #[test]
    fn a_long_query_of_letters_that_cannot_be_encoded_is_done_in_linear_time() {
        let query = "日".repeat(20_000);
        let url = in_charset(&format!("?{query}"), encoding_rs::ISO_8859_2);
        assert_eq!(url.matches("%26%2326085%3B").count(), 20_000);
    }

    #[test]
    fn more_than_two_slashes_before_a_host_count_as_two() {
        for reference in ["///b.example/x", "\\\\/b.example/x", " /\t//b.example/x", "////b.example/x"] {
            assert_eq!(in_charset(reference, UTF_8), "http://b.example/x", "{reference:?}");
        }
        assert_eq!(in_charset("/x//y", UTF_8), "http://a.example/x//y");
    }

    #[test]
    fn tabs_line_breaks_and_outer_white_space_are_no_part_of_a_url() {
        assert_eq!(in_charset(" \u{1}/a\tb\r\nc ", UTF_8), "http://a.example/abc");
        assert_eq!(in_charset("\n?ä\nä\n", encoding_rs::WINDOWS_1252), "http://a.example/page?%E4%E4");
    }
}
