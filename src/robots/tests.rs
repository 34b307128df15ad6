//! The room as a whole: files in, verdicts out.

use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;

fn token(name: &str) -> ProductToken {
    ProductToken::parse(name).unwrap()
}

fn rules(text: impl AsRef<[u8]>) -> RobotsRules {
    RobotsRules::parse(text.as_ref(), &token("FooBot"))
}

fn url(path: &str) -> Url {
    Url::parse(&format!("https://example.com{path}")).unwrap()
}

fn verdict(text: impl AsRef<[u8]>, path: &str) -> bool {
    let rules = rules(text);
    let verdict = rules.verdict(&url(path));
    assert_eq!(verdict.allowed, rules.allows(&url(path)));
    verdict.allowed
}

/// Whether one `Disallow` of that pattern covers the path.
fn covers(pattern: &str, path: &str) -> bool {
    !verdict(format!("User-agent: *\nDisallow: {pattern}\n"), path)
}

#[test]
fn the_longest_pattern_wins() {
    let text = "User-agent: *\nAllow: /a/b\nDisallow: /a\nDisallow: /a/b/c\n";
    assert!(!verdict(text, "/a"));
    assert!(verdict(text, "/a/b"));
    assert!(!verdict(text, "/a/b/cd"));
    assert!(verdict(text, "/b"));
}

#[test]
fn allow_wins_a_tie() {
    assert!(verdict("User-agent: *\nDisallow: /a\nAllow: /a\n", "/a"));
    assert!(verdict("User-agent: *\nDisallow: /*b\nAllow: /ab\n", "/ab"));
}

#[test]
fn stars_count_as_octets_of_a_pattern() {
    assert!(!verdict("User-agent: *\nAllow: /ab\nDisallow: /a**\n", "/ab"));
    assert!(!verdict("User-agent: *\nAllow: /ab\nDisallow: /ab$\n", "/ab"));
}

#[test]
fn the_deciding_line_is_told() {
    let rules = rules(
        "# hello\r\nUSER-AGENT: *\r\n\r\ndisalow : /private/%7ejoe # secret\r\nAllow: /private/~joe/x\r\n",
    );
    let told = |path| rules.verdict(&url(path)).rule.map(|rule| (rule.line, rule.text));
    assert_eq!(told("/private/~joe/"), Some((4, "Disallow: /private/%7ejoe".to_owned())));
    assert_eq!(told("/private/~joe/x"), Some((5, "Allow: /private/~joe/x".to_owned())));
    assert_eq!(told("/"), None);
}

#[test]
fn groups_that_name_us_are_merged_and_keep_the_star_away() {
    let text = "User-agent: foobot\nDisallow: /a\nUser-agent: *\nDisallow: /b\nUser-agent: FooBot/2.1\nDisallow: /c\n";
    assert!(!verdict(text, "/a") && !verdict(text, "/c"));
    assert!(verdict(text, "/b"));
}

#[test]
fn star_groups_are_merged_when_none_names_us() {
    let text =
        "User-agent: *\nDisallow: /a\nUser-agent: Bar\nDisallow: /\nUser-agent: * beta\nDisallow: /c\n";
    assert!(!verdict(text, "/a") && !verdict(text, "/c"));
    assert!(verdict(text, "/b"));
}

#[test]
fn a_group_without_rules_frees_us_from_the_star() {
    assert!(verdict("User-agent: *\nDisallow: /\nUser-agent: FooBot\n", "/a"));
    assert!(verdict("User-agent: *\nDisallow: /\nUser-agent: FooBot\nDisallow:\n", "/a"));
}

#[test]
fn only_rules_end_a_run_of_agents() {
    for between in
        ["Crawl-delay: 1", "Sitemap: /s", "Noindex: /x", "", "# note", "what is this", "Request-rate: 1/5"]
    {
        let text = format!("User-agent: FooBot\n{between}\nUser-agent: Bar\nDisallow: /\n");
        assert!(!verdict(text, "/a"), "{between}");
    }
    for between in ["Disallow:", "Allow: /", "Disallow: nothing"] {
        let text = format!("User-agent: FooBot\n{between}\nUser-agent: Bar\nDisallow: /\n");
        assert!(verdict(text, "/a"), "{between}");
    }
}

#[test]
fn rules_before_the_first_group_are_ignored() {
    assert!(verdict("Disallow: /\nUser-agent: Bar\nDisallow: /\n", "/a"));
    assert!(verdict("Disallow: /\n", "/a"));
}

