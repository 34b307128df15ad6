//! What can be done about damage: aside first, then anew from what can be read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::database::{Keep, Scan, read_all};
use super::prefix;
use super::view::{View, copy};
use super::{Examination, Part, Verdict, damaged_bodies};
use crate::store::codec::{self, CodecError};
use crate::store::disk::{DiskOptions, DiskStore};
use crate::store::frame::Frame;
use crate::store::frontier::Frontier;
use crate::store::journal::{JournalFlaw, Journals};
use crate::store::keys::{self, Generation};
use crate::store::lock::{format_line, io_error, lock, seen_log_name, synced};
use crate::store::step::Head;
use crate::store::writes::Writes;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// Records that are copied in one step.
const AT_ONCE: usize = 5_000;

/// What was done about a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deed {
    /// Which part.
    pub part: Part,
    /// What was done, and what it costs.
    pub did: String,
}

/// Mends what an examination has found, at this moment. What was damaged lies in `damaged-<n>` of the state afterwards.
///
/// # Errors
/// [`StoreError::InUse`] if a run holds the state, [`StoreError::Version`] if another version wrote it, [`StoreError::Io`] if the
/// file system refuses; then everything that was moved lies in `damaged-<n>`.
pub fn repair(dir: &Path, found: &Examination, now: Timestamp) -> Result<Vec<Deed>, StoreError> {
    let mut mending = Mending { dir, aside: free_place(dir), deeds: Vec::new(), now };
    if !found.verdict().wants_repair() {
        return Ok(mending.deeds);
    }
    let held = lock(dir)?;
    let wanted: BTreeMap<_, _> = found.findings.iter().map(|finding| (finding.part as u8, finding)).collect();
    for finding in wanted.into_values().filter(|finding| finding.verdict.wants_repair()) {
        match finding.part {
            Part::Format => mending.format()?,
            Part::Database => mending.database(finding.verdict)?,
            Part::SeenLog => mending.keep_copy(Part::SeenLog, &finding.path)?,
            Part::Cache => mending.put_aside(
                Part::Cache,
                &finding.path,
                "the next run begins an empty one: pages are asked in full",
            )?,
            Part::Journal => mending.journals(&finding.path)?,
            Part::Bodies => mending.bodies(&finding.path)?,
            // It is made again by whoever opens the state.
            Part::SeenRuns | Part::Lock | Part::Rest => {}
        }
    }
    drop(held);
    mending.open()
}

/// The first of these names that nothing has.
fn free_place(dir: &Path) -> PathBuf {
    let names = (1_u32..).map(|number| dir.join(format!("damaged-{number}")));
    names.into_iter().find(|path| !path.exists()).expect("there are more numbers than folders")
}

struct Mending<'a> {
    dir: &'a Path,
    aside: PathBuf,
    deeds: Vec<Deed>,
    now: Timestamp,
}

