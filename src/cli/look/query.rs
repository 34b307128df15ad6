//! One expression, asked of one page.

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

use super::{MOST_LETTERS, MOST_SHOWN, more, short};
use crate::extract::ExtractError;
use crate::extract::json::JsonPath;
use crate::extract::xpath::XPath;
use crate::page::Page;
use crate::page::element::{Element, fold};
use crate::spider::declarative::{FieldSelector, Take};

/// Bytes of text that one expression may take: elements inside of each other repeat it.
pub(in crate::cli) const MAX_TAKEN: usize = 32 << 20;
/// Matches that are kept; those behind them are counted.
const MAX_MATCHES: usize = 100_000;
/// What a match is counted for beside its text.
const MATCH_BYTES: usize = 32;

/// The language of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum By {
    Css,
    #[serde(rename = "xpath")]
    XPath,
    Json,
    Regex,
}

impl By {
    pub(in crate::cli) fn as_str(self) -> &'static str {
        match self {
            Self::Css => "css",
            Self::XPath => "xpath",
            Self::Json => "json",
            Self::Regex => "regex",
        }
    }
}

/// What is no expression.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum QueryError {
    /// CSS, XPath or JSONPath.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// A regular expression.
    #[error("`{text}` is not a regular expression: {reason}")]
    Regex { text: String, reason: String },
}

/// A compiled expression.
#[derive(Debug)]
pub(in crate::cli) struct Query {
    by: By,
    text: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Css(FieldSelector),
    XPath(XPath),
    Json(JsonPath),
    Regex(Regex),
}

/// What an expression gives on a page.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Answered {
    by: By,
    expression: String,
    /// How often it matches.
    pub(in crate::cli) count: usize,
    matches: Vec<Value>,
    /// Why it could not be asked, or not to its end.
    problem: Option<String>,
}

impl Query {
    pub(in crate::cli) fn parse(by: By, text: &str) -> Result<Self, QueryError> {
        let form =
            match by {
                By::Css => Form::Css(FieldSelector::parse(text)?),
                By::XPath => Form::XPath(XPath::parse(text)?),
                By::Json => Form::Json(JsonPath::parse(text)?),
                By::Regex => Form::Regex(Regex::new(text).map_err(|error| QueryError::Regex {
                    text: text.to_owned(),
                    reason: error.to_string(),
                })?),
            };
        Ok(Self { by, text: text.to_owned(), form })
    }

    /// What a field of a crawler file says to take the same; `None` where there is no such key.
    pub(in crate::cli) fn as_field(&self) -> Option<String> {
        let text = toml::Value::from(self.text.as_str());
        match self.by {
            By::Css => Some(text.to_string()),
            By::XPath => Some(format!("{{ xpath = {text} }}")),
            By::Json => Some(format!("{{ json = {text} }}")),
            By::Regex => None,
        }
    }

    /// Asks the page.
    pub(in crate::cli) fn ask(&self, page: &Page) -> Answered {
        let mut taken = Taken { left: MAX_TAKEN, ..Taken::default() };
        let problem = match self.collect(page, &mut taken) {
            Err(error) => Some(error.to_string()),
            Ok(()) if taken.left == 0 => Some(format!(
                "only the first {} matches are kept: an expression takes {MAX_TAKEN} bytes of text and {MAX_MATCHES} matches at most",
                taken.matches.len()
            )),
            Ok(()) => self.remark(page, taken.count),
        };
        let Taken { count, matches, .. } = taken;
        Answered { by: self.by, expression: self.text.clone(), count, matches, problem }
    }

    fn collect(&self, page: &Page, taken: &mut Taken) -> Result<(), ExtractError> {
        match &self.form {
            Form::Css(FieldSelector { css, take }) => match css {
                Some(css) => page.matches(css).for_each(|found| taken.element(found, take.as_ref())),
                None => page.root().iter().for_each(|found| taken.element(*found, take.as_ref())),
            },
            Form::XPath(path) => {
                for found in path.evaluate(page, None)? {
                    match found {
                        crate::extract::xpath::Found::Element(found) => taken.element(found, None),
                        crate::extract::xpath::Found::Text(text) => taken.value(text.len(), || text.into()),
                    }
                }
            }
            Form::Json(path) if page.is_json() => {
                for found in path.find(page.json_value()?)? {
                    taken.value(weight(found), || found.clone());
                }
            }
            Form::Json(_) => {}
            Form::Regex(regex) => {
                let group = usize::from(regex.captures_len() > 1);
                for found in regex.captures_iter(page.text()) {
                    let part = found.get(group).map(|part| part.as_str());
                    taken.value(part.map_or(0, str::len), || part.into());
                }
            }
        }
        Ok(())
    }

    /// Why nothing can be found in an answer of this form.
    fn remark(&self, page: &Page, count: usize) -> Option<String> {
        let kind = page.header("content-type").unwrap_or("no content-type");
        match &self.form {
            Form::Css(_) | Form::XPath(_) if count == 0 && !page.is_html() => {
                Some(format!("the answer is not HTML ({kind})"))
            }
            Form::Json(_) if !page.is_json() => Some(format!(
                "the answer is not JSON ({kind}); what a page says in JSON-LD is structured data"
            )),
            _ => None,
        }
    }
}

