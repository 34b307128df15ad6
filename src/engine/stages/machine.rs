//! What the process has cost the machine.

use std::time::Duration;

use serde::Serialize;

use super::as_seconds;

/// What the process has cost the machine during a run: everything in it, also what is no part of the crawl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    /// Processor time of the program itself.
    #[serde(rename = "cpu-user-s", serialize_with = "as_seconds")]
    pub user: Duration,
    /// Processor time of the system on its behalf.
    #[serde(rename = "cpu-system-s", serialize_with = "as_seconds")]
    pub system: Duration,
    /// The most memory that it ever had, in bytes, since the process began.
    #[serde(rename = "peak-memory-bytes")]
    pub peak_memory: u64,
}

impl Machine {
    /// Since the process began; `None` where the system does not tell.
    #[cfg(unix)]
    pub(super) fn read() -> Option<Self> {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeVal;
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let time = |spent: TimeVal| {
            let (seconds, micros) = (u64::try_from(spent.tv_sec()), u64::try_from(spent.tv_usec()));
            Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_micros(micros.unwrap_or(0))
        };
        // The unit is bytes on Apple's systems and kB elsewhere.
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        let most = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
        let peak_memory = high_water().unwrap_or(most);
        Some(Self { user: time(usage.user_time()), system: time(usage.system_time()), peak_memory })
    }

    /// Since the process began; `None` where the system does not tell.
    #[cfg(not(unix))]
    pub(super) fn read() -> Option<Self> {
        None
    }

    /// What was added since an earlier reading. The peak of memory stays what it is.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            peak_memory: self.peak_memory,
        }
    }

    /// Processor time of both kinds.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// What Linux says of this process alone: the figure of `getrusage` may be that of whoever started it.
#[cfg(unix)]
fn high_water() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_taken_some_time_and_some_memory() {
        let machine = Machine::read().unwrap();
        assert!(machine.peak_memory > 1 << 20, "{machine:?}");
        let later = Machine::read().unwrap().since(machine);
        assert!(later.cpu() < Duration::from_mins(1) && later.peak_memory >= machine.peak_memory);
    }
}
