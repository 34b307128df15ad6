//! What is wrong with a state, and what can be done about it without losing anything in silence.
//!
//! [`examine`] changes nothing of a state: databases are opened in a copy beside it, everything else is only read. [`repair`] moves
//! what is damaged into `damaged-<n>` before anything takes its place: nothing is deleted. What is derived from other parts is
//! dropped and made again by the next run; of the database everything is copied that can be read, and what cannot is counted by
//! what it was.
//!
//! Knows nothing of terminals and crawler files.

mod database;
mod prefix;
mod repair;
mod view;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use repair::{Deed, repair};

use super::bodies::Bodies;
use super::journal::{JournalFlaw, Journals};
pub use super::lock::holder;
use super::lock::{FORMAT, seen_log_name, synced};
use super::{StoreError, seen, sled_cache};
use crate::time::Timestamp;
use database::{Gap, Scan};
use view::View;

/// How a part of a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All of it reads back.
    Fine,
    /// A crash has left something that the next run clears away.
    Leftover,
    /// It is made from other parts, or kept only to save requests: it can be dropped.
    Costly,
    /// It does not read back.
    Damaged,
    /// It should be there and is not.
    Missing,
}

impl Verdict {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Leftover => "left by a crash",
            Self::Costly => "damaged, not needed",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
        }
    }

    /// Whether `crawl repair` has something to do.
    #[must_use]
    pub const fn wants_repair(self) -> bool {
        matches!(self, Self::Costly | Self::Damaged | Self::Missing)
    }
}

/// A part of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The file that says which version wrote the state.
    Format,
    /// Who holds the state.
    Lock,
    /// Queues, hosts, robots.txt, cookies, history of pages.
    Database,
    /// Which URLs have entered the round.
    SeenLog,
    /// What makes looking into the seen log quick.
    SeenRuns,
    /// Validators, links and items of pages.
    Cache,
    /// What was asked, for `crawl audit`.
    Journal,
    /// Stored answers, for `crawl run --offline`.
    Bodies,
    /// Files beside these.
    Rest,
}

impl Part {
    /// As it is called in what people read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lock => "lock",
            Self::Database => "database",
            Self::SeenLog => "seen log",
            Self::SeenRuns => "seen index",
            Self::Cache => "cache",
            Self::Journal => "journal",
            Self::Bodies => "answers",
            Self::Rest => "leftovers",
        }
    }
}

/// What was found of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Which part.
    pub part: Part,
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes on disk.
    pub bytes: u64,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What it means and what to do; empty if nothing is wrong.
    pub remedy: String,
}

/// What was found of a state.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Examination {
    /// Part by part.
    pub findings: Vec<Finding>,
    /// Requests that wait in the queues, as far as they can be read.
    pub waiting: u64,
    /// Pages of which something is known.
    pub pages: u64,
    /// The latest moment that is written down anywhere but for waits, if any is.
    pub last_seen: Option<Timestamp>,
    /// The host that has to wait longest, and until when.
    pub longest_wait: Option<(String, Timestamp)>,
}

impl Examination {
    /// The worst of all.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Fine)
    }

    /// What was found of a part.
    #[must_use]
    pub fn of(&self, part: Part) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.part == part)
    }

    fn note(&mut self, part: Part, path: PathBuf, verdict: Verdict, says: impl Into<String>, remedy: &str) {
        let bytes = bytes_of(&path);
        let (says, remedy) = (says.into(), remedy.to_owned());
        self.findings.push(Finding { part, path, bytes, verdict, says, remedy });
    }
}

/// Looks at a state that no run holds, and changes nothing of it.
///
/// # Errors
/// [`StoreError::Io`] if a file cannot be read at all, or there is no room for the copy that the databases are opened in. Damage is a
/// finding, no error.
pub fn examine(dir: &Path) -> Result<Examination, StoreError> {
    let mut found = Examination::default();
    look_at_format(dir, &mut found);
    let scan = look_at_database(dir, &mut found)?;
    look_at_seen(dir, scan.as_ref(), &mut found);
    look_at_cache(dir, &mut found)?;
    look_at_journal(dir, &mut found);
    look_at_bodies(dir, &mut found);
    look_at_rest(dir, &mut found);
    Ok(found)
}

