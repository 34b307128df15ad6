//! `crawl plan`: how long a crawl takes, as far as its state, its seeds and its pace tell. No host is asked.
//!
//! Hosts are asked side by side, so the slowest one decides. Links on pages that were not read yet are not known, so the
//! estimate is a lower bound, and it says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::Registry;
use super::args::StateArgs;
use super::exit::{Exit, Failure};
use super::pace::{ANSWER, Pace, as_seconds};
use super::render::{counted, duration, print, print_json, safe, wrapped};
use super::setup;
use super::state::{Known, KnownHost, Place};
use crate::config::Plan;
use crate::engine::learned_rate;
use crate::politeness::{HostState, Policy};
use crate::spider::declarative::SeedFile;
use crate::url::HostKey;

/// Hosts that the text lists; JSON lists all.
const MOST_LINES: usize = 20;
/// Columns of the text.
const WIDTH: usize = 100;

pub(super) fn plan(args: &StateArgs, registry: &Registry) -> Result<Exit, Failure> {
    let place = Place::of(args)?;
    let estimate = if place.is_begun() {
        let mut known = place.open()?;
        known.adopt(registry)?;
        Estimate::of_state(&known)
    } else {
        let dir = place.dir.display().to_string();
        let mut plan = place.into_plan().ok_or_else(|| {
            Failure::Usage(format!(
                "there is no state in `{dir}`: name the crawler file to plan its first run"
            ))
        })?;
        setup::spider(&mut plan, registry)?;
        Estimate::of_seeds(&plan)
    };
    if args.json {
        print_json(&estimate)?;
    } else {
        print(&estimate.text())?;
    }
    Ok(Exit::COMPLETE)
}

