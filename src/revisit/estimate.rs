//! How often a page changes, from visits at irregular intervals.
//!
//! Changes come as a Poisson process. An interval *t* without a change has the likelihood e^-λt, one with a change 1 - e^-λt.
//! Its maximum (Cho and Garcia-Molina, "Estimating frequency of change", TOIT 2003, 5.2) is infinite if every visit saw a
//! change and zero if none did. So what is known beforehand has a say: ln λ is taken to be spread normally around that of the
//! [`Prior`]. Rates differ by factors of thousands, and a Gamma distribution around a mean would all but exclude the fast ones.
//! The score then falls in ln λ from plus to minus infinity, and has exactly one zero.
//!
//! Bias, over one to twenty daily visits and 0.1 to 2 changes a day: with a prior that is right the mean estimate is 1.0 to 2.0
//! times the truth, 1.16 at most after twenty; with one ten times too slow 0.6 to 1.2, then 0.85 at least; with one ten times too
//! fast 8.8 at most, then 1.6. Without a prior there is no mean at all: it is infinite.

use super::Rate;

/// The last step of the search in ln λ. Newton's steps shrink quadratically: what is left is a hundredth of it.
const LAST_STEP: f64 = 2e-3;
const MOST_STEPS: usize = 40;

/// What is known of a page's rate before it was visited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    middle: Rate,
    spread: f64,
}

impl Default for Prior {
    /// Once in ten days, give or take a factor of ten.
    fn default() -> Self {
        Self::around(Rate::per_day(0.1))
    }
}

impl Prior {
    /// A rate that is right to a factor of ten in two cases of three: that of a sitemap's `changefreq`, for example.
    #[must_use]
    pub const fn around(middle: Rate) -> Self {
        Self { middle, spread: std::f64::consts::LN_10 }
    }

    /// The same with another spread: the standard deviation of the natural logarithm, 0.1 to 10.
    #[must_use]
    pub const fn spread(self, spread: f64) -> Self {
        Self { spread: spread.max(0.1).min(10.0), ..self }
    }
}

/// The sums that the likelihood depends on. Times in days.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    quiet: f64,
    changes: [(f64, f64); 17],
    used: usize,
}

impl Evidence {
    /// So many days without a change.
    pub(super) fn add_quiet(&mut self, days: f64) {
        if days.is_finite() && days > 0.0 {
            self.quiet += days;
        }
    }

    /// An interval with a change, `weight` times. There is room for seventeen.
    pub(super) fn add_changes(&mut self, days: f64, weight: f64) {
        let sound = days.is_finite() && days > 0.0 && weight.is_finite() && weight > 0.0;
        if let (true, Some(place)) = (sound, self.changes.get_mut(self.used)) {
            *place = (days, weight);
            self.used += 1;
        }
    }

    /// The score in ln λ without the prior, and its slope.
    fn score(&self, rate: f64) -> (f64, f64) {
        let (mut score, mut slope) = (-rate * self.quiet, -rate * self.quiet);
        for &(days, weight) in &self.changes[..self.used] {
            let x = rate * days;
            let expected = if x < 1e-6 { 1.0 - x / 2.0 } else { x / x.exp_m1() };
            score += weight * expected;
            slope += weight * expected * (1.0 - expected - x);
        }
        (score, slope)
    }

    /// Close to the zero of the score, as if all changes had come in the middle of their intervals.
    fn first_guess(&self, prior: &Prior) -> f64 {
        let changes = &self.changes[..self.used];
        let count: f64 = changes.iter().map(|(_, weight)| weight).sum();
        let exposed: f64 = changes.iter().map(|(days, weight)| days * weight / 2.0).sum();
        let middle = prior.middle.changes_per_day();
        let known = 1.0 / (prior.spread * prior.spread);
        ((count + known) / (self.quiet + exposed + known / middle)).ln()
    }
}

