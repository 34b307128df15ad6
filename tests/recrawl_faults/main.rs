//! A process that dies anywhere in one of several rounds over a changing web: nothing is lost behind a 304, no page is reported
//! twice or never, and what is known of a page stays known.
//!
//! Every history is played to its end on simulated time and compared, round by round, with the one in which nobody dies. What may
//! differ is left out of the comparison: moments, and how often a page was asked and how many bytes that cost, because an answer
//! that was not committed is asked for again.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod items;
mod mortal;
mod web;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crawl::clock::Clock;
use crawl::engine::{Crawl, Execution, Freshness, Report, Totals};
use crawl::item::Item;
use crawl::politeness::{Policy, Retry};
use crawl::sink::Wants;
use crawl::stage::Stage;
use crawl::time::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use mortal::{Behind, Damage, Disk, Fate, Out};
use web::{A, Answer, B, Kept, Pages, Titles, Web, linking, page};

/// What there is in the first round.
fn first() -> Pages {
    let home: &[_] =
        &["/same", "/edited", "/back", "/gone", "/moves", "/hidden", "/plain", "/secret", "/dead"];
    let pages = [
        ("/", linking("home", home)),
        ("/same", page("same")),
        ("/edited", page("one")),
        ("/back", page("there")),
        ("/gone", page("soon gone")),
        ("/moves", page("here")),
        ("/hidden", linking("hidden", &["/below"])),
        ("/below", page("below")),
        ("/plain", Answer::Page { title: "plain", links: Vec::new(), kept: Kept::Plain }),
        ("/secret", Answer::Page { title: "secret", links: Vec::new(), kept: Kept::ByEtag }),
    ];
    let mut all: Pages = pages.into_iter().map(|(path, answer)| (format!("{A}{path}"), answer)).collect();
    all.insert(format!("{B}/"), linking("other", &["/leaf"]));
    all.insert(format!("{B}/leaf"), page("leaf"));
    all
}

fn changed(mut pages: Pages, changes: &[(&str, Answer)]) -> Pages {
    pages.extend(changes.iter().map(|(path, answer)| (format!("{A}{path}"), answer.clone())));
    pages
}

/// The second round finds every kind of change.
fn second() -> Pages {
    let home: &[_] = &["/same", "/edited", "/back", "/gone", "/moves", "/plain", "/secret", "/dead", "/new"];
    let no_store = Answer::Page { title: "secret", links: Vec::new(), kept: Kept::NoStore };
    let changes = [
        ("/", linking("home", home)),
        ("/edited", page("two")),
        ("/back", Answer::Status(404)),
        ("/gone", Answer::Status(410)),
        ("/moves", Answer::Moved("/target")),
        ("/target", page("here")),
        ("/secret", no_store),
        ("/new", linking("new", &["/newer"])),
        ("/newer", page("newer")),
        ("/plain", Answer::Status(500)),
    ];
    changed(first(), &changes)
}

/// In the fourth, pages are again what they were in the first: what is kept of them then may be asked about again.
fn fourth() -> Pages {
    let changes = [
        ("/edited", page("one")),
        ("/back", page("there")),
        ("/moves", page("here")),
        ("/secret", page("secret")),
        ("/plain", Answer::Page { title: "plain", links: Vec::new(), kept: Kept::Plain }),
        ("/newer", Answer::Status(404)),
        ("/same", Answer::Status(403)),
    ];
    changed(second(), &changes)
}

/// The web in each of the rounds. Nothing changes between the second and the third.
fn rounds() -> Vec<Pages> {
    vec![first(), second(), second(), fourth(), fourth()]
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    /// Rounds and steps at which the process dies, in order; a round may come twice.
    deaths: [Option<(usize, usize)>; 2],
    /// Batches that the power cut takes with it.
    batches: usize,
    /// Writes of the cache that are lost with it.
    writes: usize,
}

impl Trouble {
    fn at(round: usize, step: usize) -> Self {
        Self { deaths: [Some((round, step)), None], ..Self::default() }
    }
}

/// What a round came to, as far as it must not depend on deaths.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    /// New, changed, unchanged, gone, unknown.
    shifts: [u64; 5],
    counts: [u64; 4],
    /// None of a process that died when the round was complete and only its report was missing.
    exit: Option<u8>,
    /// URL, title and the round of its last change, for each item.
    items: Vec<(String, String, u32)>,
    news: Vec<(String, String, u32)>,
    changes: Vec<(String, String)>,
}

