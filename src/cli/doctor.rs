//! `crawl doctor` and `crawl repair`: what is wrong with a state and with the place it lies in, and mending it.
//!
//! Nothing of a state is changed by the first; the second says what it would do, and does it when it is told to.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::args::{DoctorArgs, RepairArgs};
use super::exit::{Exit, Failure};
use super::render::{bytes, counted, duration, print, print_json, safe, tell};
use super::state::now;
use crate::config::Loader;
use crate::store::doctor::{Deed, Examination, Finding, Verdict, examine, holder, repair};
use crate::time::Timestamp;

/// With less room than this a crawl soon stops.
const LITTLE_ROOM: u64 = 256 << 20;
/// Fewer files than this may be made.
const FEW_INODES: u64 = 10_000;
/// A crawl keeps a connection to each host, and some files.
const FEW_FILES: u64 = 256;
/// Clocks of two machines may differ by so much.
const SKEW: Duration = Duration::from_secs(300);
/// No server means a wait that is longer: the clock was wrong when it was written down.
const LONG_WAIT: Duration = Duration::from_secs(31 * 86_400);

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    state_dir: PathBuf,
    /// The process that holds the state; nothing else is looked at then.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<String>,
    verdict: Verdict,
    #[serde(flatten)]
    found: Examination,
    /// What is wrong with the machine, or worth knowing of it.
    machine: Vec<Remark>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repaired: Vec<Deed>,
}

/// A remark about the machine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Remark {
    what: &'static str,
    is_fine: bool,
    says: String,
}

pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    let told = look(&state_at(&args.place)?)?;
    if args.json {
        print_json(&told)?;
    } else {
        print(&told.text())?;
    }
    Ok(told.exit())
}

pub(super) fn repair_state(args: &RepairArgs) -> Result<Exit, Failure> {
    let dir = state_at(&args.place)?;
    let mut told = look(&dir)?;
    if told.held_by.is_some() || !told.verdict.wants_repair() {
        print(&told.text())?;
        return Ok(told.exit());
    }
    tell(told.text().trim_end());
    if !(args.yes || agrees()?) {
        tell("\nnothing was changed; `crawl repair --yes` does it");
        return Ok(told.exit());
    }
    let deeds = repair(&dir, &told.found, now()?)?;
    told = Told { repaired: deeds, ..look(&dir)? };
    if args.json {
        print_json(&told)?;
    } else {
        print(&told.text())?;
    }
    Ok(told.exit())
}

