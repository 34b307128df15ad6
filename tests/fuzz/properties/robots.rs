//! robots.txt: the first line is a path that is asked for, the rest the file.

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Duration;

use crawl::robots::{MAX_SITEMAPS, ProductToken, RobotsRules};
use url::Url;

use super::input::text_line;

pub fn check(bytes: &[u8]) {
    let (path, body) = text_line(bytes);
    let base = Url::parse("http://a.example/").expect("written here");
    let asked = base.join(&path).unwrap_or(base.clone());
    let urls: Vec<Url> = [asked.as_str(), "/", "/a/b?c=%41", "/a%2fb/*$", "/robots.txt"]
        .into_iter()
        .filter_map(|path| base.join(path).ok())
        .collect();
    let token = ProductToken::parse("bot").expect("written here");
    let rules = RobotsRules::parse(body, &token);
    verdicts_have_reasons(&rules, &urls, body);
    wishes_are_bounded(&rules);
    spelling_does_not_count(&rules, &urls, body);
    if bytes.len().is_multiple_of(8) {
        both_judges_agree(&urls, body, &token);
    }
}

fn verdicts_have_reasons(rules: &RobotsRules, urls: &[Url], body: &[u8]) {
    let lines = 1 + body.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    for url in urls {
        let verdict = rules.verdict(url);
        assert_eq!(verdict.allowed, rules.allows(url), "{url}");
        match verdict.rule {
            Some(rule) => {
                assert_eq!(rule.text.starts_with("Allow: "), verdict.allowed, "{url}: {rule}");
                assert!((1..=lines).contains(&(rule.line as usize)), "{rule}");
            }
            None => assert!(verdict.allowed, "{url} is forbidden by no rule"),
        }
    }
    assert!(urls.last().is_none_or(|robots| robots.path() != "/robots.txt" || rules.allows(robots)));
}

fn wishes_are_bounded(rules: &RobotsRules) {
    const LONGEST: Duration = Duration::from_secs(1_000_000_000);
    assert!(rules.crawl_delay().is_none_or(|delay| delay <= LONGEST));
    assert!(rules.min_delay() >= rules.crawl_delay());
    assert!(rules.sitemaps().len() <= MAX_SITEMAPS);
    if let Some(time) = rules.visit_time() {
        let open = (0..1_440).filter(|minute| time.contains(*minute)).count();
        assert!(open > 0, "a time in which nothing may be asked for is none");
    }
}

/// What is said, whatever line it is said on.
fn said(rules: &RobotsRules, urls: &[Url]) -> impl PartialEq + std::fmt::Debug + use<> {
    let verdicts: Vec<_> = urls
        .iter()
        .map(|url| {
            let verdict = rules.verdict(url);
            (verdict.allowed, verdict.rule.map(|rule| rule.text))
        })
        .collect();
    let times = (rules.crawl_delay(), rules.min_delay());
    let lists = (rules.sitemaps().to_vec(), rules.clean_params().to_vec(), rules.content_usage().to_vec());
    (verdicts, times, lists, rules.host().map(str::to_owned))
}

/// A byte order mark, the ends of lines, a comment in front and the version behind our name say nothing.
fn spelling_does_not_count(rules: &RobotsRules, urls: &[Url], body: &[u8]) {
    let expected = said(rules, urls);
    let by_name = |body: &[u8]| said(&RobotsRules::parse_for_name(body, "BOT/1.0"), urls);
    assert_eq!(by_name(body), expected, "the version and the letter case of our name");
    if body.first().is_some_and(|first| matches!(first, 0xef | 0xfe | 0xff)) {
        return;
    }
    assert_eq!(by_name(&[b"\xef\xbb\xbf", body].concat()), expected, "a byte order mark");
    assert_eq!(by_name(&[b"# a comment\n", body].concat()), expected, "a comment in front");
    if !body.contains(&b'\r') {
        let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
        assert_eq!(by_name(&lines.join(&b"\r\n"[..])), expected, "CRLF");
        assert_eq!(by_name(&lines.join(&b'\r')), expected, "CR");
    }
}

/// A file with many rules is decided in another way than one with few: rules that match nothing make the difference.
fn both_judges_agree(urls: &[Url], body: &[u8], token: &ProductToken) {
    static FILLERS: OnceLock<String> = OnceLock::new();
    let fillers = FILLERS.get_or_init(|| {
        (0..4_200).fold("\nUser-agent: bot\n".to_owned(), |mut text, number| {
            writeln!(text, "Disallow: /%01no-path-is-called-so{number}").expect("a String takes everything");
            text
        })
    });
    let few = [b"User-agent: bot\nAllow: /%01nor-so\n", body].concat();
    let many = [&few, fillers.as_bytes()].concat();
    let (few, many) = (RobotsRules::parse(&few, token), RobotsRules::parse(&many, token));
    for url in urls.iter().filter(|url| !url.as_str().contains("no-path-is-called-so")) {
        assert_eq!(few.verdict(url).allowed, many.verdict(url).allowed, "{url}");
    }
}
