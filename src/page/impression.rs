//! What a page looks like beside where it leads: digests of what stands outside of its links.
//!
//! One pass over the text, without a tree: pages are compared with others that came from the same program, so all that counts is
//! that the same markup gives the same digests. Text of links is left out, and so are the attributes of `<a>`, `<area>` and `<link>`:
//! a trap has new ones on each page. Attributes of other elements count, for a gallery may have no text.

use super::Page;
use super::element::fold;
use crate::trap::Impression;
use crate::url::Fingerprint;

/// What a title says where nothing is there. It must be all of the title, or all of a part between dashes.
const MISSING: [&str; 16] = [
    "404",
    "not found",
    "page not found",
    "404 not found",
    "404 page not found",
    "404 - not found",
    "error 404",
    "404 error",
    "file not found",
    "seite nicht gefunden",
    "page introuvable",
    "page non trouvée",
    "página no encontrada",
    "pagina non trovata",
    "pagina niet gevonden",
    "página não encontrada",
];

/// Bytes of a page that are looked at.
const MOST_TEXT: usize = 1 << 20;

/// Bytes in which the title of a page is looked for.
const MOST_HEAD: usize = 4 << 10;

/// Longer titles say more than that nothing is there.
const LONGEST_TITLE: usize = 200;

impl Page {
    /// What it looks like. `body` is the digest of its body, `items` that of what was taken from it.
    pub(crate) fn impression(&self, body: u64, items: u64) -> Impression {
        if !self.is_html() {
            return Impression { body, text: body, words: body, says_missing: false };
        }
        let text = self.text();
        let kept = Kept::of(&text[..text.floor_char_boundary(MOST_TEXT)]);
        let mut text = kept.text;
        text.extend_from_slice(&items.to_le_bytes());
        Impression {
            body,
            text: Fingerprint::of(&text).get(),
            words: Fingerprint::of(&kept.words).get(),
            says_missing: kept.title.is_some_and(says_missing),
        }
    }
}

impl Page {
    /// The same by its body and its title alone, for pages of which nobody would ask more: hardly any work.
    pub(crate) fn first_impression(&self, body: u64) -> Impression {
        let title = || {
            let text = self.text();
            title(&text[..text.floor_char_boundary(MOST_HEAD)]).is_some_and(says_missing)
        };
        Impression { body, text: body, words: body, says_missing: self.is_html() && title() }
    }
}

/// Whether a title says that nothing is there.
fn says_missing(title: &str) -> bool {
    if title.len() > LONGEST_TITLE {
        return false;
    }
    let title = fold(title).to_lowercase();
    let is_known = |part: &str| MISSING.contains(&part.trim().trim_end_matches(['.', '!']));
    is_known(&title) || title.split(['|', '-', '–', '—', '·', ':', '»']).any(is_known)
}

/// What counts of a text.
struct Kept<'t> {
    text: Vec<u8>,
    /// The same without attributes and numbers.
    words: Vec<u8>,
    title: Option<&'t str>,
}

impl<'t> Kept<'t> {
    fn of(text: &'t str) -> Self {
        let room = text.len() / 2;
        let mut kept = Self { text: Vec::with_capacity(room), words: Vec::with_capacity(room), title: None };
        let (mut rest, mut in_link) = (text, false);
        while let Some(start) = memchr::memchr(b'<', rest.as_bytes()) {
            if !in_link {
                kept.text(&rest[..start]);
            }
            let Some((tag, after)) = tag(&rest[start..]) else { return kept };
            let name = name(tag);
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if is("a") {
                in_link = true;
            } else if is("/a") {
                in_link = false;
            } else if kept.title.is_none() && is("title") {
                kept.title = up_to_a_tag(after);
            } else if !in_link && !is("area") && !is("link") {
                kept.attributes(tag);
            }
            rest = after;
        }
        kept.text(rest);
        kept
    }

    fn text(&mut self, text: &str) {
        let text = text.trim_ascii();
        if !text.is_empty() {
            self.text.extend_from_slice(text.as_bytes());
            for words in text.as_bytes().split(u8::is_ascii_digit) {
                self.words.extend_from_slice(words);
            }
        }
    }

