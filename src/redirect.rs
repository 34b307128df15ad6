//! Where a redirect leads, and what of the request goes along (RFC 9110 15.4; Fetch standard, HTTP-redirect fetch).
//!
//! A redirect is a link: the request made here goes through the front door again, where scope, robots.txt and the pace of
//! its host are judged anew. What may not cross an origin is left behind here.

use http::Method;

use crate::request::{Dedup, Request};
use crate::url::{Canon, UrlError};

/// Redirects that are followed from one request. BEHAVIOUR: at most 10 hops.
pub const MAX_HOPS: u8 = 10;

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectStop {
    /// The answer has no Location field that can be read.
    #[error("redirect without a Location")]
    NoLocation,
    /// The Location is not an http or https URL.
    #[error("redirect to {0}")]
    BadLocation(#[from] UrlError),
    /// The Location is the URL itself.
    #[error("redirect to itself")]
    ToItself,
    /// More redirects in a row than are followed.
    #[error("more redirects in a row than `http.max-redirects` allows")]
    TooManyHops,
}

/// The request that follows `request` after a redirect with this status and Location, if there were fewer than `most` before it
/// ([`MAX_HOPS`], or fewer if so configured).
///
/// # Errors
/// [`RedirectStop`] if it leads nowhere.
pub fn follow(
    request: &Request,
    status: u16,
    location: Option<&str>,
    canon: &Canon,
    most: u8,
) -> Result<Request, RedirectStop> {
    let location = location.map(str::trim).filter(|text| !text.is_empty()).ok_or(RedirectStop::NoLocation)?;
    if request.hops >= most {
        return Err(RedirectStop::TooManyHops);
    }
    let url = canon.join(request.url.as_url(), location)?;
    let mut next = request.clone();
    (next.url, next.hops, next.not_before) = (url, request.hops + 1, None);
    // What a sitemap says of a page it says of no other.
    (next.modified, next.every) = (None, None);
    if next.dedup == Dedup::Revisit {
        // What a page that is due leads to is a page of its own, due in its own time.
        next.dedup = Dedup::Once;
    }
    if becomes_get(&request.method, status) {
        next.method = Method::GET;
        next.body = None;
        next.headers.retain(|(name, _)| !describes_body(name));
    }
    if next.origin() != request.origin() {
        next.headers.retain(|(name, _)| !stays_at_home(name));
    }
    if next.fingerprint() == request.fingerprint() {
        return Err(RedirectStop::ToItself);
    }
    Ok(next)
}

fn becomes_get(method: &Method, status: u16) -> bool {
    match status {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    }
}

fn describes_body(name: &str) -> bool {
    let names =
        ["content-encoding", "content-language", "content-location", "content-type", "content-length"];
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Credentials, and where we came from: a `Referer` may name what only its own site is to know.
fn stays_at_home(name: &str) -> bool {
    ["authorization", "cookie", "proxy-authorization", "host", "referer"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::CanonicalUrl;

    fn get(url: &str) -> Request {
        Request::get(CanonicalUrl::parse(url).unwrap())
    }

    fn to(request: &Request, status: u16, location: &str) -> Result<Request, RedirectStop> {
        follow(request, status, Some(location), &Canon::default(), MAX_HOPS)
    }

    #[test]
    fn a_location_is_relative_to_the_url_that_was_asked() {
        let next = to(&get("http://a.example/x/y"), 302, "../z#part").unwrap();
        assert_eq!(next.url.as_str(), "http://a.example/z");
        assert_eq!((next.hops, next.depth), (1, 0));
    }

    #[test]
    fn a_redirect_keeps_label_and_depth() {
        let mut request = get("http://a.example/x").label("book");
        request.depth = 3;
        let next = to(&request, 301, "/y").unwrap();
        assert_eq!((next.label.as_deref(), next.depth), (Some("book"), 3));
    }

    #[test]
    fn what_a_sitemap_says_of_a_page_does_not_hold_for_where_it_leads() {
        let mut request = get("http://a.example/x");
        (request.modified, request.every) =
            (Some(crate::time::Timestamp::ZERO), Some(std::time::Duration::ZERO));
        let next = to(&request, 301, "/y").unwrap();
        assert_eq!((next.modified, next.every), (None, None));
    }

    #[test]
    fn what_leads_nowhere_is_told_apart() {
        let request = get("http://a.example/self");
        assert_eq!(to(&request, 302, "/self"), Err(RedirectStop::ToItself));
        assert_eq!(to(&request, 302, ""), Err(RedirectStop::NoLocation));
        assert!(matches!(to(&request, 302, "file:///etc/passwd"), Err(RedirectStop::BadLocation(_))));
        assert!(matches!(to(&request, 302, "http://[::not"), Err(RedirectStop::BadLocation(_))));
    }

    #[test]
    fn the_eleventh_hop_is_not_taken() {
        let mut request = get("http://a.example/0");
        for n in 1..=10 {
            request = to(&request, 307, &format!("/{n}")).unwrap();
        }
        assert_eq!(to(&request, 307, "/11"), Err(RedirectStop::TooManyHops));
    }

    #[test]
    fn a_post_becomes_a_get_where_browsers_make_it_one() {
        let url = CanonicalUrl::parse("http://a.example/form").unwrap();
        let post = Request::post(url, "a=1").header("Content-Type", "text/plain");
        for (status, method) in [
            (301, Method::GET),
            (302, Method::GET),
            (303, Method::GET),
            (307, Method::POST),
            (308, Method::POST),
        ] {
            let next = to(&post, status, "/done").unwrap();
            assert_eq!(next.method, method, "{status}");
            assert_eq!(next.body.is_some(), method == Method::POST, "{status}");
        }
    }

    #[test]
    fn credentials_stay_at_their_origin() {
        let request = get("https://a.example/").header("Authorization", "Bearer x").header("X-Page", "1");
        let same = to(&request, 302, "/b").unwrap();
        assert_eq!(same.headers.len(), 2);
        for other in ["https://b.example/", "http://a.example/", "https://a.example:8443/"] {
            let next = to(&request, 302, other).unwrap();
            assert_eq!(next.headers, [("X-Page".to_owned(), "1".to_owned())], "{other}");
        }
    }

    #[test]
    fn a_referer_stays_at_its_origin() {
        let request = get("https://a.example/").header("Referer", "https://a.example/inbox?token=1");
        assert_eq!(to(&request, 302, "/b").unwrap().headers.len(), 1);
        assert_eq!(to(&request, 302, "https://b.example/").unwrap().headers, []);
    }
}
