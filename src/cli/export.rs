//! `crawl export`: stored items into another kind of file.
//!
//! Records are read one at a time and written by the sink that a crawler file would have, with all of its options. The output gets
//! its name when it is complete, so that a conversion that fails leaves what was there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::args::ExportArgs;
use super::exit::{Exit, Failure};
use super::render::{counted, safe, tell};
use super::state::now;
use crate::config::Loader;
use crate::item::Item;
use crate::sink::files::{Exists, Finish};
use crate::sink::read::{Cells, Kind, ReadError, each_record};
use crate::sink::{Ended, Position, Round, Sink, SinkError, Target, ending, sqlite};
use crate::url::CanonicalUrl;

/// Items between two flushes.
const GROUP: u64 = 1_000;

/// The URL of records that have none.
const NOWHERE: &str = "http://export.invalid/";

pub(super) fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    let (out, inputs) = args.files.split_last().expect("the command line has two files at least");
    let mut target = target(args, out)?;
    check_output(args, &target, inputs)?;
    if let Some(files) = target.form.files_mut() {
        files.exists = if args.force { Exists::Overwrite } else { Exists::Fail };
        files.finish = Finish::Rename;
    }
    let mut export = Export::begin(&target, args)?;
    for input in inputs {
        export.read(input, args)?;
    }
    export.finish()?;
    tell(&export.summary(inputs.len(), out));
    Ok(if export.refused == 0 { Exit::COMPLETE } else { Exit::PARTIAL })
}

/// The sink that a crawler file with these options would have.
fn target(args: &ExportArgs, out: &Path) -> Result<Target, Failure> {
    let kind = match (&args.to, ending::kind_of(out)) {
        (Some(kind), _) => kind.as_str(),
        (None, Some(kind)) => kind,
        (None, None) if out.as_os_str() == "-" => "jsonl",
        (None, None) => {
            let known: Vec<_> = ending::ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
            let known = known.join(", ");
            return Err(usage(format!(
                "`{}` has none of the endings {known}: say what it shall be with --to",
                out.display()
            )));
        }
    };
    let text = |text: &str| toml::Value::from(text).to_string();
    let list = |words: &[String]| toml::Value::from(words.to_vec()).to_string();
    let mut loader = Loader::new().seed("http://localhost/");
    loader = loader.flag("OUT", format!("sink.{kind}.path={}", text(&out.to_string_lossy())));
    if !args.kinds.is_empty() {
        loader = loader.flag("--kinds", format!("sink.{kind}.kinds={}", list(&args.kinds)));
    }
    if !args.fields.is_empty() {
        loader = loader.flag("--fields", format!("sink.{kind}.fields={}", list(&args.fields)));
    }
    for set in &args.sets {
        loader = loader.flag("--set", format!("sink.{kind}.{set}"));
    }
    let sinks = loader.load()?.sinks;
    Ok(sinks.into_iter().next().expect("a plan has a sink"))
}

/// Nothing is replaced without a word, and never what is read.
fn check_output(args: &ExportArgs, target: &Target, inputs: &[std::path::PathBuf]) -> Result<(), Failure> {
    let Some(path) = target.form.path().filter(|path| path.is_file()) else {
        return Ok(());
    };
    let whole = path.canonicalize().ok();
    if inputs.iter().any(|input| input.canonicalize().ok() == whole) {
        return Err(usage(format!("`{}` is read and written: give the output another name", path.display())));
    }
    if !args.force {
        return Err(usage(format!(
            "`{}` is there already: move it away, or replace it with --force",
            path.display()
        )));
    }
    Ok(())
}

fn usage(what: String) -> Failure {
    Failure::Usage(what)
}

struct Export<'a> {
    sink: Box<dyn Sink>,
    target: &'a Target,
    nowhere: CanonicalUrl,
    read: u64,
    written: u64,
    refused: u64,
    wants_url: bool,
}

