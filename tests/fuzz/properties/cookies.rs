//! Cookies: each line is a `Set-Cookie` field; its first letter chooses which host sets it.

use std::collections::BTreeMap;
use std::time::Duration;

use crawl::cookies::{CookieChange, Jar, MAX_BYTES, MAX_PER_DOMAIN, Reach};
use crawl::url::CanonicalUrl;

use super::input::{NOW, url};

const PLACES: [&str; 8] = [
    "https://www.shop.example.co.uk/a/b/c",
    "http://www.shop.example.co.uk/a/b",
    "https://shop.example.co.uk/",
    "http://co.uk/a",
    "https://other.example/a/b/c",
    "http://127.0.0.1:8080/x",
    "https://[::1]/a/",
    "https://example.co.uk./a",
];

pub fn check(bytes: &[u8]) {
    let places = PLACES.map(url);
    let mut jar = Jar::default();
    let mut written = BTreeMap::new();
    for field in bytes.split(|byte| *byte == b'\n') {
        let from = &places[usize::from(field.first().copied().unwrap_or_default()) % PLACES.len()];
        let field = String::from_utf8_lossy(field);
        for change in jar.receive(from, &field, NOW) {
            match change {
                CookieChange::Set(cookie) => {
                    assert!(is_for(from, &cookie.domain), "{from} sets {cookie:?}");
                    written.insert(cookie.key(), cookie);
                }
                CookieChange::Gone(key) => drop(written.remove(&key)),
            }
        }
    }
    is_bounded(&jar);
    let told: Vec<_> = places.iter().map(|place| jar.header(place, NOW)).collect();
    told.iter().flatten().for_each(|field| can_be_sent(field));
    secure_ones_stay_on_https(&jar, &places, &told);
    let mut restored = Jar::default();
    restored.restore(written.into_values().collect(), NOW);
    let again: Vec<_> = places.iter().map(|place| restored.header(place, NOW)).collect();
    assert_eq!(again, told, "a jar is put back from what was told of it");
    let later = NOW + Duration::from_secs(60);
    assert!(places.iter().all(|place| {
        jar.header(place, later)
            .is_none_or(|left| left.len() <= jar.header(place, NOW).map_or(0, |all| all.len()))
    }));
}

/// A host sets cookies for itself and for domains that it lies in, and never for a public suffix.
fn is_for(place: &CanonicalUrl, domain: &str) -> bool {
    let host = place.host();
    let is_above = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    host == domain || is_above && !matches!(domain, "uk" | "co.uk" | "example" | "1" | "0.0.1")
}

fn is_bounded(jar: &Jar) {
    let mut of_domain = BTreeMap::<&str, usize>::new();
    for cookie in jar.cookies() {
        *of_domain.entry(&cookie.domain).or_default() += 1;
        assert!(cookie.name.len() + cookie.value.len() <= 4_096);
        assert!(cookie.reach == Reach::Host || cookie.domain.contains('.'), "{cookie:?}");
        let shown = format!("Cookie({} of {}{})", cookie.name, cookie.domain, cookie.path);
        assert_eq!(format!("{cookie:?}"), shown, "a value is a secret");
    }
    assert!(of_domain.values().all(|count| *count <= MAX_PER_DOMAIN));
    let bytes: usize = jar.cookies().map(|cookie| cookie.name.len() + cookie.value.len()).sum();
    assert!(bytes <= MAX_BYTES);
}

fn can_be_sent(field: &str) {
    assert!(!field.contains(|letter: char| letter.is_ascii_control() && letter != '\t'), "{field:?}");
    assert!(http::HeaderValue::from_bytes(field.as_bytes()).is_ok(), "{field:?}");
}

fn secure_ones_stay_on_https(jar: &Jar, places: &[CanonicalUrl], told: &[Option<String>]) {
    for (place, told) in places.iter().zip(told).filter(|(place, _)| place.as_url().scheme() == "http") {
        let sent: Vec<&str> = told.iter().flat_map(|told| told.split("; ")).collect();
        for pair in sent {
            let open = jar
                .cookies()
                .any(|cookie| !cookie.secure && format!("{}={}", cookie.name, cookie.value).contains(pair));
            assert!(open, "{place} gets {pair:?}");
        }
    }
}
