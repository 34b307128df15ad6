//! The journal: every request that leaves, written down before it leaves.
//!
//! One file for each run, named by its round and its number in the round: `0002-0001.log`. A page that is asked for beside the
//! crawl has one of its own, `0002-0002-page.log`; of these the last 500 are kept. A journal is only ever appended to, one
//! plain write for each record and none held back: what the kernel has been told survives the death of the process, so a
//! request on the wire is in the journal, `kill -9` or not. A power cut may cost the last seconds of it.
//!
//! What the records mean is [`crate::audit::record`]; nothing here looks into them.

mod frame;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use frame::{JournalFlaw, JournalReader};

use crate::audit::record::Record;
use crate::audit::{Auditor, Findings};
use frame::{FIRST_LINE, MAX_RECORD, Packer};

/// Round, number in the round, and writer of one journal.
type Number = (u32, u32, Of);

/// Who writes a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    /// A run of the crawl.
    Run,
    /// A page that was asked for beside it.
    Page,
}

/// Ends the name of a page's journal.
const PAGE_ENDING: &str = "-page";
/// Journals of pages that are kept at most.
const PAGES_KEPT: usize = 500;

/// The journals of one crawl: where they are, and how many rounds of them are kept.
#[derive(Debug, Clone)]
pub struct Journals {
    place: Place,
    keep: u32,
}

#[derive(Debug, Clone)]
enum Place {
    Dir(PathBuf),
    Memory(Arc<Mutex<BTreeMap<Number, Vec<u8>>>>),
}

/// Why a journal cannot be written or listed. Always fatal to the run: no request leaves unrecorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file system refused (disk full, no rights).
    #[error("cannot use the journal `{}`: {source}; make room, or switch it off with [journal] enabled = false", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record that no frame can hold.
    #[error("a record of the journal is longer than {MAX_RECORD} bytes: this is a defect, please report it")]
    TooLong,
}

/// One journal that was written.
pub struct JournalPart {
    /// Its name.
    pub name: String,
    /// Its records.
    pub records: JournalReader,
}

impl Journals {
    /// Journals in this directory, which is made with the first of them. Those of the last `keep` rounds are kept, those of
    /// the round that runs always.
    #[must_use]
    pub fn in_dir(dir: impl Into<PathBuf>, keep: u32) -> Self {
        Self { place: Place::Dir(dir.into()), keep }
    }

    /// Journals in memory, for simulations: clones share them.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { place: Place::Memory(Arc::default()), keep: u32::MAX }
    }

    /// Begins the journal of a run, and removes those of rounds that are not kept.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn begin(&self, round: u32) -> Result<JournalWriter, JournalError> {
        self.begin_of(round, Of::Run)
    }

    /// As [`Journals::begin`], for a page that is asked for beside the crawl while it is in this round.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn begin_beside(&self, round: u32) -> Result<JournalWriter, JournalError> {
        self.begin_of(round, Of::Page)
    }

    fn begin_of(&self, round: u32, of: Of) -> Result<JournalWriter, JournalError> {
        match &self.place {
            Place::Dir(dir) => {
                fs::create_dir_all(dir).map_err(io_error(dir))?;
                let known = numbers(dir)?;
                for old in self.outdated(round, of, &known) {
                    let path = dir.join(file_name(old));
                    fs::remove_file(&path).map_err(io_error(&path))?;
                }
                JournalWriter::create(dir.join(file_name(next(round, of, known))))
            }
            Place::Memory(journals) => {
                let number = next(round, of, lock(journals).keys().copied());
                JournalWriter::new(
                    Out::Memory(Arc::clone(journals), number),
                    PathBuf::from(file_name(number)),
                )
            }
        }
    }

    /// Those of `known` that are not kept once another one begins.
    fn outdated(&self, round: u32, of: Of, known: &[Number]) -> Vec<Number> {
        let first_kept = round.saturating_sub(self.keep.saturating_sub(1));
        let mut pages: Vec<_> = known.iter().copied().filter(|(.., of)| *of == Of::Page).collect();
        pages.sort_unstable();
        pages.truncate((pages.len() + usize::from(of == Of::Page)).saturating_sub(PAGES_KEPT));
        let is_outdated = |number: &Number| number.0 < first_kept || pages.contains(number);
        known.iter().copied().filter(is_outdated).collect()
    }

    /// Everything that was written, in the order of the runs.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the directory cannot be listed or a file cannot be opened. What is wrong inside of a file is
    /// told by its reader.
    pub fn read(&self) -> Result<Vec<JournalPart>, JournalError> {
        match &self.place {
            Place::Dir(dir) => {
                let mut known = numbers(dir)?;
                known.sort_unstable();
                known
                    .into_iter()
                    .map(|number| open_part(&dir.join(file_name(number)), file_name(number)))
                    .collect()
            }
            Place::Memory(journals) => Ok(lock(journals)
                .iter()
                .map(|(number, bytes)| JournalPart {
                    name: file_name(*number),
                    records: JournalReader::new(io::Cursor::new(bytes.clone())),
                })
                .collect()),
        }
    }
}

