//! The patterns that a URL belongs to, from the narrowest to the widest.
//!
//! Every piece of a path or query that has a digit in it may count up or be drawn by lot: it becomes a `#`. Values of queries
//! are not looked at. Words stay, so that `/articles/` is not thrown together with `/calendar/`.

use std::collections::BTreeSet;

use crate::url::CanonicalUrl;

/// Longer patterns are cut there.
const MAX_BYTES: usize = 200;

/// Keys of one URL that are looked at.
const MAX_KEYS: usize = 12;

/// A pattern that a URL belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// How many times the usual evidence it takes: the wider it is, the more lies beside the trap.
    pub(super) patience: u32,
}

impl Pattern {
    fn new(text: &str, patience: u32) -> Self {
        let end = text.floor_char_boundary(MAX_BYTES);
        Self { text: text[..end].to_owned(), patience }
    }

    /// As it is told: `#` is a piece with a digit in it, `*` any piece, `**` anything.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// All patterns of a URL, the narrowest first: its own shape, its path with any query, each of its keys wherever they stand, its
/// directory, its first directory. The root is none: too much lies in it.
#[must_use]
pub fn patterns(url: &CanonicalUrl) -> Vec<Pattern> {
    let path = shape_of(url.as_url().path());
    let keys = keys(url);
    let query: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix('?')).collect();
    let mut found = Vec::with_capacity(4 + keys.len());
    match query.is_empty() {
        true => found.push(Pattern::new(&path, 1)),
        false => {
            found.push(Pattern::new(&format!("{path}?{}=*", query.join("=*&")), 1));
            found.push(Pattern::new(&format!("{path}?**"), 1));
        }
    }
    found.extend(keys.iter().map(|key| Pattern::new(&format!("**{key}=*"), 1)));
    let directory = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    if directory.len() > 1 {
        found.push(Pattern::new(&format!("{directory}*"), 2));
        let first = directory[1..].find('/').map_or(directory, |slash| &directory[..slash + 2]);
        found.push(Pattern::new(&format!("{first}**"), 4));
    }
    found
}

/// The shape of a URL's path: its numbers and what is drawn by lot left out. At most 200 bytes.
pub(super) fn shape(url: &CanonicalUrl) -> String {
    let mut shape = shape_of(url.as_url().path());
    shape.truncate(shape.floor_char_boundary(MAX_BYTES));
    shape
}

/// A path with `#` for each word that has a digit, and `*` for the value of each parameter.
fn shape_of(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    for segment in path.split_inclusive('/') {
        match segment.split_once(';') {
            None => push_words(&mut shape, segment),
            Some((name, parameters)) => {
                push_words(&mut shape, name);
                for parameter in parameters.trim_end_matches('/').split(';') {
                    shape.push(';');
                    match parameter.split_once('=') {
                        Some((key, _)) => shape.extend([key, "=*"]),
                        None => push_words(&mut shape, parameter),
                    }
                }
                shape.extend(segment.ends_with('/').then_some('/'));
            }
        }
    }
    shape
}

fn push_words(shape: &mut String, text: &str) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '%';
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match word.bytes().any(|byte| byte.is_ascii_digit()) && !word.contains('%') {
            true => shape.push('#'),
            false => shape.push_str(word),
        }
        let next = after.find(is_word).unwrap_or(after.len());
        shape.push_str(&after[..next]);
        rest = &after[next..];
    }
}

/// Whether nothing but numbers counts up in a URL, as in `/page/7`: an ordinary way to name pages, and most such lists have an end.
#[must_use]
pub fn is_counted(url: &CanonicalUrl) -> bool {
    let (url, path) = (url.as_url(), url.as_url().path());
    let is_plain = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_digit()) || !word.bytes().any(|byte| byte.is_ascii_digit())
    };
    url.query().is_none()
        && !path.contains(';')
        && path.split(|c: char| !c.is_ascii_alphanumeric()).all(is_plain)
}

/// The keys of query (`?key`) and path (`;key`), each once, in order.
fn keys(url: &CanonicalUrl) -> Vec<String> {
    let query = url.as_url().query().unwrap_or_default();
    let of_query = query.split('&').filter(|pair| !pair.is_empty());
    let of_query = of_query.map(|pair| format!("?{}", key_of(pair)));
    let path = url.as_url().path().split('/').flat_map(|segment| segment.split(';').skip(1));
    let of_path = path.filter(|pair| pair.contains('=')).map(|pair| format!(";{}", key_of(pair)));
    let found: BTreeSet<String> = of_query.chain(of_path).take(MAX_KEYS).collect();
    found.into_iter().collect()
}

