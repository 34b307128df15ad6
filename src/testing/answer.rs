//! A simulated site at work: which answer a request gets.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::header::{CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::site::{Format, Latency, Rule, Site, SiteLimit, Told, Window};
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
    bucket: Bucket,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    since: f64,
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
            bucket: Bucket {
                tokens: site.limit.as_ref().map_or(0.0, |limit| f64::from(limit.requests)),
                since: 0.0,
            },
        }
    }

    /// Answers a request that arrives so many seconds after the web began.
    pub(super) fn answer(&mut self, path: &str, seconds: f64) -> Answer {
        let usual = self.usual_latency();
        let site = Arc::clone(&self.site);
        let rule = self.rule(&site, path, seconds);
        let latency = rule.and_then(|rule| rule.latency).map_or(usual, Duration::from_secs_f64);
        let what = match rule {
            Some(Rule { fail: Some(kind), .. }) => What::Failure(*kind),
            Some(rule) if rule.status.is_some() => What::Reply(Reply::of_rule(rule)),
            _ => What::Reply(self.refusal(seconds).unwrap_or_else(|| content(&site, path))),
        };
        Answer { latency, what }
    }

    fn usual_latency(&mut self) -> Duration {
        let seconds = match self.site.latency {
            Latency::Fixed(seconds) => seconds,
            Latency::LogNormal { median, sigma } => median * (sigma * normal(&mut self.rng)).exp(),
        };
        Duration::from_secs_f64(seconds)
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

    /// Counts a request against the limit.
    fn refusal(&mut self, seconds: f64) -> Option<Reply> {
        let site = Arc::clone(&self.site);
        let limit = site.limit.as_ref()?;
        let wait = self.bucket.take(limit, seconds)?;
        let wait = Some((wait.ceil().max(1.0) as u64, limit.told)).filter(|(_, told)| *told != Told::Nothing);
        Some(Reply {
            status: StatusCode::from_u16(limit.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS),
            body: "slow down".to_owned(),
            headers: HeaderMap::new(),
            wait,
        })
    }
}

impl Bucket {
    /// Takes a token, or tells for how many seconds there is none.
    fn take(&mut self, limit: &SiteLimit, now: f64) -> Option<f64> {
        let full = f64::from(limit.requests);
        match limit.window {
            Window::Bucket => {
                let filled = (now - self.since) * full / limit.seconds;
                (self.tokens, self.since) = ((self.tokens + filled).min(full), now);
            }
            Window::Fixed if now >= self.since + limit.seconds || self.tokens >= full => {
                (self.tokens, self.since) = (full, now);
            }
            Window::Fixed => {}
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        Some(match limit.window {
            Window::Bucket => (1.0 - self.tokens) * limit.seconds / full,
            Window::Fixed => self.since + limit.seconds - now,
        })
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
        }
    }

    fn page(kind: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Self { status: StatusCode::OK, body, headers, wait: None }
    }

    /// Writes the word of a refusal into the headers, and tells until when it holds.
    pub(super) fn tell_wait(&mut self, end: Timestamp) -> Option<Timestamp> {
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

/// A draw from the standard normal distribution (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let (a, b) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
fn http_date(moment: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = moment.to_string();
    let day = DAYS[(moment.as_secs() / 86_400 % 7) as usize];
    let month = text[5..7].parse::<usize>().map_or("Jan", |number| MONTHS[number - 1]);
    format!("{day}, {} {month} {} {} GMT", &text[8..10], &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_servers_write_it() {
        assert_eq!(http_date(Timestamp::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_bucket_fills_evenly_and_a_window_at_once() {
        let limit =
            |window| SiteLimit { window, requests: 2, seconds: 8.0, told: Told::Seconds, status: 429 };
        let waits = |window| {
            let mut bucket = Bucket { tokens: 2.0, since: 0.0 };
            [0.0, 0.0, 0.0, 3.0, 4.0, 8.0, 8.0].map(|now| bucket.take(&limit(window), now))
        };
        assert_eq!(waits(Window::Bucket), [None, None, Some(4.0), Some(1.0), None, None, Some(4.0)]);
        assert_eq!(waits(Window::Fixed), [None, None, Some(8.0), Some(5.0), Some(4.0), None, None]);
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
