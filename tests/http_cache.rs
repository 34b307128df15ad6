//! The rules of HTTP caching (RFC 9111, RFC 9110 section 13) as a server sees them: `crawl fetch` asks one URL several times over
//! one state. Each case is a sentence and the section that it rests on.
//!
//! The cases follow the subjects of the public suite <https://github.com/http-tests/cache-tests>, as far as they concern a private
//! cache that asks each time unless `[cache] freshness = "declared"`.

#[path = "http_cache/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the command itself")]
mod server;

use std::sync::{Arc, Mutex};

use serde_json::Value;

use server::{Answer, Asked, Desk, Server};

type Fields<'a> = &'a [(&'static str, &'static str)];

/// One call of the command.
#[derive(Default)]
struct Turn {
    args: Vec<&'static str>,
    /// What the server says, and `If-None-Match` and `If-Modified-Since` of the request that it answers.
    exchanges: Vec<(Answer, Option<&'static str>, Option<&'static str>)>,
    /// What the command says of it; see [`words`].
    gives: &'static str,
}

struct Case {
    says: &'static str,
    section: &'static str,
    turns: Vec<Turn>,
}

fn case(says: &'static str, section: &'static str) -> Case {
    Case { says, section, turns: Vec::new() }
}

impl Case {
    /// The server is asked without conditions.
    fn plain(self, status: u16, fields: Fields<'_>, gives: &'static str) -> Self {
        self.asked(None, None, status, fields, gives)
    }

    /// The server is asked with this ETag alone.
    fn etag(self, etag: &'static str, status: u16, fields: Fields<'_>, gives: &'static str) -> Self {
        self.asked(Some(etag), None, status, fields, gives)
    }

    /// The server is asked with this date alone.
    fn date(self, date: &'static str, status: u16, fields: Fields<'_>, gives: &'static str) -> Self {
        self.asked(None, Some(date), status, fields, gives)
    }

    fn asked(
        mut self,
        etag: Option<&'static str>,
        date: Option<&'static str>,
        status: u16,
        fields: Fields<'_>,
        gives: &'static str,
    ) -> Self {
        let body = if status == 304 { "" } else { "<title>x</title>" };
        let exchanges = vec![(Answer::of(status, fields).body(body), etag, date)];
        self.turns.push(Turn { exchanges, gives, ..Turn::default() });
        self
    }

    /// In the same call, the server is asked once more, without conditions.
    fn again(mut self, status: u16, fields: Fields<'_>) -> Self {
        let answer = Answer::of(status, fields).body("<title>x</title>");
        self.last().exchanges.push((answer, None, None));
        self
    }

    /// The server is not asked.
    fn nothing(mut self, gives: &'static str) -> Self {
        self.turns.push(Turn { gives, ..Turn::default() });
        self
    }

    /// The last call has this setting.
    fn set(mut self, set: &'static str) -> Self {
        self.last().args.extend(["--set", set]);
        self
    }

