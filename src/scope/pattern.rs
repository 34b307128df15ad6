//! Patterns over URLs, as they are written in a crawler file.

use std::borrow::Cow;
use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::url::CanonicalUrl;

/// Patterns longer than this are refused.
const MAX_PATTERN_BYTES: usize = 4_096;

/// Most bytes that a compiled pattern may take; the same again for its cache.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A pattern over URLs. Matching takes time linear in the URL, whatever the pattern.
///
/// | written | matched against | meaning |
/// |---|---|---|
/// | `/docs/` | path and query, from their start | a prefix |
/// | `/docs/*/edit` | the same | `*` is any run without a slash, `**` any run; what follows is free |
/// | `/docs/**.html$` | the same | a `$` at the end: nothing follows |
/// | `https://*.example.com/docs/` | the whole URL | the same rules; a host without a path ends there |
/// | `re:[?&]page=\d+` | the whole URL, anywhere in it | a regular expression |
///
/// Patterns are compared with the canonical URL, without name and password. Spaces and letters outside ASCII may be
/// written as they are, except in a regular expression.
#[derive(Debug, Clone)]
pub struct UrlPattern {
    text: String,
    subject: Subject,
    matcher: Matcher,
}

/// Two patterns are equal if they are written alike.
impl PartialEq for UrlPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for UrlPattern {}

#[derive(Debug, Clone, Copy)]
enum Subject {
    PathAndQuery,
    Whole,
}

#[derive(Debug, Clone)]
enum Matcher {
    Prefix(String),
    Exact(String),
    Regex(Regex),
}

impl UrlPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// In words, if it cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(format!(
                "the pattern has {} bytes: at most {MAX_PATTERN_BYTES} are read",
                text.len()
            ));
        }
        let (subject, matcher) = if let Some(regex) = text.strip_prefix("re:") {
            (Subject::Whole, Matcher::Regex(compile(regex, text)?))
        } else if text.starts_with('/') {
            (Subject::PathAndQuery, glob(text, text)?)
        } else if text.contains("://") {
            (Subject::Whole, glob(&whole_url(text)?, text)?)
        } else {
            return Err(format!(
                "`{text}` is no pattern: begin with `/` for a path, with `https://` for a whole URL, or with `re:` for a \
                 regular expression"
            ));
        };
        Ok(Self { text: text.to_owned(), subject, matcher })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the URL matches.
    #[must_use]
    pub fn matches(&self, url: &CanonicalUrl) -> bool {
        let subject = match self.subject {
            Subject::PathAndQuery => Cow::Borrowed(url.path_and_query()),
            Subject::Whole => without_userinfo(url),
        };
        match &self.matcher {
            Matcher::Prefix(prefix) => subject.starts_with(prefix),
            Matcher::Exact(exact) => subject == *exact,
            Matcher::Regex(regex) => regex.is_match(&subject),
        }
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Name and password are no part of what a pattern sees, or `me@` before the host would lead around it.
fn without_userinfo(url: &CanonicalUrl) -> Cow<'_, str> {
    let parsed = url.as_url();
    if parsed.username().is_empty() && parsed.password().is_none() {
        return Cow::Borrowed(url.as_str());
    }
    let rest = &parsed[url::Position::BeforeHost..];
    Cow::Owned(format!("{}://{rest}", parsed.scheme()))
}

/// Scheme and host in the form that canonical URLs have. A host that is not followed by a path ends there:
/// `https://a.example` must not match `https://a.example.evil.example/`.
fn whole_url(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (host, path) = match rest.find(['/', '?']) {
        Some(at) if rest.as_bytes()[at] == b'?' => return Err(format!("`{text}` has no path: write `/?`")),
        Some(at) => rest.split_at(at),
        None => match rest.strip_suffix('$') {
            Some(host) => (host, "/$"),
            None => (rest, "/"),
        },
    };
    if !host.is_ascii() {
        return Err(format!(
            "the host in `{text}` is not in ASCII: write it with `xn--`, as a URL carries it"
        ));
    }
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    Ok(format!("{scheme}://{host}{path}"))
}

/// A prefix where that is enough, which is nearly always; else a regular expression.
fn glob(pattern: &str, text: &str) -> Result<Matcher, String> {
    let encoded = encoded(pattern);
    let (body, is_anchored) = match encoded.strip_suffix('$') {
        Some(body) => (body, true),
        None => (encoded.as_str(), false),
    };
    if !body.contains('*') {
        let body = body.to_owned();
        return Ok(if is_anchored { Matcher::Exact(body) } else { Matcher::Prefix(body) });
    }
    let mut regex = String::from("^");
    for (index, literal) in body.split('*').enumerate() {
        if index > 0 {
            push_star(&mut regex);
        }
        regex.push_str(&regex::escape(literal));
    }
    if is_anchored {
        regex.push('$');
    }
    compile(&regex, text).map(Matcher::Regex)
}

const ANY_BUT_SLASH: &str = "[^/]*";
const ANY: &str = ".*";

/// Adds a star; one that follows another makes both to any run.
fn push_star(regex: &mut String) {
    if let Some(before) = regex.strip_suffix(ANY_BUT_SLASH) {
        regex.truncate(before.len());
        regex.push_str(ANY);
    } else if !regex.ends_with(ANY) {
        regex.push_str(ANY_BUT_SLASH);
    }
}