/// A history and everything that outlives a process.
struct World {
    fate: Fate,
    web: Web,
    disk: Disk,
    cache: Behind,
    items: Out,
    news: Out,
    changes: TempDir,
    hosts: Vec<String>,
    freshness: Freshness,
    execution: Execution,
    stages: Vec<Arc<dyn Stage>>,
    first_seen: HashMap<String, Timestamp>,
}

impl World {
    fn new() -> Self {
        let fate = Fate::default();
        let clock = Clock::starting_at(Timestamp::from_secs(1_790_000_000));
        Self {
            web: Web::new(clock, fate.clone()),
            disk: Disk::new(fate.clone()),
            cache: Behind::new(fate.clone()),
            items: Out::new(fate.clone(), Wants::Everything),
            news: Out::new(fate.clone(), Wants::Changes),
            changes: tempfile::tempdir().unwrap(),
            hosts: [A, B].map(str::to_owned).to_vec(),
            freshness: Freshness::default(),
            execution: Execution::Inline,
            stages: Vec::new(),
            first_seen: HashMap::new(),
            fate,
        }
    }

    fn crawl(&self) -> Crawl<Web> {
        let retry = Retry {
            tries: 2,
            base: Duration::from_millis(20),
            confirm: Duration::from_millis(20),
            ..Retry::default()
        };
        let policy = Policy { retry, ..Policy::fixed(Duration::from_millis(10)) };
        let mut builder = Crawl::builder();
        for stage in &self.stages {
            builder = builder.shared_stage(Arc::clone(stage));
        }
        builder
            .identity("simbot", "tests@example.com")
            .spider(Titles(self.hosts.clone()))
            .policy(policy)
            .store(self.disk.clone())
            .cache(Arc::new(self.cache.clone()))
            .sink(self.items.clone())
            .sink(self.news.clone())
            .changes_in(self.changes.path())
            .freshness(self.freshness)
            .clock(self.web.clock.clone())
            .execution(self.execution)
            .without_journal()
            .build_with(self.web.clone())
            .unwrap()
    }

    /// One process; no report if it dies.
    async fn process(&self, last_step: Option<usize>) -> Option<Report> {
        self.fate.begin(last_step);
        let crawl = self.crawl();
        let report = tokio::select! {
            biased;
            () = self.fate.death() => None,
            report = crawl.run() => (!self.fate.is_dead()).then(|| report.unwrap()),
        };
        // Workers of a dropped run notice when they are next polled. A death in the last step leaves its notice behind.
        tokio::task::yield_now().await;
        drop(tokio::time::timeout(Duration::ZERO, self.fate.death()).await);
        while self.disk.is_held() {
            // A writer on a thread of its own has not noticed yet that nobody is left.
            std::thread::yield_now();
        }
        report
    }

    /// One round, with its deaths.
    async fn round(&mut self, number: usize, pages: &Pages, trouble: Trouble) -> Outcome {
        self.web.show(pages);
        self.web.log();
        for (_, step) in trouble.deaths.into_iter().flatten().filter(|(round, _)| *round == number) {
            let report = self.process(Some(step)).await;
            self.check_history();
            if let Some(report) = report {
                return self.reported(&report);
            }
            self.disk.lose(trouble.batches);
            self.cache.lose(trouble.writes);
            self.first_seen = self.disk.first_seen();
            // The next process would begin the next round.
            if let Some(run) =
                self.disk.run().filter(|run| run.round as usize == number && run.completed.is_some())
            {
                return self.outcome(run.round, &Totals::from_map(&run.totals), None);
            }
        }
        let report = self.process(None).await.unwrap();
        self.check_history();
        self.reported(&report)
    }

    fn reported(&self, report: &Report) -> Outcome {
        self.outcome(report.round, &report.totals, Some(report.exit_code()))
    }

    /// `first_seen` of a page that stays known never moves.
    fn check_history(&mut self) {
        let now = self.disk.first_seen();
        for (url, moment) in &now {
            assert!(self.first_seen.get(url).is_none_or(|before| before == moment), "{url}");
        }
        self.first_seen = now;
    }

