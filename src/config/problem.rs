//! What is wrong with a crawler file, told like a compiler: where, what, and what to write instead.

use std::fmt;
use std::ops::Range;

use super::path::Path;
use super::tree::{Node, Origin, Value};

/// Problems beyond this number are only counted.
const MOST_SHOWN: usize = 100;

/// Longest piece of a source line that is shown, in characters.
const MOST_COLUMNS: usize = 120;

/// Everything that is wrong with a crawler file and the assignments on top of it. Nothing was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong, in the order of the file; problems of the command line come last. Never empty.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

/// All problems, each with its place, the source line and a caret.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(MOST_SHOWN) {
            writeln!(f, "{problem}")?;
        }
        if let Some(more) = self.problems.len().checked_sub(MOST_SHOWN + 1) {
            writeln!(f, "… and {} more\n", more + 1)?;
        }
        match self.problems.len() {
            1 => f.write_str("1 problem; nothing was started"),
            many => write!(f, "{many} problems; nothing was started"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The crawler file as it was named, or the option of the command line.
    pub path: String,
    /// Line in the file, from 1; 0 if the place is not in a file.
    pub line: usize,
    /// Column in characters, from 1; 0 if the place is not in a file.
    pub column: usize,
    /// The key in full, as in `politeness.delay`; empty if the problem is none of a key.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
    /// A key or value that may have been meant.
    pub suggestion: Option<String>,
    excerpt: Option<Excerpt>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            writeln!(f, "error: {}", self.message)?;
        } else {
            writeln!(f, "error: `{}`: {}", self.key, self.message)?;
        }
        let hint = self.suggestion.as_deref().unwrap_or_default();
        match &self.excerpt {
            Some(excerpt) => {
                writeln!(f, " --> {}:{}:{}", self.path, self.line, self.column)?;
                excerpt.print(f, self.line, hint)
            }
            None => {
                match self.line {
                    0 => writeln!(f, " --> {}", self.path)?,
                    line => writeln!(f, " --> {}:{line}:{}", self.path, self.column)?,
                }
                if hint.is_empty() {
                    return Ok(());
                }
                writeln!(f, "  = {hint}")
            }
        }
    }
}

/// A source line and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: String,
    /// Characters before the caret, with tabs kept so that it stands right.
    indent: String,
    carets: usize,
}

impl Excerpt {
    fn print(&self, f: &mut fmt::Formatter<'_>, number: usize, hint: &str) -> fmt::Result {
        let number = number.to_string();
        let margin = " ".repeat(number.len());
        let marks = format!("{}{} {hint}", self.indent, "^".repeat(self.carets));
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.line)?;
        writeln!(f, "{margin} | {}", marks.trim_end())
    }
}

/// Where in the tree a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    Key(Path),
    Value(Path),
    /// What is missing, and what it is missing for.
    Absent {
        key: Path,
        near: Path,
    },
    /// Bytes of the file that never became a value.
    Bytes(Range<usize>),
    /// An assignment of the command line that never became a value.
    Given(usize),
}

/// A problem before it is laid on the source.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) spot: Spot,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Finding {
    pub(super) fn at(spot: Spot, message: impl Into<String>) -> Self {
        Self { spot, message: message.into(), suggestion: None }
    }

    /// A key that is none of `known`.
    pub(super) fn unknown_key(path: &Path, known: &[&str]) -> Self {
        let key = path.last_key().unwrap_or_default();
        let place = match path.0.len() {
            0 | 1 => "at the top of the file".to_owned(),
            _ => format!("in `{}`", path.parent()),
        };
        let mut keys = known.to_vec();
        keys.sort_unstable();
        let suggestion = if path.0.len() > 1 && TOP_LEVEL.contains(&key) {
            format!("move `{key}` above the first [table]: keys below a table's name belong to that table")
        } else if let Some(meant) = closest(key, known) {
            format!("did you mean `{meant}`?")
        } else {
            format!("known keys: {}", keys.join(", "))
        };
        Self {
            suggestion: Some(suggestion),
            ..Self::at(Spot::Key(path.clone()), format!("no such key {place}"))
        }
    }
}

/// Keys that stand before all tables.
const TOP_LEVEL: [&str; 4] = ["seeds", "seeds-file", "spider", "state-dir"];

/// The one of `known` that is most like `word`, if one is like it at all.
pub(super) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Longer words are nobody's slip, and their distance would take long to find.
    if word.len() > 40 {
        return None;
    }
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word.to_lowercase(), candidate);
    let part_of = |candidate: &str| word.len() >= 4 && candidate.contains(word);
    known
        .iter()
        .copied()
        .filter(|candidate| part_of(candidate) || distance(candidate) <= 1 + candidate.len() / 4)
        .min_by_key(|candidate| distance(candidate))
}

