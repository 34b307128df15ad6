//! `crawl bench frontier`: the real frontier on the real store, in simulated time.
//!
//! First links alone fill most of the queues; then pages are leased, settled and committed, whose links bring the rest. What the
//! bench itself computes, the links of pages that nobody has written, is taken off the CPU time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::acknowledged::{Aftermath, acknowledge, kill};
use super::figures::{Figures, each, mebi, millis};
use super::meter::{self, Disk, Span};
use super::work::{Work, reopen, timed};
use crate::cli::Stage;
use crate::cli::args::FrontierArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::render::{counted, print, print_json, tell};

/// The bars: memory in MiB, bytes on disk of a URL, CPU microseconds of a page, seconds until a state is open, milliseconds of a
/// pause, MiB of journals.
const RESIDENT: f64 = 1_024.0;
const DISK: f64 = 120.0;
const PAGE: f64 = 120.0;
const OPENING: f64 = 5.0;
const PAUSE: f64 = 100.0;
const JOURNALS: f64 = 256.0;
/// The bar for a page holds for so many links.
const USUAL_LINKS: u32 = 62;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    urls: u64,
    hosts: u32,
    links: u32,
    pages: u64,
    seed: u64,
    passed: bool,
    figures: &'a Figures,
}

pub(super) fn frontier(args: &FrontierArgs, stage: &Stage) -> Result<Exit, Failure> {
    let place = Place::of(args)?;
    if args.acknowledge {
        return acknowledge(args, &place.dir);
    }
    let mut figures = Figures::default();
    let say = |text: String| {
        if !stage.voice.quiet && !args.json {
            tell(&text);
        }
    };
    if args.kill {
        say("killing it in the middle ...".to_owned());
        let dir = place.dir.join("killed");
        let found = kill(args, &dir)?;
        remove(&dir)?;
        of_kill(&found, &mut figures);
    }
    say(format!("filling {} over {} ...", counted(args.urls, "URL"), counted(args.hosts.into(), "host")));
    measure(args, &place.dir, &mut figures, say)?;
    let passed = figures.passed();
    if args.json {
        let FrontierArgs { urls, hosts, links, seed, .. } = *args;
        print_json(&Report { urls, hosts, links, pages: args.pages(), seed, passed, figures: &figures })?;
    } else {
        print(&figures.table())?;
    }
    Ok(if passed { Exit::COMPLETE } else { Exit::FAILED })
}

/// Where the state is, and whether it stays there.
struct Place {
    dir: PathBuf,
    stays: bool,
}

