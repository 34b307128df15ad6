use super::*;

const POLICY: TrapPolicy = TrapPolicy { alike: 50 };

fn url(rest: &str) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("http://a.example{rest}")).unwrap()
}

fn digest(text: &str) -> u64 {
    Fingerprint::of(text.as_bytes()).get()
}

/// A page with this text and this body; without numbers the text is its words.
fn look(body: &str, text: &str) -> Impression {
    let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    Impression {
        body: digest(&format!("body {body}")),
        text: digest(&format!("text {text}")),
        words: digest(&format!("words {words}")),
        says_missing: text.contains("404"),
    }
}

fn see(traps: &mut Traps, rest: &str, look: Impression, leads: &[&str]) -> (Novelty, Option<usize>) {
    let (page, leads) = (url(rest), leads.iter().map(|rest| url(rest)).collect::<Vec<_>>());
    let leads: Vec<_> = leads.iter().collect();
    traps.see(&Seen { url: &page, depth: 3, look, leads: &leads }, &POLICY)
}

/// Asks for pages until one is parked; gives how many that took.
fn until_parked(traps: &mut Traps, most: u32, mut page: impl FnMut(u32, &mut Traps)) -> Option<u32> {
    (0..most).find(|number| {
        page(*number, traps);
        !traps.parked().is_empty()
    })
}

#[test]
fn fifty_pages_with_one_body_park_their_pattern_and_the_rest_is_still_asked() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        see(traps, &format!("/dup/{n}"), look("same", "same"), &[]);
    });
    assert_eq!(took, Some(50));
    let parked = &traps.parked()[0];
    assert_eq!((parked.pattern.as_str(), parked.why, parked.pages), ("/dup/#", Why::SameBody, 50));
    assert_eq!(parked.examples.len(), 3);
    assert!(traps.parked_by(&url("/dup/9999")).is_some());
    assert!(traps.parked_by(&url("/article/1")).is_none());
}

#[test]
fn a_site_whose_pages_differ_in_a_number_is_not_parked() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 5_000, |n, traps| {
        see(traps, &format!("/p/{n}"), look(&n.to_string(), &format!("page {n}")), &[]);
    });
    assert_eq!(took, None);
}

#[test]
fn months_that_differ_in_numbers_only_are_parked_after_a_hundred() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        let (year, month) = (2024 + n / 12, n % 12 + 1);
        let text = format!("{year}-{month}");
        see(traps, &format!("/cal/{year}/{month}"), look(&text, &text), &["/cal/3000/1"]);
    });
    assert_eq!(took, Some(100));
    assert_eq!(traps.parked()[0].why, Why::Dates);
}

#[test]
fn an_archive_whose_days_have_texts_of_their_own_is_not_parked() {
    let mut traps = Traps::default();
    let words =
        |n: u32| format!("news {}", ["of", "and", "or", "a"][(n % 4) as usize].repeat(n as usize + 1));
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        see(traps, &format!("/2024/1/{n}"), look(&words(n), &words(n)), &[]);
    });
    assert_eq!(took, None);
}

#[test]
fn lists_that_say_the_same_and_lead_to_new_pages_are_not_parked() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        let leads = format!("/product/{n}");
        see(traps, &format!("/list?page={n}"), look(&n.to_string(), "products"), &[&leads]);
    });
    assert_eq!(took, None);
}

#[test]
fn pages_that_count_up_and_say_the_same_are_read_to_their_end() {
    let mut traps = Traps::default();
    let parked = until_parked(&mut traps, 900, |n, traps| {
        let (own, next) = (format!("/page/{n}"), format!("/page/{}", n + 1));
        see(traps, &own, look(&own, "generated"), &[next.as_str()]);
    });
    assert_eq!(parked, None);
}

#[test]
fn kinds_of_pages_that_lead_to_one_another_under_ever_new_names_are_parked() {
    let mut traps = Traps::default();
    let kinds = ["home", "a", "b", "c", "d", "e"];
    let mut skipped = 0;
    for n in 0..3_000_u32 {
        let kind = kinds[n as usize % kinds.len()];
        let own = format!("/s/x{n}/{kind}");
        if traps.parked_by(&url(&own)).is_some() {
            skipped += 1;
            continue;
        }
        let leads: Vec<_> = kinds.iter().map(|kind| format!("/s/y{n}/{kind}")).collect();
        let leads: Vec<_> = leads.iter().map(String::as_str).collect();
        see(&mut traps, &own, look(&own, kind), &leads);
    }
    assert!(skipped > 2_200, "{skipped}");
}

#[test]
fn a_way_to_pages_that_still_say_something_is_a_way_on() {
    let mut traps = Traps::default();
    for n in 0..2_000_u32 {
        let article = format!("/article/x{n}");
        see(&mut traps, &format!("/list/x{n}"), look(&n.to_string(), "list"), &[&article]);
        let text = if n % 5 == 0 { "of its own ".repeat(n as usize + 1) } else { "sold out".to_owned() };
        see(&mut traps, &article, look(&article, &text), &[]);
    }
    assert!(traps.parked_by(&url("/list/x9")).is_none());
}

