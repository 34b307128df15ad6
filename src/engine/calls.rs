//! Calls into code that is not ours: spiders, stages, fetchers.
//!
//! The rule kept: whatever such code does, it fails its page only. It runs on threads of its own, off those that drive the crawl;
//! a panic is caught, and a call that does not return in time is given up: its page fails, its thread is left behind and another one
//! takes its place. A thread cannot be ended from outside, so there is a bound on how many may be left behind at a time; beyond it
//! the crawl ends and says whose they are. What went wrong is counted by call, with the first URL and its words.
//!
//! Knows nothing of pages and harvests.

mod hall;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::url::CanonicalUrl;
use hall::{Hall, Seat, Sight};

/// How often a call is looked at in the time that it may take, and the shortest time between two looks.
const LOOKS: u32 = 8;
const SHORTEST: Duration = Duration::from_millis(5);

/// What is done about calls that do not return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// How long a call may take; then its page is given up. Default: 30 s.
    pub time: Duration,
    /// How many threads may be held at a time by calls that were given up; with one more the crawl ends. Default: 4.
    pub stuck: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), stuck: 4 }
    }
}

/// A place where your code is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Callback {
    /// [`Spider::parse`](crate::spider::Spider::parse), and what it calls.
    Parse,
    /// [`Spider::sitemap`](crate::spider::Spider::sitemap).
    Sitemap,
    /// [`Spider::downloaded`](crate::spider::Spider::downloaded).
    Downloaded,
    /// [`Spider::failed`](crate::spider::Spider::failed).
    Failed,
    /// [`Stage::apply`](crate::stage::Stage::apply), for an item of a page.
    Stage,
    /// [`Fetcher::fetch`](crate::fetch::Fetcher::fetch).
    Fetch,
}

impl Callback {
    /// Its name in code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Sitemap => "sitemap",
            Self::Downloaded => "downloaded",
            Self::Failed => "failed",
            Self::Stage => "stage",
            Self::Fetch => "fetch",
        }
    }
}

/// What went wrong in your code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misdeed {
    /// It returned an error.
    Error,
    /// It panicked.
    Panic,
    /// It did not return in time.
    Stuck,
}

impl Misdeed {
    /// As the end of a sentence that begins with who did it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "returned an error",
            Self::Panic => "panicked",
            Self::Stuck => "did not return in time",
        }
    }
}

/// What your code did wrong in a run, with an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CodeFault {
    /// Which call.
    pub callback: Callback,
    /// Of which spider.
    pub spider: String,
    /// What it did.
    pub misdeed: Misdeed,
    /// How often.
    pub count: u64,
    /// The page of the first time.
    pub url: String,
    /// The words of the first time.
    pub words: String,
}

/// A call that brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// It was given up after so long.
    Stuck(Duration),
    /// Its thread ended, or none could be had.
    Died,
}

/// Makes calls, and takes down what goes wrong.
pub(super) struct Calls {
    limits: CallLimits,
    clock: Clock,
    hall: Arc<Hall>,
    faults: Mutex<BTreeMap<(Callback, String, Misdeed), CodeFault>>,
}

impl Calls {
    pub(super) fn new(limits: CallLimits, clock: Clock) -> Self {
        let hall = Hall::open((limits.time / LOOKS).max(SHORTEST));
        Self { limits, clock, hall, faults: Mutex::default() }
    }