#[test]
fn a_token_is_compared_whole() {
    for line in ["Foo", "FooBots", "FooBot-News", "*FooBot", "My FooBot"] {
        assert!(verdict(format!("User-agent: {line}\nDisallow: /\n"), "/a"), "{line}");
    }
    for line in ["foobot", "FooBot/2.1", "foobot beta", "FOOBOT*", "FooBot;x"] {
        assert!(!verdict(format!("User-agent: {line}\nDisallow: /\n"), "/a"), "{line}");
    }
}

#[test]
fn a_question_about_another_crawler_takes_its_token_or_its_whole_name() {
    let text =
        b"User-agent: Foo\nDisallow: /foo\nUser-agent: 2bot\nDisallow: /2\nUser-agent: *\nDisallow: /x\n";
    let forbids = |name, path| !RobotsRules::parse_for_name(text, name).allows(&url(path));
    assert!(forbids("Foo", "/foo") && forbids("foo/2.1 (+https://example.com)", "/foo"));
    assert!(forbids("2bot", "/2") && !forbids("2bot", "/x"));
    for name in ["Foo Bar", "", "*", "3bot"] {
        assert!(forbids(name, "/x") && !forbids(name, "/foo") && !forbids(name, "/2"), "{name}");
    }
}

#[test]
fn keys_are_read_as_people_write_them() {
    for agent in
        ["User-agent:", "user-AGENT :", "Useragent:", "User agent:", "user-agent", "  User-Agents:\t"]
    {
        for rule in [
            "Disallow:",
            "dissallow:",
            "Dissalow:",
            "disalow:",
            "diasllow:",
            "disallaw:",
            "Disallow",
            "\tdisallowed:",
        ] {
            assert!(!verdict(format!("{agent} *\n{rule} /a\n"), "/a"), "{agent} {rule}");
        }
    }
    assert!(verdict("User-agent: *\nDisallow /a b\nDesallow: /a\nDis allow: /a\n: /a\nDisallow\n", "/a"));
}

#[test]
fn a_colon_inside_the_value_is_not_the_missing_one() {
    assert!(!verdict("User-agent *\nDisallow /wiki/User:\n", "/wiki/User:Joe"));
    assert!(!verdict("User-agent:*\nDisallow:/a:b\n", "/a:b"));
    assert_eq!(rules("Sitemap https://example.com/s.xml").sitemaps(), ["https://example.com/s.xml"]);
}

#[test]
fn every_line_ending_ends_a_line() {
    for ending in ["\n", "\r\n", "\r", "\n\n", "\r\r\n", "\n\r"] {
        let text = ["User-agent: *", "Disallow: /a", "Allow: /a/b", ""].join(ending);
        assert!(!verdict(&text, "/a") && verdict(&text, "/a/b"), "{ending:?}");
    }
    let rules = rules("User-agent: *\r\n\r\rDisallow: /a\n");
    assert_eq!(rules.verdict(&url("/a")).rule.unwrap().line, 4);
}

#[test]
fn a_byte_order_mark_is_skipped_even_a_part_of_it() {
    for mark in [&b"\xEF\xBB\xBF"[..], b"\xEF\xBB", b"\xEF"] {
        assert!(!verdict([mark, b"User-agent: *\nDisallow: /a\n"].concat(), "/a"));
    }
    assert!(verdict("User-agent: *\n\u{FEFF}Disallow: /a\n", "/a"));
}

#[test]
fn utf_16_with_a_mark_is_read() {
    let units = || "\u{FEFF}User-agent: *\nDisallow: /ü\n".encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    assert!(!verdict(&little, "/ü") && !verdict(&big, "/%c3%bc/"));
    assert!(verdict(&little[..little.len() - 7], "/a"));
}

#[test]
fn a_nul_loses_no_rule() {
    assert!(!verdict("User-agent: *\0\nDisallow: /a\0\n", "/a"));
    assert!(!verdict("\0User-agent: *\n\0\0Disallow: /a", "/a"));
    assert!(!verdict("User-agent: *\nAllow: /b\0Disallow: /a\n", "/a"));
    assert_eq!(rules("\0\0\nUser-agent: *\0\nDisallow: /a").verdict(&url("/a")).rule.unwrap().line, 3);
}

#[test]
fn invalid_utf_8_is_compared_octet_by_octet() {
    let text = b"User-agent: *\n\xFF\xFE: x\nDisallow: /caf\xE9\nDisallow: /x # \xC3\n";
    assert!(!verdict(text, "/caf%E9") && !verdict(text, "/x"));
    assert!(verdict(text, "/café"));
    assert_eq!(rules(text).verdict(&url("/caf%e9")).rule.unwrap().text, "Disallow: /caf\u{FFFD}");
}

