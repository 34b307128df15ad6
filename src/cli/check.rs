//! `crawl check`: what a crawler file would do, without asking any host.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use http::Method;

use super::Registry;
use super::args::{CheckArgs, LogForm};
use super::exit::{Exit, Failure};
use super::render::{counted, duration, print, safe, tell};
use super::{setup, tell_failure};
use crate::config::{Plan, Reader, Seed, Start};
use crate::sink::Target;
use crate::spider::declarative::{Ids, RequestRule};
use crate::url::HostKey;

/// Pages that the estimate is for.
const SAMPLE: u32 = 1_000;

/// Hosts of a scope that are named.
const MOST_HOSTS: usize = 20;

/// Checks every file; one that is wrong does not keep the others from being checked.
pub(super) fn check(args: &CheckArgs, registry: &Registry) -> Result<Exit, Failure> {
    let mut worst = Exit::COMPLETE;
    for file in &args.files {
        let checked = args.sets.over(Some(file)).load().map_err(Failure::from).and_then(|mut plan| {
            setup::spider(&mut plan, registry)?;
            Ok(plan)
        });
        match checked {
            Ok(plan) => print(&describe(file, &plan))?,
            Err(failure) => {
                tell_failure(&failure, LogForm::Text);
                tell("");
                worst = Exit::USAGE;
            }
        }
    }
    Ok(worst)
}

fn describe(file: &Path, plan: &Plan) -> String {
    let mut text = format!("{}: ok\n", safe(&file.display().to_string()));
    let mut row = |name: &str, value: &str| {
        writeln!(text, "  {name:<9} {}", safe(value)).expect("a String takes everything");
    };
    row("identity", &plan.identity.user_agent);
    row("reads", &reader(plan));
    for seed in &plan.seeds {
        row("seed", &seed_line(seed));
    }
    if let Some(file) = &plan.seed_file {
        row(
            "seeds",
            &format!("{} of {}", counted(file.requests().count() as u64, "URL"), file.path.display()),
        );
    }
    for shape in plan.shapes() {
        row("asks for", &shape_line(shape));
    }
    row("scope", &scope(plan));
    let (pace, estimate) = pace(plan);
    row("pace", &pace);
    row("takes", &estimate);
    for sink in &plan.sinks {
        row("items to", &sink_line(sink));
    }
    if let Some(archive) = &plan.archive {
        row("archive", &archive.path.display().to_string());
    }
    row("state in", &plan.state_dir.display().to_string());
    text
}

fn reader(plan: &Plan) -> String {
    match &plan.reader {
        Reader::Spider(name) => format!("by the spider `{name}`"),
        Reader::Recipe(recipe) => {
            let extract = match recipe.extract.len() {
                0 => "url, status and title of each page".to_owned(),
                rules => format!("by {rules} [[extract]]"),
            };
            let lists = match recipe.paginate.len() {
                0 => String::new(),
                rules => format!(", lists by {rules} [[paginate]]"),
            };
            let follow = match recipe.follow.len() {
                0 if lists.is_empty() => ", every link".to_owned(),
                0 => String::new(),
                rules => format!(", links by {rules} [[follow]]"),
            };
            format!("{extract}{follow}{lists}")
        }
    }
}

fn seed_line(seed: &Seed) -> String {
    let place = match &seed.start {
        Start::Url(url) => url.to_string(),
        Start::Demo(path) => format!("demo:{path} (the built-in demo site)"),
    };
    let place = if seed.method == Method::GET { place } else { format!("{} {place}", seed.method) };
    match &seed.label {
        Some(label) => format!("{place} as {label:?}"),
        None => place,
    }
}

fn shape_line(shape: &RequestRule) -> String {
    let ids = match &shape.ids {
        None => String::new(),
        Some(Ids::List(list)) => format!(", {} ids, {} at a time", list.len(), shape.batch),
        Some(Ids::File(path)) => format!(", ids of {}, {} at a time", path.display(), shape.batch),
    };
    let ranges = shape.ranges.iter().map(|(name, values)| format!(", {} times {{{name}}}", values.len()));
    let label = shape.label.as_ref().map(|label| format!(" as {label:?}")).unwrap_or_default();
    format!("{} {}{ids}{}{label}", shape.method, shape.url, ranges.collect::<String>())
}

fn scope(plan: &Plan) -> String {
    let scope = &plan.scope;
    let mut hosts: Vec<_> = scope.hosts.iter().take(MOST_HOSTS).map(ToString::to_string).collect();
    let others = scope.hosts.len().saturating_sub(MOST_HOSTS) as u64;
    hosts.extend((others > 0).then(|| counted(others, "more host")));
    let mut parts = vec![match (hosts.is_empty(), plan.needs_demo()) {
        (true, true) => "the demo site".to_owned(),
        (true, false) => "every host".to_owned(),
        (false, _) => hosts.join(", "),
    }];
    for (word, patterns) in [("only", &scope.include), ("not", &scope.exclude)] {
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        if !patterns.is_empty() {
            parts.push(format!("{word} {}", patterns.join(" ")));
        }
    }
    parts.extend(scope.max_depth.map(|depth| format!("{depth} links deep")));
    parts.extend(plan.budget.max_pages.map(|pages| format!("{pages} pages in all")));
    parts.join("; ")
}

/// The pace of a host without a table of its own, and how long its pages take at least.
fn pace(plan: &Plan) -> (String, String) {
    let policy = plan.policy(&HostKey::of(""));
    let own = match policy.rate {
        Some(rate) => format!(
            "a request in {} to a host, {} at once after a pause",
            duration(rate.interval()),
            policy.burst
        ),
        None => format!(
            "{} between requests to a host and up to {:.0} % more",
            duration(policy.delay),
            policy.jitter * 100.0
        ),
    };
    let pace = format!("{own}, {} at a time, {} in all", policy.max_concurrency, plan.max_in_flight);
    let mean = policy
        .delay
        .mul_f64(1.0 + policy.jitter / 2.0)
        .max(policy.rate.map_or(Duration::ZERO, |rate| rate.interval()));
    let pages =
        plan.budget.max_pages.and_then(|pages| u32::try_from(pages).ok()).unwrap_or(SAMPLE).min(SAMPLE);
    let least = mean.saturating_mul(pages);
    let estimate = format!(
        "{} at least for {pages} pages of one host; longer if its robots.txt asks for more",
        duration(least)
    );
    (pace, estimate)
}

fn sink_line(sink: &Target) -> String {
    let words = sink.form.words();
    match sink.form.place().as_str() {
        "-" => format!("the standard output ({words})"),
        place => format!("{place} ({words})"),
    }
}