/// Asks on a terminal. Elsewhere nobody can answer.
fn agrees() -> Result<bool, Failure> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(false);
    }
    tell("\nWhat is damaged is moved to `damaged-<n>` in the state, nothing is deleted. Repair it? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|source| Failure::System { what: "to read an answer", source })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A state directory, or that of a crawler file.
fn state_at(place: &Path) -> Result<PathBuf, Failure> {
    let dir = match place.is_dir() {
        true => place.to_owned(),
        false => Loader::new().file(place).load()?.state_dir,
    };
    let is_state = ["FORMAT", "frontier", "lock", "synced"].iter().any(|name| dir.join(name).exists());
    if is_state {
        return Ok(dir);
    }
    Err(Failure::Usage(format!(
        "there is no state in `{}`: name a state directory, or its crawler file",
        dir.display()
    )))
}

fn look(dir: &Path) -> Result<Told, Failure> {
    let held_by = holder(dir);
    let found = match held_by {
        Some(_) => Examination::default(),
        None => examine(dir)?,
    };
    let machine = machine(dir, &found, now()?);
    Ok(Told {
        state_dir: dir.to_owned(),
        held_by,
        verdict: found.verdict(),
        found,
        machine,
        repaired: Vec::new(),
    })
}

impl Told {
    fn exit(&self) -> Exit {
        match self.verdict {
            _ if self.held_by.is_some() => Exit::LOCKED,
            verdict if verdict.wants_repair() => Exit::DAMAGED,
            _ => Exit::COMPLETE,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("state {}\n", safe(&self.state_dir.display().to_string()));
        if let Some(pid) = &self.held_by {
            writeln!(text, "  in use by process {}: wait for it, or stop it, and look again", safe(pid))
                .expect(WRITES);
        }
        for finding in &self.found.findings {
            text.push_str(&line(finding));
        }
        for remark in &self.machine {
            let verdict = if remark.is_fine { "fine" } else { "look" };
            writeln!(text, "  {:<12}{verdict:<21}{}", remark.what, safe(&remark.says)).expect(WRITES);
        }
        for deed in &self.repaired {
            writeln!(text, "  repaired    {}: {}", deed.part.as_str(), safe(&deed.did)).expect(WRITES);
        }
        let last = match (&self.held_by, self.verdict.wants_repair()) {
            (Some(_), _) => return text,
            (None, true) => "damaged: `crawl repair` does what can be done",
            (None, false) => "the state is well",
        };
        text.push_str(last);
        text.push('\n');
        text
    }
}

const WRITES: &str = "a String takes everything";

fn line(finding: &Finding) -> String {
    let size = if finding.bytes > 0 { format!(" ({})", bytes(finding.bytes)) } else { String::new() };
    let (part, verdict) = (finding.part.as_str(), finding.verdict.as_str());
    let mut line = format!("  {part:<12}{verdict:<21}{}{size}\n", safe(&finding.says));
    if !finding.remedy.is_empty() {
        writeln!(line, "{:14}{}", "", safe(&finding.remedy)).expect(WRITES);
    }
    line
}

/// What of the machine a crawl stumbles over.
fn machine(dir: &Path, found: &Examination, now: Timestamp) -> Vec<Remark> {
    let mut remarks = room(dir);
    remarks.extend(open_files());
    remarks.push(clock(found, now));
    remarks
}

#[cfg(unix)]
fn room(dir: &Path) -> Vec<Remark> {
    let Ok(system) = rustix::fs::statvfs(dir) else { return Vec::new() };
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let inodes = system.f_favail;
    // Some file systems have no such number.
    let counts_inodes = system.f_files > 0;
    let mut remarks = vec![Remark {
        what: "disk",
        is_fine: free >= LITTLE_ROOM,
        says: format!(
            "{} free{}",
            bytes(free),
            if free < LITTLE_ROOM { ": a crawl stops when it is full" } else { "" }
        ),
    }];
    if counts_inodes && inodes < FEW_INODES {
        let says = format!("room for {} only", counted(inodes, "more file"));
        remarks.push(Remark { what: "inodes", is_fine: false, says });
    }
    remarks
}

#[cfg(not(unix))]
fn room(_: &Path) -> Vec<Remark> {
    Vec::new()
}

#[cfg(unix)]
fn open_files() -> Option<Remark> {
    use rustix::process::{Resource, getrlimit};
    let most = getrlimit(Resource::Nofile).maximum?;
    let is_fine = most >= FEW_FILES;
    let hint = if is_fine { "" } else { ": each host wants a connection; raise it with `ulimit -n`" };
    Some(Remark { what: "open files", is_fine, says: format!("{most} at a time{hint}") })
}

#[cfg(not(unix))]
fn open_files() -> Option<Remark> {
    None
}

/// Moments from the future: the machine's clock was, or is, wrong.
fn clock(found: &Examination, now: Timestamp) -> Remark {
    let mut says = Vec::new();
    if let Some(last) = found.last_seen.filter(|last| *last > now + SKEW) {
        let ahead = duration(last.since(now));
        says.push(format!("pages were seen {ahead} in the future: is the machine's clock right?"));
    }
    if let Some((host, until)) = found.longest_wait.as_ref().filter(|(_, until)| *until > now + LONG_WAIT) {
        let wait = duration(until.since(now));
        says.push(format!("{host} is left alone for {wait} yet: if that is an error of a clock, `crawl run --fresh` forgets it"));
    }
    let is_fine = says.is_empty();
    Remark {
        what: "clock",
        is_fine,
        says: if is_fine { "nothing is from the future".to_owned() } else { says.join("; ") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_from_the_future_are_told() {
        let now = Timestamp::from_secs(1_000_000);
        let mut found =
            Examination { last_seen: Some(now + Duration::from_secs(60)), ..Examination::default() };
        assert!(clock(&found, now).is_fine);
        found.last_seen = Some(now + Duration::from_secs(7_200));
        found.longest_wait = Some(("a.example".to_owned(), now + Duration::from_secs(86_400 * 400)));
        let told = clock(&found, now);
        assert!(
            !told.is_fine && told.says.contains("2 h") && told.says.contains("a.example is left alone"),
            "{}",
            told.says
        );
    }
}
