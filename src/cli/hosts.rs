//! `crawl hosts`: how each host stands, what it waits for, and what to do about it.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::Registry;
use super::args::StateArgs;
use super::exit::{Exit, Failure};
use super::pace::Pace;
use super::render::{counted, duration, per_time, print, print_json, safe, wrapped};
use super::state::{Known, KnownHost, Place};
use crate::engine::{HostWait, advice, evidence_of, gravity, learned_rate, standing_of, told, wait_of};
use crate::politeness::{Policy, Standing};
use crate::robots::{RobotsAnswer, RobotsRecord, RobotsRules};
use crate::time::Timestamp;
use crate::url::Origin;

/// Columns of the text.
const WIDTH: usize = 100;
/// Columns of a host's name; a longer one has a line of its own.
const NAME: usize = 30;

pub(super) fn hosts(args: &StateArgs, registry: &Registry) -> Result<Exit, Failure> {
    let mut known = Place::of(args)?.open()?;
    known.adopt(registry)?;
    let rows = rows(&known);
    if args.json {
        print_json(&rows)?;
    } else {
        print(&text(&rows))?;
    }
    Ok(Exit::COMPLETE)
}

/// Every host, the one with the worst trouble first.
fn rows(known: &Known) -> Vec<HostRow> {
    let mut rows: Vec<_> = known.hosts().iter().map(|host| HostRow::of(host, known)).collect();
    let trouble = |row: &HostRow| (row.rank, row.wait_s.to_bits(), row.waiting);
    rows.sort_by(|a, b| trouble(b).cmp(&trouble(a)).then_with(|| a.host.cmp(&b.host)));
    rows
}

/// One host, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HostRow {
    pub(super) host: String,
    /// `ok`, `limited`, `suspected`, `blocked`, `down`, or `shut` by its robots.txt.
    pub(super) standing: &'static str,
    #[serde(skip)]
    rank: (u8, bool),
    /// Requests per second that it was found to bear.
    pub(super) learned_rate: Option<f64>,
    #[serde(flatten)]
    pub(super) pace: Pace,
    /// What its robots.txt asks for.
    crawl_delay_s: Option<f64>,
    /// Seconds until it may be asked again; 0 if it may be asked now.
    pub(super) wait_s: f64,
    pub(super) wait: Option<HostWaitShown>,
    requests: u64,
    pages: u64,
    /// Answers 429 and 503.
    refused: u64,
    /// Seconds that these have cost.
    throttled_s: u64,
    pub(super) waiting: u64,
    last_status: Option<u16>,
    /// What stands in the way, in words.
    pub(super) trouble: Option<String>,
    pub(super) todo: Option<String>,
    /// What speaks for a standing worse than a limit.
    evidence: Option<String>,
}

/// A wait with its end as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HostWaitShown {
    pub(super) until: String,
    pub(super) reason: String,
}

impl HostRow {
    pub(super) fn of(host: &KnownHost<'_>, known: &Known) -> Self {
        let state = &host.state;
        let standing = standing_of(state);
        let policy = known.policy(&host.key);
        let obstacle = Obstacle::of(host, known, &policy);
        let wait = wait_of(state, known.now);
        let until = wait.as_ref().map(|wait| wait.until).max(obstacle.as_ref().and_then(|shut| shut.until));
        let wish = host.wish(known);
        let learned_rate = learned_rate(state);
        let mut row = Self {
            host: host.key.to_string(),
            standing: standing.as_str(),
            rank: (gravity(standing), obstacle.is_some()),
            learned_rate,
            pace: Pace::of(&policy, wish, learned_rate),
            crawl_delay_s: wish.map(|wish| wish.as_secs_f64()),
            wait_s: until.map_or(0.0, |until| until.since(known.now).as_secs_f64()),
            wait: wait.as_ref().map(HostWaitShown::of),
            requests: state.requests,
            pages: state.pages_in(known.round()),
            refused: state.throttled,
            throttled_s: state.throttled_ms / 1_000,
            waiting: host.waiting,
            last_status: state.last_status,
            trouble: None,
            todo: None,
            evidence: evidence_of(state).map(told),
        };
        row.explain(standing, wait, obstacle);
        row
    }

    /// Says what is wrong, the host's own standing before its robots.txt.
    fn explain(&mut self, standing: Standing, wait: Option<HostWait>, obstacle: Option<Obstacle>) {
        if let (Standing::Ok, Some(obstacle)) = (standing, obstacle) {
            self.standing = "shut";
            self.wait = obstacle.until.map(|until| {
                HostWaitShown::of(&HostWait { until, reason: "robots.txt is asked again then".to_owned() })
            });
            (self.trouble, self.todo) = (Some(obstacle.reason), Some(obstacle.advice));
        } else if standing != Standing::Ok {
            let over = || "its wait is over: the next run asks it again".to_owned();
            self.trouble = Some(wait.map_or_else(over, |wait| wait.reason));
            self.todo = Some(advice(standing).to_owned());
        }
    }

