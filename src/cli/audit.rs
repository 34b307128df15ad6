//! `crawl audit`: whether a crawl kept every rule of politeness, told from its journal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::args::AuditArgs;
use super::crawling::JOURNAL;
use super::exit::{Exit, Failure};
use super::render::{counted, duration, print, print_json, safe};
use crate::audit::{Findings, HostFinding, Rule};
use crate::store::journal::Journals;
use crate::url::HostKey;

/// Hosts and breaches that the text lists; JSON lists all.
const MOST_LINES: usize = 20;

pub(super) fn audit(args: &AuditArgs) -> Result<Exit, Failure> {
    let mut findings = read(&args.state)?;
    if let Some(host) = &args.host {
        findings = findings.of_host(HostKey::of(host).as_str());
        if findings.hosts.is_empty() {
            return Err(Failure::Usage(format!("no request to `{host}` is in this journal: check the name")));
        }
    }
    if args.json {
        let checks = findings.checks();
        print_json(&Told { findings: &findings, checks })?;
    } else {
        print(&text(&args.state, &findings))?;
    }
    Ok(match &findings {
        findings if findings.broken > 0 => Exit::FAILED,
        findings if !findings.damage.is_empty() => Exit::DAMAGED,
        _ => Exit::COMPLETE,
    })
}

fn read(state: &Path) -> Result<Findings, Failure> {
    let dir = state.join(JOURNAL);
    if !dir.is_dir() {
        return Err(Failure::Usage(format!(
            "there is no journal in `{}`: name the state directory of a crawl that ran with [journal] enabled = true",
            state.display()
        )));
    }
    Ok(Journals::in_dir(dir, u32::MAX).audit()?)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    checks: BTreeMap<Rule, u64>,
}

fn text(state: &Path, findings: &Findings) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        writeln!(text, "{name:<9} {}", safe(value)).expect("a String takes everything");
    };
    row("state", &state.display().to_string());
    row("result", &result(findings));
    findings.breaches.iter().take(MOST_LINES).for_each(|breach| row("broken", &breach.to_string()));
    findings.damage.iter().for_each(|damage| row("damaged", damage));
    let hosts = counted(findings.hosts.len() as u64, "host");
    row(
        "read",
        &format!(
            "{}, {} to {hosts}",
            counted(findings.runs as u64, "run"),
            counted(findings.requests, "request")
        ),
    );
    let checks = findings.checks();
    for rule in Rule::ALL {
        if let Some(count) = checks.get(&rule) {
            row("checked", &format!("{count:>7} x {rule}: {}", rule.means()));
        }
    }
    findings.hosts.iter().take(MOST_LINES).for_each(|host| row("host", &of_host(host)));
    let more =
        findings.hosts.len().saturating_sub(MOST_LINES) + findings.breaches.len().saturating_sub(MOST_LINES);
    if more > 0 {
        row("", &format!("and {more} more: --json lists all, --host NAME one host"));
    }
    findings.notes.iter().for_each(|note| row("note", note));
    text
}

fn result(findings: &Findings) -> String {
    match (findings.broken, findings.damage.is_empty()) {
        (0, true) => "every rule was kept".to_owned(),
        (0, false) => "no rule was broken as far as the journal can be read".to_owned(),
        (1, _) => "1 breach".to_owned(),
        (count, _) => format!("{count} breaches, the first one first"),
    }
}

fn of_host(host: &HostFinding) -> String {
    let mut text =
        format!("{}: {} ({} for robots.txt)", host.host, counted(host.requests, "request"), host.robots);
    if let (Some(first), Some(last)) = (host.first, host.last) {
        write!(text, " from {first} to {last}").expect("a String takes everything");
    }
    let gap = match (host.shortest_rest_ms, host.shortest_interval_ms) {
        (Some(rest), _) => Some(format!("{} from an answer to the next request", millis(rest))),
        (None, Some(interval)) => Some(format!("{} from request to request", millis(interval))),
        (None, None) => None,
    };
    let configured = duration(Duration::from_millis(host.delay_ms));
    if let Some(gap) = gap {
        write!(text, ", at least {gap} ({configured} configured").expect("a String takes everything");
        if let Some(wish) = host.crawl_delay_ms {
            let wish = duration(Duration::from_millis(wish));
            write!(text, ", {wish} asked for by robots.txt").expect("a String takes everything");
        }
        text.push(')');
    }
    write!(text, ", at most {} at once", host.most_at_once).expect("a String takes everything");
    if host.waits > 0 {
        let longest = duration(Duration::from_millis(host.longest_wait_ms));
        let waits = counted(host.waits, "wait");
        write!(text, ", {waits} asked for, the longest {longest}").expect("a String takes everything");
    }
    if host.breaches > 0 {
        write!(text, ", {} BROKEN", counted(host.breaches, "rule")).expect("a String takes everything");
    }
    text
}

fn millis(gap: i64) -> String {
    match u64::try_from(gap) {
        Ok(gap) => duration(Duration::from_millis(gap)),
        Err(_) => format!("{gap} ms"),
    }
}
