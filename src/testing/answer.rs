//! A simulated site at work: which answer a request gets.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::header::{CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::limit::{Announces, Ruling, Server, Told, Treatment};
use super::measure::Felt;
use super::site::{Format, Rule, Site};
use crate::headers::date::MONTHS;
use crate::headers::rate_limit::Announced;
use crate::response::FailureKind;
use crate::time::Timestamp;
use crate::url::Fingerprint;

/// One site while the web runs.
#[derive(Debug)]
pub(super) struct SiteState {
    pub(super) site: Arc<Site>,
    pub(super) origin: Arc<str>,
    pub(super) host: Arc<str>,
    /// Requests that each rule has matched.
    hits: Vec<u32>,
    rng: Rng,
    server: Option<Server>,
}

/// What a request gets.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) latency: Duration,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Failure(FailureKind),
    Reply(Reply),
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) headers: HeaderMap,
    /// The word of a refusal.
    wait: Option<(u64, Told)>,
    /// Seconds in which nothing is left of an announced limit.
    spent: Option<Duration>,
}

impl SiteState {
    pub(super) fn new(site: &Arc<Site>, origin: String, seed: u64) -> Self {
        let own = Fingerprint::of(origin.as_bytes()).get();
        let host = origin.split("://").nth(1).unwrap_or(&origin);
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Self {
            site: Arc::clone(site),
            host: host.into(),
            origin: origin.into(),
            hits: vec![0; site.rules.len()],
            rng: Rng::with_seed(seed ^ own),
            server: site.limit.as_ref().map(|limit| limit.server(seed ^ own.rotate_left(32))),
        }
    }

    /// What others felt of a shared server.
    pub(super) fn felt(&self) -> Option<Felt> {
        let load = self.site.limit.as_ref()?.load?;
        Some(Felt { seconds: self.server.as_ref()?.others_took()?, alone: load.others_alone() })
    }

    /// Answers a request that arrives so many seconds after the web began.
    pub(super) fn answer(&mut self, path: &str, seconds: f64) -> Answer {
        let site = Arc::clone(&self.site);
        let usual = site.latency.draw(&mut self.rng);
        let rule = self.rule(&site, path, seconds);
        let mut latency = rule.and_then(|rule| rule.latency).unwrap_or(usual);
        let what = match rule {
            Some(Rule { fail: Some(kind), .. }) => What::Failure(*kind),
            Some(rule) if rule.status.is_some() => What::Reply(Reply::of_rule(rule)),
            _ => {
                let (queued, what) = self.limited(&site, path, seconds);
                latency += queued;
                what
            }
        };
        Answer { latency: Duration::from_secs_f64(latency), what }
    }

    /// Counts a request against the limit: the seconds it waits, and what it gets.
    fn limited(&mut self, site: &Site, path: &str, seconds: f64) -> (f64, What) {
        let (Some(server), Some(limit)) = (&mut self.server, &site.limit) else {
            return (0.0, What::Reply(content(site, path)));
        };
        let Ruling { what, queued, announced } = server.ask(seconds);
        let mut reply = match what {
            Treatment::Down => return (0.0, What::Failure(FailureKind::Connect)),
            Treatment::Served => content(site, path),
            Treatment::Refused { status, wait } => {
                Reply::refusal(status, wait.map(|wait| (wait, limit.told)))
            }
        };
        reply.announce(limit.announces, &announced);
        (queued, What::Reply(reply))
    }

    fn rule<'a>(&mut self, site: &'a Site, path: &str, seconds: f64) -> Option<&'a Rule> {
        let rules = site.rules.iter().zip(&mut self.hits);
        for (rule, hits) in rules {
            if !rule.matches(path) || !rule.holds_at(seconds) {
                continue;
            }
            *hits += 1;
            let number = *hits - 1;
            let last = rule.times.map_or(u32::MAX, |times| rule.after.saturating_add(times));
            if (rule.after..last).contains(&number) {
                return Some(rule);
            }
        }
        None
    }
}

