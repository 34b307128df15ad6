//! Pages that want a browser or a human proved, sent in the place of the page that was asked.
//!
//! Only stated signs count: a header field that the vendor documents, the whole title of the vendor's page, or an element
//! that only this page has. Words in the text of a page are no sign, nor are scripts that the same vendors put into ordinary
//! pages. Such a page is recognised to be left alone: it is never solved, and nothing is done to avoid it.
//!
//! | name | signs |
//! |---|---|
//! | `cloudflare` | `cf-mitigated: challenge` (Cloudflare docs, "Detect a Challenge Page response"); titles `Just a moment...`, `Attention Required! \| Cloudflare`; a script that sets `window._cf_chl_opt` |
//! | `aws-waf` | `x-amzn-waf-action: challenge` (sent with 202) or `captcha` (with 405) (AWS WAF Developer Guide, "CAPTCHA and Challenge action behavior") |
//! | `vercel` | `x-vercel-mitigated: challenge`; title `Vercel Security Checkpoint` |
//! | `ddos-guard` | title `DDoS-Guard`; a script of `/.well-known/ddos-guard/ddg-captcha-page/` |
//! | `imperva` | a frame that is `/_Incapsula_Resource?`, or the script of its test (not the one in ordinary pages); title `Pardon Our Interruption` |
//! | `datadome` | a script of `ct.captcha-delivery.com` or a frame of `geo.captcha-delivery.com` |
//! | `perimeterx` | an element with the id `px-captcha`; title `Access to this page has been denied` |
//! | `akamai` | an element with the id `sec-if-cpt-container`; with an error status the title `Access Denied` over a link to `errors.edgesuite.net` |
//! | `anubis` | a script with the id `anubis_challenge`; title `Making sure you're not a bot!` |
//! | `sucuri` | title `Sucuri WebSite Firewall - Access Denied` |
//!
//! Pure, and linear in the part of the body that is read.

use std::sync::LazyLock;

use http::{HeaderMap, StatusCode, header};
use memchr::memmem;
use regex::bytes::Regex;

/// How much of a body is looked at.
const LOOK: usize = 4 * 1024;

/// Header fields that say so themselves: name, value, whose.
const FIELDS: [(&str, &str, &str); 4] = [
    ("cf-mitigated", "challenge", "cloudflare"),
    ("x-amzn-waf-action", "challenge", "aws-waf"),
    ("x-amzn-waf-action", "captcha", "aws-waf"),
    ("x-vercel-mitigated", "challenge", "vercel"),
];

/// Whole titles, in lower case.
const TITLES: [(&str, &str); 12] = [
    ("just a moment...", "cloudflare"),
    ("attention required! | cloudflare", "cloudflare"),
    ("vercel security checkpoint", "vercel"),
    ("ddos-guard", "ddos-guard"),
    ("pardon our interruption", "imperva"),
    ("pardon our interruption...", "imperva"),
    ("access to this page has been denied", "perimeterx"),
    ("access to this page has been denied.", "perimeterx"),
    ("making sure you're not a bot!", "anubis"),
    ("making sure you&#39;re not a bot!", "anubis"),
    ("making sure you&#x27;re not a bot!", "anubis"),
    ("sucuri website firewall - access denied", "sucuri"),
];

/// A title that says it only beside a link to its vendor.
const ACCESS_DENIED: &str = "access denied";

/// Elements: name, how one of its attributes begins (without quotes), whose.
const ELEMENTS: [(&str, Attribute, &str); 9] = [
    ("iframe", Attribute::Begins("src=/_Incapsula_Resource?"), "imperva"),
    (
        "script",
        Attribute::Begins("src=/_Incapsula_Resource?SWJIYLWA=5074a744e2e3d891814e9a2dace20bd4"),
        "imperva",
    ),
    ("script", Attribute::Begins("src=https://ct.captcha-delivery.com/"), "datadome"),
    ("iframe", Attribute::Begins("src=https://geo.captcha-delivery.com/"), "datadome"),
    ("div", Attribute::Is("id=px-captcha"), "perimeterx"),
    ("div", Attribute::Is("id=sec-if-cpt-container"), "akamai"),
    ("script", Attribute::Is("id=anubis_challenge"), "anubis"),
    ("script", Attribute::Begins("src=/.well-known/ddos-guard/ddg-captcha-page/"), "ddos-guard"),
    ("link", Attribute::Begins("href=/.well-known/ddos-guard/ddg-captcha-page/"), "ddos-guard"),
];

/// Every sign but a title holds one of these words.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let words =
        "_Incapsula_Resource|captcha-delivery|px-captcha|sec-if-cpt|anubis_challenge|_cf_chl_opt|ddos-guard";
    Regex::new(words).expect("the words are written here")
});

/// What only the script of a challenge sets.
const CLOUDFLARE_SCRIPT: &str = "window._cf_chl_opt";

