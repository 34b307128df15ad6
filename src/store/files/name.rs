//! What a file is called: by its content, or by its URL in a form that no file system takes for anything else.
//!
//! The rule kept: a name is a relative path of plain segments. No segment is empty, `.` or `..`, begins with a dot, is longer than
//! `MAX_SEGMENT` bytes, has a character that any file system gives a meaning to, or is a name of a device; so nothing leads out of
//! the folder, and nothing meets what the crawler keeps there itself.
//!
//! Two URLs never share a name: a name that says less than its URL (a query, capital letters, anything that was replaced) ends with
//! the fingerprint of the URL. Pure.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::url::{CanonicalUrl, Fingerprint};

/// Bytes of one segment: file systems take 255, and some tools add an ending of their own.
const MAX_SEGMENT: usize = 120;
/// Segments of a path that are kept.
const MAX_DEPTH: usize = 12;
/// What stands before the fingerprint of a URL.
const MARK: char = '~';

/// How files are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    /// By content, `ab/cd/<sha256>.<ending of the type>`: the same content is one file, however many URLs it has.
    #[default]
    Content,
    /// By URL, `host/path`.
    Url,
}

/// The name of a file by its content.
#[must_use]
pub fn by_content(sha256: &str, ending: &str) -> String {
    // A digest is hexadecimal: two letters are one byte.
    format!("{}/{}/{sha256}.{ending}", &sha256[..2], &sha256[2..4])
}

/// The name of a file by its URL. `ending` is for a URL that shows none.
#[must_use]
pub fn by_url(url: &CanonicalUrl, ending: &str) -> String {
    let parsed = url.as_url();
    let mut says_all = parsed.query().is_none() && parsed.username().is_empty();
    let mut segments: Vec<String> = parsed.path().split('/').skip(1).map(str::to_owned).collect();
    if segments.len() > MAX_DEPTH {
        says_all = false;
        segments.drain(..segments.len() - MAX_DEPTH);
    }
    let last = segments.pop().filter(|last| !last.is_empty());
    says_all &= last.is_some();
    let mut folders = vec![host_of(url)];
    folders.extend(segments);
    for folder in &mut folders {
        says_all &= make_plain(folder);
    }
    let last = last.unwrap_or_else(|| "index".to_owned());
    let (stem, own_ending) = split_ending(&last);
    let (mut stem, ending) = (stem.to_owned(), own_ending.unwrap_or(ending));
    says_all &= make_plain(&mut stem) && own_ending.is_some();
    if !says_all {
        write!(stem, "{MARK}{:016x}", Fingerprint::of(url.as_str().as_bytes()).get())
            .expect("a String takes everything");
    }
    format!("{}/{stem}.{ending}", folders.join("/"))
}

/// The name of a file whose folder by URL cannot be made, because a file of another URL has its name.
#[must_use]
pub fn apart(url: &CanonicalUrl, ending: &str) -> String {
    let mut host = host_of(url);
    make_plain(&mut host);
    format!("{host}/{MARK}{:016x}.{ending}", Fingerprint::of(url.as_str().as_bytes()).get())
}

/// Host and port; the port of https is not told.
fn host_of(url: &CanonicalUrl) -> String {
    let host = url.host().replace(['[', ']'], "").replace(':', "-");
    match url.as_url().port_or_known_default() {
        Some(443) if url.as_url().scheme() == "https" => host,
        port => format!(
            "{host}@{}{}",
            port.unwrap_or_default(),
            if url.as_url().scheme() == "https" { "s" } else { "" }
        ),
    }
}

/// Makes a segment plain. `false` if it was not: then it says less than before.
fn make_plain(segment: &mut String) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.@+=,".contains(letter);
    let mut plain: String =
        segment.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).take(MAX_SEGMENT).collect();
    if plain.is_empty()
        || plain.starts_with('.')
        || plain.ends_with('.')
        || is_device(&plain)
        || is_ours(&plain)
    {
        plain = format!("_{}_", plain.trim_matches('.'));
        plain.truncate(MAX_SEGMENT);
    }
    let same = *segment == plain;
    *segment = plain;
    same
}

/// Names of the crawler's own files beside the folders of hosts.
fn is_ours(name: &str) -> bool {
    name == super::MANIFEST
}

/// Names that Windows gives to devices, whatever ending they have.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let numbered =
        |prefix: &str| stem.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']));
    matches!(stem, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$") || numbered("com") || numbered("lpt")
}

/// A name without its ending, and the ending, if it is a plain one.
fn split_ending(name: &str) -> (&str, Option<&str>) {
    let is_ending = |ending: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        (1..=8).contains(&ending.len()) && ending.bytes().all(plain)
    };
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && is_ending(ending) => (stem, Some(ending)),
        _ => (name, None),
    }
}

/// The ending of a file: that of its type, else that of its URL, else `bin`.
#[must_use]
pub fn ending(essence: &str, url: &CanonicalUrl) -> String {
    if let Some((_, ending)) = ENDINGS.iter().find(|(known, _)| *known == essence) {
        return (*ending).to_owned();
    }
    let last = url.as_url().path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    split_ending(&last).1.unwrap_or("bin").to_owned()
}