/// The most likely rate.
pub(super) fn estimate(evidence: &Evidence, prior: &Prior) -> Rate {
    let middle = prior.middle.changes_per_day().ln();
    let known = 1.0 / (prior.spread * prior.spread);
    let (mut low, mut high) = (super::SLOWEST.ln(), super::FASTEST.ln());
    let mut at = evidence.first_guess(prior).clamp(low, high);
    let mut step = f64::INFINITY;
    for _step in 0..MOST_STEPS {
        let (score, slope) = evidence.score(at.exp());
        let (score, slope) = (score - (at - middle) * known, slope - known);
        if score > 0.0 {
            low = at;
        } else {
            high = at;
        }
        let newton = at - score / slope;
        // Steps that do not shrink would go round in a circle.
        let shrinks = 2.0 * (newton - at).abs() <= step;
        let next = if shrinks && (low..=high).contains(&newton) { newton } else { f64::midpoint(low, high) };
        step = (next - at).abs();
        at = next;
        if step < LAST_STEP {
            break;
        }
    }
    Rate::per_day(at.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(visits: u32, changed: u32, days: f64, prior: &Prior) -> f64 {
        let mut evidence = Evidence::default();
        evidence.add_quiet(f64::from(visits - changed) * days);
        evidence.add_changes(days, f64::from(changed));
        estimate(&evidence, prior).changes_per_day()
    }

    /// The mean of an estimate over all that so many regular visits may see, by its true value. The interval is a day.
    fn mean(visits: u32, rate: f64, estimate: impl Fn(u32) -> f64) -> f64 {
        let (mut chance, mut mean) = ((-rate * f64::from(visits)).exp(), 0.0);
        for changed in 0..=visits {
            mean += chance * estimate(changed);
            chance *= f64::from(visits - changed) / f64::from(changed + 1) * rate.exp_m1();
        }
        mean / rate
    }

    /// Mean estimates, by the true value, after 1 to 20 visits, with a prior that is so many times the truth.
    fn means(rate: f64, prior: f64) -> Vec<f64> {
        let prior = Prior::around(Rate::per_day(rate * prior));
        (1..=20).map(|visits| mean(visits, rate, |changed| seen(visits, changed, 1.0, &prior))).collect()
    }

    #[test]
    fn what_is_known_beforehand_is_outweighed_by_twenty_visits() {
        for rate in [0.1, 0.3, 1.0, 2.0] {
            let within = |means: &[f64], low: f64, high: f64| {
                assert!(means.iter().all(|mean| (low..high).contains(mean)), "{rate}: {means:?}");
            };
            for (prior, all, last) in [
                (1.0, (1.0, 2.0), (1.0, 1.16)),
                (0.1, (0.59, 1.2), (0.85, 1.09)),
                (10.0, (1.0, 8.8), (1.0, 1.57)),
            ] {
                let means = means(rate, prior);
                within(&means, all.0, all.1);
                within(&means[19..], last.0, last.1);
            }
        }
    }

    #[test]
    fn no_answers_give_the_prior_and_all_alike_a_finite_rate() {
        let prior = Prior::around(Rate::per_day(0.3));
        assert!((seen(0, 0, 1.0, &prior) / 0.3 - 1.0).abs() < 1e-3);
        let (never, always) = (seen(20, 0, 1.0, &prior), seen(20, 20, 1.0, &prior));
        assert!(never > 0.001 && never < 0.05, "{never}");
        assert!(always > 2.0 && always < 20.0, "{always}");
    }

    #[test]
    fn every_further_change_makes_the_rate_higher() {
        let prior = Prior::default().spread(1.0);
        for days in [1e-3, 0.1, 10.0, 1e3] {
            let rates: Vec<f64> = (0..=16).map(|changed| seen(16, changed, days, &prior)).collect();
            assert!(rates.is_sorted(), "{rates:?}");
        }
    }

    #[test]
    fn the_zero_of_the_score_is_found_wherever_it_lies() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut evidence = Evidence::default();
            evidence.add_quiet(10_f64.powf(rng.f64() * 10.0 - 5.0));
            for _ in 0..rng.usize(0..17) {
                evidence.add_changes(10_f64.powf(rng.f64() * 8.0 - 4.0), 1.0 + rng.f64());
            }
            let prior =
                Prior::around(Rate::per_day(10_f64.powf(rng.f64() * 8.0 - 4.0))).spread(rng.f64() * 4.0);
            let found = estimate(&evidence, &prior).changes_per_day();
            let score = |rate: f64| {
                let off = (rate / prior.middle.changes_per_day()).ln();
                evidence.score(rate).0 - off / (prior.spread * prior.spread)
            };
            let low = score(found * 0.995) >= 0.0 || found <= super::super::SLOWEST;
            let high = score(found * 1.005) <= 0.0 || found >= super::super::FASTEST * 0.999;
            assert!(low && high, "{found} {evidence:?} {prior:?}");
        }
    }
}