#[test]
fn a_page_in_place_of_the_file_forbids_nothing() {
    let page = "<!DOCTYPE html>\n<html lang=en><head><title>Not here: 404</title>\n<style>a:hover { color: red }</style>\
        </head><body class=x>Disallow search engines: / for all\n<p>User-agent strings *\n</body></html>";
    assert!(verdict(page, "/") && verdict(page, "/a"));
}

#[test]
fn comments_and_white_space_are_no_part_of_a_pattern() {
    for line in ["Disallow: /a#b", "Disallow:\t /a \t", "Disallow: /a\u{b}\u{c}", " Disallow:/a # c"] {
        assert!(!verdict(format!("User-agent: * # all\n{line}\n"), "/a"), "{line:?}");
    }
}

#[test]
fn rules_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    is_shared(&RobotsRules::allow_all());
}

#[test]
fn an_allowed_index_page_does_not_open_its_directory() {
    assert!(!verdict("User-agent: *\nDisallow: /a/\nAllow: /a/index.html\n", "/a/"));
}

#[test]
fn an_empty_value_forbids_nothing() {
    assert!(verdict("User-agent: *\nDisallow:\n", "/a"));
    assert!(verdict("User-agent: *\nDisallow: # all\nAllow:\n", "/a"));
    assert!(verdict("", "/a"));
}

#[test]
fn a_pattern_is_anchored_at_the_start() {
    assert!(covers("/a", "/a") && covers("/a", "/abc?d") && !covers("/a", "/b/a") && !covers("/a", "/A"));
    assert!(!covers("a", "/a") && !covers("https://example.com/a", "/a") && !covers("$", "/"));
    assert!(covers("*a", "/b/a") && covers("*.pdf$", "/x.pdf") && covers("*", "/"));
}

#[test]
fn a_star_stands_for_any_run() {
    assert!(covers("/a*b", "/ab") && covers("/a*b", "/a/x/b/y") && !covers("/a*b", "/a"));
    assert!(covers("/*?", "/a?b") && covers("/*?", "/a?") && !covers("/*?", "/a"));
    assert!(covers("/a**b***", "/aXb") && covers("/*a*a*a", "/aaa") && !covers("/*a*a*a", "/aa"));
}

#[test]
fn a_dollar_is_the_end_only_at_the_end() {
    assert!(covers("/a$", "/a") && !covers("/a$", "/ab") && !covers("/a$", "/a?b"));
    assert!(covers("/*.php$", "/a.php/b.php") && !covers("/*.php$", "/a.php?b"));
    assert!(covers("/a*$", "/abc") && covers("/*a$", "/aba") && !covers("/*a$", "/ab"));
    assert!(covers("/a$b", "/a$b") && covers("/a$b", "/a%24b") && !covers("/a$b", "/a"));
    assert!(covers("/a$$", "/a$") && !covers("/a$$", "/a") && covers("/$", "/") && !covers("/$", "/a"));
    assert!(covers("/a|b", "/a|b") && !covers("/a|", "/a") && covers("/a|", "/a%7Cx"));
}

#[test]
fn escaped_specials_are_literal() {
    assert!(covers("/a%2A", "/a*") && covers("/a%2a", "/a%2A") && !covers("/a%2A", "/abc"));
    assert!(covers("/a%24", "/a$") && covers("/a%24", "/a%24b") && !covers("/a%24", "/a"));
    assert!(covers("/a%23b", "/a%23b") && !covers("/a%23b", "/a#b"));
}

#[test]
fn both_sides_are_percent_encoded_alike() {
    assert!(covers("/%62%61%7A", "/baz") && covers("/baz", "/%62%61%7a"));
    assert!(covers("/%7Ejoe", "/~joe") && covers("/~joe", "/%7ejoe"));
    assert!(covers("/ツ", "/%E3%83%84") && covers("/%e3%83%84", "/ツ") && covers("/é?é=ü", "/é?é=ü"));
    assert!(covers("/%3c", "/<") && covers("/{a}", "/{a}") && covers("/{a}", "/%7Ba%7D"));
    assert!(covers("/*?q='a'", "/x?q='a'") && covers("/it's", "/it%27s") && covers("/*[", "/a?b[0]=c"));
    assert!(covers("/a%2Fb", "/a%2fb") && !covers("/a%2Fb", "/a/b") && !covers("/a/b", "/a%2Fb"));
    assert!(!covers("/a%3Fb", "/a?b") && covers("/a%2bb", "/a%2Bb"));
    assert!(covers("/a%20b", "/a b"));
}

