//! What a run was limited by: the one thing to change if it should be faster.
//!
//! The rule, in this order: whoever had no rest to speak of is the limit (the processor, the writer, the loop). Then limits
//! that hold all hosts at once (requests in flight, the rate). Else nobody was busy and everybody waited, and the largest part
//! of what a host's time went to is the limit. What share that was is told along with it: nobody need believe in the rule.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::StageTimes;
use super::load::Load;

/// From this share of the time on somebody has no rest to speak of.
const BUSY: f64 = 0.85;
/// A writer that is waited for this share of the time is behind.
const BEHIND: f64 = 0.2;
/// A limit on all hosts that holds for this share of the time is the limit.
const MOSTLY: f64 = 0.5;

/// What a run was limited by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limit {
    /// What it was.
    pub by: LimitedBy,
    /// How much of the time, or of the hosts' time, or of the cores it took. From 0 to 1.
    pub share: f64,
    /// The same in words: `the delay of 1 host (93 % of its time)`.
    pub says: String,
}

/// What can limit a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitedBy {
    /// All cores: parsing and extracting above all.
    Parsing,
    /// All cores: something else above all.
    Processor,
    /// The writer: the state on the disk.
    Store,
    /// The writer: the outputs.
    Sinks,
    /// The loop that decides what goes out.
    Loop,
    /// Requests that may be in flight (`politeness.max-in-flight`).
    Connections,
    /// The rate of all hosts together (`politeness.max-rate`).
    Rate,
    /// The delay between two requests to a host.
    Delay,
    /// Pauses after refusals.
    Pauses,
    /// The line of hosts that share an address or a group.
    Line,
    /// Looking up names.
    Names,
    /// Making connections.
    Connecting,
    /// The answers of servers.
    Servers,
    /// Bodies on their way.
    Download,
    /// Reading one page after the other, though there are idle cores.
    Reading,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// What limited a run that went to so many hosts; `None` for one in which no time passed.
pub(in crate::engine) fn limit(stages: &StageTimes, load: &Load, hosts: usize) -> Option<Limit> {
    cores(stages, load).or_else(|| threads(stages, load)).or_else(|| all_hosts(load)).or_else(|| {
        let costs = costs(stages, load);
        let all: Duration = costs.iter().map(|(_, cost)| *cost).sum();
        // Of two that cost the same, the first: the list is in the order of what is told most gladly.
        let (by, most) = costs.into_iter().rev().max_by_key(|(_, cost)| *cost)?;
        let share = share_of(most, all)?;
        let says = match by {
            LimitedBy::Delay if hosts <= 1 => format!("the delay of 1 host ({} of its time)", percent(share)),
            LimitedBy::Delay => format!("the delay of {hosts} hosts ({} of their time)", percent(share)),
            LimitedBy::Pauses => format!("pauses after refusals ({})", percent(share)),
            LimitedBy::Line => format!("hosts that share an address or a group ({})", percent(share)),
            LimitedBy::Names => format!("looking up names (dns {})", percent(share)),
            LimitedBy::Connecting => format!("making connections (connect {})", percent(share)),
            LimitedBy::Download => format!("the network (download {})", percent(share)),
            LimitedBy::Reading => format!("parsing, one page after the other ({})", percent(share)),
            _ => format!("servers (wait {})", percent(share)),
        };
        Some(Limit { by, share, says })
    })
}

/// Where the time of hosts and requests went.
fn costs(stages: &StageTimes, load: &Load) -> [(LimitedBy, Duration); 8] {
    [
        (LimitedBy::Delay, load.waits.delay),
        (LimitedBy::Pauses, load.waits.pause),
        (LimitedBy::Line, load.waits.line),
        (LimitedBy::Servers, stages.wait.total),
        (LimitedBy::Download, stages.download.total),
        (LimitedBy::Connecting, stages.connect.total),
        (LimitedBy::Names, stages.dns.total),
        (LimitedBy::Reading, reading(stages)),
    ]
}

fn reading(stages: &StageTimes) -> Duration {
    stages.decode.total + stages.parse.total + stages.extract.total
}

/// All cores at work.
fn cores(stages: &StageTimes, load: &Load) -> Option<Limit> {
    let cores = load.cores.max(1) as f64;
    let wall = Some(load.wall.as_secs_f64()).filter(|wall| *wall > 0.0)?;
    // Where the system does not tell, what was read is known all the same.
    let busy = load.machine.map_or(load.reading, |machine| machine.cpu().as_secs_f64() / wall);
    if busy < BUSY * cores {
        return None;
    }
    let parsing = share_of(reading(stages), Duration::from_secs_f64(busy * wall)).unwrap_or(0.0);
    let (by, name) = match parsing >= MOSTLY {
        true => (LimitedBy::Parsing, "parsing"),
        false => (LimitedBy::Processor, "the processor"),
    };
    Some(Limit { by, share: (busy / cores).min(1.0), says: format!("{name} ({busy:.1} of {cores} cores)") })
}

/// One of the threads of which there is only one.
fn threads(stages: &StageTimes, load: &Load) -> Option<Limit> {
    let blocked = share_of(load.blocked, load.wall)?;
    if load.writer >= BUSY || blocked >= BEHIND {
        let (by, what) = match stages.sink.total > stages.store.total {
            true => (LimitedBy::Sinks, "outputs"),
            false => (LimitedBy::Store, "the state on the disk"),
        };
        let share = load.writer.min(1.0);
        let says = format!("the writer, mostly {what} (busy {})", percent(share));
        return Some(Limit { by, share, says });
    }
    let says = || format!("the loop (one core at {})", percent(load.looping));
    (load.looping >= BUSY).then(|| Limit { by: LimitedBy::Loop, share: load.looping, says: says() })
}

