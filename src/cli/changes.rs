//! `crawl changes`: what a round has found to be new, changed, gone, or not to be known.
//!
//! Only the list of the round is read, never the state itself: so it works while a crawl runs. A list that is being written ends
//! at its last whole line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::args::StateArgs;
use super::crawling::CHANGES;
use super::exit::{Exit, Failure};
use super::render::{print, safe, unprintable};
use super::state::Place;
use crate::engine::changes::{path_of, rounds_in};

#[derive(Debug, Args)]
pub(super) struct ChangesArgs {
    #[command(flatten)]
    state: StateArgs,
    /// Show this round; the last one
    #[arg(long, value_name = "N")]
    round: Option<u32>,
    /// List only these: new, changed, gone, unknown; several with commas between
    #[arg(long, value_name = "WHICH", value_delimiter = ',', hide_possible_values = true)]
    only: Vec<Change>,
}

/// How a page stands that is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Change {
    New,
    Changed,
    Gone,
    /// It could not be had.
    #[serde(alias = "failed")]
    #[value(alias = "failed")]
    Unknown,
}

impl Change {
    const ALL: [Self; 4] = [Self::New, Self::Changed, Self::Gone, Self::Unknown];

    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }
}

/// A line of the list, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Entry {
    change: Change,
    url: String,
    at: String,
    status: Option<u16>,
    reason: Option<String>,
}

impl Entry {
    /// `unknown   2026-11-22T00:50:12.000Z  http://a.example/  403: forbidden`.
    fn text(&self) -> String {
        let mut text = format!("{:<9} {}  {}", self.change.as_str(), self.at, self.url);
        match (self.status, &self.reason) {
            (Some(status), Some(reason)) if !reason.contains(&status.to_string()) => {
                text.extend(["  ", &status.to_string(), ": ", reason]);
            }
            (_, Some(reason)) => text.extend(["  ", reason]),
            (_, None) => {}
        }
        text
    }
}

pub(super) fn changes(args: &ChangesArgs) -> Result<Exit, Failure> {
    let place = Place::of(&args.state)?;
    place.must_be_begun()?;
    let dir = place.dir.join(CHANGES);
    let rounds = rounds_in(&dir).map_err(Failure::file(&dir))?;
    let round = choose(args.round, &rounds, &place.dir)?;
    let list = List::of(path_of(&dir, round))?;
    if !args.state.json {
        print(&head(&place.dir, round, &rounds, list.count()?))?;
    }
    let mut out = io::stdout().lock();
    list.read(|line, entry| {
        if !args.only.is_empty() && !args.only.contains(&entry.change) {
            return Ok(());
        }
        let shown = if args.state.json { line.to_owned() } else { entry.text() };
        writeln!(out, "{}", safe(&shown)).map_err(unprintable)
    })?;
    out.flush().map_err(unprintable)?;
    Ok(Exit::COMPLETE)
}

/// The round to show.
fn choose(wanted: Option<u32>, rounds: &[u32], state: &Path) -> Result<u32, Failure> {
    let Some(last) = rounds.last() else {
        let state = state.display();
        return Err(Failure::Usage(format!("no round of `{state}` has a list of changes")));
    };
    let round = wanted.unwrap_or(*last);
    if rounds.contains(&round) {
        return Ok(round);
    }
    let (state, there) = (state.display(), numbers(rounds));
    Err(Failure::Usage(format!(
        "`{state}` has no list of changes of round {round}; there are those of {there}"
    )))
}