enum Attribute {
    Is(&'static str),
    Begins(&'static str),
}

impl Attribute {
    fn is_in(&self, attributes: &str) -> bool {
        attributes.split_ascii_whitespace().any(|word| match self {
            Self::Is(mark) => word == *mark,
            Self::Begins(mark) => word.starts_with(mark),
        })
    }
}

/// The name of the sign by which an answer is a challenge page, if it is one. `body` is the decoded body or its beginning;
/// of it the first 4 KiB are looked at, and only in HTML that comes with 200, 202, 403, 405, 429 or 503.
#[must_use]
pub fn challenge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    if let Some(name) = in_fields(headers) {
        return Some(name);
    }
    let may_be_one = matches!(status.as_u16(), 200 | 202 | 403 | 405 | 429 | 503);
    if !may_be_one || !is_html(headers) {
        return None;
    }
    let beginning = &body[..body.len().min(LOOK)];
    let may_be_one = || {
        WORDS.is_match(beginning) || titles(beginning).any(|title| is_known(&String::from_utf8_lossy(title)))
    };
    // Nearly every page is none, and is not looked at any closer.
    if may_be_one() { in_page(status, &String::from_utf8_lossy(beginning)) } else { None }
}

/// The titles that hold no markup.
fn titles(beginning: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Most tags are others.
    let begin = ["<t", "<T"].into_iter().flat_map(|begin| memmem::find_iter(beginning, begin));
    begin.filter_map(|at| {
        let (name, rest) = beginning[at + 1..].split_at_checked("title".len())?;
        if !name.eq_ignore_ascii_case(b"title") {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
        let text = &rest[end + 1..];
        (rest[end] == b'>').then(|| text.split(|byte| *byte == b'<').next().unwrap_or(text))
    })
}

fn in_fields(headers: &HeaderMap) -> Option<&'static str> {
    let says = |(name, value, _): &&(&str, &str, _)| {
        headers.get(*name).is_some_and(|found| found.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    FIELDS.iter().find(says).map(|(_, _, whose)| *whose)
}

/// A page without a type may be HTML; so do browsers read it.
fn is_html(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|kind| {
        let kind = kind.as_bytes().to_ascii_lowercase();
        kind.starts_with(b"text/html") || kind.starts_with(b"application/xhtml")
    })
}

fn in_page(status: StatusCode, text: &str) -> Option<&'static str> {
    let mut title_is_due = true;
    for element in (Elements { rest: text }) {
        let sign = match element.name.as_str() {
            "title" if title_is_due => {
                title_is_due = false;
                of_title(status, element.content, text)
            }
            "script" if sets_cloudflare(element.content) => Some("cloudflare"),
            _ => of_element(&element),
        };
        if sign.is_some() {
            return sign;
        }
    }
    None
}

/// A title as it is compared.
fn folded(title: &str) -> String {
    let words: Vec<&str> = title.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

fn is_known(title: &str) -> bool {
    let title = folded(title);
    title == ACCESS_DENIED || TITLES.iter().any(|(known, _)| *known == title)
}

fn of_title(status: StatusCode, title: &str, page: &str) -> Option<&'static str> {
    let title = folded(title);
    if title == ACCESS_DENIED && !status.is_success() && page.contains("edgesuite") {
        return Some("akamai");
    }
    TITLES.iter().find(|(known, _)| *known == title).map(|(_, whose)| *whose)
}

fn sets_cloudflare(script: &str) -> bool {
    let behind = script.split_once(CLOUDFLARE_SCRIPT).map(|(_, behind)| behind.trim_start());
    behind.is_some_and(|behind| behind.starts_with('=') && !behind.starts_with("=="))
}

fn of_element(element: &Element<'_>) -> Option<&'static str> {
    let mut named = ELEMENTS.iter().filter(|(name, _, _)| *name == element.name).peekable();
    named.peek()?;
    let attributes = element.attributes.replace(['"', '\''], "");
    named.find(|(_, mark, _)| mark.is_in(&attributes)).map(|(_, _, whose)| *whose)
}

/// The elements of a page in their order: enough of HTML to tell markup from text.
struct Elements<'a> {
    rest: &'a str,
}

struct Element<'a> {
    /// In lower case.
    name: String,
    attributes: &'a str,
    /// Only of elements whose content is not markup.
    content: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (_, rest) = self.rest.split_once('<')?;
            if let Some(comment) = rest.strip_prefix("!--") {
                self.rest = comment.split_once("-->")?.1;
                continue;
            }
            let (tag, rest) = rest.split_once('>')?;
            self.rest = rest;
            let end =
                tag.find(|letter: char| letter.is_ascii_whitespace() || letter == '/').unwrap_or(tag.len());
            let (name, attributes) = (tag[..end].to_ascii_lowercase(), &tag[end..]);
            let content = match name.as_str() {
                "title" | "script" | "style" | "textarea" => self.take_content(&name),
                _ => "",
            };
            return Some(Element { name, attributes, content });
        }
    }
}