#[test]
fn a_lone_percent_sign_is_itself() {
    assert!(covers("/100%", "/100%") && covers("/*%", "/a%20b") && covers("/a%zz", "/a%zz"));
    assert!(covers("/a%2", "/a%20"));
}

#[test]
fn the_query_is_compared_and_the_fragment_is_not() {
    assert!(covers("/a?b=c", "/a?b=c&d") && !covers("/a?b=c", "/a#?b=c") && !covers("/*c", "/a#c"));
    assert!(covers("/?", "/?a") && covers("/?", "/?") && !covers("/?", "/"));
    assert!(covers("//a", "//a/b"));
}

#[test]
fn the_file_itself_is_always_allowed() {
    assert!(verdict("User-agent: *\nDisallow: /\n", "/robots.txt"));
    assert!(RobotsRules::deny_all().allows(&url("/robots.txt")));
    assert!(!verdict("User-agent: *\nDisallow: /\n", "/robots.txt.bak"));
    assert!(!RobotsRules::deny_all().allows(&url("/")) && RobotsRules::allow_all().allows(&url("/")));
}

#[test]
fn a_crawl_delay_belongs_to_the_agents_directly_above_it() {
    let seconds = |text: &str| rules(text).crawl_delay().map(|delay| delay.as_secs());
    assert_eq!(seconds("User-agent: *\nCrawl-delay: 5\n"), Some(5));
    assert_eq!(seconds("User-agent: Bar\nUser-agent: FooBot\nDisallow: /a\nCrawl delay: 5\n"), Some(5));
    assert_eq!(seconds("User-agent: FooBot\nDisallow: /a\nUser-agent: *\nCrawl-delay: 5\n"), None);
    assert_eq!(seconds("User-agent: Bar\nCrawl-delay: 5\nUser-agent: *\nDisallow: /a\n"), None);
    assert_eq!(
        seconds("User-agent: FooBot\nCrawl-delay: 5\nUser-agent: *\nCrawl-delay: 9\nDisallow: /\n"),
        Some(5)
    );
    assert_eq!(seconds("Crawl-delay: 5\nUser-agent: *\nDisallow: /a\n"), None);
    assert_eq!(seconds("User-agent: *\nSitemap: /s\nUser-agent: Bar\nCrawl-delay: 5\n"), Some(5));
}

#[test]
fn the_last_valid_wish_holds() {
    let rules = rules(
        "User-agent: *\nCrawl-delay: 5\nCrawl-delay: 7\nCrawl-delay: soon\nCrawl-delay:\nVisit-time: 0600-0800\n",
    );
    assert_eq!(rules.crawl_delay(), Some(Duration::from_secs(7)));
    assert_eq!(rules.visit_time(), Some(VisitTime { start_minute: 360, end_minute: 480 }));
}

#[test]
fn the_least_delay_is_the_longer_of_both_wishes() {
    let least = |text: &str| rules(format!("User-agent: *\n{text}")).min_delay();
    assert_eq!(least("Crawl-delay: 5\nRequest-rate: 1/10\n"), Some(Duration::from_secs(10)));
    assert_eq!(least("Crawl-delay: 5\nRequest-rate: 1/2\n"), Some(Duration::from_secs(5)));
    assert_eq!(least("Request-rate: 1/1m 0900-1700\n"), Some(Duration::from_secs(60)));
    assert_eq!(least("Disallow: /a\n"), None);
}

#[test]
fn statements_about_the_site_are_kept_wherever_they_stand() {
    let text = "Sitemap: /a.xml \nUser-agent: Bar\nsite-map: https://x/b.xml\nDisallow: /\nSitemaps: c\nSitemap:\n\
        Host: example.com\nClean-param: s /f\nContent-Usage: ai=y\nUser-agent: FooBot\nContent-Usage: ai=n\n";
    let rules = rules(text);
    assert_eq!(rules.sitemaps(), ["/a.xml", "https://x/b.xml", "c"]);
    assert_eq!(rules.host(), Some("example.com"));
    assert_eq!(rules.clean_params(), ["s /f"]);
    assert_eq!(rules.content_usage(), ["ai=n"]);
    let many = "Sitemap: /s\n".repeat(2 * MAX_SITEMAPS);
    assert_eq!(super::tests::rules(many).sitemaps().len(), MAX_SITEMAPS);
}

#[test]
fn a_line_at_the_size_limit_is_read_whole_and_the_next_not_at_all() {
    let mut text = String::from("User-agent: *\nDisallow: /a\n");
    text.push_str(&"#".repeat(MAX_BYTES - text.len() - 6));
    text.push_str("\nDisallow: /b\nDisallow: /c\n");
    assert!(!verdict(&text, "/a") && !verdict(&text, "/b"));
    assert!(verdict(&text, "/c") && verdict(&text, "/"));
}

