//! How often a page changes, from visits at irregular intervals.
//!
//! Changes come as a Poisson process. An interval *t* without a change has the likelihood e^-λt, one with a change 1 - e^-λt.
//! Its maximum (Cho and Garcia-Molina, "Estimating frequency of change", TOIT 2003, 5.2) is infinite if every visit saw a
//! change and zero if none did. So what is known beforehand has a say: ln λ is taken to be spread normally around that of the
//! [`Prior`]. Rates differ by factors of thousands, and a Gamma distribution around a mean would all but exclude the fast ones.
//! The score then falls in ln λ from plus to minus infinity, and has exactly one zero.

use super::Rate;

/// The estimate is exact to so much in ln λ.
const EXACT: f64 = 1e-3;
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
    for _step in 0..MOST_STEPS {
        let (score, slope) = evidence.score(at.exp());
        let (score, slope) = (score - (at - middle) * known, slope - known);
        if score > 0.0 {
            low = at;
        } else {
            high = at;
        }
        let newton = at - score / slope;
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        let step = (next - at).abs();
        at = next;
        if step < EXACT {
            break;
        }
    }
    Rate::per_day(at.exp())
}
