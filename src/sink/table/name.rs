//! Names of tables and columns: made of what comes from web sites, so anything may stand in them.
//!
//! A name is kept as it is where the databases take it. What they do not take (no letter at all, control characters, more than
//! 63 bytes, which is PostgreSQL's bound) is put right, with a digest of the whole name behind it, so that two names never
//! become one. For the same reason a name that differs from a known one only in upper and lower case gets its digest: SQLite
//! would take the two for one.

use crate::url::Fingerprint;

/// Bytes of a name that every database takes.
const LONGEST: usize = 63;
/// Bytes of `_` and the digest.
const MARK: usize = 9;

/// The name between quotes, as SQL has it.
pub(in crate::sink) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names between quotes, with commas between them.
pub(in crate::sink) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A name that every database takes.
pub(in crate::sink) fn fitting(name: &str) -> String {
    let clean: String = name.chars().map(|letter| if letter.is_control() { '_' } else { letter }).collect();
    if clean == name && !name.is_empty() && name.len() <= LONGEST { clean } else { marked(&clean, name) }
}

/// The name under which `wanted` is known: its own, unless `known` has one that differs in case only.
pub(in crate::sink) fn apart<'a>(wanted: String, mut known: impl Iterator<Item = &'a str> + Clone) -> String {
    if known.clone().any(|name| name == wanted) || !known.any(|name| is_same(name, &wanted)) {
        return wanted;
    }
    marked(&wanted, &wanted)
}

/// Whether a database that does not tell upper from lower case takes the two for one.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// As much of `shown` as there is room for, and the digest of `whole`.
fn marked(shown: &str, whole: &str) -> String {
    let mut end = shown.len().min(LONGEST - MARK);
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    let digest = Fingerprint::of(whole.as_bytes()).get() >> 32;
    format!("{}_{digest:08x}", &shown[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_everywhere_stays() {
        for name in ["title", "Prix TTC (€)", "a\"b", "select", "名前"] {
            assert_eq!(fitting(name), name);
        }
        assert_eq!(quoted("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
    }

    #[test]
    fn what_no_database_takes_is_put_right_and_never_becomes_another_name() {
        let long = ["ä".repeat(60), format!("{}b", "ä".repeat(60))];
        let names: Vec<_> = ["", "a\0", "a\n", &long[0], &long[1]].into_iter().map(fitting).collect();
        for (place, name) in names.iter().enumerate() {
            assert!(name.len() <= LONGEST && !name.contains(char::is_control), "{name:?}");
            assert!(!names[..place].contains(name), "{name:?} twice");
        }
        assert_eq!(fitting("a\0"), fitting("a\0"), "always the same");
    }

    #[test]
    fn names_that_differ_in_case_are_two() {
        let known = ["Title".to_owned()];
        let known = || known.iter().map(String::as_str);
        assert_eq!(apart("Title".to_owned(), known()), "Title");
        assert_eq!(apart("price".to_owned(), known()), "price");
        let other = apart("title".to_owned(), known());
        assert!(other.starts_with("title_"), "{other}");
    }
}