fn numbers(rounds: &[u32]) -> String {
    rounds.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// What stands above the list.
fn head(state: &Path, round: u32, rounds: &[u32], counts: [u64; Change::ALL.len()]) -> String {
    let counts = Change::ALL.iter().zip(counts).map(|(change, count)| format!("{count} {}", change.as_str()));
    format!(
        "state     {}\nround     {round}; there are lists of {}\nchanges   {}\n",
        safe(&state.display().to_string()),
        numbers(rounds),
        counts.collect::<Vec<_>>().join(", "),
    )
}

/// The list of a round, as long as it was when it was first looked at.
struct List {
    path: PathBuf,
    length: u64,
}

impl List {
    fn of(path: PathBuf) -> Result<Self, Failure> {
        let length = path.metadata().map_err(Failure::file(&path))?.len();
        Ok(Self { path, length })
    }

    /// How many entries there are of each change.
    fn count(&self) -> Result<[u64; Change::ALL.len()], Failure> {
        let mut counts = [0; Change::ALL.len()];
        self.read(|_, entry| {
            counts[entry.change as usize] += 1;
            Ok(())
        })?;
        Ok(counts)
    }

    /// Goes over all whole lines, of which only one at a time is in memory.
    fn read(&self, mut take: impl FnMut(&str, &Entry) -> Result<(), Failure>) -> Result<(), Failure> {
        let refused = Failure::file;
        let file = File::open(&self.path).map_err(refused(&self.path))?;
        let mut lines = BufReader::new(file.take(self.length));
        let (mut line, mut number) = (Vec::new(), 0_u64);
        loop {
            line.clear();
            lines.read_until(b'\n', &mut line).map_err(refused(&self.path))?;
            let Some(whole) = line.strip_suffix(b"\n") else {
                return Ok(());
            };
            number += 1;
            let text = std::str::from_utf8(whole).map_err(|_| self.damaged(number))?;
            take(text, &serde_json::from_str(text).map_err(|_| self.damaged(number))?)?;
        }
    }

    fn damaged(&self, line: u64) -> Failure {
        let reason = format!("line {line} is no change of a page; nothing but this list is affected");
        Failure::file(&self.path)(io::Error::new(io::ErrorKind::InvalidData, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a list with this text.
    fn read(text: &str) -> Result<Vec<String>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = path_of(dir.path(), 1);
        std::fs::write(&path, text).unwrap();
        let mut lines = Vec::new();
        List::of(path).unwrap().read(|_, entry| {
            lines.push(entry.text());
            Ok(())
        })?;
        Ok(lines)
    }

    const GONE: &str =
        r#"{"change":"gone","url":"http://a.example/","status":404,"at":"T","round":2,"reason":"x"}"#;

    #[test]
    fn a_list_that_is_being_written_ends_at_its_last_whole_line() {
        let lines = read(&format!("{GONE}\n{{\"change\":\"ne")).unwrap();
        assert_eq!(lines, ["gone      T  http://a.example/  404: x"]);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn a_status_that_the_reason_names_is_not_told_twice() {
        let lines = read(&format!("{}\n", GONE.replace("\"x\"", "\"status 404\""))).unwrap();
        assert_eq!(lines, ["gone      T  http://a.example/  status 404"]);
    }

    #[test]
    fn a_line_that_is_no_change_is_damage_and_named() {
        let error = read(&format!("{GONE}\nnonsense\n")).unwrap_err();
        assert_eq!(error.exit(), Exit::FAILED);
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn a_page_that_could_not_be_had_is_unknown_by_both_of_its_names() {
        for name in ["failed", "unknown"] {
            let lines = read(&format!("{}\n", GONE.replace("gone", name))).unwrap();
            assert!(lines[0].starts_with("unknown "), "{lines:?}");
            assert_eq!(Change::from_str(name, false), Ok(Change::Unknown));
        }
    }

    #[test]
    fn the_last_round_is_shown_unless_another_is_asked_for_that_is_there() {
        let state = Path::new("s");
        assert_eq!(choose(None, &[2, 3], state).unwrap(), 3);
        assert_eq!(choose(Some(2), &[2, 3], state).unwrap(), 2);
        let error = choose(Some(7), &[2, 3], state).unwrap_err().to_string();
        assert!(error.contains("round 7") && error.contains("2, 3"), "{error}");
        assert!(choose(None, &[], state).is_err());
    }
}
