//! The end of a run, for people: what it came to, which hosts are in the way, where the output is, and what the exit code says.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::command_line::resume_command;
use super::crawling::CHANGES;
use super::exit::Exit;
use super::items;
use super::render::{bytes, counted, duration, per_time, safe};
use crate::config::{Plan, Reader};
use crate::engine::changes::path_of;
use crate::engine::{CodeFault, End, HostReport, Progress, Report, Totals, advice, gravity, told};
use crate::politeness::Standing;
use crate::store::files::MANIFEST;
use crate::url::HostKey;

/// Hosts that are listed.
const MOST_HOSTS: usize = 20;

/// A learned rate from this share of the configured one on is as good as that.
const NEARLY: f64 = 0.98;

/// The row of problems, which has an example below it.
const PROBLEMS: &str = "problems";

/// The whole summary.
pub(super) fn text(plan: &Plan, report: &Report, last: &Progress, exit: Exit) -> String {
    let mut text = counts(plan, report, last);
    if let Some(list) = change_list(plan, report).filter(|_| tells_changes(report)) {
        line(&mut text, "change list", &safe(&list.display().to_string()));
    }
    if exit != Exit::COMPLETE {
        let remedy = remedy(plan, report, exit);
        write!(text, "\nexit code {}: {}; {remedy}", exit.0, exit.meaning())
            .expect("a String takes everything");
    }
    text
}

/// What a spider in code did wrong.
fn of_code(fault: &CodeFault) -> String {
    let CodeFault { callback, spider, misdeed, count, url, words } = fault;
    let (callback, misdeed) = (callback.as_str(), misdeed.as_str());
    let (spider, url, words) = (safe(spider), safe(url), safe(words));
    format!("`{callback}` of `{spider}` {misdeed} on {}, first {url}: {words}", counted(*count, "page"))
}

/// The summary without its last word.
pub(super) fn counts(plan: &Plan, report: &Report, last: &Progress) -> String {
    let mut text = headline(plan, report, last);
    for (name, value) in rows(report) {
        line(&mut text, name, &value);
        if let Some(problem) = report.problem.as_ref().filter(|_| name == PROBLEMS) {
            line(&mut text, "", &format!("such as {}", safe(problem)));
        }
    }
    for (place, fault) in report.code.iter().enumerate() {
        line(&mut text, if place == 0 { "in code" } else { "" }, &of_code(fault));
    }
    if let Some(limit) = &report.limited_by {
        line(&mut text, "limited by", &limit.says);
    }
    for (place, remark) in items::remarks(&report.tally).iter().enumerate() {
        line(&mut text, if place == 0 { "of items" } else { "" }, remark);
    }
    let troubled = troubled(plan, report);
    for host in troubled.iter().take(MOST_HOSTS) {
        line(&mut text, "host", &host_line(plan, host));
        for note in verdict(host) {
            line(&mut text, "", &note);
        }
    }
    let more = troubled.len().saturating_sub(MOST_HOSTS);
    if more > 0 {
        line(&mut text, "", &format!("and {} more", counted(more as u64, "host")));
    }
    for file in files(plan) {
        line(&mut text, "output", &file);
    }
    if report.end != End::Complete && plan.sinks.iter().any(|sink| sink.form.waits_for_the_end()) {
        line(&mut text, "", WAITS);
    }
    if report.end == End::Complete && report.totals.pages > 0 && report.totals.items == 0 && reads_items(plan)
    {
        line(
            &mut text,
            "",
            "no page gave an item: `crawl try FILE URL` shows what each rule takes from a page",
        );
    }
    for (place, row) in items::coverage(&report.tally).iter().enumerate() {
        line(&mut text, if place == 0 { "fields" } else { "" }, row);
    }
    for missed in &report.missed {
        line(&mut text, "missed", &items::missed(missed));
    }
    text
}