impl Journals {
    /// Reads everything that was written and judges it.
    ///
    /// # Errors
    /// As [`Journals::read`]. Damage inside of a file is a finding.
    pub fn audit(&self) -> Result<Findings, JournalError> {
        let mut auditor = Auditor::new();
        for JournalPart { name, records } in self.read()? {
            for record in records {
                let taken = match record {
                    Ok(record) => auditor.take(record).map_err(|fault| fault.to_string()),
                    Err(JournalFlaw::CutTail) => {
                        auditor.note(format!("journal {name}: {}", JournalFlaw::CutTail));
                        Ok(())
                    }
                    Err(flaw) => Err(flaw.to_string()),
                };
                if let Err(reason) = taken {
                    auditor.damage(format!("journal {name}: {reason}"));
                    break;
                }
            }
        }
        Ok(auditor.finish())
    }
}

fn open_part(path: &Path, name: String) -> Result<JournalPart, JournalError> {
    let file = File::open(path).map_err(io_error(path))?;
    Ok(JournalPart { name, records: JournalReader::new(file) })
}

fn lock(journals: &Mutex<BTreeMap<Number, Vec<u8>>>) -> MutexGuard<'_, BTreeMap<Number, Vec<u8>>> {
    // What is done under the lock is one append.
    journals.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(round: u32, of: Of, known: impl IntoIterator<Item = Number>) -> Number {
    let last = known.into_iter().filter(|known| known.0 == round).map(|known| known.1).max();
    (round, last.unwrap_or(0) + 1, of)
}

fn file_name((round, run, of): Number) -> String {
    let of = if of == Of::Page { PAGE_ENDING } else { "" };
    format!("{round:04}-{run:04}{of}.log")
}

fn numbers(dir: &Path) -> Result<Vec<Number>, JournalError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error(dir))? {
        let name = entry.map_err(io_error(dir))?.file_name();
        found.extend(name.to_str().and_then(number_of));
    }
    Ok(found)
}

fn number_of(name: &str) -> Option<Number> {
    let stem = name.strip_suffix(".log")?;
    let page = stem.strip_suffix(PAGE_ENDING);
    let (round, run) = page.unwrap_or(stem).split_once('-')?;
    let of = if page.is_some() { Of::Page } else { Of::Run };
    let number = (round.parse().ok()?, run.parse().ok()?, of);
    (file_name(number) == name).then_some(number)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}

/// Writes the journal of one run.
#[derive(Debug)]
pub struct JournalWriter {
    out: Out,
    path: PathBuf,
    packer: Packer,
}

#[derive(Debug)]
enum Out {
    File(File),
    Memory(Arc<Mutex<BTreeMap<Number, Vec<u8>>>>, Number),
}

impl JournalWriter {
    fn create(path: PathBuf) -> Result<Self, JournalError> {
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(io_error(&path))?;
        Self::new(Out::File(file), path)
    }

    fn new(out: Out, path: PathBuf) -> Result<Self, JournalError> {
        let mut writer = Self { out, path, packer: Packer::new() };
        writer.append(FIRST_LINE)?;
        Ok(writer)
    }

    /// Writes a record. When this returns, it survives the death of the process.
    ///
    /// # Errors
    /// [`JournalError`]; what the record tells of must then not happen.
    pub fn write(&mut self, record: Record) -> Result<(), JournalError> {
        let frame = self.packer.pack(record).ok_or(JournalError::TooLong)?;
        self.append(&frame)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        match &mut self.out {
            Out::File(file) => file.write_all(bytes).map_err(io_error(&self.path)),
            Out::Memory(journals, number) => {
                lock(journals).entry(*number).or_default().extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
