//! The longest part of a database's journals that opens.
//!
//! What the database writes it appends to its journals first, step by step, and a journal that ends in the middle of a step is cut there
//! when it is opened. So with damage somewhere inside, the part before it is the state as it was a while ago, all of it. Where a step
//! begins is the database's own affair: the cut is found by trying.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::disk::DiskOptions;
use crate::store::frontier::Frontier;
use crate::store::keys;
use crate::store::lock::io_error;

/// Where journals are to be cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    journal: String,
    length: u64,
    /// Journals behind it, which go.
    later: Vec<String>,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal {} cut at byte {}", self.journal, self.length)?;
        match self.later.len() {
            0 => Ok(()),
            later => write!(f, ", {later} behind it left out"),
        }
    }
}

impl Cut {
    /// Cuts the journals of the database in `dir`.
    pub(super) fn apply(&self, dir: &Path) -> Result<(), StoreError> {
        for name in &self.later {
            let path = dir.join(name);
            fs::remove_file(&path).map_err(|error| io_error(&path, &error))?;
        }
        let path = dir.join(&self.journal);
        let file = OpenOptions::new().write(true).open(&path);
        let cut = file.and_then(|file| {
            file.set_len(self.length)?;
            file.sync_all()
        });
        cut.map_err(|error| io_error(&path, &error))
    }
}

/// Where to cut the journals of `view`, a copy of a database that does not open; none if that does not help.
pub(super) fn cut(view: &Path) -> Result<Option<Cut>, StoreError> {
    let journals = journals(view)?;
    let names: Vec<String> = journals.iter().map(|(_, name, _)| name.clone()).collect();
    let trial = Trial { view, dir: view.with_extension("trial") };
    for (place, (_, name, length)) in journals.iter().enumerate() {
        let at = |length| Cut { journal: name.clone(), length, later: names[place + 1..].to_vec() };
        if trial.opens(&at(*length))? {
            continue;
        }
        if !trial.opens(&at(0))? {
            return Ok(None);
        }
        let (mut good, mut bad) = (0, *length);
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            match trial.opens(&at(middle))? {
                true => good = middle,
                false => bad = middle,
            }
        }
        return Ok(Some(at(good)));
    }
    Ok(None)
}

/// The journals in order: number, name and length.
fn journals(dir: &Path) -> Result<Vec<(u64, String, u64)>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| io_error(dir, &error))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(".jnl").and_then(|number| number.parse().ok());
        let length = entry.metadata().map(|file| file.len()).ok();
        found.extend(number.zip(length).map(|(number, length)| (number, name, length)));
    }
    found.sort_unstable();
    Ok(found)
}

/// A place where databases are opened to see whether they do.
struct Trial<'a> {
    view: &'a Path,
    dir: PathBuf,
}

impl Trial<'_> {
    fn opens(&self, cut: &Cut) -> Result<bool, StoreError> {
        let made = super::view::copy(self.view, &self.dir);
        made.map_err(|error| io_error(&self.dir, &error))?;
        cut.apply(&self.dir)?;
        let opened = Frontier::open(&self.dir, &DiskOptions::default());
        // Before its counters it is no state yet.
        let opens = opened.is_ok_and(|database| matches!(database.get(keys::HEAD), Ok(Some(_))));
        fs::remove_dir_all(&self.dir).map_err(|error| io_error(&self.dir, &error))?;
        Ok(opens)
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        // It is there only after an error.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
