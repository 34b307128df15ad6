use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

/// What goes to `to` after `fields` came from `from`.
fn sent(from: &str, fields: &[&str], to: &str) -> Option<String> {
    let mut jar = Jar::default();
    for field in fields {
        jar.receive(&url(from), field, NOW);
    }
    jar.header(&url(to), NOW)
}

#[test]
fn a_cookie_without_a_domain_goes_to_its_host_only() {
    assert_eq!(sent("http://a.example/", &["a=1"], "http://a.example/x").as_deref(), Some("a=1"));
    assert_eq!(sent("http://a.example/", &["a=1"], "http://b.a.example/"), None);
    assert_eq!(sent("http://b.a.example/", &["a=1"], "http://a.example/"), None);
}

#[test]
fn a_domain_must_be_the_hosts_own_and_no_public_suffix() {
    let from = "http://www.a.co.uk/";
    assert!(sent(from, &["a=1; Domain=a.co.uk"], "http://b.a.co.uk/").is_some());
    for domain in ["co.uk", "uk", "b.a.co.uk", "w.a.co.uk", "xa.co.uk", "127.0.0.1"] {
        assert_eq!(sent(from, &[&format!("a=1; Domain={domain}")], from), None, "{domain}");
    }
    let pages = "http://me.github.io/";
    assert_eq!(sent(pages, &["a=1; Domain=github.io"], "http://you.github.io/"), None);
}

#[test]
fn addresses_and_single_names_have_cookies_of_their_own() {
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let (here, field) = (format!("http://{host}:81/"), format!("a=1; Domain={host}"));
        assert!(sent(&here, &["b=1"], &here).is_some(), "{host}");
        assert!(sent(&here, &[&field], &format!("http://{host}/")).is_some(), "{host}");
    }
    assert_eq!(sent("http://127.0.0.1/", &["a=1; Domain=0.0.1"], "http://127.0.0.1/"), None);
    assert_eq!(sent("http://x.localhost/", &["a=1; Domain=localhost"], "http://x.localhost/"), None);
}

#[test]
fn paths_end_at_slashes() {
    let from = "http://a.example/one/two";
    assert!(sent(from, &["a=1"], "http://a.example/one").is_some());
    assert!(sent(from, &["a=1"], "http://a.example/one/three?x").is_some());
    assert_eq!(sent(from, &["a=1"], "http://a.example/ones"), None);
    assert!(sent(from, &["a=1; path=/on"], "http://a.example/on/x").is_some());
}

#[test]
fn what_came_over_http_neither_sets_nor_covers_a_secure_cookie() {
    assert_eq!(sent("http://a.example/", &["a=1; Secure"], "https://a.example/"), None);
    let mut jar = Jar::default();
    jar.receive(&url("https://a.example/"), "a=1; Secure", NOW);
    assert!(jar.receive(&url("http://a.example/"), "a=2", NOW).is_empty());
    assert_eq!(jar.header(&url("https://a.example/"), NOW).as_deref(), Some("a=1"));
    assert_eq!(jar.header(&url("http://a.example/"), NOW), None);
}

#[test]
fn prefixes_mean_what_they_say() {
    let here = "https://a.example/";
    assert!(sent(here, &["__Host-a=1; Secure; Path=/"], here).is_some());
    for field in [
        "__Host-a=1; Path=/",
        "__Host-a=1; Secure; Path=/x",
        "__Host-a=1; Secure; Domain=a.example; Path=/",
        "__secure-a=1",
    ] {
        assert_eq!(sent(here, &[field], here), None, "{field}");
    }
}

#[test]
fn time_passes_by_the_callers_clock() {
    let mut jar = Jar::default();
    let here = url("http://a.example/");
    jar.receive(&here, "a=1; Max-Age=10", NOW);
    assert!(jar.header(&here, NOW + std::time::Duration::from_secs(9)).is_some());
    assert_eq!(jar.header(&here, NOW + std::time::Duration::from_secs(10)), None);
}

#[test]
fn only_what_has_changed_is_told() {
    let mut jar = Jar::default();
    let here = url("http://a.example/");
    assert!(matches!(&jar.receive(&here, "a=1", NOW)[..], [CookieChange::Set(_)]));
    assert_eq!(jar.receive(&here, "a=1", NOW), []);
    assert!(matches!(&jar.receive(&here, "a=2", NOW)[..], [CookieChange::Set(_)]));
    assert!(matches!(&jar.receive(&here, "a=2; max-age=0", NOW)[..], [CookieChange::Gone(_)]));
    assert_eq!(jar.receive(&here, "a=2; max-age=0", NOW), []);
    assert_eq!((jar.bytes, jar.shelves.len()), (0, 0));
}

