//! The referee: checks the rules of politeness from the server's side, without asking the crawler.
//!
//! The rule names are those of the project's list of invariants. Nothing here shares code with the rooms that it judges.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::transcript::{Arrival, Transcript};
use crate::time::Timestamp;

/// How long a robots.txt may be relied on (RFC 9309 2.4), and time for the last request under it.
const ROBOTS_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60 + 60);
/// Redirects of robots.txt after which there is none.
const ROBOTS_HOPS: usize = 5;
/// Requests of one URL that brought nothing.
const MAX_TRIES: usize = 10;
/// Refusals of one host in a row. A host that shuts us out for good costs about 11 until it is suspected, a probe an hour for the
/// rest of the day, and a probe a day for a week.
const MAX_REFUSALS: usize = 45;

/// What a transcript is measured by.
#[derive(Debug, Clone)]
pub struct Yardstick {
    /// The configured delay, which jitter may only lengthen. Default 1 s.
    pub delay: Duration,
    /// Requests of one host at the same time. Default 1.
    pub concurrency: usize,
    /// Hosts that share one pace, by the name of their group. A host that is not here has its own.
    pub groups: BTreeMap<String, String>,
    /// Where names lead, as far as it is known.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Requests to one address at the same time over several names. Default 2.
    pub address_concurrency: usize,
    /// Hosts with a delay and a concurrency of their own.
    pub own_pace: BTreeMap<String, (Duration, usize)>,
    /// Delays that hosts ask for in robots.txt.
    pub wishes: BTreeMap<String, Duration>,
    /// URLs, or beginnings of URLs, that robots.txt forbids.
    pub never: Vec<String>,
    /// Spiders, each of which may see a page once. Default 1.
    pub spiders: usize,
}

impl Default for Yardstick {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            concurrency: 1,
            groups: BTreeMap::new(),
            addresses: BTreeMap::new(),
            address_concurrency: 2,
            own_pace: BTreeMap::new(),
            wishes: BTreeMap::new(),
            never: Vec::new(),
            spiders: 1,
        }
    }
}

