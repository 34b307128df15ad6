//! From the lines of a part to its Parquet file: read once for the columns, and once for the rows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use serde_json::{Map, Value};

use super::columns::Group;
use super::schema::Survey;
use crate::sink::table::column::Declared;

/// The level of zstd: its own default.
const ZSTD_LEVEL: i32 = 3;

/// How files are made.
pub(super) struct Plan {
    pub(super) types: Vec<Declared>,
    pub(super) row_group: usize,
}

impl Plan {
    /// Makes a Parquet file of JSON lines. Holds one group of rows in memory.
    pub(super) fn make(&self, lines: &Path, out: &Path) -> io::Result<()> {
        let mut lines = BufReader::new(File::open(lines)?);
        let mut survey = Survey::default();
        each(&mut lines, |item| {
            survey.see(&item, &self.types);
            Ok(())
        })?;
        let columns = survey.columns(&self.types);
        lines.rewind()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).map_err(told)?))
            .set_created_by(format!("crawl {}", env!("CARGO_PKG_VERSION")))
            .build();
        let schema = columns.schema().map_err(told)?;
        let mut file =
            SerializedFileWriter::new(File::create(out)?, schema, Arc::new(properties)).map_err(told)?;
        let mut group = Group::new(&columns, self.row_group);
        each(&mut lines, |item| {
            group.push(&columns.row(item));
            if group.is_full() { group.write(&mut file).map_err(told) } else { Ok(()) }
        })?;
        group.write(&mut file).map_err(told)?;
        file.into_inner().map_err(told)?.sync_all()
    }
}

/// Reads every line.
fn each(
    lines: &mut impl BufRead,
    mut take: impl FnMut(Map<String, Value>) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        take(serde_json::from_str(&line)?)?;
        line.clear();
    }
    Ok(())
}

fn told(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => io::Error::other(source),
        other => io::Error::other(other),
    }
}
