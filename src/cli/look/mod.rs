//! Looking at one page by hand: what expressions, rules and the page itself say, for people and for scripts.
//!
//! Nothing here asks a host. What comes from the web is escaped before a terminal sees it, and what is shown to people is cut;
//! JSON has all of it, up to [`query::MAX_TAKEN`] bytes for each expression.

pub(super) mod local;
pub(super) mod query;
pub(super) mod rules;
pub(super) mod table;

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::args::{ArticleForm, LookArgs};
use super::exit::Failure;
use super::render::{counted, json_text, safe};
use crate::extract::article::article;
use crate::extract::structured;
use crate::page::Page;
use crate::page::links::Links;
use crate::request::Request;
use crate::response::Response;
use query::{By, Query};

/// Matches and links that are shown to people.
const MOST_SHOWN: usize = 20;
/// Characters of one of them.
const MOST_LETTERS: usize = 100;
/// Lines of JSON that are shown to people.
const MOST_LINES: usize = 60;

/// What is to be looked at on a page.
#[derive(Debug)]
pub(super) struct Looks {
    queries: Vec<Query>,
    article: Option<ArticleForm>,
    structured: bool,
    links: bool,
}

impl Looks {
    /// Compiles what the flags ask for: what is no expression is told before anything is asked.
    pub(super) fn of(args: &LookArgs) -> Result<Self, Failure> {
        let all = [
            (By::Css, &args.css),
            (By::XPath, &args.xpath),
            (By::Json, &args.json_path),
            (By::Regex, &args.regex),
        ];
        let parse = |(by, texts): (By, &Vec<String>)| -> Vec<_> {
            texts.iter().map(|text| Query::parse(by, text)).collect()
        };
        let queries: Result<Vec<_>, _> = all.into_iter().flat_map(parse).collect();
        Ok(Self {
            queries: queries.map_err(|error| Failure::Usage(error.to_string()))?,
            article: args.article,
            structured: args.structured,
            links: args.links,
        })
    }

    /// Whether anything is looked at, so that the page must be there.
    pub(super) fn any(&self) -> bool {
        !self.queries.is_empty() || self.article.is_some() || self.structured || self.links
    }

    /// All of it, for scripts.
    pub(super) fn json(&self, page: &Page) -> Value {
        let mut all = json!({});
        if !self.queries.is_empty() {
            all["queries"] = self.queries.iter().map(|query| json!(query.ask(page))).collect();
        }
        if self.article.is_some() {
            all["article"] = json!(article(page));
        }
        if self.structured {
            all["structured"] = said(page);
        }
        if self.links {
            all["links"] = links_json(&page.links());
        }
        all
    }

    /// For people: parts with an empty line before each.
    pub(super) fn text(&self, page: &Page) -> Result<String, Failure> {
        let mut parts: Vec<String> = self.queries.iter().map(|query| query.ask(page).text()).collect();
        if let Some(form) = self.article {
            parts.push(article_text(page, form));
        }
        if self.structured {
            parts.push(structured_text(page)?);
        }
        if self.links {
            parts.push(links_text(&page.links(), ""));
        }
        Ok(parts.iter().map(|part| format!("\n{part}")).collect())
    }
}

/// The page of an answer.
pub(super) fn page_of(response: Response) -> Page {
    Page::new(Arc::new(Request::get(response.url.clone())), response)
}

/// A text on one line, cut after some letters and made fit for a terminal.
pub(super) fn short(text: &str, most: usize) -> String {
    let mut letters = text.chars();
    let mut cut: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() {
        cut.pop();
        cut.push('…');
    }
    safe(&cut).into_owned()
}

/// Several lines for a terminal, cut after `most` of them.
pub(super) fn lines(text: &str, most: usize, whole: &str) -> String {
    let mut shown = String::new();
    let mut all = text.lines();
    for line in all.by_ref().take(most) {
        shown.push_str(&short(line, 2_000));
        shown.push('\n');
    }
    let left = all.count() as u64;
    if left > 0 {
        writeln!(shown, "… and {} more: {whole}", counted(left, "line")).expect("a String takes everything");
    }
    shown
}