/// The pattern's letters in the form that canonical URLs have: encoded where a URL must, escapes in normal form.
fn encoded(pattern: &str) -> String {
    let mut encoded = String::with_capacity(pattern.len());
    for letter in pattern.chars() {
        if letter.is_ascii() && !letter.is_ascii_control() && letter != ' ' {
            encoded.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    crate::url::normal_escapes(&encoded).unwrap_or(encoded)
}

fn compile(regex: &str, text: &str) -> Result<Regex, String> {
    RegexBuilder::new(regex)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| format!("`{text}` cannot be read as a pattern: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, url: &str) -> bool {
        let url = CanonicalUrl::parse(url).unwrap();
        UrlPattern::parse(pattern).unwrap().matches(&url)
    }

    #[test]
    fn a_path_without_a_star_is_a_prefix_of_path_and_query() {
        assert!(matches("/docs", "http://a.example/docs/x?y"));
        assert!(matches("/docs?page=", "http://a.example/docs?page=2"));
        assert!(!matches("/docs", "http://a.example/x/docs"));
        assert!(matches("/", "http://a.example/"));
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_stars_do_not() {
        assert!(matches("/a/*/c", "http://a.example/a/b/c/d"));
        assert!(!matches("/a/*/c", "http://a.example/a/b/b/c"));
        assert!(matches("/a/**/c", "http://a.example/a/b/b/c"));
        assert!(matches("/a/***/c", "http://a.example/a/b/b/c"));
    }

    #[test]
    fn a_dollar_at_the_end_lets_nothing_follow() {
        assert!(matches("/a$", "http://a.example/a"));
        assert!(!matches("/a$", "http://a.example/a/"));
        assert!(matches("/**.html$", "http://a.example/x/y.html"));
        assert!(!matches("/**.html$", "http://a.example/x/y.html?z"));
        assert!(matches("/a$b", "http://a.example/a$b"));
    }

    #[test]
    fn letters_that_regular_expressions_know_are_plain_letters_in_a_glob() {
        assert!(matches("/a.b+(c)*", "http://a.example/a.b+(c)d"));
        assert!(!matches("/a.b*", "http://a.example/axb"));
    }

    #[test]
    fn a_pattern_with_a_scheme_is_matched_against_the_whole_url() {
        assert!(matches("HTTPS://A.example/docs/", "https://a.example/docs/x"));
        assert!(!matches("https://a.example/docs/", "http://a.example/docs/x"));
        assert!(matches("https://*.a.example/", "https://www.a.example/x"));
        assert!(matches("*://a.example/x", "http://a.example/x"));
        assert!(matches("/go?to=http://b.example/", "http://a.example/go?to=http://b.example/x"));
    }

    #[test]
    fn a_host_without_a_path_ends_there() {
        assert!(matches("https://a.example", "https://a.example/x"));
        assert!(!matches("https://a.example", "https://a.example.evil.example/x"));
        assert!(matches("https://a.example$", "https://a.example/"));
        assert!(!matches("https://a.example$", "https://a.example/x"));
    }

    #[test]
    fn a_name_before_the_host_does_not_lead_around_a_pattern() {
        assert!(matches("https://a.example/private", "https://me:secret@a.example/private/x"));
    }

    #[test]
    fn a_regular_expression_is_looked_for_anywhere_in_the_url() {
        assert!(matches(r"re:[?&]page=\d+$", "http://a.example/x?page=12"));
        assert!(!matches(r"re:^/x", "http://a.example/x"));
    }

    #[test]
    fn foreign_letters_and_escapes_are_compared_in_canonical_form() {
        assert!(matches("/bücher/*", "http://a.example/b%c3%bccher/x"));
        assert!(matches("/%7eme/a b", "http://a.example/~me/a%20b"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_remedy() {
        for (text, remedy) in [
            ("", "begin with `/`"),
            ("docs/", "begin with `/`"),
            ("re:(", "cannot be read"),
            ("re:(a{1000}){1000}", "cannot be read"),
            ("https://bücher.example/", "xn--"),
            ("https://a.example?x", "write `/?`"),
        ] {
            let error = UrlPattern::parse(text).unwrap_err();
            assert!(error.contains(remedy), "{text}: {error}");
        }
        assert!(UrlPattern::parse(&"/x".repeat(3_000)).is_err());
    }

    #[test]
    fn it_prints_as_it_was_written() {
        assert_eq!(UrlPattern::parse("/Bücher/*").unwrap().to_string(), "/Bücher/*");
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_in_bounded_time() {
        let pattern = UrlPattern::parse(&format!("/{}$", "*a".repeat(200))).unwrap();
        let url = CanonicalUrl::parse(&format!("http://a.example/{}b", "a".repeat(8_000))).unwrap();
        assert!(!pattern.matches(&url));
    }

    proptest! {
        #[test]
        fn every_path_matches_itself_and_itself_with_a_star_for_a_part(
            head in "[a-z.()+]{0,5}", middle in "[a-z.]{0,5}", tail in "[a-z.()]{0,5}",
        ) {
            let url = format!("http://a.example/x{head}{middle}{tail}/");
            for pattern in [format!("/x{head}{middle}{tail}/$"), format!("/x{head}*{tail}/$")] {
                prop_assert!(matches(&pattern, &url));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(/|re:|https://)?\\PC{0,40}") {
            let _ = UrlPattern::parse(&text);
        }
    }
}
