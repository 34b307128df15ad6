//! A spider that goes wherever a simulated page leads.

use crate::extract::ExtractError;
use crate::item::Harvest;
use crate::page::Page;
use crate::request::Request;
use crate::spider::Spider;
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

/// Follows every link and yields one item per page, `{"url": …}`.
///
/// On a `text/plain` page every line is a link, perhaps with `priority=N` or `wait=SECONDS` (after the page's answer) behind it.
#[derive(Debug, Clone)]
pub struct FollowAll {
    name: String,
    seeds: Vec<Request>,
}

impl FollowAll {
    /// A spider of this name that starts at these URLs, each written like a line of a page.
    ///
    /// # Panics
    /// If one of them is not a URL.
    #[must_use]
    pub fn new<S: AsRef<str>>(name: impl Into<String>, seeds: impl IntoIterator<Item = S>) -> Self {
        let seed = |line: S| {
            let (href, wishes) = parts(line.as_ref());
            let url = CanonicalUrl::parse(href).unwrap_or_else(|error| panic!("{error}"));
            wished(Request::get(url), wishes, Timestamp::ZERO)
        };
        Self { name: name.into(), seeds: seeds.into_iter().map(seed).collect() }
    }
}

impl Spider for FollowAll {
    fn name(&self) -> &str {
        &self.name
    }

    fn seeds(&self) -> Vec<Request> {
        self.seeds.clone()
    }

    fn parse(&self, page: &Page, harvest: &mut Harvest) -> Result<(), ExtractError> {
        harvest.item(&serde_json::json!({ "url": page.request().url }))?;
        let kind = page.response().header("content-type").unwrap_or_default();
        if !kind.starts_with("text/plain") {
            for href in page.select("a[href]")?.attrs("href") {
                harvest.follow(page.follow(href)?);
            }
            return Ok(());
        }
        let text = String::from_utf8_lossy(&page.response().body);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (href, wishes) = parts(line);
            let request = page.follow(href)?;
            harvest.follow(wished(request, wishes, page.response().ended));
        }
        Ok(())
    }
}

fn parts(line: &str) -> (&str, &str) {
    line.trim().split_once(' ').unwrap_or((line.trim(), ""))
}

/// The request with what stands behind the link.
fn wished(mut request: Request, wishes: &str, now: Timestamp) -> Request {
    for wish in wishes.split_ascii_whitespace() {
        let (key, value) = wish.split_once('=').unwrap_or((wish, ""));
        match (key, value.parse::<i64>()) {
            ("priority", Ok(priority)) => {
                request = request.priority(i8::try_from(priority).unwrap_or_default());
            }
            ("wait", Ok(seconds)) => {
                let wait = std::time::Duration::from_secs(seconds.unsigned_abs());
                request = request.not_before(now + wait);
            }
            _ => {}
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_priority_and_wait() {
        let request = Request::get(CanonicalUrl::parse("http://a.example/").unwrap());
        let request = wished(request, "priority=-3 wait=60", Timestamp::from_secs(1));
        assert_eq!(request.priority, -3);
        assert_eq!(request.not_before, Some(Timestamp::from_secs(61)));
    }

    #[test]
    fn html_and_text_are_both_followed() {
        let spider = FollowAll::new("all", ["http://a.example/"]);
        let html = crate::testing::page("http://a.example/", "<a href=/x>x</a>");
        let harvest = crate::testing::harvest(&spider, &html).unwrap();
        assert_eq!(harvest.requests()[0].url.as_str(), "http://a.example/x");
        assert_eq!(harvest.items().len(), 1);
    }
}
