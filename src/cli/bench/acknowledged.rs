//! kill -9 in the middle: what a killed bench has acknowledged is all there afterwards.
//!
//! The child says after each commit how much is known and done, with one URL of each; it never gets to say more than is
//! committed. So at least that much must be found again, and at most one commit more.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::work::{Work, reopen, timed};
use super::world::Place;
use crate::cli::args::FrontierArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::render;
use crate::store::{Store, StoreError};

/// Commits between two samples that are kept.
const EVERY: usize = 16;
/// The last commits are all looked at.
const LAST: usize = 1_000;

/// What a commit has acknowledged.
#[derive(Debug, Clone, Copy)]
struct Word {
    known: u64,
    done: u64,
    /// A page that it has settled, and a link that it has brought.
    samples: [Option<Place>; 2],
}

/// What was found after a kill.
#[derive(Debug)]
pub(super) struct Aftermath {
    /// Pages that were done when it was killed.
    pub(super) done: u64,
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// URLs that were looked for.
    pub(super) samples: u64,
    /// What is not as it was acknowledged, in words.
    pub(super) faults: Vec<String>,
}

/// The part of the child: works, and says what is committed.
pub(super) fn acknowledge(args: &FrontierArgs, dir: &Path) -> Result<Exit, Failure> {
    let mut work = Work::begin(dir, args)?;
    let before = args.urls.saturating_sub(args.pages() * u64::from(args.links.div_ceil(10)));
    let mut filled = 0;
    while filled < before.max(u64::from(args.hosts)) {
        filled = (filled + 100_000).min(before.max(u64::from(args.hosts)));
        work.fill(filled)?;
        say(&work)?;
    }
    while work.done < args.pages() {
        work.step()?;
        say(&work)?;
    }
    work.sync()?;
    Ok(Exit::COMPLETE)
}

fn say(work: &Work) -> Result<(), Failure> {
    let place =
        |place: Option<Place>| place.map_or("-".to_owned(), |Place { host, page }| format!("{host}:{page}"));
    let [settled, found] = work.samples.map(place);
    let line = format!("{} {} {settled} {found}\n", work.world.known(), work.done);
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(render::unprintable)
}

impl Word {
    fn read(line: &str) -> Option<Self> {
        let place = |text: &str| {
            let (host, page) = text.split_once(':')?;
            Some(Place { host: host.parse().ok()?, page: page.parse().ok()? })
        };
        let mut words = line.split(' ');
        let (known, done) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { known, done, samples: [place(words.next()?), place(words.next()?)] })
    }
}

/// The part of the parent: starts the child, kills it when half of its pages are done, and looks at what is left.
pub(super) fn kill(args: &FrontierArgs, dir: &Path) -> Result<Aftermath, Failure> {
    let mut child = start(args, dir)?;
    let words = listen(&mut child, args.pages() / 2);
    // It may have ended by itself; either way it is gone then.
    let _ = child.kill();
    child.wait().map_err(|source| Failure::System { what: "the end of a process", source })?;
    let last = *words
        .last()
        .ok_or_else(|| Failure::Usage("the killed bench has not begun: give it more --pages".to_owned()))?;
    let (opened, cpu, wall) = timed(|| reopen(dir));
    let (store, _, waiting) = opened?;
    let mut faults = Vec::new();
    count(args, last, waiting, &mut faults);
    let samples = look(&store, &words, &mut faults)?;
    Ok(Aftermath { done: last.done, wall, cpu, samples, faults })
}

fn start(args: &FrontierArgs, dir: &Path) -> Result<Child, Failure> {
    let refused = |source| Failure::System { what: "a process", source };
    let program = std::env::current_exe().map_err(refused)?;
    let numbers = [
        ("--urls", args.urls),
        ("--hosts", args.hosts.into()),
        ("--links", args.links.into()),
        ("--pages", args.pages()),
        ("--seed", args.seed),
    ];
    let mut command = Command::new(program);
    command.args(["bench", "frontier", "--acknowledge", "--state"]).arg(dir);
    for (flag, number) in numbers {
        command.arg(flag).arg(number.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(refused)
}

/// What the child says until `pages` are done.
fn listen(child: &mut Child, pages: u64) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut old = 0;
    let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
    for word in lines.into_iter().flatten().map_while(Result::ok).filter_map(|line| Word::read(&line)) {
        words.push(word);
        if words.len() - old >= LAST {
            // Of what lies back, some are enough.
            let thinned = words.iter().skip(old).step_by(EVERY).copied().collect::<Vec<_>>();
            words.truncate(old);
            words.extend(thinned);
            words.push(word);
            old = words.len();
        }
        if word.done >= pages {
            break;
        }
    }
    words
}

/// What waits is what is known and not done: of the last commit that was heard of, or of the one behind it.
fn count(args: &FrontierArgs, last: Word, waiting: u64, faults: &mut Vec<String>) {
    let expected = last.known - last.done;
    let (done, links) = (64, 64 * u64::from(args.links));
    if !(expected.saturating_sub(done)..=expected + links).contains(&waiting) {
        faults.push(format!("{waiting} URLs wait, {expected} were acknowledged"));
    }
}

fn look(store: &impl Store, words: &[Word], faults: &mut Vec<String>) -> Result<u64, StoreError> {
    let mut samples = 0;
    for [settled, found] in words.iter().map(|word| word.samples) {
        for place in [settled, found].into_iter().flatten() {
            samples += 1;
            if !store.knows(&place.request())? {
                faults.push(format!("{} is not known any more", place.request().url));
            }
        }
        if let Some(place) = settled
            && store.page(place.request().fingerprint())?.is_none()
        {
            faults.push(format!("{} was done, and nothing is known of it", place.request().url));
        }
    }
    Ok(samples)
}