/// Asks whether the nearest of some values was meant.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    closest(word, known).map(|meant| format!("did you mean \"{meant}\"?"))
}

/// The texts that problems are shown on.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// The crawler file as the user named it.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
    /// The assignments of the command line, as the user wrote them.
    pub(super) given: Vec<String>,
}

impl Sources {
    /// Line and column of a byte, from 1.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(byte)];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }

    /// Lays findings on the source and sorts them into its order.
    pub(super) fn problems(&self, tree: &Node, findings: Vec<Finding>) -> Vec<Problem> {
        let mut placed: Vec<_> =
            findings.into_iter().map(|finding| (self.place(tree, &finding.spot), finding)).collect();
        placed.sort_by_key(|(place, _)| match place {
            Origin::File(span) => (0, span.start),
            Origin::Default => (1, 0),
            Origin::Given(index) => (2, *index),
        });
        placed.into_iter().map(|(place, finding)| self.problem(tree, place, finding)).collect()
    }

    fn place(&self, tree: &Node, spot: &Spot) -> Origin {
        let (path, at_key) = match spot {
            Spot::Bytes(span) => return Origin::File(span.clone()),
            Spot::Given(index) => return Origin::Given(*index),
            Spot::Key(path) => (path, true),
            Spot::Absent { near, .. } => (near, false),
            Spot::Value(path) => (path, tree.find(path).is_none()),
        };
        let node = tree.nearest(path);
        match (&node.origin, &node.key) {
            (Origin::File(_), Some(key)) if at_key => Origin::File(key.clone()),
            (Origin::File(_), None) if path.0.is_empty() => Origin::Default,
            (origin, _) => origin.clone(),
        }
    }

    fn problem(&self, tree: &Node, place: Origin, finding: Finding) -> Problem {
        let (key, message) = match &finding.spot {
            Spot::Key(path) | Spot::Value(path) => (path.to_string(), hushed(tree, path, finding.message)),
            Spot::Absent { key, .. } => (key.to_string(), finding.message),
            Spot::Bytes(_) | Spot::Given(_) => (String::new(), finding.message),
        };
        let top =
            matches!(&finding.spot, Spot::Value(path) if tree.find(path).is_none() && path.0.len() == 1);
        let (path, (line, column), excerpt) = match place {
            Origin::Given(index) => (self.given[index].clone(), (0, 0), None),
            Origin::Default if self.text.is_empty() => (self.name.clone(), (0, 0), None),
            Origin::Default => (self.name.clone(), (1, 1), None),
            Origin::File(_) if top => (self.name.clone(), (1, 1), None),
            Origin::File(span) => (self.name.clone(), self.position(span.start), Some(self.excerpt(span))),
        };
        Problem {
            path: shown(&path),
            line,
            column,
            key: shown(&key),
            message: shown(&message),
            suggestion: finding.suggestion.as_deref().map(shown),
            excerpt,
        }
    }

    fn excerpt(&self, span: Range<usize>) -> Excerpt {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.floor_char_boundary(span.end.max(start));
        let line_start = self.text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |end| start + end);
        let before: Vec<char> = self.text[line_start..start].chars().map(printable).collect();
        let skipped = before.len().saturating_sub(MOST_COLUMNS / 2);
        let line = before[skipped..]
            .iter()
            .copied()
            .chain(self.text[start..line_end].chars().map(printable))
            .take(MOST_COLUMNS)
            .collect::<String>();
        let indent: String =
            before[skipped..].iter().map(|letter| if *letter == '\t' { '\t' } else { ' ' }).collect();
        let room = line.chars().count().saturating_sub(indent.chars().count());
        let meant = self.text[start..end.min(line_end)].trim_end().chars().count();
        Excerpt { line: line.trim_end().to_owned(), indent, carets: meant.clamp(1, room.max(1)) }
    }
}

/// A secret never stands in a message, also not in part: what the rooms below said about it is left out.
fn hushed(tree: &Node, path: &Path, message: String) -> String {
    match tree.find(path).map(|node| &node.value) {
        Some(Value::Text { written: Some(written), .. }) => {
            format!("the value that {written:?} stands for does not fit here (it is not shown)")
        }
        _ => message,
    }
}

fn shown(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// Control characters could move the terminal's cursor.
fn printable(letter: char) -> char {
    match letter {
        '\t' => '\t',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    }
}
