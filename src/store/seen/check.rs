//! A look at the files of a seen-set that changes nothing of them.

use std::io;
use std::path::Path;

use super::log;
use super::names;
use super::run::{self, Run};

/// How many of the first `length` bytes of a log do not read back.
pub(in crate::store) fn unreadable(path: &Path, length: u64) -> io::Result<u64> {
    Ok(log::read(path, 0..length, |_| Ok(()))?.unreadable)
}

/// How many runs of a log are whole and fit it, and how many do not.
pub(in crate::store) fn runs(dir: &Path, number: u32, log: &Path) -> (u64, u64) {
    let found = names::runs_of(dir, number).unwrap_or_default();
    let fits = |name: &names::RunName| {
        let run = Run::open(dir.join(name.finished()), *name).ok()?;
        run.filter(0).ok()?;
        let whole = run.sorted().all(|number| number.is_ok());
        (whole && run::tie(log, name.to).ok()? == run.head.tie).then_some(())
    };
    let good = found.iter().filter(|name| fits(name).is_some()).count() as u64;
    (good, found.len() as u64 - good)
}
