//! Hosts that belong together.

use super::*;

/// Hosts of one pace or one address, all of whose robots.txt are known to forbid nothing.
fn together(sharing: Sharing, policy: Policy, hosts: &[&str]) -> Frontier {
    let settings = Settings { sharing, ..settings() };
    let mut frontier = frontier(settings, policy);
    for (seq, host) in hosts.iter().enumerate() {
        frontier.admit(at(0), pending(&format!("http://{host}/"), seq as u64));
    }
    frontier
}

fn grouped(group: Grouping) -> Sharing {
    Sharing { group, ..settings().sharing }
}

/// Asks all that may go out, with one address for every name.
fn pump(frontier: &mut Frontier, now: Timestamp) -> (Vec<RobotsLease>, Step) {
    let mut leases = Vec::new();
    loop {
        match frontier.next(now) {
            Step::Robots(lease) => leases.push(lease),
            Step::Resolve(request) => frontier.resolved(now, request, Some([10, 0, 0, 1].into())),
            step => return (leases, step),
        }
    }
}

fn answered(frontier: &mut Frontier, now: Timestamp, lease: RobotsLease, class: Class, told: Option<u64>) {
    let outcome = Outcome { told: told.map(Duration::from_secs), ..outcome(class, now) };
    let status = if class == Class::Throttled { 429 } else { 404 };
    let _ = frontier.settle_robots(now, lease, &outcome, &answer(status, ""));
}

#[test]
fn hosts_of_one_domain_share_one_pace() {
    let hosts = ["a.x.example", "b.x.example", "c.y.example"];
    let mut frontier = together(grouped(Grouping::Domain), policy(), &hosts);
    let (mut leases, step) = pump(&mut frontier, at(0));
    let asked: Vec<_> = leases.iter().map(|lease| lease.url().host().to_owned()).collect();
    assert_eq!(asked, ["a.x.example", "c.y.example"]);
    assert!(matches!(step, Step::AwaitFetches));
    answered(&mut frontier, at(300), leases.remove(0), Class::Gone, None);
    assert!(matches!(frontier.next(at(300)), Step::WaitUntil(moment) if moment == at(1_300)));
    assert_eq!(robots(frontier.next(at(1_300))).url().host(), "b.x.example");
}

#[test]
fn customers_of_a_public_suffix_and_of_a_multi_tenant_domain_stay_single() {
    let sharing = Sharing { multi_tenant: vec!["pages.example".to_owned()], ..grouped(Grouping::Domain) };
    let names = |domain: &str, count: u32| (0..count).map(|n| format!("c{n}.{domain}")).collect::<Vec<_>>();
    for (domain, at_once) in [("github.io", 20), ("pages.example", TENANTS_IN_FLIGHT as usize)] {
        let hosts = names(domain, 20);
        let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
        let mut frontier = together(sharing.clone(), policy(), &hosts);
        let (mut leases, _) = pump(&mut frontier, at(0));
        assert_eq!(leases.len(), at_once, "{domain}");
        answered(&mut frontier, at(100), leases.remove(0), Class::Gone, None);
        assert_eq!(pump(&mut frontier, at(100)).0.len(), usize::from(at_once < 20), "{domain}");
    }
}

#[test]
fn what_one_host_is_told_holds_for_its_group() {
    for (group, hosts) in
        [(Grouping::Domain, ["a.x.example", "b.x.example"]), (Grouping::Ip, ["a.example", "b.example"])]
    {
        let mut frontier = together(grouped(group), policy(), &hosts);
        let (mut leases, _) = pump(&mut frontier, at(0));
        answered(&mut frontier, at(100), leases.remove(0), Class::Throttled, Some(3_600));
        assert!(
            matches!(frontier.next(at(100)), Step::OnlyParkedLeft { until } if until == at(3_600_100)),
            "{group:?}"
        );
    }
}

#[test]
fn that_a_host_cannot_be_reached_is_said_of_that_host_alone() {
    let mut frontier = together(grouped(Grouping::Domain), policy(), &["a.x.example", "b.x.example"]);
    let (mut leases, _) = pump(&mut frontier, at(0));
    let lost = Outcome { class: Class::Unreachable(FailureKind::Connect), ..outcome(Class::Gone, at(0)) };
    let lease = leases.remove(0);
    let _ = frontier.settle_robots(at(0), lease, &lost, &RobotsReply::None(FailureKind::Connect));
    assert_eq!(robots(frontier.next(at(1_000))).url().host(), "b.x.example");
}