    fn outcome(&self, round: u32, totals: &Totals, exit: Option<u8>) -> Outcome {
        Outcome {
            shifts: [totals.new, totals.changed, totals.unchanged, totals.gone, totals.unknown],
            counts: [totals.pages, totals.items, totals.failed, totals.missing],
            exit,
            items: listed(&self.items),
            news: listed(&self.news),
            changes: changes(self.changes.path(), round),
        }
    }
}

fn listed(out: &Out) -> Vec<(String, String, u32)> {
    let text = |item: &Item, name: &str| item.fields[name].as_str().unwrap().to_owned();
    let show = |item: &Item| (text(item, "url"), text(item, "title"), item.seen.unwrap().round);
    let mut items: Vec<_> = out.items.items().iter().map(show).collect();
    items.sort_unstable();
    items
}

/// Change and URL of each line of a round's list.
fn changes(dir: &Path, round: u32) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(dir.join(format!("round-{round}.jsonl"))).unwrap();
    let show = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("change"), text("url"))
    };
    let mut changes: Vec<_> = text.lines().map(show).collect();
    changes.sort_unstable();
    changes
}

/// Every page that can be had, with its title: what an output must hold.
fn truth(pages: &Pages) -> BTreeMap<String, String> {
    let title = |answer: &Answer| match answer {
        Answer::Page { title, .. } => Some((*title).to_owned()),
        _ => None,
    };
    pages.iter().filter_map(|(url, answer)| Some((url.clone(), title(answer)?))).collect()
}

fn titles(outcome: &Outcome) -> BTreeMap<String, String> {
    outcome.items.iter().map(|(url, title, _)| (url.clone(), title.clone())).collect()
}

fn simulate<T>(history: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(history)
}

/// All rounds with their outcomes, and the steps that each took.
fn play(trouble: Trouble) -> Vec<(Outcome, usize)> {
    simulate(async {
        let mut world = World::new();
        let mut outcomes = Vec::new();
        for (index, pages) in rounds().iter().enumerate() {
            let outcome = world.round(index + 1, pages, trouble).await;
            outcomes.push((outcome, world.fate.steps()));
        }
        outcomes
    })
}

/// The history in which nobody dies: what all others are held against.
fn undisturbed() -> Vec<(Outcome, usize)> {
    let outcomes = play(Trouble::default());
    for ((outcome, _), pages) in outcomes.iter().zip(rounds()) {
        assert_eq!(titles(outcome), truth(&pages));
        assert_eq!(outcome.items.len(), truth(&pages).len(), "an item is there twice");
    }
    outcomes
}

fn assert_same(trouble: Trouble, wanted: &[(Outcome, usize)]) {
    for (round, ((mut found, _), (wanted, _))) in play(trouble).into_iter().zip(wanted).enumerate() {
        found.exit = found.exit.or(wanted.exit);
        assert_eq!(found, *wanted, "round {} after {trouble:?}", round + 1);
    }
}

#[test]
fn the_rounds_are_what_their_changes_say() {
    let outcomes = undisturbed();
    let shifts: Vec<_> = outcomes.iter().map(|(outcome, _)| outcome.shifts).collect();
    assert_eq!(outcomes[2].0.news, [], "what has not changed is no news");
    // Unknown: a page that is answered 500, and in the end one that is forbidden.
    assert_eq!(
        shifts,
        [[12, 0, 0, 0, 0], [3, 3, 6, 2, 1], [0, 0, 12, 0, 1], [1, 2, 9, 1, 1], [0, 0, 12, 0, 1]]
    );
}

#[test]
fn wherever_it_dies_each_round_comes_to_what_it_comes_to_undisturbed() {
    let wanted = undisturbed();
    for (round, (_, steps)) in wanted.iter().enumerate().take(4) {
        for step in 1..=*steps {
            assert_same(Trouble::at(round + 1, step), &wanted);
        }
    }
}