impl Yardstick {
    /// The delay and the requests at the same time that a host is owed.
    fn pace(&self, host: &str) -> (Duration, usize) {
        let (delay, concurrency) = self.own_pace.get(host).copied().unwrap_or((self.delay, self.concurrency));
        match self.wishes.get(host).copied().unwrap_or_default() {
            Duration::ZERO => (delay, concurrency),
            wish => (delay.max(wish), 1),
        }
    }
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Its name: `R1` to `R13`.
    pub rule: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

impl Transcript {
    /// Fails the test if any rule of politeness was broken.
    ///
    /// # Panics
    /// With the first breaches, in words.
    pub fn assert_polite(&self, yardstick: &Yardstick) {
        let breaches = self.breaches(yardstick);
        let shown: Vec<_> = breaches.iter().take(20).map(ToString::to_string).collect();
        assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), shown.join("\n"));
    }

    /// Every rule of politeness that was broken.
    #[must_use]
    pub fn breaches(&self, yardstick: &Yardstick) -> Vec<Breach> {
        let mut found = Vec::new();
        self.judge_robots(&mut found);
        self.judge_forbidden(yardstick, &mut found);
        let mut hosts: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &self.arrivals {
            hosts.entry(&arrival.host).or_default().push(arrival);
        }
        for (host, arrivals) in &hosts {
            self.judge_pace(arrivals, yardstick.pace(host), &mut found);
            self.judge_waits(arrivals, &mut found);
            judge_refusals(host, arrivals, &mut found);
        }
        self.judge_groups(yardstick, &mut found);
        self.judge_addresses(yardstick, &mut found);
        self.judge_repeats(yardstick, &mut found);
        found
    }

    /// R3, R4, R5 for hosts with one pace: they are measured as one host.
    fn judge_groups(&self, yardstick: &Yardstick, found: &mut Vec<Breach>) {
        let mut groups: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &self.arrivals {
            if let Some(group) = yardstick.groups.get(&*arrival.host) {
                groups.entry(group).or_default().push(arrival);
            }
        }
        for arrivals in groups.values() {
            self.judge_pace(arrivals, yardstick.pace(&arrivals[0].host), found);
            self.judge_waits(arrivals, found);
        }
    }

    /// R3 for addresses: over several names never more at once than the cap. One name alone is measured as a host.
    fn judge_addresses(&self, yardstick: &Yardstick, found: &mut Vec<Breach>) {
        let cap = yardstick.address_concurrency;
        let mut open: BTreeMap<IpAddr, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &self.arrivals {
            let Some(address) = yardstick.addresses.get(&*arrival.host) else { continue };
            let open = open.entry(*address).or_default();
            open.retain(|other| end_of(other) > arrival.start);
            open.push(arrival);
            if open.len() > cap && open.iter().any(|other| other.host != arrival.host) {
                let what = format!("is number {} at {address} at the same time, {cap} allowed", open.len());
                found.push(self.told("R3", arrival, &what));
            }
        }
    }

    fn told(&self, rule: &'static str, arrival: &Arrival, what: &str) -> Breach {
        let at = self.seconds(arrival.start);
        Breach { rule, what: format!("{} at {at:.3} s {what}", arrival.url()) }
    }

    /// R1: no page before robots.txt of its origin was answered, or on the strength of an answer that is too old.
    fn judge_robots(&self, found: &mut Vec<Breach>) {
        let log = RobotsLog::of(&self.arrivals);
        for arrival in &self.arrivals {
            if arrival.is_robots() || log.hops.contains(&arrival.url()) {
                continue;
            }
            match log.opened(arrival) {
                None => found.push(self.told("R1", arrival, "came before a verdict of robots.txt")),
                Some(at) if at + ROBOTS_LIFETIME < arrival.start => {
                    found.push(self.told("R1", arrival, "relied on a robots.txt older than a day"));
                }
                Some(_) => {}
            }
        }
    }

    /// R2: nothing that is disallowed.
    fn judge_forbidden(&self, yardstick: &Yardstick, found: &mut Vec<Breach>) {
        if yardstick.never.is_empty() {
            return;
        }
        for arrival in self.arrivals.iter().filter(|arrival| !arrival.is_robots()) {
            let url = arrival.url();
            if yardstick.never.iter().any(|start| url.starts_with(start)) {
                found.push(self.told("R2", arrival, "is disallowed"));
            }
        }
    }

    /// R3: never more at once than the cap. R4: never sooner than the delay.
    fn judge_pace(&self, arrivals: &[&Arrival], (delay, cap): (Duration, usize), found: &mut Vec<Breach>) {
        let mut open: Vec<Timestamp> = Vec::new();
        let mut last: Option<Timestamp> = None;
        for arrival in arrivals {
            open.retain(|end| *end > arrival.start);
            open.push(end_of(arrival));
            if open.len() > cap {
                let what = format!("is number {} at the same time, {cap} allowed", open.len());
                found.push(self.told("R3", arrival, &what));
            }
            if let Some(before) = last.filter(|before| *before + delay > arrival.start) {
                let gap = arrival.start.since(before).as_secs_f64();
                let what =
                    format!("came {gap:.3} s after the one before, {:.3} s asked", delay.as_secs_f64());
                found.push(self.told("R4", arrival, &what));
            }
            let counted = if cap == 1 { end_of(arrival) } else { arrival.start };
            last = last.max(Some(counted));
        }
    }

    /// R5: nothing to a host that has said how long it wants to be left alone.
    fn judge_waits(&self, arrivals: &[&Arrival], found: &mut Vec<Breach>) {
        let mut waits: Vec<(Timestamp, Timestamp)> = Vec::new();
        for arrival in arrivals {
            let broken = waits.iter().find(|(from, until)| (*from..*until).contains(&arrival.start));
            if let Some((_, until)) = broken {
                let what = format!("came into a wait until {:.3} s", self.seconds(*until));
                found.push(self.told("R5", arrival, &what));
            }
            waits.extend(arrival.not_before.map(|until| (end_of(arrival), until)));
            waits.retain(|(_, until)| *until > arrival.start);
        }
    }

    /// R6: no URL is tried for ever. R13: none is fetched twice.
    fn judge_repeats(&self, yardstick: &Yardstick, found: &mut Vec<Breach>) {
        let mut counts: HashMap<(&Arc<str>, &str), (usize, usize)> = HashMap::new();
        let mut controls: HashSet<(&Arc<str>, &str)> = HashSet::new();
        for arrival in self.arrivals.iter().filter(|arrival| !arrival.is_robots()) {
            let url = (&arrival.origin, &*arrival.path);
            if arrival.method == Method::HEAD {
                // A control. Where it is refused, a GET confirms.
                controls.insert(url);
                continue;
            }
            let is_control = controls.remove(&url);
            let (tries, successes) = counts.entry(url).or_default();
            if arrival.is_success() {
                *successes += usize::from(!is_control);
                if *successes > yardstick.spiders {
                    found.push(self.told("R13", arrival, "was fetched before"));
                }
            } else {
                *tries += 1;
                if *tries > MAX_TRIES {
                    found.push(self.told("R6", arrival, &format!("is try {tries}")));
                }
            }
        }
    }
}

fn end_of(arrival: &Arrival) -> Timestamp {
    arrival.end.unwrap_or(Timestamp::MAX)
}