/// About how many bytes a value has, not looking further than need be.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(|one| MATCH_BYTES + weight(one)).sum(),
        Value::Object(all) => all.iter().map(|(name, one)| MATCH_BYTES + name.len() + weight(one)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[derive(Default)]
struct Taken {
    left: usize,
    count: usize,
    matches: Vec<Value>,
}

impl Taken {
    fn element(&mut self, element: Element<'_>, take: Option<&Take>) {
        if self.left == 0 {
            self.count += 1;
            return;
        }
        let value = match take {
            None | Some(Take::Text) => Some(fold(&element.raw_text_up_to(self.left))),
            Some(Take::Html) => Some(element.html()),
            Some(Take::Attribute(name)) => {
                let url = matches!(name.as_str(), "href" | "src").then(|| element.url(name)).flatten();
                url.map(String::from).or_else(|| element.attr(name).map(str::to_owned))
            }
        };
        self.value(value.as_ref().map_or(0, String::len), || value.into());
    }

    fn value(&mut self, bytes: usize, value: impl FnOnce() -> Value) {
        self.count += 1;
        if self.left == 0 || self.matches.len() >= MAX_MATCHES {
            self.left = 0;
            return;
        }
        self.left = self.left.saturating_sub(bytes + MATCH_BYTES);
        self.matches.push(value());
    }
}

impl Answered {
    /// For people: numbered, shortened, counted.
    pub(in crate::cli) fn text(&self) -> String {
        let plural = if self.count == 1 { "match" } else { "matches" };
        let mut text =
            format!("{} `{}`: {} {plural}\n", self.by.as_str(), short(&self.expression, 200), self.count);
        for (number, value) in self.matches.iter().enumerate().take(MOST_SHOWN) {
            text.push_str(&format!("{:>4}  {}\n", number + 1, shown(value)));
        }
        more(&mut text, self.count, MOST_SHOWN);
        if let Some(problem) = &self.problem {
            text.push_str(&format!("      {}\n", short(problem, 400)));
        }
        text
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(not there)".to_owned(),
        Value::String(text) if text.is_empty() => "(no text)".to_owned(),
        Value::String(text) => short(text, MOST_LETTERS),
        value => short(&value.to_string(), MOST_LETTERS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::look::page_of;
    use crate::response::Response;
    use crate::url::CanonicalUrl;

    fn page(body: &'static str) -> Page {
        let url = CanonicalUrl::parse("https://a.example/x/").unwrap();
        page_of(Response::of(url, http::StatusCode::OK, body))
    }

    fn asked(by: By, text: &str, page: &Page) -> Vec<Value> {
        Query::parse(by, text).unwrap().ask(page).matches
    }

    #[test]
    fn each_language_gives_what_it_finds_in_the_order_of_the_page() {
        let html = page("<p>one <b>1</b></p><p><a href=y>two</a></p>");
        assert_eq!(asked(By::Css, "p", &html), ["one 1", "two"]);
        assert_eq!(asked(By::Css, "p a::attr(href)", &html), ["https://a.example/x/y"]);
        assert_eq!(asked(By::XPath, "//p/b/text()", &html), ["1"]);
        assert_eq!(asked(By::XPath, "count(//p)", &html), ["2"]);
        assert_eq!(asked(By::Regex, "href=(.)", &html), ["y"]);
        assert_eq!(asked(By::Json, "$.a[*]", &page(r#"{"a": [1, "b"]}"#)), [Value::from(1), "b".into()]);
    }

    #[test]
    fn what_cannot_be_asked_of_this_form_says_why() {
        let html = page("<p>one</p>");
        let told = Query::parse(By::Json, "$.a").unwrap().ask(&html);
        assert_eq!(told.count, 0);
        assert!(told.text().contains("not JSON"), "{}", told.text());
        let told = Query::parse(By::Css, "p").unwrap().ask(&page("{}"));
        assert!(told.text().contains("not HTML"), "{}", told.text());
    }

    #[test]
    fn what_is_no_expression_is_refused_with_its_reason() {
        for (by, text) in [(By::Css, "p["), (By::XPath, "//p["), (By::Json, "$["), (By::Regex, "(")] {
            let error = Query::parse(by, text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is not a")), "{error}");
        }
    }

    #[test]
    fn a_page_that_repeats_its_text_in_nested_elements_is_cut() {
        let mut taken = Taken { left: 100, ..Taken::default() };
        (0..5).for_each(|_| taken.value(40, || "x".into()));
        assert_eq!((taken.count, taken.matches.len(), taken.left), (5, 2, 0));
    }

    #[test]
    fn an_expression_becomes_the_line_of_a_crawler_file() {
        let line = |by, text| Query::parse(by, text).unwrap().as_field();
        assert_eq!(line(By::Css, "a::attr(href)").as_deref(), Some("\"a::attr(href)\""));
        assert_eq!(line(By::Css, "a[title=\"x\"]").as_deref(), Some("'a[title=\"x\"]'"));
        assert_eq!(line(By::XPath, "//a").as_deref(), Some("{ xpath = \"//a\" }"));
        assert_eq!(line(By::Regex, "a"), None);
    }
}
