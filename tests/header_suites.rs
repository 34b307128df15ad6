//! Header rules against cases written by others.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crawl::headers::date;
use crawl::headers::retry_after::retry_after;
use crawl::time::Timestamp;
use serde_json::Value;

/// 2026-11-21T23:52:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_305_120);

/// Cases where we are more lenient than their author on purpose: a wrong weekday is read, and `+` and decimals are waits.
const READ_ANYWAY: [&str; 3] = ["Sun, 07 Nov 1994 08:48:37 GMT", "+1", "1.0"];

/// The cases of a suite, or `None` where the suites are not at hand.
fn cases(name: &str) -> Option<Vec<Value>> {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/suites");
    let path = suites.join("retry-after-dates").join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).expect("a suite is a JSON array"))
}

#[test]
fn dates_are_read_as_in_the_suite() {
    for case in cases("http_dates.json").unwrap_or_default() {
        let input = case["input"].as_str().expect("input is text");
        let read = date::parse(input, NOW).map(Timestamp::as_secs);
        if READ_ANYWAY.contains(&input) {
            assert!(read.is_some(), "{input} is read although its weekday is wrong");
        } else {
            assert_eq!(read, case["epoch"].as_u64(), "{input}");
        }
    }
}

#[test]
fn waits_are_read_as_in_the_suite() {
    for case in cases("retry_after.json").unwrap_or_default() {
        let value = case["value"].as_str().expect("value is text");
        let now = Timestamp::from_secs(case["now"].as_u64().expect("now is a number"));
        let read = retry_after([value], None, now).map(|wait| wait.as_secs());
        if READ_ANYWAY.contains(&value) {
            assert_eq!(read, Some(1), "{value}");
        } else {
            // A wait of nothing is as no wait: our own backoff follows, never a request at once.
            let expected = case["seconds"].as_u64().filter(|secs| *secs > 0);
            assert_eq!(read, expected, "{value}");
        }
    }
}

#[test]
fn the_date_of_a_known_guide_is_waited_out_although_its_weekday_is_wrong() {
    let now = Timestamp::from_secs(1_794_823_200 - 60);
    let wait = retry_after(["Thu, 16 Nov 2026 10:00:00 GMT"], None, now);
    assert_eq!(wait, Some(Duration::from_secs(60)));
}