/// A limit on all hosts together.
fn all_hosts(load: &Load) -> Option<Limit> {
    let (full, rate) = (share_of(load.waits.full, load.wall)?, share_of(load.waits.rate, load.wall)?);
    let told = |by, share, name: &str| {
        let says = format!("politeness.{name} (reached {} of the time)", percent(share));
        Some(Limit { by, share, says })
    };
    match full >= rate {
        true if full >= MOSTLY => told(LimitedBy::Connections, full, "max-in-flight"),
        false if rate >= MOSTLY => told(LimitedBy::Rate, rate, "max-rate"),
        _ => None,
    }
}

/// `None` of nothing.
fn share_of(part: Duration, all: Duration) -> Option<f64> {
    (!all.is_zero()).then(|| part.as_secs_f64() / all.as_secs_f64())
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::StageTime;
    use super::super::load::HostWaits;
    use super::super::machine::Machine;
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn stage(seconds: u64) -> StageTime {
        StageTime { total: s(seconds), count: 1, spread: None }
    }

    /// A run of 100 s on two cores, of which `cpu` seconds were used.
    fn idle(cpu: u64) -> Load {
        let machine = Some(Machine { user: s(cpu), ..Machine::default() });
        Load { wall: s(100), cores: 2, machine, ..Load::default() }
    }

    fn told(stages: &StageTimes, load: &Load, hosts: usize) -> (LimitedBy, String) {
        let limit = limit(stages, load, hosts).unwrap();
        (limit.by, limit.to_string())
    }

    #[test]
    fn a_run_in_which_no_time_passed_has_no_limit() {
        assert_eq!(limit(&StageTimes::default(), &Load::default(), 1), None);
        assert_eq!(limit(&StageTimes::default(), &idle(0), 1), None);
    }

    #[test]
    fn where_everybody_waits_the_largest_wait_is_the_limit() {
        let stages = StageTimes { wait: stage(10), parse: stage(2), ..StageTimes::default() };
        let delays = |delay| Load { waits: HostWaits { delay, ..HostWaits::default() }, ..idle(3) };
        assert_eq!(
            told(&stages, &delays(s(88)), 1),
            (LimitedBy::Delay, "the delay of 1 host (88 % of its time)".into())
        );
        assert_eq!(told(&stages, &delays(s(188)), 20).1, "the delay of 20 hosts (94 % of their time)");
        assert_eq!(told(&stages, &delays(s(8)), 1), (LimitedBy::Servers, "servers (wait 50 %)".into()));
        let pauses = HostWaits { pause: s(30), delay: s(20), ..HostWaits::default() };
        assert_eq!(told(&stages, &Load { waits: pauses, ..idle(3) }, 2).0, LimitedBy::Pauses);
        let line = HostWaits { line: s(30), delay: s(20), ..HostWaits::default() };
        assert_eq!(told(&stages, &Load { waits: line, ..idle(3) }, 2).0, LimitedBy::Line);
        for (stages, by) in [
            (StageTimes { dns: stage(11), ..stages }, LimitedBy::Names),
            (StageTimes { connect: stage(11), ..stages }, LimitedBy::Connecting),
            (StageTimes { download: stage(11), ..stages }, LimitedBy::Download),
            (StageTimes { extract: stage(11), ..stages }, LimitedBy::Reading),
        ] {
            assert_eq!(told(&stages, &idle(20), 1).0, by);
        }
    }

    #[test]
    fn all_cores_at_work_are_the_limit_whatever_was_waited_for() {
        let busy = Load { waits: HostWaits { delay: s(9_999), ..HostWaits::default() }, ..idle(196) };
        let parsing = StageTimes { parse: stage(100), extract: stage(50), ..StageTimes::default() };
        assert_eq!(told(&parsing, &busy, 9), (LimitedBy::Parsing, "parsing (2.0 of 2 cores)".into()));
        let other = StageTimes { parse: stage(50), ..StageTimes::default() };
        assert_eq!(told(&other, &busy, 9), (LimitedBy::Processor, "the processor (2.0 of 2 cores)".into()));
        let untold = Load { machine: None, reading: 1.9, ..busy };
        assert_eq!(told(&parsing, &untold, 9).0, LimitedBy::Parsing);
    }

    #[test]
    fn a_writer_that_is_behind_is_the_limit_and_so_is_a_loop_without_rest() {
        let stages = StageTimes { wait: stage(500), sink: stage(60), store: stage(30), ..Default::default() };
        let busy = Load { writer: 0.9, ..idle(50) };
        assert_eq!(
            told(&stages, &busy, 9),
            (LimitedBy::Sinks, "the writer, mostly outputs (busy 90 %)".into())
        );
        let behind = Load { writer: 0.8, blocked: s(30), ..idle(50) };
        let store = StageTimes { store: stage(61), ..stages };
        assert_eq!(told(&store, &behind, 9).0, LimitedBy::Store);
        let looping = Load { looping: 0.98, ..idle(120) };
        assert_eq!(told(&stages, &looping, 9), (LimitedBy::Loop, "the loop (one core at 98 %)".into()));
    }

    #[test]
    fn limits_on_all_hosts_count_if_they_hold_most_of_the_time() {
        let stages = StageTimes { wait: stage(500), ..StageTimes::default() };
        let waits = |full, rate| Load {
            waits: HostWaits { full: s(full), rate: s(rate), ..HostWaits::default() },
            ..idle(9)
        };
        let full = "politeness.max-in-flight (reached 60 % of the time)".to_owned();
        assert_eq!(told(&stages, &waits(60, 20), 9), (LimitedBy::Connections, full));
        assert_eq!(told(&stages, &waits(20, 60), 9).0, LimitedBy::Rate);
        assert_eq!(told(&stages, &waits(45, 45), 9).0, LimitedBy::Servers);
    }
}
