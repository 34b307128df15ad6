//! `<meta http-equiv=refresh>`: after how long, and where to (HTML standard 4.2.5.3, shared declarative refresh steps).

/// What the content of a refresh says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// Whole seconds to wait; fractions are dropped.
    pub seconds: u64,
    /// Where to, as written, line breaks and tabs dropped as in any URL; empty for the page itself.
    pub target: String,
}

impl Refresh {
    /// Reads the `content` attribute; `None` if it asks for no refresh.
    ///
    /// ```
    /// use crawl::page::refresh::Refresh;
    /// let refresh = Refresh::parse("5; URL='/next'").unwrap();
    /// assert_eq!((refresh.seconds, refresh.target.as_str()), (5, "/next"));
    /// assert_eq!(Refresh::parse("soon"), None);
    /// ```
    #[must_use]
    pub fn parse(content: &str) -> Option<Self> {
        let content = content.trim_ascii_start();
        let (digits, rest) = split_while(content, |letter| letter.is_ascii_digit());
        if digits.is_empty() && !rest.starts_with('.') {
            return None;
        }
        let seconds = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
        let (_, rest) = split_while(rest, |letter| letter.is_ascii_digit() || letter == '.');
        if !rest.is_empty()
            && !rest.starts_with(|letter: char| is_divider(letter) || letter.is_ascii_whitespace())
        {
            return None;
        }
        let rest = rest.trim_ascii_start();
        let rest = rest.strip_prefix(is_divider).unwrap_or(rest).trim_ascii_start();
        Some(Self { seconds, target: target(rest) })
    }
}

fn is_divider(letter: char) -> bool {
    matches!(letter, ';' | ',')
}

/// Takes `url=` and quotes off.
fn target(rest: &str) -> String {
    let value = after_url_word(rest).unwrap_or(rest);
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
        _ => value,
    };
    value.trim_ascii().replace(['\t', '\n', '\r'], "")
}

fn after_url_word(rest: &str) -> Option<&str> {
    let word = rest.get(..3)?;
    let value = rest[3..].trim_ascii_start().strip_prefix('=')?;
    word.eq_ignore_ascii_case("url").then(|| value.trim_ascii_start())
}

fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !wanted(letter)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Option<(u64, String)> {
        Refresh::parse(content).map(|refresh| (refresh.seconds, refresh.target))
    }

    #[test]
    fn seconds_alone_mean_the_page_itself() {
        assert_eq!(read("30"), Some((30, String::new())));
    }

    #[test]
    fn a_quote_ends_where_it_closes() {
        assert_eq!(read("0;url=\"/a\"b"), Some((0, "/a".to_owned())));
        assert_eq!(read("0;url='/a\"b"), Some((0, "/a\"b".to_owned())));
    }

    #[test]
    fn fractions_are_dropped_and_signs_refused() {
        assert_eq!(read("1.9;url=x"), Some((1, "x".to_owned())));
        assert_eq!(read(".9;url=x"), Some((0, "x".to_owned())));
        assert_eq!(read("-1;url=x"), None);
    }

    #[test]
    fn more_seconds_than_fit_are_for_ever() {
        assert_eq!(read("99999999999999999999999;url=x"), Some((u64::MAX, "x".to_owned())));
    }

    #[test]
    fn letters_beyond_ascii_do_no_harm() {
        assert_eq!(read("0;ürl=x"), Some((0, "ürl=x".to_owned())));
        assert_eq!(read("0;\u{20ac}"), Some((0, "\u{20ac}".to_owned())));
    }
}
