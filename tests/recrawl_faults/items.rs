//! Keys of items and the failed list, of a process that dies anywhere.

use std::collections::BTreeMap;

use crawl::engine::requeue_failed;
use crawl::stage::rule::StageRule;
use crawl::store::Store;

use super::*;

/// Two hosts that sell the same books, and list some of them twice. Which page is first depends on the deaths.
fn shops() -> Pages {
    let mut pages = Pages::new();
    for host in [A, B] {
        pages.insert(format!("{host}/"), linking("home", &["/1", "/2", "/3", "/4"]));
        for (path, title) in [("/1", "one"), ("/2", "two"), ("/3", "one"), ("/4", "three")] {
            pages.insert(format!("{host}{path}"), page(title));
        }
    }
    pages
}

fn keyed() -> World {
    let rule = StageRule { key: vec!["title".to_owned()], ..StageRule::default() };
    World { stages: vec![Arc::new(rule)], ..World::new() }
}

/// How often each title was written.
fn times(outcome: &Outcome) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    outcome.items.iter().for_each(|(_, title, _)| *times.entry(title.clone()).or_default() += 1);
    times
}

/// Each title once, and everything else counted as dropped, in what is written and in the state.
fn assert_once(world: &mut World, outcome: &Outcome, what: &str) {
    let wanted: BTreeMap<_, _> = ["home", "one", "three", "two"].map(|title| (title.to_owned(), 1)).into();
    assert_eq!(times(outcome), wanted, "{what}");
    let found = world.disk.recover().unwrap();
    let totals = Totals::from_map(&found.run.unwrap().totals);
    assert_eq!((totals.pages, totals.items, totals.items_dropped), (10, 4, 6), "{what}");
    let kind = &found.tally.kinds[0];
    let dropped: u64 = found.tally.remarks.iter().map(|remark| remark.count).sum();
    assert_eq!((kind.items, kind.fields[0].filled, dropped), (4, 4, 6), "{what}");
}

#[test]
fn wherever_it_dies_an_item_is_written_once_for_each_key_in_each_round() {
    let mut most = 0;
    for round in [1, 2] {
        for step in 1.. {
            let steps = simulate(async {
                let mut world = keyed();
                for number in 1..=2 {
                    let outcome = world.round(number, &shops(), Trouble::at(round, step)).await;
                    assert_once(&mut world, &outcome, &format!("round {number}, death in {round} at {step}"));
                    if number == round {
                        most = most.max(world.fate.steps());
                    }
                }
                most
            });
            if step > steps {
                break;
            }
        }
    }
    assert!(most > 40, "{most} steps");
}

#[test]
fn a_power_cut_that_takes_batches_with_it_frees_the_keys_in_them() {
    for lost in 0..12 {
        simulate(async {
            let mut world = keyed();
            let trouble = Trouble { batches: lost, ..Trouble::at(1, 45) };
            let outcome = world.round(1, &shops(), trouble).await;
            assert_once(&mut world, &outcome, &format!("{lost} batches"));
        });
    }
}

/// The first web, in which two pages are answered 500.
fn broken() -> Pages {
    changed(first(), &[("/plain", Answer::Status(500)), ("/hidden", Answer::Status(500))])
}

/// Puts what failed back, in a process that may die over it.
fn requeue(world: &World, last_step: Option<usize>) -> bool {
    world.fate.begin(last_step);
    requeue_failed(&mut world.disk.clone(), |_| true).is_ok()
}

async fn asked_again(deaths: [Option<usize>; 2]) -> (World, Outcome) {
    let mut world = World::new();
    let outcome = world.round(1, &broken(), Trouble::default()).await;
    assert_eq!((outcome.exit, outcome.counts[2], world.disk.failed().unwrap().len()), (Some(3), 2, 2));
    world.web.show(&first());
    if let Some(step) = deaths[0] {
        let died = !requeue(&world, Some(step));
        assert_eq!(died, world.fate.is_dead());
        drop(tokio::time::timeout(Duration::ZERO, world.fate.death()).await);
    }
    assert!(requeue(&world, None));
    if let Some(step) = deaths[1] {
        world.process(Some(step)).await;
        let run = world.disk.run().unwrap();
        if run.completed.is_some() {
            let outcome = world.outcome(1, &Totals::from_map(&run.totals), None);
            return (world, outcome);
        }
    }
    let report = world.process(None).await.unwrap();
    let outcome = world.reported(&report);
    (world, outcome)
}

#[test]
fn wherever_it_dies_what_failed_is_asked_again_in_its_round_and_nothing_is_doubled() {
    let (mut world, wanted) = simulate(asked_again([None, None]));
    assert_eq!(titles(&wanted), truth(&first()));
    assert_eq!(wanted.items.len(), truth(&first()).len(), "an item is there twice");
    assert_eq!((wanted.exit, wanted.shifts, wanted.counts), (Some(0), [12, 0, 0, 0, 0], [12, 12, 0, 1]));
    assert_eq!(world.disk.failed().unwrap(), []);
    let steps = world.fate.steps();
    let deaths = (1..=6).map(|step| [Some(step), None]).chain((1..=steps).map(|step| [None, Some(step)]));
    for deaths in deaths {
        let (mut world, mut found) = simulate(asked_again(deaths));
        found.exit = found.exit.or(wanted.exit);
        assert_eq!(found, wanted, "{deaths:?}");
        assert_eq!(world.disk.failed().unwrap(), [], "{deaths:?}");
    }
}
