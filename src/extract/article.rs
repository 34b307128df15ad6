//! The main text of a page: an article without the menus, banners and footers around it.
//!
//! Found by `dom_smoothie`, which follows Mozilla's Readability. It parses again, and what it does costs more than a parse; so it
//! is given our tree, which is bounded in depth and attributes, without scripts, and only up to [`MAX_ELEMENTS`] and
//! [`MAX_TEXT`]. A larger page has no article, and one with a single text of more than [`MAX_PIECE`] has none: what it takes to
//! write that down again would grow with the square of its length. Should it panic, that is caught, and the page has none.
//!
//! What the page says in JSON-LD is read by us and not by the library, whose JSON reader trusts its input.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dom_smoothie::{Config, Readability, TextMode};
use serde::Serialize;
use serde_json::Value;

use super::structured::json_ld;
use crate::page::Page;
use crate::page::element::fold;

/// Elements of a page that an article is looked for in.
pub const MAX_ELEMENTS: usize = 20_000;

/// Bytes of markup that an article is looked for in.
pub const MAX_TEXT: usize = 2 << 20;

/// Bytes of one text of a page that an article is looked for in. Attributes that are longer are left out.
pub const MAX_PIECE: usize = 32 << 10;

/// The main text of a page and what is said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Article {
    /// What it is called.
    pub title: String,
    /// Who wrote it.
    pub byline: Option<String>,
    /// When it was published, as the page writes it.
    pub published: Option<String>,
    /// A short text about it.
    pub excerpt: Option<String>,
    /// The name of the site.
    pub site_name: Option<String>,
    /// Its language.
    pub lang: Option<String>,
    /// Its text, a line for each paragraph.
    pub text: String,
    /// Its text in Markdown (CommonMark: an `&` is written `&amp;`).
    pub markdown: String,
    /// Its HTML, with absolute URLs.
    pub html: String,
    /// Characters of the text.
    pub length: usize,
}

/// The main text of a page; none of a page that is no HTML, has none, or is larger than the limits.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use crawl::extract::article::article;
/// # use crawl::{page::Page, request::Request, response::Response, url::CanonicalUrl};
/// # let url = CanonicalUrl::parse("https://blog.example/salt")?;
/// let story = "<p>Salt is older than money, and was money in its time; soldiers were paid with it, or so they say.</p>";
/// let body = format!("<title>Salt</title><nav><a href=/>Home</a></nav><article>{}</article>", story.repeat(8));
/// # let response = Response::of(url.clone(), http::StatusCode::OK, body);
/// # let page = Page::new(std::sync::Arc::new(Request::get(url)), response);
/// let found = article(&page).ok_or("no article")?;
/// assert_eq!(found.title, "Salt");
/// assert!(found.text.starts_with("Salt is older") && !found.text.contains("Home"));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn article(page: &Page) -> Option<Article> {
    if !page.is_html() || page.text().len() > MAX_TEXT || page.elements().count() > MAX_ELEMENTS {
        return None;
    }
    if page.has_text_over(MAX_PIECE) {
        return None;
    }
    let markup = page.markup(MAX_PIECE);
    // A panic leaves nothing behind: all that it can see was made for this call.
    let read = catch_unwind(AssertUnwindSafe(|| read(markup, page.base_url().as_str())));
    let mut article = read.ok().flatten()?;
    complete(&mut article, page);
    Some(article)
}

/// What the library finds in a document.
fn read(markup: String, base: &str) -> Option<Article> {
    let config = Config { disable_json_ld: true, text_mode: TextMode::Formatted, ..Config::default() };
    let found = Readability::new(markup, Some(base), Some(config)).ok()?.parse().ok()?;
    let html = found.content.to_string();
    let markdown = Readability::from(html.as_str()).doc.md(None).trim().to_owned();
    let text = found.text_content.trim().to_owned();
    if text.is_empty() {
        return None;
    }
    Some(Article {
        title: fold(&found.title),
        byline: filled(found.byline),
        published: filled(found.published_time),
        excerpt: filled(found.excerpt),
        site_name: filled(found.site_name),
        lang: filled(found.lang),
        length: text.chars().count(),
        text,
        markdown,
        html,
    })
}

/// Adds what the page says of its article in JSON-LD and the library has not found.
fn complete(article: &mut Article, page: &Page) {
    let Some(said) = json_ld(page).into_iter().find(is_article) else {
        return;
    };
    let text =
        |path: &str| said.pointer(path).and_then(Value::as_str).map(fold).filter(|text| !text.is_empty());
    if article.title.is_empty() {
        article.title = text("/headline").or_else(|| text("/name")).unwrap_or_default();
    }
    let missing = |field: &mut Option<String>, paths: &[&str]| {
        if field.is_none() {
            *field = paths.iter().find_map(|path| text(path));
        }
    };
    missing(&mut article.byline, &["/author/name", "/author/0/name", "/author", "/author/0"]);
    missing(&mut article.published, &["/datePublished", "/dateCreated"]);
    missing(&mut article.excerpt, &["/description"]);
    missing(&mut article.site_name, &["/publisher/name"]);
    missing(&mut article.lang, &["/inLanguage"]);
}

