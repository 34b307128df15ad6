//! What a page asks of robots: `X-Robots-Tag` fields and the content of `<meta name=robots>`.
//!
//! Both carry the same words. All that speak to everybody or to our own product token count, letter case does not, and
//! the most restrictive wins: there is no word that takes another one back.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// Words that take a value after a colon, so that they are no agent names.
const WITH_VALUE: [&str; 4] = ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"];

/// What a page asks of robots. Nothing asked: all `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageDirectives {
    /// Not to be kept or shown as a result.
    pub noindex: bool,
    /// Its links are not to be followed.
    pub nofollow: bool,
    /// No copy is to be kept for show.
    pub noarchive: bool,
    /// No part of its text is to be shown.
    pub nosnippet: bool,
    /// Not to be kept after this date, as written.
    pub unavailable_after: Option<String>,
}

impl PageDirectives {
    /// Reads all `X-Robots-Tag` fields that speak to everybody or to `agent` (a product token; any letter case).
    #[must_use]
    pub fn of_headers(headers: &HeaderMap, agent: &str) -> Self {
        let mut all = Self::default();
        for value in headers.get_all("x-robots-tag") {
            all.add_field(&String::from_utf8_lossy(value.as_bytes()), agent);
        }
        all
    }

    /// Reads one `X-Robots-Tag` value: `nofollow`, or `bot: noindex, nofollow, otherbot: none`.
    pub fn add_field(&mut self, value: &str, agent: &str) {
        let mut speaks_to_us = true;
        let mut in_date = false;
        for part in value.split(',') {
            let (named, words) = agent_prefix(part);
            if let Some(name) = named {
                speaks_to_us = name == "*" || name.eq_ignore_ascii_case(agent);
                in_date = false;
            }
            if speaks_to_us {
                in_date = self.add_part(words, in_date);
            }
        }
    }

    /// Reads the content of a `<meta>`: words between commas or white space.
    pub fn add_list(&mut self, content: &str) {
        let mut in_date = false;
        for part in content.split(',') {
            in_date = self.add_part(part, in_date);
        }
    }

    /// Both together: what either asks is asked.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            noindex: self.noindex || other.noindex,
            nofollow: self.nofollow || other.nofollow,
            noarchive: self.noarchive || other.noarchive,
            nosnippet: self.nosnippet || other.nosnippet,
            unavailable_after: self.unavailable_after.or(other.unavailable_after),
        }
    }

    /// Answers whether a date is still open: `Sunday, 06-Nov-94 08:49:37 GMT` has a comma inside.
    fn add_part(&mut self, part: &str, in_date: bool) -> bool {
        let part = part.trim();
        if let Some((name, value)) = part.split_once(':')
            && name.trim().eq_ignore_ascii_case("unavailable_after")
        {
            let value = value.trim();
            self.unavailable_after.get_or_insert_with(|| value.to_owned());
            return !value.contains(|letter: char| letter.is_ascii_digit());
        }
        if in_date && let Some(date) = &mut self.unavailable_after {
            date.push_str(", ");
            date.push_str(part);
            return false;
        }
        for word in part.split_whitespace() {
            self.add_word(word);
        }
        false
    }

    fn add_word(&mut self, word: &str) {
        match word.to_ascii_lowercase().as_str() {
            "noindex" => self.noindex = true,
            "nofollow" => self.nofollow = true,
            "none" => (self.noindex, self.nofollow) = (true, true),
            "noarchive" | "nocache" => self.noarchive = true,
            "nosnippet" => self.nosnippet = true,
            _ => {}
        }
    }
}

/// Splits `bot: words` into the agent's name and the words; a word that takes a value is no agent.
fn agent_prefix(part: &str) -> (Option<&str>, &str) {
    match part.split_once(':') {
        Some((name, words)) if is_agent(name.trim()) => (Some(name.trim()), words),
        _ => (None, part),
    }
}

fn is_agent(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(char::is_whitespace)
        && !WITH_VALUE.iter().any(|word| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(values: &[&str]) -> PageDirectives {
        let mut all = PageDirectives::default();
        for value in values {
            all.add_field(value, "crawl");
        }
        all
    }

    fn flags(read: &PageDirectives) -> (bool, bool) {
        (read.noindex, read.nofollow)
    }

    #[test]
    fn words_are_read_in_any_letter_case() {
        assert_eq!(flags(&field(&["NoIndex, NOFOLLOW"])), (true, true));
        assert_eq!(flags(&field(&["index, follow, all"])), (false, false));
    }

    #[test]
    fn none_is_noindex_and_nofollow() {
        assert_eq!(flags(&field(&["None"])), (true, true));
    }

    #[test]
    fn words_for_another_agent_are_not_ours() {
        assert_eq!(flags(&field(&["googlebot: noindex, nofollow"])), (false, false));
        assert_eq!(flags(&field(&["CRAWL: nofollow"])), (false, true));
        assert_eq!(flags(&field(&["crawler: nofollow"])), (false, false));
        assert_eq!(flags(&field(&["*: noindex"])), (true, false));
    }

    #[test]
    fn an_agent_speaks_up_to_the_next_agent() {
        let read = field(&["googlebot: noindex, crawl: nofollow, noarchive"]);
        assert_eq!(flags(&read), (false, true));
        assert!(read.noarchive);
    }

    #[test]
    fn the_most_restrictive_of_several_lines_wins() {
        assert_eq!(flags(&field(&["all", "crawl: follow", "nofollow", "noindex"])), (true, true));
    }

    #[test]
    fn a_date_with_a_comma_is_kept_whole() {
        let read = field(&["unavailable_after: Sunday, 06-Nov-94 08:49:37 GMT, nofollow"]);
        assert_eq!(read.unavailable_after.as_deref(), Some("Sunday, 06-Nov-94 08:49:37 GMT"));
        assert!(read.nofollow);
    }

    #[test]
    fn a_value_behind_a_colon_is_no_agent() {
        assert_eq!(flags(&field(&["max-snippet: 20, nofollow"])), (false, true));
        assert_eq!(flags(&field(&["unavailable_after: 25 Jun 2010 15:00:00 PST, noindex"])), (true, false));
    }

    #[test]
    fn a_meta_list_may_be_divided_by_white_space() {
        let mut read = PageDirectives::default();
        read.add_list("noindex nofollow");
        assert_eq!(flags(&read), (true, true));
    }

    #[test]
    fn headers_of_all_lines_count() {
        let mut headers = HeaderMap::new();
        headers.append("x-robots-tag", "otherbot: none".parse().unwrap());
        headers.append("X-Robots-Tag", "nofollow".parse().unwrap());
        assert_eq!(flags(&PageDirectives::of_headers(&headers, "crawl")), (false, true));
    }
}
