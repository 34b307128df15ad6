use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// Tue, 14 Nov 2023 22:13:20 GMT.
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn fields(lines: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

fn told(lines: &[(&str, &str)]) -> (Option<u64>, Option<u64>, Option<f64>) {
    let told = announced(&fields(lines), NOW);
    (told.limit, told.remaining, told.reset.map(|reset| reset.as_secs_f64()))
}

fn reset(value: &str) -> Option<f64> {
    told(&[("x-ratelimit-reset", value)]).2
}

#[test]
fn the_draft_is_read_with_the_limit_of_its_policy() {
    let lines = [("RateLimit-Policy", "\"a\";q=100;w=60, \"b\";q=9;w=1"), ("RateLimit", "\"b\";r=3;t=12")];
    assert_eq!(told(&lines), (Some(9), Some(3), Some(12.0)));
    assert_eq!(told(&[("ratelimit", "default;r=0;t=30")]), (None, Some(0), Some(30.0)), "a token as in -08");
}

#[test]
fn of_several_items_and_lines_the_tightest_counts() {
    let lines =
        [("ratelimit", "\"day\";r=900;t=86400, \"hour\";r=600;t=3600"), ("ratelimit", "\"min\";r=1;t=40")];
    assert_eq!(told(&lines), (None, Some(900), Some(86400.0)), "96 s for each, against 6 s and 40 s");
    assert_eq!(told(&[("ratelimit", "\"a\";r=9, \"b\";r=0, \"c\";r=5")]).1, Some(0));
    let both = [("ratelimit", "\"a\";r=50;t=5"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")];
    assert_eq!(told(&both), (None, Some(0), Some(60.0)), "the draft and a dialect side by side");
}

#[test]
fn a_quota_of_something_else_is_not_one_of_requests() {
    for unit in ["content-bytes", "concurrent-requests", "own"] {
        let policy = format!("\"a\";q=65535;w=10;qu=\"{unit}\"");
        let lines = [("ratelimit-policy", policy.as_str()), ("ratelimit", "\"a\";r=1;t=9")];
        assert_eq!(told(&lines), (None, None, None), "{unit}");
    }
    let named = [("ratelimit-policy", "\"a\";q=5;qu=\"requests\""), ("ratelimit", "\"a\";r=1;t=9")];
    assert_eq!(told(&named), (Some(5), Some(1), Some(9.0)));
}

#[test]
fn policies_have_names_quotas_windows_and_units() {
    let lines = [
        ("ratelimit-policy", "\"a\";q=100;w=60;pk=:Zm9v:"),
        ("ratelimit-policy", "\"b\";q=7;qu=\"content-bytes\""),
    ];
    let minute = Some(Duration::from_secs(60));
    let first = Policy { name: "a".to_owned(), quota: 100, window: minute, unit: Unit::Requests };
    let second = Policy { name: "b".to_owned(), quota: 7, window: None, unit: Unit::ContentBytes };
    assert_eq!(policies(&fields(&lines)), [first, second]);
    let older = policies(&fields(&[("ratelimit-policy", "100;w=60;comment=\"x\", 5;w=1")]));
    assert_eq!((older[0].quota, older[0].window, older[1].quota), (100, minute, 5));
}

#[test]
fn older_drafts_are_read() {
    let combined = told(&[("ratelimit", "limit=100, remaining=50, reset=50")]);
    assert_eq!(combined, (Some(100), Some(50), Some(50.0)));
    let three =
        [("ratelimit-limit", "10, 10;w=1, 50;w=60"), ("ratelimit-remaining", "9"), ("ratelimit-reset", "1")];
    assert_eq!(told(&three), (Some(10), Some(9), Some(1.0)));
}

#[test]
fn a_malformed_field_is_as_absent_and_an_item_without_sense_alone() {
    for value in [
        "default;;r=;t",
        "\"a\";r=1;t=2,",
        "\"a",
        "\"a\";r=-1;t=5",
        "\"a\";r=1.5",
        "3;r=1",
        "(\"a\");r=1",
        "",
    ] {
        assert_eq!(told(&[("ratelimit", value)]), (None, None, None), "{value}");
    }
    assert_eq!(told(&[("ratelimit", "\"a\";r=-1;t=5, \"b\";r=7;t=5")]), (None, Some(7), Some(5.0)));
    assert_eq!(told(&[("ratelimit", "\"a\";r=2;t=-5")]), (None, Some(2), None));
    assert_eq!(told(&[("ratelimit", "\"a\";r=2;t=604801")]), (None, Some(2), None), "beyond 7 days");
}

#[test]
fn a_reset_is_told_apart_by_size_and_form() {
    for value in [
        "60",
        "60.0",
        "00060",
        "1700000060",
        "1700000060000",
        "1m",
        "1m0s",
        "59s1000ms",
        "2023-11-14T22:14:20Z",
        "2023-11-14T22:14:20.000+00:00",
        "Tue, 14 Nov 2023 22:14:20 GMT",
        "Tuesday, 14-Nov-23 22:14:20 GMT",
        "Tue Nov 14 22:14:20 2023",
    ] {
        assert_eq!(reset(value), Some(60.0), "{value}");
    }
    assert_eq!(reset("1h2m3s"), Some(3723.0));
    assert_eq!(reset("64.5701"), Some(64.571), "rounded up to a millisecond");
    assert_eq!(reset("1700000000.25"), Some(0.25));
    assert_eq!(reset("604800"), Some(604_800.0));
}

#[test]
fn a_reset_in_the_past_is_none_to_wait_for() {
    for value in ["0", "1350085394", "1609844400000", "Mon, 13 Nov 2023 22:14:20 GMT", "2023-11-13T22:14:20Z"]
    {
        assert_eq!(reset(value), Some(0.0), "{value}");
    }
}

#[test]
fn a_reset_is_measured_against_the_date_of_the_answer() {
    let at = |value| told(&[("date", "Tue, 14 Nov 2023 22:13:50 GMT"), ("x-ratelimit-reset", value)]).2;
    assert_eq!(at("1700000060"), Some(30.0));
    assert_eq!(at("Tue, 14 Nov 2023 22:14:20 GMT"), Some(30.0));
    assert_eq!(at("60"), Some(60.0), "a wait is a wait");
}

#[test]
fn reset_after_comes_before_reset() {
    let lines = [("x-ratelimit-reset-after", "64.57"), ("x-ratelimit-reset", "1700000001")];
    assert_eq!(told(&lines).2, Some(64.57));
    let unreadable = [("x-ratelimit-reset-after", "soon"), ("x-ratelimit-reset", "1700000001")];
    assert_eq!(told(&unreadable).2, Some(1.0));
}

#[test]
fn dialects_are_known_by_the_words_around_theirs() {
    for (before, after) in [
        ("x-ratelimit-", ""),
        ("X-Rate-Limit-", ""),
        ("RateLimit-", ""),
        ("x-ratelimit-", "-requests"),
        ("anthropic-ratelimit-requests-", ""),
    ] {
        let name = |word: &str| format!("{before}{word}{after}");
        let (limit, remaining, reset) = (name("limit"), name("remaining"), name("reset"));
        let lines = [(limit.as_str(), "900"), (&remaining, "3"), (&reset, "6m0s")];
        assert_eq!(told(&lines), (Some(900), Some(3), Some(360.0)), "{limit}");
    }
    assert_eq!(told(&[("x-shopify-shop-api-call-limit", "32/40")]), (Some(40), Some(8), None));
    assert_eq!(told(&[("x-ratelimit-next", "2023-11-14T22:13:50Z")]).2, Some(30.0));
    assert_eq!(told(&[("x-ratelimit-remaining-tokens", "3")]), (None, None, None), "tokens are no requests");
}

#[test]
fn what_is_missing_of_limit_used_and_remaining_is_counted() {
    let reddit =
        [("x-ratelimit-used", "2"), ("x-ratelimit-remaining", "598.0"), ("x-ratelimit-reset", "300")];
    assert_eq!(told(&reddit), (Some(600), Some(598), Some(300.0)));
    assert_eq!(told(&[("x-ratelimit-used", "12"), ("x-ratelimit-limit", "10")]), (Some(10), Some(0), None));
    assert_eq!(told(&[("x-ratelimit-remaining", "0.9")]).1, Some(0), "less than one is none");
}

#[test]
fn of_several_values_the_least_remains_and_the_last_window_counts() {
    let lines =
        [("x-ratelimit-remaining", "7, 4"), ("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "1, 30")];
    assert_eq!(told(&lines), (None, Some(4), Some(30.0)));
}

#[test]
fn an_answer_from_a_cache_tells_nothing() {
    let aged = |age| told(&[("age", age), ("ratelimit", "\"a\";r=1;t=9"), ("x-ratelimit-remaining", "5")]).1;
    assert_eq!([aged("1"), aged("99999999999999999999")], [None, None]);
    assert_eq!([aged("0"), aged("old"), aged("-1")], [Some(1); 3]);
}

#[test]
fn hostile_values_are_as_absent() {
    let long = "9".repeat(300);
    for value in [
        "-5",
        "+5",
        "NaN",
        "inf",
        "1e9",
        "0x10",
        "",
        ".",
        "604801",
        "99999999999999999999999",
        "²",
        "1h2",
        "h",
        "9999999d",
        &long,
    ] {
        let lines = [("x-ratelimit-reset", value), ("x-ratelimit-reset-after", value)];
        assert_eq!(told(&lines).2, None, "{value}");
    }
    for value in
        ["-1", "NaN", "inf", "1e3", "1000000000000000", "99999999999999999999999", "unlimited", &long]
    {
        let lines = [("x-ratelimit-limit", value), ("x-ratelimit-remaining", value)];
        assert_eq!(told(&lines), (None, None, None), "{value}");
    }
    let overlong = "\"a\";r=1;t=1,".repeat(2000) + "\"a\";r=1;t=1";
    assert_eq!(told(&[("ratelimit", &overlong)]), (None, None, None));
    assert_eq!(
        announced(&fields(&[("x-ratelimit-reset", "1700000060")]), Timestamp::MAX).reset,
        Some(Duration::ZERO)
    );
}

fn field_names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "age",
        "date",
        "ratelimit",
        "ratelimit-policy",
        "ratelimit-limit",
        "ratelimit-remaining",
        "x-ratelimit-limit",
        "x-ratelimit-used",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-reset-after",
        "x-ratelimit-next",
        "x-rate-limit-reset",
        "x-shopify-shop-api-call-limit",
    ])
}

proptest! {
    #[test]
    fn no_fields_make_it_panic_and_what_is_read_is_bounded(
        lines in prop::collection::vec((field_names(), prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[0-9.]{1,22}".prop_map(String::into_bytes),
            "(-?[0-9]{1,20}(d|h|m|s|ms|/|,|;w=|)){1,3}".prop_map(String::into_bytes),
            "\"a\"(;(r|t|q|w|qu)=-?[0-9\"a-z]{1,17}){0,4}".prop_map(String::into_bytes),
        ]), 0..8),
        now: u64,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        let told = announced(&headers, Timestamp::from_millis(now));
        prop_assert!(told.reset.is_none_or(|reset| reset <= LONGEST_RESET));
        prop_assert!(told.remaining.is_none_or(|remaining| remaining <= MOST_REQUESTS));
        prop_assert!(told.limit.is_none_or(|limit| limit <= 2 * MOST_REQUESTS));
        prop_assert!(policies(&headers).iter().all(|policy| policy.quota <= MOST_REQUESTS));
    }
}
