//! Files with one thing a line: ids of `[[requests]]`, and URLs to start from. Nothing of them is held but the line that is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::requests::SeedError;
use crate::request::Request;
use crate::url::Canon;

/// Bytes of one line.
const MAX_LINE: u64 = 64 * 1024;

/// Lines with something in them, each with its number, from 1.
pub(super) struct Lines {
    text: BufReader<File>,
    read: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { text: BufReader::new(File::open(path)?), read: 0 })
    }

    fn line(&mut self) -> io::Result<Option<(u64, String)>> {
        loop {
            let mut line = Vec::new();
            if self.text.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.read += 1;
            if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                return Err(io::Error::other(format!("a line is longer than {MAX_LINE} bytes")));
            }
            let line = String::from_utf8(line).map_err(|_| io::Error::other("a line is not valid UTF-8"))?;
            let line = line.trim_start_matches('\u{feff}').trim();
            if !line.is_empty() {
                return Ok(Some((self.read, line.to_owned())));
            }
        }
    }
}

impl Iterator for Lines {
    type Item = io::Result<(u64, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
}

/// A file of URLs to start from, one a line. Lines that begin with `#` are left out.
#[derive(Debug, Clone)]
pub struct SeedFile {
    /// Where it is.
    pub path: PathBuf,
    /// How its URLs come into normal form.
    pub canon: Canon,
}

impl SeedFile {
    /// All requests, one after the other. A line that is no URL is an error in its place; after a file that cannot be read on nothing
    /// comes any more.
    pub fn requests(&self) -> impl Iterator<Item = Result<Request, SeedError>> + Send + '_ {
        let (lines, error) = match Lines::open(&self.path) {
            Ok(lines) => (Some(lines), None),
            Err(error) => (None, Some(error)),
        };
        let lines = error.map(Err).into_iter().chain(lines.into_iter().flatten());
        let mut is_over = false;
        lines
            .take_while(move |line| !std::mem::replace(&mut is_over, line.is_err()))
            .filter(|line| !matches!(line, Ok((_, text)) if text.starts_with('#')))
            .map(|line| self.request(line))
    }

    fn request(&self, line: io::Result<(u64, String)>) -> Result<Request, SeedError> {
        let path = || self.path.clone();
        let (line, url) =
            line.map_err(|source| SeedError::File { path: path(), what: "the seeds", source })?;
        match self.canon.parse(&url) {
            Ok(url) => Ok(Request::get(url)),
            Err(reason) => Err(SeedError::Line { path: path(), line, reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_file_has_a_url_a_line_and_a_line_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("urls.txt");
        std::fs::write(&path, "\u{feff}# hosts\r\nhttp://a.example\r\n\n  nothing \nhttp://b.example/x#y\n")
            .unwrap();
        let seeds = SeedFile { path, canon: Canon::default() };
        let said: Vec<_> = seeds
            .requests()
            .map(|seed| seed.map_or_else(|error| error.to_string(), |seed| seed.url.to_string()))
            .collect();
        assert_eq!((said[0].as_str(), said[2].as_str()), ("http://a.example/", "http://b.example/x"));
        assert!(said[1].contains("urls.txt:4: "), "{said:?}");
        assert_eq!(said.len(), 3);
    }

    #[test]
    fn a_seed_file_that_cannot_be_read_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let seeds = SeedFile { path: dir.path().join("none.txt"), canon: Canon::default() };
        assert!(matches!(&seeds.requests().collect::<Vec<_>>()[..], [Err(SeedError::File { .. })]));
        std::fs::write(&seeds.path, b"http://a.example/\n\xff\nhttp://b.example/\n").unwrap();
        let all: Vec<_> = seeds.requests().collect();
        assert!(matches!(&all[..], [Ok(_), Err(SeedError::File { .. })]), "{all:?}");
    }
}
