//! What a scenario expects of its run.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::measure::Measures;
use super::scenario::ScenarioRun;
use super::transcript::Arrival;
use crate::item::Item;

/// Expectations; what is absent is not checked. Times are seconds since the scenario began.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Expected {
    /// The process exit code.
    pub exit_code: Option<u8>,
    /// How the run ended: `complete`, `limit`, `parked`.
    pub end: Option<String>,
    /// Pages fetched.
    pub pages: Option<u64>,
    /// Items written, none of them twice.
    pub items: Option<usize>,
    /// Requests left in the queues.
    pub waiting: Option<u64>,
    /// Counts of the report by name; those that are not there are 0.
    pub totals: BTreeMap<String, u64>,
    /// Arrivals by URL or by path over all hosts; `*` is all of them.
    pub requests: BTreeMap<String, usize>,
    /// Arrivals by status; `-` for no answer.
    pub statuses: BTreeMap<String, usize>,
    /// Least seconds that it took.
    pub took_at_least: Option<f64>,
    /// Most seconds that it took.
    pub took_at_most: Option<f64>,
    /// URLs or paths whose first arrivals come in this order.
    pub order: Vec<String>,
    /// Words with which a host is reported as closed.
    pub shut: Option<String>,
    /// Most answers 429 and 503 in the first hour.
    pub throttled_first_hour: Option<f64>,
    /// Most answers 429 and 503 per hour after the first.
    pub throttled_per_hour_after_first: Option<f64>,
    /// Least share of what limits and own pace allowed, 0 to 1; measured after the first hour if it took longer.
    pub min_efficiency: Option<f64>,
    /// Most seconds until a change of a limit is met.
    pub max_adapt_seconds: Option<f64>,
    /// Most mean seconds that others wait for a server that they share with the crawl.
    pub max_others_seconds: Option<f64>,
    /// About hosts.
    pub host: Vec<HostExpected>,
    /// About single arrivals.
    pub arrival: Vec<ArrivalExpected>,
}

/// What is expected of a host, or of each of several.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HostExpected {
    /// Its name; with `*` at its end the beginning of names.
    pub host: String,
    /// Arrivals at it.
    pub requests: Option<usize>,
    /// Latest second of its last arrival.
    pub last_by: Option<f64>,
    /// Earliest second of its first arrival.
    pub first_from: Option<f64>,
    /// What it may be taken for at the end: `ok`, `limited`, `suspected`, `blocked`, `down`.
    pub standing: Option<Vec<String>>,
}

/// What is expected of one arrival.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArrivalExpected {
    /// URL or path.
    pub url: String,
    /// Which of its arrivals, from 1. Default 1.
    #[serde(default = "first")]
    pub number: usize,
    /// Earliest second.
    pub at_least: Option<f64>,
    /// Latest second.
    pub at_most: Option<f64>,
}

fn first() -> usize {
    1
}

impl Expected {
    /// Everything that is not as expected, in words.
    pub(super) fn faults(&self, run: &ScenarioRun) -> Vec<String> {
        let mut faults = Faults(Vec::new());
        self.check_report(run, &mut faults);
        self.check_arrivals(run, &mut faults);
        self.check_measures(&run.measures, &mut faults);
        for expected in &self.host {
            expected.check(run, &mut faults);
        }
        for expected in &self.arrival {
            expected.check(run, &mut faults);
        }
        faults.0
    }

    fn check_report(&self, run: &ScenarioRun, faults: &mut Faults) {
        let report = &run.report;
        faults.same("exit-code", self.exit_code.as_ref(), &report.exit_code());
        let end = format!("{:?}", report.end).to_lowercase();
        let end = end.split(' ').next().unwrap_or_default().to_owned();
        faults.same("end", self.end.as_ref(), &end);
        faults.same("pages", self.pages.as_ref(), &report.totals.pages);
        let waiting = report.hosts.iter().map(|host| host.waiting).sum();
        faults.same("waiting", self.waiting.as_ref(), &waiting);
        let totals = report.totals.to_map();
        for (name, expected) in &self.totals {
            let found = totals.get(name).copied().unwrap_or(0);
            faults.same(&format!("totals.{name}"), Some(expected), &found);
        }
        let took = run.transcript.seconds(run.ended);
        faults.between("took", (self.took_at_least, self.took_at_most), Some(took));
        if let Some(words) = &self.shut {
            let said = report.hosts.iter().filter_map(|host| host.shut.as_deref());
            let said: Vec<_> = said.collect();
            if !said.iter().any(|reason| reason.contains(words)) {
                faults.0.push(format!("no host is shut with `{words}`: {said:?}"));
            }
        }
    }

    fn check_measures(&self, measures: &Measures, faults: &mut Faults) {
        let total = &measures.total;
        faults.most("throttled-first-hour", self.throttled_first_hour, total.throttled_first_hour as f64);
        let later = total.throttled_per_hour_after_first.unwrap_or_default();
        faults.most("throttled-per-hour-after-first", self.throttled_per_hour_after_first, later);
        let efficiency = total.efficiency_after_first_hour.or(total.efficiency).unwrap_or_default();
        if let Some(least) = self.min_efficiency.filter(|least| efficiency < *least) {
            faults.0.push(format!("min-efficiency: {efficiency:.3}, expected {least} at least"));
        }
        for (origin, felt) in &measures.others {
            faults.most(&format!("max-others-seconds at {origin}"), self.max_others_seconds, felt.seconds);
        }
        for change in &total.adapted {
            let took = change.seconds.unwrap_or(f64::INFINITY);
            faults.most(&format!("max-adapt-seconds at {}", change.at), self.max_adapt_seconds, took);
        }
    }

