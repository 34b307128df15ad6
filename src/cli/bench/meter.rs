//! CPU time, pauses, memory and disk, as the system counts them.
//!
//! A pause is the time that a call took less the time in which its thread, or the thread that it waited for, was ready and others
//! had the processor: on a machine with other work that would be their pause, not the store's.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::clock::Stopwatch;

/// A pause that is too long.
pub(super) const LONG: Duration = Duration::from_millis(100);

/// CPU time of all threads of this process so far.
pub(super) fn process_cpu() -> Duration {
    reading(ClockId::ProcessCPUTime)
}

/// CPU time of this thread so far.
pub(super) fn thread_cpu() -> Duration {
    reading(ClockId::ThreadCPUTime)
}

fn reading(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// What one kind of call has cost.
#[derive(Debug, Default)]
pub(super) struct Span {
    pub(super) calls: u64,
    pub(super) cpu: Duration,
    /// The longest of its pauses.
    pub(super) worst: Duration,
    /// Pauses that were too long.
    pub(super) long: u64,
}

impl Span {
    /// Times a call that only computes: its pause is the CPU time that it takes.
    pub(super) fn compute<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let before = thread_cpu();
        let answer = call();
        let cpu = thread_cpu().saturating_sub(before);
        self.note(cpu, cpu);
        answer
    }

    /// Times a call that may wait for the disk or for another thread.
    pub(super) fn wait<T>(&mut self, queue: &mut RunQueue, call: impl FnOnce() -> T) -> T {
        let queued = queue.begin();
        let (cpu, watch) = (thread_cpu(), Stopwatch::start());
        let answer = call();
        let (cpu, time) = (thread_cpu().saturating_sub(cpu), watch.elapsed());
        self.note(cpu, time.saturating_sub(queue.since(queued)));
        answer
    }

    fn note(&mut self, cpu: Duration, pause: Duration) {
        self.calls += 1;
        self.cpu += cpu;
        self.worst = self.worst.max(pause);
        self.long += u64::from(pause > LONG);
    }
}

/// How long the threads of this process were ready while others had the processor. A system that does not tell says zero.
#[derive(Debug)]
pub(super) struct RunQueue {
    own: Option<File>,
    others: Vec<File>,
    /// What each of the others had waited when it was asked last.
    waited: Vec<Duration>,
    /// CPU time that asking has taken.
    pub(super) cpu: Duration,
}

impl RunQueue {
    /// That of the thread that calls this, and of all others that there are by now.
    pub(super) fn of_this_process() -> Self {
        let own = File::open("/proc/thread-self/schedstat").ok();
        let this = fs::read_link("/proc/thread-self").ok();
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|entry| entry.path());
        let others =
            tasks.filter(|task| this.as_ref().is_none_or(|this| this.file_name() != task.file_name()));
        let others: Vec<_> = others.filter_map(|task| File::open(task.join("schedstat")).ok()).collect();
        Self { own, waited: vec![Duration::ZERO; others.len()], others, cpu: Duration::ZERO }
    }

    /// Asks for the first time.
    fn begin(&mut self) -> Duration {
        let before = thread_cpu();
        self.others.iter_mut().zip(&mut self.waited).for_each(|(file, waited)| *waited = waited_of(file));
        let own = self.own.as_mut().map_or(Duration::ZERO, waited_of);
        self.cpu += thread_cpu().saturating_sub(before);
        own
    }

    /// What this thread has waited since it was `own`, and with it that one of the others that has waited longest: this thread may
    /// have waited for it.
    fn since(&mut self, own: Duration) -> Duration {
        let before = thread_cpu();
        let mine = self.own.as_mut().map_or(Duration::ZERO, waited_of).saturating_sub(own);
        let others = self.others.iter_mut().zip(&self.waited);
        let waited = others.map(|(file, before)| waited_of(file).saturating_sub(*before)).max();
        self.cpu += thread_cpu().saturating_sub(before);
        mine + waited.unwrap_or_default()
    }
}

fn waited_of(file: &mut File) -> Duration {
    let mut read = || {
        let mut bytes = [0; 96];
        file.seek(SeekFrom::Start(0)).ok()?;
        let length = file.read(&mut bytes).ok()?;
        let text = std::str::from_utf8(&bytes[..length]).ok()?;
        Some(Duration::from_nanos(text.split(' ').nth(1)?.parse().ok()?))
    };
    read().unwrap_or_default()
}

/// Resident memory of this process: the most that it ever was, and what it is, in bytes. `None` where the system does not tell.
pub(super) fn memory() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((line("VmHWM:")? * 1024, line("VmRSS:")? * 1024))
}

/// Bytes that this process has had written to disks. `None` where the system does not tell.
pub(super) fn written() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.parse().ok()
}

/// Bytes on disk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Disk {
    /// Of everything.
    pub(super) all: u64,
    /// Of this, of the database's journals, which do not grow with the crawl.
    pub(super) journals: u64,
    /// Of this, of the seen-set.
    pub(super) seen: u64,
}

impl Disk {
    /// What a folder takes.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut disk = Self::default();
        disk.add(folder, false)?;
        Ok(disk)
    }

    fn add(&mut self, folder: &Path, of_seen: bool) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta = match entry.metadata() {
                // The database removes files in the background.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let of_seen = of_seen || name.starts_with("seen");
            if meta.is_dir() {
                self.add(&entry.path(), of_seen)?;
                continue;
            }
            let bytes = meta.blocks() * 512;
            self.all += bytes;
            self.journals += if name.ends_with(".jnl") { bytes } else { 0 };
            self.seen += if of_seen { bytes } else { 0 };
        }
        Ok(())
    }
}