impl Reply {
    fn of_rule(rule: &Rule) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &rule.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        if let Some(Ok(location)) = rule.location.as_deref().map(HeaderValue::from_str) {
            headers.insert(LOCATION, location);
        }
        let seconds = rule.retry_after.map(|seconds| (seconds, Told::Seconds));
        let date = rule.retry_after_date.map(|seconds| (seconds, Told::Date));
        Self {
            status: rule.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default(),
            body: rule.body.clone(),
            headers,
            wait: seconds.or(date),
            spent: None,
        }
    }

    fn refusal(status: u16, wait: Option<(u64, Told)>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS),
            body: "slow down".to_owned(),
            headers: HeaderMap::new(),
            wait,
            spent: None,
        }
    }

    /// Writes what is left of the limit into the headers.
    fn announce(&mut self, dialect: Announces, told: &Announced) {
        let (Some(limit), Some(left), Some(reset)) = (told.limit, told.remaining, told.reset) else {
            return;
        };
        self.spent = (left == 0).then_some(reset);
        let seconds = reset.as_secs();
        let fields =
            |names: [&'static str; 3]| names.into_iter().zip([limit, left, seconds].map(|n| n.to_string()));
        let fields: Vec<(&'static str, String)> = match dialect {
            Announces::Nothing => Vec::new(),
            Announces::RateLimit => {
                vec![
                    ("ratelimit-policy", format!("\"default\";q={limit}")),
                    ("ratelimit", format!("\"default\";r={left};t={seconds}")),
                ]
            }
            Announces::ThreeFields => {
                fields(["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]).collect()
            }
            Announces::XFields => {
                fields(["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]).collect()
            }
        };
        for (name, value) in fields {
            self.set(HeaderName::from_static(name), value);
        }
    }

    fn page(kind: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Self { status: StatusCode::OK, body, headers, wait: None, spent: None }
    }

    /// Writes the word of a refusal into the headers, and tells until when the client is to keep away.
    pub(super) fn tell_wait(&mut self, end: Timestamp) -> Option<Timestamp> {
        let spent = self.spent.map(|reset| end + reset);
        spent.max(self.tell_retry_after(end))
    }

    fn tell_retry_after(&mut self, end: Timestamp) -> Option<Timestamp> {
        let (seconds, told) = self.wait?;
        let mut until = end + Duration::from_secs(seconds);
        let word = if told == Told::Date {
            until = Timestamp::from_secs(until.as_millis().div_ceil(1000));
            self.set(DATE, http_date(end));
            http_date(until)
        } else {
            seconds.to_string()
        };
        self.set(RETRY_AFTER, word);
        Some(until)
    }

    fn set(&mut self, name: HeaderName, value: String) {
        let value = HeaderValue::try_from(value).expect("digits and dates are header values");
        self.headers.insert(name, value);
    }
}

/// What a site that is well answers.
fn content(site: &Site, path: &str) -> Reply {
    if let ("/robots.txt", Some(body)) = (path, &site.robots) {
        return Reply::page("text/plain", body.clone());
    }
    let Some(lines) = site.lines(path) else {
        return Reply { status: StatusCode::NOT_FOUND, ..Reply::page("text/plain", String::new()) };
    };
    match site.format.unwrap_or_default() {
        Format::Text => Reply::page("text/plain", lines.join("\n")),
        Format::Html => Reply::page("text/html", html(site, path, &lines)),
    }
}

fn html(site: &Site, path: &str, lines: &[String]) -> String {
    let anchors = lines.iter().map(|line| line.split(' ').next().unwrap_or_default());
    let anchors: String = anchors.map(|href| format!("<a href=\"{href}\">{href}</a>\n")).collect();
    match &site.template {
        Some(template) => template.replace("{path}", path).replace("{links}", &anchors),
        None => format!("<!doctype html><title>{path}</title>\n{anchors}"),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
fn http_date(moment: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let text = moment.to_string();
    let day = DAYS[(moment.as_secs() / 86_400 % 7) as usize];
    let month = text[5..7].parse::<usize>().map_or("Jan", |number| &MONTHS[number - 1][..3]);
    format!("{day}, {} {month} {} {} GMT", &text[8..10], &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::limit::ServerModel;

    #[test]
    fn a_date_is_written_as_servers_write_it() {
        assert_eq!(http_date(Timestamp::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn what_is_left_of_a_limit_is_told_in_the_dialect_asked_for() {
        let headers = |announces| {
            let limit = ServerModel { announces, ..ServerModel::fixed_window(1, 60.0) };
            let site = Arc::new(Site { limit: Some(limit), ..Site::at("http://a.example") });
            let mut state = SiteState::new(&site, site.origin.clone(), 0);
            let What::Reply(mut reply) = state.answer("/", 0.0).what else { panic!("a reply") };
            let spent = reply.tell_wait(Timestamp::from_secs(100));
            (spent, reply.headers)
        };
        let (spent, draft) = headers(Announces::RateLimit);
        assert_eq!(
            (spent, &draft["ratelimit"]),
            (Some(Timestamp::from_secs(160)), &HeaderValue::from_static("\"default\";r=0;t=60"))
        );
        assert_eq!(headers(Announces::XFields).1["x-ratelimit-reset"], "60");
        assert_eq!(headers(Announces::Nothing).0, None);
    }

    #[test]
    fn a_rule_applies_from_its_first_to_its_last_time() {
        let rule = |after, times| Rule { after, times, status: Some(503), ..Rule::default() };
        let site = Arc::new(Site { rules: vec![rule(1, Some(2))], ..Site::at("http://a.example") });
        let mut state = SiteState::new(&site, site.origin.clone(), 0);
        let statuses: Vec<u16> = (0..4)
            .map(|n| match state.answer("/", f64::from(n)).what {
                What::Reply(reply) => reply.status.as_u16(),
                What::Failure(_) => 0,
            })
            .collect();
        assert_eq!(statuses, [200, 503, 503, 200]);
    }
}
