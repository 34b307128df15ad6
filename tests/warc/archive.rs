//! A strict reader of archives: a record that is not whole, or a byte between records, is an error.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// A record as it was read.
pub struct Entry {
    fields: Vec<(String, String)>,
    pub block: Vec<u8>,
}

impl Entry {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub fn kind(&self) -> &str {
        self.field("WARC-Type").unwrap()
    }

    fn end_of_head(&self) -> usize {
        self.block.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(self.block.len(), |at| at + 4)
    }

    pub fn head(&self) -> String {
        String::from_utf8_lossy(&self.block[..self.end_of_head()]).into_owned()
    }

    pub fn body(&self) -> Vec<u8> {
        self.block[self.end_of_head()..].to_vec()
    }

    /// The status of an answer; that of one without a block is 304.
    pub fn status(&self) -> &str {
        self.block.get(9..12).map_or("304", |status| str::from_utf8(status).unwrap())
    }
}

/// The files of an archive, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// All records of an archive. Each file must begin with a `warcinfo`.
pub fn entries(folder: &Path) -> Vec<Entry> {
    files(folder).iter().flat_map(|file| entries_of(file)).collect()
}

fn entries_of(file: &Path) -> Vec<Entry> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    let mut rest = &bytes[..];
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = str::from_utf8(&rest[..end]).unwrap();
        let (version, fields) = head.split_once("\r\n").unwrap();
        assert_eq!(version, "WARC/1.1");
        let field =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fields: Vec<_> = fields.split("\r\n").map(|line| field(line).unwrap()).collect();
        let length = fields.iter().find(|(name, _)| name == "Content-Length").unwrap().1.parse().unwrap();
        let (block, behind) = rest[end + 4..].split_at(length);
        rest = behind.strip_prefix(b"\r\n\r\n").unwrap();
        entries.push(Entry { fields, block: block.to_vec() });
    }
    assert_eq!(entries[0].kind(), "warcinfo");
    entries
}