/// How long a crawl takes at least.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Estimate {
    /// Where the known pages come from.
    from: Source,
    pages: u64,
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    time: Duration,
    /// The host, or the ceiling, that decides.
    decided_by: Option<String>,
    /// What is not in it.
    unknown: Vec<String>,
    /// The slowest first.
    hosts: Vec<HostEstimate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Source {
    /// Nothing was asked yet.
    Seeds,
    /// The round goes on.
    Queues,
    /// The round is complete: the next one asks for the same pages again.
    LastRound,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct HostEstimate {
    host: String,
    pages: u64,
    #[serde(flatten)]
    pace: Pace,
    /// Before its first request.
    #[serde(rename = "wait-s", serialize_with = "as_seconds")]
    wait: Duration,
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    time: Duration,
}

impl HostEstimate {
    fn new(host: &HostKey, pages: u64, pace: Pace, wait: Duration) -> Self {
        let time = wait.saturating_add(pace.time_for(pages));
        Self { host: host.to_string(), pages, pace, wait, time }
    }
}

impl Estimate {
    fn of_seeds(plan: &Plan) -> Self {
        let mut pages: BTreeMap<HostKey, u64> = BTreeMap::new();
        let listed = plan.seed_file.iter().flat_map(SeedFile::requests).filter_map(Result::ok);
        for seed in plan.requests().into_iter().chain(listed) {
            *pages.entry(seed.host()).or_default() += 1;
        }
        if plan.needs_demo() {
            *pages.entry(HostKey::of("127.0.0.1")).or_default() += 1;
        }
        let hosts = pages.into_iter().map(|(host, pages)| {
            HostEstimate::new(&host, pages, Pace::of(&plan.policy(&host), None, None), Duration::ZERO)
        });
        Self::of(Source::Seeds, hosts.collect(), Some(plan), 0)
    }

    fn of_state(known: &Known) -> Self {
        let run = known.recovered.run.clone().unwrap_or_default();
        let (from, done) = match (run.completed, run.round) {
            (_, 0) => return known.plan.as_ref().map_or_else(Self::empty, Self::of_seeds),
            (Some(_), _) => (Source::LastRound, 0),
            (None, _) => (Source::Queues, run.totals.get("pages").copied().unwrap_or(0)),
        };
        let hosts = known.hosts();
        let hosts = hosts.iter().map(|host| of_host(host, known, from)).filter(|host| host.pages > 0);
        Self::of(from, hosts.collect(), known.plan.as_ref(), done)
    }

    fn empty() -> Self {
        Self::of(Source::Seeds, Vec::new(), None, 0)
    }

    /// `done` pages of the round are fetched already.
    fn of(from: Source, mut hosts: Vec<HostEstimate>, plan: Option<&Plan>, done: u64) -> Self {
        hosts.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.host.cmp(&b.host)));
        let pages = hosts.iter().map(|host| host.pages).sum();
        let slowest = hosts.first();
        let mut estimate = Self {
            from,
            pages,
            time: slowest.map_or(Duration::ZERO, |host| host.time),
            decided_by: slowest.map(|host| host.host.clone()),
            unknown: unknown(from),
            hosts,
        };
        if let Some(plan) = plan {
            estimate.take_limits(plan, done);
        }
        estimate
    }

    /// The limits of the whole crawl: its rate can make it longer, its number of pages can end it earlier.
    fn take_limits(&mut self, plan: &Plan, done: u64) {
        let key = |name: &str| plan.explain().iter().find(|entry| entry.key == name);
        if let Some(rate) = plan.max_rate {
            let time = Duration::try_from_secs_f64(
                rate.per.as_secs_f64() / f64::from(rate.requests.get()) * self.pages as f64,
            );
            if let Some(time) = time.ok().filter(|time| *time > self.time) {
                let value = key("politeness.max-rate").map_or("", |entry| &entry.value);
                (self.time, self.decided_by) = (time, Some(format!("politeness.max-rate {value}")));
            }
        }
        if let Some(left) = plan.budget.max_pages.map(|most| most.saturating_sub(done))
            && left < self.pages
        {
            let pages = counted(left, "page");
            self.unknown.push(format!("which pages come first: scope.max-pages ends it after {pages} more"));
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for host in self.hosts.iter().take(MOST_LINES) {
            let wait = Some(host.wait).filter(|wait| !wait.is_zero());
            let wait = wait.map(|wait| format!(", after a wait of {}", duration(wait)));
            let line = format!(
                "{}: {}, {} ({}){}: {}",
                host.host,
                counted(host.pages, "page"),
                host.pace,
                host.pace.decided_by.as_str(),
                wait.unwrap_or_default(),
                duration(host.time)
            );
            text.push_str(&wrapped(&safe(&line), WIDTH, "  "));
        }
        let more = self.hosts.len().saturating_sub(MOST_LINES);
        if more > 0 {
            writeln!(text, "  and {}: --json lists all", counted(more as u64, "quicker host"))
                .expect("a String takes everything");
        }
        text.insert_str(0, &wrapped(&safe(&self.headline()), WIDTH, ""));
        for unknown in &self.unknown {
            text.push_str(&wrapped(&format!("not known: {}", safe(unknown)), WIDTH, "  "));
        }
        text
    }

    /// `4 h 10 min at least for 10000 known pages; a.example decides, at 1 request every 1.5 s`.
    fn headline(&self) -> String {
        let pages = counted(self.pages, "known page");
        let pages = match self.from {
            Source::Seeds => format!("{pages} (the seeds)"),
            Source::Queues => format!("{pages} that wait"),
            Source::LastRound => format!("{pages} of the last round, asked again"),
        };
        let Some(decider) = &self.decided_by else {
            return "nothing is left to ask, as far as is known".to_owned();
        };
        let slowest = self.hosts.first().filter(|host| host.host == *decider);
        let pace = slowest.map(|host| format!(", at {}", host.pace)).unwrap_or_default();
        format!("{} at least for {pages}; {decider} decides{pace}", duration(self.time))
    }
}

fn of_host(host: &KnownHost<'_>, known: &Known, from: Source) -> HostEstimate {
    let policy = known.policy(&host.key);
    let pages = match from {
        Source::LastRound => host.state.pages_in(known.round()),
        Source::Queues | Source::Seeds => host.waiting.min(left(&policy, &host.state, known.round())),
    };
    let pace = Pace::of(&policy, host.wish(known), learned_rate(&host.state));
    HostEstimate::new(&host.key, pages, pace, host.state.not_before.since(known.now))
}

/// Pages that the host's budget leaves.
fn left(policy: &Policy, state: &HostState, round: u32) -> u64 {
    policy.max_pages.map_or(u64::MAX, |most| most.saturating_sub(state.pages_in(round)))
}