impl Mending<'_> {
    fn did(&mut self, part: Part, did: impl Into<String>) {
        self.deeds.push(Deed { part, did: did.into() });
    }

    /// Where a damaged file or folder goes.
    fn place_of(&self, path: &Path) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.aside).map_err(refused(&self.aside))?;
        Ok(self.aside.join(path.file_name().unwrap_or_default()))
    }

    fn move_aside(&self, path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            fs::rename(path, self.place_of(path)?).map_err(refused(path))?;
        }
        Ok(())
    }

    fn put_aside(&mut self, part: Part, path: &Path, cost: &str) -> Result<(), StoreError> {
        self.move_aside(path)?;
        self.did(part, format!("moved to `{}`; {cost}", self.aside.display()));
        Ok(())
    }

    /// What opening the state mends by itself is copied before.
    fn keep_copy(&mut self, part: Part, path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            fs::copy(path, self.place_of(path)?).map_err(refused(path))?;
        }
        self.did(part, "written anew with all that can be read, with what waits, and with the pages that the database has");
        Ok(())
    }

    fn format(&mut self) -> Result<(), StoreError> {
        let path = self.dir.join("FORMAT");
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Some(found) = crate::store::lock::format_of(&text) {
            let (path, found) = (self.dir.to_owned(), found.to_string());
            return Err(StoreError::Version { path, found, expected: crate::store::lock::FORMAT });
        }
        self.move_aside(&path)?;
        write(&path, format_line().as_bytes())?;
        self.did(Part::Format, "written anew");
        Ok(())
    }

    /// Copies all that can be read into a new database, which then takes the place of the damaged one.
    fn database(&mut self, verdict: Verdict) -> Result<(), StoreError> {
        let path = self.dir.join("frontier");
        let opened = match verdict {
            Verdict::Missing => None,
            _ => {
                let view = View::of(&path, self.dir)?;
                Frontier::open(view.path(), &DiskOptions::default()).ok().map(|frontier| (frontier, view))
            }
        };
        let Some((damaged, view)) = opened else {
            return if self.goes_back(&path)? { Ok(()) } else { self.begin_anew(&path) };
        };
        let scan = Scan::read(&damaged);
        if scan.gaps.is_empty() {
            // Its journal has lost its end, and opening cuts it: that which is cut is kept.
            copy(&path, &self.place_of(&path)?).map_err(refused(&path))?;
            self.did(
                Part::Database,
                "cut back to its last whole step: the pages of the steps behind it are asked again",
            );
            return Ok(());
        }
        let fresh = self.dir.join("frontier.new");
        self.move_aside(&fresh)?;
        let records = self.salvage(&damaged, &scan, &fresh)?;
        drop(damaged);
        drop(view);
        self.move_aside(&path)?;
        fs::rename(&fresh, &path).map_err(refused(&fresh))?;
        let lost = scan.gaps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let cost = match scan.loses_requests() {
            true => {
                "; the round is closed, so that the next run asks every page again, with its validators, and finds what is lost"
            }
            false => "",
        };
        self.did(Part::Database, format!("{records} records copied; lost: {lost}{cost}"));
        Ok(())
    }

    /// Cuts the database's journal before the damage, if that makes it open.
    fn goes_back(&mut self, path: &Path) -> Result<bool, StoreError> {
        if !path.is_dir() {
            return Ok(false);
        }
        let view = View::of(path, self.dir)?;
        let Some(cut) = prefix::cut(view.path())? else {
            return Ok(false);
        };
        copy(path, &self.place_of(path)?).map_err(refused(path))?;
        cut.apply(path)?;
        self.did(Part::Database, format!("{cut}: the pages of the steps behind it are asked again"));
        Ok(true)
    }

    /// Nothing of the queues can be read: a seen log without them would shut out what was waiting.
    fn begin_anew(&mut self, path: &Path) -> Result<(), StoreError> {
        self.move_aside(path)?;
        for entry in fs::read_dir(self.dir).map_err(refused(self.dir))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("seen-") {
                self.move_aside(&entry.path())?;
            }
        }
        self.move_aside(&self.dir.join("synced"))?;
        let did = "nothing of it can be read: the crawl begins anew, with its cache, and writes its outputs anew. What hosts had told us to wait is lost: look at \
                   `crawl audit` for their last answers before you run it";
        self.did(Part::Database, did);
        Ok(())
    }

    fn salvage(&self, damaged: &Frontier, scan: &Scan, fresh: &Path) -> Result<u64, StoreError> {
        let copy = Frontier::open(fresh, &DiskOptions::default())?;
        let (mut writes, mut records, mut refused) = (Writes::default(), 0, None);
        read_all(damaged, &scan.starts(), &mut |key, value| {
            if scan.judge(key, value) == Ok(Keep::Yes) {
                records += 1;
                writes.set(key, value);
            }
            if writes.len() >= AT_ONCE {
                refused = refused.take().or(copy.write(std::mem::take(&mut writes)).err());
            }
        });
        if let Some(error) = refused {
            return Err(error);
        }
        copy.write(writes)?;
        self.settle(&copy, scan).map_err(|error| match error {
            Unsettled::Store(error) => error,
            Unsettled::Codec(error) => {
                StoreError::Damaged { path: fresh.to_owned(), reason: error.to_string() }
            }
        })?;
        copy.sync()?;
        Ok(records)
    }

    /// Writes what must fit the records that are there: the counters, the counts of queues, and whether the round is over.
    fn settle(&self, copy: &Frontier, scan: &Scan) -> Result<(), Unsettled> {
        let round = Generation(scan.generation);
        let mut writes = Writes::default();
        for id in scan.origins.keys() {
            let count = scan.queues.get(id).copied().unwrap_or_default();
            writes.set(round.count(*id), codec::encode(&count)?);
        }
        let head = scan.head.map_or_else(|| self.counters(scan), Ok)?;
        writes.set(keys::HEAD, codec::encode(&head)?);
        let frame = copy.get(keys::RUN)?.and_then(|bytes| codec::decode::<Frame>(&bytes).ok());
        if let Some(frame) = frame.filter(|_| scan.loses_requests()) {
            writes.set(keys::RUN, codec::encode(&frame.ended(self.now))?);
        }
        Ok(copy.write(writes)?)
    }

    /// Counters that fit what is there.
    fn counters(&self, scan: &Scan) -> Result<Head, StoreError> {
        let logs = fs::read_dir(self.dir).map_err(refused(self.dir))?.flatten();
        let number = |name: String| name.strip_prefix("seen-")?.strip_suffix(".log")?.parse::<u32>().ok();
        let log = logs.filter_map(|entry| number(entry.file_name().into_string().ok()?)).max().unwrap_or(1);
        let length = fs::metadata(self.dir.join(seen_log_name(log))).map_or(0, |file| file.len());
        Ok(Head {
            steps: synced(self.dir),
            generation: scan.generation,
            log,
            log_length: length,
            era: scan.era,
            looks_back: scan.pages > 0,
            next_seq: scan.next_seq,
            next_origin: scan.origins.keys().next_back().map_or(0, |last| last + 1),
            next_failed: scan.next_failed,
            ..Head::FIRST
        })
    }

    /// Cuts damaged journals behind their last whole record.
    fn journals(&mut self, folder: &Path) -> Result<(), StoreError> {
        let journals = Journals::in_dir(folder, u32::MAX).read();
        let journals = journals
            .map_err(|error| StoreError::Io { path: folder.to_owned(), reason: error.to_string() })?;
        let mut cut = 0;
        for mut journal in journals {
            let Some(Err(flaw)) = journal.records.find(Result::is_err) else { continue };
            let path = folder.join(&journal.name);
            match flaw {
                JournalFlaw::Damaged { at } => {
                    let bytes = fs::read(&path).map_err(refused(&path))?;
                    self.move_aside(&path)?;
                    let whole = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                    if whole > 0 {
                        write(&path, &bytes[..whole])?;
                    }
                    cut += 1;
                }
                JournalFlaw::Version | JournalFlaw::Io(_) => self.move_aside(&path)?,
                JournalFlaw::CutTail => {}
            }
        }
        let aside = self.aside.display().to_string();
        self.did(Part::Journal, format!("{cut} cut behind the last whole record, the originals are in `{aside}`: `crawl audit` judges what is left"));
        Ok(())
    }

    fn bodies(&mut self, folder: &Path) -> Result<(), StoreError> {
        let (_, bad) = damaged_bodies(folder).unwrap_or_default();
        for path in &bad {
            self.move_aside(path)?;
        }
        self.did(Part::Bodies, format!("{} moved to `{}`", bad.len(), self.aside.display()));
        Ok(())
    }

    /// Opens the state as a run does, which mends the rest.
    fn open(mut self) -> Result<Vec<Deed>, StoreError> {
        let mut store = DiskStore::open(self.dir, DiskOptions::default())?;
        for warning in store.recover()?.warnings {
            self.did(Part::Database, warning);
        }
        store.sync()?;
        Ok(self.deeds)
    }
}

/// Why a copy cannot be finished.
enum Unsettled {
    Store(StoreError),
    Codec(CodecError),
}

impl From<StoreError> for Unsettled {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CodecError> for Unsettled {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(refused(path))
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| io_error(&path, &error)
}