    fn attributes(&mut self, tag: &str) {
        if !tag.starts_with("</")
            && let Some(space) = memchr::memchr(b' ', tag.as_bytes())
        {
            self.text.extend_from_slice(&tag.as_bytes()[space..]);
        }
    }
}

/// The first title of a text, if it ends.
fn title(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(start) = memchr::memchr(b'<', rest.as_bytes()) {
        let (tag, after) = tag(&rest[start..])?;
        if name(tag).eq_ignore_ascii_case("title")
            && let Some(title) = up_to_a_tag(after)
        {
            return Some(title);
        }
        rest = after;
    }
    None
}

fn up_to_a_tag(text: &str) -> Option<&str> {
    memchr::memchr(b'<', text.as_bytes()).map(|end| &text[..end])
}

/// The tag or comment that a text begins with, and what follows it; `None` if it does not end.
fn tag(text: &str) -> Option<(&str, &str)> {
    let end = match text.starts_with("<!--") {
        true => memchr::memmem::find(text.as_bytes(), b"-->")? + 3,
        false => memchr::memchr(b'>', text.as_bytes())? + 1,
    };
    // A comment is nothing that anybody reads.
    let (tag, rest) = text.split_at(end);
    Some((if tag.starts_with("<!") { "" } else { tag }, rest))
}

/// Its name as it is written, with the slash of an end tag; empty if it is none that is looked for.
fn name(tag: &str) -> &str {
    let inner = tag.strip_prefix('<').unwrap_or_default();
    let end = inner.bytes().take(6).take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'/').count();
    inner[..end].trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::request::Request;
    use crate::response::Response;
    use crate::url::CanonicalUrl;

    fn look(body: &str) -> Impression {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        let response = Response::of(url.clone(), http::StatusCode::OK, body.to_owned());
        let body = Fingerprint::of(body.as_bytes()).get();
        Page::new(Arc::new(Request::get(url)), response).impression(body, 0)
    }

    #[test]
    fn where_a_page_leads_does_not_change_its_text() {
        let one = look("<html><h1>news</h1><p>of <a href='/s?sid=1'>s1</a> today");
        let two = look("<html><h1>news</h1><p>of <a href='/s?sid=9' class=x>s9</a> today");
        assert_eq!((one.text, one.words), (two.text, two.words));
        assert_ne!(one.body, two.body);
        assert_ne!(one.text, look("<html><h1>news</h1><p>of today and more").text);
    }

    #[test]
    fn a_number_changes_the_text_and_not_the_words() {
        let (one, two) = (look("<html><h1>page 1</h1>"), look("<html><h1>page 22</h1>"));
        assert_ne!(one.text, two.text);
        assert_eq!(one.words, two.words);
    }

    #[test]
    fn pictures_and_what_scripts_hold_count() {
        assert_ne!(look("<html><img src=/1.jpg>").text, look("<html><img src=/2.jpg>").text);
        let script = |price: u32| look(&format!("<html><script>var price = {price};</script>"));
        assert_ne!(script(1).text, script(2).text);
    }

    #[test]
    fn what_was_taken_from_a_page_counts() {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        let response = Response::of(url.clone(), http::StatusCode::OK, "<html><a href=/x>x</a>");
        let page = Page::new(Arc::new(Request::get(url)), response);
        assert_ne!(page.impression(0, 1).text, page.impression(0, 2).text);
    }

    #[test]
    fn a_title_that_says_that_nothing_is_there_is_known() {
        for title in
            ["404", "Page Not Found | Shop", "Shop - 404 Not Found", "Error 404", "Seite nicht gefunden."]
        {
            assert!(look(&format!("<html><title>{title}</title>")).says_missing, "{title}");
        }
        for title in ["Peugeot 404", "class not found: what to do", "404 ways to cook rice", ""] {
            assert!(!look(&format!("<html><title>{title}</title>")).says_missing, "{title}");
        }
    }

    #[test]
    fn broken_markup_is_read_to_its_end() {
        for body in
            ["<html><", "<html><!-- never closed", "<html><a", "<html></", "<html><é>", "<html><a/b>x</a/>"]
        {
            look(body);
        }
    }
}