    fn line(&self) -> String {
        let wait = Some(self.wait_s).filter(|wait| *wait > 0.0);
        let wait = wait.map_or_else(|| "-".to_owned(), |wait| duration(Duration::from_secs_f64(wait)));
        let status = self.last_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let (numbers, last) = ([self.requests, self.pages, self.refused, self.waiting], status);
        columns(self.standing, &self.shown_pace(), &wait, numbers.map(|number| number.to_string()), &last)
    }

    fn shown_pace(&self) -> String {
        self.learned_rate.map_or_else(|| duration(self.pace.interval), per_time)
    }

    /// What stands under the row of a host in trouble, or of one that has pushed back before.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(trouble) = &self.trouble {
            let until = self.wait.as_ref().map(|wait| format!(", until {}", wait.until));
            notes.push(format!("why: {trouble}{}", until.unwrap_or_default()));
        }
        if self.refused > 0 {
            let cost = duration(Duration::from_secs(self.throttled_s));
            notes.push(format!("pushed back {}, which cost {cost}", counted(self.refused, "time")));
        }
        notes.extend(self.evidence.iter().map(|evidence| format!("evidence: {evidence}")));
        notes.extend(self.todo.iter().map(|todo| format!("do:  {todo}")));
        notes
    }
}

impl HostWaitShown {
    pub(super) fn of(wait: &HostWait) -> Self {
        Self { until: wait.until.to_string(), reason: wait.reason.clone() }
    }
}

/// What robots.txt puts in the way of a host, or of a part of it.
struct Obstacle {
    reason: String,
    advice: String,
    /// When it is asked again.
    until: Option<Timestamp>,
}

impl Obstacle {
    fn of(host: &KnownHost<'_>, known: &Known, policy: &Policy) -> Option<Self> {
        let unused = host.state.pages_in(known.round()) == 0;
        host.robots.iter().find_map(|(origin, record)| {
            let rules = known.rules(record);
            Self::unread(record, known.now)
                .or_else(|| Self::too_slow(&rules, policy))
                .or_else(|| unused.then(|| Self::closed(origin, record, &rules)).flatten())
        })
    }

    fn unread(record: &RobotsRecord, now: Timestamp) -> Option<Self> {
        let RobotsAnswer::Unreachable { retry_at, reason, tries } = &record.answer else {
            return None;
        };
        Some(Self {
            reason: format!("{reason} (asked {})", counted(u64::from(*tries), "time")),
            advice:
                "nothing is fetched before robots.txt can be read: run it again later, and tell its owner \
                     if it stays so"
                    .to_owned(),
            until: Some(*retry_at).filter(|until| *until > now),
        })
    }

    fn too_slow(rules: &RobotsRules, policy: &Policy) -> Option<Self> {
        let wish = rules.min_delay().filter(|wish| *wish > policy.max_crawl_delay)?;
        let (wish, most) = (duration(wish), duration(policy.max_crawl_delay));
        Some(Self {
            reason: format!("its robots.txt asks for {wish} between requests, more than {most}"),
            advice: "raise politeness.max-crawl-delay if you can wait that long".to_owned(),
            until: None,
        })
    }

    /// The home page is forbidden and nothing else was fetched.
    fn closed(origin: &Origin, record: &RobotsRecord, rules: &RobotsRules) -> Option<Self> {
        let advice = "ask the owner of the site for leave, or take other seeds".to_owned();
        if record.answer == RobotsAnswer::DenyAll {
            let reason = "its robots.txt was refused, and `robots.forbidden` is \"deny\"".to_owned();
            return Some(Self { reason, advice, until: None });
        }
        let home = origin.robots_url().as_url().join("/").ok()?;
        let verdict = rules.verdict(&home);
        let rule = verdict.rule.filter(|_| !verdict.allowed)?;
        Some(Self { reason: format!("robots.txt closes it to us: {rule}"), advice, until: None })
    }
}

fn text(rows: &[HostRow]) -> String {
    let counts = ["requests", "pages", "refused", "waiting"].map(str::to_owned);
    let head = columns("standing", "pace", "asked in", counts, "last");
    let mut text = format!("{:<NAME$} {head}\n", "host");
    for row in rows {
        let name = safe(&row.host);
        let name: String = name.chars().take(WIDTH).collect();
        let (long, short) =
            if name.chars().count() > NAME { (name.as_str(), "") } else { ("", name.as_str()) };
        if !long.is_empty() {
            writeln!(text, "{long}").expect("a String takes everything");
        }
        writeln!(text, "{short:<NAME$} {}", row.line()).expect("a String takes everything");
        for note in row.notes() {
            text.push_str(&wrapped(&safe(&note), WIDTH, "  "));
        }
    }
    if rows.is_empty() {
        text.push_str("no host was asked yet\n");
    }
    text
}

