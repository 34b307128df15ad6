//! Header rules against cases written by others.

mod suites;

use std::fs;
use std::io::{Seek, Write};
use std::process::Command;
use std::time::Duration;

use crawl::headers::date;
use crawl::headers::retry_after::retry_after;
use crawl::time::Timestamp;
use serde_json::{Value, json};

/// 2026-11-21T23:52:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_305_120);

/// Cases where we are more lenient than their author on purpose: a wrong weekday is read, and `+` and decimals are waits.
const READ_ANYWAY: [&str; 3] = ["Sun, 07 Nov 1994 08:48:37 GMT", "+1", "1.0"];

/// The cases of a suite; none where the suites are not at hand.
fn cases(path: &str) -> Vec<Value> {
    suites::cases(path).unwrap_or_default()
}

/// What `crawl probe` answers to each question.
fn probe(op: &str, questions: &[Value]) -> Vec<Value> {
    let mut input = tempfile::tempfile().expect("there is room for a temporary file");
    for question in questions {
        writeln!(input, "{question}").expect("it can be written");
    }
    input.rewind().expect("a file has a beginning");
    let ran = Command::new(env!("CARGO_BIN_EXE_crawl")).args(["probe", op]).stdin(input).output();
    let ran = ran.expect("the program starts");
    assert!(ran.status.success(), "probe {op} ends well");
    let text = String::from_utf8(ran.stdout).expect("JSON is text");
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an answer is JSON")).collect();
    assert_eq!(answers.len(), questions.len(), "each question has its answer");
    answers
}

#[test]
fn dates_are_read_as_in_the_suite() {
    for case in cases("retry-after-dates/http_dates.json") {
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
    for case in cases("retry-after-dates/retry_after.json") {
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

/// All 25 cases, without a deviation.
#[test]
fn limits_are_read_as_in_the_suite() {
    let cases = cases("ratelimit-headers/cases.json");
    for (case, answer) in cases.iter().zip(probe("headers", &cases)) {
        let source = &case["source"];
        for (told, expected) in [
            ("limit", "limit"),
            ("remaining", "remaining"),
            ("reset_s", "reset_in_seconds"),
            ("retry_after_s", "retry_after_seconds"),
        ] {
            assert_eq!(answer[told], case[expected], "{told} of {source}");
        }
        // Where a case names no policies, it says nothing about them.
        if let Some(policies) = case.get("policies") {
            assert_eq!(&answer["policies"], policies, "policies of {source}");
        }
    }
}

/// All cases; where a parser may refuse (`can_fail`), ours may too.
#[test]
fn structured_fields_are_read_as_in_the_suite() {
    let Ok(files) = fs::read_dir(suites::folder().join("structured-fields-httpwg")) else {
        eprintln!("skipped: the suite is not there");
        return;
    };
    let names = files.filter_map(|file| file.expect("it can be listed").file_name().into_string().ok());
    let names = names.filter(|name| name.ends_with(".json"));
    let cases: Vec<Value> =
        names.flat_map(|name| cases(&format!("structured-fields-httpwg/{name}"))).collect();
    let questions: Vec<Value> =
        cases.iter().map(|case| json!({ "type": case["header_type"], "raw": case["raw"] })).collect();
    for (case, answer) in cases.iter().zip(probe("sfv", &questions)) {
        let refused = answer.get("error").is_some();
        let (name, raw) = (&case["name"], &case["raw"]);
        if case["must_fail"] == true {
            assert!(refused, "{name}: {raw} was read as {answer}");
        } else if !(refused && case["can_fail"] == true) {
            assert!(same(&answer, &case["expected"]), "{name}: {raw} was read as {answer}");
        }
    }
}

/// Equality where 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[test]
fn every_form_of_a_wait_is_read_by_the_program() {
    // 60 s before Mon, 16 Nov 2026 10:00:00 GMT.
    let now = 1_794_823_200_u64 - 60;
    let question = |lines: &[&str]| {
        let fields: Vec<_> = lines.iter().map(|line| json!(["Retry-After", line])).collect();
        json!({ "status": 429, "now": now, "headers": fields })
    };
    let of_a_minute = [
        question(&["60"]),
        question(&["59.2"]),
        question(&["Mon, 16 Nov 2026 10:00:00 GMT"]),
        question(&["Thu, 16 Nov 2026 10:00:00 GMT"]),
        question(&["Monday, 16-Nov-26 10:00:00 GMT"]),
        question(&["Mon Nov 16 10:00:00 2026"]),
        question(&["Mon, 16 Nov 2026 10:00:00 UTC"]),
        question(&["mon, 16 nov 2026 10:00:00 gmt"]),
        question(&["5", "60", "soon", "Mon, 16 Nov 2026 09:59:30 GMT"]),
    ];
    for (question, answer) in of_a_minute.iter().zip(probe("headers", &of_a_minute)) {
        assert_eq!(
            (&answer["class"], &answer["retry_after_s"]),
            (&json!("throttled"), &json!(60)),
            "{question}"
        );
    }
    let as_absent =
        ["0", "-1", "", "soon", "²", "Mon, 16 Nov 2026 09:58:59 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"];
    let as_absent = as_absent.map(|value| question(&[value]));
    for (question, answer) in as_absent.iter().zip(probe("headers", &as_absent)) {
        assert_eq!(answer["retry_after_s"], Value::Null, "{question}");
    }
}