impl<'a> Export<'a> {
    fn begin(target: &'a Target, args: &ExportArgs) -> Result<Self, Failure> {
        let now = now()?;
        let mut sink = target.open()?;
        sink.begin(&Round { number: 1, started: now, now, committed: None, notes: &[] })?;
        sink.rewind(Position(0))?;
        let nowhere = CanonicalUrl::parse(NOWHERE).expect("a constant URL is well-formed");
        let wants_url = args.fields.iter().any(|field| field == "url");
        Ok(Self { sink, target, nowhere, read: 0, written: 0, refused: 0, wants_url })
    }

    fn read(&mut self, input: &Path, args: &ExportArgs) -> Result<(), Failure> {
        let read = match args.from.as_deref().or_else(|| ending::kind_of(input)) {
            Some("sqlite") => sqlite::each_row(input, |record| self.take(record)),
            #[cfg(feature = "parquet")]
            Some("parquet") => crate::sink::parquet::each_row(input, |record| self.take(record)),
            _ => {
                let kind = kind_of(input, args)?;
                let file: Box<dyn Read + Send> = match input.to_str() {
                    Some("-") => Box::new(io::stdin()),
                    _ => Box::new(File::open(input).map_err(Failure::file(input))?),
                };
                each_record(file, kind, |record| self.take(record))
            }
        };
        read.map_err(|error| match error {
            ReadError::Taker(error) => error.into(),
            ReadError::Io(source) => Failure::File { path: input.to_owned(), source },
            error => usage(format!("`{}`, {error}", input.display())),
        })
    }

    fn take(&mut self, fields: Map<String, Value>) -> Result<(), SinkError> {
        self.read += 1;
        let item = self.item(fields);
        if !self.target.choice.admits(&item) {
            return Ok(());
        }
        match self.sink.write(&item) {
            Err(SinkError::Item { reason, .. }) => {
                self.refused += 1;
                tracing::warn!(record = self.read, reason, "record left out");
            }
            result => {
                result?;
                self.written += 1;
            }
        }
        if self.read.is_multiple_of(GROUP) {
            self.sink.flush()?;
        }
        Ok(())
    }

    /// The item that a record was.
    fn item(&self, mut fields: Map<String, Value>) -> Item {
        let url = fields.get("url").and_then(Value::as_str).and_then(|url| CanonicalUrl::parse(url).ok());
        if self.wants_url && !fields.contains_key("url") {
            fields.insert("url".to_owned(), Value::Null);
        }
        let kind = fields.get("kind").and_then(Value::as_str).map(str::to_owned);
        Item { url: url.unwrap_or_else(|| self.nowhere.clone()), kind, fields, seen: None }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sink.flush()?;
        self.sink.sync()?;
        self.sink.finish(Ended::Complete)
    }

    fn summary(&self, files: usize, out: &Path) -> String {
        let mut text = format!(
            "{} from {} to {} ({})",
            counted(self.written, "item"),
            counted(files as u64, "file"),
            safe(&out.display().to_string()),
            self.target.form.words(),
        );
        let left = self.read - self.written - self.refused;
        if left > 0 {
            text.push_str(&format!("; {} not chosen", counted(left, "item")));
        }
        if self.refused > 0 {
            text.push_str(&format!("; {} that it cannot hold left out", counted(self.refused, "item")));
        }
        text
    }
}

/// How an input is read.
fn kind_of(input: &Path, args: &ExportArgs) -> Result<Kind, Failure> {
    let cells = if args.types { Cells::Typed } else { Cells::Text };
    let name = args.from.as_deref().or_else(|| ending::kind_of(input));
    let kind = name.and_then(|name| Kind::named(name, input, cells));
    let kind = kind.ok_or_else(|| {
        let known = Kind::NAMES.join(", ");
        usage(format!(
            "`{}` cannot be read by its ending: say what it is with --from ({known})",
            input.display()
        ))
    })?;
    match (kind, args.separator) {
        (Kind::Csv { cells, .. }, Some(given)) => {
            let separator = u8::try_from(given).ok().filter(u8::is_ascii);
            let separator = separator
                .ok_or_else(|| usage(format!("--separator {given}: expected one ASCII character")))?;
            Ok(Kind::Csv { separator, cells })
        }
        (kind, _) => Ok(kind),
    }
}
