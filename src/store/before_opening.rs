//! What the database believes of its files without looking, looked at before it does.
//!
//! Of each keyspace `current` names the list of its files, `v<number>`, and has a checksum of it, which the database writes and never
//! reads: with one changed byte a file would count as older than it is, and newer values would give way to older ones in silence.
//! And every list and table ends with a table of contents, of which the database reads the number of entries, and takes memory for
//! as many, before it looks at the checksum of that: with one changed byte there is not so much memory, and the process is gone.
//!
//! What cannot be read, or ends in the middle as after a kill, the database finds by itself.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::StoreError;

/// How a file ends: `SFA!`, version, kind and value of the checksum of the table of contents, its place and length.
const END_MAGIC: &[u8] = b"SFA!";
const END_LENGTH: usize = END_MAGIC.len() + 2 + 16 + 8 + 8;
const PLACE: usize = END_LENGTH - 16;
/// How a table of contents begins, before the number of its entries.
const CONTENTS_MAGIC: &[u8] = b"TOC!";
/// The least bytes of an entry: a place, a length, the length of a name.
const LEAST_ENTRY: u64 = 8 + 8 + 2;

/// Looks at the lists and tables of the database in `path`.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    for space in entries(&path.join("keyspaces")) {
        check_list(&space)?;
        let lists_and_tables = entries(&space).into_iter().chain(entries(&space.join("tables")));
        for file in lists_and_tables.filter(|path| path.is_file()) {
            check_contents(&file)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn check_list(space: &Path) -> Result<(), StoreError> {
    let Ok(current) = fs::read(space.join("current")) else { return Ok(()) };
    let Some((number, rest)) = current.split_first_chunk() else { return Ok(()) };
    let list = space.join(format!("v{}", u64::from_le_bytes(*number)));
    let Ok(bytes) = fs::read(&list) else { return Ok(()) };
    match rest.starts_with(&xxh3_128(&bytes).to_le_bytes()) {
        true => Ok(()),
        false => Err(damaged(list, "the list of its files does not match its checksum")),
    }
}

fn check_contents(file: &Path) -> Result<(), StoreError> {
    match count_fits(file) {
        Ok(false) => Err(damaged(file.to_owned(), "its table of contents is longer than the file")),
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Whether as many entries as a file says fit into it; also true of a file without a table of contents.
fn count_fits(file: &Path) -> io::Result<bool> {
    let mut file = File::open(file)?;
    let mut end = [0; END_LENGTH];
    let length = file.seek(SeekFrom::End(-(END_LENGTH as i64)))?;
    file.read_exact(&mut end)?;
    let (place, _) = end[PLACE..].split_first_chunk().unwrap_or((&[0; 8], &[]));
    let place = u64::from_le_bytes(*place);
    if !end.starts_with(END_MAGIC) || place > length {
        return Ok(true);
    }
    let mut start = [0; CONTENTS_MAGIC.len()];
    let mut count = [0; 4];
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut start)?;
    file.read_exact(&mut count)?;
    Ok(start != CONTENTS_MAGIC || u64::from(u32::from_le_bytes(count)) <= (length - place) / LEAST_ENTRY)
}

fn damaged(path: PathBuf, reason: &str) -> StoreError {
    StoreError::Damaged { path, reason: format!("{reason}: bytes of it were changed") }
}