#[test]
fn an_overlong_line_is_cut() {
    let long = "a".repeat(MAX_LINE_BYTES);
    let rules = rules(format!("User-agent: *\nDisallow: /{long}\n"));
    assert!(!rules.allows(&url(&format!("/{}", &long[.."Disallow: /".len() + MAX_LINE_BYTES - 22]))));
    assert!(rules.allows(&url("/a")));
}

/// 500 KiB of different rules that all have to be tried.
fn hostile(mut rule: impl FnMut(usize) -> String) -> String {
    let mut text = String::from("User-agent: *\n");
    let mut count = 0;
    while text.len() < MAX_BYTES {
        writeln!(text, "Disallow: {}", rule(count)).unwrap();
        count += 1;
    }
    text
}

#[test]
fn a_hostile_file_is_decided_exactly() {
    let rules = rules(hostile(|n| format!("/*a*b{n}*c$")) + "Allow: /zz\n");
    assert!(!rules.allows(&url("/aXb77Xc")) && rules.allows(&url("/aXb77Xcd")));
    let told = rules.verdict(&url("/aXb77Xc")).rule.unwrap();
    assert_eq!((told.line, told.text.as_str()), (79, "Disallow: /*a*b77*c$"));
}

/// With backtracking these would not end within the age of the universe.
#[test]
fn a_hostile_pattern_does_not_backtrack() {
    let long = "a".repeat(8_000);
    let stars = "*a".repeat(MAX_LINE_BYTES / 2 - 20);
    assert!(!covers(&format!("/{stars}b"), &format!("/{long}")));
    assert!(covers(&format!("/{}", "*a".repeat(7_000)), &format!("/{long}")));
}

fn pattern_text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[/*]([ab/*?]|%2[4AaFf]|%7e|~|\\$|é|\\||%){0,8}\\$?").unwrap()
}

fn path_text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("/([ab/?*$]|%2[4AaFf]|%7e|~|é|\\||%){0,10}").unwrap()
}

fn file_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => (prop_oneof![Just("Allow"), Just("Disallow")], pattern_text()).prop_map(|(key, text)| format!("{key}: {text}")),
        1 => prop_oneof![Just("FooBot"), Just("*"), Just("Bar"), Just("foobot/1")].prop_map(|name| format!("User-agent: {name}")),
        1 => Just("Crawl-delay: 3".to_owned()),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| "User-agent: *\n".to_owned() + &lines.join("\n"))
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..400), path in path_text()) {
        let rules = RobotsRules::parse(&body, &token("FooBot"));
        let _ = rules.verdict(&url(&path));
    }

    #[test]
    fn octets_in_a_frame_do_not_make_it_panic(value in proptest::collection::vec(any::<u8>(), 0..60), path in path_text()) {
        for key in [&b"Disallow:"[..], b"Crawl-delay:", b"Request-rate:", b"Visit-time:", b"User-agent:", b""] {
            let body = [b"User-agent: *\n", key, &value].concat();
            let rules = RobotsRules::parse(&body, &token("FooBot"));
            let _ = (rules.verdict(&url(&path)), rules.min_delay());
        }
    }

    #[test]
    fn both_judges_agree(text in file_text(), path in path_text()) {
        let rules = rules(&text);
        let path = path_of(&url(&path));
        prop_assert_eq!(rules.decide(&path), is_allowed_by(first_match(&rules.0.file.group.rules, &path)), "{}", text);
    }

    #[test]
    fn a_longer_allow_never_forbids(text in file_text(), pattern in pattern_text(), path in path_text()) {
        let before = rules(&text).allows(&url(&path));
        let after = rules(format!("{text}\nUser-agent: FooBot\nUser-agent: *\nAllow: {pattern}")).allows(&url(&path));
        prop_assert!(after || !before || text.to_lowercase().contains("foobot"), "{}", text);
    }

    #[test]
    fn a_verdict_names_a_rule_of_its_own_kind(text in file_text(), path in path_text()) {
        let verdict = rules(&text).verdict(&url(&path));
        let expected = if verdict.allowed { "Allow: " } else { "Disallow: " };
        prop_assert!(verdict.rule.as_ref().map_or(verdict.allowed, |rule| rule.text.starts_with(expected)));
    }

    #[test]
    fn a_literal_path_is_covered_by_its_own_pattern(path in "/[a-z/~_-]{0,12}") {
        prop_assert!(covers(&path, &path));
        let anchored = format!("{path}$");
        prop_assert!(covers(&anchored, &path));
    }
}