/// Where it is listed what has changed in a round, if something has.
pub(super) fn change_list(plan: &Plan, report: &Report) -> Option<PathBuf> {
    let Totals { new, changed, gone, unknown, .. } = report.totals;
    let list = || path_of(&plan.state_dir.join(CHANGES), report.round);
    (new + changed + gone + unknown > 0).then(list)
}

/// The same as one event of a log that a program reads. Counts that are zero are left out.
pub(super) fn event(plan: &Plan, report: &Report, exit: Exit, change_list: Option<&Path>) {
    let totals = serde_json::json!(report.totals.to_map()).to_string();
    let missed: Vec<_> = report.missed.iter().map(items::missed).collect();
    let missed = (!missed.is_empty()).then(|| missed.join("; "));
    tracing::info!(
        crawl = plan.name,
        exit_code = exit.0,
        meaning = exit.meaning(),
        round = report.round,
        seconds = report.took.as_secs_f64(),
        totals,
        missed,
        limited_by = report.limited_by.as_ref().map(|limit| limit.says.as_str()),
        change_list = change_list.map(|list| list.display().to_string()),
        "the run has ended"
    );
}

fn line(text: &mut String, name: &str, value: &str) {
    write!(text, "\n  {name:<13} {value}").expect("a String takes everything");
}

fn headline(plan: &Plan, report: &Report, last: &Progress) -> String {
    let end = match report.end {
        End::Complete => "complete",
        End::Limit => "stopped at its limit",
        End::Parked { .. } => "parked",
        End::Interrupted => "interrupted",
        End::LoginFailed(_) => "not logged in",
    };
    let seconds = report.took.as_secs_f64().max(0.001);
    format!(
        "{}: {end} in {}, round {}, {:.1} pages/s",
        safe(&plan.name),
        duration(report.took),
        report.round,
        last.run.pages as f64 / seconds
    )
}

/// Whether there is a word to say about changes: in the first round, where all is new, there is none.
fn tells_changes(report: &Report) -> bool {
    let Totals { changed, unchanged, gone, unknown, .. } = report.totals;
    report.round > 1 || changed + unchanged + gone + unknown > 0
}

/// `3 new, 7 changed, 991 unchanged, 2 gone, 0 unknown`.
fn changes(totals: &Totals) -> String {
    let Totals { new, changed, unchanged, gone, unknown, .. } = totals;
    format!("{new} new, {changed} changed, {unchanged} unchanged, {gone} gone, {unknown} unknown")
}

/// The rows of the table. Pages, items and requests are always told, everything else if there is any.
fn rows(report: &Report) -> Vec<(&'static str, String)> {
    let totals = &report.totals;
    let changes = tells_changes(report).then(|| ("changes", changes(totals)));
    let always = [
        Some(("pages", totals.pages.to_string())),
        changes,
        Some(("items", totals.items.to_string())),
        (totals.downloads > 0).then(|| ("files", of_bytes(totals.downloads, totals.download_bytes))),
        Some(("requests", of_which(totals.requests, totals.robots, "for robots.txt"))),
        Some(("received", bytes(totals.bytes))),
    ];
    let counts = [
        ("from cache", totals.from_cache),
        ("sitemaps", totals.sitemaps),
        ("unwanted", totals.unwanted),
        ("redirects", totals.redirects),
        ("dead ends", totals.dead_ends),
        ("not found", totals.missing),
        ("disallowed", totals.disallowed),
        ("forbidden", totals.forbidden),
        ("failed", totals.failed),
        ("unreadable", totals.parse_errors),
        (PROBLEMS, totals.problems),
        ("items dropped", totals.items_dropped),
        ("items refused", totals.items_refused),
        ("retries", totals.retries),
        ("throttled", totals.throttled),
        ("out of scope", totals.out_of_scope),
    ];
    let some = counts.into_iter().filter(|(_, count)| *count > 0);
    always.into_iter().flatten().chain(some.map(|(name, count)| (name, count.to_string()))).collect()
}

fn of_bytes(count: u64, size: u64) -> String {
    format!("{count}, {}", bytes(size))
}

