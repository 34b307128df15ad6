//! Places such as `{n}` in a text, and what is put there.
//!
//! Only names that are known are places; every other brace is a brace, as in a GraphQL query. What is put in is not looked at again.

/// The text with its places filled in.
pub(super) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        match named(rest).and_then(|name| Some((name, value(name)?))) {
            Some((name, value)) => {
                filled.push_str(&value);
                rest = &rest[name.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// The names between braces, as in `{ids}`: letters, digits, `-` and `_`.
pub fn places(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(start, _)| named(&text[start..]))
}

/// The name in braces that a text begins with: letters, digits, `-` and `_`.
fn named(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let name = &inner[..inner.find(|letter| !is_part(letter))?];
    (!name.is_empty() && inner[name.len()..].starts_with('}')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_in_braces_are_places() {
        let value = |name: &str| (name == "n").then(|| "{n}7".to_owned());
        assert_eq!(fill("a{n}b{n}{m}{", value), "a{n}7b{n}7{m}{");
        assert_eq!(fill("query { hero { name } {{n}} {n", value), "query { hero { name } {{n}7} {n");
        assert_eq!(fill("é{n}é", value), "é{n}7é");
    }

    #[test]
    fn places_are_named() {
        assert_eq!(places("/{year}/{ ids }/{ids}?{}{a b}{x").collect::<Vec<_>>(), ["year", "ids"]);
    }
}
