//! `crawl failed` and `crawl retry-failed`: what was given up in the last round, and asking for it again.
//!
//! The list is the state's own; `[failed] path` writes it down at the end of each run. Header fields of single requests are left
//! out of it: they may hold credentials.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{FailedArgs, RetryArgs, WhichArgs};
use super::exit::{Exit, Failure};
use super::render::{counted, hide_passwords, print, safe, tell};
use super::state::Place;
use super::{Registry, Stage, crawling};
use crate::config::Plan;
use crate::engine::requeue_failed;
use crate::response::FailureKind;
use crate::scope::UrlPattern;
use crate::store::disk::DiskStore;
use crate::store::{FailedRecord, Store};

/// Words for classes, as in the list.
const CLASSES: [&str; 6] = ["challenge", "server-error", "unreachable", "truncated", "parse", "trap"];
/// Words for why no answer came.
const CAUSES: [FailureKind; 11] = [
    FailureKind::Dns,
    FailureKind::Address,
    FailureKind::Connect,
    FailureKind::ConnectTimeout,
    FailureKind::Tls,
    FailureKind::ResponseTimeout,
    FailureKind::BodyTimeout,
    FailureKind::Reset,
    FailureKind::Protocol,
    FailureKind::Request,
    FailureKind::NotRecorded,
];
/// What every kind of a timeout is called.
const TIMEOUT: &str = "timeout";

pub(super) fn failed(args: &FailedArgs) -> Result<Exit, Failure> {
    let which = Which::of(&args.which)?;
    let mut known = Place::of(&args.state)?.open()?;
    let records = known.store.failed()?;
    let records: Vec<_> = records.iter().filter(|record| which.takes(record)).collect();
    if args.state.json {
        print(&lines(&records))?;
    } else {
        print(&records.iter().map(|record| row(record)).collect::<String>())?;
    }
    Ok(Exit::COMPLETE)
}

pub(super) fn retry(args: &RetryArgs, stage: &Stage, registry: &Registry) -> Result<Exit, Failure> {
    let which = Which::of(&args.which)?;
    let plan = args.over().load()?;
    Place::at(None, Some(&plan.state_dir), &args.layers.sets)?.must_be_begun()?;
    let requeued = {
        let mut store = DiskStore::open(&plan.state_dir, plan.disk.clone())?;
        requeue_failed(&mut store, |record| which.takes(record))?
    };
    let left = counted(requeued.left, "request");
    if requeued.requests == 0 {
        tell(&format!("nothing to ask again: {left} on the list, none of them meant"));
        return Ok(Exit::COMPLETE);
    }
    tracing::info!(requests = requeued.requests, left = requeued.left, "asking again for what was given up");
    crawling::go_on(args.over(), &args.ending, stage, registry)
}

