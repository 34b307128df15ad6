//! A copy of a database that may be opened: opening writes, and what is looked at must stay as it is.
//!
//! Files that are never changed once they are written are linked, not copied: they are nearly all of a large state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::lock::io_error;

/// How the names of copies begin.
pub(super) const PREFIX: &str = "doctor-";

/// Folders whose files are never changed: sorted tables of the database.
const FIXED: &str = "tables";

/// The copy; it is gone when this is.
pub(super) struct View(PathBuf);

impl View {
    /// A copy of `folder`, in `beside` or, where nothing can be written there, among the temporary files.
    pub(super) fn of(folder: &Path, beside: &Path) -> Result<Self, StoreError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{PREFIX}{}-{name}", std::process::id());
        let first = Self(beside.join(&name));
        if copy(folder, &first.0).is_ok() {
            return Ok(first);
        }
        drop(first);
        let second = Self(std::env::temp_dir().join(name));
        copy(folder, &second.0).map_err(|error| io_error(&second.0, &error))?;
        Ok(second)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // If it stays, the next look names it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder; what is never changed is linked if that can be done.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let is_fixed = from.file_name().is_some_and(|name| name == FIXED);
    for entry in fs::read_dir(from)? {
        let (source, target) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if source.is_dir() {
            copy(&source, &target)?;
        } else if !(is_fixed && fs::hard_link(&source, &target).is_ok()) {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
