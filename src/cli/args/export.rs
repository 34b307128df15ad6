//! The flags of `crawl export`.

use std::path::PathBuf;

use clap::Args;

pub(super) const EXAMPLES: &str = "\
Examples:
  crawl export out/books.jsonl books.csv
  crawl export out/books-*.jsonl.gz all.json --kinds book --fields title,price
  crawl export books.csv books.jsonl.zst --types
  crawl export out/books.jsonl books.csv --set separator=';' --set bom=true
  zcat books.jsonl.gz | crawl export - --from jsonl - --to csv

Exit codes:
    0  every record was written
    2  an input is not what it should be, or the output is there already
    3  the output cannot hold some of the records; they were left out";

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// The files to read, and last the file to write. Their endings say what they are, with .gz or .zst on top; `-` is the
    /// standard input or output
    #[arg(required = true, num_args = 2.., value_names = ["IN", "OUT"])]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Read files as this, whatever their endings: jsonl, json, csv, sqlite or parquet
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) from: Option<String>,
    /// Write a sink of this kind, whatever the ending of OUT
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) to: Option<String>,
    /// Only items of these kinds
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub(in crate::cli) kinds: Vec<String>,
    /// Only these fields, in this order
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    pub(in crate::cli) fields: Vec<String>,
    /// Set a key of the output, as in the [sink.KIND] of a crawler file; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) sets: Vec<String>,
    /// Cells of a CSV that are JSON are read as that (numbers, true, lists), not as text
    #[arg(long)]
    pub(in crate::cli) types: bool,
    /// What stands between the cells of a CSV that is read; a comma, in .tsv a tab
    #[arg(long, value_name = "CHAR")]
    pub(in crate::cli) separator: Option<char>,
    /// Replace OUT if it is there
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