#[test]
fn session_ids_are_parked_by_their_key_over_all_pages() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        let page = n % 20;
        let leads = format!("/p/{};sid=x{n}", (n + 1) % 20);
        see(
            traps,
            &format!("/part{}/p;sid=a{n}", char::from(b'a' + page as u8)),
            look(&n.to_string(), &format!("part {}", char::from(b'a' + page as u8))),
            &[&leads],
        );
    });
    assert!(took.is_some_and(|took| took < 100), "{took:?}");
    assert_eq!(traps.parked()[0].pattern, "**;sid=*");
}

#[test]
fn facets_in_any_order_are_parked_together() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        let keys = ["a", "b", "c", "d", "e", "f"];
        let one = |place: u32| format!("{}={}", keys[(n as usize + place as usize) % 6], n % 3);
        let rest = format!("/list?{}", (0..=n % 6).map(one).collect::<Vec<_>>().join("&"));
        see(traps, &format!("{rest}&z{n}=1"), look(&n.to_string(), "facets"), &["/list?a=9"]);
    });
    assert_eq!(took, Some(50));
    assert_eq!(traps.parked()[0].pattern, "/list?**");
}

#[test]
fn pages_that_say_404_with_status_200_are_parked_per_directory() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        let word: String = format!("{n:04}").bytes().map(|b| char::from(b + 49)).collect();
        see(traps, &format!("/blog/{word}"), look(&word, &format!("404 {word}")), &[]);
    });
    assert_eq!(took, Some(100));
    assert_eq!((traps.parked()[0].pattern.as_str(), traps.parked()[0].why), ("/blog/*", Why::NotFound));
}

#[test]
fn what_lies_in_the_root_is_never_parked_as_a_whole() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 1_000, |n, traps| {
        let word: String = format!("{n:04}").bytes().map(|b| char::from(b + 49)).collect();
        see(traps, &format!("/{word}"), look("same", "same"), &[]);
    });
    assert_eq!(took, None);
}

#[test]
fn one_page_that_brings_something_outweighs_nine_that_do_not() {
    let mut traps = Traps::default();
    let took = until_parked(&mut traps, 5_000, |n, traps| {
        let text = if n % 10 == 0 { format!("new {}", "x".repeat(n as usize)) } else { "same".to_owned() };
        see(traps, &format!("/p/{n}"), look(&text, &text), &[]);
    });
    assert_eq!(took, None);
}

#[test]
fn a_page_that_is_asked_again_is_not_its_own_like() {
    let mut traps = Traps::default();
    for _ in 0..500 {
        let (novelty, _) = see(&mut traps, "/p/1", look("same", "same"), &[]);
        assert_eq!(novelty, Novelty::New);
    }
}

#[test]
fn with_zero_nothing_is_parked() {
    let mut traps = Traps::default();
    for n in 0..500 {
        let page = url(&format!("/dup/{n}"));
        let seen = Seen { url: &page, depth: 1, look: look("same", "same"), leads: &[] };
        traps.see(&seen, &TrapPolicy { alike: 0 });
    }
    assert!(traps.parked().is_empty());
}

#[test]
fn memory_is_bounded_whatever_a_host_sends() {
    let mut traps = Traps::default();
    for n in 0..20_000_u32 {
        let directory: String = format!("{n:05}").bytes().map(|b| char::from(b + 49)).collect();
        see(&mut traps, &format!("/{directory}/x"), look("same", "same"), &[]);
        see(&mut traps, &format!("/new/{n}"), look(&n.to_string(), &"x".repeat(n as usize % 97)), &[]);
    }
    assert!(traps.known() <= MOST_KNOWN);
    assert!(traps.tallies.len() <= MOST_PATTERNS);
    assert!(traps.parked().len() <= MOST_PARKED);
}

#[test]
fn fifty_sitemaps_in_a_row_that_name_nothing_but_sitemaps_have_no_end() {
    let policy = TrapPolicy::default();
    let mut traps = Traps::default();
    for names in [SitemapNames::Sitemaps; 49].into_iter().chain([SitemapNames::Pages]) {
        assert!(!traps.see_sitemap(names, &policy));
    }
    let seen: Vec<_> = (0..60).map(|_| traps.see_sitemap(SitemapNames::Sitemaps, &policy)).collect();
    assert_eq!(seen.iter().position(|is_over| *is_over), Some(49));
    assert_eq!(seen.iter().filter(|is_over| **is_over).count(), 1, "it is told once");
    assert!(traps.no_more_sitemaps().is_some());
}

#[test]
fn who_wants_all_of_it_gets_all_sitemaps() {
    let policy = TrapPolicy { alike: 0 };
    let mut traps = Traps::default();
    assert!((0..500).all(|_| !traps.see_sitemap(SitemapNames::Sitemaps, &policy)));
    assert_eq!(traps.no_more_sitemaps(), None);
}