    /// The last call has this flag.
    fn flag(mut self, flags: &[&'static str]) -> Self {
        self.last().args.extend(flags);
        self
    }

    /// All calls go by what the server declares.
    fn declared(mut self) -> Self {
        for turn in &mut self.turns {
            turn.args.extend(["--set", "cache.freshness=declared"]);
        }
        self
    }

    fn last(&mut self) -> &mut Turn {
        self.turns.last_mut().expect("there is a call")
    }

    /// What differs from what is said, if anything does.
    fn fault(&self) -> Option<String> {
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let next = Arc::clone(&answers);
        let server = Server::start(move |_| {
            let mut next = next.lock().expect("no test panics inside");
            if next.is_empty() { Answer::of(404, &[]) } else { next.remove(0) }
        });
        let desk = Desk::new();
        for (number, turn) in self.turns.iter().enumerate() {
            let script = turn.exchanges.iter().map(|(answer, ..)| answer.clone());
            *answers.lock().expect("no test panics inside") = script.collect();
            let told = desk.fetch(&server.url("/page"), &turn.args);
            let asked: Vec<_> = server.asked().iter().map(conditions).collect();
            let wanted: Vec<_> = turn.exchanges.iter().map(|(_, etag, date)| shown(*etag, *date)).collect();
            let (gives, number) = (words(&told), number + 1);
            if asked != wanted {
                return Some(format!("call {number} asked {asked:?}, and should have {wanted:?}"));
            }
            if gives != turn.gives {
                return Some(format!("call {number} gave `{gives}`, and should have `{}`", turn.gives));
            }
            let sent = &told["validators_sent"];
            let sent = shown(sent["if-none-match"].as_str(), sent["if-modified-since"].as_str());
            if wanted.last().is_some_and(|last| *last != sent) {
                return Some(format!("call {number} says that it sent {sent}"));
            }
        }
        None
    }
}

fn shown(etag: Option<&str>, date: Option<&str>) -> String {
    format!("{} / {}", etag.unwrap_or("-"), date.unwrap_or("-"))
}

fn conditions(asked: &Asked) -> String {
    shown(asked.field("if-none-match"), asked.field("if-modified-since"))
}

/// What the command says: the status or `none`; how the page stands; `confirmed` by a 304 or `fresh` without a question; `kept`.
fn words(told: &Value) -> String {
    let mut words = vec![told["status"].as_u64().map_or("none".to_owned(), |status| status.to_string())];
    words.extend(told["shift"].as_str().map(str::to_owned));
    match (told["from_cache"] == true, told["revalidated"] == true) {
        (true, true) => words.push("confirmed".to_owned()),
        (true, false) => words.push("fresh".to_owned()),
        (false, _) => {}
    }
    if told["stored"] == true {
        words.push("kept".to_owned());
    }
    words.join(" ")
}

const NEW: &str = "200 new kept";
const SAME: &str = "200 unchanged kept";
const UNKEPT: &str = "200 new";
const AGAIN_UNKEPT: &str = "200 unchanged";
const CONFIRMED: &str = "304 unchanged confirmed kept";
const FRESH: &str = "none unchanged fresh kept";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

/// Runs a table and names every sentence that does not hold.
fn hold(cases: &[Case], least: usize) {
    assert!(cases.len() >= least, "{} cases", cases.len());
    let faults: Vec<_> = cases
        .iter()
        .filter_map(|case| Some(format!("{} ({}): {}", case.says, case.section, case.fault()?)))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A validator that is sent back as it came.
fn verbatim(says: &'static str, section: &'static str, etag: &'static str) -> Case {
    let fields: Fields<'_> = &[("etag", etag)];
    case(says, section).plain(200, fields, NEW).etag(etag, 304, fields, CONFIRMED)
}

fn verbatim_date(says: &'static str, section: &'static str, date: &'static str) -> Case {
    let fields: Fields<'_> = &[("last-modified", date)];
    case(says, section).plain(200, fields, NEW).date(date, 304, fields, CONFIRMED)
}

/// An ETag that is not sent back: the page is asked for in full.
fn left_out(says: &'static str, section: &'static str, etag: &'static str) -> Case {
    let fields: Fields<'_> = &[("etag", etag)];
    case(says, section).plain(200, fields, NEW).plain(200, fields, SAME)
}

#[test]
fn validators_are_sent_back_as_they_came() {
    hold(
        &[
            verbatim("a strong ETag is sent back", "RFC 9111 4.3.1", "\"abc\""),
            verbatim("a weak ETag is sent back as weak", "RFC 9110 13.1.2", "W/\"abc\""),
            verbatim("a lower-case weakness is left as it is", "RFC 9110 8.8.3", "w/\"abc\""),
            verbatim("quotes are not added to an ETag without", "RFC 9110 8.8.3", "abc"),
            verbatim("an empty ETag is an ETag", "RFC 9110 8.8.3", "\"\""),
            verbatim("a comma in an ETag does not end it", "RFC 9110 8.8.3", "\"a,b\""),
            verbatim("a star in quotes is an ETag like others", "RFC 9110 13.1.2", "\"*\""),
            left_out("a bare star would match every version", "RFC 9110 13.1.2", "*"),
            left_out("an ETag that is not ASCII is not sent back", "RFC 9110 5.5", "\"abc\u{fc}\""),
            verbatim_date("a Last-Modified is sent back", "RFC 9111 4.3.1", DATE),
            verbatim_date(
                "a date in the old form is not rewritten",
                "RFC 9110 13.1.3",
                "Sunday, 06-Nov-94 08:49:37 GMT",
            ),
            verbatim_date("nor one of asctime", "RFC 9110 13.1.3", "Sun Nov  6 08:49:37 1994"),
            verbatim_date("a date that is none is the server's to judge", "RFC 9110 13.1.3", "yesterday"),
            verbatim_date(
                "nor is a date in the future judged",
                "RFC 9110 8.8.2",
                "Fri, 06 Nov 2093 08:49:37 GMT",
            ),
            case("both are sent if both are known", "RFC 9110 13.1.3")
                .plain(200, &[("etag", "\"1\""), ("last-modified", DATE)], NEW)
                .asked(Some("\"1\""), Some(DATE), 304, &[], CONFIRMED),
            case("without a validator there is no condition", "RFC 9111 4.3.1").plain(200, &[], NEW).plain(
                200,
                &[],
                SAME,
            ),
        ],
        16,
    );
}

#[test]
fn what_an_answer_says_anew_counts_from_then_on() {
    hold(
        &[
            case("a new version has a new ETag", "RFC 9111 4.3.3")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .etag("\"1\"", 200, &[("etag", "\"2\"")], SAME)
                .etag("\"2\"", 304, &[("etag", "\"2\"")], CONFIRMED),
            case("a new version without validators leaves none", "RFC 9111 4.3.3")
                .plain(200, &[("etag", "\"1\""), ("last-modified", DATE)], NEW)
                .asked(Some("\"1\""), Some(DATE), 200, &[], SAME)
                .plain(200, &[], SAME),
            case("a new version does not inherit what it does not name", "RFC 9111 4.3.3")
                .plain(200, &[("etag", "\"1\""), ("last-modified", DATE)], NEW)
                .asked(Some("\"1\""), Some(DATE), 200, &[("etag", "\"2\"")], SAME)
                .etag("\"2\"", 304, &[], CONFIRMED),
            case("a 304 that names nothing leaves all as it was", "RFC 9111 3.2")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .etag("\"1\"", 304, &[], CONFIRMED)
                .etag("\"1\"", 304, &[], CONFIRMED),
            case("a 304 may bring a later date", "RFC 9111 3.2")
                .plain(200, &[("last-modified", DATE)], NEW)
                .date(DATE, 304, &[("last-modified", LATER)], CONFIRMED)
                .date(LATER, 304, &[], CONFIRMED),
            case("a 304 may bring an ETag where there was none", "RFC 9111 3.2")
                .plain(200, &[("last-modified", DATE)], NEW)
                .date(DATE, 304, &[("etag", "\"1\"")], CONFIRMED)
                .asked(Some("\"1\""), Some(DATE), 304, &[], CONFIRMED),
            case("a 304 may bring another weak ETag", "RFC 9111 4.3.4")
                .plain(200, &[("etag", "W/\"1\"")], NEW)
                .etag("W/\"1\"", 304, &[("etag", "W/\"2\"")], CONFIRMED)
                .etag("W/\"2\"", 304, &[], CONFIRMED),
            case("a 304 with another strong ETag changes nothing", "RFC 9111 4.3.4")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .etag("\"1\"", 304, &[("etag", "\"2\"")], CONFIRMED)
                .etag("\"1\"", 304, &[], CONFIRMED),
            case("the length that a 304 tells is not its own", "RFC 9110 15.4.5")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .etag("\"1\"", 304, &[("content-length", "16"), ("content-type", "text/html")], CONFIRMED),
            case("a 304 that answers no question is followed by one", "RFC 9111 4.3.3")
                .plain(304, &[("etag", "\"1\"")], NEW)
                .again(200, &[("etag", "\"1\"")])
                .etag("\"1\"", 304, &[], CONFIRMED),
            case("nor is a 304 believed of a page without validators", "RFC 9111 4.3.3")
                .plain(200, &[], NEW)
                .plain(304, &[], SAME)
                .again(200, &[]),
            case("a failure leaves what is kept", "RFC 9111 4.3.3")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .etag("\"1\"", 500, &[("etag", "\"2\"")], "500 failed")
                .set("retry.tries=1")
                .etag("\"1\"", 304, &[], CONFIRMED),
            case("a page that is gone is forgotten", "RFC 9111 4.3.3")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .etag("\"1\"", 410, &[], "410 gone")
                .set("retry.confirm-gone=0s")
                .gone_twice()
                .plain(200, &[("etag", "\"1\"")], NEW),
        ],
        13,
    );
}

impl Case {
    /// A page that was there is asked once more, with what is kept, before it counts as gone.
    fn gone_twice(mut self) -> Self {
        let again = self.last().exchanges[0].clone();
        self.last().exchanges.push(again);
        self
    }
}

/// An answer that is not kept, whatever it declares.
fn unkept(
    says: &'static str,
    section: &'static str,
    status: u16,
    fields: Fields<'_>,
    gives: [&'static str; 2],
) -> Case {
    let [first, then] = gives;
    case(says, section).plain(status, fields, first).plain(status, fields, then).declared()
}

#[test]
fn what_must_not_be_kept_is_not() {
    const FOR_GOOD: (&str, &str) = ("cache-control", "max-age=3600");
    const ONE: (&str, &str) = ("etag", "\"1\"");
    let full = [UNKEPT, AGAIN_UNKEPT];
    let mut cases = vec![
        unkept("no-store is not kept", "RFC 9111 5.2.2.5", 200, &[ONE, ("cache-control", "no-store")], full),
        unkept("in any case", "RFC 9111 5.2", 200, &[ONE, ("cache-control", "nO-StOrE")], full),
        unkept(
            "nor if it declares an age as well",
            "RFC 9111 5.2.2.5",
            200,
            &[ONE, ("cache-control", "no-store, max-age=3600"), ("expires", "{+3600}")],
            full,
        ),
        unkept(
            "nor if it is on a line of its own",
            "RFC 9110 5.3",
            200,
            &[ONE, FOR_GOOD, ("cache-control", "no-store")],
            full,
        ),
        unkept(
            "must-understand does not lift it",
            "RFC 9111 5.2.2.3",
            200,
            &[ONE, ("cache-control", "no-store, must-understand, max-age=3600")],
            full,
        ),
        unkept(
            "a part is not the page",
            "RFC 9111 3.3",
            206,
            &[ONE, FOR_GOOD, ("content-range", "bytes 0-15/99")],
            ["206 new", "206 unchanged"],
        ),
        unkept("only a 200 is kept", "RFC 9111 3", 203, &[ONE, FOR_GOOD], ["203 new", "203 unchanged"]),
        unkept("a page that is missing is not kept", "RFC 9111 3", 404, &[ONE, FOR_GOOD], ["404", "404"]),
        unkept("nor one that is gone", "RFC 9111 3", 410, &[ONE, FOR_GOOD], ["410", "410"]),
        unkept(
            "nor a redirect",
            "RFC 9111 3",
            301,
            &[FOR_GOOD, ("location", "ftp://a.example/")],
            ["301 failed", "301 failed"],
        ),
        unkept("a star varies by everything", "RFC 9111 4.1", 200, &[ONE, FOR_GOOD, ("vary", "*")], full),
        unkept("also in a list", "RFC 9111 4.1", 200, &[ONE, FOR_GOOD, ("vary", "accept, *")], full),
        unkept("also in front", "RFC 9111 4.1", 200, &[ONE, FOR_GOOD, ("vary", "*, accept")], full),
        unkept("also behind an empty place", "RFC 9110 5.6.1", 200, &[ONE, FOR_GOOD, ("vary", ", *")], full),
        unkept(
            "also on a second line",
            "RFC 9110 5.3",
            200,
            &[ONE, FOR_GOOD, ("vary", "accept"), ("vary", "*")],
            full,
        ),
    ];
    for status in [500, 599] {
        let mut case = unkept("nor a failure", "RFC 9111 3", status, &[ONE, FOR_GOOD], ["", ""]);
        for turn in &mut case.turns {
            turn.args.extend(["--set", "retry.tries=1"]);
            turn.gives = if status == 500 { "500 failed" } else { "599 failed" };
        }
        cases.push(case);
    }
    let mut torn = unkept(
        "a body that broke off is not kept",
        "RFC 9111 3.3",
        200,
        &[ONE, FOR_GOOD, ("content-length", "99")],
        ["200 failed", "200 failed"],
    );
    torn.turns.iter_mut().for_each(|turn| turn.args.extend(["--set", "retry.tries=1"]));
    cases.push(torn);
    cases.extend([
        case("what may not be kept any more is forgotten", "RFC 9111 5.2.2.5")
            .plain(200, &[ONE], NEW)
            .etag("\"1\"", 200, &[ONE, ("cache-control", "no-store")], AGAIN_UNKEPT)
            .plain(200, &[ONE], SAME),
        case("also if a 304 says so", "RFC 9111 3.2")
            .plain(200, &[ONE], NEW)
            .etag("\"1\"", 304, &[("cache-control", "no-store")], "304 unchanged confirmed")
            .plain(200, &[ONE], SAME),
        case("what is for one user alone is kept: we are one", "RFC 9111 5.2.2.7")
            .plain(200, &[ONE, ("cache-control", "private")], NEW)
            .etag("\"1\"", 304, &[], CONFIRMED),
        case("a cookie does not keep it from being kept", "RFC 9111 7.3")
            .plain(200, &[ONE, ("set-cookie", "a=b")], NEW)
            .etag("\"1\"", 304, &[], CONFIRMED),
    ]);
    hold(&cases, 22);
}

#[test]
fn an_answer_speaks_only_for_the_requests_that_it_varies_by() {
    const DE: &str = "http.headers={accept-language=\"de\"}";
    const FR: &str = "http.headers={accept-language=\"fr\"}";
    const BOTH: &str = "http.headers={accept-language=\"de\", x-place=\"here\"}";
    let language: Fields<'_> = &[("etag", "\"de\""), ("vary", "Accept-Language")];
    let french: Fields<'_> = &[("etag", "\"fr\""), ("vary", "accept-language")];
    let two: Fields<'_> = &[("etag", "\"1\""), ("vary", "accept-language, X-Place")];
    hold(
        &[
            case("another variant has validators of its own, and the first keeps its own", "RFC 9111 4.1")
                .plain(200, language, NEW)
                .set(DE)
                .plain(200, french, SAME)
                .set(FR)
                .etag("\"de\"", 304, &[], CONFIRMED)
                .set(DE)
                .etag("\"fr\"", 304, &[], CONFIRMED)
                .set(FR),
            case("a field that is left out is another variant", "RFC 9111 4.1")
                .plain(200, language, NEW)
                .set(DE)
                .plain(200, &[("etag", "\"none\""), ("vary", "accept-language")], SAME)
                .etag("\"de\"", 304, &[], CONFIRMED)
                .set(DE)
                .etag("\"none\"", 304, &[], CONFIRMED),
            case("one that is new is another variant", "RFC 9111 4.1")
                .plain(200, &[("etag", "\"none\""), ("vary", "accept-language")], NEW)
                .plain(200, language, SAME)
                .set(DE)
                .etag("\"none\"", 304, &[], CONFIRMED),
            case("what it does not vary by does not matter", "RFC 9111 4.1")
                .plain(200, &[("etag", "\"1\""), ("vary", "x-place")], NEW)
                .set(DE)
                .etag("\"1\"", 304, &[], CONFIRMED)
                .set(FR),
            case("all of several fields must be the same", "RFC 9111 4.1")
                .plain(200, two, NEW)
                .set(BOTH)
                .plain(200, two, SAME)
                .set(DE)
                .etag("\"1\"", 304, &[], CONFIRMED)
                .set(BOTH),
            case("their order does not matter", "RFC 9110 12.5.5")
                .plain(200, two, NEW)
                .set(BOTH)
                .etag("\"1\"", 200, &[("etag", "\"2\""), ("vary", "x-place, ACCEPT-LANGUAGE")], SAME)
                .set(BOTH)
                .etag("\"2\"", 304, &[], CONFIRMED)
                .set(BOTH),
            case("lines of Vary add up", "RFC 9110 5.3")
                .plain(200, &[("etag", "\"1\""), ("vary", "x-place"), ("vary", "accept-language")], NEW)
                .set(DE)
                .plain(200, &[("etag", "\"2\""), ("vary", "x-place"), ("vary", "accept-language")], SAME)
                .set(FR),
            case("a 304 may say that it varies", "RFC 9111 3.2")
                .plain(200, &[("etag", "\"1\"")], NEW)
                .set(DE)
                .etag("\"1\"", 304, &[("vary", "accept-language")], CONFIRMED)
                .set(DE)
                .plain(200, french, SAME)
                .set(FR),
            case("a variant that was never asked for is not fresh", "RFC 9111 4.1")
                .plain(200, &[("cache-control", "max-age=3600"), ("vary", "accept-language")], NEW)
                .set(DE)
                .nothing(FRESH)
                .set(DE)
                .plain(200, &[("cache-control", "max-age=3600"), ("vary", "accept-language")], SAME)
                .set(FR)
                .declared(),
            case("recorded answers change nothing about that", "RFC 9111 4.1")
                .plain(200, language, NEW)
                .set(DE)
                .set("cache.bodies=true")
                .plain(200, french, SAME)
                .set(FR)
                .set("cache.bodies=true")
                .etag("\"de\"", 304, &[], CONFIRMED)
                .set(DE)
                .set("cache.bodies=true"),
        ],
        10,
    );
}

/// An answer that is fresh where its server's word counts.
fn fresh(says: &'static str, section: &'static str, fields: Fields<'_>) -> Case {
    case(says, section).plain(200, fields, NEW).nothing(FRESH).declared()
}

/// An answer that is asked again although its server's word counts.
fn stale(says: &'static str, section: &'static str, fields: Fields<'_>) -> Case {
    case(says, section).plain(200, fields, NEW).plain(200, fields, SAME).declared()
}

#[test]
fn what_is_declared_fresh_is_not_asked_where_that_is_wanted() {
    const AGE: &str = "cache-control";
    let hour = |more: (&'static str, &'static str)| [("cache-control", "max-age=3600"), more];
    hold(
        &[
            fresh("max-age is an age", "RFC 9111 5.2.2.1", &[(AGE, "max-age=3600")]),
            fresh("in any case", "RFC 9111 5.2", &[(AGE, "MaX-AgE=3600")]),
            fresh("also beside what we do not know", "RFC 9111 5.2.3", &[(AGE, "max-age=3600, surprise=1")]),
            fresh("an age of three thousand years is one", "RFC 9111 1.2.2", &[(AGE, "max-age=99999999999")]),
            fresh(
                "must-revalidate concerns what is stale",
                "RFC 9111 5.2.2.2",
                &[(AGE, "must-revalidate, max-age=3600")],
            ),
            fresh("immutable does not shorten it", "RFC 8246 2", &[(AGE, "immutable, max-age=3600")]),
            fresh(
                "what is for one user is fresh for us",
                "RFC 9111 5.2.2.7",
                &[(AGE, "private, max-age=3600")],
            ),
            fresh(
                "the age for shared caches is not ours",
                "RFC 9111 5.2.2.10",
                &[(AGE, "s-maxage=1, max-age=3600")],
            ),
            fresh("max-age comes before Expires", "RFC 9111 5.3", &hour(("expires", "{-3600}"))),
            fresh("also before one that is no date", "RFC 9111 5.3", &hour(("expires", "0"))),
            fresh("Expires is a date to come", "RFC 9111 5.3", &[("expires", "{+3600}"), ("date", "{+0}")]),
            fresh("also without a Date", "RFC 9111 4.2.1", &[("expires", "{+3600}")]),
            fresh("an Age that is no number counts as none", "RFC 9111 5.1", &hour(("age", "old"))),
            fresh("so does one below nothing", "RFC 9111 5.1", &hour(("age", "-7200"))),
            fresh("and one with a point", "RFC 9111 5.1", &hour(("age", "7200.0"))),
            fresh("an Age below the lifetime leaves some of it", "RFC 9111 4.2.3", &hour(("age", "60"))),
            stale("an Age above the lifetime leaves nothing", "RFC 9111 4.2.3", &hour(("age", "7200"))),
            stale("an Age of 31 bits does not", "RFC 9111 1.2.2", &hour(("age", "2147483647"))),
            stale("nor one of 32", "RFC 9111 1.2.2", &hour(("age", "2147483648"))),
            stale("nor one beyond all bits", "RFC 9111 1.2.2", &hour(("age", "99999999999999999999"))),
            stale(
                "the first of several Ages counts",
                "RFC 9111 5.1",
                &[(AGE, "max-age=3600"), ("age", "7200"), ("age", "0")],
            ),
            stale(
                "an Age counts against Expires too",
                "RFC 9111 4.2.3",
                &[("expires", "{+3600}"), ("date", "{+0}"), ("age", "7200")],
            ),
            stale("max-age=0 is stale at once", "RFC 9111 5.2.2.1", &[(AGE, "max-age=0")]),
            stale(
                "also beside an Expires to come",
                "RFC 9111 5.3",
                &[(AGE, "max-age=0"), ("expires", "{+3600}")],
            ),
            stale("a lifetime below nothing is none", "RFC 9111 4.2.1", &[(AGE, "max-age=-3600")]),
            stale(
                "the age for shared caches alone says nothing",
                "RFC 9111 5.2.2.10",
                &[(AGE, "s-maxage=3600")],
            ),
            stale("immutable alone promises no time", "RFC 8246 2", &[(AGE, "immutable")]),
            stale("no-cache is asked each time", "RFC 9111 5.2.2.4", &[(AGE, "no-cache, max-age=3600")]),
            stale("in any case", "RFC 9111 5.2", &[(AGE, "max-age=3600, No-CaChE")]),
            stale(
                "also with fields named",
                "RFC 9111 5.2.2.4",
                &[(AGE, "max-age=3600, no-cache=\"set-cookie\"")],
            ),
            stale("must-revalidate is no age", "RFC 9111 5.2.2.2", &[(AGE, "must-revalidate")]),
            stale("Expires in the past is stale", "RFC 9111 5.3", &[("expires", "{-3600}")]),
            stale("Expires now is stale", "RFC 9111 5.3", &[("expires", "{+0}"), ("date", "{+0}")]),
            stale("an Expires that is no date is past", "RFC 9111 5.3", &[("expires", "0")]),
            stale("so is one in words", "RFC 9111 5.3", &[("expires", "tomorrow")]),
            stale(
                "Expires before Date is past, whatever the clocks show",
                "RFC 9111 4.2.1",
                &[("expires", "{+3600}"), ("date", "{+7200}")],
            ),
            stale(
                "how old a page is, is no promise",
                "RFC 9111 4.2.2",
                &[("last-modified", DATE), ("date", "{+0}")],
            )
            .with_date(),
            stale("what says nothing is not fresh", "RFC 9111 4.2.2", &[]),
        ],
        38,
    );
}

impl Case {
    /// The second call asks with the date of the first answer.
    fn with_date(mut self) -> Self {
        self.last().exchanges[0].2 = Some(DATE);
        self
    }
}

#[test]
fn who_asks_decides_whether_a_page_is_asked_for() {
    const HOUR: Fields<'_> = &[("etag", "\"1\""), ("cache-control", "max-age=3600")];
    const OLD: Fields<'_> = &[("etag", "\"1\""), ("cache-control", "max-age=60"), ("age", "90")];
    hold(
        &[
            case("by default also what is fresh is asked", "RFC 9111 4.2").plain(200, HOUR, NEW).etag(
                "\"1\"",
                304,
                &[],
                CONFIRMED,
            ),
            case("a 304 makes what was stale fresh again", "RFC 9111 4.3.4")
                .plain(200, OLD, NEW)
                .etag("\"1\"", 304, &[("cache-control", "max-age=3600"), ("age", "0")], CONFIRMED)
                .nothing(FRESH)
                .declared(),
            case("a 304 may end what was promised", "RFC 9111 4.3.4")
                .plain(200, HOUR, NEW)
                .etag("\"1\"", 304, &[("cache-control", "no-cache")], CONFIRMED)
                .set("cache.freshness=revalidate")
                .etag("\"1\"", 304, &[], CONFIRMED)
                .set("cache.freshness=declared"),
            case("what is stale is asked with its validators", "RFC 9111 4.3.1")
                .plain(200, OLD, NEW)
                .etag("\"1\"", 304, &[], CONFIRMED)
                .declared(),
            case("an age of our own counts whatever the server says", "RFC 9111 5.2.1.1")
                .plain(200, &[("etag", "\"1\""), ("cache-control", "max-age=0")], NEW)
                .nothing(FRESH)
                .flag(&["--max-age", "1h"])
                .etag("\"1\"", 304, &[], CONFIRMED)
                .flag(&["--max-age", "1ms"]),
            case("who says no-cache is heard by the server", "RFC 9111 5.2.1.4")
                .plain(200, HOUR, NEW)
                .etag("\"1\"", 304, &[], CONFIRMED)
                .set("http.headers={cache-control=\"no-cache\"}")
                .declared(),
            case("also in the old form", "RFC 9111 5.4")
                .plain(200, HOUR, NEW)
                .etag("\"1\"", 304, &[], CONFIRMED)
                .set("http.headers={pragma=\"no-cache\"}")
                .declared(),
            case("--fresh asks for the whole page, and what comes is kept", "RFC 9111 5.2.1.4")
                .plain(200, HOUR, NEW)
                .plain(200, &[("etag", "\"2\"")], SAME)
                .flag(&["--fresh"])
                .etag("\"2\"", 304, &[], CONFIRMED),
            case("conditions of our own settings are not sent", "RFC 9110 13.1.2")
                .plain(200, HOUR, NEW)
                .set("cache.enabled=true"),
            case("without a cache every page is asked for in full", "RFC 9111 3")
                .plain(200, HOUR, UNKEPT)
                .set("cache.enabled=false")
                .plain(200, HOUR, AGAIN_UNKEPT)
                .set("cache.enabled=false"),
        ],
        10,
    );
}

#[test]
fn another_query_is_another_page() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/page?a=1" => Answer::of(200, &[("etag", "\"1\"")]).body("one"),
        _ => Answer::of(200, &[("etag", "\"2\"")]).body("two"),
    });
    let desk = Desk::new();
    for path in ["/page?a=1", "/page?a=2", "/page"] {
        assert_eq!(desk.fetch(&server.url(path), &[])["validators_sent"], serde_json::json!({}), "{path}");
    }
    let again = desk.fetch(&server.url("/page?a=1"), &[]);
    assert_eq!(again["validators_sent"]["if-none-match"], "\"1\"");
}