/// Whether an object of JSON-LD is an article of some kind (`NewsArticle`, `BlogPosting`, …).
fn is_article(value: &Value) -> bool {
    let names_one = |kind: &Value| {
        kind.as_str()
            .is_some_and(|kind| kind.ends_with("Article") || kind.ends_with("Posting") || kind == "Report")
    };
    match &value["@type"] {
        Value::Array(kinds) => kinds.iter().any(names_one),
        kind => names_one(kind),
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| fold(&text)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;
    use crate::request::Request;
    use crate::response::Response;
    use crate::url::CanonicalUrl;

    fn page(body: &str) -> Page {
        let url = CanonicalUrl::parse("http://a.example/dir/page").unwrap();
        let mut response = Response::of(url.clone(), StatusCode::OK, body.to_owned());
        response.headers.append("content-type", "text/html; charset=utf-8".parse().unwrap());
        Page::new(Arc::new(Request::get(url)), response)
    }

    const STORY: &str =
        "<p>Salt is older than money, and was money in its time; soldiers were paid with it, or so
        they <a href='../say?a=1&amp;b'>say</a>, and <b>cities</b> were built where it could be found.</p>";

    fn news() -> String {
        format!(
            "<html lang=en><title>Salt - The Paper</title><meta property=og:site_name content='The Paper'>
            <meta name=description content='About salt.'>
            <script type=application/ld+json>{{\"@graph\": [{{\"@type\": \"WebPage\", \"datePublished\": \"1999\"}},
              {{\"@type\": [\"NewsArticle\"], \"author\": [{{\"name\": \"Ann\"}}], \"datePublished\": \"2026-11-22\"}}]}}</script>
            <header class=menu><ul><li><a href=/>Home</a><li><a href=/x>Sport</a></ul></header>
            <div class=sidebar><p>Advertisement</p></div><main><article><h2>Where it comes from</h2>{}</article></main>
            <footer>Imprint, cookies, and so on</footer>",
            STORY.repeat(6)
        )
    }

    #[test]
    fn the_main_text_is_found_and_what_is_around_it_is_not() {
        let found = article(&page(&news())).unwrap();
        assert!(
            found.text.contains("Salt is older than money") && found.text.contains("Where it comes from")
        );
        for other in ["Home", "Sport", "Advertisement", "Imprint", "Salt - "] {
            assert!(!found.text.contains(other), "{other}: {}", found.text);
        }
        assert_eq!(found.length, found.text.chars().count());
    }

    #[test]
    fn markdown_and_html_have_absolute_links() {
        let found = article(&page(&news())).unwrap();
        assert!(found.markdown.contains("[say](http://a.example/say?a=1&amp;b)"), "{}", found.markdown);
        assert!(found.markdown.contains("**cities**") && found.markdown.contains("# Where it comes from"));
        assert!(found.html.contains("href=\"http://a.example/say?a=1&amp;b\""), "{}", found.html);
        assert!(!found.html.contains("<script"));
    }

    #[test]
    fn what_is_said_of_it_comes_from_the_page_and_from_its_json_ld() {
        let found = article(&page(&news())).unwrap();
        assert_eq!(found.title, "Salt - The Paper");
        assert_eq!(found.byline.as_deref(), Some("Ann"));
        assert_eq!(found.published.as_deref(), Some("2026-11-22"));
        assert_eq!(found.excerpt.as_deref(), Some("About salt."));
        assert_eq!(found.site_name.as_deref(), Some("The Paper"));
        assert_eq!(found.lang.as_deref(), Some("en"));
    }

    #[test]
    fn a_page_without_text_has_no_article() {
        for body in ["", "<title>x</title>", "<script>var a = 1</script>", "<img src=x>"] {
            assert_eq!(article(&page(body)), None, "{body}");
        }
    }

    #[test]
    fn a_page_made_to_cost_is_bounded() {
        let deep = format!("{}{STORY}", "<div>".repeat(5_000));
        let clock = crate::clock::Clock::start();
        for (name, body) in [
            ("deep", deep.repeat(20)),
            ("deep quotes", format!("{}{STORY}", "<ul><li><blockquote>".repeat(3_000)).repeat(10)),
            ("wide", format!("<div>{}", "<p>a, b, c".repeat(19_000))),
            ("spans", format!("<p>{}", "<span>a<br>".repeat(9_000))),
            ("too wide", "<p>x".repeat(30_000)),
            ("too long", "word ".repeat(1_000_000)),
            ("breaks", "<br>".repeat(19_000)),
            ("fonts", format!("{}{STORY}", "<font>".repeat(19_000))),
            ("tables", format!("{}{STORY}", "<table><tr><td>".repeat(5_000))),
            ("links", "<p><a href=x>some, text</a> b".repeat(6_000)),
            ("text", format!("<p>{}", "word, ".repeat(340_000))),
            ("references", format!("<p>{}", "&amp;".repeat(40_000))),
            ("short references", format!("<p>{}", "&amp;".repeat(6_000)).repeat(8)),
            ("references in an attribute", format!("<p title='{}'>{STORY}", "&amp;".repeat(40_000))),
            (
                "title",
                format!(
                    "<title>{}</title><h1>{}</h1>{STORY}",
                    "a - ".repeat(200_000),
                    "b | ".repeat(100_000)
                ),
            ),
        ] {
            let began = clock.now();
            let found = article(&page(&body)).map(|found| found.length);
            let took = clock.now().since(began);
            eprintln!("{name}: {took:?}, {found:?}");
            assert!(took.as_secs() < 60, "{name}: {took:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_markup_makes_it_panic(body in "(<(p|div|a href=x|img src=x|table|tr|td|br|ul|li|h1|font|noscript|svg|template|title|meta name=author content=é)>|</(p|div|table|noscript)>|[a-zé, ]{0,40}){0,30}") {
            let markup = page(&body).html().html();
            let _ = read(markup, "http://a.example/");
        }
    }
}