    /// Items that came twice.
    pub(super) fn item_faults(&self, items: &[Item], spiders: usize) -> Vec<String> {
        let mut faults = Faults(Vec::new());
        faults.same("items", self.items.as_ref(), &items.len());
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for item in items {
            *seen.entry(item.url.as_str()).or_default() += 1;
        }
        let doubled = seen.iter().filter(|(_, count)| **count > spiders);
        faults.0.extend(doubled.map(|(url, count)| format!("{count} items of {url}")));
        faults.0
    }

    fn check_arrivals(&self, run: &ScenarioRun, faults: &mut Faults) {
        let arrivals = &run.transcript.arrivals;
        for (url, expected) in &self.requests {
            let found = arrivals.iter().filter(|arrival| is_at(arrival, url)).count();
            faults.same(&format!("requests.\"{url}\""), Some(expected), &found);
        }
        for (status, expected) in &self.statuses {
            let has =
                |arrival: &&Arrival| arrival.status.map_or("-".to_owned(), |s| s.to_string()) == *status;
            let found = arrivals.iter().filter(has).count();
            faults.same(&format!("statuses.{status}"), Some(expected), &found);
        }
        let places = self.order.iter().map(|url| arrivals.iter().position(|arrival| is_at(arrival, url)));
        let places: Vec<_> = places.collect();
        if places.contains(&None) || !places.is_sorted() {
            faults.0.push(format!("order: {:?} came at places {places:?}", self.order));
        }
    }
}

fn is_at(arrival: &Arrival, url: &str) -> bool {
    url == "*" || *arrival.path == *url || (url.contains("://") && arrival.url() == url)
}

impl HostExpected {
    fn check(&self, run: &ScenarioRun, faults: &mut Faults) {
        let mut hosts: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
        for arrival in &run.transcript.arrivals {
            hosts.entry(&arrival.host).or_default().push(arrival);
        }
        let is_meant = |host: &str| match self.host.strip_suffix('*') {
            Some(beginning) => host.starts_with(beginning),
            None => host == self.host,
        };
        hosts.retain(|host, _| is_meant(host));
        if hosts.is_empty() && self.requests != Some(0) {
            faults.0.push(format!("{} was never asked", self.host));
        }
        for (host, arrivals) in hosts {
            faults.same(&format!("requests of {host}"), self.requests.as_ref(), &arrivals.len());
            let second =
                |arrival: Option<&&Arrival>| arrival.map(|arrival| run.transcript.seconds(arrival.start));
            faults.between(&format!("first of {host}"), (self.first_from, None), second(arrivals.first()));
            faults.between(&format!("last of {host}"), (None, self.last_by), second(arrivals.last()));
            self.check_standing(host, run, faults);
        }
    }

    fn check_standing(&self, host: &str, run: &ScenarioRun, faults: &mut Faults) {
        let report = run.report.hosts.iter().find(|report| report.host == host);
        let found = report.map_or("unknown", |report| report.standing.as_str());
        if let Some(expected) =
            self.standing.as_ref().filter(|expected| !expected.iter().any(|one| one == found))
        {
            faults.0.push(format!("standing of {host}: {found}, expected {}", expected.join(" or ")));
        }
    }
}

impl ArrivalExpected {
    fn check(&self, run: &ScenarioRun, faults: &mut Faults) {
        let mut all = run.transcript.arrivals.iter().filter(|arrival| is_at(arrival, &self.url));
        let found = all.nth(self.number - 1).map(|arrival| run.transcript.seconds(arrival.start));
        let what = format!("arrival {} of {}", self.number, self.url);
        if found.is_none() {
            faults.0.push(format!("{what} never came"));
        }
        faults.between(&what, (self.at_least, self.at_most), found);
    }
}

/// What was not as expected so far.
struct Faults(Vec<String>);

impl Faults {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: Option<&T>, found: &T) {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            self.0.push(format!("{what}: {found:?}, expected {expected:?}"));
        }
    }

    fn most(&mut self, what: &str, most: Option<f64>, found: f64) {
        if let Some(most) = most.filter(|most| found > *most) {
            self.0.push(format!("{what}: {found:.1}, expected {most} at most"));
        }
    }

    fn between(&mut self, what: &str, (least, most): (Option<f64>, Option<f64>), found: Option<f64>) {
        let Some(found) = found else { return };
        let early = least.filter(|least| found < *least);
        if let Some(least) = early {
            self.0.push(format!("{what}: {found:.3} s, expected {least} s at least"));
        }
        let late = most.filter(|most| found > *most);
        if let Some(most) = late {
            self.0.push(format!("{what}: {found:.3} s, expected {most} s at most"));
        }
    }
}