/// Types of files that pages link to, and how they end (IANA media types, and what is met beside them).
const ENDINGS: &[(&str, &str)] = &[
    ("application/epub+zip", "epub"),
    ("application/gzip", "gz"),
    ("application/json", "json"),
    ("application/msword", "doc"),
    ("application/pdf", "pdf"),
    ("application/rtf", "rtf"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/x-7z-compressed", "7z"),
    ("application/x-gzip", "gz"),
    ("application/x-tar", "tar"),
    ("application/xhtml+xml", "xhtml"),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("audio/flac", "flac"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("font/woff", "woff"),
    ("font/woff2", "woff2"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/heic", "heic"),
    ("image/jpeg", "jpg"),
    ("image/jpg", "jpg"),
    ("image/jxl", "jxl"),
    ("image/pjpeg", "jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/tiff", "tif"),
    ("image/vnd.microsoft.icon", "ico"),
    ("image/webp", "webp"),
    ("image/x-icon", "ico"),
    ("text/calendar", "ics"),
    ("text/css", "css"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/javascript", "js"),
    ("text/plain", "txt"),
    ("text/vcard", "vcf"),
    ("text/xml", "xml"),
    ("video/mp4", "mp4"),
    ("video/mpeg", "mpg"),
    ("video/ogg", "ogv"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-matroska", "mkv"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    fn named(url: &str) -> String {
        by_url(&CanonicalUrl::parse(url).unwrap(), "bin")
    }

    #[test]
    fn a_plain_url_is_its_own_name() {
        assert_eq!(named("https://a.example/covers/42.jpg"), "a.example/covers/42.jpg");
        assert_eq!(named("http://a.example/covers/42.jpg"), "a.example@80/covers/42.jpg");
        assert_eq!(named("http://127.0.0.1:81/x.tar.gz"), "127.0.0.1@81/x.tar.gz");
    }

    #[test]
    fn what_a_name_cannot_say_is_said_by_the_fingerprint() {
        for url in [
            "https://a.example/A.jpg",
            "https://a.example/a.jpg?size=2",
            "https://a.example/",
            "https://a.example/con.jpg",
            "https://a.example/a%2f..%2fb.jpg",
            "https://a.example/a.JPG",
        ] {
            assert!(named(url).contains(MARK), "{url}: {}", named(url));
        }
        assert_eq!(named("https://a.example/a.jpg"), "a.example/a.jpg");
    }

    #[test]
    fn content_is_spread_over_folders_and_ends_as_its_type_does() {
        let url = CanonicalUrl::parse("https://a.example/x.php").unwrap();
        assert_eq!(by_content("abcdef", &ending("image/jpeg", &url)), "ab/cd/abcdef.jpg");
        assert_eq!(ending("application/octet-stream", &url), "php");
        let url = CanonicalUrl::parse("https://a.example/..%00").unwrap();
        assert_eq!(ending("x/y", &url), "bin");
    }

    fn is_safe(name: &str) -> bool {
        let path = Path::new(name);
        let plain = |part: &str| {
            !part.is_empty()
                && part.len() <= MAX_SEGMENT + 32
                && !part.starts_with('.')
                && !part.ends_with(['.', ' '])
                && !is_device(part)
                && part.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.@+=,~".contains(&byte)
                })
        };
        path.components().all(|part| matches!(part, Component::Normal(_))) && name.split('/').all(plain)
    }

    proptest! {
        #[test]
        fn no_url_leads_out_of_the_folder(
            host in "([a-z0-9-]{1,9}\\.){0,2}[a-z][a-z0-9]{0,5}",
            path in prop_oneof![
                "(/|\\.\\.|\\.|%2e|%2f|%5c|%00|\\\\|c:|con|aux\\.|nul|COM1|~|[ -~]){0,40}",
                "\\PC{0,60}",
                "(/[a-z]{1,3}){0,40}",
                "[a-z]{200,400}",
            ],
            port in prop::option::of(any::<u16>()),
            kind in "[a-z]{1,9}/[ -~]{0,20}",
        ) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            if let Ok(url) = CanonicalUrl::parse(&format!("https://{host}{port}/{path}")) {
                let end = ending(&kind, &url);
                for name in [by_url(&url, &end), apart(&url, &end), by_content("0123abcd", &end)] {
                    prop_assert!(is_safe(&name), "{url} became {name}");
                }
            }
        }

        #[test]
        fn two_urls_never_share_a_name(
            paths in prop::collection::vec("(/|a|A|b|\\.|%41|\\?|_|~|\\.jpg|con){0,6}", 2..9)
        ) {
            let mut names: HashMap<String, String> = HashMap::new();
            for path in paths {
                for base in ["https://a.example/", "http://a.example/", "https://a.example:80/", "https://A_.example/"] {
                    let Ok(url) = CanonicalUrl::parse(&format!("{base}{path}")) else { continue };
                    let before = names.insert(by_url(&url, "bin"), url.as_str().to_owned());
                    prop_assert!(before.is_none_or(|before| before == url.as_str()));
                }
            }
        }
    }
}
