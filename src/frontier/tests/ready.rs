//! Who goes first when more hosts are due than connections are free.

use super::*;

/// One connection, a hundred hosts with two pages each, and then these with so many.
fn crowd(settings: Settings, policy: Policy, more: &[(&str, u64)]) -> Frontier {
    let mut frontier = frontier(Settings { max_in_flight: 1, ..settings }, policy);
    let names = (0..100).map(|host| (format!("small{host}.example"), 2));
    for (name, pages) in names.chain(more.iter().map(|(name, pages)| ((*name).to_owned(), *pages))) {
        let origin = request(&format!("http://{name}/")).origin();
        frontier.restore_queue(at(0), &origin, pages);
    }
    frontier
}

fn first(mut frontier: Frontier) -> String {
    robots(frontier.next(at(0))).url().host().to_owned()
}

const BIG: &[(&str, u64)] = &[("big.example", 500)];

#[test]
fn a_host_that_decides_how_long_the_crawl_takes_goes_first() {
    assert_eq!(first(crowd(settings(), policy(), BIG)), "big.example");
}

#[test]
fn in_a_short_crawl_who_is_due_first_goes_first() {
    assert_eq!(first(crowd(settings(), policy(), &[("big.example", 50)])), "small0.example");
}

#[test]
fn a_host_counts_for_no_more_than_its_limit_of_pages() {
    let limited = Policy { max_pages: Some(3), ..policy() };
    assert_eq!(first(crowd(settings(), limited, &[("big.example", 50_000)])), "small0.example");
}

#[test]
fn where_the_crawl_ends_at_a_number_of_pages_no_host_goes_first() {
    let limited = Settings { max_pages: Some(400), ..settings() };
    assert_eq!(first(crowd(limited, policy(), BIG)), "small0.example");
}

#[test]
fn hosts_that_share_a_pace_are_long_together() {
    let names: Vec<String> = (0..100).map(|host| format!("h{host}.shop.example")).collect();
    let shops: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 4)).collect();
    assert_eq!(first(crowd(settings(), policy(), &shops)), "small0.example");
    let sharing = Sharing { group: Grouping::Domain, ..settings().sharing };
    assert_eq!(first(crowd(Settings { sharing, ..settings() }, policy(), &shops)), "h0.shop.example");
}

#[test]
fn of_a_hundred_small_hosts_and_two_long_ones_none_waits_longer_than_eight_rounds() {
    let big = [("big0.example", 1_500), ("big1.example", 1_500)];
    let mut frontier = crowd(settings(), Policy { delay: Duration::from_millis(1), ..policy() }, &big);
    let (mut now, mut asked) = (0, Vec::new());
    while asked.len() < 900 {
        match frontier.next(at(now)) {
            Step::Robots(lease) => {
                asked.push(lease.url().host().to_owned());
                now += 400;
                let done = Outcome { began: lease.began, ..outcome(Class::Gone, at(now)) };
                let _ = frontier.settle_robots(at(now), lease, &done, &answer(404, ""));
            }
            Step::Fetch(lease) => {
                asked.push(lease.request().host().to_string());
                now += 400;
                let done = Outcome { began: lease.began, ..outcome(Class::Fetched, at(now)) };
                let _ = frontier.settle(at(now), lease, &done, None);
            }
            Step::Load(load) => {
                let origin = load.origin.as_str().to_owned();
                let first = load.after.map_or(0, |key| key.seq + 1);
                let last = if origin.contains("big") { 1_500 } else { 2 };
                let found = (first..last.min(first + load.limit as u64)).map(|seq| pending(&origin, seq));
                let found = found.collect();
                frontier.load(at(now), load, found);
            }
            Step::WaitUntil(moment) => now = moment.as_millis(),
            other => panic!("{other:?}"),
        }
    }
    let small = |name: &&String| name.starts_with("small");
    let met: std::collections::BTreeSet<_> = asked.iter().filter(small).collect();
    assert_eq!(met.len(), 100, "everybody had a turn in eight rounds");
    assert!(asked.iter().filter(small).count() >= 900 / 8);
    assert!(asked.iter().filter(|name| !small(name)).count() > 600, "and the long ones went first");
}