impl Place {
    fn of(args: &FrontierArgs) -> Result<Self, Failure> {
        let Some(dir) = &args.state else {
            let name = format!("crawl-bench-{}", std::process::id());
            return Ok(Self { dir: std::env::temp_dir().join(name), stays: false });
        };
        match std::fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => Err(Failure::Usage(format!(
                "`{}` is not empty: give a --state directory that is not there yet",
                dir.display()
            ))),
            _ => Ok(Self { dir: dir.clone(), stays: true }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.stays {
            // It lies among temporary files, where it is in nobody's way for long.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn remove(dir: &Path) -> Result<(), Failure> {
    std::fs::remove_dir_all(dir).map_err(Failure::file(dir))
}

fn measure(
    args: &FrontierArgs,
    dir: &Path,
    figures: &mut Figures,
    say: impl Fn(String),
) -> Result<(), Failure> {
    let mut work = Work::begin(dir, args)?;
    let new = args.pages() * u64::from(args.links.div_ceil(10));
    let first = args.urls.saturating_sub(new).max(u64::from(args.hosts)).min(args.urls);
    let before = (meter::process_cpu(), meter::written());
    work.fill(first)?;
    of_fill(&work, meter::process_cpu().saturating_sub(before.0), figures);
    say(format!("crawling {} ...", counted(args.pages(), "page")));
    let (cpu, here, own) = (meter::process_cpu(), meter::thread_cpu(), work.own_cpu());
    while work.done < args.pages() {
        work.step()?;
    }
    work.sync()?;
    let here = meter::thread_cpu().saturating_sub(here);
    let cpu = meter::process_cpu().saturating_sub(cpu);
    let own = work.own_cpu().saturating_sub(own);
    of_pages(&work, cpu.saturating_sub(own), cpu.saturating_sub(here), figures);
    of_pauses(&work, figures);
    let known = work.world.known();
    if let (Some(before), Some(after)) = (before.1, meter::written()) {
        figures.add("written to disk for a URL", (after - before) as f64 / known as f64, "B");
    }
    figures.add("journals at most", mebi(work.journals), "MiB").at_most(JOURNALS);
    say("closing and opening ...".to_owned());
    let ((), cpu, wall) = timed(|| drop(work));
    figures.add("closing, wall", wall.as_secs_f64(), "s").note(format!("{:.2} s CPU", cpu.as_secs_f64()));
    of_disk(dir, known, figures)?;
    let (opened, cpu, wall) = timed(|| reopen(dir));
    let waiting = opened?.2;
    of_opening("opening after a clean close", (cpu, wall), figures);
    figures.add("URLs that wait", waiting as f64, "");
    if let Some((peak, now)) = meter::memory() {
        figures.add("resident memory at most", mebi(peak), "MiB").at_most(RESIDENT);
        figures.add("resident memory after opening", mebi(now), "MiB");
    }
    Ok(())
}

fn of_fill(work: &Work, cpu: Duration, figures: &mut Figures) {
    let (spans, urls) = (&work.spans, work.world.known());
    let cpu = cpu.saturating_sub(work.own_cpu());
    figures
        .add("CPU of an add, all threads", each(cpu, urls), "us")
        .note(format!("of it the commit {:.2}", each(spans.add.cpu, urls)));
}

/// `cpu` is that of all threads, `beside` of it that of all others.
fn of_pages(work: &Work, cpu: Duration, beside: Duration, figures: &mut Figures) {
    let (spans, pages) = (&work.spans, work.done);
    let sleep = spans.wake.cpu + spans.naps.cpu;
    figures.add("CPU of a lease", each(spans.next.cpu + spans.load.cpu + sleep, pages), "us").note(format!(
        "frontier {:.2}, reading queues {:.2}, hosts that wake or fall asleep {:.2}",
        each(spans.next.cpu, pages),
        each(spans.load.cpu, pages),
        each(sleep, pages)
    ));
    figures.add("CPU of a settle", each(spans.settle.cpu, pages), "us");
    figures.add("CPU of leaving out a page's known links", each(spans.known.cpu, pages), "us");
    figures.add("CPU of looking a page up", each(spans.look_up.cpu, pages), "us");
    figures.add("CPU of a page's share of a commit", each(spans.commit.cpu, pages), "us");
    figures.add("CPU of an admit", each(spans.admit.cpu, spans.admit.calls), "us");
    let page = figures.add("CPU of a page, all threads", each(cpu, pages), "us");
    page.note(format!("with {} links; in other threads {:.1}", work.links, each(beside, pages)));
    if work.links <= USUAL_LINKS {
        page.at_most(PAGE);
    }
}

fn of_pauses(work: &Work, figures: &mut Figures) {
    let spans = &work.spans;
    let calls = [
        ("longest pause of a commit of links", &spans.add),
        ("longest pause of a commit of pages", &spans.commit),
        ("longest pause of the look-ups of a commit", &spans.look_up),
        ("longest pause of reading a queue", &spans.load),
        ("longest pause of waking hosts", &spans.wake),
        ("longest pause of putting hosts to sleep", &spans.naps),
        ("longest next", &spans.next),
        ("longest settle", &spans.settle),
        ("longest pause of a sync", &spans.sync),
    ];
    for (name, span) in calls {
        let Span { calls, worst, long, .. } = *span;
        figures
            .add(name, millis(worst), "ms")
            .at_most(PAUSE)
            .note(format!("{long} of {calls} longer than that"));
    }
}

fn of_disk(dir: &Path, known: u64, figures: &mut Figures) -> Result<(), Failure> {
    let Disk { all, journals, seen } = Disk::of(dir).map_err(Failure::file(dir))?;
    let of_url = |bytes: u64| bytes as f64 / known as f64;
    figures.add("disk of a URL", of_url(all), "B").at_most(DISK).note(format!(
        "{:.0} MiB: queues and pages {:.1}, seen-set {:.1}, journals {:.1}",
        mebi(all),
        of_url(all - journals - seen),
        of_url(seen),
        of_url(journals)
    ));
    Ok(())
}

fn of_opening(name: &'static str, (cpu, wall): (Duration, Duration), figures: &mut Figures) {
    figures
        .add(name, cpu.as_secs_f64(), "s")
        .at_most(OPENING)
        .note(format!("CPU; wall {:.2} s", wall.as_secs_f64()));
}

fn of_kill(found: &Aftermath, figures: &mut Figures) {
    of_opening("opening after kill -9", (found.cpu, found.wall), figures);
    let faults = found.faults.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
    let note = format!(
        "{} looked for, {} were done; {faults}",
        counted(found.samples, "URL"),
        counted(found.done, "page")
    );
    figures
        .add("acknowledged and lost by kill -9", found.faults.len() as f64, "")
        .at_most(0.0)
        .note(note.trim_end_matches([';', ' ']).to_owned());
}
