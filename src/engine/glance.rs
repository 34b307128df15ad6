//! What is noted of a page in passing: how it looks, and that it was cut off.

use serde_json::{Map, Value};

use crate::fetch::Limits;
use crate::item::Harvest;
use crate::page::Page;
use crate::response::{Response, Truncation};
use crate::trap::{Impression, needs_text};
use crate::url::{CanonicalUrl, Fingerprint};

/// Whether it is noted what a page looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Glance {
    /// It is.
    Look,
    /// It is not.
    #[default]
    Pass,
}

/// What a page looks like, with what was taken from it. `body` is the digest of its body.
pub(super) fn impression(page: &Page, body: u64, harvest: &Harvest) -> Impression {
    if !needs_text(page.url(), page.request().depth) {
        return page.first_impression(body);
    }
    let items: Vec<_> =
        harvest.items().iter().map(|(kind, fields)| (kind, told(fields, page.url()))).collect();
    let items = serde_json::to_vec(&items).expect("JSON values are written as JSON");
    page.impression(body, Fingerprint::of(&items).get())
}

/// The fields of an item that say more than where it was found.
fn told<'a>(fields: &'a Map<String, Value>, page: &CanonicalUrl) -> Vec<(&'a String, &'a Value)> {
    fields.iter().filter(|(_, value)| value.as_str() != Some(page.as_str())).collect()
}

/// Says that a page was not read to its end, and which key of the crawler file has it so.
pub(super) fn cut_off(response: &Response, limits: &Limits) -> Option<String> {
    let kept = response.body.len();
    Some(match response.truncated? {
        Truncation::Length => format!(
            "its body was cut off after {kept} bytes, the rest was not read: http.max-body is {}",
            limits.body
        ),
        Truncation::Ratio => format!(
            "its body was cut off after {kept} bytes: it unpacks to more than {} times its size (http.max-ratio)",
            limits.ratio
        ),
        Truncation::Coding => {
            format!(
                "its content coding is broken, not known, or one more than http.max-codings lets in: {kept} bytes of it were read"
            )
        }
        Truncation::Time | Truncation::Disconnect => format!("its body ended after {kept} bytes, too soon"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_whole_says_which_limit_it_hit() {
        let url = CanonicalUrl::parse("http://a.example/").unwrap();
        let mut response = Response::of(url, http::StatusCode::OK, "0123456789");
        let limits = Limits::default();
        assert_eq!(cut_off(&response, &limits), None);
        response.truncated = Some(Truncation::Length);
        assert!(cut_off(&response, &limits).unwrap().contains("http.max-body"));
        response.truncated = Some(Truncation::Ratio);
        assert!(cut_off(&response, &limits).unwrap().contains("http.max-ratio"));
    }
}