#[test]
fn a_wait_of_an_earlier_run_holds_the_group() {
    for group in [Grouping::Domain, Grouping::Ip] {
        let mut frontier = frontier(Settings { sharing: grouped(group), ..settings() }, policy());
        frontier.resume(at(0));
        let state = HostState { not_before: at(30_000), ..HostState::default() };
        frontier.restore_host(at(0), &HostKey::of("a.x.example"), state);
        frontier.admit(at(0), pending("http://b.x.example/", 1));
        let (leases, step) = pump(&mut frontier, at(1_000));
        assert!(leases.is_empty());
        assert!(matches!(step, Step::WaitUntil(moment) if moment == at(30_000)), "{group:?}: {step:?}");
        assert_eq!(pump(&mut frontier, at(30_000)).0.len(), 1);
    }
}

#[test]
fn nobody_goes_before_the_address_of_a_host_in_a_wait_is_known() {
    let mut frontier = frontier(Settings { sharing: grouped(Grouping::Ip), ..settings() }, policy());
    frontier.resume(at(0));
    let state = HostState { not_before: at(30_000), ..HostState::default() };
    frontier.restore_host(at(0), &HostKey::of("a.example"), state);
    frontier.admit(at(0), pending("http://b.example/", 1));
    let Step::Resolve(request) = frontier.next(at(1_000)) else { panic!("an address is asked for") };
    assert_eq!(request.host().as_str(), "a.example");
    assert!(matches!(frontier.next(at(1_000)), Step::AwaitFetches));
    frontier.resolved(at(1_000), request, None);
    assert!(matches!(frontier.next(at(1_000)), Step::Resolve(_)));
}

#[test]
fn an_address_is_asked_for_once_an_hour_and_a_literal_is_one() {
    let mut frontier = together(Sharing::default(), policy(), &["a.example", "10.0.0.7", "[::1]"]);
    let Step::Resolve(request) = frontier.next(at(0)) else { panic!("an address is asked for") };
    assert_eq!(request.host().as_str(), "a.example");
    for host in ["10.0.0.7", "[::1]"] {
        assert_eq!(robots(frontier.next(at(0))).url().host(), host);
    }
    frontier.resolved(at(0), request, Some([10, 0, 0, 1].into()));
    let lease = robots(frontier.next(at(0)));
    answered(&mut frontier, at(0), lease, Class::Gone, None);
    let lease = fetch(frontier.next(at(1_000)));
    let _ = frontier.settle(at(1_000), lease, &outcome(Class::Gone, at(1_000)), None);
    frontier.admit(at(3_600_000), pending("http://a.example/2", 2));
    assert!(matches!(frontier.next(at(3_600_000)), Step::Resolve(_)));
}

#[test]
fn one_host_alone_may_have_more_than_the_cap_and_two_may_not() {
    let policy = Policy { max_concurrency: 4, delay: Duration::ZERO, ..policy() };
    let mut frontier = frontier(Settings { sharing: Sharing::default(), ..settings() }, policy);
    for seq in 0..9 {
        frontier.admit(at(0), pending(&format!("http://10.0.0.1/{seq}"), seq));
    }
    open(&mut frontier, at(0), &answer(404, ""));
    let mut out: Vec<_> = (0..4).map(|_| fetch(frontier.next(at(0)))).collect();
    frontier.admit(at(0), pending("http://a.example/", 99));
    let (asked, _) = pump(&mut frontier, at(0));
    assert!(asked.is_empty());
    for left in [3, 2] {
        let _ = frontier.settle(at(0), out.remove(0), &outcome(Class::Gone, at(0)), None);
        assert_eq!(out.len(), left);
        assert!(pump(&mut frontier, at(0)).0.is_empty(), "{left} are out");
    }
    let _ = frontier.settle(at(0), out.remove(0), &outcome(Class::Gone, at(0)), None);
    assert_eq!(pump(&mut frontier, at(0)).0.len(), 1);
    assert!(matches!(frontier.next(at(0)), Step::AwaitFetches), "two names share it now");
}