fn key_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(key, _)| key)
}

/// What makes another URL the like of this one: the same path but for numbers, or a key that both have.
pub(super) struct Family {
    host: String,
    path: String,
    keys: Vec<String>,
}

impl Family {
    pub(super) fn of(url: &CanonicalUrl) -> Self {
        Self { host: url.host().to_owned(), path: shape_of(url.as_url().path()), keys: keys(url) }
    }

    pub(super) fn has(&self, url: &CanonicalUrl) -> bool {
        let is_near = || {
            shape_of(url.as_url().path()) == self.path
                || !self.keys.is_empty() && keys(url).iter().any(|key| self.keys.contains(key))
        };
        url.host() == self.host && is_near()
    }
}

/// Whether a URL names a day, a week or a month: a year and another number in reach of one, or both in one piece.
#[must_use]
pub fn is_dated(url: &CanonicalUrl) -> bool {
    let words = url.path_and_query().split(|c: char| !c.is_ascii_alphanumeric());
    let numbers = words.filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()));
    let (mut years, mut parts) = (0, 0);
    for number in numbers {
        let value: u32 = number.parse().unwrap_or(u32::MAX);
        match number.len() {
            6 if is_month(value) => return true,
            8 if is_month(value / 100) && matches!(value % 100, 1..=31) => return true,
            4 if matches!(value, 1000..=2999) => years += 1,
            1..=3 if value <= 366 => parts += 1,
            _ => {}
        }
    }
    years > 0 && parts > 0
}

/// Whether a number is a year of our time and a month: 202603.
const fn is_month(value: u32) -> bool {
    matches!(value / 100, 1900..=2199) && matches!(value % 100, 1..=12)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(rest: &str) -> CanonicalUrl {
        CanonicalUrl::parse(&format!("http://a.example{rest}")).unwrap()
    }

    fn all(rest: &str) -> Vec<String> {
        patterns(&url(rest)).iter().map(|pattern| pattern.as_str().to_owned()).collect()
    }

    #[test]
    fn numbers_and_values_become_signs_and_words_stay() {
        assert_eq!(
            all("/cal/2024/1?day=3&view=x"),
            ["/cal/#/#?day=*&view=*", "/cal/#/#?**", "**?day=*", "**?view=*", "/cal/#/*", "/cal/**"]
        );
        assert_eq!(all("/page-12.html"), ["/page-#.html"]);
        assert_eq!(all("/shop/about"), ["/shop/about", "/shop/*", "/shop/**"]);
    }

    #[test]
    fn keys_count_once_and_in_any_order() {
        assert_eq!(all("/list?b=1&a=2&b=3")[0], "/list?a=*&b=*");
        assert_eq!(all("/list?a=2&b=1")[0], "/list?a=*&b=*");
    }

    #[test]
    fn a_session_in_the_path_is_a_key_of_its_own() {
        assert_eq!(
            all("/p/3;jsessionid=A1B2?x=1"),
            ["/p/#;jsessionid=*?x=*", "/p/#;jsessionid=*?**", "**;jsessionid=*", "**?x=*", "/p/*", "/p/**"]
        );
        assert_eq!(all("/a;s=1/b"), ["/a;s=*/b", "**;s=*", "/a;s=*/*", "/a;s=*/**"]);
    }

    #[test]
    fn what_has_no_digit_in_a_percent_escape_is_a_word() {
        assert_eq!(all("/caf%C3%A9")[0], "/caf%C3%A9");
    }

    #[test]
    fn days_weeks_and_months_are_dates_and_articles_are_not() {
        for dated in [
            "/cal/2024/1",
            "/c?y=2026&m=3",
            "/c?month=2026-03",
            "/c?d=20260317",
            "/2026/week/52",
            "/c/202603",
        ] {
            assert!(is_dated(&url(dated)), "{dated}");
        }
        for other in ["/p/17", "/p/17/3", "/archive/2019", "/item/123456", "/a?page=40&size=10", "/"] {
            assert!(!is_dated(&url(other)), "{other}");
        }
    }

    #[test]
    fn the_like_of_a_url_has_its_path_or_one_of_its_keys() {
        let family = Family::of(&url("/list/2?a=1&b=2"));
        for like in ["/list/3", "/list/9?z=1", "/other?b=7"] {
            assert!(family.has(&url(like)), "{like}");
        }
        for other in ["/product/3", "/list", "/x?c=1"] {
            assert!(!family.has(&url(other)), "{other}");
        }
    }
}
