//! The standard output, and how it is kept for items alone.
//!
//! Items and nothing else are to come out of it: whoever reads them does not expect what a spider prints to find its own way.

use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;

/// The standard output as it was when it was set aside.
static ASIDE: OnceLock<File> = OnceLock::new();

/// From now on items alone go to the standard output; whatever else this process prints there goes to the standard error. Without
/// effect where the system has no such thing, and after the first call.
///
/// # Errors
/// What the system says if it cannot be done.
pub fn keep_for_items() -> io::Result<()> {
    #[cfg(unix)]
    if ASIDE.get().is_none() {
        use std::os::fd::AsFd;
        io::stdout().flush()?;
        let items = io::stdout().as_fd().try_clone_to_owned()?;
        // Two at a time would each set the other's aside.
        if ASIDE.set(File::from(items)).is_ok() {
            rustix::stdio::dup2_stdout(io::stderr())?;
        }
    }
    Ok(())
}

/// Where items for the standard output go.
pub(super) fn open() -> io::Result<Box<dyn Write + Send>> {
    Ok(match ASIDE.get() {
        Some(items) => Box::new(items.try_clone()?),
        None => Box::new(io::stdout()),
    })
}