/// The last step of the second round before it is synced as a whole, and what a power cut may take there: batches, writes of the
/// cache. What a kill or a power cut leaves at any earlier step is a part of that.
fn brink(wanted: &[(Outcome, usize)]) -> (usize, usize, usize) {
    let sizes = |step| {
        simulate(async move {
            let mut world = World::new();
            world.round(1, &first(), Trouble::default()).await;
            world.web.show(&second());
            world.process(Some(step)).await;
            (world.disk.unsynced(), world.cache.unflushed())
        })
    };
    let steps = (1..=wanted[1].1).rev();
    steps
        .map(|step| (step, sizes(step)))
        .map(|(step, (batches, writes))| (step, batches, writes))
        .max_by_key(|at| at.1)
        .unwrap()
}

#[test]
fn whatever_a_power_cut_leaves_of_state_and_cache_nothing_is_lost() {
    let wanted = undisturbed();
    let (step, batches, writes) = brink(&wanted);
    assert!(batches > 15 && writes > 10, "{batches} batches, {writes} writes");
    for lost in (0..=batches).flat_map(|batches| (0..=writes).map(move |writes| (batches, writes))) {
        let (batches, writes) = lost;
        assert_same(Trouble { batches, writes, ..Trouble::at(2, step) }, &wanted);
    }
}

#[test]
fn whoever_dies_twice_in_a_round_comes_to_the_same() {
    let wanted = undisturbed();
    for first in (1..=wanted[1].1).step_by(11) {
        for second in (1..=wanted[1].1).step_by(13) {
            let deaths = [Some((2, first)), Some((2, second))];
            assert_same(Trouble { deaths, writes: first % 3, ..Trouble::default() }, &wanted);
        }
    }
}

#[test]
fn an_entry_that_is_damaged_costs_a_full_page_and_nothing_else() {
    let wanted = undisturbed();
    for damage in [Damage::Absent] {
        for entry in 0.. {
            let harmed = simulate(async {
                let mut world = World::new();
                world.round(1, &first(), Trouble::default()).await;
                let key = world.cache.keys().get(entry).copied()?;
                world.cache.harm(key, damage);
                for (index, pages) in rounds().iter().enumerate().skip(1) {
                    let outcome = world.round(index + 1, pages, Trouble::default()).await;
                    assert_eq!(outcome, wanted[index].0, "{damage:?} entry {entry}, round {}", index + 1);
                }
                Some(())
            });
            if harmed.is_none() {
                assert_eq!(entry, truth(&first()).len());
                break;
            }
        }
    }
}

/// The web goes on changing while nobody looks.
#[test]
fn what_changes_between_death_and_resumption_is_seen_at_the_next_round_at_the_latest() {
    let steps = undisturbed()[1].1;
    for step in 1..steps {
        simulate(async {
            let mut world = World::new();
            world.round(1, &first(), Trouble::default()).await;
            world.web.show(&second());
            assert!(world.process(Some(step)).await.is_none());
            if world.disk.run().is_some_and(|run| run.round == 2 && run.completed.is_some()) {
                return;
            }
            world.cache.lose(step % 4);
            let mut seen = Vec::new();
            for round in 2..=4 {
                seen.push(world.round(round, &fourth(), Trouble::default()).await);
            }
            let mut wanted = truth(&fourth());
            // Where a page had moved for a while: who was not there meanwhile knows nothing of it.
            let target = format!("{A}/target");
            wanted.retain(|url, _| *url != target || titles(&seen[1]).contains_key(url));
            assert_eq!(titles(&seen[1]), wanted, "step {step}");
            let [.., unknown] = seen[2].shifts;
            assert_eq!(
                (&seen[2].shifts[..2], seen[2].shifts[3], unknown),
                (&[0, 0][..], 0, 1),
                "step {step}"
            );
            let times = |change: &str, path: &str| {
                let line = (change.to_owned(), format!("{A}{path}"));
                seen.iter().flat_map(|outcome| &outcome.changes).filter(|found| **found == line).count()
            };
            // Both webs say so, whichever was asked.
            assert_eq!((times("gone", "/gone"), times("new", "/new")), (1, 1), "step {step}");
            // Gone and back, or never missed.
            assert_eq!(times("gone", "/back"), times("new", "/back"), "step {step}");
            assert_eq!(times("new", "/newer"), times("gone", "/newer"), "step {step}");
            // There and back again, or never away.
            assert!([0, 2].contains(&times("changed", "/edited")), "step {step}");
        });
    }
}

