//! Crawler files: any text as one, with three assignments of the command line in front of it.

use crawl::config::Loader;
use crawl::page::Page;
use crawl::spider::Spider;
use crawl::spider::declarative::Declarative;

use super::input::{html, text_line};

pub fn check(bytes: &[u8]) {
    let (assignment, rest) = text_line(bytes);
    let Ok(text) = str::from_utf8(rest) else { return };
    let load = || {
        let loader =
            Loader::new().text("some.toml", text).environment(|name| Some(format!("value of {name}")));
        if assignment.is_empty() { loader.load() } else { loader.set(assignment.clone()).load() }
    };
    let (plan, again) = match (load(), load()) {
        (Ok(plan), Ok(again)) => (plan, again),
        (Err(error), Err(again)) => {
            assert_eq!(error, again);
            assert!(!error.problems.is_empty());
            return errors_say_where(&error, text);
        }
        _ => panic!("the same file loads once and once not"),
    };
    assert_eq!(format!("{:?}", plan.explain()), format!("{:?}", again.explain()));
    let requests = plan.requests();
    assert!(requests.iter().all(|request| matches!(request.url.as_url().scheme(), "http" | "https")));
    for host in requests.iter().take(4).map(|request| request.url.host_key()) {
        let policy = plan.policy(&host);
        assert!(policy.max_concurrency >= 1, "{policy:?}");
        let _ = plan.headers_for(&host);
    }
    if let crawl::config::Reader::Recipe(recipe) = &plan.reader {
        let recipe = recipe.clone();
        reads_in_bounds(&Declarative::new(recipe), &html(PAGE));
    }
}

const PAGE: &[u8] = b"<title>T</title><h1 id=a class='b c'>One <i>two</i></h1><table><tr><td>12.50<td>3 May 2026</table>\
    <a href=/next rel=next>more</a><a href=item/1>x</a><script type=application/ld+json>{\"@type\":\"Book\",\"name\":\"n\"}</script>";

fn reads_in_bounds(spider: &Declarative, page: &Page) {
    let mut harvest = crawl::item::Harvest::new();
    let _ = spider.parse(page, &mut harvest);
    assert!(harvest.items().len() <= 100_000 && harvest.requests().len() <= 100_000);
}

/// A problem names the file or the option, a line that is there, and no raw control character reaches a terminal.
fn errors_say_where(error: &crawl::config::ConfigError, text: &str) {
    let lines = text.split('\n').count() + 1;
    for problem in &error.problems {
        assert!(!problem.message.is_empty() && !problem.path.is_empty(), "{problem:?}");
        assert!(problem.line <= lines, "line {} of {lines}", problem.line);
    }
    let shown = error.to_string();
    let raw = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    assert!(!shown.contains(raw), "{:?}", shown.chars().find(|letter| raw(*letter)));
}
