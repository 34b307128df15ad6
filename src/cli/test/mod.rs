//! `crawl test`: what a crawler file takes from recorded pages, against what it took from them before.
//!
//! Pages and snapshot lie beside the crawler file, as files that can be read and kept under version control. Comparing opens
//! no socket; only `--record` asks hosts, as politely as `crawl try`.

mod record;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::Registry;
use super::args::TestArgs;
use super::exit::{Exit, Failure};
use super::render::{counted, print, safe, tell};
use super::staged::Staged;
use crate::testing::Recorded;
use crate::testing::replay::{Difference, Readings, RecordedError};

/// Pages that are listed with their differences, and differences of one page.
const MOST_PAGES: usize = 20;
const MOST_LINES: usize = 8;

/// Where pages and snapshot are.
struct Place {
    pages: PathBuf,
    snapshot: PathBuf,
}

impl Place {
    fn of(args: &TestArgs) -> Self {
        let pages = args.pages.clone().unwrap_or_else(|| args.file.with_extension("pages"));
        Self { snapshot: pages.with_extension("items.jsonl"), pages }
    }
}

pub(super) fn test(args: &TestArgs, registry: &Registry) -> Result<Exit, Failure> {
    let place = Place::of(args);
    let exit = record::record(args, &place.pages, registry)?;
    if exit.is_some_and(|exit| exit != Exit::COMPLETE || !args.update) {
        return Ok(exit.unwrap_or(Exit::COMPLETE));
    }
    let got = read(args, &place, registry)?;
    if args.update {
        fs::write(&place.snapshot, got.to_jsonl()).map_err(Failure::file(&place.snapshot))?;
        tell(&format!("{}: written to `{}`", told(&got), place.snapshot.display()));
        return Ok(Exit::COMPLETE);
    }
    let differences = expected(args, &place)?.differences(&got);
    print(&summary(&place, &got, &differences))?;
    Ok(if differences.is_empty() { Exit::COMPLETE } else { Exit::FAILED })
}

/// What the rules take from the recorded pages now.
fn read(args: &TestArgs, place: &Place, registry: &Registry) -> Result<Readings, Failure> {
    let plan = args.sets.over(Some(&args.file)).load()?;
    let spider = Staged::of(&plan, registry.of(&plan)?);
    let pages = if place.pages.is_dir() { Some(Recorded::open(&place.pages)?) } else { None };
    let pages = pages.filter(|pages| pages.urls().next().is_some()).ok_or_else(|| {
        Failure::Usage(format!(
            "there are no recorded pages in `{}`: record some with `crawl test {} --record URL`",
            place.pages.display(),
            args.file.display()
        ))
    })?;
    Ok(pages.with_canon(plan.canon.clone()).run(&spider))
}

fn expected(args: &TestArgs, place: &Place) -> Result<Readings, Failure> {
    let path = &place.snapshot;
    let text = fs::read_to_string(path).map_err(|error| {
        let file = args.file.display();
        Failure::Usage(format!(
            "cannot read the snapshot `{}`: {error}; write it with `crawl test {file} --update`",
            path.display()
        ))
    })?;
    Readings::from_jsonl(&text).map_err(|error| Failure::Usage(format!("`{}`: {error}", path.display())))
}

fn summary(place: &Place, got: &Readings, differences: &[Difference]) -> String {
    let mut text = told(got);
    if differences.is_empty() {
        text.push_str(", all as expected\n");
        return text;
    }
    let pages = counted(differences.len() as u64, "page");
    writeln!(text, "; {pages} not as in `{}`", place.snapshot.display()).expect("a String takes everything");
    for page in differences.iter().take(MOST_PAGES) {
        writeln!(text, "{}", safe(&page.url.to_string())).expect("a String takes everything");
        for line in shortened(&page.lines) {
            writeln!(text, "  {}", safe(&line)).expect("a String takes everything");
        }
    }
    let more = differences.len().saturating_sub(MOST_PAGES);
    if more > 0 {
        writeln!(text, "and {} more", counted(more as u64, "page")).expect("a String takes everything");
    }
    text.push_str("If this is right: --update\n");
    text
}

fn shortened(lines: &[String]) -> Vec<String> {
    let mut shown = lines.to_vec();
    if lines.len() > MOST_LINES {
        shown.truncate(MOST_LINES - 1);
        shown.push(format!("and {} more", counted((lines.len() - shown.len()) as u64, "difference")));
    }
    shown
}

fn told(readings: &Readings) -> String {
    let (pages, items) = (readings.pages.len() as u64, readings.items().len() as u64);
    format!("{}, {}", counted(pages, "page"), counted(items, "item"))
}

impl From<RecordedError> for Failure {
    fn from(error: RecordedError) -> Self {
        match error {
            RecordedError::File { path, source } => Self::File { path, source },
            error => Self::Usage(error.to_string()),
        }
    }
}

/// Says which page was recorded where.
fn tell_recorded(url: &str, path: &Path) {
    tell(&format!("{} -> {}", safe(url), path.display()));
}