fn look_at_format(dir: &Path, found: &mut Examination) {
    let path = dir.join("FORMAT");
    let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let is_ours = |text: &str| super::lock::format_of(text) == Some(FORMAT);
    let (verdict, says, remedy) = match text {
        Ok(text) if is_ours(&text) => (Verdict::Fine, text, ""),
        Ok(text) if super::lock::format_of(&text).is_some() => {
            let says = format!("`{text}`, and this program reads format {FORMAT}");
            return found.note(
                Part::Format,
                path,
                Verdict::Damaged,
                says,
                "written by another version: finish the crawl with that one, nothing here can be repaired",
            );
        }
        Ok(text) => {
            let says = format!("says `{}`", text.chars().take(40).collect::<String>());
            (
                Verdict::Damaged,
                says,
                "no run can begin; it is written anew if the database is of this version",
            )
        }
        Err(_) => {
            let remedy = "no run can begin; it is written anew if the database is of this version";
            (Verdict::Missing, "is not there".to_owned(), remedy)
        }
    };
    found.note(Part::Format, path, verdict, says, remedy);
}

fn look_at_database(dir: &Path, found: &mut Examination) -> Result<Option<Scan>, StoreError> {
    let path = dir.join("frontier");
    if !path.is_dir() {
        let remedy = "queues and waits are gone: a repair begins anew, and the cache makes that cheap";
        found.note(Part::Database, path, Verdict::Missing, "is not there", remedy);
        return Ok(None);
    }
    let view = View::of(&path, dir)?;
    let scan = match Scan::of(view.path()) {
        Ok(scan) => scan,
        Err(error) if prefix::cut(view.path())?.is_some() => {
            let says = format!("does not open: {}", reason_of(&error));
            let remedy = "damage in its journal: a repair cuts it there, and the pages of the steps behind it are asked again";
            found.note(Part::Database, path, Verdict::Damaged, says, remedy);
            return Ok(None);
        }
        Err(error) => {
            let says = format!("does not open: {}", reason_of(&error));
            let remedy = "its queues cannot be read: a repair begins anew, and the cache makes that cheap";
            found.note(Part::Database, path, Verdict::Damaged, says, remedy);
            return Ok(None);
        }
    };
    (found.waiting, found.pages) = (scan.waiting, scan.pages);
    (found.last_seen, found.longest_wait) = (scan.last_seen, scan.longest_wait.clone());
    let says =
        format!("{} records, {} requests wait, {} pages are known", scan.records, scan.waiting, scan.pages);
    let behind = synced(dir).saturating_sub(scan.steps());
    if !scan.gaps.is_empty() {
        let lost = scan.gaps.iter().map(Gap::to_string).collect::<Vec<_>>().join("; ");
        let remedy = "a repair copies all that can be read; if requests are lost the next run is a new round, which finds them again";
        found.note(Part::Database, path, Verdict::Damaged, format!("{says}; cannot be read: {lost}"), remedy);
    } else if behind > 0 {
        let says = format!("{says}; the last {behind} steps are gone");
        let remedy = "the end of its journal is lost: the pages of these steps are asked again";
        found.note(Part::Database, path, Verdict::Damaged, says, remedy);
    } else {
        found.note(Part::Database, path, Verdict::Fine, says, "");
    }
    Ok(Some(scan))
}

fn look_at_seen(dir: &Path, scan: Option<&Scan>, found: &mut Examination) {
    let Some(head) = scan.and_then(|scan| scan.head) else {
        return;
    };
    let path = dir.join(seen_log_name(head.log));
    let remedy =
        "as it is, pages that are done would be asked again; a repair adds those that the database has";
    let there = fs::metadata(&path).map(|file| file.len());
    let (verdict, says) = match there {
        Err(_) if head.log_length == 0 => (Verdict::Fine, "is empty".to_owned()),
        Err(_) => (Verdict::Missing, "is not there".to_owned()),
        Ok(there) if there < head.log_length => (
            Verdict::Damaged,
            format!("{} of {} bytes are missing", head.log_length - there, head.log_length),
        ),
        Ok(_) => match seen::unreadable(&path, head.log_length) {
            Ok(0) => (Verdict::Fine, format!("all {} bytes read back", head.log_length)),
            Ok(bad) => (Verdict::Damaged, format!("{bad} of {} bytes do not read back", head.log_length)),
            Err(error) => (Verdict::Damaged, format!("cannot be read: {error}")),
        },
    };
    let is_fine = verdict == Verdict::Fine;
    found.note(Part::SeenLog, path.clone(), verdict, says, if is_fine { "" } else { remedy });
    let (good, bad) = seen::runs(dir, head.log, &path);
    if bad > 0 {
        let says = format!("{bad} of {} files do not fit the log", good + bad);
        let remedy =
            "it is made again from the log when a run begins, which takes some seconds a million URLs";
        found.note(Part::SeenRuns, dir.to_owned(), Verdict::Costly, says, remedy);
    }
}

