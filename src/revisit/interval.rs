//! The time between two visits of a page that changes so often, at a price.
//!
//! Visited every *I* days, a page of rate λ is fresh for the share (1 - e^-r) / r of the time, with r = λI (Cho and Garcia-Molina,
//! TODS 2003, 4). One more visit a day adds g(r) / λ, with g(r) = 1 - (1 + r) e^-r. Where a budget is spent best, that gain is
//! the same for all pages that are visited at all: it is the price. A page whose gain never reaches the price, because it changes
//! again too soon, is asked as seldom as the bounds allow.
//!
//! But λ is an estimate. Taken for the truth, it makes a cliff where g reaches 1: a page judged a little too fast is left alone,
//! and as every later visit then finds a change, it stays so. So the gain that counts is the expected one: ln λ may be wrong by
//! [`DOUBT`]. Its normal distribution is summed up by three points (Gauss-Hermite).

use std::sync::LazyLock;
use std::time::Duration;

use super::{Bounds, DAY, Price, Rate};

/// Standard deviation of ln λ after a dozen or two visits. With 1.0 pages are as fresh, to half a percent.
const DOUBT: f64 = 0.6;
/// Entries of the table, evenly spaced in √L; see [`changes_until`].
const ENTRIES: usize = 160;
const SPACING: f64 = 1.0 / 25.0;

/// The time until a page is worth asking again, within `bounds`. Exact to 0.1 %.
#[must_use]
pub fn interval(rate: Rate, price: Price, bounds: Bounds) -> Duration {
    let (min, max) = bounds.days();
    let days = unbounded(rate, price).clamp(min, max);
    let longest = bounds.max.max(bounds.min);
    Duration::try_from_secs_f64(days * DAY).unwrap_or(longest).clamp(bounds.min, longest)
}

/// In days; infinite if no number of visits is worth the price.
pub(super) fn unbounded(rate: Rate, price: Price) -> f64 {
    let rate = rate.changes_per_day();
    changes_until(rate * price.days()) / rate
}

/// The changes to be expected until the next visit, if it is to gain `gain` in units of 1/λ.
///
/// With L = -ln(1 - gain / most), r is √2L where it is small and grows like L where it is large. So r / √L changes slowly with
/// √L, and a small table of it is enough.
fn changes_until(gain: f64) -> f64 {
    static TABLE: LazyLock<Vec<f64>> = LazyLock::new(table);
    static MOST: LazyLock<f64> = LazyLock::new(|| Doubted::new().most);
    let share = gain / *MOST;
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let root = (-(-share).ln_1p()).sqrt();
    let place = root / SPACING;
    match TABLE.get(place as usize..place as usize + 2) {
        Some(around) => root * (around[0] + (around[1] - around[0]) * place.fract()),
        None => f64::INFINITY,
    }
}

fn table() -> Vec<f64> {
    let doubted = Doubted::new();
    let roots = (1..ENTRIES).map(|entry| entry as f64 * SPACING);
    let ratios = roots.map(|root| doubted.changes_at(root * root) / root);
    std::iter::once(2.0_f64.sqrt()).chain(ratios).collect()
}

/// The expected gain under doubt: g at three rates.
struct Doubted {
    /// How many times faster, or slower, the outer two are.
    apart: f64,
    /// The gain of ever more visits of a page that is never visited.
    most: f64,
}

impl Doubted {
    fn new() -> Self {
        let apart = (3.0_f64.sqrt() * DOUBT).exp();
        Self { apart, most: 2.0 / 3.0 + (apart + 1.0 / apart) / 6.0 }
    }

    /// The share of `most` that is lost at r.
    fn lost(&self, r: f64) -> f64 {
        let lost = |x: f64| (1.0 + x) * (-x).exp();
        let outer = lost(r * self.apart) / self.apart + lost(r / self.apart) * self.apart;
        (lost(r) * 2.0 / 3.0 + outer / 6.0) / self.most
    }

    /// Where the lost share is e^-`level`, by bisection.
    fn changes_at(&self, level: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1_000.0);
        for _halving in 0..60 {
            let middle = f64::midpoint(low, high);
            if -self.lost(middle).ln() < level {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inversion_is_exact() {
        let doubted = Doubted::new();
        for exponent in -160..=80 {
            let r = 10_f64.powf(f64::from(exponent) / 40.0);
            let gain = doubted.most * (1.0 - doubted.lost(r));
            // Below, the gain loses its digits; beyond, it cannot be told from the most.
            if r > 1e-3 && doubted.lost(r) > 1e-12 {
                let found = changes_until(gain);
                assert!((found / r - 1.0).abs() < 1e-3, "{r} became {found}");
            }
        }
        assert_eq!(changes_until(0.0), 0.0);
        assert_eq!(changes_until(doubted.most), f64::INFINITY);
    }

    #[test]
    fn the_expected_gain_is_that_of_a_normal_distribution() {
        let g = |x: f64| 1.0 - (1.0 + x) * (-x).exp();
        let doubted = Doubted::new();
        for r in [0.1_f64, 0.5, 1.0, 2.0, 5.0] {
            let (mut expected, mut all) = (0.0, 0.0);
            for step in -400..=400 {
                let off = f64::from(step) / 100.0;
                let (weight, factor) = ((-off * off / 2.0).exp(), (off * DOUBT).exp());
                expected += weight * g(r * factor) / factor;
                all += weight;
            }
            let found = doubted.most * (1.0 - doubted.lost(r));
            assert!((found / (expected / all) - 1.0).abs() < 0.03, "{found} for {}", expected / all);
        }
    }

    #[test]
    fn pages_are_asked_most_often_that_change_neither_seldom_nor_too_often() {
        let price = Price::in_days(0.5);
        let bounds = Bounds::default();
        let at = |rate| interval(Rate::per_day(rate), price, bounds);
        assert!(at(0.01) > at(0.1) && at(0.1) > at(1.0));
        assert!(at(1.0) < at(2.2));
        assert_eq!(at(2.5), bounds.max);
        assert_eq!(at(0.0), bounds.max);
    }

    #[test]
    fn no_interval_leaves_the_bounds() {
        let narrow = Bounds { min: Duration::from_secs(60), max: Duration::from_secs(90) };
        let upside_down = Bounds { min: Duration::from_secs(90), max: Duration::from_secs(60) };
        let endless = Bounds { min: Duration::ZERO, max: Duration::MAX };
        for exponent in -12..12 {
            for price in [0.0, 1e-9, 1e-3, 1.0, 1e6, f64::INFINITY, f64::NAN] {
                let (rate, price) = (Rate::per_day(10_f64.powi(exponent)), Price::in_days(price));
                let wait = interval(rate, price, narrow);
                assert!(wait >= narrow.min && wait <= narrow.max);
                assert_eq!(interval(rate, price, upside_down), upside_down.min);
                let _finite = interval(rate, price, endless);
            }
        }
        assert_eq!(interval(Rate::per_day(1.0), Price::FREE, Bounds::default()), Bounds::default().min);
    }

    #[test]
    fn a_higher_price_never_makes_a_page_asked_sooner() {
        let bounds = Bounds::default();
        for rate in [1e-4, 0.01, 0.3, 1.0, 30.0] {
            let mut last = Duration::ZERO;
            for step in 0..400 {
                let price = Price::in_days(1e-8 * 1.1_f64.powi(step));
                let next = interval(Rate::per_day(rate), price, bounds);
                assert!(next >= last, "{rate} at {price:?}");
                last = next;
            }
        }
    }
}