#[test]
fn a_flood_pushes_out_what_is_not_used() {
    let mut jar = Jar::default();
    let here = url("http://a.example/");
    jar.receive(&here, "session=1; path=/", NOW);
    for n in 0..200 {
        assert!(jar.header(&url("http://a.example/x"), NOW).is_some());
        jar.receive(&here, &format!("n{n}=1; path=/elsewhere"), NOW);
    }
    assert_eq!(jar.cookies().count(), MAX_PER_DOMAIN);
    assert_eq!(jar.header(&here, NOW).as_deref(), Some("session=1"));
}

#[test]
fn a_jar_takes_as_much_as_it_is_told_to() {
    let jar = CookieJar::with_limits(JarLimits { per_domain: 2, bytes: 5 });
    let (mut jar, here) = (jar.open(), url("http://a.example/"));
    for field in ["a=1", "long=12", "b=1", "long=1", "b=2"] {
        jar.receive(&here, field, NOW);
    }
    assert_eq!(jar.header(&here, NOW).as_deref(), Some("b=2; long=1"), "the first went for the third");
    assert_eq!(jar.receive(&here, "c=12345", NOW), []);
}

#[test]
fn a_jar_never_grows_beyond_its_bytes() {
    let mut jar = Jar::default();
    let value = "x".repeat(4_000);
    for n in 0..9_000 {
        jar.receive(&url(&format!("http://h{n}.example/")), &format!("a={value}"), NOW);
    }
    assert!(jar.bytes <= MAX_BYTES);
    assert_eq!(jar.bytes, jar.cookies().map(Cookie::cost).sum::<usize>());
    assert!(jar.header(&url("http://h8999.example/"), NOW).is_some());
}

#[test]
fn what_was_written_down_takes_its_old_place() {
    let mut jar = Jar::default();
    let here = url("http://a.example/");
    let mut told = jar.receive(&here, "b=1", NOW);
    told.extend(jar.receive(&here, "a=1", NOW));
    let kept = told.into_iter().rev().filter_map(|change| match change {
        CookieChange::Set(cookie) => Some(cookie),
        CookieChange::Gone(_) => None,
    });
    let mut again = Jar::default();
    again.restore(kept.collect(), NOW);
    again.receive(&here, "c=1", NOW);
    assert_eq!(again.header(&here, NOW).as_deref(), Some("b=1; a=1; c=1"));
}

#[test]
fn what_is_given_is_not_written_down_and_gives_way() {
    let mut jar = Jar::default();
    jar.give("*.a.example", "s=1; t=2", NOW).unwrap();
    jar.give("https://b.example", "u=3", NOW).unwrap();
    assert_eq!(jar.header(&url("http://x.a.example/"), NOW).as_deref(), Some("s=1; t=2"));
    assert_eq!(jar.header(&url("http://b.example/"), NOW), None);
    assert!(jar.header(&url("https://b.example/"), NOW).is_some());
    let told = jar.receive(&url("http://a.example/"), "s=4; domain=a.example; path=/", NOW);
    assert!(matches!(&told[..], [CookieChange::Set(_)]));
    assert_eq!(jar.header(&url("http://a.example/"), NOW).as_deref(), Some("s=4; t=2"));
}

#[test]
fn a_gift_that_cannot_be_kept_is_refused() {
    let mut jar = Jar::default();
    assert!(matches!(jar.give("a b", "a=1", NOW), Err(CookieError::Host(_))));
    for place in ["*.co.uk", "*.127.0.0.1", "*.localhost"] {
        assert!(matches!(jar.give(place, "a=1", NOW), Err(CookieError::TooWide(_))), "{place}");
    }
    for pairs in ["", "a", "a=1;", "a=1\nb=2"] {
        assert_eq!(jar.give("a.example", pairs, NOW), Err(CookieError::Pairs), "{pairs:?}");
    }
}

#[test]
fn values_are_not_printed() {
    let mut jar = Jar::default();
    let told = jar.receive(&url("http://a.example/"), "a=s3cret", NOW);
    assert!(!format!("{jar:?} {told:?}").contains("s3cret"));
}
