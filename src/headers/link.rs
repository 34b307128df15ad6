//! The `Link` header field: what a page is related to (RFC 8288 3).
//!
//! Several lines and comma lists are one list. Of a link with several `rel` parameters the first counts (3.3), and a link with an
//! `anchor` speaks of another page than the one that was answered (3.2): it is left out. What cannot be read ends the line, and
//! the links before it count.

use http::HeaderMap;
use http::header::LINK;

/// The target of the first link with this relation, as the server wrote it; letter case of the relation is not looked at.
///
/// ```
/// use crawl::headers::link::target;
/// let mut headers = http::HeaderMap::new();
/// headers.insert("link", r#"</2>; rel="next", </9>; rel=last"#.parse().unwrap());
/// assert_eq!(target(&headers, "next").as_deref(), Some("/2"));
/// assert_eq!(target(&headers, "prev"), None);
/// ```
#[must_use]
pub fn target(headers: &HeaderMap, rel: &str) -> Option<String> {
    let lines = headers.get_all(LINK).iter();
    lines.filter_map(|line| in_line(&String::from_utf8_lossy(line.as_bytes()), rel)).next()
}

fn in_line(line: &str, rel: &str) -> Option<String> {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let (target, behind) = rest.strip_prefix('<')?.split_once('>')?;
        let (parameters, behind) = parameters(behind);
        if parameters.says(rel) {
            return Some(target.trim().to_owned());
        }
        rest = behind.trim_start().strip_prefix(',')?;
    }
}

/// What of a link's parameters counts.
#[derive(Default)]
struct Parameters {
    rel: Option<String>,
    has_anchor: bool,
}

impl Parameters {
    fn says(&self, rel: &str) -> bool {
        let named = self.rel.as_deref().unwrap_or_default();
        !self.has_anchor && named.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(rel))
    }

    fn add(&mut self, name: &str, value: String) {
        match name.to_ascii_lowercase().as_str() {
            "rel" => _ = self.rel.get_or_insert(value),
            "anchor" => self.has_anchor = true,
            _ => {}
        }
    }
}

/// The parameters at the beginning of the text, and what stands behind them.
fn parameters(text: &str) -> (Parameters, &str) {
    let mut found = Parameters::default();
    let mut rest = text;
    while let Some(behind) = rest.trim_start().strip_prefix(';') {
        let behind = behind.trim_start();
        let end = behind.find(['=', ';', ',']).unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => value(after.trim_start()),
            None => (String::new(), after),
        };
        found.add(name.trim(), value);
        rest = after;
    }
    (found, rest)
}

/// A token or a quoted string, and what stands behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, rest) = text.split_at(text.find([';', ',']).unwrap_or(text.len()));
        return (token.trim_end().to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, line.parse().unwrap());
        }
        target(&headers, "next")
    }

    #[test]
    fn commas_and_semicolons_inside_of_targets_and_quotes_divide_nothing() {
        let line = r#"<https://a.example/x?a=1,2;b=3>; rel="prev"; title="a, <b>; rel=next", </two>; rel="NEXT last""#;
        assert_eq!(next(&[line]).as_deref(), Some("/two"));
    }

    #[test]
    fn several_lines_are_one_list_and_spaces_are_free() {
        assert_eq!(next(&["</0>;rel=prev", " , < /1 > ; rel = next ; type=\"x\""]).as_deref(), Some("/1"));
    }

    #[test]
    fn the_first_rel_counts_and_an_anchor_speaks_of_another_page() {
        assert_eq!(next(&["</1>; rel=prev; rel=next"]), None);
        assert_eq!(next(&["</1>; rel=next; anchor=\"#part\", </2>; rel=next"]).as_deref(), Some("/2"));
    }

    #[test]
    fn what_cannot_be_read_is_no_link() {
        for line in ["", "next", "</1", "</1>; title=\"rel=next", "<>", ",,,;", "</1>; rel=\"\\"] {
            assert_eq!(next(&[line]), None, "{line}");
        }
        let hostile = "<a>;".repeat(20_000);
        assert_eq!(next(&[&hostile]), None);
    }
}