/// R6: a host that refuses everything is left in peace.
fn judge_refusals(host: &str, arrivals: &[&Arrival], found: &mut Vec<Breach>) {
    let mut streak = 0;
    for arrival in arrivals {
        match arrival.status {
            Some(401 | 403 | 429 | 503) => streak += 1,
            _ => streak = 0,
        }
        if streak == MAX_REFUSALS + 1 {
            let what = format!("{host} refused {MAX_REFUSALS} times in a row and was asked again");
            found.push(Breach { rule: "R6", what });
        }
    }
}

/// All answers to robots.txt and to what it was redirected to.
struct RobotsLog<'a> {
    /// By URL, in the order of their ends.
    answers: HashMap<String, Vec<&'a Arrival>>,
    /// Where robots.txt was redirected to.
    hops: HashSet<String>,
}

impl<'a> RobotsLog<'a> {
    fn of(arrivals: &'a [Arrival]) -> Self {
        let mut log = Self { answers: HashMap::new(), hops: HashSet::new() };
        for arrival in arrivals {
            let url = if arrival.is_robots() || !log.hops.is_empty() {
                arrival.url()
            } else {
                continue;
            };
            if !arrival.is_robots() && !log.hops.contains(&url) {
                continue;
            }
            if let Some(target) = target_of(arrival) {
                log.hops.insert(target);
            }
            log.answers.entry(url).or_default().push(arrival);
        }
        log
    }

    /// When the origin of a page got the verdict that lets it be asked; `None` if there is none.
    fn opened(&self, page: &Arrival) -> Option<Timestamp> {
        let mut url = format!("{}/robots.txt", page.origin);
        let mut verdict = None;
        for _hop in 0..=ROBOTS_HOPS {
            let answers = self.answers.get(&url)?;
            let ended = |arrival: &&&Arrival| arrival.end.is_some_and(|end| end <= page.start);
            let last = answers.iter().rev().find(ended)?;
            verdict = last.end;
            match (last.status?, target_of(last)) {
                (429 | 500.., _) => return None,
                (300..=399, Some(target)) => url = target,
                _ => return last.end,
            }
        }
        // More hops than that: as if there were none.
        verdict
    }
}