/// Writes the list of a plan's state, if the plan wants it: in the place of the last one, whole or not at all.
pub(super) fn write_list(plan: &Plan) -> Result<(), Failure> {
    let Some(path) = &plan.failed else {
        return Ok(());
    };
    let records = DiskStore::open(&plan.state_dir, plan.disk.clone())?.failed()?;
    let records: Vec<_> = records.iter().collect();
    replace(path, lines(&records).as_bytes()).map_err(Failure::file(path))
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = Path::new(&name);
    let mut file = fs::File::create(fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

/// Which failures are meant.
struct Which {
    classes: Vec<String>,
    urls: Vec<UrlPattern>,
}

impl Which {
    fn of(args: &WhichArgs) -> Result<Self, Failure> {
        let classes: Vec<_> = args.class.iter().map(|word| word.trim().to_owned()).collect();
        if let Some(word) = classes.iter().find(|word| !is_class(word)) {
            let causes: Vec<_> = CAUSES.into_iter().map(|cause| word_of(Some(cause))).collect();
            return Err(Failure::Usage(format!(
                "--class {word}: there is no such class; write {}, {TIMEOUT}, {}, a status such as 503, or 5xx",
                CLASSES.join(", "),
                causes.join(", ")
            )));
        }
        let urls = args.url.iter().map(|pattern| {
            UrlPattern::parse(pattern).map_err(|why| Failure::Usage(format!("--url {pattern}: {why}")))
        });
        Ok(Self { classes, urls: urls.collect::<Result<_, _>>()? })
    }

    fn takes(&self, record: &FailedRecord) -> bool {
        let by_class = self.classes.is_empty() || self.classes.iter().any(|word| is_of(word, record));
        let by_url = self.urls.is_empty() || self.urls.iter().any(|url| url.matches(&record.request.url));
        by_class && by_url
    }
}

fn is_class(word: &str) -> bool {
    CLASSES.contains(&word)
        || word == TIMEOUT
        || CAUSES.into_iter().any(|cause| word_of(Some(cause)) == word)
        || is_status(word)
}

/// `503`, or `5xx` for all of them.
fn is_status(word: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    word.len() == 3 && (digits(word) || word.strip_suffix("xx").is_some_and(digits))
}

fn is_of(word: &str, record: &FailedRecord) -> bool {
    let status = record.status.map(|status| status.to_string()).unwrap_or_default();
    let of_status = match word.strip_suffix("xx") {
        Some(first) => status.len() == 3 && status.starts_with(first),
        None => status == word,
    };
    let cause = word_of(record.cause);
    let of_cause = if word == TIMEOUT { cause.ends_with(TIMEOUT) } else { cause == word };
    record.class == word || of_status && is_status(word) || of_cause && !cause.is_empty()
}

/// The word of a cause; empty if there is none.
fn word_of(cause: Option<FailureKind>) -> String {
    let word = cause.and_then(|cause| serde_json::to_value(cause).ok());
    word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The list as JSON lines.
fn lines(records: &[&FailedRecord]) -> String {
    records.iter().map(|record| format!("{}\n", value(record))).collect()
}

/// A failure with all that it takes to ask again, but for header fields and passwords.
fn value(record: &FailedRecord) -> Value {
    let request = &record.request;
    let mut whole = serde_json::to_value(request).unwrap_or_default();
    if let Some(whole) = whole.as_object_mut() {
        whole.shift_remove("headers");
        let body = request.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
        whole.insert("body".to_owned(), body.into());
    }
    let mut shown = json!({
        "url": request.url.as_str(),
        "method": request.method.as_str(),
        "label": request.label,
        "class": record.class,
        "cause": record.cause,
        "status": record.status,
        "reason": record.reason,
        "tries": record.tries,
        "at": record.at.to_string(),
        "request": whole,
    });
    hide_passwords(&mut shown);
    shown
}

/// `https://a.example/1  server-error, status 503, 3 tries, 2026-…: status 503`.
fn row(record: &FailedRecord) -> String {
    let FailedRecord { request, at, class, status, reason, tries, cause } = record;
    let mut parts = vec![class.clone()];
    parts.extend(cause.map(|cause| word_of(Some(cause))));
    parts.extend(status.map(|status| format!("status {status}")));
    parts.push(if *tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") });
    parts.extend(request.label.as_ref().map(|label| format!("label {label}")));
    parts.push(at.to_string());
    let method = if request.method == http::Method::GET { "" } else { request.method.as_str() };
    let text = format!("{method} {}  {}: {reason}", request.url, parts.join(", "));
    format!("{}\n", safe(text.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::time::Timestamp;
    use crate::url::CanonicalUrl;

    fn record(class: &str, status: Option<u16>, cause: Option<FailureKind>) -> FailedRecord {
        let mut request = Request::get(CanonicalUrl::parse("https://a.example/1").unwrap()).label("book");
        request.headers.push(("authorization".to_owned(), "secret".to_owned()));
        FailedRecord {
            request,
            at: Timestamp::ZERO,
            class: class.to_owned(),
            cause,
            status,
            reason: "oh".to_owned(),
            tries: 3,
        }
    }

    fn which(class: &[&str], url: &[&str]) -> Result<Which, Failure> {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Which::of(&WhichArgs { class: texts(class), url: texts(url) })
    }

    #[test]
    fn failures_are_chosen_by_class_cause_status_and_url() {
        let slow = record("unreachable", None, Some(FailureKind::ResponseTimeout));
        let broken = record("server-error", Some(503), None);
        let cases: [(&[&str], &[&str], bool, bool); 9] = [
            (&[], &[], true, true),
            (&["timeout"], &[], true, false),
            (&["response-timeout"], &[], true, false),
            (&["unreachable"], &[], true, false),
            (&["5xx"], &[], false, true),
            (&["503"], &[], false, true),
            (&["dns", "500"], &[], false, false),
            (&["timeout", "5xx"], &["/1"], true, true),
            (&[], &["/2"], false, false),
        ];
        for (class, url, is_slow, is_broken) in cases {
            let which = which(class, url).unwrap();
            assert_eq!((which.takes(&slow), which.takes(&broken)), (is_slow, is_broken), "{class:?} {url:?}");
        }
    }

    #[test]
    fn a_class_that_is_none_is_refused_with_those_that_are() {
        let error = which(&["5xy"], &[]).err().unwrap();
        assert!(error.to_string().contains("server-error"), "{error}");
        assert_eq!(error.exit(), Exit::USAGE);
    }

    #[test]
    fn the_list_has_all_that_it_takes_to_ask_again_and_no_header_fields() {
        let value = value(&record("server-error", Some(503), None));
        assert_eq!((&value["url"], &value["tries"]), (&json!("https://a.example/1"), &json!(3)));
        assert_eq!(value["request"]["label"], "book");
        assert!(!value.to_string().contains("secret"));
        assert_eq!(
            row(&record("unreachable", None, Some(FailureKind::Dns))),
            "https://a.example/1  unreachable, dns, 3 tries, label book, 1970-01-01T00:00:00.000Z: oh\n"
        );
    }
}
