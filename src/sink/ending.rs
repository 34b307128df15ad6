//! What the ending of a file's name says of what is in it.
//!
//! The one table of it: `--out`, `crawl export` and the reading of files go by it. An ending of compression stands on top, as in
//! `items.jsonl.gz`.

use std::path::Path;

use super::files::Compress;

/// Endings in lower case, and the kind of the sink: its table in a crawler file, `[sink.KIND]`.
pub const ENDINGS: [(&str, &str); 10] = [
    ("jsonl", "jsonl"),
    ("ndjson", "jsonl"),
    ("jl", "jsonl"),
    ("json", "json"),
    ("csv", "csv"),
    ("tsv", "csv"),
    ("sqlite", "sqlite"),
    ("sqlite3", "sqlite"),
    ("db", "sqlite"),
    ("parquet", "parquet"),
];

/// The kind of sink that a file's name asks for; `None` if its ending is not in the table.
///
/// ```
/// use crawl::sink::ending::kind_of;
///
/// assert_eq!(kind_of("out/books.CSV.gz".as_ref()), Some("csv"));
/// assert_eq!(kind_of("out/books".as_ref()), None);
/// ```
#[must_use]
pub fn kind_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let name = compression_of(path).map_or(name.as_str(), |compress| cut(&name, compress));
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

/// How a file of this name is compressed; `None` if it is plain.
#[must_use]
pub fn compression_of(path: &Path) -> Option<Compress> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Compress::ALL.into_iter().find(|compress| compress.ending() == ending)
}

/// Whether a file's name asks for cells that are separated by tabs.
#[must_use]
pub fn is_tabbed(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    compression_of(path).map_or(name.as_str(), |compress| cut(&name, compress)).ends_with(".tsv")
}

fn cut(name: &str, compress: Compress) -> &str {
    name.strip_suffix(compress.ending()).and_then(|name| name.strip_suffix('.')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_of_compression_stands_on_top_of_the_kind() {
        for (name, kind, compress) in [
            ("a.jsonl", Some("jsonl"), None),
            ("a.NDJSON", Some("jsonl"), None),
            ("a.json.zst", Some("json"), Some(Compress::Zstd)),
            ("a.b/c.tsv.gz", Some("csv"), Some(Compress::Gzip)),
            ("a.gz", None, Some(Compress::Gzip)),
            ("a.gz/b", None, None),
            ("-", None, None),
        ] {
            assert_eq!(
                (kind_of(Path::new(name)), compression_of(Path::new(name))),
                (kind, compress),
                "{name}"
            );
        }
        assert!(is_tabbed(Path::new("a.tsv.gz")) && !is_tabbed(Path::new("tsv.csv")));
    }
}