/// Where a redirect points, if it is one and points anywhere.
fn target_of(arrival: &Arrival) -> Option<String> {
    let location = arrival.location.as_deref()?;
    let is_redirect = matches!(arrival.status, Some(301 | 302 | 303 | 307 | 308));
    let target =
        if location.starts_with('/') { format!("{}{location}", arrival.origin) } else { location.to_owned() };
    is_redirect.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(url: &str, start: u64, end: u64, status: u16) -> Arrival {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        Arrival {
            start: Timestamp::from_millis(start),
            end: Some(Timestamp::from_millis(end)),
            origin: format!("{scheme}://{host}").into(),
            host: host.into(),
            method: http::Method::GET,
            path: path.into(),
            status: Some(status),
            location: None,
            not_before: None,
        }
    }

    fn rules_broken(arrivals: Vec<Arrival>) -> Vec<&'static str> {
        let began = Timestamp::ZERO;
        let yardstick = Yardstick { never: vec!["http://a/secret".to_owned()], ..Yardstick::default() };
        let breaches = Transcript { began, arrivals }.breaches(&yardstick);
        breaches.iter().map(|breach| breach.rule).collect()
    }

    const ROBOTS: &str = "http://a/robots.txt";

    #[test]
    fn a_polite_visit_breaks_nothing() {
        let visit = vec![
            arrival(ROBOTS, 0, 100, 404),
            arrival("http://a/", 1_100, 1_200, 200),
            arrival("http://b/robots.txt", 1_100, 1_200, 200),
        ];
        assert!(rules_broken(visit).is_empty());
    }

    #[test]
    fn a_page_before_robots_or_after_its_failure_is_seen() {
        let robots = arrival(ROBOTS, 5_000, 5_100, 404);
        assert_eq!(rules_broken(vec![arrival("http://a/", 0, 1, 200), robots]), ["R1"]);
        let visit = vec![arrival(ROBOTS, 0, 1, 500), arrival("http://a/", 5_000, 5_100, 200)];
        assert_eq!(rules_broken(visit), ["R1"]);
    }

    #[test]
    fn a_robots_txt_of_another_day_does_not_count() {
        let late = 25 * 3_600_000;
        let visit = vec![arrival(ROBOTS, 0, 1, 404), arrival("http://a/", late, late, 200)];
        assert_eq!(rules_broken(visit), ["R1"]);
    }

    #[test]
    fn a_redirected_robots_txt_counts_from_its_last_hop() {
        let mut first = arrival(ROBOTS, 0, 1, 302);
        first.location = Some("http://b/rules".into());
        let page = arrival("http://a/", 2_000, 2_001, 200);
        let hop = arrival("http://b/rules", 500, 600, 200);
        assert_eq!(rules_broken(vec![first.clone(), hop, page.clone()]), [""; 0]);
        let unanswered = arrival("http://b/rules", 500, 600, 503);
        assert_eq!(rules_broken(vec![first, unanswered, page]), ["R1"]);
    }

    #[test]
    fn too_soon_too_many_and_into_a_wait_are_told_apart() {
        let robots = arrival(ROBOTS, 0, 0, 404);
        let page = |path: &str, start, end| arrival(&format!("http://a/{path}"), start, end, 200);
        let soon = vec![robots.clone(), page("1", 1_000, 1_100), page("2", 2_050, 2_100)];
        assert_eq!(rules_broken(soon), ["R4"]);
        let both = vec![robots.clone(), page("1", 1_000, 3_000), page("2", 2_050, 2_100)];
        assert_eq!(rules_broken(both), ["R3", "R4"]);
        let mut refusal = arrival("http://a/1", 1_000, 1_100, 429);
        refusal.not_before = Some(Timestamp::from_secs(60));
        assert_eq!(rules_broken(vec![robots, refusal, page("2", 59_999, 60_000)]), ["R5"]);
    }

    fn rules_broken_by(yardstick: &Yardstick, arrivals: Vec<Arrival>) -> Vec<&'static str> {
        let breaches = Transcript { began: Timestamp::ZERO, arrivals }.breaches(yardstick);
        breaches.iter().map(|breach| breach.rule).collect()
    }

    #[test]
    fn a_third_request_to_one_address_is_seen_unless_one_name_has_all_three() {
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let names = ["a", "b", "c"].map(|name| (name.to_owned(), address));
        let yardstick = Yardstick { addresses: names.into(), concurrency: 3, ..Yardstick::default() };
        let ask = |host: &str, start| arrival(&format!("http://{host}/robots.txt"), start, start + 500, 404);
        assert!(rules_broken_by(&yardstick, vec![ask("a", 0), ask("b", 0), ask("c", 500)]).is_empty());
        assert_eq!(rules_broken_by(&yardstick, vec![ask("a", 0), ask("b", 0), ask("c", 499)]), ["R3"]);
        let free = Yardstick { delay: Duration::ZERO, ..yardstick };
        assert!(rules_broken_by(&free, vec![ask("a", 0), ask("a", 1), ask("a", 2)]).is_empty());
    }

    #[test]
    fn hosts_of_one_group_are_measured_as_one() {
        let groups = ["a", "b"].map(|name| (name.to_owned(), "both".to_owned()));
        let yardstick = Yardstick { groups: groups.into(), ..Yardstick::default() };
        let ask = |host: &str, start| arrival(&format!("http://{host}/robots.txt"), start, start + 100, 404);
        assert!(rules_broken_by(&yardstick, vec![ask("a", 0), ask("b", 1_100)]).is_empty());
        assert_eq!(rules_broken_by(&yardstick, vec![ask("a", 0), ask("b", 1_099)]), ["R4"]);
        let mut refused = ask("a", 0);
        refused.not_before = Some(Timestamp::from_secs(60));
        assert_eq!(rules_broken_by(&yardstick, vec![refused, ask("b", 59_999)]), ["R5"]);
    }

    #[test]
    fn what_is_forbidden_or_fetched_twice_is_seen() {
        let robots = arrival(ROBOTS, 0, 0, 200);
        let page = |path: &str, start| arrival(&format!("http://a/{path}"), start, start, 200);
        assert_eq!(rules_broken(vec![robots.clone(), page("secret/1", 2_000)]), ["R2"]);
        assert_eq!(rules_broken(vec![robots, page("1", 2_000), page("1", 4_000)]), ["R13"]);
    }

    #[test]
    fn a_control_is_no_second_visit() {
        let robots = arrival(ROBOTS, 0, 0, 200);
        let page = |start, status| arrival("http://a/1", start, start, status);
        let head = |start, status| Arrival { method: http::Method::HEAD, ..page(start, status) };
        let fine = vec![robots.clone(), page(2_000, 200), head(4_000, 200)];
        assert!(rules_broken(fine).is_empty());
        let confirmed = vec![robots, page(2_000, 200), head(4_000, 403), page(6_000, 200), page(8_000, 200)];
        assert_eq!(rules_broken(confirmed), ["R13"]);
    }

    #[test]
    fn nobody_knocks_for_ever_at_a_closed_door() {
        let mut visit = vec![arrival(ROBOTS, 0, 0, 404)];
        visit.extend((1..=46).map(|n| arrival(&format!("http://a/{n}"), n * 2_000, n * 2_000, 403)));
        assert_eq!(rules_broken(visit), ["R6"]);
    }
}
