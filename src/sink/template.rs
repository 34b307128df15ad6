//! Paths with placeholders: `out/{kind}-{date}.jsonl`.
//!
//! `{kind}` is the kind of the items in the file, `{round}` the number of the round, `{part}` that of the part from 0001 on,
//! `{date}` and `{time}` (`2026-11-22`, `235900`, UTC) are when the round began, or the part if there are several. What comes from
//! an item is made harmless: it is one name of a file and never leads out of the folder.

use std::path::{Path, PathBuf};

use crate::time::Timestamp;
use crate::url::Fingerprint;

/// Longest name that is made of a kind, in bytes.
const LONGEST_KIND: usize = 100;

/// A path, as it is written in a crawler file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    whole: PathBuf,
    /// Empty if the path has no placeholder.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// A placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Kind,
    Round,
    Part,
    Date,
    Time,
}

impl Place {
    const ALL: [(&'static str, Self); 5] = [
        ("kind", Self::Kind),
        ("round", Self::Round),
        ("part", Self::Part),
        ("date", Self::Date),
        ("time", Self::Time),
    ];
}

/// What the placeholders of one file stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) round: u32,
    /// From 0.
    pub(super) part: u32,
    pub(super) moment: Timestamp,
}

/// A name in braces that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{{{name}}} stands for nothing: there are {{name}}, {{kind}}, {{date}}, {{time}}, {{round}} and {{part}}"
)]
pub struct UnknownPlaceholder {
    /// What stands in the braces.
    pub name: String,
}

impl Template {
    /// Reads a path. Braces around anything but a word are braces.
    ///
    /// # Errors
    /// If a placeholder is not known. `{name}`, the crawl's name, is put in by the crawler file.
    pub fn parse(path: &Path) -> Result<Self, UnknownPlaceholder> {
        let whole = path.to_owned();
        let mut rest = path.to_str().unwrap_or_default();
        let mut pieces = Vec::new();
        let mut text = String::new();
        while let Some((before, word, after)) = next_placeholder(rest) {
            let known = Place::ALL.into_iter().find(|(name, _)| *name == word);
            let (_, place) = known.ok_or_else(|| UnknownPlaceholder { name: word.to_owned() })?;
            text.push_str(before);
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Place(place));
            rest = after;
        }
        if !pieces.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { whole, pieces })
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.whole
    }

    /// Whether items of several kinds go to several files.
    #[must_use]
    pub fn is_by_kind(&self) -> bool {
        self.has(Place::Kind)
    }

    pub(super) fn has(&self, place: Place) -> bool {
        self.pieces.contains(&Piece::Place(place))
    }

    /// Whether the path is always the same.
    pub(super) fn is_fixed(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The template of one kind's files.
    pub(super) fn of_kind(&self, kind: &str) -> Self {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Place(Place::Kind) => Piece::Text(file_name_of(kind)),
            piece => piece.clone(),
        });
        let pieces: Vec<_> = pieces.collect();
        let written = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(place) => format!("{{{}}}", place.word()),
        });
        let whole = PathBuf::from(written.collect::<String>());
        let is_fixed = pieces.iter().all(|piece| matches!(piece, Piece::Text(_)));
        Self { whole, pieces: if is_fixed { Vec::new() } else { pieces } }
    }

    /// The template with `-{part}` before its ending, unless it has it.
    pub(super) fn with_parts(self) -> Self {
        if self.has(Place::Part) {
            return self;
        }
        let name = self.whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let on_top =
            super::ending::compression_of(&self.whole).map_or(0, |compress| compress.ending().len() + 1);
        let bare = &name[..name.len() - on_top];
        // A dot at the front hides a file and begins no ending.
        let ending =
            bare.rfind('.').filter(|dot| *dot > 0 && !bare[*dot..].contains('}')).unwrap_or(bare.len());
        let named = format!("{}-{{part}}{}", &name[..ending], &name[ending..]);
        Self::parse(&self.whole.with_file_name(named)).unwrap_or(self)
    }

    /// The path of one file.
    pub(super) fn path(&self, names: Names) -> PathBuf {
        if self.pieces.is_empty() {
            return self.whole.clone();
        }
        let moment = names.moment.to_string();
        let (date, time) = moment.split_once('T').unwrap_or((&moment, "00:00:00"));
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(Place::Kind) => super::NO_KIND.to_owned(),
            Piece::Place(Place::Round) => names.round.to_string(),
            Piece::Place(Place::Part) => format!("{:04}", u64::from(names.part) + 1),
            Piece::Place(Place::Date) => date.to_owned(),
            Piece::Place(Place::Time) => time.chars().take(8).filter(|letter| *letter != ':').collect(),
        });
        PathBuf::from(pieces.collect::<String>())
    }
}

