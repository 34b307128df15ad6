//! The names of runs: `seen-0001-<from>-<to>.run`, the log's number and its bytes from where to where, in hexadecimal.

use std::fs;
use std::io;
use std::path::Path;

/// Which part of which log a run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunName {
    pub(super) log: u32,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl RunName {
    pub(super) fn finished(self) -> String {
        let Self { log, from, to } = self;
        format!("seen-{log:04}-{from:016x}-{to:016x}.run")
    }

    /// While it is being written.
    pub(super) fn unfinished(self) -> String {
        self.finished() + ".new"
    }

    fn read(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("seen-")?.strip_suffix(".run")?.split('-');
        let log = parts.next()?.parse().ok()?;
        let from = u64::from_str_radix(parts.next()?, 16).ok()?;
        let to = u64::from_str_radix(parts.next()?, 16).ok()?;
        let read = Self { log, from, to };
        (read.finished() == name && from < to).then_some(read)
    }
}

/// The runs of a log that are there: in the order of their beginnings, of one beginning the longest first.
pub(super) fn runs_of(dir: &Path, log: u32) -> io::Result<Vec<RunName>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(RunName::read).filter(|name| name.log == log));
    }
    found.sort_unstable_by_key(|name| (name.from, std::cmp::Reverse(name.to)));
    Ok(found)
}

/// Removes runs of other logs, and what was never finished.
pub(in crate::store) fn sweep(dir: &Path, log: u32) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let unfinished = name.strip_suffix(".new").and_then(RunName::read).is_some();
        if unfinished || RunName::read(name).is_some_and(|name| name.log != log) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written_and_nothing_else_is() {
        let name = RunName { log: 7, from: 0, to: 0xbeef };
        assert_eq!(name.finished(), "seen-0007-0000000000000000-000000000000beef.run");
        assert_eq!(RunName::read(&name.finished()), Some(name));
        let backwards = RunName { log: 7, from: 9, to: 9 };
        for other in ["seen-0007.log", "seen-7-0-beef.run", &name.unfinished(), &backwards.finished()] {
            assert_eq!(RunName::read(other), None, "{other}");
        }
    }

    #[test]
    fn runs_of_other_logs_and_unfinished_ones_are_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (RunName { log: 2, from: 0, to: 8 }, RunName { log: 1, from: 0, to: 8 });
        let longer = RunName { to: 16, ..ours };
        for name in
            [ours.finished(), longer.finished(), other.finished(), ours.unfinished(), "notes.new".into()]
        {
            fs::write(dir.path().join(name), "").unwrap();
        }
        sweep(dir.path(), 2).unwrap();
        assert_eq!(runs_of(dir.path(), 2).unwrap(), [longer, ours]);
        assert_eq!(runs_of(dir.path(), 1).unwrap(), []);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