fn of_which(count: u64, part: u64, what: &str) -> String {
    match part {
        0 => count.to_string(),
        part => format!("{count}, {part} {what}"),
    }
}

/// Hosts that still have something to ask, refuse, have cost us a wait or made us slower; the worst first.
fn troubled<'a>(plan: &Plan, report: &'a Report) -> Vec<&'a HostReport> {
    let is_troubled = |host: &&HostReport| {
        let left = host.waiting > 0 || host.shut.is_some();
        left || host.throttled > 0 || host.standing != Standing::Ok || learned(plan, host).is_some()
    };
    let mut troubled: Vec<_> = report.hosts.iter().filter(is_troubled).collect();
    troubled.sort_by_key(|host| Reverse(gravity(host.standing)));
    troubled
}

/// The learned rate of a host, if it is below the one that is configured.
fn learned(plan: &Plan, host: &HostReport) -> Option<f64> {
    let delay = plan.policy(&HostKey::of(&host.host)).delay.as_secs_f64();
    host.learned_rate.filter(|rate| rate * delay < NEARLY)
}

/// The limit of pages of a host, if it is what leaves others waiting.
fn limit(plan: &Plan, host: &HostReport) -> Option<u64> {
    let most = plan.policy(&HostKey::of(&host.host)).max_pages;
    most.filter(|most| host.waiting > 0 && host.pages >= *most)
}

/// `a.example: 12 pages left, asked for a pause until 2026-11-22T00:50:12.000Z, last status 429`.
fn host_line(plan: &Plan, host: &HostReport) -> String {
    let name = safe(&host.host);
    let mut parts = Vec::new();
    if host.waiting > 0 {
        parts.push(format!("{} left", counted(host.waiting, "page")));
    }
    parts.extend(limit(plan, host).map(|most| format!("its limit of {} is reached", counted(most, "page"))));
    if let Some(shut) = &host.shut {
        parts.push(format!("shut ({}): nothing is asked of it in this run", safe(shut)));
    }
    if gravity(host.standing) > gravity(Standing::Limited) {
        parts.push(format!("{}, not asked before {}", host.standing.as_str(), host.not_before));
    } else if host.strikes > 0 {
        parts.push(format!("asked for a pause until {}", host.not_before));
    }
    if host.throttled > 0 {
        let waited = std::time::Duration::from_secs(host.throttled_s);
        parts.push(format!("pushed back {}, which cost {}", times(host.throttled), duration(waited)));
    }
    parts.extend(learned(plan, host).map(|rate| format!("bears {}", per_time(rate))));
    if let Some(status) = host.last_status.filter(|_| host.waiting > 0) {
        parts.push(format!("last status {status}"));
    }
    format!("{name}: {}", parts.join(", "))
}