impl Place {
    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, place)| *place == self).map_or("", |(word, _)| word)
    }
}

/// What stands before the next word in braces, the word, and what comes after.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    text.match_indices('{').find_map(|(open, _)| {
        let (word, after) = text[open + 1..].split_once('}')?;
        is_word(word).then_some((&text[..open], word, after))
    })
}

/// A kind as a name of a file, or a part of one. Two kinds never have the same.
fn file_name_of(kind: &str) -> String {
    let harmless = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    if !kind.is_empty() && kind.len() <= LONGEST_KIND && kind.chars().all(harmless) {
        return kind.to_owned();
    }
    let mut hasher = Fingerprint::hasher();
    hasher.update(kind.as_bytes());
    let digest = Fingerprint::from_hasher(&hasher).get();
    let start = &kind[..kind.floor_char_boundary(LONGEST_KIND / 2)];
    let start: String = start.chars().map(|letter| if harmless(letter) { letter } else { '_' }).collect();
    // The dot is in no name of a harmless kind.
    format!("{start}.{digest:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(path: &str) -> Template {
        Template::parse(Path::new(path)).unwrap()
    }

    fn path_of(template: &Template) -> String {
        let names = Names { round: 7, part: 11, moment: Timestamp::from_millis(1_709_164_800_123) };
        template.path(names).display().to_string()
    }

    #[test]
    fn placeholders_stand_for_round_part_and_moment() {
        let path = path_of(&template("out/{round}/a-{date}T{time}.{part}.jsonl"));
        assert_eq!(path, "out/7/a-2024-02-29T000000.0012.jsonl");
        assert_eq!(path_of(&template("out/{}{ a }{A}.jsonl")), "out/{}{ a }{A}.jsonl");
        assert!(template("a{}b").is_fixed() && !template("{part}").is_fixed());
        assert!(Template::parse(Path::new("{x}{month}")).unwrap_err().to_string().starts_with("{x} stands"));
    }

    #[test]
    fn a_kind_is_a_name_in_the_folder_whatever_it_says() {
        let of = |kind: &str| path_of(&template("out/{kind}.csv").of_kind(kind));
        assert_eq!(of("book"), "out/book.csv");
        assert_eq!(of("Bücher_1-a"), "out/Bücher_1-a.csv");
        let evil = [
            "../../etc/passwd",
            "a/b",
            "a\\b",
            "a_b/",
            "",
            ".",
            "..",
            "a\0b",
            "{part}",
            "C:x",
            &"ä".repeat(300),
        ];
        let mut names: Vec<_> = evil.iter().map(|kind| of(kind)).collect();
        for name in &names {
            let inside = name.strip_prefix("out/").unwrap();
            assert!(!inside.contains(['/', '\\', '\0', ':', '{']), "{name}");
            assert!(inside.len() < 200 && Path::new(inside).file_name().is_some(), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), evil.len());
    }

    #[test]
    fn parts_have_numbers_before_the_ending_if_the_path_says_nothing_else() {
        for (path, with_parts) in [
            ("out.d/items.jsonl", "out.d/items-0012.jsonl"),
            ("items.jsonl.gz", "items-0012.jsonl.gz"),
            ("items", "items-0012"),
            (".items", ".items-0012"),
            ("a{part}.csv", "a0012.csv"),
            ("{round}.csv", "7-0012.csv"),
        ] {
            assert_eq!(path_of(&template(path).with_parts()), with_parts);
        }
    }
}
