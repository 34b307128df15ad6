//! The threads that calls are made on: started when they are needed, never more than there is use for, and replaced when a call holds
//! one for too long.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::clock::Stopwatch;

/// Threads for each core: more would only wait for one.
const THREADS_A_CORE: usize = 2;

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// No thread has it yet.
    Waiting,
    /// For so long.
    Running(Duration),
    Done,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const GIVEN_UP: u8 = 3;

/// One call.
#[derive(Default)]
pub(super) struct Seat {
    state: AtomicU8,
    /// When it began, in microseconds since the hall was opened.
    began: AtomicU64,
}

impl Seat {
    pub(super) fn sight(&self, now: Duration) -> Sight {
        match self.state.load(Ordering::Acquire) {
            WAITING => Sight::Waiting,
            RUNNING => {
                let began = Duration::from_micros(self.began.load(Ordering::Relaxed));
                Sight::Running(now.saturating_sub(began))
            }
            _ => Sight::Done,
        }
    }

    fn begins(&self, now: Duration) {
        self.began.store(u64::try_from(now.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.state.store(RUNNING, Ordering::Release);
    }

    /// `true` if nobody waits for it any more.
    fn ends(&self) -> bool {
        self.state.swap(DONE, Ordering::AcqRel) == GIVEN_UP
    }

    /// `false` if it has just ended.
    fn gives_up(&self) -> bool {
        self.state.compare_exchange(RUNNING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    waiting: VecDeque<(Arc<Seat>, Work)>,
    /// Threads that wait for work.
    idle: usize,
    threads: usize,
    rings: bool,
    is_closed: bool,
}

/// All threads.
pub(super) struct Hall {
    state: Mutex<State>,
    /// Threads that are held by calls which were given up. Written under the lock, and read after every answer without it.
    stuck: AtomicUsize,
    work: Condvar,
    /// Rings now and then, so that whoever waits for a call looks how it stands. Calls take the machine's time, also where that of the
    /// crawl is simulated: a timer of the runtime would let hours pass between two steps of a thread.
    alarm: Notify,
    /// How often it rings.
    period: Duration,
    is_over: Condvar,
    stopwatch: Stopwatch,
    /// What is called may start something on the runtime of the crawl.
    runtime: Option<Handle>,
    most: usize,
}

impl Hall {
    /// `period` is how often whoever waits for a call looks how it stands.
    pub(super) fn open(period: Duration) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Arc::new(Self {
            state: Mutex::default(),
            stuck: AtomicUsize::new(0),
            work: Condvar::new(),
            alarm: Notify::new(),
            period,
            is_over: Condvar::new(),
            stopwatch: Stopwatch::start(),
            runtime: Handle::try_current().ok(),
            most: cores * THREADS_A_CORE,
        })
    }

    /// Time on the machine's clock since it was opened.
    pub(super) fn elapsed(&self) -> Duration {
        self.stopwatch.elapsed()
    }

    /// Comes back when it is time to look at a call again.
    pub(super) async fn alarm(&self) {
        self.alarm.notified().await;
    }

    /// Has the alarm rung from now on, until the hall is closed.
    fn start_alarm(self: &Arc<Self>) -> bool {
        let hall = Arc::clone(self);
        let ring = move || {
            let mut state = hall.state();
            while !state.is_closed {
                let waited = hall.is_over.wait_timeout(state, hall.period);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                hall.alarm.notify_waiters();
            }
        };
        std::thread::Builder::new().name("calls-alarm".to_owned()).spawn(ring).is_ok()
    }

    /// Has some work done.
    pub(super) fn seat(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        let mut state = self.state();
        if !state.rings {
            // If it cannot be had there are no threads at all, which is told elsewhere.
            state.rings = self.start_alarm();
        }
        state.waiting.push_back((Arc::clone(&seat), Box::new(work)));
        if state.waiting.len() > state.idle && state.threads - self.stuck() < self.most {
            state.threads += 1;
            if !self.start_thread() {
                state.threads -= 1;
                if state.threads == self.stuck() {
                    // Nobody is left to do it: whoever waits for it is told, as its end of the channel goes with it.
                    state.waiting.clear();
                }
            }
        }
        drop(state);
        self.work.notify_one();
        seat
    }

    fn start_thread(self: &Arc<Self>) -> bool {
        let hall = Arc::clone(self);
        let thread = std::thread::Builder::new().name("calls".to_owned());
        thread.spawn(move || hall.serve()).is_ok()
    }

    fn serve(&self) {
        let _inside = self.runtime.as_ref().map(Handle::enter);
        let mut state = self.state();
        loop {
            if let Some((seat, work)) = state.waiting.pop_front() {
                drop(state);
                seat.begins(self.elapsed());
                // What it was called for is told by the end of its channel.
                let _ = catch_unwind(AssertUnwindSafe(work));
                let was_given_up = seat.ends();
                state = self.state();
                if was_given_up {
                    self.stuck.fetch_sub(1, Ordering::Relaxed);
                    if state.threads - self.stuck() > self.most {
                        break;
                    }
                }
            } else if state.is_closed {
                break;
            } else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
        state.threads -= 1;
    }

    /// Leaves a call behind; `false` if it has just ended.
    pub(super) fn give_up(self: &Arc<Self>, seat: &Seat) -> bool {
        let mut state = self.state();
        if !seat.gives_up() {
            return false;
        }
        self.stuck.fetch_add(1, Ordering::Relaxed);
        if !state.waiting.is_empty() && state.idle == 0 {
            state.threads += 1;
            if !self.start_thread() {
                state.threads -= 1;
            }
        }
        true
    }

    /// How many threads are held by calls that were given up.
    pub(super) fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Lets threads end that have nothing to do.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.work.notify_all();
        self.is_over.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of others runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