fn unknown(from: Source) -> Vec<String> {
    let answer = duration(ANSWER);
    let mut unknown = match from {
        Source::Seeds => vec![
            "links on the pages: each one in scope makes it longer".to_owned(),
            "robots.txt: a Crawl-delay in it may make it longer".to_owned(),
        ],
        Source::Queues => vec!["links on pages that were not read yet".to_owned()],
        Source::LastRound => vec!["pages that are new since".to_owned()],
    };
    unknown.push(format!("how quickly the hosts answer ({answer} is assumed), and how often they refuse"));
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;
    use crate::robots::{RobotsAnswer, RobotsRecord};
    use crate::store::disk::DiskStore;
    use crate::store::{Holdings, Recovered, RunRecord};
    use crate::time::Timestamp;
    use crate::url::{CanonicalUrl, Origin};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn plan(text: &str) -> Plan {
        let identity = "[identity]\ncontact = \"me@a.example\"\n";
        Loader::new().text("a.toml", format!("{text}\n{identity}")).load().unwrap()
    }

    fn origin(host: &str) -> Origin {
        CanonicalUrl::parse(&format!("http://{host}/")).unwrap().origin()
    }

    /// The estimate of a state with these queues.
    fn of_queues(
        queues: &[(&str, u64)],
        plan: Plan,
        more: impl FnOnce(&mut Recovered, &mut Holdings),
    ) -> Estimate {
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(dir.path(), Default::default()).unwrap();
        let mut recovered =
            Recovered { run: Some(RunRecord { round: 1, ..RunRecord::default() }), ..Recovered::default() };
        let queues = queues.iter().map(|(host, count)| (origin(host), *count)).collect();
        let mut held = Holdings { queues, ..Holdings::default() };
        more(&mut recovered, &mut held);
        Estimate::of_state(&Known { store, recovered, held, now: NOW, plan: Some(plan) })
    }

    const SEED: &str = "seeds = [\"http://a.example/\"]\n[politeness]\njitter = 0\ndelay = \"1.2s\"";

    #[test]
    fn the_slowest_host_decides() {
        let estimate = of_queues(&[("a.example", 10_000), ("b.example", 10)], plan(SEED), |_, _| {});
        assert_eq!(estimate.time, Duration::from_secs(15_000));
        let text = estimate.text();
        let head = "4 h 10 min at least for 10010 known pages that wait; a.example decides, at 1 request every 1.5 s";
        assert_eq!(text.lines().next(), Some(head));
        assert!(
            text.contains("  b.example: 10 pages, 1 request every 1.5 s (politeness.delay): 15.0 s\n"),
            "{text}"
        );
        assert!(text.contains("not known: links on pages that were not read yet"), "{text}");
    }

    #[test]
    fn a_crawl_delay_and_a_wait_make_a_host_slower() {
        let body = RobotsAnswer::Text("User-agent: *\nCrawl-delay: 9.7\n".into());
        let record = RobotsRecord { fetched_at: NOW, expires_at: NOW, answer: body, copy: None };
        let late = HostState { not_before: Timestamp::from_secs(1_060), ..HostState::default() };
        let estimate = of_queues(&[("a.example", 6)], plan(SEED), |_, held| {
            held.robots.push((origin("a.example"), record));
            held.hosts.push((HostKey::of("a.example"), late));
        });
        assert_eq!(estimate.time, Duration::from_secs(120));
        assert!(
            estimate.text().contains("(robots.txt), after a wait of 1 min: 2 min"),
            "{}",
            estimate.text()
        );
    }

    #[test]
    fn without_a_state_the_seeds_are_all_that_is_known() {
        let text = Estimate::of_seeds(&plan(SEED)).text();
        assert!(text.starts_with("1.5 s at least for 1 known page (the seeds); a.example decides"), "{text}");
        assert!(text.contains("not known: robots.txt"), "{text}");
    }

    #[test]
    fn the_limits_of_the_crawl_count() {
        let slow = plan(&format!("{SEED}\nmax-rate = \"1/min\"\n[scope]\nmax-pages = 5"));
        let estimate = of_queues(&[("a.example", 10)], slow, |_, _| {});
        assert_eq!(estimate.time, Duration::from_mins(10));
        assert_eq!(estimate.decided_by.as_deref(), Some("politeness.max-rate \"1/min\""));
        assert!(estimate.unknown.iter().any(|unknown| unknown.contains("after 5 pages more")));
    }

    #[test]
    fn a_complete_round_is_followed_by_one_that_asks_for_its_pages_again() {
        let asked = HostState { pages: 8, round: 1, ..HostState::default() };
        let estimate = of_queues(&[], plan(SEED), |recovered, held| {
            held.hosts.push((HostKey::of("a.example"), asked));
            recovered.run.as_mut().unwrap().completed = Some(NOW);
        });
        assert!(estimate.text().starts_with("12.0 s at least for 8 known pages of the last round"));
        let nothing = of_queues(&[], plan(SEED), |_, _| {});
        assert!(nothing.text().starts_with("nothing is left to ask"));
    }
}
