//! How far a file holds whole records: what is behind that was cut off when its process died.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

use flate2::bufread::GzDecoder;

use super::record::Packing;

/// Bytes up to the end of the last whole record.
pub(super) fn whole_length(file: &File, packing: Packing) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(64 << 10, file);
    reader.rewind()?;
    let mut whole = 0;
    while !reader.fill_buf()?.is_empty() {
        let is_whole = match packing {
            Packing::Gzip => io::copy(&mut GzDecoder::new(&mut reader), &mut io::sink()).is_ok(),
            Packing::Plain => skip_record(&mut reader)?,
        };
        if !is_whole {
            break;
        }
        whole = reader.stream_position()?;
    }
    Ok(whole)
}

/// Reads over a record. `false` if it does not come to its end.
fn skip_record(reader: &mut impl BufRead) -> io::Result<bool> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            None => return Ok(false),
            Some(b"") => break,
            Some(field) => {
                let value =
                    field.strip_prefix(b"Content-Length: ").and_then(|value| str::from_utf8(value).ok());
                length = value.and_then(|value| value.parse().ok()).or(length);
            }
        }
    }
    let Some(length) = length else { return Ok(false) };
    let skipped = io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
    let mut end = [0; 4];
    Ok(skipped == length && reader.read_exact(&mut end).is_ok() && end == *b"\r\n\r\n")
}
