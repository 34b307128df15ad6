//! One parameter of a query: read, or set and everything else left as it is written.

use url::{Url, form_urlencoded};

/// The value of the first parameter of this name.
#[must_use]
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// Sets a parameter of a query such as `a=1&page=2`. The first of this name gets the value, others of the name are dropped, and
/// one that was not there comes last; whatever else stands there is not touched.
///
/// ```
/// use crawl::url::set_parameter;
/// assert_eq!(set_parameter("q=%C3%A9&page=1&x", "page", "2"), "q=%C3%A9&page=2&x");
/// assert_eq!(set_parameter("", "after", "a&b"), "after=a%26b");
/// ```
#[must_use]
pub fn set_parameter(query: &str, name: &str, value: &str) -> String {
    let mut pair = Some(format!("{}={}", escaped(name), escaped(value)));
    let mut parts = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let is_named = form_urlencoded::parse(part.as_bytes()).any(|(found, _)| found == name);
        match (is_named, &mut pair) {
            (false, _) => parts.push(part.to_owned()),
            (true, pair) => parts.extend(pair.take()),
        }
    }
    parts.extend(pair);
    parts.join("&")
}

/// A text as it may stand in a query, in a path or in a form: a space is `%20`, which means the same in all of them.
#[must_use]
pub fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_keeps_its_place_and_loses_its_doubles() {
        assert_eq!(set_parameter("page=1&a=x&page=7", "page", "2"), "page=2&a=x");
        assert_eq!(set_parameter("a=x&&pag%65=1", "page", "3"), "a=x&page=3");
    }

    #[test]
    fn a_parameter_is_read_decoded() {
        let url = Url::parse("http://a.example/?x=1&after=a%26b+c&after=z").unwrap();
        assert_eq!(parameter(&url, "after").as_deref(), Some("a&b c"));
        assert_eq!(parameter(&url, "page"), None);
    }
}