/// JSON for people, cut.
pub(super) fn pretty(value: &Value) -> Result<String, Failure> {
    Ok(lines(&json_text(value)?, MOST_LINES, "`crawl fetch --structured --json` has all"))
}

/// What the page says of itself for machines.
pub(super) fn said(page: &Page) -> Value {
    let blocks = structured::json_ld_blocks(page);
    json!({
        "json-ld": blocks.values,
        "microdata": structured::microdata(page),
        "open-graph": structured::open_graph(page),
        "meta": structured::meta(page),
        "problems": blocks.problems,
    })
}

pub(super) fn structured_text(page: &Page) -> Result<String, Failure> {
    let mut text = String::new();
    let said = said(page);
    for (name, value) in said.as_object().into_iter().flatten() {
        let count =
            value.as_array().map_or_else(|| value.as_object().map_or(0, serde_json::Map::len), Vec::len);
        match count {
            0 => text.push_str(&format!("{name}: nothing\n")),
            _ => text.push_str(&format!("{name}: {count}\n{}", pretty(value)?)),
        }
    }
    Ok(text)
}

pub(super) fn article_text(page: &Page, form: ArticleForm) -> String {
    let Some(found) = article(page) else {
        return "article: none was found\n".to_owned();
    };
    let mut text = String::new();
    let parts =
        [("title", Some(&found.title)), ("by", found.byline.as_ref()), ("on", found.published.as_ref())];
    for (name, part) in parts {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            text.push_str(&format!("{name:<7} {}\n", safe(part)));
        }
    }
    text.push_str(&format!("length  {}\n\n", counted(found.length as u64, "character")));
    let body = match form {
        ArticleForm::Text => &found.text,
        ArticleForm::Markdown => &found.markdown,
    };
    body.lines().for_each(|line| text.push_str(&format!("{}\n", safe(line))));
    text
}

/// Links whose URL or text holds `wanted`.
pub(super) fn links_text(links: &Links, wanted: &str) -> String {
    let fits =
        |link: &&crate::page::links::Link| link.url.as_str().contains(wanted) || link.text.contains(wanted);
    let found: Vec<_> = links.links.iter().filter(fits).collect();
    let mut text = format!("{}\n", counted(found.len() as u64, "link"));
    for (number, link) in found.iter().enumerate().take(MOST_SHOWN * 2) {
        let mark = if link.nofollow { " (nofollow)" } else { "" };
        let (url, words) = (short(&link.url.to_string(), MOST_LETTERS), short(&link.text, 40));
        text.push_str(&format!("{:>4}  {url}{mark}  {words}\n", number + 1).replace("  \n", "\n"));
    }
    more(&mut text, found.len(), MOST_SHOWN * 2);
    if links.unread > 0 {
        text.push_str(&format!("{} were not read\n", counted(links.unread as u64, "link")));
    }
    text
}

fn links_json(links: &Links) -> Value {
    let link = |link: &crate::page::links::Link| json!({ "url": link.url, "text": link.text, "fragment": link.fragment, "nofollow": link.nofollow });
    links.links.iter().map(link).collect()
}

/// Says how many are not shown.
fn more(text: &mut String, count: usize, shown: usize) {
    if count > shown {
        text.push_str(&format!("      and {} more\n", count - shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_nothing_gets_through_to_the_terminal() {
        assert_eq!(short("abcdef", 6), "abcdef");
        assert_eq!(short("abcdefg", 6), "abcde…");
        assert_eq!(short("a\x1b[2Jb", 20), "a\\u001b[2Jb");
        assert_eq!(lines("a\nb\nc\n", 2, "save it"), "a\nb\n… and 1 line more: save it\n");
    }
}