    /// Makes a call on a thread of its own, and waits for it.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (send, mut receive) = oneshot::channel();
        let seat = self.hall.seat(move || drop(send.send(work())));
        loop {
            tokio::select! {
                biased;
                came = &mut receive => return came.map_err(|_| Lost::Died),
                () = self.hall.alarm() => self.look(&seat).map(drop)?,
            }
        }
    }

    /// As [`Calls::aside`], for whoever cannot do anything else meanwhile.
    pub(super) fn and_wait<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (send, receive) = mpsc::channel();
        let seat = self.hall.seat(move || drop(send.send(work())));
        let mut patience = self.limits.time;
        loop {
            match receive.recv_timeout(patience) {
                Ok(came) => return Ok(came),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Lost::Died),
                Err(mpsc::RecvTimeoutError::Timeout) => patience = self.look(&seat)?,
            }
        }
    }

    /// How much longer a call may take; it is given up if that is nothing. What waits for a thread has not begun to take its time.
    fn look(&self, seat: &Arc<Seat>) -> Result<Duration, Lost> {
        match seat.sight(self.hall.elapsed()) {
            Sight::Waiting | Sight::Done => Ok(self.limits.time),
            Sight::Running(taken) if taken < self.limits.time => Ok(self.limits.time - taken),
            Sight::Running(_) => match self.hall.give_up(seat) {
                true => Err(Lost::Stuck(self.limits.time)),
                false => Ok(self.limits.time),
            },
        }
    }

    /// Waits for something that should end by itself long before.
    pub(super) async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Result<T, Lost> {
        let time = time + self.limits.time;
        tokio::select! {
            biased;
            came = work => Ok(came),
            () = self.clock.sleep_until(self.clock.now_up() + time) => Err(Lost::Stuck(time)),
        }
    }

    /// Takes down that something went wrong.
    pub(super) fn note(&self, by: (Callback, &str), misdeed: Misdeed, url: &CanonicalUrl, words: &str) {
        let (callback, spider) = by;
        let mut faults = self.faults();
        let fault = faults.entry((callback, spider.to_owned(), misdeed)).or_insert_with(|| CodeFault {
            callback,
            spider: spider.to_owned(),
            misdeed,
            count: 0,
            url: url.to_string(),
            words: words.to_owned(),
        });
        fault.count += 1;
    }

    /// All that went wrong, by call.
    pub(super) fn told(&self) -> Vec<CodeFault> {
        self.faults().values().cloned().collect()
    }

    /// Whose threads are held, in words, if there are more than may be.
    pub(super) fn too_many_stuck(&self) -> Option<String> {
        let held = self.hall.stuck();
        if held <= self.limits.stuck {
            return None;
        }
        let faults = self.faults();
        let stuck = faults.values().filter(|fault| fault.misdeed == Misdeed::Stuck);
        let whose: Vec<_> = stuck
            .map(|fault| {
                format!("`{}` of `{}`, first at {}", fault.callback.as_str(), fault.spider, fault.url)
            })
            .collect();
        Some(format!("{held} threads are held by calls that have not returned: {}", whose.join("; ")))
    }

    fn faults(&self) -> MutexGuard<'_, BTreeMap<(Callback, String, Misdeed), CodeFault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.hall.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(time: u64) -> Calls {
        Calls::new(CallLimits { time: Duration::from_millis(time), stuck: 1 }, Clock::start())
    }

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    /// Does not return before it is told to.
    fn endless() -> (impl FnOnce() + Send + 'static, mpsc::Sender<()>) {
        let (free, held) = mpsc::channel::<()>();
        let wait = move || {
            let _ = held.recv();
        };
        (wait, free)
    }

    #[tokio::test]
    async fn a_call_gives_what_it_returns_and_a_panic_takes_nothing_else_along() {
        let calls = calls(30_000);
        assert_eq!(calls.aside(|| 7).await, Ok(7));
        assert_eq!(calls.aside(|| -> u8 { panic!("on purpose") }).await, Err(Lost::Died));
        assert_eq!(calls.and_wait(|| 8), Ok(8));
        assert_eq!(calls.hall.stuck(), 0);
    }

    #[tokio::test]
    async fn a_call_that_does_not_return_is_given_up_and_its_thread_replaced() {
        let calls = calls(20);
        let mut holders = Vec::new();
        for held in 1..=20 {
            let (work, free) = endless();
            assert_eq!(calls.aside(work).await, Err(Lost::Stuck(Duration::from_millis(20))));
            assert_eq!(calls.hall.stuck(), held);
            holders.push(free);
        }
        calls.note((Callback::Parse, "a"), Misdeed::Stuck, &url("http://a.example/"), "");
        let words = calls.too_many_stuck().unwrap();
        assert!(words.starts_with("20 threads are held by") && words.contains("`parse` of `a`"), "{words}");
        // There is always one more; and what returns late frees its place.
        drop(holders);
        while calls.hall.stuck() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(calls.aside(|| 7).await, Ok(7));
        assert_eq!(calls.too_many_stuck(), None);
    }

    #[tokio::test]
    async fn what_waits_for_a_thread_does_not_spend_its_time() {
        let calls = Arc::new(calls(300));
        let all: Vec<_> = (0..200)
            .map(|n| {
                let calls = Arc::clone(&calls);
                tokio::spawn(async move {
                    calls.aside(move || crate::clock::nap(Duration::from_millis(n % 5))).await
                })
            })
            .collect();
        for call in all {
            assert_eq!(call.await.unwrap(), Ok(()));
        }
    }

    #[test]
    fn faults_are_counted_with_their_first_example() {
        let calls = calls(20);
        calls.note((Callback::Parse, "a"), Misdeed::Panic, &url("http://a.example/1"), "one");
        calls.note((Callback::Parse, "a"), Misdeed::Panic, &url("http://a.example/2"), "two");
        calls.note((Callback::Parse, "a"), Misdeed::Error, &url("http://a.example/3"), "three");
        let told = calls.told();
        assert_eq!(told.len(), 2);
        assert_eq!(
            (told[1].count, told[1].url.as_str(), told[1].words.as_str()),
            (2, "http://a.example/1", "one")
        );
    }
}