fn look_at_cache(dir: &Path, found: &mut Examination) -> Result<(), StoreError> {
    let path = dir.join("cache");
    if !path.is_dir() {
        return Ok(());
    }
    let view = View::of(&path, dir)?;
    let remedy =
        "no page is lost: those that are missing here are asked in full instead of with `If-None-Match`";
    let (verdict, says) = match sled_cache::inspect(view.path()) {
        Ok((good, 0)) => (Verdict::Fine, format!("{good} entries")),
        Ok((good, bad)) => (Verdict::Costly, format!("{bad} of {} entries do not read back", good + bad)),
        Err(reason) => (Verdict::Costly, format!("does not open: {reason}")),
    };
    let remedy = if verdict == Verdict::Fine { "" } else { remedy };
    found.note(Part::Cache, path, verdict, says, remedy);
    Ok(())
}

fn look_at_journal(dir: &Path, found: &mut Examination) {
    let path = dir.join("journal");
    if !path.is_dir() {
        return;
    }
    let (mut parts, mut records, mut cut, mut flaws) = (0, 0_u64, 0, Vec::new());
    match Journals::in_dir(&path, u32::MAX).read() {
        Ok(journals) => {
            for journal in journals {
                parts += 1;
                for record in journal.records {
                    match record {
                        Ok(_) => records += 1,
                        Err(JournalFlaw::CutTail) => cut += 1,
                        Err(flaw) => flaws.push(format!("{}: {flaw}", journal.name)),
                    }
                }
            }
        }
        Err(error) => flaws.push(error.to_string()),
    }
    let says = format!("{records} records of {parts} runs");
    if !flaws.is_empty() {
        let says = format!("{says}; {}", flaws.join("; "));
        let remedy = "the crawl goes on without it; `crawl audit` cannot judge what is behind the damage";
        found.note(Part::Journal, path, Verdict::Costly, says, remedy);
    } else if cut > 0 {
        let says = format!("{says}; {cut} end in the middle of a record, as a crash leaves them");
        found.note(Part::Journal, path, Verdict::Leftover, says, "");
    } else {
        found.note(Part::Journal, path, Verdict::Fine, says, "");
    }
}

/// Stored answers that do not read back.
fn damaged_bodies(dir: &Path) -> Option<(u64, Vec<PathBuf>)> {
    let bodies = Bodies::read_only(dir).ok()?;
    let (mut good, mut bad) = (0, Vec::new());
    for key in bodies.keys().ok()? {
        match bodies.get(key) {
            Ok(Some(_)) => good += 1,
            Ok(None) => {}
            Err(StoreError::Damaged { path, .. } | StoreError::Io { path, .. }) => bad.push(path),
            Err(_) => {}
        }
    }
    Some((good, bad))
}

fn look_at_bodies(dir: &Path, found: &mut Examination) {
    let path = dir.join("bodies");
    let Some((good, bad)) = path.is_dir().then(|| damaged_bodies(&path)).flatten() else {
        return;
    };
    if bad.is_empty() {
        return found.note(Part::Bodies, path, Verdict::Fine, format!("{good} answers"), "");
    }
    let says = format!("{} of {} answers do not read back", bad.len(), good + bad.len() as u64);
    let remedy = "`crawl run --offline` would miss these pages; they are stored again when they are fetched";
    found.note(Part::Bodies, path, Verdict::Costly, says, remedy);
}

/// What a crash, or an earlier repair, has left.
fn look_at_rest(dir: &Path, found: &mut Examination) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    for name in names {
        let path = dir.join(&name);
        let (says, remedy) = if name.ends_with(".new") {
            ("begun and never finished", "the next run clears it away")
        } else if name.starts_with("damaged-") || name.contains(".damaged-") {
            (
                "what an earlier repair has put aside",
                "remove it when you are sure that nothing in it is wanted",
            )
        } else if name.starts_with(view::PREFIX) {
            ("the copy of a `crawl doctor` that was killed", "remove it")
        } else {
            continue;
        };
        found.note(Part::Rest, path, Verdict::Leftover, format!("`{name}`: {says}"), remedy);
    }
}

fn reason_of(error: &StoreError) -> String {
    match error {
        StoreError::Damaged { reason, .. } | StoreError::Io { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Bytes of a file, or of all files of a folder.
pub(super) fn bytes_of(path: &Path) -> u64 {
    let Ok(there) = fs::symlink_metadata(path) else { return 0 };
    if !there.is_dir() {
        return there.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_of(&entry.path())).sum()
}