#[test]
fn a_death_among_pages_that_need_not_be_asked_loses_none_of_them() {
    let freshness = Freshness { max_age: Some(Duration::from_hours(1)), obey: false };
    let run = |step: Option<usize>, writes: usize| {
        simulate(async move {
            let mut world = World::new();
            world.round(1, &first(), Trouble::default()).await;
            world.freshness = freshness;
            let trouble =
                Trouble { deaths: [step.map(|step| (2, step)), None], writes, ..Trouble::default() };
            let second = world.round(2, &first(), trouble).await;
            (second, world.fate.steps(), world.web.log())
        })
    };
    let (wanted, steps, asked) = run(None, 0);
    assert_eq!(titles(&wanted), truth(&first()));
    assert_eq!(asked.len(), 1, "the dead link alone: {asked:?}");
    for step in 1..=steps {
        let (mut found, ..) = run(Some(step), step % 3);
        found.exit = found.exit.or(wanted.exit);
        assert_eq!(found, wanted, "step {step}");
    }
}

/// Answers of several hosts at a time are settled in one batch, and its pages enter the cache one after the other.
#[test]
fn a_death_in_the_middle_of_a_group_loses_none_of_it() {
    let hosts: Vec<String> = (0..8).map(|host| format!("http://h{host}.example")).collect();
    let web = |leaf: &'static str| -> Pages {
        let of = |host: &String| {
            let home = linking("home", &["/1", "/2"]);
            [("/", home), ("/1", page("same")), ("/2", page(leaf))]
                .map(|(path, answer)| (format!("{host}{path}"), answer))
        };
        hosts.iter().flat_map(of).collect()
    };
    let run = |step: Option<usize>| {
        simulate(async {
            let mut world = World { hosts: hosts.clone(), execution: Execution::Threads, ..World::new() };
            world.disk.slow_down(Duration::from_micros(300));
            world.round(1, &web("one"), Trouble::default()).await;
            let trouble = Trouble { deaths: [step.map(|step| (2, step)), None], ..Trouble::default() };
            let second = world.round(2, &web("two"), trouble).await;
            let steps = world.fate.steps();
            (second, world.round(3, &web("two"), Trouble::default()).await, steps, world.disk.largest_batch())
        })
    };
    let (second, third, steps, largest) = run(None);
    assert_eq!((second.shifts, third.shifts), ([0, 8, 16, 0, 0], [0, 0, 24, 0, 0]));
    assert!(largest > 2, "{largest} pages in the largest batch");
    // How answers meet is up to the machine, so that a step is another one each time.
    for step in 1..=steps {
        let (mut found, after, ..) = run(Some(step));
        found.exit = found.exit.or(second.exit);
        assert_eq!((found, after), (second.clone(), third.clone()), "step {step}");
    }
}

/// The comparison has teeth: an entry whose items are missing shows wherever a 304 rests on it.
#[test]
fn an_item_that_is_missing_behind_a_304_would_be_noticed() {
    let wanted = undisturbed();
    let pages = truth(&first()).len();
    let is_noticed = |entry: &usize| {
        let outcome = simulate(async {
            let mut world = World::new();
            world.round(1, &first(), Trouble::default()).await;
            world.cache.harm(world.cache.keys()[*entry], Damage::Empty);
            world.round(2, &second(), Trouble::default()).await
        });
        outcome != wanted[1].0
    };
    // All others are answered with something else in the second round.
    let unchanged = ["/same", "/hidden", "/below"].len() + ["/", "/leaf"].len();
    assert_eq!((0..pages).filter(is_noticed).count(), unchanged);
}

#[test]
fn a_state_that_is_moved_after_a_death_keeps_its_list_of_changes() {
    let wanted = undisturbed();
    let (step, ..) = brink(&wanted);
    let found = simulate(async {
        let mut world = World::new();
        world.round(1, &first(), Trouble::default()).await;
        world.web.show(&second());
        assert!(world.process(Some(step / 2)).await.is_none());
        let moved = tempfile::tempdir().unwrap();
        std::fs::copy(world.changes.path().join("round-2.jsonl"), moved.path().join("round-2.jsonl"))
            .unwrap();
        world.changes = moved;
        world.round(2, &second(), Trouble::default()).await
    });
    assert_eq!(found, wanted[1].0);
}
