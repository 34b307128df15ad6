//! The time between two visits of a page that changes so often, at a price.
//!
//! Visited every *I* days, a page of rate λ is fresh for the share F = (1 - e^-λI) / λI of the time (Cho and Garcia-Molina, TODS
//! 2003, 4). One more visit a day adds dF/df = (1 - (1 + r) e^-r) / λ with r = λI. Where a budget is spent best, that gain is the
//! same for all pages that are visited at all: it is the price. A page whose gain never reaches the price, because it changes
//! again too soon, is asked as seldom as the bounds allow.

use std::time::Duration;

use super::{Bounds, DAY, Price, Rate};

/// The time until a page is worth asking again, within `bounds`. Exact to 0.1 %.
#[must_use]
pub fn interval(rate: Rate, price: Price, bounds: Bounds) -> Duration {
    let (min, max) = bounds.days();
    let days = unbounded(rate.changes_per_day(), price.days()).clamp(min, max);
    let longest = bounds.max.max(bounds.min);
    Duration::try_from_secs_f64(days * DAY).unwrap_or(longest).clamp(bounds.min, longest)
}

/// In days; infinite if no number of visits is worth the price.
pub(super) fn unbounded(rate: f64, price: f64) -> f64 {
    let gain = rate * price;
    if gain >= 1.0 { f64::INFINITY } else { changes_until(gain) / rate }
}

/// Solves 1 - (1 + r) e^-r = `gain` for r, the changes expected until the next visit.
///
/// With L = -ln(1 - gain) it reads r - ln(1 + r) = L. The root lies between √2L + ⅔L and √2L + L (Chatzigeorgiou, "Bounds on
/// the Lambert function", 2013). From there two steps of Newton are enough.
fn changes_until(gain: f64) -> f64 {
    let level = -(-gain).ln_1p();
    let first = (2.0 * level).sqrt();
    if level < 1e-8 {
        return first;
    }
    let newton = |r: f64| r - (r - r.ln_1p() - level) * (1.0 + r) / r;
    newton(newton(first + 0.8 * level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inversion_is_exact() {
        for exponent in -120..=30 {
            let r = 10_f64.powf(f64::from(exponent) / 20.0);
            let gain = 1.0 - (1.0 + r) * (-r).exp();
            // Beyond, the gain cannot be told from 1.
            if r > 1e-4 && r < 30.0 {
                let found = changes_until(gain);
                assert!((found / r - 1.0).abs() < 1e-3, "{r} became {found}");
            }
        }
    }

    #[test]
    fn pages_are_asked_most_often_that_change_neither_seldom_nor_too_often() {
        let price = Price::in_days(0.5);
        let bounds = Bounds::default();
        let at = |rate| interval(Rate::per_day(rate), price, bounds);
        assert!(at(0.01) > at(0.1) && at(0.1) > at(1.0));
        assert!(at(1.0) < at(1.9));
        assert_eq!(at(2.1), bounds.max);
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
