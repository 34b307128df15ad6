//! Hours of crawling against simulated servers with hidden limits: how often they must refuse, how much of what they bear is
//! used, and what a host is taken for in the end.
//!
//! `tests/scenarios/servers/` holds the servers that the rule of pace was developed on, `tests/scenarios/verdicts/` those that
//! tell a limit, an outage or a forbidden section from a block.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crawl::testing::{Scenario, ScenarioRun};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name)
}

/// The names of all scenarios in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = files.map(name).collect();
    names.sort();
    names
}

fn run(file: &Path) -> ScenarioRun {
    let text = std::fs::read_to_string(file).unwrap();
    let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be built");
    runtime.block_on(scenario.run()).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Runs every scenario of a folder, as many at a time as there are processors.
fn run_all(folder: &Path) -> Vec<(String, ScenarioRun)> {
    let todo = Mutex::new(names(folder).into_iter());
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        loop {
            let next = todo.lock().unwrap().next();
            let Some(name) = next else { return };
            let ran = run(&folder.join(&name));
            done.lock().unwrap().push((name, ran));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    done
}

fn print_table(runs: &[(String, ScenarioRun)]) {
    println!("{:34} {:>6} {:>9} {:>7} {:>10}", "server", "pages", "429 h 1", "later/h", "efficiency");
    for (name, run) in runs {
        let total = &run.measures.total;
        let later = total.throttled_per_hour_after_first.unwrap_or_default();
        let used = total.efficiency_after_first_hour.unwrap_or_default() * 100.0;
        let (pages, first) = (total.counts.pages, total.throttled_first_hour);
        println!("{name:34} {pages:>6} {first:>9} {later:>7.1} {used:>8.1} %");
        for change in &total.adapted {
            println!("    {change:?}");
        }
        for felt in run.measures.others.values() {
            println!("    {felt:?}");
        }
        for fault in run.faults.iter().take(5) {
            println!("    {fault}");
        }
    }
}

fn assert_as_expected(runs: &[(String, ScenarioRun)]) {
    let faulty = runs.iter().filter(|(_, run)| !run.faults.is_empty());
    let faults: Vec<_> = faulty.map(|(name, run)| format!("{name}: {}", run.faults[0])).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn seventeen_servers_are_used_well_and_seldom_have_to_refuse() {
    let runs = run_all(&folder("servers"));
    print_table(&runs);
    assert_eq!(runs.len(), 17);
    assert_as_expected(&runs);
    let totals = || runs.iter().map(|(_, run)| &run.measures.total);
    let refused: f64 = totals().filter_map(|total| total.throttled_per_hour_after_first).sum();
    let used: f64 = totals().filter_map(|total| total.efficiency_after_first_hour).sum::<f64>() / 17.0;
    println!("all: {refused:.1} refusals an hour, mean efficiency {:.1} %", used * 100.0);
    assert!(refused <= 60.0, "{refused} refusals an hour over all servers");
    assert!(used >= 0.9, "{used} of what the servers bear");
}

#[test]
fn a_limit_an_outage_and_a_forbidden_section_are_told_from_a_block() {
    let runs = run_all(&folder("verdicts"));
    print_table(&runs);
    assert_as_expected(&runs);
}

#[test]
fn a_block_of_days_is_probed_and_nothing_else() {
    let runs = run_all(&folder("verdicts-of-days"));
    print_table(&runs);
    assert_as_expected(&runs);
}
