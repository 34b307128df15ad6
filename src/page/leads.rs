//! Where plain references lead, without the parser of URLs: nearly all links of a page lead where links of other pages have led.
//!
//! A reference is plain if it is a path of letters, digits and signs that stand for themselves, with `../` in front of it or not. What
//! it leads to is then seen without parsing: the path of its page up to the last slash, with the reference behind it. If that is,
//! byte by byte, a URL that came out of the parser and through all steps before, it is that URL. Everything else is for the parser.
//!
//! What is remembered is bounded: each URL has one place, where the next one of the same place replaces it.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use url::{Position, Url};

use super::Page;
use crate::url::{CanonicalUrl, Fingerprint};

impl Page {
    /// Looks up where its links lead among those of other pages, whose links had the same normal form.
    pub(crate) fn with_leads(mut self, leads: Arc<Leads>) -> Self {
        self.leads = Some(leads);
        self
    }

    pub(super) fn leads(&self) -> Option<LeadsOf<'_>> {
        self.leads.as_ref()?.of(self.base_url())
    }
}

/// URLs that are remembered at most; with their texts that is less than a megabyte.
const PLACES: usize = 4_096;
/// Bytes of the longest URL that is remembered.
const LONGEST: usize = 256;

/// URLs in the normal form of one crawl.
#[derive(Default)]
pub(crate) struct Leads(Mutex<Vec<Option<CanonicalUrl>>>);

impl Leads {
    /// For the references of one page; `None` while those of another one are looked at.
    pub(super) fn of<'l>(&'l self, base: &'l Url) -> Option<LeadsOf<'l>> {
        let mut known = match self.0.try_lock() {
            Ok(known) => known,
            // What is in it is right wherever another thread has ended.
            Err(TryLockError::Poisoned(known)) => known.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if known.is_empty() {
            known.resize(PLACES, None);
        }
        let whole = &base[..Position::AfterPath];
        let folder = &whole[..=whole.rfind('/')?];
        let home = base[..Position::BeforePath].len();
        // The path of such a URL begins with a slash, and it is the last one at the earliest. A segment that looks like the letter of
        // a drive is one that the parser does not leave.
        let is_plain = folder.len() > home && !folder[home..].contains(':');
        is_plain.then(|| LeadsOf { known, folder, home, text: String::new() })
    }
}

/// Where the references of one page lead.
pub(super) struct LeadsOf<'l> {
    known: MutexGuard<'l, Vec<Option<CanonicalUrl>>>,
    /// The URL of the page up to the last slash of its path.
    folder: &'l str,
    /// Bytes of it before its path.
    home: usize,
    /// Where the plain reference leads that was asked for last.
    text: String,
}

impl LeadsOf<'_> {
    /// Where a reference leads, its fragment left out, if it is plain and that is known; else what `parse` says.
    pub(super) fn lead(
        &mut self,
        reference: &str,
        parse: impl FnOnce() -> Option<CanonicalUrl>,
    ) -> Option<CanonicalUrl> {
        if !self.join(reference) {
            return parse();
        }
        let place = Fingerprint::of(self.text.as_bytes()).get() as usize % PLACES;
        if let Some(known) = self.known[place].as_ref().filter(|known| known.as_str() == self.text) {
            return Some(known.clone());
        }
        let url = parse()?;
        if url.as_str() == self.text {
            self.known[place] = Some(url.clone());
        }
        Some(url)
    }

    /// Makes a reference absolute, if it is plain.
    fn join(&mut self, reference: &str) -> bool {
        let reference = reference.strip_suffix('#').unwrap_or(reference);
        let is_short = self.folder.len() + reference.len() <= LONGEST;
        if !is_short || reference.is_empty() {
            return false;
        }
        let (mut folder, mut rest) = (self.folder, reference);
        if let Some(path) = reference.strip_prefix('/') {
            (folder, rest) = (&self.folder[..=self.home], path);
            // Two slashes are in front of a host.
            if path.starts_with('/') {
                return false;
            }
        }
        while let Some(above) = rest.strip_prefix("../") {
            let inner = &folder.as_bytes()[self.home..folder.len() - 1];
            folder = &folder[..=self.home + memchr::memrchr(b'/', inner).unwrap_or(0)];
            rest = above;
        }
        if !is_plain(rest.as_bytes()) {
            return false;
        }
        self.text.clear();
        self.text.push_str(folder);
        self.text.push_str(rest);
        true
    }
}