#[test]
fn ten_thousand_hosts_of_one_address_do_not_spin() {
    let hosts: Vec<_> = (0..10_000).map(|n| format!("h{n}.d{}.example", n % 100)).collect();
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    for group in [Grouping::Host, Grouping::Domain, Grouping::Ip] {
        let quick = Policy { delay: Duration::from_millis(100), ..policy() };
        let sharing = Sharing { group, ..Sharing::default() };
        let mut frontier = together(sharing, quick, &hosts);
        let (mut now, mut pages) = (at(0), 0);
        loop {
            match frontier.next(now) {
                Step::Resolve(request) => frontier.resolved(now, request, Some([10, 0, 0, 1].into())),
                Step::Robots(lease) => answered(&mut frontier, now, lease, Class::Gone, None),
                Step::Fetch(lease) => {
                    pages += 1;
                    let _ = frontier.settle(now, lease, &outcome(Class::Fetched, now), None);
                }
                Step::WaitUntil(moment) => now = moment,
                Step::Finished => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pages, 10_000);
        println!("{group:?}: {} places in the timetable for 20,000 requests", frontier.turn);
        assert!(frontier.turn < 10 * 20_000, "{group:?}: {}", frontier.turn);
    }
}

#[test]
fn a_rate_takes_the_place_of_a_delay_and_every_host_has_its_own() {
    let rated =
        Policy { delay: Duration::ZERO, max_concurrency: 9, rate: "2/s".parse().ok(), burst: 3, ..policy() };
    let mut frontier = frontier(settings(), rated);
    for seq in 0..4 {
        frontier.admit(at(0), pending(&format!("http://a.example/{seq}"), seq));
        frontier.admit(at(0), pending(&format!("http://b.example/{seq}"), seq));
    }
    open(&mut frontier, at(10_000), &answer(404, ""));
    open(&mut frontier, at(10_000), &answer(404, ""));
    let mut gone = Vec::new();
    let mut now = at(10_000);
    loop {
        match frontier.next(now) {
            Step::Fetch(lease) => {
                gone.push(now.as_millis() - 10_000);
                let _ = frontier.settle(now, lease, &outcome(Class::Fetched, now), None);
            }
            Step::WaitUntil(moment) => now = moment,
            _ => break,
        }
    }
    assert_eq!(gone, [0, 0, 0, 0, 500, 500, 1_000, 1_000]);
}

#[test]
fn hosts_of_one_group_share_the_slowest_rate_of_theirs() {
    let policies: Policies = Box::new(|host: &HostKey| Policy {
        delay: Duration::ZERO,
        rate: if host.as_str() == "a.x.example" { "10/s" } else { "2/s" }.parse().ok(),
        ..policy()
    });
    let sharing = grouped(Grouping::Domain);
    let mut frontier = Frontier::new(Settings { sharing, ..settings() }, policies, 1, 0);
    for host in ["a", "b"] {
        frontier.admit(at(0), pending(&format!("http://{host}.x.example/"), 1));
    }
    open(&mut frontier, at(0), &answer(404, ""));
    assert!(matches!(frontier.next(at(0)), Step::WaitUntil(moment) if moment == at(500)));
}

#[test]
fn an_address_has_a_rate_over_all_its_names() {
    let sharing = Sharing { address_rate: "4/s".parse().ok(), ..settings().sharing };
    let mut frontier = together(sharing, policy(), &["a.example", "b.example", "c.example"]);
    for now in [0, 250, 500] {
        let (leases, _) = pump(&mut frontier, at(now));
        assert_eq!(leases.len(), 1, "{now}");
        leases.into_iter().for_each(|lease| answered(&mut frontier, at(now), lease, Class::Gone, None));
    }
}

#[test]
fn a_host_with_nothing_to_ask_takes_no_token_of_the_crawl() {
    let limited = Settings { max_rate: "1/s".parse().ok(), ..settings() };
    let mut frontier = frontier(limited, Policy { delay: Duration::ZERO, ..policy() });
    frontier.admit(at(0), pending("http://a.example/secret", 1));
    open(&mut frontier, at(0), &answer(200, "User-agent: *\nDisallow: /secret"));
    frontier.admit(at(0), pending("http://b.example/", 2));
    assert!(matches!(frontier.next(at(0)), Step::WaitUntil(moment) if moment == at(1_000)));
    assert_eq!(robots(frontier.next(at(1_000))).url().host(), "b.example");
    assert_eq!(frontier.take_dropped().len(), 1);
}

#[test]
fn a_wait_for_a_token_is_pace_and_not_a_reason_to_end() {
    let rated = Policy { delay: Duration::ZERO, rate: "1/h".parse().ok(), ..policy() };
    for group in [Grouping::Host, Grouping::Domain] {
        let mut frontier = together(grouped(group), rated.clone(), &["a.x.example"]);
        open(&mut frontier, at(0), &answer(404, ""));
        assert!(
            matches!(frontier.next(at(0)), Step::WaitUntil(moment) if moment == at(3_600_000)),
            "{group:?}"
        );
    }
}
