//! Who the crawler says it is: the `User-Agent` of every request (RFC 9110 10.1.5).
//!
//! Its product is the name that robots.txt files know us by (RFC 9309 2.2.1), and behind it stands how to reach whoever runs us.

/// `name/version (+contact)`.
///
/// ```
/// use crawl::headers::user_agent::user_agent;
///
/// assert_eq!(user_agent("shop-watch", "1.0", Some("me@shop.example")), "shop-watch/1.0 (+me@shop.example)");
/// assert_eq!(user_agent("shop-watch", "1.0", None), "shop-watch/1.0");
/// ```
#[must_use]
pub fn user_agent(name: &str, version: &str, contact: Option<&str>) -> String {
    let contact = contact.map(|contact| format!(" (+{contact})")).unwrap_or_default();
    format!("{name}/{version}{contact}")
}
