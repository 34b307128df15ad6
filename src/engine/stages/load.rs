//! How busy everybody was, and what the loop waited for when it was not.
//!
//! Between two looks at the frontier nothing there changes, so what is seen when the loop goes to sleep holds until it does so
//! again: how many hosts wait and why, added up over time, is how many host-seconds each reason has cost.

use std::time::Duration;

use serde::Serialize;

use super::machine::Machine;
use super::{Mark, Stopwatch, as_seconds};

/// How busy everybody was in a run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Load {
    /// How long it was measured: the run from its first step to its last.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub wall: Duration,
    /// Share of the time in which the loop, which decides what goes out, did not sleep. From 0 to 1.
    #[serde(rename = "loop")]
    pub looping: f64,
    /// Threads that were busy decoding, parsing and extracting, on the average.
    pub reading: f64,
    /// Share of the time in which the writer, which owns store and outputs, was busy. From 0 to 1.
    pub writer: f64,
    /// How long the loop waited because the writer was behind and its channel full.
    #[serde(rename = "channel-full-s", serialize_with = "as_seconds")]
    pub blocked: Duration,
    /// Cores that the process may use.
    pub cores: usize,
    /// Connections.
    pub connections: Connections,
    /// What the waits of hosts that had something to ask for were about.
    pub waits: HostWaits,
    /// What the process has cost; nothing for a simulation.
    #[serde(flatten)]
    pub machine: Option<Machine>,
}

/// Connections of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Connections {
    /// Begun, also in vain.
    pub new: u64,
    /// Exchanges over one that was there.
    pub reused: u64,
}

/// What waits were about. Those of hosts are added up over all of them: ten hosts that wait a second have waited ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostWaits {
    /// Host-seconds between an answer and the next request.
    #[serde(rename = "delay-s", serialize_with = "as_seconds")]
    pub delay: Duration,
    /// Host-seconds of hosts that had pushed back or are in doubt.
    #[serde(rename = "pause-s", serialize_with = "as_seconds")]
    pub pause: Duration,
    /// Host-seconds in the line of a shared address or group.
    #[serde(rename = "line-s", serialize_with = "as_seconds")]
    pub line: Duration,
    /// Seconds in which `politeness.max-in-flight` requests were out.
    #[serde(rename = "full-s", serialize_with = "as_seconds")]
    pub full: Duration,
    /// Seconds in which `politeness.max-rate` let nothing out.
    #[serde(rename = "rate-s", serialize_with = "as_seconds")]
    pub rate: Duration,
}

/// What stands in the way at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Sight {
    /// Hosts that have something to ask for and may not yet, those in a line included.
    pub(in crate::engine) waiting: usize,
    /// Of these, those in a line.
    pub(in crate::engine) in_line: usize,
    /// Hosts in trouble.
    pub(in crate::engine) in_trouble: usize,
    /// Whether as much is out as may be.
    pub(in crate::engine) is_full: bool,
    /// Whether somebody's time has come all the same.
    pub(in crate::engine) is_due: bool,
}

/// Adds up what the loop does and sees.
pub(in crate::engine) struct Watch {
    began: Duration,
    machine: Option<Machine>,
    idle: Duration,
    waits: HostWaits,
    /// When the loop last went to sleep, and what it saw.
    last: (Duration, Sight),
}

impl Watch {
    /// Begins at this reading of the clock. A simulation costs no machine.
    pub(in crate::engine) fn begin(now: Duration, is_simulated: bool) -> Self {
        let machine = if is_simulated { None } else { Machine::read() };
        let (idle, waits) = (Duration::ZERO, HostWaits::default());
        Self { began: now, machine, idle, waits, last: (now, Sight::default()) }
    }

    /// The loop goes to sleep.
    pub(in crate::engine) fn sleeps(&mut self, now: Duration, sight: Sight) {
        self.pass(now);
        self.last = (now, sight);
    }

    /// It wakes up.
    pub(in crate::engine) fn wakes(&mut self, now: Duration) {
        self.idle += now.saturating_sub(self.last.0);
    }

    /// What was last seen has held until now.
    fn pass(&mut self, now: Duration) {
        let (since, sight) = self.last;
        let passed = now.saturating_sub(since);
        let waits = &mut self.waits;
        if sight.is_full {
            waits.full += passed;
            return;
        }
        if sight.is_due {
            waits.rate += passed;
            return;
        }
        let alone = sight.waiting.saturating_sub(sight.in_line);
        let paused = alone.min(sight.in_trouble);
        let times = |hosts: usize| passed.saturating_mul(u32::try_from(hosts).unwrap_or(u32::MAX));
        waits.line += times(sight.in_line);
        waits.pause += times(paused);
        waits.delay += times(alone - paused);
    }

    /// The run is over.
    pub(in crate::engine) fn end(mut self, now: Duration, stopwatch: &Stopwatch) -> Load {
        self.pass(now);
        let wall = now.saturating_sub(self.began);
        let share = |part: Duration| match wall.as_secs_f64() {
            0.0 => 0.0,
            wall => part.as_secs_f64() / wall,
        };
        let read = |mark| stopwatch.read(mark).total;
        let blocked = read(Mark::Blocked);
        Load {
            wall,
            looping: share(wall.saturating_sub(self.idle).saturating_sub(blocked)),
            reading: share(read(Mark::Reading) + read(Mark::Decode)),
            writer: share(read(Mark::Writing)),
            blocked,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            connections: stopwatch.connections(),
            waits: self.waits,
            machine: self.machine.and_then(|before| Some(Machine::read()?.since(before))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn load(looks: &[(u64, u64, Sight)], end: u64) -> Load {
        let mut watch = Watch::begin(at(100), true);
        for (asleep, awake, sight) in looks {
            watch.sleeps(at(*asleep), *sight);
            watch.wakes(at(*awake));
        }
        watch.end(at(end), &Stopwatch::new(Clock::start()))
    }

    #[test]
    fn the_loop_is_busy_while_it_does_not_sleep() {
        let load = load(&[(101, 105, Sight::default()), (106, 109, Sight::default())], 110);
        assert_eq!((load.wall, load.machine), (at(10), None));
        assert!((load.looping - 0.3).abs() < 1e-9, "{load:?}");
    }

    #[test]
    fn hosts_wait_for_their_delay_in_a_line_or_after_a_refusal() {
        let sight = Sight { waiting: 9, in_line: 4, in_trouble: 2, ..Sight::default() };
        let waits = load(&[(100, 101, sight), (110, 110, Sight::default())], 200).waits;
        let wanted = HostWaits { delay: at(30), pause: at(20), line: at(40), ..HostWaits::default() };
        assert_eq!(waits, wanted);
    }

    #[test]
    fn where_no_more_may_be_out_hosts_do_not_wait_for_their_delay() {
        let full = Sight { waiting: 9, is_full: true, is_due: true, ..Sight::default() };
        let due = Sight { waiting: 9, is_due: true, ..Sight::default() };
        let waits = load(&[(100, 103, full), (103, 110, due)], 110).waits;
        assert_eq!(waits, HostWaits { full: at(3), rate: at(7), ..HostWaits::default() });
    }
}