impl<'a> Elements<'a> {
    fn take_content(&mut self, name: &str) -> &'a str {
        let closing = format!("</{name}");
        let bytes = self.rest.as_bytes().windows(closing.len());
        let end = bytes.into_iter().position(|window| window.eq_ignore_ascii_case(closing.as_bytes()));
        let (content, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&'static str, &str)], body: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        challenge(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn what_a_header_field_says_is_believed_with_any_status() {
        for (status, field, expected) in [
            (403, ("cf-mitigated", "challenge"), Some("cloudflare")),
            (202, ("x-amzn-waf-action", "challenge"), Some("aws-waf")),
            (405, ("x-amzn-waf-action", "CAPTCHA"), Some("aws-waf")),
            (429, ("x-vercel-mitigated", "challenge"), Some("vercel")),
            (403, ("x-vercel-mitigated", "deny"), None),
            (200, ("cf-ray", "8f2b-SJC"), None),
        ] {
            assert_eq!(answer(status, &[field], ""), expected, "{field:?}");
        }
    }

    #[test]
    fn the_pages_of_the_vendors_are_known() {
        let pages = [
            (503, "<!DOCTYPE html><title>Just a moment...</title>", "cloudflare"),
            (403, "<HTML><TITLE>\n Attention  Required! | Cloudflare </TITLE>", "cloudflare"),
            (403, "<script>(function(){window._cf_chl_opt={cvId:'3'}})();</script>", "cloudflare"),
            (200, "<title>DDOS-GUARD</title>", "ddos-guard"),
            (
                200,
                "<iframe id=\"main-iframe\" src=\"/_Incapsula_Resource?CWUDNSAI=9\" width=1></iframe>",
                "imperva",
            ),
            (200, "<title>Pardon Our Interruption</title>", "imperva"),
            (
                403,
                "<script data-cfasync='false' src='https://ct.captcha-delivery.com/c.js'></script>",
                "datadome",
            ),
            (403, "<p><div class=a id=\"px-captcha\"></div>", "perimeterx"),
            (403, "<title>Access to this page has been denied.</title>", "perimeterx"),
            (403, "<title>Access Denied</title>… https://errors.edgesuite.net/18.1", "akamai"),
            (200, "<div id=\"sec-if-cpt-container\">", "akamai"),
            (200, "<script id=\"anubis_challenge\" type=\"application/json\">{}</script>", "anubis"),
            (200, "<title>Making sure you&#39;re not a bot!</title>", "anubis"),
        ];
        for (status, page, expected) in pages {
            assert_eq!(answer(status, &[("content-type", "text/html")], page), Some(expected), "{page}");
        }
    }

    #[test]
    fn a_page_that_writes_about_challenges_is_an_ordinary_page() {
        for page in [
            "<title>What \"Just a moment...\" means</title><h1>Just a moment...</h1>",
            "<title>Blocked</title><p>Attention Required! | Cloudflare, window._cf_chl_opt = 1, px-captcha",
            "<title>Code</title><pre>&lt;div id=\"px-captcha\"&gt;</pre>",
            "<title>A</title><!-- <div id=\"px-captcha\"></div><title>DDoS-Guard</title> -->",
            "<title>A</title><textarea><div id=\"px-captcha\"></div></textarea>",
            "<title>A</title><svg><title>Just a moment...</title></svg>",
            "<title>A</title><script>if (window._cf_chl_opt == null) load('<div id=px-captcha>')</script>",
            "<title>A</title><div id=\"px-captcha-explained\"></div>",
            "<title>Access Denied</title><p>A novel</p>",
        ] {
            assert_eq!(answer(200, &[], page), None, "{page}");
        }
    }

    #[test]
    fn scripts_that_vendors_put_into_ordinary_pages_are_no_sign() {
        for page in [
            "<script src=\"/_Incapsula_Resource?SWJIYLWA=719d34d31c8e3a6e6fffd425f7e032f3&ns=2\"></script>",
            "<script src=\"/cdn-cgi/challenge-platform/scripts/jsd/main.js\"></script>",
            "<script src=\"https://js.datadome.co/tags.js\"></script>",
            "<div class=\"cf-turnstile\" data-sitekey=\"1\"></div>",
        ] {
            assert_eq!(answer(200, &[("server", "cloudflare")], page), None, "{page}");
        }
    }

    #[test]
    fn only_the_beginning_of_html_is_looked_at() {
        let sign = "<title>Just a moment...</title>";
        assert_eq!(answer(200, &[("content-type", "text/plain")], sign), None);
        assert_eq!(answer(404, &[], sign), None);
        assert_eq!(answer(200, &[], &format!("{}{sign}", " ".repeat(LOOK))), None);
        assert_eq!(answer(200, &[("content-type", "TEXT/HTML; charset=utf-8")], sign), Some("cloudflare"));
    }

    #[test]
    fn broken_markup_does_no_harm() {
        for page in [
            "<",
            "<>",
            "<!--",
            "<title",
            "<title>",
            "<script>",
            "</",
            "<a<b<c",
            "<title>Just a moment...",
            "\u{0}<\u{fffd}>",
        ] {
            let _ = answer(200, &[], page);
        }
        for piece in ["<", "<title>", "<script>", "<!--", "<a '", "</title"] {
            let _ = answer(200, &[], &piece.repeat(LOOK));
        }
        let headers = HeaderMap::new();
        assert_eq!(challenge(StatusCode::OK, &headers, &[0xff; 5000]), None);
    }
}
