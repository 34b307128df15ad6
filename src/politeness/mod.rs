//! How fast, how many at once, and when not at all: the rules of one host.
//!
//! [`Outcome`] classifies what came back, [`Host`] turns it into the earliest time of the next request, [`Verdict`] says what
//! becomes of the URL. All of it is pure: the same inputs give the same waits, under a real clock and a simulated one.

mod backoff;
pub mod block;
mod host;
mod late;
mod latency;
mod outcome;
mod pace;
mod permits;
mod policy;
mod rate;
mod standing;
mod state;
mod verdict;
mod wait;

pub use block::{BlockPolicy, Finding, Standing, Watch, WatchState};
pub use host::{Begun, Host, Reaction};
pub use outcome::{Class, Outcome};
pub use pace::Learned;
pub use policy::{Backoff, Guard, PaceRule, Policy, PostRetry, Retry};
pub use rate::{Rate, RateError};
pub use state::{HostState, Phase};
pub use verdict::{History, Repeat, Verdict};
pub use wait::Wait;
