//! When a page is worth asking again.
//!
//! A visit tells only whether a page has changed since the visit before. From these answers [`Observations`] estimate how often
//! it changes; a host's [`Demand`] finds the [`Price`] at which all its pages together ask for as many requests as they may
//! have; and [`interval`] says when this page is worth that price. The rule that is kept: the sum over all pages of the share
//! of time in which our copy is the page's present state is as large as the budget allows (Cho and Garcia-Molina, "Effective
//! page refresh policies for Web crawlers", TODS 2003). So pages that never change *and* pages that change faster than they
//! could be followed are asked seldom, but never more seldom than [`Bounds::max`]: what was learned wrongly is learned anew.
//!
//! Pure: no clock, no disk. It proposes when a page is due; whether a request may go out then is the frontier's business.

mod estimate;
mod interval;
mod observations;
mod price;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use estimate::Prior;
pub use interval::interval;
pub use observations::{Observations, Seen};
pub use price::{Demand, Price};

const DAY: f64 = 86_400.0;
const MINUTE: Duration = Duration::from_secs(60);
/// The slowest rate that is told from never, in changes a day: one in a thousand years.
const SLOWEST: f64 = 1.0 / 365_000.0;
/// The fastest: about one a tenth of a second.
const FASTEST: f64 = 1e6;

/// How revisits are done: the table `[revisit]` of a crawler file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Revisit {
    /// Least and most time between two visits of a page.
    pub bounds: Bounds,
    /// Share of a host's pace that revisits may take, above 0 to 1; what is left is for pages not seen yet. 0.5 by default.
    pub share: f64,
}

impl Default for Revisit {
    fn default() -> Self {
        Self { bounds: Bounds::default(), share: 0.5 }
    }
}

/// Least and most time between two visits of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// No page is asked again sooner, however often it changes. An hour by default.
    pub min: Duration,
    /// No page is left alone for longer, whatever was learned about it: this bounds how long an error lasts. 30 days by
    /// default. If it is shorter than `min`, `min` holds.
    pub max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { min: Duration::from_hours(1), max: Duration::from_hours(30 * 24) }
    }
}

impl Bounds {
    /// Both in days, in order.
    fn days(self) -> (f64, f64) {
        let min = days(self.min);
        (min, days(self.max).max(min))
    }
}

/// How often a page changes, in changes a day.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "f64")]
pub struct Rate(f64);

impl Rate {
    /// So many changes a day, brought between one in a thousand years and one in a tenth of a second. What is no number
    /// counts as never.
    #[must_use]
    pub const fn per_day(changes: f64) -> Self {
        Self(changes.max(SLOWEST).min(FASTEST))
    }

    /// One change in so much time.
    #[must_use]
    pub fn every(time: Duration) -> Self {
        Self::per_day(1.0 / days(time))
    }

    /// Changes a day.
    #[must_use]
    pub const fn changes_per_day(self) -> f64 {
        self.0
    }
}

impl From<f64> for Rate {
    fn from(changes: f64) -> Self {
        Self::per_day(changes)
    }
}

fn days(time: Duration) -> f64 {
    time.as_secs_f64() / DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_always_a_number_above_zero() {
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let rate = Rate::per_day(odd).changes_per_day();
            assert!(rate > 0.0 && rate.is_finite(), "{odd}");
        }
        assert_eq!(Rate::every(Duration::ZERO), Rate::per_day(f64::INFINITY));
        assert_eq!(Rate::every(Duration::from_hours(12)).changes_per_day(), 2.0);
        let stored = postcard::to_stdvec(&f64::NAN).unwrap();
        assert_eq!(postcard::from_bytes::<Rate>(&stored).unwrap(), Rate::per_day(0.0));
    }
}
