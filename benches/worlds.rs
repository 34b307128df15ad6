//! How close the frontier comes to what no order of the pages can undercut, in worlds of many hosts and few connections.
//!
//! `cargo bench --bench worlds` runs A to F at full size (500 connections, 100,000 hosts); `cargo bench --bench worlds -- B G` runs
//! those that are named, `SCALE=0.05` makes them smaller. G is the large skew: one host with 10 million pages beside a million
//! hosts with ten; it takes minutes and about 5 GiB. Times are of the simulation; CPU is that of a page, everything included.

#![expect(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

#[path = "../tests/worlds/world.rs"]
mod world;

use world::World;

/// Clock ticks of `/proc` in a second.
const TICKS: f64 = 100.0;

/// User and system time of this process, in microseconds. Knows only Linux.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 1e6 / TICKS
}

fn measure(name: &str, scale: f64) {
    let world = World::named(name, scale).unwrap_or_else(|| panic!("there is no world {name}"));
    let bound = world.bound();
    let began = cpu();
    let ran = world.run();
    let cpu = (cpu() - began) / ran.pages as f64;
    let parts: Vec<_> =
        ran.parts.iter().zip(bound.parts).map(|(took, bound)| format!("{:.3}", took / bound)).collect();
    println!(
        "{name:>3} {:>9} {:>9} {:>9.0} {:>9.0} {:>7.3}   {}  {:>9.0} s {:>6.2} us",
        world.sizes.len(),
        ran.pages,
        bound.work,
        bound.chain,
        ran.makespan / bound.makespan(),
        parts.join("  "),
        ran.longest_wait,
        cpu
    );
    if matches!(name, "E" | "G") {
        let alone = world.without_the_giant().run();
        println!(
            "    the others end after {:.1} s, without the giant after {:.1} s",
            ran.others, alone.makespan
        );
    }
}

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let all = ["A", "B", "C", "D", "E", "F", "F50", "F1"].map(str::to_owned).to_vec();
    let scale = std::env::var("SCALE").map_or(1.0, |text| text.parse().unwrap());
    println!(" world  hosts     pages    work/C  longest  makespan  t50    t90    t99   longest wait    CPU");
    for name in if named.is_empty() { all } else { named } {
        measure(&name, scale);
    }
}