/// What speaks for a standing worse than a limit, and what to do about it.
fn verdict(host: &HostReport) -> Vec<String> {
    if gravity(host.standing) <= gravity(Standing::Limited) {
        return Vec::new();
    }
    vec![safe(&told(&host.evidence)).into_owned(), advice(host.standing).to_owned()]
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// What is said of outputs whose last file is made when the round is complete.
const WAITS: &str = "a file that is only made whole waits, as .part, until the round is complete";

/// Where items went; the standard output is no news.
fn files(plan: &Plan) -> Vec<String> {
    let places = plan.sinks.iter().map(|sink| sink.form.place());
    let archive = plan.archive.iter().map(|archive| archive.path.display().to_string());
    let manifest =
        plan.downloads.iter().map(|downloads| downloads.folder.join(MANIFEST).display().to_string());
    let all = places.chain(archive).chain(manifest);
    all.filter(|place| place != "-").map(|place| safe(&place).into_owned()).collect()
}

/// Whether the crawl is there for items: without rules, and with a spider in code, nobody said so.
fn reads_items(plan: &Plan) -> bool {
    matches!(&plan.reader, Reader::Recipe(recipe) if !recipe.extract.is_empty())
}

/// What to do about pages that failed in a round that is complete.
const GIVEN_UP: &str = "`crawl failed` lists what was given up, `crawl retry-failed` asks for it again";

/// What to do about hosts that have come to their limits; to run it again is not enough.
const RAISE: &str =
    "raise scope.max-pages-per-host (or max-pages in [hosts.NAME]) to go on with what is left";

fn remedy(plan: &Plan, report: &Report, exit: Exit) -> String {
    let at_limit = || report.hosts.iter().any(|host| limit(plan, host).is_some());
    match report.end {
        _ if exit == Exit::MISSED => exit.remedy().to_owned(),
        End::Limit => "raise --limit (scope.max-pages) to go on".to_owned(),
        End::Parked { until } => format!("run it again after {until}"),
        End::Interrupted => format!("go on with: {}", resume_command(std::env::args())),
        End::LoginFailed(why) => why.to_string(),
        End::Complete if exit == Exit::PARTIAL && at_limit() => RAISE.to_owned(),
        End::Complete if exit == Exit::PARTIAL && report.totals.failed > 0 => GIVEN_UP.to_owned(),
        End::Complete => exit.remedy().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Loader;
    use crate::stage::tally::ItemTally;
    use crate::time::Timestamp;

    fn host(name: &str) -> HostReport {
        HostReport {
            host: name.to_owned(),
            requests: 3,
            pages: 2,
            throttled: 0,
            throttled_s: 0,
            waiting: 0,
            not_before: Timestamp::from_secs(60),
            strikes: 0,
            standing: Default::default(),
            evidence: Default::default(),
            learned_rate: None,
            last_status: None,
            shut: None,
        }
    }

    fn report(end: End, hosts: Vec<HostReport>) -> Report {
        let totals = Totals {
            pages: 2,
            new: 2,
            items: 5,
            requests: 3,
            robots: 1,
            bytes: 4_100,
            missing: 1,
            ..Totals::default()
        };
        let (round, started, took) = (1, Timestamp::ZERO, Duration::from_secs(2));
        let tally = ItemTally::default();
        let (stages, load) = (Default::default(), Default::default());
        let (problem, missed, limited_by) = (None, Vec::new(), None);
        let code = Vec::new();
        Report {
            end,
            round,
            started,
            took,
            totals,
            problem,
            code,
            tally,
            missed,
            stages,
            load,
            limited_by,
            hosts,
        }
    }

    fn summary(report: &Report) -> String {
        let plan = Loader::new()
            .text("shop.toml", "seeds = [\"demo:\"]\n[sink.csv]\npath = \"a.csv\"")
            .load()
            .unwrap();
        text(&plan, report, &Progress::default(), Exit(report.exit_code()))
    }

    #[test]
    fn a_complete_run_has_counts_and_output_and_no_word_about_its_exit_code() {
        let text = summary(&report(End::Complete, vec![host("a.example")]));
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "shop: complete in 2.0 s, round 1, 0.0 pages/s",
                "pages         2",
                "items         5",
                "requests      3, 1 for robots.txt",
                "received      4.1 kB",
                "not found     1",
                "output        a.csv"
            ]
        );
    }

    #[test]
    fn from_the_second_round_on_changes_are_told_and_where_they_are_listed() {
        let mut again = report(End::Complete, vec![]);
        again.round = 2;
        again.totals = Totals { pages: 998, changed: 7, unchanged: 991, gone: 2, ..Totals::default() };
        let text = summary(&again);
        assert!(
            text.contains("\n  changes       0 new, 7 changed, 991 unchanged, 2 gone, 0 unknown\n"),
            "{text}"
        );
        assert!(text.ends_with("\n  change list   .crawl/shop/changes/round-2.jsonl"), "{text}");
        again.totals = Totals { pages: 9, unchanged: 9, ..Totals::default() };
        let text = summary(&again);
        assert!(text.contains("changes       0 new, 0 changed, 9 unchanged"), "{text}");
        assert!(!text.contains("change list"), "{text}");
    }

    #[test]
    fn an_output_that_is_not_there_before_the_round_is_complete_is_told_so() {
        let text = "seeds = [\"demo:\"]\n[sink.csv]\npath = \"a.csv\"\nfinish = \"rename\"";
        let plan = Loader::new().text("shop.toml", text).load().unwrap();
        assert!(counts(&plan, &report(End::Limit, vec![]), &Progress::default()).contains(WAITS));
        assert!(!counts(&plan, &report(End::Complete, vec![]), &Progress::default()).contains(WAITS));
        assert!(!summary(&report(End::Limit, vec![])).contains(WAITS));
    }

    #[test]
    fn problems_are_counted_and_one_is_told() {
        let mut report = report(End::Complete, vec![]);
        report.totals.problems = 3;
        report.problem =
            Some("http://a.example/: 1 item was dropped without `price` (selector `.price`)".to_owned());
        let text = summary(&report);
        let told = "problems      3\n                such as http://a.example/: 1 item was dropped without `price` (selector `.price`)";
        assert!(text.contains(told), "{text}");
    }

    #[test]
    fn a_host_in_the_way_is_told_with_its_reason() {
        let waits = HostReport {
            waiting: 4,
            strikes: 1,
            throttled: 1,
            throttled_s: 9,
            last_status: Some(429),
            ..host("a.example")
        };
        let shut =
            HostReport { waiting: 1, shut: Some("robots.txt \x1b[1m".to_owned()), ..host("b.example") };
        let end = End::Parked { until: Timestamp::from_secs(60) };
        let text = summary(&report(end, vec![waits, shut]));
        let wanted = [
            "a.example: 4 pages left, asked for a pause until 1970-01-01T00:01:00.000Z, pushed back once, which cost 9.0 s, last status 429",
            "b.example: 1 page left, shut (robots.txt \\u001b[1m): nothing is asked of it in this run",
            "exit code 6: parked: all that is left must wait longer than patience; run it again after 1970-01-01T00:01:00.000Z",
        ];
        for line in wanted {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
    }

    #[test]
    fn a_host_at_its_limit_says_so_and_how_to_go_on() {
        let text = "seeds = [\"demo:\"]\n[scope]\nmax-pages-per-host = 2\n[sink.csv]\npath = \"a.csv\"";
        let plan = Loader::new().text("shop.toml", text).load().unwrap();
        let full = HostReport { waiting: 7, last_status: Some(200), ..host("a.example") };
        let report = report(End::Complete, vec![full, host("b.example")]);
        let text = super::text(&plan, &report, &Progress::default(), Exit(report.exit_code()));
        let wanted = [
            "a.example: 7 pages left, its limit of 2 pages is reached, last status 200",
            "exit code 3: partial: a limit was reached, or pages failed; raise scope.max-pages-per-host",
        ];
        for line in wanted {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
        assert!(!text.contains("b.example"), "{text}");
    }

    #[test]
    fn a_blocked_host_comes_first_with_its_evidence_and_what_to_do() {
        let mut evidence = crate::politeness::block::Evidence::default();
        evidence.refusals = 21;
        let slow = HostReport { learned_rate: Some(0.25), ..host("a.example") };
        let quick = HostReport { learned_rate: Some(0.99), ..host("c.example") };
        let blocked =
            HostReport { waiting: 4, strikes: 9, standing: Standing::Blocked, evidence, ..host("b.example") };
        let text = summary(&report(End::Complete, vec![slow, quick, blocked]));
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.contains("b.example")).unwrap();
        assert_eq!(
            lines[at..at + 2],
            [
                "host          b.example: 4 pages left, blocked, not asked before 1970-01-01T00:01:00.000Z",
                "21 refusals in a row"
            ]
        );
        assert!(lines[at + 2].contains("owner"), "{text}");
        assert_eq!(lines[at + 3], "host          a.example: bears 0.25/s");
        assert!(!text.contains("c.example"), "{text}");
    }
}
