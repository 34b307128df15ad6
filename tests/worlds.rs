//! Worlds of many hosts and few connections, a twentieth of their full size: how long the real frontier takes against what no
//! order of the pages can undercut, and whether anybody has to pay for it. `cargo bench --bench worlds` has the full size.

#[path = "worlds/engine.rs"]
mod engine;
#[path = "worlds/world.rs"]
mod world;

use world::{Bound, PARTS, Ran, World};

const TWENTIETH: f64 = 0.05;

fn run(name: &str) -> (World, Bound, Ran) {
    let world = World::named(name, TWENTIETH).expect("there is such a world");
    let (bound, ran) = (world.bound(), world.run());
    println!("{name}: {:.3} of the bound, {ran:?}, {bound:?}", ran.makespan / bound.makespan());
    (world, bound, ran)
}

/// Runs a world whose pages are all known, and judges it by the bound. Nobody waits for longer than eight rounds.
fn ends_near_the_bound(name: &str) {
    let (world, bound, ran) = run(name);
    let round = world.sizes.len() as f64 * bound.work / world.pages() as f64;
    assert!(
        ran.longest_wait <= 8.0 * round,
        "{} s without a turn, a round takes {round} s",
        ran.longest_wait
    );
    assert!(ran.makespan <= bound.makespan() * 1.02, "{ran:?} {bound:?}");
    for (part, (took, soonest)) in PARTS.iter().zip(ran.parts.iter().zip(bound.parts)) {
        assert!(*took <= soonest * 1.05, "{part} of the pages after {took:.0} s, not {soonest:.0} s");
    }
}

#[test]
fn world_a_where_all_hosts_are_alike_ends_near_the_bound() {
    ends_near_the_bound("A");
}

#[test]
fn world_b_where_a_few_hosts_are_large_ends_near_the_bound() {
    ends_near_the_bound("B");
}

#[test]
fn world_c_where_they_are_slow_as_well_ends_near_the_bound() {
    ends_near_the_bound("C");
}

#[test]
fn world_d_where_sizes_have_no_end_ends_near_the_bound() {
    ends_near_the_bound("D");
}

#[test]
fn world_e_where_one_host_has_half_of_all_pages_is_as_quick_for_the_others_as_without_it() {
    let (world, bound, ran) = run("E");
    assert!(ran.makespan <= bound.makespan() * 1.01, "{ran:?} {bound:?}");
    let alone = world.without_the_giant().run().makespan;
    // What the giant takes is a part of one connection.
    let part = 0.39 / (world.delay + 0.39) / world.connections as f64;
    println!("the others: {:.1} s, without the giant {alone:.1} s", ran.others);
    assert!(ran.others <= alone * (1.0 + part + 0.001), "{} s, without the giant {alone} s", ran.others);
}

#[test]
fn world_f_where_links_are_found_while_crawling_ends_as_near_as_can_be_known() {
    // Each page brings 6.5 others, and 50 others. As they become due, hosts end at 1.13 of the bound in both.
    for (name, most) in [("F", 1.12), ("F50", 1.10)] {
        let (_, bound, ran) = run(name);
        assert!(ran.makespan <= bound.makespan() * most, "{name}: {ran:?} {bound:?}");
    }
}

#[test]
fn the_whole_engine_ends_as_near_to_the_bound_as_the_frontier_alone() {
    let world = World::named("B", 0.02).expect("there is such a world");
    let (took, least) = engine::crawl(&world);
    println!("{took:.0} s, at least {least:.0} s: {:.3}", took / least);
    assert!(took <= least * 1.06, "{took} s, at least {least} s");
}
