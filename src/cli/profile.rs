//! Where the time of a run went, for people: `--profile`.

use std::fmt::Write as _;
use std::time::Duration;

use super::render::{bytes, counted, duration};
use crate::engine::{HostWaits, Report};

/// Widths of the columns: name, count, total, mean.
const STAGE: usize = 9;
const COUNT: usize = 9;
const TIME: usize = 13;

/// The table of stages, and below it how busy everybody was.
pub(super) fn text(report: &Report) -> String {
    let mut text =
        format!("{:<STAGE$} {:>COUNT$} {:>TIME$} {:>TIME$}  share", "stage", "count", "total", "mean");
    let stages = report.stages.named();
    let all: Duration = stages.iter().map(|(_, stage)| stage.total).sum();
    for (name, stage) in stages {
        let share = 100.0 * stage.total.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
        let (total, mean) = (fine(stage.total), fine(stage.mean()));
        let (count, line) = (stage.count, format!("{share:.0} %"));
        write!(text, "\n{name:<STAGE$} {count:>COUNT$} {total:>TIME$} {mean:>TIME$} {line:>6}").expect(FITS);
        if let Some(spread) = stage.spread.filter(|_| count > 0) {
            let (median, p95) = (fine(spread.median), fine(spread.p95));
            write!(text, "   half within {median}, 95 % within {p95}").expect(FITS);
        }
    }
    for (name, value) in busy(report) {
        write!(text, "\n{name:<STAGE$} {value}").expect(FITS);
    }
    text
}

/// The same as one event of a log that a program reads.
pub(super) fn event(report: &Report) {
    let (stages, load) = (serde_json::json!(report.stages), serde_json::json!(report.load));
    tracing::info!(stages = stages.to_string(), load = load.to_string(), "where the time went");
}

const FITS: &str = "a String takes everything";

fn busy(report: &Report) -> Vec<(&'static str, String)> {
    let load = &report.load;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let full = match load.blocked {
        Duration::ZERO => String::new(),
        blocked => format!(", its channel full for {}", fine(blocked)),
    };
    let looping = percent(load.looping);
    let (reading, writer) = (load.reading, percent(load.writer));
    let cores = counted(load.cores as u64, "core");
    let connections = &load.connections;
    let mut rows = vec![
        ("busy", format!("loop {looping}, parsing {reading:.2} of {cores}, writer {writer}{full}")),
        ("over", format!("{}, {} reused", counted(connections.new, "new connection"), connections.reused)),
        ("waits", waits(&load.waits)),
    ];
    rows.extend(load.machine.map(|machine| {
        let (user, system, most) = (fine(machine.user), fine(machine.system), bytes(machine.peak_memory));
        (
            "machine",
            format!("{user} of processor time, {system} in the system for it, {most} of memory at most"),
        )
    }));
    rows
}

/// `delay 18.3 s, pauses 2.0 s`: what has cost nothing is left out.
fn waits(waits: &HostWaits) -> String {
    let HostWaits { delay, pause, line, full, rate } = *waits;
    let named = [
        ("delay", delay),
        ("pauses", pause),
        ("lines", line),
        ("at max-in-flight", full),
        ("at max-rate", rate),
    ];
    let some = named.iter().filter(|(_, time)| !time.is_zero());
    let parts: Vec<_> = some.map(|(name, time)| format!("{name} {}", fine(*time))).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// As [`duration`], and below a second in the unit that fits: `12 µs`, `3.4 ms`.
fn fine(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        0.0 => "0".to_owned(),
        ..1e3 => format!("{micros:.0} µs"),
        ..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => duration(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        let told = [0, 12, 3_400, 1_200_000, 75_000_000].map(|micros| fine(Duration::from_micros(micros)));
        assert_eq!(told, ["0", "12 µs", "3.4 ms", "1.2 s", "1 min 15 s"]);
    }

    #[test]
    fn waits_that_cost_nothing_are_not_told() {
        assert_eq!(waits(&HostWaits::default()), "none");
        let delay = Duration::from_millis(1_500);
        assert_eq!(
            waits(&HostWaits { delay, rate: delay, ..HostWaits::default() }),
            "delay 1.5 s, at max-rate 1.5 s"
        );
    }
}