/// Whether a path that begins behind a slash stands for itself. A segment that begins with a dot may be one that is none.
fn is_plain(path: &[u8]) -> bool {
    let mut before = b'/';
    path.iter().all(|&byte| {
        let is_plain = IS_PLAIN[usize::from(byte)] && !(byte == b'.' && before == b'/');
        before = byte;
        is_plain
    })
}

/// Bytes that stand for themselves in a path, wherever they stand in a reference: unreserved characters and slashes, and of the
/// others those that are left as they are (RFC 3986 3.3). A colon may end a scheme, and `;` begins what a step may drop.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = letter.is_ascii_alphanumeric()
            || matches!(letter, b'-' | b'.' | b'_' | b'~' | b'/' | b'!' | b'$' | b'&' | b'(' | b')' | b'*')
            || matches!(letter, b'+' | b',' | b'=' | b'@');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::url::{Canon, CanonStep};

    fn joined(base: &str, reference: &str) -> Option<String> {
        let (leads, base) = (Leads::default(), Url::parse(base).unwrap());
        let mut leads = leads.of(&base)?;
        leads.join(reference).then(|| leads.text.clone())
    }

    #[test]
    fn plain_references_are_joined_without_the_parser() {
        let base = "http://me@a.example:81/x/y/z.html?a=/b#/c";
        for (reference, leads_to) in [
            ("w.html", Some("http://me@a.example:81/x/y/w.html")),
            ("../w/v.html#", Some("http://me@a.example:81/x/w/v.html")),
            ("../../../../w", Some("http://me@a.example:81/w")),
            ("../", Some("http://me@a.example:81/x/")),
            ("/w//v/", Some("http://me@a.example:81/w//v/")),
            ("/", Some("http://me@a.example:81/")),
            ("//b.example/", None),
            ("..", None),
            ("w/../v", None),
            ("mailto:me", None),
            ("?a", None),
            ("#", None),
            ("", None),
            (" w", None),
            ("w%7e", None),
            ("é", None),
        ] {
            assert_eq!(joined(base, reference).as_deref(), leads_to, "{reference}");
        }
    }

    #[test]
    fn below_what_looks_like_a_drive_the_parser_decides() {
        assert_eq!(joined("http://a.example/b:/c", "../x"), None);
    }

    #[test]
    fn what_is_known_is_not_parsed_again() {
        let (leads, base) = (Leads::default(), Url::parse("http://a.example/x/").unwrap());
        let canon = Canon::default();
        let mut leads = leads.of(&base).unwrap();
        let parsed = leads.lead("../y", || canon.join(&base, "../y").ok()).unwrap();
        assert_eq!(leads.lead("/y#", || panic!("it is known")), Some(parsed));
        assert_eq!(leads.lead("mailto:y", || None), None);
    }

    #[test]
    fn a_url_that_steps_change_is_parsed_each_time() {
        let (leads, base) = (Leads::default(), Url::parse("http://a.example/x/").unwrap());
        let canon = Canon::of([CanonStep::TrailingSlash]);
        let mut leads = leads.of(&base).unwrap();
        for _ in 0..2 {
            let url = leads.lead("y/", || canon.join(&base, "y/").ok()).unwrap();
            assert_eq!(url.as_str(), "http://a.example/x/y");
        }
        assert!(leads.known.iter().all(Option::is_none));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

        #[test]
        fn a_plain_reference_leads_where_the_parser_says(
            base in "(/|a|b|\\.|\\.\\.|%2e|%7e|;|:){0,8}(\\?/x)?",
            reference in "(/|a|B|\\.|\\.\\.|\\./|\\.\\./|~|@|=|&|!|\\*|'|\\(|,|\\+|\\$){0,8}#?",
        ) {
            let base = Url::parse(&format!("http://a.example/{base}")).unwrap();
            let leads = Leads::default();
            if let Some(mut leads) = leads.of(&base)
                && leads.join(&reference)
            {
                let mut parsed = base.join(&reference).unwrap();
                parsed.set_fragment(None);
                prop_assert_eq!(&leads.text, parsed.as_str());
            }
        }
    }
}
