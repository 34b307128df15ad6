//! The last step of a file: it is compressed and gets its name, or is brought back to be written on.
//!
//! Both are done in a file of another name, which takes its place by a rename once it is whole. A process that is killed on the
//! way leaves the file that it began with, and the step is done again.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::files::Compress;

/// What a file ends in while it is made.
const MAKING: &str = "tmp";

/// The level of zstd: its own default.
const ZSTD_LEVEL: i32 = 3;

/// Makes the file that the second path names of the lines in the first, and sees that it is on the disk.
pub(super) type Maker = Box<dyn Fn(&Path, &Path) -> io::Result<()> + Send>;

/// Makes the final file of a written one, under its name. What is there under that name goes.
pub(super) fn make(work: &Path, name: &Path, maker: &Maker) -> io::Result<()> {
    if let Some(folder) = name.parent() {
        fs::create_dir_all(folder)?;
    }
    let making = name.with_added_extension(MAKING);
    maker(work, &making)?;
    fs::rename(&making, name)?;
    fs::remove_file(work)
}

/// Brings a written file into its final form under its name. What is there under that name goes.
pub(super) fn finish(work: &Path, name: &Path, compress: Compress) -> io::Result<()> {
    if let Some(folder) = name.parent() {
        fs::create_dir_all(folder)?;
    }
    if compress == Compress::None {
        return fs::rename(work, name);
    }
    let making = name.with_added_extension(MAKING);
    let mut plain = File::open(work)?;
    let out = File::create(&making)?;
    let out = match compress {
        Compress::Gzip => {
            let mut packed =
                flate2::write::GzEncoder::new(BufWriter::new(out), flate2::Compression::default());
            io::copy(&mut plain, &mut packed)?;
            packed.finish()?
        }
        Compress::Zstd | Compress::None => {
            let mut packed = zstd::Encoder::new(BufWriter::new(out), ZSTD_LEVEL)?;
            packed.include_checksum(true)?;
            io::copy(&mut plain, &mut packed)?;
            packed.finish()?
        }
    };
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&making, name)?;
    fs::remove_file(work)
}

/// Brings back the first `length` bytes of a finished file, to be written on. Tells how many there were.
pub(super) fn bring_back(name: &Path, work: &Path, length: u64) -> io::Result<u64> {
    let making = work.with_added_extension(MAKING);
    let mut out = BufWriter::new(File::create(&making)?);
    let found = io::copy(&mut open_plain(name)?.take(length), &mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(&making, work)?;
    Ok(found)
}

/// Reads a file, unpacked if it is packed: seen from how it begins.
pub(super) fn open_plain(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    plain(File::open(path)?)
}

/// As [`open_plain`], for what is open already.
pub(super) fn plain(mut packed: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut start = Vec::with_capacity(4);
    packed.by_ref().take(4).read_to_end(&mut start)?;
    let is_gzip = start.starts_with(&[0x1f, 0x8b]);
    let is_zstd = start == [0x28, 0xb5, 0x2f, 0xfd];
    let whole = BufReader::new(io::Cursor::new(start).chain(packed));
    Ok(if is_gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(whole))
    } else if is_zstd {
        Box::new(zstd::Decoder::with_buffer(whole)?)
    } else {
        Box::new(whole)
    })
}

/// The name that a file is written under until it is finished.
pub(super) fn work_name(name: &Path, compress: Compress) -> PathBuf {
    let on_top = name.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(compress.ending()));
    let bare = if on_top { name.with_extension("") } else { name.to_owned() };
    bare.with_added_extension("part")
}