fn columns(standing: &str, pace: &str, wait: &str, counts: [String; 4], last: &str) -> String {
    let [requests, pages, refused, waiting] = counts;
    format!("{standing:<9} {pace:>8} {wait:>11} {requests:>9} {pages:>7} {refused:>7} {waiting:>7} {last:>4}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::politeness::HostState;
    use crate::politeness::Phase;
    use crate::store::disk::DiskStore;
    use crate::store::{Holdings, Recovered, RunRecord};
    use crate::time::Timestamp;
    use crate::url::{CanonicalUrl, HostKey};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn origin(host: &str) -> Origin {
        CanonicalUrl::parse(&format!("http://{host}/")).unwrap().origin()
    }

    fn record(answer: RobotsAnswer) -> RobotsRecord {
        RobotsRecord { fetched_at: NOW, expires_at: NOW, answer, copy: None }
    }

    fn text_record(body: &'static str) -> RobotsRecord {
        record(RobotsAnswer::Text(body.into()))
    }

    fn known(held: Holdings, dir: &std::path::Path) -> Known {
        let run = Some(RunRecord { round: 1, ..RunRecord::default() });
        let recovered = Recovered { run, ..Recovered::default() };
        let store = DiskStore::open(dir, Default::default()).unwrap();
        Known { store, recovered, held, now: NOW, plan: None }
    }

    fn rows_of(held: Holdings) -> Vec<HostRow> {
        let dir = tempfile::tempdir().unwrap();
        rows(&known(held, dir.path()))
    }

    fn limited(wait: u64) -> HostState {
        let until = NOW + Duration::from_secs(wait);
        HostState {
            not_before: until,
            phase: Phase::Backoff { until, strikes: 1 },
            requests: 12,
            throttled: 3,
            throttled_ms: 200_000,
            last_status: Some(429),
            ..HostState::default()
        }
    }

    #[test]
    fn trouble_comes_first_and_the_longest_wait_before_the_others() {
        let hosts = [("calm", HostState::default()), ("soon", limited(5)), ("late", limited(500))];
        let hosts = hosts.map(|(name, state)| (HostKey::of(name), state)).to_vec();
        let unreachable = RobotsAnswer::Unreachable {
            tries: 3,
            retry_at: NOW,
            reason: "robots.txt answered 503".to_owned(),
        };
        let robots = vec![(origin("mute"), record(unreachable))];
        let rows = rows_of(Holdings { hosts, robots, ..Holdings::default() });
        let told: Vec<_> = rows.iter().map(|row| (row.host.as_str(), row.standing)).collect();
        assert_eq!(told, [("late", "limited"), ("soon", "limited"), ("mute", "shut"), ("calm", "ok")]);
    }

    #[test]
    fn a_limited_host_says_why_until_when_and_what_to_do() {
        let hosts = vec![(HostKey::of("a.example"), limited(200))];
        let queues = vec![(origin("a.example"), 7)];
        let text = text(&rows_of(Holdings { hosts, queues, ..Holdings::default() }));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[1].starts_with("a.example   ") && lines[1].contains("limited"), "{text}");
        assert!(
            lines[1].contains("3 min 20 s") && lines[1].ends_with("12       0       3       7  429"),
            "{text}"
        );
        assert_eq!(lines[2], "  why: it answered 429, push-back 1 in a row, until 1970-01-01T00:20:00.000Z");
        assert_eq!(lines[3], "  pushed back 3 times, which cost 3 min 20 s");
        assert!(lines[4].starts_with("  do:  wait"), "{text}");
    }

    #[test]
    fn robots_txt_that_shuts_a_host_is_told_with_the_remedy() {
        let slow = text_record("User-agent: *\nCrawl-delay: 400\n");
        let closed = text_record("User-agent: *\nDisallow: /\n");
        let refused = record(RobotsAnswer::DenyAll);
        let robots = vec![(origin("a"), slow), (origin("b"), closed), (origin("c"), refused)];
        let rows = rows_of(Holdings { robots, ..Holdings::default() });
        let told: Vec<_> = rows.iter().map(|row| row.trouble.as_deref().unwrap()).collect();
        assert_eq!(told[0], "its robots.txt asks for 6 min 40 s between requests, more than 5 min");
        assert_eq!(told[1], "robots.txt closes it to us: Disallow: / (robots.txt line 2)");
        assert!(told[2].contains("refused"));
        assert!(rows[0].todo.as_deref().unwrap().contains("max-crawl-delay"));
    }

    #[test]
    fn no_line_is_longer_than_a_hundred_columns_and_none_holds_a_control_character() {
        let long = "a-name-that-is-much-longer-than-its-column.example";
        let state = HostState { requests: 123_456_789, throttled: 9_999_999, ..limited(90_000) };
        let reason = format!("robots.txt: \x1b[2J {}", "very long ".repeat(20));
        let unreachable = RobotsAnswer::Unreachable { tries: 3, retry_at: NOW, reason };
        let robots = vec![(origin("mute"), record(unreachable))];
        let hosts = vec![(HostKey::of(long), state)];
        let text = text(&rows_of(Holdings { hosts, robots, ..Holdings::default() }));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text}");
        assert!(text.contains(long), "{text}");
    }
}
